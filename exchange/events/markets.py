"""Events of what is traded: listed, marked, funded, settled, halted.

Holds: prices are micro-USDC per lot.
Never: decides anything.
"""

from typing import ClassVar, Final

from exchange.events.base import Event

STATE_REASONS: Final[tuple[str, ...]] = (
    "none given",
    "opening",
    "maintenance",
    "disorderly market",
    "technical fault",
    "mark or index in doubt",
    "delisting",
    "ordered by an authority",
)
"""Why the operator sets a trading state, by number."""


class UnderlyingListed(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x21
    underlying: int
    name: bytes
    lot_e8: int


class ExpiryListed(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x22
    expiry: int
    underlying: int
    expiry_time_s: int


class InstrumentListed(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x23
    instrument: int
    symbol: bytes


class MarksUpdated(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x24
    underlying: int
    index_micro: int
    epoch: int


class FundingAccrued(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x25
    instrument: int
    rate_micro: int
    accrual_micro: int


class ExpirySettled(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x26
    expiry: int
    settlement_micro: int


class TradingStateChanged(Event, frozen=True, gc=False):
    """The operator set a scope's own state; the one in force is the most restrictive of venue,
    underlying (with its breaker) and instrument. `before` is what the operator had set.
    """

    TYPE: ClassVar[int] = 0x27
    scope: int
    number: int
    state: int
    before: int
    reason: int


class BreakerArmed(Event, frozen=True, gc=False):
    """An underlying's breaker has new parameters; disarmed where there are no levels."""

    TYPE: ClassVar[int] = 0x28
    underlying: int
    window_s: int
    calm_window_s: int
    calm_e4: int
    levels: tuple[tuple[int, int, int], ...]


class BreakerTripped(Event, frozen=True, gc=False):
    """The index came `threshold_e4` or more away from `reference_micro`, which was in force within
    the window: the underlying is in `state`, until second `until_s` at least.
    """

    TYPE: ClassVar[int] = 0x29
    underlying: int
    state: int
    level: int
    index_micro: int
    reference_micro: int
    threshold_e4: int
    until_s: int


class BreakerReleased(Event, frozen=True, gc=False):
    """The index kept between `low_micro` and `high_micro` for the calm window (both 0 where the
    breaker was disarmed): the breaker asks for nothing any more.
    """

    TYPE: ClassVar[int] = 0x2A
    underlying: int
    low_micro: int
    high_micro: int
    tripped_s: int
