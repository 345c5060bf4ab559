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
from settlement.records import (
    MARK_TYPES,
    PADDING,
    PADDING_RECORD,
    RECORD_BYTES,
    TIME_ADVANCED,
    Malformed,
    decode,
    time_advanced_record,
)
from settlement.violations import Violation

CHUNK_RECORDS: Final = 16
MAX_CHUNKS: Final = 256
MAX_RECORDS: Final = CHUNK_RECORDS * MAX_CHUNKS
CHUNK_BYTES: Final = CHUNK_RECORDS * RECORD_BYTES

Group = Sequence[bytes]
"""Records that must stand in one chunk, in order: a combo's, or a single one."""
