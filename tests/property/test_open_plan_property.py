"""Accounts inside an open plan: bounds never say more than is there, what is taken out leaves no
trace, and a commit makes of an account what the plan said.
"""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.invariants import excess_micro
from margin.accounts import Account, Position
from margin.parameters import CONCENTRATED_NOTIONAL_MICRO
from margin.portfolio import Portfolio
from matching.gate import FITS, Fill
from matching.orders import BUY, SELL, Order
from tests.floor import BTC_INDEX, LISTINGS, Floor, open_floor

TAKER, MAKER = 0, 1
RICH = 10**16
lots = st.one_of(st.integers(-40, 40), st.integers(-40_000, 40_000))
held = st.dictionaries(st.integers(0, len(LISTINGS) - 1), lots, max_size=6)


class Trade(NamedTuple):
    instrument: int
    side: int
    percent: int
    lots: int


trades = st.lists(
    st.builds(
        Trade,
        st.integers(0, len(LISTINGS) - 1),
        st.integers(BUY, SELL),
        st.integers(60, 140),
        st.one_of(st.integers(1, 60), st.integers(1, 30_000)),
    ),
    min_size=1,
    max_size=5,
)


def endow(floor: Floor, number: int, positions: dict[int, int]) -> Account:
    """Gives an account positions as if it had them from before."""
    state, account = floor.state, floor.account(number)
    for instrument, quantity in positions.items():
        if quantity:
            seen = state.marks.accrual_micro[instrument]
            account.positions[instrument] = Position(quantity, seen)
            account.gross_lots += abs(quantity)
            account.basis_micro += quantity * seen
    for underlying in (0, 1):
        account.risk(underlying)
    return account


def rest(floor: Floor, number: int, trade: Trade) -> Order:
    tick = floor.state.instruments[trade.instrument].tick_value_micro
    price = floor.near(trade.instrument, trade.percent)
    order = Order(
        floor.state.next_order_id, bytes(32), number, trade.instrument, 1 - trade.side,
        price // tick, price, trade.lots, 10**9, 0,
    )  # fmt: skip
    floor.state.next_order_id += 1
    floor.state.portfolio.rest(floor.account(number), order)
    return order


def check_plan(portfolio: Portfolio) -> dict[int, int]:
    """What each account would have, which its bound never passes."""
    found: dict[int, int] = {}
    for number, side in portfolio.plan.open.items():
        found[number] = portfolio.plan.excess_of(side)
        assert side.least_excess_micro() <= found[number]
    return found


@settings(max_examples=80)
@given(held, held, trades, st.integers(70, 140))
def test_a_plan_says_what_its_accounts_become(
    taker_has: dict[int, int], maker_has: dict[int, int], program: list[Trade], percent: int
) -> None:
    floor = open_floor(2, RICH, watched=False)
    floor.mark(0, BTC_INDEX * percent // 100)
    state, portfolio = floor.state, floor.state.portfolio
    for number, positions in ((TAKER, taker_has), (MAKER, maker_has)):
        endow(floor, number, positions)
    for underlying in (0, 1):
        portfolio.sweep(underlying)
    makers = [rest(floor, MAKER, trade) for trade in program]
    before = {n: portfolio.excess_micro(floor.account(n)) for n in (TAKER, MAKER)}
    first = program[0]
    taker = Order(999, bytes(32), TAKER, first.instrument, first.side, 0, 0, 1, 10**12, 0)
    portfolio.begin(taker, None)
    for trade, maker in zip(program, makers, strict=True):
        instrument = state.instruments[trade.instrument]
        fill = Fill(maker, instrument, maker.price_ticks, trade.lots, trade.side == BUY)
        assert portfolio.propose([fill], trade.lots, None).outcome == FITS
        said = check_plan(portfolio)
        fees = portfolio.fees[-1:]
        portfolio.plan.take(taker, [fill], fees, trade.lots, None, None, -1)
        check_plan(portfolio)
        portfolio.plan.take(taker, [fill], fees, trade.lots, None, None, 1)
        assert check_plan(portfolio) == said
    portfolio.commit()
    for maker in makers:  # the book's part
        portfolio.accounts[MAKER].remove_order(maker)
    for number in (TAKER, MAKER):
        account = floor.account(number)
        assert portfolio.excess_micro(account) == said[number] == excess_micro(state, account)
        risks = [(r.charge_micro, r.concentration_micro) for r in account.risks.values()]
        for risk in account.risks.values():
            risk.version = -1
        portfolio.excess_micro(account)
        again = [(r.charge_micro, r.concentration_micro) for r in account.risks.values()]
        assert risks == again
    if all(sum(map(abs, has.values())) == 0 for has in (taker_has, maker_has)):
        most = sum(trade.lots for trade in program) * 2 * BTC_INDEX
        if most < CONCENTRATED_NOTIONAL_MICRO:
            assert said[MAKER] >= before[MAKER], "an order that was let in is let out"
