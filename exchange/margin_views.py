"""An account's margin in every number, and what it would be: readings of the state for the doors
and for `straddle margin`.

Holds: a reading of what does not exist, or of what no account could hold, is a Reject; amounts in
micro-USDC, quantities in lots.
Never: changes the state.
"""

from collections.abc import Sequence

from exchange.margin_reports import FallReport, HeldPosition, LegTrade, MarginReport, Underlying
from exchange.state import State
from exchange.views import unknown
from margin.accounts import Account
from margin.liquidation_price import liquidation_distances
from margin.what_if import (
    NOBODY,
    Change,
    Trade,
    after_trades,
    of_portfolio,
    released_by_closing,
    with_order,
)
from matching.orders import BUY, SELL, Order
from matching.rejects import NO_MARKS, PRICE_OFF_TICK, QUANTITY_OUT_OF_RANGE, Reject


def breakdown(state: State, account: int) -> MarginReport | Reject:
    reject = unknown(state, account)
    return report_of(state, state.accounts[account]) if reject is None else reject


def fall(state: State, account: int) -> FallReport | Reject:
    reject = unknown(state, account)
    return fall_of(state, state.accounts[account]) if reject is None else reject


def portfolio_margin(
    state: State, cash_micro: int, positions: Sequence[tuple[int, int]]
) -> MarginReport | Reject:
    """Of a portfolio of (instrument, signed lots) that is bought at its marks."""
    shadow = of_portfolio(state.portfolio, cash_micro, positions)
    return shadow if isinstance(shadow, Reject) else report_of(state, shadow)


def what_if(state: State, account: int, trades: Sequence[LegTrade]) -> Change | Reject:
    """After trades."""
    reject = unknown(state, account)
    if reject is not None:
        return reject
    singles = [
        Trade(number, ratio * trade.lots, trade.price_micro)
        for trade in trades
        for number, ratio in trade.legs
    ]
    return after_trades(state.portfolio, state.accounts[account], singles)


def what_if_rests(state: State, account: int, trade: LegTrade) -> Change | Reject:
    """With an order for one instrument among the account's open ones."""
    reject = unknown(state, account)
    if reject is not None:
        return reject
    ((number, _),) = trade.legs
    instrument = state.instruments[number]
    if not state.marks.is_marked[number]:
        return Reject(NO_MARKS, number)
    if not trade.lots:
        return Reject(QUANTITY_OUT_OF_RANGE, 0, 1)
    assert trade.price_micro is not None, "an order that rests has a price"
    ticks, rest = divmod(trade.price_micro, instrument.tick_value_micro)
    if rest:
        return Reject(PRICE_OFF_TICK, trade.price_micro, instrument.tick_value_micro)
    order = Order(
        -1,  # no order has this number
        bytes(32),
        account,
        number,
        BUY if trade.lots > 0 else SELL,
        ticks,
        trade.price_micro,
        abs(trade.lots),
        0,
        0,
    )
    return with_order(state.portfolio, state.accounts[account], order)


def report_of(state: State, account: Account) -> MarginReport:
    """Of an account, or of a shadow of one."""
    found = state.portfolio.breakdown(account)
    return MarginReport(
        _number_of(account),
        found,
        tuple(_underlying(state, scan.underlying) for scan in found.scans),
        tuple(
            _position(state, number, position.quantity_lots)
            for number, position in sorted(account.positions.items())
        ),
    )


def fall_of(state: State, account: Account) -> FallReport:
    """Of an account, or of a shadow of one."""
    releases = released_by_closing(state.portfolio, account)
    distances = liquidation_distances(state.portfolio, account)
    return FallReport(
        _number_of(account),
        tuple(releases),
        tuple(state.instruments[release.instrument].symbol for release in releases),
        tuple(distances),
        tuple(_underlying(state, distance.underlying) for distance in distances),
    )


def _number_of(account: Account) -> int | None:
    return None if account.number == NOBODY else account.number


def _underlying(state: State, number: int) -> Underlying:
    underlying = state.underlyings[number]
    return Underlying(underlying.name, underlying.lot_e8, state.marks.index_micro.get(number, 0))


def _position(state: State, number: int, lots: int) -> HeldPosition:
    instrument = state.instruments[number]
    mark = state.marks.mark_micro(instrument)
    return HeldPosition(number, instrument.symbol, lots, mark, instrument.underlying.lot_e8)
