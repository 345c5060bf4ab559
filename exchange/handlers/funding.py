"""Funding of perpetuals: what has run up is paid, then the premium of the book is sampled anew.

Holds: an interval is paid at the index and at the rate in force at its start; a perpetual whose
state lets no order trade has no premium, so from the first mark or time that finds it so nobody
pays; no account is looped over: its accrual moves, at the carry of before, by one record.
Never: lets the accrual leave what values have room for (what would go beyond is not paid).
"""

from collections.abc import Callable, Iterator

from exchange import events
from exchange.commands import SetFunding
from exchange.handlers.refusal import refuse
from exchange.handlers.states import may_trade
from exchange.state import State
from margin.funding import Funding, impact_micro, premium_of, wrong_field
from matching.book import Book
from matching.instruments import MAX_VALUE_MICRO, PERPETUAL, Instrument
from matching.orders import BUY, SELL
from matching.rejects import NOT_LINEAR, SPEC_OUT_OF_BOUNDS, UNKNOWN_INSTRUMENT, Reject
from settlement import records

Emit = Callable[[events.Event], None]

MAX_ACCRUAL_MICRO = MAX_VALUE_MICRO // 2
"""Where funding may bring an accrual, so that with any mark and move it stays below 2^34."""


def set_funding(state: State, command: SetFunding, emit: Emit) -> None:
    # CHECK
    number = command.instrument
    terms = (
        command.cap_e6,
        command.band_e6,
        command.period_s,
        command.impact_lots,
        command.sample_s,
    )
    reject: Reject | None = None
    if number >= len(state.instruments):
        reject = Reject(UNKNOWN_INSTRUMENT, number, len(state.instruments))
    elif state.instruments[number].kind != PERPETUAL:
        reject = Reject(NOT_LINEAR, number)
    else:
        field = wrong_field(*terms)
        reject = Reject(SPEC_OUT_OF_BOUNDS, field) if field else None
    if reject is not None:
        refuse(emit, reject)
        return
    # MARGIN
    instrument = state.instruments[number]
    funding = state.funding.get(number)
    if funding is None:
        funding = state.funding[number] = Funding()
    elif _pay(state, instrument, funding, emit):
        state.portfolio.sweep(instrument.underlying.number)
    # EMIT
    funding.arm(*terms, state.time_s)
    emit(events.FundingSet(number, *terms))
    if funding.period_s:
        _sample(state, instrument, funding, emit)


def is_armed(state: State, instrument: int) -> bool:
    """Whether a perpetual's funding follows its premium."""
    funding = state.funding.get(instrument)
    return funding is not None and bool(funding.period_s)


def pay_funding(state: State, underlying: int, emit: Emit) -> None:
    """Accrues what has run up on an underlying's perpetuals before its index moves. The caller
    sweeps.
    """
    for instrument, funding in _armed(state):
        if instrument.underlying.number == underlying:
            _pay(state, instrument, funding, emit)


def sample_premiums(state: State, underlying: int, emit: Emit) -> None:
    """Samples the premiums of an underlying's perpetuals where it is time, after its index moved
    and was paid for.
    """
    for instrument, funding in _armed(state):
        if instrument.underlying.number != underlying:
            continue
        stands_still = funding.rate_e9 and not may_trade(state, instrument)
        if stands_still or funding.is_due(state.time_s):
            _sample(state, instrument, funding, emit)


def advance_funding(state: State, emit: Emit) -> None:
    """What time alone brings: where a sample is due, pays and samples."""
    for instrument, funding in _armed(state):
        stands_still = funding.rate_e9 and not may_trade(state, instrument)
        if not stands_still and not funding.is_due(state.time_s):
            continue
        if _pay(state, instrument, funding, emit):
            state.portfolio.sweep(instrument.underlying.number)
        _sample(state, instrument, funding, emit)


def _armed(state: State) -> Iterator[tuple[Instrument, Funding]]:
    for number, funding in state.funding.items():
        instrument = state.instruments[number]
        if funding.period_s and not instrument.is_settled:
            yield instrument, funding


def _pay(state: State, instrument: Instrument, funding: Funding, emit: Emit) -> bool:
    """Moves the accrual by what has run up; whether that was a whole micro-USDC."""
    number, marks = instrument.number, state.marks
    index_micro = marks.index_micro.get(instrument.underlying.number, 0)
    paid_micro = funding.accrue(index_micro, state.time_s)
    after = marks.accrual_micro[number] - paid_micro
    after = max(-MAX_ACCRUAL_MICRO, min(MAX_ACCRUAL_MICRO, after))
    paid_micro = marks.accrual_micro[number] - after
    if not paid_micro:
        return False
    marks.accrue(instrument, paid_micro)
    state.record(records.accrual_updated_record(number, after, marks.carry_micro[number]))
    emit(events.FundingAccrued(number, paid_micro, after))
    return True


def _sample(state: State, instrument: Instrument, funding: Funding, emit: Emit) -> None:
    """Takes the premium of the book as it stands."""
    index_micro = state.marks.index_micro.get(instrument.underlying.number, 0)
    lots, premium_e9 = funding.impact_lots, 0
    bid = ask = None
    if index_micro and may_trade(state, instrument):
        book = state.books[instrument.number]
        bid = impact_micro(_levels(book, BUY), lots)
        ask = impact_micro(_levels(book, SELL), lots)
        premium_e9 = premium_of(index_micro, lots, bid, ask)
    funding.sample(premium_e9, state.time_s)
    emit(
        events.FundingSampled(
            instrument.number,
            index_micro,
            0 if bid is None else bid // lots,
            0 if ask is None else -(-ask // lots),
            premium_e9,
            funding.rate_e9,
        )
    )


def _levels(book: Book, side: int) -> Iterator[tuple[int, int]]:
    """(price in micro-USDC, displayed lots), best first."""
    sign = 1 if side == BUY else -1
    for level in book.levels(side):
        yield sign * level.key * book.tick_micro, level.quantity_lots
