"""The slow twin of `settlement/tree.py`: a dictionary, and the root's definition read aloud."""

from settlement.keccak import keccak256

EMPTY = bytes(32)


def leaf_hash(key: int, payload: bytes) -> bytes:
    return keccak256(b"\x00" + key.to_bytes(4, "big") + payload)


def halves(leaves: dict[int, bytes], depth: int) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """The leaves whose key has bit `depth` clear, and those that have it set."""
    left = {key: payload for key, payload in leaves.items() if not key >> depth & 1}
    right = {key: payload for key, payload in leaves.items() if key >> depth & 1}
    return left, right


def root(leaves: dict[int, bytes], depth: int = 0) -> bytes:
    """The hash of the subtree at `depth` that holds these leaves and no other."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaf_hash(*next(iter(leaves.items())))
    left, right = halves(leaves, depth)
    return keccak256(b"\x01" + root(left, depth + 1) + root(right, depth + 1))


def proof(
    leaves: dict[int, bytes], key: int, depth: int = 0
) -> tuple[tuple[bytes, ...], tuple[int, bytes] | None]:
    """The siblings of a key's path from its end up, and the leaf at its end."""
    if len(leaves) <= 1:
        return (), next(iter(leaves.items()), None)
    left, right = halves(leaves, depth)
    ours, other = (right, left) if key >> depth & 1 else (left, right)
    siblings, end = proof(ours, key, depth + 1)
    return (*siblings, root(other, depth + 1)), end
