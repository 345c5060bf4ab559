"""What a feed gives, and how reporters turn it into signed reports.

A feed shows an underlying at one moment: index, and per expiry a forward and a smile. A reporter
maps that to the expiries which an exchange lists, sees to it that its own smiles have no
butterfly, and signs.

Holds: the same feed, keys and times give the same bytes; a smile goes to the listed expiry that is
nearest in term, its total variance in proportion to time; what cannot be reported is left out.
Never: is imported by the engine's side; reads a clock.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from exchange.oracle.arbitrage import Strikes, butterfly_strike
from exchange.oracle.terms import Reporters
from margin.svi import ExpiryMark, check_marks, has_least_variance, total_variance_q60
from settlement.price_reports import PriceReport, micro_per_lot, price_report_hash
from settlement.signature import Signer
from settlement.signed_messages import signing_digest

DECIMALS: Final = 8
_FLATTENINGS: Final = 96
_FLATTER: Final = (15, 16)


class Smile(NamedTuple):
    """One expiry as a feed sees it: forward in USD per unit, raw SVI in Q30."""

    expiry_time_s: int
    forward_usd: float
    svi: tuple[int, int, int, int, int]


class Snapshot(NamedTuple):
    """An underlying at one moment; expiries ascend."""

    underlying: str
    time_s: int
    index_usd: float
    smiles: tuple[Smile, ...]


class Silence(NamedTuple):
    """Nothing to report at this moment, and why."""

    underlying: str
    time_s: int
    reason: str


class Feed(Protocol):
    """Moments of one or more underlyings, in the order of time."""

    def moments(self) -> Iterator[Snapshot | Silence]: ...


class Listed(NamedTuple):
    """An expiry that an exchange lists, with its strikes (micro-USDC per lot)."""

    number: int
    expiry_time_s: int
    strikes: Strikes


def flattened(mark: ExpiryMark, strikes: Strikes) -> ExpiryMark | None:
    """The mark with as little of its slopes taken away as frees its strikes of butterflies, the
    variance at the money kept; None where the bounds do not let it be.
    """
    ln_strikes = [ln_strike for _, ln_strike in strikes]
    at_the_money = total_variance_q60(0, mark)
    for _ in range(_FLATTENINGS):
        if check_marks(0, mark, ln_strikes) is None and not butterfly_strike(mark, strikes):
            return mark
        b = mark.b * _FLATTER[0] // _FLATTER[1]
        of_slope = total_variance_q60(0, mark._replace(a=0, b=b))
        mark = mark._replace(b=b, a=(at_the_money - of_slope) >> 30)
        while not has_least_variance(mark):
            mark = mark._replace(a=mark.a + 1)
    return None


def smile_at(
    snapshot: Snapshot, listed: Listed, time_s: int
) -> tuple[float, tuple[int, int, int, int, int]] | None:
    """Forward over index and raw SVI for a listed expiry as of `time_s`: those of the nearest
    term, by the logarithm, with carry and total variance in proportion to time. None once it has
    expired.
    """
    left_s = listed.expiry_time_s - time_s
    terms = [smile.expiry_time_s - snapshot.time_s for smile in snapshot.smiles]
    if left_s <= 0 or not any(term > 0 for term in terms):
        return None
    at = min(
        (at for at, term in enumerate(terms) if term > 0),
        key=lambda at: abs(math.log(terms[at] / left_s)),
    )
    smile, ratio = snapshot.smiles[at], left_s / terms[at]
    a, b, rho, m, sigma = smile.svi
    carry = (smile.forward_usd / snapshot.index_usd) ** ratio
    return carry, (round(a * ratio), round(b * ratio), rho, m, sigma)


def marks_from(
    snapshot: Snapshot,
    index_usd: float,
    lot_e8: int,
    listed: Iterable[Listed],
    time_s: int,
    decimals: int = DECIMALS,
    careless: bool = False,
) -> list[tuple[int, int, ExpiryMark]]:
    """(expiry, forward in 10^-decimals USDC per unit, mark) of the listed expiries as of `time_s`,
    by their numbers, at an index that may be another than the snapshot's; a `careless` look mends
    no smile.
    """
    found: list[tuple[int, int, ExpiryMark]] = []
    for expiry in sorted(listed):
        seen = smile_at(snapshot, expiry, time_s)
        if seen is None:
            continue
        carry, svi = seen
        forward = round(index_usd * carry * 10**decimals)
        mark: ExpiryMark | None = ExpiryMark(micro_per_lot(forward, decimals, lot_e8), *svi)
        if not careless:
            mark = flattened(mark, expiry.strikes)
        if mark is not None:
            found.append((expiry.number, forward, mark))
    return found


class Reporter:
    """One key that reports. `noise_e6` is how far, in a standard deviation, its view of an index is
    from the feed's, in millionths; its noise is its own and repeats. A `careless` one signs what it
    is shown: it mends no smile.
    """

    def __init__(
        self,
        secret: bytes,
        decimals: int = DECIMALS,
        noise_e6: float = 0.0,
        careless: bool = False,
    ) -> None:
        self._signer = Signer(secret)
        self.address: bytes = self._signer.address
        self.decimals = decimals
        self.sequence = 0
        self._noise_e6 = noise_e6
        self._is_careless = careless
        self._noise = np.random.default_rng(list(self.address))

    def report(
        self,
        snapshot: Snapshot,
        underlying: int,
        lot_e8: int,
        listed: Iterable[Listed],
        observed_ms: int,
    ) -> PriceReport:
        """The report of a snapshot as if it were observed at `observed_ms`; its sequence is the
        next.
        """
        self.sequence += 1
        factor = 1.0 + float(self._noise.standard_normal()) * self._noise_e6 * 1e-6
        index_usd = snapshot.index_usd * factor
        time_s = observed_ms // 1_000
        marks = marks_from(
            snapshot, index_usd, lot_e8, listed, time_s, self.decimals, self._is_careless
        )
        return PriceReport(
            underlying,
            observed_ms,
            self.decimals,
            round(index_usd * 10**self.decimals),
            self.sequence,
            tuple((number, forward, *mark[1:]) for number, forward, mark in marks),
        )

    def sign(self, report: PriceReport, separator: bytes) -> bytes:
        """Its signature for the exchange whose domain this is, r ‖ s ‖ v."""
        return self._signer.sign(signing_digest(separator, price_report_hash(report)))


def reporters_of(reporters: Sequence[Reporter]) -> Reporters:
    """Addresses and decimals as SetOracle takes them."""
    return tuple((reporter.address, reporter.decimals) for reporter in reporters)
