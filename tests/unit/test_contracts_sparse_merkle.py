"""The tree in Solidity against docs/protocol.md read aloud (`tests/local_chain.py`), and liars."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.build_contracts import Artifact
from settlement.node import Node, Reverted
from tests.local_chain import Deployed, tree_path, tree_root

pytest_plugins = ("tests.chain_fixtures", "tests.contracts_build")

# Keys that share many low bits make deep trees.
KEYS = st.one_of(
    st.integers(0, 40),
    st.integers(0, 2**32 - 1),
    st.integers(0, 31).map(lambda bit: 1 << bit),
)
LEAVES = st.dictionaries(KEYS, st.binary(max_size=40), max_size=12)
FEW = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def merkle(node: Node, compiled_contracts: dict[str, Artifact]) -> Deployed:
    return Deployed(node, compiled_contracts["SparseMerkleHarness"])


def end_of_path(leaves: dict[int, bytes], key: int) -> int | None:
    """The key whose leaf ends the path of `key`; None if that ends in an empty subtree."""
    depth = len(tree_path(leaves, key))
    low = (1 << depth) - 1
    return next((other for other in leaves if (other ^ key) & low == 0), None)


@FEW
@given(leaves=LEAVES, wanted=KEYS)
def test_what_is_there_is_a_member_and_what_is_not_is_absent(
    merkle: Deployed, leaves: dict[int, bytes], wanted: int
) -> None:
    root = tree_root(leaves)
    for key in {*list(leaves)[:4], wanted}:
        path = tree_path(leaves, key)
        end = end_of_path(leaves, key)
        if key in leaves:
            assert merkle.call("isMember", root, key, leaves[key], path)
        elif end is None:
            assert merkle.call("isAbsent", root, key, path)
        else:
            assert merkle.call("isAbsentBeside", root, key, path, end, leaves[end])


@FEW
@given(leaves=LEAVES.filter(bool), wanted=KEYS, payload=st.binary(max_size=40), data=st.data())
def test_nothing_can_be_proved_there_and_absent(
    merkle: Deployed, leaves: dict[int, bytes], wanted: int, payload: bytes, data: st.DataObject
) -> None:
    """With every path and every leaf that the tree offers to a liar."""
    root = tree_root(leaves)
    other = data.draw(st.sampled_from(sorted(leaves)))
    for path in (tree_path(leaves, wanted), tree_path(leaves, other), []):
        is_member = merkle.call("isMember", root, wanted, payload, path)
        assert is_member == (leaves.get(wanted) == payload and path == tree_path(leaves, wanted))
        absent = merkle.call("isAbsent", root, wanted, path)
        beside = merkle.call("isAbsentBeside", root, wanted, path, other, leaves[other])
        if wanted in leaves:
            assert not absent
            assert not beside


def test_a_leaf_stands_for_no_other_key(merkle: Deployed) -> None:
    leaves = {0: b"zero", 1: b"one"}
    root = tree_root(leaves)
    # Key 2 has the path of key 0; key 3 that of key 1.
    assert merkle.call("isMember", root, 0, b"zero", tree_path(leaves, 0))
    assert not merkle.call("isMember", root, 2, b"zero", tree_path(leaves, 2))
    assert merkle.call("isAbsentBeside", root, 2, tree_path(leaves, 2), 0, b"zero")
    # The leaf beside must lie on the path of the key that is to be absent.
    assert not merkle.call("isAbsentBeside", root, 2, tree_path(leaves, 1), 1, b"one")
    assert not merkle.call("isAbsentBeside", root, 0, tree_path(leaves, 0), 0, b"zero")


def test_a_node_is_no_leaf(merkle: Deployed) -> None:
    """A payload that spells out a node's two children has another hash than the node."""
    leaves = {0: b"zero", 1: b"one"}
    children = tree_root({0: b"zero"}) + tree_root({1: b"one"})
    assert merkle.call("leafHash", 0, children) != tree_root(leaves)
    assert not merkle.call("isMember", tree_root(leaves), 0, children, [])


def test_an_empty_tree_has_no_member_and_misses_every_key(merkle: Deployed) -> None:
    assert merkle.call("isAbsent", bytes(32), 2**32 - 1, [])
    assert not merkle.call("isMember", bytes(32), 0, b"", [])


def test_a_path_may_be_as_long_as_a_key_and_no_longer(merkle: Deployed) -> None:
    leaves = {0: b"a", 1 << 31: b"b"}
    path = tree_path(leaves, 1 << 31)
    assert len(path) == 32
    assert merkle.call("isMember", tree_root(leaves), 1 << 31, b"b", path)
    with pytest.raises(Reverted, match=r"PathTooLong\(maximum 32, got 33\)"):
        merkle.call("isMember", tree_root(leaves), 1 << 31, b"b", [bytes(32), *path])
