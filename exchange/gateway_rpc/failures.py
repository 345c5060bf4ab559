"""The errors of the JSON-RPC door.

Holds: a message that JSON-RPC cannot carry out has the code that JSON-RPC 2.0 (section 5.1) gives
it, below zero; a message that the exchange refuses has its reject code (matching/rejects.py). In
both cases `data` begins with our reject: code, name, message, got, allowed. `got` and `allowed`
are decimal strings, since they may pass 2^53.
Never: raised; tells a stranger what broke inside.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from exchange.venue import SignatureFault
from matching.rejects import (
    MALFORMED,
    OVERSIZED,
    TEMPLATES,
    UNKNOWN_METHOD,
    VENUE_BUSY,
    Reject,
)

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_PATH: Final = re.compile(r"^(.*) - at `(key in )?(\$.*)`$", re.DOTALL)


class Failure(NamedTuple):
    """An `error` object of JSON-RPC."""

    code: int
    message: str
    data: dict[str, Any]


def hexadecimal(value: bytes) -> str:
    """Bytes as JSON carries them: 0x and lower-case digits."""
    return "0x" + value.hex()


def reject_data(reject: Reject) -> dict[str, Any]:
    """A reject as the beginning of `data`."""
    return {
        "code": reject.code,
        "name": reject.name,
        "message": reject.message,
        "got": str(reject.got),
        "allowed": str(reject.allowed),
    }


def refused(reject: Reject, **more: Any) -> Failure:
    """The exchange said no."""
    return Failure(reject.code, reject.message, reject_data(reject) | more)


def signature_refused(reject: Reject, fault: SignatureFault | None, **more: Any) -> Failure:
    """The exchange said no to a signed message; where the signature was wrong, with all that the
    signer needs to find out why.
    """
    if fault is None:
        return refused(reject, **more)
    signer = fault.recovered_signer
    return refused(
        reject,
        recoveredSigner=None if signer is None else hexadecimal(signer),
        digest=hexadecimal(fault.digest),
        domainSeparator=hexadecimal(fault.domain_separator),
        structHash=hexadecimal(fault.struct_hash),
        **more,
    )


def not_json(error: Exception, size: int) -> Failure:
    """The bytes are no JSON text. `size` is how many there were: where a cut text ends."""
    if isinstance(error, RecursionError):
        return Failure(PARSE_ERROR, "nested too deeply", reject_data(Reject(MALFORMED, 0)))
    found = _BYTE.search(str(error))
    at = int(found[1]) if found else size
    if isinstance(error, UnicodeDecodeError):
        return Failure(PARSE_ERROR, "not UTF-8", reject_data(Reject(MALFORMED, 0)))
    reject = Reject(MALFORMED, at)
    return Failure(PARSE_ERROR, f"not JSON: {reject.message}", reject_data(reject))


def malformed(code: int, sentence: str, path: str) -> Failure:
    """JSON of the wrong shape: `sentence` says what is wrong, `path` where ($ is the request, or
    its params where `code` is INVALID_PARAMS).
    """
    data = reject_data(Reject(MALFORMED)) | {"message": sentence, "path": path}
    return Failure(code, f"{sentence} (at {path})", data)


def wrong_shape(code: int, error: msgspec.ValidationError) -> Failure:
    """`malformed`, as the decoder found it."""
    text = str(error)
    found = _PATH.match(text)
    return malformed(code, found[1], found[3]) if found else malformed(code, text, "$")


def unknown_method(method: str, known: Sequence[str]) -> Failure:
    sentence = f"no method {method[:60]!r}; see data.methods"
    data = reject_data(Reject(UNKNOWN_METHOD)) | {"message": sentence, "methods": list(known)}
    return Failure(METHOD_NOT_FOUND, sentence, data)


def needs_socket(method: str) -> Failure:
    sentence = f"{method} needs a lasting connection: use the WebSocket at /ws"
    return Failure(
        METHOD_NOT_FOUND, sentence, reject_data(Reject(UNKNOWN_METHOD)) | {"message": sentence}
    )


def oversized(size: int, allowed: int) -> Failure:
    reject = Reject(OVERSIZED, size, allowed)
    return Failure(INVALID_REQUEST, reject.message, reject_data(reject))


def busy(waiting: int, retry_ms: int) -> Failure:
    return refused(Reject(VENUE_BUSY, waiting, retry_ms))


def broke_inside() -> Failure:
    """A fault of ours; the log has it. The message may or may not have been taken."""
    return Failure(
        INTERNAL_ERROR,
        "a fault of the exchange, not of the message; ask order/status before you send it again",
        {},
    )


assert all(code > 0 for code in TEMPLATES), "reject codes share the field with JSON-RPC's, below 0"
