"""Where an account stands by the scan alone: what liquidation is decided by.

Holds: equity is worth at the marks with all that has accrued, collateral as the scan counts it;
`worst_micro` (W) is equity less the worst worth of positions and collateral alone, netted or each
position by itself as the account's model has it: open orders and charges that belong to initial
margin are left out, so whoever knows the positions and the marks can compute it
(docs/liquidation.md, 1).
Never: changes an account; depends on the order in which things happened.
"""

from margin.accounts import STANDARD_MODEL, Account
from margin.kernel import Vector, add_lots, at_base, copy_of, least, worst_scenario, zero_vector
from margin.liquidation_parameters import BUFFER_PERCENT, CALL_PERCENT
from margin.netting import half_up, maintenance_of, netted_worst
from margin.open_orders import OpenOrders
from margin.parameters import MAINTENANCE_PERCENT
from margin.scenarios import BASE_SCENARIO
from margin.standard_margin import Book, positions_worst_micro
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
        return maintenance_of(self.worst_micro)

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


def scan_standing(open_orders: OpenOrders, account: Account) -> ScanStanding:
    """The account's standing at the marks in force, in its own model."""
    return standing_with(open_orders, account, None, 0, 0)


def standing_with(
    open_orders: OpenOrders,
    account: Account,
    instrument: Instrument | None,
    lots: int,
    cash_micro: int,
) -> ScanStanding:
    """The same if it had signed lots more of an instrument, for that much cash (negative: paid) at
    the present accrual.
    """
    marks = open_orders.marks
    equity = account.constant_micro() + cash_micro
    gross, changed = account.gross_lots, -1
    held: dict[int, int] = {}
    if instrument is not None:
        number, changed = instrument.number, instrument.underlying.number
        before = account.lots_of(number)
        held[number] = before + lots
        gross += abs(before + lots) - abs(before)
        equity -= lots * marks.accrual_micro[number]
    values: list[Vector] = []
    base_micro = 0
    scenario = BASE_SCENARIO
    for underlying in sorted(account.risks):
        value: Vector = open_orders.fresh_risk(account, underlying).value
        if underlying == changed and instrument is not None:
            value = copy_of(value)
            add_lots(value, marks.row(instrument.number), lots)
        values.append(value)
        base = int(at_base(value))
        base_micro += base
        if scenario == BASE_SCENARIO and base != int(least(value)):
            scenario = worst_scenario(value, zero_vector())
    if account.margin_model == STANDARD_MODEL:
        worst_value = positions_worst_micro(open_orders, Book(account, held, {}, None, None))
    else:
        worst_value = netted_worst(values)
    return ScanStanding(equity + base_micro, half_up(gross) + base_micro - worst_value, scenario)


def may_be_below(account: Account, line_percent: int) -> bool:
    """False only where equity is certainly at least `line_percent` of W: each underlying's own
    worst scenario is added, which is no less than W in the portfolio model; the standard model's W
    may be more.
    """
    if account.margin_model == STANDARD_MODEL:
        return True
    equity = account.constant_micro()
    loss = half_up(account.gross_lots)
    for risk in account.risks.values():
        base = int(at_base(risk.value))
        equity += base
        loss += base - risk.least_micro
    return 100 * equity < line_percent * loss
