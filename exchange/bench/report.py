"""A benchmark's row: what was measured, beside what it is held against in the same run."""

import gc
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from statistics import median

import msgspec


class Row(msgspec.Struct, frozen=True):
    """`ratio` = value / peer_value, whether more or less is better; `better` says which. `bar` is
    the value that the project asks of itself (None: it stands in the note, or there is none).
    """

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    ratio: float
    better: str
    note: str = ""
    bar: float | None = None


def row(
    name: str,
    value: float,
    unit: str,
    peer: str,
    peer_value: float,
    better: str,
    note: str = "",
    bar: float | None = None,
) -> Row:
    """A row with its ratio; figures are rounded to four digits."""
    ratio = _four(value / peer_value)
    return Row(name, _four(value), unit, peer, _four(peer_value), ratio, better, note, bar)


def _four(value: float) -> float:
    return float(f"{value:.4g}")


@contextmanager
def quiet_memory() -> Generator[None]:
    """No garbage collection meanwhile: what lives before is frozen, as the exchange itself runs."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    """Median wall time of `rounds` calls, after one that is not counted."""
    work()
    return median(seconds(work) for _ in range(rounds))
