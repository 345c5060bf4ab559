"""A feed that reports to a running exchange: arms its oracles, and lets its reporters sign.

Holds: reports go through the exchange's door like any reporter's; a recording begins again when it
ends; an underlying that the exchange does not list is passed over; one that the feed does not show
is not armed, since nothing would ever be reported of it; what is refused is told.
Never: touches the state but through the door and the sequencer.
"""

import asyncio
import hashlib
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from exchange.commands import SetOracle
from exchange.oracle.feed import Feed, Listed, Reporter, Silence, Snapshot, reporters_of
from exchange.oracle.file_feed import RECORDINGS, FileFeed
from exchange.oracle.oracle import NS_PER_MS
from exchange.oracle.synthetic_feed import BTC, ETH, Dynamics, SyntheticFeed
from exchange.oracle.terms import (
    DEVIATION_E4,
    FORWARD_BAND_E4,
    FORWARD_MOVE_E4,
    FRESH_S,
    VARIANCE_MOVE_E4,
    Reporters,
    Terms,
)
from exchange.service import Exchange
from exchange.state import State
from margin.fixed_point import ln_q30
from settlement.signed_messages import domain_separator

SYNTHETIC: Final = "synthetic"
FEEDS: Final = (SYNTHETIC, *RECORDINGS)
OFF: Final = "off"
"""Disarms the oracles: the operator's own marks again."""
_NOISE_E6: Final = 20.0


def feed_of(
    name: str, state: State, step_s: int, seed: int, dynamics: Sequence[Dynamics] = (BTC, ETH)
) -> Feed:
    """A feed by its name; a synthetic one moves so, from the exchange's indices where it has them
    and for its listed expiries. Raises KeyError where there is none of that name.
    """
    if name != SYNTHETIC:
        return FileFeed(name)
    usd = {
        underlying.name: state.marks.index_micro[underlying.number] * 100 / underlying.lot_e8
        for underlying in state.underlyings
        if underlying.number in state.marks.index_micro
    }
    begun = [of._replace(index_usd=usd.get(of.underlying, of.index_usd)) for of in dynamics]
    times = [expiry.expiry_time_s for expiry in state.expiries]
    return SyntheticFeed(
        seed, state.time_s, step_s, dynamics=begun, expiry_times_s=sorted(set(times)) or None
    )


def shown_by(feed: Feed) -> Collection[str]:
    """The names of the underlyings that a feed shows at its first moment."""
    names: dict[str, int] = {}
    for moment in feed.moments():
        if names and moment.time_s not in names.values():
            break
        names[moment.underlying] = moment.time_s
    return names.keys()


def reporters_from(secret: bytes, count: int) -> list[Reporter]:
    """Reporters of an exchange that feeds itself, by a key that is its own: the same each time."""
    return [
        Reporter(hashlib.sha256(secret + b"reporter %d" % number).digest(), noise_e6=_NOISE_E6)
        for number in range(count)
    ]


def oracle_command(time_ns: int, underlying: int, quorum: int, reporters: Reporters) -> SetOracle:
    """Arms with the terms of `terms.py`; disarms where there are no reporters."""
    return SetOracle(
        time_ns,
        underlying,
        quorum if reporters else 0,
        FRESH_S,
        DEVIATION_E4,
        FORWARD_BAND_E4,
        FORWARD_MOVE_E4,
        VARIANCE_MOVE_E4,
        reporters,
    )


def listed_expiries(state: State, underlying: int) -> list[Listed]:
    """The expiries that wait for their marks, with their strikes."""
    found: list[Listed] = []
    for expiry in state.expiries:
        if expiry.underlying.number != underlying or expiry.settlement_micro is not None:
            continue
        options = state.options_by_expiry.get(expiry.number, ())
        strikes = {i.strike_micro: ln_q30(i.strike_micro) for i in options if not i.is_linear}
        found.append(Listed(expiry.number, expiry.expiry_time_s, sorted(strikes.items())))
    return found


class Feeding:
    """Reporters before one exchange. `await step()` reports the feed's next moment."""

    def __init__(
        self,
        exchange: Exchange,
        feed: Feed,
        reporters: Sequence[Reporter],
        quorum: int,
        clock: Callable[[], int],
        tell: Callable[[str], object] = sys.stderr.write,
    ) -> None:
        self._exchange = exchange
        self._feed = feed
        self._reporters = reporters
        self._quorum = quorum
        self._clock = clock
        self._tell = tell
        self._moments = _again(feed)
        self.shown = shown_by(feed)
        self._waiting: Snapshot | Silence | None = None
        self._listed: dict[int, list[Listed]] = {}
        self._instruments = -1
        self.reports = 0
        self.refused = 0

    async def arm(self) -> None:
        """Arms the oracles of the underlyings that are listed and shown, unless they are armed so
        already; reporters go on counting where their last run ended. An oracle that waits for these
        very reporters from an earlier run, and would wait for ever, is disarmed.
        """
        state, named = self._exchange.state, reporters_of(self._reporters)
        for underlying in state.underlyings:
            number = underlying.number
            oracle = state.oracles.get(number)
            if underlying.name not in self.shown:
                if oracle is not None and oracle.terms is not None:
                    await self._disarm_own(number, oracle.terms)
                continue
            if oracle is None or oracle.terms is None or oracle.terms.shape()[2] != list(named):
                await self._exchange.submit(
                    lambda time_ns, _, number=number: oracle_command(
                        time_ns, number, self._quorum, named
                    )
                )
            for reporter in self._reporters:
                last = state.oracles[number].taken.get(reporter.address)
                if last is not None:
                    reporter.sequence = max(reporter.sequence, last[0])

    async def _disarm_own(self, number: int, terms: Terms) -> None:
        if any(reporter.address in terms.reporters for reporter in self._reporters):
            await self._exchange.submit(lambda time_ns, _: oracle_command(time_ns, number, 0, ()))

    async def step(self) -> None:
        """Reports all underlyings of the feed's next moment, as of now."""
        first = self._waiting or next(self._moments)
        moment: Snapshot | Silence = first
        while moment.time_s == first.time_s:
            await self._report(moment)
            moment = next(self._moments)
            if moment.underlying == first.underlying:
                break
        self._waiting = moment

    async def _report(self, moment: Snapshot | Silence) -> None:
        if isinstance(moment, Silence):
            self._tell(f"{moment.underlying}: nothing to report: {moment.reason}\n")
            return
        state = self._exchange.state
        separator = domain_separator(state.chain_id, state.settlement)
        if self._instruments != len(state.instruments):
            self._instruments = len(state.instruments)
            self._listed = {u.number: listed_expiries(state, u.number) for u in state.underlyings}
        for underlying in state.underlyings:
            if underlying.name != moment.underlying:
                continue
            number = underlying.number
            settled = [e.number for e in state.expiries if e.settlement_micro is not None]
            listed = [one for one in self._listed[number] if one.number not in settled]
            for reporter in self._reporters:
                observed_ms = self._clock() // NS_PER_MS
                report = reporter.report(moment, number, underlying.lot_e8, listed, observed_ms)
                signature = reporter.sign(report, separator)
                verdict = await self._exchange.report_prices(report, signature)
                self.reports += 1
                if verdict.reject is not None:
                    self.refused += 1
                    self._tell(f"report refused: {verdict.reject.message}\n")


async def disarm(exchange: Exchange) -> None:
    """Gives the marks of every underlying back to the operator."""
    for number in sorted(exchange.state.oracles):
        await exchange.submit(
            lambda time_ns, _, number=number: oracle_command(time_ns, number, 0, ())
        )


def _again(feed: Feed) -> Iterator[Snapshot | Silence]:
    """A feed's moments, from the beginning when they end."""
    while True:
        count = 0
        for moment in feed.moments():
            count += 1
            yield moment
        if not count:
            raise ValueError("the feed shows nothing")


async def feed_until(feeding: Feeding, stopped: asyncio.Event, every_s: float) -> None:
    """Steps at a pace until it is told to stop."""
    while not stopped.is_set():
        await feeding.step()
        try:
            await asyncio.wait_for(stopped.wait(), every_s)
        except TimeoutError:
            continue
