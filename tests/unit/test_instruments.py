"""Specifications, symbols and payoffs, on examples that one can check by eye."""

import pytest

from margin.analytics.chain import Chain, load_chain
from matching.instruments import (
    CALL,
    FUTURE,
    NO_EXPIRY,
    PERPETUAL,
    PUT,
    Expiry,
    Instrument,
    Underlying,
    decimal_text,
    expiry_date,
    instrument_symbol,
)

BTC = Underlying(0, "BTC", 1_000_000)
MARCH = Expiry(0, BTC, 1_774_598_400)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return load_chain()


@pytest.mark.parametrize(
    ("kind", "name", "expiry_time_s", "strike_micro", "lot_e8", "symbol"),
    [
        (PERPETUAL, "BTC", 0, 0, 1_000_000, "BTC-PERPETUAL"),
        (FUTURE, "BTC", 1_774_598_400, 0, 1_000_000, "BTC-27MAR26"),
        (CALL, "BTC", 1_774_598_400, 900_000_000, 1_000_000, "BTC-27MAR26-90000-C"),
        (PUT, "ETH", 1_767_340_800, 250_050_000, 10_000_000, "ETH-2JAN26-2500d5-P"),
        (PUT, "XRP", 1_774_598_400, 125_000_000, 10_000_000_000, "XRP-27MAR26-1d25-P"),
        (CALL, "DOGE", 1_774_598_400, 10_000, 100_000_000, "DOGE-27MAR26-0d01-C"),
    ],
)
def test_a_symbol_follows_from_the_specification(
    kind: int, name: str, expiry_time_s: int, strike_micro: int, lot_e8: int, symbol: str
) -> None:
    assert instrument_symbol(kind, name, expiry_time_s, strike_micro, lot_e8) == symbol


@pytest.mark.parametrize(
    ("time_s", "day"),
    [
        (0, "1JAN70"),
        (86_399, "1JAN70"),
        (86_400, "2JAN70"),
        (951_782_400, "29FEB00"),
        (951_868_800, "1MAR00"),
        (1_767_225_599, "31DEC25"),
        (1_767_225_600, "1JAN26"),
        (4_107_542_400, "1MAR00"),
    ],
)
def test_a_day_is_written_as_the_venues_write_it(time_s: int, day: str) -> None:
    assert expiry_date(time_s) == day


def test_every_option_of_the_carried_chain_has_the_name_that_deribit_gives_it(
    chain: Chain,
) -> None:
    names: list[str] = []
    for number, quoted in enumerate(chain.options):
        expiry = Expiry(0, BTC, quoted.expiry_time_s)
        option = Instrument(number, quoted.kind, BTC, expiry, quoted.strike_micro, 10_000)
        assert option.symbol == quoted.name
        names.append(quoted.name)
    assert len(names) > 500
    assert len(names) == len(frozenset(names))


def test_every_expiry_of_the_carried_chain_has_its_label(chain: Chain) -> None:
    for expiry in chain.expiries:
        assert expiry_date(expiry.expiry_time_s) == expiry.label
        assert expiry.expiry_time_s % 86_400 == 8 * 3_600, "Deribit settles at 08:00 UTC"


@pytest.mark.parametrize(
    ("kind", "settlement_micro", "payoff_micro"),
    [
        (CALL, 899_999_999, 0),
        (CALL, 900_000_000, 0),
        (CALL, 900_000_001, 1),
        (PUT, 899_999_999, 1),
        (PUT, 900_000_000, 0),
        (PUT, 900_000_001, 0),
        (FUTURE, 955_861_600, 0),
    ],
)
def test_an_option_pays_its_intrinsic_value(
    kind: int, settlement_micro: int, payoff_micro: int
) -> None:
    strike = 0 if kind == FUTURE else 900_000_000
    instrument = Instrument(0, kind, BTC, MARCH, strike, 10_000)
    assert instrument.payoff_micro(settlement_micro) == payoff_micro


def test_call_less_put_is_the_forward_less_the_strike_at_any_settlement() -> None:
    call = Instrument(0, CALL, BTC, MARCH, 900_000_000, 10_000)
    put = Instrument(1, PUT, BTC, MARCH, 900_000_000, 10_000)
    for settlement in (1, 899_999_999, 900_000_000, 1_234_567_890):
        parity = call.payoff_micro(settlement) - put.payoff_micro(settlement)
        assert parity == settlement - 900_000_000


def test_perpetuals_and_futures_are_linear_and_options_are_not() -> None:
    perpetual = Instrument(0, PERPETUAL, BTC, None, 0, 5_000)
    assert perpetual.is_linear
    assert perpetual.expiry is None
    assert Instrument(1, FUTURE, BTC, MARCH, 0, 5_000).is_linear
    assert not Instrument(2, CALL, BTC, MARCH, 1, 5_000).is_linear
    assert not Instrument(3, PUT, BTC, MARCH, 1, 5_000).is_linear
    assert MARCH.number != NO_EXPIRY
    assert MARCH.settlement_micro is None


@pytest.mark.parametrize(
    ("numerator", "denominator", "text"),
    [
        (0, 1, "0"),
        (0, 10, "0"),
        (-1, 10, "-0.1"),
        (1, 8, "0.125"),
        (90_000 * 10**6, 10**6, "90000"),
        (10, 100, "0.1"),
        (-12_345, 100, "-123.45"),
    ],
)
def test_a_decimal_has_no_more_digits_than_it_needs(
    numerator: int, denominator: int, text: str
) -> None:
    assert decimal_text(numerator, denominator) == text
