"""The journal: every command that the exchange took, durable before it is acknowledged.

    errors   what can be wrong with a journal, with the place
    frames   one entry's bytes, and what follows from bytes that are not one
    reader   the entries of a directory in order, verified; for the auditor
    writer   append, commit, recover; for the one process that runs the exchange

Bytes: docs/protocol.md, 9.
"""

from exchange.journal.errors import (
    JournalDamaged,
    JournalError,
    JournalFailed,
    JournalInUse,
    TornTail,
)
from exchange.journal.frames import MAX_PAYLOAD_BYTES, Entry
from exchange.journal.reader import JournalReader, read_journal
from exchange.journal.writer import Journal

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "Entry",
    "Journal",
    "JournalDamaged",
    "JournalError",
    "JournalFailed",
    "JournalInUse",
    "JournalReader",
    "TornTail",
    "read_journal",
]
