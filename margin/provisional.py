"""Accounts inside an open plan: what they would be if the plan were committed.

Holds: vectors are copies, made when the plan first touches the account and never again; a group
of fills that is taken out again leaves everything as it was before it; bounds never say more than
the account would have, and where they do not decide, the excess is read exactly.
Never: changes an account before `commit`.
"""

from collections.abc import Sequence

from margin.accounts import STANDARD_MODEL, Account, Position, Risk
from margin.charges import concentration_micro
from margin.kernel import Vector, add_lots, at_base, copy_of, least
from margin.marks import stretched_up
from margin.netting import half_up, netted_worst
from margin.open_orders import OpenOrders
from margin.parameters import CONCENTRATED_NOTIONAL_MICRO, DELTA_NOTIONAL
from margin.requirement import NO_BOUND, counted, least_worth_micro
from margin.standard_margin import Book, initial_worth_micro
from matching.gate import Fill
from matching.instruments import Instrument
from matching.orders import Order


class Part:
    """One underlying of an account inside an open plan: its vectors as they would be.

    `loss_bound_micro` as in `Risk`. `order_loss` is None until the bound does not decide. `delta`
    is that of all positions; `short_lots` at least those short at a strike, as `Sums` counts them.
    """

    __slots__ = (
        "delta",
        "index_micro",
        "loss_bound_micro",
        "order_loss",
        "short_lots",
        "underlying",
        "value",
        "version",
    )

    def __init__(self, underlying: int, risk: Risk, index_micro: int) -> None:
        self.underlying = underlying
        self.index_micro = index_micro
        self.delta = risk.sums.delta
        self.short_lots = risk.sums.short_lots
        self.value: Vector = copy_of(risk.value)
        self.loss_bound_micro = risk.loss_bound_micro
        self.version = risk.version
        self.order_loss: Vector | None = None

    @property
    def least_micro(self) -> int:
        """The least of `value`."""
        return int(least(self.value))

    def concentration_bound_micro(self) -> int:
        """At least what its size is charged."""
        short, delta = self.short_lots * self.index_micro, DELTA_NOTIONAL * self.delta
        end = CONCENTRATED_NOTIONAL_MICRO
        if short <= end and -end <= delta <= end:
            return 0
        return concentration_micro(self.delta, self.short_lots, self.index_micro)


class Side:
    """One account inside an open plan: what it would be. `worth_micro` is cash - basis, and
    stables, less what initial margin charges of collateral;
    `beside_micro` a lower bound of the worst cases of underlyings that the plan does not touch,
    less their charges; `charge_bound_micro` at least what those that it touches are charged but for
    concentration: what they were, and for each lot of the plan its own charge.

    `replaced` is its order that counts no more, `used` how many lots (or units) of its resting
    orders the plan has filled, by order id.
    """

    __slots__ = (
        "account",
        "basis_change_micro",
        "beside_micro",
        "cash_change_micro",
        "changed",
        "charge_bound_micro",
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
        self.charge_bound_micro = 0
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
        if not self.account.is_plain:
            return NO_BOUND
        excess = self.worth_micro + self.beside_micro - half_up(self.gross_lots + self.open_lots)
        excess -= self.charge_bound_micro
        for part in self.parts:
            excess += part.least_micro - part.loss_bound_micro - part.concentration_bound_micro()
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


class Plan:
    """The accounts that an open plan touches.

    `moved` is what committed plans moved and orders that may only reduce stand against, as
    (account, instrument).
    """

    __slots__ = (
        "accounts",
        "instruments",
        "moved",
        "open",
        "open_orders",
        "replaced",
        "settlements",
        "taker",
        "underlyings",
    )

    def __init__(
        self, accounts: dict[int, Account], open_orders: OpenOrders, instruments: list[Instrument]
    ) -> None:
        self.accounts = accounts
        self.open_orders = open_orders
        self.instruments = instruments
        self.open: dict[int, Side] = {}
        self.moved: list[tuple[int, int]] = []
        self.taker: Order | None = None
        self.replaced: Order | None = None
        self.underlyings: list[int] = []
        self.settlements = 0

    def begin(self, taker: Order, replaced: Order | None, settlements: int) -> None:
        """Opens a plan for an order, without the one that it replaces; `settlements` counts the
        expiries that settled.
        """
        self.taker = taker
        self.replaced = replaced
        self.settlements = settlements
        self.underlyings = self.open_orders.underlyings_of(taker.book)
        self.open.clear()

    def take(
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
        taker_side = self.side(taker.account)
        for at, fill in enumerate(fills):
            taker_fee, maker_fee = fees[at]
            maker = fill.maker
            maker_side = self.side(maker.account)
            if resting is not None and maker is not resting:
                taker_side = self.side(resting.account)
            lots = fill.quantity_lots * way
            signed = lots if fill.taker_buys else -lots
            self._fill(taker_side, fill, signed, taker_fee * way, way)
            self._fill(maker_side, fill, -signed, maker_fee * way, way)
            if maker_combo is None and maker is not resting:
                self._use_up(maker_side, maker, lots)
        combo_order = maker_combo if resting is None else resting
        if combo_order is not None:
            self._use_up(self.side(combo_order.account), combo_order, units * way)

    def excess_of(self, side: Side) -> int:
        """The excess that an account would have after the plan so far, exactly."""
        account, replaced = side.account, side.replaced
        excess = side.worth_micro - half_up(side.gross_lots + side.open_lots)
        if account.margin_model == STANDARD_MODEL:
            book = Book(account, side.changed, side.used, replaced, None)
            return excess + initial_worth_micro(self.open_orders, book)
        vectors: list[Vector] = []
        for part in side.parts:
            loss = part.order_loss
            if loss is None:
                loss = part.order_loss = self._planned_loss(side, part.underlying)
            vectors.append(counted(account, part.value, loss))
            excess -= stretched_up(self._planned_charge(side, part), account.stretch_quarters)
        for underlying in account.risks:
            if not side.has(underlying):
                risk = self.open_orders.exact_risk(account, underlying)
                loss = self.open_orders.loss_with(account, underlying, replaced, None)
                vectors.append(counted(account, risk.value, loss))
                charge = risk.charge_micro + risk.concentration_micro
                excess -= stretched_up(charge, account.stretch_quarters)
        return excess + netted_worst(vectors)

    def _planned_charge(self, side: Side, part: Part) -> int:
        """What the positions on one underlying would be charged after the plan so far."""
        account = side.account
        risk = account.risks[part.underlying]
        sums = risk.sums.copy()
        moved: dict[int, int] = {}
        for number, after in side.changed.items():
            if self.instruments[number].underlying.number != part.underlying:
                continue
            before = account.lots_of(number)
            features = self.open_orders.marks.features_of(number)
            beside = moved.get(features.partner)
            if beside is None:
                beside = account.lots_of(features.partner)
            sums.move(features, before, after - before, beside)
            moved[number] = after
        index = part.index_micro
        charge = sums.charge_micro(self.open_orders.marks.term_rates, index)
        return charge + concentration_micro(sums.delta, sums.short_lots, index)

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
                self.open_orders.add_loss_of(account, loss, order, -lots)
        return loss

    def side(self, number: int) -> Side:
        """The account as the plan has it so far."""
        side = self.open.get(number)
        if side is None:
            side = self.open[number] = self._new_side(self.accounts[number])
        return side

    def _new_side(self, account: Account) -> Side:
        taker = self.taker
        assert taker is not None, "a plan is open"
        replaced = self.replaced if account.number == taker.account else None
        side = Side(account, replaced)
        for underlying in self.underlyings:
            self._add_part(side, underlying)
        if len(account.risks) > len(side.parts):
            for underlying in account.risks:
                if underlying not in self.underlyings:
                    risk = self.open_orders.fresh_risk(account, underlying)
                    side.beside_micro += least_worth_micro(risk)
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
            known = side.account.risks.get(underlying)
            part = self._add_part(side, underlying)
            risk = side.account.risks[underlying]
            if known is not None:
                side.beside_micro -= least_worth_micro(risk)
        return part

    def _add_part(self, side: Side, underlying: int) -> Part:
        risk = self.open_orders.fresh_risk(side.account, underlying)
        index = self.open_orders.marks.index_micro.get(underlying, 0)
        part = Part(underlying, risk, index)
        side.parts.append(part)
        side.charge_bound_micro += risk.charge_micro
        return part

    def _settled_count(self, account: Account) -> int:
        """Positions that only wait to be taken into cash: their expiry is settled."""
        count = 0
        for number in account.positions:
            if self.instruments[number].is_settled:
                count += 1
        return count

    def _fill(self, side: Side, fill: Fill, lots: int, fee: int, way: int) -> None:
        """One side of a fill: signed lots at its price, and the fee."""
        instrument = fill.instrument
        number = instrument.number
        side.trade(number, lots)
        part = self._part(side, instrument.underlying.number)
        marks = self.open_orders.marks
        unit = marks.unit(number, self.open_orders.combos)
        add_lots(part.value, unit.row, lots)
        part.delta += lots * unit.delta_micro
        if lots * way > 0:
            side.charge_bound_micro += lots * unit.charge_buy_micro
        else:
            side.charge_bound_micro -= lots * unit.charge_sell_micro
            if not instrument.is_linear:
                part.short_lots -= lots
        cash = -lots * fill.price_ticks * instrument.tick_value_micro - fee
        if instrument.is_linear:
            cash += lots * marks.carry_micro[number]
            basis = lots * marks.accrual_micro[number]
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
        loss = self.open_orders.most_loss_micro(side.account, order, part.version)
        part.loss_bound_micro -= loss * lots
        if part.order_loss is not None:
            self.open_orders.add_loss_of(side.account, part.order_loss, order, -lots)

    def commit(self) -> None:
        """Writes the plan into the accounts. Resting orders' remaining lots are the books' to
        change; what they could lose and `open_lots` already count them as filled.
        """
        for side in self.open.values():
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
                self._write(account, number, lots)
            for part in side.parts:
                self.open_orders.charge(account.risks[part.underlying], part.underlying)
        self.open.clear()

    def _write(self, account: Account, number: int, lots: int) -> None:
        """Makes a position what the plan says, with its features."""
        if number in account.reduce_only:
            self.moved.append((account.number, number))
        marks, position = self.open_orders.marks, account.positions.get(number)
        before = 0 if position is None else position.quantity_lots
        features = marks.features_of(number)
        underlying = self.instruments[number].underlying.number
        beside = account.lots_of(features.partner)
        account.risks[underlying].sums.move(features, before, lots - before, beside)
        if lots == 0:
            account.positions.pop(number, None)
        elif position is None:
            account.positions[number] = Position(lots, marks.accrual_micro[number])
        else:
            position.quantity_lots = lots
