"""The local chain as a child process: it starts, keeps its state, and never outlives its parent."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from eth_account import Account

from exchange import devnet
from exchange.devnet import AnvilMissing, Devnet, DevnetFailed, accounts, find_anvil
from settlement.chain import Chain
from settlement.node import Node
from tests.local_chain import ALICE, OPERATOR, exchange_on, next_batch, post

PATIENCE_S = 20.0


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_it_is_gone(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while is_listening(port):
        assert time.monotonic() < deadline, "Anvil outlives its parent"
        time.sleep(0.02)


@pytest.mark.usefixtures("anvil_path")
def test_it_answers_on_loopback_and_ends_with_its_block() -> None:
    with Devnet(chain_id=4242) as running:
        assert Node(running.url).chain_id() == 4242 == running.chain_id
        assert running.is_running
        port = port_of(running.url)
    assert not running.is_running
    assert not is_listening(port)
    running.stop()  # twice is as good as once


@pytest.mark.usefixtures("anvil_path")
def test_its_accounts_have_ether_and_their_keys() -> None:
    with Devnet() as running:
        node = Node(running.url)
        for account in accounts():
            assert bytes.fromhex(Account.from_key(account.key).address[2:]) == account.address
            balance = node.request("eth_getBalance", "0x" + account.address.hex(), "latest")
            assert int(balance, 16) == 10_000 * 10**18


@pytest.mark.usefixtures("anvil_path")
def test_two_run_side_by_side() -> None:
    with Devnet() as one, Devnet() as other:
        assert one.url != other.url
        Node(one.url).request("anvil_mine", "0x5")
        assert Node(one.url).head().block == 5
        assert Node(other.url).head().block == 0


@pytest.mark.usefixtures("anvil_path")
def test_it_holds_transactions_to_the_gas_limit_of_the_real_chain() -> None:
    with Devnet() as running:
        fields = {
            "from": "0x" + ALICE.address.hex(),
            "to": "0x" + OPERATOR.address.hex(),
            "gas": hex(16_777_217),
        }
        answer = Node(running.url)
        with pytest.raises(Exception, match=r"(?i)gas"):
            answer.request("eth_sendTransaction", fields)
        answer.request("eth_sendTransaction", fields | {"gas": hex(16_777_216)})


@pytest.mark.usefixtures("anvil_path")
def test_a_chain_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    state_file = tmp_path / "chain.json"
    with Devnet(state_file=state_file) as running:
        chain = exchange_on(Node(running.url))
        chain.open_and_deposit(ALICE.key, 1_000)
        batch = next_batch(chain)
        post(chain, batch)
        head = chain.node.head()
    with Devnet(state_file=state_file) as running:
        again = Chain(Node(running.url), chain.settlement)
        assert again.node.head() == head
        assert again.batches(0, 0).items[0].batch == batch
        # Deeper than the head: the state at a block before the stop is there, too.
        assert [e.inbox_index for e in again.inbox(0, 0, 1).items] == [0, 1]
        post(again, next_batch(again, root=b"\x02" * 32))
        again.deposit(ALICE.key, 0, 5)
        assert again.inbox_count() == 3


@pytest.mark.usefixtures("anvil_path")
def test_it_mines_at_intervals_where_asked() -> None:
    with Devnet(block_time_s=1) as running:
        node = Node(running.url)
        deadline = time.monotonic() + PATIENCE_S
        while node.head().block < 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.usefixtures("anvil_path")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_its_parent_is_killed(how: signal.Signals) -> None:
    program = (
        "import sys, time; from exchange.devnet import Devnet; d = Devnet();"
        "print(d.url, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        port = port_of(parent.stdout.readline().strip())
        assert is_listening(port)
        parent.send_signal(how)
        parent.wait(PATIENCE_S)
    wait_until_it_is_gone(port)


@pytest.mark.usefixtures("anvil_path")
def test_it_ends_when_its_parent_forgets_to_stop_it() -> None:
    program = "from exchange.devnet import Devnet; print(Devnet().url, flush=True)"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    wait_until_it_is_gone(port_of(told.stdout.strip()))


@pytest.mark.usefixtures("anvil_path")
def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    with Devnet() as running, pytest.raises(DevnetFailed, match=r"(?i)address already in use"):
        Devnet(port=port_of(running.url))


def test_without_anvil_it_says_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STRADDLE_ANVIL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(devnet, "__file__", str(tmp_path / "exchange" / "devnet.py"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(AnvilMissing, match="make setup"):
        find_anvil()


def test_the_environment_names_another_anvil(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "anvil"
    monkeypatch.setenv("STRADDLE_ANVIL", str(other))
    with pytest.raises(AnvilMissing, match="cannot be run"):
        find_anvil()
    other.write_text("#!/bin/sh\necho 'no such chain'; exit 3\n", "utf8")
    os.chmod(other, 0o755)
    assert find_anvil() == other
    with pytest.raises(DevnetFailed, match="no such chain"):
        Devnet()
