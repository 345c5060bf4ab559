"""The tree in Solidity against its slow twin, its published vectors, and liars."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.build_contracts import Artifact
from settlement.keccak import keccak256
from settlement.node import Node, Reverted
from tests.local_chain import Deployed
from tests.model import tree

pytest_plugins = ("tests.chain_fixtures", "tests.contracts_build")

# Keys that share many low bits make deep trees.
KEYS = st.one_of(
    st.integers(0, 40),
    st.integers(0, 2**32 - 1),
    st.integers(0, 31).map(lambda bit: 1 << bit),
)
LEAVES = st.dictionaries(KEYS, st.binary(max_size=40), max_size=12)
VECTORS = Path(__file__).parent.parent / "data" / "tree_vectors.json"
Proof = tuple[Sequence[bytes], tuple[int, bytes] | None]
FEW = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def merkle(node: Node, compiled_contracts: dict[str, Artifact]) -> Deployed:
    return Deployed(node, compiled_contracts["SparseMerkleHarness"])


def path_of(leaves: dict[int, bytes], key: int) -> list[bytes]:
    return list(tree.proof(leaves, key)[0])


def is_proved_absent(merkle: Deployed, root: bytes, key: int, proof: Proof) -> bool:
    siblings, end = proof
    if end is None:
        return merkle.call("isAbsent", root, key, list(siblings))
    return merkle.call("isAbsentBeside", root, key, list(siblings), *end)


@FEW
@given(leaves=LEAVES, wanted=KEYS)
def test_what_is_there_is_a_member_and_what_is_not_is_absent(
    merkle: Deployed, leaves: dict[int, bytes], wanted: int
) -> None:
    root = tree.root(leaves)
    for key in {*list(leaves)[:4], wanted}:
        if key in leaves:
            assert merkle.call("isMember", root, key, leaves[key], path_of(leaves, key))
        else:
            assert is_proved_absent(merkle, root, key, tree.proof(leaves, key))


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text("utf8")))
def test_every_proof_of_the_vectors_holds(merkle: Deployed, vector: dict[str, Any]) -> None:
    root = bytes.fromhex(vector["root"])
    for proof in vector["proofs"]:
        siblings = [bytes.fromhex(sibling) for sibling in proof["siblings"]]
        end = proof["end"] and (proof["end"]["key"], bytes.fromhex(proof["end"]["payload"]))
        if proof["is_present"]:
            assert merkle.call("isMember", root, *end, siblings)
        else:
            assert is_proved_absent(merkle, root, proof["key"], (siblings, end))


@FEW
@given(leaves=LEAVES.filter(bool), wanted=KEYS, payload=st.binary(max_size=40), data=st.data())
def test_nothing_can_be_proved_there_and_absent(
    merkle: Deployed, leaves: dict[int, bytes], wanted: int, payload: bytes, data: st.DataObject
) -> None:
    """With every path and every leaf that the tree offers to a liar."""
    root = tree.root(leaves)
    other = data.draw(st.sampled_from(sorted(leaves)))
    for path in (path_of(leaves, wanted), path_of(leaves, other), []):
        is_member = merkle.call("isMember", root, wanted, payload, path)
        assert is_member == (leaves.get(wanted) == payload and path == path_of(leaves, wanted))
        absent = merkle.call("isAbsent", root, wanted, path)
        beside = merkle.call("isAbsentBeside", root, wanted, path, other, leaves[other])
        if wanted in leaves:
            assert not absent
            assert not beside


def test_a_leaf_stands_for_no_other_key(merkle: Deployed) -> None:
    leaves = {0: b"zero", 1: b"one"}
    root = tree.root(leaves)
    # Key 2 has the path of key 0; key 3 that of key 1.
    assert merkle.call("isMember", root, 0, b"zero", path_of(leaves, 0))
    assert not merkle.call("isMember", root, 2, b"zero", path_of(leaves, 2))
    assert merkle.call("isAbsentBeside", root, 2, path_of(leaves, 2), 0, b"zero")
    # The leaf beside must lie on the path of the key that is to be absent.
    assert not merkle.call("isAbsentBeside", root, 2, path_of(leaves, 1), 1, b"one")
    assert not merkle.call("isAbsentBeside", root, 0, path_of(leaves, 0), 0, b"zero")


def test_a_leaf_that_a_forged_tree_holds_in_a_wrong_place_proves_no_absence(
    merkle: Deployed,
) -> None:
    """Key 5 goes right, left, right; the forger hangs its leaf where keys 1 and 9 would be."""
    siblings = [b"\x51" * 32, b"\x52" * 32, b"\x53" * 32]
    third = keccak256(b"\x01" + tree.leaf_hash(5, b"five") + siblings[0])
    second = keccak256(b"\x01" + third + siblings[1])
    root = keccak256(b"\x01" + siblings[2] + second)
    assert not merkle.call("isAbsentBeside", root, 1, siblings, 5, b"five")
    # The same leaf in its own place does prove it, of a key that shares its path.
    third = keccak256(b"\x01" + siblings[0] + tree.leaf_hash(5, b"five"))
    second = keccak256(b"\x01" + third + siblings[1])
    root = keccak256(b"\x01" + siblings[2] + second)
    assert merkle.call("isAbsentBeside", root, 13, siblings, 5, b"five")


def test_a_node_is_no_leaf(merkle: Deployed) -> None:
    """A payload that spells out a node's two children has another hash than the node."""
    leaves = {0: b"zero", 1: b"one"}
    children = tree.root({0: b"zero"}) + tree.root({1: b"one"})
    assert merkle.call("leafHash", 0, children) != tree.root(leaves)
    assert not merkle.call("isMember", tree.root(leaves), 0, children, [])


def test_an_empty_tree_has_no_member_and_misses_every_key(merkle: Deployed) -> None:
    assert merkle.call("isAbsent", bytes(32), 2**32 - 1, [])
    assert not merkle.call("isMember", bytes(32), 0, b"", [])


def test_a_path_may_be_as_long_as_a_key_and_no_longer(merkle: Deployed) -> None:
    leaves = {0: b"a", 1 << 31: b"b"}
    path = path_of(leaves, 1 << 31)
    assert len(path) == 32
    assert merkle.call("isMember", tree.root(leaves), 1 << 31, b"b", path)
    with pytest.raises(Reverted, match=r"PathTooLong\(maximum 32, got 33\)"):
        merkle.call("isMember", tree.root(leaves), 1 << 31, b"b", [bytes(32), *path])
