"""What an underlying's oracle remembers between commands, and when it must be looked at again.

Holds: the newest report of each reporter that its present terms name; the last sequence of every
reporter that it ever had, so that no report is taken twice, whoever is registered meanwhile;
`due_ns` is the first moment at which a report goes stale, or at which the patience after arming
ends, and nothing changes before it unless a command comes.
Never: reads a clock; makes a mark (`handlers/oracle.py` does).
"""

from typing import Final, NamedTuple

from exchange.oracle.terms import Terms
from margin.svi import ExpiryMark

NEVER_NS: Final = 1 << 62
NS_PER_MS: Final = 1_000_000
COUNTS: Final = 0
"""The standing of a report that counts; else one of `events.REPORT_REASONS`."""


class Report:
    """A report that was taken, in micro-USDC per lot. `standing` is COUNTS or why it does not."""

    __slots__ = ("index_micro", "marks", "observed_ms", "reporter", "sequence", "standing")

    def __init__(
        self,
        reporter: bytes,
        sequence: int,
        observed_ms: int,
        index_micro: int,
        marks: dict[int, ExpiryMark],
    ) -> None:
        self.reporter = reporter
        self.sequence = sequence
        self.observed_ms = observed_ms
        self.index_micro = index_micro
        self.marks = marks
        self.standing = COUNTS


class Made(NamedTuple):
    """A mark, when it was made and beside which index."""

    mark: ExpiryMark
    time_s: int
    index_micro: int


class Anchor:
    """What moves of an expiry's mark are measured from. `made` is the mark in force; `start` the
    one that was when the present window began, at `window_s`. All that comes within `max_age_s` of
    that is held against `start`, so that a bound is of time and not of how often is reported; what
    comes later is held against the mark in force, and begins a window if it is taken.
    """

    __slots__ = ("made", "patience", "start", "window_s")

    def __init__(self, made: Made) -> None:
        self.made = made
        self.start = made
        self.patience = 1
        """How many times the bound the present window may take."""
        self.window_s = made.time_s

    def reference(self, time_s: int, max_age_s: int) -> tuple[Made, int]:
        """The mark that a move is measured from at a time, and how many times the bound it may
        take: once for every `max_age_s` since the last window began, so in any time no more than
        one and as many times as `max_age_s` is in it.
        """
        windows = max(time_s - self.window_s, 0) // max_age_s
        return (self.made, windows) if windows else (self.start, self.patience)

    def follow(self, made: Made, max_age_s: int) -> None:
        """Takes a new mark in force."""
        windows = max(made.time_s - self.window_s, 0) // max_age_s
        if windows:
            self.start, self.patience, self.window_s = self.made, windows, made.time_s
        self.made = made


class Oracle:
    """The oracle of one underlying; disarmed while `terms` is None."""

    __slots__ = (
        "anchors",
        "due_ns",
        "is_lost",
        "lost_s",
        "patience_ns",
        "reports",
        "taken",
        "terms",
    )

    def __init__(self) -> None:
        self.terms: Terms | None = None
        self.reports: dict[bytes, Report] = {}
        self.taken: dict[bytes, tuple[int, int]] = {}
        """(sequence, observed_ms) of the last report of each reporter."""
        self.anchors: dict[int, Anchor] = {}
        self.is_lost = False
        self.lost_s = 0
        self.patience_ns = 0
        """Until then a quorum that never was is not missed."""
        self.due_ns = NEVER_NS

    def arm(self, terms: Terms, time_ns: int) -> None:
        """Takes new terms. Reports of those who are still registered, with the same decimals, stay;
        the quorum has `max_age_s` to come together.
        """
        before = self.terms.reporters if self.terms is not None else {}
        self.reports = {
            reporter: report
            for reporter, report in self.reports.items()
            if reporter in terms.reporters and before.get(reporter) == terms.reporters[reporter]
        }
        self.terms = terms
        self.patience_ns = time_ns + terms.max_age_ms * NS_PER_MS

    def disarm(self) -> None:
        """Forgets all but which reports were taken."""
        self.terms = None
        self.reports = {}
        self.anchors = {}
        self.is_lost = False
        self.lost_s = 0
        self.patience_ns = 0
        self.due_ns = NEVER_NS

    def take(self, report: Report) -> None:
        """Keeps a report in the place of its reporter's last one."""
        self.reports.pop(report.reporter, None)  # whoever reported last stands last
        self.reports[report.reporter] = report
        self.taken[report.reporter] = (report.sequence, report.observed_ms)

    def counting(self) -> list[Report]:
        """The reports that count."""
        return [report for report in self.reports.values() if report.standing == COUNTS]

    def stale_ns(self, report: Report) -> int:
        """The first moment at which a report is stale."""
        assert self.terms is not None, "an oracle that has reports is armed"
        return (report.observed_ms + self.terms.max_age_ms + 1) * NS_PER_MS

    def look_ahead(self, time_ns: int) -> None:
        """Works out `due_ns`, as of now."""
        due = NEVER_NS
        for report in self.reports.values():
            at = self.stale_ns(report)
            if time_ns < at < due:
                due = at
        if not self.is_lost and time_ns <= self.patience_ns < due:
            due = self.patience_ns + 1
        self.due_ns = due

    def shape(self) -> tuple[object, ...]:
        """All that a later command can see, for the state's digest."""
        terms = None if self.terms is None else self.terms.shape()
        reports = [
            (
                r.reporter,
                r.sequence,
                r.observed_ms,
                r.index_micro,
                r.standing,
                list(r.marks.items()),
            )
            for r in self.reports.values()
        ]
        anchors = [
            (n, a.made, a.start, a.patience, a.window_s) for n, a in sorted(self.anchors.items())
        ]
        return (
            terms,
            reports,
            sorted(self.taken.items()),
            anchors,
            (self.is_lost, self.lost_s, self.patience_ns, self.due_ns),
        )
