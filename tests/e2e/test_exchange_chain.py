"""The exchange and its chain: money in and out, and a chain that is down, slow or gone."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.audit import audit_published
from exchange.client import Refused
from exchange.devnet import Devnet
from exchange.home import Home
from exchange.host import Host
from exchange.invariants import check
from exchange.journal import read_journal
from exchange.settler import SettlementPace
from exchange.state_digest import state_hash
from exchange.symbols import cash_text
from exchange.venue import MarginView
from exchange.wallet import Wallet
from matching.rejects import SESSION_KEY_EXPIRED, WITHDRAWAL_TOO_LARGE, WRONG_SIGNER
from settlement.batch import Batch, decode_batch
from settlement.chain import Chain, deploy_mock_usdc, mint_mock_usdc
from settlement.contracts import call_data, load
from settlement.node import Node, Reverted
from tests.floor import START_S
from tests.staged import (
    DEPOSIT,
    MEMBERS,
    OPERATOR,
    SYMBOL,
    USDC,
    cash,
    client,
    cut,
    deposit,
    funded,
    running,
    settled,
    staged,
    until,
)

pytestmark = pytest.mark.usefixtures("anvil_path")
FAST = SettlementPace(batch_seconds=0.2, poll_seconds=0.02)


@pytest.fixture(scope="module")
def devnet(anvil_path: Path) -> Iterator[Devnet]:
    del anvil_path
    with Devnet(start_time_s=START_S) as chain:
        yield chain


@pytest.fixture
def home(devnet: Devnet, tmp_path: Path) -> Home:
    return staged(tmp_path / "home", devnet)


def verdict(host: Host, home: Home) -> str:
    report = audit_published(host.chain, lambda: read_journal(home.journal))
    return report.verdict + report.reason


# MONEY


async def test_dollars_travel_in_and_out_and_a_claim_is_paid_once(home: Home) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        member = MEMBERS[0]
        assert cash(host, 0) == DEPOSIT
        async with client(host, 0) as trader:
            with pytest.raises(Refused) as refused:
                await trader.withdraw("50000.000001")
            assert refused.value.code == WITHDRAWAL_TOO_LARGE
            assert refused.value.data["allowed"] == str(DEPOSIT)
            assert cash(host, 0) == DEPOSIT
            await trader.withdraw("1234.5")
            assert (await trader.withdrawals())[0]["batch"] is None
            await cut(host)
            await settled(host)
            (view,) = await trader.withdrawals()
            leaf = (
                member.key, view["batch"], view["number"], 0, member.address, 0,
                int(view["amountMicro"]), [bytes.fromhex(one[2:]) for one in view["siblings"]],
            )  # fmt: skip
            before = host.chain.balance(member.address)
            too_much = (*leaf[:6], leaf[6] + 1, leaf[7])
            with pytest.raises(Reverted):
                await asyncio.to_thread(host.chain.claim, *too_much)
            await asyncio.to_thread(host.chain.claim, *leaf)
            assert host.chain.balance(member.address) - before == 1_234_500_000
            with pytest.raises(Reverted, match=r"(?i)claimed"):
                await asyncio.to_thread(host.chain.claim, *leaf)
            await until(lambda: host.exchange.read_model.claimed)
            assert (await trader.withdrawals())[0]["isClaimed"]
        assert await asyncio.to_thread(verdict, host, home) == "pass"


async def test_margin_that_orders_need_cannot_be_withdrawn(home: Home) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        async with client(host, 0) as trader:
            await trader.place(SYMBOL, "sell", "7000", "1")
            view = host.exchange.margin(0)
            assert isinstance(view, MarginView)
            free = view.free_micro
            assert (await trader.margin())["free"] == cash_text(free)
            assert 0 < free < DEPOSIT
            before = state_hash(host.exchange.state)
            with pytest.raises(Refused) as refused:
                await trader.withdraw("49999")
            assert refused.value.code == WITHDRAWAL_TOO_LARGE
            assert refused.value.data["allowed"] == str(free)
            assert state_hash(host.exchange.state) == before


async def test_a_token_that_is_not_accepted_is_turned_away_by_name(home: Home) -> None:
    site = home.site()
    chain = Chain(Node(site.rpc), site.settlement_address)
    other = deploy_mock_usdc(chain.node, OPERATOR.key)
    member = MEMBERS[0]
    mint_mock_usdc(chain.node, member.key, other, member.address, USDC)
    chain.node.send(member.key, other, call_data(load("MockUSDC"), "approve", chain.vault, USDC))
    with pytest.raises(Reverted) as refused:
        chain.node.send(
            member.key, chain.vault, call_data(load("Vault"), "openAndDeposit", other, USDC)
        )
    assert other.hex() in str(refused.value).lower()
    assert chain.inbox_count() == 0


async def test_a_session_key_signs_from_its_registration_until_its_revocation(home: Home) -> None:
    session = Wallet(b"\x51" * 32)
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        async with client(host, 0, session) as trader:
            with pytest.raises(Refused) as refused:
                await trader.place(SYMBOL, "buy", "5000", "0.01")
            assert refused.value.code == WRONG_SIGNER
            assert refused.value.data["recoveredSigner"] == "0x" + session.address.hex()
            keys = host.exchange.state.accounts[0].keys
            register = (host.chain.register_key, MEMBERS[0].key, 0, session.address)
            await asyncio.to_thread(*register, START_S + 86_400)
            await until(lambda: session.address in keys)
            placed = await trader.place(SYMBOL, "buy", "5000", "0.01")
            await asyncio.to_thread(*register, START_S - 1)
            await until(lambda: keys[session.address] < START_S)
            with pytest.raises(Refused) as refused:
                await trader.place(SYMBOL, "buy", "5000", "0.01")
            assert refused.value.code == SESSION_KEY_EXPIRED
            assert refused.value.data["got"] == str(START_S - 1)
        assert list(host.exchange.state.orders) == [placed.message_hash]
        await cut(host)
        await settled(host)
        assert await asyncio.to_thread(verdict, host, home) == "pass"


# BATCHES AND RESTARTS


async def test_batches_that_were_cut_are_posted_after_a_restart_in_order(home: Home) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0], MEMBERS[1])
        host.settler.hold()
        await asyncio.sleep(0.1)
        async with client(host, 0) as maker, client(host, 1) as taker:
            for _ in range(3):
                await maker.place(SYMBOL, "sell", "7000", "0.02")
                await taker.place(SYMBOL, "buy", "7000", "0.02", time_in_force="IOC")
                await cut(host)
        state = host.exchange.state
        assert (state.batches_cut, state.batches_confirmed) == (3, 0)
        assert host.chain.batch_count() == 0
        before = state_hash(state), host.exchange.status().state_root, state.sequence
    async with Host(home) as again:
        state = again.exchange.state
        assert (state_hash(state), again.exchange.status().state_root, state.sequence) == before
        assert check(state) == []
        await again.open_doors()
        await settled(again)
        numbers = [one.batch.header.number for one in again.chain.batches(0, 0).items]
        assert numbers == [1, 2, 3]
        assert again.chain.current_root() == again.exchange.status().state_root
        assert await asyncio.to_thread(verdict, again, home) == "pass"


async def test_a_batch_whose_receipt_was_lost_is_found_posted(home: Home) -> None:
    """The process died between the posting and its confirmation."""
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        host.settler.hold()
        await asyncio.sleep(0.1)
        await cut(host)
        data = host.exchange.read_model.batches[1]
    batch = decode_batch(data)
    assert isinstance(batch, Batch)
    first = host.chain.post_batch(OPERATOR.key, *batch)
    async with Host(home) as again:
        await again.open_doors()
        await until(lambda: again.exchange.state.batches_confirmed == 1)
        assert again.chain.batch_count() == 1
        assert again.chain.post_batch(OPERATOR.key, *batch).transaction == first.transaction
        assert await asyncio.to_thread(verdict, again, home) == "pass"


async def test_a_contract_that_refuses_a_batch_is_told_and_trading_goes_on(home: Home) -> None:
    """Somebody with the operator's key posted another batch under this number."""
    async with running(home) as host:
        await funded(host, MEMBERS[0])
        host.settler.hold()
        await asyncio.sleep(0.1)
        number = await cut(host)
        batch = decode_batch(host.exchange.read_model.batches[number])
        assert isinstance(batch, Batch)
        header = batch.header._replace(journal_hash=b"\1" * 32)
        await asyncio.to_thread(
            host.chain.post_batch, OPERATOR.key, header, batch.chunk_roots, batch.records
        )
        host.settler.release()
        await until(lambda: "Number" in host.settler.last_error)
        async with client(host, 0) as trader:
            await trader.place(SYMBOL, "buy", "5000", "0.01")
        report = await asyncio.to_thread(
            audit_published, host.chain, lambda: read_journal(home.journal)
        )
        assert (report.verdict, report.batch) == ("fail", 1)
        assert "journal_hash" in report.reason


async def test_a_node_that_answers_nonsense_is_waited_for(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0])

        def nonsense(*_: object) -> None:
            raise KeyError("no such field in the node's answer")

        with monkeypatch.context() as broken:
            broken.setattr(host.chain, "post_batch", nonsense)
            await cut(host)
            await until(lambda: "no such field" in host.settler.last_error)
            async with client(host, 0) as trader:
                await trader.place(SYMBOL, "buy", "5000", "0.01")
        await settled(host)
        assert host.chain.batch_count() == 1


# A CHAIN IN TROUBLE


async def test_a_chain_that_comes_goes_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    state_file = tmp_path / "chain.json"
    devnet = Devnet(start_time_s=START_S, state_file=state_file)
    port = int(devnet.url.rpartition(":")[2])

    def start() -> Devnet:
        now_s = int(home.site().clock()() // 10**9)
        return Devnet(state_file=state_file, port=port, start_time_s=now_s)

    home = staged(tmp_path / "home", devnet)
    try:
        devnet.stop()
        async with running(home, FAST) as host:  # down at the start
            await until(lambda: not host.exchange.status().chain_up)
            await cut(host)
            assert host.exchange.status().batches_confirmed == 0
            devnet = await asyncio.to_thread(start)
            await until(lambda: host.exchange.status().batches_confirmed >= 1)
            assert host.exchange.status().chain_up
            await funded(host, MEMBERS[0], MEMBERS[1])
            devnet.stop()  # down in the middle
            async with client(host, 0) as maker, client(host, 1) as taker:
                await maker.place(SYMBOL, "sell", "7000", "0.02")
                await taker.place(SYMBOL, "buy", "7000", "0.02", time_in_force="IOC")
                status = host.exchange.status
                confirmed, target = status().batches_confirmed, status().batches_cut + 2
                await until(lambda: not status().chain_up)
                await maker.place(SYMBOL, "sell", "7000", "0.02")
                await taker.place(SYMBOL, "buy", "7000", "0.02", time_in_force="IOC")
                await cut_if_due(host, target)
            assert status().batches_confirmed == confirmed
            devnet = await asyncio.to_thread(start)
            # While it was away for the exchange, members were at the Vault.
            third = await asyncio.to_thread(deposit, host.site, MEMBERS[2])
            token = bytes.fromhex(host.site.token[2:])
            payer = MEMBERS[0]
            await asyncio.to_thread(
                mint_mock_usdc, host.chain.node, payer.key, token, payer.address, 1
            )
            await asyncio.to_thread(host.chain.deposit, payer.key, third, 1)
            await until(lambda: third in host.exchange.state.accounts)
            await until(lambda: cash(host, third) == DEPOSIT + 1)
            await settled(host)
            numbers = [one.batch.header.number for one in host.chain.batches(0, 0).items]
            assert numbers == list(range(1, len(numbers) + 1))
            assert host.exchange.state.credited_micro == 3 * DEPOSIT + 1
            assert check(host.exchange.state) == []
            host.settler.hold()
            await settled(host)
            assert await asyncio.to_thread(verdict, host, home) == "pass"
    finally:
        devnet.stop()


async def cut_if_due(host: Host, target: int) -> None:
    """Waits for batches that are cut by the clock, or cuts what there is."""
    if host.exchange.state.groups:
        await cut(host)
    assert host.exchange.state.batches_cut <= target


async def test_a_chain_that_answers_slowly_holds_up_settlement_alone(home: Home) -> None:
    async with running(home) as host:
        await funded(host, MEMBERS[0], MEMBERS[1])
        (pid,) = anvil_pids(host)
        os.kill(pid, signal.SIGSTOP)
        try:
            await cut(host)
            async with client(host, 0) as maker, client(host, 1) as taker:
                await maker.place(SYMBOL, "sell", "7000", "0.02")
                placed = await taker.place(SYMBOL, "buy", "7000", "0.02", time_in_force="IOC")
                assert placed.sequence == host.exchange.state.sequence
            assert host.exchange.state.batches_confirmed == 0
        finally:
            os.kill(pid, signal.SIGCONT)
        await settled(host)
        assert host.chain.batch_count() == 1
        assert await asyncio.to_thread(verdict, host, home) == "pass"


def anvil_pids(host: Host) -> list[int]:
    """The process that listens on the chain's port, by its socket in /proc."""
    port = int(host.site.rpc.rpartition(":")[2])
    inodes = {
        fields[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if (fields := line.split())[3] == "0A" and int(fields[1].split(":")[1], 16) == port
    }
    found: list[int] = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            links = {os.readlink(one) for one in (process / "fd").iterdir()}
        except OSError:
            continue
        if any(f"socket:[{inode}]" in links for inode in inodes):
            found.append(int(process.name))
    return found
