"""Every way in which liquidation says no: the right number, what was got, what would be right; and
no trace (the floor compares the state's digest).
"""

from collections.abc import Callable
from typing import Final

import pytest

from exchange import commands as c
from exchange.events import Event, LiquidationEnded
from margin.standing import AUCTIONED, OPEN
from matching import rejects as r
from matching.rejects import Reject
from settlement.account_messages import BidAuction, FundInsurance
from settlement.signed_messages import struct_hash
from tests.clearing_floor import ClearingFloor
from tests.floor import NO_SIGNATURE, PERP, of_type, open_floor, owner_of, refusal

Events = tuple[Event, ...]
Story = Callable[[ClearingFloor], Events]

LONG, SHORT, SIBLING, MAKER = 0, 1, 2, 3
STORIES: Final[list[tuple[Story, Reject]]] = []


def told(code: int, got: int = 0, allowed: int = 0) -> Callable[[Story], Story]:
    def keep(story: Story) -> Story:
        STORIES.append((story, Reject(code, got, allowed)))
        return story

    return keep


@pytest.fixture
def floor() -> ClearingFloor:
    """LONG's six lots of the perpetual are auctioned; SIBLING is of the same owner."""
    floor = ClearingFloor()
    open_floor(0, floor=floor)
    floor.open_account(1_200_000_000)
    floor.open_account(10**11)
    floor.open_account(10**11, owner_of(LONG))
    floor.open_account(10**13)
    floor.arm_liquidation()
    floor.trade(LONG, SHORT, PERP, 6)
    floor.index(9_200)
    assert floor.account(LONG).status == AUCTIONED
    return floor


@told(r.IN_LIQUIDATION, LONG, AUCTIONED)
def an_order_of_an_account_under_liquidation(floor: ClearingFloor) -> Events:
    return floor.buy(LONG, floor.near(PERP), 1, PERP)


@told(r.IN_LIQUIDATION, LONG, AUCTIONED)
def a_withdrawal_from_an_account_under_liquidation(floor: ClearingFloor) -> Events:
    return floor.withdraw(LONG, 1)


@told(r.IN_LIQUIDATION, LONG, AUCTIONED)
def a_gift_to_the_fund_from_an_account_under_liquidation(floor: ClearingFloor) -> Events:
    return floor.insure(LONG, 1)


@told(r.IN_LIQUIDATION, LONG, AUCTIONED)
def a_bid_of_an_account_under_liquidation(floor: ClearingFloor) -> Events:
    return floor.bid(LONG, LONG)


@told(r.IN_LIQUIDATION, LONG, AUCTIONED)
def a_transfer_from_an_account_under_liquidation(floor: ClearingFloor) -> Events:
    return floor.transfer_cash(LONG, SIBLING, 1)


@told(r.IN_LIQUIDATION, LONG, AUCTIONED)
def lots_given_by_an_account_under_liquidation(floor: ClearingFloor) -> Events:
    return floor.transfer_position(LONG, SIBLING, PERP, 1)


@told(r.IN_LIQUIDATION, LONG, AUCTIONED)
def lots_given_to_an_account_under_liquidation(floor: ClearingFloor) -> Events:
    return floor.transfer_position(SIBLING, LONG, PERP, 1)


@told(r.NOT_AUCTIONED, SHORT)
def a_bid_for_an_account_that_stands_well(floor: ClearingFloor) -> Events:
    return floor.bid(MAKER, SHORT)


@told(r.NOT_AUCTIONED, 77)
def a_bid_for_an_account_that_nobody_opened(floor: ClearingFloor) -> Events:
    return floor.bid(MAKER, 77)


@told(r.OWN_AUCTION, LONG)
def a_bid_of_the_owners_other_account(floor: ClearingFloor) -> Events:
    return floor.bid(SIBLING, LONG)


@told(r.SHARE_OUT_OF_RANGE, 1_000_001, 1_000_000)
def a_bid_for_more_than_the_whole(floor: ClearingFloor) -> Events:
    return floor.bid(MAKER, LONG, 1_000_001)


@told(r.SHARE_OUT_OF_RANGE, 5, 1_000_000)
def a_bid_that_wants_more_than_its_most(floor: ClearingFloor) -> Events:
    return floor.bid(MAKER, LONG, 5, least_e6=6)


@told(r.AUCTION_SHARE_TOO_SMALL, 1, 0)
def a_bid_for_less_than_a_lot(floor: ClearingFloor) -> Events:
    return floor.bid(MAKER, LONG, 166_666)


@told(r.AUCTION_SHARE_TOO_SMALL, 500_000, 166_666)
def a_bid_that_wants_more_than_can_be_had(floor: ClearingFloor) -> Events:
    return floor.bid(MAKER, LONG, least_e6=500_000)


@told(r.AUCTION_PRICE_ABOVE, 723_561_879, 700_000_000)
def a_bid_below_the_price_of_the_moment(floor: ClearingFloor) -> Events:
    return floor.bid(MAKER, LONG, price_micro=700_000_000)


@told(r.MARKS_TOO_OLD, 1_768_521_040, 1_768_521_041)
def a_bid_by_marks_that_are_old(floor: ClearingFloor) -> Events:
    floor.advance(61)
    return floor.bid(MAKER, LONG)


@told(r.WITHDRAWAL_TOO_LARGE, 10**13 + 1, 10**13)
def a_gift_to_the_fund_of_more_than_is_free(floor: ClearingFloor) -> Events:
    return floor.insure(MAKER, 10**13 + 1)


@told(r.AMOUNT_OUT_OF_RANGE, 0, (1 << 63) - 1)
def a_gift_of_nothing(floor: ClearingFloor) -> Events:
    return floor.insure(MAKER, 0)


@told(r.WRONG_SIGNER, MAKER)
def a_bid_that_a_stranger_signed(floor: ClearingFloor) -> Events:
    return floor.bid(MAKER, LONG, signer=b"\x66" * 20)


@told(r.MESSAGE_ALREADY_USED)
def a_gift_that_is_sent_twice(floor: ClearingFloor) -> Events:
    floor.insure(MAKER, 5, salt=9)
    return floor.insure(MAKER, 5, salt=9)


@told(r.MESSAGE_EXPIRED, 1_768_521_040, 1_768_521_040)
def a_bid_whose_time_is_over(floor: ClearingFloor) -> Events:
    return floor.bid(MAKER, LONG, life_s=0)


@told(r.UNKNOWN_ACCOUNT, 99, 4)
def a_bid_of_nobody(floor: ClearingFloor) -> Events:
    return floor.bid(99, LONG, signer=owner_of(99))


@told(r.UNKNOWN_ACCOUNT, 99, 4)
def a_gift_of_nobody(floor: ClearingFloor) -> Events:
    message = FundInsurance(99, 1, 1, floor.time_s + 60)
    signed = struct_hash(message), owner_of(99), NO_SIGNATURE
    return floor.send(c.FundInsurance(floor.time_ns, *message, *signed))


@pytest.mark.parametrize(("story", "expected"), STORIES, ids=[s.__name__ for s, _ in STORIES])
def test_the_engine_refuses(floor: ClearingFloor, story: Story, expected: Reject) -> None:
    assert refusal(story(floor)) == expected


def test_cash_of_the_owners_other_account_ends_a_liquidation(floor: ClearingFloor) -> None:
    events = floor.transfer_cash(SIBLING, LONG, 10**9)
    assert [event.account for event in of_type(events, LiquidationEnded)] == [LONG]
    assert floor.account(LONG).status == OPEN
    assert floor.account(LONG).paid_in_micro == 1_200_000_000 + 10**9
    assert floor.account(SIBLING).paid_in_micro == 10**11 - 10**9


def test_before_genesis_no_bid_is_taken() -> None:
    floor = ClearingFloor(watched=False)
    message = BidAuction(0, 1, 1, 1, 0, 1, floor.time_s + 60)
    signed = struct_hash(message), owner_of(0), NO_SIGNATURE
    reject = refusal(floor.send(c.BidAuction(floor.time_ns, *message, *signed)))
    assert reject.code == r.GENESIS
