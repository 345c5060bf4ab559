"""The types of records, and the typed value of each (docs/protocol.md, 4).

Holds: the fields of a value are those of the record's bytes, in their order; a type's number is
never given again.
Never: knows how a record is written (`records.py`) or whether it is lawful (`ledger.py`).
"""

from typing import Final, NamedTuple

PADDING: Final = 0x00
ACCOUNT_OPENED: Final = 0x01
DEPOSIT_CREDITED: Final = 0x02
KEY_REGISTERED: Final = 0x03
COUNTER_RAISED: Final = 0x04
WITHDRAWAL_REQUESTED: Final = 0x05
ORDER_OPENED: Final = 0x06
FILL: Final = 0x07
COMBO_FILLED: Final = 0x08
ORDER_FORGOTTEN: Final = 0x09
POSITION_SETTLED: Final = 0x0A
UNDERLYING_LISTED: Final = 0x0B
EXPIRY_LISTED: Final = 0x0C
INSTRUMENT_LISTED: Final = 0x0D
TIME_ADVANCED: Final = 0x0E
INDEX_UPDATED: Final = 0x0F
MARK_UPDATED: Final = 0x10
ACCRUAL_UPDATED: Final = 0x11
EXPIRY_SETTLED: Final = 0x12
CASH_MOVED: Final = 0x13
POSITION_MOVED: Final = 0x14
STATUS_CHANGED: Final = 0x15
INSURANCE_MOVED: Final = 0x16
COLLATERAL_MOVED: Final = 0x19

FEE_LEVEL_SET: Final = 0x17

MARK_TYPES: Final = (
    INDEX_UPDATED,
    MARK_UPDATED,
    ACCRUAL_UPDATED,
    EXPIRY_SETTLED,
    STATUS_CHANGED,
    FEE_LEVEL_SET,
)
"""Records that stand only at a chunk's start."""

TAKER_BUYS: Final = 1
MAKER_ADVANCES: Final = 2
TAKER_ADVANCES: Final = 4
TAKER_RESTS: Final = 8
MAKER_COMES: Final = 16
"""Flags of FILL and COMBO_FILLED. An order of one instrument advances with its FILL, a combo order
with its COMBO_FILLED. Where a single order came and met a resting combo (implied out), the combo's
order is the records' taker though it rests (TAKER_RESTS, in all of them), and the order that came
the maker of one FILL (MAKER_COMES): who comes pays the taker fee, all others the maker fee."""


class Padding(NamedTuple):
    """Nothing; fills a chunk."""


class AccountOpened(NamedTuple):
    account: int
    owner: bytes


class DepositCredited(NamedTuple):
    account: int
    asset: int
    amount_micro: int


class KeyRegistered(NamedTuple):
    account: int
    key: bytes
    valid_until_s: int


class CounterRaised(NamedTuple):
    account: int
    counter: int


class WithdrawalRequested(NamedTuple):
    account: int
    asset: int
    amount_micro: int
    number: int


class OrderOpened(NamedTuple):
    account: int
    slot: int
    hash_prefix: bytes


class Fill(NamedTuple):
    """A slot names the side's order, be it of this instrument or the combo that this is a leg of;
    the flags say whether the order advances here."""

    flags: int
    maker: int
    maker_slot: int
    taker: int
    taker_slot: int
    instrument: int
    quantity_lots: int
    price_ticks: int


class ComboFilled(NamedTuple):
    """`net_price_micro` per unit of the canonical combo; `fills` FILL records before it are its
    legs; maker and its slot are 0 where the legs' own books filled it."""

    flags: int
    maker: int
    maker_slot: int
    taker: int
    taker_slot: int
    units: int
    net_price_micro: int
    fills: int


class OrderForgotten(NamedTuple):
    account: int
    slot: int


class PositionSettled(NamedTuple):
    account: int
    instrument: int


class UnderlyingListed(NamedTuple):
    underlying: int
    name: bytes
    lot_e8: int


class ExpiryListed(NamedTuple):
    expiry: int
    underlying: int
    expiry_time_s: int


class InstrumentListed(NamedTuple):
    instrument: int
    kind: int
    underlying: int
    expiry: int
    strike_micro: int
    tick_value_micro: int


class TimeAdvanced(NamedTuple):
    time_s: int


class IndexUpdated(NamedTuple):
    underlying: int
    index_micro: int
    mark_time_s: int


class MarkUpdated(NamedTuple):
    """SVI parameters in Q30 (docs/protocol.md, 7)."""

    expiry: int
    forward_micro: int
    a: int
    b: int
    rho: int
    m: int
    sigma: int
    epoch: int


class AccrualUpdated(NamedTuple):
    """The new accrual and carry of a linear instrument, per long lot."""

    instrument: int
    accrual_micro: int
    carry_micro: int


class ExpirySettled(NamedTuple):
    expiry: int
    settlement_micro: int


class CashMoved(NamedTuple):
    """Cash from one account to another."""

    giver: int
    taker: int
    asset: int
    amount_micro: int


class PositionMoved(NamedTuple):
    """Signed lots from one account to another, free of payment: the giver's position falls by
    them, the taker's rises."""

    giver: int
    taker: int
    instrument: int
    quantity_lots: int


class StatusChanged(NamedTuple):
    """The status of an account's leaf from here on."""

    account: int
    status: int


class InsuranceMoved(NamedTuple):
    """Positive from the account's cash into the insurance fund, negative out of the fund."""

    account: int
    amount_micro: int


class CollateralMoved(NamedTuple):
    """An asset that is not cash from one account to another, in micro-units."""

    giver: int
    taker: int
    asset: int
    amount_micro: int


class FeeLevelSet(NamedTuple):
    """The level of warning that makers' fees on an underlying are at from here on."""

    underlying: int
    level: int


Record = (
    Padding
    | AccountOpened
    | DepositCredited
    | KeyRegistered
    | CounterRaised
    | WithdrawalRequested
    | OrderOpened
    | Fill
    | ComboFilled
    | OrderForgotten
    | PositionSettled
    | UnderlyingListed
    | ExpiryListed
    | InstrumentListed
    | TimeAdvanced
    | IndexUpdated
    | MarkUpdated
    | AccrualUpdated
    | ExpirySettled
    | CashMoved
    | PositionMoved
    | StatusChanged
    | InsuranceMoved
    | CollateralMoved
    | FeeLevelSet
)


class Malformed(NamedTuple):
    """The bytes are no record; the first that cannot be read is at `position`."""

    position: int
