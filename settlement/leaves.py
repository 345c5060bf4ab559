"""What each leaf of the state holds, and the hashes above the trees (docs/protocol.md, 5).

Holds: every payload has a fixed length; nothing of the state lies outside a leaf or the global
hash.
Never: keeps state.
"""

from struct import Struct
from typing import Final

from settlement.keccak import keccak256

UNDERLYING_KEYS: Final = 0x10000
"""Underlyings stand in the tree of expiries, at keys from here on."""
NO_KEYS_HASH: Final = bytes(32)

_ACCOUNT: Final = Struct(">20s16s32s32sH32sI32sIB")
_POSITION: Final = Struct(">iq")
_ORDER: Final = Struct(">23sI")
_MARKET: Final = Struct(">BBHBIIBqBI")
_EXPIRY: Final = Struct(">BHIBIiiiiiBBIBH")
_UNDERLYING: Final = Struct(">8sQBIHIB")
_WITHDRAWAL: Final = Struct(">I20sBQ")


def account_payload(
    owner: bytes,
    cash_micro: int,
    collateral_root: bytes,
    position_root: bytes,
    position_count: int,
    order_root: bytes,
    order_count: int,
    key_hash: bytes,
    counter: int,
    status: int,
) -> bytes:
    return _ACCOUNT.pack(
        owner,
        _i128(cash_micro),
        collateral_root,
        position_root,
        position_count,
        order_root,
        order_count,
        key_hash,
        counter,
        status,
    )


def position_payload(quantity_lots: int, accrual_seen_micro: int) -> bytes:
    return _POSITION.pack(quantity_lots, accrual_seen_micro)


def order_payload(hash_prefix: bytes, filled_lots: int) -> bytes:
    return _ORDER.pack(hash_prefix, filled_lots)


def market_payload(
    kind: int,
    underlying: int,
    expiry: int,
    strike_micro: int,
    tick_value_micro: int,
    status: int,
    accrual_micro: int,
    carry_micro: int,
) -> bytes:
    return _MARKET.pack(
        kind,
        underlying,
        expiry,
        strike_micro >> 32,
        strike_micro & 0xFFFFFFFF,
        tick_value_micro,
        status,
        accrual_micro,
        carry_micro >> 32,
        carry_micro & 0xFFFFFFFF,
    )


def expiry_payload(
    underlying: int,
    expiry_time_s: int,
    forward_micro: int,
    svi: tuple[int, int, int, int, int],
    settlement_micro: int | None,
    epoch: int,
) -> bytes:
    """`svi` is a, b, rho, m, sigma in Q30; `settlement_micro` None until the expiry is settled."""
    settlement = settlement_micro or 0
    return _EXPIRY.pack(
        underlying,
        expiry_time_s >> 32,
        expiry_time_s & 0xFFFFFFFF,
        forward_micro >> 32,
        forward_micro & 0xFFFFFFFF,
        *svi,
        settlement_micro is not None,
        settlement >> 32,
        settlement & 0xFFFFFFFF,
        epoch >> 16,
        epoch & 0xFFFF,
    )


def underlying_payload(
    name: bytes, lot_e8: int, index_micro: int, mark_time_s: int, fee_level: int
) -> bytes:
    return _UNDERLYING.pack(
        name,
        lot_e8,
        index_micro >> 32,
        index_micro & 0xFFFFFFFF,
        mark_time_s >> 32,
        mark_time_s & 0xFFFFFFFF,
        fee_level,
    )


def collateral_payload(amount_micro: int) -> bytes:
    return amount_micro.to_bytes(16, "big")


def totals_payload(credited_micro: int, withdrawn_micro: int) -> bytes:
    return credited_micro.to_bytes(16, "big") + withdrawn_micro.to_bytes(16, "big")


def withdrawal_payload(account: int, owner: bytes, asset: int, amount_micro: int) -> bytes:
    return _WITHDRAWAL.pack(account, owner, asset, amount_micro)


def key_hash_after(key_hash: bytes, key: bytes, valid_until_s: int) -> bytes:
    """The chain of an account's session keys with one more registered."""
    return keccak256(key_hash + key + valid_until_s.to_bytes(6, "big"))


def parameter_hash(genesis_body: bytes) -> bytes:
    """`genesis_body` is the Genesis command without version, type and time."""
    return keccak256(genesis_body)


def global_hash(
    time_s: int,
    markets_root: bytes,
    expiries_root: bytes,
    fee_micro: int,
    insurance_micro: int,
    residue_micro: int,
    totals_root: bytes,
    inbox_cursor: int,
    inbox_hash: bytes,
    withdrawals_root: bytes,
    withdrawal_count: int,
    account_count: int,
    parameters: bytes,
) -> bytes:
    """The hash of everything that is no account's; `parameters` is the parameter hash."""
    return keccak256(
        b"\x02"
        + time_s.to_bytes(6, "big")
        + markets_root
        + expiries_root
        + _i128(fee_micro)
        + _i128(insurance_micro)
        + _i128(residue_micro)
        + totals_root
        + inbox_cursor.to_bytes(8, "big")
        + inbox_hash
        + withdrawals_root
        + withdrawal_count.to_bytes(4, "big")
        + account_count.to_bytes(4, "big")
        + parameters
    )


def state_root(accounts_root: bytes, global_part: bytes) -> bytes:
    return keccak256(b"\x03" + accounts_root + global_part)


def _i128(value: int) -> bytes:
    return value.to_bytes(16, "big", signed=True)
