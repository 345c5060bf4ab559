"""How an instrument ends before, or without, an expiry: delisted, a perpetual also settled.

Holds: what is delisted has no position, no order and no combo, moves no margin and never trades
again; its number and symbol stay its own. An instrument in which somebody holds a position is not
delisted; a perpetual's end is announced at least half an hour ahead, so that its thirty samples are
all to come, and from then on it is halted until it is settled. Settling it brings its accrual to
the samples' mean as a last funding does, and then each long gives its lots to a short, free of
payment: both are settled up, so nothing is left to pay.
Never: takes a position from anybody at another price than that mean; ends an option or a future
that is held (its expiry does).
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import DelistInstrument, SettlePerpetual
from exchange.handlers.accounts import accrued_micro, settle_position
from exchange.handlers.cancels import cancel_book
from exchange.handlers.combos import drop_combo
from exchange.handlers.funding import MAX_ACCRUAL_MICRO, pay_funding
from exchange.handlers.liquidation import watch_accounts
from exchange.handlers.marks import record_accruals
from exchange.handlers.refusal import refuse
from exchange.handlers.samples import check_samples, mean_micro, seen_count
from exchange.settlement_samples import PERPETUAL_KEYS, WINDOW_S
from exchange.state import State
from margin.accounts import Account
from margin.moves import move_lots
from matching.instruments import PERPETUAL, Instrument
from matching.rejects import (
    ALREADY_ENDING,
    AMOUNT_OUT_OF_RANGE,
    END_NOT_ANNOUNCED,
    END_TOO_SOON,
    INSTRUMENT_NOT_OPEN,
    NOT_LINEAR,
    NOT_YET_EXPIRED,
    OPEN_INTEREST,
    UNKNOWN_INSTRUMENT,
    Reject,
)
from settlement import records

Emit = Callable[[events.Event], None]


def delist_instrument(state: State, command: DelistInstrument, emit: Emit) -> None:
    # CHECK
    reject = _check_delisting(state, command)
    if reject is not None:
        refuse(emit, reject)
        return
    # EMIT
    instrument = state.instruments[command.instrument]
    if command.end_time_s:
        number = instrument.number
        state.trading.announce_end(number, command.end_time_s)
        state.samples.listed(
            instrument.underlying.number, PERPETUAL_KEYS + number, command.end_time_s
        )
        emit(events.DelistingAnnounced(number, command.end_time_s))
    else:
        _close_books(state, instrument, emit)
        _delist(state, instrument, emit)


def _check_delisting(state: State, command: DelistInstrument) -> Reject | None:
    number, end_s = command.instrument, command.end_time_s
    if number >= len(state.instruments):
        return Reject(UNKNOWN_INSTRUMENT, number, len(state.instruments))
    instrument = state.instruments[number]
    if instrument.is_settled:
        return Reject(INSTRUMENT_NOT_OPEN, number)
    if number in state.trading.ends_s:
        return Reject(ALREADY_ENDING, number, state.trading.ends_s[number])
    if end_s:
        if instrument.kind != PERPETUAL:
            return Reject(NOT_LINEAR, number)
        if end_s < state.time_s + WINDOW_S:
            return Reject(END_TOO_SOON, end_s, state.time_s + WINDOW_S)
        return None
    held = sum(abs(lots) for _, lots in _holders(state, number))
    return Reject(OPEN_INTEREST, number, held // 2) if held else None


def settle_perpetual(state: State, command: SettlePerpetual, emit: Emit) -> None:
    # CHECK
    number, samples = command.instrument, command.samples_micro
    reject = _check_end(state, command)
    if reject is not None:
        refuse(emit, reject)
        return
    instrument = state.instruments[number]
    seen = _seen(state, instrument)
    _close_books(state, instrument, emit)
    # MARGIN
    pay_funding(state, instrument.underlying.number, emit)
    price = mean_micro(samples)
    if state.marks.is_marked[number]:
        state.marks.accrue(instrument, state.marks.carry_micro[number] - price)
        state.portfolio.sweep(instrument.underlying.number)
        record_accruals(state, [number])
    # EMIT: the price, what each holder gets, then the positions against each other
    emit(events.PerpetualSettled(number, price, seen_count(seen)))
    holders = _holders(state, number)
    for account, _ in holders:
        amount = accrued_micro(state, instrument, account)
        settle_position(state, instrument, account, _quietly)
        emit(events.PositionSettled(account.number, number, amount, 1))
    _close_positions(state, instrument, holders)
    state.samples.settled(instrument.underlying.number, PERPETUAL_KEYS + number)
    _delist(state, instrument, emit)
    watch_accounts(state, instrument.underlying.number, emit)


def _check_end(state: State, command: SettlePerpetual) -> Reject | None:
    number = command.instrument
    if number >= len(state.instruments):
        return Reject(UNKNOWN_INSTRUMENT, number, len(state.instruments))
    instrument = state.instruments[number]
    end_s = state.trading.ends_s.get(number)
    if end_s is None or number in state.trading.delisted:
        return Reject(END_NOT_ANNOUNCED, number)
    if state.time_s < end_s:
        return Reject(NOT_YET_EXPIRED, end_s, state.time_s)
    underlying = instrument.underlying.number
    reject = check_samples(underlying, number, command.samples_micro, _seen(state, instrument))
    if reject is not None:
        return reject
    marks = state.marks
    change = mean_micro(command.samples_micro) - marks.carry_micro[number]
    if marks.is_marked[number] and abs(marks.accrual_micro[number] + change) > MAX_ACCRUAL_MICRO:
        return Reject(AMOUNT_OUT_OF_RANGE, change, MAX_ACCRUAL_MICRO)
    return None


def _seen(state: State, instrument: Instrument) -> tuple[int, ...]:
    underlying = instrument.underlying.number
    return state.samples.seen(underlying, PERPETUAL_KEYS + instrument.number, state.time_ns)


def _holders(state: State, number: int) -> list[tuple[Account, int]]:
    """Who holds the instrument, with signed lots, by account number: the one scan of all accounts,
    for a command that comes once in an instrument's life.
    """
    return [
        (account, account.positions[number].quantity_lots)
        for _, account in sorted(state.accounts.items())
        if number in account.positions
    ]


def _close_books(state: State, instrument: Instrument, emit: Emit) -> None:
    """All orders of the instrument go, and the combos of which it is a leg with theirs."""
    number = instrument.number
    cancel_book(state, number, emit, events.CANCELLED_DELISTED)
    for combo in list(state.combos.values()):
        if any(leg == number for leg, _ in combo.legs):
            cancel_book(state, combo.book, emit, events.CANCELLED_DELISTED)
            drop_combo(state, combo.book, emit)


def _close_positions(
    state: State, instrument: Instrument, holders: list[tuple[Account, int]]
) -> None:
    """Each long gives its lots to the shorts, by account number, until nobody has any."""
    number = instrument.number
    longs = [account for account, lots in holders if lots > 0]
    at = 0
    for taker, _ in holders:
        while taker.lots_of(number) < 0:
            giver = longs[at]
            lots = min(giver.lots_of(number), -taker.lots_of(number))
            move_lots(state.portfolio, giver, taker, instrument, lots)
            state.record(records.position_moved_record(giver.number, taker.number, number, lots))
            if not giver.lots_of(number):
                at += 1


def _delist(state: State, instrument: Instrument, emit: Emit) -> None:
    state.trading.delist(instrument.number, state.time_s)
    state.marks.delist(instrument)
    state.funding.pop(instrument.number, None)
    emit(events.InstrumentDelisted(instrument.number))


def _quietly(_: events.Event) -> None:
    """Where another event says what happened."""
