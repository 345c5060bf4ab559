"""What calls of one expiry are worth in the 119 scenarios, strike by strike.

Compiled, the loops below are what runs; interpreted they would be slow, so there
`call_values_numpy` takes their place. Both give the same integers
(tests/property/test_pricing_property.py).

Holds: every call is at least its intrinsic value and zero; for all that `svi.check_marks` lets in
no intermediate passes 2^62.
Never: holds a float; knows puts, marks or damping (`rows.py`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from margin.fixed_point import HALF_Q29, ONE_Q30
from margin.kernel import Vector, vector_of, zero_vector
from margin.normal import (
    BELOW_Q40,
    CENTRE,
    DENSITY_Q32,
    HALF_STEP,
    LIMIT_Q30,
    SIXTH_Q18,
    STEP_BITS,
)
from margin.scenarios import LN_MOVE_Q30, SCENARIO_COUNT, VOL_SHOCK
from matching.packed import extend, i64, vec

# Literals, for the C compiler.
_SCENARIOS: Final = 119
_HALF_Q29: Final = 1 << 28
_ONE_Q30: Final = 1 << 30
_LIMIT_Q30: Final = 8 << 30
_STEP_BITS: Final = 23
_HALF_STEP: Final = 1 << 22
_CENTRE: Final = 1024
_SIXTH_Q18: Final = 43_691
assert (_SCENARIOS, _HALF_Q29, _ONE_Q30, _LIMIT_Q30) == (
    SCENARIO_COUNT, HALF_Q29, ONE_Q30, LIMIT_Q30,
)  # fmt: skip
assert (_STEP_BITS, _HALF_STEP, _CENTRE, _SIXTH_Q18) == (STEP_BITS, HALF_STEP, CENTRE, SIXTH_Q18)

_MOVES: Final = vec[i64](LN_MOVE_Q30)
_SHOCKS: Final = vec[i64](VOL_SHOCK)
_BELOW: Final = vec[i64](BELOW_Q40)
_DENSITY: Final = vec[i64](DENSITY_Q32)


def call_values(
    strikes_micro: Sequence[int], k_q30: Sequence[int], deviations_q30: Any, forwards_micro: Any
) -> Any:
    """int64[n, 119], micro-USDC per lot.

    k_q30           ln(strike / forward) of each strike
    deviations_q30  int64[n, 3]: each strike's deviation under each of the three volatility shocks
    forwards_micro  int64[119]: the forward in each scenario
    """
    forwards = vector_of(forwards_micro)
    deviations: list[list[int]] = deviations_q30.tolist()
    found = vec[i64]()
    for at, shocked in enumerate(deviations):
        calls = _values_of(strikes_micro[at], k_q30[at], shocked, forwards)
        found = extend(found, calls)
    return np.frombuffer(memoryview(found), dtype=np.int64).reshape(-1, SCENARIO_COUNT)


def _values_of(strike: i64, k: i64, shocked: list[int], forwards: Vector) -> Vector:
    calls, moves, shocks, below, density = zero_vector(), _MOVES, _SHOCKS, _BELOW, _DENSITY
    assert len(calls) == _SCENARIOS
    assert len(forwards) == _SCENARIOS
    assert len(moves) == _SCENARIOS
    assert len(shocks) == _SCENARIOS
    up: i64 = shocked[0]
    same: i64 = shocked[1]
    down: i64 = shocked[2]
    for s in range(i64(_SCENARIOS)):
        shock = shocks[s]
        deviation = up if shock == 0 else (same if shock == 1 else down)
        d: i64 = ((moves[s] - k) << 30) // deviation + (deviation >> 1)
        chance = _normal_q29(d, below, density)
        headroom = forwards[s] - strike
        worth = forwards[s] * chance - strike * _normal_q29(d - deviation, below, density)
        worth = (worth + _HALF_Q29) >> 29
        if worth < headroom:
            worth = headroom
        calls[s] = worth if worth > 0 else 0
    return calls


def _normal_q29(d_q30: i64, below: "vec[i64]", density: "vec[i64]") -> i64:
    """`normal.normal_q29` of what is first brought within its limits."""
    x: i64 = d_q30
    if x > _LIMIT_Q30:
        x = _LIMIT_Q30
    elif x < -_LIMIT_Q30:
        x = -_LIMIT_Q30
    node: i64 = (x + _HALF_STEP) >> _STEP_BITS
    h: i64 = x - (node << _STEP_BITS)
    slope: i64 = node * h >> 7
    curve: i64 = slope * slope - h * h >> 20
    step_q38: i64 = h * (_ONE_Q30 - (slope >> 1) + (curve * _SIXTH_Q18 >> 28)) >> 22
    place: i64 = node + _CENTRE
    return (below[place] + (density[place] * step_q38 >> 30) + 1024) >> 11


if __file__.endswith(".py") and not TYPE_CHECKING:  # interpreted
    from margin.call_values_numpy import call_values  # noqa: F401
