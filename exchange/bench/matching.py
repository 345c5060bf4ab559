"""The matching core alone, on raw messages: `w1` is one deep book, `w200` two hundred shallow ones.

`w1_batch`, `w200_batch`  one call per 1,024 messages, events drained and dropped
`w1_kept`                 the same, every event kept
`w1_call`, `w200_call`    one call per message
`w1_interpreted`          from the sources, in a process of its own (`w200` in its note)
`twin_ratio`              `w1_batch` over the plain matcher (`matching/plain_matcher.py`), same run
`bytes_per_order`         what a process grows by for each of a million resting orders
`depth_100k`              a message where 100,000 rest, beside where 100 do (`matching_depth.py`)
`lobster_top`             an hour of real order flow (`real_flow.py`)
`engine_compiled`, `engine_interpreted`  the whole engine (`engine.py`)
`mass_quote`  mass quotes with their signature (`quoting.py`)

Holds: medians of ROUNDS rounds after one that is not counted; in every round the trades, in
order, and what rests at the end are those of the flow's answer; garbage collection is frozen.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any, Final

from exchange.bench.engine import engine_rows
from exchange.bench.matching_depth import TENTH, costs
from exchange.bench.matching_flow import ANSWERS, W1, W200, Answer, Flow, FlowSpec, Tally
from exchange.bench.quoting import quoting_rows
from exchange.bench.real_flow import real_flow_row
from exchange.bench.report import Row, quiet_memory, row
from exchange.compiled import INTERPRETED, is_compiled, told
from matching.batch import MESSAGE, MESSAGE_BYTES, Books, Matcher
from matching.plain_matcher import PlainMatcher

ROUNDS: Final = 5
BATCH: Final = 1_024
CALLS: Final = 400_000
"""Messages of a round of one call each; the whole flow is checked in the rounds of batches."""
LOOKED_AT: Final = 200_000
RESTING: Final = 1_000_000
PRICES: Final = 4_000
DEEP_MESSAGES: Final = 200_000
INTERPRETED_MESSAGES: Final = 300_000

ASKED: Final = {
    "w1_batch": 22e6,
    "w200_batch": 11e6,
    "w1_kept": 15e6,
    "w1_call": 4e6,
    "w200_call": 3.3e6,
    "w1_interpreted": 0.7e6,
    "w200_interpreted": 0.5e6,
    "twin_ratio": 11,
    "bytes_per_order": 300,
}
PEERS: Final = {
    "w1_batch": "CppTrader did 21M, geseq/cpp-orderbook 38M on another machine",
    "w200_batch": "CppTrader did 6.3M to 10.4M, geseq/cpp-orderbook 18M on another machine",
}


def bench() -> Iterator[Row]:
    """All rows. Where nothing is compiled, the same rows, of the sources."""
    flows = {spec.name: flow_bytes(spec) for spec in (W1, W200)}
    batched: dict[str, float] = {}
    for spec in (W1, W200):
        rate, call_ns = _batches(spec, flows[spec.name])
        batched[spec.name] = rate
        yield _asked(f"{spec.name}_batch", rate, f"{call_ns}; {PEERS[f'{spec.name}_batch']}")
    yield _asked("w1_kept", _kept(W1, flows["w1"]), "every event kept")
    for spec in (W1, W200):
        rate, note = _calls(spec, flows[spec.name])
        yield _asked(f"{spec.name}_call", rate, note)
    yield _interpreted()
    twin = _twin(W1, flows["w1"])
    yield row(
        "twin_ratio",
        batched["w1"],
        "messages/s",
        "dictionary and objects, interpreted",
        twin,
        "higher",
        f"{told()}; at least {ASKED['twin_ratio']} asked of the compiled core",
    )
    yield _memory()
    yield _depth()
    yield real_flow_row()
    yield from engine_rows()
    yield from quoting_rows()


def _asked(name: str, rate: float, note: str) -> Row:
    note = f"{told()}; {note}"
    return row(name, rate, "messages/s", "asked, compiled", ASKED[name], "higher", note)


# THE FLOW


def flow_bytes(spec: FlowSpec) -> bytes:
    """The messages of a flow whose answer is known. They take some seconds to make, so they are
    kept in the system's folder for temporary files; what is found there is believed only if its
    hash is the one that was written beside it, and checked by every round anyway.
    """
    folder = Path(tempfile.gettempdir()) / f"straddle-bench-{os.getuid()}"
    path = folder / f"{'-'.join(str(field) for field in spec)}.bin"
    seal = path.with_suffix(".sha256")
    try:
        data = path.read_bytes()
        if sha256(data).hexdigest() == seal.read_text("ascii"):
            return data
    except OSError:
        pass
    flow = Flow(spec)
    assert flow.answer == ANSWERS[spec.name], "the flow is the published one"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(flow.messages)
        seal.write_text(sha256(flow.messages).hexdigest(), "ascii")
    except OSError:
        pass  # made anew next time
    return flow.messages


def cut(data: bytes, messages: int) -> list[bytes]:
    """Batches of so many messages."""
    size = messages * MESSAGE_BYTES
    return [data[at : at + size] for at in range(0, len(data), size)]


def answer_of(matcher: Books, tally: Tally) -> Answer:
    """What an engine made of a flow."""
    store = matcher.store
    levels = [level for side in range(2 * store.books) for level in store.depth(side)]
    assert all(level.orders > 0 for level in levels), "no level is empty"
    return Answer(
        tally.trades,
        tally.lots,
        tally.checksum,
        store.resting(),
        len(levels),
        sum(level.lots for level in levels),
    )


# ROUNDS


def _rounds(work: Callable[[], float], count: int) -> float:
    """Messages per second: the median of the rounds' seconds, each given by `work`."""
    with quiet_memory():
        work()
        return count / median(work() for _ in range(ROUNDS))


def _checked_round(
    kind: Callable[[int], Books], spec: FlowSpec, batches: list[bytes]
) -> Callable[[], float]:
    """A round of batches, whose clock stops while the events of each are looked at."""

    def work() -> float:
        matcher, tally = kind(spec.books), Tally()
        clock = time.perf_counter_ns
        apply, drop = matcher.apply, matcher.drop
        elapsed = 0
        for batch in batches:
            start = clock()
            apply(batch)
            elapsed += clock() - start
            tally.take(matcher.events())
            start = clock()
            drop()
            elapsed += clock() - start
        assert answer_of(matcher, tally) == ANSWERS[spec.name], "every round has the answer"
        return elapsed / 1e9

    return work


def _batches(spec: FlowSpec, data: bytes) -> tuple[float, str]:
    batches = cut(data, BATCH)
    spans: list[int] = []

    def look() -> None:
        """One more round, each batch by itself, nothing in between."""
        matcher = Matcher(spec.books)
        clock = time.perf_counter_ns
        apply, drop = matcher.apply, matcher.drop
        for batch in batches:
            start = clock()
            apply(batch)
            drop()
            spans.append(clock() - start)

    rate = _rounds(_checked_round(Matcher, spec, batches), spec.messages)
    with quiet_memory():
        look()
    return rate, f"a batch of {BATCH}: {percentiles(spans)}"


def _kept(spec: FlowSpec, data: bytes) -> float:
    batches = cut(data, BATCH)

    def work() -> float:
        matcher, tally = Matcher(spec.books), Tally()
        start = time.perf_counter()
        for batch in batches:
            matcher.apply(batch)
        elapsed = time.perf_counter() - start
        tally.take(matcher.events())
        assert answer_of(matcher, tally) == ANSWERS[spec.name], "every round has the answer"
        return elapsed

    return _rounds(work, spec.messages)


def _calls(spec: FlowSpec, data: bytes) -> tuple[float, str]:
    part = data[: CALLS * MESSAGE_BYTES]
    ones = cut(part, 1)
    whole = Matcher(spec.books)
    for batch in cut(part, BATCH):
        whole.apply(batch)
    expected, ends_as = whole.events(), whole.state_hash()

    def work() -> float:
        matcher = Matcher(spec.books)
        apply = matcher.apply
        start = time.perf_counter()
        for one in ones:
            apply(one)
        elapsed = time.perf_counter() - start
        assert matcher.events() == expected, "one by one or in batches, the events are the same"
        assert matcher.state_hash() == ends_as
        return elapsed

    rate = _rounds(work, len(ones))
    matcher = Matcher(spec.books)
    spans: list[int] = []
    with quiet_memory():
        clock, apply = time.perf_counter_ns, matcher.apply
        for one in ones[:LOOKED_AT]:
            start = clock()
            apply(one)
            spans.append(clock() - start)
    return rate, f"{percentiles(spans)}, clock included"


def percentiles(spans_ns: list[int]) -> str:
    """In words."""
    ordered = sorted(spans_ns)
    at = [ordered[min(len(ordered) - 1, len(ordered) * k // 1_000)] for k in (500, 990, 999)]
    return f"p50 {at[0]} ns, p99 {at[1]} ns, p99.9 {at[2]} ns"


# BESIDE IT


def _twin(spec: FlowSpec, data: bytes) -> float:
    """The plain matcher on the same flow, interpreted whatever the rest is."""
    return _rounds(_checked_round(PlainMatcher, spec, cut(data, BATCH)), spec.messages)


def _interpreted() -> Row:
    """In a process that sees the sources alone."""
    found = _in_a_process("interpreted", {INTERPRETED: "1"})
    assert found["core"] == "interpreted"
    note = f"w200 {found['w200']:,.0f} messages/s, asked {ASKED['w200_interpreted']:,.0f}"
    asked = ASKED["w1_interpreted"]
    return row("w1_interpreted", found["w1"], "messages/s", "asked", asked, "higher", note)


def _measure_interpreted() -> dict[str, Any]:
    rates: dict[str, Any] = {"core": "compiled" if is_compiled() else "interpreted"}
    for spec in (W1, W200):
        part = flow_bytes(spec)[: INTERPRETED_MESSAGES * MESSAGE_BYTES]
        batches = cut(part, BATCH)
        hashes: list[bytes] = []

        def work(
            spec: FlowSpec = spec, batches: list[bytes] = batches, hashes: list[bytes] = hashes
        ) -> float:
            matcher = Matcher(spec.books)
            start = time.perf_counter()
            for batch in batches:
                matcher.apply(batch)
                matcher.drop()
            elapsed = time.perf_counter() - start
            hashes.append(matcher.state_hash())
            return elapsed

        rates[spec.name] = _rounds(work, INTERPRETED_MESSAGES)
        assert all(found == hashes[0] for found in hashes)
    return rates


def _memory() -> Row:
    """In processes that do nothing else, one for each round."""
    rounds = [_in_a_process("memory", {})["grown"] for _ in range(ROUNDS)]
    grown = median(rounds)
    note = f"{told()}; {RESTING:,} orders at {PRICES:,} prices, {grown / 1e6:.0f} MB in all"
    asked = ASKED["bytes_per_order"]
    return row("bytes_per_order", grown / RESTING, "bytes", "asked", asked, "lower", note)


def _measure_memory() -> dict[str, Any]:
    """How much the process has grown by at its highest, for a million resting orders."""
    before = _highest_kib()
    matcher = Matcher(1)
    for start in range(0, RESTING, BATCH):
        matcher.apply(
            b"".join(
                MESSAGE.pack(0, n & 1, 0, 10_000 + (n * 7_919 % PRICES) * (n % 2 * 2 - 1), 5, 1, n)
                for n in range(start + 1, min(start + BATCH, RESTING) + 1)
            )
        )
        matcher.drop()
    after = _highest_kib()
    store = matcher.store
    assert store.resting() == RESTING
    assert sum(1 for side in (0, 1) for _ in store.depth(side)) == PRICES
    return {"grown": (after - before) * 1_024}


def _depth() -> Row:
    """Little rests, much rests, in turn."""
    low, high = costs([TENTH], [100, 100_000], DEEP_MESSAGES, ROUNDS)
    note = f"{told()}; any of {TENTH.prices(high.orders):,} prices, cancelled at random"
    peer = f"where {low.orders} rest"
    return row("depth_100k", high.message_ns, "ns/message", peer, low.message_ns, "lower", note)


def _highest_kib() -> int:
    """The most memory that this process has had. Linux counts in `ru_maxrss` what its parent had
    when it was started, and not so in `VmHWM`.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text("ascii"))
        if found:
            return int(found.group(1))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# Whether the core is compiled is decided before any of it is imported.
_ALONE: Final = """
from exchange.compiled import choose
choose()
from exchange.bench.matching import measure_alone
measure_alone()
"""


def measure_alone() -> None:
    """Prints as JSON what the first argument names."""
    print(json.dumps(MEASURES[sys.argv[1]]()))


def _in_a_process(what: str, environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, what],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    return json.loads(done.stdout)


MEASURES: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "interpreted": _measure_interpreted,
    "memory": _measure_memory,
}
