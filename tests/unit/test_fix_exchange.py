"""The FIX door on the real exchange, with its journal, engine and margin: what a combo's owner is
told, and what is told after a restart.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange import commands as c
from exchange.gateway_fix.client import FixClient
from exchange.gateway_fix.message import Message
from exchange.gateway_fix.server import Counterparty, FixServer
from exchange.gateway_fix.store import FileStore
from exchange.service import Exchange
from exchange.wallet import SigningDomain, Wallet
from matching.instruments import CALL
from matching.orders import BUY, GTC, SELL
from settlement.signature import Signer
from settlement.signed_messages import NO_ORDER, Order, struct_hash
from tests.floor import BTC_INDEX, CHAIN_ID, MARCH, NS, SETTLEMENT, SMILE, START_S

LOT_E8 = 1_000_000
OPERATOR = Signer(b"\x09" * 32)
DOMAIN = SigningDomain(CHAIN_ID, SETTLEMENT)
WALLETS = [Wallet(bytes((number,)) * 32) for number in (1, 2, 3)]
CALL_90, CALL_100 = "BTC-27MAR26-90000-C", "BTC-27MAR26-100000-C"
SPREAD = f"+1*{CALL_90},-1*{CALL_100}"
SPREAD_LEGS = ((0, 1), (1, -1))


async def found(exchange: Exchange) -> None:
    """Two calls, marked, and three accounts of a million."""
    now = START_S * NS
    setup: list[c.Command] = [
        c.Genesis(now, CHAIN_ID, SETTLEMENT, OPERATOR.address, 300, 500, 1_250, 0, 1_000, 0, 18),
        c.ListUnderlying(now, 0, b"BTC".ljust(8, b"\0"), LOT_E8),
        c.ListExpiry(now, 0, 0, MARCH),
        c.ListInstrument(now, 0, CALL, 0, 0, 900_000_000, 10_000),
        c.ListInstrument(now, 1, CALL, 0, 0, 1_000_000_000, 10_000),
        c.UpdateMarks(now, 0, BTC_INDEX, ((0, BTC_INDEX, *SMILE),)),
    ]
    for number, wallet in enumerate(WALLETS):
        setup.append(c.OpenAccount(now, 2 * number, number, wallet.address))
        setup.append(c.CreditDeposit(now, 2 * number + 1, number, 0, 10**12))
    for command in setup:
        await exchange.submit(lambda _time, _hash, command=command: command)


class Street:
    """The exchange and its door, which can be closed and opened again on what they left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.salt = 0

    async def open(self) -> None:
        self.exchange = Exchange.open(
            self.directory / "journal", OPERATOR, clock=lambda: START_S * NS, fsync=False
        )
        self.exchange.start()
        if not self.exchange.state.instruments:
            await found(self.exchange)
        self.door = FixServer(
            self.exchange,
            [Counterparty(f"T{number}") for number in range(3)],
            directory=self.directory / "fix",
            clock=lambda: START_S * NS,
        )
        self.port = await self.door.start(port=0)

    async def close(self) -> None:
        await self.door.stop()
        await self.exchange.stop()


class Trader:
    """One account with its own session."""

    def __init__(self, street: Street, account: int, store: FileStore | None = None) -> None:
        self.street, self.account, self.store = street, account, store
        self.heard: list[Message] = []

    async def __aenter__(self) -> "Trader":
        self.client = await FixClient.connect(
            "127.0.0.1",
            self.street.port,
            f"T{self.account}",
            store=self.store,
            on_report=self.heard.append,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    def order(self, side: int, price: int, lots: int, *legs: tuple[int, int]) -> Order:
        self.street.salt += 1
        return Order(
            self.account, 0, side, GTC, 0, price * 10_000, lots, 10**9, START_S + 3_600,
            self.street.salt, NO_ORDER, legs,
        )  # fmt: skip

    async def place(self, order: Order, symbol: str) -> Message:
        signature = WALLETS[self.account].sign(order, DOMAIN).signature
        return await self.client.place(order, signature, symbol, LOT_E8)

    async def quote(self, symbol: str, side: int, price: int, lots: int) -> Message:
        instrument = 0 if symbol == CALL_90 else 1
        return await self.place(self.order(side, price, lots, (instrument, 1)), symbol)

    async def spread(self, side: int, price: int, units: int) -> Message:
        return await self.place(self.order(side, price, units, *SPREAD_LEGS), SPREAD)

    async def sync(self) -> None:
        """Waits until all that was said before was heard."""
        answer = await self.quote("NOTHING", BUY, 1, 1)
        assert answer.get(150) == "8"
        self.heard.remove(answer)

    def trades(self) -> list[tuple[str | None, ...]]:
        """(442, symbol, side, price, quantity, cumulative, leaves) of all Trade reports."""
        tags = (442, 55, 54, 31, 32, 14, 151)
        return [tuple(told.get(tag) for tag in tags) for told in self.heard if told.get(150) == "F"]


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    street = Street(tmp_path)
    await street.open()
    yield street
    await street.close()


async def test_a_combo_that_trades_with_its_legs_books_is_told_to_all_three(
    street: Street,
) -> None:
    async with (
        Trader(street, 0) as lower,
        Trader(street, 1) as upper,
        Trader(street, 2) as taker,
    ):
        assert (await lower.quote(CALL_90, SELL, 9_000, 20)).get(150) == "0"
        assert (await upper.quote(CALL_100, BUY, 4_000, 30)).get(150) == "0"
        assert (await taker.spread(BUY, 5_000, 10)).get(150) == "0"
        for trader in (lower, upper, taker):
            await trader.sync()
        assert taker.trades() == [
            ("3", SPREAD, "1", "5000", "0.1", "0.1", "0"),
            ("2", CALL_90, "1", "9000", "0.1", "0.1", "0"),
            ("2", CALL_100, "2", "4000", "0.1", "0.1", "0"),
        ]
        assert lower.trades() == [("1", CALL_90, "2", "9000", "0.1", "0.1", "0.1")]
        assert upper.trades() == [("1", CALL_100, "1", "4000", "0.1", "0.1", "0.2")]


async def test_two_combos_that_meet_in_their_own_book_are_both_told_leg_by_leg(
    street: Street,
) -> None:
    async with Trader(street, 0) as maker, Trader(street, 1) as taker:
        assert (await maker.spread(SELL, 5_000, 25)).get(150) == "0"
        assert (await taker.spread(BUY, 5_100, 10)).get(150) == "0"
        await maker.sync()
        await taker.sync()
        for trader, side, other, leaves in ((maker, "2", "1", "0.15"), (taker, "1", "2", "0")):
            whole, first, second = trader.trades()
            assert whole == ("3", SPREAD, side, "5000", "0.1", "0.1", leaves)
            assert first[:3] == ("2", CALL_90, side)
            assert second[:3] == ("2", CALL_100, other)
            assert float(first[3] or 0) - float(second[3] or 0) == 5_000


async def test_a_refusal_for_margin_reaches_the_client_with_its_numbers(street: Street) -> None:
    async with Trader(street, 0) as trader:
        answer = await trader.quote(CALL_90, SELL, 9_000, 1_000_000)
        assert (answer.get(150), answer.get(103), answer.get(20010)) == ("8", "3", "601")
        assert "initial margin would be short by" in answer.text(58)


@pytest.mark.parametrize("is_combo", [False, True])
async def test_after_a_restart_of_everything_a_resting_order_is_still_its_sessions(
    street: Street, tmp_path: Path, is_combo: bool
) -> None:
    store = FileStore(tmp_path / "client.fix")
    async with Trader(street, 0, store) as maker:
        if is_combo:
            await maker.spread(SELL, 5_000, 25)
        else:
            await maker.quote(CALL_90, SELL, 9_000, 25)
    await street.close()
    await street.open()
    async with Trader(street, 0, store) as maker, Trader(street, 1) as taker:
        if is_combo:
            await taker.spread(BUY, 5_000, 10)
        else:
            await taker.quote(CALL_90, BUY, 9_000, 10)
        await maker.sync()
        assert maker.trades()[0][3:] == (
            ("5000" if is_combo else "9000"), "0.1", "0.1", "0.15",
        )  # fmt: skip
    store.close()


@pytest.mark.parametrize("is_combo", [False, True])
async def test_fills_that_the_door_did_not_live_to_tell_are_told_after_the_restart(
    street: Street, tmp_path: Path, is_combo: bool
) -> None:
    store = FileStore(tmp_path / "client.fix")
    async with Trader(street, 0, store) as maker:
        if is_combo:
            await maker.spread(SELL, 5_000, 25)
        else:
            await maker.quote(CALL_90, SELL, 9_000, 25)
    await street.door.stop()
    # The door is gone, the exchange lives on: somebody trades with what rests.
    legs = SPREAD_LEGS if is_combo else ((0, 1),)
    price = 50_000_000 if is_combo else 90_000_000
    for salt, lots in ((1_001, 10), (1_002, 5)):
        order = Order(1, 0, BUY, GTC, 0, price, lots, 10**9, START_S + 60, salt, NO_ORDER, legs)
        verdict = await street.exchange.place(order, WALLETS[1].sign(order, DOMAIN).signature)
        assert verdict.reject is None
    await street.exchange.stop()
    await street.open()
    async with Trader(street, 0, store) as maker:
        await maker.sync()
        whole = [told for told in maker.trades() if told[0] in "13"]
        shown = "5000" if is_combo else "9000"
        assert [told[3:] for told in whole] == [
            (shown, "0.1", "0.1", "0.15"),
            (shown, "0.05", "0.15", "0.1"),
        ]
        assert len(maker.trades()) == (6 if is_combo else 2)
        assert all(told.is_set(43) for told in maker.heard if told.get(150) == "F")
    store.close()


async def test_the_name_of_an_order_is_its_hash(street: Street) -> None:
    async with Trader(street, 0) as trader:
        order = trader.order(SELL, 9_000, 1, (0, 1))
        answer = await trader.place(order, CALL_90)
        assert answer.get(37) == "0x" + struct_hash(order).hex()
