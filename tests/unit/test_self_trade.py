"""What happens where an order would meet one of its own owner's: cancel taker, maker, both, or take
the smaller quantity from both; across the accounts of one owner, and in any leg of a combo.
"""

import pytest

from exchange import events as e
from exchange.events import Event
from matching.orders import (
    BUY,
    CANCEL_BOTH,
    CANCEL_MAKER,
    CANCEL_TAKER,
    DECREMENT,
    FOK,
    SELF_TRADE_SHIFT,
    SELL,
)
from matching.rejects import CANNOT_FILL, Reject
from tests.floor import (
    CALL_90,
    CALL_100,
    Floor,
    fills,
    of_type,
    open_floor,
    owner_of,
    placed_hash,
    refusal,
)

SPREAD = ((CALL_90, 1), (CALL_100, -1))
ANN, BOB, CAT, SISTER = range(4)


@pytest.fixture
def floor() -> Floor:
    """Sister is another account of Ann's owner."""
    made = open_floor(3)
    made.open_account(50_000_000_000, owner_of(ANN))
    return made


def ends(events: tuple[Event, ...]) -> list[tuple[str, int, int]]:
    """(what, account, lots) of orders that end or shrink without a trade."""
    return [
        ("gone", event.account, event.remaining_lots)
        if isinstance(event, e.OrderCancelled)
        else ("less", event.account, event.lots)
        for event in events
        if isinstance(event, e.OrderCancelled | e.OrderReduced)
    ]


def offers(floor: Floor, *lots_of: tuple[int, int]) -> int:
    price = floor.near(CALL_90)
    for account, lots in lots_of:
        floor.sell(account, price, lots, CALL_90)
    return price


def mode(value: int) -> int:
    return value << SELF_TRADE_SHIFT


def test_the_taker_goes_where_nothing_else_is_asked(floor: Floor) -> None:
    price = offers(floor, (BOB, 2), (SISTER, 5), (CAT, 9))
    events = floor.buy(ANN, price, 12, CALL_90, flags=mode(CANCEL_TAKER))
    assert [lots for _, _, lots, _ in fills(events)] == [2]
    assert ends(events) == [("gone", ANN, 10)]


def test_the_maker_goes_and_the_taker_trades_on(floor: Floor) -> None:
    price = offers(floor, (BOB, 2), (SISTER, 5), (CAT, 9))
    events = floor.buy(ANN, price, 12, CALL_90, flags=mode(CANCEL_MAKER))
    assert [(lots, maker) for _, _, lots, maker in fills(events)] == [(2, BOB), (9, CAT)]
    assert ends(events) == [("gone", SISTER, 5)]
    (rested,) = of_type(events, e.OrderRested)
    assert rested.remaining_lots == 1


def test_both_go(floor: Floor) -> None:
    price = offers(floor, (BOB, 2), (ANN, 5), (CAT, 9))
    events = floor.buy(ANN, price, 12, CALL_90, flags=mode(CANCEL_BOTH))
    assert [lots for _, _, lots, _ in fills(events)] == [2]
    assert ends(events) == [("gone", ANN, 5), ("gone", ANN, 10)]


def test_the_smaller_quantity_is_taken_from_both_and_a_maker_keeps_its_place(
    floor: Floor,
) -> None:
    price = offers(floor, (SISTER, 9), (CAT, 3))
    events = floor.buy(ANN, price, 4, CALL_90, flags=mode(DECREMENT))
    assert not fills(events)
    assert ends(events) == [("less", SISTER, 4), ("gone", ANN, 4)]
    assert [maker for *_, maker in fills(floor.buy(BOB, price, 6, CALL_90))] == [SISTER, CAT]


def test_a_taker_that_has_more_trades_on_with_what_is_left(floor: Floor) -> None:
    price = offers(floor, (SISTER, 4), (CAT, 3))
    events = floor.buy(ANN, price, 9, CALL_90, flags=mode(DECREMENT))
    assert ends(events) == [("gone", SISTER, 4), ("less", ANN, 4)]
    (fill,) = of_type(events, e.OrderFilled)
    assert (fill.quantity_lots, fill.maker, fill.taker_left_lots) == (3, CAT, 2)


def test_lots_that_were_taken_away_fill_no_order(floor: Floor) -> None:
    price = offers(floor, (SISTER, 4), (CAT, 9))
    events = floor.buy(ANN, price, 9, CALL_90, flags=mode(DECREMENT), time_in_force=FOK)
    assert refusal(events) == Reject(CANNOT_FILL, 9, 5)


@pytest.mark.parametrize("chosen", [CANCEL_MAKER, DECREMENT])
def test_an_order_of_ones_own_in_a_leg_goes_and_the_others_make_the_combo(
    floor: Floor, chosen: int
) -> None:
    low, high = floor.near(CALL_90), floor.near(CALL_100)
    floor.sell(SISTER, low, 5, CALL_90)
    floor.sell(BOB, low, 5, CALL_90)
    floor.buy(CAT, high, 5, CALL_100)
    events = floor.buy(ANN, low - high, 5, SPREAD, flags=mode(chosen))
    assert ends(events) == [("gone", SISTER, 5)]
    assert [maker for *_, maker in fills(events)] == [BOB, CAT]


def test_all_orders_of_ones_own_in_the_next_legs_go_with_the_taker(floor: Floor) -> None:
    low, high = floor.near(CALL_90), floor.near(CALL_100)
    floor.sell(ANN, low, 5, CALL_90)
    floor.buy(SISTER, high, 5, CALL_100)
    events = floor.buy(ANN, low - high, 5, SPREAD, flags=mode(CANCEL_BOTH))
    assert ends(events) == [("gone", ANN, 5), ("gone", SISTER, 5), ("gone", ANN, 5)]


def test_combo_orders_are_taken_from_each_other_in_units(floor: Floor) -> None:
    net = floor.near(CALL_90) - floor.near(CALL_100)
    resting = placed_hash(floor.sell(SISTER, net, 5, SPREAD))
    events = floor.buy(ANN, net, 3, SPREAD, flags=mode(DECREMENT))
    assert ends(events) == [("less", SISTER, 3), ("gone", ANN, 3)]
    assert floor.state.orders[resting].remaining_lots == 2


@pytest.mark.parametrize("side", [BUY, SELL])
def test_accounts_of_different_owners_trade_whatever_the_mode(floor: Floor, side: int) -> None:
    price = floor.near(CALL_90)
    floor.submit(floor.sign(BOB, 1 - side, price, 1, CALL_90))
    events = floor.submit(floor.sign(CAT, side, price, 1, CALL_90, flags=mode(DECREMENT)))
    assert len(fills(events)) == 1
