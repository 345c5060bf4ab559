"""Collateral of who is called, liquidated or ranked, in every model and tier, on a floor that
checks each command.
"""

import pytest

from exchange import events as e
from exchange.invariants import excess_micro
from exchange.liquidation_invariants import plain_standing
from margin.liquidation_parameters import MARK_AGE_S
from margin.standing import AUCTIONED, CALLED, LIQUIDATING, OPEN
from margin.what_if import Change, after_trades
from matching.rejects import IN_LIQUIDATION
from tests.clearing_floor import ClearingFloor, clearing_floor
from tests.floor import CALL_90, ETH_PERP, PERP, of_type, refusal, was_accepted

LONG, SHORT, MAKER = 0, 1, 2
BTC, ETH, USDT = 1, 2, 3
BITCOIN = ETHER = 10**6
DOLLAR = 10**6


def floor_with(cash_micro: int, amounts: dict[int, int], lots: int) -> ClearingFloor:
    """LONG has cash, assets, and lots of the perpetual."""
    floor = clearing_floor((0, 10**11))
    assert was_accepted(
        floor.list_asset(BTC, b"WBTC", decimals=8, underlying=0, cap_micro=10**9, discount_e4=500)
    )
    assert was_accepted(floor.list_asset(ETH))
    assert was_accepted(
        floor.list_asset(USDT, b"USDT", decimals=6, kind=0, underlying=255, discount_e4=100)
    )
    if cash_micro:
        floor.deposit(LONG, cash_micro)
    for asset, amount in amounts.items():
        floor.deposit(LONG, amount, asset)
    floor.trade(LONG, SHORT, PERP, lots)
    return floor


def agrees(floor: ClearingFloor) -> None:
    """Standing and excess are what positions and collateral say, once more and slowly."""
    portfolio = floor.state.portfolio
    for number, account in floor.state.accounts.items():
        standing = floor.standing(number)
        fast = standing.equity_micro, standing.worst_micro, standing.maintenance_micro
        assert fast == plain_standing(floor.state, account)
        assert portfolio.excess_micro(account) == excess_micro(floor.state, account)
        required = portfolio.requirement(account)
        breakdown = portfolio.breakdown(account)
        assert breakdown.excess_micro == required.excess_micro
        assert breakdown.initial_micro == required.initial_micro
        change = after_trades(portfolio, account, [])
        assert isinstance(change, Change)
        assert change.after == change.before == required


def profit(floor: ClearingFloor, number: int) -> int:
    """What deleveraging ranks by."""
    account = floor.account(number)
    equity = floor.standing(number).equity_micro
    return equity - account.collateral_micro() - account.paid_in_micro


@pytest.mark.parametrize("asset", [BTC, ETH, USDT])
def test_collateral_counts_where_a_margin_call_is_decided(asset: int) -> None:
    amount = {BTC: BITCOIN // 50, ETH: ETHER, USDT: 2_000 * DOLLAR}[asset]
    floor = floor_with(1_200 * DOLLAR, {}, 6)
    bare = floor.standing(LONG)
    floor.deposit(LONG, amount, asset)
    assert floor.standing(LONG).equity_micro > bare.equity_micro
    agrees(floor)
    floor.index(9_600)
    assert floor.account(LONG).status == OPEN, "it would be called without"
    agrees(floor)


def test_a_deposit_of_ether_lifts_a_margin_call() -> None:
    floor = floor_with(1_200 * DOLLAR, {}, 6)
    floor.index(9_600)
    assert floor.account(LONG).status == CALLED
    (ended,) = of_type(floor.deposit(LONG, ETHER, ETH), e.LiquidationEnded)
    assert ended.before == CALLED
    agrees(floor)


def test_who_has_nothing_but_collateral_is_called_when_its_index_falls() -> None:
    floor = floor_with(0, {ETH: ETHER}, 6)
    assert floor.account(LONG).status == OPEN
    index = floor.state.marks.index_micro[1]
    floor.mark(1, index * 40 // 100)
    assert floor.account(LONG).status >= CALLED
    agrees(floor)


def test_an_old_index_of_collateral_decides_nothing() -> None:
    """Bitcoin is marked, the ether that counts against it is not."""
    floor = floor_with(1_000 * DOLLAR, {ETH: ETHER // 20}, 6)
    floor.advance(MARK_AGE_S + 1)
    floor.index(9_400)
    assert floor.standing(LONG).must_liquidate
    assert floor.account(LONG).status == OPEN
    floor.mark(1, floor.state.marks.index_micro[1])
    assert floor.account(LONG).status >= LIQUIDATING


def liquidated() -> ClearingFloor:
    """LONG has a fiftieth of a bitcoin and owes; its position went to a bidder."""
    floor = floor_with(0, {BTC: BITCOIN // 50}, 5)
    floor.index(7_520)
    assert floor.account(LONG).status == AUCTIONED, floor.account(LONG).status
    agrees(floor)
    assert refusal(floor.withdraw(LONG, 1, asset=BTC)).code == IN_LIQUIDATION
    while floor.account(LONG).positions:
        assert was_accepted(floor.bid(MAKER, LONG))
        agrees(floor)
    return floor


def test_collateral_stays_when_positions_go_and_its_sale_ends_the_liquidation() -> None:
    floor = liquidated()
    account = floor.account(LONG)
    assert account.collateral == {BTC: BITCOIN // 50}
    assert account.cash_micro < -100 * DOLLAR
    assert account.status == AUCTIONED
    events = floor.convert(SHORT, LONG, BTC)
    (sold,) = of_type(events, e.CollateralConverted)
    assert sold.debtor_cash_micro == 0
    (ended,) = of_type(events, e.LiquidationEnded)
    assert ended.account == LONG
    assert account.status == OPEN
    agrees(floor)
    assert was_accepted(floor.withdraw(LONG, account.collateral[BTC], asset=BTC))


def test_who_is_liquidated_buys_no_collateral() -> None:
    floor = floor_with(1_200 * DOLLAR, {}, 6)
    debtor = floor.open_account()
    floor.deposit(debtor, 5 * ETHER, ETH)
    floor.trade(debtor, SHORT, CALL_90, 2)
    floor.index(9_200)
    assert floor.account(LONG).status >= LIQUIDATING
    assert refusal(floor.convert(LONG, debtor, ETH)).code == IN_LIQUIDATION


def test_collateral_is_no_profit_whoever_buys_it() -> None:
    floor = floor_with(0, {BTC: BITCOIN // 10}, 5)
    assert profit(floor, LONG) == floor.account(LONG).cash_micro
    floor.trade(LONG, SHORT, CALL_90, 5)
    floor.advance(1)
    before = [profit(floor, number) for number in (LONG, SHORT)]
    (sold,) = of_type(floor.convert(SHORT, LONG, BTC), e.CollateralConverted)
    assert sold.paid_micro > 100 * DOLLAR
    assert [profit(floor, number) for number in (LONG, SHORT)] == before


@pytest.mark.parametrize("model", [0, 1])
@pytest.mark.parametrize("tier", [0, 1, 2])
def test_collateral_counts_in_every_model_and_tier(model: int, tier: int) -> None:
    amounts = {BTC: BITCOIN, ETH: 5 * ETHER, USDT: 9_000 * DOLLAR}
    floor = floor_with(20_000 * DOLLAR, amounts, 6)
    floor.trade(LONG, SHORT, CALL_90, 4)
    floor.trade(SHORT, LONG, ETH_PERP, 8)
    assert was_accepted(floor.choose_margin(LONG, model, tier))
    agrees(floor)
    assert was_accepted(floor.sell(LONG, floor.near(PERP, 105), 2, PERP))
    agrees(floor)
    bare = floor.state.portfolio.excess_micro(floor.account(LONG))
    assert was_accepted(floor.deposit(LONG, ETHER, ETH))
    assert floor.state.portfolio.excess_micro(floor.account(LONG)) > bare
    agrees(floor)
    floor.mark(1, floor.state.marks.index_micro[1] * 90 // 100)
    agrees(floor)
    account = floor.account(LONG)
    assert floor.state.portfolio.scan_standing(account).maintenance_micro > 0
