"""The FIX door over real sockets. The client is simplefix, or our own where its comfort is what is
tested.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from exchange.gateway_fix import server as server_module
from exchange.gateway_fix.client import FixClient, FixClientError
from exchange.gateway_fix.message import Message
from exchange.gateway_fix.server import Counterparty, FixDoorError, FixServer
from exchange.gateway_fix.store import FileStore
from exchange.wallet import Wallet
from matching.orders import BUY, SELL
from settlement.signature import recover
from settlement.signed_messages import (
    Acknowledgement,
    Cancel,
    Order,
    signing_digest,
    struct_hash,
)
from tests.model.fix import Parser, Received, message, timestamp
from tests.unit.small_venue import DOMAIN, LOT_E8, SYMBOLS, SmallVenue

LOGON = ((98, 0), (108, 30))
WALLETS = [Wallet(bytes((number,)) * 32) for number in (1, 2, 3)]
NAMES = ("MAKER", "TAKER", "OTHER")


def an_order(account: int, side: int, price: int = 1_234, lots: int = 50, **more: Any) -> Order:
    """`price` in USDC per BTC."""
    return Order(
        account, 0, side, more.get("time_in_force", 0), 0, price * 10_000, lots, 1_000,
        2_000_000_000, more.get("salt", account), more.get("replaces", bytes(32)),
        more.get("legs", ((0, 1),)),
    )  # fmt: skip


def signed(order: Order | Cancel) -> bytes:
    return WALLETS[order.account].sign(order, DOMAIN).signature


def order_body(order: Order, cl_ord_id: str, symbol: str = SYMBOLS[0]) -> list[tuple[int, Any]]:
    """A D for an order, written by hand."""
    price = f"{order.limit_price_micro / 10_000:.4f}"
    return [
        (11, cl_ord_id), (1, order.account), (55, symbol), (54, 1 + order.side),
        (38, f"{order.quantity_lots / 100:.2f}"), (40, 2), (44, price),
        (59, {0: 1, 1: 3, 2: 4}[order.time_in_force]), (60, timestamp(time.time_ns())),
        (20001, order.counter), (20002, order.max_fee_micro), (20003, order.expiry_s),
        (20004, order.salt), (20005, signed(order).hex()),
    ]  # fmt: skip


class Peer:
    """A counterparty on a socket, written with simplefix."""

    def __init__(self, port: int, name: str) -> None:
        self.port, self.name = port, name
        self.number = 1
        self.heard: list[Received] = []

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.parser = Parser()

    async def say(self, kind: str, *body: tuple[int, Any], **more: Any) -> None:
        number = more.pop("number", self.number)
        data = message(kind, number, *body, sender=self.name, time_ns=time.time_ns(), **more)
        self.number = number + 1
        await self.write(data)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, kind: str | None = None) -> Received:
        """The next message, which must be of a kind."""
        while not self.heard:
            data = await asyncio.wait_for(self.reader.read(65_536), 5)
            assert data, "the door closed the connection"
            self.heard += self.parser.feed(data)
        found = self.heard.pop(0)
        assert kind is None or found.kind == kind, found
        return found

    async def log_on(self, *more: tuple[int, Any], **options: Any) -> Received:
        await self.open()
        await self.say("A", *LOGON, *more, **options)
        return await self.hear("A")

    async def is_closed(self) -> bool:
        """Whether the door closes the connection without another word."""
        try:
            while data := await asyncio.wait_for(self.reader.read(65_536), 5):
                self.heard += self.parser.feed(data)
        except ConnectionError:
            pass
        return not self.heard

    def vanish(self) -> None:
        self.writer.transport.abort()


class House:
    """A venue with its door, which can be shut and opened again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.venue = SmallVenue(WALLETS)
        self.peers: list[Peer] = []

    async def open(self, **options: Any) -> None:
        counterparties = [Counterparty(name) for name in NAMES]
        self.door = FixServer(
            self.venue, counterparties, directory=self.directory, **options
        )  # fmt: skip
        self.port = await self.door.start(port=0)

    async def close(self) -> None:
        for peer in self.peers:
            peer.vanish()
        await self.door.stop()

    async def peer(self, name: str = "MAKER") -> Peer:
        peer = Peer(self.port, name)
        await peer.log_on()
        self.peers.append(peer)
        return peer


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.open()
    yield house
    await house.close()


async def until(condition: Callable[[], bool]) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(poll(), 5)


# A day on the floor ----------------------------------------------------------------------------


async def test_a_maker_quotes_and_a_taker_trades(house: House) -> None:
    maker, taker = await house.peer("MAKER"), await house.peer("TAKER")
    quote = an_order(0, SELL)
    await maker.say("D", *order_body(quote, "quote"))
    new = await maker.hear("8")
    assert (new[150], new[39], new[37]) == ("0", "0", "0x" + struct_hash(quote).hex())
    await taker.say("D", *order_body(an_order(1, BUY, 1_300, 20, time_in_force=1), "lift"))
    assert (await taker.hear("8"))[150] == "0"
    took, made = await taker.hear("8"), await maker.hear("8")
    assert (took[150], took[39], took[31], took[32]) == ("F", "2", "1234", "0.2")
    assert (made[150], made[39], made[151], made[11]) == ("F", "1", "0.3", "quote")
    cancel = Cancel(0, struct_hash(quote))
    await maker.say(
        "F", (11, "c"), (41, "quote"), (54, 2), (55, SYMBOLS[0]),
        (60, timestamp(time.time_ns())), (20005, signed(cancel).hex()),
    )  # fmt: skip
    gone = await maker.hear("8")
    assert (gone[150], gone[11], gone[41], gone[14]) == ("4", "c", "quote", "0.2")
    await maker.say("5")
    await maker.hear("5")
    assert await maker.is_closed()


async def test_the_operators_word_in_a_report_can_be_checked(house: House) -> None:
    maker = await house.peer()
    await maker.say("D", *order_body(an_order(0, SELL), "quote"))
    new = await maker.hear("8")
    word = Acknowledgement(
        int(new[20012]), bytes.fromhex(new[37][2:]), bytes.fromhex(new[20013][2:])
    )
    digest = signing_digest(house.venue.separator, struct_hash(word))
    assert recover(digest, bytes.fromhex(new[20011][2:])) == house.venue.operator.address


async def test_an_order_that_another_key_signed_is_refused_with_all_that_was_computed(
    house: House,
) -> None:
    maker = await house.peer()
    body = order_body(an_order(0, SELL), "quote")
    body[-1] = (20005, WALLETS[1].sign(an_order(0, SELL), DOMAIN).signature.hex())
    await maker.say("D", *body)
    told = await maker.hear("8")
    assert (told[150], told[20010]) == ("8", "506")
    assert "recovered signer 0x" + WALLETS[1].address.hex() in told[58]


async def test_many_orders_at_once_are_answered_in_their_order(house: House) -> None:
    house.venue.delay_s = 0.001
    maker = await house.peer()
    count = server_module.MAX_IN_FLIGHT + 50
    bodies = [order_body(an_order(0, SELL, salt=salt), f"q{salt}") for salt in range(count)]
    for body in bodies:
        await maker.say("D", *body)
    names = [(await maker.hear("8"))[11] for _ in bodies]
    assert names == [f"q{salt}" for salt in range(count)]
    assert [order.salt for order in house.venue.received] == list(range(count))  # type: ignore[union-attr]


# Bytes -----------------------------------------------------------------------------------------


async def test_bytes_may_come_one_at_a_time(house: House) -> None:
    peer = Peer(house.port, "MAKER")
    await peer.open()
    for kind, number, body in (("A", 1, LOGON), ("1", 2, ((112, "slow"),))):
        for byte in message(kind, number, *body, time_ns=time.time_ns()):
            await peer.write(bytes((byte,)))
            await asyncio.sleep(0)
    assert (await peer.hear("A")).number == 1
    assert (await peer.hear("0"))[112] == "slow"
    peer.vanish()


async def test_garbage_between_messages_is_passed_over(house: House) -> None:
    peer = await house.peer()
    beat = message("0", 2, time_ns=time.time_ns())
    await peer.write(b"\x00garbage\x018=FIX\x019=5\x01" + beat[:-4] + b"000\x01" + beat[40:])
    await peer.write(b"8=FIX.4.4\x019=99999999\x0135=0\x01")
    await peer.say("1", (112, "still there?"), number=2)
    assert (await peer.hear("0"))[112] == "still there?"


async def test_a_length_that_lies_costs_one_resend(house: House) -> None:
    peer = await house.peer()
    body = message("0", 2, time_ns=time.time_ns()).split(b"\x01", 2)[2]
    await peer.write(b"8=FIX.4.4\x019=30\x01" + body)
    await peer.say("1", (112, "x"), number=3)
    ask = await peer.hear("2")
    assert (ask[7], ask[16]) == ("2", "0")
    await peer.say("4", (123, "Y"), (36, 3), number=2, header=((43, "Y"), (122, timestamp())))
    assert (await peer.hear("0"))[112] == "x"


STRANGERS: dict[str, Callable[[], bytes]] = {
    "a browser": lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": lambda: b"\x00" * 100,
    "half a message": lambda: b"8=FIX.4.4\x019=5\x0135=A\x01",
    "another sender": lambda: message("A", 1, *LOGON, sender="NOBODY", time_ns=time.time_ns()),
    "another target": lambda: message("A", 1, *LOGON, target="ANOTHER", time_ns=time.time_ns()),
    "no Logon": lambda: message("0", 1, time_ns=time.time_ns()),
    "too long": lambda: b"8=FIX.4.4\x019=16000\x0135=A\x01" + b"x" * 17_000,
}


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_strangers_are_shut_out_without_a_word(house: House, stranger: str) -> None:
    peer = Peer(house.port, "X")
    await peer.open()
    await peer.write(STRANGERS[stranger]())
    peer.writer.write_eof()
    assert await peer.is_closed()
    await house.peer()


async def test_a_second_logon_of_the_same_session_is_refused(house: House) -> None:
    peer = await house.peer()
    second = Peer(house.port, "MAKER")
    await second.open()
    await second.say("A", *LOGON)
    assert await second.is_closed()
    await peer.say("1", (112, "x"))
    assert (await peer.hear("0"))[112] == "x"
    peer.vanish()
    # Once the first is gone there is room again.
    third = Peer(house.port, "MAKER")
    third.number = peer.number

    async def log_on() -> None:
        while True:
            await third.open()
            await third.say("A", *LOGON, number=peer.number)
            data = await third.reader.read(65_536)
            if data:
                return
            await asyncio.sleep(0.01)

    await asyncio.wait_for(log_on(), 5)
    third.vanish()


# What was missed -------------------------------------------------------------------------------


async def test_fills_that_came_while_a_maker_was_away_are_sent_when_asked_for(
    house: House,
) -> None:
    maker, taker = await house.peer("MAKER"), await house.peer("TAKER")
    await maker.say("D", *order_body(an_order(0, SELL), "quote"))
    assert (await maker.hear("8")).number == 2
    maker.vanish()
    line = house.door._lines["MAKER", "STRADDLE"]
    await until(lambda: not line.is_connected)
    await taker.say("D", *order_body(an_order(1, BUY, 1_300, 20), "lift"))
    await taker.hear("8")
    await taker.hear("8")
    assert line._session.output.waiting_bytes == 0

    async def come_back() -> Received:
        while True:
            try:
                return await maker.log_on(number=3)
            except (AssertionError, ConnectionError):
                await asyncio.sleep(0.01)

    logon = await asyncio.wait_for(come_back(), 5)
    assert logon.number == 4
    await maker.say("2", (7, 3), (16, 3), number=4)
    missed = await maker.hear("8")
    assert (missed.number, missed[43], missed[150], missed[11]) == (3, "Y", "F", "quote")


async def test_a_restart_of_the_door_keeps_numbers_orders_and_reports(house: House) -> None:
    maker = await house.peer("MAKER")
    await maker.say("D", *order_body(an_order(0, SELL), "quote"))
    await maker.hear("8")
    stopping = asyncio.create_task(house.door.stop())
    assert (await maker.hear("5"))[58] == "the exchange is stopping"
    await maker.say("5")
    await stopping
    # Somebody trades with the quote while the door is shut.
    order = an_order(1, BUY, 1_300, 20)
    await house.venue.place(order, signed(order))
    await house.open()
    maker.port, maker.heard = house.port, []
    logon = await maker.log_on()
    assert logon.number == 5  # Logon 1, New 2, Logout 3, and the fill made up as 4
    await maker.say("2", (7, 2), (16, 4))
    new, fill_of_logout, made_up = [await maker.hear() for _ in range(3)]
    assert (new[150], fill_of_logout.kind) == ("0", "4")
    assert (made_up.number, made_up[150], made_up[14]) == (4, "F", "0.2")
    taker = await house.peer("TAKER")
    await taker.say("D", *order_body(an_order(1, BUY, 1_300, 30, salt=9), "lift"))
    last = await maker.hear("8")
    assert (last[150], last[39], last[6]) == ("F", "2", "1234")


async def test_an_order_whose_verdict_was_lost_in_a_crash_is_asked_for_and_not_doubled(
    house: House, tmp_path: Path
) -> None:
    maker = await house.peer("MAKER")
    house.venue.delay_s = 3_600  # the verdict never comes
    body = order_body(an_order(0, SELL), "quote")
    await maker.say("D", *body)
    await until(lambda: len(house.venue.live) == 1)
    await asyncio.sleep(0.3)  # the store is flushed as time passes
    crashed = (tmp_path / "STRADDLE-MAKER.fix").read_bytes()
    house.venue.delay_s = 0
    other = House(tmp_path / "after")
    other.directory.mkdir()
    (other.directory / "STRADDLE-MAKER.fix").write_bytes(crashed)
    other.venue = house.venue
    await other.open()
    again = Peer(other.port, "MAKER")
    await again.log_on(number=3)
    ask = await again.hear("2")
    assert ask[7] == "2"
    first_sent = ((43, "Y"), (122, timestamp(time.time_ns())))
    await again.say("D", *body, number=2, header=first_sent)
    status = await again.hear("8")
    assert (status[150], status[39], status[11]) == ("I", "0", "quote")
    assert len(house.venue.live) == 1
    again.vanish()
    await other.close()
    for task in list(house.door._lines["MAKER", "STRADDLE"]._in_flight):
        task.cancel()


async def test_numbers_that_began_anew_are_not_held_back_by_older_messages(
    house: House, tmp_path: Path
) -> None:
    maker = await house.peer()
    house.venue.delay_s = 3_600
    await maker.say("D", *order_body(an_order(0, SELL), "quote"))
    await maker.say("A", *LOGON, (141, "Y"), number=1)
    await maker.hear("A")
    for _ in range(4):
        await maker.say("1", (112, "x"))
        await maker.hear("0")
    copy = tmp_path / "copy.fix"
    copy.write_bytes((tmp_path / "STRADDLE-MAKER.fix").read_bytes())
    assert FileStore(copy).next_incoming == 6
    for task in list(house.door._lines["MAKER", "STRADDLE"]._in_flight):
        task.cancel()


# Bounds ----------------------------------------------------------------------------------------


async def test_a_counterparty_that_does_not_read_is_dropped_and_finds_all_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MAX_BACKLOG_BYTES", 20_000)
    maker, taker = await house.peer("MAKER"), await house.peer("TAKER")
    line = house.door._lines["MAKER", "STRADDLE"]
    # Not a byte leaves: as with a full socket, but at once.
    monkeypatch.setattr(line._session.output, "take", lambda _room: b"")
    monkeypatch.setattr(type(line._session.output), "has_output", False)
    quotes = [order_body(an_order(0, SELL, lots=1, salt=salt), f"q{salt}") for salt in range(60)]
    for body in quotes:
        await maker.say("D", *body)
    await until(lambda: not line.is_connected)
    monkeypatch.undo()
    assert await maker.is_closed()
    numbers = maker.number
    await maker.log_on(number=numbers)
    await maker.say("2", (7, 1), (16, 0))
    told: list[str] = []
    while len(told) < len(house.venue.live):
        one = await maker.hear()
        if one.kind == "8":
            told.append(one[11])
    assert told == [f"q{salt}" for salt in range(len(told))]
    await taker.say("1", (112, "x"))
    await taker.hear("0")


async def test_a_flood_waits_in_the_senders_socket_not_in_memory(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MAX_IN_FLIGHT", 8)
    monkeypatch.setattr(server_module, "_CHUNK_BYTES", 1_024)  # about two orders
    house.venue.delay_s = 3_600
    maker = await house.peer()
    for salt in range(40):
        await maker.say("D", *order_body(an_order(0, SELL, salt=salt), f"q{salt}"))
    await until(lambda: len(house.venue.received) >= 8)
    await asyncio.sleep(0.05)
    assert len(house.venue.received) <= 8 + 2
    house.venue.delay_s = 0
    for task in list(house.door._lines["MAKER", "STRADDLE"]._in_flight):
        task.cancel()


async def test_a_port_in_use_is_said_so(house: House) -> None:
    second = FixServer(SmallVenue(WALLETS), [])
    with pytest.raises(FixDoorError, match=f"127.0.0.1:{house.port}"):
        await second.start(port=house.port)


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 33, "ä"])
def test_a_comp_id_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(FixDoorError, match="CompID"):
        FixServer(SmallVenue([]), [Counterparty(name)])


# Our own client --------------------------------------------------------------------------------


async def test_our_client_places_replaces_and_cancels(house: House) -> None:
    heard: list[Message] = []
    async with (
        await FixClient.connect("127.0.0.1", house.port, "MAKER", on_report=heard.append) as maker,
        await FixClient.connect("127.0.0.1", house.port, "TAKER") as taker,
    ):
        quote = an_order(0, SELL)
        answer = await maker.place(quote, signed(quote), SYMBOLS[0], LOT_E8)
        assert answer.get(150) == "0"
        better = an_order(0, SELL, 1_200, salt=5, replaces=struct_hash(quote))
        answer = await maker.replace(better, signed(better), SYMBOLS[0], LOT_E8)
        assert (answer.get(150), answer.get(44)) == ("5", "1200")
        lift = an_order(1, BUY, 1_300, 20)
        answer = await taker.place(lift, signed(lift), SYMBOLS[0], LOT_E8)
        assert answer.get(150) == "0"
        await until(lambda: heard[-1].get(150) == "F")
        cancel = Cancel(0, struct_hash(better))
        answer = await maker.cancel(cancel, signed(cancel), SYMBOLS[0], SELL)
        assert (answer.get(150), answer.get(14)) == ("4", "0.2")
        answer = await maker.cancel(cancel, signed(cancel), SYMBOLS[0], SELL)
        assert (answer.type, answer.get(20010)) == ("9", "408")
        answer = await maker.place(quote, signed(quote), "NOTHING", LOT_E8)
        assert (answer.get(150), answer.get(103)) == ("8", "1")
    assert not maker.is_up
    with pytest.raises(FixClientError, match="logged out"):
        await maker.place(quote, signed(quote), SYMBOLS[0], LOT_E8)


async def test_our_client_with_a_store_misses_nothing(house: House, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "maker.fix")
    maker = await FixClient.connect("127.0.0.1", house.port, "MAKER", store=store)
    quote = an_order(0, SELL)
    await maker.place(quote, signed(quote), SYMBOLS[0], LOT_E8)
    await maker.close()
    lift = an_order(1, BUY, 1_300, 20)
    await house.venue.place(lift, signed(lift))
    heard: list[Message] = []
    again = await FixClient.connect(
        "127.0.0.1", house.port, "MAKER", store=store, on_report=heard.append
    )
    await until(lambda: len(heard) == 1)
    assert (heard[0].get(150), heard[0].get(43)) == ("F", "Y")
    await again.close()
    store.close()


async def test_our_client_is_told_why_it_is_not_let_in(tmp_path: Path) -> None:
    door = FixServer(SmallVenue(WALLETS), [Counterparty("MAKER", "sesame")])
    port = await door.start(port=0)

    def connect(**options: Any) -> Awaitable[FixClient]:
        return FixClient.connect("127.0.0.1", port, options.pop("name", "MAKER"), **options)

    with pytest.raises(FixClientError, match="Password"):
        await connect(password="guess")
    with pytest.raises(FixClientError, match="closed the connection"):
        await connect(name="NOBODY")
    await (await connect(password="sesame")).close()
    await door.stop()
    with pytest.raises(FixClientError, match="no FIX door at"):
        await connect(password="sesame")


async def test_our_client_learns_that_the_door_was_shut(house: House) -> None:
    maker = await FixClient.connect("127.0.0.1", house.port, "MAKER")
    house.venue.delay_s = 3_600
    waiting = asyncio.create_task(
        maker.place(an_order(0, SELL), signed(an_order(0, SELL)), SYMBOLS[0], LOT_E8)
    )
    await until(lambda: len(house.venue.received) == 1)
    for task in list(house.door._lines["MAKER", "STRADDLE"]._in_flight):
        task.cancel()
    await house.door.stop()
    with pytest.raises(FixClientError):
        await waiting
    await maker.close()
