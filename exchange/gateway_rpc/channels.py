"""Subscriptions: what connections follow, and the one listener that feeds them all.

Holds: a subscription begins with a snapshot and goes on without a hole: each update names its
sequence and the sequence of the update before it on the channel, so a reader that finds a
`previousSequence` above what it has seen knows that it missed something. An update is encoded
once, however many follow the channel. Books are sent whole and at most every `book_interval_s`;
account events and trades are sent at once and completely.
Never: waits for a reader (`Subscriber.deliver` only queues).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from exchange.events import (
    ComboFilled,
    Event,
    OrderCancelled,
    OrderFilled,
    OrderReduced,
    OrderReplenished,
    OrderRepriced,
    OrderRested,
)
from exchange.gateway_rpc.event_views import (
    accounts_of,
    own_events,
    public_liquidations,
    public_trades,
)
from exchange.gateway_rpc.failures import INVALID_PARAMS, Failure, malformed, refused
from exchange.gateway_rpc.liquidation_views import auction_json, clearing_json
from exchange.gateway_rpc.market_views import MarketViews
from exchange.gateway_rpc.views import (
    Catalogue,
    Json,
    book_json,
    margin_json,
    order_json,
    position_json,
)
from exchange.venue import Legs, Venue
from matching.combos import canonical_legs
from matching.rejects import UNKNOWN_INSTRUMENT, Reject

BOOK_DEPTH: Final = 20
TRADES_KEPT: Final = 100
CHANNELS_EACH: Final = 1_000
TRADES: Final = "trades"
STATES: Final = "states"
LIQUIDATIONS: Final = "liquidations"
OF_LEVELS: Final = "book.l2."
OF_ORDERS: Final = "book.l3."
OF_TICKER: Final = "ticker."
OF_TRADES: Final = "trades."
MARKET_TOPICS: Final = (OF_LEVELS, OF_ORDERS, OF_TICKER, OF_TRADES)


class Subscriber(Protocol):
    """A connection that follows channels; `session` is its number at the venue."""

    @property
    def session(self) -> int: ...

    def deliver(self, payload: bytes) -> None:
        """Queues a message to be sent."""
        ...


class _Channel:
    """Who follows a channel, in the order in which they came, and its last sequence."""

    __slots__ = ("last_sequence", "name", "subscribers")

    def __init__(self, name: str, sequence: int) -> None:
        self.name = name
        self.last_sequence = sequence
        self.subscribers: dict[Subscriber, None] = {}

    def publish(self, sequence: int, data: Json) -> None:
        params = {
            "channel": self.name,
            "sequence": sequence,
            "previousSequence": self.last_sequence,
            "data": data,
        }
        self.last_sequence = sequence
        payload = msgspec.json.encode(
            {"jsonrpc": "2.0", "method": "subscription", "params": params}
        )
        for subscriber in list(self.subscribers):
            subscriber.deliver(payload)


class _BookChannel(_Channel):
    __slots__ = ("legs", "sent")

    def __init__(self, name: str, sequence: int, legs: Legs) -> None:
        super().__init__(name, sequence)
        self.legs = legs
        self.sent: Json = {}


class _MarketChannel(_Channel):
    """A channel of market data: `topic` of canonical `legs`, or of everything."""

    __slots__ = ("legs", "sent", "topic")

    def __init__(self, name: str, sequence: int, topic: str, legs: Legs | None) -> None:
        super().__init__(name, sequence)
        self.topic = topic
        self.legs = legs
        self.sent: Json = {}


class Channels:
    """All channels of the door. `start` and `stop` bracket its listening to the venue."""

    def __init__(self, venue: Venue, catalogue: Catalogue, book_interval_s: float) -> None:
        self._venue = venue
        self._catalogue = catalogue
        self._book_interval_s = book_interval_s
        self._channels: dict[str, _Channel] = {}
        self._accounts: dict[int, _Channel] = {}
        self._books: dict[Legs, _BookChannel] = {}
        self._followed: dict[Subscriber, dict[str, None]] = {}
        self._stale: dict[Legs, None] = {}
        self._views = MarketViews(venue, catalogue)
        self._market: dict[str, _MarketChannel] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._recent: deque[Json] = deque(maxlen=TRADES_KEPT)
        self._end_listening: Callable[[], None] | None = None

    def start(self) -> None:
        self._end_listening = self._venue.listen(self._take)

    def stop(self) -> None:
        """Ends the listening, if it had begun."""
        if self._end_listening is not None:
            self._end_listening()
            self._end_listening = None
        if self._flush is not None:
            self._flush.cancel()

    # Subscribing

    def subscribe(self, subscriber: Subscriber, names: Sequence[str]) -> list[Json] | Failure:
        """Snapshots of all channels, in order; or what is wrong with the first bad one, and then
        none is followed.
        """
        if len(self._followed.get(subscriber, {})) + len(names) > CHANNELS_EACH:
            sentence = f"a connection follows at most {CHANNELS_EACH} channels"
            return malformed(INVALID_PARAMS, sentence, "$.channels")
        opened: list[tuple[_Channel, Json]] = []
        for name in names:
            channel = self._open(name)
            if isinstance(channel, Failure):
                for other, _ in opened:
                    self._close_if_empty(other)
                return channel
            snapshot = self._snapshot(channel)
            if isinstance(snapshot, Reject):
                for other in (*(other for other, _ in opened), channel):
                    self._close_if_empty(other)
                return refused(snapshot, channel=name)
            opened.append((channel, snapshot))
        followed = self._followed.setdefault(subscriber, {})
        for channel, _ in opened:
            channel.subscribers[subscriber] = None
            followed[channel.name] = None
        sequence = self._venue.status().sequence
        return [
            {"channel": channel.name, "sequence": sequence, "data": snapshot}
            for channel, snapshot in opened
        ]

    def unsubscribe(self, subscriber: Subscriber, names: Sequence[str]) -> list[str]:
        """The channels that the subscriber followed and no longer does."""
        followed = self._followed.get(subscriber, {})
        left = list(dict.fromkeys(name for name in names if name in followed))
        for name in left:
            del followed[name]
            channel = self._channels[name]
            del channel.subscribers[subscriber]
            self._close_if_empty(channel)
        return left

    def drop(self, subscriber: Subscriber) -> None:
        """Ends all that a connection followed."""
        self.unsubscribe(subscriber, list(self._followed.get(subscriber, {})))
        self._followed.pop(subscriber, None)

    def _open(self, name: str) -> _Channel | Failure:
        if name in (TRADES, LIQUIDATIONS):
            return self._channel(name)
        for topic in MARKET_TOPICS:
            if name.startswith(topic) and len(name) > len(topic):
                return self._open_market(topic, name, name[len(topic) :])
        if name == STATES:
            return self._market_channel(STATES, STATES, None)
        topic, _, rest = name.partition(".")
        if topic == "account":
            number, _, kind = rest.partition(".")
            if kind == "events" and number.isascii() and number.isdigit() and len(number) <= 10:
                channel = self._channel(f"account.{int(number)}.events")
                self._accounts[int(number)] = channel
                return channel
        if topic == "book" and rest:
            return self._open_book(name, rest)
        return malformed(
            INVALID_PARAMS,
            f"no channel {name[:60]!r}: use trades, liquidations, book.<symbol> or "
            "account.<number>.events",
            "$.channels",
        )

    def _open_market(self, topic: str, name: str, symbol: str) -> _Channel | Failure:
        if topic == OF_TRADES and symbol == "all":
            return self._market_channel(name, topic, None)
        legs = self._venue.resolve(symbol)
        if isinstance(legs, Reject):
            return refused(legs, channel=name)
        legs, _, _ = canonical_legs(legs)
        if not legs:
            return refused(Reject(UNKNOWN_INSTRUMENT, -1, 0), channel=name)
        return self._market_channel(topic + self._venue.symbol_of(legs), topic, legs)

    def _market_channel(self, name: str, topic: str, legs: Legs | None) -> _Channel:
        channel = self._market.get(name)
        if channel is None:
            channel = _MarketChannel(name, self._venue.status().sequence, topic, legs)
            self._channels[name] = self._market[name] = channel
        return channel

    def _market_snapshot(self, channel: _MarketChannel) -> Json:
        legs, views = channel.legs, self._views
        if channel.topic == STATES:
            return views.states()
        if channel.topic == OF_TRADES:
            return views.trades(legs, TRADES_KEPT)
        assert legs is not None, "all other topics are of a symbol"
        if channel.topic == OF_LEVELS:
            return views.book_l2(legs)
        if channel.topic == OF_ORDERS:
            return views.book_l3(legs)
        channel.sent = views.ticker(legs)
        return channel.sent

    def _publish_market(self, sequence: int) -> None:
        """What the last command changed, to who follows it; a ticker where it differs."""
        market, views = self._venue.market(), self._views
        latest = market.latest
        if latest.sequence != sequence:
            return
        for channel in list(self._market.values()):
            legs, topic = channel.legs, channel.topic
            if topic == STATES:
                if latest.are_states_new:
                    channel.publish(sequence, views.states())
                continue
            if topic == OF_TRADES:
                book = None if legs is None else market.book_of(legs)
                trades = [views.trade(t) for t in latest.trades if legs is None or t.book == book]
                if trades:
                    channel.publish(sequence, {"trades": trades})
                continue
            assert legs is not None, "all other topics are of a symbol"
            if topic == OF_TICKER:
                ticker = views.ticker(legs)
                if ticker != channel.sent:
                    channel.sent = ticker
                    channel.publish(sequence, ticker)
                continue
            book = market.book_of(legs)
            for change in latest.books:
                if change.book == book:
                    make = views.change_l2 if topic == OF_LEVELS else views.change_l3
                    channel.publish(sequence, make(legs, change))

    def _open_book(self, name: str, symbol: str) -> _Channel | Failure:
        legs = self._venue.resolve(symbol)
        if isinstance(legs, Reject):
            return refused(legs, channel=name)
        legs, _, _ = canonical_legs(legs)
        if not legs:
            return refused(Reject(UNKNOWN_INSTRUMENT, -1, 0), channel=name)
        if legs not in self._books:
            channel = _BookChannel(
                f"book.{self._venue.symbol_of(legs)}", self._venue.status().sequence, legs
            )
            self._books[legs] = channel
            self._channels[channel.name] = channel
        return self._books[legs]

    def _channel(self, name: str) -> _Channel:
        if name not in self._channels:
            self._channels[name] = _Channel(name, self._venue.status().sequence)
        return self._channels[name]

    def _close_if_empty(self, channel: _Channel) -> None:
        if channel.subscribers or self._channels.get(channel.name) is not channel:
            return
        del self._channels[channel.name]
        if isinstance(channel, _MarketChannel):
            del self._market[channel.name]
        elif isinstance(channel, _BookChannel):
            del self._books[channel.legs]
        elif channel.name not in (TRADES, LIQUIDATIONS):
            del self._accounts[int(channel.name.split(".")[1])]

    def _snapshot(self, channel: _Channel) -> Json | Reject:
        if isinstance(channel, _MarketChannel):
            return self._market_snapshot(channel)
        if isinstance(channel, _BookChannel):
            book = self._book(channel.legs)
            if not isinstance(book, Reject):
                channel.sent = channel.sent or book
            return book
        if channel.name == TRADES:
            return {"trades": list(self._recent)}
        if channel.name == LIQUIDATIONS:
            return {
                "clearing": clearing_json(self._venue.clearing()),
                "auctions": [auction_json(v, self._catalogue) for v in self._venue.auctions()],
            }
        return self._account(int(channel.name.split(".")[1]))

    def _book(self, legs: Legs) -> Json | Reject:
        view = self._venue.book(legs, BOOK_DEPTH)
        if isinstance(view, Reject):
            return view
        return book_json(view, self._catalogue.lot_of_legs(legs))

    def _account(self, account: int) -> Json | Reject:
        venue, catalogue = self._venue, self._catalogue
        margin, counter = venue.margin(account), venue.counter_of(account)
        positions, orders = venue.positions(account), venue.orders(account)
        for view in (margin, counter, positions, orders):
            if isinstance(view, Reject):
                return view
        assert not isinstance(margin, Reject)
        assert not isinstance(counter, Reject)
        assert not isinstance(positions, Reject)
        assert not isinstance(orders, Reject)
        return {
            "margin": margin_json(margin, counter),
            "positions": [
                position_json(view, catalogue.lot_e8(view.instrument)) for view in positions
            ],
            "orders": [order_json(view, catalogue.lot_of_legs(view.legs)) for view in orders],
        }

    # Publishing

    def _take(self, sequence: int, time_ns: int, happened: tuple[Event, ...]) -> None:
        """The venue's listener."""
        trades = public_trades(happened, self._catalogue)
        if trades:
            for trade in trades:
                self._recent.append({"sequence": sequence, "timeNs": str(time_ns)} | trade)
            channel = self._channels.get(TRADES)
            if channel is not None:
                channel.publish(sequence, {"timeNs": str(time_ns), "trades": trades})
        channel = self._channels.get(LIQUIDATIONS)
        if channel is not None:
            told = public_liquidations(happened, self._catalogue)
            if told:
                channel.publish(sequence, {"timeNs": str(time_ns), "events": told})
        if self._accounts:
            for account in accounts_of(happened):
                channel = self._accounts.get(account)
                if channel is not None:
                    own = own_events(happened, account, self._catalogue)
                    channel.publish(sequence, {"timeNs": str(time_ns), "events": own})
        if self._books:
            self._mark_stale(happened)
        if self._market:
            self._publish_market(sequence)

    def _mark_stale(self, happened: tuple[Event, ...]) -> None:
        for event in happened:
            if isinstance(
                event,
                OrderRested
                | OrderReduced
                | OrderReplenished
                | OrderRepriced
                | OrderCancelled
                | ComboFilled,
            ):
                legs = self._catalogue.legs(event.book)
            elif isinstance(event, OrderFilled):
                legs = ((event.instrument, 1),)
            else:
                continue
            if legs in self._books:
                self._stale[legs] = None
        if self._stale and self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(self._book_interval_s, self._publish_books)

    def _publish_books(self) -> None:
        self._flush = None
        stale, self._stale = self._stale, {}
        for legs in stale:
            channel = self._books.get(legs)
            if channel is None:
                continue
            book = self._book(legs)
            if isinstance(book, Reject):
                continue
            sent, channel.sent = channel.sent, book
            if (sent.get("bids"), sent.get("asks")) != (book["bids"], book["asks"]):
                channel.publish(book["sequence"], book)
