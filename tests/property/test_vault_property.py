"""Whatever members do, in whatever order: the Vault's books against a model in twenty lines."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.devnet import DevAccount
from settlement.chain import Chain
from settlement.inbox import account_entry, chained, deposit_entry, key_entry
from settlement.node import Node, Reverted
from tests.local_chain import ALICE, BOB, CAROL, MANY_DOLLARS, exchange_on

pytest_plugins = ("tests.chain_fixtures",)

MEMBERS = (ALICE, BOB, CAROL)
WHO = st.sampled_from(MEMBERS)
ACCOUNT = st.integers(0, 4)
AMOUNT = st.one_of(st.integers(0, 1_000), st.sampled_from((MANY_DOLLARS, MANY_DOLLARS + 1)))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), WHO),
        st.tuples(st.just("deposit"), WHO, ACCOUNT, AMOUNT),
        st.tuples(st.just("register"), WHO, ACCOUNT, st.integers(0, 2**48 - 1)),
    ),
    max_size=14,
)


class Model:
    """Who owns which account, who has how much outside, and the inbox."""

    def __init__(self) -> None:
        self.owners: list[bytes] = []
        self.purses = {member.address: MANY_DOLLARS for member in MEMBERS}
        self.inbox: list[tuple[bytes, int]] = [(bytes(32), 0)]

    def enter(self, entry: bytes, deposited: int = 0) -> None:
        digest, total = self.inbox[-1]
        self.inbox.append((chained(digest, entry), total + deposited))

    def open(self, who: DevAccount) -> bool:
        self.enter(account_entry(len(self.owners), who.address))
        self.owners.append(who.address)
        return True

    def deposit(self, who: DevAccount, account: int, amount: int) -> bool:
        if account >= len(self.owners) or not 0 < amount <= self.purses[who.address]:
            return False
        self.purses[who.address] -= amount
        self.enter(deposit_entry(account, self.owners[account], 0, amount), amount)
        return True

    def register(self, who: DevAccount, account: int, until_s: int) -> bool:
        if account >= len(self.owners) or self.owners[account] != who.address:
            return False
        self.enter(key_entry(account, BOB.address, until_s))
        return True


def do(chain: Chain, step: tuple[Any, ...]) -> bool:
    """Whether the Vault let it through."""
    name, who, *rest = step
    try:
        if name == "open":
            chain.open_account(who.key)
        elif name == "deposit":
            chain.deposit(who.key, *rest)
        else:
            account, until_s = rest
            chain.register_key(who.key, account, BOB.address, until_s)
    except Reverted:
        return False
    return True


@settings(max_examples=12, deadline=None)
@given(steps=STEPS)
def test_the_vault_takes_what_the_model_takes_and_counts_as_it_counts(
    node: Node, steps: list[tuple[Any, ...]]
) -> None:
    chain, model = exchange_on(node), Model()
    # Every exchange has a token of its own, so everyone starts with the same purse.
    for name, *arguments in steps:
        assert do(chain, (name, *arguments)) == getattr(model, name)(*arguments)
    assert chain.inbox_count() == len(model.inbox) - 1
    assert [chain.inbox_at(count) for count in range(len(model.inbox))] == model.inbox
    assert [chain.owner_of(account) for account in range(chain.account_count())] == model.owners
    assert {m.address: chain.balance(m.address) for m in MEMBERS} == model.purses
    assert chain.balance(chain.vault) == model.inbox[-1][1]
    assert sum(model.purses.values()) + model.inbox[-1][1] == len(MEMBERS) * MANY_DOLLARS
