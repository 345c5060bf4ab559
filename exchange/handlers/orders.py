"""Orders placed and replaced: what is checked before the books are read.

Holds: an order that is refused leaves no trace; what passes here goes to `execution`.
Never: verifies a signature (only whether the signer may act for the account).
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import PlaceOrder
from exchange.handlers.accounts import check_signer_of
from exchange.handlers.cancels import cancel, find_live
from exchange.handlers.combos import check_combos_of_account, check_new_combo
from exchange.handlers.execution import Placement, execute, keeps_place, take_place
from exchange.handlers.protection import check_protection
from exchange.handlers.recovery import check_not_liquidated
from exchange.handlers.refusal import refuse
from exchange.handlers.states import check_trading_state, takes_nothing
from exchange.handlers.waiting import check_ties, lay_down
from exchange.limits import furthest_price_micro, most_units, wait_ms
from exchange.state import State
from exchange.volatility_orders import MAX_VOLATILITY_ORDERS, is_option, working_ticks
from exchange.waiting_orders import waits
from margin.accounts import Account
from matching.book import Book
from matching.combos import Combo
from matching.instruments import Instrument
from matching.orders import (
    BUY,
    GTC,
    IN_VOLATILITY,
    MARKET,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
    SLIDE,
    UNTIL_DISCONNECT,
    Order,
)
from matching.rejects import (
    BEYOND_PRICE_BAND,
    COUNTER_AHEAD,
    COUNTER_CANCELLED,
    EXPIRY_TOO_FAR,
    INSTRUMENT_NOT_OPEN,
    NO_MARKS,
    NOT_YOUR_ORDER,
    NOTHING_TO_REDUCE,
    NOTHING_TRADES_NOW,
    ORDER_ALREADY_USED,
    ORDER_EXPIRED,
    ORDER_NOT_LIVE,
    ORDER_TOO_LARGE,
    PRICE_OFF_TICK,
    SESSION_NEEDED,
    TOO_MANY_ORDERS_A_SECOND,
    TOO_MANY_VOLATILITY_ORDERS,
    UNKNOWN_ACCOUNT,
    UNKNOWN_INSTRUMENT,
    VOLATILITY_NEEDS_OPTION,
    WOULD_CROSS,
    Reject,
)
from settlement.order_fields import check_order_fields
from settlement.signed_messages import MAX_NET_PRICE_MICRO, MAX_PRICE_MICRO, NO_ORDER, PLAIN
from settlement.signed_messages import Order as SignedOrder

Emit = Callable[[events.Event], None]

MAX_LIFE_S = 30 * 86_400
"""An order's expiry is at most 30 days ahead (docs/protocol.md, 2)."""


def place_order(state: State, command: PlaceOrder, emit: Emit) -> None:
    # CHECK
    signed, order_hash = command.order, command.order_hash
    placement = _check(state, command, signed, order_hash)
    if isinstance(placement, Reject):
        refuse(emit, placement, signed.account, order_hash)
        return
    if signed.flags & UNTIL_DISCONNECT:
        placement.order.session = command.session
    # MARGIN, MATCH and EMIT
    if signed.conditions is not PLAIN and waits(signed):
        lay_down(state, placement, signed, emit)
    else:
        reject = (take_place if keeps_place(placement) else execute)(state, placement, emit)
        if reject is not None:
            refuse(emit, reject, signed.account, order_hash)
            return
    if signed.replaces != NO_ORDER:
        asleep = state.waiting.by_hash.get(signed.replaces)
        if asleep is not None:
            cancel(state, asleep.order, events.CANCELLED_REPLACED, emit)


def renew(state: State, signed: SignedOrder, order_hash: bytes) -> Placement | Reject:
    """An order that waited, as it would be placed now: what its book and its instrument say may
    have changed since it was accepted.
    """
    for number, _ in signed.legs:
        reject = _check_instrument(state, number, state.time_s)
        if reject is not None:
            return reject
    reject = check_protection(state, signed.account, signed.conditions.protection)
    reject = reject or _check_position(state, signed)
    return reject or _find_book(
        state, state.accounts[signed.account], signed, order_hash, None, False
    )


# CHECK


def _check(
    state: State, command: PlaceOrder, signed: SignedOrder, order_hash: bytes
) -> Placement | Reject:
    """Everything that can be known before the books are read."""
    account = state.accounts.get(signed.account)
    if account is None:
        return Reject(UNKNOWN_ACCOUNT, signed.account, len(state.accounts))
    reject = check_signer_of(state, account, command.signer) or check_order_fields(signed)
    if reject is None and signed.flags & UNTIL_DISCONNECT and not command.session:
        reject = Reject(SESSION_NEEDED, signed.flags)
    if reject is None:
        reject = check_life(state, account, signed.counter, signed.expiry_s)
    return reject or check_placement(state, account, signed, order_hash)


def check_life(state: State, account: Account, counter: int, expiry_s: int) -> Reject | None:
    """Whether what an account signed is in force: neither voided, nor expired, nor too far
    ahead.
    """
    now_s, current = state.time_s, account.counter
    if counter != current:
        code = COUNTER_CANCELLED if counter < current else COUNTER_AHEAD
        return Reject(code, counter, current)
    if expiry_s <= now_s:
        return Reject(ORDER_EXPIRED, expiry_s, now_s)
    if expiry_s > now_s + MAX_LIFE_S:
        return Reject(EXPIRY_TOO_FAR, expiry_s, now_s + MAX_LIFE_S)
    return None


def check_placement(
    state: State,
    account: Account,
    signed: SignedOrder,
    order_hash: bytes,
    replaced: Order | None = None,
) -> Placement | Reject:
    """The place of an order whose fields and life are in order. `replaced` is the live order that
    it takes the place of, where another rule than its signed `replaces` says so.
    """
    if account.status:
        reject = check_not_liquidated(account)
        if reject is not None:
            return reject
    now_s = state.time_s
    if order_hash in state.used:
        return Reject(ORDER_ALREADY_USED)
    wait = wait_ms(account, state.time_ns)
    if wait:
        return Reject(TOO_MANY_ORDERS_A_SECOND, signed.account, wait)
    for number, _ in signed.legs:
        reject = _check_instrument(state, number, now_s)
        if reject is not None:
            return reject
    if signed.replaces != NO_ORDER:
        replaced = find_live(state, signed.replaces)
        if replaced is None:
            return Reject(ORDER_NOT_LIVE)
        if replaced.account != signed.account:
            return Reject(NOT_YOUR_ORDER, signed.account, replaced.account)
    reject = check_trading_state(state, signed, replaced)
    if reject is None and signed.conditions is not PLAIN:
        reject = check_ties(state, signed, replaced) or check_protection(
            state, signed.account, signed.conditions.protection
        )
    if reject is None and not waits(signed):
        reject = _check_position(state, signed)
    if reject is not None:
        return reject
    if replaced is not None and replaced.level is None:  # it waits: no book and no margin knows it
        replaced = None
    is_asleep = signed.conditions is not PLAIN and waits(signed)
    return _find_book(state, account, signed, order_hash, replaced, is_asleep)


def _check_instrument(state: State, number: int, now_s: int) -> Reject | None:
    instruments = state.instruments
    if number >= len(instruments):
        return Reject(UNKNOWN_INSTRUMENT, number, len(instruments))
    expiry = instruments[number].expiry
    if expiry is not None and (
        expiry.expiry_time_s <= now_s or expiry.settlement_micro is not None
    ):
        return Reject(INSTRUMENT_NOT_OPEN, number)
    if state.trading.ends_s and state.trading.has_ended(number, now_s):
        return Reject(INSTRUMENT_NOT_OPEN, number)
    if not state.marks.is_marked[number]:
        return Reject(NO_MARKS, number)
    return None


def _check_position(state: State, signed: SignedOrder) -> Reject | None:
    """Whether an order that may only reduce has a position to reduce."""
    if not signed.flags & REDUCE_ONLY:
        return None
    held = state.accounts[signed.account].lots_of(signed.legs[0][0])
    if held < 0 if signed.side == BUY else held > 0:
        return None
    return Reject(NOTHING_TO_REDUCE, held)


def _find_book(
    state: State,
    account: Account,
    signed: SignedOrder,
    order_hash: bytes,
    replaced: Order | None,
    is_asleep: bool,
) -> Placement | Reject:
    """The book of an order's legs, made if a combo is named for the first time, and the checks
    that need its tick. `is_asleep`: it does not meet its book yet.
    """
    combo: Combo | None = None
    instrument: Instrument | None = None
    is_new = False
    if len(signed.legs) == 1:
        instrument = state.instruments[signed.legs[0][0]]
        book = state.books[instrument.number]
    else:
        combo = state.combos_by_legs.get(signed.legs)
        if combo is None:
            reject = check_new_combo(state)
            if reject is not None:
                return reject
            combo = state.combo_life.make(signed.legs)
            is_new = True
        book = state.books[combo.book]
    ticks = _ticks_in_force(state, signed, book, instrument, replaced, is_asleep)
    reject = ticks if isinstance(ticks, Reject) else None
    if reject is None and combo is not None and signed.time_in_force == GTC:
        reject = check_combos_of_account(state, signed.account, combo.book, replaced)
    if isinstance(ticks, Reject) or reject is not None:
        if is_new and combo is not None:
            state.forget_newest_combo(combo)
        assert reject is not None, "it is the ticks', if they are one"
        return reject
    order = Order(
        state.next_order_id,
        order_hash,
        signed.account,
        book.number,
        signed.side,
        ticks,
        ticks * book.tick_micro,
        signed.quantity_lots,
        signed.max_fee_micro,
        signed.expiry_s,
        signed.flags,
        account.owner_number,
    )
    order.client_id = signed.salt
    order.limit_ticks = signed.limit_price_micro // book.tick_micro
    least_lots = 0
    conditions = signed.conditions
    if conditions is not PLAIN:
        order.label = conditions.label
        order.oco_group = conditions.oco_group
        order.volatility_e6 = conditions.volatility_e6
        order.protection = conditions.protection
        order.display_lots = conditions.display_lots
        least_lots = conditions.min_quantity_lots
    return Placement(
        order,
        account,
        book,
        instrument,
        combo,
        replaced,
        is_new,
        signed.time_in_force,
        False,
        least_lots,
    )


def _ticks_in_force(
    state: State,
    signed: SignedOrder,
    book: Book,
    instrument: Instrument | None,
    replaced: Order | None,
    is_asleep: bool,
) -> int | Reject:
    """The limit price in ticks, as volatility, band and what it may not meet leave it."""
    price_micro = signed.limit_price_micro
    if price_micro % book.tick_micro:
        return Reject(PRICE_OFF_TICK, price_micro, book.tick_micro)
    if signed.flags & IN_VOLATILITY:
        worked = _work_out(state, signed, book, instrument, replaced, is_asleep)
        if isinstance(worked, Reject):
            return worked
        price_micro = worked
    within = _check_limits(state, signed, price_micro, book, is_asleep)
    if isinstance(within, Reject):
        return within
    ticks = within // book.tick_micro
    if not is_asleep and takes_nothing(state, signed.flags, signed.legs):
        return _resting_ticks(book, signed, ticks, replaced)
    return ticks


def _work_out(
    state: State,
    signed: SignedOrder,
    book: Book,
    instrument: Instrument | None,
    replaced: Order | None,
    is_asleep: bool,
) -> int | Reject:
    """The price that an order's volatility makes now; the signed one while it is asleep."""
    if instrument is None or not is_option(instrument):
        return Reject(VOLATILITY_NEEDS_OPTION, signed.legs[0][0])
    if is_asleep:
        return signed.limit_price_micro
    count = state.volatility.of_account.get(signed.account, 0)
    makes_room = replaced is not None and replaced.volatility_e6 != 0
    if count - makes_room >= MAX_VOLATILITY_ORDERS:
        return Reject(TOO_MANY_VOLATILITY_ORDERS, count, MAX_VOLATILITY_ORDERS)
    ticks = working_ticks(
        instrument,
        state.marks,
        state.time_s,
        signed.side,
        signed.conditions.volatility_e6,
        signed.limit_price_micro // book.tick_micro,
        book.tick_micro,
    )
    return ticks * book.tick_micro


def _check_limits(
    state: State, signed: SignedOrder, price: int, book: Book, is_asleep: bool
) -> int | Reject:
    """The limit price in force: `price`, or for a market order the band's where that is tighter, a
    whole number of ticks within it.
    """
    most = most_units(state.instruments, signed.legs)
    if signed.quantity_lots > most:
        return Reject(ORDER_TOO_LARGE, signed.quantity_lots, most)
    if is_asleep:  # the marks that its price is held against are those under which it wakes
        return price
    is_buy = signed.side == BUY
    furthest = furthest_price_micro(
        state.instruments, signed.legs, 1 if is_buy else -1, state.marks
    )
    if price <= furthest if is_buy else price >= furthest:
        return price
    tick = book.tick_micro
    furthest = furthest // tick * tick if is_buy else -(-furthest // tick) * tick
    return furthest if signed.flags & MARKET else Reject(BEYOND_PRICE_BAND, price, furthest)


def _resting_ticks(
    book: Book, signed: SignedOrder, ticks: int, replaced: Order | None
) -> int | Reject:
    """The price of an order that may only rest: its own, unless it met one in its own book (what it
    replaces does not count); then a tick short of that, if it slides and there is such a price.
    """
    sign = 1 if signed.side == BUY else -1
    for met in book.orders(SELL if signed.side == BUY else BUY):
        if met is replaced:
            continue
        if (ticks - met.price_ticks) * sign < 0:
            return ticks
        short = met.price_ticks - sign
        short_micro = short * book.tick_micro
        if len(signed.legs) == 1:
            is_a_price = 0 < short_micro <= MAX_PRICE_MICRO
        else:
            is_a_price = abs(short_micro) <= MAX_NET_PRICE_MICRO
        if signed.flags & SLIDE and is_a_price:
            return short
        code = WOULD_CROSS if signed.flags & POST_ONLY else NOTHING_TRADES_NOW
        return Reject(code, signed.limit_price_micro, met.price_micro)
    return ticks
