"""Trading states: set by the operator, entered and left by the circuit breakers, asked by orders.

Holds: what a state permits is one table (`matching/trading_states.py`); the state in force is the
most restrictive of venue, underlying, breaker, instrument and, for a combo, of all its legs; a
change of state cancels nothing and fills nothing; a breaker acts at an update of the marks, at the
command's second.
Never: refuses a cancel.
"""

from collections.abc import Callable

from exchange import events
from exchange.circuit_breaker import Breaker, wrong_field
from exchange.commands import SetBreaker, SetTradingState
from exchange.handlers.fee_levels import follow_breaker
from exchange.handlers.refusal import refuse
from exchange.state import State
from matching.instruments import Instrument
from matching.orders import GTC, POST_ONLY, Order
from matching.rejects import (
    BEFORE_OPENING,
    CANCEL_ONLY_NOW,
    HALTED_NOW,
    INSTRUMENT_NOT_OPEN,
    POST_ONLY_NOW,
    SPEC_OUT_OF_BOUNDS,
    UNKNOWN_INSTRUMENT,
    UNKNOWN_SCOPE,
    UNKNOWN_STATE,
    UNKNOWN_UNDERLYING,
    Reject,
)
from matching.trading_states import (
    INSTRUMENT,
    LAST_ORDERED,
    OPEN,
    PERMITTED,
    REST,
    REST_POST_ONLY,
    SHRINK,
    TAKE,
    UNDERLYING,
    VENUE,
)
from settlement.signed_messages import Legs
from settlement.signed_messages import Order as SignedOrder

Emit = Callable[[events.Event], None]

_REFUSALS = (
    INSTRUMENT_NOT_OPEN,  # open: never used
    BEFORE_OPENING,
    POST_ONLY_NOW,
    CANCEL_ONLY_NOW,
    HALTED_NOW,
    INSTRUMENT_NOT_OPEN,  # settled
    INSTRUMENT_NOT_OPEN,  # delisted
)
"""How each state refuses an order that it does not permit."""


# WHAT ORDERS ASK


def instrument_state(state: State, instrument: Instrument) -> int:
    """The state in force for one instrument."""
    return state.trading.of_instrument(instrument, instrument.is_settled, state.time_s)


def legs_state(state: State, legs: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """(state, instrument): the most restrictive state of the legs, and the first leg in it. Every
    leg is listed.
    """
    if state.trading.are_open:  # nearly always; settled legs are refused before this is asked
        return OPEN, legs[0][0]
    worst, where = OPEN, legs[0][0]
    for number, _ in legs:
        of_leg = instrument_state(state, state.instruments[number])
        if of_leg > worst:
            worst, where = of_leg, number
    return worst, where


def check_trading_state(state: State, signed: SignedOrder, replaced: Order | None) -> Reject | None:
    """Whether the state in force lets such an order in at all; that one which may only rest does
    not trade is for `takes_nothing`.
    """
    if state.trading.are_open:
        return None
    found, where = legs_state(state, signed.legs)
    if found == OPEN:
        return None
    permitted = PERMITTED[found]
    if replaced is not None and permitted & SHRINK and _shrinks(state, signed, replaced):
        return None
    if signed.flags & POST_ONLY:
        asked = REST_POST_ONLY
    else:
        asked = REST if signed.time_in_force == GTC else TAKE
    return None if permitted & asked else Reject(_REFUSALS[found], where)


def may_trade(state: State, instrument: Instrument) -> bool:
    """Whether orders of an instrument trade in the state in force."""
    return bool(PERMITTED[instrument_state(state, instrument)] & TAKE)


def takes_nothing(state: State, flags: int, legs: Legs) -> bool:
    """Whether an order may only rest: it is refused where it meets a price of its own book, and
    does not look at any other.
    """
    if flags & POST_ONLY:
        return True
    if state.trading.are_open:
        return False
    return not PERMITTED[legs_state(state, legs)[0]] & TAKE


def _shrinks(state: State, signed: SignedOrder, replaced: Order) -> bool:
    """Whether a replacement only lowers what is left of a live order of the same account."""
    if len(signed.legs) == 1:
        book = signed.legs[0][0]
    else:
        combo = state.combos_by_legs.get(signed.legs)
        book = -1 if combo is None else combo.book
    return (
        signed.time_in_force == GTC
        and replaced.book == book
        and replaced.account == signed.account
        and replaced.side == signed.side
        and replaced.price_micro == signed.limit_price_micro
        and signed.quantity_lots < replaced.remaining_lots
    )


# WHAT THE OPERATOR ORDERS


def set_trading_state(state: State, command: SetTradingState, emit: Emit) -> None:
    # CHECK
    reject = _check_order(state, command)
    if reject is not None:
        refuse(emit, reject)
        return
    # EMIT
    before = state.trading.ordered(command.scope, command.number)
    state.trading.order(command.scope, command.number, command.state)
    emit(
        events.TradingStateChanged(
            command.scope, command.number, command.state, before, command.reason
        )
    )


def _check_order(state: State, command: SetTradingState) -> Reject | None:
    scope, number = command.scope, command.number
    if scope > INSTRUMENT:
        return Reject(UNKNOWN_SCOPE, scope, INSTRUMENT)
    if scope == VENUE and number:
        return Reject(SPEC_OUT_OF_BOUNDS, 2)
    if scope == UNDERLYING and number >= len(state.underlyings):
        return Reject(UNKNOWN_UNDERLYING, number, len(state.underlyings))
    if scope == INSTRUMENT and number >= len(state.instruments):
        return Reject(UNKNOWN_INSTRUMENT, number, len(state.instruments))
    if scope == INSTRUMENT and (
        state.instruments[number].is_settled or number in state.trading.delisted
    ):
        return Reject(INSTRUMENT_NOT_OPEN, number)
    if command.state > LAST_ORDERED:
        return Reject(UNKNOWN_STATE, command.state, LAST_ORDERED)
    if command.reason >= len(events.STATE_REASONS):
        return Reject(UNKNOWN_STATE, command.reason, len(events.STATE_REASONS) - 1)
    return None


# CIRCUIT BREAKERS


def set_breaker(state: State, command: SetBreaker, emit: Emit) -> None:
    # CHECK
    number, levels = command.underlying, command.levels
    reject: Reject | None = None
    if number >= len(state.underlyings):
        reject = Reject(UNKNOWN_UNDERLYING, number, len(state.underlyings))
    else:
        field = wrong_field(command.window_s, command.calm_window_s, command.calm_e4, levels)
        reject = Reject(SPEC_OUT_OF_BOUNDS, field) if field else None
    if reject is not None:
        refuse(emit, reject)
        return
    # EMIT
    breaker = state.breakers.setdefault(number, Breaker())
    tripped_s = breaker.tripped_s if breaker.level else -1
    breaker.arm(command.window_s, command.calm_window_s, command.calm_e4, levels)
    index = state.marks.index_micro.get(number)
    if index is not None and levels and not breaker.samples:
        breaker.take(state.time_s, index)
    emit(
        events.BreakerArmed(
            number, command.window_s, command.calm_window_s, command.calm_e4, levels
        )
    )
    if not levels:
        del state.breakers[number]
        if tripped_s >= 0:
            state.trading.trip(number, OPEN)
            emit(events.BreakerReleased(number, 0, 0, tripped_s))
    follow_breaker(state, number, emit)


def watch_index(state: State, underlying: int, emit: Emit) -> None:
    """Lets those see the index that was just set who remember it: the samples that expiries settle
    at, and the underlying's breaker, which trips, or goes to a higher level; else, if its time is
    over and the index is calm, it is released.
    """
    state.samples.take(underlying, state.time_ns, state.marks.index_micro[underlying])
    breaker = state.breakers.get(underlying)
    if breaker is None:
        return
    index = state.marks.index_micro[underlying]
    breaker.take(state.time_s, index)
    level, reference = breaker.breached()
    if level > breaker.level:
        breaker.trip(level)
        threshold, asked, _ = breaker.levels[level - 1]
        asked = max(asked, state.trading.by_breaker.get(underlying, OPEN))
        state.trading.trip(underlying, asked)
        emit(
            events.BreakerTripped(
                underlying, asked, level, index, reference, threshold, breaker.until_s
            )
        )
    elif breaker.level and breaker.is_calm():
        low, high = breaker.extremes(breaker.calm_window_s)
        tripped_s = breaker.tripped_s
        breaker.release()
        state.trading.trip(underlying, OPEN)
        emit(events.BreakerReleased(underlying, low, high, tripped_s))
    follow_breaker(state, underlying, emit)
