"""Orders priced in volatility: which rest, and at which price each should.

Holds: the price is Black-76 at the expiry's forward with the order's own volatility, rounded to the
tick in its owner's favour, at least one tick, and never beyond the signed limit; by underlying, the
resting orders that the next marks price anew; of one account at most MAX_VOLATILITY_ORDERS, so that
one update of the marks stays bounded.
Never: looks at a book (`handlers/volatility.py` does), or at an order that waits.
"""

from typing import Final

from margin.black76 import price_at_volatility_micro
from margin.marks import Marks
from matching.instruments import CALL, PUT, Instrument
from matching.orders import BUY, Order

MAX_VOLATILITY_ORDERS: Final = 64
"""Of one account, at rest."""


class VolatilityOrders:
    """All resting orders priced in volatility, by underlying and number."""

    __slots__ = ("by_underlying", "of_account")

    def __init__(self) -> None:
        self.by_underlying: dict[int, dict[int, Order]] = {}
        self.of_account: dict[int, int] = {}

    def add(self, underlying: int, order: Order) -> None:
        self.by_underlying.setdefault(underlying, {})[order.order_id] = order
        self.of_account[order.account] = self.of_account.get(order.account, 0) + 1

    def remove(self, underlying: int, order: Order) -> None:
        held = self.by_underlying[underlying]
        del held[order.order_id]
        if not held:
            del self.by_underlying[underlying]
        left = self.of_account[order.account] - 1
        if left:
            self.of_account[order.account] = left
        else:
            del self.of_account[order.account]

    def oldest_first(self, underlying: int) -> list[Order]:
        held = self.by_underlying.get(underlying, {})
        return [held[number] for number in sorted(held)]


def is_option(instrument: Instrument | None) -> bool:
    return instrument is not None and instrument.kind in (CALL, PUT)


def working_ticks(
    instrument: Instrument,
    marks: Marks,
    time_s: int,
    side: int,
    volatility_e6: int,
    limit_ticks: int,
    tick_micro: int,
) -> int:
    """The price, in ticks, that a volatility makes now: a buyer's rounded down, a seller's up, held
    at the limit. The option has marks and has not expired.
    """
    expiry = instrument.expiry
    assert expiry is not None, "an option has an expiry"
    price_micro = price_at_volatility_micro(
        instrument.kind,
        marks.expiry_marks[expiry.number].forward_micro,
        instrument.strike_micro,
        volatility_e6,
        expiry.expiry_time_s - time_s,
    )
    if side == BUY:
        return min(max(price_micro // tick_micro, 1), limit_ticks)
    return max(-(-price_micro // tick_micro), limit_ticks)
