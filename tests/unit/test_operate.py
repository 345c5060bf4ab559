"""The operator's word to a running exchange: said at the door in its directory, journaled, or
answered with a sentence.
"""

import asyncio
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import Result

from exchange import commands as c
from exchange import operator_words as w
from exchange.founding import timed
from exchange.invariants import check
from exchange.listing_rules import SHIPPED, Listed, due_listings
from exchange.operate_verbs import operate
from exchange.operator_door import SOCKET, Answer, DoorClosed, OperatorDoor, say
from exchange.oracle.terms import DEVIATION_E4, FORWARD_BAND_E4, FORWARD_MOVE_E4, VARIANCE_MOVE_E4
from exchange.service import Exchange
from exchange.settler import SettlementPace, Settler
from exchange.state import State
from exchange.state_digest import state_hash
from margin.collateral import OF_UNDERLYING, STABLE
from matching.rejects import SPEC_OUT_OF_BOUNDS, UNKNOWN_ACCOUNT
from matching.trading_states import CANCEL_ONLY, HALTED, INSTRUMENT, UNDERLYING, VENUE
from settlement.chain import Chain
from settlement.node import Node
from settlement.signature import Signer
from tests.floor import CHAIN_ID, FEES, NS, OPERATOR, SETTLEMENT, START_S, Floor
from tests.unit.test_cli import plain, straddle

SECRET = b"\x07" * 32
OWNER = b"\x0a" * 20
ANN, BOB = "0x" + "aa" * 20, "0x" + "bb" * 20
PERPETUAL = "ETH-PERPETUAL"
AN_ORACLE = w.Oracle("ETH", [f"{ANN}:8", BOB], 0, 30, "1", "20", "1", "50")
A_COLLATERAL = w.Collateral(1, "ETH", "ETH", "20", "15", "10000", "5", "")


def nothing_listed() -> Listed:
    return Listed([], [], [], {}, {})


def listed() -> State:
    """BTC and ETH with their perpetuals, and an account."""
    floor = Floor(watched=False)
    floor.genesis()
    for command in due_listings(SHIPPED, nothing_listed(), floor.time_ns):
        floor.send(command)
    floor.send(c.OpenAccount(floor.time_ns, 0, 0, OWNER))
    return floor.state


class Served:
    """A running exchange with its door; its chain does not answer."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "exchange.json").write_text("{}")
        key = Signer(SECRET)
        self.exchange = Exchange.open(
            directory / "journal", key, clock=lambda: START_S * NS, fsync=False
        )
        exchange = self.exchange
        chain = Chain(Node("http://127.0.0.1:1", timeout_s=0.1), bytes(20))
        self.settler = Settler(
            exchange.state, exchange.read_model, exchange.submit, chain, SECRET, SettlementPace()
        )

    async def begin(self) -> None:
        self.exchange.start()
        genesis = (CHAIN_ID, SETTLEMENT, OPERATOR, *FEES, 18)
        await self.exchange.submit(lambda t, _: c.Genesis(t, *genesis))
        for command in due_listings(SHIPPED, nothing_listed(), START_S * NS):
            await self.exchange.submit(lambda t, _, command=command: timed(command, t))
        await self.exchange.submit(lambda t, _: c.OpenAccount(t, 0, 0, OWNER))

    async def say(self, word: Any) -> Answer:
        return await asyncio.to_thread(say, self.directory, word)

    async def straddle(self, *words: str) -> Result:
        data = ("--data", str(self.directory))
        return await asyncio.to_thread(straddle, "operate", *words, *data)


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    found = Served(tmp_path)
    await found.begin()
    async with OperatorDoor(found.exchange, found.settler, tmp_path):
        yield found
    assert not check(found.exchange.state)
    await found.exchange.stop()


# WHAT A WORD COMES TO

BOUNDS = (DEVIATION_E4, FORWARD_BAND_E4, FORWARD_MOVE_E4, VARIANCE_MOVE_E4)
TWO = ((b"\xaa" * 20, 8), (b"\xbb" * 20, 8))
NAME = b"ETH".ljust(8, b"\0")


@pytest.mark.parametrize(
    ("word", "command"),
    [
        (w.Liquidation(True), c.SetLiquidation(9, 1)),
        (w.RiskProfile(7, "standard", 2), c.SetRiskProfile(9, 7, 1, 2)),
        (w.TradingState("venue", "open", "opening"), c.SetTradingState(9, VENUE, 0, 0, 1)),
        (
            w.TradingState("ETH", "cancel-only", "none given"),
            c.SetTradingState(9, UNDERLYING, 1, CANCEL_ONLY, 0),
        ),
        (
            w.TradingState(PERPETUAL, "halted", "delisting"),
            c.SetTradingState(9, INSTRUMENT, 1, HALTED, 6),
        ),
        (
            w.Breaker("ETH", 300, 60, "1.5", ["7.25:post-only:60", "20:cancel-only:0"]),
            c.SetBreaker(9, 1, 300, 60, 150, ((725, 2, 60), (2_000, 3, 0))),
        ),
        (w.Breaker("BTC", 300, 60, "2", []), c.SetBreaker(9, 0, 300, 60, 200, ())),
        (AN_ORACLE, c.SetOracle(9, 1, 2, 30, *BOUNDS, TWO)),
        (w.Oracle("ETH", [], 3, 30, "1", "20", "1", "50"), c.SetOracle(9, 1, 0, 30, *BOUNDS, ())),
        (
            w.Funding(PERPETUAL, "0.5", "0.0125", 28_800, "2.5", 60),
            c.SetFunding(9, 1, 5_000, 125, 28_800, 25, 60),
        ),
        (w.Funding(PERPETUAL, "9", "9", 0, "x", 9), c.SetFunding(9, 1, 0, 0, 0, 0, 0)),
        (
            A_COLLATERAL,
            c.ListAsset(9, 1, NAME, 18, OF_UNDERLYING, 1, 2_000, 1_500, 10**10, 500),
        ),
        (
            w.Collateral(2, "USDT", "", "2", "1.5", "0.000001", "0", ANN),
            c.ListAsset(9, 2, b"USDT".ljust(8, b"\0"), 18, STABLE, 255, 200, 150, 1, 0),
        ),
        (w.Delist(PERPETUAL, 0), c.DelistInstrument(9, 1, 0)),
    ],
)
def test_a_word_comes_to_its_command(word: w.AnyWord, command: c.Command) -> None:
    assert w.command_of(listed(), word, 9, 18) == command


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (w.RiskProfile(0, "span", 0), "no model 'span'; there are portfolio, standard"),
        (w.RiskProfile(-1, "standard", 0), "account -1 is out of range"),
        (w.TradingState("XRP", "open", "none given"), "there are BTC, ETH"),
        (w.TradingState("XRP-PERPETUAL", "open", "none given"), "no instrument 'XRP-PERPETUAL'"),
        (w.TradingState("venue", "settled", "none given"), "no state 'settled'"),
        (w.TradingState("venue", "open", "mood"), "no reason 'mood'"),
        (w.Breaker("BTC", 1, 1, "2", ["10:60"]), "not like 10:post-only:60"),
        (w.Breaker("BTC", 1, 1, "2", ["10:shut:60"]), "no state 'shut'"),
        (w.Breaker("BTC", 1, 1, "2", ["ten:halted:60"]), "level 'ten' is no percentage"),
        (w.Breaker("BTC", 1, 1, "2", ["10:halted:-6"]), "not like"),
        (w.Breaker("BTC", 1, 1, "-2", []), "calm '-2' is no percentage"),
        (w.Oracle("BTC", ["0x12:8"], 0, 1, "1", "1", "1", "1"), "'0x12' is no address"),
        (w.Oracle("BTC", [f"{ANN}:x"], 0, 1, "1", "1", "1", "1"), "not like 0x...:8"),
        (w.Oracle("BTC", [], 0, 1, "1", "1", "1", "0.001"), "variance move '0.001'"),
        (w.Funding("BTC", "1", "1", 60, "1", 60), "no instrument 'BTC'"),
        (w.Funding(PERPETUAL, "1", "1", 60, "0.25", 60), "no whole number of lots"),
        (w.Funding(PERPETUAL, "0.00001", "1", 60, "1", 60), "at most 4 decimals"),
        (w.Collateral(1, "", "", "1", "1", "1", "1", ""), "is no name"),
        (w.Collateral(1, "ÉTH", "", "1", "1", "1", "1", ""), "is no name"),
        (w.Collateral(1, "ETHEREUMS", "", "1", "1", "1", "1", ""), "is no name"),
        (w.Collateral(1, "ETH", "", "1", "1", "-1", "1", ""), "cap '-1'"),
        (w.Collateral(1, "SOL", "SOL", "1", "1", "1", "1", ""), "no underlying 'SOL'"),
        (w.Delist("nothing", 0), "no instrument 'nothing'"),
    ],
)
def test_a_word_that_cannot_be_read_says_what_could_be(word: w.AnyWord, told: str) -> None:
    with pytest.raises(w.WrongWord, match=re.escape(told)):
        w.command_of(listed(), word, 9, 18)


def test_a_token_has_as_many_decimals_as_its_unit_says() -> None:
    assert [w.decimals_of(unit) for unit in (1, 100, 10**12)] == [6, 8, 18]
    assert w.token_of(A_COLLATERAL) == b""
    named = w.Collateral(1, "ETH", "ETH", "20", "15", "10000", "5", BOB)
    assert w.token_of(named) == b"\xbb" * 20


# AT THE DOOR


async def test_what_is_said_happens_and_is_journaled(served: Served) -> None:
    state = served.exchange.state
    before = state.sequence
    answer = await served.say(AN_ORACLE)
    assert (answer.wrong, answer.sequence) == ("", before + 1)
    (event,) = answer.events
    assert (event["event"], event["quorum"]) == ("OracleArmed", 2)
    assert event["reporters"] == [[ANN, 8], [BOB, 8]]
    assert state.oracles[1].terms is not None
    answer = await served.say(w.RiskProfile(0, "portfolio", 2))
    assert answer.events[0]["event"] == "MarginChosen"
    assert state.accounts[0].least_tier == 2
    assert (await served.say(w.Liquidation(True))).wrong == ""
    assert state.liquidations.is_armed
    assert state.sequence == before + 3


async def test_what_the_engine_refuses_is_a_sentence_and_leaves_no_trace(served: Served) -> None:
    before = state_hash(served.exchange.state)
    answer = await served.say(w.Oracle("ETH", [ANN], 2, 30, "1", "20", "1", "50"))
    assert answer.code == SPEC_OUT_OF_BOUNDS
    assert answer.wrong.endswith("(quorum)")
    answer = await served.say(w.RiskProfile(7, "standard", 0))
    assert answer.code == UNKNOWN_ACCOUNT
    answer = await served.say(w.RiskProfile(0, "portfolio", 300))
    assert answer.wrong == "a number in it is larger than the command can hold"
    answer = await served.say(A_COLLATERAL)
    assert answer.code == 0
    assert "127.0.0.1:1" in answer.wrong, "the chain says what decimals a token has"
    assert state_hash(served.exchange.state) == before


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.text(max_size=9), st.just("liquidation")),
            lambda inner: st.dictionaries(st.sampled_from(("word", "armed", "of")), inner),
            max_leaves=4,
        ).map(lambda value: repr(value).replace("'", '"').encode()),
    )
)
def test_whatever_is_said_is_answered(tmp_path: Path, line: bytes) -> None:
    async def answered() -> Answer:
        directory = tmp_path / "one"
        directory.mkdir(exist_ok=True)
        served = Served(directory)
        door = OperatorDoor(served.exchange, served.settler, directory)
        answer = await door.answer(line)
        served.exchange.journal.close()
        return answer

    assert "does not know such a word" in asyncio.run(answered()).wrong


async def test_the_door_is_its_owners_alone_and_there_while_the_exchange_runs(
    tmp_path: Path,
) -> None:
    served = Served(tmp_path)
    await served.begin()
    with pytest.raises(DoorClosed, match=r"no exchange runs .*straddle serve --data"):
        await served.say(AN_ORACLE)
    (tmp_path / SOCKET).touch()  # of a run that was killed
    with pytest.raises(DoorClosed, match="no exchange runs"):
        await served.say(AN_ORACLE)
    async with OperatorDoor(served.exchange, served.settler, tmp_path):
        mode = (tmp_path / SOCKET).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert not (await served.say(AN_ORACLE)).wrong
    assert not (tmp_path / SOCKET).exists()
    with pytest.raises(DoorClosed, match="no exchange runs"):
        await served.say(AN_ORACLE)
    with pytest.raises(DoorClosed, match=r"exchange\.json is missing"):
        say(tmp_path / "nowhere", AN_ORACLE)
    deep = tmp_path.joinpath(*["deeper and deeper"] * 8)
    deep.mkdir(parents=True)
    (deep / "exchange.json").touch()
    with pytest.raises(DoorClosed, match="too long a path"):
        say(deep, AN_ORACLE)
    await served.exchange.stop()


# THE VERBS

VERBS = [
    command.name or getattr(command.callback, "__name__", "")
    for command in operate.registered_commands
]


def test_there_is_a_verb_for_every_word() -> None:
    tags = [word.__struct_config__.tag for word in w.Word.__subclasses__()]
    assert sorted(VERBS) == sorted(map(str, tags))


@pytest.mark.parametrize("verb", VERBS)
def test_an_operators_verb_explains_itself_with_an_example(verb: str) -> None:
    told = straddle("operate", verb, "--help")
    assert told.exit_code == 0
    assert f"straddle operate {verb} " in told.stdout.partition("Example")[2]
    for option in re.findall(r"^\W*(--[a-z-]+)", told.stdout, re.MULTILINE):
        line = next(line for line in told.stdout.splitlines() if option in line)
        assert len(line.strip(" │*").split()) > 3, f"{option} is not explained"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["state", "ETH", "halted", "--reason", "maintenance"], "TradingStateChanged: scope 1"),
        (["oracle", "ETH", "--reporter", f"{ANN}:8"], "OracleArmed: underlying 1, quorum 1"),
        (["oracle", "ETH", "--off"], "OracleArmed: underlying 1, quorum 0"),
        (["breaker", "BTC", "--level", "5:post-only:60"], "BreakerArmed: underlying 0"),
        (["breaker", "BTC", "--off"], "BreakerArmed: underlying 0"),
        (["risk-profile", "0", "--least-tier", "1"], "MarginChosen: account 0"),
        (["liquidation", "on"], "LiquidationArmed: is_armed 1"),
        (["funding", "BTC-PERPETUAL"], "FundingSet: instrument 0"),
        (["funding", "BTC-PERPETUAL", "--off"], "FundingSet: instrument 0"),
        (["delist", "ETH-PERPETUAL"], "InstrumentDelisted: instrument 1"),
        (["delist", "BTC-PERPETUAL", "--end", "2026-12-01T08:00"], "end_time_s 1796112000"),
    ],
)
async def test_a_verb_prints_what_happened(served: Served, words: list[str], said: str) -> None:
    told = await served.straddle(*words)
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith("command ")
    assert said in told.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["state", "ETH", "closed"], "no state 'closed'; there are open"),
        (["oracle", "ETH"], "--reporter"),
        (["oracle", "ETH", "--off", "--reporter", ANN], "--off"),
        (["breaker", "ETH"], "--level"),
        (["liquidation", "maybe"], "there are on, off"),
        (["delist", "ETH-PERPETUAL", "--end", "tomorrow"], "no time like"),
        (["risk-profile", "99"], "no account has the number 99"),
    ],
)
async def test_a_verb_says_what_is_wrong_in_one_line(
    served: Served, words: list[str], said: str
) -> None:
    before = state_hash(served.exchange.state)
    assert said in plain(await served.straddle(*words))
    assert state_hash(served.exchange.state) == before


async def test_a_verb_tells_a_program_in_json(served: Served) -> None:
    told = await served.straddle("liquidation", "on", "--json")
    sequence = served.exchange.state.sequence
    assert told.stdout == (
        f'{{"sequence":{sequence},"events":[{{"event":"LiquidationArmed","is_armed":1}}]}}\n'
    )
