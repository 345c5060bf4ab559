"""Icebergs in a crowd: singles and combos at few prices that show a part of what they have, through
the whole engine.

The floor checks the invariants after every command and what everyone sees beside the books; here
the events of each order are added up: it never shows more than it said or more than it has, and
what it traded, lost and left is what it was placed with. At the end the journal is replayed.
"""

from random import Random
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from exchange.invariants import check
from exchange.state_digest import state_hash
from matching.combos import COMBO_BASE, combo_tick_micro
from matching.orders import FOK, GTC, IOC, POST_ONLY, SELF_TRADE_SHIFT
from settlement.signed_messages import PLAIN, Conditions
from tests.floor import CALL_90, CALL_100, HUGE_FEE, PERP, open_floor, owner_of
from tests.property.test_market_data_property import MarketFloor

ACCOUNTS: Final = 5  # the last two are of one owner
BOOKS: Final = (
    ((CALL_90, 1),),
    ((CALL_90, 1),),
    ((CALL_100, 1),),
    ((CALL_100, 1),),
    ((PERP, 1),),
    ((CALL_90, 1), (CALL_100, -1)),
    ((CALL_90, 2), (CALL_100, -1)),
    ((CALL_90, 1), (CALL_100, 3)),
    ((CALL_90, 1), (CALL_100, -2), (PERP, 1)),
)


class Told:
    """What the events said of one order."""

    def __init__(self, lots: int, display: int, is_combo: bool) -> None:
        self.lots = lots
        self.is_combo = is_combo
        self.display = display
        self.traded = 0
        self.lost = 0
        self.replenished = 0
        self.is_live = True

    def shows(self, lots: int, left: int) -> None:
        assert self.is_live
        assert left == self.lots - self.traded - self.lost
        assert lots == min(left, self.display or left)


class Ledger:
    """Every order by number, from events alone."""

    def __init__(self) -> None:
        self.orders: dict[int, Told] = {}
        self.display = 0

    def take(self, happened: tuple[Event, ...]) -> None:
        for event in happened:
            match event:
                case e.OrderPlaced():
                    self.orders[event.order_id] = Told(
                        event.quantity_lots, self.display, event.book >= COMBO_BASE
                    )
                case e.OrderRested() | e.OrderReplenished():
                    told = self.orders[event.order_id]
                    told.shows(event.displayed_lots, event.remaining_lots)
                    told.replenished += isinstance(event, e.OrderReplenished)
                case e.OrderFilled():
                    lots = event.quantity_lots
                    self.trade(event.taker_order_id, lots, event.taker_left_lots)
                    self.trade(event.maker_order_id, lots, event.maker_left_lots)
                case e.ComboFilled():
                    self.trade(event.taker_order_id, event.units, event.taker_left_units)
                    self.trade(event.maker_order_id, event.units, event.maker_left_units)
                case e.OrderReduced():
                    self.orders[event.order_id].lost += event.lots
                case e.OrderCancelled():
                    told = self.orders[event.order_id]
                    assert event.remaining_lots == told.lots - told.traded - told.lost
                    told.is_live = False
                case _:
                    pass

    def trade(self, number: int, lots: int, left: int) -> None:
        if left < 0:  # its own event tells
            return
        told = self.orders[number]
        assert told.is_live
        told.traded += lots
        assert left == told.lots - told.traded - told.lost
        told.is_live = left > 0


def place_any(dice: Random, floor: "IcebergFloor") -> tuple[Event, ...]:
    """An order at one of few prices around the marks', on the tick."""
    legs = dice.choice(BOOKS)
    listed, marks = floor.state.instruments, floor.state.marks
    tick = combo_tick_micro([listed[n] for n, _ in legs], [ratio for _, ratio in legs])
    fair = sum(ratio * marks.mark_micro(listed[n]) for n, ratio in legs) // tick
    side = dice.choice((0, 1))
    price = (fair + dice.choice((-3, -2, -1, 0, 0, 1, 2, 3)) * 40) * tick
    lots = dice.choice((1, 2, 3, 5, 8, 13, 30))
    time_in_force = dice.choice((GTC, GTC, GTC, GTC, IOC, FOK))
    display = dice.randint(1, min(lots, 4)) if time_in_force == GTC else 0
    flags = dice.choice((0, 0, 1, 2, 3)) << SELF_TRADE_SHIFT
    if time_in_force == GTC and dice.random() < 0.2:
        flags |= POST_ONLY
    order = floor.sign(
        dice.randrange(ACCOUNTS),
        side,
        price,
        lots,
        legs,
        time_in_force=time_in_force,
        flags=flags,
        max_fee_micro=dice.choice((HUGE_FEE, HUGE_FEE, 300_000 * sum(abs(r) for _, r in legs))),
        conditions=Conditions(display_lots=display) if dice.random() < 0.7 and display else PLAIN,
    )
    floor.ledger.display = order.conditions.display_lots
    return floor.submit(order)


class IcebergFloor(MarketFloor):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()

    def _apply(self, command: Command) -> tuple[Event, ...]:
        happened = super()._apply(command)
        self.ledger.take(happened)
        return happened


def lived(seed: int, steps: int) -> IcebergFloor:
    dice, floor = Random(seed), IcebergFloor()
    open_floor(0, floor=floor)
    for account in range(ACCOUNTS):
        floor.open_account(dice.choice((10**10, 10**12)), owner_of(min(account, ACCOUNTS - 2)))
    for number in (CALL_90, CALL_100, PERP):
        floor.read_on(number)
    for _ in range(steps):
        live = list(floor.state.orders.values())
        if live and dice.random() < 0.1:
            order = dice.choice(live)
            floor.cancel(order.account, order.hash)
        else:
            place_any(dice, floor)
    floor.cut()
    return floor


@settings(max_examples=max(settings().max_examples // 2, 1))
@given(st.integers(0, 1 << 32), st.integers(20, 60))
def test_an_iceberg_trades_what_it_has_and_shows_what_it_said(seed: int, steps: int) -> None:
    floor = lived(seed, steps)
    assert check(floor.state) == []
    live = {order.order_id for order in floor.state.orders.values()}
    assert live == {number for number, told in floor.ledger.orders.items() if told.is_live}
    twin = floor.replay()
    assert twin.events == floor.events
    assert state_hash(twin.state) == state_hash(floor.state)


def test_lives_like_these_replenish_singles_and_combos_and_meet_one_twice_in_a_step() -> None:
    """Else the property above would say nothing."""
    floors = [lived(seed, 60) for seed in range(4)]
    seen = {"single": 0, "combo": 0, "twice": 0}
    for floor in floors:
        for number, told in floor.ledger.orders.items():
            assert told.replenished * max(told.display, 1) <= told.lots, number
        met: dict[tuple[int, int], int] = {}
        for _, event in floor.printed:
            if (
                isinstance(event, e.OrderFilled)
                and event.combo_trade
                and event.maker_left_lots >= 0
            ):
                key = event.combo_trade, event.maker_order_id
                met[key] = met.get(key, 0) + 1
        seen["twice"] += sum(count > 1 for count in met.values())
        for told in floor.ledger.orders.values():
            if told.replenished:
                seen["combo" if told.is_combo else "single"] += 1
    assert all(seen.values()), seen
