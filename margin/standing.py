"""Where an account stands by the scan alone: what liquidation is decided by.

Holds: equity is worth at the marks with all that has accrued, collateral as the scan counts it;
`worst_micro` (W) is equity less the worst worth of positions and collateral alone: open orders and
charges that belong to initial margin are left out, so whoever knows the positions and the marks can
compute it (docs/liquidation.md, 1).
Never: changes an account; depends on the order in which things happened.
"""

from margin.accounts import Account
from margin.kernel import Vector, add_lots, at_base, copy_of, least, worst_scenario, zero_vector
from margin.liquidation_parameters import BUFFER_PERCENT, CALL_PERCENT
from margin.parameters import MAINTENANCE_PERCENT
from margin.portfolio import Portfolio
from margin.requirement import half_up, netted_worst
from margin.scenarios import BASE_SCENARIO
from matching.instruments import Instrument

OPEN = 0
CALLED = 1
LIQUIDATING = 2
AUCTIONED = 3
"""Status of an account (docs/protocol.md, 5)."""


class ScanStanding:
    """Micro-USDC. `scenario` is the worst of the first underlying with positions, else BASE."""

    __slots__ = ("equity_micro", "scenario", "worst_micro")

    def __init__(self, equity_micro: int, worst_micro: int, scenario: int) -> None:
        self.equity_micro = equity_micro
        self.worst_micro = worst_micro
        self.scenario = scenario

    @property
    def maintenance_micro(self) -> int:
        """80% of W, rounded up."""
        return -(-self.worst_micro * MAINTENANCE_PERCENT // 100)

    @property
    def is_called(self) -> bool:
        """Whether equity is below the call line."""
        return self.equity_micro * 100 < self.worst_micro * CALL_PERCENT

    @property
    def must_liquidate(self) -> bool:
        """Whether equity is below maintenance."""
        return self.equity_micro < self.maintenance_micro

    @property
    def buffer_margin_micro(self) -> int:
        """Equity less maintenance and buffer, rounded down: what a sale must bring to zero."""
        wanted = self.worst_micro * (MAINTENANCE_PERCENT + BUFFER_PERCENT)
        return self.equity_micro - -(-wanted // 100)


def scan_standing(portfolio: Portfolio, account: Account) -> ScanStanding:
    """The account's standing at the marks in force."""
    return standing_with(portfolio, account, None, 0, 0)


def standing_with(
    portfolio: Portfolio,
    account: Account,
    instrument: Instrument | None,
    lots: int,
    cash_micro: int,
) -> ScanStanding:
    """The same if it had signed lots more of an instrument, for that much cash (negative: paid) at
    the present accrual.
    """
    equity = account.constant_micro() + cash_micro
    gross, changed = account.gross_lots, -1
    if instrument is not None:
        number, changed = instrument.number, instrument.underlying.number
        before = account.lots_of(number)
        gross += abs(before + lots) - abs(before)
        equity -= lots * portfolio.marks.accrual_micro[number]
    values: list[Vector] = []
    base_micro = 0
    scenario = BASE_SCENARIO
    for underlying in sorted(account.risks):
        value: Vector = portfolio.open_orders.fresh_risk(account, underlying).value
        if underlying == changed and instrument is not None:
            value = copy_of(value)
            add_lots(value, portfolio.marks.unit(instrument.number, portfolio.combos).row, lots)
        values.append(value)
        base = int(at_base(value))
        base_micro += base
        if scenario == BASE_SCENARIO and base != int(least(value)):
            scenario = worst_scenario(value, zero_vector())
    equity += base_micro
    worst = half_up(gross) + base_micro - netted_worst(values)
    return ScanStanding(equity, worst, scenario)
