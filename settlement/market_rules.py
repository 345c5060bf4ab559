"""Records of markets: listings, marks, accruals, settlement prices and time.

Holds: each handler checks everything before it changes anything (docs/protocol.md, 4); no handler
looks at an account. A future's accrual follows its forward, then its settlement price; a
perpetual's follows the index, and funding alone moves it besides.
Never: can tell whether an index, forward, funding rate or settlement price is true: those are
audited from the journal and its sources.
"""

from typing import Final

from margin.fees import MAX_LEVEL
from matching.instruments import FUTURE, MAX_VALUE_MICRO, NO_EXPIRY, PERPETUAL, PUT
from settlement import violations as rule
from settlement.record_types import (
    AccrualUpdated,
    ExpiryListed,
    ExpirySettled,
    FeeLevelSet,
    IndexUpdated,
    InstrumentListed,
    MarkUpdated,
    TimeAdvanced,
    UnderlyingListed,
)
from settlement.state import Expiry, Market, State, Underlying
from settlement.violations import Violation

MAX_TICK_VALUE_MICRO: Final = 1 << 31
_ONE_Q30: Final = 1 << 30
_EPOCHS: Final = 1 << 24
"""Epochs are counted round: one that is less than half the circle ahead is later."""


# LISTINGS


def underlying_listed(state: State, record: UnderlyingListed) -> Violation | None:
    if record.underlying in state.underlyings:
        return Violation(rule.ALREADY_LISTED, None, record.underlying)
    if not record.lot_e8:
        return Violation(rule.SPEC_OUT_OF_BOUNDS, None, 2)
    state.update_underlying(Underlying(*record))
    return None


def expiry_listed(state: State, record: ExpiryListed) -> Violation | None:
    if record.expiry in state.expiries:
        return Violation(rule.ALREADY_LISTED, None, record.expiry)
    if record.expiry == NO_EXPIRY:
        return Violation(rule.SPEC_OUT_OF_BOUNDS, None, 0)
    if record.underlying not in state.underlyings:
        return Violation(rule.UNKNOWN_UNDERLYING, None, record.underlying)
    state.update_expiry(Expiry(*record))
    return None


def instrument_listed(state: State, record: InstrumentListed) -> Violation | None:
    number, kind, underlying_number, expiry_number, strike_micro, tick_value_micro = record
    if number in state.markets:
        return Violation(rule.ALREADY_LISTED, None, number)
    if kind > PUT:
        return Violation(rule.SPEC_OUT_OF_BOUNDS, None, 1)
    underlying = state.underlyings.get(underlying_number)
    if underlying is None:
        return Violation(rule.UNKNOWN_UNDERLYING, None, underlying_number)
    expiry = state.expiries.get(expiry_number)
    if kind == PERPETUAL:
        if expiry_number != NO_EXPIRY:
            return Violation(rule.SPEC_OUT_OF_BOUNDS, None, 3)
    elif expiry is None or expiry.underlying != underlying_number:
        return Violation(rule.UNKNOWN_EXPIRY, None, expiry_number)
    elif expiry.settlement_micro is not None:
        return Violation(rule.ALREADY_SETTLED, None, expiry_number)
    is_option = kind > FUTURE
    if bool(strike_micro) != is_option or strike_micro >= MAX_VALUE_MICRO:
        return Violation(rule.SPEC_OUT_OF_BOUNDS, None, 4)
    if not 0 < tick_value_micro <= MAX_TICK_VALUE_MICRO:
        return Violation(rule.SPEC_OUT_OF_BOUNDS, None, 5)
    state.update_market(Market(number, kind, underlying, expiry, strike_micro, tick_value_micro))
    return None


# MARKS


def index_updated(state: State, record: IndexUpdated) -> Violation | None:
    number, index_micro, mark_time_s = record
    underlying = state.underlyings.get(number)
    if underlying is None:
        return Violation(rule.UNKNOWN_UNDERLYING, None, number)
    if not 0 < index_micro < MAX_VALUE_MICRO:
        return Violation(rule.MARK_OUT_OF_BOUNDS, None, 1)
    if mark_time_s < underlying.mark_time_s:
        return Violation(rule.MARK_TIME_FELL, None, mark_time_s, underlying.mark_time_s)
    underlying.index_micro = index_micro
    underlying.mark_time_s = mark_time_s
    state.latest_mark_s = max(state.latest_mark_s, mark_time_s)
    state.update_underlying(underlying)
    return None


def mark_updated(state: State, record: MarkUpdated) -> Violation | None:
    """What SVI parameters promise of the variance (docs/protocol.md, 7) is audited."""
    number, forward_micro, a, b, rho, m, sigma, epoch = record
    expiry = state.expiries.get(number)
    if expiry is None:
        return Violation(rule.UNKNOWN_EXPIRY, None, number)
    if expiry.settlement_micro is not None:
        return Violation(rule.ALREADY_SETTLED, None, number)
    is_within = {
        1: 0 < forward_micro < MAX_VALUE_MICRO,
        3: b >= 0,
        4: abs(rho) <= _ONE_Q30,
        6: sigma > 0,
    }
    for field, holds in is_within.items():
        if not holds:
            return Violation(rule.MARK_OUT_OF_BOUNDS, None, field)
    if expiry.forward_micro and (epoch - expiry.epoch) % _EPOCHS >= _EPOCHS // 2:
        return Violation(rule.EPOCH_FELL, None, epoch, expiry.epoch)
    expiry.forward_micro = forward_micro
    expiry.svi = (a, b, rho, m, sigma)
    expiry.epoch = epoch
    state.update_expiry(expiry)
    return None


def accrual_updated(state: State, record: AccrualUpdated) -> Violation | None:
    """A new mark moves the accrual as it moves the carry; the first only sets the carry, since
    nobody can have traded. A perpetual's accrual that moves at the same carry is funding.
    """
    number, accrual_micro, carry_micro = record
    market = state.markets.get(number)
    if market is None:
        return Violation(rule.UNKNOWN_INSTRUMENT, None, number)
    if not market.is_linear:
        return Violation(rule.NOT_LINEAR, None, number)
    if market.expiry is not None or carry_micro != market.carry_micro:
        mark_micro = _linear_mark_micro(market)
        if carry_micro != mark_micro:
            return Violation(rule.CARRY_IS_NO_MARK, None, carry_micro, mark_micro)
        rise_micro = mark_micro - market.carry_micro if market.carry_micro else 0
        if accrual_micro != market.accrual_micro + rise_micro:
            return Violation(
                rule.ACCRUAL_OFF, None, accrual_micro, market.accrual_micro + rise_micro
            )
    market.accrual_micro = accrual_micro
    market.carry_micro = carry_micro
    state.update_market(market)
    return None


def _linear_mark_micro(market: Market) -> int:
    """What a linear instrument is marked at now: index, forward or settlement price."""
    if market.expiry is None:
        return market.underlying.index_micro
    settlement_micro = market.expiry.settlement_micro
    return market.expiry.forward_micro if settlement_micro is None else settlement_micro


def expiry_settled(state: State, record: ExpirySettled) -> Violation | None:
    number, settlement_micro = record
    expiry = state.expiries.get(number)
    if expiry is None:
        return Violation(rule.UNKNOWN_EXPIRY, None, number)
    if expiry.settlement_micro is not None:
        return Violation(rule.ALREADY_SETTLED, None, number)
    if not 0 < settlement_micro < MAX_VALUE_MICRO:
        return Violation(rule.MARK_OUT_OF_BOUNDS, None, 1)
    expiry.settlement_micro = settlement_micro
    state.latest_settled_s = max(state.latest_settled_s, expiry.expiry_time_s)
    state.update_expiry(expiry)
    return None


# FEES


def fee_level_set(state: State, record: FeeLevelSet) -> Violation | None:
    """That the level follows from the underlying's circuit breaker is audited."""
    number, level = record
    underlying = state.underlyings.get(number)
    if underlying is None:
        return Violation(rule.UNKNOWN_UNDERLYING, None, number)
    if level > MAX_LEVEL:
        return Violation(rule.FEE_LEVEL_TOO_HIGH, None, level, MAX_LEVEL)
    if level == underlying.fee_level:
        return Violation(rule.FEE_LEVEL_UNCHANGED, None, level)
    underlying.fee_level = level
    state.update_underlying(underlying)
    return None


# TIME


def time_advanced(state: State, record: TimeAdvanced) -> Violation | None:
    time_s = record.time_s
    if time_s < state.time_s:
        return Violation(rule.TIME_FELL, None, time_s, state.time_s)
    if time_s < state.latest_mark_s:
        return Violation(rule.MARKED_AHEAD, None, time_s, state.latest_mark_s)
    if time_s < state.latest_settled_s:
        return Violation(rule.SETTLED_EARLY, None, time_s, state.latest_settled_s)
    state.time_s = time_s
    return None
