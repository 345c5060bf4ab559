"""A feed of made-up markets: correlated paths with jumps, and surfaces that move with them.

The index follows Bates (1996): d ln I = -v/2 dt + sqrt(v) dW + jumps, d v = kappa (theta - v) dt +
xi sqrt(v) dZ, W and Z correlated; jumps come alone, and together in all underlyings (Merton 1976
with a common factor); a jump also lifts the variance. The surface is SSVI with phi = eta /
sqrt(theta (1 + theta)), eta (1 + |rho|) <= 2, which has neither butterfly nor calendar arbitrage
(Gatheral & Jacquier 2014, arXiv:1204.0646, eq. 4.1, corollary 4.1 and remark 4.4); its theta(T) is
the expected variance until T.

Holds: the same seed and terms give the same moments to the last bit on one machine; a smile is
never without variance or slope bounds.
Never: reads a clock, or the global random numbers.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from exchange.oracle.feed import Silence, Smile, Snapshot
from margin.analytics.black76_float import SECONDS_PER_YEAR

_Q30: Final = float(1 << 30)
_MOST_VARIANCE: Final = 6.25
_LEAST_VARIANCE: Final = 0.01
_MOST_SHAPED: Final = 1.6
"""Beyond so much total variance the shape stays, or sigma would leave its bound; theta phi (1 +
|rho|) < 4 and theta phi^2 (1 + |rho|) <= 4 (the paper's theorem 4.2) hold on for the skews here up
to a theta of 6."""
DAY_S: Final = 86_400
TERMS_S: Final = tuple(days * DAY_S for days in (1, 2, 7, 14, 30, 60, 90, 180, 270, 365))


class Dynamics(NamedTuple):
    """How one underlying moves; rates and variances per year of 365 days."""

    underlying: str
    index_usd: float
    variance: float = 0.25
    long_run_variance: float = 0.25
    reversion: float = 6.0
    variance_of_variance: float = 1.2
    leverage: float = -0.4
    jump_rate: float = 12.0
    jump_mean: float = -0.01
    jump_deviation: float = 0.03
    carry: float = 0.05
    skew: float = -0.3
    steepness: float = 1.0


BTC: Final = Dynamics("BTC", 95_000.0)
ETH: Final = Dynamics("ETH", 3_300.0, variance=0.42, long_run_variance=0.42, skew=-0.25)


class Together(NamedTuple):
    """What underlyings have in common: the correlation of their Brownian motions (0 to 1), and
    jumps that come to all at once.
    """

    correlation: float = 0.8
    jump_rate: float = 6.0
    jump_mean: float = -0.03
    jump_deviation: float = 0.05


TOGETHER: Final = Together()


class SyntheticFeed:
    """Moments `step_s` apart from `start_s` on, for ever or for `steps`."""

    def __init__(
        self,
        seed: int,
        start_s: int,
        step_s: int = 5,
        steps: int | None = None,
        dynamics: Sequence[Dynamics] = (BTC, ETH),
        together: Together = TOGETHER,
        expiry_times_s: Sequence[int] | None = None,
    ) -> None:
        self._seed = seed
        self._start_s = start_s
        self._step_s = step_s
        self._steps = steps
        self._dynamics = tuple(dynamics)
        self._together = together
        self._expiries = sorted(expiry_times_s or [start_s + term for term in TERMS_S])

    def moments(self) -> Iterator[Snapshot | Silence]:
        """From the beginning, each time it is asked."""
        random = np.random.Generator(np.random.PCG64(self._seed))
        levels = [(d.index_usd, d.variance) for d in self._dynamics]
        step = 0
        while self._steps is None or step < self._steps:
            time_s = self._start_s + step * self._step_s
            for dynamics, (index, variance) in zip(self._dynamics, levels, strict=True):
                yield self._snapshot(dynamics, time_s, index, variance)
            levels = self._moved(random, levels)
            step += 1

    def _moved(
        self, random: np.random.Generator, levels: Sequence[tuple[float, float]]
    ) -> list[tuple[float, float]]:
        """Index and variance of each underlying a step later. Draws the same numbers whatever
        they are used for.
        """
        dt = self._step_s / SECONDS_PER_YEAR
        together = self._together
        shared = float(random.standard_normal())
        common = _jumps(
            random, together.jump_rate * dt, together.jump_mean, together.jump_deviation
        )
        moved: list[tuple[float, float]] = []
        for dynamics, (index, variance) in zip(self._dynamics, levels, strict=True):
            own, other = (float(z) for z in random.standard_normal(2))
            mean, deviation = dynamics.jump_mean, dynamics.jump_deviation
            jump = common + _jumps(random, dynamics.jump_rate * dt, mean, deviation)
            rho = together.correlation
            w = math.sqrt(rho) * shared + math.sqrt(1.0 - rho) * own
            z = dynamics.leverage * w + math.sqrt(1.0 - dynamics.leverage**2) * other
            growth = -0.5 * variance * dt + math.sqrt(variance * dt) * w + jump
            pull = dynamics.reversion * (dynamics.long_run_variance - variance) * dt
            shake = dynamics.variance_of_variance * math.sqrt(variance * dt) * z
            later = variance + pull + shake + 4.0 * abs(jump)
            later = min(max(later, _LEAST_VARIANCE), _MOST_VARIANCE)
            moved.append((index * math.exp(growth), later))
        return moved

    def _snapshot(
        self, dynamics: Dynamics, time_s: int, index_usd: float, variance: float
    ) -> Snapshot:
        smiles: list[Smile] = []
        for expiry_time_s in self._expiries:
            years = (expiry_time_s - time_s) / SECONDS_PER_YEAR
            if years > 0.0:
                forward = index_usd * math.exp(dynamics.carry * years)
                svi = ssvi(expected_variance(dynamics, variance, years), dynamics)
                smiles.append(Smile(expiry_time_s, forward, svi))
        return Snapshot(dynamics.underlying, time_s, index_usd, tuple(smiles))


def _jumps(random: np.random.Generator, expected: float, mean: float, deviation: float) -> float:
    """The sum of the jumps of a step, in logarithms."""
    count = int(random.poisson(expected))
    size = float(random.standard_normal())
    return count * mean + math.sqrt(count) * deviation * size


def expected_variance(dynamics: Dynamics, variance: float, years: float) -> float:
    """Total variance until then, rising with it: the integral of the reverting mean."""
    reverting = (1.0 - math.exp(-dynamics.reversion * years)) / dynamics.reversion
    long_run = dynamics.long_run_variance
    return long_run * (years - reverting) + variance * reverting


def ssvi(theta: float, dynamics: Dynamics) -> tuple[int, int, int, int, int]:
    """Raw SVI in Q30 of the slice with total variance `theta` at the money."""
    rho = dynamics.skew
    shaped = min(theta, _MOST_SHAPED)
    phi = dynamics.steepness / math.sqrt(shaped * (1.0 + shaped))
    root = math.sqrt(1.0 - rho * rho)
    return (
        math.ceil(0.5 * theta * root * root * _Q30),
        round(0.5 * theta * phi * _Q30),
        round(rho * _Q30),
        round(-rho / phi * _Q30),
        max(round(root / phi * _Q30), 1),
    )
