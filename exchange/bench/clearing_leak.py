"""How much of a book's true worst loss a grid of price moves misses.

A truth is the worst over moves of -18% to +18% by 0.1% and 11 volatilities between the lower and
the upper shock, in double precision, each option at its marked volatility (sticky by strike).
Beside it stand the grid of this exchange, by 1% with three volatilities, and one by 4.5%. Two kinds
of books from the shipped chain, lots drawn at random: up to twelve options, hedged to no delta with
the perpetual; and butterflies of the options of less than three days.

`missed` is 1 - the grid's worst loss / the true one, over the books whose true loss is more than a
tenth of a percent of the index for each lot.
Holds: the same seed gives the same books.
"""

import random
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange.snapshot_chain import fitted_marks, options_by_number, snapshot
from margin.analytics.black76_float import SECONDS_PER_YEAR, greeks, option_price
from margin.analytics.mark_greeks import mark_volatility
from margin.fixed_point import ln_q30
from margin.parameters import SCAN_WIDTH_PERCENT, VOL_DOWN_PERCENT, VOL_UP_PERCENT
from margin.scenarios import shock_factors_q30

Floats = NDArray[np.float64]

STEPS: Final = 10 * SCAN_WIDTH_PERCENT
"""Of 0.1%, to each side."""
VOLATILITIES: Final = 11
COARSE_E1: Final = 45
"""The other grid's step, in tenths of a percent."""
LEAST_LOSS: Final = 1e-3
NEAR_S: Final = 3 * 86_400


class Leak(NamedTuple):
    """Shares of the true worst loss that are missed, of each book: by 1% steps and by 4.5%."""

    fine: Floats
    coarse: Floats


class Prices(NamedTuple):
    """What one lot of every option gains at every move and volatility: [options, moves,
    volatilities]; deltas, the index, and options of the same expiry and kind in order of strike.
    """

    gains: Floats
    deltas: Floats
    index_usd: float
    ladders: list[tuple[float, list[int]]]


def price_all(options_limit: int | None = None) -> Prices:
    """Of the first so many options of the chain (None: all)."""
    time_s, marks = snapshot().time_s, fitted_marks()
    moves = 1 + np.arange(-STEPS, STEPS + 1) / 1000
    gains: list[Floats] = []
    deltas: list[float] = []
    ladders: dict[tuple[int, int], list[int]] = {}
    seconds: dict[int, int] = {}
    for number, (expiry, option) in enumerate(options_by_number()):
        if number == options_limit:
            break
        mark, left_s = marks[expiry], option.expiry_time_s - time_s
        years = left_s / SECONDS_PER_YEAR
        forward = mark.forward_micro / 1e4
        volatility = mark_volatility([ln_q30(option.strike_micro)], mark, left_s)[0]
        f = (shock_factors_q30(left_s)[0] / 2**30 - 1) / (VOL_UP_PERCENT / 100)
        way = np.linspace(-1, 1, VOLATILITIES)
        shocks = 1 + f * np.where(way > 0, way * VOL_UP_PERCENT, way * VOL_DOWN_PERCENT) / 100
        strike = float(option.strike_usd)
        prices = option_price(
            option.kind, forward * moves[:, None], strike, volatility * shocks[None, :], years
        )
        now = greeks(option.kind, forward, strike, volatility, years)
        gains.append(prices - float(now.price))
        deltas.append(float(now.delta))
        ladders.setdefault((expiry, option.kind), []).append(number)
        seconds[expiry] = left_s
    return Prices(
        np.array(gains),
        np.array(deltas),
        float(snapshot().index_usd),
        [(seconds[expiry], ladder) for (expiry, _), ladder in ladders.items()],
    )


def hedged_books(prices: Prices, books: int, seed: int = 5) -> Leak:
    """Random options, and the perpetual against their delta."""
    dice = random.Random(seed)
    count = len(prices.gains)
    linear = prices.index_usd * np.arange(-STEPS, STEPS + 1)[:, None] / 1000
    leaks: list[tuple[float, float]] = []
    while len(leaks) < books:
        chosen = dice.sample(range(count), min(dice.randint(2, 12), count))
        lots = np.array([dice.randint(1, 20) * dice.choice((-1, 1)) for _ in chosen], dtype=float)
        hedge = -float(lots @ prices.deltas[chosen])
        gains = np.tensordot(lots, prices.gains[chosen], 1) + hedge * linear
        leak = _leak(gains, prices.index_usd * float(np.abs(lots).sum()))
        if leak is not None:
            leaks.append(leak)
    return _collected(leaks)


def near_butterflies(prices: Prices, books: int, seed: int = 6) -> Leak:
    """One option bought on each side of two sold, or the reverse, of one near expiry."""
    dice = random.Random(seed)
    ladders = [ladder for left_s, ladder in prices.ladders if left_s < NEAR_S and len(ladder) > 2]
    leaks: list[tuple[float, float]] = []
    for _ in range(100 * books):
        ladder = dice.choice(ladders)
        width = dice.randint(1, min(3, (len(ladder) - 1) // 2))
        middle = dice.randrange(width, len(ladder) - width)
        way = dice.choice((-1.0, 1.0))
        chosen = [ladder[middle - width], ladder[middle], ladder[middle + width]]
        gains = np.tensordot(np.array([way, -2 * way, way]), prices.gains[chosen], 1)
        leak = _leak(gains, prices.index_usd)
        if leak is not None:
            leaks.append(leak)
        if len(leaks) == books:
            break
    return _collected(leaks)


def _leak(gains: Floats, notional: float) -> tuple[float, float] | None:
    """What both grids miss; None where there is nothing to lose."""
    true_loss = -float(gains.min())
    if true_loss <= LEAST_LOSS * notional:
        return None
    three = (0, VOLATILITIES // 2, VOLATILITIES - 1)
    seen: list[float] = []
    for step in (10, COARSE_E1):
        rows = range(STEPS % step, 2 * STEPS + 1, step)
        seen.append(max(-float(gains[np.ix_(rows, three)].min()), 0.0))
    return 1 - seen[0] / true_loss, 1 - seen[1] / true_loss


def _collected(leaks: list[tuple[float, float]]) -> Leak:
    pairs = np.array(leaks)
    return Leak(pairs[:, 0], pairs[:, 1])
