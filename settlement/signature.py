"""Signatures: who signed a digest, and the operator's own.

Holds: 65 bytes, r ‖ s ‖ v; s in the lower half of the group order and v 27 or 28, so that a
signature has one form (EIP-2). Whatever else is sent is refused with a number before any curve
arithmetic. libsecp256k1 does the arithmetic, through coincurve; its bare binding would spare one
microsecond of twenty-eight, and is private to it.
Never: raises for what a stranger sent; keeps a key beyond the object that signs with it.
"""

from typing import Final

from coincurve import PrivateKey, PublicKey

from matching.rejects import (
    SIGNATURE_HIGH_S,
    SIGNATURE_LENGTH,
    SIGNATURE_UNRECOVERABLE,
    SIGNATURE_WRONG_V,
    SIGNATURE_ZERO,
    Reject,
)
from settlement.keccak import keccak256

SIGNATURE_BYTES: Final = 65
GROUP_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""n of secp256k1 (SEC 2, 2.4.1)."""
_HIGHEST_S: Final = (GROUP_ORDER // 2).to_bytes(32, "big")
_ZERO: Final = bytes(32)
_RECOVERY_IDS: Final = {27: b"\x00", 28: b"\x01"}


def recover(digest: bytes, signature: bytes) -> bytes | Reject:
    """Address (20 bytes) whose key made `signature` over `digest` (32 bytes), or why there is
    none: reject codes 501 to 505.
    """
    if len(digest) != 32:
        raise ValueError(f"a digest has 32 bytes, not {len(digest)}")
    if len(signature) != SIGNATURE_BYTES:
        return Reject(SIGNATURE_LENGTH, len(signature), SIGNATURE_BYTES)
    s = signature[32:64]
    if s == _ZERO or signature[:32] == _ZERO:
        return Reject(SIGNATURE_ZERO)
    v = signature[64]
    if v not in _RECOVERY_IDS:
        return Reject(SIGNATURE_WRONG_V, v)
    if s > _HIGHEST_S:
        return Reject(SIGNATURE_HIGH_S)
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + _RECOVERY_IDS[v], digest, hasher=None
        )
    except ValueError:  # r is not the abscissa of a point, or the key is no point
        return Reject(SIGNATURE_UNRECOVERABLE)
    return keccak256(key.format(compressed=False)[1:])[12:]


class Signer:
    """A key that signs digests: the operator's. Nonces are deterministic (RFC 6979), s is low."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        """`secret` is the private key, 32 bytes; `address` is what it signs as."""
        self._key = PrivateKey(secret)
        self.address: bytes = keccak256(self._key.public_key.format(compressed=False)[1:])[12:]

    def sign(self, digest: bytes) -> bytes:
        """r ‖ s ‖ v over `digest`, 65 bytes."""
        signature = self._key.sign_recoverable(digest, hasher=None)  # pyright: ignore[reportUnknownMemberType]
        return signature[:64] + bytes((27 + signature[64],))

    def __repr__(self) -> str:
        return f"Signer(0x{self.address.hex()})"
