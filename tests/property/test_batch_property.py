"""Batches of any lawful program: cut as the slow twin cuts them, verified, no lie let through."""

import copy
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from margin.fees import FeeSchedule
from settlement.batch import (
    Batch,
    Malformed,
    commitment,
    cut,
    decode_batch,
    encode_batch,
    verify_batch,
)
from settlement.keccak import keccak256
from settlement.ledger import Ledger
from tests.model.batch import slow_commitment, slow_cut
from tests.model.lawful_records import RATES, Choice, choices, program
from tests.model.ledger import GENESIS, SlowLedger


class Cut(NamedTuple):
    """Two batches of one program, with the ledger as it stood before each."""

    before: list[Ledger]
    batches: list[Batch]


def cut_in_two(written: list[Choice]) -> Cut:
    operator = program(written)
    half = len(operator.groups) * 2 // 3
    ledger, slow = Ledger(GENESIS, FeeSchedule(*RATES)), SlowLedger(*RATES)
    made = Cut([], [])
    for number, groups in enumerate((operator.groups[:half], operator.groups[half:]), start=1):
        made.before.append(copy.deepcopy(ledger))
        journal = keccak256(bytes([number]))
        batch = cut(
            ledger,
            groups,
            number=number,
            journal_hash=journal,
            journal_sequence=number,
            time_s=operator.now_s,
        )
        expected = slow_cut(slow, groups, number, journal, number, operator.now_s)
        assert batch.header._asdict() == expected.header
        assert list(batch.chunk_roots) == expected.chunk_roots
        assert batch.records == expected.records
        assert commitment(batch) == slow_commitment(expected)
        made.batches.append(batch)
    return made


@given(choices)
def test_what_is_cut_is_what_the_slow_twin_cuts_and_verifies_where_it_was_cut(
    written: list[Choice],
):
    made = cut_in_two(written)
    ledger = made.before[0]
    for batch in made.batches:
        assert verify_batch(ledger, batch.header, batch.chunk_roots, batch.records) is None
        assert ledger.root() == batch.header.new_root
        assert ledger.liabilities() == ledger.recount()
        assert decode_batch(encode_batch(batch)) == batch


@given(choices, st.integers(0, 1), st.lists(st.integers(0), min_size=1, max_size=20))
def test_every_flipped_bit_of_records_and_roots_is_noticed(
    written: list[Choice], which: int, bits: list[int]
):
    """A record that another of its chunk writes over leaves no trace in a root: a first of two
    marks, say. Then the commitment, which the chain holds, still tells.
    """
    made = cut_in_two(written)
    batch = made.batches[which]
    whole = b"".join(batch.chunk_roots) + batch.records
    roots_end = 32 * len(batch.chunk_roots)
    for bit in bits:
        lie = bytearray(whole)
        at = bit % (8 * len(whole))
        lie[at // 8] ^= 1 << at % 8
        roots = tuple(bytes(lie[n : n + 32]) for n in range(0, roots_end, 32))
        records = bytes(lie[roots_end:])
        ledger = copy.deepcopy(made.before[which])
        verdict = verify_batch(ledger, batch.header, roots, records)
        assert verdict is not None or is_written_over(batch.records, at // 8 - roots_end)
        assert commitment(batch._replace(chunk_roots=roots, records=records)) != commitment(batch)


def is_written_over(records: bytes, at: int) -> bool:
    """Whether the record at this byte sets, or opens, what a later record of its chunk sets or
    forgets.
    """
    number = at // 31
    chunk_end = (number // 16 + 1) * 16
    record = records[31 * number : 31 * number + 31]
    later = [records[31 * n : 31 * n + 31] for n in range(number + 1, chunk_end)]
    kind = record[0]
    same = {0x04: (0x04, 5), 0x06: (0x09, 8), 0x0F: (0x0F, 2), 0x10: (0x10, 3), 0x11: (0x11, 4)}
    if kind not in same:
        return False
    by, key_end = same[kind]
    return any(other[0] == by and other[1:key_end] == record[1:key_end] for other in later)


@given(st.binary(max_size=400), choices, st.integers(0), st.integers(0, 255))
def test_any_bytes_are_a_batch_or_are_refused_with_a_position(
    noise: bytes, written: list[Choice], where: int, byte: int
):
    data = bytearray(encode_batch(cut_in_two(written[:3]).batches[1]))
    data[where % len(data)] = byte
    for attempt in (noise, bytes(data)):
        read = decode_batch(attempt)
        if isinstance(read, Malformed):
            assert 0 <= read.position <= len(attempt)
        else:
            assert encode_batch(read) == attempt
