"""Stories of trading states: who may still do what, and who says so."""

import pytest

from exchange import events as e
from exchange.handlers.states import instrument_state
from matching.orders import IOC, POST_ONLY
from matching.rejects import (
    HALTED_NOW,
    NOTHING_TRADES_NOW,
    ORDER_NOT_LIVE,
    POST_ONLY_NOW,
    WOULD_CROSS,
)
from matching.trading_states import (
    CANCEL_ONLY,
    HALTED,
    INSTRUMENT,
    OPEN,
    PERMITTED,
    POST_ONLY_STATE,
    PRE_OPEN,
    SETTLED,
    STATE_NAMES,
    UNDERLYING,
    VENUE,
    TradingStates,
)
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    ETH_PERP,
    MARCH,
    START_S,
    Floor,
    fills,
    has_rested,
    of_type,
    open_floor,
    placed_hash,
    refusal,
    was_accepted,
)

VERTICAL = ((CALL_90, 1), (CALL_100, -1))
EVERY_STATE = (OPEN, PRE_OPEN, POST_ONLY_STATE, CANCEL_ONLY, HALTED)


def test_each_state_permits_no_more_than_the_one_before() -> None:
    assert len(PERMITTED) == len(STATE_NAMES)
    for less, more in zip(PERMITTED[1:], PERMITTED, strict=False):
        assert less & more == less
    assert len(frozenset(PERMITTED)) == len(PERMITTED) - 1, "settled and delisted permit nothing"


@pytest.mark.parametrize("scope", [VENUE, UNDERLYING, INSTRUMENT])
@pytest.mark.parametrize("state", EVERY_STATE)
def test_orders_can_be_cancelled_in_every_state_and_none_is_lost_by_one(
    state: int, scope: int
) -> None:
    floor = open_floor()
    first = placed_hash(floor.buy(0, 10_000, 2, CALL_90))
    floor.buy(0, 10_000, 1, CALL_90)
    (changed,) = floor.set_state(state, scope, CALL_90 if scope == INSTRUMENT else 0, reason=3)
    number = CALL_90 if scope == INSTRUMENT else 0
    assert changed == e.TradingStateChanged(scope, number, state, OPEN, 3)
    assert len(floor.state.orders) == 2
    assert was_accepted(floor.cancel(0, first))
    assert was_accepted(floor.cancel_all(0))
    assert not floor.state.orders


@pytest.mark.parametrize("state", [OPEN, PRE_OPEN, POST_ONLY_STATE, CANCEL_ONLY])
def test_an_order_may_shrink_where_orders_may_shrink(state: int) -> None:
    floor = open_floor()
    first = placed_hash(floor.buy(0, 10_000, 5, CALL_90))
    floor.set_state(state)
    assert has_rested(floor.buy(0, 10_000, 4, CALL_90, replaces=first))


def test_before_the_opening_orders_gather_and_then_trade() -> None:
    floor = open_floor()
    floor.set_state(PRE_OPEN, reason=1)
    price = floor.near(CALL_90)
    assert has_rested(floor.sell(1, price, 3, CALL_90))
    assert has_rested(floor.buy(0, price - 10_000, 3, CALL_90))
    assert refusal(floor.buy(0, price, 3, CALL_90)) == (NOTHING_TRADES_NOW, price, price)
    crossing = floor.buy(0, price, 3, CALL_90, flags=POST_ONLY)
    assert refusal(crossing) == (WOULD_CROSS, price, price)
    floor.set_state(OPEN, reason=1)
    assert fills(floor.buy(0, price, 3, CALL_90)) == [(CALL_90, price, 3, 1)]


def test_a_combo_that_rests_before_the_opening_does_not_reach_for_its_legs() -> None:
    """The legs' books could fill it; it rests all the same, as a resting combo may."""
    floor = open_floor()
    floor.sell(1, floor.near(CALL_90), 3, CALL_90)
    floor.buy(1, floor.near(CALL_100), 3, CALL_100)
    floor.set_state(PRE_OPEN)
    net = floor.near(CALL_90) - floor.near(CALL_100)
    happened = floor.buy(0, net, 3, VERTICAL)
    assert has_rested(happened)
    assert not fills(happened)


def test_a_combo_is_in_the_state_of_its_most_restrictive_leg() -> None:
    floor = open_floor()
    floor.set_state(POST_ONLY_STATE, INSTRUMENT, CALL_90)
    floor.set_state(HALTED, INSTRUMENT, CALL_100)
    assert refusal(floor.buy(0, 0, 1, VERTICAL, flags=POST_ONLY)) == (HALTED_NOW, CALL_100, 0)
    floor.set_state(OPEN, INSTRUMENT, CALL_100)
    assert refusal(floor.buy(0, 0, 1, VERTICAL)) == (POST_ONLY_NOW, CALL_90, 0)
    assert has_rested(floor.buy(0, 0, 1, VERTICAL, flags=POST_ONLY))


def test_the_most_restrictive_of_venue_underlying_and_instrument_is_in_force() -> None:
    floor = open_floor()

    def in_force(number: int) -> int:
        return instrument_state(floor.state, floor.state.instruments[number])

    floor.set_state(POST_ONLY_STATE, UNDERLYING, 0)
    assert (in_force(CALL_90), in_force(ETH_PERP)) == (POST_ONLY_STATE, OPEN)
    floor.set_state(HALTED, INSTRUMENT, CALL_90)
    assert (in_force(CALL_90), in_force(CALL_100)) == (HALTED, POST_ONLY_STATE)
    floor.set_state(CANCEL_ONLY, VENUE)
    assert (in_force(CALL_90), in_force(ETH_PERP)) == (HALTED, CANCEL_ONLY)
    floor.set_state(OPEN, INSTRUMENT, CALL_90)
    assert in_force(CALL_90) == CANCEL_ONLY
    floor.set_state(OPEN)
    floor.set_state(OPEN, UNDERLYING, 0)
    assert floor.state.trading.are_open


def test_the_operator_does_not_lift_what_the_breaker_asks_nor_the_other_way_round() -> None:
    floor = open_floor()
    floor.arm([(1_000, CANCEL_ONLY, 60)], calm_window_s=30)
    tripped = of_type(floor.mark(0, BTC_INDEX * 9 // 10), e.BreakerTripped)
    assert [event.state for event in tripped] == [CANCEL_ONLY]
    floor.set_state(OPEN, UNDERLYING, 0)
    assert floor.state.trading.of_underlying(0) == CANCEL_ONLY
    floor.set_state(HALTED, UNDERLYING, 0)
    floor.advance(60)
    assert of_type(floor.mark(0, BTC_INDEX * 9 // 10), e.BreakerReleased)
    assert floor.state.trading.of_underlying(0) == HALTED


def test_a_breaker_that_is_disarmed_lets_go() -> None:
    floor = open_floor()
    floor.arm([(1_000, CANCEL_ONLY, 60)])
    floor.mark(0, BTC_INDEX * 9 // 10)
    armed, released = floor.arm(())
    assert armed == e.BreakerArmed(0, 300, 60, 200, ())
    assert released == e.BreakerReleased(0, 0, 0, START_S)
    assert floor.state.trading.are_open
    assert not floor.state.breakers


def test_between_expiry_and_settlement_orders_may_leave_and_after_it_none_is_left() -> None:
    floor = open_floor()
    floor.advance(MARCH - START_S - 29 * 86_400)
    resting = placed_hash(floor.buy(0, 10_000, 1, CALL_90, expiry_s=MARCH + 60))
    other = placed_hash(floor.buy(0, 10_000, 1, CALL_90, expiry_s=MARCH + 60))
    floor.advance(29 * 86_400)
    call = floor.state.instruments[CALL_90]
    assert instrument_state(floor.state, call) == HALTED
    assert was_accepted(floor.cancel(0, resting))
    floor.settle(0, BTC_INDEX)
    assert instrument_state(floor.state, call) == SETTLED
    assert refusal(floor.cancel(0, other)).code == ORDER_NOT_LIVE


def test_a_taker_before_the_opening_that_would_have_been_refused_is_told_why_in_words() -> None:
    floor = open_floor()
    floor.set_state(PRE_OPEN, INSTRUMENT, CALL_90)
    refused = refusal(floor.buy(0, 10_000, 1, CALL_90, time_in_force=IOC))
    assert refused.message.startswith(f"instrument {CALL_90} is in pre-open")


def test_equal_states_are_equal_however_they_came_to_be() -> None:
    states = TradingStates()
    for scope in (VENUE, UNDERLYING, INSTRUMENT):
        states.order(scope, 0, HALTED)
    assert states.items() == [(VENUE, 0, HALTED), (UNDERLYING, 0, HALTED), (INSTRUMENT, 0, HALTED)]
    for scope in (VENUE, UNDERLYING, INSTRUMENT):
        states.order(scope, 0, OPEN)
    assert not states.items()
    assert states.are_open


def test_a_halted_market_still_marks_settles_and_pays() -> None:
    floor = open_floor()
    price = floor.near(CALL_90)
    floor.sell(1, price, 3, CALL_90)
    floor.buy(0, price, 3, CALL_90)
    floor.set_state(HALTED)
    assert was_accepted(floor.mark(0, BTC_INDEX))
    floor.advance(MARCH - START_S)
    assert was_accepted(floor.settle(0, BTC_INDEX))
    assert was_accepted(floor.withdraw(0, 1))
    assert not floor.lots(0, CALL_90)


def test_a_floor_without_states_is_as_it_was() -> None:
    floor: Floor = open_floor()
    assert floor.state.trading.are_open
    assert not floor.state.breakers
