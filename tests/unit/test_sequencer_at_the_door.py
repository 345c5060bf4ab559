"""The sequencer as a trader meets it: too many wait, or the disk is gone."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from exchange import service
from exchange.journal.writer import Group
from exchange.service import Exchange
from exchange.state_digest import state_hash
from matching.rejects import MALFORMED, VENUE_BUSY, VENUE_STOPPING, Reject
from settlement.signed_messages import Cancel
from tests.trading_process import OPERATOR_KEY, clock, open_exchange, signed_orders


@pytest_asyncio.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    opened = Exchange.open(tmp_path, OPERATOR_KEY, clock=clock, fsync=False)
    opened.start()
    await open_exchange(opened)
    yield opened
    if opened.sequencer.failure is None:
        await opened.stop()
    opened.journal.close()


async def test_beyond_what_may_wait_a_message_is_refused_at_once(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_WAITING", 2)
    disk_is_slow = threading.Event()
    write = exchange.journal.write

    def slow(group: Group) -> int:
        disk_is_slow.wait(30)
        return write(group)

    monkeypatch.setattr(exchange.journal, "write", slow)
    orders = list(signed_orders(4))
    under_way = [asyncio.create_task(exchange.place(*orders[0]))]
    await asyncio.sleep(0.05)
    under_way += [asyncio.create_task(exchange.place(*signed)) for signed in orders[1:3]]
    await asyncio.sleep(0.05)
    refused = await exchange.place(*orders[3])
    assert refused.reject is not None
    assert (refused.reject.code, refused.reject.got) == (VENUE_BUSY, 2)
    assert (refused.sequence, refused.acknowledgement) == (0, None)
    assert not any(task.done() for task in under_way), "nothing is answered before it is durable"
    disk_is_slow.set()
    verdicts = await asyncio.gather(*under_way)
    assert all(verdict.reject is None for verdict in verdicts)
    assert (await exchange.place(*orders[3])).reject is None


async def test_a_disk_that_fails_refuses_the_order_and_every_one_after(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Group) -> int:
        raise OSError(28, "No space left on device")

    heard: list[int] = []
    exchange.listen(lambda sequence, _time, _events: heard.append(sequence))
    before = state_hash(exchange.state)
    monkeypatch.setattr(exchange.journal, "write", full)
    for signed in signed_orders(2):
        verdict = await exchange.place(*signed)
        assert verdict.reject is not None
        assert verdict.reject.code == VENUE_STOPPING
        assert verdict.acknowledgement is None
    assert (state_hash(exchange.state), heard) == (before, [])
    assert exchange.sequencer.failed.is_set()
    with pytest.raises(OSError, match="No space"):
        await exchange.stop()


async def test_a_listener_that_left_hears_nothing_more(exchange: Exchange) -> None:
    heard: list[int] = []
    leave = exchange.listen(lambda sequence, _time, _events: heard.append(sequence))
    first, second = signed_orders(2)
    verdict = await exchange.place(*first)
    assert heard == [verdict.sequence], "heard before the caller was answered"
    leave()
    leave()
    await exchange.place(*second)
    assert heard == [verdict.sequence]


async def test_a_door_that_breaks_on_an_event_is_dropped_and_trading_goes_on(
    exchange: Exchange,
) -> None:
    heard: list[int] = []

    def broken(sequence: int, time_ns: int, happened: object) -> None:
        heard.append(sequence)
        raise OSError("the door's disk is full")

    exchange.listen(broken)
    orders = list(signed_orders(2))
    for signed in orders:
        assert (await exchange.place(*signed)).reject is None
    assert len(heard) == 1
    assert exchange.sequencer.failure is None


@pytest.mark.parametrize("size", [0, 31, 33])
async def test_a_hash_of_another_length_is_refused_before_anything_is_signed_over_it(
    exchange: Exchange, size: int
) -> None:
    """Packing would fill it up, so that a signature over other bytes would seem right."""
    sequence = exchange.state.sequence
    cancelled = await exchange.cancel(Cancel(0, bytes(size)), bytes(65))
    order, signature = next(iter(signed_orders(1)))
    order.replaces = bytes(size)
    placed = await exchange.place(order, signature)
    for verdict in (cancelled, placed):
        assert verdict.reject == Reject(MALFORMED, size)
    assert exchange.state.sequence == sequence
