"""The 119 scenarios of an underlying, and what one lot is worth and gains in each.

Order: for each move of -18% .. 18%, in percent, volatility up, unchanged, down (0 .. 110); then the
tails -66, -33, +50, +100, +200, +300, +400, +500%, volatility up (111 .. 118). Scenario 55 changes
nothing.

Holds: the smile moves with the strike (sticky strike): an option's deviation is read once, at the
present forward, and a scenario multiplies it. `margin/rows.py` computes the same for all
instruments of an expiry at once; `contracts/libraries/Scenarios.sol` is the twin.
Never: nets positions or decides margin.
"""

from functools import lru_cache
from typing import Final

from margin.black76 import intrinsic_micro, option_micro
from margin.fixed_point import ONE_Q30, exp_q30, ln_q30, ln_q62, nearest
from margin.parameters import (
    MOVES_PERCENT,
    SCAN_WIDTH_PERCENT,
    SHOCK_POWER_LONG_PERCENT,
    SHOCK_POWER_SHORT_PERCENT,
    SHOCK_REFERENCE_DAYS,
    SHOCK_SHORTEST_DAYS,
    TAIL_DAMPING_PERCENT,
    TAILS_PERCENT,
    VOL_DOWN_PERCENT,
    VOL_UP_PERCENT,
)
from margin.svi import ExpiryMark, deviation_q30

UP: Final = 0
SAME: Final = 1
DOWN: Final = 2

FIRST_TAIL: Final = 3 * len(MOVES_PERCENT)
SCENARIO_COUNT: Final = FIRST_TAIL + len(TAILS_PERCENT)
BASE_SCENARIO: Final = 3 * SCAN_WIDTH_PERCENT + SAME
"""The scenario in which nothing moves."""

MOVE_PERCENT: Final = tuple(m for m in MOVES_PERCENT for _ in range(3)) + TAILS_PERCENT
"""Move of the forward by scenario."""
VOL_SHOCK: Final = (UP, SAME, DOWN) * len(MOVES_PERCENT) + (UP,) * len(TAILS_PERCENT)
"""UP, SAME or DOWN by scenario."""
LN_MOVE_Q30: Final = tuple(ln_q30(100 + m) - ln_q30(100) for m in MOVE_PERCENT)
"""ln(1 + move) by scenario."""

DAMPING: Final = TAIL_DAMPING_PERCENT * SCAN_WIDTH_PERCENT
"""A tail of m percent counts DAMPING / (100 |m|) of its profit."""

_SECONDS_PER_DAY: Final = 86_400
_LN_REFERENCE_Q62: Final = ln_q62(SHOCK_REFERENCE_DAYS * _SECONDS_PER_DAY)


def moved_micro(forward_micro: int, scenario: int) -> int:
    """The forward or index in a scenario, rounded to nearest, half up."""
    return nearest(forward_micro * (100 + MOVE_PERCENT[scenario]), 100)


def damped_micro(profit_micro: int, scenario: int) -> int:
    """A scenario's profit as margin counts it: a tail's is damped, rounded to nearest, half up."""
    if scenario < FIRST_TAIL:
        return profit_micro
    return nearest(profit_micro * DAMPING, 100 * abs(MOVE_PERCENT[scenario]))


@lru_cache(maxsize=256)  # asked for by every step of one expiry's update
def shock_factors_q30(seconds_to_expiry: int) -> tuple[int, int, int]:
    """What UP, SAME and DOWN multiply deviations by, in Q30.

    f = (30 days / term) ** p = e ** (p (ln(30 days) - ln(term))), the term in whole seconds and at
    least a day; p changes at 30 days, where f is 1 under either. Each step rounds down.
    """
    term = max(seconds_to_expiry, SHOCK_SHORTEST_DAYS * _SECONDS_PER_DAY)
    power = SHOCK_POWER_SHORT_PERCENT
    if term > SHOCK_REFERENCE_DAYS * _SECONDS_PER_DAY:
        power = SHOCK_POWER_LONG_PERCENT
    f = exp_q30((_LN_REFERENCE_Q62 - ln_q62(term)) * power // 100)
    return (ONE_Q30 + f * VOL_UP_PERCENT // 100, ONE_Q30, ONE_Q30 - f * VOL_DOWN_PERCENT // 100)


def scenario_value_micro(
    kind: int,
    strike_micro: int,
    ln_strike_q30: int,
    mark: ExpiryMark,
    seconds_to_expiry: int,
    scenario: int,
) -> int:
    """What one lot of an option is worth in a scenario, micro-USDC, before any damping.

    From its expiry on an option moves no more: it is worth its intrinsic value at the mark's
    forward.
    """
    if seconds_to_expiry <= 0:
        return intrinsic_micro(kind, mark.forward_micro, strike_micro)
    k = ln_strike_q30 - ln_q30(mark.forward_micro)
    factor = shock_factors_q30(seconds_to_expiry)[VOL_SHOCK[scenario]]
    deviation = max(deviation_q30(k, mark) * factor >> 30, 1)
    forward = moved_micro(mark.forward_micro, scenario)
    return option_micro(kind, forward, strike_micro, k - LN_MOVE_Q30[scenario], deviation)


def scenario_profit_micro(
    kind: int,
    strike_micro: int,
    ln_strike_q30: int,
    mark: ExpiryMark,
    seconds_to_expiry: int,
    scenario: int,
) -> int:
    """What one long lot of an option gains in a scenario against its mark, as margin counts it."""
    option = (kind, strike_micro, ln_strike_q30, mark, seconds_to_expiry)
    gain = scenario_value_micro(*option, scenario) - scenario_value_micro(*option, BASE_SCENARIO)
    return damped_micro(gain, scenario)
