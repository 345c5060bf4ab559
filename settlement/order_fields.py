"""What can be wrong with an order in itself, whatever the state of the exchange.

Holds: total: the first field that no state could make right is named with its value and what is
allowed; a flag that is not offered is refused, never ignored.
Never: reads a state, a clock or a signature.
"""

from math import gcd

from matching.combos import MAX_LEGS, MAX_RATIO
from matching.instruments import MAX_LOTS
from matching.orders import (
    FOK,
    GTC,
    IN_VOLATILITY,
    KNOWN_FLAGS,
    LAST_AT_MOST,
    MARKET,
    NO_TRIGGER,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
    SLIDE,
)
from matching.rejects import (
    DISPLAY_NEEDS_GTC,
    DISPLAY_OUT_OF_RANGE,
    FIRST_RATIO_NEGATIVE,
    LEG_COUNT,
    LEG_RATIO_OUT_OF_RANGE,
    LEG_TWICE,
    LEGS_NOT_ASCENDING,
    MARKET_NEEDS_IMMEDIATE,
    MIN_QUANTITY_OUT_OF_RANGE,
    POST_ONLY_NEEDS_GTC,
    POST_ONLY_TAKES_NOTHING,
    PRICE_OUT_OF_RANGE,
    QUANTITY_OUT_OF_RANGE,
    RATIOS_NOT_REDUCED,
    REDUCE_ONLY_IS_SINGLE,
    SINGLE_LEG_RATIO,
    SLIDE_NEEDS_POST_ONLY,
    TRIGGER_PRICE_OUT_OF_RANGE,
    UNKNOWN_FLAG,
    UNKNOWN_SIDE,
    UNKNOWN_TIME_IN_FORCE,
    UNKNOWN_TRIGGER,
    VOLATILITY_NEEDS_GTC,
    VOLATILITY_NEEDS_OPTION,
    VOLATILITY_OUT_OF_RANGE,
    WAITS_WITH_ONE_LEG,
    Reject,
)
from settlement.signed_messages import (
    MAX_NET_PRICE_MICRO,
    MAX_PRICE_MICRO,
    MAX_VOLATILITY_E6,
    MOST_DISPLAYS,
    NO_ORDER,
    PLAIN,
    Legs,
    Order,
)


def check_order_fields(order: Order) -> Reject | None:
    """The first of an order's fields that no exchange state could make right, or None."""
    legs = order.legs
    if len(legs) == 1:
        # The price of a single instrument is positive; a net price may have either sign.
        price = order.limit_price_micro
        if not 0 < price <= MAX_PRICE_MICRO:
            return Reject(PRICE_OUT_OF_RANGE, price, MAX_PRICE_MICRO)
        ratio = legs[0][1]
        if ratio != 1:
            return Reject(SINGLE_LEG_RATIO, ratio, 1)
    else:
        reject = _check_legs(legs)
        if reject is not None:
            return reject
        if abs(order.limit_price_micro) > MAX_NET_PRICE_MICRO:
            return Reject(PRICE_OUT_OF_RANGE, order.limit_price_micro, MAX_NET_PRICE_MICRO)
    if not 0 < order.quantity_lots <= MAX_LOTS:
        return Reject(QUANTITY_OUT_OF_RANGE, order.quantity_lots, MAX_LOTS)
    if order.side > SELL:
        return Reject(UNKNOWN_SIDE, order.side)
    if order.time_in_force > FOK:
        return Reject(UNKNOWN_TIME_IN_FORCE, order.time_in_force)
    if order.flags:
        if order.flags & ~KNOWN_FLAGS:
            return Reject(UNKNOWN_FLAG, order.flags, KNOWN_FLAGS)
        if order.flags & POST_ONLY and order.time_in_force != GTC:
            return Reject(POST_ONLY_NEEDS_GTC, order.time_in_force)
        if order.flags & SLIDE and not order.flags & POST_ONLY:
            return Reject(SLIDE_NEEDS_POST_ONLY, order.flags)
        if order.flags & MARKET and order.time_in_force == GTC:
            return Reject(MARKET_NEEDS_IMMEDIATE, order.time_in_force)
        if order.flags & REDUCE_ONLY and len(legs) > 1:
            return Reject(REDUCE_ONLY_IS_SINGLE, len(legs))
        if order.flags & IN_VOLATILITY:
            if order.time_in_force != GTC:
                return Reject(VOLATILITY_NEEDS_GTC, order.time_in_force, GTC)
            if len(legs) > 1:
                return Reject(VOLATILITY_NEEDS_OPTION, legs[0][0])
            if order.conditions is PLAIN:
                return Reject(VOLATILITY_OUT_OF_RANGE, 0, MAX_VOLATILITY_E6)
    return None if order.conditions is PLAIN else _check_conditions(order)


def _check_conditions(order: Order) -> Reject | None:
    trigger, price = order.conditions.trigger, order.conditions.trigger_price_micro
    if trigger > LAST_AT_MOST:
        return Reject(UNKNOWN_TRIGGER, trigger, LAST_AT_MOST)
    if price if trigger == NO_TRIGGER else not 0 < price <= MAX_PRICE_MICRO:
        return Reject(TRIGGER_PRICE_OUT_OF_RANGE, price, MAX_PRICE_MICRO)
    if len(order.legs) > 1 and (trigger or order.conditions.parent != NO_ORDER):
        return Reject(WAITS_WITH_ONE_LEG, len(order.legs))
    volatility = order.conditions.volatility_e6
    is_within = 0 < volatility <= MAX_VOLATILITY_E6
    if not is_within if order.flags & IN_VOLATILITY else volatility:
        return Reject(VOLATILITY_OUT_OF_RANGE, volatility, MAX_VOLATILITY_E6)
    least = order.conditions.min_quantity_lots
    if least > order.quantity_lots:
        return Reject(MIN_QUANTITY_OUT_OF_RANGE, least, order.quantity_lots)
    if least and order.flags & POST_ONLY:
        return Reject(POST_ONLY_TAKES_NOTHING, least)
    return _check_display(order) if order.conditions.display_lots else None


def _check_display(order: Order) -> Reject | None:
    """Whether an order may show `display_lots` alone: all of its quantity, or a part of it that is
    not so small that it would be replenished without end.
    """
    shown, quantity = order.conditions.display_lots, order.quantity_lots
    least = -(-quantity // MOST_DISPLAYS)
    if not least <= shown <= quantity:
        return Reject(DISPLAY_OUT_OF_RANGE, shown, least if shown < least else quantity)
    if order.time_in_force != GTC:
        return Reject(DISPLAY_NEEDS_GTC, order.time_in_force)
    return None


def _check_legs(legs: Legs) -> Reject | None:
    """Whether the legs of a combo are in canonical form."""
    if not 1 <= len(legs) <= MAX_LEGS:
        return Reject(LEG_COUNT, len(legs), MAX_LEGS)
    previous = -1
    factor = 0
    for instrument, ratio in legs:
        if ratio == 0 or abs(ratio) > MAX_RATIO:
            return Reject(LEG_RATIO_OUT_OF_RANGE, ratio, MAX_RATIO)
        if instrument == previous:
            return Reject(LEG_TWICE, instrument)
        if instrument < previous:
            return Reject(LEGS_NOT_ASCENDING, instrument, previous)
        previous = instrument
        factor = gcd(factor, ratio)
    if factor != 1:
        return Reject(RATIOS_NOT_REDUCED, factor)
    if legs[0][1] < 0:
        return Reject(FIRST_RATIO_NEGATIVE, legs[0][1])
    return None
