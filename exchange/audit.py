"""The auditor: is what the exchange says, everywhere, one story?

It reads the chain and the journal, and trusts neither alone: every signature is recovered again,
every command applied by the same engine on a state of its own, every batch cut again and held
against the posted one byte by byte; the posted records alone are applied to a second ledger that
sees no journal; what the journal says came from the chain is held against the chain's inbox and
claims; and the Vault must hold what it owes.

Holds: the first divergence ends the audit and is named: batch, record and account as far as they
are known.
Never: asks the exchange's process anything; writes anything.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from exchange import commands, events
from exchange.codec import decode_command, encode_command
from exchange.commands import Command
from exchange.engine import apply
from exchange.handlers.oracle import report_of
from exchange.handlers.quotes import mass_quote_of
from exchange.invariants import check
from exchange.journal import Entry
from exchange.state import State
from margin.fees import FeeSchedule
from margin.parameters import SCAN_WIDTH_PERCENT
from matching.rejects import Reject
from settlement.account_messages import (
    BidAuction,
    ChooseMargin,
    ConvertCollateral,
    FundInsurance,
    ResetProtection,
    SetProtection,
    TransferCash,
    TransferPosition,
    Withdraw,
)
from settlement.batch import Batch, Divergence, decode_batch, first_difference, verify_batch
from settlement.chain import (
    ACCOUNT_OPENED,
    DEPOSITED,
    USDC,
    Chain,
    Claim,
    InboxEntry,
    PostedBatch,
)
from settlement.genesis import genesis_body
from settlement.ledger import Ledger
from settlement.mass_quotes import check_mass_quote, mass_quote_hash
from settlement.price_reports import price_report_hash
from settlement.record_types import FILL, PADDING
from settlement.records import RECORD_BYTES
from settlement.signature import recover
from settlement.signed_messages import (
    Cancel,
    CancelAll,
    CancelWhere,
    Message,
    domain_separator,
    signing_digest,
    struct_hash,
)

_NO_HASH = bytes(32)


class AuditReport(msgspec.Struct, frozen=True):
    """What the audit saw. `verdict` is "pass" or "fail"; on "fail" the first divergence is
    named.

    `batches` were posted and agree; `commands` and `signatures` of the journal were checked;
    `commands_after` came after the last posted batch: nothing on chain vouches for them yet.
    `inbox_waiting` entries of the Vault's inbox are not in the journal yet, `batches_unposted`
    are cut and not on chain: a few are in the nature of things, many or old ones are not.
    """

    verdict: str
    commands: int
    signatures: int
    batches: int
    records: int
    fills: int
    accounts: int
    commands_after: int
    state_root: str
    credited_micro: int
    withdrawn_micro: int
    liabilities_micro: int
    vault_micro: int
    reason: str = ""
    batch: int | None = None
    record: int | None = None
    account: int | None = None
    sequence: int | None = None
    inbox_waiting: int = 0
    batches_unposted: int = 0


class OnChain(NamedTuple):
    """All that the audit needs of the chain."""

    chain_id: int
    settlement: bytes
    operator: bytes
    genesis_root: bytes
    inbox: tuple[InboxEntry, ...]
    batches: tuple[PostedBatch, ...]
    claims: tuple[Claim, ...]
    vault_micro: int
    vault_assets_micro: tuple[int, ...] = ()
    """Of assets 1 and up, in micro-units."""


class Fault(Exception):
    """The first divergence, on its way to the report."""

    def __init__(
        self,
        reason: str,
        batch: int | None = None,
        record: int | None = None,
        account: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.batch = batch
        self.record = record
        self.account = account


def read_chain(chain: Chain) -> OnChain:
    """Reads everything that the contracts have seen. Raises ChainUnavailable, Reverted,
    BatchUnreadable.

    The Vault's balances are read between the inbox and the claims: what moves meanwhile can
    only make them look larger than what it owes.
    """
    inbox = chain.inbox(0, 0, 0).items
    batches = chain.batches(0, 0).items
    vault_micro = chain.balance(chain.vault, USDC)
    assets = tuple(
        chain.balance(chain.vault, asset) // chain.unit(asset)
        for asset in range(1, chain.asset_count())
    )
    return OnChain(
        chain.node.chain_id(),
        chain.settlement,
        chain.operator,
        chain.state_root(0),
        inbox,
        batches,
        chain.claims(0, 0).items,
        vault_micro,
        assets,
    )


def audit_published(
    chain: Chain,
    journal: Callable[[], Iterable[Entry]],
    progress: Callable[[int], None] = lambda _: None,
) -> AuditReport:
    """Audits the journal as it is now against the chain as it is now, both of which may grow
    meanwhile: the batches posted before the journal was read must be in it, and the chain is read
    after it, so that it has seen all that the journal tells of it.
    """
    required = chain.batch_count()
    last = 0
    for entry in journal():
        last = entry.sequence
    entries = itertools.islice(journal(), last)
    return audit(read_chain(chain), entries, progress, required=required)


def audit(
    on_chain: OnChain,
    journal: Iterable[Entry],
    progress: Callable[[int], None] = lambda _: None,
    *,
    required: int | None = None,
) -> AuditReport:
    """Audits a journal against the chain; `progress` is told the bytes of each entry as it is
    done. The journal must make the first `required` batches; None: all that were posted.
    """
    auditor = _Auditor(on_chain, len(on_chain.batches) if required is None else required)
    try:
        for entry in journal:
            auditor.take(entry)
            progress(len(entry.payload))
        auditor.finish()
    except Fault as fault:
        return auditor.report(fault)
    return auditor.report(None)


class _Auditor:
    """One audit under way."""

    def __init__(self, on_chain: OnChain, required: int) -> None:
        self._chain = on_chain
        self._required = required
        self._state = State()
        self._ledger: Ledger | None = None
        self._posted: Iterator[PostedBatch] = iter(on_chain.batches)
        self._separator = domain_separator(on_chain.chain_id, on_chain.settlement)
        self._claims = {claim.number: claim for claim in on_chain.claims}
        self._chain_hash = _NO_HASH
        self._sequence = 0
        self._signatures = 0
        self._batches = 0
        self._records = 0
        self._fills = 0
        self._covered = 0

    # THE JOURNAL, ENTRY BY ENTRY

    def take(self, entry: Entry) -> None:
        """One entry: its form, its signature, what it says of the chain; then the engine."""
        self._sequence = entry.sequence
        command = decode_command(entry.payload)
        if isinstance(command, Reject):
            raise Fault(f"the journal holds what is no command: {command.message}")
        if encode_command(command) != entry.payload:
            raise Fault("a command is not in its canonical bytes")
        if command.time_ns < self._state.time_ns:
            raise Fault("the journal's time falls")
        self._check_claims(command)
        happened = apply(self._state, command)
        for event in happened:
            if isinstance(event, events.BatchCut):
                self._take_batch(event)
        if self._ledger is None and isinstance(command, commands.Genesis):
            self._open()
        self._chain_hash = entry.chain_hash

    def _check_claims(self, command: Command) -> None:
        """What a command says that can be known without the engine."""
        if isinstance(command, commands.Genesis):
            self._check_genesis(command)
        elif isinstance(command, commands.PlaceOrder):
            self._check_signature(
                command.order, command.order_hash, command.signer, command.signature
            )
        elif isinstance(command, commands.QuoteMass):
            self._check_mass_quote(command)
        elif isinstance(command, commands.ReportPrices):
            self._check_hash(
                price_report_hash(report_of(command)),
                None,
                command.message_hash,
                command.signer,
                command.signature,
            )
        elif isinstance(command, commands.CancelOrder):
            cancel = Cancel(command.account, command.order_hash)
            self._check_signature(cancel, None, command.signer, command.signature)
        elif isinstance(command, commands.CancelAllOrders):
            raised = CancelAll(command.account, command.new_counter)
            self._check_signature(raised, None, command.signer, command.signature)
        elif isinstance(command, commands.CancelWhere):
            where = CancelWhere(
                command.account, command.scope, command.value, command.salt, command.expiry_s
            )
            self._check_signature(where, command.message_hash, command.signer, command.signature)
        elif isinstance(command, commands.SetProtection):
            terms = SetProtection(
                command.account,
                command.group,
                command.window_ms,
                command.frozen_ms,
                command.quantity_limit_lots,
                command.delta_limit_e6,
                command.vega_limit_micro,
                command.salt,
                command.expiry_s,
            )
            self._check_signature(terms, command.message_hash, command.signer, command.signature)
        elif isinstance(command, commands.ResetProtection):
            reset = ResetProtection(command.account, command.group, command.salt, command.expiry_s)
            self._check_signature(reset, command.message_hash, command.signer, command.signature)
        elif isinstance(command, commands.TransferCash | commands.TransferPosition):
            self._check_transfer(command)
        elif isinstance(command, commands.ChooseMargin):
            choice = ChooseMargin(
                command.account, command.model, command.tier, command.salt, command.expiry_s
            )
            self._check_signature(choice, command.message_hash, command.signer, command.signature)
        elif isinstance(command, commands.BidAuction | commands.ConvertCollateral):
            self._check_purchase(command)
        elif isinstance(command, commands.FundInsurance):
            gift = FundInsurance(
                command.account, command.amount_micro, command.salt, command.expiry_s
            )
            self._check_signature(gift, command.message_hash, command.signer, command.signature)
        elif isinstance(command, commands.RequestWithdrawal):
            withdraw = Withdraw(command.account, command.asset, command.amount_micro, command.salt)
            self._check_signature(withdraw, command.message_hash, command.signer, command.signature)
        elif isinstance(
            command, commands.OpenAccount | commands.CreditDeposit | commands.RegisterKey
        ):
            self._check_inbox(command)
        elif isinstance(command, commands.RecordClaim):
            claim = self._claims.get(command.number)
            if claim is None or claim.amount != command.amount_micro:
                raise Fault(f"claim {command.number} is not on chain as the journal has it")
        elif isinstance(command, commands.CutBatch):
            if command.journal_hash != self._chain_hash:
                raise Fault(
                    "a batch names a journal hash that the journal does not have",
                    self._state.batches_cut + 1,
                )
        elif isinstance(command, commands.ConfirmBatch):
            self._check_confirmation(command)

    def _check_purchase(self, command: commands.BidAuction | commands.ConvertCollateral) -> None:
        message = (
            BidAuction(
                command.account,
                command.auction,
                command.most_share_e6,
                command.least_share_e6,
                command.most_price_micro,
                command.salt,
                command.expiry_s,
            )
            if isinstance(command, commands.BidAuction)
            else ConvertCollateral(
                command.account,
                command.debtor,
                command.asset,
                command.paid_most_micro,
                command.received_least_micro,
                command.salt,
                command.expiry_s,
            )
        )
        self._check_signature(message, command.message_hash, command.signer, command.signature)

    def _check_transfer(self, command: commands.TransferCash | commands.TransferPosition) -> None:
        account, to, salt, expiry = (
            command.account,
            command.to_account,
            command.salt,
            command.expiry_s,
        )
        if isinstance(command, commands.TransferCash):
            moved: Message = TransferCash(
                account, to, command.asset, command.amount_micro, salt, expiry
            )
        else:
            position = (command.instrument, command.side, command.quantity_lots)
            moved = TransferPosition(account, to, *position, salt, expiry)
        self._check_signature(moved, command.message_hash, command.signer, command.signature)

    def _check_genesis(self, command: commands.Genesis) -> None:
        named = (command.chain_id, command.settlement, command.operator)
        if named != (self._chain.chain_id, self._chain.settlement, self._chain.operator):
            raise Fault("the journal belongs to another chain, contract or operator")

    def _check_signature(
        self, message: Message, said_hash: bytes | None, signer: bytes, signature: bytes
    ) -> None:
        """The hash and the signer that the door wrote down, computed again."""
        account: int = getattr(message, "account", 0)
        self._check_hash(struct_hash(message), account, said_hash, signer, signature)

    def _check_mass_quote(self, command: commands.QuoteMass) -> None:
        """The tree of all its orders, built again. One of which no tree can be made has no
        signature to check, and the engine must refuse it.
        """
        message = mass_quote_of(command)
        if check_mass_quote(message) is not None:
            return
        self._check_hash(
            mass_quote_hash(message),
            command.account,
            command.message_hash,
            command.signer,
            command.signature,
        )

    def _check_hash(
        self,
        message_hash: bytes,
        account: int | None,
        said_hash: bytes | None,
        signer: bytes,
        signature: bytes,
    ) -> None:
        self._signatures += 1
        if said_hash is not None and said_hash != message_hash:
            raise Fault("a signed message has another hash than the journal says", account=account)
        recovered = recover(signing_digest(self._separator, message_hash), signature)
        if isinstance(recovered, Reject):
            raise Fault(f"a signature in the journal is none: {recovered.message}", account=account)
        if recovered != signer:
            raise Fault(
                "a message was signed by another key than the journal says", account=account
            )

    def _check_inbox(
        self, command: commands.OpenAccount | commands.CreditDeposit | commands.RegisterKey
    ) -> None:
        """A command that says it came from the Vault must have come from there."""
        inbox = self._chain.inbox
        if command.inbox_index >= len(inbox):
            raise Fault(
                "the journal has an inbox entry that the chain has not", account=command.account
            )
        entry = inbox[command.inbox_index]
        if isinstance(command, commands.OpenAccount):
            same = entry.kind == ACCOUNT_OPENED and entry.subject == command.owner
        elif isinstance(command, commands.CreditDeposit):
            same = (entry.kind, entry.asset, entry.amount) == (
                DEPOSITED,
                command.asset,
                command.amount_micro,
            )
        else:
            same = (entry.subject, entry.valid_until_s) == (command.key, command.valid_until_s)
        if not same or entry.account != command.account:
            raise Fault(
                f"inbox entry {command.inbox_index} is another on chain", account=command.account
            )

    def _check_confirmation(self, command: commands.ConfirmBatch) -> None:
        batches = self._chain.batches
        if not 0 < command.number <= len(batches):
            raise Fault("the journal confirms a batch that was not posted", command.number)
        posted = batches[command.number - 1]
        if (posted.block, posted.transaction) != (command.block, command.transaction):
            raise Fault("the journal confirms a batch in another transaction", command.number)

    # BATCHES

    def _open(self) -> None:
        """After Genesis: the root that the contract was deployed with, and the second ledger."""
        state = self._state
        if state.ledger is None:
            raise Fault("the journal's Genesis is refused by the engine")
        if state.ledger.root() != self._chain.genesis_root:
            raise Fault("the genesis root on chain is another")
        schedule = state.portfolio.schedule
        self._ledger = _ledger_of(state, schedule)

    def _take_batch(self, cut: events.BatchCut) -> None:
        """Holds the batch that the journal gives against the posted one, and that against its
        own records.
        """
        posted = next(self._posted, None)
        if posted is None:
            return
        ours = decode_batch(cut.data)
        if not isinstance(ours, Batch) or self._ledger is None:
            raise AssertionError("a batch that was just cut decodes")
        number = cut.number
        different = first_difference(ours.records, posted.batch.records)
        if different is not None:
            raise _fault_of(number, different)
        roots = posted.batch.chunk_roots
        if len(roots) != len(ours.chunk_roots):
            raise Fault(f"{len(roots)} roots for {len(ours.chunk_roots)} chunks", number)
        for chunk, (our_root, root) in enumerate(zip(ours.chunk_roots, roots, strict=True)):
            if our_root != root:
                raise Fault(f"the root of chunk {chunk} is not what its records make", number)
        for name, our_value, value in zip(
            ours.header._fields, ours.header, posted.batch.header, strict=True
        ):
            if our_value != value:
                raise Fault(
                    f"{name} of the header is {value!r}; the journal makes {our_value!r}", number
                )
        unlawful = verify_batch(
            self._ledger, ours.header, posted.batch.chunk_roots, posted.batch.records
        )
        if unlawful is not None:
            raise _fault_of(number, unlawful)
        self._check_conservation(number)
        self._batches += 1
        self._covered = self._sequence
        self._count(posted.batch.records)

    def _check_conservation(self, number: int) -> None:
        ledger = self._ledger
        assert ledger is not None, "a batch comes after Genesis"
        if ledger.liabilities() + ledger.withdrawn_micro != ledger.credited_micro:
            raise Fault("what is owed and what came in do not agree", number)
        for asset, sums in ledger.assets.items():
            if ledger.recount_asset(asset) + sums.withdrawn_micro != sums.credited_micro:
                raise Fault(f"what is held of asset {asset} and what came in do not agree", number)

    def _count(self, records: bytes) -> None:
        for at in range(0, len(records), RECORD_BYTES):
            kind = records[at]
            self._records += kind != PADDING
            self._fills += kind == FILL

    # THE END

    def finish(self) -> None:
        """Nothing posted that the journal does not make; nothing owed that the Vault does not
        hold.
        """
        if self._ledger is None:
            raise Fault("the journal is empty")
        posted = next(self._posted, None)
        if posted is not None and self._batches < self._required:
            raise Fault(
                "a batch was posted that the journal does not make", posted.batch.header.number
            )
        broken = check(self._state)
        if broken:
            raise Fault(f"the state breaks an invariant: {broken[0]}")
        for asset, held in enumerate((self._chain.vault_micro, *self._chain.vault_assets_micro)):
            owed = self._owed_by_vault(asset)
            if held < owed:
                what = "micro-USDC" if asset == USDC else f"micro-units of asset {asset}"
                raise Fault(f"the Vault holds {held} {what} and owes {owed}")

    def _owed_by_vault(self, asset: int) -> int:
        """What entered less what was paid; what waits to be credited or batched included."""
        paid = sum(claim.amount for claim in self._chain.claims if claim.asset == asset)
        entered = sum(
            entry.amount
            for entry in self._chain.inbox
            if entry.kind == DEPOSITED and entry.asset == asset
        )
        return entered - paid

    def report(self, fault: Fault | None) -> AuditReport:
        ledger = self._ledger
        report = AuditReport(
            verdict="pass" if fault is None else "fail",
            commands=self._sequence,
            signatures=self._signatures,
            batches=self._batches,
            records=self._records,
            fills=self._fills,
            accounts=len(self._state.accounts),
            commands_after=self._sequence - self._covered,
            state_root="0x" + (ledger.root().hex() if ledger else ""),
            credited_micro=ledger.credited_micro if ledger else 0,
            withdrawn_micro=ledger.withdrawn_micro if ledger else 0,
            liabilities_micro=ledger.liabilities() if ledger else 0,
            vault_micro=self._chain.vault_micro,
            inbox_waiting=max(0, len(self._chain.inbox) - self._state.inbox_cursor),
            batches_unposted=max(0, self._state.batches_cut - len(self._chain.batches)),
        )
        if fault is None:
            return report
        return msgspec.structs.replace(
            report,
            reason=fault.reason,
            batch=fault.batch,
            record=fault.record,
            account=fault.account,
            sequence=self._sequence,
        )


def _ledger_of(state: State, schedule: FeeSchedule) -> Ledger:
    """A ledger at genesis that sees no journal."""
    body = genesis_body(
        state.chain_id, state.settlement, state.operator, schedule, SCAN_WIDTH_PERCENT
    )
    return Ledger(body, schedule)


def _fault_of(number: int, found: Divergence) -> Fault:
    return Fault(found.reason, number, found.record, found.account)
