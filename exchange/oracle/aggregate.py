"""Many reports, one value: medians, the medoid of smiles, and who stands outside.

Holds: a median of an even count is the lower of the two in the middle, so it is always a value that
somebody signed; while fewer than half of the values are lies, it lies between two honest ones.
Whole smiles are chosen, never mixed: of two smiles without arbitrage a mixture may have some.
Never: looks at who reported.
"""

from collections.abc import Sequence
from typing import Final

from margin.svi import ExpiryMark, total_variance_q60

E4: Final = 10_000


def lower_median(values: Sequence[int]) -> int:
    """The middle one; of an even count the lower of the two in the middle. None of none."""
    return sorted(values)[(len(values) - 1) // 2]


def distance_e4(value: int, reference: int) -> int:
    """How far a value is from a positive reference, in 1e-4 of it, rounded up."""
    return -(-abs(value - reference) * E4 // reference)


def is_outside(value: int, median: int, band_e4: int) -> bool:
    """Whether a value is farther than the band from the median, exactly."""
    return abs(value - median) * E4 > band_e4 * median


def at_the_money_q60(mark: ExpiryMark) -> int:
    """Total variance of the smile at its forward, Q60."""
    return total_variance_q60(0, mark)


def medoid(marks: Sequence[ExpiryMark]) -> ExpiryMark:
    """The lower median of the forwards, with the whole smile whose variance at the money is the
    lower median's; of smiles with equal variance in the order of their parameters, so that it does
    not matter who reported first.
    """
    forward = lower_median([mark.forward_micro for mark in marks])
    smiles = sorted((at_the_money_q60(mark), mark[1:]) for mark in marks)
    _, smile = smiles[(len(smiles) - 1) // 2]
    return ExpiryMark(forward, *smile)
