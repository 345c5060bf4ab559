"""`straddle margin`: files and accounts, and one plain line where something is wrong."""

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from exchange import margin_views
from exchange.bench.flow import opening_commands
from exchange.cli import app
from exchange.codec import encode_command
from exchange.commands import PlaceOrder
from exchange.journal import Journal
from exchange.margin_verb import (
    MOST_BYTES,
    Shown,
    margin_of_file,
    parts_of,
    print_margin,
    shipped_exchange,
    shown_json,
)
from exchange.snapshot_chain import NANOSECONDS, snapshot
from margin.analytics.pm2 import pm2_of
from matching.orders import BUY, GTC, SELL
from settlement.signed_messages import NO_ORDER, Order, order_hash
from tests.floor import CALL_90, ETH_PERP, open_floor

CSV = "symbol,quantity\ncash,5000\nBTC-27MAR26-90000-C,-0.1\n\nBTC-27MAR26-100000-C, 0.1\n"
JSON = (
    '{"cash": "5000", "positions": [{"symbol": "BTC-27MAR26-90000-C", "quantity": -0.1},'
    ' {"symbol": "BTC-27MAR26-100000-C", "quantity": "0.10"}]}'
)


def shipped_symbols(count: int) -> list[str]:
    return [instrument.symbol for instrument in shipped_exchange().instruments[:count]]


def straddle(*words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [str(w) for w in words])


def plain(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("straddle: ")
    return line


def test_a_file_in_csv_and_in_json_need_the_same(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV)
    (tmp_path / "p.json").write_text(JSON)
    (tmp_path / "p.combo").write_text("cash,5000\nBTC-CS-27MAR26-90000_100000,-0.1\n")
    found = [
        json.loads(straddle("margin", tmp_path / name, "--json").stdout)
        for name in ("p.csv", "p.json", "p.combo")
    ]
    assert found[0] == found[1] == found[2]
    state = shipped_exchange()
    assert found[0] == shown_json(margin_of_file(tmp_path / "p.csv"))
    assert [row["symbol"] for row in found[0]["positions"]] == [
        state.instruments[n].symbol
        for n in sorted(state.symbols[row["symbol"]] for row in found[0]["positions"])
    ]
    assert found[0].keys() >= {"closing", "liquidation", "underlyings", "charges"}


def test_a_person_sees_every_scenario_and_charge(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV)
    shown = straddle("margin", tmp_path / "p.csv").stdout
    for words in ("initial margin", "short options", "liquidation up", "-18%", "+500% damped"):
        assert words in shown
    for move in range(-18, 19):
        assert f"{move:+d}%" in shown
    assert "Derive's PM2, initial" in shown


def test_a_portfolio_may_have_the_perpetual_and_futures_and_stands_beside_pm2(
    tmp_path: Path,
) -> None:
    """18% and 1% of a bitcoin, and PM2's 18% and 4%; futures where the listing rules have them."""
    (tmp_path / "p.csv").write_text("BTC-PERPETUAL,-1\n")
    found = json.loads(straddle("margin", tmp_path / "p.csv", "--json").stdout)
    index = float(found["underlyings"][0]["index"])
    assert float(found["initialMargin"]) == pytest.approx(0.19 * index, abs=0.01)
    assert float(found["pm2"]["initialMargin"]) == pytest.approx(0.22 * index, abs=0.01)
    assert float(found["pm2"]["maintenanceMargin"]) == pytest.approx(0.174 * index, abs=0.01)
    assert found["pm2"]["worstScenario"] == "+18% volatility up"
    state = shipped_exchange()
    futures = [i.symbol for i in state.instruments if i.is_linear]
    names = ("30JAN26", "27FEB26", "27MAR26", "26JUN26", "25SEP26", "25DEC26")
    assert futures == ["BTC-PERPETUAL", *(f"BTC-{name}" for name in names)]
    assert all(state.marks.is_marked)


def test_each_model_and_tier_is_shown_with_the_parts_that_its_margin_has() -> None:
    floor = open_floor()
    floor.buy(0, floor.near(CALL_90), 10, CALL_90)
    floor.sell(1, floor.near(CALL_90), 10, CALL_90)
    floor.sell(0, floor.near(ETH_PERP), 7, ETH_PERP)
    floor.buy(1, floor.near(ETH_PERP), 7, ETH_PERP)
    for model, tier in ((0, 0), (0, 2), (1, 0), (1, 1)):
        floor.choose_margin(1, model, tier)
        report = margin_views.report_of(floor.state, floor.account(1))
        fall = margin_views.fall_of(floor.state, floor.account(1))
        shown = Shown(report, fall, pm2_of(floor.state.portfolio, floor.account(1)))
        parts = {name: amount for name, amount, _ in parts_of(shown)}
        found = report.breakdown
        total = sum(parts.values()) + found.collateral_charge_micro + found.rounding_micro
        assert total == found.initial_micro, (model, tier, parts)
        assert parts.get("netting", 0) <= 0
        assert ("each alone" in parts) == (model == 1)
        assert ("tier's charges" in parts) == (model == 0 and tier > 0)
        with redirect_stdout(StringIO()) as printed:
            print_margin(shown)
        assert ("standard" if model else "portfolio") in printed.getvalue()
        assert f"tier {tier}" in printed.getvalue()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("BTC-27MAR26-90001-C,1\n", "line 1: no instrument 'BTC-27MAR26-90001-C'"),
        ("BTC-27MAR26-90000-C,0.001\n", "multiple of 0.01"),
        ("BTC-27MAR26-90000-C,NaN\n", "'NaN'"),
        ("BTC-27MAR26-90000-C,\n", "''"),
        ("BTC-27MAR26-90000-C\n", "line 1: 1 fields"),
        ("cash,1\nBTC-27MAR26-90000-C,1,2\n", "line 2: 3 fields"),
        ("cash,1\ncash,2\n", "line 2: cash is given twice"),
        ("cash,1e5\n", "'1e5'"),
        ("cash,0.0000001\n", "at most 6 places"),
        ("BTC-27MAR26-90000-C,1000000\n", "no account can hold this"),
        (
            "".join(f"{option},0.01\n" for option in shipped_symbols(257)),
            "257 positions; at most 256",
        ),
        ('{"positions": 3}', "JSON"),
        ('{"cash": "5000"}', "positions"),
        ('{"positions": [{"symbol": "BTC-27MAR26-90000-C", "quantity": "Infinity"}]}', "Infinity"),
        ('{"positions": [{"symbol": "x", "quantity": 1}]}', "positions[0]: no instrument 'x'; 691"),
        ('{"positions": [{"symbol": "BTC-PERPETUAL", "quantity": 1e99999999}]}', "1E+99999999"),
        ('{"cash": 1e-99999999, "positions": []}', "1E-99999999"),
        ("[" * 50_000, "JSON"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    line = plain(straddle("margin", path))
    assert said in line
    assert str(path) in line


def test_a_file_that_is_none_or_too_much_is_said(tmp_path: Path) -> None:
    assert "cannot be read" in plain(straddle("margin", tmp_path / "nowhere.csv"))
    assert "cannot be read" in plain(straddle("margin", tmp_path))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in plain(straddle("margin", tmp_path / "bytes"))
    (tmp_path / "big").write_bytes(b"x" * (MOST_BYTES + 1))
    assert "bytes" in plain(straddle("margin", tmp_path / "big"))
    assert "--data" in plain(straddle("margin"))
    assert "--data" in plain(straddle("margin", "--data", tmp_path))
    assert "--data" in plain(straddle("margin", tmp_path / "big", "--account", "1"))
    assert "journal" in plain(straddle("margin", "--data", tmp_path, "--account", "1"))


def test_an_account_of_a_journal_is_shown_as_it_stands_at_the_end(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal")
    time_ns = snapshot().time_s * NANOSECONDS
    for command in opening_commands(2):
        journal.append(encode_command(command))
    state = shipped_exchange()
    number = state.symbols["BTC-27MAR26-90000-C"]
    price = state.marks.mark_ticks(state.instruments[number]) * 10_000
    for account, side in ((1, BUY), (0, SELL)):
        expiry_s = time_ns // NANOSECONDS + 3_600
        order = Order(
            account, 0, side, GTC, 0, price, 10, 10**9, expiry_s, 1, NO_ORDER, ((number, 1),)
        )
        owner = (account + 1).to_bytes(20, "big")
        placed = PlaceOrder(time_ns, order, order_hash(order), owner, bytes(65))
        journal.append(encode_command(placed))
    journal.commit()
    journal.close()
    shown = straddle("margin", "--data", tmp_path, "--account", "0", "--json")
    found = json.loads(shown.stdout)
    assert found["account"] == 0
    (tmp_path / "p.csv").write_text("cash,5000\nBTC-27MAR26-90000-C,-0.1\n")
    words = ("margin", tmp_path / "p.csv", "--data", tmp_path, "--json")
    of_file = json.loads(straddle(*words).stdout)
    assert of_file["positions"] == found["positions"], "at the marks of that exchange"
    assert of_file["initialMargin"] == found["initialMargin"]
    (position,) = found["positions"]
    assert (position["symbol"], position["quantity"]) == ("BTC-27MAR26-90000-C", "-0.1")
    assert "there is no account 2; 2" in plain(
        straddle("margin", "--data", tmp_path, "--account", "2")
    )
    segment = next((tmp_path / "journal").glob("segment-*"))
    data = bytearray(segment.read_bytes())
    data[200] ^= 1
    segment.write_bytes(data)
    assert "segment" in plain(straddle("margin", "--data", tmp_path, "--account", "0"))
