"""Mass quotes: each side taken like an order of its own, in place of the live quote there.

Holds: an account has at most one live quote of a label, a book and a side; a side that is refused
leaves what stood there as it was, and is named by its own event; a message of which every side is
refused leaves no trace, and none is taken twice.
Never: verifies a signature; looks at a quote as anything but two orders.
"""

from collections.abc import Callable, Sequence

from exchange import events
from exchange.commands import QuoteMass
from exchange.handlers.accounts import check_signer
from exchange.handlers.cancels import cancel
from exchange.handlers.execution import execute, take_place
from exchange.handlers.orders import check_life, check_placement
from exchange.handlers.protection import check_protection
from exchange.handlers.refusal import refuse
from exchange.state import State
from matching.orders import Order
from matching.rejects import (
    MESSAGE_ALREADY_USED,
    QUOTE_CROSSED,
    QUOTE_TWICE,
    Reject,
)
from settlement.mass_quotes import MassQuote, check_mass_quote, quoted_orders
from settlement.order_fields import check_order_fields
from settlement.signed_messages import Legs, order_hash
from settlement.signed_messages import Order as SignedOrder

Emit = Callable[[events.Event], None]


def mass_quote_of(command: QuoteMass) -> MassQuote:
    """The signed message in a command."""
    return MassQuote(
        command.account,
        command.counter,
        command.flags,
        command.max_fee_micro,
        command.expiry_s,
        command.salt,
        command.protection,
        command.label,
        command.quotes,
    )


def quote_mass(state: State, command: QuoteMass, emit: Emit) -> None:
    # CHECK
    message = mass_quote_of(command)
    reject = _check(state, command, message)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # MARGIN, MATCH and EMIT, side by side
    signed = quoted_orders(message)
    seen: dict[Legs, None] = {}
    refused = 0
    for index in range(len(message.quotes)):
        bid, ask = signed[2 * index], signed[2 * index + 1]
        refused += _take_quote(state, index, bid, ask, bid.legs in seen, emit)
        seen[bid.legs] = None
    if refused < len(signed):
        state.used[command.message_hash] = command.expiry_s
        state.expiring.add(command.expiry_s, command.message_hash)
    emit(
        events.QuotesTaken(
            command.account,
            command.message_hash,
            command.label,
            len(signed) - refused,
            refused,
        )
    )


def _check(state: State, command: QuoteMass, message: MassQuote) -> Reject | None:
    """What refuses the whole message."""
    reject = check_signer(state, command.account, command.signer) or check_mass_quote(message)
    if reject is None:
        reject = check_life(
            state, state.accounts[command.account], command.counter, command.expiry_s
        )
    if reject is None and command.message_hash in state.used:
        return Reject(MESSAGE_ALREADY_USED)
    return reject or check_protection(state, command.account, command.protection)


def _take_quote(
    state: State, index: int, bid: SignedOrder, ask: SignedOrder, is_twice: bool, emit: Emit
) -> int:
    """Both sides of one quote; gives how many of them were refused."""
    reject: Reject | None = None
    if is_twice:
        reject = Reject(QUOTE_TWICE, index)
    elif bid.quantity_lots and ask.quantity_lots and bid.limit_price_micro >= ask.limit_price_micro:
        reject = Reject(QUOTE_CROSSED, bid.limit_price_micro, ask.limit_price_micro)
    refused = 0
    for signed in _in_order(state, bid, ask):
        found = reject or _take_side(state, signed, emit)
        if found is not None:
            emit(
                events.QuoteRejected(
                    signed.account, index, signed.side, found.code, found.got, found.allowed
                )
            )
            refused += 1
    return refused


def _in_order(state: State, bid: SignedOrder, ask: SignedOrder) -> Sequence[SignedOrder]:
    """A side that only cancels goes first; else the bid does, unless it would meet the ask that
    this message moves away: so a quote that moves never trades with its own old side.
    """
    if not ask.quantity_lots:
        return ask, bid
    old = _live(state, ask)
    if bid.quantity_lots and old is not None and bid.limit_price_micro >= old.price_micro:
        return ask, bid
    return bid, ask


def _live(state: State, signed: SignedOrder) -> Order | None:
    """The live quote that a side would take the place of."""
    legs = signed.legs
    if len(legs) == 1 and legs[0][1] == 1:
        book = legs[0][0]
    else:
        combo = state.combos_by_legs.get(legs)
        if combo is None:
            return None
        book = combo.book
    return state.quotes.get((signed.account, signed.conditions.label, book, signed.side))


def _take_side(state: State, signed: SignedOrder, emit: Emit) -> Reject | None:
    """One side: cancels, keeps its place, or meets the book like any order."""
    old = _live(state, signed)
    if not signed.quantity_lots:
        if old is not None:
            cancel(state, old, events.CANCELLED_BY_OWNER, emit)
        return None
    reject = check_order_fields(signed)
    if reject is not None:
        return reject
    account = state.accounts[signed.account]
    placement = check_placement(state, account, signed, order_hash(signed), old)
    if isinstance(placement, Reject):
        return placement
    order = placement.order
    order.is_quote = True
    keeps_place = (
        old is not None
        and old.price_ticks == order.price_ticks
        and old.remaining_lots >= order.remaining_lots
    )
    reject = (take_place if keeps_place else execute)(state, placement, emit)
    if reject is None and order.level is not None:
        state.quotes[(order.account, order.label, order.book, order.side)] = order
    return reject


def quotes_of(state: State, account: int, label: int) -> list[Order]:
    """Live quotes of one set, as they entered."""
    return [
        order
        for order in state.accounts[account].orders.values()
        if order.is_quote and order.label == label
    ]
