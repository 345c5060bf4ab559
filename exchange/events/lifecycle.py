"""Events of how instruments end: sampled, settled, delisted.

Holds: prices are micro-USDC per lot.
Never: decides anything.
"""

from typing import ClassVar

from exchange.events.base import Event


class SettlementSampled(Event, frozen=True, gc=False):
    """Of the thirty samples that an expiry settles at, `seen` were held against the index that the
    exchange itself had in force at their minutes; the others, where it or its source was down, are
    the operator's word. Stands before ExpirySettled.
    """

    TYPE: ClassVar[int] = 0x7A
    expiry: int
    seen: int


class DelistingAnnounced(Event, frozen=True, gc=False):
    """A perpetual stops to trade at `end_time_s` and is settled then."""

    TYPE: ClassVar[int] = 0x7B
    instrument: int
    end_time_s: int


class InstrumentDelisted(Event, frozen=True, gc=False):
    """The instrument is closed for good: nobody holds it, no order or combo names it."""

    TYPE: ClassVar[int] = 0x7C
    instrument: int


class PerpetualSettled(Event, frozen=True, gc=False):
    """A perpetual ends at this price, of whose thirty samples `seen` were the exchange's own. What
    each holder gets follows, as PositionSettled.
    """

    TYPE: ClassVar[int] = 0x7D
    instrument: int
    settlement_micro: int
    seen: int
