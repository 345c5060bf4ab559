"""What an account has that is auctioned, and what a share of it would move.

Holds: how much of W goes with the positions is W less what collateral alone would ask; a share of
the positions takes the part of that with it which it lowers W by, so who takes lots without risk
takes no share (docs/liquidation.md, 3).
Never: changes an account; knows a price.
"""

from margin.accounts import Account
from margin.auction import (
    WHOLE_E6,
    Estate,
    Offer,
    least_share_e6,
    lots_of_share,
    moved_share_e6,
)
from margin.moves import worst_with
from margin.portfolio import Portfolio
from matching.instruments import Instrument


class Cut:
    """Signed lots that would move, and the share of the whole that they are."""

    __slots__ = ("lots", "share_e6")

    def __init__(self, lots: list[tuple[Instrument, int]], share_e6: int) -> None:
        self.lots = lots
        self.share_e6 = share_e6


def sold_micro(portfolio: Portfolio, account: Account) -> int:
    """Equity at the marks once all collateral is sold: what others need not pay."""
    equity = portfolio.scan_standing(account).equity_micro
    if not account.collateral:
        return equity
    sale = portfolio.collateral.sale_worth_micro(account)
    return equity - account.collateral_micro() + sale


def estate_of(portfolio: Portfolio, account: Account) -> Estate:
    """What the account has, at the marks in force."""
    standing = portfolio.scan_standing(account)
    if not account.collateral:
        return Estate(standing, standing.worst_micro, standing.equity_micro)
    all_lots = [
        (portfolio.instruments[number], -position.quantity_lots)
        for number, position in account.positions.items()
    ]
    risk = standing.worst_micro - worst_with(portfolio, account, all_lots)
    return Estate(standing, max(risk, 0), sold_micro(portfolio, account))


def cut_of(portfolio: Portfolio, account: Account, estate: Estate, share_e6: int) -> Cut:
    """What a share of every position is, by instrument, each rounded towards zero."""
    lots: list[tuple[Instrument, int]] = []
    sizes: list[int] = []
    moved: list[int] = []
    for number in sorted(account.positions):
        held = account.lots_of(number)
        of_this = lots_of_share(held, share_e6)
        sizes.append(abs(held))
        moved.append(abs(of_this))
        if of_this:
            lots.append((portfolio.instruments[number], of_this))
    if not lots:
        return Cut(lots, 0)
    left = worst_with(portfolio, account, [(instrument, -n) for instrument, n in lots])
    taken = estate.standing.worst_micro - left
    return Cut(lots, moved_share_e6(sizes, moved, estate.risk_micro, taken))


def most_share_e6(portfolio: Portfolio, account: Account, estate: Estate, offer: Offer) -> int:
    """The most that a bidder may have: the offer's share; where that moves no risk, the double, and
    so on, so that there is always something to be had.
    """
    sizes = [abs(position.quantity_lots) for position in account.positions.values()]
    share = max(offer.share_e6, least_share_e6(sizes))
    while share < WHOLE_E6 and cut_of(portfolio, account, estate, share).share_e6 <= 0:
        share = min(2 * share, WHOLE_E6)
    return share
