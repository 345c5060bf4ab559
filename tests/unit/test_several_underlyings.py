"""An exchange whose listing file names several underlyings: each has its chain, its futures and its
perpetual, and marks of its own, by the operator or by a feed.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import commands as c
from exchange import events as e
from exchange.founding import timed
from exchange.invariants import check
from exchange.keeping import Keeper, listed_of
from exchange.listing_config import read_rules
from exchange.listing_rules import BTC_RULE, SHIPPED, UnderlyingRule, due_listings, expiry_times
from exchange.operating import first_listing
from exchange.oracle.feed import reporters_of
from exchange.oracle.feeding import SYNTHETIC, Feeding, feed_of, oracle_command, reporters_from
from exchange.service import Exchange
from exchange.snapshot_chain import snapshot
from exchange.state import State
from exchange.stated_markets import dynamics_of, stated_marks, unmarked
from matching.instruments import CALL, FUTURE, PERPETUAL, PUT
from settlement.signature import Signer
from tests.floor import CHAIN_ID, FEES, NS, OPERATOR, SETTLEMENT, START_S, Floor, was_accepted

FILE = b"""
[[underlying]]
name = "ETH"
lot = "0.1"
option_tick = "0.1"
linear_tick = "0.05"
index = "3312"
volatility = "65"

[[underlying]]
name = "SOL"
lot = "1"
option_tick = "0.01"
linear_tick = "0.01"
index = "142.5"
volatility = "80"

[[underlying]]
name = "DOGE"
lot = "1000"
option_tick = "0.0001"
linear_tick = "0.00001"
"""
SECRET = b"\x07" * 32
ETH, SOL, DOGE = range(3)


class Venue:
    """A running exchange, listed by a file."""

    def __init__(self, directory: Path) -> None:
        self.now_ns = START_S * NS
        self.exchange = Exchange.open(directory, Signer(SECRET), clock=self.clock, fsync=False)
        self.rules = read_rules(FILE)
        self.keeper = Keeper(self.exchange, self.rules)

    def clock(self) -> int:
        return self.now_ns

    @property
    def state(self) -> State:
        return self.exchange.state

    async def begin(self) -> None:
        self.exchange.start()
        genesis = (CHAIN_ID, SETTLEMENT, OPERATOR, *FEES, 18)
        await self.exchange.submit(lambda t, _: c.Genesis(t, *genesis))
        await self.keeper.list_due(self.now_ns)

    async def mark(self) -> list[e.Event]:
        happened: list[e.Event] = []
        for number, rule in list(unmarked(self.state, self.rules)):
            applied = await self.exchange.submit(
                lambda t, _, number=number, rule=rule: stated_marks(self.state, number, rule, t)
            )
            happened += applied.events
        return happened


def kinds_of(state: State, number: int) -> dict[int, int]:
    """How many instruments of each kind an underlying has."""
    kinds = [i.kind for i in state.instruments if i.underlying.number == number]
    return {kind: kinds.count(kind) for kind in kinds}


async def test_every_underlying_that_states_a_market_gets_its_whole_chain(tmp_path: Path) -> None:
    venue = Venue(tmp_path / "journal")
    await venue.begin()
    state = venue.state
    assert [u.name for u in state.underlyings] == ["ETH", "SOL", "DOGE"]
    assert all(kinds_of(state, number) == {PERPETUAL: 1} for number in range(3))
    assert all(breaker.levels for breaker in state.breakers.values())
    assert len(state.breakers) == 3
    await venue.mark()
    await venue.keeper.list_due(venue.now_ns)
    happened = await venue.mark()
    assert [event.underlying for event in happened if isinstance(event, e.MarksUpdated)] == [0, 1]
    times = expiry_times(START_S)
    for number in (ETH, SOL):
        kinds = kinds_of(state, number)
        assert kinds[FUTURE] == sum(has_future for _, has_future in times)
        assert kinds[CALL] == kinds[PUT] > 200
        mine = [i.number for i in state.instruments if i.underlying.number == number]
        assert all(state.marks.is_marked[instrument] for instrument in mine)
        at_s = [x.expiry_time_s for x in state.expiries if x.underlying.number == number]
        assert at_s == [at for at, _ in times]
    assert kinds_of(state, DOGE) == {PERPETUAL: 1}, "nobody said what a DOGE is worth"
    assert state.marks.index_micro == {ETH: 331_200_000, SOL: 142_500_000}
    assert not await venue.keeper.list_due(venue.now_ns)
    assert not check(state)
    await venue.exchange.stop()


async def test_a_feed_reports_each_underlying_that_it_shows(tmp_path: Path) -> None:
    venue = Venue(tmp_path / "journal")
    await venue.begin()
    await venue.mark()
    dynamics = [found for rule in venue.rules if (found := dynamics_of(rule)) is not None]
    feed = feed_of(SYNTHETIC, venue.state, 5, 1, dynamics)
    told: list[str] = []
    reporters = reporters_from(SECRET, 3)
    feeding = Feeding(venue.exchange, feed, reporters, 2, venue.clock, told.append)
    await feeding.arm()
    await feeding.step()
    await venue.keeper.list_due(venue.now_ns)  # what the first index allows
    await feeding.step()
    state = venue.state
    for number in (ETH, SOL):
        mine = [i.number for i in state.instruments if i.underlying.number == number]
        assert len(mine) > 400
        assert all(state.marks.is_marked[instrument] for instrument in mine)
    assert list(unmarked(state, venue.rules)) == [], "an oracle is never overruled"
    assert (feeding.refused, told) == (0, [])
    usd = state.marks.index_micro[SOL] * 100 / state.underlyings[SOL].lot_e8
    assert usd == pytest.approx(142.5, rel=0.02)
    await venue.exchange.stop()


async def test_the_operator_marks_what_no_oracle_marks(tmp_path: Path) -> None:
    venue = Venue(tmp_path / "journal")
    await venue.begin()
    named = reporters_of(reporters_from(SECRET, 3))
    await venue.exchange.submit(lambda t, _: oracle_command(t, ETH, 2, named))
    assert [number for number, _ in unmarked(venue.state, venue.rules)] == [SOL]
    await venue.exchange.submit(lambda t, _: oracle_command(t, ETH, 0, ()))
    assert [number for number, _ in unmarked(venue.state, venue.rules)] == [ETH, SOL]
    await venue.exchange.stop()


def test_the_chain_that_ships_begins_a_journal_only_where_btc_is_listed_so() -> None:
    state = State()
    time_ns = snapshot().time_s * NS
    assert len(list(first_listing(state, SHIPPED, time_ns))) > 684
    smaller = BTC_RULE._replace(lot_e8=100_000)
    for rules in ((), read_rules(FILE), (smaller,), (BTC_RULE._replace(spacings=((0, 10**7),)),)):
        assert not list(first_listing(state, rules, time_ns))
    floor = Floor(watched=False)
    floor.genesis()
    floor.send(c.ListUnderlying(floor.time_ns, 0, b"ETH".ljust(8, b"\0"), 10**7))
    assert not list(first_listing(floor.state, SHIPPED, time_ns)), "number 0 is ether's"


def test_btc_in_other_lots_has_the_market_that_ships() -> None:
    """A listing file may trade BTC by 0.001; its marks are the same in USDC per BTC."""
    indices: list[int] = []
    for rule in (BTC_RULE, BTC_RULE._replace(lot_e8=100_000, option_tick_micro=1_000)):
        floor = begun(rule)
        index_micro = floor.state.marks.index_micro[0]
        indices.append(index_micro * 100 * 10**6 // rule.lot_e8)
    assert indices[0] == pytest.approx(snapshot().index_micro * 10**2)
    assert indices[0] == pytest.approx(indices[1], rel=1e-6)


def begun(rule: UnderlyingRule) -> Floor:
    """An exchange that lists one underlying and marks it, as `straddle serve` does."""
    floor = Floor(watched=False)
    floor.genesis()
    for _ in range(2):
        for command in list(due_listings([rule], listed_of(floor.state), floor.time_ns)):
            assert was_accepted(floor.send(timed(command, floor.time_ns))), command
        marks = stated_marks(floor.state, 0, rule, floor.time_ns)
        assert was_accepted(floor.send(marks)), rule
    return floor


prices = st.integers(10_000, 2_000_000_000)


@given(prices, st.integers(500, 15_000), st.sampled_from((10**5, 10**8, 10**11)))
@settings(max_examples=12)
def test_whatever_market_a_file_may_state_can_be_listed_and_marked(
    index_micro: int, volatility_e4: int, lot_e8: int
) -> None:
    rule = UnderlyingRule("ANY", lot_e8, 8, 8, (), index_micro, volatility_e4)
    state = begun(rule).state
    assert state.marks.index_micro[0] == index_micro
    options = [i.number for i in state.instruments if i.kind in (CALL, PUT)]
    assert options
    assert all(state.marks.is_marked[number] for number in options)
