"""What valuing everybody costs with more accounts, more positions each, more instruments.

A point is the sweep of `clearing.py`: new marks through the engine, then the equity and the worst
scenario of every account. One of the three sizes grows, the others stand at BASE.

Holds: every account has `positions` of the first `instruments` options of the chain; the median of
the rounds counts, and a loop of plain Python is timed beside each point, to tell a slow moment.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from exchange.bench.clearing import Marking
from exchange.bench.clearing_books import filled_state
from exchange.bench.report import median_seconds, quiet_memory
from margin.watch import below

ACCOUNTS: Final = "accounts"
POSITIONS: Final = "positions of each"
INSTRUMENTS: Final = "instruments held"


class Size(NamedTuple):
    """How much there is."""

    accounts: int
    positions: int
    instruments: int


class Point(NamedTuple):
    """`grown` is the size that differs from the base; `values_ms` leaves the marking out."""

    grown: str
    size: Size
    sweep_ms: float
    values_ms: float
    loop_ms: float


BASE: Final = Size(10_000, 12, 684)
GROWTH: Final[dict[str, Sequence[int]]] = {
    ACCOUNTS: (1_000, 3_000, 10_000, 30_000),
    POSITIONS: (3, 12, 48, 192),
    INSTRUMENTS: (24, 84, 300, 684),
}


def sizes(base: Size, growth: dict[str, Sequence[int]]) -> Iterator[tuple[str, Size]]:
    """Every point to measure."""
    for accounts in growth[ACCOUNTS]:
        yield ACCOUNTS, base._replace(accounts=accounts)
    for positions in growth[POSITIONS]:
        yield POSITIONS, base._replace(positions=positions)
    for instruments in growth[INSTRUMENTS]:
        yield INSTRUMENTS, base._replace(instruments=instruments)


def points(
    base: Size = BASE, growth: dict[str, Sequence[int]] | None = None, rounds: int = 7
) -> Iterator[Point]:
    """Measures them all; what two have in common is measured twice."""
    for grown, size in sizes(base, growth or GROWTH):
        state = filled_state(size.accounts, size.positions, size.instruments)
        marking, portfolio = Marking(state), state.portfolio

        def sweep() -> None:
            marking.mark()  # noqa: B023
            below(portfolio, 0, 0)  # noqa: B023

        with quiet_memory():
            sweep_ms = 1e3 * median_seconds(sweep, rounds)
            mark_ms = 1e3 * median_seconds(marking.mark, rounds)
            loop_ms = 1e3 * median_seconds(_plain_loop, rounds)
        yield Point(grown, size, sweep_ms, max(sweep_ms - mark_ms, 0.0), loop_ms)


def _plain_loop() -> int:
    total = 0
    for number in range(100_000):
        total += number * number
    return total
