"""Events of the oracle: what was reported, what of it does not count and why, when too little does.

Holds: a report that is wrong in itself is refused, with the code
720 + reason; one that was taken and counts no more is a ReportDropped.
Never: names a source by anything but the address that signed.
"""

from typing import ClassVar, Final

from exchange.events.base import Event

REPORT_REASONS: Final[tuple[str, ...]] = (
    "counts",
    "not a reporter",
    "wrong decimals",
    "already taken",
    "older than the last",
    "from the future",
    "stale",
    "out of bounds",
    "forward off",
    "arbitrage",
    "outlier",
)
"""Why a report does not count, by number. Reasons 1 to 9 are told by rejects 721 to 729, which
name the numbers; of a ReportDropped they are: stale, the moment of observation and the oldest that
counts (Unix milliseconds); outlier, the report's index and the median (micro-USDC per lot).
"""
DROPPED_STALE: Final = 6
DROPPED_OUTLIER: Final = 10

HOLD_REASONS: Final[tuple[str, ...]] = (
    "none",
    "too few reports",
    "out of bounds",
    "forward off",
    "forward moved too far",
    "variance moved too far",
    "arbitrage within the smile",
    "arbitrage with a neighbouring expiry",
)
"""Why an expiry keeps the smile that it has, by number. `got` and `allowed` of an ExpiryHeld:
reports and quorum; parameter and 0; distance and bound (1e-4), for forward and for variance; the
strike (micro-USDC per lot) and, for a neighbour, its expiry.
"""
HELD_TOO_FEW: Final = 1
HELD_OUT_OF_BOUNDS: Final = 2
HELD_FORWARD_OFF: Final = 3
HELD_FORWARD_MOVE: Final = 4
HELD_VARIANCE_MOVE: Final = 5
HELD_BUTTERFLY: Final = 6
HELD_CALENDAR: Final = 7


class OracleArmed(Event, frozen=True, gc=False):
    """An underlying's oracle has new terms; disarmed where there are no reporters."""

    TYPE: ClassVar[int] = 0x70
    underlying: int
    quorum: int
    max_age_s: int
    deviation_e4: int
    forward_band_e4: int
    forward_move_e4: int
    variance_move_e4: int
    reporters: tuple[tuple[bytes, int], ...]


class PricesReported(Event, frozen=True, gc=False):
    """A report was taken: its index in micro-USDC per lot; `counting` reports agree with it there,
    itself among them if it does.
    """

    TYPE: ClassVar[int] = 0x71
    underlying: int
    reporter: bytes
    sequence: int
    observed_ms: int
    index_micro: int
    counting: int


class ReportDropped(Event, frozen=True, gc=False):
    """A report that was taken counts no more, until its reporter sends another or, for an outlier,
    the median comes back to it.
    """

    TYPE: ClassVar[int] = 0x72
    underlying: int
    reporter: bytes
    sequence: int
    reason: int
    got: int
    allowed: int


class ExpiryHeld(Event, frozen=True, gc=False):
    """An expiry keeps the smile that it has, though reports name it; its forward goes with the
    index.
    """

    TYPE: ClassVar[int] = 0x73
    underlying: int
    expiry: int
    reason: int
    got: int
    allowed: int


class OracleLost(Event, frozen=True, gc=False):
    """Fewer reports count than the quorum asks: the underlying takes cancels alone, and its marks
    stay as they are. `newest_ms`: of the newest report, 0 without one.
    """

    TYPE: ClassVar[int] = 0x74
    underlying: int
    counting: int
    quorum: int
    newest_ms: int


class OracleRecovered(Event, frozen=True, gc=False):
    """Marks were made again, or the oracle was disarmed (both numbers 0): the oracle asks for
    nothing any more. `lost_s`: when it was lost.
    """

    TYPE: ClassVar[int] = 0x75
    underlying: int
    counting: int
    quorum: int
    lost_s: int
