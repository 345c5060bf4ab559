"""An exchange of single instruments as one would explain it: slow twin of `exchange/engine.py`.

Holds: it keeps cash, positions and a list of orders; whether something may be it finds out by doing
it on a copy of itself and computing the margin anew (`tests/model/portfolio.py`). Given the same
commands it gives the same events, one by one. It knows no combos, batches or session keys.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace

from exchange import commands as c
from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from matching import rejects as r
from matching.rejects import Reject
from settlement.signed_messages import NO_ORDER
from settlement.signed_messages import Order as SignedOrder
from tests.model.charges import charge_micro, lot_charge_micro
from tests.model.portfolio import (
    Held,
    Open,
    PlainMarks,
    Values,
    equity_micro,
    excess_micro,
    positions_worth_micro,
)
from tests.model.settlement_samples import seen_samples

MAKER_FEE, TAKER_FEE, CAP = 300, 500, 1_250
MOST_LOTS = 2**24 - 1
MOST_POSITIONS = 256
MOST_FILLS = 256
NOBODY = 0xFFFF_FFFF
BUY, GTC, FOK = 0, 0, 2
CANCEL_TAKER, CANCEL_BOTH, DECREMENT = 0, 2, 3


@dataclass
class Resting:
    """An order with what it has left; in `Exchange.resting` in the order of arrival."""

    number: int
    hash: bytes
    account: int
    instrument: int
    side: int
    price_micro: int
    left: int
    max_fee_micro: int
    expiry_s: int
    self_trade: int = 0
    reduces: bool = False
    """May only take away from its account's position."""
    display: int = 0
    """What an iceberg shows at most, 0 for all."""
    shown: int = 0
    rank: int = 0
    """Its place in time: an iceberg's rises when it is replenished."""
    flags: int = 0

    @property
    def sign(self) -> int:
        return 1 if self.side == BUY else -1


@dataclass
class Member:
    """An account."""

    owner: bytes
    cash_micro: int = 0
    counter: int = 0
    held: dict[int, Held] = field(default_factory=dict)
    settlements_seen: int = 0
    collateral: dict[int, int] = field(default_factory=dict)


class Refused(Exception):
    """The next fill, or the rest, may not be for the taker; `reason` is why what is left ends."""

    def __init__(self, reject: Reject, reason: int) -> None:
        super().__init__(reject.message)
        self.reject = reject
        self.reason = reason


class Exchange:
    """Everything; a `deepcopy` is a place to try things out."""

    def __init__(self) -> None:
        self.time_ns = 0
        self.marks = PlainMarks()
        self.epochs: dict[int, int] = {}
        self.settlements = 0
        self.history: dict[int, list[tuple[int, int]]] = {}
        """Every index of an underlying, for what expiries settle at."""
        self.members: list[Member] = []
        self.resting: list[Resting] = []
        self.yielded: list[Resting] = []
        """What gave way to an order of its owner in this command: margin counts it until then."""
        self.next_rank = 0
        self.used: dict[bytes, int] = {}
        self.taken: list[bytes] = []
        self.next_order = 1
        self.next_trade = 1
        self.withdrawals = 0
        self.inbox = 0
        self.credited = 0
        self.withdrawn = 0
        self.events: list[Event] = []

    def apply(self, command: Command) -> list[Event]:
        answers: dict[type[Command], Callable[..., Reject | None]] = {
            c.PlaceOrder: self._place,
            c.CancelOrder: self._cancel_one,
            c.CancelAllOrders: self._cancel_all,
            c.RequestWithdrawal: self._withdraw,
            c.OpenAccount: self._open,
            c.CreditDeposit: self._deposit,
            c.UpdateMarks: self._mark,
            c.AccrueFunding: self._fund,
            c.SettleExpiry: self._settle,
            c.AdvanceTime: self._advance,
        }
        return self.act(command, answers[type(command)])

    def act(self, command: Command, answer: Callable[..., Reject | None]) -> list[Event]:
        """One command from its time to its events."""
        self.events = []
        self.time_ns = command.time_ns
        self._expire()
        reject = answer(command)
        if reject is not None:
            account = getattr(command, "account", NOBODY)
            message = getattr(command, "order_hash", getattr(command, "message_hash", bytes(32)))
            if isinstance(command, c.PlaceOrder):
                account = command.order.account
            self.events.append(e.CommandRejected(account, message, *reject))
        self.finish(command)
        return self.events

    def finish(self, command: Command) -> None:
        """What comes after the command's own work."""
        self.fit_to_positions()

    def fit_to_positions(self) -> None:
        """Orders that may only reduce lose what their positions no longer have."""
        for order in sorted(self.resting, key=lambda order: order.number):
            most = self.most_of(order)
            if not most:
                self.cancel(order, e.CANCELLED_REDUCE_ONLY)
            elif most < order.left:
                lots, hidden = order.left - most, order.left - order.shown
                order.left = most
                order.shown -= max(0, lots - hidden)
                self.events.append(_reduced(order, lots, order.shown, e.CANCELLED_REDUCE_ONLY))

    def most_of(self, order: Resting) -> int:
        """How much of what it has left an order may trade now."""
        if not order.reduces:
            return order.left
        held = self.members[order.account].held.get(order.instrument)
        lots = 0 if held is None else held.lots
        if (lots > 0) == (order.side == BUY):
            return 0
        return min(order.left, abs(lots))

    @property
    def time_s(self) -> int:
        return self.time_ns // 10**9

    # ACCOUNTS

    def _open(self, command: c.OpenAccount) -> None:
        self.members.append(Member(command.owner))
        self.inbox += 1
        self.events.append(e.AccountOpened(command.account, command.owner))

    def _deposit(self, command: c.CreditDeposit) -> None:
        member = self.members[command.account]
        member.cash_micro += command.amount_micro
        self.credited += command.amount_micro
        self.inbox += 1
        self.events.append(
            e.DepositCredited(command.account, 0, command.amount_micro, member.cash_micro)
        )

    def _withdraw(self, command: c.RequestWithdrawal) -> Reject | None:
        if command.signer != self.members[command.account].owner:
            return Reject(r.WRONG_SIGNER, command.account)
        if command.message_hash in self.taken:
            return Reject(r.MESSAGE_ALREADY_USED)
        trial = deepcopy(self)
        trial.take_accrued(command.account)
        cash, held = trial.members[command.account].cash_micro, self.credited - self.withdrawn
        free = max(0, min(cash, self.excess(command.account), held))
        if command.amount_micro > free:
            return Reject(r.WITHDRAWAL_TOO_LARGE, command.amount_micro, free)
        self.take_accrued(command.account)
        member = self.members[command.account]
        member.cash_micro -= command.amount_micro
        self.withdrawn += command.amount_micro
        self.taken.append(command.message_hash)
        self.events.append(
            e.WithdrawalRequested(
                command.account, 0, command.amount_micro, self.withdrawals, member.cash_micro
            )
        )
        self.withdrawals += 1
        return None

    def take_accrued(self, account: int) -> None:
        """Every position gives what it has accrued, and what its settlement pays."""
        self.members[account].settlements_seen = self.settlements
        for number in list(self.members[account].held):
            self.take_accrued_of(account, number)

    def take_accrued_of(self, account: int, number: int) -> None:
        member = self.members[account]
        position = member.held.get(number)
        listed = self.marks.instruments[number]
        is_closed = listed.settlement_micro is not None
        if position is None:
            return
        if position.accrual_seen_micro == listed.accrual_micro and not is_closed:
            return
        per_lot = listed.accrual_micro - position.accrual_seen_micro + listed.payoff_micro()
        amount = position.lots * per_lot
        member.cash_micro += amount
        if is_closed:
            del member.held[number]
        else:
            member.held[number] = Held(position.lots, listed.accrual_micro)
        self.events.append(e.PositionSettled(account, number, amount, int(is_closed)))

    # MARGIN

    def excess(self, account: int) -> int:
        member = self.members[account]
        orders = [
            Open(
                ((order.instrument, 1),),
                order.sign,
                order.price_micro,
                order.left,
                self.fee(MAKER_FEE, order.instrument, order.price_micro, 1),
                lot_charge_micro(self.marks, ((order.instrument, 1),), order.sign),
            )
            for order in (*self.resting, *self.yielded)
            if order.account == account and not order.reduces
        ]
        constant = member.cash_micro + self.constant(member)
        charge, beside = self.charge(member), self.beside(member)
        return excess_micro(self.marks, constant, member.held, orders, charge, beside)

    def constant(self, _: Member) -> int:
        """What counts beside cash whatever moves; see `tests/model/collateralised.py`."""
        return 0

    def beside(self, _: Member) -> dict[int, Values]:
        """What counts beside positions and moves with an underlying, by scenario."""
        return {}

    def charge(self, member: Member) -> int:
        """What its positions are charged."""
        held = {number: position.lots for number, position in member.held.items()}
        return charge_micro(self.marks, held)

    def lots_of(self, account: int) -> int:
        """Gross lots, orders included."""
        held = sum(abs(position.lots) for position in self.members[account].held.values())
        orders = (*self.resting, *self.yielded)
        return held + sum(
            order.left for order in orders if order.account == account and not order.reduces
        )

    def fee(self, rate: int, number: int, price_micro: int, lots: int) -> int:
        listed = self.marks.instruments[number]
        of_index = self.marks.index_micro[listed.underlying] * rate * 100
        of_premium = CAP * price_micro * 10_000
        share = of_index if listed.is_linear else min(of_index, of_premium)
        return -(-lots * share // 10**8)

    # ORDERS

    def _place(self, command: c.PlaceOrder) -> Reject | None:
        signed = command.order
        reject = self._check(command)
        if reject is not None:
            return reject
        taker = Resting(
            self.next_order,
            command.order_hash,
            signed.account,
            signed.legs[0][0],
            signed.side,
            signed.limit_price_micro,
            signed.quantity_lots,
            signed.max_fee_micro,
            signed.expiry_s,
            signed.flags >> 4 & 3,
            signed.flags & 4 != 0,
            signed.conditions.display_lots,
        )
        trial = deepcopy(self)
        reject = trial.try_to_place(signed, taker)
        if reject is None:
            self.__dict__ = trial.__dict__
        return reject

    def _check(self, command: c.PlaceOrder, is_asleep: bool = False) -> Reject | None:
        """What is wrong with the order whatever stands in the book, and what a post-only order
        would meet there. The fields alone are another test's.
        """
        signed = command.order
        member, listed = self.members[signed.account], self.marks.instruments[signed.legs[0][0]]
        number = signed.legs[0][0]
        if command.signer != member.owner:
            return Reject(r.WRONG_SIGNER, signed.account)
        if signed.counter < member.counter:
            return Reject(r.COUNTER_CANCELLED, signed.counter, member.counter)
        if signed.counter > member.counter:
            return Reject(r.COUNTER_AHEAD, signed.counter, member.counter)
        if signed.expiry_s <= self.time_s:
            return Reject(r.ORDER_EXPIRED, signed.expiry_s, self.time_s)
        latest = self.time_s + 30 * 24 * 60 * 60
        if signed.expiry_s > latest:
            return Reject(r.EXPIRY_TOO_FAR, signed.expiry_s, latest)
        if command.order_hash in self.used:
            return Reject(r.ORDER_ALREADY_USED)
        if self.has_ended(number) or (
            listed.settlement_micro is not None
            or (listed.kind and self.marks.expiry_times_s[listed.expiry] <= self.time_s)
        ):
            return Reject(r.INSTRUMENT_NOT_OPEN, number)
        if not listed.is_marked():
            return Reject(r.NO_MARKS, number)
        if signed.replaces != NO_ORDER:
            replaced = self.find(signed.replaces)
            if replaced is None:
                return Reject(r.ORDER_NOT_LIVE)
            if replaced.account != signed.account:
                return Reject(r.NOT_YOUR_ORDER, signed.account, replaced.account)
        if signed.flags & 4 and not is_asleep:
            held = member.held.get(number)
            lots = 0 if held is None else held.lots
            if lots == 0 or (lots > 0) == (signed.side == BUY):
                return Reject(r.NOTHING_TO_REDUCE, lots)
        if signed.limit_price_micro % listed.tick_value_micro:
            return Reject(r.PRICE_OFF_TICK, signed.limit_price_micro, listed.tick_value_micro)
        if signed.flags & 1:
            met = [
                order
                for order in self.opposite(number, signed.side)
                if order.hash != signed.replaces
            ]
            if met and _crosses(signed.side, signed.limit_price_micro, met[0].price_micro):
                return Reject(r.WOULD_CROSS, signed.limit_price_micro, met[0].price_micro)
        return None

    def has_ended(self, _: int) -> bool:
        """Whether an instrument without expiry has come to its end; see `tests/model/ending.py`."""
        return False

    def find(self, order_hash: bytes) -> Resting | None:
        return next((order for order in self.resting if order.hash == order_hash), None)

    def opposite(self, number: int, side: int) -> list[Resting]:
        """What an order of `side` would meet, best price first, then first come."""
        found = [o for o in self.resting if o.instrument == number and o.side != side]
        return sorted(
            found, key=lambda o: (o.price_micro if side == BUY else -o.price_micro, o.rank)
        )

    def try_to_place(self, signed: SignedOrder, taker: Resting) -> Reject | None:
        """Does all that the order does, or says why not; the caller drops this copy then."""
        before = self.excess(taker.account)
        self.next_order += 1
        self.used[taker.hash] = taker.expiry_s
        self.events.append(
            e.OrderPlaced(
                taker.number,
                taker.hash,
                taker.account,
                taker.instrument,
                taker.side,
                taker.price_micro,
                taker.left,
            )
        )
        replaced = self.find(signed.replaces)
        taker.flags = signed.flags
        if replaced is not None and _only_shrinks(signed, replaced):
            return self.stand_in(taker, replaced)
        if replaced is not None:
            self.cancel(replaced, e.CANCELLED_REPLACED)
        fills: list[Event] = []
        dropped: list[tuple[Resting, int]] = []
        stop, reject = self.fill(taker, fills, dropped)
        self.yielded = []
        done = sum(fill.quantity_lots for fill in fills if isinstance(fill, e.OrderFilled))
        if signed.time_in_force == FOK and done < signed.quantity_lots:
            return reject or Reject(r.CANNOT_FILL, signed.quantity_lots, done)
        if not done and reject is not None:
            return reject
        if done:  # after what the parties took of what had accrued
            makers = [fill.maker for fill in fills if isinstance(fill, e.OrderFilled)]
            for number in (taker.account, *makers):
                if self.members[number].settlements_seen != self.settlements:
                    self.take_accrued(number)
        self.events += fills
        if taker.left and not self.most_of(taker):
            stop = e.CANCELLED_REDUCE_ONLY
        may_rest = stop == e.CANCELLED_IMMEDIATE and signed.time_in_force == GTC
        if taker.left and may_rest:
            refused = self.rest(taker, before if not done else self.excess(taker.account))
            if refused is not None and not done:
                return refused
            self._cancel_dropped(dropped)
            if refused is not None:
                is_fee = refused.code == r.FEE_TOO_HIGH
                reason = e.CANCELLED_FEE if is_fee else e.CANCELLED_MARGIN_TAKER
                self.events.append(_cancelled(taker, reason))
            else:
                for met in self.opposite(taker.instrument, taker.side):
                    crosses = _crosses(taker.side, taker.price_micro, met.price_micro)
                    if crosses and not self.most_of(met):
                        self.cancel(met, e.CANCELLED_REDUCE_ONLY)
                lots = taker.left - self.most_of(taker)
                if lots:
                    taker.left -= lots
                    taker.shown = min(taker.left, taker.display or taker.left)
                    self.events.append(_reduced(taker, lots, 0, e.CANCELLED_REDUCE_ONLY))
                self.events.append(_rested(taker, 0))
            return None
        self._cancel_dropped(dropped)
        if taker.left:
            self.events.append(_cancelled(taker, stop))
        return None

    def stand_in(self, order: Resting, replaced: Resting) -> Reject | None:
        """An order comes where the one that it replaces stood: nobody passes it, and it passes
        nobody.
        """
        fee = self.fee(MAKER_FEE, order.instrument, order.price_micro, 1)
        if fee > order.max_fee_micro:
            return Reject(r.FEE_TOO_HIGH, fee, order.max_fee_micro)
        order.rank, order.shown = replaced.rank, order.left
        self.resting.append(order)
        self.events.append(_rested(order, replaced.number))
        self.cancel(replaced, e.CANCELLED_REPLACED)
        return None

    def _cancel_dropped(self, dropped: list[tuple[Resting, int]]) -> None:
        for order, reason in dropped:
            self.cancel(order, reason)

    def fill(
        self, taker: Resting, fills: list[Event], dropped: list[tuple[Resting, int]]
    ) -> tuple[int, Reject | None]:
        """Meets order after order; gives why it stopped."""
        met_count = 0
        while taker.left:
            gone = [order.number for order, _ in dropped]
            met = [
                o
                for o in self.opposite(taker.instrument, taker.side)
                if o.number not in gone and self.most_of(o)
            ]
            if (
                not self.most_of(taker)
                or not met
                or not _crosses(taker.side, taker.price_micro, met[0].price_micro)
            ):
                break
            maker = met[0]
            is_own = self.members[maker.account].owner == self.members[taker.account].owner
            if is_own and taker.self_trade == CANCEL_TAKER:
                return e.CANCELLED_SELF_TRADE, None
            if met_count == MOST_FILLS:
                return e.CANCELLED_LIMIT, None
            met_count += 1
            lots = min(self.most_of(taker), self.most_of(maker), maker.shown)
            if is_own:
                self.give_way(taker, maker, lots, fills)
                if taker.self_trade == CANCEL_BOTH:
                    return e.CANCELLED_SELF_TRADE, None
                continue
            maker_fee = self.fee(MAKER_FEE, maker.instrument, maker.price_micro, lots)
            if maker_fee > maker.max_fee_micro * lots:
                dropped.append((maker, e.CANCELLED_FEE))
                continue
            try:
                filled = self.trade(taker, maker, lots)
            except Refused as refused:
                return refused.reason, refused.reject
            if filled is None:
                dropped.append((maker, e.CANCELLED_MARGIN_MAKER))
            else:
                fills += filled
        return e.CANCELLED_IMMEDIATE, None

    def give_way(self, taker: Resting, maker: Resting, lots: int, happened: list[Event]) -> None:
        """An order of the taker's owner goes, or both lose the smaller quantity. Margin counts what
        it was until the taker has traded.
        """
        if taker.self_trade != DECREMENT:
            self.yielded.append(replace(maker))
            self.resting.remove(maker)
            happened.append(_cancelled(maker, e.CANCELLED_SELF_TRADE))
            return
        self.yielded.append(replace(maker, left=lots))
        for order, resting in ((maker, True), (taker, False)):
            if order.left == lots:
                happened.append(_cancelled(order, e.CANCELLED_SELF_TRADE))
                order.left = 0
                if resting:
                    self.resting.remove(order)
                continue
            shown = order.shown - lots if resting else 0
            left = replace(order, left=order.left - lots)
            happened.append(_reduced(left, lots, shown, e.CANCELLED_SELF_TRADE))
            if resting:
                happened += self.take(order, lots)
            else:
                order.left -= lots

    def take(self, order: Resting, lots: int) -> list[Event]:
        """Lots go from what a resting order shows; all shown gone, it shows more, last in line."""
        order.left -= lots
        order.shown -= lots
        if not order.left:
            self.resting.remove(order)
        elif not order.shown:
            self.show(order)
            return [
                e.OrderReplenished(
                    order.number,
                    order.hash,
                    order.account,
                    order.instrument,
                    order.side,
                    order.price_micro,
                    order.left,
                    order.shown,
                )
            ]
        return []

    def show(self, order: Resting) -> None:
        """An order comes last at its price, with as much as it shows."""
        order.shown = min(order.left, order.display or order.left)
        order.rank = self.next_rank
        self.next_rank += 1

    def may_become(self, trial: Exchange, number: int, instrument: int, lots: int) -> bool:
        """An account may trade into any excess from 0 up; below, only into less risk: its excess,
        and its positions' worst case alone, are no lower than before, and it pays at most 0.5% of
        the index a lot for it.
        """
        before, after = self.excess(number), trial.excess(number)
        if after >= 0:
            return True
        old, new = self.members[number], trial.members[number]
        beside = self.beside(old)
        bare_old = positions_worth_micro(self.marks, old.cash_micro, old.held, beside)
        bare_new = positions_worth_micro(self.marks, new.cash_micro, new.held, beside)
        equity_old = equity_micro(self.marks, old.cash_micro, old.held)
        equity_new = equity_micro(self.marks, new.cash_micro, new.held)
        index = self.marks.index_micro[self.marks.instruments[instrument].underlying]
        band = lots * index * 5_000 // 10**6
        return after >= before and bare_new >= bare_old and equity_new >= equity_old - band

    def trade(self, taker: Resting, maker: Resting, lots: int) -> list[Event] | None:
        """One fill, if the taker's fee and margin allow it; None where the maker's margin does
        not.
        """
        number, price = maker.instrument, maker.price_micro
        maker_fee = self.fee(MAKER_FEE, number, price, lots)
        taker_fee = self.fee(TAKER_FEE, number, price, lots)
        if taker_fee > taker.max_fee_micro * lots:
            per_lot = -(-taker_fee // lots)
            raise Refused(Reject(r.FEE_TOO_HIGH, per_lot, taker.max_fee_micro), e.CANCELLED_FEE)
        trial = deepcopy(self)
        trial.move(taker.account, number, lots * taker.sign, price, taker_fee)
        trial.move(maker.account, number, -lots * taker.sign, price, maker_fee)
        other = trial.find(maker.hash)
        assert other is not None
        other.left -= lots
        gross = trial.lots_of(taker.account)
        if gross > MOST_LOTS:
            raise Refused(Reject(r.TOO_MANY_LOTS, gross, MOST_LOTS), e.CANCELLED_MARGIN_TAKER)
        if not self.may_become(trial, taker.account, number, lots):
            before, after = self.excess(taker.account), trial.excess(taker.account)
            raise Refused(Reject(r.MARGIN, -after, before), e.CANCELLED_MARGIN_TAKER)
        if not self.may_become(trial, maker.account, number, lots):
            return None
        self.move(taker.account, number, lots * taker.sign, price, taker_fee)
        self.move(maker.account, number, -lots * taker.sign, price, maker_fee)
        taker.left -= lots
        replenished = self.take(maker, lots)
        self.next_trade += 1
        filled = e.OrderFilled(
            self.next_trade - 1,
            number,
            price // self.marks.instruments[number].tick_value_micro,
            price,
            lots,
            int(taker.side == BUY),
            taker.number,
            taker.hash,
            taker.account,
            taker_fee,
            taker.left,
            maker.number,
            maker.hash,
            maker.account,
            maker_fee,
            maker.left,
            0,
        )
        return [filled, *replenished]

    def move(self, account: int, number: int, lots: int, price_micro: int, fee: int) -> None:
        """Lots come at a price: paid at once for an option; for a linear instrument, what the price
        differs from the mark, the rest through the accrual. What had accrued is left to accrue.
        """
        member, listed = self.members[account], self.marks.instruments[number]
        carry = listed.carry_micro if listed.is_linear else 0
        assert carry is not None
        member.cash_micro -= lots * (price_micro - carry) + fee
        held = member.held.get(number)
        if held is None:
            member.held[number] = Held(lots, listed.accrual_micro)
            return
        if held.accrual_seen_micro != listed.accrual_micro:
            self.take_accrued_of(account, number)
        if held.lots + lots:
            member.held[number] = Held(held.lots + lots, listed.accrual_micro)
        else:
            del member.held[number]

    def rest(self, order: Resting, before: int) -> Reject | None:
        """Puts what is left into the book, and says if it may not stand there."""
        self.resting.append(order)
        self.show(order)
        gross, after = self.lots_of(order.account), self.excess(order.account)
        fee = self.fee(MAKER_FEE, order.instrument, order.price_micro, 1)
        reject = None
        if fee > order.max_fee_micro:
            reject = Reject(r.FEE_TOO_HIGH, fee, order.max_fee_micro)
        elif gross > MOST_LOTS:
            reject = Reject(r.TOO_MANY_LOTS, gross, MOST_LOTS)
        elif after < 0 and after < before:
            reject = Reject(r.MARGIN, -after, before)
        if reject is not None:
            self.resting.remove(order)
        return reject

    # THE END OF ORDERS

    def cancel(self, order: Resting, reason: int) -> None:
        self.resting.remove(order)
        self.events.append(_cancelled(order, reason))

    def _cancel_one(self, command: c.CancelOrder) -> Reject | None:
        order = self.find(command.order_hash)
        if command.signer != self.members[command.account].owner:
            return Reject(r.WRONG_SIGNER, command.account)
        if order is None:
            was_known = command.order_hash in self.used
            return Reject(r.ORDER_NOT_LIVE if was_known else r.UNKNOWN_ORDER)
        if order.account != command.account:
            return Reject(r.NOT_YOUR_ORDER, command.account, order.account)
        self.cancel(order, e.CANCELLED_BY_OWNER)
        return None

    def _cancel_all(self, command: c.CancelAllOrders) -> Reject | None:
        member = self.members[command.account]
        if command.new_counter <= member.counter:
            return Reject(r.COUNTER_MUST_RISE, command.new_counter, member.counter)
        member.counter = command.new_counter
        self.events.append(e.CounterRaised(command.account, command.new_counter))
        for order in [o for o in self.resting if o.account == command.account]:
            self.cancel(order, e.CANCELLED_COUNTER)
        return None

    def _expire(self) -> None:
        """Orders go by their second, and within it in the order in which they came."""
        due = [o for o in self.resting if o.expiry_s <= self.time_s]
        for order in sorted(due, key=lambda o: (o.expiry_s, o.number)):
            self.cancel(order, e.CANCELLED_EXPIRED)
        self.used = {h: expiry for h, expiry in self.used.items() if expiry > self.time_s}

    # MARKS

    def _mark(self, command: c.UpdateMarks) -> None:
        self.marks.take(command)
        told = self.history.setdefault(command.underlying, [])
        told.append((command.time_ns, command.index_micro))
        epoch = self._next_epoch(command.underlying)
        self.events.append(e.MarksUpdated(command.underlying, command.index_micro, epoch))

    def _fund(self, command: c.AccrueFunding) -> None:
        self.marks.take(command)
        listed = self.marks.instruments[command.instrument]
        self._next_epoch(listed.underlying)
        self.events.append(
            e.FundingAccrued(command.instrument, command.rate_micro, listed.accrual_micro)
        )

    def _settle(self, command: c.SettleExpiry) -> Reject | None:
        listed = [
            number
            for number, instrument in enumerate(self.marks.instruments)
            if instrument.kind and instrument.expiry == command.expiry
        ]
        if any(self.marks.instruments[n].settlement_micro is not None for n in listed):
            return Reject(r.ALREADY_SETTLED, command.expiry)
        expiry_s = self.marks.expiry_times_s[command.expiry]
        if self.time_s < expiry_s:
            return Reject(r.NOT_YET_EXPIRED, expiry_s, self.time_s)
        underlying = self.marks.expiry_underlyings[command.expiry]
        seen = seen_samples(self.history.get(underlying, []), expiry_s, command.time_ns)
        for said, own in zip(command.samples_micro, seen, strict=True):
            if own and own != said:
                return Reject(r.SAMPLE_NOT_SEEN, said, own)
        for number in listed:
            for order in (*self.opposite(number, 1), *self.opposite(number, BUY)):
                self.cancel(order, e.CANCELLED_SETTLED)
        self.marks.take(command)
        self.settlements += 1
        self._next_epoch(self.marks.expiry_underlyings[command.expiry])
        price = self.marks.instruments[listed[0]].settlement_micro
        assert price is not None
        self.events.append(e.SettlementSampled(command.expiry, 30 - seen.count(0)))
        self.events.append(e.ExpirySettled(command.expiry, price))
        return None

    def _next_epoch(self, underlying: int) -> int:
        self.epochs[underlying] = self.epochs.get(underlying, 0) + 1
        return self.epochs[underlying]

    def _advance(self, command: c.AdvanceTime) -> None:
        self.events.append(e.TimeAdvanced(command.time_ns))


def _crosses(side: int, limit_micro: int, price_micro: int) -> bool:
    return price_micro <= limit_micro if side == BUY else price_micro >= limit_micro


def _reduced(order: Resting, lots: int, shown: int, reason: int) -> Event:
    """An order lost lots, which it has no more."""
    return e.OrderReduced(
        order.number,
        order.hash,
        order.account,
        order.instrument,
        order.side,
        lots,
        order.left,
        shown,
        reason,
    )


def _cancelled(order: Resting, reason: int) -> Event:
    return e.OrderCancelled(
        order.number,
        order.hash,
        order.account,
        order.instrument,
        order.side,
        order.left,
        reason,
    )


def _rested(order: Resting, takes_place_of: int) -> Event:
    return e.OrderRested(
        order.number,
        order.hash,
        order.account,
        order.instrument,
        order.side,
        order.price_micro,
        order.left,
        order.shown,
        takes_place_of,
    )


def _only_shrinks(signed: SignedOrder, old: Resting) -> bool:
    """Whether a replacement asks for nothing but less of the same, or as much of it."""
    same = (signed.legs[0][0], signed.side, signed.limit_price_micro, signed.flags)
    conditions = signed.conditions
    asks_for_more = signed.quantity_lots > old.left or conditions.min_quantity_lots
    return (
        same == (old.instrument, old.side, old.price_micro, old.flags)
        and signed.time_in_force == GTC
        and not asks_for_more
        and not old.display
        and not conditions.display_lots
    )
