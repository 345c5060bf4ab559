"""Books driven by raw message batches, on the plain store: what runs where nothing is compiled.

Holds: the rules of `batch.py`, message by message and event by event as `packed_matcher.py`; one
conformance suite runs over both, compiled and interpreted. An event is packed when it happens, so
nothing is left to do for who reads it.
Never: is compiled: there the packed twin is twenty times as fast.
"""

from __future__ import annotations

import struct
from typing import Final

from matching.messages import (
    ASKED,
    CANCEL,
    CANCELLED,
    FILL_OR_KILL,
    FILLED,
    MAX_BOOKS,
    MAX_ID,
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
)
from matching.plain_store import PlainOrder, PlainSide, PlainStore
from matching.rejects import (
    CANNOT_FILL,
    MALFORMED,
    NOT_YOUR_ORDER,
    ORDER_ALREADY_USED,
    QUANTITY_OUT_OF_RANGE,
    UNKNOWN_ACCOUNT,
    UNKNOWN_INSTRUMENT,
    UNKNOWN_METHOD,
    UNKNOWN_ORDER,
    UNKNOWN_SIDE,
    WOULD_CROSS,
)

EVENT: Final = struct.Struct("<BHIxqqq")
"""Kind and side, book, lots; then price, id and what else: the four words of an event."""
assert struct.pack("=H", 1) == b"\1\0", "words here have their little end first"


class PlainMatcher:
    """As `PackedMatcher`."""

    __slots__ = ("_events", "_orders", "store")

    def __init__(self, books: int, orders: int = 0) -> None:
        """`orders` is heard by the twin alone: a dictionary makes its own room."""
        assert 0 < books <= MAX_BOOKS, "a book has a number of 16 bits"
        self.store: PlainStore = PlainStore(books)
        self._orders: dict[int, PlainOrder] = {}
        self._events: list[bytes] = []

    # EVENTS

    def events(self) -> bytes:
        """All events since the last `drop`, four 64-bit integers each, in this machine's order."""
        return b"".join(self._events)

    def count(self) -> int:
        """How many events there are since the last `drop`."""
        return len(self._events)

    def drop(self) -> None:
        """Forgets the events made so far."""
        self._events.clear()

    def state_hash(self) -> bytes:
        """Of what rests (`Store.state_hash`)."""
        return self.store.state_hash()

    # MESSAGES

    def apply(self, messages: bytes) -> int:
        """Applies a batch, message by message; how many events it made."""
        before = len(self._events)
        torn = len(messages) % MESSAGE_BYTES
        self._run(messages[:-torn] if torn else messages)
        if torn:
            number = len(messages) // MESSAGE_BYTES
            self._events.append(EVENT.pack(REFUSED, 0, 0, MALFORMED, 0, number))
        return len(self._events) - before

    def _run(self, messages: bytes) -> None:
        """Messages, none of them torn. `add` and `remove` of the store are written out: a call
        costs as much as a third of a message.
        """
        store, orders = self.store, self._orders
        pairs, spare = store.pairs, store.spare_orders
        tell, pack = self._events.append, EVENT.pack
        number = -1
        kind: int
        place: int
        book: int
        price: int
        wanted: int
        owner: int
        order_id: int
        for kind, place, book, price, wanted, owner, order_id in MESSAGE.iter_unpack(messages):
            number += 1
            code = 0
            try:
                side = pairs[book][place]
            except IndexError:
                code = UNKNOWN_SIDE if place > 1 else UNKNOWN_INSTRUMENT
                tell(pack(REFUSED | (place & 15) << 4, book, 0, code, order_id, number))
                continue
            if kind == CANCEL:
                order = orders.get(order_id)
                if order is None or order.level.side is not side:
                    code = UNKNOWN_ORDER
                elif owner and order.owner != owner:
                    code = NOT_YOUR_ORDER
                else:
                    del orders[order_id]
                    # `unlink`, written out: half of all messages come here, and calls are dear.
                    level, before, after, left = order.level, order.before, order.after, order.left
                    if before is None:
                        level.head = after
                    else:
                        before.after = after
                    if after is None:
                        level.tail = before
                    else:
                        after.before = before
                    level.lots -= left
                    if level.head is None:
                        store.drop_level(level)
                    spare.append(order)
                    tell(pack(CANCELLED | place << 4, book, left, level.price, order_id, ASKED))
            else:
                limit = price if place else -price  # as keys of the other side are written
                lots = wanted
                if lots <= 0:
                    code = QUANTITY_OUT_OF_RANGE
                elif kind >= REDUCE:
                    code = UNKNOWN_METHOD
                    if kind == REDUCE:
                        code = self._reduce(side, order_id, owner, lots)
                        lots = 0
                elif owner == 0:
                    code = UNKNOWN_ACCOUNT
                elif not 0 < order_id <= MAX_ID:
                    code = MALFORMED
                elif order_id in orders:
                    code = ORDER_ALREADY_USED
                elif side.other.best >= limit:
                    if kind == POST:
                        code = WOULD_CROSS
                    elif kind == FILL_OR_KILL and not self._can_fill(side, limit, lots, owner):
                        code = CANNOT_FILL
                    else:
                        lots = self._match(side, limit, lots, owner, order_id)
                elif kind == FILL_OR_KILL:
                    code = CANNOT_FILL
                if not code and lots:
                    if kind == TAKE:
                        event = pack(
                            CANCELLED | place << 4, book, lots, price, order_id, NOT_FILLED
                        )
                        tell(event)
                        continue
                    level = side.levels.get(-limit)
                    if level is None:
                        level = store.new_level(side, -limit)
                    order = spare.pop() if spare else PlainOrder()
                    order.order_id = order_id
                    order.owner = owner
                    order.left = lots
                    order.hidden = 0
                    order.level = level
                    order.before = tail = level.tail
                    order.after = None
                    level.tail = order
                    if tail is None:
                        level.head = order
                    else:
                        tail.after = order
                    level.lots += lots
                    orders[order_id] = order
                    tell(pack(RESTED | place << 4, book, lots, price, order_id, owner))
            if code:
                tell(pack(REFUSED | place << 4, book, 0, code, order_id, number))

    def _reduce(self, side: PlainSide, order_id: int, owner: int, lots: int) -> int:
        """Takes lots off a resting order, all it has at most; a code, or 0."""
        order = self._orders.get(order_id)
        if order is None or order.level.side is not side:
            return UNKNOWN_ORDER
        if owner and order.owner != owner:
            return NOT_YOUR_ORDER
        place, book, price = (side.number & 1) << 4, side.number >> 1, order.level.price
        if lots < order.left:
            self.store.reduce(order, lots)
            event = EVENT.pack(REDUCED | place, book, lots, price, order_id, ASKED)
        else:
            event = EVENT.pack(CANCELLED | place, book, order.left, price, order_id, ASKED)
            del self._orders[order_id]
            self.store.remove(order)
        self._events.append(event)
        return 0

    def _can_fill(self, side: PlainSide, limit: int, lots: int, owner: int) -> bool:
        """Whether the orders of the side opposite to `side`, down to the key `limit`, fill so
        many lots, before one of the owner's own.
        """
        store = self.store
        order = store.first(side.other.number)
        while order is not None and order.level.key >= limit:
            if order.owner == owner:
                return False
            lots -= order.left
            if lots <= 0:
                return True
            order = store.following(order)
        return False

    def _match(self, side: PlainSide, limit: int, lots: int, owner: int, order_id: int) -> int:
        """Fills a taker of `side` from the other side, down to its key `limit`; the lots left that
        may rest. Where its owner's own order is next, the rest is cancelled.
        """
        store, orders, other = self.store, self._orders, side.other
        tell, pack, spare = self._events.append, EVENT.pack, store.spare_orders
        place, book = (side.number & 1) << 4, side.number >> 1
        while other.best >= limit:
            level = other.levels[other.best]
            price = level.price
            order = level.head
            while order is not None:
                if order.owner == owner:
                    price = limit if place else -limit
                    tell(pack(CANCELLED | place, book, lots, price, order_id, SELF_TRADE))
                    return 0
                left, maker = order.left, order.order_id
                if lots < left:
                    order.left = left - lots
                    level.lots -= lots
                    tell(pack(FILLED | place, book, lots, price, order_id, maker))
                    return 0
                tell(pack(FILLED | place, book, left, price, order_id, maker))
                del orders[maker]
                spare.append(order)
                lots -= left
                level.lots -= left
                level.head = order = order.after
                if order is None:
                    store.drop_level(level)
                else:
                    order.before = None
                if not lots:
                    return 0
        return lots
