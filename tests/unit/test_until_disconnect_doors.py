"""Orders until disconnect through the real doors: a WebSocket and a FIX client that go away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exchange.client import Client
from exchange.commands import UpdateMarks
from exchange.gateway_rpc.server import RpcGateway
from exchange.invariants import check
from exchange.wallet import message_json
from matching.orders import BUY, POST_ONLY, UNTIL_DISCONNECT
from matching.rejects import SESSION_NEEDED
from settlement.signed_messages import Order, order_hash
from tests.floor import BTC_INDEX, SMILE, START_S
from tests.unit.test_fix_exchange import CALL_90, DOMAIN, WALLETS, Street, Trader


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    street = Street(tmp_path)
    await street.open()
    yield street
    await street.close()
    assert check(street.exchange.state) == []


@pytest.fixture
async def door(street: Street) -> AsyncIterator[RpcGateway]:
    door = RpcGateway(street.exchange)
    await door.start()
    yield door
    await door.stop()


def an_order(street: Street, account: int = 0, flags: int = UNTIL_DISCONNECT) -> Order:
    order = Trader(street, account).order(BUY, 5_000, 3, (0, 1))
    order.flags = flags
    return order


def trader(door: RpcGateway, account: int = 0) -> Client:
    return Client(door.url, WALLETS[account], account, clock=lambda: float(START_S))


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not what():
            await asyncio.sleep(0.01)


async def test_a_websocket_that_closes_takes_its_orders_along(
    street: Street, door: RpcGateway
) -> None:
    live = street.exchange.state.orders
    async with trader(door, 1) as stays:
        await stays.place_order(an_order(street, 1))
        async with trader(door) as leaves:
            await leaves.place_order(an_order(street))
            plain = an_order(street, flags=0)
            await leaves.place_order(plain)
            assert len(live) == 3
        await until(lambda: len(live) == 2)
        assert order_hash(plain) in live
        assert {order.account for order in live.values()} == {0, 1}


async def test_a_websocket_that_breaks_off_takes_its_orders_along(
    street: Street, door: RpcGateway
) -> None:
    live = street.exchange.state.orders
    order = an_order(street)
    async with aiohttp.ClientSession() as http:
        socket = await http.ws_connect(door.url)
        await socket.send_json(request(order))
        assert "result" in await socket.receive_json()
        assert len(live) == 1
    # The client is gone with its sockets, and has not said goodbye.
    await until(lambda: not live)


def request(order: Order) -> dict[str, object]:
    signature = WALLETS[order.account].sign(order, DOMAIN).signature
    params = {"message": message_json(order), "signature": "0x" + signature.hex()}
    return {"jsonrpc": "2.0", "id": 1, "method": "order/place", "params": params}


async def test_over_http_it_is_refused(street: Street, door: RpcGateway) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"http://127.0.0.1:{door.port}/rpc", json=request(an_order(street))) as answer,
    ):
        error = (await answer.json())["error"]
    assert error["code"] == SESSION_NEEDED
    assert not street.exchange.state.orders


async def test_a_fix_session_that_logs_out_takes_its_orders_along(street: Street) -> None:
    live = street.exchange.state.orders
    async with Trader(street, 1) as stays:
        await stays.place(an_order(street, 1), CALL_90)
        async with Trader(street, 0) as leaves:
            assert (await leaves.place(an_order(street), CALL_90)).get(39) == "0"
            assert len(live) == 2
        await until(lambda: len(live) == 1)
    await until(lambda: not live)
    # Whoever logs on again is told of the cancel.
    async with Trader(street, 0) as back:
        await back.sync()


async def test_a_restart_takes_along_what_an_earlier_run_left(street: Street) -> None:
    exchange = street.exchange
    session = exchange.begin_session()
    order = an_order(street)
    await exchange.place(order, WALLETS[0].sign(order, DOMAIN).signature, session)
    assert len(exchange.state.orders) == 1
    await street.close()
    await street.open()
    await until(lambda: not street.exchange.state.orders)
    assert street.exchange.begin_session() > session


async def test_a_session_that_ended_is_none(street: Street) -> None:
    exchange = street.exchange
    sequence = exchange.state.sequence
    session = exchange.begin_session()
    await exchange.end_session(session)
    assert exchange.state.sequence == sequence, "nothing goes with it, so nothing is journaled"
    order = an_order(street)
    verdict = await exchange.place(order, WALLETS[0].sign(order, DOMAIN).signature, session)
    assert verdict.reject is not None
    assert verdict.reject.code == SESSION_NEEDED


async def test_a_stop_and_a_price_in_volatility_go_through_the_door_and_away_with_it(
    street: Street, door: RpcGateway
) -> None:
    """In the words of a person, signed, journaled, and gone with the connection."""
    state = street.exchange.state
    async with trader(door) as client:
        terms: Any = {"max_fee": "1000", "until_disconnect": True}
        await client.place(CALL_90, "buy", "9000", "0.02", volatility="35.5", **terms)
        await client.place(CALL_90, "sell", "8000", "0.02", trigger="index<=85000", **terms)
        (resting,) = state.orders.values()
        (waiting,) = state.waiting.by_hash.values()
        assert (resting.volatility_e6, resting.limit_ticks) == (355_000, 9_000)
        assert waiting.signed.conditions.trigger_price_micro == 850_000_000
        # A new mark, and the door shows the new price.
        before = resting.price_micro
        marks = ((0, BTC_INDEX * 99 // 100, *SMILE),)
        await street.exchange.submit(
            lambda time_ns, _: UpdateMarks(time_ns, 0, BTC_INDEX * 99 // 100, marks)
        )
        assert resting.price_micro < before
        top = street.exchange.market_data.top(0)
        assert top.bid_micro == resting.price_micro
    await until(lambda: not state.orders and not state.waiting.by_hash)


async def test_fix_says_post_only_and_until_disconnect_at_once(street: Street) -> None:
    async with Trader(street, 0) as session:
        order = an_order(street, flags=POST_ONLY | UNTIL_DISCONNECT)
        assert (await session.place(order, CALL_90)).get(39) == "0"
        assert street.exchange.state.orders[order_hash(order)].flags == order.flags
    await until(lambda: not street.exchange.state.orders)
