"""Signed orders on one core, beside what coincurve alone recovers in the same run.

`signature_verify`  bytes of a JSON-RPC request -> decoded, checked, hashed, signer recovered
`order_path`        the same, then sequenced, journaled (one sync per 256), applied -> events
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from coincurve import PublicKey

from exchange.bench.flow import DEPOSIT_MICRO, Flow, opening_commands
from exchange.bench.report import Row, quiet_memory, row, seconds
from exchange.codec import encode_command
from exchange.commands import Command, CreditDeposit, OpenAccount, PlaceOrder
from exchange.engine import apply
from exchange.gateway_rpc.requests import Request, decoder, read_params, read_request
from exchange.gateway_rpc.signed_requests import SignedOrder
from exchange.journal import Journal
from exchange.state import State
from settlement.order_fields import check_order_fields
from settlement.signature import Signer, recover
from settlement.signed_messages import (
    Order,
    domain_separator,
    order_hash,
    signing_digest,
)

ACCOUNTS: Final = 100
GROUP: Final = 256
_DECODER: Final = decoder(SignedOrder)


class _Signed:
    """Orders as their bytes arrive, and a state that knows their signers."""

    def __init__(self, count: int) -> None:
        self.state = State()
        signers = [Signer((account + 1).to_bytes(32, "big")) for account in range(ACCOUNTS)]
        for command in _opening(signers):
            apply(self.state, command)
        self.separator = domain_separator(self.state.chain_id, self.state.settlement)
        flow = Flow(self.state, ACCOUNTS, seed=11)
        self.requests: list[bytes] = []
        self.pairs: list[tuple[bytes, bytes]] = []
        for number in range(count):
            order = flow.next_order(taking=number % 8 == 0)
            digest = signing_digest(self.separator, order_hash(order))
            signature = signers[order.account].sign(digest)
            self.requests.append(_request(number, order, signature))
            self.pairs.append((digest, signature))


def _opening(signers: list[Signer]) -> Iterator[Command]:
    time_ns = 0
    for command in opening_commands(0):
        time_ns = command.time_ns
        yield command
    for account, signer in enumerate(signers):
        yield OpenAccount(time_ns, 2 * account, account, signer.address)
        yield CreditDeposit(time_ns, 2 * account + 1, account, 0, DEPOSIT_MICRO)


def _request(number: int, order: Order, signature: bytes) -> bytes:
    """The order as a client sends it."""
    message = {
        "account": order.account,
        "counter": order.counter,
        "side": order.side,
        "timeInForce": order.time_in_force,
        "flags": order.flags,
        "limitPriceMicro": order.limit_price_micro,
        "quantityLots": order.quantity_lots,
        "maxFeeMicro": order.max_fee_micro,
        "expirySeconds": order.expiry_s,
        "salt": str(order.salt),
        "replaces": "0x" + order.replaces.hex(),
        "legs": [{"instrument": leg, "ratio": ratio} for leg, ratio in order.legs],
    }
    params = {"message": message, "signature": "0x" + signature.hex()}
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": number, "method": "order/place", "params": params}
    )


def _verified(data: bytes, separator: bytes) -> tuple[Order, bytes, bytes, bytes]:
    """What the door does with an order's bytes, up to its signer."""
    request = read_request(data)
    assert isinstance(request, Request), "the benchmark's requests are well formed"
    signed = read_params(_DECODER, request.params)
    assert isinstance(signed, SignedOrder), "the benchmark's parameters are well formed"
    order = signed.message.value()
    assert check_order_fields(order) is None, "the benchmark's orders are well formed"
    message_hash = order_hash(order)
    signer = recover(signing_digest(separator, message_hash), signed.signature)
    assert isinstance(signer, bytes), "the benchmark's signatures are good"
    return order, message_hash, signer, bytes(signed.signature)


def bench(count: int = 6_000) -> Iterator[Row]:
    """Rows `signature_verify` and `order_path`, orders per second."""
    made = _Signed(count)
    with quiet_memory():
        alone_s = seconds(lambda: [_recover_alone(*pair) for pair in made.pairs])
        verify_s = seconds(lambda: [_verified(data, made.separator) for data in made.requests])
        path_s = _path_seconds(made)
    alone = count / alone_s
    peer = "coincurve recovers alone"
    yield row("signature_verify", count / verify_s, "orders/s", peer, alone, "higher")
    yield row("order_path", count / path_s, "orders/s", peer, alone, "higher")


def _recover_alone(digest: bytes, signature: bytes) -> bytes:
    recoverable = signature[:64] + bytes((signature[64] - 27,))
    return PublicKey.from_signature_and_message(recoverable, digest, hasher=None).format(False)


def _path_seconds(made: _Signed) -> float:
    """Bytes to events, with a real journal."""
    state = made.state
    with tempfile.TemporaryDirectory() as directory:
        journal = Journal.open(Path(directory) / "journal")
        start = time.perf_counter()
        waiting: list[Command] = []
        for data in made.requests:
            order, message_hash, signer, signature = _verified(data, made.separator)
            command = PlaceOrder(state.time_ns, order, message_hash, signer, signature)
            journal.append(encode_command(command))
            waiting.append(command)
            if len(waiting) == GROUP:
                journal.commit()
                for ready in waiting:
                    apply(state, ready)
                waiting.clear()
        journal.commit()
        for ready in waiting:
            apply(state, ready)
        elapsed = time.perf_counter() - start
        journal.close()
    assert any(order for order in state.orders), "orders rest"
    return elapsed
