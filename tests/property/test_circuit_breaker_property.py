"""The circuit breaker beside its slow twin (`tests/model/circuit_breaker.py`) over random paths of
the index, through the engine.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.circuit_breaker import MAX_WINDOW_S
from exchange.state_digest import state_hash
from matching.trading_states import CANCEL_ONLY, OPEN, POST_ONLY_STATE
from tests.floor import BTC_INDEX, FEES, Floor, of_type, open_floor
from tests.model.circuit_breaker import Level, PlainBreaker

BREAKERS = (e.BreakerTripped, e.BreakerReleased)

windows = st.sampled_from((1, 2, 7, 60, 300, MAX_WINDOW_S))
states = st.lists(st.sampled_from((POST_ONLY_STATE, CANCEL_ONLY)), min_size=1, max_size=4)
thresholds = st.lists(st.integers(1, 3_000), min_size=4, max_size=4, unique=True)
minima = st.lists(st.sampled_from((0, 1, 5, 60, 400)), min_size=4, max_size=4)

steps = st.lists(
    st.tuples(
        st.sampled_from((0, 0, 1, 1, 2, 5, 30, 61, 301, 4_000)),
        st.one_of(st.integers(-30, 30), st.integers(-300, 300), st.integers(-3_000, 3_000)),
    ),
    min_size=1,
    max_size=40,
)
"""Seconds that pass, and how far the index goes, in 1e-4."""


def levels_of(asked: list[int], of_thresholds: list[int], of_minima: list[int]) -> list[Level]:
    rising = sorted(of_thresholds)[: len(asked)]
    return [
        (threshold, state, minimum)
        for threshold, state, minimum in zip(rising, sorted(asked), of_minima, strict=False)
    ]


@given(windows, windows, st.sampled_from((0, 10, 200, 2_000)), states, thresholds, minima, steps)
@settings(max_examples=150)
def test_the_breaker_does_what_its_twin_does(
    window_s: int,
    calm_window_s: int,
    calm_e4: int,
    asked: list[int],
    of_thresholds: list[int],
    of_minima: list[int],
    path: list[tuple[int, int]],
) -> None:
    levels = levels_of(asked, of_thresholds, of_minima)
    floor = open_floor(0, watched=False, fees=FEES._replace(rebate_step=100))
    floor.arm(levels, window_s=window_s, calm_window_s=calm_window_s, calm_e4=calm_e4)
    twin = PlainBreaker(window_s, calm_window_s, calm_e4, levels)
    twin.take(floor.time_s, BTC_INDEX)
    index = BTC_INDEX
    for seconds, move_e4 in path:
        floor.time_ns += seconds * 10**9
        index = max(1_000, min(index * (10_000 + move_e4) // 10_000, 2**33))
        happened = floor.mark(0, index, expiries=())
        expected = twin.take(floor.time_s, index)
        assert [told(event) for event in happened if isinstance(event, BREAKERS)] == (
            [] if expected is None else [expected]
        )
        state = levels[twin.level - 1][1] if twin.level else OPEN
        assert floor.state.trading.of_underlying(0) == state
        assert floor.state.trading.of_underlying(1) == OPEN
        level = floor.state.portfolio.fee_levels.get(0, 0)
        assert level == twin.warning()
        for told_level in of_type(happened, e.FeeLevelSet):
            assert told_level == e.FeeLevelSet(0, level, 300 - 100 * level)
        breaker = floor.state.breakers[0]
        assert len(breaker.samples) <= max(window_s, calm_window_s) + 1
    assert replayed(floor) == state_hash(floor.state)


def told(event: e.BreakerTripped | e.BreakerReleased) -> tuple[str, int, int]:
    if isinstance(event, e.BreakerTripped):
        return "tripped", event.level, event.reference_micro
    return "released", event.low_micro, event.high_micro


def replayed(floor: Floor) -> bytes:
    twin = floor.replay()
    assert twin.events == floor.events
    return state_hash(twin.state)


@given(steps, st.integers(1, 5_000))
@settings(max_examples=60)
def test_what_trips_is_as_large_as_the_threshold_says_and_what_does_not_is_smaller(
    path: list[tuple[int, int]], threshold: int
) -> None:
    """With a window that reaches over everything, by the numbers of the event alone."""
    floor = open_floor(0, watched=False)
    floor.arm([(threshold, CANCEL_ONLY, 60_000)], window_s=MAX_WINDOW_S)
    index, known = BTC_INDEX, [BTC_INDEX]
    for _, move_e4 in path:
        index = max(1_000, min(index * (10_000 + move_e4) // 10_000, 2**33))
        known.append(index)
        happened = floor.mark(0, index, expiries=())
        tripped = [event for event in happened if isinstance(event, e.BreakerTripped)]
        largest = max(abs(index - other) * 10_000 - threshold * other for other in known)
        assert bool(tripped) == (largest >= 0)
        if tripped:
            (event,) = tripped
            assert event.reference_micro in known
            moved = abs(event.index_micro - event.reference_micro) * 10_000
            assert moved >= event.threshold_e4 * event.reference_micro
            return


def test_a_second_that_saw_a_spike_is_remembered_for_the_window_and_no_longer() -> None:
    """The spike and its end fall into one second: it trips at once, on its way."""
    floor = open_floor(0)
    floor.arm([(1_000, POST_ONLY_STATE, 0)], window_s=10, calm_window_s=10, calm_e4=100)
    floor.advance(5)
    happened = floor.mark(0, BTC_INDEX * 111 // 100)
    (tripped,) = [event for event in happened if isinstance(event, e.BreakerTripped)]
    assert (tripped.reference_micro, tripped.until_s) == (BTC_INDEX, floor.time_s)
    floor.mark(0, BTC_INDEX)
    floor.advance(9)
    assert not [x for x in floor.mark(0, BTC_INDEX) if isinstance(x, BREAKERS)]
    floor.advance(1)
    happened = floor.mark(0, BTC_INDEX)
    (released,) = [event for event in happened if isinstance(event, e.BreakerReleased)]
    assert (released.low_micro, released.high_micro) == (BTC_INDEX, BTC_INDEX)
