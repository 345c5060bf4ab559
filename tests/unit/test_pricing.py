"""The scenarios, the shocks and the door: published figures, edges and lies."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from margin import parameters
from margin.fixed_point import ONE_Q30, ln_q30
from margin.normal import LIMIT_Q30, normal_q29, normal_q29_array
from margin.rows import price_expiry, price_linear
from margin.scenarios import (
    BASE_SCENARIO,
    DAMPING,
    DOWN,
    FIRST_TAIL,
    LN_MOVE_Q30,
    MOVE_PERCENT,
    SAME,
    SCENARIO_COUNT,
    UP,
    VOL_SHOCK,
    damped_micro,
    moved_micro,
    scenario_profit_micro,
    scenario_value_micro,
    shock_factors_q30,
)
from margin.svi import (
    DEVIATION,
    FORWARD,
    INDEX,
    LEAST_VARIANCE,
    LOG_MONEYNESS,
    SVI_A,
    SVI_B,
    SVI_M,
    SVI_RHO,
    SVI_SIGMA,
    ExpiryMark,
    check_index,
    check_marks,
)
from matching.instruments import CALL, PUT
from matching.rejects import MARK_OUT_OF_BOUNDS, Reject

DAY = 86_400
FORWARD_MICRO = 955_861_600
STRIKE_MICRO = 950_000_000
MARK = ExpiryMark(FORWARD_MICRO, ONE_Q30 // 100, ONE_Q30 // 10, -ONE_Q30 // 3, 0, ONE_Q30 // 5)


def test_there_are_119_scenarios_in_the_documented_order() -> None:
    assert SCENARIO_COUNT == 119
    assert (MOVE_PERCENT[0], VOL_SHOCK[0]) == (-18, UP)
    assert (MOVE_PERCENT[2], VOL_SHOCK[2]) == (-18, DOWN)
    assert (MOVE_PERCENT[BASE_SCENARIO], VOL_SHOCK[BASE_SCENARIO]) == (0, SAME)
    assert (MOVE_PERCENT[110], VOL_SHOCK[110]) == (18, DOWN)
    assert MOVE_PERCENT[FIRST_TAIL:] == (-66, -33, 50, 100, 200, 300, 400, 500)
    assert Counter(VOL_SHOCK) == {UP: 45, SAME: 37, DOWN: 37}
    assert len(LN_MOVE_Q30) == SCENARIO_COUNT


def test_a_linear_book_loses_the_move_and_in_a_tail_13_86_percent() -> None:
    row = price_linear(FORWARD_MICRO)
    assert row[0] == -172_055_088  # 18% of 955.8616 USDC
    assert row[BASE_SCENARIO] == 0
    assert row[110] == 172_055_088
    assert set(row[FIRST_TAIL:].tolist()) == {-132_482_418, 132_482_418}  # .77 x 18%


@pytest.mark.parametrize(
    ("move", "weight"),
    # .77 x .18 / |m|
    [(-66, 0.21), (-33, 0.42), (50, 0.2772), (100, 0.1386), (200, 0.0693), (500, 0.02772)],
)
def test_a_tail_counts_its_published_share(move: int, weight: float) -> None:
    scenario = MOVE_PERCENT.index(move)
    assert damped_micro(10**9, scenario) == round(10**9 * weight)
    assert damped_micro(-(10**9), scenario) == -round(10**9 * weight)
    assert DAMPING == 1_386


def test_damping_rounds_halves_upwards_and_ordinary_moves_are_not_damped() -> None:
    scenario = MOVE_PERCENT.index(-66)  # 1,386 / 6,600 = 21 / 100
    assert damped_micro(50, scenario) == 11  # 10.5
    assert damped_micro(-50, scenario) == -10
    assert damped_micro(-50, FIRST_TAIL - 1) == -50


def test_a_moved_forward_rounds_halves_upwards() -> None:
    assert moved_micro(50, MOVE_PERCENT.index(1)) == 51  # 50.5
    assert moved_micro(50, MOVE_PERCENT.index(-1)) == 50  # 49.5


@pytest.mark.parametrize(
    ("days", "factor"),
    # (30 / days) ** p as the published models give it
    [(1, 2.7742), (7, 1.5474), (15, 1.2311), (30, 1.0), (60, 0.9138), (365, 0.7227)],
)
def test_shocks_are_the_published_ones(days: int, factor: float) -> None:
    up, same, down = shock_factors_q30(days * DAY)
    assert same == ONE_Q30
    assert up / ONE_Q30 == pytest.approx(1 + 0.5 * factor, abs=1e-4)
    assert down / ONE_Q30 == pytest.approx(1 - 0.3 * factor, abs=1e-4)


def test_shocks_stop_growing_below_a_day_and_the_downward_one_stays_positive() -> None:
    day = shock_factors_q30(DAY)
    assert shock_factors_q30(1) == day
    assert shock_factors_q30(-5) == day
    assert day[DOWN] > 0
    assert day[UP] < 4 * ONE_Q30 // 3 * 2, "a deviation below 1.5 stays below 4"


def test_the_term_counts_in_seconds_and_p_changes_without_a_jump() -> None:
    assert shock_factors_q30(7 * DAY) != shock_factors_q30(7 * DAY + 1)
    at, beyond = shock_factors_q30(30 * DAY), shock_factors_q30(30 * DAY + 1)
    assert at == (3 * ONE_Q30 // 2, ONE_Q30, ONE_Q30 - 3 * ONE_Q30 // 10)
    assert 0 <= at[UP] - beyond[UP] < 100


def test_from_its_expiry_on_an_option_is_worth_its_intrinsic_value_and_moves_no_more() -> None:
    kinds = np.array([CALL, PUT], dtype=np.int64)
    strikes = np.array([STRIKE_MICRO, STRIKE_MICRO], dtype=np.int64)
    logarithms = np.array([ln_q30(STRIKE_MICRO)] * 2, dtype=np.int64)
    for seconds in (0, -1):
        marks, rows = price_expiry(kinds, strikes, logarithms, MARK, seconds)
        assert marks.tolist() == [FORWARD_MICRO - STRIKE_MICRO, 0]
        assert not rows.any()
        option = (PUT, STRIKE_MICRO, ln_q30(STRIKE_MICRO), MARK, seconds)
        assert scenario_value_micro(*option, 0) == 0
        assert scenario_profit_micro(*option, 0) == 0


def test_an_expiry_without_options_has_no_rows() -> None:
    nothing = np.array([], dtype=np.int64)
    for seconds in (0, DAY):
        marks, rows = price_expiry(nothing, nothing, nothing, MARK, seconds)
        assert marks.shape == (0,)
        assert rows.shape == (0, SCENARIO_COUNT)


def test_prices_keep_the_order_in_which_options_come() -> None:
    strikes = [STRIKE_MICRO, 800_000_000, STRIKE_MICRO, 1_200_000_000, 800_000_000]
    kinds = [PUT, CALL, CALL, PUT, CALL]
    marks, rows = price_expiry(
        np.array(kinds, dtype=np.int64),
        np.array(strikes, dtype=np.int64),
        np.array([ln_q30(strike) for strike in strikes], dtype=np.int64),
        MARK,
        DAY,
    )
    for i, (kind, strike) in enumerate(zip(kinds, strikes, strict=True)):
        option = (kind, strike, ln_q30(strike), MARK, DAY)
        assert marks[i] == scenario_value_micro(*option, BASE_SCENARIO)
        assert rows[i, 0] == scenario_profit_micro(*option, 0)


def test_between_the_nodes_of_the_normal_table_array_and_scalar_are_one() -> None:
    xs = range(-LIMIT_Q30, LIMIT_Q30, 400_009)
    assert normal_q29_array(np.array(xs, dtype=np.int64)).tolist() == [normal_q29(x) for x in xs]


def test_the_ends_of_the_normal_table_are_none_and_all() -> None:
    """Solidity leaves the table out beyond them."""
    assert normal_q29(-LIMIT_Q30) == 0
    assert normal_q29(LIMIT_Q30) == 1 << 29
    assert normal_q29(0) == 1 << 28


@pytest.mark.parametrize(
    ("parameter", "changed"),
    [
        (FORWARD, {"forward_micro": 0}),
        (FORWARD, {"forward_micro": -1}),
        (FORWARD, {"forward_micro": parameters.MAX_FORWARD_MICRO + 1}),
        (SVI_A, {"a": 1 << 31}),
        (SVI_A, {"a": -(1 << 31) - 1}),
        (SVI_B, {"b": -1}),
        (SVI_B, {"b": 1 << 31}),
        (SVI_RHO, {"rho": ONE_Q30 + 1}),
        (SVI_RHO, {"rho": -ONE_Q30 - 1}),
        (SVI_M, {"m": 1 << 31}),
        (SVI_SIGMA, {"sigma": 0}),
        (SVI_SIGMA, {"sigma": 1 << 31}),
        (LEAST_VARIANCE, {"a": -1, "b": 0}),
        (LEAST_VARIANCE, {"a": -1, "rho": ONE_Q30}),
        (DEVIATION, {"a": 9 * ONE_Q30 // 4 - (1 << 29), "b": ONE_Q30, "sigma": ONE_Q30 // 2}),
    ],
)
def test_the_door_names_what_is_out_of_bounds(parameter: int, changed: dict[str, int]) -> None:
    mark = MARK._replace(**changed)
    reject = check_marks(12, mark, [ln_q30(max(mark.forward_micro, 1))])
    assert reject == Reject(MARK_OUT_OF_BOUNDS, 12, parameter)
    assert "expiry 12" in reject.message


def test_the_door_asks_every_listed_strike() -> None:
    near, far = ln_q30(STRIKE_MICRO), ln_q30(1)
    assert check_marks(3, MARK, []) is None
    assert check_marks(3, MARK, [near]) is None
    assert check_marks(3, MARK, [near, far]) == Reject(MARK_OUT_OF_BOUNDS, 3, LOG_MONEYNESS)


def test_least_variance_is_compared_exactly() -> None:
    """a may be -b sigma sqrt(1 - rho^2) to the last unit, no less."""
    half = ONE_Q30 // 2
    level = MARK._replace(b=half, sigma=half, rho=0, a=-ONE_Q30 // 4)
    assert check_marks(0, level) is None
    assert check_marks(0, level._replace(a=level.a - 1)) is not None
    tilted = level._replace(rho=3 * ONE_Q30 // 5, a=-ONE_Q30 // 5 + 1)  # 0.5 x 0.5 x 0.8 = 0.2
    assert check_marks(0, tilted) is None
    assert check_marks(0, tilted._replace(a=tilted.a - 2)) is not None


def test_an_index_has_the_bounds_of_a_forward() -> None:
    assert check_index(0, 1) is None
    assert check_index(0, parameters.MAX_FORWARD_MICRO) is None
    for index in (-1, 0, parameters.MAX_FORWARD_MICRO + 1):
        assert check_index(4, index) == Reject(MARK_OUT_OF_BOUNDS, 4, INDEX)


def test_the_largest_forward_stays_below_2_to_the_34_after_the_largest_tail() -> None:
    largest = parameters.MAX_FORWARD_MICRO
    assert moved_micro(largest, SCENARIO_COUNT - 1) < 1 << 34
    assert moved_micro(largest + 1, SCENARIO_COUNT - 1) >= 1 << 34


def test_the_normal_table_is_what_its_script_computes() -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "make_normal_table.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
