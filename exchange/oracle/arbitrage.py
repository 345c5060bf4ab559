"""Whether a smile, at the strikes that are listed, can be traded against itself for nothing.

A butterfly: calls fall in the strike, no faster than the strike rises, and are convex in it. A
calendar: at equal log-moneyness total variance does not fall with the expiry (Gatheral & Jacquier
2014, arXiv:1204.0646, definitions 2.1 to 2.3).

Holds: prices are those that margin uses, so what passes here cannot be traded at marks; integers
alone. Not checked: strikes that nobody listed; a calendar beyond `CALENDAR_REACH` deviations of the
nearer expiry, where both smiles are extrapolated.
Never: mends a smile.
"""

from collections.abc import Sequence
from typing import Final

from margin.black76 import call_micro
from margin.fixed_point import ln_q30
from margin.svi import ExpiryMark, deviation_q30, total_variance_q60

Strikes = Sequence[tuple[int, int]]
"""(strike in micro-USDC per lot, its `ln_q30`), ascending, each once."""

ROUNDING_SHIFT: Final = 25
ROUNDING_MICRO: Final = 16
"""What rounding may do to a price, with a margin: 16 micro-USDC and 2^-25 of the forward. The
integer price is within 8e-9 of the forward of the exact one (docs/margin.md).
"""
CALENDAR_REACH: Final = 2
"""In deviations of the nearer expiry at the money."""
CALENDAR_SLACK_E4: Final = 200
"""By how much, in 1e-4, total variance may fall: fits of quotes two days apart differ by so much
within their spreads.
"""


def butterfly_strike(mark: ExpiryMark, strikes: Strikes) -> int:
    """The first strike at which the mark's call prices can be arbitraged, 0 where none can."""
    forward = mark.forward_micro
    slack = ROUNDING_MICRO + (forward >> ROUNDING_SHIFT)
    ln_forward = ln_q30(forward)
    before_strike, before = 0, forward  # a call with strike zero
    last_strike, last = 0, forward
    for strike, ln_strike in strikes:
        k = ln_strike - ln_forward
        price = call_micro(forward, strike, k, deviation_q30(k, mark))
        if price > last + slack or last - price > strike - last_strike + slack:
            return strike
        width = strike - before_strike
        if last_strike > before_strike:
            wing = before * (strike - last_strike) + price * (last_strike - before_strike)
            if wing + slack * width < last * width:
                return last_strike
        before_strike, before = last_strike, last
        last_strike, last = strike, price
    return 0


def calendar_strike(near: ExpiryMark, far: ExpiryMark, strikes: Strikes) -> int:
    """The first of the nearer expiry's strikes at whose log-moneyness the farther one has less
    total variance, beyond the slack; 0 where none has.
    """
    ln_forward = ln_q30(near.forward_micro)
    reach = CALENDAR_REACH * deviation_q30(0, near)
    for strike, ln_strike in strikes:
        k = ln_strike - ln_forward
        if not -reach <= k <= reach:
            continue
        of_near, of_far = total_variance_q60(k, near), total_variance_q60(k, far)
        if of_far * 10_000 < of_near * (10_000 - CALENDAR_SLACK_E4):
            return strike
    return 0
