"""Listing rules against an engine that distrusts them, and against what Deribit listed.

Holds: whatever the rules say is taken by the engine, all of it; a second look has nothing to say;
the ladder covers its stated width whatever the index did in between.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.founding import timed
from exchange.keeping import listed_of
from exchange.listing_config import BadListing, check_lots, read_rules
from exchange.listing_rules import (
    BTC_RULE,
    DAY_S,
    ETH_RULE,
    EXPIRY_HOUR_S,
    QUIET_S,
    SHIPPED,
    TERMS,
    Listed,
    UnderlyingRule,
    bands,
    due_listings,
    expiry_times,
    finest_spacing,
    strikes,
)
from exchange.snapshot_chain import snapshot
from margin.parameters import MAX_FORWARD_MICRO
from matching.instruments import CALL, FUTURE, MAX_VALUE_MICRO, PERPETUAL, PUT
from tests.floor import BTC_INDEX, ETH_INDEX, NS, START_S, Floor, was_accepted

SOL: Final = UnderlyingRule("SOL", 10**9, 10_000, 10_000)
SHIBA: Final = UnderlyingRule("SHIB", 10**14, 1_000, 1_000)
JAN_16: Final = 1_768_550_400

indices = st.one_of(
    st.integers(1, MAX_FORWARD_MICRO),
    st.integers(BTC_INDEX // 2, BTC_INDEX * 2),
    st.sampled_from((1, 2, 99, 100, MAX_FORWARD_MICRO)),
)
times = st.integers(0, 3 * 365 * DAY_S).map(lambda after: START_S + after)


def days_of(*texts: str) -> list[int]:
    """Unix seconds of days like 16JAN26 at 08:00."""
    months = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
    found: list[int] = []
    for text in texts:
        parsed = re.fullmatch(r"(\d+)([A-Z]{3})(\d\d)", text)
        assert parsed is not None
        year, month = 2000 + int(parsed[3]), months.index(parsed[2]) + 1
        leaps = (year - 1 - 1968) // 4
        lengths = (31, 29 if year % 4 == 0 else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
        days = (year - 1970) * 365 + leaps + sum(lengths[: month - 1]) + int(parsed[1]) - 1
        found.append(days * DAY_S + EXPIRY_HOUR_S)
    return found


# WHAT DERIBIT LISTED (its public instrument lists of those moments)


@pytest.mark.parametrize(
    ("time_s", "expected"),
    [
        (1_768_437_000, "15JAN26 16JAN26 17JAN26 18JAN26 23JAN26 30JAN26"),
        (1_768_521_040, "16JAN26 17JAN26 18JAN26 19JAN26 23JAN26 30JAN26 6FEB26"),
        (1_768_566_600, "17JAN26 18JAN26 19JAN26 20JAN26 23JAN26 30JAN26 6FEB26"),
        (1_768_653_000, "18JAN26 19JAN26 20JAN26 21JAN26 23JAN26 30JAN26 6FEB26"),
    ],
)
def test_expiries_are_those_of_four_real_days(time_s: int, expected: str) -> None:
    longer = ("27FEB26", "27MAR26", "26JUN26", "25SEP26", "25DEC26")
    assert [at for at, _ in expiry_times(time_s)] == days_of(*expected.split(), *longer)
    futures = [at for at, has_future in expiry_times(time_s) if has_future]
    assert futures == days_of("30JAN26", *longer)


def test_weekly_monthly_and_quarterly_expiries_of_2021_are_found_by_the_same_rule() -> None:
    """In 2021 Deribit listed two days ahead daily; the rest of 22 July's list is the same."""
    listed = days_of(
        *[
            "23JUL21",
            "24JUL21",
            "30JUL21",
            "6AUG21",
            "13AUG21",
            "27AUG21",
            "24SEP21",
            "31DEC21",
            "25MAR22",
            "24JUN22",
        ]
    )
    found = [at for at, _ in expiry_times(1_626_993_723)]
    assert [at for at in found if at not in days_of("25JUL21", "26JUL21")] == listed


def test_the_ladder_of_a_real_index_is_about_as_long_as_deribits() -> None:
    """At 95,586 Deribit had 12 to 21 strikes a daily or near weekly, 43 and 32 on the months, 53 to
    33 on the quarters.
    """
    counts = [
        len(strikes(BTC_INDEX, finest_spacing(BTC_RULE, BTC_INDEX), at - START_S))
        for at, _ in expiry_times(START_S)
    ]
    assert counts == [19, 19, 19, 19, 30, 30, 30, 47, 47, 36, 36, 36]
    assert finest_spacing(BTC_RULE, BTC_INDEX) == 1_000 * 10_000
    assert finest_spacing(ETH_RULE, ETH_INDEX) == 50 * 100_000


def test_most_strikes_that_deribit_quoted_near_the_index_are_ours_too() -> None:
    """Of strikes within 10% of the index, on each expiry of 15 January 2026 that the shipped chain
    has; Deribit's own ladder also keeps strikes of older indices.
    """
    chain = snapshot()
    ours = both = theirs = 0
    for expiry in chain.expiries:
        ladder = strikes(
            chain.index_micro,
            finest_spacing(BTC_RULE, chain.index_micro),
            expiry.expiry_time_s - chain.time_s,
        )
        quoted = sorted({option.strike_micro for option in expiry.options})
        near = [s for s in quoted if abs(s - chain.index_micro) * 10 < chain.index_micro]
        both += sum(strike in ladder for strike in near)
        theirs += len(near)
        ours += len(ladder)
    assert both * 100 >= theirs * 75


# PROPERTIES


def applied(floor: Floor, rules: Sequence[UnderlyingRule]) -> int:
    """Applies what is due; the engine takes all of it. Gives how much it was."""
    due = list(due_listings(rules, listed_of(floor.state), floor.time_ns))
    for command in due:
        assert was_accepted(floor.send(timed(command, floor.time_ns))), command
    assert not list(due_listings(rules, listed_of(floor.state), floor.time_ns))
    return len(due)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9 * DAY_S), indices, st.booleans()), min_size=1, max_size=4)
)
def test_what_is_due_is_taken_and_then_nothing_is_due(
    story: list[tuple[int, int, bool]],
) -> None:
    floor = Floor(watched=False)
    floor.genesis()
    rules = (BTC_RULE, SOL)
    applied(floor, rules)
    for wait_s, index, is_marked in story:
        floor.time_ns += wait_s * NS
        floor.state.marks.index_micro[0] = index
        if is_marked:
            floor.mark(0, index, basis_percent=0)
        applied(floor, rules)
        covers(floor, index)
    keys = [(i.kind, i.underlying.number, i.symbol) for i in floor.state.instruments]
    assert len(keys) == len(dict.fromkeys(keys))
    perpetuals = [i for i in floor.state.instruments if i.kind == PERPETUAL]
    assert len(perpetuals) == 2


def covers(floor: Floor, index: int) -> None:
    """Every expiry that the rules ask for has a ladder around the index, with both kinds."""
    state = floor.state
    spacing = finest_spacing(BTC_RULE, index)
    for at_s, has_future in expiry_times(floor.time_s):
        (number,) = [
            e.number for e in state.expiries if e.expiry_time_s == at_s and e.underlying.number == 0
        ]
        chain = state.options_by_expiry[number]
        calls = sorted(i.strike_micro for i in chain if i.kind == CALL)
        assert calls == sorted(i.strike_micro for i in chain if i.kind == PUT)
        assert [i.kind for i in chain].count(FUTURE) == has_future or not has_future
        left_s = at_s - floor.time_s
        mark = state.marks.expiry_marks.get(number)
        if left_s > QUIET_S and mark is None:
            width, steps = bands(left_s)[-1]
            assert calls[0] <= max(index * 100 // (100 + width), spacing * steps)
            assert calls[-1] >= min(
                index * (100 + width) // 100, MAX_VALUE_MICRO - 1 - spacing * steps
            )


@given(indices, st.integers(1, 400 * DAY_S), st.sampled_from((*SHIPPED, SOL, SHIBA)))
def test_a_ladder_covers_its_widths_without_a_hole(
    index: int, left_s: int, rule: UnderlyingRule
) -> None:
    spacing = finest_spacing(rule, index)
    assert 1 <= spacing <= max(index, 1)
    found = strikes(index, spacing, left_s)
    assert found == sorted(dict.fromkeys(found))
    assert all(0 < strike < MAX_VALUE_MICRO for strike in found)
    for width, steps in bands(left_s):
        low, high = index * 100 // (100 + width), index * (100 + width) // 100
        ladder = [s for s in found if s % (spacing * steps) == 0]
        within = [s for s in ladder if low <= s <= min(high, MAX_VALUE_MICRO - 1)]
        expected = range(-(-max(low, 1) // (spacing * steps)), high // (spacing * steps) + 1)
        assert within == [
            at * spacing * steps for at in expected if at * spacing * steps < MAX_VALUE_MICRO
        ]
        assert ladder[0] <= max(low, spacing * steps)
    assert len(found) <= 200


@given(times)
def test_expiries_are_at_eight_ahead_and_few(time_s: int) -> None:
    found = expiry_times(time_s)
    ats = [at for at, _ in found]
    assert all(at > time_s and at % DAY_S == EXPIRY_HOUR_S for at in ats)
    assert ats == sorted(dict.fromkeys(ats))
    assert 8 <= len(ats) <= 16
    assert ats[:4] == [ats[0] + day * DAY_S for day in range(4)]
    assert ats[-1] - time_s > 270 * DAY_S
    later = [at for at, _ in expiry_times(time_s + DAY_S)]
    assert all(at in later for at in ats if at > time_s + DAY_S), "what is listed stays wanted"


def test_a_future_index_brings_strikes_and_takes_none_away() -> None:
    floor = Floor(watched=False)
    floor.genesis()
    applied(floor, SHIPPED)
    assert [i.symbol for i in floor.state.instruments] == ["BTC-PERPETUAL", "ETH-PERPETUAL"]
    floor.mark(0, BTC_INDEX)
    applied(floor, SHIPPED)
    before = [i.symbol for i in floor.state.instruments]
    assert "BTC-16JAN26-96000-C" in before
    assert "BTC-30JAN26" in before
    assert "BTC-16JAN26" not in before
    floor.mark(0, BTC_INDEX * 11 // 10)
    assert applied(floor, SHIPPED) > 0
    after = [i.symbol for i in floor.state.instruments]
    assert after[: len(before)] == before
    assert "BTC-16JAN26-117000-C" not in after  # beyond the fine band: 2,000 apart
    assert "BTC-16JAN26-118000-C" in after
    floor.time_ns += DAY_S * NS
    floor.mark(0, BTC_INDEX * 11 // 10)
    applied(floor, SHIPPED)
    assert "BTC-20JAN26-105000-P" in [i.symbol for i in floor.state.instruments]


def test_strikes_that_pricing_could_not_take_are_not_listed() -> None:
    """With a smile whose wings go beyond a deviation of 1.5 the far strikes stay away."""
    floor = Floor(watched=False)
    floor.genesis()
    applied(floor, (BTC_RULE,))
    floor.mark(0, BTC_INDEX)
    due = list(due_listings((BTC_RULE,), listed_of(floor.state), floor.time_ns))
    for command in due:
        if type(command).__name__ == "ListExpiry":
            floor.send(timed(command, floor.time_ns))
    one = 1 << 30
    wild = (0, 2 * one - 1, 0, 0, one // 100)
    assert was_accepted(floor.mark(0, BTC_INDEX, smile=wild))
    plain = Listed(["BTC"], [], [], {0: BTC_INDEX}, {})
    fewer = applied(floor, (BTC_RULE,))
    assert 0 < fewer < len(list(due_listings((BTC_RULE,), plain, floor.time_ns))) - 12


def test_no_strike_is_added_while_an_expiry_is_sampled() -> None:
    """In the last half hour before 08:00 nothing is added to that day's expiry."""
    for before_s, expected in ((QUIET_S + 1, True), (QUIET_S, False)):
        listed = Listed(["BTC"], [], [], {0: BTC_INDEX}, {})
        commands = due_listings((BTC_RULE,), listed, (JAN_16 - before_s) * NS)
        options = [
            c
            for c in commands
            if type(c).__name__ == "ListInstrument" and c.expiry == 0  # type: ignore
        ]
        assert bool(options) == expected


def test_bands_widen_and_coarsen_with_the_term() -> None:
    for near, far in pairwise(TERMS):
        assert near.most_days < far.most_days
        assert near.bands[-1].width_percent < far.bands[-1].width_percent
        assert near.bands[-1].spacings <= far.bands[-1].spacings
    for term in TERMS:
        assert list(term.bands) == sorted(term.bands)


# CONFIGURATION

SOL_FILE = b"""
[[underlying]]
name = "SOL"
lot = "10"
option_tick = "0.01"
linear_tick = "0.005"
spacing = [["0", "1"], ["100", "2"]]
"""


def test_a_file_adds_underlyings_in_words() -> None:
    (rule,) = read_rules(SOL_FILE)
    assert rule == UnderlyingRule(
        "SOL", 10**9, 100_000, 50_000, ((0, 10_000_000), (1_000_000_000, 20_000_000))
    )
    assert finest_spacing(rule, 999_999_999) == 10_000_000
    assert finest_spacing(rule, 1_000_000_000) == 20_000_000
    as_json = (
        b'{"underlying": [{"name": "SOL", "lot": "10", "option_tick": "0.01",'
        b' "linear_tick": "0.005", "spacing": [["0", "1"], ["100", "2"]]}]}'
    )
    assert read_rules(as_json, is_json=True) == (rule,)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"SOL"', b'"sol"', "is no name"),
        (b'"SOL"', b'"S\xc3\x96L"', "is no name"),
        (b'"SOL"', b'"SOLANA777"', "is no name"),
        (b'lot = "10"', b'lot = "0"', "does not divide"),
        (b'lot = "10"', b'lot = "3"', "does not divide"),
        (b'lot = "10"', b'lot = "ten"', "does not divide"),
        (b'"0.01"', b'"0"', "option_tick"),
        (b'"0.01"', b'"-1"', "option_tick"),
        (b'"0.01"', b'"0.0000001"', "8 to"),
        (b'"0.005"', b'"1000"', "8 to"),
        (b'[["0", "1"], ["100", "2"]]', b'[["100", "1"], ["0", "2"]]', "rising"),
        (b'[["0", "1"], ["100", "2"]]', b'[["0", "1"], ["0", "2"]]', "rising"),
        (b'["100", "2"]', b'["100", "0"]', "spacing"),
        (b"linear_tick", b"linear_tack", "cannot be read"),
        (b"[[underlying]]", b"[[underlying", "cannot be read"),
    ],
)
def test_a_file_that_nothing_can_be_listed_by_is_refused_with_its_reason(
    old: bytes, new: bytes, told: str
) -> None:
    assert old in SOL_FILE
    with pytest.raises(BadListing, match=re.escape(told)):
        read_rules(SOL_FILE.replace(old, new, 1))


def test_a_market_is_stated_by_its_index_and_volatility() -> None:
    (rule,) = read_rules(SOL_FILE + b'index = "142.5"\nvolatility = "80.25"\n')
    assert (rule.index_micro, rule.volatility_e4) == (1_425_000_000, 8_025)
    assert (read_rules(SOL_FILE)[0].index_micro, rule.lot_e8) == (0, 10**9)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b'index = "142.5"', "together"),
        (b'volatility = "80"', "together"),
        (b'index = "0"\nvolatility = "80"', "index '0'"),
        (b'index = "-3"\nvolatility = "80"', "index '-3'"),
        (b'index = "x"\nvolatility = "80"', "index 'x'"),
        (b'index = "287"\nvolatility = "80"', "a lot is worth 2870 USDC; at most 2863"),
        (b'index = "142.5"\nvolatility = "4.99"', "from 5 to 150"),
        (b'index = "142.5"\nvolatility = "150.01"', "from 5 to 150"),
        (b'index = "142.5"\nvolatility = "80.001"', "two decimals"),
        (b'index = "142.5"\nvolatility = "much"', "'much'"),
        (b"index = 142.5\nvolatility = 80", "cannot be read"),
    ],
)
def test_a_market_that_nothing_can_begin_from_is_refused(said: bytes, told: str) -> None:
    with pytest.raises(BadListing, match=re.escape(told)):
        read_rules(SOL_FILE + said)


def test_a_lot_never_changes() -> None:
    (rule,) = read_rules(SOL_FILE)
    check_lots([rule], [("BTC", 1), ("SOL", 10**9)])
    check_lots([rule], [])
    with pytest.raises(BadListing, match="SOL is listed with lots of 1, the listing file says 10"):
        check_lots([rule], [("SOL", 10**8)])


def test_an_underlying_is_named_once() -> None:
    with pytest.raises(BadListing, match="named twice"):
        read_rules(SOL_FILE + SOL_FILE)
