"""Keccak-256, the hash of everything that Straddle signs, chains, or puts under a root.

Holds: the original Keccak padding (0x01), as Ethereum has it, not NIST's SHA3-256 (0x06).
Never: hashes anything but bytes given whole.
"""

from collections.abc import Callable
from typing import Final, Protocol, cast

import sha3  # pyright: ignore[reportMissingTypeStubs]


class _Sponge(Protocol):
    def digest(self) -> bytes: ...


_keccak_256: Final = cast(
    "Callable[[bytes], _Sponge]",
    sha3.keccak_256,  # pyright: ignore[reportUnknownMemberType]
)


def keccak256(data: bytes) -> bytes:
    """The 32-byte Keccak-256 of `data`."""
    return _keccak_256(data).digest()
