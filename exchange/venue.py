"""What a door (JSON-RPC, FIX, later others) may ask of the exchange, and the values it gets
back.

Holds: a door sees the exchange through `Venue` alone; every answer to a message that changes
something is a `Verdict`, given once and only after the command is durable. Views are snapshots:
integers in protocol units, which the door turns into decimals with `symbols.py`.
Never: knows a socket, a wire format or the engine's state.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from exchange.events import Event
from exchange.margin_reports import FallReport, LegTrade, MarginReport
from exchange.market_data.display_marks import NO_BOUNDS, Bounds
from exchange.market_data.market import PublicMarket
from margin.what_if import Change
from matching.rejects import Reject
from matching.trading_states import OPEN
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
from settlement.price_reports import PriceReport
from settlement.signed_messages import Cancel, CancelAll, CancelWhere, Order

Legs = tuple[tuple[int, int], ...]
"""(instrument, ratio) in canonical order; a single instrument is ((instrument, 1),)."""


class SignatureFault(msgspec.Struct, frozen=True):
    """What the server computed for a message whose signature it refused, so that the signer can
    compare. `recovered_signer` is None where nothing could be recovered.
    """

    recovered_signer: bytes | None
    digest: bytes
    domain_separator: bytes
    struct_hash: bytes


class Acknowledgement(msgspec.Struct, frozen=True):
    """The operator's signature (65 bytes) over (sequence, order hash, journal hash):
    docs/protocol.md, 2.
    """

    sequence: int
    order_hash: bytes
    journal_hash: bytes
    signature: bytes


class Verdict(msgspec.Struct, frozen=True):
    """The final answer to a message.

    A message refused at the door (before the journal) has `sequence` 0 and no acknowledgement.
    `reject` is None where the engine took it; `events` are all that the command caused, those of
    other accounts included: a door shows its client the client's own.
    """

    message_hash: bytes
    sequence: int
    time_ns: int
    events: tuple[Event, ...]
    reject: Reject | None = None
    signature_fault: SignatureFault | None = None
    acknowledgement: Acknowledgement | None = None


class DomainView(msgspec.Struct, frozen=True):
    """What a wallet needs to sign and a trader to understand units. Fee rates in 1e-6 of the
    index, `fee_cap` in 1e-4 of an option's premium, `combo_discount` in percent (docs/fees.md).
    """

    name: str
    version: str
    chain_id: int
    settlement: bytes
    vault: bytes
    operator: bytes
    maker_fee_e6: int
    taker_fee_e6: int
    fee_cap_e4: int
    rebate_step_e6: int = 0
    liquidation_fee_e6: int = 0
    combo_discount: int = 0


class InstrumentView(msgspec.Struct, frozen=True):
    """One listed instrument. `kind` 0 perpetual, 1 future, 2 call, 3 put; `lot_e8` units of the
    underlying in a lot, times 1e8; micro values per lot; `state` is the trading state in force.
    """

    instrument: int
    symbol: str
    kind: int
    underlying: str
    expiry_time_s: int
    strike_micro: int
    tick_value_micro: int
    lot_e8: int
    is_open: bool
    mark_micro: int | None
    index_micro: int | None
    state: int = OPEN
    display_mark_micro: int | None = None


class MarkView(NamedTuple):
    """A mark and what it says, micro-USDC per lot or unit; `bounds` hold the mark that is shown;
    volatility (per year; None for what has
    none) and Greeks per unit of the underlying are floats: they advise.
    """

    mark_micro: int
    index_micro: int
    volatility: float | None
    delta: float
    gamma: float
    vega: float
    theta: float
    bounds: Bounds = NO_BOUNDS


class LevelView(msgspec.Struct, frozen=True):
    """A price level: micro-USDC per lot (or unit), all lots (or units) and orders at it."""

    price_micro: int
    quantity_lots: int
    orders: int


class BookView(msgspec.Struct, frozen=True):
    """Best first on both sides; `sequence` is that of the last command applied."""

    symbol: str
    legs: Legs
    tick_micro: int
    sequence: int
    bids: tuple[LevelView, ...]
    asks: tuple[LevelView, ...]


class PositionView(msgspec.Struct, frozen=True):
    instrument: int
    symbol: str
    quantity_lots: int
    mark_micro: int
    value_micro: int


class AssetView(NamedTuple):
    """Terms of an asset that counts as margin: `underlying` None for a stable; haircuts and
    discount in 1e-4, the cap in micro-units.
    """

    asset: int
    name: str
    decimals: int
    kind: int
    underlying: str | None
    initial_haircut_e4: int
    maintenance_haircut_e4: int
    cap_micro: int
    discount_e4: int


class CollateralView(NamedTuple):
    """What an account holds of an asset, micro-units, and of that what its cap lets count; what it
    counts in the scan where nothing moves, and in initial margin, micro-USDC; what is free to be
    withdrawn, micro-units. An asset that is not listed has no name and counts nothing.
    """

    asset: int
    name: str
    balance_micro: int
    counted_micro: int
    scan_micro: int
    initial_micro: int
    free_micro: int


class MarginView(msgspec.Struct, frozen=True):
    """An account's margin at the current marks, micro-USDC. `worst_scenario` is the index of the
    scenario that sets the scan; `model`, `tier` and `least_tier` as in `margin/accounts.py`.
    """

    account: int
    cash_micro: int
    equity_micro: int
    initial_margin_micro: int
    maintenance_margin_micro: int
    excess_micro: int
    free_micro: int
    open_orders: int
    positions: int
    worst_scenario: int
    model: int = 0
    tier: int = 0
    least_tier: int = 0
    collateral: tuple[CollateralView, ...] = ()


class OrderView(msgspec.Struct, frozen=True):
    """A live order. One that `is_waiting` stands in no book: it waits for `parent` to be filled
    (None: for none), then for its `trigger` (0 none) at `trigger_price_micro`. Of what remains,
    `displayed_lots` are shown to everyone; of an order that waits none.
    """

    order_hash: bytes
    account: int
    symbol: str
    legs: Legs
    side: int
    limit_price_micro: int
    quantity_lots: int
    remaining_lots: int
    expiry_s: int
    is_waiting: bool = False
    trigger: int = 0
    trigger_price_micro: int = 0
    parent: bytes | None = None
    displayed_lots: int = 0


class FillView(msgspec.Struct, frozen=True):
    """One side of a trade, as its account sees it. `combo_trade` is 0 for a fill of a single
    order.
    """

    sequence: int
    time_ns: int
    trade: int
    instrument: int
    symbol: str
    side: int
    price_micro: int
    quantity_lots: int
    fee_micro: int
    is_maker: bool
    order_hash: bytes
    combo_trade: int


class FillPage(msgspec.Struct, frozen=True):
    """Fills after `since`, oldest first. `truncated` tells that more follow; ask again with
    `next_since`.
    """

    fills: tuple[FillView, ...]
    next_since: int
    truncated: bool


class WithdrawalView(msgspec.Struct, frozen=True):
    """A withdrawal and, once a posted batch carries it, what `Vault.claim` needs. `batch` is
    None until then.
    """

    number: int
    account: int
    owner: bytes
    asset: int
    amount_micro: int
    batch: int | None
    siblings: tuple[bytes, ...]
    claimed: bool


class StatusView(msgspec.Struct, frozen=True):
    """Where the exchange stands. `chain_up` is False while the chain does not answer; trading
    goes on, settlement waits.
    """

    sequence: int
    time_ns: int
    state_root: bytes
    batches_cut: int
    batches_confirmed: int
    open_orders: int
    accounts: int
    chain_up: bool


class ProtectionView(NamedTuple):
    """A protection group as of the last command: its terms, what its window has, and when it thaws
    (Unix nanoseconds; 0 if it is not frozen or waits for a reset).
    """

    group: int
    window_ms: int
    frozen_ms: int
    quantity_limit_lots: int
    delta_limit_e6: int
    vega_limit_micro: int
    lots: int
    delta_e6: int
    vega_micro: int
    is_tripped: bool
    thaws_ns: int


class AuctionView(NamedTuple):
    """What is auctioned of an account at the marks and the time of the last command, micro-USDC:
    `price_micro` is what the whole costs, with what its owner owes and as far as the insurance fund
    can pay (negative: one is paid), of which at most `share_e6` can be had;
    `lots` are (instrument, symbol, signed lots).
    """

    account: int
    is_insolvent: bool
    since_ns: int
    equity_micro: int
    worst_micro: int
    maintenance_micro: int
    discount_e6: int
    worth_micro: int
    price_micro: int
    share_e6: int
    lots: tuple[tuple[int, str, int], ...]


class ClearingView(NamedTuple):
    """The insurance fund and what deleveraging took in the present epoch, micro-USDC; `liquidated`
    are the accounts under liquidation.
    """

    is_armed: bool
    fund_micro: int
    epoch: int
    epoch_ends_s: int
    lost_micro: int
    liquidated: tuple[int, ...]


class ReporterStatus(NamedTuple):
    """One reporter of an oracle and its last report, micro-USDC per lot; `sequence` -1 without one.
    `standing`: one of `events.REPORT_REASONS`, 0 where it counts.
    """

    address: bytes
    decimals: int
    sequence: int
    observed_ms: int
    index_micro: int
    standing: int


class OracleStatus(NamedTuple):
    """An armed oracle as of the last command; bands and moves in 1e-4."""

    underlying: int
    is_lost: bool
    quorum: int
    counting: int
    max_age_s: int
    deviation_e4: int
    forward_band_e4: int
    forward_move_e4: int
    variance_move_e4: int
    reporters: tuple[ReporterStatus, ...]


Listener = Callable[[int, int, tuple[Event, ...]], None]
"""Called with (sequence, time_ns, events) after each command that is durable and applied, in
order, on the event loop's thread.
"""


class Venue(Protocol):
    """The exchange as its doors see it."""

    def begin_session(self) -> int:
        """The number of a connection that stays, for orders until disconnect; never given again
        while such an order lives.
        """
        ...

    async def end_session(self, session: int) -> None:
        """The connection is gone, and with it its orders until disconnect. One that comes later is
        as on no connection.
        """
        ...

    async def place(self, order: Order, signature: bytes, session: int = 0) -> Verdict:
        """Takes a signed order; an order with `replaces` set cancels that order and takes its
        place in the same command. `session` is the connection it came on, 0 for none that stays.
        """
        ...

    async def cancel(self, cancel: Cancel, signature: bytes) -> Verdict: ...

    async def cancel_all(self, cancel_all: CancelAll, signature: bytes) -> Verdict: ...

    async def cancel_where(self, cancel: CancelWhere, signature: bytes) -> Verdict:
        """Cancels by client id, label, instrument, underlying or everything; the counter stays."""
        ...

    async def quote_mass(self, message: MassQuote, signature: bytes) -> Verdict:
        """Takes each side of a mass quote for itself; the verdict's reject is of the whole."""
        ...

    async def set_protection(self, message: SetProtection, signature: bytes) -> Verdict: ...

    async def reset_protection(self, message: ResetProtection, signature: bytes) -> Verdict: ...

    async def transfer_cash(self, message: TransferCash, signature: bytes) -> Verdict: ...

    async def transfer_position(self, message: TransferPosition, signature: bytes) -> Verdict: ...

    async def choose_margin(self, message: ChooseMargin, signature: bytes) -> Verdict:
        """Margins the account by another model or tier, if it carries that."""
        ...

    async def withdraw(self, withdraw: Withdraw, signature: bytes) -> Verdict: ...

    async def convert_collateral(self, message: ConvertCollateral, signature: bytes) -> Verdict: ...

    def assets(self) -> Sequence[AssetView]:
        """What counts as margin beside cash."""
        ...

    async def bid_auction(self, message: BidAuction, signature: bytes) -> Verdict:
        """Takes a share of an auctioned portfolio, at the price of the command's time."""
        ...

    async def fund_insurance(self, message: FundInsurance, signature: bytes) -> Verdict: ...

    def auctions(self) -> Sequence[AuctionView]: ...

    def clearing(self) -> ClearingView: ...

    async def report_prices(self, report: PriceReport, signature: bytes) -> Verdict:
        """Takes a reporter's signed price report."""
        ...

    def oracles(self) -> Sequence[OracleStatus]:
        """Every armed oracle."""
        ...

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Registers a listener for all events; the returned function ends it."""
        ...

    def domain(self) -> DomainView: ...

    def status(self) -> StatusView: ...

    def instruments(self) -> Sequence[InstrumentView]: ...

    def resolve(self, symbol: str) -> Legs | Reject:
        """Legs of a symbol: `BTC-27MAR26-90000-C`, or a combo by its name,
        `BTC-CS-27MAR26-90000_100000`, or its legs,
        `+1*BTC-27MAR26-90000-C,-1*BTC-27MAR26-100000-C` (any order and sign; not made canonical).
        """
        ...

    def symbol_of(self, legs: Legs) -> str:
        """The symbol of canonical legs: the name of the strategy, where it has one."""
        ...

    def legs_of(self, book: int) -> Legs:
        """Canonical legs of a book that an event names: an instrument, or COMBO_BASE + combo."""
        ...

    def market(self) -> PublicMarket:
        """What everyone may see, as of the last command applied."""
        ...

    def mark(self, legs: Legs) -> MarkView | None:
        """The mark of canonical legs, None while one has none."""
        ...

    def counter_of(self, account: int) -> int | Reject:
        """The counter that the account's next order must carry."""
        ...

    def book(self, legs: Legs, depth: int) -> BookView | Reject: ...

    def positions(self, account: int) -> Sequence[PositionView] | Reject: ...

    def accounts_of(self, owner: bytes) -> Sequence[MarginView]:
        """The accounts of one owner, by number; none for an address that nobody deposited for."""
        ...

    def margin(self, account: int) -> MarginView | Reject: ...

    def margin_breakdown(self, account: int) -> MarginReport | Reject:
        """Every scenario and charge of an account."""
        ...

    def liquidation_prices(self, account: int) -> FallReport | Reject:
        """What closing each position would free, and the index at which the account would fall."""
        ...

    def what_if(self, account: int, trades: Sequence[LegTrade]) -> Change | Reject:
        """Margin after trades that have not happened."""
        ...

    def what_if_rests(self, account: int, trade: LegTrade) -> Change | Reject:
        """Margin with an order of one instrument, at its price, that does not rest."""
        ...

    def portfolio_margin(
        self, cash_micro: int, positions: Sequence[tuple[int, int]]
    ) -> MarginReport | Reject:
        """Of cash and signed lots by instrument that nobody holds."""
        ...

    def protections(self, account: int) -> Sequence[ProtectionView] | Reject: ...

    def orders(self, account: int) -> Sequence[OrderView] | Reject: ...

    def order(self, order_hash: bytes) -> OrderView | None: ...

    def fills(self, account: int, since: int, limit: int) -> FillPage | Reject:
        """Fills of commands with a sequence above `since`; all fills of one command come in one
        page.
        """
        ...

    def withdrawals(self, account: int) -> Sequence[WithdrawalView] | Reject: ...
