"""Events of mass quotes and of market-maker protection.

Holds: a side of a quote is told by its place in the message.
Never: decides anything.
"""

from typing import ClassVar

from exchange.events.base import Event


class QuoteRejected(Event, frozen=True, gc=False):
    """One side of quote `index` of a mass quote was refused; what stood there stands. `code`, `got`
    and `allowed` are those of any reject.
    """

    TYPE: ClassVar[int] = 0x50
    account: int
    index: int
    side: int
    code: int
    got: int
    allowed: int


class QuotesTaken(Event, frozen=True, gc=False):
    """A mass quote is done: `taken` of its sides were, zero lots among them, and `refused` were
    not.
    """

    TYPE: ClassVar[int] = 0x51
    account: int
    message_hash: bytes
    label: int
    taken: int
    refused: int


class ProtectionTripped(Event, frozen=True, gc=False):
    """A protection group reached a limit; all its orders are cancelled. `what`: 1 quantity (lots or
    units), 2 delta (millionths of a lot), 3 vega (micro-USDC); `got` in its window, of `limit`.
    """

    TYPE: ClassVar[int] = 0x52
    account: int
    group: int
    what: int
    got: int
    limit: int


class ProtectionSet(Event, frozen=True, gc=False):
    """A protection group has these terms from now on, and has traded nothing yet."""

    TYPE: ClassVar[int] = 0x53
    account: int
    group: int
    window_ms: int
    frozen_ms: int
    quantity_limit_lots: int
    delta_limit_e6: int
    vega_limit_micro: int


class ProtectionReset(Event, frozen=True, gc=False):
    """A protection group may trade again, and has traded nothing yet."""

    TYPE: ClassVar[int] = 0x54
    account: int
    group: int
