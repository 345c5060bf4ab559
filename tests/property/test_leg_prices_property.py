"""Leg prices against brute force: every sum that prices of the legs can make, listed."""

from functools import reduce
from math import gcd
from typing import NamedTuple

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from matching.combos import MAX_LEGS, MAX_RATIO, Combo
from matching.instruments import (
    CALL,
    MAX_VALUE_MICRO,
    PERPETUAL,
    PUT,
    Expiry,
    Instrument,
    Underlying,
)
from matching.leg_prices import MAX_SMALLEST, split_net_price

BTC = Underlying(0, "BTC", 1_000_000)
MARCH = Expiry(0, BTC, 1_774_598_400)


class Legs(NamedTuple):
    steps: list[int]
    marks: list[int]
    lowest: list[int]
    highest: list[int]

    def split(self, net: int) -> list[int] | None:
        return split_net_price(net, self.steps, self.marks, self.lowest, self.highest)

    def net(self, prices: list[int]) -> int:
        return sum(price * step for price, step in zip(prices, self.steps, strict=True))

    def check(self, net: int, prices: list[int]) -> None:
        assert self.net(prices) == net
        for low, price, high in zip(self.lowest, prices, self.highest, strict=True):
            assert low <= price <= high
        assert self.split(net) == prices, "the same question has the same answer"


def sums(legs: Legs) -> set[int]:
    """Every net price that the legs can make."""
    reached = {0}
    for step, low, high in zip(legs.steps, legs.lowest, legs.highest, strict=True):
        reached = {net + step * price for net in reached for price in range(low, high + 1)}
    return reached


def steps_of(low: int, high: int, legs: st.SearchStrategy[int]) -> st.SearchStrategy[list[int]]:
    sizes = st.integers(low, high)
    signed = sizes | sizes | sizes.map(lambda size: -size)
    return legs.flatmap(lambda count: st.lists(signed, min_size=count, max_size=count))


@st.composite
def small_legs(draw: st.DrawFn) -> Legs:
    """Legs small enough to list all that they can make, with the room that the docstring asks."""
    steps = draw(
        steps_of(1, 12, st.just(2))
        | steps_of(1, 7, st.just(3))
        | steps_of(1, 4, st.just(4))
        | st.permutations([6, 10, 15])
    )
    unit = gcd(*steps)
    room = 4 * max(map(abs, steps)) // unit
    lowest = [draw(st.just(0) | st.integers(-40, 0)) for _ in steps]
    highest = [low + room + draw(st.integers(0, 3)) for low in lowest]
    marks = [draw(st.integers(-3, 60)) for _ in steps]
    return Legs(steps, marks, lowest, highest)


@given(small_legs(), st.data())
def test_none_means_that_there_is_no_solution(legs: Legs, data: st.DataObject) -> None:
    reached = sums(legs)
    least, most = min(reached), max(reached)
    middle = data.draw(st.integers(least, most), label="somewhere")
    for net in (
        *range(least - 2, least + 60),
        *range(middle - 9, middle + 9),
        *range(most - 60, most + 3),
    ):
        prices = legs.split(net)
        assert (prices is not None) == (net in reached), net
        if prices is not None:
            legs.check(net, prices)


def coins(sizes: list[int], most: int) -> int:
    """Bit n is set where n is a sum of sizes, each taken any number of times; up to `most`."""
    mask = (1 << (most + 1)) - 1

    def with_size(bits: int, size: int) -> int:
        while size <= most:
            bits |= (bits << size) & mask
            size *= 2
        return bits

    return reduce(with_size, sizes, 1)


@given(
    sizes=st.lists(st.integers(1, MAX_RATIO), min_size=2, max_size=MAX_LEGS),
    marks=st.lists(st.integers(0, 300), min_size=MAX_LEGS, max_size=MAX_LEGS),
    net=st.integers(0, 20_000),
)
@example([2, 3], [0, 0, 0, 0, 0, 0, 0, 0], 1)
@example([6, 10, 15], [9, 9, 9, 9, 9, 9, 9, 9], 29)
@example([127, 126], [1, 0, 0, 0, 0, 0, 0, 0], 127 * 126 - 127 - 126)
@example([127, 126], [9, 9, 9, 9, 9, 9, 9, 9], 127 * 126 - 127 - 126 + 1)
def test_options_that_are_all_bought_are_the_money_changing_problem(
    sizes: list[int], marks: list[int], net: int
) -> None:
    legs = Legs(sizes, marks[: len(sizes)], [0] * len(sizes), [1 << 20] * len(sizes))
    prices = legs.split(net)
    assert (prices is not None) == bool(coins(sizes, net) >> net & 1)
    if prices is not None:
        legs.check(net, prices)


@given(
    sizes=st.lists(
        st.sampled_from([6, 10, 12, 14, 15, 18, 20, 21, 28, 30, 35, 42, 70, 105, 127]),
        min_size=3,
        max_size=5,
        unique=True,
    ),
    mark=st.integers(0, 9),
)
@example([6, 10, 15, 31], 3)
def test_small_nets_of_ratios_that_share_factors_in_pairs(sizes: list[int], mark: int) -> None:
    """Where the sums that can be made have gaps, all of them."""
    count = len(sizes)
    legs = Legs(sizes, [mark] * count, [0] * count, [1 << 20] * count)
    made = coins(sizes, 300)
    for net in range(300):
        prices = legs.split(net)
        assert (prices is not None) == bool(made >> net & 1), net
        assert prices is None or legs.net(prices) == net


wide = st.lists(
    st.integers(1, MAX_RATIO) | st.integers(-MAX_RATIO, -1), min_size=2, max_size=MAX_LEGS
)


@given(wide, st.data())
def test_legs_on_both_sides_make_every_net_price_on_the_tick(
    ratios: list[int], data: st.DataObject
) -> None:
    assume(min(ratios) < 0 < max(ratios))
    tick = data.draw(st.sampled_from([1, 7, 10_000]), label="tick value")
    steps = [ratio * tick for ratio in ratios]
    marks = [data.draw(st.integers(0, 5_000), label="mark") for _ in steps]
    legs = Legs(steps, marks, [0] * len(steps), [1 << 20] * len(steps))
    unit = gcd(*steps)
    net = data.draw(st.integers(-30_000, 30_000), label="net") * unit
    prices = legs.split(net)
    assert prices is not None
    legs.check(net, prices)
    if unit > 1:
        assert legs.split(net + 1) is None


@given(wide, st.data())
def test_the_net_of_the_marks_leaves_them_and_one_near_it_moves_them_little(
    ratios: list[int], data: st.DataObject
) -> None:
    """Away from zero no leg moves by more than twice the largest ratio, however the ratios share
    factors: the extended Euclidean algorithm would move them by tens of thousands.
    """
    marks = [data.draw(st.integers(2_000, 5_000), label="mark") for _ in ratios]
    legs = Legs(ratios, marks, [0] * len(ratios), [1 << 20] * len(ratios))
    net = legs.net(marks)
    assert legs.split(net) == marks
    unit = gcd(*ratios)
    largest = max(map(abs, ratios)) // unit
    off = data.draw(st.integers(-largest, largest), label="off the marks")
    prices = legs.split(net + off * unit)
    assert prices is not None
    legs.check(net + off * unit, prices)
    assert all(
        abs(price - mark) <= 2 * largest + 1 for price, mark in zip(prices, marks, strict=True)
    )


kinds = st.sampled_from([CALL, PUT, PERPETUAL])
tick_values = st.sampled_from([8, 10, 2_500, 10_000]) | st.integers(8, (1 << 31) - 1)


@settings(max_examples=2 * settings().max_examples)
@given(st.data())
def test_hostile_legs_break_no_bound(data: st.DataObject) -> None:
    """Any ratios, kinds, ticks, marks and nets: prices are exact and lawful, or there are none."""
    ratios = data.draw(wide, label="ratios")
    shared = data.draw(st.none() | st.sampled_from([10, 10_000]), label="shared tick value")
    instruments = [
        Instrument(
            number,
            kind,
            BTC,
            None if kind == PERPETUAL else MARCH,
            900_000_000,
            data.draw(tick_values, label="tick value") if shared is None else shared,
        )
        for number, kind in enumerate(data.draw(kinds, label="kind") for _ in ratios)
    ]
    combo = Combo(1 << 24, instruments, ratios)
    ticks = (1 << 38) // combo.tick_micro
    net = data.draw(st.integers(-ticks, ticks) | st.integers(-3, 3), label="net") * combo.tick_micro
    marks = [
        data.draw(st.integers(-(1 << 35), 1 << 35), label="mark") // instrument.tick_value_micro
        for instrument in instruments
    ]
    prices = split_net_price(net, combo.steps_micro, marks, combo.lowest_ticks, combo.highest_ticks)
    if prices is None:
        return
    assert sum(map(int.__mul__, prices, combo.steps_micro)) == net
    for instrument, price in zip(instruments, prices, strict=True):
        assert abs(price * instrument.tick_value_micro) < MAX_VALUE_MICRO
        assert instrument.is_linear or price >= 0


def test_ticks_with_hardly_a_common_factor_have_no_price() -> None:
    smallest = MAX_SMALLEST
    steps = [smallest, smallest + 1]
    room = [4 * (smallest + 1)] * 2
    assert split_net_price(3 * steps[0] + 5 * steps[1], steps, [3, 5], [0, 0], room) == [3, 5]
    steps = [smallest + 1, smallest + 2]
    assert split_net_price(3 * steps[0] + 5 * steps[1], steps, [3, 5], [0, 0], room) is None
