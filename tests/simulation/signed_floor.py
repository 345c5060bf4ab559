"""A floor whose traders sign what they send, so that the auditor can follow.

It is an engine, its journal, its Vault's inbox and its batches, without a chain or a disk.

Holds: what the auditor would recover is what stands in the journal; every command survives its
encoding; batches name the journal's hash chain.
Never: checks the state (`promises.py` does); keeps the events that it was told.
"""

from collections.abc import Callable
from typing import Final

from exchange import commands as c
from exchange.audit import AuditReport, OnChain, audit
from exchange.codec import decode_event, encode_command, encode_event
from exchange.commands import Command
from exchange.engine import apply
from exchange.events import BatchCut, Event, ExchangeOpened
from exchange.oracle.feed import Reporter
from exchange.state_digest import state_hash
from settlement.batch import Batch, decode_batch
from settlement.chain import ACCOUNT_OPENED, DEPOSITED, InboxEntry
from settlement.chain import PostedBatch as Posted
from settlement.keccak import keccak256
from settlement.price_reports import PriceReport, price_report_hash
from settlement.signature import Signer
from settlement.signed_messages import (
    Cancel,
    CancelAll,
    domain_separator,
    signing_digest,
    struct_hash,
)
from tests.clearing_floor import ClearingFloor
from tests.floor import CHAIN_ID, NO_SIGNATURE, OPERATOR, SETTLEMENT, Floor
from tests.published import TRANSACTION, chained

Watcher = Callable[[Command, tuple[Event, ...]], None]
SEPARATOR: Final = domain_separator(CHAIN_ID, SETTLEMENT)


def signer_of(owner: int) -> Signer:
    """The key of the `owner`-th person."""
    return Signer((0x51A0_0000 + owner).to_bytes(32, "big"))


class SignedFloor(ClearingFloor):
    """`before` and `after` are called around every command."""

    def __init__(self, start_s: int) -> None:
        super().__init__(watched=False)
        self.time_ns = start_s * 10**9
        self.before: Callable[[Command], None] = lambda command: None
        self.after: Watcher = lambda command, events: None
        self._signers: dict[bytes, Signer] = {}
        self._inbox: list[InboxEntry] = []
        self._batches: list[Posted] = []
        self._genesis_root = b""
        self._chain_hash = bytes(32)

    def open_for(self, owner: int, cash_micro: int = 0) -> int:
        """Opens an account of the `owner`-th person."""
        signer = signer_of(owner)
        self._signers[signer.address] = signer
        return self.open_account(cash_micro, signer.address)

    def _apply(self, command: Command) -> tuple[Event, ...]:
        command = self._signed(command)
        payload = encode_command(command)
        self.journal.append(payload)
        self.before(command)
        events = apply(self.state, command)
        number = len(self.journal)
        self._chain_hash = keccak256(self._chain_hash + number.to_bytes(8, "big") + payload)
        for event in events:
            if isinstance(event, ExchangeOpened):
                self._genesis_root = event.state_root
            elif isinstance(event, BatchCut):
                batch = decode_batch(event.data)
                assert isinstance(batch, Batch)
                self._batches.append(Posted(batch, 10 + event.number, TRANSACTION))
            else:
                assert decode_event(encode_event(event)) == event
        self._enter(command)
        self.after(command, events)
        return events

    def _signed(self, command: Command) -> Command:
        """The command with its owner's real signature."""
        if getattr(command, "signature", None) != NO_SIGNATURE:
            return command
        if isinstance(command, c.PlaceOrder):
            message_hash = command.order_hash
        elif isinstance(command, c.CancelOrder):
            message_hash = struct_hash(Cancel(command.account, command.order_hash))
        elif isinstance(command, c.CancelAllOrders):
            message_hash = struct_hash(CancelAll(command.account, command.new_counter))
        else:
            message_hash = command.message_hash  # type: ignore[attr-defined]
        signer = self._signers[command.signer]  # type: ignore[attr-defined]
        signature = signer.sign(signing_digest(SEPARATOR, message_hash))
        values = [getattr(command, name) for name in command.__struct_fields__]
        values[command.__struct_fields__.index("signature")] = signature
        return type(command)(*values)

    def _enter(self, command: Command) -> None:
        """The Vault's inbox has what the command says came from it."""
        number = len(self._inbox)
        if isinstance(command, c.OpenAccount):
            what = (ACCOUNT_OPENED, command.account, command.owner, 0, 0, 0)
        elif isinstance(command, c.CreditDeposit):
            owner = self.state.accounts[command.account].owner
            what = (DEPOSITED, command.account, owner, command.asset, command.amount_micro, 0)
        else:
            return
        assert self.state.inbox_cursor == number + 1, "what comes from the Vault is taken"
        self._inbox.append(InboxEntry(number, *what, 1 + number, TRANSACTION))

    # THE OPERATOR AND THE REPORTERS

    def cut(self) -> tuple[Event, ...]:
        events = self.send(c.CutBatch(self.time_ns, self._chain_hash_before_cut()))
        number = self.state.batches_cut
        return events + self.send(c.ConfirmBatch(self.time_ns, number, 10 + number, TRANSACTION))

    def _chain_hash_before_cut(self) -> bytes:
        """Time is sent ahead alone, so that the cut comes right after the hash that it names."""
        if self.time_ns > self.state.time_ns:
            self.send(c.AdvanceTime(self.time_ns))
        return self._chain_hash

    def report(self, reporter: Reporter, report: PriceReport) -> tuple[Event, ...]:
        """A signed report, as the door hands it over."""
        signature = reporter.sign(report, SEPARATOR)
        signed = price_report_hash(report), reporter.address, signature
        return self.send(c.ReportPrices(self.time_ns, *report, *signed))

    # AFTERWARDS

    def audited(self) -> AuditReport:
        """What an auditor says who has the journal, and the chain as it would be."""
        state = self.state
        assets = [
            state.credited_assets.get(number, 0)
            for number in range(1, max(state.credited_assets, default=0) + 1)
        ]
        on_chain = OnChain(
            CHAIN_ID,
            SETTLEMENT,
            OPERATOR,
            self._genesis_root,
            tuple(self._inbox),
            tuple(self._batches),
            (),
            state.credited_micro,
            tuple(assets),
        )
        return audit(on_chain, chained(self.journal))

    def digest(self) -> bytes:
        return state_hash(self.state)

    def replayed_digest(self) -> bytes:
        """The journal's bytes, decoded, on another engine."""
        return state_hash(self.replay_on(Floor(watched=False)).state)
