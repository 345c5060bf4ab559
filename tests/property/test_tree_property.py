"""The state tree against its slow twin, in programs of any length and order."""

import random

from hypothesis import given
from hypothesis import strategies as st

from settlement.tree import Tree, proves_absence, proves_presence
from tests.model import tree as model

# Few low bits and a few high ones: keys that part early, late, or only at the last bit.
keys = st.one_of(
    st.integers(0, 15),
    st.integers(0, 7).map(lambda n: n << 29),
    st.sampled_from([0, 1]).flatmap(lambda low: st.integers(0, 3).map(lambda n: n << 30 | low)),
    st.integers(0, 0xFFFFFFFF),
)
payloads = st.binary(max_size=4)
steps = st.one_of(
    st.tuples(st.just("set"), keys, payloads),
    st.tuples(st.just("delete"), keys, st.just(b"")),
    st.tuples(st.just("root"), keys, st.just(b"")),
    st.tuples(st.just("proof"), keys, st.just(b"")),
)


@given(st.lists(steps, max_size=60))
def test_any_program_of_changes_leaves_the_root_and_the_proofs_of_the_slow_twin(
    program: list[tuple[str, int, bytes]],
):
    tree, leaves = Tree(), dict[int, bytes]()
    for step, key, payload in program:
        if step == "set":
            tree.set(key, payload)
            leaves[key] = payload
        elif step == "delete":
            if key in leaves:
                tree.delete(key)
                del leaves[key]
        elif step == "root":
            assert tree.root() == model.root(leaves)
        else:
            assert tree.proof(key) == model.proof(leaves, key)
        assert tree.get(key) == leaves.get(key)
        assert len(tree) == len(leaves)
    assert tree.root() == model.root(leaves)


@given(st.dictionaries(keys, payloads, max_size=30), st.randoms(use_true_random=False))
def test_the_root_does_not_know_in_which_order_the_leaves_came(
    leaves: dict[int, bytes], rng: random.Random
):
    items = list(leaves.items())
    rng.shuffle(items)
    detour = Tree(items)
    for key in range(40, 50):  # leaves that come and go leave nothing behind
        if key not in leaves:
            detour.set(key, b"guest")
            detour.root()
            detour.delete(key)
    assert detour.root() == Tree(leaves.items()).root()


@given(st.dictionaries(keys, payloads, max_size=30), keys)
def test_a_key_is_proved_there_or_not_there_and_never_both(leaves: dict[int, bytes], key: int):
    tree = Tree(leaves.items())
    root, proof = tree.root(), tree.proof(key)
    is_there = proof.end is not None and proof.end[0] == key
    assert is_there == (key in leaves)
    assert proves_absence(root, key, proof) == (not is_there)
    if is_there:
        assert proves_presence(root, key, leaves[key], proof.siblings)


@given(
    st.dictionaries(keys, payloads, min_size=2, max_size=20),
    st.data(),
)
def test_every_flipped_bit_of_a_proof_is_noticed(leaves: dict[int, bytes], data: st.DataObject):
    tree = Tree(leaves.items())
    key = data.draw(st.sampled_from(sorted(leaves)))
    siblings = tree.proof(key).siblings
    at = data.draw(st.integers(0, 256 * len(siblings) - 1))
    flipped = [bytearray(sibling) for sibling in siblings]
    flipped[at // 256][at % 256 // 8] ^= 1 << at % 8
    lie = [bytes(sibling) for sibling in flipped]
    assert not proves_presence(tree.root(), key, leaves[key], lie)
    assert not proves_presence(tree.root(), key, leaves[key] + b"!", siblings)
