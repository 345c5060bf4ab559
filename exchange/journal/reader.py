"""Reads a journal's directory: all entries in order, each verified, nothing changed.

Holds: an entry comes out only if its checksum, its sequence and its hash chain are right from the
first entry of the journal on; whoever trusts one chain hash trusts all entries before it. Needs no
lock, so it works on a copy, or beside the process that writes.
Never: writes, or passes over damage: it stops there with `JournalDamaged`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exchange.journal.errors import JournalError, TornTail
from exchange.journal.frames import GENESIS_CHAIN_HASH, Break, Entry, Walk, damaged

_SEGMENT_NAME: Final = re.compile(r"segment-([0-9]{8})\.journal")


def segment_path(directory: Path, number: int) -> Path:
    """Where segment `number`, counted from 1, lies."""
    return directory / f"segment-{number:08d}.journal"


def segments(directory: Path) -> list[Path]:
    """The segments in order; none may be missing. Other files are left alone."""
    numbers = sorted(
        int(match[1])
        for path in directory.iterdir()
        if (match := _SEGMENT_NAME.fullmatch(path.name))
    )
    for expected, number in enumerate(numbers, start=1):
        if number != expected:
            raise JournalError(
                f"the journal {directory} has no {segment_path(directory, expected).name}, "
                f"but has {segment_path(directory, number).name}; restore it from a copy"
            )
    return [segment_path(directory, number) for number in numbers]


class JournalReader:
    """Iterates over the entries of a journal. At each step `sequence` and `chain_hash` are those
    of the last entry verified; at the end `torn_tail` tells what a crash left behind it, or None.
    """

    def __init__(self, directory: Path, from_sequence: int = 1) -> None:
        self.directory = directory
        self.from_sequence = from_sequence
        self.sequence = 0
        self.chain_hash = GENESIS_CHAIN_HASH
        self.torn_tail: TornTail | None = None

    def __iter__(self) -> Iterator[Entry]:
        self.sequence, self.chain_hash, self.torn_tail = 0, GENESIS_CHAIN_HASH, None
        paths = segments(self.directory)
        for path in paths:
            walk = Walk(read_segment(path), self.sequence, self.chain_hash)
            for entry in walk.entries():
                self.sequence, self.chain_hash = entry.sequence, entry.chain_hash
                if entry.sequence >= self.from_sequence:
                    yield entry
            if walk.broken is not None:
                self.torn_tail = torn_tail(path, walk.broken, walk.size, path is paths[-1])


def read_journal(directory: Path | str, from_sequence: int = 1) -> JournalReader:
    """The entries of the journal in `directory`, from `from_sequence` on; those before are
    verified too.
    """
    path = Path(directory)
    if not path.is_dir():
        raise JournalError(f"there is no journal at {path}: no such directory")
    return JournalReader(path, from_sequence)


def read_segment(path: Path) -> bytes:
    """All bytes of a segment. Not mapped into memory: a file that another process cuts while it
    is mapped kills the reader.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}") from error


def torn_tail(path: Path, broken: Break, size: int, is_last_segment: bool) -> TornTail:
    """What stands behind the last good entry of a segment, if a crash can have left it; else
    raises `JournalDamaged`. Only the last segment can be torn: a segment is synced before the
    next one is made.
    """
    if broken.what is not None or not is_last_segment:
        raise damaged(path, broken, "the segment ends too soon, and another one follows")
    return TornTail(path, broken.offset, size - broken.offset, broken.sequence - 1)
