"""Recovery and the operator's signature against a slow twin: the curve in plain integers."""

import pytest
from eth_account import Account

from settlement.keccak import keccak256
from settlement.signature import GROUP_ORDER, Signer, recover

SECRET = keccak256(b"straddle test key: operator")
DIGEST = keccak256(b"a digest")


def test_the_signer_is_the_address_that_eth_account_derives() -> None:
    for i in range(5):
        secret = keccak256(b"key %d" % i)
        assert Signer(secret).address.hex() == Account.from_key(secret).address[2:].lower()


def test_the_published_key_of_the_development_chain_has_its_published_address() -> None:
    # The first account of Hardhat's and Anvil's default mnemonic.
    signer = Signer(
        bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
    )
    assert signer.address.hex() == "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"


def test_what_the_operator_signs_is_deterministic_low_and_recovers_to_it() -> None:
    signer = Signer(SECRET)
    for i in range(40):
        digest = keccak256(b"digest %d" % i)
        signature = signer.sign(digest)
        assert signature == signer.sign(digest)
        assert len(signature) == 65
        assert int.from_bytes(signature[32:64], "big") <= GROUP_ORDER // 2
        assert signature[64] in (27, 28)
        assert recover(digest, signature) == signer.address


def test_any_flipped_bit_of_a_signature_or_digest_loses_the_signer() -> None:
    signer = Signer(SECRET)
    signature = signer.sign(DIGEST)
    for bit in range(0, 65 * 8, 3):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        assert recover(DIGEST, bytes(changed)) != signer.address
    for bit in range(0, 32 * 8, 5):
        changed = bytearray(DIGEST)
        changed[bit // 8] ^= 1 << bit % 8
        assert recover(bytes(changed), signature) != signer.address


def test_a_digest_of_another_length_is_a_fault_of_ours_and_raises() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        recover(DIGEST[:31], Signer(SECRET).sign(DIGEST))


def test_a_signer_does_not_show_its_key() -> None:
    assert SECRET.hex() not in repr(Signer(SECRET))


# The slow twin: textbook recovery over plain integers (SEC 1, 4.1.6) -----------------------------

P = 2**256 - 2**32 - 977
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Point = tuple[int, int] | None


def plus(p: Point, q: Point) -> Point:
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def times(p: Point, k: int) -> Point:
    total: Point = None
    while k:
        if k & 1:
            total = plus(total, p)
        p, k = plus(p, p), k >> 1
    return total


def recover_slowly(digest: bytes, signature: bytes) -> bytes:
    r, s = (int.from_bytes(signature[i : i + 32], "big") for i in (0, 32))
    y = pow(r**3 + 7, (P + 1) // 4, P)
    if y % 2 != signature[64] - 27:
        y = P - y
    inverse = pow(r, -1, GROUP_ORDER)
    key = plus(
        times((r, y), s * inverse % GROUP_ORDER),
        times(G, -int.from_bytes(digest, "big") * inverse % GROUP_ORDER),
    )
    assert key is not None
    return keccak256(b"".join(number.to_bytes(32, "big") for number in key))[12:]


def test_recovery_agrees_with_the_textbook() -> None:
    for i in range(4):
        digest = keccak256(b"textbook %d" % i)
        signature = Signer(keccak256(b"key %d" % i)).sign(digest)
        assert recover(digest, signature) == recover_slowly(digest, signature)


def test_a_signature_that_recovers_the_point_at_infinity_is_refused() -> None:
    # r and s such that s R = z G: choose R = k G and s = z / k, with z the digest.
    k = 1_234_567
    point = times(G, k)
    assert point is not None
    z = int.from_bytes(DIGEST, "big") % GROUP_ORDER
    s = z * pow(k, -1, GROUP_ORDER) % GROUP_ORDER
    parity = point[1] % 2
    if s > GROUP_ORDER // 2:
        s, parity = GROUP_ORDER - s, 1 - parity
    signature = (
        (point[0] % GROUP_ORDER).to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((27 + parity,))
    )
    answer = recover(DIGEST, signature)
    assert getattr(answer, "code", None) == 505
