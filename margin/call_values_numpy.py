"""`call_values.call_values` for interpreted runs: all strikes of an expiry as arrays.

Holds: the same integers.
Never: is called where the core is compiled.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from margin.fixed_point import HALF_Q29
from margin.normal import LIMIT_Q30, normal_q29_array
from margin.scenarios import LN_MOVE_Q30, SCENARIO_COUNT, VOL_SHOCK

Integers = NDArray[np.int64]

_LN_MOVES: Final = np.array(LN_MOVE_Q30, dtype=np.int64)
_SHOCKS: Final = np.array(VOL_SHOCK, dtype=np.intp)


def call_values(
    strikes_micro: Sequence[int],
    k_q30: Sequence[int],
    deviations_q30: Integers,
    forwards_micro: Integers,
) -> Integers:
    strikes = np.array(strikes_micro, dtype=np.int64)[:, None]
    k = np.array(k_q30, dtype=np.int64)[:, None]
    deviations = deviations_q30.take(_SHOCKS, axis=1)
    d = np.empty((2, len(strikes), SCENARIO_COUNT), dtype=np.int64)
    np.floor_divide((_LN_MOVES - k) << 30, deviations, out=d[0])
    d[0] += deviations >> 1
    np.subtract(d[0], deviations, out=d[1])
    np.maximum(d, -LIMIT_Q30, out=d)
    np.minimum(d, LIMIT_Q30, out=d)
    n = normal_q29_array(d)
    calls = forwards_micro * n[0]
    calls -= strikes * n[1]
    calls += HALF_Q29
    calls >>= 29
    np.maximum(calls, forwards_micro - strikes, out=calls)
    return np.maximum(calls, 0, out=calls)
