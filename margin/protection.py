"""A market maker's protection: what one group of quotes traded within its window, and whether it
may trade on.

Holds: the sums are those of the fills whose time is after now - window; a group whose limit is
reached trips, and lets nothing trade until it thaws or is reset; a limit of 0 is none.
Never: reads a clock or a book, or cancels anything.
"""

from collections import deque
from typing import Final

from margin.marks import Marks
from margin.scenarios import BASE_SCENARIO, moved_micro
from matching.instruments import MAX_LOTS, Instrument

QUANTITY: Final = 1
DELTA: Final = 2
VEGA: Final = 3

_NS_PER_MS: Final = 1_000_000
_UP_1_PERCENT: Final = BASE_SCENARIO + 3
_DOWN_1_PERCENT: Final = BASE_SCENARIO - 3
_VOLATILITY_UP: Final = BASE_SCENARIO - 1


def delta_e6(marks: Marks, instrument: Instrument) -> int:
    """Delta of a long lot, in millionths of a lot of the underlying: what it gains from the
    scenario of -1% to that of +1%, over what the forward gains, rounded down; 10^6 for a linear
    instrument.
    """
    if instrument.is_linear:
        return 10**6
    assert instrument.expiry is not None, "an option has an expiry"
    forward = marks.expiry_marks[instrument.expiry.number].forward_micro
    values = marks.values[instrument.number]
    gain = int(values[_UP_1_PERCENT]) - int(values[_DOWN_1_PERCENT])
    span = moved_micro(forward, _UP_1_PERCENT) - moved_micro(forward, _DOWN_1_PERCENT)
    return gain * 10**6 // max(span, 1)


def vega_micro(marks: Marks, instrument: Instrument) -> int:
    """Vega of a long lot: the micro-USDC that it gains in the scenario in which volatility alone
    rises (docs/margin.md); not scaled.
    """
    values = marks.values[instrument.number]
    return int(values[_VOLATILITY_UP]) - int(values[BASE_SCENARIO])


class Protection:
    """One group of one account. `delta_limit_e6` in millionths of a lot, `vega_limit_micro` in
    micro-USDC; `frozen_ms` 0 waits for a reset.
    """

    __slots__ = (
        "_fills",
        "delta_e6",
        "delta_limit_e6",
        "frozen_ms",
        "is_tripped",
        "lots",
        "quantity_limit_lots",
        "thaws_ns",
        "vega_limit_micro",
        "vega_micro",
        "window_ms",
    )

    def __init__(
        self,
        window_ms: int,
        frozen_ms: int,
        quantity_limit_lots: int,
        delta_limit_e6: int,
        vega_limit_micro: int,
    ) -> None:
        self.window_ms = window_ms
        self.frozen_ms = frozen_ms
        self.quantity_limit_lots = quantity_limit_lots
        self.delta_limit_e6 = delta_limit_e6
        self.vega_limit_micro = vega_limit_micro
        self._fills: deque[tuple[int, int, int, int]] = deque()
        self.lots = self.delta_e6 = self.vega_micro = 0
        self.is_tripped = False
        self.thaws_ns = 0

    def pass_time(self, time_ns: int) -> None:
        """Lets fills leave the window, and a frozen group thaw."""
        if self.is_tripped and self.frozen_ms and time_ns >= self.thaws_ns:
            self.reset()
        begins_ns = time_ns - self.window_ms * _NS_PER_MS
        while self._fills and self._fills[0][0] <= begins_ns:
            _, lots, delta, vega = self._fills.popleft()
            self.lots -= lots
            self.delta_e6 -= delta
            self.vega_micro -= vega

    def fillable_lots(self) -> int:
        """Lots that the group may still trade in its window."""
        if self.is_tripped:
            return 0
        limit = self.quantity_limit_lots
        return max(0, limit - self.lots) if limit else MAX_LOTS

    def take(self, time_ns: int, lots: int, delta: int, vega: int) -> int:
        """Counts a fill of `lots` > 0 with its signed delta and vega; gives the limit that it
        reached (QUANTITY, DELTA, VEGA), 0 for none.
        """
        self.pass_time(time_ns)
        self._fills.append((time_ns, lots, delta, vega))
        self.lots += lots
        self.delta_e6 += delta
        self.vega_micro += vega
        reached = self._reached()
        if reached and not self.is_tripped:
            self.is_tripped = True
            self.thaws_ns = time_ns + self.frozen_ms * _NS_PER_MS
        return reached

    def _reached(self) -> int:
        if self.quantity_limit_lots and self.lots >= self.quantity_limit_lots:
            return QUANTITY
        if self.delta_limit_e6 and abs(self.delta_e6) >= self.delta_limit_e6:
            return DELTA
        if self.vega_limit_micro and abs(self.vega_micro) >= self.vega_limit_micro:
            return VEGA
        return 0

    def reset(self) -> None:
        """Forgets all that was traded."""
        self._fills.clear()
        self.lots = self.delta_e6 = self.vega_micro = 0
        self.is_tripped = False
