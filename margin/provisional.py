"""One account inside an open plan: what it would be if the plan were committed.

Holds: vectors are copies, made when the plan first touches the account and never again; a group
of fills that is taken out again leaves everything as it was before it.
Never: changes the account.
"""

from margin.accounts import Account, Risk
from margin.kernel import Vector, at_base, copy_of
from matching.orders import Order


def half_up(lots: int) -> int:
    """Half a micro-USDC per lot, rounded up: covers the rounding of marks and rows."""
    return (lots + 1) // 2


class Part:
    """One underlying of an account inside an open plan: its vectors as they would be.

    `loss_bound_micro` as in `Risk`. `order_loss` is None until the bound does not decide.
    """

    __slots__ = ("least_micro", "loss_bound_micro", "order_loss", "underlying", "value", "version")

    def __init__(self, underlying: int, risk: Risk) -> None:
        self.underlying = underlying
        self.value: Vector = copy_of(risk.value)
        self.least_micro = risk.least_micro
        self.loss_bound_micro = risk.loss_bound_micro
        self.version = risk.version
        self.order_loss: Vector | None = None


class Side:
    """One account inside an open plan: what it would be. `worth_micro` is cash - basis, and
    stables, less what initial margin charges of collateral;
    `beside_micro` a lower bound of the worst cases of underlyings that the plan does not touch.

    `replaced` is its order that counts no more, `used` how many lots (or units) of its resting
    orders the plan has filled, by order id.
    """

    __slots__ = (
        "account",
        "basis_change_micro",
        "beside_micro",
        "cash_change_micro",
        "changed",
        "gross_lots",
        "open_lots",
        "parts",
        "position_count",
        "replaced",
        "used",
        "worth_micro",
    )

    def __init__(self, account: Account, replaced: Order | None) -> None:
        self.account = account
        self.replaced = replaced
        self.worth_micro = account.initial_constant_micro()
        self.beside_micro = 0
        self.gross_lots = account.gross_lots
        self.open_lots = account.open_lots
        self.position_count = len(account.positions)
        self.changed: dict[int, int] = {}
        self.used: dict[int, int] = {}
        self.parts: list[Part] = []
        self.cash_change_micro = 0
        self.basis_change_micro = 0

    def part(self, underlying: int) -> Part | None:
        for part in self.parts:
            if part.underlying == underlying:
                return part
        return None

    def has(self, underlying: int) -> bool:
        """Whether the plan touches the account's margin on an underlying."""
        return self.part(underlying) is not None

    def least_excess_micro(self) -> int:
        """A lower bound of the excess: every position vector and every open order at its own
        worst.
        """
        excess = self.worth_micro + self.beside_micro - half_up(self.gross_lots + self.open_lots)
        for part in self.parts:
            excess += part.least_micro - part.loss_bound_micro
        return excess

    def positions_worth_micro(self) -> int:
        """The worst case of the positions alone on the plan's underlyings, open orders there left
        out.
        """
        worth = self.worth_micro - half_up(self.gross_lots)
        for part in self.parts:
            worth += part.least_micro
        return worth

    def equity_micro(self) -> int:
        """Worth at the marks on the plan's underlyings."""
        equity = self.worth_micro
        for part in self.parts:
            equity += int(at_base(part.value))
        return equity

    def lots_of(self, instrument: int) -> int:
        """The position after the plan so far, in signed lots."""
        lots = self.changed.get(instrument)
        return self.account.lots_of(instrument) if lots is None else lots

    def trade(self, instrument: int, lots: int) -> None:
        """Moves a position by signed lots."""
        before = self.lots_of(instrument)
        after = before + lots
        self.changed[instrument] = after
        self.gross_lots += abs(after) - abs(before)
        self.position_count += (1 if before == 0 else 0) - (1 if after == 0 else 0)


class Standing:
    """What decides whether fills ease an account that is short of margin."""

    __slots__ = ("equity_micro", "excess_micro", "positions_worth_micro")

    def __init__(self, excess_micro: int, positions_worth_micro: int, equity_micro: int) -> None:
        self.excess_micro = excess_micro
        self.positions_worth_micro = positions_worth_micro
        self.equity_micro = equity_micro


def eases(before: Standing, after: Standing, band_micro: int) -> bool:
    """Whether fills really lower the risk of an account that is short of margin: its excess is no
    lower, its positions alone are worth no less in the worst case (its excess counted resting
    orders as filled before), and it pays no more than the distress band for it.
    """
    return (
        after.excess_micro >= before.excess_micro
        and after.positions_worth_micro >= before.positions_worth_micro
        and after.equity_micro >= before.equity_micro - band_micro
    )
