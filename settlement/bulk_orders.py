"""Many orders on one signature: the typed Merkle tree `BulkOrder(Order[2][2]...[2] tree)`.

A tree of height h has 2^h leaves, the orders' struct hashes, then the hash of the empty order in
every place that is left. A pair is hashed as EIP-712 hashes an array of two, so that any wallet
shows and signs the whole tree; the form is that of Seaport's bulk orders.

Holds: the height is the least, and at least 1, that holds the orders; the type hash is the
height's own, so a node can never be taken for a leaf of a lower tree; `tests/model/bulk_orders.py`
is the slow twin, and `contracts/libraries/BulkOrderHash.sol` recovers the signer of any one order.
Never: knows who may sign, or what an order means.
"""

from collections.abc import Sequence
from typing import Final

from settlement.keccak import keccak256
from settlement.signed_messages import (
    CONDITIONS_TYPE,
    LEG_TYPE,
    NO_ORDER,
    ORDER_TYPE,
    Order,
    order_hash,
)

MAX_HEIGHT: Final = 9
"""512 leaves: both sides of 200 instruments, the most that a mass quote has."""
MAX_LEAVES: Final = 1 << MAX_HEIGHT

EMPTY_ORDER: Final = Order(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NO_ORDER, ())
"""What stands where a tree has no order: it has expired at every time, and buys nothing."""


def bulk_type(height: int) -> str:
    """The type string of a tree, the types that it names behind it in alphabetical order."""
    return f"BulkOrder(Order{'[2]' * height} tree)"


_BULK_TYPE_HASHES: Final = tuple(
    keccak256((bulk_type(height) + CONDITIONS_TYPE + LEG_TYPE + ORDER_TYPE).encode())
    for height in range(MAX_HEIGHT + 1)
)


def _padding() -> tuple[bytes, ...]:
    """By height, the root of a tree of empty orders alone."""
    hashes = [order_hash(EMPTY_ORDER)]
    for _ in range(MAX_HEIGHT):
        hashes.append(keccak256(hashes[-1] + hashes[-1]))
    return tuple(hashes)


_PADDING: Final = _padding()


def tree_height(count: int) -> int:
    """Height of the tree that holds `count` orders, 1 to MAX_LEAVES of them."""
    if not 0 < count <= MAX_LEAVES:
        raise ValueError(f"a tree holds 1 to {MAX_LEAVES} orders, not {count}")
    return max(1, (count - 1).bit_length())


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """Hash of the nested array: what the struct's one field hashes to."""
    level = list(hashes)
    for height in range(tree_height(len(hashes))):
        if len(level) & 1:
            level.append(_PADDING[height])
        level = [keccak256(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


def bulk_hash(hashes: Sequence[bytes]) -> bytes:
    """Struct hash of the tree over these order hashes: `signing_digest` of it is what is signed."""
    return keccak256(_BULK_TYPE_HASHES[tree_height(len(hashes))] + tree_root(hashes))


def leaf_proof(hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Siblings of one order's hash, from the leaf to the root: with them the order and the
    signature stand alone.
    """
    if not 0 <= index < len(hashes):
        raise ValueError(f"the tree has {len(hashes)} orders; none is number {index}")
    level, siblings = list(hashes), list[bytes]()
    for height in range(tree_height(len(hashes))):
        if len(level) & 1:
            level.append(_PADDING[height])
        siblings.append(level[index ^ 1])
        level = [keccak256(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
        index >>= 1
    return tuple(siblings)


def bulk_hash_of_leaf(leaf: bytes, index: int, siblings: Sequence[bytes]) -> bytes | None:
    """Struct hash of the tree in which order hash `leaf` is number `index`, by its proof; None
    where no tree has such a proof.
    """
    height = len(siblings)
    if not 1 <= height <= MAX_HEIGHT or not 0 <= index < 1 << height:
        return None
    node = leaf
    for sibling in siblings:
        node = keccak256(sibling + node if index & 1 else node + sibling)
        index >>= 1
    return keccak256(_BULK_TYPE_HASHES[height] + node)
