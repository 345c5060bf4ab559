"""What margin would be, against an exchange on which it came to pass."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from exchange import commands as c
from exchange.events import CommandRejected
from exchange.state_digest import state_hash
from margin.accounts import MAX_POSITIONS, PORTFOLIO_MODEL, STANDARD_MODEL, Position
from margin.liquidation_price import E6, liquidation_distances
from margin.requirement import Requirement
from margin.what_if import (
    Change,
    Trade,
    after_trades,
    of_portfolio,
    released_by_closing,
    with_order,
)
from matching.instruments import MAX_LOTS
from matching.orders import BUY, SELL, Order
from matching.rejects import (
    ALREADY_SETTLED,
    NO_MARKS,
    PRICE_OUT_OF_RANGE,
    TOO_MANY_LOTS,
    TOO_MANY_POSITIONS,
    UNKNOWN_INSTRUMENT,
    Reject,
)
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    FUT,
    JUNE_CALL,
    LISTINGS,
    PERP,
    Floor,
    Listing,
    open_floor,
    was_accepted,
)

TRADER, OTHER = 0, 1
RICH = 10**15


class Deal(NamedTuple):
    instrument: int
    side: int
    lots: int
    percent: int


deals = st.builds(
    Deal,
    st.integers(0, len(LISTINGS) - 1),
    st.integers(BUY, SELL),
    st.integers(1, 700),
    st.integers(90, 110),
)


def deal(floor: Floor, made: Deal) -> int:
    """Trades at a price near the mark, the trader as the taker; the price."""
    price = floor.near(made.instrument, made.percent)
    floor.submit(floor.sign(OTHER, 1 - made.side, price, made.lots, made.instrument))
    floor.submit(floor.sign(TRADER, made.side, price, made.lots, made.instrument))
    return price


def opened(held: list[Deal], resting: list[Deal]) -> Floor:
    floor = open_floor(0, watched=False)
    floor.open_account(RICH)
    floor.open_account(RICH)
    for made in held:
        deal(floor, made)
    floor.mark(0, BTC_INDEX * 103 // 100)
    floor.fund(PERP, 12_345)
    for order in resting:  # far from the mark, so that nothing trades
        away = 60 if order.side == BUY else 170
        price = floor.near(order.instrument, away)
        floor.submit(floor.sign(TRADER, order.side, price, order.lots, order.instrument))
    return floor


def requirement(floor: Floor) -> Requirement:
    return floor.state.portfolio.requirement(floor.account(TRADER))


@given(st.lists(deals, max_size=4), st.lists(deals, max_size=3), st.lists(deals, max_size=3))
def test_margin_after_trades_is_what_it_is_when_they_have_happened(
    held: list[Deal], resting: list[Deal], coming: list[Deal]
) -> None:
    floor = opened(held, resting)
    trades = [
        Trade(
            made.instrument,
            made.lots * (1 - 2 * made.side),
            floor.near(made.instrument, made.percent),
        )
        for made in coming
    ]
    before = state_hash(floor.state)
    change = after_trades(floor.state.portfolio, floor.account(TRADER), trades)
    assert isinstance(change, Change)
    assert state_hash(floor.state) == before
    assert change.before == requirement(floor)
    fees = floor.state.fee_cash_micro
    for made in coming:
        deal(floor, made)
    assert requirement(floor) == change.after
    taker, maker = floor.state.portfolio.schedule.taker_rate, 300
    paid = floor.state.fee_cash_micro - fees
    if all(LISTINGS[made.instrument].strike_micro == 0 for made in coming):  # no cap in it
        assert abs(change.fee_micro - paid * taker // (taker + maker)) <= len(coming) + 1


@given(st.lists(deals, max_size=4), st.lists(deals, max_size=3), deals)
def test_margin_with_an_order_is_what_it_is_when_it_rests(
    held: list[Deal], resting: list[Deal], one: Deal
) -> None:
    floor = opened(held, resting)
    price = floor.near(one.instrument, 60 if one.side == BUY else 170)
    ticks = price // LISTINGS[one.instrument].tick_value_micro
    order = Order(
        1 << 40, bytes(32), TRADER, one.instrument, one.side, ticks, price, one.lots, 10**12, 0
    )
    before = state_hash(floor.state)
    change = with_order(floor.state.portfolio, floor.account(TRADER), order)
    assert isinstance(change, Change)
    assert state_hash(floor.state) == before
    floor.submit(floor.sign(TRADER, one.side, price, one.lots, one.instrument))
    assert requirement(floor) == change.after


@given(st.lists(deals, min_size=1, max_size=4))
def test_closing_at_the_mark_frees_what_was_foretold(held: list[Deal]) -> None:
    floor = opened(held, [])
    portfolio, account = floor.state.portfolio, floor.account(TRADER)
    now = requirement(floor)
    for release in released_by_closing(portfolio, account):
        assert release.lots == account.lots_of(release.instrument)
        change = after_trades(portfolio, account, [Trade(release.instrument, -release.lots)])
        assert isinstance(change, Change)
        assert now.initial_micro - change.after.initial_micro == release.initial_micro
        freed = now.maintenance_micro - change.after.maintenance_micro
        assert freed == release.maintenance_micro
        assert change.after.equity_micro == now.equity_micro - change.fee_micro


@given(st.lists(deals, max_size=4), st.integers(-(10**9), 10**12))
def test_a_portfolio_that_nobody_holds_needs_what_its_holder_would(
    held: list[Deal], cash_micro: int
) -> None:
    floor = opened(held, [])
    account = floor.account(TRADER)
    positions = [(number, account.lots_of(number)) for number in account.positions]
    shadow = of_portfolio(floor.state.portfolio, cash_micro, positions)
    assert not isinstance(shadow, Reject)
    found, real = floor.state.portfolio.requirement(shadow), requirement(floor)
    assert found.initial_micro == real.initial_micro
    assert found.maintenance_micro == real.maintenance_micro
    marks = floor.state.marks
    options = sum(
        lots * marks.mark_micro(floor.state.instruments[number])
        for number, lots in positions
        if not floor.state.instruments[number].is_linear
    )
    assert found.equity_micro == cash_micro + options


# THE LIQUIDATION PRICE


def moved_to(floor: Floor, underlying: int, move_e6: int) -> tuple[int, int]:
    """Equity and maintenance on a copy of the exchange whose marks have moved."""
    copy = floor.replay()
    copy.account(TRADER).cash_micro = floor.account(TRADER).cash_micro
    marks = copy.state.marks
    expiries = [e for e in copy.state.expiries if e.underlying.number == underlying]
    command = c.UpdateMarks(
        copy.time_ns,
        underlying,
        marks.index_micro[underlying] * (E6 + move_e6) // E6,
        tuple(
            (
                expiry.number,
                marks.expiry_marks[expiry.number].forward_micro * (E6 + move_e6) // E6,
                *marks.expiry_marks[expiry.number][1:],
            )
            for expiry in expiries
        ),
    )
    (event, *_) = copy.send(command)
    assert not isinstance(event, CommandRejected)
    found = requirement(copy)
    return found.equity_micro, found.maintenance_micro


@given(
    st.lists(deals, min_size=1, max_size=4),
    st.integers(1, 60),
    st.sampled_from((PORTFOLIO_MODEL, STANDARD_MODEL)),
)
def test_at_the_liquidation_price_maintenance_is_missed_and_a_millionth_before_it_is_met(
    held: list[Deal], cushion_percent: int, model: int
) -> None:
    floor = opened(held, [])
    assert was_accepted(floor.choose_margin(TRADER, model)) or model == PORTFOLIO_MODEL
    account, now = floor.account(TRADER), requirement(floor)
    cushion = now.maintenance_micro * cushion_percent // 100
    account.cash_micro += now.maintenance_micro + cushion - now.equity_micro
    for distance in liquidation_distances(floor.state.portfolio, account):
        for move in (distance.down_e6, distance.up_e6):
            if move is None:
                continue
            equity, maintenance = moved_to(floor, distance.underlying, move)
            assert equity < maintenance
            nearer = move - 1 if move > 0 else move + 1
            equity, maintenance = moved_to(floor, distance.underlying, nearer)
            assert equity >= maintenance


def test_a_short_perpetual_falls_where_arithmetic_says() -> None:
    """Ten lots short with 2,000 USDC: equity 2,000 - 10 x move meets 80% of 18% of the index."""
    floor = opened([], [])
    floor.account(TRADER).cash_micro = 2_000 * E6
    deal(floor, Deal(PERP, SELL, 10, 100))
    index = floor.state.marks.index_micro[0]
    (distance,) = liquidation_distances(floor.state.portfolio, floor.account(TRADER))
    assert distance.down_e6 is None
    assert distance.up_e6 is not None
    cash = requirement(floor).equity_micro
    there = (cash + 10 * index) / (10 * (1 + 0.8 * 0.18))
    assert distance.up_index_micro is not None
    assert abs(distance.up_index_micro - there) <= 2 * index / E6


def test_who_has_fallen_already_is_told_so_and_who_cannot_fall_as_well() -> None:
    floor = opened([Deal(CALL_90, SELL, 10, 100)], [])
    floor.account(TRADER).cash_micro = 0
    (distance,) = liquidation_distances(floor.state.portfolio, floor.account(TRADER))
    assert (distance.down_e6, distance.up_e6) == (0, 0)
    floor.account(TRADER).cash_micro = RICH
    (distance,) = liquidation_distances(floor.state.portfolio, floor.account(TRADER))
    assert (distance.down_e6, distance.up_e6) == (None, None)
    floor = opened([], [])
    assert liquidation_distances(floor.state.portfolio, floor.account(TRADER)) == []


# WHAT NOBODY COULD HOLD


def test_what_no_account_could_hold_is_refused() -> None:
    floor = opened([Deal(FUT, BUY, 3, 100)], [])
    floor.list_instrument(Listing(2, 0, 0, 1_100_000_000, 10_000))
    portfolio, account = floor.state.portfolio, floor.account(TRADER)

    def refused(*trades: Trade) -> tuple[int, int]:
        change = after_trades(portfolio, account, trades)
        assert isinstance(change, Reject)
        return change.code, change.got

    assert refused(Trade(99, 1)) == (UNKNOWN_INSTRUMENT, 99)
    assert refused(Trade(-1, 1)) == (UNKNOWN_INSTRUMENT, -1)
    assert refused(Trade(len(LISTINGS), 1)) == (NO_MARKS, len(LISTINGS))
    assert refused(Trade(PERP, MAX_LOTS)) == (TOO_MANY_LOTS, MAX_LOTS + 3)
    assert refused(Trade(PERP, -MAX_LOTS - 1)) == (TOO_MANY_LOTS, MAX_LOTS + 1)
    assert refused(Trade(PERP, 1, 1 << 34)) == (PRICE_OUT_OF_RANGE, 1 << 34)
    big = Order(1 << 40, bytes(32), TRADER, PERP, BUY, 1, 5_000, MAX_LOTS, 0, 0)
    answer = with_order(portfolio, account, big)
    assert isinstance(answer, Reject)
    assert answer.code == TOO_MANY_LOTS
    floor.advance(80 * 86_400)
    floor.mark(0, BTC_INDEX)
    floor.settle(0, BTC_INDEX)
    assert refused(Trade(FUT, 1)) == (ALREADY_SETTLED, FUT)
    (release,) = released_by_closing(portfolio, account)
    assert (release.initial_micro, release.maintenance_micro) == (0, 0)


def test_positions_are_counted_as_a_fill_counts_them() -> None:
    """256 of what is not settled; who has one too many is named, as when he trades."""
    floor = opened([Deal(FUT, BUY, 3, 100), Deal(CALL_90, BUY, 2, 100)], [])
    first = len(floor.state.instruments)
    for step in range(MAX_POSITIONS + 1):
        strike = 800_000_000 + 1_000_000 * step
        floor.list_instrument(LISTINGS[JUNE_CALL]._replace(strike_micro=strike + 500_000))
    floor.advance(80 * 86_400)
    floor.mark(0, BTC_INDEX)
    floor.settle(0, BTC_INDEX)
    account = floor.account(TRADER)
    for number in range(first, first + MAX_POSITIONS - 1):
        account.positions[number] = Position(1, 0)
        account.gross_lots += 1
    last = first + MAX_POSITIONS - 1
    one_more, two_more = (
        after_trades(floor.state.portfolio, account, [Trade(last + n, 1) for n in range(count)])
        for count in (1, 2)
    )
    assert isinstance(one_more, Change)
    assert two_more == Reject(TOO_MANY_POSITIONS, TRADER, MAX_POSITIONS)
