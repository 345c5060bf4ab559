"""What an order may ask at most, and what it may demand at least: minimum quantity, market orders,
price bands, order rate.
"""

import pytest

from exchange.limits import BAND_INDEX_E4, BURST_ORDERS, ORDERS_A_SECOND, count_order, wait_ms
from margin.accounts import Account
from matching.instruments import PERPETUAL
from matching.orders import IOC, MARKET
from matching.rejects import BEYOND_PRICE_BAND
from settlement.signed_messages import Conditions
from tests.floor import CALL_90, PERP, cancel_reasons, fills, has_rested, open_floor, refusal

INDEX = 955_861_600
TICK = 5_000
HIGHEST = INDEX * 11 // 10 // TICK * TICK
LOWEST = -(-INDEX * 9 // 10 // TICK) * TICK


@pytest.fixture(autouse=True)
def tenth_of_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BAND_INDEX_E4, PERPETUAL, 1_000)


def test_with_its_minimum_at_once_the_rest_of_an_order_rests() -> None:
    floor = open_floor()
    price = floor.near(CALL_90)
    floor.sell(1, price, 3, CALL_90)
    at_once = Conditions(min_quantity_lots=3)
    events = floor.buy(0, price, 5, CALL_90, conditions=at_once)
    assert [lots for _, _, lots, _ in fills(events)] == [3]
    assert has_rested(events)


def test_only_the_aggressive_side_has_a_band() -> None:
    floor = open_floor()
    assert has_rested(floor.buy(0, HIGHEST, 1, PERP))
    assert refusal(floor.buy(0, HIGHEST + TICK, 1, PERP)).code == BEYOND_PRICE_BAND
    floor = open_floor()
    assert has_rested(floor.sell(0, LOWEST, 1, PERP))
    assert refusal(floor.sell(0, LOWEST - TICK, 1, PERP)).code == BEYOND_PRICE_BAND
    floor = open_floor()
    assert has_rested(floor.sell(0, 2 * HIGHEST, 1, PERP))
    assert has_rested(floor.buy(0, TICK, 1, PERP))


def test_the_band_shortens_a_market_order_and_does_not_refuse_it() -> None:
    floor = open_floor()
    floor.sell(1, HIGHEST, 1, PERP)
    floor.sell(1, HIGHEST + TICK, 1, PERP)
    events = floor.buy(0, 2 * HIGHEST, 2, PERP, flags=MARKET, time_in_force=IOC)
    assert fills(events) == [(PERP, HIGHEST, 1, 1)]
    assert len(cancel_reasons(events)) == 1


def test_a_market_order_never_trades_beyond_its_own_worst_price() -> None:
    floor = open_floor()
    floor.sell(1, HIGHEST, 1, PERP)
    assert not fills(floor.buy(0, HIGHEST - TICK, 2, PERP, flags=MARKET, time_in_force=IOC))


def test_a_full_bucket_is_spent_at_once_and_then_fills_with_time() -> None:
    account = Account(0, bytes(20))
    now = 10**18
    for _ in range(BURST_ORDERS):
        assert not wait_ms(account, now)
        count_order(account, now)
    assert wait_ms(account, now) == 1
    later = now + 10**9 // ORDERS_A_SECOND
    assert not wait_ms(account, later)
    count_order(account, later)
    assert wait_ms(account, later) == 1
