"""A circuit breaker as one would explain it: slow twin of `exchange/circuit_breaker.py` and of the
handler that asks it.

It forgets nothing since it was armed or released, and looks at all of it again at every index.
"""

from fractions import Fraction

Level = tuple[int, int, int]


class PlainBreaker:
    def __init__(
        self, window_s: int, calm_window_s: int, calm_e4: int, levels: list[Level]
    ) -> None:
        self.window_s, self.calm_window_s = window_s, calm_window_s
        self.calm = Fraction(calm_e4, 10_000)
        self.levels = levels
        self.seen: list[tuple[int, int]] = []
        self.level = 0
        self.until_s = 0
        self.tripped_s = 0

    def in_force(self, window_s: int) -> list[int]:
        """The last index that was there when the window began, and all that came in it."""
        now_s = self.seen[-1][0]
        before = [index for time_s, index in self.seen if time_s <= now_s - window_s]
        within = [index for time_s, index in self.seen if time_s > now_s - window_s]
        return before[-1:] + within

    def warning(self) -> int:
        """Quarters of the way to the first threshold that the index has come."""
        known, index = self.in_force(self.window_s), self.seen[-1][1]
        way = max(Fraction(index, min(known)) - 1, 1 - Fraction(index, max(known)))
        return 4 if self.level else min(int(4 * way * 10_000 / self.levels[0][0]), 4)

    def take(self, time_s: int, index: int) -> tuple[str, int, int] | None:
        """("tripped", level, reference), ("released", low, high) or nothing."""
        self.seen.append((time_s, index))
        known = self.in_force(self.window_s)
        for number in range(len(self.levels), self.level, -1):
            threshold = Fraction(self.levels[number - 1][0], 10_000)
            rise, fall = Fraction(index, min(known)) - 1, 1 - Fraction(index, max(known))
            if rise >= threshold or fall >= threshold:
                self.level, self.tripped_s = number, time_s
                self.until_s = time_s + self.levels[number - 1][2]
                return "tripped", number, min(known) if rise >= threshold else max(known)
        if not self.level or time_s < self.until_s:
            return None
        recent = self.in_force(self.calm_window_s)
        if Fraction(max(recent) - min(recent), min(recent)) > self.calm:
            return None
        self.level = 0
        self.seen = self.seen[-1:]
        return "released", min(recent), max(recent)
