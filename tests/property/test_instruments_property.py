"""Dates and symbols against Python's calendar and decimals; what people write, read back."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchange.symbols import (
    cash_text,
    legs_symbol,
    parse_price,
    parse_quantity,
    price_text,
    quantity_text,
    resolve_symbol,
)
from matching.combos import MAX_LEGS
from matching.instruments import (
    CALL,
    FUTURE,
    MAX_LOTS,
    PERPETUAL,
    PUT,
    Expiry,
    Instrument,
    Underlying,
    civil_from_days,
    decimal_text,
    expiry_date,
)
from matching.rejects import TEMPLATES, Reject

EPOCH = date(1970, 1, 1)
LAST_S = (1 << 48) - 1
"""The last expiry that the protocol can write."""

lots_e8 = st.integers(0, 14).map(lambda power: 10**power)
"""Sizes of one lot, from 1e-8 to a million units."""


# THE CALENDAR


@given(st.dates())
@example(date.min)
@example(date.max)
@example(date(2000, 2, 29))
@example(date(1900, 3, 1))
def test_a_day_is_what_the_calendar_says(day: date) -> None:
    assert civil_from_days((day - EPOCH).days) == (day.year, day.month, day.day)


def test_every_day_of_two_centuries_is_what_the_calendar_says() -> None:
    day, first = date(1950, 1, 1), (date(1950, 1, 1) - EPOCH).days
    for days in range(first, first + 73_049):
        assert civil_from_days(days) == (day.year, day.month, day.day)
        day += timedelta(days=1)
    assert day.year == 2150


@given(st.integers(-(10**7), LAST_S // 86_400))
def test_days_of_any_year_follow_each_other(days: int) -> None:
    year, month, day = civil_from_days(days)
    after = civil_from_days(days + 1)
    assert after in ((year, month, day + 1), (year, month + 1, 1), (year + 1, 1, 1))
    assert 1 <= month <= 12
    assert 1 <= day <= 31
    # 400 years are 146,097 days.
    assert civil_from_days(days + 146_097) == (year + 400, month, day)


@given(st.integers(0, int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())))
def test_an_expiry_is_named_by_its_day_in_utc(time_s: int) -> None:
    moment = datetime.fromtimestamp(time_s, UTC)
    expected = f"{moment.day}{moment:%b%y}".upper()
    assert expiry_date(time_s) == expected


# DECIMALS


@given(st.integers(-(1 << 80), 1 << 80), st.integers(0, 9), st.integers(0, 9))
def test_a_decimal_is_exact_and_has_no_zero_too_many(numerator: int, twos: int, fives: int) -> None:
    denominator = 2**twos * 5**fives
    text = decimal_text(numerator, denominator)
    assert Fraction(text) == Fraction(numerator, denominator)
    assert "." not in text or text[-1] != "0"
    assert text != "-0"
    whole = text.lstrip("-").split(".")[0]
    assert whole == str(int(whole))


@given(st.integers(-(1 << 38), 1 << 38), lots_e8)
def test_a_price_that_is_written_is_read_back(price_micro: int, lot_e8: int) -> None:
    text = price_text(price_micro, lot_e8)
    assert parse_price(text, lot_e8) == price_micro
    # USDC per unit x units per lot = USDC per lot.
    assert Decimal(text) * lot_e8 / 10**8 == Decimal(price_micro) / 10**6


@given(st.integers(0, MAX_LOTS), lots_e8)
def test_a_quantity_that_is_written_is_read_back(lots: int, lot_e8: int) -> None:
    text = quantity_text(lots, lot_e8)
    assert parse_quantity(text, lot_e8) == lots
    assert Decimal(text) * 10**8 == lots * lot_e8


@given(st.integers(-(1 << 63), 1 << 63))
def test_cash_is_written_in_usdc(cash_micro: int) -> None:
    assert Decimal(cash_text(cash_micro)) * 10**6 == cash_micro


decimals = st.from_regex(r"[+-]?[0-9]{1,15}(\.[0-9]{1,12})?", fullmatch=True)


@given(decimals, lots_e8)
def test_a_decimal_is_read_exactly_or_not_at_all(text: str, lot_e8: int) -> None:
    price = Fraction(text) * lot_e8 * 10**6 / 10**8
    assert parse_price(text, lot_e8) == (price if price.denominator == 1 else None)
    quantity = Fraction(text) * 10**8 / lot_e8
    assert parse_quantity(text, lot_e8) == (quantity if quantity.denominator == 1 else None)


hostile = st.text(max_size=40) | st.text("0123456789+-._eExX nNaAiIfF,\n\0", max_size=40)


@given(hostile, lots_e8)
@example("1e5", 10**6)
@example("1_000", 10**6)
@example(" 1", 10**6)
@example("1\n", 10**6)
@example("NaN", 10**6)
@example("0x10", 10**6)
@example(".5", 10**6)
@example("5.", 10**6)
@example("--5", 10**6)
@example("9" * 5_000, 10**6)
def test_only_plain_decimals_are_numbers(text: str, lot_e8: int) -> None:
    plain = (
        bool(text)
        and text.lstrip("+-") == text[text[0] in "+-" :]
        and all(part and set(part) <= set("0123456789") for part in text.lstrip("+-").split("."))
        and text.count(".") <= 1
    )
    for parse in (parse_price, parse_quantity):
        number = parse(text, lot_e8)
        if number is not None and text.isascii():
            assert plain


@pytest.mark.parametrize("text", ["\u0661\u0662", "1\u0662", "\uff11", "1.\u0665"])
def test_digits_of_other_scripts_are_no_numbers(text: str) -> None:
    assert parse_price(text, 10**6) is None
    assert parse_quantity(text, 10**8) is None


# SYMBOLS

BTC = Underlying(0, "BTC", 1_000_000)
ETH = Underlying(1, "ETH", 10_000_000)
MARCH = Expiry(0, BTC, 1_774_598_400)
JUNE = Expiry(1, ETH, 1_782_460_800)
LISTED = [
    Instrument(0, PERPETUAL, BTC, None, 0, 5_000),
    Instrument(1, FUTURE, BTC, MARCH, 0, 5_000),
    *(
        Instrument(2 + 2 * at + put, PUT if put else CALL, BTC, MARCH, strike * 10_000, 10_000)
        for at, strike in enumerate((80_000, 90_000, 100_000))
        for put in (0, 1)
    ),
    Instrument(8, CALL, ETH, JUNE, 250_050_000, 1_000),
]
NUMBERS = {instrument.symbol: instrument.number for instrument in LISTED}

legs_of_listed = st.lists(
    st.tuples(
        st.integers(0, len(LISTED) - 1), st.integers(-127, 127).filter(lambda ratio: ratio != 0)
    ),
    min_size=1,
    max_size=MAX_LEGS,
).map(tuple)


@given(legs_of_listed)
def test_legs_are_read_back_as_they_were_written(legs: tuple[tuple[int, int], ...]) -> None:
    assert resolve_symbol(legs_symbol(legs, LISTED), NUMBERS) == legs


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(["+1*", "-2*", "0*", "999*", "1000*", "*", ",", "+", " ", *NUMBERS]),
        max_size=20,
    ).map("".join)
)
def test_any_text_is_legs_or_a_reject_with_a_reason(text: str) -> None:
    found = resolve_symbol(text, NUMBERS)
    if isinstance(found, Reject):
        assert found.code in TEMPLATES
        assert found.message
    else:
        assert 0 < len(found) <= MAX_LEGS
        for number, ratio in found:
            assert LISTED[number].symbol in text
            assert ratio


@given(st.integers(1, (1 << 34) - 1), lots_e8.filter(lambda lot: lot <= 10**12))
def test_a_strike_is_in_the_symbol_exactly(strike_micro: int, lot_e8: int) -> None:
    underlying = Underlying(0, "XRP", lot_e8)
    option = Instrument(0, PUT, underlying, Expiry(0, underlying, 1_774_598_400), strike_micro, 8)
    name, day, strike, kind = option.symbol.split("-")
    assert (name, day, kind) == ("XRP", "27MAR26", "P")
    assert Decimal(strike.replace("d", ".")) * lot_e8 / 10**8 == Decimal(strike_micro) / 10**6
