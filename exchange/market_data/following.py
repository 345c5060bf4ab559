"""A book rebuilt from a snapshot and the changes after it, as a reader at the end of a wire does.

Holds: a change that does not name the one before it as its previous is a gap, and is not taken: the
reader asks for a snapshot again; a change that the snapshot holds already is passed over.
Never: guesses what is missing.
"""

from exchange.market_data.shown_book import ADDED, PLACED, REMOVED, BookChange, ShownBook
from matching.orders import BUY, SELL

Level = tuple[int, int, int]
"""(price_micro, lots, orders), best first."""


class FollowedLevels:
    """Level 2: price levels alone."""

    def __init__(self) -> None:
        self.change_id = 0
        self._levels: dict[tuple[int, int], tuple[int, int]] = {}

    def restart(self, book: ShownBook) -> None:
        """Takes a snapshot."""
        self.change_id = book.change_id
        self._levels = {
            (side, level.price_micro): (level.lots, len(level.orders))
            for side in (BUY, SELL)
            for level in book.levels(side)
        }

    def take(self, change: BookChange) -> bool:
        """Takes a change; False where one is missing before it."""
        if change.change_id <= self.change_id:
            return True
        if change.previous_change_id != self.change_id:
            return False
        self.change_id = change.change_id
        for side, price_micro, lots, orders in change.levels:
            if orders:
                self._levels[side, price_micro] = lots, orders
            else:
                del self._levels[side, price_micro]
        return True

    def levels(self, side: int) -> list[Level]:
        """One side, best first."""
        found = [(price, *at) for (of, price), at in self._levels.items() if of == side]
        return sorted(found, reverse=side == BUY)


class FollowedOrders:
    """Level 3: orders in their queues."""

    def __init__(self) -> None:
        self.change_id = 0
        self._book = ShownBook(0)

    def restart(self, book: ShownBook) -> None:
        """Takes a snapshot: each side's orders as they would trade."""
        self.change_id = book.change_id
        self._book = ShownBook(book.number)
        for side in (BUY, SELL):
            for _, order in book.queue(side):
                self._book.add(order.order_id, side, order.price_micro, order.lots)
        self._book.close(book.change_id)

    def take(self, change: BookChange) -> bool:
        """Takes a change; False where one is missing before it."""
        if change.change_id <= self.change_id:
            return True
        if change.previous_change_id != self.change_id:
            return False
        self.change_id = change.change_id
        placed: tuple[int, int] | None = None
        for action, order_id, side, price_micro, lots in change.orders:
            if action == ADDED:
                self._book.add(order_id, side, price_micro, lots)
            elif action == PLACED:
                placed = order_id, lots
            elif placed is not None:
                self._book.take_place(placed[0], order_id, placed[1])
                placed = None
            elif action == REMOVED:
                self._book.remove(order_id)
            else:
                self._book.resize(order_id, lots)
        self._book.close(change.change_id)
        return True

    def queue(self, side: int) -> list[tuple[int, int, int]]:
        """(order_id, price_micro, lots) of one side as they would trade."""
        return [(o.order_id, o.price_micro, o.lots) for _, o in self._book.queue(side)]
