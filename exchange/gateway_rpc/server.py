"""The sockets of the JSON-RPC door: HTTP and WebSocket on one port.

Holds: a message is at most `message_bytes`; a bigger one is refused with its number, one beyond
`frame_bytes` closes the connection (1009). The messages of one connection reach the exchange in
the order in which they came, and many may wait for their answer at once; answers may come in
another order, each with its id. A connection that does not read what it is sent is cut off before
it holds more than `queue_bytes` of memory, and one that sends faster than it is answered waits.
Never: answers a notification; dies of what a stranger sends.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import ClientPayloadError, WSCloseCode, WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from exchange.gateway_rpc.channels import Channels, Subscriber
from exchange.gateway_rpc.failures import (
    INTERNAL_ERROR,
    PARSE_ERROR,
    Failure,
    broke_inside,
    busy,
    malformed,
    oversized,
)
from exchange.gateway_rpc.methods import Methods
from exchange.gateway_rpc.requests import Id, is_batch, read_request, split_batch
from exchange.gateway_rpc.views import Catalogue
from exchange.venue import Venue

_log: Final = logging.getLogger(__name__)


class _OursOnly(logging.Filter):
    """Keeps strangers' broken HTTP, which is answered with 400, out of the log of faults."""

    def filter(self, record: logging.LogRecord) -> bool:
        fault = record.exc_info[1] if record.exc_info else None
        return not isinstance(fault, HttpProcessingError)


_http_log: Final = logging.getLogger(f"{__name__}.http")
_http_log.addFilter(_OursOnly())


class RpcLimits(NamedTuple):
    """Bounds on what a stranger may cost us."""

    message_bytes: int = 64 << 10
    frame_bytes: int = 1 << 20
    queue_bytes: int = 8 << 20
    waiting: int = 256
    connections: int = 1_000
    body_seconds: float = 10.0
    heartbeat_seconds: float = 30.0
    close_seconds: float = 2.0
    book_interval_seconds: float = 0.02


class RpcGateway:
    """The door. `port` is the one it listens on, once started (0 asks the system for a free
    one).
    """

    def __init__(
        self,
        venue: Venue,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: RpcLimits | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._limits = limits or RpcLimits()
        self._venue = venue
        catalogue = Catalogue(venue)
        self._channels = Channels(venue, catalogue, self._limits.book_interval_seconds)
        self._methods = Methods(venue, catalogue, self._channels)
        self._connections: dict[_Connection, None] = {}
        application = web.Application()
        application.router.add_post("/rpc", self._serve_http)
        application.router.add_get("/ws", self._serve_socket)
        self._runner = web.AppRunner(
            application,
            logger=_http_log,
            access_log=None,
            shutdown_timeout=1.0,
            lingering_time=1.0,
        )

    @property
    def url(self) -> str:
        """Address of the WebSocket."""
        return f"ws://{self.host}:{self.port}/ws"

    async def start(self) -> None:
        """Opens the port. OSError where it is in use."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        self._channels.start()

    async def stop(self) -> None:
        """Closes the port and every connection (1001)."""
        self._channels.stop()
        await asyncio.gather(
            *(
                connection.close(WSCloseCode.GOING_AWAY, b"the exchange is stopping")
                for connection in self._connections
            )
        )
        await self._runner.cleanup()

    # Messages

    def begin(self, message: bytes, subscriber: Subscriber | None) -> Awaitable[bytes | None]:
        """Starts on a message, single or batch; what it gives is the answer, None where there is
        nothing to answer. Tasks run in the order of their making: the exchange sees the order in
        which this was called, and that within a batch.
        """
        if len(message) > self._limits.message_bytes:
            return _ready(_failed(None, oversized(len(message), self._limits.message_bytes)))
        if not is_batch(message):
            return asyncio.create_task(self._answer_one(message, subscriber))
        requests = split_batch(message)
        if isinstance(requests, Failure):
            return _ready(_failed(None, requests))
        return _answer_batch(
            [asyncio.create_task(self._answer_one(request, subscriber)) for request in requests]
        )

    async def _answer_one(
        self, message: bytes | msgspec.Raw, subscriber: Subscriber | None
    ) -> bytes | None:
        request = read_request(message)
        if isinstance(request, tuple):
            return _failed(*request)
        try:
            answer = await self._methods.run(request, subscriber)
        except Exception:
            _log.exception("%s broke", request.method)
            answer = broke_inside()
        if request.id is msgspec.UNSET:
            return None
        if isinstance(answer, Failure):
            return _failed(request.id, answer)
        return msgspec.json.encode({"jsonrpc": "2.0", "id": request.id, "result": answer})

    # HTTP

    async def _serve_http(self, request: web.Request) -> web.Response:
        """POST /rpc. The status is 200 whenever JSON-RPC answers, but for sizes (413) and haste
        (408).
        """
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                body = await self._read_body(request)
        except TimeoutError:
            failure = malformed(PARSE_ERROR, "the body did not come in time", "$")
            return _http(_failed(None, failure), status=408, close=True)
        except (ConnectionError, ClientPayloadError, HttpProcessingError):
            failure = malformed(PARSE_ERROR, "the body broke off", "$")
            return _http(_failed(None, failure), status=400, close=True)
        if isinstance(body, Failure):
            return _http(_failed(None, body), status=413, close=True)
        answer = await self.begin(body, None)
        return web.Response(status=204) if answer is None else _http(answer)

    async def _read_body(self, request: web.Request) -> bytes | Failure:
        """All of the body, or OVERSIZED as soon as that is known."""
        allowed = self._limits.message_bytes
        body = bytearray()
        if (request.content_length or 0) > allowed:
            return oversized(request.content_length or 0, allowed)
        async for part in request.content.iter_any():
            body += part
            if len(body) > allowed:
                return oversized(len(body), allowed)
        return bytes(body)

    # WebSocket

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        limits = self._limits
        if len(self._connections) >= limits.connections:
            return _http(_failed(None, busy(len(self._connections), 1_000)), status=503)
        socket = web.WebSocketResponse(
            max_msg_size=limits.frame_bytes,
            heartbeat=limits.heartbeat_seconds,
            timeout=limits.close_seconds,
            compress=False,
        )
        if not socket.can_prepare(request):
            return web.Response(status=426, text="WebSocket only; JSON-RPC over HTTP is at /rpc\n")
        try:
            await socket.prepare(request)
        except ConnectionError:  # gone before the handshake was over
            return web.Response(status=400)
        session = self._venue.begin_session()
        connection = _Connection(self, socket, request, limits, session)
        self._connections[connection] = None
        try:
            await connection.serve()
        finally:
            del self._connections[connection]
            self._channels.drop(connection)
            await self._venue.end_session(session)
        return socket


class _Connection:
    """One WebSocket: reads, answers, and sends what is queued, in order."""

    def __init__(
        self,
        gateway: RpcGateway,
        socket: web.WebSocketResponse,
        request: web.Request,
        limits: RpcLimits,
        session: int,
    ) -> None:
        self.session = session
        self._gateway = gateway
        self._socket = socket
        self._request = request
        self._limits = limits
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Semaphore(limits.waiting)
        self._answering: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Until the peer leaves or is cut off."""
        sending = asyncio.create_task(self._send_queued())
        try:
            async for frame in self._socket:
                if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                content = frame.data.encode() if frame.type is WSMsgType.TEXT else frame.data
                await self._room.acquire()
                task = asyncio.create_task(self._answer(self._gateway.begin(content, self)))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
        finally:
            sending.cancel()
            await asyncio.gather(sending, *self._answering, return_exceptions=True)

    async def close(self, code: int, reason: bytes) -> None:
        await self._socket.close(code=code, message=reason)

    def deliver(self, payload: bytes) -> None:
        """Queues a message; a reader that is too far behind is cut off instead."""
        self._queued_bytes += len(payload)
        if self._queued_bytes > self._limits.queue_bytes:
            if self._request.transport is not None:
                self._request.transport.abort()
            return
        self._queue.append(payload)
        self._filled.set()

    async def _answer(self, begun: Awaitable[bytes | None]) -> None:
        try:
            answer = await begun
            if answer is not None:
                self.deliver(answer)
        finally:
            self._room.release()

    async def _send_queued(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                payload = self._queue.popleft()
                try:
                    await self._socket.send_str(payload.decode())
                except ConnectionError:
                    return
                self._queued_bytes -= len(payload)


async def _ready(answer: bytes) -> bytes:
    return answer


async def _answer_batch(tasks: Sequence[asyncio.Task[bytes | None]]) -> bytes | None:
    """An array of the answers, in the order of the requests."""
    answers = [await task for task in tasks]
    answered = [answer for answer in answers if answer is not None]
    return b"[" + b",".join(answered) + b"]" if answered else None


def _failed(request_id: Id, failure: Failure) -> bytes:
    error: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.code != INTERNAL_ERROR:
        error["data"] = failure.data
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "error": error})


def _http(body: bytes, status: int = 200, close: bool = False) -> web.Response:
    response = web.Response(body=body, status=status, content_type="application/json")
    if close:
        response.force_close()
    return response
