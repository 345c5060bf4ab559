"""An order that takes another's place, in one command: all of it happens or nothing."""

from exchange import events as e
from exchange.invariants import excess_micro
from exchange.state_digest import state_hash
from matching import rejects as r
from matching.orders import FOK, IOC, POST_ONLY
from matching.rejects import Reject
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    ETH_PERP,
    PERP,
    PUT_90,
    cancel_reasons,
    fills,
    has_rested,
    of_type,
    open_floor,
    placed_hash,
    refusal,
    was_accepted,
)

VERTICAL = ((CALL_90, 1), (CALL_100, -1))


def test_the_new_order_stands_and_the_old_is_gone() -> None:
    floor = open_floor()
    old = placed_hash(floor.sell(0, 60_000_000, 5, CALL_90))
    events = floor.sell(0, 55_000_000, 3, CALL_90, replaces=old)
    assert cancel_reasons(events) == [e.CANCELLED_REPLACED]
    assert has_rested(events)
    assert [type(event) for event in events] == [e.OrderPlaced, e.OrderCancelled, e.OrderRested]
    assert old not in floor.state.orders


def test_a_larger_one_stands_last_at_its_price() -> None:
    floor = open_floor()
    old = placed_hash(floor.sell(0, 60_000_000, 5, CALL_90))
    floor.sell(1, 60_000_000, 5, CALL_90)
    floor.sell(0, 60_000_000, 6, CALL_90, replaces=old)
    assert [fill[3] for fill in fills(floor.buy(2, 60_000_000, 6, CALL_90))] == [1, 0]


def test_it_does_not_meet_what_it_replaces() -> None:
    """A bid that becomes an offer at the same price, alone in the book."""
    floor = open_floor()
    old = placed_hash(floor.buy(0, 60_000_000, 5, CALL_90))
    floor.buy(1, 60_000_000, 2, CALL_90)
    events = floor.sell(0, 60_000_000, 5, CALL_90, replaces=old)
    assert fills(events) == [(CALL_90, 60_000_000, 2, 1)]
    assert cancel_reasons(events) == [e.CANCELLED_REPLACED]
    assert has_rested(events)


def test_a_post_only_order_does_not_cross_what_it_replaces() -> None:
    floor = open_floor()
    old = placed_hash(floor.buy(0, 60_000_000, 5, CALL_90))
    assert was_accepted(floor.sell(0, 60_000_000, 5, CALL_90, replaces=old, flags=POST_ONLY))


def test_it_meets_the_other_orders_of_its_account() -> None:
    floor = open_floor()
    floor.buy(0, 61_000_000, 5, CALL_90)
    old = placed_hash(floor.buy(0, 60_000_000, 5, CALL_90))
    events = floor.sell(0, 60_000_000, 5, CALL_90, replaces=old)
    assert cancel_reasons(events) == [e.CANCELLED_REPLACED, e.CANCELLED_SELF_TRADE]


def test_a_refused_replacement_leaves_the_old_order_where_it_stood() -> None:
    floor = open_floor()
    floor.buy(1, 30_000_000, 1, CALL_90)
    old = placed_hash(floor.sell(0, 60_000_000, 5, CALL_90))
    before = state_hash(floor.state)
    bid, above = 30_000_000, 40_000_000
    for price, lots, terms, code in (
        (40_001, 2, {}, r.PRICE_OFF_TICK),
        (above, 10**6, {}, r.MARGIN),
        (bid, 2, {"time_in_force": FOK}, r.CANNOT_FILL),
        (bid, 2, {"flags": POST_ONLY}, r.WOULD_CROSS),
    ):
        assert refusal(floor.sell(0, price, lots, CALL_90, replaces=old, **terms)).code == code
        assert state_hash(floor.state) == before


def test_the_margin_of_the_old_order_serves_the_new() -> None:
    """With no cash to spare, the same order again passes only in place of the old one."""
    floor = open_floor()
    poor = floor.open_account(1_000_000_000)
    old = placed_hash(floor.sell(poor, 100_000_000, 3, CALL_90))
    floor.withdraw(poor, excess_micro(floor.state, floor.account(poor)))
    assert refusal(floor.sell(poor, 100_000_000, 3, CALL_90)).code == r.MARGIN
    assert was_accepted(floor.sell(poor, 100_000_000, 3, CALL_90, replaces=old))


def test_an_account_short_of_margin_may_replace_an_order_by_one_that_risks_less() -> None:
    """Measured against the account with the old order, not without it."""
    floor = open_floor()
    poor = floor.open_account(1_000_000_000)
    old = placed_hash(floor.sell(poor, 100_000_000, 5, CALL_90))
    floor.mark(0, BTC_INDEX * 14 // 10)
    before = excess_micro(floor.state, floor.account(poor))
    assert before < 0
    assert refusal(floor.sell(poor, 100_000_000, 6, CALL_90, replaces=old)).allowed == before
    assert was_accepted(floor.sell(poor, 100_000_000, 4, CALL_90, replaces=old))
    assert before < excess_micro(floor.state, floor.account(poor)) < 0


def test_an_order_may_replace_one_on_another_underlying() -> None:
    """Its loss leaves the underlying on which it stood, not the one to which it goes."""
    floor = open_floor()
    poor = floor.open_account(1_000_000_000)
    old = placed_hash(floor.buy(poor, floor.near(ETH_PERP), 9, ETH_PERP))
    floor.withdraw(poor, excess_micro(floor.state, floor.account(poor)))
    expected = Reject(r.MARGIN, 0, 0).code
    assert refusal(floor.buy(poor, floor.near(PERP), 5, PERP, replaces=old)).code == expected
    assert was_accepted(floor.buy(poor, floor.near(PERP), 3, PERP, replaces=old))
    floor.sell(1, floor.near(PERP), 3, PERP)
    assert floor.lots(poor, PERP) == 3


def test_a_taker_may_replace_an_order_on_another_underlying() -> None:
    floor = open_floor()
    poor = floor.open_account(1_000_000_000)
    floor.sell(1, floor.near(PERP), 9, PERP)
    old = placed_hash(floor.buy(poor, floor.near(ETH_PERP), 9, ETH_PERP))
    events = floor.buy(poor, floor.near(PERP), 9, PERP, replaces=old)
    assert [fill[2] for fill in fills(events)] == []
    events = floor.buy(poor, floor.near(PERP), 5, PERP, replaces=old)
    assert [fill[2] for fill in fills(events)] == [5]


def test_a_single_order_may_replace_a_combo_and_the_other_way_round() -> None:
    floor = open_floor()
    single = placed_hash(floor.sell(0, 60_000_000, 5, CALL_90))
    combo = placed_hash(floor.sell(0, 60_000_000, 5, VERTICAL, replaces=single))
    assert was_accepted(floor.sell(0, 60_000_000, 5, PUT_90, replaces=combo))
    assert len(floor.account(0).orders) == 1


def test_a_combo_does_not_meet_the_leg_that_it_replaces() -> None:
    floor = open_floor()
    old = placed_hash(floor.sell(0, 60_000_000, 5, CALL_90))
    floor.sell(1, 70_000_000, 5, CALL_90)
    floor.buy(2, 30_000_000, 5, CALL_100)
    events = floor.buy(0, 50_000_000, 5, VERTICAL, replaces=old)
    assert fills(events) == [(CALL_90, 70_000_000, 5, 1), (CALL_100, 30_000_000, 5, 2)]
    assert cancel_reasons(events) == [e.CANCELLED_REPLACED]


def test_what_a_partly_filled_order_has_left_can_be_replaced() -> None:
    floor = open_floor()
    old = placed_hash(floor.sell(0, 60_000_000, 5, CALL_90))
    floor.buy(1, 60_000_000, 2, CALL_90)
    events = floor.sell(0, 65_000_000, 4, CALL_90, replaces=old)
    (gone,) = of_type(events, e.OrderCancelled)
    assert gone.remaining_lots == 3
    floor.cut()


def test_a_replacement_that_may_not_rest_still_takes_the_old_order_away() -> None:
    floor = open_floor()
    old = placed_hash(floor.sell(0, 60_000_000, 5, CALL_90))
    events = floor.sell(0, 60_000_000, 5, CALL_90, replaces=old, time_in_force=IOC)
    assert cancel_reasons(events) == [e.CANCELLED_REPLACED, e.CANCELLED_IMMEDIATE]
    assert not floor.account(0).orders


def test_an_order_may_be_replaced_once() -> None:
    floor = open_floor()
    old = placed_hash(floor.sell(0, 60_000_000, 5, CALL_90))
    floor.sell(0, 61_000_000, 5, CALL_90, replaces=old)
    assert refusal(floor.sell(0, 62_000_000, 5, CALL_90, replaces=old)) == Reject(r.ORDER_NOT_LIVE)
