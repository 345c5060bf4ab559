"""The client against a real door on loopback, and against doors that lie, break and vanish."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from exchange.client import BadAcknowledgement, Client, ConnectionLost, Refused
from exchange.drafting import BadTerms, Terms
from exchange.gateway_rpc import RpcGateway
from exchange.subscription import Subscription, Update
from exchange.venue import Acknowledgement
from exchange.wallet import SigningDomain, Wallet
from matching import rejects
from settlement.signed_messages import Acknowledgement as SignedAcknowledgement
from settlement.signed_messages import Order, struct_hash
from tests.unit.small_venue import DOMAIN, SYMBOLS, SmallVenue

ALICE, BOB, MALLORY = (Wallet(bytes((i,)) * 32) for i in (1, 2, 3))
SPREAD = f"+1 {SYMBOLS[0]}, -1 {SYMBOLS[1]}"


@pytest.fixture
async def venue() -> SmallVenue:
    return SmallVenue([ALICE, BOB])


@pytest.fixture
async def gateway(venue: SmallVenue) -> AsyncIterator[RpcGateway]:
    gateway = RpcGateway(venue)
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
async def alice(gateway: RpcGateway) -> AsyncIterator[Client]:
    async with client(gateway) as alice:
        yield alice


def client(gateway: RpcGateway, wallet: Wallet = ALICE, account: int = 0) -> Client:
    return Client(gateway.url, wallet, account, first_retry_seconds=0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def nothing_more(subscription: Subscription) -> None:
    with pytest.raises(TimeoutError):
        await next_update(subscription, 0.05)


async def next_update(subscription: Subscription, seconds: float = 5) -> Update:
    return await asyncio.wait_for(anext(subscription), seconds)


# Trading -----------------------------------------------------------------------------------------


async def test_two_traders_meet(alice: Client, gateway: RpcGateway, venue: SmallVenue) -> None:
    placed = await alice.place(SYMBOLS[0], "buy", "1235", "0.25")
    assert placed.sequence == 1
    assert placed.message_hash in venue.live
    assert (await alice.order_status(placed.message_hash) or {})["remaining"] == "0.25"
    async with client(gateway, BOB, 1) as bob:
        taken = await bob.place(SYMBOLS[0], "sell", "1200", "0.25", time_in_force="IOC")
        assert [event["event"] for event in taken.events] == ["orderPlaced", "orderFilled"]
        assert taken.events[1]["price"] == "1235"
        assert (await bob.positions())[0]["quantity"] == "-0.25"
    assert await alice.order_status(placed.message_hash) is None
    assert [fill["isMaker"] for fill in await alice.fills()] == [True]
    assert (await alice.margin())["cash"] == "691.2499"
    assert await alice.orders() == []
    assert (await alice.status())["sequence"] == 2


async def test_combos_written_from_both_ends_meet_in_one_book(
    alice: Client, gateway: RpcGateway
) -> None:
    await alice.place(SPREAD, "buy", "420", "0.1")
    async with client(gateway, BOB, 1) as bob:
        mirror = f"-1 {SYMBOLS[0]}, +1 {SYMBOLS[1]}"
        taken = await bob.place(mirror, "buy", "-420", "0.1")
    assert taken.events[-1]["event"] == "comboFilled"
    assert taken.events[-1]["price"] == "420"
    book = await alice.book("+1*" + SYMBOLS[0] + ",-1*" + SYMBOLS[1])
    assert (book["bids"], book["asks"]) == ([], [])


async def test_cancel_replace_cancel_all_and_withdraw(alice: Client, venue: SmallVenue) -> None:
    first = await alice.place(SYMBOLS[0], "buy", "1235", "0.25")
    second = await alice.place(SYMBOLS[0], "buy", "1236", "0.25", replaces=first.message_hash)
    assert list(venue.live) == [second.message_hash]
    await alice.cancel(second.message_hash)
    assert venue.live == {}
    await alice.place(SYMBOLS[0], "buy", "1235", "0.25")
    await alice.cancel_all()
    assert (venue.live, alice.counter) == ({}, 1)
    await alice.place(SYMBOLS[0], "buy", "1235", "0.25")
    withdrawn = await alice.withdraw("12.5")
    assert withdrawn.events[0]["amount"] == "12.5"
    assert (await alice.withdrawals())[0]["amountMicro"] == "12500000"
    with pytest.raises(BadTerms):
        await alice.withdraw("0.0000001")


async def test_a_refusal_carries_its_number_and_facts(alice: Client, gateway: RpcGateway) -> None:
    with pytest.raises(Refused, match="1001000000 micro-USDC asked") as refused:
        await alice.withdraw("1001")
    assert refused.value.code == rejects.WITHDRAWAL_TOO_LARGE
    async with client(gateway, MALLORY, 0) as mallory:
        with pytest.raises(Refused) as refused:
            await mallory.place(SYMBOLS[0], "buy", "1", "1")
    assert refused.value.code == rejects.WRONG_SIGNER
    assert refused.value.data["recoveredSigner"] == "0x" + MALLORY.address.hex()


async def test_the_counter_is_learnt_at_the_start_and_from_a_refusal(
    alice: Client, gateway: RpcGateway, venue: SmallVenue
) -> None:
    venue.counters[0] = 5
    with pytest.raises(Refused) as refused:
        await alice.place(SYMBOLS[0], "buy", "1235", "0.25")
    assert refused.value.code == rejects.COUNTER_CANCELLED
    await alice.place(SYMBOLS[0], "buy", "1235", "0.25")
    async with client(gateway) as again:
        assert again.counter == 5


async def test_a_client_without_a_wallet_or_account_only_reads(gateway: RpcGateway) -> None:
    async with Client(gateway.url) as reader:
        assert len(await reader.instruments()) == len(SYMBOLS)
        with pytest.raises(BadTerms):
            await reader.place(SYMBOLS[0], "buy", "1", "1")
    async with Client(gateway.url, account=0) as reader:
        with pytest.raises(BadTerms):
            await reader.place(SYMBOLS[0], "buy", "1", "1")
    async with Client(gateway.url, ALICE, account=77) as early:
        assert early.counter == 0


async def test_an_exchange_that_is_not_the_expected_one_is_left(gateway: RpcGateway) -> None:
    other = SigningDomain(1, DOMAIN.settlement)
    with pytest.raises(BadTerms, match="another exchange"):
        await Client(gateway.url, expected=other).__aenter__()
    async with Client(gateway.url, expected=DOMAIN) as reader:
        assert reader.domain == DOMAIN


async def test_nobody_there_is_an_error_at_the_start() -> None:
    with pytest.raises(OSError):
        await Client("ws://127.0.0.1:1/ws").__aenter__()


@pytest.mark.parametrize("lie", ["another key", "another order", "another sequence", "no word"])
async def test_an_acknowledgement_that_the_operator_did_not_sign_is_not_believed(
    alice: Client, venue: SmallVenue, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = venue._acknowledge

    def lying(sequence: int, message_hash: bytes) -> Acknowledgement | None:
        if lie == "no word":
            return None
        if lie == "another order":
            return honest(sequence, bytes(32))
        if lie == "another sequence":
            return honest(sequence + 1, message_hash)
        word = honest(sequence, message_hash)
        message = SignedAcknowledgement(sequence, message_hash, word.journal_hash)
        signature = BOB.sign(message, DOMAIN).signature
        return Acknowledgement(sequence, message_hash, word.journal_hash, signature)

    monkeypatch.setattr(venue, "_acknowledge", lying)
    with pytest.raises(BadAcknowledgement):
        await alice.place(SYMBOLS[0], "buy", "1235", "0.25")


# Following ---------------------------------------------------------------------------------------


async def test_an_account_is_followed_across_a_broken_connection_without_a_hole(
    alice: Client, gateway: RpcGateway, venue: SmallVenue
) -> None:
    events = await alice.follow_account()
    first = await next_update(events)
    assert (first.is_snapshot, first.missed_fills) == (True, ())
    await alice.place(SYMBOLS[0], "buy", "1235", "0.25")
    resting = await next_update(events)
    assert [event["event"] for event in resting.data["events"]] == ["orderPlaced", "orderRested"]

    await gateway.stop()
    await until(lambda: not alice._ready.is_set())
    # While Alice is away, Bob trades with her.
    draft = alice.markets.draft(Terms(SYMBOLS[0], "sell", "1235", "0.10"), 1, 0, 1_768_521_600, 5)
    verdict = await venue.place(draft, BOB.sign(draft, DOMAIN).signature)
    assert verdict.reject is None
    again = RpcGateway(venue, port=gateway.port)
    await again.start()

    resumed = await next_update(events)
    assert resumed.is_snapshot
    assert [fill["sequence"] for fill in resumed.missed_fills] == [verdict.sequence]
    assert resumed.data["orders"][0]["remaining"] == "0.15"
    await alice.place(SYMBOLS[0], "buy", "1", "0.01")
    after = await next_update(events)
    assert (after.is_snapshot, after.sequence) == (False, 3)
    await nothing_more(events)
    await again.stop()


async def test_books_and_trades_are_followed(alice: Client, venue: SmallVenue) -> None:
    book = await alice.follow(f"book.{SPREAD}")
    assert book.channel == "book.BTC-CS-27MAR26-90000_100000"
    assert (await next_update(book)).data["bids"] == []
    assert await alice.follow(f"book.-1 {SYMBOLS[0]}, 1 {SYMBOLS[1]}") is book
    assert await alice.follow("book.BTC-CS-27MAR26-90000_100000") is book
    trades = await alice.follow("trades")
    assert (await next_update(trades)).data == {"trades": []}
    await alice.place(SPREAD, "buy", "420", "0.1")
    assert (await next_update(book)).data["bids"][0]["price"] == "420"
    await alice.unfollow(book)
    await alice.place(SPREAD, "buy", "421", "0.1")
    await nothing_more(book)


async def test_a_bad_channel_is_refused_and_forgotten(alice: Client) -> None:
    for channel in ("weather", "account", "account.9.events"):
        with pytest.raises(Refused):
            await alice.follow(channel)
    with pytest.raises(BadTerms):
        await alice.follow("book.nothing")
    assert alice._subscriptions == {}


async def test_closing_ends_every_subscription(gateway: RpcGateway) -> None:
    async with client(gateway) as alice:
        trades = await alice.follow("trades")
    assert [update.is_snapshot async for update in trades] == [True]


def update(sequence: int, previous: int) -> dict[str, Any]:
    return {"channel": "x", "sequence": sequence, "previousSequence": previous, "data": {}}


async def test_a_subscription_takes_each_update_once_and_notices_a_hole() -> None:
    subscription = Subscription("x")
    assert subscription.take(update(4, 3))  # held: no snapshot yet
    assert subscription.take(update(5, 4))
    assert subscription.restart(4, {}, [{"sequence": 4}, {"sequence": 5}])
    assert subscription.seen == 5
    assert subscription.take(update(5, 4))  # again
    assert subscription.take(update(3, 2))  # old
    assert subscription._queue.qsize() == 2  # the snapshot and 5
    assert subscription.take(update(7, 5))  # sequences between concerned others
    assert not subscription.take(update(9, 8))  # 8 never came
    subscription.hold()
    assert subscription.take(update(9, 8))
    assert not subscription.restart(6, {}, [])  # a snapshot older than the hole


async def test_a_hole_in_the_updates_is_closed_by_a_new_snapshot(
    alice: Client, gateway: RpcGateway
) -> None:
    events = await alice.follow_account()
    await next_update(events)
    channel = gateway._channels._channels[events.channel]
    lost, channel.subscribers = channel.subscribers, {}
    await alice.place(SYMBOLS[0], "buy", "1235", "0.25")  # its update is lost
    channel.subscribers = lost
    await alice.place(SYMBOLS[0], "buy", "1236", "0.25")
    snapshot = await next_update(events)
    assert snapshot.is_snapshot
    assert len(snapshot.data["orders"]) == 2
    await alice.place(SYMBOLS[0], "buy", "1237", "0.25")
    assert (await next_update(events)).sequence == 3


# Doors that break --------------------------------------------------------------------------------


async def test_an_answer_that_never_comes_leaves_the_order_to_be_asked_for(
    venue: SmallVenue, gateway: RpcGateway
) -> None:
    async with Client(gateway.url, ALICE, 0, answer_seconds=0.2) as alice:
        venue.delay_s = 0.4
        with pytest.raises(ConnectionLost) as lost:
            await alice.place(SYMBOLS[0], "buy", "1235", "0.25")
        assert lost.value.message_hash in venue.live
        assert await alice.order_status(lost.value.message_hash or b"") is not None


async def test_the_same_order_sent_twice_is_taken_once(alice: Client, venue: SmallVenue) -> None:
    order = await alice.draft(Terms(SYMBOLS[0], "buy", "1235", "0.25"))
    await alice.place_order(order)
    with pytest.raises(Refused) as refused:
        await alice.place_order(order)
    assert refused.value.code == rejects.ORDER_ALREADY_USED
    assert list(venue.live) == [struct_hash(order)]


async def test_calls_in_flight_fail_at_once_when_the_connection_breaks(
    alice: Client, gateway: RpcGateway, venue: SmallVenue
) -> None:
    venue.delay_s = 1.0
    placing = asyncio.create_task(alice.place(SYMBOLS[0], "buy", "1235", "0.25"))
    await until(lambda: len(venue.received) == 1)
    for connection in gateway._connections:
        assert connection._request.transport is not None
        connection._request.transport.abort()
    with pytest.raises(ConnectionLost) as lost:
        await placing
    assert isinstance(venue.received[0], Order)
    assert lost.value.message_hash == struct_hash(venue.received[0])
    assert (await alice.status())["sequence"] >= 0  # it came back


async def test_an_exchange_that_stays_away_is_waited_for_but_not_forever(
    venue: SmallVenue, gateway: RpcGateway
) -> None:
    async with Client(gateway.url, answer_seconds=0.2, first_retry_seconds=0.01) as reader:
        await gateway.stop()
        await until(lambda: not reader._ready.is_set())
        with pytest.raises(ConnectionLost, match="nothing was sent"):
            await reader.status()


async def test_a_door_that_speaks_nonsense_is_left_and_tried_again() -> None:
    visits = 0

    async def nonsense(connection: ServerConnection) -> None:
        nonlocal visits
        visits += 1
        await connection.send("{")
        await connection.wait_closed()

    async with serve(nonsense, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        reader = Client(f"ws://127.0.0.1:{port}/ws", answer_seconds=0.3, first_retry_seconds=0.01)
        with pytest.raises(ConnectionLost):
            await reader.__aenter__()
        assert visits >= 1


async def test_an_exchange_of_another_version_is_left() -> None:
    async def other(connection: ServerConnection) -> None:
        async for message in connection:
            request = json.loads(message)
            result = {"name": "Straddle", "version": "2"}
            await connection.send(
                json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result})
            )

    async with serve(other, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(BadTerms, match="speaks Straddle 2"):
            await Client(f"ws://127.0.0.1:{port}/ws").__aenter__()


async def test_fifty_clients_trade_and_follow_at_once(
    gateway: RpcGateway, venue: SmallVenue
) -> None:
    venue.delay_s = 0.005

    async def trader(number: int) -> None:
        wallet, account = ((ALICE, 0), (BOB, 1))[number % 2]
        async with client(gateway, wallet, account) as trader:
            events = await trader.follow_account()
            assert (await next_update(events)).is_snapshot
            placed = await trader.place(SYMBOLS[0], ("buy", "sell")[account], "1235", "0.01")
            while True:
                change = await next_update(events)
                if change.sequence == placed.sequence:
                    assert change.data["events"] == placed.events
                    break

    await asyncio.gather(*(trader(number) for number in range(50)))
    assert (venue.trade, len(venue.live)) == (25, 0)
