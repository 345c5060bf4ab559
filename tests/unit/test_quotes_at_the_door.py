"""Mass quotes and protection from a client's words to the engine and back, over a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from exchange.client import Client, Refused
from exchange.drafting import BadTerms, QuoteTerms
from exchange.gateway_rpc import RpcGateway
from exchange.service import Exchange
from exchange.wallet import Wallet
from matching import rejects as r
from tests.published import WALLETS
from tests.trading_process import OPERATOR_KEY, clock, open_exchange

CALL, HIGHER = "BTC-27MAR26-90000-C", "BTC-27MAR26-100000-C"


@pytest_asyncio.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    opened = Exchange.open(tmp_path, OPERATOR_KEY, clock=clock, fsync=False)
    opened.start()
    await open_exchange(opened)
    yield opened
    await opened.stop()


@pytest_asyncio.fixture
async def gateway(exchange: Exchange) -> AsyncIterator[RpcGateway]:
    gateway = RpcGateway(exchange)
    await gateway.start()
    yield gateway
    await gateway.stop()


def client(gateway: RpcGateway, account: int, wallet: Wallet | None = None) -> Client:
    wallet = WALLETS[account] if wallet is None else wallet
    return Client(gateway.url, wallet, account, clock=lambda: clock() / 1e9)


def kinds(events: list[dict[str, object]]) -> list[object]:
    return [event["event"] for event in events]


async def test_a_maker_quotes_two_calls_and_a_spread(gateway: RpcGateway) -> None:
    spread = f"-1 {CALL}, +1 {HIGHER}"  # what is written is sold in the book
    async with client(gateway, 0) as maker:
        placed = await maker.quote(
            [
                QuoteTerms(CALL, ("9300", "0.05"), ("9310", "0.06")),
                QuoteTerms(HIGHER, None, ("3960", "0.02")),
                QuoteTerms(spread, ("-5360", "0.03"), ("-5350", "0.04")),
            ],
            label=7,
        )
        assert placed.events[-1]["event"] == "quotesTaken"
        assert (placed.events[-1]["taken"], placed.events[-1]["refused"]) == (6, 0)
        book = await maker.book(CALL)
        best = [(side[0]["price"], side[0]["quantity"]) for side in (book["bids"], book["asks"])]
        assert best == [("9300", "0.05"), ("9310", "0.06")]
        book = await maker.book("BTC-CS-27MAR26-90000_100000")
        best = [(side[0]["price"], side[0]["quantity"]) for side in (book["bids"], book["asks"])]
        assert best == [("5350", "0.04"), ("5360", "0.03")]
        again = await maker.quote([QuoteTerms(CALL, None, ("9310", "0.05"))], label=7)
        assert kinds(again.events).count("orderCancelled") == 2
        assert (await maker.book(CALL))["bids"] == []


async def test_a_side_that_is_refused_is_named(gateway: RpcGateway) -> None:
    async with client(gateway, 0) as maker:
        terms = [
            QuoteTerms(CALL, ("9310", "0.05"), ("9300", "0.05")),
            QuoteTerms(HIGHER, ("3950", "0.05"), None),
        ]
        placed = await maker.quote(terms)
        refused = [event for event in placed.events if event["event"] == "quoteRejected"]
        assert [(event["index"], event["side"], event["code"]) for event in refused] == [
            (0, "buy", r.QUOTE_CROSSED),
            (0, "sell", r.QUOTE_CROSSED),
        ]
        with pytest.raises(BadTerms):
            await maker.quote([])


async def test_a_stranger_quotes_for_nobody(gateway: RpcGateway) -> None:
    async with client(gateway, 0, WALLETS[1]) as mallory:
        with pytest.raises(Refused) as refused:
            await mallory.quote([QuoteTerms(CALL, ("9300", "0.05"), None)])
    assert refused.value.code == r.WRONG_SIGNER


async def test_a_group_is_set_trips_and_is_reset(gateway: RpcGateway) -> None:
    quote = [QuoteTerms(CALL, ("9300", "0.05"), ("9310", "0.05"))]
    async with client(gateway, 0) as maker, client(gateway, 1) as taker:
        with pytest.raises(Refused) as refused:
            await maker.quote(quote, protection=3)
        assert refused.value.code == r.PROTECTION_NOT_SET
        placed = await maker.set_protection(3, 60_000, 0, lots=4)
        assert kinds(placed.events) == ["protectionSet"]
        await maker.quote(quote, protection=3)
        account = await maker.follow_account()
        await anext(account)
        filled = await taker.place(CALL, "buy", "9310", "0.05", time_in_force="IOC")
        assert filled.events[-1]["remaining"] == "0.01"
        told = (await anext(account)).data
        assert "protectionTripped" in str(told)
        (group,) = await maker.call("protection/get", account=0)
        assert (group["group"], group["isTripped"], group["lots"]) == (3, True, 4)
        with pytest.raises(Refused) as refused:
            await maker.quote(quote, protection=3)
        assert refused.value.code == r.PROTECTION_TRIPPED
        assert kinds((await maker.reset_protection(3)).events) == ["protectionReset"]
        (group,) = await maker.call("protection/get", account=0)
        assert (group["isTripped"], group["lots"]) == (False, 0)
        await maker.quote(quote, protection=3)
