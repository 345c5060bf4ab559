"""The mark of one expiry: a forward and a raw-SVI smile in integers, and what the door lets in.

w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), total variance of log-moneyness k = ln(K/F):
Gatheral & Jacquier (2014), arXiv:1204.0646, eq. 3.1.

Holds: every parameter is an integer count of 2^-30; what `check_marks` lets in keeps all pricing
within 63 bits. `contracts/libraries/Svi.sol` is the twin.
Never: fits a smile (margin/analytics/svi_fit.py does, in float).
"""

from collections.abc import Iterable
from math import isqrt
from typing import Final, NamedTuple

from margin.fixed_point import ONE_Q30, ln_q30
from margin.parameters import MAX_DEVIATION_Q30, MAX_FORWARD_MICRO, MAX_LOG_MONEYNESS_Q30
from matching.rejects import MARK_OUT_OF_BOUNDS, Reject

# The parameter that a reject names.
INDEX: Final = 0
FORWARD: Final = 1
SVI_A: Final = 2
SVI_B: Final = 3
SVI_RHO: Final = 4
SVI_M: Final = 5
SVI_SIGMA: Final = 6
LEAST_VARIANCE: Final = 7
LOG_MONEYNESS: Final = 8
DEVIATION: Final = 9

_I32_END: Final = 1 << 31


class ExpiryMark(NamedTuple):
    """Forward in micro-USDC per lot; a, b, rho, m, sigma in Q30, each within i32."""

    forward_micro: int
    a: int
    b: int
    rho: int
    m: int
    sigma: int


def total_variance_q60(k_q30: int, mark: ExpiryMark) -> int:
    """w(k) in Q60, at least 0: the product with rho and the root are rounded down to Q30, the rest
    is exact.
    """
    distance = k_q30 - mark.m
    root = isqrt(distance * distance + mark.sigma * mark.sigma)
    return max((mark.a << 30) + mark.b * ((mark.rho * distance >> 30) + root), 0)


def deviation_q30(k_q30: int, mark: ExpiryMark) -> int:
    """Standard deviation of the log of the forward at expiry, sqrt(w), rounded down, at least one
    unit so that it can divide.
    """
    return max(isqrt(total_variance_q60(k_q30, mark)), 1)


def check_marks(expiry: int, mark: ExpiryMark, ln_strikes_q30: Iterable[int] = ()) -> Reject | None:
    """The bounds of docs/protocol.md, 7, for an expiry and the strikes listed on it.

    ln_strikes_q30  `ln_q30` of each strike's micro-USDC
    The reject names the expiry and the first parameter out of bounds, numbered as above.
    """
    parameter = _first_out_of_bounds(mark)
    if parameter is None:
        parameter = _first_bad_strike(mark, ln_strikes_q30)
    return None if parameter is None else Reject(MARK_OUT_OF_BOUNDS, expiry, parameter)


def check_index(underlying: int, index_micro: int) -> Reject | None:
    """An index has the bounds of a forward; the reject names the underlying and parameter 0."""
    if 0 < index_micro <= MAX_FORWARD_MICRO:
        return None
    return Reject(MARK_OUT_OF_BOUNDS, underlying, INDEX)


def _first_out_of_bounds(mark: ExpiryMark) -> int | None:
    if not 0 < mark.forward_micro <= MAX_FORWARD_MICRO:
        return FORWARD
    if not -_I32_END <= mark.a < _I32_END:
        return SVI_A
    if not 0 <= mark.b < _I32_END:
        return SVI_B
    if not -ONE_Q30 <= mark.rho <= ONE_Q30:
        return SVI_RHO
    if not -_I32_END <= mark.m < _I32_END:
        return SVI_M
    if not 0 < mark.sigma < _I32_END:
        return SVI_SIGMA
    return None if has_least_variance(mark) else LEAST_VARIANCE


def has_least_variance(mark: ExpiryMark) -> bool:
    """True if the least total variance, a + b sigma sqrt(1 - rho^2), is not negative. Exact: both
    sides are squared where a is negative.
    """
    if mark.a >= 0:
        return True
    return (mark.b * mark.sigma) ** 2 * (ONE_Q30**2 - mark.rho**2) >= mark.a**2 << 120


def _first_bad_strike(mark: ExpiryMark, ln_strikes_q30: Iterable[int]) -> int | None:
    ln_forward = ln_q30(mark.forward_micro)
    before: int | None = None
    for ln_strike in ln_strikes_q30:
        if ln_strike == before:  # calls and puts of a strike come one after the other
            continue
        before = ln_strike
        k = ln_strike - ln_forward
        if not -MAX_LOG_MONEYNESS_Q30 <= k <= MAX_LOG_MONEYNESS_Q30:
            return LOG_MONEYNESS
        if deviation_q30(k, mark) >= MAX_DEVIATION_Q30:
            return DEVIATION
    return None
