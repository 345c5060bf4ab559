"""Positions of all accounts on one underlying as a sparse matrix, valued at once when marks move.

Holds: 64-bit integers throughout; rows are valued in blocks, so no more memory is taken for many
accounts than for few.
Never: knows an account.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from margin.scenarios import BASE_SCENARIO

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


class Holdings:
    """Rows of positions. `base_micro` is each row's value where nothing moves, `least_micro` the
    least over the scenarios, as of the last `value` or `value_rows`; `sweep` is the caller's, to
    know of which marks.
    """

    def __init__(self) -> None:
        self._starts: Integers = np.zeros(1, dtype=np.int64)
        self._numbers: Integers = np.zeros(0, dtype=np.int64)
        self._lots: Integers = np.zeros(0, dtype=np.int64)
        self.base_micro: Integers = np.zeros(0, dtype=np.int64)
        self.least_micro: Integers = np.zeros(0, dtype=np.int64)
        self.sweep = -1

    def __len__(self) -> int:
        return len(self._starts) - 1

    def replace(
        self, total: int, rows: list[int], counts: list[int], numbers: list[int], lots: list[int]
    ) -> None:
        """Gives `rows`, ascending, other positions: counts[i] of them for rows[i], one row's after
        the other's. Every other row keeps its own; `total` is how many rows there are from now on.
        """
        grown = total - len(self)
        if not rows and not grown:
            return
        old_counts = np.concatenate((np.diff(self._starts), np.zeros(grown, dtype=np.int64)))
        new_counts = old_counts.copy()
        new_counts[rows] = counts
        is_kept = np.ones(total, dtype=np.bool_)
        is_kept[rows] = False
        starts = np.zeros(total + 1, dtype=np.int64)
        np.cumsum(new_counts, out=starts[1:])
        kept_from, kept_to = np.repeat(is_kept, old_counts), np.repeat(is_kept, new_counts)
        self._numbers = _merged(kept_to, self._numbers[kept_from], numbers)
        self._lots = _merged(kept_to, self._lots[kept_from], lots)
        self._starts = starts
        zeros = np.zeros(grown, dtype=np.int64)
        self.base_micro = np.concatenate((self.base_micro, zeros))
        self.least_micro = np.concatenate((self.least_micro, zeros))

    def value(self, values: Integers) -> None:
        """Values every row; `values` are those of one lot, int64[instruments, 119]."""
        for first in range(0, len(self), BLOCK_ROWS):
            last = min(first + BLOCK_ROWS, len(self))
            starts = self._starts[first : last + 1]
            begin, end = int(starts[0]), int(starts[-1])
            lots, numbers = self._lots[begin:end], self._numbers[begin:end]
            found = position_values(starts - begin, numbers, lots, values)
            self.base_micro[first:last] = found[:, BASE_SCENARIO]
            np.min(found, axis=1, out=self.least_micro[first:last])

    def value_rows(self, values: Integers, rows: list[int] | Integers) -> None:
        """Values some rows."""
        if not len(rows):
            return
        chosen = np.asarray(rows, dtype=np.int64)
        counts = self._starts[chosen + 1] - self._starts[chosen]
        starts = np.zeros(len(chosen) + 1, dtype=np.int64)
        np.cumsum(counts, out=starts[1:])
        places = np.arange(starts[-1], dtype=np.int64)
        places += np.repeat(self._starts[chosen] - starts[:-1], counts)
        found = position_values(starts, self._numbers[places], self._lots[places], values)
        self.base_micro[chosen] = found[:, BASE_SCENARIO]
        self.least_micro[chosen] = found.min(axis=1)

    def rows(self) -> Iterable[dict[int, int]]:
        """Lots by instrument, row by row: for those who check."""
        for first, last in zip(self._starts.tolist(), self._starts[1:].tolist(), strict=False):
            yield dict(
                zip(
                    self._numbers[first:last].tolist(), self._lots[first:last].tolist(), strict=True
                )
            )


def _merged(is_kept: NDArray[np.bool_], kept: Integers, fresh: list[int]) -> Integers:
    """Entries of kept rows and of fresh ones, each at its place."""
    merged = np.empty(len(is_kept), dtype=np.int64)
    merged[is_kept] = kept
    merged[~is_kept] = fresh
    return merged
