"""The samples that an expiry settles at, as the exchange itself saw them: the index in force at
each of the thirty minutes before the expiry.

Holds: sample k of an expiry at T is the index that was in force at T - 30 min + k min, the last one
accepted up to that nanosecond; one that was older than a minute then is none, for the exchange or
its source was down. An expiry's samples are kept until it is settled, however late that is.
Never: reads a clock or a price; judges an index.
"""

from bisect import insort
from typing import Final

from exchange.commands import SETTLEMENT_SAMPLES

MINUTE_S: Final = 60
WINDOW_S: Final = SETTLEMENT_SAMPLES * MINUTE_S
MAX_SAMPLE_AGE_NS: Final = MINUTE_S * 10**9
"""How old an index in force may be to count as a sample: each stands for a minute."""
PERPETUAL_KEYS: Final = 1 << 16
"""A perpetual whose end is announced is sampled like an expiry of this number and its own."""
UNSEEN: Final = 0
"""In place of a sample that the exchange did not see; no index is zero."""
_NS: Final = 10**9


class Window:
    """The samples of one expiry so far; `taken` are decided, seen or not."""

    __slots__ = ("expiry", "samples_micro", "taken", "time_s")

    def __init__(self, time_s: int, expiry: int) -> None:
        self.time_s = time_s
        self.expiry = expiry
        self.samples_micro: list[int] = []
        self.taken = 0

    def __lt__(self, other: "Window") -> bool:
        return (self.time_s, self.expiry) < (other.time_s, other.expiry)

    def minute_ns(self, at: int) -> int:
        """When sample `at` is taken, Unix nanoseconds."""
        return (self.time_s - WINDOW_S + at * MINUTE_S) * _NS


class SettlementSamples:
    """Of all expiries that are not settled, by underlying, the earliest first."""

    __slots__ = ("_in_force", "_windows")

    def __init__(self) -> None:
        self._in_force: dict[int, tuple[int, int]] = {}
        self._windows: dict[int, list[Window]] = {}

    def listed(self, underlying: int, expiry: int, time_s: int) -> None:
        """An expiry is listed: its samples will be kept."""
        insort(self._windows.setdefault(underlying, []), Window(time_s, expiry))

    def take(self, underlying: int, time_ns: int, index_micro: int) -> None:
        """A new index comes into force: the one before it was in force at every minute until
        then.
        """
        for window in self._windows.get(underlying, ()):
            if window.minute_ns(0) >= time_ns:
                break
            while window.taken < SETTLEMENT_SAMPLES and window.minute_ns(window.taken) < time_ns:
                window.samples_micro.append(self._sample(underlying, window, window.taken))
                window.taken += 1
        self._in_force[underlying] = (time_ns, index_micro)

    def _sample(self, underlying: int, window: Window, at: int) -> int:
        since_ns, index_micro = self._in_force.get(underlying, (-MAX_SAMPLE_AGE_NS, UNSEEN))
        minute_ns = window.minute_ns(at)
        return index_micro if since_ns <= minute_ns <= since_ns + MAX_SAMPLE_AGE_NS else UNSEEN

    def seen(self, underlying: int, expiry: int, time_ns: int) -> tuple[int, ...]:
        """The thirty samples of an expiry as of `time_ns`, UNSEEN for each that the exchange did
        not see. Changes nothing.
        """
        for window in self._windows.get(underlying, ()):
            if window.expiry == expiry:
                samples = list(window.samples_micro)
                for at in range(window.taken, SETTLEMENT_SAMPLES):
                    is_over = window.minute_ns(at) <= time_ns
                    samples.append(self._sample(underlying, window, at) if is_over else UNSEEN)
                return tuple(samples)
        return (UNSEEN,) * SETTLEMENT_SAMPLES

    def settled(self, underlying: int, expiry: int) -> None:
        """An expiry has its price: its samples are needed no more."""
        kept = [w for w in self._windows.get(underlying, ()) if w.expiry != expiry]
        self._windows[underlying] = kept

    def shape(self) -> list[tuple[object, ...]]:
        """All that a later command can see, for comparing two states."""
        windows = [
            (underlying, window.time_s, window.expiry, *window.samples_micro)
            for underlying, of_one in sorted(self._windows.items())
            for window in of_one
        ]
        return [*windows, *sorted(self._in_force.items())]
