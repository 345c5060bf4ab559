"""Stops, take-profits, brackets: one story for each rule of docs/matching.md."""

import pytest

from exchange.commands import SetTradingState
from exchange.events import (
    CANCELLED_BY_OWNER,
    CANCELLED_COUNTER,
    CANCELLED_EXPIRED,
    CANCELLED_LINKED,
    CANCELLED_MARGIN_TAKER,
    CANCELLED_PARENT,
    CANCELLED_REPLACED,
    CANCELLED_SETTLED,
    CANCELLED_WHEN_WOKEN,
    CANCELLED_WOULD_CROSS,
    Event,
    OrderAwaiting,
    OrderFilled,
    OrderPlaced,
    OrderRested,
    OrderTriggered,
)
from exchange.invariants import excess_micro
from exchange.state_digest import state_hash
from exchange.views import order, orders
from exchange.waiting_orders import MAX_WAKES
from matching.orders import (
    INDEX_AT_LEAST,
    INDEX_AT_MOST,
    IOC,
    LAST_AT_LEAST,
    LAST_AT_MOST,
    MARK_AT_LEAST,
    MARK_AT_MOST,
    POST_ONLY,
)
from matching.trading_states import HALTED, INSTRUMENT, OPEN
from settlement.signed_messages import Conditions
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    MARCH,
    PERP,
    START_S,
    Floor,
    cancel_reasons,
    fills,
    of_type,
    open_floor,
    placed_hash,
    was_accepted,
)


def at(trigger: int, price_micro: int, **more: int | bytes) -> Conditions:
    return Conditions(trigger=trigger, trigger_price_micro=price_micro, **more)  # type: ignore


def woken(events: tuple[Event, ...]) -> list[int]:
    return [event.order_id for event in of_type(events, OrderTriggered)]


def kinds(events: tuple[Event, ...]) -> list[str]:
    return [type(event).__name__ for event in events]


PERCENT = BTC_INDEX // 100


@pytest.mark.parametrize("trigger", [MARK_AT_LEAST, INDEX_AT_LEAST])
def test_a_stop_wakes_when_its_price_is_reached_and_not_before(trigger: int) -> None:
    floor = open_floor()
    stop = floor.buy(0, 200_000_000, 2, CALL_90, conditions=at(trigger, BTC_INDEX + PERCENT))
    if trigger == MARK_AT_LEAST:
        stop = floor.buy(
            0, BTC_INDEX * 2 // 5_000 * 5_000, 2, PERP, conditions=at(trigger, BTC_INDEX + PERCENT)
        )
    assert kinds(stop) == ["OrderPlaced", "OrderAwaiting"]
    assert floor.mark(0, BTC_INDEX + PERCENT - 1)[-1:] != ()
    assert woken(floor.mark(0, BTC_INDEX + PERCENT - 1)) == []
    events = floor.mark(0, BTC_INDEX + PERCENT)
    (triggered,) = [e for e in of_type(events, OrderTriggered) if e.order_hash == placed_hash(stop)]
    assert triggered.price_micro == BTC_INDEX + PERCENT
    assert kinds(events)[0] == "MarksUpdated", "the command's own work comes first"
    assert [event.order_hash for event in of_type(events, OrderRested)] == [triggered.order_hash]


def test_a_stop_that_sells_below_meets_the_bids_that_stand_there() -> None:
    floor = open_floor()
    floor.buy(1, 90_000_000, 5, CALL_90)
    stop = floor.sell(
        0, 80_000_000, 3, CALL_90, time_in_force=IOC, conditions=at(INDEX_AT_MOST, BTC_INDEX - 5)
    )
    assert fills(stop) == []
    assert fills(floor.mark(0, BTC_INDEX - 5)) == [(CALL_90, 90_000_000, 3, 1)]


def test_a_trigger_that_is_true_already_fires_in_the_same_command() -> None:
    floor = open_floor()
    events = floor.buy(0, 10_000, 1, CALL_90, conditions=at(INDEX_AT_MOST, BTC_INDEX))
    assert kinds(events) == ["OrderPlaced", "OrderAwaiting", "OrderTriggered", "OrderRested"]


def test_the_last_price_is_that_of_the_instruments_own_book() -> None:
    floor = open_floor()
    stop = floor.buy(2, 20_000, 1, CALL_90, conditions=at(LAST_AT_MOST, 100_000_000))
    assert of_type(stop, OrderTriggered) == [], "nothing has traded"
    floor.buy(1, 60_000_000, 1, ((CALL_90, 1), (CALL_100, -1)))
    combo = floor.sell(0, 60_000_000, 1, ((CALL_90, 1), (CALL_100, -1)))
    assert of_type(combo, OrderFilled)[0].instrument == CALL_90
    assert woken(combo) == [], "a leg's price in a trade of combos is made, not found"
    floor.sell(1, 100_010_000, 1, CALL_90)
    assert woken(floor.buy(0, 100_010_000, 1, CALL_90)) == []
    floor.sell(1, 100_000_000, 1, CALL_90)
    assert len(woken(floor.buy(0, 100_000_000, 1, CALL_90))) == 1


def test_every_price_of_a_command_is_seen_not_its_last_alone() -> None:
    floor = open_floor()
    floor.sell(1, 99_990_000, 1, CALL_90)
    floor.sell(1, 100_050_000, 1, CALL_90)
    floor.sell(2, 30_000_000, 1, CALL_100)  # so that account 2 is no bystander
    floor.buy(2, 20_000, 1, CALL_90, conditions=at(LAST_AT_MOST, 100_000_000))
    assert len(woken(floor.buy(0, 100_050_000, 2, CALL_90))) == 1


def test_the_nearest_trigger_wakes_first_and_at_one_price_the_oldest() -> None:
    floor = open_floor()
    ids = [
        of_type(
            floor.buy(0, 10_000, 1, CALL_90, conditions=at(INDEX_AT_LEAST, BTC_INDEX + away)),
            OrderPlaced,
        )[0].order_id
        for away in (30, 10, 20, 10)
    ]
    assert woken(floor.mark(0, BTC_INDEX + 40)) == [ids[1], ids[3], ids[2], ids[0]]
    ids = [
        of_type(
            floor.buy(0, 10_000, 1, CALL_90, conditions=at(INDEX_AT_MOST, BTC_INDEX + away)),
            OrderPlaced,
        )[0].order_id
        for away in (-30, -10, -20)
    ]
    assert woken(floor.mark(0, BTC_INDEX - 40)) == [ids[1], ids[2], ids[0]]


def test_what_is_woken_may_wake_more_in_the_same_command() -> None:
    floor = open_floor()
    floor.sell(1, 100_000_000, 1, CALL_90)
    floor.buy(0, 100_000_000, 1, CALL_90, conditions=at(INDEX_AT_LEAST, BTC_INDEX + 5))
    floor.buy(2, 30_000, 1, CALL_90, conditions=at(LAST_AT_LEAST, 100_000_000))
    events = floor.mark(0, BTC_INDEX + 5)
    assert len(woken(events)) == 2
    assert [event.price_micro for event in of_type(events, OrderTriggered)] == [
        BTC_INDEX + 5,
        100_000_000,
    ]


def test_a_command_wakes_so_many_and_the_next_one_the_others() -> None:
    floor = open_floor()
    for _ in range(MAX_WAKES + 3):
        floor.buy(0, 10_000, 1, CALL_90, conditions=at(INDEX_AT_LEAST, BTC_INDEX + 5))
    assert len(woken(floor.mark(0, BTC_INDEX + 5))) == MAX_WAKES
    refused = floor.buy(0, 10_001, 1, CALL_90)
    assert not was_accepted(refused), "a refused command wakes nobody (the floor watches)"
    assert len(woken(floor.mark(0, BTC_INDEX))) == 3, "though the price is gone"
    assert not floor.state.waiting.by_hash


def test_a_waiting_order_counts_nothing_in_margin_and_is_judged_when_it_wakes() -> None:
    floor = open_floor()
    poor = floor.open_account(1_000_000)
    before = excess_micro(floor.state, floor.account(poor))
    stop = floor.sell(poor, 100_000_000, 50, CALL_90, conditions=at(INDEX_AT_LEAST, BTC_INDEX + 5))
    assert was_accepted(stop)
    assert excess_micro(floor.state, floor.account(poor)) == before
    events = floor.mark(0, BTC_INDEX + 5)
    assert cancel_reasons(events) == [CANCELLED_MARGIN_TAKER]
    assert not of_type(events, OrderRested)


def test_a_post_only_order_that_would_trade_when_it_wakes_is_cancelled() -> None:
    floor = open_floor()
    conditions = at(INDEX_AT_LEAST, BTC_INDEX + 5)
    floor.buy(0, 90_000_000, 1, CALL_90, flags=POST_ONLY, conditions=conditions)
    floor.sell(1, 90_000_000, 1, CALL_90)
    assert cancel_reasons(floor.mark(0, BTC_INDEX + 5)) == [CANCELLED_WOULD_CROSS]


def test_an_order_that_wakes_after_its_instruments_expiry_is_cancelled() -> None:
    floor = open_floor()
    floor.advance(MARCH - 100 - START_S)
    floor.buy(0, 10_000, 1, CALL_90, conditions=at(INDEX_AT_LEAST, BTC_INDEX + 5))
    floor.advance(100)
    events = floor.mark(0, BTC_INDEX + 5, expiries=())
    assert cancel_reasons(events) == [CANCELLED_WHEN_WOKEN]


def test_whatever_ends_an_order_ends_one_that_waits() -> None:
    for reason, end in (
        (CANCELLED_BY_OWNER, lambda floor, name: floor.cancel(0, name)),
        (CANCELLED_BY_OWNER, lambda floor, _: floor.cancel_where(0)),
        (CANCELLED_COUNTER, lambda floor, _: floor.cancel_all(0)),
        (CANCELLED_SETTLED, lambda floor, _: floor.settle(0, BTC_INDEX)),
        (CANCELLED_REPLACED, lambda floor, name: floor.buy(0, 20_000, 1, CALL_90, replaces=name)),
    ):
        floor = open_floor()
        if reason == CANCELLED_SETTLED:
            floor.advance(MARCH - 100 - START_S)
        stop = floor.buy(0, 10_000, 1, CALL_90, conditions=at(INDEX_AT_LEAST, BTC_INDEX + 5))
        if reason == CANCELLED_SETTLED:
            floor.advance(100)
        assert cancel_reasons(end(floor, placed_hash(stop))) == [reason]
        assert not floor.state.waiting.by_hash
        assert not floor.state.waiting.armed
    floor = open_floor()
    floor.buy(0, 10_000, 1, CALL_90, life_s=5, conditions=at(INDEX_AT_LEAST, BTC_INDEX + 5))
    floor.time_ns += 5 * 10**9
    seen = len(floor.events)
    floor.mark(0, BTC_INDEX + 5)
    assert not floor.state.waiting.by_hash
    assert any(data[1] == 6 and data[-1] == CANCELLED_EXPIRED for data in floor.events[seen:])


def test_a_stop_may_take_the_place_of_a_resting_order_and_of_a_stop() -> None:
    floor = open_floor()
    first = placed_hash(floor.buy(0, 10_000, 1, CALL_90))
    events = floor.buy(
        0, 10_000, 1, CALL_90, replaces=first, conditions=at(INDEX_AT_LEAST, BTC_INDEX + 5)
    )
    assert cancel_reasons(events) == [CANCELLED_REPLACED]
    again = floor.buy(
        0, 10_000, 1, CALL_90, replaces=placed_hash(events), conditions=at(INDEX_AT_MOST, 5)
    )
    assert cancel_reasons(again) == [CANCELLED_REPLACED]
    assert woken(floor.mark(0, BTC_INDEX + 5)) == []


def test_a_stop_in_a_halted_instrument_wakes_when_it_opens_and_holds_up_no_other() -> None:
    floor = open_floor()
    conditions = at(INDEX_AT_LEAST, BTC_INDEX + 5)
    stop = of_type(floor.buy(0, 10_000, 1, CALL_90, conditions=conditions), OrderPlaced)[0]
    other = of_type(floor.buy(0, 10_000, 1, CALL_100, conditions=conditions), OrderPlaced)[0]
    floor.send(SetTradingState(floor.time_ns, INSTRUMENT, CALL_90, HALTED, 0))
    assert woken(floor.mark(0, BTC_INDEX + 5)) == [other.order_id]
    floor.mark(0, BTC_INDEX)
    opened = floor.send(SetTradingState(floor.time_ns, INSTRUMENT, CALL_90, OPEN, 0))
    assert woken(opened) == [stop.order_id]


# ONE TRIGGERS OTHER


def test_a_child_goes_to_its_book_when_its_parent_is_filled_whole() -> None:
    floor = open_floor()
    parent = placed_hash(floor.buy(0, 100_000_000, 5, CALL_90))
    child = floor.sell(0, 120_000_000, 5, CALL_90, conditions=Conditions(parent=parent))
    assert kinds(child) == ["OrderPlaced", "OrderAwaiting"]
    assert woken(floor.sell(1, 100_000_000, 4, CALL_90)) == [], "a part is not enough"
    events = floor.sell(1, 100_000_000, 1, CALL_90)
    (triggered,) = of_type(events, OrderTriggered)
    assert (triggered.order_hash, triggered.price_micro) == (placed_hash(child), 0)
    assert of_type(events, OrderRested)[-1].order_hash == placed_hash(child)


def test_a_child_ends_with_a_parent_that_ends_before_it_is_filled_and_its_children_too() -> None:
    floor = open_floor()
    parent = placed_hash(floor.buy(0, 100_000_000, 5, CALL_90))
    name = parent
    for _ in range(200):  # no depth is too deep
        name = placed_hash(
            floor.sell(0, 120_000_000, 5, CALL_90, conditions=Conditions(parent=name))
        )
    floor.sell(1, 100_000_000, 4, CALL_90)
    events = floor.cancel(0, parent)
    assert cancel_reasons(events) == [CANCELLED_BY_OWNER] + [CANCELLED_PARENT] * 200


def test_a_bracket_arms_the_stop_and_places_the_target_and_one_ends_the_other() -> None:
    def bracket() -> tuple[Floor, bytes, bytes]:
        floor = open_floor()
        entry = placed_hash(floor.buy(0, 100_000_000, 5, CALL_90))
        target = floor.sell(
            0, 120_000_000, 5, CALL_90, conditions=Conditions(parent=entry, oco_group=9)
        )
        stop = floor.sell(
            0,
            50_000_000,
            5,
            CALL_90,
            conditions=at(INDEX_AT_MOST, BTC_INDEX - 9, parent=entry, oco_group=9),
        )
        floor.mark(0, BTC_INDEX - 9)
        assert len(floor.state.waiting.by_hash) == 2, "a stop behind a parent is not armed yet"
        floor.mark(0, BTC_INDEX)
        events = floor.sell(1, 100_000_000, 5, CALL_90)
        assert of_type(events, OrderRested)[-1].order_hash == placed_hash(target)
        assert of_type(events, OrderAwaiting)[-1].order_hash == placed_hash(stop)
        assert not cancel_reasons(events), "that a target rests ends nobody"
        return floor, placed_hash(target), placed_hash(stop)

    floor, target, stop = bracket()
    events = floor.buy(2, 120_000_000, 1, CALL_90)
    assert cancel_reasons(events) == [CANCELLED_LINKED], "one lot of the target ends the stop"
    assert target in floor.state.orders
    floor, target, stop = bracket()
    events = floor.mark(0, BTC_INDEX - 9)
    assert cancel_reasons(events) == [CANCELLED_LINKED]
    assert kinds(events)[-3:] == ["OrderTriggered", "OrderCancelled", "OrderRested"]
    assert stop in floor.state.orders
    assert target not in floor.state.orders


# ONE CANCELS OTHER


def test_a_fill_of_one_cancels_the_others_of_its_group_and_of_its_account_alone() -> None:
    floor = open_floor()
    group = Conditions(oco_group=1)
    floor.sell(0, 100_000_000, 5, CALL_90, conditions=group)
    floor.buy(0, 10_000, 5, CALL_100, conditions=group)
    floor.buy(0, 10_000, 5, PERP, conditions=Conditions(oco_group=2))
    floor.buy(1, 10_000, 5, CALL_100, conditions=group)
    events = floor.buy(2, 100_000_000, 1, CALL_90)
    assert cancel_reasons(events) == [CANCELLED_LINKED]
    assert len(floor.account(0).orders) == 2
    assert len(floor.account(1).orders) == 1


def test_a_taker_of_a_group_ends_the_others_and_a_cancel_ends_nobody() -> None:
    floor = open_floor()
    group = Conditions(oco_group=1)
    floor.sell(1, 100_000_000, 1, CALL_90)
    first = placed_hash(floor.buy(0, 10_000, 5, CALL_100, conditions=group))
    assert cancel_reasons(floor.cancel(0, first)) == [CANCELLED_BY_OWNER]
    floor.buy(0, 10_000, 5, CALL_100, conditions=group)
    events = floor.buy(0, 100_000_000, 1, CALL_90, conditions=group)
    assert cancel_reasons(events) == [CANCELLED_LINKED]
    assert not floor.state.waiting.groups


def test_of_two_that_trade_in_one_command_the_first_stays() -> None:
    floor = open_floor()
    group = Conditions(oco_group=1)
    floor.sell(0, 100_000_000, 2, CALL_90, conditions=group)
    second = placed_hash(floor.sell(0, 100_010_000, 5, CALL_90, conditions=group))
    events = floor.buy(1, 100_010_000, 3, CALL_90)
    assert [lots for _, _, lots, _ in fills(events)] == [2, 1]
    assert cancel_reasons(events) == [CANCELLED_LINKED]
    assert second not in floor.state.orders


# SEEN AND REPLAYED


def test_a_view_says_what_an_order_waits_for() -> None:
    floor = open_floor()
    parent = placed_hash(floor.buy(0, 10_000, 1, CALL_90))
    stop = placed_hash(
        floor.sell(0, 90_000_000, 1, CALL_90, conditions=at(MARK_AT_MOST, 77, parent=parent))
    )
    view = order(floor.state, stop)
    assert view is not None
    assert (view.is_waiting, view.trigger, view.trigger_price_micro) == (True, MARK_AT_MOST, 77)
    assert view.parent == parent
    listed = orders(floor.state, 0)
    assert not isinstance(listed, tuple)
    assert [one.is_waiting for one in listed] == [False, True]  # type: ignore


def test_a_replay_gives_the_same_waiting_orders_and_the_same_wakes() -> None:
    floor = open_floor()
    parent = placed_hash(floor.buy(0, 100_000_000, 5, CALL_90))
    for away in (30, -10, 20):
        conditions = at(INDEX_AT_LEAST, BTC_INDEX + away, parent=parent, oco_group=away + 50)
        floor.sell(0, 110_000_000, 1, CALL_90, conditions=conditions)
    floor.sell(1, 100_000_000, 5, CALL_90)
    floor.cut()
    twin = floor.replay()
    assert twin.events == floor.events
    assert state_hash(twin.state) == state_hash(floor.state)
    for one in (floor, twin):
        one.mark(0, BTC_INDEX + 40)
    assert twin.events == floor.events
    assert state_hash(twin.state) == state_hash(floor.state)
