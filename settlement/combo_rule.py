"""When a COMBO_FILLED record closes the FILL records before it (docs/protocol.md, 4).

Holds: the fills are all the combo's: they stand together, every one names the combo orders'
accounts and slots, and they make `units` of one canonical strategy at exactly `net_price_micro` a
unit. So nobody can hang a stranger's fill on a combo, leave out a leg, or report another price.
Never: looks at the state; `trade_rules.py` asks whether orders are open and each fill is lawful.
"""

from collections.abc import Callable, Sequence
from math import gcd

from matching.combos import MAX_LEGS, MAX_RATIO
from settlement.record_types import (
    MAKER_ADVANCES,
    MAKER_COMES,
    TAKER_ADVANCES,
    TAKER_BUYS,
    TAKER_RESTS,
    ComboFilled,
    Fill,
)
from settlement.violations import (
    COMBO_INCOMING,
    COMBO_LEG_COUNT,
    COMBO_NET_PRICE,
    COMBO_PARTY,
    COMBO_RATIO,
    COMBO_SIDE,
    QUANTITY_ZERO,
    UNKNOWN_FLAGS,
    Violation,
)


def is_leg(fill: Fill) -> bool:
    """Whether a FILL is a leg of a combo: an order on one side does not advance with it."""
    return fill.flags & (MAKER_ADVANCES | TAKER_ADVANCES) != MAKER_ADVANCES | TAKER_ADVANCES


def combo_violation(
    combo: ComboFilled, legs: Sequence[Fill], tick_value_micro: Callable[[int], int]
) -> Violation | None:
    """The first rule that a combo breaks. `legs` are the leg fills that stand before it, all that
    no earlier combo closed.
    """
    taker = combo.taker
    rests = combo.flags & TAKER_RESTS
    if combo.flags > 15 or not combo.flags & TAKER_ADVANCES or (rests and _meets_combo(combo)):
        return Violation(UNKNOWN_FLAGS, taker, combo.flags)
    if not legs or combo.fills != len(legs):
        return Violation(COMBO_LEG_COUNT, taker, combo.fills, len(legs))
    if not combo.units:
        return Violation(QUANTITY_ZERO, taker)
    stranger = _first_stranger(combo, legs)
    if stranger is not None:
        return Violation(COMBO_PARTY, taker, stranger)
    coming = sum(1 for leg in legs if leg.flags & MAKER_COMES)
    if coming != (1 if rests else 0):
        return Violation(COMBO_INCOMING, taker, coming, 1 if rests else 0)
    lots = _lots_bought(legs)
    if lots is None or not _is_canonical(lots, combo.units):
        return Violation(COMBO_RATIO, taker, combo.units)
    first = min(lots)
    if (lots[first] > 0) != bool(combo.flags & TAKER_BUYS):
        return Violation(COMBO_SIDE, taker, first)
    paid_micro = sum(
        leg.quantity_lots
        * leg.price_ticks
        * tick_value_micro(leg.instrument)
        * (1 if leg.flags & TAKER_BUYS else -1)
        for leg in legs
    )
    of_a_buyer = paid_micro if combo.flags & TAKER_BUYS else -paid_micro
    if combo.net_price_micro * combo.units != of_a_buyer:
        return Violation(COMBO_NET_PRICE, taker, combo.net_price_micro * combo.units, of_a_buyer)
    return None


def _first_stranger(combo: ComboFilled, legs: Sequence[Fill]) -> int | None:
    """The first leg that is not between the combo's parties. Filled by the legs' own books, a combo
    has no maker: each leg's order advances with its FILL.
    """
    meets_combo = _meets_combo(combo)
    if not meets_combo and (combo.maker or combo.maker_slot):
        return 0
    taker = (combo.taker, combo.taker_slot)
    maker = (combo.maker, combo.maker_slot)
    for number, leg in enumerate(legs):
        if (leg.taker, leg.taker_slot) != taker:
            return number
        if bool(leg.flags & MAKER_ADVANCES) == meets_combo:
            return number
        if (leg.flags ^ combo.flags) & TAKER_RESTS:
            return number
        if meets_combo and (leg.maker, leg.maker_slot) != maker:
            return number
    return None


def _meets_combo(combo: ComboFilled) -> bool:
    return bool(combo.flags & MAKER_ADVANCES)


def _lots_bought(legs: Sequence[Fill]) -> dict[int, int] | None:
    """Signed lots that the taker bought by instrument; None where it bought and sold one."""
    lots: dict[int, int] = {}
    for leg in legs:
        signed = leg.quantity_lots if leg.flags & TAKER_BUYS else -leg.quantity_lots
        before = lots.get(leg.instrument, 0)
        if before * signed < 0:
            return None
        lots[leg.instrument] = before + signed
    return lots


def _is_canonical(lots: dict[int, int], units: int) -> bool:
    """2 to 8 legs in whole ratios without a common factor; the side is the first leg's."""
    if not 2 <= len(lots) <= MAX_LEGS or any(bought % units for bought in lots.values()):
        return False
    ratios = [abs(bought) // units for bought in lots.values()]
    return max(ratios) <= MAX_RATIO and gcd(*ratios) == 1
