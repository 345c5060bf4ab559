"""Combos: strategies of 2 to 8 legs, each an instrument of its own with a book.

Holds: legs ascend by instrument, each once; ratios are not zero, have no common factor, and the
first is positive, so two traders who write the same strategy meet in one book; a net price is a
multiple of `tick_micro` = gcd(|ratio| x tick value), the finest price that whole leg ticks can
make.
Never: knows prices or orders.
"""

from collections.abc import Sequence
from math import gcd
from typing import Final

from matching.instruments import MAX_VALUE_MICRO, Instrument
from matching.leg_prices import split_net_price

MAX_LEGS: Final = 8
MAX_RATIO: Final = 127
COMBO_BASE: Final = 1 << 24
"""Book numbers from here on are combos; below, instruments."""

Legs = tuple[tuple[int, int], ...]
"""(instrument, ratio), canonical."""


class Combo:
    """A strategy. `instruments[i]` trades `ratios[i]` lots per unit, positive legs with the
    combo's buyer, negative ones against.

    `steps_micro[i]` is what one tick of leg i adds to the net price; `lowest_ticks[i]` and
    `highest_ticks[i]` bound the leg's price: an option is never sold for less than nothing.
    Legs may be of several underlyings; `underlying` is the first leg's, on which margin counts
    resting orders (docs/margin.md, 3.3).
    """

    __slots__ = (
        "book",
        "highest_ticks",
        "instruments",
        "legs",
        "lowest_ticks",
        "ratios",
        "steps_micro",
        "tick_micro",
        "underlying",
    )

    def __init__(self, book: int, instruments: Sequence[Instrument], ratios: Sequence[int]) -> None:
        self.book = book
        self.instruments = tuple(instruments)
        self.ratios = tuple(ratios)
        self.legs: Legs = tuple(
            (instrument.number, ratio)
            for instrument, ratio in zip(instruments, ratios, strict=True)
        )
        self.tick_micro = combo_tick_micro(instruments, ratios)
        self.steps_micro = tuple(
            ratio * instrument.tick_value_micro
            for instrument, ratio in zip(instruments, ratios, strict=True)
        )
        self.highest_ticks = tuple(
            (MAX_VALUE_MICRO - 1) // instrument.tick_value_micro for instrument in instruments
        )
        self.lowest_ticks = tuple(
            -highest if instrument.is_linear else 0
            for instrument, highest in zip(instruments, self.highest_ticks, strict=True)
        )
        self.underlying = instruments[0].underlying

    def is_on(self, underlying: int) -> bool:
        """Whether any leg is on an underlying."""
        return any(leg.underlying.number == underlying for leg in self.instruments)

    def can_cost(self, net_price_micro: int) -> bool:
        """Whether any prices of the legs make a net price: two calls cannot cost less than 0."""
        for step, low, high in zip(
            self.steps_micro, self.lowest_ticks, self.highest_ticks, strict=True
        ):
            ticks, off = divmod(net_price_micro, step)
            if not off and low <= ticks <= high:
                return True  # this leg at that price, the others at nothing, which each may cost
        start = (0,) * len(self.legs)
        return (
            split_net_price(
                net_price_micro, self.steps_micro, start, self.lowest_ticks, self.highest_ticks
            )
            is not None
        )


def combo_tick_micro(instruments: Sequence[Instrument], ratios: Sequence[int]) -> int:
    """The finest net price that whole ticks of the legs can make, micro-USDC per unit."""
    return gcd(
        *(
            abs(ratio) * instrument.tick_value_micro
            for instrument, ratio in zip(instruments, ratios, strict=True)
        )
    )


def canonical_legs(legs: Sequence[tuple[int, int]]) -> tuple[Legs, int, int]:
    """The canonical form of any legs: `(legs, sign, factor)`.

    Buying one unit of what was written is buying (`sign` 1) or selling (`sign` -1) `factor`
    units of the canonical legs. Legs that cancel out vanish; nothing left gives `((), 1, 1)`.
    """
    sums: dict[int, int] = {}
    for instrument, ratio in legs:
        sums[instrument] = sums.get(instrument, 0) + ratio
    kept = sorted((instrument, ratio) for instrument, ratio in sums.items() if ratio)
    if not kept:
        return (), 1, 1
    factor = gcd(*(abs(ratio) for _, ratio in kept))
    sign = 1 if kept[0][1] > 0 else -1
    return tuple((instrument, sign * ratio // factor) for instrument, ratio in kept), sign, factor
