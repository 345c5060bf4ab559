"""Collateral by its laws, and against exact fractions: worth, rounding, sales, conservation."""

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.invariants import excess_micro
from exchange.state_digest import state_hash
from margin.accounts import Account
from margin.collateral import (
    MAX_PRICE_Q24,
    MAX_WORTH_MICRO,
    OF_UNDERLYING,
    PRICE_BITS,
    STABLE,
    Asset,
    CollateralBook,
    add_scenarios,
    price_down_q24,
    sale_of,
    worth_of,
)
from margin.kernel import copy_of, integers, vector_of, zero_vector
from margin.parameters import MAX_FORWARD_MICRO
from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT
from tests.floor import CALL_90, ETH_INDEX, ETH_PERP, PERP, Floor, open_floor
from tests.model import collateral as slow

LOTS_E8 = (10**6, 10**7, 10**8, 10**10)
indices = st.integers(1, MAX_FORWARD_MICRO)
balances = st.one_of(st.integers(0, 10**10), st.integers(0, (1 << 63) - 1))


class Listed(NamedTuple):
    asset: Asset
    terms: slow.Terms


@st.composite
def assets(draw: st.DrawFn) -> Listed:
    """Terms that the door lets in."""
    is_stable = draw(st.booleans())
    lot_e8 = draw(st.sampled_from(LOTS_E8))
    maintenance = draw(st.integers(0, 9_000))
    most = 9_900 if is_stable else 10_000 - -(-(10_000 - maintenance) * 18 // 100)
    initial = draw(st.integers(maintenance, max(most, maintenance)))
    discount = draw(st.integers(0, maintenance))
    kind = STABLE if is_stable else OF_UNDERLYING
    asset = Asset(1, "X", 18, kind, 0, lot_e8, initial, maintenance, 0, discount)
    largest = 1 << PRICE_BITS
    if not is_stable:
        largest = price_down_q24(asset, MAX_FORWARD_MICRO * 118 // 100 + 1, 10_000)
    assert largest <= MAX_PRICE_Q24
    cap = draw(st.integers(0, (MAX_WORTH_MICRO << PRICE_BITS) // largest))
    asset.cap_micro = cap
    return Listed(asset, slow.Terms(is_stable, lot_e8, initial, maintenance, cap, discount))


def counted(asset: Asset, balance: int) -> list[int]:
    vector = copy_of(zero_vector())
    add_scenarios(vector, asset, balance)
    return integers(vector)


@given(assets(), indices, balances)
def test_worth_is_the_twins_in_every_scenario_and_never_above_the_truth(
    listed: Listed, index: int, balance: int
) -> None:
    asset, terms = listed
    asset.reprice(index)
    worth = worth_of(asset, balance)
    amount = min(balance, terms.cap_micro)
    keeps = 10_000 - terms.maintenance_e4
    if terms.is_stable:
        assert worth.scan_micro == slow.rounded(terms, amount, 0, keeps)
    else:
        values = counted(asset, balance)
        assert values == slow.scenarios(terms, balance, index)
        assert worth.scan_micro == values[BASE_SCENARIO]
        for scenario in (0, 54, 108, 111, 118):
            level = slow.level_micro(index, scenario)
            assert values[scenario] <= slow.true_worth(terms, amount, level, keeps)
    charged = worth.haircut_micro + worth.peg_micro
    assert worth.scan_micro - charged == slow.initial(terms, balance, index)
    assert worth.haircut_micro >= 0
    assert worth.peg_micro >= 0


@given(assets(), indices, balances, st.integers(0, 10**9))
def test_more_is_never_worth_less_and_beyond_the_cap_no_more(
    listed: Listed, index: int, balance: int, more: int
) -> None:
    asset = listed.asset
    asset.reprice(index)
    less, both = counted(asset, balance), counted(asset, balance + more)
    assert all(a <= b for a, b in zip(less, both, strict=True))
    small, large = worth_of(asset, balance), worth_of(asset, balance + more)
    assert small.scan_micro <= large.scan_micro
    initials = [w.scan_micro - w.haircut_micro - w.peg_micro for w in (small, large)]
    assert 0 <= initials[0] <= initials[1]
    assert worth_of(asset, asset.cap_micro + more) == worth_of(asset, asset.cap_micro)


@given(assets(), indices, indices, balances)
def test_a_higher_index_is_never_worth_less(
    listed: Listed, one: int, other: int, balance: int
) -> None:
    asset = listed.asset
    asset.reprice(min(one, other))
    low = counted(asset, balance)
    asset.reprice(max(one, other))
    assert all(a <= b for a, b in zip(low, counted(asset, balance), strict=True))


@given(assets(), indices, balances, st.integers(0, 10**15))
def test_a_sale_favours_who_is_sold_out_by_less_than_a_unit(
    listed: Listed, index: int, held: int, paid: int
) -> None:
    asset, terms = listed
    asset.reprice(index)
    sold = sale_of(asset, held, paid)
    cash, amount = slow.sale(terms, index, held, paid)
    assert 0 <= sold.paid_micro <= paid
    assert 0 <= sold.amount_micro <= held
    assert sold.paid_micro >= cash > sold.paid_micro - 1
    assert sold.amount_micro <= amount < sold.amount_micro + 1


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(-(10**7), 10**7)), max_size=8),
    st.lists(st.tuples(st.integers(0, 1), indices), max_size=4),
)
def test_what_is_kept_step_by_step_is_what_is_counted_at_once(
    changes: list[tuple[int, int]], moves: list[tuple[int, int]]
) -> None:
    """Assets 1 and 2 are of underlyings 0 and 1, 3 is a stable; positions stand beside them."""
    book, account = CollateralBook(), Account(0, bytes(20))
    specs = ((1, OF_UNDERLYING, 0, 10**6), (2, OF_UNDERLYING, 1, 10**7), (3, STABLE, 255, 0))
    for number, kind, underlying, lot_e8 in specs:
        asset = Asset(number, "X", 18, kind, underlying, lot_e8, 2_000, 1_500, 10**9, 500)
        book.take(asset, 10**9)
    positions = {u: [7 * s - 300 * u for s in range(SCENARIO_COUNT)] for u in (0, 1)}
    for underlying, values in positions.items():
        account.risk(underlying).take(vector_of(np.array(values, dtype=np.int64)), 1)
    for at, (number, amount) in enumerate(changes):
        held = account.collateral.get(number, 0)
        book.change(account, number, max(amount, -held))
        if at < len(moves):
            underlying, index = moves[at]
            book.reprice(underlying, index)
    for underlying, values in positions.items():
        number = underlying + 1
        asset = book.assets[number]
        held = counted(asset, account.collateral.get(number, 0))
        risk = account.risks[underlying]
        assert integers(risk.collateral) == held
        assert integers(risk.value) == [a + b for a, b in zip(values, held, strict=True)]
        assert risk.least_micro == min(integers(risk.value))
    worths = {n: worth_of(book.assets[n], held) for n, held in account.collateral.items()}
    stable = worths.get(3)
    assert account.collateral_worth_micro == (0 if stable is None else stable.scan_micro)
    assert account.collateral_charge_micro == sum(
        worth.haircut_micro + worth.peg_micro for worth in worths.values()
    )


# THE ENGINE

STEPS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 2), st.integers(0, 2), st.integers(1, 40)),
    max_size=10,
)


def act(floor: Floor, step: tuple[int, int, int, int]) -> None:
    what, account, other, size = step
    asset = (1, 2, 200)[other]
    held = floor.account(account).collateral.get(asset, 0)
    if what == 0:
        floor.deposit(account, size * 50_000, asset)
    elif what == 1:
        floor.withdraw(account, max(held * size // 40, 1), asset=asset)
    elif what == 2:
        floor.sell(account, 60_000_000, size, CALL_90)
    elif what == 3:
        floor.buy(account, 60_000_000, size, CALL_90)
    elif what == 4:
        number = (PERP, ETH_PERP)[other % 2]
        price = floor.near(number)
        (floor.buy if size % 2 else floor.sell)(account, price, size, number)
    elif what == 5:
        floor.mark(1, ETH_INDEX * (60 + size) // 80)
    elif what == 6:
        floor.convert(account, other, 1 + size % 2)
    elif what == 7:
        floor.choose_margin(account, size % 2, size % 3)
    else:
        floor.list_asset(cap_micro=size * 10**5, maintenance_e4=1_000 + 10 * size)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_any_program_conserves_every_asset_and_replays(
    steps: list[tuple[int, int, int, int]],
) -> None:
    """The floor watches: every asset's sums, every vector and every margin, after each command."""
    floor = open_floor(3, 3_000_000_000)
    floor.list_asset()
    floor.list_asset(2, b"USDT", decimals=6, kind=0, underlying=255, discount_e4=100)
    for step in steps:
        act(floor, step)
        for account in floor.state.accounts.values():
            kept = floor.state.portfolio.excess_micro(account)
            assert kept == excess_micro(floor.state, account)
    if floor.state.groups:
        floor.cut()
    assert floor.state.ledger is not None
    for asset, sums in floor.state.ledger.assets.items():
        assert floor.state.credited_assets[asset] == sums.credited_micro
        assert floor.state.withdrawn_assets.get(asset, 0) == sums.withdrawn_micro
    assert state_hash(floor.replay().state) == state_hash(floor.state)
