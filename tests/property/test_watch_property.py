"""All accounts at once when marks move: `margin/watch.py` and `margin/sweep.py` against their twin
after any program of trades, marks, funding, settlements and looks in between.
"""

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exchange.invariants import check
from margin.accounts import Account, Position
from margin.kernel import integers
from margin.scenarios import SCENARIO_COUNT
from margin.sweep import Holdings, position_values
from margin.watch import below_by_account, fallen
from margin.watch_numpy import below, current
from matching.orders import BUY, SELL
from tests.floor import BTC_INDEX, ETH_INDEX, ETH_PERP, LISTINGS, PERP, Floor, open_floor
from tests.model import watch as twin

ACCOUNTS = 4
UNDERLYINGS = 2
RICH = 10**15


class Step(NamedTuple):
    """What happens next; each kind takes of `one`, `other` and `size` what it needs."""

    kind: str
    one: int
    other: int
    instrument: int
    size: int


KINDS = (
    "trade",
    "trade",
    "trade",
    "mark",
    "mark",
    "fund",
    "cash",
    "look",
    "look",
    "touch",
    "open",
    "model",
)
steps = st.builds(
    Step,
    st.sampled_from(KINDS),
    st.integers(0, ACCOUNTS - 1),
    st.integers(0, ACCOUNTS - 1),
    st.integers(0, len(LISTINGS) - 1),
    st.integers(1, 900),
)


def run(floor: Floor, step: Step) -> None:
    kind, one, other, instrument, size = step
    match kind:
        case "trade" if one != other:
            price = floor.near(instrument)
            floor.submit(floor.sign(one, SELL, price, size, instrument))
            floor.submit(floor.sign(other, BUY, price, size, instrument))
            floor.cancel_all(one)
        case "mark":
            underlying = instrument % UNDERLYINGS
            index = (BTC_INDEX, ETH_INDEX)[underlying]
            floor.mark(underlying, index * (700 + size) // 1_000)
        case "fund":
            floor.fund((PERP, ETH_PERP)[instrument % 2], size - 450)
        case "cash":  # to the line itself, or a micro beside it
            account = floor.account(one)
            needed = floor.state.portfolio.requirement(account)
            line = needed.maintenance_micro if size % 2 else -(-needed.maintenance_micro * 5 // 4)
            account.cash_micro += line - needed.equity_micro + size % 3 - 1
        case "touch":
            floor.state.portfolio.requirement(floor.account(one))
        case "model":
            floor.account(one).set_margin(size % 2, 0)
        case "open":
            floor.open_account(RICH)
        case _:
            compare(floor)


def compare(floor: Floor) -> None:
    state = floor.state
    for underlying in range(UNDERLYINGS):
        for line_percent in (80, 100):
            got = fallen(state.portfolio, underlying, line_percent)
            asked = (underlying, line_percent)
            assert below(state.portfolio, *asked) == below_by_account(state.portfolio, *asked)
            assert got == twin.fallen(state.marks, state.accounts, UNDERLYINGS, *asked)
        held = current(state.portfolio, list(state.accounts.values()), underlying)
        assert len(held) == len(state.accounts)
        rows = zip(state.accounts.values(), held.base_micro, held.least_micro, strict=True)
        for account, base, least in rows:
            values = twin.values_of(state.marks, account, underlying)
            assert (base, least) == (values[55], min(values))


@given(st.lists(steps, max_size=14), st.integers(0, 1))
def test_whoever_fell_is_found_after_any_program(program: list[Step], settles: int) -> None:
    floor = open_floor(0, watched=False)
    for _ in range(ACCOUNTS):
        floor.open_account(RICH)
    for step in program:
        run(floor, step)
    if settles:
        floor.advance(80 * 86_400)
        floor.mark(0, BTC_INDEX)
        floor.settle(0, BTC_INDEX * 11 // 10)
        compare(floor)
        for account in range(ACCOUNTS):
            floor.withdraw(account, 1)  # takes what has accrued, and closes what is settled
    compare(floor)
    for account in floor.state.accounts.values():
        for underlying, risk in account.risks.items():
            assert integers(risk.value) == twin.values_of(floor.state.marks, account, underlying)
    assert not [line for line in check(floor.state) if "matrix" in line or "values" in line]


# THE MATRIX

VALUE_END = 1 << 34
values = st.integers(-VALUE_END + 1, VALUE_END - 1)
vectors = st.lists(values, min_size=SCENARIO_COUNT, max_size=SCENARIO_COUNT)
rows_of_lots = st.dictionaries(st.integers(0, 3), st.integers(-(1 << 24) + 1, (1 << 24) - 1))


@given(
    st.lists(st.dictionaries(st.integers(0, 5), rows_of_lots, max_size=4), max_size=5),
    st.lists(vectors, min_size=4, max_size=4),
)
def test_rows_that_are_replaced_change_and_all_others_stay(
    changes: list[dict[int, dict[int, int]]], lot_values: list[list[int]]
) -> None:
    held, plain = Holdings(), [{} for _ in range(6)]
    held.replace(6, [], [], [], [])
    marks = np.array(lot_values, dtype=np.int64)
    for change in changes:
        rows = sorted(change)
        for row in rows:
            plain[row] = change[row]
        held.replace(
            6,
            rows,
            [len(change[row]) for row in rows],
            [number for row in rows for number in change[row]],
            [lots for row in rows for lots in change[row].values()],
        )
        held.value_rows(marks, rows)
        assert list(held.rows()) == plain
    expected = [
        [
            sum(lots * lot_values[number][s] for number, lots in row.items())
            for s in range(SCENARIO_COUNT)
        ]
        for row in plain
    ]
    assert held.base_micro.tolist() == [row[55] for row in expected]
    assert held.least_micro.tolist() == [min(row) for row in expected]


def test_blocks_give_what_one_product_gives() -> None:
    dice = np.random.default_rng(7)
    marks = dice.integers(-VALUE_END, VALUE_END, (50, SCENARIO_COUNT))
    rows = 5_000
    numbers = dice.integers(0, 50, 3 * rows)
    lots = dice.integers(-1_000, 1_000, 3 * rows)
    held = Holdings()
    held.replace(rows, list(range(rows)), [3] * rows, numbers.tolist(), lots.tolist())
    held.value(marks)
    whole = position_values(np.arange(0, 3 * rows + 1, 3), numbers, lots, marks)
    assert held.base_micro.tolist() == whole[:, 55].tolist()
    assert held.least_micro.tolist() == whole.min(axis=1).tolist()


def test_an_account_that_nobody_touched_yet_is_found_as_well() -> None:
    """Its positions were moved to it, and no order of its own has been judged."""
    floor = open_floor(0, watched=False)
    floor.open_account(RICH)
    portfolio = floor.state.portfolio
    account = Account(1, bytes(20))
    floor.state.accounts[1] = account
    account.cash_micro = 1
    account.positions[PERP] = Position(-5, floor.state.marks.accrual_micro[PERP])
    account.basis_micro = -5 * floor.state.marks.accrual_micro[PERP]
    account.gross_lots = 5
    account.risk(0).take(floor.state.marks.row(PERP), -5)
    for move in (100, 105, 95):
        floor.mark(0, BTC_INDEX * move // 100)
        assert below(portfolio, 0, 100) == below_by_account(portfolio, 0, 100) == [1]
        assert fallen(portfolio, 0) == [1]
        compare(floor)
