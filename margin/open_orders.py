"""What open orders could lose, scenario by scenario, without enumerating which of them fill.

Holds: what an order could lose has in it the charges of what it would trade, each lot by itself;
each account and underlying has a **bound**, the sum of what every order could lose in its
own worst scenario, kept up order by order; where the bound does not decide, the vector
`order_loss` is summed from all orders and from then on kept up too, until the marks move. An
order that may only reduce counts nothing; of a protected group, which fills to its limit and then
goes, at most so many of its worst lots count; a combo counts on its first leg's underlying, its
legs elsewhere at their own worst (docs/margin.md, 3.3).
Never: decides anything.
"""

from typing import Final

from margin.accounts import Account, Group, Risk, follow_marks
from margin.charges import concentration_micro
from margin.fees import FeeSchedule, fee_up
from margin.kernel import (
    Vector,
    add_capped,
    add_loss,
    copy_of,
    least,
    sink,
    zero_vector,
)
from margin.marks import Marks, Unit
from margin.parameters import RISK_TIER_QUARTERS
from matching.combos import COMBO_BASE, Combo
from matching.instruments import Instrument
from matching.orders import Order

PLAIN_QUARTERS: Final = RISK_TIER_QUARTERS[0]
"""The tier in which everything counts as it is."""


class OpenOrders:
    """The reading of open orders at the marks in force and the fees of the exchange."""

    __slots__ = ("combos", "instruments", "marks", "schedule")

    def __init__(
        self, marks: Marks, combos: dict[int, Combo], instruments: list[Instrument]
    ) -> None:
        self.marks = marks
        self.combos = combos
        self.instruments = instruments
        self.schedule = FeeSchedule(0, 0, 0)

    # AN ACCOUNT'S ORDERS ON ONE UNDERLYING

    def fresh_risk(self, account: Account, underlying: int) -> Risk:
        """The account's margin on one underlying with values and bounds at the current marks."""
        risk = account.risks.get(underlying)
        if risk is None:
            risk = account.risk(underlying)
        if account.marks is None:
            follow_marks(account, self.marks)
        risk.follow()
        version = self.marks.versions.get(underlying, 0)
        if risk.version != version:
            risk.version = version
            risk.is_exact = False
            risk.least_micro = least(risk.value)
            risk.loss_bound_micro = 0
            risk.groups.clear()
            self._sum_features(account, risk, underlying)
            for order in account.orders.values():
                if self.underlying_of(order.book) == underlying:
                    self.count(account, risk, order, order.remaining_lots)
        return risk

    def _sum_features(self, account: Account, risk: Risk, underlying: int) -> None:
        """The positions' features at the marks in force, and what they are charged."""
        sums = risk.sums
        sums.clear()
        positions, marks = account.positions, self.marks
        for number, position in positions.items():
            if marks.underlying_of(number) == underlying:
                features, lots = marks.features_of(number), position.quantity_lots
                beside = 0
                if lots < 0 and features.partner < number:  # of two, the other is summed already
                    beside = account.lots_of(features.partner)
                sums.move(features, 0, lots, beside)
        self.charge(risk, underlying)

    def charge(self, risk: Risk, underlying: int) -> None:
        """Sets what the sums are charged."""
        index = self.marks.index_micro.get(underlying, 0)
        risk.charge_micro = risk.sums.charge_micro(self.marks.term_rates, index)
        risk.concentration_micro = concentration_micro(risk.sums.delta, risk.sums.short_lots, index)

    def exact_risk(self, account: Account, underlying: int) -> Risk:
        """The same with `order_loss`."""
        risk = self.fresh_risk(account, underlying)
        if not risk.is_exact:
            risk.order_loss = self.order_loss(account, underlying, None, {}, None)
            risk.is_exact = True
        return risk

    def order_loss(
        self,
        account: Account,
        underlying: int,
        replaced: Order | None,
        used: dict[int, int],
        added: Order | None,
    ) -> Vector:
        """What open orders could lose per scenario, without `replaced` and the lots `used`, and
        with `added` as if it rested.
        """
        total = zero_vector()
        groups: dict[int, list[Order]] = {}
        orders = list(account.orders.values())
        if added is not None:
            orders.append(added)
        for order in orders:
            if order is replaced or order.is_reduce_only:
                continue
            if self.underlying_of(order.book) != underlying:
                continue
            if order.protection and order.protection in account.protection_limits:
                groups.setdefault(order.protection, []).append(order)
            else:
                lots = order.remaining_lots - used.get(order.order_id, 0)
                self.add_loss_of(account, total, order, lots)
        for protection in sorted(groups):
            losses, lot_losses, lots_left = zero_vector(), zero_vector(), 0
            for order in groups[protection]:
                lots = order.remaining_lots - used.get(order.order_id, 0)
                if lots:
                    unit = self.unit_of(account, order)
                    level = unit.level_micro(order.sign, order.price_micro)
                    cost = self.lot_cost_micro(order, unit)
                    add_loss(losses, unit.row, order.sign, level, cost, lots)
                    sink(lot_losses, unit.row, order.sign, level, cost)
                    lots_left += lots
            limit = account.protection_limits[protection]
            add_capped(total, losses, lot_losses, min(limit, lots_left))
        return total

    def loss_with(
        self, account: Account, underlying: int, replaced: Order | None, added: Order | None
    ) -> Vector:
        """`order_loss` on one underlying without `replaced` and with `added`."""
        if account.protection_limits:
            return self.order_loss(account, underlying, replaced, {}, added)
        loss = copy_of(account.risks[underlying].order_loss)
        if added is not None:
            self._add_loss_on(account, loss, underlying, added, added.remaining_lots)
        if replaced is not None:
            self._add_loss_on(account, loss, underlying, replaced, -replaced.remaining_lots)
        return loss

    def _add_loss_on(
        self, account: Account, vector: Vector, underlying: int, order: Order, lots: int
    ) -> None:
        """The same as `add_loss_of` where the order counts, and counts on an underlying."""
        if not order.is_reduce_only and self.underlying_of(order.book) == underlying:
            self.add_loss_of(account, vector, order, lots)

    def count(self, account: Account, risk: Risk, order: Order, lots: int) -> None:
        """Adds lots (or units) of an open order to what open orders could lose, or takes them
        out.
        """
        if order.is_reduce_only:
            return
        limit = account.protection_limits.get(order.protection) if order.protection else None
        if limit is None:
            risk.loss_bound_micro += self.most_loss_micro(account, order, risk.version) * lots
            if risk.is_exact:
                self.add_loss_of(account, risk.order_loss, order, lots)
            return
        group = risk.groups.get(order.protection)
        if group is None:
            group = risk.groups[order.protection] = Group()
        loss = self.most_loss_micro(account, order, risk.version)
        risk.loss_bound_micro -= group.bound_micro(limit)
        group.loss_micro += loss * lots
        group.lot_loss_micro = max(group.lot_loss_micro, loss)
        risk.loss_bound_micro += group.bound_micro(limit)
        risk.is_exact = False

    # ONE ORDER

    def underlying_of(self, book: int) -> int:
        """The underlying that orders of a book are margined on: a combo's is its first leg's.

        One is enough for a combo of several: on it counts min(0, gain of the legs there - price -
        fee + sum over other underlyings u of the least gain of the legs on u). The excess takes the
        worst scenario of each underlying apart; in u's the legs on u bring no less than their
        least, so no fills can cost the account more than what is counted.
        """
        if book < COMBO_BASE:
            return self.instruments[book].underlying.number
        return self.combos[book].underlying.number

    def underlyings_of(self, book: int) -> list[int]:
        """The underlyings of an instrument, or of a combo's legs, its first leg's first."""
        if book < COMBO_BASE:
            return [self.instruments[book].underlying.number]
        numbers: list[int] = []
        for instrument in self.combos[book].instruments:
            if instrument.underlying.number not in numbers:
                numbers.append(instrument.underlying.number)
        return numbers

    def resting_fee_micro(self, order: Order) -> int:
        """The most that filling one lot (or unit) of a resting order costs in fees: known
        exactly for a single order, bounded by the index for a combo.
        """
        return self._resting_fee(order, self.marks.unit(order.book, self.combos))

    def _resting_fee(self, order: Order, unit: Unit) -> int:
        schedule, indices = self.schedule, self.marks.index_micro
        if order.book < COMBO_BASE:
            instrument = self.instruments[order.book]
            return fee_up(
                schedule.maker_rate,
                schedule.cap,
                instrument.is_linear,
                indices.get(instrument.underlying.number, 0),
                order.price_micro,
                1,
            )
        if unit.fee_micro < 0:
            fee = 0
            for number, ratio in self.combos[order.book].legs:
                index = indices.get(self.instruments[number].underlying.number, 0)
                fee += fee_up(schedule.maker_rate, 0, True, index, 0, 1) * abs(ratio)
            unit.fee_micro = fee
        return unit.fee_micro

    def unit_of(self, account: Account, order: Order) -> Unit:
        """What margin must know of one lot (or unit) of an account's order, as its tier has it."""
        unit = self.marks.unit(order.book, self.combos)
        if account.stretch_quarters == PLAIN_QUARTERS:
            return unit
        return unit.stretched(account.stretch_quarters, order.sign)

    def lot_cost_micro(self, order: Order, unit: Unit) -> int:
        """What filling one lot (or unit) of a resting order costs at most beside its price: the
        fee, and what its position is charged by itself (docs/margin.md, 3.3).
        """
        return self._resting_fee(order, unit) + unit.charge_micro(order.sign)

    def add_loss_of(self, account: Account, vector: Vector, order: Order, lots: int) -> None:
        """vector += what lots (or units) of an order could lose per scenario."""
        unit = self.unit_of(account, order)
        level = unit.level_micro(order.sign, order.price_micro)
        add_loss(vector, unit.row, order.sign, level, self.lot_cost_micro(order, unit), lots)

    def most_loss_micro(self, account: Account, order: Order, version: int) -> int:
        """The most that one lot (or unit) of an order could lose, a number >= 0. It is kept with
        the order for the `version` of the marks that it was found at.
        """
        if order.loss_version == version:
            return order.loss_micro
        unit = self.unit_of(account, order)
        level = unit.level_micro(order.sign, order.price_micro)
        cost = self.lot_cost_micro(order, unit)
        order.loss_micro = unit.most_loss_micro(order.sign, level, cost)
        order.loss_version = version
        return order.loss_micro

    def lots_per_unit(self, book: int) -> int:
        """Legs' lots in one unit of a book: 1, or the sum of a combo's ratios' sizes."""
        if book < COMBO_BASE:
            return 1
        lots = 0
        for ratio in self.combos[book].ratios:
            lots += abs(ratio)
        return lots

    def open_lots(self, order: Order, lots: int) -> int:
        """What lots (or units) of a resting order count in `open_lots`."""
        return 0 if order.is_reduce_only else lots * self.lots_per_unit(order.book)
