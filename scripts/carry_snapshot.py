"""Takes the figures that the product needs out of a recorded snapshot of Deribit's option chain.

    python scripts/carry_snapshot.py SNAPSHOT.csv.gz CARRIED.csv.gz

CARRIED is margin/analytics/data/btc_options_20260115.csv.gz. The input has a row per option with
the fields of Deribit's public `get_instruments` and `ticker` under their own names; the output the
columns below, sorted by expiry, strike and type. Numbers are carried as they are written. The same
input gives the same bytes.
"""

import argparse
import csv
import gzip
import io
from pathlib import Path

COLUMNS = {
    "name": "instrument_name",
    "expiry_ms": "expiration_timestamp",
    "strike": "strike",
    "type": "option_type",
    "time_ms": "timestamp",
    "bid": "best_bid_price",
    "bid_amount": "best_bid_amount",
    "ask": "best_ask_price",
    "ask_amount": "best_ask_amount",
    "mark": "mark_price",
    "mark_iv": "mark_iv",
    "bid_iv": "bid_iv",
    "ask_iv": "ask_iv",
    "forward": "underlying_price",
    "index": "index_price",
    "open_interest": "open_interest",
    "delta": "greeks_delta",
    "gamma": "greeks_gamma",
    "vega": "greeks_vega",
    "theta": "greeks_theta",
    "rho": "greeks_rho",
}


def carry(snapshot: Path, carried: Path) -> int:
    """Writes the carried columns; gives the number of options."""
    with gzip.open(snapshot, "rt", encoding="utf8", newline="") as source:
        rows = [{new: row[old] for new, old in COLUMNS.items()} for row in csv.DictReader(source)]
    rows.sort(key=lambda row: (int(row["expiry_ms"]), float(row["strike"]), row["type"]))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    carried.write_bytes(gzip.compress(text.getvalue().encode("utf8"), 9, mtime=0))
    return len(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Carry a recorded option chain into the package.")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("carried", type=Path)
    arguments = parser.parse_args()
    print(carry(arguments.snapshot, arguments.carried), "options carried")
