"""What a session is told of its orders, from New to the last report, over restarts too.

Holds: each fill is reported once, to the session that placed the order, connected or not; New is
the first report and carries the operator's acknowledgement; a combo's fill is reported for the
combo and for each leg. After a restart the live orders are those of the session's store, and what
happened since is made up from the venue's fills.
Never: asks the venue for a change.
"""

from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from exchange import events
from exchange.events import Event
from exchange.gateway_fix import reports, tags
from exchange.gateway_fix.desk import Desk, Leg, Tracked
from exchange.gateway_fix.message import Field, Message
from exchange.gateway_fix.reports import LiveOrder, report
from exchange.gateway_fix.store import SessionStore
from exchange.venue import FillView
from matching.rejects import Reject

_FILLS_A_PAGE: Final = 1_000

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(LiveOrder).decode


class Outlet(Protocol):
    """Where a seat's messages go."""

    def send(self, message_type: str, fields: list[Field]) -> None: ...

    def refuse(self, message: Message, reason: int, text: str, ref: str) -> None: ...


class SessionTeller:
    """Tells one session."""

    def __init__(self, desk: Desk, outlet: Outlet, store: SessionStore) -> None:
        self._desk = desk
        self._outlet = outlet
        self._store = store

    def restore(self) -> list[LiveOrder]:
        """Takes up the orders that were live when the store was written, and reports what
        happened to them since.
        """
        orders = [_decode(value) for value in self._store.notes().values()]
        for order in orders:
            self._desk.track(Tracked(self, order))
        self.catch_up(orders)
        return orders

    def resume(self, tracked: Tracked) -> None:
        """A verdict came: tells what waited for it, if no other verdict is awaited."""
        if tracked.awaited:
            return
        deferred, tracked.deferred = tracked.deferred, []
        for sequence, time_ns, event in deferred:
            self.tell(tracked, sequence, time_ns, event)
        if deferred:
            self.save(tracked, deferred[-1][0])

    def save(self, tracked: Tracked, sequence: int) -> None:
        """Keeps an order over a restart, as far as command `sequence`; one that is over is
        forgotten.
        """
        order = tracked.order
        order.sequence = max(order.sequence, sequence)
        if tracked.is_over:
            self._desk.forget(tracked)
        self._store.note(order.order_hash, b"" if tracked.is_over else _encode(order))

    def tell(self, tracked: Tracked, sequence: int, time_ns: int, event: Event) -> None:
        """Reports one event of an order."""
        order_hash = tracked.order.order_hash
        if isinstance(event, events.OrderPlaced):
            self._tell_placed(tracked, sequence, time_ns)
        elif isinstance(event, events.OrderFilled):
            is_maker = event.maker_order_hash == order_hash
            left = event.maker_left_lots if is_maker else event.taker_left_lots
            fee_micro = event.maker_fee_micro if is_maker else event.taker_fee_micro
            fill = Leg(
                event.trade, event.instrument, event.price_micro, event.quantity_lots, fee_micro
            )
            if left < 0:
                tracked.legs.append(fill)
            else:
                self._tell_fill(tracked, fill, is_maker, time_ns)
        elif isinstance(event, events.ComboFilled):
            is_maker = event.maker_order_hash == order_hash
            if is_maker or event.taker_left_units >= 0:  # else a single order that met the combo
                self._tell_combo(
                    tracked,
                    event.combo_trade,
                    event.net_price_micro,
                    event.units,
                    is_maker,
                    time_ns,
                )
        elif isinstance(event, events.OrderReduced):
            self._tell_reduced(
                tracked, sequence, time_ns, event.lots, events.CANCEL_REASONS[event.reason]
            )
        elif isinstance(event, events.OrderCancelled):
            self._tell_cancelled(tracked, sequence, time_ns, event.reason)

    def _tell_placed(self, tracked: Tracked, sequence: int, time_ns: int) -> None:
        kind = reports.NEW if tracked.orig_cl_ord_id is None else reports.REPLACED
        fields = report(
            tracked.order,
            kind,
            tracked.order.status,
            f"N{sequence}",
            time_ns,
            orig_cl_ord_id=tracked.orig_cl_ord_id,
        )
        self._report(fields + reports.acknowledgement_fields(tracked.ack))

    def _tell_fill(self, tracked: Tracked, fill: Leg, is_maker: bool, time_ns: int) -> None:
        order = tracked.order
        price_micro = order.sign * fill.price_micro
        self._count(tracked, price_micro, fill.lots)
        exec_id = f"T{fill.trade}{'M' if is_maker else 'T'}"
        fields = report(order, reports.TRADE, order.status, exec_id, time_ns)
        fields += reports.trade_fields(
            price_micro, fill.lots, order.lot_e8, is_maker, reports.SINGLE_SECURITY
        )
        self._report(fields + reports.fee_fields(fill.fee_micro))

    def _tell_combo(
        self, tracked: Tracked, trade: int, net_micro: int, units: int, is_maker: bool, time_ns: int
    ) -> None:
        """The combo's own report, then one for each leg."""
        order = tracked.order
        self._count(tracked, order.sign * net_micro, units)
        end = "M" if is_maker else "T"
        fields = report(order, reports.TRADE, order.status, f"C{trade}{end}", time_ns)
        self._report(
            fields
            + reports.trade_fields(
                order.sign * net_micro, units, order.lot_e8, is_maker, reports.MULTI_LEG
            )
        )
        buys = (order.side == "1") == (order.sign > 0)
        ratios = dict(order.legs)
        for leg in tracked.legs:
            fields = report(order, reports.TRADE, order.status, f"T{leg.trade}{end}", time_ns)
            leg_buys = buys == (ratios[leg.instrument] > 0)
            view = self._desk.reader.instrument(leg.instrument)
            self._report(
                _of_leg(fields, view.symbol, "1" if leg_buys else "2")
                + reports.trade_fields(
                    leg.price_micro, leg.lots, view.lot_e8, is_maker, reports.LEG
                )
                + reports.fee_fields(leg.fee_micro)
            )
        tracked.legs.clear()

    def _tell_reduced(
        self, tracked: Tracked, sequence: int, time_ns: int, lots: int, text: str
    ) -> None:
        """An order lost lots without a trade: its quantity is stated anew."""
        order = tracked.order
        order.quantity_lots -= lots
        exec_id = f"R{sequence}.{order.order_hash[:4].hex()}.{order.leaves_lots}"
        fields = report(order, reports.RESTATED, order.status, exec_id, time_ns)
        fields.append((tags.EXEC_RESTATEMENT_REASON, reports.PARTIAL_DECLINE))
        self._report([*fields, (tags.TEXT, text)])

    def _tell_cancelled(self, tracked: Tracked, sequence: int, time_ns: int, reason: int) -> None:
        tracked.is_over = True
        if tracked.is_replaced and reason == events.CANCELLED_REPLACED:
            return  # The report of the order that took its place says so.
        has_expired = reason == events.CANCELLED_EXPIRED
        kind = reports.EXPIRED if has_expired else reports.CANCELED
        asked = tracked.cancel_cl_ord_id if reason == events.CANCELLED_BY_OWNER else None
        fields = report(
            tracked.order,
            kind,
            kind,
            f"X{sequence}.{tracked.order.order_hash[:4].hex()}",
            time_ns,
            cl_ord_id=asked,
            orig_cl_ord_id=None if asked is None else tracked.order.cl_ord_id,
        )
        fields.append((tags.TEXT, events.CANCEL_REASONS[reason]))
        if asked is not None:
            fields += reports.acknowledgement_fields(tracked.cancel_ack)
        self._report(fields)

    def _count(self, tracked: Tracked, price_micro: int, lots: int) -> None:
        order = tracked.order
        order.cum_lots += lots
        order.total_micro += price_micro * lots
        tracked.is_over = order.leaves_lots == 0

    def _report(self, fields: list[Field]) -> None:
        self._outlet.send(tags.EXECUTION_REPORT, fields)

    # After a restart ---------------------------------------------------------------------------

    def adopt(self, order: LiveOrder) -> bool:
        """Takes up an order that the venue had already, when its message comes again because
        its verdict never reached the session.
        """
        venue = self._desk.venue
        if venue.order(order.order_hash) is None and not self._fills([order]):
            return False
        tracked = Tracked(self, order)
        self._desk.track(tracked)
        now_ns = self._desk.clock()
        exec_id = f"I{now_ns}.{order.order_hash[:4].hex()}"
        self._report(report(order, reports.ORDER_STATUS, order.status, exec_id, now_ns))
        self.catch_up([order])
        return True

    def catch_up(self, orders: list[LiveOrder]) -> None:
        """Reports what happened to orders after the last command that was reported."""
        now_ns = self._desk.clock()
        for order_hash, fills in self._fills(orders).items():
            tracked = self._desk.find(order_hash)
            assert tracked is not None
            for group in _by_combo(fills):
                self._tell_again(tracked, group)
        for order in orders:
            tracked = self._desk.find(order.order_hash)
            assert tracked is not None
            view = self._desk.venue.order(order.order_hash)
            lost_lots = 0 if view is None else order.leaves_lots - view.remaining_lots
            if lost_lots > 0:
                text = "reduced while this door was closed"
                self._tell_reduced(tracked, order.sequence, now_ns, lost_lots, text)
            if not tracked.is_over and view is None:
                tracked.is_over = True
                exec_id = f"X{order.sequence}.{order.order_hash[:4].hex()}"
                fields = report(order, reports.CANCELED, reports.CANCELED, exec_id, now_ns)
                self._report([*fields, (tags.TEXT, "cancelled while this door was closed")])
            self.save(tracked, order.sequence)

    def _fills(self, orders: list[LiveOrder]) -> dict[bytes, list[FillView]]:
        """Fills of orders since the last command that was reported of each, by order."""
        since = {order.order_hash: order.sequence for order in orders}
        found: dict[bytes, list[FillView]] = {}
        for account in sorted({order.account for order in orders}):
            at = min(order.sequence for order in orders if order.account == account)
            while True:
                page = self._desk.venue.fills(account, at, _FILLS_A_PAGE)
                if isinstance(page, Reject):
                    break
                for fill in page.fills:
                    if fill.sequence > since.get(fill.order_hash, fill.sequence):
                        found.setdefault(fill.order_hash, []).append(fill)
                if not page.truncated:
                    break
                at = page.next_since
        return found

    def _tell_again(self, tracked: Tracked, fills: list[FillView]) -> None:
        """A fill, or all fills of one trade of a combo, from the venue's history."""
        first = fills[0]
        legs = [
            Leg(fill.trade, fill.instrument, fill.price_micro, fill.quantity_lots, fill.fee_micro)
            for fill in fills
        ]
        order = tracked.order
        if len(order.legs) == 1:
            for fill in legs:
                self._tell_fill(tracked, fill, first.is_maker, first.time_ns)
        else:
            instrument, ratio = order.legs[0]
            units = sum(leg.lots for leg in legs if leg.instrument == instrument) // abs(ratio)
            signs = {number: 1 if ratio > 0 else -1 for number, ratio in order.legs}
            total = sum(signs[leg.instrument] * leg.price_micro * leg.lots for leg in legs)
            tracked.legs = legs
            self._tell_combo(
                tracked, first.combo_trade, total // units, units, first.is_maker, first.time_ns
            )
        order.sequence = first.sequence


def _by_combo(fills: list[FillView]) -> Iterable[list[FillView]]:
    """Fills of one order as they were traded: those of one combo trade together."""
    groups: dict[tuple[int, int], list[FillView]] = {}
    for fill in fills:
        is_leg = fill.combo_trade != 0
        key = (1, fill.combo_trade) if is_leg else (0, fill.trade)
        groups.setdefault(key, []).append(fill)
    return groups.values()


def _of_leg(fields: list[Field], symbol: str, side: str) -> list[Field]:
    """A combo order's report as that of one leg, whose price and quantity are its own."""
    changed = {tags.SYMBOL: symbol, tags.SIDE: side}
    return [
        (tag, changed.get(tag, value))
        for tag, value in fields
        if tag not in (tags.PRICE, tags.ORDER_QTY)
    ]
