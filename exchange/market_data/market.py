"""The market as everyone sees it, learned from the events of one command after the other.

Holds: a function of the events alone, built by the live exchange and by a restart in the same way;
after `take`, `latest` is what that command changed, for whoever publishes it; which event does what
is one table, so that a new event is a new row.
Never: reads the engine's state, but the instruments' listing (symbol, underlying and expiry, which
never change); is read by the engine.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from exchange import events
from exchange.events import Event
from exchange.market_data.displayed import displayed_lots
from exchange.market_data.funding import ShownFunding
from exchange.market_data.open_interest import OpenInterest
from exchange.market_data.shown_book import BookChange, ShownBook, ShownLevel
from exchange.market_data.statistics import NOTHING_TRADED, RollingDay, Statistics
from exchange.market_data.tape import Tape, Trade
from matching.combos import COMBO_BASE, Legs
from matching.instruments import Instrument
from matching.orders import BUY, SELL
from matching.trading_states import CANCEL_ONLY, OPEN, TradingStates

NANOSECONDS: Final = 10**9


class Changes(NamedTuple):
    """What one command changed, in the order in which it did."""

    sequence: int
    time_ns: int
    books: tuple[BookChange, ...]
    trades: tuple[Trade, ...]
    underlyings: tuple[int, ...]
    are_states_new: bool


class Top(NamedTuple):
    """Level 1: the best price of each side and the lots at it, None and 0 for an empty side."""

    bid_micro: int | None
    bid_lots: int
    ask_micro: int | None
    ask_lots: int


class BreakerView(NamedTuple):
    """A tripped breaker, as its event told it."""

    state: int
    level: int
    index_micro: int
    reference_micro: int
    until_s: int


class WarningView(NamedTuple):
    """What makers on an underlying pay while its index is on the way to trip its breaker."""

    level: int
    maker_rate_e6: int


class OracleView(NamedTuple):
    """An oracle without its quorum, as its event told it."""

    counting: int
    quorum: int
    newest_ms: int


class PublicMarket:
    """Books, trades, statistics, open interest and states of every instrument and combo."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._instruments = instruments
        self.sequence = 0
        self.time_ns = 0
        self.books: dict[int, ShownBook] = {}
        self.tape = Tape()
        self.states = TradingStates()
        self.breakers: dict[int, BreakerView] = {}
        self.warnings: dict[int, WarningView] = {}
        self.funding: dict[int, ShownFunding] = {}
        self.oracles_lost: dict[int, OracleView] = {}
        self.index_micro: dict[int, int] = {}
        self.latest = Changes(0, 0, (), (), (), False)
        self._days: dict[int, RollingDay] = {}
        self._open_interest = OpenInterest()
        self._settled: dict[int, None] = {}
        self._legs: dict[int, Legs] = {}
        self._combos: dict[Legs, int] = {}
        self._touched: dict[int, ShownBook] = {}
        self._traded: list[Trade] = []
        self._marked: dict[int, None] = {}
        self._are_states_new = False
        self._rows: dict[type[Event], Callable[[Any], None]] = {
            events.OrderRested: self._rested,
            events.OrderRepriced: self._repriced,
            events.OrderReduced: self._reduced,
            events.OrderReplenished: self._replenished,
            events.OrderFilled: self._filled,
            events.ComboFilled: self._combo_filled,
            events.OrderCancelled: self._cancelled,
            events.ComboCreated: self._combo_created,
            events.ComboDropped: self._combo_dropped,
            events.PositionTransferred: self._position_transferred,
            events.MarksUpdated: self._marks_updated,
            events.ExpirySettled: self._expiry_settled,
            events.DelistingAnnounced: self._delisting_announced,
            events.PerpetualSettled: self._perpetual_settled,
            events.InstrumentDelisted: self._delisted,
            events.TradingStateChanged: self._state_changed,
            events.BreakerTripped: self._breaker_tripped,
            events.BreakerReleased: self._breaker_released,
            events.FeeLevelSet: self._fee_level_set,
            events.FundingSet: self._funding_set,
            events.FundingSampled: self._funding_sampled,
            events.FundingAccrued: self._funding_accrued,
            events.AuctionBidTaken: self._bid_taken,
            events.Deleveraged: self._deleveraged,
            events.LossCapped: self._loss_capped,
            events.OracleLost: self._oracle_lost,
            events.OracleRecovered: self._oracle_recovered,
        }

    def take(self, sequence: int, time_ns: int, happened: Sequence[Event]) -> Changes:
        """Learns the events of one command."""
        self.sequence, self.time_ns = sequence, time_ns
        for funding in self.funding.values():
            funding.roll(time_ns // NANOSECONDS)
        for event in happened:
            row = self._rows.get(type(event))
            if row is not None:
                row(event)
        closed = [book.close(sequence) for book in self._touched.values()]
        self.latest = Changes(
            sequence,
            time_ns,
            tuple(change for change in closed if change is not None),
            tuple(self._traded),
            tuple(self._marked),
            self._are_states_new,
        )
        self._touched, self._traded, self._marked = {}, [], {}
        self._are_states_new = False
        return self.latest

    # BOOKS

    def _touch(self, number: int) -> ShownBook:
        book = self.books.get(number)
        if book is None:
            book = self.books[number] = ShownBook(number)
        self._touched[number] = book
        return book

    def _rested(self, event: events.OrderRested) -> None:
        book = self._touch(event.book)
        lots, replaced = displayed_lots(event), event.takes_place_of
        if replaced:
            book.take_place(event.order_id, replaced, lots)
        else:
            book.add(event.order_id, event.side, event.price_micro, lots)

    def _reduced(self, event: events.OrderReduced) -> None:
        book = self.books.get(event.book)
        if book is not None and event.order_id in book.orders:  # else it never came to rest
            self._touch(event.book).resize(event.order_id, event.displayed_lots)

    def _replenished(self, event: events.OrderReplenished) -> None:
        book = self._touch(event.book)
        if event.order_id in book.orders:
            book.remove(event.order_id)
        book.add(event.order_id, event.side, event.price_micro, event.displayed_lots)

    def _repriced(self, event: events.OrderRepriced) -> None:
        book = self._touch(event.book)
        book.remove(event.order_id)
        book.add(event.order_id, event.side, event.price_micro, event.displayed_lots)

    def _met(self, number: int, order_id: int, lots: int, left_lots: int) -> None:
        """A resting order traded `lots` of what it showed; with nothing left it is gone."""
        book = self._touch(number)
        shown = book.orders[order_id].lots
        book.resize(order_id, max(shown - lots, 0) if left_lots else 0)

    def _cancelled(self, event: events.OrderCancelled) -> None:
        book = self.books.get(event.book)
        if book is not None and event.order_id in book.orders:  # else it never came to rest
            self._touch(event.book).remove(event.order_id)

    # TRADES

    def _filled(self, event: events.OrderFilled) -> None:
        if event.maker_left_lots >= 0:
            lots, left = event.quantity_lots, event.maker_left_lots
            self._met(event.instrument, event.maker_order_id, lots, left)
        buyer, seller = event.taker, event.maker
        if not event.taker_buys:
            buyer, seller = seller, buyer
        self._open_interest.fill(event.instrument, buyer, seller, event.quantity_lots)
        self._trade(self.tape.fill(self.sequence, self.time_ns, event))

    def _combo_filled(self, event: events.ComboFilled) -> None:
        if event.maker_left_units >= 0:
            self._met(event.book, event.maker_order_id, event.units, event.maker_left_units)
        self._trade(self.tape.combo(self.sequence, self.time_ns, event))

    def _trade(self, trades: list[Trade]) -> None:
        for trade in trades:
            day = self._days.get(trade.book)
            if day is None:
                day = self._days[trade.book] = RollingDay()
            day.take(trade.time_ns, trade.price_micro, trade.lots, trade.is_derived)
            self._traded.append(trade)

    # WHAT IS LISTED, MARKED AND ALLOWED

    def _combo_created(self, event: events.ComboCreated) -> None:
        self._legs[event.book] = event.legs
        self._combos[event.legs] = event.book

    def _combo_dropped(self, event: events.ComboDropped) -> None:
        """The book is gone; what its legs were is remembered, for trades that name it."""
        del self._combos[self._legs[event.book]]
        self.books.pop(event.book, None)
        self._days.pop(event.book, None)
        self.tape.by_book.pop(event.book, None)

    def _position_transferred(self, event: events.PositionTransferred) -> None:
        lots = event.quantity_lots
        giver, taker = event.account, event.to_account
        if lots < 0:  # who gives a short position takes lots
            giver, taker, lots = taker, giver, -lots
        self._open_interest.fill(event.instrument, taker, giver, lots)

    def _marks_updated(self, event: events.MarksUpdated) -> None:
        self.index_micro[event.underlying] = event.index_micro
        self._marked[event.underlying] = None

    def _expiry_settled(self, event: events.ExpirySettled) -> None:
        self._settled[event.expiry] = None
        self._are_states_new = True
        for instrument in self._instruments:
            if instrument.expiry is not None and instrument.expiry.number == event.expiry:
                self._open_interest.settle(instrument.number)

    def _delisting_announced(self, event: events.DelistingAnnounced) -> None:
        self.states.announce_end(event.instrument, event.end_time_s)
        self._are_states_new = True

    def _perpetual_settled(self, event: events.PerpetualSettled) -> None:
        self._open_interest.settle(event.instrument)

    def _delisted(self, event: events.InstrumentDelisted) -> None:
        self.states.delist(event.instrument, self.time_ns // NANOSECONDS)
        self._are_states_new = True

    def _state_changed(self, event: events.TradingStateChanged) -> None:
        self.states.order(event.scope, event.number, event.state)
        self._are_states_new = True

    def _breaker_tripped(self, event: events.BreakerTripped) -> None:
        self.states.trip(event.underlying, event.state)
        self.breakers[event.underlying] = BreakerView(
            event.state, event.level, event.index_micro, event.reference_micro, event.until_s
        )
        self._are_states_new = True

    def _breaker_released(self, event: events.BreakerReleased) -> None:
        self.states.trip(event.underlying, 0)
        del self.breakers[event.underlying]
        self._are_states_new = True

    def _fee_level_set(self, event: events.FeeLevelSet) -> None:
        self.warnings[event.underlying] = WarningView(event.level, event.maker_rate_e6)
        if not event.level:
            del self.warnings[event.underlying]
        self._are_states_new = True

    # FUNDING

    def _funding_of(self, instrument: int) -> ShownFunding:
        funding = self.funding.get(instrument)
        if funding is None:
            funding = self.funding[instrument] = ShownFunding()
        return funding

    def _funding_set(self, event: events.FundingSet) -> None:
        time_s = self.time_ns // NANOSECONDS
        self._funding_of(event.instrument).arm(event.period_s, time_s)

    def _funding_sampled(self, event: events.FundingSampled) -> None:
        self._funding_of(event.instrument).sample(event.premium_e9, event.rate_e9)

    def _funding_accrued(self, event: events.FundingAccrued) -> None:
        time_s = self.time_ns // NANOSECONDS
        self._funding_of(event.instrument).pay(event.rate_micro, time_s)

    def _bid_taken(self, event: events.AuctionBidTaken) -> None:
        for instrument, lots in event.moved:
            self._open_interest.fill(instrument, event.bidder, event.account, lots)

    def _deleveraged(self, event: events.Deleveraged) -> None:
        lots = event.quantity_lots
        self._open_interest.fill(event.instrument, event.counterparty, event.account, lots)

    def _loss_capped(self, event: events.LossCapped) -> None:
        self.states.hold(event.underlying, CANCEL_ONLY if event.lots_left else OPEN)

    def _oracle_lost(self, event: events.OracleLost) -> None:
        self.states.distrust(event.underlying, CANCEL_ONLY)
        self.oracles_lost[event.underlying] = OracleView(
            event.counting, event.quorum, event.newest_ms
        )
        self._are_states_new = True

    def _oracle_recovered(self, event: events.OracleRecovered) -> None:
        self.states.distrust(event.underlying, OPEN)
        del self.oracles_lost[event.underlying]
        self._are_states_new = True

    # WHAT IS ASKED

    def book_of(self, legs: Legs) -> int | None:
        """The book of canonical legs; None for a combo that nobody has named yet."""
        return legs[0][0] if len(legs) == 1 else self._combos.get(legs)

    def legs_of(self, book: int) -> Legs:
        return ((book, 1),) if book < COMBO_BASE else self._legs[book]

    def book(self, number: int | None) -> ShownBook:
        """A book; empty, and with no change yet, where nothing ever stood in it."""
        found = None if number is None else self.books.get(number)
        return ShownBook(-1 if number is None else number) if found is None else found

    def top(self, number: int | None) -> Top:
        book = self.book(number)
        bid_micro, bid_lots = _at(book.best(BUY))
        return Top(bid_micro, bid_lots, *_at(book.best(SELL)))

    def statistics(self, number: int | None) -> Statistics:
        day = None if number is None else self._days.get(number)
        return NOTHING_TRADED if day is None else day.at(self.time_ns)

    def open_interest_lots(self, instrument: int) -> int:
        return self._open_interest.lots(instrument)

    def state_of(self, legs: Legs) -> int:
        """The trading state in force, a combo's that of its most restrictive leg."""
        time_s = self.time_ns // NANOSECONDS
        return max(
            self.states.of_instrument(instrument, self._is_settled(instrument), time_s)
            for instrument in (self._instruments[number] for number, _ in legs)
        )

    def _is_settled(self, instrument: Instrument) -> bool:
        return instrument.expiry is not None and instrument.expiry.number in self._settled


def _at(level: ShownLevel | None) -> tuple[int | None, int]:
    return (None, 0) if level is None else (level.price_micro, level.lots)
