"""What an exchange publishes, made without a chain or a disk: a journal of signed commands and
what the contracts would have seen of it. For tests of the auditor.

Holds: signatures are real, the batches are the engine's; `rewritten` gives a journal whose hash
chain and batches' journal hashes are consistent whatever was changed in its commands.
"""

from collections.abc import Callable, Sequence
from typing import Final

from exchange import commands as c
from exchange.audit import OnChain
from exchange.codec import decode_command, encode_command
from exchange.commands import Command
from exchange.engine import apply
from exchange.events import BatchCut, CommandRejected, Event, ExchangeOpened
from exchange.journal import Entry
from exchange.state import State
from exchange.wallet import SigningDomain, Wallet
from matching.orders import BUY, GTC, IOC, SELL
from matching.rejects import Reject
from settlement.account_messages import Withdraw
from settlement.batch import Batch, decode_batch
from settlement.chain import ACCOUNT_OPENED, DEPOSITED, KEY_REGISTERED, Claim, InboxEntry
from settlement.chain import PostedBatch as Posted
from settlement.keccak import keccak256
from settlement.signed_messages import NO_ORDER, Cancel, Message, Order
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    CHAIN_ID,
    DAY_S,
    FEES,
    HUGE_FEE,
    LISTINGS,
    MARCH,
    NS,
    OPERATOR,
    SETTLEMENT,
    SMILE,
    START_S,
)

WALLETS: Final = tuple(Wallet(bytes((number,)) * 32) for number in (11, 12, 13))
SESSION: Final = Wallet(b"\x2a" * 32)
DOMAIN: Final = SigningDomain(CHAIN_ID, SETTLEMENT)
PUBLISHED_FEES: Final = FEES._replace(rebate_step=100, combo_discount=50)
CASH_MICRO: Final = 50_000_000_000
PRICE: Final = 70_000_000
TRANSACTION: Final = b"\x7a" * 32


class Published:
    """A short life of an exchange: three accounts, orders, a combo, a withdrawal, three batches."""

    def __init__(self) -> None:
        self.state = State()
        self.payloads: list[bytes] = []
        self.inbox: list[InboxEntry] = []
        self.batches: list[Posted] = []
        self.claims: list[Claim] = []
        self.time_ns = START_S * NS
        self._genesis_root = b""
        self._chain_hash = bytes(32)
        self._salt = 0
        self._live()

    def do(self, command: Command) -> tuple[Event, ...]:
        """A command into the journal and the engine; it must be accepted."""
        payload = encode_command(command)
        self.payloads.append(payload)
        self._chain_hash = _next_hash(self._chain_hash, len(self.payloads), payload)
        happened = apply(self.state, command)
        for event in happened:
            assert not isinstance(event, CommandRejected), (command, event)
            if isinstance(event, ExchangeOpened):
                self._genesis_root = event.state_root
            elif isinstance(event, BatchCut):
                batch = decode_batch(event.data)
                assert isinstance(batch, Batch)
                self.batches.append(Posted(batch, 10 + event.number, TRANSACTION))
        self.time_ns += NS
        return happened

    def enter(self, command: c.OpenAccount | c.CreditDeposit | c.RegisterKey) -> None:
        """A command that the Vault's inbox caused, and the inbox's entry."""
        number, block = command.inbox_index, 1 + command.inbox_index
        if isinstance(command, c.OpenAccount):
            what = (ACCOUNT_OPENED, command.account, command.owner, 0, 0, 0)
        elif isinstance(command, c.CreditDeposit):
            owner = self.state.accounts[command.account].owner
            what = (DEPOSITED, command.account, owner, command.asset, command.amount_micro, 0)
        else:
            what = (KEY_REGISTERED, command.account, command.key, 0, 0, command.valid_until_s)
        self.inbox.append(InboxEntry(number, *what, block, TRANSACTION))
        self.do(command)

    def order(
        self,
        account: int,
        side: int,
        price: int,
        lots: int,
        legs: Sequence[tuple[int, int]],
        time_in_force: int = GTC,
        wallet: Wallet | None = None,
    ) -> bytes:
        """Places an order; its hash."""
        self._salt += 1
        message = Order(
            account, 0, side, time_in_force, 0, price, lots, HUGE_FEE,
            START_S + DAY_S, self._salt, NO_ORDER, tuple(legs),
        )  # fmt: skip
        return self._signed(message, c.PlaceOrder, wallet)

    def cut(self) -> None:
        self.do(c.CutBatch(self.time_ns, self._chain_hash))
        number = self.state.batches_cut
        self.do(c.ConfirmBatch(self.time_ns, number, 10 + number, TRANSACTION))

    def on_chain(self) -> OnChain:
        held = self.state.credited_micro - sum(claim.amount for claim in self.claims)
        return OnChain(
            CHAIN_ID,
            SETTLEMENT,
            OPERATOR,
            self._genesis_root,
            tuple(self.inbox),
            tuple(self.batches),
            tuple(self.claims),
            held,
        )

    def entries(self) -> list[Entry]:
        return chained(self.payloads)

    def commands(self) -> list[Command]:
        return [decoded(payload) for payload in self.payloads]

    def _signed(
        self, message: Message, kind: Callable[..., Command], wallet: Wallet | None = None
    ) -> bytes:
        signer = wallet or WALLETS[message.account]  # type: ignore[union-attr]
        signed = signer.sign(message, DOMAIN)
        values: tuple[object, ...] = (message,) if isinstance(message, Order) else tuple(message)
        hashes = () if isinstance(message, Cancel) else (signed.message_hash,)
        self.do(kind(self.time_ns, *values, *hashes, signer.address, signed.signature))
        return signed.message_hash

    def _live(self) -> None:
        self.do(c.Genesis(self.time_ns, CHAIN_ID, SETTLEMENT, OPERATOR, *PUBLISHED_FEES, 18))
        self.do(c.ListUnderlying(self.time_ns, 0, b"BTC".ljust(8, b"\0"), 1_000_000))
        self.do(c.ListExpiry(self.time_ns, 0, 0, MARCH))
        for number, listing in enumerate(LISTINGS[:6]):
            self.do(c.ListInstrument(self.time_ns, number, *listing))
        for number, wallet in enumerate(WALLETS):
            self.enter(c.OpenAccount(self.time_ns, len(self.inbox), number, wallet.address))
            self.enter(c.CreditDeposit(self.time_ns, len(self.inbox), number, 0, CASH_MICRO))
        self._mark(BTC_INDEX)
        self.cut()
        resting = self.order(0, SELL, PRICE, 5, ((CALL_90, 1),))
        self.order(1, BUY, PRICE, 3, ((CALL_90, 1),), IOC)
        self.order(2, SELL, PRICE // 2, 4, ((CALL_100, 1),))
        self.order(0, BUY, PRICE // 4, 4, ((CALL_100, 1),))
        self.order(1, BUY, PRICE, 2, ((CALL_90, 1), (CALL_100, -1)), IOC)
        self.enter(
            c.RegisterKey(self.time_ns, len(self.inbox), 2, SESSION.address, START_S + DAY_S)
        )
        self.order(2, BUY, PRICE // 2, 1, ((CALL_90, 1),), wallet=SESSION)
        self._signed(Withdraw(1, 0, 1_000_000, 7), c.RequestWithdrawal)
        self.cut()
        again = self.order(0, SELL, PRICE, 9, ((CALL_90, 1),))
        self.order(2, BUY, PRICE, 2, ((CALL_90, 1),), IOC)
        self._signed(Cancel(0, again), c.CancelOrder)
        assert resting not in self.state.orders
        self.claims.append(
            Claim(0, 1, WALLETS[1].address, 0, 1_000_000, 20, TRANSACTION),
        )
        self.do(c.RecordClaim(self.time_ns, 0, 1_000_000))
        self._mark(BTC_INDEX * 101 // 100)
        self.cut()
        self.order(1, SELL, 2 * PRICE, 1, ((CALL_90, 1),))

    def _mark(self, index_micro: int) -> None:
        mark = (0, index_micro * 101 // 100, *SMILE)
        self.do(c.UpdateMarks(self.time_ns, 0, index_micro, (mark,)))


def chained(payloads: Sequence[bytes]) -> list[Entry]:
    """The payloads as a journal under one hash chain."""
    entries: list[Entry] = []
    chain_hash = bytes(32)
    for sequence, payload in enumerate(payloads, start=1):
        chain_hash = _next_hash(chain_hash, sequence, payload)
        entries.append(Entry(sequence, chain_hash, payload))
    return entries


def rewritten(payloads: Sequence[bytes]) -> list[Entry]:
    """The same, with every CutBatch naming the journal hash that stands before it now."""
    entries: list[Entry] = []
    chain_hash = bytes(32)
    for sequence, payload in enumerate(payloads, start=1):
        command = decode_command(payload)
        if isinstance(command, c.CutBatch):
            payload = encode_command(c.CutBatch(command.time_ns, chain_hash))  # noqa: PLW2901
        chain_hash = _next_hash(chain_hash, sequence, payload)
        entries.append(Entry(sequence, chain_hash, payload))
    return entries


def decoded(payload: bytes) -> Command:
    command = decode_command(payload)
    assert not isinstance(command, Reject)
    return command


def _next_hash(chain_hash: bytes, sequence: int, payload: bytes) -> bytes:
    """docs/protocol.md, 9, written down again."""
    return keccak256(chain_hash + sequence.to_bytes(8, "big") + payload)
