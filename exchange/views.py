"""Snapshots of the state for the doors: pure readings, integers in protocol units.

Holds: a view of what does not exist is a Reject.
Never: changes the state.
"""

from collections.abc import Iterator, Sequence

from exchange import collateral_views
from exchange.handlers.accounts import free_micro
from exchange.handlers.cancels import find_live, live_orders
from exchange.handlers.states import instrument_state
from exchange.mark_views import display_bounds
from exchange.market_data.display_marks import BestPrices, display_mark_micro
from exchange.read_model import ReadModel
from exchange.state import State
from exchange.symbols import legs_symbol
from exchange.venue import (
    BookView,
    DomainView,
    InstrumentView,
    Legs,
    LevelView,
    MarginView,
    OracleStatus,
    OrderView,
    PositionView,
    ProtectionView,
    ReporterStatus,
    StatusView,
    WithdrawalView,
)
from margin.accounts import Account
from matching.book import Book, Level
from matching.combos import COMBO_BASE, Combo
from matching.instruments import Instrument
from matching.orders import BUY, SELL, Order
from matching.rejects import UNKNOWN_ACCOUNT, UNKNOWN_INSTRUMENT, Reject
from settlement.signed_messages import DOMAIN_NAME, DOMAIN_VERSION


def unknown(state: State, account: int) -> Reject | None:
    """The reject for an account that does not exist."""
    if account in state.accounts:
        return None
    return Reject(UNKNOWN_ACCOUNT, account, len(state.accounts))


def domain(state: State, vault: bytes) -> DomainView:
    schedule = state.portfolio.schedule
    return DomainView(
        DOMAIN_NAME,
        DOMAIN_VERSION,
        state.chain_id,
        state.settlement,
        vault,
        state.operator,
        schedule.maker_rate,
        schedule.taker_rate,
        schedule.cap,
        schedule.rebate_step,
        schedule.liquidation_rate,
        schedule.combo_discount,
    )


def status(state: State, chain_up: bool) -> StatusView:
    """Where the exchange stands; `state_root` is that of the last batch."""
    return StatusView(
        state.sequence,
        state.time_ns,
        state.ledger.root() if state.ledger else bytes(32),
        state.batches_cut,
        state.batches_confirmed,
        len(state.orders),
        len(state.accounts),
        chain_up,
    )


def instruments(state: State) -> list[InstrumentView]:
    return [_instrument(state, instrument) for instrument in state.instruments]


def _instrument(state: State, instrument: Instrument) -> InstrumentView:
    marks, expiry = state.marks, instrument.expiry
    is_marked = marks.is_marked[instrument.number]
    return InstrumentView(
        instrument.number,
        instrument.symbol,
        instrument.kind,
        instrument.underlying.name,
        expiry.expiry_time_s if expiry else 0,
        instrument.strike_micro,
        instrument.tick_value_micro,
        instrument.underlying.lot_e8,
        not state.trading.has_ended(instrument.number, state.time_s)
        and (expiry is None or not (instrument.is_settled or expiry.expiry_time_s <= state.time_s)),
        marks.mark_micro(instrument) if is_marked else None,
        marks.index_micro.get(instrument.underlying.number),
        instrument_state(state, instrument),
        _display_mark(state, instrument) if is_marked else None,
    )


def _display_mark(state: State, instrument: Instrument) -> int:
    """The mark that people are shown, beside the one that margin uses."""
    number, book = instrument.number, state.books[instrument.number]
    bid, ask, tick = book.bids.best, book.asks.best, book.tick_micro
    best = BestPrices(
        None if bid is None else bid.key * tick,
        0 if bid is None else bid.quantity_lots,
        None if ask is None else -ask.key * tick,
        0 if ask is None else ask.quantity_lots,
    )
    return display_mark_micro(
        state.marks.mark_micro(instrument),
        state.marks.index_micro[instrument.underlying.number],
        display_bounds(state, ((number, 1),)),
        best,
    )


def oracles(state: State) -> list[OracleStatus]:
    """Armed oracles by underlying, their reporters in the order of the terms."""
    found: list[OracleStatus] = []
    for number, oracle in sorted(state.oracles.items()):
        terms = oracle.terms
        if terms is None:
            continue
        reporters: list[ReporterStatus] = []
        for address, decimals in terms.reporters.items():
            report = oracle.reports.get(address)
            last = (
                (-1, 0, 0, 0)
                if report is None
                else (report.sequence, report.observed_ms, report.index_micro, report.standing)
            )
            reporters.append(ReporterStatus(address, decimals, *last))
        found.append(
            OracleStatus(
                number,
                oracle.is_lost,
                terms.quorum,
                len(oracle.counting()),
                terms.max_age_s,
                terms.deviation_e4,
                terms.forward_band_e4,
                terms.forward_move_e4,
                terms.variance_move_e4,
                tuple(reporters),
            )
        )
    return found


def book(state: State, legs: Legs, depth: int) -> BookView | Reject:
    """Both sides of the book of canonical legs; a combo that nobody has named yet is empty."""
    for number, _ in legs:
        if number >= len(state.instruments):
            return Reject(UNKNOWN_INSTRUMENT, number, len(state.instruments))
    symbol = legs_symbol(legs, state.instruments)
    if len(legs) == 1:
        found = state.books[legs[0][0]]
    else:
        combo = state.combos_by_legs.get(legs)
        if combo is None:
            unnamed = Combo(
                COMBO_BASE, [state.instruments[leg] for leg, _ in legs], [r for _, r in legs]
            )
            return BookView(symbol, legs, unnamed.tick_micro, state.sequence, (), ())
        found = state.books[combo.book]
    return BookView(
        symbol,
        legs,
        found.tick_micro,
        state.sequence,
        tuple(_levels(found, BUY, depth)),
        tuple(_levels(found, SELL, depth)),
    )


def _levels(found: Book, side: int, depth: int) -> Iterator[LevelView]:
    for count, level in enumerate(found.levels(side)):
        if count == depth:
            return
        yield _level(level, side, found.tick_micro)


def _level(level: Level, side: int, tick_micro: int) -> LevelView:
    ticks = level.key if side == BUY else -level.key
    return LevelView(ticks * tick_micro, level.quantity_lots, level.orders)


def positions(state: State, account: int) -> Sequence[PositionView] | Reject:
    reject = unknown(state, account)
    if reject is not None:
        return reject
    views: list[PositionView] = []
    for number, position in sorted(state.accounts[account].positions.items()):
        instrument = state.instruments[number]
        mark = state.marks.mark_micro(instrument)
        lots = position.quantity_lots
        views.append(PositionView(number, instrument.symbol, lots, mark, lots * mark))
    return views


def accounts_of(state: State, owner: bytes) -> list[MarginView]:
    """The accounts of one owner, by number."""
    return [
        _margin(state, account)
        for _, account in sorted(state.accounts.items())
        if account.owner == owner
    ]


def margin(state: State, account: int) -> MarginView | Reject:
    return unknown(state, account) or _margin(state, state.accounts[account])


def _margin(state: State, found: Account) -> MarginView:
    required = state.portfolio.requirement(found)
    return MarginView(
        found.number,
        found.cash_micro,
        required.equity_micro,
        required.initial_micro,
        required.maintenance_micro,
        required.excess_micro,
        free_micro(state, found),
        len(found.orders),
        len(found.positions),
        required.worst_scenario,
        found.margin_model,
        found.risk_tier,
        found.least_tier,
        collateral_views.collateral(state, found),
    )


def protections(state: State, account: int) -> Sequence[ProtectionView] | Reject:
    """As of the last command, by group; changes nothing."""
    reject = unknown(state, account)
    if reject is not None:
        return reject
    found: list[ProtectionView] = []
    for group, kept in sorted(state.accounts[account].protections.items()):
        kept.pass_time(state.time_ns)  # which is as of any later command, whoever asks
        found.append(
            ProtectionView(
                group,
                kept.window_ms,
                kept.frozen_ms,
                kept.quantity_limit_lots,
                kept.delta_limit_e6,
                kept.vega_limit_micro,
                kept.lots,
                kept.delta_e6,
                kept.vega_micro,
                kept.is_tripped,
                kept.thaws_ns if kept.is_tripped and kept.frozen_ms else 0,
            )
        )
    return found


def orders(state: State, account: int) -> Sequence[OrderView] | Reject:
    reject = unknown(state, account)
    if reject is not None:
        return reject
    return [_order(state, live) for live in live_orders(state, state.accounts[account])]


def order(state: State, order_hash: bytes) -> OrderView | None:
    live = find_live(state, order_hash)
    return None if live is None else _order(state, live)


def _order(state: State, live: Order) -> OrderView:
    legs = ((live.book, 1),) if live.book < COMBO_BASE else state.combos[live.book].legs
    return OrderView(
        live.hash,
        live.account,
        legs_symbol(legs, state.instruments),
        legs,
        live.side,
        live.price_micro,
        live.remaining_lots + live.filled_lots,
        live.remaining_lots,
        live.expiry_s,
        *_waits_for(state, live),
        0 if live.level is None else live.remaining_lots - live.hidden_lots,
    )


def _waits_for(state: State, live: Order) -> tuple[bool, int, int, bytes | None]:
    """Whether it waits, its trigger with price, and the order that it waits for first."""
    waiting = state.waiting.by_hash.get(live.hash)
    if waiting is None:
        return False, 0, 0, None
    conditions = waiting.signed.conditions
    parent = conditions.parent
    is_behind = live.order_id in state.waiting.children.get(parent, ())
    return (
        True,
        conditions.trigger,
        conditions.trigger_price_micro,
        parent if is_behind else None,
    )


def withdrawals(read_model: ReadModel, account: int) -> list[WithdrawalView]:
    views: list[WithdrawalView] = []
    for made in read_model.withdrawals:
        if made.account != account:
            continue
        siblings = read_model.siblings(made.number)
        views.append(
            WithdrawalView(
                made.number,
                account,
                made.owner,
                made.asset,
                made.amount_micro,
                None if siblings is None else read_model.confirmed,
                siblings or (),
                made.number in read_model.claimed,
            )
        )
    return views
