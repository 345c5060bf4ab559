"""The takers: over WebSocket, as any client, they read the legs' books and trade.

Holds: every order is signed by the taker's wallet in its own process' eth-account; what the
exchange refuses is counted, not hidden.
Never: reads the exchange's state.
"""

import random
from collections import Counter
from typing import Any, Final

from exchange.client import Client, ConnectionLost, Refused
from exchange.demo.stage import Member, Stage
from exchange.demo.strategies import Repertoire, Strategy
from exchange.snapshot_chain import snapshot

CONCESSION: Final = 0.002
"""How far beyond the best net price a taker goes, as a share of its legs' gross price."""


class Taker:
    """One taker. `sent` counts its orders by strategy, `refused` the refusals by their name."""

    def __init__(self, stage: Stage, member: Member, seed: int) -> None:
        self.member = member
        self.sent: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._repertoire = Repertoire(snapshot(), seed)
        self._client = Client(
            stage.host.rpc.url, member.wallet, member.account, clock=stage.clock_s
        )

    async def __aenter__(self) -> "Taker":
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._client.__aexit__(*details)

    @property
    def client(self) -> Client:
        return self._client

    async def trade_once(self) -> None:
        """One order: mostly immediate, at times left to rest for another taker to meet."""
        name = self._random.choice(list(self._repertoire.makers))
        strategy = self._repertoire.draw(name)
        side = self._random.choice(("buy", "sell"))
        net = await self._net_price(strategy, side)
        if net is None:
            return
        rests = self._random.random() < 0.15
        quantity = f"{self._random.randrange(1, 21) / 100:.2f}"
        try:
            self.sent[name] += 1
            await self._client.place(
                strategy.symbol, side, str(net), quantity, time_in_force="GTC" if rests else "IOC"
            )
        except Refused as refused:
            self.refused[str(refused.data.get("name", refused.code))] += 1
        except ConnectionLost:
            self.refused["connection lost"] += 1

    async def _net_price(self, strategy: Strategy, side: str) -> int | None:
        """The price at which the legs' best levels would fill, and a little beyond; whole USDC.
        None where a leg has no level.
        """
        net = gross = 0.0
        for ratio, option in strategy.legs:
            book = await self._client.book(option.name, 1)
            buys = (ratio > 0) == (side == "buy")
            levels: list[dict[str, Any]] = book["asks"] if buys else book["bids"]
            if not levels:
                return None
            price = float(levels[0]["price"])
            net += ratio * price
            gross += abs(ratio) * price
        slack = max(1.0, CONCESSION * gross)
        return round(net + slack if side == "buy" else net - slack) or 1
