"""An order book written down as plainly as it is explained: slow twin of `matching/book.py`.

Holds: one list of orders for each price and side, first come first. Nothing is remembered that
could be added up. An iceberg that shows nothing any more goes to the end of its list and
shows again.
"""

from dataclasses import dataclass, replace

from sortedcontainers import SortedDict

from matching.book import Book, Level, orders_of
from matching.orders import BUY, SELL, Order

Contents = list[list[tuple[int, int, list[tuple[int, int, int]]]]]
"""For bids and asks, best first: price, lots shown in all, and (order, lots shown, lots left) of
each order.
"""


@dataclass
class SlowOrder:
    order_id: int
    account: int
    book: int
    side: int
    price_ticks: int
    left: int
    reduces: bool = False
    """May only take away from its account's position."""
    display: int = 0
    """What an iceberg shows at most, 0 for all."""
    shown: int = 0


class SlowBook:
    def __init__(self, tick_micro: int) -> None:
        self.tick_micro = tick_micro
        self.sides: list[dict[int, list[SlowOrder]]] = [SortedDict(), SortedDict()]

    def add(self, order: SlowOrder) -> None:
        """Last at its price, showing as much as it may."""
        order.shown = order.left if order.display == 0 else min(order.display, order.left)
        self.sides[order.side].setdefault(order.price_ticks, []).append(order)

    def remove(self, order: SlowOrder) -> None:
        orders = self.sides[order.side][order.price_ticks]
        orders.remove(order)
        if not orders:
            del self.sides[order.side][order.price_ticks]

    def reduce(self, order: SlowOrder, lots: int) -> None:
        """Lots go from what an order shows."""
        assert lots <= order.shown
        order.left -= lots
        order.shown -= lots
        if order.shown == 0:
            self.remove(order)
            if order.left:
                self.add(order)

    def cut(self, order: SlowOrder, lots: int) -> None:
        """Lots go without a trade, those that are not shown first; it keeps its place."""
        order.left -= lots
        order.shown = min(order.shown, order.left)

    def substitute(self, old: SlowOrder, new: SlowOrder) -> None:
        new.shown = new.left if new.display == 0 else min(new.display, new.left)
        orders = self.sides[old.side][old.price_ticks]
        orders[orders.index(old)] = new

    def copy(self) -> "SlowBook":
        """Another book with the same orders, to try things out."""
        twin = SlowBook(self.tick_micro)
        for side, mine in zip(twin.sides, self.sides, strict=True):
            for price, orders in mine.items():
                side[price] = [replace(order) for order in orders]
        return twin

    def prices(self, side: int) -> list[int]:
        """Best first."""
        prices = list(self.sides[side])
        return prices[::-1] if side == BUY else prices

    def queue(self, side: int) -> list[SlowOrder]:
        """All orders of a side in the order in which they would trade."""
        return [order for price in self.prices(side) for order in self.sides[side][price]]

    def contents(self) -> Contents:
        return [
            [
                (
                    price,
                    sum(order.shown for order in self.sides[side][price]),
                    [(o.order_id, o.shown, o.left) for o in self.sides[side][price]],
                )
                for price in self.prices(side)
            ]
            for side in (BUY, SELL)
        ]


# THE FAST BOOK, AS IT IS COMPARED


def contents(book: Book) -> Contents:
    """What a reader of the book sees."""
    return [
        [
            (
                level.key if side == BUY else -level.key,
                level.quantity_lots,
                [
                    (o.order_id, o.remaining_lots - o.hidden_lots, o.remaining_lots)
                    for o in orders_of(level)
                ],
            )
            for level in book.levels(side)
        ]
        for side in (BUY, SELL)
    ]


def check_links(book: Book) -> None:
    """What no reader sees: keys, counts and links agree with each other."""
    for number, side in ((BUY, book.bids), (SELL, book.asks)):
        assert side.keys == sorted(side.levels)
        assert side.best is (side.levels[side.keys[-1]] if side.keys else None)
        for key, level in side.levels.items():
            _check_level(number, key, level)


def _check_level(side: int, key: int, level: Level) -> None:
    forth = list(orders_of(level))
    assert forth, "a level is never empty"
    assert level.key == key
    assert level.orders == len(forth)
    assert level.quantity_lots == sum(o.remaining_lots - o.hidden_lots for o in forth)
    back: list[Order] = []
    order = level.tail
    while order is not None:
        back.append(order)
        order = order.previous
    assert back[::-1] == forth
    for order in forth:
        assert order.level is level
        assert order.side == side
        assert 0 <= order.hidden_lots < order.remaining_lots
        assert (order.price_ticks if side == BUY else -order.price_ticks) == key
