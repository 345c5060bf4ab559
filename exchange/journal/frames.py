"""One entry of the journal as bytes, and what can be said of bytes that are not one.

    length u32 | crc32 u32 | sequence u64 | chain_hash 32 | payload        (docs/protocol.md, 9)

Holds: an entry that `entries` yields has the right checksum, sequence and place in the hash chain.
What a crash can leave and what it cannot are told apart (`Break.what`), so that damage is never
mistaken for a crash and cut off.
Never: opens a file.
"""

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from exchange.journal.errors import JournalDamaged
from settlement.keccak import keccak256

GENESIS_CHAIN_HASH: Final = bytes(32)
"""The chain hash before the first entry."""

MAX_PAYLOAD_BYTES: Final = 1 << 24
"""Far above the largest command (marks of all 65,535 expiries: 1.8 MB), and far below what a
damaged length could make a reader reserve."""

_HEAD: Final = Struct(">IIQ32s")
_PREFIX: Final = Struct(">II")
_SEQUENCE: Final = Struct(">Q")
HEAD_BYTES: Final = _HEAD.size
_PREFIX_BYTES: Final = _PREFIX.size

_SECTOR_BYTES: Final = 512
"""The smallest unit in which a disk or file system leaves a hole of zeros after a power cut."""

_MIN_HOLE_BYTES: Final = 32
"""A shorter run of zeros at the end of the file may be the end of a payload."""


class Entry(NamedTuple):
    """One command as the journal keeps it; `chain_hash` covers it and all before it."""

    sequence: int
    chain_hash: bytes
    payload: bytes


def encode_frame(sequence: int, previous_chain_hash: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """The frame's bytes and its chain hash."""
    number = _SEQUENCE.pack(sequence)
    chain_hash = keccak256(previous_chain_hash + number + payload)
    body = number + chain_hash + payload
    return _PREFIX.pack(len(payload), crc32(body)) + body, chain_hash


class Break(NamedTuple):
    """Where a segment stops being a row of good entries: the frame at `offset` is not entry
    `sequence`. `what` says why; None where the bytes could also be an unfinished write.
    """

    offset: int
    sequence: int
    what: str | None


class Walk:
    """One pass over a segment's bytes. After the pass `offset`, `sequence` and `chain_hash` are
    those of the end of the last good entry, and `broken` tells of anything that stands behind it.
    """

    __slots__ = ("_data", "broken", "chain_hash", "offset", "sequence", "size")

    def __init__(self, data: bytes, sequence: int, chain_hash: bytes) -> None:
        """`sequence` and `chain_hash` are of the entry before the segment's first."""
        self._data = data
        self.size = len(data)
        self.sequence = sequence
        self.chain_hash: bytes = chain_hash
        self.offset = 0
        self.broken: Break | None = None

    def entries(self) -> Iterator[Entry]:
        """The good entries from the start on."""
        data = self._data
        size = self.size
        read_head = _HEAD.unpack_from
        offset, sequence, chain_hash = 0, self.sequence, self.chain_hash
        while offset + HEAD_BYTES <= size:
            length, crc, number, stated_hash = read_head(data, offset)
            end = offset + HEAD_BYTES + length
            if end > size or length > MAX_PAYLOAD_BYTES:
                break
            body = data[offset + _PREFIX_BYTES : end]
            if crc32(body) != crc:
                break
            sequence += 1
            payload = body[40:]
            chain_hash = keccak256(chain_hash + body[:8] + payload)
            if number != sequence or stated_hash != chain_hash:
                what = (
                    f"a sound frame of entry {number} stands here"
                    if number != sequence
                    else "the entry is sound but does not follow from the one before it"
                )
                self.broken = Break(offset, sequence, what)
                return
            offset = end
            self.offset, self.sequence, self.chain_hash = offset, sequence, chain_hash
            yield Entry(sequence, chain_hash, payload)
        if offset < size:
            self.broken = Break(offset, sequence + 1, _damage(data, offset, sequence + 1))

    def all(self) -> None:
        """Walks to the end, for what the walk finds out."""
        for _ in self.entries():
            pass


def _damage(data: bytes, offset: int, sequence: int) -> str | None:
    """What is wrong with the bytes from `offset` on, which are not entry `sequence`; None where
    they could be what a crash left of a write that had not ended.
    """
    follower = _sound_frame_after(data, offset, sequence)
    if follower is not None:
        return f"a sound frame stands after it, at byte {follower}"
    size = len(data)
    if offset + HEAD_BYTES > size:
        return None
    length, crc = _PREFIX.unpack_from(data, offset)
    if length > MAX_PAYLOAD_BYTES:
        what = f"its length is {length}, above the most there can be, {MAX_PAYLOAD_BYTES}"
    elif offset + HEAD_BYTES + length <= size:
        what = "its checksum is wrong"
    elif crc32(data[offset + _PREFIX_BYTES :]) == crc:
        # All of the frame is here: a crash would have taken its end.
        what = "its length is wrong"
    else:
        return None
    return None if _has_hole(data, offset) else what


def _sound_frame_after(data: bytes, offset: int, sequence: int) -> int | None:
    """Byte of the first sound frame behind `offset` that could have followed entry `sequence`."""
    size = len(data)
    last_sequence = sequence + (size - offset) // HEAD_BYTES
    at = offset + 1
    # A plausible sequence has leading zero bytes: jumping from one such place to the next is
    # what makes the search of a large segment quick.
    zeros = _SEQUENCE.pack(last_sequence)
    zeros = zeros[: next(i for i, byte in enumerate(zeros) if byte)]
    while at + HEAD_BYTES <= size:
        found = data.find(zeros, at + _PREFIX_BYTES)
        if found < 0:
            return None
        at = found - _PREFIX_BYTES
        if at + HEAD_BYTES > size:
            return None
        length, crc, number, _ = _HEAD.unpack_from(data, at)
        end = at + HEAD_BYTES + length
        if (
            sequence <= number <= last_sequence
            and end <= size
            and crc32(data[at + _PREFIX_BYTES : end]) == crc
        ):
            return at
        at += 1
    return None


def _has_hole(data: bytes, offset: int) -> bool:
    """Whether a whole sector behind `offset` is zero: a file whose size reached the disk before
    its bytes did reads so. A part of a sector counts at the end of the file, if it is not short.
    """
    size = len(data)
    sector = (offset + _SECTOR_BYTES - 1) // _SECTOR_BYTES * _SECTOR_BYTES
    while sector < size:
        end = min(sector + _SECTOR_BYTES, size)
        if end - sector >= _MIN_HOLE_BYTES and not any(data[sector:end]):
            return True
        sector = end
    return False


def damaged(segment: Path, broken: Break, what: str) -> JournalDamaged:
    """The error for a break that cannot be a crash's."""
    return JournalDamaged(segment, broken.offset, broken.sequence, broken.what or what)
