"""Random lives of an exchange whose states change under it: nothing trades where nothing may.

Holds: what is in force is worked out here from the events alone, by another way than the engine's.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from exchange import commands as c
from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from matching.combos import COMBO_BASE
from matching.orders import POST_ONLY
from matching.trading_states import (
    CANCEL_ONLY,
    HALTED,
    OPEN,
    POST_ONLY_STATE,
    PRE_OPEN,
    STATE_NAMES,
)
from tests.floor import LISTINGS, Floor, of_type
from tests.property.trading import WholeExchange

LETS_NO_ORDER_IN = range(209, 214)


class StateFloor(Floor):
    """A floor that keeps every scope's state as words are spoken, and judges each answer by it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[tuple[int, int], int] = {}
        self.asked: dict[int, int] = {}

    def in_force(self, number: int) -> int:
        instrument = self.state.instruments[number]
        underlying = instrument.underlying.number
        return max(
            self.said.get((0, 0), 0),
            self.said.get((1, underlying), 0),
            self.said.get((2, number), 0),
            self.asked.get(underlying, 0),
        )

    def _apply(self, command: Command) -> tuple[Event, ...]:
        states = [self.in_force(number) for number in range(len(self.state.instruments))]
        live = dict(self.state.orders)
        happened = super()._apply(command)
        for event in happened:
            if isinstance(event, e.TradingStateChanged):
                assert event.before == self.said.get((event.scope, event.number), OPEN)
                self.said[event.scope, event.number] = event.state
            elif isinstance(event, e.BreakerTripped):
                self.asked[event.underlying] = event.state
            elif isinstance(event, e.BreakerReleased):
                self.asked[event.underlying] = OPEN
        if isinstance(command, c.PlaceOrder):
            self._judge(command, happened, states, [*live])
        elif isinstance(command, c.CancelOrder | c.CancelAllOrders):
            for refused in of_type(happened, e.CommandRejected):
                assert refused.code not in LETS_NO_ORDER_IN
        else:
            assert not of_type(happened, e.OrderFilled)
        return happened

    def _judge(
        self,
        command: c.PlaceOrder,
        happened: tuple[Event, ...],
        states: list[int],
        live: list[bytes],
    ) -> None:
        order = command.order
        worst = max((states[number] for number, _ in order.legs), default=OPEN)
        if worst:
            assert not of_type(happened, e.OrderFilled), f"a trade in {STATE_NAMES[worst]}"
        for fill in of_type(happened, e.OrderFilled):
            assert states[fill.instrument] == OPEN
        if of_type(happened, e.OrderRested):
            replaces = order.replaces in live
            assert worst < HALTED
            assert worst < CANCEL_ONLY or replaces
            assert worst < POST_ONLY_STATE or order.flags & POST_ONLY or replaces
        for refused in of_type(happened, e.CommandRejected):
            assert refused.code not in LETS_NO_ORDER_IN or worst
        books = self.state.books.items()
        if worst == PRE_OPEN:
            for number, book in books:
                bid, ask = book.bids.best, book.asks.best
                if number < COMBO_BASE and bid and ask:
                    assert bid.key < -ask.key, "a crossed book before the opening"


class StatesChange(WholeExchange):
    def new_floor(self) -> Floor:
        return StateFloor()

    @rule(
        scope=st.sampled_from((0, 1, 1, 2, 2, 2)),
        number=st.integers(0, len(LISTINGS)),
        state=st.sampled_from((OPEN, OPEN, OPEN, PRE_OPEN, POST_ONLY_STATE, CANCEL_ONLY, HALTED)),
    )
    def say(self, scope: int, number: int, state: int) -> None:
        self.floor.set_state(state, scope, number * (scope > 0) % (3 if scope == 1 else 99))

    @rule(
        underlying=st.integers(0, 1),
        thresholds=st.lists(st.integers(100, 4_000), max_size=3, unique=True),
        state=st.sampled_from((POST_ONLY_STATE, CANCEL_ONLY)),
        minimum=st.sampled_from((0, 30, 3_600)),
    )
    def arm(self, underlying: int, thresholds: list[int], state: int, minimum: int) -> None:
        levels = [(threshold, state, minimum) for threshold in sorted(thresholds)]
        self.floor.arm(levels, underlying=underlying)


StatesChange.TestCase.settings = settings(stateful_step_count=40, max_examples=50)
TestNothingTradesWhereNothingMay = StatesChange.TestCase
