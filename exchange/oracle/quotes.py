"""The door of quotes: option prices of a venue become smiles, or are turned away with a reason.

Holds: what passes is finite, positive and not crossed; a quote that does not is dropped and counted
under its reason; an expiry with too few left is left out; without an index or any expiry there is
no snapshot, but a reason for its absence.
Never: guesses a price; is imported by the engine's side.
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from exchange.oracle.feed import Silence, Smile, Snapshot
from margin.analytics.black76_float import (
    SECONDS_PER_YEAR,
    greeks,
    implied_volatility,
    option_price,
)
from margin.analytics.svi_fit import Observed, fit_smile
from matching.instruments import CALL, PUT

FEWEST: Final = 5
"""Fewer two-sided quotes out of the money fix no smile of five parameters."""
_LEAST_HALF_SPREAD: Final = 5e-4
_ONE_Q30: Final = 1 << 30

NOT_FINITE: Final = "not finite"
NOT_POSITIVE: Final = "zero or negative"
CROSSED: Final = "crossed"
IMPOSSIBLE: Final = "outside of what any volatility gives"


class OptionPrice(NamedTuple):
    """An option as a venue quotes it, USD per unit."""

    kind: int
    strike_usd: float
    bid_usd: float
    ask_usd: float


class ExpiryPrices(NamedTuple):
    expiry_time_s: int
    forward_usd: float
    options: tuple[OptionPrice, ...]


class Prices(NamedTuple):
    """All of an underlying at one moment."""

    underlying: str
    time_s: int
    index_usd: float
    expiries: tuple[ExpiryPrices, ...]


class Passed(NamedTuple):
    """What came through the door: a snapshot, or a silence; and what was turned away, by reason."""

    moment: Snapshot | Silence
    turned_away: dict[str, int]


def quote_fault(option: OptionPrice) -> str:
    """What is wrong with a quote in itself; empty where nothing is."""
    values = (option.strike_usd, option.bid_usd, option.ask_usd)
    if not all(math.isfinite(value) for value in values):
        return NOT_FINITE
    if min(values) <= 0.0:
        return NOT_POSITIVE
    return CROSSED if option.bid_usd > option.ask_usd else ""


def pass_prices(prices: Prices) -> Passed:
    """Fits what can be fitted of a venue's prices."""
    turned_away: dict[str, int] = {}
    if not (math.isfinite(prices.index_usd) and prices.index_usd > 0.0):
        silence = Silence(prices.underlying, prices.time_s, "the index is no positive number")
        return Passed(silence, turned_away)
    smiles: list[Smile] = []
    for expiry in sorted(prices.expiries):
        forward = expiry.forward_usd
        if expiry.expiry_time_s <= prices.time_s:
            _count(turned_away, "expired")
        elif not (math.isfinite(forward) and forward > 0.0):
            _count(turned_away, "a forward that is no positive number")
        else:
            fitted = _fit(expiry, prices.time_s, turned_away)
            if fitted is None:
                _count(turned_away, "an expiry with too few quotes")
            else:
                smiles.append(fitted)
    if not smiles:
        reason = "no expiry can be fitted" if prices.expiries else "the chain is empty"
        return Passed(Silence(prices.underlying, prices.time_s, reason), turned_away)
    snapshot = Snapshot(prices.underlying, prices.time_s, prices.index_usd, tuple(smiles))
    return Passed(snapshot, turned_away)


def _count(turned_away: dict[str, int], reason: str) -> None:
    turned_away[reason] = turned_away.get(reason, 0) + 1


def _fit(expiry: ExpiryPrices, time_s: int, turned_away: dict[str, int]) -> Smile | None:
    """The smile of an expiry's quotes out of the money."""
    years = (expiry.expiry_time_s - time_s) / SECONDS_PER_YEAR
    forward = expiry.forward_usd
    points: list[tuple[float, float, float]] = []
    for option in expiry.options:
        fault = quote_fault(option)
        if fault:
            _count(turned_away, fault)
            continue
        if (option.kind == CALL) != (option.strike_usd >= forward):
            continue
        point = _point(option, forward, years)
        if point is None:
            _count(turned_away, IMPOSSIBLE)
        else:
            points.append(point)
    if len(points) < FEWEST:
        return None
    k, volatility, half_spread = np.array(points, dtype=np.float64).T
    mark = fit_smile(Observed(k, volatility, half_spread), years).rounded(1)
    return Smile(expiry.expiry_time_s, forward, (mark.a, mark.b, mark.rho, mark.m, mark.sigma))


def _point(
    option: OptionPrice, forward_usd: float, years: float
) -> tuple[float, float, float] | None:
    """Log-moneyness, volatility of the middle, and half the spread in volatility."""
    strike, middle = option.strike_usd, 0.5 * (option.bid_usd + option.ask_usd)
    volatility = float(implied_volatility(option.kind, forward_usd, strike, middle, years))
    if not (math.isfinite(volatility) and 1e-3 < volatility < 10.0):
        return None
    vega = 100.0 * float(greeks(option.kind, forward_usd, strike, volatility, years).vega)
    half_spread = 0.5 * (option.ask_usd - option.bid_usd) / max(vega, 1e-9)
    return math.log(strike / forward_usd), volatility, max(half_spread, _LEAST_HALF_SPREAD)


def prices_of(snapshot: Snapshot, spread: float = 0.02, strikes: int = 21) -> Prices:
    """Quotes that a venue could show for a snapshot: at strikes within three deviations of each
    forward, `spread` of the volatility to either side of the smile.
    """
    expiries = tuple(
        ExpiryPrices(
            smile.expiry_time_s, smile.forward_usd, tuple(_quotes(snapshot, smile, spread, strikes))
        )
        for smile in snapshot.smiles
    )
    return Prices(snapshot.underlying, snapshot.time_s, snapshot.index_usd, expiries)


def _quotes(snapshot: Snapshot, smile: Smile, spread: float, strikes: int) -> Iterator[OptionPrice]:
    a, b, rho, m, sigma = (value / _ONE_Q30 for value in smile.svi)
    years = (smile.expiry_time_s - snapshot.time_s) / SECONDS_PER_YEAR

    def deviation(k: float) -> float:
        return math.sqrt(max(a + b * (rho * (k - m) + math.hypot(k - m, sigma)), 1e-12))

    reach = 3.0 * deviation(0.0)
    for at in range(strikes):
        k = reach * (2.0 * at / (strikes - 1) - 1.0)
        strike = smile.forward_usd * math.exp(k)
        kind = CALL if k >= 0.0 else PUT
        volatility = deviation(k) / math.sqrt(years)
        bid, ask = (
            float(option_price(kind, smile.forward_usd, strike, volatility * side, years))
            for side in (1.0 - spread, 1.0 + spread)
        )
        yield OptionPrice(kind, strike, bid, ask)
