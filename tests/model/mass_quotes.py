"""A slow twin of mass quotes: lists of what rests, looked at anew for every side.

Holds: accounts have cash without end and an owner of their own; books are of single instruments.
Never: imports the exchange's handlers, books or plans.
"""

from typing import NamedTuple

BUY, SELL = 0, 1


class Rests(NamedTuple):
    """One order; `label` is the quote set that it is of, None for a plain order."""

    account: int
    label: int | None
    side: int
    price: int
    lots: int


class Side(NamedTuple):
    """What a message says of one side of one book."""

    side: int
    price: int
    lots: int


class Quote(NamedTuple):
    book: int
    bid: Side
    ask: Side


Traded = tuple[int, int, int, int, int]
"""Book, taker, maker, price, lots."""


class SlowQuotes:
    """`books[number]` has its resting orders in the order of their time."""

    def __init__(self, books: list[int], tick: int) -> None:
        self.tick = tick
        self.books: dict[int, list[Rests]] = {number: [] for number in books}
        self.trades: list[Traded] = []

    def queue(self, book: int, side: int) -> list[Rests]:
        """One side in the order in which it trades."""
        ours = [one for one in self.books[book] if one.side == side]
        return sorted(ours, key=lambda one: -one.price if side == BUY else one.price)

    def message(
        self, account: int, label: int, post_only: bool, quotes: list[Quote]
    ) -> list[tuple[int, int]]:
        """Takes a mass quote; gives (index, side) of what was refused, in order."""
        refused: list[tuple[int, int]] = []
        for index, quote in enumerate(quotes):
            is_twice = any(before.book == quote.book for before in quotes[:index])
            both = quote.bid.lots > 0 and quote.ask.lots > 0
            is_crossed = both and quote.bid.price >= quote.ask.price
            for side in self._in_order(account, label, quote):
                bad = is_twice or is_crossed
                if bad or not self._take(account, label, post_only, quote.book, side):
                    refused.append((index, side.side))
        return refused

    def _in_order(self, account: int, label: int, quote: Quote) -> list[Side]:
        if quote.ask.lots == 0:
            return [quote.ask, quote.bid]
        old = self._old(account, label, quote.book, SELL)
        if quote.bid.lots and old is not None and quote.bid.price >= old.price:
            return [quote.ask, quote.bid]
        return [quote.bid, quote.ask]

    def _old(self, account: int, label: int, book: int, side: int) -> Rests | None:
        found = [
            one
            for one in self.books[book]
            if (one.account, one.label, one.side) == (account, label, side)
        ]
        assert len(found) <= 1, "one quote of a set on each side of a book"
        return found[0] if found else None

    def _take(self, account: int, label: int, post_only: bool, book: int, side: Side) -> bool:
        resting = self.books[book]
        old = self._old(account, label, book, side.side)
        if side.lots == 0:
            if old is not None:
                resting.remove(old)
            return True
        if side.price <= 0 or side.price % self.tick:
            return False
        met = self.queue(book, 1 - side.side)
        if post_only and met and self._crosses(side, met[0]):
            return False
        new = Rests(account, label, side.side, side.price, side.lots)
        if old is not None and old.price == side.price and old.lots >= side.lots:
            resting[resting.index(old)] = new
            return True
        if old is not None:
            resting.remove(old)
        self.meet(book, new)
        return True

    @staticmethod
    def _crosses(side: Side, other: Rests) -> bool:
        return side.price >= other.price if side.side == BUY else side.price <= other.price

    def meet(self, book: int, new: Rests) -> None:
        """Trades what crosses; the rest comes last, unless it would meet its own account."""
        resting = self.books[book]
        for other in self.queue(book, 1 - new.side):
            if not new.lots or not self._crosses(Side(new.side, new.price, new.lots), other):
                break
            if other.account == new.account:
                return
            lots = min(new.lots, other.lots)
            at = resting.index(other)
            if other.lots == lots:
                del resting[at]
            else:
                resting[at] = other._replace(lots=other.lots - lots)
            new = new._replace(lots=new.lots - lots)
            self.trades.append((book, new.account, other.account, other.price, lots))
        if new.lots:
            resting.append(new)
