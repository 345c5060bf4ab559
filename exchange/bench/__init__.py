"""`straddle bench`: how fast, in ratio to a peer or a limit measured in the same run.

`matching`    the matching core, on raw messages       `matching_flow`  what it feeds on
              and where much rests (`matching_depth`)  `real_flow`  and an hour of NASDAQ's
`signatures`  signed orders, beside coincurve alone    `engine`  the engine, memory, replay
`settling`    batches and mark updates                 `flow`    the order flow they feed on
`clearing`    margin of a fill and of everybody        `clearing_books`  who holds what there
              and what grids miss (`clearing_leak`)    `clearing_growth`  with more of everything
"""

from collections.abc import Callable, Iterator
from typing import Final

from exchange.bench import clearing, engine, matching, settling, signatures
from exchange.bench.report import Row

PARTS: Final[dict[str, Callable[[], Iterator[Row]]]] = {
    "matching": matching.bench,
    "signatures": signatures.bench,
    "engine": engine.bench,
    "settling": settling.bench,
    "clearing": clearing.bench,
}
