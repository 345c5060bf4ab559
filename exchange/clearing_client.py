"""What a client can do in clearing: move what it has between its accounts, choose how it is
margined, bid for what is auctioned, buy collateral of who owes cash, give to the insurance fund,
look.

Holds: part of `exchange.client.Client`.
Never: sends what was not signed.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from exchange.drafting import BadTerms, Markets, cash_micro
from exchange.symbols import parse_price
from settlement.account_messages import (
    BidAuction,
    ChooseMargin,
    ConvertCollateral,
    FundInsurance,
    TransferCash,
    TransferPosition,
)
from settlement.signed_messages import Message

if TYPE_CHECKING:
    from exchange.client import Placed

_LIFE_S: Final = 60
_CASH_LOT_E8: Final = 10**8
_ANY_PRICE: Final = (1 << 63) - 1


class ClearingCalls(ABC):
    """Calls of clearing on a client's connection."""

    _clock: Callable[[], float]
    markets: Markets

    @abstractmethod
    async def call(self, method: str, **params: Any) -> Any: ...

    @abstractmethod
    async def _send(self, method: str, message: Message) -> "Placed": ...

    @abstractmethod
    def _own_account(self) -> int: ...

    async def auctions(self) -> list[dict[str, Any]]:
        """What is auctioned now: each with its price for the whole portfolio and the share that can
        be had.
        """
        return await self.call("public/auctions")

    async def clearing(self) -> dict[str, Any]:
        """The insurance fund and who is under liquidation."""
        return await self.call("public/clearing")

    async def bid_auction(
        self,
        auction: int,
        share_e6: int = 1_000_000,
        *,
        least_share_e6: int = 1,
        price: str | None = None,
    ) -> "Placed":
        """Takes a share of what is auctioned of an account, in millionths; `price` is the most for
        the whole portfolio in USDC, with what its owner owes (negative: the least that one is paid
        for it), None takes the price of the moment, whatever it is.
        """
        price_micro = _ANY_PRICE if price is None else parse_price(price, _CASH_LOT_E8)
        if price_micro is None:
            raise BadTerms(f"price {price!r} is not a decimal in steps of 0.000001")
        expiry_s = int(self._clock()) + _LIFE_S
        salt = secrets.randbits(63)
        message = BidAuction(
            self._own_account(), auction, share_e6, least_share_e6, price_micro, salt, expiry_s
        )
        return await self._send("auction/bid", message)

    async def fund_insurance(self, amount: str) -> "Placed":
        """Gives USDC of the account to the insurance fund."""
        amount_micro = cash_micro(amount)
        expiry_s = int(self._clock()) + _LIFE_S
        message = FundInsurance(self._own_account(), amount_micro, secrets.randbits(63), expiry_s)
        return await self._send("insurance/fund", message)

    async def transfer_cash(self, to_account: int, amount: str, asset: int = 0) -> "Placed":
        """Moves `amount` of an asset (0: USDC) to another account of the same owner."""
        terms = (asset, cash_micro(amount), secrets.randbits(64), int(self._clock()) + _LIFE_S)
        message = TransferCash(self._own_account(), to_account, *terms)
        return await self._send("transfer/cash", message)

    async def transfer_position(self, to_account: int, symbol: str, quantity: str) -> "Placed":
        """Moves a part of a position to another account of the same owner, free of payment:
        `quantity` above 0 of a long position, below 0 of a short one.
        """
        position = self.markets.position(symbol, quantity)
        terms = (*position, secrets.randbits(64), int(self._clock()) + _LIFE_S)
        message = TransferPosition(self._own_account(), to_account, *terms)
        return await self._send("transfer/position", message)

    async def choose_margin(self, model: int, tier: int = 0) -> "Placed":
        """Margins the account by a model (0 portfolio, 1 standard) and a tier of risk; the owner's
        key signs.
        """
        expiry_s = int(self._clock()) + _LIFE_S
        salt = secrets.randbits(64)
        message = ChooseMargin(self._own_account(), model, tier, salt, expiry_s)
        return await self._send("account/choose_margin", message)

    async def convert_collateral(
        self, debtor: int, asset: int, paid_most: str, received_least: str
    ) -> "Placed":
        """Buys collateral of an account that owes cash (docs/collateral.md)."""
        amounts = (cash_micro(paid_most), cash_micro(received_least))
        terms = (debtor, asset, *amounts, secrets.randbits(64), int(self._clock()) + _LIFE_S)
        message = ConvertCollateral(self._own_account(), *terms)
        return await self._send("collateral/convert", message)
