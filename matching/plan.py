"""What an aggressive order would do: planned first, committed or dropped as a whole by the
engine.

Holds: a plan only reads the books; its steps are in the order in which they would trade; a
single order meets the best price first and, at one price, the oldest order; a combo meets, price
by price, its own book before the books of its legs, whose fills are all legs or none, in quanta
of the smallest remaining / ratio; a maker that its margin or maximum fee does not let trade is
passed over and listed in `dropped`, to be cancelled when the plan is committed.
Never: changes a book, asks a clock, or meets more than MAX_FILLS makers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from matching.book import Book
from matching.combos import Combo
from matching.gate import FITS, IT_FITS, MAKER_FAILS, MAKER_FEE, Fill, Gate, Ruling
from matching.instruments import Instrument
from matching.leg_prices import split_net_price
from matching.orders import BUY, SELL, Order

MAX_FILLS: Final = 256
"""What one command may do: its fills, and the makers that it finds the gate to refuse."""
MAX_FILLS_OF_A_STEP: Final = 15
"""A step's records and the one that closes it stand in one chunk of 16 (docs/protocol.md, 4)."""

EXHAUSTED: Final = 0
"""Nothing more to meet at the limit price, or nothing left to fill."""
REFUSED: Final = 1
"""The gate refused the taker; `Plan.ruling` says why."""
SELF_TRADE: Final = 2
"""The next maker is the taker's own account."""
FILL_BOUND: Final = 3
"""MAX_FILLS is reached."""


class Step:
    """Fills that happen together. `net_price_micro` per unit; `maker_combo` is the resting combo
    order met, None for a single order or legs' books.
    """

    __slots__ = ("fills", "maker_combo", "net_price_micro", "units")

    def __init__(
        self,
        fills: tuple[Fill, ...],
        units: int,
        net_price_micro: int,
        maker_combo: Order | None,
    ) -> None:
        self.fills = fills
        self.units = units
        self.net_price_micro = net_price_micro
        self.maker_combo = maker_combo


class Plan:
    """The outcome of planning. `filled_lots` in lots (units for a combo); `stop` is why it
    ended; `ruling` the gate's last word on the taker.
    """

    __slots__ = ("dropped", "filled_lots", "fills", "ruling", "steps", "stop")

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.filled_lots = 0
        self.fills = 0
        self.dropped: list[tuple[Order, Ruling]] = []
        self.stop = EXHAUSTED
        self.ruling = IT_FITS

    def has_room(self, fills: int) -> bool:
        """Whether so many fills more keep the command within its bound."""
        return self.fills + len(self.dropped) + fills <= MAX_FILLS

    def take(self, step: Step) -> None:
        self.steps.append(step)
        self.filled_lots += step.units
        self.fills += len(step.fills)


def plan_single(
    book: Book, instrument: Instrument, taker: Order, gate: Gate, replaced: Order | None = None
) -> Plan:
    """Plans an order of one instrument against its book; `taker.remaining_lots` is what it wants.

    `replaced` is the taker's own order that it takes the place of: it is passed over, as gone.
    """
    plan = Plan()
    taker_buys = taker.side == BUY
    maker = book.first(SELL if taker_buys else BUY)
    while maker is not None and (taker.price_ticks - maker.price_ticks) * taker.sign >= 0:
        wanted = taker.remaining_lots - plan.filled_lots
        if not wanted:
            return plan
        if maker is replaced:
            maker = book.following(maker)
            continue
        if maker.account == taker.account:
            plan.stop = SELF_TRADE
            return plan
        if not plan.has_room(1):
            plan.stop = FILL_BOUND
            return plan
        quantity = min(wanted, maker.remaining_lots)
        fills = (Fill(maker, instrument, maker.price_ticks, quantity, taker_buys),)
        ruling = gate.propose(fills, quantity, None)
        if ruling.outcome == FITS:
            plan.take(Step(fills, quantity, maker.price_micro, None))
        elif ruling.outcome in (MAKER_FAILS, MAKER_FEE):
            plan.dropped.append((maker, ruling))
        else:
            plan.stop, plan.ruling = REFUSED, ruling
            return plan
        maker = book.following(maker)
    return plan


class _Cursor:
    """Walks one side of a book from the best, past what the plan has used up. Orders whose ids
    are in `gone` are passed over wherever they stand; all cursors of a plan share it.
    """

    __slots__ = ("_book", "_gone", "_order", "_spent")

    def __init__(self, book: Book, taker_side: int, gone: set[int]) -> None:  # membership only
        self._book = book
        self._gone = gone
        self._order = book.first(SELL if taker_side == BUY else BUY)
        self._spent = 0

    def top(self) -> tuple[Order, int] | None:
        """The order to trade with next and the lots that it still has, or None at the end."""
        order = self._order
        while order is not None and order.order_id in self._gone:
            order, self._spent = self._book.following(order), 0
        self._order = order
        return None if order is None else (order, order.remaining_lots - self._spent)

    def spend(self, lots: int) -> None:
        """Uses up lots of the top order, and passes it when nothing is left."""
        top = self.top()
        assert top is not None, "there is a top order to spend"
        assert lots <= top[1], "an order trades at most what it still has"
        self._spent += lots
        if lots == top[1]:
            self._order, self._spent = self._book.following(top[0]), 0

    def ahead(self, lots: int) -> list[tuple[Order, int]] | None:
        """The next orders and how much of each makes `lots`; None where the side has less.
        Changes nothing.
        """
        found: list[tuple[Order, int]] = []
        order, spent = self._order, self._spent
        while order is not None:
            if order.order_id not in self._gone:
                part = min(lots, order.remaining_lots - spent)
                found.append((order, part))
                lots -= part
                if not lots:
                    return found
            order, spent = self._book.following(order), 0
        return None


class _Quote(NamedTuple):
    """What the legs' books offer for the next units of a combo. `legs[i]` is the leg that
    `fills[i]` is of.
    """

    net_price_micro: int
    units: int
    fills: tuple[Fill, ...]
    legs: tuple[int, ...]


class ComboPlanner:
    """Plans one combo order against its own book and its legs' books.

    `leg_books[i]` is the book of leg i; `replaced` as in `plan_single`; `mark_ticks(instrument)`
    is where a leg's price starts when a combo meets a combo (`leg_prices.py`).
    """

    __slots__ = ("_combo", "_gate", "_gone", "_legs", "_mark_ticks", "_own", "_plan", "_taker")

    def __init__(
        self,
        combo: Combo,
        own_book: Book | None,
        leg_books: list[Book],
        taker: Order,
        gate: Gate,
        mark_ticks: Callable[[Instrument], int],
        replaced: Order | None = None,
    ) -> None:
        self._combo = combo
        self._taker = taker
        self._gate = gate
        self._mark_ticks = mark_ticks
        self._plan = Plan()
        self._gone: set[int] = set()  # membership only
        if replaced is not None:
            self._gone.add(replaced.order_id)
        self._own = None if own_book is None else _Cursor(own_book, taker.side, self._gone)
        self._legs = [
            _Cursor(book, BUY if ratio * taker.sign > 0 else SELL, self._gone)
            for book, ratio in zip(leg_books, combo.ratios, strict=True)
        ]

    def run(self) -> Plan:
        """The whole plan."""
        plan, taker = self._plan, self._taker
        while plan.filled_lots < taker.remaining_lots and plan.stop == EXHAUSTED:
            real = None if self._own is None else self._own.top()
            quote = self._quote()
            if real is not None and (quote is None or not self._is_better(quote, real[0])):
                if not self._is_within_limit(real[0].price_micro):
                    break
                self._meet_combo(*real)
            elif quote is not None and self._is_within_limit(quote.net_price_micro):
                self._meet_legs(quote)
            else:
                break
        return plan

    def _is_within_limit(self, net_price_micro: int) -> bool:
        return (self._taker.price_micro - net_price_micro) * self._taker.sign >= 0

    def _is_better(self, quote: _Quote, real: Order) -> bool:
        return (real.price_micro - quote.net_price_micro) * self._taker.sign > 0

    def _takes(
        self, fills: tuple[Fill, ...], units: int, net_price_micro: int, maker_combo: Order | None
    ) -> bool:
        """Adds a step to the plan if the gate lets it; else passes over the maker that is refused,
        or ends the plan.
        """
        plan, taker = self._plan, self._taker
        if any(fill.maker.account == taker.account for fill in fills):
            plan.stop = SELF_TRADE
            return False
        if not plan.has_room(len(fills)):
            plan.stop = FILL_BOUND
            return False
        ruling = self._gate.propose(fills, units, maker_combo)
        if ruling.outcome == FITS:
            plan.take(Step(fills, units, net_price_micro, maker_combo))
            return True
        if ruling.outcome in (MAKER_FAILS, MAKER_FEE):
            assert ruling.maker is not None, "a ruling against a maker names it"
            plan.dropped.append((ruling.maker, ruling))
            self._gone.add(ruling.maker.order_id)
        else:
            plan.stop, plan.ruling = REFUSED, ruling
        return False

    # A COMBO ORDER ON THE OTHER SIDE

    def _meet_combo(self, maker: Order, left: int) -> None:
        own = self._own
        assert own is not None, "a resting combo order stands in a book"
        units = min(self._taker.remaining_lots - self._plan.filled_lots, left)
        fills = self._fills_at(maker, units)
        if fills is None:  # no leg prices make this net price: such an order cannot trade here
            self._gone.add(maker.order_id)
        elif self._takes(fills, units, maker.price_micro, maker):
            own.spend(units)

    def _fills_at(self, maker: Order, units: int) -> tuple[Fill, ...] | None:
        combo, buys = self._combo, self._taker.side == BUY
        prices = split_net_price(
            maker.price_micro,
            combo.steps_micro,
            [self._mark_ticks(instrument) for instrument in combo.instruments],
            combo.lowest_ticks,
            combo.highest_ticks,
        )
        if prices is None:
            return None
        return tuple(
            Fill(maker, instrument, price, units * abs(ratio), buys == (ratio > 0))
            for instrument, ratio, price in zip(
                combo.instruments, combo.ratios, prices, strict=True
            )
        )

    # THE LEGS' BOOKS

    def _quote(self) -> _Quote | None:
        """The next quantum that all legs can fill, None where one cannot or where it has more
        fills than a step may. Its net price is exact: several units have one maker a leg.
        """
        units = self._taker.remaining_lots - self._plan.filled_lots
        for cursor, ratio in zip(self._legs, self._combo.ratios, strict=True):
            top = cursor.top()
            if top is None:
                return None
            units = min(units, top[1] // abs(ratio))
        units = max(units, 1)
        fills: list[Fill] = []
        legs: list[int] = []
        net_micro = 0
        for leg, (instrument, ratio) in enumerate(
            zip(self._combo.instruments, self._combo.ratios, strict=True)
        ):
            parts = self._legs[leg].ahead(units * abs(ratio))
            if parts is None or len(fills) + len(parts) > MAX_FILLS_OF_A_STEP:
                return None
            buys = ratio * self._taker.sign > 0
            for maker, lots in parts:
                fills.append(Fill(maker, instrument, maker.price_ticks, lots, buys))
                legs.append(leg)
                net_micro += maker.price_micro * (lots if ratio > 0 else -lots)
        return _Quote(net_micro // units, units, tuple(fills), tuple(legs))

    def _meet_legs(self, quote: _Quote) -> None:
        if self._takes(quote.fills, quote.units, quote.net_price_micro, None):
            for leg, fill in zip(quote.legs, quote.fills, strict=True):
                self._legs[leg].spend(fill.quantity_lots)
