"""Events of fees and funding.

Holds: rates of fees are in 1e-6 of the index, of funding in 1e-9 of it a period.
Never: decides anything.
"""

from typing import ClassVar

from exchange.events.base import Event


class FeeLevelSet(Event, frozen=True, gc=False):
    """Makers on an underlying pay `maker_rate_e6` from here on, and receive it where it is
    negative.
    """

    TYPE: ClassVar[int] = 0x80
    underlying: int
    level: int
    maker_rate_e6: int


class FundingSet(Event, frozen=True, gc=False):
    """A perpetual's funding follows its premium by these terms; disarmed where all are zero."""

    TYPE: ClassVar[int] = 0x81
    instrument: int
    cap_e6: int
    band_e6: int
    period_s: int
    impact_lots: int
    sample_s: int


class FundingSampled(Event, frozen=True, gc=False):
    """The premium of a perpetual's book, in 1e-9 of the index, and the rate a period that is in
    force from here on. Impact prices are micro-USDC per lot, the bid's rounded down and the ask's
    up, 0 where that side has not the impact quantity or nothing trades.
    """

    TYPE: ClassVar[int] = 0x82
    instrument: int
    index_micro: int
    impact_bid_micro: int
    impact_ask_micro: int
    premium_e9: int
    rate_e9: int
