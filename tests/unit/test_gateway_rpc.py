"""The JSON-RPC door over real sockets: every method, and whatever a stranger may send."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from exchange.gateway_rpc import RpcGateway, RpcLimits
from exchange.wallet import Wallet, message_json, typed_data
from matching import rejects
from settlement.account_messages import ConvertCollateral, Withdraw
from settlement.signature import recover
from settlement.signed_messages import (
    Acknowledgement,
    Cancel,
    CancelAll,
    Message,
    Order,
    domain_separator,
    signing_digest,
    struct_hash,
)
from tests.unit.small_venue import DOMAIN, SYMBOLS, SmallVenue

ALICE, BOB, MALLORY = (Wallet(bytes((i,)) * 32) for i in (1, 2, 3))
Json = dict[str, Any]
SPREAD = "BTC-CS-27MAR26-90000_100000"


@pytest.fixture(autouse=True)
def no_errors_logged(caplog: pytest.LogCaptureFixture) -> Any:
    """No test below may make the door, or aiohttp under it, log an error."""
    yield
    records = caplog.get_records("call") + caplog.get_records("teardown")
    assert [record for record in records if record.levelno >= logging.ERROR] == []


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
async def ws(gateway: RpcGateway) -> AsyncIterator[ClientConnection]:
    async with connect(gateway.url) as connection:
        yield connection


def http_url(gateway: RpcGateway) -> str:
    return f"http://{gateway.host}:{gateway.port}/rpc"


async def call(ws: ClientConnection, method: str, **params: Any) -> Any:
    """The answer to one request, with updates of subscriptions in between left aside."""
    request = {"jsonrpc": "2.0", "id": "one", "method": method, "params": params}
    return await send(ws, json.dumps(request))


async def send(ws: ClientConnection, message: str | bytes) -> Any:
    await ws.send(message)
    while True:
        answer = json.loads(await asyncio.wait_for(ws.recv(), 5))
        if isinstance(answer, list) or "id" in answer:
            return answer


async def update(ws: ClientConnection) -> Json:
    message = json.loads(await asyncio.wait_for(ws.recv(), 5))
    assert message["method"] == "subscription"
    return message["params"]


def order(**changed: Any) -> Order:
    fields: dict[str, Any] = {
        "account": 0,
        "counter": 0,
        "side": 0,
        "time_in_force": 0,
        "flags": 0,
        "limit_price_micro": 12_350_000,
        "quantity_lots": 25,
        "max_fee_micro": 600_000,
        "expiry_s": 1_768_521_600,
        "salt": 1,
        "replaces": bytes(32),
        "legs": ((0, 1),),
    }
    return Order(**(fields | changed))


def signed(message: Message, wallet: Wallet = ALICE) -> Json:
    return {
        "message": message_json(message),
        "signature": "0x" + wallet.sign(message, DOMAIN).signature.hex(),
    }


# Every method ------------------------------------------------------------------------------------


async def test_a_wallet_learns_from_the_door_all_that_it_needs_to_sign(
    ws: ClientConnection, venue: SmallVenue
) -> None:
    domain = (await call(ws, "public/domain"))["result"]
    ours = typed_data(Cancel(0, bytes(32)), DOMAIN)["domain"]
    assert {**ours, "chainId": str(ours["chainId"])} == {name: domain[name] for name in ours}
    assert domain["operator"] == "0x" + venue.operator.address.hex()
    assert domain["fees"] == {
        "makerE6": 100,
        "takerE6": 300,
        "capE4": 1250,
        "rebateStepE6": 50,
        "liquidationE6": 1000,
        "comboDiscountPercent": 100,
    }


async def test_instruments_are_told_in_decimals(ws: ClientConnection) -> None:
    views = (await call(ws, "public/instruments"))["result"]
    assert [view["symbol"] for view in views] == list(SYMBOLS)
    assert views[0] == {
        "instrument": 0,
        "symbol": "BTC-27MAR26-90000-C",
        "kind": "call",
        "underlying": "BTC",
        "expirySeconds": 1_774_598_400,
        "strike": "90000",
        "tick": "1",
        "tickValueMicro": 10_000,
        "lot": "0.01",
        "lotE8": "1000000",
        "isOpen": True,
        "state": "open",
        "mark": "1235",
        "displayMark": None,
        "index": "95586.16",
    }
    assert (await call(ws, "public/instruments", underlying="ETH"))["result"] == []


async def test_an_order_is_placed_filled_and_seen_from_both_sides(
    ws: ClientConnection, venue: SmallVenue
) -> None:
    resting = (await call(ws, "order/place", **signed(order())))["result"]
    assert [event["event"] for event in resting["events"]] == ["orderPlaced", "orderRested"]
    book = (await call(ws, "public/book", symbol=SYMBOLS[0]))["result"]
    assert book["bids"] == [{"price": "1235", "quantity": "0.25", "orders": 1}]
    assert book["tick"] == "1"

    sell = order(account=1, side=1, quantity_lots=10, salt=2)
    taken = (await call(ws, "order/place", **signed(sell, BOB)))["result"]
    fill = taken["events"][1]
    assert fill == {
        "event": "orderFilled",
        "orderHash": "0x" + struct_hash(sell).hex(),
        "trade": 1,
        "symbol": SYMBOLS[0],
        "side": "sell",
        "price": "1235",
        "quantity": "0.1",
        "fee": "0.0002",
        "remaining": "0",
        "isMaker": False,
        "comboTrade": 0,
    }
    # Nothing of Alice's side is in what Bob was told.
    assert struct_hash(order()).hex() not in json.dumps(taken)

    (position,) = (await call(ws, "account/positions", account=0))["result"]
    assert (position["symbol"], position["quantity"]) == (SYMBOLS[0], "0.1")
    (position,) = (await call(ws, "account/positions", account=1))["result"]
    assert position["quantity"] == "-0.1"
    (live,) = (await call(ws, "account/orders", account=0))["result"]
    assert (live["quantity"], live["remaining"], live["side"]) == ("0.25", "0.15", "buy")
    status = (await call(ws, "order/status", orderHash=live["orderHash"]))["result"]
    assert status == live
    fills = (await call(ws, "account/fills", account=0))["result"]
    assert (fills["truncated"], fills["nextSince"]) == (False, 2)
    assert fills["fills"][0]["isMaker"] is True
    margin = (await call(ws, "account/margin", account=0))["result"]
    assert margin["cash"] == "876.4999"
    assert margin["counter"] == 0
    state = (await call(ws, "public/status"))["result"]
    assert (state["sequence"], state["openOrders"]) == (2, 1)


async def test_the_acknowledgement_is_the_operators_signature_over_this_order(
    ws: ClientConnection, venue: SmallVenue
) -> None:
    result = (await call(ws, "order/place", **signed(order())))["result"]
    word = result["acknowledgement"]
    message = Acknowledgement(
        int(word["sequence"]), struct_hash(order()), bytes.fromhex(word["journalHash"][2:])
    )
    digest = signing_digest(venue.separator, struct_hash(message))
    assert recover(digest, bytes.fromhex(word["signature"][2:])) == venue.operator.address
    assert result["messageHash"] == word["orderHash"] == "0x" + struct_hash(order()).hex()


async def test_cancel_replace_and_cancel_all(ws: ClientConnection) -> None:
    first = (await call(ws, "order/place", **signed(order())))["result"]["messageHash"]
    second = order(replaces=bytes.fromhex(first[2:]), limit_price_micro=12_400_000, salt=2)
    replaced = (await call(ws, "order/replace", **signed(second)))["result"]["events"]
    assert [event["event"] for event in replaced] == [
        "orderCancelled",
        "orderPlaced",
        "orderRested",
    ]
    assert (replaced[0]["orderHash"], replaced[0]["reasonText"]) == (first, "replaced")
    cancelled = await call(ws, "order/cancel", **signed(Cancel(0, struct_hash(second))))
    (event,) = cancelled["result"]["events"]
    assert (event["event"], event["remaining"]) == ("orderCancelled", "0.25")

    for salt in (3, 4):
        await call(ws, "order/place", **signed(order(salt=salt)))
    gone = (await call(ws, "order/cancel_all", **signed(CancelAll(0, 1))))["result"]["events"]
    assert [event["event"] for event in gone] == ["counterRaised"] + 2 * ["orderCancelled"]
    late = (await call(ws, "order/place", **signed(order(salt=5))))["error"]
    assert late["code"] == rejects.COUNTER_CANCELLED
    assert late["data"]["allowed"] == "1"


async def test_a_withdrawal_is_asked_for_and_listed(ws: ClientConnection) -> None:
    answer = await call(ws, "account/withdraw", **signed(Withdraw(0, 0, 1_500_000, 9)))
    (event,) = answer["result"]["events"]
    assert (event["event"], event["amount"], event["balance"]) == (
        "withdrawalRequested",
        "1.5",
        "998.5",
    )
    (view,) = (await call(ws, "account/withdrawals", account=0))["result"]
    assert (view["amountMicro"], view["batch"], view["isClaimed"]) == ("1500000", None, False)
    too_much = await call(ws, "account/withdraw", **signed(Withdraw(0, 0, 2**63, 10)))
    assert too_much["error"]["code"] == rejects.WITHDRAWAL_TOO_LARGE
    assert too_much["error"]["data"]["got"] == str(2**63)


async def test_fills_come_in_pages_that_never_split_a_command(ws: ClientConnection) -> None:
    for salt in (1, 2, 3):
        await call(ws, "order/place", **signed(order(quantity_lots=5, salt=salt)))
    sweep = order(account=1, side=1, quantity_lots=15, salt=4)
    await call(ws, "order/place", **signed(sweep, BOB))
    for salt in (5, 6):
        await call(ws, "order/place", **signed(order(quantity_lots=5, salt=salt)))
        sell = order(account=1, side=1, quantity_lots=5, salt=10 + salt)
        await call(ws, "order/place", **signed(sell, BOB))
    page = (await call(ws, "account/fills", account=1, limit=2))["result"]
    assert (len(page["fills"]), page["truncated"], page["nextSince"]) == (3, True, 4)
    rest = (await call(ws, "account/fills", account=1, since=4, limit=2))["result"]
    assert (len(rest["fills"]), rest["truncated"]) == (2, False)


async def test_a_combos_book_is_the_same_however_it_is_written(ws: ClientConnection) -> None:
    spread = order(legs=((0, 1), (1, -1)), limit_price_micro=-4_200_000)
    await call(ws, "order/place", **signed(spread))
    books = [
        (await call(ws, "public/book", symbol=symbol))["result"]
        for symbol in (
            SPREAD,
            f"-{SPREAD}",
            "+1*BTC-27MAR26-90000-C,-1*BTC-27MAR26-100000-C",
            "-1*BTC-27MAR26-100000-C,+1*BTC-27MAR26-90000-C",
        )
    ]
    assert books == books[:1] * 4
    assert books[0]["symbol"] == SPREAD
    assert books[0]["bids"] == [{"price": "-420", "quantity": "0.25", "orders": 1}]


async def test_every_method_answers_over_http_too_but_for_subscriptions(
    gateway: RpcGateway,
) -> None:
    async with aiohttp.ClientSession() as session:

        async def post(method: str, **params: Any) -> Json:
            request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
            async with session.post(http_url(gateway), json=request) as response:
                assert response.status == 200
                assert response.content_type == "application/json"
                return await response.json()

        placed = await post("order/place", **signed(order()))
        assert placed["id"] == 7
        assert placed["result"]["sequence"] == 1
        for method in ("public/domain", "public/status", "public/instruments"):
            assert "result" in await post(method)
        for method in ("subscribe", "unsubscribe"):
            error = (await post(method, channels=["trades"]))["error"]
            assert error["code"] == -32601
            assert "/ws" in error["message"]


# Refusals ----------------------------------------------------------------------------------------


async def test_a_wrong_signature_is_told_all_that_its_signer_needs(
    ws: ClientConnection, venue: SmallVenue
) -> None:
    message = order()
    params = signed(message, MALLORY)
    error = (await call(ws, "order/place", **params))["error"]
    assert error["code"] == error["data"]["code"] == rejects.WRONG_SIGNER
    separator = domain_separator(*DOMAIN)
    assert error["data"]["recoveredSigner"] == "0x" + MALLORY.address.hex()
    assert error["data"]["structHash"] == "0x" + struct_hash(message).hex()
    assert error["data"]["domainSeparator"] == "0x" + separator.hex()
    digest = signing_digest(separator, struct_hash(message))
    assert error["data"]["digest"] == "0x" + digest.hex()

    params["signature"] = "0x" + "00" * 65
    error = (await call(ws, "order/place", **params))["error"]
    assert (error["code"], error["data"]["recoveredSigner"]) == (504, None)
    params["signature"] = "0x1234"
    error = (await call(ws, "order/place", **params))["error"]
    assert (error["code"], error["data"]["got"]) == (501, "2")
    assert venue.sequence == 0


async def test_a_reject_of_the_exchange_is_acknowledged_too(ws: ClientConnection) -> None:
    await call(ws, "order/place", **signed(order()))
    error = (await call(ws, "order/place", **signed(order())))["error"]
    assert error["code"] == rejects.ORDER_ALREADY_USED
    assert error["data"]["sequence"] == 2
    assert error["data"]["acknowledgement"]["sequence"] == "2"
    assert error["data"]["events"][0]["event"] == "commandRejected"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"limit_price_micro": 0}, rejects.PRICE_OUT_OF_RANGE),
        ({"limit_price_micro": -(2**63)}, rejects.PRICE_OUT_OF_RANGE),
        ({"quantity_lots": 0}, rejects.QUANTITY_OUT_OF_RANGE),
        ({"side": 2}, rejects.UNKNOWN_SIDE),
        ({"legs": tuple((i, 1) for i in range(9))}, rejects.LEG_COUNT),
        ({"legs": tuple((i, 1) for i in range(1_000))}, rejects.LEG_COUNT),
        ({"legs": ((0, 1), (0, 1))}, rejects.LEG_TWICE),
        ({"legs": ((0, 2), (1, 4))}, rejects.RATIOS_NOT_REDUCED),
        ({"legs": ((99, 1),)}, rejects.UNKNOWN_INSTRUMENT),
        ({"account": 2}, rejects.UNKNOWN_ACCOUNT),
    ],
)
async def test_bad_orders_are_refused_by_number_and_leave_no_order(
    ws: ClientConnection, venue: SmallVenue, changed: Json, code: int
) -> None:
    answer = await call(ws, "order/place", **signed(order(**changed)))
    assert answer["error"]["code"] == answer["error"]["data"]["code"] == code
    assert answer["error"]["message"] == answer["error"]["data"]["message"]
    assert venue.live == {}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("quantityLots", 1.0, "$.message.quantityLots"),
        ("quantityLots", -1, "$.message.quantityLots"),
        ("quantityLots", 2**32, "$.message.quantityLots"),
        ("quantityLots", "25", "$.message.quantityLots"),
        ("quantityLots", True, "$.message.quantityLots"),
        ("quantityLots", None, "$.message.quantityLots"),
        ("side", 256, "$.message.side"),
        ("salt", 2**64, "$.message.salt"),
        ("salt", -1, "$.message.salt"),
        ("salt", "1e5", "$.message.salt"),
        ("salt", "0x10", "$.message.salt"),
        ("salt", "٣", "$.message.salt"),
        ("salt", "007", "$.message.salt"),
        ("salt", 1.5, "$.message.salt"),
        ("salt", True, "$.message.salt"),
        ("salt", [], "$.message.salt"),
        ("limitPriceMicro", str(2**63), "$.message.limitPriceMicro"),
        ("limitPriceMicro", "-" + "9" * 400, "$.message.limitPriceMicro"),
        ("replaces", "0x00", "$.message.replaces"),
        ("replaces", "00" * 32, "$.message.replaces"),
        ("replaces", "0x" + "zz" * 32, "$.message.replaces"),
        ("replaces", 0, "$.message.replaces"),
        ("legs", [[0, 1]], "$.message.legs[0]"),
        ("legs", [{"instrument": 0}], "$.message.legs[0]"),
        ("legs", [{"instrument": 0, "ratio": 2**15}], "$.message.legs[0].ratio"),
        ("legs", {}, "$.message.legs"),
        ("surprise", 1, "$.message"),
    ],
)
async def test_a_field_of_the_wrong_shape_is_named_by_its_path(
    ws: ClientConnection, venue: SmallVenue, path: str, value: Any, expected: str
) -> None:
    params = signed(order())
    params["message"][path] = value
    error = (await call(ws, "order/place", **params))["error"]
    assert error["code"] == -32602
    assert error["data"]["code"] == rejects.MALFORMED
    assert error["data"]["path"] == expected
    assert venue.received == []


@pytest.mark.parametrize("missing", [*message_json(order())])
async def test_a_missing_field_is_named(ws: ClientConnection, missing: str) -> None:
    params = signed(order())
    del params["message"][missing]
    error = (await call(ws, "order/place", **params))["error"]
    assert error["code"] == -32602
    assert missing in error["message"]


async def test_wide_numbers_are_taken_as_numbers_or_as_digits(
    ws: ClientConnection, venue: SmallVenue
) -> None:
    largest = order(salt=2**64 - 1, max_fee_micro=2**64 - 1)
    params = signed(largest)
    assert params["message"]["salt"] == "18446744073709551615"
    assert "result" in await call(ws, "order/place", **params)
    again = order(salt=2**64 - 2)
    params = signed(again)
    params["message"]["salt"] = 2**64 - 2
    assert "result" in await call(ws, "order/place", **params)
    assert venue.received == [largest, again]


async def test_replace_without_an_order_to_replace_is_refused(ws: ClientConnection) -> None:
    error = (await call(ws, "order/replace", **signed(order())))["error"]
    assert (error["code"], error["data"]["path"]) == (-32602, "$.message.replaces")


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("public/book", {"symbol": "BTC-27MAR26-1-C"}, rejects.UNKNOWN_INSTRUMENT),
        (
            "public/book",
            {"symbol": f"+1*{SYMBOLS[0]},-1*{SYMBOLS[0]}"},
            rejects.UNKNOWN_INSTRUMENT,
        ),
        ("public/book", {"symbol": SYMBOLS[0], "depth": 0}, -32602),
        ("public/book", {"symbol": SYMBOLS[0], "depth": 101}, -32602),
        ("public/book", {"symbol": ""}, -32602),
        ("public/book", {"symbol": "x" * 401}, -32602),
        ("public/book", {}, -32602),
        ("public/status", {"x": 1}, -32602),
        ("account/margin", {"account": 2}, rejects.UNKNOWN_ACCOUNT),
        ("account/positions", {"account": 2}, rejects.UNKNOWN_ACCOUNT),
        ("account/orders", {"account": 2}, rejects.UNKNOWN_ACCOUNT),
        ("account/fills", {"account": 2}, rejects.UNKNOWN_ACCOUNT),
        ("account/withdrawals", {"account": 2}, rejects.UNKNOWN_ACCOUNT),
        ("account/margin", {"account": -1}, -32602),
        ("account/margin", {"account": "0"}, -32602),
        ("account/fills", {"account": 0, "limit": 1_001}, -32602),
        ("account/fills", {"account": 0, "since": -1}, -32602),
        ("order/status", {"orderHash": "0x" + "ab" * 32}, rejects.UNKNOWN_ORDER),
        ("order/status", {"orderHash": "0xab"}, -32602),
        ("no/such", {}, -32601),
        ("", {}, -32601),
    ],
)
async def test_bad_questions_have_answers(
    ws: ClientConnection, method: str, params: Json, code: int
) -> None:
    error = (await call(ws, method, **params))["error"]
    assert error["code"] == code
    assert error["data"]["code"] in rejects.TEMPLATES
    assert error["data"].keys() >= {"code", "name", "message", "got", "allowed"}


async def test_an_unknown_method_is_told_the_known_ones(ws: ClientConnection) -> None:
    error = (await call(ws, "order/plaice"))["error"]
    assert error["data"]["code"] == rejects.UNKNOWN_METHOD
    assert "order/place" in error["data"]["methods"]


# JSON-RPC 2.0 ------------------------------------------------------------------------------------

STATUS = '{"jsonrpc":"2.0","id":%s,"method":"public/status"}'


@pytest.mark.parametrize(
    ("message", "code", "request_id"),
    [
        ("", -32700, None),
        ("{", -32700, None),
        ('{"jsonrpc":"2.0","method":"public/status","id":1', -32700, None),
        ('{"jsonrpc":"2.0","method":"public/status","params":{"a":NaN},"id":1}', -32700, None),
        ('{"jsonrpc":"2.0","method":"public/status","id":Infinity}', -32700, None),
        ("{'a':1}", -32700, None),
        (STATUS % 1 + " x", -32700, None),
        ("[" * 30_000, -32700, None),
        ('{"a":' * 10_000, -32700, None),
        ('{"jsonrpc":"2.0","method":"' + "\\ud800" + '","id":1}', -32700, None),
        ("\ufeff" + STATUS % 1, -32700, None),
        ("1", -32600, None),
        ('"status"', -32600, None),
        ("null", -32600, None),
        ("{}", -32600, None),
        ("[]", -32600, None),
        ('{"id":5}', -32600, 5),
        ('{"jsonrpc":"1.0","id":6,"method":"public/status"}', -32600, 6),
        ('{"jsonrpc":2.0,"id":7,"method":"public/status"}', -32600, 7),
        ('{"jsonrpc":"2.0","id":8,"method":1}', -32600, 8),
        ('{"jsonrpc":"2.0","id":9,"method":"public/status","surprise":1}', -32600, 9),
        (STATUS % "1.5", -32600, None),
        (STATUS % "true", -32600, None),
        (STATUS % "{}", -32600, None),
        (STATUS % ("9" * 5_000), -32600, None),
        ('{"jsonrpc":"2.0","id":1,"method":"public/status","params":[]}', -32602, 1),
        ('{"jsonrpc":"2.0","id":1,"method":"public/status","params":null}', -32602, 1),
        ('{"jsonrpc":"2.0","id":1,"method":"public/status","params":1}', -32602, 1),
    ],
)
async def test_what_is_no_request_gets_the_error_that_the_standard_gives_it(
    ws: ClientConnection, gateway: RpcGateway, message: str, code: int, request_id: Any
) -> None:
    answer = await send(ws, message)
    assert answer["error"]["code"] == code
    assert answer["id"] == request_id
    assert answer["error"]["data"]["code"] == rejects.MALFORMED
    # and the connection still works, as does HTTP with the same bytes
    assert (await call(ws, "public/status"))["result"]["sequence"] == 0
    async with (
        aiohttp.ClientSession() as session,
        session.post(http_url(gateway), data=message.encode()) as response,
    ):
        assert (await response.json()) == answer


async def test_bytes_that_are_no_text_are_a_parse_error(ws: ClientConnection) -> None:
    for content in (b"\xff\xfe\x00", bytes(range(256)), b'{"a":"\xff"}', b"\x00" * 100):
        answer = await send(ws, content)
        assert answer["error"]["code"] == -32700


async def test_a_syntax_error_names_its_byte(ws: ClientConnection) -> None:
    answer = await send(ws, '{"jsonrpc":"2.0",!}')
    assert answer["error"]["data"]["got"] == "17"
    assert "byte 17" in answer["error"]["message"]


async def test_ids_come_back_as_they_were(ws: ClientConnection) -> None:
    for request_id in ("0", "-1", '"seven"', '"\\u00e9"', "null", str(2**63)):
        answer = await send(ws, STATUS % request_id)
        assert answer["id"] == json.loads(request_id)
        assert "result" in answer


async def test_a_notification_is_carried_out_and_not_answered(
    ws: ClientConnection, venue: SmallVenue, gateway: RpcGateway
) -> None:
    request = {"jsonrpc": "2.0", "method": "order/place", "params": signed(order())}
    await ws.send(json.dumps(request))
    await ws.send(json.dumps({"jsonrpc": "2.0", "method": "no/such"}))
    answer = await call(ws, "public/status")
    assert (answer["id"], answer["result"]["openOrders"]) == ("one", 1)
    async with (
        aiohttp.ClientSession() as session,
        session.post(http_url(gateway), json=request) as response,
    ):
        assert (response.status, await response.read()) == (204, b"")


async def test_a_batch_is_answered_as_the_standard_shows(ws: ClientConnection) -> None:
    place = {"jsonrpc": "2.0", "id": 1, "method": "order/place", "params": signed(order())}
    cancel = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "order/cancel",
        "params": signed(Cancel(0, struct_hash(order()))),
    }
    silent = {"jsonrpc": "2.0", "method": "public/status"}
    answers = await send(ws, json.dumps([place, cancel, silent, 1, {"foo": "boo"}]))
    assert [answer["id"] for answer in answers] == [1, 2, None, None]
    assert [answer.get("error", {}).get("code") for answer in answers] == [
        None,
        None,
        -32600,
        -32600,
    ]
    assert answers[1]["result"]["events"][0]["event"] == "orderCancelled"
    # A batch of notifications alone is not answered at all.
    await ws.send(json.dumps([silent, silent]))
    assert (await call(ws, "public/status"))["id"] == "one"


async def test_a_batch_too_long_is_refused_whole(ws: ClientConnection, venue: SmallVenue) -> None:
    answer = await send(ws, "[" + ",".join([STATUS % 1] * 65) + "]")
    assert answer["error"]["code"] == -32600
    assert len(await send(ws, "[" + ",".join([STATUS % 1] * 64) + "]")) == 64


async def test_messages_of_one_connection_reach_the_exchange_in_their_order(
    venue: SmallVenue, ws: ClientConnection
) -> None:
    venue.delay_s = 0.01
    sent: list[Order] = []
    for group in range(10):
        orders = [order(salt=10 * group + i) for i in range(1 + group % 3)]
        sent += orders
        requests = [
            {"jsonrpc": "2.0", "id": each.salt, "method": "order/place", "params": signed(each)}
            for each in orders
        ]
        await ws.send(json.dumps(requests[0] if len(requests) == 1 else requests))
    for _ in range(10):
        await ws.recv()
    assert venue.received == sent


# Subscriptions -----------------------------------------------------------------------------------


async def test_a_book_is_followed_from_a_snapshot(ws: ClientConnection) -> None:
    await call(ws, "order/place", **signed(order()))
    channel = f"book.{SYMBOLS[0]}"
    (snapshot,) = (await call(ws, "subscribe", channels=[channel]))["result"]
    assert (snapshot["channel"], snapshot["sequence"]) == (channel, 1)
    assert snapshot["data"]["bids"] == [{"price": "1235", "quantity": "0.25", "orders": 1}]
    await ws.send(
        json.dumps(
            {
                "jsonrpc": "2.0",
                "method": "order/place",
                "params": signed(order(account=1, side=1, quantity_lots=5, salt=2), BOB),
            }
        )
    )
    change = await update(ws)
    assert (change["sequence"], change["previousSequence"]) == (2, 1)
    assert change["data"]["bids"] == [{"price": "1235", "quantity": "0.2", "orders": 1}]


async def test_a_combos_channel_has_its_canonical_name(ws: ClientConnection) -> None:
    written = "book.-1*BTC-27MAR26-100000-C,+1*BTC-27MAR26-90000-C"
    (snapshot,) = (await call(ws, "subscribe", channels=[written]))["result"]
    assert snapshot["channel"] == f"book.{SPREAD}"
    spread = order(legs=((0, 1), (1, -1)), limit_price_micro=4_200_000)
    await ws.send(json.dumps({"jsonrpc": "2.0", "method": "order/place", "params": signed(spread)}))
    change = await update(ws)
    assert change["channel"] == f"book.{SPREAD}"
    assert change["data"]["bids"] == [{"price": "420", "quantity": "0.25", "orders": 1}]


async def test_an_account_follows_its_own_events_and_no_others(
    ws: ClientConnection, gateway: RpcGateway
) -> None:
    (snapshot,) = (await call(ws, "subscribe", channels=["account.0.events"]))["result"]
    assert snapshot["data"]["orders"] == snapshot["data"]["positions"] == []
    assert snapshot["data"]["margin"]["cash"] == "1000"
    async with connect(gateway.url) as bob:
        sell = order(account=1, side=1, limit_price_micro=99_000_000, salt=9)
        await call(bob, "order/place", **signed(sell, BOB))
        await call(ws, "order/place", **signed(order()))
        cross = order(account=1, side=1, quantity_lots=5, salt=2)
        await call(bob, "order/place", **signed(cross, BOB))
        fill = await update(ws)
        assert (fill["sequence"], fill["previousSequence"]) == (3, 2)
        (event,) = fill["data"]["events"]
        assert (event["event"], event["side"], event["isMaker"]) == ("orderFilled", "buy", True)
        assert struct_hash(cross).hex() not in json.dumps(fill)


async def test_updates_are_chained_by_their_sequences(ws: ClientConnection) -> None:
    (snapshot,) = (await call(ws, "subscribe", channels=["account.0.events"]))["result"]
    for salt in range(5):
        message = {"method": "order/place", "params": signed(order(salt=salt))}
        await ws.send(json.dumps({"jsonrpc": "2.0", **message}))
    seen = snapshot["sequence"]
    for _ in range(5):
        change = await update(ws)
        assert change["previousSequence"] == seen
        seen = change["sequence"]


async def test_trades_are_public_and_nameless(ws: ClientConnection) -> None:
    (snapshot,) = (await call(ws, "subscribe", channels=["trades"]))["result"]
    assert snapshot["data"] == {"trades": []}
    spread, mirror = (
        order(legs=((0, 1), (1, -1)), account=i, side=i, salt=i, quantity_lots=3) for i in (0, 1)
    )
    await call(ws, "order/place", **signed(spread))
    await ws.send(
        json.dumps({"jsonrpc": "2.0", "method": "order/place", "params": signed(mirror, BOB)})
    )
    change = await update(ws)
    assert change["data"]["trades"] == [
        {
            "trade": 0,
            "symbol": SPREAD,
            "side": "sell",
            "price": "1235",
            "quantity": "0.03",
            "comboTrade": 1,
        }
    ]
    left = await call(ws, "unsubscribe", channels=["trades", "trades", "x"])
    assert left["result"] == ["trades"]
    (snapshot,) = (await call(ws, "subscribe", channels=["trades"]))["result"]
    assert snapshot["data"]["trades"][0]["sequence"] == 2


async def test_nothing_comes_after_unsubscribing(ws: ClientConnection) -> None:
    await call(ws, "subscribe", channels=["account.0.events", f"book.{SYMBOLS[0]}"])
    left = await call(ws, "unsubscribe", channels=["account.0.events", f"book.{SYMBOLS[0]}", "x"])
    assert left["result"] == ["account.0.events", f"book.{SYMBOLS[0]}"]
    await call(ws, "order/place", **signed(order()))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ws.recv(), 0.1)


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("book", -32602),
        ("book.", -32602),
        ("book.BTC-1JAN99-1-C", rejects.UNKNOWN_INSTRUMENT),
        ("trades.BTC", 201),
        ("account.0", -32602),
        ("account.x.events", -32602),
        ("account.-1.events", -32602),
        ("account.٣.events", -32602),
        ("account.2.events", rejects.UNKNOWN_ACCOUNT),
        ("account.99999999999999999999.events", -32602),
        ("weather", -32602),
        ("", -32602),
        ("x" * 421, -32602),
    ],
)
async def test_a_bad_channel_is_an_error_and_none_of_the_others_is_followed(
    ws: ClientConnection, gateway: RpcGateway, channel: str, code: int
) -> None:
    names = ["account.0.events", f"book.{SYMBOLS[0]}", "trades", channel]
    error = (await call(ws, "subscribe", channels=names))["error"]
    assert error["code"] == code
    assert gateway._channels._channels == {}
    assert (await call(ws, "unsubscribe", channels=names[:3]))["result"] == []


async def test_a_connection_that_goes_leaves_no_channel_behind(gateway: RpcGateway) -> None:
    names = ["account.0.events", f"book.{SYMBOLS[0]}", f"book.{SPREAD}", "trades"]
    async with connect(gateway.url) as ws:
        await call(ws, "subscribe", channels=names)
        assert len(gateway._channels._channels) == 4
        ws.transport.abort()
    await until(lambda: not gateway._connections)
    channels = gateway._channels
    assert channels._channels == channels._books == channels._accounts == {}
    assert channels._followed == {}


async def test_a_connection_may_not_follow_without_bound(ws: ClientConnection) -> None:
    for _ in range(10):
        assert "result" in await call(ws, "subscribe", channels=["trades"] * 100)
    answer = await call(ws, "subscribe", channels=["trades"] * 101)
    assert answer["error"]["code"] == -32602


# Strangers ---------------------------------------------------------------------------------------


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that is about to happen on the loop."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_an_oversized_message_is_refused_and_the_connection_goes_on(
    ws: ClientConnection, gateway: RpcGateway
) -> None:
    answer = await send(ws, "x" * 65_537)
    assert answer["error"]["code"] == -32600
    assert answer["error"]["data"]["code"] == rejects.OVERSIZED
    assert (answer["error"]["data"]["got"], answer["error"]["data"]["allowed"]) == (
        "65537",
        "65536",
    )
    padded = (STATUS % 1).ljust(65_536)
    assert "result" in await send(ws, padded)
    async with aiohttp.ClientSession() as session:
        async with session.post(http_url(gateway), data=b"x" * 70_000) as response:
            assert response.status == 413
            assert (await response.json())["error"]["data"]["got"] == "70000"

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" " * 10_000

        async with session.post(http_url(gateway), data=endless()) as response:
            assert response.status == 413
        async with session.post(http_url(gateway), data=padded) as response:
            assert response.status == 200


async def test_a_huge_frame_closes_its_connection_and_no_other(
    ws: ClientConnection, gateway: RpcGateway
) -> None:
    async with connect(gateway.url) as other:
        with contextlib.suppress(ConnectionClosed):
            await other.send(b"x" * (2 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            await other.recv()
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
    assert "result" in await call(ws, "public/status")


async def raw(gateway: RpcGateway, content: bytes, half_close: bool = False) -> bytes:
    """Sends bytes over a plain socket; what comes back until the door closes, or a second."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    writer.write(content)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
        if half_close:
            writer.write_eof()
    received = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(0.3):
            while part := await reader.read(1 << 16):
                received += part
    writer.close()
    return received


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 1_000,
        bytes(range(256)) * 50,
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
        b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /rpc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"8=FIX.4.4\x019=5\x0135=A\x0110=000\x01",
        HANDSHAKE + b"\xff" * 100,
        HANDSHAKE + b"\x81\x05hello",  # not masked
        HANDSHAKE + b"\x81\xfe\x00",  # cut in its length
        HANDSHAKE + b"\xc1\x80\x00\x00\x00\x00",  # compressed, though nobody agreed
        HANDSHAKE + b"\x88\x80\x00\x00\x00\x00",  # leaves at once
        HANDSHAKE + b"\x81\x82\x00\x00\x00\x00\xff\xff",  # text that is not UTF-8
    ],
)
async def test_garbage_on_the_wire_hurts_nobody(
    ws: ClientConnection, gateway: RpcGateway, content: bytes
) -> None:
    await raw(gateway, content)
    await raw(gateway, content, half_close=True)
    assert "result" in await call(ws, "public/status")
    await until(lambda: len(gateway._connections) == 1)


async def test_an_order_of_a_caller_that_hangs_up_is_still_taken(
    gateway: RpcGateway, venue: SmallVenue
) -> None:
    venue.delay_s = 0.05
    request = {"jsonrpc": "2.0", "id": 1, "method": "order/place", "params": signed(order())}
    ws = await connect(gateway.url)
    await ws.send(json.dumps(request))
    await until(lambda: len(venue.received) == 1)
    ws.transport.abort()
    await until(lambda: not gateway._connections)
    assert len(venue.live) == 1
    assert gateway._channels._followed == {}


async def test_a_half_closed_socket_is_let_go(gateway: RpcGateway) -> None:
    _, writer = await asyncio.open_connection(gateway.host, gateway.port)
    writer.write(HANDSHAKE)
    await until(lambda: len(gateway._connections) == 1)
    writer.write_eof()
    await until(lambda: not gateway._connections)
    writer.close()


async def test_a_body_that_never_comes_is_not_waited_for(venue: SmallVenue) -> None:
    gateway = RpcGateway(venue, limits=RpcLimits(body_seconds=0.05))
    await gateway.start()
    content = b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
    assert b" 408 " in await raw(gateway, content)
    await gateway.stop()


async def test_a_reader_that_does_not_read_is_cut_off(venue: SmallVenue) -> None:
    gateway = RpcGateway(venue, limits=RpcLimits(queue_bytes=200_000))
    await gateway.start()
    batch = "[" + ",".join(['{"jsonrpc":"2.0","id":1,"method":"public/instruments"}'] * 64) + "]"
    deaf = await connect(gateway.url, max_queue=1, ping_interval=None)

    async def ask_without_end() -> None:
        while True:
            await deaf.send(batch)

    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(ask_without_end(), 20)
    await until(lambda: not gateway._connections)
    async with connect(gateway.url) as ws:
        assert "result" in await call(ws, "public/status")
    await gateway.stop()


async def test_a_hundred_clients_at_once_each_get_their_own_answers(
    gateway: RpcGateway, venue: SmallVenue
) -> None:
    venue.delay_s = 0.01

    async def client(number: int) -> None:
        async with connect(gateway.url, max_queue=None) as ws:
            await call(ws, "subscribe", channels=["trades"])
            mine = order(salt=number, account=number % 2, side=number % 2)
            wallet = (ALICE, BOB)[number % 2]
            placed = (await call(ws, "order/place", **signed(mine, wallet)))["result"]
            assert placed["messageHash"] == "0x" + struct_hash(mine).hex()
            events = {event["orderHash"] for event in placed["events"]}
            assert events == {placed["messageHash"]}

    await asyncio.gather(*(client(number) for number in range(100)))
    assert len(venue.received) == 100
    assert venue.trade == 50
    assert sum(lots for held in venue.held for lots in held.values()) == 0


async def test_too_many_connections_are_told_so(venue: SmallVenue) -> None:
    gateway = RpcGateway(venue, limits=RpcLimits(connections=1))
    await gateway.start()
    async with connect(gateway.url), aiohttp.ClientSession() as session:
        url = f"http://{gateway.host}:{gateway.port}/ws"
        async with session.get(url) as response:
            assert response.status == 503
            assert (await response.json())["error"]["code"] == rejects.VENUE_BUSY
    await gateway.stop()


async def test_more_requests_than_may_wait_are_answered_one_after_the_other(
    venue: SmallVenue,
) -> None:
    venue.delay_s = 0.005
    gateway = RpcGateway(venue, limits=RpcLimits(waiting=2))
    await gateway.start()
    async with connect(gateway.url) as ws:
        for salt in range(20):
            message = {"id": salt, "method": "order/place", "params": signed(order(salt=salt))}
            await ws.send(json.dumps({"jsonrpc": "2.0", **message}))
        answers = [json.loads(await ws.recv()) for _ in range(20)]
    assert sorted(answer["id"] for answer in answers) == list(range(20))
    await gateway.stop()


async def test_stopping_says_goodbye_and_frees_the_port(venue: SmallVenue) -> None:
    gateway = RpcGateway(venue)
    await gateway.start()
    ws = await connect(gateway.url)
    await gateway.stop()
    with pytest.raises(ConnectionClosed) as closed:
        await ws.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert venue.listeners == []
    again = RpcGateway(venue, port=gateway.port)
    await again.start()
    await again.stop()


async def test_a_port_in_use_is_an_error_at_the_start(
    venue: SmallVenue, gateway: RpcGateway
) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await RpcGateway(venue, port=gateway.port).start()
    assert len(venue.listeners) == 1


async def test_stopping_a_door_that_never_opened_or_twice_does_nothing(
    venue: SmallVenue, gateway: RpcGateway
) -> None:
    blocked = RpcGateway(venue, port=gateway.port)
    await blocked.stop()
    with pytest.raises(OSError):
        await blocked.start()
    await blocked.stop()
    await gateway.stop()
    await gateway.stop()
    assert venue.listeners == []


# COLLATERAL


async def test_assets_and_what_is_held_of_them_are_shown_in_decimals(ws: ClientConnection) -> None:
    (asset,) = (await call(ws, "public/assets"))["result"]
    assert asset == {
        "asset": 1,
        "name": "ETH",
        "decimals": 18,
        "kind": "underlying",
        "underlying": "ETH",
        "initialHaircutE4": 2_000,
        "maintenanceHaircutE4": 1_500,
        "cap": "5000",
        "discountE4": 500,
    }
    assert (await call(ws, "account/margin", account=0))["result"]["collateral"] == []


async def test_a_conversion_is_told_to_its_buyer_with_his_cash_alone(ws: ClientConnection) -> None:
    message = ConvertCollateral(0, 1, 1, 9_000_000, 1, 5, 1_768_521_600)
    answer = await call(ws, "collateral/convert", **signed(message))
    (event,) = answer["result"]["events"]
    assert event == {
        "event": "collateralConverted",
        "buyer": 0,
        "debtor": 1,
        "asset": 1,
        "amount": "9",
        "paid": "9",
        "cash": "1000",
    }
