"""How the markets of a simulation move: made-up paths with shocks laid over them, and a recorded
crash.

Holds: the same path and seed give the same moments to the last bit; a shock moves index and
forwards by one factor and total variances by another, so a smile without arbitrage stays one.
Never: knows an exchange.
"""

import random
from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

from exchange.oracle.feed import Silence, Snapshot
from exchange.oracle.file_feed import CRASH, FileFeed
from exchange.oracle.synthetic_feed import BTC, ETH, Dynamics, SyntheticFeed

Moment = tuple[Snapshot, ...]
"""All underlyings at one time, in the order of their numbers."""


class Shock(NamedTuple):
    """From `at_s` after the beginning on, within `over_s`, every price is multiplied by `factor`
    and every total variance by `variance`; over 0 seconds is a gap.
    """

    at_s: int
    over_s: int
    factor: float
    variance: float


class Silent(NamedTuple):
    """Nothing is marked, and nobody acts, from `at_s` for `for_s`: a weekend."""

    at_s: int
    for_s: int


class Path(NamedTuple):
    """A market: how wild it is by itself, what befalls it, and when it is silent."""

    name: str
    shocks: tuple[Shock, ...] = ()
    silences: tuple[Silent, ...] = ()
    jump_rate: float = 12.0
    variance: float = 0.25


PATHS: Final = {
    path.name: path
    for path in (
        Path("calm"),
        Path("fall", (Shock(900, 600, 0.8, 2.0),)),
        Path("crash", (Shock(900, 300, 0.68, 3.0), Shock(2_400, 900, 0.75, 1.2))),
        Path("abyss", (Shock(900, 0, 0.5, 4.0),)),
        Path("spike", (Shock(900, 120, 1.35, 2.5),)),
        Path("whipsaw", (Shock(900, 0, 0.75, 2.0), Shock(1_500, 60, 1.4, 1.0))),
        Path("weekend", (Shock(1_200, 0, 0.72, 2.5),), (Silent(1_200, 2 * 86_400),)),
        Path("jumps", (), (), 4_000.0, 0.6),
    )
}
RECORDED: Final = "february-2026"
STORM: Final = "storm"
NAMES: Final = (*PATHS, STORM, RECORDED)
_STORM_HOURS: Final = 24 * 31
_HOLD_STEPS: Final = 14
"""Steps for which a recorded moment is shown: some minutes in which accounts are liquidated."""


def storm(seed: int) -> Path:
    """A shock every two hours or so, up or down, at once or within minutes, for a month."""
    choose = random.Random(seed)
    shocks: list[Shock] = []
    at_s, level = 0, 1.0
    while at_s < _STORM_HOURS * 3_600:
        at_s += choose.randrange(3_600, 3 * 3_600)
        factor = choose.choice((0.7, 0.8, 0.85, 0.9, 1.1, 1.2, 1.35))
        if not 0.4 < level * factor < 2.0:  # it comes back
            factor = 1 / factor
        level *= factor
        variance = 1.8 if len(shocks) % 2 else 1 / 1.8
        shocks.append(Shock(at_s, choose.choice((0, 60, 300, 900)), factor, variance))
    return Path(STORM, tuple(shocks))


def start_of(name: str, usual_s: int) -> int:
    """When a path begins: a recording at its own time."""
    return next(iter(recorded()))[0].time_s if name == RECORDED else usual_s


def moments(name: str, seed: int, start_s: int, step_s: int) -> Iterator[Moment]:
    """The path's moments, `step_s` apart where it is not silent. A recording ends."""
    if name == RECORDED:
        for moment in recorded():
            for step in range(_HOLD_STEPS):
                later_s = moment[0].time_s + step * step_s
                yield tuple(seen._replace(time_s=later_s) for seen in moment)
        return
    path = storm(seed) if name == STORM else PATHS[name]
    wild = {"jump_rate": path.jump_rate, "variance": path.variance}
    dynamics: list[Dynamics] = [BTC._replace(**wild), ETH._replace(**wild)]
    feed = SyntheticFeed(seed, start_s, step_s, dynamics=dynamics)
    for _, group in groupby(feed.moments(), lambda seen: seen.time_s):
        seen = tuple(one for one in group if not isinstance(one, Silence))
        at_s = seen[0].time_s - start_s
        late_s = sum(silence.for_s for silence in path.silences if silence.at_s <= at_s)
        yield tuple(_shocked(one, path.shocks, at_s, late_s) for one in seen)


def _shocked(seen: Snapshot, shocks: tuple[Shock, ...], at_s: int, late_s: int) -> Snapshot:
    factor = variance = 1.0
    for shock in shocks:
        if at_s >= shock.at_s:
            share = min((at_s - shock.at_s) / shock.over_s, 1.0) if shock.over_s else 1.0
            factor *= shock.factor**share
            variance *= shock.variance**share
    smiles = tuple(
        smile._replace(
            expiry_time_s=smile.expiry_time_s + late_s,
            forward_usd=smile.forward_usd * factor,
            svi=(
                round(smile.svi[0] * variance) + 1,
                round(smile.svi[1] * variance),
                *smile.svi[2:],
            ),
        )
        for smile in seen.smiles
    )
    return seen._replace(
        time_s=seen.time_s + late_s, index_usd=seen.index_usd * factor, smiles=smiles
    )


def _lifted(svi: tuple[int, int, int, int, int], by: float) -> tuple[int, int, int, int, int]:
    a, b, rho, m, sigma = svi
    return round(a * by) + 1, round(b * by), rho, m, sigma  # up: variance stays above zero


def recorded() -> Iterator[Moment]:
    """The crash of February 2026, BTC and ETH of a moment together."""
    feed = FileFeed(CRASH).moments()
    for _, group in groupby(feed, lambda seen: seen.time_s):
        yield tuple(one for one in group if not isinstance(one, Silence))
