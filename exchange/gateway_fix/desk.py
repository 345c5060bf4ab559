"""Which order belongs to which session: takes what happened at the venue to whoever must tell it.

Holds: an order's events reach its teller in order, whoever caused them; those that come while a
verdict on the order is awaited wait with it, so that no report overtakes the verdict.
Never: makes a report.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from exchange import events
from exchange.events import Event
from exchange.gateway_fix.orders import Reader
from exchange.gateway_fix.reports import LiveOrder
from exchange.venue import Acknowledgement, Venue

Happened = tuple[int, int, Event]
"""Sequence and time of the command, and the event."""


class Teller(Protocol):
    """Who tells an order's owner what happened to it."""

    def tell(self, tracked: "Tracked", sequence: int, time_ns: int, event: Event) -> None:
        """Reports one event."""
        ...

    def save(self, tracked: "Tracked", sequence: int) -> None:
        """Keeps the order as of command `sequence`, all of which was told."""
        ...

    def resume(self, tracked: "Tracked") -> None:
        """Tells what waited for a verdict, if no other is awaited."""
        ...


class Leg(msgspec.Struct):
    """A fill of one leg of a combo order, until the combo's own report."""

    trade: int
    instrument: int
    price_micro: int
    lots: int
    fee_micro: int


class Tracked:
    """A live order and what is awaited for it."""

    __slots__ = (
        "ack",
        "awaited",
        "cancel_ack",
        "cancel_cl_ord_id",
        "deferred",
        "is_over",
        "is_replaced",
        "legs",
        "order",
        "orig_cl_ord_id",
        "teller",
    )

    def __init__(
        self, teller: "Teller", order: LiveOrder, orig_cl_ord_id: str | None = None
    ) -> None:
        self.teller = teller
        self.order = order
        self.orig_cl_ord_id = orig_cl_ord_id
        self.awaited = 0
        self.deferred: list[Happened] = []
        self.legs: list[Leg] = []
        self.ack: Acknowledgement | None = None
        self.cancel_cl_ord_id: str | None = None
        self.cancel_ack: Acknowledgement | None = None
        self.is_replaced = False
        self.is_over = False


class Desk:
    """All sessions' orders at one venue."""

    def __init__(self, venue: Venue, clock: Callable[[], int]) -> None:
        self.venue = venue
        self.clock = clock
        self.reader = Reader(venue)
        self._tracked: dict[bytes, Tracked] = {}
        self._end_listening = venue.listen(self._take_events)

    def close(self) -> None:
        """Hears no more."""
        self._end_listening()

    def find(self, order_hash: bytes) -> Tracked | None:
        return self._tracked.get(order_hash)

    def track(self, tracked: Tracked) -> None:
        self._tracked[tracked.order.order_hash] = tracked

    def forget(self, tracked: Tracked) -> None:
        if self._tracked.get(tracked.order.order_hash) is tracked:
            del self._tracked[tracked.order.order_hash]

    def _take_events(self, sequence: int, time_ns: int, happened: tuple[Event, ...]) -> None:
        """What one command caused, for the orders that are ours."""
        touched: dict[bytes, Tracked] = {}
        for event in happened:
            for order_hash in _orders_of(event):
                tracked = self._tracked.get(order_hash)
                if tracked is None:
                    continue
                touched[order_hash] = tracked
                if tracked.awaited:
                    tracked.deferred.append((sequence, time_ns, event))
                else:
                    tracked.teller.tell(tracked, sequence, time_ns, event)
        for tracked in touched.values():
            if not tracked.awaited:
                tracked.teller.save(tracked, sequence)


def _orders_of(event: Event) -> Iterable[bytes]:
    """The orders that an event is about."""
    if isinstance(event, events.OrderFilled | events.ComboFilled):
        return (event.taker_order_hash, event.maker_order_hash)
    if isinstance(event, events.OrderPlaced | events.OrderReduced | events.OrderCancelled):
        return (event.order_hash,)
    return ()
