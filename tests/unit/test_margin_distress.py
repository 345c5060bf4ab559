"""An account that is short of margin: what it may still trade, and what would rob the exchange."""

from exchange import events as e
from tests.floor import (
    BTC_INDEX,
    PERP,
    PUT_100,
    Floor,
    cancel_reasons,
    fills,
    open_floor,
    refusal,
)

IOC = 1
RICH = 10**12
FEE_MICRO = 1_000_000


def a_broke_account(*, bids: int = 0) -> Floor:
    """Account 0 bought 8 lots of the perpetual, and the index fell by 30%; 1 and 2 are rich."""
    floor = open_floor(0)
    for cash_micro in (2_000_000_000, RICH, RICH):
        floor.open_account(cash_micro)
    price = floor.near(PERP)
    floor.sell(1, price, 8, PERP)
    floor.buy(0, price, 8, PERP)
    if bids:
        floor.buy(0, floor.near(PERP, 99), bids, PERP)
    floor.mark(0, BTC_INDEX * 70 // 100)
    assert floor.state.portfolio.requirement(floor.account(0)).equity_micro < 0
    return floor


def equity_micro(floor: Floor, account: int) -> int:
    return floor.state.portfolio.requirement(floor.account(account)).equity_micro


def test_a_bid_from_better_days_is_cancelled_when_it_is_met() -> None:
    floor = a_broke_account(bids=3)
    before = equity_micro(floor, 0)
    events = floor.sell(2, floor.near(PERP), 3, PERP, time_in_force=IOC)
    assert fills(events) == []
    assert e.CANCELLED_MARGIN_MAKER in cancel_reasons(events)
    assert equity_micro(floor, 0) == before
    assert floor.lots(0, PERP) == 8


def test_nobody_short_of_margin_can_overpay_an_accomplice() -> None:
    """A put gains in the scenario that sets the margin, so buying it at its worth there leaves the
    excess as it was; the price above the mark would be the accomplice's.
    """
    floor = a_broke_account()
    before = equity_micro(floor, 0)
    worth = int(floor.state.marks.values[PUT_100, 0])
    mark = floor.state.marks.mark_micro(floor.state.instruments[PUT_100])
    price = (worth - FEE_MICRO) // 10_000 * 10_000
    assert price > mark + BTC_INDEX // 100
    floor.sell(2, price, 1, PUT_100)
    assert refusal(floor.buy(0, price, 1, PUT_100, time_in_force=IOC)) is not None
    assert equity_micro(floor, 0) == before


def test_whoever_is_short_of_margin_can_still_close_near_the_mark() -> None:
    floor = a_broke_account()
    floor.buy(2, floor.near(PERP), 8, PERP)
    events = floor.sell(0, floor.near(PERP), 3, PERP, time_in_force=IOC)
    assert len(fills(events)) == 1
    assert floor.lots(0, PERP) == 5


def test_closing_far_from_the_mark_is_refused() -> None:
    floor = a_broke_account()
    floor.buy(2, floor.near(PERP, 98), 8, PERP)
    assert refusal(floor.sell(0, floor.near(PERP, 98), 3, PERP, time_in_force=IOC)) is not None
    assert floor.lots(0, PERP) == 8
