"""Real order flow: LOBSTER's reconstruction of NASDAQ's, replayed through the raw books.

`lobster_top`  of AAPL's messages on 21 June 2012, 09:30 to 10:30, the share after which the top of
               the book (both prices, both sizes) is the published one

Columns: seconds, type (1 new, 2 partial cancel, 3 delete, 4 execution of a visible order, 5 of a
hidden one, 7 halt), order id, size, price in 1/10,000 dollar, direction (1 the order buys, -1 it
sells). A book row: ask price, ask size, bid price, bid size, level by level.

Holds: each level of the opening book stands as one order, from which is taken whatever is said of
orders older than the opening; what is said of such orders beyond its levels is counted in
`unknown`. What disagrees begins beyond the 50 levels that the opening book shows, or with hidden
orders. Where the files are not beside the checkout, the row says so and its value is 0.
"""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from exchange.bench.report import Row, row
from exchange.compiled import ROOT
from matching.batch import CANCEL, LIMIT, MESSAGE, REDUCE, REFUSED, Books, Matcher, read_events

FOLDER: Final = ROOT.parent / "shared" / "data" / "lobster"
DAY: Final = "AAPL_2012-06-21_"
ASKED: Final = 0.999
NEW, PART, DELETE, EXECUTION = 1, 2, 3, 4
OLD_IDS = 1 << 40
"""Ids from here on are those of the opening book's levels."""
OWNER = 1


def rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", encoding="ascii", newline="") as file:
        yield from csv.reader(file)


class Agreement(NamedTuple):
    """Of an hour: messages, those after which the top of the book was the published one, and those
    about orders that nobody had shown.
    """

    messages: int
    agreed: int
    unknown: int


def real_hour() -> Agreement | None:
    """None where the files are not there."""
    if not FOLDER.is_dir():
        return None
    opening = next(rows(FOLDER / f"{DAY}34200_34210_orderbook_50.csv.gz"))
    messages = rows(FOLDER / f"{DAY}34200000_37800000_message_50.csv.gz")
    tops = rows(FOLDER / f"{DAY}34200000_37800000_orderbook_50_top1.csv.gz")
    replay = Replay(opening)
    agreed = total = 0
    for number, (message, top) in enumerate(zip(messages, tops, strict=True)):
        if number:  # the opening book is the one after the first message
            replay.apply(message)
        agreed += replay.top() == [int(word) for word in top[:4]]
        total += 1
    return Agreement(total, agreed, replay.unknown)


def real_flow_row() -> Row:
    """Exact: it needs one round."""
    found = real_hour()
    if found is None:
        value, note = 0.0, "skipped: shared/data/lobster is not beside this checkout"
    else:
        value = found.agreed / found.messages
        note = f"{found.agreed:,} of {found.messages:,}; {found.unknown:,} of unknown orders"
    return row("lobster_top", value, "share", "asked", ASKED, "higher", note)


class Replay:
    def __init__(self, opening: list[str]) -> None:
        self.matcher: Books = Matcher(1)
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
