"""Events of one account: opened, credited, settled, withdrawn from.

Holds: amounts are micro-units of the asset that is named, else micro-USDC.
Never: decides anything.
"""

from typing import ClassVar

from exchange.events.base import Event


class AccountOpened(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x10
    account: int
    owner: bytes


class DepositCredited(Event, frozen=True, gc=False):
    """`balance_micro` is what the account has of the asset after it: of asset 0 its cash."""

    TYPE: ClassVar[int] = 0x11
    account: int
    asset: int
    amount_micro: int
    balance_micro: int


class KeyRegistered(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x12
    account: int
    key: bytes
    valid_until_s: int


class WithdrawalRequested(Event, frozen=True, gc=False):
    """`number` is the leaf under which the batch that carries it lets it be claimed;
    `balance_micro` as in DepositCredited.
    """

    TYPE: ClassVar[int] = 0x13
    account: int
    asset: int
    amount_micro: int
    number: int
    balance_micro: int


class CounterRaised(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x14
    account: int
    counter: int


class ClaimRecorded(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x15
    number: int
    amount_micro: int


class PositionSettled(Event, frozen=True, gc=False):
    """An account took what one of its positions had accrued; `closed` is 1 where the expiry was
    settled and the position is gone.
    """

    TYPE: ClassVar[int] = 0x16
    account: int
    instrument: int
    amount_micro: int
    closed: int
