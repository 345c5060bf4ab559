"""Logarithm and exponential of integers, by integers: the same bits on every machine.

`Q30` names a number as an integer count of 2^-30, `Q40`, `Q60` likewise. `>>` and `//` round
towards minus infinity, in Python, numpy and Solidity (where `//` is `FixedPoint.floorDiv`).

Holds: `contracts/libraries/FixedPoint.sol` is the twin; tests/data/pricing_vectors.json holds both
to the same values, and tests hold those to mpmath.
Never: holds a float, or a table that is not computed from its definition.
"""

from typing import Final

ONE_Q30: Final = 1 << 30
HALF_Q29: Final = 1 << 28

LN2_Q62: Final = 3_196_577_161_300_663_915
"""ln 2, rounded to nearest."""

_MANTISSA_BITS: Final = 96
_LOG2_BITS: Final = 40
_EXP2_TERMS: Final = 16


def log2_q40(number: int) -> int:
    """Logarithm to base 2 of an integer 1 <= number < 2^96, in Q40, rounded down.

    The mantissa, in [1, 2), is squared once per bit: where it passes 2 the next bit is 1. Forty
    squarings lose 2^-56 of the 96 guard bits.
    """
    whole = number.bit_length() - 1
    mantissa = number << (_MANTISSA_BITS - whole)
    result = whole
    for _ in range(_LOG2_BITS):
        mantissa = mantissa * mantissa >> _MANTISSA_BITS
        bit = mantissa >> (_MANTISSA_BITS + 1)
        mantissa >>= bit
        result = result << 1 | bit
    return result


def ln_q30(number: int) -> int:
    """Natural logarithm of an integer 1 <= number < 2^96, in Q30, rounded to nearest (error at
    most 0.501 units of 2^-30).
    """
    return (log2_q40(number) * LN2_Q62 + (1 << 71)) >> 72


def exp2_q30(exponent_q30: int) -> int:
    """2 ** exponent in Q30, rounded down, for exponents in [-32, 32).

    Taylor's series of e^y at y = fraction x ln 2 < 0.7 in Q62; its seventeenth term is below 2^-57.
    """
    whole = exponent_q30 >> 30
    argument = (exponent_q30 - (whole << 30)) * LN2_Q62 >> 30
    term = total = 1 << 62
    for n in range(1, _EXP2_TERMS + 1):
        term = (term * argument >> 62) // n
        total += term
    return total >> (32 - whole)


def nearest(numerator: int, denominator: int) -> int:
    """numerator / denominator rounded to nearest, half up; the denominator is positive and even."""
    return (numerator + (denominator >> 1)) // denominator
