"""Resting orders priced in volatility, priced anew when the marks of their underlying move.

Holds: one after the other, oldest first, after the marks are in force: an order whose price moves
goes last at its new price, one whose price stays keeps its place. A new price never trades: where
it would meet the other side, the order stops a tick short of the best price there. What margin or
the order's maximum fee no longer carries at the new price is cancelled.
Never: places an order; touches one that is not priced in volatility.
"""

from collections.abc import Callable

from exchange import events
from exchange.handlers.cancels import cancel
from exchange.state import State
from exchange.volatility_orders import working_ticks
from matching.book import Book
from matching.orders import BUY, SELL, Order

Emit = Callable[[events.Event], None]


def reprice(state: State, underlying: int, emit: Emit) -> None:
    """Every resting volatility order of an underlying, at the marks in force."""
    for order in state.volatility.oldest_first(underlying):
        instrument, book = state.instruments[order.book], state.books[order.book]
        assert instrument.expiry is not None, "only options are priced in volatility"
        if instrument.expiry.expiry_time_s <= state.time_s:  # it waits for its settlement
            continue
        ticks = working_ticks(
            instrument,
            state.marks,
            state.time_s,
            order.side,
            order.volatility_e6,
            order.limit_ticks,
            book.tick_micro,
        )
        ticks = _short_of_the_other_side(book, order.side, ticks)
        if ticks != order.price_ticks:
            _move(state, book, order, ticks, emit)


def _short_of_the_other_side(book: Book, side: int, ticks: int) -> int:
    met = book.first(SELL if side == BUY else BUY)
    if met is None:
        return ticks
    return min(ticks, met.price_ticks - 1) if side == BUY else max(ticks, met.price_ticks + 1)


def _move(state: State, book: Book, order: Order, ticks: int, emit: Emit) -> None:
    """Out of the book and of margin, and in again at the new price; or back, and cancelled."""
    portfolio, before = state.portfolio, order.price_ticks
    account = state.accounts[order.account]
    _take_out(state, book, order)
    _set_price(book, order, ticks)
    reason = 0
    if portfolio.resting_fee_micro(order) > order.max_fee_micro:
        reason = events.CANCELLED_FEE
    elif portfolio.judge_rest(account, order, None).outcome:
        reason = events.CANCELLED_MARGIN_MAKER
    if reason:
        _set_price(book, order, before)
    portfolio.rest(account, order)
    book.add(order)
    if reason:
        cancel(state, order, reason, emit)
        return
    emit(
        events.OrderRepriced(
            order.order_id,
            order.hash,
            order.account,
            order.book,
            order.side,
            order.price_micro,
            order.remaining_lots,
            order.remaining_lots - order.hidden_lots,
        )
    )


def _take_out(state: State, book: Book, order: Order) -> None:
    state.portfolio.unrest(order)
    book.remove(order)


def _set_price(book: Book, order: Order, ticks: int) -> None:
    order.price_ticks, order.price_micro = ticks, ticks * book.tick_micro
    order.loss_version = -1  # what a lot of it may lose was known at the old price
