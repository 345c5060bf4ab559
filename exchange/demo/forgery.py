"""A batch that lies, posted for real, and what the auditor says to it.

Holds: the forged batch is lawful in itself: one fill's price is moved by a tick, every root
after it is computed anew, and the contract accepts it; only who replays the journal can tell.
The chain is then put back to where it was before.
Never: touches the exchange.
"""

from collections.abc import Sequence
from typing import NamedTuple

from exchange.audit import AuditReport, audit_published, read_chain
from exchange.home import Home
from exchange.journal import read_journal
from settlement.batch import CHUNK_RECORDS, Batch, cut, verify_batch
from settlement.chain import Chain, PostedBatch
from settlement.ledger import Ledger
from settlement.record_types import FILL, MAKER_ADVANCES, PADDING, TAKER_ADVANCES, TIME_ADVANCED
from settlement.record_types import Fill as FillRecord
from settlement.records import RECORD_BYTES, decode, encode


class Caught(NamedTuple):
    """What was forged and what the audit said. `record` is the forged one's place in its batch."""

    batch: int
    record: int
    report: AuditReport

    @property
    def is_caught(self) -> bool:
        """The audit failed and named the very batch and record."""
        report = self.report
        return (report.verdict, report.batch, report.record) == ("fail", self.batch, self.record)


def forge(ledger: Ledger, posted: Sequence[PostedBatch], honest: Batch) -> tuple[Batch, int] | None:
    """`honest` with one tick more in one fill, and all that follows from it; and which record
    that is.

    `ledger` at genesis is brought forward by what was posted. None where the batch has no fill
    of two single orders.
    """
    for before in posted:
        batch = before.batch
        verify_batch(ledger, batch.header, batch.chunk_roots, batch.records)
    records = [
        honest.records[at : at + RECORD_BYTES] for at in range(0, len(honest.records), RECORD_BYTES)
    ]
    forged = next((at for at, record in enumerate(records) if _is_single_fill(record)), None)
    if forged is None:
        return None
    fill = decode(records[forged])
    assert isinstance(fill, FillRecord), "the record was found as a fill"
    records[forged] = encode(fill._replace(price_ticks=fill.price_ticks + 1))
    header = honest.header
    lie = cut(
        ledger,
        _chunks(records),
        number=header.number,
        journal_hash=header.journal_hash,
        journal_sequence=header.journal_sequence,
        time_s=header.time_s,
    )
    return lie, forged


def _is_single_fill(record: bytes) -> bool:
    both = MAKER_ADVANCES | TAKER_ADVANCES
    return record[0] == FILL and record[1] & both == both


def _chunks(records: Sequence[bytes]) -> list[list[bytes]]:
    """Each chunk's records as one group, without padding and the closing time."""
    chunks = [records[at : at + CHUNK_RECORDS] for at in range(0, len(records), CHUNK_RECORDS)]
    kept = [[r for r in chunk if r[0] not in (PADDING, TIME_ADVANCED)] for chunk in chunks]
    return [chunk for chunk in kept if chunk]


def audit_home(chain: Chain, home: Home) -> AuditReport:
    """An audit from nothing but the chain and the published journal."""
    return audit_published(chain, lambda: read_journal(home.journal))


def post_a_lie(
    chain: Chain, key: bytes, home: Home, ledger: Ledger, honest: Batch
) -> Caught | None:
    """Posts a forged batch in the honest one's place, audits, and takes the chain back. None
    where nothing in the batch lends itself.
    """
    posted = read_chain(chain).batches
    made = forge(ledger, posted, honest)
    if made is None:
        return None
    lie, record = made
    before = chain.node.request("evm_snapshot")
    try:
        chain.post_batch(key, *lie)
        report = audit_home(chain, home)
    finally:
        chain.node.request("evm_revert", before)
    return Caught(honest.header.number, record, report)
