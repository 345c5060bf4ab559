"""What an aggressive order would do: planned first, committed or dropped as a whole by the
engine.

Holds: a plan only reads the books; its steps are in the order in which they would trade; a
single order meets the best price first and, at one price, the oldest order; a combo meets, price
by price, its own book before the books of its legs, whose fills are all legs or none, in quanta
of the smallest remaining / ratio; a maker that its margin or maximum fee does not let trade is
passed over and listed in `dropped`, to be cancelled when the plan is committed.
Never: changes a book, asks a clock, or trades more than MAX_FILLS times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from matching.book import Book
from matching.combos import Combo
from matching.gate import FITS, MAKER_FAILS, MAKER_FEE, Fill, Gate, Ruling
from matching.instruments import Instrument
from matching.leg_prices import split_net_price
from matching.orders import BUY, SELL, Order

MAX_FILLS: Final = 256
"""Fills in one command."""
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


class Step(NamedTuple):
    """Fills that happen together. `net_price_micro` per unit; `maker_combo` is the resting combo
    order met, None for a single order or legs' books.
    """

    fills: tuple[Fill, ...]
    units: int
    net_price_micro: int
    maker_combo: Order | None


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
        self.ruling = Ruling(FITS)

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
    side = book.opposite(taker.side)
    limit_key = -taker.price_ticks if taker.side == BUY else taker.price_ticks
    keys = side.keys
    at = len(keys) - 1
    taker_buys = taker.side == BUY
    while at >= 0 and keys[at] >= limit_key:
        maker = side.levels[keys[at]].head
        while maker is not None:
            wanted = taker.remaining_lots - plan.filled_lots
            if not wanted:
                return plan
            if maker is replaced:
                maker = maker.next
                continue
            if maker.account == taker.account:
                plan.stop = SELF_TRADE
                return plan
            if plan.fills >= MAX_FILLS:
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
            maker = maker.next
        at -= 1
    return plan


class _Cursor:
    """Walks one side of a book from the best, past what the plan has used up and whom it has
    dropped; `without` is passed over, as gone.
    """

    __slots__ = ("_at", "_keys", "_levels", "_order", "_spent", "_without")

    def __init__(self, book: Book, taker_side: int, without: Order | None) -> None:
        side = book.opposite(taker_side)
        self._without = without
        self._keys = side.keys
        self._levels = side.levels
        self._at = len(side.keys)
        self._order: Order | None = None
        self._spent = 0
        self._next_level()

    def _next_level(self) -> None:
        self._at -= 1
        self._spent = 0
        self._order = self._levels[self._keys[self._at]].head if self._at >= 0 else None
        if self._order is not None and self._order is self._without:
            self.skip()

    def top(self) -> tuple[Order, int] | None:
        """The order to trade with next and the lots that it still has, or None at the end."""
        order = self._order
        return None if order is None else (order, order.remaining_lots - self._spent)

    def spend(self, lots: int) -> None:
        """Uses up lots of the top order, and passes it when nothing is left."""
        order = self._order
        assert order is not None, "there is a top order to spend"
        self._spent += lots
        if self._spent == order.remaining_lots:
            self.skip()

    def skip(self) -> None:
        """Passes the top order."""
        order = self._order
        assert order is not None, "there is a top order to skip"
        self._spent = 0
        self._order = order.next
        if self._order is not None and self._order is self._without:
            self._order = self._order.next
        if self._order is None:
            self._next_level()

    def ahead(self, lots: int) -> list[tuple[Order, int]] | None:
        """The next orders and how much of each makes `lots`; None where the side has less.
        Changes nothing.
        """
        found: list[tuple[Order, int]] = []
        order, spent, at = self._order, self._spent, self._at
        while order is not None:
            if order is not self._without:
                part = min(lots, order.remaining_lots - spent)
                found.append((order, part))
                lots -= part
                if not lots:
                    return found
            order, spent = order.next, 0
            if order is None and at > 0:
                at -= 1
                order = self._levels[self._keys[at]].head
        return None


class _Quote(NamedTuple):
    """What the legs' books offer for the next units of a combo. `spends[i]` are the parts of leg
    i, order by order.
    """

    net_price_micro: int
    units: int
    fills: tuple[Fill, ...]
    spends: tuple[tuple[int, ...], ...]


class ComboPlanner:
    """Plans one combo order against its own book and its legs' books.

    `leg_books[i]` is the book of leg i; `replaced` as in `plan_single`; `mark_ticks(instrument)`
    is where a leg's price starts when a combo meets a combo (`leg_prices.py`).
    """

    __slots__ = (
        "_books",
        "_combo",
        "_gate",
        "_implied",
        "_legs",
        "_mark_ticks",
        "_own",
        "_plan",
        "_taker",
    )

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
        self._implied = True
        self._own = _Cursor(own_book, taker.side, replaced) if own_book else None
        self._books = leg_books
        self._legs = [
            _Cursor(book, BUY if ratio * taker.sign > 0 else SELL, replaced)
            for book, ratio in zip(leg_books, combo.ratios, strict=True)
        ]

    def run(self) -> Plan:
        """The whole plan."""
        plan, taker = self._plan, self._taker
        while plan.filled_lots < taker.remaining_lots and plan.stop == EXHAUSTED:
            real = self._own.top() if self._own else None
            quote = self._quote() if self._implied else None
            if real and (quote is None or not self._is_better(quote, real[0])):
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

    # A COMBO ORDER ON THE OTHER SIDE

    def _meet_combo(self, maker: Order, left: int) -> None:
        own = self._own
        assert own is not None, "a resting combo order stands in a book"
        plan, taker, combo = self._plan, self._taker, self._combo
        if maker.account == taker.account:
            plan.stop = SELF_TRADE
            return
        if plan.fills + len(combo.legs) > MAX_FILLS:
            plan.stop = FILL_BOUND
            return
        units = min(taker.remaining_lots - plan.filled_lots, left)
        fills = self._fills_at(maker, units)
        if fills is None:  # no leg prices make this net price: such an order cannot trade here
            own.skip()
            return
        ruling = self._gate.propose(fills, units, maker)
        if ruling.outcome == FITS:
            plan.take(Step(fills, units, maker.price_micro, maker))
            own.spend(units)
        elif ruling.outcome in (MAKER_FAILS, MAKER_FEE):
            plan.dropped.append((maker, ruling))
            own.skip()
        else:
            plan.stop, plan.ruling = REFUSED, ruling

    def _fills_at(self, maker: Order, units: int) -> tuple[Fill, ...] | None:
        combo, buys = self._combo, self._taker.side == BUY
        prices = split_net_price(
            maker.price_micro,
            [r * i.tick_value_micro for i, r in zip(combo.instruments, combo.ratios, strict=True)],
            [self._mark_ticks(instrument) for instrument in combo.instruments],
            [instrument.is_linear for instrument in combo.instruments],
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
        """The next quantum that all legs can fill, None where one cannot."""
        units = self._taker.remaining_lots - self._plan.filled_lots
        for cursor, ratio in zip(self._legs, self._combo.ratios, strict=True):
            top = cursor.top()
            if top is None:
                return None
            units = min(units, top[1] // abs(ratio))
        units = max(units, 1)
        fills: list[Fill] = []
        spends: list[tuple[int, ...]] = []
        net = 0
        for index, ratio in enumerate(self._combo.ratios):
            parts = self._legs[index].ahead(units * abs(ratio))
            if parts is None:
                return None
            instrument = self._combo.instruments[index]
            buys = ratio * self._taker.sign > 0
            fills += [
                Fill(maker, instrument, maker.price_ticks, lots, buys) for maker, lots in parts
            ]
            spends.append(tuple(lots for _, lots in parts))
            cost = sum(maker.price_micro * lots for maker, lots in parts)
            net += cost if ratio > 0 else -cost
        if len(fills) > MAX_FILLS_OF_A_STEP:
            return None
        return _Quote(net // units, units, tuple(fills), tuple(spends))

    def _meet_legs(self, quote: _Quote) -> None:
        plan, taker = self._plan, self._taker
        if any(fill.maker.account == taker.account for fill in quote.fills):
            self._implied = False
            if self._own is None or self._own.top() is None:
                plan.stop = SELF_TRADE
            return
        if plan.fills + len(quote.fills) > MAX_FILLS:
            plan.stop = FILL_BOUND
            return
        ruling = self._gate.propose(quote.fills, quote.units, None)
        if ruling.outcome == FITS:
            plan.take(Step(quote.fills, quote.units, quote.net_price_micro, None))
            for cursor, parts in zip(self._legs, quote.spends, strict=True):
                for lots in parts:
                    cursor.spend(lots)
        elif ruling.outcome in (MAKER_FAILS, MAKER_FEE):
            assert ruling.maker is not None, "a ruling against a maker names it"
            plan.dropped.append((ruling.maker, ruling))
            self._drop(ruling.maker)
        else:
            plan.stop, plan.ruling = REFUSED, ruling

    def _drop(self, maker: Order) -> None:
        """Passes a maker that the gate refused. Only a leg's top order can be passed; one behind
        it ends the implied side.
        """
        for cursor in self._legs:
            top = cursor.top()
            if top is not None and top[0] is maker:
                cursor.skip()
                return
        self._implied = False
