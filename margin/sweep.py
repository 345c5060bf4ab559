"""Position values of many accounts at once, when marks have moved.

Holds: all in 64-bit integers, one sparse product.
Never: knows an account.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def position_values(
    rows: list[int], numbers: list[int], lots: list[int], values: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Scenario values of many portfolios: int64[portfolios, 119]. Portfolio i holds lots[k] of
    instrument numbers[k] for rows[i] <= k < rows[i + 1].
    """
    matrix: Any = csr_array(  # scipy's arrays carry no element types
        (
            np.array(lots, dtype=np.int64),
            np.array(numbers, dtype=np.int64),
            np.array(rows, dtype=np.int64),
        ),
        shape=(len(rows) - 1, len(values)),
    )
    return matrix @ values
