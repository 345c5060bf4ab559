"""A chain, contracts on it and batches to post, for tests. Each test deploys contracts of its own.

The fixtures stand in `tests/chain_fixtures.py`.
"""

from typing import Any, Final

from exchange.devnet import DevAccount, accounts
from scripts.build_contracts import Artifact
from settlement.batch import CHUNK_BYTES, Batch, Header
from settlement.chain import Chain, deploy, deploy_mock_usdc, mint_mock_usdc
from settlement.contracts import Contract, call_data, contract_of, creation_code, load, results_of
from settlement.node import Node, Receipt

OPERATOR, ALICE, BOB, CAROL, NOBODY = accounts()[:5]
GENESIS_ROOT: Final = bytes.fromhex("6e" * 32)
NO_WITHDRAWALS: Final = bytes(32)
TOLERANCE_S: Final = 600
MANY_DOLLARS: Final = 10**15


def exchange_on(
    node: Node,
    tokens: tuple[bytes, ...] | None = None,
    challenge_window_s: int = 0,
    operator: bytes = OPERATOR.address,
) -> Chain:
    if tokens is None:
        tokens = (deploy_mock_usdc(node, OPERATOR.key),)
        for member in (ALICE, BOB, CAROL):
            mint_mock_usdc(node, OPERATOR.key, tokens[0], member.address, MANY_DOLLARS)
    deployed = deploy(
        node,
        OPERATOR.key,
        operator=operator,
        genesis_root=lambda _: GENESIS_ROOT,
        tokens=tokens,
        challenge_window_s=challenge_window_s,
        time_tolerance_s=TOLERANCE_S,
    )
    return Chain(node, deployed.settlement)


# BATCHES


def next_batch(
    chain: Chain,
    *,
    withdrawal_root: bytes = NO_WITHDRAWALS,
    withdrawn: int = 0,
    chunks: int = 1,
    root: bytes = b"\x01" * 32,
) -> Batch:
    """A batch that the contracts take: it consumes the whole inbox at the newest block's time."""
    number = chain.batch_count() + 1
    cursor = chain.inbox_count()
    inbox_hash, credited = chain.inbox_at(cursor)
    roots = [bytes([index % 251]) * 32 for index in range(chunks - 1)] + [root]
    header = Header(
        number=number,
        previous_root=chain.current_root(),
        new_root=root,
        withdrawal_root=withdrawal_root,
        journal_hash=b"\x0a" * 32,
        journal_sequence=100 * number,
        inbox_cursor=cursor,
        inbox_hash=inbox_hash,
        time_s=chain.node.head().time_s,
        credited=credited,
        withdrawn=withdrawn,
        liabilities=credited - withdrawn,
    )
    records = bytes(index % 253 for index in range(CHUNK_BYTES)) * chunks
    return Batch(header, tuple(roots), records)


def post(chain: Chain, batch: Batch, by: DevAccount = OPERATOR) -> Receipt:
    return chain.post_batch(by.key, *batch)


# OTHER CONTRACTS


class Deployed:
    """A contract that only tests know, by its artifact."""

    def __init__(self, node: Node, artifact: Artifact, *arguments: Any) -> None:
        self.node = node
        self.contract: Contract = contract_of(artifact._asdict())
        receipt = node.send(OPERATOR.key, None, creation_code(self.contract, *arguments))
        assert receipt.created is not None
        self.address = receipt.created

    def send(self, key: bytes, function: str, *arguments: Any) -> Receipt:
        return self.node.send(key, self.address, call_data(self.contract, function, *arguments))

    def call(self, function: str, *arguments: Any) -> Any:
        data = self.node.call(self.address, call_data(self.contract, function, *arguments))
        return results_of(self.contract, function, data)[0]


def view(chain: Chain, function: str, *arguments: Any) -> tuple[Any, ...]:
    """What a view of the Settlement contract answers."""
    contract = load("Settlement")
    data = chain.node.call(chain.settlement, call_data(contract, function, *arguments))
    return results_of(contract, function, data)
