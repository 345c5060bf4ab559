"""Expiry: one settlement price, no loop over accounts; everybody gets what is his when touched."""

import pytest

from exchange import events as e
from exchange.invariants import owed_micro
from matching import rejects as r
from settlement.record_types import EXPIRY_SETTLED, POSITION_SETTLED
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    FUT,
    JUNE,
    JUNE_CALL,
    MARCH,
    PERP,
    PUT_90,
    PUT_100,
    START_S,
    Floor,
    cancel_reasons,
    of_type,
    open_floor,
    placed_hash,
    refusal,
    was_accepted,
)

OPTIONS = {CALL_90: 900_000_000, CALL_100: 1_000_000_000, PUT_90: 900_000_000, PUT_100: 10**9}


def trade(floor: Floor, buyer: int, seller: int, lots: int, number: int) -> None:
    price = floor.near(number)
    floor.sell(seller, price, lots, number)
    floor.buy(buyer, price, lots, number)
    assert floor.lots(buyer, number)


def kinds(floor: Floor) -> list[int]:
    return [record[0] for group in floor.state.groups for record in group]


def reach(floor: Floor, time_s: int) -> None:
    floor.advance(time_s - floor.time_s)


@pytest.mark.parametrize("settlement", [1, 899_999_999, 900_000_000, 950_000_001, 10**9, 2 * 10**9])
@pytest.mark.parametrize("number", OPTIONS)
def test_an_option_pays_what_it_is_in_the_money(number: int, settlement: int) -> None:
    floor = open_floor()
    trade(floor, 0, 1, 7, number)
    reach(floor, MARCH)
    floor.settle(0, settlement)
    strike = OPTIONS[number]
    is_call = number in (CALL_90, CALL_100)
    payoff = max(settlement - strike if is_call else strike - settlement, 0)
    for account, sign in ((0, 1), (1, -1)):
        before = floor.account(account).cash_micro
        (settled,) = of_type(floor.withdraw(account, 1), e.PositionSettled)
        assert settled == e.PositionSettled(account, number, sign * 7 * payoff, 1)
        assert floor.account(account).cash_micro == before + sign * 7 * payoff - 1
        assert not floor.account(account).positions
    floor.cut()


def test_the_settlement_price_is_the_mean_of_thirty_samples_to_nearest_half_up() -> None:
    for last, expected in ((0, 1_000), (14, 1_000), (15, 1_001), (30, 1_001), (45, 1_002)):
        floor = open_floor(1)
        reach(floor, MARCH)
        (settled,) = of_type(floor.settle(0, *[1_000] * 29, 1_000 + last), e.ExpirySettled)
        assert settled.settlement_micro == expected


def test_a_future_ends_at_the_settlement_price() -> None:
    """Bought at p and settled at s it brings s - p a lot, whatever the marks were meanwhile."""
    floor = open_floor()
    floor.mark(0, BTC_INDEX * 9 // 10)
    price = floor.near(FUT)
    trade(floor, 0, 1, 3, FUT)
    fees = [50_000_000_000 - floor.account(n).cash_micro for n in (0, 1)]
    paid = 3 * (price - floor.state.marks.carry_micro[FUT])
    floor.mark(0, BTC_INDEX * 12 // 10)
    reach(floor, MARCH)
    settlement = BTC_INDEX * 8 // 10
    floor.settle(0, settlement)
    for account, sign, fee in ((0, 1, fees[0] - paid), (1, -1, fees[1] + paid)):
        floor.withdraw(account, 1)
        expected = 50_000_000_000 + sign * 3 * (settlement - price) - fee - 1
        assert floor.account(account).cash_micro == expected
        assert floor.account(account).basis_micro == 0
    floor.cut()


def test_settling_moves_no_cash_by_itself_and_worth_only_between_its_holders() -> None:
    """From the last mark to the payoff, one's gain is the other's loss; cash moves on touch."""
    floor = open_floor()
    for number in (CALL_90, PUT_100, FUT, PERP):
        trade(floor, 0, 1, 5, number)
    reach(floor, MARCH)
    floor.mark(0, BTC_INDEX, basis_percent=0)
    portfolio = floor.state.portfolio
    before = sum(portfolio.requirement(floor.account(n)).equity_micro for n in (0, 1))
    cash = [floor.account(n).cash_micro for n in (0, 1)]
    floor.settle(0, BTC_INDEX)
    assert sum(portfolio.requirement(floor.account(n)).equity_micro for n in (0, 1)) == before
    assert [floor.account(n).cash_micro for n in (0, 1)] == cash
    assert owed_micro(floor.state) == floor.state.credited_micro


def test_a_settled_position_needs_no_margin_but_its_half_unit_a_lot() -> None:
    floor = open_floor()
    trade(floor, 0, 1, 5, CALL_90)
    reach(floor, MARCH)
    floor.settle(0, 2 * BTC_INDEX)
    assert floor.state.portfolio.requirement(floor.account(1)).initial_micro == 3


def test_resting_orders_of_the_expiry_and_its_combos_go_and_others_stay() -> None:
    floor = open_floor()
    floor.advance(MARCH - START_S - 60)
    gone = [
        placed_hash(floor.buy(0, 10_000, 1, CALL_90)),
        placed_hash(floor.sell(0, 990_000_000, 1, FUT)),
        placed_hash(floor.buy(1, 10_000, 1, ((CALL_100, 1), (JUNE_CALL, -1)))),
    ]
    stay = [
        placed_hash(floor.buy(0, 10_000, 1, JUNE_CALL)),
        placed_hash(floor.buy(0, 10_000, 1, ((PERP, 1), (JUNE_CALL, -1)))),
    ]
    floor.advance(60)
    events = floor.settle(0, BTC_INDEX)
    assert cancel_reasons(events) == [e.CANCELLED_SETTLED] * 3
    assert not any(order_hash in floor.state.orders for order_hash in gone)
    assert all(order_hash in floor.state.orders for order_hash in stay)


def test_between_expiry_and_settlement_nothing_trades_and_orders_can_be_cancelled() -> None:
    floor = open_floor()
    floor.advance(MARCH - START_S - 60)
    resting = placed_hash(floor.sell(0, 50_000_000, 1, CALL_90))
    floor.advance(60)
    assert refusal(floor.buy(1, 50_000_000, 1, CALL_90)).code == r.INSTRUMENT_NOT_OPEN
    straddle = ((CALL_90, 1), (PUT_90, 1))
    assert refusal(floor.buy(1, 50_000_000, 1, straddle)).code == r.INSTRUMENT_NOT_OPEN
    assert was_accepted(floor.cancel(0, resting))


def test_between_expiry_and_settlement_the_last_live_values_carry_the_risk() -> None:
    """A mark at the expiry has no time left, so no scenario would lose anything: whoever is short
    could take out all margin and owe the difference to the settlement price.
    """
    floor = open_floor()
    trade(floor, 0, 1, 5, CALL_90)
    floor.advance(MARCH - START_S - 60)
    floor.mark(0, BTC_INDEX, basis_percent=0)
    short = floor.account(1)
    values = floor.state.marks.values[CALL_90].tolist()
    asked = floor.state.portfolio.requirement(short).initial_micro
    reach(floor, MARCH)
    floor.mark(0, BTC_INDEX, basis_percent=0)
    assert floor.state.marks.values[CALL_90].tolist() == values
    assert floor.state.portfolio.requirement(short).initial_micro == asked > 5 * BTC_INDEX // 10


def test_a_taker_takes_what_settled_when_it_next_trades() -> None:
    floor = open_floor()
    trade(floor, 0, 1, 5, CALL_90)
    trade(floor, 0, 1, 2, PUT_100)
    reach(floor, MARCH)
    floor.settle(0, BTC_INDEX)
    floor.cut()
    floor.sell(2, floor.near(PERP), 1, PERP)
    events = floor.buy(0, floor.near(PERP), 1, PERP)
    settled = of_type(events, e.PositionSettled)
    assert [(s.instrument, s.closed) for s in settled] == [(CALL_90, 1), (PUT_100, 1)]
    assert list(floor.account(0).positions) == [PERP]
    assert kinds(floor).count(POSITION_SETTLED) == 2
    assert floor.lots(1, CALL_90) == -5, "whoever was not touched has it still"
    floor.cut()


def test_a_maker_takes_what_settled_when_it_is_met() -> None:
    floor = open_floor()
    trade(floor, 0, 1, 5, CALL_90)
    reach(floor, MARCH)
    floor.settle(0, BTC_INDEX)
    floor.sell(1, floor.near(PERP), 1, PERP)
    events = floor.buy(2, floor.near(PERP), 1, PERP)
    (settled,) = of_type(events, e.PositionSettled)
    assert (settled.account, settled.instrument, settled.closed) == (1, CALL_90, 1)
    assert [type(event) for event in events][-2:] == [e.PositionSettled, e.OrderFilled]
    floor.cut()


def test_settlement_is_one_record_however_many_hold_positions() -> None:
    floor = open_floor(20)
    for buyer in range(10):
        trade(floor, buyer, 10 + buyer, 1, CALL_90)
    floor.cut()
    reach(floor, MARCH)
    floor.cut()
    floor.settle(0, BTC_INDEX)
    assert kinds(floor)[0] == EXPIRY_SETTLED
    assert POSITION_SETTLED not in kinds(floor)
    assert len(kinds(floor)) == 2, "the price, and the future's last accrual"
    floor.cut()


def test_a_position_may_wait_through_any_number_of_later_events() -> None:
    floor = open_floor()
    trade(floor, 0, 1, 5, FUT)
    reach(floor, MARCH)
    floor.settle(0, BTC_INDEX)
    floor.mark(0, BTC_INDEX * 3 // 2, expiries=(1,))
    floor.fund(PERP, 5_000)
    reach(floor, JUNE)
    floor.settle(1, BTC_INDEX * 2)
    before = floor.account(0).cash_micro
    (settled,) = of_type(floor.withdraw(0, 1), e.PositionSettled)
    carry = BTC_INDEX * 101 // 100
    assert settled.amount_micro == 5 * (BTC_INDEX - carry)
    assert floor.account(0).cash_micro == before + settled.amount_micro - 1


def test_an_expiry_that_was_never_marked_can_be_settled() -> None:
    floor = Floor()
    floor.genesis()
    floor.list_underlying(b"BTC", 1_000_000)
    floor.list_expiry(0, MARCH)
    floor.list_instrument((1, 0, 0, 0, 5_000))
    floor.list_instrument((2, 0, 0, 900_000_000, 10_000))
    reach(floor, MARCH)
    assert was_accepted(floor.settle(0, BTC_INDEX))
    floor.cut()
    assert floor.state.marks.carry_micro[0] == BTC_INDEX


def test_settled_in_the_batch_of_the_last_mark_or_in_a_later_one() -> None:
    for cut_between in (False, True):
        floor = open_floor()
        trade(floor, 0, 1, 2, FUT)
        reach(floor, MARCH)
        floor.mark(0, BTC_INDEX)
        if cut_between:
            floor.cut()
        floor.settle(0, BTC_INDEX + 30)
        floor.withdraw(0, 1)
        floor.withdraw(1, 1)
        floor.cut()
