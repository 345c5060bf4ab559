"""Combos whose legs are on several underlyings: BTC against ETH, in one book, all legs or none."""

import pytest

from exchange import events as e
from matching.combos import COMBO_BASE
from matching.orders import BUY, IOC, SELL
from matching.rejects import HALTED_NOW, MARGIN, POST_ONLY_NOW, Reject
from matching.trading_states import HALTED, INSTRUMENT, POST_ONLY_STATE, UNDERLYING
from settlement.signed_messages import OF_COMBOS, OF_UNDERLYING
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    ETH_INDEX,
    ETH_PERP,
    ETH_PUT,
    MARCH,
    PERP,
    PUT_100,
    SMILE,
    Floor,
    cancel_reasons,
    fills,
    has_rested,
    of_type,
    open_floor,
    placed_hash,
    refusal,
)

PAIR = ((PERP, 1), (ETH_PERP, -2))
OPTIONS = ((CALL_90, 1), (ETH_PUT, 1))
ON_BTC = ((PERP, 1), (CALL_90, -2))


def net(floor: Floor, legs: tuple[tuple[int, int], ...]) -> int:
    return sum(ratio * floor.near(number) for number, ratio in legs)


def test_a_pair_trades_against_the_books_of_both_underlyings() -> None:
    floor = open_floor()
    btc, eth = floor.near(PERP), floor.near(ETH_PERP)
    floor.sell(0, btc, 3, PERP)
    floor.buy(1, eth, 9, ETH_PERP)
    events = floor.buy(2, btc - 2 * eth, 5, PAIR)
    assert fills(events) == [(PERP, btc, 3, 0), (ETH_PERP, eth, 6, 1)]
    assert has_rested(events)
    assert (floor.lots(2, PERP), floor.lots(2, ETH_PERP)) == (3, -6)


def test_a_pair_meets_a_pair_and_its_legs_are_priced_near_their_marks() -> None:
    floor = open_floor()
    floor.sell(0, net(floor, PAIR) + 4_000, 3, PAIR)
    events = floor.buy(1, net(floor, PAIR) + 4_000, 2, PAIR)
    (done,) = of_type(events, e.ComboFilled)
    prices = {number: price for number, price, _, _ in fills(events)}
    assert prices[PERP] - 2 * prices[ETH_PERP] == done.net_price_micro == net(floor, PAIR) + 4_000


@pytest.mark.parametrize("met", [PERP, ETH_PERP])
def test_a_resting_pair_offers_each_leg_to_orders_of_the_other_underlying(met: int) -> None:
    """Who trades one underlying alone fills, through the pair, an order of the other."""
    floor = open_floor()
    btc, eth = floor.near(PERP), floor.near(ETH_PERP)
    floor.buy(0, btc - 2 * eth, 3, PAIR)
    if met == ETH_PERP:
        floor.sell(1, btc, 2, PERP)
        events = floor.buy(2, eth, 4, ETH_PERP, time_in_force=IOC)
        assert fills(events) == [(ETH_PERP, eth, 4, 0), (PERP, btc, 2, 1)]
    else:
        floor.buy(1, eth, 4, ETH_PERP)
        events = floor.sell(2, btc, 2, PERP, time_in_force=IOC)
        assert fills(events) == [(PERP, btc, 2, 0), (ETH_PERP, eth, 4, 1)]
    assert (floor.lots(0, PERP), floor.lots(0, ETH_PERP)) == (2, -4)


@pytest.mark.parametrize("falls", [False, True])
def test_through_a_pair_options_of_the_other_underlying_count_once(falls: bool) -> None:
    """A maker lives on options of BTC that carry its ETH; then their volatility falls."""
    floor = open_floor()
    btc, eth = floor.near(PERP), floor.near(ETH_PERP)
    maker = floor.open_account(10**12)
    for option, lots in ((CALL_90, 8), (PUT_100, 12)):
        floor.sell(1, floor.near(option), lots, option)
        floor.buy(maker, floor.near(option), lots, option)
    floor.sell(maker, btc, 4, PERP)
    floor.buy(0, btc - 2 * eth, 4, PAIR)
    floor.withdraw(maker, floor.account(maker).cash_micro)
    for _ in range(100):
        floor.sell(1, eth, 1, ETH_PERP)
    floor.buy(maker, eth, 100, ETH_PERP, time_in_force=IOC)
    floor.cancel_all(1)
    assert 10 < floor.lots(maker, ETH_PERP) < 100
    if falls:
        floor.mark(0, BTC_INDEX, smile=(SMILE[0] // 4, SMILE[1] // 4, *SMILE[2:]))
        assert floor.excesses()[maker] < 0
    events = floor.buy(2, eth, 8, ETH_PERP, time_in_force=IOC)
    assert bool(fills(events)) != falls


@pytest.mark.parametrize("rises", [False, True])
def test_through_a_pair_margin_asks_on_both_underlyings(rises: bool) -> None:
    """A maker of the underlying that the taker does not name is judged to the last unit."""
    floor = open_floor()
    btc, eth = floor.near(PERP), floor.near(ETH_PERP)
    maker = floor.open_account(10**12)
    floor.sell(maker, btc, 4, PERP)
    floor.buy(0, btc - 2 * eth, 4, PAIR)
    floor.withdraw(maker, floor.excesses()[maker])
    if rises:  # its ask is not carried any more
        floor.mark(0, BTC_INDEX + 10_000)
        assert floor.excesses()[maker] < 0
    events = floor.buy(2, eth, 8, ETH_PERP, time_in_force=IOC)
    assert bool(fills(events)) != rises


@pytest.mark.parametrize(
    ("scope", "number"), [(UNDERLYING, 0), (UNDERLYING, 1), (INSTRUMENT, PERP), (INSTRUMENT, 7)]
)
def test_a_pair_trades_only_where_both_of_its_underlyings_do(scope: int, number: int) -> None:
    floor = open_floor()
    floor.sell(0, net(floor, PAIR), 3, PAIR)
    floor.set_state(HALTED, scope, number)
    halted = PERP if number == 0 else ETH_PERP
    assert refusal(floor.buy(1, net(floor, PAIR), 1, PAIR)) == Reject(HALTED_NOW, halted)


def test_a_breaker_of_either_underlying_stops_a_pair() -> None:
    floor = open_floor()
    floor.arm(((1_000, POST_ONLY_STATE, 60),), underlying=1)
    floor.mark(1, ETH_INDEX * 115 // 100)
    refused = refusal(floor.buy(1, net(floor, PAIR), 1, PAIR))
    assert refused == Reject(POST_ONLY_NOW, ETH_PERP)


def test_a_pair_offers_nothing_while_its_other_underlying_is_halted() -> None:
    floor = open_floor()
    btc, eth = floor.near(PERP), floor.near(ETH_PERP)
    floor.buy(0, btc - 2 * eth, 3, PAIR)
    floor.sell(1, btc, 2, PERP)
    floor.set_state(HALTED, UNDERLYING, 0)
    assert not fills(floor.buy(2, eth, 4, ETH_PERP, time_in_force=IOC))


@pytest.mark.parametrize("scope", [OF_UNDERLYING, OF_COMBOS])
def test_cancelling_an_underlying_takes_the_combos_with_a_leg_on_it(scope: int) -> None:
    floor = open_floor()
    pair = placed_hash(floor.buy(0, net(floor, PAIR) - 10**6, 1, PAIR))
    on_btc = placed_hash(floor.buy(0, net(floor, ON_BTC) - 10**6, 1, ON_BTC))
    eth = placed_hash(floor.buy(0, floor.near(ETH_PERP, 95), 1, ETH_PERP))
    cancelled = of_type(floor.cancel_where(0, scope, 1), e.OrderCancelled)
    expected = [pair, eth] if scope == OF_UNDERLYING else [pair]
    assert [event.order_hash for event in cancelled] == expected
    (left,) = of_type(floor.cancel_where(0, OF_COMBOS, 0), e.OrderCancelled)
    assert left.order_hash == on_btc


def test_when_a_leg_of_one_underlying_settles_the_combo_goes_whole() -> None:
    floor = open_floor()
    placed = floor.sell(0, net(floor, OPTIONS) + 10**6, 2, OPTIONS, life_s=29 * 86_400)
    assert has_rested(placed)
    floor.advance(MARCH - floor.time_s)
    floor.settle(2, ETH_INDEX)
    assert not floor.account(0).orders
    assert COMBO_BASE not in floor.state.combos


def test_a_pair_that_its_account_cannot_carry_is_refused_by_the_exact_shortfall() -> None:
    floor = open_floor()
    poor = floor.open_account(1)
    refused = refusal(floor.buy(poor, net(floor, PAIR) - 10**6, 1, PAIR))
    assert (refused.code, refused.allowed) == (MARGIN, 1)
    floor.deposit(poor, refused.got - 1)
    assert refusal(floor.buy(poor, net(floor, PAIR) - 10**6, 1, PAIR)).got == 1
    floor.deposit(poor, 1)
    assert has_rested(floor.buy(poor, net(floor, PAIR) - 10**6, 1, PAIR))
    assert floor.excesses()[poor] == 0


def test_both_sides_of_a_pair_are_one_book_whatever_the_index_does() -> None:
    """A fill of a resting pair never costs its account margin, though the other index moved."""
    floor = open_floor()
    for side in (BUY, SELL):
        floor.submit(floor.sign(0, side, net(floor, PAIR) + (2 * side - 1) * 10**6, 4, PAIR))
    floor.mark(1, ETH_INDEX * 104 // 100)
    events = floor.sell(1, net(floor, PAIR) - 10**7, 2, PAIR)
    assert len(fills(events)) == 2
    assert cancel_reasons(events) == []
