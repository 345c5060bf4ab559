"""Rebates that rise with the breaker's warning, and what a combo is spared: stories."""

from fractions import Fraction

import pytest

from exchange import events as e
from exchange.state_digest import state_hash
from margin.fees import FeeSchedule
from matching.trading_states import CANCEL_ONLY, OPEN, POST_ONLY_STATE
from settlement.record_types import FEE_LEVEL_SET
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    ETH_PERP,
    FEES,
    PERP,
    Floor,
    fills,
    of_type,
    open_floor,
    was_accepted,
)

FEES_AT_LEVELS = FeeSchedule(100, 300, 1_250, 50, 1_900, 100)
LEVELS = [(1_000, POST_ONLY_STATE, 60), (2_000, CANCEL_ONLY, 300)]


def warned_floor(permille: int, fees: FeeSchedule = FEES_AT_LEVELS) -> Floor:
    """The index has moved by so much within the breaker's window."""
    floor = open_floor(4, fees=fees)
    floor.arm(LEVELS)
    floor.time_ns += 10**9
    floor.mark(0, BTC_INDEX * (1_000 + permille) // 1_000)
    return floor


def level_of(floor: Floor, underlying: int = 0) -> int:
    return floor.state.portfolio.fee_levels.get(underlying, 0)


@pytest.mark.parametrize(
    ("permille", "level"),
    [(0, 0), (24, 0), (26, 1), (-26, 1), (51, 2), (76, 3), (-76, 3), (99, 3), (101, 4), (300, 4)],
)
def test_a_level_is_how_many_quarters_of_the_way_the_index_has_gone(
    permille: int, level: int
) -> None:
    floor = warned_floor(permille)
    assert level_of(floor) == level
    assert level_of(floor, 1) == 0
    floor.cut()


def test_the_level_falls_as_the_window_passes_and_with_its_breaker() -> None:
    floor = warned_floor(76)
    floor.time_ns += 301 * 10**9
    (told,) = of_type(floor.mark(0, BTC_INDEX * 1_076 // 1_000), e.FeeLevelSet)
    assert told == e.FeeLevelSet(0, 0, 100)
    floor.time_ns += 10**9
    floor.mark(0, BTC_INDEX)
    assert level_of(floor) == 2
    (told,) = of_type(floor.arm(()), e.FeeLevelSet)
    assert told == e.FeeLevelSet(0, 0, 100)
    floor.cut()


def test_a_tripped_breaker_warns_at_the_highest_level_until_it_is_released() -> None:
    floor = warned_floor(101)
    moved = BTC_INDEX * 1_101 // 1_000
    assert floor.state.trading.of_underlying(0) == POST_ONLY_STATE
    floor.time_ns += 59 * 10**9
    assert of_type(floor.mark(0, moved), e.FeeLevelSet) == []
    floor.time_ns += 10 * 10**9
    events = floor.mark(0, moved)
    assert of_type(events, e.BreakerReleased)
    assert of_type(events, e.FeeLevelSet) == [e.FeeLevelSet(0, 0, 100)]
    assert floor.state.trading.of_underlying(0) == OPEN


def test_without_a_rebate_step_there_are_no_levels_and_no_records() -> None:
    floor = warned_floor(76, FEES)
    assert level_of(floor) == 0
    kinds = [record[0] for group in floor.state.groups for record in group]
    assert FEE_LEVEL_SET not in kinds


@pytest.mark.parametrize(("permille", "rate"), [(0, 100), (26, 50), (51, 0), (76, -50)])
def test_a_maker_pays_the_rate_of_the_level_and_the_ledger_knows_it(
    permille: int, rate: int
) -> None:
    floor = warned_floor(permille)
    price = floor.near(PERP)
    floor.sell(0, price, 7, PERP)
    (fill,) = of_type(floor.buy(1, price, 7, PERP), e.OrderFilled)
    index = floor.state.marks.index_micro[0]
    size = 7 * index * abs(rate)
    assert fill.maker_fee_micro == (-(-size // 10**6) if rate > 0 else -(size // 10**6))
    assert fill.taker_fee_micro == -(-7 * index * 300 // 10**6)
    assert floor.state.fee_cash_micro == fill.maker_fee_micro + fill.taker_fee_micro
    floor.cut()


def test_a_rebate_is_within_the_cap_of_a_cheap_option() -> None:
    floor = warned_floor(76)
    floor.sell(0, 10_000, 3, CALL_90)
    (fill,) = of_type(floor.buy(1, 10_000, 3, CALL_90), e.OrderFilled)
    assert (fill.maker_fee_micro, fill.taker_fee_micro) == (-3_750, 3_750)
    assert floor.state.fee_cash_micro == 0
    floor.cut()


def test_the_level_of_one_underlying_is_not_anothers() -> None:
    floor = warned_floor(76)
    price = floor.near(ETH_PERP)
    floor.sell(0, price, 7, ETH_PERP)
    (fill,) = of_type(floor.buy(1, price, 7, ETH_PERP), e.OrderFilled)
    assert fill.maker_fee_micro == -(-7 * floor.state.marks.index_micro[1] * 100 // 10**6)


def test_a_resting_order_must_allow_the_fee_of_quiet_days_whatever_the_level() -> None:
    floor = warned_floor(76)
    price = floor.near(PERP)
    assert not was_accepted(floor.sell(0, price, 1, PERP, max_fee_micro=0))
    assert was_accepted(floor.sell(0, price, 1, PERP, max_fee_micro=102_851))


# COMBOS

SPREAD = ((CALL_90, 1), (CALL_100, -1))


def test_two_combos_that_meet_are_both_spared_their_cheaper_side() -> None:
    floor = open_floor(4, fees=FEES_AT_LEVELS._replace(combo_discount=50))
    net = (floor.near(CALL_90) - floor.near(CALL_100)) // 10_000 * 10_000
    floor.sell(0, net, 5, SPREAD)
    legs = of_type(floor.buy(1, net, 5, SPREAD), e.OrderFilled)
    taker, maker = -(-5 * BTC_INDEX * 300 // 10**6), -(-5 * BTC_INDEX * 100 // 10**6)
    assert [leg.taker_fee_micro for leg in legs] == [taker - taker // 2, taker]
    assert [leg.maker_fee_micro for leg in legs] == [maker - maker // 2, maker]
    floor.cut()


def test_a_combo_of_buys_alone_is_spared_nothing() -> None:
    floor = open_floor(4, fees=FEES_AT_LEVELS)
    both = ((CALL_90, 1), (CALL_100, 1))
    net = floor.near(CALL_90) + floor.near(CALL_100)
    floor.sell(0, net, 5, both)
    legs = of_type(floor.buy(1, net, 5, both), e.OrderFilled)
    assert {leg.taker_fee_micro for leg in legs} == {-(-5 * BTC_INDEX * 300 // 10**6)}
    floor.cut()


def test_a_maximum_fee_is_held_against_what_is_paid_after_the_discount() -> None:
    """Of each leg a lot costs 0.03% of the index: one of them is spared."""
    a_leg = -(-BTC_INDEX * 300 // 10**6)
    for allowed, lots in ((a_leg, 5), (a_leg - 1, 0)):
        floor = open_floor(4, fees=FEES_AT_LEVELS)
        floor.sell(0, floor.near(CALL_90), 5, CALL_90)
        floor.buy(2, floor.near(CALL_100), 5, CALL_100)
        net = floor.near(CALL_90) - floor.near(CALL_100)
        order = floor.sign(1, 0, net, 5, SPREAD, max_fee_micro=allowed, time_in_force=1)
        events = floor.submit(order)
        assert sum(fill[2] for fill in fills(events)) == 2 * lots


@pytest.mark.parametrize(("step", "left"), [(25, 2 * 225 - 300), (75, 0)])
def test_a_discount_gives_back_no_more_than_rebates_have_left(step: int, left: int) -> None:
    """At level 3 makers take 75, or 225, of the 300 that each leg's taker pays; the discount asks
    for all of one leg's 300.
    """
    floor = warned_floor(76, FeeSchedule(0, 300, 10_000, step, 0, 100))
    floor.sell(0, floor.near(CALL_90), 5, CALL_90)
    floor.buy(2, floor.near(CALL_100), 5, CALL_100)
    net = floor.near(CALL_90) - floor.near(CALL_100)
    legs = of_type(floor.buy(1, net, 5, SPREAD, time_in_force=1), e.OrderFilled)
    unit = Fraction(5 * floor.state.marks.index_micro[0], 10**6)
    assert [leg.maker_fee_micro for leg in legs] == [-floor_of(unit * 3 * step)] * 2
    assert 0 <= floor.state.fee_cash_micro - floor_of(unit * left) <= 4
    floor.cut()


def floor_of(value: Fraction) -> int:
    return value.numerator // value.denominator


@pytest.mark.parametrize(("permille", "rate"), [(0, 100), (26, 50), (76, -50)])
def test_who_meets_a_resting_combo_pays_as_a_taker_and_he_alone_pays_a_rebate(
    permille: int, rate: int
) -> None:
    """Account 2 sells a call to account 1, whose spread sells the other call to account 0."""
    floor = warned_floor(permille, FEES_AT_LEVELS._replace(cap=10_000))
    net = floor.near(CALL_90) - floor.near(CALL_100)
    floor.buy(0, floor.near(CALL_100), 5, CALL_100)
    floor.buy(1, net, 5, SPREAD)
    first, other = of_type(floor.sell(2, floor.near(CALL_90), 5, CALL_90), e.OrderFilled)
    assert (first.maker, other.taker, other.maker) == (1, 1, 0)
    index = floor.state.marks.index_micro[0]
    taker, size = -(-5 * index * 300 // 10**6), 5 * index * abs(rate)
    resting = -(-size // 10**6)
    if rate > 0:  # the spread is spared one of its two legs
        assert (first.taker_fee_micro, first.maker_fee_micro) == (taker, 0)
        assert (other.taker_fee_micro, other.maker_fee_micro) == (resting, resting)
    else:
        assert (first.taker_fee_micro, first.maker_fee_micro) == (taker, -(size // 10**6))
        assert (other.taker_fee_micro, other.maker_fee_micro) == (0, 0)
    floor.cut()


def test_a_replay_ends_where_the_first_run_did() -> None:
    floor = warned_floor(76)
    floor.sell(0, floor.near(PERP), 7, PERP)
    floor.buy(1, floor.near(PERP), 3, PERP)
    assert state_hash(floor.replay().state) == state_hash(floor.state)
