"""`straddle serve` with a listing file of three underlyings: what a member finds, and trades."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.client import Client
from exchange.devnet import Devnet, accounts
from exchange.founding import found
from exchange.home import Home
from exchange.wallet import Wallet
from tests.staged import deposit
from tests.unit.test_cli import plain, straddle

pytestmark = pytest.mark.usefixtures("anvil_path")
OPERATOR, BUYER, SELLER = accounts()[:3]
PATIENCE_S = 60.0
UNDERLYING = """
[[underlying]]
name = "{}"
lot = "{}"
option_tick = "{}"
linear_tick = "{}"
index = "{}"
volatility = "{}"
"""
LISTING = (
    ("BTC", "0.01", "1", "0.5", "91000", "50"),
    ("ETH", "0.1", "0.1", "0.05", "3000", "65"),
    ("SOL", "1", "0.01", "0.01", "140", "80"),
)


@pytest.fixture
def home(anvil_path: Path, tmp_path: Path) -> Iterator[Home]:
    del anvil_path
    with Devnet() as devnet:
        found_home = Home(tmp_path / "home")
        found(found_home, devnet.url, OPERATOR.key)
        text = "".join(UNDERLYING.format(*said) for said in LISTING)
        (found_home.directory / "listing.toml").write_text(text)
        yield found_home


async def test_three_underlyings_are_listed_marked_and_traded(home: Home) -> None:
    serve = ("serve", "--data", str(home.directory), "--rpc-port", "0", "--fix-port", "0")
    command = [sys.executable, "-m", "exchange.cli", *serve, "--feed", "synthetic"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stderr is not None
            assert "replayed 0" in serving.stderr.readline()
            url = serving.stderr.readline().partition("WebSocket ")[2].partition(",")[0]
            assert "3 reporters" in serving.stderr.readline()
            numbers = [deposit(home.site(), member) for member in (BUYER, SELLER)]
            async with (
                Client(url, Wallet(BUYER.key), numbers[0]) as buyer,
                Client(url, Wallet(SELLER.key), numbers[1]) as seller,
                asyncio.timeout(PATIENCE_S),
            ):
                await _trades(buyer, seller)
        finally:
            serving.terminate()
        assert serving.wait(PATIENCE_S) == 0
        assert serving.stderr.read() == "", "no report was refused"
    text = (home.directory / "listing.toml").read_text()
    (home.directory / "listing.toml").write_text(text.replace('lot = "1"', 'lot = "2"'))
    told = plain(await asyncio.to_thread(straddle, *serve))
    assert "SOL is listed with lots of 1, the listing file says 2" in told


async def _trades(buyer: Client, seller: Client) -> None:
    while not (await buyer.accounts() and await seller.accounts()):
        await asyncio.sleep(0.2)
    while True:
        listed = await buyer.instruments()
        if len(listed) > 1_500 and all("mark" in one for one in listed):
            break
        await asyncio.sleep(0.5)
    kinds = Counter((one["underlying"], one["kind"]) for one in listed)
    found: dict[tuple[str, str], str] = {}
    for one in listed:
        found.setdefault((one["underlying"], one["kind"]), one["symbol"])
    for name, _, _, _, index, _ in LISTING:
        assert kinds[name, "perpetual"] == 1
        assert kinds[name, "future"] > 3
        assert kinds[name, "call"] == kinds[name, "put"] > 200
        perpetual = next(one for one in listed if one["symbol"] == f"{name}-PERPETUAL")
        assert float(perpetual["index"]) == pytest.approx(float(index), rel=0.05)
    option, future = found["SOL", "call"], found["ETH", "future"]
    for symbol, price in ((option, "30"), (future, "3010")):
        await seller.place(symbol, "sell", price, "1", time_in_force="GTC")
        await buyer.place(symbol, "buy", price, "1", time_in_force="IOC")
    held = {one["symbol"]: one["quantity"] for one in await buyer.positions()}
    assert held == {option: "1", future: "1"}
