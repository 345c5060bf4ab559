"""The standard model: position by position, without netting.

Holds: each position is worth what it is in its own worst scenario (a long option at its least, a
short one at its most), and is charged as if it stood alone; each order likewise, its legs apart;
collateral of an underlying counts at its own worst.
So nothing is asked of a portfolio that is not asked here, at least as much (docs/margin.md, 3.8).
Never: lets a position cover another.
"""

from margin.accounts import Account
from margin.charges import Sums, concentration_micro
from margin.kernel import at_base, least, stretched
from margin.marks import Unit, stretched_up
from margin.open_orders import PLAIN_QUARTERS, OpenOrders
from matching.combos import COMBO_BASE
from matching.orders import Order


class Book:
    """What an account would hold and have open: its positions with those that `changed` (signed
    lots by instrument), its orders without `replaced` and the lots `used`, and with `added`.
    """

    __slots__ = ("account", "added", "changed", "replaced", "used")

    def __init__(
        self,
        account: Account,
        changed: dict[int, int],
        used: dict[int, int],
        replaced: Order | None,
        added: Order | None,
    ) -> None:
        self.account = account
        self.changed = changed
        self.used = used
        self.replaced = replaced
        self.added = added

    def held(self) -> dict[int, int]:
        """Signed lots by instrument."""
        held = dict(self.changed)
        for number, position in self.account.positions.items():
            if number not in held:
                held[number] = position.quantity_lots
        return held


def positions_worst_micro(open_orders: OpenOrders, book: Book) -> int:
    """What positions and collateral are worth, each in its own worst scenario: what maintenance
    goes by.
    """
    worth = _collateral_worst_micro(book.account, PLAIN_QUARTERS)
    for number, lots in book.held().items():
        worth += _worst_of(open_orders.marks.unit(number, open_orders.combos), lots, PLAIN_QUARTERS)
    return worth


def worst_beside_micro(open_orders: OpenOrders, account: Account, underlying: int) -> int:
    """The same of an account's positions and collateral on all underlyings but one."""
    worth = 0
    for number, position in account.positions.items():
        if open_orders.underlying_of(number) != underlying:
            unit = open_orders.marks.unit(number, open_orders.combos)
            worth += _worst_of(unit, position.quantity_lots, PLAIN_QUARTERS)
    for beside, risk in account.risks.items():
        if beside != underlying:
            worth += int(least(risk.collateral))
    return worth


def initial_worth_micro(open_orders: OpenOrders, book: Book) -> int:
    """What collateral, positions and orders are worth as initial margin counts them, charges of
    positions taken off.
    """
    quarters = book.account.stretch_quarters
    worth = _collateral_worst_micro(book.account, quarters)
    sums: dict[int, Sums] = {}
    summed: dict[int, int] = {}
    held = book.held()
    marks = open_orders.marks
    for number, lots in held.items():
        unit = marks.unit(number, open_orders.combos)
        worth += _worst_of(unit, lots, quarters)
        worth -= stretched_up(unit.charge_micro(lots), quarters) * abs(lots)
        features = marks.features_of(number)
        underlying = open_orders.underlying_of(number)
        own = sums.setdefault(underlying, Sums())
        own.move(features, 0, lots, summed.get(features.partner, 0))
        summed[number] = lots
    for underlying, own in sums.items():
        index = marks.index_micro.get(underlying, 0)
        size = concentration_micro(own.delta, own.short_lots, index)
        worth -= stretched_up(size, quarters)
    return worth - _orders_loss_micro(open_orders, book)


def _collateral_worst_micro(account: Account, quarters: int) -> int:
    """What collateral counts where its underlying's index is at its worst, where all assets of an
    underlying are; moves times quarters / 4.
    """
    worth = 0
    for risk in account.risks.values():
        worth += int(least(stretched(risk.collateral, quarters, 1)))
    return worth


def _worst_of(unit: Unit, lots: int, quarters: int) -> int:
    """What signed lots are worth in their own worst scenario, moves times quarters / 4."""
    base = int(at_base(unit.row))
    if lots > 0:
        return lots * (base + ((unit.low_micro - base) * quarters >> 2))
    return lots * (base - ((base - unit.high_micro) * quarters >> 2))


def _orders_loss_micro(open_orders: OpenOrders, book: Book) -> int:
    """What the open orders could lose, each in its own worst scenarios; of a protected group at
    most its limit of its worst kind.
    """
    account, total = book.account, 0
    losses: dict[int, int] = {}
    lot_losses: dict[int, int] = {}
    orders = list(account.orders.values())
    if book.added is not None:
        orders.append(book.added)
    for order in orders:
        lots = order.remaining_lots - book.used.get(order.order_id, 0)
        if order is book.replaced or order.is_reduce_only or not lots:
            continue
        loss = order_loss_micro(open_orders, account, order)
        group = order.protection
        if group and group in account.protection_limits:
            losses[group] = losses.get(group, 0) + loss * lots
            lot_losses[group] = max(lot_losses.get(group, 0), loss)
        else:
            total += loss * lots
    for group, loss in losses.items():
        total += min(loss, account.protection_limits[group] * lot_losses[group])
    return total


def order_loss_micro(open_orders: OpenOrders, account: Account, order: Order) -> int:
    """The most that one lot or unit of an order could lose with its legs apart, charges included:
    a number >= 0.
    """
    marks, quarters = open_orders.marks, account.stretch_quarters
    gain = -order.sign * order.price_micro - open_orders.resting_fee_micro(order)
    legs = ((order.book, 1),) if order.book < COMBO_BASE else open_orders.combos[order.book].legs
    for number, ratio in legs:
        unit = marks.unit(number, open_orders.combos)
        lots = order.sign * ratio
        gain += _worst_of(unit, lots, quarters) + lots * unit.offset_micro
        gain -= stretched_up(unit.charge_micro(lots), quarters) * abs(lots)
    return -gain if gain < 0 else 0
