"""A protection group's rolling window against the list of all fills, looked at anew each time."""

from hypothesis import given
from hypothesis import strategies as st

from margin.protection import DELTA, QUANTITY, VEGA, Protection, delta_e6, vega_micro
from matching.instruments import MAX_LOTS
from tests.floor import CALL_90, PERP, PUT_90, open_floor

FILLS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 9), st.integers(-900, 900), st.integers(-90, 90)),
    max_size=40,
)  # milliseconds since the fill before, lots, delta, vega
limits = st.sampled_from((0, 1, 10, 30, 1_000))


@given(
    fills=FILLS,
    window=st.integers(1, 60),
    frozen=st.integers(0, 50),
    three=st.tuples(*[limits] * 3),
)
def test_a_window_is_the_fills_within_it(
    fills: list[tuple[int, int, int, int]], window: int, frozen: int, three: tuple[int, int, int]
) -> None:
    group = Protection(window, frozen, *three)
    now, seen, thaws = 0, list[tuple[int, int, int, int]](), None
    for gap, lots, delta, vega in fills:
        now += gap
        if thaws is not None and frozen and now >= thaws:
            seen, thaws = [], None
        seen.append((now, lots, delta, vega))
        held = [fill for fill in seen if fill[0] > now - window]
        sums = [sum(fill[at] for fill in held) for at in (1, 2, 3)]
        reached = [
            kind
            for kind, total, limit in zip((QUANTITY, DELTA, VEGA), sums, three, strict=True)
            if limit and abs(total) >= limit
        ]
        assert group.take(now * 10**6, lots, delta, vega) == (reached[0] if reached else 0)
        if reached and thaws is None:
            thaws = now + frozen
        assert group.is_tripped == (thaws is not None)
        room = max(0, three[0] - sums[0]) if three[0] else MAX_LOTS
        assert group.fillable_lots() == (0 if group.is_tripped else room)


def test_delta_and_vega_are_of_the_right_sign_and_size() -> None:
    floor = open_floor()
    listed, marks = floor.state.instruments, floor.state.marks
    call, put = delta_e6(marks, listed[CALL_90]), delta_e6(marks, listed[PUT_90])
    assert 500_000 < call < 10**6
    assert -500_000 < put < 0
    assert abs(call - put - 10**6) < 1_000  # put-call parity
    assert delta_e6(marks, listed[PERP]) == 10**6
    assert vega_micro(marks, listed[CALL_90]) > 0
    assert abs(vega_micro(marks, listed[CALL_90]) - vega_micro(marks, listed[PUT_90])) <= 4
    assert vega_micro(marks, listed[PERP]) == 0
