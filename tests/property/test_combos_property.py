"""Canonical legs: whoever writes a strategy, in whatever order, sign or scale, meets in one book,
and pays there what was meant.
"""

from math import gcd

from hypothesis import assume, given
from hypothesis import strategies as st

from matching.combos import MAX_LEGS, MAX_RATIO, Combo, canonical_legs, combo_tick_micro
from matching.instruments import CALL, MAX_VALUE_MICRO, PERPETUAL, Expiry, Instrument, Underlying
from matching.leg_prices import split_net_price

BTC = Underlying(0, "BTC", 1_000_000)
MARCH = Expiry(0, BTC, 1_774_598_400)

Written = list[tuple[int, int]]

ratios = st.integers(1, MAX_RATIO) | st.integers(-MAX_RATIO, -1)
written_legs = st.lists(st.tuples(st.integers(0, 12), ratios), min_size=1, max_size=MAX_LEGS)
separate_legs = st.lists(
    st.tuples(st.integers(0, 1 << 24), ratios),
    min_size=1,
    max_size=MAX_LEGS,
    unique_by=lambda leg: leg[0],
)


def exposure(legs: Written | tuple[tuple[int, int], ...], units: int) -> dict[int, int]:
    """Signed lots of each instrument in so many units."""
    lots: dict[int, int] = {}
    for instrument, ratio in legs:
        lots[instrument] = lots.get(instrument, 0) + units * ratio
    return {instrument: count for instrument, count in lots.items() if count}


@given(written_legs)
def test_the_canonical_form_is_what_the_protocol_asks_and_means_the_same(written: Written) -> None:
    legs, sign, factor = canonical_legs(written)
    assert exposure(legs, sign * factor) == exposure(written, 1)
    assert sign in (1, -1)
    assert factor > 0
    if legs:
        instruments = [instrument for instrument, _ in legs]
        assert instruments == sorted(instruments)
        assert len(instruments) == len(frozenset(instruments))
        assert all(ratio for _, ratio in legs)
        assert legs[0][1] > 0
        assert gcd(*(ratio for _, ratio in legs)) == 1
        assert canonical_legs(legs) == (legs, 1, 1)
    else:
        assert (sign, factor) == (1, 1)


@given(separate_legs, st.data(), st.integers(1, 9), st.sampled_from([1, -1]))
def test_order_sign_and_scale_do_not_matter(
    written: Written, data: st.DataObject, scale: int, turn: int
) -> None:
    shuffled: Written = data.draw(st.permutations(written), label="another order")
    other = [(instrument, turn * scale * ratio) for instrument, ratio in shuffled]
    legs, sign, factor = canonical_legs(written)
    assert canonical_legs(other) == (legs, turn * sign, scale * factor)


@given(separate_legs, st.integers(0, MAX_LEGS - 1), ratios)
def test_a_leg_written_in_two_parts_is_one_leg(written: Written, pick: int, part: int) -> None:
    instrument, ratio = written[pick % len(written)]
    assume(part != ratio)
    parted = [(instrument, part), *written, (instrument, -part)]
    assert canonical_legs(parted) == canonical_legs(written)


@given(written_legs)
def test_legs_that_cancel_out_leave_nothing(written: Written) -> None:
    mirrored = [(instrument, -ratio) for instrument, ratio in written]
    assert canonical_legs(written + mirrored) == ((), 1, 1)


def listed(tick_values: list[int]) -> list[Instrument]:
    return [
        Instrument(number, CALL, BTC, MARCH, 900_000_000 + number, tick_value)
        for number, tick_value in enumerate(tick_values)
    ]


tick_values = st.lists(
    st.sampled_from([1, 10, 2_500, 10_000]) | st.integers(1, 1 << 31), min_size=13, max_size=13
)


@given(written_legs, tick_values, st.integers(1, 1_000), st.integers(-1_000, 1_000))
def test_price_and_quantity_follow_the_canonical_form(
    written: Written, ticks: list[int], quantity: int, price: int
) -> None:
    """`quantity` of the written legs for P each are `factor` x quantity of the canonical ones, on
    the side of `sign`, for sign x P / factor each: as much cash, the same lots, a price on the
    tick of the one exactly when on that of the other.
    """
    legs, sign, factor = canonical_legs(written)
    assume(legs)
    instruments = listed(ticks)
    sums = exposure(written, 1)
    as_written = gcd(*(ratio * ticks[number] for number, ratio in sums.items()))
    tick = combo_tick_micro([instruments[number] for number, _ in legs], [r for _, r in legs])
    assert as_written == factor * tick
    net = price * as_written
    canonical_net = sign * net // factor
    assert canonical_net * factor == sign * net
    assert canonical_net % tick == 0
    units = quantity * factor
    assert sign * units * canonical_net == quantity * net
    assert exposure(legs, sign * units) == exposure(written, quantity)


@given(
    separate_legs.filter(lambda legs: len(legs) > 1),
    st.lists(st.sampled_from([2_500, 5_000, 10_000]), min_size=MAX_LEGS, max_size=MAX_LEGS),
)
def test_the_tick_is_the_finest_that_whole_leg_ticks_make(
    written: Written, ticks: list[int]
) -> None:
    """Every net of whole leg ticks is a multiple of it, and perpetuals can make it itself."""
    legs, _, _ = canonical_legs(written)
    instruments = [
        Instrument(number, PERPETUAL, BTC, None, 0, tick)
        for number, tick in enumerate(ticks[: len(legs)])
    ]
    combo = Combo(1 << 24, instruments, [ratio for _, ratio in legs])
    assert all(step % combo.tick_micro == 0 for step in combo.steps_micro)
    prices = split_net_price(
        combo.tick_micro,
        combo.steps_micro,
        [0] * len(legs),
        combo.lowest_ticks,
        combo.highest_ticks,
    )
    assert prices is not None
    assert sum(map(int.__mul__, prices, combo.steps_micro)) == combo.tick_micro


@given(
    separate_legs.filter(lambda legs: len(legs) > 1),
    tick_values,
    st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_a_combo_bounds_its_legs(written: Written, ticks: list[int], linear: list[bool]) -> None:
    instruments = [
        Instrument(
            number,
            PERPETUAL if is_linear else CALL,
            BTC,
            None if is_linear else MARCH,
            0 if is_linear else 900_000_000,
            tick,
        )
        for (number, _), is_linear, tick in zip(sorted(written), linear, ticks, strict=False)
    ]
    combo = Combo(1 << 24, instruments, [ratio for _, ratio in sorted(written)])
    assert combo.legs == tuple(sorted(written))
    assert combo.underlying is BTC
    for instrument, step, ratio, low, high in zip(
        instruments,
        combo.steps_micro,
        combo.ratios,
        combo.lowest_ticks,
        combo.highest_ticks,
        strict=True,
    ):
        assert step == ratio * instrument.tick_value_micro
        assert high * instrument.tick_value_micro < MAX_VALUE_MICRO
        assert (high + 1) * instrument.tick_value_micro >= MAX_VALUE_MICRO
        assert low == (-high if instrument.is_linear else 0)
