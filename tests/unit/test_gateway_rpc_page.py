"""docs/rpc.md says what the door does, and its examples run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from exchange.gateway_rpc import RpcGateway
from exchange.gateway_rpc.channels import BOOK_DEPTH
from exchange.gateway_rpc.failures import Failure
from exchange.gateway_rpc.requests import MAX_BATCH, decoder, read_params
from exchange.gateway_rpc.signed_requests import SignedOrder
from exchange.wallet import Wallet
from tests.unit.small_venue import SmallVenue

PAGE = (Path(__file__).parents[2] / "docs" / "rpc.md").read_text()
ALICE = Wallet(b"\x01" * 32)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_lists_every_method_and_no_other() -> None:
    table = PAGE.split("## Methods")[1].split("A **verdict**")[0]
    listed = re.findall(r"^\| `([a-z_/]+)` \|", table, re.MULTILINE)
    assert listed == list(RpcGateway(SmallVenue([ALICE]))._methods.table)


def test_the_page_names_the_bounds_that_hold() -> None:
    assert f"A batch has at most {MAX_BATCH} requests, a message 65,536 bytes" in PAGE
    assert f"({BOOK_DEPTH} levels a side)" in PAGE


def test_the_order_on_the_page_is_a_request() -> None:
    request = json.loads(blocks("json")[0])
    request["params"]["signature"] = "0x" + "00" * 65
    content = json.dumps(request["params"]).encode()
    params = read_params(decoder(SignedOrder), content)  # type: ignore[arg-type]
    assert not isinstance(params, Failure)
    assert params.message.value().limit_price_micro == 12_350_000


async def test_the_client_on_the_page_trades(capsys: pytest.CaptureFixture[str]) -> None:
    venue = SmallVenue([ALICE])
    gateway = RpcGateway(venue)
    await gateway.start()
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)
    await names["trade"](gateway.url, "01" * 32, 0)
    await gateway.stop()
    assert len(venue.received) == 2
    assert venue.live == {}
    assert "orderRested" in capsys.readouterr().out
