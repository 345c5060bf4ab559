"""All accounts at once when marks move: `margin/watch.py` and `margin/sweep.py` against their twin
after any program of trades, marks, funding, settlements and looks in between.
"""

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exchange.invariants import check
from margin import sweep_numpy
from margin.accounts import Account, Position
from margin.kernel import integers
from margin.scenarios import SCENARIO_COUNT
from margin.sweep import Holdings, value_all, value_some
from margin.sweep_numpy import position_values
from margin.watch import below, current, fallen
from margin.what_if import Trade, after_trades
from matching.orders import BUY, SELL
from tests.floor import BTC_INDEX, ETH_INDEX, ETH_PERP, LISTINGS, PERP, Floor, open_floor
from tests.model import watch as twin

ACCOUNTS = 4
UNDERLYINGS = 2
RICH = 10**15


class Step(NamedTuple):
    """What happens next; each kind takes of `one`, `other` and `size` what it needs."""

    kind: str
    one: int
    other: int
    instrument: int
    size: int


KINDS = (
    "trade",
    "trade",
    "trade",
    "mark",
    "mark",
    "fund",
    "cash",
    "look",
    "look",
    "touch",
    "open",
    "model",
)
steps = st.builds(
    Step,
    st.sampled_from(KINDS),
    st.integers(0, ACCOUNTS - 1),
    st.integers(0, ACCOUNTS - 1),
    st.integers(0, len(LISTINGS) - 1),
    st.integers(1, 900),
)


def run(floor: Floor, step: Step) -> None:
    kind, one, other, instrument, size = step
    match kind:
        case "trade" if one != other:
            price = floor.near(instrument)
            floor.submit(floor.sign(one, SELL, price, size, instrument))
            floor.submit(floor.sign(other, BUY, price, size, instrument))
            floor.cancel_all(one)
        case "mark":
            underlying = instrument % UNDERLYINGS
            index = (BTC_INDEX, ETH_INDEX)[underlying]
            floor.mark(underlying, index * (700 + size) // 1_000)
        case "fund":
            floor.fund((PERP, ETH_PERP)[instrument % 2], size - 450)
        case "cash":  # to the line itself, or a micro beside it
            account = floor.account(one)
            needed = floor.state.portfolio.requirement(account)
            line = needed.maintenance_micro if size % 2 else -(-needed.maintenance_micro * 5 // 4)
            account.cash_micro += line - needed.equity_micro + size % 3 - 1
        case "touch":
            floor.state.portfolio.requirement(floor.account(one))
        case "model":
            floor.account(one).set_margin(size % 2, 0)
        case "open":
            floor.open_account(RICH)
        case _:
            compare(floor)


def compare(floor: Floor) -> None:
    state = floor.state
    for underlying in range(UNDERLYINGS):
        for line_percent in (80, 100):
            got = fallen(state.portfolio, underlying, line_percent)
            asked = (underlying, line_percent)
            assert got == twin.fallen(state.marks, state.accounts, UNDERLYINGS, *asked)
            assert set(got) <= set(below(state.portfolio, *asked))
        held = current(state.portfolio, underlying)
        compare_values(floor, underlying, held)
        sweep_numpy.value_all(held, state.marks)
        compare_values(floor, underlying, held)


def compare_values(floor: Floor, underlying: int, held: Holdings) -> None:
    for account in floor.state.accounts.values():
        if underlying in account.risks:
            values = twin.values_of(floor.state.marks, account, underlying)
            assert held.base_micro[account.number] == values[55]
            assert held.least_micro[account.number] == min(values)


@given(st.lists(steps, max_size=14), st.integers(0, 1))
def test_whoever_fell_is_found_after_any_program(program: list[Step], settles: int) -> None:
    floor = open_floor(0, watched=False)
    for _ in range(ACCOUNTS):
        floor.open_account(RICH)
    for step in program:
        run(floor, step)
    if settles:
        floor.advance(80 * 86_400)
        floor.mark(0, BTC_INDEX)
        floor.settle(0, BTC_INDEX * 11 // 10)
        compare(floor)
        for account in range(ACCOUNTS):
            floor.withdraw(account, 1)  # takes what has accrued, and closes what is settled
    compare(floor)
    for account in floor.state.accounts.values():
        for underlying, risk in account.risks.items():
            assert integers(risk.value) == twin.values_of(floor.state.marks, account, underlying)
    assert not [line for line in check(floor.state) if "valued" in line or "values" in line]


# SIDE BY SIDE

many_lots = st.integers(-(1 << 17), 1 << 17).filter(bool)
held_by = st.dictionaries(st.integers(0, len(LISTINGS) - 1), many_lots)


@given(st.lists(st.dictionaries(st.integers(0, 5), held_by, max_size=4), max_size=6))
def test_positions_taken_anew_are_those_valued_and_all_others_stay(
    changes: list[dict[int, dict[int, int]]],
) -> None:
    marks, held = open_floor(0, watched=False).state.marks, Holdings()
    plain: dict[int, dict[int, int]] = {}
    for change in changes:
        for account, positions in change.items():
            held.take(account, list(positions), list(positions.values()))
        plain |= change
        value_some(held, marks, list(change))
    packed = [(held.base_micro[at], held.least_micro[at]) for at in range(len(held))]
    for account in range(len(held)):
        positions = plain.get(account, {})
        assert held.positions_of(account) == positions
        worth = [0] * SCENARIO_COUNT
        for number, lots in positions.items():
            row = marks.values[number].tolist()
            worth = [have + lots * more for have, more in zip(worth, row, strict=True)]
        assert packed[account] == (worth[55], min(worth))
    for value in (value_all, sweep_numpy.value_all):
        value(held, marks)
        assert packed == [(held.base_micro[at], held.least_micro[at]) for at in range(len(held))]


def test_blocks_give_what_one_product_gives() -> None:
    dice = np.random.default_rng(7)
    marks, held, accounts = open_floor(0, watched=False).state.marks, Holdings(), 5_000
    numbers = np.array([dice.choice(len(LISTINGS), 3, replace=False) for _ in range(accounts)])
    lots = dice.integers(-1_000, 1_000, (accounts, 3))
    for account in range(accounts):
        held.take(account, numbers[account].tolist(), lots[account].tolist())
    sweep_numpy.value_all(held, marks)
    starts = np.arange(0, 3 * accounts + 1, 3)
    whole = position_values(starts, numbers.ravel(), lots.ravel(), marks.values)
    assert list(held.base_micro) == whole[:, 55].tolist()
    assert list(held.least_micro) == whole.min(axis=1).tolist()


def test_an_account_that_nobody_touched_yet_is_found_as_well() -> None:
    """Its positions were moved to it, and no order of its own has been judged."""
    floor = open_floor(0, watched=False)
    floor.open_account(RICH)
    portfolio = floor.state.portfolio
    account = Account(1, bytes(20))
    floor.state.accounts[1] = account
    account.cash_micro = 1
    account.positions[PERP] = Position(-5, floor.state.marks.accrual_micro[PERP])
    account.basis_micro = -5 * floor.state.marks.accrual_micro[PERP]
    account.gross_lots = 5
    account.risk(0).take(floor.state.marks.row(PERP), -5)
    for move in (100, 105, 95):
        floor.mark(0, BTC_INDEX * move // 100)
        assert below(portfolio, 0, 100) == [1]
        assert fallen(portfolio, 0) == [1]
        compare(floor)


def test_what_is_only_tried_is_noted_once_and_taken_as_it_is() -> None:
    floor = open_floor(0, watched=False)
    for _ in range(2):
        floor.open_account(RICH)
    run(floor, Step("trade", 0, 1, PERP, 3))
    portfolio, marks = floor.state.portfolio, floor.state.marks
    current(portfolio, 0)
    for _ in range(100):
        after_trades(portfolio, floor.account(0), [Trade(PERP, 5)])
    assert len(marks.take_moved(0)) <= 1
    assert current(portfolio, 0).positions_of(0) == {PERP: -3}
