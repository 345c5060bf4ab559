"""Market data beside what the engine holds, books, positions and states, over random lives of it,
and beside readers who start at any moment and follow by changes alone.
"""

import random
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from exchange.handlers.states import instrument_state
from exchange.market_data import PublicMarket
from exchange.market_data.following import FollowedLevels, FollowedOrders
from exchange.market_data.statistics import RollingDay
from matching.book import Book, orders_of
from matching.orders import BUY, SELL
from tests.floor import Floor
from tests.property.trading import WholeExchange

DAY_NS = 86_400 * 10**9
MINUTE_NS = 60 * 10**9


class MarketFloor(Floor):
    """A floor that everyone watches from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.market = PublicMarket(self.state.instruments)
        self.level_readers: dict[int, FollowedLevels] = {}
        self.order_readers: dict[int, FollowedOrders] = {}
        self.printed: list[tuple[int, Event]] = []

    def _apply(self, command: Command) -> tuple[Event, ...]:
        happened = super()._apply(command)
        changes = self.market.take(self.state.sequence, command.time_ns, happened)
        for change in changes.books:
            assert change.change_id == self.state.sequence
            assert change.orders, "a change without a change"
            if change.book in self.level_readers:
                assert self.level_readers[change.book].take(change)
                assert self.order_readers[change.book].take(change)
        fills = [x for x in happened if isinstance(x, e.OrderFilled | e.ComboFilled)]
        self.printed += [(command.time_ns, fill) for fill in fills]
        assert len(changes.trades) == len(fills)
        for number, book in self.state.books.items():
            self.compare(number, book)
        self.compare_positions()
        return happened

    def compare(self, number: int, book: Book) -> None:
        shown = self.market.book(number)
        for side in (BUY, SELL):
            levels = [
                (abs_price(level.key, side) * book.tick_micro, level.quantity_lots, level.orders)
                for level in book.levels(side)
            ]
            assert [(x.price_micro, x.lots, len(x.orders)) for x in shown.levels(side)] == levels
            queue = [
                (order.order_id, order.price_micro, order.remaining_lots - order.hidden_lots)
                for level in book.levels(side)
                for order in orders_of(level)
            ]
            assert [(o.order_id, o.price_micro, o.lots) for _, o in shown.queue(side)] == queue
            if number in self.level_readers:
                assert self.level_readers[number].levels(side) == levels
                assert self.order_readers[number].queue(side) == queue
        best = [next(book.levels(side), None) for side in (BUY, SELL)]
        top = self.market.top(number)
        assert (top.bid_lots, top.ask_lots) == tuple(x.quantity_lots if x else 0 for x in best)

    def compare_positions(self) -> None:
        for instrument in self.state.instruments:
            number = instrument.number
            held = [self.lots(account, number) for account in self.state.accounts]
            expected = 0 if instrument.is_settled else sum(max(lots, 0) for lots in held)
            assert self.market.open_interest_lots(number) == expected
            assert self.market.state_of(((number, 1),)) == instrument_state(self.state, instrument)

    def read_on(self, number: int) -> None:
        """Someone asks for a snapshot of a book, and follows from there."""
        shown = self.market.book(number)
        for readers, kind in (
            (self.level_readers, FollowedLevels),
            (self.order_readers, FollowedOrders),
        ):
            reader = readers.setdefault(number, kind())  # type: ignore[arg-type]
            reader.restart(shown)

    def compare_statistics(self) -> None:
        now = self.time_ns // MINUTE_NS
        for number in self.state.books:
            seen: list[tuple[int, int, int, bool]] = []
            for time_ns, event in self.printed:
                if isinstance(event, e.OrderFilled) and event.instrument == number:
                    derived = event.maker_left_lots < 0
                    seen.append((time_ns, event.price_micro, event.quantity_lots, derived))
                elif isinstance(event, e.ComboFilled) and event.book == number:
                    seen.append((time_ns, event.net_price_micro, event.units, False))
            of_day = [trade for trade in seen if trade[0] // MINUTE_NS >= now - 1_440]
            prices = [price for _, price, _, derived in of_day if not derived]
            ever = [price for _, price, _, derived in seen if not derived]
            assert self.market.statistics(number) == (
                prices[0] if prices else None,
                max(prices, default=None),
                min(prices, default=None),
                ever[-1] if ever else None,
                sum(lots for _, _, lots, _ in of_day),
                sum(abs(price) * lots for _, price, lots, _ in of_day),
                len(of_day),
            )


def abs_price(key: int, side: int) -> int:
    return key if side == BUY else -key


class Watched(WholeExchange):
    def new_floor(self) -> Floor:
        return MarketFloor()

    @rule(choice=st.integers(0, 30))
    def someone_reads_on(self, choice: int) -> None:
        floor = self.floor
        assert isinstance(floor, MarketFloor)
        numbers = list(floor.state.books)
        floor.read_on(numbers[choice % len(numbers)])

    @rule(state=st.integers(0, 4), scope=st.integers(0, 2), number=st.integers(0, 8))
    def say(self, state: int, scope: int, number: int) -> None:
        self.floor.set_state(state, scope, number if scope == 2 else 0)
        self.floor.set_state(0, scope, number if scope == 2 else 0)

    def teardown(self) -> None:
        floor = self.floor
        if not isinstance(floor, MarketFloor):
            return
        floor.compare_statistics()
        self.compare_links(floor)

    def compare_links(self, floor: MarketFloor) -> None:
        """A combo's trade and its legs name each other, and the legs make its net price."""
        trades = {trade.trade: trade for trade in floor.market.tape.all if trade.trade}
        for combo in (trade for trade in floor.market.tape.all if not trade.trade):
            legs = dict(floor.market.legs_of(combo.book))
            if any(number not in trades for number in combo.legs):
                continue  # no longer kept
            net = 0
            for number in combo.legs:
                leg = trades[number]
                assert leg.combo_book == combo.book
                assert leg.combo_trade == combo.combo_trade
                assert (leg.side == combo.side) == (legs[leg.book] > 0)
                net += leg.price_micro * leg.lots * (1 if legs[leg.book] > 0 else -1)
            assert Fraction(net, combo.lots) == combo.price_micro
        linked = {number for trade in floor.market.tape.all for number in trade.legs}
        for trade in trades.values():
            assert (trade.trade in linked) == (trade.combo_trade != 0)


Watched.TestCase.settings = settings(stateful_step_count=40, max_examples=40)
TestTheMarketIsWhatTheEngineHolds = Watched.TestCase


# READERS AND GAPS


@given(st.integers(0, 10**6), st.lists(st.integers(0, 40), max_size=6, unique=True))
def test_a_reader_who_misses_any_change_notices_at_the_next_and_only_then(
    seed: int, lost: Sequence[int]
) -> None:
    rng = random.Random(seed)
    market = PublicMarket([])
    reader, orders = FollowedLevels(), FollowedOrders()
    reader.restart(market.book(0))
    orders.restart(market.book(0))
    live: list[e.OrderRested] = []
    missed = False
    for sequence in range(1, 42):
        happened: list[Event] = []
        if live and rng.random() < 0.4:
            gone = live.pop(rng.randrange(len(live)))
            happened.append(cancelled(gone))
        else:
            at = rng.randrange(len(live)) if live and rng.random() < 0.3 else -1
            price = live[at].price_micro if at >= 0 else rng.randrange(1, 5)
            place = live[at].order_id if at >= 0 else 0
            lots = rng.randrange(1, 9)
            rested = e.OrderRested(sequence, bytes(32), 0, 0, BUY, price, lots, lots, place)
            if at >= 0:
                happened += [rested, cancelled(live[at])]
                live[at] = rested
            else:
                live.append(rested)
                happened.append(rested)
        (change,) = market.take(sequence, sequence, happened).books
        if sequence in lost:
            missed = True
            continue
        assert reader.take(change) == orders.take(change) == (not missed)
        if missed:
            reader.restart(market.book(0))
            orders.restart(market.book(0))
            missed = False
            assert reader.take(change), "what a snapshot holds is passed over"
        shown = market.book(0)
        levels = [(x.price_micro, x.lots, len(x.orders)) for x in shown.levels(BUY)]
        assert reader.levels(BUY) == levels
        assert list(orders.queue(BUY)) == [
            (o.order_id, o.price_micro, o.lots) for _, o in shown.queue(BUY)
        ]
        for position, order in shown.queue(BUY):
            ahead = shown.ahead_of(order.order_id)
            assert ahead is not None
            assert ahead[0] == position


def cancelled(of: e.OrderRested) -> e.OrderCancelled:
    return e.OrderCancelled(
        of.order_id, of.order_hash, of.account, of.book, of.side, of.remaining_lots, 1
    )


# A DAY


trades = st.lists(
    st.tuples(
        st.sampled_from((0, 1, 10**9, MINUTE_NS, 7 * MINUTE_NS, DAY_NS // 2, DAY_NS, 2 * DAY_NS)),
        st.integers(-100, 100),
        st.integers(1, 9),
        st.booleans(),
    ),
    max_size=30,
)


@given(trades, st.sampled_from((0, MINUTE_NS, DAY_NS - 1, DAY_NS, DAY_NS + 2 * MINUTE_NS)))
def test_a_day_is_what_its_trades_say_and_is_over_after_a_day(
    made: Sequence[tuple[int, int, int, bool]], later_ns: int
) -> None:
    day, now, seen = RollingDay(), 1_768_521_040 * 10**9, list[tuple[int, int, int, bool]]()
    for after_ns, price, lots, derived in made:
        now += after_ns
        day.take(now, price, lots, derived)
        seen.append((now, price, lots, derived))
    now += later_ns
    kept = [x for x in seen if x[0] // MINUTE_NS >= now // MINUTE_NS - 1_440]
    prices = [price for _, price, _, derived in kept if not derived]
    found = day.at(now)
    assert found.volume_lots == sum(lots for _, _, lots, _ in kept)
    assert found.trades == len(kept)
    assert found.turnover_micro == sum(abs(price) * lots for _, price, lots, _ in kept)
    assert found.high_micro == max(prices, default=None)
    assert found.low_micro == min(prices, default=None)
    assert found.open_micro == (prices[0] if prices else None)
    ever = [price for _, price, _, derived in seen if not derived]
    assert found.last_micro == (ever[-1] if ever else None)
    assert found.change_micro == (ever[-1] - prices[0] if prices else None)
