"""Replays LOBSTER's reconstruction of NASDAQ's order flow through the raw books.

Columns: seconds, type (1 new, 2 partial cancel, 3 delete, 4 execution of a visible order, 5 of a
hidden one, 7 halt), order id, size, price in 1/10,000 dollar, direction (1 the order buys, -1 it
sells). A book row: ask price, ask size, bid price, bid size, level by level.

Holds: each level of the opening book stands as one order, from which is taken whatever is said of
orders older than the opening; what is said of such orders beyond its levels is counted in
`unknown`.
"""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

from matching.batch import CANCEL, LIMIT, MESSAGE, REDUCE, REFUSED, Matcher, read_events

NEW, PART, DELETE, EXECUTION = 1, 2, 3, 4
OLD_IDS = 1 << 40
"""Ids from here on are those of the opening book's levels."""
OWNER = 1


def rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", encoding="ascii", newline="") as file:
        yield from csv.reader(file)


class Replay:
    def __init__(self, opening: list[str]) -> None:
        self.matcher = Matcher(1)
        self.old: dict[tuple[int, int], int] = {}
        self.unknown = 0
        for column in range(0, len(opening), 2):
            price, size = int(opening[column]), int(opening[column + 1])
            if size == 0:
                continue  # fewer levels than columns
            side = 1 - column // 2 % 2
            self.old[side, price] = OLD_IDS + column
            self.send(LIMIT, side, price, size, OLD_IDS + column)

    def send(self, kind: int, side: int, price: int, size: int, order_id: int) -> bool:
        """Whether it was taken."""
        self.matcher.drop()
        self.matcher.apply(MESSAGE.pack(kind, side, 0, price, size, OWNER, order_id))
        return all(event.kind != REFUSED for event in read_events(self.matcher.events()))

    def apply(self, message: list[str]) -> None:
        kind, order_id, size, price = (int(word) for word in message[1:5])
        side = 0 if message[5] == "1" else 1
        if kind == NEW:
            self.send(LIMIT, side, price, size, order_id)
        elif kind in (PART, DELETE, EXECUTION):
            how = CANCEL if kind == DELETE else REDUCE
            old = self.old.get((side, price), OLD_IDS - 1)
            if not self.send(how, side, price, size, order_id) and not self.send(
                REDUCE, side, price, size, old
            ):
                self.unknown += 1

    def top(self) -> list[int]:
        """Ask price, ask size, bid price, bid size."""
        shown: list[int] = []
        for side in (1, 0):
            best = next(self.matcher.store.depth(side), None)
            shown += [0, 0] if best is None else [abs(best.key), best.lots]
        return shown
