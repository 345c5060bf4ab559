"""Canonical legs and the tick of a combo, on strategies that have a name."""

import pytest

from matching.combos import Combo, canonical_legs, combo_tick_micro
from matching.instruments import CALL, PERPETUAL, Expiry, Instrument, Underlying

BTC = Underlying(0, "BTC", 1_000_000)
MARCH = Expiry(0, BTC, 1_774_598_400)


def listed(*tick_values: int) -> list[Instrument]:
    return [
        Instrument(number, CALL, BTC, MARCH, (90 + number) * 10_000_000, tick)
        for number, tick in enumerate(tick_values)
    ]


@pytest.mark.parametrize(
    ("written", "legs", "sign", "factor"),
    [
        ([(3, 1), (5, -1)], ((3, 1), (5, -1)), 1, 1),
        ([(5, -1), (3, 1)], ((3, 1), (5, -1)), 1, 1),
        ([(3, -1), (5, 1)], ((3, 1), (5, -1)), -1, 1),
        ([(5, 4), (3, -2), (7, -2)], ((3, 1), (5, -2), (7, 1)), -1, 2),
        ([(3, 2), (5, 3)], ((3, 2), (5, 3)), 1, 1),
        ([(1, 6), (2, 10), (3, 15)], ((1, 6), (2, 10), (3, 15)), 1, 1),
        ([(9, -4)], ((9, 1),), -1, 4),
        ([(3, 1), (5, 1), (3, -1)], ((5, 1),), 1, 1),
        ([(3, 1), (3, -1)], (), 1, 1),
        ([], (), 1, 1),
        ([(3, 0), (5, 2)], ((5, 1),), 1, 2),
    ],
)
def test_a_strategy_has_one_canonical_form(
    written: list[tuple[int, int]], legs: tuple[tuple[int, int], ...], sign: int, factor: int
) -> None:
    assert canonical_legs(written) == (legs, sign, factor)


@pytest.mark.parametrize(
    ("tick_values", "ratios", "tick_micro"),
    [
        ((10_000, 10_000), (1, -1), 10_000),
        ((10_000, 10_000), (2, -3), 10_000),
        ((10_000, 10_000, 10_000), (6, 10, 15), 10_000),
        ((10_000, 5_000), (1, -1), 5_000),
        ((10_000, 5_000), (1, -2), 10_000),
        ((10_000, 2_500, 4_000), (1, 1, 1), 500),
    ],
)
def test_the_tick_is_the_gcd_of_what_leg_ticks_are_worth(
    tick_values: tuple[int, ...], ratios: tuple[int, ...], tick_micro: int
) -> None:
    assert combo_tick_micro(listed(*tick_values), ratios) == tick_micro
    assert Combo(1 << 24, listed(*tick_values), ratios).tick_micro == tick_micro


def test_a_combo_knows_what_its_legs_are_worth_and_how_far_they_go() -> None:
    perpetual = Instrument(1, PERPETUAL, BTC, None, 0, 5_000)
    combo = Combo(1 << 24, [listed(10_000)[0], perpetual], [2, -3])
    assert combo.legs == ((0, 2), (1, -3))
    assert combo.steps_micro == (20_000, -15_000)
    assert combo.highest_ticks == (1_717_986, 3_435_973)
    assert combo.lowest_ticks == (0, -3_435_973)


def test_legs_and_ratios_pair_up() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Combo(1 << 24, listed(10_000, 10_000), [1])
