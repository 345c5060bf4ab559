"""The step that a liquidation takes, against one found by trying them all in fractions."""

import math
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from margin.accounts import Account
from margin.liquidation import Depth, Step, best_step
from margin.standing import ScanStanding
from tests.clearing_floor import ClearingFloor, clearing_floor
from tests.floor import CALL_90, CALL_100, ETH_PERP, FEES, FUT, PERP, PUT_100
from tests.model import liquidation as twin

TRADED = (PERP, FUT, CALL_90, CALL_100, PUT_100, ETH_PERP)
TRADER, OTHER = 0, 1
levels = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 30)), min_size=0, max_size=3)
held = st.dictionaries(
    st.sampled_from(TRADED), st.integers(-60, 60).filter(bool), min_size=1, max_size=4
)


def a_trader(positions: dict[int, int], short_e4: int) -> ClearingFloor:
    """TRADER holds these lots and lacks `short_e4` of W."""
    floor = clearing_floor((10**13, 10**13), watched=False)
    floor.arm_liquidation(0)
    for number, lots in positions.items():
        buyer, seller = (TRADER, OTHER) if lots > 0 else (OTHER, TRADER)
        floor.trade(buyer, seller, number, abs(lots))
    standing = floor.standing(TRADER)
    wanted = standing.worst_micro * (10**4 - short_e4) // 10**4
    floor.account(TRADER).cash_micro += wanted - standing.equity_micro
    return floor


def holdings_of(
    floor: ClearingFloor, account: Account, moved: dict[int, int]
) -> list[twin.Holding]:
    found: list[twin.Holding] = []
    for number in sorted({*account.positions, *moved}):
        lots = account.lots_of(number) + moved.get(number, 0)
        position = account.positions.get(number)
        seen = floor.state.marks.accrual_micro[number]
        if position is not None:
            assert position.accrual_seen_micro == seen
        if lots:
            values = floor.state.marks.values[number].tolist()
            underlying = floor.state.instruments[number].underlying.number
            found.append(twin.Holding(lots, values, seen, underlying))
    return found


def tried(floor: ClearingFloor, depth: Depth, size: int) -> tuple[twin.Standing, int]:
    """Where the account would stand after so many lots, and what they cost against the marks."""
    account, instrument = floor.account(TRADER), depth.instrument
    number, index = instrument.number, floor.state.marks.index_micro[instrument.underlying.number]
    sign = -1 if account.lots_of(number) > 0 else 1
    mark = floor.state.marks.mark_micro(instrument)
    cash = 0
    left = size
    for ticks, shown in depth.levels:
        lots, price = min(left, shown), ticks * instrument.tick_value_micro
        left -= lots
        paid = price - mark if instrument.is_linear else price
        cash -= sign * lots * paid
        for rate in (FEES.taker_rate, FEES.liquidation_rate):
            fee = Fraction(index * rate, 10**6)
            if not instrument.is_linear:
                fee = min(fee, Fraction(price * FEES.cap, 10**4))
            cash -= math.ceil(lots * fee)
    assert not left
    before = twin.standing(account.cash_micro, holdings_of(floor, account, {}))
    moved = holdings_of(floor, account, {number: sign * size})
    after = twin.standing(account.cash_micro + cash, moved)
    return after, before.equity - after.equity


def is_safer(before: twin.Standing, after: twin.Standing) -> bool:
    return after.worst < before.worst and after.equity - after.worst >= before.equity - before.worst


def the_best(floor: ClearingFloor, depths: list[Depth]) -> tuple[int, int] | None:
    """(instrument, lots) by trying every instrument, then halves of the best."""
    account = floor.account(TRADER)
    before = twin.standing(account.cash_micro, holdings_of(floor, account, {}))
    choices: list[tuple[Fraction, int, Depth, int]] = []
    for depth in depths:
        shown = sum(lots for _, lots in depth.levels)
        if shown:
            size = twin.most_lots(account.lots_of(depth.instrument.number), shown)
            after, cost = tried(floor, depth, size)
            if is_safer(before, after):
                value = Fraction(before.worst - after.worst, max(cost, 1))
                choices.append((value, -depth.instrument.number, depth, size))
    if not choices:
        return None
    _, _, depth, size = max(choices, key=lambda choice: choice[:2])
    while size > 1 and not tried(floor, depth, size)[0].is_called:
        after, _ = tried(floor, depth, size // 2)
        if not is_safer(before, after) or after.is_called:
            break
        size //= 2
    return depth.instrument.number, size


@settings(max_examples=60, deadline=None)
@given(held, st.lists(levels, min_size=4, max_size=4), st.integers(1, 4_000))
def test_the_step_is_the_one_that_lowers_w_most_for_its_cost(
    positions: dict[int, int], books: list[list[tuple[int, int]]], short_e4: int
) -> None:
    floor = a_trader(positions, short_e4)
    account, state = floor.account(TRADER), floor.state
    depths: list[Depth] = []
    for number, book in zip(sorted(positions), books, strict=False):
        instrument = state.instruments[number]
        sign = -1 if positions[number] > 0 else 1
        mark = state.marks.mark_ticks(instrument)
        away = sorted({ticks for ticks, _ in book})
        shown = [(mark + sign * ticks, lots) for ticks, (_, lots) in zip(away, book, strict=False)]
        depths.append(Depth(instrument, [(max(ticks, 1), lots) for ticks, lots in shown]))
    before = state.portfolio.scan_standing(account)
    step = best_step(state.portfolio, account, before, depths)
    assert told(step) == the_best(floor, depths)
    if step is not None:
        number, size = step.instrument.number, abs(step.lots)
        (depth,) = [one for one in depths if one.instrument.number == number]
        after, cost = tried(floor, depth, size)
        assert plain(step.after) == tuple(after)
        assert step.cost_micro == cost


def told(step: Step | None) -> tuple[int, int] | None:
    return None if step is None else (step.instrument.number, abs(step.lots))


def plain(standing: ScanStanding) -> tuple[int, int]:
    return standing.equity_micro, standing.worst_micro


def test_no_more_is_taken_than_ends_the_liquidation() -> None:
    floor = a_trader({PERP: 50}, 100)  # one percent of W is short: half a lot would do
    account, state = floor.account(TRADER), floor.state
    mark = state.marks.mark_ticks(state.instruments[PERP])
    depth = Depth(state.instruments[PERP], [(mark, 40)])
    step = best_step(state.portfolio, account, state.portfolio.scan_standing(account), [depth])
    assert step is not None
    assert step.lots == -1  # not the ten that a fifth is
    assert not step.after.is_called
