"""The flow that matching is measured on, and engines that must give its answer; real order flow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from exchange.bench.matching import cut
from exchange.bench.matching_flow import Flow, FlowSpec, Tally
from exchange.bench.plain_matcher import PlainMatcher
from matching.batch import FILLED, Matcher
from tests.lobster import Replay, rows

ROOT: Final = Path(__file__).resolve().parents[2]
PUBLISHED: Final = ROOT.parent / "shared"
SMALL: Final = [FlowSpec("one", 20_000, 1, 300, 7), FlowSpec("many", 20_000, 20, 60, 8)]


@pytest.mark.parametrize("spec", SMALL, ids=lambda spec: spec.name)
def test_the_matcher_and_the_plain_one_give_the_answer(spec: FlowSpec) -> None:
    flow = Flow(spec)
    matcher, plain, tally = Matcher(spec.books), PlainMatcher(spec.books), Tally()
    for batch in cut(flow.messages, 1_000):
        matcher.apply(batch)
        plain.apply(batch)
    tally.take(matcher.events())
    assert (tally.trades, tally.lots, tally.checksum) == flow.answer[:3]
    assert matcher.store.resting() == flow.answer.resting == len(plain.orders)
    assert flow.answer.trades == sum(event[0] == FILLED for event in plain.events)
    left = sum(order.left for order in plain.orders.values())
    assert left == flow.answer.left_lots


@pytest.mark.parametrize("spec", SMALL, ids=lambda spec: spec.name)
def test_the_flow_is_the_published_one(spec: FlowSpec, tmp_path: Path) -> None:
    program = PUBLISHED / "bench" / "order_flow.py"
    if not program.exists():
        pytest.skip("the published generator is not here")
    arguments = [str(tmp_path / "flow.bin"), spec.messages, spec.books, spec.depth, spec.seed]
    subprocess.run(
        [sys.executable, str(program), *map(str, arguments)], check=True, capture_output=True
    )
    told = json.loads((tmp_path / "flow.json").read_text("utf8"))
    flow = Flow(spec)
    assert flow.messages == (tmp_path / "flow.bin").read_bytes()
    names = ["trades", "traded_qty", "checksum", "final_resting", "final_levels", "final_left"]
    assert list(flow.answer) == [told[name] for name in names]


def test_an_hour_of_real_order_flow_gives_the_published_top_of_book() -> None:
    """AAPL, 21 June 2012, 09:30 to 10:30: 91,997 messages, the top of book after each. What
    disagrees begins beyond the 50 levels that the opening book shows, or with hidden orders.
    """
    folder = PUBLISHED / "data" / "lobster"
    if not folder.exists():
        pytest.skip("the published order flow is not here")
    day = "AAPL_2012-06-21_"
    opening = next(rows(folder / f"{day}34200_34210_orderbook_50.csv.gz"))
    messages = rows(folder / f"{day}34200000_37800000_message_50.csv.gz")
    tops = rows(folder / f"{day}34200000_37800000_orderbook_50_top1.csv.gz")
    replay = Replay(opening)
    agreed = total = 0
    for number, (message, top) in enumerate(zip(messages, tops, strict=True)):
        if number:  # the opening book is the one after the first message
            replay.apply(message)
        agreed += replay.top() == [int(word) for word in top[:4]]
        total += 1
    print(total, agreed, replay.unknown)
    assert total == 91_997
    assert agreed >= 0.999 * total
