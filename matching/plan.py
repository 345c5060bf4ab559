"""What an aggressive order would do: planned first, committed or dropped as a whole by the
engine.

Holds: a plan only reads the books; its steps are in the order in which they would trade; a
single order meets the best price first and, at one price, the oldest order; a combo meets, price
by price, its own book before the books of its legs, whose fills are all legs or none, in quanta
of the smallest remaining / ratio; a maker that its margin or maximum fee does not let trade is
passed over and listed in `dropped`, to be cancelled when the plan is committed; orders of a
protection group trade no more than it may, orders that may only reduce no more than the position
that they reduce, and are then passed over.
Never: changes a book, asks a clock, or meets more than MAX_FILLS makers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from matching.book import Book
from matching.combos import Combo
from matching.gate import (
    FITS,
    IT_FITS,
    MAKER_FAILS,
    MAKER_FEE,
    MAKER_PROTECTED,
    Fill,
    Gate,
    Ruling,
)
from matching.instruments import Instrument
from matching.leg_prices import split_net_price
from matching.orders import BUY, CANCEL_BOTH, CANCEL_MAKER, CANCEL_TAKER, DECREMENT, SELL, Order

if TYPE_CHECKING:
    from matching.implied_out import ImpliedOut

MAX_FILLS: Final = 256
"""What one command may do: its fills, and the makers that it finds the gate to refuse."""
MAX_FILLS_OF_A_STEP: Final = 15
"""A step's records and the one that closes it stand in one chunk of 16 (docs/protocol.md, 4)."""

EXHAUSTED: Final = 0
"""Nothing more to meet at the limit price, or nothing left to fill."""
REFUSED: Final = 1
"""The gate refused the taker; `Plan.ruling` says why."""
SELF_TRADE: Final = 2
"""The next maker is of the taker's owner, and the taker goes for it."""
FILL_BOUND: Final = 3
"""MAX_FILLS is reached."""


class Through(NamedTuple):
    """The resting combo order through which a single order met the combo's other leg, and its
    units.
    """

    combo: Combo
    order: Order
    units: int


class Step:
    """Fills that happen together. `net_price_micro` per unit; `maker_combo` is the resting combo
    order met, None for a single order or legs' books.

    With `through` (implied out) the first fill is the taker's, with the resting combo order, and
    the others are that order's with makers of the other leg; `units` are the taker's lots, the net
    price is the combo's.
    """

    __slots__ = ("fills", "maker_combo", "net_price_micro", "through", "units")

    def __init__(
        self,
        fills: tuple[Fill, ...],
        units: int,
        net_price_micro: int,
        maker_combo: Order | None,
        through: Through | None = None,
    ) -> None:
        self.fills = fills
        self.units = units
        self.net_price_micro = net_price_micro
        self.maker_combo = maker_combo
        self.through = through


class OwnMet(NamedTuple):
    """A maker of the taker's owner that gives way without a trade, when `after_steps` steps have
    traded: `lots` (or units) of it and as many of the taker, or the whole maker where 0.
    """

    maker: Order
    lots: int
    after_steps: int


class Plan:
    """The outcome of planning. `filled_lots` in lots (units for a combo); `cancelled_lots` what
    the taker loses to orders of its own owner without a trade (`own`); `stop` is why it ended;
    `ruling` the gate's last word on the taker; `dropped` the makers that the gate refused.
    """

    __slots__ = (
        "cancelled_lots",
        "dropped",
        "filled_lots",
        "fills",
        "own",
        "ruling",
        "steps",
        "stop",
    )

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.filled_lots = 0
        self.cancelled_lots = 0
        self.own: list[OwnMet] = []
        self.fills = 0
        self.dropped: list[tuple[Order, Ruling]] = []
        self.stop = EXHAUSTED
        self.ruling = IT_FITS

    def has_room(self, fills: int) -> bool:
        """Whether so many fills more keep the command within its bound."""
        return self.fills + len(self.dropped) + len(self.own) + fills <= MAX_FILLS

    def take(self, step: Step) -> None:
        self.steps.append(step)
        self.filled_lots += step.units
        self.fills += len(step.fills)

    def meet_own(self, maker: Order, lots: int, self_trade: int) -> None:
        """A maker of the taker's owner goes instead of trading; or `lots` of both do."""
        if self_trade == DECREMENT:
            self.own.append(OwnMet(maker, lots, len(self.steps)))
            self.cancelled_lots += lots
            return
        self.own.append(OwnMet(maker, 0, len(self.steps)))
        if self_trade == CANCEL_BOTH:
            self.stop = SELF_TRADE


class Cursor:
    """Walks one side of a book from the best, past what the plan has used up, and meets orders as
    the commit of the plan will: first what a price's orders show, in their order, then icebergs
    again as they are replenished behind. Orders whose ids are in `gone` are passed over wherever
    they stand; all cursors of a plan share it. Of a capped order it shows what the gate says that
    it may still trade, and passes it over where that is nothing.
    """

    __slots__ = (
        "_again",
        "_book",
        "_gate",
        "_gone",
        "_hidden_lots",
        "_order",
        "_price_ticks",
        "_shown_lots",
        "_side",
        "_unmet",
    )

    def __init__(
        self,
        book: Book,
        taker_side: int,
        gone: set[int],  # membership only
        gate: Gate,
    ) -> None:
        self._book = book
        self._side = taker_side
        self._gate = gate
        self._gone = gone
        self._unmet = book.first(SELL if taker_side == BUY else BUY)
        self._again: list[tuple[Order, int]] = []
        self._price_ticks = 0
        self._order: Order | None = None
        self._shown_lots = 0
        self._hidden_lots = 0
        self._move_on()

    def _copy(self) -> Cursor:
        twin = Cursor(self._book, self._side, self._gone, self._gate)
        twin._unmet = self._unmet
        twin._again, twin._price_ticks = self._again.copy(), self._price_ticks
        twin._order, twin._shown_lots = self._order, self._shown_lots
        twin._hidden_lots = self._hidden_lots
        return twin

    def _move_on(self) -> None:
        """To the order behind at this price, or what is replenished there, or the next price."""
        order = self._unmet
        if self._again and (order is None or order.price_ticks != self._price_ticks):
            order, left = self._again.pop(0)
            shown = min(left, order.display_lots)
        elif order is not None:
            self._unmet = self._book.following(order)
            self._price_ticks = order.price_ticks
            left = order.remaining_lots
            shown = left - order.hidden_lots
        else:
            left = shown = 0
        self._order, self._shown_lots, self._hidden_lots = order, shown, left - shown

    def top(self) -> tuple[Order, int] | None:
        """The order to trade with next and the lots that it shows, or None at the end."""
        while self._order is not None:
            order = self._order
            if order.order_id not in self._gone:
                if not order.is_capped:
                    return order, self._shown_lots
                lots = self._gate.fillable_lots(order)
                if lots:
                    return order, min(self._shown_lots, lots)
            self._move_on()
        return None

    def spend(self, order: Order, lots: int) -> None:
        """Uses up lots of an order, and passes it when nothing is shown any more, and all that was
        passed over to reach it.
        """
        while self._order is not order:
            assert self._order is not None, "the order to spend is ahead"
            self._move_on()
        assert lots <= self._shown_lots, "an order trades at most what it still shows"
        self._shown_lots -= lots
        if not self._shown_lots:
            if self._hidden_lots:
                self._again.append((order, self._hidden_lots))
            self._move_on()

    def ahead(self, lots: int) -> list[tuple[Order, int]] | None:
        """The next orders and how much of each makes `lots`; None where the side has less.
        Changes nothing that the plan could see.
        """
        top = self.top()
        if top is None:
            return None
        if lots <= top[1]:
            return [(top[0], lots)]
        found: list[tuple[Order, int]] = []
        probe = self._copy()
        taken: dict[tuple[int, int], int] = {}  # by protection groups, 0 with what has none
        moved: dict[int, int] = {}  # by accounts
        while lots:
            top = probe.top()
            if top is None:
                return None
            order, part = top[0], min(lots, top[1])
            group = (order.account, order.protection)
            of_group, of_account = taken.get(group, 0), moved.get(order.account, 0)
            if order.is_capped:
                part = min(part, self._gate.fillable_lots(order, of_group, of_account))
                if not part:
                    probe._move_on()
                    continue
            taken[group], moved[order.account] = of_group + part, of_account + part
            found.append((order, part))
            probe.spend(order, part)
            lots -= part
        return found


def plan_single(
    book: Book,
    instrument: Instrument,
    taker: Order,
    gate: Gate,
    replaced: Order | None = None,
    implied: ImpliedOut | None = None,
) -> Plan:
    """Plans an order of one instrument against its book, and against what resting combos offer
    (`implied`); `taker.remaining_lots` is what it wants.

    `replaced` is the taker's own order that it takes the place of: it is passed over, as gone.
    """
    plan = Plan()
    gone: set[int] = set()  # membership only
    if replaced is not None:
        gone.add(replaced.order_id)
    cursor = Cursor(book, taker.side, gone, gate)
    taker_buys = taker.side == BUY
    while True:
        wanted = taker.remaining_lots - plan.filled_lots - plan.cancelled_lots
        if taker.is_capped:
            wanted = min(wanted, gate.fillable_lots(taker))
        if not wanted or plan.stop != EXHAUSTED:
            return plan
        top = cursor.top()
        if top is not None and (taker.price_ticks - top[0].price_ticks) * taker.sign < 0:
            top = None
        if implied is not None and implied.meets(plan, wanted, None if top is None else top[0]):
            continue
        if top is None:
            return plan
        maker, shown = top
        if maker.owner == taker.owner and taker.self_trade == CANCEL_TAKER:
            plan.stop = SELF_TRADE
            return plan
        if not plan.has_room(1):
            plan.stop = FILL_BOUND
            return plan
        quantity = min(wanted, shown)
        if maker.owner == taker.owner:
            plan.meet_own(maker, quantity, taker.self_trade)
            if taker.self_trade == CANCEL_BOTH:
                return plan
            if taker.self_trade == DECREMENT:
                cursor.spend(maker, quantity)
            else:
                gone.add(maker.order_id)
            continue
        fills = (Fill(maker, instrument, maker.price_ticks, quantity, taker_buys),)
        ruling = gate.propose(fills, quantity, None)
        if ruling.outcome == FITS:
            plan.take(Step(fills, quantity, maker.price_micro, None))
            cursor.spend(maker, quantity)
        elif ruling.outcome in (MAKER_FAILS, MAKER_FEE):
            plan.dropped.append((maker, ruling))
            gone.add(maker.order_id)
        else:
            plan.stop, plan.ruling = REFUSED, ruling
            return plan


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
        self._own = None if own_book is None else Cursor(own_book, taker.side, self._gone, gate)
        self._legs = [
            Cursor(book, BUY if ratio * taker.sign > 0 else SELL, self._gone, gate)
            for book, ratio in zip(leg_books, combo.ratios, strict=True)
        ]

    def run(self) -> Plan:
        """The whole plan."""
        plan = self._plan
        while self._wanted() and plan.stop == EXHAUSTED:
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

    def _wanted(self) -> int:
        plan, taker = self._plan, self._taker
        wanted = taker.remaining_lots - plan.filled_lots - plan.cancelled_lots
        return min(wanted, self._gate.fillable_lots(taker)) if taker.is_capped else wanted

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
        is_own = any(fill.maker.owner == taker.owner for fill in fills)
        if is_own and taker.self_trade == CANCEL_TAKER:
            plan.stop = SELF_TRADE
            return False
        if not plan.has_room(len(fills)):
            plan.stop = FILL_BOUND
            return False
        if is_own:
            return self._meets_own(fills, units, maker_combo)
        ruling = self._gate.propose(fills, units, maker_combo)
        if ruling.outcome == FITS:
            plan.take(Step(fills, units, net_price_micro, maker_combo))
            return True
        if ruling.outcome in (MAKER_FAILS, MAKER_FEE):
            assert ruling.maker is not None, "a ruling against a maker names it"
            plan.dropped.append((ruling.maker, ruling))
            self._gone.add(ruling.maker.order_id)
        elif ruling.outcome == MAKER_PROTECTED:  # not for so many lots at once; it stays
            assert ruling.maker is not None, "a ruling against a maker names it"
            self._gone.add(ruling.maker.order_id)
        else:
            plan.stop, plan.ruling = REFUSED, ruling
        return False

    def _meets_own(self, fills: tuple[Fill, ...], units: int, maker_combo: Order | None) -> bool:
        """What becomes of orders of the taker's owner in a step. Combo orders count in the same
        units, so one can be taken from the other; an order of a leg goes as a whole. True if the
        step's units are used up.
        """
        plan, mode = self._plan, self._taker.self_trade
        if maker_combo is not None and mode == DECREMENT:
            plan.meet_own(maker_combo, units, mode)
            return True
        for fill in fills:
            maker = fill.maker
            if maker.owner == self._taker.owner and maker.order_id not in self._gone:
                self._gone.add(maker.order_id)
                plan.meet_own(maker, 0, CANCEL_MAKER if mode == DECREMENT else mode)
        return False

    # A COMBO ORDER ON THE OTHER SIDE

    def _meet_combo(self, maker: Order, left: int) -> None:
        own = self._own
        assert own is not None, "a resting combo order stands in a book"
        units = min(self._wanted(), left)
        fills = self._fills_at(maker, units)
        if fills is None:  # no leg prices make this net price: such an order cannot trade here
            self._gone.add(maker.order_id)
        elif self._takes(fills, units, maker.price_micro, maker):
            own.spend(maker, units)

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
        units = self._wanted()
        shared: dict[tuple[int, int], int] = {}  # lots a unit, by protection groups
        for leg, ratio in enumerate(self._combo.ratios):
            cursor = self._legs[leg]
            top = cursor.top()
            if top is None:
                return None
            units = min(units, top[1] // abs(ratio))
            maker = top[0]
            if maker.protection:
                group = (maker.account, maker.protection)
                shared[group] = shared.get(group, 0) + abs(ratio)
                units = min(units, self._gate.fillable_lots(maker) // shared[group])
        units = max(units, 1)
        fills: list[Fill] = []
        legs: list[int] = []
        net_micro = 0
        for leg, ratio in enumerate(self._combo.ratios):
            instrument = self._combo.instruments[leg]
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
                self._legs[leg].spend(fill.maker, fill.quantity_lots)
