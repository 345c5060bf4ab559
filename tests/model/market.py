"""A market of the real books and plans, without accounts or margin, that speaks as its slow twin
does (`matching.py`): for tests that compare the two, or that tell a story about orders.

Holds: what the engine does with a plan, as far as books go: it commits fills, cancels whom the gate
refused, and rests what may rest.
"""

from collections.abc import Mapping, Sequence

from matching.book import Book
from matching.combos import COMBO_BASE, Combo
from matching.gate import FITS, Fill, Gate, Ruling
from matching.implied_out import ImpliedOut
from matching.instruments import Instrument
from matching.leg_prices import split_net_price
from matching.orders import BUY, FOK, GTC, REDUCE_ONLY, Order
from matching.plan import EXHAUSTED, ComboPlanner, Plan, plan_single
from tests.model.book import Contents, SlowOrder, contents
from tests.model.matching import (
    Judge,
    Outcome,
    Script,
    SlowCombo,
    SlowMarket,
    SlowStep,
    Trade,
    changes,
)

ALL_PASS = Script()


class World:
    """What is traded, and the marks. Combo i has the book COMBO_BASE + i."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        combos: Sequence[Sequence[tuple[int, int]]],
        mark_ticks: Sequence[int],
    ) -> None:
        self.instruments = tuple(instruments)
        self.mark_ticks = tuple(mark_ticks)
        self.combos = tuple(
            Combo(
                COMBO_BASE + at,
                [instruments[number] for number, _ in legs],
                [ratio for _, ratio in legs],
            )
            for at, legs in enumerate(combos)
        )
        self.ticks_micro = {
            instrument.number: instrument.tick_value_micro for instrument in instruments
        } | {combo.book: combo.tick_micro for combo in self.combos}

    def legs(self, book: int) -> tuple[tuple[int, int], ...]:
        return ((book, 1),) if book < COMBO_BASE else self.combos[book - COMBO_BASE].legs

    def leg_prices(self, combo: Combo, net_price_micro: int) -> list[int] | None:
        return split_net_price(
            net_price_micro,
            combo.steps_micro,
            [self.mark_ticks[instrument.number] for instrument in combo.instruments],
            combo.lowest_ticks,
            combo.highest_ticks,
        )

    def order(
        self,
        order_id: int,
        account: int,
        book: int,
        side: int,
        price_ticks: int,
        lots: int,
        flags: int = 0,
        display: int = 0,
    ) -> Order:
        price_micro = price_ticks * self.ticks_micro[book]
        place = account, book, side, price_ticks, price_micro
        return Order(order_id, b"", *place, lots, 0, 0, flags, display_lots=display)

    def slow(self) -> SlowMarket:
        combos = [
            SlowCombo(combo.book, combo.legs, lambda net, combo=combo: self.leg_prices(combo, net))
            for combo in self.combos
        ]
        return SlowMarket(self.ticks_micro, combos)


class ScriptedGate(Gate):
    """Asks the twin's judge, and checks that it is asked as the gate's contract says."""

    def __init__(
        self, world: World, taker: Order, script: Script, held: Mapping[tuple[int, int], int]
    ) -> None:
        self.world = world
        self.taker = taker
        self.judge = Judge(script)
        self.held = dict(held)

    def begin(self, taker: Order, replaced: Order | None) -> None:
        raise AssertionError("the engine begins a plan, matching does not")

    def commit(self) -> None:
        raise AssertionError("the engine commits a plan, matching does not")

    def drop(self) -> None:
        raise AssertionError("the engine drops a plan, matching does not")

    def fillable_lots(self, order: Order, group_lots: int = 0, account_lots: int = 0) -> int:
        assert not order.protection, "no order of these plans is protected"
        assert order.is_reduce_only, "the others are not asked about"
        lots = -self.held.get((order.account, order.book), 0) * order.sign - account_lots
        return max(lots, 0)

    def move(self, by: Order, fill: Fill) -> None:
        """Both sides of a fill that was let into the plan."""
        lots = fill.quantity_lots if fill.taker_buys else -fill.quantity_lots
        for order, signed in ((by, lots), (fill.maker, -lots)):
            key = order.account, fill.instrument.number
            self.held[key] = self.held.get(key, 0) + signed
            if order.is_reduce_only:
                assert abs(self.held[key]) == abs(self.held[key] - signed) - abs(signed)

    def propose(self, fills: Sequence[Fill], units: int, maker_combo: Order | None) -> Ruling:
        lots: dict[int, int] = {}
        for fill in fills:
            assert fill.quantity_lots > 0
            if maker_combo is None:
                assert fill.quantity_lots <= fill.maker.remaining_lots
                assert fill.price_ticks == fill.maker.price_ticks
            else:
                assert fill.maker is maker_combo
            number = fill.instrument.number
            signed = fill.quantity_lots if fill.taker_buys else -fill.quantity_lots
            lots[number] = lots.get(number, 0) + signed
        legs = self.world.legs(self.taker.book)
        assert lots == {number: units * ratio * self.taker.sign for number, ratio in legs}
        assert maker_combo is None or 0 < units <= maker_combo.remaining_lots
        ruling = self.ask(fills)
        if ruling.outcome == FITS:
            for fill in fills:
                self.move(self.taker, fill)
        return ruling

    def ask(self, fills: Sequence[Fill]) -> Ruling:
        outcome, blamed = self.judge.ask([as_trade(fill) for fill in fills])
        maker = next((fill.maker for fill in fills if fill.maker.order_id == blamed), None)
        return Ruling(outcome, maker)

    def propose_through(self, incoming: Fill, others: Sequence[Fill], units: int) -> Ruling:
        resting, taker = incoming.maker, self.taker
        assert 0 < units <= resting.remaining_lots
        assert incoming.taker_buys == (taker.side == BUY)
        assert (taker.price_ticks - incoming.price_ticks) * taker.sign >= 0
        lots = {incoming.instrument.number: incoming.quantity_lots * -taker.sign}
        net = incoming.price_ticks * incoming.instrument.tick_value_micro * -taker.sign
        net *= incoming.quantity_lots
        for fill in others:
            assert 0 < fill.quantity_lots <= fill.maker.remaining_lots
            assert fill.price_ticks == fill.maker.price_ticks
            signed = fill.quantity_lots if fill.taker_buys else -fill.quantity_lots
            number = fill.instrument.number
            lots[number] = lots.get(number, 0) + signed
            net += signed * fill.maker.price_micro
        legs = self.world.legs(resting.book)
        assert lots == {number: units * ratio * resting.sign for number, ratio in legs}
        assert net <= units * resting.price_micro * resting.sign, "the combo keeps its limit"
        accounts = [taker.account, resting.account]
        assert all(fill.maker.account not in accounts for fill in others)
        assert taker.account != resting.account
        ruling = self.ask((incoming, *others))
        if ruling.outcome == FITS:
            self.move(taker, incoming)
            for fill in others:
                self.move(resting, fill)
        return ruling


def as_trade(fill: Fill) -> Trade:
    return Trade(
        fill.maker.order_id,
        fill.maker.account,
        fill.instrument.number,
        fill.price_ticks,
        fill.quantity_lots,
        fill.taker_buys,
    )


def as_outcome(plan: Plan) -> Outcome:
    """A plan in the words of the twin."""
    steps = [
        SlowStep(
            tuple(as_trade(fill) for fill in step.fills),
            step.units,
            step.net_price_micro,
            None if step.maker_combo is None else step.maker_combo.order_id,
            None if step.through is None else (step.through.order.order_id, step.through.units),
        )
        for step in plan.steps
    ]
    outcome = Outcome(
        steps,
        [(order.order_id, ruling.outcome) for order, ruling in plan.dropped],
        plan.stop,
        plan.ruling.outcome,
    )
    assert plan.filled_lots == outcome.filled
    assert plan.fills + len(plan.dropped) == outcome.met
    return outcome


class FastMarket:
    """Books, and the orders that live in them by number."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.books = {number: Book(number, tick) for number, tick in world.ticks_micro.items()}
        self.live: dict[int, Order] = {}
        self.held: dict[tuple[int, int], int] = {}

    def contents(self) -> dict[int, Contents]:
        return {number: contents(book) for number, book in self.books.items()}

    def cancel(self, order_id: int) -> None:
        order = self.live.pop(order_id)
        self.books[order.book].remove(order)

    def plan(self, order: Order, replaced: Order | None, script: Script) -> Plan:
        gate = ScriptedGate(self.world, order, script, self.held)
        book = self.books[order.book]
        if order.book < COMBO_BASE:
            instrument = self.world.instruments[order.book]
            combos = self.combos_for(order, instrument)
            implied = ImpliedOut(instrument, order, gate, combos)
            return plan_single(book, instrument, order, gate, replaced, implied)
        combo = self.world.combos[order.book - COMBO_BASE]
        leg_books = [self.books[number] for number, _ in combo.legs]
        marks = self.world.mark_ticks
        return ComboPlanner(
            combo, book, leg_books, order, gate, lambda leg: marks[leg.number], replaced
        ).run()

    def combos_for(self, order: Order, instrument: Instrument) -> list[tuple[Combo, Book, Book]]:
        """Combos of two legs, by number, that have orders to meet; more than are looked at."""
        found: list[tuple[Combo, Book, Book]] = []
        for combo in self.world.combos:
            if len(combo.legs) == 2 and instrument in combo.instruments:
                leg = combo.instruments.index(instrument)
                side = 1 - order.side if combo.ratios[leg] > 0 else order.side
                if self.books[combo.book].first(side) is not None:
                    other = combo.instruments[1 - leg].number
                    found.append((combo, self.books[combo.book], self.books[other]))
        return found

    def place(
        self,
        order: Order,
        time_in_force: int = GTC,
        replaced: int | None = None,
        script: Script = ALL_PASS,
    ) -> Outcome:
        plan = self.plan(order, None if replaced is None else self.live[replaced], script)
        outcome = as_outcome(plan)
        if time_in_force == FOK and plan.filled_lots < order.remaining_lots:
            return outcome
        if replaced is not None:
            self.cancel(replaced)
        for account, number, lots in changes(outcome, order.account):
            self.held[account, number] = self.held.get((account, number), 0) + lots
        for step in plan.steps:
            order.remaining_lots -= step.units
            if step.maker_combo is not None:
                self._reduce(step.maker_combo, step.units)
            elif step.through is not None:
                for fill in step.fills[1:]:
                    self._reduce(fill.maker, fill.quantity_lots)
                self._reduce(step.through.order, step.through.units)
            else:
                for fill in step.fills:
                    self._reduce(fill.maker, fill.quantity_lots)
        for maker, _ in plan.dropped:
            self.cancel(maker.order_id)
        if order.remaining_lots and time_in_force == GTC and plan.stop == EXHAUSTED:
            self.live[order.order_id] = order
            self.books[order.book].add(order)
        return outcome

    def _reduce(self, maker: Order, lots: int) -> None:
        self.books[maker.book].reduce(maker, lots)
        if not maker.remaining_lots:
            del self.live[maker.order_id]


class BothMarkets:
    """The fast market and its slow twin, kept in step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fast = FastMarket(world)
        self.slow = world.slow()
        self.next_order_id = 0

    def place(
        self,
        account: int,
        book: int,
        side: int,
        price_ticks: int,
        lots: int,
        *,
        time_in_force: int = GTC,
        replaced: int | None = None,
        script: Script = ALL_PASS,
        reduces: bool = False,
        display: int = 0,
    ) -> Outcome:
        """Places an order in both, which must do the same."""
        number = self.next_order_id
        self.next_order_id += 1
        flags = REDUCE_ONLY if reduces else 0
        place = account, book, side, price_ticks, lots
        order = self.world.order(number, *place, flags, display)
        before = self.fast.contents()
        as_it_would_be = as_outcome(
            self.fast.plan(order, None if replaced is None else self.fast.live[replaced], script)
        )
        assert self.fast.contents() == before, "a plan only reads the books"
        held = dict(self.fast.held)
        outcome = self.fast.place(order, time_in_force, replaced, script)
        assert outcome == as_it_would_be, "a plan can be made again"
        twin = SlowOrder(number, *place, reduces, display)
        assert outcome == self.slow.place(twin, time_in_force, replaced, script, held)
        return outcome

    def cancel(self, order_id: int) -> None:
        self.fast.cancel(order_id)
        self.slow.cancel(order_id)

    def check(self) -> None:
        """Every order of every book is the same in both."""
        assert list(self.fast.live) == list(self.slow.live)
        for number, seen in self.fast.contents().items():
            assert seen == self.slow.books[number].contents()
