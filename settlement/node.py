"""A chain's node over JSON-RPC: blocks, calls, logs, transactions.

Holds: whatever keeps the node from answering is `ChainUnavailable`, and asking again is safe;
whatever a contract refuses is `Reverted`, with the reason, and asking again is useless. A nonce is
never remembered: it is asked of the chain at each transaction, so a restart changes nothing.
Never: guesses that a transaction was lost. One that is not mined in time is asked for again by who
sent it, under the same nonce (`may_replace`) or after a look at what it should have changed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.types import Nonce
from web3.utils import get_create_address

from settlement.contracts import Revert, decode_revert

TRANSACTION_GAS_LIMIT: Final = 16_777_216
"""EIP-7825."""
BLOCKS_PER_LOG_REQUEST: Final = 2_000
"""What public nodes answer at once."""
REPLACEMENTS: Final = 8
FIRST_POLL_S: Final = 0.005
LAST_POLL_S: Final = 1.0
RECEIPT_LAG_S: Final = 5.0
"""By how much a node's receipts may lag behind its state."""


Value = TypeVar("Value")


class ChainUnavailable(Exception):
    """The node is down, slow, answers nonsense, or takes no transaction from a sender without the
    means to pay for it. What was asked may be asked again.
    """


class Reverted(Exception):
    """A contract refused. `revert` has the error's name and values; `transaction` is set if it
    was mined, and cost gas.
    """

    def __init__(self, revert: Revert, transaction: bytes | None = None) -> None:
        super().__init__(str(revert))
        self.revert = revert
        self.transaction = transaction


class Receipt(NamedTuple):
    """A mined transaction that did what it should."""

    transaction: bytes
    block: int
    gas_used: int
    created: bytes | None
    """Address of the contract it deployed."""
    logs: tuple["Log", ...]


class Log(NamedTuple):
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    transaction: bytes
    log_index: int
    """Within the block."""


class Head(NamedTuple):
    block: int
    time_s: int


class Transaction(NamedTuple):
    sender: bytes
    to: bytes | None
    data: bytes


def address_of(key: bytes) -> bytes:
    """The 20-byte address of a private key."""
    return bytes.fromhex(Account.from_key(key).address[2:])


def created_address(deployer: bytes, nonce: int) -> bytes:
    """Where a contract stands that `deployer` deploys with its transaction `nonce` (CREATE)."""
    return _bytes(get_create_address(Web3.to_checksum_address(deployer), Nonce(nonce)))


class Node:
    """A connection. Usable from several threads; each call blocks for `timeout_s` at most, and a
    transaction until it is mined or `mining_timeout_s` have passed.
    """

    def __init__(self, url: str, timeout_s: float = 10.0, mining_timeout_s: float = 120.0) -> None:
        self.url = url
        self.mining_timeout_s = mining_timeout_s
        self._chain_id: int | None = None
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": timeout_s}, exception_retry_configuration=None
        )

    # READ

    def chain_id(self) -> int:
        if self._chain_id is None:
            self._chain_id = self._read(_integer, "eth_chainId")
        return self._chain_id

    def head(self) -> Head:
        """The newest block."""
        return self._header("latest")

    def block_time_s(self, block: int) -> int:
        """Unix seconds at which `block` was made."""
        return self._header(hex(block)).time_s

    def nonce(self, sender: bytes, at: str = "latest") -> int:
        """Number of the sender's transactions; at "pending" with those not mined yet."""
        return self._read(_integer, "eth_getTransactionCount", _hex(sender), at)

    def code(self, address: bytes) -> bytes:
        return self._read(_bytes, "eth_getCode", _hex(address), "latest")

    def call(
        self, to: bytes, data: bytes, sender: bytes | None = None, at: str = "latest"
    ) -> bytes:
        """What a call answers, without a transaction."""
        fields = {"to": _hex(to), "data": _hex(data)}
        if sender is not None:
            fields["from"] = _hex(sender)
        return self._read(_bytes, "eth_call", fields, at)

    def logs(
        self, address: bytes, topics: Sequence[bytes], from_block: int, to_block: int
    ) -> list[Log]:
        """Logs of a contract whose first topic is one of `topics`, in order; both blocks count."""
        found: list[Log] = []
        for first in range(from_block, to_block + 1, BLOCKS_PER_LOG_REQUEST):
            last = min(first + BLOCKS_PER_LOG_REQUEST - 1, to_block)
            wanted = {
                "address": _hex(address),
                "topics": [[_hex(topic) for topic in topics]],
                "fromBlock": hex(first),
                "toBlock": hex(last),
            }
            found += self._read(_logs, "eth_getLogs", wanted)
        return sorted(found, key=lambda log: (log.block, log.log_index))

    def transaction(self, transaction: bytes) -> Transaction:
        """A mined transaction, whole."""
        got = self._read(_transaction, "eth_getTransactionByHash", _hex(transaction))
        if got is None:
            raise ChainUnavailable(f"the node does not have transaction {_hex(transaction)}")
        return got

    def receipt(self, transaction: bytes) -> Receipt | None:
        """None while it is not mined. Raises `Reverted` if it failed, with the reason."""
        got = self._read(_outcome, "eth_getTransactionReceipt", _hex(transaction))
        if got is None:
            return None
        receipt, has_failed = got
        if has_failed:
            raise Reverted(self._why(transaction, receipt.block), transaction)
        return receipt

    # SEND

    def send(
        self, key: bytes, to: bytes | None, data: bytes, *, may_replace: bool = False
    ) -> Receipt:
        """Sends a transaction and waits until it is mined; `to` None deploys `data`.

        It is simulated first, so what would revert costs nothing and says why.
        may_replace  takes the place of an older transaction of the sender that is not mined yet,
                     instead of queueing behind it: for a key that one sender alone uses.
        """
        sender = address_of(key)
        mined, queued = self.nonce(sender), self.nonce(sender, "pending")
        try:
            gas = self._gas(sender, to, data, "pending")
        except Reverted:
            if not may_replace or mined == queued:
                raise
            # It may fail only because the one that waits, and that it replaces, is this very one.
            gas = self._gas(sender, to, data, "latest")
        nonce = mined if may_replace else queued
        base_fee, tip = self._fees()
        for _ in range(REPLACEMENTS):
            fields: dict[str, Any] = {
                "chainId": self.chain_id(),
                "nonce": nonce,
                "gas": gas,
                "maxFeePerGas": 2 * base_fee + tip,
                "maxPriorityFeePerGas": tip,
                "value": 0,
                "data": data,
                "type": 2,
            }
            if to is not None:
                fields["to"] = to
            signed = Account.sign_transaction(fields, key)
            problem = self.submit(bytes(signed.raw_transaction))
            if problem == "":
                return self._mined(bytes(signed.hash), sender, nonce)
            if "underpriced" not in problem:
                raise ChainUnavailable(f"the node refuses the transaction: {problem}")
            # One of the same nonce waits: nodes want a tenth more to let it go.
            base_fee, tip = _quarter_more(base_fee), _quarter_more(tip)
        raise ChainUnavailable("an older transaction blocks the sender's next one")

    def submit(self, raw: bytes) -> str:
        """Empty if the node has the transaction now, or had it before; else its objection."""
        answer = self._ask("eth_sendRawTransaction", [_hex(raw)])
        problem = _objection(answer["error"])[0].lower() if "error" in answer else ""
        return "" if "already" in problem or "known transaction" in problem else problem

    def _mined(self, transaction: bytes, sender: bytes, nonce: int) -> Receipt:
        deadline = time.monotonic() + self.mining_timeout_s
        pause_s = FIRST_POLL_S
        is_taken = False
        while True:
            receipt = self.receipt(transaction)
            if receipt is not None:
                return receipt
            if time.monotonic() > deadline:
                problem = "lost its nonce to another" if is_taken else "is not mined yet"
                raise ChainUnavailable(f"transaction {_hex(transaction)} {problem}")
            if not is_taken and self.nonce(sender) > nonce:
                is_taken, deadline = True, min(deadline, time.monotonic() + RECEIPT_LAG_S)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LAST_POLL_S)

    def _gas(self, sender: bytes, to: bytes | None, data: bytes, after: str) -> int:
        """A tenth more than the simulation took: storage may be touched by others meanwhile."""
        fields = {"from": _hex(sender), "data": _hex(data)}
        if to is not None:
            fields["to"] = _hex(to)
        estimate = self._read(_integer, "eth_estimateGas", fields, after)
        return min(max(estimate, estimate * 11 // 10), TRANSACTION_GAS_LIMIT)

    def _fees(self) -> tuple[int, int]:
        """Base fee of the newest block and a tip, wei per gas."""
        base_fee = self._read(_base_fee, "eth_getBlockByNumber", "latest", False)
        return base_fee, self._read(_integer, "eth_maxPriorityFeePerGas")

    def _why(self, transaction: bytes, block: int) -> Revert:
        """Runs a failed transaction again on the state before its block: the node keeps no reason.

        Another one in the same block may have been the cause; then it does not fail again.
        """
        sent = self.transaction(transaction)
        try:
            if sent.to is not None:
                self.call(sent.to, sent.data, sent.sender, hex(block - 1))
                self.call(sent.to, sent.data, sent.sender, hex(block))
        except Reverted as again:
            return again.revert
        return Revert("Unknown", {"data": b""})

    # WITHIN

    def request(self, method: str, *parameters: Any) -> Any:
        """The result of a request, as JSON. Raises `ChainUnavailable` or `Reverted`."""
        answer = self._ask(method, list(parameters))
        if "error" not in answer:
            if "result" not in answer:
                raise ChainUnavailable(f"{method}: the node's answer has neither result nor error")
            return answer["result"]
        message, data = _objection(answer["error"])
        if len(data) >= 4:
            raise Reverted(decode_revert(data))
        if "revert" in message.lower():
            raise Reverted(Revert("Error", {"reason": message}))
        raise ChainUnavailable(f"{method}: {message}")

    def _read(self, reader: Callable[[Any], Value], method: str, *parameters: Any) -> Value:
        """A request's result as `reader` understands it."""
        result = self.request(method, *parameters)
        try:
            return reader(result)
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise ChainUnavailable(f"{method}: the node's answer cannot be read") from problem

    def _ask(self, method: str, parameters: list[Any]) -> Mapping[str, Any]:
        # What the connection throws is an OSError, what cannot be read a ValueError.
        try:
            answer = self._provider.make_request(cast(Any, method), parameters)
        except (OSError, ValueError) as problem:
            raise ChainUnavailable(f"{self.url} does not answer {method}: {problem}") from problem
        return cast("Mapping[str, Any]", answer)

    def _header(self, block: str) -> Head:
        got = self._read(_head, "eth_getBlockByNumber", block, False)
        if got is None:
            raise ChainUnavailable(f"the node does not have block {block}")
        return got


# WHAT A NODE ANSWERS


def _objection(error: Any) -> tuple[str, bytes]:
    """Message and data of a JSON-RPC error."""
    if not isinstance(error, dict):
        return str(error), b""
    fields = cast("dict[str, Any]", error)
    data = fields.get("data")
    try:
        raw = _bytes(data) if isinstance(data, str) else b""
    except ValueError:
        raw = b""
    return str(fields.get("message", fields)), raw


def _head(block: Any) -> Head | None:
    if block is None:
        return None
    return Head(_integer(block["number"]), _integer(block["timestamp"]))


def _base_fee(block: Any) -> int:
    return _integer(block.get("baseFeePerGas", "0x0"))


def _transaction(sent: Any) -> Transaction | None:
    if sent is None:
        return None
    to = None if sent["to"] is None else _bytes(sent["to"])
    return Transaction(_bytes(sent["from"]), to, _bytes(sent["input"]))


def _outcome(receipt: Any) -> tuple[Receipt, bool] | None:
    """A receipt, and whether its transaction failed."""
    if receipt is None:
        return None
    created = receipt.get("contractAddress")
    outcome = Receipt(
        transaction=_bytes(receipt["transactionHash"]),
        block=_integer(receipt["blockNumber"]),
        gas_used=_integer(receipt["gasUsed"]),
        created=None if created is None else _bytes(created),
        logs=tuple(_logs(receipt["logs"])),
    )
    return outcome, _integer(receipt["status"]) == 0


def _logs(entries: Any) -> list[Log]:
    return [
        Log(
            address=_bytes(entry["address"]),
            topics=tuple(_bytes(topic) for topic in entry["topics"]),
            data=_bytes(entry["data"]),
            block=_integer(entry["blockNumber"]),
            transaction=_bytes(entry["transactionHash"]),
            log_index=_integer(entry["logIndex"]),
        )
        for entry in entries
    ]


def _quarter_more(fee: int) -> int:
    return fee + fee // 4 + 1


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _integer(text: str) -> int:
    return int(text, 16)
