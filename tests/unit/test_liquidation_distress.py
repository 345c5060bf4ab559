"""Liquidation when much goes wrong at once: old and refused marks, an expiry under the hammer, a
whole side that falls, an empty fund, bidders that cannot carry what they bid for.
"""

import pytest

from exchange import events as e
from exchange.clearing_views import auctions
from exchange.invariants import check
from exchange.liquidation_invariants import plain_standing
from exchange.market_data import PublicMarket
from margin.accounts import MAX_POSITIONS
from margin.auction import discount_e6
from margin.liquidation_parameters import EPOCH_S, LOSS_CAP_E4, MARK_AGE_S
from margin.standing import AUCTIONED, LIQUIDATING, OPEN
from matching.instruments import CALL
from matching.rejects import (
    CANCEL_ONLY_NOW,
    MARGIN,
    MARK_OUT_OF_BOUNDS,
    MARKS_TOO_OLD,
    NOT_AUCTIONED,
    TOO_MANY_POSITIONS,
)
from settlement.account_messages import BidAuction
from settlement.signed_messages import struct_hash
from tests.clearing_floor import ClearingFloor, clearing_floor
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    FUT,
    MARCH,
    PERP,
    Listing,
    of_type,
    refusal,
    was_accepted,
)

LONG, SHORT, MAKER = 0, 1, 2


def a_long(fund_micro: int = 0, short_micro: int = 10**11) -> ClearingFloor:
    floor = clearing_floor((1_200_000_000, short_micro), fund_micro=fund_micro)
    floor.trade(LONG, SHORT, PERP, 6)
    return floor


# MARKS


def test_nobody_is_liquidated_on_a_mark_that_was_refused() -> None:
    floor = a_long()
    assert refusal(floor.mark(0, BTC_INDEX * 92 // 100, smile=(0, -1, 0, 0, 1))).code == (
        MARK_OUT_OF_BOUNDS
    )
    assert floor.account(LONG).status == OPEN


def test_nobody_is_liquidated_while_liquidation_is_held_and_all_is_when_it_is_armed_again() -> None:
    floor = a_long()
    floor.arm_liquidation(0)
    floor.index(9_200)
    assert floor.account(LONG).status == OPEN
    floor.arm_liquidation(1)
    floor.index(9_200)
    assert floor.account(LONG).status == AUCTIONED
    floor.arm_liquidation(0)
    assert refusal(floor.bid(MAKER, LONG)).code == NOT_AUCTIONED


def test_a_feed_that_stops_decides_nothing_more() -> None:
    floor = a_long(fund_micro=10**9)
    floor.index(9_200)
    told = len(floor.events)
    floor.advance(61)
    floor.advance(10_000)
    decided = [event for event in floor.events_since(told) if not isinstance(event, e.TimeAdvanced)]
    assert decided == []
    assert refusal(floor.bid(MAKER, LONG)).code == MARKS_TOO_OLD
    events = floor.index(9_200)
    (again,) = of_type(events, e.AuctionOpened)  # its clock stood while nobody could bid
    assert again.since_ns == floor.time_ns - (MARK_AGE_S + 1) * 10**9
    assert not of_type(floor.events_since(told), e.Deleveraged)
    (taken,) = of_type(floor.bid(MAKER, LONG), e.AuctionBidTaken)
    assert taken.discount_e6 == discount_e6((MARK_AGE_S + 1) * 10**9)


def test_while_liquidation_is_held_no_price_falls() -> None:
    """An hour's hold is not an hour in which nobody came."""
    floor = a_long(fund_micro=10**9)
    floor.index(9_200)
    floor.advance(20)
    floor.index(9_200)
    floor.arm_liquidation(0)
    for _ in range(60):
        floor.advance(60)
        floor.index(9_200)
    floor.arm_liquidation(1)
    (view,) = auctions(floor.state)
    assert view.discount_e6 == discount_e6((20 + MARK_AGE_S + 1) * 10**9)
    events = floor.index(9_200)
    (again,) = of_type(events, e.AuctionOpened)
    assert again.since_ns == floor.time_ns - (20 + MARK_AGE_S + 1) * 10**9
    (taken,) = of_type(floor.bid(MAKER, LONG), e.AuctionBidTaken)
    assert taken.discount_e6 == view.discount_e6


def test_the_fund_s_time_stands_while_nobody_can_bid() -> None:
    floor = a_long(fund_micro=10**10)
    floor.index(7_500)
    assert floor.account(LONG).status == AUCTIONED
    floor.advance(40)
    floor.index(7_500)
    floor.advance(3_600)
    (again,) = of_type(floor.index(7_500), e.AuctionOpened)
    assert (again.is_insolvent, floor.time_ns - again.since_ns) == (1, (101) * 10**9)
    assert floor.lots(LONG, PERP) == 6, "nobody was closed against: there is time left to bid"
    floor.advance(60)
    assert not of_type(floor.index(7_500), e.AuctionOpened), "told where it stood alone"


def test_a_mark_that_recovers_during_a_liquidation_ends_it() -> None:
    floor = a_long()
    floor.index(9_200)
    assert floor.account(LONG).status == AUCTIONED
    events = floor.index(10_000)
    assert of_type(events, e.AuctionEnded)[0].reason == e.RECOVERED
    assert of_type(events, e.LiquidationEnded)
    assert floor.account(LONG).status == OPEN
    assert floor.lots(LONG, PERP) == 6


def test_a_mark_that_falls_on_turns_the_auction_over_to_the_fund() -> None:
    floor = a_long(fund_micro=10**10)
    floor.index(9_200)
    floor.advance(10)
    (turned,) = of_type(floor.index(7_500), e.AuctionOpened)
    assert (turned.is_insolvent, turned.since_ns) == (1, floor.time_ns)
    (back,) = of_type(floor.index(8_500), e.AuctionOpened)
    assert back.is_insolvent == 0


def test_funding_alone_can_call_and_liquidate() -> None:
    floor = a_long()
    events = floor.fund(PERP, 80_000_000)  # 480 USDC for six lots
    assert of_type(events, e.LiquidationStarted)


# EXPIRY


def test_an_expiry_during_an_auction_settles_what_was_offered() -> None:
    floor = clearing_floor((1_600_000_000, 10**11))
    floor.trade(SHORT, LONG, CALL_90, 8)
    floor.index(11_000)
    assert floor.account(LONG).status == AUCTIONED
    offered = floor.standing(LONG).equity_micro
    assert offered > 0
    floor.time_ns = MARCH * 10**9
    events = floor.settle(0, BTC_INDEX)
    settled = of_type(events, e.PositionSettled)
    assert [(event.account, event.closed) for event in settled] == [(LONG, 1)]
    assert of_type(events, e.LiquidationEnded)
    assert floor.account(LONG).status == OPEN
    assert not floor.account(LONG).positions


def test_an_expiry_that_leaves_a_debt_is_paid_by_the_fund_when_it_has_money() -> None:
    floor = clearing_floor((1_600_000_000, 10**11))
    floor.trade(SHORT, LONG, CALL_90, 8)
    floor.index(11_000)
    floor.time_ns = MARCH * 10**9
    floor.settle(0, BTC_INDEX * 140 // 100)
    account = floor.account(LONG)
    assert not account.positions
    debt = -account.cash_micro
    assert debt > 0
    assert account.status >= LIQUIDATING
    floor.insure(MAKER, debt - 1)
    floor.advance(1)
    assert account.cash_micro == -1
    assert account.status >= LIQUIDATING
    floor.insure(MAKER, 10)
    floor.advance(1)
    assert (account.cash_micro, account.status) == (0, OPEN)
    assert floor.state.insurance_cash_micro == 9


def test_a_perpetual_that_ends_leaves_no_debt_unseen() -> None:
    """No mark of its underlying need ever come again."""
    floor = a_long(fund_micro=10**9)
    end_s = floor.time_s + 3_600
    floor.delist(PERP, end_s)
    floor.time_ns = end_s * 10**9
    events = floor.settle_perpetual(PERP, BTC_INDEX * 75 // 100)
    owed = 6 * (BTC_INDEX - BTC_INDEX * 75 // 100) - 1_200_000_000
    assert of_type(events, e.LiquidationStarted)
    (paid,) = of_type(events, e.InsurancePaid)
    assert owed < paid.amount_micro < owed + 10**7, "with the fee of its trade"
    assert was_accepted(floor.cut())
    assert (floor.account(LONG).cash_micro, floor.account(LONG).status) == (0, OPEN)


# DELEVERAGING


def test_all_open_interest_on_one_side_is_liquidated_at_once() -> None:
    floor = clearing_floor((1_200_000_000, 1_300_000_000, 1_400_000_000, 10**12))
    for number in range(3):
        floor.trade(number, 3, PERP, 6)
    events = floor.index(7_000)
    closed = of_type(events, e.Deleveraged)
    assert sorted(event.account for event in closed) == [0, 1, 2]
    assert floor.lots(3, PERP) == 0
    for number in range(3):
        assert floor.standing(number).equity_micro == 0
        assert floor.account(number).status == OPEN
    assert check(floor.state) == []


def test_losses_are_capped_and_the_rest_waits_for_the_next_epoch_with_orders_shut_out() -> None:
    floor = a_long(short_micro=2_500_000_000)
    events = floor.index(7_500)
    (closed,) = of_type(events, e.Deleveraged)
    (capped,) = of_type(events, e.LossCapped)
    assert 0 < closed.quantity_lots < 6
    assert capped.lots_left == 6 - closed.quantity_lots
    assert closed.loss_micro * 10**4 <= closed.equity_micro * LOSS_CAP_E4
    assert refusal(floor.buy(MAKER, floor.near(PERP), 1, PERP)).code == CANCEL_ONLY_NOW
    told = len(floor.events)
    floor.index(7_500)
    assert not of_type(floor.events_since(told), e.Deleveraged), "it waits"
    for _ in range(12):
        floor.advance(EPOCH_S)
        floor.index(7_500)
    last = of_type(floor.events_since(0), e.LossCapped)[-1]
    assert (last.underlying, last.lots_left) == (0, 0)
    assert floor.account(LONG).status == OPEN
    assert floor.standing(LONG).equity_micro == 0
    assert was_accepted(floor.buy(MAKER, floor.near(PERP), 1, PERP))


def test_the_fund_is_emptied_before_anybody_solvent_pays() -> None:
    floor = a_long(fund_micro=100_000_000)
    floor.arm_liquidation(0)
    floor.index(7_500)
    deficit = -floor.standing(LONG).equity_micro
    assert deficit > 100_000_000, "so that nobody would come for what the fund has"
    floor.arm_liquidation(1)
    told = floor.index(7_500)
    (paid,) = of_type(told, e.InsurancePaid)
    (closed,) = of_type(told, e.Deleveraged)
    assert (paid.amount_micro, paid.fund_micro) == (100_000_000, 0)
    assert closed.loss_micro == deficit - 100_000_000
    assert told.index(paid) < told.index(closed)


def test_who_gained_most_on_most_leverage_closes_first() -> None:
    floor = clearing_floor((1_200_000_000, 30_000_000_000, 10_000_000_000, 20_000_000_000))
    for seller in (1, 2, 3):
        floor.trade(0, seller, PERP, 2)
    floor.deposit(2, 10**12)  # much equity, little leverage
    closed = of_type(floor.index(7_500), e.Deleveraged)
    assert [(event.counterparty, event.rank) for event in closed] == [(3, 1), (1, 2), (2, 3)]


def test_two_insolvent_accounts_close_against_each_other_at_the_mark() -> None:
    floor = clearing_floor((1_500_000_000, 1_500_000_000, 10**12))
    floor.trade(0, 1, PERP, 6)
    floor.trade(2, 1, CALL_100, 6)  # the short side sold calls too
    floor.arm_liquidation(0)
    floor.index(13_500)
    assert floor.standing(1).equity_micro < 0 < floor.standing(0).equity_micro
    floor.index(10_000)
    floor.arm_liquidation(1)
    floor.index(13_500)
    assert floor.account(1).status == OPEN or floor.account(1).status >= LIQUIDATING
    assert check(floor.state) == []
    assert sum(floor.lots(number, PERP) for number in floor.state.accounts) == 0


# BIDDERS


def test_a_bidder_at_his_256_positions_is_told_so_and_may_bid_for_what_he_has() -> None:
    floor = clearing_floor((1_600_000_000, 10**12, 10**13), watched=False)
    floor.trade(SHORT, LONG, CALL_90, 8)
    floor.index(11_000)
    for number in range(9, 9 + MAX_POSITIONS):
        floor.list_instrument(Listing(CALL, 0, 0, 900_000_000 + number * 10_000, 10_000))
    floor.index(11_000)
    free = range(9, 9 + MAX_POSITIONS)
    for number in free:
        floor.trade(MAKER, 3, number, 1)
    assert len(floor.account(MAKER).positions) == MAX_POSITIONS
    reject = refusal(floor.bid(MAKER, LONG))
    assert (reject.code, reject.allowed) == (TOO_MANY_POSITIONS, MAX_POSITIONS)
    floor.trade(3, MAKER, free[0], 1)
    assert was_accepted(floor.bid(MAKER, LONG))
    assert floor.lots(MAKER, CALL_90) < 0
    assert check(floor.state) == []


def test_a_bidder_needs_his_initial_margin_after_the_bid() -> None:
    floor = clearing_floor((1_200_000_000, 10**11, 50_000_000))
    floor.trade(LONG, SHORT, PERP, 6)
    floor.index(9_200)
    reject = refusal(floor.bid(2, LONG))
    assert reject.code == MARGIN
    floor.deposit(2, reject.got)
    assert was_accepted(floor.bid(2, LONG))
    _, worst, _ = plain_standing(floor.state, floor.account(2))
    assert floor.standing(2).equity_micro >= worst


def test_the_order_of_a_step_has_the_hash_that_anyone_can_compute() -> None:
    from exchange.handlers.liquidation import ORDER_TAG  # noqa: PLC0415
    from settlement.keccak import keccak256  # noqa: PLC0415

    floor = a_long()
    floor.buy(MAKER, floor.near(PERP, 99), 20, PERP)
    events = floor.index(9_200)
    (step,) = of_type(events, e.LiquidationStep)
    named = (step.account, 4), (floor.state.sequence, 8), (step.step, 4)
    tag = ORDER_TAG + b"".join(value.to_bytes(size, "big") for value, size in named)
    assert step.order_hash == keccak256(tag)
    (placed,) = of_type(events, e.OrderPlaced)
    assert placed.order_hash == step.order_hash


@pytest.mark.parametrize("share", [1, 100_000, 1_000_000])
def test_shares_are_rounded_so_that_nothing_turns_and_the_last_lot_goes(share: int) -> None:
    floor = clearing_floor((650_000_000, 10**11))
    floor.trade(LONG, SHORT, PERP, 2)
    floor.trade(LONG, SHORT, FUT, 1)
    floor.index(9_000)
    assert floor.account(LONG).status == AUCTIONED
    for _ in range(400):
        if floor.account(LONG).status == OPEN:
            break
        before = (floor.lots(LONG, PERP), floor.lots(LONG, FUT))
        if not was_accepted(floor.bid(MAKER, LONG, share)):
            assert share < 500_000
            break
        after = (floor.lots(LONG, PERP), floor.lots(LONG, FUT))
        assert all(0 <= now <= was for now, was in zip(after, before, strict=True))
        assert after != before
    if share == 1_000_000:
        assert floor.account(LONG).status == OPEN


def test_a_bid_says_what_it_costs_at_most_and_is_not_taken_twice() -> None:
    floor = a_long()
    floor.index(9_200)
    price = floor.standing(LONG).equity_micro * 98 // 100
    assert not was_accepted(floor.bid(MAKER, LONG, price_micro=price - 1))
    assert was_accepted(floor.bid(MAKER, LONG, 170_000, price_micro=price + 1, salt=5))
    message = BidAuction(MAKER, LONG, 170_000, 1, price + 1, 5, floor.time_s + 60)
    assert struct_hash(message) in floor.state.used
    assert not was_accepted(floor.bid(MAKER, LONG, 170_000, price_micro=price + 1, salt=5))


def test_open_interest_and_states_follow_from_the_events_alone() -> None:
    floor = a_long(short_micro=2_500_000_000)
    market = PublicMarket(floor.state.instruments)
    for _ in range(8):
        floor.index(7_500)
        floor.advance(EPOCH_S)
        held = market_after(market, floor)
        assert held == floor.state.trading.by_clearing
        positions = [floor.lots(number, PERP) for number in floor.state.accounts]
        assert market.open_interest_lots(PERP) == sum(lots for lots in positions if lots > 0)


def market_after(market: PublicMarket, floor: ClearingFloor) -> dict[int, int]:
    """Tells the market all events that it has not seen; gives the underlyings that it holds."""
    market.take(floor.state.sequence, floor.time_ns, floor.events_since(market.sequence))
    market.sequence = len(floor.events)
    return market.states.by_clearing


def test_a_perpetual_that_ends_far_from_its_mark_leaves_a_debt_that_is_found_at_once() -> None:
    """No mark of a market that ends may ever come again."""
    floor = a_long(fund_micro=10**11)
    floor.delist(PERP, floor.time_s + 3_600)
    floor.advance(3_600)
    events = floor.settle_perpetual(PERP, BTC_INDEX * 70 // 100)
    (started,) = of_type(events, e.LiquidationStarted)
    assert started.account == LONG
    (paid,) = of_type(events, e.InsurancePaid)
    assert (paid.account, paid.amount_micro) == (LONG, -started.equity_micro)
    assert floor.account(LONG).status == OPEN
    assert floor.account(LONG).cash_micro == 0
