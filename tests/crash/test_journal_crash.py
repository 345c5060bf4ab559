"""What a crash, a cut, a flipped bit and a second process do to a journal."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.journal import Journal, JournalDamaged, JournalInUse, read_journal
from tests.model.journal import frame_offsets, journal_bytes

COMMITTED = [b"genesis", b"marks", b"order one"]
LAST_GROUP = [b"order two", b"", b"order three, with a longer payload"]


def lay_down(directory: Path, data: bytes, segment: int = 1) -> Path:
    path = directory / f"segment-{segment:08d}.journal"
    path.write_bytes(data)
    return path


def put(path: Path, offset: int, byte: int) -> None:
    """One byte in its place. (Writing whole files would have the file system sync each.)"""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes((byte,)))


def test_a_last_group_cut_at_any_byte_recovers_to_its_last_whole_entry(tmp_path: Path) -> None:
    everything = COMMITTED + LAST_GROUP
    data, offsets = journal_bytes(everything), frame_offsets(everything)
    for size in range(offsets[len(COMMITTED)], len(data) + 1):
        path = lay_down(tmp_path, data[:size])
        whole = sum(offset <= size for offset in offsets) - 1
        reader = read_journal(tmp_path)
        assert [entry.payload for entry in reader] == everything[:whole]
        assert path.stat().st_size == size  # a reader repairs nothing
        with Journal.open(tmp_path, fsync=False) as journal:
            assert journal.last_sequence == whole
            assert journal.torn_tail == reader.torn_tail
            if size == offsets[whole]:
                assert journal.torn_tail is None
            else:
                assert journal.torn_tail is not None
                assert journal.torn_tail.dropped_bytes == size - offsets[whole]
                assert journal.torn_tail.after_sequence == whole
            journal.append(b"after the crash")
            journal.commit()
        expected = [*everything[:whole], b"after the crash"]
        assert path.read_bytes() == journal_bytes(expected)


def test_every_flipped_bit_of_a_journal_is_noticed(tmp_path: Path) -> None:
    """Even in the last entry: it is whole, so no crash can have made it wrong."""
    payloads = [b"genesis", b"", b"an order", b"end"]
    data, offsets = journal_bytes(payloads), frame_offsets(payloads)
    split = offsets[2]  # entries 1 and 2 in the first segment, 3 and 4 in the second
    parts = [lay_down(tmp_path, data[:split], 1), lay_down(tmp_path, data[split:], 2)]
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        sequence = sum(offset <= bit // 8 for offset in offsets)
        segment, start = (parts[0], 0) if sequence <= 2 else (parts[1], split)
        put(segment, bit // 8 - start, flipped[bit // 8])
        with pytest.raises(JournalDamaged) as caught:
            list(read_journal(tmp_path))
        assert caught.value.segment == segment
        assert (caught.value.offset, caught.value.sequence) == (
            offsets[sequence - 1] - start,
            sequence,
        )
        if bit % 8 == 0:
            with pytest.raises(JournalDamaged):
                Journal.open(tmp_path, fsync=False)
            assert b"".join(part.read_bytes() for part in parts) == bytes(flipped)
        put(segment, bit // 8 - start, data[bit // 8])


def test_a_second_process_is_refused_and_told_who_holds_the_journal(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from exchange.journal import Journal, JournalInUse\n"
        "try:\n"
        "    Journal.open(sys.argv[1])\n"
        "except JournalInUse as error:\n"
        "    print(error.pid)\n"
        "    sys.exit(3)\n"
    )
    run = [sys.executable, "-c", program, str(tmp_path)]
    with Journal.open(tmp_path) as journal:
        second = subprocess.run(run, capture_output=True, text=True, check=False)
        assert (second.returncode, second.stdout) == (3, f"{os.getpid()}\n"), second.stderr
        journal.append(b"unharmed")
        journal.commit()
    assert subprocess.run(run, check=False).returncode == 0


WRITER = """
import sys
from exchange.journal import Journal
journal = Journal.open(sys.argv[1], segment_bytes=4096)
number = journal.last_sequence
while True:
    for _ in range(7):
        number += 1
        journal.append(b"%d " % number * (number % 50))
    print(journal.commit(), flush=True)
"""


def test_a_killed_writer_has_everything_that_it_reported(tmp_path: Path) -> None:
    reported = 0
    for lines in (1, 3, 40, 11):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                reported = int(writer.stdout.readline())
            with pytest.raises(JournalInUse) as caught:
                Journal.open(tmp_path)
            assert caught.value.pid == writer.pid
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read().split("\n")
            reported = max([reported, *(int(line) for line in rest[:-1])])
        with Journal.open(tmp_path) as journal:
            assert journal.last_sequence >= reported
            for entry in journal.read():
                number = entry.sequence
                assert entry.payload == b"%d " % number * (number % 50)
