"""What a mark in integers says to people: implied volatility and Greeks, for tickers and reports.

Holds: the volatility is the one that the integer price is made of, so ticker and margin agree.
Never: is imported by the engine's side.
"""

import numpy as np
from numpy.typing import ArrayLike

from margin.analytics.black76_float import SECONDS_PER_YEAR, Floats, Greeks, greeks
from margin.fixed_point import ln_q30
from margin.svi import ExpiryMark, deviation_q30

_E8_PER_MICRO = 100.0  # a lot of 1e8 is one unit of the asset; 1e6 micro-USDC are one USDC


def mark_volatility(ln_strikes_q30: ArrayLike, mark: ExpiryMark, seconds_to_expiry: int) -> Floats:
    """Volatilities, as fractions per year, at strikes given by their `ln_q30`."""
    ln_forward = ln_q30(mark.forward_micro)
    strikes = np.atleast_1d(np.asarray(ln_strikes_q30, dtype=np.int64)).tolist()
    deviations = [deviation_q30(x - ln_forward, mark) / (1 << 30) for x in strikes]
    return np.array(deviations) / np.sqrt(max(seconds_to_expiry, 1) / SECONDS_PER_YEAR)


def mark_greeks(
    kinds: ArrayLike,
    strikes_micro: ArrayLike,
    mark: ExpiryMark,
    seconds_to_expiry: int,
    lot_e8: int,
) -> tuple[Floats, Greeks]:
    """Volatilities and Greeks of options, per whole unit of the asset and in USDC."""
    strikes = np.atleast_1d(np.asarray(strikes_micro, dtype=np.int64))
    volatility = mark_volatility(
        [ln_q30(strike) for strike in strikes.tolist()], mark, seconds_to_expiry
    )
    to_usdc = _E8_PER_MICRO / lot_e8
    years = max(seconds_to_expiry, 0) / SECONDS_PER_YEAR
    forward = mark.forward_micro * to_usdc
    return volatility, greeks(kinds, forward, strikes * to_usdc, volatility, years)
