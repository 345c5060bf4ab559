"""Names of the strategies that traders know: `BTC-CS-27MAR26-90000_100000` is a call spread.

Holds: a name is made from the symbols of its legs and from nothing else, and read back into the
same legs; one strategy has one name, one name one strategy; a name after a minus is the mirror
image, every leg turned. Buying a name buys its legs with the signs of `SHAPES`.
Never: says which instruments are listed (a name's legs may not exist), or names a multiple.

Codes and the order of dates and strikes are those of Deribit's combo books.
"""

import re
from collections.abc import Sequence
from math import gcd
from typing import Final, NamedTuple

Written = tuple[tuple[str, int], ...]
"""(symbol, signed ratio)."""

_MONTHS: Final = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
_PERPETUAL: Final = "PERP"
_RISING, _FALLING, _BY_DATE = 0, 1, 2
"""How a name's strikes stand: lowest first, highest first, or the strike of each date in turn."""


class Shape(NamedTuple):
    """What a code means. `legs` are (`C` call, `P` put or `F` future or perpetual; which of the
    name's dates; which of its strikes; ratio); dates stand latest first, a perpetual last.
    """

    dates: int
    strikes: int
    order: int
    legs: tuple[tuple[str, int, int, int], ...]


SHAPES: Final[dict[str, Shape]] = {
    "FS": Shape(2, 0, _RISING, (("F", 0, 0, 1), ("F", 1, 0, -1))),
    "CS": Shape(1, 2, _RISING, (("C", 0, 0, 1), ("C", 0, 1, -1))),
    "PS": Shape(1, 2, _FALLING, (("P", 0, 0, 1), ("P", 0, 1, -1))),
    "CCAL": Shape(2, 1, _RISING, (("C", 0, 0, 1), ("C", 1, 0, -1))),
    "PCAL": Shape(2, 1, _RISING, (("P", 0, 0, 1), ("P", 1, 0, -1))),
    "CDIAG": Shape(2, 2, _BY_DATE, (("C", 0, 0, 1), ("C", 1, 1, -1))),
    "PDIAG": Shape(2, 2, _BY_DATE, (("P", 0, 0, 1), ("P", 1, 1, -1))),
    "STRD": Shape(1, 1, _RISING, (("C", 0, 0, 1), ("P", 0, 0, 1))),
    "STRG": Shape(1, 2, _RISING, (("P", 0, 0, 1), ("C", 0, 1, 1))),
    "GUTS": Shape(1, 2, _RISING, (("C", 0, 0, 1), ("P", 0, 1, 1))),
    "RR": Shape(1, 2, _RISING, (("P", 0, 0, -1), ("C", 0, 1, 1))),
    "RRITM": Shape(1, 2, _RISING, (("C", 0, 0, 1), ("P", 0, 1, -1))),
    "REV": Shape(1, 1, _RISING, (("C", 0, 0, 1), ("P", 0, 0, -1))),
    "CBUT": Shape(1, 3, _RISING, (("C", 0, 0, 1), ("C", 0, 1, -2), ("C", 0, 2, 1))),
    "PBUT": Shape(1, 3, _RISING, (("P", 0, 0, 1), ("P", 0, 1, -2), ("P", 0, 2, 1))),
    "CBUT111": Shape(1, 3, _RISING, (("C", 0, 0, 1), ("C", 0, 1, -1), ("C", 0, 2, 1))),
    "PBUT111": Shape(1, 3, _RISING, (("P", 0, 0, 1), ("P", 0, 1, -1), ("P", 0, 2, 1))),
    "CLAD": Shape(1, 3, _RISING, (("C", 0, 0, 1), ("C", 0, 1, -1), ("C", 0, 2, -1))),
    "PLAD": Shape(1, 3, _FALLING, (("P", 0, 0, 1), ("P", 0, 1, -1), ("P", 0, 2, -1))),
    "IBUT": Shape(
        1, 3, _RISING, (("P", 0, 0, 1), ("P", 0, 1, -1), ("C", 0, 1, -1), ("C", 0, 2, 1))
    ),
    "CCOND": Shape(
        1, 4, _RISING, (("C", 0, 0, 1), ("C", 0, 1, -1), ("C", 0, 2, -1), ("C", 0, 3, 1))
    ),
    "PCOND": Shape(
        1, 4, _RISING, (("P", 0, 0, 1), ("P", 0, 1, -1), ("P", 0, 2, -1), ("P", 0, 3, 1))
    ),
    "ICOND": Shape(
        1, 4, _RISING, (("P", 0, 0, 1), ("P", 0, 1, -1), ("C", 0, 2, -1), ("C", 0, 3, 1))
    ),
    "BOX": Shape(1, 2, _RISING, (("C", 0, 0, 1), ("P", 0, 0, -1), ("C", 0, 1, -1), ("P", 0, 1, 1))),
    "JR": Shape(2, 1, _RISING, (("C", 0, 0, 1), ("P", 0, 0, -1), ("C", 1, 0, -1), ("P", 1, 0, 1))),
    "STDC": Shape(
        2, 1, _RISING, (("C", 0, 0, 1), ("P", 0, 0, 1), ("C", 1, 0, -1), ("P", 1, 0, -1))
    ),
    "DSTDC": Shape(
        2, 2, _BY_DATE, (("C", 0, 0, 1), ("P", 0, 0, 1), ("C", 1, 1, -1), ("P", 1, 1, -1))
    ),
}
"""Every named strategy but ratio spreads, which are `CSR` and `PSR` with the two ratios: `CSR12`
buys 1 call and sells 2 above it, `PSR13` buys 1 put and sells 3 below it.
"""

_SYMBOL: Final = re.compile(
    r"([A-Z0-9]{1,8})-(PERPETUAL|\d{1,2}[A-Z]{3}\d\d)(?:-(\d{1,20}(?:d\d{1,20})?)-([CP]))?",
    re.ASCII,
)
_NAME: Final = re.compile(
    r"(-?)([A-Z0-9]{1,8})-([A-Z]+)(\d*)-"
    r"(\d{1,2}[A-Z]{3}\d\d(?:_(?:PERP|\d{1,2}[A-Z]{3}\d\d))?)(?:-([\dd_]+))?",
    re.ASCII,
)
_RATIOS: Final = re.compile(r"[1-9]{2}", re.ASCII)

_Leg = tuple[str, str, str]
"""Kind, date and strike, as a symbol writes them; a future has no strike."""


def strategy_name(written: Sequence[tuple[str, int]]) -> str | None:
    """The name of legs, in whatever order; None where it is no strategy that has one."""
    underlying = ""
    legs: dict[_Leg, int] = {}
    for symbol, ratio in written:
        match = _SYMBOL.fullmatch(symbol)
        if match is None or underlying not in ("", match[1]):
            return None
        underlying = match[1]
        date = _PERPETUAL if match[2] == "PERPETUAL" else match[2]
        leg = (match[4] or "F", date, match[3] or "")
        if leg in legs:
            return None
        legs[leg] = ratio
    dates = sorted({date for _, date, _ in legs}, key=_date_key, reverse=True)
    strikes = sorted({strike for _, _, strike in legs if strike}, key=_strike_key)
    for code in _codes(legs):
        shape = _shape_of(code)
        if shape is None or (shape.dates, shape.strikes) != (len(dates), len(strikes)):
            continue
        placed = _placed(shape, legs, dates, strikes)
        meant = _legs_of(shape, dates, placed)
        for sign in (1, -1):
            if legs == {leg: sign * ratio for leg, ratio in meant.items()}:
                tail = f"-{'_'.join(placed)}" if placed else ""
                mirror = "" if sign > 0 else "-"
                return f"{mirror}{underlying}-{code}-{'_'.join(dates)}{tail}"
    return None


def strategy_legs(name: str) -> Written | None:
    """The legs that a name buys; None where it is not the name of a strategy."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    mirror, underlying, code = match[1], match[2], match[3] + match[4]
    shape = _shape_of(code)
    dates = match[5].split("_")
    strikes = match[6].split("_") if match[6] else []
    if shape is None or (shape.dates, shape.strikes) != (len(dates), len(strikes)):
        return None
    sign = -1 if mirror else 1
    written = tuple(
        (_symbol(underlying, leg), sign * ratio)
        for leg, ratio in _legs_of(shape, dates, strikes).items()
    )
    # Strikes or dates out of order would be a second name of some strategy, or a name of none.
    return written if strategy_name(written) == name else None


def legs_text(written: Sequence[tuple[str, int]]) -> str:
    """The name of legs, or where they have none, the legs themselves: each `ratio*symbol`."""
    if len(written) == 1 and written[0][1] == 1:
        return written[0][0]
    return strategy_name(written) or plain_legs_text(written)


def plain_legs_text(written: Sequence[tuple[str, int]]) -> str:
    """Legs as `ratio*symbol`, joined by commas, in the order in which they come."""
    return ",".join(f"{ratio:+d}*{symbol}" for symbol, ratio in written)


def _codes(legs: dict[_Leg, int]) -> list[str]:
    """Codes that legs may have: all shapes, and the ratio spread of two calls or puts."""
    if len(legs) == 2 and sorted(map(abs, legs.values())) != [1, 1]:
        (first, bought), (second, sold) = legs.items()
        size = (abs(bought), abs(sold))
        if first[0] != second[0] or first[0] == "F" or max(size) > 9:
            return []
        return [f"{first[0]}SR{a}{b}" for a, b in (size, size[::-1])]
    return [code for code, shape in SHAPES.items() if len(shape.legs) == len(legs)]


def _shape_of(code: str) -> Shape | None:
    kind, digits = code[:1], code[3:]
    if code[1:3] == "SR" and kind in "CP" and _RATIOS.fullmatch(digits):
        bought, sold = int(digits[0]), int(digits[1])
        if gcd(bought, sold) > 1 or bought == sold:
            return None
        order = _RISING if kind == "C" else _FALLING
        return Shape(1, 2, order, ((kind, 0, 0, bought), (kind, 0, 1, -sold)))
    return SHAPES.get(code)


def _placed(shape: Shape, legs: dict[_Leg, int], dates: list[str], strikes: list[str]) -> list[str]:
    """Strikes, lowest first, in the order in which a shape's name has them."""
    if shape.order == _BY_DATE:
        return [next(strike for _, of, strike in legs if of == date) for date in dates]
    return strikes[::-1] if shape.order == _FALLING else strikes


def _legs_of(shape: Shape, dates: list[str], strikes: list[str]) -> dict[_Leg, int]:
    return {
        (kind, dates[date], "" if kind == "F" else strikes[strike]): ratio
        for kind, date, strike, ratio in shape.legs
    }


def _symbol(underlying: str, leg: _Leg) -> str:
    kind, date, strike = leg
    if kind == "F":
        return f"{underlying}-{'PERPETUAL' if date == _PERPETUAL else date}"
    return f"{underlying}-{date}-{strike}-{kind}"


def _date_key(date: str) -> tuple[int, int, int, str]:
    """Sorts dates; a perpetual is before all. (What is no month is no instrument's date.)"""
    if date == _PERPETUAL:
        return 0, 0, 0, ""
    return int(date[-2:]), 1 + _MONTHS.find(date[-5:-2]), int(date[:-5]), date


def _strike_key(strike: str) -> tuple[int, str, str]:
    """Sorts strikes by what they are worth: whole part, then the digits behind the point."""
    whole, _, fraction = strike.partition("d")
    return int(whole), fraction, strike
