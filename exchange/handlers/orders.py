"""Orders placed and replaced: what is checked before the books are read.

Holds: an order that is refused leaves no trace; what passes here goes to `execution`.
Never: verifies a signature (only whether the signer may act for the account).
"""

from collections.abc import Callable, Sequence

from exchange import events
from exchange.commands import PlaceOrder
from exchange.handlers.accounts import check_signer
from exchange.handlers.execution import Placement, execute
from exchange.handlers.refusal import refuse
from exchange.limits import furthest_price_micro, most_units, wait_ms
from exchange.state import State
from matching.book import Book
from matching.combos import Combo
from matching.instruments import Instrument
from matching.orders import BUY, MARKET, POST_ONLY, SELL, Order
from matching.rejects import (
    BEYOND_PRICE_BAND,
    COUNTER_AHEAD,
    COUNTER_CANCELLED,
    EXPIRY_TOO_FAR,
    INSTRUMENT_NOT_OPEN,
    LEGS_OF_SEVERAL_ASSETS,
    NO_MARKS,
    NOT_YOUR_ORDER,
    ORDER_ALREADY_USED,
    ORDER_EXPIRED,
    ORDER_NOT_LIVE,
    ORDER_TOO_LARGE,
    PRICE_OFF_TICK,
    TOO_MANY_ORDERS_A_SECOND,
    UNKNOWN_INSTRUMENT,
    WOULD_CROSS,
    Reject,
)
from settlement.signed_messages import NO_ORDER, check_order_fields
from settlement.signed_messages import Order as SignedOrder

Emit = Callable[[events.Event], None]

MAX_LIFE_S = 30 * 86_400
"""An order's expiry is at most 30 days ahead (docs/protocol.md, 2)."""


def place_order(state: State, command: PlaceOrder, emit: Emit) -> None:
    # CHECK
    signed = command.order
    placement = _check(state, command)
    if isinstance(placement, Reject):
        refuse(emit, placement, signed.account, command.order_hash)
        return
    # MARGIN, MATCH and EMIT
    reject = execute(state, placement, emit)
    if reject is not None:
        refuse(emit, reject, signed.account, command.order_hash)


# CHECK


def _check(state: State, command: PlaceOrder) -> Placement | Reject:
    """Everything that can be known before the books are read."""
    signed, now_s = command.order, state.time_s
    reject = check_signer(state, signed.account, command.signer) or check_order_fields(signed)
    if reject is not None:
        return reject
    account = state.accounts[signed.account]
    if signed.counter != account.counter:
        code = COUNTER_CANCELLED if signed.counter < account.counter else COUNTER_AHEAD
        return Reject(code, signed.counter, account.counter)
    if signed.expiry_s <= now_s:
        return Reject(ORDER_EXPIRED, signed.expiry_s, now_s)
    if signed.expiry_s > now_s + MAX_LIFE_S:
        return Reject(EXPIRY_TOO_FAR, signed.expiry_s, now_s + MAX_LIFE_S)
    if command.order_hash in state.used:
        return Reject(ORDER_ALREADY_USED)
    wait = wait_ms(account, state.time_ns)
    if wait:
        return Reject(TOO_MANY_ORDERS_A_SECOND, signed.account, wait)
    for number, _ in signed.legs:
        reject = _check_instrument(state, number, now_s)
        if reject is not None:
            return reject
    replaced = None
    if signed.replaces != NO_ORDER:
        replaced = state.orders.get(signed.replaces)
        if replaced is None:
            return Reject(ORDER_NOT_LIVE)
        if replaced.account != signed.account:
            return Reject(NOT_YOUR_ORDER, signed.account, replaced.account)
    return _find_book(state, signed, command.order_hash, replaced)


def _check_instrument(state: State, number: int, now_s: int) -> Reject | None:
    if number >= len(state.instruments):
        return Reject(UNKNOWN_INSTRUMENT, number, len(state.instruments))
    expiry = state.instruments[number].expiry
    if expiry is not None and (
        expiry.expiry_time_s <= now_s or expiry.settlement_micro is not None
    ):
        return Reject(INSTRUMENT_NOT_OPEN, number)
    if not state.marks.is_marked[number]:
        return Reject(NO_MARKS, number)
    return None


def _find_book(
    state: State, signed: SignedOrder, order_hash: bytes, replaced: Order | None
) -> Placement | Reject:
    """The book of an order's legs, made if a combo is named for the first time, and the checks
    that need its tick.
    """
    combo: Combo | None = None
    instrument: Instrument | None = None
    is_new = False
    if len(signed.legs) == 1:
        instrument = state.instruments[signed.legs[0][0]]
        book = state.books[instrument.number]
    else:
        first = state.instruments[signed.legs[0][0]].underlying
        for number, _ in signed.legs:
            if state.instruments[number].underlying is not first:
                return Reject(LEGS_OF_SEVERAL_ASSETS, number, signed.legs[0][0])
        is_new = signed.legs not in state.combos_by_legs
        combo = state.combo_of(signed.legs)
        book = state.books[combo.book]
    price_micro = signed.limit_price_micro
    reject = None
    if price_micro % book.tick_micro:
        reject = Reject(PRICE_OFF_TICK, price_micro, book.tick_micro)
    else:
        instruments = [state.instruments[number] for number, _ in signed.legs]
        ratios = [ratio for _, ratio in signed.legs]
        within = _check_limits(state, signed, book, instruments, ratios)
        if isinstance(within, Reject):
            reject = within
        else:
            price_micro = within
    ticks = price_micro // book.tick_micro
    if reject is None and signed.flags & POST_ONLY:
        reject = _check_post_only(book, signed, ticks, replaced)
    if reject is not None:
        if is_new and combo is not None:
            state.forget_newest_combo(combo)
        return reject
    order = Order(
        state.next_order_id,
        order_hash,
        signed.account,
        book.number,
        signed.side,
        ticks,
        price_micro,
        signed.quantity_lots,
        signed.max_fee_micro,
        signed.expiry_s,
        signed.flags,
        state.accounts[signed.account].owner_number,
    )
    return Placement(
        order,
        book,
        instrument,
        combo,
        replaced,
        is_new,
        signed.time_in_force,
        False,
        signed.conditions.min_quantity_lots,
    )


def _check_limits(
    state: State,
    signed: SignedOrder,
    book: Book,
    instruments: Sequence[Instrument],
    ratios: Sequence[int],
) -> int | Reject:
    """The limit price in force: the signed one, or for a market order the band's where that is
    tighter, a whole number of ticks within it.
    """
    most = most_units(instruments, ratios)
    if signed.quantity_lots > most:
        return Reject(ORDER_TOO_LARGE, signed.quantity_lots, most)
    price = signed.limit_price_micro
    sign = 1 if signed.side == BUY else -1
    furthest = furthest_price_micro(instruments, ratios, sign, state.marks)
    furthest = sign * (sign * furthest // book.tick_micro) * book.tick_micro
    if (price - furthest) * sign <= 0:
        return price
    return furthest if signed.flags & MARKET else Reject(BEYOND_PRICE_BAND, price, furthest)


def _check_post_only(
    book: Book, signed: SignedOrder, ticks: int, replaced: Order | None
) -> Reject | None:
    """A post-only order must not meet a price in its own book; what it replaces does not count."""
    for met in book.orders(SELL if signed.side == BUY else BUY):
        if met is replaced:
            continue
        if (ticks >= met.price_ticks) if signed.side == BUY else (ticks <= met.price_ticks):
            return Reject(WOULD_CROSS, signed.limit_price_micro, met.price_micro)
        return None
    return None
