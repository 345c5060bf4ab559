"""Who would like to make money out of a liquidation, and does not: bids that take what carries no
risk, collateral that stays while others pay, promises that the insurance fund cannot keep.
"""

import pytest

from exchange import events as e
from exchange.invariants import check
from margin.liquidation_parameters import MARK_AGE_S
from margin.standing import AUCTIONED, LIQUIDATING, OPEN
from matching.instruments import CALL
from matching.rejects import (
    AUCTION_PRICE_ABOVE,
    AUCTION_SHARE_TOO_SMALL,
    MARKS_TOO_OLD,
    NOT_AUCTIONED,
)
from tests.clearing_floor import ClearingFloor, clearing_floor
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    ETH_INDEX,
    MARCH,
    PERP,
    Listing,
    of_type,
    refusal,
    was_accepted,
)

LONG, SHORT, MAKER = 0, 1, 2
ETH = 1
ETHER = DOLLAR = 10**6


def equity(floor: ClearingFloor, account: int) -> int:
    return floor.standing(account).equity_micro


# WHAT A BIDDER TAKES


def with_a_worthless_call(lots: int) -> tuple[ClearingFloor, int]:
    """LONG has five lots of the perpetual, and many of a call that nobody will ever exercise."""
    floor = clearing_floor((1_300 * DOLLAR, 10**11))
    far = len(floor.state.instruments)
    floor.list_instrument(Listing(CALL, 0, 0, 9_000_000_000, 10_000))
    floor.index(10_000)
    floor.trade(LONG, SHORT, PERP, 5)
    floor.trade(LONG, SHORT, far, lots)
    floor.index(8_500)
    assert floor.account(LONG).status == AUCTIONED
    floor.advance(60)
    floor.index(8_500)
    return floor, far


def test_whoever_leaves_the_risk_behind_gains_nothing() -> None:
    """A share below a fifth moves no lot of the perpetual, and what it moves carries no risk."""
    floor, far = with_a_worthless_call(1_000)
    before = equity(floor, LONG)
    reject = refusal(floor.bid(MAKER, LONG, 199_999))
    assert (reject.code, reject.allowed) == (AUCTION_SHARE_TOO_SMALL, 0)
    assert (equity(floor, LONG), floor.lots(LONG, far)) == (before, 1_000)


def test_a_share_that_moves_no_risk_is_offered_larger_until_it_does() -> None:
    floor, _ = with_a_worthless_call(1_000)
    floor.index(8_530)  # just below the line: a hundredth of the portfolio would do
    standing = floor.standing(LONG)
    assert standing.is_called
    (bid,) = of_type(floor.bid(MAKER, LONG), e.AuctionBidTaken)
    assert dict(bid.moved)[PERP] == 1
    assert floor.lots(LONG, PERP) == 4
    assert bid.worst_micro < standing.worst_micro


def test_a_bidder_is_paid_for_the_risk_that_he_takes_and_no_more() -> None:
    floor, _ = with_a_worthless_call(7)
    before = floor.standing(LONG)
    (bid,) = of_type(floor.bid(MAKER, LONG), e.AuctionBidTaken)
    risk = (before.worst_micro - bid.worst_micro) * 10**6 // before.worst_micro
    lots = sum(abs(lots) for _, lots in bid.moved) * 10**6 // 12
    assert bid.share_e6 == min(risk, lots)


def test_an_account_that_stands_at_its_call_line_again_is_sold_no_more() -> None:
    """A higher number was deleveraged into health, and nothing has looked at it since."""
    floor = clearing_floor((1_600 * DOLLAR, 10**11))
    floor.trade(SHORT, LONG, CALL_90, 8)
    floor.index(11_000)
    assert floor.account(LONG).status == AUCTIONED
    floor.arm_liquidation(0)
    floor.index(9_500)
    floor.arm_liquidation(1)
    assert not floor.standing(LONG).is_called
    assert refusal(floor.bid(MAKER, LONG)).code == NOT_AUCTIONED
    floor.advance(1)
    assert floor.account(LONG).status == OPEN


def test_what_has_expired_is_not_bid_for() -> None:
    floor = clearing_floor((1_600 * DOLLAR, 10**11))
    floor.trade(SHORT, LONG, CALL_90, 8)
    floor.index(11_000)
    floor.arm_liquidation(0)
    floor.time_ns = MARCH * 10**9
    floor.index(11_000)
    floor.settle(0, BTC_INDEX * 14 // 10)
    floor.arm_liquidation(1)
    assert refusal(floor.bid(MAKER, LONG)).code == NOT_AUCTIONED
    floor.advance(1)
    assert not floor.account(LONG).positions
    assert was_accepted(floor.cut())


# WHAT A BIDDER WAS PROMISED


def insolvent(fund_micro: int) -> ClearingFloor:
    floor = clearing_floor((1_200 * DOLLAR, 10**11), fund_micro=fund_micro)
    floor.trade(LONG, SHORT, PERP, 6)
    floor.index(7_500)
    assert equity(floor, LONG) < 0
    return floor


def test_a_bidder_says_what_the_whole_may_cost_with_what_is_lacking() -> None:
    """The fund promises 60 and the account owes more: who wants to pay nothing takes nothing."""
    floor = insolvent(10**10)
    floor.advance(15)
    floor.index(7_500)
    standing = floor.standing(LONG)
    promised = (standing.worst_micro - standing.equity_micro) * 15 // 300
    cost = -standing.equity_micro - promised
    assert cost > 0
    reject = refusal(floor.bid(MAKER, LONG, price_micro=0))
    assert (reject.code, reject.got) == (AUCTION_PRICE_ABOVE, cost)
    gain = -equity(floor, MAKER)
    assert was_accepted(floor.bid(MAKER, LONG, price_micro=cost))
    gain += equity(floor, MAKER)
    assert gain == -cost


def test_a_bidder_is_told_that_the_fund_has_not_what_it_promised() -> None:
    floor = insolvent(400 * DOLLAR)
    for _ in range(4):
        floor.advance(60)
        floor.index(7_500)
    standing = floor.standing(LONG)
    promised = (standing.worst_micro - standing.equity_micro) * 240 // 300
    assert promised > 400 * DOLLAR
    cost = -standing.equity_micro - 400 * DOLLAR
    reject = refusal(floor.bid(MAKER, LONG, price_micro=-standing.equity_micro - promised))
    assert (reject.code, reject.got) == (AUCTION_PRICE_ABOVE, cost)
    gain = -equity(floor, MAKER)
    assert was_accepted(floor.bid(MAKER, LONG, price_micro=cost))
    assert gain + equity(floor, MAKER) == -cost


def test_the_funds_payment_begins_anew_when_there_was_worth_in_between() -> None:
    """An equity that touched zero long ago is no reason to pay all at the next touch."""
    floor = insolvent(10**10)
    floor.index(8_500)
    assert equity(floor, LONG) > 0
    for _ in range(6):
        floor.advance(50)
        floor.index(8_500)
    (opened,) = of_type(floor.index(7_500), e.AuctionOpened)
    assert (opened.is_insolvent, opened.since_ns) == (1, floor.time_ns)
    (bid,) = of_type(floor.bid(MAKER, LONG), e.AuctionBidTaken)
    assert (bid.price_micro, bid.fund_micro) == (0, 0)


# COLLATERAL


def with_ether(
    ether_micro: int, lots: int, *, cash_micro: int = 0, fund_micro: int = 0, cap: int = 10**10
) -> ClearingFloor:
    floor = clearing_floor((cash_micro, 10**12), fund_micro=fund_micro)
    assert was_accepted(floor.list_asset(ETH, cap_micro=cap))
    floor.deposit(LONG, ether_micro, ETH)
    if lots:
        floor.trade(LONG, SHORT, PERP, lots)
    return floor


def ether(floor: ClearingFloor, percent: int) -> tuple[e.Event, ...]:
    return floor.mark(1, ETH_INDEX * percent // 100)


def until_liquidated(floor: ClearingFloor) -> None:
    """Ether falls percent by percent."""
    for percent in range(99, 0, -1):
        ether(floor, percent)
        if floor.account(LONG).status >= LIQUIDATING:
            return
    raise AssertionError("nothing was owed")


def owing(owed_micro: int, ether_micro: int, fund_micro: int = 0) -> ClearingFloor:
    """LONG has nothing but ether, and owes about so much: he bought calls that fell, and sold
    them.
    """
    floor = with_ether(ether_micro, 0, fund_micro=fund_micro)
    lots = owed_micro // (40 * DOLLAR) + 1
    floor.trade(LONG, SHORT, CALL_100, lots)
    floor.index(2_500)
    floor.trade(SHORT, LONG, CALL_100, lots)
    floor.index(10_000)
    assert not floor.account(LONG).positions
    assert floor.account(LONG).cash_micro < -owed_micro
    return floor


def test_the_fund_pays_no_debt_while_there_is_something_to_sell() -> None:
    floor = owing(5_000 * DOLLAR, 5 * ETHER, 10**10)
    owed = -floor.account(LONG).cash_micro
    ether(floor, 35)
    standing = floor.standing(LONG)
    assert standing.equity_micro < 0 < standing.worst_micro
    assert floor.account(LONG).status == LIQUIDATING
    assert floor.state.insurance_cash_micro == 10**10
    assert floor.account(LONG).cash_micro == -owed
    assert was_accepted(floor.convert(MAKER, LONG, ETH))
    floor.advance(1)
    account = floor.account(LONG)
    if account.collateral:
        assert account.cash_micro == 0
        assert floor.state.insurance_cash_micro == 10**10
    else:
        assert floor.state.insurance_cash_micro < 10**10
    assert account.status == OPEN


def test_what_lies_beyond_the_cap_is_sold_before_anybody_pays() -> None:
    floor = with_ether(5 * ETHER, 10, fund_micro=10**10)
    floor.list_asset(ETH, cap_micro=10_000)  # nearly nothing of it counts any more
    floor.index(7_500)
    assert equity(floor, LONG) < 0
    for _ in range(40):
        floor.advance(50)
        floor.index(7_500)
        ether(floor, 100)
    assert floor.state.insurance_cash_micro == 10**10
    assert not floor.account(LONG).positions, "closed at the mark, at nobody's loss"
    assert all(not one.loss_micro for one in of_type(floor.events_since(0), e.Deleveraged))
    assert was_accepted(floor.convert(MAKER, LONG, ETH))
    assert floor.account(LONG).status == OPEN
    assert floor.account(LONG).collateral[ETH] > 0


def equity_at(floor: ClearingFloor, percent_e2: int) -> int:
    floor.index(percent_e2)
    return equity(floor, LONG)


def test_nobody_solvent_bears_what_collateral_covers() -> None:
    """The scan leaves 15% of the ether out; sold, it would bring all but 5%."""
    floor = with_ether(2 * ETHER, 18)
    floor.arm_liquidation(0)
    percent = next(e2 for e2 in range(8_000, 5_500, -20) if equity_at(floor, e2) < 0)
    before = equity(floor, SHORT)
    floor.arm_liquidation(1)
    for _ in range(8):
        ether(floor, 100)
        floor.index(percent)
        floor.advance(50)
    assert not floor.account(LONG).positions
    assert equity(floor, SHORT) == before
    assert all(not one.loss_micro for one in of_type(floor.events_since(0), e.Deleveraged))


def test_a_bidder_who_takes_a_lot_is_not_paid_for_the_collateral_that_stays() -> None:
    """A lot of risk is worth a lot's part of equity; the rest stands behind the ether."""
    floor = owing(5_000 * DOLLAR, 5 * ETHER)
    floor.trade(LONG, SHORT, PERP, 1)
    until_liquidated(floor)
    assert floor.account(LONG).status == AUCTIONED
    before = floor.standing(LONG)
    lot = BTC_INDEX * 18 // 100
    assert before.worst_micro > 5 * lot, "nearly all of the risk is the ether's"
    floor.advance(60)
    (bid,) = of_type(floor.bid(MAKER, LONG), e.AuctionBidTaken)
    assert bid.moved == ((PERP, 1),)
    gain = bid.lots_micro + bid.cash_micro
    assert gain <= before.equity_micro * lot // before.worst_micro // 5 + 1
    assert bid.worth_micro <= before.equity_micro * (lot + 1) // before.worst_micro + 1


def test_a_small_debt_of_who_is_liquidated_is_for_sale() -> None:
    """Less than the allowance, and he walks away: it must not stay for ever."""
    floor = with_ether(ETHER // 20, 0)  # 165 USDC
    floor.trade(LONG, SHORT, CALL_90, 1)
    floor.index(5_000)
    floor.trade(SHORT, LONG, CALL_90, 1)
    account = floor.account(LONG)
    assert -100 * DOLLAR < account.cash_micro < -80 * DOLLAR
    until_liquidated(floor)
    assert was_accepted(floor.convert(MAKER, LONG, ETH))
    floor.advance(1)
    assert (account.cash_micro, account.status) == (0, OPEN)


def test_collateral_is_not_sold_at_an_index_that_is_old() -> None:
    floor = owing(5_000 * DOLLAR, 5 * ETHER)
    floor.advance(MARK_AGE_S + 1)
    reject = refusal(floor.convert(MAKER, LONG, ETH))
    assert (reject.code, reject.got) == (MARKS_TOO_OLD, floor.state.marks.mark_time_s[1])
    ether(floor, 100)
    assert was_accepted(floor.convert(MAKER, LONG, ETH))


def test_a_portfolio_is_not_sold_while_the_index_of_its_collateral_is_old() -> None:
    floor = with_ether(ETHER // 10, 6, cash_micro=1_000 * DOLLAR)
    floor.index(9_000)
    assert floor.account(LONG).status == AUCTIONED
    floor.advance(MARK_AGE_S + 1)
    floor.index(9_000)
    reject = refusal(floor.bid(MAKER, LONG))
    assert (reject.code, reject.got) == (MARKS_TOO_OLD, floor.state.marks.mark_time_s[1])
    ether(floor, 100)
    assert was_accepted(floor.bid(MAKER, LONG))


def test_a_crumb_of_an_asset_whose_index_is_old_keeps_nobody_from_being_liquidated() -> None:
    """Ether's feed has stopped; who is short of margin in bitcoin deposits a millionth of one."""
    floor = with_ether(1, 6, cash_micro=1_200 * DOLLAR)
    floor.advance(MARK_AGE_S + 1)
    events = floor.index(9_200)
    assert of_type(events, e.LiquidationStarted)
    while floor.account(LONG).status == AUCTIONED:
        assert was_accepted(floor.bid(MAKER, LONG))


# WHO CLOSES FIRST


@pytest.mark.parametrize("moves", [False, True])
def test_a_position_moved_to_a_fresh_account_keeps_its_owners_place(moves: bool) -> None:
    """SHORT gained more than the other on more leverage; an account of his that gained nothing
    does not stand behind.
    """
    floor = clearing_floor((1_200 * DOLLAR, 2_000 * DOLLAR, 9_000 * DOLLAR))
    other = 2
    floor.trade(LONG, SHORT, PERP, 3)
    floor.trade(LONG, other, PERP, 3)
    second = floor.open_account(1_000 * DOLLAR, owner=floor.owner(SHORT))
    floor.arm_liquidation(0)
    floor.index(7_600)
    if moves:
        assert was_accepted(floor.transfer_position(SHORT, second, PERP, -3))
        assert was_accepted(floor.transfer_cash(SHORT, second, 1_000 * DOLLAR))
    floor.arm_liquidation(1)
    closed = of_type(floor.index(7_590), e.Deleveraged)
    assert [one.counterparty for one in closed] == [second if moves else SHORT, other]
    assert closed[0].profit_micro > 300 * DOLLAR


def test_a_crumb_in_the_fund_puts_nothing_off() -> None:
    """Whoever will be closed at a loss gives it a millionth of a dollar, to have time to leave."""
    floor = clearing_floor((1_200 * DOLLAR, 10**11))
    floor.trade(LONG, SHORT, PERP, 6)
    floor.insure(SHORT, 1)
    (closed,) = of_type(floor.index(7_500), e.Deleveraged)
    assert (closed.counterparty, closed.quantity_lots) == (SHORT, 6)
    assert floor.state.insurance_cash_micro == 0


# WHAT WAITS


def test_lots_that_no_cap_bears_do_not_hold_an_underlying_for_ever() -> None:
    """Each lot's loss is more than a twentieth of what the other side has left in its account."""
    floor = clearing_floor((1_200 * DOLLAR, 1_300 * DOLLAR))
    floor.trade(LONG, SHORT, PERP, 6)
    floor.arm_liquidation(0)
    floor.index(7_000)
    floor.withdraw(SHORT, floor.state.portfolio.excess_micro(floor.account(SHORT)))
    floor.index(5_500)
    owed = -equity(floor, LONG)
    cap = equity(floor, SHORT) // 20
    assert owed > 6 * cap
    floor.arm_liquidation(1)
    (closed,) = of_type(floor.index(5_500), e.Deleveraged)
    assert (closed.quantity_lots, closed.loss_micro) == (6, cap)
    assert not floor.state.trading.by_clearing
    account = floor.account(LONG)
    assert (account.cash_micro, account.status) == (cap - owed, AUCTIONED)
    floor.insure(MAKER, owed)
    floor.advance(1)
    assert (account.cash_micro, account.status) == (0, OPEN)
    assert floor.state.insurance_cash_micro == cap


def test_an_underlying_is_held_no_longer_than_lots_wait() -> None:
    """Its lots expired while they waited: what is owed now waits, and nobody else does."""
    floor = clearing_floor((1_600 * DOLLAR, 3_000 * DOLLAR))
    floor.trade(SHORT, LONG, CALL_90, 8)
    floor.arm_liquidation(0)
    floor.index(14_000)
    floor.withdraw(SHORT, floor.state.portfolio.excess_micro(floor.account(SHORT)))
    floor.arm_liquidation(1)
    events = floor.index(15_000)
    assert of_type(events, e.LossCapped)
    assert floor.state.trading.by_clearing
    floor.time_ns = MARCH * 10**9
    floor.settle(0, BTC_INDEX * 15 // 10)
    floor.advance(1)
    account = floor.account(LONG)
    assert not account.positions
    assert account.cash_micro < 0
    assert account.status >= LIQUIDATING
    assert not floor.state.trading.by_clearing
    assert check(floor.state) == []
