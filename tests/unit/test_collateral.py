"""Assets beside cash in the engine: listed, deposited, counted, withdrawn, sold for what is owed.

Holds: each story is told on a watched floor, which counts collateral anew after every command.
"""

from collections.abc import Callable

import pytest

from exchange.events import AssetListed, CollateralConverted, DepositCredited, Event
from exchange.handlers.accounts import free_collateral_micro
from exchange.invariants import excess_micro
from exchange.state_digest import state_hash
from margin.liquidation_price import Moved
from margin.parameters import CONVERSION_ALLOWANCE_MICRO, PEG_CHARGE_E4
from margin.watch import below, fallen
from margin.what_if import Change, Trade, after_trades
from matching import rejects as r
from matching.rejects import Reject
from matching.trading_states import HALTED, UNDERLYING
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    ETH_INDEX,
    ETH_PERP,
    ETH_PUT,
    PERP,
    START_S,
    Floor,
    of_type,
    open_floor,
    owner_of,
    refusal,
    was_accepted,
)

Events = tuple[Event, ...]
Story = Callable[[Floor], Events]
STORIES: list[tuple[Story, Reject]] = []

ETHER = 10**6
"""Micro-units of a token."""
DOLLAR = 10**6
ETH, BTC, USDT = 1, 2, 3
ETHER_MICRO = ETH_INDEX * 10
"""A lot is a tenth of an ether."""
BITCOIN_MICRO = BTC_INDEX * 100
LAST = 2**64 - 1


def told(code: int, got: int = 0, allowed: int = 0) -> Callable[[Story], Story]:
    def keep(story: Story) -> Story:
        STORIES.append((story, Reject(code, got, allowed)))
        return story

    return keep


def floor_with_assets(cash_micro: int = 20_000 * DOLLAR) -> Floor:
    floor = open_floor(3, cash_micro)
    assert was_accepted(floor.list_asset())
    bitcoin = {
        "decimals": 8,
        "underlying": 0,
        "cap_micro": 10**9,
        "initial_e4": 1_500,
        "maintenance_e4": 1_000,
    }
    assert was_accepted(floor.list_asset(BTC, b"WBTC", **bitcoin))
    stable = {"decimals": 6, "kind": 0, "underlying": 255, "cap_micro": 10**12}
    haircuts = {"initial_e4": 500, "maintenance_e4": 200, "discount_e4": 100}
    assert was_accepted(floor.list_asset(USDT, b"USDT", **stable, **haircuts))
    return floor


def excess(floor: Floor, account: int) -> int:
    return floor.state.portfolio.excess_micro(floor.account(account))


def equity(floor: Floor, account: int) -> int:
    return floor.state.portfolio.requirement(floor.account(account)).equity_micro


def owing(floor: Floor) -> int:
    """An account with five ether and, after a purchase on margin, 3,000 USDC of debt."""
    debtor = floor.open_account()
    floor.deposit(debtor, 5 * ETHER, ETH)
    floor.sell(1, 30_000_000, 100, ETH_PUT)
    assert was_accepted(floor.buy(debtor, 30_000_000, 100, ETH_PUT))
    assert floor.account(debtor).cash_micro < -2_900 * DOLLAR
    return debtor


# LISTING


@told(r.ASSET_NUMBER, 0, 255)
def usdc_as_collateral(floor: Floor) -> Events:
    return floor.list_asset(0)


@told(r.ASSET_OUT_OF_BOUNDS, 2)
def an_asset_without_a_name(floor: Floor) -> Events:
    return floor.list_asset(name=b"")


@told(r.ASSET_OUT_OF_BOUNDS, 3)
def a_token_that_the_vault_does_not_take(floor: Floor) -> Events:
    return floor.list_asset(decimals=19)


@told(r.ASSET_OUT_OF_BOUNDS, 4)
def an_asset_of_no_kind(floor: Floor) -> Events:
    return floor.list_asset(kind=2)


@told(r.ASSET_OUT_OF_BOUNDS, 5)
def an_asset_of_an_underlying_that_nobody_listed(floor: Floor) -> Events:
    return floor.list_asset(underlying=2)


@told(r.ASSET_OUT_OF_BOUNDS, 5)
def a_stable_of_an_underlying(floor: Floor) -> Events:
    return floor.list_asset(kind=0, underlying=1)


@told(r.ASSET_OUT_OF_BOUNDS, 6)
def a_stable_of_which_the_peg_leaves_less_than_nothing(floor: Floor) -> Events:
    initial = 10_000 - PEG_CHARGE_E4 + 1
    return floor.list_asset(kind=0, underlying=255, initial_e4=initial, maintenance_e4=200)


@told(r.ASSET_OUT_OF_BOUNDS, 6)
def an_asset_of_which_more_would_be_worth_less(floor: Floor) -> Events:
    """In the scan's largest fall the charge would be larger than what is left."""
    return floor.list_asset(initial_e4=8_201, maintenance_e4=0, discount_e4=0)


@told(r.ASSET_OUT_OF_BOUNDS, 7)
def a_scan_that_leaves_more_out_than_initial_margin(floor: Floor) -> Events:
    return floor.list_asset(initial_e4=1_000, maintenance_e4=1_001)


@told(r.ASSET_OUT_OF_BOUNDS, 8)
def a_cap_beyond_what_vectors_hold(floor: Floor) -> Events:
    return floor.list_asset(cap_micro=LAST)


@told(r.ASSET_OUT_OF_BOUNDS, 9)
def a_discount_that_makes_a_debtor_poorer_in_the_scan(floor: Floor) -> Events:
    return floor.list_asset(discount_e4=1_501)


@told(r.ASSET_IS_FIXED, ETH)
def a_listed_asset_that_becomes_another(floor: Floor) -> Events:
    return floor.list_asset(name=b"WETH")


@told(r.ASSET_IS_FIXED, ETH)
def a_listed_asset_that_follows_another_index(floor: Floor) -> Events:
    return floor.list_asset(underlying=0, cap_micro=ETHER)


# WITHDRAWALS


@told(r.COLLATERAL_NOT_FREE, 1, 0)
def an_asset_that_the_account_never_had(floor: Floor) -> Events:
    return floor.withdraw(0, 1, asset=ETH)


@told(r.COLLATERAL_NOT_FREE, 5 * ETHER + 1, 5 * ETHER)
def a_micro_unit_more_than_there_is(floor: Floor) -> Events:
    floor.deposit(0, 5 * ETHER, ETH)
    return floor.withdraw(0, 5 * ETHER + 1, asset=ETH)


@told(r.AMOUNT_OUT_OF_RANGE, 0, 2**63 - 1)
def nothing_of_an_asset(floor: Floor) -> Events:
    floor.deposit(0, 5 * ETHER, ETH)
    return floor.withdraw(0, 0, asset=ETH)


# CONVERSION


@told(r.UNKNOWN_ACCOUNT, 9, 3)
def a_purchase_from_nobody(floor: Floor) -> Events:
    return floor.convert(0, 9)


@told(r.WRONG_SIGNER, 0)
def a_purchase_that_a_stranger_signed(floor: Floor) -> Events:
    return floor.convert(0, 1, signer=owner_of(2))


@told(r.OWN_DEBT, 0)
def a_purchase_of_ones_own(floor: Floor) -> Events:
    return floor.convert(0, 0)


@told(r.MESSAGE_EXPIRED, START_S, START_S)
def a_purchase_that_came_too_late(floor: Floor) -> Events:
    return floor.convert(0, 1, life_s=0)


@told(r.EXPIRY_TOO_FAR, START_S + 30 * 86_400 + 1, START_S + 30 * 86_400)
def a_purchase_that_would_have_to_be_remembered_too_long(floor: Floor) -> Events:
    return floor.convert(0, 1, life_s=30 * 86_400 + 1)


@told(r.MESSAGE_ALREADY_USED)
def a_purchase_that_is_sent_again(floor: Floor) -> Events:
    debtor = owing(floor)
    assert was_accepted(floor.convert(0, debtor, paid_most=100 * DOLLAR, salt=77))
    return floor.convert(0, debtor, paid_most=100 * DOLLAR, salt=77)


@told(r.ASSET_NOT_FOR_SALE, 9)
def a_purchase_of_what_nobody_listed(floor: Floor) -> Events:
    return floor.convert(0, 1, 9)


@told(r.ASSET_NOT_FOR_SALE, ETH)
def a_purchase_while_the_underlying_is_halted(floor: Floor) -> Events:
    debtor = owing(floor)
    floor.set_state(HALTED, UNDERLYING, 1)
    return floor.convert(0, debtor)


@told(r.NOT_IN_DEBT, 20_000 * DOLLAR, -CONVERSION_ALLOWANCE_MICRO)
def a_purchase_from_who_owes_nothing(floor: Floor) -> Events:
    return floor.convert(0, 1)


@told(r.TOO_LITTLE_RECEIVED, 0, 1)
def a_purchase_of_what_the_debtor_has_not(floor: Floor) -> Events:
    return floor.convert(0, owing(floor), BTC)


@told(r.TOO_LITTLE_RECEIVED, 317, 318)
def a_purchase_that_wants_a_micro_unit_too_much(floor: Floor) -> Events:
    """A dollar, at 95% of 3,312.50 dollars an ether."""
    return floor.convert(0, owing(floor), paid_most=DOLLAR, received_least=318)


@told(r.CASH_SHORT, 200 * DOLLAR, 150 * DOLLAR)
def a_purchase_with_cash_that_is_not_there(floor: Floor) -> Events:
    buyer = floor.open_account(150 * DOLLAR)
    floor.deposit(buyer, 10_000 * DOLLAR, USDT)
    return floor.convert(buyer, owing(floor), paid_most=200 * DOLLAR)


@pytest.mark.parametrize(
    ("story", "expected"), STORIES, ids=[story.__name__ for story, _ in STORIES]
)
def test_a_refusal_says_why_and_leaves_no_trace(story: Story, expected: Reject) -> None:
    floor = floor_with_assets()
    events = story(floor)
    assert refusal(events) == expected
    assert expected.message


# WHAT COUNTS


def test_ether_counts_less_its_haircuts_and_moves_with_the_index() -> None:
    floor = floor_with_assets()
    before = equity(floor, 0)
    floor.deposit(0, 2 * ETHER, ETH)
    assert equity(floor, 0) - before == 2 * ETHER_MICRO * 85 // 100
    # Initial margin: 20% of it is left out, and the scan's fall of 18% on what the scan counts.
    scan_loss = 2 * ETHER_MICRO * 85 * 18 // 10_000
    assert excess(floor, 0) - before == 2 * ETHER_MICRO * 80 // 100 - scan_loss
    floor.mark(1, ETH_INDEX * 2)
    assert equity(floor, 0) - before == 2 * 2 * ETHER_MICRO * 85 // 100
    floor.mark(0, BTC_INDEX // 2)
    assert equity(floor, 0) - before == 2 * 2 * ETHER_MICRO * 85 // 100


def test_a_stable_counts_the_same_whatever_moves_less_haircut_and_peg() -> None:
    floor = floor_with_assets()
    before = excess(floor, 0), equity(floor, 0)
    floor.deposit(0, 1_000 * DOLLAR, USDT)
    assert excess(floor, 0) - before[0] == 1_000 * DOLLAR * (9_500 - PEG_CHARGE_E4) // 10**4
    assert equity(floor, 0) - before[1] == 980 * DOLLAR
    floor.mark(1, ETH_INDEX // 2)
    assert equity(floor, 0) - before[1] == 980 * DOLLAR


def test_no_more_than_the_cap_counts_and_all_of_it_is_the_owners() -> None:
    floor = floor_with_assets()
    floor.list_asset(cap_micro=2 * ETHER)
    floor.deposit(0, 2 * ETHER, ETH)
    before = excess(floor, 0)
    floor.deposit(0, 7 * ETHER, ETH)
    assert excess(floor, 0) == before
    assert was_accepted(floor.withdraw(0, 9 * ETHER, asset=ETH))


def test_an_asset_that_nobody_listed_is_taken_kept_and_given_back() -> None:
    """The inbox must go on whatever it brings."""
    floor = floor_with_assets()
    before = excess(floor, 0)
    (credited,) = of_type(floor.deposit(0, 7, 200), DepositCredited)
    assert credited.balance_micro == 7
    assert excess(floor, 0) == before
    assert was_accepted(floor.withdraw(0, 7, asset=200))
    floor.cut()
    assert floor.state.ledger is not None
    assert floor.state.ledger.assets[200].withdrawn_micro == 7


def test_what_is_listed_after_its_deposit_counts_from_then_on() -> None:
    floor = open_floor(2, 1_000 * DOLLAR)
    floor.deposit(0, ETHER, ETH)
    before = equity(floor, 0)
    (listed,) = of_type(floor.list_asset(), AssetListed)
    assert (listed.asset, listed.name) == (ETH, b"ETH".ljust(8, b"\0"))
    assert equity(floor, 0) - before == ETHER_MICRO * 85 // 100


def test_new_terms_are_in_force_at_once_for_whoever_holds_the_asset() -> None:
    floor = floor_with_assets()
    floor.deposit(0, ETHER, ETH)
    before = equity(floor, 0)
    floor.list_asset(maintenance_e4=1_000)
    assert equity(floor, 0) - before == ETHER_MICRO * 5 // 100


def test_a_covered_call_needs_less_than_a_naked_one() -> None:
    """A bitcoin against a hundred calls of a hundredth each."""
    floor = floor_with_assets(40_000 * DOLLAR)
    for account in (1, 2):
        floor.buy(0, 120_000_000, 100, CALL_90)
        if account == 2:
            floor.deposit(2, ETHER, BTC)
        before = floor.state.portfolio.requirement(floor.account(account)).initial_micro
        assert was_accepted(floor.sell(account, 120_000_000, 100, CALL_90))
        after = floor.state.portfolio.requirement(floor.account(account)).initial_micro
        if account == 1:
            naked = after - before
        else:
            covered = after - before
    assert covered < naked // 2


def test_ether_hedges_a_short_perpetual_in_the_scan_and_bitcoin_does_not() -> None:
    floor = floor_with_assets()
    requirements: list[int] = []
    for account, (asset, amount) in enumerate(((ETH, 10 * ETHER), (BTC, ETHER // 3)), start=1):
        floor.deposit(account, amount, asset)
        floor.buy(0, ETH_INDEX // 2_000 * 2_000, 90, ETH_PERP)
        assert was_accepted(floor.sell(account, ETH_INDEX // 2_000 * 2_000, 90, ETH_PERP))
        margin = floor.state.portfolio.requirement(floor.account(account))
        requirements.append(margin.maintenance_micro)
    assert requirements[0] < requirements[1] // 3


def test_funding_and_settlement_leave_collateral_counted() -> None:
    """Whatever re-margins positions must not lose what stands beside them in the vector."""
    floor = floor_with_assets()
    floor.deposit(0, ETHER, BTC)
    floor.sell(1, BTC_INDEX // 5_000 * 5_000, 3, PERP)
    floor.buy(0, BTC_INDEX // 5_000 * 5_000, 3, PERP)
    before = equity(floor, 0)
    floor.fund(PERP, 1_000)
    assert equity(floor, 0) == before - 3_000
    floor.withdraw(0, 1)
    floor.advance(70 * 86_400)
    floor.settle(0, BTC_INDEX)
    assert excess(floor, 0) == excess_micro(floor.state, floor.account(0))


# WHAT READS MARGIN BESIDES


@pytest.mark.parametrize("index_percent", [60, 80, 95, 104, 118, 130])
def test_who_fell_is_found_with_collateral_as_one_by_one(index_percent: int) -> None:
    floor = floor_with_assets(0)
    floor.deposit(1, 30_000 * DOLLAR)
    floor.deposit(1, 500 * DOLLAR, USDT)
    price = ETH_INDEX // 2_000 * 2_000
    for account, amount in ((0, 3), (2, 9)):
        floor.deposit(account, amount * ETHER, ETH)
    floor.sell(1, price, 90, ETH_PERP)
    assert was_accepted(floor.buy(0, price, 60, ETH_PERP))
    assert was_accepted(floor.sell(2, price, 85, ETH_PERP) + floor.buy(1, price, 85, ETH_PERP))
    floor.mark(1, ETH_INDEX * index_percent // 100)
    portfolio = floor.state.portfolio
    for line in (100, 80):
        due: list[int] = []
        for number in range(3):
            standing = portfolio.scan_standing(floor.account(number))
            if 100 * standing.equity_micro < line * standing.worst_micro:
                due.append(number)
        assert fallen(portfolio, 1, line) == due
        assert set(due) <= set(below(portfolio, 1, line))


def test_a_hypothesis_and_a_moved_index_count_collateral_as_margin_does() -> None:
    floor = floor_with_assets()
    floor.deposit(0, 4 * ETHER, ETH)
    floor.deposit(0, 500 * DOLLAR, USDT)
    price = ETH_INDEX // 2_000 * 2_000
    floor.sell(1, price, 30, ETH_PERP)
    floor.buy(0, price, 30, ETH_PERP)
    portfolio, account = floor.state.portfolio, floor.account(0)
    change = after_trades(portfolio, account, [Trade(ETH_PERP, 7), Trade(ETH_PERP, -7)])
    assert isinstance(change, Change)
    assert change.before == portfolio.requirement(account)
    assert change.after.maintenance_micro == change.before.maintenance_micro
    moved = Moved(portfolio, account, 1).standing(-50_000)
    floor.mark(1, ETH_INDEX * 95 // 100)
    standing = portfolio.scan_standing(account)
    assert moved == (standing.equity_micro, standing.maintenance_micro)


# WITHDRAWING


def test_what_margin_needs_stays_and_the_rest_is_free_to_the_micro_unit() -> None:
    floor = floor_with_assets(0)
    floor.deposit(0, 5 * ETHER, ETH)
    floor.deposit(1, 20_000 * DOLLAR)
    floor.sell(1, 30_000_000, 30, ETH_PUT)
    floor.buy(0, 30_000_000, 30, ETH_PUT)
    free = free_collateral_micro(floor.state, floor.account(0), ETH)
    assert 0 < free < 5 * ETHER
    assert refusal(floor.withdraw(0, free + 1, asset=ETH)) == Reject(
        r.COLLATERAL_NOT_FREE, free + 1, free
    )
    assert was_accepted(floor.withdraw(0, free, asset=ETH))
    assert 0 <= excess(floor, 0) < ETHER_MICRO // ETHER + 2


def test_who_is_short_of_margin_withdraws_nothing_that_counts_or_not() -> None:
    floor = floor_with_assets(0)
    price = ETH_INDEX // 2_000 * 2_000
    floor.deposit(0, 3 * ETHER, ETH)
    floor.deposit(0, 500, 200)
    floor.deposit(1, 20_000 * DOLLAR)
    floor.sell(1, price, 100, ETH_PERP)
    assert was_accepted(floor.buy(0, price, 100, ETH_PERP))
    floor.mark(1, ETH_INDEX * 8 // 10)
    assert excess(floor, 0) < 0
    assert refusal(floor.withdraw(0, 1, asset=200)) == Reject(r.COLLATERAL_NOT_FREE, 1, 0)


# CONVERSION


def test_a_conversion_brings_the_debtors_cash_to_zero_at_the_discount() -> None:
    floor = floor_with_assets()
    debtor = owing(floor)
    owed = -floor.account(debtor).cash_micro
    before, cash = excess(floor, debtor), floor.account(0).cash_micro
    (sold,) = of_type(floor.convert(0, debtor), CollateralConverted)
    assert (sold.buyer, sold.debtor, sold.asset, sold.paid_micro) == (0, debtor, ETH, owed)
    assert sold.amount_micro == owed * 10**4 * 10**6 // (ETHER_MICRO * 9_500)
    assert floor.account(debtor).cash_micro == sold.debtor_cash_micro == 0
    assert floor.account(0).cash_micro == sold.buyer_cash_micro == cash - owed
    assert floor.account(debtor).collateral == {ETH: 5 * ETHER - sold.amount_micro}
    assert floor.account(0).collateral == {ETH: sold.amount_micro}
    assert (sold.excess_before_micro, sold.excess_after_micro) == (before, excess(floor, debtor))
    assert before <= excess(floor, debtor)
    floor.cut()
    assert refusal(floor.convert(0, debtor)).code == r.NOT_IN_DEBT


def test_a_conversion_of_all_there_is_costs_no_more_than_it_is_worth() -> None:
    floor = floor_with_assets()
    debtor = owing(floor)
    floor.deposit(debtor, 10, BTC)
    (sold,) = of_type(floor.convert(0, debtor, BTC), CollateralConverted)
    assert sold.amount_micro == 10
    assert sold.paid_micro == -(-10 * BITCOIN_MICRO * 9_500 // 10**10)
    assert floor.account(debtor).collateral == {ETH: 5 * ETHER}


def test_a_small_debt_sells_nothing() -> None:
    floor = floor_with_assets()
    debtor = floor.open_account()
    floor.deposit(debtor, 5 * ETHER, ETH)
    floor.sell(1, 33_000_000, 3, ETH_PUT)
    floor.buy(debtor, 33_000_000, 3, ETH_PUT)
    cash = floor.account(debtor).cash_micro
    assert -CONVERSION_ALLOWANCE_MICRO <= cash < -99 * DOLLAR
    expected = Reject(r.NOT_IN_DEBT, cash, -CONVERSION_ALLOWANCE_MICRO)
    assert refusal(floor.convert(0, debtor)) == expected


def test_a_debt_that_has_only_accrued_counts_and_is_taken() -> None:
    floor = floor_with_assets()
    debtor = floor.open_account()
    floor.deposit(debtor, 20 * ETHER, ETH)
    price = ETH_INDEX // 2_000 * 2_000
    floor.sell(1, price, 30, ETH_PERP)
    floor.buy(debtor, price, 30, ETH_PERP)
    assert refusal(floor.convert(0, debtor)).code == r.NOT_IN_DEBT
    floor.mark(1, ETH_INDEX * 97 // 100)
    events = floor.convert(0, debtor)
    assert was_accepted(events)
    assert floor.account(debtor).cash_micro == 0
    floor.cut()


def test_collateral_that_hedges_is_not_sold_where_the_debtor_would_be_worse_off() -> None:
    """Ether against a short perpetual: without the ether, the worst case is a rise."""
    floor = floor_with_assets(100_000 * DOLLAR)
    debtor = floor.open_account()
    floor.deposit(debtor, 10 * ETHER, ETH)
    price = ETH_INDEX // 2_000 * 2_000
    floor.buy(1, price, 85, ETH_PERP)
    assert was_accepted(floor.sell(debtor, price, 85, ETH_PERP))
    floor.mark(1, ETH_INDEX * 102 // 100)
    before = excess(floor, debtor)
    got = refusal(floor.convert(0, debtor))
    assert (got.code, got.allowed) == (r.DEBTOR_WORSE, before)
    assert got.got < before


def test_a_buyer_keeps_initial_margin_whole() -> None:
    floor = floor_with_assets()
    buyer = floor.open_account(1_000 * DOLLAR)
    debtor = owing(floor)
    price = ETH_INDEX // 2_000 * 2_000
    floor.sell(1, price, 15, ETH_PERP)
    assert was_accepted(floor.buy(buyer, price, 15, ETH_PERP))
    before = excess(floor, buyer)
    got = refusal(floor.convert(buyer, debtor, paid_most=900 * DOLLAR))
    assert (got.code, got.allowed) == (r.MARGIN, before)


def test_a_replay_of_all_this_stands_where_it_stood() -> None:
    floor = floor_with_assets()
    debtor = owing(floor)
    floor.convert(0, debtor, paid_most=700 * DOLLAR)
    floor.withdraw(0, 1, asset=ETH)
    floor.cut()
    assert state_hash(floor.replay().state) == state_hash(floor.state)
