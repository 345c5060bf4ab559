"""Orders that may only reduce, once the positions that they reduce have moved.

Holds: after every command, each resting order that may only reduce stands against a position of
its account on the other side, and has no more lots left than that. An order whose position a
command closed or turned is cancelled at that command's end, after all that it woke, one that has
become too large is cut and keeps its place, the oldest first; in between, plans let them trade no
more than the position allows.
Never: looks at orders of accounts whose positions did not move.
"""

from collections.abc import Callable

from exchange import events
from exchange.handlers.cancels import cancel, emit_reduced
from exchange.handlers.linked import settle_ties
from exchange.state import State
from matching.orders import Order

Emit = Callable[[events.Event], None]


def end_needless(state: State, emit: Emit) -> None:
    """Cancels or cuts what the positions that the command moved leave with too little to do."""
    moved: dict[int, Order] = {}
    for number, instrument in state.portfolio.moved:
        moved.update(state.accounts[number].reduce_only.get(instrument, {}))
    state.portfolio.moved.clear()
    for order_id in sorted(moved):
        order = moved[order_id]
        most_lots = state.accounts[order.account].reducible_lots(order)
        if not most_lots:
            cancel(state, order, events.CANCELLED_REDUCE_ONLY, emit)
        elif most_lots < order.remaining_lots:
            _cut(state, order, order.remaining_lots - most_lots, emit)
    settle_ties(state, emit)


def _cut(state: State, order: Order, lots: int, emit: Emit) -> None:
    state.portfolio.shrink(order, lots)
    state.books[order.book].cut(order, lots)
    shown_lots = order.remaining_lots - order.hidden_lots
    emit_reduced(order, lots, shown_lots, events.CANCELLED_REDUCE_ONLY, emit)
