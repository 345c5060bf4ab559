"""What a door gets when it asks for margin in every number: values, in protocol units.

Holds: amounts in micro-USDC, quantities in lots; frozen, like all views (`venue.py`).
Never: reads the state (`margin_views.py` does).
"""

import msgspec

from margin.liquidation_price import Distance
from margin.requirement import Breakdown
from margin.what_if import Release

Legs = tuple[tuple[int, int], ...]


class HeldPosition(msgspec.Struct, frozen=True):
    """A position and what its lots are worth at the mark; of a linear instrument, its notional."""

    instrument: int
    symbol: str
    quantity_lots: int
    mark_micro: int
    lot_e8: int


class Underlying(msgspec.Struct, frozen=True):
    """What amounts per lot of an underlying are written with."""

    name: str
    lot_e8: int
    index_micro: int


class MarginReport(msgspec.Struct, frozen=True):
    """Every number of an account's margin; `account` is None for a portfolio that nobody holds.
    `underlyings` are in the order of the breakdown's scans.
    """

    account: int | None
    breakdown: Breakdown
    underlyings: tuple[Underlying, ...]
    positions: tuple[HeldPosition, ...]


class FallReport(msgspec.Struct, frozen=True):
    """What closing each position would free, and where the account would fall; `symbols` and
    `underlyings` are those of the releases and distances, in order.
    """

    account: int | None
    releases: tuple[Release, ...]
    symbols: tuple[str, ...]
    distances: tuple[Distance, ...]
    underlyings: tuple[Underlying, ...]


class LegTrade(msgspec.Struct, frozen=True):
    """Signed lots (units) of an instrument or combo; `price_micro` per lot, None: at the marks. A
    combo has its marks alone.
    """

    legs: Legs
    lots: int
    price_micro: int | None = None
