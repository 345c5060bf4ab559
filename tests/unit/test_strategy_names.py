"""What each name of a strategy buys. Codes and orders as Deribit's combo books show them."""

import pytest

from exchange.strategy_names import SHAPES, legs_text, strategy_legs, strategy_name

MEANINGS = {
    "BTC-FS-26JUN26_PERP": "+1*BTC-26JUN26,-1*BTC-PERPETUAL",
    "BTC-FS-25DEC26_26JUN26": "+1*BTC-25DEC26,-1*BTC-26JUN26",
    "BTC-CS-27MAR26-90000_100000": "+1*BTC-27MAR26-90000-C,-1*BTC-27MAR26-100000-C",
    "BTC-PS-27MAR26-100000_90000": "+1*BTC-27MAR26-100000-P,-1*BTC-27MAR26-90000-P",
    "BTC-CSR12-27MAR26-90000_100000": "+1*BTC-27MAR26-90000-C,-2*BTC-27MAR26-100000-C",
    "BTC-CSR32-27MAR26-90000_100000": "+3*BTC-27MAR26-90000-C,-2*BTC-27MAR26-100000-C",
    "BTC-PSR13-31JAN25-96000_94000": "+1*BTC-31JAN25-96000-P,-3*BTC-31JAN25-94000-P",
    "BTC-CCAL-26JUN26_19JUN26-69000": "+1*BTC-26JUN26-69000-C,-1*BTC-19JUN26-69000-C",
    "BTC-PCAL-9JAN27_31DEC26-69000": "+1*BTC-9JAN27-69000-P,-1*BTC-31DEC26-69000-P",
    "BTC-CDIAG-26JUN26_2JAN26-60000_90000": "+1*BTC-26JUN26-60000-C,-1*BTC-2JAN26-90000-C",
    "BTC-PDIAG-26JUN26_2JAN26-90000_60000": "+1*BTC-26JUN26-90000-P,-1*BTC-2JAN26-60000-P",
    "BTC-STRD-27MAR26-90000": "+1*BTC-27MAR26-90000-C,+1*BTC-27MAR26-90000-P",
    "BTC-STRG-27MAR26-90000_100000": "+1*BTC-27MAR26-90000-P,+1*BTC-27MAR26-100000-C",
    "BTC-GUTS-27MAR26-90000_100000": "+1*BTC-27MAR26-90000-C,+1*BTC-27MAR26-100000-P",
    "BTC-RR-27MAR26-90000_100000": "-1*BTC-27MAR26-90000-P,+1*BTC-27MAR26-100000-C",
    "BTC-RRITM-27MAR26-90000_100000": "+1*BTC-27MAR26-90000-C,-1*BTC-27MAR26-100000-P",
    "BTC-REV-29APR22-37500": "+1*BTC-29APR22-37500-C,-1*BTC-29APR22-37500-P",
    "BTC-CBUT-27MAR26-80000_90000_100000": (
        "+1*BTC-27MAR26-80000-C,-2*BTC-27MAR26-90000-C,+1*BTC-27MAR26-100000-C"
    ),
    "XRP-PBUT-27MAR26-1d25_1d3_2": (
        "+1*XRP-27MAR26-1d25-P,-2*XRP-27MAR26-1d3-P,+1*XRP-27MAR26-2-P"
    ),
    "BTC-CBUT111-27MAR26-80000_90000_100000": (
        "+1*BTC-27MAR26-80000-C,-1*BTC-27MAR26-90000-C,+1*BTC-27MAR26-100000-C"
    ),
    "BTC-PBUT111-27MAR26-80000_90000_100000": (
        "+1*BTC-27MAR26-80000-P,-1*BTC-27MAR26-90000-P,+1*BTC-27MAR26-100000-P"
    ),
    "BTC-CLAD-27MAR26-80000_90000_100000": (
        "+1*BTC-27MAR26-80000-C,-1*BTC-27MAR26-90000-C,-1*BTC-27MAR26-100000-C"
    ),
    "BTC-PLAD-27MAR26-100000_90000_80000": (
        "+1*BTC-27MAR26-100000-P,-1*BTC-27MAR26-90000-P,-1*BTC-27MAR26-80000-P"
    ),
    "BTC-IBUT-27MAR26-80000_90000_100000": (
        "+1*BTC-27MAR26-80000-P,-1*BTC-27MAR26-90000-P,"
        "-1*BTC-27MAR26-90000-C,+1*BTC-27MAR26-100000-C"
    ),
    "BTC-CCOND-27MAR26-80000_85000_90000_95000": (
        "+1*BTC-27MAR26-80000-C,-1*BTC-27MAR26-85000-C,"
        "-1*BTC-27MAR26-90000-C,+1*BTC-27MAR26-95000-C"
    ),
    "BTC-PCOND-27MAR26-80000_85000_90000_95000": (
        "+1*BTC-27MAR26-80000-P,-1*BTC-27MAR26-85000-P,"
        "-1*BTC-27MAR26-90000-P,+1*BTC-27MAR26-95000-P"
    ),
    "BTC-ICOND-27MAR26-80000_85000_90000_95000": (
        "+1*BTC-27MAR26-80000-P,-1*BTC-27MAR26-85000-P,"
        "-1*BTC-27MAR26-90000-C,+1*BTC-27MAR26-95000-C"
    ),
    "BTC-BOX-27MAR26-90000_100000": (
        "+1*BTC-27MAR26-90000-C,-1*BTC-27MAR26-90000-P,"
        "-1*BTC-27MAR26-100000-C,+1*BTC-27MAR26-100000-P"
    ),
    "BTC-JR-26JUN26_27MAR26-90000": (
        "+1*BTC-26JUN26-90000-C,-1*BTC-26JUN26-90000-P,"
        "-1*BTC-27MAR26-90000-C,+1*BTC-27MAR26-90000-P"
    ),
    "BTC-STDC-26JUN26_27MAR26-90000": (
        "+1*BTC-26JUN26-90000-C,+1*BTC-26JUN26-90000-P,"
        "-1*BTC-27MAR26-90000-C,-1*BTC-27MAR26-90000-P"
    ),
    "BTC-DSTDC-26JUN26_27MAR26-90000_80000": (
        "+1*BTC-26JUN26-90000-C,+1*BTC-26JUN26-90000-P,"
        "-1*BTC-27MAR26-80000-C,-1*BTC-27MAR26-80000-P"
    ),
}


def legs_in(text: str) -> list[tuple[str, int]]:
    return [(part.split("*")[1], int(part.split("*")[0])) for part in text.split(",")]


@pytest.mark.parametrize(("name", "text"), MEANINGS.items())
def test_a_name_buys_what_traders_mean_by_it(name: str, text: str) -> None:
    legs = legs_in(text)
    assert sorted(strategy_legs(name) or ()) == sorted(legs)
    assert strategy_name(legs) == name
    assert strategy_name(legs[::-1]) == name
    mirror = [(symbol, -ratio) for symbol, ratio in legs]
    assert strategy_name(mirror) == f"-{name}"
    assert sorted(strategy_legs(f"-{name}") or ()) == sorted(mirror)


def test_every_code_is_told_above() -> None:
    told = {name.split("-")[1] for name in MEANINGS}
    assert told - {"CSR12", "CSR32", "PSR13"} == set(SHAPES)


@pytest.mark.parametrize(
    "legs",
    [
        "+2*BTC-27MAR26-90000-C,-2*BTC-27MAR26-100000-C",
        "+1*BTC-27MAR26-90000-C,-10*BTC-27MAR26-100000-C",
        "+1*BTC-27MAR26-90000-C,-1*ETH-27MAR26-100000-C",
        "+1*BTC-27MAR26-90000-C,-1*BTC-PERPETUAL",
        "+1*BTC-26JUN26,+1*BTC-PERPETUAL",
        "+1*BTC-PERPETUAL,-1*ETH-PERPETUAL",
        "+1*BTC-26JUN26,-2*BTC-PERPETUAL",
        "+1*BTC-27MAR26-90000-C,+1*BTC-27MAR26-100000-C",
        "+1*BTC-26JUN26-90000-C,+1*BTC-26JUN26-80000-P,"
        "-1*BTC-27MAR26-80000-C,-1*BTC-27MAR26-90000-P",
    ],
)
def test_what_has_no_name_is_written_by_its_legs(legs: str) -> None:
    assert strategy_name(legs_in(legs)) is None
    assert legs_text(legs_in(legs)) == legs


@pytest.mark.parametrize(
    "text",
    [
        "BTC-CS-27MAR26-100000_90000",
        "BTC-PS-27MAR26-90000_100000",
        "BTC-CS-27MAR26-90000_90000",
        "BTC-CCAL-27MAR26_26JUN26-90000",
        "BTC-CCAL-27MAR26_27MAR26-90000",
        "BTC-CCAL-27MAR26_PERP-90000",
        "BTC-CDIAG-26JUN26_27MAR26-90000_90000",
        "BTC-FS-PERP_27MAR26",
        "BTC-FS-27MAR26_PERP-90000",
        "BTC-CSR11-27MAR26-90000_100000",
        "BTC-CSR24-27MAR26-90000_100000",
        "BTC-CS-27MAR26",
        "BTC-CS-27MAR26-90000",
        "--BTC-CS-27MAR26-90000_100000",
        "BTC-cs-27MAR26-90000_100000",
        "BTC-CS-27MAR26-90000_100000 ",
    ],
)
def test_a_second_name_of_a_strategy_is_no_name(text: str) -> None:
    assert strategy_legs(text) is None
