"""Fees against worked examples, and against fractions."""

from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from margin.fees import FeeSchedule, fee_up

# BTC at 95,586.16 USDC: 955.8616 USDC a lot of 0.01 BTC. Deribit's published option fee is 0.03% of
# the underlying for a taker, at most 12.5% of the option's price.
INDEX = 955_861_600
TAKER, CAP = 300, 1_250

rates = st.integers(0, 0xFFFF)
values = st.integers(0, (1 << 34) - 1)
lots = st.integers(1, (1 << 24) - 1)


def test_an_option_pays_a_share_of_the_index():
    price = 30_000_000  # 30 USDC a lot
    assert fee_up(TAKER, CAP, False, INDEX, price, 1) == 286_759  # 286,758.48 rounded up
    assert fee_up(TAKER, CAP, False, INDEX, price, 100) == 28_675_848  # rounded once, not per lot


def test_a_cheap_option_pays_at_most_an_eighth_of_its_premium():
    assert fee_up(TAKER, CAP, False, INDEX, 1_000_000, 1) == 125_000
    assert fee_up(TAKER, CAP, False, INDEX, 10_000, 3) == 3_750
    assert fee_up(TAKER, CAP, False, INDEX, 0, 50) == 0


def test_a_perpetual_knows_no_cap():
    assert fee_up(TAKER, CAP, True, INDEX, 0, 1) == 286_759
    assert fee_up(TAKER, 0, True, INDEX, -5, 1) == 286_759


def test_a_schedule_is_named_as_in_genesis():
    assert FeeSchedule(100, 300, 1_250, 50, 1_900, 75)._asdict() == {
        "maker_rate": 100,
        "taker_rate": 300,
        "cap": 1_250,
        "rebate_step": 50,
        "liquidation_rate": 1_900,
        "combo_discount": 75,
    }


@given(rates, rates, st.booleans(), values, values, lots)
def test_a_fee_is_the_exact_share_rounded_up(
    rate: int, cap: int, is_linear: bool, index: int, price: int, quantity: int
):
    exact = Fraction(quantity * index * rate, 10**6)
    if not is_linear:
        exact = min(exact, Fraction(quantity * cap * price, 10**4))
    assert fee_up(rate, cap, is_linear, index, price, quantity) == ceil(exact)


@given(rates, rates, st.booleans(), values, values, lots, lots)
def test_filling_in_parts_never_saves_a_fee(
    rate: int, cap: int, is_linear: bool, index: int, price: int, first: int, second: int
):
    whole = fee_up(rate, cap, is_linear, index, price, first + second)
    parts = [fee_up(rate, cap, is_linear, index, price, part) for part in (first, second)]
    assert whole <= sum(parts) <= whole + 1
