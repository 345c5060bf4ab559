"""UTCTimestamp, as FIX 4.4 writes moments.

Holds: whole milliseconds, truncated; a leap second reads as the second after it.
Never: a local time.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_NS: Final = 10**9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y%m%d-%H:%M:%S")


def timestamp_text(time_ns: int) -> str:
    """Unix nanoseconds as `20260115-09:30:00.123`."""
    second, rest = divmod(time_ns, _NS)
    return f"{_second_text(second)}.{rest // 1_000_000:03d}"


@lru_cache(maxsize=64)
def _minute_ns(text: str) -> int | None:
    """`20260115-09:30` as Unix nanoseconds; None where there is no such minute."""
    try:
        moment = datetime.strptime(text + "+0000", "%Y%m%d-%H:%M%z")
    except ValueError:
        return None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * _NS


def parse_timestamp(text: str) -> int | None:
    """Unix nanoseconds of a UTCTimestamp with or without a fraction, or None."""
    minute = _minute_ns(text[:14])
    seconds, dot, fraction = text[15:].partition(".")
    if minute is None or text[14:15] != ":" or len(seconds) != 2 or not _is_digits(seconds):
        return None
    if int(seconds) > 60 or (dot and not (_is_digits(fraction) and len(fraction) <= 9)):
        return None
    return minute + int(seconds) * _NS + int(fraction.ljust(9, "0") if dot else 0)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
