"""Marks for tickers: price, index, implied volatility and Greeks of an instrument or a combo.

Holds: Greeks are per unit of the underlying, in the conventions of `margin/analytics`; a combo's
are the sums of its legs' and it has no volatility of its own; a linear instrument has delta 1. Of a
combo of several underlyings the index is its first leg's; Greeks are per unit of each leg's own.
Never: is read by the engine.
"""

from exchange.market_data.display_marks import NO_BOUNDS, Bounds
from exchange.state import State
from exchange.venue import Legs, MarkView
from margin.analytics.mark_greeks import mark_greeks
from margin.black76 import intrinsic_micro
from matching.instruments import CALL


def mark_view(state: State, legs: Legs) -> MarkView | None:
    """None while a leg has no mark."""
    if not all(state.marks.is_marked[number] for number, _ in legs):
        return None
    price, volatility = 0, None
    sums = [0.0] * 4
    for number, ratio in legs:
        instrument = state.instruments[number]
        price += ratio * state.marks.mark_micro(instrument)
        greeks = [1.0, 0.0, 0.0, 0.0]
        expiry = instrument.expiry
        if not instrument.is_linear and expiry is not None:
            found, of = mark_greeks(
                [instrument.kind],
                [instrument.strike_micro],
                state.marks.expiry_marks[expiry.number],
                expiry.expiry_time_s - state.time_s,
                instrument.underlying.lot_e8,
            )
            volatility = float(found[0]) if len(legs) == 1 else None
            greeks = [float(x[0]) for x in (of.delta, of.gamma, of.vega, of.theta)]
        for at, value in enumerate(greeks):
            sums[at] += ratio * value
    index = state.marks.index_micro[state.instruments[legs[0][0]].underlying.number]
    delta, gamma, vega, theta = sums
    bounds = display_bounds(state, legs)
    return MarkView(price, index, volatility, delta, gamma, vega, theta, bounds)


def display_bounds(state: State, legs: Legs) -> Bounds:
    """What a display mark of marked legs must keep to: the sums of its legs', each at its worst and
    best. A combo has no worth of its own at the index; a linear instrument has no bounds.
    """
    low = high = 0
    at_index = None
    for number, ratio in legs:
        instrument = state.instruments[number]
        expiry = instrument.expiry
        if instrument.is_linear or expiry is None:
            return NO_BOUNDS
        forward = expiry.settlement_micro
        if forward is None:
            forward = state.marks.expiry_marks[expiry.number].forward_micro
        strike = instrument.strike_micro
        least = intrinsic_micro(instrument.kind, forward, strike)
        most = max(forward if instrument.kind == CALL else strike, least)
        low += ratio * (least if ratio > 0 else most)
        high += ratio * (most if ratio > 0 else least)
        if len(legs) == 1 and expiry.settlement_micro is None:
            index = state.marks.index_micro[instrument.underlying.number]
            at_index = intrinsic_micro(instrument.kind, index, strike)
    return Bounds(low, high, at_index)
