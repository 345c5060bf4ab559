"""Waiting orders as one would explain them: slow twin of `exchange/waiting_orders.py` and of the
handlers that wake, link and cancel.

Holds: an exchange of single instruments (`tests/model/exchange.py`) with a plain list of orders
that wait; after each step it reads its own events to see what traded and what ended, and looks at
every waiting order again. It keeps no index, no sorted list and no group.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from exchange import commands as c
from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from matching import rejects as r
from matching.rejects import Reject
from settlement.signed_messages import NO_ORDER, ORDER_FIELDS
from settlement.signed_messages import Order as SignedOrder
from tests.model.exchange import GTC, Exchange, Resting

MOST_WAITING, MOST_IN_GROUP = 256, 8
AFTER_TIES = (r.PRICE_OFF_TICK, r.WOULD_CROSS, r.NOTHING_TO_REDUCE)
"""What the engine looks at once an order's ties are in order."""
CHILD, ARMED, DUE = "behind its parent", "armed", "due"
WHEN_REFUSED = {
    r.CANNOT_FILL: e.CANCELLED_IMMEDIATE,
    r.FEE_TOO_HIGH: e.CANCELLED_FEE,
    r.MARGIN: e.CANCELLED_MARGIN_TAKER,
    r.NOTHING_TO_REDUCE: e.CANCELLED_REDUCE_ONLY,
    r.TOO_MANY_LOTS: e.CANCELLED_MARGIN_TAKER,
    r.WOULD_CROSS: e.CANCELLED_WOULD_CROSS,
}


@dataclass
class Asleep:
    """An order that waits; `price_micro` is what woke it, once it is due, at the `turn`-th."""

    order: Resting
    signed: SignedOrder
    place: str = CHILD
    price_micro: int = 0
    turn: int = 0


class WaitingExchange(Exchange):
    """An exchange whose orders may wait. `most_wakes` in one command."""

    def __init__(self, most_wakes: int) -> None:
        super().__init__()
        self.most_wakes = most_wakes
        self.asleep: list[Asleep] = []
        self.signed: dict[bytes, SignedOrder] = {}
        self.last_micro: dict[int, int] = {}
        self.turns = 0
        self.read = 0

    def apply(self, command: Command) -> list[Event]:
        self.read = 0
        if isinstance(command, c.CancelWhere):
            self.events, self.time_ns = [], command.time_ns
            self._expire()
            reject = self._cancel_where(command)
            if reject is not None:
                refused = e.CommandRejected(command.account, command.message_hash, *reject)
                self.events.append(refused)
            self.finish(command)
        else:
            super().apply(command)
        return self.events

    def finish(self, command: Command) -> None:
        if not self.events or not isinstance(self.events[-1], e.CommandRejected):
            self.wake_all(command)
        self.fit_to_positions()
        self.settle_ties()

    # PLACING

    def _place(self, command: c.PlaceOrder) -> Reject | None:
        signed = command.order
        conditions = signed.conditions
        waits = bool(conditions.trigger) or conditions.parent != NO_ORDER
        replaced = self.asleep_of(signed.replaces)
        plain = _without_replaces(signed) if replaced is not None else signed
        reject = self._check(c.PlaceOrder(command.time_ns, plain, *_rest_of(command)), waits)
        if reject is None or reject.code in AFTER_TIES:
            if replaced is not None and replaced.order.account != signed.account:
                return Reject(r.NOT_YOUR_ORDER, signed.account, replaced.order.account)
            reject = self._check_ties(signed, waits, replaced) or (
                None if waits and reject and reject.code == r.WOULD_CROSS else reject
            )
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
            conditions.display_lots,
        )
        if waits:
            self._lay_down(taker, signed)
        else:
            trial = deepcopy(self)
            reject = trial.try_to_place(plain, taker)
            if reject is not None:
                return reject
            self.__dict__ = trial.__dict__
        self.signed[taker.hash] = signed
        replaced = self.asleep_of(signed.replaces)
        if replaced is not None:
            self.end(replaced.order.hash, e.CANCELLED_REPLACED)
        return None

    def _check_ties(
        self, signed: SignedOrder, waits: bool, replaced: Asleep | None
    ) -> Reject | None:
        conditions = signed.conditions
        if conditions.parent != NO_ORDER:
            account = self.account_of(conditions.parent)
            if account is None or conditions.parent == signed.replaces:
                return Reject(r.PARENT_NOT_LIVE)
            if account != signed.account:
                return Reject(r.NOT_YOUR_ORDER, signed.account, account)
        if conditions.oco_group:
            members = self.group_of(signed)
            if len(members) - (signed.replaces in members) >= MOST_IN_GROUP:
                return Reject(r.GROUP_FULL, len(members), MOST_IN_GROUP)
        mine = [one for one in self.asleep if one.order.account == signed.account]
        if waits and len(mine) - (replaced is not None) >= MOST_WAITING:
            return Reject(r.TOO_MANY_WAITING_ORDERS, len(mine), MOST_WAITING)
        return None

    def _lay_down(self, order: Resting, signed: SignedOrder) -> None:
        self.next_order += 1
        self.used[order.hash] = order.expiry_s
        self.events.append(_placed(order))
        replaced = self.find(signed.replaces)
        if replaced is not None:
            self.cancel(replaced, e.CANCELLED_REPLACED)
        one = Asleep(order, signed)
        self.asleep.append(one)
        self.events.append(_awaiting(one, signed.conditions.parent))
        if signed.conditions.parent == NO_ORDER:
            self.arm(one)

    # WHO IS LIVE

    def asleep_of(self, order_hash: bytes) -> Asleep | None:
        return next((one for one in self.asleep if one.order.hash == order_hash), None)

    def account_of(self, order_hash: bytes) -> int | None:
        """Whose live order it is."""
        one = self.asleep_of(order_hash)
        order = self.find(order_hash) if one is None else one.order
        return None if order is None else order.account

    def group_of(self, signed: SignedOrder) -> list[bytes]:
        """Live orders of the same account and group, as they came."""
        live = [*self.resting, *(one.order for one in self.asleep)]
        return [
            order.hash
            for order in sorted(live, key=lambda order: order.number)
            if order.account == signed.account
            and self.signed[order.hash].conditions.oco_group == signed.conditions.oco_group
        ]

    def end(self, order_hash: bytes, reason: int) -> None:
        one = self.asleep_of(order_hash)
        if one is not None:
            self.asleep.remove(one)
            self.events.append(_cancelled(one.order, reason))
        else:
            order = self.find(order_hash)
            assert order is not None
            self.cancel(order, reason)

    # WAKING

    def arm(self, one: Asleep) -> None:
        one.place = ARMED
        conditions = one.signed.conditions
        price = self.watched(one)
        if not conditions.trigger:
            self.make_due(one, 0)
        elif price is not None and _is_reached(conditions.trigger, price, one.signed):
            self.make_due(one, price)

    def make_due(self, one: Asleep, price_micro: int) -> None:
        self.turns += 1
        one.place, one.price_micro, one.turn = DUE, price_micro, self.turns

    def watched(self, one: Asleep) -> int | None:
        listed, trigger = one.order.instrument, one.signed.conditions.trigger
        if trigger in (1, 2):
            return self.marks.mark_micro(listed)
        if trigger in (3, 4):
            return self.marks.index_micro[self.marks.instruments[listed].underlying]
        return self.last_micro.get(listed)

    def wake_all(self, command: Command) -> None:
        if isinstance(command, c.UpdateMarks):
            self.see(
                lambda one: (
                    one.signed.conditions.trigger <= 4
                    and self.marks.instruments[one.order.instrument].underlying
                    == command.underlying
                )
            )
        for wakes in range(self.most_wakes + 1):
            self.look_at_events()
            due = sorted((one for one in self.asleep if one.place == DUE), key=lambda o: o.turn)
            if not due or wakes == self.most_wakes:
                return
            self.wake(due[0])

    def see(self, is_watched, prices: tuple[int, ...] = ()) -> None:  # type: ignore
        """Which of the armed are reached: at the price now, or at any of `prices`; nearest first,
        one trigger and one instrument or underlying after another.
        """
        found: list[tuple[int, int, int, int, int, Asleep]] = []
        for one in self.asleep:
            if one.place != ARMED or not is_watched(one):
                continue
            trigger = one.signed.conditions.trigger
            now = self.watched(one)
            seen = prices or (() if now is None else (now,))
            if any(_is_reached(trigger, price, one.signed) for price in seen):
                price = (max if trigger % 2 else min)(seen)
                wanted = one.signed.conditions.trigger_price_micro
                number = one.order.instrument
                source = self.marks.instruments[number].underlying if trigger in (3, 4) else number
                distance = wanted if trigger % 2 else -wanted
                found.append((trigger, source, distance, one.order.number, price, one))
        for *_, price, one in sorted(found, key=lambda row: row[:4]):
            self.make_due(one, price)

    def look_at_events(self) -> None:
        """What happened since it was last looked: prices, then ties."""
        traded: dict[int, list[int]] = {}
        for event in self.events[self.read :]:
            if isinstance(event, e.OrderFilled):
                traded.setdefault(event.instrument, []).append(event.price_micro)
                self.last_micro[event.instrument] = event.price_micro
        for number, prices in sorted(traded.items()):
            self.see(
                lambda one, number=number: (
                    one.signed.conditions.trigger > 4 and one.order.instrument == number
                ),
                tuple(prices),
            )
        self.settle_ties()

    def settle_ties(self) -> None:
        while self.read < len(self.events):
            fresh, winners = self.events[self.read :], dict[tuple[int, int], bytes]()
            for event in fresh:
                if isinstance(event, e.OrderFilled):
                    for order_hash in (event.maker_order_hash, event.taker_order_hash):
                        signed = self.signed[order_hash]
                        group = (signed.account, signed.conditions.oco_group)
                        winners.setdefault(group, order_hash)
            for (_, group), winner in winners.items():
                if group:
                    self.cancel_others(winner)
            fresh, self.read = self.events[self.read :], len(self.events)
            ended: list[tuple[bytes, bool]] = []
            last: list[tuple[bytes, bool]] = []
            for event in fresh:
                if isinstance(event, e.OrderFilled):
                    if not event.maker_left_lots:
                        ended.append((event.maker_order_hash, True))
                    if not event.taker_left_lots:
                        last.append((event.taker_order_hash, True))
                elif isinstance(event, e.OrderCancelled):
                    ended.append((event.order_hash, False))
            for parent, is_filled in (*ended, *last):
                for one in [one for one in self.asleep if one.place == CHILD]:
                    if one.signed.conditions.parent == parent:
                        self.follow(one, is_filled)

    def follow(self, one: Asleep, is_filled: bool) -> None:
        if not is_filled:
            self.end(one.order.hash, e.CANCELLED_PARENT)
            return
        if one.signed.conditions.trigger:
            self.events.append(_awaiting(one, NO_ORDER))
        self.arm(one)

    def cancel_others(self, winner: bytes) -> None:
        for order_hash in self.group_of(self.signed[winner]):
            if order_hash != winner:
                self.end(order_hash, e.CANCELLED_LINKED)

    def wake(self, one: Asleep) -> None:
        order, signed = one.order, one.signed
        self.asleep.remove(one)
        self.events.append(
            e.OrderTriggered(
                order.number, order.hash, order.account, order.instrument, one.price_micro
            )
        )
        self.read = len(self.events)
        if signed.conditions.trigger and signed.conditions.oco_group:
            self.cancel_others(order.hash)
            self.settle_ties()
        reject = self._check_awake(order, signed)
        if reject is None:
            trial = deepcopy(self)
            placed = len(trial.events)
            reject = trial.try_to_place(_without_replaces(signed), deepcopy(order))
            if reject is None:
                trial.next_order -= 1
                del trial.events[placed]
                self.__dict__ = trial.__dict__
        if reject is not None:
            reason = WHEN_REFUSED.get(reject.code, e.CANCELLED_WHEN_WOKEN)
            self.events.append(_cancelled(order, reason))

    def _check_awake(self, order: Resting, signed: SignedOrder) -> Reject | None:
        listed = self.marks.instruments[order.instrument]
        if listed.kind and self.marks.expiry_times_s[listed.expiry] <= self.time_s:
            return Reject(r.INSTRUMENT_NOT_OPEN, order.instrument)
        if order.reduces and not self.most_of(order):
            return Reject(r.NOTHING_TO_REDUCE)
        met = self.opposite(order.instrument, order.side)
        if signed.flags & 1 and met and signed.time_in_force == GTC:
            price, best = signed.limit_price_micro, met[0].price_micro
            if price >= best if order.side == 0 else price <= best:
                return Reject(r.WOULD_CROSS, price, best)
        return None

    # ENDING

    def _cancel_one(self, command: c.CancelOrder) -> Reject | None:
        one = self.asleep_of(command.order_hash)
        if one is None:
            return super()._cancel_one(command)
        if one.order.account != command.account:
            return Reject(r.NOT_YOUR_ORDER, command.account, one.order.account)
        self.end(one.order.hash, e.CANCELLED_BY_OWNER)
        return None

    def _cancel_all(self, command: c.CancelAllOrders) -> Reject | None:
        reject = super()._cancel_all(command)
        if reject is None:
            for one in [one for one in self.asleep if one.order.account == command.account]:
                self.end(one.order.hash, e.CANCELLED_COUNTER)
        return reject

    def _cancel_where(self, command: c.CancelWhere) -> Reject | None:
        if command.message_hash in self.used:
            return Reject(r.MESSAGE_ALREADY_USED)
        self.used[command.message_hash] = command.expiry_s
        live = [*self.resting, *(one.order for one in self.asleep)]
        meant = [
            order.hash
            for order in live
            if order.account == command.account
            and (command.scope == 0 or self.signed[order.hash].conditions.label == command.value)
        ]
        for order_hash in meant:
            self.end(order_hash, e.CANCELLED_BY_OWNER)
        self.events.append(
            e.OrdersCancelled(
                command.account, command.message_hash, command.scope, command.value, len(meant)
            )
        )
        return None

    def _settle(self, command: c.SettleExpiry) -> Reject | None:
        """Of each instrument what rests, then what waits."""
        open_before = list(self.asleep)
        at = len(self.events)
        reject = super()._settle(command)
        if reject is not None:
            return reject
        rest, self.events = self.events[at:], self.events[:at]
        for number, listed in enumerate(self.marks.instruments):
            if not listed.kind or listed.expiry != command.expiry:
                continue
            self.events += [x for x in rest if isinstance(x, e.OrderCancelled) and x.book == number]
            for one in open_before:
                if one.order.instrument == number:
                    self.end(one.order.hash, e.CANCELLED_SETTLED)
        self.events += [x for x in rest if not isinstance(x, e.OrderCancelled)]
        return None

    def _expire(self) -> None:
        due = [o for o in self.resting if o.expiry_s <= self.time_s]
        due += [one.order for one in self.asleep if one.order.expiry_s <= self.time_s]
        for order in sorted(due, key=lambda order: (order.expiry_s, order.number)):
            self.end(order.hash, e.CANCELLED_EXPIRED)
        super()._expire()
        self.settle_ties()


def _is_reached(trigger: int, price_micro: int, signed: SignedOrder) -> bool:
    wanted = signed.conditions.trigger_price_micro
    return price_micro >= wanted if trigger % 2 else price_micro <= wanted


def _without_replaces(signed: SignedOrder) -> SignedOrder:
    fields = {name: getattr(signed, name) for name in ORDER_FIELDS}
    return SignedOrder(**{**fields, "replaces": NO_ORDER})


def _rest_of(command: c.PlaceOrder) -> tuple[bytes, bytes, bytes]:
    return command.order_hash, command.signer, command.signature


def _placed(order: Resting) -> Event:
    return e.OrderPlaced(
        order.number,
        order.hash,
        order.account,
        order.instrument,
        order.side,
        order.price_micro,
        order.left,
    )


def _awaiting(one: Asleep, parent: bytes) -> Event:
    order, conditions = one.order, one.signed.conditions
    return e.OrderAwaiting(
        order.number,
        order.hash,
        order.account,
        order.instrument,
        conditions.trigger,
        conditions.trigger_price_micro,
        parent,
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
