"""The oracle at the JSON-RPC door: a signed report coming in, what it caused, and who counts.

Holds: a report's fields bear the names of the signed EIP-712 message; numbers of more than 53 bits
are decimal strings, as everywhere at this door; a reason is told by its number and its words.
Never: judges a report; that is the engine's.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from msgspec import Meta

from exchange import events
from exchange.events import HOLD_REASONS, REPORT_REASONS, Event
from exchange.gateway_rpc.failures import hexadecimal
from exchange.gateway_rpc.requests import U8, U16, Params, Signature, Unsigned64, Unsigned128
from exchange.gateway_rpc.views import Json
from exchange.venue import OracleStatus
from settlement.price_reports import MAX_EXPIRIES, PriceReport

I32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]


class ExpiryReportFields(Params):
    expiry: U16
    forward: Unsigned128
    a: I32
    b: I32
    rho: I32
    m: I32
    sigma: I32


class PriceReportFields(Params):
    """`PriceReport` of docs/protocol.md, 2."""

    underlying: U8
    observed_ms: Unsigned64
    decimals: U8
    index: Unsigned128
    sequence: Unsigned64
    expiries: Annotated[list[ExpiryReportFields], Meta(max_length=MAX_EXPIRIES)]

    def value(self) -> PriceReport:
        return PriceReport(
            self.underlying,
            int(self.observed_ms),
            self.decimals,
            int(self.index),
            int(self.sequence),
            tuple((e.expiry, int(e.forward), e.a, e.b, e.rho, e.m, e.sigma) for e in self.expiries),
        )


class SignedPriceReport(Params):
    message: PriceReportFields
    signature: Signature


def report_json(report: PriceReport) -> Json:
    """A report as this door takes it."""
    return {
        "underlying": report.underlying,
        "observedMs": str(report.observed_ms),
        "decimals": report.decimals,
        "index": str(report.index_price),
        "sequence": str(report.sequence),
        "expiries": [
            {
                "expiry": number,
                "forward": str(forward),
                "a": a,
                "b": b,
                "rho": rho,
                "m": m,
                "sigma": sigma,
            }
            for number, forward, a, b, rho, m, sigma in report.expiries
        ],
    }


def oracle_events(happened: Sequence[Event]) -> list[Json]:
    """What of a command concerns an oracle, in the order in which it happened; everyone's."""
    return [_VIEWS[type(event)](event) for event in happened if type(event) in _VIEWS]


def oracle_json(status: OracleStatus) -> Json:
    """An oracle's terms, and how each of its reporters stands."""
    return {
        "underlying": status.underlying,
        "isLost": status.is_lost,
        "quorum": status.quorum,
        "counting": status.counting,
        "maxAgeSeconds": status.max_age_s,
        "deviationE4": status.deviation_e4,
        "forwardBandE4": status.forward_band_e4,
        "forwardMoveE4": status.forward_move_e4,
        "varianceMoveE4": status.variance_move_e4,
        "reporters": [
            {
                "reporter": hexadecimal(reporter.address),
                "decimals": reporter.decimals,
                "sequence": None if reporter.sequence < 0 else str(reporter.sequence),
                "observedMs": None if reporter.sequence < 0 else str(reporter.observed_ms),
                "indexMicro": None if reporter.sequence < 0 else str(reporter.index_micro),
                "standing": None if reporter.sequence < 0 else REPORT_REASONS[reporter.standing],
            }
            for reporter in status.reporters
        ],
    }


def _reported(event: events.PricesReported) -> Json:
    return {
        "event": "pricesReported",
        "underlying": event.underlying,
        "reporter": hexadecimal(event.reporter),
        "sequence": str(event.sequence),
        "observedMs": str(event.observed_ms),
        "indexMicro": str(event.index_micro),
        "counting": event.counting,
    }


def _dropped(event: events.ReportDropped) -> Json:
    return {
        "event": "reportDropped",
        "underlying": event.underlying,
        "reporter": hexadecimal(event.reporter),
        "sequence": str(event.sequence),
        "reason": event.reason,
        "reasonText": REPORT_REASONS[event.reason],
        "got": str(event.got),
        "allowed": str(event.allowed),
    }


def _held(event: events.ExpiryHeld) -> Json:
    return {
        "event": "expiryHeld",
        "underlying": event.underlying,
        "expiry": event.expiry,
        "reason": event.reason,
        "reasonText": HOLD_REASONS[event.reason],
        "got": str(event.got),
        "allowed": str(event.allowed),
    }


def _lost(event: events.OracleLost) -> Json:
    return {
        "event": "oracleLost",
        "underlying": event.underlying,
        "counting": event.counting,
        "quorum": event.quorum,
        "newestMs": str(event.newest_ms),
    }


def _recovered(event: events.OracleRecovered) -> Json:
    return {
        "event": "oracleRecovered",
        "underlying": event.underlying,
        "counting": event.counting,
        "quorum": event.quorum,
        "lostSeconds": event.lost_s,
    }


def _marked(event: events.MarksUpdated) -> Json:
    return {
        "event": "marksUpdated",
        "underlying": event.underlying,
        "indexMicro": str(event.index_micro),
        "epoch": event.epoch,
    }


_VIEWS: Final[dict[type[Event], Callable[[Any], Json]]] = {
    events.PricesReported: _reported,
    events.ReportDropped: _dropped,
    events.ExpiryHeld: _held,
    events.OracleLost: _lost,
    events.OracleRecovered: _recovered,
    events.MarksUpdated: _marked,
}
