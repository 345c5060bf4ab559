"""What is traded: underlyings, expiries and instruments, each listed once, numbers in order.

Holds: a specification is within the bounds that pricing and sums rest on (docs/protocol.md, 1
and 7).
Never: changes one that is listed.
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import ListExpiry, ListInstrument, ListUnderlying
from exchange.handlers.refusal import refuse
from exchange.state import State
from margin.fixed_point import ln_q30
from margin.svi import check_marks
from matching.book import Book
from matching.instruments import (
    CALL,
    FUTURE,
    MAX_VALUE_MICRO,
    NO_EXPIRY,
    PERPETUAL,
    PUT,
    Expiry,
    Instrument,
    Underlying,
)
from matching.rejects import (
    LISTING_OUT_OF_ORDER,
    SPEC_OUT_OF_BOUNDS,
    UNKNOWN_EXPIRY,
    UNKNOWN_UNDERLYING,
    Reject,
)
from settlement import records

Emit = Callable[[events.Event], None]

MAX_INSTRUMENTS = 1 << 24
MAX_TICK_VALUE_MICRO = 1 << 31
MIN_TICK_VALUE_MICRO = 8
"""So that a price below 2^34 micro-USDC is below 2^31 ticks, which a record holds (i32)."""
LOTS_PER_10E6_UNITS = 10**14
"""A lot divides 10^6 units of the underlying, so that prices and quantities have exact decimals."""


def list_underlying(state: State, command: ListUnderlying, emit: Emit) -> None:
    # CHECK
    number = command.underlying
    reject = _check_next(number, len(state.underlyings), 255)
    name = command.name.rstrip(b"\0")
    if reject is None and not (name.isalnum() and name.isascii() and name == name.upper()):
        reject = Reject(SPEC_OUT_OF_BOUNDS, 2)
    if reject is None and (command.lot_e8 == 0 or LOTS_PER_10E6_UNITS % command.lot_e8):
        reject = Reject(SPEC_OUT_OF_BOUNDS, 3)
    if reject is not None:
        refuse(emit, reject)
        return
    # EMIT
    state.underlyings.append(Underlying(number, name.decode("ascii"), command.lot_e8))
    state.record(records.underlying_listed_record(number, command.name, command.lot_e8))
    emit(events.UnderlyingListed(number, command.name, command.lot_e8))


def list_expiry(state: State, command: ListExpiry, emit: Emit) -> None:
    # CHECK
    number = command.expiry
    reject = _check_next(number, len(state.expiries), NO_EXPIRY - 1)
    if reject is None and command.underlying >= len(state.underlyings):
        reject = Reject(UNKNOWN_UNDERLYING, command.underlying, len(state.underlyings))
    if reject is None and command.expiry_time_s <= state.time_s:
        reject = Reject(SPEC_OUT_OF_BOUNDS, 3)
    if reject is not None:
        refuse(emit, reject)
        return
    # EMIT
    underlying = state.underlyings[command.underlying]
    state.expiries.append(Expiry(number, underlying, command.expiry_time_s))
    state.options_by_expiry[number] = []
    state.samples.listed(command.underlying, number, command.expiry_time_s)
    state.record(records.expiry_listed_record(number, command.underlying, command.expiry_time_s))
    emit(events.ExpiryListed(number, command.underlying, command.expiry_time_s))


def list_instrument(state: State, command: ListInstrument, emit: Emit) -> None:
    # CHECK
    reject = _check_instrument(state, command)
    if reject is not None:
        refuse(emit, reject)
        return
    expiry = None if command.kind == PERPETUAL else state.expiries[command.expiry]
    instrument = Instrument(
        command.instrument,
        command.kind,
        state.underlyings[command.underlying],
        expiry,
        command.strike_micro,
        command.tick_value_micro,
    )
    if (
        instrument.symbol in state.symbols
    ):  # so an underlying has one perpetual, an expiry one future
        refuse(emit, Reject(SPEC_OUT_OF_BOUNDS, 1))
        return
    # EMIT
    state.symbols[instrument.symbol] = instrument.number
    state.instruments.append(instrument)
    state.books[instrument.number] = Book(instrument.number, instrument.tick_value_micro)
    state.marks.list_instrument(instrument)
    if expiry is not None:
        state.options_by_expiry[expiry.number].append(instrument)
    state.record(
        records.instrument_listed_record(
            command.instrument,
            command.kind,
            command.underlying,
            command.expiry,
            command.strike_micro,
            command.tick_value_micro,
        )
    )
    emit(events.InstrumentListed(instrument.number, instrument.symbol.encode("ascii")))


def _check_instrument(state: State, command: ListInstrument) -> Reject | None:
    reject = _check_next(command.instrument, len(state.instruments), MAX_INSTRUMENTS - 1)
    if reject is not None:
        return reject
    if command.kind > PUT:
        return Reject(SPEC_OUT_OF_BOUNDS, 2)
    if command.underlying >= len(state.underlyings):
        return Reject(UNKNOWN_UNDERLYING, command.underlying, len(state.underlyings))
    if command.kind == PERPETUAL:
        if command.expiry != NO_EXPIRY:
            return Reject(SPEC_OUT_OF_BOUNDS, 4)
    elif command.expiry >= len(state.expiries):
        return Reject(UNKNOWN_EXPIRY, command.expiry, len(state.expiries))
    else:
        expiry = state.expiries[command.expiry]
        if expiry.underlying.number != command.underlying or expiry.settlement_micro is not None:
            return Reject(SPEC_OUT_OF_BOUNDS, 4)
    strike = command.strike_micro
    if (command.kind >= CALL) != (0 < strike < MAX_VALUE_MICRO) or (command.kind <= FUTURE) != (
        strike == 0
    ):
        return Reject(SPEC_OUT_OF_BOUNDS, 5)
    if not MIN_TICK_VALUE_MICRO <= command.tick_value_micro < MAX_TICK_VALUE_MICRO:
        return Reject(SPEC_OUT_OF_BOUNDS, 6)
    mark = state.marks.expiry_marks.get(command.expiry)
    if mark is not None and command.kind >= CALL:  # later marks are checked against every strike
        return check_marks(command.expiry, mark, [ln_q30(strike)])
    return None


def _check_next(number: int, expected: int, last: int) -> Reject | None:
    if number != expected:
        return Reject(LISTING_OUT_OF_ORDER, number, expected)
    if number > last:
        return Reject(SPEC_OUT_OF_BOUNDS, 1)
    return None
