"""What a fill costs its two sides (docs/fees.md; docs/protocol.md, 8).

Holds: a fee is a share of the index, for an option at most a share of its premium; it divides once
and rounds up, in favour of the fee cash. Only a maker's may be negative, a rebate, and then no more
than the taker of the same fill pays; what a combo is spared is no more than its fills have brought.
So a trade never takes from the fee cash.
Never: decides anything but whether an order's maximum fee allows it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from matching.combos import COMBO_BASE
from matching.gate import MAKER_FEE, TAKER_FEE, Fill, Ruling
from matching.orders import Order
from matching.packed import i64

MAX_LEVEL: Final = 4
"""The highest level of warning of an underlying: its circuit breaker's first threshold."""
_RATE_UNIT: Final = 10**6  # rates are in 1e-6 of the index
_CAP_UNIT: Final = 10**4  # the cap is in 1e-4 of the premium
_CAP_TO_RATE: Final = _RATE_UNIT // _CAP_UNIT


class FeeSchedule(NamedTuple):
    """The fees of the Genesis command: rates in 1e-6 of the index, cap in 1e-4 of an option's
    premium. Each level of an underlying's warning lowers the maker rate by `rebate_step`.
    `liquidation_rate` is what a lot costs that is closed for an account; `combo_discount` the
    percentage of its cheaper side's fees that a combo order is spared.
    """

    maker_rate: int
    taker_rate: int
    cap: int
    rebate_step: int = 0
    liquidation_rate: int = 0
    combo_discount: int = 0


def schedule_fault(schedule: FeeSchedule) -> int:
    """The first field out of bounds, counted from 1; 0 where all are within. At the highest level a
    maker's rebate rate is no more than the taker's rate, so that no fill pays out what it has not
    brought in.
    """
    if schedule.rebate_step * MAX_LEVEL > schedule.maker_rate + schedule.taker_rate:
        return 4
    if schedule.combo_discount > 100:
        return 6
    return 0


def maker_rate_at(schedule: FeeSchedule, level: int) -> int:
    """The maker rate at a level of warning, in 1e-6 of the index; a rebate where it is negative."""
    return schedule.maker_rate - level * schedule.rebate_step


def fee_up(
    rate: int, cap: int, is_linear: bool, index_micro: int, price_micro: int, quantity_lots: int
) -> int:
    """The fee of one side of a fill, in micro-USDC, rounded up.

    ceil(quantity × min(index × rate / 10^6, cap × price / 10^4)) for an option, without the cap
    for a perpetual or a future; index and price in micro-USDC per lot, an option's price >= 0. The
    cap is brought to the rate's denominator, so that one division serves both. A negative rate is
    a rebate: as large as a fee at its size would be, but rounded down.
    """
    if quantity_lots == 1 and rate <= _RATE_UNIT and cap <= _CAP_UNIT:
        return _lot_fee_up(rate, cap, is_linear, index_micro, price_micro)
    per_lot = index_micro * rate
    if not is_linear:
        most = cap * price_micro * _CAP_TO_RATE
        per_lot = min(per_lot, most) if rate >= 0 else max(per_lot, -most)
    return -(-quantity_lots * per_lot // _RATE_UNIT)


def _lot_fee_up(rate: i64, cap: i64, is_linear: bool, index_micro: i64, price_micro: i64) -> i64:
    """The same for one lot: index and price are below 2^34, so all fits 55 bits."""
    per_lot: i64 = index_micro * rate
    if not is_linear:
        most: i64 = cap * price_micro * _CAP_TO_RATE
        per_lot = min(per_lot, most) if rate >= 0 else max(per_lot, -most)
    return (per_lot + (_RATE_UNIT - 1)) // _RATE_UNIT


def fees_of(
    schedule: FeeSchedule,
    index_micro: dict[int, int],
    levels: dict[int, int],
    taker: Order,
    fills: Sequence[Fill],
    maker_combo: Order | None,
) -> list[tuple[int, int]]:
    """(taker, maker) fees of each fill of a group, micro-USDC, less what combo orders are spared;
    index and level of warning by underlying.
    """
    fees = _full_fees(schedule, index_micro, levels, fills)
    if taker.book >= COMBO_BASE and schedule.combo_discount:
        discount_combos(schedule.combo_discount, fees, fills, maker_combo is not None)
    return fees


def fees_through(
    schedule: FeeSchedule,
    index_micro: dict[int, int],
    levels: dict[int, int],
    fills: Sequence[Fill],
) -> list[tuple[int, int]]:
    """The same of a group in which a single order meets a resting combo order (the first fill), and
    that one others: both sides of those pay as makers, and nobody is paid.
    """
    fees = _full_fees(schedule, index_micro, levels, fills)
    for at in range(1, len(fees)):
        fee = max(fees[at][1], 0)
        fees[at] = (fee, fee)
    if schedule.combo_discount:
        discount_through(schedule.combo_discount, fees, fills)
    return fees


def _full_fees(
    schedule: FeeSchedule,
    index_micro: dict[int, int],
    levels: dict[int, int],
    fills: Sequence[Fill],
) -> list[tuple[int, int]]:
    """What taker and maker of each fill pay if no combo is spared anything."""
    fees: list[tuple[int, int]] = []
    maker_rate, cap = schedule.maker_rate, schedule.cap
    for fill in fills:
        instrument, lots = fill.instrument, fill.quantity_lots
        underlying = instrument.underlying.number
        index = index_micro.get(underlying, 0)
        if levels:
            maker_rate = maker_rate_at(schedule, levels.get(underlying, 0))
        price, linear = fill.price_ticks * instrument.tick_value_micro, instrument.is_linear
        fees.append(
            (
                fee_up(schedule.taker_rate, cap, linear, index, price, lots),
                fee_up(maker_rate, cap, linear, index, price, lots),
            )
        )
    return fees


# COMBOS


def discount_down(percent: int, bought_micro: int, sold_micro: int, brought_micro: int) -> int:
    """What a combo order is spared of the fees of one trade, micro-USDC, rounded down: a percentage
    of the smaller of its fees for the legs bought and those sold, no more than `brought_micro`, all
    that the trade has brought to the fee cash.
    """
    smaller = min(bought_micro, sold_micro)
    if smaller <= 0:
        return 0
    return min(smaller * percent // 100, brought_micro)


def discount_combos(
    percent: int, fees: list[tuple[int, int]], fills: Sequence[Fill], has_maker_combo: bool
) -> None:
    """Lowers, in place, the fees of a combo trade's taker, then of the combo that it met."""
    buys = [fill.taker_buys for fill in fills]
    brought = _sum_of(fees)
    paid = [taker for taker, _ in fees]
    brought -= _spare(percent, paid, buys, brought)
    given = [maker for _, maker in fees]
    if has_maker_combo:
        _spare(percent, given, buys, brought)
    for at in range(len(fees)):
        fees[at] = (paid[at], given[at])


def discount_through(percent: int, fees: list[tuple[int, int]], fills: Sequence[Fill]) -> None:
    """Lowers, in place, the fees of a resting combo order through which a single order met others:
    the first fill is that order's, in the rest `taker_buys` says whether the combo's buys.
    """
    buys = [fill.taker_buys for fill in fills]
    buys[0] = not buys[0]
    paid = [taker for taker, _ in fees]
    paid[0] = fees[0][1]
    _spare(percent, paid, buys, _sum_of(fees))
    fees[0] = (fees[0][0], paid[0])
    for at in range(1, len(fees)):
        fees[at] = (paid[at], fees[at][1])


def _sum_of(fees: list[tuple[int, int]]) -> int:
    total = 0
    for taker, maker in fees:
        total += taker + maker
    return total


def _spare(percent: int, paid: list[int], buys: list[bool], brought: int) -> int:
    """Takes a combo order's discount off its legs' fees, from the first leg of the cheaper side on;
    gives the discount.
    """
    bought = sold = 0
    for at, fee in enumerate(paid):
        if buys[at]:
            bought += fee
        else:
            sold += fee
    discount = left = discount_down(percent, bought, sold, brought)
    spares_bought = bought <= sold
    for at, fee in enumerate(paid):
        if buys[at] == spares_bought and fee > 0:
            part = min(fee, left)
            paid[at] -= part
            left -= part
    return discount


# THE MAXIMUM FEE


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


def check_through(
    taker: Order, fills: Sequence[Fill], fees: list[tuple[int, int]], units: int
) -> Ruling | None:
    """The maximum fee of every order of a group of `fees_through`: the order that came, makers of
    the other legs, the resting combo order.
    """
    lots, resting = fills[0].quantity_lots, fills[0].maker
    if fees[0][0] > taker.max_fee_micro * lots:
        return Ruling(TAKER_FEE, None, -(-fees[0][0] // lots), taker.max_fee_micro)
    resting_fees = fees[0][1]
    for at in range(1, len(fees)):
        fill, fee = fills[at], fees[at]
        if fee[1] > fill.maker.max_fee_micro * fill.quantity_lots:
            return Ruling(MAKER_FEE, fill.maker)
        resting_fees += fee[0]
    if resting_fees > resting.max_fee_micro * units:
        return Ruling(MAKER_FEE, resting)
    return None
