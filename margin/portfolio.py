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
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from margin.accounts import MAX_POSITIONS, Account, Position, Risk
from margin.fees import FeeSchedule, fee_up
from margin.kernel import (
    Vector,
    add_lots,
    order_losses,
    unit_loss,
    worst,
    worst_scenario,
)
from margin.marks import Marks
from margin.parameters import DISTRESS_BAND_E6, MAINTENANCE_PERCENT
from margin.scenarios import BASE_SCENARIO
from matching.combos import COMBO_BASE, Combo
from matching.gate import (
    FITS,
    MAKER_FAILS,
    MAKER_FEE,
    TAKER_FEE,
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


_FITS: Final = Ruling(FITS)


class _Provisional:
    """One account inside an open plan: what it would be. `worth_micro` is cash - basis plus
    other underlyings' worst cases.
    """

    __slots__ = (
        "account",
        "basis_change_micro",
        "cash_change_micro",
        "changed",
        "gross_lots",
        "open_lots",
        "order_loss",
        "position_count",
        "value",
        "worth_micro",
    )

    def __init__(
        self, account: Account, worth_micro: int, value: Vector, order_loss: Vector
    ) -> None:
        self.account = account
        self.worth_micro = worth_micro
        self.value = value
        self.order_loss = order_loss
        self.gross_lots = account.gross_lots
        self.open_lots = account.open_lots
        self.position_count = len(account.positions)
        self.changed: dict[int, int] = {}
        self.cash_change_micro = 0
        self.basis_change_micro = 0

    def copy(self) -> _Provisional:
        twin = _Provisional(
            self.account, self.worth_micro, self.value.copy(), self.order_loss.copy()
        )
        twin.gross_lots = self.gross_lots
        twin.open_lots = self.open_lots
        twin.position_count = self.position_count
        twin.changed = self.changed.copy()
        twin.cash_change_micro = self.cash_change_micro
        twin.basis_change_micro = self.basis_change_micro
        return twin

    def excess_micro(self) -> int:
        return (
            self.worth_micro
            + worst(self.value, self.order_loss)
            - _half_up(self.gross_lots + self.open_lots)
        )

    def positions_worth_micro(self) -> int:
        """The worst case of the positions alone, open orders on this underlying left out."""
        return self.worth_micro + int(self.value.min()) - _half_up(self.gross_lots)

    def equity_micro(self) -> int:
        """Worth at the marks, less the worst cases of other underlyings."""
        return self.worth_micro + int(self.value[BASE_SCENARIO])

    def trade(self, instrument: int, lots: int) -> None:
        """Moves a position by signed lots."""
        before = self.changed.get(instrument)
        if before is None:
            position = self.account.positions.get(instrument)
            before = position.quantity_lots if position else 0
        after = before + lots
        self.changed[instrument] = after
        self.gross_lots += abs(after) - abs(before)
        self.position_count += (before == 0) - (after == 0)


def _half_up(lots: int) -> int:
    """Half a micro-USDC per lot, rounded up: covers the rounding of marks and rows."""
    return (lots + 1) // 2


class Portfolio(Gate):
    """The gate over all accounts, and the reading of any one of them.

    `settlements` counts the expiries that settled; `fees[i]` after a plan are the (taker, maker)
    fees of its i-th fill, micro-USDC.
    """

    def __init__(
        self,
        accounts: dict[int, Account],
        marks: Marks,
        combos: dict[int, Combo],
        instruments: Sequence[Instrument],
    ) -> None:
        self.accounts = accounts
        self.marks = marks
        self.combos = combos
        self.instruments = instruments
        self.schedule = FeeSchedule(0, 0, 0)
        self.settlements = 0
        self.fees: list[tuple[int, int]] = []
        self._taker: Order | None = None
        self._replaced: Order | None = None
        self._underlying = 0
        self._open: dict[int, _Provisional] = {}

    # READING AN ACCOUNT

    def requirement(self, account: Account) -> Requirement:
        """Equity, initial and maintenance margin at the current marks, open orders included in
        the initial.
        """
        equity = worth = account.cash_micro - account.basis_micro
        maintenance = _half_up(account.gross_lots)
        scenario = BASE_SCENARIO
        for underlying in sorted(account.risks):
            risk = self.fresh_risk(account, underlying)
            base = int(risk.value[BASE_SCENARIO])
            equity += base
            worth += worst(risk.value, risk.order_loss)
            maintenance += base - int(risk.value.min())
            if scenario == BASE_SCENARIO and (risk.value.any() or risk.order_loss.any()):
                scenario = worst_scenario(risk.value, risk.order_loss)
        excess = worth - _half_up(account.gross_lots + account.open_lots)
        maintenance = -(-maintenance * MAINTENANCE_PERCENT // 100)
        return Requirement(equity, equity - excess, maintenance, excess, scenario)

    def excess_micro(self, account: Account) -> int:
        """Initial-margin excess: negative is a shortfall."""
        worth = (
            account.cash_micro
            - account.basis_micro
            - _half_up(account.gross_lots + account.open_lots)
        )
        for underlying in account.risks:
            risk = self.fresh_risk(account, underlying)
            worth += worst(risk.value, risk.order_loss)
        return worth

    def fresh_risk(self, account: Account, underlying: int) -> Risk:
        """The account's vectors with `order_loss` at the current marks (values are kept current
        by the sweep).
        """
        risk = account.risk(underlying)
        epoch = self.marks.epochs.get(underlying, 0)
        if risk.epoch != epoch:
            risk.order_loss = self._order_loss(account, underlying)
            risk.epoch = epoch
        return risk

    def _order_loss(self, account: Account, underlying: int) -> Vector:
        orders = [
            order
            for order in account.orders.values()
            if self._underlying_of(order.book) == underlying
        ]
        if not orders:
            return np.zeros_like(self.marks.values[0])
        marks, combos = self.marks, self.combos
        if all(order.book < COMBO_BASE for order in orders):
            values = marks.values[[order.book for order in orders]]
        else:
            values = np.stack([marks.unit_value(order.book, combos) for order in orders])
        return order_losses(
            values,
            np.array([order.sign for order in orders], dtype=np.int64),
            np.array([self._adjusted_price(order) for order in orders], dtype=np.int64),
            np.array([self.resting_fee_micro(order) for order in orders], dtype=np.int64),
            np.array([order.remaining_lots for order in orders], dtype=np.int64),
        )

    def _underlying_of(self, book: int) -> int:
        if book < COMBO_BASE:
            return self.instruments[book].underlying.number
        return self.combos[book].underlying.number

    def _adjusted_price(self, order: Order) -> int:
        return order.price_micro - self.marks.unit_offset_micro(order.book, self.combos)

    def resting_fee_micro(self, order: Order) -> int:
        """The most that filling one lot (or unit) of a resting order costs in fees: known
        exactly for a single order, bounded by the index for a combo.
        """
        if order.book < COMBO_BASE:
            instrument = self.instruments[order.book]
            index = self.marks.index_micro.get(instrument.underlying.number, 0)
            return fee_up(
                self.schedule.maker_rate,
                self.schedule.cap,
                instrument.is_linear,
                index,
                order.price_micro,
                1,
            )
        combo = self.combos[order.book]
        index = self.marks.index_micro.get(combo.underlying.number, 0)
        lots = sum(abs(ratio) for ratio in combo.ratios)
        return fee_up(self.schedule.maker_rate, 0, True, index, 0, 1) * lots

    def _loss_of(self, order: Order) -> Vector:
        """What one lot (or unit) of an order could lose per scenario."""
        return unit_loss(
            self.marks.unit_value(order.book, self.combos),
            order.sign,
            self._adjusted_price(order),
            self.resting_fee_micro(order),
        )

    def lots_per_unit(self, book: int) -> int:
        """Legs' lots in one unit of a book: 1, or the sum of a combo's ratios' sizes."""
        return 1 if book < COMBO_BASE else sum(abs(ratio) for ratio in self.combos[book].ratios)

    # RESTING ORDERS

    def judge_rest(self, order: Order, replaced: Order | None) -> Ruling:
        """May `order` rest with all that it has left, in place of `replaced`? Changes nothing."""
        account = self.accounts[order.account]
        underlying = self._underlying_of(order.book)
        side = self._provisional(account, underlying, replaced)
        add_lots(side.order_loss, self._loss_of(order), order.remaining_lots)
        side.open_lots += order.remaining_lots * self.lots_per_unit(order.book)
        if side.gross_lots + side.open_lots > MAX_LOTS:
            return Ruling(TAKER_LIMIT, None, side.gross_lots + side.open_lots, MAX_LOTS)
        excess = side.excess_micro()
        if excess >= 0:
            return _FITS
        before = self._provisional(account, underlying, None).excess_micro()
        if excess >= before:
            return _FITS
        return Ruling(TAKER_MARGIN, None, -excess, before)

    def rest(self, order: Order) -> None:
        """Counts an order among its account's open ones. The caller has judged it."""
        account = self.accounts[order.account]
        risk = self.fresh_risk(account, self._underlying_of(order.book))
        account.orders[order.order_id] = order
        account.open_lots += order.remaining_lots * self.lots_per_unit(order.book)
        add_lots(risk.order_loss, self._loss_of(order), order.remaining_lots)

    def unrest(self, order: Order) -> None:
        """Takes an order out of its account's open ones, with what it has left."""
        account = self.accounts[order.account]
        risk = account.risk(self._underlying_of(order.book))
        del account.orders[order.order_id]
        account.open_lots -= order.remaining_lots * self.lots_per_unit(order.book)
        if risk.epoch == self.marks.epochs.get(self._underlying_of(order.book), 0):
            add_lots(risk.order_loss, self._loss_of(order), -order.remaining_lots)

    # THE GATE

    def begin(self, taker: Order, replaced: Order | None) -> None:
        self._taker = taker
        self._replaced = replaced
        self._underlying = self._underlying_of(taker.book)
        self._open.clear()
        self.fees.clear()

    def propose(self, fills: Sequence[Fill], units: int, maker_combo: Order | None) -> Ruling:
        taker = self._taker
        assert taker is not None, "a plan is open"
        trial: dict[int, _Provisional] = {}
        taker_side = trial[taker.account] = self._trial(taker.account)
        taker_fees = 0
        fees: list[tuple[int, int]] = []
        maker_fees: dict[int, int] = {}
        index = self.marks.index_micro.get(self._underlying, 0)
        maker_rate, taker_rate, cap = self.schedule
        for fill in fills:
            instrument, lots, maker = fill.instrument, fill.quantity_lots, fill.maker
            price = fill.price_ticks * instrument.tick_value_micro
            fee = fee_up(taker_rate, cap, instrument.is_linear, index, price, lots)
            maker_fee = fee_up(maker_rate, cap, instrument.is_linear, index, price, lots)
            taker_fees += fee
            paid = maker_fees[maker.order_id] = maker_fees.get(maker.order_id, 0) + maker_fee
            if maker_combo is None and paid > maker.max_fee_micro * lots:
                return Ruling(MAKER_FEE, maker)
            maker_side = trial.get(maker.account)
            if maker_side is None:
                maker_side = trial[maker.account] = self._trial(maker.account)
            signed = lots if fill.taker_buys else -lots
            self._fill(taker_side, instrument, signed, price, fee)
            self._fill(maker_side, instrument, -signed, price, maker_fee)
            if maker_combo is None:
                self._use_up(maker_side, maker, lots)
            fees.append((fee, maker_fee))
        if taker_fees > taker.max_fee_micro * units:
            return Ruling(TAKER_FEE, None, -(-taker_fees // units), taker.max_fee_micro)
        if maker_combo is not None:
            if maker_fees[maker_combo.order_id] > maker_combo.max_fee_micro * units:
                return Ruling(MAKER_FEE, maker_combo)
            self._use_up(trial[maker_combo.account], maker_combo, units)
        ruling = self._judge(trial, taker.account, fills)
        if ruling.outcome == FITS:
            self._open.update(trial)
            self.fees += fees
        return ruling

    def propose_through(self, incoming: Fill, others: Sequence[Fill], units: int) -> Ruling:
        taker, resting = self._taker, incoming.maker
        assert taker is not None, "a plan is open"
        trial = {taker.account: self._trial(taker.account)}
        trial[resting.account] = self._trial(resting.account)
        maker_rate, taker_rate, cap = self.schedule
        fees: list[tuple[int, int]] = []
        resting_fees = 0
        for fill in (incoming, *others):
            is_incoming = fill is incoming
            instrument, lots, maker = fill.instrument, fill.quantity_lots, fill.maker
            index = self.marks.index_micro.get(instrument.underlying.number, 0)
            price = fill.price_ticks * instrument.tick_value_micro
            maker_fee = fee_up(maker_rate, cap, instrument.is_linear, index, price, lots)
            fee = maker_fee
            if is_incoming:
                fee = fee_up(taker_rate, cap, instrument.is_linear, index, price, lots)
                if fee > taker.max_fee_micro * lots:
                    return Ruling(TAKER_FEE, None, -(-fee // lots), taker.max_fee_micro)
            elif maker_fee > maker.max_fee_micro * lots:
                return Ruling(MAKER_FEE, maker)
            resting_fees += maker_fee
            if maker.account not in trial:
                trial[maker.account] = self._trial(maker.account)
            signed = lots if fill.taker_buys else -lots
            by = taker.account if is_incoming else resting.account
            self._fill(trial[by], instrument, signed, price, fee)
            self._fill(trial[maker.account], instrument, -signed, price, maker_fee)
            if not is_incoming:
                self._use_up(trial[maker.account], maker, lots)
            fees.append((fee, maker_fee))
        if resting_fees > resting.max_fee_micro * units:
            return Ruling(MAKER_FEE, resting)
        self._use_up(trial[resting.account], resting, units)
        ruling = self._judge(trial, taker.account, (incoming, *others))
        if ruling.outcome == FITS:
            self._open.update(trial)
            self.fees += fees
        return ruling

    def _judge(self, trial: dict[int, _Provisional], taker: int, fills: Sequence[Fill]) -> Ruling:
        """Every account of a group: excess >= 0, or no lower than before and risk eased."""
        for number, after in trial.items():
            is_taker = number == taker
            lots = after.gross_lots + after.open_lots
            if after.position_count > MAX_POSITIONS or lots > MAX_LOTS:
                if not is_taker:
                    return _against(number, fills)
                if lots > MAX_LOTS:
                    return Ruling(TAKER_LIMIT, None, lots, MAX_LOTS)
                return Ruling(TAKER_POSITIONS, None, after.position_count, MAX_POSITIONS)
            excess = after.excess_micro()
            if excess >= 0:
                continue
            before = self._trial(number)
            excess_before = before.excess_micro()
            if excess >= excess_before and self._eases(before, after, fills):
                continue
            if is_taker:
                return Ruling(TAKER_MARGIN, None, -excess, excess_before)
            return _against(number, fills)
        return _FITS

    def _eases(self, before: _Provisional, after: _Provisional, fills: Sequence[Fill]) -> bool:
        """Whether fills really lower the risk of an account that is short of margin: its positions
        alone are worth no less in the worst case (its excess counted resting orders as filled
        before), and it pays no more than the distress band for it.
        """
        index = self.marks.index_micro.get(self._underlying, 0)
        lots = sum(fill.quantity_lots for fill in fills)
        band = lots * index * DISTRESS_BAND_E6 // 10**6
        return (
            after.positions_worth_micro() >= before.positions_worth_micro()
            and after.equity_micro() >= before.equity_micro() - band
        )

    def _trial(self, number: int) -> _Provisional:
        """A copy of the account as the plan has it so far."""
        known = self._open.get(number)
        if known is not None:
            return known.copy()
        taker = self._taker
        replaced = self._replaced if taker is not None and number == taker.account else None
        return self._provisional(self.accounts[number], self._underlying, replaced)

    def _provisional(
        self, account: Account, underlying: int, replaced: Order | None
    ) -> _Provisional:
        """A copy of the account, without the order `replaced`, which may be on any underlying."""
        worth = account.cash_micro - account.basis_micro
        risk = self.fresh_risk(account, underlying)
        elsewhere = None if replaced is None else self._underlying_of(replaced.book)
        if len(account.risks) > 1:
            for other in account.risks:
                if other != underlying:
                    beside = self.fresh_risk(account, other)
                    order_loss = beside.order_loss
                    if replaced is not None and other == elsewhere:
                        order_loss = order_loss - self._loss_of(replaced) * replaced.remaining_lots
                    worth += worst(beside.value, order_loss)
        made = _Provisional(account, worth, risk.value.copy(), risk.order_loss.copy())
        if account.settlements_seen != self.settlements:
            made.position_count -= self._settled_count(account)
        if replaced is not None:
            if elsewhere == underlying:
                add_lots(made.order_loss, self._loss_of(replaced), -replaced.remaining_lots)
            made.open_lots -= replaced.remaining_lots * self.lots_per_unit(replaced.book)
        return made

    def _settled_count(self, account: Account) -> int:
        """Positions that only wait to be taken into cash: their expiry is settled."""
        instruments = self.instruments
        return sum(instruments[number].is_settled for number in account.positions)

    def _fill(
        self, side: _Provisional, instrument: Instrument, lots: int, price_micro: int, fee: int
    ) -> None:
        """One side of a fill: signed lots at a price per lot, and its fee."""
        number = instrument.number
        side.trade(number, lots)
        add_lots(side.value, self.marks.values[number], lots)
        cash = -lots * price_micro - fee
        if instrument.is_linear:
            cash += lots * self.marks.carry_micro[number]
            basis = lots * self.marks.accrual_micro[number]
            side.basis_change_micro += basis
            side.worth_micro -= basis
        side.cash_change_micro += cash
        side.worth_micro += cash

    def _use_up(self, side: _Provisional, order: Order, lots: int) -> None:
        """Takes lots (or units) of a resting order out of what its account's orders could lose."""
        add_lots(side.order_loss, self._loss_of(order), -lots)
        side.open_lots -= lots * self.lots_per_unit(order.book)

    def commit(self) -> None:
        """Writes the plan into the accounts. Resting orders' remaining lots are the books' to
        change; `order_loss` and `open_lots` already count them as filled.
        """
        for made in self._open.values():
            account = made.account
            account.cash_micro += made.cash_change_micro
            account.basis_micro += made.basis_change_micro
            account.gross_lots = made.gross_lots
            account.open_lots = made.open_lots
            risk = account.risks[self._underlying]
            risk.value = made.value
            risk.order_loss = made.order_loss
            for number, lots in made.changed.items():
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
            risk.value = values[row]


def position_values(rows: list[int], numbers: list[int], lots: list[int], values: Vector) -> Vector:
    """Scenario values of many portfolios: int64[portfolios, 119]. Portfolio i holds lots[k] of
    instrument numbers[k] for rows[i] <= k < rows[i + 1].
    """
    matrix: Any = csr_array(  # scipy's arrays carry no element types
        (
            np.array(lots, dtype=np.int64),
            np.array(numbers, dtype=np.int64),
            np.array(rows, dtype=np.int64),
        ),
        shape=(len(rows) - 1, len(values)),
    )
    return matrix @ values


def _against(number: int, fills: Sequence[Fill]) -> Ruling:
    """The ruling against the maker order of an account that fails."""
    maker = next(fill.maker for fill in fills if fill.maker.account == number)
    return Ruling(MAKER_FAILS, maker)
