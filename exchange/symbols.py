"""How people write what the protocol counts: symbols of instruments and combos, decimal prices
and quantities.

Holds: a price is USDC per unit of the underlying, a quantity units of the underlying, both exact
decimals; a text that is not exactly a whole number of micro-USDC per lot, or of lots, is refused
and never rounded. For a combo the same holds per unit, with the lot of its first leg: one unit of
+1 BTC-PERPETUAL, -1 ETH-PERPETUAL with lots of 0.01 and 0.1 is `0.01`, its net price per BTC.
Never: a float.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from exchange.strategy_names import legs_text, plain_legs_text, strategy_legs
from matching.combos import MAX_LEGS
from matching.instruments import Instrument, decimal_text
from matching.rejects import (
    LEG_COUNT,
    LEG_RATIO_OUT_OF_RANGE,
    MALFORMED,
    UNKNOWN_INSTRUMENT,
    Reject,
)

Legs = tuple[tuple[int, int], ...]

_E8: Final = 10**8
_MICRO: Final = 10**6
_DECIMAL: Final = re.compile(r"([+-]?)(\d{1,15})(?:\.(\d{1,12}))?", re.ASCII)
_LEG: Final = re.compile(r"([+-]?\d{1,3})\*(.+)", re.ASCII)


def resolve_symbol(text: str, numbers: Mapping[str, int]) -> Legs | Reject:
    """Legs as written: `BTC-27MAR26-90000-C`, `BTC-CS-27MAR26-90000_100000`, or
    `+1*BTC-27MAR26-90000-C,-1*BTC-27MAR26-100000-C`.

    `numbers` finds an instrument's number by its symbol. Order and signs are kept (a name's legs
    ascend): `matching.combos.canonical_legs` brings them to their form.
    """
    number = numbers.get(text)
    if number is not None:
        return ((number, 1),)
    named = strategy_legs(text)
    if named is not None:
        if any(symbol not in numbers for symbol, _ in named):
            return Reject(UNKNOWN_INSTRUMENT, -1, len(numbers))
        return tuple(sorted((numbers[symbol], ratio) for symbol, ratio in named))
    parts = text.split(",")
    if len(parts) > MAX_LEGS:
        return Reject(LEG_COUNT, len(parts), MAX_LEGS)
    legs: list[tuple[int, int]] = []
    at = 0
    for part in parts:
        match = _LEG.fullmatch(part)
        number = numbers.get(match[2] if match else part)
        if number is None:
            return Reject(UNKNOWN_INSTRUMENT, -1, len(numbers))
        if match is None:
            return Reject(MALFORMED, at)
        if not int(match[1]):
            return Reject(LEG_RATIO_OUT_OF_RANGE, 0, 127)
        legs.append((number, int(match[1])))
        at += len(part) + 1
    return tuple(legs)


def legs_symbol(legs: Legs, instruments: Sequence[Instrument]) -> str:
    """The symbol of legs, as `resolve_symbol` reads it: the name of a known strategy where the
    legs ascend, as canonical ones do.
    """
    written = [(instruments[number].symbol, ratio) for number, ratio in legs]
    ascends = all(before[0] < after[0] for before, after in pairwise(legs))
    return legs_text(written) if ascends else plain_legs_text(written)


def price_text(price_micro: int, lot_e8: int) -> str:
    """Micro-USDC per lot as USDC per unit of the underlying: 12_500_000 of a 0.01 lot is `1250`."""
    return decimal_text(price_micro * _E8, lot_e8 * _MICRO)


def quantity_text(lots: int, lot_e8: int) -> str:
    """Lots as units of the underlying: 25 lots of 0.01 are `0.25`."""
    return decimal_text(lots * lot_e8, _E8)


def cash_text(cash_micro: int) -> str:
    """Micro-USDC as USDC."""
    return decimal_text(cash_micro, _MICRO)


def parse_price(text: str, lot_e8: int) -> int | None:
    """USDC per unit of the underlying as micro-USDC per lot; None where that is not a whole
    number or the text no decimal.
    """
    return _parse(text, lot_e8 * _MICRO, _E8)


def parse_quantity(text: str, lot_e8: int) -> int | None:
    """Units of the underlying as lots; None where that is not a whole number or the text no
    decimal.
    """
    return _parse(text, _E8, lot_e8)


def parse_cash(text: str) -> int | None:
    """USDC as micro-USDC; None where that is not a whole number or the text no decimal."""
    return _parse(text, _MICRO, 1)


def _parse(text: str, numerator: int, denominator: int) -> int | None:
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    fraction = match[3] or ""
    value = int(match[2] + fraction) * numerator
    whole, rest = divmod(value, denominator * 10 ** len(fraction))
    if rest:
        return None
    return -whole if match[1] == "-" else whole
