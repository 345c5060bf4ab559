"""What a single order may meet beyond its own book: a resting combo of two legs and the best level
of the other leg's book offer it the first leg.

Holds: an offer's price is the resting combo's net limit less the other leg's best price, by the
ratio, on the tick on which the combo is no worse than its limit, so the combo gains less than a
tick of the leg a unit and nobody trades beyond a limit; all or none, in quanta of the smallest
remaining / ratio; a real order goes first at an equal price, and of equal offers the combo with
the lowest number; an offer in which an owner would trade with itself is not made.
Never: looks at more than MAX_ACTIVE combos, at combos of combos (first generation only), or at a
level behind the best of the other leg.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matching.book import Book
from matching.combos import Combo
from matching.gate import FITS, MAKER_FAILS, MAKER_FEE, MAKER_PROTECTED, Fill, Gate
from matching.instruments import Instrument
from matching.orders import BUY, SELL, Order
from matching.plan import (
    FILL_BOUND,
    MAX_FILLS_OF_A_STEP,
    REFUSED,
    Cursor,
    Plan,
    Step,
    Through,
)

MAX_ACTIVE: Final = 32
"""Combos that are looked at for one order: the lowest numbers of those with an order to meet."""


class Candidate:
    """A resting combo of two legs of which one is the taker's instrument. `leg` is that one's place
    in the combo; `orders` walks the combo's book, `others` the other leg's.
    """

    __slots__ = ("combo", "leg", "orders", "others")

    def __init__(self, combo: Combo, leg: int, orders: Cursor, others: Cursor) -> None:
        self.combo = combo
        self.leg = leg
        self.orders = orders
        self.others = others


class Offer:
    """The next units of one candidate. `parts` are orders of the other leg, all at one price, and
    their lots; `lots` are the taker's.
    """

    __slots__ = ("candidate", "lots", "net_price_micro", "order", "parts", "price_ticks", "units")

    def __init__(
        self,
        candidate: Candidate,
        order: Order,
        parts: list[tuple[Order, int]],
        units: int,
        lots: int,
        price_ticks: int,
        net_price_micro: int,
    ) -> None:
        self.candidate = candidate
        self.order = order
        self.parts = parts
        self.units = units
        self.lots = lots
        self.price_ticks = price_ticks
        self.net_price_micro = net_price_micro


class ImpliedOut:
    """The offers of resting combos to one order of `instrument`. `combos` are (combo, its book, the
    other leg's book), by the combo's number, all with orders on the side that the taker can meet.
    """

    __slots__ = ("_candidates", "_gate", "_gone", "_instrument", "_taker")

    def __init__(
        self,
        instrument: Instrument,
        taker: Order,
        gate: Gate,
        combos: Sequence[tuple[Combo, Book, Book]],
    ) -> None:
        self._instrument = instrument
        self._taker = taker
        self._gate = gate
        self._gone: set[int] = set()  # membership only
        self._candidates: list[Candidate] = []
        shared: dict[tuple[int, bool], Cursor] = {}
        for combo, own_book, other_book in combos[:MAX_ACTIVE]:
            leg = 0 if combo.instruments[0] is instrument else 1
            # The combo trades the taker's leg against the taker, and the other as its ratios say.
            takes_with = combo.ratios[leg] > 0
            combo_buys = (taker.side == SELL) == takes_with
            buys_other = combo_buys == (combo.ratios[1 - leg] > 0)
            key = (other_book.number, buys_other)
            others = shared.get(key)
            if others is None:
                others = Cursor(other_book, BUY if buys_other else SELL, self._gone, gate)
                shared[key] = others
            orders = Cursor(own_book, SELL if combo_buys else BUY, self._gone, gate)
            self._candidates.append(Candidate(combo, leg, orders, others))

    def meets(self, plan: Plan, wanted_lots: int, real: Order | None) -> bool:
        """Whether the taker met the best offer rather than `real`, the best order of its own book
        (None where that has none within the limit). `plan` has grown then, or `plan.stop` says
        why not; or a maker was passed over.
        """
        taker, best = self._taker, self._best(wanted_lots)
        if best is None or (taker.price_ticks - best.price_ticks) * taker.sign < 0:
            return False
        if real is not None and (real.price_ticks - best.price_ticks) * taker.sign <= 0:
            return False
        self._meet(plan, best)
        return True

    def _best(self, wanted_lots: int) -> Offer | None:
        best: Offer | None = None
        for candidate in self._candidates:
            offer = self._offer(candidate, wanted_lots)
            if offer is not None and (
                best is None or (best.price_ticks - offer.price_ticks) * self._taker.sign > 0
            ):
                best = offer
        return best

    def _offer(self, candidate: Candidate, wanted_lots: int) -> Offer | None:
        """What a candidate offers for its next units; None where it has nothing to offer."""
        resting = self._next_of(candidate.orders)
        other = self._next_of(candidate.others)
        if resting is None or other is None:
            return None
        order, units = resting
        combo, leg = candidate.combo, candidate.leg
        ratio, other_ratio = combo.ratios[leg], combo.ratios[1 - leg]
        units = min(units, wanted_lots // abs(ratio))
        if not units:
            return None
        units = max(min(units, other[1] // abs(other_ratio)), 1)
        parts = self._parts(candidate.others, units * abs(other_ratio))
        if parts is None or 1 + len(parts) > MAX_FILLS_OF_A_STEP:
            return None
        for maker, _ in parts:
            if maker.price_ticks != other[0].price_ticks or maker.owner == order.owner:
                return None
        other_micro = other_ratio * other[0].price_micro
        step_micro = abs(ratio) * self._instrument.tick_value_micro
        # Rounded down: what the combo pays for the leg falls, what it gets for it rises.
        ticks = order.sign * (order.price_micro - other_micro) // step_micro
        if order.sign * ratio < 0:
            ticks = -ticks
        if not 0 < ticks <= combo.highest_ticks[leg]:
            return None
        net_micro = ratio * ticks * self._instrument.tick_value_micro + other_micro
        return Offer(candidate, order, parts, units, units * abs(ratio), ticks, net_micro)

    def _next_of(self, cursor: Cursor) -> tuple[Order, int] | None:
        """The next order that is not of the taker's owner, with what it has left."""
        top = cursor.top()
        while top is not None and top[0].owner == self._taker.owner:
            self._gone.add(top[0].order_id)
            top = cursor.top()
        return top

    def _parts(self, cursor: Cursor, lots: int) -> list[tuple[Order, int]] | None:
        """The next orders that make `lots`, none of them of the taker's owner."""
        while True:
            parts = cursor.ahead(lots)
            own = None
            for maker, _ in parts or ():
                if maker.owner == self._taker.owner:
                    own = maker
            if own is None:
                return parts
            self._gone.add(own.order_id)

    def _meet(self, plan: Plan, offer: Offer) -> None:
        """Adds an offer to the plan if the gate lets it, passes over a maker that it refuses, or
        ends the plan.
        """
        order, candidate = offer.order, offer.candidate
        combo, leg = candidate.combo, candidate.leg
        if not plan.has_room(1 + len(offer.parts)):
            plan.stop = FILL_BOUND
            return
        buys_other = order.sign * combo.ratios[1 - leg] > 0
        incoming = Fill(
            order, self._instrument, offer.price_ticks, offer.lots, self._taker.side == BUY
        )
        others = [
            Fill(maker, combo.instruments[1 - leg], maker.price_ticks, lots, buys_other)
            for maker, lots in offer.parts
        ]
        ruling = self._gate.propose_through(incoming, others, offer.units)
        if ruling.outcome == FITS:
            through = Through(combo, order, offer.units)
            plan.take(Step((incoming, *others), offer.lots, offer.net_price_micro, None, through))
            candidate.orders.spend(order, offer.units)
            for maker, lots in offer.parts:
                candidate.others.spend(maker, lots)
        elif ruling.outcome in (MAKER_FAILS, MAKER_FEE):
            assert ruling.maker is not None, "a ruling against a maker names it"
            plan.dropped.append((ruling.maker, ruling))
            self._gone.add(ruling.maker.order_id)
        elif ruling.outcome == MAKER_PROTECTED:  # not for so many lots at once; it stays
            assert ruling.maker is not None, "a ruling against a maker names it"
            self._gone.add(ruling.maker.order_id)
        else:
            plan.stop, plan.ruling = REFUSED, ruling
