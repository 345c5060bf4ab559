"""Many orders cancelled by one message: by client id, label, instrument, underlying, or all.

Holds: each signed message is taken once, and remembered until it expires, so that whoever resends
it cancels nothing that was placed since; the account's counter stays; orders go
oldest first, those that wait after those that rest.
Never: touches another account's orders.
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import CancelWhere
from exchange.handlers.accounts import check_signer
from exchange.handlers.cancels import cancel, live_orders
from exchange.handlers.refusal import refuse
from exchange.handlers.taken_once import check_once, take_once
from exchange.state import State
from matching.combos import COMBO_BASE
from matching.orders import Order
from matching.rejects import (
    SCOPE_WITHOUT_VALUE,
    UNKNOWN_CANCEL_SCOPE,
    UNKNOWN_INSTRUMENT,
    UNKNOWN_UNDERLYING,
    Reject,
)
from settlement.signed_messages import (
    OF_ALL,
    OF_CLIENT_ID,
    OF_COMBOS,
    OF_INSTRUMENT,
    OF_LABEL,
    OF_UNDERLYING,
)

Emit = Callable[[events.Event], None]


def cancel_where(state: State, command: CancelWhere, emit: Emit) -> None:
    # CHECK
    reject = check_signer(state, command.account, command.signer) or _check(state, command)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    take_once(state, command.expiry_s, command.message_hash)
    account = state.accounts[command.account]
    meant = [order for order in live_orders(state, account) if _is_meant(state, command, order)]
    for order in meant:
        cancel(state, order, events.CANCELLED_BY_OWNER, emit)
    emit(
        events.OrdersCancelled(
            command.account, command.message_hash, command.scope, command.value, len(meant)
        )
    )


def _check(state: State, command: CancelWhere) -> Reject | None:
    scope, value = command.scope, command.value
    if scope > OF_COMBOS:
        return Reject(UNKNOWN_CANCEL_SCOPE, scope, OF_COMBOS)
    if scope == OF_ALL and value:
        return Reject(SCOPE_WITHOUT_VALUE, value)
    if scope == OF_INSTRUMENT and value >= len(state.instruments):
        return Reject(UNKNOWN_INSTRUMENT, value, len(state.instruments))
    if scope in (OF_UNDERLYING, OF_COMBOS) and value >= len(state.underlyings):
        return Reject(UNKNOWN_UNDERLYING, value, len(state.underlyings))
    return check_once(state, command.expiry_s, command.message_hash)


def _is_meant(state: State, command: CancelWhere, order: Order) -> bool:
    scope, value = command.scope, command.value
    if scope == OF_CLIENT_ID:
        return order.client_id == value
    if scope == OF_LABEL:
        return order.label == value
    if scope == OF_INSTRUMENT:
        return order.book == value
    if scope == OF_UNDERLYING:
        return _is_on(state, order, value)
    if scope == OF_COMBOS:
        return order.book >= COMBO_BASE and _is_on(state, order, value)
    return True


def _is_on(state: State, order: Order, underlying: int) -> bool:
    """A combo belongs to the underlying of each of its legs: whoever wants to trade it no more
    means the combos with a leg on it, too.
    """
    if order.book < COMBO_BASE:
        return state.instruments[order.book].underlying.number == underlying
    return state.combos[order.book].is_on(underlying)
