"""A FIX client of the exchange, for market makers and tests: the same session, from the other end.

Holds: `place`, `cancel` and `replace` return the exchange's answer to that message; every report,
fills included, goes to `on_report` in its order. An order travels as its signer signed it.
Never: signs, or reconnects by itself (`is_up` tells; a client with a store goes on where it was).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final, Self

from exchange.gateway_fix import tags
from exchange.gateway_fix.message import Field, Message
from exchange.gateway_fix.orders import EXEC_INSTRUCTIONS
from exchange.gateway_fix.session import (
    Application,
    Closed,
    Event,
    LoggedOn,
    Rejected,
    Session,
    SessionConfig,
)
from exchange.gateway_fix.store import MemoryStore, SessionStore
from exchange.gateway_fix.timestamps import timestamp_text
from exchange.symbols import price_text, quantity_text
from matching.orders import BUY, FOK, GTC, IOC
from settlement.signed_messages import NO_ORDER, Cancel, Order

REPORT_TYPES: Final = frozenset(
    (tags.EXECUTION_REPORT, tags.ORDER_CANCEL_REJECT, tags.BUSINESS_MESSAGE_REJECT)
)
_TIMES_IN_FORCE: Final = {GTC: "1", IOC: "3", FOK: "4"}
_CHUNK_BYTES: Final = 1 << 16
_TICK_S: Final = 0.25


class FixClientError(Exception):
    """The session is not up; the text says why."""


class FixClient:
    """One logged-on session. Use `connect`."""

    def __init__(
        self,
        config: SessionConfig,
        store: SessionStore,
        clock: Callable[[], int],
        on_report: Callable[[Message], None] | None,
    ) -> None:
        self._session = Session(config, store, is_initiator=True)
        self._store = store
        self._clock = clock
        self._on_report = on_report
        self._writer: asyncio.StreamWriter | None = None
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._logged_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._id_of_number: dict[int, str] = {}
        self._next_id = 0
        self._run_id = format(clock(), "x")
        self._closed: str | None = None

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        comp_id: str,
        *,
        target: str = "STRADDLE",
        password: str | None = None,
        store: SessionStore | None = None,
        heartbeat_s: int = 30,
        on_report: Callable[[Message], None] | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> Self:
        """Connects and logs on. Without a store the numbers of both sides begin anew; with one
        the session goes on, and what was missed is sent again. Raises FixClientError.
        """
        config = SessionConfig(
            comp_id, target, REPORT_TYPES, heartbeat_s=heartbeat_s, password=password
        )
        client = cls(config, store or MemoryStore(), clock, on_report)
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            raise FixClientError(f"no FIX door at {host}:{port}: {error.strerror}") from error
        client._writer = writer
        client._session.connected(clock())
        client._session.logon(clock(), reset=store is None)
        client._wake.set()
        client._tasks = [
            asyncio.create_task(client._read(reader)),
            asyncio.create_task(client._write(writer)),
            asyncio.create_task(client._tick()),
        ]
        await client._logged_on
        return client

    @property
    def is_up(self) -> bool:
        return self._closed is None

    # Requests ----------------------------------------------------------------------------------

    async def place(
        self, order: Order, signature: bytes, symbol: str, lot_e8: int, *, cl_ord_id: str = ""
    ) -> Message:
        """Sends an order; its first report: New, or Rejected with Text (58) and code (20010)."""
        cl_ord_id = cl_ord_id or self.new_id()
        fields = order_fields(order, signature, symbol, lot_e8, cl_ord_id, self._clock())
        return await self._ask(tags.NEW_ORDER_SINGLE, cl_ord_id, fields)

    async def replace(
        self, order: Order, signature: bytes, symbol: str, lot_e8: int, *, cl_ord_id: str = ""
    ) -> Message:
        """Sends an order in the place of `order.replaces`; its report Replaced, or an
        OrderCancelReject.
        """
        cl_ord_id = cl_ord_id or self.new_id()
        fields = order_fields(order, signature, symbol, lot_e8, cl_ord_id, self._clock())
        fields.insert(0, (tags.ORDER_ID, order.replaces.hex()))
        return await self._ask(tags.ORDER_CANCEL_REPLACE_REQUEST, cl_ord_id, fields)

    async def cancel(
        self, cancel: Cancel, signature: bytes, symbol: str, side: int, *, cl_ord_id: str = ""
    ) -> Message:
        """Cancels an order; its report Canceled, or an OrderCancelReject."""
        cl_ord_id = cl_ord_id or self.new_id()
        fields: list[Field] = [
            (tags.ORDER_ID, cancel.order_hash.hex()),
            (tags.CL_ORD_ID, cl_ord_id),
            (tags.ACCOUNT, str(cancel.account)),
            (tags.SYMBOL, symbol),
            (tags.SIDE, "1" if side == BUY else "2"),
            (tags.TRANSACT_TIME, timestamp_text(self._clock())),
            (tags.SIGNATURE, signature.hex()),
        ]
        return await self._ask(tags.ORDER_CANCEL_REQUEST, cl_ord_id, fields)

    def new_id(self) -> str:
        """A ClOrdID that this client has not used."""
        self._next_id += 1
        return f"{self._run_id}-{self._next_id}"

    async def _ask(self, message_type: str, cl_ord_id: str, fields: list[Field]) -> Message:
        if self._closed is not None:
            raise FixClientError(self._closed)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[cl_ord_id] = answer
        number = self._session.send(message_type, fields, self._clock())
        self._id_of_number[number] = cl_ord_id
        self._wake.set()
        try:
            return await answer
        finally:
            self._answers.pop(cl_ord_id, None)
            self._id_of_number.pop(number, None)

    # The connection ----------------------------------------------------------------------------

    async def close(self) -> None:
        """Logs out and closes."""
        if self._closed is None:
            self._session.logout(self._clock())
            self._wake.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._tasks[0]), 2)
        self._end("closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        self._store.flush()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while self._closed is None:
                data = await reader.read(_CHUNK_BYTES)
                if not data:
                    self._end("the exchange closed the connection")
                    return
                self._take(self._session.receive(data, self._clock()))
        except ConnectionError as error:
            self._end(f"the connection broke: {error}")

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._session.output.has_output:
                    data = self._session.output.take(_CHUNK_BYTES)
                    self._store.flush()
                    writer.write(data)
                    await writer.drain()
        except ConnectionError as error:
            self._end(f"the connection broke: {error}")

    async def _tick(self) -> None:
        while self._closed is None:
            await asyncio.sleep(_TICK_S)
            self._take(self._session.tick(self._clock()))

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, LoggedOn):
                if not self._logged_on.done():
                    self._logged_on.set_result(None)
            elif isinstance(event, Application):
                self._take_report(event.message)
            elif isinstance(event, Rejected):
                number = event.message.number(tags.REF_SEQ_NUM) or 0
                self._answer(self._id_of_number.get(number, ""), event.message)
            elif isinstance(event, Closed):
                self._end(event.why)
        self._wake.set()

    def _take_report(self, message: Message) -> None:
        if message.type == tags.BUSINESS_MESSAGE_REJECT:
            self._answer(message.text(tags.BUSINESS_REJECT_REF_ID), message)
        else:
            self._answer(message.text(tags.CL_ORD_ID), message)
        if self._on_report is not None:
            self._on_report(message)

    def _answer(self, cl_ord_id: str, message: Message) -> None:
        answer = self._answers.get(cl_ord_id)
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _end(self, why: str) -> None:
        if self._closed is not None:
            return
        self._closed = why
        self._session.disconnected()
        failure = FixClientError(why)
        if not self._logged_on.done():
            self._logged_on.set_exception(failure)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(failure)


def order_fields(
    order: Order, signature: bytes, symbol: str, lot_e8: int, cl_ord_id: str, now_ns: int
) -> list[Field]:
    """The body of a D or G for a signed order; `symbol` must name its legs in canonical form."""
    fields: list[Field] = [
        (tags.CL_ORD_ID, cl_ord_id),
        (tags.ACCOUNT, str(order.account)),
        (tags.SYMBOL, symbol),
        (tags.SIDE, "1" if order.side == BUY else "2"),
        (tags.TRANSACT_TIME, timestamp_text(now_ns)),
        (tags.ORDER_QTY, quantity_text(order.quantity_lots, lot_e8)),
        (tags.ORD_TYPE, "2"),
        (tags.PRICE, price_text(order.limit_price_micro, lot_e8)),
        (tags.TIME_IN_FORCE, _TIMES_IN_FORCE[order.time_in_force]),
        (tags.COUNTER, str(order.counter)),
        (tags.MAX_FEE_MICRO, str(order.max_fee_micro)),
        (tags.EXPIRY_SECONDS, str(order.expiry_s)),
        (tags.SALT, str(order.salt)),
        (tags.SIGNATURE, signature.hex()),
    ]
    flags = [code for flag, code in EXEC_INSTRUCTIONS if order.flags & flag]
    if flags:
        fields.append((tags.EXEC_INST, " ".join(flags)))
    if order.replaces != NO_ORDER:
        fields.append((tags.REPLACES, order.replaces.hex()))
    return fields
