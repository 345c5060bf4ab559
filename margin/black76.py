"""Undiscounted Black-76 over integers: the price of a European option on a forward.

call = F N(d1) - K N(d2), d1 = -k / s + s / 2, d2 = d1 - s, k = ln(K/F), s = volatility x
sqrt(years): Black (1976), with r = 0. A put follows by parity, so parity holds to the last unit.

Holds: a call lies in [max(F - K, 0), F], a put in [max(K - F, 0), K].
`contracts/libraries/Black76.sol` is the twin, `margin/rows.py` the vector.
Never: knows a scenario or a clock.
"""

from math import isqrt
from typing import Final

from margin.fixed_point import HALF_Q29, ln_q30
from margin.normal import LIMIT_Q30, normal_q29
from margin.parameters import MAX_DEVIATION_Q30
from margin.svi import ExpiryMark, deviation_q30
from matching.instruments import PUT

YEAR_S: Final = 365 * 86_400
"""A volatility is of a year of 365 days."""
_LOWEST: Final = -LIMIT_Q30


def call_micro(forward_micro: int, strike_micro: int, k_q30: int, deviation_q30: int) -> int:
    """Price of a call in micro-USDC per lot, rounded to nearest; `deviation_q30` >= 1.

    Forward and strike below 2^34 and |k| below 8, so that k x 2^30 and a price x 2^29 fit 63 bits.
    Rounding may bring a price below its intrinsic value, never above the forward: N is at most 1.
    """
    d1 = (-k_q30 << 30) // deviation_q30 + (deviation_q30 >> 1)
    d2 = d1 - deviation_q30
    n1 = normal_q29(max(_LOWEST, min(d1, LIMIT_Q30)))
    n2 = normal_q29(max(_LOWEST, min(d2, LIMIT_Q30)))
    price = (forward_micro * n1 - strike_micro * n2 + HALF_Q29) >> 29
    return max(price, forward_micro - strike_micro, 0)


def option_micro(
    kind: int, forward_micro: int, strike_micro: int, k_q30: int, deviation_q30: int
) -> int:
    """Price of a call or put, micro-USDC per lot."""
    call = call_micro(forward_micro, strike_micro, k_q30, deviation_q30)
    return call + strike_micro - forward_micro if kind == PUT else call


def intrinsic_micro(kind: int, forward_micro: int, strike_micro: int) -> int:
    """What the option pays if it settles at `forward_micro`."""
    gain = strike_micro - forward_micro if kind == PUT else forward_micro - strike_micro
    return max(gain, 0)


def price_option_micro(kind: int, strike_micro: int, ln_strike_q30: int, mark: ExpiryMark) -> int:
    """Mark price of one lot of a call or put before its expiry; `ln_strike_q30` is `ln_q30` of
    the strike.
    """
    k = ln_strike_q30 - ln_q30(mark.forward_micro)
    return option_micro(kind, mark.forward_micro, strike_micro, k, deviation_q30(k, mark))


def price_at_volatility_micro(
    kind: int,
    forward_micro: int,
    strike_micro: int,
    volatility_e6: int,
    seconds_to_expiry: int,
) -> int:
    """Price of one lot of a call or put at an annual volatility, in millionths, whatever the smile
    says; before its expiry. The deviation is rounded down, at least one unit, and held below the
    bound under which all pricing fits 63 bits.
    """
    variance_q60 = (volatility_e6 * volatility_e6 * seconds_to_expiry << 60) // (10**12 * YEAR_S)
    deviation = min(max(isqrt(variance_q60), 1), MAX_DEVIATION_Q30 - 1)
    k = ln_q30(strike_micro) - ln_q30(forward_micro)
    return option_micro(kind, forward_micro, strike_micro, k, deviation)
