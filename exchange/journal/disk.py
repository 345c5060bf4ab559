"""The few things that the journal asks of the file system, in one place so that a test can let
each of them fail.

Holds: what `sync` returned from is on the device; a segment's name is durable once `create` has
returned.
Never: retries.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

_FULL_SYNC: Final = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: fsync there stops at the drive's cache."""


class SegmentFile:
    """A segment open for appending."""

    def __init__(self, descriptor: int, fsync: bool) -> None:
        self._descriptor = descriptor
        self._fsync = fsync

    def write(self, data: bytes) -> None:
        """Hands all of `data` to the kernel."""
        written = os.write(self._descriptor, data)
        while written < len(data):
            data = data[written:]
            written = os.write(self._descriptor, data)

    def sync(self) -> None:
        """Waits until all that was written is on the device."""
        if self._fsync:
            sync_descriptor(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class Disk:
    """The real file system. With `fsync` False nothing is waited for: a crash of the process
    loses nothing, a power cut may (for tests and throw-away runs).
    """

    def __init__(self, fsync: bool = True) -> None:
        self._fsync = fsync

    def create(self, path: Path) -> SegmentFile:
        """A new segment, its name durable in its directory."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        segment = SegmentFile(os.open(path, flags, 0o644), self._fsync)
        self.sync_directory(path.parent)
        return segment

    def reopen(self, path: Path) -> SegmentFile:
        """An existing segment, to be continued."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        return SegmentFile(os.open(path, flags), self._fsync)

    def cut(self, path: Path, size: int) -> None:
        """Leaves the first `size` bytes of a file, durably."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            if self._fsync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_directory(self, directory: Path) -> None:
        """Makes the names in a directory durable."""
        if not self._fsync:
            return
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_descriptor(descriptor: int) -> None:
    """The strongest sync of a file's data that the system has."""
    if _FULL_SYNC is not None:
        fcntl.fcntl(descriptor, _FULL_SYNC)
    else:
        os.fdatasync(descriptor)
