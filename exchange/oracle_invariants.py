"""What must hold of the oracles after every command, said a second time and slowly.

Holds: named by underlying and what differs.
Never: changes the state.
"""

from collections.abc import Iterator

from exchange.oracle.oracle import COUNTS, NEVER_NS, NS_PER_MS, Oracle
from exchange.oracle.terms import MAX_AHEAD_MS, Terms
from exchange.state import State
from matching.trading_states import CANCEL_ONLY


def broken_oracles(state: State) -> Iterator[str]:
    """What is broken about oracles, their due times and the states that they ask for."""
    lost = {number: CANCEL_ONLY for number, oracle in state.oracles.items() if oracle.is_lost}
    if lost != state.trading.by_oracle:
        yield f"oracles: lost {lost}, and states asked for {state.trading.by_oracle}"
    dues = [NEVER_NS]
    for number, oracle in state.oracles.items():
        here = f"oracle {number}"
        dues.append(oracle.due_ns)
        if oracle.terms is None:
            left = (oracle.reports, oracle.anchors, oracle.is_lost, oracle.due_ns)
            if left != ({}, {}, False, NEVER_NS):
                yield f"{here}: disarmed, and left {left}"
            continue
        yield from _reports(here, state, oracle, oracle.terms)
        for expiry, anchor in oracle.anchors.items():
            mark = state.marks.expiry_marks.get(expiry)
            if mark is None or mark[1:] != anchor.made.mark[1:]:  # the forward goes with the index
                yield f"{here}: expiry {expiry} has an anchor that is not of its smile"
            if not anchor.start.time_s <= anchor.window_s <= anchor.made.time_s <= state.time_s:
                yield f"{here}: expiry {expiry} has a window that is out of order"
    if state.oracle_due_ns != min(dues):
        yield f"oracles: due at {state.oracle_due_ns}, the first is {min(dues)}"


def _reports(here: str, state: State, oracle: Oracle, terms: Terms) -> Iterator[str]:
    now_ms = state.time_ns // NS_PER_MS
    counting = [r.index_micro for r in oracle.reports.values() if r.standing == COUNTS]
    for reporter, report in oracle.reports.items():
        if reporter != report.reporter or reporter not in terms.reporters:
            yield f"{here}: a report of {reporter.hex()}, who is no reporter"
        if oracle.taken.get(reporter) != (report.sequence, report.observed_ms):
            yield f"{here}: another report of {reporter.hex()} was taken last"
        age_ms = now_ms - report.observed_ms
        if age_ms < -MAX_AHEAD_MS or (report.standing == COUNTS and age_ms > terms.max_age_ms):
            yield f"{here}: a report of {reporter.hex()} is {age_ms} ms old, and counts"
    if counting and (max(counting) - min(counting)) * 10_000 > (
        2 * terms.deviation_e4 * max(counting)
    ):
        yield f"{here}: reports that count lie from {min(counting)} to {max(counting)}"
    if len(counting) < terms.quorum and not oracle.is_lost and state.time_ns > oracle.patience_ns:
        yield f"{here}: {len(counting)} of {terms.quorum} count, and it is not lost"
    if state.time_ns >= oracle.due_ns:
        yield f"{here}: was due at {oracle.due_ns}"
