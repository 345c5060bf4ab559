"""The search for accounts that a moved mark made worth looking at.

Holds: what it finds are all accounts with a margin vector on the underlying that stand below the
call line, or have a status other than open; by ascending number.
Never: changes an account.
"""

from margin.portfolio import Portfolio
from margin.standing import scan_standing


def fallen(portfolio: Portfolio, underlying: int) -> list[int]:
    """Accounts whose standing must be looked at after the marks of an underlying moved."""
    found: list[int] = []
    for number, account in portfolio.accounts.items():
        if underlying not in account.risks:
            continue
        if account.status or scan_standing(portfolio, account).is_called:
            found.append(number)
    return sorted(found)
