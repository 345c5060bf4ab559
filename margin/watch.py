"""Who fell: the accounts whose equity no longer covers what their positions could lose, found among
all accounts when the marks of an underlying have moved.

Holds: equal to `tests/model/watch.py`. All positions are valued at once, each underlying's apart
(`sweep.py`); whoever may have fallen by that is decided by the account's own standing.
Never: decides what becomes of an account; changes one but for what it keeps of the marks.
"""

from margin.accounts import STANDARD_MODEL, follow_marks
from margin.netting import half_up
from margin.portfolio import Portfolio
from margin.standing import may_be_below
from margin.sweep import Holdings, value_all, value_some


def fallen(portfolio: Portfolio, underlying: int, line_percent: int = 100) -> list[int]:
    """Numbers of the accounts with positions or collateral on `underlying` whose equity is below
    `line_percent` of what these alone could lose, by ascending number: 100 is the call line, 80
    that of liquidation.
    """
    found: list[int] = []
    for number in below(portfolio, underlying, line_percent):
        account = portfolio.accounts[number]
        standing = portfolio.scan_standing(account)
        if 100 * standing.equity_micro < line_percent * standing.worst_micro:
            found.append(number)
    return found


def below(portfolio: Portfolio, underlying: int, line_percent: int) -> list[int]:
    """At least those, by ascending number: each underlying's own worst is added. Who has
    collateral or is in the standard model is asked by himself, as is who was never touched.
    """
    found: list[int] = []
    held = [current(portfolio, number) for number in sorted(portfolio.marks.sweeps)]
    holders = portfolio.collateral.holders
    for number, account in portfolio.accounts.items():
        is_plain = account.margin_model != STANDARD_MODEL and account.marks is not None
        if not is_plain or (holders and number in holders):
            if underlying in account.risks:
                follow_marks(account, portfolio.marks)
                if may_be_below(account, line_percent):
                    found.append(number)
            continue
        equity = account.constant_micro()
        loss = half_up(account.gross_lots)
        for positions in held:
            if number < len(positions):
                base = int(positions.base_micro[number])
                equity += base
                loss += base - int(positions.least_micro[number])
        if 100 * equity < line_percent * loss and underlying in account.risks:
            found.append(number)
    found.sort()
    return found


def current(portfolio: Portfolio, underlying: int) -> Holdings:
    """All positions on one underlying, valued at the present marks."""
    held = portfolio.holdings.get(underlying)
    if held is None:
        held = portfolio.holdings[underlying] = Holdings()
    moved = _take_moved(portfolio, underlying, held)
    sweep = portfolio.marks.sweeps.get(underlying, 0)
    if held.sweep == sweep:
        value_some(held, portfolio.marks, moved)
    else:
        value_all(held, portfolio.marks)
        held.sweep = sweep
    return held


def _take_moved(portfolio: Portfolio, underlying: int, held: Holdings) -> list[int]:
    """Takes the positions of accounts whose have changed; gives the accounts."""
    marks = portfolio.marks
    taken: list[int] = []
    for number in marks.take_moved(underlying):
        account = portfolio.accounts.get(number)
        if account is None:
            continue
        risk = account.risks.get(underlying)
        if risk is not None:
            risk.has_moved = False
        numbers: list[int] = []
        lots: list[int] = []
        for instrument, position in account.positions.items():
            if marks.underlying_of(instrument) == underlying:
                numbers.append(instrument)
                lots.append(position.quantity_lots)
        held.take(number, numbers, lots)
        taken.append(number)
    return taken
