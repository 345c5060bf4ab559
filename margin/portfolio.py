"""Portfolio margin: what an account is worth, what it must keep, and whether fills and orders
may be.

Holds: worth in the worst case = cash - basis + the least, over the scenarios of each underlying,
of position value + what open orders could lose - half a micro per gross lot; initial-margin
excess is that worth. A fill or order passes if the excess is >= 0 after it, or no lower than
before (docs/margin.md, 3). Every open order counts as if the worst subset of them filled,
scenario by scenario, without enumerating subsets.
Never: changes an account while a plan is open; compares floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from margin.accounts import MAX_POSITIONS, Account, Position, Risk
from margin.fees import FeeSchedule, check_fees, check_through, fees_of, fees_through
from margin.kernel import (
    Vector,
    add_lots,
    at_base,
    least,
    vector_of,
    worst,
    worst_scenario,
)
from margin.marks import Marks
from margin.open_orders import OpenOrders
from margin.parameters import DISTRESS_BAND_E6, MAINTENANCE_PERCENT
from margin.protection import Protections
from margin.provisional import Part, Side, Standing, eases, half_up
from margin.scenarios import BASE_SCENARIO
from margin.sweep import position_values
from matching.combos import COMBO_BASE, Combo
from matching.gate import (
    FITS,
    IT_FITS,
    MAKER_FAILS,
    TAKER_LIMIT,
    TAKER_MARGIN,
    TAKER_POSITIONS,
    Fill,
    Gate,
    Ruling,
)
from matching.instruments import MAX_LOTS, Instrument
from matching.orders import Order


class Requirement(NamedTuple):
    """An account's margin, micro-USDC. `excess` = equity - initial; `worst_scenario` of the
    first underlying with positions or orders, else BASE.
    """

    equity_micro: int
    initial_micro: int
    maintenance_micro: int
    excess_micro: int
    worst_scenario: int


_SHORT: Final = -1
_MAY_BE_SHORT: Final = Ruling(_SHORT)
"""Between `propose` and itself alone: an account would be short of margin, which may be if it
eases."""


class Portfolio(Gate):
    """The gate over all accounts, and the reading of any one of them.

    `settlements` counts the expiries that settled; `fees[i]` after a plan are the (taker, maker)
    fees of its i-th fill, micro-USDC; `fee_levels` the levels of warning above zero by underlying;
    `moved` what the command's plans moved and orders that may
    only reduce stand against, as (account, instrument).
    """

    def __init__(
        self,
        accounts: dict[int, Account],
        marks: Marks,
        combos: dict[int, Combo],
        instruments: list[Instrument],
    ) -> None:
        self.accounts = accounts
        self.marks = marks
        self.combos = combos
        self.instruments = instruments
        self.open_orders = OpenOrders(marks, combos, instruments)
        self.protections = Protections(accounts, marks)
        self.settlements = 0
        self.fees: list[tuple[int, int]] = []
        self.fee_levels: dict[int, int] = {}
        self.moved: list[tuple[int, int]] = []
        self._taker: Order | None = None
        self._replaced: Order | None = None
        self._underlyings: list[int] = []
        self._open: dict[int, Side] = {}

    @property
    def schedule(self) -> FeeSchedule:
        """The fees of the exchange."""
        return self.open_orders.schedule

    @schedule.setter
    def schedule(self, schedule: FeeSchedule) -> None:
        self.open_orders.schedule = schedule

    # READING AN ACCOUNT

    def requirement(self, account: Account) -> Requirement:
        """Equity, initial and maintenance margin at the current marks, open orders included in
        the initial.
        """
        equity = worth = account.cash_micro - account.basis_micro
        maintenance = half_up(account.gross_lots)
        scenario = BASE_SCENARIO
        for underlying in sorted(account.risks):
            risk = self.open_orders.exact_risk(account, underlying)
            base = int(at_base(risk.value))
            equity += base
            worth += int(worst(risk.value, risk.order_loss))
            maintenance += base - int(least(risk.value))
            if scenario == BASE_SCENARIO and (any(risk.value) or any(risk.order_loss)):
                scenario = worst_scenario(risk.value, risk.order_loss)
        excess = worth - half_up(account.gross_lots + account.open_lots)
        maintenance = -(-maintenance * MAINTENANCE_PERCENT // 100)
        return Requirement(equity, equity - excess, maintenance, excess, scenario)

    def excess_micro(self, account: Account) -> int:
        """Initial-margin excess: negative is a shortfall."""
        worth = (
            account.cash_micro
            - account.basis_micro
            - half_up(account.gross_lots + account.open_lots)
        )
        for underlying in account.risks:
            risk = self.open_orders.exact_risk(account, underlying)
            worth += int(worst(risk.value, risk.order_loss))
        return worth

    def resting_fee_micro(self, order: Order) -> int:
        """The most that filling one lot (or unit) of a resting order costs in fees."""
        return self.open_orders.resting_fee_micro(order)

    # RESTING ORDERS

    def judge_rest(self, account: Account, order: Order, replaced: Order | None) -> Ruling:
        """May `order` of `account` rest with all that it has left, in place of `replaced`? Changes
        nothing.
        """
        if order.is_reduce_only:
            return IT_FITS
        lots = account.gross_lots + account.open_lots
        lots += self.open_orders.open_lots(order, order.remaining_lots)
        if replaced is not None:
            lots -= self.open_orders.open_lots(replaced, replaced.remaining_lots)
        if lots > MAX_LOTS:
            return Ruling(TAKER_LIMIT, None, lots, MAX_LOTS)
        underlying = self.open_orders.underlying_of(order.book)
        risk = self.open_orders.fresh_risk(account, underlying)
        worth = account.cash_micro - account.basis_micro - half_up(lots)
        loss = self.open_orders.most_loss_micro(order, risk.version)
        bound = worth - loss * order.remaining_lots + risk.least_micro - risk.loss_bound_micro
        if len(account.risks) > 1:
            for number in account.risks:
                if number != underlying:
                    risk = self.open_orders.fresh_risk(account, number)
                    bound += risk.least_micro - risk.loss_bound_micro
        if bound >= 0:
            return IT_FITS
        excess = worth
        for number in account.risks:
            risk = self.open_orders.exact_risk(account, number)
            added = order if number == underlying else None
            losses = self.open_orders.loss_with(account, number, replaced, added)
            excess += int(worst(risk.value, losses))
        if excess >= 0:
            return IT_FITS
        before = self.excess_micro(account)
        if excess >= before:
            return IT_FITS
        return Ruling(TAKER_MARGIN, None, -excess, before)

    def rest(self, account: Account, order: Order) -> None:
        """Counts an order among its account's open ones. The caller has judged it."""
        risk = self.open_orders.fresh_risk(account, self.open_orders.underlying_of(order.book))
        account.add_order(order)
        account.open_lots += self.open_orders.open_lots(order, order.remaining_lots)
        self.open_orders.count(account, risk, order, order.remaining_lots)

    def unrest(self, order: Order) -> None:
        """Takes an order out of its account's open ones, with what it has left."""
        account = self.accounts[order.account]
        self._shrink(account, order, order.remaining_lots)
        order.loss_version = -1  # what is out of its book may be priced anew
        account.remove_order(order)

    def shrink(self, order: Order, lots: int) -> None:
        """Takes lots (or units) out of what a resting order may still trade. The book's are the
        caller's to change.
        """
        self._shrink(self.accounts[order.account], order, lots)

    def _shrink(self, account: Account, order: Order, lots: int) -> None:
        underlying = self.open_orders.underlying_of(order.book)
        risk = account.risk(underlying)
        if risk.version == self.marks.versions.get(underlying, 0):
            self.open_orders.count(account, risk, order, -lots)
        account.open_lots -= self.open_orders.open_lots(order, lots)

    def limit_protection(self, account: Account, protection: int, lots: int | None) -> None:
        """Says how many lots (or units) of a group of quotes can fill before the rest of it goes;
        None: all. Whoever calls this sees to it that no more fill.
        """
        if lots is None:
            account.protection_limits.pop(protection, None)
        else:
            account.protection_limits[protection] = lots
        for risk in account.risks.values():
            risk.version = -1

    # THE GATE

    def begin(self, taker: Order, replaced: Order | None) -> None:
        self._taker = taker
        self._replaced = replaced
        self._underlyings.clear()
        if taker.book < COMBO_BASE:
            self._underlyings.append(self.instruments[taker.book].underlying.number)
        else:
            for instrument in self.combos[taker.book].instruments:
                if instrument.underlying.number not in self._underlyings:
                    self._underlyings.append(instrument.underlying.number)
        self._open.clear()
        self.fees.clear()
        self.protections.begin()

    def fillable_lots(self, order: Order, group_lots: int = 0, account_lots: int = 0) -> int:
        lots = MAX_LOTS
        if order.protection:
            lots = self.protections.fillable_lots(order, group_lots)
        if not order.is_reduce_only:
            return lots
        side = self._open.get(order.account)
        account = self.accounts[order.account]
        held = account.lots_of(order.book) if side is None else side.lots_of(order.book)
        return min(lots, max(order.reducible_lots(held) - account_lots, 0))

    def propose(self, fills: Sequence[Fill], units: int, maker_combo: Order | None) -> Ruling:
        taker = self._taker
        assert taker is not None, "a plan is open"
        indices, levels = self.marks.index_micro, self.fee_levels
        fees = fees_of(self.open_orders.schedule, indices, levels, taker, fills, maker_combo)
        ruling = check_fees(taker, fills, fees, units, maker_combo)
        if ruling is not None:
            return ruling
        return self._judge(taker, fills, fees, units, maker_combo, None)

    def propose_through(self, incoming: Fill, others: Sequence[Fill], units: int) -> Ruling:
        taker, resting = self._taker, incoming.maker
        assert taker is not None, "a plan is open"
        fills = (incoming, *others)
        indices, levels = self.marks.index_micro, self.fee_levels
        fees = fees_through(self.open_orders.schedule, indices, levels, fills)
        ruling = check_through(taker, fills, fees, units)
        if ruling is not None:
            return ruling
        return self._judge(taker, fills, fees, units, None, resting)

    def _judge(
        self,
        taker: Order,
        fills: Sequence[Fill],
        fees: list[tuple[int, int]],
        units: int,
        maker_combo: Order | None,
        resting: Order | None,
    ) -> Ruling:
        """Takes a group into the plan if every account may; `resting` as in `_take`."""
        shares = self.protections.shares(taker, fills, units, maker_combo, resting)
        if shares:
            protected = self.protections.check(shares)
            if protected is not None:
                return protected
        self._take(taker, fills, fees, units, maker_combo, resting, 1)
        failing = self._failing(taker, fills)
        if failing is None:
            self.fees += fees
            self.protections.count(shares)
            return IT_FITS
        if failing.outcome != _SHORT:
            self._take(taker, fills, fees, units, maker_combo, resting, -1)
            return failing
        ruling = self._judge_short(taker, fills, fees, units, maker_combo, resting)
        if ruling.outcome == FITS:
            self.fees += fees
            self.protections.count(shares)
        return ruling

    def _take(
        self,
        taker: Order,
        fills: Sequence[Fill],
        fees: list[tuple[int, int]],
        units: int,
        maker_combo: Order | None,
        resting: Order | None,
        way: int,
    ) -> None:
        """Adds a group to the plan's accounts (`way` 1) or takes it out again (-1), exactly.
        `resting` is the combo order through which the taker meets the fills behind the first.
        """
        taker_side = self._side(taker.account)
        for at, fill in enumerate(fills):
            taker_fee, maker_fee = fees[at]
            maker = fill.maker
            maker_side = self._side(maker.account)
            if resting is not None and maker is not resting:
                taker_side = self._side(resting.account)
            lots = fill.quantity_lots * way
            signed = lots if fill.taker_buys else -lots
            self._fill(taker_side, fill, signed, taker_fee * way)
            self._fill(maker_side, fill, -signed, maker_fee * way)
            if maker_combo is None and maker is not resting:
                self._use_up(maker_side, maker, lots)
        combo_order = maker_combo if resting is None else resting
        if combo_order is not None:
            self._use_up(self._side(combo_order.account), combo_order, units * way)

    def _failing(self, taker: Order, fills: Sequence[Fill]) -> Ruling | None:
        """None if every account of a group certainly may; against the first that has too many
        positions or lots, or `_SHORT` if one may lack margin.
        """
        ruling = self._fails(taker.account, taker, fills)
        if ruling is not None:
            return ruling
        for fill in fills:
            ruling = self._fails(fill.maker.account, taker, fills)
            if ruling is not None:
                return ruling
        return None

    def _fails(self, number: int, taker: Order, fills: Sequence[Fill]) -> Ruling | None:
        side = self._open[number]
        lots = side.gross_lots + side.open_lots
        if side.position_count > MAX_POSITIONS or lots > MAX_LOTS:
            if number != taker.account:
                return _against(number, fills)
            if lots > MAX_LOTS:
                return Ruling(TAKER_LIMIT, None, lots, MAX_LOTS)
            return Ruling(TAKER_POSITIONS, None, side.position_count, MAX_POSITIONS)
        if side.least_excess_micro() >= 0 or self._excess_of(side) >= 0:
            return None
        return _MAY_BE_SHORT

    def _judge_short(
        self,
        taker: Order,
        fills: Sequence[Fill],
        fees: list[tuple[int, int]],
        units: int,
        maker_combo: Order | None,
        resting: Order | None,
    ) -> Ruling:
        """Judges a group, which the plan has taken in, account by account: excess >= 0, or no
        lower than before and risk eased. Takes it out again if it may not be.
        """
        numbers = [taker.account]
        for fill in fills:
            if fill.maker.account not in numbers:
                numbers.append(fill.maker.account)
        after = [self._standing(self._open[number]) for number in numbers]
        limits = [self._fails(number, taker, fills) for number in numbers]
        self._take(taker, fills, fees, units, maker_combo, resting, -1)
        band = 0
        for fill in fills:
            index = self.marks.index_micro.get(fill.instrument.underlying.number, 0)
            band += fill.quantity_lots * index
        band = band * DISTRESS_BAND_E6 // 10**6
        for at, number in enumerate(numbers):
            limit = limits[at]
            if limit is None:
                continue
            if limit.outcome != _SHORT:
                return limit
            before = self._standing(self._open[number])
            if eases(before, after[at], band):
                continue
            if number == taker.account:
                return Ruling(TAKER_MARGIN, None, -after[at].excess_micro, before.excess_micro)
            return _against(number, fills)
        self._take(taker, fills, fees, units, maker_combo, resting, 1)
        return IT_FITS

    def _standing(self, side: Side) -> Standing:
        return Standing(self._excess_of(side), side.positions_worth_micro(), side.equity_micro())

    def _excess_of(self, side: Side) -> int:
        """The excess that an account would have after the plan so far, exactly."""
        account, replaced = side.account, side.replaced
        excess = side.worth_micro - half_up(side.gross_lots + side.open_lots)
        for part in side.parts:
            loss = part.order_loss
            if loss is None:
                loss = part.order_loss = self._planned_loss(side, part.underlying)
            excess += int(worst(part.value, loss))
        for underlying in account.risks:
            if not side.has(underlying):
                risk = self.open_orders.exact_risk(account, underlying)
                loss = self.open_orders.loss_with(account, underlying, replaced, None)
                excess += int(worst(risk.value, loss))
        return excess

    def _planned_loss(self, side: Side, underlying: int) -> Vector:
        """What open orders could lose on one underlying after the plan so far."""
        account = side.account
        if account.protection_limits:
            return self.open_orders.order_loss(account, underlying, side.replaced, side.used, None)
        self.open_orders.exact_risk(account, underlying)
        loss = self.open_orders.loss_with(account, underlying, side.replaced, None)
        for order_id, lots in side.used.items():
            order = account.orders[order_id]
            if (
                not order.is_reduce_only
                and self.open_orders.underlying_of(order.book) == underlying
            ):
                self.open_orders.add_loss_of(loss, order, -lots)
        return loss

    def _side(self, number: int) -> Side:
        """The account as the plan has it so far."""
        side = self._open.get(number)
        if side is None:
            side = self._open[number] = self._new_side(self.accounts[number])
        return side

    def _new_side(self, account: Account) -> Side:
        taker = self._taker
        assert taker is not None, "a plan is open"
        replaced = self._replaced if account.number == taker.account else None
        side = Side(account, replaced)
        for underlying in self._underlyings:
            side.parts.append(Part(underlying, self.open_orders.fresh_risk(account, underlying)))
        if len(account.risks) > len(side.parts):
            for underlying in account.risks:
                if underlying not in self._underlyings:
                    risk = self.open_orders.fresh_risk(account, underlying)
                    side.beside_micro += risk.least_micro - risk.loss_bound_micro
        if account.settlements_seen != self.settlements:
            side.position_count -= self._settled_count(account)
        if replaced is not None:
            side.open_lots -= self.open_orders.open_lots(replaced, replaced.remaining_lots)
        return side

    def _part(self, side: Side, underlying: int) -> Part:
        """One underlying of an account in the plan. One that is not the taker's comes in when the
        plan meets a resting combo that has a leg on it; until then `beside_micro` counts it.
        """
        part = side.part(underlying)
        if part is None:
            risk = self.open_orders.fresh_risk(side.account, underlying)
            part = Part(underlying, risk)
            side.parts.append(part)
            side.beside_micro -= risk.least_micro - risk.loss_bound_micro
        return part

    def _settled_count(self, account: Account) -> int:
        """Positions that only wait to be taken into cash: their expiry is settled."""
        count = 0
        for number in account.positions:
            if self.instruments[number].is_settled:
                count += 1
        return count

    def _fill(self, side: Side, fill: Fill, lots: int, fee: int) -> None:
        """One side of a fill: signed lots at its price, and the fee."""
        instrument = fill.instrument
        number = instrument.number
        side.trade(number, lots)
        part = self._part(side, instrument.underlying.number)
        add_lots(part.value, self.marks.unit(number, self.combos).row, lots)
        part.least_micro = least(part.value)
        cash = -lots * fill.price_ticks * instrument.tick_value_micro - fee
        if instrument.is_linear:
            cash += lots * self.marks.carry_micro[number]
            basis = lots * self.marks.accrual_micro[number]
            side.basis_change_micro += basis
            side.worth_micro -= basis
        side.cash_change_micro += cash
        side.worth_micro += cash

    def _use_up(self, side: Side, order: Order, lots: int) -> None:
        """Takes lots (or units) of a resting order out of what its account's orders could lose.
        The bound of a protected group stays: it follows when the plan is committed.
        """
        used = side.used.get(order.order_id, 0) + lots
        if used:
            side.used[order.order_id] = used
        else:
            del side.used[order.order_id]
        side.open_lots -= self.open_orders.open_lots(order, lots)
        if order.is_reduce_only:
            return
        part = self._part(side, self.open_orders.underlying_of(order.book))
        if order.protection and order.protection in side.account.protection_limits:
            part.order_loss = None
            return
        loss = self.open_orders.most_loss_micro(order, part.version)
        part.loss_bound_micro -= loss * lots
        if part.order_loss is not None:
            self.open_orders.add_loss_of(part.order_loss, order, -lots)

    def commit(self) -> None:
        """Writes the plan into the accounts. Resting orders' remaining lots are the books' to
        change; what they could lose and `open_lots` already count them as filled.
        """
        self.protections.commit()
        for side in self._open.values():
            account = side.account
            account.cash_micro += side.cash_change_micro
            account.basis_micro += side.basis_change_micro
            account.gross_lots = side.gross_lots
            for part in side.parts:
                risk = account.risks[part.underlying]
                risk.value = part.value
                risk.least_micro = part.least_micro
            for order_id, lots in side.used.items():
                order = account.orders[order_id]
                account.open_lots -= self.open_orders.open_lots(order, lots)
                risk = account.risks[self.open_orders.underlying_of(order.book)]
                self.open_orders.count(account, risk, order, -lots)
            for number, lots in side.changed.items():
                if number in account.reduce_only:
                    self.moved.append((account.number, number))
                position = account.positions.get(number)
                if lots == 0:
                    account.positions.pop(number, None)
                elif position is None:
                    account.positions[number] = Position(lots, self.marks.accrual_micro[number])
                else:
                    position.quantity_lots = lots
        self._open.clear()

    def drop(self) -> None:
        self._open.clear()

    # MARK UPDATES

    def sweep(self, underlying: int) -> None:
        """Re-margins every account on one underlying: position values at the new marks, in one
        sparse product.
        """
        rows: list[int] = [0]
        numbers: list[int] = []
        lots: list[int] = []
        held: list[Risk] = []
        instruments = self.instruments
        for account in self.accounts.values():
            risk = account.risks.get(underlying)
            if risk is None:
                continue
            for number, position in account.positions.items():
                if instruments[number].underlying.number == underlying:
                    numbers.append(number)
                    lots.append(position.quantity_lots)
            rows.append(len(numbers))
            held.append(risk)
        values = position_values(rows, numbers, lots, self.marks.values)
        for row, risk in enumerate(held):
            risk.value = vector_of(values[row])
            risk.version = -1


def _against(number: int, fills: Sequence[Fill]) -> Ruling:
    """The ruling against the maker order of an account that fails."""
    for fill in fills:
        if fill.maker.account == number:
            return Ruling(MAKER_FAILS, fill.maker)
    raise AssertionError("an account of a group that is not the taker's has a maker in it")
