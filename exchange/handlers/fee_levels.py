"""Makers' fees follow an underlying's circuit breaker: the nearer it is to trip, the lower.

Holds: the level in force is the breaker's warning at the last update of the marks, and stands in a
record before the first fill at it, so that the ledger knows the rate of every fill; with fees that
do not depend on it there is no level.
Never: moves cash.
"""

from collections.abc import Callable

from exchange import events
from exchange.state import State
from margin.fees import maker_rate_at
from settlement import records

Emit = Callable[[events.Event], None]


def follow_breaker(state: State, underlying: int, emit: Emit) -> None:
    """Brings an underlying's level to what its breaker warns of; 0 where it has none."""
    schedule, levels = state.portfolio.schedule, state.portfolio.fee_levels
    if not schedule.rebate_step:
        return
    breaker = state.breakers.get(underlying)
    level = 0 if breaker is None else breaker.warning()
    if level == levels.get(underlying, 0):
        return
    if level:
        levels[underlying] = level
    else:
        del levels[underlying]
    state.record(records.fee_level_set_record(underlying, level))
    emit(events.FeeLevelSet(underlying, level, maker_rate_at(schedule, level)))
