"""Logarithm and exponential of integers, by integers: the same bits on every machine.

`Q30` names a number as an integer count of 2^-30, `Q40`, `Q60` likewise. `>>` and `//` round
towards minus infinity, in Python, numpy and Solidity (where `//` is `FixedPoint.floorDiv`).

Holds: `contracts/libraries/FixedPoint.sol` is the twin; tests/data/pricing_vectors.json holds both
to the same values, and tests hold those to mpmath.
Never: holds a float, or a table that is not computed from its definition.
"""

from functools import lru_cache
from typing import Final

ONE_Q30: Final = 1 << 30
HALF_Q29: Final = 1 << 28

LN2_Q62: Final = 3_196_577_161_300_663_915
"""ln 2, rounded to nearest."""

_LN_TERMS: Final = 20
_EXP_TERMS: Final = 16


def ln_q62(number: int) -> int:
    """Natural logarithm of an integer 1 <= number < 2^96, in Q62, within 2^-56.

    number = 2^whole x mantissa, 1 <= mantissa < 2; ln(mantissa) = 2 (z + z^3 / 3 + z^5 / 5 + ...)
    with z = (mantissa - 1) / (mantissa + 1) < 1/3, in Q96; twenty terms leave less than 2^-67.
    """
    whole = number.bit_length() - 1
    mantissa = number << (96 - whole)
    power = ((mantissa - (1 << 96)) << 96) // (mantissa + (1 << 96))
    square = power * power >> 96
    total = power
    for n in range(1, _LN_TERMS):
        power = power * square >> 96
        total += power // (2 * n + 1)
    return whole * LN2_Q62 + (total >> 33)


@lru_cache(maxsize=4_096)  # strikes and forwards are asked for again and again
def ln_q30(number: int) -> int:
    """Natural logarithm of an integer 1 <= number < 2^96, in Q30, rounded to nearest (error at
    most 0.5 units and 2^-26 of one).
    """
    return (ln_q62(number) + (1 << 31)) >> 32


def exp_q30(exponent_q62: int) -> int:
    """e ** exponent in Q30, rounded down, for exponents in [-4, 4).

    exponent = whole x ln 2 + rest with 0 <= rest < ln 2; Taylor's series of e^rest in Q62, of which
    sixteen terms leave less than 2^-57.
    """
    whole = exponent_q62 // LN2_Q62
    rest = exponent_q62 - whole * LN2_Q62
    term = total = 1 << 62
    for n in range(1, _EXP_TERMS + 1):
        term = (term * rest >> 62) // n
        total += term
    return total >> (32 - whole)


def nearest(numerator: int, denominator: int) -> int:
    """numerator / denominator rounded to nearest, half up; the denominator is positive and even."""
    return (numerator + (denominator >> 1)) // denominator
