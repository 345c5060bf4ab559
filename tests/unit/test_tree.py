"""The state tree against its definition written out by hand, and its proofs against liars."""

import json
from pathlib import Path

import pytest

from settlement.keccak import keccak256
from settlement.tree import (
    EMPTY_ROOT,
    Proof,
    Tree,
    leaf_hash,
    proves_absence,
    proves_presence,
)
from tests.model import vectors

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "tree_vectors.json").read_text())


def node(left: bytes, right: bytes) -> bytes:
    return keccak256(b"\x01" + left + right)


def test_keccak_is_that_of_ethereum_and_not_of_nist():
    published = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == published  # keccak256 of nothing: the code hash of an account
    selector = keccak256(b"transfer(address,uint256)")[:4]
    assert selector.hex() == "a9059cbb"


def test_an_empty_tree_has_a_root_of_zeros():
    assert Tree().root() == EMPTY_ROOT == bytes(32)


def test_a_single_leaf_is_the_root_however_deep_its_key():
    for key in (0, 5, 0xFFFFFFFF):
        assert Tree([(key, b"p")]).root() == keccak256(b"\x00" + key.to_bytes(4, "big") + b"p")


def test_the_lowest_bit_of_a_key_decides_first_and_zero_goes_left():
    tree = Tree([(6, b"even"), (1, b"odd")])
    assert tree.root() == node(leaf_hash(6, b"even"), leaf_hash(1, b"odd"))


def test_two_keys_that_part_at_the_third_bit_stand_under_two_nodes_with_an_empty_side():
    tree = Tree([(0b001, b"a"), (0b101, b"b")])
    pair = node(leaf_hash(1, b"a"), leaf_hash(5, b"b"))
    assert tree.root() == node(EMPTY_ROOT, node(pair, EMPTY_ROOT))


def test_a_leaf_left_alone_rises_to_where_it_is_alone():
    tree = Tree([(0, b"stays"), (1 << 31, b"goes"), (1 << 30, b"goes")])
    tree.root()
    tree.delete(1 << 31)
    tree.delete(1 << 30)
    assert tree.root() == leaf_hash(0, b"stays")
    tree.delete(0)
    assert tree.root() == EMPTY_ROOT
    assert len(tree) == 0


def test_a_leaf_beside_an_inner_node_does_not_rise_when_its_neighbour_goes():
    keys = (0b000, 0b100, 0b010)  # 000 and 100 hang together, 010 beside them
    tree = Tree((key, b"") for key in keys)
    tree.delete(0b010)
    pair = node(leaf_hash(0b000, b""), leaf_hash(0b100, b""))
    assert tree.root() == node(node(pair, EMPTY_ROOT), EMPTY_ROOT)


def test_what_was_set_can_be_read_and_what_was_not_is_none():
    tree = Tree([(3, b"three")])
    tree.set(3, b"drei")
    assert tree.get(3) == b"drei"
    assert tree.get(4) is None


def test_a_missing_key_cannot_be_deleted_and_nothing_moves():
    tree = Tree([(3, b"three"), (4, b"four")])
    before = tree.root()
    with pytest.raises(KeyError):
        tree.delete(7)
    assert tree.root() == before


@pytest.mark.parametrize("key", [-1, 1 << 32])
def test_a_key_of_more_than_32_bits_is_refused(key: int):
    tree = Tree()
    with pytest.raises(ValueError):
        tree.set(key, b"")
    assert len(tree) == 0
    assert tree.root() == EMPTY_ROOT


def test_each_hash_is_made_once_however_often_its_leaf_was_set(monkeypatch: pytest.MonkeyPatch):
    tree = Tree((key, b"before") for key in range(1024))
    tree.root()
    hashed: list[bytes] = []

    def counting(data: bytes) -> bytes:
        hashed.append(data)
        return keccak256(data)

    monkeypatch.setattr("settlement.tree.keccak256", counting)
    for turn in range(5):
        for key in range(0, 1024, 64):  # 16 leaves that share their lowest six bits
            tree.set(key, bytes([turn]))
    tree.root()
    assert len(hashed) == 16 + 15 + 6  # the leaves, the nodes where they part, the way to the top
    tree.root()
    assert len(hashed) == 37


# PROOFS


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["root"][:8])
def test_roots_and_proofs_are_those_of_the_published_vectors(vector: dict):
    leaves = {int(key): bytes.fromhex(payload) for key, payload in vector["leaves"].items()}
    tree = Tree(leaves.items())
    root = bytes.fromhex(vector["root"])
    assert tree.root() == root
    for shown in vector["proofs"]:
        key, proof = shown["key"], tree.proof(shown["key"])
        assert [sibling.hex() for sibling in proof.siblings] == shown["siblings"]
        end = shown["end"]
        assert proof.end == (None if end is None else (end["key"], bytes.fromhex(end["payload"])))
        if shown["is_present"]:
            assert proves_presence(root, key, leaves[key], proof.siblings)
        assert proves_absence(root, key, proof) == (not shown["is_present"])


def test_the_vectors_are_what_the_slow_twin_makes_today():
    assert json.loads(json.dumps(vectors.tree_vectors())) == VECTORS


def big_tree() -> Tree:
    return Tree((7 * key, key.to_bytes(3, "big")) for key in range(40))


def test_no_payload_but_the_true_one_is_proved():
    tree = big_tree()
    siblings = tree.proof(21).siblings
    assert proves_presence(tree.root(), 21, (3).to_bytes(3, "big"), siblings)
    assert not proves_presence(tree.root(), 21, (4).to_bytes(3, "big"), siblings)
    assert not proves_presence(tree.root(), 28, (3).to_bytes(3, "big"), siblings)
    assert not proves_presence(tree.root(), 21, (3).to_bytes(3, "big"), siblings[:-1])
    assert not proves_presence(tree.root(), 21, (3).to_bytes(3, "big"), (bytes(32), *siblings))


def test_a_leaf_that_is_there_cannot_be_proved_absent_by_another_off_its_path():
    tree = big_tree()
    for other in range(0, 280, 7):
        assert not proves_absence(tree.root(), 21, tree.proof(other)) or other == 21


def test_a_leaf_that_an_operator_put_off_its_path_proves_no_absence():
    """Under a root that no tree has: 1 stands left, where keys with a zero bit belong."""
    misplaced = node(leaf_hash(1, b"a"), leaf_hash(3, b"b"))
    assert not proves_absence(misplaced, 0, Proof((leaf_hash(3, b"b"),), (1, b"a")))


def test_an_inner_node_does_not_pass_for_a_leaf():
    tree = big_tree()
    left, right = tree.proof(1).siblings[-1], tree.proof(0).siblings[-1]
    assert node(left, right) == tree.root()
    assert not proves_presence(tree.root(), 0, left + right, ())
    assert not proves_presence(tree.root(), int.from_bytes(left[:4], "big"), left[4:] + right, ())


def test_a_proof_with_siblings_of_another_length_or_too_many_proves_nothing():
    tree = big_tree()
    root, payload, siblings = tree.root(), tree.get(21) or b"", tree.proof(21).siblings
    joined = siblings[0] + siblings[1]
    assert not proves_presence(root, 21, payload, (joined, *siblings[2:]))
    assert not proves_presence(root, 21, payload, siblings + (bytes(32),) * 33)
    assert not proves_presence(root, 21 + (1 << 32), payload, siblings)
    assert not proves_absence(root, 22, Proof((joined,), None))
    assert not proves_absence(root, 22, Proof((bytes(32),) * 33, None))
    assert not proves_absence(root, 22 + (1 << 32), tree.proof(22))
