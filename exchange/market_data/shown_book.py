"""One book as everyone sees it: orders by id in the order of their queues, levels made of them.

Holds: a level's lots are the sum of its orders', none is empty; sides are sorted with the best
first; every command that changes a book gives one `BookChange` that names its own id and that of
the change before, so whoever holds the one before and takes the next holds the book. A change's id
is the sequence of its command.
Never: names an account or shows a lot that is hidden.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from matching.orders import BUY

ADDED: Final = 0  # stands last at its price
RESIZED: Final = 1  # keeps its place
REMOVED: Final = 2
PLACED: Final = 3  # stands where the order stood that the next change removes


class LevelChange(NamedTuple):
    """What a price level is now: no lots and no orders where it is gone. Prices in micro-USDC."""

    side: int
    price_micro: int
    lots: int
    orders: int


class OrderChange(NamedTuple):
    """What became of one order, as it happened; `lots` are those that it shows now."""

    action: int
    order_id: int
    side: int
    price_micro: int
    lots: int


class BookChange(NamedTuple):
    """All that one command changed in one book."""

    book: int
    change_id: int
    previous_change_id: int
    levels: tuple[LevelChange, ...]
    orders: tuple[OrderChange, ...]


class ShownOrder:
    """An order in its queue."""

    __slots__ = ("lots", "order_id", "price_micro", "side")

    def __init__(self, order_id: int, side: int, price_micro: int, lots: int) -> None:
        self.order_id = order_id
        self.side = side
        self.price_micro = price_micro
        self.lots = lots


class ShownLevel:
    """A price level; a dict keeps its orders as they came."""

    __slots__ = ("lots", "orders", "price_micro")

    def __init__(self, price_micro: int) -> None:
        self.price_micro = price_micro
        self.lots = 0
        self.orders: dict[int, ShownOrder] = {}


class _Side:
    """One side's levels by key; `keys` ascends, and the last is the best."""

    __slots__ = ("keys", "levels")

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.levels: dict[int, ShownLevel] = {}

    def open(self, key: int, price_micro: int) -> ShownLevel:
        """The level at a key, made if there is none."""
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = ShownLevel(price_micro)
            self.keys.insert(bisect_left(self.keys, key), key)
        return level

    def close(self, key: int) -> None:
        del self.levels[key]
        del self.keys[bisect_left(self.keys, key)]


class ShownBook:
    """A book. `add`, `resize` and `remove` belong to one command until `close` ends it."""

    __slots__ = ("_asks", "_bids", "_changes", "_touched", "change_id", "number", "orders")

    def __init__(self, number: int) -> None:
        self.number = number
        self.change_id = 0
        self.orders: dict[int, ShownOrder] = {}
        self._bids = _Side()
        self._asks = _Side()
        self._touched: dict[tuple[int, int], tuple[int, int]] = {}
        self._changes: list[OrderChange] = []

    # WHAT HAPPENS

    def add(self, order_id: int, side: int, price_micro: int, lots: int) -> None:
        """An order comes to stand last at its price."""
        order = ShownOrder(order_id, side, price_micro, lots)
        of_side, key = self._place(side, price_micro)
        level = of_side.open(key, price_micro)
        self._touch(side, level)
        level.orders[order_id] = order
        level.lots += lots
        self.orders[order_id] = order
        self._note(ADDED, order)

    def resize(self, order_id: int, lots: int) -> None:
        """An order shows other lots in its old place; with none it is gone."""
        if not lots:
            self.remove(order_id)
            return
        order = self.orders[order_id]
        level = self._level(order)
        self._touch(order.side, level)
        level.lots += lots - order.lots
        order.lots = lots
        self._note(RESIZED, order)

    def take_place(self, order_id: int, replaced: int, lots: int) -> None:
        """An order comes to stand where another stood, which leaves."""
        old = self.orders.pop(replaced)
        new = ShownOrder(order_id, old.side, old.price_micro, lots)
        level = self._level(old)
        self._touch(old.side, level)
        queue = list(level.orders.values())
        level.orders.clear()
        for order in queue:
            stands = new if order is old else order
            level.orders[stands.order_id] = stands
        level.lots += lots - old.lots
        self.orders[order_id] = new
        old.lots = 0
        self._note(PLACED, new)
        self._note(REMOVED, old)

    def remove(self, order_id: int) -> None:
        """An order leaves."""
        order = self.orders.pop(order_id)
        level = self._level(order)
        self._touch(order.side, level)
        del level.orders[order_id]
        level.lots -= order.lots
        order.lots = 0
        if not level.orders:
            of_side, key = self._place(order.side, order.price_micro)
            of_side.close(key)
        self._note(REMOVED, order)

    def close(self, sequence: int) -> BookChange | None:
        """Ends the command: what it changed, None for nothing at all."""
        changes, touched = self._changes, self._touched
        if not changes:
            return None
        levels: list[LevelChange] = []
        for (side, price_micro), before in touched.items():
            of_side, key = self._place(side, price_micro)
            level = of_side.levels.get(key)
            now = (level.lots, len(level.orders)) if level is not None else (0, 0)
            if now != before:
                levels.append(LevelChange(side, price_micro, *now))
        self._changes, self._touched = [], {}
        previous, self.change_id = self.change_id, sequence
        return BookChange(self.number, sequence, previous, tuple(levels), tuple(changes))

    def _place(self, side: int, price_micro: int) -> tuple[_Side, int]:
        """The side, and the key at which a price stands in it."""
        return (self._bids, price_micro) if side == BUY else (self._asks, -price_micro)

    def _level(self, order: ShownOrder) -> ShownLevel:
        of_side, key = self._place(order.side, order.price_micro)
        return of_side.levels[key]

    def _touch(self, side: int, level: ShownLevel) -> None:
        """Remembers what a level was when the command came."""
        self._touched.setdefault((side, level.price_micro), (level.lots, len(level.orders)))

    def _note(self, action: int, order: ShownOrder) -> None:
        self._changes.append(
            OrderChange(action, order.order_id, order.side, order.price_micro, order.lots)
        )

    # WHAT IS ASKED

    def best(self, side: int) -> ShownLevel | None:
        of_side = self._bids if side == BUY else self._asks
        return of_side.levels[of_side.keys[-1]] if of_side.keys else None

    def levels(self, side: int, depth: int | None = None) -> Iterator[ShownLevel]:
        """Levels of one side, best first."""
        of_side = self._bids if side == BUY else self._asks
        for key in islice(reversed(of_side.keys), depth):
            yield of_side.levels[key]

    def queue(self, side: int) -> Iterator[tuple[int, ShownOrder]]:
        """(position, order) of one side in the order in which they would trade; positions count
        from 0 at each price.
        """
        for level in self.levels(side):
            yield from enumerate(level.orders.values())

    def ahead_of(self, order_id: int) -> tuple[int, int] | None:
        """(orders, lots) that stand before an order at its price; None where it is not shown."""
        order = self.orders.get(order_id)
        if order is None:
            return None
        orders = lots = 0
        for other in self._level(order).orders.values():
            if other is order:
                break
            orders += 1
            lots += other.lots
        return orders, lots
