"""The slow twin of integer pricing: docs/margin.md read aloud, with exact fractions and mpmath.

Two of them. `real_value` and what stands with it are Black-76, SVI and the shocks over real numbers
(40 digits): what the integers approximate. The rest is the integer rule itself, each rounding
written as that of an exact number, without series or tricks: what the integers must be.

    python -m tests.model.pricing        writes tests/data/pricing_vectors.json
"""

import json
import random
from fractions import Fraction
from functools import cache
from math import floor, isqrt
from pathlib import Path
from typing import Any

import mpmath

Smile = tuple[int, int, int, int, int]
"""a, b, rho, m, sigma over 2^30."""

VECTORS = Path(__file__).parent.parent / "data" / "pricing_vectors.json"
CALL, PUT = 2, 3
ONE = 1 << 30
DAY = 86_400

MOVES = [(move, shock) for move in range(-18, 19) for shock in ("up", "same", "down")]
TAILS = [(move, "up") for move in (-66, -33, 50, 100, 200, 300, 400, 500)]
SCENARIOS = MOVES + TAILS


def half_up(exact: Fraction) -> int:
    """To nearest, half up."""
    return floor(exact + Fraction(1, 2))


# THE RULE


@cache
def ln_q30(number: int) -> int:
    with mpmath.workdps(60):
        return int(mpmath.floor(mpmath.log(number) * ONE + mpmath.mpf(1) / 2))


def exp_q30(exponent_q62: int) -> int:
    with mpmath.workdps(60):
        return int(mpmath.floor(mpmath.exp(mpmath.mpf(exponent_q62) / 2**62) * ONE))


@cache
def node(j: int) -> tuple[int, int]:
    """N in Q40 and the density in Q32 at j / 128."""
    with mpmath.workdps(60):
        x = mpmath.mpf(abs(j)) / 128
        tail = int(mpmath.nint(mpmath.ncdf(-x) * 2**40))
        return tail if j < 0 else 2**40 - tail, int(mpmath.nint(mpmath.npdf(x) * 2**32))


def normal_q29(x_q30: int) -> int:
    x = Fraction(x_q30, ONE)
    if abs(x) > 8:
        return 0 if x < 0 else 1 << 29
    j = half_up(x * 128)
    x0 = Fraction(j, 128)
    h = x - x0
    below, density = node(j)
    slope = floor(x0 * h * ONE)
    curve = floor(Fraction(slope**2 - (h * ONE) ** 2, 2**20))
    factor = ONE - floor(Fraction(slope, 2)) + floor(curve * Fraction(43_691, 2**18) / 2**10)
    step = floor(h * factor * 2**8)
    rise = floor(Fraction(density, 2**32) * Fraction(step, 2**38) * 2**40)
    return half_up(Fraction(below + rise, 2**11))


def deviation_q30(k: int, smile: Smile) -> int:
    a, b, rho, m, sigma = smile
    d = k - m
    w = a * ONE + b * (floor(Fraction(rho * d, ONE)) + isqrt(d**2 + sigma**2))
    return max(isqrt(max(w, 0)), 1)


@cache
def shock_q30(seconds: int) -> dict[str, int]:
    days = mpmath.mpf(max(seconds, DAY)) / DAY
    with mpmath.workdps(60):
        power = mpmath.mpf(30 if days <= 30 else 13) / 100
        f = int(mpmath.floor((30 / days) ** power * ONE))
    return {"up": ONE + floor(Fraction(f, 2)), "same": ONE, "down": ONE - f * 30 // 100}


def call_micro(forward: int, strike: int, k: int, s: int) -> int:
    d1 = floor(Fraction(-k * ONE, s)) + floor(Fraction(s, 2))
    exact = Fraction(forward * normal_q29(d1) - strike * normal_q29(d1 - s), 2**29)
    return min(max(half_up(exact), forward - strike, 0), forward)


def scenario_value(
    kind: int, strike: int, forward: int, smile: Smile, seconds: int, scenario: int
) -> int:
    """Value of one lot in a scenario, undamped."""
    if seconds <= 0:
        return max(forward - strike if kind == CALL else strike - forward, 0)
    move, shock = SCENARIOS[scenario]
    k = ln_q30(strike) - ln_q30(forward)
    s = max(deviation_q30(k, smile) * shock_q30(seconds)[shock] >> 30, 1)
    moved = half_up(Fraction(forward * (100 + move), 100))
    call = call_micro(moved, strike, k - ln_q30(100 + move) + ln_q30(100), s)
    return call if kind == CALL else call + strike - moved


def scenario_profit(
    kind: int, strike: int, forward: int, smile: Smile, seconds: int, scenario: int
) -> int:
    option = (kind, strike, forward, smile, seconds)
    return damped(scenario_value(*option, scenario) - scenario_value(*option, 55), scenario)


def damped(gain: int, scenario: int) -> int:
    if scenario < len(MOVES):
        return gain
    return half_up(gain * Fraction(77 * 18, 100 * abs(SCENARIOS[scenario][0])))


def linear_profit(reference: int, scenario: int) -> int:
    moved = half_up(Fraction(reference * (100 + SCENARIOS[scenario][0]), 100))
    return damped(moved - reference, scenario)


def is_within_bounds(forward: int, smile: Smile, strikes: list[int]) -> bool:
    """The door of docs/protocol.md, 7, with the least variance compared to 50 digits."""
    a, b, rho, _, sigma = smile
    if not (0 < forward * 6 < 2**34 and b >= 0 and abs(rho) <= ONE and sigma > 0):
        return False
    if not all(-(2**31) <= x < 2**31 for x in smile):
        return False
    with mpmath.workdps(50):
        if a + mpmath.mpf(b) * sigma / ONE * mpmath.sqrt(1 - (mpmath.mpf(rho) / ONE) ** 2) < 0:
            return False
    ks = [ln_q30(strike) - ln_q30(forward) for strike in strikes]
    return all(abs(k) <= 6 * ONE and deviation_q30(k, smile) * 2 < 3 * ONE for k in ks)


# REAL NUMBERS


def real_deviation(strike: int, forward: int, smile: Smile) -> Any:
    a, b, rho, m, sigma = (mpmath.mpf(x) / ONE for x in smile)
    d = mpmath.log(mpmath.mpf(strike) / forward) - m
    w = a + b * (rho * d + mpmath.sqrt(d * d + sigma * sigma))
    return mpmath.sqrt(w) if w > 0 else mpmath.mpf(0)


def real_call(forward: Any, strike: int, s: Any) -> Any:
    if s < mpmath.mpf(10) ** -12:
        return max(forward - strike, mpmath.mpf(0))
    d1 = mpmath.log(mpmath.mpf(forward) / strike) / s + s / 2
    return forward * mpmath.ncdf(d1) - strike * mpmath.ncdf(d1 - s)


def real_value(
    kind: int, strike: int, forward: int, smile: Smile, seconds: int, scenario: int
) -> Any:
    """What `scenario_value` approximates, without any rounding."""
    with mpmath.workdps(40):
        move, shock = SCENARIOS[scenario]
        days = mpmath.mpf(max(seconds, DAY)) / DAY
        f = (30 / days) ** (mpmath.mpf(30 if days <= 30 else 13) / 100)
        factor = {"up": 1 + f / 2, "same": mpmath.mpf(1), "down": 1 - 3 * f / 10}[shock]
        moved = mpmath.mpf(forward) * (100 + move) / 100
        call = real_call(moved, strike, real_deviation(strike, forward, smile) * factor)
        return call if kind == CALL else call + strike - moved


# VECTORS


def smile_q30(a: float, b: float, rho: float, m: float, sigma: float) -> Smile:
    return (round(a * ONE), round(b * ONE), round(rho * ONE), round(m * ONE), round(sigma * ONE))


PLAIN = smile_q30(0.01, 0.1, -0.3, 0.0, 0.2)
SLOPING = smile_q30(0.3, 0.1, 0.5, -0.5, 1.0)
# Forward in micro-USDC per lot, smile, seconds to expiry.
SMILES: dict[str, tuple[int, Smile, int]] = {
    "eight hours": (955_915_600, smile_q30(-0.0003, 0.014, -0.45, -0.0135, 0.03), 29_282),
    "two weeks": (957_648_500, smile_q30(-0.042, 0.1077, 0.1, 0.083, 0.4445), 1_238_882),
    "thirty days": (1_000_000_000, PLAIN, 30 * DAY),
    "a second more": (1_000_000_000, PLAIN, 30 * DAY + 1),
    "a year": (1_003_027_000, smile_q30(-0.137, 0.263, -0.167, 0.1, 1.3), 29_664_482),
    "no variance": (955_915_600, (0, 0, 0, 0, 1), 7 * DAY),
    "a kink": (955_915_600, smile_q30(0.0, 0.01, 1.0, 0.0, 2.0**-30), 7 * DAY),
    "below nothing": (955_915_600, (-118_953_637, 2_067_069_494, -731_888_017, 0, 84_447_698), DAY),
    "nothing, at large": (((1 << 34) - 1) // 6, (0, 0, 0, 0, 1), 7 * DAY),
    "almost too wide": (955_915_600, smile_q30(1.999, 0.25, 0.0, 0.0, 1.0), 7 * DAY),
    "largest forward": (((1 << 34) - 1) // 6, SLOPING, DAY),
    "smallest forward": (1, SLOPING, DAY),
    "expired": (955_915_600, PLAIN, 0),
    "last second": (955_915_600, smile_q30(1e-6, 0.001, 0.0, 0.0, 0.001), 1),
}
FEW_STRIKES = (0.003, 0.3, 0.82, 0.99, 1.0, 1.01, 1.18, 3.0, 390.0)


def vectors() -> dict[str, Any]:
    """Arguments and results, edges first."""
    dice = random.Random(20_260_115)
    numbers = [1, 2, 3, 99, 100, 101, 2**34 - 1, 2**34, 2**96 - 1, DAY, 30 * DAY, 955_915_600]
    numbers += [dice.randrange(1, 1 << dice.randrange(1, 96)) for _ in range(60)]
    exponents = [0, 1, -1, 4 * 2**62 - 1, -4 * 2**62, 3_196_577_161_300_663_915]
    exponents += [dice.randrange(-4 << 62, 4 << 62) for _ in range(40)]
    step = 1 << 23
    arguments = [0, 1, -1, 8 * ONE, -8 * ONE, 8 * ONE - 1, step // 2 - 1, step // 2, -step // 2]
    arguments += [round(dice.gauss(0, 2) * ONE) for _ in range(150)]
    arguments += [dice.randrange(-8 * ONE, 8 * ONE) for _ in range(50)]
    terms = [-1, 0, 1, DAY - 1, DAY, DAY + 1, 30 * DAY, 30 * DAY + 1, 365 * DAY, 2**31]
    terms += [dice.randrange(DAY, 400 * DAY) for _ in range(30)]
    return {
        "ln_q30": [[x, ln_q30(x)] for x in numbers],
        "exp_q30": [[x, exp_q30(x)] for x in exponents],
        "normal_q29": [[x, normal_q29(x)] for x in arguments if abs(x) <= 8 * ONE],
        "shocks_q30": [[x, shock_q30(x)["up"], shock_q30(x)["down"]] for x in terms],
        "deviation_q30": [
            {"k": k, "mark": [forward, *smile], "deviation": deviation_q30(k, smile)}
            for forward, smile, _ in SMILES.values()
            for k in (-6 * ONE, -ONE, -1, 0, 1, ONE // 10, 6 * ONE, 78_667_958)
        ],
        "call_micro": [
            {"forward": f, "strike": x, "k": k, "deviation": s, "price": call_micro(f, x, k, s)}
            for f, x, k, s in _calls(dice)
        ],
        "rows": [_row(which, share, kind) for which, share, kind in _options()],
        "linear_rows": [
            {"reference": x, "row": [linear_profit(x, i) for i in range(119)]}
            for x in (1, 7, 955_861_600, ((1 << 34) - 1) // 6)
        ],
    }


def _calls(dice: random.Random) -> list[tuple[int, int, int, int]]:
    """Forward, strike, k and deviation; k need not fit them: the formula does not care."""
    big = (1 << 34) - 1
    widest = 3_846_000_000
    edges = [
        (f, x, k, s)
        for f, x in ((1, 1), (big, big), (big, 1), (1, big), (955_915_600, 950_000_000))
        for k in (-8 * ONE + 1, -1, 0, 1, 8 * ONE - 1)
        for s in (1, 2, 1_000, widest)
    ]
    usual = [
        (dice.randrange(1, big), dice.randrange(1, big), dice.randrange(-ONE, ONE), 1 << n)
        for n in range(1, 32)
    ]
    return edges + usual


def _options() -> list[tuple[str, float, int]]:
    """Whatever the door lets in."""
    return [
        (name, share, kind)
        for name, (forward, smile, _) in SMILES.items()
        for share in FEW_STRIKES
        for kind in (CALL, PUT)
        if is_within_bounds(forward, smile, [_strike(forward, share)])
    ]


def _strike(forward: int, share: float) -> int:
    return max(min(round(forward * share), (1 << 34) - 1), 1)


def _row(name: str, share: float, kind: int) -> dict[str, Any]:
    forward, smile, seconds = SMILES[name]
    strike = _strike(forward, share)
    option = (kind, strike, forward, smile, seconds)
    every = range(119) if share == 0.99 else (0, 2, 55, 56, 110, 111, 113, 118)
    return {
        "name": f"{name}, {'call' if kind == CALL else 'put'} at {share}",
        "kind": kind,
        "strike": strike,
        "mark": [forward, *smile],
        "seconds": seconds,
        "price": scenario_value(*option, 55),
        "profits": {str(i): scenario_profit(*option, i) for i in every},
    }


def text_of(content: dict[str, Any]) -> str:
    """One vector a line."""
    sections = [
        f' "{name}": [\n' + ",\n".join(f"  {json.dumps(entry)}" for entry in entries) + "\n ]"
        for name, entries in content.items()
    ]
    return "{\n" + ",\n".join(sections) + "\n}\n"


if __name__ == "__main__":
    VECTORS.write_text(text_of(vectors()), "utf8")
    print(VECTORS.relative_to(Path.cwd()), "written")
