"""Triggers, one-triggers-other and one-cancels-other beside their slow twin, event by event.

The twin (`tests/model/waiting.py`) reads its own events and looks at every waiting order again; the
engine keeps sorted lists. Both live random lives with the same commands, and at the end the journal
is replayed. Few wakes are allowed in a command, so that what is left for the next is met often.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from exchange.events import OrderPlaced
from exchange.invariants import check
from exchange.state_digest import state_hash
from settlement.signed_messages import NO_ORDER, OF_ALL, OF_LABEL, Conditions
from tests.floor import Floor, of_type
from tests.model.waiting import WaitingExchange
from tests.property.test_engine_against_twin import FloorWithTwin
from tests.property.trading import SINGLES, Terms, Trading, accounts, lots, recent, sides, terms

FEW_WAKES = 3


class FloorWithWaitingTwin(FloorWithTwin):
    def __init__(self) -> None:
        super().__init__()
        self.twin = WaitingExchange(FEW_WAKES)
        self.state.waiting.most_wakes = FEW_WAKES

    def replay(self) -> Floor:
        return self.replay_on(_few_wakes(Floor(watched=False)))


def _few_wakes(floor: Floor) -> Floor:
    floor.state.waiting.most_wakes = FEW_WAKES
    return floor


class WaitingLife(Trading):
    def new_floor(self) -> Floor:
        return FloorWithWaitingTwin()

    def teardown(self) -> None:
        floor = self.floor
        assert check(floor.state) == []
        twin = floor.replay()
        assert twin.events == floor.events
        assert state_hash(twin.state) == state_hash(floor.state)

    def wait(
        self,
        account: int,
        side: int,
        number: int,
        permille: int,
        lots: int,
        terms: Terms,
        conditions: Conditions,
    ) -> None:
        legs = SINGLES[number]
        events = self.floor.submit(
            self.floor.sign(
                account,
                side,
                self.net_price(legs, permille),
                lots,
                legs,
                time_in_force=terms.time_in_force,
                flags=terms._replace(self_trade=0).flags(),
                max_fee_micro=terms.max_fee_micro,
                life_s=terms.life_s,
                replaces=self.named(terms.replaces),
                conditions=conditions._replace(display_lots=terms.conditions(lots).display_lots),
            )
        )
        self.hashes += [event.order_hash for event in of_type(events, OrderPlaced)]

    @rule(
        account=accounts,
        side=sides,
        number=st.sampled_from((0, 0, 2, 2, 3, 7)),
        permille=st.sampled_from((-30, -5, 0, 5, 30)),
        lots=lots,
        terms=terms,
        trigger=st.integers(1, 6),
        away=st.sampled_from((-200, -40, -10, -2, 0, 2, 10, 40, 200)),
        group=st.sampled_from((0, 0, 1, 2)),
        label=st.integers(0, 1),
    )
    def stop(
        self,
        account: int,
        side: int,
        number: int,
        permille: int,
        lots: int,
        terms: Terms,
        trigger: int,
        away: int,
        group: int,
        label: int,
    ) -> None:
        marks = self.floor.state.marks
        listed = self.floor.state.instruments[number]
        near = marks.mark_micro(listed)
        if trigger in (3, 4):
            near = marks.index_micro[listed.underlying.number]
        price = max(1, near + near * away // 1_000)
        conditions = Conditions(
            trigger=trigger, trigger_price_micro=price, oco_group=group, label=label
        )
        self.wait(account, side, number, permille, lots, terms, conditions)

    @rule(
        account=accounts,
        side=sides,
        number=st.sampled_from((2, 2, 3)),
        trigger=st.integers(1, 6),
        away=st.sampled_from((5, 20, 40)),
        group=st.sampled_from((0, 0, 1)),
    )
    def many_stops(
        self, account: int, side: int, number: int, trigger: int, away: int, group: int
    ) -> None:
        """Near each other, at prices that trade at once."""
        toward = away if trigger % 2 else -away
        for place in range(5):
            self.stop(
                account=(account + place) % 4,
                side=(side + place // 3) % 2,
                number=number,
                permille=30 - 60 * ((side + place // 3) % 2),
                lots=1 + place,
                terms=Terms(),
                trigger=trigger,
                away=toward + place % 3,
                group=group,
                label=0,
            )

    @rule(
        side=sides,
        number=st.sampled_from((0, 2, 2, 3)),
        permille=st.sampled_from((-30, -5, 5, 30)),
        lots=lots,
        terms=terms,
        back=recent,
        is_mine=st.integers(0, 5),
        trigger=st.sampled_from((0, 0, 1, 4, 5)),
        away=st.sampled_from((-40, -2, 2, 40)),
        group=st.sampled_from((0, 0, 1, 2)),
    )
    def bracket(
        self,
        side: int,
        number: int,
        permille: int,
        lots: int,
        terms: Terms,
        back: int,
        is_mine: int,
        trigger: int,
        away: int,
        group: int,
    ) -> None:
        parent = self.named(back)
        state = self.floor.state
        found = state.orders.get(parent)
        asleep = state.waiting.by_hash.get(parent)
        if found is None and asleep is not None:
            found = asleep.order
        account = found.account if found is not None and is_mine else is_mine % 4
        near = state.marks.mark_micro(state.instruments[number])
        price = max(1, near + near * away // 1_000) if trigger else 0
        conditions = Conditions(
            trigger=trigger,
            trigger_price_micro=price,
            parent=parent if parent != NO_ORDER else b"\x11" * 32,
            oco_group=group,
        )
        self.wait(account, side, number, permille, lots, terms, conditions)

    @rule(
        account=accounts,
        pick=st.integers(0, 8),
        part=st.integers(50, 200),
        away=st.sampled_from((2, 10, 40)),
        group=st.integers(0, 2),
    )
    def protect_a_position(self, account: int, pick: int, part: int, away: int, group: int) -> None:
        """A target and a stop around one of the account's positions, both reduce-only."""
        positions = self.floor.account(account).positions
        if not positions:
            return
        number = list(positions)[pick % len(positions)]
        held = positions[number].quantity_lots
        side, sign = (1, 1) if held > 0 else (0, -1)
        lots, terms = max(abs(held) * part // 100, 1), Terms(is_reduce_only=True)
        near = self.floor.state.marks.mark_micro(self.floor.state.instruments[number])
        stop = Conditions(
            trigger=2 if side else 1,
            trigger_price_micro=max(1, near - sign * near * away // 1_000),
            oco_group=group,
        )
        self.wait(account, side, number, -30 * sign, lots, terms, stop)
        target = Conditions(oco_group=group)
        self.wait(account, side, number, away * sign, lots, terms, target)

    @rule(
        account=accounts,
        side=sides,
        permille=st.sampled_from((-3, 3, 10)),
        lots=lots,
        group=st.integers(1, 2),
    )
    def group(self, account: int, side: int, permille: int, lots: int, group: int) -> None:
        self.wait(account, side, 2, permille, lots, Terms(), Conditions(oco_group=group))

    @rule(account=accounts, is_all=st.booleans(), rather_not=st.integers(0, 2))
    def cancel_where(self, account: int, is_all: bool, rather_not: int) -> None:
        if not rather_not:
            self.floor.cancel_where(account, OF_ALL if is_all else OF_LABEL, 0 if is_all else 1)


WaitingLife.TestCase.settings = settings(stateful_step_count=40)
TestWaitingOrdersAndTheirTwin = WaitingLife.TestCase
