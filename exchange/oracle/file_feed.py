"""Feeds of recorded markets: what ships with the package, replayed as it was.

Holds: "chain-2026-01-15" is the chain of `margin.analytics.chain`, one moment, fitted from its
quotes; "crash-2026-02" are 28 moments of BTC and ETH from 3 to 9 February 2026, in which BTC fell
from 78,500 to 63,900 USD, with the smiles of six expiries each (margin/analytics/data/SOURCE.md).
Never: reads anything that does not ship.
"""

import csv
import gzip
from collections.abc import Iterator
from importlib.resources import files
from itertools import groupby
from typing import Final

from exchange.oracle.feed import Silence, Smile, Snapshot
from margin.analytics.chain import load_chain
from margin.analytics.svi_fit import fit_chain

CHAIN: Final = "chain-2026-01-15"
CRASH: Final = "crash-2026-02"
RECORDINGS: Final = (CHAIN, CRASH)
_CRASH_FILE: Final = "crash_202602.csv.gz"


class FileFeed:
    """A recording by its name. Raises KeyError where there is none of that name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._moments = {CHAIN: _chain, CRASH: _crash}[name]()

    def moments(self) -> Iterator[Snapshot | Silence]:
        """All of it, in the order of time, the underlyings of one moment one after the other."""
        yield from self._moments


def _chain() -> tuple[Snapshot, ...]:
    chain = load_chain()
    marks = fit_chain(chain)
    smiles: list[Smile] = []
    for expiry in chain.expiries:
        mark = marks[expiry.expiry_time_s]
        svi = (mark.a, mark.b, mark.rho, mark.m, mark.sigma)
        smiles.append(Smile(expiry.expiry_time_s, expiry.forward_usd, svi))
    return (Snapshot("BTC", chain.time_s, chain.index_usd, tuple(smiles)),)


def _crash() -> tuple[Snapshot, ...]:
    packed = files("margin.analytics").joinpath("data", _CRASH_FILE).read_bytes()
    rows = csv.DictReader(gzip.decompress(packed).decode("utf8").splitlines())
    found: list[Snapshot] = []
    for (currency, time_s), group in groupby(rows, lambda row: (row["currency"], row["time_s"])):
        of_moment = list(group)
        smiles = tuple(_smile(row) for row in of_moment)
        found.append(Snapshot(currency, int(time_s), float(of_moment[0]["index"]), smiles))
    return tuple(found)


def _smile(row: dict[str, str]) -> Smile:
    svi = (int(row["a"]), int(row["b"]), int(row["rho"]), int(row["m"]), int(row["sigma"]))
    return Smile(int(row["expiry_s"]), float(row["forward"]), svi)
