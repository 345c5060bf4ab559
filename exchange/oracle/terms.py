"""What an underlying's oracle is armed with.

Holds: one table of bounds; a term out of them is named by its place in SetOracle.
Never: knows a report.
"""

from typing import Final

from settlement.price_reports import MAX_DECIMALS

E4: Final = 10_000
"""Bands and moves are in 1e-4."""
MAX_REPORTERS: Final = 32
MAX_AGE_S: Final = 3_600
MAX_AHEAD_MS: Final = 2_000
"""How far ahead of the exchange's clock a reporter's may be: clocks differ."""

Reporters = tuple[tuple[bytes, int], ...]
"""(address, decimals) of each."""

QUORUM: Final = 2
FRESH_S: Final = 30
DEVIATION_E4: Final = 100
FORWARD_BAND_E4: Final = 2_000
FORWARD_MOVE_E4: Final = 100
VARIANCE_MOVE_E4: Final = 5_000
"""What an exchange that feeds itself arms its oracles with. Of the 336 smiles of the crash of
February 2026, one every six hours, none has a forward 5% from its index, none moved its forward by
over 0.7% more than the index, and three moved their variance by over 60%."""


class Terms:
    """The terms in force. `deviation_e4`: how far from the median an index may be and count;
    `forward_band_e4`: a forward from its index; `forward_move_e4`, `variance_move_e4`: how far a
    forward may move over its index, and the variance at the money per second, within `max_age_s`,
    however many updates there are, and once more for each further one without any.
    """

    __slots__ = (
        "deviation_e4",
        "forward_band_e4",
        "forward_move_e4",
        "max_age_s",
        "quorum",
        "reporters",
        "variance_move_e4",
    )

    def __init__(
        self,
        quorum: int,
        max_age_s: int,
        deviation_e4: int,
        forward_band_e4: int,
        forward_move_e4: int,
        variance_move_e4: int,
        reporters: Reporters,
    ) -> None:
        self.quorum = quorum
        self.max_age_s = max_age_s
        self.deviation_e4 = deviation_e4
        self.forward_band_e4 = forward_band_e4
        self.forward_move_e4 = forward_move_e4
        self.variance_move_e4 = variance_move_e4
        self.reporters = dict(reporters)

    @property
    def max_age_ms(self) -> int:
        return self.max_age_s * 1_000

    def shape(self) -> tuple[object, ...]:
        """Everything, for the state's digest."""
        return (
            (self.quorum, self.max_age_s, self.deviation_e4),
            (self.forward_band_e4, self.forward_move_e4, self.variance_move_e4),
            list(self.reporters.items()),
        )


def wrong_field(
    quorum: int,
    max_age_s: int,
    deviation_e4: int,
    forward_band_e4: int,
    forward_move_e4: int,
    variance_move_e4: int,
    reporters: Reporters,
) -> int:
    """The first field of a SetOracle that is out of bounds, counted from 1 with the underlying; 0
    where all are within. No reporters at all, and quorum 0, disarm.
    """
    if not min(1, len(reporters)) <= quorum <= len(reporters):
        return 2
    if not 1 <= max_age_s <= MAX_AGE_S:
        return 3
    bands = (deviation_e4, forward_band_e4)
    for place, band in enumerate(bands, 4):
        if not 1 <= band < E4:
            return place
    moves = (forward_move_e4, variance_move_e4)
    for place, move in enumerate(moves, 6):
        if move < 1:
            return place
    addresses = dict(reporters)
    if len(addresses) != len(reporters) or len(reporters) > MAX_REPORTERS:
        return 8
    if not all(decimals <= MAX_DECIMALS for decimals in addresses.values()):
        return 8
    return 8 if bytes(20) in addresses else 0
