"""What an order does, found by looking at everything again before each step: slow twin of
`matching/plan.py`, with the exchange around it that places, cancels and replaces.

Holds: before each step it lists all that the taker could meet (the best resting order of its book
and, for a combo, what the legs' books make together), takes the best, and asks the judge. It trades
on copies of the books, so that an iceberg stands there where it will stand, and keeps whom it
passes over as a list.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor

from matching.gate import FITS, MAKER_FAILS, MAKER_FEE, TAKER_FEE, TAKER_MARGIN
from matching.orders import BUY, FOK, GTC, SELL
from matching.plan import (
    EXHAUSTED,
    FILL_BOUND,
    MAX_FILLS,
    MAX_FILLS_OF_A_STEP,
    REFUSED,
    SELF_TRADE,
)
from tests.model.book import SlowBook, SlowOrder

Queue = Callable[[int, int], list[SlowOrder]]
"""Orders of a book and a side, as they would trade, without those passed over."""

Held = Mapping[tuple[int, int], int]
"""Signed lots by account and instrument."""
Room = Callable[[SlowOrder], int]
"""Lots that an order may trade, of which it may have fewer."""
LegPrices = Callable[[int], Sequence[int] | None]
"""Leg prices in ticks of a net price."""


@dataclass(frozen=True)
class Trade:
    """One fill, by numbers."""

    maker: int
    account: int
    instrument: int
    price_ticks: int
    lots: int
    taker_buys: bool


@dataclass(frozen=True)
class SlowStep:
    fills: tuple[Trade, ...]
    units: int
    net_price_micro: int
    maker_combo: int | None
    through: tuple[int, int] | None = None
    """The resting combo order that a single order met, and its units."""


@dataclass
class Outcome:
    steps: list[SlowStep] = field(default_factory=list[SlowStep])
    dropped: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """(order, why)."""
    stop: int = EXHAUSTED
    refusal: int = FITS

    @property
    def filled(self) -> int:
        return sum(step.units for step in self.steps)

    @property
    def met(self) -> int:
        return sum(len(step.fills) for step in self.steps) + len(self.dropped)


@dataclass(frozen=True)
class Script:
    """By what rule a gate answers. Each rule that is not None can refuse."""

    failing_accounts: frozenset[int] = frozenset()
    failing_orders: frozenset[int] = frozenset()
    dear_orders: frozenset[int] = frozenset()
    """Makers that would pay more than their maximum fee."""
    maker_lots: int | None = None
    """What each account may trade as maker in one plan."""
    taker_lots: int | None = None
    taker_fills_fee: int | None = None
    """A group of more fills than this costs the taker too much."""
    one_order_of_an_account: bool = False
    """An account fails with two orders in one group, where it would not with either."""


class Judge:
    """A gate's answers for one plan, by a script: accepted groups are remembered, refused ones
    leave no trace.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.taken = 0
        self.traded: dict[int, int] = {}

    def ask(self, group: Sequence[Trade]) -> tuple[int, int | None]:
        """Outcome, and the order that it is about."""
        script = self.script
        for trade in group:
            if trade.maker in script.dear_orders:
                return MAKER_FEE, trade.maker
        if script.taker_fills_fee is not None and len(group) > script.taker_fills_fee:
            return TAKER_FEE, None
        taken = self.taken + sum(trade.lots for trade in group)
        if script.taker_lots is not None and taken > script.taker_lots:
            return TAKER_MARGIN, None
        traded = dict(self.traded)
        seen: dict[int, int] = {}
        for trade in group:
            traded[trade.account] = traded.get(trade.account, 0) + trade.lots
            several = seen.setdefault(trade.account, trade.maker) != trade.maker
            if (
                trade.account in script.failing_accounts
                or trade.maker in script.failing_orders
                or (script.maker_lots is not None and traded[trade.account] > script.maker_lots)
                or (script.one_order_of_an_account and several)
            ):
                return MAKER_FAILS, trade.maker
        self.taken, self.traded = taken, traded
        return FITS, None


@dataclass(frozen=True)
class SlowCombo:
    number: int
    legs: tuple[tuple[int, int], ...]
    leg_prices: LegPrices


def match(
    taker: SlowOrder,
    books: dict[int, SlowBook],
    combo: SlowCombo | None,
    judge: Judge,
    replaced: int | None,
    combos: Sequence[SlowCombo] = (),
    held: Held | None = None,
) -> Outcome:
    """What an order would do in its book and, if it is a combo, in those of its legs; a single
    order also meets what resting `combos` and their other legs' books offer. `held` are the
    positions before, of which orders that may only reduce take no more than there is.
    """
    outcome = Outcome()
    gone = [replaced]
    before, books = books, {number: book.copy() for number, book in books.items()}
    active = {
        (number, side) for number in before for side in (BUY, SELL) if before[number].queue(side)
    }
    sign = 1 if taker.side == BUY else -1
    limit = taker.price_ticks * books[taker.book].tick_micro
    while outcome.filled < taker.left:
        wanted = min(taker.left - outcome.filled, _room(taker, taker, outcome, held))
        if not wanted:
            return outcome

        def room(order: SlowOrder) -> int:
            return _room(order, taker, outcome, held)

        def queue(number: int, side: int) -> list[SlowOrder]:
            """Orders of a side that are still there and may trade, showing what they may."""
            orders = [o for o in books[number].queue(side) if o.order_id not in gone and room(o)]
            return [replace(o, shown=min(o.shown, room(o))) for o in orders]

        offers: list[SlowStep] = []
        own = queue(taker.book, 1 - taker.side)
        if combo is None:
            if own:
                offers.append(_single_step(taker, books, own[0], wanted))
            offers += _offers_of_combos(taker, books, active, queue, wanted, combos, room)
        else:
            real = _real_step(taker, combo, books, own, wanted)
            implied = _implied_step(taker, combo, books, gone, queue, wanted, room)
            offers += [step for step in (real, implied) if step]
        if not offers:
            return outcome

        def price_of(step: SlowStep) -> int:
            """What the taker would pay, a lot or a unit."""
            if step.through is None:
                return step.net_price_micro
            return step.fills[0].price_ticks * books[taker.book].tick_micro

        step = min(offers, key=lambda step: sign * price_of(step))  # the first of equals
        if sign * price_of(step) > sign * limit:
            return outcome
        if step.through is None and any(t.account == taker.account for t in step.fills):
            outcome.stop = SELF_TRADE
            return outcome
        if outcome.met + len(step.fills) > MAX_FILLS:
            outcome.stop = FILL_BOUND
            return outcome
        answer, blamed = judge.ask(step.fills)
        if answer == FITS:
            outcome.steps.append(step)
            for order_id, lots in used_up(step):
                reduce(books, order_id, lots)
        elif blamed is not None:
            outcome.dropped.append((blamed, answer))
            gone.append(blamed)
        else:
            outcome.stop, outcome.refusal = REFUSED, answer
            return outcome
    return outcome


def used_up(step: SlowStep) -> list[tuple[int, int]]:
    """(resting order, lots or units) that a step takes, in turn."""
    if step.maker_combo is not None:
        return [(step.maker_combo, step.units)]
    if step.through is not None:
        return [*((trade.maker, trade.lots) for trade in step.fills[1:]), step.through]
    return [(trade.maker, trade.lots) for trade in step.fills]


def reduce(books: dict[int, SlowBook], order_id: int, lots: int) -> None:
    for book in books.values():
        for order in (*book.queue(BUY), *book.queue(SELL)):
            if order.order_id == order_id:
                book.reduce(order, lots)
                return
    raise AssertionError("what trades stands in a book")


def _parts(
    book: SlowBook, side: int, lots: int, passes_over: Callable[[SlowOrder], bool], room: Room
) -> list[tuple[SlowOrder, int]]:
    """The next orders of a side and how much of each makes `lots`, or as much as there is: traded
    one after the other on a copy. The orders are as they were before.
    """
    book, found = book.copy(), list[tuple[SlowOrder, int]]()

    def left(order: SlowOrder) -> int:
        """Of its room, what its account's orders before have not taken."""
        return room(order) - sum(part for o, part in found if o.account == order.account)

    while lots:
        orders = [
            order
            for order in book.queue(side)
            if not passes_over(order) and not (order.reduces and left(order) <= 0)
        ]
        if not orders:
            break
        part = min(lots, orders[0].shown)
        if orders[0].reduces:
            part = min(part, left(orders[0]))
        found.append((replace(orders[0]), part))
        book.reduce(orders[0], part)
        lots -= part
    return found


def _room(order: SlowOrder, taker: SlowOrder, outcome: Outcome, held: Held | None) -> int:
    """Lots that an order may trade, of which there may be fewer, after what the taker did."""
    if not order.reduces:
        return 1 << 30
    assert held is not None, "an order that may only reduce asks for positions"
    lots = held.get((order.account, order.book), 0)
    for who, number, change in changes(outcome, taker.account):
        if (who, number) == (order.account, order.book):
            lots += change
    return max(0, -lots) if order.side == BUY else max(0, lots)


def changes(outcome: Outcome, taker: int) -> list[tuple[int, int, int]]:
    """How positions move, fill by fill: account, instrument, signed lots."""
    found: list[tuple[int, int, int]] = []
    for step in outcome.steps:
        by = taker
        for trade in step.fills:
            lots = trade.lots if trade.taker_buys else -trade.lots
            found += [(by, trade.instrument, lots), (trade.account, trade.instrument, -lots)]
            if step.through is not None:  # from here on, the resting combo order takes
                by = step.fills[0].account
    return found


def _offers_of_combos(
    taker: SlowOrder,
    books: dict[int, SlowBook],
    active: set[tuple[int, int]],
    queue: Queue,
    wanted: int,
    combos: Sequence[SlowCombo],
    room: Room,
) -> list[SlowStep]:
    """Every resting combo of two legs that would trade the taker's instrument against it, with the
    best price of its other leg: 32 combos with orders on that side, by number.
    """
    found: list[SlowStep] = []
    looked_at = 0
    for combo in sorted(combos, key=lambda combo: combo.number):
        ratios = dict(combo.legs)
        if len(ratios) != 2 or taker.book not in ratios:
            continue
        ratio = ratios.pop(taker.book)
        ((other, other_ratio),) = ratios.items()
        side = (1 - taker.side) if ratio > 0 else taker.side
        if (combo.number, side) not in active:
            continue
        looked_at += 1
        if looked_at > 32:
            break
        others = [o for o in queue(combo.number, side) if o.account != taker.account]
        buys_other = (side == BUY) == (other_ratio > 0)
        other_side = SELL if buys_other else BUY
        makers = [o for o in queue(other, other_side) if o.account != taker.account]
        if not others or not makers:
            continue
        order = others[0]
        price = makers[0].price_ticks
        units = min(order.shown, wanted // abs(ratio))
        if units == 0:
            continue
        units = max(1, min(units, makers[0].shown // abs(other_ratio)))
        there = [o.order_id for o in makers if o.price_ticks == price]
        parts = _parts(
            books[other],
            other_side,
            units * abs(other_ratio),
            lambda o, there=there: o.order_id not in there,
            room,
        )
        fills = [
            Trade(maker.order_id, maker.account, other, price, part, buys_other)
            for maker, part in parts
        ]
        missing = units * abs(other_ratio) - sum(part for _, part in parts)
        if missing or len(fills) > 14 or any(t.account == order.account for t in fills):
            continue
        sign = 1 if side == BUY else -1
        tick, other_tick = books[taker.book].tick_micro, books[other].tick_micro
        limit = order.price_ticks * books[combo.number].tick_micro
        # The most that the combo may pay for the leg, or the least that it must get, on the tick.
        exact = Fraction(limit - other_ratio * price * other_tick, ratio * tick)
        ticks = floor(exact) if sign * ratio > 0 else ceil(exact)
        if not 1 <= ticks * tick < 2**34:
            continue
        net = ratio * ticks * tick + other_ratio * price * other_tick
        assert sign * net <= sign * limit < sign * net + abs(ratio) * tick
        first = Trade(
            order.order_id,
            order.account,
            taker.book,
            ticks,
            units * abs(ratio),
            taker.side == BUY,
        )
        found.append(
            SlowStep((first, *fills), units * abs(ratio), net, None, (order.order_id, units))
        )
    return found


def _single_step(
    taker: SlowOrder, books: dict[int, SlowBook], maker: SlowOrder, wanted: int
) -> SlowStep:
    lots = min(wanted, maker.shown)
    trade = Trade(
        maker.order_id, maker.account, taker.book, maker.price_ticks, lots, taker.side == BUY
    )
    return SlowStep((trade,), lots, maker.price_ticks * books[taker.book].tick_micro, None)


def _real_step(
    taker: SlowOrder,
    combo: SlowCombo,
    books: dict[int, SlowBook],
    own: list[SlowOrder],
    wanted: int,
) -> SlowStep | None:
    """Against the best resting combo order whose net price leg prices can make."""
    for maker in own:
        net = maker.price_ticks * books[combo.number].tick_micro
        prices = combo.leg_prices(net)
        if prices is not None:
            units = min(wanted, maker.shown)
            trades = tuple(
                Trade(
                    maker.order_id,
                    maker.account,
                    instrument,
                    price,
                    units * abs(ratio),
                    (taker.side == BUY) == (ratio > 0),
                )
                for (instrument, ratio), price in zip(combo.legs, prices, strict=True)
            )
            return SlowStep(trades, units, net, maker.order_id)
    return None


def _implied_step(
    taker: SlowOrder,
    combo: SlowCombo,
    books: dict[int, SlowBook],
    gone: list[int | None],
    queue: Queue,
    wanted: int,
    room: Room,
) -> SlowStep | None:
    """Against the books of all legs: as many units as the first order of every leg shows, or one
    unit by several orders of a leg, of which an iceberg may be several.
    """
    lines: list[tuple[int, int, bool, list[SlowOrder]]] = []
    for instrument, ratio in combo.legs:
        buys = (taker.side == BUY) == (ratio > 0)
        lines.append((instrument, ratio, buys, queue(instrument, SELL if buys else BUY)))
    if not all(orders for _, _, _, orders in lines):
        return None
    firsts = [orders[0].shown // abs(ratio) for _, ratio, _, orders in lines]
    units = max(min(wanted, *firsts), 1)
    trades: list[Trade] = []
    paid = 0
    for instrument, ratio, buys, _ in lines:
        missing = units * abs(ratio)
        side = SELL if buys else BUY
        for maker, lots in _parts(
            books[instrument], side, missing, lambda order: order.order_id in gone, room
        ):
            trades.append(
                Trade(maker.order_id, maker.account, instrument, maker.price_ticks, lots, buys)
            )
            cost = lots * maker.price_ticks * books[instrument].tick_micro
            paid += cost if ratio > 0 else -cost
            missing -= lots
        if missing:
            return None
    if len(trades) > MAX_FILLS_OF_A_STEP:
        return None
    assert paid % units == 0, "several units have one maker a leg"
    return SlowStep(tuple(trades), units, paid // units, None)


class SlowMarket:
    """Books and the orders in them; what the engine does with a plan, as far as books go."""

    def __init__(self, ticks_micro: dict[int, int], combos: Sequence[SlowCombo]) -> None:
        self.books = {number: SlowBook(tick) for number, tick in ticks_micro.items()}
        self.combos = {combo.number: combo for combo in combos}
        self.live: dict[int, SlowOrder] = {}

    def cancel(self, order_id: int) -> None:
        order = self.live.pop(order_id)
        self.books[order.book].remove(order)

    def place(
        self,
        order: SlowOrder,
        time_in_force: int,
        replaced: int | None,
        script: Script,
        held: Held | None = None,
    ) -> Outcome:
        combo = self.combos.get(order.book)
        combos = list(self.combos.values())
        outcome = match(order, self.books, combo, Judge(script), replaced, combos, held)
        if time_in_force == FOK and outcome.filled < order.left:
            return outcome
        if replaced is not None:
            self.cancel(replaced)
        for step in outcome.steps:
            order.left -= step.units
            for order_id, lots in used_up(step):
                self._reduce(order_id, lots)
        for order_id, _ in outcome.dropped:
            self.cancel(order_id)
        if order.left and time_in_force == GTC and outcome.stop == EXHAUSTED:
            self.live[order.order_id] = order
            self.books[order.book].add(order)
        return outcome

    def _reduce(self, order_id: int, lots: int) -> None:
        order = self.live[order_id]
        self.books[order.book].reduce(order, lots)
        if not order.left:
            del self.live[order_id]
