"""Channels of market data: a snapshot at once, then changes without a hole."""

import asyncio
import json
from typing import Any

import pytest

from exchange.events import Event, OrderReduced, OrderReplenished, OrderRepriced
from exchange.gateway_rpc.channels import Channels
from exchange.gateway_rpc.failures import Failure
from exchange.gateway_rpc.views import Catalogue
from exchange.venue import BookView, Legs, LevelView
from exchange.wallet import Wallet
from matching.orders import BUY, SELL
from settlement.signed_messages import NO_ORDER, Order, struct_hash
from tests.unit.small_venue import START_NS, SYMBOLS, SmallVenue

NO_STATES = {"states": [], "heldByClearing": [], "breakers": [], "warnings": [], "oracles": []}


class Reader:
    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []

    session = 0

    def deliver(self, payload: bytes) -> None:
        self.got.append(json.loads(payload)["params"])


def trade(venue: SmallVenue, side: int, price: int, lots: int) -> None:
    """One order straight into the venue's books, told to all as its own command."""
    order = Order(0, 0, side, 0, 0, price, lots, 10**9, 2**40, venue.sequence, NO_ORDER, ((0, 1),))
    venue.sequence += 1
    happened = venue._place(order, struct_hash(order))  # type: ignore
    assert isinstance(happened, list)
    time_ns = START_NS + venue.sequence
    venue.market_data.take(venue.sequence, time_ns, tuple(happened))
    for listener in venue.listeners:
        listener(venue.sequence, time_ns, tuple(happened))


def test_every_market_channel_begins_with_a_snapshot_and_goes_on_from_it() -> None:
    venue, reader = SmallVenue([Wallet(b"\x01" * 32)]), Reader()
    channels = Channels(venue, Catalogue(venue), 0.01)
    channels.start()
    trade(venue, SELL, 12_500_000, 4)
    symbol = SYMBOLS[0]
    names = [f"{topic}.{symbol}" for topic in ("book.l2", "book.l3", "ticker", "trades")]
    opened = channels.subscribe(reader, [*names, "trades.all", "states"])
    assert not isinstance(opened, Failure)
    l2, l3, ticker, trades, _, states = (one["data"] for one in opened)
    assert l2["asks"] == [{"price": "1250", "quantity": "0.04", "orders": 1}]
    assert l3["asks"][0]["position"] == 0
    assert (ticker["ask"], ticker["impliedVolatility"]) == ("1250", "0.500000")
    assert (trades, states) == ({"trades": []}, NO_STATES)
    trade(venue, BUY, 12_500_000, 1)
    by_name = {params["channel"]: params["data"] for params in reader.got}
    assert sorted(by_name) == sorted([*names, "trades.all"])
    levels, orders = by_name[names[0]], by_name[names[1]]
    assert levels["previousChangeId"] == l2["changeId"]
    assert levels["changes"][0]["quantity"] == "0.03"
    assert orders["changes"][0]["action"] == "change"
    assert by_name[names[2]]["last"] == by_name["trades.all"]["trades"][0]["price"] == "1250"
    channels.drop(reader)
    bad = channels.subscribe(reader, ["ticker.NO-SUCH"])
    assert isinstance(bad, Failure)
    channels.stop()


class ChangingVenue(SmallVenue):
    """Whoever asks for its book finds one lot less than the last time."""

    lots = 10

    def book(self, legs: Legs, depth: int) -> BookView:
        del depth
        self.lots -= 1
        bids = (LevelView(12_350_000, self.lots, 1),)
        return BookView(SYMBOLS[0], legs, 10_000, self.sequence, bids, ())


_NOBODY = (1, bytes(32), 0, 0, BUY)


@pytest.mark.parametrize(
    "event",
    [
        OrderReduced(*_NOBODY, 1, 8, 8, 12),
        OrderReplenished(*_NOBODY, 12_350_000, 8, 8),
        OrderRepriced(*_NOBODY, 12_350_000, 8, 8),
    ],
)
async def test_a_book_is_sent_again_whatever_changed_an_order_in_it(event: Event) -> None:
    venue, reader = ChangingVenue([Wallet(b"\x01" * 32)]), Reader()
    channels = Channels(venue, Catalogue(venue), 0.001)
    channels.start()
    opened = channels.subscribe(reader, [f"book.{SYMBOLS[0]}"])
    assert not isinstance(opened, Failure)
    assert opened[0]["data"]["bids"][0]["quantity"] == "0.09"
    for listener in venue.listeners:
        listener(1, START_NS, (event,))
    await asyncio.sleep(0.05)
    channels.stop()
    assert [told["data"]["bids"][0]["quantity"] for told in reader.got] == ["0.08"]
