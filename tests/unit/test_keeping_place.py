"""A replacement that only shrinks keeps its place in the queue; any other comes last."""

from typing import Any

import pytest

from exchange import events as e
from exchange.invariants import check
from matching.orders import (
    DECREMENT,
    FOK,
    INDEX_AT_MOST,
    IOC,
    POST_ONLY,
    SELF_TRADE_SHIFT,
    UNTIL_DISCONNECT,
)
from matching.rejects import FEE_TOO_HIGH, MARGIN, Reject
from settlement.signed_messages import Conditions
from tests.floor import (
    CALL_90,
    CALL_100,
    PERP,
    Floor,
    cancel_reasons,
    fills,
    of_type,
    open_floor,
    placed_hash,
    refusal,
)

SPREAD = ((CALL_90, 1), (CALL_100, -1))
PRICE = 93_100_000
FIRST, BEHIND, TAKER = 0, 1, 2


def queue(floor: Floor, legs: Any = CALL_90, lots: int = 5, **terms: Any) -> bytes:
    """Two offers at one price; the hash of the first."""
    first = placed_hash(floor.sell(FIRST, PRICE, lots, legs, **terms))
    floor.sell(BEHIND, PRICE, 5, legs)
    return first


def who_is_met(floor: Floor, legs: Any = CALL_90) -> int:
    """Whose offer is first."""
    events = floor.buy(TAKER, PRICE, 1, legs, time_in_force=IOC)
    return fills(events)[0][3]


@pytest.mark.parametrize("legs", [CALL_90, SPREAD])
@pytest.mark.parametrize("lots", [1, 4, 5])
def test_it_is_still_first_and_says_whose_place_it_took(legs: Any, lots: int) -> None:
    floor = open_floor()
    first = queue(floor, legs)
    (old,) = [order for order in floor.state.orders.values() if order.hash == first]
    events = floor.sell(FIRST, PRICE, lots, legs, replaces=first)
    (rested,) = of_type(events, e.OrderRested)
    assert (rested.takes_place_of, rested.remaining_lots) == (old.order_id, lots)
    assert cancel_reasons(events) == [e.CANCELLED_REPLACED]
    assert who_is_met(floor, legs) == FIRST


def test_what_counts_is_what_is_left_not_what_was_asked() -> None:
    floor = open_floor()
    first = queue(floor)
    floor.buy(TAKER, PRICE, 2, CALL_90, time_in_force=IOC)
    four = placed_hash(floor.sell(FIRST, PRICE, 4, CALL_90, replaces=first))  # 3 were left
    assert who_is_met(floor) == BEHIND
    floor.sell(FIRST, PRICE, 3, CALL_90, replaces=four)
    assert who_is_met(floor) == BEHIND


def test_a_part_filled_order_shrinks_in_its_place() -> None:
    floor = open_floor()
    first = queue(floor)
    floor.buy(TAKER, PRICE, 2, CALL_90, time_in_force=IOC)
    floor.sell(FIRST, PRICE, 3, CALL_90, replaces=first)
    assert who_is_met(floor) == FIRST


@pytest.mark.parametrize(
    "change",
    [
        {"lots": 6},
        {"flags": POST_ONLY},
        {"flags": DECREMENT << SELF_TRADE_SHIFT},
    ],
)
def test_more_or_other_terms_come_last(change: dict[str, Any]) -> None:
    floor = open_floor()
    first = queue(floor)
    lots = change.pop("lots", 5)
    floor.sell(FIRST, PRICE, lots, CALL_90, replaces=first, **change)
    assert who_is_met(floor) == BEHIND


def test_a_better_price_does_not_wait_and_a_worse_one_comes_last() -> None:
    floor = open_floor()
    first = queue(floor)
    better = placed_hash(floor.sell(FIRST, PRICE - 10_000, 5, CALL_90, replaces=first))
    assert who_is_met(floor) == FIRST
    floor.sell(FIRST, PRICE, 1, CALL_90, replaces=better)
    assert who_is_met(floor) == BEHIND


@pytest.mark.parametrize("time_in_force", [IOC, FOK])
def test_what_may_not_rest_takes_no_place(time_in_force: int) -> None:
    floor = open_floor()
    first = queue(floor)
    floor.buy(BEHIND, PRICE - 10_000, 5, CALL_90)
    floor.sell(FIRST, PRICE, 2, CALL_90, replaces=first, time_in_force=time_in_force)
    assert (first in floor.state.orders) == (time_in_force == FOK)
    assert len(floor.account(FIRST).orders) == (time_in_force == FOK)


def test_a_least_fill_is_asked_of_the_book() -> None:
    floor = open_floor()
    first = queue(floor)
    order = floor.sign(
        FIRST,
        1,
        PRICE,
        2,
        CALL_90,
        replaces=first,
        conditions=Conditions(min_quantity_lots=1),
    )
    assert refusal(floor.submit(order)).code == 410
    assert who_is_met(floor) == FIRST


def test_expiry_label_and_fee_limit_may_change_in_place() -> None:
    floor = open_floor()
    first = queue(floor, life_s=60)
    order = floor.sign(
        FIRST,
        1,
        PRICE,
        5,
        CALL_90,
        replaces=first,
        life_s=7_200,
        max_fee_micro=10**9,
        conditions=Conditions(label=9),
    )
    floor.submit(order)
    floor.advance(61)
    assert who_is_met(floor) == FIRST
    (kept,) = floor.account(FIRST).orders.values()
    assert (kept.label, kept.max_fee_micro) == (9, 10**9)


def test_a_fee_limit_below_the_fee_leaves_the_old_one_where_it_was() -> None:
    floor = open_floor()
    first = queue(floor)
    refused = refusal(floor.sell(FIRST, PRICE, 4, CALL_90, replaces=first, max_fee_micro=1))
    assert (refused.code, refused.allowed) == (FEE_TOO_HIGH, 1)
    assert who_is_met(floor) == FIRST
    assert first in floor.state.orders


def test_who_is_short_of_margin_may_shrink() -> None:
    floor = open_floor()
    poor = floor.open_account(400_000_000)
    first = placed_hash(floor.buy(poor, floor.near(PERP), 2, PERP))
    floor.withdraw(poor, floor.excesses()[poor])
    floor.mark(0, floor.state.marks.index_micro[0] * 97 // 100)
    assert floor.excesses()[poor] < 0
    refused = floor.buy(poor, floor.near(PERP, 103), 3, PERP, replaces=first)
    assert refusal(refused).code == MARGIN
    order = floor.state.orders[first]
    assert of_type(floor.buy(poor, order.price_micro, 1, PERP, replaces=first), e.OrderRested)


def test_a_group_that_cancels_the_others_is_left_and_joined() -> None:
    floor = open_floor()

    def tied(group: int, price: int, replaces: bytes = bytes(32)) -> bytes:
        conditions = Conditions(oco_group=group)
        order = floor.sign(FIRST, 1, price, 5, CALL_90, replaces=replaces, conditions=conditions)
        return placed_hash(floor.submit(order))

    old = tied(1, PRICE)
    of_one, of_two = tied(1, PRICE + 10**6), tied(2, PRICE + 10**6)
    new = tied(2, PRICE, replaces=old)
    assert who_is_met(floor) == FIRST
    assert set(floor.state.orders) == {new, of_one}
    assert of_two not in floor.state.orders


def test_children_go_with_the_order_that_was_replaced() -> None:
    floor = open_floor()
    first = queue(floor)
    child = floor.sign(FIRST, 0, PRICE - 10**6, 5, CALL_90, conditions=Conditions(parent=first))
    floor.submit(child)
    events = floor.sell(FIRST, PRICE, 4, CALL_90, replaces=first)
    assert cancel_reasons(events) == [e.CANCELLED_REPLACED, e.CANCELLED_PARENT]
    assert not floor.state.waiting.by_hash


def test_the_child_of_a_quote_goes_with_the_quote_whose_place_is_taken() -> None:
    floor = open_floor()
    floor.quote(FIRST, [(CALL_90, 0, 0, PRICE, 5)])
    (quote,) = floor.account(FIRST).orders.values()
    child = floor.sign(
        FIRST, 0, PRICE - 10**6, 5, CALL_90, conditions=Conditions(parent=quote.hash)
    )
    floor.submit(child)
    events = floor.quote(FIRST, [(CALL_90, 0, 0, PRICE, 4)])
    assert cancel_reasons(events) == [e.CANCELLED_REPLACED, e.CANCELLED_PARENT]
    assert not floor.state.waiting.by_hash


def test_a_signed_order_takes_the_place_of_a_quote_and_the_set_forgets_it() -> None:
    floor = open_floor()
    floor.quote(FIRST, [(CALL_90, 0, 0, PRICE, 5)])
    floor.sell(BEHIND, PRICE, 5, CALL_90)
    (quote,) = floor.account(FIRST).orders.values()
    floor.sell(FIRST, PRICE, 4, CALL_90, replaces=quote.hash)
    assert who_is_met(floor) == FIRST
    assert not floor.state.quotes
    floor.quote(FIRST, [(CALL_90, 0, 0, PRICE, 4)])
    assert len(floor.account(FIRST).orders) == 2


def test_an_order_goes_with_the_connection_that_shrank_it() -> None:
    floor = open_floor()
    order = floor.sign(FIRST, 1, PRICE, 5, CALL_90, flags=UNTIL_DISCONNECT)
    first = placed_hash(floor.submit(order, session=7))
    floor.sell(BEHIND, PRICE, 5, CALL_90)
    again = floor.sign(FIRST, 1, PRICE, 4, CALL_90, flags=UNTIL_DISCONNECT, replaces=first)
    floor.submit(again, session=8)
    assert who_is_met(floor) == FIRST
    assert list(floor.state.waiting.sessions) == [8]


def test_into_a_protection_group_it_goes_with_that_groups_margin() -> None:
    floor = open_floor()
    floor.protect(FIRST, 1, lots=3)
    first = queue(floor)
    conditions = Conditions(protection=1)
    order = floor.sign(FIRST, 1, PRICE, 5, CALL_90, replaces=first, conditions=conditions)
    floor.submit(order)
    events = floor.buy(TAKER, PRICE, 5, CALL_90, time_in_force=IOC)
    assert [(lots, maker) for _, _, lots, maker in fills(events)] == [(3, FIRST), (2, BEHIND)]


def test_out_of_a_protection_group_it_is_judged_anew() -> None:
    """A group's orders count at most at its limit; one outside counts whole."""
    floor = open_floor()
    poor = floor.open_account(10**12)
    floor.protect(poor, 1, lots=1)
    conditions = Conditions(protection=1)
    order = floor.sign(poor, 1, PRICE, 50, CALL_90, conditions=conditions)
    first = placed_hash(floor.submit(order))
    floor.withdraw(poor, floor.excesses()[poor])
    refused = refusal(floor.sell(poor, PRICE, 50, CALL_90, replaces=first))
    assert refused.code == MARGIN
    assert first in floor.state.orders


def test_the_replacement_of_one_that_waits_has_no_place_to_take() -> None:
    floor = open_floor()
    floor.sell(BEHIND, PRICE, 5, CALL_90)
    stop = floor.sign(
        FIRST,
        1,
        PRICE,
        5,
        CALL_90,
        conditions=Conditions(trigger=INDEX_AT_MOST, trigger_price_micro=1),
    )
    asleep = placed_hash(floor.submit(stop))
    floor.sell(FIRST, PRICE, 5, CALL_90, replaces=asleep)
    assert who_is_met(floor) == BEHIND
    assert check(floor.state) == []


def test_another_accounts_order_is_never_stood_in_for() -> None:
    floor = open_floor()
    first = queue(floor)
    refused = refusal(floor.sell(BEHIND, PRICE, 4, CALL_90, replaces=first))
    assert refused == Reject(refused.code, BEHIND, FIRST)
    assert who_is_met(floor) == FIRST
