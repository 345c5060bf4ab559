"""The engine without signatures, on the shipped chain of 684 options with 1,000 accounts.

`engine_compiled`     place, cancel, match, margin on both sides, events; a tenth of the orders are
                      combos; in batches
`engine_interpreted`  the same from the sources, in a process of its own; the same events and state
`resting_memory`      the process with 100,000 resting orders
`replay`              reading, verifying, decoding and applying a journal, beside writing it live
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, Final

from exchange.bench.flow import DEPOSIT_MICRO, Flow, opened_state, opening_commands
from exchange.bench.report import Row, quiet_memory, row, seconds
from exchange.codec import decode_command, encode_command, encode_event
from exchange.commands import Command
from exchange.compiled import INTERPRETED, told
from exchange.engine import apply, apply_batch
from exchange.events import Event
from exchange.journal import Journal
from exchange.state import State
from exchange.state_digest import state_hash
from matching.rejects import Reject

ACCOUNTS: Final = 1_000
RESTING: Final = 100_000
GROUP: Final = 256
ROUNDS: Final = 5
COMBOS: Final = 0.1
ASKED_COMPILED_PER_S: Final = 500_000
ASKED_ORDERS_PER_S: Final = 40_000
ASKED_MIB: Final = 1_024


def bench(count: int = 60_000) -> Iterator[Row]:
    """Memory and replay; the engine's rows are among those of `matching`."""
    yield _memory()
    yield _replay(count // 2)


def engine_rows(count: int = 60_000, rounds: int = ROUNDS) -> Iterator[Row]:
    """The whole engine, compiled and interpreted, on one flow; their events and states agree."""
    compiled = measured({}, count, rounds)
    interpreted = measured({INTERPRETED: "1"}, count, rounds)
    assert interpreted["digest"] == compiled["digest"], "compiled and interpreted agree"
    for name, found, asked in (
        ("engine_compiled", compiled, ASKED_COMPILED_PER_S),
        ("engine_interpreted", interpreted, ASKED_ORDERS_PER_S),
    ):
        note = f"{found['note']}; {found['core']}"
        yield row(name, found["per_s"], "commands/s", "asked", asked, "higher", note)


def measured(
    environment: dict[str, str], count: int, rounds: int, deposit_micro: int = DEPOSIT_MICRO
) -> dict[str, Any]:
    """What `measure_alone` says in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(count), str(rounds), str(deposit_micro)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    return json.loads(done.stdout)


_ALONE: Final = (
    "from exchange.compiled import choose; choose();"
    "from exchange.bench.engine import measure_alone; measure_alone()"
)


def measure_alone() -> None:
    """Prints as JSON how fast this process is, and a digest of all that happened."""
    count, rounds, deposit_micro = (int(word) for word in sys.argv[1:])
    times: list[float] = []
    digest = note = ""
    hash_then = b""
    for timed in (False, *[True] * rounds):
        state = opened_state(ACCOUNTS, deposit_micro)
        flow = list(Flow(state, ACCOUNTS, seed=7, combos=COMBOS).commands(count))
        batches = [flow[at : at + GROUP] for at in range(0, count, GROUP)]
        answers: list[list[tuple[Event, ...]]] = []
        with quiet_memory():
            start = time.perf_counter()
            for batch in batches:
                if timed:
                    apply_batch(state, batch)  # what it tells is dropped, as a drained one's is
                else:
                    answers.append(apply_batch(state, batch))
            took_s = time.perf_counter() - start
        if timed:
            times.append(took_s)
            assert state_hash(state) == hash_then, "a flow has one outcome"
            continue
        hash_then = state_hash(state)
        found = blake2b(hash_then)
        for events in answers:
            for event in chain.from_iterable(events):
                found.update(encode_event(event))
        digest = found.hexdigest()
        note = (
            f"{state.next_trade - 1} trades, {state.next_combo_trade - 1} of combos,"
            f" {len(state.orders)} resting at the end"
        )
    per_s = count / median(times)
    print(json.dumps({"per_s": per_s, "digest": digest, "note": note, "core": told()}))


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
