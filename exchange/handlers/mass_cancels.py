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
from exchange.state import State
from matching.combos import COMBO_BASE
from matching.orders import Order
from matching.rejects import (
    EXPIRY_TOO_FAR,
    MESSAGE_ALREADY_USED,
    MESSAGE_EXPIRED,
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

MAX_LIFE_S = 30 * 86_400
"""As an order's: how long the message's hash may have to be remembered."""


def cancel_where(state: State, command: CancelWhere, emit: Emit) -> None:
    # CHECK
    reject = check_signer(state, command.account, command.signer) or _check(state, command)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    state.used[command.message_hash] = command.expiry_s
    state.expiring.add(command.expiry_s, command.message_hash)
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
    now_s, scope, value = state.time_s, command.scope, command.value
    if scope > OF_COMBOS:
        return Reject(UNKNOWN_CANCEL_SCOPE, scope, OF_COMBOS)
    if scope == OF_ALL and value:
        return Reject(SCOPE_WITHOUT_VALUE, value)
    if scope == OF_INSTRUMENT and value >= len(state.instruments):
        return Reject(UNKNOWN_INSTRUMENT, value, len(state.instruments))
    if scope in (OF_UNDERLYING, OF_COMBOS) and value >= len(state.underlyings):
        return Reject(UNKNOWN_UNDERLYING, value, len(state.underlyings))
    if command.expiry_s <= now_s:
        return Reject(MESSAGE_EXPIRED, command.expiry_s, now_s)
    if command.expiry_s > now_s + MAX_LIFE_S:
        return Reject(EXPIRY_TOO_FAR, command.expiry_s, now_s + MAX_LIFE_S)
    if command.message_hash in state.used:
        return Reject(MESSAGE_ALREADY_USED)
    return None


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
