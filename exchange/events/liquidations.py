"""Events of liquidation: called, reduced step by step, auctioned, insured, deleveraged, ended.

Holds: each has the numbers from which its victim and the auditor compute the decision again
(docs/liquidation.md): `equity_micro` at the marks, `worst_micro` the scan's worst loss of the
positions alone (W), `maintenance_micro` 80% of it, `scenario` the worst; amounts are micro-USDC,
shares 1e-6.
Never: decides anything.
"""

from typing import ClassVar, Final

from exchange.events.base import Event

RECOVERED: Final = 0
DELEVERAGED: Final = 1
AUCTION_ENDS: Final[tuple[str, ...]] = ("recovered", "deleveraged")
"""Why an auction ends, by number."""

FOR_BID: Final = 0
FOR_DEFICIT: Final = 1
FUND_PAYS: Final[tuple[str, ...]] = ("a bid for a portfolio worth nothing", "an account's deficit")
"""What the insurance fund pays for, by number."""

GIVEN: Final = 0
LIQUIDATION_FEE: Final = 1
FUND_TAKES: Final[tuple[str, ...]] = ("given", "liquidation fee")
"""Where the insurance fund's cash comes from, by number."""


class MarginCalled(Event, frozen=True, gc=False):
    """Equity is below the call line: the owner should deposit or reduce."""

    TYPE: ClassVar[int] = 0x64
    account: int
    equity_micro: int
    worst_micro: int
    maintenance_micro: int
    scenario: int


class LiquidationArmed(Event, frozen=True, gc=False):
    """The operator lets liquidation decide (1) or holds it (0)."""

    TYPE: ClassVar[int] = 0x65
    is_armed: int


class LiquidationStarted(Event, frozen=True, gc=False):
    """Equity is below maintenance: the account's orders go, and it is reduced."""

    TYPE: ClassVar[int] = 0x66
    account: int
    equity_micro: int
    worst_micro: int
    maintenance_micro: int
    scenario: int


class LiquidationStep(Event, frozen=True, gc=False):
    """The order `order_hash` was the exchange's for the account: immediate or cancel, of
    `asked_lots` at `limit_price_micro` or better. `fee_micro` went to the insurance fund.
    """

    TYPE: ClassVar[int] = 0x67
    account: int
    step: int
    order_hash: bytes
    instrument: int
    sells: int
    asked_lots: int
    filled_lots: int
    limit_price_micro: int
    mark_micro: int
    fee_micro: int
    equity_before_micro: int
    worst_before_micro: int
    equity_micro: int
    worst_micro: int


class AuctionOpened(Event, frozen=True, gc=False):
    """The portfolio is offered in shares; with `is_insolvent` the insurance fund pays for it, since
    `since_ns`. Told again when either changes, the latter because its clock has stood.
    """

    TYPE: ClassVar[int] = 0x68
    account: int
    is_insolvent: int
    since_ns: int
    equity_micro: int
    worst_micro: int
    maintenance_micro: int


class AuctionBidTaken(Event, frozen=True, gc=False):
    """A bidder took `share_e6` of all lots: `moved` are (instrument, signed lots) worth
    `lots_micro` at the marks. `cash_micro` went to him from the account (negative: from him),
    `fund_micro` from the insurance fund. `worth_micro` and `price_micro` are of the whole
    portfolio.
    """

    TYPE: ClassVar[int] = 0x69
    account: int
    bidder: int
    asked_e6: int
    most_e6: int
    share_e6: int
    is_insolvent: int
    discount_e6: int
    worth_micro: int
    price_micro: int
    moved: tuple[tuple[int, int], ...]
    lots_micro: int
    cash_micro: int
    fund_micro: int
    equity_micro: int
    worst_micro: int


class AuctionEnded(Event, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x6A
    account: int
    reason: int
    equity_micro: int
    worst_micro: int


class InsurancePaid(Event, frozen=True, gc=False):
    """The insurance fund paid an account; `fund_micro` is what it has left."""

    TYPE: ClassVar[int] = 0x6B
    account: int
    amount_micro: int
    fund_micro: int
    reason: int


class InsuranceFunded(Event, frozen=True, gc=False):
    """An account paid into the insurance fund, which has `fund_micro` now."""

    TYPE: ClassVar[int] = 0x6C
    account: int
    amount_micro: int
    fund_micro: int
    reason: int


class Deleveraged(Event, frozen=True, gc=False):
    """The account gave `counterparty`, `rank`-th (from 1) of those on the other side, signed lots
    for `cash_micro` (negative: it paid), which is `loss_micro` worse for the counterparty than the
    mark. The counterparty's `profit_micro`, `equity_micro` and `worst_micro` are those it was
    ranked by.
    """

    TYPE: ClassVar[int] = 0x6D
    account: int
    counterparty: int
    instrument: int
    quantity_lots: int
    mark_micro: int
    cash_micro: int
    loss_micro: int
    rank: int
    profit_micro: int
    equity_micro: int
    worst_micro: int


class LossCapped(Event, frozen=True, gc=False):
    """The caps of `epoch` leave `lots_left` of an account's lots on an underlying, which is
    cancel-only until they are placed; none left: it is released.
    """

    TYPE: ClassVar[int] = 0x6E
    account: int
    underlying: int
    epoch: int
    lots_left: int
    deficit_micro: int
    lost_micro: int


class LiquidationEnded(Event, frozen=True, gc=False):
    """The account is open again; `before` was its status."""

    TYPE: ClassVar[int] = 0x6F
    account: int
    before: int
    equity_micro: int
    worst_micro: int
    maintenance_micro: int
    steps: int
