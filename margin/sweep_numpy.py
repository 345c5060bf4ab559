"""`sweep.value_all` for interpreted runs: all positions by one sparse product.

Holds: the same integers; rows are valued in blocks, so no more memory is taken for many accounts
than for few.
Never: is called where the core is compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from margin.scenarios import BASE_SCENARIO

if TYPE_CHECKING:
    from margin.marks import Marks
    from margin.sweep import Holdings

Integers = NDArray[np.int64]

BLOCK_ROWS: Final = 2_048
"""Rows valued at once: their values take 2 MB."""


def position_values(
    rows: list[int] | Integers,
    numbers: list[int] | Integers,
    lots: list[int] | Integers,
    values: Integers,
) -> Integers:
    """Scenario values of many portfolios: int64[portfolios, 119]. Portfolio i holds lots[k] of
    instrument numbers[k] for rows[i] <= k < rows[i + 1].
    """
    matrix: Any = csr_array(  # scipy's arrays carry no element types
        (
            np.asarray(lots, dtype=np.int64),
            np.asarray(numbers, dtype=np.int64),
            np.asarray(rows, dtype=np.int64),
        ),
        shape=(len(rows) - 1, len(values)),
    )
    return matrix @ values


def value_all(held: Holdings, marks: Marks) -> None:
    counts = np.array(held.counts, dtype=np.int64)
    ends = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
    places = np.arange(ends[-1], dtype=np.int64)
    places += np.repeat(np.array(held.starts, dtype=np.int64) - ends[:-1], counts)
    numbers = np.array(held.numbers, dtype=np.int64)[places]
    lots = np.array(held.lots, dtype=np.int64)[places]
    bases: list[int] = []
    leasts: list[int] = []
    for first in range(0, len(counts), BLOCK_ROWS):
        bounds = ends[first : first + BLOCK_ROWS + 1]
        part = slice(int(bounds[0]), int(bounds[-1]))
        found = position_values(bounds - bounds[0], numbers[part], lots[part], marks.values)
        bases += found[:, BASE_SCENARIO].tolist()
        leasts += found.min(axis=1).tolist()
    for account, (base, least) in enumerate(zip(bases, leasts, strict=True)):
        held.base_micro[account] = base
        held.least_micro[account] = least
