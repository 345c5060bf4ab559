"""The flow that matching is measured on, and engines that must give its answer; real order flow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from exchange.bench.matching import answer_of, cut
from exchange.bench.matching_depth import EACH, HUNDRED, TENTH, costs
from exchange.bench.matching_flow import Flow, FlowSpec, Tally
from exchange.bench.real_flow import ASKED, real_hour
from matching.batch import Books
from matching.packed_matcher import PackedMatcher
from matching.plain_matcher import PlainMatcher

ROOT: Final = Path(__file__).resolve().parents[2]
PUBLISHED: Final = ROOT.parent / "shared"
SMALL: Final = [FlowSpec("one", 20_000, 1, 300, 7), FlowSpec("many", 20_000, 20, 60, 8)]


@pytest.mark.parametrize("kind", [PackedMatcher, PlainMatcher])
@pytest.mark.parametrize("spec", SMALL, ids=lambda spec: spec.name)
def test_both_matchers_give_the_answer(spec: FlowSpec, kind: Any) -> None:
    flow = Flow(spec)
    matcher: Books = kind(spec.books)
    tally = Tally()
    for batch in cut(flow.messages, 1_000):
        matcher.apply(batch)
    tally.take(matcher.events())
    assert answer_of(matcher, tally) == flow.answer


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
    found = real_hour()
    if found is None:
        pytest.skip("the published order flow is not here")
    print(found)
    assert found.messages == 91_997
    assert found.agreed >= ASKED * found.messages


def test_a_book_is_kept_at_its_depth_while_its_cost_is_measured() -> None:
    """What is measured checks itself; here, that it finds something."""
    found = list(costs([HUNDRED, EACH], [40, 300], 1_000, 1))
    assert [(cost.shape, cost.orders) for cost in found] == [
        (HUNDRED, 40), (HUNDRED, 300), (EACH, 40), (EACH, 300)
    ]  # fmt: skip
    assert all(cost.message_ns > 0 for cost in found)
    assert [TENTH.prices(orders) for orders in (5, 100, 1_000_000)] == [1, 10, 100_000]
