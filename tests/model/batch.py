"""The slow twin of `settlement/batch.py`: chunks as lists, a root from scratch after each."""

from typing import NamedTuple

from settlement.keccak import keccak256
from tests.model.ledger import SlowLedger, pack, unpack

MARKS = (
    "INDEX_UPDATED",
    "MARK_UPDATED",
    "ACCRUAL_UPDATED",
    "EXPIRY_SETTLED",
    "STATUS_CHANGED",
    "FEE_LEVEL_SET",
)


class SlowBatch(NamedTuple):
    header: dict[str, int | bytes]
    chunk_roots: list[bytes]
    records: bytes


def is_mark(record: bytes) -> bool:
    read = unpack(record)
    return read is not None and read[0] in MARKS


def lay(groups: list[tuple[bytes, ...]], time_s: int) -> list[list[bytes]]:
    """Chunks of up to 16 records, not padded."""
    chunks: list[list[bytes]] = [[]]
    for group in [*groups, (pack("TIME_ADVANCED", time_s),)]:
        comes_late = is_mark(group[0]) and not all(map(is_mark, chunks[-1]))
        if len(chunks[-1]) + len(group) > 16 or comes_late:
            chunks.append([])
        chunks[-1].extend(group)
    return chunks


def slow_cut(
    ledger: SlowLedger,
    groups: list[tuple[bytes, ...]],
    number: int,
    journal_hash: bytes,
    journal_sequence: int,
    time_s: int,
) -> SlowBatch:
    previous_root = ledger.root()
    roots: list[bytes] = []
    records = b""
    for chunk in lay(groups, time_s):
        for record in chunk:
            assert ledger.apply(record), record.hex()
        assert not ledger.legs, "a combo straddles chunks"
        roots.append(ledger.root())
        records += b"".join(chunk) + bytes(31 * (16 - len(chunk)))
    header: dict[str, int | bytes] = {
        "number": number,
        "previous_root": previous_root,
        "new_root": roots[-1],
        "withdrawal_root": ledger.withdrawal_root(),
        "journal_hash": journal_hash,
        "journal_sequence": journal_sequence,
        "inbox_cursor": len(ledger.inbox),
        "inbox_hash": ledger.inbox_hash(),
        "time_s": ledger.time_s,
        "credited": ledger.credited,
        "withdrawn": ledger.withdrawn,
        "liabilities": ledger.liabilities(),
    }
    return SlowBatch(header, roots, records)


def slow_commitment(batch: SlowBatch) -> bytes:
    words = b"".join(
        value if isinstance(value, bytes) else value.to_bytes(32, "big")
        for value in batch.header.values()
    )
    roots = keccak256(b"".join(batch.chunk_roots))
    return keccak256(words + keccak256(batch.records) + roots)
