"""More tokens than the dollar: listed, deposited in whole micro-units, paid back."""

from collections.abc import Callable
from typing import Any

import pytest

from scripts.build_contracts import Artifact
from settlement.chain import Chain, deploy_mock_usdc
from settlement.contracts import call_data, load
from settlement.inbox import account_entry, chained, deposit_entry
from settlement.node import Node, Reverted
from tests.local_chain import (
    ALICE,
    BOB,
    CAROL,
    OPERATOR,
    Deployed,
    exchange_on,
    next_batch,
    post,
)
from tests.model import tree

pytest_plugins = ("tests.chain_fixtures", "tests.contracts_build")

UNIT = 10**12
ETHER = 10**6
"""Micro-units of one token."""
DEPOSIT_MAX = 2**63 - 1


def refusal(call: Callable[..., Any], *arguments: Any) -> tuple[str, tuple[Any, ...]]:
    with pytest.raises(Reverted) as caught:
        call(*arguments)
    return caught.value.revert.name, tuple(caught.value.revert.values.values())


@pytest.fixture
def wrapped(node: Node, compiled_contracts: dict[str, Artifact]) -> Deployed:
    """A token of 18 decimals, of which Alice has a thousand."""
    token = Deployed(node, compiled_contracts["EighteenDecimals"])
    token.send(ALICE.key, "mint", ALICE.address, 1_000 * ETHER * UNIT)
    return token


@pytest.fixture
def ether(chain: Chain, wrapped: Deployed) -> Chain:
    """An exchange on which that token is asset 1."""
    chain.list_asset(OPERATOR.key, 1, wrapped.address)
    return chain


def send(chain: Chain, function: str, *arguments: Any) -> tuple[str, tuple[Any, ...]]:
    return refusal(
        chain.node.send, ALICE.key, chain.vault, call_data(load("Vault"), function, *arguments)
    )


# LISTING


def test_only_the_operator_lists_and_only_the_next_number(chain: Chain, wrapped: Deployed) -> None:
    got = refusal(chain.list_asset, ALICE.key, 1, wrapped.address)
    assert got == ("NotOperator", (OPERATOR.address, ALICE.address))
    for number in (0, 2, 255):
        got = refusal(chain.list_asset, OPERATOR.key, number, wrapped.address)
        assert got == ("WrongAssetNumber", (1, number))
    chain.list_asset(OPERATOR.key, 1, wrapped.address)
    assert (chain.asset_count(), chain.token(1), chain.unit(1)) == (2, wrapped.address, UNIT)


def test_what_is_listed_is_never_changed_or_listed_again(ether: Chain, wrapped: Deployed) -> None:
    dollar, other = ether.token(0), deploy_mock_usdc(ether.node, OPERATOR.key)
    assert refusal(ether.list_asset, OPERATOR.key, 1, other) == ("WrongAssetNumber", (2, 1))
    for token in (dollar, wrapped.address, bytes(20)):
        assert refusal(ether.list_asset, OPERATOR.key, 2, token) == ("TokenRefused", (token,))
    ether.list_asset(OPERATOR.key, 2, other)
    assert [ether.token(n) for n in range(3)] == [dollar, wrapped.address, other]
    assert [ether.unit(n) for n in range(3)] == [1, UNIT, 1]


@pytest.mark.parametrize(("decimals", "bound"), [(0, 6), (5, 6), (19, 18), (255, 18)])
def test_a_token_of_too_few_or_too_many_decimals_is_no_asset(
    chain: Chain, compiled_contracts: dict[str, Artifact], decimals: int, bound: int
) -> None:
    token = Deployed(chain.node, compiled_contracts["OddDecimals"], decimals)
    got = refusal(chain.list_asset, OPERATOR.key, 1, token.address)
    assert got == ("WrongDecimals", (bound, decimals))
    assert refusal(exchange_on, chain.node, (chain.token(0), token.address)) == got


# DEPOSITS


def test_a_deposit_counts_in_micro_units_and_adds_nothing_to_the_dollars(
    ether: Chain, wrapped: Deployed
) -> None:
    entry = ether.open_and_deposit(ALICE.key, 3 * ETHER, asset=1)
    assert (entry.asset, entry.amount) == (1, 3 * ETHER)
    assert ether.balance(ether.vault, 1) == 3 * ETHER * UNIT
    digest = chained(bytes(32), account_entry(0, ALICE.address))
    assert ether.inbox_at(2) == (chained(digest, deposit_entry(0, ALICE.address, 1, 3 * ETHER)), 0)
    assert wrapped.call("balanceOf", ALICE.address) == 997 * ETHER * UNIT


def test_less_than_a_micro_unit_is_not_taken(ether: Chain, wrapped: Deployed) -> None:
    ether.open_account(ALICE.key)
    wrapped.send(ALICE.key, "approve", ether.vault, 2**255)
    token = wrapped.address
    for amount in (1, UNIT - 1, UNIT + 1, 5 * ETHER * UNIT - 1):
        assert send(ether, "deposit", 0, token, amount) == ("NotWholeMicroUnits", (UNIT, amount))
    most = DEPOSIT_MAX * UNIT
    for amount in (0, most + UNIT, 2**256 - 1):
        assert send(ether, "deposit", 0, token, amount) == ("AmountOutOfRange", (most, amount))
    assert ether.inbox_count() == 1
    assert ether.balance(ether.vault, 1) == 0


def test_the_largest_deposit_fits_and_dollars_are_untouched_by_it(
    ether: Chain, wrapped: Deployed
) -> None:
    wrapped.send(ALICE.key, "mint", ALICE.address, 2 * DEPOSIT_MAX * UNIT)
    ether.open_and_deposit(ALICE.key, DEPOSIT_MAX, asset=1)
    ether.deposit(ALICE.key, 0, DEPOSIT_MAX, asset=1)
    entry = ether.deposit(ALICE.key, 0, 2, asset=1)  # no sum is kept that could run over
    assert (entry.amount, ether.inbox_at(4)[1]) == (2, 0)


def test_a_listed_token_that_keeps_a_fee_or_lies_credits_what_arrives(
    chain: Chain, compiled_contracts: dict[str, Artifact]
) -> None:
    fee, silent = (
        Deployed(chain.node, compiled_contracts[name], *arguments)
        for name, arguments in (("FeeToken", ()), ("SilentToken", (True,)))
    )
    chain.list_asset(OPERATOR.key, 1, fee.address)
    chain.list_asset(OPERATOR.key, 2, silent.address)
    fee.send(ALICE.key, "mint", ALICE.address, 1_000)
    assert chain.open_and_deposit(ALICE.key, 1_000, asset=1).amount == 990
    assert refusal(chain.deposit, ALICE.key, 0, 7, 2) == ("AmountOutOfRange", (7, 0))


def test_a_listed_token_that_calls_back_cannot_deposit_another_twice(
    chain: Chain, compiled_contracts: dict[str, Artifact]
) -> None:
    token = Deployed(chain.node, compiled_contracts["ReentrantToken"])
    chain.list_asset(OPERATOR.key, 1, token.address)
    token.send(ALICE.key, "mint", ALICE.address, 1_000)
    chain.open_and_deposit(ALICE.key, 100)
    again = call_data(load("Vault"), "deposit", 0, chain.token(0), 100)
    token.send(ALICE.key, "attack", chain.vault, again)
    got = refusal(chain.deposit, ALICE.key, 0, 100, 1)
    assert got[0] == "ReentrancyGuardReentrantCall"


# CLAIMS


def leaf(account: int, owner: bytes, asset: int, amount: int) -> bytes:
    head = account.to_bytes(4, "big") + owner + asset.to_bytes(1, "big")
    return head + amount.to_bytes(8, "big")


def test_a_claim_pays_the_asset_of_the_leaf_in_its_own_unit(
    ether: Chain, wrapped: Deployed
) -> None:
    ether.open_and_deposit(ALICE.key, 500)
    ether.deposit(ALICE.key, 0, 3 * ETHER, asset=1)
    leaves = {0: leaf(0, ALICE.address, 1, 2 * ETHER), 1: leaf(0, ALICE.address, 0, 20)}
    post(ether, next_batch(ether, withdrawal_root=tree.root(leaves), withdrawn=20))
    dollars, before = ether.balance(ALICE.address), wrapped.call("balanceOf", ALICE.address)
    path = list(tree.proof(leaves, 0)[0])
    as_dollars = (1, 0, 0, ALICE.address, 0, 2 * ETHER, path)
    assert refusal(ether.claim, CAROL.key, *as_dollars)[0] == "WrongWithdrawalProof"
    claim = (1, 0, 0, ALICE.address, 1, 2 * ETHER, path)
    ether.claim(CAROL.key, *claim)
    assert wrapped.call("balanceOf", ALICE.address) - before == 2 * ETHER * UNIT
    assert ether.balance(ALICE.address) == dollars
    assert refusal(ether.claim, CAROL.key, *claim) == ("AlreadyClaimed", (0,))
    (paid,) = ether.claims(0, 0).items
    assert (paid.asset, paid.amount) == (1, 2 * ETHER)
    ether.claim(BOB.key, 1, 1, 0, ALICE.address, 0, 20, list(tree.proof(leaves, 1)[0]))
    assert ether.balance(ALICE.address) == dollars + 20


def test_a_claim_of_an_asset_that_is_not_listed_pays_nothing(ether: Chain) -> None:
    """No engine writes such a leaf; an operator who posts one moves nobody's tokens."""
    ether.open_and_deposit(ALICE.key, 500)
    leaves = {0: leaf(0, ALICE.address, 9, 1)}
    post(ether, next_batch(ether, withdrawal_root=tree.root(leaves)))
    assert refusal(ether.claim, ALICE.key, 1, 0, 0, ALICE.address, 9, 1, [])[0] == "Panic"
    assert not ether.is_claimed(0)
