"""Fits the smile of an expiry to its quotes and rounds it to the integers of a mark.

The raw SVI of docs/margin.md, 1.2 is described by its least variance v and the slopes L and R of
its wings (Gatheral & Jacquier 2014, arXiv:1204.0646, section 3): b = (L + R) / 2, rho = (R - L) /
(R + L), a = v - sigma sqrt(L R). Then the bounds that rule out static arbitrage at the edges are a
box: v >= 0, and 0 < L, R within Lee's (2004) bound on the slope of total variance, b (1 + |rho|)
<= 2. (The 4 that is sometimes seen bounds SSVI's theta phi (1 + |rho|), and theta phi is 2 b.)

Holds: a fitted mark is within the bounds of the door but for strikes too far for any smile
(`svi.check_marks` has the last word); the same quotes give the same fit on one machine.
Never: is imported by the engine's side; fails for want of quotes, as long as there is one
volatility.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares  # pyright: ignore

from margin.analytics.black76_float import SECONDS_PER_YEAR, greeks
from margin.analytics.chain import Chain, ExpiryQuotes, OptionQuote
from margin.svi import ExpiryMark, has_least_variance
from matching.instruments import CALL

Floats = NDArray[np.float64]

_Q30: Final = float(1 << 30)
_STEEPEST: Final = 1.25
_WIDEST: Final = 1.55
"""Times the slope below 2, so that a = v - sigma sqrt(L R) fits i32."""
_FARTHEST: Final = 1.9
"""Largest |m| and least variance, for the same reason."""
_PRIOR_WEIGHT: Final = 0.02
"""Pull towards an ordinary smile, in half-spreads: nothing where quotes speak, all where none do.
Without it a short expiry's quotes are met as well by hyperbolas whose vertex is far outside."""
_FEW: Final = 5
_MARK_HALF_SPREAD: Final = 0.05


class Smile(NamedTuple):
    """Raw SVI by its least variance, the slopes of its wings, its centre and its width."""

    least_variance: float
    left_slope: float
    right_slope: float
    m: float
    sigma: float

    def total_variance(self, k: Floats) -> Floats:
        """w(k), at least a tiny positive number."""
        least, left, right, m, sigma = self
        d = k - m
        root = np.sqrt(d * d + sigma * sigma)
        w = least + 0.5 * ((right - left) * d + (right + left) * root)
        return np.maximum(w - sigma * np.sqrt(left * right), 1e-14)

    def slopes(self, k: Floats) -> Floats:
        """Derivatives of w(k) in the five parameters: float64[points, 5]."""
        _, left, right, m, sigma = self
        d = k - m
        root = np.sqrt(d * d + sigma * sigma)
        mean = np.sqrt(left * right)
        return np.stack(
            [
                np.ones_like(k),
                0.5 * (root - d - sigma * right / mean),
                0.5 * (root + d - sigma * left / mean),
                0.5 * (left - right - (left + right) * d / root),
                0.5 * (left + right) * sigma / root - mean,
            ],
            axis=1,
        )

    def butterfly(self, k: Floats) -> Floats:
        """Durrleman's g(k): the smile is free of butterfly arbitrage where it is not negative
        (Gatheral & Jacquier 2014, eq. 2.1).
        """
        _, left, right, m, sigma = self
        d = k - m
        root = np.sqrt(d * d + sigma * sigma)
        w = self.total_variance(k)
        first = 0.5 * (right - left + (left + right) * d / root)
        second = 0.5 * (left + right) * sigma**2 / root**3
        edge = 1.0 - k * first / (2.0 * w)
        return edge * edge - 0.25 * first * first * (1.0 / w + 0.25) + 0.5 * second

    def rounded(self, forward_micro: int) -> ExpiryMark:
        """The mark in integers; a is raised by what rounding has taken from the least variance."""
        least, left, right, m, sigma = self
        mark = ExpiryMark(
            forward_micro=forward_micro,
            a=round((least - sigma * float(np.sqrt(left * right))) * _Q30),
            b=round(0.5 * (left + right) * _Q30),
            rho=round((right - left) / (right + left) * _Q30),
            m=round(m * _Q30),
            sigma=max(round(sigma * _Q30), 1),
        )
        while not has_least_variance(mark):
            mark = mark._replace(a=mark.a + 1)
        return mark


class Observed(NamedTuple):
    """Volatilities to be met: at log-moneyness k, within half a spread. Fractions."""

    k: Floats
    volatility: Floats
    half_spread: Floats


def fit_smile(observed: Observed, years: float) -> Smile:
    """The smile whose volatilities are nearest to the observed, counted in half-spreads, robustly
    (soft L1: beyond one half-spread an error counts linearly).
    """
    k, volatility, half_spread = observed
    at_the_money = float(volatility[np.argmin(np.abs(k))]) ** 2 * years
    typical = min(float(np.sqrt(at_the_money)), 1.0)
    scale = np.array([at_the_money, 0.3 * typical, 0.3 * typical, typical, typical])
    ordinary = np.array([0.8 * at_the_money, 0.3 * typical, 0.3 * typical, 0.0, typical])
    low = [0.0, 1e-9, 1e-9, max(float(k.min()) - typical, -_FARTHEST), 1e-5]
    high = [_FARTHEST, _STEEPEST, _STEEPEST, min(float(k.max()) + typical, _FARTHEST), _WIDEST]
    pull = np.diag(_PRIOR_WEIGHT / scale)[1:]

    def residuals(x: Floats) -> Floats:
        fitted = np.sqrt(Smile(*x).total_variance(k) / years)
        return np.concatenate([(fitted - volatility) / half_spread, pull @ (x - ordinary)])

    def jacobian(x: Floats) -> Floats:
        smile = Smile(*x)
        per_variance = 0.5 / (np.sqrt(smile.total_variance(k) * years) * half_spread)
        return np.concatenate([smile.slopes(k) * per_variance[:, None], pull])

    start = np.clip(ordinary, np.add(low, 1e-10), np.subtract(high, 1e-10))
    best = least_squares(  # pyright: ignore
        residuals,
        start,
        jac=jacobian,  # pyright: ignore
        bounds=(low, high),
        x_scale=scale,
        loss="soft_l1",
    )
    return Smile(*(float(x) for x in best.x))  # pyright: ignore


def observe(quotes: ExpiryQuotes, time_s: int) -> Observed:
    """The middle of bid and ask volatility of each two-sided out-of-the-money option; where these
    are few, Deribit's mark volatilities beside them, as loose.
    """
    years = (quotes.expiry_time_s - time_s) / SECONDS_PER_YEAR
    outer = [o for o in quotes.options if (o.kind == CALL) == (o.strike_usd >= o.forward_usd)]
    quoted = [o for o in outer if o.is_two_sided and o.bid_iv > 0 and o.ask_iv > 0]
    points = [
        (_k(o), 0.5 * (o.bid_iv + o.ask_iv), half_spread_usd(o) / _vega(o, years)) for o in quoted
    ]
    if len(points) < _FEW:
        points += [(_k(o), o.mark_iv, _MARK_HALF_SPREAD) for o in outer if o.mark_iv > 0]
    k, volatility, half_spread = np.array(points, dtype=np.float64).T
    return Observed(k, volatility, half_spread)


def fit_expiry(quotes: ExpiryQuotes, time_s: int) -> ExpiryMark:
    """The mark of an expiry of the snapshot."""
    years = (quotes.expiry_time_s - time_s) / SECONDS_PER_YEAR
    return fit_smile(observe(quotes, time_s), years).rounded(quotes.forward_micro)


def fit_chain(chain: Chain) -> dict[int, ExpiryMark]:
    """The marks of the snapshot, by expiry time in Unix seconds."""
    return {e.expiry_time_s: fit_expiry(e, chain.time_s) for e in chain.expiries}


def half_spread_usd(option: OptionQuote) -> float:
    """Half of ask less bid, at least a tick, USDC per BTC."""
    return max(0.5 * (option.ask_ticks - option.bid_ticks), 1.0)


def _k(option: OptionQuote) -> float:
    return float(np.log(option.strike_usd / option.forward_usd))


def _vega(option: OptionQuote, years: float) -> float:
    """Of one whole unit of volatility, at the middle of bid and ask."""
    middle = 0.5 * (option.bid_iv + option.ask_iv)
    vega = greeks(option.kind, option.forward_usd, option.strike_usd, middle, years).vega
    return max(100.0 * float(vega), 1e-6)
