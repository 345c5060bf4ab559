"""How a net price falls on the legs, on examples that one can follow by hand: steps of one tick
each, so prices and net are in ticks.
"""

import pytest

from matching.leg_prices import split_net_price

FREE = 1 << 20


def split(
    net: int,
    ratios: list[int],
    marks: list[int],
    *,
    lowest: list[int] | None = None,
    highest: int = FREE,
) -> list[int] | None:
    return split_net_price(net, ratios, marks, lowest or [0] * len(ratios), [highest] * len(ratios))


@pytest.mark.parametrize(
    ("story", "net", "ratios", "marks", "prices"),
    [
        ("the marks make the net", 200, [1, -1], [700, 500], [700, 500]),
        ("the first of equals takes the rest", 230, [1, -1], [700, 500], [730, 500]),
        ("and gives it back", 150, [1, -1], [700, 500], [650, 500]),
        ("at zero the next one goes on", -100, [1, -1], [30, 50], [0, 100]),
        ("the largest ratio goes first", 20, [1, -2, 1], [100, 60, 40], [100, 60, 40]),
        ("in whole ticks", 27, [1, -2, 1], [100, 60, 40], [101, 57, 40]),
        ("what is left over goes to the next", 25, [1, -2, 1], [100, 60, 40], [101, 58, 40]),
        ("a far net", 1_000, [2, 1], [100, 100], [450, 100]),
        ("where no leg divides what is left, the first makes way", 107, [3, 2], [20, 23], [19, 25]),
        ("two and three", 11, [2, 3], [1, 3], [1, 3]),
        ("two and three, from nothing", 7, [2, 3], [0, 0], [2, 1]),
        ("marks below zero begin at zero", 5, [1, 1], [-9, 2], [3, 2]),
    ],
)
def test_a_net_price_falls_on_the_legs(
    story: str, net: int, ratios: list[int], marks: list[int], prices: list[int]
) -> None:
    assert sum(p * r for p, r in zip(prices, ratios, strict=True)) == net, story
    assert split(net, ratios, marks) == prices


@pytest.mark.parametrize(
    ("net", "ratios"),
    [
        (-1, [1, 1]),
        (1, [2, 3]),
        (29, [6, 10, 15]),
        (127 * 126 - 127 - 126, [127, 126]),
        (1, [2, -4]),
    ],
)
def test_some_net_prices_no_options_make(net: int, ratios: list[int]) -> None:
    for marks in ([0, 0, 0], [7, 9, 3], [500, 2, 40]):
        assert split(net, ratios, marks[: len(ratios)]) is None


def test_a_perpetual_may_be_negative_and_an_option_not() -> None:
    assert split(-10, [1, 1], [3, 4], lowest=[0, -FREE]) == [0, -10]
    assert split(-10, [1, 1], [3, 4]) is None


def test_a_leg_stays_below_the_bound_of_a_price() -> None:
    """One leg cannot carry a net price that the bound on a single price forbids."""
    assert split(120, [1, 1], [30, 30], highest=100) == [90, 30]
    assert split(150, [1, 1], [30, 30], highest=100) == [100, 50]
    assert split(200, [1, 1], [30, 30], highest=100) == [100, 100]
    assert split(201, [1, 1], [30, 30], highest=100) is None
    assert split(60, [1, 1], [300, 0], highest=100) == [60, 0]


def test_large_ratios_without_a_common_factor_keep_prices_near_the_marks() -> None:
    marks = [3_405, 2_398, 4_776]
    prices = split(544_456, [62, -102, 121], marks)
    assert prices is not None
    assert all(abs(p - m) < 130 for p, m in zip(prices, marks, strict=True))
