"""What can be wrong with a journal, each with the place and with what to do.

Holds: every message names the file; damage names segment, byte and sequence, so that a copy of the
journal can be compared there.
Never: tells of a torn tail as an error: it is what a crash leaves, and recovery reports it.
"""

from pathlib import Path
from typing import NamedTuple


class JournalError(Exception):
    """Any reason why a journal cannot be opened, read or written."""


class JournalInUse(JournalError):
    """Another process holds the journal; `pid` is None where it did not say which."""

    def __init__(self, directory: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"the journal {directory} is held by {holder}; stop it, or use another directory"
        )
        self.directory = directory
        self.pid = pid


class JournalDamaged(JournalError):
    """What stands in the journal is not what was written; nothing was changed.

    `offset` is the byte in the segment where the first bad frame begins, `sequence` the entry that
    should stand there.
    """

    def __init__(self, segment: Path, offset: int, sequence: int, what: str) -> None:
        super().__init__(
            f"{segment} is damaged at byte {offset}, where entry {sequence} should stand: {what}; "
            "restore the segment from a copy, nothing was changed"
        )
        self.segment = segment
        self.offset = offset
        self.sequence = sequence
        self.what = what


class JournalFailed(JournalError):
    """A write or a sync failed, so nobody knows what the disk holds; this process may write no
    more. A failed sync is never tried again: the kernel may have dropped the pages and would then
    report success (Rebello et al. 2020, "Can applications recover from fsync failures?").
    """

    def __init__(self, directory: Path, cause: str) -> None:
        super().__init__(
            f"the journal {directory} failed ({cause}); nothing after the last commit is "
            "durable: put the disk right and start again"
        )
        self.directory = directory
        self.cause = cause


class TornTail(NamedTuple):
    """What a crash left of the last group of appends, which was never reported as committed:
    `dropped_bytes` of `segment` from byte `offset` on, after the entry `after_sequence`.
    """

    segment: Path
    offset: int
    dropped_bytes: int
    after_sequence: int

    def __str__(self) -> str:
        return (
            f"{self.segment}: {self.dropped_bytes} bytes of an unfinished write dropped at byte "
            f"{self.offset}, after entry {self.after_sequence}"
        )
