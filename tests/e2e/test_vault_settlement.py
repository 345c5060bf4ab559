"""Vault and Settlement on a real chain: what they let through, and every reason to refuse."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from scripts.build_contracts import Artifact
from settlement.batch import CHUNK_BYTES, MAX_CHUNKS, Batch, Header
from settlement.chain import (
    ACCOUNT_OPENED,
    DEPOSITED,
    Chain,
    InboxEntry,
    deploy_mock_usdc,
    mint_mock_usdc,
)
from settlement.contracts import call_data, load
from settlement.inbox import account_entry, chained, deposit_entry, key_entry
from settlement.keccak import keccak256
from settlement.node import Node, Reverted, created_address
from tests.local_chain import (
    ALICE,
    BOB,
    CAROL,
    GENESIS_ROOT,
    NOBODY,
    OPERATOR,
    TOLERANCE_S,
    Deployed,
    exchange_on,
    next_batch,
    post,
    view,
)
from tests.model import tree

pytest_plugins = ("tests.chain_fixtures", "tests.contracts_build")

DOLLAR = 1_000_000
DEPOSIT_MAX = 2**63 - 1
MAX_AGE_S = 30 * 86_400


def refusal(call: Callable[..., Any], *arguments: Any) -> tuple[str, tuple[Any, ...]]:
    """Name and values of the error with which a contract refuses."""
    with pytest.raises(Reverted) as caught:
        call(*arguments)
    return caught.value.revert.name, tuple(caught.value.revert.values.values())


# ACCOUNTS AND THE INBOX


def test_accounts_are_numbered_from_zero_and_one_owner_may_have_several(chain: Chain) -> None:
    assert [chain.open_account(who.key) for who in (ALICE, BOB, ALICE)] == [0, 1, 2]
    assert chain.account_count() == 3
    assert [chain.owner_of(n) for n in range(4)] == [
        ALICE.address,
        BOB.address,
        ALICE.address,
        bytes(20),
    ]


def test_every_entry_is_numbered_summed_and_chained_as_the_protocol_says(chain: Chain) -> None:
    chain.open_account(ALICE.key)
    chain.deposit(ALICE.key, 0, 5 * DOLLAR)
    chain.register_key(ALICE.key, 0, CAROL.address, 2**48 - 1)
    chain.open_and_deposit(BOB.key, 7 * DOLLAR)
    chain.deposit(BOB.key, 0, 1)  # Bob pays, Alice's account gets it
    packed = [
        account_entry(0, ALICE.address),
        deposit_entry(0, ALICE.address, 0, 5 * DOLLAR),
        key_entry(0, CAROL.address, 2**48 - 1),
        account_entry(1, BOB.address),
        deposit_entry(1, BOB.address, 0, 7 * DOLLAR),
        deposit_entry(0, ALICE.address, 0, 1),
    ]
    sums = [0, 0, 5 * DOLLAR, 5 * DOLLAR, 5 * DOLLAR, 12 * DOLLAR, 12 * DOLLAR + 1]
    digest = bytes(32)
    assert chain.inbox_count() == len(packed)
    for count, deposited in enumerate(sums):
        assert chain.inbox_at(count) == (digest, deposited)
        if count < len(packed):
            digest = chained(digest, packed[count])

    read = chain.inbox(0, 0, 0).items
    assert [entry.inbox_index for entry in read] == list(range(6))
    assert [repacked(entry) for entry in read] == packed


def repacked(entry: InboxEntry) -> bytes:
    """The 40 bytes of an entry, from what the events said of it."""
    if entry.kind == ACCOUNT_OPENED:
        return account_entry(entry.account, entry.subject)
    if entry.kind == DEPOSITED:
        return deposit_entry(entry.account, entry.subject, entry.asset, entry.amount)
    return key_entry(entry.account, entry.subject, entry.valid_until_s)


def test_an_index_beyond_the_inbox_is_refused(chain: Chain) -> None:
    chain.open_account(ALICE.key)
    assert refusal(chain.inbox_at, 2) == ("UnknownInboxEntry", (1, 2))


def test_only_the_owner_registers_a_key(chain: Chain) -> None:
    chain.open_account(ALICE.key)
    got = refusal(chain.register_key, BOB.key, 0, CAROL.address, 1)
    assert got == ("NotOwner", (ALICE.address, BOB.address))
    assert refusal(chain.register_key, ALICE.key, 1, CAROL.address, 1) == ("UnknownAccount", (1, 1))
    assert refusal(chain.register_key, ALICE.key, 0, bytes(20), 1) == ("ZeroKey", (0,))
    chain.register_key(ALICE.key, 0, CAROL.address, 0)  # a time in the past takes the right back


# DEPOSITS


def test_a_deposit_moves_tokens_and_counts(chain: Chain) -> None:
    before = chain.balance(ALICE.address)
    entry = chain.open_and_deposit(ALICE.key, 250 * DOLLAR)
    assert (entry.account, entry.asset, entry.amount) == (0, 0, 250 * DOLLAR)
    assert chain.balance(ALICE.address) == before - 250 * DOLLAR
    assert chain.balance(chain.vault) == 250 * DOLLAR


def test_a_deposit_that_names_no_account_no_amount_or_a_foreign_token_is_refused(
    chain: Chain, node: Node
) -> None:
    chain.open_account(ALICE.key)
    token = chain.token(0)
    foreign = deploy_mock_usdc(node, OPERATOR.key)
    vault = load("Vault")

    def deposit(*arguments: Any) -> tuple[str, tuple[Any, ...]]:
        return refusal(node.send, ALICE.key, chain.vault, call_data(vault, "deposit", *arguments))

    assert deposit(1, token, 1) == ("UnknownAccount", (1, 1))
    assert deposit(0, foreign, 1) == ("UnsupportedToken", (foreign,))
    assert deposit(0, bytes(20), 1) == ("UnsupportedToken", (bytes(20),))
    assert deposit(0, token, 0) == ("AmountOutOfRange", (DEPOSIT_MAX, 0))
    assert deposit(0, token, 2**63) == ("AmountOutOfRange", (DEPOSIT_MAX, 2**63))
    assert deposit(0, token, 1)[0] == "ERC20InsufficientAllowance"
    assert refusal(chain.deposit, NOBODY.key, 0, 1)[0] == "ERC20InsufficientBalance"
    assert chain.inbox_count() == 1


def test_deposits_beyond_eight_bytes_in_sum_are_refused(chain: Chain) -> None:
    mint_mock_usdc(chain.node, ALICE.key, chain.token(0), ALICE.address, 2**64)
    chain.open_and_deposit(ALICE.key, DEPOSIT_MAX)
    chain.deposit(ALICE.key, 0, DEPOSIT_MAX)
    assert refusal(chain.deposit, ALICE.key, 0, 2) == ("Panic", (0x11,))
    assert chain.inbox_at(3)[1] == 2 * DEPOSIT_MAX


def test_of_a_token_that_keeps_a_fee_what_arrives_is_credited(
    node: Node, compiled_contracts: dict[str, Artifact]
) -> None:
    token = Deployed(node, compiled_contracts["FeeToken"])
    chain = exchange_on(node, (token.address,))
    token.send(ALICE.key, "mint", ALICE.address, 1_000 * DOLLAR)
    entry = chain.open_and_deposit(ALICE.key, 1_000 * DOLLAR)
    assert entry.amount == 990 * DOLLAR
    assert chain.inbox_at(2)[1] == 990 * DOLLAR == chain.balance(chain.vault)


@pytest.mark.parametrize("percent", [0, 101])
def test_of_a_token_that_delivers_nothing_or_too_much_nothing_is_credited(
    node: Node, compiled_contracts: dict[str, Artifact], percent: int
) -> None:
    token = Deployed(node, compiled_contracts["FeeToken"])
    chain = exchange_on(node, (token.address,))
    token.send(ALICE.key, "mint", ALICE.address, 100)
    token.send(ALICE.key, "setPercentThatArrives", percent)
    assert refusal(chain.open_and_deposit, ALICE.key, 100) == ("AmountOutOfRange", (100, percent))
    assert chain.account_count() == 0


@pytest.mark.parametrize(
    ("answer", "error"), [(True, "AmountOutOfRange"), (False, "SafeERC20FailedOperation")]
)
def test_a_token_that_moves_nothing_credits_nothing_whatever_it_answers(
    node: Node, compiled_contracts: dict[str, Artifact], answer: bool, error: str
) -> None:
    token = Deployed(node, compiled_contracts["SilentToken"], answer)
    chain = exchange_on(node, (token.address,))
    assert refusal(chain.open_and_deposit, ALICE.key, 100)[0] == error


def test_a_token_that_calls_back_during_a_deposit_cannot_deposit_twice(
    node: Node, compiled_contracts: dict[str, Artifact]
) -> None:
    token = Deployed(node, compiled_contracts["ReentrantToken"])
    chain = exchange_on(node, (token.address,))
    token.send(ALICE.key, "mint", ALICE.address, 1_000)
    chain.open_and_deposit(ALICE.key, 100)
    again = call_data(load("Vault"), "deposit", 0, token.address, 100)
    token.send(ALICE.key, "attack", chain.vault, again)
    assert refusal(chain.deposit, ALICE.key, 0, 100)[0] == "ReentrancyGuardReentrantCall"
    assert chain.inbox_at(2)[1] == 100 == chain.balance(chain.vault)


def test_a_token_that_opens_an_account_during_a_deposit_only_enters_first(
    node: Node, compiled_contracts: dict[str, Artifact]
) -> None:
    """What is not guarded is harmless: the chain of entries has no hole and no fork."""
    token = Deployed(node, compiled_contracts["ReentrantToken"])
    chain = exchange_on(node, (token.address,))
    token.send(ALICE.key, "mint", ALICE.address, 1_000)
    token.send(ALICE.key, "attack", chain.vault, call_data(load("Vault"), "openAccount"))
    chain.open_and_deposit(ALICE.key, 100)
    digest = chained(bytes(32), account_entry(0, ALICE.address))
    digest = chained(digest, account_entry(1, token.address))
    digest = chained(digest, deposit_entry(0, ALICE.address, 0, 100))
    assert chain.inbox_at(3) == (digest, 100)


def test_a_second_asset_has_a_number_of_its_own_and_adds_nothing_to_the_dollars(
    node: Node,
) -> None:
    dollars, other = (deploy_mock_usdc(node, OPERATOR.key) for _ in range(2))
    chain = exchange_on(node, (dollars, other))
    mint_mock_usdc(node, ALICE.key, other, ALICE.address, 500)
    entry = chain.open_and_deposit(ALICE.key, 500, asset=1)
    assert (entry.asset, entry.amount) == (1, 500)
    assert chain.inbox_at(2)[1] == 0


# DEPLOYMENT


def test_the_settlement_stands_where_it_was_predicted(chain: Chain, node: Node) -> None:
    """Otherwise the genesis root, which binds the address, could not be given to it."""
    nonce = node.nonce(OPERATOR.address) - 1
    assert chain.settlement == created_address(OPERATOR.address, nonce)
    assert chain.current_root() == chain.state_root(0) == GENESIS_ROOT
    assert view(chain, "operator") == (OPERATOR.address,)
    assert view(chain, "timeToleranceSeconds") == (TOLERANCE_S,)


def test_a_deployment_without_a_dollar_an_operator_or_with_a_token_twice_is_refused(
    node: Node, compiled_contracts: dict[str, Artifact]
) -> None:
    token = deploy_mock_usdc(node, OPERATOR.key)
    assert refusal(exchange_on, node, ()) == ("WrongTokenCount", (256, 0))
    assert refusal(exchange_on, node, (token, token)) == ("TokenRefused", (token,))
    assert refusal(exchange_on, node, (token, bytes(20))) == ("TokenRefused", (bytes(20),))
    assert refusal(exchange_on, node, (token,), 0, bytes(20)) == ("ZeroOperator", ())
    no_dollar = Deployed(node, compiled_contracts["EighteenDecimals"])
    assert refusal(exchange_on, node, (no_dollar.address,)) == ("WrongDecimals", (6, 18))


def test_the_signing_domain_is_the_protocols(chain: Chain, node: Node) -> None:
    fields, name, version, chain_id, contract, salt, extensions = view(chain, "eip712Domain")
    assert fields == b"\x0f", "name, version, chain and contract; no salt"
    assert (name, version) == ("Straddle", "1")
    assert (chain_id, contract) == (node.chain_id(), chain.settlement)
    assert (salt, extensions) == (bytes(32), ())


# BATCHES


def test_a_batch_moves_the_root_and_is_bound_by_its_commitment(chain: Chain) -> None:
    chain.open_and_deposit(ALICE.key, 100 * DOLLAR)
    first = next_batch(chain, chunks=3)
    receipt = post(chain, first)
    second = next_batch(chain, root=b"\x02" * 32)
    post(chain, second)
    assert chain.batch_count() == 2
    assert chain.current_root() == second.header.new_root == chain.state_root(2)
    assert chain.state_root(1) == first.header.new_root == second.header.previous_root
    assert chain.state_root(0) == GENESIS_ROOT
    assert view(chain, "postedAt", 1) == (chain.node.block_time_s(receipt.block),)
    words = b"".join(
        field if isinstance(field, bytes) else field.to_bytes(32, "big") for field in first.header
    )
    digests = keccak256(first.records) + keccak256(b"".join(first.chunk_roots))
    assert chain.commitment(1) == keccak256(words + digests)


def test_the_largest_batch_goes_through(chain: Chain) -> None:
    batch = next_batch(chain, chunks=MAX_CHUNKS)
    post(chain, batch)
    assert chain.batches(0, 0).items[0].batch == batch


def test_only_the_operator_posts(chain: Chain) -> None:
    got = refusal(post, chain, next_batch(chain), ALICE)
    assert got == ("NotOperator", (OPERATOR.address, ALICE.address))


def test_what_was_never_posted_cannot_be_asked_for(chain: Chain) -> None:
    for getter in ("stateRoot", "withdrawalRoot", "commitment", "postedAt", "inboxCursor"):
        assert refusal(view, chain, getter, 1) == ("UnknownBatch", (0, 1))


class Refused(NamedTuple):
    """A batch that contradicts something, and the error that says so."""

    batch: Batch
    error: str
    values: tuple[Any, ...]


Change = Callable[[Chain, Batch], Refused]


def header_change(
    error: str,
    values: Callable[[Chain, Header], tuple[Any, ...]],
    **fields: int | bytes | Callable[[int], int],
) -> Change:
    """Other header fields: values, or functions of the lawful value. `values` are the error's, of
    the lawful header.
    """

    def change(chain: Chain, lawful: Batch) -> Refused:
        given = {
            name: value(getattr(lawful.header, name)) if callable(value) else value
            for name, value in fields.items()
        }
        changed = lawful._replace(header=lawful.header._replace(**given))
        return Refused(changed, error, values(chain, lawful.header))

    return change


def records_change(length: int) -> Change:
    def change(_: Chain, lawful: Batch) -> Refused:
        changed = lawful._replace(records=bytes(length))
        return Refused(changed, "WrongRecordsLength", (len(lawful.records), length))

    return change


def roots_change(count: int) -> Change:
    def change(_: Chain, lawful: Batch) -> Refused:
        roots = (lawful.header.new_root,) * count
        changed = lawful._replace(chunk_roots=roots, records=bytes(CHUNK_BYTES * count))
        return Refused(changed, "WrongChunkCount", (MAX_CHUNKS, count))

    return change


OTHER = b"\xee" * 32
REFUSED: dict[str, Change] = {
    "a number again": header_change("WrongBatchNumber", lambda _, was: (2, 1), number=1),
    "a number left out": header_change("WrongBatchNumber", lambda _, was: (2, 3), number=3),
    "another root before": header_change(
        "WrongPreviousRoot", lambda _, was: (was.previous_root, OTHER), previous_root=OTHER
    ),
    "another root after its last chunk": header_change(
        "WrongLastChunkRoot", lambda _, was: (OTHER, was.new_root), new_root=OTHER
    ),
    "an inbox cursor that goes back": header_change(
        "InboxCursorFell", lambda _, was: (2, 1), inbox_cursor=1
    ),
    "an inbox cursor beyond what entered": header_change(
        "InboxCursorAhead", lambda _, was: (4, 5), inbox_cursor=5
    ),
    "an inbox cursor with the hash of another": header_change(
        "WrongInboxHash",
        lambda chain, was: (chain.inbox_at(3)[0], was.inbox_hash),
        inbox_cursor=3,
    ),
    "another inbox hash": header_change(
        "WrongInboxHash", lambda _, was: (was.inbox_hash, OTHER), inbox_hash=OTHER
    ),
    "one more credited than deposited": header_change(
        "WrongCredited",
        lambda _, was: (was.credited, was.credited + 1),
        credited=lambda n: n + 1,
        liabilities=lambda n: n + 1,
    ),
    "one less credited than deposited": header_change(
        "WrongCredited",
        lambda _, was: (was.credited, was.credited - 1),
        credited=lambda n: n - 1,
        liabilities=lambda n: n - 1,
    ),
    "withdrawals undone": header_change(
        "WithdrawnFell",
        lambda _, was: (40, 39),
        withdrawn=39,
        liabilities=lambda n: n + 1,
    ),
    "one more owed than there is": header_change(
        "NotConserved",
        lambda _, was: (was.credited, was.credited + 1),
        liabilities=lambda n: n + 1,
    ),
    "one withdrawn from nowhere": header_change(
        "NotConserved",
        lambda _, was: (was.credited, was.credited + 1),
        withdrawn=lambda n: n + 1,
    ),
    "sums that only agree when they overflow": header_change(
        "NotConserved",
        lambda _, was: (was.credited, 2**128 + was.credited),
        withdrawn=2**128 - 1,
        liabilities=lambda n: n + 41,
    ),
    "a journal that shrank": header_change(
        "JournalSequenceFell", lambda _, was: (100, 99), journal_sequence=99
    ),
    "time that goes back": header_change(
        "TimeFell", lambda _, was: (was.time_s, was.time_s - 1), time_s=lambda n: n - 1
    ),
    "no chunk": roots_change(0),
    "a chunk too many": roots_change(MAX_CHUNKS + 1),
    "a byte too few": records_change(CHUNK_BYTES - 1),
    "a byte too many": records_change(CHUNK_BYTES + 1),
    "no records": records_change(0),
    "records of a second chunk": records_change(2 * CHUNK_BYTES),
}


@pytest.fixture
def posted_once(chain: Chain) -> Chain:
    """One batch is posted that took two entries in and let 40 out; two entries have come since."""
    chain.open_and_deposit(ALICE.key, 1_000)
    post(chain, next_batch(chain, withdrawn=40))
    chain.open_and_deposit(BOB.key, 500)
    return chain


@pytest.mark.parametrize("name", REFUSED)
def test_a_batch_is_refused_that_has(posted_once: Chain, name: str) -> None:
    chain = posted_once
    lawful = next_batch(chain, withdrawn=40, root=b"\x02" * 32)
    # At the time of the batch before, so that a second less is a second back.
    time_s = view(chain, "timeSeconds", 1)[0]
    lawful = lawful._replace(header=lawful.header._replace(time_s=time_s))
    wrong = REFUSED[name](chain, lawful)
    assert refusal(post, chain, wrong.batch) == (wrong.error, wrong.values)
    post(chain, lawful)  # nothing but the change was wrong with it


@pytest.mark.parametrize(
    ("off", "bound"), [(-MAX_AGE_S - 1, MAX_AGE_S), (TOLERANCE_S + 1, TOLERANCE_S)]
)
def test_a_batch_is_refused_whose_time_is_far_from_the_blocks(
    chain: Chain, off: int, bound: int
) -> None:
    """One second less is near enough; the next block's time is set, so that this is exact."""
    lawful = next_batch(chain)
    block_time_s = chain.node.head().time_s + 10
    for more_s, is_taken in ((0, False), (-1 if off > 0 else 1, True)):
        time_s = block_time_s + off + more_s
        batch = lawful._replace(header=lawful.header._replace(time_s=time_s))
        chain.node.request("evm_setNextBlockTimestamp", hex(block_time_s))
        if is_taken:
            post(chain, batch)
        else:
            assert refusal(post, chain, batch) == (
                "TimeTooFar",
                (block_time_s, time_s, bound),
            )


def test_a_batch_may_leave_entries_for_the_next_one(chain: Chain) -> None:
    chain.open_and_deposit(ALICE.key, 1_000)
    chain.open_and_deposit(BOB.key, 500)
    inbox_hash, credited = chain.inbox_at(3)
    lawful = next_batch(chain)
    header = lawful.header._replace(
        inbox_cursor=3, inbox_hash=inbox_hash, credited=credited, liabilities=credited
    )
    post(chain, lawful._replace(header=header))
    assert view(chain, "inboxCursor", 1) == (3,)
    post(chain, next_batch(chain))
    assert view(chain, "inboxCursor", 2) == (4,)


# CLAIMS


def withdrawal(account: int, owner: bytes, asset: int, amount: int) -> bytes:
    """Payload of a withdrawal leaf."""
    packed = account.to_bytes(4, "big") + owner + asset.to_bytes(1, "big")
    return packed + amount.to_bytes(8, "big")


NO_SIBLINGS: list[bytes] = []
"""The path of a tree's only leaf."""
LEAVES = {
    0: withdrawal(0, ALICE.address, 0, 300),
    1: withdrawal(1, BOB.address, 0, 20),
    2: withdrawal(0, ALICE.address, 0, 7),
    3: withdrawal(0, ALICE.address, 0, 300),
    9: withdrawal(1, BOB.address, 0, 1),
}


def path_of(leaves: dict[int, bytes], number: int) -> list[bytes]:
    return list(tree.proof(leaves, number)[0])


def with_withdrawals(chain: Chain, leaves: dict[int, bytes]) -> int:
    """Deposits 1,000 and posts a batch with withdrawals; its number."""
    chain.open_and_deposit(ALICE.key, 1_000)
    post(chain, next_batch(chain, withdrawal_root=tree.root(leaves), withdrawn=628))
    return chain.batch_count()


def test_a_deposit_comes_back_through_a_batch_to_its_owner_once(chain: Chain) -> None:
    before = chain.balance(ALICE.address)
    batch = with_withdrawals(chain, LEAVES)
    assert chain.balance(ALICE.address) == before - 1_000
    # Carol calls, Alice is paid.
    leaf = (0, 0, ALICE.address, 0, 300, path_of(LEAVES, 0))
    chain.claim(CAROL.key, batch, *leaf)
    assert chain.balance(ALICE.address) == before - 700
    assert chain.balance(chain.vault) == 700
    assert (chain.is_claimed(0), chain.is_claimed(3)) == (True, False)
    (claim,) = chain.claims(0, 0).items
    assert claim[:5] == (0, 0, ALICE.address, 0, 300)
    assert refusal(chain.claim, CAROL.key, batch, *leaf) == ("AlreadyClaimed", (0,))
    # The same amount for the same owner under another number is another withdrawal.
    chain.claim(CAROL.key, batch, 3, 0, ALICE.address, 0, 300, path_of(LEAVES, 3))
    assert chain.balance(ALICE.address) == before - 400


def test_a_withdrawal_that_a_later_batch_still_proves_is_not_paid_again(chain: Chain) -> None:
    with_withdrawals(chain, LEAVES)
    chain.claim(CAROL.key, 1, 1, 1, BOB.address, 0, 20, path_of(LEAVES, 1))
    more = {**LEAVES, 10: withdrawal(0, ALICE.address, 0, 2)}
    post(chain, next_batch(chain, withdrawal_root=tree.root(more), withdrawn=630))
    again = (2, 1, 1, BOB.address, 0, 20, path_of(more, 1))
    assert refusal(chain.claim, CAROL.key, *again) == ("AlreadyClaimed", (1,))
    chain.claim(CAROL.key, 2, 10, 0, ALICE.address, 0, 2, path_of(more, 10))


@pytest.mark.parametrize(
    "lie",
    [
        {"number": 4},
        {"number": 3},
        {"account": 1},
        {"owner": CAROL.address},
        {"asset": 1},
        {"amount": 301},
        {"amount": 299},
        {"siblings": path_of(LEAVES, 1)},
        {"siblings": path_of(LEAVES, 0)[:-1]},
        {"siblings": [bytes(32), *path_of(LEAVES, 0)]},
        {"siblings": list(reversed(path_of(LEAVES, 0)))},
        {"siblings": []},
    ],
    ids="-".join,
)
def test_a_claim_with_anything_else_than_the_leaf_is_refused(
    chain: Chain, lie: dict[str, Any]
) -> None:
    batch = with_withdrawals(chain, LEAVES)
    honest: dict[str, Any] = {
        "batch": batch,
        "number": 0,
        "account": 0,
        "owner": ALICE.address,
        "asset": 0,
        "amount": 300,
        "siblings": path_of(LEAVES, 0),
    }
    name, (expected, _) = refusal(lambda: chain.claim(CAROL.key, **{**honest, **lie}))
    assert (name, expected) == ("WrongWithdrawalProof", tree.root(LEAVES))
    chain.claim(CAROL.key, **honest)


def test_a_path_longer_than_a_key_is_refused(chain: Chain) -> None:
    batch = with_withdrawals(chain, LEAVES)
    leaf = (0, 0, ALICE.address, 0, 300, [bytes(32)] * 33)
    assert refusal(chain.claim, CAROL.key, batch, *leaf) == ("PathTooLong", (32, 33))


def test_a_claim_against_a_batch_that_is_not_there_or_the_genesis_is_refused(chain: Chain) -> None:
    leaf = (0, 0, ALICE.address, 0, 300, NO_SIBLINGS)
    assert refusal(chain.claim, CAROL.key, 1, *leaf) == ("UnknownBatch", (0, 1))
    name, (expected, _) = refusal(chain.claim, CAROL.key, 0, *leaf)
    assert (name, expected) == ("WrongWithdrawalProof", bytes(32))


def test_a_claim_waits_for_the_challenge_window_to_the_second(node: Node) -> None:
    window_s = 3_600
    token = deploy_mock_usdc(node, OPERATOR.key)
    mint_mock_usdc(node, ALICE.key, token, ALICE.address, 1_000)
    chain = exchange_on(node, (token,), window_s)
    batch = with_withdrawals(chain, {0: LEAVES[0]})
    at_s = chain.claimable_at_s(batch)
    assert at_s == node.head().time_s + window_s
    leaf = (0, 0, ALICE.address, 0, 300, NO_SIBLINGS)
    node.request("evm_setNextBlockTimestamp", hex(at_s - 1))
    got = refusal(chain.claim, CAROL.key, batch, *leaf)
    assert got == ("ChallengeWindowOpen", (at_s, at_s - 1))
    node.request("evm_setNextBlockTimestamp", hex(at_s))
    chain.claim(CAROL.key, batch, *leaf)
    assert chain.is_claimed(0)


def test_a_token_that_calls_back_during_a_claim_cannot_claim_twice(
    node: Node, compiled_contracts: dict[str, Artifact]
) -> None:
    token = Deployed(node, compiled_contracts["ReentrantToken"])
    chain = exchange_on(node, (token.address,))
    token.send(ALICE.key, "mint", ALICE.address, 2_000)
    batch = with_withdrawals(chain, LEAVES)
    leaf = (batch, 3, 0, ALICE.address, 0, 300, path_of(LEAVES, 3))
    token.send(ALICE.key, "attack", chain.vault, call_data(load("Vault"), "claim", *leaf))
    first = (batch, 0, 0, ALICE.address, 0, 300, path_of(LEAVES, 0))
    assert refusal(chain.claim, CAROL.key, *first)[0] == "ReentrancyGuardReentrantCall"
    assert chain.balance(chain.vault) == 1_000


def test_the_vault_pays_no_more_than_it_has(chain: Chain) -> None:
    """An operator who posts a withdrawal of what was never deposited does not get it from air."""
    chain.open_and_deposit(ALICE.key, 1_000)
    leaves = {0: withdrawal(0, BOB.address, 0, 1_001)}
    post(chain, next_batch(chain, withdrawal_root=tree.root(leaves), withdrawn=1_000))
    got = refusal(chain.claim, BOB.key, 1, 0, 0, BOB.address, 0, 1_001, NO_SIBLINGS)
    assert got[0] == "ERC20InsufficientBalance"
    assert not chain.is_claimed(0)


def test_withdrawals_beyond_one_word_of_the_paid_list_are_told_apart(chain: Chain) -> None:
    leaves = {n: withdrawal(0, ALICE.address, 0, 1) for n in (255, 256, 511, 2**32 - 1)}
    batch = with_withdrawals(chain, leaves)
    for number in leaves:
        assert not chain.is_claimed(number)
        path = path_of(leaves, number)
        chain.claim(CAROL.key, batch, number, 0, ALICE.address, 0, 1, path)
        assert chain.is_claimed(number)
    assert not chain.is_claimed(0)
