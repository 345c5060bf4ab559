"""Price reports for tests of the oracle: who reports what, on a floor.

Holds: prices are given in micro-USDC per lot and reported in `decimals`, exactly; sequences and
moments are the floor's unless a test says otherwise.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from exchange import commands as c
from exchange.events import Event
from exchange.oracle.oracle import Oracle
from margin.svi import ExpiryMark
from settlement.price_reports import PriceReport, price_report_hash
from tests.floor import BTC_INDEX, NO_SIGNATURE, NS, SMILE, Floor

ANNA: Final = b"\xa1" * 20
BERT: Final = b"\xb2" * 20
CARA: Final = b"\xc3" * 20
DORA: Final = b"\xd4" * 20
DECIMALS: Final = 8
MAX_AGE_S: Final = 30

_SEQUENCES: dict[int, int] = {}


def arm(
    floor: Floor,
    reporters: Sequence[bytes] = (ANNA, BERT, CARA),
    quorum: int = 2,
    *,
    underlying: int = 0,
    max_age_s: int = MAX_AGE_S,
    deviation_e4: int = 100,
    forward_band_e4: int = 2_000,
    forward_move_e4: int = 100,
    variance_move_e4: int = 5_000,
    decimals: int = DECIMALS,
) -> tuple[Event, ...]:
    named = tuple((reporter, decimals) for reporter in reporters)
    terms = (quorum, max_age_s, deviation_e4, forward_band_e4, forward_move_e4, variance_move_e4)
    return floor.send(c.SetOracle(floor.time_ns, underlying, *terms, named))


def disarm(floor: Floor, underlying: int = 0) -> tuple[Event, ...]:
    return arm(floor, (), 0, underlying=underlying)


def units(micro: int, lot_e8: int, decimals: int = DECIMALS) -> int:
    """A price in micro-USDC per lot as a reporter writes it; it must be exact."""
    value, rest = divmod(micro * 10 ** (8 + decimals), 1_000_000 * lot_e8)
    assert not rest, "the test's price has too many decimals"
    return value


def usual_marks(floor: Floor, index_micro: int, underlying: int = 0) -> dict[int, ExpiryMark]:
    """As `Floor.mark` marks: each open expiry one percent further from the index."""
    open_ = [
        expiry.number
        for expiry in floor.state.expiries
        if expiry.underlying.number == underlying and expiry.settlement_micro is None
    ]
    return {
        number: ExpiryMark(index_micro * (101 + place) // 100, *SMILE)
        for place, number in enumerate(open_)
    }


def report(
    floor: Floor,
    reporter: bytes,
    index_micro: int = BTC_INDEX,
    marks: Mapping[int, ExpiryMark] | None = None,
    *,
    underlying: int = 0,
    age_ms: int = 0,
    sequence: int | None = None,
    decimals: int = DECIMALS,
) -> c.ReportPrices:
    """The command of a report."""
    if sequence is None:
        sequence = _SEQUENCES[0] = _SEQUENCES.get(0, 0) + 1
    if marks is None:
        marks = usual_marks(floor, index_micro, underlying)
    lot_e8 = floor.state.underlyings[underlying].lot_e8
    expiries = tuple(
        (number, units(mark.forward_micro, lot_e8, decimals), *mark[1:])
        for number, mark in marks.items()
    )
    index = units(index_micro, lot_e8, decimals)
    observed_ms = floor.time_ns // 1_000_000 - age_ms
    message = PriceReport(underlying, observed_ms, decimals, index, sequence, expiries)
    message_hash = price_report_hash(message)
    return c.ReportPrices(floor.time_ns, *message, message_hash, reporter, NO_SIGNATURE)


def send_report(
    floor: Floor,
    reporter: bytes,
    index_micro: int = BTC_INDEX,
    marks: Mapping[int, ExpiryMark] | None = None,
    **more: int,
) -> tuple[Event, ...]:
    return floor.send(report(floor, reporter, index_micro, marks, **more))  # type: ignore[arg-type]


def oracle_of(floor: Floor, underlying: int = 0) -> Oracle:
    return floor.state.oracles[underlying]


def wait(floor: Floor, seconds: int) -> tuple[Event, ...]:
    """Lets time pass in one command."""
    floor.time_ns += seconds * NS
    return floor._apply(c.AdvanceTime(floor.time_ns))
