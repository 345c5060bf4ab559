"""A circuit breaker: how far an index has moved within a window, and when it is calm again.

Holds: the index is a step function of the command's seconds, so an index that returns from a
silence is held against the one in force before it; a second keeps its lowest, highest and last
index, so a breaker keeps at most one sample a second of its longer window, and one before it.
Never: reads a clock, sets a trading state or knows an order (`handlers/marks.py` asks it).
"""

from collections.abc import Sequence
from typing import Final

from margin.fees import MAX_LEVEL
from matching.trading_states import CANCEL_ONLY, POST_ONLY_STATE

E4: Final = 10_000
"""Moves are in 1e-4 of the index that they are measured from."""
MAX_WINDOW_S: Final = 3_600
MAX_LEVELS: Final = 4
MAX_MINIMUM_S: Final = 0xFFFF

Levels = tuple[tuple[int, int, int], ...]
"""(threshold_e4, state, minimum_s), by rising threshold."""

WINDOW_S: Final = 300
CALM_WINDOW_S: Final = 60
CALM_E4: Final = 200
LEVELS: Final[Levels] = (
    (1_000, POST_ONLY_STATE, 60),
    (2_000, CANCEL_ONLY, 300),
)
"""What an exchange is founded with: 10% within five minutes leaves only post-only orders, for a
minute at least; 20% only cancels, for five; either until the index has kept within 2% for a minute.
"""


class Sample:
    """The index within one second, micro-USDC per lot."""

    __slots__ = ("high_micro", "last_micro", "low_micro", "time_s")

    def __init__(self, time_s: int, index_micro: int) -> None:
        self.time_s = time_s
        self.low_micro = index_micro
        self.high_micro = index_micro
        self.last_micro = index_micro


class Breaker:
    """The breaker of one underlying. `level` counts from 1 while it is tripped; `until_s` is the
    first second at which it may be released.
    """

    __slots__ = (
        "calm_e4",
        "calm_window_s",
        "level",
        "levels",
        "samples",
        "tripped_s",
        "until_s",
        "window_s",
    )

    def __init__(self) -> None:
        self.window_s = 0
        self.calm_window_s = 0
        self.calm_e4 = 0
        self.levels: Levels = ()
        self.level = 0
        self.tripped_s = 0
        self.until_s = 0
        self.samples: list[Sample] = []

    def arm(self, window_s: int, calm_window_s: int, calm_e4: int, levels: Levels) -> None:
        """Takes new parameters. What is tripped stays so, at least until the second that it was
        told; no levels at all disarm it.
        """
        self.window_s = window_s
        self.calm_window_s = calm_window_s
        self.calm_e4 = calm_e4
        self.level = min(self.level, len(levels))
        self.levels = levels
        if not levels:
            self.samples = []

    def take(self, time_s: int, index_micro: int) -> None:
        """Learns the index of a second, and forgets what no window can reach."""
        samples = self.samples
        if samples and samples[-1].time_s == time_s:
            last = samples[-1]
            last.low_micro = min(last.low_micro, index_micro)
            last.high_micro = max(last.high_micro, index_micro)
            last.last_micro = index_micro
        else:
            samples.append(Sample(time_s, index_micro))
        start_s = time_s - max(self.window_s, self.calm_window_s)
        reached = 0
        while reached + 1 < len(samples) and samples[reached + 1].time_s <= start_s:
            reached += 1  # the next one is in force when the window begins
        if reached:
            del samples[:reached]

    def extremes(self, window_s: int) -> tuple[int, int]:
        """Lowest and highest index in force within the last `window_s`: from the end of the second
        that lies so far back until now.
        """
        samples = self.samples
        start_s = samples[-1].time_s - window_s
        low = high = samples[-1].last_micro
        for at in range(len(samples) - 1, -1, -1):
            sample = samples[at]
            if sample.time_s <= start_s:  # what was in force when the window began
                low = min(low, sample.last_micro)
                high = max(high, sample.last_micro)
                break
            low = min(low, sample.low_micro)
            high = max(high, sample.high_micro)
        return low, high

    def breached(self) -> tuple[int, int]:
        """(level, reference_micro): the highest level that the move to the latest index reaches,
        0 for none, and the index that it moved from.
        """
        low, high = self.extremes(self.window_s)
        index = self.samples[-1].last_micro
        for level in range(len(self.levels), 0, -1):
            threshold = self.levels[level - 1][0]
            if index * E4 >= low * (E4 + threshold):
                return level, low
            if index * E4 <= high * (E4 - threshold):
                return level, high
        return 0, index

    def warning(self) -> int:
        """The level of warning: how many quarters of the way to the first threshold the index has
        moved within the window, up or down, at most 4 (`MAX_LEVEL`); 4 while it is tripped.
        """
        if not self.samples:
            return 0
        if self.level:
            return MAX_LEVEL
        low, high = self.extremes(self.window_s)
        index, threshold = self.samples[-1].last_micro, self.levels[0][0]
        up = (index - low) * E4 * MAX_LEVEL // (low * threshold)
        down = (high - index) * E4 * MAX_LEVEL // (high * threshold)
        return min(max(up, down), MAX_LEVEL)

    def is_calm(self) -> bool:
        """Whether its time is over and the index keeps within `calm_e4` of its lowest."""
        if self.samples[-1].time_s < self.until_s:
            return False
        low, high = self.extremes(self.calm_window_s)
        return (high - low) * E4 <= low * self.calm_e4

    def trip(self, level: int) -> None:
        """Enters a level; its minimum begins now."""
        self.level = level
        self.tripped_s = self.samples[-1].time_s
        self.until_s = self.tripped_s + self.levels[level - 1][2]

    def release(self) -> None:
        """Leaves; the next move is measured from the index of now."""
        self.level = 0
        latest = self.samples[-1]
        self.samples = [Sample(latest.time_s, latest.last_micro)]


def wrong_field(window_s: int, calm_window_s: int, calm_e4: int, levels: Levels) -> int:
    """The first field of a SetBreaker that is out of bounds, counted from 1 with the underlying;
    0 where all are within.
    """
    if not 1 <= window_s <= MAX_WINDOW_S:
        return 2
    if not 1 <= calm_window_s <= MAX_WINDOW_S:
        return 3
    if calm_e4 >= E4:
        return 4
    return 0 if _are_levels(levels) else 5


def _are_levels(levels: Levels) -> bool:
    """Thresholds rise and are below the whole; states are post-only or cancel-only and never less
    restrictive than at the level before.
    """
    if len(levels) > MAX_LEVELS:
        return False
    last_threshold, last_state = 0, POST_ONLY_STATE
    for threshold, state, _ in levels:
        if not last_threshold < threshold < E4:
            return False
        if not last_state <= state <= CANCEL_ONLY:
            return False
        last_threshold, last_state = threshold, state
    return True


def shape(breaker: Breaker) -> Sequence[object]:
    """All that a later command can see of a breaker, for the state's digest."""
    return (
        (breaker.window_s, breaker.calm_window_s, breaker.calm_e4, breaker.levels),
        (breaker.level, breaker.tripped_s, breaker.until_s),
        [(s.time_s, s.low_micro, s.high_micro, s.last_micro) for s in breaker.samples],
    )
