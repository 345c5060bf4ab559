"""A chain's node over JSON-RPC: blocks, calls, logs, transactions.

Holds: whatever keeps the node from answering is `ChainUnavailable`, and asking again is safe;
whatever a contract refuses is `Reverted`, with the reason, and asking again is useless. A nonce is
never remembered: it is asked of the chain at each transaction, so a restart changes nothing.
Never: guesses that a transaction was lost. One that is not mined in time is asked for again by who
sent it, under the same nonce (`may_replace`) or after a look at what it should have changed.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

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
FIRST_POLL_S: Final = 0.02
LAST_POLL_S: Final = 1.0


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
            self._chain_id = _integer(self.request("eth_chainId"))
        return self._chain_id

    def head(self) -> Head:
        """The newest block."""
        return self._header("latest")

    def block_time_s(self, block: int) -> int:
        """Unix seconds at which `block` was made."""
        return self._header(hex(block)).time_s

    def nonce(self, sender: bytes, at: str = "latest") -> int:
        """Number of the sender's transactions; at "pending" with those not mined yet."""
        return _integer(self.request("eth_getTransactionCount", _hex(sender), at))

    def code(self, address: bytes) -> bytes:
        return _bytes(self.request("eth_getCode", _hex(address), "latest"))

    def call(
        self, to: bytes, data: bytes, sender: bytes | None = None, at: str = "latest"
    ) -> bytes:
        """What a call answers, without a transaction."""
        fields = {"to": _hex(to), "data": _hex(data)}
        if sender is not None:
            fields["from"] = _hex(sender)
        return _bytes(self.request("eth_call", fields, at))

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
            found += [_log(entry) for entry in self.request("eth_getLogs", wanted)]
        return sorted(found, key=lambda log: (log.block, log.log_index))

    def transaction(self, transaction: bytes) -> Transaction:
        """A mined transaction, whole."""
        got = self.request("eth_getTransactionByHash", _hex(transaction))
        if got is None:
            raise ChainUnavailable(f"the node does not have transaction {_hex(transaction)}")
        to = None if got["to"] is None else _bytes(got["to"])
        return Transaction(_bytes(got["from"]), to, _bytes(got["input"]))

    def receipt(self, transaction: bytes) -> Receipt | None:
        """None while it is not mined. Raises `Reverted` if it failed, with the reason."""
        got = self.request("eth_getTransactionReceipt", _hex(transaction))
        if got is None:
            return None
        block = _integer(got["blockNumber"])
        if _integer(got["status"]) == 0:
            raise Reverted(self._why(transaction, block), transaction)
        created = got.get("contractAddress")
        return Receipt(
            transaction=transaction,
            block=block,
            gas_used=_integer(got["gasUsed"]),
            created=None if created is None else _bytes(created),
            logs=tuple(_log(entry) for entry in got["logs"]),
        )

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
        gas = self._gas(sender, to, data)
        nonce = self.nonce(sender, "latest" if may_replace else "pending")
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
            problem = self._submit(bytes(signed.raw_transaction))
            if problem == "":
                return self._mined(bytes(signed.hash), sender, nonce)
            if "underpriced" not in problem:
                raise ChainUnavailable(f"the node refuses the transaction: {problem}")
            # One of the same nonce waits: nodes want a tenth more to let it go.
            base_fee, tip = _quarter_more(base_fee), _quarter_more(tip)
        raise ChainUnavailable("an older transaction blocks the sender's next one")

    def _submit(self, raw: bytes) -> str:
        """Empty if the node has the transaction now, or had it before; else its objection."""
        answer = self._ask("eth_sendRawTransaction", [_hex(raw)])
        problem = str(cast("dict[str, Any]", answer.get("error", {})).get("message", "")).lower()
        return "" if "already" in problem or "known transaction" in problem else problem

    def _mined(self, transaction: bytes, sender: bytes, nonce: int) -> Receipt:
        deadline = time.monotonic() + self.mining_timeout_s
        pause_s = FIRST_POLL_S
        while True:
            receipt = self.receipt(transaction)
            if receipt is not None:
                return receipt
            if time.monotonic() > deadline:
                raise ChainUnavailable(f"transaction {_hex(transaction)} is not mined yet")
            if self.nonce(sender) > nonce and self.receipt(transaction) is None:
                raise ChainUnavailable(f"another transaction took nonce {nonce} of the sender")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LAST_POLL_S)

    def _gas(self, sender: bytes, to: bytes | None, data: bytes) -> int:
        """A tenth more than the simulation took: storage may be touched by others meanwhile."""
        fields = {"from": _hex(sender), "data": _hex(data)}
        if to is not None:
            fields["to"] = _hex(to)
        estimate = _integer(self.request("eth_estimateGas", fields))
        return min(max(estimate, estimate * 11 // 10), TRANSACTION_GAS_LIMIT)

    def _fees(self) -> tuple[int, int]:
        """Base fee of the newest block and a tip, wei per gas."""
        block = self.request("eth_getBlockByNumber", "latest", False)
        tip = _integer(self.request("eth_maxPriorityFeePerGas"))
        return _integer(block.get("baseFeePerGas", "0x0")), tip

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
        error = cast("dict[str, Any]", answer["error"])
        message, data = str(error.get("message", error)), error.get("data")
        if isinstance(data, str) and data.startswith("0x") and len(data) >= 10:
            raise Reverted(decode_revert(_bytes(data)))
        if "revert" in message.lower():
            raise Reverted(Revert("Error", {"reason": message}))
        raise ChainUnavailable(f"{method}: {message}")

    def _ask(self, method: str, parameters: list[Any]) -> Mapping[str, Any]:
        # What the connection throws is an OSError, what cannot be read a ValueError.
        try:
            answer = self._provider.make_request(cast(Any, method), parameters)
        except (OSError, ValueError) as problem:
            raise ChainUnavailable(f"{self.url} does not answer {method}: {problem}") from problem
        return cast("Mapping[str, Any]", answer)

    def _header(self, block: str) -> Head:
        got = self.request("eth_getBlockByNumber", block, False)
        if got is None:
            raise ChainUnavailable(f"the node does not have block {block}")
        return Head(_integer(got["number"]), _integer(got["timestamp"]))


def _log(entry: Mapping[str, Any]) -> Log:
    return Log(
        address=_bytes(entry["address"]),
        topics=tuple(_bytes(topic) for topic in entry["topics"]),
        data=_bytes(entry["data"]),
        block=_integer(entry["blockNumber"]),
        transaction=_bytes(entry["transactionHash"]),
        log_index=_integer(entry["logIndex"]),
    )


def _quarter_more(fee: int) -> int:
    return fee + fee // 4 + 1


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _integer(text: str) -> int:
    return int(text, 16)
