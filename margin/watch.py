"""Who fell: the accounts whose equity no longer covers what their positions could lose, found among
all accounts when the marks of an underlying have moved.

Holds: equal to `tests/model/watch.py`; who may have fallen by the scan of each underlying alone is
decided by the account's own standing. Compiled, the loop below values every account's positions and
keeps what it found with the account; interpreted that would be slow, so there `watch_numpy` finds
the same by one sparse product.
Never: decides what becomes of an account; changes one but for what it keeps of the marks.
"""

from typing import TYPE_CHECKING

from margin.accounts import follow_marks
from margin.portfolio import Portfolio
from margin.standing import may_be_below


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
    """At least those, by ascending number: all that `may_be_below`."""
    return below_by_account(portfolio, underlying, line_percent)


def below_by_account(portfolio: Portfolio, underlying: int, line_percent: int) -> list[int]:
    """`below`, account by account."""
    found: list[int] = []
    for number, account in portfolio.accounts.items():
        if underlying not in account.risks:
            continue
        if account.marks is None:
            follow_marks(account, portfolio.marks)
        if may_be_below(account, line_percent):
            found.append(number)
    found.sort()
    return found


if __file__.endswith(".py") and not TYPE_CHECKING:  # interpreted
    from margin.watch_numpy import below
