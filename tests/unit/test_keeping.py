"""The operator's upkeep on a running exchange: it lists, settles at what was seen, ends perpetuals,
and does nothing twice.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from exchange import commands as c
from exchange import events as e
from exchange.keeping import Keeper, settlement_command
from exchange.listing_rules import BTC_RULE, DAY_S, SHIPPED
from exchange.service import Exchange
from exchange.snapshot_chain import BTC, listing_commands, snapshot
from exchange.stated_markets import stated_marks
from matching.instruments import PERPETUAL
from tests.floor import BTC_INDEX, CHAIN_ID, NS, OPERATOR, SETTLEMENT, SMILE, START_S
from tests.trading_process import OPERATOR_KEY

EIGHT_S = 1_768_550_400  # 16 January 2026, 08:00 UTC


class Clock:
    def __init__(self) -> None:
        self.time_s = START_S

    def __call__(self) -> int:
        return self.time_s * NS


class Kept:
    """A running exchange with its keeper, and a clock that the story sets."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.exchange = Exchange.open(directory, OPERATOR_KEY, clock=self.clock, fsync=False)
        self.keeper = Keeper(self.exchange, (BTC_RULE,))

    async def index(self, index_micro: int) -> None:
        marks = tuple(
            (expiry.number, index_micro, *SMILE)
            for expiry in self.exchange.state.expiries
            if expiry.settlement_micro is None
        )
        await self.exchange.submit(lambda time_ns, _: c.UpdateMarks(time_ns, 0, index_micro, marks))

    async def keep(self) -> list[c.Command]:
        await self.keeper.settle_expired(self.clock.time_s)
        return await self.keeper.list_due(self.clock())


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    found = Kept(tmp_path)
    found.exchange.start()
    await found.exchange.submit(
        lambda time_ns, _: c.Genesis(
            time_ns, CHAIN_ID, SETTLEMENT, OPERATOR, 300, 500, 1_250, 0, 1_000, 0, 18
        )
    )
    yield found
    await found.exchange.stop()


async def test_a_chain_grows_with_the_days_and_with_large_moves_alone(kept: Kept) -> None:
    first = await kept.keep()
    kinds = [type(command) for command in first]
    assert kinds == [c.ListUnderlying, c.SetBreaker, c.ListInstrument]
    await kept.index(BTC_INDEX)
    assert len(await kept.keep()) > 700
    assert await kept.keep() == []
    await kept.index(BTC_INDEX * 101 // 100)
    assert await kept.keep() == [], "one percent is no large move"
    await kept.index(BTC_INDEX * 106 // 100)
    moved = await kept.keep()
    assert moved
    assert all(isinstance(command, c.ListInstrument) for command in moved)
    kept.clock.time_s = EIGHT_S - 1
    assert await kept.keep() == []
    kept.clock.time_s = EIGHT_S
    await kept.index(BTC_INDEX * 106 // 100)
    tomorrow = await kept.keep()
    expiries = [command for command in tomorrow if isinstance(command, c.ListExpiry)]
    assert [command.expiry_time_s for command in expiries] == [EIGHT_S + 4 * DAY_S]


async def test_an_expiry_settles_by_itself_at_what_was_seen(kept: Kept) -> None:
    await kept.keep()
    await kept.index(BTC_INDEX)
    await kept.keep()
    for minute in range(30):
        kept.clock.time_s = EIGHT_S - 1_800 + 60 * minute
        await kept.index(BTC_INDEX + minute)
    kept.clock.time_s = EIGHT_S + 5
    await kept.keep()
    (today,) = [
        expiry for expiry in kept.exchange.state.expiries if expiry.expiry_time_s == EIGHT_S
    ]
    mean = (2 * sum(BTC_INDEX + minute for minute in range(30)) + 30) // 60
    assert today.settlement_micro == mean


async def test_minutes_that_nobody_saw_take_the_next_that_somebody_did(kept: Kept) -> None:
    await kept.keep()
    await kept.index(BTC_INDEX)
    await kept.keep()
    kept.clock.time_s = EIGHT_S - 600
    await kept.index(BTC_INDEX + 1)
    kept.clock.time_s = EIGHT_S - 300
    await kept.index(BTC_INDEX + 2)
    state = kept.exchange.state
    (today,) = [expiry for expiry in state.expiries if expiry.expiry_time_s == EIGHT_S]
    command = settlement_command(state, today.number, EIGHT_S * NS)
    assert command is not None
    # 07:50 and 07:51 were seen as the first, 07:55 and 07:56 as the second
    assert command.samples_micro == (BTC_INDEX + 1,) * 22 + (BTC_INDEX + 2,) * 8
    assert e.SettlementSampled(today.number, 4) in await _settle(kept)


async def _settle(kept: Kept) -> list[e.Event]:
    happened: list[e.Event] = []
    end = kept.exchange.listen(lambda _, __, events: happened.extend(events))
    kept.clock.time_s = EIGHT_S
    await kept.keep()
    end()
    return happened


async def test_a_perpetual_ends_at_its_announced_second(kept: Kept) -> None:
    await kept.keep()
    await kept.index(BTC_INDEX)
    number = kept.exchange.state.symbols["BTC-PERPETUAL"]
    end_s = START_S + 3_600
    await kept.exchange.submit(lambda time_ns, _: c.DelistInstrument(time_ns, number, end_s))
    kept.clock.time_s = end_s - 1
    await kept.keep()
    assert not kept.exchange.state.trading.delisted
    kept.clock.time_s = end_s
    listed = await kept.keep()
    assert list(kept.exchange.state.trading.delisted) == [number]
    kinds = [command.kind for command in listed if isinstance(command, c.ListInstrument)]
    assert PERPETUAL not in kinds, "what is delisted is not listed again"
    await kept.keep()


async def test_the_shipped_chain_is_served_on_with_its_marks(kept: Kept) -> None:
    """As `straddle serve` does it: the snapshot's chain, then what the rules add, all marked."""
    kept.keeper = Keeper(kept.exchange, SHIPPED)
    exchange = kept.exchange
    for command in listing_commands(kept.clock()):
        await exchange.submit(lambda time_ns, _, command=command: command)
    for _ in range(2):
        applied = await exchange.submit(
            lambda time_ns, _: stated_marks(exchange.state, BTC, BTC_RULE, time_ns)
        )
        assert any(isinstance(event, e.MarksUpdated) for event in applied.events)
        await kept.keep()
    state = exchange.state
    assert len(state.expiries) == len(snapshot().expiries), "the rules ask for the same expiries"
    assert len(state.instruments) > 684
    of_btc = [i for i in state.instruments if i.underlying.number == BTC]
    assert all(state.marks.is_marked[i.number] for i in of_btc)
