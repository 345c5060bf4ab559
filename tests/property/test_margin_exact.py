"""The scan in integers against the scan in exact fractions: prices that are never rounded, damped
tails, netting, W and maintenance of whole portfolios on two underlyings.

Holds: the fractions come from the slow twin's logarithms, deviations, shocks and N, which are what
docs/margin.md defines; from there on nothing is rounded, and nothing of `margin/` computes.
"""

from fractions import Fraction
from functools import cache
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from margin.accounts import PORTFOLIO_MODEL
from tests.floor import ETH_INDEX, ETH_PUT, LISTINGS, PERP
from tests.model import pricing
from tests.property.test_margin_laws import Book, Terms, margined, market

HALF: Final = Fraction(1, 2)
TAILS: Final = range(111, 119)
BASE: Final = 55
PERCENTS: Final = (60, 85, 100, 130)
Exact = list[Fraction]

held = st.dictionaries(st.integers(0, len(LISTINGS) - 1), st.integers(-900, 900), max_size=6)


def undamped(percent: int, number: int, scenario: int) -> Fraction:
    """What a lot is worth in a scenario, before a tail's profit is damped. A forward that moves is
    rounded where the page says so: what is priced is an option on a whole number.
    """
    marks, listing = market(percent).state.marks, LISTINGS[number]
    move, shock = pricing.SCENARIOS[scenario]
    if not listing.strike_micro:
        mark = marks.carry_micro[number]
        return marks.accrual_micro[number] + Fraction(mark * move, 100)
    forward, *smile = marks.expiry_marks[listing.expiry]
    expiry = market(percent).state.expiries[listing.expiry]
    left_s = expiry.expiry_time_s - marks.mark_time_s[listing.underlying]
    k = pricing.ln_q30(listing.strike_micro) - pricing.ln_q30(forward)
    s = pricing.deviation_q30(k, tuple(smile)) * pricing.shock_q30(left_s)[shock] >> 30
    moved = pricing.half_up(Fraction(forward * (100 + move), 100))
    k -= pricing.ln_q30(100 + move) - pricing.ln_q30(100)
    call = exact_call(moved, listing.strike_micro, k, max(s, 1))
    return call if listing.kind == pricing.CALL else call + listing.strike_micro - moved


def exact_call(forward: int, strike: int, k: int, s: int) -> Fraction:
    """F N(d1) - K N(d2), never below what it pays now nor above its forward."""
    d1 = (-k << 30) // s + (s >> 1)
    exact = Fraction(forward * pricing.normal_q29(d1), 1 << 29)
    exact -= Fraction(strike * pricing.normal_q29(d1 - s), 1 << 29)
    return min(max(exact, Fraction(forward - strike), Fraction(0)), Fraction(forward))


@cache
def lot_values(percent: int, number: int) -> Exact:
    """Of one long lot, accrual included; a tail's profit counts 0.77 x 18% / |m| of itself."""
    base = undamped(percent, number, BASE)
    values: Exact = []
    for scenario, (move, _) in enumerate(pricing.SCENARIOS):
        profit = undamped(percent, number, scenario) - base
        if scenario in TAILS:
            profit *= Fraction(77 * 18, 100 * abs(move))
        values.append(base + profit)
    return values


def worths(percent: int, lots: dict[int, int]) -> list[Exact]:
    """What positions are worth per scenario, on each underlying."""
    found: list[Exact] = []
    for underlying in (0, 1):
        mine = {n: q for n, q in lots.items() if LISTINGS[n].underlying == underlying}
        rows = [(q, lot_values(percent, n)) for n, q in mine.items()]
        found.append([sum((q * row[s] for q, row in rows), Fraction(0)) for s in range(119)])
    return found


def netted(of: list[Exact]) -> Fraction:
    """Half of what the worst of all together is better than the worst of each."""
    separate = sum((min(values) for values in of), Fraction(0))
    joint = min(sum(at, Fraction(0)) for at in zip(*of, strict=True))
    return separate + HALF * (joint - separate)


@given(st.sampled_from(PERCENTS), held)
def test_the_scan_is_within_half_a_micro_a_lot_of_exact_fractions(
    percent: int, lots: dict[int, int]
) -> None:
    """A lot's value is rounded once, so by half a micro at most; in a damped tail once more, with
    its profit. What rounding could favour in an ordinary scenario the half micro a lot takes back.
    """
    found = margined(Terms(percent, PORTFOLIO_MODEL, 0), Book(lots, {}))
    gross = sum(map(abs, lots.values()))
    exact = worths(percent, lots)
    base = sum(scan.value_micro for scan in found.scans)
    ordinary = [values[: TAILS.start] for values in exact]
    bounds = {
        "worst": (base - found.position_netted_micro, netted(exact), gross),
        "value": (base, sum(values[BASE] for values in exact), HALF * gross),
    }
    if netted(ordinary) == netted(exact):  # no tail decides
        taken = base - found.position_netted_micro - -(-gross // 2)
        assert taken <= netted(exact), "rounding never favours the account"
        bounds["worst"] = (base - found.position_netted_micro, netted(exact), HALF * gross)
    for name, (mine, true, slack) in bounds.items():
        assert abs(mine - true) <= slack + 1, name  # netting is rounded down, besides
    by_number = {scan.underlying: scan for scan in found.scans}
    for underlying, values in enumerate(exact):
        scan = by_number.get(underlying)
        for scenario in range(119):
            gain = 0 if scan is None else scan.value_micro + scan.position_gains_micro[scenario]
            slack = gross if scenario in TAILS else HALF * gross
            assert abs(gain - values[scenario]) <= slack, (underlying, scenario)
    loss = sum(values[BASE] for values in exact) - netted(exact) + HALF * gross
    assert (
        abs(found.maintenance_micro - Fraction(80, 100) * loss)
        <= Fraction(80, 100) * (2 * gross) + 2
    )


def test_shocks_and_tails_are_what_the_fractions_say_by_hand() -> None:
    """The twin itself against a few numbers that anyone can check."""
    assert pricing.SCENARIOS[BASE] == (0, "same")
    assert [pricing.SCENARIOS[s][0] for s in TAILS] == [-66, -33, 50, 100, 200, 300, 400, 500]
    index = market(100).state.marks.carry_micro[PERP]
    accrual = market(100).state.marks.accrual_micro[PERP]
    for tail in TAILS:
        sign = 1 if pricing.SCENARIOS[tail][0] > 0 else -1
        expected = accrual + sign * Fraction(1_386, 10_000) * index
        assert lot_values(100, PERP)[tail] == expected
    days = {1: 2.774, 30: 1.0, 70: (30 / 70) ** 0.13, 365: (30 / 365) ** 0.13}
    for day, f in days.items():
        shock = pricing.shock_q30(day * 86_400)
        assert abs(shock["up"] / 2**30 - (1 + 0.5 * f)) < 1e-3
        assert abs(shock["down"] / 2**30 - (1 - 0.3 * f)) < 1e-3
    assert lot_values(100, ETH_PUT)[BASE] < ETH_INDEX
