"""A delta-hedged short straddle of the shipped chain as its expiry nears: what the scan asks, and
what the charge for vanna and charm asks before.

Holds: the week's smile, its variance in proportion to the time that is left; half a bitcoin of each
leg, struck next to the forward, and as much of its future as takes their delta away.
Never: is imported by the engine's side.
"""

from typing import Final, NamedTuple

import numpy as np

from margin.analytics.chain import load_chain
from margin.analytics.svi_fit import fit_chain
from margin.charges import VANNA_CHARM, Features, Sums, TermRates
from margin.features import basis_e6, charm_e6, linear_delta, option_features, roll_e6
from margin.fixed_point import ln_q30
from margin.rows import price_expiry, price_linear
from margin.svi import ExpiryMark
from matching.instruments import CALL, PUT

DAY_S: Final = 86_400
LOTS: Final = 50
WEEK: Final = 4
"""The chain's expiry eight days out."""
_STRIKE_STEP: Final = 10**7


class Nearing(NamedTuple):
    """What is asked so many days before the expiry, micro-USDC."""

    scan_micro: int
    vanna_charm_micro: int


def nearing(days: float) -> Nearing:
    """Of the straddle, hedged now."""
    chain = load_chain()
    week = chain.expiries[WEEK]
    whole, left_s = week.expiry_time_s - chain.time_s, round(days * DAY_S)
    fitted, part = fit_chain(chain)[week.expiry_time_s], left_s / whole
    forward, root = fitted.forward_micro, part**0.5
    mark = ExpiryMark(
        forward,
        int(fitted.a * part),
        int(fitted.b * root),
        fitted.rho,
        int(fitted.m * root),
        int(fitted.sigma * root),
    )
    strike = forward // _STRIKE_STEP * _STRIKE_STEP
    logs = [ln_q30(strike)] * 2
    strikes = np.array([strike] * 2, dtype=np.int64)
    kinds = np.array([CALL, PUT], dtype=np.int64)
    prices, rows = price_expiry(kinds, strikes, np.array(logs, dtype=np.int64), mark, left_s)
    features = option_features(prices[:, None] + rows, logs, mark).sum(axis=0).tolist()
    future = price_linear(forward)
    hedge = round(LOTS * features[0] / linear_delta(future))
    gains = -LOTS * rows.sum(axis=0) + hedge * future
    sums = Sums()
    sums.move(Features(0, -1, True, features), 0, -LOTS, 0)
    rates = {0: TermRates(roll_e6(left_s), basis_e6(left_s), charm_e6(left_s))}
    return Nearing(-int(gains.min()), sums.charges_micro(rates, forward)[VANNA_CHARM])
