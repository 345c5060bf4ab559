"""The sequencer: nothing is acknowledged that is not durable, nobody is left waiting."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchange import commands as c
from exchange.codec import decode_command
from exchange.engine import apply
from exchange.events import AccountOpened, CommandRejected, Event
from exchange.journal import Journal, read_journal
from exchange.journal.disk import Disk, SegmentFile
from exchange.sequencer import MAX_GROUP, Applied, Sequencer, SequencerStopped
from exchange.state import State
from exchange.state_digest import state_hash
from matching.rejects import Reject
from tests.floor import CHAIN_ID, OPERATOR, SETTLEMENT

GENESIS = (CHAIN_ID, SETTLEMENT, OPERATOR, 100, 300, 1_250, 0, 0, 0, 18)


class FaultyDisk(Disk):
    """Fails each write or sync while `broken` is set."""

    def __init__(self) -> None:
        super().__init__(fsync=False)
        self.broken = ""
        self.synced = 0

    def create(self, path: Path) -> SegmentFile:
        return _FaultyFile(super().create(path), self)  # type: ignore[return-value]


class _FaultyFile:
    def __init__(self, file: SegmentFile, disk: FaultyDisk) -> None:
        self._file, self._disk = file, disk

    def write(self, data: bytes) -> None:
        if self._disk.broken == "write":
            raise OSError(28, "No space left on device")
        self._file.write(data)

    def sync(self) -> None:
        if self._disk.broken == "sync":
            raise OSError(5, "Input/output error")
        self._disk.synced += 1
        self._file.sync()

    def close(self) -> None:
        self._file.close()


class Bench:
    """A sequencer on a real journal, with a clock that the test sets."""

    def __init__(self, directory: Path, on_applied: Callable[[Applied], None] | None = None):
        self.disk = FaultyDisk()
        self.journal = Journal.open(directory, disk=self.disk)
        self.state = State()
        self.now = 1_000
        self.applied: list[Applied] = []
        self.sequencer = Sequencer(
            self.state, self.journal, lambda: self.now, on_applied or self.applied.append
        )
        self.task = asyncio.create_task(self.sequencer.run())

    async def do(self, kind: Callable[..., Any], *values: Any) -> Applied:
        return await self.sequencer.submit(lambda time_ns, _: kind(time_ns, *values))

    async def open(self, accounts: int = 0) -> None:
        await self.do(c.Genesis, *GENESIS)
        for number in range(accounts):
            await self.do(c.OpenAccount, number, number, bytes([number + 1]) * 20)

    async def stop(self) -> None:
        self.sequencer.stop()
        await self.task
        self.journal.close()


async def test_a_command_is_on_disk_before_its_caller_hears_of_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for number, _ in enumerate(range(3), start=1):
        applied = await bench.do(c.AdvanceTime)
        kept = list(read_journal(tmp_path))
        assert [entry.sequence for entry in kept] == list(range(1, number + 1))
        assert kept[-1].chain_hash == applied.chain_hash
    await bench.stop()


async def test_listeners_see_every_command_once_and_in_its_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.open()
    calls = [bench.do(c.OpenAccount, n, n, bytes([n + 1]) * 20) for n in range(50)]
    answers = await asyncio.gather(*calls)
    assert [a.sequence for a in bench.applied] == list(range(1, 52))
    assert bench.applied[1:] == list(answers)
    opened = [e.account for a in bench.applied for e in a.events if isinstance(e, AccountOpened)]
    assert opened == list(range(50))
    await bench.stop()


async def test_what_waits_together_is_made_durable_by_one_sync(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.open()
    before = bench.disk.synced
    await asyncio.gather(*(bench.do(c.AdvanceTime) for _ in range(100)))
    assert bench.disk.synced - before == 1
    await bench.stop()


async def test_more_than_a_group_may_wait(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.open()
    many = 2 * MAX_GROUP + 1
    answers = await asyncio.gather(*(bench.do(c.AdvanceTime) for _ in range(many)))
    assert [a.sequence for a in answers] == list(range(2, many + 2))
    await bench.stop()


async def test_time_never_falls_though_the_clock_does(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.open()
    bench.now = 500
    assert (await bench.do(c.AdvanceTime)).time_ns == 1_000
    bench.now = 2_000
    assert (await bench.do(c.AdvanceTime)).time_ns == 2_000
    await bench.stop()


async def test_a_command_is_built_on_the_chain_hash_before_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.open(1)
    first = bench.do(c.AdvanceTime)
    second = bench.sequencer.submit(c.CutBatch)
    third = bench.do(c.AdvanceTime)
    await asyncio.gather(first, second, third)
    entries = list(read_journal(tmp_path))
    cut = next(
        (at, command)
        for at, entry in enumerate(entries)
        if isinstance(command := decode_command(entry.payload), c.CutBatch)
    )
    assert cut[1].journal_hash == entries[cut[0] - 1].chain_hash
    await bench.stop()


@pytest.mark.parametrize("fault", ["write", "sync"])
async def test_a_journal_that_fails_tells_everyone_and_nothing_is_applied(
    tmp_path: Path, fault: str
) -> None:
    bench = Bench(tmp_path)
    await bench.open(2)
    before, seen = state_hash(bench.state), len(bench.applied)
    bench.disk.broken = fault
    calls = [asyncio.create_task(bench.do(c.CreditDeposit, 2, 0, 0, 5)) for _ in range(3)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(answer, SequencerStopped) for answer in answers)
    assert bench.sequencer.failed.is_set()
    assert "journal" in (bench.sequencer.failure or "")
    assert (state_hash(bench.state), len(bench.applied)) == (before, seen)
    assert bench.state.sequence == 3
    with pytest.raises(SequencerStopped, match="journal"):
        await bench.do(c.AdvanceTime)
    with pytest.raises(Exception, match="journal"):
        await bench.task
    bench.journal.close()


async def test_a_command_that_cannot_be_built_is_its_callers_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.open()

    def broken(_time_ns: int, _chain_hash: bytes) -> c.Command:
        raise RuntimeError("a bug")

    first = asyncio.create_task(bench.do(c.AdvanceTime))
    second = asyncio.create_task(bench.sequencer.submit(broken))
    third = asyncio.create_task(bench.do(c.AdvanceTime))
    async with asyncio.timeout(10):
        answers = await asyncio.gather(first, second, third, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Applied, RuntimeError, Applied]
    assert len(list(read_journal(tmp_path))) == bench.state.sequence == 3
    await bench.stop()


async def test_a_clock_that_breaks_leaves_nobody_waiting(tmp_path: Path) -> None:
    """Those before it in the same group were not written: they hear that, too."""
    bench = Bench(tmp_path)
    await bench.open()
    times = iter((2_000,))
    bench.sequencer._clock = lambda: next(times)  # pyright: ignore[reportPrivateUsage]
    calls = [asyncio.create_task(bench.do(c.AdvanceTime)) for _ in range(3)]
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [SequencerStopped] * 3
    assert bench.sequencer.failed.is_set()
    assert bench.state.sequence == 1
    with pytest.raises(RuntimeError):
        await bench.task
    bench.journal.close()


async def test_a_listener_that_breaks_stops_the_exchange_and_leaves_nobody_waiting(
    tmp_path: Path,
) -> None:
    calls = itertools.count()

    def listen(_: Applied) -> None:
        if next(calls) == 2:
            raise RuntimeError("a bug in a listener")

    bench = Bench(tmp_path, listen)
    async with asyncio.timeout(10):
        answers = await asyncio.gather(
            *(bench.do(c.AdvanceTime) for _ in range(5)), return_exceptions=True
        )
    assert [isinstance(answer, SequencerStopped) for answer in answers] == [
        False, False, True, True, True,
    ]  # fmt: skip
    assert bench.sequencer.failed.is_set()
    assert "a bug in a listener" in (bench.sequencer.failure or "")
    with pytest.raises(RuntimeError):
        await bench.task
    bench.journal.close()


async def test_stop_takes_what_waits_and_refuses_what_comes_after(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.open()
    calls = [asyncio.create_task(bench.do(c.AdvanceTime)) for _ in range(10)]
    await asyncio.sleep(0)
    bench.sequencer.stop()
    assert [a.sequence for a in await asyncio.gather(*calls)] == list(range(2, 12))
    await bench.task
    with pytest.raises(SequencerStopped, match="stopped"):
        await bench.do(c.AdvanceTime)
    assert not bench.sequencer.failed.is_set()
    bench.journal.close()


async def test_a_caller_that_went_away_does_not_hold_up_the_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.open()
    gone = asyncio.create_task(bench.do(c.AdvanceTime))
    stays = asyncio.create_task(bench.do(c.AdvanceTime))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).sequence == 3
    assert len(list(read_journal(tmp_path))) == 3
    await bench.stop()


async def test_what_the_engine_refuses_is_journaled_and_replays_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.open(1)
    refused = await bench.do(c.OpenAccount, 7, 7, bytes(20))
    assert [type(event) for event in refused.events] == [CommandRejected]
    await bench.stop()
    twin = State()
    happened: list[tuple[Event, ...]] = []
    for entry in read_journal(tmp_path):
        command = decode_command(entry.payload)
        assert not isinstance(command, Reject)
        happened.append(apply(twin, command))
    assert happened == [applied.events for applied in bench.applied]
    assert state_hash(twin) == state_hash(bench.state)
