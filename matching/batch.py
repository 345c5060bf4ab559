"""Books driven by raw message batches, with nothing else of the exchange.

`Matcher(books)` makes them; `messages.py` has the bytes of what goes in and comes out, and what
each kind of message does. All of it may be imported from here.

Holds: an order never trades with one of its owner's (the rest of the taker is cancelled); a
message that is refused makes one REFUSED event with a code of `rejects.py` and changes nothing
that rests; an id is free again when its order is gone. Dense, ascending ids are the fastest. The
store behind `Matcher` is the packed one where the core is compiled and the plain one where it is
not: whichever is several times faster there. Both make the same events and have the same state
hash; who reads what rests reads it by the methods of `Books` and `RestingBooks`.
Never: looks at margin, time or a signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Final, Protocol

from matching.messages import (
    ASKED,
    CANCEL,
    CANCELLED,
    EVENT_WORDS,
    FILL_OR_KILL,
    FILLED,
    LIMIT,
    MAX_BOOKS,
    MAX_ID,
    MESSAGE,
    MESSAGE_BYTES,
    NOT_FILLED,
    POST,
    REDUCE,
    REDUCED,
    REFUSED,
    RESTED,
    SELF_TRADE,
    TAKE,
    Event,
    read_events,
)
from matching.packed_matcher import PackedMatcher
from matching.plain_matcher import PlainMatcher
from matching.store import Depth, Resting

__all__ = [
    "ASKED",
    "CANCEL",
    "CANCELLED",
    "EVENT_WORDS",
    "FILLED",
    "FILL_OR_KILL",
    "LIMIT",
    "MAX_BOOKS",
    "MAX_ID",
    "MESSAGE",
    "MESSAGE_BYTES",
    "NOT_FILLED",
    "POST",
    "REDUCE",
    "REDUCED",
    "REFUSED",
    "RESTED",
    "SELF_TRADE",
    "TAKE",
    "Books",
    "Event",
    "Matcher",
    "RestingBooks",
    "read_events",
]


class RestingBooks(Protocol):
    """What rests, as both stores let it be read. Sides are numbered 2 x book + side."""

    @property
    def books(self) -> int: ...

    def orders(self, side: int) -> Iterator[Resting]: ...

    def depth(self, side: int) -> Iterator[Depth]: ...

    def resting(self) -> int: ...

    def is_empty(self, book: int) -> bool: ...

    def state_hash(self) -> bytes: ...


class Books(Protocol):
    """What both matchers do."""

    @property
    def store(self) -> RestingBooks: ...

    def apply(self, messages: bytes) -> int: ...

    def events(self) -> bytes: ...

    def count(self) -> int: ...

    def drop(self) -> None: ...

    def state_hash(self) -> bytes: ...


# Code that is compiled is no function of Python's.
Matcher: Final[type[PackedMatcher] | type[PlainMatcher]] = (
    PlainMatcher if isinstance(PackedMatcher.apply, FunctionType) else PackedMatcher
)
"""Books 0 to `books` - 1; `orders`, if told, is how many to have room for from the start."""
