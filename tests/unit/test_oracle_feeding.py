"""An exchange that feeds itself: the shipped chain, marked by reports of its own reporters."""

from pathlib import Path

import pytest

from exchange import commands as c
from exchange.invariants import check
from exchange.oracle.feed import reporters_of
from exchange.oracle.feeding import (
    FEEDS,
    SYNTHETIC,
    Feeding,
    disarm,
    feed_of,
    oracle_command,
    reporters_from,
)
from exchange.oracle.file_feed import CHAIN, CRASH
from exchange.oracle.terms import FRESH_S
from exchange.service import Exchange
from exchange.snapshot_chain import listing_commands, marks_at
from matching.rejects import Reject
from matching.trading_states import CANCEL_ONLY, OPEN
from settlement.signature import Signer
from tests.floor import CHAIN_ID, FEES, NS, OPERATOR, SETTLEMENT, START_S

SECRET = b"\x09" * 32


class Venue:
    """The shipped chain in a journal, on a clock that a test turns."""

    def __init__(self, directory: Path) -> None:
        self.now_ns = START_S * NS
        self.exchange = Exchange.open(directory, Signer(SECRET), clock=self.clock, fsync=False)
        self.told: list[str] = []

    def clock(self) -> int:
        return self.now_ns

    async def list(self) -> None:
        self.exchange.start()
        genesis = c.Genesis(0, CHAIN_ID, SETTLEMENT, OPERATOR, *FEES, 18)
        await self.exchange.submit(lambda t, _: c.Genesis(t, *genesis_values(genesis)))
        for command in listing_commands(self.now_ns):
            values = [getattr(command, name) for name in command.__struct_fields__[1:]]
            kind = type(command)
            await self.exchange.submit(lambda t, _, k=kind, v=values: k(t, *v))
        await self.exchange.submit(lambda t, _: marks_at(t))

    def feeding(self, name: str, reporters: int = 3, quorum: int = 2) -> Feeding:
        feed = feed_of(name, self.exchange.state, 5, seed=4)
        signers = reporters_from(SECRET, reporters)
        return Feeding(self.exchange, feed, signers, quorum, self.clock, self.told.append)

    @property
    def index_usd(self) -> float:
        return self.exchange.state.marks.index_micro[0] / 10_000

    @property
    def state(self) -> int:
        return self.exchange.state.trading.by_oracle.get(0, OPEN)


def genesis_values(genesis: c.Genesis) -> list[int | bytes]:
    return [getattr(genesis, name) for name in genesis.__struct_fields__[1:]]


async def test_a_synthetic_feed_begins_where_the_exchange_is_and_every_report_is_taken(
    tmp_path: Path,
) -> None:
    venue = Venue(tmp_path / "journal")
    await venue.list()
    before = venue.index_usd
    feeding = venue.feeding(SYNTHETIC)
    await feeding.arm()
    for _ in range(3):
        await feeding.step()
        venue.now_ns += 5 * NS
    assert (feeding.reports, feeding.refused, venue.told) == (9, 0, [])
    assert venue.index_usd == pytest.approx(before, rel=0.05)
    assert venue.exchange.state.oracles[0].anchors.keys() == set(range(12))
    assert not check(venue.exchange.state)
    await venue.exchange.stop()


async def test_a_recorded_crash_is_followed_and_an_oracle_outlives_its_exchange(
    tmp_path: Path,
) -> None:
    venue = Venue(tmp_path / "journal")
    await venue.list()
    feeding = venue.feeding(CRASH)
    await feeding.arm()
    await feeding.step()
    assert venue.index_usd == pytest.approx(78_494.54, rel=1e-3)
    await venue.exchange.stop()

    again = Venue(tmp_path / "journal")
    assert again.exchange.state.oracles[0].terms is not None
    again.now_ns = venue.now_ns + (FRESH_S + 1) * NS
    again.exchange.start()
    await again.exchange.submit(lambda t, _: c.AdvanceTime(t))
    assert again.state == CANCEL_ONLY, "the feed was silent while the exchange was down"
    refused = await again.exchange.submit(lambda t, _: marks_at(t))
    assert Reject(refused.events[-1].code).name == "oracle armed"  # type: ignore[attr-defined]
    feeding = again.feeding(CRASH)
    commands = again.exchange.state.sequence
    await feeding.arm()
    assert again.exchange.state.sequence == commands, "it is armed so already"
    await feeding.step()
    assert feeding.refused == 0, "sequences go on where they ended"
    assert again.state == OPEN
    again.now_ns += (FRESH_S + 1) * NS
    await again.exchange.submit(lambda t, _: c.AdvanceTime(t))
    await disarm(again.exchange)
    assert again.state == OPEN
    await again.exchange.submit(lambda t, _: marks_at(t))
    assert again.index_usd > 90_000
    await again.exchange.stop()


async def list_ether(venue: Venue) -> None:
    await venue.exchange.submit(lambda t, _: c.ListUnderlying(t, 1, b"ETH".ljust(8, b"\0"), 10**7))


async def test_what_a_feed_does_not_show_is_not_armed_and_trades_on(tmp_path: Path) -> None:
    venue = Venue(tmp_path / "journal")
    await venue.list()
    await list_ether(venue)
    feeding = venue.feeding(CHAIN)
    assert list(feeding.shown) == ["BTC"]
    await feeding.arm()
    await feeding.step()
    assert (feeding.refused, list(venue.exchange.state.oracles)) == (0, [0])
    venue.now_ns += (FRESH_S + 1) * NS
    await venue.exchange.submit(lambda t, _: c.AdvanceTime(t))
    assert venue.exchange.state.trading.by_oracle == {0: CANCEL_ONLY}
    await venue.exchange.stop()


async def test_an_oracle_that_the_next_feed_would_leave_waiting_is_disarmed(
    tmp_path: Path,
) -> None:
    """Another's reporters are left alone: they report whatever this exchange feeds itself."""
    venue = Venue(tmp_path / "journal")
    await venue.list()
    await list_ether(venue)
    feeding = venue.feeding(SYNTHETIC)
    await feeding.arm()
    await feeding.step()
    oracles = venue.exchange.state.oracles
    assert all(oracles[number].terms is not None for number in (0, 1))
    await venue.feeding(CHAIN).arm()
    assert oracles[0].terms is not None
    assert oracles[1].terms is None
    others = reporters_of(reporters_from(b"others", 3))
    await venue.exchange.submit(lambda t, _: oracle_command(t, 1, 2, others))
    await venue.feeding(CHAIN).arm()
    assert oracles[1].terms is not None
    await venue.exchange.stop()


def test_there_is_no_feed_of_another_name(tmp_path: Path) -> None:
    venue = Venue(tmp_path / "journal")
    with pytest.raises(KeyError):
        venue.feeding("tarot")
    assert SYNTHETIC in FEEDS
    venue.exchange.journal.close()
