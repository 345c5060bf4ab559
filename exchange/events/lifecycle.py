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
