"""A trader's client over WebSocket: signs with the trader's own wallet and speaks JSON-RPC.

    async with Client("ws://127.0.0.1:8545/ws", wallet, account=3) as client:
        placed = await client.place("BTC-27MAR26-90000-C", "buy", "1250", "0.25")
        async for update in await client.follow_account():
            ...

Holds: nothing is sent unsigned that must be signed, and no acknowledgement is believed that the
operator did not sign over the very message that was sent. A lost connection is opened again,
waiting longer each time; every subscription then resumes with a fresh snapshot, and an account's
with the fills that it missed. Updates reach a reader in sequence, none twice; a hole in them
(`previousSequence` above what was seen) is closed by a new snapshot.
Never: sends a signed message twice by itself: after `ConnectionLost`, ask `order_status`, or
place the very same order again (one that was taken is refused as already used).
"""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, Final, NamedTuple, Self, Unpack

import msgspec
from eth_account import Account
from eth_account.messages import encode_typed_data
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from exchange.clearing_client import ClearingCalls
from exchange.client_margin import MarginQuestions
from exchange.drafting import BadTerms, Markets, QuoteTerms, Said, Terms, cash_micro, market_of
from exchange.subscription import Subscription
from exchange.wallet import (
    Signed,
    SigningDomain,
    Wallet,
    mass_quote_json,
    message_json,
    typed_data,
)
from matching.orders import POST_ONLY
from matching.rejects import COUNTER_AHEAD, COUNTER_CANCELLED, UNKNOWN_ACCOUNT
from settlement.account_messages import ResetProtection, SetProtection, Withdraw
from settlement.mass_quotes import MassQuote, check_mass_quote, quoted_orders
from settlement.signed_messages import (
    DOMAIN_NAME,
    DOMAIN_VERSION,
    NO_ORDER,
    OF_ALL,
    Acknowledgement,
    Cancel,
    CancelAll,
    CancelWhere,
    Message,
    Order,
)

Json = dict[str, Any]

DAY_S: Final = 86_400
_ANSWER_BYTES: Final = 64 << 20
_CANCEL_LIFE_S: Final = 300


class Refused(Exception):
    """The exchange said no. `code` is a reject code (matching/rejects.py) or JSON-RPC's, `data`
    the facts: what was got, what is allowed, and for a wrong signature what the server computed.
    """

    def __init__(self, code: int, message: str, data: Json) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data = data


class ConnectionLost(ConnectionError):
    """The connection went away before the answer came: the message may or may not have been
    taken. `message_hash` names it where it was a signed one.
    """

    message_hash: bytes | None = None


class BadAcknowledgement(Exception):
    """The exchange answered with an acknowledgement that its operator did not sign over what was
    sent: keep the answer, it is evidence.
    """


class Placed(NamedTuple):
    """A signed message that was taken: its hash (an order's name), its place in the journal, the
    events that it caused for the account, and the operator's signed word.
    """

    message_hash: bytes
    sequence: int
    events: list[Json]
    acknowledgement: Json


class Client(ClearingCalls, MarginQuestions):
    """A connection to the exchange at `url` (ws://host:port/ws), for one account or none.

    `expected`: the domain that the caller knows the exchange to have; without it the one that
    the exchange names is taken at its word. `clock` gives Unix seconds and dates orders.
    """

    def __init__(
        self,
        url: str,
        wallet: Wallet | None = None,
        account: int | None = None,
        *,
        expected: SigningDomain | None = None,
        answer_seconds: float = 10.0,
        first_retry_seconds: float = 0.05,
        longest_retry_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.account = account
        self.counter = 0
        self._url = url
        self._wallet = wallet
        self._expected = expected
        self._answer_seconds = answer_seconds
        self._first_retry_seconds = first_retry_seconds
        self._longest_retry_seconds = longest_retry_seconds
        self._clock = clock
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._refreshing: set[asyncio.Task[None]] = set()
        self._ready = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connects, once: an exchange that is not there raises OSError."""
        self._running = asyncio.create_task(self._run(await self._open()))
        try:
            await self._learn()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection and every subscription."""
        socket = self._socket
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self._lose()
        await asyncio.gather(*self._refreshing, return_exceptions=True)
        for subscription in self._subscriptions.values():
            subscription.end()
        self._subscriptions.clear()
        if socket is not None:
            await socket.close()

    # Trading

    async def place(
        self,
        symbol: str,
        side: str,
        price: str,
        quantity: str,
        *,
        life_seconds: int = DAY_S,
        replaces: bytes = NO_ORDER,
        **said: Unpack[Said],
    ) -> Placed:
        """Signs and sends an order in human terms (`exchange.drafting.Terms`)."""
        terms = Terms(symbol, side, price, quantity, **said)
        return await self.place_order(await self.draft(terms, life_seconds, replaces))

    async def draft(
        self, terms: Terms, life_seconds: int = DAY_S, replaces: bytes = NO_ORDER
    ) -> Order:
        """The order that `place` would sign. BadTerms where there is none."""
        expiry_s, salt = int(self._clock()) + life_seconds, secrets.randbits(64)
        account = self._own_account()
        try:
            return self.markets.draft(terms, account, self.counter, expiry_s, salt, replaces)
        except BadTerms:
            await self._learn_markets()  # listed since?
            return self.markets.draft(terms, account, self.counter, expiry_s, salt, replaces)

    async def place_order(self, order: Order) -> Placed:
        """Signs and sends an order; with `replaces` set, in another's place."""
        replaced = order.replaces != NO_ORDER
        try:
            return await self._send("order/replace" if replaced else "order/place", order)
        except Refused as refused:
            if refused.code in (COUNTER_CANCELLED, COUNTER_AHEAD):
                self.counter = int(refused.data["allowed"])
            raise

    async def cancel(self, order_hash: bytes) -> Placed:
        return await self._send("order/cancel", Cancel(self._own_account(), order_hash))

    async def cancel_all(self) -> Placed:
        """Cancels all that is live and voids all that was ever signed and not yet sent."""
        raised = self.counter + 1
        placed = await self._send("order/cancel_all", CancelAll(self._own_account(), raised))
        self.counter = raised
        return placed

    async def cancel_where(self, scope: int = OF_ALL, value: int = 0) -> Placed:
        """Cancels what `scope` and `value` say (docs/protocol.md, 2), the counter untouched."""
        message = CancelWhere(
            self._own_account(),
            scope,
            value,
            secrets.randbits(64),
            int(time.time()) + _CANCEL_LIFE_S,
        )
        return await self._send("order/cancel_where", message)

    async def quote(
        self,
        terms: Sequence[QuoteTerms],
        *,
        label: int = 0,
        protection: int = 0,
        post_only: bool = False,
        max_fee: str | None = None,
        life_seconds: int = DAY_S,
    ) -> Placed:
        """Signs and sends a mass quote, in place of what the quote set `label` has there."""
        if self._wallet is None:
            raise BadTerms("a client without a wallet only reads")
        most_fee, quotes = self.markets.draft_quotes(terms, max_fee)
        message = MassQuote(
            self._own_account(),
            self.counter,
            POST_ONLY if post_only else 0,
            most_fee,
            int(self._clock()) + life_seconds,
            secrets.randbits(63),
            protection,
            label,
            quotes,
        )
        reject = check_mass_quote(message)
        if reject is not None:
            raise BadTerms(reject.message)
        signed = self._wallet.sign_bulk(quoted_orders(message), self.domain)
        return await self._send_signed("quote/mass", mass_quote_json(message), signed)

    async def set_protection(
        self,
        group: int,
        window_ms: int,
        frozen_ms: int,
        *,
        lots: int = 0,
        delta_e6: int = 0,
        vega_micro: int = 0,
    ) -> Placed:
        """Sets a protection group's terms (docs/matching.md); a limit of 0 is none."""
        account, salt = self._own_account(), secrets.randbits(64)
        expiry_s = self._soon_s()
        limits = (lots, delta_e6, vega_micro)
        message = SetProtection(account, group, window_ms, frozen_ms, *limits, salt, expiry_s)
        return await self._send("protection/set", message)

    async def reset_protection(self, group: int) -> Placed:
        salt = secrets.randbits(64)
        message = ResetProtection(self._own_account(), group, salt, self._soon_s())
        return await self._send("protection/reset", message)

    async def withdraw(self, amount: str, asset: int = 0) -> Placed:
        """Asks for `amount` of an asset (0: USDC) back; `withdrawals` tells how to claim it."""
        message = Withdraw(self._own_account(), asset, cash_micro(amount), secrets.randbits(64))
        return await self._send("account/withdraw", message)

    def _soon_s(self) -> int:
        """When a message that is taken at once or never expires."""
        return int(self._clock()) + _CANCEL_LIFE_S

    # Reading

    async def status(self) -> Json:
        return await self.call("public/status")

    async def instruments(self) -> list[Json]:
        return await self.call("public/instruments")

    async def book(self, symbol: str, depth: int = 10) -> Json:
        return await self.call("public/book", symbol=symbol, depth=depth)

    async def accounts(self) -> list[Json]:
        """The margin of every account of the wallet's owner."""
        if self._wallet is None:
            raise BadTerms("a client without a wallet has no accounts")
        return await self.call("account/of_owner", owner="0x" + self._wallet.address.hex())

    async def margin(self) -> Json:
        return await self.call("account/margin", account=self._own_account())

    async def positions(self) -> list[Json]:
        return await self.call("account/positions", account=self._own_account())

    async def orders(self) -> list[Json]:
        return await self.call("account/orders", account=self._own_account())

    async def withdrawals(self) -> list[Json]:
        return await self.call("account/withdrawals", account=self._own_account())

    async def order_status(self, order_hash: bytes) -> Json | None:
        """The order, or None where it is not live."""
        try:
            return await self.call("order/status", orderHash="0x" + order_hash.hex())
        except Refused as refused:
            if refused.code < 0:
                raise
            return None

    async def fills(self, since: int = 0) -> list[Json]:
        """All fills of commands after `since`, however many pages they take."""
        return await self._fills(self._own_account(), since)

    # Following

    async def follow(self, channel: str) -> Subscription:
        """Subscribes; the first update is a snapshot. A channel that is followed already gives
        the same subscription.
        """
        if channel.startswith("book."):
            strategy = self.markets.strategy(channel.removeprefix("book."))
            channel = f"book.{self.markets.symbol(strategy.legs)}"
        found = self._subscriptions.get(channel)
        if found is not None:
            return found
        subscription = self._subscriptions[channel] = Subscription(channel)
        try:
            await self._refresh(subscription, self._connected_call)
        except BaseException:
            self._subscriptions.pop(channel, None)
            raise
        return subscription

    async def follow_account(self) -> Subscription:
        return await self.follow(f"account.{self._own_account()}.events")

    async def unfollow(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription.channel, None)
        await self.call("unsubscribe", channels=[subscription.channel])

    # Calls

    async def call(self, method: str, **params: Any) -> Any:
        """The `result` of any method; Refused, or ConnectionLost."""
        return await self._connected_call(method, params)

    async def _connected_call(self, method: str, params: Json) -> Any:
        """Waits for the connection where it is being opened again."""
        try:
            async with asyncio.timeout(self._answer_seconds):
                await self._ready.wait()
        except TimeoutError:
            raise ConnectionLost(f"no connection to {self._url}; nothing was sent") from None
        return await self._call(method, params)

    async def _call(self, method: str, params: Json) -> Any:
        if self._socket is None:
            raise ConnectionLost("not connected; nothing was sent")
        number = next(self._ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(self._answer_seconds):
                await self._socket.send(msgspec.json.encode(request).decode())
                return await answer
        except TimeoutError:
            raise ConnectionLost(f"no answer to {method} in {self._answer_seconds} s") from None
        except WebSocketException as error:
            raise ConnectionLost(str(error)) from None
        finally:
            self._waiting.pop(number, None)

    async def _send(self, method: str, message: Message) -> Placed:
        """Signs, sends, and checks the operator's word."""
        if self._wallet is None:
            raise BadTerms("a client without a wallet only reads")
        signed = self._wallet.sign(message, self.domain)
        return await self._send_signed(method, message_json(message), signed)

    async def _send_signed(self, method: str, message: Json, signed: Signed) -> Placed:
        params = {"message": message, "signature": "0x" + signed.signature.hex()}
        try:
            result = await self._connected_call(method, params)
        except ConnectionLost as lost:
            lost.message_hash = signed.message_hash
            raise
        self._check_word(result, signed)
        return Placed(
            signed.message_hash, result["sequence"], result["events"], result["acknowledgement"]
        )

    def _check_word(self, result: Json, signed: Signed) -> None:
        word = result["acknowledgement"]
        if word is None or result["messageHash"] != "0x" + signed.message_hash.hex():
            raise BadAcknowledgement(f"not acknowledged: {result}")
        acknowledgement = Acknowledgement(
            result["sequence"], signed.message_hash, bytes.fromhex(word["journalHash"][2:])
        )
        signable = encode_typed_data(full_message=typed_data(acknowledgement, self.domain))
        signer = Account.recover_message(signable, signature=word["signature"])
        if bytes.fromhex(signer[2:]) != self.operator:
            raise BadAcknowledgement(f"acknowledged by {signer}, not by the operator: {result}")

    async def _fills(self, account: int, since: int) -> list[Json]:
        fills: list[Json] = []
        while True:
            page = await self._call(
                "account/fills", {"account": account, "since": since, "limit": 1_000}
            )
            fills += page["fills"]
            if not page["truncated"]:
                return fills
            since = page["nextSince"]

    def _own_account(self) -> int:
        if self.account is None:
            raise BadTerms("the client has no account")
        return self.account

    # What the exchange is

    async def _learn(self) -> None:
        """Domain, instruments and the account's counter."""
        domain = await self.call("public/domain")
        if (domain["name"], domain["version"]) != (DOMAIN_NAME, DOMAIN_VERSION):
            raise BadTerms(f"{self._url} speaks {domain['name']} {domain['version']}")
        self.domain = SigningDomain(
            int(domain["chainId"]), bytes.fromhex(domain["verifyingContract"][2:])
        )
        if self._expected not in (None, self.domain):
            raise BadTerms(f"{self._url} is another exchange: {self.domain}")
        self.operator = bytes.fromhex(domain["operator"][2:])
        self._taker_fee_e6: int = domain["fees"]["takerE6"]
        await self._learn_markets()
        if self.account is not None:
            try:
                self.counter = (await self.margin())["counter"]
            except Refused as refused:
                if refused.code != UNKNOWN_ACCOUNT:  # not opened yet: its counter will be 0
                    raise

    async def _learn_markets(self) -> None:
        self.markets = Markets(
            [market_of(view) for view in await self.instruments()], self._taker_fee_e6
        )

    # The connection

    async def _open(self) -> ClientConnection:
        return await connect(
            self._url, max_size=_ANSWER_BYTES, compression=None, open_timeout=self._answer_seconds
        )

    async def _run(self, socket: ClientConnection) -> None:
        """Reads until the client is closed; opens the connection again whenever it breaks."""
        while True:
            self._socket = socket
            resuming = asyncio.create_task(self._resume())
            try:
                async for text in socket:
                    self._receive(text)
            except WebSocketException:
                pass
            except msgspec.DecodeError:  # this is no exchange, or it is broken
                await socket.close()
            finally:
                resuming.cancel()
                await asyncio.gather(resuming, return_exceptions=True)
                self._lose()
            socket = await self._reopen()

    async def _reopen(self) -> ClientConnection:
        """Tries until it succeeds, twice as long apart each time, with jitter."""
        pause = self._first_retry_seconds
        while True:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            try:
                return await self._open()
            except (OSError, WebSocketException, TimeoutError):
                pause = min(2 * pause, self._longest_retry_seconds)

    async def _resume(self) -> None:
        """Subscribes again to all that was followed, then lets calls through."""
        for subscription in list(self._subscriptions.values()):
            await self._refresh_or_end(subscription)
        self._ready.set()

    def _lose(self) -> None:
        """Every call in flight fails; subscriptions wait for their next snapshot."""
        self._ready.clear()
        self._socket = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionLost("the connection broke"))
        for task in self._refreshing:
            task.cancel()
        for subscription in self._subscriptions.values():
            subscription.hold()

    def _receive(self, text: str | bytes) -> None:
        message = msgspec.json.decode(text)
        if message.get("method") == "subscription":
            self._take_update(message["params"])
            return
        answer = self._waiting.get(message.get("id"))
        if answer is None or answer.done():
            return
        error = message.get("error")
        if error is None:
            answer.set_result(message["result"])
        else:
            answer.set_exception(Refused(error["code"], error["message"], error.get("data") or {}))

    # Subscriptions

    def _take_update(self, params: Json) -> None:
        subscription = self._subscriptions.get(params["channel"])
        if subscription is not None and not subscription.take(params):
            self._refresh_later(subscription)

    def _refresh_later(self, subscription: Subscription) -> None:
        subscription.hold()
        task = asyncio.create_task(self._refresh_or_end(subscription))
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    async def _refresh_or_end(self, subscription: Subscription) -> None:
        """A new snapshot; a channel that the exchange no longer has ends its subscription."""
        try:
            await self._refresh(subscription, self._call)
        except ConnectionLost:
            return  # the next connection resumes it
        except Refused as refused:
            self._subscriptions.pop(subscription.channel, None)
            subscription.end(refused)

    async def _refresh(
        self, subscription: Subscription, call: Callable[[str, Json], Awaitable[Any]]
    ) -> None:
        """Subscribes and queues the snapshot, with the fills that fell into a hole before it."""
        channel = subscription.channel
        (snapshot,) = await call("subscribe", {"channels": [channel]})
        missed: list[Json] = []
        if subscription.seen is not None and channel.startswith("account."):
            missed = await self._fills(int(channel.split(".")[1]), subscription.seen)
        if not subscription.restart(snapshot["sequence"], snapshot["data"], missed):
            self._refresh_later(subscription)
