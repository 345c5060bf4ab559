"""The engine compiled and interpreted: one flow, the same events and the same state."""

import pytest

from exchange.bench.engine import measured
from exchange.bench.flow import DEPOSIT_MICRO
from exchange.compiled import INTERPRETED, is_compiled


@pytest.mark.skipif(not is_compiled(), reason="the core is not compiled here")
def test_compiled_and_interpreted_engines_give_the_same_events_and_state() -> None:
    """Also when accounts are so poor that the bound never decides."""
    for deposit_micro in (DEPOSIT_MICRO, 20_000 * 10**6):
        compiled = measured({}, 6_000, 1, deposit_micro)
        interpreted = measured({INTERPRETED: "1"}, 6_000, 1, deposit_micro)
        assert (compiled["core"], interpreted["core"]) == ("compiled", "interpreted")
        assert compiled["digest"] == interpreted["digest"]
        assert compiled["note"] == interpreted["note"]
