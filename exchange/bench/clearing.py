"""Margin of one fill, of all accounts at new marks, and of what has not happened.

`fill_check_4_legs`    one account's side of a combo of four legs: positions, charges' bound, excess
`sweep`                new marks of all expiries: 684 instruments repriced in 119 scenarios, and the
                       equity and worst scenario of 10,000 accounts with 120,000 positions
`sweep_open_orders`    the same and every account's whole excess: open orders, charges
`mark_to_liquidation`  an UpdateMarks through the engine, until it is known who is called and who
                       is to be liquidated
`what_if`              margin of an account before and after four trades that it has not made
`grid_leak`, `grid_leak_butterflies`  the largest share of a book's true worst loss that the grid
                       of 1% misses, beside that of one of 4.5% (`clearing_leak.py`)

Holds: medians; garbage collection is frozen; each row has its bar, and a peer or a limit that was
measured in the same run. `INTERPRETED` bars where nothing is compiled.
"""

from collections.abc import Callable, Iterator
from itertools import count
from time import perf_counter
from typing import Final

import numpy as np

from exchange.bench.clearing_books import filled_state, rest_orders
from exchange.bench.clearing_leak import Leak, hedged_books, near_butterflies, price_all
from exchange.bench.report import Row, median_seconds, quiet_memory, row
from exchange.compiled import is_compiled, told
from exchange.engine import apply
from exchange.snapshot_chain import marks_at
from exchange.state import State
from margin.scenarios import SCENARIO_COUNT
from margin.sweep_numpy import position_values
from margin.watch import below, fallen
from margin.what_if import Trade, after_trades
from matching.combos import COMBO_BASE, Combo
from matching.gate import FITS, Fill
from matching.orders import BUY, SELL, Order

ACCOUNTS: Final = 10_000
POSITIONS_EACH: Final = 12
ORDERS_EACH: Final = 4
ROUNDS: Final = 9
CHECKS: Final = 4_000
BOOKS: Final = 2_000
MARK_STEP_E6: Final = 100
LEGS: Final = 4

CALL_PERCENT: Final = 100
LIQUIDATION_PERCENT: Final = 80

BAR_CHECK_US: Final = (2.0, 15.0)
"""Compiled, interpreted."""
BAR_SWEEP_MS: Final = 12.0
BAR_OPEN_ORDERS_MS: Final = 25.0
BAR_LIQUIDATION_MS: Final = 40.0
BAR_WHAT_IF_MS: Final = 0.3
BAR_LEAK_PERCENT: Final = 6.0
DERIBIT_MS: Final = 2.3
"""The least that Deribit publishes for a simulation of portfolio margin on its server."""


def bench(
    accounts: int = ACCOUNTS,
    books: int = BOOKS,
    rounds: int = ROUNDS,
    options: int | None = None,
) -> Iterator[Row]:
    """All rows; `options` of the chain are in the books of the grids (None: all)."""
    state = filled_state(accounts, POSITIONS_EACH)
    yield fill_check_row(state, rounds)
    yield sweep_row(state, rounds)
    yield liquidation_row(state, rounds)
    yield what_if_row(state, rounds)
    rest_orders(state, ORDERS_EACH)
    yield open_orders_row(state, rounds)
    yield from leak_rows(books, options)


# ONE FILL


class FourLegs:
    """A combo of four options of one expiry that account 0 takes from a combo order of account 1;
    both have margin for it.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.portfolio = state.portfolio
        legs = [state.instruments[number] for number in range(4 * LEGS, 8 * LEGS, LEGS)]
        self.combo = Combo(COMBO_BASE + (1 << 20), legs, [1, -1, -1, 1])
        state.combos[self.combo.book] = self.combo
        for number in (0, 1):
            state.accounts[number].cash_micro += 10**12
        self.taker = self._order(0, BUY)
        self.maker = self._order(1, SELL)
        self.portfolio.rest(state.accounts[1], self.maker)
        self.fills = [
            Fill(self.maker, leg, max(state.marks.mark_ticks(leg), 1), 3, ratio > 0)
            for leg, ratio in zip(legs, self.combo.ratios, strict=True)
        ]

    def _order(self, account: int, side: int) -> Order:
        book = self.combo.book
        return Order(1_000_000 + account, bytes(32), account, book, side, 0, 0, 3, 10**12, 0)

    def check(self) -> int:
        """Both sides, as the matcher asks; nothing is kept."""
        portfolio = self.portfolio
        portfolio.begin(self.taker, None)
        outcome = portfolio.propose(self.fills, 3, self.maker).outcome
        portfolio.drop()
        return outcome

    def end(self) -> None:
        """Takes its order out again."""
        self.portfolio.unrest(self.maker)
        del self.state.combos[self.combo.book]


def fill_check_row(state: State, rounds: int) -> Row:
    four = FourLegs(state)
    assert four.check() == FITS, "both sides have margin"

    def checks() -> None:
        check = four.check
        for _ in range(CHECKS):
            check()

    rows = np.array([state.marks.values[fill.instrument.number] for fill in four.fills])
    lots = np.array([3, -3, -3, 3], dtype=np.int64)
    value = np.zeros(SCENARIO_COUNT, dtype=np.int64)

    def by_numpy() -> None:
        for _ in range(CHECKS):
            (value + lots @ rows).min()

    with quiet_memory():
        check_us = median_seconds(checks, rounds) / CHECKS / 2 * 1e6
        numpy_us = median_seconds(by_numpy, rounds) / CHECKS * 1e6
    four.end()
    note = f"{told()}; half of a check of both sides, one plan with {LEGS} fills"
    peer = "numpy, the four rows added and the least"
    bar = BAR_CHECK_US[0 if is_compiled() else 1]
    return row("fill_check_4_legs", check_us, "us", peer, numpy_us, "lower", note, bar)


# EVERYBODY


class Marking:
    """New marks, each a hundredth of a percent from the last, to and fro."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._steps = count(1)

    def mark(self) -> None:
        step = next(self._steps) % 40
        move_e6 = MARK_STEP_E6 * (step if step < 20 else 40 - step)
        apply(self._state, marks_at(self._state.time_ns, move_e6))


def held_positions(state: State) -> int:
    return sum(len(account.positions) for account in state.accounts.values())


def sweep_row(state: State, rounds: int) -> Row:
    marking, portfolio = Marking(state), state.portfolio
    mark_s: list[float] = []

    def sweep() -> None:
        start = perf_counter()
        marking.mark()
        mark_s.append(perf_counter() - start)
        below(portfolio, 0, 0)

    with quiet_memory():
        sweep_ms = 1e3 * median_seconds(sweep, rounds)
        sparse_ms = 1e3 * median_seconds(_sparse_product(state), rounds)
        dense_ms = 1e3 * median_seconds(_dense_product(state), 3)
    note = (
        f"{told()}; {len(state.accounts):,} accounts, {held_positions(state):,} positions; of it"
        f" marking {1e3 * sorted(mark_s)[len(mark_s) // 2]:.1f} ms; numpy's dense product in double"
        f" precision {dense_ms:.0f} ms"
    )
    peer = "scipy's sparse int64 product alone"
    return row("sweep", sweep_ms, "ms", peer, sparse_ms, "lower", note, BAR_SWEEP_MS)


def _sparse_product(state: State) -> Callable[[], object]:
    rows: list[int] = [0]
    numbers: list[int] = []
    lots: list[int] = []
    for account in state.accounts.values():
        numbers += account.positions
        lots += [position.quantity_lots for position in account.positions.values()]
        rows.append(len(numbers))
    arrays = [np.array(x, dtype=np.int64) for x in (rows, numbers, lots)]
    return lambda: position_values(arrays[0], arrays[1], arrays[2], state.marks.values)


def _dense_product(state: State) -> Callable[[], object]:
    dense = np.zeros((len(state.accounts), len(state.instruments)))
    for at, account in enumerate(state.accounts.values()):
        for number, position in account.positions.items():
            dense[at, number] = position.quantity_lots
    values = state.marks.values[: len(state.instruments)].astype(np.float64)
    return lambda: dense @ values


def open_orders_row(state: State, rounds: int) -> Row:
    marking, portfolio = Marking(state), state.portfolio
    accounts = list(state.accounts.values())

    def sweep() -> None:
        marking.mark()
        for account in accounts:
            portfolio.excess_micro(account)

    def positions_alone() -> None:
        marking.mark()
        below(portfolio, 0, 0)

    with quiet_memory():
        whole_ms = 1e3 * median_seconds(sweep, max(rounds // 3, 1))
        alone_ms = 1e3 * median_seconds(positions_alone, rounds)
    orders = sum(len(account.orders) for account in accounts)
    note = f"{told()}; {orders:,} open orders, charges included"
    peer = "positions alone"
    return row(
        "sweep_open_orders", whole_ms, "ms", peer, alone_ms, "lower", note, BAR_OPEN_ORDERS_MS
    )


def liquidation_row(state: State, rounds: int) -> Row:
    marking, portfolio = Marking(state), state.portfolio
    found: list[int] = []

    def decide() -> None:
        marking.mark()
        called = fallen(portfolio, 0, CALL_PERCENT)
        found[:] = [len(called), len(fallen(portfolio, 0, LIQUIDATION_PERCENT))]

    def one_by_one() -> None:
        marking.mark()
        for account in portfolio.accounts.values():
            portfolio.scan_standing(account)

    with quiet_memory():
        decide_ms = 1e3 * median_seconds(decide, rounds)
        plain_ms = 1e3 * median_seconds(one_by_one, max(rounds // 3, 1))
    note = f"{told()}; {len(state.accounts):,} accounts; {found[0]} called, {found[1]} to liquidate"
    peer = "each account's standing asked for"
    return row(
        "mark_to_liquidation", decide_ms, "ms", peer, plain_ms, "lower", note, BAR_LIQUIDATION_MS
    )


# WHAT HAS NOT HAPPENED


def what_if_row(state: State, rounds: int) -> Row:
    account = state.accounts[0]
    trades = [Trade(number, lots) for number, lots in ((16, 3), (20, -3), (24, -3), (28, 3))]

    def ask() -> None:
        for _ in range(100):
            after_trades(state.portfolio, account, trades)

    with quiet_memory():
        what_if_ms = 10 * median_seconds(ask, rounds)
    note = f"{told()}; {len(account.positions)} positions and four trades"
    peer = "the least that Deribit publishes, on its server"
    return row("what_if", what_if_ms, "ms", peer, DERIBIT_MS, "lower", note, BAR_WHAT_IF_MS)


def leak_rows(books: int, options: int | None = None) -> Iterator[Row]:
    prices = price_all(options)
    hedged = hedged_books(prices, books)
    yield _leak_row("grid_leak", hedged, "random hedged books", BAR_LEAK_PERCENT)
    near = near_butterflies(prices, books)
    yield _leak_row("grid_leak_butterflies", near, "butterflies of less than three days", None)


def _leak_row(name: str, leak: Leak, what: str, bar: float | None) -> Row:
    fine, coarse_tail = (100 * np.quantile(share, 0.99) for share in leak)
    there = 100 * leak.fine[int(leak.coarse.argmax())]
    note = (
        f"{len(leak.fine):,} {what}; 99 of 100 miss at most {fine:.1f}% ({coarse_tail:.1f}%); of"
        f" the book that the other misses most this one misses {there:.1f}%"
    )
    worst, coarse = 100 * float(leak.fine.max()), max(100 * float(leak.coarse.max()), 0.01)
    return row(name, worst, "%", "a grid of 4.5%", coarse, "lower", note, bar)
