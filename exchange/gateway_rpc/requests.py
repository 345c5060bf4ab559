"""What comes in: JSON-RPC requests, and the parameters of each method, as typed values.

Holds: a field that is missing, unknown, of another type or out of the range of its wire type is
refused with its path, so what leaves here fits the bytes of docs/protocol.md. Numbers of 64 bits
are taken as integers or as decimal strings (JavaScript rounds beyond 2^53); bytes are hexadecimal
after 0x. Names are those of the signed EIP-712 message, so a wallet sends what it signed.
Never: judges a value that the wire could carry; that is the exchange's.
"""

import re
from typing import Annotated, Any, ClassVar, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from exchange.gateway_rpc.failures import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    Failure,
    malformed,
    not_json,
    wrong_shape,
)

MAX_BATCH: Final = 64
"""Requests in one JSON-RPC batch: as many as a message of the usual size has room for orders."""

Id = int | str | None


class Request(Struct, forbid_unknown_fields=True):
    """One JSON-RPC 2.0 request; without an `id` it is a notification and gets no answer."""

    jsonrpc: str
    method: str
    id: int | str | UnsetType | None = UNSET
    params: Raw | UnsetType = UNSET


class _IdAlone(Struct):
    id: int | str | None = None


_REQUEST: Final = msgspec.json.Decoder(Request)
_ID_ALONE: Final = msgspec.json.Decoder(_IdAlone)
_ANY: Final = msgspec.json.Decoder(Raw)
_BATCH: Final = msgspec.json.Decoder(list[Raw])

Decoded = TypeVar("Decoded")


def is_batch(message: bytes) -> bool:
    return message.lstrip(b" \t\r\n")[:1] == b"["


def split_batch(message: bytes) -> list[Raw] | Failure:
    """The requests of a batch, not yet read."""
    try:
        requests = _BATCH.decode(message)
    except (ValueError, RecursionError) as error:
        return not_json(error, len(message))
    if not 1 <= len(requests) <= MAX_BATCH:
        return malformed(INVALID_REQUEST, f"a batch has 1 to {MAX_BATCH} requests", "$")
    return requests


def read_request(message: bytes | Raw) -> Request | tuple[Id, Failure]:
    """The request; or why it is none, with its id where that could be read."""
    try:
        request = _REQUEST.decode(message)
    except msgspec.ValidationError as error:
        # The decoder stops at the first wrong field; what follows may still be no JSON.
        broken = _syntax_error(message)
        return (None, broken) if broken else (_id_of(message), wrong_shape(INVALID_REQUEST, error))
    except (ValueError, RecursionError) as error:
        return None, not_json(error, len(memoryview(message)))
    if request.jsonrpc != "2.0":
        sentence = f'jsonrpc must be "2.0", not {request.jsonrpc[:20]!r}'
        return _id_of(message), malformed(INVALID_REQUEST, sentence, "$.jsonrpc")
    return request


def _syntax_error(message: bytes | Raw) -> Failure | None:
    try:
        _ANY.decode(message)
        bytes(memoryview(message)).decode()  # the decoder does not look into what it skips
    except (ValueError, RecursionError) as error:
        return not_json(error, len(memoryview(message)))
    return None


def _id_of(message: bytes | Raw) -> Id:
    try:
        return _ID_ALONE.decode(message).id
    except (ValueError, RecursionError):
        return None


def read_params(
    decoder: msgspec.json.Decoder[Decoded], params: Raw | UnsetType
) -> Decoded | Failure:
    """The parameters of a method, by name."""
    try:
        return decoder.decode(b"{}" if params is UNSET else params)
    except msgspec.ValidationError as error:
        return wrong_shape(INVALID_PARAMS, error)
    except (ValueError, RecursionError) as error:
        return not_json(error, len(memoryview(params or b"")))


# Fields ------------------------------------------------------------------------------------------


class Wide(int):
    """An integer of 64 bits or more, as a JSON number or as decimal digits in a string."""

    lowest: ClassVar[int]
    highest: ClassVar[int]


class Unsigned64(Wide):
    lowest = 0
    highest = 2**64 - 1


class Signed64(Wide):
    lowest = -(2**63)
    highest = 2**63 - 1


class Unsigned128(Wide):
    lowest = 0
    highest = 2**128 - 1


class Hash(bytes):
    """32 bytes."""


class Address(bytes):
    """20 bytes."""


class Signature(bytes):
    """Any number of bytes up to 128: a signature of the wrong length has a reject of its own."""


U8 = Annotated[int, Meta(ge=0, le=2**8 - 1)]
U16 = Annotated[int, Meta(ge=0, le=2**16 - 1)]
U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
I16 = Annotated[int, Meta(ge=-(2**15), le=2**15 - 1)]
Symbol = Annotated[str, Meta(min_length=1, max_length=400)]
DecimalText = Annotated[str, Meta(min_length=1, max_length=40)]

_DIGITS: Final = re.compile(r"-?(0|[1-9][0-9]{0,38})", re.ASCII)
_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2}){0,128}", re.ASCII)


def _read_field(kind: type[Any], value: Any) -> Any:
    """Fields that JSON has no type for; the decoder adds the path to what is raised here."""
    if issubclass(kind, Wide):
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("Expected an integer, or its digits as a string")
        number = kind(value)
        if not kind.lowest <= number <= kind.highest:
            raise ValueError(f"Expected an integer from {kind.lowest} to {kind.highest}")
        return number
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ValueError("Expected bytes as 0x and an even number of hexadecimal digits")
    content = bytes.fromhex(value[2:])
    size = {Hash: 32, Address: 20}.get(kind)
    if size is not None and len(content) != size:
        raise ValueError(f"Expected {size} bytes, got {len(content)}")
    return kind(content)


def decoder(kind: type[Decoded]) -> msgspec.json.Decoder[Decoded]:
    """A decoder of one method's parameters."""
    return msgspec.json.Decoder(kind, dec_hook=_read_field)


# Parameters --------------------------------------------------------------------------------------


class Params(Struct, forbid_unknown_fields=True, rename="camel"):
    """Base of all parameters. A method without parameters takes this."""


class OfOwner(Params):
    owner: Address


class OfAccount(Params):
    account: U32


class TradeText(Struct, forbid_unknown_fields=True):
    """A trade as people write it: a negative quantity sells; without a price, at the mark."""

    symbol: Symbol
    quantity: DecimalText
    price: DecimalText | None = None


class HeldText(Struct, forbid_unknown_fields=True):
    symbol: Symbol
    quantity: DecimalText


class OfWhatIf(Params):
    """After `trades`; where it `rests`, with the one of them as an open order instead."""

    account: U32
    trades: Annotated[list[TradeText], Meta(min_length=1, max_length=64)]
    rests: bool = False


class OfPortfolio(Params):
    cash: DecimalText
    positions: Annotated[list[HeldText], Meta(max_length=256)]


class OfOrder(Params):
    order_hash: Hash


class OfBook(Params):
    symbol: Symbol
    depth: Annotated[int, Meta(ge=1, le=100)] = 10


class OfSymbol(Params):
    symbol: Symbol


class OfTrades(Params):
    symbol: Symbol | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class OfInstruments(Params):
    underlying: Symbol | None = None


class OfFills(Params):
    """Fills after the command `since`."""

    account: U32
    since: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class OfChannels(Params):
    channels: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=420)]], Meta(min_length=1, max_length=100)
    ]
