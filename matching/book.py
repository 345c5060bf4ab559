"""Price-time priority book of one instrument or one combo.

Holds: each side's level keys are sorted with the best last (bid key = +price, ask key = -price,
so one code path serves both sides); a level is never empty; the quantity of a level is the sum
of what its orders show; within a level, orders stand in the order of their arrival, an iceberg in
that of its last replenishment. `tests/model/book.py` is the slow twin.
Never: knows accounts beyond an owner's number, reads marks or decides margin.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from matching.orders import BUY, Order


class Level:
    """All orders at one price of one side, first come first."""

    __slots__ = ("head", "key", "orders", "quantity_lots", "tail")

    def __init__(self, key: int) -> None:
        self.key = key
        self.orders = 0
        self.quantity_lots = 0
        self.head: Order | None = None
        self.tail: Order | None = None


class Side:
    """One side of a book. `keys` ascends and its last is the best; `levels` finds a level by its
    key; `best` is kept because nearly every order asks for it and for nothing else.
    """

    __slots__ = ("best", "keys", "levels")

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.best: Level | None = None


class Book:
    """The resting orders of one instrument or combo. `tick_micro` is micro-USDC per tick and lot
    (or unit).
    """

    __slots__ = ("asks", "bids", "number", "tick_micro")

    def __init__(self, number: int, tick_micro: int) -> None:
        self.number = number
        self.tick_micro = tick_micro
        self.bids = Side()
        self.asks = Side()

    def add(self, order: Order) -> None:
        """Puts an order last at its price; an iceberg shows as much as it may."""
        assert order.level is None, "an order stands in one book at most"
        assert order.remaining_lots > 0, "an order that rests has something left"
        shown_lots = order.remaining_lots
        if order.display_lots and shown_lots > order.display_lots:
            shown_lots = order.display_lots
        order.hidden_lots = order.remaining_lots - shown_lots
        if order.side == BUY:
            side, key = self.bids, order.price_ticks
        else:
            side, key = self.asks, -order.price_ticks
        level = side.levels.get(key)
        if level is None:
            level = side.levels[key] = Level(key)
            keys = side.keys
            if keys and key < keys[-1]:
                keys.insert(bisect_left(keys, key), key)
            else:
                keys.append(key)
                side.best = level
        tail = level.tail
        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.previous = tail
        level.tail = order
        level.orders += 1
        level.quantity_lots += shown_lots
        order.level = level

    def remove(self, order: Order) -> None:
        """Takes an order out, wherever it stands. Its remaining quantity is left as it is."""
        level = order.level
        assert level is not None, "an order is removed from the book that it stands in"
        before, after = order.previous, order.next
        if before is None:
            level.head = after
        else:
            before.next = after
        if after is None:
            level.tail = before
        else:
            after.previous = before
        level.orders -= 1
        level.quantity_lots -= order.remaining_lots - order.hidden_lots
        order.level = order.previous = order.next = None
        if level.head is None:
            side = self.bids if order.side == BUY else self.asks
            del side.levels[level.key]
            keys = side.keys
            if keys[-1] == level.key:
                keys.pop()
                side.best = side.levels[keys[-1]] if keys else None
            else:
                del keys[bisect_left(keys, level.key)]

    def substitute(self, old: Order, new: Order) -> None:
        """Puts an order into the very place of another, at its price and with at most its lots,
        of which it shows at most as many.
        """
        level = old.level
        assert level is not None, "a place is taken from an order that has one"
        assert old.side == new.side, "a place is on one side"
        assert old.price_ticks == new.price_ticks, "a place is at one price"
        assert 0 < new.remaining_lots <= old.remaining_lots, "a larger order would lose the place"
        shown_lots = new.remaining_lots
        if new.display_lots and shown_lots > new.display_lots:
            shown_lots = new.display_lots
        old_shown_lots = old.remaining_lots - old.hidden_lots
        assert shown_lots <= old_shown_lots, "an order that shows more would lose the place"
        new.hidden_lots = new.remaining_lots - shown_lots
        before, after = old.previous, old.next
        if before is None:
            level.head = new
        else:
            before.next = new
        if after is None:
            level.tail = new
        else:
            after.previous = new
        new.previous, new.next, new.level = before, after, level
        level.quantity_lots += shown_lots - old_shown_lots
        old.level = old.previous = old.next = None

    def reduce(self, order: Order, quantity_lots: int) -> None:
        """Lets an order trade `quantity_lots` of what it shows; an order with nothing left leaves
        the book, an iceberg that has more is replenished, last at its price.
        """
        self.shrink(order, quantity_lots)
        order.filled_lots += quantity_lots

    def shrink(self, order: Order, quantity_lots: int) -> None:
        """Takes `quantity_lots` of what an order shows away from it, as `reduce`, without a
        trade.
        """
        level = order.level
        assert level is not None, "an order is reduced in the book that it stands in"
        shown_lots = order.remaining_lots - order.hidden_lots
        assert 0 < quantity_lots <= shown_lots, "an order is met for at most what it shows"
        if quantity_lots == order.remaining_lots:
            self.remove(order)
            order.remaining_lots = 0
        elif quantity_lots == shown_lots:
            self.remove(order)
            order.remaining_lots -= quantity_lots
            self.add(order)
        else:
            order.remaining_lots -= quantity_lots
            level.quantity_lots -= quantity_lots

    def cut(self, order: Order, quantity_lots: int) -> None:
        """Takes `quantity_lots` away from an order without a trade, what it hides first; it has
        more than that, and keeps its place.
        """
        level = order.level
        assert level is not None, "an order is cut in the book that it stands in"
        assert 0 < quantity_lots < order.remaining_lots, "a cut order has something left"
        hidden_lots = min(quantity_lots, order.hidden_lots)
        order.hidden_lots -= hidden_lots
        order.remaining_lots -= quantity_lots
        level.quantity_lots -= quantity_lots - hidden_lots

    def levels(self, side: int) -> Iterator[Level]:
        """Levels of one side, best first."""
        of_side = self.bids if side == BUY else self.asks
        for key in reversed(of_side.keys):
            yield of_side.levels[key]

    def first(self, side: int) -> Order | None:
        """The order of one side that trades first: best price, then oldest."""
        best = self.bids.best if side == BUY else self.asks.best
        return None if best is None else best.head

    def is_met(self, side: int, price_ticks: int) -> bool:
        """Whether an order of `side` at a price would meet one of the other."""
        if side == BUY:
            best = self.asks.best
            return best is not None and price_ticks >= -best.key
        best = self.bids.best
        return best is not None and price_ticks <= best.key

    def following(self, order: Order) -> Order | None:
        """The order that trades after `order` on its side, at its price or the next."""
        if order.next is not None:
            return order.next
        level = order.level
        assert level is not None, "only an order that stands in the book has one after it"
        side = self.bids if order.side == BUY else self.asks
        at = bisect_left(side.keys, level.key)
        return side.levels[side.keys[at - 1]].head if at else None

    def orders(self, side: int) -> Iterator[Order]:
        """Orders of one side in the order in which they trade. Not to change meanwhile."""
        order = self.first(side)
        while order is not None:
            yield order
            order = self.following(order)

    def is_empty(self) -> bool:
        return not self.bids.keys and not self.asks.keys


def orders_of(level: Level) -> Iterator[Order]:
    """Orders of a level, first come first."""
    order = level.head
    while order is not None:
        yield order
        order = order.next
