"""Reduce-only orders: one story for each rule of docs/matching.md."""

from typing import Any

import pytest

from exchange.events import (
    CANCELLED_LINKED,
    CANCELLED_MARGIN_MAKER,
    CANCELLED_PARENT,
    CANCELLED_REDUCE_ONLY,
    CANCELLED_SETTLED,
    Event,
    OrderAwaiting,
    OrderCancelled,
    OrderReduced,
)
from exchange.invariants import excess_micro
from matching.orders import (
    BUY,
    DECREMENT,
    INDEX_AT_MOST,
    IOC,
    LAST_AT_MOST,
    MARKET,
    POST_ONLY,
    REDUCE_ONLY,
    SELF_TRADE_SHIFT,
    SELL,
)
from settlement.mass_quotes import QUOTE_FLAGS
from settlement.signed_messages import Conditions
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    MARCH,
    PERP,
    PUT_90,
    Floor,
    cancel_reasons,
    fills,
    has_rested,
    of_type,
    open_floor,
    owner_of,
    placed_hash,
)

ANN, BOB, CAT, EVE = range(4)
SPREAD = ((CALL_90, 1), (CALL_100, -1))
TICK = 10_000


@pytest.fixture
def floor() -> Floor:
    """Ann is long five of the 90,000 call."""
    made = open_floor(4, cash_micro=1_000_000_000_000)
    hold(made, ANN, 5, CALL_90)
    return made


def hold(floor: Floor, account: int, lots: int, instrument: int) -> None:
    price = floor.near(instrument)
    if lots > 0:
        floor.sell(EVE, price, lots, instrument)
        floor.buy(account, price, lots, instrument)
    else:
        floor.buy(EVE, price, -lots, instrument)
        floor.sell(account, price, -lots, instrument)


def lots_of(events: tuple[Event, ...]) -> list[tuple[int, int]]:
    """(maker, lots) of every fill."""
    return [(maker, lots) for _, _, lots, maker in fills(events)]


def cuts(events: tuple[Event, ...]) -> list[tuple[int, int]]:
    """(lots, remaining) of orders that were cut to a position."""
    return [
        (event.lots, event.remaining_lots)
        for event in of_type(events, OrderReduced)
        if event.reason == CANCELLED_REDUCE_ONLY
    ]


# THE TAKER


def test_a_taker_stops_at_flat_and_the_rest_is_cancelled(floor: Floor) -> None:
    floor.buy(BOB, 90 * TICK, 9, CALL_90)
    events = floor.sell(ANN, 90 * TICK, 8, CALL_90, flags=REDUCE_ONLY)
    assert lots_of(events) == [(BOB, 5)]
    assert cancel_reasons(events) == [CANCELLED_REDUCE_ONLY]
    assert floor.lots(ANN, CALL_90) == 0


def test_a_market_order_closes_whatever_there_is(floor: Floor) -> None:
    floor.buy(BOB, 90 * TICK, 9, CALL_90)
    flags = REDUCE_ONLY | MARKET
    events = floor.sell(ANN, TICK, 1_000, CALL_90, flags=flags, time_in_force=IOC)
    assert (lots_of(events), floor.lots(ANN, CALL_90)) == ([(BOB, 5)], 0)


def test_an_ioc_that_found_too_little_says_so(floor: Floor) -> None:
    floor.buy(BOB, 90 * TICK, 2, CALL_90)
    events = floor.sell(ANN, 90 * TICK, 5, CALL_90, flags=REDUCE_ONLY, time_in_force=IOC)
    assert lots_of(events) == [(BOB, 2)]
    assert cancel_reasons(events) != [CANCELLED_REDUCE_ONLY]


def test_a_short_is_bought_back_alike(floor: Floor) -> None:
    hold(floor, CAT, -4, PERP)
    floor.sell(BOB, floor.near(PERP), 9, PERP)
    floor.buy(CAT, floor.near(PERP), 9, PERP, flags=REDUCE_ONLY)
    assert floor.lots(CAT, PERP) == 0


def test_through_a_resting_combo_too(floor: Floor) -> None:
    """Implied out: Bob buys the spread, Cat buys the other leg, Ann sells the first to him."""
    floor.buy(BOB, 500 * TICK, 9, SPREAD)
    floor.buy(CAT, 300 * TICK, 9, CALL_100)
    events = floor.sell(ANN, 700 * TICK, 9, CALL_90, flags=REDUCE_ONLY)
    assert floor.lots(ANN, CALL_90) == 0
    assert floor.lots(BOB, CALL_90) == 5
    assert cancel_reasons(events) == [CANCELLED_REDUCE_ONLY]


# WHAT RESTS


def test_what_comes_to_rest_is_cut_to_the_position(floor: Floor) -> None:
    events = floor.sell(ANN, 990 * TICK, 8, CALL_90, flags=REDUCE_ONLY | POST_ONLY)
    assert cuts(events) == [(3, 5)]
    assert has_rested(events)


def test_one_that_may_only_reduce_counts_nothing_in_margin(floor: Floor) -> None:
    before = excess_micro(floor.state, floor.account(ANN))
    floor.sell(ANN, 990 * TICK, 5, CALL_90, flags=REDUCE_ONLY)
    assert excess_micro(floor.state, floor.account(ANN)) == before
    assert floor.account(ANN).open_lots == 0


def test_several_orders_of_one_account_trade_the_position_once(floor: Floor) -> None:
    """Four orders for the whole position, and one taker for all of them."""
    for away in range(4):
        floor.sell(ANN, (990 + away) * TICK, 5, CALL_90, flags=REDUCE_ONLY)
    floor.sell(CAT, 999 * TICK, 3, CALL_90)
    events = floor.buy(BOB, 999 * TICK, 8, CALL_90)
    assert lots_of(events) == [(ANN, 5), (CAT, 3)]
    assert cancel_reasons(events) == [CANCELLED_REDUCE_ONLY] * 3
    assert floor.lots(ANN, CALL_90) == 0


def test_an_ordinary_order_ahead_uses_the_position_up(floor: Floor) -> None:
    floor.sell(ANN, 990 * TICK, 4, CALL_90)
    floor.sell(ANN, 991 * TICK, 5, CALL_90, flags=REDUCE_ONLY)
    events = floor.buy(BOB, 991 * TICK, 9, CALL_90)
    assert lots_of(events) == [(ANN, 4), (ANN, 1)]


def test_a_part_fill_elsewhere_cuts_it_and_it_keeps_its_place(floor: Floor) -> None:
    floor.sell(ANN, 990 * TICK, 5, CALL_90, flags=REDUCE_ONLY)
    floor.sell(CAT, 990 * TICK, 5, CALL_90)
    floor.buy(BOB, 900 * TICK, 2, CALL_90)
    events = floor.sell(ANN, 900 * TICK, 2, CALL_90)
    assert cuts(events) == [(2, 3)]
    assert lots_of(floor.buy(BOB, 990 * TICK, 4, CALL_90)) == [(ANN, 3), (CAT, 1)]


def test_closed_or_turned_by_another_order_all_of_them_go_oldest_first(floor: Floor) -> None:
    gone = [
        placed_hash(floor.sell(ANN, price * TICK, 5, CALL_90, flags=REDUCE_ONLY))
        for price in (995, 990, 999)
    ]
    floor.buy(BOB, 900 * TICK, 9, CALL_90)
    events = floor.sell(ANN, 900 * TICK, 7, CALL_90)
    assert cancel_reasons(events) == [CANCELLED_REDUCE_ONLY] * 3
    assert [event.order_hash for event in of_type(events, OrderCancelled)] == gone
    assert not floor.account(ANN).reduce_only


def test_a_combo_takes_no_more_of_a_leg_than_the_position(floor: Floor) -> None:
    """Both legs' books hold reduce-only orders that show more than they may trade."""
    hold(floor, CAT, -5, CALL_100)
    floor.sell(ANN, 600 * TICK, 5, CALL_90, flags=REDUCE_ONLY)
    floor.sell(ANN, 601 * TICK, 5, CALL_90, flags=REDUCE_ONLY)
    floor.buy(CAT, 400 * TICK, 5, CALL_100, flags=REDUCE_ONLY)
    floor.buy(CAT, 399 * TICK, 5, CALL_100, flags=REDUCE_ONLY)
    events = floor.buy(BOB, 300 * TICK, 9, SPREAD)
    assert sum(lots for maker, lots in lots_of(events) if maker == ANN) == 5
    assert (floor.lots(ANN, CALL_90), floor.lots(CAT, CALL_100)) == (0, 0)
    assert cancel_reasons(events) == [CANCELLED_REDUCE_ONLY] * 2


def test_a_quantum_of_several_orders_counts_them_together(floor: Floor) -> None:
    """Two lots of a leg a unit: behind one lot of the position stands one that may not trade."""
    legs = ((CALL_90, 2), (PUT_90, 1))
    floor.buy(BOB, 900 * TICK, 4, CALL_90)
    floor.sell(ANN, 900 * TICK, 4, CALL_90)  # one lot is left
    floor.sell(ANN, 600 * TICK, 1, CALL_90, flags=REDUCE_ONLY)
    floor.sell(ANN, 601 * TICK, 1, CALL_90, flags=REDUCE_ONLY)
    floor.sell(CAT, 602 * TICK, 5, CALL_90)
    floor.sell(CAT, 300 * TICK, 5, PUT_90)
    events = floor.buy(BOB, 2_000 * TICK, 1, legs)
    assert lots_of(events) == [(ANN, 1), (CAT, 1), (CAT, 1)]
    assert floor.lots(ANN, CALL_90) == 0


def test_the_fill_is_judged_as_any_other() -> None:
    """The long call covers a short one, which the account's cash alone would not."""
    floor = open_floor(4, cash_micro=1_000_000_000_000)
    poor = floor.open_account(12_000_000_000)
    hold(floor, poor, 20, CALL_90)
    hold(floor, poor, -20, CALL_100)
    price = floor.near(CALL_90)
    floor.mark(0, BTC_INDEX * 3 // 2)
    assert has_rested(floor.sell(poor, price, 20, CALL_90, flags=REDUCE_ONLY))
    events = floor.buy(BOB, price, 20, CALL_90)
    assert (lots_of(events), cancel_reasons(events)) == ([], [CANCELLED_MARGIN_MAKER])


def test_decrement_takes_no_more_than_the_order_may_trade(floor: Floor) -> None:
    sister = floor.open_account(1_000_000_000_000, owner_of(ANN))
    floor.sell(ANN, 990 * TICK, 5, CALL_90, flags=REDUCE_ONLY)
    floor.buy(sister, 990 * TICK, 3, CALL_90, flags=DECREMENT << SELF_TRADE_SHIFT)
    (order,) = floor.account(ANN).orders.values()
    assert (order.remaining_lots, floor.lots(ANN, CALL_90)) == (2, 5)


def test_settlement_takes_them_with_the_rest(floor: Floor) -> None:
    more = {"flags": REDUCE_ONLY, "expiry_s": MARCH + 60}
    floor.advance(MARCH - 86_400 - floor.time_s)
    floor.sell(ANN, 990 * TICK, 5, CALL_90, **more)
    floor.advance(MARCH - floor.time_s)
    assert cancel_reasons(floor.settle(0, BTC_INDEX)) == [CANCELLED_SETTLED]
    assert not floor.account(ANN).reduce_only


def test_a_mass_quote_cannot_ask_for_it() -> None:
    assert not QUOTE_FLAGS & REDUCE_ONLY


# STOPS, TARGETS, BRACKETS


def stop(index_percent: int, **more: Any) -> Conditions:
    price = BTC_INDEX * index_percent // 100
    return Conditions(trigger=INDEX_AT_MOST, trigger_price_micro=price, **more)


def test_a_stop_is_laid_down_without_a_position_and_asked_when_it_wakes(floor: Floor) -> None:
    events = floor.sell(CAT, TICK, 5, CALL_90, flags=REDUCE_ONLY, conditions=stop(99))
    assert of_type(events, OrderAwaiting)
    assert cancel_reasons(floor.mark(0, BTC_INDEX * 98 // 100)) == [CANCELLED_REDUCE_ONLY]


def test_a_stop_closes_what_is_left_of_the_position(floor: Floor) -> None:
    floor.sell(ANN, TICK, 5, CALL_90, flags=REDUCE_ONLY, conditions=stop(99))
    floor.buy(BOB, 90 * TICK, 9, CALL_90)
    floor.sell(ANN, 90 * TICK, 2, CALL_90)
    assert lots_of(floor.mark(0, BTC_INDEX * 98 // 100)) == [(BOB, 3)]
    assert floor.lots(ANN, CALL_90) == 0


def test_a_target_and_a_stop_around_a_position(floor: Floor) -> None:
    floor.sell(ANN, 990 * TICK, 5, CALL_90, flags=REDUCE_ONLY, conditions=Conditions(oco_group=1))
    floor.sell(ANN, TICK, 5, CALL_90, flags=REDUCE_ONLY, conditions=stop(99, oco_group=1))
    events = floor.buy(BOB, 990 * TICK, 9, CALL_90)
    assert (lots_of(events), cancel_reasons(events)) == ([(ANN, 5)], [CANCELLED_LINKED])


def test_an_entry_with_a_reduce_only_target(floor: Floor) -> None:
    """The child needs no position before its parent has made one."""
    entry = placed_hash(floor.buy(CAT, 90 * TICK, 4, CALL_90))
    child = Conditions(parent=entry)
    floor.sell(CAT, 990 * TICK, 9, CALL_90, flags=REDUCE_ONLY, conditions=child)
    events = floor.sell(BOB, 90 * TICK, 4, CALL_90)
    assert cuts(events) == [(5, 4)]


def test_whoever_waits_for_one_that_goes_goes_too(floor: Floor) -> None:
    target = placed_hash(floor.sell(ANN, 990 * TICK, 5, CALL_90, flags=REDUCE_ONLY))
    floor.sell(ANN, 980 * TICK, 5, CALL_90, conditions=Conditions(parent=target))
    floor.buy(BOB, 90 * TICK, 9, CALL_90)
    events = floor.sell(ANN, 90 * TICK, 5, CALL_90)
    assert cancel_reasons(events) == [CANCELLED_REDUCE_ONLY, CANCELLED_PARENT]


def test_one_that_was_passed_over_goes_before_another_rests_across_it(floor: Floor) -> None:
    """Its position comes back within the command, but the book would be crossed."""
    floor.sell(ANN, 940 * TICK, 5, CALL_90, flags=REDUCE_ONLY)
    floor.buy(CAT, 930 * TICK, 5, CALL_90)
    floor.sell(EVE, 950 * TICK, 5, CALL_90)
    falls = Conditions(trigger=LAST_AT_MOST, trigger_price_micro=930 * TICK)
    floor.buy(BOB, 940 * TICK, 3, CALL_90, conditions=falls)
    floor.buy(ANN, 950 * TICK, 5, CALL_90, conditions=falls)
    events = floor.sell(ANN, 930 * TICK, 5, CALL_90)
    assert lots_of(events) == [(CAT, 5), (EVE, 5)]
    assert (cuts(events), cancel_reasons(events)) == ([], [CANCELLED_REDUCE_ONLY])
    book = floor.state.books[CALL_90]
    assert [(order.account, order.remaining_lots) for order in book.orders(BUY)] == [(BOB, 3)]
    assert list(book.orders(SELL)) == []


def test_a_position_that_comes_back_within_the_command_keeps_the_order(floor: Floor) -> None:
    """The command closes it, and what it wakes opens it again."""
    floor.sell(ANN, 990 * TICK, 5, CALL_90, flags=REDUCE_ONLY)
    floor.buy(BOB, 90 * TICK, 5, CALL_90)
    floor.sell(CAT, 95 * TICK, 2, CALL_90)
    again = Conditions(trigger=6, trigger_price_micro=90 * TICK)
    floor.buy(ANN, 95 * TICK, 2, CALL_90, conditions=again)
    events = floor.sell(ANN, 90 * TICK, 5, CALL_90)
    assert lots_of(events) == [(BOB, 5), (CAT, 2)]
    assert (cuts(events), cancel_reasons(events)) == ([(3, 2)], [])
