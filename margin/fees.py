"""What a fill costs its two sides (docs/protocol.md, 8).

Holds: a fee is a share of the index, for an option at most a share of its premium; it is never
negative; it divides once and rounds up, in favour of the fee cash.
Never: decides anything but whether an order's maximum fee allows it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from matching.gate import MAKER_FEE, TAKER_FEE, Fill, Ruling
from matching.orders import Order
from matching.packed import i64

_RATE_UNIT: Final = 10**6  # rates are in 1e-6 of the index
_CAP_UNIT: Final = 10**4  # the cap is in 1e-4 of the premium
_CAP_TO_RATE: Final = _RATE_UNIT // _CAP_UNIT


class FeeSchedule(NamedTuple):
    """The fees of the Genesis command: rates in 1e-6 of the index, cap in 1e-4 of an option's
    premium.
    """

    maker_rate: int
    taker_rate: int
    cap: int


def fee_up(
    rate: int, cap: int, is_linear: bool, index_micro: int, price_micro: int, quantity_lots: int
) -> int:
    """The fee of one side of a fill, in micro-USDC, rounded up.

    ceil(quantity × min(index × rate / 10^6, cap × price / 10^4)) for an option, without the cap
    for a perpetual or a future; index and price in micro-USDC per lot, an option's price >= 0. The
    cap is brought to the rate's denominator, so that one division serves both.
    """
    if quantity_lots == 1 and rate <= _RATE_UNIT and cap <= _CAP_UNIT:
        return _lot_fee_up(rate, cap, is_linear, index_micro, price_micro)
    per_lot = index_micro * rate
    if not is_linear:
        per_lot = min(per_lot, cap * price_micro * _CAP_TO_RATE)
    return -(-quantity_lots * per_lot // _RATE_UNIT)


def _lot_fee_up(rate: i64, cap: i64, is_linear: bool, index_micro: i64, price_micro: i64) -> i64:
    """The same for one lot: index and price are below 2^34, so all fits 55 bits."""
    per_lot: i64 = index_micro * rate
    if not is_linear:
        per_lot = min(per_lot, cap * price_micro * _CAP_TO_RATE)
    return (per_lot + (_RATE_UNIT - 1)) // _RATE_UNIT


def fees_of(
    schedule: FeeSchedule, index_micro: dict[int, int], fills: Sequence[Fill]
) -> list[tuple[int, int]]:
    """(taker, maker) fees of each fill, micro-USDC; `index_micro` by underlying."""
    fees: list[tuple[int, int]] = []
    for fill in fills:
        instrument, lots = fill.instrument, fill.quantity_lots
        index = index_micro.get(instrument.underlying.number, 0)
        price, linear = fill.price_ticks * instrument.tick_value_micro, instrument.is_linear
        fees.append(
            (
                fee_up(schedule.taker_rate, schedule.cap, linear, index, price, lots),
                fee_up(schedule.maker_rate, schedule.cap, linear, index, price, lots),
            )
        )
    return fees


def check_fees(
    taker: Order,
    fills: Sequence[Fill],
    fees: list[tuple[int, int]],
    units: int,
    maker_combo: Order | None,
) -> Ruling | None:
    """The maximum fee of every order of a group: makers' first, as they stand in it. An order
    of a leg is judged fill by fill (an iceberg may stand in several): its price is one, so
    each costs as much a lot. A combo order pays for all legs together.
    """
    taker_fees = maker_fees = 0
    for at, fill in enumerate(fills):
        taker_fee, maker_fee = fees[at]
        taker_fees += taker_fee
        maker_fees += maker_fee
        if maker_combo is None and maker_fee > fill.maker.max_fee_micro * fill.quantity_lots:
            return Ruling(MAKER_FEE, fill.maker)
    if taker_fees > taker.max_fee_micro * units:
        return Ruling(TAKER_FEE, None, -(-taker_fees // units), taker.max_fee_micro)
    if maker_combo is not None and maker_fees > maker_combo.max_fee_micro * units:
        return Ruling(MAKER_FEE, maker_combo)
    return None
