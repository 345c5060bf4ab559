"""Raw messages and events of the books, byte by byte.

A message is 24 bytes, little end first: `<BBHiiIq`, that is kind, side, book, price in ticks,
quantity in lots, owner, order id. A batch is messages end to end. What happened is told in events
of four 64-bit integers (`read_events` names their fields), as many as it took, in the order in
which it happened.

| kind | meaning |
|---|---|
| 0 `LIMIT` | trades up to its price; what is left rests |
| 1 `CANCEL` | takes the order `id` out; book and side must be its own, owner is the order's or 0, |
|            | the venue; price and quantity are not looked at |
| 2 `TAKE` | trades up to its price; what is left is cancelled (IOC) |
| 3 `FILL_OR_KILL` | as `TAKE`, but in whole or not at all |
| 4 `POST` | rests; refused if it would trade |
| 5 `REDUCE` | as `CANCEL`, of `quantity` lots: the order keeps its place; all or more cancels it |

Holds: a message that is refused makes one REFUSED event with a code of `rejects.py`; its id is
told as it came. An event is the same 32 bytes whichever matcher made it.
Never: says what the rules are (`batch.py`), or applies them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

MESSAGE: Final = struct.Struct("<BBHiiIq")
MESSAGE_BYTES: Final = 24
EVENT_WORDS: Final = 4
MAX_BOOKS: Final = 1 << 16
MAX_ID: Final = (1 << 62) - 1

LIMIT: Final = 0
CANCEL: Final = 1
TAKE: Final = 2
FILL_OR_KILL: Final = 3
POST: Final = 4
REDUCE: Final = 5

# KINDS OF EVENT
RESTED: Final = 1
FILLED: Final = 2
CANCELLED: Final = 3
REDUCED: Final = 4
REFUSED: Final = 5

# WHY CANCELLED
ASKED: Final = 0
NOT_FILLED: Final = 1
SELF_TRADE: Final = 2


class Event(NamedTuple):
    """What happened. `kind` is RESTED, FILLED, CANCELLED, REDUCED or REFUSED; `side` the order's
    (the taker's of a fill).

    `price_ticks` the fill's, or the order's limit; of a refusal the code of `rejects.py`
    `lots`        filled, resting, taken off; 0 of a refusal
    `order_id`    the taker's of a fill, else the order's
    `other`       the maker's id; the owner of what rests; why it was cancelled (ASKED, NOT_FILLED,
                  SELF_TRADE); of a refusal, the number of the message in its batch
    """

    kind: int
    side: int
    book: int
    price_ticks: int
    lots: int
    order_id: int
    other: int


def read_events(events: bytes) -> Iterator[Event]:
    """Events by name, from `Matcher.events`."""
    for head, price, order_id, other in struct.iter_unpack("=4q", events):
        yield Event(
            head & 15, head >> 4 & 15, head >> 8 & 0xFFFF, price, head >> 24, order_id, other
        )
