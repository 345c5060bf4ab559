"""`watch.below` for interpreted runs: all accounts by one sparse product.

Holds: the same accounts as the compiled loop finds; who has collateral or is in the standard model
is looked at as there, one by one; the matrix of positions has every position of every account
(`exchange/invariants.py` compares them).
Never: is called where the core is compiled: there accounts keep their vectors, and follow the marks
themselves.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from margin.accounts import STANDARD_MODEL, Account, follow_marks
from margin.netting import half_up
from margin.portfolio import Portfolio
from margin.standing import may_be_below
from margin.sweep import Holdings

_PLENTY: Final = 1 << 61
"""More than any positions can lose, and little enough to add their values to."""


def below(portfolio: Portfolio, underlying: int, line_percent: int) -> list[int]:
    accounts = list(portfolio.accounts.values())
    worth = [
        min(max(account.cash_micro - account.basis_micro, -_PLENTY), _PLENTY)
        for account in accounts
    ]
    equity = np.array(worth, dtype=np.int64)
    loss = np.array([half_up(account.gross_lots) for account in accounts], dtype=np.int64)
    for number in sorted(portfolio.marks.sweeps):
        held = current(portfolio, accounts, number)
        equity += held.base_micro
        loss += held.base_micro - held.least_micro
    whole, rest = loss // 100, loss % 100  # so that no product passes 63 bits
    line_up = line_percent * whole - (-line_percent * rest) // 100
    rows = np.flatnonzero(equity < line_up).tolist()
    found = {
        accounts[row].number: True
        for row in rows
        if underlying in accounts[row].risks and not accounts[row].collateral
    }
    beside = [account for account in accounts if account.margin_model == STANDARD_MODEL]
    beside += portfolio.collateral.holders.values()
    for account in beside:  # the values of their positions do not say it
        if underlying not in account.risks:
            continue
        if account.marks is None:
            follow_marks(account, portfolio.marks)
        if may_be_below(account, line_percent):
            found[account.number] = True
    return sorted(found)


def current(portfolio: Portfolio, accounts: Sequence[Account], underlying: int) -> Holdings:
    """All positions on one underlying, valued at the present marks, a row for each account."""
    held = portfolio.holdings.get(underlying)
    if held is None:
        held = portfolio.holdings[underlying] = Holdings()
    marks = portfolio.marks
    moved = _take_moved(portfolio, accounts, underlying, held)
    sweep = marks.sweeps.get(underlying, 0)
    if held.sweep == sweep:
        held.value_rows(marks.values, moved)
    else:
        held.value(marks.values)
        held.sweep = sweep
    return held


def _take_moved(
    portfolio: Portfolio, accounts: Sequence[Account], underlying: int, held: Holdings
) -> list[int]:
    """Takes the positions that have changed into the matrix; gives the rows."""
    rows: list[int] = []
    counts: list[int] = []
    numbers: list[int] = []
    lots: list[int] = []
    underlying_of = portfolio.marks.underlying_of
    for row, account in enumerate(accounts):
        risk = account.risks.get(underlying)
        if risk is None or not risk.has_moved:
            continue
        risk.has_moved = False
        before = len(numbers)
        for number, position in account.positions.items():
            if underlying_of(number) == underlying:
                numbers.append(number)
                lots.append(position.quantity_lots)
        rows.append(row)
        counts.append(len(numbers) - before)
    held.replace(len(accounts), rows, counts, numbers, lots)
    return rows
