"""Black-76 in float: prices, Greeks and implied volatilities for people and for fits.

Conventions, those of Deribit's published Greeks: on the forward, r = 0, a year of 365 days; vega
per volatility point; theta what a day takes, or the rest of the life where that is shorter, and
never more than the price; rho per percentage point. Volatilities are fractions (0.70 is 70%);
prices are in the unit of forward and strike. Everything takes numbers or arrays and broadcasts.

Holds: no exception for any positive forward and strike; an implied volatility that does not exist
is nan.
Never: is imported by the engine's side.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx, ndtr  # pyright: ignore

from matching.instruments import CALL

Floats = NDArray[np.float64]

DAYS_PER_YEAR: Final = 365.0
SECONDS_PER_YEAR: Final = DAYS_PER_YEAR * 86_400.0

_ROOT_2: Final = float(np.sqrt(2.0))
_ROOT_2PI: Final = float(np.sqrt(2.0 * np.pi))
_LARGEST_DEVIATION: Final = 20.0
_ITERATIONS: Final = 64


class Greeks(NamedTuple):
    """What an option is worth and how that moves; units above."""

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats


def greeks(
    kind: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    volatility: ArrayLike,
    years: ArrayLike,
) -> Greeks:
    """Price and Greeks of calls and puts; at zero volatility or time, their limits."""
    f, strike, is_call = _floats(forward), _floats(strike), np.asarray(kind) == CALL
    volatility, years = _floats(volatility), np.maximum(_floats(years), 0.0)
    root = np.sqrt(years)
    s = np.maximum(volatility * root, 1e-12)
    d1 = np.log(f / strike) / s + 0.5 * s
    d2 = d1 - s
    sign = np.where(is_call, 1.0, -1.0)
    density = np.exp(-0.5 * d1 * d1) / _ROOT_2PI
    n1, n2 = _normal(sign * d1), _normal(sign * d2)
    price = sign * (f * n1 - strike * n2)
    slope = f * density * root  # d price / d volatility
    decay = f * density * volatility / (2.0 * np.maximum(root, 1e-12) * DAYS_PER_YEAR)
    return Greeks(
        price=price,
        delta=sign * n1,
        gamma=density / (f * s),
        vega=slope / 100.0,
        theta=-np.minimum(decay * np.minimum(years * DAYS_PER_YEAR, 1.0), price),
        rho=sign * strike * years * n2 / 100.0,
    )


def option_price(
    kind: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    volatility: ArrayLike,
    years: ArrayLike,
) -> Floats:
    """Price of calls and puts."""
    return greeks(kind, forward, strike, volatility, years).price


def implied_volatility(
    kind: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    price: ArrayLike,
    years: ArrayLike,
) -> Floats:
    """The volatility at which `option_price` is `price`; nan where the price is not strictly
    between the intrinsic value and the largest possible one, or the option has no time left.

    Newton's steps on the logarithm of the out-of-the-money price, in which it is nearly linear,
    kept inside a bracket that each step narrows.
    """
    f, strike = _floats(forward), _floats(strike)
    is_call = np.asarray(kind) == CALL
    years, price = _floats(years), _floats(price)
    intrinsic = np.maximum(np.where(is_call, f - strike, strike - f), 0.0)
    largest = np.where(is_call, f, strike)
    possible = (price > intrinsic) & (price < largest) & (years > 0.0)
    x = np.broadcast_to(np.abs(np.log(f / strike)), possible.shape)
    outer = (price - intrinsic) / np.sqrt(f * strike)  # the out-of-the-money option's, by parity
    target = np.where(possible, outer, 0.5 * np.exp(-0.5 * x))
    s = _solve(x, np.log(target))
    return np.where(possible, s / np.sqrt(np.where(possible, years, 1.0)), np.nan)


def _solve(x: Floats, ln_target: Floats) -> Floats:
    """The deviation at which the out-of-the-money option has this log price."""
    low = np.full(x.shape, 1e-9)
    high = np.full(x.shape, _LARGEST_DEVIATION)
    s = np.clip(np.sqrt(2.0 * x), 1e-3, 3.0)  # where the price bends from convex to concave
    for _ in range(_ITERATIONS):
        ln_price, slope = _ln_price(x, s)
        is_above = ln_price > ln_target
        low, high = np.where(is_above, low, s), np.where(is_above, s, high)
        with np.errstate(all="ignore"):
            step = s + (ln_target - ln_price) / slope
        is_inside = (step > low) & (step < high)
        following = np.where(is_inside, step, 0.5 * (low + high))
        if bool(np.all(np.abs(following - s) <= 1e-15 + 4e-16 * s)):
            return following
        s = following
    return s


def _ln_price(x: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Log of the out-of-the-money price over sqrt(F K), and its slope in s.

    e^(-(h^2 + t^2) / 2) (erfcx(-(h + t) / sqrt 2) - erfcx(-(h - t) / sqrt 2)) / 2 with h = -x / s,
    t = s / 2: no cancellation far from the money (Jaeckel, Let's be rational, 2015, eq. 2.19).
    """
    h, t = -x / s, 0.5 * s
    with np.errstate(all="ignore"):
        difference = 0.5 * (_erfcx(-(h + t) / _ROOT_2) - _erfcx(-(h - t) / _ROOT_2))
        slope = 1.0 / (_ROOT_2PI * difference)
        return np.log(difference) - 0.5 * (h * h + t * t), slope


def _floats(value: ArrayLike) -> Floats:
    return np.asarray(value, dtype=np.float64)


def _normal(x: Floats) -> Floats:
    return np.asarray(ndtr(x), dtype=np.float64)


def _erfcx(x: Floats) -> Floats:
    return np.asarray(erfcx(x), dtype=np.float64)
