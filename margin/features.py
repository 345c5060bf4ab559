"""What charges need of one long lot, read from its scenario values: no price is computed here.

Holds: `option_features` (an expiry at once) and `features_of` (one option) are equal, bit for bit;
every feature is a sum of values of the lot or rounded once, to nearest, half up.
Never: reads a position; holds a float.

With v(m, vol) the value of a lot in the scenario of move m and volatility vol:

    delta       v(+1%, same) - v(-1%, same)
    vega        v(0, up) - v(0, same)
    skew        vega x tilt, and vega x |tilt|
    vanna up    delta where volatility is up, less delta;  vanna down likewise

Tilt is ln(K/F) in at-the-money deviations, from -2 to 2, halved: -1 .. 1, in Q10.
"""

from collections.abc import Sequence
from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from margin.fixed_point import ONE_Q30, ln_q30
from margin.parameters import (
    BASIS_LONGEST_YEARS,
    BASIS_PER_YEAR_E6,
    CHARM_DAYS,
    DELTA_NOTIONAL,
    DRIFT_MOVE_PERCENT,
    FEATURE_MOVE_PERCENT,
    ROLL_E6,
    ROLL_PER_YEAR_E6,
    TILT_WIDTH_DEVIATIONS,
    VANNA_SHARE_E6,
)
from margin.scenarios import BASE_SCENARIO, DOWN, SAME, UP, shock_factors_q30
from margin.svi import ExpiryMark, deviation_q30

Integers = NDArray[np.int64]

DELTA: Final = 0
VEGA: Final = 1
SKEW_LINEAR: Final = 2
SKEW_ABSOLUTE: Final = 3
VANNA_UP: Final = 4
VANNA_DOWN: Final = 5
FEATURE_COUNT: Final = 6

TILT_ONE: Final = 1 << 10
_TILT_HALF: Final = TILT_ONE >> 1

YEAR_S: Final = 365 * 86_400
_DAY_S: Final = 86_400


def _place(percent: int, vol: int) -> int:
    return BASE_SCENARIO + 3 * percent + vol - SAME


_HIGHER: Final = (_place(FEATURE_MOVE_PERCENT, UP), _place(FEATURE_MOVE_PERCENT, SAME),
                  _place(FEATURE_MOVE_PERCENT, DOWN))  # fmt: skip
_LOWER: Final = (_place(-FEATURE_MOVE_PERCENT, UP), _place(-FEATURE_MOVE_PERCENT, SAME),
                 _place(-FEATURE_MOVE_PERCENT, DOWN))  # fmt: skip
_VOL_UP: Final = _place(0, UP)


def tilt_q10(ln_strike_q30: int, mark: ExpiryMark) -> int:
    """Where a strike stands in the smile: -1 two deviations below the forward, 1 above; each step
    rounds down.
    """
    k = ln_strike_q30 - ln_q30(mark.forward_micro)
    widths = k * TILT_ONE // (TILT_WIDTH_DEVIATIONS * deviation_q30(0, mark))
    return min(max(widths, -TILT_ONE), TILT_ONE)


def features_of(values: Sequence[int], tilt: int) -> list[int]:
    """Features of one long lot of an option with these values per scenario, in the order of the
    constants above, micro-USDC.
    """
    up, same, down = (values[_HIGHER[vol]] - values[_LOWER[vol]] for vol in (UP, SAME, DOWN))
    vega = values[_VOL_UP] - values[BASE_SCENARIO]
    return [
        same,
        vega,
        (vega * tilt + _TILT_HALF) // TILT_ONE,
        (vega * abs(tilt) + _TILT_HALF) // TILT_ONE,
        up - same,
        down - same,
    ]


def option_features(values: Integers, ln_strikes_q30: Sequence[int], mark: ExpiryMark) -> Integers:
    """`features_of` of all options of an expiry: int64[n, 6] from int64[n, 119]."""
    features = np.empty((len(values), FEATURE_COUNT), dtype=np.int64)
    ln_forward = ln_q30(mark.forward_micro)
    width = TILT_WIDTH_DEVIATIONS * deviation_q30(0, mark)
    k = np.array(ln_strikes_q30, dtype=np.int64) - ln_forward
    tilts = np.clip(k * TILT_ONE // width, -TILT_ONE, TILT_ONE)
    up, same, down = (values[:, _HIGHER[vol]] - values[:, _LOWER[vol]] for vol in (UP, SAME, DOWN))
    vega = values[:, _VOL_UP] - values[:, BASE_SCENARIO]
    features[:, DELTA] = same
    features[:, VEGA] = vega
    features[:, SKEW_LINEAR] = (vega * tilts + _TILT_HALF) >> 10
    features[:, SKEW_ABSOLUTE] = (vega * np.abs(tilts) + _TILT_HALF) >> 10
    features[:, VANNA_UP] = up - same
    features[:, VANNA_DOWN] = down - same
    return features


def linear_delta(values: Integers) -> int:
    """Delta of a future or perpetual with these values."""
    return int(values[_HIGHER[SAME]] - values[_LOWER[SAME]])


def roll_e6(seconds_to_expiry: int) -> int:
    """Roll's share of delta: 50 x (0.15% + 0.5% x years, at most one)."""
    years = min(max(seconds_to_expiry, 0), YEAR_S)
    return DELTA_NOTIONAL * ROLL_E6 - (-DELTA_NOTIONAL * ROLL_PER_YEAR_E6 * years // YEAR_S)


def basis_e6(seconds_to_expiry: int) -> int:
    """Basis' share of delta: 50 x 1.5% x years, at most two."""
    years = min(max(seconds_to_expiry, 0), BASIS_LONGEST_YEARS * YEAR_S)
    return -(-DELTA_NOTIONAL * BASIS_PER_YEAR_E6 * years // YEAR_S)


def charm_e6(seconds_to_expiry: int) -> int:
    """Charm's share of vanna down. With the strike's volatility still and r = 0, a day only shrinks
    the deviation, by 1 - sqrt((T - day) / T); the shock down shrinks it by 0.30 f, and in between
    delta is taken as a straight line. Of the last day on all of the deviation goes.
    """
    decay = ONE_Q30 - _root_q30(seconds_to_expiry - CHARM_DAYS * _DAY_S, seconds_to_expiry)
    shock = ONE_Q30 - shock_factors_q30(seconds_to_expiry)[DOWN]
    return -(-DRIFT_E6 * decay // shock)


def _root_q30(part: int, whole: int) -> int:
    """sqrt(part / whole), rounded down; 0 where nothing is left."""
    return 0 if part <= 0 else isqrt((part << 60) // whole)


DRIFT_E6: Final = DRIFT_MOVE_PERCENT * 10**6 // (2 * FEATURE_MOVE_PERCENT)
"""What a delta that drifted loses over the move, as a share of the delta."""
VANNA_E6: Final = DRIFT_E6 * VANNA_SHARE_E6 // 10**6
"""The same times the share of the shock up: vanna's share of vanna up."""
