"""Funding of a perpetual: what a long lot pays a short one while the price is above the index.

Holds: the premium is sampled from impact prices, so that only a quantity worth trading against
counts; its rate is in force from the sample to the next; what whole micro-USDC cannot pay is
carried to the next time, so that any path of indices, rates and times pays
floor(sum of index × rate × seconds / period), and each lot long pays what each lot short receives.
Never: reads a book or a clock; moves cash (`Marks.accrue` moves the index that accounts settle by).
"""

from collections.abc import Iterable
from typing import Final

from matching.instruments import MAX_LOTS

E9: Final = 10**9
"""Premium and rate are in 1e-9 of the index, the rate per period."""
DAY_S: Final = 86_400
MAX_RATE_E6: Final = 100_000
"""The most that cap and dead band may be: 10% a period."""
_E6_TO_E9: Final = 1_000
CARRY_UNIT: Final = E9 * DAY_S
"""What is carried counts in shares of a micro-USDC of one lot that every period divides."""


class Funding:
    """The funding of one perpetual. `carried` is what is owed beyond whole micro-USDC; `accrued_s`
    and `sampled_s` the seconds up to which it was accrued and at which it was sampled. With
    `period_s` 0 it is not armed.
    """

    __slots__ = (
        "accrued_s",
        "band_e6",
        "cap_e6",
        "carried",
        "impact_lots",
        "period_s",
        "premium_e9",
        "rate_e9",
        "sample_s",
        "sampled_s",
    )

    def __init__(self) -> None:
        self.cap_e6 = 0
        self.band_e6 = 0
        self.period_s = 0
        self.impact_lots = 0
        self.sample_s = 0
        self.premium_e9 = 0
        self.rate_e9 = 0
        self.carried = 0
        self.accrued_s = 0
        self.sampled_s = 0

    def arm(
        self, cap_e6: int, band_e6: int, period_s: int, impact_lots: int, sample_s: int, time_s: int
    ) -> None:
        """Takes terms from `time_s` on, up to which the old ones have been accrued. The rate is 0
        until the first sample; what is carried stays owed.
        """
        self.cap_e6 = cap_e6
        self.band_e6 = band_e6
        self.period_s = period_s
        self.impact_lots = impact_lots
        self.sample_s = sample_s
        self.premium_e9 = 0
        self.rate_e9 = 0
        self.accrued_s = time_s
        self.sampled_s = time_s

    def is_due(self, time_s: int) -> bool:
        """Whether the next sample may be taken."""
        return time_s - self.sampled_s >= self.sample_s

    def sample(self, premium_e9: int, time_s: int) -> None:
        """Takes a premium, whose rate is in force until the next."""
        self.premium_e9 = premium_e9
        self.rate_e9 = rate_of(premium_e9, self.band_e6, self.cap_e6)
        self.sampled_s = time_s

    def accrue(self, index_micro: int, time_s: int) -> int:
        """What a long lot pays for the seconds since the last time, at the index and the rate that
        were in force, in whole micro-USDC; negative: receives.
        """
        seconds = time_s - self.accrued_s
        self.accrued_s = time_s
        if not seconds or not self.rate_e9:
            return 0
        periods = DAY_S // self.period_s
        owed = self.carried + index_micro * self.rate_e9 * seconds * periods
        paid_micro, self.carried = divmod(owed, CARRY_UNIT)
        return paid_micro


def wrong_field(cap_e6: int, band_e6: int, period_s: int, impact_lots: int, sample_s: int) -> int:
    """The first field of a SetFunding that is out of bounds, counted from 1 with the instrument;
    0 where all are within. All zero disarms.
    """
    if not any((cap_e6, band_e6, period_s, impact_lots, sample_s)):
        return 0
    if not 1 <= cap_e6 <= MAX_RATE_E6:
        return 2
    if band_e6 > MAX_RATE_E6:
        return 3
    if not 60 <= period_s <= DAY_S or DAY_S % period_s:
        return 4
    if not 1 <= impact_lots <= MAX_LOTS:
        return 5
    return 0 if 1 <= sample_s <= period_s else 6


def impact_micro(levels: Iterable[tuple[int, int]], impact_lots: int) -> int | None:
    """What trading the impact quantity against a side costs or brings in all, micro-USDC; `levels`
    are (price in micro-USDC per lot, lots), best first. None where the side has not so much.
    """
    total, left = 0, impact_lots
    for price_micro, lots in levels:
        taken = min(lots, left)
        total += taken * price_micro
        left -= taken
        if not left:
            return total
    return None


def premium_of(
    index_micro: int, impact_lots: int, bid_micro: int | None, ask_micro: int | None
) -> int:
    """(max(0, impact bid - index) - max(0, index - impact ask)) / index in 1e-9, rounded towards
    zero; `bid_micro` and `ask_micro` as `impact_micro` gives them. A side without the depth counts
    no premium.
    """
    index = index_micro * impact_lots
    premium = 0
    if bid_micro is not None:
        premium += max(0, bid_micro - index)
    if ask_micro is not None:
        premium -= max(0, index - ask_micro)
    return premium * E9 // index if premium >= 0 else -(-premium * E9 // index)


def rate_of(premium_e9: int, band_e6: int, cap_e6: int) -> int:
    """max(band, premium) + min(-band, premium), which is nothing within the dead band and the
    excess beyond it, and at most the cap either way; in 1e-9 a period.
    """
    band, cap = band_e6 * _E6_TO_E9, cap_e6 * _E6_TO_E9
    rate = max(band, premium_e9) + min(-band, premium_e9)
    return max(-cap, min(cap, rate))
