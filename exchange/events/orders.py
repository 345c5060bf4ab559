"""Events of orders and combos: placed, rested, filled, changed, cancelled.

Holds: quantities are lots (units of a combo), prices micro-USDC per lot or unit.
Never: decides anything.
"""

from typing import ClassVar, Final

from exchange.events.base import Event

CANCELLED_BY_OWNER: Final = 1
CANCELLED_IMMEDIATE: Final = 2  # what an IOC order left
CANCELLED_REPLACED: Final = 3
CANCELLED_COUNTER: Final = 4  # the account raised its counter
CANCELLED_EXPIRED: Final = 5
CANCELLED_MARGIN_MAKER: Final = 6  # a resting order that its owner's margin no longer carries
CANCELLED_MARGIN_TAKER: Final = 7  # the rest of an order whose next fill would break margin
CANCELLED_SELF_TRADE: Final = 8  # an order that would have met one of its own owner's
CANCELLED_SETTLED: Final = 9  # its instrument, or a leg, was settled
CANCELLED_FEE: Final = (
    10  # the rest of an order whose next fill would cost more than its maximum fee
)
CANCELLED_LIMIT: Final = 11  # the rest of an order that reached the bound of fills in one command
CANCELLED_REDUCE_ONLY: Final = 12  # a reduce-only order, and no position is left that it reduces

CANCELLED_LINKED: Final = 20  # another of its group traded or was triggered
CANCELLED_PARENT: Final = 21  # the order that it waited for ended before it was filled
CANCELLED_WOULD_CROSS: Final = 22  # post-only, and would have traded when it woke
CANCELLED_WHEN_WOKEN: Final = 23  # refused when it woke, for a reason that none above names
CANCELLED_DISCONNECTED: Final = 24  # the connection that it was placed on ended
CANCELLED_PROTECTED: Final = 30  # its protection group reached a limit
CANCELLED_LIQUIDATED: Final = 40  # its account is being liquidated
CANCELLED_DELISTED: Final = 41  # its instrument, or a leg, is delisted

CANCEL_REASONS: Final[dict[int, str]] = {
    CANCELLED_BY_OWNER: "cancelled by its owner",
    CANCELLED_IMMEDIATE: "immediate-or-cancel: the rest did not trade",
    CANCELLED_REPLACED: "replaced",
    CANCELLED_COUNTER: "the account's counter was raised",
    CANCELLED_EXPIRED: "expired",
    CANCELLED_MARGIN_MAKER: "its owner's margin no longer carries it",
    CANCELLED_MARGIN_TAKER: "the next fill would break initial margin",
    CANCELLED_SELF_TRADE: "it would trade with an order of the same owner",
    CANCELLED_SETTLED: "its instrument was settled",
    CANCELLED_FEE: "the next fill would cost more than its maximum fee",
    CANCELLED_LINKED: "another order of its group traded or was triggered",
    CANCELLED_PARENT: "the order that it waited for ended before it was filled",
    CANCELLED_WOULD_CROSS: "post-only, and it would have traded when it woke",
    CANCELLED_WHEN_WOKEN: "it was refused when it woke",
    CANCELLED_DISCONNECTED: "the connection that it was placed on ended",
    CANCELLED_PROTECTED: "its protection group reached a limit",
    CANCELLED_LIQUIDATED: "its account is being liquidated",
    CANCELLED_DELISTED: "its instrument was delisted",
    CANCELLED_LIMIT: "it met the most orders that one command may",
    CANCELLED_REDUCE_ONLY: "reduce-only, and no position is left for it to reduce",
}


class OrderPlaced(Event, frozen=True, gc=False):
    """An order was accepted; its fills and its end follow. `book` is the instrument, or
    COMBO_BASE + combo number; `quantity_lots` is in units for a combo.
    """

    TYPE: ClassVar[int] = 0x02
    order_id: int
    order_hash: bytes
    account: int
    book: int
    side: int
    limit_price_micro: int
    quantity_lots: int


class OrderRested(Event, frozen=True, gc=False):
    """What is left of the order stands in its book, showing `displayed_lots`: last at its price,
    or in the place of the order `takes_place_of` (0 for none).
    """

    TYPE: ClassVar[int] = 0x03
    order_id: int
    order_hash: bytes
    account: int
    book: int
    side: int
    price_micro: int
    remaining_lots: int
    displayed_lots: int
    takes_place_of: int


class OrderFilled(Event, frozen=True, gc=False):
    """A trade of one instrument between two orders; either may be a combo's (then `combo_trade`
    is not 0, and the combo order advances by ComboFilled).

    `price_micro` per lot; fees in micro-USDC, for all of `quantity_lots`; `maker_left_lots`,
    `taker_left_lots` what the order has left, -1 for a combo order.
    """

    TYPE: ClassVar[int] = 0x04
    trade: int
    instrument: int
    price_ticks: int
    price_micro: int
    quantity_lots: int
    taker_buys: int
    taker_order_id: int
    taker_order_hash: bytes
    taker: int
    taker_fee_micro: int
    taker_left_lots: int
    maker_order_id: int
    maker_order_hash: bytes
    maker: int
    maker_fee_micro: int
    maker_left_lots: int
    combo_trade: int


class ComboFilled(Event, frozen=True, gc=False):
    """Units of a combo traded, after the fills of its legs. Against the legs' books (implied)
    the maker fields are 0 and `maker_left_units` is -1. Where the taker is a single order that met
    a resting combo (implied out), `taker_left_units` is -1: of the fills before, the first is the
    taker's with the combo's order, the others are that order's with its other leg's book.
    """

    TYPE: ClassVar[int] = 0x05
    combo_trade: int
    book: int
    net_price_micro: int
    units: int
    taker_buys: int
    taker_order_id: int
    taker_order_hash: bytes
    taker: int
    taker_left_units: int
    maker_order_id: int
    maker_order_hash: bytes
    maker: int
    maker_left_units: int


class OrderCancelled(Event, frozen=True, gc=False):
    """An order, or what was left of it, is gone; `reason` is one of CANCEL_REASONS."""

    TYPE: ClassVar[int] = 0x06
    order_id: int
    order_hash: bytes
    account: int
    book: int
    side: int
    remaining_lots: int
    reason: int


class ComboCreated(Event, frozen=True, gc=False):
    """A strategy was named for the first time and has a book now; `legs` are (instrument, ratio)
    in canonical order.
    """

    TYPE: ClassVar[int] = 0x07
    book: int
    legs: tuple[tuple[int, int], ...]
    tick_micro: int


class ComboDropped(Event, frozen=True, gc=False):
    """A combo without orders is gone, and its book; its number is not given again. Who names its
    legs makes a new one.
    """

    TYPE: ClassVar[int] = 0x0F
    book: int


class OrdersCancelled(Event, frozen=True, gc=False):
    """A mass cancel is done: `count` orders of the account went, an OrderCancelled for each before
    this; `scope` and `value` as they were signed.
    """

    TYPE: ClassVar[int] = 0x0B
    account: int
    message_hash: bytes
    scope: int
    value: int
    count: int


class OrderAwaiting(Event, frozen=True, gc=False):
    """An accepted order stands in no book: it waits for `parent` to be filled (zero: for none, or
    no longer), then for its trigger (0 for none).
    """

    TYPE: ClassVar[int] = 0x0C
    order_id: int
    order_hash: bytes
    account: int
    book: int
    trigger: int
    trigger_price_micro: int
    parent: bytes


class OrderTriggered(Event, frozen=True, gc=False):
    """A waiting order wakes and goes to its book now; `price_micro` is what its trigger saw, 0
    where its parent's fill woke it.
    """

    TYPE: ClassVar[int] = 0x0D
    order_id: int
    order_hash: bytes
    account: int
    book: int
    price_micro: int


class OrderReduced(Event, frozen=True, gc=False):
    """An order lost `lots` without a trade and keeps its place; `reason` is one of CANCEL_REASONS.
    An order that loses all is cancelled instead.
    """

    TYPE: ClassVar[int] = 0x08
    order_id: int
    order_hash: bytes
    account: int
    book: int
    side: int
    lots: int
    remaining_lots: int
    displayed_lots: int
    reason: int


class OrderRepriced(Event, frozen=True, gc=False):
    """A resting order priced in volatility has a new price, and stands last there."""

    TYPE: ClassVar[int] = 0x0E
    order_id: int
    order_hash: bytes
    account: int
    book: int
    side: int
    price_micro: int
    remaining_lots: int
    displayed_lots: int


class OrderReplenished(Event, frozen=True, gc=False):
    """All that an iceberg showed is gone; it shows `displayed_lots` again, last at its price."""

    TYPE: ClassVar[int] = 0x09
    order_id: int
    order_hash: bytes
    account: int
    book: int
    side: int
    price_micro: int
    remaining_lots: int
    displayed_lots: int
