"""Price reports: taken, held against each other, and made into marks; or the underlying stops.

Holds: marks move by a report that brings or keeps the quorum together, and by nothing else of the
oracle's; a report that is wrong in itself is refused and leaves no trace; when too few count, the
underlying takes cancels alone, its marks stay, and no account is judged by a price that was not
accepted.
Never: verifies a signature (the door does, the auditor does again).
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import ReportPrices, SetOracle
from exchange.events.oracle import (
    DROPPED_OUTLIER,
    DROPPED_STALE,
    HELD_FORWARD_OFF,
    HELD_OUT_OF_BOUNDS,
    HELD_TOO_FEW,
)
from exchange.handlers.marks import apply_marks
from exchange.handlers.refusal import NO_ACCOUNT, refuse
from exchange.oracle.aggregate import is_outside, lower_median, medoid
from exchange.oracle.arbitrage import Strikes
from exchange.oracle.judgement import (
    Hold,
    Place,
    carried,
    is_fresh,
    judge,
    judge_calendar,
    report_hold,
)
from exchange.oracle.oracle import COUNTS, NEVER_NS, NS_PER_MS, Anchor, Made, Oracle, Report
from exchange.oracle.terms import MAX_AHEAD_MS, Terms, wrong_field
from exchange.state import State
from margin.svi import ExpiryMark, check_index
from matching.instruments import Expiry
from matching.rejects import (
    FORWARD_OFF,
    NOT_A_REPORTER,
    ORACLE_NOT_ARMED,
    REPORT_ALREADY_TAKEN,
    REPORT_FROM_THE_FUTURE,
    REPORT_OLDER,
    REPORT_OUT_OF_BOUNDS,
    REPORT_STALE,
    SMILE_ARBITRAGE,
    SPEC_OUT_OF_BOUNDS,
    UNKNOWN_EXPIRY,
    UNKNOWN_UNDERLYING,
    WRONG_DECIMALS,
    Reject,
)
from matching.trading_states import CANCEL_ONLY, OPEN
from settlement.price_reports import (
    NO_EXPIRY_NAMED,
    PriceReport,
    check_report_fields,
    micro_per_lot,
)

Emit = Callable[[events.Event], None]


def report_of(command: ReportPrices) -> PriceReport:
    """The report that was signed."""
    return PriceReport(
        command.underlying,
        command.observed_ms,
        command.decimals,
        command.index_price,
        command.sequence,
        command.expiries,
    )


# ARMING


def set_oracle(state: State, command: SetOracle, emit: Emit) -> None:
    # CHECK
    number = command.underlying
    values = (
        command.quorum,
        command.max_age_s,
        command.deviation_e4,
        command.forward_band_e4,
        command.forward_move_e4,
        command.variance_move_e4,
        command.reporters,
    )
    reject: Reject | None = None
    if number >= len(state.underlyings):
        reject = Reject(UNKNOWN_UNDERLYING, number, len(state.underlyings))
    else:
        field = wrong_field(*values)
        reject = Reject(SPEC_OUT_OF_BOUNDS, field) if field else None
    if reject is not None:
        refuse(emit, reject)
        return
    # EMIT
    emit(events.OracleArmed(number, *values))
    oracle = state.oracles.get(number)
    if command.reporters:
        if oracle is None:
            oracle = state.oracles[number] = Oracle()
        if oracle.terms is None:
            _anchor_marks(state, number, oracle)
        oracle.arm(Terms(*values), state.time_ns)
        _stand(state, number, oracle, emit)
    elif oracle is not None:
        was_lost, lost_s = oracle.is_lost, oracle.lost_s
        oracle.disarm()
        if was_lost:
            state.trading.distrust(number, OPEN)
            emit(events.OracleRecovered(number, 0, 0, lost_s))
    _schedule(state)


def _anchor_marks(state: State, underlying: int, oracle: Oracle) -> None:
    """The marks that the operator left are what the first moves are measured from."""
    marks = state.marks
    for expiry in state.expiries:
        if expiry.underlying.number == underlying and expiry.number in marks.expiry_marks:
            time_s, index = marks.mark_time_s[underlying], marks.index_micro[underlying]
            made = Made(marks.expiry_marks[expiry.number], time_s, index)
            oracle.anchors[expiry.number] = Anchor(made)


# REPORTS


def report_prices(state: State, command: ReportPrices, emit: Emit) -> None:
    # CHECK
    report = _check_report(state, command)
    if isinstance(report, Reject):
        refuse(emit, report, NO_ACCOUNT, command.message_hash)
        return
    # MARGIN: what counts, and whether it is enough
    number = command.underlying
    oracle = state.oracles[number]
    terms = oracle.terms
    assert terms is not None, "only an armed oracle passes the check"
    oracle.take(report)
    dropped: list[events.Event] = []
    _stand(state, number, oracle, dropped.append)
    counting = oracle.counting()
    # EMIT
    emit(
        events.PricesReported(
            number,
            report.reporter,
            report.sequence,
            report.observed_ms,
            report.index_micro,
            len(counting),
        )
    )
    for event in dropped:
        emit(event)
    if len(counting) < terms.quorum:
        _miss(state, number, oracle, emit)
    else:
        _make_marks(state, number, oracle, terms, counting, emit)
        if oracle.is_lost:
            oracle.is_lost = False
            state.trading.distrust(number, OPEN)
            emit(events.OracleRecovered(number, len(counting), terms.quorum, oracle.lost_s))
            oracle.lost_s = 0
    _schedule(state)


def _check_report(state: State, command: ReportPrices) -> Report | Reject:
    number = command.underlying
    if number >= len(state.underlyings):
        return Reject(UNKNOWN_UNDERLYING, number, len(state.underlyings))
    oracle = state.oracles.get(number)
    terms = None if oracle is None else oracle.terms
    if oracle is None or terms is None:
        return Reject(ORACLE_NOT_ARMED, number)
    decimals = terms.reporters.get(command.signer)
    if decimals is None:
        return Reject(NOT_A_REPORTER, number, len(terms.reporters))
    if command.decimals != decimals:
        return Reject(WRONG_DECIMALS, command.decimals, decimals)
    reject = check_report_fields(report_of(command))
    if reject is None:
        reject = _check_time(state, oracle, terms, command)
    if reject is not None:
        return reject
    lot_e8 = state.underlyings[number].lot_e8
    index = micro_per_lot(command.index_price, decimals, lot_e8)
    if check_index(number, index) is not None:
        return Reject(REPORT_OUT_OF_BOUNDS, NO_EXPIRY_NAMED, 0)
    marks: dict[int, ExpiryMark] = {}
    for expiry_number, forward, a, b, rho, m, sigma in command.expiries:
        if expiry_number >= len(state.expiries):
            return Reject(UNKNOWN_EXPIRY, expiry_number, len(state.expiries))
        expiry = state.expiries[expiry_number]
        if expiry.underlying.number != number:
            return Reject(UNKNOWN_EXPIRY, expiry_number, len(state.expiries))
        if expiry.settlement_micro is not None:  # it was settled while the report was under way
            continue
        mark = ExpiryMark(micro_per_lot(forward, decimals, lot_e8), a, b, rho, m, sigma)
        hold = report_hold(
            terms,
            mark,
            index,
            expiry.expiry_time_s <= state.time_s,
            _strikes(state, expiry_number),
        )
        if hold is not None:
            return _refusal(expiry_number, hold)
        marks[expiry_number] = mark
    return Report(command.signer, command.sequence, command.observed_ms, index, marks)


def _check_time(state: State, oracle: Oracle, terms: Terms, command: ReportPrices) -> Reject | None:
    """That it is new, and of now."""
    sequence, observed_ms = oracle.taken.get(command.signer, (-1, 0))
    if command.sequence <= sequence:
        return Reject(REPORT_ALREADY_TAKEN, command.sequence, sequence)
    if command.observed_ms < observed_ms:
        return Reject(REPORT_OLDER, command.observed_ms, observed_ms)
    now_ms = state.time_ns // NS_PER_MS
    if command.observed_ms > now_ms + MAX_AHEAD_MS:
        return Reject(REPORT_FROM_THE_FUTURE, command.observed_ms, now_ms + MAX_AHEAD_MS)
    if command.observed_ms < now_ms - terms.max_age_ms:
        return Reject(REPORT_STALE, command.observed_ms, now_ms - terms.max_age_ms)
    return None


def _refusal(expiry: int, hold: Hold) -> Reject:
    if hold.reason == HELD_OUT_OF_BOUNDS:
        return Reject(REPORT_OUT_OF_BOUNDS, expiry, hold.got)
    if hold.reason == HELD_FORWARD_OFF:
        return Reject(FORWARD_OFF, expiry, hold.got)
    return Reject(SMILE_ARBITRAGE, expiry, hold.got)


def _strikes(state: State, expiry: int) -> Strikes:
    """The strikes listed on an expiry with their logarithms, ascending, each once."""
    ln_strikes = state.marks.ln_strikes_q30(expiry)
    options = [i for i in state.options_by_expiry.get(expiry, ()) if not i.is_linear]
    found: dict[int, int] = {}
    for instrument, ln_strike in zip(options, ln_strikes, strict=True):
        found[instrument.strike_micro] = ln_strike
    return sorted(found.items())


# WHO COUNTS


def _stand(state: State, number: int, oracle: Oracle, emit: Emit) -> None:
    """Works out anew which reports count: the fresh ones within the band around their median."""
    terms, now_ms = oracle.terms, state.time_ns // NS_PER_MS
    assert terms is not None, "only an armed oracle has reports"
    oldest_ms = now_ms - terms.max_age_ms
    fresh = [report for report in oracle.reports.values() if report.observed_ms >= oldest_ms]
    median = lower_median([report.index_micro for report in fresh]) if fresh else 0
    for report in oracle.reports.values():
        if report.observed_ms < oldest_ms:
            _drop(number, report, DROPPED_STALE, report.observed_ms, oldest_ms, emit)
        elif is_outside(report.index_micro, median, terms.deviation_e4):
            _drop(number, report, DROPPED_OUTLIER, report.index_micro, median, emit)
        else:
            report.standing = COUNTS


def _drop(number: int, report: Report, reason: int, got: int, allowed: int, emit: Emit) -> None:
    """Told once, not at every look."""
    if report.standing != reason:
        report.standing = reason
        emit(events.ReportDropped(number, report.reporter, report.sequence, reason, got, allowed))


def _miss(state: State, number: int, oracle: Oracle, emit: Emit) -> None:
    """Too few count: the underlying takes cancels alone, once the quorum's time to come is over."""
    terms = oracle.terms
    assert terms is not None, "only an armed oracle misses a quorum"
    if oracle.is_lost or state.time_ns <= oracle.patience_ns:
        return
    oracle.is_lost = True
    oracle.lost_s = state.time_s
    state.trading.distrust(number, CANCEL_ONLY)
    newest_ms = max([report.observed_ms for report in oracle.reports.values()], default=0)
    emit(events.OracleLost(number, len(oracle.counting()), terms.quorum, newest_ms))


def watch_quorums(state: State, emit: Emit) -> None:
    """Looks at the oracles that are due: reports have gone stale since the last command."""
    for number, oracle in sorted(state.oracles.items()):
        if oracle.due_ns <= state.time_ns and oracle.terms is not None:
            _stand(state, number, oracle, emit)
            if len(oracle.counting()) < oracle.terms.quorum:
                _miss(state, number, oracle, emit)
    _schedule(state)


def _schedule(state: State) -> None:
    due = NEVER_NS
    for oracle in state.oracles.values():
        if oracle.terms is not None:
            oracle.look_ahead(state.time_ns)
        due = min(due, oracle.due_ns)
    state.oracle_due_ns = due


# MARKS


def _make_marks(
    state: State, number: int, oracle: Oracle, terms: Terms, counting: list[Report], emit: Emit
) -> None:
    """One update of the marks from the reports that count; of what may not be taken the smile
    stays, and is told, and the forward goes with the index, as of expiries that nobody names.
    """
    index = lower_median([report.index_micro for report in counting])
    standing = _carried(state, number, oracle, index)
    proposed: dict[int, ExpiryMark] = {}
    for expiry in _named(state, counting):
        marks = [r.marks[expiry.number] for r in counting if expiry.number in r.marks]
        if len(marks) < terms.quorum:
            hold: Hold | None = Hold(HELD_TOO_FEW, len(marks), terms.quorum)
        else:
            proposed[expiry.number] = medoid(marks)
            hold = judge(
                terms,
                proposed[expiry.number],
                index,
                oracle.anchors.get(expiry.number),
                state.time_s,
                expiry.expiry_time_s,
                _strikes(state, expiry.number),
            )
        if hold is not None:
            proposed.pop(expiry.number, None)
            emit(events.ExpiryHeld(number, expiry.number, *hold))
    chain = _chain(state, number, oracle, terms, proposed, standing)
    for held, hold in judge_calendar(chain).items():
        del proposed[held]
        emit(events.ExpiryHeld(number, held, *hold))
    for expiry_number, mark in proposed.items():
        made = Made(mark, state.time_s, index)
        anchor = oracle.anchors.get(expiry_number)
        if anchor is None:
            oracle.anchors[expiry_number] = Anchor(made)
        else:
            anchor.follow(made, terms.max_age_s)
    for expiry_number, mark in standing.items():
        if expiry_number not in proposed and mark != state.marks.expiry_marks[expiry_number]:
            proposed[expiry_number] = mark  # its anchor stays: the mark is as old as it was
    updates = [
        (at, mark.forward_micro, mark.a, mark.b, mark.rho, mark.m, mark.sigma)
        for at, mark in sorted(proposed.items())
    ]
    apply_marks(state, number, index, updates, emit)


def _carried(state: State, number: int, oracle: Oracle, index_micro: int) -> dict[int, ExpiryMark]:
    """What stands of the underlying's open expiries where no report changes it, by number."""
    found: dict[int, ExpiryMark] = {}
    for expiry in state.expiries:
        if expiry.underlying.number != number or expiry.expiry_time_s <= state.time_s:
            continue
        mark = state.marks.expiry_marks.get(expiry.number)
        anchor = oracle.anchors.get(expiry.number)
        if mark is not None and anchor is not None:
            strikes = _strikes(state, expiry.number)
            found[expiry.number] = carried(anchor.made, index_micro, strikes) or mark
    return found


def _named(state: State, counting: list[Report]) -> list[Expiry]:
    """The expiries that the reports name and that are not settled, by number."""
    numbers = {expiry: True for report in counting for expiry in report.marks}
    found = [state.expiries[expiry] for expiry in sorted(numbers)]
    return [expiry for expiry in found if expiry.settlement_micro is None]


def _chain(
    state: State,
    number: int,
    oracle: Oracle,
    terms: Terms,
    proposed: dict[int, ExpiryMark],
    standing: dict[int, ExpiryMark],
) -> list[Place]:
    """The underlying's expiries that have a smile, by their time."""
    chain: list[Place] = []
    for expiry in state.expiries:
        is_over = expiry.settlement_micro is not None or expiry.expiry_time_s <= state.time_s
        if expiry.underlying.number != number or is_over:
            continue
        in_force = None
        if is_fresh(oracle.anchors.get(expiry.number), terms, state.time_s):
            in_force = standing.get(expiry.number)
        mark = proposed.get(expiry.number)
        if mark is not None or in_force is not None:
            strikes = _strikes(state, expiry.number)
            chain.append(Place(expiry.number, expiry.expiry_time_s, strikes, mark, in_force))
    return sorted(chain, key=lambda place: (place.expiry_time_s, place.number))
