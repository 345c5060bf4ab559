"""Feeds: recorded, made up and broken; what comes of them at an exchange."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.commands import ReportPrices
from exchange.events import HOLD_REASONS, REPORT_REASONS, Event
from exchange.oracle import quotes
from exchange.oracle.arbitrage import butterfly_strike, calendar_strike
from exchange.oracle.faults import FAULTS, FaultyFeed, struck
from exchange.oracle.feed import (
    Feed,
    Listed,
    Reporter,
    Silence,
    Smile,
    Snapshot,
    flattened,
    reporters_of,
    smile_at,
)
from exchange.oracle.feeding import listed_expiries
from exchange.oracle.file_feed import CHAIN, CRASH, FileFeed
from exchange.oracle.quotes import OptionPrice, pass_prices, prices_of, quote_fault
from exchange.oracle.synthetic_feed import (
    BTC,
    ETH,
    Dynamics,
    SyntheticFeed,
    Together,
    expected_variance,
    ssvi,
)
from margin.fixed_point import ln_q30
from margin.svi import ExpiryMark, check_marks, deviation_q30
from matching.instruments import CALL
from matching.rejects import (
    FORWARD_OFF,
    REPORT_OUT_OF_BOUNDS,
    SMILE_ARBITRAGE,
    Reject,
)
from matching.trading_states import CANCEL_ONLY, OPEN
from settlement.price_reports import price_report_hash
from settlement.signature import recover
from settlement.signed_messages import domain_separator, signing_digest
from tests.floor import BTC_INDEX, CHAIN_ID, NS, SETTLEMENT, START_S, Floor, of_type, open_floor
from tests.reporting import arm

SEPARATOR = domain_separator(CHAIN_ID, SETTLEMENT)
SECRETS = [bytes((number,)) * 32 for number in (0x11, 0x22, 0x33)]
NAMES = {"BTC": 0, "ETH": 1}


def snapshots(feed: Feed) -> list[Snapshot]:
    return [moment for moment in feed.moments() if isinstance(moment, Snapshot)]


def strikes_around(forward_micro: int) -> list[tuple[int, int]]:
    strikes = [forward_micro * percent // 100 for percent in range(40, 251, 5)]
    return [(strike, ln_q30(strike)) for strike in strikes]


def strikes_within(mark: ExpiryMark, deviations: int) -> list[tuple[int, int]]:
    """Strikes within so many deviations of the forward, and a third to three times it: beyond them
    nobody quotes.
    """
    reach = min(deviations * deviation_q30(0, mark) / 2**30, math.log(3.0))
    strikes = [round(mark.forward_micro * math.exp(at * reach / 16)) for at in range(-16, 17)]
    return [(strike, ln_q30(strike)) for strike in strikes]


def mark_of(smile: Smile, lot_usd: int) -> ExpiryMark:
    return ExpiryMark(round(smile.forward_usd * lot_usd), *smile.svi)


# RECORDINGS


def test_the_crash_ships_whole_and_falls_as_it_did() -> None:
    found = snapshots(FileFeed(CRASH))
    btc = [s for s in found if s.underlying == "BTC"]
    eth = [s for s in found if s.underlying == "ETH"]
    assert (len(btc), len(eth)) == (28, 28)
    assert all(len(s.smiles) == 6 for s in found)
    assert [s.time_s for s in btc] == sorted(s.time_s for s in btc)
    assert btc[0].index_usd == pytest.approx(78_494.54)
    assert min(s.index_usd for s in btc) == pytest.approx(63_858.35)
    assert all(0 < x.expiry_time_s - s.time_s < 400 * 86_400 for s in found for x in s.smiles)


@pytest.mark.parametrize("name", [CHAIN, CRASH])
def test_a_recorded_smile_is_within_bounds_and_cannot_be_arbitraged_where_there_are_quotes(
    name: str,
) -> None:
    for snapshot in snapshots(FileFeed(name)):
        lot = 10_000 if snapshot.underlying == "BTC" else 100_000
        before: tuple[ExpiryMark, list[tuple[int, int]]] | None = None
        for smile in snapshot.smiles:
            mark = mark_of(smile, lot)
            strikes = strikes_around(mark.forward_micro)
            assert check_marks(0, mark) is None
            assert not butterfly_strike(mark, strikes_within(mark, deviations=3))
            if before is not None:
                assert not calendar_strike(before[0], mark, before[1])
            before = (mark, strikes)


def test_there_is_no_recording_of_another_name() -> None:
    with pytest.raises(KeyError):
        FileFeed("flash-crash-2010")


# MADE-UP MARKETS


def test_the_same_seed_gives_the_same_market_to_the_last_bit_and_another_another() -> None:
    one, same, other = (
        list(SyntheticFeed(seed, START_S, steps=40).moments()) for seed in (7, 7, 8)
    )
    assert one == same
    assert one[:2] == other[:2], "all begin at the same place"
    assert one[2:] != other[2:]
    feed = SyntheticFeed(7, START_S, steps=40)
    assert list(feed.moments()) == list(feed.moments()) == one


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from((5, 3_600, 86_400)))
def test_a_made_up_surface_never_has_arbitrage_nor_leaves_the_bounds(seed: int, step: int) -> None:
    for snapshot in snapshots(SyntheticFeed(seed, START_S, step, steps=4)):
        lot = 10_000 if snapshot.underlying == "BTC" else 100_000
        before: tuple[ExpiryMark, list[tuple[int, int]]] | None = None
        for smile in snapshot.smiles:
            mark = mark_of(smile, lot)
            strikes = strikes_around(mark.forward_micro)
            assert check_marks(0, mark) is None
            assert not butterfly_strike(mark, strikes)
            if before is not None:
                assert not calendar_strike(before[0], mark, before[1])
            before = (mark, strikes)


@given(st.floats(0.01, 6.25), st.floats(0.01, 6.25), st.floats(0.1, 20.0), st.floats(1e-4, 3.0))
def test_variance_until_an_expiry_rises_with_it(
    now: float, long_run: float, reversion: float, years: float
) -> None:
    dynamics = Dynamics("X", 1.0, long_run_variance=long_run, reversion=reversion)
    later = expected_variance(dynamics, now, years * 1.01)
    assert 0.0 < expected_variance(dynamics, now, years) < later
    total = expected_variance(dynamics, now, years)
    assert min(now, long_run) * years * 0.999 <= total <= max(now, long_run) * years * 1.001
    a, b, rho, m, sigma = (value / 2**30 for value in ssvi(0.04, dynamics))
    at_the_money = a + b * (rho * -m + math.hypot(m, sigma))
    assert at_the_money == pytest.approx(0.04, rel=1e-6)


def returns_of(feed: SyntheticFeed, underlying: str) -> np.ndarray:
    levels = [s.index_usd for s in snapshots(feed) if s.underlying == underlying]
    return np.diff(np.log(np.array(levels)))


def test_underlyings_move_together_as_much_as_they_are_told() -> None:
    quiet = [d._replace(jump_rate=0.0) for d in (BTC, ETH)]
    for correlation in (0.0, 0.8):
        together = Together(correlation, jump_rate=0.0)
        feed = SyntheticFeed(3, START_S, 3_600, 4_000, quiet, together, [START_S + 2**28])
        found = np.corrcoef(returns_of(feed, "BTC"), returns_of(feed, "ETH"))[0, 1]
        assert found == pytest.approx(correlation, abs=0.08)
        volatility = returns_of(feed, "BTC").std() * math.sqrt(365 * 24)
        assert volatility == pytest.approx(0.5, abs=0.08)


def test_a_common_jump_comes_to_all_at_once_and_lifts_the_surface() -> None:
    calm = [d._replace(jump_rate=0.0) for d in (BTC, ETH)]
    together = Together(0.8, jump_rate=400.0, jump_mean=-0.2, jump_deviation=0.0)
    feed = SyntheticFeed(5, START_S, 3_600, 200, calm, together)
    falls = [np.flatnonzero(returns_of(feed, name) < -0.1) for name in ("BTC", "ETH")]
    assert len(falls[0]) > 3
    assert falls[0].tolist() == falls[1].tolist()
    btc = [s for s in snapshots(feed) if s.underlying == "BTC"]
    at = int(falls[0][0])
    assert btc[at + 1].smiles[0].svi[0] > btc[at].smiles[0].svi[0]


# REPORTERS


def test_a_report_says_what_the_feed_shows_and_who_signed_it() -> None:
    floor = open_floor()
    (snapshot,) = snapshots(FileFeed(CHAIN))
    reporter = Reporter(SECRETS[0])
    listed = listed_expiries(floor.state, 0)
    report = reporter.report(snapshot, 0, 1_000_000, listed, START_S * 1_000)
    digest = signing_digest(SEPARATOR, price_report_hash(report))
    assert recover(digest, reporter.sign(report, SEPARATOR)) == reporter.address
    assert report.index_price == round(snapshot.index_usd * 10**8)
    assert [one[0] for one in report.expiries] == [0, 1]
    assert report.expiries[0][1:] != report.expiries[1][1:]
    assert reporter.report(snapshot, 0, 1_000_000, listed, START_S * 1_000).sequence == 2


def test_a_smile_goes_to_the_nearest_term_with_its_variance_in_proportion() -> None:
    smiles = tuple(
        Smile(START_S + term, 100.0 + at, (1_000, 2_000, 3, 4, 5))
        for at, term in enumerate((1_000, 10_000))
    )
    snapshot = Snapshot("BTC", START_S, 100.0, smiles)
    found = smile_at(snapshot, Listed(0, START_S + 2_500, ()), START_S + 500)
    assert found == (1.0, (2_000, 4_000, 3, 4, 5))
    found = smile_at(snapshot, Listed(0, START_S + 20_000, ()), START_S)
    assert found is not None
    assert found[0] == pytest.approx(1.01**2)
    assert smile_at(snapshot, Listed(0, START_S, ()), START_S) is None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1 << 27), st.integers(0, (1 << 31) - 1), st.integers(-(1 << 30), 1 << 30),
    st.integers(-(1 << 29), 1 << 29), st.integers(1, 1 << 30),
)  # fmt: skip
def test_a_flattened_smile_is_lawful_and_a_lawful_one_is_left_alone(
    a: int, b: int, rho: int, m: int, sigma: int
) -> None:
    mark = ExpiryMark(BTC_INDEX, a, b, rho, m, sigma)
    strikes = strikes_around(BTC_INDEX)
    ln_strikes = [ln_strike for _, ln_strike in strikes]
    found = flattened(mark, strikes)
    if found is not None:
        assert check_marks(0, found, ln_strikes) is None
        assert not butterfly_strike(found, strikes)
    if check_marks(0, mark, ln_strikes) is None and not butterfly_strike(mark, strikes):
        assert found == mark


# THE DOOR OF QUOTES

anything = st.floats(allow_nan=True, allow_infinity=True)


@given(st.builds(OptionPrice, st.just(CALL), anything, anything, anything))
def test_a_quote_is_finite_positive_and_not_crossed_or_turned_away(option: OptionPrice) -> None:
    values = option[1:]
    is_right = all(math.isfinite(x) and x > 0 for x in values) and option.bid_usd <= option.ask_usd
    assert (quote_fault(option) == "") == is_right


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(anything, anything), min_size=30, max_size=30), anything, anything)
def test_no_prices_make_the_door_raise_or_let_a_wrong_smile_through(
    spoiled: list[tuple[float, float]], index: float, forward: float
) -> None:
    (snapshot,) = snapshots(FileFeed(CHAIN))
    prices = prices_of(snapshot._replace(smiles=snapshot.smiles[6:8]))
    wrong = iter(spoiled)
    broken = prices._replace(
        index_usd=index,
        expiries=(
            prices.expiries[0]._replace(
                options=tuple(
                    o._replace(bid_usd=bid, ask_usd=ask)
                    for o, (bid, ask) in zip(prices.expiries[0].options, wrong, strict=False)
                )
            ),
            prices.expiries[1]._replace(forward_usd=forward),
        ),
    )
    moment = pass_prices(broken).moment
    if isinstance(moment, Snapshot):
        assert math.isfinite(moment.index_usd)
        assert moment.index_usd > 0
        for smile in moment.smiles:
            assert check_marks(0, ExpiryMark(BTC_INDEX, *smile.svi)) is None


def test_true_quotes_pass_and_give_the_smile_that_they_were_made_of() -> None:
    (snapshot,) = snapshots(FileFeed(CHAIN))
    passed = pass_prices(prices_of(snapshot))
    assert passed.turned_away == {}
    assert isinstance(passed.moment, Snapshot)
    for fitted, true in zip(passed.moment.smiles, snapshot.smiles, strict=True):
        years = (true.expiry_time_s - snapshot.time_s) / (365 * 86_400)
        ours, theirs = (
            math.sqrt((a + b * (-rho * m / 2**30 + math.hypot(m, sigma)) / 2**30) / 2**30 / years)
            for a, b, rho, m, sigma in (fitted.svi, true.svi)
        )
        assert ours == pytest.approx(theirs, rel=0.01)


def test_each_broken_quote_is_counted_under_its_reason() -> None:
    (snapshot,) = snapshots(FileFeed(CHAIN))
    prices = prices_of(snapshot._replace(smiles=snapshot.smiles[6:7]))
    (expiry,) = prices.expiries
    first, second, third, *others = expiry.options
    broken = (
        first._replace(bid_usd=math.nan),
        second._replace(ask_usd=0.0),
        third._replace(bid_usd=third.ask_usd * 2),
        *others,
    )
    passed = pass_prices(prices._replace(expiries=(expiry._replace(options=broken),)))
    assert passed.turned_away == {
        quotes.NOT_FINITE: 1,
        quotes.NOT_POSITIVE: 1,
        quotes.CROSSED: 1,
    }
    assert isinstance(passed.moment, Snapshot)


# BROKEN FEEDS AT AN EXCHANGE


class Fed:
    """A watched floor, an oracle of three reporters, each before a feed of its own."""

    def __init__(self, feeds: list[Feed]) -> None:
        self.floor: Floor = open_floor()
        self.reporters = [Reporter(secret, careless=True) for secret in SECRETS]
        addresses = [address for address, _ in reporters_of(self.reporters)]
        arm(self.floor, addresses, 2)
        self._moments: list[Iterator[Snapshot | Silence]] = [feed.moments() for feed in feeds]

    def step(self, seconds: int = 5) -> list[tuple[Event, ...]]:
        """What each reporter's report caused; nothing of one that was silent."""
        happened: list[tuple[Event, ...]] = []
        self.floor.time_ns += seconds * NS
        for reporter, moments in zip(self.reporters, self._moments, strict=True):
            moment = next(moments)
            if isinstance(moment, Silence):
                happened.append(())
                continue
            listed = listed_expiries(self.floor.state, 0)
            observed_ms = self.floor.time_ns // 10**6
            report = reporter.report(moment, 0, 1_000_000, listed, observed_ms)
            signature = reporter.sign(report, SEPARATOR)
            command = ReportPrices(
                self.floor.time_ns,
                *report,
                price_report_hash(report),
                reporter.address,
                signature,
            )
            happened.append(self.floor.send(command))
        return happened

    @property
    def state(self) -> int:
        return self.floor.state.trading.of_underlying(0)


def synthetic(seed: int = 1) -> SyntheticFeed:
    dynamics = BTC._replace(index_usd=95_586.16, variance=0.1, long_run_variance=0.1)
    return SyntheticFeed(seed, START_S, 5, None, [dynamics], Together(0.0, 0.0))


def refusals(happened: tuple[Event, ...]) -> list[int]:
    return [event.code for event in of_type(happened, e.CommandRejected)]


@pytest.mark.parametrize("fault", FAULTS)
def test_one_broken_feed_of_three_moves_nothing_and_stops_nothing(fault: str) -> None:
    whole = Fed([synthetic(), synthetic(), synthetic()])
    broken = Fed([synthetic(), synthetic(), FaultyFeed(synthetic(), fault, since=2)])
    for _ in range(8):
        whole.step()
        broken.step()
        assert broken.state == OPEN
        assert broken.floor.state.marks.index_micro == whole.floor.state.marks.index_micro
        assert broken.floor.state.marks.expiry_marks[1] == whole.floor.state.marks.expiry_marks[1]


TOLD = {
    "jump": "outlier",
    "arbitrage": SMILE_ARBITRAGE,
    "out-of-bounds": REPORT_OUT_OF_BOUNDS,
    "one-expiry": "counts",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_broken_is_turned_away_with_its_reason(fault: str) -> None:
    fed = Fed([synthetic(), synthetic(), FaultyFeed(synthetic(), fault, since=1)])
    fed.step()
    last = fed.step()[2]
    expected = TOLD.get(fault)
    if expected is None:
        (snapshot,) = [next(synthetic().moments())]
        assert isinstance(snapshot, Snapshot)
        moment = struck(snapshot, fault)
        assert isinstance(moment, Silence)
        assert moment.reason
        assert last == (), "nothing comes to the exchange"
    elif isinstance(expected, int):
        assert refusals(last) == [expected]
        assert Reject(expected).message
    else:
        reasons = [REPORT_REASONS[event.reason] for event in of_type(last, e.ReportDropped)]
        assert reasons == ([expected] if expected == "outlier" else [])


@pytest.mark.parametrize("fault", ["stop", "nan", "empty", "arbitrage"])
def test_when_all_feeds_break_the_underlying_stops_with_its_marks_and_comes_back(
    fault: str,
) -> None:
    class Pause:
        """Broken for ten moments."""

        def moments(self) -> Iterator[Snapshot | Silence]:
            for at, moment in enumerate(synthetic().moments()):
                assert isinstance(moment, Snapshot)
                yield struck(moment, fault) if 2 <= at < 12 else moment

    fed = Fed([Pause(), Pause(), Pause()])
    fed.step()
    fed.step()
    index = fed.floor.state.marks.index_micro[0]
    states: list[int] = []
    for _ in range(10):
        fed.step()
        fed.floor.advance(0)
        states.append(fed.state)
        assert fed.floor.state.marks.index_micro[0] == index
    assert (states[0], states[-1]) == (OPEN, CANCEL_ONLY)
    fed.step()
    assert fed.state == OPEN


def test_all_feeds_that_jump_by_half_are_heard_and_what_they_say_of_expiries_is_held() -> None:
    """It may be true: the index is for the breakers to judge."""
    jumped = [FaultyFeed(synthetic(), "jump", since=1) for _ in range(3)]
    fed = Fed([*jumped])
    fed.step()
    happened = [event for events in fed.step() for event in events]
    assert of_type(happened, e.OracleLost) or of_type(happened, e.MarksUpdated)
    index = fed.floor.state.marks.index_micro[0]
    assert index == pytest.approx(BTC_INDEX * 3 // 2, rel=0.01)
    held = [HOLD_REASONS[event.reason] for event in of_type(happened, e.ExpiryHeld)]
    assert all(reason in HOLD_REASONS for reason in held)


def test_a_forward_that_a_reporter_got_wrong_by_half_is_refused() -> None:
    class Off:
        def moments(self) -> Iterator[Snapshot | Silence]:
            for moment in synthetic().moments():
                assert isinstance(moment, Snapshot)
                smiles = tuple(s._replace(forward_usd=s.forward_usd * 1.3) for s in moment.smiles)
                yield moment._replace(smiles=smiles)

    fed = Fed([synthetic(), synthetic(), Off()])
    assert refusals(fed.step()[2]) == [FORWARD_OFF]


def test_the_crash_replayed_at_an_exchange_is_followed_to_the_bottom() -> None:
    feeds: list[Feed] = [_only("BTC"), _only("BTC"), _only("BTC")]
    fed = Fed(feeds)
    lowest = 1 << 60
    for _ in range(28):
        for happened in fed.step(5):
            assert not refusals(happened)
        lowest = min(lowest, fed.floor.state.marks.index_micro[0])
        assert fed.state == OPEN
    assert lowest == 638_583_500


def _only(underlying: str) -> Feed:
    class One:
        def moments(self) -> Iterator[Snapshot | Silence]:
            return (m for m in FileFeed(CRASH).moments() if m.underlying == underlying)

    return One()
