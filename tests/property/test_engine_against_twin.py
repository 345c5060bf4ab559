"""The engine beside the exchange as one would explain it (`tests/model/exchange.py`): for orders of
single instruments, both give the same fills, rejects, cancels and settlements, event by event.
"""

from hypothesis import settings

from exchange import commands as c
from exchange.commands import Command
from exchange.events import Event
from tests.floor import Floor
from tests.model.exchange import Exchange
from tests.property.trading import Trading

FOUNDING = (c.Genesis, c.ListUnderlying, c.ListExpiry, c.ListInstrument)


class FloorWithTwin(Floor):
    """A floor that asks the twin as well."""

    def __init__(self) -> None:
        super().__init__()
        self.twin = Exchange()

    def _apply(self, command: Command) -> tuple[Event, ...]:
        events = super()._apply(command)
        if isinstance(command, FOUNDING):
            self.twin.marks.take(command)
            return events
        expected = self.twin.apply(command)
        assert list(events) == expected, f"after {command}"
        for number, member in enumerate(self.twin.members):
            account = self.account(number)
            assert account.cash_micro == member.cash_micro
            held = {n: p.quantity_lots for n, p in account.positions.items()}
            assert held == {n: position.lots for n, position in member.held.items()}
        return events


class TwoExchanges(Trading):
    def new_floor(self) -> Floor:
        return FloorWithTwin()


TwoExchanges.TestCase.settings = settings(stateful_step_count=40)
TestTheEngineAndItsTwin = TwoExchanges.TestCase
