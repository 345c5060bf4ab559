"""Batches: how groups fall into chunks, what their bytes are, and what an auditor says to a lie."""

import copy
import json
from pathlib import Path

import pytest
from eth_abi.abi import encode

from margin.fees import FeeSchedule
from settlement.batch import (
    CHUNK_BYTES,
    MAX_RECORDS,
    Batch,
    Divergence,
    Header,
    Layout,
    UnlawfulRecord,
    account_of,
    commitment,
    cut,
    decode_batch,
    encode_batch,
    first_difference,
    groups_that_fit,
    verify_batch,
)
from settlement.keccak import keccak256
from settlement.ledger import Ledger
from settlement.record_types import MARK_TYPES, Malformed
from settlement.records import (
    RECORD_BYTES,
    accrual_updated_record,
    combo_filled_record,
    counter_raised_record,
    deposit_credited_record,
    fill_record,
    index_updated_record,
    order_opened_record,
    padding_record,
    time_advanced_record,
)
from tests.model import vectors
from tests.model.lawful_records import FORWARD, START_S
from tests.model.small_exchange import (
    MAKER_SLOT,
    PERPETUAL,
    TAKER_SLOT,
    apply,
    small_exchange,
    spread,
)

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "batch_vectors.json").read_text())
JOURNAL_HASH = bytes(range(32))
NET = (2_000 - 2 * 1_500) * 10_000
MARK = index_updated_record(0, FORWARD, START_S)
COMBO = (*spread(7, 2_000, 1_500), combo_filled_record(7, 0, MAKER_SLOT, 1, TAKER_SLOT, 5, NET, 2))
TIME = time_advanced_record(START_S)


def raised(turn: int) -> bytes:
    return counter_raised_record(turn % 3, turn + 1)


def single(count: int) -> list[tuple[bytes, ...]]:
    return [(raised(turn),) for turn in range(count)]


def chunks_of(groups: list[tuple[bytes, ...]]) -> list[list[bytes]]:
    """Chunks without their padding."""
    layout = Layout()
    assert all(layout.add(group) for group in groups)
    records = layout.closed(START_S)
    assert len(records) % 16 == 0
    chunks = [records[at : at + 16] for at in range(0, len(records), 16)]
    return [[record for record in chunk if record != padding_record()] for chunk in chunks]


def made(ledger: Ledger, groups: list[tuple[bytes, ...]], number: int = 1) -> Batch:
    return cut(
        ledger,
        groups,
        number=number,
        journal_hash=JOURNAL_HASH,
        journal_sequence=9,
        time_s=START_S,
    )


# LAYOUT


def test_a_batch_of_nothing_is_one_chunk_with_its_time():
    assert chunks_of([]) == [[TIME]]


def test_fifteen_records_leave_room_for_the_time_and_sixteen_do_not():
    assert [len(chunk) for chunk in chunks_of(single(15))] == [16]
    assert [len(chunk) for chunk in chunks_of(single(16))] == [16, 1]


def test_a_combo_that_would_straddle_two_chunks_goes_to_the_next():
    chunks = chunks_of([*single(14), COMBO, *single(2)])
    assert [len(chunk) for chunk in chunks] == [14, 6]
    assert tuple(chunks[1][:3]) == COMBO


def test_a_combo_that_fits_exactly_stays():
    assert tuple(chunks_of([*single(13), COMBO])[0][13:]) == COMBO


def test_marks_share_a_chunks_start_and_what_follows_them_stays_with_them():
    chunks = chunks_of([(MARK,), (MARK,), *single(2), (MARK,), *single(1)])
    assert [len(chunk) for chunk in chunks] == [4, 3]
    assert [record[0] in MARK_TYPES for record in chunks[0]] == [True, True, False, False]
    assert [record[0] in MARK_TYPES for record in chunks[1]] == [True, False, False]


def test_marks_after_a_full_chunk_need_no_padding():
    assert [len(chunk) for chunk in chunks_of([*single(16), (MARK,)])] == [16, 2]
    assert [len(chunk) for chunk in chunks_of([(MARK,)] * 17)] == [16, 2]


def test_a_batch_holds_4095_records_and_its_time():
    groups = single(MAX_RECORDS + 5)
    assert groups_that_fit(groups) == MAX_RECORDS - 1
    assert len(chunks_of(groups[: MAX_RECORDS - 1])) == 256
    with pytest.raises(ValueError):
        made(small_exchange(), groups)


def test_padding_counts_when_a_batch_is_full():
    in_each_chunk = [(MARK,), (raised(0),)]  # a mark after a counter begins a chunk
    assert groups_that_fit(in_each_chunk * 300) == 2 * 256
    wide = [(raised(0),) * 15]
    assert groups_that_fit(wide * 300) == 256
    assert groups_that_fit([(raised(0),) * 16] * 300) == 255  # the last could not end with a time


@pytest.mark.parametrize("group", [(), (raised(0),) * 17])
def test_a_group_that_no_chunk_can_hold_is_a_mistake(group: tuple[bytes, ...]):
    with pytest.raises(ValueError):
        Layout().add(group)


# CUTTING


def test_a_record_that_the_ledger_refuses_stops_the_engine():
    with pytest.raises(UnlawfulRecord, match="record 1: unknown account") as stopped:
        made(small_exchange(), [(raised(0),), (counter_raised_record(77, 1),)])
    assert stopped.value.violation.account == 77


def test_each_chunk_has_the_root_of_a_ledger_that_stops_there():
    groups = [(MARK,), *single(30)]
    batch = made(small_exchange(), groups)
    step = small_exchange()
    apply(step, MARK, *(raised(turn) for turn in range(15)))
    assert batch.chunk_roots[0] == step.root()
    apply(step, *(raised(turn) for turn in range(15, 30)), TIME)
    assert batch.chunk_roots[1:] == (step.root(),)
    assert batch.header.new_root == step.root()


def test_the_header_says_what_the_ledger_came_to():
    ledger = small_exchange()
    before = ledger.root()
    header = made(ledger, [(deposit_credited_record(1, 0, 50),)]).header
    assert header.previous_root == before
    assert header.new_root == ledger.root() != before
    assert header.inbox_cursor == ledger.inbox_cursor
    assert header.inbox_hash == ledger.inbox_hash
    assert header.credited == 3 * 10**11 + 50
    assert header.liabilities + header.withdrawn == header.credited
    assert (header.journal_hash, header.journal_sequence) == (JOURNAL_HASH, 9)
    assert header.time_s == START_S


# BYTES


def test_the_batches_are_those_of_the_published_vectors():
    fees = VECTORS["fees"]
    body = bytes.fromhex(VECTORS["genesis_body"])
    ledger = Ledger(body, FeeSchedule(**fees))
    assert ledger.root().hex() == VECTORS["genesis_root"]
    for vector in VECTORS["batches"]:
        header = vector["header"]
        groups = [tuple(bytes.fromhex(record) for record in group) for group in vector["groups"]]
        batch = cut(
            ledger,
            groups,
            number=header["number"],
            journal_hash=bytes.fromhex(header["journal_hash"]),
            journal_sequence=header["journal_sequence"],
            time_s=header["time_s"],
        )
        shown = {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in batch.header._asdict().items()
        }
        assert shown == header
        assert [root.hex() for root in batch.chunk_roots] == vector["chunk_roots"]
        assert batch.records.hex() == vector["records"]
        assert commitment(batch).hex() == vector["commitment"]


def test_the_vectors_are_what_the_slow_twin_makes_today():
    assert vectors.batch_vectors() == VECTORS


def test_the_commitment_is_the_one_that_the_contract_computes():
    """abi.encode by another hand."""
    batch = made(small_exchange(), single(40))
    header = "(uint64,bytes32,bytes32,bytes32,bytes32,uint64,uint64,bytes32,uint64,"
    header += "uint128,uint128,uint128)"
    bound = (batch.header, keccak256(batch.records), keccak256(b"".join(batch.chunk_roots)))
    assert commitment(batch) == keccak256(encode([header, "bytes32", "bytes32"], bound))


def test_a_batch_is_its_bytes_both_ways():
    batch = made(small_exchange(), single(40))
    data = encode_batch(batch)
    assert len(data) == 12 * 32 + 2 + 3 * 32 + 3 * CHUNK_BYTES
    assert decode_batch(data) == batch
    assert decode_batch(data) is not batch


def test_bytes_that_are_no_batch_are_refused_at_the_first_wrong_one():
    data = encode_batch(made(small_exchange(), []))
    for length in (0, 1, 385, 386, 400, len(data) - 1):
        assert decode_batch(data[:length]) == Malformed(length)
    assert decode_batch(data + b"\0") == Malformed(len(data))
    assert decode_batch(b"\1" + data[1:]) == Malformed(0)  # number past 64 bits
    at = 9 * 32 + 15  # credited past 128 bits
    assert decode_batch(data[:at] + b"\1" + data[at + 1 :]) == Malformed(9 * 32)
    assert decode_batch(data[:384] + b"\0\0" + data[386:]) == Malformed(384)
    assert decode_batch(data[:384] + b"\1\1" + data[386:]) == Malformed(384)


# AUDITING


def lying(batch: Batch, **changes: object) -> Divergence | None:
    """What an auditor of a fresh exchange says to a batch whose header says something else."""
    header = batch.header._replace(**changes)
    return verify_batch(small_exchange(), header, batch.chunk_roots, batch.records)


def placed(*records: bytes, last: bytes = TIME) -> Divergence | None:
    """What an auditor says to one chunk of records, whose roots are of no account."""
    chunk = (*records, last) + (padding_record(),) * (15 - len(records))
    ledger = small_exchange()
    header = made(small_exchange(), []).header
    return verify_batch(ledger, header, (bytes(32),), b"".join(chunk))


def test_a_batch_verifies_on_a_ledger_that_stands_where_it_began_and_brings_it_to_its_end():
    ours, theirs = small_exchange(), small_exchange()
    for number in (1, 2):
        batch = made(ours, [(MARK,), COMBO, *single(0)], number)
        verdict = verify_batch(theirs, batch.header, batch.chunk_roots, batch.records)
        assert verdict is None
        assert theirs.root() == ours.root()


@pytest.mark.parametrize("name", ["credited", "withdrawn", "liabilities", "inbox_cursor", "time_s"])
def test_a_header_that_counts_otherwise_is_named(name: str):
    batch = made(small_exchange(), single(20))
    count = getattr(batch.header, name)
    expected = Divergence(f"{name} is {count + 1}; {count} follows")
    assert lying(batch, **{name: count + 1}) == expected


@pytest.mark.parametrize("name", ["previous_root", "new_root", "withdrawal_root", "inbox_hash"])
def test_a_header_with_another_hash_is_named(name: str):
    divergence = lying(made(small_exchange(), single(20)), **{name: b"\1" * 32})
    assert divergence is not None
    assert divergence.reason.startswith(f"{name} is 0101")


def test_a_false_root_is_found_in_its_chunk():
    batch = made(small_exchange(), single(40))
    roots = (batch.chunk_roots[0], bytes(32), batch.chunk_roots[2])
    divergence = verify_batch(small_exchange(), batch.header, roots, batch.records)
    assert divergence is not None
    assert (divergence.chunk, divergence.record, divergence.account) == (1, None, None)
    assert divergence.reason.startswith("chunk root is 0000")


def test_an_unlawful_record_is_named_with_its_chunk_and_account():
    batch = made(small_exchange(), single(40))
    at = 21 * RECORD_BYTES
    records = batch.records[:at] + counter_raised_record(2, 0) + batch.records[at + RECORD_BYTES :]
    divergence = verify_batch(small_exchange(), batch.header, batch.chunk_roots, records)
    assert divergence == Divergence("counter not raised: counter 0; it must be above 21", 1, 21, 2)


def test_records_and_roots_of_unequal_number_are_no_batch():
    batch = made(small_exchange(), single(20))
    for roots, records in (
        (batch.chunk_roots[:1], batch.records),
        (batch.chunk_roots, batch.records[:-1]),
        ((), b""),
        (batch.chunk_roots * 200, batch.records * 200),
    ):
        divergence = verify_batch(small_exchange(), batch.header, roots, records)
        assert divergence is not None
        assert "chunk roots" in divergence.reason


def test_a_mark_does_not_follow_what_it_could_have_changed():
    assert placed(raised(0), MARK) == Divergence(
        "mark not first: a mark (type 15) follows a record that is none", 0, 1, None
    )


def test_nothing_follows_padding_in_its_chunk():
    assert placed(padding_record(), raised(2)) == Divergence(
        "padding inside: a record of type 4 follows padding in its chunk", 0, 1, 2
    )


TIME_STORY = "time not last: TIME_ADVANCED stands last in a batch, and there alone"


def test_time_passes_once_in_a_batch_at_its_end():
    assert placed(TIME) == Divergence(TIME_STORY, 0, 1, None)
    assert placed(TIME, raised(1)) == Divergence(TIME_STORY, 0, 1, 1)
    assert placed(raised(0), last=padding_record()) == Divergence(TIME_STORY, 0, 15, None)


def test_time_does_not_pass_before_the_last_chunk():
    ledger = small_exchange()
    batch = made(small_exchange(), single(20))
    records = TIME + batch.records[RECORD_BYTES:]
    divergence = verify_batch(ledger, batch.header, batch.chunk_roots, records)
    assert divergence == Divergence(TIME_STORY, 0, 0, None)


def test_a_combo_cut_in_two_by_a_chunks_end_is_found():
    records = b"".join((*[raised(turn) for turn in range(14)], *COMBO, TIME))
    records += bytes(2 * CHUNK_BYTES - len(records))
    ledger = small_exchange()
    header = made(small_exchange(), []).header
    divergence = verify_batch(ledger, header, (bytes(32), bytes(32)), records)
    assert divergence is not None
    assert (divergence.chunk, divergence.record, divergence.account) == (0, 15, 1)
    assert divergence.reason.startswith("leg without combo")


def test_what_the_journal_says_otherwise_is_named_by_its_first_record():
    batch = made(small_exchange(), single(40))
    assert first_difference(batch.records, batch.records) is None
    at = 21 * RECORD_BYTES
    other = fill_record(7, 5, 0, 6, 0, 1, 1, 1)
    theirs = batch.records[:at] + other + batch.records[at + RECORD_BYTES :]
    divergence = first_difference(batch.records, theirs)
    assert divergence is not None
    assert (divergence.chunk, divergence.record, divergence.account) == (1, 21, 6)
    shorter = first_difference(batch.records, batch.records[:at])
    assert shorter is not None
    assert (shorter.record, shorter.account) == (21, 0)


@pytest.mark.parametrize(
    ("record", "account"),
    [
        (order_opened_record(9, 1, bytes(23)), 9),
        (fill_record(7, 5, 0, 6, 0, 1, 1, 1), 6),
        (COMBO[-1], 1),
        (accrual_updated_record(PERPETUAL, 0, 1), None),
        (TIME, None),
        (b"", None),
    ],
)
def test_a_record_is_about_its_account_or_its_taker(record: bytes, account: int | None):
    assert account_of(record) == account


def from_vector(shown: dict) -> Batch:
    header = (bytes.fromhex(v) if isinstance(v, str) else v for v in shown["header"].values())
    roots = tuple(bytes.fromhex(root) for root in shown["chunk_roots"])
    return Batch(Header(*header), roots, bytes.fromhex(shown["records"]))


def test_a_bit_flipped_in_any_byte_of_a_batch_is_noticed():
    """Over a batch with every kind of record; which bit of the byte, the property draws."""
    first, second = map(from_vector, VECTORS["batches"])
    fees = FeeSchedule(*VECTORS["fees"].values())
    start = Ledger(bytes.fromhex(VECTORS["genesis_body"]), fees)
    assert verify_batch(start, first.header, first.chunk_roots, first.records) is None
    for at in range(len(second.records)):
        lie = bytearray(second.records)
        lie[at] ^= 1 << at % 8
        ledger = copy.deepcopy(start)
        divergence = verify_batch(ledger, second.header, second.chunk_roots, bytes(lie))
        assert divergence is not None
        assert divergence.chunk is not None
        assert divergence.chunk == at // CHUNK_BYTES
