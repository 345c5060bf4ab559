"""The chain client where chains are nasty: down, slow, racing, forgetful, or hiding things."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from exchange.devnet import Devnet
from scripts.build_contracts import Artifact
from settlement.chain import BatchUnreadable, Chain, deploy_mock_usdc, mint_mock_usdc
from settlement.contracts import Revert, call_data, load
from settlement.node import ChainUnavailable, Log, Node, Reverted, created_address
from tests.local_chain import (
    ALICE,
    BOB,
    CAROL,
    OPERATOR,
    Deployed,
    exchange_on,
    next_batch,
    post,
)
from tests.model import tree

pytest_plugins = ("tests.chain_fixtures", "tests.contracts_build")

IMPATIENT_S = 0.15


@pytest.fixture
def manual(anvil_path: Path) -> Iterator[Devnet]:
    """A chain of its own, for tests that stop its mining."""
    del anvil_path
    with Devnet() as running:
        yield running


def mine(node: Node) -> None:
    node.request("anvil_mine", "0x1")


def set_automine(node: Node, is_on: bool) -> None:
    node.request("evm_setAutomine", is_on)


# POSTING ONCE


def test_a_batch_posted_again_after_a_restart_is_found_not_posted_twice(chain: Chain) -> None:
    chain.open_and_deposit(ALICE.key, 1_000)
    batch = next_batch(chain)
    first = post(chain, batch)
    post(chain, next_batch(chain, root=b"\x02" * 32))
    nonce = chain.node.nonce(OPERATOR.address)
    restarted = Chain(Node(chain.node.url), chain.settlement)
    assert post(restarted, batch) == first
    assert chain.node.nonce(OPERATOR.address) == nonce, "nothing was sent"


def test_another_batch_of_a_number_that_is_taken_is_refused(chain: Chain) -> None:
    batch = next_batch(chain)
    post(chain, batch)
    other = batch._replace(records=bytes(len(batch.records)))
    with pytest.raises(Reverted, match=r"WrongBatchNumber\(expected 2, got 1\)"):
        post(chain, other)


def test_a_batch_that_waits_in_the_mempool_while_the_sender_restarts_is_posted_once(
    manual: Devnet,
) -> None:
    node = Node(manual.url)
    chain = exchange_on(node)
    batch = next_batch(chain)
    nonce = node.nonce(OPERATOR.address)
    set_automine(node, False)
    for _ in range(3):  # three lives, each of which sees nothing mined
        restarted = Chain(Node(manual.url, mining_timeout_s=IMPATIENT_S), chain.settlement)
        with pytest.raises(ChainUnavailable, match="is not mined yet"):
            post(restarted, batch)
    assert node.nonce(OPERATOR.address, "pending") == nonce + 1
    mine(node)
    receipt = post(Chain(Node(manual.url), chain.settlement), batch)
    assert (chain.batch_count(), receipt.block) == (1, node.head().block)
    assert node.nonce(OPERATOR.address) == nonce + 1


def test_a_batch_takes_the_place_of_a_cheaper_transaction_that_is_stuck(manual: Devnet) -> None:
    """After fees rose, the stuck one would hold everything up."""
    node = Node(manual.url)
    chain = exchange_on(node)
    batch = next_batch(chain)
    nonce = node.nonce(OPERATOR.address)
    set_automine(node, False)
    impatient = Node(manual.url, mining_timeout_s=IMPATIENT_S)
    with pytest.raises(ChainUnavailable, match="is not mined yet"):
        impatient.send(OPERATOR.key, ALICE.address, b"stuck")
    poster = threading.Thread(target=post, args=(chain, batch))
    poster.start()
    wait_until(lambda: chain.settlement.hex() in str(node.request("txpool_inspect")).lower())
    while poster.is_alive():
        mine(node)
        poster.join(0.05)
    assert chain.batch_count() == 1
    assert node.nonce(OPERATOR.address) == nonce + 1


def test_a_batch_is_taken_after_the_chain_slept(chain: Chain) -> None:
    """No block for a day: it is not the newest block's time that counts, but the next one's."""
    chain.node.request("evm_increaseTime", 86_400)
    batch = next_batch(chain)
    later_s = batch.header.time_s + 86_400
    post(chain, batch._replace(header=batch.header._replace(time_s=later_s)))
    assert chain.batch_count() == 1


def test_a_members_transaction_queues_behind_one_that_waits(manual: Devnet) -> None:
    """It may be from another wallet of the same person: nothing is replaced behind their back."""
    node = Node(manual.url)
    chain = exchange_on(node)
    set_automine(node, False)
    impatient = Chain(Node(manual.url, mining_timeout_s=IMPATIENT_S), chain.settlement)
    for _ in range(2):
        with pytest.raises(ChainUnavailable, match="is not mined yet"):
            impatient.open_account(ALICE.key)
    mine(node)
    assert chain.account_count() == 2


def wait_until(is_so: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


# REASONS


def test_a_transaction_that_fails_in_its_block_says_why_too(
    manual: Devnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two claim the same withdrawal at once: both were fine when simulated, one comes second."""
    node = Node(manual.url)
    chain = exchange_on(node)
    chain.open_and_deposit(ALICE.key, 1_000)
    payload = bytes(4) + ALICE.address + bytes(1) + (300).to_bytes(8, "big")
    post(chain, next_batch(chain, withdrawal_root=tree.root({0: payload}), withdrawn=300))
    set_automine(node, False)
    caught: list[Reverted] = []

    data = call_data(load("Vault"), "claim", 1, 0, 0, ALICE.address, 0, 300, [])

    def claim(key: bytes) -> None:
        try:
            node.send(key, chain.vault, data)
        except Reverted as reverted:
            caught.append(reverted)

    simulated = threading.Barrier(2)
    submit = node.submit

    def submit_together(raw: bytes) -> str:
        simulated.wait(20)
        return submit(raw)

    monkeypatch.setattr(node, "submit", submit_together)
    claimants = [threading.Thread(target=claim, args=(who.key,)) for who in (BOB, CAROL)]
    for claimant in claimants:
        claimant.start()
    wait_until(lambda: int(node.request("txpool_status")["pending"], 16) == 2)
    mine(node)
    for claimant in claimants:
        claimant.join()
    (reverted,) = caught
    assert reverted.revert == Revert("AlreadyClaimed", {"number": 0})
    assert reverted.transaction is not None
    assert len(chain.claims(0, 0).items) == 1


def test_a_deployment_lands_where_it_was_predicted_whatever_the_nonce(node: Node) -> None:
    for _ in range(3):
        expected = created_address(CAROL.address, node.nonce(CAROL.address))
        assert deploy_mock_usdc(node, CAROL.key) == expected
    # EIP-161 example: nonce 0 and a nonce of two bytes are encoded differently.
    sender = bytes.fromhex("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert created_address(sender, 0).hex() == "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    assert created_address(sender, 1).hex() == "343c43a37d37dff08ae8c4a11544c718abb4fcf8"


def test_a_contract_that_is_not_there_is_said_to_be_missing(node: Node) -> None:
    with pytest.raises(ChainUnavailable, match=f"there is no Settlement at 0x{BOB.address.hex()}"):
        Chain(node, BOB.address).batch_count()


def test_a_sender_without_ether_is_told_so(node: Node) -> None:
    with pytest.raises(ChainUnavailable, match=r"(?i)insufficient funds"):
        node.send(b"\x01" * 32, BOB.address, b"")


# READING BACK


def test_only_what_is_deep_enough_is_read_and_each_thing_once(chain: Chain) -> None:
    first = chain.open_and_deposit(ALICE.key, 1_000).block
    depth = 2
    page = chain.inbox(0, 0, depth)
    assert page.items == ()
    mine(chain.node)
    mine(chain.node)
    page = chain.inbox(0, page.next_block, depth)
    assert [entry.inbox_index for entry in page.items] == [0, 1]
    assert page.next_block == first + 1
    chain.open_account(BOB.key)
    mine(chain.node)
    assert chain.inbox(2, page.next_block, depth).items == ()
    mine(chain.node)
    later = chain.inbox(2, page.next_block, depth)
    assert [entry.inbox_index for entry in later.items] == [2]
    assert chain.inbox(2, 0, depth) == later, "an index is enough to go on from"


def test_an_inbox_read_from_too_late_a_block_has_a_hole_and_says_so(chain: Chain) -> None:
    chain.open_and_deposit(ALICE.key, 1_000)
    chain.open_account(BOB.key)
    with pytest.raises(ChainUnavailable, match=r"left out inbox entries of 0\.\.3"):
        chain.inbox(0, chain.node.head().block, 0)


def test_a_node_that_leaves_out_the_last_log_is_not_believed(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.open_and_deposit(ALICE.key, 1_000)
    post(chain, next_batch(chain))
    post(chain, next_batch(chain, root=b"\x02" * 32))
    complete = chain.node.logs

    def all_but_the_last(*wanted: Any) -> list[Log]:
        return complete(*wanted)[:-1]

    monkeypatch.setattr(chain.node, "logs", all_but_the_last)
    with pytest.raises(ChainUnavailable, match="left out inbox entries"):
        chain.inbox(0, 0, 0)
    with pytest.raises(ChainUnavailable, match="left out batches"):
        chain.batches(0, 0)


def test_batches_are_read_back_whole_from_calldata(chain: Chain) -> None:
    chain.open_and_deposit(ALICE.key, 1_000)
    batches = [next_batch(chain, chunks=5)]
    receipts = [post(chain, batches[0])]
    batches.append(next_batch(chain, withdrawn=10, root=b"\x02" * 32))
    receipts.append(post(chain, batches[1]))
    page = chain.batches(0, 0)
    assert [posted.batch for posted in page.items] == batches
    assert [(p.block, p.transaction) for p in page.items] == [
        (r.block, r.transaction) for r in receipts
    ]
    assert chain.batches(page.next_block, 0).items == ()


def test_a_batch_posted_through_another_contract_is_called_unreadable(
    node: Node, compiled_contracts: dict[str, Artifact]
) -> None:
    forwarder = Deployed(node, compiled_contracts["ForwardingOperator"])
    token = deploy_mock_usdc(node, OPERATOR.key)
    chain = exchange_on(node, (token,), operator=forwarder.address)
    receipt = forwarder.send(ALICE.key, "forward", chain.settlement, *next_batch(chain))
    assert chain.batch_count() == 1
    with pytest.raises(BatchUnreadable) as caught:
        chain.batches(0, 0)
    assert (caught.value.number, caught.value.transaction) == (1, receipt.transaction)


def test_an_approval_covers_the_deposit_and_no_more(chain: Chain) -> None:
    chain.open_and_deposit(ALICE.key, 1_000)
    data = call_data(load("MockUSDC"), "allowance", ALICE.address, chain.vault)
    assert int.from_bytes(chain.node.call(chain.token(0), data), "big") == 0
    mint_mock_usdc(chain.node, ALICE.key, chain.token(0), BOB.address, 5)


# A CHAIN THAT DOES NOT ANSWER


def test_a_chain_that_is_down_is_unavailable_and_comes_back(anvil_path: Path) -> None:
    del anvil_path
    with Devnet() as devnet:
        node = Node(devnet.url)
        node.head()
    with pytest.raises(ChainUnavailable, match="does not answer"):
        node.head()
    port = int(devnet.url.rpartition(":")[2])
    with Devnet(port=port):
        assert node.head().block == 0


class Rude(BaseHTTPRequestHandler):
    """Answers as its server's `manners` say, or, if they are None, not at all."""

    manners: tuple[int, bytes] | None = None
    answered = threading.Event()

    def do_POST(self) -> None:
        if self.manners is None:
            self.answered.wait(5)
            return
        status, body = self.manners
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


@pytest.mark.parametrize(
    ("manners", "said"),
    [
        (None, "does not answer"),
        ((500, b""), "does not answer"),
        ((429, b"slow down"), "does not answer"),
        ((200, b"<html>"), "does not answer"),
        ((200, b"[]"), "neither result nor error"),
        ((200, b'{"id":0}'), "neither result nor error"),
        ((200, b'{"error":"busy"}'), "busy"),
        ((200, b'{"error":{"code":-32005,"message":"limit exceeded"}}'), "limit exceeded"),
        ((200, b'{"result":null}'), "does not have block"),
        ((200, b'{"result":{"number":"0x1"}}'), "cannot be read"),
        ((200, b'{"result":"soon"}'), "cannot be read"),
    ],
)
def test_a_node_that_answers_nonsense_is_unavailable(
    manners: tuple[int, bytes] | None, said: str
) -> None:
    handler = type("Manners", (Rude,), {"manners": manners, "answered": threading.Event()})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        node = Node(f"http://127.0.0.1:{server.server_port}", timeout_s=0.2)
        with pytest.raises(ChainUnavailable, match=said):
            node.head()
        handler.answered.set()
        server.shutdown()
