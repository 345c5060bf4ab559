"""A market maker's mass quotes, signature and all, beside recovering each side's signature alone.

`mass_quote`  bytes of a JSON-RPC message of 198 two-sided quotes -> decoded, its tree of 396 orders
              hashed, one signer recovered, every side judged by margin and taken -> events

Every second message moves all prices by a tick (each side is cancelled and placed anew), the one
after it resends them (each keeps its place).
Holds: no side is refused; the rate is of sides, the median of ROUNDS.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from coincurve import PublicKey

from exchange.bench.flow import opening_commands
from exchange.bench.report import Row, median_seconds, quiet_memory, row
from exchange.commands import CreditDeposit, OpenAccount, QuoteMass
from exchange.compiled import told
from exchange.engine import apply
from exchange.events import QuotesTaken
from exchange.gateway_rpc.requests import Request as RpcRequest
from exchange.gateway_rpc.requests import decoder, read_params, read_request
from exchange.gateway_rpc.signed_requests import SignedMassQuote
from exchange.state import State
from exchange.wallet import mass_quote_json
from settlement.mass_quotes import MassQuote, check_mass_quote, mass_quote_hash
from settlement.signature import Signer, recover
from settlement.signed_messages import domain_separator, signing_digest

QUOTES: Final = 198
MESSAGES: Final = 10
ROUNDS: Final = 5
_MAX_FEE: Final = 10**9
_CASH_MICRO: Final = 10**15
_DECODER: Final = decoder(SignedMassQuote)


def quoting_rows() -> Iterator[Row]:
    state, signer = State(), Signer((1).to_bytes(32, "big"))
    for command in opening_commands(0):
        apply(state, command)
    apply(state, OpenAccount(state.time_ns, 0, 0, signer.address))
    apply(state, CreditDeposit(state.time_ns, 1, 0, 0, _CASH_MICRO))
    separator = domain_separator(state.chain_id, state.settlement)
    rounds = iter(
        [
            [_signed(state, signer, separator, at * MESSAGES + one) for one in range(MESSAGES)]
            for at in range(ROUNDS + 1)
        ]
    )
    with quiet_memory():
        taken_s = median_seconds(
            lambda: [_take(state, separator, data) for data in next(rounds)], ROUNDS
        )
        digest = bytes(range(32))
        signature = signer.sign(digest)
        alone_s = median_seconds(
            lambda: [_recover(digest, signature) for _ in range(2 * QUOTES)], ROUNDS
        )
    yield row(
        "mass_quote",
        2 * QUOTES * MESSAGES / taken_s,
        "sides/s",
        "coincurve recovers each side alone",
        2 * QUOTES / alone_s,
        "higher",
        told(),
    )


def _signed(state: State, signer: Signer, separator: bytes, number: int) -> bytes:
    """Message `number` as a client sends it."""
    wide = 5 + number // 2 % 2
    quotes: list[tuple[tuple[tuple[int, int], ...], int, int, int, int]] = []
    for instrument in state.instruments:
        mark, tick = state.marks.mark_ticks(instrument), instrument.tick_value_micro
        if mark > wide and len(quotes) < QUOTES:
            legs = ((instrument.number, 1),)
            quotes.append((legs, (mark - wide) * tick, 5, (mark + wide) * tick, 5))
    salt, expiry_s = 2 * QUOTES * number, state.time_s + 3_600
    message = MassQuote(0, 0, 0, _MAX_FEE, expiry_s, salt, 0, 1, tuple(quotes))
    signature = signer.sign(signing_digest(separator, mass_quote_hash(message)))
    params = {"message": mass_quote_json(message), "signature": "0x" + signature.hex()}
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": number, "method": "quote/mass", "params": params}
    )


def _take(state: State, separator: bytes, data: bytes) -> None:
    """What the door and the engine do with it."""
    request = read_request(data)
    assert isinstance(request, RpcRequest), "the benchmark's requests are well formed"
    signed = read_params(_DECODER, request.params)
    assert isinstance(signed, SignedMassQuote), "the benchmark's parameters are well formed"
    message, signature = signed.message.value(), bytes(signed.signature)
    assert check_mass_quote(message) is None, "the benchmark's quotes are well formed"
    message_hash = mass_quote_hash(message)
    signer = recover(signing_digest(separator, message_hash), signature)
    assert isinstance(signer, bytes), "the benchmark's signatures are good"
    head, quotes = message[:-1], tuple(message.quotes)
    command = QuoteMass(state.time_ns, *head, quotes, message_hash, signer, signature)
    last = apply(state, command)[-1]
    assert isinstance(last, QuotesTaken), "the message is taken"
    assert not last.refused, "and every side of it"


def _recover(digest: bytes, signature: bytes) -> bytes:
    recoverable = signature[:64] + bytes((signature[64] - 27,))
    return PublicKey.from_signature_and_message(recoverable, digest, hasher=None).format(False)
