"""The compact sparse Merkle tree under every root of the state (docs/protocol.md, 5).

Holds: 32-bit keys, the path of a key being its bits from the lowest up; an empty subtree is 32 zero
bytes, a subtree with one leaf that leaf's hash, any other H(0x01 ‖ left ‖ right). The root follows
from the leaves alone, not from the order in which they came. An inner node has two leaves or more
below it. A change only makes the hashes on its path stale; `root` makes them anew, each once,
however many changes came between. `tests/model/tree.py` is the slow twin.
Never: interprets a payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, final

from settlement.keccak import keccak256

EMPTY_ROOT: Final = bytes(32)
MAX_DEPTH: Final = 32

_STALE: Final = b""


@final
class _Leaf:
    __slots__ = ("hash", "key", "payload")

    def __init__(self, key: int, payload: bytes) -> None:
        self.key = key
        self.payload = payload
        self.hash = _STALE


@final
class _Node:
    __slots__ = ("hash", "left", "right")

    def __init__(self) -> None:
        self.left: _Node | _Leaf | None = None
        self.right: _Node | _Leaf | None = None
        self.hash = _STALE


class Proof(NamedTuple):
    """What stands on the way to a key: the siblings from the end up, and the leaf (key, payload)
    at the end, None where it is empty. It proves that the key is there if that leaf is the key's
    own, else that it is not.
    """

    siblings: tuple[bytes, ...]
    end: tuple[int, bytes] | None


class Tree:
    """A map from 32-bit keys to payloads, with a root."""

    __slots__ = ("_leaves", "_top")

    def __init__(self, items: Iterable[tuple[int, bytes]] = ()) -> None:
        self._leaves: dict[int, _Leaf] = {}
        self._top: _Node | _Leaf | None = None
        for key, payload in items:
            self.set(key, payload)

    def __len__(self) -> int:
        return len(self._leaves)

    def get(self, key: int) -> bytes | None:
        leaf = self._leaves.get(key)
        return None if leaf is None else leaf.payload

    def set(self, key: int, payload: bytes) -> None:
        """Puts a leaf, in place of the key's former one."""
        leaf = self._leaves.get(key)
        if leaf is None:
            self._insert(key, payload)
            return
        leaf.payload = payload
        leaf.hash = _STALE
        node, bits = self._top, key
        while type(node) is _Node:
            node.hash = _STALE
            node = node.right if bits & 1 else node.left
            bits >>= 1

    def _insert(self, key: int, payload: bytes) -> None:
        if not 0 <= key < 1 << 32:
            raise ValueError(f"key {key} is not of 32 bits")
        leaf = self._leaves[key] = _Leaf(key, payload)
        parent: _Node | None = None
        node, depth = self._top, 0
        while type(node) is _Node:
            node.hash = _STALE
            parent = node
            node = node.right if key >> depth & 1 else node.left
            depth += 1
        subtree = leaf if node is None else _fork(leaf, node, depth)
        if parent is None:
            self._top = subtree
        elif key >> depth - 1 & 1:
            parent.right = subtree
        else:
            parent.left = subtree

    def delete(self, key: int) -> None:
        """Takes a leaf away; a key that is not there is a KeyError."""
        del self._leaves[key]
        path: list[_Node] = []
        node, bits = self._top, key
        while type(node) is _Node:
            node.hash = _STALE
            path.append(node)
            node = node.right if bits & 1 else node.left
            bits >>= 1
        # A node left with a single leaf gives way to it, as does every node above that has no
        # other subtree; a node left with an inner node stays.
        survivor: _Leaf | None = None
        while path:
            parent = path.pop()
            went_right = key >> len(path) & 1
            other = parent.left if went_right else parent.right
            if survivor is None and type(other) is _Leaf:
                survivor = other
            elif other is not None:
                if went_right:
                    parent.right = survivor
                else:
                    parent.left = survivor
                return
        self._top = survivor

    def root(self) -> bytes:
        """The root's hash. Hashes what changed since the last call, and nothing twice."""
        top = self._top
        return EMPTY_ROOT if top is None else top.hash or _rehash(top)

    def proof(self, key: int) -> Proof:
        """Proves that a key has its leaf, or that it has none."""
        self.root()
        siblings: list[bytes] = []
        node, bits = self._top, key
        while type(node) is _Node:
            left, right = node.left, node.right
            node, sibling = (right, left) if bits & 1 else (left, right)
            siblings.append(EMPTY_ROOT if sibling is None else sibling.hash)
            bits >>= 1
        siblings.reverse()
        end = (node.key, node.payload) if type(node) is _Leaf else None
        return Proof(tuple(siblings), end)


def _fork(leaf: _Leaf, other: _Leaf, depth: int) -> _Node:
    """The smallest subtree at `depth` that holds two leaves."""
    top = node = _Node()
    while not (leaf.key ^ other.key) >> depth & 1:
        below = _Node()
        if leaf.key >> depth & 1:
            node.right = below
        else:
            node.left = below
        node = below
        depth += 1
    node.left, node.right = (other, leaf) if leaf.key >> depth & 1 else (leaf, other)
    return top


def _rehash(node: _Node | _Leaf) -> bytes:
    if type(node) is _Leaf:
        node.hash = digest = leaf_hash(node.key, node.payload)
        return digest
    left, right = node.left, node.right
    node.hash = digest = keccak256(
        b"\x01"
        + (EMPTY_ROOT if left is None else left.hash or _rehash(left))
        + (EMPTY_ROOT if right is None else right.hash or _rehash(right))
    )
    return digest


def leaf_hash(key: int, payload: bytes) -> bytes:
    """H(0x00 ‖ key u32 ‖ payload)."""
    return keccak256(b"\x00" + key.to_bytes(4, "big") + payload)


def root_of_path(key: int, end_hash: bytes, siblings: Sequence[bytes]) -> bytes:
    """The root over a subtree of hash `end_hash` on the path of `key`, siblings upwards from it."""
    digest, depth = end_hash, len(siblings)
    for sibling in siblings:
        depth -= 1
        pair = sibling + digest if key >> depth & 1 else digest + sibling
        digest = keccak256(b"\x01" + pair)
    return digest


def proves_presence(root: bytes, key: int, payload: bytes, siblings: Sequence[bytes]) -> bool:
    """Whether the tree of this root holds the key with this payload, as far as siblings show it."""
    return (
        0 <= key < 1 << 32
        and len(siblings) <= MAX_DEPTH
        and all(len(sibling) == 32 for sibling in siblings)
        and root_of_path(key, leaf_hash(key, payload), siblings) == root
    )


def proves_absence(root: bytes, key: int, proof: Proof) -> bool:
    """Whether the tree of this root has no leaf of this key: its path ends in an empty subtree, or
    in a leaf of another key with the same lowest bits.
    """
    siblings, end = proof
    if not 0 <= key < 1 << 32 or len(siblings) > MAX_DEPTH:
        return False
    if any(len(sibling) != 32 for sibling in siblings):
        return False
    if end is None:
        return root_of_path(key, EMPTY_ROOT, siblings) == root
    other, payload = end
    is_on_the_path = 0 <= other < 1 << 32 and not (other ^ key) & (1 << len(siblings)) - 1
    return (
        other != key
        and is_on_the_path
        and root_of_path(key, leaf_hash(other, payload), siblings) == root
    )
