"""Many orders on one signature, against a wallet's library, a slow twin and the contract."""

from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.wallet import SigningDomain, Wallet, bulk_typed_data
from settlement.bulk_orders import (
    EMPTY_ORDER,
    MAX_HEIGHT,
    MAX_LEAVES,
    bulk_hash,
    bulk_hash_of_leaf,
    leaf_proof,
    tree_height,
    tree_root,
)
from settlement.chain import Chain
from settlement.node import Node, Reverted
from settlement.signature import recover
from settlement.signed_messages import (
    NO_ORDER,
    ORDER_FIELDS,
    PLAIN,
    Conditions,
    Order,
    domain_separator,
    order_hash,
    signing_digest,
)
from tests.local_chain import ALICE, exchange_on, view
from tests.model import bulk_orders as twin

pytest_plugins = ("tests.chain_fixtures",)

DOMAIN = SigningDomain(31_337, bytes.fromhex("e7f1725e7734ce288f8367e1bb143e90bb3f0512"))
LEGS = (((300, 1),), ((4, 1), (9, -2)), ((0, 2), (1, -3), (2, 1)))
QUOTE = Conditions(protection=7, label=11)


def order(number: int) -> Order:
    price = 10_000 * (number + 1) * (1 - 2 * (number % 2))
    conditions = QUOTE if number % 3 else PLAIN
    legs = LEGS[number % len(LEGS)]
    return Order(
        7, 2, number % 2, 0, 1, price, number, 99, 1_800_000_000, number, NO_ORDER, legs, conditions
    )


def orders(count: int) -> list[Order]:
    return [order(number) for number in range(count)]


def hashes_of(count: int) -> list[bytes]:
    return [order_hash(each) for each in orders(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 13, 33, 100, 257, MAX_LEAVES])
def test_a_tree_has_the_hash_that_a_wallet_computes(count: int) -> None:
    """Heights 1, 1, 2, 2, 3, 3, 4, 6, 7, 9, 9; the wallet is shown every order."""
    signable = encode_typed_data(full_message=bulk_typed_data(orders(count), DOMAIN))
    assert signable.body == bulk_hash(hashes_of(count))
    assert signable.header == domain_separator(*DOMAIN)


def test_a_wallet_signs_a_tree_and_its_signer_is_recovered() -> None:
    wallet = Wallet(ALICE.key)
    signed = wallet.sign_bulk(orders(5), DOMAIN)
    digest = signing_digest(domain_separator(*DOMAIN), bulk_hash(hashes_of(5)))
    assert signed.message_hash == bulk_hash(hashes_of(5))
    assert recover(digest, signed.signature) == wallet.address


LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=80)


@given(leaves=LEAVES)
def test_a_tree_is_its_slow_twins(leaves: list[bytes]) -> None:
    tree, height = twin.nest(leaves)
    assert tree_root(leaves) == twin.encode(tree)
    assert tree_height(len(leaves)) == height
    assert bulk_hash(leaves) == twin.bulk_hash(leaves)


@given(leaves=LEAVES, data=st.data())
def test_every_leaf_has_a_proof_and_no_other_place(
    leaves: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    siblings = leaf_proof(leaves, index)
    root = bulk_hash(leaves)
    assert bulk_hash_of_leaf(leaves[index], index, siblings) == root
    other = data.draw(st.integers(0, 2 ** len(siblings) - 1))
    everywhere = leaves + [order_hash(EMPTY_ORDER)] * (2 ** len(siblings) - len(leaves))
    moved = bulk_hash_of_leaf(leaves[index], other, siblings)
    assert moved != root or everywhere[other] == leaves[index]


@given(leaves=LEAVES, data=st.data())
def test_a_flipped_bit_of_a_leaf_or_of_a_sibling_is_another_tree(
    leaves: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    bit = 1 << data.draw(st.integers(0, 255))
    siblings = list(leaf_proof(leaves, index))
    flipped = (int.from_bytes(leaves[index], "big") ^ bit).to_bytes(32, "big")
    assert bulk_hash_of_leaf(flipped, index, siblings) != bulk_hash(leaves)
    at = data.draw(st.integers(0, len(siblings) - 1))
    siblings[at] = (int.from_bytes(siblings[at], "big") ^ bit).to_bytes(32, "big")
    assert bulk_hash_of_leaf(leaves[index], index, siblings) != bulk_hash(leaves)


def test_a_node_is_no_leaf_of_a_lower_tree() -> None:
    leaves = [bytes([number]) * 32 for number in range(4)]
    nodes = [tree_root(leaves[:2]), tree_root(leaves[2:])]
    assert tree_root(nodes) == tree_root(leaves)
    assert bulk_hash(nodes) != bulk_hash(leaves)


def test_proofs_of_no_tree_are_none() -> None:
    assert bulk_hash_of_leaf(NO_ORDER, 0, ()) is None
    assert bulk_hash_of_leaf(NO_ORDER, 2, (NO_ORDER,)) is None
    assert bulk_hash_of_leaf(NO_ORDER, -1, (NO_ORDER,)) is None
    assert bulk_hash_of_leaf(NO_ORDER, 0, (NO_ORDER,) * (MAX_HEIGHT + 1)) is None
    for count in (0, MAX_LEAVES + 1):
        with pytest.raises(ValueError, match="a tree holds 1 to 512 orders"):
            bulk_hash([NO_ORDER] * count)
    with pytest.raises(ValueError, match="none is number"):
        leaf_proof([NO_ORDER], 1)


# THE CONTRACT


@pytest.fixture(scope="module")
def settlement(node: Node) -> Chain:
    return exchange_on(node)


@dataclass(frozen=True)
class Signed:
    leaves: list[bytes]
    signature: bytes


@pytest.fixture(scope="module")
def signed(settlement: Chain) -> Signed:
    domain = SigningDomain(settlement.node.chain_id(), settlement.settlement)
    signable = encode_typed_data(full_message=bulk_typed_data(orders(11), domain))
    return Signed(hashes_of(11), bytes(Account.sign_message(signable, ALICE.key).signature))


def on_chain(number: int) -> tuple[Any, ...]:
    each = order(number)
    return tuple(getattr(each, name) for name in ORDER_FIELDS)


@pytest.mark.parametrize("number", [0, 1, 6, 10])
def test_the_contract_recovers_who_signed_any_order_of_a_tree(
    settlement: Chain, signed: Signed, number: int
) -> None:
    proof = leaf_proof(signed.leaves, number)
    recovered = view(
        settlement, "recoverBulkOrderSigner", on_chain(number), number, proof, signed.signature
    )
    assert recovered == (ALICE.address,)
    for lie in ((number + 1, number, proof), (number, number ^ 1, proof)):
        other = view(
            settlement,
            "recoverBulkOrderSigner",
            on_chain(lie[0]),
            lie[1],
            lie[2],
            signed.signature,
        )
        assert other != (ALICE.address,)


@settings(max_examples=20, deadline=None)
@given(
    leaf=st.binary(min_size=32, max_size=32),
    proof=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=MAX_HEIGHT),
    data=st.data(),
)
def test_the_contract_hashes_any_proof_alike(
    settlement: Chain, leaf: bytes, proof: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, 2 ** len(proof) - 1))
    separator = domain_separator(settlement.node.chain_id(), settlement.settlement)
    root = bulk_hash_of_leaf(leaf, index, proof)
    assert root is not None
    digest = view(settlement, "bulkOrderDigest", leaf, index, proof)
    assert digest == (signing_digest(separator, root),)


def test_the_contract_refuses_proofs_of_no_tree(settlement: Chain) -> None:
    with pytest.raises(Reverted, match=r"WrongTreeHeight\(maximum 9, got 0\)"):
        view(settlement, "bulkOrderDigest", NO_ORDER, 0, [])
    with pytest.raises(Reverted, match=r"WrongTreeHeight\(maximum 9, got 10\)"):
        view(settlement, "bulkOrderDigest", NO_ORDER, 0, [NO_ORDER] * 10)
    with pytest.raises(Reverted, match=r"LeafOutsideTree\(leaves 4, got 4\)"):
        view(settlement, "bulkOrderDigest", NO_ORDER, 4, [NO_ORDER] * 2)
