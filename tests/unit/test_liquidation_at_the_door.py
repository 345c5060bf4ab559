"""A liquidation as clients see it, over a real socket: called, auctioned, bid for, told to
everyone."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from exchange import commands as c
from exchange.client import Client, Refused
from exchange.drafting import BadTerms
from exchange.gateway_rpc import RpcGateway
from exchange.service import Exchange
from exchange.wallet import Wallet
from matching import rejects as r
from tests.floor import BTC_INDEX, SMILE
from tests.published import WALLETS
from tests.trading_process import OPERATOR_KEY, clock, open_exchange

PERPETUAL = "BTC-PERPETUAL"
DEBTOR = Wallet(b"\x77" * 32)
MAKER, BIDDER, SMALL = 0, 1, 2


@pytest_asyncio.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    opened = Exchange.open(tmp_path, OPERATOR_KEY, clock=clock, fsync=False)
    opened.start()
    await open_exchange(opened)
    await opened.submit(lambda t, _: c.OpenAccount(t, 4, SMALL, DEBTOR.address))
    await opened.submit(lambda t, _: c.CreditDeposit(t, 5, SMALL, 0, 1_200_000_000))
    await opened.submit(lambda t, _: c.SetLiquidation(t, 1))
    yield opened
    await opened.stop()


@pytest_asyncio.fixture
async def gateway(exchange: Exchange) -> AsyncIterator[RpcGateway]:
    gateway = RpcGateway(exchange)
    await gateway.start()
    yield gateway
    await gateway.stop()


def client(gateway: RpcGateway, account: int, wallet: Wallet) -> Client:
    return Client(gateway.url, wallet, account, clock=lambda: clock() / 1e9)


async def mark(exchange: Exchange, percent: int) -> None:
    index = BTC_INDEX * percent // 100
    expiry = (0, index * 101 // 100, *SMILE)
    await exchange.submit(lambda t, _: c.UpdateMarks(t, 0, index, (expiry,)))


async def test_an_auction_is_seen_bid_for_and_told_to_everyone(
    exchange: Exchange, gateway: RpcGateway
) -> None:
    async with (
        client(gateway, MAKER, WALLETS[MAKER]) as maker,
        client(gateway, BIDDER, WALLETS[BIDDER]) as bidder,
        client(gateway, SMALL, DEBTOR) as small,
    ):
        price = str(exchange.state.marks.mark_ticks(exchange.state.instruments[0]) // 2)
        await maker.place(PERPETUAL, "sell", price, "0.06")
        await small.place(PERPETUAL, "buy", price, "0.06")
        await bidder.fund_insurance("5000")
        assert await bidder.auctions() == []
        channel = await bidder.follow("liquidations")
        snapshot = (await anext(channel)).data
        assert snapshot["clearing"]["insuranceFund"] == "5000"
        assert (snapshot["clearing"]["isArmed"], snapshot["auctions"]) == (True, [])

        await mark(exchange, 92)
        told = (await anext(channel)).data["events"]
        assert [event["event"] for event in told] == ["liquidationStarted", "auctionOpened"]
        assert float(told[0]["equity"]) < float(told[0]["maintenance"]) < float(told[0]["worst"])
        (auction,) = await bidder.auctions()
        assert auction["account"] == SMALL
        assert auction["positions"] == [{"symbol": PERPETUAL, "quantity": "0.06"}]
        assert float(auction["price"]) < float(auction["worth"])
        assert (await bidder.clearing())["liquidated"] == [SMALL]
        with pytest.raises(Refused) as refused:
            await small.place(PERPETUAL, "buy", price, "0.01")
        assert refused.value.code == r.IN_LIQUIDATION

        with pytest.raises(Refused) as refused:
            await bidder.bid_auction(SMALL, price="100")
        assert refused.value.code == r.AUCTION_PRICE_ABOVE
        placed = await bidder.bid_auction(SMALL, price=auction["price"])
        (taken,) = [e for e in placed.events if e["event"] == "auctionBidTaken"]
        assert taken["moved"] == [{"symbol": PERPETUAL, "quantity": "0.01"}]
        assert (taken["bidder"], taken["account"]) == (BIDDER, SMALL)
        assert "auctionBidTaken" in str((await anext(channel)).data)
        own: list[dict[str, Any]] = []
        own_channel = await small.follow_account()
        await anext(own_channel)
        while "liquidationEnded" not in str(own):
            await bidder.bid_auction(SMALL)
            own += (await anext(own_channel)).data["events"]
        assert [event for event in own if event["event"] == "liquidationEnded"]
        assert exchange.state.accounts[SMALL].status == 0
        margin = await small.margin()
        assert float(margin["equity"]) > 0


async def test_a_client_says_amounts_and_prices_in_usdc_or_is_told(gateway: RpcGateway) -> None:
    async with client(gateway, BIDDER, WALLETS[BIDDER]) as bidder:
        for amount in ("0", "-5", "1.0000001", "much"):
            with pytest.raises(BadTerms):
                await bidder.fund_insurance(amount)
        with pytest.raises(BadTerms):
            await bidder.bid_auction(SMALL, price="cheap")
        with pytest.raises(Refused) as refused:
            await bidder.bid_auction(SMALL, price="-1.5")
        assert refused.value.code == r.NOT_AUCTIONED
