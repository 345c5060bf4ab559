"""Events of the exchange as a whole: opened, its batches, its time.

Holds: a batch's bytes are as they are posted.
Never: decides anything.
"""

from typing import ClassVar

from exchange.events.base import Event


class ExchangeOpened(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x20
    chain_id: int
    settlement: bytes
    state_root: bytes


class BatchCut(Event, frozen=True, gc=False):
    """A batch is closed: `groups` of records in `data`, its canonical encoding
    (`settlement/batch.py`), ready to be posted.
    """

    TYPE: ClassVar[int] = 0x30
    number: int
    state_root: bytes
    groups: int
    data: bytes


class BatchConfirmed(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x31
    number: int
    block: int
    transaction: bytes


class TimeAdvanced(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x32
    time_ns: int
