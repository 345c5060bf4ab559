"""Feeds that fail, for tests and drills: one that stops, jumps, or shows what no venue should.

Holds: a fault of quotes goes through the same door as true quotes (`quotes.pass_prices`), a fault
of smiles goes on to the exchange, which has the last word.
Never: changes the feed that it stands before.
"""

import math
from collections.abc import Iterator
from typing import Final

from exchange.oracle.feed import Feed, Silence, Smile, Snapshot
from exchange.oracle.quotes import ExpiryPrices, OptionPrice, Prices, pass_prices, prices_of

STOP: Final = "stop"
JUMP: Final = "jump"
NAN: Final = "nan"
INFINITE: Final = "infinite"
ZERO: Final = "zero"
NEGATIVE: Final = "negative"
CROSSED: Final = "crossed"
EMPTY: Final = "empty"
ONE_EXPIRY: Final = "one-expiry"
ARBITRAGE: Final = "arbitrage"
OUT_OF_BOUNDS: Final = "out-of-bounds"
FAULTS: Final = (
    STOP,
    JUMP,
    NAN,
    INFINITE,
    ZERO,
    NEGATIVE,
    CROSSED,
    EMPTY,
    ONE_EXPIRY,
    ARBITRAGE,
    OUT_OF_BOUNDS,
)
JUMP_BY: Final = 1.5
_ONE_Q30: Final = 1 << 30


class FaultyFeed:
    """A feed from whose moment number `since` on (counted from 0 per underlying) a fault is
    seen."""

    def __init__(self, feed: Feed, fault: str, since: int = 0) -> None:
        if fault not in FAULTS:
            raise ValueError(f"no fault {fault!r}; there are {', '.join(FAULTS)}")
        self._feed = feed
        self._fault = fault
        self._since = since

    def moments(self) -> Iterator[Snapshot | Silence]:
        seen: dict[str, int] = {}
        for moment in self._feed.moments():
            count = seen.get(moment.underlying, 0)
            seen[moment.underlying] = count + 1
            if count < self._since or isinstance(moment, Silence):
                yield moment
            else:
                yield struck(moment, self._fault)


def struck(moment: Snapshot, fault: str) -> Snapshot | Silence:
    """A moment as it comes through with a fault."""
    if fault == STOP:
        return Silence(moment.underlying, moment.time_s, "the feed has stopped")
    if fault == JUMP:
        smiles = tuple(s._replace(forward_usd=s.forward_usd * JUMP_BY) for s in moment.smiles)
        return moment._replace(index_usd=moment.index_usd * JUMP_BY, smiles=smiles)
    if fault == ONE_EXPIRY:
        return moment._replace(smiles=moment.smiles[:1])
    if fault in (ARBITRAGE, OUT_OF_BOUNDS):
        return moment._replace(smiles=tuple(_bent(s, fault) for s in moment.smiles))
    return pass_prices(spoiled(prices_of(moment), fault)).moment


def _bent(smile: Smile, fault: str) -> Smile:
    a, b, rho, m, sigma = smile.svi
    if fault == OUT_OF_BOUNDS:
        return smile._replace(svi=(a, -b - 1, rho, m, sigma))
    return smile._replace(svi=(0, _ONE_Q30, _ONE_Q30, 0, 1))  # none below the forward, much above


def spoiled(prices: Prices, fault: str) -> Prices:
    """A venue's prices with every quote spoiled in one way."""
    if fault == EMPTY:
        return prices._replace(expiries=())
    return prices._replace(expiries=tuple(_spoiled(e, fault) for e in prices.expiries))


def _spoiled(expiry: ExpiryPrices, fault: str) -> ExpiryPrices:
    return expiry._replace(options=tuple(_spoiled_quote(o, fault) for o in expiry.options))


def _spoiled_quote(option: OptionPrice, fault: str) -> OptionPrice:
    if fault == CROSSED:
        return option._replace(bid_usd=option.ask_usd * 1.1, ask_usd=option.bid_usd)
    bad = {NAN: math.nan, INFINITE: math.inf, ZERO: 0.0, NEGATIVE: -1.0}[fault]
    return option._replace(bid_usd=bad, ask_usd=bad)
