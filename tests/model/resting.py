"""What rests, as a plain list: slow twin of both stores (`matching/store.py`, `plain_store.py`)
and, on top, of the matchers of `matching/batch.py`.

Holds: one list of orders for each side of each book, in the order in which they would trade,
sorted again after each addition. Nothing is remembered that could be counted.
"""

import struct
from dataclasses import dataclass
from hashlib import blake2b

from matching import rejects
from matching.batch import (
    ASKED,
    CANCEL,
    CANCELLED,
    FILL_OR_KILL,
    FILLED,
    LIMIT,
    MESSAGE,
    MESSAGE_BYTES,
    NOT_FILLED,
    POST,
    REDUCE,
    REDUCED,
    REFUSED,
    RESTED,
    SELF_TRADE,
    TAKE,
    Event,
)

KINDS = (LIMIT, CANCEL, TAKE, FILL_OR_KILL, POST, REDUCE)


@dataclass(eq=False)
class SlowOrder:
    """`key` is the price of a bid, less than zero the price of an ask."""

    order_id: int
    owner: int
    side: int
    key: int
    left: int
    hidden: int = 0


class SlowStore:
    def __init__(self, books: int) -> None:
        self.books = books
        self.sides: list[list[SlowOrder]] = [[] for _ in range(2 * books)]

    def add(self, side: int, key: int, order_id: int, owner: int, lots: int) -> SlowOrder:
        order = SlowOrder(order_id, owner, side, key, lots)
        self.sides[side].append(order)
        self.sides[side].sort(key=lambda resting: -resting.key)
        return order

    def remove(self, order: SlowOrder) -> None:
        self.sides[order.side].remove(order)

    def replenish(self, order: SlowOrder, lots: int) -> None:
        order.hidden -= lots
        order.left = lots
        self.sides[order.side].remove(order)
        self.sides[order.side].append(order)
        self.sides[order.side].sort(key=lambda resting: -resting.key)

    def levels(self, side: int) -> list[tuple[int, int, int]]:
        """Key, lots and orders of each level, best first."""
        keys = sorted({order.key for order in self.sides[side]}, reverse=True)
        of_key = [[o for o in self.sides[side] if o.key == key] for key in keys]
        return [(orders[0].key, sum(o.left for o in orders), len(orders)) for orders in of_key]

    def state_hash(self) -> bytes:
        found = b"".join(
            struct.pack("<6q", side, o.key, o.order_id, o.owner, o.left, o.hidden)
            for side, orders in enumerate(self.sides)
            for o in orders
        )
        return blake2b(found, digest_size=32).digest()


class SlowMatcher:
    """The rules of `matching/batch.py`, one after the other."""

    def __init__(self, books: int) -> None:
        self.store = SlowStore(books)

    def apply(self, messages: bytes) -> list[Event]:
        events: list[Event] = []
        whole = len(messages) // MESSAGE_BYTES
        for number in range(whole):
            fields = MESSAGE.unpack_from(messages, number * MESSAGE_BYTES)
            made = self._one(*fields)
            if isinstance(made, int):
                _, side, book, _, _, _, order_id = fields
                made = [Event(REFUSED, side & 15, book, made, 0, order_id, number)]
            events += made
        if len(messages) % MESSAGE_BYTES:
            events.append(Event(REFUSED, 0, 0, rejects.MALFORMED, 0, 0, whole))
        return events

    def _one(
        self, kind: int, way: int, book: int, price: int, lots: int, owner: int, order_id: int
    ) -> list[Event] | int:
        """What one message does, or why it is refused."""
        if way > 1:
            return rejects.UNKNOWN_SIDE
        if book >= self.store.books:
            return rejects.UNKNOWN_INSTRUMENT
        if kind != CANCEL and lots <= 0:
            return rejects.QUANTITY_OUT_OF_RANGE
        if kind not in KINDS:
            return rejects.UNKNOWN_METHOD
        live = [order for side in self.store.sides for order in side if order.order_id == order_id]
        if kind in (CANCEL, REDUCE):
            if not live or live[0].side != 2 * book + way:
                return rejects.UNKNOWN_ORDER
            order = live[0]
            if owner not in (0, order.owner):
                return rejects.NOT_YOUR_ORDER
            price = order.key if way == 0 else -order.key
            if kind == REDUCE and lots < order.left:
                order.left -= lots
                return [Event(REDUCED, way, book, price, lots, order_id, ASKED)]
            self.store.remove(order)
            return [Event(CANCELLED, way, book, price, order.left, order_id, ASKED)]
        if owner == 0:
            return rejects.UNKNOWN_ACCOUNT
        if not 0 < order_id < 1 << 62:
            return rejects.MALFORMED
        if live:
            return rejects.ORDER_ALREADY_USED
        return self._place(kind, way, book, price, lots, owner, order_id)

    def _place(
        self, kind: int, way: int, book: int, price: int, lots: int, owner: int, order_id: int
    ) -> list[Event] | int:
        limit = price if way else -price
        met = [order for order in self.store.sides[2 * book + 1 - way] if order.key >= limit]
        if kind == POST and met:
            return rejects.WOULD_CROSS
        own = next((at for at, order in enumerate(met) if order.owner == owner), None)
        others = met if own is None else met[:own]
        if kind == FILL_OR_KILL and sum(order.left for order in others) < lots:
            return rejects.CANNOT_FILL
        events: list[Event] = []
        for order in others:
            filled = min(lots, order.left)
            if not filled:
                break
            lots -= filled
            order.left -= filled
            at = -order.key if way == 0 else order.key
            events.append(Event(FILLED, way, book, at, filled, order_id, order.order_id))
            if not order.left:
                self.store.remove(order)
        if not lots:
            return events
        if own is not None:
            return [*events, Event(CANCELLED, way, book, price, lots, order_id, SELF_TRADE)]
        if kind == TAKE:
            return [*events, Event(CANCELLED, way, book, price, lots, order_id, NOT_FILLED)]
        self.store.add(2 * book + way, -limit, order_id, owner, lots)
        return [*events, Event(RESTED, way, book, price, lots, order_id, owner)]
