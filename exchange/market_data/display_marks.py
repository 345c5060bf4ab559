"""The mark that people are shown: surface and book together, so bounded that no quote moves it far.

Margin knows the surface's mark alone. A person wants to see the market, too: where the book is
two-sided and narrow, its middle, weighed by the sizes of both sides (a large bid draws it up),
counts as much as the surface. The whole is lifted to what the option is worth at the index, held
within a band around the surface's mark, and within the prices that cannot be arbitraged against
the forward.

Holds: with or without a book it is within the band; within [low, high] of its bounds; without one
it is the surface's mark, lifted at most. Integers, micro-USDC per lot or unit; the middle is
rounded down.
Never: is read by the engine: no account is margined by a display mark.
"""

from typing import Final, NamedTuple

E4: Final = 10_000
BAND_E4: Final = 500
BAND_INDEX_E4: Final = 5
"""The band: 5% of the mark, or 0.05% of the index where that is more; a day's option of a few
dollars has quotes farther apart than 5%."""
WIDEST_BANDS: Final = 2
"""A book whose sides are farther apart than so many bands is no market, and is not looked at."""


class Bounds(NamedTuple):
    """Least and largest price without arbitrage against the forward, None for none;
    `at_index_micro`: what one pays who exercises at the index.
    """

    low_micro: int | None
    high_micro: int | None
    at_index_micro: int | None


NO_BOUNDS: Final = Bounds(None, None, None)


class BestPrices(NamedTuple):
    """Both sides' best prices and the lots there; None and 0 for an empty side."""

    bid_micro: int | None
    bid_lots: int
    ask_micro: int | None
    ask_lots: int


def band_micro(mark_micro: int, index_micro: int) -> int:
    """How far from the surface's mark the display mark may be, rounded down."""
    return max(abs(mark_micro) * BAND_E4, index_micro * BAND_INDEX_E4) // E4


def book_middle_micro(best: BestPrices, widest_micro: int) -> int | None:
    """The middle of the best prices, each weighed by the size of the other side, rounded down; None
    where the book is one-sided, crossed or wider than the bound.
    """
    bid, bid_lots, ask, ask_lots = best
    if bid is None or ask is None or bid_lots <= 0 or ask_lots <= 0:
        return None
    if not 0 <= ask - bid <= widest_micro:
        return None
    return (bid * ask_lots + ask * bid_lots) // (bid_lots + ask_lots)


def display_mark_micro(mark_micro: int, index_micro: int, bounds: Bounds, best: BestPrices) -> int:
    """The mark to show.

    mark_micro  the surface's, within the bounds (the margin mark)
    """
    band = band_micro(mark_micro, index_micro)
    low, high = mark_micro - band, mark_micro + band
    if bounds.low_micro is not None:
        low = max(low, bounds.low_micro)
    if bounds.high_micro is not None:
        high = min(high, bounds.high_micro)
    middle = book_middle_micro(best, WIDEST_BANDS * band)
    shown = mark_micro if middle is None else (mark_micro + middle) // 2
    if bounds.at_index_micro is not None:
        shown = max(shown, bounds.at_index_micro)
    return min(max(shown, low), high)
