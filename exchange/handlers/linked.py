"""One triggers other, one cancels other: what an order's end or trade does to those tied to it.

Holds: a child wakes, or is armed, when its parent was filled whole, and is cancelled when the
parent ends before that; in a group, the first that trades (however little) or is triggered in a
command stays, and the others are cancelled after that command's own work. Children that are
cancelled take their own children with them, in the order in which they came.
Never: recurses; what one tie does to the next stands in a list until it is done.
"""

from collections.abc import Callable

from exchange import events
from exchange.handlers.cancels import cancel, find_live
from exchange.handlers.waiting import arm, emit_awaiting
from exchange.state import State
from settlement.signed_messages import NO_ORDER

Emit = Callable[[events.Event], None]


def settle_ties(state: State, emit: Emit) -> None:
    """Draws every consequence of what has traded and ended so far."""
    waiting = state.waiting
    while waiting.hits or waiting.ended:
        hits, waiting.hits = waiting.hits, {}
        for group, winner in hits.items():
            for order_hash in list(waiting.groups.get(group, ())):
                order = None if order_hash == winner else find_live(state, order_hash)
                if order is not None:
                    cancel(state, order, events.CANCELLED_LINKED, emit)
        ended, waiting.ended = waiting.ended, []
        for parent, is_filled in ended:
            for child in list(waiting.children.get(parent, {}).values()):
                _follow(state, parent, child, is_filled, emit)


def _follow(state: State, parent: bytes, child: bytes, is_filled: bool, emit: Emit) -> None:
    waiting = state.waiting
    asleep = waiting.by_hash[child]
    if not is_filled:
        cancel(state, asleep.order, events.CANCELLED_PARENT, emit)
        return
    waiting.leave_parent(parent, asleep)
    if asleep.source[0]:
        emit_awaiting(asleep, NO_ORDER, emit)
        arm(state, asleep)
    else:
        waiting.due[child] = 0
