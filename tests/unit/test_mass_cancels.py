"""Cancels by client id, label, instrument, underlying and all: who goes, and who stays."""

from collections.abc import Callable

import pytest

from exchange.events import CANCELLED_BY_OWNER, CommandRejected, OrderCancelled, OrdersCancelled
from exchange.state_digest import state_hash
from matching.combos import COMBO_BASE
from settlement.signed_messages import (
    OF_ALL,
    OF_CLIENT_ID,
    OF_COMBOS,
    OF_INSTRUMENT,
    OF_LABEL,
    OF_UNDERLYING,
    Conditions,
)
from tests.floor import (
    CALL_90,
    CALL_100,
    ETH_PERP,
    PERP,
    Floor,
    of_type,
    open_floor,
    owner_of,
    placed_hash,
    was_accepted,
)

ETH_COMBO = ((ETH_PERP, 1), (8, 1))
BTC_COMBO = ((CALL_90, 1), (CALL_100, -1))


def floor_of_many() -> tuple[Floor, dict[str, bytes]]:
    """One order of account 0 for each name, and the same by account 1."""
    floor = open_floor()
    names: dict[str, bytes] = {}
    for account in (1, 0):
        for name, price, legs, salt, label in (
            ("call", 10_000, CALL_90, 1_001, 0),
            ("call with a label", 20_000, CALL_90, 1_002, 7),
            ("perp", 5_000, PERP, 1_003, 7),
            ("eth", 2_000, ETH_PERP, 2**64 - 1, 8),
            ("btc combo", -10_000, BTC_COMBO, 1_005, 7),
            ("eth combo", -100_000, ETH_COMBO, 1_005, 0),
        ):
            events = floor.buy(
                account, price, 1, legs, salt=salt, conditions=Conditions(label=label)
            )
            names[name] = placed_hash(events)
    return floor, names


ALL = ("call", "call with a label", "perp", "eth", "btc combo", "eth combo")


@pytest.mark.parametrize(
    ("scope", "value", "gone"),
    [
        (OF_ALL, 0, ALL),
        (OF_CLIENT_ID, 1_002, ("call with a label",)),
        (OF_CLIENT_ID, 2**64 - 1, ("eth",)),
        (OF_CLIENT_ID, 1_005, ("btc combo", "eth combo")),
        (OF_CLIENT_ID, 4_711, ()),
        (OF_LABEL, 7, ("call with a label", "perp", "btc combo")),
        (OF_LABEL, 0, ("call", "eth combo")),
        (OF_INSTRUMENT, CALL_90, ("call", "call with a label")),
        (OF_INSTRUMENT, CALL_100, ()),
        (OF_UNDERLYING, 1, ("eth", "eth combo")),
        (OF_UNDERLYING, 0, ("call", "call with a label", "perp", "btc combo")),
        (OF_COMBOS, 1, ("eth combo",)),
    ],
)
def test_a_mass_cancel_takes_what_it_says_oldest_first_and_nothing_else(
    scope: int, value: int, gone: tuple[str, ...]
) -> None:
    floor, names = floor_of_many()
    others = list(floor.account(1).orders)
    events = floor.cancel_where(0, scope, value)
    cancelled = of_type(events, OrderCancelled)
    assert [event.order_hash for event in cancelled] == [names[name] for name in gone]
    assert all(event.reason == CANCELLED_BY_OWNER for event in cancelled)
    done = events[-1]
    assert isinstance(done, OrdersCancelled)
    assert (done.account, done.scope, done.value, done.count) == (0, scope, value, len(gone))
    assert [order.hash for order in floor.account(0).orders.values()] == [
        names[name] for name in ALL if name not in gone
    ]
    assert list(floor.account(1).orders) == others


def test_it_leaves_the_counter_so_that_signed_orders_stay_good() -> None:
    floor = open_floor()
    later = floor.sign(0, 0, 10_000, 1, CALL_90)
    floor.cancel_where(0)
    assert was_accepted(floor.submit(later))


def test_a_session_key_may_cancel_too() -> None:
    floor = open_floor()
    floor.register_key(0, b"\x07" * 20, floor.time_s + 60)
    floor.buy(0, 10_000, 1, CALL_90)
    assert was_accepted(floor.cancel_where(0, signer=b"\x07" * 20))
    assert not floor.account(0).orders


def test_whoever_sends_it_again_after_its_expiry_is_refused_too() -> None:
    """Its hash is forgotten then, but the message has expired: no second life."""
    floor = open_floor()
    expiry_s = floor.time_s + 60
    floor.cancel_where(0, salt=9, life_s=60)
    floor.advance(60)
    assert not floor.state.used
    floor.buy(0, 10_000, 1, CALL_90)
    (refused,) = floor.cancel_where(0, salt=9, life_s=expiry_s - floor.time_s)
    assert isinstance(refused, CommandRejected)
    assert len(floor.account(0).orders) == 1


def test_a_replay_cancels_the_same_orders() -> None:
    floor, _ = floor_of_many()
    floor.cancel_where(0, OF_LABEL, 7)
    floor.cancel_where(1, OF_UNDERLYING, 1)
    twin = floor.replay()
    assert twin.events == floor.events
    assert state_hash(twin.state) == state_hash(floor.state)


@pytest.mark.parametrize("value", [COMBO_BASE - 1, 2**32, 2**64 - 1])
def test_a_value_of_any_size_is_refused_or_finds_nothing(value: int) -> None:
    floor, _ = floor_of_many()
    calls: tuple[Callable[[], object], ...] = (
        lambda: floor.cancel_where(0, OF_CLIENT_ID, value - 1),
        lambda: floor.cancel_where(0, OF_INSTRUMENT, value),
        lambda: floor.cancel_where(0, OF_UNDERLYING, value, signer=owner_of(0)),
    )
    for call in calls:
        call()
    assert len(floor.account(0).orders) == len(ALL)
