"""The inbox: what enters through the Vault, numbered and chained by it (docs/protocol.md, 6).

Holds: an entry is 40 bytes; `hash' = H(hash ‖ entry)`, from zero, so the hash at an index binds
every entry before it. The Vault computes the same; the exchange that skips, adds or changes an
entry has another hash than the Vault, and its batch does not post.
Never: knows what an entry does to the state.
"""

from struct import Struct
from typing import Final

from settlement.keccak import keccak256

EMPTY_INBOX_HASH: Final = bytes(32)

ACCOUNT_ENTRY: Final = 1
DEPOSIT_ENTRY: Final = 2
KEY_ENTRY: Final = 3

# kind u8, account u32, address 20, asset u8, amount u64, valid_until u48 as H and I
_ENTRY: Final = Struct(">BI20sBQHI")


def account_entry(account: int, owner: bytes) -> bytes:
    return _ENTRY.pack(ACCOUNT_ENTRY, account, owner, 0, 0, 0, 0)


def deposit_entry(account: int, owner: bytes, asset: int, amount_micro: int) -> bytes:
    """`owner` is the account's, whoever paid."""
    return _ENTRY.pack(DEPOSIT_ENTRY, account, owner, asset, amount_micro, 0, 0)


def key_entry(account: int, key: bytes, valid_until_s: int) -> bytes:
    return _ENTRY.pack(
        KEY_ENTRY, account, key, 0, 0, valid_until_s >> 32, valid_until_s & 0xFFFFFFFF
    )


def chained(inbox_hash: bytes, entry: bytes) -> bytes:
    """The inbox hash after one more entry."""
    return keccak256(inbox_hash + entry)
