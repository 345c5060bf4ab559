"""Funding as one would explain it, in fractions: slow twin of `margin/funding.py` and its handler.

It remembers every interval since the perpetual was first armed, and owes the sum of them all.
"""

from fractions import Fraction
from math import floor
from typing import NamedTuple


class PlainTerms(NamedTuple):
    cap_e6: int
    band_e6: int
    period_s: int
    impact_lots: int
    sample_s: int


def towards_zero(value: Fraction) -> int:
    return floor(value) if value >= 0 else -floor(-value)


def impact_price(orders: list[tuple[int, int]], lots: int) -> Fraction | None:
    """Mean price of the first `lots` of (price, lots), best first, one lot at a time; None where
    there are not so many.
    """
    flat = [price for price, quantity in orders for _ in range(min(quantity, lots))][:lots]
    return Fraction(sum(flat), lots) if len(flat) == lots else None


def premium(index: int, bid: Fraction | None, ask: Fraction | None) -> Fraction:
    above = Fraction(0) if bid is None else max(Fraction(0), bid - index)
    below = Fraction(0) if ask is None else max(Fraction(0), index - ask)
    return (above - below) / index


def rate(of_premium: Fraction, band: Fraction, cap: Fraction) -> Fraction:
    """The excess of a premium over the dead band, no more than the cap."""
    if abs(of_premium) <= band:
        return Fraction(0)
    excess = of_premium - band if of_premium > 0 else of_premium + band
    return min(excess, cap) if excess > 0 else max(excess, -cap)


class PlainFunding:
    """The funding of one perpetual. `rate` is the share of the index that is paid a period."""

    def __init__(self) -> None:
        self.terms = PlainTerms(0, 0, 0, 0, 0)
        self.premium_e9 = 0
        self.rate = Fraction(0)
        self.since_s = 0
        self.sampled_s = 0
        self.intervals: list[Fraction] = []
        self.paid = 0

    def arm(self, terms: PlainTerms, time_s: int) -> None:
        self.terms, self.rate, self.premium_e9 = terms, Fraction(0), 0
        self.since_s = self.sampled_s = time_s

    def pay(self, index: int, time_s: int) -> int:
        """What a long lot pays now, whole micro-USDC, of all that it ever owed."""
        if self.terms.period_s:
            part = Fraction(time_s - self.since_s, self.terms.period_s)
            self.intervals.append(index * self.rate * part)
        self.since_s = time_s
        due = floor(sum(self.intervals, Fraction(0))) - self.paid
        self.paid += due
        return due

    def is_due(self, time_s: int, trades: bool) -> bool:
        if not self.terms.period_s:
            return False
        return (self.rate != 0 and not trades) or time_s >= self.sampled_s + self.terms.sample_s

    def sample(
        self,
        index: int,
        bids: list[tuple[int, int]],
        asks: list[tuple[int, int]],
        trades: bool,
        time_s: int,
    ) -> tuple[int, int]:
        """(premium, rate) in 1e-9; the premium is known to so many digits and no more."""
        lots = self.terms.impact_lots
        found = Fraction(0)
        if trades:
            found = premium(index, impact_price(bids, lots), impact_price(asks, lots))
        self.premium_e9 = towards_zero(found * 10**9)
        band, cap = Fraction(self.terms.band_e6, 10**6), Fraction(self.terms.cap_e6, 10**6)
        self.rate = rate(Fraction(self.premium_e9, 10**9), band, cap)
        self.sampled_s = time_s
        return self.premium_e9, int(self.rate * 10**9)
