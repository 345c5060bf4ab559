"""Marks and funding of perpetuals and futures: what one side gains the other loses, to the unit."""

import pytest

from exchange import events as e
from exchange.invariants import owed_micro
from settlement.record_types import ACCRUAL_UPDATED, POSITION_SETTLED
from settlement.records import decode as decode_record
from tests.floor import BTC_INDEX, CALL_90, FUT, PERP, Floor, of_type, open_floor

CASH = 50_000_000_000


def three_in_the_perpetual() -> Floor:
    """Account 0 is 5 lots long, 1 is 3 short, 2 is 2 short, all at the mark."""
    floor = open_floor(4)
    price = floor.near(PERP)
    floor.buy(0, price, 5, PERP)
    floor.sell(1, price, 3, PERP)
    floor.sell(2, price, 2, PERP)
    return floor


def worth(floor: Floor, account: int) -> int:
    return floor.state.portfolio.requirement(floor.account(account)).equity_micro


def cash(floor: Floor, account: int) -> int:
    """After all that has accrued was taken: a withdrawal of one unit touches everything."""
    before = floor.account(account).cash_micro
    events = floor.withdraw(account, 1)
    taken = sum(event.amount_micro for event in of_type(events, e.PositionSettled))
    assert floor.account(account).cash_micro == before + taken - 1
    return before + taken


@pytest.mark.parametrize("rate", [1, -1, 95_586, -95_586, 10**9])
def test_longs_pay_what_shorts_receive(rate: int) -> None:
    floor = three_in_the_perpetual()
    before = [worth(floor, account) for account in range(4)]
    floor.fund(PERP, rate)
    after = [worth(floor, account) for account in range(4)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [
        -5 * rate,
        3 * rate,
        2 * rate,
        0,
    ]


def test_a_moving_mark_makes_one_side_what_it_costs_the_other() -> None:
    floor = three_in_the_perpetual()
    before = [worth(floor, account) for account in range(3)]
    floor.mark(0, BTC_INDEX + 1_234_567)
    after = [worth(floor, account) for account in range(3)]
    gained = [b - a for a, b in zip(before, after, strict=True)]
    assert gained == [5 * 1_234_567, -3 * 1_234_567, -2 * 1_234_567]


def test_no_cash_moves_before_an_account_is_touched() -> None:
    floor = three_in_the_perpetual()
    before = [floor.account(account).cash_micro for account in range(3)]
    floor.mark(0, BTC_INDEX * 2)
    floor.fund(PERP, 777_777)
    assert [floor.account(account).cash_micro for account in range(3)] == before
    assert owed_micro(floor.state) == floor.state.credited_micro


def test_what_accrued_comes_as_cash_whenever_it_is_taken() -> None:
    """After every step or once at the end: the sum is the same."""
    steps = ((BTC_INDEX * 11 // 10, 5_000), (BTC_INDEX * 9 // 10, -7_000), (BTC_INDEX, 1))
    often, once = three_in_the_perpetual(), three_in_the_perpetual()
    for index, rate in steps:
        for floor in (often, once):
            floor.mark(0, index)
            floor.fund(PERP, rate)
        for account in range(3):
            cash(often, account)
    for account in range(3):
        assert cash(often, account) + len(steps) == cash(once, account)


def test_a_round_trip_ends_with_the_difference_of_its_prices_and_its_fees() -> None:
    floor = three_in_the_perpetual()
    price = floor.near(PERP)
    floor.mark(0, BTC_INDEX * 11 // 10)
    floor.mark(0, BTC_INDEX * 10 // 11)
    later = floor.near(PERP)
    floor.sell(3, later, 9, PERP)
    events = floor.buy(1, later, 3, PERP)
    (settled,) = of_type(events, e.PositionSettled)
    assert settled.closed == 0
    assert PERP not in floor.account(1).positions
    taker_fees = 3 * BTC_INDEX * 500, 3 * (BTC_INDEX * 10 // 11) * 500
    fees = sum(-(-fee // 10**6) for fee in taker_fees)
    assert floor.account(1).cash_micro == CASH + 3 * (price - later) - fees
    assert floor.account(1).basis_micro == 0


def test_both_sides_are_settled_up_before_a_fill_and_by_records() -> None:
    floor = three_in_the_perpetual()
    floor.fund(PERP, 10)
    floor.cut()
    floor.buy(1, floor.near(PERP), 1, PERP)
    events = floor.sell(0, floor.near(PERP), 1, PERP)
    assert [(s.account, s.amount_micro) for s in of_type(events, e.PositionSettled)] == [
        (0, -50),
        (1, 30),
    ]
    kinds = [decode_record(r) for group in floor.state.groups for r in group]
    settled = [k.account for k in kinds if type(k).__name__ == "PositionSettled"]
    assert settled == [0, 1]
    floor.cut()


def test_a_fill_at_the_accrual_already_seen_settles_nothing() -> None:
    floor = three_in_the_perpetual()
    floor.buy(1, floor.near(PERP), 1, PERP)
    events = floor.sell(0, floor.near(PERP), 1, PERP)
    assert of_type(events, e.PositionSettled) == []


def test_funding_before_the_first_mark_pays_nobody_and_is_recorded() -> None:
    floor = Floor()
    floor.genesis()
    floor.list_underlying(b"BTC", 1_000_000)
    floor.list_instrument((0, 0, 0xFFFF, 0, 5_000))
    floor.open_account(CASH)
    floor.open_account(CASH)
    floor.fund(0, 12_345)
    floor.mark(0, BTC_INDEX)
    floor.cut()
    price = floor.near(0)
    floor.buy(0, price, 1, 0)
    floor.sell(1, price, 1, 0)
    assert worth(floor, 0) + worth(floor, 1) + floor.state.fee_cash_micro == 2 * CASH
    floor.cut()


def test_an_update_that_names_only_the_index_moves_the_perpetual_alone() -> None:
    floor = three_in_the_perpetual()
    floor.sell(1, floor.near(FUT), 1, FUT)
    floor.buy(0, floor.near(FUT), 1, FUT)
    marks = floor.state.marks
    future, option = marks.carry_micro[FUT], marks.values[CALL_90].tolist()
    floor.cut()
    floor.mark(0, BTC_INDEX + 5, expiries=())
    assert marks.carry_micro[PERP] == BTC_INDEX + 5
    assert (marks.carry_micro[FUT], marks.values[CALL_90].tolist()) == (future, option)
    kinds = [record[0] for group in floor.state.groups for record in group]
    assert kinds.count(ACCRUAL_UPDATED) == 1
    assert POSITION_SETTLED not in kinds


def test_a_future_follows_its_forward_and_not_the_index() -> None:
    floor = open_floor()
    price = floor.near(FUT)
    floor.buy(0, price, 4, FUT)
    floor.sell(1, price, 4, FUT)
    before = worth(floor, 0)
    floor.mark(0, BTC_INDEX, basis_percent=3)
    moved = BTC_INDEX * 103 // 100 - BTC_INDEX * 101 // 100
    assert worth(floor, 0) == before + 4 * moved
