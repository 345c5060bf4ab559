"""One fill or one combo trade, written down: books, events and records.

Holds: an order is opened by a record before its first fill; what one fill does to the books, to
what waits for it and to the fee cash is done before its event; the records of a combo's fills end
with the one that closes them, so that they stay in one chunk.
Never: decides what trades (`execution.py`), or touches an account's cash (the gate has).
"""

from collections.abc import Callable, Iterator

from exchange import events
from exchange.events import OrderFilled
from exchange.handlers.cancels import emit_replenished, forget_quote, forget_volatility
from exchange.state import State
from matching.book import Book
from matching.combos import COMBO_BASE
from matching.gate import Fill
from matching.orders import BUY, Order
from matching.plan import Step, Through
from settlement import record_types, records

Emit = Callable[[events.Event], None]

SLOTS = 1 << 24

_NO_MAKER = (0, bytes(32), 0, -1)


def trade_one(
    state: State,
    taker: Order,
    fill: Fill,
    fees: tuple[int, int],
    combo_trade: int,
    emit: Emit,
) -> bytes:
    """One fill: the maker's book, the event, and the record, which is returned for its group."""
    maker, instrument, lots = fill.maker, fill.instrument, fill.quantity_lots
    state.fee_cash_micro += fees[0] + fees[1]
    open_order(state, maker)
    maker_is_single = maker.book < COMBO_BASE
    is_replenished = maker_is_single and _reduce(state, maker, lots)
    if maker_is_single:
        state.waiting.traded(instrument.number, maker.price_micro)
    if maker.oco_group:
        state.waiting.hit(maker)
    if taker.oco_group:
        state.waiting.hit(taker)
    trade = state.next_trade
    state.next_trade += 1
    flags = (
        (1 if fill.taker_buys else 0) | (2 if maker_is_single else 0) | (0 if combo_trade else 4)
    )
    emit(
        OrderFilled(
            trade,
            instrument.number,
            fill.price_ticks,
            fill.price_ticks * instrument.tick_value_micro,
            lots,
            flags & 1,
            taker.order_id,
            taker.hash,
            taker.account,
            fees[0],
            -1 if combo_trade else taker.remaining_lots,
            maker.order_id,
            maker.hash,
            maker.account,
            fees[1],
            maker.remaining_lots if maker_is_single else -1,
            combo_trade,
        )
    )
    if is_replenished:
        emit_replenished(maker, emit)
    return records.fill_record(
        flags,
        maker.account,
        maker.slot,
        taker.account,
        taker.slot,
        instrument.number,
        lots,
        fill.price_ticks,
    )


def close_combo(
    state: State, book: Book, taker: Order, step: Step, trade: int, emit: Emit
) -> bytes:
    """Ends a combo's step: both combo orders advance by its units."""
    maker = step.maker_combo
    is_replenished = maker is not None and _reduce(state, maker, step.units)
    maker_id, maker_hash, maker_account, maker_left = (
        _NO_MAKER
        if maker is None
        else (maker.order_id, maker.hash, maker.account, maker.remaining_lots)
    )
    taker_buys = 1 if taker.side == BUY else 0
    emit(
        events.ComboFilled(
            trade,
            book.number,
            step.net_price_micro,
            step.units,
            taker_buys,
            taker.order_id,
            taker.hash,
            taker.account,
            taker.remaining_lots,
            maker_id,
            maker_hash,
            maker_account,
            maker_left,
        )
    )
    if maker is not None and is_replenished:
        emit_replenished(maker, emit)
    return records.combo_filled_record(
        taker_buys | (2 if maker is not None else 0) | 4,
        maker_account,
        0 if maker is None else maker.slot,
        taker.account,
        taker.slot,
        step.units,
        step.net_price_micro,
        len(step.fills),
    )


def trade_through(
    state: State,
    taker: Order,
    step: Step,
    through: Through,
    fees: Iterator[tuple[int, int]],
    emit: Emit,
) -> list[bytes]:
    """A single order meets a resting combo order, which meets its other leg's book: events, and
    the records, whose taker is the combo's order (docs/protocol.md, 4).
    """
    resting, trade = through.order, state.next_combo_trade
    state.next_combo_trade += 1
    open_order(state, resting)
    group: list[bytes] = []
    for fill in step.fills:
        is_incoming = fill.maker is resting
        by, maker, lots = (taker if is_incoming else resting), fill.maker, fill.quantity_lots
        by_fee, maker_fee = next(fees)
        state.fee_cash_micro += by_fee + maker_fee
        price_micro = fill.price_ticks * fill.instrument.tick_value_micro
        is_replenished = False
        if not is_incoming:
            open_order(state, maker)
            is_replenished = _reduce(state, maker, lots)
        state.waiting.traded(fill.instrument.number, price_micro)
        if by.oco_group:
            state.waiting.hit(by)
        if maker.oco_group:
            state.waiting.hit(maker)
        emit(
            OrderFilled(
                state.next_trade,
                fill.instrument.number,
                fill.price_ticks,
                price_micro,
                lots,
                1 if fill.taker_buys else 0,
                by.order_id,
                by.hash,
                by.account,
                by_fee,
                taker.remaining_lots if is_incoming else -1,
                maker.order_id,
                maker.hash,
                maker.account,
                maker_fee,
                -1 if is_incoming else maker.remaining_lots,
                trade,
            )
        )
        state.next_trade += 1
        if is_replenished:
            emit_replenished(maker, emit)
        advances = taker if is_incoming else maker
        group.append(
            records.fill_record(
                (1 if fill.taker_buys != is_incoming else 0)
                | record_types.MAKER_ADVANCES
                | record_types.TAKER_RESTS
                | (record_types.MAKER_COMES if is_incoming else 0),
                advances.account,
                advances.slot,
                resting.account,
                resting.slot,
                fill.instrument.number,
                lots,
                fill.price_ticks,
            )
        )
    is_replenished = _reduce(state, resting, through.units)
    combo_buys = 1 if resting.side == BUY else 0
    emit(
        events.ComboFilled(
            trade,
            resting.book,
            step.net_price_micro,
            through.units,
            1 - combo_buys,
            taker.order_id,
            taker.hash,
            taker.account,
            -1,
            resting.order_id,
            resting.hash,
            resting.account,
            resting.remaining_lots,
        )
    )
    if is_replenished:
        emit_replenished(resting, emit)
    group.append(
        records.combo_filled_record(
            combo_buys | record_types.TAKER_ADVANCES | record_types.TAKER_RESTS,
            0,
            0,
            resting.account,
            resting.slot,
            through.units,
            step.net_price_micro,
            len(step.fills),
        )
    )
    return group


def _reduce(state: State, maker: Order, lots: int) -> bool:
    """A resting order trades; with nothing left it is live no more. True if it was replenished."""
    shown = maker.remaining_lots - maker.hidden_lots
    state.books[maker.book].reduce(maker, lots)
    if maker.remaining_lots:
        return lots == shown
    forget_quote(state, maker)
    forget_volatility(state, maker)
    del state.orders[maker.hash]
    state.accounts[maker.account].remove_order(maker)
    if maker.book >= COMBO_BASE:
        state.combo_life.removed(maker, state.time_s)
    state.waiting.end(maker, is_filled=True)
    return False


def open_order(state: State, order: Order) -> None:
    """Binds an order's hash to a slot of its account before its first fill."""
    if order.slot >= 0:
        return
    account = state.accounts[order.account]
    slot = account.next_slot
    while slot in account.slots:
        slot = (slot + 1) % SLOTS
    order.slot = slot
    account.slots[slot] = order.hash
    account.next_slot = (slot + 1) % SLOTS
    state.opened[order.hash] = (order.account, order.slot)
    state.record(records.order_opened_record(order.account, order.slot, order.hash))
