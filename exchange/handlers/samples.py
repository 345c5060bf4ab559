"""What a settlement price is made of: thirty samples, held against what the exchange itself saw.

Holds: a sample that was seen is the only one that is taken; the price is their mean, to nearest,
half up (docs/protocol.md, 8).
Never: changes anything.
"""

from collections.abc import Sequence

from exchange.commands import SETTLEMENT_SAMPLES
from exchange.settlement_samples import UNSEEN
from margin.svi import check_index
from matching.rejects import MARK_OUT_OF_BOUNDS, SAMPLE_NOT_SEEN, Reject


def check_samples(
    underlying: int, number: int, samples_micro: Sequence[int], seen: Sequence[int]
) -> Reject | None:
    """Whether an expiry, or a perpetual, of that `number` may settle at these samples."""
    if len(samples_micro) != SETTLEMENT_SAMPLES:
        return Reject(MARK_OUT_OF_BOUNDS, number)
    for sample in samples_micro:
        if check_index(underlying, sample) is not None:
            return Reject(MARK_OUT_OF_BOUNDS, number)
    for told, own in zip(samples_micro, seen, strict=True):
        if own not in (UNSEEN, told):
            return Reject(SAMPLE_NOT_SEEN, told, own)
    return None


def mean_micro(samples_micro: Sequence[int]) -> int:
    """The mean of thirty samples, to nearest, half up."""
    return (2 * sum(samples_micro) + SETTLEMENT_SAMPLES) // (2 * SETTLEMENT_SAMPLES)


def seen_count(seen: Sequence[int]) -> int:
    return sum(sample != UNSEEN for sample in seen)
