"""The messages that people and the operator sign: orders and their cancels as typed values, an
order's bytes in a command, and the EIP-712 hashes of all. What is signed about an account is in
`account_messages.py`.

Holds: a field fits the integer type that docs/protocol.md (2) gives it, so that packing cannot
fail: what is read from bytes does by its form, and a door that reads text checks before it builds.
A hash here equals what any EIP-712 wallet computes for the same values; so do the contracts
(`tests/data/signing_vectors.json`).
Never: changes a message once built, knows who may sign, or reads a clock.
"""

from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from matching.instruments import MAX_VALUE_MICRO
from matching.rejects import (
    MALFORMED,
    Reject,
)
from settlement.account_messages import AccountMessage, account_message_hash
from settlement.keccak import keccak256

Legs = tuple[tuple[int, int], ...]
"""(instrument, ratio); a single instrument is ((instrument, 1),)."""

NO_ORDER: Final = bytes(32)
"""`Order.replaces` of an order that takes nobody's place."""

MAX_PRICE_MICRO: Final = MAX_VALUE_MICRO - 1
MAX_NET_PRICE_MICRO: Final = (1 << 38) - 1
"""Largest size of a limit price: of a single instrument per lot, of a combo per unit
(docs/protocol.md, 1).
"""

MAX_VOLATILITY_E6: Final = 10_000_000
"""Largest volatility that prices an order, in millionths of a year's: 1,000%."""

# The messages ----------------------------------------------------------------------------------


class Conditions(NamedTuple):
    """What an order says beyond price, quantity and time; all zero for a plain order.

    `min_quantity_lots`: less than this at once, and nothing trades. `display_lots`: what an iceberg
    shows, 0 for all. `trigger`, `trigger_price_micro`: what wakes it (`matching/orders.py`).
    `parent`: hash of the account's order whose fill wakes it. `oco_group`: of the account's orders
    with the same number, one that trades or wakes ends the others. `volatility_e6`: the volatility
    that prices it, in millionths. `protection`: the account's market-maker protection group.
    `label`: the owner's own word for its orders, to cancel by.
    """

    min_quantity_lots: int = 0
    display_lots: int = 0
    trigger: int = 0
    trigger_price_micro: int = 0
    parent: bytes = NO_ORDER
    oco_group: int = 0
    volatility_e6: int = 0
    protection: int = 0
    label: int = 0


PLAIN: Final = Conditions()
"""The conditions of an order that has none."""
MOST_DISPLAYS: Final = 100
"""An iceberg shows at least this part of its quantity, so that it is replenished at most so often:
each time is an event for everyone.
"""


ORDER_FIELDS: Final = (
    "account",
    "counter",
    "side",
    "time_in_force",
    "flags",
    "limit_price_micro",
    "quantity_lots",
    "max_fee_micro",
    "expiry_s",
    "salt",
    "replaces",
    "legs",
    "conditions",
)
"""As they are signed, in order."""


class Order:
    """An order as its owner signs it; fields and units as in docs/protocol.md, 2.

    A plain class because it is built once per order on the hot path, where a named tuple costs
    half as much again, and five times once compiled.
    """

    __slots__ = (
        "account",
        "conditions",
        "counter",
        "expiry_s",
        "flags",
        "legs",
        "limit_price_micro",
        "max_fee_micro",
        "quantity_lots",
        "replaces",
        "salt",
        "side",
        "time_in_force",
    )

    def __init__(
        self,
        account: int,
        counter: int,
        side: int,
        time_in_force: int,
        flags: int,
        limit_price_micro: int,
        quantity_lots: int,
        max_fee_micro: int,
        expiry_s: int,
        salt: int,
        replaces: bytes,
        legs: Legs,
        conditions: Conditions = PLAIN,
    ) -> None:
        self.account = account
        self.counter = counter
        self.side = side
        self.time_in_force = time_in_force
        self.flags = flags
        self.limit_price_micro = limit_price_micro
        self.quantity_lots = quantity_lots
        self.max_fee_micro = max_fee_micro
        self.expiry_s = expiry_s
        self.salt = salt
        self.replaces = replaces
        self.legs = legs
        self.conditions = conditions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and all(
            getattr(self, name) == getattr(other, name) for name in ORDER_FIELDS
        )

    def __hash__(self) -> int:
        return hash((self.account, self.salt, self.legs))

    def __reduce__(self) -> tuple[type["Order"], tuple[object, ...]]:
        return Order, tuple([getattr(self, name) for name in ORDER_FIELDS])

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in ORDER_FIELDS)
        return f"Order({fields})"


class Cancel(NamedTuple):
    """Cancel one live order of the account."""

    account: int
    order_hash: bytes


class CancelAll(NamedTuple):
    """Raise the account's counter: every order signed with a lower one is void."""

    account: int
    new_counter: int


class CancelWhere(NamedTuple):
    """Cancel all live orders of the account that `scope` and `value` say (`SCOPES` below); taken
    once, before `expiry_s`, and void of nothing that is placed later.
    """

    account: int
    scope: int
    value: int
    salt: int
    expiry_s: int


class Acknowledgement(NamedTuple):
    """The operator's word that `order_hash` stands in the journal at `sequence`, where the
    journal's chain hash is `journal_hash`.
    """

    sequence: int
    order_hash: bytes
    journal_hash: bytes


Message = Order | Cancel | CancelAll | CancelWhere | Acknowledgement | AccountMessage

# What a CancelWhere's `value` is
OF_ALL: Final = 0  # 0
OF_CLIENT_ID: Final = 1  # the salt of an order
OF_LABEL: Final = 2  # `Conditions.label`
OF_INSTRUMENT: Final = 3  # an instrument's number: orders in its own book
OF_UNDERLYING: Final = 4  # an underlying's number: instruments and combos
OF_COMBOS: Final = 5  # an underlying's number: combos alone

# Bytes in a command ------------------------------------------------------------------------------

_ORDER: Final = Struct(">IIBBHqIQQQ32sB")
_LEG: Final = Struct(">Ih")
_CONDITIONS: Final = Struct(">IIBq32sQIBQ")
_CONDITIONS_SIZE: Final = _CONDITIONS.size
_LEG_COUNT_AT: Final = _ORDER.size - 1
_NO_CONDITIONS: Final = b"\0"
_ITS_CONDITIONS: Final = b"\1"
_LEGS_AT: Final = _ORDER.size
_LEG_SIZE: Final = _LEG.size


def encode_order(order: Order) -> bytes:
    """`order` of docs/protocol.md, 3: 82 bytes, 6 for each leg, and 70 for conditions."""
    legs, conditions = order.legs, order.conditions
    head = _ORDER.pack(
        order.account,
        order.counter,
        order.side,
        order.time_in_force,
        order.flags,
        order.limit_price_micro,
        order.quantity_lots,
        order.max_fee_micro,
        order.expiry_s,
        order.salt,
        order.replaces,
        len(legs),
    )
    body = head + b"".join([_LEG.pack(instrument, ratio) for instrument, ratio in legs])
    if conditions == PLAIN:
        return body + _NO_CONDITIONS
    return body + _ITS_CONDITIONS + _CONDITIONS.pack(*conditions)


def decode_order(data: bytes, offset: int = 0) -> tuple[Order, int] | Reject:
    """The order that begins at `offset`, and where it ends; MALFORMED names the byte where the
    data ends too soon. Reads the form alone: `check_order_fields` looks at the values.
    """
    if offset + _LEGS_AT > len(data):
        return Reject(MALFORMED, len(data))
    end = offset + _LEGS_AT + data[offset + _LEG_COUNT_AT] * _LEG_SIZE
    if end >= len(data):
        return Reject(MALFORMED, len(data))
    (
        account,
        counter,
        side,
        time_in_force,
        flags,
        limit_price_micro,
        quantity_lots,
        max_fee_micro,
        expiry_s,
        salt,
        replaces,
        count,
    ) = _ORDER.unpack_from(data, offset)
    legs_at = offset + _LEGS_AT
    legs: Legs = (
        (_LEG.unpack_from(data, legs_at),)
        if count == 1
        else tuple(_LEG.iter_unpack(data[legs_at:end]))  # pyright: ignore
    )
    conditions, is_conditional = PLAIN, data[end]
    end += 1
    if is_conditional:
        if is_conditional > 1 or end + _CONDITIONS_SIZE > len(data):
            return Reject(MALFORMED, end - 1 if is_conditional > 1 else len(data))
        conditions = Conditions(*_CONDITIONS.unpack_from(data, end))
        if conditions == PLAIN:  # a plain order has one form only
            return Reject(MALFORMED, end - 1)
        end += _CONDITIONS_SIZE
    order = Order(
        account,
        counter,
        side,
        time_in_force,
        flags,
        limit_price_micro,
        quantity_lots,
        max_fee_micro,
        expiry_s,
        salt,
        replaces,
        legs,
        conditions,
    )
    return order, end


# EIP-712 hashes ----------------------------------------------------------------------------------

LEG_TYPE: Final = "Leg(uint32 instrument,int16 ratio)"
ORDER_TYPE: Final = (
    "Order(uint32 account,uint32 counter,uint8 side,uint8 timeInForce,uint16 flags,"
    "int64 limitPriceMicro,uint32 quantityLots,uint64 maxFeeMicro,uint64 expirySeconds,"
    "uint64 salt,bytes32 replaces,Leg[] legs,Conditions conditions)"
)
CONDITIONS_TYPE: Final = (
    "Conditions(uint32 minQuantityLots,uint32 displayLots,uint8 trigger,int64 triggerPriceMicro,"
    "bytes32 parent,uint64 ocoGroup,uint32 volatilityE6,uint8 protection,uint64 label)"
)
CANCEL_TYPE: Final = "Cancel(uint32 account,bytes32 orderHash)"
CANCEL_ALL_TYPE: Final = "CancelAll(uint32 account,uint32 newCounter)"
CANCEL_WHERE_TYPE: Final = (
    "CancelWhere(uint32 account,uint8 scope,uint64 value,uint64 salt,uint64 expirySeconds)"
)
ACKNOWLEDGEMENT_TYPE: Final = (
    "Acknowledgement(uint64 sequence,bytes32 orderHash,bytes32 journalHash)"
)
DOMAIN_TYPE: Final = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
DOMAIN_NAME: Final = "Straddle"
DOMAIN_VERSION: Final = "1"

LEG_TYPE_HASH: Final = keccak256(LEG_TYPE.encode())
CONDITIONS_TYPE_HASH: Final = keccak256(CONDITIONS_TYPE.encode())
# The referenced structs' types follow the referring one's, by name (EIP-712, encodeType).
ORDER_TYPE_HASH: Final = keccak256((ORDER_TYPE + CONDITIONS_TYPE + LEG_TYPE).encode())
CANCEL_TYPE_HASH: Final = keccak256(CANCEL_TYPE.encode())
CANCEL_ALL_TYPE_HASH: Final = keccak256(CANCEL_ALL_TYPE.encode())
CANCEL_WHERE_TYPE_HASH: Final = keccak256(CANCEL_WHERE_TYPE.encode())
ACKNOWLEDGEMENT_TYPE_HASH: Final = keccak256(ACKNOWLEDGEMENT_TYPE.encode())
DOMAIN_TYPE_HASH: Final = keccak256(DOMAIN_TYPE.encode())

# Each value stands in a word of 32 bytes, on the right; a negative number is extended by its sign
# (three words of 64 bits that are all 0 or all -1).
_LEG_WORDS: Final = Struct(">32s28xIqqqq")
_ORDER_WORDS: Final = Struct(">32s28xI28xI31xB31xB30xHqqqq28xI24xQ24xQ24xQ32s32s32s")
_CONDITIONS_WORDS: Final = Struct(">32s28xI28xI31xBqqqq32s24xQ28xI31xB24xQ")
_FLAT: Final[dict[type[Message], tuple[bytes, Struct]]] = {
    Cancel: (CANCEL_TYPE_HASH, Struct(">32s28xI32s")),
    CancelAll: (CANCEL_ALL_TYPE_HASH, Struct(">32s28xI28xI")),
    CancelWhere: (CANCEL_WHERE_TYPE_HASH, Struct(">32s28xI31xB24xQ24xQ24xQ")),
    Acknowledgement: (ACKNOWLEDGEMENT_TYPE_HASH, Struct(">32s24xQ32s32s")),
}

_LEGS_KEPT: Final = 4_096
"""How many leg lists the memory of their hashes keeps: more than are traded at once."""


@lru_cache(maxsize=_LEGS_KEPT)
def legs_hash(legs: Legs) -> bytes:
    """Hash of the array `legs`: H of the legs' struct hashes, one after the other. Remembered,
    because the same few thousand lists carry nearly all orders.
    """
    hashes: list[bytes] = []
    for instrument, ratio in legs:
        sign = ratio >> 63
        hashes.append(
            keccak256(_LEG_WORDS.pack(LEG_TYPE_HASH, instrument, sign, sign, sign, ratio))
        )
    return keccak256(b"".join(hashes))


@lru_cache(maxsize=_LEGS_KEPT)
def conditions_hash(conditions: Conditions) -> bytes:
    """Struct hash of an order's conditions. Remembered: nearly all orders are plain, or have the
    few labels and groups of their accounts.
    """
    price = conditions.trigger_price_micro
    sign = price >> 63
    return keccak256(
        _CONDITIONS_WORDS.pack(
            CONDITIONS_TYPE_HASH,
            conditions.min_quantity_lots,
            conditions.display_lots,
            conditions.trigger,
            sign,
            sign,
            sign,
            price,
            conditions.parent,
            conditions.oco_group,
            conditions.volatility_e6,
            conditions.protection,
            conditions.label,
        )
    )


_PLAIN_HASH: Final = conditions_hash(PLAIN)


def order_hash(order: Order) -> bytes:
    """Struct hash of an order: the name by which it is known everywhere outside the engine."""
    price = order.limit_price_micro
    sign = price >> 63
    return keccak256(
        _ORDER_WORDS.pack(
            ORDER_TYPE_HASH,
            order.account,
            order.counter,
            order.side,
            order.time_in_force,
            order.flags,
            sign,
            sign,
            sign,
            price,
            order.quantity_lots,
            order.max_fee_micro,
            order.expiry_s,
            order.salt,
            order.replaces,
            legs_hash(order.legs),
            _PLAIN_HASH if order.conditions is PLAIN else conditions_hash(order.conditions),
        )
    )


def struct_hash(message: Message) -> bytes:
    """EIP-712 `hashStruct` of any message."""
    if isinstance(message, Order):
        return order_hash(message)
    if isinstance(message, (Cancel, CancelAll, CancelWhere, Acknowledgement)):
        type_hash, words = _FLAT[type(message)]
        return keccak256(words.pack(type_hash, *message))
    return account_message_hash(message)


def domain_separator(chain_id: int, settlement: bytes) -> bytes:
    """Hash of the signing domain; `settlement` is the contract's address, 20 bytes. Compute it
    once and keep it.
    """
    return keccak256(
        DOMAIN_TYPE_HASH
        + keccak256(DOMAIN_NAME.encode())
        + keccak256(DOMAIN_VERSION.encode())
        + chain_id.to_bytes(32, "big")
        + settlement.rjust(32, b"\0")
    )


def signing_digest(separator: bytes, message_hash: bytes) -> bytes:
    """What is signed: H(0x1901 ‖ domain separator ‖ struct hash)."""
    return keccak256(b"\x19\x01" + separator + message_hash)
