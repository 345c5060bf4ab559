"""The margin kernel for interpreted runs: the functions of `kernel.py` over numpy arrays.

Holds: the same names, meanings and bits; a vector is int64[119].
Never: is called where the core is compiled.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT

Vector = NDArray[np.int64]

_LARGEST: Final = 1 << 62
_ZERO: Final = np.zeros(SCENARIO_COUNT, dtype=np.int64)


def zero_vector() -> Vector:
    return _ZERO.copy()


def vector_of(values: Vector) -> Vector:
    return values


def copy_of(vector: Vector) -> Vector:
    return vector.copy()


def integers(vector: Vector) -> list[int]:
    return vector.tolist()


def add_lots(vector: Vector, row: Vector, lots: int) -> None:
    np.add(vector, np.multiply(row, lots), out=vector)


def set_lots(vector: Vector, row: Vector, lots: int) -> None:
    np.multiply(row, lots, out=vector)


def least(vector: Vector) -> int:
    return int(vector[vector.argmin()])


def largest(vector: Vector) -> int:
    return int(vector[vector.argmax()])


def at_base(vector: Vector) -> int:
    return int(vector[BASE_SCENARIO])


def _lot_loss(row: Vector, sign: int, price: int, fee: int) -> Vector:
    gain = np.subtract(row, price + fee) if sign > 0 else np.subtract(price - fee, row)
    return np.minimum(gain, 0, out=gain)


def add_loss(vector: Vector, row: Vector, sign: int, price: int, fee: int, lots: int) -> None:
    loss = _lot_loss(row, sign, price, fee)
    np.add(vector, np.multiply(loss, lots, out=loss), out=vector)


def sink(vector: Vector, row: Vector, sign: int, price: int, fee: int) -> None:
    np.minimum(vector, _lot_loss(row, sign, price, fee), out=vector)


def add_capped(vector: Vector, losses: Vector, lot_losses: Vector, lots: int) -> None:
    fits = lots <= _LARGEST // np.maximum(-lot_losses, 1)
    capped = np.maximum(losses, np.where(fits, lot_losses, 0) * lots)
    np.add(vector, np.where(fits, capped, losses), out=vector)


def stretched(vector: Vector, quarters: int, sign: int) -> Vector:
    base = vector[BASE_SCENARIO]
    return base + sign * (sign * (vector - base) * quarters >> 2)


def add_worth(vector: Vector, prices: Vector, amount: int) -> None:
    worths = np.multiply(prices, amount >> 16)
    worths += np.multiply(prices, amount & 0xFFFF) >> 16
    np.add(vector, worths >> 8, out=vector)


def worst(value: Vector, order_loss: Vector) -> int:
    return least(np.add(value, order_loss))


def worst_scenario(value: Vector, order_loss: Vector) -> int:
    return int(np.add(value, order_loss).argmin())
