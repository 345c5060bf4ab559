"""Random lives of an exchange: every command in any order, and what must hold after each.

The floor (`tests/floor.py`) checks after every command: the invariants from scratch, that a refused
command leaves no trace, and that no command but a mark lowers a margin excess below zero. At the
end a batch is cut, so that the ledger's root stands where the engine does, the marks and margins
are held against their slow twin, and the journal is replayed on a fresh engine.
"""

from hypothesis import settings

from exchange.invariants import check, excess_micro, owed_micro
from exchange.state_digest import state_hash
from tests.floor import Floor
from tests.model.portfolio import PlainMarks
from tests.property.trading import WholeExchange


class Life(WholeExchange):
    def teardown(self) -> None:
        floor = self.floor
        if floor.state.ledger is None:
            return
        floor.cut()
        assert check(floor.state) == []
        assert not floor.state.groups
        credited = floor.state.credited_micro
        assert owed_micro(floor.state) + floor.state.withdrawn_micro == credited
        assert_marks_and_margins_are_the_twins(floor)
        twin = floor.replay()
        assert twin.events == floor.events
        assert state_hash(twin.state) == state_hash(floor.state)


def assert_marks_and_margins_are_the_twins(floor: Floor) -> None:
    marks = PlainMarks()
    for command in floor.accepted:
        marks.take(command)
    for listed in floor.state.instruments:
        number = listed.number
        assert floor.state.marks.values[number].tolist() == marks.values(number)
        assert floor.state.marks.accrual_micro[number] == marks.instruments[number].accrual_micro
        assert floor.state.marks.offset_micro[number] == marks.offset_micro(number)
    for account in floor.state.accounts.values():
        portfolio = floor.state.portfolio
        assert portfolio.excess_micro(account) == excess_micro(floor.state, account)
        broken_down, required = portfolio.breakdown(account), portfolio.requirement(account)
        standing = portfolio.scan_standing(account)
        assert broken_down.excess_micro == required.excess_micro
        assert broken_down.equity_micro == required.equity_micro == standing.equity_micro
        assert broken_down.maintenance_micro == required.maintenance_micro
        assert required.maintenance_micro == standing.maintenance_micro
        assert broken_down.initial_micro == required.initial_micro


Life.TestCase.settings = settings(stateful_step_count=50)
TestALifeOfTheExchange = Life.TestCase
