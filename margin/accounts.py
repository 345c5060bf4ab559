"""Accounts: cash, positions, open orders, and the scenario vectors that margin is read from.

Holds: `risks[u].value` is the sum over positions on underlying u of lots x value of a lot, and what
collateral of u counts, per scenario, at the current marks, summed anew when it is first asked for
after a sweep; `risks[u].order_loss` what open orders
could lose, per scenario, and `loss_bound_micro` a bound of it; `basis_micro` the sum over positions
of lots x accrual seen, so that cash - basis + value is the account's worth with all that has
accrued; `collateral` the balances of assets other than cash, in micro-units, of which those of an
underlying's assets count in `risks[u].value` (`risks[u].collateral`), stables in
`collateral_worth_micro`; `risks[u].sums` are the features of positions on u, `charge_micro` what
they are charged; `gross_lots` the sum of the sizes of positions, `open_lots` of what open
orders may still trade in legs' lots.
Never: decides anything.
"""

from margin.charges import Sums
from margin.kernel import Vector, add_lots, at_base, copy_of, least, zero_vector
from margin.marks import Marks
from margin.parameters import RISK_TIER_QUARTERS
from margin.protection import Protection
from matching.orders import Order

PORTFOLIO_MODEL = 0
"""Positions and orders of an underlying net, scenario by scenario."""
STANDARD_MODEL = 1
"""Each position by itself, in its own worst scenario."""

MAX_POSITIONS = 256
"""Positions of one account (docs/protocol.md, 5)."""
MAX_OPEN_ORDERS = 4_096
"""Open orders of one account: bounds the work of one cancel-all and of one re-margining."""


class Position:
    """Signed lots of one instrument and the accrual per lot that the account has taken already."""

    __slots__ = ("accrual_seen_micro", "quantity_lots")

    def __init__(self, quantity_lots: int, accrual_seen_micro: int) -> None:
        self.quantity_lots = quantity_lots
        self.accrual_seen_micro = accrual_seen_micro


class Group:
    """Protected quotes of one group on one underlying: what all of them could lose, and the most
    that one lot or unit of any could (at least; it falls when the marks move).
    """

    __slots__ = ("loss_micro", "lot_loss_micro")

    def __init__(self) -> None:
        self.loss_micro = 0
        self.lot_loss_micro = 0

    def bound_micro(self, limit_lots: int) -> int:
        """The most that the group could lose: never more than its limit of the worst lots."""
        return min(self.loss_micro, limit_lots * self.lot_loss_micro)


class Risk:
    """An account's margin on one underlying.

    `least_micro` is the least of `value`; `loss_bound_micro`, a number >= 0, what open orders
    could lose if each met its own worst scenario, as of `version` of the marks. Only where that
    bound does not decide is `order_loss` wanted; it is kept up while `is_exact`.
    `sums` are its positions' features as of that version, `charge_micro` what they are charged but
    for concentration. `has_moved` says that its positions may have changed since they were taken to
    be valued with everybody's (`watch.py`), and that this is noted.
    """

    __slots__ = (
        "_account",
        "_marks",
        "_swept",
        "_underlying",
        "_value",
        "charge_micro",
        "collateral",
        "concentration_micro",
        "groups",
        "has_moved",
        "is_exact",
        "least_micro",
        "loss_bound_micro",
        "order_loss",
        "sums",
        "version",
    )

    def __init__(self) -> None:
        self._account: Account | None = None
        self._marks: Marks | None = None
        self._underlying = 0
        self._swept = -1
        self._value: Vector = zero_vector()
        self.has_moved = False
        self.least_micro = 0
        self.collateral: Vector = zero_vector()
        self.order_loss: Vector = zero_vector()
        self.is_exact = False
        self.loss_bound_micro = 0
        self.groups: dict[int, Group] = {}
        self.sums = Sums()
        self.charge_micro = 0
        self.concentration_micro = 0
        self.version = -1

    @property
    def value(self) -> Vector:
        """What positions and collateral are worth. Who changes them in place does it through `take`
        or `count_collateral`.
        """
        self.follow()
        return self._value

    @value.setter
    def value(self, value: Vector) -> None:
        self._value = value
        self._note_move()

    def belong_to(self, account: "Account", underlying: int, marks: Marks) -> None:
        """Says whose it is, so that it can follow the marks."""
        if self._marks is None:
            self._account = account
            self._underlying = underlying
            self._marks = marks
            self._note_move()

    def _note_move(self) -> None:
        account, marks = self._account, self._marks
        if account is not None and marks is not None and not self.has_moved:
            self.has_moved = True
            marks.note_moved(self._underlying, account.number)

    def is_behind(self) -> bool:
        """Whether the marks have moved since the positions were valued."""
        marks = self._marks
        return marks is not None and self._swept != marks.sweeps.get(self._underlying, 0)

    def follow(self) -> None:
        """Values positions anew, beside the collateral, if the marks have moved."""
        account, marks = self._account, self._marks
        if account is None or marks is None or not self.is_behind():
            return
        total = copy_of(self.collateral)
        for number, position in account.positions.items():
            if marks.underlying_of(number) == self._underlying:
                add_lots(total, marks.row(number), position.quantity_lots)
        self._value = total
        self.least_micro = least(total)
        self._swept = marks.sweeps.get(self._underlying, 0)
        self.version = -1

    def count_collateral(self, collateral: Vector) -> None:
        """Counts collateral at these values, no longer at those that it had."""
        before, self.collateral = self.collateral, collateral
        self.version = -1
        if not self.is_behind():  # else it is valued whole then
            add_lots(self._value, before, -1)
            add_lots(self._value, collateral, 1)
            self.least_micro = least(self._value)

    def take(self, row: Vector, lots: int) -> None:
        """Adds signed lots of what has these values; the position may change before or after. What
        else follows from positions is found anew when the account is next touched.
        """
        self._note_move()
        self.version = -1
        if not self.is_behind():  # else it is valued whole then, too
            add_lots(self._value, row, lots)
            self.least_micro = least(self._value)


class Account:
    """One account: who owns it, what it has and what it has open. `owner_number` is the dense
    number of the owner, who may have several accounts.

    `counter` voids orders signed with a lower one; `keys` are session keys with the second until
    which each is valid; `slots` are the places in the account's order tree that are taken, with
    the order's hash, and `next_slot` is where to look for the next; `settlements_seen` is how many
    expiries had settled when it last took what its positions accrued; `reduce_only` has those of
    its open orders that may only reduce, by instrument and number. `protection_limits` says of
    a group of quotes how many lots (or units) of it can fill before the rest of it goes;
    `protections` has the groups that are set.
    `marks` are what its positions are valued at, known when it is first touched at the latest.
    `paid_in_micro` is the cash that its owner brought in less what he took out, and what collateral
    was sold for less what was paid for it: equity without collateral beyond it is profit.
    `status` is where it stands in liquidation, 0 for nowhere (`margin/standing.py`).
    `margin_model` and `risk_tier` say how it is margined, `least_tier` what the operator asks at
    least; `stretch_quarters` follows from the tier.
    `rate_full_ns` is when it may again send as many orders at once as any (`exchange/limits.py`).
    """

    __slots__ = (
        "basis_micro",
        "cash_micro",
        "collateral",
        "collateral_charge_micro",
        "collateral_worth_micro",
        "counter",
        "gross_lots",
        "keys",
        "least_tier",
        "margin_model",
        "marks",
        "next_slot",
        "number",
        "open_lots",
        "orders",
        "owner",
        "owner_number",
        "paid_in_micro",
        "positions",
        "protection_limits",
        "protections",
        "rate_full_ns",
        "reduce_only",
        "risk_tier",
        "risks",
        "settlements_seen",
        "slots",
        "status",
        "stretch_quarters",
    )

    def __init__(self, number: int, owner: bytes, owner_number: int = -1) -> None:
        self.number = number
        self.owner = owner
        self.owner_number = number if owner_number < 0 else owner_number
        self.counter = 0
        self.keys: dict[bytes, int] = {}
        self.cash_micro = 0
        self.paid_in_micro = 0
        self.status = 0
        self.basis_micro = 0
        self.collateral: dict[int, int] = {}
        self.collateral_worth_micro = 0
        self.collateral_charge_micro = 0
        self.positions: dict[int, Position] = {}
        self.orders: dict[int, Order] = {}
        self.reduce_only: dict[int, dict[int, Order]] = {}
        self.protection_limits: dict[int, int] = {}
        self.protections: dict[int, Protection] = {}
        self.gross_lots = 0
        self.open_lots = 0
        self.risks: dict[int, Risk] = {}
        self.marks: Marks | None = None
        self.next_slot = 0
        self.slots: dict[int, bytes] = {}
        self.settlements_seen = 0
        self.rate_full_ns = 0
        self.margin_model = PORTFOLIO_MODEL
        self.risk_tier = 0
        self.least_tier = 0
        self.stretch_quarters = RISK_TIER_QUARTERS[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is margined as accounts are that chose nothing."""
        return self.margin_model == PORTFOLIO_MODEL and self.risk_tier == 0

    def set_margin(self, model: int, tier: int) -> None:
        """Goes over to a model and a tier: what its orders could lose is found anew."""
        self.margin_model = model
        self.risk_tier = tier
        self.stretch_quarters = RISK_TIER_QUARTERS[tier]
        for risk in self.risks.values():
            risk.version = -1
        for order in self.orders.values():
            order.loss_version = -1

    def constant_micro(self) -> int:
        """What the account is worth in every scenario: cash with nothing accrued, and stables."""
        return self.cash_micro - self.basis_micro + self.collateral_worth_micro

    def collateral_micro(self) -> int:
        """What the scan counts of collateral where nothing moves."""
        worth = self.collateral_worth_micro
        for risk in self.risks.values():
            worth += int(at_base(risk.collateral))
        return worth

    def initial_constant_micro(self) -> int:
        """The same as initial margin counts it: less what it charges of collateral."""
        return self.constant_micro() - self.collateral_charge_micro

    def risk(self, underlying: int) -> Risk:
        """The vectors on one underlying, made on first use."""
        risk = self.risks.get(underlying)
        if risk is None:
            risk = self.risks[underlying] = Risk()
            if self.marks is not None:
                risk.belong_to(self, underlying, self.marks)
        return risk

    def lots_of(self, instrument: int) -> int:
        """Its position in an instrument, in signed lots."""
        position = self.positions.get(instrument)
        return 0 if position is None else position.quantity_lots

    def reducible_lots(self, order: Order) -> int:
        """How much of its position in an order's instrument the order could take away."""
        return order.reducible_lots(self.lots_of(order.book))

    def add_order(self, order: Order) -> None:
        """An order comes to rest."""
        self.orders[order.order_id] = order
        if order.is_reduce_only:
            self.reduce_only.setdefault(order.book, {})[order.order_id] = order

    def remove_order(self, order: Order) -> None:
        """An order rests no more."""
        del self.orders[order.order_id]
        if order.is_reduce_only:
            of_instrument = self.reduce_only[order.book]
            del of_instrument[order.order_id]
            if not of_instrument:
                del self.reduce_only[order.book]

    def may_sign(self, signer: bytes, time_s: int) -> bool:
        """True if `signer` is the owner or a session key that is valid at `time_s`."""
        return signer == self.owner or self.keys.get(signer, -1) >= time_s


def follow_marks(account: Account, marks: Marks) -> None:
    """From now on the account's positions are valued at these marks."""
    account.marks = marks
    for underlying, risk in account.risks.items():
        risk.belong_to(account, underlying, marks)
