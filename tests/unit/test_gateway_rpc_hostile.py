"""Whatever arrives, the JSON-RPC door answers with JSON-RPC or not at all, and nothing is lost."""

import asyncio
import copy
import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.gateway_rpc import RpcGateway
from exchange.venue import StatusView
from exchange.wallet import Wallet, message_json
from settlement.account_messages import (
    BidAuction,
    ChooseMargin,
    ConvertCollateral,
    FundInsurance,
    ResetProtection,
    SetProtection,
    TransferCash,
    TransferPosition,
    Withdraw,
)
from settlement.signed_messages import Cancel, CancelAll, CancelWhere, Message, Order
from tests.unit.small_venue import DOMAIN, SYMBOLS, SmallVenue

ALICE = Wallet(b"\x01" * 32)
ORDER = Order(0, 0, 0, 0, 0, 12_350_000, 25, 600_000, 1_768_521_600, 1, bytes(32), ((0, 1),))


def signed(message: Message) -> dict[str, Any]:
    signature = "0x" + ALICE.sign(message, DOMAIN).signature.hex()
    return {"message": message_json(message), "signature": signature}


REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("public/domain", {}),
    ("public/instruments", {"underlying": "BTC"}),
    ("public/book", {"symbol": SYMBOLS[0], "depth": 5}),
    ("account/margin", {"account": 0}),
    ("account/fills", {"account": 0, "since": 0, "limit": 10}),
    ("order/place", signed(ORDER)),
    ("order/cancel", signed(Cancel(0, b"\xab" * 32))),
    ("order/cancel_all", signed(CancelAll(0, 1))),
    ("order/cancel_where", signed(CancelWhere(0, 0, 0, 1, 1_768_521_600))),
    ("account/choose_margin", signed(ChooseMargin(0, 1, 0, 1, 1_768_521_600))),
    ("protection/set", signed(SetProtection(0, 1, 1, 0, 0, 0, 0, 1, 1_768_521_600))),
    ("protection/reset", signed(ResetProtection(0, 1, 1, 1_768_521_600))),
    ("protection/get", {"account": 0}),
    ("account/of_owner", {"owner": "0x" + ALICE.address.hex()}),
    ("transfer/cash", signed(TransferCash(0, 0, 0, 1, 1, 1_768_521_600))),
    ("transfer/position", signed(TransferPosition(0, 0, 0, 0, 1, 1, 1_768_521_600))),
    ("auction/bid", signed(BidAuction(0, 1, 1_000_000, 1, -5, 1, 1_768_521_600))),
    ("insurance/fund", signed(FundInsurance(0, 5, 1, 1_768_521_600))),
    ("account/withdraw", signed(Withdraw(0, 0, 1, 1))),
    ("public/assets", {}),
    ("collateral/convert", signed(ConvertCollateral(0, 1, 1, 9, 1, 1, 1_768_521_600))),
    ("order/status", {"orderHash": "0x" + "ab" * 32}),
    ("subscribe", {"channels": ["trades", f"book.{SYMBOLS[0]}", "account.0.events"]}),
    ("unsubscribe", {"channels": ["trades"]}),
]
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**32,
    2**63,
    2**64,
    2**70,
    1.5,
    1e308,
    "",
    "0",
    "-0",
    "0x",
    "0x" + "00" * 65,
    "\u0000",
    "\U0001f600" * 3,
    "9" * 500,
    [],
    [[]],
    {},
    {"a": None},
    "account.0.events",
    "book." + SYMBOLS[1],
]


class Deaf:
    """A connection that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    session = 0

    def deliver(self, payload: bytes) -> None:
        self.got.append(payload)


def ask(content: bytes) -> Any:
    """What the door answers to a message on a connection that follows everything."""

    async def run() -> Any:
        venue = SmallVenue([ALICE])
        gateway = RpcGateway(venue)
        gateway._channels.start()
        subscriber = Deaf()
        names = ["trades", f"book.{SYMBOLS[0]}", "account.0.events"]
        assert isinstance(gateway._channels.subscribe(subscriber, names), list)
        answer = await gateway.begin(content, subscriber)
        gateway._channels.stop()
        assert (
            sum(venue.cash)
            + sum(view.amount_micro for views in venue.withdrawals_of for view in views)
            == 10**9
        )
        for payload in subscriber.got:
            assert json.loads(payload)["method"] == "subscription"
        return None if answer is None else json.loads(answer)

    return asyncio.run(run())


def check_answer(answer: Any) -> None:
    assert answer["jsonrpc"] == "2.0"
    assert ("result" in answer) != ("error" in answer)
    assert "id" in answer
    if "error" in answer:
        error = answer["error"]
        assert isinstance(error["code"], int)
        assert error["code"] != -32603
        assert error["message"]
        assert error["data"].keys() >= {"code", "name", "message", "got", "allowed"}


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_answered_with_an_error(content: bytes) -> None:
    answer = ask(content)
    for each in answer if isinstance(answer, list) else [answer]:
        check_answer(each)
        assert each["id"] is None or "error" in each


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_request_with_any_field_replaced_or_removed_is_answered(data: st.DataObject) -> None:
    method, params = data.draw(st.sampled_from(REQUESTS))
    request: Any = {
        "jsonrpc": "2.0",
        "id": "x",
        "method": method,
        "params": copy.deepcopy(params),
    }
    for _ in range(data.draw(st.integers(0, 2))):
        holder, key = request, data.draw(st.sampled_from(sorted(request)))
        while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.booleans()):
            holder = holder[key]
            keys = sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = data.draw(st.sampled_from(keys))
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[key]
            if not request:
                break
        else:
            holder[key] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    answer = ask(json.dumps(request).encode())
    if answer is None:
        assert "id" not in request
    else:
        check_answer(answer)


@pytest.mark.parametrize("content", [b"[" * 65_000, b'[{"a":' * 10_000, b'{"params":' * 6_000])
def test_depth_is_an_error_and_not_the_end(content: bytes) -> None:
    answer = ask(content)
    check_answer(answer)
    assert answer["error"]["code"] == -32700


async def test_a_fault_of_the_exchange_is_told_without_its_inside_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(SmallVenue):
        def status(self) -> StatusView:
            raise RuntimeError("the secret inside")

    gateway = RpcGateway(Broken([ALICE]))
    with caplog.at_level(logging.ERROR):
        content = b'{"jsonrpc":"2.0","id":1,"method":"public/status"}'
        answer = json.loads(await gateway.begin(content, None) or b"")
    assert answer["error"]["code"] == -32603
    assert "secret" not in json.dumps(answer)
    assert "the secret inside" in caplog.text
