"""What an account must keep, and every number behind it.

Holds: initial margin is what the netted scan, the charges and half a micro per lot ask together;
maintenance is the scan of the positions alone; a breakdown's parts add up to its whole, to the last
unit (docs/margin.md, 3).
Never: changes an account but for what it keeps of the marks in force.
"""

from typing import Final, NamedTuple

from margin.accounts import STANDARD_MODEL, Account, Risk
from margin.charges import CONCENTRATION
from margin.kernel import (
    Vector,
    add_lots,
    at_base,
    copy_of,
    integers,
    stretched,
    worst,
    zero_vector,
)
from margin.kernel import worst_scenario as first_worst
from margin.marks import stretched_up
from margin.netting import half_up, maintenance_of, netted_worst, three_worths
from margin.open_orders import PLAIN_QUARTERS, OpenOrders
from margin.scenarios import BASE_SCENARIO
from margin.standard_margin import Book, initial_worth_micro, positions_worst_micro
from margin.standing import scan_standing
from matching.orders import Order

NO_BOUND: Final = -(1 << 80)
"""A bound that decides nothing."""


class Requirement(NamedTuple):
    """An account's margin, micro-USDC. `excess` = equity - initial; `worst_scenario` of the
    first underlying with positions or orders, else BASE.
    """

    equity_micro: int
    initial_micro: int
    maintenance_micro: int
    excess_micro: int
    worst_scenario: int


class UnderlyingScan(NamedTuple):
    """One underlying of a breakdown, micro-USDC: what the positions gain, and what they gain with
    the open orders that lose, in each scenario, against the marks; the first worst scenario of
    either; charges in the order of `charges.CHARGE_NAMES`.
    """

    underlying: int
    value_micro: int
    position_gains_micro: tuple[int, ...]
    gains_micro: tuple[int, ...]
    worst_position_scenario: int
    worst_scenario: int
    charges_micro: tuple[int, ...]

    @property
    def position_loss_micro(self) -> int:
        """What the positions lose in their worst scenario, a number >= 0."""
        return -self.position_gains_micro[self.worst_position_scenario]

    @property
    def loss_micro(self) -> int:
        """What positions and orders lose in their worst scenario, a number >= 0."""
        return -self.gains_micro[self.worst_scenario]


class Breakdown(NamedTuple):
    """Every number of an account's margin, micro-USDC.

    `separate` is the sum of what each underlying loses in a worst scenario of its own, `joint` what
    all lose in the worst scenario of all together, `netted` what counts; open orders are in. The
    same for the positions alone, which maintenance takes. Collateral of an underlying stands with
    the positions there, `stables` beside them. The account's tier is in gains and
    losses but for those of the positions alone, and adds `tier_charges` to the charges. initial =
    netted + charges + tier charges + collateral's charge + rounding. Of an account in the standard
    model `standard` is what its collateral, positions and orders lose and are charged, each by
    itself, and `position_standard` what maintenance takes; initial = standard + collateral's charge
    + rounding. The rest is what the
    portfolio model would say of it. Both are 0 in the portfolio model.
    """

    model: int
    tier: int
    cash_micro: int
    equity_micro: int
    scans: tuple[UnderlyingScan, ...]
    separate_micro: int
    joint_micro: int
    netted_micro: int
    position_separate_micro: int
    position_joint_micro: int
    position_netted_micro: int
    charges_micro: tuple[int, ...]
    stables_micro: int
    collateral_charge_micro: int
    tier_charges_micro: int
    standard_micro: int
    position_standard_micro: int
    rounding_micro: int
    position_rounding_micro: int
    initial_micro: int
    maintenance_micro: int
    excess_micro: int


def least_worth_micro(risk: Risk) -> int:
    """At least what an underlying adds to the excess: its positions at their worst, its orders at
    theirs, and its charges.
    """
    worth = risk.least_micro - risk.loss_bound_micro
    return worth - risk.charge_micro - risk.concentration_micro


def counted(account: Account, value: Vector, order_loss: Vector) -> Vector:
    """Positions and orders as initial margin counts them: the positions' moves by the account's
    tier; what orders could lose has its tier in it.
    """
    vector = copy_of(order_loss)
    if account.stretch_quarters == PLAIN_QUARTERS:
        add_lots(vector, value, 1)
    else:
        add_lots(vector, stretched(value, account.stretch_quarters, 1), 1)
    return vector


class Requirements:
    """Margin read off accounts at the marks in force."""

    __slots__ = ("open_orders",)

    def __init__(self, open_orders: OpenOrders) -> None:
        self.open_orders = open_orders

    def excess_micro(self, account: Account) -> int:
        """Initial-margin excess: negative is a shortfall."""
        return self.excess_with(account, account.gross_lots + account.open_lots, None, None)

    def excess_with(
        self, account: Account, lots: int, replaced: Order | None, added: Order | None
    ) -> int:
        """The excess that an account would have with so many lots, without the order `replaced`,
        and with `added` as if it rested.
        """
        worth = account.initial_constant_micro() - half_up(lots)
        if account.margin_model == STANDARD_MODEL:
            book = Book(account, {}, {}, replaced, added)
            return worth + initial_worth_micro(self.open_orders, book)
        is_asked = replaced is not None or added is not None
        vectors: list[Vector] = []
        for underlying in account.risks:
            risk = self.open_orders.exact_risk(account, underlying)
            charge = risk.charge_micro + risk.concentration_micro
            worth -= stretched_up(charge, account.stretch_quarters)
            loss = risk.order_loss
            if is_asked:
                loss = self.open_orders.loss_with(account, underlying, replaced, added)
            if len(account.risks) == 1 and account.stretch_quarters == PLAIN_QUARTERS:
                return worth + int(worst(risk.value, loss))
            vectors.append(counted(account, risk.value, loss))
        return worth + netted_worst(vectors)

    def requirement(self, account: Account) -> Requirement:
        """Equity, initial and maintenance margin, open orders included in the initial."""
        standing = scan_standing(self.open_orders, account)
        scenario = BASE_SCENARIO
        for underlying in sorted(account.risks):
            risk = self.open_orders.exact_risk(account, underlying)
            if any(risk.value) or any(risk.order_loss):
                scenario = first_worst(risk.value, risk.order_loss)
                break
        equity, excess = standing.equity_micro, self.excess_micro(account)
        return Requirement(equity, equity - excess, standing.maintenance_micro, excess, scenario)

    def breakdown(self, account: Account) -> Breakdown:
        """Every number of an account's margin."""
        scans: list[UnderlyingScan] = []
        vectors: list[Vector] = []
        values: list[Vector] = []
        charges = [0] * (CONCENTRATION + 1)
        tier_charges = 0
        marks = self.open_orders.marks
        equity = account.constant_micro()
        for underlying in sorted(account.risks):
            risk = self.open_orders.exact_risk(account, underlying)
            index = marks.index_micro.get(underlying, 0)
            own = risk.sums.charges_micro(marks.term_rates, index)
            tier_charges += stretched_up(sum(own), account.stretch_quarters) - sum(own)
            vector = counted(account, risk.value, risk.order_loss)
            values.append(risk.value)
            vectors.append(vector)
            base = int(at_base(risk.value))
            equity += base
            charges = [a + b for a, b in zip(charges, own, strict=True)]
            scans.append(
                UnderlyingScan(
                    underlying,
                    base,
                    tuple(value - base for value in integers(risk.value)),
                    tuple(value - base for value in integers(vector)),
                    first_worst(risk.value, zero_vector()),
                    first_worst(risk.value, risk.order_loss),
                    tuple(own),
                )
            )
        worths = three_worths(vectors)
        position_worths = three_worths(values)
        base = sum(scan.value_micro for scan in scans)
        rounding = half_up(account.gross_lots + account.open_lots)
        initial = base - worths[2] + sum(charges) + tier_charges
        scan_loss = base - position_worths[2]
        standard = position_standard = 0
        if account.margin_model == STANDARD_MODEL:
            book = Book(account, {}, {}, None, None)
            initial = standard = base - initial_worth_micro(self.open_orders, book)
            worst = positions_worst_micro(self.open_orders, book)
            scan_loss = position_standard = base - worst
        initial += account.collateral_charge_micro + rounding
        return Breakdown(
            model=account.margin_model,
            tier=account.risk_tier,
            cash_micro=account.cash_micro,
            equity_micro=equity,
            scans=tuple(scans),
            separate_micro=base - worths[0],
            joint_micro=base - worths[1],
            netted_micro=base - worths[2],
            position_separate_micro=base - position_worths[0],
            position_joint_micro=base - position_worths[1],
            position_netted_micro=base - position_worths[2],
            charges_micro=tuple(charges),
            stables_micro=account.collateral_worth_micro,
            collateral_charge_micro=account.collateral_charge_micro,
            tier_charges_micro=tier_charges,
            standard_micro=standard,
            position_standard_micro=position_standard,
            rounding_micro=rounding,
            position_rounding_micro=half_up(account.gross_lots),
            initial_micro=initial,
            maintenance_micro=maintenance_of(half_up(account.gross_lots) + scan_loss),
            excess_micro=equity - initial,
        )
