"""The demo, played once and short, and everything that can be done with what it leaves."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from exchange.cli import app
from exchange.demo.strategies import Repertoire
from exchange.home import Home
from exchange.snapshot_chain import snapshot
from settlement.chain import Chain
from settlement.node import Node

pytestmark = pytest.mark.usefixtures("anvil_path")
STRADDLE = (sys.executable, "-m", "exchange.cli")
PATIENCE_S = 60.0
KINDS = ("single", "vertical", "straddle", "butterfly", "condor", "calendar")


def straddle(*words: str | Path) -> Result:
    """A verb in this process, which spares its start."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words])


def one_plain_line(told: Result) -> str:
    """What a person reads who did something wrong."""
    assert told.exit_code == 2, told.stderr
    assert told.stdout == ""
    assert "Traceback" not in told.stderr
    (line,) = told.stderr.strip().splitlines()
    assert line.startswith("straddle: ")
    return line


class Played(NamedTuple):
    directory: Path
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def played(anvil_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    del anvil_path
    directory = tmp_path_factory.mktemp("demo") / "left"
    told = subprocess.run(
        [*STRADDLE, "demo", "--seconds", "3", "--json", "--data", str(directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.stderr == ""
    assert told.returncode == 0
    (line,) = told.stdout.splitlines()
    return Played(directory, json.loads(line))


def test_its_json_says_what_happened(played: Played) -> None:
    summary = played.summary
    assert summary["audit"] == "pass"
    assert summary["tampered_batch_caught"] is True
    assert summary["batches"] >= 3
    assert summary["orders"] > 1_306  # the makers' quotes of 653 two-sided options
    assert summary["fills"] > 0
    assert summary["combo_trades"] > 0
    assert summary["combo_trades_against_legs"] > 0
    assert summary["fills"] >= 2 * summary["combo_trades_against_legs"]
    assert summary["rejects"] == sum(summary["rejects_by_reason"].values()) > 0
    assert summary["rejects_by_reason"]["margin"] >= 1
    assert "short" in summary["margin_reject"]
    assert len(bytes.fromhex(summary["state_root"][2:])) == 32
    assert 0 < summary["gas_per_fill"] < summary["gas_total"]
    assert summary["withdrawn_usdc"] == "1234.56"
    for name in ("settlement", "vault", "token"):
        assert len(bytes.fromhex(summary[name][2:])) == 20


def test_it_shows_a_liquidation_from_call_to_auction(played: Played) -> None:
    told = played.summary["liquidation"]
    usdc = {name: float(told[name]) for name in told if name.endswith("_usdc")}
    assert usdc["called_equity_usdc"] < usdc["called_worst_usdc"]
    assert usdc["started_equity_usdc"] < usdc["started_maintenance_usdc"]
    assert usdc["started_maintenance_usdc"] < usdc["called_worst_usdc"]
    assert told["steps"] >= 2
    assert told["bids"] >= 1
    assert 0 < float(told["stepped"]) + float(told["auctioned"]) < 1
    assert 0 < usdc["lost_at_auction_usdc"] < 0.2 * usdc["started_equity_usdc"]
    assert usdc["equity_usdc"] >= usdc["worst_usdc"] > 0
    assert usdc["fund_usdc"] > 100_000, "the gift, and the fees of the steps"


def test_its_audit_and_its_counts_are_one_story(played: Played) -> None:
    summary, report = played.summary, played.summary["audit_report"]
    assert report["state_root"] == summary["state_root"]
    assert report["batches"] == summary["batches"]
    assert report["fills"] == summary["fills"]
    assert report["vault_micro"] == report["liabilities_micro"]
    assert report["credited_micro"] - report["withdrawn_micro"] == report["liabilities_micro"]
    assert report["signatures"] >= summary["orders"]
    assert "batch" in summary["tampered"]


def test_what_it_leaves_passes_an_audit_and_is_not_changed_by_it(played: Played) -> None:
    before = {path: path.read_bytes() for path in played.directory.rglob("*") if path.is_file()}
    told = straddle("audit", "--data", played.directory, "--json")
    assert told.exit_code == 0, told.stderr
    report = json.loads(told.stdout)
    assert report["state_root"] == played.summary["state_root"]
    assert report["batches"] == played.summary["batches"]
    after = {path: path.read_bytes() for path in played.directory.rglob("*") if path.is_file()}
    assert after == before


def test_it_refuses_a_directory_that_is_there(played: Played) -> None:
    assert "exists" in one_plain_line(straddle("demo", "--data", played.directory))


# THE CHAIN THAT IT LEFT, RUNNING AGAIN


@pytest.fixture(scope="module")
def chain(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `straddle chain` starts: the URL that it says."""
    copy = tmp_path_factory.mktemp("chain") / "left"
    shutil.copytree(played.directory, copy)
    with subprocess.Popen(
        [*STRADDLE, "chain", "--data", str(copy)], stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        said = running.stderr.readline()
        assert said.startswith("chain on http://127.0.0.1:"), said
        yield said.split()[2].rstrip(";")
        running.terminate()


def public(played: Played, chain: str, journal: Path | None = None) -> list[str]:
    """An audit's arguments with nothing but what is public."""
    settlement, kept = played.summary["settlement"], journal or played.directory / "journal"
    return ["audit", "--rpc", chain, "--settlement", settlement, "--journal", str(kept)]


def test_it_passes_an_audit_from_what_is_public_alone(played: Played, chain: str) -> None:
    told = straddle(*public(played, chain))
    assert told.exit_code == 0, told.stderr
    assert "pass" in told.stdout
    assert played.summary["state_root"][-16:] in told.stdout.replace("\n", "")


def test_one_changed_byte_of_its_journal_is_a_verdict(
    played: Played, chain: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    shutil.copytree(played.directory / "journal", journal)
    segment = journal / "segment-00000001.journal"
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    told = straddle(*public(played, chain, journal), "--json")
    assert told.exit_code == 1, told.stderr
    report = json.loads(told.stdout)
    assert report["verdict"] == "fail"
    assert "damaged at byte" in report["reason"]


def test_a_journal_cut_before_the_last_batch_is_a_verdict(
    played: Played, chain: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    shutil.copytree(played.directory / "journal", journal)
    segment = journal / "segment-00000001.journal"
    segment.write_bytes(segment.read_bytes()[: segment.stat().st_size // 2])
    told = straddle(*public(played, chain, journal), "--json")
    assert told.exit_code == 1, told.stderr
    assert "does not make" in json.loads(told.stdout)["reason"]
    assert json.loads(told.stdout)["batch"] >= 1


def test_a_wrong_contract_is_no_verdict(played: Played, chain: str) -> None:
    for name in ("token", "vault"):
        words = public(played, chain)
        words[words.index("--settlement") + 1] = played.summary[name]
        assert played.summary[name] in one_plain_line(straddle(*words, "--json"))
    words[words.index("--settlement") + 1] = "0x" + "11" * 20
    one_plain_line(straddle(*words, "--json"))


# BEFORE IT BEGINS


def test_a_port_in_use_is_one_plain_line(played: Played, chain: str, tmp_path: Path) -> None:
    del played
    taken = chain.rpartition(":")[2]
    for door in ("--rpc-port", "--fix-port"):
        line = one_plain_line(straddle("demo", "--json", door, taken, "--data", tmp_path / door))
        assert taken in line


def test_takers_know_every_kind_of_strategy() -> None:
    repertoire = Repertoire(snapshot(), 1)
    assert tuple(repertoire.makers) == KINDS
    for kind in KINDS:
        drawn = repertoire.draw(kind)
        assert drawn.name == kind
        assert (len(drawn.legs) == 1) == (kind == "single")
        assert len({option.name for _, option in drawn.legs}) == len(drawn.legs)


# SERVED ON: last, since the chain then has more than the journal that the others audit


def test_the_exchange_that_it_left_can_be_served_on_and_settles(
    played: Played, chain: str, tmp_path: Path
) -> None:
    """`straddle chain` starts at the exchange's time, so the contract takes the next batch."""
    directory = tmp_path / "left"
    shutil.copytree(played.directory, directory)
    site = Home(directory).site()
    assert site.rpc == chain
    contracts = Chain(Node(chain), site.settlement_address)
    doors = ("--rpc-port", "0", "--fix-port", "0")
    with subprocess.Popen(
        [*STRADDLE, "serve", "--data", str(directory), *doors], stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stderr is not None
        assert "replayed" in serving.stderr.readline()
        assert serving.stderr.readline().startswith("WebSocket ws://127.0.0.1:")
        told = straddle("serve", "--data", directory, *doors)
        assert f"held by process {serving.pid}" in one_plain_line(told)
        deadline = time.monotonic() + PATIENCE_S
        while contracts.batch_count() == played.summary["batches"]:
            assert time.monotonic() < deadline, "no batch came"
            time.sleep(0.1)
        told = straddle("audit", "--data", directory, "--json")  # while it runs
        assert told.exit_code == 0, told.stdout
        assert json.loads(told.stdout)["batches"] > played.summary["batches"]
        serving.terminate()
        assert serving.wait(PATIENCE_S) == 0
        assert serving.stderr.read() == ""
