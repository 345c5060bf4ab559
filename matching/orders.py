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

POST_ONLY: Final = 1
KNOWN_FLAGS: Final = POST_ONLY


class Order:
    """A live order. Prices are in ticks of its book (`tick_micro` micro-USDC each); a combo's
    lots are units.

    `sign` is +1 for a buyer and -1 for a seller. `slot` is its place in the account's order tree
    once a fill has opened it there, -1 before. `filled_lots` counts what traded.
    """

    __slots__ = (
        "account",
        "book",
        "expiry_s",
        "filled_lots",
        "hash",
        "level",
        "max_fee_micro",
        "next",
        "order_id",
        "previous",
        "price_micro",
        "price_ticks",
        "remaining_lots",
        "side",
        "sign",
        "slot",
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
        self.slot = -1
        self.level: Level | None = None
        self.previous: Order | None = None
        self.next: Order | None = None
