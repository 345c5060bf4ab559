"""Charges by their formulas, one lot at a time, in fractions: slow twin of `margin/features.py` and
`margin/charges.py`.

Holds: a portfolio is a mapping from instruments to signed lots; scenarios are found by their move
and volatility, never by a place in a vector; the rates are the fractions that the parameters say.
What the page states as rounded (a tilt to 1/1024, a rate to a millionth, a skew feature to a micro,
each charge up) is rounded where `exact` is not asked for.
"""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from margin import parameters as p
from margin.fixed_point import ln_q30
from margin.scenarios import MOVE_PERCENT, VOL_SHOCK, shock_factors_q30
from margin.svi import deviation_q30
from matching.instruments import CALL, PERPETUAL
from tests.model.portfolio import Listed, PlainMarks

DAY_S = 86_400
YEAR_S = 365 * DAY_S
UP, SAME, DOWN = 0, 1, 2
MILLIONTH = Fraction(1, 10**6)


class Lot(NamedTuple):
    """Features of one long lot."""

    delta: Fraction
    vega: Fraction = Fraction(0)
    skew_linear: Fraction = Fraction(0)
    skew_absolute: Fraction = Fraction(0)
    vanna_up: Fraction = Fraction(0)
    vanna_down: Fraction = Fraction(0)


def lot_of(marks: PlainMarks, number: int, *, exact: bool = False) -> Lot:
    if (number, exact) not in marks.known:
        marks.known[number, exact] = _lot_of(marks, number, exact=exact)
    return marks.known[number, exact]


def _lot_of(marks: PlainMarks, number: int, *, exact: bool) -> Lot:
    listed, values = marks.instruments[number], marks.values(number)

    def value(percent: int, vol: int) -> int:
        (place,) = (s for s in range(3 * 37) if MOVE_PERCENT[s] == percent and VOL_SHOCK[s] == vol)
        return values[place]

    def delta(vol: int) -> int:
        return value(1, vol) - value(-1, vol)

    if listed.settlement_micro is not None:
        return Lot(Fraction(0))
    if listed.is_linear or listed.mark is None:
        return Lot(Fraction(delta(SAME)))
    vega = value(0, UP) - value(0, SAME)
    tilt = tilt_of(listed, exact=exact)
    linear, absolute = vega * tilt, vega * abs(tilt)
    if not exact:
        linear, absolute = (Fraction(floor(x + Fraction(1, 2))) for x in (linear, absolute))
    return Lot(
        Fraction(delta(SAME)),
        Fraction(vega),
        linear,
        absolute,
        Fraction(delta(UP) - delta(SAME)),
        Fraction(delta(DOWN) - delta(SAME)),
    )


def tilt_of(listed: Listed, *, exact: bool = False) -> Fraction:
    """Log-moneyness in at-the-money deviations, at most two either way, halved."""
    assert listed.mark is not None
    mark, _ = listed.mark
    deviations = Fraction(
        ln_q30(listed.strike_micro) - ln_q30(mark.forward_micro), deviation_q30(0, mark)
    )
    tilt = max(min(deviations, Fraction(2)), Fraction(-2)) / 2
    return tilt if exact else Fraction(floor(tilt * 1024), 1024)


class Rates(NamedTuple):
    """What an expiry's sums are multiplied by."""

    roll: Fraction
    basis: Fraction
    charm: Fraction


def rates_of(left_s: int, *, exact: bool = False) -> Rates:
    """A delta is a gain over 2%, so a notional is fifty of it."""
    years = Fraction(left_s, YEAR_S)
    roll = 50 * (Fraction("0.0015") + Fraction("0.005") * min(years, 1))
    basis = 50 * Fraction("0.015") * min(years, 2)
    with localcontext(prec=60):
        kept = Decimal(max(left_s - DAY_S, 0)) / Decimal(left_s)
        decay = 1 - Fraction(kept.sqrt())
    shock = 1 - Fraction(shock_factors_q30(left_s)[DOWN], 1 << 30)
    charm = Fraction(3, 2) * decay / shock
    if exact:
        return Rates(roll, basis, charm)
    if decay < 1:  # the root is taken in Q30
        with localcontext(prec=60):
            root = floor(Fraction(kept.sqrt()) * (1 << 30))
        charm = Fraction(3, 2) * (1 - Fraction(root, 1 << 30)) / shock
    return Rates(*(Fraction(ceil(rate * 10**6), 10**6) for rate in (roll, basis, charm)))


def charges(
    marks: PlainMarks, held: Mapping[int, int], underlying: int, *, exact: bool = False
) -> dict[str, Fraction]:
    """Every charge by its name; rounded up unless `exact`."""
    mine = {
        number: lots
        for number, lots in held.items()
        if marks.instruments[number].underlying == underlying
        and marks.instruments[number].settlement_micro is None
    }
    lots_of = {number: lot_of(marks, number, exact=exact) for number in mine}

    def total(feature: str, numbers: list[int]) -> Fraction:
        return sum((mine[n] * getattr(lots_of[n], feature) for n in numbers), Fraction(0))

    perpetuals = [n for n in mine if marks.instruments[n].kind == PERPETUAL]
    dated = [n for n in mine if n not in perpetuals]
    roll = basis = vega = drift = Fraction(0)
    for expiry in sorted({marks.instruments[n].expiry for n in dated}):
        of = [n for n in dated if marks.instruments[n].expiry == expiry]
        left_s = marks.left_s.get(expiry)
        if left_s is None:
            continue
        if ("rates", expiry, exact) not in marks.known:
            marks.known["rates", expiry, exact] = rates_of(left_s, exact=exact)
        rates = marks.known["rates", expiry, exact]
        roll += rates.roll * abs(total("delta", of))
        basis += rates.basis * total("delta", of)
        vega += abs(total("vega", of))
        drift += Fraction(3, 2) * Fraction("0.25") * abs(total("vanna_up", of))
        drift += rates.charm * abs(total("vanna_down", of))
    short = short_lots(marks, mine)
    index = marks.index_micro.get(underlying, 0)
    found = {
        "roll": roll,
        "basis": abs(basis),
        "perpetual_premium": 50 * Fraction("0.01") * abs(total("delta", perpetuals)),
        "term_vega": Fraction("0.15") * vega,
        "skew": Fraction("0.2")
        * max(abs(total("skew_linear", dated)), abs(total("skew_absolute", dated))),
        "vanna_charm": drift,
        "short_options": Fraction("0.005") * index * short,
    }
    delta, ends = Fraction("0.02"), Fraction("0.01")
    sizes = ((50 * abs(total("delta", list(mine))), delta), (Fraction(short * index), ends))
    parts = [
        rate * max(size - p.CONCENTRATED_NOTIONAL_MICRO, 0) ** 2 / p.CONCENTRATED_NOTIONAL_MICRO
        for size, rate in sizes
    ]
    found = {name: Fraction(charge if exact else ceil(charge)) for name, charge in found.items()}
    found["concentration"] = sum(
        (Fraction(part if exact else ceil(part)) for part in parts), Fraction(0)
    )
    return found


def short_lots(marks: PlainMarks, held: Mapping[int, int]) -> int:
    """Lots short at each strike of each expiry, calls or puts, whichever are more."""
    strikes: dict[tuple[int, int], list[int]] = {}
    for number, lots in held.items():
        listed = marks.instruments[number]
        if not listed.is_linear and listed.settlement_micro is None:
            calls_and_puts = strikes.setdefault((listed.expiry, listed.strike_micro), [0, 0])
            calls_and_puts[listed.kind != CALL] = max(-lots, 0)
    return sum(max(both) for both in strikes.values())


def charge_micro(marks: PlainMarks, held: Mapping[int, int]) -> int:
    """All charges of a portfolio, on all underlyings."""
    return sum(int(charge) for found in _each(marks, held) for charge in found.values())


def lot_charge_micro(marks: PlainMarks, legs: tuple[tuple[int, int], ...], sign: int) -> int:
    """What one lot or unit is charged by itself, size left out."""
    if (legs, sign) not in marks.known:
        held = {number: sign * ratio for number, ratio in legs}
        marks.known[legs, sign] = sum(
            int(charge)
            for found in _each(marks, held)
            for name, charge in found.items()
            if name != "concentration"
        )
    return marks.known[legs, sign]


def _each(marks: PlainMarks, held: Mapping[int, int]) -> list[dict[str, Fraction]]:
    underlyings = sorted({marks.instruments[number].underlying for number in held})
    return [charges(marks, held, underlying) for underlying in underlyings]
