"""The market makers: over FIX they quote the chain's real bids and asks, and refresh them as the
day goes on.

Holds: every quote has the snapshot's price and size, signed by its maker's wallet; an option is
quoted by one maker; a refreshed quote replaces its order in one message.
Never: reads the exchange's state.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from exchange.demo.stage import Member, Stage
from exchange.gateway_fix import tags
from exchange.gateway_fix.client import FixClient
from exchange.snapshot_chain import BTC_LOT_E8, options_by_number
from exchange.wallet import SigningDomain
from margin.analytics.chain import MICRO_PER_LOT, OptionQuote
from matching.orders import BUY, GTC, SELL
from settlement.signed_messages import NO_ORDER, Order

QUOTE_LIFE_S: Final = 6 * 3_600
MAX_FEE_MICRO: Final = 5_000_000
"""5 USDC a lot of 0.01 BTC: several times what a fill costs."""
IN_FLIGHT: Final = 64
REQUOTE_EVERY_S: Final = 0.05


class _Quote(NamedTuple):
    """A quote that stands, or stood: who made it, and its order's hash."""

    member: Member
    instrument: int
    option: OptionQuote
    side: int
    order_hash: bytes


class MakerDesk:
    """All makers' sessions. `quote_all` first, then `requote_until`."""

    def __init__(self, stage: Stage, members: Sequence[Member], seed: int) -> None:
        self._stage = stage
        self._members = members
        self._random = random.Random(seed)
        self._salt = 0
        self._sessions: dict[str, FixClient] = {}
        self._quotes: list[_Quote] = []
        site = stage.host.site
        self._domain = SigningDomain(site.chain_id, site.settlement_address)
        self.refreshed = 0
        self.refused = 0

    async def __aenter__(self) -> "MakerDesk":
        names = self._stage.host.site.fix_sessions
        for name, member in zip(names, self._members, strict=True):
            self._sessions[member.name] = await FixClient.connect(
                "127.0.0.1", self._stage.host.fix_port, name
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.close()

    async def quote_all(self) -> int:
        """Every two-sided option's bid and ask, shared out among the makers; how many orders now
        rest.
        """
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def one(member: Member, instrument: int, option: OptionQuote, side: int) -> None:
            async with gate:
                await self._quote(member, instrument, option, side, NO_ORDER)

        async with asyncio.TaskGroup() as group:
            for instrument, (_, option) in enumerate(options_by_number()):
                if option.is_two_sided:
                    member = self._members[instrument % len(self._members)]
                    for side in (BUY, SELL):
                        group.create_task(one(member, instrument, option, side))
        return len(self._quotes)

    async def requote_until(self, until: float) -> None:
        """Refreshes quotes one after the other: the same price anew, or a tick worse."""
        while time.monotonic() < until:
            at = self._random.randrange(len(self._quotes))
            quote = self._quotes[at]
            self._quotes[at] = self._quotes[-1]
            self._quotes.pop()
            await self._quote(
                quote.member, quote.instrument, quote.option, quote.side, quote.order_hash
            )
            await asyncio.sleep(REQUOTE_EVERY_S)

    async def _quote(
        self, member: Member, instrument: int, option: OptionQuote, side: int, replaces: bytes
    ) -> None:
        """Sends one side of a quote, in the place of `replaces`. Where that is gone (filled), it
        is quoted anew.
        """
        worse = 0 if replaces == NO_ORDER else self._random.randrange(2)
        ticks = max(option.bid_ticks - worse, 1) if side == BUY else option.ask_ticks + worse
        lots = option.bid_lots if side == BUY else option.ask_lots
        await self._send(member, instrument, option, side, ticks, lots, replaces)

    async def move(self, instrument: int, bid_ticks: int, ask_ticks: int, lots: int) -> None:
        """Quotes one instrument at other prices, the ask first: for a market that rises."""
        mine = [quote for quote in self._quotes if quote.instrument == instrument]
        self._quotes = [quote for quote in self._quotes if quote.instrument != instrument]
        for side, ticks in ((SELL, ask_ticks), (BUY, bid_ticks)):
            for quote in mine:
                if quote.side == side:
                    await self._send(
                        quote.member, instrument, quote.option, side, ticks, lots, quote.order_hash
                    )

    async def _send(
        self,
        member: Member,
        instrument: int,
        option: OptionQuote,
        side: int,
        ticks: int,
        lots: int,
        replaces: bytes,
    ) -> None:
        self._salt += 1
        order = Order(
            account=member.account,
            counter=0,
            side=side,
            time_in_force=GTC,
            flags=0,
            limit_price_micro=ticks * MICRO_PER_LOT,
            quantity_lots=lots,
            max_fee_micro=MAX_FEE_MICRO,
            expiry_s=int(self._stage.clock_s()) + QUOTE_LIFE_S,
            salt=self._salt,
            replaces=replaces,
            legs=((instrument, 1),),
        )
        signed = member.wallet.sign(order, self._domain)
        session = self._sessions[member.name]
        send = session.place if replaces == NO_ORDER else session.replace
        report = await send(order, signed.signature, option.name, BTC_LOT_E8)
        taken = report.type == tags.EXECUTION_REPORT and report.get(tags.REJECT_CODE) is None
        if taken:
            self.refreshed += replaces != NO_ORDER
            self._quotes.append(_Quote(member, instrument, option, side, signed.message_hash))
        elif replaces != NO_ORDER:
            await self._send(member, instrument, option, side, ticks, lots, NO_ORDER)
        else:
            self.refused += 1
