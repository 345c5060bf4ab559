"""Triggered orders: which are due after a command, and what they do when they wake.

Holds: a command's own work comes first, then what it woke, nearest trigger first, each through the
ordinary execution; trades of the woken may wake more. At most `most_wakes` in a command: the others
are due and wake after the next commands, first come first, whatever the price does meanwhile; so
does one whose instrument is halted, as soon as it is not.
What margin or its book refuses when it wakes is cancelled with the reason.
Never: wakes anything after a command that was refused.
"""

from collections.abc import Callable
from typing import Final

from exchange import events
from exchange.handlers.cancels import emit_cancelled
from exchange.handlers.execution import execute
from exchange.handlers.linked import settle_ties
from exchange.handlers.orders import renew
from exchange.handlers.states import check_trading_state
from exchange.handlers.waiting import price_now
from exchange.state import State
from exchange.waiting_orders import WaitingOrder, is_of_index, is_of_mark
from matching.orders import LAST_AT_LEAST, LAST_AT_MOST
from matching.rejects import (
    CANNOT_FILL,
    FEE_TOO_HIGH,
    INSTRUMENT_NOT_OPEN,
    MARGIN,
    NOTHING_TO_REDUCE,
    TOO_MANY_LOTS,
    TOO_MANY_OPEN_ORDERS,
    TOO_MANY_POSITIONS,
    WOULD_CROSS,
    Reject,
)

Emit = Callable[[events.Event], None]

_REASONS: Final = {
    CANNOT_FILL: events.CANCELLED_IMMEDIATE,
    FEE_TOO_HIGH: events.CANCELLED_FEE,
    MARGIN: events.CANCELLED_MARGIN_TAKER,
    NOTHING_TO_REDUCE: events.CANCELLED_REDUCE_ONLY,
    TOO_MANY_LOTS: events.CANCELLED_MARGIN_TAKER,
    TOO_MANY_OPEN_ORDERS: events.CANCELLED_MARGIN_TAKER,
    TOO_MANY_POSITIONS: events.CANCELLED_MARGIN_TAKER,
    WOULD_CROSS: events.CANCELLED_WOULD_CROSS,
}


def wake_due(state: State, emit: Emit) -> None:
    """All that a command, done but for this, has woken; and what earlier ones left due."""
    waiting = state.waiting
    wakes = 0
    while True:
        _see_marks(state)
        _see_trades(state)
        settle_ties(state, emit)
        order_hash = None if wakes == waiting.most_wakes else _first_free(state)
        if order_hash is None:
            return
        wakes += 1
        _wake(state, waiting.by_hash[order_hash], waiting.due[order_hash], emit)


def _first_free(state: State) -> bytes | None:
    """The due order that wakes next: the first whose instrument's trading state lets it in. The
    others stay due until the state changes.
    """
    for order_hash in state.waiting.due:
        held = check_trading_state(state, state.waiting.by_hash[order_hash].signed, None)
        if held is None or held.code == INSTRUMENT_NOT_OPEN:
            return order_hash
    return None


def _see_marks(state: State) -> None:
    """New marks and indices of the underlyings that the command marked."""
    waiting = state.waiting
    if not waiting.remarked:
        return
    for source in sorted(waiting.armed):
        trigger, watched = source
        if is_of_index(trigger):
            underlying = watched
        elif is_of_mark(trigger):
            underlying = state.instruments[watched].underlying.number
        else:
            continue
        if underlying in waiting.remarked:
            price = price_now(state, trigger, watched)
            assert price is not None, "an underlying that was marked has marks"
            waiting.see(source, price)
    waiting.remarked.clear()


def _see_trades(state: State) -> None:
    """Trades since it was last looked, by instrument: the highest and the lowest price."""
    waiting = state.waiting
    while waiting.ranges:
        instrument = min(waiting.ranges)
        low, high = waiting.ranges.pop(instrument)
        waiting.see((LAST_AT_LEAST, instrument), high)
        waiting.see((LAST_AT_MOST, instrument), low)


def _wake(state: State, asleep: WaitingOrder, price_micro: int, emit: Emit) -> None:
    waiting, old = state.waiting, asleep.order
    waiting.remove(asleep)
    emit(events.OrderTriggered(old.order_id, old.hash, old.account, old.book, price_micro))
    if old.oco_group and asleep.source[0]:
        waiting.hit(old)
        settle_ties(state, emit)
    placement = renew(state, asleep.signed, old.hash)
    if isinstance(placement, Reject):
        reject: Reject | None = placement
    else:
        placement.order.order_id, placement.is_accepted = old.order_id, True
        placement.order.session = old.session
        reject = execute(state, placement, emit)
    if reject is not None:
        emit_cancelled(old, _REASONS.get(reject.code, events.CANCELLED_WHEN_WOKEN), emit)
        waiting.end(old, is_filled=False)
