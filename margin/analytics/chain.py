"""The option chain that ships with the package: Deribit's BTC options of 15 January 2026, as quotes
of this exchange.

Deribit quotes an option in BTC, as its value in USD over the forward of its expiry. So a price here
is price x forward of the same row, in ticks of 1 USDC per BTC, a bid rounded down and an ask up, so
that no quote is better than the real one. (Price x index would be off by index / forward: parity
would fail by 5% of F - K at the longest expiry, and of its marks 3% would lie inside their quotes
instead of 97%.)

Holds: expiries ascend; within one, options ascend by strike, a call before its put.
Never: fits, or fills in a missing quote.
"""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from importlib.resources import files
from statistics import median
from typing import Final, NamedTuple

from matching.instruments import CALL, PUT

SNAPSHOT: Final = "btc_options_20260115.csv.gz"
LOTS_PER_BTC: Final = 100
MICRO_PER_LOT: Final = 10_000
"""1 USDC per BTC in micro-USDC per lot: the tick value of the options."""


class PublishedGreeks(NamedTuple):
    """Deribit's Greeks, in the conventions of `black76_float`."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


class OptionQuote(NamedTuple):
    """One option of the snapshot. Where there is no bid, `bid_ticks` and `bid_lots` are 0;
    likewise for the ask.
    """

    name: str
    kind: int
    """CALL or PUT."""
    expiry_time_s: int
    strike_usd: int
    time_ms: int
    forward_usd: float
    """Of the row's own moment."""
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    mark_usd: float
    mark_iv: float
    """Volatilities are fractions; 0 where Deribit gives none."""
    bid_iv: float
    ask_iv: float
    open_interest_lots: int
    published: PublishedGreeks

    @property
    def is_two_sided(self) -> bool:
        return self.bid_ticks > 0 and self.ask_ticks > 0

    @property
    def strike_micro(self) -> int:
        """Micro-USDC per lot."""
        return self.strike_usd * MICRO_PER_LOT


class ExpiryQuotes(NamedTuple):
    """All options of one expiry, and its forward: the median of their rows'."""

    expiry_time_s: int
    forward_usd: float
    options: tuple[OptionQuote, ...]

    @property
    def forward_micro(self) -> int:
        """Micro-USDC per lot, to nearest."""
        return round(self.forward_usd * MICRO_PER_LOT)

    @property
    def label(self) -> str:
        """The day in the venues' way: 27MAR26."""
        day = datetime.fromtimestamp(self.expiry_time_s, UTC)
        return f"{day.day}{day:%b%y}".upper()


class Chain(NamedTuple):
    """A whole chain at one moment: the last of its rows', in Unix seconds, rounded up."""

    time_s: int
    index_usd: float
    expiries: tuple[ExpiryQuotes, ...]

    @property
    def index_micro(self) -> int:
        """Micro-USDC per lot, to nearest."""
        return round(self.index_usd * MICRO_PER_LOT)

    @property
    def options(self) -> Iterator[OptionQuote]:
        return (option for expiry in self.expiries for option in expiry.options)


def load_chain() -> Chain:
    """The chain of the snapshot."""
    packed = files("margin.analytics").joinpath("data", SNAPSHOT).read_bytes()
    rows = list(csv.DictReader(gzip.decompress(packed).decode("utf8").splitlines()))
    by_expiry: dict[int, list[OptionQuote]] = {}
    for row in rows:
        option = _option(row)
        by_expiry.setdefault(option.expiry_time_s, []).append(option)
    return Chain(
        time_s=-(-max(int(row["time_ms"]) for row in rows) // 1000),
        index_usd=median(float(row["index"]) for row in rows),
        expiries=tuple(
            ExpiryQuotes(
                expiry_time_s=expiry,
                forward_usd=median(option.forward_usd for option in options),
                options=tuple(sorted(options, key=lambda o: (o.strike_usd, o.kind))),
            )
            for expiry, options in sorted(by_expiry.items())
        ),
    )


def _option(row: dict[str, str]) -> OptionQuote:
    forward = Decimal(row["forward"])
    return OptionQuote(
        name=row["name"],
        kind=CALL if row["type"] == "call" else PUT,
        expiry_time_s=int(row["expiry_ms"]) // 1000,
        strike_usd=int(row["strike"]),
        time_ms=int(row["time_ms"]),
        forward_usd=float(forward),
        bid_ticks=_ticks(row["bid"], forward, ROUND_FLOOR),
        bid_lots=_lots(row["bid_amount"]),
        ask_ticks=_ticks(row["ask"], forward, ROUND_CEILING),
        ask_lots=_lots(row["ask_amount"]),
        mark_usd=float(Decimal(row["mark"]) * forward),
        mark_iv=float(row["mark_iv"]) / 100,
        bid_iv=float(row["bid_iv"]) / 100,
        ask_iv=float(row["ask_iv"]) / 100,
        open_interest_lots=_lots(row["open_interest"]),
        published=PublishedGreeks(*(float(row[name]) for name in PublishedGreeks._fields)),
    )


def _ticks(price_btc: str, forward: Decimal, rounding: str) -> int:
    """Price x forward in whole USDC per BTC, at least 1; 0 where there is no price."""
    price = Decimal(price_btc)
    if not price:
        return 0
    return max(int((price * forward).to_integral_value(rounding)), 1)


def _lots(amount_btc: str) -> int:
    """Whole lots, rounded down."""
    return int(Decimal(amount_btc) * LOTS_PER_BTC)
