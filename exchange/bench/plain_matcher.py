"""The matcher as one would write it first: a dictionary of objects, sorted prices, linked orders.

What packing and compiling are held against in the same run (`twin_ratio`): always interpreted,
same messages, same trades.

Holds: as good as plain Python gets: bisect for prices, slots for objects, linked orders so that a
cancel looks for nothing.
Never: checks what it is sent, or knows more than adds, cancels and marketable orders.
"""

from bisect import bisect_left
from collections.abc import Iterator

from matching.batch import ASKED, CANCEL, CANCELLED, FILLED, LIMIT, MESSAGE, NOT_FILLED, RESTED

Event = tuple[int, int, int, int, int]
"""Kind, price, lots, the order's id, and what else `matching.batch.Event` has in `other`."""


class _Level:
    __slots__ = ("head", "lots", "tail")

    def __init__(self) -> None:
        self.lots = 0
        self.head: _Order | None = None
        self.tail: _Order | None = None


class _Order:
    __slots__ = ("after", "before", "key", "left", "level", "order_id", "owner", "side")

    def __init__(
        self, order_id: int, owner: int, side: "_Side", key: int, left: int, level: _Level
    ) -> None:
        self.order_id = order_id
        self.owner = owner
        self.side = side
        self.key = key
        self.left = left
        self.level = level
        self.before: _Order | None = level.tail
        self.after: _Order | None = None


class _Side:
    __slots__ = ("keys", "levels")

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.levels: dict[int, _Level] = {}


class PlainMatcher:
    """Books 0 to `books` - 1; `apply` as `matching.batch.Matcher` has it."""

    def __init__(self, books: int) -> None:
        self.sides: list[_Side] = [_Side() for _ in range(2 * books)]
        self.orders: dict[int, _Order] = {}
        self.events: list[Event] = []

    def drop(self) -> None:
        self.events.clear()

    def apply(self, messages: bytes) -> None:
        """Applies a batch, message by message."""
        sides, orders, tell = self.sides, self.orders, self.events.append
        fields: Iterator[tuple[int, ...]] = MESSAGE.iter_unpack(messages)
        for kind, way, book, price, wanted, owner, order_id in fields:
            if kind == CANCEL:
                order = orders.pop(order_id)
                self._remove(order)
                tell((CANCELLED, price, order.left, order_id, ASKED))
                continue
            key, lots = -price if way else price, wanted
            other = sides[2 * book + 1 - way]
            if other.keys and -other.keys[-1] <= key:
                lots = self._match(other, key, lots, order_id)
            if lots and kind == LIMIT:
                side = sides[2 * book + way]
                level = side.levels.get(key)
                if level is None:
                    level = side.levels[key] = _Level()
                    side.keys.insert(bisect_left(side.keys, key), key)
                order = orders[order_id] = _Order(order_id, owner, side, key, lots, level)
                if level.tail is None:
                    level.head = order
                else:
                    level.tail.after = order
                level.tail = order
                level.lots += lots
                tell((RESTED, price, lots, order_id, owner))
            elif lots:
                tell((CANCELLED, price, lots, order_id, NOT_FILLED))

    def _remove(self, order: _Order) -> None:
        level, before, after = order.level, order.before, order.after
        if before is None:
            level.head = after
        else:
            before.after = after
        if after is None:
            level.tail = before
        else:
            after.before = before
        level.lots -= order.left
        if level.head is None:
            side = order.side
            del side.levels[order.key]
            del side.keys[bisect_left(side.keys, order.key)]

    def _match(self, other: _Side, key: int, lots: int, taker: int) -> int:
        while lots and other.keys and -other.keys[-1] <= key:
            best = other.keys[-1]
            level = other.levels[best]
            order = level.head
            while lots and order is not None:
                filled = min(lots, order.left)
                lots -= filled
                self.events.append((FILLED, abs(best), filled, taker, order.order_id))
                after = order.after
                if filled == order.left:
                    del self.orders[order.order_id]
                    self._remove(order)
                else:
                    order.left -= filled
                    level.lots -= filled
                order = after
        return lots
