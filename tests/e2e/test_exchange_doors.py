"""One exchange, two doors: what is done through one is seen, and refused, through the other."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.client import Client, Refused
from exchange.devnet import Devnet
from exchange.gateway_fix import tags
from exchange.gateway_fix.client import FixClient
from exchange.gateway_fix.message import Message
from exchange.gateway_fix.server import FixDoorError
from exchange.home import Home
from exchange.host import Host, Ports
from exchange.invariants import check
from exchange.journal import JournalInUse
from exchange.state_digest import state_hash
from exchange.wallet import SigningDomain, Wallet, message_json
from matching.orders import BUY, GTC, SELL
from matching.rejects import (
    COUNTER_CANCELLED,
    ORDER_ALREADY_USED,
    SIGNATURE_HIGH_S,
    SIGNATURE_LENGTH,
    SIGNATURE_WRONG_V,
    SIGNATURE_ZERO,
    WRONG_SIGNER,
)
from settlement.signature import GROUP_ORDER
from settlement.signed_messages import (
    NO_ORDER,
    Order,
    domain_separator,
    signing_digest,
    struct_hash,
)
from tests.floor import CALL_90, CALL_100, START_S
from tests.staged import (
    MEMBERS,
    OTHER,
    SYMBOL,
    client,
    domain,
    funded,
    marks,
    running,
    staged,
    until,
)

pytestmark = pytest.mark.usefixtures("anvil_path")
LOT_E8 = 1_000_000
PRICE = 70_000_000
MAKER, TAKER = (Wallet(member.key) for member in MEMBERS[:2])


@pytest.fixture(scope="module")
def devnet(anvil_path: Path) -> Iterator[Devnet]:
    del anvil_path
    with Devnet(start_time_s=START_S) as chain:
        yield chain


@pytest.fixture
def home(devnet: Devnet, tmp_path: Path) -> Home:
    return staged(tmp_path / "home", devnet)


def an_order(account: int, side: int, salt: int, lots: int = 5, instrument: int = CALL_90) -> Order:
    return Order(
        account, 0, side, GTC, 0, PRICE, lots, 10**7, START_S + 86_400, salt, NO_ORDER,
        ((instrument, 1),),
    )  # fmt: skip


async def fix_client(host: Host, reports: list[Message] | None = None) -> FixClient:
    keep = None if reports is None else reports.append
    return await FixClient.connect("127.0.0.1", host.fix_port, "MAKER", on_report=keep)


async def place_raw(trader: Client, order: Order, signature: bytes) -> Any:
    return await trader.call(
        "order/place", message=message_json(order), signature="0x" + signature.hex()
    )


# THE SAME ORDER, THE OTHER DOOR


async def test_an_order_taken_over_fix_is_refused_over_websocket_as_used(home: Home) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        order = an_order(0, SELL, 1)
        signed = MAKER.sign(order, domain(host))
        async with await fix_client(host) as maker, client(host, 0) as trader:
            report = await maker.place(order, signed.signature, SYMBOL, LOT_E8)
            assert report.get(tags.ORD_STATUS) == "0"
            before = state_hash(host.exchange.state)
            with pytest.raises(Refused) as refused:
                await place_raw(trader, order, signed.signature)
            assert refused.value.code == ORDER_ALREADY_USED
            assert state_hash(host.exchange.state) == before
            # Cancelled over the other door, it stays used, and FIX hears of the cancel.
            await trader.cancel(signed.message_hash)
            with pytest.raises(Refused) as refused:
                await place_raw(trader, order, signed.signature)
            assert refused.value.code == ORDER_ALREADY_USED


async def test_an_order_taken_over_websocket_is_refused_over_fix_as_used(home: Home) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        order = an_order(0, SELL, 2)
        signed = MAKER.sign(order, domain(host))
        async with await fix_client(host) as maker, client(host, 0) as trader:
            await place_raw(trader, order, signed.signature)
            report = await maker.place(order, signed.signature, SYMBOL, LOT_E8)
            assert report.get(tags.REJECT_CODE) == str(ORDER_ALREADY_USED)
            assert "salt" in (report.get(tags.TEXT) or "")
        assert len(host.exchange.state.orders) == 1


async def test_a_maker_over_fix_hears_of_the_taker_over_websocket(home: Home) -> None:
    reports: list[Message] = []
    async with running(home) as host:
        await funded(host, MEMBERS[0], MEMBERS[1])
        order = an_order(0, SELL, 3)
        async with await fix_client(host, reports) as maker, client(host, 1) as taker:
            signature = MAKER.sign(order, domain(host)).signature
            await maker.place(order, signature, SYMBOL, LOT_E8, cl_ord_id="quote-1")
            await taker.place(SYMBOL, "buy", "7000", "0.02", time_in_force="IOC")
            await until(lambda: len(reports) >= 2)
            fill = reports[1]
            assert fill.get(tags.EXEC_TYPE) == "F"
            assert fill.get(tags.ORD_STATUS) == "1"
            assert fill.get(tags.CL_ORD_ID) == "quote-1"
            assert float(fill.get(tags.LAST_QTY) or 0) == 0.02
            assert float(fill.get(tags.LAST_PX) or 0) == 7000
            assert float(fill.get(tags.LEAVES_QTY) or 0) == 0.03
            # A combo that trades against the maker's leg
            second = an_order(0, BUY, 4, lots=4, instrument=CALL_100)
            signature = MAKER.sign(second, domain(host)).signature
            await maker.place(second, signature, OTHER, LOT_E8)
            await taker.place(f"+1*{SYMBOL},-1*{OTHER}", "buy", "0", "0.01", time_in_force="IOC")
            await until(lambda: len(reports) >= 5)
            assert [one.get(tags.EXEC_TYPE) for one in reports[3:]] == ["F", "F"]
            (mine, theirs) = await asyncio.gather(taker.fills(), taker.positions())
            assert len(mine) == 3
            assert {view["symbol"] for view in theirs} == {SYMBOL, OTHER}
        assert check(host.exchange.state) == []


async def test_raising_the_counter_over_one_door_voids_orders_at_the_other(home: Home) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        order = an_order(0, SELL, 5)
        signature = MAKER.sign(order, domain(host)).signature
        async with await fix_client(host) as maker, client(host, 0) as trader:
            await trader.cancel_all()
            report = await maker.place(order, signature, SYMBOL, LOT_E8)
            assert report.get(tags.REJECT_CODE) == str(COUNTER_CANCELLED)


# SIGNATURES


async def test_a_signature_made_for_something_else_tells_what_the_server_computed(
    home: Home,
) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        here = domain(host)
        order = an_order(0, SELL, 6)
        elsewhere = {
            "another chain": MAKER.sign(order, SigningDomain(1, here.settlement)),
            "another contract": MAKER.sign(order, SigningDomain(here.chain_id, b"\7" * 20)),
            "another key": TAKER.sign(order, here),
            "another order": MAKER.sign(an_order(0, SELL, 7), here),
        }
        separator = domain_separator(*here)
        before, journaled = state_hash(host.exchange.state), host.exchange.state.sequence
        async with client(host, 0) as trader:
            for what, signed in elsewhere.items():
                with pytest.raises(Refused) as refused:
                    await place_raw(trader, order, signed.signature)
                data = refused.value.data
                assert refused.value.code == WRONG_SIGNER, what
                assert data["structHash"] == "0x" + struct_hash(order).hex()
                assert data["domainSeparator"] == "0x" + separator.hex()
                digest = signing_digest(separator, struct_hash(order))
                assert data["digest"] == "0x" + digest.hex()
                recovered = bytes.fromhex(data["recoveredSigner"][2:])
                assert (recovered == TAKER.address) == (what == "another key")
                assert recovered != MAKER.address
            good = MAKER.sign(order, here).signature
            high = (GROUP_ORDER - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
            malformed = {
                SIGNATURE_HIGH_S: good[:32] + high + bytes([55 - good[64]]),
                SIGNATURE_WRONG_V: good[:64] + b"\0",
                SIGNATURE_ZERO: bytes(65),
                SIGNATURE_LENGTH: good[:64],
            }
            for code, signature in malformed.items():
                with pytest.raises(Refused) as refused:
                    await place_raw(trader, order, signature)
                assert refused.value.code == code
                if code != SIGNATURE_LENGTH:
                    assert refused.value.data["recoveredSigner"] is None
                    assert refused.value.data["structHash"] == "0x" + struct_hash(order).hex()
            assert (state_hash(host.exchange.state), host.exchange.state.sequence) == (
                before, journaled,
            )  # fmt: skip
            assert (await place_raw(trader, order, good))["sequence"] == journaled + 1


# PORTS AND LOCKS


async def test_a_port_in_use_is_said_plainly_at_both_doors(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)):
            async with Host(home, Ports(rpc=port)) as host:
                await host.open_doors()
        with pytest.raises(FixDoorError, match=f"{port}.*choose another"):
            async with Host(home, Ports(fix=port)) as host:
                await host.open_doors()
    async with running(home) as host:  # neither left the journal locked
        assert host.exchange.state.instruments


async def test_a_second_exchange_on_the_same_journal_is_refused(home: Home) -> None:
    async with running(home) as host:
        with pytest.raises(JournalInUse, match=f"held by process {os.getpid()}"):
            Host(home)
        await host.exchange.submit(marks)


async def test_after_the_exchange_stopped_a_message_is_refused_not_lost(home: Home) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        order = an_order(0, SELL, 8)
        signature = MAKER.sign(order, domain(host)).signature
        verdict = await host.exchange.place(order, signature)
        assert verdict.reject is None
        host.exchange.sequencer.stop()
        await until(lambda: host.exchange.sequencer.failure)
        late = an_order(0, SELL, 9)
        refused = await host.exchange.place(late, MAKER.sign(late, domain(host)).signature)
        assert refused.reject is not None
        assert (refused.reject.name, refused.sequence) == ("venue stopping", 0)
