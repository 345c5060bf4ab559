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
