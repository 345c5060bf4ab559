"""Records: what a command does to at most two accounts or one global thing, in 31 bytes.

Holds: one type, one encoder, one typed value per record of docs/protocol.md, 4; the fields of the
value are the arguments of the encoder, in the order in which they stand in the bytes; a decoded
record encodes to the bytes it came from, since whatever is not a field must be zero.
Never: asks whether a record is lawful (`ledger.py` does), or takes a value that does not fit its
field: an encoder raises `struct.error`, for its caller has lost count.
"""

from collections.abc import Callable
from struct import Struct, error
from typing import Any, Final, NamedTuple

from settlement.record_types import (
    ACCOUNT_OPENED,
    ACCRUAL_UPDATED,
    CASH_MOVED,
    COLLATERAL_MOVED,
    COMBO_FILLED,
    COUNTER_RAISED,
    DEPOSIT_CREDITED,
    EXPIRY_LISTED,
    EXPIRY_SETTLED,
    FEE_LEVEL_SET,
    FILL,
    INDEX_UPDATED,
    INSTRUMENT_LISTED,
    INSURANCE_MOVED,
    KEY_REGISTERED,
    MARK_UPDATED,
    ORDER_FORGOTTEN,
    ORDER_OPENED,
    PADDING,
    POSITION_MOVED,
    POSITION_SETTLED,
    STATUS_CHANGED,
    TIME_ADVANCED,
    UNDERLYING_LISTED,
    WITHDRAWAL_REQUESTED,
    AccountOpened,
    AccrualUpdated,
    CashMoved,
    CollateralMoved,
    ComboFilled,
    CounterRaised,
    DepositCredited,
    ExpiryListed,
    ExpirySettled,
    FeeLevelSet,
    Fill,
    IndexUpdated,
    InstrumentListed,
    InsuranceMoved,
    KeyRegistered,
    Malformed,
    MarkUpdated,
    OrderForgotten,
    OrderOpened,
    Padding,
    PositionMoved,
    PositionSettled,
    Record,
    StatusChanged,
    TimeAdvanced,
    UnderlyingListed,
    WithdrawalRequested,
)

RECORD_BYTES: Final = 31
PREFIX_BYTES: Final = 23
"""How much of an order hash ORDER_OPENED binds: what account and slot leave of a record."""

# ENCODERS
# struct has no field of 3, 5 or 6 bytes: u24 is packed as B and H, u40 as B and I, u48 as H and I.

_ACCOUNT_OPENED: Final = Struct(">BI20s6x")
_DEPOSIT_CREDITED: Final = Struct(">BIBQ17x")
_KEY_REGISTERED: Final = Struct(">BI20sHI")
_COUNTER_RAISED: Final = Struct(">BII22x")
_WITHDRAWAL_REQUESTED: Final = Struct(">BIBQI13x")
_ORDER_OPENED: Final = Struct(">BIBH23s")
_FILL: Final = Struct(">BBIBHIBHBHBHi5x")
_COMBO_FILLED: Final = Struct(">BBIBHIBHBHhIB5x")
_ACCOUNT_AND_U24: Final = Struct(">BIBH23x")
_UNDERLYING_LISTED: Final = Struct(">BB8sQ13x")
_EXPIRY_LISTED: Final = Struct(">BHBHI21x")
_INSTRUMENT_LISTED: Final = Struct(">BBHBBHBII14x")
_TIME_ADVANCED: Final = Struct(">BHI24x")
_INDEX_UPDATED: Final = Struct(">BBBIHI18x")
_MARK_UPDATED: Final = Struct(">BHBIiiiiiBH")
_ACCRUAL_UPDATED: Final = Struct(">BBHqBI14x")
_EXPIRY_SETTLED: Final = Struct(">BHBI23x")
_CASH_MOVED: Final = Struct(">BIIBQ13x")
_POSITION_MOVED: Final = Struct(">BIIBHi15x")
_STATUS_CHANGED: Final = Struct(">BIB25x")
_INSURANCE_MOVED: Final = Struct(">BIq18x")
_FEE_LEVEL_SET: Final = Struct(">BBB28x")

PADDING_RECORD: Final = bytes(RECORD_BYTES)


def padding_record() -> bytes:
    return PADDING_RECORD


def account_opened_record(account: int, owner: bytes) -> bytes:
    return _ACCOUNT_OPENED.pack(ACCOUNT_OPENED, account, _address(owner))


def deposit_credited_record(account: int, asset: int, amount_micro: int) -> bytes:
    return _DEPOSIT_CREDITED.pack(DEPOSIT_CREDITED, account, asset, amount_micro)


def key_registered_record(account: int, key: bytes, valid_until_s: int) -> bytes:
    return _KEY_REGISTERED.pack(
        KEY_REGISTERED, account, _address(key), valid_until_s >> 32, valid_until_s & 0xFFFFFFFF
    )


def counter_raised_record(account: int, counter: int) -> bytes:
    return _COUNTER_RAISED.pack(COUNTER_RAISED, account, counter)


def withdrawal_requested_record(account: int, asset: int, amount_micro: int, number: int) -> bytes:
    return _WITHDRAWAL_REQUESTED.pack(WITHDRAWAL_REQUESTED, account, asset, amount_micro, number)


def order_opened_record(account: int, slot: int, hash_prefix: bytes) -> bytes:
    """`hash_prefix` may be the whole order hash, whose first 23 bytes are taken."""
    return _ORDER_OPENED.pack(ORDER_OPENED, account, slot >> 16, slot & 0xFFFF, hash_prefix)


def fill_record(
    flags: int,
    maker: int,
    maker_slot: int,
    taker: int,
    taker_slot: int,
    instrument: int,
    quantity_lots: int,
    price_ticks: int,
) -> bytes:
    return _FILL.pack(
        FILL,
        flags,
        maker,
        maker_slot >> 16,
        maker_slot & 0xFFFF,
        taker,
        taker_slot >> 16,
        taker_slot & 0xFFFF,
        instrument >> 16,
        instrument & 0xFFFF,
        quantity_lots >> 16,
        quantity_lots & 0xFFFF,
        price_ticks,
    )


def combo_filled_record(
    flags: int,
    maker: int,
    maker_slot: int,
    taker: int,
    taker_slot: int,
    units: int,
    net_price_micro: int,
    fills: int,
) -> bytes:
    return _COMBO_FILLED.pack(
        COMBO_FILLED,
        flags,
        maker,
        maker_slot >> 16,
        maker_slot & 0xFFFF,
        taker,
        taker_slot >> 16,
        taker_slot & 0xFFFF,
        units >> 16,
        units & 0xFFFF,
        net_price_micro >> 32,
        net_price_micro & 0xFFFFFFFF,
        fills,
    )


def order_forgotten_record(account: int, slot: int) -> bytes:
    return _ACCOUNT_AND_U24.pack(ORDER_FORGOTTEN, account, slot >> 16, slot & 0xFFFF)


def position_settled_record(account: int, instrument: int) -> bytes:
    return _ACCOUNT_AND_U24.pack(POSITION_SETTLED, account, instrument >> 16, instrument & 0xFFFF)


def underlying_listed_record(underlying: int, name: bytes, lot_e8: int) -> bytes:
    """`name` is ASCII of at most 8 bytes; zeros fill it up."""
    return _UNDERLYING_LISTED.pack(UNDERLYING_LISTED, underlying, name, lot_e8)


def expiry_listed_record(expiry: int, underlying: int, expiry_time_s: int) -> bytes:
    return _EXPIRY_LISTED.pack(
        EXPIRY_LISTED, expiry, underlying, expiry_time_s >> 32, expiry_time_s & 0xFFFFFFFF
    )


def instrument_listed_record(
    instrument: int,
    kind: int,
    underlying: int,
    expiry: int,
    strike_micro: int,
    tick_value_micro: int,
) -> bytes:
    return _INSTRUMENT_LISTED.pack(
        INSTRUMENT_LISTED,
        instrument >> 16,
        instrument & 0xFFFF,
        kind,
        underlying,
        expiry,
        strike_micro >> 32,
        strike_micro & 0xFFFFFFFF,
        tick_value_micro,
    )


def time_advanced_record(time_s: int) -> bytes:
    return _TIME_ADVANCED.pack(TIME_ADVANCED, time_s >> 32, time_s & 0xFFFFFFFF)


def index_updated_record(underlying: int, index_micro: int, mark_time_s: int) -> bytes:
    return _INDEX_UPDATED.pack(
        INDEX_UPDATED,
        underlying,
        index_micro >> 32,
        index_micro & 0xFFFFFFFF,
        mark_time_s >> 32,
        mark_time_s & 0xFFFFFFFF,
    )


def mark_updated_record(
    expiry: int, forward_micro: int, a: int, b: int, rho: int, m: int, sigma: int, epoch: int
) -> bytes:
    return _MARK_UPDATED.pack(
        MARK_UPDATED,
        expiry,
        forward_micro >> 32,
        forward_micro & 0xFFFFFFFF,
        a,
        b,
        rho,
        m,
        sigma,
        epoch >> 16,
        epoch & 0xFFFF,
    )


def accrual_updated_record(instrument: int, accrual_micro: int, carry_micro: int) -> bytes:
    return _ACCRUAL_UPDATED.pack(
        ACCRUAL_UPDATED,
        instrument >> 16,
        instrument & 0xFFFF,
        accrual_micro,
        carry_micro >> 32,
        carry_micro & 0xFFFFFFFF,
    )


def expiry_settled_record(expiry: int, settlement_micro: int) -> bytes:
    return _EXPIRY_SETTLED.pack(
        EXPIRY_SETTLED, expiry, settlement_micro >> 32, settlement_micro & 0xFFFFFFFF
    )


def cash_moved_record(giver: int, taker: int, asset: int, amount_micro: int) -> bytes:
    return _CASH_MOVED.pack(CASH_MOVED, giver, taker, asset, amount_micro)


def position_moved_record(giver: int, taker: int, instrument: int, quantity_lots: int) -> bytes:
    return _POSITION_MOVED.pack(
        POSITION_MOVED, giver, taker, instrument >> 16, instrument & 0xFFFF, quantity_lots
    )


def status_changed_record(account: int, status: int) -> bytes:
    return _STATUS_CHANGED.pack(STATUS_CHANGED, account, status)


def collateral_moved_record(giver: int, taker: int, asset: int, amount_micro: int) -> bytes:
    return _CASH_MOVED.pack(COLLATERAL_MOVED, giver, taker, asset, amount_micro)


def insurance_moved_record(account: int, amount_micro: int) -> bytes:
    return _INSURANCE_MOVED.pack(INSURANCE_MOVED, account, amount_micro)


def fee_level_set_record(underlying: int, level: int) -> bytes:
    return _FEE_LEVEL_SET.pack(FEE_LEVEL_SET, underlying, level)


_ENCODERS: Final[dict[type[Any], Callable[..., bytes]]] = {
    Padding: padding_record,
    AccountOpened: account_opened_record,
    DepositCredited: deposit_credited_record,
    KeyRegistered: key_registered_record,
    CounterRaised: counter_raised_record,
    WithdrawalRequested: withdrawal_requested_record,
    OrderOpened: order_opened_record,
    Fill: fill_record,
    ComboFilled: combo_filled_record,
    OrderForgotten: order_forgotten_record,
    PositionSettled: position_settled_record,
    UnderlyingListed: underlying_listed_record,
    ExpiryListed: expiry_listed_record,
    InstrumentListed: instrument_listed_record,
    TimeAdvanced: time_advanced_record,
    IndexUpdated: index_updated_record,
    MarkUpdated: mark_updated_record,
    AccrualUpdated: accrual_updated_record,
    ExpirySettled: expiry_settled_record,
    CashMoved: cash_moved_record,
    PositionMoved: position_moved_record,
    StatusChanged: status_changed_record,
    InsuranceMoved: insurance_moved_record,
    CollateralMoved: collateral_moved_record,
    FeeLevelSet: fee_level_set_record,
}


def encode(record: Record) -> bytes:
    """The 31 bytes of a typed record."""
    return _ENCODERS[type(record)](*record)


def _address(value: bytes) -> bytes:
    """struct would fill up or cut a wrong address without a word."""
    if len(value) != 20:
        raise error(f"an address has 20 bytes, not {len(value)}")
    return value


# DECODER


class _Field(NamedTuple):
    start: int
    end: int
    kind: str  # u unsigned, i two's complement, b bytes


class _Shape(NamedTuple):
    make: Callable[[list[Any]], Record]
    fields: tuple[_Field, ...]
    zeros: bytes  # what must follow the fields


def _shape(record: type[Any], widths: str) -> _Shape:
    """From "u32 b20": widths of integers in bits, of byte strings in bytes."""
    fields: list[_Field] = []
    start = 1
    for width in widths.split():
        size = int(width[1:])
        end = start + (size if width[0] == "b" else size // 8)
        fields.append(_Field(start, end, width[0]))
        start = end
    return _Shape(record._make, tuple(fields), bytes(RECORD_BYTES - start))


_SHAPES: Final[dict[int, _Shape]] = {
    PADDING: _shape(Padding, ""),
    ACCOUNT_OPENED: _shape(AccountOpened, "u32 b20"),
    DEPOSIT_CREDITED: _shape(DepositCredited, "u32 u8 u64"),
    KEY_REGISTERED: _shape(KeyRegistered, "u32 b20 u48"),
    COUNTER_RAISED: _shape(CounterRaised, "u32 u32"),
    WITHDRAWAL_REQUESTED: _shape(WithdrawalRequested, "u32 u8 u64 u32"),
    ORDER_OPENED: _shape(OrderOpened, "u32 u24 b23"),
    FILL: _shape(Fill, "u8 u32 u24 u32 u24 u24 u24 i32"),
    COMBO_FILLED: _shape(ComboFilled, "u8 u32 u24 u32 u24 u24 i48 u8"),
    ORDER_FORGOTTEN: _shape(OrderForgotten, "u32 u24"),
    POSITION_SETTLED: _shape(PositionSettled, "u32 u24"),
    UNDERLYING_LISTED: _shape(UnderlyingListed, "u8 b8 u64"),
    EXPIRY_LISTED: _shape(ExpiryListed, "u16 u8 u48"),
    INSTRUMENT_LISTED: _shape(InstrumentListed, "u24 u8 u8 u16 u40 u32"),
    TIME_ADVANCED: _shape(TimeAdvanced, "u48"),
    INDEX_UPDATED: _shape(IndexUpdated, "u8 u40 u48"),
    MARK_UPDATED: _shape(MarkUpdated, "u16 u40 i32 i32 i32 i32 i32 u24"),
    ACCRUAL_UPDATED: _shape(AccrualUpdated, "u24 i64 u40"),
    EXPIRY_SETTLED: _shape(ExpirySettled, "u16 u40"),
    CASH_MOVED: _shape(CashMoved, "u32 u32 u8 u64"),
    POSITION_MOVED: _shape(PositionMoved, "u32 u32 u24 i32"),
    STATUS_CHANGED: _shape(StatusChanged, "u32 u8"),
    INSURANCE_MOVED: _shape(InsuranceMoved, "u32 i64"),
    COLLATERAL_MOVED: _shape(CollateralMoved, "u32 u32 u8 u64"),
    FEE_LEVEL_SET: _shape(FeeLevelSet, "u8 u8"),
}


def decode(record: bytes) -> Record | Malformed:
    """The typed value of any bytes, or where they stop being a record."""
    if len(record) != RECORD_BYTES:
        return Malformed(min(len(record), RECORD_BYTES))
    shape = _SHAPES.get(record[0])
    if shape is None:
        return Malformed(0)
    if not record.endswith(shape.zeros):
        used = RECORD_BYTES - len(shape.zeros)
        return Malformed(used + next(at for at, byte in enumerate(record[used:]) if byte))
    return shape.make(
        [
            record[start:end]
            if kind == "b"
            else int.from_bytes(record[start:end], "big", signed=kind == "i")
            for start, end, kind in shape.fields
        ]
    )
