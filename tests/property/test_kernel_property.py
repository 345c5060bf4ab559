"""The margin kernel, packed and numpy, against one scenario at a time in plain integers."""

from collections.abc import Callable
from fractions import Fraction
from itertools import starmap
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from margin import kernel, kernel_numpy
from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT

VALUE_END = 1 << 34
PRICE_END = 1 << 38
LOTS_END = 1 << 24
FEE_END = 1 << 30

values = st.one_of(
    st.integers(-VALUE_END + 1, VALUE_END - 1),
    st.sampled_from((-VALUE_END + 1, -1, 0, 1, VALUE_END - 1)),
)
rows = st.lists(values, min_size=SCENARIO_COUNT, max_size=SCENARIO_COUNT)
sums = st.lists(
    st.one_of(st.integers(-(1 << 61), 1 << 61), st.sampled_from((-(1 << 61), 0, 1 << 61))),
    min_size=SCENARIO_COUNT,
    max_size=SCENARIO_COUNT,
)
signs = st.sampled_from((1, -1))
prices = st.integers(-PRICE_END + 1, PRICE_END - 1)
fees = st.integers(0, FEE_END)
lots = st.integers(-(1 << 22), 1 << 22)
limits = st.integers(0, LOTS_END)

HIGHEST, LOWEST = [VALUE_END - 1] * SCENARIO_COUNT, [-VALUE_END + 1] * SCENARIO_COUNT
LEAST_SUM = [-(1 << 61)] * SCENARIO_COUNT

Vector = Any
Kernel = Any


@pytest.fixture(params=["in use", "numpy"], scope="module")
def of(request: pytest.FixtureRequest) -> Kernel:
    """The kernel that this process runs (packed where the core is compiled), and the twin."""
    return kernel if request.param == "in use" else kernel_numpy


def made(of: Kernel, row: list[int]) -> Vector:
    return of.copy_of(of.vector_of(np.array(row, dtype=np.int64)))


def changed(of: Kernel, function: Callable[..., None], row: list[int], *rest: Any) -> list[int]:
    """What a function that works in place leaves of a vector."""
    vector = made(of, row)
    function(vector, *(made(of, given) if isinstance(given, list) else given for given in rest))
    return of.integers(vector)


def lot_loss(value: int, sign: int, price: int, fee: int) -> int:
    return min(0, sign * (value - price) - fee)


@given(row=rows)
def test_a_row_comes_back_as_it_went_in(of: Kernel, row: list[int]) -> None:
    assert of.integers(made(of, row)) == row
    assert of.integers(of.copy_of(made(of, row))) == row
    assert of.at_base(made(of, row)) == row[BASE_SCENARIO]
    assert (of.least(made(of, row)), of.largest(made(of, row))) == (min(row), max(row))
    assert of.integers(of.zero_vector()) == [0] * SCENARIO_COUNT


held = st.integers(-(1 << 58), 1 << 58)
worths = st.lists(held, min_size=SCENARIO_COUNT, max_size=SCENARIO_COUNT)


@given(row=worths, quarters=st.integers(4, 8), sign=signs)
@example(row=[1 << 58] * 55 + [-(1 << 58)] + [1 << 58] * 63, quarters=8, sign=-1)
def test_moves_are_stretched_about_where_nothing_moves(
    of: Kernel, row: list[int], quarters: int, sign: int
) -> None:
    """Rounded against whoever has the vector: down where he is long, up where he is short."""
    base = row[BASE_SCENARIO]
    exact = [Fraction((value - base) * quarters, 4) for value in row]
    found = of.integers(of.stretched(made(of, row), quarters, sign))
    assert found == [base + (floor(gain) if sign > 0 else ceil(gain)) for gain in exact]


@given(row=rows)
def test_a_copy_is_another_vector(of: Kernel, row: list[int]) -> None:
    vector = made(of, row)
    of.add_lots(of.copy_of(vector), vector, 1)
    assert of.integers(vector) == row


@given(start=sums, row=rows, many=st.integers(-LOTS_END + 1, LOTS_END - 1))
@example(start=LEAST_SUM, row=LOWEST, many=LOTS_END - 1)
def test_lots_are_added_as_integers_are(
    of: Kernel, start: list[int], row: list[int], many: int
) -> None:
    expected = [s + many * r for s, r in zip(start, row, strict=True)]
    assert changed(of, of.add_lots, start, row, many) == expected
    assert changed(of, of.set_lots, start, row, many) == [many * r for r in row]


@given(start=sums, row=rows, sign=signs, price=prices, fee=fees, many=lots)
@example(start=LEAST_SUM, row=LOWEST, sign=1, price=PRICE_END - 1, fee=0, many=1 << 22)
@example(start=LEAST_SUM, row=HIGHEST, sign=-1, price=-PRICE_END + 1, fee=0, many=1 << 22)
def test_an_order_loses_what_it_overpays(
    of: Kernel, start: list[int], row: list[int], sign: int, price: int, fee: int, many: int
) -> None:
    expected = [s + many * lot_loss(r, sign, price, fee) for s, r in zip(start, row, strict=True)]
    assert changed(of, of.add_loss, start, row, sign, price, fee, many) == expected


@given(start=rows, row=rows, sign=signs, price=prices, fee=fees)
def test_the_worst_kind_of_lot_is_found_scenario_by_scenario(
    of: Kernel, start: list[int], row: list[int], sign: int, price: int, fee: int
) -> None:
    start = [min(s, 0) for s in start]
    expected = [min(s, lot_loss(r, sign, price, fee)) for s, r in zip(start, row, strict=True)]
    assert changed(of, of.sink, start, row, sign, price, fee) == expected


@given(start=rows, losses=rows, lot_losses=rows, limit=limits)
@example(
    start=[0] * SCENARIO_COUNT,
    losses=LEAST_SUM,
    lot_losses=[-(1 << 44)] * SCENARIO_COUNT,
    limit=LOTS_END,
)
def test_a_group_loses_at_most_its_limit_of_the_worst_lots(
    of: Kernel, start: list[int], losses: list[int], lot_losses: list[int], limit: int
) -> None:
    losses = [min(x, -x) for x in losses]
    lot_losses = [min(x, -x) for x in lot_losses]
    expected = [
        s + (whole if limit * lot < -(1 << 62) else max(whole, limit * lot))
        for s, whole, lot in zip(start, losses, lot_losses, strict=True)
    ]
    assert changed(of, of.add_capped, start, losses, lot_losses, limit) == expected


@given(
    start=rows,
    worths=st.lists(
        st.integers(0, (1 << 46) - 1), min_size=SCENARIO_COUNT, max_size=SCENARIO_COUNT
    ),
    amount=st.integers(0, (1 << 62) - 1),
)
@example(start=HIGHEST, worths=[(1 << 46) - 1] * SCENARIO_COUNT, amount=(1 << 28) - 1)
@example(start=LOWEST, worths=[1] * SCENARIO_COUNT, amount=(1 << 62) - 1)
def test_what_an_amount_is_worth_is_rounded_down_once(
    of: Kernel, start: list[int], worths: list[int], amount: int
) -> None:
    amount = min(amount, (1 << 74) // max(*worths, 1))  # the cap of an asset sees to it
    expected = [s + (amount * price >> 24) for s, price in zip(start, worths, strict=True)]
    assert changed(of, of.add_worth, start, worths, amount) == expected


@given(one=sums, other=rows)
def test_the_worst_scenario_is_the_first_of_the_least(
    of: Kernel, one: list[int], other: list[int]
) -> None:
    totals = list(starmap(int.__add__, zip(one, other, strict=True)))
    assert of.worst(made(of, one), made(of, other)) == min(totals)
    assert of.worst_scenario(made(of, one), made(of, other)) == totals.index(min(totals))
