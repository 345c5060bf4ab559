"""Portfolio margin: what an account is worth, what it must keep, and whether fills and orders
may be.

Holds: worth in the worst case = cash - basis + stables + the least, over the scenarios of each
underlying, of the value of positions and collateral + what open orders could lose - half a micro
per gross lot; initial-margin excess is that worth less what collateral is charged. A fill or order
passes if the excess is >= 0 after it, or no lower than before (docs/margin.md, 3). Every open order
counts as if the worst subset of them filled, scenario by scenario, without enumerating subsets.
Never: changes an account while a plan is open; compares floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from margin.accounts import MAX_POSITIONS, Account
from margin.collateral import CollateralBook
from margin.fees import FeeSchedule, check_fees, check_through, fees_of, fees_through
from margin.marks import Marks
from margin.netting import half_up
from margin.open_orders import OpenOrders
from margin.parameters import DISTRESS_BAND_E6
from margin.protection import Protections
from margin.provisional import Plan, Side, Standing, eases
from margin.requirement import (
    Breakdown,
    Requirement,
    Requirements,
    least_worth_micro,
)
from margin.standing import ScanStanding, scan_standing
from margin.sweep import Holdings
from matching.combos import Combo
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

_SHORT: Final = -1
_MAY_BE_SHORT: Final = Ruling(_SHORT)
"""Between `propose` and itself alone: an account would be short of margin, which may be if it
eases."""


class Portfolio(Gate):
    """The gate over all accounts, and the reading of any one of them.

    `settlements` counts the expiries that settled; `fees[i]` after a plan are the (taker, maker)
    fees of its i-th fill, micro-USDC; `fee_levels` the levels of warning above zero by underlying;
    `moved` what the command's plans moved and orders that may
    only reduce stand against, as (account, instrument); `holdings` has all positions
    by underlying (`watch.py`).
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
        self.collateral = CollateralBook()
        self.holdings: dict[int, Holdings] = {}
        self.settlements = 0
        self.fees: list[tuple[int, int]] = []
        self.fee_levels: dict[int, int] = {}
        self.requirements = Requirements(self.open_orders)
        self.plan = Plan(accounts, self.open_orders, instruments)

    @property
    def moved(self) -> list[tuple[int, int]]:
        """What the command's plans moved and orders that may only reduce stand against."""
        return self.plan.moved

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
        return self.requirements.requirement(account)

    def excess_micro(self, account: Account) -> int:
        """Initial-margin excess: negative is a shortfall."""
        return self.requirements.excess_micro(account)

    def scan_standing(self, account: Account) -> ScanStanding:
        """Equity and W by the scan of the positions alone, as liquidation goes by it."""
        return scan_standing(self.open_orders, account)

    def breakdown(self, account: Account) -> Breakdown:
        """Every number of an account's margin."""
        return self.requirements.breakdown(account)

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
        loss = self.open_orders.most_loss_micro(account, order, risk.version)
        bound = account.initial_constant_micro() - half_up(lots)
        bound += least_worth_micro(risk) - loss * order.remaining_lots
        if len(account.risks) > 1:
            for number in account.risks:
                if number != underlying:
                    risk = self.open_orders.fresh_risk(account, number)
                    bound += least_worth_micro(risk)
        if bound >= 0 and account.is_plain:
            return IT_FITS
        excess = self.requirements.excess_with(account, lots, replaced, order)
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
        self.plan.begin(taker, replaced, self.settlements)
        self.fees.clear()
        self.protections.begin()

    def fillable_lots(self, order: Order, group_lots: int = 0, account_lots: int = 0) -> int:
        lots = MAX_LOTS
        if order.protection:
            lots = self.protections.fillable_lots(order, group_lots)
        if not order.is_reduce_only:
            return lots
        side = self.plan.open.get(order.account)
        account = self.accounts[order.account]
        held = account.lots_of(order.book) if side is None else side.lots_of(order.book)
        return min(lots, max(order.reducible_lots(held) - account_lots, 0))

    def propose(self, fills: Sequence[Fill], units: int, maker_combo: Order | None) -> Ruling:
        taker = self.plan.taker
        assert taker is not None, "a plan is open"
        indices, levels = self.marks.index_micro, self.fee_levels
        fees = fees_of(self.open_orders.schedule, indices, levels, taker, fills, maker_combo)
        ruling = check_fees(taker, fills, fees, units, maker_combo)
        if ruling is not None:
            return ruling
        return self._judge(taker, fills, fees, units, maker_combo, None)

    def propose_through(self, incoming: Fill, others: Sequence[Fill], units: int) -> Ruling:
        taker, resting = self.plan.taker, incoming.maker
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
        self.plan.take(taker, fills, fees, units, maker_combo, resting, 1)
        failing = self._failing(taker, fills)
        if failing is None:
            self.fees += fees
            self.protections.count(shares)
            return IT_FITS
        if failing.outcome != _SHORT:
            self.plan.take(taker, fills, fees, units, maker_combo, resting, -1)
            return failing
        ruling = self._judge_short(taker, fills, fees, units, maker_combo, resting)
        if ruling.outcome == FITS:
            self.fees += fees
            self.protections.count(shares)
        return ruling

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
        side = self.plan.open[number]
        lots = side.gross_lots + side.open_lots
        if side.position_count > MAX_POSITIONS or lots > MAX_LOTS:
            if number != taker.account:
                return _against(number, fills)
            if lots > MAX_LOTS:
                return Ruling(TAKER_LIMIT, None, lots, MAX_LOTS)
            return Ruling(TAKER_POSITIONS, None, side.position_count, MAX_POSITIONS)
        if side.least_excess_micro() >= 0 or self.plan.excess_of(side) >= 0:
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
        after = [self._standing(self.plan.open[number]) for number in numbers]
        limits = [self._fails(number, taker, fills) for number in numbers]
        self.plan.take(taker, fills, fees, units, maker_combo, resting, -1)
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
            before = self._standing(self.plan.open[number])
            if eases(before, after[at], band):
                continue
            if number == taker.account:
                return Ruling(TAKER_MARGIN, None, -after[at].excess_micro, before.excess_micro)
            return _against(number, fills)
        self.plan.take(taker, fills, fees, units, maker_combo, resting, 1)
        return IT_FITS

    def _standing(self, side: Side) -> Standing:
        return Standing(
            self.plan.excess_of(side), side.positions_worth_micro(), side.equity_micro()
        )

    def commit(self) -> None:
        self.protections.commit()
        self.plan.commit()

    def drop(self) -> None:
        self.plan.open.clear()

    # MARK UPDATES

    def sweep(self, underlying: int) -> None:
        """Re-margins every account on one underlying: each one's positions are worth what the new
        marks say, computed for all at once (`watch.py`) or when an account is next touched; what
        collateral counts is counted now.
        """
        sweeps = self.marks.sweeps
        sweeps[underlying] = sweeps.get(underlying, 0) + 1
        self.collateral.reprice(underlying, self.marks.index_micro.get(underlying, 0))


def _against(number: int, fills: Sequence[Fill]) -> Ruling:
    """The ruling against the maker order of an account that fails."""
    for fill in fills:
        if fill.maker.account == number:
            return Ruling(MAKER_FAILS, fill.maker)
    raise AssertionError("an account of a group that is not the taker's has a maker in it")
