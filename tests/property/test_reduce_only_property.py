"""Reduce-only orders in random lives: no fill of one ever grows its account's position or turns
it, whoever meets it and in which way.

The watch keeps positions from events alone, fill by fill, so that a position that grows and shrinks
again within a command is seen too. The floor checks besides, after each command, that what rests
still has a position to reduce, and that no account's margin fell below zero by a fill that margin
had not counted ahead.
"""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import commands as c
from exchange.commands import Command
from exchange.events import Event, OrderFilled, PositionSettled
from exchange.state_digest import state_hash
from matching.orders import BUY, FOK, GTC, IOC, REDUCE_ONLY, SELL
from settlement.signed_messages import Conditions
from tests.floor import BTC_INDEX, CALL_90, CALL_100, PERP, PUT_90, Floor, open_floor
from tests.property.trading import WholeExchange

SPREAD, RATIO = ((CALL_90, 1), (CALL_100, -1)), ((CALL_90, 2), (CALL_100, -3))
COMBOS = (SPREAD, SPREAD, RATIO, ((CALL_90, 1), (PUT_90, 1)), ((PERP, 1), (CALL_90, 1)))


class Watch(Floor):
    """A floor that follows every reduce-only order through its fills."""

    def __init__(self, *, watched: bool = True) -> None:
        super().__init__(watched=watched)
        self.held: dict[tuple[int, int], int] = {}
        self.reduce_only: set[bytes] = set()
        self.met = 0

    def _apply(self, command: Command) -> tuple[Event, ...]:
        if isinstance(command, c.PlaceOrder) and command.order.flags & REDUCE_ONLY:
            self.reduce_only.add(command.order_hash)
        events = super()._apply(command)
        for event in events:
            if isinstance(event, OrderFilled):
                self.follow(event)
            elif isinstance(event, PositionSettled) and event.closed:
                self.held.pop((event.account, event.instrument), None)
        found = {
            (account.number, number): position.quantity_lots
            for account in self.state.accounts.values()
            for number, position in account.positions.items()
        }
        assert found == {key: lots for key, lots in self.held.items() if lots}
        return events

    def follow(self, fill: OrderFilled) -> None:
        lots = fill.quantity_lots if fill.taker_buys else -fill.quantity_lots
        for account, order_hash, signed in (
            (fill.taker, fill.taker_order_hash, lots),
            (fill.maker, fill.maker_order_hash, -lots),
        ):
            key = account, fill.instrument
            before = self.held.get(key, 0)
            self.held[key] = before + signed
            if order_hash in self.reduce_only:
                self.met += 1
                assert abs(before + signed) == abs(before) - fill.quantity_lots


class ReduceOnlyLife(WholeExchange):
    def new_floor(self) -> Floor:
        return Watch()


ReduceOnlyLife.TestCase.settings = settings(
    max_examples=max(settings().max_examples // 4, 1), stateful_step_count=40
)
TestNoReduceOnlyFillGrowsAPosition = ReduceOnlyLife.TestCase


class Crowd:
    """Five accounts of their own owners in a few books of a few prices, most orders reduce-only,
    with stops and protection, and combos through which they meet.
    """

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        floor = open_floor(0, floor=Watch())
        assert isinstance(floor, Watch)
        self.floor = floor
        for _ in range(5):
            floor.open_account(10**12)
        floor.protect(0, lots=9, window_ms=1_000, frozen_ms=1_000)

    def price(self, number: int, away: int) -> int:
        tick = self.floor.state.instruments[number].tick_value_micro
        return self.floor.near(number) + 20 * tick * away

    def reduce(self) -> None:
        dice, floor = self.dice, self.floor
        held = [(key, lots) for key, lots in floor.held.items() if lots]
        if not held:
            return self.trade()
        (account, number), lots = dice.choice(held)
        side = SELL if lots > 0 else BUY
        trigger = dice.choice((0, 0, 0, 5, 6))
        price = self.price(number, dice.randint(-3, 3))
        conditions = Conditions(
            trigger=trigger,
            trigger_price_micro=price if trigger else 0,
            oco_group=dice.choice((0, 0, 1)),
            protection=0 if account else dice.choice((0, 1)),
        )
        floor.submit(
            floor.sign(
                account,
                side,
                self.price(number, dice.randint(-3, 3)),
                max(1, abs(lots) * dice.randint(1, 30) // 10),
                number,
                time_in_force=dice.choice((GTC, GTC, GTC, IOC, FOK)),
                flags=REDUCE_ONLY,
                conditions=conditions,
            )
        )
        return None

    def trade(self) -> None:
        dice, number = self.dice, self.dice.choice((PERP, CALL_90, CALL_90, CALL_100, PUT_90))
        account, side = dice.randint(0, 4), dice.choice((BUY, SELL))
        price = self.price(number, dice.randint(-3, 3))
        self.floor.submit(self.floor.sign(account, side, price, dice.randint(1, 9), number))

    def trade_a_combo(self) -> None:
        dice, legs = self.dice, self.dice.choice(COMBOS)
        account, side = dice.randint(0, 4), dice.choice((BUY, SELL))
        middle = sum(ratio * self.floor.near(number) for number, ratio in legs)
        width = sum(abs(ratio) for _, ratio in legs) * 200_000
        price = (middle + width * dice.randint(-3, 3)) // 10_000 * 10_000
        self.floor.submit(self.floor.sign(account, side, price, dice.randint(1, 5), legs))

    def act(self) -> None:
        what = (self.reduce, self.reduce, self.reduce, self.trade, self.trade, self.trade_a_combo)
        self.dice.choice(what)()
        if self.dice.random() < 0.05:
            self.floor.mark(0, BTC_INDEX + self.dice.randint(-100, 100) * 10_000)


@settings(max_examples=max(settings().max_examples // 2, 1))
@given(seed=st.integers(0, 1 << 64), acts=st.integers(20, 60))
def test_no_way_to_meet_one_grows_a_position(seed: int, acts: int) -> None:
    crowd = Crowd(Random(seed))
    for _ in range(acts):
        crowd.act()
    twin = crowd.floor.replay()
    assert twin.events == crowd.floor.events
    assert state_hash(twin.state) == state_hash(crowd.floor.state)


def test_the_crowd_meets_what_it_is_for() -> None:
    met = 0
    for seed in range(4):
        crowd = Crowd(Random(seed))
        for _ in range(60):
            crowd.act()
        met += crowd.floor.met
    assert met > 20
