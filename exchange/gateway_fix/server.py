"""The FIX door itself: sockets on one side, the venue on the other.

Holds: one connection a session, known by its pair of CompIDs; a second one is refused; what a
session is told is in its store before it is on the wire; a counterparty that does not read is
disconnected before its backlog grows beyond a bound, and finds everything again when it is back.
Messages of a session reach the venue in their order, many at a time.
Never: trusts a CompID with anything but a session's reports: orders are believed by their
signatures.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from exchange.gateway_fix import tags
from exchange.gateway_fix.desk import Desk
from exchange.gateway_fix.message import MAX_BODY_BYTES, Field, Framer, Garbled, Message, parse
from exchange.gateway_fix.seat import APPLICATION_TYPES, Seat
from exchange.gateway_fix.session import (
    Application,
    Closed,
    Event,
    Ignored,
    LoggedOn,
    Rejected,
    Session,
    SessionConfig,
)
from exchange.gateway_fix.store import FileStore, MemoryStore
from exchange.venue import Venue

MAX_IN_FLIGHT: Final = 256
"""Messages of one session that may wait for their verdicts; beyond, its socket is not read."""
MAX_BACKLOG_BYTES: Final = 4 << 20
"""Output that a session may leave unread."""

_TICK_S: Final = 0.25
_LINGER_S: Final = 5
_CHUNK_BYTES: Final = 1 << 16
_COMP_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")

_log: Final = logging.getLogger("straddle.fix")


class FixDoorError(Exception):
    """The door cannot be opened; the text says why."""


class Counterparty(NamedTuple):
    """Who may log on: its SenderCompID, and the Password (554) it must show, if any."""

    comp_id: str
    password: str | None = None


class FixServer:
    """The door. `start` it in an event loop, `stop` it.

    `directory` keeps one file for each session; without one, sessions begin anew with the
    process. With `fsync` they outlive a power cut too. `clock` is the exchange's (TransactTime of
    what is refused before the venue), `wire_clock` the world's (SendingTime, heartbeats).
    """

    def __init__(
        self,
        venue: Venue,
        counterparties: Sequence[Counterparty],
        *,
        comp_id: str = "STRADDLE",
        directory: Path | None = None,
        fsync: bool = False,
        clock: Callable[[], int] = time.time_ns,
        wire_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        for name in (comp_id, *(counterparty.comp_id for counterparty in counterparties)):
            if not _COMP_ID.fullmatch(name):
                raise FixDoorError(f"{name!r} is no CompID: 1 to 32 letters, digits, _, . or -")
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        self.clock = wire_clock
        self.desk = Desk(venue, clock)
        self._lines: dict[tuple[str, str], Line] = {}
        for counterparty in counterparties:
            config = SessionConfig(
                comp_id, counterparty.comp_id, APPLICATION_TYPES, password=counterparty.password
            )
            store = MemoryStore()
            if directory is not None:
                path = directory / f"{comp_id}-{counterparty.comp_id}.fix"
                store = FileStore(path, fsync=fsync)
            self._lines[counterparty.comp_id, comp_id] = Line(self, config, store)
        self._server: asyncio.Server | None = None
        self._is_stopped = False
        self._ticker: asyncio.Task[None] | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 9878) -> int:
        """Opens the door; returns its port (that which the system chose for 0)."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port)
        except OSError as error:
            raise FixDoorError(
                f"the FIX door cannot listen on {host}:{port}: {error.strerror}; "
                "stop what uses the port, or choose another"
            ) from error
        self._ticker = asyncio.create_task(self._tick())
        return self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Takes no more messages, answers those that were taken, and says goodbye."""
        if self._is_stopped:
            return
        self._is_stopped = True
        if self._server is not None:
            self._server.close()
        if self._ticker is not None:
            self._ticker.cancel()
        await asyncio.gather(*(line.finish() for line in self._lines.values()))
        self.desk.close()
        for line in self._lines.values():
            line.close_store()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            for line in self._lines.values():
                line.tick()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte."""
        try:
            first = await asyncio.wait_for(_first_message(reader), 10)
            if first is None:
                return
            message, data = first
            names = message.text(tags.SENDER_COMP_ID), message.text(tags.TARGET_COMP_ID)
            line = self._lines.get(names)
            if line is None:
                _log.warning("no session is configured for %s", names)
            elif line.is_connected:
                _log.warning("%s is connected already; the second connection is refused", names)
            else:
                await line.serve(reader, writer, data)
        except (TimeoutError, ConnectionError) as error:
            _log.info("a connection ended: %s", error or "timed out")
        finally:
            # What is still in the socket's buffer may leave, for a while.
            writer.close()
            asyncio.get_running_loop().call_later(_LINGER_S, writer.transport.abort)


async def _first_message(reader: asyncio.StreamReader) -> tuple[Message, bytes] | None:
    """The first message of a connection, which says whose it is, and all bytes so far; None where
    the connection begins with anything else.
    """
    framer = Framer()
    data = b""
    while len(data) <= MAX_BODY_BYTES:
        chunk = await reader.read(_CHUNK_BYTES)
        if not chunk:
            return None
        data += chunk
        framer.feed(chunk)
        frame = framer.next()
        if isinstance(frame, Garbled):
            _log.warning("a connection began with %s", frame.why)
            return None
        if frame is not None:
            return parse(frame), data
    return None


class Line:
    """A configured session: its protocol, its orders, and its connection while it has one."""

    def __init__(
        self, server: FixServer, config: SessionConfig, store: FileStore | MemoryStore
    ) -> None:
        self._clock = server.clock
        self._store = store
        self._session = Session(config, store, is_initiator=False)
        self._name = config.target
        self._writer: asyncio.StreamWriter | None = None
        self._wake = asyncio.Event()
        self._is_ending = False
        self._in_flight: dict[asyncio.Task[None], int] = {}
        """Work that waits for its verdict, and the number of its message."""
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._seat = Seat(server.desk, self, store)

    @property
    def is_connected(self) -> bool:
        return self._writer is not None

    # Outlet ------------------------------------------------------------------------------------

    def send(self, message_type: str, fields: list[Field]) -> None:
        """Sends a message of the application; it waits in the store while nobody is there."""
        self._session.send(message_type, fields, self._clock())
        self._wake.set()
        if self._session.output.waiting_bytes > MAX_BACKLOG_BYTES:
            self._drop(f"more than {MAX_BACKLOG_BYTES} bytes are unread")

    def refuse(self, message: Message, reason: int, text: str, ref: str) -> None:
        """Sends a BusinessMessageReject (j)."""
        self._session.refuse(message, reason, text, self._clock(), ref)
        self._wake.set()

    # The connection ----------------------------------------------------------------------------

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
    ) -> None:
        """A connection that showed our names, until it ends; `data` is what it sent so far."""
        self._writer = writer
        self._is_ending = False
        self._session.connected(self._clock())
        writing = asyncio.create_task(self._write(writer))
        try:
            while data and not self._is_ending:
                self._take(self._session.receive(data, self._clock()))
                await self._has_room.wait()
                if self._is_ending:
                    break
                data = await reader.read(_CHUNK_BYTES)
        finally:
            self._is_ending = True
            self._wake.set()
            try:
                await writing
            finally:
                self._session.disconnected()
                self._writer = None
                await self._seat.leave()

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Application):
                self._take_application(event)
            elif isinstance(event, LoggedOn):
                _log.info("%s logged on", self._name)
                self._seat.log_on()
                if event.has_reset:
                    self._in_flight = dict.fromkeys(self._in_flight, 1 << 62)
            elif isinstance(event, Closed):
                _log.info("%s: %s", self._name, event.why)
                self._is_ending = True
            elif isinstance(event, Rejected):
                _log.warning("%s rejected a message: %s", self._name, event.message)
            else:
                assert isinstance(event, Ignored)
                _log.info("%s: passed over %s", self._name, event.why)
        self._wake.set()

    def _take_application(self, event: Application) -> None:
        work = self._seat.take(event.message)
        if work is None:
            return
        task = asyncio.create_task(work)
        self._in_flight[task] = event.sequence
        task.add_done_callback(self._finish)
        if len(self._in_flight) >= MAX_IN_FLIGHT:
            self._has_room.clear()

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(task, None)
        if len(self._in_flight) < MAX_IN_FLIGHT:
            self._has_room.set()
        if not task.cancelled() and task.exception() is not None:
            # The venue breaks its promise to answer: nothing that follows could be trusted.
            _log.error("%s: the venue failed", self._name, exc_info=task.exception())
            self._session.logout(self._clock(), "the exchange stopped")
        self._wake.set()

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        """Writes what there is to write, as the socket takes it, until the end."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._session.output.has_output:
                    data = self._session.output.take(_CHUNK_BYTES)
                    self._flush()
                    writer.write(data)
                    await writer.drain()
                if self._is_ending:
                    writer.close()  # Whoever waits for bytes is told that none will come.
                    return
        except ConnectionError:
            self._is_ending = True
            writer.transport.abort()

    def _drop(self, why: str) -> None:
        """Ends the connection at once, without a word that nobody would read."""
        if self._writer is not None and not self._is_ending:
            _log.warning("%s is dropped: %s", self._name, why)
            self._is_ending = True
            self._session.disconnected()
            self._session.output.clear(self._clock())
            self._writer.transport.abort()

    def _flush(self) -> None:
        """Makes the store last. A message whose verdict is awaited must come again after a
        restart, so it does not count as dealt with.
        """
        self._store.flush(min([self._store.next_incoming, *self._in_flight.values()]))

    def tick(self) -> None:
        """Time passed."""
        if self._writer is not None and not self._is_ending:
            self._take(self._session.tick(self._clock()))
        self._flush()

    async def finish(self) -> None:
        """Answers what was taken and says goodbye; waits a little for the answer."""
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=5)
        if self._writer is not None:
            self._session.logout(self._clock(), "the exchange is stopping")
            self._wake.set()
            for _ in range(20):
                if not self.is_connected:
                    return
                await asyncio.sleep(0.05)
            self._drop("no answer to the Logout")

    def close_store(self) -> None:
        self._flush()
        if isinstance(self._store, FileStore):
            self._store.close()
