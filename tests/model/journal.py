"""The journal of docs/protocol.md, 9, written down as plainly as it stands there: slow twin of
`exchange/journal`. One segment, no files, no recovery.
"""

import zlib

from settlement.keccak import keccak256


def journal_bytes(payloads: list[bytes]) -> bytes:
    """All frames of a journal whose entries are `payloads`."""
    data = b""
    chain_hash = bytes(32)
    for sequence, payload in enumerate(payloads, start=1):
        number = sequence.to_bytes(8, "big")
        chain_hash = keccak256(chain_hash + number + payload)
        body = number + chain_hash + payload
        data += len(payload).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body
    return data


def frame_offsets(payloads: list[bytes]) -> list[int]:
    """Where each frame begins, and where the last one ends."""
    offsets = [0]
    for payload in payloads:
        offsets.append(offsets[-1] + 48 + len(payload))
    return offsets
