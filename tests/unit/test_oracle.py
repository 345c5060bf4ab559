"""Stories of the oracle: who is heard, what is made of it, and when the underlying stops."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import pytest

from exchange import commands as c
from exchange import events as e
from exchange.codec import encode_command
from exchange.events import HOLD_REASONS, REPORT_REASONS
from exchange.handlers.states import instrument_state
from exchange.oracle.terms import wrong_field
from margin.svi import ExpiryMark
from matching import rejects as r
from matching.rejects import Reject
from matching.trading_states import CANCEL_ONLY, OPEN, POST_ONLY_STATE, UNDERLYING
from settlement.price_reports import micro_per_lot
from tests.clearing_floor import clearing_floor
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    FUT,
    MARCH,
    NS,
    PERP,
    SMILE,
    Floor,
    has_rested,
    of_type,
    open_floor,
    placed_hash,
    refusal,
    was_accepted,
)
from tests.reporting import (
    ANNA,
    BERT,
    CARA,
    DORA,
    MAX_AGE_S,
    arm,
    disarm,
    oracle_of,
    report,
    send_report,
    usual_marks,
    wait,
)

NOW_MS: Final = 1_768_521_040_000
STEEP: Final = (0, (1 << 31) - 1, 1 << 30, -69_298_130, 1)
"""No variance up to a strike of 900 on a forward of 960, and much beyond."""
PERCENT: Final = BTC_INDEX // 10_000 * 100


def armed_floor(**terms: Any) -> Floor:
    floor = open_floor()
    assert of_type(arm(floor, **terms), e.OracleArmed)
    return floor


def marked(happened: tuple[e.Event, ...]) -> list[int]:
    return [event.index_micro for event in of_type(happened, e.MarksUpdated)]


def dropped(happened: tuple[e.Event, ...]) -> list[tuple[bytes, str, int, int]]:
    return [
        (event.reporter, REPORT_REASONS[event.reason], event.got, event.allowed)
        for event in of_type(happened, e.ReportDropped)
    ]


def held(happened: tuple[e.Event, ...]) -> list[tuple[int, str, int, int]]:
    return [
        (event.expiry, HOLD_REASONS[event.reason], event.got, event.allowed)
        for event in of_type(happened, e.ExpiryHeld)
    ]


def along(mark: ExpiryMark, index_micro: int) -> ExpiryMark:
    """A mark that stood beside BTC_INDEX, carried to another."""
    forward = round(Fraction(mark.forward_micro * index_micro, BTC_INDEX))
    return mark._replace(forward_micro=forward)


# WHAT IS REFUSED, AND LEAVES NO TRACE

Story = Callable[[Floor], tuple[e.Event, ...]]
STORIES: Final[list[tuple[Story, Reject]]] = []


def told(code: int, got: int = 0, allowed: int = 0) -> Callable[[Story], Story]:
    def keep(story: Story) -> Story:
        STORIES.append((story, Reject(code, got, allowed)))
        return story

    return keep


@told(r.UNKNOWN_UNDERLYING, 2, 2)
def an_oracle_for_an_underlying_that_nobody_listed(floor: Floor) -> tuple[e.Event, ...]:
    return arm(floor, underlying=2)


@told(r.SPEC_OUT_OF_BOUNDS, 2)
def a_quorum_of_more_than_there_are(floor: Floor) -> tuple[e.Event, ...]:
    return arm(floor, quorum=4)


@told(r.SPEC_OUT_OF_BOUNDS, 2)
def a_quorum_of_nobody(floor: Floor) -> tuple[e.Event, ...]:
    return arm(floor, quorum=0)


@told(r.SPEC_OUT_OF_BOUNDS, 3)
def reports_that_never_age(floor: Floor) -> tuple[e.Event, ...]:
    return arm(floor, max_age_s=3_601)


@told(r.SPEC_OUT_OF_BOUNDS, 4)
def a_band_that_lets_everything_in(floor: Floor) -> tuple[e.Event, ...]:
    return arm(floor, deviation_e4=10_000)


@told(r.SPEC_OUT_OF_BOUNDS, 7)
def variance_that_may_not_move(floor: Floor) -> tuple[e.Event, ...]:
    return arm(floor, variance_move_e4=0)


@told(r.SPEC_OUT_OF_BOUNDS, 8)
def a_reporter_who_counts_twice(floor: Floor) -> tuple[e.Event, ...]:
    return arm(floor, (ANNA, ANNA))


@told(r.SPEC_OUT_OF_BOUNDS, 8)
def a_reporter_whom_every_broken_signature_would_be(floor: Floor) -> tuple[e.Event, ...]:
    return arm(floor, (ANNA, bytes(20)))


@told(r.ORACLE_ARMED, 0, 3)
def the_operators_marks_while_the_oracle_is_armed(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return floor.mark(0, BTC_INDEX)


@told(r.ORACLE_NOT_ARMED, 1)
def a_report_of_an_underlying_without_an_oracle(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, 331_250_000, underlying=1)


@told(r.UNKNOWN_UNDERLYING, 2, 2)
def a_report_of_an_underlying_that_nobody_listed(floor: Floor) -> tuple[e.Event, ...]:
    command = report(floor, ANNA)
    return floor.send(with_fields(command, underlying=2))


@told(r.NOT_A_REPORTER, 0, 3)
def a_strangers_report(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, DORA)


@told(r.WRONG_DECIMALS, 6, 8)
def a_report_in_other_decimals_than_are_registered(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, decimals=6)


@told(r.REPORT_ALREADY_TAKEN, 5, 5)
def a_report_sent_again(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    command = report(floor, ANNA, sequence=5)
    assert was_accepted(floor.send(command))
    return floor.send(command)


@told(r.REPORT_ALREADY_TAKEN, 5, 5)
def a_report_sent_again_after_its_reporter_left_and_came_back(
    floor: Floor,
) -> tuple[e.Event, ...]:
    arm(floor)
    command = report(floor, ANNA, sequence=5)
    floor.send(command)
    disarm(floor)
    arm(floor, (BERT, CARA))
    arm(floor)
    return floor.send(command)


@told(r.REPORT_OLDER, NOW_MS - 1, NOW_MS)
def a_report_from_before_the_last(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    send_report(floor, ANNA)
    return send_report(floor, ANNA, age_ms=1)


@told(r.REPORT_FROM_THE_FUTURE, NOW_MS + 2_001, NOW_MS + 2_000)
def a_report_from_the_future(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, age_ms=-2_001)


@told(r.REPORT_STALE, NOW_MS - 30_001, NOW_MS - 30_000)
def a_report_that_is_stale_when_it_comes(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, age_ms=30_001)


@told(r.REPORT_OUT_OF_BOUNDS, 0xFFFF, 0)
def an_index_of_nothing(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, 0, {})


@told(r.REPORT_OUT_OF_BOUNDS, 0xFFFF, 0)
def an_index_that_no_forward_could_have(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, (1 << 34) // 6 + 1, {})


@told(r.REPORT_OUT_OF_BOUNDS, 0, 3)
def a_smile_of_negative_slope(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, BTC_INDEX, {0: ExpiryMark(BTC_INDEX, 0, -1, 0, 0, 1)})


@told(r.REPORT_OUT_OF_BOUNDS, 1, 9)
def a_smile_beyond_every_deviation(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    wide = ExpiryMark(BTC_INDEX, (1 << 31) - 1, (1 << 31) - 1, 0, 0, (1 << 31) - 1)
    return send_report(floor, ANNA, BTC_INDEX, {1: wide})


@told(r.FORWARD_OFF, 0, 2_001)
def a_forward_that_is_not_of_this_index(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    far = BTC_INDEX * 12 // 10 + 100
    return send_report(floor, ANNA, BTC_INDEX, {0: ExpiryMark(far, *SMILE)})


@told(r.SMILE_ARBITRAGE, 0, 1_000_000_000)
def a_smile_that_can_be_traded_against_itself(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, BTC_INDEX, {0: ExpiryMark(960_000_000, *STEEP)})


@told(r.UNKNOWN_EXPIRY, 3, 3)
def a_report_of_an_expiry_that_nobody_listed(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, BTC_INDEX, {3: ExpiryMark(BTC_INDEX, *SMILE)})


@told(r.UNKNOWN_EXPIRY, 2, 3)
def a_report_of_another_underlyings_expiry(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    return send_report(floor, ANNA, BTC_INDEX, {2: ExpiryMark(BTC_INDEX, *SMILE)})


@told(r.LISTING_OUT_OF_ORDER, 0, 2)
def a_report_whose_expiries_do_not_ascend(floor: Floor) -> tuple[e.Event, ...]:
    arm(floor)
    mark = ExpiryMark(BTC_INDEX, *SMILE)
    return send_report(floor, ANNA, BTC_INDEX, {1: mark, 0: mark})


def with_fields(command: c.ReportPrices, **values: Any) -> c.ReportPrices:
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    return c.ReportPrices(**{**fields, **values})


@pytest.mark.parametrize(("story", "expected"), STORIES, ids=[s.__name__ for s, _ in STORIES])
def test_the_engine_refuses(story: Story, expected: Reject) -> None:
    """The watched floor sees to it that nothing but time and sequence is left."""
    assert refusal(story(open_floor())) == expected


def test_every_refusal_of_a_report_has_a_reason_of_the_same_number() -> None:
    for reason in range(1, 10):
        assert 720 + reason in r.TEMPLATES
    assert {code for _, (code, _, _) in STORIES if 721 <= code <= 729} == set(range(721, 730))


# WHAT IS MADE OF REPORTS


def test_marks_are_made_once_the_quorum_is_there_and_with_every_report_from_then_on() -> None:
    floor = armed_floor()
    happened = send_report(floor, ANNA, BTC_INDEX + 40_000)
    assert not marked(happened)
    (reported,) = happened
    assert isinstance(reported, e.PricesReported)
    assert (reported.index_micro, reported.counting) == (BTC_INDEX + 40_000, 1)
    # of two the lower, of three the one between
    assert marked(send_report(floor, BERT, BTC_INDEX + 20_000)) == [BTC_INDEX + 20_000]
    assert marked(send_report(floor, CARA, BTC_INDEX + 30_000)) == [BTC_INDEX + 30_000]
    assert floor.state.marks.index_micro[0] == BTC_INDEX + 30_000
    assert floor.state.marks.expiry_marks[1].forward_micro == (BTC_INDEX + 30_000) * 102 // 100


def test_accepted_reports_leave_the_records_that_the_operators_update_would() -> None:
    by_oracle, by_operator = open_floor(), open_floor()
    for floor in (by_oracle, by_operator):
        floor.cut()
    arm(by_oracle, quorum=1)
    send_report(by_oracle, ANNA, BTC_INDEX + 10_000)
    by_operator.mark(0, BTC_INDEX + 10_000)
    assert by_oracle.state.groups == by_operator.state.groups
    assert by_oracle.state.groups


def test_an_outlier_is_dropped_with_its_numbers_once_and_counts_again_when_it_agrees() -> None:
    floor = armed_floor()
    send_report(floor, ANNA)
    send_report(floor, BERT)
    wild = BTC_INDEX * 3 // 2
    happened = send_report(floor, CARA, wild)
    assert dropped(happened) == [(CARA, "outlier", wild, BTC_INDEX)]
    assert marked(happened) == [BTC_INDEX]
    assert not dropped(send_report(floor, ANNA))
    happened = send_report(floor, CARA)
    assert not dropped(happened)
    assert len(oracle_of(floor).counting()) == 3


def test_two_that_disagree_are_no_quorum_and_the_underlying_stops() -> None:
    floor = armed_floor(reporters=(ANNA, BERT))
    send_report(floor, ANNA)
    send_report(floor, BERT)
    wait(floor, MAX_AGE_S)
    happened = send_report(floor, BERT, BTC_INDEX + 2 * PERCENT)
    assert dropped(happened) == [(BERT, "outlier", BTC_INDEX + 2 * PERCENT, BTC_INDEX)]
    assert not marked(happened)
    (lost,) = of_type(wait(floor, 1), e.OracleLost)
    assert (lost.counting, lost.quorum) == (1, 2)
    assert not marked(send_report(floor, ANNA))
    assert floor.state.marks.index_micro[0] == BTC_INDEX


def test_one_expiry_only_moves_that_one_and_carries_the_others_along() -> None:
    floor = armed_floor()
    before = floor.state.marks.expiry_marks[1]
    only = {0: usual_marks(floor, BTC_INDEX + 50_000)[0]}
    send_report(floor, ANNA, BTC_INDEX + 50_000, only)
    happened = send_report(floor, BERT, BTC_INDEX + 50_000, only)
    assert marked(happened) == [BTC_INDEX + 50_000]
    assert not held(happened)
    assert floor.state.marks.expiry_marks[0].forward_micro == (BTC_INDEX + 50_000) * 101 // 100
    assert floor.state.marks.expiry_marks[1] == along(before, BTC_INDEX + 50_000)


def test_an_empty_chain_moves_the_index_and_forwards_with_it() -> None:
    floor = armed_floor(quorum=1)
    before = dict(floor.state.marks.expiry_marks)
    assert marked(send_report(floor, ANNA, BTC_INDEX + 50_000, {})) == [BTC_INDEX + 50_000]
    after = floor.state.marks.expiry_marks
    assert after == {
        0: along(before[0], BTC_INDEX + 50_000),
        1: along(before[1], BTC_INDEX + 50_000),
    } | {2: before[2]}


def test_who_is_hedged_with_the_perpetual_loses_nothing_while_an_expiry_is_held() -> None:
    """The index falls by a third, and variance rises so far that the smile is held: a long future
    and a short perpetual lose and gain the same.
    """
    floor = clearing_floor((5_000_000_000, 10**12))
    assert of_type(arm(floor, quorum=1), e.OracleArmed)
    floor.trade(0, 1, FUT, 10)
    floor.trade(1, 0, PERP, 10)
    before = floor.standing(0).equity_micro
    index = BTC_INDEX * 2 // 3 // 10_000 * 10_000
    a, b, rho, m, sigma = SMILE
    marks = {
        number: ExpiryMark(mark.forward_micro, 8 * a, 8 * b, rho, m, sigma)
        for number, mark in usual_marks(floor, index).items()
    }
    happened = send_report(floor, ANNA, index, marks)
    assert [reason for _, reason, _, _ in held(happened)] == ["variance moved too far"] * 2
    assert not of_type(happened, e.LiquidationStarted)
    basis = 10 * BTC_INDEX // 100  # the future stands a percent above the index
    assert abs(floor.standing(0).equity_micro - before) <= basis


def test_a_forward_that_is_carried_along_is_measured_from_where_it_stands() -> None:
    floor = armed_floor(quorum=1)
    for index in (BTC_INDEX * 8 // 10, BTC_INDEX * 6 // 10, BTC_INDEX * 9 // 10):
        send_report(floor, ANNA, index, {})
    assert not held(send_report(floor, ANNA, BTC_INDEX * 9 // 10))
    wait(floor, MAX_AGE_S - 1)
    send_report(floor, ANNA, BTC_INDEX, {})  # carried: as old as it was
    wait(floor, 1)
    far = {0: ExpiryMark(BTC_INDEX * 103 // 100, *SMILE)}
    assert held(send_report(floor, ANNA, BTC_INDEX, far)) == [
        (0, "forward moved too far", 199, 100)
    ]
    near = {0: ExpiryMark(BTC_INDEX * 102 // 100, *SMILE)}
    assert not held(send_report(floor, ANNA, BTC_INDEX, near))


def test_a_forward_is_not_carried_out_of_the_bounds() -> None:
    """With a strike too far from it no mark may be: it stays as it was."""
    floor = armed_floor(quorum=1)
    before = floor.state.marks.expiry_marks[0]
    send_report(floor, ANNA, BTC_INDEX // 10_000, {})
    assert floor.state.marks.expiry_marks[0] == before
    assert oracle_of(floor).anchors[0].made.index_micro == BTC_INDEX
    send_report(floor, ANNA, BTC_INDEX + 50_000, {})
    assert floor.state.marks.expiry_marks[0] == along(before, BTC_INDEX + 50_000)


def test_an_expiry_that_too_few_name_keeps_its_mark() -> None:
    floor = armed_floor()
    send_report(floor, ANNA)
    happened = send_report(floor, BERT, BTC_INDEX, {})
    assert held(happened) == [
        (0, "too few reports", 1, 2),
        (1, "too few reports", 1, 2),
    ]
    assert marked(happened) == [BTC_INDEX]


def test_a_smile_is_taken_whole_from_the_report_in_the_middle() -> None:
    floor = armed_floor(forward_move_e4=10_000, variance_move_e4=60_000)
    a, b, rho, m, sigma = SMILE
    smiles = {
        ANNA: (a + 3_000_000, b, rho, m, sigma),
        BERT: (a + 1_000_000, b, rho - 5, m + 7, sigma),
        CARA: (a + 2_000_000, b, rho + 5, m - 7, sigma),
    }
    for reporter, smile in smiles.items():
        marks = {0: ExpiryMark(BTC_INDEX, *smile), 1: ExpiryMark(BTC_INDEX, *smile)}
        send_report(floor, reporter, BTC_INDEX, marks)
    assert floor.state.marks.expiry_marks[0][1:] == smiles[CARA]


# BOUNDED MOVES


def test_a_forward_that_leaves_its_index_too_fast_is_held_and_then_let_in() -> None:
    floor = armed_floor(quorum=1)
    far = {0: ExpiryMark(BTC_INDEX * 103 // 100, *SMILE)}
    happened = send_report(floor, ANNA, BTC_INDEX, far)
    assert held(happened) == [(0, "forward moved too far", 199, 100)]
    assert floor.state.marks.expiry_marks[0].forward_micro == BTC_INDEX * 101 // 100
    wait(floor, MAX_AGE_S - 1)
    wait(floor, MAX_AGE_S)
    assert held(send_report(floor, ANNA, BTC_INDEX, far)) == [
        (0, "forward moved too far", 199, 100)
    ]
    wait(floor, 1)  # twice the bound, after twice the time
    assert not held(send_report(floor, ANNA, BTC_INDEX, far))
    assert floor.state.marks.expiry_marks[0].forward_micro == BTC_INDEX * 103 // 100


def test_a_forward_that_falls_with_its_index_is_no_move() -> None:
    floor = armed_floor(quorum=1)
    happened = send_report(floor, ANNA, BTC_INDEX * 7 // 10)
    assert not held(happened)
    assert marked(happened) == [BTC_INDEX * 7 // 10]


def test_a_variance_that_moves_too_far_leaves_the_smile_as_it_was() -> None:
    floor = armed_floor(quorum=1)
    a, b, rho, m, sigma = SMILE
    before = floor.state.marks.expiry_marks[1]
    marks = usual_marks(floor, BTC_INDEX + 10_000)
    marks[1] = ExpiryMark(marks[1].forward_micro, a + (a + b), b, rho, m, sigma)
    ((expiry, reason, got, allowed),) = held(send_report(floor, ANNA, BTC_INDEX + 10_000, marks))
    assert (expiry, reason, allowed) == (1, "variance moved too far", 5_000)
    assert got > 5_000
    assert floor.state.marks.expiry_marks[1] == along(before, BTC_INDEX + 10_000)
    assert floor.state.marks.expiry_marks[0].forward_micro == (BTC_INDEX + 10_000) * 101 // 100


def test_a_near_smile_above_the_far_one_is_held_for_the_calendar() -> None:
    floor = armed_floor(quorum=1, variance_move_e4=60_000)
    a = SMILE[0]
    marks = usual_marks(floor, BTC_INDEX)
    marks[1] = marks[1]._replace(a=a - 5_000_000)
    happened = send_report(floor, ANNA, BTC_INDEX, marks)
    ((expiry, reason, strike, neighbour),) = held(happened)
    assert (expiry, reason, neighbour) == (1, "arbitrage with a neighbouring expiry", 0)
    assert strike in (900_000_000, 1_000_000_000)
    # alone it is held against the mark in force before it
    happened = send_report(floor, ANNA, BTC_INDEX, {1: marks[1]})
    assert [h[:2] for h in held(happened)] == [(1, "arbitrage with a neighbouring expiry")]
    # and a near one that rises against the far one in force behind it
    near = {0: marks[0]._replace(a=a + 5_000_000)}
    happened = send_report(floor, ANNA, BTC_INDEX, near)
    assert [h[:2] for h in held(happened)] == [(0, "arbitrage with a neighbouring expiry")]


# LOSS OF QUORUM


def test_a_feed_that_stops_stops_its_underlying_and_nothing_else_of_the_accounts() -> None:
    floor = armed_floor()
    for reporter in (ANNA, BERT, CARA):
        send_report(floor, reporter)
    resting = placed_hash(floor.buy(0, 10_000, 1, CALL_90))
    before = {n: repr(a.positions) + str(a.cash_micro) for n, a in floor.state.accounts.items()}
    assert not of_type(wait(floor, MAX_AGE_S), e.OracleLost)
    happened = wait(floor, 1)
    assert [d[:2] for d in dropped(happened)] == [(x, "stale") for x in (ANNA, BERT, CARA)]
    (lost,) = of_type(happened, e.OracleLost)
    assert (lost.counting, lost.quorum, lost.newest_ms) == (0, 2, NOW_MS)
    assert not of_type(happened, e.MarksUpdated)
    assert instrument_state(floor.state, floor.state.instruments[PERP]) == CANCEL_ONLY
    assert refusal(floor.buy(0, 10_000, 1, CALL_90)).code == r.CANCEL_ONLY_NOW
    assert has_rested(floor.buy(0, 10_000, 1, 7)), "ETH has nothing to do with it"
    assert was_accepted(floor.cancel(0, resting))
    assert before == {
        n: repr(a.positions) + str(a.cash_micro) for n, a in floor.state.accounts.items()
    }


def test_trading_comes_back_with_the_marks_and_not_before() -> None:
    floor = armed_floor()
    send_report(floor, ANNA)
    send_report(floor, BERT)
    wait(floor, MAX_AGE_S + 5)
    assert floor.state.trading.of_underlying(0) == CANCEL_ONLY
    happened = send_report(floor, ANNA, BTC_INDEX - 10_000)
    assert not of_type(happened, e.OracleRecovered)
    arm(floor)  # new terms alone do not bring it back
    assert floor.state.trading.of_underlying(0) == CANCEL_ONLY
    happened = send_report(floor, CARA, BTC_INDEX - 10_000)
    assert marked(happened) == [BTC_INDEX - 10_000]
    (recovered,) = of_type(happened, e.OracleRecovered)
    assert (recovered.counting, recovered.quorum) == (2, 2)
    assert recovered.lost_s == NOW_MS // 1000 + MAX_AGE_S + 5
    assert floor.state.trading.of_underlying(0) == OPEN


def test_a_quorum_has_the_age_of_a_report_to_come_together_after_arming() -> None:
    floor = armed_floor()
    assert not of_type(wait(floor, MAX_AGE_S), e.OracleLost)
    (lost,) = of_type(wait(floor, 1), e.OracleLost)
    assert (lost.counting, lost.newest_ms) == (0, 0)


def test_one_of_three_going_stale_changes_neither_marks_nor_state() -> None:
    floor = armed_floor()
    send_report(floor, ANNA, BTC_INDEX + 10_000)
    wait(floor, 20)
    send_report(floor, BERT, BTC_INDEX + 30_000)
    send_report(floor, CARA, BTC_INDEX + 20_000)
    happened = wait(floor, 11)
    assert [d[:2] for d in dropped(happened)] == [(ANNA, "stale")]
    assert not of_type(happened, e.OracleLost)
    assert floor.state.marks.index_micro[0] == BTC_INDEX + 20_000


def test_disarming_gives_the_marks_back_to_the_operator_and_lifts_the_state() -> None:
    floor = armed_floor()
    wait(floor, MAX_AGE_S + 1)
    assert floor.state.trading.of_underlying(0) == CANCEL_ONLY
    happened = disarm(floor)
    (recovered,) = of_type(happened, e.OracleRecovered)
    assert (recovered.counting, recovered.quorum) == (0, 0)
    assert floor.state.trading.are_open
    assert was_accepted(floor.mark(0, BTC_INDEX))


def test_the_oracle_lifts_neither_the_breakers_state_nor_the_operators() -> None:
    floor = armed_floor(quorum=1)
    floor.set_state(POST_ONLY_STATE, UNDERLYING, 0)
    wait(floor, MAX_AGE_S + 1)
    assert floor.state.trading.of_underlying(0) == CANCEL_ONLY
    send_report(floor, ANNA)
    assert floor.state.trading.of_underlying(0) == POST_ONLY_STATE


def test_a_breaker_sees_the_index_that_the_oracle_makes() -> None:
    floor = open_floor()
    floor.arm(((1_000, POST_ONLY_STATE, 60),))
    arm(floor, quorum=1)
    assert of_type(send_report(floor, ANNA, BTC_INDEX * 8 // 10), e.BreakerTripped)


def test_a_report_names_an_expiry_that_was_settled_under_way_and_counts_all_the_same() -> None:
    floor = armed_floor(quorum=1)
    floor.time_ns = (MARCH + 1) * NS
    late = report(floor, ANNA)
    floor.settle(0, BTC_INDEX)
    happened = floor.send(late)
    assert marked(happened) == [BTC_INDEX]
    assert 0 not in oracle_of(floor).reports[ANNA].marks


# NUMBERS


def test_prices_become_micro_usdc_per_lot_to_the_nearest() -> None:
    assert micro_per_lot(9_558_616, 2, 1_000_000) == BTC_INDEX
    assert micro_per_lot(9_558_6160_000_000_000_000_000, 18, 1_000_000) == BTC_INDEX
    assert micro_per_lot(149, 8, 1_000_000) == 0
    assert micro_per_lot(4_999, 8, 1_000_000) == 0
    assert micro_per_lot(5_000, 8, 1_000_000) == 1, "half a unit rounds up"


def test_terms_are_named_by_their_place() -> None:
    assert wrong_field(1, 1, 1, 1, 1, 1, ((ANNA, 18),)) == 0
    assert wrong_field(1, 1, 1, 1, 1, 1, ((ANNA, 19),)) == 8
    assert wrong_field(0, 1, 1, 1, 1, 1, ()) == 0
    assert wrong_field(1, 0, 1, 1, 1, 1, ((ANNA, 0),)) == 3
    assert wrong_field(1, 1, 1, 10_000, 1, 1, ((ANNA, 0),)) == 5
    assert wrong_field(1, 1, 1, 1, 0, 1, ((ANNA, 0),)) == 6


def test_the_journal_of_an_oracle_replays_to_the_same_events() -> None:
    floor = armed_floor()
    for moved, reporter in enumerate((ANNA, BERT, CARA, ANNA)):
        send_report(floor, reporter, BTC_INDEX + moved * 10_000)
    wait(floor, MAX_AGE_S + 1)
    send_report(floor, BERT)
    again = floor.replay()
    assert again.events == floor.events
    assert encode_command(report(floor, ANNA))[1] == 0x37
