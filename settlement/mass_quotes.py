"""A mass quote: two-sided prices in many instruments in one signed message, and the ordinary orders
that it stands for.

Holds: side `s` (0 bid, 1 ask) of quote `i` is the order with salt `salt + 2 i + s`, GTC, replacing
nothing, with the message's account, counter, flags, maximum fee, expiry, protection group and
label; the hashes of all of them, sides of zero lots too, are the leaves of the tree that is signed
(`bulk_orders`), so a cancellation is signed like a price, and no side can be left out or added.
Never: knows the exchange's state.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from matching.orders import BUY, GTC, KNOWN_FLAGS, POST_ONLY, SELF_TRADE_MASK, SELL
from matching.rejects import (
    QUOTE_COUNT,
    QUOTE_SALT_OUT_OF_RANGE,
    UNKNOWN_FLAG,
    Reject,
)
from settlement.bulk_orders import bulk_hash
from settlement.signed_messages import NO_ORDER, PLAIN, Conditions, Legs, Order, order_hash

MAX_QUOTES: Final = 200
QUOTE_FLAGS: Final = (POST_ONLY | SELF_TRADE_MASK) & KNOWN_FLAGS
"""What a quote may ask for."""
_SALT_END: Final = 1 << 64


class Quote(NamedTuple):
    """Both sides of one instrument or combo; prices in micro-USDC per lot or unit. Zero lots on a
    side cancel what stands there.
    """

    legs: Legs
    bid_price_micro: int
    bid_lots: int
    ask_price_micro: int
    ask_lots: int


class MassQuote(NamedTuple):
    """What one signature covers. `label` names the quote set; `salt` is the first order's."""

    account: int
    counter: int
    flags: int
    max_fee_micro: int
    expiry_s: int
    salt: int
    protection: int
    label: int
    quotes: Sequence[tuple[Legs, int, int, int, int]]


def check_mass_quote(message: MassQuote) -> Reject | None:
    """The first of the message's own fields that no exchange state could make right, or None."""
    count = len(message.quotes)
    if not 0 < count <= MAX_QUOTES:
        return Reject(QUOTE_COUNT, count, MAX_QUOTES)
    if message.flags & ~QUOTE_FLAGS:
        return Reject(UNKNOWN_FLAG, message.flags, QUOTE_FLAGS)
    if message.salt + 2 * count > _SALT_END:
        return Reject(QUOTE_SALT_OUT_OF_RANGE, message.salt, _SALT_END - 2 * count)
    return None


def quoted_orders(message: MassQuote) -> list[Order]:
    """The orders of a message that `check_mass_quote` passed, bid and ask of each quote in turn."""
    account, counter, flags, max_fee, expiry_s, salt, protection, label, quotes = message
    conditions = PLAIN
    if protection or label:
        conditions = Conditions(protection=protection, label=label)
    orders: list[Order] = []
    for legs, bid_price, bid_lots, ask_price, ask_lots in quotes:
        for side, price, lots in ((BUY, bid_price, bid_lots), (SELL, ask_price, ask_lots)):
            orders.append(
                Order(
                    account,
                    counter,
                    side,
                    GTC,
                    flags,
                    price,
                    lots,
                    max_fee,
                    expiry_s,
                    salt,
                    NO_ORDER,
                    legs,
                    conditions,
                )
            )
            salt += 1
    return orders


def mass_quote_hash(message: MassQuote) -> bytes:
    """Struct hash of the tree of the message's orders: what its signature is over."""
    return bulk_hash([order_hash(order) for order in quoted_orders(message)])
