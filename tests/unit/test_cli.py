"""The command line as a stranger meets it: help that suffices, and one plain line where something
is wrong.
"""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from exchange.cli import app
from exchange.founding import Terms
from exchange.home import Home, HomeError, Site

VERBS = ("demo", "audit", "margin", "bench", "deploy", "serve", "operate", "chain")
SITE = Site("http://127.0.0.1:1", 31337, "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20, 1)


def straddle(*words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [str(w) for w in words])


def plain(result: Result) -> str:
    """The one line that says what is wrong."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("straddle: ")
    return line


def test_help_names_every_verb_and_where_to_begin() -> None:
    told = straddle("--help")
    assert told.exit_code == 0
    assert "straddle demo" in told.stdout
    for verb in VERBS:
        assert re.search(rf"^\W*{verb}\s+\w", told.stdout, re.MULTILINE), verb
    told = straddle("--version").stdout.strip()
    assert told[0].isdigit()
    assert told.endswith(("(core compiled)", "(core interpreted)")), told


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_explains_itself_with_an_example(verb: str) -> None:
    told = straddle(verb, "--help")
    assert told.exit_code == 0
    assert re.search(r"Examples?: ", told.stdout)
    assert f"straddle {verb} " in told.stdout.partition("Example")[2]
    for option in re.findall(r"^\W*(--[a-z-]+)", told.stdout, re.MULTILINE):
        line = next(line for line in told.stdout.splitlines() if option in line)
        assert len(line.strip(" │").split()) > 2, f"{option} is not explained"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["audit"], "--data"),
        (["audit", "--rpc", "http://127.0.0.1:1"], "--settlement"),
        (["audit", "--rpc", "http://127.0.0.1:1", "--settlement", "0x1", "--journal", "."], "0x1"),
        (["audit", "--rpc", "x", "--settlement", "0x" + "zz" * 20, "--journal", "."], "zz"),
        (["audit", "--data", "nowhere"], "nowhere"),
        (["audit", "--data", "[/red]"], "[/red]"),
        (["bench", "nonsense"], "signatures"),
        (["serve", "--data", "nowhere"], "nowhere"),
        (["operate", "liquidation", "on", "--data", "nowhere"], "nowhere"),
        (["chain", "--data", "nowhere"], "nowhere"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in plain(straddle(*words))
    assert list(tmp_path.iterdir()) == []


def test_an_audit_without_a_chain_or_a_journal_is_no_verdict(tmp_path: Path) -> None:
    settlement = ("--settlement", "0x" + "11" * 20)
    rpc = ("--rpc", "http://127.0.0.1:1")
    missing = tmp_path / "missing"
    assert "missing" in plain(straddle("audit", *rpc, *settlement, "--journal", missing))
    line = plain(straddle("audit", *rpc, *settlement, "--journal", tmp_path))
    assert "http://127.0.0.1:1" in line
    line = plain(straddle("audit", "--rpc", "nonsense", *settlement, "--journal", tmp_path))
    assert "nonsense" in line


def test_a_directory_that_cannot_be_read_as_an_exchange_is_said(tmp_path: Path) -> None:
    (tmp_path / "exchange.json").write_text("{")
    assert "exchange.json" in plain(straddle("serve", "--data", tmp_path))
    assert "exchange.json" in plain(straddle("audit", "--data", tmp_path))
    (tmp_path / "exchange.json").write_text('{"rpc": 5}')
    assert "rpc" in plain(straddle("chain", "--data", tmp_path))


def test_an_operators_key_that_is_none_is_said_and_not_shown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create(SITE, b"\x07" * 32)
    for text, said in (("ab", "1 bytes"), ("secret words", "cannot be read")):
        (tmp_path / "operator.key").write_text(text)
        line = plain(straddle("serve", "--data", tmp_path))
        assert said in line
        assert "secret" not in line
    (tmp_path / "operator.key").unlink()
    assert "operator.key" in plain(straddle("serve", "--data", tmp_path))


def test_chain_wants_what_a_demo_left(tmp_path: Path) -> None:
    Home(tmp_path).create(SITE, b"\x07" * 32)
    assert "no chain" in plain(straddle("chain", "--data", tmp_path))


def test_deploy_says_what_is_wrong_before_anything_is_paid_for(tmp_path: Path) -> None:
    key = tmp_path / "key"
    rpc = ("--rpc", "http://127.0.0.1:1")
    deploy = ("deploy", *rpc, "--data", tmp_path / "home", "--operator-key", key)
    assert "cannot be read" in plain(straddle(*deploy))
    key.write_text("0x1234")
    assert "64 hexadecimal digits" in plain(straddle(*deploy))
    key.write_text("0x" + "07" * 32)
    assert "0x12" not in plain(straddle(*deploy, "--token", "0x12"))
    assert "does not answer" in plain(straddle(*deploy))
    Home(tmp_path / "home").create(SITE, b"\x07" * 32)
    assert "holds an exchange already" in plain(straddle(*deploy))


def test_a_word_too_few_or_too_many_is_refused_by_name() -> None:
    for words, said in (
        (["deploy"], "--rpc"),
        (["nonsense"], "nonsense"),
        (["demo", "--seconds", "many"], "--seconds"),
        (["demo", "--seconds", "1"], "--seconds"),
        (["serve", "--data", "x", "--rpc-port", "70000"], "--rpc-port"),
    ):
        told = straddle(*words)
        assert told.exit_code == 2
        assert said in told.stderr
        assert "Traceback" not in told.stderr


# HOME


def test_a_home_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    home = Home(tmp_path / "new" / "home")
    home.create(SITE, bytes(range(32)))
    assert home.site() == SITE
    assert home.operator_key() == bytes(range(32))
    assert (home.directory / "operator.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(HomeError, match="already"):
        home.create(SITE, bytes(32))
    assert home.operator_key() == bytes(range(32))


def test_a_key_that_lay_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "operator.key").write_text("old")
    (tmp_path / "operator.key").chmod(0o644)
    Home(tmp_path).create(SITE, b"\x07" * 32)
    assert (tmp_path / "operator.key").stat().st_mode & 0o777 == 0o600


def test_a_directory_that_cannot_be_made_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot be made"):
        Home(tmp_path / "file" / "home").create(SITE, b"\x07" * 32)


def test_terms_have_fees_that_fit_a_genesis() -> None:
    assert all(0 <= rate < 2**16 for rate in Terms().fees)
