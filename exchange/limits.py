"""What one order and one account may ask of the exchange: every limit, with its reason.

Holds: whoever changes a limit changes this table and nothing else; a band depends on marks and the
order's book alone, and only the aggressive side of a mark has one; an account's order rate is a
bucket that fills with the commands' time, in whole nanoseconds.
Never: bounds a cancel.
"""

from typing import Final

from margin.accounts import Account
from margin.marks import Marks
from matching.combos import Combo, Legs
from matching.instruments import CALL, FUTURE, MAX_LOTS, PERPETUAL, PUT, Instrument

BAND_INDEX_E4: Final = {PERPETUAL: 1_000, FUTURE: 1_000, CALL: 1_000, PUT: 1_000}
"""Width of the price band by kind, in 1e-4 of the index: 10%, a little more than half of the widest
ordinary move that margin scans. An aggressive price beyond it is a slip of the keyboard: even after
a gap the marks follow within seconds. One number for all kinds until flow tells more."""
BAND_MARK_E4: Final = {PERPETUAL: 0, FUTURE: 0, CALL: 5_000, PUT: 5_000}
"""At least this share of the mark, in 1e-4: half of a dear option's, whose price moves with the
index and with volatility."""

MAX_ORDER_LOTS: Final = {
    PERPETUAL: MAX_LOTS,
    FUTURE: MAX_LOTS,
    CALL: MAX_LOTS // 4,
    PUT: MAX_LOTS // 4,
}
"""Lots of one order by kind. For linear instruments the bound of the protocol; options a quarter,
so that no single command fills an account to its bound of gross lots. A combo is bounded leg by
leg: units times the size of the ratio."""

ORDERS_A_SECOND: Final = 100_000
"""How fast an account's bucket fills: above what a market maker's whole chain needs (684
instruments, both sides, 20 times a second), below what would fill the engine alone."""
BURST_ORDERS: Final = 200_000
"""What a full bucket holds: two seconds of silence, spent at once."""
_NANOSECONDS: Final = 1_000_000_000
_COST_NS: Final = _NANOSECONDS // ORDERS_A_SECOND
_FULL_NS: Final = BURST_ORDERS * _COST_NS


_NO_COMBOS: Final[dict[int, Combo]] = {}


def band_micro(instrument: Instrument, marks: Marks) -> int:
    """How far beyond the mark of one lot an aggressive limit may be, micro-USDC, rounded down; kept
    until the marks move.
    """
    unit = marks.unit(instrument.number, _NO_COMBOS)
    if unit.band_micro < 0:
        unit.band_micro = _band_micro(instrument, marks)
    return unit.band_micro


def _band_micro(instrument: Instrument, marks: Marks) -> int:
    index = marks.index_micro.get(instrument.underlying.number, 0)
    kind = instrument.kind
    of_index = index * BAND_INDEX_E4[kind] // 10_000
    return max(of_index, marks.mark_micro(instrument) * BAND_MARK_E4[kind] // 10_000)


def furthest_price_micro(instruments: list[Instrument], legs: Legs, sign: int, marks: Marks) -> int:
    """The most that a buyer (`sign` 1) may bid, the least that a seller (-1) may ask, per lot or
    unit: the mark and the band; for a combo, the sums of its legs' marks and bands. `instruments`
    are all that are listed, by number.
    """
    if len(legs) == 1:
        instrument = instruments[legs[0][0]]
        return marks.mark_micro(instrument) + sign * band_micro(instrument, marks)
    mark = band = 0
    for number, ratio in legs:
        instrument = instruments[number]
        mark += ratio * marks.mark_micro(instrument)
        band += abs(ratio) * band_micro(instrument, marks)
    return mark + sign * band


def most_units(instruments: list[Instrument], legs: Legs) -> int:
    """The largest order, in lots or units."""
    if len(legs) == 1:
        return MAX_ORDER_LOTS[instruments[legs[0][0]].kind]
    most = MAX_LOTS
    for number, ratio in legs:
        units = MAX_ORDER_LOTS[instruments[number].kind] // abs(ratio)
        if units < most:
            most = units
    return most


def wait_ms(account: Account, time_ns: int) -> int:
    """How long the account must wait before its next order, in milliseconds rounded up; 0 if it
    need not. Its bucket is empty at `rate_full_ns` - _FULL_NS and full at `rate_full_ns`.
    """
    wait_ns = account.rate_full_ns - time_ns + _COST_NS - _FULL_NS
    return -(-wait_ns // 1_000_000) if wait_ns > 0 else 0


def count_order(account: Account, time_ns: int) -> None:
    """Takes one order out of the account's bucket."""
    account.rate_full_ns = max(account.rate_full_ns, time_ns) + _COST_NS
