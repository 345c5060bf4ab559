"""Fits a folder of recorded option chains and writes what the product carries of them.

    python scripts/carry_crash.py FOLDER CARRIED.csv.gz

CARRIED is margin/analytics/data/crash_202602.csv.gz. The folder has one `*.csv.gz` per snapshot
with a row per option (`currency`, `timestamp`, `strike`, `expiry_datetime`, `option_type`,
`bid_price`, `ask_price`, `implied_volatility`, `vega`, `futures_price`, `index_price`); the output
has a row per snapshot, currency and expiry: index and forward in USD, and the fitted raw SVI in
Q30, flattened where it had a butterfly between a quarter and three times the forward. The same
input gives the same bytes on one machine.
"""

import argparse
import csv
import gzip
import io
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from exchange.oracle.arbitrage import Strikes
from exchange.oracle.feed import flattened
from margin.analytics.black76_float import SECONDS_PER_YEAR
from margin.analytics.svi_fit import Observed, fit_smile
from margin.fixed_point import ln_q30

CURRENCIES: Final = ("BTC", "ETH")
EXPIRIES: Final = (
    "2026-02-13",
    "2026-02-27",
    "2026-03-27",
    "2026-06-26",
    "2026-09-25",
    "2026-12-25",
)
COLUMNS: Final = (
    "currency",
    "time_s",
    "index",
    "expiry_s",
    "forward",
    *["a", "b", "rho", "m", "sigma"],
)
LEAST_HALF_SPREAD: Final = 0.001
FEWEST: Final = 5
MICRO: Final = 10_000
GRID: Final = 64

Row = dict[str, str]


def carry(folder: Path, carried: Path) -> int:
    """Writes the carried rows; gives their number."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for path in sorted(folder.glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf8", newline="") as source:
            rows = list(csv.DictReader(source))
        for currency in CURRENCIES:
            of_currency = [row for row in rows if row["currency"] == currency]
            for line in _fitted(currency, of_currency):
                writer.writerow(line)
                count += 1
    carried.write_bytes(gzip.compress(text.getvalue().encode("utf8"), 9, mtime=0))
    return count


def _fitted(currency: str, rows: list[Row]) -> list[tuple[object, ...]]:
    time_s = max(round(_unix(row["timestamp"])) for row in rows)
    index = median(float(row["index_price"]) for row in rows)
    by_expiry: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_expiry[row["expiry_datetime"]].append(row)
    lines: list[tuple[object, ...]] = []
    for expiry, options in sorted(by_expiry.items()):
        expiry_s = round(_unix(expiry))
        if expiry[:10] not in EXPIRIES:
            continue
        forward = median(float(row["futures_price"]) for row in options)
        points = sorted(filter(None, (_point(row, forward) for row in options)))
        if len(points) < FEWEST:
            continue
        years = (expiry_s - time_s) / SECONDS_PER_YEAR
        k, volatility, half_spread = np.array(points).T
        micro = round(forward * MICRO)
        fitted = fit_smile(Observed(k, volatility, half_spread), years).rounded(micro)
        mark = flattened(fitted, strike_grid(micro))
        if mark is None:
            continue
        lines.append((currency, time_s, f"{index:.2f}", expiry_s, f"{forward:.2f}", *mark[1:]))
    return lines


def strike_grid(forward_micro: int) -> Strikes:
    """Strikes from a quarter of the forward to three times it."""
    strikes = [forward_micro * (GRID + 11 * at) // (4 * GRID) for at in range(GRID + 1)]
    return [(strike, ln_q30(strike)) for strike in strikes]


def _point(row: Row, forward: float) -> tuple[float, float, float] | None:
    """Log-moneyness, volatility and half a spread in volatility of an out-of-the-money option that
    is quoted on both sides.
    """
    strike = float(row["strike"])
    is_call = row["option_type"] == "call"
    if is_call != (strike >= forward) or not row["bid_price"] or not row["ask_price"]:
        return None
    spread_usd = (float(row["ask_price"]) - float(row["bid_price"])) * forward
    vega = 100.0 * float(row["vega"])  # of one whole unit of volatility
    volatility = float(row["implied_volatility"])
    if vega <= 0.0 or volatility <= 0.0 or spread_usd <= 0.0:
        return None
    return (
        float(np.log(strike / forward)),
        volatility,
        max(0.5 * spread_usd / vega, LEAST_HALF_SPREAD),
    )


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Carry recorded chains as fitted smiles.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("carried", type=Path)
    arguments = parser.parse_args()
    print(carry(arguments.folder, arguments.carried), "smiles carried")
