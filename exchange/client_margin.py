"""What a client may ask about its margin, and about margin that it does not have yet.

Holds: amounts, prices and quantities are decimal strings; methods of docs/rpc.md, by the same
parameters.
Never: signs anything.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class MarginQuestions(ABC):
    """The questions of a client that can call methods."""

    @abstractmethod
    async def call(self, method: str, /, **params: Any) -> Any: ...

    @abstractmethod
    def _own_account(self) -> int: ...

    async def margin_breakdown(self) -> Json:
        """Every scenario and charge of the account's margin."""
        return await self.call("account/breakdown", account=self._own_account())

    async def liquidation_prices(self) -> Json:
        """What closing each position would free, and the index at which the account would fall."""
        return await self.call("account/liquidation", account=self._own_account())

    async def what_if(self, *trades: Json, rests: bool = False) -> Json:
        """Margin after trades of `symbol`, signed `quantity` and `price` (None: at the mark); where
        it `rests`, with the one of them as an open order.
        """
        account = self._own_account()
        return await self.call("account/what_if", account=account, trades=trades, rests=rests)

    async def portfolio_margin(self, cash: str, positions: Mapping[str, str]) -> Json:
        """Margin of a portfolio that nobody holds: signed quantities by symbol."""
        held = [{"symbol": symbol, "quantity": text} for symbol, text in positions.items()]
        return await self.call("public/portfolio_margin", cash=cash, positions=held)
