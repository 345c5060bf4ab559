"""What a book traded within a day: open, high, low, last, volume, turnover, number of trades.

Holds: the day is the last 1,440 whole minutes and the one that runs; trades are kept as sums of a
minute, so memory does not grow with trading. Prices that were derived count in volume and turnover
and not in open, high, low and last (`tape.Trade.is_derived`).
Never: a float.
"""

from collections import deque
from typing import Final, NamedTuple

DAY_MINUTES: Final = 1_440
_MINUTE_NS: Final = 60 * 10**9


class Statistics(NamedTuple):
    """A day of a book, prices in micro-USDC per lot or unit, None where nothing was quoted and
    traded; `turnover_micro` is the sum of size of price x lots. `last_micro` is the last ever.
    """

    open_micro: int | None
    high_micro: int | None
    low_micro: int | None
    last_micro: int | None
    volume_lots: int
    turnover_micro: int
    trades: int

    @property
    def change_micro(self) -> int | None:
        """From the day's first price to its last; None where there is none."""
        if self.open_micro is None or self.last_micro is None:
            return None
        return self.last_micro - self.open_micro


class _Minute:
    __slots__ = ("has_price", "high", "low", "minute", "open", "trades", "turnover", "volume")

    def __init__(self, minute: int) -> None:
        self.minute = minute
        self.has_price = False
        self.open = self.high = self.low = 0
        self.volume = self.turnover = self.trades = 0


class RollingDay:
    """The minutes of a day of one book."""

    __slots__ = ("_last_micro", "_minutes", "_trades", "_turnover", "_volume")

    def __init__(self) -> None:
        self._minutes: deque[_Minute] = deque()
        self._last_micro: int | None = None
        self._volume = self._turnover = self._trades = 0

    def take(self, time_ns: int, price_micro: int, lots: int, is_derived: bool) -> None:
        """Adds a trade; times never fall."""
        number = time_ns // _MINUTE_NS
        self._forget(number)
        if not self._minutes or self._minutes[-1].minute != number:
            self._minutes.append(_Minute(number))
        minute = self._minutes[-1]
        turnover = abs(price_micro) * lots
        minute.volume += lots
        minute.turnover += turnover
        minute.trades += 1
        self._volume += lots
        self._turnover += turnover
        self._trades += 1
        if is_derived:
            return
        if not minute.has_price:
            minute.has_price = True
            minute.open = minute.high = minute.low = price_micro
        minute.high = max(minute.high, price_micro)
        minute.low = min(minute.low, price_micro)
        self._last_micro = price_micro

    def at(self, time_ns: int) -> Statistics:
        """The day that ends now."""
        self._forget(time_ns // _MINUTE_NS)
        priced = [minute for minute in self._minutes if minute.has_price]
        return Statistics(
            priced[0].open if priced else None,
            max(minute.high for minute in priced) if priced else None,
            min(minute.low for minute in priced) if priced else None,
            self._last_micro,
            self._volume,
            self._turnover,
            self._trades,
        )

    def _forget(self, now: int) -> None:
        """Drops the minutes that a day ago had ended."""
        minutes = self._minutes
        while minutes and minutes[0].minute < now - DAY_MINUTES:
            gone = minutes.popleft()
            self._volume -= gone.volume
            self._turnover -= gone.turnover
            self._trades -= gone.trades


NOTHING_TRADED: Final = Statistics(None, None, None, None, 0, 0, 0)
