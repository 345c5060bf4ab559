"""The margin kernel: what a fill, a resting order and a check do to an account's scenario
vectors.

Holds: a vector is int64[119], one value per scenario (`scenarios.py`); bounds at the door
(|value of a lot| < 2^34, gross lots of an account < 2^24, |price of a combo's unit| < 2^38) keep
every sum under 2^62, so nothing wraps.
Never: knows what an account or an order is.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from margin.scenarios import SCENARIO_COUNT

Vector = NDArray[np.int64]
"""int64[SCENARIO_COUNT]."""

_ZERO: Final = np.zeros(SCENARIO_COUNT, dtype=np.int64)


def zero_vector() -> Vector:
    return _ZERO.copy()


def add_lots(vector: Vector, unit_value: Vector, lots: int) -> None:
    """vector += lots x unit_value, in place."""
    np.add(vector, np.multiply(unit_value, lots), out=vector)


def unit_loss(unit_value: Vector, sign: int, price_micro: int, fee_micro: int) -> Vector:
    """What one unit of a resting order could lose per scenario if it filled: min(0, sign x
    (value - price) - fee).

    `sign` is +1 for a buyer, -1 for a seller; `fee_micro` the most that the fill of one unit
    costs.
    """
    gain = (
        np.subtract(unit_value, price_micro) if sign > 0 else np.subtract(price_micro, unit_value)
    )
    if fee_micro:
        np.subtract(gain, fee_micro, out=gain)
    return np.minimum(gain, 0, out=gain)


def worst(value: Vector, order_loss: Vector) -> int:
    """The least of value + order_loss over the scenarios."""
    total = np.add(value, order_loss)
    return int(total[total.argmin()])


def worst_scenario(value: Vector, order_loss: Vector) -> int:
    """The first scenario in which value + order_loss is least."""
    return int(np.add(value, order_loss).argmin())


def order_losses(
    unit_values: NDArray[np.int64],
    signs: NDArray[np.int64],
    prices_micro: NDArray[np.int64],
    fees_micro: NDArray[np.int64],
    lots: NDArray[np.int64],
) -> Vector:
    """Sum over orders of lots x unit_loss: `unit_values` int64[orders, 119], the rest
    int64[orders].
    """
    gains = (unit_values - prices_micro[:, None]) * signs[:, None] - fees_micro[:, None]
    np.minimum(gains, 0, out=gains)
    return (gains * lots[:, None]).sum(axis=0)
