"""The flow of raw messages that matching is measured on, and its one right answer.

Adds, cancels and marketable orders over one book or many, around a price that wanders. Adds never
cross, marketable orders fill in whole, cancels name what rests, makers and takers are different
owners: so every engine, whatever its rules beyond price and time, makes the same trades of it. The
recipe and the answers of `W1` and `W200` are those by which the engines of other languages were
measured.

Holds: the same parameters give the same bytes on every machine and version of Python (Mersenne
Twister, drawn in a fixed order).
"""

import random
import struct
from bisect import insort
from collections.abc import Iterable
from itertools import accumulate
from typing import Final, NamedTuple

from matching.batch import CANCEL, FILLED, LIMIT, MESSAGE, TAKE

CHECKSUM_MASK: Final = (1 << 64) - 1
MAKERS: Final = (1, 65)
TAKERS: Final = (1_000, 1_016)
MIDDLE: Final = 10_000
WANDERS: Final = 100
"""How far the middle may go either way, ticks."""
FURTHEST: Final = 99
MEAN_DISTANCE: Final = 12.0
REACH: Final = 3
"""How far behind the best a marketable order's limit lies, ticks."""


class Answer(NamedTuple):
    """What an engine must have made of a flow. `checksum` folds every trade, in order."""

    trades: int
    traded_lots: int
    checksum: int
    resting: int
    levels: int
    left_lots: int


class FlowSpec(NamedTuple):
    """`depth`: orders that rest in a book, about, weighted by the book's share of the messages."""

    name: str
    messages: int
    books: int
    depth: int
    seed: int


W1: Final = FlowSpec("w1", 1_000_000, 1, 2_500, 7)
W200: Final = FlowSpec("w200", 1_000_000, 200, 60, 8)

# Of the C++ and Rust engines that were measured on the same bytes, all of which gave them.
ANSWERS: Final = {
    "w1": Answer(128_246, 4_033_017, 14_130_535_838_805_384_977, 2_439, 133, 123_635),
    "w200": Answer(121_312, 3_930_557, 13_268_822_789_322_024_398, 15_865, 8_377, 791_961),
}


class _Resting:
    __slots__ = ("at", "left", "order_id", "price", "side")

    def __init__(self, order_id: int, side: int, price: int, left: int, at: int) -> None:
        self.order_id = order_id
        self.side = side
        self.price = price
        self.left = left
        self.at = at


class _Market:
    """One book as its traders see it: what rests, in a list to draw from and by price."""

    def __init__(self) -> None:
        self.middle = MIDDLE
        self.live: list[_Resting] = []
        # Of bids and asks: price -> orders in the order of their arrival, and the prices sorted.
        self.levels: tuple[dict[int, dict[int, _Resting]], ...] = ({}, {})
        self.prices: tuple[list[int], list[int]] = ([], [])

    def best(self, side: int) -> int:
        prices = self.prices[side]
        if not prices:
            return (0, 1 << 30)[side]
        return prices[-1] if side == 0 else prices[0]

    def rest(self, order_id: int, side: int, price: int, lots: int) -> None:
        order = _Resting(order_id, side, price, lots, len(self.live))
        self.live.append(order)
        level = self.levels[side].get(price)
        if level is None:
            level = self.levels[side][price] = {}
            insort(self.prices[side], price)
        level[order_id] = order

    def drop(self, order: _Resting) -> None:
        last = self.live.pop()
        if last is not order:
            self.live[order.at] = last
            last.at = order.at
        level = self.levels[order.side][order.price]
        del level[order.order_id]
        if not level:
            del self.levels[order.side][order.price]
            self.prices[order.side].remove(order.price)

    def offered(self, side: int, wanted: int) -> int:
        """How many of `wanted` lots the best price of `side` and the three behind it have."""
        best, step = self.best(side), (-1, 1)[side]
        found = 0
        for distance in range(REACH + 1):
            for order in self.levels[side].get(best + step * distance, {}).values():
                found += order.left
                if found >= wanted:
                    return wanted
        return found


class Flow:
    """A flow and its answer, made together."""

    def __init__(self, spec: FlowSpec) -> None:
        self._spec = spec
        self._random = random.Random(spec.seed)
        self._markets = [_Market() for _ in range(spec.books)]
        self._next_id = 1
        self._trades = self._traded = self._checksum = 0
        self.messages = b"".join(self._made())
        self.answer = Answer(
            self._trades,
            self._traded,
            self._checksum,
            sum(len(market.live) for market in self._markets),
            sum(len(prices) for market in self._markets for prices in market.prices),
            sum(order.left for market in self._markets for order in market.live),
        )

    def _made(self) -> Iterable[bytes]:
        spec, draw = self._spec, self._random.random
        weights = [1.0 / (book + 1) ** 0.7 for book in range(spec.books)]
        total = sum(weights)
        cumulated = list(accumulate(weight / total for weight in weights))
        books = self._random.choices(range(spec.books), cum_weights=cumulated, k=spec.messages)
        depths = [spec.depth * max(1.0, weight / total * spec.books) for weight in weights]
        for book in books:
            market = self._markets[book]
            if draw() < 0.02:
                moved = market.middle + (1 if draw() < 0.5 else -1)
                market.middle = min(MIDDLE + WANDERS, max(MIDDLE - WANDERS, moved))
            kind = self._kind(draw(), len(market.live), depths[book])
            side = 1 if draw() < 0.5 else 0
            if kind == TAKE and not market.prices[1 - side]:
                kind = LIMIT
            if kind == CANCEL:
                yield self._cancel(market, book)
            elif kind == TAKE:
                yield self._take(market, book, side)
            else:
                yield self._add(market, book, side)

    @staticmethod
    def _kind(drawn: float, resting: int, depth: float) -> int:
        """5% take, where enough rests; the more rests beyond its depth, the more is cancelled."""
        if drawn < 0.05 and resting > 20:
            return TAKE
        if drawn < 0.05 + 0.4525 * min(1.06, resting / depth) ** 2 and resting:
            return CANCEL
        return LIMIT

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _add(self, market: _Market, book: int, side: int) -> bytes:
        choose = self._random
        order_id = self._new_id()
        away = 1 + min(FURTHEST, int(choose.expovariate(1 / MEAN_DISTANCE)))
        if side == 0:
            price = min(market.middle - away, market.best(1) - 1)
        else:
            price = max(market.middle + away, market.best(0) + 1)
        lots = choose.randrange(1, 101)
        owner = choose.randrange(*MAKERS)
        market.rest(order_id, side, price, lots)
        return MESSAGE.pack(LIMIT, side, book, price, lots, owner, order_id)

    def _cancel(self, market: _Market, book: int) -> bytes:
        order = market.live[self._random.randrange(len(market.live))]
        market.drop(order)
        return MESSAGE.pack(CANCEL, order.side, book, order.price, order.left, 0, order.order_id)

    def _take(self, market: _Market, book: int, side: int) -> bytes:
        choose = self._random
        order_id = self._new_id()
        other = 1 - side
        limit = market.best(other) + (REACH if side == 0 else -REACH)
        lots = market.offered(other, choose.randrange(1, 161))
        owner = choose.randrange(*TAKERS)
        wanted = lots
        while wanted:
            price = market.best(other)
            maker = next(iter(market.levels[other][price].values()))
            filled = min(wanted, maker.left)
            wanted -= filled
            maker.left -= filled
            self._trades += 1
            self._traded += filled
            self._checksum = folded(self._checksum, order_id, maker.order_id, price, filled)
            if not maker.left:
                market.drop(maker)
        return MESSAGE.pack(TAKE, side, book, limit, lots, owner, order_id)


def folded(checksum: int, taker: int, maker: int, price: int, lots: int) -> int:
    """A checksum with one trade more."""
    return (checksum * 31 + (maker * 1_000_003 ^ taker) + price * lots) & CHECKSUM_MASK


class Tally:
    """Folds the trades out of events as they come."""

    def __init__(self) -> None:
        self.trades = self.lots = self.checksum = 0

    def take(self, events: bytes) -> None:
        """Events of `Matcher.events`."""
        for head, price, taker, maker in struct.iter_unpack("=4q", events):
            if head & 15 == FILLED:
                lots = head >> 24
                self.trades += 1
                self.lots += lots
                self.checksum = folded(self.checksum, taker, maker, price, lots)
