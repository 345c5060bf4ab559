"""Measures what the contracts cost, on a local chain.

    python scripts/measure_gas.py

Holds: the same figures on every run: gas is exact, and the numbers drawn come from a fixed seed.
A batch's records are fills of an exchange of 5,000 accounts and 700 instruments, and, where
said, the ORDER_OPENED that stands before an order's first fill: 23 bytes of hash that cost as much
as 23 bytes can.
Never: reads a clock for a figure.
"""

import random
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from exchange.devnet import AnvilMissing, DevAccount, Devnet, accounts
from settlement.batch import CHUNK_RECORDS, Batch, Header
from settlement.chain import Chain, deploy, deploy_mock_usdc, mint_mock_usdc
from settlement.node import Node
from settlement.records import fill_record, order_opened_record
from settlement.tree import Tree

SEED: Final = 20_260_116
ACCOUNTS: Final = 5_000
SLOTS: Final = 3_000
INSTRUMENTS: Final = 700
MEAN_LOTS: Final = 20
MEDIAN_LOG_TICKS: Final = 6.5
WITHDRAWALS: Final = 1_000
CREDIT: Final = 250_000_000
"""A usual deposit, micro-USDC."""
BATCHES: Final = (16, 64, 256, 1_024, 2_000)
"""Records to a batch."""


class Gas(NamedTuple):
    """Gas used by one transaction; `records` in it, 0 for what is no batch."""

    what: str
    gas: int
    records: int = 0


def fills(dice: random.Random) -> Iterator[bytes]:
    while True:
        yield fill_record(
            flags=dice.randrange(8),
            maker=dice.randrange(ACCOUNTS),
            maker_slot=dice.randrange(SLOTS),
            taker=dice.randrange(ACCOUNTS),
            taker_slot=dice.randrange(SLOTS),
            instrument=dice.randrange(INSTRUMENTS),
            quantity_lots=1 + int(dice.expovariate(1 / MEAN_LOTS)),
            price_ticks=1 + int(dice.lognormvariate(MEDIAN_LOG_TICKS, 1.3)),
        )


def fills_of_new_orders(dice: random.Random) -> Iterator[bytes]:
    """A new order for each fill: takers are new, makers were opened before."""
    for fill in fills(dice):
        account, slot = dice.randrange(ACCOUNTS), dice.randrange(SLOTS)
        yield order_opened_record(account, slot, dice.randbytes(23))
        yield fill


def measure(node: Node) -> list[Gas]:
    """Every figure, in the order of a member's life."""
    operator, alice, bob = accounts()[:3]
    token = deploy_mock_usdc(node, operator.key)
    deployment = deploy(
        node,
        operator.key,
        operator=operator.address,
        genesis_root=lambda _: bytes(32),
        tokens=[token],
        challenge_window_s=0,
        time_tolerance_s=3_600,
    )
    chain = Chain(node, deployment.settlement)
    for member in (alice, bob):
        mint_mock_usdc(node, operator.key, token, member.address, 10**15)
    # Others were here before: no counter is at zero any more.
    chain.open_and_deposit(bob.key, CREDIT)
    return [*members(chain, alice), *batches(chain, operator), *claims(chain, operator, alice)]


def members(chain: Chain, alice: DevAccount) -> Iterator[Gas]:
    def used(transaction: bytes) -> int:
        receipt = chain.node.receipt(transaction)
        assert receipt is not None, "it was mined"
        return receipt.gas_used

    account = chain.open_account(alice.key)
    opened = chain.inbox(account + 1, 0, 0).items[-1]
    yield Gas("open an account", used(opened.transaction))
    for times in range(4):
        # Four sums share a word of storage, so one entry in four costs a new one.
        entry = chain.deposit(alice.key, account, CREDIT)
        yield Gas(f"deposit {'again' if times else 'first'}", used(entry.transaction))
    entry = chain.open_and_deposit(alice.key, CREDIT)
    yield Gas("open an account and deposit", used(entry.transaction))
    entry = chain.register_key(alice.key, account, b"\x0c" * 20, 2_000_000_000)
    yield Gas("register a session key", used(entry.transaction))


def batches(chain: Chain, operator: DevAccount) -> Iterator[Gas]:
    dice = random.Random(SEED)
    for kind in (fills, fills_of_new_orders):
        source = kind(dice)
        for records in BATCHES:
            data = b"".join(next(source) for _ in range(records))
            batch = next_batch(chain, data, bytes(32), dice)
            receipt = chain.post_batch(operator.key, *batch)
            yield Gas(f"post {kind.__name__.replace('_', ' ')}", receipt.gas_used, records)


def claims(chain: Chain, operator: DevAccount, alice: DevAccount) -> Iterator[Gas]:
    dice = random.Random(SEED)
    tree = Tree()
    for number in range(WITHDRAWALS):
        payload = (1).to_bytes(4, "big") + alice.address + bytes(1) + number.to_bytes(8, "big")
        tree.set(number, payload)
    data = next(fills(dice)) * CHUNK_RECORDS
    batch = next_batch(chain, data, tree.root(), dice)
    chain.post_batch(operator.key, *batch)
    for number in (500, 501, 502):
        siblings = tree.proof(number).siblings
        leaf = (batch.header.number, number, 1, alice.address, 0, number, siblings)
        # The list of what was paid has 256 withdrawals to a word of storage.
        which = "first of its word" if number == 500 else "another"
        yield Gas(f"claim, {which}", chain.claim(operator.key, *leaf).gas_used)


def next_batch(chain: Chain, records: bytes, withdrawal_root: bytes, dice: random.Random) -> Batch:
    cursor = chain.inbox_count()
    inbox_hash, credited = chain.inbox_at(cursor)
    roots = [dice.randbytes(32) for _ in range(len(records) // 31 // CHUNK_RECORDS)]
    header = Header(
        number=chain.batch_count() + 1,
        previous_root=chain.current_root(),
        new_root=roots[-1],
        withdrawal_root=withdrawal_root,
        journal_hash=dice.randbytes(32),
        journal_sequence=1_000_000,
        inbox_cursor=cursor,
        inbox_hash=inbox_hash,
        time_s=chain.node.head().time_s,
        credited=credited,
        withdrawn=CREDIT,
        liabilities=credited - CREDIT,
    )
    return Batch(header, tuple(roots), records)


def main() -> int:
    try:
        with Devnet() as devnet:
            measured = measure(Node(devnet.url))
    except AnvilMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    for what, gas, records in measured:
        each = f"{gas / records:10,.0f} a record of {records:,}" if records else ""
        print(f"{what:34}{gas:12,}{each}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
