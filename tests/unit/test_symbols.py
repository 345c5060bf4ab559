"""What people write: symbols of instruments and combos, prices and quantities."""

import pytest

from exchange.symbols import (
    cash_text,
    legs_symbol,
    parse_price,
    parse_quantity,
    price_text,
    quantity_text,
    resolve_symbol,
)
from margin.analytics.chain import load_chain
from matching.combos import canonical_legs
from matching.instruments import CALL, PERPETUAL, Expiry, Instrument, Underlying
from matching.rejects import (
    LEG_COUNT,
    LEG_RATIO_OUT_OF_RANGE,
    MALFORMED,
    UNKNOWN_INSTRUMENT,
    Reject,
)

BTC = Underlying(0, "BTC", 1_000_000)
LOT = BTC.lot_e8
MARCH = Expiry(0, BTC, 1_774_598_400)
LISTED = [
    Instrument(0, CALL, BTC, MARCH, 900_000_000, 10_000),
    Instrument(1, CALL, BTC, MARCH, 1_000_000_000, 10_000),
    Instrument(2, PERPETUAL, BTC, None, 0, 5_000),
]
NUMBERS = {instrument.symbol: instrument.number for instrument in LISTED}
LOW, HIGH = "BTC-27MAR26-90000-C", "BTC-27MAR26-100000-C"


def test_every_name_of_the_carried_chain_is_read_back() -> None:
    listed = [
        Instrument(
            number,
            quoted.kind,
            BTC,
            Expiry(0, BTC, quoted.expiry_time_s),
            quoted.strike_micro,
            10_000,
        )
        for number, quoted in enumerate(load_chain().options)
    ]
    numbers = {instrument.symbol: instrument.number for instrument in listed}
    for number, quoted in enumerate(load_chain().options):
        assert resolve_symbol(quoted.name, numbers) == ((number, 1),)
        assert legs_symbol(((number, 1),), listed) == quoted.name


SPREAD = "BTC-CS-27MAR26-90000_100000"


def test_a_known_strategy_has_a_name_and_any_other_is_signed_ratios_of_symbols() -> None:
    assert resolve_symbol(f"+1*{LOW},-1*{HIGH}", NUMBERS) == ((0, 1), (1, -1))
    assert resolve_symbol(SPREAD, NUMBERS) == ((0, 1), (1, -1))
    assert resolve_symbol(f"-{SPREAD}", NUMBERS) == ((0, -1), (1, 1))
    assert legs_symbol(((0, 1), (1, -1)), LISTED) == SPREAD
    hedged = "+1*BTC-27MAR26-90000-C,-1*BTC-PERPETUAL"
    assert legs_symbol(((0, 1), (2, -1)), LISTED) == hedged
    assert resolve_symbol(hedged, NUMBERS) == ((0, 1), (2, -1))


@pytest.mark.parametrize(
    "written",
    [
        f"+1*{LOW},-1*{HIGH}",
        f"-1*{HIGH},+1*{LOW}",
        f"1*{LOW},-1*{HIGH}",
        f"-2*{LOW},+2*{HIGH}",
        f"+05*{LOW},-5*{HIGH}",
        SPREAD,
        f"-{SPREAD}",
    ],
)
def test_a_strategy_has_one_symbol_however_it_is_written(written: str) -> None:
    resolved = resolve_symbol(written, NUMBERS)
    assert not isinstance(resolved, Reject)
    legs, _, _ = canonical_legs(resolved)
    assert legs_symbol(legs, LISTED) == SPREAD


@pytest.mark.parametrize(
    ("written", "reject"),
    [
        ("", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        ("BTC-27MAR26-91000-C", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        (LOW.lower(), Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        (f" {LOW}", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        (f"{LOW}\n", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        (f"+1*{LOW},-1*BTC", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        (f"+1000*{LOW},-1*{HIGH}", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        (f"+1.5*{LOW},-1*{HIGH}", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        ("BTC-CS-27MAR26-90000_110000", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        ("BTC-CS-27MAR26-100000_90000", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        (f"--{SPREAD}", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        (f"{SPREAD},", Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        ("BTC-CS-27MAR26-" + "9" * 5_000 + "_" + "9" * 5_001, Reject(UNKNOWN_INSTRUMENT, -1, 3)),
        (f"{LOW},{HIGH}", Reject(MALFORMED, 0)),
        (f"+1*{LOW},{HIGH}", Reject(MALFORMED, len(LOW) + 4)),
        (f"+0*{LOW},-1*{HIGH}", Reject(LEG_RATIO_OUT_OF_RANGE, 0, 127)),
        (",".join([f"+1*{LOW}"] * 9), Reject(LEG_COUNT, 9, 8)),
    ],
)
def test_what_is_no_symbol_is_refused_with_a_reason(written: str, reject: Reject) -> None:
    assert resolve_symbol(written, NUMBERS) == reject


def test_prices_are_usdc_per_unit_and_quantities_units() -> None:
    assert parse_price("1250", LOT) == 12_500_000
    assert price_text(12_500_000, LOT) == "1250"
    assert parse_price("-0.5", LOT) == -5_000
    assert parse_quantity("0.25", LOT) == 25
    assert quantity_text(25, LOT) == "0.25"
    assert cash_text(-1_500_000) == "-1.5"


def test_a_price_finer_than_a_micro_usdc_a_lot_is_refused_and_not_rounded() -> None:
    assert parse_price("0.0001", LOT) == 1
    assert parse_price("0.00010", LOT) == 1
    for text in ("0.00011", "0.00009", "1250.00005", "-0.00015", "0.000000000001"):
        assert parse_price(text, LOT) is None


@pytest.mark.parametrize("text", ["0.005", "0.001", "1.015", "-0.015"])
def test_a_part_of_a_lot_is_refused_and_not_rounded(text: str) -> None:
    assert parse_quantity(text, LOT) is None


NO_DECIMALS = """
    + - . .5 5. 1,000 1e3 0x1 1_0 NaN inf --1 +-1 1.2.3 1/2 9999999999999999 1.0000000000000
"""


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1\n", "1 000", "\0", *NO_DECIMALS.split()])
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    assert parse_price(text, LOT) is None
    assert parse_quantity(text, LOT) is None
