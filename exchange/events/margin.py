"""Events of margin: how an account is margined.

Never: decides anything.
"""

from typing import ClassVar

from exchange.events.base import Event


class MarginChosen(Event, frozen=True, gc=False):
    """An account's margin model and tier from here on, and the least tier that it may have."""

    TYPE: ClassVar[int] = 0x60
    account: int
    model: int
    tier: int
    least_tier: int
