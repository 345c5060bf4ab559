"""Marks and scenario rows of all options of an expiry at once, and of the linear instruments.

A row is int64[119]: what one long lot gains in each scenario against its mark, in micro-USDC.

Holds: bit for bit what `scenarios.scenario_profit_micro` gives, for every mark that
`svi.check_marks` lets in; then every |row| is below 2^34 and nothing wraps.
Never: holds a float; keeps anything between calls.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from margin.call_values import call_values
from margin.fixed_point import ln_q30
from margin.scenarios import (
    BASE_SCENARIO,
    DAMPING,
    FIRST_TAIL,
    MOVE_PERCENT,
    SCENARIO_COUNT,
    shock_factors_q30,
)
from margin.svi import ExpiryMark, deviation_q30
from matching.instruments import PUT

Integers = NDArray[np.int64]

_GROWTH_PERCENT: Final = np.array([100 + m for m in MOVE_PERCENT], dtype=np.int64)
_TAIL_DIVISOR: Final = np.array([100 * abs(m) for m in MOVE_PERCENT[FIRST_TAIL:]], dtype=np.int64)


def price_expiry(
    kinds: Integers,
    strikes_micro: Integers,
    ln_strikes_q30: Integers,
    mark: ExpiryMark,
    seconds_to_expiry: int,
) -> tuple[Integers, Integers]:
    """Marks int64[n] and rows int64[n, 119] of n options, micro-USDC per lot.

    kinds           CALL or PUT of `matching.instruments`
    ln_strikes_q30  `ln_q30` of each strike, computed once when it is listed
    From the expiry on (`seconds_to_expiry` <= 0) marks are intrinsic values and rows are zero.
    """
    is_put = kinds == PUT
    if seconds_to_expiry <= 0:
        gains = strikes_micro - mark.forward_micro
        marks = np.maximum(np.where(is_put, gains, -gains), 0)
        return marks, np.zeros((len(marks), SCENARIO_COUNT), dtype=np.int64)
    strikes, first, place = np.unique(strikes_micro, return_index=True, return_inverse=True)
    calls, headroom = _call_values(strikes, ln_strikes_q30[first], mark, seconds_to_expiry)
    values = calls.take(place, axis=0)
    values[is_put] -= headroom.take(place[is_put], axis=0)
    marks = values[:, BASE_SCENARIO].copy()
    values -= marks[:, None]
    _damp_tails(values)
    return marks, values


def price_linear(reference_micro: int) -> Integers:
    """Row of a future (reference: its forward) or a perpetual (the index): int64[119]."""
    row = _moved(reference_micro) - reference_micro
    _damp_tails(row)
    return row


def _call_values(
    strikes: Integers, ln_strikes_q30: Integers, mark: ExpiryMark, seconds_to_expiry: int
) -> tuple[Integers, Integers]:
    """Values of calls in the scenarios, and forward less strike: int64[strikes, 119] each. Puts
    share them by parity.
    """
    k = ln_strikes_q30 - ln_q30(mark.forward_micro)
    smile = np.array([deviation_q30(x, mark) for x in k.tolist()], dtype=np.int64)
    factors = np.array(shock_factors_q30(seconds_to_expiry), dtype=np.int64)
    shocked = np.maximum(smile[:, None] * factors >> 30, 1)
    forwards = _moved(mark.forward_micro)
    calls = call_values(strikes.tolist(), k.tolist(), shocked, forwards)
    return calls, forwards - strikes[:, None]


def _moved(reference_micro: int) -> Integers:
    """`scenarios.moved_micro` for every scenario."""
    return (reference_micro * _GROWTH_PERCENT + 50) // 100


def _damp_tails(profits: Integers) -> None:
    """`scenarios.damped_micro` on the last axis, in place."""
    tails = profits[..., FIRST_TAIL:]
    tails *= DAMPING
    tails += _TAIL_DIVISOR >> 1
    tails //= _TAIL_DIVISOR
