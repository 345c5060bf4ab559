"""Margin models and tiers: chosen by the owner, set by the operator, refused without a trace."""

from collections.abc import Callable
from typing import Final

import pytest

from exchange import events as e
from exchange.commands import SetRiskProfile
from exchange.events import Event
from margin.accounts import PORTFOLIO_MODEL, STANDARD_MODEL
from margin.parameters import PORTFOLIO_EQUITY_MICRO
from matching import rejects as r
from matching.rejects import Reject
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    DAY_S,
    PERP,
    PUT_90,
    Floor,
    fills,
    has_rested,
    open_floor,
    owner_of,
    refusal,
    was_accepted,
)

Events = tuple[Event, ...]
STORIES: Final[list[tuple[Callable[[Floor], Events], Reject]]] = []
KEY: Final = b"\x07" * 20


def told(
    code: int, got: int = 0, allowed: int = 0
) -> Callable[[Callable[[Floor], Events]], Callable[[Floor], Events]]:
    def keep(story: Callable[[Floor], Events]) -> Callable[[Floor], Events]:
        STORIES.append((story, Reject(code, got, allowed)))
        return story

    return keep


@told(r.UNKNOWN_ACCOUNT, 9, 3)
def a_profile_of_nobody(floor: Floor) -> Events:
    return floor.set_risk_profile(9, STANDARD_MODEL, 0)


@told(r.UNKNOWN_MARGIN_MODEL, 2, 1)
def a_model_that_nobody_made(floor: Floor) -> Events:
    return floor.choose_margin(0, 2)


@told(r.UNKNOWN_RISK_TIER, 3, 2)
def a_tier_beyond_the_last(floor: Floor) -> Events:
    return floor.set_risk_profile(0, PORTFOLIO_MODEL, 3)


@told(r.WRONG_SIGNER, 0)
def a_choice_by_a_session_key(floor: Floor) -> Events:
    floor.register_key(0, KEY, floor.time_s + DAY_S)
    return floor.choose_margin(0, STANDARD_MODEL, signer=KEY)


@told(r.TIER_BELOW_LEAST, 1, 2)
def a_tier_below_what_the_operator_asks(floor: Floor) -> Events:
    floor.set_risk_profile(0, PORTFOLIO_MODEL, 2)
    return floor.choose_margin(0, PORTFOLIO_MODEL, 1)


@told(r.MESSAGE_ALREADY_USED)
def a_choice_that_comes_twice(floor: Floor) -> Events:
    floor.choose_margin(0, STANDARD_MODEL, salt=4)
    return floor.choose_margin(0, STANDARD_MODEL, salt=4)


@told(r.PORTFOLIO_EQUITY_TOO_LOW, PORTFOLIO_EQUITY_MICRO - 1, PORTFOLIO_EQUITY_MICRO)
def portfolio_margin_for_an_account_that_is_too_small(floor: Floor) -> Events:
    small = floor.open_account(PORTFOLIO_EQUITY_MICRO - 1)
    assert was_accepted(floor.choose_margin(small, STANDARD_MODEL))
    return floor.choose_margin(small, PORTFOLIO_MODEL)


@pytest.mark.parametrize(("story", "expected"), STORIES, ids=[s.__name__ for s, _ in STORIES])
def test_a_choice_that_cannot_be_leaves_no_trace(
    story: Callable[[Floor], Events], expected: Reject
) -> None:
    assert refusal(story(open_floor())) == expected
    assert expected.name


def with_spread(floor: Floor, cash_micro: int) -> int:
    """An account short of ten calls and long of ten further ones."""
    trader = floor.open_account(cash_micro)
    for number, side in ((CALL_100, floor.buy), (CALL_90, floor.sell)):
        price = floor.near(number)
        (floor.sell if side == floor.buy else floor.buy)(1, price, 10, number)
        assert fills(side(trader, price, 10, number))
    return trader


def initial(floor: Floor, account: int) -> int:
    return floor.state.portfolio.requirement(floor.account(account)).initial_micro


def test_nobody_goes_over_to_a_model_that_he_cannot_carry() -> None:
    floor = open_floor()
    trader = with_spread(floor, 10**10)
    spread = initial(floor, trader)
    before = floor.state.portfolio.excess_micro(floor.account(trader))
    account = floor.account(trader)
    account.set_margin(STANDARD_MODEL, 0)
    needed = initial(floor, trader)
    account.set_margin(PORTFOLIO_MODEL, 0)
    assert needed > 2 * spread, "the long calls cover nothing, and lose too"
    floor.withdraw(trader, before - (needed - spread) + 1)
    short = refusal(floor.choose_margin(trader, STANDARD_MODEL))
    assert short == Reject(r.MARGIN_UNDER_MODEL, 1, needed - spread - 1)
    floor.deposit(trader, 1)
    assert was_accepted(floor.choose_margin(trader, STANDARD_MODEL))
    assert initial(floor, trader) == needed
    assert floor.state.portfolio.excess_micro(floor.account(trader)) == 0


def test_a_choice_holds_until_the_next_and_is_told() -> None:
    floor = open_floor()
    assert floor.choose_margin(0, STANDARD_MODEL, 1) == (e.MarginChosen(0, 1, 1, 0),)
    assert floor.set_risk_profile(0, STANDARD_MODEL, 2) == (e.MarginChosen(0, 1, 2, 2),)
    assert floor.choose_margin(0, PORTFOLIO_MODEL, 2) == (e.MarginChosen(0, 0, 2, 2),)
    assert floor.set_risk_profile(0, PORTFOLIO_MODEL, 0) == (e.MarginChosen(0, 0, 2, 0),)
    assert floor.choose_margin(0, PORTFOLIO_MODEL, 0) == (e.MarginChosen(0, 0, 0, 0),)


def test_a_tier_asks_a_quarter_and_a_half_more_of_initial_margin_alone() -> None:
    floor = open_floor()
    trader = with_spread(floor, 10**11)
    needed: list[int] = []
    maintained: set[int] = set()
    for tier in range(3):
        floor.choose_margin(trader, PORTFOLIO_MODEL, tier)
        needed.append(initial(floor, trader) - 10)
        required = floor.state.portfolio.requirement(floor.account(trader))
        maintained.add(required.maintenance_micro)
    assert abs(needed[1] - needed[0] * 5 // 4) <= 2
    assert abs(needed[2] - needed[0] * 6 // 4) <= 2
    assert len(maintained) == 1


def test_what_the_operator_asks_holds_at_once_and_leaves_room_to_ease_alone() -> None:
    floor = open_floor()
    trader = with_spread(floor, 10**10)
    floor.withdraw(trader, floor.state.portfolio.excess_micro(floor.account(trader)))
    assert was_accepted(floor.set_risk_profile(trader, PORTFOLIO_MODEL, 2))
    assert floor.state.portfolio.excess_micro(floor.account(trader)) < 0
    floor.buy(1, floor.near(CALL_100), 5, CALL_90)
    assert refusal(floor.sell(trader, floor.near(CALL_100), 5, CALL_90)).code == r.MARGIN
    floor.cancel_all(1)
    floor.sell(1, floor.near(CALL_90), 5, CALL_90)
    assert fills(floor.buy(trader, floor.near(CALL_90), 5, CALL_90))


@pytest.mark.parametrize("model", [PORTFOLIO_MODEL, STANDARD_MODEL])
@pytest.mark.parametrize("tier", [0, 1, 2])
def test_an_order_that_was_let_in_is_let_out_in_every_model(model: int, tier: int) -> None:
    """Whoever has enough margin for an order has enough after it filled, at any price."""
    floor = open_floor()
    trader = floor.open_account(4 * 10**10)
    assert was_accepted(floor.choose_margin(trader, model, tier))
    orders = ((PERP, 40, 99), (CALL_100, -30, 101), (PUT_90, -20, 150), (CALL_90, 60, 60))
    for number, lots, percent in orders:
        place = floor.buy if lots > 0 else floor.sell
        place(trader, floor.near(number, percent), abs(lots), number)
    legs = ((CALL_90, 1), (CALL_100, -1))
    net = floor.near(CALL_90) - floor.near(CALL_100, 110)
    assert has_rested(floor.buy(trader, net, 5, legs))
    excess = floor.state.portfolio.excess_micro(floor.account(trader))
    for number, lots, percent in orders:
        meet = floor.sell if lots > 0 else floor.buy
        meet(2, floor.near(number, percent), abs(lots), number)
        after = floor.state.portfolio.excess_micro(floor.account(trader))
        assert after >= excess
        excess = after
    assert fills(floor.sell(2, net, 5, legs))
    assert floor.state.portfolio.excess_micro(floor.account(trader)) >= excess


def test_the_standard_model_asks_for_each_position_by_itself() -> None:
    floor = open_floor()
    trader = with_spread(floor, 10**11)
    assert was_accepted(floor.choose_margin(trader, STANDARD_MODEL))
    marks = floor.state.marks
    low = int(marks.values[CALL_100].min())
    high = int(marks.values[CALL_90].max())
    lost = 10 * (marks.mark_micro(floor.state.instruments[CALL_100]) - low)
    lost += 10 * (high - marks.mark_micro(floor.state.instruments[CALL_90]))
    charged = 10 * marks.unit(CALL_100, {}).charge_buy_micro
    charged += 10 * marks.unit(CALL_90, {}).charge_sell_micro
    required = floor.state.portfolio.requirement(floor.account(trader))
    assert required.initial_micro == lost + charged + 10
    assert required.maintenance_micro == -(-(lost + 10) * 80 // 100)
    standing = floor.state.portfolio.scan_standing(floor.account(trader))
    assert standing.maintenance_micro == required.maintenance_micro
    floor.mark(0, BTC_INDEX * 11 // 10)


def test_a_withdrawal_leaves_margin_whole_in_every_model() -> None:
    floor = open_floor()
    trader = with_spread(floor, 10**11)
    assert was_accepted(floor.choose_margin(trader, STANDARD_MODEL, 2))
    free = floor.state.portfolio.excess_micro(floor.account(trader))
    assert refusal(floor.withdraw(trader, free + 1)).code == r.WITHDRAWAL_TOO_LARGE
    assert was_accepted(floor.withdraw(trader, free))


def test_a_profile_is_the_operators_word_and_needs_no_signature() -> None:
    floor = open_floor()
    events = floor.send(SetRiskProfile(floor.time_ns, 2, STANDARD_MODEL, 1))
    assert events == (e.MarginChosen(2, STANDARD_MODEL, 1, 1),)
    assert floor.account(2).owner == owner_of(2)
