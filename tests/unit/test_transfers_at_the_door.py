"""Transfers from a client's words to the engine and back, over a real socket; the auditor recovers
their signatures from the journal.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from exchange import commands as c
from exchange.client import Client, Refused
from exchange.codec import decode_command
from exchange.drafting import BadTerms
from exchange.gateway_rpc import RpcGateway
from exchange.service import Exchange
from exchange.wallet import Wallet
from matching import rejects as r
from settlement.account_messages import TransferCash, TransferPosition
from settlement.signature import recover
from settlement.signed_messages import domain_separator, signing_digest, struct_hash
from tests.published import DOMAIN, WALLETS
from tests.trading_process import OPERATOR_KEY, clock, open_exchange

CALL = "BTC-27MAR26-90000-C"
SPREAD = "BTC-CS-27MAR26-90000_100000"
MAIN, OTHER, SUB = 0, 1, 2


@pytest_asyncio.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    opened = Exchange.open(tmp_path, OPERATOR_KEY, clock=clock, fsync=False)
    opened.start()
    await open_exchange(opened)
    owner = WALLETS[MAIN].address
    await opened.submit(lambda t, _: c.OpenAccount(t, 4, SUB, owner))
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


async def test_an_owner_sees_its_accounts_and_moves_cash_and_a_position(
    gateway: RpcGateway, exchange: Exchange
) -> None:
    async with client(gateway, MAIN) as main, client(gateway, OTHER) as other:
        sub = client(gateway, SUB, WALLETS[MAIN])
        async with sub:
            follows = await sub.follow_account()
            await anext(follows)
            assert [view["account"] for view in await main.accounts()] == [MAIN, SUB]
            placed = await main.transfer_cash(SUB, "250000.5")
            assert placed.events[-1] == {
                "event": "cashTransferred",
                "account": MAIN,
                "toAccount": SUB,
                "asset": 0,
                "amount": "250000.5",
                "cash": "749999.5",
                "toCash": "250000.5",
            }
            told = (await anext(follows)).data
            assert "cashTransferred" in str(told), "the receiver is told, too"
            cursor = exchange.state.inbox_cursor
            await exchange.submit(lambda t, _: c.CreditDeposit(t, cursor, MAIN, 9, 5_000_000))
            placed = await main.transfer_cash(SUB, "1.5", asset=9)
            assert placed.events[-1] == {
                "event": "collateralTransferred",
                "account": MAIN,
                "toAccount": SUB,
                "asset": 9,
                "amount": "1.5",
                "balance": "3.5",
                "toBalance": "1.5",
            }
            await other.place(CALL, "buy", "9300", "0.05")
            await main.place(CALL, "sell", "9300", "0.05")
            placed = await main.transfer_position(SUB, CALL, "-0.02")
            (moved,) = [e for e in placed.events if e["event"] == "positionTransferred"]
            assert (moved["quantity"], moved["position"]) == ("-0.02", "-0.03")
            assert (moved["toPosition"], moved["symbol"]) == ("-0.02", CALL)
            (held,) = await sub.positions()
            assert held["quantity"] == "-0.02"
    journal = [decode_command(entry.payload) for entry in exchange.journal.read()]
    for command in journal:
        if isinstance(command, c.TransferCash | c.TransferPosition):
            kind = TransferCash if isinstance(command, c.TransferCash) else TransferPosition
            fields = [getattr(command, name) for name in kind._fields]
            assert struct_hash(kind(*fields)) == command.message_hash
            digest = signing_digest(domain_separator(*DOMAIN), command.message_hash)
            assert recover(digest, command.signature) == command.signer == WALLETS[MAIN].address
    assert sum(isinstance(command, c.TransferPosition) for command in journal) == 1


async def test_what_may_not_move_is_refused_with_its_code(gateway: RpcGateway) -> None:
    async with client(gateway, MAIN) as main:
        for asked, code in (
            (main.transfer_cash(OTHER, "1"), r.OTHER_OWNER),
            (main.transfer_cash(MAIN, "1"), r.TRANSFER_TO_ITSELF),
            (main.transfer_cash(SUB, "1000000.000001"), r.TRANSFER_TOO_LARGE),
            (main.transfer_position(SUB, CALL, "0.01"), r.LOTS_NOT_HELD),
        ):
            with pytest.raises(Refused) as refused:
                await asked
            assert refused.value.code == code
        for words in ("0", "-1", "0.0000001", "much"):
            with pytest.raises(BadTerms):
                await main.transfer_cash(SUB, words)
        for symbol, quantity in ((CALL, "0"), (CALL, "0.001"), (SPREAD, "1"), ("BTC-NO", "1")):
            with pytest.raises(BadTerms):
                await main.transfer_position(SUB, symbol, quantity)
    async with client(gateway, MAIN, WALLETS[OTHER]) as mallory:
        with pytest.raises(Refused) as refused:
            await mallory.transfer_cash(SUB, "1")
        assert refused.value.code == r.WRONG_SIGNER


async def test_an_address_without_accounts_has_none(gateway: RpcGateway) -> None:
    async with Client(gateway.url, Wallet.create()) as nobody:
        assert await nobody.accounts() == []
        with pytest.raises(Refused) as refused:
            await nobody.call("account/of_owner", owner="0x" + "ab" * 19)
        assert refused.value.code < 0
