"""The normal distribution function over integers: a table and a third-order step.

Holds: `normal_q29` and `normal_q29_array` give the same integer for every x in [-8, 8], and
`contracts/libraries/Normal.sol` the third time; the error is at most 0.51 units of 2^-29.
Never: holds a float; the table comes from scripts/make_normal_table.py.

N(x0 + h) = N(x0) + n(x0) h (1 - x0 h / 2 + (x0^2 - 1) h^2 / 6) + O(h^4), with x0 the nearest node,
so |h| <= 1/256 and what is left out is below 2^-37.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from margin.fixed_point import ONE_Q30
from margin.normal_table import NODES

LIMIT_Q30: Final = 8 << 30
"""N(8) is 1 within 2^-50; arguments are clipped here before they come."""

_NODE_BYTES: Final = 9
STEP_BITS: Final = 23
"""A node every 2^23 units of 2^-30, that is every 1/128."""
HALF_STEP: Final = 1 << (STEP_BITS - 1)
CENTRE: Final = LIMIT_Q30 >> STEP_BITS
SIXTH_Q18: Final = 43_691


def _nodes() -> tuple[list[int], list[int]]:
    """N in Q40 and the density in Q32 at the nodes from -8 to 8: the table and its mirror image."""
    halves: list[tuple[int, int]] = []
    for at in range(0, len(NODES), _NODE_BYTES):
        tail = int.from_bytes(NODES[at : at + 5], "big")
        halves.append((tail, int.from_bytes(NODES[at + 5 : at + _NODE_BYTES], "big")))
    below = [tail for tail, _ in halves[:0:-1]] + [(1 << 40) - tail for tail, _ in halves]
    density = [value for _, value in halves[:0:-1]] + [value for _, value in halves]
    return below, density


BELOW_Q40, DENSITY_Q32 = _nodes()
_BELOW_Q40_ARRAY: Final = np.array(BELOW_Q40, dtype=np.int64)
_DENSITY_Q32_ARRAY: Final = np.array(DENSITY_Q32, dtype=np.int64)


def normal_q29(x_q30: int) -> int:
    """N(x) in Q29 for -8 <= x <= 8 in Q30."""
    node = (x_q30 + HALF_STEP) >> STEP_BITS
    h = x_q30 - (node << STEP_BITS)
    slope = node * h >> 7  # x0 h in Q30
    curve = slope * slope - h * h >> 20  # (x0^2 - 1) h^2 in Q40
    step_q38 = h * (ONE_Q30 - (slope >> 1) + (curve * SIXTH_Q18 >> 28)) >> 22
    rise_q40 = DENSITY_Q32[node + CENTRE] * step_q38 >> 30
    return (BELOW_Q40[node + CENTRE] + rise_q40 + (1 << 10)) >> 11


def normal_q29_array(x_q30: NDArray[np.int64]) -> NDArray[np.int64]:
    """`normal_q29` of each element; no intermediate passes 2^62."""
    node = (x_q30 + HALF_STEP) >> STEP_BITS
    h = x_q30 - (node << STEP_BITS)
    slope = node * h
    slope >>= 7
    curve = slope * slope
    curve -= h * h
    curve >>= 20
    curve *= SIXTH_Q18
    curve >>= 28
    slope >>= 1
    curve -= slope
    curve += ONE_Q30
    curve *= h
    curve >>= 22
    node += CENTRE
    curve *= _DENSITY_Q32_ARRAY.take(node)
    curve >>= 30
    curve += _BELOW_Q40_ARRAY.take(node)
    curve += 1 << 10
    curve >>= 11
    return curve
