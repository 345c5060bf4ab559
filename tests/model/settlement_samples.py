"""Settlement samples as one would explain them: slow twin of `exchange/settlement_samples.py`.

Holds: all that an index ever was, in a list; each sample is looked up when somebody asks.
"""

Told = tuple[int, int]
"""(nanosecond, index) of one that was accepted."""


def seen_samples(history: list[Told], expiry_time_s: int, now_ns: int) -> list[int]:
    """The index in force at each of the thirty minutes before the expiry, 0 where there was none or
    it was more than a minute old.
    """
    samples: list[int] = []
    for minutes_left in range(30, 0, -1):
        minute_ns = (expiry_time_s - 60 * minutes_left) * 10**9
        told = [one for one in history if one[0] <= minute_ns]
        is_fresh = told and minute_ns - told[-1][0] <= 60 * 10**9
        samples.append(told[-1][1] if is_fresh and minute_ns <= now_ns else 0)
    return samples
