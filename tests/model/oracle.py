"""The slow twin of the oracle: docs/oracle.md read aloud, over exact fractions.

Holds: it keeps every report that was ever taken and looks through all of them each time; prices
come from the slow twin of pricing.
Never: imports the oracle of the exchange.
"""

from fractions import Fraction
from itertools import pairwise
from statistics import median_low
from typing import Final, NamedTuple

from tests.model import pricing

STALE, OUTLIER = "stale", "outlier"
AHEAD_MS: Final = 2_000
MOST_MICRO: Final = (1 << 34) // 6
SLACK_MICRO: Final = 16
ONE: Final = 1 << 30

Mark = tuple[int, int, int, int, int, int]
"""forward_micro, a, b, rho, m, sigma."""


class Said(NamedTuple):
    """A report in micro-USDC per lot."""

    reporter: bytes
    sequence: int
    observed_ms: int
    decimals: int
    index: int
    marks: dict[int, Mark]


class Terms(NamedTuple):
    quorum: int
    max_age_s: int
    deviation_e4: int
    forward_band_e4: int
    forward_move_e4: int
    variance_move_e4: int
    reporters: dict[bytes, int]


class Expiry(NamedTuple):
    time_s: int
    strikes: list[int]


class Taken(NamedTuple):
    """A mark that was taken, when, beside which index, and how long a window was then."""

    time_s: int
    index: int
    mark: Mark
    max_age_s: int


class Outcome(NamedTuple):
    """What became of a report: the code that refused it (0: none), the index and marks that were
    made (None: none were), and expiries that were held, with the number of the reason.
    """

    code: int = 0
    index: int | None = None
    marks: dict[int, Mark] | None = None
    held: frozenset[tuple[int, int]] = frozenset()


class OracleTwin:
    """One underlying. `in_force` are its marks; who arms it first has put them there."""

    def __init__(self, expiries: dict[int, Expiry]) -> None:
        self.expiries = expiries
        self.terms: Terms | None = None
        self.heard: list[tuple[int, Said]] = []
        self.forgotten: dict[bytes, int] = {}
        self.sequences: dict[bytes, Said] = {}
        self.in_force: dict[int, Mark] = {}
        self.made: dict[int, tuple[int, int]] = {}
        self.taken: dict[int, list[Taken]] = {}
        """Every mark that was taken of an expiry, since the operator's last."""
        self.is_lost = False
        self.patience_ns = 0

    # ARMING

    def arm(self, time_ns: int, terms: Terms, made: dict[int, tuple[int, int]]) -> None:
        """`made`: when the marks in force were made and beside which index, if the oracle was
        disarmed until now.
        """
        self.look(time_ns)
        if self.terms is None:
            self.made = dict(made)
            self.taken = {n: [Taken(*at, self.in_force[n], 1)] for n, at in made.items()}
        for reporter in {said.reporter for _, said in self.heard}:
            before = None if self.terms is None else self.terms.reporters.get(reporter)
            if before is None or terms.reporters.get(reporter) != before:
                self.forgotten[reporter] = len(self.heard)
        self.terms = terms
        self.patience_ns = time_ns + terms.max_age_s * 10**9

    def disarm(self, time_ns: int) -> None:
        self.look(time_ns)
        self.terms = None
        self.is_lost = False
        for _, said in self.heard:
            self.forgotten[said.reporter] = len(self.heard)

    # WHO COUNTS

    def newest(self) -> dict[bytes, Said]:
        """The newest report of each reporter since it was last forgotten."""
        found: dict[bytes, Said] = {}
        for at, (_, said) in enumerate(self.heard):
            if at >= self.forgotten.get(said.reporter, 0):
                found[said.reporter] = said
        return found

    def counting(self, time_ns: int) -> list[Said]:
        """Those that are fresh and near the median of the fresh."""
        if self.terms is None:
            return []
        oldest = time_ns // 10**6 - self.terms.max_age_s * 1_000
        fresh = [said for said in self.newest().values() if said.observed_ms >= oldest]
        if not fresh:
            return []
        middle = median_low(said.index for said in fresh)
        band = Fraction(self.terms.deviation_e4, 10_000) * middle
        return [said for said in fresh if abs(said.index - middle) <= band]

    def look(self, time_ns: int) -> None:
        """Time passes."""
        if self.terms is None or time_ns <= self.patience_ns:
            return
        if len(self.counting(time_ns)) < self.terms.quorum:
            self.is_lost = True

    # REPORTS

    def report(self, time_ns: int, said: Said) -> Outcome:
        """Said in the units of the exchange, whatever its decimals say."""
        self.look(time_ns)
        terms = self.terms
        if terms is None:
            return Outcome(720)
        code = self._fault(time_ns, terms, said)
        if code:
            return Outcome(code)
        self.heard.append((time_ns, said))
        self.sequences[said.reporter] = said
        left = self.counting(time_ns)
        if len(left) < terms.quorum:
            self.look(time_ns)
            return Outcome()
        index = median_low(other.index for other in left)
        self._carry(time_ns // 10**9, index)
        marks, held = self._make(time_ns // 10**9, terms, index, left)
        self.is_lost = False
        self.in_force.update(marks)
        for expiry, mark in marks.items():
            time_s = time_ns // 10**9
            self.made[expiry] = (time_s, index)
            taken = Taken(time_s, index, mark, terms.max_age_s)
            self.taken.setdefault(expiry, []).append(taken)
        return Outcome(0, index, marks, frozenset(held))

    def _fault(self, time_ns: int, terms: Terms, said: Said) -> int:
        now_ms = time_ns // 10**6
        if said.reporter not in terms.reporters:
            return 721
        if said.decimals != terms.reporters[said.reporter]:
            return 722
        last = self.sequences.get(said.reporter)
        if last is not None and said.sequence <= last.sequence:
            return 723
        if last is not None and said.observed_ms < last.observed_ms:
            return 724
        if said.observed_ms - now_ms > AHEAD_MS:
            return 725
        if now_ms - said.observed_ms > terms.max_age_s * 1_000:
            return 726
        if not 0 < said.index <= MOST_MICRO:
            return 727
        for number, mark in said.marks.items():
            strikes = self.expiries[number].strikes
            if not pricing.is_within_bounds(mark[0], mark[1:], strikes):
                return 727
            if abs(Fraction(mark[0], said.index) - 1) > Fraction(terms.forward_band_e4, 10_000):
                return 728
            if self.expiries[number].time_s > time_ns // 10**9 and has_butterfly(mark, strikes):
                return 729
        return 0

    # MARKS

    def _carry(self, time_s: int, index: int) -> None:
        """Every open expiry's forward is as far from the index as when its mark was taken, within
        the bounds.
        """
        for number, every in self.taken.items():
            last, expiry = every[-1], self.expiries[number]
            if expiry.time_s <= time_s:
                continue
            forward = int(Fraction(last.mark[0] * index, last.index) + Fraction(1, 2))
            if pricing.is_within_bounds(forward, last.mark[1:], expiry.strikes):
                self.in_force[number] = (forward, *last.mark[1:])

    def _make(
        self, time_s: int, terms: Terms, index: int, left: list[Said]
    ) -> tuple[dict[int, Mark], list[tuple[int, int]]]:
        marks: dict[int, Mark] = {}
        held: list[tuple[int, int]] = []
        for number in sorted({number for said in left for number in said.marks}):
            named = [said.marks[number] for said in left if number in said.marks]
            reason = 1
            if len(named) >= terms.quorum:
                smile = median_low((at_the_money(mark), mark[1:]) for mark in named)[1]
                marks[number] = (median_low(mark[0] for mark in named), *smile)
                reason = self._fault_of_mark(time_s, terms, index, number, marks[number])
            if reason:
                marks.pop(number, None)
                held.append((number, reason))
        return self._without_crossings(time_s, terms, marks, held), held

    def _fault_of_mark(self, time_s: int, terms: Terms, index: int, number: int, mark: Mark) -> int:
        expiry, old = self.expiries[number], self.in_force.get(number)
        if not pricing.is_within_bounds(mark[0], mark[1:], expiry.strikes):
            return 2
        if abs(Fraction(mark[0], index) - 1) > Fraction(terms.forward_band_e4, 10_000):
            return 3
        if old is not None and number in self.made:
            (made_s, made_index, old, _), times = self._since(time_s, terms, number)
            moved = Fraction(mark[0], index) / Fraction(old[0], made_index) - 1
            if abs(moved) > Fraction(times * terms.forward_move_e4, 10_000):
                return 4
            before, after = at_the_money(old), at_the_money(mark)
            if expiry.time_s > time_s and before:
                per_second = Fraction(before, expiry.time_s - made_s)
                moved = Fraction(after, expiry.time_s - time_s) / per_second - 1
                if abs(moved) > Fraction(times * terms.variance_move_e4, 10_000):
                    return 5
        return 6 if expiry.time_s > time_s and has_butterfly(mark, expiry.strikes) else 0

    def _since(self, time_s: int, terms: Terms, number: int) -> tuple[Taken, int]:
        """What a mark of now is held against, and how many bounds it has: all that was ever taken
        is gone through. A window begins with a mark that comes `max_age_s` or more after the last
        began, at the mark before it, with one bound for each such time.
        """
        first, *later = self.taken[number]
        start, began_s, times, before = first, first.time_s, 1, first
        now = Taken(time_s, 0, first.mark, terms.max_age_s)
        for taken in (*later, now):
            ages = (taken.time_s - began_s) // taken.max_age_s
            if ages:
                start, began_s, times = before, taken.time_s, ages
            before = taken
        return start, times

    def _without_crossings(
        self, time_s: int, terms: Terms, marks: dict[int, Mark], held: list[tuple[int, int]]
    ) -> dict[int, Mark]:
        """From the nearest on: each proposed mark against what stands before it, and against what
        stays behind it.
        """
        left = dict(marks)
        line = [
            number
            for number, expiry in sorted(self.expiries.items(), key=lambda i: (i[1].time_s, i[0]))
            if expiry.time_s > time_s and (number in marks or self._fresh(time_s, terms, number))
        ]
        before: tuple[int, Mark] | None = None
        for at, number in enumerate(line):
            mark = marks.get(number)
            if mark is not None:
                following = line[at + 1] if at + 1 < len(line) else None
                crosses = before is not None and self._crosses(before[0], before[1], mark)
                if not crosses and following is not None and following not in marks:
                    crosses = self._crosses(number, mark, self.in_force[following])
                if crosses:
                    del left[number]
                    held.append((number, 7))
                    mark = None
            if mark is None and self._fresh(time_s, terms, number):
                mark = self.in_force[number]
            if mark is not None:
                before = (number, mark)
        return left

    def _fresh(self, time_s: int, terms: Terms, number: int) -> bool:
        made = self.made.get(number)
        return made is not None and time_s - made[0] <= terms.max_age_s

    def _crosses(self, near_number: int, near: Mark, far: Mark) -> bool:
        """At strikes of the nearer within two deviations, with two percent of slack."""
        reach = 2 * pricing.deviation_q30(0, near[1:])
        for strike in self.expiries[near_number].strikes:
            k = pricing.ln_q30(strike) - pricing.ln_q30(near[0])
            if abs(k) <= reach and variance(k, far) < Fraction(98, 100) * variance(k, near):
                return True
        return False


def variance(k: int, mark: Mark) -> int:
    """Total variance over 2^60."""
    _, a, b, rho, m, sigma = mark
    d = k - m
    return max(a * ONE + b * (rho * d // ONE + _root(d * d + sigma * sigma)), 0)


def _root(square: int) -> int:
    """The largest integer whose square is not above it, by halving."""
    low, high = 0, 1 << 64
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle * middle <= square else (low, middle)
    return low


def at_the_money(mark: Mark) -> int:
    return variance(0, mark)


def has_butterfly(mark: Mark, strikes: list[int]) -> bool:
    """Whether calls rise in the strike, fall faster than it rises, or are not convex in it."""
    forward, slack = mark[0], SLACK_MICRO + mark[0] // 2**25
    prices = [(0, forward)]
    for strike in sorted(strikes):
        k = pricing.ln_q30(strike) - pricing.ln_q30(forward)
        deviation = pricing.deviation_q30(k, mark[1:])
        prices.append((strike, pricing.call_micro(forward, strike, k, deviation)))
    for (k1, c1), (k2, c2) in pairwise(prices):
        if c2 > c1 + slack or c1 - c2 > k2 - k1 + slack:
            return True
    for (k1, c1), (k2, c2), (k3, c3) in zip(prices, prices[1:], prices[2:], strict=False):
        between = Fraction(c1 * (k3 - k2) + c3 * (k2 - k1), k3 - k1)
        if c2 > between + slack:
            return True
    return False
