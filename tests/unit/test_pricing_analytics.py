"""Float pricing, the carried chain and the fit, against Deribit's published figures."""

import csv
import gzip
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin.analytics.black76_float import (
    SECONDS_PER_YEAR,
    Floats,
    Greeks,
    greeks,
    implied_volatility,
    option_price,
)
from margin.analytics.chain import SNAPSHOT, Chain, ExpiryQuotes, OptionQuote, load_chain
from margin.analytics.mark_greeks import mark_greeks, mark_volatility
from margin.analytics.svi_fit import (
    Observed,
    Smile,
    fit_chain,
    fit_expiry,
    fit_smile,
    half_spread_usd,
    observe,
)
from margin.fixed_point import ln_q30
from margin.rows import price_expiry
from margin.scenarios import MOVE_PERCENT, VOL_SHOCK, damped_micro, shock_factors_q30
from margin.svi import ExpiryMark, check_marks, deviation_q30
from matching.instruments import CALL, PUT
from scripts.carry_snapshot import COLUMNS, carry

MICRO_PER_USD = 10_000
"""Micro-USDC per lot in a USDC per BTC."""


@pytest.fixture(scope="module")
def chain() -> Chain:
    return load_chain()


@pytest.fixture(scope="module")
def marks(chain: Chain) -> dict[int, ExpiryMark]:
    return fit_chain(chain)


def priced(quotes: ExpiryQuotes, mark: ExpiryMark, time_s: int) -> tuple[np.ndarray, np.ndarray]:
    return price_expiry(
        np.array([option.kind for option in quotes.options], dtype=np.int64),
        np.array([option.strike_micro for option in quotes.options], dtype=np.int64),
        np.array([ln_q30(option.strike_micro) for option in quotes.options], dtype=np.int64),
        mark,
        quotes.expiry_time_s - time_s,
    )


# THE CHAIN


def test_the_chain_has_684_options_653_of_them_two_sided_on_12_expiries(chain: Chain) -> None:
    options = list(chain.options)
    assert len(options) == 684
    assert sum(option.is_two_sided for option in options) == 653
    assert len(chain.expiries) == 12
    assert [expiry.label for expiry in chain.expiries[:4]] == [
        "16JAN26",
        "17JAN26",
        "18JAN26",
        "19JAN26",
    ]
    assert all(e.expiry_time_s < f.expiry_time_s for e, f in pairwise(chain.expiries))
    assert chain.time_s == 1_768_521_118  # 15 January 2026, 23:51:58 UTC
    assert chain.index_micro == pytest.approx(955_805_900)


def test_quotes_are_ticks_and_lots_and_none_is_better_than_the_real_one(chain: Chain) -> None:
    for option in chain.options:
        assert option.kind in (CALL, PUT)
        assert (option.bid_ticks > 0) == (option.bid_lots > 0)
        assert (option.ask_ticks > 0) == (option.ask_lots > 0)
        if option.is_two_sided:
            assert option.bid_ticks < option.ask_ticks
    first = next(option for option in chain.options if option.name == "BTC-16JAN26-75000-C")
    # 0.2145 and 0.2160 BTC at a forward of 95,591.61
    assert (first.bid_ticks, first.ask_ticks) == (20_504, 20_648)
    assert (first.bid_lots, first.ask_lots) == (270, 300)


def test_a_price_in_btc_is_the_forward_price_over_the_forward(chain: Chain) -> None:
    """The reason for the conversion: Deribit's marks lie between bid and ask in USDC only so."""
    inside = [
        option.bid_ticks <= _marked(option) <= option.ask_ticks
        for option in chain.options
        if option.is_two_sided
    ]
    assert sum(inside) / len(inside) > 0.95


def _marked(option: OptionQuote) -> float:
    years = (option.expiry_time_s - option.time_ms / 1000) / SECONDS_PER_YEAR
    price = option_price(option.kind, option.forward_usd, option.strike_usd, option.mark_iv, years)
    return float(price)


def test_carrying_a_record_renames_and_chooses_columns_and_touches_no_figure(
    tmp_path: Path,
) -> None:
    """The shipped figures under Deribit's names, in another order, with a column too many."""
    shipped = files("margin.analytics").joinpath("data", SNAPSHOT).read_bytes()
    rows = list(csv.DictReader(gzip.decompress(shipped).decode().splitlines()))
    recorded = [{old: row[new] for new, old in COLUMNS.items()} | {"state": "open"} for row in rows]
    with gzip.open(tmp_path / "recorded.csv.gz", "wt", newline="") as file:
        writer = csv.DictWriter(file, list(recorded[0]))
        writer.writeheader()
        writer.writerows(reversed(recorded))
    carried = tmp_path / "carried.csv.gz"
    assert carry(tmp_path / "recorded.csv.gz", carried) == 684
    assert gzip.decompress(carried.read_bytes()) == gzip.decompress(shipped)


# GREEKS


def test_greeks_are_deribits(chain: Chain) -> None:
    """684 options at their own moments. Tolerances in shares of the expiry's largest: published
    volatilities are rounded to 1/100 of a point, and over the last hours seconds count.
    """
    for expiry in chain.expiries:
        mine = _greeks_of(expiry)
        is_last_day = expiry.expiry_time_s - chain.time_s < 86_400
        tolerance = 7e-4 if is_last_day else 2.2e-4
        for name in ("delta", "vega", "theta", "rho"):
            published = np.array([getattr(o.published, name) for o in expiry.options])
            error = np.abs(getattr(mine, name) - published).max() / np.abs(published).max()
            assert error < tolerance, (expiry.label, name, error)
        gamma = np.array([option.published.gamma for option in expiry.options])
        assert np.abs(mine.gamma - gamma).max() < 5.1e-6  # published to five digits


def test_delta_is_deribits_to_one_in_8000(chain: Chain) -> None:
    for expiry in chain.expiries:
        delta = np.array([option.published.delta for option in expiry.options])
        assert np.abs(_greeks_of(expiry).delta - delta).max() < 1.2e-4


def _greeks_of(expiry: ExpiryQuotes) -> Greeks:
    options = expiry.options
    return greeks(
        [option.kind for option in options],
        [option.forward_usd for option in options],
        [float(option.strike_usd) for option in options],
        [option.mark_iv for option in options],
        [(option.expiry_time_s - option.time_ms / 1000) / SECONDS_PER_YEAR for option in options],
    )


def test_implied_volatilities_of_quotes_are_deribits(chain: Chain) -> None:
    """A bid lies between its ticks rounded down and one more, an ask between its ticks rounded up
    and one less, so its volatility does too: to 0.15 points for 98% (forwards are a moment older),
    and to 0.7 for all (some volatilities are those of the best quote before).
    """
    errors: list[float] = []
    for option in chain.options:
        years = (option.expiry_time_s - option.time_ms / 1000) / SECONDS_PER_YEAR
        for ticks, published in (
            (option.bid_ticks, option.bid_iv),
            (option.ask_ticks - 1, option.ask_iv),
        ):
            if published > 0 and option.published.vega > 5:
                low, high = implied_volatility(
                    option.kind, option.forward_usd, option.strike_usd, [ticks, ticks + 1], years
                )
                # a bid that rounds down to its intrinsic value has no lower end
                errors.append(max(published - high, 0 if np.isnan(low) else low - published))
    assert len(errors) > 900
    assert np.mean(np.array(errors) < 0.0015) > 0.98
    assert max(errors) < 0.007


@given(
    st.sampled_from([CALL, PUT]),
    st.floats(-2.0, 2.0),
    st.floats(0.02, 4.0),
    st.floats(1e-3, 3.0),
)
def test_an_implied_volatility_gives_its_price_back(
    kind: int, k: float, volatility: float, years: float
) -> None:
    strike = float(np.exp(k))
    price = option_price(kind, 1.0, strike, volatility, years)
    found = implied_volatility(kind, 1.0, strike, price, years)
    if np.isnan(found):
        intrinsic = max(1.0 - strike if kind == CALL else strike - 1.0, 0.0)
        assert price - intrinsic < 1e-15, "nothing above its intrinsic value in double precision"
    else:
        again = option_price(kind, 1.0, strike, found, years)
        assert float(again) == pytest.approx(float(price), rel=1e-11, abs=3e-16 * (1 + strike))


@pytest.mark.parametrize("price", [-1.0, 0.0, 5.0, 100.0, 101.0, np.nan, np.inf])
def test_an_impossible_price_has_no_volatility(price: float) -> None:
    assert np.isnan(implied_volatility(CALL, 100.0, 95.0, price, 0.5))


def test_an_expired_option_has_no_volatility_and_its_intrinsic_price() -> None:
    assert np.isnan(implied_volatility(CALL, 100.0, 95.0, 6.0, 0.0))
    ended = greeks([CALL, PUT], 100.0, 95.0, 0.5, 0.0)
    assert ended.price.tolist() == [5.0, 0.0]
    assert ended.theta.tolist() == [0.0, 0.0]


# THE FIT


def test_every_fitted_mark_passes_the_door(chain: Chain, marks: dict[int, ExpiryMark]) -> None:
    for expiry in chain.expiries:
        logarithms = [ln_q30(option.strike_micro) for option in expiry.options]
        assert check_marks(0, marks[expiry.expiry_time_s], logarithms) is None


def test_marks_lie_inside_the_quotes(chain: Chain, marks: dict[int, ExpiryMark]) -> None:
    """Of the 653 two-sided options, 98% are marked between bid and ask (97% of Deribit's own marks
    are), and the rest within two more half-spreads.
    """
    distances: list[float] = []
    for expiry in chain.expiries:
        prices, _ = priced(expiry, marks[expiry.expiry_time_s], chain.time_s)
        for option, price in zip(expiry.options, prices.tolist(), strict=True):
            if option.is_two_sided:
                middle = 0.5 * (option.bid_ticks + option.ask_ticks)
                error = abs(price / MICRO_PER_USD - middle)
                distances.append(error / half_spread_usd(option))
    assert len(distances) == 653
    assert np.mean(np.array(distances) <= 1.01) > 0.98
    assert np.median(distances) < 0.2
    assert max(distances) < 3.0


def test_fitted_volatilities_are_the_quotes(chain: Chain, marks: dict[int, ExpiryMark]) -> None:
    for expiry in chain.expiries:
        seconds = expiry.expiry_time_s - chain.time_s
        seen = observe(expiry, chain.time_s)
        fitted = _volatility_at(marks[expiry.expiry_time_s], seen.k, seconds)
        points = 100 * np.abs(fitted - seen.volatility)
        assert np.median(points) < (0.7 if seconds < 86_400 else 0.4), expiry.label
        assert points.max() < 3.1, expiry.label


def _volatility_at(mark: ExpiryMark, k: Floats, seconds: int) -> Floats:
    deviations = [deviation_q30(round(x * 2**30), mark) for x in k.tolist()]
    return np.array(deviations) / 2**30 / np.sqrt(seconds / SECONDS_PER_YEAR)


def test_no_butterfly_and_no_calendar_spread_is_free(chain: Chain) -> None:
    """Durrleman's condition over all listed strikes; total variance grows where both are listed."""
    earlier: tuple[Smile, float, float] | None = None
    for expiry in chain.expiries:
        years = (expiry.expiry_time_s - chain.time_s) / SECONDS_PER_YEAR
        seen = observe(expiry, chain.time_s)
        smile = fit_smile(seen, years)
        ks = [float(np.log(o.strike_usd / expiry.forward_usd)) for o in expiry.options]
        assert smile.butterfly(np.linspace(min(ks), max(ks), 400)).min() > 0, expiry.label
        if earlier is not None:
            before, low, high = earlier
            common = np.linspace(max(low, seen.k.min()), min(high, seen.k.max()), 200)
            assert (smile.total_variance(common) > before.total_variance(common)).all()
        earlier = smile, float(seen.k.min()), float(seen.k.max())


@given(
    st.lists(
        st.tuples(st.floats(-1.5, 1.5), st.floats(0.01, 5.0), st.floats(1e-4, 1.0)),
        min_size=1,
        max_size=12,
    ),
    st.floats(1e-4, 3.0),
    st.integers(1, 2_863_311_530),
)
def test_whatever_is_observed_a_mark_comes_out_that_the_door_can_judge(
    points: list[tuple[float, float, float]], years: float, forward: int
) -> None:
    """Crossed, contradictory, a single point, the last hour: within all bounds but the strikes'."""
    observed = Observed(*np.array(points, dtype=np.float64).T)
    smile = fit_smile(observed, years)
    mark = smile.rounded(forward)
    assert check_marks(0, mark) is None
    assert max(smile.left_slope, smile.right_slope) <= 2  # Lee: b (1 + |rho|) <= 2


@given(*[st.floats(1e-6, 1.25)] * 2, st.floats(-1.9, 1.9), st.floats(1e-5, 1.55))
def test_a_smile_that_touches_no_variance_is_rounded_to_the_lawful_side(
    left: float, right: float, m: float, sigma: float
) -> None:
    assert check_marks(0, Smile(0.0, left, right, m, sigma).rounded(955_861_600)) is None


def test_one_volatility_makes_a_smile_through_it() -> None:
    one = Observed(np.array([0.05]), np.array([0.6]), np.array([0.01]))
    smile = fit_smile(one, 0.1)
    assert np.sqrt(smile.total_variance(one.k) / 0.1) == pytest.approx([0.6], abs=0.002)


def test_an_expiry_without_quotes_is_fitted_to_deribits_marks(chain: Chain) -> None:
    expiry = chain.expiries[8]
    silent = expiry._replace(
        options=tuple(o._replace(bid_ticks=0, bid_lots=0, bid_iv=0.0) for o in expiry.options)
    )
    mark = fit_expiry(silent, chain.time_s)
    quoted = fit_expiry(expiry, chain.time_s)
    seconds = expiry.expiry_time_s - chain.time_s
    k = np.linspace(-0.3, 0.3, 13)
    apart = _volatility_at(mark, k, seconds) - _volatility_at(quoted, k, seconds)
    assert np.abs(apart).max() < 0.01


# INTEGERS AGAINST FLOATS


def test_integer_marks_and_scenarios_are_the_float_ones_to_a_few_micro(
    chain: Chain, marks: dict[int, ExpiryMark]
) -> None:
    """All 684 x 119 values. docs/margin.md, 4: a mark within 4 micro-USDC per lot (0.0004 USDC per
    BTC), a scenario within 10.
    """
    worst_mark = worst_scenario = 0.0
    for expiry in chain.expiries:
        mark = marks[expiry.expiry_time_s]
        prices, rows = priced(expiry, mark, chain.time_s)
        expected = _float_values(expiry, mark, chain.time_s)
        worst_mark = max(worst_mark, float(np.abs(prices - expected[:, 55]).max()))
        gains = expected - expected[:, 55:56]
        damping = np.array([damped_micro(10**6, i) / 10**6 for i in range(119)])
        worst_scenario = max(worst_scenario, float(np.abs(rows - gains * damping).max()))
    assert 1 < worst_mark < 4
    assert 1 < worst_scenario < 10


def _float_values(expiry: ExpiryQuotes, mark: ExpiryMark, time_s: int) -> Floats:
    """Black-76 and SVI in double precision: float64[options, 119], micro-USDC per lot."""
    a, b, rho, m, sigma = (x / 2**30 for x in mark[1:])
    strikes = np.array([float(option.strike_micro) for option in expiry.options])
    d = np.log(strikes / mark.forward_micro) - m
    w = np.maximum(a + b * (rho * d + np.sqrt(d * d + sigma * sigma)), 0.0)
    factors = np.array(shock_factors_q30(expiry.expiry_time_s - time_s)) / 2**30
    deviations = np.sqrt(w)[:, None] * factors[np.array(VOL_SHOCK)]
    forwards = mark.forward_micro * (100 + np.array(MOVE_PERCENT, dtype=np.float64)) / 100
    kinds = np.array([option.kind for option in expiry.options])[:, None]
    return option_price(kinds, forwards, strikes[:, None], deviations, 1.0)


def test_the_ticker_says_the_volatility_and_the_greeks_of_the_mark(
    chain: Chain, marks: dict[int, ExpiryMark]
) -> None:
    expiry = chain.expiries[5]
    mark, seconds = marks[expiry.expiry_time_s], expiry.expiry_time_s - chain.time_s
    strikes = [option.strike_micro for option in expiry.options]
    kinds = [option.kind for option in expiry.options]
    volatility, shown = mark_greeks(kinds, strikes, mark, seconds, lot_e8=1_000_000)
    prices, _ = priced(expiry, mark, chain.time_s)
    assert np.abs(shown.price * MICRO_PER_USD - prices).max() < 4
    assert volatility == pytest.approx(
        mark_volatility([ln_q30(strike) for strike in strikes], mark, seconds)
    )
    published = np.array([option.published.delta for option in expiry.options])
    assert np.abs(shown.delta - published).max() < 0.02
