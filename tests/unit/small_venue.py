"""A venue small enough to read at a glance: real signatures, naive books, cash without margin.

Doors and clients are tested against it; the rules of the exchange are tested elsewhere.
"""

import asyncio
from collections.abc import Callable, Sequence

from exchange import events
from exchange.events import Event
from exchange.market_data import PublicMarket
from exchange.strategy_names import legs_text
from exchange.symbols import resolve_symbol
from exchange.venue import (
    Acknowledgement,
    AssetView,
    AuctionView,
    BookView,
    ClearingView,
    DomainView,
    FillPage,
    FillView,
    InstrumentView,
    Legs,
    LevelView,
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
from exchange.wallet import SigningDomain, Wallet
from matching.combos import COMBO_BASE
from matching.instruments import Expiry, Instrument, Underlying
from matching.orders import IOC
from matching.rejects import (
    COUNTER_CANCELLED,
    COUNTER_MUST_RISE,
    LOTS_NOT_HELD,
    NOT_AUCTIONED,
    NOT_IN_DEBT,
    NOT_YOUR_ORDER,
    ORACLE_NOT_ARMED,
    ORDER_ALREADY_USED,
    ORDER_NOT_LIVE,
    TRANSFER_TOO_LARGE,
    UNKNOWN_ACCOUNT,
    UNKNOWN_INSTRUMENT,
    WITHDRAWAL_TOO_LARGE,
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
from settlement.mass_quotes import MassQuote
from settlement.price_reports import PriceReport, price_report_hash
from settlement.signature import Signer, recover
from settlement.signed_messages import (
    Acknowledgement as SignedAcknowledgement,
)
from settlement.signed_messages import (
    Cancel,
    CancelAll,
    CancelWhere,
    Message,
    Order,
    domain_separator,
    signing_digest,
    struct_hash,
)

DOMAIN = SigningDomain(31_337, bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3"))
LOT_E8 = 1_000_000
BTC = Underlying(0, "BTC", LOT_E8)
MARCH = Expiry(0, BTC, 1_774_598_400)
SYMBOLS = (
    "BTC-27MAR26-90000-C",
    "BTC-27MAR26-100000-C",
    "BTC-27MAR26-90000-P",
    "BTC-27MAR26-110000-C",
)
LISTED = [
    Instrument(number, 3 if symbol.endswith("P") else 2, BTC, MARCH, strike, 10_000)
    for number, symbol in enumerate(SYMBOLS)
    for strike in (int(symbol.split("-")[2]) * 10_000,)
]
START_NS = 1_768_435_200_000_000_000
OPENING_CASH_MICRO = 1_000_000_000


class Resting:
    def __init__(self, order: Order, order_hash: bytes, order_id: int, book: int) -> None:
        self.order, self.hash, self.id, self.book = order, order_hash, order_id, book
        self.left = order.quantity_lots


class SmallVenue:
    """Accounts 0, 1, ... belong to `wallets`. `delay_s` is how long "the disk" takes."""

    def __init__(self, wallets: Sequence[Wallet], delay_s: float = 0.0) -> None:
        self.owners = [wallet.address for wallet in wallets]
        self.operator = Signer(b"\x07" * 32)
        self.separator = domain_separator(*DOMAIN)
        self.delay_s = delay_s
        self.sequence = 0
        self.listeners: list[Listener] = []
        self.market_data = PublicMarket(LISTED)
        self.live: dict[bytes, Resting] = {}
        self.used: dict[bytes, None] = {}
        self.combos: list[Legs] = []
        self.counters = [0 for _ in wallets]
        self.cash = [OPENING_CASH_MICRO for _ in wallets]
        self.held: list[dict[int, int]] = [{} for _ in wallets]
        self.fills_of: list[list[FillView]] = [[] for _ in wallets]
        self.withdrawals_of: list[list[WithdrawalView]] = [[] for _ in wallets]
        self.received: list[Message] = []
        self.reports: list[PriceReport] = []
        self.trade = 0
        self.fund = 0

    # Messages

    async def report_prices(self, report: PriceReport, signature: bytes) -> Verdict:
        del signature
        self.reports.append(report)
        return Verdict(price_report_hash(report), 0, 0, (), Reject(ORACLE_NOT_ARMED, 0))

    def oracles(self) -> list[OracleStatus]:
        return []

    def begin_session(self) -> int:
        return 1

    async def end_session(self, session: int) -> None:
        del session

    async def place(self, order: Order, signature: bytes, session: int = 0) -> Verdict:
        del session
        return await self._take(order, order.account, signature, lambda h: self._place(order, h))

    async def cancel(self, cancel: Cancel, signature: bytes) -> Verdict:
        def apply(_: bytes) -> list[Event] | Reject:
            found = self.live.get(cancel.order_hash)
            if found is None:
                return Reject(ORDER_NOT_LIVE)
            if found.order.account != cancel.account:
                return Reject(NOT_YOUR_ORDER, cancel.account, found.order.account)
            return [self._remove(found, events.CANCELLED_BY_OWNER)]

        return await self._take(cancel, cancel.account, signature, apply)

    async def cancel_all(self, cancel_all: CancelAll, signature: bytes) -> Verdict:
        account = cancel_all.account

        def apply(_: bytes) -> list[Event] | Reject:
            if cancel_all.new_counter <= self.counters[account]:
                return Reject(COUNTER_MUST_RISE, cancel_all.new_counter, self.counters[account])
            self.counters[account] = cancel_all.new_counter
            mine = [found for found in self.live.values() if found.order.account == account]
            gone = [self._remove(found, events.CANCELLED_COUNTER) for found in mine]
            return [events.CounterRaised(account, cancel_all.new_counter), *gone]

        return await self._take(cancel_all, account, signature, apply)

    async def cancel_where(self, cancel: CancelWhere, signature: bytes) -> Verdict:
        """Of everything alone."""
        account = cancel.account

        def apply(message_hash: bytes) -> list[Event] | Reject:
            mine = [found for found in self.live.values() if found.order.account == account]
            gone = [self._remove(found, events.CANCELLED_BY_OWNER) for found in mine]
            done = events.OrdersCancelled(account, message_hash, 0, 0, len(gone))
            return [*gone, done]

        return await self._take(cancel, account, signature, apply)

    async def quote_mass(self, message: MassQuote, signature: bytes) -> Verdict:
        raise AssertionError("the small venue takes no quotes")

    async def set_protection(self, message: SetProtection, signature: bytes) -> Verdict:
        def apply(_: bytes) -> list[Event] | Reject:
            return [events.ProtectionSet(*message[:7])]

        return await self._take(message, message.account, signature, apply)

    async def choose_margin(self, message: ChooseMargin, signature: bytes) -> Verdict:
        def apply(_: bytes) -> list[Event] | Reject:
            return [events.MarginChosen(*message[:3], 0)]

        return await self._take(message, message.account, signature, apply)

    async def reset_protection(self, message: ResetProtection, signature: bytes) -> Verdict:
        def apply(_: bytes) -> list[Event] | Reject:
            return [events.ProtectionReset(*message[:2])]

        return await self._take(message, message.account, signature, apply)

    def protections(self, account: int) -> Sequence[ProtectionView] | Reject:
        return []

    async def transfer_cash(self, message: TransferCash, signature: bytes) -> Verdict:
        giver, taker = message.account, message.to_account

        def apply(_: bytes) -> list[Event] | Reject:
            if message.amount_micro > self.cash[giver]:
                return Reject(TRANSFER_TOO_LARGE, message.amount_micro, self.cash[giver])
            if taker >= len(self.cash):
                return Reject(UNKNOWN_ACCOUNT, taker, len(self.cash))
            self.cash[giver] -= message.amount_micro
            self.cash[taker] += message.amount_micro
            return [events.CashTransferred(*message[:4], self.cash[giver], self.cash[taker])]

        return await self._take(message, giver, signature, apply)

    async def transfer_position(self, message: TransferPosition, signature: bytes) -> Verdict:
        def apply(_: bytes) -> list[Event] | Reject:
            return Reject(LOTS_NOT_HELD, message.quantity_lots)

        return await self._take(message, message.account, signature, apply)

    def accounts_of(self, owner: bytes) -> Sequence[MarginView]:
        views = [self.margin(at) for at, found in enumerate(self.owners) if found == owner]
        return [view for view in views if isinstance(view, MarginView)]

    async def bid_auction(self, message: BidAuction, signature: bytes) -> Verdict:
        def apply(_: bytes) -> list[Event] | Reject:
            return Reject(NOT_AUCTIONED, message.auction)

        return await self._take(message, message.account, signature, apply)

    async def fund_insurance(self, message: FundInsurance, signature: bytes) -> Verdict:
        def apply(_: bytes) -> list[Event] | Reject:
            self.fund += message.amount_micro
            return [events.InsuranceFunded(message.account, message.amount_micro, self.fund, 0)]

        return await self._take(message, message.account, signature, apply)

    def auctions(self) -> Sequence[AuctionView]:
        return []

    def clearing(self) -> ClearingView:
        return ClearingView(True, self.fund, 0, 3_600, 0, ())

    async def withdraw(self, withdraw: Withdraw, signature: bytes) -> Verdict:
        account, amount = withdraw.account, withdraw.amount_micro

        def apply(_: bytes) -> list[Event] | Reject:
            if amount > self.cash[account]:
                return Reject(WITHDRAWAL_TOO_LARGE, amount, self.cash[account])
            self.cash[account] -= amount
            number = sum(len(views) for views in self.withdrawals_of)
            self.withdrawals_of[account].append(
                WithdrawalView(number, account, self.owners[account], 0, amount, None, (), False)
            )
            cash = self.cash[account]
            return [events.WithdrawalRequested(account, withdraw.asset, amount, number, cash)]

        return await self._take(withdraw, account, signature, apply)

    async def convert_collateral(self, message: ConvertCollateral, signature: bytes) -> Verdict:
        """Of account 1 alone, at a dollar apiece."""
        buyer, debtor, asset, paid, _, _, _ = message

        def apply(_: bytes) -> list[Event] | Reject:
            if debtor != 1:
                return Reject(NOT_IN_DEBT, self.cash[buyer], -1)
            cash = self.cash[buyer]  # nothing moves here: the door is what is tested
            return [events.CollateralConverted(buyer, debtor, asset, paid, paid, cash, 0, -5, 6)]

        return await self._take(message, buyer, signature, apply)

    def assets(self) -> Sequence[AssetView]:
        return [AssetView(1, "ETH", 18, 1, "ETH", 2_000, 1_500, 5_000_000_000, 500)]

    async def _take(
        self,
        message: Message,
        account: int,
        signature: bytes,
        apply: Callable[[bytes], list[Event] | Reject],
    ) -> Verdict:
        self.received.append(message)
        message_hash = struct_hash(message)
        digest = signing_digest(self.separator, message_hash)
        signer = recover(digest, signature)
        if isinstance(signer, Reject):
            fault = SignatureFault(None, digest, self.separator, message_hash)
            return Verdict(message_hash, 0, START_NS, (), signer, fault)
        if account >= len(self.owners):
            reject = Reject(UNKNOWN_ACCOUNT, account, len(self.owners))
            return Verdict(message_hash, 0, START_NS, (), reject)
        if signer != self.owners[account]:
            fault = SignatureFault(signer, digest, self.separator, message_hash)
            return Verdict(message_hash, 0, START_NS, (), Reject(WRONG_SIGNER, account), fault)
        self.sequence += 1
        sequence, time_ns = self.sequence, self._time_ns()
        outcome = apply(message_hash)
        reject = outcome if isinstance(outcome, Reject) else None
        happened: tuple[Event, ...] = (
            (events.CommandRejected(account, message_hash, *outcome),)
            if isinstance(outcome, Reject)
            else tuple(outcome)
        )
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        self.market_data.take(sequence, time_ns, happened)
        for listener in list(self.listeners):
            listener(sequence, time_ns, happened)
        word = self._acknowledge(sequence, message_hash)
        return Verdict(message_hash, sequence, time_ns, happened, reject, None, word)

    def _acknowledge(self, sequence: int, message_hash: bytes) -> Acknowledgement:
        journal_hash = bytes(31) + bytes((sequence % 256,))
        word = SignedAcknowledgement(sequence, message_hash, journal_hash)
        signature = self.operator.sign(signing_digest(self.separator, struct_hash(word)))
        return Acknowledgement(sequence, message_hash, journal_hash, signature)

    # Books

    def _place(self, order: Order, order_hash: bytes) -> list[Event] | Reject:
        if order_hash in self.used:
            return Reject(ORDER_ALREADY_USED)
        if order.counter < self.counters[order.account]:
            return Reject(COUNTER_CANCELLED, order.counter, self.counters[order.account])
        for instrument, _ in order.legs:
            if instrument >= len(SYMBOLS):
                return Reject(UNKNOWN_INSTRUMENT, instrument, len(SYMBOLS))
        happened: list[Event] = []
        if any(order.replaces):
            old = self.live.get(order.replaces)
            if old is None:
                return Reject(ORDER_NOT_LIVE)
            happened.append(self._remove(old, events.CANCELLED_REPLACED))
        self.used[order_hash] = None
        book = self._book_number(order.legs, happened)
        taker = Resting(order, order_hash, len(self.used), book)
        happened.append(
            events.OrderPlaced(
                taker.id,
                order_hash,
                order.account,
                book,
                order.side,
                order.limit_price_micro,
                order.quantity_lots,
            )
        )
        self._match(taker, happened)
        if not taker.left:
            return happened
        if order.time_in_force >= IOC:
            happened.append(self._cancelled(taker, events.CANCELLED_IMMEDIATE))
            return happened
        self.live[order_hash] = taker
        happened.append(
            events.OrderRested(
                taker.id,
                order_hash,
                order.account,
                book,
                order.side,
                order.limit_price_micro,
                taker.left,
                taker.left,
                0,
            )
        )
        return happened

    def _match(self, taker: Resting, happened: list[Event]) -> None:
        sign = 1 if taker.order.side == 0 else -1
        for maker in self._side(taker.order.legs, 1 - taker.order.side):
            if not taker.left or sign * maker.order.limit_price_micro > (
                sign * taker.order.limit_price_micro
            ):
                return
            self._trade(taker, maker, happened)

    def _trade(self, taker: Resting, maker: Resting, happened: list[Event]) -> None:
        lots = min(taker.left, maker.left)
        taker.left -= lots
        maker.left -= lots
        if not maker.left:
            del self.live[maker.hash]
        self.trade += 1
        price, buys = maker.order.limit_price_micro, int(taker.order.side == 0)
        if len(taker.order.legs) > 1:
            happened.append(
                events.ComboFilled(
                    self.trade,
                    taker.book,
                    price,
                    lots,
                    buys,
                    taker.id,
                    taker.hash,
                    taker.order.account,
                    taker.left,
                    maker.id,
                    maker.hash,
                    maker.order.account,
                    maker.left,
                )
            )
            return
        fees = (200, 100)
        happened.append(
            events.OrderFilled(
                self.trade,
                taker.book,
                price // 10_000,
                price,
                lots,
                buys,
                taker.id,
                taker.hash,
                taker.order.account,
                fees[0],
                taker.left,
                maker.id,
                maker.hash,
                maker.order.account,
                fees[1],
                maker.left,
                0,
            )
        )
        for is_maker, side in enumerate((taker, maker)):
            account, bought = side.order.account, side.order.side == 0
            signed_lots = lots if bought else -lots
            self.cash[account] -= signed_lots * price + fees[is_maker]
            held = self.held[account]
            held[taker.book] = held.get(taker.book, 0) + signed_lots
            self.fills_of[account].append(
                FillView(
                    self.sequence,
                    self._time_ns(),
                    self.trade,
                    taker.book,
                    SYMBOLS[taker.book],
                    side.order.side,
                    price,
                    lots,
                    fees[is_maker],
                    bool(is_maker),
                    side.hash,
                    0,
                )
            )

    def _side(self, legs: Legs, side: int) -> list[Resting]:
        found = [
            resting
            for resting in self.live.values()
            if resting.order.legs == legs and resting.order.side == side
        ]
        sign = -1 if side == 0 else 1
        return sorted(found, key=lambda resting: sign * resting.order.limit_price_micro)

    def _book_number(self, legs: Legs, happened: list[Event]) -> int:
        if len(legs) == 1:
            return legs[0][0]
        if legs not in self.combos:
            self.combos.append(legs)
            number = COMBO_BASE + len(self.combos) - 1
            happened.append(events.ComboCreated(number, legs, 10_000))
        return COMBO_BASE + self.combos.index(legs)

    def _remove(self, resting: Resting, reason: int) -> Event:
        del self.live[resting.hash]
        return self._cancelled(resting, reason)

    def _cancelled(self, of: Resting, reason: int) -> Event:
        return events.OrderCancelled(
            of.id, of.hash, of.order.account, of.book, of.order.side, of.left, reason
        )

    # Views

    def listen(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def domain(self) -> DomainView:
        return DomainView(
            "Straddle",
            "1",
            DOMAIN.chain_id,
            DOMAIN.settlement,
            b"\x02" * 20,
            self.operator.address,
            100,
            300,
            1_250,
            50,
            1_000,
            100,
        )

    def status(self) -> StatusView:
        accounts = len(self.owners)
        return StatusView(
            self.sequence, self._time_ns(), bytes(32), 0, 0, len(self.live), accounts, True
        )

    def instruments(self) -> Sequence[InstrumentView]:
        return [
            InstrumentView(
                number,
                symbol,
                3 if symbol.endswith("P") else 2,
                "BTC",
                1_774_598_400,
                int(symbol.split("-")[2]) * 10_000,
                10_000,
                LOT_E8,
                True,
                12_350_000,
                955_861_600,
            )
            for number, symbol in enumerate(SYMBOLS)
        ]

    def resolve(self, symbol: str) -> Legs | Reject:
        return resolve_symbol(symbol, {name: number for number, name in enumerate(SYMBOLS)})

    def symbol_of(self, legs: Legs) -> str:
        return legs_text([(SYMBOLS[number], ratio) for number, ratio in legs])

    def legs_of(self, book: int) -> Legs:
        return self.combos[book - COMBO_BASE]

    def market(self) -> PublicMarket:
        return self.market_data

    def mark(self, legs: Legs) -> MarkView | None:
        return MarkView(12_350_000, 955_861_600, 0.5, 0.25, 0.0, 1.0, -1.0)

    def counter_of(self, account: int) -> int | Reject:
        return self._known(account) or self.counters[account]

    def book(self, legs: Legs, depth: int) -> BookView | Reject:
        def levels(side: int) -> tuple[LevelView, ...]:
            by_price: dict[int, list[Resting]] = {}
            for resting in self._side(legs, side):
                by_price.setdefault(resting.order.limit_price_micro, []).append(resting)
            return tuple(
                LevelView(price, sum(each.left for each in at), len(at))
                for price, at in list(by_price.items())[:depth]
            )

        return BookView(self.symbol_of(legs), legs, 10_000, self.sequence, levels(0), levels(1))

    def positions(self, account: int) -> Sequence[PositionView] | Reject:
        return self._known(account) or [
            PositionView(number, SYMBOLS[number], lots, 12_350_000, lots * 12_350_000)
            for number, lots in self.held[account].items()
            if lots
        ]

    def margin(self, account: int) -> MarginView | Reject:
        if account >= len(self.owners):
            return Reject(UNKNOWN_ACCOUNT, account, len(self.owners))
        cash = self.cash[account]
        mine = sum(found.order.account == account for found in self.live.values())
        held = len(self.held[account])
        return MarginView(account, cash, cash, 0, 0, cash, cash, mine, held, 0)

    def orders(self, account: int) -> Sequence[OrderView] | Reject:
        return self._known(account) or [
            self._order_view(found)
            for found in self.live.values()
            if found.order.account == account
        ]

    def order(self, order_hash: bytes) -> OrderView | None:
        found = self.live.get(order_hash)
        return None if found is None else self._order_view(found)

    def fills(self, account: int, since: int, limit: int) -> FillPage | Reject:
        if account >= len(self.owners):
            return Reject(UNKNOWN_ACCOUNT, account, len(self.owners))
        after = [fill for fill in self.fills_of[account] if fill.sequence > since]
        page, rest = after[:limit], after[limit:]
        while rest and rest[0].sequence == page[-1].sequence:
            page.append(rest.pop(0))
        return FillPage(tuple(page), page[-1].sequence if page else since, bool(rest))

    def withdrawals(self, account: int) -> Sequence[WithdrawalView] | Reject:
        return self._known(account) or self.withdrawals_of[account]

    def _order_view(self, found: Resting) -> OrderView:
        order = found.order
        return OrderView(
            found.hash,
            order.account,
            self.symbol_of(order.legs),
            order.legs,
            order.side,
            order.limit_price_micro,
            order.quantity_lots,
            found.left,
            order.expiry_s,
        )

    def _known(self, account: int) -> Reject | None:
        known = account < len(self.owners)
        return None if known else Reject(UNKNOWN_ACCOUNT, account, len(self.owners))

    def _time_ns(self) -> int:
        return START_NS + self.sequence * 1_000_000
