"""Mass quotes through the engine against their slow twin: places, trades and what was refused."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.events import Event
from matching.orders import BUY, POST_ONLY, SELL
from tests.floor import CALL_90, PUT_90, Floor, of_type, open_floor
from tests.model.mass_quotes import Quote, Rests, Side, SlowQuotes

TICK = 10_000
BOOKS = (CALL_90, PUT_90)
BASE = 93_000_000
CASH_MICRO = 10**14


class Message(NamedTuple):
    account: int
    label: int
    post_only: bool
    quotes: list[tuple[int, int, int, int, int]]  # book, bid, lots, ask, lots


class Plain(NamedTuple):
    account: int
    book: int
    side: int
    price: int
    lots: int


def prices(low: int, high: int) -> st.SearchStrategy[int]:
    """Mostly on the tick; else half a tick beside it, or nothing."""
    good = st.integers(low, high).map(lambda ticks: BASE + ticks * TICK)
    return st.one_of(good, good, good, good, st.just(BASE + TICK // 2), st.just(0))


lots = st.integers(0, 4)
quotes = st.tuples(st.sampled_from(BOOKS), prices(-3, 2), lots, prices(-1, 3), lots)
messages = st.builds(
    Message,
    st.integers(0, 2),
    st.integers(1, 2),
    st.sampled_from((False, False, True)),
    st.lists(quotes, min_size=1, max_size=3),
)
plains = st.builds(
    Plain,
    st.integers(0, 2),
    st.sampled_from(BOOKS),
    st.integers(0, 1),
    st.integers(-3, 3).map(lambda ticks: BASE + ticks * TICK),
    st.integers(1, 6),
)
again = st.integers(0, 5)
"""Send that message once more, as it was."""


def traded(events: tuple[Event, ...]) -> list[tuple[int, int, int, int, int]]:
    return [
        (fill.instrument, fill.taker, fill.maker, fill.price_micro, fill.quantity_lots)
        for fill in of_type(events, e.OrderFilled)
    ]


def resting(floor: Floor, book: int, side: int) -> list[tuple[int, int, int]]:
    orders = floor.state.books[book].orders(side)
    return [(order.account, order.price_micro, order.remaining_lots) for order in orders]


def send(floor: Floor, twin: SlowQuotes, message: Message) -> None:
    flags = POST_ONLY if message.post_only else 0
    events = floor.quote(message.account, message.quotes, label=message.label, flags=flags)
    twin.trades.clear()
    asked = [
        Quote(book, Side(BUY, bid, bid_lots), Side(SELL, ask, ask_lots))
        for book, bid, bid_lots, ask, ask_lots in message.quotes
    ]
    refused = twin.message(message.account, message.label, message.post_only, asked)
    told = [(event.index, event.side) for event in of_type(events, e.QuoteRejected)]
    assert told == refused
    assert traded(events) == twin.trades
    (taken,) = of_type(events, e.QuotesTaken)
    count = 2 * len(message.quotes)
    assert (taken.taken, taken.refused) == (count - len(refused), len(refused))


def place(floor: Floor, twin: SlowQuotes, plain: Plain) -> None:
    send_side = floor.buy if plain.side == BUY else floor.sell
    events = send_side(plain.account, plain.price, plain.lots, plain.book)
    twin.trades.clear()
    twin.meet(plain.book, Rests(plain.account, None, plain.side, plain.price, plain.lots))
    assert traded(events) == twin.trades


@settings(max_examples=120, deadline=None)
@given(program=st.lists(st.one_of(messages, messages, plains, again), min_size=1, max_size=14))
def test_quotes_do_what_the_twin_does(program: list[Message | Plain | int]) -> None:
    floor = open_floor(3, CASH_MICRO)
    twin = SlowQuotes(list(BOOKS), TICK)
    sent: list[Message] = []
    for act in program:
        if isinstance(act, Plain):
            place(floor, twin, act)
        else:
            if isinstance(act, int) and not sent:
                continue
            sent.append(sent[act % len(sent)] if isinstance(act, int) else act)
            send(floor, twin, sent[-1])
        for book in BOOKS:
            for side in (BUY, SELL):
                wanted = [(one.account, one.price, one.lots) for one in twin.queue(book, side)]
                assert resting(floor, book, side) == wanted
