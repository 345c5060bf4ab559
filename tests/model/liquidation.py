"""Liquidation by the book, in fractions: slow twin of `margin/standing.py`,
`margin/liquidation.py`, `margin/auction.py` and `margin/deleveraging.py`.

Holds: everything from plain lists of numbers, as docs/liquidation.md says it; rounded at the end,
once.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from margin.parameters import NETTING_PERCENT

BASE = 55
MAINTENANCE = Fraction(80, 100)
NETTING = Fraction(NETTING_PERCENT, 100)
BUFFER = Fraction(20, 100)
START, KNEE = Fraction(98, 100), Fraction(80, 100)
FAST_S, SLOW_S, INSOLVENT_S = 60, 540, 300
STEP_SHARE, DEPTH_SHARE, BAND = Fraction(1, 5), Fraction(1, 2), Fraction(4, 1_000)
FEE, FEE_CAP = Fraction(1, 1_000), Fraction(1_250, 10_000)
LOSS_CAP, LOSS_CAP_ALL = Fraction(5, 100), Fraction(2, 100)


class Holding(NamedTuple):
    """A position: lots, its lot's value in each scenario (an accrual included), the accrual that
    its account has taken, and which underlying it is of.
    """

    lots: int
    values: Sequence[int]
    accrual_seen: int
    underlying: int


class Standing(NamedTuple):
    equity: int
    worst: int

    @property
    def maintenance(self) -> int:
        return math.ceil(self.worst * MAINTENANCE)

    @property
    def is_called(self) -> bool:
        return self.equity < self.worst

    @property
    def must_liquidate(self) -> bool:
        return self.equity < self.maintenance


def standing(cash: int, holdings: Sequence[Holding], *, is_apart: bool = False) -> Standing:
    """By netted underlyings, or (`is_apart`) each holding in its own worst scenario."""
    equity = cash + sum(h.lots * (h.values[BASE] - h.accrual_seen) for h in holdings)
    totals: list[list[int]] = []
    for underlying in {h.underlying for h in holdings}:
        here = [h for h in holdings if h.underlying == underlying]
        totals.append([sum(h.lots * h.values[s] for h in here) for s in range(len(here[0].values))])
    base = sum(total[BASE] for total in totals)
    separate = sum(min(total) for total in totals)
    joint = min((sum(column) for column in zip(*totals, strict=True)), default=0)
    netted = math.floor(separate + NETTING * (joint - separate))
    rounding = math.ceil(Fraction(sum(abs(h.lots) for h in holdings), 2))
    if is_apart:
        netted = sum(min(h.lots * value for value in h.values) for h in holdings)
    return Standing(equity, base - netted + rounding)


# STEPS


def band_price(mark: int, index: int, buys: bool) -> Fraction:
    """The worst price of a step."""
    away = math.floor(index * BAND)
    return Fraction(mark + away if buys else mark - away)


def most_lots(held: int, shown: int) -> int:
    return min(
        max(math.floor(abs(held) * STEP_SHARE), 1),
        max(math.floor(shown * DEPTH_SHARE), 1),
        abs(held),
        shown,
    )


def fund_fee(index: int, price: int, lots: int, is_linear: bool) -> int:
    per_lot = index * FEE
    if not is_linear:
        per_lot = min(per_lot, price * FEE_CAP)
    return math.ceil(lots * per_lot)


# AUCTION


def discount(elapsed_s: Fraction) -> Fraction:
    """The part of its worth that a portfolio is offered for."""
    if elapsed_s <= FAST_S:
        return START - (START - KNEE) * elapsed_s / FAST_S
    return max(KNEE * (1 - (elapsed_s - FAST_S) / SLOW_S), Fraction(0))


def part_sold(at: Standing, risk: int, kept: int) -> Fraction:
    """What is sold of equity: the positions' part of W, which is `risk` of it, of what is left of
    it without the cash that is kept.
    """
    return Fraction((at.equity - kept) * risk, at.worst)


def share(at: Standing, risk: int, worth: Fraction, part: Fraction) -> Fraction:
    """The share whose sale, for `part` of `worth`, brings equity to (80% + 20%) of W, where the
    whole takes `risk` of W away; the whole where no share does.
    """
    short = math.ceil(at.worst * (MAINTENANCE + BUFFER)) - at.equity
    back = risk * (MAINTENANCE + BUFFER) - worth * (1 - part)
    if short <= 0:
        return Fraction(0)
    return min(short / back, Fraction(1)) if back > 0 else Fraction(1)


def derive_share(at: Standing, part: Fraction, reserved: int) -> Fraction:
    """The same without collateral, as it is published: f = BM / (BM - MtM d - R (1 - d)), with BM =
    equity - (80% + 20%) of W.
    """
    buffer_margin = at.equity - math.ceil(at.worst * (MAINTENANCE + BUFFER))
    if buffer_margin >= 0:
        return Fraction(0)
    return Fraction(
        Fraction(buffer_margin), buffer_margin - at.equity * part - reserved * (1 - part)
    )


def after_selling(
    at: Standing, risk: int, worth: Fraction, sold: Fraction, part: Fraction
) -> Fraction:
    """The buffer margin that is left when the share `sold` went for `part` of `worth`, if lots
    could be divided and W fell in proportion.
    """
    equity = at.equity - sold * (1 - part) * worth
    return equity - (at.worst - sold * risk) * (MAINTENANCE + BUFFER)


def insolvent_gain(at: Standing, risk: int, sold: int, elapsed_s: Fraction) -> Fraction:
    """What whoever takes the whole gains once the fund pays: from what there is, or lacks, to what
    the positions ask of W.
    """
    least = min(at.equity, risk) if at.equity >= 0 else min(sold, 0)
    return least + (risk - least) * min(elapsed_s / INSOLVENT_S, Fraction(1))


# DELEVERAGING


def score(profit: int, equity: int, worst: int) -> tuple[int, Fraction]:
    """The higher comes first."""
    if equity <= 0:
        return 0, Fraction(0)
    if profit > 0:
        return 2, Fraction(profit, equity) * Fraction(worst, equity)
    return 1, Fraction(profit, max(worst, 1))


def shares_of(deficit: int, weights: Sequence[int], clamps: Sequence[int]) -> list[Fraction]:
    """A deficit laid on by weight, none above its clamp: water filled into vessels."""
    parts = [Fraction(0)] * len(weights)
    open_places = [at for at, clamp in enumerate(clamps) if clamp > 0 and weights[at] > 0]
    left = Fraction(deficit)
    while left > 0 and open_places:
        total = sum(weights[at] for at in open_places)
        rooms = [(clamps[at] - parts[at]) / weights[at] for at in open_places]
        rise = min(left / total, *rooms)
        for at in open_places:
            parts[at] += rise * weights[at]
        left -= rise * total
        open_places = [at for at in open_places if parts[at] < clamps[at]]
    return parts
