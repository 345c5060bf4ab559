"""The journal as the one process that runs the exchange holds it: append, commit, recover.

Holds: an entry is durable once `commit` (or `write`) returned, never before, and then survives any
crash; entries are in one row, without a gap, under one hash chain; one process at a time.
Never: retries a failed write or sync, drops an entry that was committed, or reads the payloads.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

from exchange.journal.disk import Disk, SegmentFile
from exchange.journal.errors import JournalError, JournalFailed, JournalInUse, TornTail
from exchange.journal.frames import (
    GENESIS_CHAIN_HASH,
    MAX_PAYLOAD_BYTES,
    Break,
    Entry,
    Walk,
    damaged,
    encode_frame,
)
from exchange.journal.reader import read_segment, segment_path, segments, torn_tail

DEFAULT_SEGMENT_BYTES: Final = 64 << 20
"""About 250,000 orders: small enough to be read whole, large enough to be rare."""


class Group(NamedTuple):
    """Appends that become durable together."""

    frames: list[bytes]
    size: int


class _SegmentStart(NamedTuple):
    """What stands before a segment's first entry."""

    path: Path
    sequence: int
    chain_hash: bytes


class Journal:
    """An open journal. `open` it, `append`, `commit`; `close` gives it free.

    A service that must not wait for the disk takes the group on its own thread (`take_group`) and
    writes it on another (`write`), one at a time; it may go on appending meanwhile.
    """

    def __init__(self, directory: Path, lock: int, segment_bytes: int, disk: Disk) -> None:
        """Use `Journal.open`."""
        self.directory = directory
        self.torn_tail: TornTail | None = None
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._disk = disk
        self._starts: list[_SegmentStart] = []
        self._file: SegmentFile | None = None
        self._file_bytes = 0
        self._frames: list[bytes] = []
        self._frames_bytes = 0
        self._sequence = 0
        self._chain_hash: bytes = GENESIS_CHAIN_HASH
        self._durable_sequence = 0
        self._durable_chain_hash = GENESIS_CHAIN_HASH
        self._failure: str | None = None
        self._is_closed = False

    @classmethod
    def open(
        cls,
        directory: Path | str,
        *,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        fsync: bool = True,
        disk: Disk | None = None,
    ) -> Self:
        """Opens the journal in `directory`, made if it is not there, and verifies all of it.

        What a crash left of an unfinished write is cut off and told in `torn_tail`. Raises
        JournalInUse where another process holds it, JournalDamaged where it is not what was
        written. A segment takes no further entry that would make it longer than `segment_bytes`.
        """
        path = Path(directory)
        disk = disk or Disk(fsync)
        try:
            if not path.is_dir():
                path.mkdir(parents=True)
                disk.sync_directory(path.parent)
            lock = _take_lock(path)
        except OSError as error:
            raise JournalError(f"no journal can be kept in {path}: {error.strerror}") from error
        journal = cls(path, lock, segment_bytes, disk)
        try:
            journal._recover()
        except OSError as error:
            journal.close()
            raise JournalError(f"{path} cannot be opened: {error.strerror}") from error
        except BaseException:
            journal.close()
            raise
        return journal

    def _recover(self) -> None:
        paths = segments(self.directory)
        size = 0
        for path in paths:
            self._starts.append(_SegmentStart(path, self._sequence, self._chain_hash))
            walk = Walk(read_segment(path), self._sequence, self._chain_hash)
            walk.all()
            self._sequence, self._chain_hash = walk.sequence, walk.chain_hash
            size = walk.offset
            if walk.broken is not None:
                self.torn_tail = torn_tail(path, walk.broken, walk.size, path is paths[-1])
                self._disk.cut(path, size)
        if paths:
            self._file = self._disk.reopen(paths[-1])
            self._file_bytes = size
            # A process that was killed may have left entries that it never synced.
            self._file.sync()
        self._durable_sequence, self._durable_chain_hash = self._sequence, self._chain_hash

    @property
    def last_sequence(self) -> int:
        """Sequence of the last append, durable or not; 0 before the first."""
        return self._sequence

    @property
    def chain_hash(self) -> bytes:
        """Chain hash of the last append; zero before the first."""
        return self._chain_hash

    @property
    def durable_sequence(self) -> int:
        """Sequence of the last entry that survives a crash."""
        return self._durable_sequence

    def append(self, payload: bytes) -> tuple[int, bytes]:
        """Gives `payload` the next sequence and its chain hash; in memory until `commit`."""
        if self._failure is not None or self._is_closed:
            raise JournalFailed(self.directory, self._failure or "it was closed")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"a payload of {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES}")
        sequence = self._sequence + 1
        frame, chain_hash = encode_frame(sequence, self._chain_hash, payload)
        self._frames.append(frame)
        self._frames_bytes += len(frame)
        self._sequence = sequence
        self._chain_hash = chain_hash
        return sequence, chain_hash

    def commit(self) -> int:
        """Makes all appends durable with one sync; returns the last durable sequence."""
        return self.write(self.take_group())

    def take_group(self) -> Group:
        """All appends since the last call, to be given to `write` in the order they were taken."""
        group = Group(self._frames, self._frames_bytes)
        self._frames = []
        self._frames_bytes = 0
        return group

    def write(self, group: Group) -> int:
        """Makes a group durable; returns the last durable sequence. May run on another thread
        than `append`, but not twice at a time.
        """
        if self._failure is not None or self._is_closed:
            raise JournalFailed(self.directory, self._failure or "it was closed")
        if not group.frames:
            return self._durable_sequence
        try:
            self._write_frames(group)
        except OSError as error:
            self._failure = error.strerror or str(error)
            raise JournalFailed(self.directory, self._failure) from error
        return self._durable_sequence

    def _write_frames(self, group: Group) -> None:
        frames = group.frames
        if self._file is not None and self._file_bytes + group.size <= self._segment_bytes:
            self._write_to_segment(self._file, frames)
            return
        # The group begins a segment, or spans several.
        begin = 0
        size = self._file_bytes
        file = self._file
        for at, frame in enumerate(frames):
            if file is None or (size and size + len(frame) > self._segment_bytes):
                if file is not None and at > begin:
                    self._write_to_segment(file, frames[begin:at])
                file = self._begin_segment()
                begin, size = at, 0
            size += len(frame)
        assert file is not None
        self._write_to_segment(file, frames[begin:])

    def _write_to_segment(self, file: SegmentFile, frames: list[bytes]) -> None:
        data = b"".join(frames)
        file.write(data)
        file.sync()
        self._file_bytes += len(data)
        self._durable_sequence += len(frames)
        # Bytes 16 to 48 of a frame are its chain hash.
        self._durable_chain_hash = frames[-1][16:48]

    def _begin_segment(self) -> SegmentFile:
        """The next segment. All of the one before it is durable: only a last segment is torn."""
        if self._file is not None:
            self._file.close()
            self._file = None
        path = segment_path(self.directory, len(self._starts) + 1)
        self._file = self._disk.create(path)
        self._file_bytes = 0
        self._starts.append(_SegmentStart(path, self._durable_sequence, self._durable_chain_hash))
        return self._file

    def read(self, from_sequence: int = 1) -> Iterator[Entry]:
        """The entries that were durable when it was called, from `from_sequence` on, verified
        from the start of the segment that holds it.
        """
        last = self._durable_sequence
        starts = list(self._starts)
        for index, start in enumerate(starts):
            if index + 1 < len(starts) and starts[index + 1].sequence < from_sequence:
                continue
            if start.sequence >= last:
                return
            walk = Walk(read_segment(start.path), start.sequence, start.chain_hash)
            for entry in walk.entries():
                if entry.sequence > last:
                    return
                if entry.sequence >= from_sequence:
                    yield entry
            is_final = index + 1 == len(starts)
            if walk.sequence < last and (is_final or walk.broken is not None):
                broken = walk.broken or Break(walk.offset, walk.sequence + 1, None)
                raise damaged(start.path, broken, "the segment was cut while it was in use")

    def close(self) -> None:
        """Gives the journal free. What was not committed is dropped, as in a crash."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._file is not None:
            self._file.close()
            self._file = None
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _take_lock(directory: Path) -> int:
    """Descriptor of the directory's lock file, which names the process that holds it. The kernel
    gives the lock free when the process ends, however it ends.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(directory / "lock", flags, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).strip()
        os.close(descriptor)
        raise JournalInUse(directory, int(holder) if holder.isdigit() else None) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
