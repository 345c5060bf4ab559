"""A Dutch auction of portfolio shares: what a share costs now, how much may be had, what moves.

Holds: while the portfolio is worth something, whoever takes a share of it gets that share of its
positions and cash for the price of the moment, a part of its worth at the marks that falls with
time; where it is worth nothing, or nobody wants it even for nothing, the insurance fund pays
whoever takes it, more with time. Every rounding is in favour of the account that is auctioned, the
share's against a second auction of crumbs (docs/liquidation.md, 3).
Never: knows who bids; reads a clock.
"""

from collections.abc import Sequence
from typing import Final

from margin.liquidation_parameters import (
    DISCOUNT_KNEE_E6,
    DISCOUNT_START_E6,
    FAST_NS,
    INSOLVENT_NS,
    SLOW_NS,
)
from margin.standing import ScanStanding

WHOLE_E6: Final = 1_000_000
PATH_NS: Final = FAST_NS + SLOW_NS


def discount_e6(elapsed_ns: int) -> int:
    """What a share is offered for, in 1e-6 of its worth, so long after the auction opened; rounded
    up. Straight from start to knee, and from knee to nothing.
    """
    if elapsed_ns < FAST_NS:
        return DISCOUNT_START_E6 - (DISCOUNT_START_E6 - DISCOUNT_KNEE_E6) * elapsed_ns // FAST_NS
    if elapsed_ns >= PATH_NS:
        return 0
    return DISCOUNT_KNEE_E6 - DISCOUNT_KNEE_E6 * (elapsed_ns - FAST_NS) // SLOW_NS


class Offer:
    """What an auction offers at one moment, micro-USDC for the whole portfolio.

    `worth_micro` is what is sold is worth at the marks (equity less what earlier bidders paid,
    which stays with the account), `price_micro` what a bidder pays for it, negative where the
    insurance fund pays him; `share_e6` the most that may be had.
    """

    __slots__ = ("discount_e6", "is_insolvent", "price_micro", "share_e6", "worth_micro")

    def __init__(
        self, worth_micro: int, discount: int, price_micro: int, share_e6: int, is_insolvent: bool
    ) -> None:
        self.worth_micro = worth_micro
        self.discount_e6 = discount
        self.price_micro = price_micro
        self.share_e6 = share_e6
        self.is_insolvent = is_insolvent


def solvent_offer(standing: ScanStanding, reserved_micro: int, elapsed_ns: int) -> Offer:
    """What is offered while there is worth to sell, so long after the auction opened;
    `reserved_micro` is what earlier bidders paid.
    """
    reserved = min(reserved_micro, max(standing.equity_micro, 0))
    discount = discount_e6(elapsed_ns)
    worth = standing.equity_micro - reserved
    share = share_up_e6(standing.buffer_margin_micro, standing.equity_micro, discount, reserved)
    return Offer(worth, discount, -(-worth * discount // WHOLE_E6), share, False)


def insolvent_offer(standing: ScanStanding, elapsed_ns: int) -> Offer:
    """What is offered once the fund pays, so long after that began: the whole portfolio, and a
    payment that rises to W less equity, rounded down.
    """
    most = standing.worst_micro - standing.equity_micro
    paid = most * min(elapsed_ns, INSOLVENT_NS) // INSOLVENT_NS
    return Offer(standing.equity_micro, 0, -paid, WHOLE_E6, True)


def share_up_e6(
    buffer_margin_micro: int, equity_micro: int, discount: int, reserved_micro: int
) -> int:
    """The share, in 1e-6, whose sale brings the buffer margin BM, below zero, to zero: f = BM / (BM
    - MtM d - R (1 - d)), with MtM the equity, d the discount and R the cash that is kept out.
    Rounded up, at least one and at most the whole. [Derive]
    """
    short = -buffer_margin_micro
    if short <= 0:
        return 1
    sold = discount * (equity_micro - reserved_micro) + reserved_micro * WHOLE_E6
    return max(1, min(-(-short * WHOLE_E6 * WHOLE_E6 // (short * WHOLE_E6 + sold)), WHOLE_E6))


def least_share_e6(sizes: Sequence[int]) -> int:
    """The least share of positions of these sizes (in lots) that moves a lot at all, rounded up."""
    return -(-WHOLE_E6 // max(sizes))


def most_share_e6(offer: Offer, sizes: Sequence[int]) -> int:
    """The most that a bidder may have: the offer's share, or the least that moves a lot."""
    return max(offer.share_e6, least_share_e6(sizes))


def lots_of_share(held_lots: int, share_e6: int) -> int:
    """Signed lots of a position in a share of it, rounded towards zero."""
    lots = abs(held_lots) * share_e6 // WHOLE_E6
    return lots if held_lots > 0 else -lots


def moved_share_e6(sizes: Sequence[int], moved: Sequence[int]) -> int:
    """The share of all lots that moves, rounded down: what rounding keeps back is not paid for."""
    return sum(moved) * WHOLE_E6 // sum(sizes)


class Payment:
    """What moves in cash with the lots of a bid, micro-USDC: `cash_micro` from the account to the
    bidder (negative: from him), `fund_micro` from the insurance fund to him; `paid_micro` is what
    he pays for the share, which stays reserved to the account.
    """

    __slots__ = ("cash_micro", "fund_micro", "paid_micro")

    def __init__(self, cash_micro: int, fund_micro: int, paid_micro: int) -> None:
        self.cash_micro = cash_micro
        self.fund_micro = fund_micro
        self.paid_micro = paid_micro


def payment(offer: Offer, share_e6: int, lots_micro: int, fund_micro: int) -> Payment:
    """The cash of a bid that moves `share_e6` of the portfolio, in lots that are worth `lots_micro`
    at the marks; the insurance fund has `fund_micro`.

    While there is worth: the bidder gets lots and cash worth the share of it, and pays the price,
    so his gain at the marks is the share of worth less price. Else he gets the share of what there
    is, be it below zero, and the fund's payment.
    """
    if not offer.is_insolvent:
        gain = share_e6 * (offer.worth_micro - offer.price_micro) // WHOLE_E6
        return Payment(gain - lots_micro, 0, share_e6 * offer.price_micro // WHOLE_E6)
    got = share_e6 * offer.worth_micro // WHOLE_E6
    from_fund = min(fund_micro, share_e6 * -offer.price_micro // WHOLE_E6)
    return Payment(got - lots_micro, from_fund, 0)
