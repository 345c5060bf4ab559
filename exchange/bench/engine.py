"""The engine without signatures, on the shipped chain of 684 options with 1,000 accounts,
interpreted, numpy margin kernel.

`engine_interpreted`  place, cancel, match, margin on both sides, events
`resting_memory`      the process with 100,000 resting orders
`replay`              reading, verifying, decoding and applying a journal, beside writing it live
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exchange.bench.flow import Flow, opened_state, opening_commands
from exchange.bench.report import Row, quiet_memory, row, seconds
from exchange.codec import decode_command, encode_command
from exchange.commands import Command
from exchange.engine import apply
from exchange.journal import Journal
from exchange.state import State
from matching.rejects import Reject

ACCOUNTS: Final = 1_000
RESTING: Final = 100_000
GROUP: Final = 256
ASKED_ORDERS_PER_S: Final = 40_000
ASKED_MIB: Final = 1_024


def bench(count: int = 60_000) -> Iterator[Row]:
    """All three rows."""
    yield _engine(count)
    yield _memory()
    yield _replay(count // 2)


def _engine(count: int) -> Row:
    state = opened_state(ACCOUNTS)
    flow = list(Flow(state, ACCOUNTS, seed=7).commands(count))

    def run() -> None:
        for command in flow:
            apply(state, command)

    with quiet_memory():
        elapsed = seconds(run)
    note = f"{state.next_trade - 1} trades, {len(state.orders)} resting at the end"
    return row(
        "engine_interpreted",
        count / elapsed,
        "commands/s",
        "asked",
        ASKED_ORDERS_PER_S,
        "higher",
        note,
    )


def _memory() -> Row:
    """In a process of its own, so that nothing else is counted."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "exchange.bench.engine"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    resting, kib = (int(word) for word in done.stdout.split())
    return row(
        "resting_memory",
        kib / 1024,
        "MiB",
        "asked",
        ASKED_MIB,
        "lower",
        f"{resting} resting orders",
    )


def _rest_many() -> None:
    """Fills the books and prints what it cost."""
    state = opened_state(ACCOUNTS)
    flow = Flow(state, ACCOUNTS, seed=3)
    while len(state.orders) < RESTING:
        for command in flow.commands(10_000, resting=1.0, taking=0.0):
            apply(state, command)
    print(len(state.orders), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _replay(count: int) -> Row:
    """Live: encode, append, sync every 256, apply. Replay: read and verify, decode, apply."""
    opening = list(opening_commands(ACCOUNTS))
    flow = list(Flow(opened_state(ACCOUNTS), ACCOUNTS, seed=5).commands(count))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "journal"
        journal = Journal.open(path)
        live, again = State(), State()
        with quiet_memory():
            live_s = seconds(lambda: _run_live(live, journal, opening + flow))
            replay_s = seconds(lambda: _run_again(again, journal))
        journal.close()
    assert again.sequence == live.sequence, "a replay applies every command"
    assert list(again.orders) == list(live.orders), "a replay ends where the exchange was"
    return row(
        "replay",
        live.sequence / replay_s,
        "commands/s",
        "live engine with its journal",
        live.sequence / live_s,
        "higher",
    )


def _run_live(state: State, journal: Journal, flow: list[Command]) -> None:
    for at in range(0, len(flow), GROUP):
        group = flow[at : at + GROUP]
        for command in group:
            journal.append(encode_command(command))
        journal.commit()
        for command in group:
            apply(state, command)


def _run_again(state: State, journal: Journal) -> None:
    for entry in journal.read():
        command = decode_command(entry.payload)
        assert not isinstance(command, Reject), "what was encoded decodes"
        apply(state, command)


if __name__ == "__main__":
    _rest_many()
