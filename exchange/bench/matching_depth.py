"""What a message costs where little rests and where much does.

A book has so many orders and is kept at that: of 64 messages 29 cancel any order, 29 add one
anywhere among the book's prices, 3 add one at a better price and 3 take that. Anywhere, not close
to the best as real orders do: nothing stays in a cache, and ladders are searched and moved in their
middle.

Holds: medians of rounds that are taken in turn, one of each book, after one that is not counted;
messages are made outside the clock; each does one thing, and the depth at the end is checked.
"""

import random
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final, NamedTuple

from exchange.bench.report import quiet_memory
from matching.batch import CANCEL, LIMIT, MESSAGE, TAKE, Books, Matcher

DEPTHS: Final = (100, 1_000, 10_000, 100_000, 1_000_000)
PAIRS: Final = 29
TAKES: Final = 3
GROUPS: Final = 16
BATCH: Final = GROUPS * 2 * (PAIRS + TAKES)
BATCHES: Final = 8
"""Made at a time."""
MIDDLE: Final = 1 << 30
LOTS: Final = 5
MAKER, TAKER = 1, 2
SLOW_ENOUGH_NS: Final = 400_000_000
"""A round ends here even if it has not sent all of its messages."""


class Shape(NamedTuple):
    """How many prices a book of so many orders has: one for `orders_a_price`, at most `most`."""

    name: str
    orders_a_price: int
    most: int

    def prices(self, orders: int) -> int:
        return max(1, min(self.most, orders // self.orders_a_price))


HUNDRED: Final = Shape("100 prices", 1, 100)
TENTH: Final = Shape("a price for ten orders", 10, 1 << 29)
EACH: Final = Shape("as many prices as orders", 1, 1 << 29)


class DeepBook:
    """A book that is kept at its depth. Prices are told by their distance from the middle; what is
    taken stands at 1, all else behind it.
    """

    def __init__(self, shape: Shape, orders: int, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._furthest = 1 + max(1, shape.prices(orders) // 2)
        self._books: Books = Matcher(1, orders)
        self._live: list[int] = []
        self._next_id = 1
        # From the furthest price inwards, so that no ladder is moved yet.
        for start in range(0, orders, BATCH):
            adds: list[bytes] = []
            for number in range(start, min(orders, start + BATCH)):
                self._live.append(self._next_id)
                adds.append(self._add(self._furthest - number * (self._furthest - 1) // orders))
            self._books.apply(b"".join(adds))
            self._books.drop()
        assert self._books.store.resting() == orders

    def _add(self, distance: int) -> bytes:
        order_id = self._next_id
        self._next_id += 1
        side = order_id & 1
        price = MIDDLE + (distance if side else -distance)
        return MESSAGE.pack(LIMIT, side, 0, price, LOTS, MAKER, order_id)

    def _take(self) -> bytes:
        """What was added last, which stands at 1."""
        maker = self._next_id - 1
        self._next_id += 2  # so that the next order is of the other side
        side = 1 - (maker & 1)
        price = MIDDLE + (-1 if side else 1)
        return MESSAGE.pack(TAKE, side, 0, price, LOTS, TAKER, maker + 1)

    def _batch(self) -> bytes:
        live, draw = self._live, self._random.randrange
        messages: list[bytes] = []
        for _ in range(GROUPS):
            for _ in range(PAIRS):
                at = draw(len(live))
                gone, live[at] = live[at], self._next_id
                messages.append(MESSAGE.pack(CANCEL, gone & 1, 0, 0, 0, 0, gone))
                messages.append(self._add(draw(2, self._furthest + 1)))
            for _ in range(TAKES):
                messages += [self._add(1), self._take()]
        return b"".join(messages)

    def message_ns(self, messages: int) -> float:
        """Of one message, over so many."""
        books, clock = self._books, time.perf_counter_ns
        rests, sent, elapsed = len(self._live), 0, 0
        while sent < messages and elapsed < SLOW_ENOUGH_NS:
            batches = [self._batch() for _ in range(BATCHES)]
            done = 0
            start = clock()
            for batch in batches:
                done += books.apply(batch)
                books.drop()
            elapsed += clock() - start
            sent += BATCH * BATCHES
            assert done == BATCH * BATCHES, "each message does one thing"
        assert books.store.resting() == rests, "as many rest as before"
        return elapsed / sent


class Cost(NamedTuple):
    shape: Shape
    orders: int
    message_ns: float


def costs(
    shapes: Sequence[Shape], depths: Sequence[int], messages: int, rounds: int
) -> Iterator[Cost]:
    """Of each shape at each depth, after a round that is not counted."""
    books = [(shape, orders, DeepBook(shape, orders)) for shape in shapes for orders in depths]
    with quiet_memory():
        found = [[book.message_ns(messages) for _, _, book in books] for _ in range(1 + rounds)]
    for number, (shape, orders, _) in enumerate(books):
        yield Cost(shape, orders, median(turn[number] for turn in found[1:]))
