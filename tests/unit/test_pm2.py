"""Derive's model beside ours: `margin/analytics/pm2.py` against a scalar twin and by hand."""

from math import erf, exp, log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margin.analytics.pm2 import (
    ABSOLUTE,
    BASIS,
    DOWN,
    LINEAR,
    SAME,
    SCENARIOS,
    UP,
    Option,
    Parameters,
    Scenario,
    pm2_margin,
    pm2_of,
)
from matching.instruments import CALL, PUT
from tests.floor import BTC_INDEX, CALL_90, ETH_INDEX, ETH_PERP, FUT, MARCH, PERP, open_floor

DAY_S = 86_400
YEAR_S = 365 * DAY_S
INDEX = 95_000.0


def black76(kind: int, forward: float, strike: float, volatility: float, seconds: int) -> float:
    deviation = volatility * sqrt(seconds / YEAR_S)
    sign = 1 if kind == CALL else -1
    if deviation < 1e-9:
        return max(sign * (forward - strike), 0.0)
    d1 = log(forward / strike) / deviation + deviation / 2
    n = [(1 + erf(sign * d / sqrt(2))) / 2 for d in (d1, d1 - deviation)]
    return sign * (forward * n[0] - strike * n[1])


def plain_vol(option: Option, way: str) -> float:
    p, days = Parameters(), max(option.seconds / DAY_S, 1)
    f = (30 / days) ** (0.3 if days <= 30 else 0.13)
    root = sqrt(option.seconds / YEAR_S)
    if way == UP:
        return max(option.volatility * (1 + 0.5 * f), p.least_vol_up)
    if way == DOWN:
        return option.volatility * max(1 - 0.3 * f, 0)
    if way == SAME:
        return option.volatility
    cap = (p.linear_cap if way == LINEAR else p.absolute_cap) + p.cap_per_root_year * root
    width = max(root * p.width_scale * (p.width_vol + p.width_vol_per_root_year * root), 0.01)
    k = log(option.strike / option.forward)
    k = abs(k) if way == ABSOLUTE else k
    return option.volatility * max(1 + max(-cap, min(cap, k * cap / width)), 0)


def plain_value(options: list[Option], spot: float, way: str) -> float:
    return sum(
        o.units * black76(o.kind, o.forward * spot, o.strike, plain_vol(o, way), o.seconds)
        for o in options
    )


def plain_margin(options: list[Option], perpetual: float) -> tuple[float, float]:
    p = Parameters()
    least, naked = 0.0, 0.0
    by_expiry = [[o for o in options if o.seconds == s] for s in {o.seconds for o in options}]
    for held in by_expiry:
        mark = plain_value(held, 1, SAME)
        moved = [plain_value(held, spot, SAME) - mark for spot in (p.basis_up, p.basis_down)]
        years = held[0].seconds / YEAR_S
        least += min(0, *moved) * (p.basis_add + p.basis_per_year * years)
        for strike in {o.strike for o in held}:
            at = [o.units for o in held if o.strike == strike]
            naked += max(-sum(u for u in at if u < 0) - sum(u for u in at if u > 0), 0)
    for scenario in SCENARIOS:
        gain = perpetual * INDEX * (scenario.spot - 1) * scenario.damping
        for held in by_expiry:
            years = held[0].seconds / YEAR_S
            value = plain_value(held, scenario.spot, scenario.volatility)
            if value > 0:
                value *= p.long_discount * exp(-years * p.long_rate_add)
            one = (value - plain_value(held, 1, SAME)) * scenario.damping
            gain += -abs(one) if scenario.volatility in (LINEAR, ABSOLUTE) else one
        least = min(least, gain)
    more = abs(perpetual) * INDEX
    maintenance = 0.03 * more + 0.003 * naked * INDEX - 0.8 * least
    return maintenance + 0.01 * more + 0.002 * naked * INDEX - 0.2 * least, maintenance


options = st.builds(
    Option,
    st.sampled_from((CALL, PUT)),
    st.sampled_from((60_000.0, 95_000.0, 100_000.0, 160_000.0)),
    st.just(96_000.0),
    st.floats(0.2, 1.5),
    st.sampled_from((DAY_S // 2, 10 * DAY_S, 70 * DAY_S, 400 * DAY_S)),
    st.floats(-20, 20),
)


@settings(max_examples=60)
@given(st.lists(options, max_size=5), st.floats(-20, 20))
def test_any_portfolio_needs_what_the_plain_sum_says(held: list[Option], perpetual: float) -> None:
    found = pm2_margin(held, perpetual, INDEX)
    initial, maintenance = plain_margin(held, perpetual)
    assert found.initial == pytest.approx(initial, rel=1e-6, abs=1e-2)
    assert found.maintenance == pytest.approx(maintenance, rel=1e-6, abs=1e-2)


def test_the_scenarios_are_the_published_ones() -> None:
    assert len(SCENARIOS) == len(set(SCENARIOS)) == 33
    ordinary = [s for s in SCENARIOS if s.damping == 1 and s.volatility in (UP, SAME, DOWN)]
    assert len(ordinary) == 23
    assert sorted({round(100 * (s.spot - 1), 1) for s in ordinary}) == [
        -18, -13.5, -9, -4.5, 0, 4.5, 9, 13.5, 18,
    ]  # fmt: skip
    tails = {round(100 * (s.spot - 1)): s.damping for s in SCENARIOS if s.damping != 1}
    assert tails == {
        -66: 0.21, -33: 0.42, 50: 0.27, 100: 0.13, 200: 0.069, 300: 0.046, 400: 0.034, 500: 0.027,
    }  # fmt: skip


def test_a_perpetual_needs_18_percent_and_its_contingencies() -> None:
    for units in (2.0, -2.0):
        found = pm2_margin([], units, INDEX)
        assert found.initial == pytest.approx(2 * INDEX * (0.18 + 0.04))
        assert found.maintenance == pytest.approx(2 * INDEX * (0.8 * 0.18 + 0.03))
        assert found.worst == Scenario(1.18 if units < 0 else 0.82, UP)
    assert pm2_margin([], 0.0, INDEX)[:2] == (0.0, 0.0)


def test_a_depegged_stablecoin_raises_initial_margin_alone() -> None:
    whole, broken = pm2_margin([], 1.0, INDEX), pm2_margin([], 1.0, INDEX, 0.93)
    assert broken.maintenance == whole.maintenance
    assert broken.initial - whole.initial == pytest.approx(INDEX * 0.18 * 0.05 * 4)


def test_a_book_that_only_a_basis_moves_is_charged_for_it() -> None:
    """One synthetic forward against the perpetual: no spot scenario hurts it by much."""
    synthetic = [
        Option(CALL, INDEX, INDEX, 0.5, 300 * DAY_S, 1.0),
        Option(PUT, INDEX, INDEX, 0.5, 300 * DAY_S, -1.0),
    ]
    parameters = Parameters(long_discount=1.0, long_rate_add=0.0)
    found = pm2_margin(synthetic, -1.0, INDEX, parameters=parameters)
    assert found.worst == Scenario(1.0, BASIS)
    loss = INDEX * 0.05 * (0.25 + 0.01 * 300 / 365)
    assert found.maintenance == pytest.approx(0.8 * loss + 0.03 * INDEX, rel=1e-9)


def test_underlyings_add_up_and_an_empty_account_needs_nothing() -> None:
    floor = open_floor(2, 10**15)
    portfolio, account = floor.state.portfolio, floor.account(0)
    assert pm2_of(portfolio, account)[:2] == (0.0, 0.0)
    for number, lots in ((PERP, 50), (FUT, -20), (ETH_PERP, -300)):
        price = floor.near(number)
        floor.submit(floor.sign(1, 1 if lots > 0 else 0, price, abs(lots), number))
        floor.submit(floor.sign(0, 0 if lots > 0 else 1, price, abs(lots), number))
    btc = 0.3 * BTC_INDEX / 1e4 * 0.22  # net 0.3 BTC: no basis between linear instruments
    eth = 30 * ETH_INDEX / 1e5 * 0.22
    assert pm2_of(portfolio, account).initial == pytest.approx(btc + eth, rel=1e-6)


def test_an_option_that_has_expired_and_waits_for_its_settlement_has_a_margin_still() -> None:
    floor = open_floor(2, 10**15)
    price = floor.near(CALL_90)
    floor.submit(floor.sign(1, 0, price, 50, CALL_90))
    floor.submit(floor.sign(0, 1, price, 50, CALL_90))
    floor.advance(MARCH + 60 - floor.time_s)
    floor.mark(0, BTC_INDEX)
    found = pm2_of(floor.state.portfolio, floor.account(0))
    assert 0 < found.maintenance < found.initial < float("inf")
