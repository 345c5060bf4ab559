"""Orders that end before they trade out: cancelled, voided by the counter, settled, expired.

Holds: a resting order leaves its book, its account's margin and the index of live orders together;
a hash is remembered until its order's expiry, whatever became of it.
Never: takes a message of another account's.
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import CancelAllOrders, CancelOrder, EndSession
from exchange.events import CANCELLED_BY_OWNER, OrderCancelled
from exchange.handlers.accounts import check_signer
from exchange.handlers.refusal import refuse
from exchange.state import State
from margin.accounts import Account
from matching.combos import COMBO_BASE
from matching.orders import BUY, SELL, Order
from matching.rejects import (
    COUNTER_MUST_RISE,
    NOT_YOUR_ORDER,
    ORDER_NOT_LIVE,
    UNKNOWN_ORDER,
    Reject,
)
from settlement import records

Emit = Callable[[events.Event], None]


def cancel_order(state: State, command: CancelOrder, emit: Emit) -> None:
    # CHECK
    number, order_hash = command.account, command.order_hash
    reject = check_signer(state, number, command.signer)
    order = find_live(state, order_hash)
    if reject is None:
        if order is None:
            reject = Reject(ORDER_NOT_LIVE if order_hash in state.used else UNKNOWN_ORDER)
        elif order.account != number:
            reject = Reject(NOT_YOUR_ORDER, number, order.account)
    if reject is not None or order is None:
        assert reject is not None, "an order that is not live is refused"
        refuse(emit, reject, number, order_hash)
        return
    # EMIT
    cancel(state, order, CANCELLED_BY_OWNER, emit)


def cancel_all_orders(state: State, command: CancelAllOrders, emit: Emit) -> None:
    # CHECK
    reject = check_signer(state, command.account, command.signer)
    if reject is None and command.new_counter <= state.accounts[command.account].counter:
        counter = state.accounts[command.account].counter
        reject = Reject(COUNTER_MUST_RISE, command.new_counter, counter)
    if reject is not None:
        refuse(emit, reject, command.account)
        return
    # EMIT
    account = state.accounts[command.account]
    account.counter = command.new_counter
    state.record(records.counter_raised_record(command.account, command.new_counter))
    emit(events.CounterRaised(command.account, command.new_counter))
    cancel_account(state, account, events.CANCELLED_COUNTER, emit)


def end_session(state: State, command: EndSession, emit: Emit) -> None:
    """Cancels what goes with a connection, oldest first; of one that has nothing live, nothing."""
    # EMIT
    for order_hash in list(state.waiting.sessions.get(command.session, {}).values()):
        order = find_live(state, order_hash)
        if order is not None:
            cancel(state, order, events.CANCELLED_DISCONNECTED, emit)


def cancel_account(state: State, account: Account, reason: int, emit: Emit) -> None:
    """Cancels every order of an account, oldest first."""
    for order in live_orders(state, account):
        cancel(state, order, reason, emit)


def cancel_book(
    state: State, number: int, emit: Emit, reason: int = events.CANCELLED_SETTLED
) -> None:
    """Cancels every order of a book whose instrument, or leg, is settled or delisted."""
    book = state.books[number]
    for side in (BUY, SELL):
        for order in list(book.orders(side)):
            cancel(state, order, reason, emit)
    for waiting in state.waiting.of_book(number):
        cancel(state, waiting.order, reason, emit)


def find_live(state: State, order_hash: bytes) -> Order | None:
    """The order of a hash, resting or waiting."""
    order = state.orders.get(order_hash)
    if order is None:
        waiting = state.waiting.by_hash.get(order_hash)
        return None if waiting is None else waiting.order
    return order


def live_orders(state: State, account: Account) -> list[Order]:
    """All orders of an account: those that rest, then those that wait, each oldest first."""
    waiting = state.waiting.of_account(account.number)
    return [*account.orders.values(), *(asleep.order for asleep in waiting)]


def cancel(state: State, order: Order, reason: int, emit: Emit) -> None:
    """Takes a live order out of its book and its account's margin, or from where it waits."""
    waiting = state.waiting.by_hash.get(order.hash) if state.waiting.by_hash else None
    if waiting is None:
        state.portfolio.unrest(order)
        state.books[order.book].remove(order)
        del state.orders[order.hash]
        forget_quote(state, order)
        forget_volatility(state, order)
        if order.book >= COMBO_BASE:
            state.combo_life.removed(order, state.time_s)
    else:
        state.waiting.remove(waiting)
    state.waiting.end(order, is_filled=False)
    emit_cancelled(order, reason, emit)


def forget_quote(state: State, order: Order) -> None:
    """A side of a mass quote that is live no more leaves its place in the quote set."""
    if order.is_quote:
        del state.quotes[(order.account, order.label, order.book, order.side)]


def forget_volatility(state: State, order: Order) -> None:
    """An order that rests no more is not priced anew."""
    if order.volatility_e6:
        state.volatility.remove(state.instruments[order.book].underlying.number, order)


def emit_cancelled(order: Order, reason: int, emit: Emit) -> None:
    emit(
        OrderCancelled(
            order.order_id,
            order.hash,
            order.account,
            order.book,
            order.side,
            order.remaining_lots,
            reason,
        )
    )


def reduce_unfilled(state: State, order: Order, lots: int, reason: int, emit: Emit) -> None:
    """Takes lots that a resting order shows away from it, without a trade; it keeps its place.
    An order that has no more goes.
    """
    if lots == order.remaining_lots:
        cancel(state, order, reason, emit)
        return
    state.portfolio.shrink(order, lots)
    shown = order.remaining_lots - order.hidden_lots
    state.books[order.book].shrink(order, lots)
    emit_reduced(order, lots, shown - lots, reason, emit)
    if lots == shown:
        emit_replenished(order, emit)


def emit_reduced(order: Order, lots: int, displayed_lots: int, reason: int, emit: Emit) -> None:
    emit(
        events.OrderReduced(
            order.order_id,
            order.hash,
            order.account,
            order.book,
            order.side,
            lots,
            order.remaining_lots,
            displayed_lots,
            reason,
        )
    )


def emit_replenished(order: Order, emit: Emit) -> None:
    emit(
        events.OrderReplenished(
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


def expire_due(state: State, emit: Emit) -> None:
    """Cancels resting orders whose expiry has come, and forgets hashes that can no longer be
    taken.
    """
    for order_hash in state.expiring.due(state.time_s):
        order = find_live(state, order_hash)
        if order is not None:
            cancel(state, order, events.CANCELLED_EXPIRED, emit)
        del state.used[order_hash]
        opened = state.opened.pop(order_hash, None)
        if opened is not None:
            number, slot = opened
            del state.accounts[number].slots[slot]
            state.record(records.order_forgotten_record(number, slot))
