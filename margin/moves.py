"""Positions that change hands without a trade: in a transfer, a bid for an auctioned portfolio, or
when an account is deleveraged.

Holds: what one account gives the other takes, so positions still sum to zero; both are settled up
in the instrument, so the lots carry nothing that has accrued: their worth is an option's mark and,
for a perpetual or future, nothing. Cash is moved apart. Scenario values, gross lots and basis
follow.
Never: decides whether a move may be, writes a record, or settles (`handlers/accounts.py` does).
"""

from collections.abc import Sequence

from margin.accounts import Account, Position
from margin.portfolio import Portfolio
from matching.instruments import Instrument


def move_lots(
    portfolio: Portfolio, giver: Account, taker: Account, instrument: Instrument, lots: int
) -> None:
    """`giver` gives signed lots: its position falls by `lots`, the taker's rises by them. Free of
    payment; both have taken what their position in the instrument had accrued.
    """
    shift_lots(portfolio, giver, instrument, -lots)
    shift_lots(portfolio, taker, instrument, lots)


def shift_lots(portfolio: Portfolio, account: Account, instrument: Instrument, lots: int) -> None:
    """One side of a move: the account's position changes by signed lots at the present accrual."""
    if not lots:
        return
    number = instrument.number
    accrual = portfolio.marks.accrual_micro[number]
    position = account.positions.get(number)
    before = 0
    if position is not None:
        assert position.accrual_seen_micro == accrual, "a position is settled up before it moves"
        before = position.quantity_lots
    after = before + lots
    if position is None:
        account.positions[number] = Position(after, accrual)
    elif after:
        position.quantity_lots = after
    else:
        del account.positions[number]
    account.gross_lots += abs(after) - abs(before)
    account.basis_micro += lots * accrual
    unit = portfolio.marks.unit(number, portfolio.combos)
    account.risk(instrument.underlying.number).take(unit.row, lots)
    if number in account.reduce_only:
        portfolio.moved.append((account.number, number))


def excess_with(
    portfolio: Portfolio,
    account: Account,
    moves: Sequence[tuple[Instrument, int]],
    cash_micro: int,
) -> int:
    """The initial-margin excess that an account would have after it took signed lots of several
    instruments at the present accruals, and cash; afterwards it is as it was, order and all.
    """
    kept = _Order(account)
    for instrument, lots in moves:
        _lay(portfolio, account, instrument, lots)
    account.cash_micro += cash_micro
    excess = portfolio.excess_micro(account)
    account.cash_micro -= cash_micro
    for instrument, lots in reversed(moves):
        _lay(portfolio, account, instrument, -lots)
    kept.restore(account)
    return excess


def worst_with(
    portfolio: Portfolio, account: Account, moves: Sequence[tuple[Instrument, int]]
) -> int:
    """W that an account would have after it took signed lots; afterwards it is as it was."""
    kept = _Order(account)
    for instrument, lots in moves:
        _lay(portfolio, account, instrument, lots)
    worst = portfolio.scan_standing(account).worst_micro
    for instrument, lots in reversed(moves):
        _lay(portfolio, account, instrument, -lots)
    kept.restore(account)
    return worst


class _Order:
    """What an account has positions and risk in, in their order."""

    __slots__ = ("positions", "risks")

    def __init__(self, account: Account) -> None:
        self.positions = list(account.positions)
        self.risks = list(account.risks)

    def restore(self, account: Account) -> None:
        account.positions = {number: account.positions[number] for number in self.positions}
        account.risks = {underlying: account.risks[underlying] for underlying in self.risks}


def _lay(portfolio: Portfolio, account: Account, instrument: Instrument, lots: int) -> None:
    """Lots on top of a position that need not be settled up: `accrual_seen_micro` stays, the basis
    counts the new lots. For what is taken back at once.
    """
    number = instrument.number
    position = account.positions.get(number)
    if position is None:
        position = account.positions[number] = Position(0, portfolio.marks.accrual_micro[number])
    before = position.quantity_lots
    position.quantity_lots = before + lots
    account.gross_lots += abs(before + lots) - abs(before)
    account.basis_micro += lots * portfolio.marks.accrual_micro[number]
    unit = portfolio.marks.unit(number, portfolio.combos)
    account.risk(instrument.underlying.number).take(unit.row, lots)
