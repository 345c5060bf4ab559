"""Before anybody pays for an account, its collateral is reckoned at what its sale brings: the fund
and the other side pay what that does not cover, and nothing more.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.events import Event
from margin.standing import LIQUIDATING, OPEN
from tests.clearing_floor import ClearingFloor, clearing_floor
from tests.floor import ETH_INDEX, ETH_PERP, of_type

DEBTOR, OTHER, RICH_ONE = 0, 1, 2
ETH, USDT = 1, 2
TOKEN = 10**6
CAP = 4 * TOKEN
DISCOUNT_E4, PEG_DISCOUNT_E4 = 500, 100


def fallen_floor(
    ether_micro: int, dollars_micro: int, lots: int, percent: int, fund_micro: int
) -> ClearingFloor:
    """DEBTOR owns ether, half of it above the cap at most, and dollars of another kind, and is long
    when the index of ether falls to so many percent.
    """
    floor = clearing_floor((0, 10**12), watched=False, fund_micro=fund_micro)
    floor.list_asset(ETH, cap_micro=CAP, discount_e4=DISCOUNT_E4)
    floor.list_asset(USDT, b"USDT", decimals=6, kind=0, underlying=255, discount_e4=PEG_DISCOUNT_E4)
    floor.deposit(DEBTOR, ether_micro, ETH)
    if dollars_micro:
        floor.deposit(DEBTOR, dollars_micro, USDT)
    floor.trade(DEBTOR, OTHER, ETH_PERP, lots)
    floor.mark(1, ETH_INDEX * percent // 100)
    return floor


def paid_by_others(events: list[Event]) -> int:
    fund = sum(event.amount_micro for event in of_type(events, e.InsurancePaid))
    return fund + sum(event.loss_micro for event in of_type(events, e.Deleveraged))


def sold_out_micro(floor: ClearingFloor) -> int:
    """Cash, and what the collateral brings at the discount, to the micro-dollar."""
    account, index = floor.account(DEBTOR), floor.state.marks.index_micro[1]
    ether, dollars = account.collateral.get(ETH, 0), account.collateral.get(USDT, 0)
    brings = ether * index * (10**4 - DISCOUNT_E4) // (10**4 * 10**5)
    return account.cash_micro + brings + dollars * (10**4 - PEG_DISCOUNT_E4) // 10**4


@settings(max_examples=15, deadline=None)
@given(
    st.integers(TOKEN, 2 * CAP),
    st.sampled_from((0, 1_000 * TOKEN)),
    st.integers(5, 80),
    st.integers(20, 75),
    st.sampled_from((0, 300 * TOKEN, 10**11)),
)
def test_others_pay_what_the_sale_of_all_collateral_does_not_cover(
    ether_micro: int, dollars_micro: int, lots: int, percent: int, fund_micro: int
) -> None:
    floor = fallen_floor(ether_micro, dollars_micro, lots, percent, fund_micro)
    index = floor.state.marks.index_micro[1]
    account = floor.account(DEBTOR)
    for _ in range(20):  # nobody comes, until the other side closes
        if account.status < LIQUIDATING or not account.positions:
            break
        floor.advance(60)
        floor.mark(1, index)
    happened = floor.events_since(0)
    others = paid_by_others(happened)
    if account.status < LIQUIDATING:
        assert not others
        return
    assert not account.positions
    left = sold_out_micro(floor)
    assert left <= 10 if others else left >= -10, "no less was paid than needed, nor more"
    while account.collateral and account.cash_micro < -100 * TOKEN:
        asset = min(account.collateral)
        assert not of_type(floor.convert(RICH_ONE, DEBTOR, asset), e.CommandRejected)
    assert not others or sold_out_micro(floor) <= 100 * TOKEN, "the allowance is not sold for"


def test_a_gap_that_the_sale_of_ether_covers_costs_the_fund_and_the_other_side_nothing() -> None:
    """By the scan's haircut of 15% the account is insolvent; at a discount of 5% it is not."""
    for fund_micro in (0, 10**11):
        floor = fallen_floor(5 * TOKEN, 0, 45, 50, fund_micro)
        floor.list_asset(ETH, cap_micro=10**10, discount_e4=DISCOUNT_E4)
        assert floor.standing(DEBTOR).equity_micro < 0
        assert sold_out_micro(floor) > 0
        floor.bid(RICH_ONE, DEBTOR)
        assert not floor.account(DEBTOR).positions
        (sold,) = of_type(floor.convert(RICH_ONE, DEBTOR, ETH), e.CollateralConverted)
        assert sold.debtor_cash_micro == 0
        assert floor.account(DEBTOR).status == OPEN
        assert paid_by_others(floor.events_since(0)) == 0
