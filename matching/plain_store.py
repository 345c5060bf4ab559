"""All resting orders of all books, as a dictionary and objects: what an interpreter is fast at.

An interpreter pays for every cell that it looks up in `store.py`; a name, an attribute and a
dictionary cost it the least. So here a level is an object found by its key, an order an object
linked to those beside it in its level, and a side keeps its keys sorted.

Holds: what `store.py` holds, with the same methods, the same order of everything that is read and
the same state hash; a handle is an object where that has a slot or a level's cell, None where that
has `NONE`. An object that is given up is used again (to make one costs as much as a message).
`tests/property/test_store_property.py` runs over both.
Never: looks an order up by its id, or knows what an owner may do.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator
from hashlib import blake2b

from matching.store import EMPTY, Depth, Resting


class PlainOrder:
    __slots__ = ("after", "before", "hidden", "left", "level", "order_id", "owner")

    order_id: int
    owner: int
    left: int
    hidden: int
    level: PlainLevel
    before: PlainOrder | None
    after: PlainOrder | None


class PlainLevel:
    __slots__ = ("head", "key", "lots", "price", "side", "tail")

    key: int
    price: int
    lots: int
    side: PlainSide
    # None only while it is empty, which nobody sees.
    head: PlainOrder | None
    tail: PlainOrder | None


class PlainSide:
    """`number`: 2 x book + side. `best`: the last key, or EMPTY."""

    __slots__ = ("best", "keys", "levels", "number", "other")

    other: PlainSide

    def __init__(self, number: int) -> None:
        self.number = number
        self.best = EMPTY
        self.keys: list[int] = []
        self.levels: dict[int, PlainLevel] = {}


class PlainStore:
    """The books' contents; `pairs` has the sides of each book, bids first. What changes them are
    the methods, and the loop of `plain_matcher.py`, which has the commonest written out.
    """

    __slots__ = ("pairs", "spare_levels", "spare_orders")

    def __init__(self, books: int = 0) -> None:
        self.pairs: list[tuple[PlainSide, PlainSide]] = []
        self.spare_orders: list[PlainOrder] = []
        self.spare_levels: list[PlainLevel] = []
        while len(self.pairs) < books:
            self.add_book()

    @property
    def books(self) -> int:
        return len(self.pairs)

    def add_book(self) -> int:
        """A book more, empty; its number."""
        number = len(self.pairs)
        bids, asks = PlainSide(2 * number), PlainSide(2 * number + 1)
        bids.other, asks.other = asks, bids
        self.pairs.append((bids, asks))
        return number

    def side(self, side: int) -> PlainSide:
        """By its number."""
        return self.pairs[side >> 1][side & 1]

    # ORDERS COME AND GO

    def add(self, side: int, key: int, order_id: int, owner: int, lots: int) -> PlainOrder:
        """Puts an order last at its price."""
        of_side = self.side(side)
        level = of_side.levels.get(key)
        if level is None:
            level = self.new_level(of_side, key)
        order = self.spare_orders.pop() if self.spare_orders else PlainOrder()
        order.order_id = order_id
        order.owner = owner
        order.left = lots
        order.hidden = 0
        link(level, order)
        return order

    def remove(self, order: PlainOrder) -> None:
        """Takes an order out, wherever it stands. It is no order from then on."""
        level = order.level
        unlink(level, order)
        if level.head is None:
            self.drop_level(level)
        self.spare_orders.append(order)

    def reduce(self, order: PlainOrder, lots: int) -> None:
        """Takes `lots` off an order, which keeps its place; fewer than it has left."""
        order.left -= lots
        order.level.lots -= lots

    def substitute(self, order: PlainOrder, order_id: int, lots: int) -> None:
        """A new id takes an order's place in the queue, with as many lots or fewer."""
        order.level.lots -= order.left - lots
        order.order_id = order_id
        order.left = lots

    def hide(self, order: PlainOrder, lots: int) -> None:
        """So many lots stand behind those that an order shows (an iceberg)."""
        order.hidden = lots

    def replenish(self, order: PlainOrder, lots: int) -> None:
        """An iceberg shows `lots` again, out of its hidden ones, and goes to the back of its
        level.
        """
        level = order.level
        unlink(level, order)
        order.hidden -= lots
        order.left = lots
        link(level, order)

    # LEVELS

    def find_level(self, side: int, key: int) -> PlainLevel | None:
        """The level at a key, None if nothing rests there."""
        return self.side(side).levels.get(key)

    def new_level(self, side: PlainSide, key: int) -> PlainLevel:
        """A level at a key that has none. Empty until an order is linked, which is at once."""
        level = self.spare_levels.pop() if self.spare_levels else PlainLevel()
        level.side = side
        level.key = key
        level.price = -key if side.number & 1 else key
        level.lots = 0
        level.head = level.tail = None
        side.levels[key] = level
        if key > side.best:
            side.best = key
            side.keys.append(key)
        else:
            side.keys.insert(bisect_left(side.keys, key), key)
        return level

    def drop_level(self, level: PlainLevel) -> None:
        """Takes an empty level out."""
        side, key = level.side, level.key
        keys = side.keys
        del side.levels[key]
        if key == side.best:
            keys.pop()
            side.best = keys[-1] if keys else EMPTY
        else:
            del keys[bisect_left(keys, key)]
        self.spare_levels.append(level)

    # READING

    def first(self, side: int) -> PlainOrder | None:
        """The order of a side that trades next, None where nothing rests."""
        of_side = self.side(side)
        return of_side.levels[of_side.best].head if of_side.keys else None

    def following(self, order: PlainOrder) -> PlainOrder | None:
        """The order that trades after this one on its side, None after the last."""
        if order.after is not None:
            return order.after
        side = order.level.side
        at = bisect_left(side.keys, order.level.key)
        return side.levels[side.keys[at - 1]].head if at else None

    def orders(self, side: int) -> Iterator[Resting]:
        """What rests on a side, in priority order."""
        order = self.first(side)
        while order is not None:
            yield Resting(order.order_id, order.owner, order.level.key, order.left, order.hidden)
            order = self.following(order)

    def depth(self, side: int) -> Iterator[Depth]:
        """Every level of a side, best first."""
        of_side = self.side(side)
        for key in reversed(of_side.keys):
            level = of_side.levels[key]
            orders, order = 0, level.head
            while order is not None:
                orders += 1
                order = order.after
            yield Depth(key, level.lots, orders)

    def resting(self) -> int:
        """How many orders rest, in all books."""
        return sum(level.orders for side in range(2 * self.books) for level in self.depth(side))

    def is_empty(self, book: int) -> bool:
        bids, asks = self.pairs[book]
        return not bids.keys and not asks.keys

    def state_hash(self) -> bytes:
        """As `Store.state_hash`."""
        state = blake2b(digest_size=32)
        pack = struct.Struct("<6q").pack
        for side in range(2 * self.books):
            for order in self.orders(side):
                order_id, owner, key, left, hidden = order
                state.update(pack(side, key, order_id, owner, left, hidden))
        return state.digest()


# MOVES


def link(level: PlainLevel, order: PlainOrder) -> None:
    """Puts an order last in a level."""
    tail = level.tail
    order.level = level
    order.before = tail
    order.after = None
    level.tail = order
    if tail is None:
        level.head = order
    else:
        tail.after = order
    level.lots += order.left


def unlink(level: PlainLevel, order: PlainOrder) -> None:
    """Takes an order out of its level, which may be empty then."""
    before, after = order.before, order.after
    if before is None:
        level.head = after
    else:
        before.after = after
    if after is None:
        level.tail = before
    else:
        after.before = before
    level.lots -= order.left
