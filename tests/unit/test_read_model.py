"""What people ask about the past."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exchange import events
from exchange.engine import apply
from exchange.events import Event
from exchange.read_model import MAX_PAGE, ReadModel
from exchange.state import State
from exchange.venue import FillView
from settlement.batch import CHUNK_RECORDS, Batch, Header, encode_batch
from settlement.leaves import withdrawal_payload
from settlement.records import PADDING_RECORD, withdrawal_requested_record
from settlement.tree import Tree
from tests.floor import BUY, CALL_90, SELL, open_floor
from tests.published import Published

FLOOR = open_floor()


def a_fill(trade: int, taker_buys: bool = True, maker: int = 0, taker: int = 1) -> Event:
    """A real fill's event, with other numbers."""
    values: dict[str, Any] = {"trade": trade, "taker_buys": taker_buys}
    values |= {"maker": maker, "taker": taker}
    return events.OrderFilled(**(TEMPLATE | values))


def _template() -> dict[str, Any]:
    floor = open_floor(watched=False)
    floor.sell(0, floor.near(CALL_90), 1, CALL_90)
    happened = floor.buy(1, floor.near(CALL_90), 1, CALL_90)
    (fill,) = [event for event in happened if isinstance(event, events.OrderFilled)]
    return {name: getattr(fill, name) for name in fill.__struct_fields__}


TEMPLATE = _template()


def all_fills(model: ReadModel, account: int, limit: int) -> list[FillView]:
    """By pages, as a client asks."""
    found: list[FillView] = []
    since = 0
    while True:
        page = model.fills(account, since, limit)
        assert page.next_since >= since
        sequences = {fill.sequence for fill in page.fills}
        assert not sequences & {fill.sequence for fill in found}, "a command was split"
        found += page.fills
        if not page.truncated:
            return found
        assert page.next_since > since, "a page that does not advance"
        since = page.next_since


def test_both_sides_of_a_fill_are_kept() -> None:
    model = ReadModel(FLOOR.state.instruments)
    model.take(9, 77, [a_fill(3)])
    (maker,), (taker,) = model.fills(0, 0, 10).fills, model.fills(1, 0, 10).fills
    assert (maker.side, maker.is_maker, taker.side, taker.is_maker) == (SELL, True, BUY, False)
    assert maker.symbol == taker.symbol == FLOOR.state.instruments[CALL_90].symbol
    assert (maker.sequence, maker.time_ns, maker.trade) == (9, 77, 3)
    assert model.fills(2, 0, 10).fills == ()


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(-3, 12))
def test_pages_together_are_everything_once_and_split_no_command(
    fills_by_command: Sequence[int], limit: int
) -> None:
    model = ReadModel(FLOOR.state.instruments)
    trade = 0
    for sequence, count in enumerate(fills_by_command, start=1):
        happened = [a_fill(trade + n) for n in range(count)]
        trade += count
        model.take(sequence, sequence, happened)
    for account in (0, 1):
        assert [fill.trade for fill in all_fills(model, account, limit)] == list(range(trade))


def test_a_page_has_an_end_however_much_is_asked_for() -> None:
    model = ReadModel(FLOOR.state.instruments)
    for sequence in range(1, MAX_PAGE + 2):
        model.take(sequence, sequence, [a_fill(sequence)])
    page = model.fills(0, 0, 10**9)
    assert (len(page.fills), page.truncated) == (MAX_PAGE, True)
    assert model.fills(0, MAX_PAGE, 10**9).truncated is False


def a_batch_of(withdrawals: int) -> bytes:
    """An encoded batch that carries so many withdrawals."""
    zero = bytes(32)
    header = Header(1, zero, zero, zero, zero, 0, 0, zero, 0, 0, 0, 0)
    made = [withdrawal_requested_record(0, 0, 5 + n, n) for n in range(withdrawals)]
    records = b"".join([*made, *[PADDING_RECORD] * (CHUNK_RECORDS - withdrawals)])
    return encode_batch(Batch(header, (bytes(32),), records))


def test_a_withdrawal_that_waits_for_the_next_batch_is_not_claimable() -> None:
    """A batch may not hold all that was asked before it was cut."""
    model = ReadModel(State().instruments)
    asked = [events.WithdrawalRequested(0, 0, 5 + n, n, 0) for n in range(3)]
    model.take(1, 1, [events.AccountOpened(0, b"\1" * 20), *asked])
    model.take(2, 2, [events.BatchCut(1, bytes(32), 2, a_batch_of(2))])
    model.take(3, 3, [events.BatchConfirmed(1, 7, bytes(32))])
    assert [model.siblings(n) is not None for n in range(3)] == [True, True, False]


def test_a_withdrawal_can_be_proved_once_its_batch_is_confirmed_and_not_before() -> None:
    state = State()
    model = ReadModel(state.instruments)
    opened = [events.AccountOpened(0, b"\1" * 20)]
    asked = [events.WithdrawalRequested(0, 0, 5 + n, n, 0) for n in range(3)]
    model.take(1, 1, [*opened, *asked[:2]])
    assert model.siblings(0) is None
    first = a_batch_of(2)
    model.take(2, 2, [events.BatchCut(1, bytes(32), 1, first)])
    model.take(3, 3, [asked[2]])
    assert model.siblings(0) is None
    assert model.batches == {1: first}
    model.take(4, 4, [events.BatchConfirmed(1, 7, bytes(32))])
    assert (model.confirmed, model.batches) == (1, {})
    assert model.siblings(2) is None
    twin = Tree()
    for n in range(2):
        twin.set(n, withdrawal_payload(0, b"\1" * 20, 0, 5 + n))
    assert [model.siblings(n) for n in range(2)] == [
        tuple(twin.proof(n).siblings) for n in range(2)
    ]


def test_it_is_a_function_of_the_events() -> None:
    """Built live and built from the journal it is the same: nothing else flows in."""
    published = Published()
    models: list[ReadModel] = []
    for _ in range(2):
        state = State()
        model = ReadModel(state.instruments)
        for command in published.commands():
            happened = apply(state, command)
            model.take(state.sequence, state.time_ns, happened)
        models.append(model)
    for account in range(3):
        assert models[0].fills(account, 0, 99) == models[1].fills(account, 0, 99)
    assert models[0].trades == 4
    assert models[0].withdrawals == models[1].withdrawals
    assert models[0].claimed == {0: 1_000_000}
    assert models[0].confirmed == 3
    assert models[0].batches == {}
