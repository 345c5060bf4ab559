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
from settlement.mass_quotes import MAX_QUOTES, MassQuote
from settlement.signed_messages import (
    NO_ORDER,
    PLAIN,
    BidAuction,
    Cancel,
    CancelAll,
    CancelWhere,
    ChooseMargin,
    Conditions,
    FundInsurance,
    Order,
    ResetProtection,
    SetProtection,
    TransferCash,
    TransferPosition,
    Withdraw,
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
    """An integer of 64 bits, as a JSON number or as decimal digits in a string."""

    lowest: ClassVar[int]
    highest: ClassVar[int]


class Unsigned64(Wide):
    lowest = 0
    highest = 2**64 - 1


class Signed64(Wide):
    lowest = -(2**63)
    highest = 2**63 - 1


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

_DIGITS: Final = re.compile(r"-?(0|[1-9][0-9]{0,19})", re.ASCII)
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


class LegFields(Params):
    instrument: U32
    ratio: I16


class ConditionsFields(Params):
    """`Conditions` of docs/protocol.md, 2; what is not named is zero."""

    min_quantity_lots: U32 = 0
    display_lots: U32 = 0
    trigger: U8 = 0
    trigger_price_micro: Signed64 = Signed64(0)
    parent: Hash = Hash(NO_ORDER)
    oco_group: Unsigned64 = Unsigned64(0)
    volatility_e6: U32 = 0
    protection: U8 = 0
    label: Unsigned64 = Unsigned64(0)

    def value(self) -> Conditions:
        return Conditions(
            self.min_quantity_lots,
            self.display_lots,
            self.trigger,
            int(self.trigger_price_micro),
            bytes(self.parent),
            int(self.oco_group),
            self.volatility_e6,
            self.protection,
            int(self.label),
        )


class OrderFields(Params):
    """`Order` of docs/protocol.md, 2. Without `conditions` it is a plain one."""

    account: U32
    counter: U32
    side: U8
    time_in_force: U8
    flags: U16
    limit_price_micro: Signed64
    quantity_lots: U32
    max_fee_micro: Unsigned64
    expiry_seconds: Unsigned64
    salt: Unsigned64
    replaces: Hash
    legs: list[LegFields]
    conditions: ConditionsFields | UnsetType = UNSET

    def value(self) -> Order:
        return Order(
            self.account,
            self.counter,
            self.side,
            self.time_in_force,
            self.flags,
            int(self.limit_price_micro),
            self.quantity_lots,
            int(self.max_fee_micro),
            int(self.expiry_seconds),
            int(self.salt),
            bytes(self.replaces),
            tuple((leg.instrument, leg.ratio) for leg in self.legs),
            PLAIN if self.conditions is UNSET else self.conditions.value(),
        )


class CancelFields(Params):
    account: U32
    order_hash: Hash

    def value(self) -> Cancel:
        return Cancel(self.account, bytes(self.order_hash))


class CancelAllFields(Params):
    account: U32
    new_counter: U32

    def value(self) -> CancelAll:
        return CancelAll(self.account, self.new_counter)


class CancelWhereFields(Params):
    account: U32
    scope: U8
    value: Unsigned64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def signed(self) -> CancelWhere:
        return CancelWhere(
            self.account, self.scope, int(self.value), int(self.salt), int(self.expiry_seconds)
        )


class QuoteFields(Params):
    """One quote of a mass quote; zero lots cancel a side."""

    legs: list[LegFields]
    bid_price_micro: Signed64
    bid_lots: U32
    ask_price_micro: Signed64
    ask_lots: U32


class MassQuoteFields(Params):
    """What the orders of a mass quote share, and its quotes (docs/protocol.md, 2)."""

    account: U32
    counter: U32
    flags: U16
    max_fee_micro: Unsigned64
    expiry_seconds: Unsigned64
    salt: Unsigned64
    protection: U8
    label: Unsigned64
    quotes: Annotated[list[QuoteFields], Meta(max_length=MAX_QUOTES)]

    def value(self) -> MassQuote:
        return MassQuote(
            self.account,
            self.counter,
            self.flags,
            int(self.max_fee_micro),
            int(self.expiry_seconds),
            int(self.salt),
            self.protection,
            int(self.label),
            tuple(
                (
                    tuple((leg.instrument, leg.ratio) for leg in quote.legs),
                    int(quote.bid_price_micro),
                    quote.bid_lots,
                    int(quote.ask_price_micro),
                    quote.ask_lots,
                )
                for quote in self.quotes
            ),
        )


class SetProtectionFields(Params):
    account: U32
    group: U8
    window_ms: U32
    frozen_ms: U32
    quantity_limit_lots: U32
    delta_limit_e6: Unsigned64
    vega_limit_micro: Unsigned64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> SetProtection:
        return SetProtection(
            self.account,
            self.group,
            self.window_ms,
            self.frozen_ms,
            self.quantity_limit_lots,
            int(self.delta_limit_e6),
            int(self.vega_limit_micro),
            int(self.salt),
            int(self.expiry_seconds),
        )


class ResetProtectionFields(Params):
    account: U32
    group: U8
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> ResetProtection:
        return ResetProtection(self.account, self.group, int(self.salt), int(self.expiry_seconds))


class WithdrawFields(Params):
    account: U32
    asset: U8
    amount_micro: Unsigned64
    salt: Unsigned64

    def value(self) -> Withdraw:
        return Withdraw(self.account, self.asset, int(self.amount_micro), int(self.salt))


class TransferCashFields(Params):
    account: U32
    to_account: U32
    asset: U8
    amount_micro: Unsigned64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> TransferCash:
        return TransferCash(
            self.account,
            self.to_account,
            self.asset,
            int(self.amount_micro),
            int(self.salt),
            int(self.expiry_seconds),
        )


class TransferPositionFields(Params):
    account: U32
    to_account: U32
    instrument: U32
    side: U8
    quantity_lots: U32
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> TransferPosition:
        return TransferPosition(
            self.account,
            self.to_account,
            self.instrument,
            self.side,
            self.quantity_lots,
            int(self.salt),
            int(self.expiry_seconds),
        )


class BidAuctionFields(Params):
    account: U32
    auction: U32
    most_share_e6: U32
    least_share_e6: U32
    most_price_micro: Signed64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> BidAuction:
        return BidAuction(
            self.account,
            self.auction,
            self.most_share_e6,
            self.least_share_e6,
            int(self.most_price_micro),
            int(self.salt),
            int(self.expiry_seconds),
        )


class FundInsuranceFields(Params):
    account: U32
    amount_micro: Unsigned64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> FundInsurance:
        return FundInsurance(
            self.account, int(self.amount_micro), int(self.salt), int(self.expiry_seconds)
        )


class SignedBidAuction(Params):
    message: BidAuctionFields
    signature: Signature


class SignedFundInsurance(Params):
    message: FundInsuranceFields
    signature: Signature


class SignedOrder(Params):
    message: OrderFields
    signature: Signature


class SignedCancel(Params):
    message: CancelFields
    signature: Signature


class SignedCancelAll(Params):
    message: CancelAllFields
    signature: Signature


class SignedCancelWhere(Params):
    message: CancelWhereFields
    signature: Signature


class SignedMassQuote(Params):
    message: MassQuoteFields
    signature: Signature


class SignedSetProtection(Params):
    message: SetProtectionFields
    signature: Signature


class ChooseMarginFields(Params):
    account: U32
    model: U8
    tier: U8
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> ChooseMargin:
        return ChooseMargin(
            self.account, self.model, self.tier, int(self.salt), int(self.expiry_seconds)
        )


class SignedChooseMargin(Params):
    message: ChooseMarginFields
    signature: Signature


class SignedResetProtection(Params):
    message: ResetProtectionFields
    signature: Signature


class SignedWithdraw(Params):
    message: WithdrawFields
    signature: Signature


class SignedTransferCash(Params):
    message: TransferCashFields
    signature: Signature


class SignedTransferPosition(Params):
    message: TransferPositionFields
    signature: Signature


class OfOwner(Params):
    owner: Address


class OfAccount(Params):
    account: U32


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
