"""Markets that the listing rules state: where a synthetic feed begins, and the operator's own marks
of an underlying that no oracle marks.

Holds: the operator's marks stand still: index and volatility as stated, or for BTC, where nothing
is stated, the chain that ships; only total variance runs off. An underlying whose rule states no
market has no marks of the operator, and an oracle's are never overruled.
Never: is imported by the engine's side.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from exchange.commands import UpdateMarks
from exchange.listing_rules import UnderlyingRule
from exchange.oracle.feed import Snapshot, marks_from
from exchange.oracle.feeding import listed_expiries
from exchange.oracle.file_feed import CHAIN, FileFeed
from exchange.oracle.synthetic_feed import BTC, ETH, Dynamics, SyntheticFeed
from exchange.snapshot_chain import NANOSECONDS
from exchange.state import State
from settlement.price_reports import micro_per_lot

_DECIMALS: Final = 14
"""A lot may be a million units, of which each is worth next to nothing."""
_SCALE: Final = 10**_DECIMALS
_SHIPPED: Final = {dynamics.underlying: dynamics for dynamics in (BTC, ETH)}


def dynamics_of(rule: UnderlyingRule) -> Dynamics | None:
    """How a made-up market of this underlying moves, and where it begins; None where nothing is
    stated.
    """
    shipped = _SHIPPED.get(rule.name)
    if not rule.index_micro:
        return shipped
    variance = (rule.volatility_e4 / 10_000) ** 2
    dynamics = shipped or Dynamics(rule.name, 0.0)
    return dynamics._replace(
        index_usd=rule.index_micro * 100 / rule.lot_e8,
        variance=variance,
        long_run_variance=variance,
    )


def unmarked(state: State, rules: Sequence[UnderlyingRule]) -> Iterator[tuple[int, UnderlyingRule]]:
    """(number, rule) of the underlyings that wait for the operator's own marks."""
    by_name = {rule.name: rule for rule in rules}
    for underlying in state.underlyings:
        oracle = state.oracles.get(underlying.number)
        rule = by_name.get(underlying.name)
        if rule is None or (oracle is not None and oracle.terms is not None):
            continue
        if rule.index_micro or rule.name == BTC.underlying:
            yield underlying.number, rule


def stated_marks(state: State, number: int, rule: UnderlyingRule, time_ns: int) -> UpdateMarks:
    """The market that a rule states, as marks of what is listed, as of `time_ns`."""
    lot_e8, listed = state.underlyings[number].lot_e8, listed_expiries(state, number)
    time_s = time_ns // NANOSECONDS
    market = _market(rule, time_s, (expiry.expiry_time_s for expiry in listed))
    index_usd = market.index_usd
    index = rule.index_micro or micro_per_lot(round(index_usd * _SCALE), _DECIMALS, lot_e8)
    found = marks_from(market, index_usd, lot_e8, listed, time_s, _DECIMALS)
    marks = tuple((at, m.forward_micro, m.a, m.b, m.rho, m.m, m.sigma) for at, _, m in found)
    return UpdateMarks(time_ns, number, index, marks)


def _market(rule: UnderlyingRule, time_s: int, expiries_s: Iterable[int]) -> Snapshot:
    if not rule.index_micro:
        return _shipped_chain()
    dynamics = dynamics_of(rule)
    assert dynamics is not None, "an index is stated"
    feed = SyntheticFeed(0, time_s, dynamics=[dynamics], expiry_times_s=sorted(expiries_s))
    first = next(feed.moments())
    assert isinstance(first, Snapshot), "a made-up market is never silent"
    return first


@lru_cache(maxsize=1)
def _shipped_chain() -> Snapshot:
    (moment,) = FileFeed(CHAIN).moments()
    assert isinstance(moment, Snapshot), "a recorded chain has something to show"
    return moment
