"""The margin kernel: what a fill, an order and a check do to an account's scenario vectors.

A vector has one 64-bit integer per scenario (`scenarios.py`). Compiled it is packed (`vec[i64]`)
and these loops are what runs; interpreted they would be slow, so there it is a numpy array and
`kernel_numpy` takes the place of every function. Both do the same (tests/property/
test_kernel_property.py), so callers pass vectors on and look into none.

Holds: bounds at the door (|value of a lot| < 2^34, gross lots of an account < 2^24, |price of a
combo's unit| < 2^38) keep every sum under 2^62, so nothing wraps.
Never: knows what an account or an order is.
"""

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT
from matching.packed import i64, read_i64_le, vec

Vector: TypeAlias = "vec[i64]"

# `SCENARIO_COUNT` as a literal; each loop measures its vectors first. So the C compiler knows that
# no index is out of bounds, and takes several scenarios in one instruction.
_SCENARIOS: Final = 119
assert _SCENARIOS == SCENARIO_COUNT
_BASE: Final = BASE_SCENARIO
_LARGEST: Final = 1 << 62
_ZERO: Final = vec[i64]([0] * SCENARIO_COUNT)


def zero_vector() -> Vector:
    return _ZERO[:]


def vector_of(values: Any) -> Vector:
    """From a numpy row of 64-bit integers."""
    packed: bytes = values.astype("<i8", copy=False).tobytes()
    vector = zero_vector()
    for s in range(i64(_SCENARIOS)):
        vector[s] = read_i64_le(packed, 8 * s)
    return vector


def copy_of(vector: Vector) -> Vector:
    return vector[:]


def integers(vector: Vector) -> list[int]:
    """What a vector holds, as plain integers."""
    return [int(value) for value in vector]


def add_lots(vector: Vector, row: Vector, lots: i64) -> None:
    """vector += lots x row, in place."""
    assert len(vector) == _SCENARIOS
    assert len(row) == _SCENARIOS
    for s in range(i64(_SCENARIOS)):
        vector[s] = vector[s] + lots * row[s]


def set_lots(vector: Vector, row: Vector, lots: i64) -> None:
    """vector = lots x row, in place."""
    assert len(vector) == _SCENARIOS
    assert len(row) == _SCENARIOS
    for s in range(i64(_SCENARIOS)):
        vector[s] = lots * row[s]


def least(vector: Vector) -> i64:
    """The least of a vector."""
    assert len(vector) == _SCENARIOS
    found: i64 = vector[0]
    for s in range(i64(_SCENARIOS)):
        value = vector[s]
        if value < found:
            found = value
    return found


def largest(vector: Vector) -> i64:
    """The largest of a vector."""
    assert len(vector) == _SCENARIOS
    found: i64 = vector[0]
    for s in range(i64(_SCENARIOS)):
        value = vector[s]
        if value > found:
            found = value
    return found


def at_base(vector: Vector) -> i64:
    """The value where nothing moves."""
    return vector[_BASE]


def add_loss(vector: Vector, row: Vector, sign: i64, price: i64, fee: i64, lots: i64) -> None:
    """vector += lots x min(0, sign x (row - price) - fee), in place: what lots of an order could
    lose if they filled.

    `sign` is +1 for a buyer, -1 for a seller; `fee` the most that the fill of one lot costs.
    """
    assert len(vector) == _SCENARIOS
    assert len(row) == _SCENARIOS
    start: i64 = -sign * price - fee
    for s in range(i64(_SCENARIOS)):
        gain = sign * row[s] + start
        vector[s] = vector[s] + lots * (gain & (gain >> 63))  # the sign's copies keep losses alone


def sink(vector: Vector, row: Vector, sign: i64, price: i64, fee: i64) -> None:
    """vector = min(vector, what one lot of an order could lose), in place."""
    assert len(vector) == _SCENARIOS
    assert len(row) == _SCENARIOS
    start: i64 = -sign * price - fee
    for s in range(i64(_SCENARIOS)):
        gain = sign * row[s] + start
        known = vector[s]
        vector[s] = gain if gain < known else known


def add_capped(vector: Vector, losses: Vector, lot_losses: Vector, lots: i64) -> None:
    """vector += max(losses, lots x lot_losses), in place: of all those losses at most `lots` of the
    worst kind. Where that product might pass 2^62 it is not taken.
    """
    assert len(vector) == _SCENARIOS
    assert len(losses) == _SCENARIOS
    assert len(lot_losses) == _SCENARIOS
    for s in range(i64(_SCENARIOS)):
        lot = lot_losses[s]
        counted = losses[s]
        if lot == 0 or lots <= i64(_LARGEST) // -lot:
            counted = max(counted, lots * lot)
        vector[s] = vector[s] + counted


def stretched(vector: Vector, quarters: i64, sign: i64) -> Vector:
    """What a vector loses or gains against where nothing moves, times quarters / 4: rounded down
    for who has it (`sign` +1), up for who owes it (-1). At most 8 quarters, so 2^62.
    """
    base: i64 = vector[_BASE]
    found = vector[:]
    assert len(found) == _SCENARIOS
    assert len(vector) == _SCENARIOS
    for s in range(i64(_SCENARIOS)):
        found[s] = base + sign * (sign * (vector[s] - base) * quarters >> 2)
    return found


def add_worth(vector: Vector, prices: Vector, amount: i64) -> None:
    """vector += amount x prices / 2^24, each rounded down, in place. Prices are 0 to 2^46, worths
    below 2^50, the amount is 0 or more: it is taken in two parts, so that no product wraps.
    """
    assert len(vector) == _SCENARIOS
    assert len(prices) == _SCENARIOS
    high: i64 = amount >> 16
    low: i64 = amount & 0xFFFF
    for s in range(i64(_SCENARIOS)):
        vector[s] = vector[s] + ((high * prices[s] + (low * prices[s] >> 16)) >> 8)


def worst(value: Vector, order_loss: Vector) -> i64:
    """The least of value + order_loss over the scenarios."""
    assert len(value) == _SCENARIOS
    assert len(order_loss) == _SCENARIOS
    found: i64 = value[0] + order_loss[0]
    for s in range(i64(_SCENARIOS)):
        total = value[s] + order_loss[s]
        if total < found:
            found = total
    return found


def worst_scenario(value: Vector, order_loss: Vector) -> int:
    """The first scenario in which value + order_loss is least."""
    assert len(value) == _SCENARIOS
    assert len(order_loss) == _SCENARIOS
    lowest = worst(value, order_loss)
    for s in range(i64(_SCENARIOS)):
        if value[s] + order_loss[s] == lowest:
            return int(s)
    raise AssertionError("the least of the sums is one of them")


if __file__.endswith(".py") and not TYPE_CHECKING:  # interpreted: the arrays' functions
    from margin.kernel_numpy import *  # noqa: F403
