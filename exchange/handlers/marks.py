"""Marks, funding and settlement prices: what moves every account at once, in one record.

Holds: a mark within the bounds of docs/protocol.md, 7, or none of the update; positions are
re-margined in one sweep; no account's cash moves here (it takes what has accrued when it is next
touched).
Never: loops over accounts' cash.
"""

from collections.abc import Callable, Sequence

from exchange import events
from exchange.commands import AccrueFunding, SettleExpiry, UpdateMarks
from exchange.handlers.cancels import cancel_book
from exchange.handlers.combos import drop_combo
from exchange.handlers.funding import (
    MAX_ACCRUAL_MICRO,
    is_armed,
    pay_funding,
    sample_premiums,
)
from exchange.handlers.liquidation import watch_accounts
from exchange.handlers.refusal import refuse
from exchange.handlers.samples import check_samples, mean_micro, seen_count
from exchange.handlers.states import watch_index
from exchange.handlers.volatility import reprice
from exchange.state import State
from margin.svi import ExpiryMark, check_index, check_marks
from matching.instruments import PERPETUAL
from matching.rejects import (
    ALREADY_SETTLED,
    AMOUNT_OUT_OF_RANGE,
    FUNDING_IS_ARMED,
    INSTRUMENT_NOT_OPEN,
    LISTING_OUT_OF_ORDER,
    NOT_LINEAR,
    NOT_YET_EXPIRED,
    ORACLE_ARMED,
    UNKNOWN_EXPIRY,
    UNKNOWN_INSTRUMENT,
    UNKNOWN_UNDERLYING,
    Reject,
)
from settlement import records

Emit = Callable[[events.Event], None]

EPOCHS = 1 << 24
"""A record counts epochs round (docs/protocol.md, 4: u24)."""


def update_marks(state: State, command: UpdateMarks, emit: Emit) -> None:
    # CHECK
    reject = _check_update(state, command)
    if reject is not None:
        refuse(emit, reject)
        return
    # MARGIN, EMIT
    apply_marks(state, command.underlying, command.index_micro, command.marks, emit)


def apply_marks(
    state: State,
    number: int,
    index_micro: int,
    updates: Sequence[tuple[int, int, int, int, int, int, int]],
    emit: Emit,
) -> None:
    """Puts marks in force that were accepted, the operator's or the oracle's: nothing else moves an
    account's margin by a price. What follows from accepted marks, follows here.

    updates  (expiry, forward_micro, a, b, rho, m, sigma) by ascending expiry, within the bounds
    """
    time_s, marks = state.time_s, state.marks
    pay_funding(state, number, emit)  # what has run up until now, at the index of until now
    moved = marks.update_index(number, index_micro, time_s)
    for expiry, *mark in updates:
        moved += marks.update_expiry(state.expiries[expiry], ExpiryMark(*mark), time_s)
    state.portfolio.sweep(number)
    if state.waiting.armed:
        state.waiting.remarked.append(number)
    epoch = marks.epochs[number]
    round_epoch = epoch % EPOCHS
    state.record(records.index_updated_record(number, index_micro, time_s))
    for expiry, forward, a, b, rho, m, sigma in updates:
        record = records.mark_updated_record(expiry, forward, a, b, rho, m, sigma, round_epoch)
        state.record(record)
    record_accruals(state, moved)
    emit(events.MarksUpdated(number, index_micro, epoch))
    watch_index(state, number, emit)
    sample_premiums(state, number, emit)
    reprice(state, number, emit)
    watch_accounts(state, number, emit)


def _check_update(state: State, command: UpdateMarks) -> Reject | None:
    if command.underlying >= len(state.underlyings):
        return Reject(UNKNOWN_UNDERLYING, command.underlying, len(state.underlyings))
    oracle = state.oracles.get(command.underlying)
    if oracle is not None and oracle.terms is not None:
        return Reject(ORACLE_ARMED, command.underlying, len(oracle.terms.reporters))
    reject = check_index(command.underlying, command.index_micro)
    if reject is not None:
        return reject
    previous = -1
    for number, *values in command.marks:
        if number >= len(state.expiries):
            return Reject(UNKNOWN_EXPIRY, number, len(state.expiries))
        if number <= previous:
            return Reject(LISTING_OUT_OF_ORDER, number, previous + 1)
        previous = number
        expiry = state.expiries[number]
        if expiry.underlying.number != command.underlying:
            return Reject(UNKNOWN_EXPIRY, number, len(state.expiries))
        if expiry.settlement_micro is not None:
            return Reject(ALREADY_SETTLED, number)
        mark = ExpiryMark(*values)
        reject = check_marks(number, mark, state.marks.ln_strikes_q30(number))
        if reject is not None:
            return reject
    return None


def accrue_funding(state: State, command: AccrueFunding, emit: Emit) -> None:
    # CHECK
    number = command.instrument
    reject: Reject | None = None
    if number >= len(state.instruments):
        reject = Reject(UNKNOWN_INSTRUMENT, number, len(state.instruments))
    elif state.instruments[number].kind != PERPETUAL:
        reject = Reject(NOT_LINEAR, number)
    elif is_armed(state, number):
        reject = Reject(FUNDING_IS_ARMED, number)
    elif number in state.trading.delisted:
        reject = Reject(INSTRUMENT_NOT_OPEN, number)
    elif abs(state.marks.accrual_micro[number] - command.rate_micro) > MAX_ACCRUAL_MICRO:
        reject = Reject(AMOUNT_OUT_OF_RANGE, command.rate_micro, MAX_ACCRUAL_MICRO)
    if reject is not None:
        refuse(emit, reject)
        return
    # MARGIN
    instrument = state.instruments[number]
    state.marks.accrue(instrument, command.rate_micro)
    state.portfolio.sweep(instrument.underlying.number)
    # EMIT
    record_accruals(state, [number])
    accrual = state.marks.accrual_micro[number]
    emit(events.FundingAccrued(number, command.rate_micro, accrual))
    watch_accounts(state, instrument.underlying.number, emit)


def settle_expiry(state: State, command: SettleExpiry, emit: Emit) -> None:
    # CHECK
    reject = _check_settlement(state, command)
    if reject is not None:
        refuse(emit, reject)
        return
    expiry = state.expiries[command.expiry]
    seen = state.samples.seen(expiry.underlying.number, expiry.number, state.time_ns)
    listed = state.options_by_expiry[expiry.number]
    for instrument in listed:
        cancel_book(state, instrument.number, emit)
    settled = {instrument.number: True for instrument in listed}
    for combo in list(state.combos.values()):
        if any(number in settled for number, _ in combo.legs):
            cancel_book(state, combo.book, emit)
            drop_combo(state, combo.book, emit)
    # MARGIN
    price = mean_micro(command.samples_micro)
    options = [instrument for instrument in listed if not instrument.is_linear]
    moved = state.marks.settle_expiry(expiry, price, options)
    expiry.settlement_micro = price
    state.samples.settled(expiry.underlying.number, expiry.number)
    state.settlements += 1
    state.portfolio.settlements = state.settlements
    state.portfolio.sweep(expiry.underlying.number)
    # EMIT: the price first, for the future's last accrual follows from it
    state.record(records.expiry_settled_record(expiry.number, price))
    record_accruals(state, moved)
    emit(events.SettlementSampled(expiry.number, seen_count(seen)))
    emit(events.ExpirySettled(expiry.number, price))
    watch_accounts(state, expiry.underlying.number, emit)


def _check_settlement(state: State, command: SettleExpiry) -> Reject | None:
    if command.expiry >= len(state.expiries):
        return Reject(UNKNOWN_EXPIRY, command.expiry, len(state.expiries))
    expiry = state.expiries[command.expiry]
    if expiry.settlement_micro is not None:
        return Reject(ALREADY_SETTLED, command.expiry)
    if state.time_s < expiry.expiry_time_s:
        return Reject(NOT_YET_EXPIRED, expiry.expiry_time_s, state.time_s)
    underlying = expiry.underlying.number
    seen = state.samples.seen(underlying, command.expiry, state.time_ns)
    return check_samples(underlying, command.expiry, command.samples_micro, seen)


def record_accruals(state: State, numbers: list[int]) -> None:
    """Writes down where the accruals of linear instruments stand."""
    marks = state.marks
    for number in numbers:
        state.record(
            records.accrual_updated_record(
                number, marks.accrual_micro[number], marks.carry_micro[number]
            )
        )
