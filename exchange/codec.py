"""The canonical bytes of commands and events: one encoding, the journal's and every replica's.

Holds: `decode(encode(x)) == x`, and `encode(decode(data)) == data` for every data that decodes,
so equal values have equal bytes; version and type come first; big-endian; no field is optional;
bytes that are not a whole message give a Reject with the position, never an exception. Golden
vectors: `tests/data/codec_vectors.json`.
Never: changes within a version.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

from exchange import commands, events
from exchange.commands import Command, PlaceOrder
from exchange.events import Event
from matching.rejects import MALFORMED, UNSUPPORTED_VERSION, Reject
from settlement.signed_messages import Order, decode_order, encode_order

VERSION: Final = 1


class _Codec(NamedTuple):
    """How one kind of field becomes bytes and back. `read(data, at)` gives the value and where
    it ends; it raises IndexError where the data ends too soon. `form` is the field's letter for
    `struct`, where it has one: a message of such fields alone is packed and unpacked at once.
    """

    write: Callable[[Any], bytes]
    read: Callable[[bytes, int], tuple[Any, int]]
    form: str = ""


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise IndexError(len(data))
    return data[at : at + size]


def _integer(size: int, signed: bool = False) -> _Codec:
    def write(value: int) -> bytes:
        return value.to_bytes(size, "big", signed=signed)

    def read(data: bytes, at: int) -> tuple[int, int]:
        return int.from_bytes(_take(data, at, size), "big", signed=signed), at + size

    letter = {1: "b", 2: "h", 4: "i", 8: "q"}.get(size, "")
    return _Codec(write, read, letter if signed else letter.upper())


def _fixed(size: int) -> _Codec:
    def write(value: bytes) -> bytes:
        if len(value) != size:
            raise ValueError(f"{len(value)} bytes where {size} belong")
        return value

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        return _take(data, at, size), at + size

    return _Codec(write, read, f"{size}s")


def _counted(count: _Codec, item: _Codec) -> _Codec:
    """A tuple: its length, then its items."""

    def write(values: Sequence[Any]) -> bytes:
        return count.write(len(values)) + b"".join(item.write(value) for value in values)

    def read(data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        length, at = count.read(data, at)
        values: list[Any] = []
        for _ in range(length):
            value, at = item.read(data, at)
            values.append(value)
        return tuple(values), at

    return _Codec(write, read)


def _group(*parts: _Codec) -> _Codec:
    """A tuple of a fixed shape."""

    def write(values: Sequence[Any]) -> bytes:
        return b"".join(part.write(value) for part, value in zip(parts, values, strict=True))

    def read(data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        values: list[Any] = []
        for part in parts:
            value, at = part.read(data, at)
            values.append(value)
        return tuple(values), at

    return _Codec(write, read)


def _order() -> _Codec:
    def read(data: bytes, at: int) -> tuple[Order, int]:
        decoded = decode_order(data, at)
        if isinstance(decoded, Reject):
            raise IndexError(decoded.got)
        return decoded

    return _Codec(encode_order, read)


def _sized(count: _Codec) -> _Codec:
    """Bytes of any length: their length, then they."""

    def write(value: bytes) -> bytes:
        return count.write(len(value)) + value

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        length, at = count.read(data, at)
        return _take(data, at, length), at + length

    return _Codec(write, read)


_U8, _U16, _U24, _U32 = _integer(1), _integer(2), _integer(3), _integer(4)
_U40, _U48, _U64 = _integer(5), _integer(6), _integer(8)
_I16, _I32, _I64 = _integer(2, True), _integer(4, True), _integer(8, True)
_I128 = _integer(16, True)  # an account's cash, and what a reject repeats, which may be any u64
_U128 = _integer(16)
_ADDRESS, _HASH, _SIGNATURE, _NAME = _fixed(20), _fixed(32), _fixed(65), _fixed(8)
_SAMPLES = _group(*(_U40,) * commands.SETTLEMENT_SAMPLES)
_MARKS = _counted(_U16, _group(_U16, _U40, _I32, _I32, _I32, _I32, _I32))
_LEGS = _counted(_U8, _group(_U32, _I16))
_QUOTES = _counted(_U8, _group(_LEGS, _I64, _U32, _I64, _U32))
_MOVED = _counted(_U16, _group(_U24, _I32))
_LEVELS = _counted(_U8, _group(_U16, _U8, _U16))
_REPORTERS = _counted(_U8, _group(_ADDRESS, _U8))
_EXPIRY_REPORTS = _counted(_U8, _group(_U16, _U128, _I32, _I32, _I32, _I32, _I32))
_ORACLE_TERMS = (_U8, _U8, _U16, _U16, _U16, _U16, _U16, _REPORTERS)

_COMMANDS: Final[dict[type[Command], tuple[_Codec, ...]]] = {
    commands.Genesis: (_U64, _ADDRESS, _ADDRESS, _U16, _U16, _U16, _U16, _U16, _U8, _U8),
    commands.PlaceOrder: (_order(), _HASH, _ADDRESS, _SIGNATURE, _U32),
    commands.CancelOrder: (_U32, _HASH, _ADDRESS, _SIGNATURE),
    commands.CancelAllOrders: (_U32, _U32, _ADDRESS, _SIGNATURE),
    commands.RequestWithdrawal: (_U32, _U8, _U64, _U64, _HASH, _ADDRESS, _SIGNATURE),
    commands.CancelWhere: (_U32, _U8, _U64, _U64, _U64, _HASH, _ADDRESS, _SIGNATURE),
    commands.ChooseMargin: (_U32, _U8, _U8, _U64, _U64, _HASH, _ADDRESS, _SIGNATURE),
    commands.SetRiskProfile: (_U32, _U8, _U8),
    commands.QuoteMass: (
        _U32,
        _U32,
        _U16,
        _U64,
        _U64,
        _U64,
        _U8,
        _U64,
        _QUOTES,
        _HASH,
        _ADDRESS,
        _SIGNATURE,
    ),
    commands.SetProtection: (
        _U32,
        _U8,
        _U32,
        _U32,
        _U32,
        _U64,
        _U64,
        _U64,
        _U64,
        _HASH,
        _ADDRESS,
        _SIGNATURE,
    ),
    commands.ResetProtection: (_U32, _U8, _U64, _U64, _HASH, _ADDRESS, _SIGNATURE),
    commands.TransferCash: (_U32, _U32, _U8, _U64, _U64, _U64, _HASH, _ADDRESS, _SIGNATURE),
    commands.TransferPosition: (
        _U32,
        _U32,
        _U32,
        _U8,
        _U32,
        _U64,
        _U64,
        _HASH,
        _ADDRESS,
        _SIGNATURE,
    ),
    commands.BidAuction: (
        _U32,
        _U32,
        _U32,
        _U32,
        _I64,
        _U64,
        _U64,
        _HASH,
        _ADDRESS,
        _SIGNATURE,
    ),
    commands.OpenAccount: (_U64, _U32, _ADDRESS),
    commands.CreditDeposit: (_U64, _U32, _U8, _U64),
    commands.RegisterKey: (_U64, _U32, _ADDRESS, _U48),
    commands.RecordClaim: (_U32, _U64),
    commands.ListUnderlying: (_U8, _NAME, _U64),
    commands.ListExpiry: (_U16, _U8, _U48),
    commands.ListInstrument: (_U24, _U8, _U8, _U16, _U40, _U32),
    commands.ListAsset: (_U8, _NAME, _U8, _U8, _U8, _U16, _U16, _U64, _U16),
    commands.ConvertCollateral: (
        _U32,
        _U32,
        _U8,
        _U64,
        _U64,
        _U64,
        _U64,
        _HASH,
        _ADDRESS,
        _SIGNATURE,
    ),
    commands.DelistInstrument: (_U24, _U48),
    commands.SettlePerpetual: (_U24, _SAMPLES),
    commands.UpdateMarks: (_U8, _U40, _MARKS),
    commands.AccrueFunding: (_U24, _I64),
    commands.SettleExpiry: (_U16, _SAMPLES),
    commands.SetTradingState: (_U8, _U24, _U8, _U8),
    commands.SetBreaker: (_U8, _U16, _U16, _U16, _LEVELS),
    commands.SetFunding: (_U24, _U32, _U32, _U32, _U32, _U32),
    commands.FundInsurance: (_U32, _U64, _U64, _U64, _HASH, _ADDRESS, _SIGNATURE),
    commands.SetLiquidation: (_U8,),
    commands.SetOracle: _ORACLE_TERMS,
    commands.ReportPrices: (
        _U8,
        _U64,
        _U8,
        _U128,
        _U64,
        _EXPIRY_REPORTS,
        _HASH,
        _ADDRESS,
        _SIGNATURE,
    ),
    commands.CutBatch: (_HASH,),
    commands.ConfirmBatch: (_U64, _U64, _HASH),
    commands.AdvanceTime: (),
    commands.EndSession: (_U32,),
}

_EVENTS: Final[dict[type[Event], tuple[_Codec, ...]]] = {
    events.CommandRejected: (_U32, _HASH, _U16, _I128, _I128),
    events.OrderPlaced: (_U64, _HASH, _U32, _U32, _U8, _I64, _U32),
    events.OrderRested: (_U64, _HASH, _U32, _U32, _U8, _I64, _U32, _U32, _U64),
    events.OrderFilled: (
        _U64, _U24, _I32, _I64, _U24, _U8,
        _U64, _HASH, _U32, _I64, _I32,
        _U64, _HASH, _U32, _I64, _I32,
        _U64,
    ),
    events.ComboFilled: (
        _U64, _U32, _I64, _U24, _U8, _U64, _HASH, _U32, _I32, _U64, _HASH, _U32, _I32,
    ),
    events.OrderCancelled: (_U64, _HASH, _U32, _U32, _U8, _U32, _U8),
    events.ComboCreated: (_U32, _LEGS, _I64),
    events.ComboDropped: (_U32,),
    events.OrdersCancelled: (_U32, _HASH, _U8, _U64, _U32),
    events.OrderAwaiting: (_U64, _HASH, _U32, _U32, _U8, _I64, _HASH),
    events.OrderTriggered: (_U64, _HASH, _U32, _U32, _I64),
    events.OrderReduced: (_U64, _HASH, _U32, _U32, _U8, _U32, _U32, _U32, _U8),
    events.OrderReplenished: (_U64, _HASH, _U32, _U32, _U8, _I64, _U32, _U32),
    events.OrderRepriced: (_U64, _HASH, _U32, _U32, _U8, _I64, _U32, _U32),
    events.AccountOpened: (_U32, _ADDRESS),
    events.DepositCredited: (_U32, _U8, _U64, _I128),
    events.KeyRegistered: (_U32, _ADDRESS, _U48),
    events.WithdrawalRequested: (_U32, _U8, _U64, _U32, _I128),
    events.CounterRaised: (_U32, _U32),
    events.ClaimRecorded: (_U32, _U64),
    events.PositionSettled: (_U32, _U24, _I64, _U8),
    events.ExchangeOpened: (_U64, _ADDRESS, _HASH),
    events.UnderlyingListed: (_U8, _NAME, _U64),
    events.ExpiryListed: (_U16, _U8, _U48),
    events.InstrumentListed: (_U24, _sized(_U16)),
    events.MarksUpdated: (_U8, _U40, _U32),
    events.FundingAccrued: (_U24, _I64, _I64),
    events.ExpirySettled: (_U16, _U40),
    events.TradingStateChanged: (_U8, _U24, _U8, _U8, _U8),
    events.BreakerArmed: (_U8, _U16, _U16, _U16, _LEVELS),
    events.BreakerTripped: (_U8, _U8, _U8, _U40, _U40, _U16, _U48),
    events.BreakerReleased: (_U8, _U40, _U40, _U48),
    events.BatchCut: (_U64, _HASH, _U32, _sized(_U32)),
    events.BatchConfirmed: (_U64, _U64, _HASH),
    events.TimeAdvanced: (_U64,),
    events.QuoteRejected: (_U32, _U8, _U8, _U16, _I128, _I128),
    events.QuotesTaken: (_U32, _HASH, _U64, _U16, _U16),
    events.ProtectionTripped: (_U32, _U8, _U8, _I128, _I128),
    events.ProtectionSet: (_U32, _U8, _U32, _U32, _U32, _U64, _U64),
    events.MarginChosen: (_U32, _U8, _U8, _U8),
    events.ProtectionReset: (_U32, _U8),
    events.MarginCalled: (_U32, _I128, _I128, _I128, _U8),
    events.LiquidationArmed: (_U8,),
    events.LiquidationStarted: (_U32, _I128, _I128, _I128, _U8),
    events.LiquidationStep: (
        _U32, _U32, _HASH, _U24, _U8, _U32, _U32, _I64, _I64, _U64, _I128, _I128, _I128, _I128,
    ),
    events.AuctionOpened: (_U32, _U8, _U64, _I128, _I128, _I128),
    events.AuctionBidTaken: (
        _U32, _U32, _U32, _U32, _U32, _U8, _U32, _I128, _I128, _MOVED, _I128, _I128, _U64,
        _I128, _I128,
    ),
    events.AuctionEnded: (_U32, _U8, _I128, _I128),
    events.InsurancePaid: (_U32, _U64, _I128, _U8),
    events.InsuranceFunded: (_U32, _U64, _I128, _U8),
    events.Deleveraged: (
        _U32, _U32, _U24, _I32, _I64, _I128, _I128, _U32, _I128, _I128, _I128,
    ),
    events.LossCapped: (_U32, _U8, _U32, _U32, _I128, _I128),
    events.LiquidationEnded: (_U32, _U8, _I128, _I128, _I128, _U32),
    events.SettlementSampled: (_U16, _U8),
    events.DelistingAnnounced: (_U24, _U48),
    events.InstrumentDelisted: (_U24,),
    events.PerpetualSettled: (_U24, _U40, _U8),
    events.CashTransferred: (_U32, _U32, _U8, _U64, _I128, _I128),
    events.PositionTransferred: (_U32, _U32, _U24, _I32, _I32, _I32),
    events.AssetListed: (_U8, _NAME, _U8, _U8, _U8, _U16, _U16, _U64, _U16),
    events.CollateralConverted: (_U32, _U32, _U8, _U64, _U64, _I128, _I128, _I128, _I128),
    events.FeeLevelSet: (_U8, _U8, _I32),
    events.FundingSet: (_U24, _U32, _U32, _U32, _U32, _U32),
    events.FundingSampled: (_U24, _U40, _I64, _I64, _I64, _I64),
    events.OracleArmed: _ORACLE_TERMS,
    events.PricesReported: (_U8, _ADDRESS, _U64, _U64, _U40, _U8),
    events.ReportDropped: (_U8, _ADDRESS, _U64, _U8, _I128, _I128),
    events.ExpiryHeld: (_U8, _U16, _U8, _I128, _I128),
    events.OracleLost: (_U8, _U8, _U8, _U64),
    events.OracleRecovered: (_U8, _U8, _U8, _U48),
}  # fmt: skip

_FLAT_COMMANDS: Final = {
    kind: Struct(">BBQ" + "".join(codec.form for codec in codecs))
    for kind, codecs in _COMMANDS.items()
    if all(codec.form for codec in codecs)
}
"""Commands whose fields all have a place in one `struct`."""
_COMMAND_BY_TYPE: Final = {kind.TYPE: kind for kind in _COMMANDS}
_EVENT_BY_TYPE: Final = {kind.TYPE: kind for kind in _EVENTS}
_HEAD: Final = Struct(">BBQ")
_PLACE_ORDER: Final = PlaceOrder.TYPE
_SESSION: Final = Struct(">I")


def encode_command(command: Command) -> bytes:
    """The command's canonical bytes. A field out of its range is a bug of whoever built it: it
    raises.
    """
    kind = type(command)
    head = _HEAD.pack(VERSION, kind.TYPE, command.time_ns)
    if isinstance(command, PlaceOrder):
        order_hash, signer, signature = command.order_hash, command.signer, command.signature
        if len(order_hash) != 32 or len(signer) != 20 or len(signature) != 65:
            raise ValueError("an order's hash has 32 bytes, its signer 20, its signature 65")
        session = _SESSION.pack(command.session)
        return b"".join((head, encode_order(command.order), order_hash, signer, signature, session))
    fields = kind.__struct_fields__[1:]
    codecs = _COMMANDS[kind]
    return head + b"".join(
        codec.write(getattr(command, name)) for codec, name in zip(codecs, fields, strict=True)
    )


def decode_command(data: bytes) -> Command | Reject:
    """The command that `data` is, all of it, or what is wrong with the bytes."""
    if len(data) < _HEAD.size:
        return Reject(MALFORMED, len(data))
    version, number, time_ns = _HEAD.unpack_from(data)
    if version != VERSION:
        return Reject(UNSUPPORTED_VERSION, version, VERSION)
    if number == _PLACE_ORDER:
        return _decode_place_order(data, time_ns)
    kind = _COMMAND_BY_TYPE.get(number)
    if kind is None:
        return Reject(MALFORMED, 1)
    flat = _FLAT_COMMANDS.get(kind)
    if flat is not None:
        if len(data) != flat.size:
            return Reject(MALFORMED, min(len(data), flat.size))
        return kind(*flat.unpack(data)[2:])
    values = _read_all(data, _HEAD.size, _COMMANDS[kind])
    return values if isinstance(values, Reject) else kind(time_ns, *values)


def _decode_place_order(data: bytes, time_ns: int) -> PlaceOrder | Reject:
    decoded = decode_order(data, _HEAD.size)
    if isinstance(decoded, Reject):
        return decoded
    order, at = decoded
    if len(data) != at + 121:
        return Reject(MALFORMED, min(len(data), at + 121))
    return PlaceOrder(
        time_ns,
        order,
        data[at : at + 32],
        data[at + 32 : at + 52],
        data[at + 52 : at + 117],
        _SESSION.unpack_from(data, at + 117)[0],
    )


def encode_event(event: Event) -> bytes:
    """The event's canonical bytes: version, type, fields in order."""
    kind = type(event)
    return bytes((VERSION, kind.TYPE)) + b"".join(
        codec.write(getattr(event, name))
        for codec, name in zip(_EVENTS[kind], kind.__struct_fields__, strict=True)
    )


def decode_event(data: bytes) -> Event | Reject:
    """The event that `data` is, all of it, or what is wrong with the bytes."""
    if len(data) < 2:
        return Reject(MALFORMED, len(data))
    if data[0] != VERSION:
        return Reject(UNSUPPORTED_VERSION, data[0], VERSION)
    kind = _EVENT_BY_TYPE.get(data[1])
    if kind is None:
        return Reject(MALFORMED, 1)
    values = _read_all(data, 2, _EVENTS[kind])
    return values if isinstance(values, Reject) else kind(*values)


def _read_all(data: bytes, at: int, codecs: tuple[_Codec, ...]) -> list[Any] | Reject:
    values: list[Any] = []
    try:
        for codec in codecs:
            value, at = codec.read(data, at)
            values.append(value)
    except IndexError:
        return Reject(MALFORMED, len(data))
    if at != len(data):
        return Reject(MALFORMED, at)
    return values
