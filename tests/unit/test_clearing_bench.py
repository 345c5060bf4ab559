"""The clearing benchmark does the work that its rows say, at tiny sizes. Nothing is timed here."""

import numpy as np
import pytest

from exchange.bench import PARTS
from exchange.bench.clearing import FourLegs, Marking, leak_rows, sweep_row, what_if_row
from exchange.bench.clearing import bench as clearing
from exchange.bench.clearing_books import MOST_CUSHION_PERCENT, filled_state, rest_orders
from exchange.bench.clearing_growth import (
    ACCOUNTS,
    BASE,
    GROWTH,
    INSTRUMENTS,
    POSITIONS,
    Size,
    points,
    sizes,
)
from exchange.bench.clearing_leak import STEPS, Prices, hedged_books, near_butterflies, price_all
from exchange.state import State
from margin.watch import fallen
from matching.gate import FITS, TAKER_MARGIN
from tests.model import watch as twin

ROWS = (
    "fill_check_4_legs",
    "sweep",
    "mark_to_liquidation",
    "what_if",
    "sweep_open_orders",
    "grid_leak",
    "grid_leak_butterflies",
)


@pytest.fixture
def state() -> State:
    return filled_state(6, 5)


def test_every_row_has_its_bar_and_a_peer_of_the_same_run() -> None:
    assert PARTS["clearing"] is clearing
    rows = list(clearing(accounts=4, books=3, rounds=1, options=60))
    assert tuple(row.name for row in rows) == ROWS
    for row in rows:
        assert row.peer_value > 0
        assert row.better == "lower"
        assert (row.bar is None) == (row.name == "grid_leak_butterflies")
        assert row.note


def test_books_sum_to_zero_and_stand_above_the_call_line(state: State) -> None:
    lots: dict[int, int] = {}
    for account in state.accounts.values():
        assert len(account.positions) == 5
        for number, position in account.positions.items():
            lots[number] = lots.get(number, 0) + position.quantity_lots
        needed = state.portfolio.requirement(account)
        loss = -(-needed.maintenance_micro * 100 // 80)
        assert loss - 2 <= needed.equity_micro <= loss * MOST_CUSHION_PERCENT // 100
    assert not any(lots.values())


def test_marks_that_move_far_enough_bring_accounts_down(state: State) -> None:
    portfolio = state.portfolio
    assert fallen(portfolio, 0) == []
    marking = Marking(state)
    before = state.marks.values.copy()
    for _ in range(3):
        marking.mark()
    assert (state.marks.values != before).any()
    for account in state.accounts.values():
        account.cash_micro -= portfolio.requirement(account).equity_micro // 2
    asked = (state.marks, state.accounts, 1, 0, 100)
    assert fallen(portfolio, 0) == twin.fallen(*asked) != []


def test_a_check_of_four_legs_judges_both_sides_and_keeps_nothing(state: State) -> None:
    resting = {number: len(account.orders) for number, account in state.accounts.items()}
    four = FourLegs(state)
    held = {n: dict(account.positions) for n, account in state.accounts.items()}
    assert four.check() == FITS
    assert {n: dict(account.positions) for n, account in state.accounts.items()} == held
    cash = state.accounts[0].cash_micro
    state.accounts[0].cash_micro = -(10**12)
    assert four.check() == TAKER_MARGIN
    state.accounts[0].cash_micro = cash
    four.end()
    assert {n: len(account.orders) for n, account in state.accounts.items()} == resting


def test_orders_rest_with_every_account(state: State) -> None:
    rest_orders(state, 2)
    for account in state.accounts.values():
        assert len(account.orders) == 2
        assert account.open_lots == sum(o.remaining_lots for o in account.orders.values())


def test_rows_name_what_they_measured(state: State) -> None:
    assert "6 accounts, 30 positions" in sweep_row(state, 1).note
    assert "5 positions and four trades" in what_if_row(state, 1).note


# GRIDS


@pytest.fixture(scope="module")
def prices() -> Prices:
    return price_all(60)


def test_a_grid_never_sees_more_than_the_truth(prices: Prices) -> None:
    assert prices.gains.shape[:2] == (60, 2 * STEPS + 1)
    assert np.abs(prices.gains[:, STEPS, prices.gains.shape[2] // 2]).max() == 0
    for leak in (hedged_books(prices, 20), near_butterflies(prices, 20)):
        assert len(leak.fine) == len(leak.coarse) == 20
        for share in leak:
            assert (share >= 0).all()
            assert (share <= 1).all()
        assert leak.coarse.max() > leak.fine.max()


def test_a_loss_between_two_steps_is_seen_by_neither_grid_or_by_one(prices: Prices) -> None:
    """Books that lose one dollar at exactly one move: 0.5%, 1%, 4.5%."""
    flat = np.zeros_like(prices.gains[:3])
    for at, move_e1 in enumerate((5, 10, 45)):
        flat[at, STEPS + move_e1] = -prices.index_usd
    made = Prices(flat, np.zeros(3), prices.index_usd, [(0, [0, 1, 2])])
    missed = {
        (float(fine), float(coarse))
        for book in range(3)
        for fine, coarse in zip(
            *hedged_books(
                Prices(np.repeat(made.gains[book : book + 1], 2, axis=0), np.zeros(2), 1.0, []), 4
            ),
            strict=True,
        )
    }
    assert missed == {(1.0, 1.0), (0.0, 1.0), (1.0, 0.0)}


def test_the_leak_rows_take_part_of_a_chain() -> None:
    rows = list(leak_rows(5, options=60))
    assert [row.unit for row in rows] == ["%", "%"]


# GROWTH


def test_each_size_grows_by_itself() -> None:
    base = Size(2, 2, 10)
    growth = {ACCOUNTS: (2, 4), POSITIONS: (1, 3), INSTRUMENTS: (3, 5)}
    found = list(points(base, growth, rounds=1))
    assert [point.size for point in found] == [
        (2, 2, 10), (4, 2, 10), (2, 1, 10), (2, 3, 10), (2, 2, 3), (2, 2, 5),
    ]  # fmt: skip
    assert all(0 <= point.values_ms <= point.sweep_ms for point in found)
    state = filled_state(4, 3, instruments=5)
    assert all(max(account.positions) < 5 for account in state.accounts.values())
    assert {panel for panel, _ in sizes(BASE, GROWTH)} == {ACCOUNTS, POSITIONS, INSTRUMENTS}
