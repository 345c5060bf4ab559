"""No quote moves the mark that is shown beyond its band, or out of what can be arbitraged."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.mark_views import mark_view
from exchange.market_data.display_marks import (
    NO_BOUNDS,
    BestPrices,
    Bounds,
    band_micro,
    book_middle_micro,
    display_mark_micro,
)
from exchange.views import instruments
from margin.black76 import intrinsic_micro, option_micro
from margin.fixed_point import ln_q30
from matching.instruments import CALL, PUT
from tests.floor import CALL_90, CALL_100, PERP, open_floor

prices = st.one_of(st.none(), st.integers(-(1 << 34), 1 << 34))
lots = st.integers(0, 1 << 24)
books = st.builds(BestPrices, prices, lots, prices, lots)
NOTHING = BestPrices(None, 0, None, 0)


@st.composite
def options(draw: st.DrawFn) -> tuple[int, int, Bounds]:
    """Mark, index and bounds of an option that the surface prices."""
    kind = draw(st.sampled_from((CALL, PUT)))
    forward = draw(st.integers(100_000_000, 1_500_000_000))
    strike = draw(st.integers(100_000_000, 1_500_000_000))
    index = forward * draw(st.integers(80, 120)) // 100
    deviation = draw(st.integers(1, 3 << 29))
    mark = option_micro(kind, forward, strike, ln_q30(strike) - ln_q30(forward), deviation)
    low = intrinsic_micro(kind, forward, strike)
    high = forward if kind == CALL else strike
    return mark, index, Bounds(low, high, intrinsic_micro(kind, index, strike))


@given(options(), books)
def test_a_display_mark_is_within_its_band_and_without_arbitrage(
    option: tuple[int, int, Bounds], best: BestPrices
) -> None:
    mark, index, bounds = option
    shown = display_mark_micro(mark, index, bounds, best)
    assert abs(shown - mark) <= band_micro(mark, index)
    assert bounds.low_micro is not None
    assert bounds.high_micro is not None
    assert bounds.low_micro <= shown <= bounds.high_micro


@given(options(), books, books)
def test_no_single_quote_moves_it_by_more_than_both_sides_of_the_band(
    option: tuple[int, int, Bounds], one: BestPrices, other: BestPrices
) -> None:
    mark, index, bounds = option
    moved = display_mark_micro(mark, index, bounds, one) - display_mark_micro(
        mark, index, bounds, other
    )
    assert abs(moved) <= 2 * band_micro(mark, index)


@given(st.integers(1, 1 << 34), st.integers(1, 1 << 34), books)
def test_a_book_that_is_one_sided_crossed_or_wide_says_nothing(
    mark: int, index: int, best: BestPrices
) -> None:
    widest = 2 * band_micro(mark, index)
    bid, bid_lots, ask, ask_lots = best
    speaks = (
        bid is not None
        and ask is not None
        and bid_lots > 0
        and ask_lots > 0
        and bid <= ask <= bid + widest
    )
    middle = book_middle_micro(best, widest)
    assert (middle is not None) == speaks
    if not speaks:
        assert display_mark_micro(mark, index, NO_BOUNDS, best) == mark
    elif bid is not None and ask is not None and middle is not None:
        assert bid <= middle <= ask


def test_a_large_bid_draws_the_middle_up() -> None:
    assert book_middle_micro(BestPrices(100, 30, 104, 10), 10) == 103
    assert book_middle_micro(BestPrices(100, 10, 104, 30), 10) == 101


def test_it_is_half_book_and_half_surface_where_the_book_is_a_market() -> None:
    best = BestPrices(101_000, 5, 103_000, 5)
    assert display_mark_micro(100_000, 0, NO_BOUNDS, best) == 101_000
    wild = BestPrices(190_000, 5, 191_000, 5)
    assert display_mark_micro(100_000, 0, NO_BOUNDS, wild) == 105_000


def test_it_is_shown_beside_the_margin_mark_which_no_quote_moves() -> None:
    floor = open_floor()
    number = CALL_90
    mark = floor.state.marks.mark_micro(floor.state.instruments[number])
    assert instruments(floor.state)[number].display_mark_micro == mark
    floor.buy(0, floor.near(number, 102), 10, number)
    floor.sell(1, floor.near(number, 104), 10, number)
    shown = instruments(floor.state)[number]
    assert shown.mark_micro == mark
    assert shown.display_mark_micro is not None
    assert mark < shown.display_mark_micro <= mark * 105 // 100


def test_a_combos_bounds_are_its_legs_worst_and_best() -> None:
    floor = open_floor()
    view = mark_view(floor.state, ((CALL_90, 1), (CALL_100, -1)))
    assert view is not None
    forward = floor.state.marks.expiry_marks[0].forward_micro
    assert view.bounds.low_micro == max(forward - 900_000_000, 0) - forward
    assert view.bounds.high_micro == forward - max(forward - 1_000_000_000, 0)
    perpetual = mark_view(floor.state, ((PERP, 1),))
    assert perpetual is not None
    assert perpetual.bounds == NO_BOUNDS
    assert display_mark_micro(view.mark_micro, view.index_micro, view.bounds, NOTHING) == (
        view.mark_micro
    )
