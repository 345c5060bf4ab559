"""What a session asks for: orders, cancels and replaces, on their way to the venue and back.

Holds: messages reach the venue in the order in which they came; each is answered once, by a
report, an OrderCancelReject or a BusinessMessageReject, and not before the venue's verdict; a
message that comes again (PossDupFlag, PossResend) does nothing twice.
Never: judges an order: the venue's verdict and its sentence are passed on.
"""

from collections.abc import Coroutine
from typing import Any, Final

from exchange.gateway_fix import reports, tags
from exchange.gateway_fix.desk import Desk, Tracked
from exchange.gateway_fix.message import Message
from exchange.gateway_fix.orders import (
    CancelRequest,
    NewOrder,
    Refused,
    Unreadable,
    named_order,
    read_cancel,
)
from exchange.gateway_fix.reports import LiveOrder, report
from exchange.gateway_fix.session import reverse_route
from exchange.gateway_fix.store import SessionStore
from exchange.gateway_fix.telling import Outlet, SessionTeller
from exchange.venue import Acknowledgement, OrderView, Verdict
from matching.orders import BUY
from matching.rejects import ORDER_ALREADY_USED, UNKNOWN_ORDER, Reject
from settlement.signed_messages import order_hash as hash_of_order

APPLICATION_TYPES: Final = frozenset(
    (tags.NEW_ORDER_SINGLE, tags.ORDER_CANCEL_REQUEST, tags.ORDER_CANCEL_REPLACE_REQUEST)
)

_REMEMBERED_IDS: Final = 100_000
"""ClOrdIDs that a session may not use again; older ones are forgotten."""

Work = Coroutine[Any, Any, None]


class Seat:
    """One session at the venue. `take` gets its messages, `outlet` gets what it is told. From
    `log_on` to `leave`, its orders until disconnect go with the connection.
    """

    def __init__(self, desk: Desk, outlet: Outlet, store: SessionStore) -> None:
        self._desk = desk
        self._outlet = outlet
        self._teller = SessionTeller(desk, outlet, store)
        self._rejects = 0
        self._session = 0
        self._hash_of_id = {order.cl_ord_id: order.order_hash for order in self._teller.restore()}

    def log_on(self) -> None:
        if not self._session:
            self._session = self._desk.venue.begin_session()

    async def leave(self) -> None:
        session, self._session = self._session, 0
        if session:
            await self._desk.venue.end_session(session)

    # Requests ----------------------------------------------------------------------------------

    def take(self, message: Message) -> Work | None:
        """A message of the application. Answers at once where the venue need not be asked; else
        returns the rest of the work, to be started in the order of the messages.
        """
        cl_ord_id = message.text(tags.CL_ORD_ID)
        is_again = message.is_set(tags.POSS_DUP_FLAG) or message.is_set(tags.POSS_RESEND)
        if cl_ord_id in self._hash_of_id:
            if not is_again:
                self._refuse_id(message)
            return None
        if message.type == tags.NEW_ORDER_SINGLE:
            return self._take_order(message, None, None, is_again)
        named = named_order(message, self._hash_of_id.get)
        if isinstance(named, Unreadable):
            self._outlet.refuse(message, named.reason, named.text, cl_ord_id)
            return None
        if named is None:
            reject = Reject(UNKNOWN_ORDER)
            self._reject_cancel(message, None, reject, reject.message, self._desk.clock())
            return None
        old = self._desk.find(named)
        if message.type == tags.ORDER_CANCEL_REPLACE_REQUEST:
            return self._take_order(message, named, old, is_again)
        return self._take_cancel(message, named, old)

    def _take_order(
        self, message: Message, replaces: bytes | None, old: Tracked | None, is_again: bool
    ) -> Work | None:
        new = self._desk.reader.new_order(message, replaces)
        cl_ord_id = message.text(tags.CL_ORD_ID)
        if isinstance(new, Unreadable):
            self._outlet.refuse(message, new.reason, new.text, cl_ord_id)
            return None
        now_ns = self._desk.clock()
        if isinstance(new, Refused):
            self._refuse(message, replaces, None, new.reject, new.text, now_ns, None)
            return None
        order = _live_order(new, message)
        if self._desk.find(order.order_hash) is not None:
            reject = Reject(ORDER_ALREADY_USED)
            self._refuse(message, replaces, order, reject, reject.message, now_ns, None)
            return None
        self._remember(cl_ord_id, order.order_hash)
        orig_cl_ord_id = None
        if replaces is not None:
            orig_cl_ord_id = message.get(tags.ORIG_CL_ORD_ID) or (
                old.order.cl_ord_id if old is not None else "NONE"
            )
        tracked = Tracked(self._teller, order, orig_cl_ord_id)
        self._desk.track(tracked)
        return self._place(message, new, tracked, old, is_again, self._session)

    async def _place(
        self,
        message: Message,
        new: NewOrder,
        tracked: Tracked,
        old: Tracked | None,
        is_again: bool,
        session: int,
    ) -> None:
        tracked.awaited += 1
        if old is not None:
            old.awaited += 1
        try:
            verdict = await self._desk.venue.place(new.order, new.signature, session)
        finally:
            tracked.awaited -= 1
            if old is not None:
                old.awaited -= 1
        reject = verdict.reject
        if reject is None:
            tracked.ack = verdict.acknowledgement
            if (
                old is not None
                and tracked.orig_cl_ord_id is not None
                and old.teller is self._teller
            ):
                old.is_replaced = True
        if old is not None:
            old.teller.resume(old)
        if reject is None:
            self._teller.resume(tracked)
            return
        self._desk.forget(tracked)
        order = tracked.order
        if reject.code == ORDER_ALREADY_USED and is_again and self._teller.adopt(order):
            return
        text = reports.reject_text(reject, verdict.signature_fault)
        replaces = new.order.replaces if tracked.orig_cl_ord_id is not None else None
        time_ns = verdict.time_ns or self._desk.clock()
        self._refuse(message, replaces, order, reject, text, time_ns, verdict.acknowledgement)

    def _take_cancel(self, message: Message, order_hash: bytes, old: Tracked | None) -> Work | None:
        view = self._desk.venue.order(order_hash) if old is None else None
        account = None
        if old is not None:
            account = old.order.account
        elif view is not None:
            account = view.account
        request = read_cancel(message, order_hash, account)
        cl_ord_id = message.text(tags.CL_ORD_ID)
        if isinstance(request, Unreadable):
            self._outlet.refuse(message, request.reason, request.text, cl_ord_id)
            return None
        self._remember(cl_ord_id, order_hash)
        return self._cancel(message, request, old)

    async def _cancel(self, message: Message, request: CancelRequest, old: Tracked | None) -> None:
        venue = self._desk.venue
        view = venue.order(request.cancel.order_hash)
        if old is not None:
            old.awaited += 1
        try:
            verdict = await venue.cancel(request.cancel, request.signature)
        finally:
            if old is not None:
                old.awaited -= 1
        is_own = old is not None and old.teller is self._teller
        if verdict.reject is None and is_own:
            assert old is not None
            old.cancel_cl_ord_id = message.text(tags.CL_ORD_ID)
            old.cancel_ack = verdict.acknowledgement
        if old is not None:
            old.teller.resume(old)
        if verdict.reject is not None:
            time_ns = verdict.time_ns or self._desk.clock()
            text = reports.reject_text(verdict.reject, verdict.signature_fault)
            self._reject_cancel(message, request.cancel.order_hash, verdict.reject, text, time_ns)
        elif not is_own and view is not None:
            # Placed through another door or session: its reports go there, the answer comes here.
            lot_e8 = self._desk.reader.instrument(view.legs[0][0]).lot_e8
            order = _foreign_order(view, message, lot_e8)
            self._answer_cancel(message, order, verdict)

    # Refusals ----------------------------------------------------------------------------------

    def _refuse_id(self, message: Message) -> None:
        reject = Reject(ORDER_ALREADY_USED)
        text = f"ClOrdID (11) {message.text(tags.CL_ORD_ID)} was used before in this session"
        replaces = None
        if message.type != tags.NEW_ORDER_SINGLE:
            replaces = self._hash_of_id.get(message.text(tags.ORIG_CL_ORD_ID), b"")
        self._refuse(message, replaces, None, reject, text, self._desk.clock(), None)

    def _refuse(
        self,
        message: Message,
        replaces: bytes | None,
        order: LiveOrder | None,
        reject: Reject,
        text: str,
        time_ns: int,
        ack: Acknowledgement | None,
    ) -> None:
        """A Rejected report; where an order should have been replaced, an OrderCancelReject."""
        if replaces is not None:
            self._reject_cancel(message, replaces or None, reject, text, time_ns)
            return
        exec_id = self._reject_id(time_ns)
        if order is not None:
            fields = report(order, reports.REJECTED, reports.REJECTED, exec_id, time_ns)
        else:
            fields = [
                (tags.ORDER_ID, "NONE"),
                (tags.CL_ORD_ID, message.text(tags.CL_ORD_ID)),
                (tags.EXEC_ID, exec_id),
                (tags.EXEC_TYPE, reports.REJECTED),
                (tags.ORD_STATUS, reports.REJECTED),
                (tags.SYMBOL, message.text(tags.SYMBOL)),
                (tags.SIDE, message.text(tags.SIDE)),
                (tags.LEAVES_QTY, "0"),
                (tags.CUM_QTY, "0"),
                (tags.AVG_PX, "0"),
            ]
        fields += reports.order_reject_fields(reject, text)
        fields += reports.acknowledgement_fields(ack)
        self._outlet.send(tags.EXECUTION_REPORT, reverse_route(message) + fields)

    def _reject_cancel(
        self,
        message: Message,
        order_hash: bytes | None,
        reject: Reject,
        text: str,
        time_ns: int,
    ) -> None:
        tracked = None if order_hash is None else self._desk.find(order_hash)
        fields = reports.cancel_reject(
            order_hash=order_hash,
            cl_ord_id=message.text(tags.CL_ORD_ID),
            orig_cl_ord_id=message.text(tags.ORIG_CL_ORD_ID),
            status=reports.REJECTED if tracked is None else tracked.order.status,
            is_replace=message.type == tags.ORDER_CANCEL_REPLACE_REQUEST,
            reject=reject,
            text=text,
            time_ns=time_ns,
        )
        self._outlet.send(tags.ORDER_CANCEL_REJECT, reverse_route(message) + fields)

    def _reject_id(self, time_ns: int) -> str:
        self._rejects += 1
        return f"J{time_ns}.{self._rejects}"

    def _answer_cancel(self, message: Message, order: LiveOrder, verdict: Verdict) -> None:
        fields = report(
            order,
            reports.CANCELED,
            reports.CANCELED,
            f"X{verdict.sequence}",
            verdict.time_ns,
            orig_cl_ord_id=message.text(tags.ORIG_CL_ORD_ID) or "NONE",
        )
        fields += reports.acknowledgement_fields(verdict.acknowledgement)
        self._outlet.send(tags.EXECUTION_REPORT, fields)

    def _remember(self, cl_ord_id: str, order_hash: bytes) -> None:
        self._hash_of_id[cl_ord_id] = order_hash
        if len(self._hash_of_id) > _REMEMBERED_IDS:
            del self._hash_of_id[next(iter(self._hash_of_id))]


def _live_order(new: NewOrder, message: Message) -> LiveOrder:
    order = new.order
    return LiveOrder(
        hash_of_order(order),
        new.cl_ord_id,
        order.account,
        new.symbol,
        message.text(tags.SIDE),
        order.legs,
        new.lot_e8,
        new.sign * order.limit_price_micro,
        order.quantity_lots,
        message.text(tags.TIME_IN_FORCE),
        new.sign,
    )


def _foreign_order(view: OrderView, message: Message, lot_e8: int) -> LiveOrder:
    """An order that was not placed in this session, as far as a session may know it."""
    return LiveOrder(
        view.order_hash,
        message.text(tags.CL_ORD_ID),
        view.account,
        view.symbol,
        "1" if view.side == BUY else "2",
        view.legs,
        lot_e8,
        view.limit_price_micro,
        view.quantity_lots,
        "1",
        1,
        view.quantity_lots - view.remaining_lots,
    )
