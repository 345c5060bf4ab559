"""Events of transfers between accounts of one owner.

Holds: amounts are micro-USDC, lots are signed.
Never: decides anything.
"""

from typing import ClassVar

from exchange.events.base import Event


class CashTransferred(Event, frozen=True, gc=False):
    """`account` gave `amount_micro` of an asset to `to_account`; what each then has of it."""

    TYPE: ClassVar[int] = 0x78
    account: int
    to_account: int
    asset: int
    amount_micro: int
    cash_micro: int
    to_cash_micro: int


class PositionTransferred(Event, frozen=True, gc=False):
    """`account` gave signed lots to `to_account`, free of payment; what each then has."""

    TYPE: ClassVar[int] = 0x79
    account: int
    to_account: int
    instrument: int
    quantity_lots: int
    position_lots: int
    to_position_lots: int
