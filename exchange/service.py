"""The exchange as one process runs it: doors in front, sequencer and engine inside, settlement
behind.

Holds: implements `venue.Venue`; what a message has wrong in itself is told before its signature
is looked at, a wrong signature before the journal; every verdict on what was journaled is
acknowledged by the operator's signature; views read the state as of the last command applied.
Never: changes the state but through the sequencer.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from exchange import clearing_views, collateral_views, commands, margin_views, views
from exchange.codec import decode_command
from exchange.engine import apply
from exchange.events import CommandRejected, Event
from exchange.journal import Journal
from exchange.margin_reports import FallReport, LegTrade, MarginReport
from exchange.mark_views import mark_view
from exchange.market_data import PublicMarket
from exchange.read_model import ReadModel
from exchange.sequencer import MAX_WAITING, Applied, Build, Sequencer, SequencerStopped
from exchange.state import State
from exchange.symbols import legs_symbol, resolve_symbol
from exchange.venue import (
    Acknowledgement,
    AssetView,
    AuctionView,
    BookView,
    ClearingView,
    DomainView,
    FillPage,
    InstrumentView,
    Legs,
    Listener,
    MarginView,
    MarkView,
    OracleStatus,
    OrderView,
    PositionView,
    ProtectionView,
    SignatureFault,
    StatusView,
    Verdict,
    WithdrawalView,
)
from margin.what_if import Change
from matching.combos import COMBO_BASE
from matching.orders import UNTIL_DISCONNECT
from matching.rejects import (
    MALFORMED,
    NOT_A_REPORTER,
    ORACLE_NOT_ARMED,
    UNKNOWN_ACCOUNT,
    VENUE_BUSY,
    VENUE_STOPPING,
    WRONG_SIGNER,
    Reject,
)
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
from settlement.mass_quotes import MassQuote, check_mass_quote, mass_quote_hash
from settlement.order_fields import check_order_fields
from settlement.price_reports import PriceReport, check_report_fields, price_report_hash
from settlement.signature import Signer, recover
from settlement.signed_messages import Acknowledgement as SignedAcknowledgement
from settlement.signed_messages import (
    Cancel,
    CancelAll,
    CancelWhere,
    Order,
    domain_separator,
    signing_digest,
    struct_hash,
)

_BUSY_RETRY_MS: Final = 100
HASH_BYTES: Final = 32
_log: Final = logging.getLogger(__name__)


_OfAccount = (
    SetProtection
    | ChooseMargin
    | ResetProtection
    | TransferCash
    | TransferPosition
    | BidAuction
    | FundInsurance
    | ConvertCollateral
)


class JournalUnreadable(Exception):
    """An entry of the journal is no command of this version."""


class Exchange:
    """The running exchange. `open` it on a journal directory, `start` it inside an event loop,
    `stop` it.
    """

    def __init__(self, journal: Journal, operator: Signer, clock: Callable[[], int]) -> None:
        self.state = State()
        self.read_model = ReadModel(self.state.instruments)
        self.market_data = PublicMarket(self.state.instruments)
        self.journal = journal
        self.vault = bytes(20)
        self.is_chain_up: Callable[[], bool] = lambda: True
        self.on_applied: Callable[[Applied], None] = lambda _: None
        self._operator = operator
        self._listeners: dict[int, Listener] = {}
        self._next_listener = 0
        self._separator = b""
        self._sessions: dict[int, bool] = {}
        self._ending: list[asyncio.Task[None]] = []
        try:
            self._replay()
        except BaseException:
            journal.close()
            raise
        self._last_session = self.state.waiting.last_session
        self.sequencer = Sequencer(self.state, journal, clock, self._on_applied)
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def open(
        cls,
        directory: Path,
        operator: Signer,
        *,
        clock: Callable[[], int] = time.time_ns,
        fsync: bool = True,
    ) -> "Exchange":
        """Opens the journal in `directory` and replays it. Raises JournalError where it cannot
        be opened or is damaged, JournalUnreadable where it is not ours.
        """
        return cls(Journal.open(directory, fsync=fsync), operator, clock)

    def _replay(self) -> None:
        for entry in self.journal.read():
            command = decode_command(entry.payload)
            if isinstance(command, Reject):
                raise JournalUnreadable(
                    f"the journal {self.journal.directory} cannot be replayed: entry"
                    f" {entry.sequence}: {command.message}"
                )
            self._learn(entry.sequence, command.time_ns, apply(self.state, command))

    # RUNNING

    def start(self) -> None:
        """Begins to take commands. First go the orders of connections that ended with an earlier
        run.
        """
        loop = asyncio.get_running_loop()
        for session in self.state.waiting.sessions:
            self._ending.append(loop.create_task(self._end(session)))
        self._task = loop.create_task(self.sequencer.run())

    async def stop(self) -> None:
        """Takes what waits, then closes the journal."""
        if self._task is not None:
            self.sequencer.stop()
            try:
                await self._task
            finally:
                self.journal.close()
        else:
            self.journal.close()

    async def submit(self, build: Build) -> Applied:
        """Journals and applies a command of the exchange itself or of the chain."""
        return await self.sequencer.submit(build)

    def _on_applied(self, applied: Applied) -> None:
        self._learn(applied.sequence, applied.time_ns, applied.events)
        for number, listener in list(self._listeners.items()):
            try:
                listener(applied.sequence, applied.time_ns, applied.events)
            except Exception:  # a door that breaks must not take the exchange with it
                _log.exception("a listener broke and is dropped")
                self._listeners.pop(number, None)
        self.on_applied(applied)

    def _learn(self, sequence: int, time_ns: int, events: tuple[Event, ...]) -> None:
        if not self._separator and self.state.settlement:
            self._separator = domain_separator(self.state.chain_id, self.state.settlement)
        self.read_model.take(sequence, time_ns, events)
        self.market_data.take(sequence, time_ns, events)

    def listen(self, listener: Listener) -> Callable[[], None]:
        number = self._next_listener
        self._next_listener += 1
        self._listeners[number] = listener

        def end() -> None:
            self._listeners.pop(number, None)

        return end

    # SESSIONS

    def begin_session(self) -> int:
        self._last_session += 1
        self._sessions[self._last_session] = False
        return self._last_session

    async def end_session(self, session: int) -> None:
        if self._sessions.pop(session, False):
            await self._end(session)

    async def _end(self, session: int) -> None:
        with contextlib.suppress(SequencerStopped):  # then the next run begins with it
            await self.submit(lambda time_ns, _: commands.EndSession(time_ns, session))

    # MESSAGES

    async def place(self, order: Order, signature: bytes, session: int = 0) -> Verdict:
        if len(order.replaces) != HASH_BYTES:
            return _refused(bytes(HASH_BYTES), Reject(MALFORMED, len(order.replaces)))
        message_hash = struct_hash(order)
        reject = check_order_fields(order)
        if reject is not None:
            return _refused(message_hash, reject)
        signer = self._signer(order.account, message_hash, signature)
        if isinstance(signer, Verdict):
            return signer
        if not order.flags & UNTIL_DISCONNECT or session not in self._sessions:
            session = 0
        if session:
            self._sessions[session] = True
        return await self._decide(
            message_hash,
            lambda time_ns, _: commands.PlaceOrder(
                time_ns, order, message_hash, signer, signature, session
            ),
        )

    async def cancel(self, cancel: Cancel, signature: bytes) -> Verdict:
        if len(cancel.order_hash) != HASH_BYTES:
            return _refused(bytes(HASH_BYTES), Reject(MALFORMED, len(cancel.order_hash)))
        message_hash = struct_hash(cancel)
        signer = self._signer(cancel.account, message_hash, signature)
        if isinstance(signer, Verdict):
            return signer
        return await self._decide(
            message_hash,
            lambda time_ns, _: commands.CancelOrder(
                time_ns, cancel.account, cancel.order_hash, signer, signature
            ),
        )

    async def cancel_all(self, cancel_all: CancelAll, signature: bytes) -> Verdict:
        message_hash = struct_hash(cancel_all)
        signer = self._signer(cancel_all.account, message_hash, signature)
        if isinstance(signer, Verdict):
            return signer
        return await self._decide(
            message_hash,
            lambda time_ns, _: commands.CancelAllOrders(
                time_ns, cancel_all.account, cancel_all.new_counter, signer, signature
            ),
        )

    async def cancel_where(self, cancel: CancelWhere, signature: bytes) -> Verdict:
        message_hash = struct_hash(cancel)
        signer = self._signer(cancel.account, message_hash, signature)
        if isinstance(signer, Verdict):
            return signer
        return await self._decide(
            message_hash,
            lambda time_ns, _: commands.CancelWhere(
                time_ns, *cancel, message_hash, signer, signature
            ),
        )

    async def quote_mass(self, message: MassQuote, signature: bytes) -> Verdict:
        reject = check_mass_quote(message)
        if reject is not None:
            return _refused(bytes(HASH_BYTES), reject)
        message_hash = mass_quote_hash(message)
        signer = self._signer(message.account, message_hash, signature)
        if isinstance(signer, Verdict):
            return signer
        head, quotes = message[:-1], tuple(message.quotes)
        return await self._decide(
            message_hash,
            lambda time_ns, _: commands.QuoteMass(
                time_ns, *head, quotes, message_hash, signer, signature
            ),
        )

    async def _take(
        self, kind: Callable[..., commands.Command], message: _OfAccount, signature: bytes
    ) -> Verdict:
        """A signed message whose fields are its command's: `kind` makes it."""
        message_hash = struct_hash(message)
        signer = self._signer(message.account, message_hash, signature)
        if isinstance(signer, Verdict):
            return signer
        return await self._decide(
            message_hash,
            lambda time_ns, _: kind(time_ns, *message, message_hash, signer, signature),
        )

    async def set_protection(self, message: SetProtection, signature: bytes) -> Verdict:
        return await self._take(commands.SetProtection, message, signature)

    async def choose_margin(self, message: ChooseMargin, signature: bytes) -> Verdict:
        return await self._take(commands.ChooseMargin, message, signature)

    async def reset_protection(self, message: ResetProtection, signature: bytes) -> Verdict:
        return await self._take(commands.ResetProtection, message, signature)

    async def transfer_cash(self, message: TransferCash, signature: bytes) -> Verdict:
        return await self._take(commands.TransferCash, message, signature)

    async def transfer_position(self, message: TransferPosition, signature: bytes) -> Verdict:
        return await self._take(commands.TransferPosition, message, signature)

    async def bid_auction(self, message: BidAuction, signature: bytes) -> Verdict:
        return await self._take(commands.BidAuction, message, signature)

    async def fund_insurance(self, message: FundInsurance, signature: bytes) -> Verdict:
        return await self._take(commands.FundInsurance, message, signature)

    async def withdraw(self, withdraw: Withdraw, signature: bytes) -> Verdict:
        message_hash = struct_hash(withdraw)
        signer = self._signer(withdraw.account, message_hash, signature)
        if isinstance(signer, Verdict):
            return signer
        return await self._decide(
            message_hash,
            lambda time_ns, _: commands.RequestWithdrawal(
                time_ns,
                withdraw.account,
                withdraw.asset,
                withdraw.amount_micro,
                withdraw.salt,
                message_hash,
                signer,
                signature,
            ),
        )

    async def convert_collateral(self, message: ConvertCollateral, signature: bytes) -> Verdict:
        return await self._take(commands.ConvertCollateral, message, signature)

    async def report_prices(self, report: PriceReport, signature: bytes) -> Verdict:
        reject = check_report_fields(report)
        if reject is not None:
            return _refused(bytes(HASH_BYTES), reject)
        message_hash = price_report_hash(report)
        oracle = self.state.oracles.get(report.underlying)
        if oracle is None or oracle.terms is None:
            return _refused(message_hash, Reject(ORACLE_NOT_ARMED, report.underlying))
        reporters = oracle.terms.reporters
        digest = signing_digest(self._separator, message_hash)
        signer = recover(digest, signature)
        if isinstance(signer, Reject):
            fault = SignatureFault(None, digest, self._separator, message_hash)
            return _refused(message_hash, signer, fault)
        if signer not in reporters:
            fault = SignatureFault(signer, digest, self._separator, message_hash)
            stranger = Reject(NOT_A_REPORTER, report.underlying, len(reporters))
            return _refused(message_hash, stranger, fault)
        head, expiries = report[:-1], tuple(report.expiries)
        return await self._decide(
            message_hash,
            lambda time_ns, _: commands.ReportPrices(
                time_ns, *head, expiries, message_hash, signer, signature
            ),
        )

    def _signer(self, number: int, message_hash: bytes, signature: bytes) -> bytes | Verdict:
        """The address that signed, if it may act for the account; else the verdict, with all
        that was computed.
        """
        account = self.state.accounts.get(number)
        if account is None:
            return _refused(message_hash, Reject(UNKNOWN_ACCOUNT, number, len(self.state.accounts)))
        digest = signing_digest(self._separator, message_hash)
        signer = recover(digest, signature)
        if isinstance(signer, Reject):
            fault = SignatureFault(None, digest, self._separator, message_hash)
            return _refused(message_hash, signer, fault)
        if signer != account.owner and signer not in account.keys:
            fault = SignatureFault(signer, digest, self._separator, message_hash)
            return _refused(message_hash, Reject(WRONG_SIGNER, number), fault)
        return signer

    async def _decide(self, message_hash: bytes, build: Build) -> Verdict:
        """Journals and applies a signed message, and acknowledges the verdict."""
        if self.sequencer.waiting >= MAX_WAITING:
            return _refused(
                message_hash, Reject(VENUE_BUSY, self.sequencer.waiting, _BUSY_RETRY_MS)
            )
        try:
            applied = await self.sequencer.submit(build)
        except SequencerStopped:
            return _refused(message_hash, Reject(VENUE_STOPPING))
        reject = None
        for event in applied.events:
            if isinstance(event, CommandRejected):
                reject = Reject(event.code, event.got, event.allowed)
        return Verdict(
            message_hash,
            applied.sequence,
            applied.time_ns,
            applied.events,
            reject,
            None,
            self.acknowledge(applied.sequence, message_hash, applied.chain_hash),
        )

    def acknowledge(self, sequence: int, order_hash: bytes, journal_hash: bytes) -> Acknowledgement:
        """The operator's signed word on a journaled message."""
        said = struct_hash(SignedAcknowledgement(sequence, order_hash, journal_hash))
        signature = self._operator.sign(signing_digest(self._separator, said))
        return Acknowledgement(sequence, order_hash, journal_hash, signature)

    # VIEWS

    def domain(self) -> DomainView:
        return views.domain(self.state, self.vault)

    def oracles(self) -> Sequence[OracleStatus]:
        return views.oracles(self.state)

    def status(self) -> StatusView:
        return views.status(self.state, self.is_chain_up())

    def instruments(self) -> Sequence[InstrumentView]:
        return views.instruments(self.state)

    def resolve(self, symbol: str) -> Legs | Reject:
        return resolve_symbol(symbol, self.state.symbols)

    def symbol_of(self, legs: Legs) -> str:
        return legs_symbol(legs, self.state.instruments)

    def legs_of(self, book: int) -> Legs:
        return ((book, 1),) if book < COMBO_BASE else self.read_model.combos[book]

    def market(self) -> PublicMarket:
        return self.market_data

    def mark(self, legs: Legs) -> MarkView | None:
        return mark_view(self.state, legs)

    def assets(self) -> Sequence[AssetView]:
        return collateral_views.assets(self.state)

    def counter_of(self, account: int) -> int | Reject:
        return views.unknown(self.state, account) or self.state.accounts[account].counter

    def book(self, legs: Legs, depth: int) -> BookView | Reject:
        return views.book(self.state, legs, depth)

    def positions(self, account: int) -> Sequence[PositionView] | Reject:
        return views.positions(self.state, account)

    def protections(self, account: int) -> Sequence[ProtectionView] | Reject:
        return views.protections(self.state, account)

    def accounts_of(self, owner: bytes) -> Sequence[MarginView]:
        return views.accounts_of(self.state, owner)

    def auctions(self) -> Sequence[AuctionView]:
        return clearing_views.auctions(self.state)

    def clearing(self) -> ClearingView:
        return clearing_views.clearing(self.state)

    def margin(self, account: int) -> MarginView | Reject:
        return views.margin(self.state, account)

    def margin_breakdown(self, account: int) -> MarginReport | Reject:
        return margin_views.breakdown(self.state, account)

    def liquidation_prices(self, account: int) -> FallReport | Reject:
        return margin_views.fall(self.state, account)

    def what_if(self, account: int, trades: Sequence[LegTrade]) -> Change | Reject:
        return margin_views.what_if(self.state, account, trades)

    def what_if_rests(self, account: int, trade: LegTrade) -> Change | Reject:
        return margin_views.what_if_rests(self.state, account, trade)

    def portfolio_margin(
        self, cash_micro: int, positions: Sequence[tuple[int, int]]
    ) -> MarginReport | Reject:
        return margin_views.portfolio_margin(self.state, cash_micro, positions)

    def orders(self, account: int) -> Sequence[OrderView] | Reject:
        return views.orders(self.state, account)

    def order(self, order_hash: bytes) -> OrderView | None:
        return views.order(self.state, order_hash)

    def fills(self, account: int, since: int, limit: int) -> FillPage | Reject:
        return views.unknown(self.state, account) or self.read_model.fills(account, since, limit)

    def withdrawals(self, account: int) -> Sequence[WithdrawalView] | Reject:
        return views.unknown(self.state, account) or views.withdrawals(self.read_model, account)


def _refused(message_hash: bytes, reject: Reject, fault: SignatureFault | None = None) -> Verdict:
    """A verdict at the door: nothing was journaled."""
    return Verdict(message_hash, 0, 0, (), reject, fault)
