"""Transfers between accounts of one owner: what moves, what is settled first, and who may not.

Holds: every story runs on a watched floor, which recomputes conservation, margin and vectors after
each command; the refusals here are part of the completeness of `test_rejects_leave_no_trace.py`.
"""

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.events import Event
from exchange.handlers.accounts import free_collateral_micro
from exchange.invariants import excess_micro
from margin.standing import LIQUIDATING, OPEN
from matching import rejects as r
from matching.instruments import CALL
from matching.rejects import Reject
from settlement.record_types import CASH_MOVED, COLLATERAL_MOVED, POSITION_MOVED
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    ETH_PUT,
    FUT,
    LISTINGS,
    MARCH,
    PERP,
    START_S,
    Floor,
    of_type,
    open_floor,
    owner_of,
    refusal,
    was_accepted,
)

Story = Callable[[Floor], tuple[Event, ...]]
STORIES: Final[list[tuple[Story, Reject]]] = []
KEY: Final = b"\x07" * 20
OTHER_KEY: Final = b"\x08" * 20
MAIN, SUB, STRANGER = 3, 4, 0
CASH: Final = 1_000_000_000
FAR_S: Final = START_S + 86_400


def floor_with_sub_accounts(cash_micro: int = CASH) -> Floor:
    """Accounts 3 and 4 have one owner; 0 to 2 are others', rich."""
    floor = open_floor()
    main = floor.open_account(cash_micro)
    sub = floor.open_account(cash_micro, owner_of(MAIN))
    assert (main, sub) == (MAIN, SUB)
    return floor


def kinds(floor: Floor) -> list[int]:
    return [record[0] for group in floor.state.groups for record in group]


def trade(floor: Floor, instrument: int, lots: int, account: int = MAIN) -> None:
    """`account` buys (lots above 0) or sells at the mark, from or to account 0."""
    price = floor.near(instrument)
    if lots > 0:
        floor.sell(STRANGER, price, lots, instrument)
        assert was_accepted(floor.buy(account, price, lots, instrument))
    else:
        floor.buy(STRANGER, price, -lots, instrument)
        assert was_accepted(floor.sell(account, price, -lots, instrument))


# COLLATERAL

ETH, ETHER = 1, 10**6


def floor_with_ether(micro: int = 5 * ETHER) -> Floor:
    """Account MAIN has ether, and both little cash."""
    floor = floor_with_sub_accounts(10_000_000)
    assert was_accepted(floor.list_asset(ETH))
    floor.deposit(MAIN, micro, ETH)
    return floor


def test_collateral_moves_to_the_micro_unit_with_what_it_counts() -> None:
    floor = floor_with_ether()
    worth = excess_micro(floor.state, floor.account(MAIN))
    events = floor.transfer_cash(MAIN, SUB, 2 * ETHER + 1, asset=ETH)
    assert events == (e.CashTransferred(MAIN, SUB, ETH, 2_000_001, 2_999_999, 2_000_001),)
    assert kinds(floor)[-1] == COLLATERAL_MOVED
    assert floor.account(MAIN).collateral == {ETH: 2_999_999}
    assert floor.account(SUB).collateral == {ETH: 2_000_001}
    assert 0 < excess_micro(floor.state, floor.account(MAIN)) < worth
    assert was_accepted(floor.transfer_cash(MAIN, SUB, 2_999_999, asset=ETH)), "all of it"
    assert floor.account(MAIN).collateral == {}
    assert floor.account(MAIN).cash_micro == floor.account(SUB).cash_micro == 10_000_000
    floor.cut()


@given(st.integers(0, 20), st.integers(1, 100))
@settings(max_examples=15, deadline=None)
def test_collateral_moves_as_far_as_initial_margin_allows_and_no_further(
    lots: int, percent: int
) -> None:
    """What is free is found here by trying, and moves there and back without a trace."""
    floor = floor_with_ether()
    if lots:
        trade(floor, PERP, lots)
    free = free_collateral_micro(floor.state, floor.account(MAIN), ETH)
    assert free == 5 * ETHER or lots
    assert refusal(floor.transfer_cash(MAIN, SUB, free + 1, asset=ETH)) == Reject(
        r.COLLATERAL_NOT_FREE, free + 1, free
    )
    amount = free * percent // 100
    if amount:
        before = excess_micro(floor.state, floor.account(MAIN))
        assert was_accepted(floor.transfer_cash(MAIN, SUB, amount, asset=ETH))
        assert excess_micro(floor.state, floor.account(MAIN)) >= 0
        assert was_accepted(floor.transfer_cash(SUB, MAIN, amount, asset=ETH))
        assert excess_micro(floor.state, floor.account(MAIN)) == before
    floor.cut()


def test_collateral_brings_back_an_account_that_is_liquidated() -> None:
    floor = floor_with_ether()
    floor.account(SUB).status = LIQUIDATING
    assert was_accepted(floor.transfer_cash(MAIN, SUB, 4 * ETHER, asset=ETH))
    assert floor.account(SUB).status == OPEN


def test_what_is_not_listed_but_held_moves_too() -> None:
    floor = floor_with_sub_accounts()
    floor.deposit(MAIN, 500, 200)
    assert was_accepted(floor.transfer_cash(MAIN, SUB, 499, asset=200))
    assert floor.account(SUB).collateral == {200: 499}


# CASH


def test_cash_moves_to_the_micro_and_no_further() -> None:
    floor = floor_with_sub_accounts()
    events = floor.transfer_cash(MAIN, SUB, 400_000_001)
    assert events == (e.CashTransferred(3, 4, 0, 400_000_001, 599_999_999, 1_400_000_001),)
    assert kinds(floor)[-1] == CASH_MOVED
    floor.cut()


def test_what_has_accrued_is_taken_before_cash_moves() -> None:
    floor = floor_with_sub_accounts()
    trade(floor, PERP, 2)
    floor.mark(0, BTC_INDEX + 1_000_000)
    free = floor.account(MAIN).cash_micro + 2_000_000
    excess = excess_micro(floor.state, floor.account(MAIN))
    assert excess < free, "the margin of the position binds"
    assert refusal(floor.transfer_cash(MAIN, SUB, excess + 1)) == Reject(
        r.TRANSFER_TOO_LARGE, excess + 1, excess
    )
    events = floor.transfer_cash(MAIN, SUB, excess)
    assert of_type(events, e.PositionSettled) == [e.PositionSettled(MAIN, PERP, 2_000_000, 0)]
    assert excess_micro(floor.state, floor.account(MAIN)) == 0
    floor.cut()


def test_worth_that_is_no_cash_does_not_move() -> None:
    """An account that has spent its cash on options has excess, and no cash to give."""
    floor = floor_with_sub_accounts(2_000_000_000)
    trade(floor, CALL_90, 10)
    account = floor.account(MAIN)
    floor.transfer_cash(MAIN, SUB, min(account.cash_micro, excess_micro(floor.state, account)))
    assert account.cash_micro >= 0
    if account.cash_micro == 0:
        assert refusal(floor.transfer_cash(MAIN, SUB, 1)).code == r.TRANSFER_TOO_LARGE


def test_a_session_key_moves_only_between_accounts_that_both_know_it() -> None:
    floor = floor_with_sub_accounts()
    floor.register_key(MAIN, KEY, FAR_S)
    assert refusal(floor.transfer_cash(MAIN, SUB, 1, signer=KEY)).code == r.WRONG_SIGNER
    floor.register_key(SUB, KEY, FAR_S)
    assert was_accepted(floor.transfer_cash(MAIN, SUB, 1, signer=KEY))
    floor.register_key(SUB, OTHER_KEY, FAR_S)
    assert refusal(floor.transfer_cash(MAIN, SUB, 1, signer=OTHER_KEY)).code == r.WRONG_SIGNER


# POSITIONS


@pytest.mark.parametrize("instrument", [PERP, FUT, CALL_90, ETH_PUT])
@pytest.mark.parametrize("lots", [3, -3])
def test_a_position_moves_whole_and_in_parts_without_changing_what_both_are_worth(
    instrument: int, lots: int
) -> None:
    floor = floor_with_sub_accounts(50_000_000_000)
    trade(floor, instrument, lots)
    trade(floor, PERP, 1, SUB)
    floor.mark(0, BTC_INDEX + 3_000_000)
    floor.fund(PERP, 1_234)
    portfolio = floor.state.portfolio
    before = [portfolio.requirement(floor.account(n)).equity_micro for n in (MAIN, SUB)]
    worth = lots // 3 * floor.state.marks.mark_micro(floor.state.instruments[instrument])
    if instrument in (PERP, FUT):
        worth = 0  # settled up, it carries nothing
    events = floor.transfer_position(MAIN, SUB, instrument, lots // 3)
    (moved,) = of_type(events, e.PositionTransferred)
    held = floor.lots(SUB, instrument)
    assert moved == e.PositionTransferred(MAIN, SUB, instrument, lots // 3, lots - lots // 3, held)
    after = [portfolio.requirement(floor.account(n)).equity_micro for n in (MAIN, SUB)]
    assert after == [before[0] - worth, before[1] + worth]
    assert POSITION_MOVED in kinds(floor)
    events = floor.transfer_position(MAIN, SUB, instrument, lots - lots // 3)
    assert was_accepted(events)
    assert instrument not in floor.account(MAIN).positions
    floor.cut()


def test_a_position_that_meets_its_opposite_closes() -> None:
    floor = floor_with_sub_accounts(50_000_000_000)
    trade(floor, PERP, 5)
    trade(floor, PERP, -5, SUB)
    assert was_accepted(floor.transfer_position(MAIN, SUB, PERP, 5))
    assert not floor.account(MAIN).positions
    assert not floor.account(SUB).positions
    floor.cut()


def test_orders_that_may_only_reduce_follow_the_position() -> None:
    floor = floor_with_sub_accounts(50_000_000_000)
    trade(floor, PERP, 5)
    placed = floor.sell(MAIN, floor.near(PERP, 110), 5, PERP, flags=4)
    assert was_accepted(placed)
    events = floor.transfer_position(MAIN, SUB, PERP, 3)
    (reduced,) = of_type(events, e.OrderReduced)
    assert (reduced.lots, reduced.remaining_lots) == (3, 2)
    (gone,) = of_type(floor.transfer_position(MAIN, SUB, PERP, 2), e.OrderCancelled)
    assert gone.reason == e.CANCELLED_REDUCE_ONLY


def test_who_is_short_of_margin_may_be_given_what_eases_it() -> None:
    """A receiver below zero takes a position that raises its excess, and none that lowers it."""
    floor = floor_with_sub_accounts(50_000_000_000)
    trade(floor, PERP, 100)
    trade(floor, PERP, -60, SUB)
    spare = excess_micro(floor.state, floor.account(SUB))
    floor.transfer_cash(SUB, MAIN, spare)
    floor.mark(0, BTC_INDEX + 5_000_000)
    short = excess_micro(floor.state, floor.account(SUB))
    assert short < 0
    trade(floor, FUT, -1)
    more = refusal(floor.transfer_position(MAIN, SUB, FUT, -1))
    assert (more.code, more.allowed) == (r.RECEIVER_SHORT, short)
    assert was_accepted(floor.transfer_position(MAIN, SUB, PERP, 1))
    assert short < excess_micro(floor.state, floor.account(SUB)) < 0


def test_a_receiver_full_of_settled_positions_has_room() -> None:
    floor = floor_with_sub_accounts(50_000_000_000)
    trade(floor, FUT, 1, SUB)
    trade(floor, PERP, 1)
    floor.advance(MARCH - START_S)
    floor.settle(0, BTC_INDEX)
    events = floor.transfer_position(MAIN, SUB, PERP, 1)
    assert of_type(events, e.PositionSettled)[-1].closed == 1
    assert list(floor.account(SUB).positions) == [PERP]
    floor.cut()


def test_a_message_expires_and_is_taken_once() -> None:
    floor = floor_with_sub_accounts()
    assert was_accepted(floor.transfer_cash(MAIN, SUB, 5, salt=9))
    assert refusal(floor.transfer_cash(MAIN, SUB, 5, salt=9)).code == r.MESSAGE_ALREADY_USED
    assert refusal(floor.transfer_cash(MAIN, SUB, 5, life_s=0)).code == r.MESSAGE_EXPIRED
    too_far = floor.transfer_cash(MAIN, SUB, 5, life_s=31 * 86_400)
    assert refusal(too_far).code == r.EXPIRY_TOO_FAR


def test_an_account_that_is_liquidated_gives_nothing_and_takes_only_cash() -> None:
    floor = floor_with_sub_accounts()
    trade(floor, PERP, 1)
    floor.watched = False
    for liquidated in (MAIN, SUB):
        floor.account(liquidated).status = LIQUIDATING
        expected = Reject(r.IN_LIQUIDATION, liquidated, LIQUIDATING)
        assert refusal(floor.transfer_position(MAIN, SUB, PERP, 1)) == expected
        if liquidated == MAIN:
            assert refusal(floor.transfer_cash(MAIN, SUB, 1)) == expected
        floor.account(liquidated).status = OPEN
    floor.account(SUB).status = LIQUIDATING
    assert was_accepted(floor.transfer_cash(MAIN, SUB, 1))


def test_what_moves_is_no_profit() -> None:
    """Profit is equity beyond what was brought in: a transfer makes none and takes none away."""
    floor = floor_with_sub_accounts(50_000_000_000)
    trade(floor, CALL_90, 3)
    profits = [
        portfolio_equity(floor, account) - floor.account(account).paid_in_micro
        for account in (MAIN, SUB)
    ]
    floor.transfer_position(MAIN, SUB, CALL_90, 2)
    floor.transfer_cash(MAIN, SUB, 777)
    after = [
        portfolio_equity(floor, account) - floor.account(account).paid_in_micro
        for account in (MAIN, SUB)
    ]
    assert after == profits


def portfolio_equity(floor: Floor, account: int) -> int:
    return floor.state.portfolio.requirement(floor.account(account)).equity_micro


# REFUSALS


def told(code: int, got: int = 0, allowed: int = 0) -> Callable[[Story], Story]:
    def keep(story: Story) -> Story:
        STORIES.append((story, Reject(code, got, allowed)))
        return story

    return keep


@told(r.UNKNOWN_ACCOUNT, 9, 5)
def cash_from_nobody(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_cash(9, SUB, 1)


@told(r.UNKNOWN_ACCOUNT, 9, 5)
def cash_to_nobody(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_cash(MAIN, 9, 1)


@told(r.TRANSFER_TO_ITSELF, MAIN)
def cash_to_the_same_account(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_cash(MAIN, MAIN, 1)


@told(r.OTHER_OWNER, STRANGER, MAIN)
def cash_to_another_owner(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_cash(MAIN, STRANGER, 1)


@told(r.OTHER_OWNER, STRANGER, MAIN)
def a_session_key_of_two_owners_moves_no_cash_between_them(floor: Floor) -> tuple[Event, ...]:
    floor.register_key(MAIN, KEY, FAR_S)
    floor.register_key(STRANGER, KEY, FAR_S)
    return floor.transfer_cash(MAIN, STRANGER, 1, signer=KEY)


@told(r.WRONG_SIGNER, MAIN)
def cash_that_a_stranger_moves(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_cash(MAIN, SUB, 1, signer=owner_of(STRANGER))


@told(r.SESSION_KEY_EXPIRED, START_S - 1, START_S)
def cash_moved_by_a_key_that_is_over_for_the_receiver(floor: Floor) -> tuple[Event, ...]:
    floor.register_key(MAIN, KEY, FAR_S)
    floor.register_key(SUB, KEY, START_S - 1)
    return floor.transfer_cash(MAIN, SUB, 1, signer=KEY)


@told(r.UNKNOWN_ASSET, 1, 0)
def what_is_no_money(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_cash(MAIN, SUB, 1, asset=1)


@told(r.COLLATERAL_NOT_FREE, 1, 0)
def collateral_that_is_not_there(floor: Floor) -> tuple[Event, ...]:
    floor.list_asset(ETH)
    return floor.transfer_cash(MAIN, SUB, 1, asset=ETH)


@told(r.OTHER_OWNER, STRANGER, MAIN)
def collateral_to_another_owner(floor: Floor) -> tuple[Event, ...]:
    floor.deposit(MAIN, 500, 200)
    return floor.transfer_cash(MAIN, STRANGER, 1, asset=200)


@told(r.AMOUNT_OUT_OF_RANGE, 0, 2**63 - 1)
def no_cash_at_all(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_cash(MAIN, SUB, 0)


@told(r.TRANSFER_TOO_LARGE, CASH + 1, CASH)
def a_micro_more_than_there_is(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_cash(MAIN, SUB, CASH + 1)


@told(r.OTHER_OWNER, STRANGER, MAIN)
def a_position_to_another_owner(floor: Floor) -> tuple[Event, ...]:
    trade(floor, PERP, 1)
    return floor.transfer_position(MAIN, STRANGER, PERP, 1)


@told(r.UNKNOWN_INSTRUMENT, 99, len(LISTINGS))
def a_position_in_nothing_listed(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_position(MAIN, SUB, 99, 1)


@told(r.UNKNOWN_SIDE, 2)
def a_side_that_is_neither(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_position(MAIN, SUB, PERP, 1, side=2)


@told(r.QUANTITY_OUT_OF_RANGE, 0, 2**24 - 1)
def no_lots_at_all(floor: Floor) -> tuple[Event, ...]:
    return floor.transfer_position(MAIN, SUB, PERP, 0)


@told(r.LOTS_NOT_HELD, 3, 2)
def more_lots_than_the_position_has(floor: Floor) -> tuple[Event, ...]:
    trade(floor, PERP, 2)
    return floor.transfer_position(MAIN, SUB, PERP, 3)


@told(r.LOTS_NOT_HELD, 2, 0)
def lots_of_the_other_side(floor: Floor) -> tuple[Event, ...]:
    trade(floor, PERP, 2)
    return floor.transfer_position(MAIN, SUB, PERP, -2)


@told(r.INSTRUMENT_NOT_OPEN, FUT)
def a_position_that_is_settled(floor: Floor) -> tuple[Event, ...]:
    trade(floor, FUT, 1)
    floor.advance(MARCH - START_S)
    floor.settle(0, BTC_INDEX)
    return floor.transfer_position(MAIN, SUB, FUT, 1)


@told(r.TOO_MANY_LOTS, 2**24, 2**24 - 1)
def a_lot_beyond_what_an_account_may_have(floor: Floor) -> tuple[Event, ...]:
    trade(floor, PERP, 1)
    floor.watched = False
    floor.deposit(SUB, 10**17)
    floor.buy(SUB, 5_000, 2**24 - 1, PERP)
    floor.watched = True
    return floor.transfer_position(MAIN, SUB, PERP, 1)


@told(r.TOO_MANY_POSITIONS, SUB, 256)
def one_position_too_many(floor: Floor) -> tuple[Event, ...]:
    trade(floor, PERP, 1)
    floor.watched = False
    strike = LISTINGS[CALL_90]
    for more in range(256):
        floor.list_instrument(strike._replace(kind=CALL, strike_micro=910_000_000 + 10_000 * more))
    floor.mark(0, BTC_INDEX)
    floor.deposit(1, 10**15)
    for number in range(len(LISTINGS), len(LISTINGS) + 256):
        price = floor.near(number)
        floor.deposit(SUB, price * 2)
        floor.sell(1, price, 1, number)
        floor.buy(SUB, price, 1, number)
    assert len(floor.account(SUB).positions) == 256
    floor.watched = True
    return floor.transfer_position(MAIN, SUB, PERP, 1)


@pytest.mark.parametrize(("story", "expected"), STORIES, ids=[s.__name__ for s, _ in STORIES])
def test_a_transfer_is_refused_and_leaves_no_trace(story: Story, expected: Reject) -> None:
    assert refusal(story(floor_with_sub_accounts())) == expected
    assert "{" not in expected.message


def test_a_giver_that_needs_its_hedge_keeps_it() -> None:
    floor = floor_with_sub_accounts(50_000_000_000)
    trade(floor, PERP, 100)
    trade(floor, FUT, -100)
    spare = excess_micro(floor.state, floor.account(MAIN))
    floor.transfer_cash(MAIN, SUB, spare - 1_000_000)
    told_no = refusal(floor.transfer_position(MAIN, SUB, PERP, 50))
    assert (told_no.code, told_no.allowed) == (r.GIVER_SHORT, 1_000_000)
    assert told_no.got > 0


def test_a_receiver_without_margin_takes_nothing() -> None:
    floor = floor_with_sub_accounts(10_000_000_000)
    trade(floor, PERP, 20)
    floor.transfer_cash(SUB, MAIN, 10_000_000_000)
    told_no = refusal(floor.transfer_position(MAIN, SUB, PERP, 20))
    assert (told_no.code, told_no.allowed) == (r.RECEIVER_SHORT, 0)
