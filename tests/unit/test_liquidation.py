"""Liquidation from margin call to the last lot, told on a floor that checks every command."""

from exchange import events as e
from margin.accounts import PORTFOLIO_MODEL, STANDARD_MODEL
from margin.standing import AUCTIONED, CALLED, LIQUIDATING, OPEN
from matching.orders import IOC
from matching.rejects import IN_LIQUIDATION, OWN_AUCTION
from tests.clearing_floor import ClearingFloor, clearing_floor
from tests.floor import CALL_90, CALL_100, PERP, cancel_reasons, of_type, refusal, was_accepted

LONG, SHORT, MAKER = 0, 1, 2
"""A small account that buys, its counterparty, and the rich one."""
SIX_LOTS_USDC = 5_735_169_600
"""The value of six lots of the perpetual."""


def a_long(cash_micro: int = 1_200_000_000, lots: int = 6, fund_micro: int = 0) -> ClearingFloor:
    """LONG holds lots of the perpetual: W is 18% of 5,735 USDC, 1,032 USDC."""
    floor = clearing_floor((cash_micro, 10**11), fund_micro=fund_micro)
    floor.trade(LONG, SHORT, PERP, lots)
    return floor


def test_a_mark_calls_an_account_below_w_and_a_later_one_lifts_the_call() -> None:
    floor = a_long()
    standing = floor.standing(LONG)
    assert standing.worst_micro == 6 * 172_055_088 + 3
    assert not standing.is_called
    events = floor.index(9_600)  # the account loses 229 USDC
    (called,) = of_type(events, e.MarginCalled)
    standing = floor.standing(LONG)
    assert called == e.MarginCalled(
        LONG,
        standing.equity_micro,
        standing.worst_micro,
        -(-standing.worst_micro * 80 // 100),
        0,
    )
    assert standing.maintenance_micro <= called.equity_micro < called.worst_micro
    assert floor.account(LONG).status == CALLED
    assert not of_type(floor.index(9_590), e.MarginCalled), "it is called once"
    floor.make_book(MAKER, PERP, 5)
    assert was_accepted(floor.sell(LONG, floor.near(PERP, 99), 1, PERP, time_in_force=IOC))
    (ended,) = of_type(floor.index(10_000), e.LiquidationEnded)
    assert (ended.account, ended.before, ended.steps) == (LONG, CALLED, 0)
    assert floor.account(LONG).status == OPEN


def test_a_deposit_lifts_a_margin_call_at_once() -> None:
    floor = a_long()
    floor.index(9_600)
    short = floor.standing(LONG).worst_micro - floor.standing(LONG).equity_micro
    assert not of_type(floor.deposit(LONG, short - 1), e.LiquidationEnded)
    assert of_type(floor.deposit(LONG, 1), e.LiquidationEnded)
    assert floor.account(LONG).status == OPEN


def test_below_maintenance_orders_go_and_an_empty_book_means_an_auction() -> None:
    floor = a_long()
    floor.sell(LONG, floor.near(PERP, 105), 1, PERP)
    floor.sell(MAKER, floor.near(PERP, 105), 1, PERP)
    floor.buy(MAKER, floor.near(PERP, 91), 1, PERP)  # out of the band
    events = floor.index(9_200)
    (started,) = of_type(events, e.LiquidationStarted)
    assert started.equity_micro < started.maintenance_micro
    assert e.CANCELLED_LIQUIDATED in cancel_reasons(events)
    assert not floor.account(LONG).orders
    assert not of_type(events, e.LiquidationStep)
    (opened,) = of_type(events, e.AuctionOpened)
    assert (opened.is_insolvent, opened.since_ns) == (0, floor.time_ns)
    assert floor.account(LONG).status == AUCTIONED


def fall(floor: ClearingFloor, percent_e2: int) -> tuple[e.Event, ...]:
    """The makers quote around the new mark before it is told."""
    floor.state.liquidations.is_armed = False
    floor.index(percent_e2)
    floor.make_book(MAKER, PERP, 20)
    floor.make_book(MAKER, CALL_100, 20)
    floor.state.liquidations.is_armed = True
    return floor.index(percent_e2)


def test_steps_reduce_until_equity_is_at_the_call_line() -> None:
    floor = a_long()
    events = fall(floor, 9_200)
    (step,) = of_type(events, e.LiquidationStep)
    assert (step.account, step.instrument, step.sells, step.step) == (LONG, PERP, 1, 1)
    assert step.asked_lots == step.filled_lots == 1
    assert step.worst_micro < step.worst_before_micro
    assert step.limit_price_micro >= step.mark_micro * 996 // 1_000
    assert step.fee_micro > 0
    assert state_fund(floor) == step.fee_micro
    while floor.account(LONG).status != OPEN:
        floor.advance(1)
    steps = of_type(floor.events_since(0), e.LiquidationStep)
    assert len(steps) > 1
    assert floor.account(LONG).status == OPEN
    assert not floor.standing(LONG).is_called
    assert 0 < floor.lots(LONG, PERP) < 6
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert state_fund(floor) == sum(step.fee_micro for step in steps)


def state_fund(floor: ClearingFloor) -> int:
    return floor.state.insurance_cash_micro


def test_who_is_liquidated_may_only_deposit_and_cancel() -> None:
    floor = a_long()
    floor.index(9_200)
    assert floor.account(LONG).status >= LIQUIDATING
    assert refusal(floor.buy(LONG, floor.near(PERP), 1, PERP)).code == IN_LIQUIDATION
    assert refusal(floor.withdraw(LONG, 1)).code == IN_LIQUIDATION
    assert refusal(floor.insure(LONG, 1)).code == IN_LIQUIDATION
    assert refusal(floor.choose_margin(LONG, 1)).code == IN_LIQUIDATION
    second = floor.open_account(10**9, owner=floor.owner(LONG))
    assert refusal(floor.transfer_cash(LONG, second, 1)).code == IN_LIQUIDATION
    assert refusal(floor.transfer_position(LONG, second, PERP, 1)).code == IN_LIQUIDATION
    assert refusal(floor.bid(second, LONG)).code == OWN_AUCTION
    assert was_accepted(floor.cancel_all(LONG))
    assert of_type(floor.deposit(LONG, 10**9), e.LiquidationEnded)
    assert was_accepted(floor.withdraw(LONG, 1))


def test_a_share_of_the_portfolio_is_bid_for_and_the_account_is_open_again() -> None:
    floor = a_long()
    floor.index(9_200)
    floor.advance(30)
    before = floor.standing(LONG)
    maker = floor.standing(MAKER).equity_micro
    events = floor.bid(MAKER, LONG)
    (bid,) = of_type(events, e.AuctionBidTaken)
    assert bid.discount_e6 == 890_000
    assert (bid.worth_micro, bid.asked_e6) == (before.equity_micro, 1_000_000)
    gain = floor.standing(MAKER).equity_micro - maker
    assert gain == bid.share_e6 * (bid.worth_micro - bid.price_micro) // 10**6
    assert floor.standing(LONG).equity_micro == before.equity_micro - gain
    while floor.account(LONG).status != OPEN:
        assert was_accepted(floor.bid(MAKER, LONG))
    assert not floor.standing(LONG).is_called
    assert of_type(floor.events_since(0), e.LiquidationEnded)


def test_nobody_comes_and_the_fund_pays_more_and_more_until_the_rest_is_closed() -> None:
    floor = a_long(fund_micro=10**10)
    floor.index(7_500)  # equity is below zero
    assert floor.standing(LONG).equity_micro < 0
    assert floor.account(LONG).status == AUCTIONED
    floor.advance(30)
    floor.index(7_500)
    fund = state_fund(floor)
    (bid,) = of_type(floor.bid(MAKER, LONG, 500_000), e.AuctionBidTaken)
    assert bid.is_insolvent
    assert bid.fund_micro == fund - state_fund(floor) > 0
    for _ in range(12):
        floor.advance(30)
        events = floor.index(7_500)
    assert floor.account(LONG).status == OPEN
    assert floor.standing(LONG).equity_micro == 0
    assert floor.lots(LONG, PERP) == 0
    assert floor.lots(SHORT, PERP) == -3, "closed against the other side, at the mark"
    closed = [event for event in floor.events_since(0) if isinstance(event, e.Deleveraged)]
    assert [(event.counterparty, event.loss_micro) for event in closed] == [(SHORT, 0)]
    del events


def test_with_the_fund_empty_the_other_side_closes_at_the_price_that_ends_at_zero() -> None:
    floor = a_long()
    events = floor.index(7_500)
    (closed,) = of_type(events, e.Deleveraged)
    assert closed.counterparty == SHORT
    assert closed.loss_micro > 0
    assert floor.standing(LONG).equity_micro == 0
    assert floor.account(LONG).status == OPEN
    assert closed.loss_micro <= 10**11 // 20


def test_the_standard_model_calls_and_liquidates_by_each_position_alone() -> None:
    """Long and short of near strikes: the portfolio model sees little, the standard model each."""
    events: dict[int, list[e.Event]] = {}
    for model in (PORTFOLIO_MODEL, STANDARD_MODEL):
        floor = clearing_floor((2_400_000_000,))
        floor.trade(0, 1, CALL_100, 10)
        floor.trade(1, 0, CALL_90, 10)
        assert was_accepted(floor.choose_margin(0, model)) or model == PORTFOLIO_MODEL
        told = len(floor.events)
        for percent_e2 in (10_400, 10_800, 11_500):
            floor.index(percent_e2)
        events[model] = floor.events_since(told)
        standing, needed = floor.standing(0), floor.state.portfolio.requirement(floor.account(0))
        assert standing.maintenance_micro == needed.maintenance_micro
        for started in of_type(events[model], e.LiquidationStarted):
            assert started.account == 0
            assert started.equity_micro < started.maintenance_micro
    assert not of_type(events[PORTFOLIO_MODEL], e.LiquidationStarted)
    assert len(of_type(events[STANDARD_MODEL], e.LiquidationStarted)) == 1
    steps = of_type(events[STANDARD_MODEL], e.LiquidationStep)
    assert all(step.worst_micro <= step.worst_before_micro for step in steps)
