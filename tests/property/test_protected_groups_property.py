"""Protection groups in a market of random orders, against the list of all that they traded."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.events import Event
from matching.orders import GTC, IOC
from settlement.signed_messages import Conditions
from tests.floor import CALL_90, CALL_100, NS, Floor, of_type, open_floor

VERTICAL = ((CALL_90, 1), (CALL_100, -1))
WINDOW_MS = 1_000
CASH_MICRO = 9_000_000_000
TICK = 10_000


class Act(NamedTuple):
    """An order, or a two-sided quote, of account 0 to 2 around the marks; `group` 0 for none."""

    account: int
    group: int
    legs: int
    side: int
    ticks: int
    lots: int
    is_immediate: bool
    is_quote: bool
    gap_ms: int


acts = st.builds(
    Act,
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 1),
    st.integers(-3, 3),
    st.integers(1, 12),
    st.booleans(),
    st.booleans(),
    st.sampled_from((0, 0, 0, 100, 400, 1_000)),
)


class Watch:
    """What each group traded and when, from events alone."""

    def __init__(self, limits: dict[tuple[int, int], int]) -> None:
        self.limits = limits
        self.groups: dict[bytes, tuple[int, int]] = {}
        self.traded: dict[tuple[int, int], list[tuple[int, int]]] = {key: [] for key in limits}

    def see(self, floor: Floor, events: tuple[Event, ...]) -> None:
        now = floor.time_ns
        for event in of_type(events, e.OrderFilled):
            if event.taker_left_lots >= 0:
                self._count(event.taker_order_hash, now, event.quantity_lots)
            if event.maker_left_lots >= 0:
                self._count(event.maker_order_hash, now, event.quantity_lots)
        for event in of_type(events, e.ComboFilled):
            if event.taker_left_units >= 0:
                self._count(event.taker_order_hash, now, event.units)
            self._count(event.maker_order_hash, now, event.units)
        tripped = {(event.account, event.group) for event in of_type(events, e.ProtectionTripped)}
        for key, traded in self.traded.items():
            traded[:] = [fill for fill in traded if fill[0] > now - WINDOW_MS * 10**6]
            lots = sum(fill[1] for fill in traded)
            assert lots <= self.limits[key], "no group trades more than its limit in a window"
            assert (lots == self.limits[key]) == (key in tripped)
            if key in tripped:
                standing = floor.account(key[0]).orders.values()
                assert not any(order.protection == key[1] for order in standing)
                traded.clear()

    def _count(self, order_hash: bytes, now: int, lots: int) -> None:
        key = self.groups.get(order_hash)
        if key is not None:
            self.traded[key].append((now, lots))


def do(floor: Floor, watch: Watch, act: Act) -> None:
    legs = (CALL_90, CALL_100, VERTICAL)[act.legs]
    near = floor.near(CALL_90) if act.legs != 1 else floor.near(CALL_100)
    if act.legs == 2:
        near -= floor.near(CALL_100)
    price = near + act.ticks * TICK
    if act.is_quote:
        quote = (legs, price - TICK, act.lots, price + TICK, act.lots)
        events = floor.quote(act.account, [quote], label=1 + act.group, protection=act.group)
    else:
        conditions = Conditions(protection=act.group, label=9)
        order = floor.sign(
            act.account, act.side, price, act.lots, legs,
            time_in_force=IOC if act.is_immediate else GTC, conditions=conditions,
        )  # fmt: skip
        events = floor.submit(order)
    for placed in of_type(events, e.OrderPlaced):
        if act.group:
            watch.groups[placed.order_hash] = (act.account, act.group)
    watch.see(floor, events)


@settings(max_examples=60, deadline=None)
@given(
    limits=st.lists(st.integers(1, 12), min_size=6, max_size=6),
    program=st.lists(acts, min_size=5, max_size=30),
)
def test_no_program_takes_a_group_beyond_its_limit(limits: list[int], program: list[Act]) -> None:
    """The watched floor sees to it that no excess falls below zero by a trade."""
    floor = open_floor(3, CASH_MICRO)
    keys = [(account, group) for account in range(3) for group in (1, 2)]
    watch = Watch(dict(zip(keys, limits, strict=True)))
    for (account, group), lots in watch.limits.items():
        floor.protect(account, group, lots=lots, window_ms=WINDOW_MS, frozen_ms=1)
    for act in program:
        if act.gap_ms:
            floor.time_ns += act.gap_ms * NS // 1_000
        do(floor, watch, act)
        for number in range(3):
            assert floor.state.portfolio.excess_micro(floor.account(number)) >= 0
