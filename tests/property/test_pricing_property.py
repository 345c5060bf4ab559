"""Laws of the integer pricer, for whatever the door lets in."""

from typing import NamedTuple

import mpmath
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from margin import call_values_numpy
from margin.black76 import call_micro, option_micro
from margin.call_values import call_values
from margin.fixed_point import ONE_Q30, exp_q30, ln_q30, ln_q62
from margin.normal import normal_q29, normal_q29_array
from margin.parameters import MAX_FORWARD_MICRO, MAX_LOG_MONEYNESS_Q30
from margin.rows import price_expiry, price_linear
from margin.scenarios import (
    BASE_SCENARIO,
    DOWN,
    FIRST_TAIL,
    MOVE_PERCENT,
    SCENARIO_COUNT,
    UP,
    VOL_SHOCK,
    scenario_profit_micro,
    scenario_value_micro,
)
from margin.svi import ExpiryMark, check_marks, deviation_q30
from matching.instruments import CALL, MAX_VALUE_MICRO, PUT
from tests.model import pricing as model

FEW = settings(max_examples=settings.default.max_examples // 2)


class Expiry(NamedTuple):
    """An expiry that the door lets in."""

    mark: ExpiryMark
    strikes_micro: list[int]
    seconds: int

    @property
    def ln_strikes_q30(self) -> list[int]:
        return [ln_q30(strike) for strike in self.strikes_micro]


def magnitudes(bits: int) -> st.SearchStrategy[int]:
    """1 .. 2^bits - 1, each number of bits as likely as another."""
    return st.integers(1, bits).flatmap(lambda n: st.integers(1 << (n - 1), (1 << n) - 1))


@st.composite
def smiles(draw: st.DrawFn) -> tuple[int, int, int, int, int]:
    """Bounded, their least variance from nothing upwards."""
    b = draw(st.one_of(st.just(0), magnitudes(30)))
    rho = draw(st.one_of(st.sampled_from([-ONE_Q30, 0, ONE_Q30]), st.integers(-ONE_Q30, ONE_Q30)))
    sigma = draw(magnitudes(31))
    m = draw(st.one_of(st.just(0), st.integers(-(1 << 31), (1 << 31) - 1)))
    least = draw(st.one_of(st.just(0), magnitudes(31)))
    depth = b * sigma * int(mpmath.sqrt(ONE_Q30**2 - rho**2)) >> 60
    return min(least - depth, (1 << 31) - 1), b, rho, m, sigma


@st.composite
def expiries(draw: st.DrawFn, most_strikes: int = 6) -> Expiry:
    forward = draw(magnitudes(31).filter(lambda f: f <= MAX_FORWARD_MICRO))
    mark = ExpiryMark(forward, *draw(smiles()))
    near = st.integers(max(forward // 2, 1), 2 * forward)
    strikes = draw(st.lists(st.one_of(near, magnitudes(34)), min_size=1, max_size=most_strikes))
    seconds = draw(st.one_of(st.integers(1, 3 * 86_400), st.integers(1, 4 * 365 * 86_400)))
    expiry = Expiry(mark, strikes, seconds)
    assume(check_marks(0, mark, expiry.ln_strikes_q30) is None)
    return expiry


def tolerance_micro(forward: int, strike: int) -> float:
    """What N's and the price's roundings make, docs/margin.md, 4."""
    return 1 + 1.05 * (forward + strike) / (1 << 30)


# FUNCTIONS OF ONE NUMBER


@given(magnitudes(96))
def test_a_logarithm_is_the_nearest_integer_to_the_true_one(number: int) -> None:
    with mpmath.workdps(50):
        true = mpmath.log(number)
        assert abs(ln_q30(number) - true * ONE_Q30) <= 0.5 + 2.0**-26
        assert abs(ln_q62(number) - true * 2**62) <= 64


@given(st.integers(-4 << 62, (4 << 62) - 1))
def test_an_exponential_is_the_true_one_rounded_down(exponent: int) -> None:
    with mpmath.workdps(50):
        true = mpmath.exp(mpmath.mpf(exponent) / 2**62) * ONE_Q30
    assert -1 - 2.0**-20 <= exp_q30(exponent) - true <= 0


@given(st.integers(-8 * ONE_Q30, 8 * ONE_Q30))
def test_the_normal_distribution_is_within_half_a_unit_and_a_little(x: int) -> None:
    with mpmath.workdps(40):
        true = mpmath.ncdf(mpmath.mpf(x) / ONE_Q30) * (1 << 29)
    assert abs(normal_q29(x) - true) <= 0.51
    assert 0 <= normal_q29(x) <= 1 << 29


@given(st.integers(-8 * ONE_Q30, 8 * ONE_Q30), st.integers(0, 1 << 24))
def test_the_normal_distribution_rises_and_mirrors_to_a_unit(x: int, step: int) -> None:
    y = min(x + step, 8 * ONE_Q30)
    assert normal_q29(y) >= normal_q29(x) - 1
    assert abs(normal_q29(x) + normal_q29(-x) - (1 << 29)) <= 1


@given(st.lists(st.integers(-8 * ONE_Q30, 8 * ONE_Q30)))
def test_the_array_of_the_normal_distribution_is_its_elements(xs: list[int]) -> None:
    assert normal_q29_array(np.array(xs, dtype=np.int64)).tolist() == [normal_q29(x) for x in xs]


# TWINS


@FEW
@given(expiries(), st.data())
def test_the_arrays_of_an_expiry_are_its_options_one_by_one(
    expiry: Expiry, data: st.DataObject
) -> None:
    mark, strikes, seconds = expiry
    kinds = data.draw(st.lists(st.sampled_from([CALL, PUT]), min_size=len(strikes)))
    kinds = kinds[: len(strikes)]
    marks, rows = priced(expiry, kinds)
    for i, (kind, strike) in enumerate(zip(kinds, strikes, strict=True)):
        option = (kind, strike, ln_q30(strike), mark, seconds)
        assert marks[i] == scenario_value_micro(*option, BASE_SCENARIO)
        for scenario in range(SCENARIO_COUNT):
            assert rows[i, scenario] == scenario_profit_micro(*option, scenario), scenario


@given(
    st.lists(
        st.tuples(
            st.integers(1, MAX_VALUE_MICRO - 1),
            st.integers(-MAX_LOG_MONEYNESS_Q30, MAX_LOG_MONEYNESS_Q30),
            st.lists(magnitudes(31), min_size=3, max_size=3),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, MAX_FORWARD_MICRO),
)
def test_values_of_calls_are_the_same_strike_by_strike_and_as_arrays(
    calls: list[tuple[int, int, list[int]]], forward: int
) -> None:
    """Packed where the core is compiled; elsewhere both are the arrays, held to the options one by
    one above.
    """
    strikes, ks = [strike for strike, _, _ in calls], [k for _, k, _ in calls]
    deviations = np.array([three for _, _, three in calls], dtype=np.int64)
    growth = np.array([100 + percent for percent in MOVE_PERCENT], dtype=np.int64)
    given_both = (strikes, ks, deviations, (forward * growth + 50) // 100)
    packed, arrays = call_values(*given_both), call_values_numpy.call_values(*given_both)
    assert packed.tolist() == arrays.tolist()


@FEW
@given(expiries(most_strikes=2), st.sampled_from([CALL, PUT]), st.integers(0, 118))
def test_a_scenario_is_what_the_slow_twin_says(expiry: Expiry, kind: int, scenario: int) -> None:
    (forward, *smile), strikes, seconds = expiry
    for strike in strikes:
        mine = scenario_profit_micro(kind, strike, ln_q30(strike), expiry.mark, seconds, scenario)
        slow = model.scenario_profit(kind, strike, forward, tuple(smile), seconds, scenario)
        assert mine == slow


@given(expiries(most_strikes=1))
def test_a_call_is_black_76_within_the_documented_tolerance(expiry: Expiry) -> None:
    (forward, *_), (strike,), _ = expiry
    k = ln_q30(strike) - ln_q30(forward)
    s = deviation_q30(k, expiry.mark)
    with mpmath.workdps(40):
        true = model.real_call(mpmath.mpf(forward), strike, mpmath.mpf(s) / ONE_Q30)
    assert abs(call_micro(forward, strike, k, s) - true) <= tolerance_micro(forward, strike)


@given(expiries(most_strikes=1))
def test_a_deviation_is_the_smiles_within_the_documented_tolerance(expiry: Expiry) -> None:
    (forward, *smile), (strike,), _ = expiry
    k = ln_q30(strike) - ln_q30(forward)
    s = deviation_q30(k, expiry.mark)
    with mpmath.workdps(40):
        true = model.real_deviation(strike, forward, tuple(smile)) * ONE_Q30
        lost = mpmath.mpf(4 * expiry.mark.b)  # of the total variance, in Q60
        low = mpmath.sqrt(max(true * true - lost, 0))
        high = mpmath.sqrt(true * true + lost)
    assert low - 1 <= s <= max(high, 1)


# LAWS


@FEW
@given(expiries())
def test_every_value_and_every_row_is_below_2_to_the_34(expiry: Expiry) -> None:
    for kind in (CALL, PUT):
        marks, rows = priced(expiry, [kind] * len(expiry.strikes_micro))
        assert int(abs(rows).max()) < MAX_VALUE_MICRO
        assert int(marks.min()) >= 0
        assert int((marks[:, None] + rows).min()) >= 0
        assert int((marks[:, None] + rows).max()) < MAX_VALUE_MICRO
        assert not rows[:, BASE_SCENARIO].any()


@FEW
@given(expiries(most_strikes=1))
def test_call_less_put_is_forward_less_strike_in_every_scenario_to_the_last_unit(
    expiry: Expiry,
) -> None:
    (call,), call_rows = priced(expiry, [CALL])
    (put,), put_rows = priced(expiry, [PUT])
    assert call - put == expiry.mark.forward_micro - expiry.strikes_micro[0]
    moves = slice(0, FIRST_TAIL)
    difference = (call_rows - put_rows)[0, moves]
    assert difference.tolist() == price_linear(expiry.mark.forward_micro)[moves].tolist()


@FEW
@given(expiries(most_strikes=1))
def test_a_long_option_gains_from_volatility_in_every_move(expiry: Expiry) -> None:
    (forward, *_), (strike,), _ = expiry
    _, rows = priced(expiry, [CALL])
    shocks = np.array(VOL_SHOCK[:FIRST_TAIL])
    row = rows[0, :FIRST_TAIL]
    slack = 2 * tolerance_micro(2 * forward, strike)
    same = row[shocks == 1]
    assert (row[shocks == UP] >= same - slack).all()
    assert (row[shocks == DOWN] <= same + slack).all()


@given(
    magnitudes(31).filter(lambda f: f > 1_000),
    st.integers(1, 3_800_000_000),
    st.integers(-(1 << 29), 1 << 29),
    st.integers(1, 1_000),
)
def test_calls_fall_and_are_convex_in_the_strike(
    forward: int, deviation: int, k: int, width_thousandth: int
) -> None:
    """At one deviation: no spread is worth less than nothing or more than it can pay, and no
    butterfly less than nothing, but for rounding.
    """
    middle = forward * (ONE_Q30 + k) >> 30
    width = max(middle * width_thousandth // 2_000, 1)
    strikes = [middle - width, middle, middle + width]
    assume(strikes[0] > 0)
    low, mid, high = (
        call_micro(forward, x, ln_q30(x) - ln_q30(forward), deviation) for x in strikes
    )
    slack = 2 * tolerance_micro(forward, strikes[2])
    assert -slack <= low - mid <= width + slack
    assert -slack <= mid - high <= width + slack
    assert low - 2 * mid + high >= -2 * slack


@given(
    st.sampled_from([CALL, PUT]),
    st.integers(1, (1 << 34) - 1),
    st.integers(1, (1 << 34) - 1),
    st.integers(-8 * ONE_Q30 + 1, 8 * ONE_Q30 - 1),
    magnitudes(32),
)
def test_an_option_is_worth_at_least_its_intrinsic_value_and_at_most_what_it_is_on(
    kind: int, forward: int, strike: int, k: int, deviation: int
) -> None:
    """Even where log-moneyness and strike contradict each other."""
    price = option_micro(kind, forward, strike, k, deviation)
    if kind == CALL:
        assert max(forward - strike, 0) <= price <= forward
    else:
        assert max(strike - forward, 0) <= price <= strike


@given(st.integers(1, MAX_FORWARD_MICRO))
def test_a_linear_row_rises_with_the_move_and_its_tails_weigh_the_same(reference: int) -> None:
    row = price_linear(reference)
    assert (np.diff(row[:FIRST_TAIL]) >= 0).all()
    falls, rises = row[FIRST_TAIL : FIRST_TAIL + 2], row[FIRST_TAIL + 2 :]
    assert max(np.ptp(falls), np.ptp(rises), abs(int(falls[0] + rises[0]))) <= 2
    assert abs(int(rises[0]) * 10_000 - reference * 1_386) <= 10_000, "13.86%"
    assert int(abs(row).max()) < MAX_VALUE_MICRO
    assert row[BASE_SCENARIO] == 0


# THE DOOR


@given(
    st.one_of(st.integers(-1, 1 << 34), st.integers(MAX_FORWARD_MICRO - 2, MAX_FORWARD_MICRO + 2)),
    st.one_of(
        smiles(),
        st.tuples(*[st.integers(-(1 << 32), 1 << 32)] * 5),
    ),
    st.integers(-2, 2),
    st.lists(magnitudes(34), max_size=3),
)
def test_the_door_lets_in_what_the_protocol_does(
    forward: int, smile: tuple[int, ...], nudge: int, strikes: list[int]
) -> None:
    a, b, rho, m, sigma = smile
    mark = ExpiryMark(forward, a + nudge, b, rho, m, sigma)
    reject = check_marks(7, mark, [ln_q30(strike) for strike in strikes])
    lawful = model.is_within_bounds(forward, (a + nudge, b, rho, m, sigma), strikes)
    assert (reject is None) == lawful
    assert reject is None or reject.got == 7


def priced(expiry: Expiry, kinds: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return price_expiry(
        np.array(kinds, dtype=np.int64),
        np.array(expiry.strikes_micro, dtype=np.int64),
        np.array(expiry.ln_strikes_q30, dtype=np.int64),
        expiry.mark,
        expiry.seconds,
    )
