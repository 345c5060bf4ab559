"""What reporters who lie together can do within an oracle's bounds, and what they cannot: the
figures that docs/oracle.md, "What liars can do", states.
"""

from fractions import Fraction
from typing import Any

import pytest

from exchange import events as e
from exchange.oracle.aggregate import at_the_money_q60
from margin.svi import ExpiryMark
from matching.trading_states import CANCEL_ONLY, POST_ONLY_STATE
from tests.floor import BTC_INDEX, SMILE, Floor, of_type, open_floor
from tests.reporting import (
    ANNA,
    BERT,
    CARA,
    MAX_AGE_S,
    arm,
    send_report,
    usual_marks,
    wait,
)

A, B, RHO, M, SIGMA = SMILE
EXPIRY = 0
LIARS = (BERT, CARA)
TRUTH = BTC_INDEX * 101 // 100


def honest_floor(**terms: Any) -> Floor:
    """All three report the same, once."""
    floor = open_floor()
    assert of_type(arm(floor, **terms), e.OracleArmed)
    for reporter in (ANNA, *LIARS):
        send_report(floor, reporter)
    return floor


def in_force(floor: Floor) -> ExpiryMark:
    return floor.state.marks.expiry_marks[EXPIRY]


def lie(floor: Floor, forward: Fraction, variance: Fraction) -> None:
    """Both liars say of every expiry that forward and variance are so many times the truth, and of
    the index the truth.
    """
    a, b = int(A * variance), int(B * variance)
    marks = {
        number: ExpiryMark(int(mark.forward_micro * forward) // 100 * 100, a, b, RHO, M, SIGMA)
        for number, mark in usual_marks(floor, BTC_INDEX).items()
    }
    for liar in LIARS:
        send_report(floor, liar, BTC_INDEX, marks)


def moved(floor: Floor) -> tuple[Fraction, Fraction]:
    """Of the forward over the index and of the variance at the money, since the truth."""
    mark, truth = in_force(floor), ExpiryMark(TRUTH, *SMILE)
    variance = Fraction(at_the_money_q60(mark), at_the_money_q60(truth))
    return Fraction(mark.forward_micro, TRUTH) - 1, variance - 1


def drag(floor: Floor, way: int, times: int) -> None:
    """As often as they like, each time as far as one update lets them, not a second later."""
    for _ in range(times):
        for forward_e4, variance_e4 in ((99, 4_990), (50, 4_990), (0, 2_500), (90, 0), (9, 9)):
            forward, variance = moved(floor)
            lie(
                floor,
                (1 + forward) * (10_000 + way * forward_e4) / 10_000,
                (1 + variance) * (10_000 + way * variance_e4) / 10_000,
            )
        send_report(floor, ANNA)


@pytest.mark.parametrize("way", [1, -1])
def test_two_of_three_who_report_in_a_burst_get_no_further_than_with_one_report(way: int) -> None:
    """The bounds of a move are of time, not of how often it is reported."""
    floor = honest_floor()
    drag(floor, way, 5)
    forward, variance = moved(floor)
    assert abs(forward) <= Fraction(1, 100)
    assert abs(variance) <= Fraction(1, 2)
    assert abs(variance) > Fraction(2, 5), "but so far they do get"


def test_two_of_three_drag_a_smile_and_a_forward_so_fast_and_no_faster() -> None:
    """Half of the variance and one percent of the forward in each `max_age_s`."""
    floor = honest_floor()
    windows = 6
    for window in range(1, windows + 1):
        drag(floor, 1, 2)
        forward, variance = moved(floor)
        assert forward <= Fraction(101, 100) ** window - 1
        assert 1 + variance <= Fraction(3, 2) ** window
        wait(floor, MAX_AGE_S)
    assert 1 + moved(floor)[1] > Fraction(7, 5) ** windows
    assert moved(floor)[0] > Fraction(windows - 1, 100)


def test_two_of_three_move_the_index_where_they_like_and_the_breaker_answers() -> None:
    """Who names a quorum trusts it with the index: the honest third is the outlier."""
    for percent, state in ((90, POST_ONLY_STATE), (79, CANCEL_ONLY)):
        floor = honest_floor()
        floor.arm(((1_000, POST_ONLY_STATE, 60), (2_000, CANCEL_ONLY, 300)))
        wait(floor, 5)
        for liar in LIARS:
            happened = send_report(floor, liar, BTC_INDEX * percent // 10_000 * 100)
        assert floor.state.marks.index_micro[0] == BTC_INDEX * percent // 10_000 * 100
        dropped = of_type(happened, e.ReportDropped)
        assert [event.reporter for event in dropped] == [ANNA]
        assert floor.state.trading.of_underlying(0) == state


def test_one_of_three_moves_nothing_while_the_others_report() -> None:
    floor = honest_floor()
    for percent in (50, 99, 101, 200):
        liar = BTC_INDEX * percent // 10_000 * 100
        marks = {EXPIRY: ExpiryMark(liar * 11 // 1_000 * 100, A * 2, B * 2, RHO, M, SIGMA)}
        send_report(floor, CARA, liar, marks)
        assert floor.state.marks.index_micro[0] == BTC_INDEX
        assert in_force(floor) == ExpiryMark(TRUTH, *SMILE)


def test_one_of_three_moves_an_index_by_the_band_downwards_when_another_is_silent() -> None:
    """Of two the lower counts, and both must be within 1% of it: a quorum that only just stands has
    no room for a liar, and below it the underlying stops.
    """
    floor = honest_floor()
    wait(floor, MAX_AGE_S - 5)
    send_report(floor, ANNA)
    send_report(floor, CARA)
    wait(floor, 10)  # Bert is silent
    send_report(floor, ANNA)
    low = BTC_INDEX * 991 // 100_000 * 100
    send_report(floor, CARA, low)
    assert floor.state.marks.index_micro[0] == low
    send_report(floor, CARA, BTC_INDEX * 1_009 // 100_000 * 100)
    assert floor.state.marks.index_micro[0] == BTC_INDEX
    happened = send_report(floor, CARA, BTC_INDEX * 98 // 10_000 * 100)
    assert of_type(happened, e.OracleLost)
    assert floor.state.marks.index_micro[0] == BTC_INDEX
    assert floor.state.trading.of_underlying(0) == CANCEL_ONLY


def test_one_of_three_drags_a_smile_down_as_two_would_when_another_is_silent() -> None:
    """Of two smiles the one of less variance counts: never a higher one, and so fast a lower."""
    floor = honest_floor()
    wait(floor, MAX_AGE_S - 5)
    send_report(floor, ANNA)
    send_report(floor, CARA)
    wait(floor, 10)  # Bert is silent
    send_report(floor, ANNA)
    for factor, counts in ((Fraction(14, 10), 1), (Fraction(6, 10), Fraction(6, 10))):
        a, b = int(A * factor), int(B * factor)
        marks = {
            number: ExpiryMark(mark.forward_micro, a, b, RHO, M, SIGMA)
            for number, mark in usual_marks(floor, BTC_INDEX).items()
        }
        send_report(floor, CARA, BTC_INDEX, marks)
        assert abs(1 + moved(floor)[1] - counts) < Fraction(1, 1_000)


def test_a_real_move_is_held_up_and_never_shut_out() -> None:
    """Variance that nearly doubles at once and stays there is the mark after a second window."""
    floor = honest_floor()
    real = {
        number: ExpiryMark(mark.forward_micro, A * 19 // 10, B * 19 // 10, RHO, M, SIGMA)
        for number, mark in usual_marks(floor, BTC_INDEX).items()
    }
    waited = 0
    while in_force(floor) != real[EXPIRY]:
        for reporter in (ANNA, *LIARS):
            send_report(floor, reporter, BTC_INDEX, real)
        wait(floor, 5)
        waited += 5
        assert waited <= 2 * MAX_AGE_S + 5
    assert waited > 2 * MAX_AGE_S
