"""Charges: against their slow twin, and the laws that keep orders and reductions safe."""

from fractions import Fraction
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from margin.analytics.near_expiry import nearing
from margin.charges import (
    CHARGE_NAMES,
    CONCENTRATION,
    Sums,
    concentration_micro,
)
from margin.features import (
    TILT_ONE,
    basis_e6,
    charm_e6,
    features_of,
    option_features,
    roll_e6,
    tilt_q10,
)
from margin.fixed_point import ln_q30
from margin.parameters import CONCENTRATED_NOTIONAL_MICRO, SKEW_E6
from margin.rows import price_expiry
from margin.svi import ExpiryMark, check_marks
from matching.instruments import CALL, PUT
from tests.floor import BTC_INDEX, ETH_INDEX, LISTINGS, SMILE, Floor, open_floor
from tests.model.charges import charges as charges_by_hand
from tests.model.charges import rates_of, tilt_of
from tests.model.portfolio import Listed, PlainMarks

ROOT: Final = Path(__file__).resolve().parents[2]
DAY_S = 86_400
lots = st.integers(-900, 900)
held = st.dictionaries(st.integers(0, len(LISTINGS) - 1), lots, max_size=9)
percents = st.integers(60, 160)


class Market(NamedTuple):
    floor: Floor
    plain: PlainMarks


def market(percent: int) -> Market:
    floor = open_floor(0, watched=False)
    floor.mark(0, BTC_INDEX * percent // 100, smile=(SMILE[0] * 2, *SMILE[1:]))
    floor.mark(1, ETH_INDEX * (200 - percent) // 100)
    plain = PlainMarks()
    for command in floor.accepted:
        plain.take(command)
    return Market(floor, plain)


MARKETS = {percent: market(percent) for percent in (60, 85, 100, 130)}
markets = st.sampled_from(sorted(MARKETS)).map(MARKETS.__getitem__)


def sums_of(floor: Floor, portfolio: dict[int, int], underlying: int) -> Sums:
    """Lot by lot, as fills would come."""
    sums, so_far = Sums(), dict[int, int]()
    for number, quantity in portfolio.items():
        if floor.state.instruments[number].underlying.number == underlying:
            features = floor.state.marks.features_of(number)
            for part in (quantity // 3, quantity - quantity // 3):
                before = so_far.get(number, 0)
                sums.move(features, before, part, so_far.get(features.partner, 0))
                so_far[number] = before + part
    return sums


def charges_of(floor: Floor, portfolio: dict[int, int], underlying: int = 0) -> list[int]:
    marks = floor.state.marks
    sums = sums_of(floor, portfolio, underlying)
    return sums.charges_micro(marks.term_rates, marks.index_micro[underlying])


def both(one: dict[int, int], other: dict[int, int]) -> dict[int, int]:
    return {n: one.get(n, 0) + other.get(n, 0) for n in sorted({*one, *other})}


# THE TWIN


@given(markets, held)
def test_charges_are_the_twins_to_the_last_unit(market: Market, portfolio: dict[int, int]) -> None:
    for underlying in (0, 1):
        by_hand = charges_by_hand(market.plain, portfolio, underlying)
        found = charges_of(market.floor, portfolio, underlying)
        assert dict(zip(CHARGE_NAMES, found, strict=True)) == by_hand


@given(markets, held)
def test_nothing_is_further_from_exact_fractions_than_the_page_says(
    market: Market, portfolio: dict[int, int]
) -> None:
    """A rate by less than a millionth of what it multiplies, a skew by 1/2048 of its vega and half
    a micro, all times their rate; each charge up by less than a micro.
    """
    exact = charges_by_hand(market.plain, portfolio, 0, exact=True)
    found = dict(zip(CHARGE_NAMES, charges_of(market.floor, portfolio), strict=True))
    features = market.floor.state.marks.features
    delta = sum(abs(q) * abs(int(features[n, 0])) for n, q in portfolio.items())
    vega = sum(abs(q) * abs(int(features[n, 1])) for n, q in portfolio.items())
    vanna = sum(abs(q) * abs(int(features[n, 5])) for n, q in portfolio.items())
    gross = sum(map(abs, portfolio.values()))
    slack = dict.fromkeys(CHARGE_NAMES, Fraction(1))
    slack["roll"] += Fraction(delta, 10**6)
    slack["basis"] += Fraction(delta, 10**6)
    slack["vanna_charm"] += Fraction(vanna, 10**6)
    slack["skew"] += (Fraction(vega, TILT_ONE) + Fraction(gross, 2)) * SKEW_E6 / 10**6
    slack["concentration"] += 1
    for name in CHARGE_NAMES:
        assert abs(found[name] - exact[name]) <= slack[name], name


def small(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


ONE = 1 << 30
smiles = st.builds(
    ExpiryMark,
    small(10**6, 2_800_000_000),
    small(0, ONE // 4),
    small(0, ONE // 2),
    small(-ONE + 1, ONE - 1),
    small(-ONE // 4, ONE // 4),
    small(1, ONE),
)


@settings(max_examples=60)
@given(smiles, st.lists(small(20, 500), min_size=1, max_size=5), small(1, 900 * DAY_S))
def test_features_of_an_expiry_are_those_of_each_option(
    mark: ExpiryMark, strikes: list[int], left_s: int
) -> None:
    micros = [mark.forward_micro * percent // 100 for percent in strikes]
    logs = [ln_q30(strike) for strike in micros]
    if check_marks(0, mark, logs) is not None:
        return
    kinds = np.array([CALL if n % 2 else PUT for n in range(len(micros))], dtype=np.int64)
    prices, rows = price_expiry(
        kinds, np.array(micros, dtype=np.int64), np.array(logs, dtype=np.int64), mark, left_s
    )
    values = prices[:, None] + rows
    found = option_features(values, logs, mark)
    for number, log in enumerate(logs):
        one: list[int] = values[number].tolist()
        assert found[number].tolist() == features_of(one, tilt_q10(log, mark))
        listed = Listed(CALL, 0, 0, micros[number], 1)
        listed.mark = mark, left_s
        assert tilt_q10(log, mark) == tilt_of(listed) * TILT_ONE


@given(small(1, 3_000 * DAY_S))
def test_rates_are_their_fractions_rounded_up(left_s: int) -> None:
    roll, basis, charm = rates_of(left_s, exact=True)
    assert 0 <= roll_e6(left_s) - roll * 10**6 < 1
    assert 0 <= basis_e6(left_s) - basis * 10**6 < 1
    assert 0 <= charm_e6(left_s) - charm * 10**6 < 1 + Fraction(1, 100)


# LAWS


@given(markets, held, st.integers(1, 40))
def test_charges_but_for_size_are_homogeneous(
    market: Market, portfolio: dict[int, int], times: int
) -> None:
    """Up to the micro that each is rounded up by."""
    one = charges_of(market.floor, portfolio)
    many = charges_of(market.floor, {n: times * q for n, q in portfolio.items()})
    for name, single, multiple in list(zip(CHARGE_NAMES, one, many, strict=True))[:CONCENTRATION]:
        assert times * (single - 1) < multiple <= times * single, name


@given(markets, held, held)
def test_charges_but_for_size_are_sub_additive(
    market: Market, one: dict[int, int], other: dict[int, int]
) -> None:
    apart = zip(charges_of(market.floor, one), charges_of(market.floor, other), strict=True)
    together = charges_of(market.floor, both(one, other))
    for name, whole, parts in list(zip(CHARGE_NAMES, together, apart, strict=True))[:CONCENTRATION]:
        assert whole <= sum(parts), name


@given(markets, held, st.integers(0, len(LISTINGS) - 1), lots)
def test_a_fill_adds_no_more_than_each_of_its_lots_is_charged_alone(
    market: Market, portfolio: dict[int, int], number: int, quantity: int
) -> None:
    """What orders are margined by, and what the quick bound of a fill rests on."""
    floor = market.floor
    unit = floor.state.marks.unit(number, {})
    for underlying in (0, 1):
        before = sum(charges_of(floor, portfolio, underlying)[:CONCENTRATION])
        filled = both(portfolio, {number: quantity})
        after = sum(charges_of(floor, filled, underlying)[:CONCENTRATION])
        assert after <= before + abs(quantity) * unit.charge_micro(quantity)


@given(markets, held, held)
def test_lots_taken_out_again_leave_no_trace(
    market: Market, portfolio: dict[int, int], passing: dict[int, int]
) -> None:
    floor = market.floor
    bare = charges_of(floor, portfolio)
    through = {**portfolio, **{n: portfolio.get(n, 0) for n in passing}}
    sums, so_far = Sums(), dict[int, int]()
    for part in (portfolio, passing, {n: -q for n, q in passing.items()}):
        for number, quantity in part.items():
            if floor.state.instruments[number].underlying.number == 0:
                features = floor.state.marks.features_of(number)
                before = so_far.get(number, 0)
                sums.move(features, before, quantity, so_far.get(features.partner, 0))
                so_far[number] = before + quantity
    marks = floor.state.marks
    assert sums.charges_micro(marks.term_rates, marks.index_micro[0]) == bare
    assert charges_of(floor, through) == bare


@given(markets)
def test_a_flat_account_is_charged_nothing(market: Market) -> None:
    assert charges_of(market.floor, dict.fromkeys(range(len(LISTINGS)), 0)) == [0] * len(
        CHARGE_NAMES
    )


@given(st.integers(-(1 << 58), 1 << 58), st.integers(0, 1 << 24), st.integers(1, 1 << 34))
def test_size_never_costs_less_when_there_is_more_of_it(
    delta: int, short: int, index_micro: int
) -> None:
    cost = concentration_micro(delta, short, index_micro)
    assert cost >= concentration_micro(delta * 9 // 10, short, index_micro)
    assert cost >= concentration_micro(delta, short * 9 // 10, index_micro)
    assert cost == concentration_micro(-delta, short, index_micro) >= 0
    is_small = 50 * abs(delta) <= CONCENTRATED_NOTIONAL_MICRO >= short * index_micro
    assert (cost == 0) == is_small


def test_size_is_free_up_to_the_threshold_and_then_convex() -> None:
    """2% of the excess at twice the threshold, 8% at five times."""
    end = CONCENTRATED_NOTIONAL_MICRO // 50
    assert concentration_micro(end, 0, 1) == 0
    assert concentration_micro(2 * end, 0, 1) == CONCENTRATED_NOTIONAL_MICRO * 2 // 100
    assert concentration_micro(5 * end, 0, 1) == 4 * CONCENTRATED_NOTIONAL_MICRO * 8 // 100


@given(markets, held, st.integers(1, 8))
def test_reducing_everything_alike_never_raises_a_charge(
    market: Market, portfolio: dict[int, int], times: int
) -> None:
    whole = charges_of(market.floor, {n: times * q for n, q in portfolio.items()})
    for less in range(times):
        part = charges_of(market.floor, {n: less * q for n, q in portfolio.items()})
        assert all(a <= b for a, b in zip(part, whole, strict=True))


# AS EXPIRY NEARS


def test_as_expiry_nears_a_hedged_book_is_charged_before_the_scan_sees_its_gap() -> None:
    """The scan prices now, with the hedge in place: of what it asks for more in the last eight
    days, most comes in the last one. Vanna and charm ask a day before, ten times what they did.
    """
    before = [nearing(days) for days in (8, 6, 5, 4, 3, 2, 1)]
    charged = [book.vanna_charm_micro for book in before]
    assert charged == sorted(charged)
    assert charged[-1] > 10 * charged[0]
    assert before[-1].scan_micro < before[0].scan_micro * 3 // 2
    at_the_end = nearing(0.02)
    rises = at_the_end.scan_micro - before[-1].scan_micro
    assert rises > before[-1].scan_micro - before[0].scan_micro
    assert at_the_end.vanna_charm_micro < charged[-1], "by then the scan has it"


def test_the_picture_of_it_is_what_is_computed() -> None:
    path = ROOT / "scripts" / "picture_charm.py"
    spec = spec_from_file_location("picture_charm", path)
    assert spec is not None
    assert spec.loader is not None
    picture = module_from_spec(spec)
    spec.loader.exec_module(picture)
    drawn = picture.drawn([nearing(days) for days in picture.DAYS])
    assert drawn == picture.TARGET.read_text("utf8")
