"""What is traded: underlyings, expiries and instruments, and the symbols by which people name
them.

Holds: numbers are dense and given in order; a specification never changes once listed; a symbol
follows from the specification and back.
Never: knows a price, a mark or whether it is time to expire.
"""

from typing import Final

PERPETUAL: Final = 0
FUTURE: Final = 1
CALL: Final = 2
PUT: Final = 3

NO_EXPIRY: Final = 0xFFFF
"""The expiry number of a perpetual."""

MAX_VALUE_MICRO: Final = 1 << 34
"""Bound on the size of a price, strike or scenario value of one lot, in micro-USDC
(docs/protocol.md, 1).
"""
MAX_LOTS: Final = (1 << 24) - 1
"""Bound on the lots of one order, and on an account's gross lots, orders included."""

_MONTHS: Final = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)
_SECONDS_PER_DAY: Final = 86_400
_MICRO_PER_UNIT: Final = 10**6
_E8: Final = 10**8


class Underlying:
    """An asset that instruments are written on. `lot_e8` is the size of one lot in units of the
    asset, times 1e8.
    """

    __slots__ = ("lot_e8", "name", "number")

    def __init__(self, number: int, name: str, lot_e8: int) -> None:
        self.number = number
        self.name = name
        self.lot_e8 = lot_e8


class Expiry:
    """A moment at which options and a future on one underlying settle. `settlement_micro` per
    lot, None until then.
    """

    __slots__ = ("expiry_time_s", "number", "settlement_micro", "underlying")

    def __init__(self, number: int, underlying: Underlying, expiry_time_s: int) -> None:
        self.number = number
        self.underlying = underlying
        self.expiry_time_s = expiry_time_s
        self.settlement_micro: int | None = None


class Instrument:
    """A single listed contract. Strike and tick value in micro-USDC per lot; `expiry` is None
    for a perpetual.
    """

    __slots__ = (
        "expiry",
        "is_linear",
        "kind",
        "number",
        "strike_micro",
        "symbol",
        "tick_value_micro",
        "underlying",
    )

    def __init__(
        self,
        number: int,
        kind: int,
        underlying: Underlying,
        expiry: Expiry | None,
        strike_micro: int,
        tick_value_micro: int,
    ) -> None:
        self.number = number
        self.kind = kind
        self.underlying = underlying
        self.expiry = expiry
        self.strike_micro = strike_micro
        self.tick_value_micro = tick_value_micro
        self.is_linear = kind <= FUTURE
        self.symbol = instrument_symbol(
            kind,
            underlying.name,
            expiry.expiry_time_s if expiry else 0,
            strike_micro,
            underlying.lot_e8,
        )

    @property
    def is_settled(self) -> bool:
        """Whether its expiry has its settlement price."""
        return self.expiry is not None and self.expiry.settlement_micro is not None

    def payoff_micro(self, settlement_micro: int) -> int:
        """What one long lot is worth at expiry, beyond its accrual: an option's intrinsic value,
        nothing for a future.
        """
        if self.kind == CALL:
            return max(settlement_micro - self.strike_micro, 0)
        if self.kind == PUT:
            return max(self.strike_micro - settlement_micro, 0)
        return 0


def instrument_symbol(
    kind: int, underlying: str, expiry_time_s: int, strike_micro: int, lot_e8: int
) -> str:
    """`BTC-PERPETUAL`, `BTC-27MAR26`, `BTC-27MAR26-90000-C`; a strike with a fraction writes `d`
    for its point (`XRP-27MAR26-1d25-P`).
    """
    if kind == PERPETUAL:
        return f"{underlying}-PERPETUAL"
    dated = f"{underlying}-{expiry_date(expiry_time_s)}"
    if kind == FUTURE:
        return dated
    strike = decimal_text(strike_micro * _E8, lot_e8 * _MICRO_PER_UNIT).replace(".", "d")
    return f"{dated}-{strike}-{'C' if kind == CALL else 'P'}"


def expiry_date(time_s: int) -> str:
    """Day, month and year as the venues write them: 27MAR26. The calendar is proleptic
    Gregorian, in UTC.
    """
    year, month, day = civil_from_days(time_s // _SECONDS_PER_DAY)
    return f"{day}{_MONTHS[month - 1]}{year % 100:02d}"


def civil_from_days(days: int) -> tuple[int, int, int]:
    """Year, month and day of a count of days since 1970-01-01, by counting in eras of 400 years
    that begin on 1 March.
    """
    shifted = days + 719_468
    era, day_of_era = divmod(shifted, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    return year, month, day


def decimal_text(numerator: int, denominator: int) -> str:
    """A ratio as a decimal without trailing zeros: exact where it has at most 19 decimals (lots
    that divide 1e16 see to that), cut there where it has more.
    """
    sign = "-" if numerator < 0 else ""
    whole, rest = divmod(abs(numerator), denominator)
    digits = ""
    while rest:
        digit, rest = divmod(rest * 10, denominator)
        digits += str(digit)
        if len(digits) > 18:
            break
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
