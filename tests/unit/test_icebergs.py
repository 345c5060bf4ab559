"""Orders that show a part of what they have: how they stand, trade, are replenished and end."""

from typing import Any

import pytest

from exchange import events as e
from exchange.events import Event
from exchange.invariants import excess_micro
from exchange.market_data import PublicMarket
from exchange.views import order as order_view
from matching.orders import (
    BUY,
    CANCEL_MAKER,
    DECREMENT,
    FOK,
    IN_VOLATILITY,
    INDEX_AT_LEAST,
    POST_ONLY,
    SELF_TRADE_SHIFT,
    SELL,
)
from matching.rejects import BELOW_MIN_QUANTITY, CANNOT_FILL, Reject
from matching.trading_states import CANCEL_ONLY
from settlement.signed_messages import Conditions
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    PERP,
    Floor,
    cancel_reasons,
    of_type,
    open_floor,
    placed_hash,
    refusal,
)

SPREAD = ((CALL_90, 1), (CALL_100, -1))
TWO_TO_ONE = ((CALL_90, 2), (CALL_100, -1))
ANN, BOB, CAT, EVE = range(4)
PRICE = 93_100_000


@pytest.fixture
def floor() -> Floor:
    return open_floor(4)


def showing(lots: int, **more: Any) -> Conditions:
    return Conditions(display_lots=lots, **more)


def traded(events: tuple[Event, ...]) -> list[tuple[int, int, int]]:
    """(maker, instrument, lots) of each fill."""
    filled = of_type(events, e.OrderFilled)
    return [(fill.maker, fill.instrument, fill.quantity_lots) for fill in filled]


def queue(floor: Floor, number: int, side: int) -> list[tuple[int, int, int]]:
    """(account, lots shown, lots hidden) of one side as they would trade."""
    return [
        (order.account, order.remaining_lots - order.hidden_lots, order.hidden_lots)
        for order in floor.state.books[number].orders(side)
    ]


# AT ONE PRICE


def test_what_is_replenished_stands_behind_all_that_was_there(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(3))
    floor.sell(BOB, PRICE, 4, CALL_90)
    assert queue(floor, CALL_90, SELL) == [(ANN, 3, 7), (BOB, 4, 0)]
    events = floor.buy(EVE, PRICE, 5, CALL_90)
    assert traded(events) == [(ANN, CALL_90, 3), (BOB, CALL_90, 2)]
    (shown,) = of_type(events, e.OrderReplenished)
    assert (shown.account, shown.remaining_lots, shown.displayed_lots) == (ANN, 7, 3)
    assert queue(floor, CALL_90, SELL) == [(BOB, 2, 0), (ANN, 3, 4)]


def test_a_part_of_what_is_shown_keeps_its_place_and_is_not_replenished(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(3))
    floor.sell(BOB, PRICE, 4, CALL_90)
    assert not of_type(floor.buy(EVE, PRICE, 2, CALL_90), e.OrderReplenished)
    assert queue(floor, CALL_90, SELL) == [(ANN, 1, 7), (BOB, 4, 0)]


def test_one_taker_goes_round_until_the_price_is_empty(floor: Floor) -> None:
    """Two icebergs take turns; what is hidden at a price trades before a worse price does."""
    floor.sell(ANN, PRICE, 7, CALL_90, conditions=showing(3))
    floor.sell(BOB, PRICE, 4, CALL_90, conditions=showing(2))
    floor.sell(CAT, PRICE + 10_000, 4, CALL_90)
    events = floor.buy(EVE, PRICE + 10_000, 12, CALL_90)
    assert [(maker, lots) for maker, _, lots in traded(events)] == [
        (ANN, 3),
        (BOB, 2),
        (ANN, 3),
        (BOB, 2),
        (ANN, 1),
        (CAT, 1),
    ]
    assert [left.displayed_lots for left in of_type(events, e.OrderReplenished)] == [3, 2, 1]


def test_who_comes_trades_with_all_that_it_has_and_hides_only_what_rests(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 6, CALL_90)
    events = floor.buy(EVE, PRICE, 20, CALL_90, conditions=showing(5))
    assert traded(events) == [(ANN, CALL_90, 6)]
    (rested,) = of_type(events, e.OrderRested)
    assert (rested.remaining_lots, rested.displayed_lots) == (14, 5)


def test_an_order_that_shows_all_of_its_lots_is_as_any(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 6, CALL_90, conditions=showing(6))
    assert queue(floor, CALL_90, SELL) == [(ANN, 6, 0)]


def test_all_or_nothing_counts_what_is_hidden(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(1))
    refused = floor.buy(EVE, PRICE, 11, CALL_90, time_in_force=FOK)
    assert refusal(refused) == Reject(CANNOT_FILL, 11, 10)
    refused = floor.buy(EVE, PRICE, 20, CALL_90, conditions=Conditions(min_quantity_lots=11))
    assert refusal(refused) == Reject(BELOW_MIN_QUANTITY, 11, 10)
    assert len(traded(floor.buy(EVE, PRICE, 10, CALL_90, time_in_force=FOK))) == 10


# WHO SEES WHAT


def test_everyone_sees_what_is_shown_and_the_owner_the_whole(floor: Floor) -> None:
    market = PublicMarket(floor.state.instruments)

    def watch(events: tuple[Event, ...]) -> tuple[Event, ...]:
        market.take(floor.state.sequence, floor.time_ns, events)
        return events

    placed = watch(floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(3)))
    watch(floor.sell(BOB, PRICE, 2, CALL_90))
    (level,) = market.book(CALL_90).levels(SELL)
    assert (level.lots, len(level.orders)) == (5, 2)
    watch(floor.buy(EVE, PRICE, 4, CALL_90))
    queued = [order.lots for _, order in market.book(CALL_90).queue(SELL)]
    assert queued == [1, 3]
    view = order_view(floor.state, placed_hash(placed))
    assert view is not None
    assert (view.quantity_lots, view.remaining_lots, view.displayed_lots) == (10, 7, 3)


def test_margin_counts_the_whole(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(1))
    floor.sell(BOB, PRICE, 10, CALL_90)
    ann, bob = (excess_micro(floor.state, floor.account(number)) for number in (ANN, BOB))
    assert ann == bob
    assert floor.account(ANN).open_lots == 10


# WITH OTHER TERMS


def test_a_post_only_iceberg_never_takes(floor: Floor) -> None:
    iceberg = showing(2)
    floor.sell(ANN, PRICE, 10, CALL_90, flags=POST_ONLY, conditions=iceberg)
    assert queue(floor, CALL_90, SELL) == [(ANN, 2, 8)]


def test_a_replacement_comes_last_and_shows_what_it_says_itself(floor: Floor) -> None:
    first = placed_hash(floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(3)))
    floor.sell(BOB, PRICE, 1, CALL_90)
    floor.buy(EVE, PRICE, 1, CALL_90)
    floor.sell(ANN, PRICE, 8, CALL_90, replaces=first, conditions=showing(4))
    assert queue(floor, CALL_90, SELL) == [(BOB, 1, 0), (ANN, 4, 4)]


def test_a_smaller_replacement_is_one_of_the_whole(floor: Floor) -> None:
    first = placed_hash(floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(3)))
    floor.set_state(CANCEL_ONLY)
    floor.sell(ANN, PRICE, 9, CALL_90, replaces=first, conditions=showing(3))
    assert queue(floor, CALL_90, SELL) == [(ANN, 3, 6)]


def test_a_cancel_takes_the_whole(floor: Floor) -> None:
    order = placed_hash(floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(3)))
    floor.buy(EVE, PRICE, 4, CALL_90)
    (gone,) = of_type(floor.cancel(ANN, order), e.OrderCancelled)
    assert gone.remaining_lots == 6


def test_an_iceberg_that_waited_hides_when_it_comes_to_rest(floor: Floor) -> None:
    trigger = BTC_INDEX * 101 // 100
    stop = showing(2, trigger=INDEX_AT_LEAST, trigger_price_micro=trigger)
    floor.sell(ANN, floor.near(PERP, 105), 10, PERP, conditions=stop)
    assert queue(floor, PERP, SELL) == []
    floor.mark(0, trigger)
    assert queue(floor, PERP, SELL) == [(ANN, 2, 8)]


def test_one_of_a_group_that_trades_a_part_of_what_it_shows_ends_the_others(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(3, oco_group=1))
    floor.sell(ANN, floor.near(CALL_100), 10, CALL_100, conditions=showing(3, oco_group=1))
    assert cancel_reasons(floor.buy(EVE, PRICE, 1, CALL_90)) == [e.CANCELLED_LINKED]
    assert queue(floor, CALL_90, SELL) == [(ANN, 2, 7)]
    assert queue(floor, CALL_100, SELL) == []


def test_a_new_price_shows_as_much_as_it_may_again(floor: Floor) -> None:
    priced = showing(3, volatility_e6=400_000)
    events = floor.buy(
        ANN, 2 * PRICE, 10, CALL_90, flags=IN_VOLATILITY | POST_ONLY, conditions=priced
    )
    price = of_type(events, e.OrderRested)[0].price_micro
    floor.sell(EVE, price, 2, CALL_90)
    assert queue(floor, CALL_90, BUY) == [(ANN, 1, 7)]
    (moved,) = of_type(floor.mark(0, BTC_INDEX * 99 // 100), e.OrderRepriced)
    assert (moved.remaining_lots, moved.displayed_lots) == (8, 3)
    assert queue(floor, CALL_90, BUY) == [(ANN, 3, 5)]


def test_a_protected_iceberg_trades_no_more_than_its_group_may(floor: Floor) -> None:
    floor.protect(ANN, lots=5)
    floor.sell(ANN, PRICE, 10, CALL_90, conditions=showing(2, protection=1))
    events = floor.buy(EVE, PRICE, 9, CALL_90)
    assert [lots for _, _, lots in traded(events)] == [2, 2, 1]
    assert of_type(events, e.ProtectionTripped)
    assert queue(floor, CALL_90, SELL) == []


def test_decrement_goes_through_what_is_hidden_too(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 7, CALL_90, conditions=showing(3))
    floor.sell(BOB, PRICE, 2, CALL_90)
    events = floor.buy(ANN, PRICE, 8, CALL_90, flags=DECREMENT << SELF_TRADE_SHIFT)
    lost = [(event.lots, event.displayed_lots) for event in of_type(events, e.OrderReduced)]
    assert lost == [(3, 0), (3, 0), (3, 0)]  # the iceberg, the taker, the iceberg again
    assert [event.remaining_lots for event in of_type(events, e.OrderCancelled)] == [3]
    assert traded(events) == [(BOB, CALL_90, 2)]
    assert queue(floor, CALL_90, SELL) == [(ANN, 1, 0)]


def test_where_the_maker_goes_all_of_it_goes(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 7, CALL_90, conditions=showing(3))
    events = floor.buy(ANN, PRICE, 1, CALL_90, flags=CANCEL_MAKER << SELF_TRADE_SHIFT)
    gone = [event.remaining_lots for event in of_type(events, e.OrderCancelled)]
    assert gone == [7]


# COMBOS


def test_a_combo_meets_what_a_leg_shows_and_then_what_it_shows_again(floor: Floor) -> None:
    floor.sell(ANN, PRICE, 5, CALL_90, conditions=showing(2))
    floor.buy(BOB, floor.near(CALL_100), 5, CALL_100)
    events = floor.buy(EVE, PRICE, 5, SPREAD)
    assert [filled.units for filled in of_type(events, e.ComboFilled)] == [2, 2, 1]


def test_one_unit_takes_an_iceberg_as_often_as_it_must(floor: Floor) -> None:
    """Two lots a unit of an order that shows one: two fills of one step, one order of a record."""
    floor.sell(ANN, PRICE, 5, CALL_90, conditions=showing(1))
    floor.buy(BOB, floor.near(CALL_100), 5, CALL_100)
    events = floor.buy(EVE, 2 * PRICE, 2, TWO_TO_ONE)
    assert [filled.units for filled in of_type(events, e.ComboFilled)] == [1, 1]
    assert traded(events) == [(ANN, CALL_90, 1), (ANN, CALL_90, 1), (BOB, CALL_100, 1)] * 2
    floor.cut()


@pytest.mark.parametrize(("allowed", "trades"), [(0, True), (-1, False)])
def test_an_iceberg_met_twice_in_a_step_pays_for_each_of_its_lots(
    floor: Floor, allowed: int, trades: bool
) -> None:
    """Its maximum fee is for a lot: enough for one is enough for as many as there are."""
    fee = -(-BTC_INDEX * 300 // 10**6)
    events = floor.sell(ANN, PRICE, 4, CALL_90, max_fee_micro=fee + allowed, conditions=showing(1))
    assert bool(of_type(events, e.OrderRested)) == trades
    floor.buy(BOB, floor.near(CALL_100), 4, CALL_100)
    assert bool(of_type(floor.buy(EVE, 2 * PRICE, 2, TWO_TO_ONE), e.ComboFilled)) == trades


def test_a_combo_order_shows_units(floor: Floor) -> None:
    net = floor.near(CALL_90) - floor.near(CALL_100)
    book = of_type(floor.sell(ANN, net, 7, SPREAD, conditions=showing(3)), e.OrderRested)[0].book
    floor.sell(BOB, net, 1, SPREAD)
    events = floor.buy(EVE, net, 5, SPREAD)
    assert [(f.maker, f.units) for f in of_type(events, e.ComboFilled)] == [
        (ANN, 3),
        (BOB, 1),
        (ANN, 1),
    ]
    assert queue(floor, book, SELL) == [(ANN, 2, 1)]


def test_what_a_combo_offers_is_what_it_and_the_other_leg_show(floor: Floor) -> None:
    """And again what they show when they are replenished, as long as the price holds."""
    floor.buy(CAT, 53_500_000, 7, SPREAD, conditions=showing(3))
    floor.sell(ANN, PRICE, 7, CALL_90, conditions=showing(2))
    events = floor.buy(EVE, PRICE - 53_500_000, 6, CALL_100)
    assert [filled.units for filled in of_type(events, e.ComboFilled)] == [2, 1, 1, 2]
    assert len(of_type(events, e.OrderReplenished)) == 5
    floor.cut()
