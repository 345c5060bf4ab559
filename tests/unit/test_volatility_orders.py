"""Orders priced in volatility: the price against float Black-76, and a story for each rule."""

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.events import (
    CANCELLED_FEE,
    CANCELLED_MARGIN_MAKER,
    Event,
    OrderFilled,
    OrderRepriced,
    OrderRested,
    OrderTriggered,
)
from exchange.market_data import PublicMarket
from exchange.state_digest import state_hash
from margin.analytics.black76_float import option_price
from margin.black76 import YEAR_S, price_at_volatility_micro
from margin.parameters import MAX_DEVIATION_Q30
from matching.instruments import CALL, PUT
from matching.orders import BUY, IN_VOLATILITY, INDEX_AT_LEAST, POST_ONLY, SELL
from settlement.signed_messages import MAX_VOLATILITY_E6, Conditions
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    MARCH,
    PUT_90,
    Floor,
    cancel_reasons,
    of_type,
    open_floor,
    placed_hash,
    was_accepted,
)

HIGHEST = 1_000_000_000
LOWEST = 10_000
TICK = 10_000
STRIKE = 900_000_000


def quote(
    floor: Floor,
    account: int,
    side: int,
    volatility_e6: int,
    *,
    limit: int | None = None,
    lots: int = 2,
    instrument: int = CALL_90,
    flags: int = 0,
) -> tuple[Event, ...]:
    if limit is None:
        limit = HIGHEST if side == BUY else LOWEST
    conditions = Conditions(volatility_e6=volatility_e6)
    order = floor.sign(
        account,
        side,
        limit,
        lots,
        instrument,
        flags=IN_VOLATILITY | flags,
        conditions=conditions,
    )
    return floor.submit(order)


def rested_at(events: tuple[Event, ...]) -> int:
    (rested,) = of_type(events, OrderRested)
    return rested.price_micro


def black_micro(kind: int, floor: Floor, volatility_e6: int) -> float:
    """The price that floats make of it, at the floor's forward and time."""
    forward = floor.state.marks.expiry_marks[0].forward_micro
    years = (MARCH - floor.time_s) / YEAR_S
    return float(option_price(kind, forward, STRIKE, volatility_e6 / 1e6, years))


# THE PRICE


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from([CALL, PUT]),
    forward=st.integers(1_000_000, 2_000_000_000),
    percent=st.integers(20, 500),
    volatility_e6=st.integers(1_000, MAX_VOLATILITY_E6),
    seconds=st.integers(60, 3 * YEAR_S),
)
def test_the_integer_price_is_that_of_floats(
    kind: int, forward: int, percent: int, volatility_e6: int, seconds: int
) -> None:
    strike = forward * percent // 100
    years, volatility = seconds / YEAR_S, volatility_e6 / 1e6
    if volatility * years**0.5 * 2**30 >= MAX_DEVIATION_Q30 - 1:
        volatility = (MAX_DEVIATION_Q30 - 1) / 2**30 / years**0.5
    price = price_at_volatility_micro(kind, forward, strike, volatility_e6, seconds)
    expected = float(option_price(kind, forward, strike, volatility, years))
    # Probabilities are Q29 and deviations Q30: some units of each, of the larger of the two.
    assert abs(price - expected) <= 2 + 4 * max(forward, strike) / 2**29


def test_a_higher_volatility_never_makes_a_lower_price() -> None:
    prices = [
        price_at_volatility_micro(CALL, 965_420_216, STRIKE, volatility_e6, 70 * 86_400)
        for volatility_e6 in range(1, MAX_VOLATILITY_E6, 40_000)
    ]
    assert prices == sorted(prices)
    assert prices[0] == 965_420_216 - STRIKE


def test_a_buyer_is_rounded_down_and_a_seller_up() -> None:
    floor = open_floor()
    for kind, instrument in ((CALL, CALL_90), (PUT, PUT_90)):
        exact = black_micro(kind, floor, 400_000)
        bid = rested_at(quote(floor, 0, BUY, 400_000, instrument=instrument))
        ask = rested_at(quote(floor, 1, SELL, 400_000, instrument=instrument))
        assert (bid, ask) == (exact // TICK * TICK, -(-exact // TICK) * TICK)
        assert ask == bid + TICK


def test_never_beyond_the_signed_limit_and_never_below_a_tick() -> None:
    floor = open_floor()
    exact = int(black_micro(CALL, floor, 400_000)) // TICK * TICK
    assert rested_at(quote(floor, 0, BUY, 400_000, limit=exact - 3 * TICK)) == exact - 3 * TICK
    assert rested_at(quote(floor, 1, SELL, 400_000, limit=exact + 9 * TICK)) == exact + 9 * TICK
    assert rested_at(quote(floor, 0, BUY, 1, instrument=PUT_90)) == TICK


def test_when_it_comes_it_trades_like_any_order() -> None:
    floor = open_floor()
    bid = rested_at(quote(floor, 0, BUY, 400_000))
    (fill,) = of_type(quote(floor, 1, SELL, 390_000, lots=1), OrderFilled)
    assert fill.price_micro == bid
    assert not was_accepted(quote(floor, 1, SELL, 390_000, flags=POST_ONLY))


# PRICED ANEW


def test_every_mark_prices_it_anew_at_the_back_of_the_queue() -> None:
    floor = open_floor()
    first = placed_hash(quote(floor, 0, BUY, 400_000))
    floor.advance(600)
    events = floor.mark(0, BTC_INDEX * 99 // 100)
    (moved,) = of_type(events, OrderRepriced)
    exact = black_micro(CALL, floor, 400_000)
    assert moved.order_hash == first
    assert (moved.price_micro, moved.remaining_lots) == (exact // TICK * TICK, 2)
    at_its_price = placed_hash(floor.buy(1, moved.price_micro, 2, CALL_90))
    back = floor.mark(0, BTC_INDEX)
    again = floor.mark(0, BTC_INDEX * 99 // 100)
    assert len(of_type(back, OrderRepriced)) == len(of_type(again, OrderRepriced)) == 1
    met = of_type(floor.sell(2, moved.price_micro, 3, CALL_90), OrderFilled)
    makers = [fill.maker_order_hash for fill in met]
    assert makers == [at_its_price, first]


def test_a_price_that_stays_keeps_its_place() -> None:
    floor = open_floor()
    first = quote(floor, 0, BUY, 400_000)
    floor.buy(1, rested_at(first), 2, CALL_90)
    assert not of_type(floor.mark(0, BTC_INDEX), OrderRepriced)
    (fill,) = of_type(floor.sell(2, rested_at(first), 1, CALL_90), OrderFilled)
    assert fill.maker_order_hash == placed_hash(first)


def test_a_new_price_never_trades_it_stops_a_tick_short() -> None:
    floor = open_floor()
    bid = rested_at(quote(floor, 0, BUY, 400_000))
    floor.sell(1, bid + 5 * TICK, 2, CALL_90)
    events = floor.mark(0, BTC_INDEX * 105 // 100)
    (moved,) = of_type(events, OrderRepriced)
    assert moved.price_micro == bid + 4 * TICK
    assert not of_type(events, OrderFilled)


def test_of_two_that_would_cross_the_older_moves_first() -> None:
    """Both sides follow the mark: the ask must give way before the bid can use the room."""
    floor = open_floor()
    bid = rested_at(quote(floor, 0, BUY, 400_000))
    assert rested_at(quote(floor, 1, SELL, 400_000)) == bid + TICK
    (moved,) = of_type(floor.mark(0, BTC_INDEX * 105 // 100), OrderRepriced)
    exact = black_micro(CALL, floor, 400_000)
    assert moved.side == SELL
    assert moved.price_micro == -(-exact // TICK) * TICK
    # The next mark, though the same, lets the bid follow.
    (followed,) = of_type(floor.mark(0, BTC_INDEX * 105 // 100), OrderRepriced)
    assert followed.price_micro == exact // TICK * TICK


def test_what_margin_does_not_carry_at_the_new_price_is_cancelled() -> None:
    floor = open_floor()
    poor = floor.open_account(110_000_000)
    assert was_accepted(quote(floor, poor, BUY, 400_000, lots=1))
    events = floor.mark(0, BTC_INDEX * 105 // 100)
    assert cancel_reasons(events) == [CANCELLED_MARGIN_MAKER]
    assert not floor.state.orders


def test_what_would_cost_more_than_its_maximum_fee_is_cancelled() -> None:
    floor = open_floor()
    order = floor.sign(
        0,
        BUY,
        HIGHEST,
        1,
        CALL_90,
        flags=IN_VOLATILITY,
        conditions=Conditions(volatility_e6=400_000),
        max_fee_micro=BTC_INDEX * 3 // 10_000 + 1,
    )
    assert was_accepted(floor.submit(order))
    assert cancel_reasons(floor.mark(0, BTC_INDEX * 105 // 100)) == [CANCELLED_FEE]


def test_what_is_filled_or_cancelled_is_priced_no_more() -> None:
    floor = open_floor()
    price = rested_at(quote(floor, 0, BUY, 400_000))
    floor.sell(1, price, 2, CALL_90)
    floor.cancel(0, placed_hash(quote(floor, 0, BUY, 400_000)))
    assert not of_type(floor.mark(0, BTC_INDEX * 99 // 100), OrderRepriced)
    assert not floor.state.volatility.by_underlying
    assert not floor.state.volatility.of_account


def test_a_stop_in_volatility_is_priced_when_it_wakes_and_after() -> None:
    floor = open_floor()
    conditions = Conditions(
        volatility_e6=400_000,
        trigger=INDEX_AT_LEAST,
        trigger_price_micro=BTC_INDEX + 1,
    )
    order = floor.sign(0, BUY, HIGHEST, 2, CALL_90, flags=IN_VOLATILITY, conditions=conditions)
    floor.submit(order)
    assert not of_type(floor.mark(0, BTC_INDEX - 1), OrderRepriced)
    events = floor.mark(0, BTC_INDEX + 1)
    assert of_type(events, OrderTriggered)
    assert rested_at(events) == black_micro(CALL, floor, 400_000) // TICK * TICK
    assert of_type(floor.mark(0, BTC_INDEX * 99 // 100), OrderRepriced)


def test_the_journal_makes_the_same_again_and_the_market_shows_the_same() -> None:
    floor = open_floor()
    shown = PublicMarket(floor.state.instruments)
    for account, side, volatility in ((0, BUY, 380_000), (1, SELL, 420_000), (0, BUY, 379_000)):
        shown.take(floor.state.sequence, floor.time_ns, quote(floor, account, side, volatility))
    for percent in (99, 103, 98, 100):
        floor.advance(60)
        shown.take(floor.state.sequence, floor.time_ns, floor.mark(0, BTC_INDEX * percent // 100))
        book = floor.state.books[CALL_90]
        best = [book.first(side) for side in (BUY, SELL)]
        top = shown.top(CALL_90)
        prices = [None if order is None else order.price_micro for order in best]
        assert [top.bid_micro, top.ask_micro] == prices
    assert state_hash(floor.replay().state) == state_hash(floor.state)


# ALL OF IT AT RANDOM

ACTS = st.one_of(
    st.tuples(
        st.just("volatility"),
        st.integers(0, 2),
        st.sampled_from([BUY, SELL]),
        st.integers(360_000, 440_000),
        st.sampled_from([CALL_90, PUT_90]),
    ),
    st.tuples(
        st.just("plain"),
        st.integers(0, 2),
        st.sampled_from([BUY, SELL]),
        st.integers(-30, 30),
        st.sampled_from([CALL_90, PUT_90]),
    ),
    st.tuples(st.just("mark"), st.integers(950, 1_050), *[st.just(0)] * 3),
)


@settings(max_examples=60, deadline=None)
@given(acts=st.lists(ACTS, max_size=14))
def test_whatever_comes_prices_are_what_the_marks_make_or_a_tick_short(
    acts: list[tuple[str, int, int, int, int]],
) -> None:
    """Held after each mark: oldest first, an order is at its own price, unless it would have met
    the other side then; the floor watches the invariants and replays.
    """
    floor = open_floor()
    for what, number, side, much, instrument in acts:
        kind = CALL if instrument == CALL_90 else PUT
        if what == "volatility":
            quote(floor, number, side, much, instrument=instrument)
        elif what == "plain":
            price = (int(black_micro(kind, floor, 400_000)) // TICK + much) * TICK
            floor.submit(floor.sign(number, side, max(price, TICK), 1, instrument))
        else:
            floor.advance(1)
            events = floor.mark(0, BTC_INDEX * number // 1_000)
            assert not of_type(events, OrderFilled)
            _hold_prices(floor)
    assert state_hash(floor.replay().state) == state_hash(floor.state)


def _hold_prices(floor: Floor) -> None:
    state = floor.state
    for order in state.orders.values():
        if not order.volatility_e6:
            continue
        kind = CALL if order.book == CALL_90 else PUT
        exact = black_micro(kind, floor, order.volatility_e6) / TICK
        wanted = max(int(exact), 1) if order.side == BUY else -int(-exact // 1)
        passive = (wanted - order.price_ticks) * order.sign
        assert passive >= 0, "never more aggressive than its own price"
        if passive and min(exact % 1, 1 - exact % 1) > 1e-3:  # floats cannot tell at a tick's edge
            others = state.books[order.book].orders(SELL if order.side == BUY else BUY)
            assert any(True for _ in others), "only the other side holds it back"
