"""Combos come with the first order that names them and go when they have been empty for a minute:
what the events say is what a twin foresees that knows the orders by what it was told.
"""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.events import (
    ComboCreated,
    ComboDropped,
    ComboFilled,
    Event,
    ExpirySettled,
    OrderCancelled,
    OrderPlaced,
    OrderRested,
)
from exchange.state_digest import state_hash
from matching.combos import COMBO_BASE
from matching.orders import GTC, IOC
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    JUNE_CALL,
    MARCH,
    PERP,
    PUT_90,
    Floor,
    open_floor,
    was_accepted,
)

STRATEGIES = (
    ((CALL_90, 1), (CALL_100, -1)),
    ((CALL_90, 1), (PUT_90, 1)),
    ((PERP, 1), (JUNE_CALL, -2)),
    ((PERP, 1), (CALL_90, -1), (JUNE_CALL, 1)),
)
OF_MARCH = (CALL_90, CALL_100, PUT_90)

orders = st.tuples(
    st.just("order"),
    st.integers(0, 2),
    st.sampled_from(STRATEGIES),
    st.booleans(),
    st.sampled_from([GTC, IOC]),
    st.integers(1, 3),
)
actions = st.lists(
    orders
    | orders
    | st.tuples(st.just("cancel"), st.integers(0, 50))
    | st.tuples(st.just("wait"), st.sampled_from([0, 1, 30, 59, 60, 61]))
    | st.tuples(st.just("leg"), st.booleans()),
    max_size=25,
)


class Twin:
    """What events tell of combos. `used` is in the order of use."""

    def __init__(self) -> None:
        self.legs: dict[int, Sequence[tuple[int, int]]] = {}
        self.ever: list[int] = []
        self.orders: dict[int, int] = {}
        self.used: dict[int, int] = {}

    def is_empty(self, book: int) -> bool:
        return book not in self.orders.values()

    def due(self, now_s: int) -> list[int]:
        return [n for n, s in self.used.items() if self.is_empty(n) and now_s - s >= 60]

    def touch(self, book: int, now_s: int) -> None:
        if book >= COMBO_BASE:
            self.used.pop(book, None)
            self.used[book] = now_s

    def take(self, events: Sequence[Event], now_s: int) -> None:
        foreseen = self.due(now_s)
        gone: list[int] = []
        for event in events:
            if isinstance(event, ComboCreated):
                assert event.legs not in self.legs.values()
                assert not self.ever or event.book > max(self.ever), "a number is given once"
                self.ever.append(event.book)
                self.legs[event.book] = event.legs
            elif isinstance(event, OrderPlaced):
                self.touch(event.book, now_s)
            elif isinstance(event, OrderRested) and event.book >= COMBO_BASE:
                self.orders[event.order_id] = event.book
            elif isinstance(event, OrderCancelled):
                if self.orders.pop(event.order_id, None) is not None:
                    self.touch(event.book, now_s)
            elif isinstance(event, ComboFilled):
                if event.maker_left_units == 0:
                    del self.orders[event.maker_order_id]
                self.touch(event.book, now_s)
            elif isinstance(event, ExpirySettled):
                foreseen += [
                    number
                    for number, legs in self.legs.items()
                    if any(leg in OF_MARCH for leg, _ in legs) and number not in foreseen
                ]
            elif isinstance(event, ComboDropped):
                assert self.is_empty(event.book), "a combo with orders stays"
                gone.append(event.book)
        assert sorted(gone) == sorted(foreseen)
        for book in gone:
            del self.legs[book]
            self.used.pop(book, None)

    def check(self, floor: Floor) -> None:
        assert {n: tuple(legs) for n, legs in self.legs.items()} == {
            n: combo.legs for n, combo in floor.state.combos.items()
        }


class Told(Floor):
    """A floor whose every answer the twin hears."""

    def __init__(self) -> None:
        super().__init__()
        self.twin = Twin()

    def _apply(self, command):  # type: ignore[no-untyped-def]
        events = super()._apply(command)
        self.twin.take(events, self.time_s)
        self.twin.check(self)
        return events


def play(floor: Told, program: Sequence[tuple]) -> None:  # type: ignore[type-arg]
    for action, *rest in program:
        if action == "order":
            account, legs, buys, time_in_force, units = rest
            side = floor.buy if buys else floor.sell
            assert was_accepted(side(account, 0, units, legs, time_in_force=time_in_force))
        elif action == "cancel":
            live = [o for o in floor.state.orders.values() if o.book >= COMBO_BASE]
            if live:
                order = live[rest[0] % len(live)]
                floor.cancel(order.account, order.hash)
        elif action == "wait":
            floor.advance(rest[0])
        else:
            side = floor.buy if rest[0] else floor.sell
            side(2, floor.near(CALL_90, 100), 1, CALL_90)


@settings(max_examples=60, deadline=None)
@given(actions, st.booleans())
def test_a_combo_goes_when_it_has_been_empty_for_a_minute(
    program: Sequence[tuple],  # type: ignore[type-arg]
    settles: bool,
) -> None:
    floor = Told()
    open_floor(floor=floor)
    play(floor, program)
    if settles:
        floor.advance(MARCH - floor.time_s)
        floor.settle(0, BTC_INDEX)
    assert state_hash(floor.replay().state) == state_hash(floor.state)


def test_an_idle_combo_is_used_again_under_its_number_and_a_dropped_one_under_the_next() -> None:
    floor = Told()
    open_floor(floor=floor)
    floor.buy(0, 10_000, 1, STRATEGIES[0], time_in_force=IOC)
    floor.advance(59)
    floor.buy(0, 10_000, 1, STRATEGIES[0], time_in_force=IOC)
    floor.advance(59)
    assert list(floor.state.combos) == [COMBO_BASE]
    floor.advance(1)
    assert not floor.state.combos
    floor.buy(0, 10_000, 1, STRATEGIES[0], time_in_force=IOC)
    assert list(floor.state.combos) == [COMBO_BASE + 1]


def test_a_combo_whose_leg_settles_goes_with_its_orders_and_the_others_stay() -> None:
    floor = Told()
    open_floor(floor=floor)
    floor.advance(MARCH - floor.time_s - 60)
    floor.mark(0, BTC_INDEX)
    for legs in STRATEGIES:
        floor.buy(0, 10_000, 1, legs)
    floor.advance(60)
    events = floor.settle(0, BTC_INDEX)
    dropped = [event.book for event in events if isinstance(event, ComboDropped)]
    assert dropped == [COMBO_BASE, COMBO_BASE + 1, COMBO_BASE + 3]
    assert [c.legs for c in floor.state.combos.values()] == [STRATEGIES[2]]
