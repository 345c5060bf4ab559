"""Batches: records laid in chunks, a root after each, and a header that says what it comes to.

Holds: a chunk is 16 records, padded; a group never straddles two; marks stand at a chunk's start;
TIME_ADVANCED is a batch's last record. `cut` and `verify_batch` walk the same path: whatever `cut`
makes verifies on a ledger that stands where it stood, and gives the same ledger.
Never: posts a batch, or signs it; trusts a batch that it did not cut.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from settlement import violations as rule
from settlement.keccak import keccak256
from settlement.ledger import Ledger
from settlement.record_types import MARK_TYPES, PADDING, TIME_ADVANCED, Malformed
from settlement.records import PADDING_RECORD, RECORD_BYTES, decode, time_advanced_record
from settlement.violations import Violation

CHUNK_RECORDS: Final = 16
MAX_CHUNKS: Final = 256
MAX_RECORDS: Final = CHUNK_RECORDS * MAX_CHUNKS
POSTABLE_RECORDS: Final = 240 * CHUNK_RECORDS
"""What fits a transaction that common nodes take, 131,072 bytes with its signature."""
CHUNK_BYTES: Final = CHUNK_RECORDS * RECORD_BYTES

Group = Sequence[bytes]
"""Records that must stand in one chunk, in order: a combo's, or a single one."""


class Header(NamedTuple):
    """What a batch claims, in the order of docs/protocol.md, 6. Sums in micro-USDC since the
    beginning.
    """

    number: int
    previous_root: bytes
    new_root: bytes
    withdrawal_root: bytes
    journal_hash: bytes
    journal_sequence: int
    inbox_cursor: int
    inbox_hash: bytes
    time_s: int
    credited: int
    withdrawn: int
    liabilities: int


class Batch(NamedTuple):
    """A batch as it is posted: a root for each chunk, and 496 bytes of records for each root."""

    header: Header
    chunk_roots: tuple[bytes, ...]
    records: bytes


class Divergence(NamedTuple):
    """Why a batch is not what the state before it and its records make of it.

    The first chunk, the first record (counted from the batch's start) and the account that it is
    about; None where the fault is in the header, in a root, or of no account.
    """

    reason: str
    chunk: int | None = None
    record: int | None = None
    account: int | None = None


class UnlawfulRecord(Exception):
    """The ledger refused a record of its own engine: a broken invariant."""

    def __init__(self, record: int, violation: Violation) -> None:
        super().__init__(f"record {record}: {violation.name}: {violation.message} ({violation})")
        self.record = record
        self.violation = violation


# CUTTING


class Layout:
    """Records of a batch to be, laid in chunks group by group; at most `limit_records` of them."""

    __slots__ = ("_has_other", "_limit", "_records")

    def __init__(self, limit_records: int = MAX_RECORDS) -> None:
        self._limit = limit_records
        self._records: list[bytes] = []
        self._has_other = False  # the last chunk holds a record that is no mark

    def add(self, group: Group) -> bool:
        """Lays a group; False if the batch has no room for it, with TIME_ADVANCED to come."""
        if not 0 < len(group) <= CHUNK_RECORDS:
            raise ValueError(f"a group has 1 to {CHUNK_RECORDS} records, not {len(group)}")
        used = len(self._records) % CHUNK_RECORDS
        is_mark = group[0][0] in MARK_TYPES  # and so is all of the group
        needs_chunk = used + len(group) > CHUNK_RECORDS or (is_mark and self._has_other)
        padding = -used % CHUNK_RECORDS if needs_chunk else 0
        if len(self._records) + padding + len(group) >= self._limit:
            return False
        self._records += [PADDING_RECORD] * padding
        self._records += group
        self._has_other = not is_mark or (self._has_other and not needs_chunk)
        return True

    def closed(self, time_s: int) -> list[bytes]:
        """All records, TIME_ADVANCED last, padded to whole chunks."""
        records = [*self._records, time_advanced_record(time_s)]
        return records + [PADDING_RECORD] * (-len(records) % CHUNK_RECORDS)


def groups_that_fit(groups: Sequence[Group], limit_records: int = MAX_RECORDS) -> int:
    """How many groups, from the first, one batch of at most `limit_records` can hold."""
    layout = Layout(limit_records)
    return next((at for at, group in enumerate(groups) if not layout.add(group)), len(groups))


def cut(
    ledger: Ledger,
    groups: Sequence[Group],
    *,
    number: int,
    journal_hash: bytes,
    journal_sequence: int,
    time_s: int,
) -> Batch:
    """Lays all groups in chunks, advances the ledger by them, and takes the root after each chunk.

    A record that the ledger refuses is `UnlawfulRecord`; more groups than fit, a ValueError (ask
    `groups_that_fit`).
    """
    layout = Layout()
    for group in groups:
        if not layout.add(group):
            raise ValueError(f"{len(groups)} groups are more than a batch can hold")
    previous_root = ledger.root()
    chunks = _chunks(layout.closed(time_s))
    roots: list[bytes] = []
    for at, chunk in enumerate(chunks):
        refused = _apply_chunk(ledger, chunk, at == len(chunks) - 1)
        if refused is not None:
            raise UnlawfulRecord(at * CHUNK_RECORDS + refused[0], refused[1])
        roots.append(ledger.root())
    header = _header(ledger, number, previous_root, roots[-1], journal_hash, journal_sequence)
    return Batch(header, tuple(roots), b"".join(record for chunk in chunks for record in chunk))


def _chunks(records: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [records[at : at + CHUNK_RECORDS] for at in range(0, len(records), CHUNK_RECORDS)]


def _header(
    ledger: Ledger,
    number: int,
    previous_root: bytes,
    new_root: bytes,
    journal_hash: bytes,
    journal_sequence: int,
) -> Header:
    """What a ledger that has just reached `new_root` says of itself."""
    return Header(
        number,
        previous_root,
        new_root,
        ledger.withdrawal_root(),
        journal_hash,
        journal_sequence,
        ledger.inbox_cursor,
        ledger.inbox_hash,
        ledger.time_s,
        ledger.credited_micro,
        ledger.withdrawn_micro,
        ledger.liabilities(),
    )


def _apply_chunk(
    ledger: Ledger, chunk: Sequence[bytes], is_last: bool
) -> tuple[int, Violation] | None:
    """Advances the ledger by a chunk, or gives the index of the first unlawful record, and why."""
    has_other = has_padding = has_time = False
    for at, record in enumerate(chunk):
        kind = record[0]
        if kind == PADDING:
            has_padding = True
        elif has_time or (kind == TIME_ADVANCED and not is_last):
            return at, Violation(rule.TIME_NOT_LAST)
        elif has_padding:
            return at, Violation(rule.PADDING_INSIDE, None, kind)
        elif kind not in MARK_TYPES:
            has_other = True
        elif has_other:
            return at, Violation(rule.MARK_NOT_FIRST, None, kind)
        has_time = has_time or kind == TIME_ADVANCED
        violation = ledger.apply(record)
        if violation is not None:
            return at, violation
    end = len(chunk) - 1
    violation = ledger.open_combo_violation()
    if violation is not None:
        return end, violation
    return (end, Violation(rule.TIME_NOT_LAST)) if is_last and not has_time else None


# AUDITING


def verify_batch(
    ledger: Ledger, header: Header, chunk_roots: Sequence[bytes], records: bytes
) -> Divergence | None:
    """Whether a batch follows from the state before it, where `ledger` stands.

    Advances the ledger, to the batch's end if the answer is None. Number, journal hash and journal
    sequence are not in the state: the caller compares them with the journal.
    """
    count = len(chunk_roots)
    if not 0 < count <= MAX_CHUNKS or len(records) != count * CHUNK_BYTES:
        return Divergence(f"{len(records)} bytes of records stand beside {count} chunk roots")
    before = ledger.root()
    if header.previous_root != before:
        return Divergence(_differs("previous_root", header.previous_root, before))
    split = [records[at : at + RECORD_BYTES] for at in range(0, len(records), RECORD_BYTES)]
    for at, (chunk, posted) in enumerate(zip(_chunks(split), chunk_roots, strict=True)):
        refused = _apply_chunk(ledger, chunk, at == count - 1)
        if refused is not None:
            within, violation = refused
            account = violation.account
            if account is None:
                account = account_of(chunk[within])
            reason = f"{violation.name}: {violation.message}"
            return Divergence(reason, at, at * CHUNK_RECORDS + within, account)
        root = ledger.root()
        if root != posted:
            return Divergence(_differs("chunk root", posted, root), at)
    new_root, journal = chunk_roots[-1], (header.journal_hash, header.journal_sequence)
    due = _header(ledger, header.number, before, new_root, *journal)
    for name, posted, value in zip(Header._fields, header, due, strict=True):
        if posted != value:
            return Divergence(_differs(name, posted, value))
    return None


def first_difference(ours: bytes, theirs: bytes) -> Divergence | None:
    """The first record in which the records of a batch differ from those that the journal gives."""
    for start in range(0, max(len(ours), len(theirs)), RECORD_BYTES):
        our, their = ours[start : start + RECORD_BYTES], theirs[start : start + RECORD_BYTES]
        if our != their:
            at = start // RECORD_BYTES
            account = account_of(their)
            if account is None:
                account = account_of(our)
            return Divergence(_records_differ(their, our), at // CHUNK_RECORDS, at, account)
    return None


def _records_differ(posted: bytes, due: bytes) -> str:
    """The first field that differs, where both are records of one kind; else their bytes."""
    got, expected = decode(posted), decode(due)
    if type(got) is type(expected) and not isinstance(got, Malformed):
        for name, value in expected._asdict().items():
            other = getattr(got, name)
            if other != value:
                return _differs(f"{name} of {type(got).__name__}", other, value)
    return _differs("record", posted, due)


def account_of(record: bytes) -> int | None:
    """The account that a record is about, who gives, a fill's taker; None where it is of none."""
    value = decode(record)
    if isinstance(value, Malformed):
        return None
    fields = value._asdict()
    return fields.get("account", fields.get("giver", fields.get("taker")))


def _differs(what: str, posted: bytes | int, due: bytes | int) -> str:
    got, expected = (v.hex() if isinstance(v, bytes) else v for v in (posted, due))
    return f"{what} is {got}; {expected} follows"


# BYTES
# A header is encoded as the contract does it: 12 words of 32 bytes, integers right-aligned.

_HEADER_BITS: Final = (64, 0, 0, 0, 0, 64, 64, 0, 64, 128, 128, 128)
"""Of the integers; 0 for a hash."""
_HEADER_BYTES: Final = 32 * len(_HEADER_BITS)
_COUNT: Final = Struct(">H")


def encode_header(header: Header) -> bytes:
    """abi.encode(header)."""
    return b"".join(
        value if isinstance(value, bytes) else value.to_bytes(32, "big") for value in header
    )


def commitment(batch: Batch) -> bytes:
    """What the Settlement contract stores: H(abi.encode(header, H(records), H(chunk roots)))."""
    return keccak256(
        encode_header(batch.header)
        + keccak256(batch.records)
        + keccak256(b"".join(batch.chunk_roots))
    )


def encode_batch(batch: Batch) -> bytes:
    """The canonical bytes: abi.encode(header) ‖ chunk count u16 ‖ chunk roots ‖ records."""
    return b"".join(
        (
            encode_header(batch.header),
            _COUNT.pack(len(batch.chunk_roots)),
            *batch.chunk_roots,
            batch.records,
        )
    )


def decode_batch(data: bytes) -> Batch | Malformed:
    """The batch of any bytes, or where they stop being one. Its records are not looked into."""
    if len(data) < _HEADER_BYTES + _COUNT.size:
        return Malformed(len(data))
    values: list[bytes | int] = []
    for at, bits in enumerate(_HEADER_BITS):
        word = data[32 * at : 32 * at + 32]
        value = int.from_bytes(word, "big")
        if bits and value >> bits:
            return Malformed(32 * at)
        values.append(value if bits else word)
    (count,) = _COUNT.unpack_from(data, _HEADER_BYTES)
    if not 0 < count <= MAX_CHUNKS:
        return Malformed(_HEADER_BYTES)
    roots_at = _HEADER_BYTES + _COUNT.size
    records_at = roots_at + 32 * count
    end = records_at + CHUNK_BYTES * count
    if len(data) != end:
        return Malformed(min(len(data), end))
    roots = tuple(data[at : at + 32] for at in range(roots_at, records_at, 32))
    return Batch(Header._make(values), roots, data[records_at:])
