"""A Dutch auction of portfolio shares: what a share costs now, how much may be had, what moves.

Holds: while the portfolio is worth something, whoever takes a share of it gets that share of its
positions and cash for the price of the moment, a part of its worth at the marks that falls with
time; where it is worth nothing, or nobody wants it even for nothing, the insurance fund pays
whoever takes it, more with time, what the account cannot pay with its collateral sold. Nobody is
paid for risk that he does not take: of lots that carry none, or of collateral that stays. Every
rounding is in favour of the account that is auctioned, the share's against a second auction of
crumbs (docs/liquidation.md, 3).
Never: knows who bids; reads a clock.
"""

from collections.abc import Sequence
from typing import Final

from margin.liquidation_parameters import (
    BUFFER_PERCENT,
    DISCOUNT_KNEE_E6,
    DISCOUNT_START_E6,
    FAST_NS,
    INSOLVENT_NS,
    SLOW_NS,
)
from margin.parameters import MAINTENANCE_PERCENT
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


class Estate:
    """What an account has that is auctioned. `risk_micro` is how much of W goes with its positions
    (all of it where there is no collateral), `sold_micro` its equity once its collateral is sold;
    micro-USDC.
    """

    __slots__ = ("risk_micro", "sold_micro", "standing")

    def __init__(self, standing: ScanStanding, risk_micro: int, sold_micro: int) -> None:
        self.standing = standing
        self.risk_micro = risk_micro
        self.sold_micro = sold_micro


class Offer:
    """What an auction offers at one moment, micro-USDC for the whole portfolio.

    `worth_micro` is what is sold is worth at the marks (what earlier bidders paid stays with the
    account, and what stands behind collateral), `price_micro` what a bidder pays for it, negative
    where the insurance fund pays him; `share_e6` the most that may be had.
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


def solvent_offer(estate: Estate, reserved_micro: int, elapsed_ns: int) -> Offer:
    """What is offered while there is worth to sell, so long after the auction opened;
    `reserved_micro` is what earlier bidders paid. Of what is left of equity a part as large as
    the positions' of W is sold with them, rounded down: the rest stands behind collateral, which
    stays.
    """
    standing, risk = estate.standing, estate.risk_micro
    discount = discount_e6(elapsed_ns)
    worth = standing.equity_micro - min(reserved_micro, max(standing.equity_micro, 0))
    if risk < standing.worst_micro:
        worth = worth * risk // standing.worst_micro
    share = share_up_e6(-standing.buffer_margin_micro, risk, worth, discount)
    return Offer(worth, discount, -(-worth * discount // WHOLE_E6), share, False)


def insolvent_offer(estate: Estate, elapsed_ns: int) -> Offer:
    """What is offered once the fund pays, so long after that began: the whole portfolio, and a
    gain that rises, rounded down, to what the positions ask of W: from what there is of equity,
    or lacks. The account pays of it what it has, its collateral sold; the fund pays the rest.
    """
    equity, risk, sold = estate.standing.equity_micro, estate.risk_micro, estate.sold_micro
    least = min(equity, risk) if equity >= 0 else min(sold, 0)
    gain = least + (risk - least) * min(elapsed_ns, INSOLVENT_NS) // INSOLVENT_NS
    worth = min(gain, sold)
    return Offer(worth, 0, worth - gain, WHOLE_E6, True)


def share_up_e6(short_micro: int, risk_micro: int, worth_micro: int, discount: int) -> int:
    """The share, in 1e-6, whose sale brings back what an account is short of, where that of the
    whole takes `risk_micro` of W away and gives `worth_micro` for the part d of it: f = short /
    (risk - worth (1 - d)). Rounded up, at least one and at most the whole. Without collateral it
    is [Derive]'s BM / (BM - MtM d - R (1 - d)), with BM the buffer margin, MtM the equity and R the
    cash that is kept out.
    """
    if short_micro <= 0:
        return 1
    asked = -(-risk_micro * (MAINTENANCE_PERCENT + BUFFER_PERCENT) // 100)
    back = asked * WHOLE_E6 - worth_micro * (WHOLE_E6 - discount)
    if back <= 0:
        return WHOLE_E6
    return max(1, min(-(-short_micro * WHOLE_E6 * WHOLE_E6 // back), WHOLE_E6))


def least_share_e6(sizes: Sequence[int]) -> int:
    """The least share of positions of these sizes (in lots) that moves a lot at all, rounded up."""
    return -(-WHOLE_E6 // max(sizes))


def lots_of_share(held_lots: int, share_e6: int) -> int:
    """Signed lots of a position in a share of it, rounded towards zero."""
    lots = abs(held_lots) * share_e6 // WHOLE_E6
    return lots if held_lots > 0 else -lots


def moved_share_e6(
    sizes: Sequence[int], moved: Sequence[int], risk_micro: int, taken_micro: int
) -> int:
    """The share that moves, rounded down: of all lots, or of what the positions ask of W, of which
    so much goes with them, whichever is less. What rounding keeps back is not paid for, and who
    leaves the risk behind is paid nothing.
    """
    share = sum(moved) * WHOLE_E6 // sum(sizes)
    return min(share, taken_micro * WHOLE_E6 // risk_micro) if risk_micro > 0 else share


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


def cost_micro(offer: Offer, share_e6: int, fund_micro: int) -> int:
    """What the whole costs a bidder who takes a share, with what is lacking, and paid by a fund
    that has `fund_micro`: rounded up where that is not enough.
    """
    if not offer.is_insolvent:
        return offer.price_micro
    promised = -offer.price_micro
    if share_e6 * promised // WHOLE_E6 > fund_micro:
        promised = fund_micro * WHOLE_E6 // share_e6
    return -min(offer.worth_micro, 0) - promised
