"""Orders that wait: what ties they may have, and how they are laid down.

Holds: a waiting order is accepted like any other (its hash is taken, it has its number, it expires)
but stands in no book and counts nothing in margin: what it would do is judged when it wakes. An
account's waiting orders and the orders of one of its groups are bounded.
Never: wakes one (`triggers.py`).
"""

from collections.abc import Callable

from exchange import events
from exchange.handlers.cancels import find_live
from exchange.handlers.execution import Placement, accept
from exchange.state import State
from exchange.waiting_orders import (
    MAX_GROUP,
    MAX_WAITING_ORDERS,
    WaitingOrder,
    is_of_index,
    is_of_mark,
    waits,
)
from matching.orders import Order
from matching.rejects import (
    GROUP_FULL,
    NOT_YOUR_ORDER,
    PARENT_NOT_LIVE,
    TOO_MANY_WAITING_ORDERS,
    Reject,
)
from settlement.signed_messages import NO_ORDER
from settlement.signed_messages import Order as SignedOrder

Emit = Callable[[events.Event], None]


def check_ties(state: State, signed: SignedOrder, replaced: Order | None) -> Reject | None:
    """Whether an order may wait for what it names, and join its group; `replaced` makes room."""
    conditions = signed.conditions
    if conditions.parent != NO_ORDER:
        parent = find_live(state, conditions.parent)
        if parent is None or conditions.parent == signed.replaces:
            return Reject(PARENT_NOT_LIVE)
        if parent.account != signed.account:
            return Reject(NOT_YOUR_ORDER, signed.account, parent.account)
    if conditions.oco_group:
        group = state.waiting.groups.get((signed.account, conditions.oco_group), {})
        if len(group) - (signed.replaces in group) >= MAX_GROUP:
            return Reject(GROUP_FULL, len(group), MAX_GROUP)
    if waits(signed):
        count = state.waiting.count_of(signed.account)
        makes_room = replaced is not None and replaced.hash in state.waiting.by_hash
        if count - makes_room >= MAX_WAITING_ORDERS:
            return Reject(TOO_MANY_WAITING_ORDERS, count, MAX_WAITING_ORDERS)
    return None


def lay_down(state: State, placement: Placement, signed: SignedOrder, emit: Emit) -> None:
    """Accepts an order that waits, behind its parent or at its trigger."""
    order = placement.order
    accept(state, placement, emit)
    waiting = WaitingOrder(order, signed, underlying_of(state, order))
    state.waiting.add(waiting)
    parent = signed.conditions.parent
    emit_awaiting(waiting, parent, emit)
    if parent != NO_ORDER:
        state.waiting.put_behind(parent, waiting)
    else:
        arm(state, waiting)


def arm(state: State, waiting: WaitingOrder) -> None:
    """Nothing but its trigger holds an order back now; if that is there already, it is due."""
    trigger, watched = waiting.source
    state.waiting.arm(waiting, price_now(state, trigger, watched))


def price_now(state: State, trigger: int, watched: int) -> int | None:
    """What a trigger sees: mark or last price of an instrument, index of an underlying; None before
    there is one.
    """
    if is_of_mark(trigger):
        return state.marks.mark_micro(state.instruments[watched])
    if is_of_index(trigger):
        return state.marks.index_micro.get(watched)
    return state.waiting.last_micro.get(watched)


def underlying_of(state: State, order: Order) -> int:
    return state.instruments[order.book].underlying.number


def emit_awaiting(waiting: WaitingOrder, parent: bytes, emit: Emit) -> None:
    order, conditions = waiting.order, waiting.signed.conditions
    emit(
        events.OrderAwaiting(
            order.order_id,
            order.hash,
            order.account,
            order.book,
            conditions.trigger,
            conditions.trigger_price_micro,
            parent,
        )
    )
