"""The exchange's contracts as typed operations: deploy, deposit, post, claim, and read back.

Holds: addresses, keys and hashes are bytes; an asset's amounts are micro-units, micro-USDC for
asset 0; only `balance` and allowances are in the token's smallest unit. What is read is at least
`confirmations` blocks deep and without a gap: where the node left something out,
`ChainUnavailable`. Posting a batch twice posts it once.
Never: knows what a batch means (`settlement/ledger.py` does), keeps state, or keeps a key.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from settlement.batch import Batch, Header, commitment
from settlement.contracts import (
    Values,
    arguments_of,
    call_data,
    creation_code,
    event_values,
    load,
    results_of,
)
from settlement.node import (
    BLOCKS_PER_LOG_REQUEST,
    ChainUnavailable,
    Log,
    Node,
    Receipt,
    address_of,
    created_address,
)

USDC: Final = 0
ERC20: Final = "MockUSDC"
"""Whose ABI is used for every token: it has ERC-20's."""
ACCOUNT_OPENED: Final = 1
DEPOSITED: Final = 2
KEY_REGISTERED: Final = 3

Item = TypeVar("Item")


class Deployment(NamedTuple):
    """Where the contracts stand, and since which block."""

    chain_id: int
    settlement: bytes
    vault: bytes
    tokens: tuple[bytes, ...]
    """By asset number."""
    block: int


class InboxEntry(NamedTuple):
    """Something that entered through the Vault (docs/protocol.md, 6); what its kind does not use
    is zero.
    """

    inbox_index: int
    kind: int
    account: int
    subject: bytes
    """The owner, or the session key."""
    asset: int
    amount: int
    valid_until_s: int
    block: int
    transaction: bytes


class PostedBatch(NamedTuple):
    """A batch as it was posted, whole; it matches its commitment on chain."""

    batch: Batch
    block: int
    transaction: bytes


class Claim(NamedTuple):
    """A withdrawal that the Vault paid."""

    number: int
    account: int
    owner: bytes
    asset: int
    amount: int
    block: int
    transaction: bytes


class Page(NamedTuple, Generic[Item]):
    """What happened, in order, before `next_block`: the block to read on from."""

    items: tuple[Item, ...]
    next_block: int


class BatchUnreadable(Exception):
    """The transaction that posted a batch does not hold the batch: no direct call of postBatch, or
    not what its commitment says. An operator who does this hides something.
    """

    def __init__(self, number: int, transaction: bytes) -> None:
        super().__init__(f"batch {number} cannot be read from transaction 0x{transaction.hex()}")
        self.number = number
        self.transaction = transaction


# DEPLOYMENT


def deploy_mock_usdc(node: Node, key: bytes) -> bytes:
    """Deploys the test token, of which anyone may mint; its address."""
    return _created(node.send(key, None, creation_code(load("MockUSDC"))))


def mint_mock_usdc(node: Node, key: bytes, token: bytes, owner: bytes, amount: int) -> Receipt:
    """Gives test tokens to `owner`; the key pays for the gas alone."""
    return node.send(key, token, call_data(load("MockUSDC"), "mint", owner, amount))


def deploy(
    node: Node,
    key: bytes,
    *,
    operator: bytes,
    genesis_root: Callable[[bytes], bytes],
    tokens: Sequence[bytes],
    challenge_window_s: int,
    time_tolerance_s: int,
) -> Deployment:
    """Deploys Settlement, which makes its Vault.

    genesis_root  the state root before the first batch, given the Settlement's address, which the
                  Genesis command contains: the address follows from the sender and its nonce
    """
    settlement = created_address(address_of(key), node.nonce(address_of(key), "pending"))
    root = genesis_root(settlement)
    arguments = (operator, root, list(tokens), challenge_window_s, time_tolerance_s)
    receipt = node.send(key, None, creation_code(load("Settlement"), *arguments))
    if _created(receipt) != settlement:
        raise ChainUnavailable("the deployer sent something else meanwhile; deploy again")
    vault = Chain(node, settlement).vault
    return Deployment(node.chain_id(), settlement, vault, tuple(tokens), receipt.block)


class Chain:
    """The contracts of one exchange."""

    def __init__(self, node: Node, settlement: bytes) -> None:
        self.node = node
        self.settlement = settlement
        self._vault: bytes | None = None

    @property
    def vault(self) -> bytes:
        if self._vault is None:
            (vault,) = _read(self.node, self.settlement, "Settlement", "vault")
            self._vault = bytes(vault)
        return self._vault

    @property
    def operator(self) -> bytes:
        """Who alone may post."""
        return self._view("Settlement", "operator")

    # MEMBERS

    def open_account(self, key: bytes) -> int:
        """Opens the next account for the key's address; its number."""
        return self._entered(self._send(key, "Vault", "openAccount")).account

    def deposit(self, key: bytes, account: int, amount: int, asset: int = USDC) -> InboxEntry:
        """Moves `amount` from the key's address to `account`; approves it first where needed."""
        token, units = self._approved(key, asset, amount)
        return self._entered(self._send(key, "Vault", "deposit", account, token, units))

    def open_and_deposit(self, key: bytes, amount: int, asset: int = USDC) -> InboxEntry:
        """`open_account` and `deposit` in one transaction; the entry is the deposit's."""
        token, units = self._approved(key, asset, amount)
        return self._entered(self._send(key, "Vault", "openAndDeposit", token, units))

    def register_key(
        self, key: bytes, account: int, session_key: bytes, valid_until_s: int
    ) -> InboxEntry:
        """Lets `session_key` (an address) sign for `account`; a time in the past revokes it."""
        sent = self._send(key, "Vault", "registerKey", account, session_key, valid_until_s)
        return self._entered(sent)

    def claim(
        self,
        key: bytes,
        batch: int,
        number: int,
        account: int,
        owner: bytes,
        asset: int,
        amount: int,
        siblings: Sequence[bytes],
    ) -> Receipt:
        """Has the withdrawal `number` paid to its owner; the key pays for the gas alone."""
        leaf = (batch, number, account, owner, asset, amount, list(siblings))
        return self._send(key, "Vault", "claim", *leaf)

    # OPERATOR

    def list_asset(self, key: bytes, asset: int, token: bytes) -> Receipt:
        """Gives `token` the number `asset`, which must be the next; it is never changed again."""
        return self._send(key, "Vault", "listAsset", asset, token)

    def post_batch(
        self, key: bytes, header: Header, chunk_roots: Sequence[bytes], records: bytes
    ) -> Receipt:
        """Posts a batch, or finds it posted: after a restart the same call may be made again.

        The operator's key must be used by nothing else: an older transaction of it that was not
        mined gives way to this one.
        """
        bound = commitment(Batch(header, tuple(chunk_roots), records))
        if self.batch_count() >= header.number and self.commitment(header.number) == bound:
            return self._posting(header.number)
        arguments = (header, list(chunk_roots), records)
        return self._send(key, "Settlement", "postBatch", *arguments, may_replace=True)

    def _posting(self, number: int) -> Receipt:
        """The receipt of the transaction that posted batch `number`, sought from the newest block
        back.
        """
        topic = load("Settlement").events["BatchPosted"].code
        last = self.node.head().block
        while last >= 0:
            first = max(last - BLOCKS_PER_LOG_REQUEST + 1, 0)
            for log in self.node.logs(self.settlement, [topic], first, last):
                if int.from_bytes(log.topics[1], "big") == number:
                    receipt = self.node.receipt(log.transaction)
                    if receipt is not None:
                        return receipt
            last = first - 1
        raise ChainUnavailable(f"the node does not have the posting of batch {number}")

    # STATE

    def batch_count(self) -> int:
        """Number of the last batch; 0 before the first."""
        return self._view("Settlement", "batchCount")

    def current_root(self) -> bytes:
        return self._view("Settlement", "currentRoot")

    def state_root(self, number: int) -> bytes:
        """After batch `number`; the genesis root for 0."""
        return self._view("Settlement", "stateRoot", number)

    def withdrawal_root(self, number: int) -> bytes:
        return self._view("Settlement", "withdrawalRoot", number)

    def commitment(self, number: int) -> bytes:
        return self._view("Settlement", "commitment", number)

    def claimable_at_s(self, number: int) -> int:
        """Block time from which withdrawals of batch `number` can be claimed, Unix seconds."""
        window_s: int = self._view("Vault", "challengeWindowSeconds")
        return self._view("Settlement", "postedAt", number) + window_s

    def inbox_count(self) -> int:
        return self._view("Vault", "inboxCount")

    def inbox_at(self, count: int) -> tuple[bytes, int]:
        """Chained hash and sum of USDC deposits after the first `count` entries."""
        digest, deposited = _read(self.node, self.vault, "Vault", "inboxAt", count)
        return digest, deposited

    def account_count(self) -> int:
        return self._view("Vault", "accountCount")

    def owner_of(self, account: int) -> bytes:
        """Zero for an account that is not there."""
        return self._view("Vault", "ownerOf", account)

    def is_claimed(self, number: int) -> bool:
        return self._view("Vault", "isClaimed", number)

    def token(self, asset: int) -> bytes:
        return self._view("Vault", "tokenOf", asset)

    def asset_count(self) -> int:
        """How many tokens the Vault takes."""
        return self._view("Vault", "assetCount")

    def unit(self, asset: int) -> int:
        """How many of the token's smallest units make a micro-unit of the asset."""
        return 1 if asset == USDC else self._view("Vault", "unitOf", asset)

    def balance(self, owner: bytes, asset: int = USDC) -> int:
        """Smallest units of the asset's token that an address holds outside the exchange."""
        return _read(self.node, self.token(asset), ERC20, "balanceOf", owner)[0]

    # READ BACK

    def inbox(self, from_index: int, from_block: int, confirmations: int) -> Page[InboxEntry]:
        """Entries numbered `from_index` and up that stand in `from_block` or later."""
        kinds = _inbox_kinds()
        logs, next_block = self._logs(self.vault, list(kinds), from_block, confirmations)
        entries = [_entry(log, kinds[log.topics[0]]) for log in logs]
        fresh = tuple(entry for entry in entries if entry.inbox_index >= from_index)
        indices = [entry.inbox_index for entry in fresh]
        if next_block > from_block:
            count: int = self._view("Vault", "inboxCount", at=hex(next_block - 1))
            if indices != list(range(from_index, count)):
                raise ChainUnavailable(f"the node left out inbox entries of {from_index}..{count}")
        return Page(fresh, next_block)

    def batches(self, from_block: int, confirmations: int) -> Page[PostedBatch]:
        """Batches posted in `from_block` or later, with all their data. May raise
        `BatchUnreadable`.
        """
        event = load("Settlement").events["BatchPosted"]
        logs, next_block = self._logs(self.settlement, [event.code], from_block, confirmations)
        posted = [self._batch(log, event_values(event, log.topics, log.data)) for log in logs]
        if next_block > from_block:
            count: int = self._view("Settlement", "batchCount", at=hex(next_block - 1))
            numbers = [one.batch.header.number for one in posted]
            if numbers != list(range(count - len(posted) + 1, count + 1)):
                raise ChainUnavailable(f"the node left out batches before {count}")
        return Page(tuple(posted), next_block)

    def claims(self, from_block: int, confirmations: int) -> Page[Claim]:
        """Withdrawals paid in `from_block` or later."""
        event = load("Vault").events["Claimed"]
        logs, next_block = self._logs(self.vault, [event.code], from_block, confirmations)
        return Page(tuple(_claim(log) for log in logs), next_block)

    def _batch(self, log: Log, values: Values) -> PostedBatch:
        sent = self.node.transaction(log.transaction)
        arguments = arguments_of(load("Settlement"), "postBatch", sent.data)
        if arguments is None or sent.to != self.settlement:
            raise BatchUnreadable(values["number"], log.transaction)
        batch = Batch(Header(*arguments[0]), tuple(arguments[1]), arguments[2])
        if commitment(batch) != values["commitment"]:
            raise BatchUnreadable(values["number"], log.transaction)
        return PostedBatch(batch, log.block, log.transaction)

    def _logs(
        self, address: bytes, topics: Sequence[bytes], from_block: int, confirmations: int
    ) -> tuple[list[Log], int]:
        last = self.node.head().block - confirmations
        if last < from_block:
            return [], from_block
        return self.node.logs(address, topics, from_block, last), last + 1

    # WITHIN

    def _send(
        self, key: bytes, name: str, function: str, *arguments: Any, may_replace: bool = False
    ) -> Receipt:
        data = call_data(load(name), function, *arguments)
        return self.node.send(key, self._address(name), data, may_replace=may_replace)

    def _view(self, name: str, function: str, *arguments: Any, at: str = "latest") -> Any:
        """The one value that a view answers."""
        return _read(self.node, self._address(name), name, function, *arguments, at=at)[0]

    def _address(self, name: str) -> bytes:
        return self.vault if name == "Vault" else self.settlement

    def _approved(self, key: bytes, asset: int, amount: int) -> tuple[bytes, int]:
        """Lets the Vault take `amount`, no more, unless it may already: the token, and how many of
        its smallest units that is.
        """
        token, units = self.token(asset), amount * self.unit(asset)
        allowed = _read(self.node, token, ERC20, "allowance", address_of(key), self.vault)[0]
        if allowed < units:
            self.node.send(key, token, call_data(load(ERC20), "approve", self.vault, units))
        return token, units

    def _entered(self, receipt: Receipt) -> InboxEntry:
        """The last inbox entry that a transaction made."""
        kinds = _inbox_kinds()
        logs = [log for log in receipt.logs if log.address == self.vault]
        return [_entry(log, kinds[log.topics[0]]) for log in logs if log.topics[0] in kinds][-1]


def _read(
    node: Node, address: bytes, name: str, function: str, *arguments: Any, at: str = "latest"
) -> tuple[Any, ...]:
    answer = node.call(address, call_data(load(name), function, *arguments), at=at)
    if answer == b"":
        raise ChainUnavailable(f"there is no {name} at 0x{address.hex()} on this chain")
    return results_of(load(name), function, answer)


def _created(receipt: Receipt) -> bytes:
    if receipt.created is None:
        raise ChainUnavailable("the node's receipt of a deployment names no contract")
    return receipt.created


def _inbox_kinds() -> dict[bytes, int]:
    """Kind of an inbox entry by its event's topic."""
    events = load("Vault").events
    return {
        events["AccountOpened"].code: ACCOUNT_OPENED,
        events["Deposited"].code: DEPOSITED,
        events["KeyRegistered"].code: KEY_REGISTERED,
    }


def _entry(log: Log, kind: int) -> InboxEntry:
    event = next(e for e in load("Vault").events.values() if e.code == log.topics[0])
    values = event_values(event, log.topics, log.data)
    return InboxEntry(
        inbox_index=values["inboxIndex"],
        kind=kind,
        account=values["account"],
        subject=values["key"] if kind == KEY_REGISTERED else values["owner"],
        asset=values.get("asset", 0),
        amount=values.get("amount", 0),
        valid_until_s=values.get("validUntil", 0),
        block=log.block,
        transaction=log.transaction,
    )


def _claim(log: Log) -> Claim:
    values = event_values(load("Vault").events["Claimed"], log.topics, log.data)
    return Claim(
        number=values["number"],
        account=values["account"],
        owner=values["owner"],
        asset=values["asset"],
        amount=values["amount"],
        block=log.block,
        transaction=log.transaction,
    )
