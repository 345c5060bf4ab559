"""The underlyings of an exchange from a file: TOML or JSON, in the words of people.

    [[underlying]]
    name = "SOL"
    lot = "10"                # SOL in a lot
    option_tick = "0.01"      # USDC per SOL
    linear_tick = "0.005"
    spacing = [["0", "1"], ["100", "2"]]   # finest strike spacing from an index on; may be left out
    index = "150"             # USDC per SOL at which its market begins, and
    volatility = "80"         # percent a year; both or neither

Holds: decimals are strings and exact; what they say is within what an exchange can list, or a
`BadListing` names the underlying, the field and the bound.
Never: lists anything.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from exchange.listing_rules import SHIPPED, UnderlyingRule
from exchange.symbols import cash_text, parse_cash, parse_price, parse_quantity, quantity_text
from margin.parameters import MAX_FORWARD_MICRO
from margin.svi import check_index

_LEAST_TICK_MICRO: Final = 8
_MOST_TICK_MICRO: Final = (1 << 31) - 1
_LOTS_PER_10E6_UNITS: Final = 10**14
_LEAST_VOLATILITY_E4: Final = 500
_MOST_VOLATILITY_E4: Final = 15_000
"""What a market may be stated to begin with; what comes then is the feed's."""


class BadListing(ValueError):
    """The file says what cannot be listed."""


class _Underlying(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    lot: str
    option_tick: str
    linear_tick: str
    spacing: list[tuple[str, str]] = []
    index: str = ""
    volatility: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    underlying: list[_Underlying]


def load_rules(path: Path | None) -> tuple[UnderlyingRule, ...]:
    """The rules of a file; without one, those that ship. Raises BadListing, OSError."""
    if path is None:
        return SHIPPED
    return read_rules(path.read_bytes(), is_json=path.suffix == ".json")


def read_rules(data: bytes, *, is_json: bool = False) -> tuple[UnderlyingRule, ...]:
    """The rules that these bytes say. Raises BadListing."""
    decode = msgspec.json.decode if is_json else msgspec.toml.decode
    try:
        said = decode(data, type=_File)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadListing(f"the listing file cannot be read: {error}") from None
    rules = tuple(_rule(underlying) for underlying in said.underlying)
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise BadListing(f"{name} is named twice")
    return rules


def _rule(said: _Underlying) -> UnderlyingRule:
    name = said.name
    if not (name.isascii() and name.isalnum() and name == name.upper() and len(name) <= 8):
        raise BadListing(f"{name[:20]!r} is no name: capitals and digits, at most 8")
    lot_e8 = parse_quantity(said.lot, 1) or 0
    if lot_e8 <= 0 or _LOTS_PER_10E6_UNITS % lot_e8:
        raise BadListing(f"{name}: lot {said.lot!r} does not divide a million units")
    spacings = [
        (_price(name, "spacing", level, lot_e8, 0), _price(name, "spacing", spacing, lot_e8, 1))
        for level, spacing in said.spacing
    ]
    if spacings != sorted(spacings) or len(dict(spacings)) < len(spacings):
        raise BadListing(f"{name}: spacing is not by rising index")
    return UnderlyingRule(
        name,
        lot_e8,
        _tick(name, "option_tick", said.option_tick, lot_e8),
        _tick(name, "linear_tick", said.linear_tick, lot_e8),
        tuple(spacings),
        *_market(said, lot_e8),
    )


def _market(said: _Underlying, lot_e8: int) -> tuple[int, int]:
    """Index in micro-USDC per lot and volatility in 1e-4 a year; zeros where none is stated."""
    name = said.name
    if not said.index and not said.volatility:
        return 0, 0
    if not said.index or not said.volatility:
        raise BadListing(f"{name}: index and volatility are stated together, or neither is")
    index = _price(name, "index", said.index, lot_e8, 1)
    reject = check_index(0, index)
    if reject is not None:
        raise BadListing(
            f"{name}: at index {said.index} a lot is worth {cash_text(index)} USDC;"
            f" at most {cash_text(MAX_FORWARD_MICRO)} can be priced: choose a smaller lot"
        )
    volatility_e4, rest = divmod(parse_cash(said.volatility) or 0, 10_000)  # millionths of 1%
    if rest or not _LEAST_VOLATILITY_E4 <= volatility_e4 <= _MOST_VOLATILITY_E4:
        raise BadListing(
            f"{name}: volatility {said.volatility!r} is no percentage from"
            f" {_LEAST_VOLATILITY_E4 // 100} to {_MOST_VOLATILITY_E4 // 100}, to two decimals"
        )
    return index, volatility_e4


def check_lots(rules: Sequence[UnderlyingRule], listed: Iterable[tuple[str, int]]) -> None:
    """That no rule has another lot than its underlying is listed with, (name, lot_e8): ticks and
    strikes of what would be added are in lots. Raises BadListing.
    """
    lots = dict(listed)
    for rule in rules:
        lot_e8 = lots.get(rule.name, rule.lot_e8)
        if lot_e8 != rule.lot_e8:
            raise BadListing(
                f"{rule.name} is listed with lots of {quantity_text(1, lot_e8)}, the listing file"
                f" says {quantity_text(1, rule.lot_e8)}; a lot never changes"
            )


def _price(name: str, field: str, text: str, lot_e8: int, least: int) -> int:
    """USDC per unit as micro-USDC per lot."""
    value = parse_price(text, lot_e8)
    if value is None or value < least:
        raise BadListing(f"{name}: {field} {text!r} is no whole number of micro-USDC a lot")
    return value


def _tick(name: str, field: str, text: str, lot_e8: int) -> int:
    tick = _price(name, field, text, lot_e8, 1)
    if not _LEAST_TICK_MICRO <= tick <= _MOST_TICK_MICRO:
        raise BadListing(
            f"{name}: {field} is {tick} micro-USDC a lot;"
            f" {_LEAST_TICK_MICRO} to {_MOST_TICK_MICRO} can be"
        )
    return tick
