"""Events of assets other than cash: listed, and sold for cash that an account owed.

Holds: amounts are micro-units of the asset, cash is micro-USDC.
Never: decides anything.
"""

from typing import ClassVar

from exchange.events.base import Event


class AssetListed(Event, frozen=True, gc=False):
    """Terms of an asset that counts as margin, the first or new ones, as in the command."""

    TYPE: ClassVar[int] = 0x88
    asset: int
    name: bytes
    decimals: int
    kind: int
    underlying: int
    initial_haircut_e4: int
    maintenance_haircut_e4: int
    cap_micro: int
    discount_e4: int


class CollateralConverted(Event, frozen=True, gc=False):
    """`buyer` paid cash for collateral of `debtor`, whose cash was below zero. Cash of both after
    it, with all that had accrued, and the debtor's excess before and after it.
    """

    TYPE: ClassVar[int] = 0x89
    buyer: int
    debtor: int
    asset: int
    amount_micro: int
    paid_micro: int
    buyer_cash_micro: int
    debtor_cash_micro: int
    excess_before_micro: int
    excess_after_micro: int
