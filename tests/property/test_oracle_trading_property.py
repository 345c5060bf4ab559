"""Random lives of an exchange that reporters mark: trades, margin and records hold whatever is
reported, and nothing trades while an oracle is without its quorum.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from exchange.events import Event, OracleLost, OracleRecovered, OrderFilled, OrderRested
from matching.trading_states import CANCEL_ONLY, OPEN
from tests.floor import BTC_INDEX, Floor
from tests.property.trading import WholeExchange
from tests.reporting import ANNA, BERT, CARA, arm, disarm, report, usual_marks


class OracleFloor(Floor):
    """A floor that knows from the events alone whether BTC's oracle is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.is_lost = False

    def _apply(self, command: object) -> tuple[Event, ...]:
        happened = super()._apply(command)  # type: ignore[arg-type]
        for event in happened:
            if isinstance(event, OracleLost):
                self.is_lost = True
            elif isinstance(event, OracleRecovered):
                self.is_lost = False
            elif isinstance(event, OrderFilled | OrderRested) and self.is_lost:
                number = event.instrument if isinstance(event, OrderFilled) else event.book
                instruments = self.state.instruments
                assert (
                    number >= len(instruments)
                    or instruments[number].underlying.number != 0
                    or (isinstance(event, OrderRested) and event.takes_place_of)
                ), f"{event} while the oracle is lost"
        return happened


class ReportersMark(WholeExchange):
    def new_floor(self) -> Floor:
        return OracleFloor()

    @rule(quorum=st.integers(0, 3))
    def set_oracle(self, quorum: int) -> None:
        if quorum:
            arm(self.floor, quorum=quorum)
        else:
            disarm(self.floor)

    @rule(
        reporter=st.sampled_from((ANNA, BERT, CARA)),
        permille=st.one_of(st.integers(-8, 8), st.sampled_from((-400, 500))),
        with_expiries=st.booleans(),
    )
    def report(self, reporter: bytes, permille: int, with_expiries: bool) -> None:
        index = BTC_INDEX // 1_000 * (1_000 + permille)
        marks = usual_marks(self.floor, index) if with_expiries else {}
        self.floor.send(report(self.floor, reporter, index // 100 * 100, marks))

    @rule(permille=st.integers(-5, 5))
    def report_all(self, permille: int) -> None:
        index = BTC_INDEX // 1_000 * (1_000 + permille) // 100 * 100
        marks = usual_marks(self.floor, index)
        for reporter in (ANNA, BERT, CARA):
            self.floor.send(report(self.floor, reporter, index, marks))

    @invariant()
    def a_lost_oracle_asks_for_cancels_alone(self) -> None:
        asked = self.floor.state.trading.by_oracle.get(0, OPEN)
        is_lost = isinstance(self.floor, OracleFloor) and self.floor.is_lost
        assert asked == (CANCEL_ONLY if is_lost else OPEN)


ReportersMark.TestCase.settings = settings(stateful_step_count=25, max_examples=12)
TestReportersMark = ReportersMark.TestCase


def test_the_journal_of_a_life_with_an_oracle_replays() -> None:
    life = ReportersMark()
    life.open()
    life.set_oracle(2)
    life.report_all(1)
    life.pass_time(61)
    life.report(ANNA, 2, True)
    life.report_all(2)
    again = life.floor.replay_on(Floor(watched=False))
    assert again.events == life.floor.events
