"""An order as the books and the gate know it.

Holds: `remaining_lots` is what may still trade; an order stands in at most one level; `previous`
and `next` are its neighbours there.
Never: is shared by two books, or seen by a door (doors know order hashes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matching.book import Level

BUY: Final = 0
SELL: Final = 1

GTC: Final = 0
IOC: Final = 1
FOK: Final = 2

# Flags of a signed order (docs/protocol.md, 2)
POST_ONLY: Final = 1 << 0
SLIDE: Final = 1 << 1
"""With POST_ONLY: where it would cross, it rests a tick short of the best price instead."""
REDUCE_ONLY: Final = 1 << 2
"""Trades no more than brings its account's position in the instrument to zero."""
MARKET: Final = 1 << 3
"""The limit is the worst price; the price band shortens it instead of refusing it."""
SELF_TRADE_SHIFT: Final = 4
SELF_TRADE_MASK: Final = 3 << SELF_TRADE_SHIFT
UNTIL_DISCONNECT: Final = 1 << 6
"""Goes when the session that placed it ends."""
IN_VOLATILITY: Final = 1 << 7
"""Priced by `Conditions.volatility_e6`, never beyond the signed limit."""
KNOWN_FLAGS: Final = (
    POST_ONLY | SLIDE | REDUCE_ONLY | MARKET | SELF_TRADE_MASK | UNTIL_DISCONNECT | IN_VOLATILITY
)

# What happens where an order would meet another of its owner's (`(flags & MASK) >> SHIFT`)
CANCEL_TAKER: Final = 0
CANCEL_MAKER: Final = 1
CANCEL_BOTH: Final = 2
DECREMENT: Final = 3

# What wakes an order that waits (`Conditions.trigger`): a source at or above, or at or below
NO_TRIGGER: Final = 0
MARK_AT_LEAST: Final = 1
MARK_AT_MOST: Final = 2
INDEX_AT_LEAST: Final = 3
INDEX_AT_MOST: Final = 4
LAST_AT_LEAST: Final = 5
LAST_AT_MOST: Final = 6


class Order:
    """A live order. Prices are in ticks of its book (`tick_micro` micro-USDC each); a combo's
    lots are units.

    `display_lots` is what an iceberg shows at most, 0 for an order that shows all; while it rests,
    `hidden_lots` of what remains are not shown.
    `sign` is +1 for a buyer and -1 for a seller. `slot` is its place in the account's order tree
    once a fill has opened it there, -1 before. `filled_lots` counts what traded. `owner` is the
    dense number of the account's owner, who may have several accounts; `protection` the group of
    the account that its quotes are protected and margined by, 0 for none. `client_id` and `label`
    are the owner's names for it, to cancel by; `oco_group` is the group of the account's orders of
    which one that trades ends the others, 0 for none; `session` is the connection that it goes
    with, 0 for none. `volatility_e6` prices it anew with every mark, 0 for none, never beyond
    `limit_ticks`.
    """

    __slots__ = (
        "account",
        "book",
        "client_id",
        "display_lots",
        "expiry_s",
        "filled_lots",
        "flags",
        "hash",
        "hidden_lots",
        "is_quote",
        "is_reduce_only",
        "label",
        "level",
        "limit_ticks",
        "loss_micro",
        "loss_version",
        "max_fee_micro",
        "next",
        "oco_group",
        "order_id",
        "owner",
        "previous",
        "price_micro",
        "price_ticks",
        "protection",
        "remaining_lots",
        "self_trade",
        "session",
        "side",
        "sign",
        "slot",
        "volatility_e6",
    )

    def __init__(
        self,
        order_id: int,
        order_hash: bytes,
        account: int,
        book: int,
        side: int,
        price_ticks: int,
        price_micro: int,
        quantity_lots: int,
        max_fee_micro: int,
        expiry_s: int,
        flags: int = 0,
        owner: int = -1,
        protection: int = 0,
        display_lots: int = 0,
    ) -> None:
        self.order_id = order_id
        self.hash = order_hash
        self.account = account
        self.book = book
        self.side = side
        self.sign = 1 - 2 * side
        self.price_ticks = price_ticks
        self.price_micro = price_micro
        self.remaining_lots = quantity_lots
        self.filled_lots = 0
        self.max_fee_micro = max_fee_micro
        self.expiry_s = expiry_s
        self.flags = flags
        self.is_reduce_only = flags & REDUCE_ONLY != 0
        self.self_trade = (flags & SELF_TRADE_MASK) >> SELF_TRADE_SHIFT
        self.owner = account if owner < 0 else owner
        self.protection = protection
        self.client_id = 0
        self.label = 0
        self.oco_group = 0
        self.session = 0
        self.volatility_e6 = 0
        self.limit_ticks = price_ticks
        self.is_quote = False
        self.display_lots = display_lots
        self.hidden_lots = 0
        self.slot = -1
        self.loss_micro = 0
        self.loss_version = -1
        self.level: Level | None = None
        self.previous: Order | None = None
        self.next: Order | None = None

    @property
    def is_capped(self) -> bool:
        """Whether something may let it trade less than it shows (`Gate.fillable_lots`)."""
        return self.is_reduce_only or self.protection != 0

    def reducible_lots(self, held_lots: int) -> int:
        """How much of a position of signed lots it would take away, if it traded enough: all of
        one on the other side, else nothing.
        """
        return max(-self.sign * held_lots, 0)
