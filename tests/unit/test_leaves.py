"""Leaves, field by field, as the table of docs/protocol.md, 5, lists them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement import leaves
from settlement.keccak import keccak256

# u unsigned and i signed by bits, b bytes by count
TABLE = {
    "account": "b20 i128 b32 b32 u16 b32 u32 b32 u32 u8",
    "position": "i32 i64",
    "order": "b23 u32",
    "market": "u8 u8 u16 u40 u32 u8 i64 u40",
    "underlying": "b8 u64 u40 u48 u8",
    "totals": "u128 u128",
    "withdrawal": "u32 b20 u8 u64",
}


def values_of(shape: str) -> st.SearchStrategy[Any]:
    size = int(shape[1:])
    if shape[0] == "b":
        return st.binary(min_size=size, max_size=size)
    if shape[0] == "i":
        return st.integers(-(1 << size - 1), (1 << size - 1) - 1)
    return st.integers(0, (1 << size) - 1)


def packed(shape: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.to_bytes(int(shape[1:]) // 8, "big", signed=shape[0] == "i")


@pytest.mark.parametrize("name", TABLE)
@given(data=st.data())
def test_a_payload_is_its_fields_one_after_the_other(name: str, data: st.DataObject):
    shapes = TABLE[name].split()
    values = [data.draw(values_of(shape)) for shape in shapes]
    payload = getattr(leaves, f"{name}_payload")(*values)
    assert payload == b"".join(map(packed, shapes, values))


EXPIRY = "u8 u48 u40 i32 i32 i32 i32 i32 u8 u40 u24"


@given(st.data(), st.booleans())
def test_an_expiry_says_whether_it_is_settled_and_at_what(data: st.DataObject, is_settled: bool):
    shapes = EXPIRY.split()
    values = [data.draw(values_of(shape)) for shape in shapes]
    values[8] = int(is_settled)
    values[9] = values[9] if is_settled else 0
    settlement = values[9] if is_settled else None
    payload = leaves.expiry_payload(*values[:3], tuple(values[3:8]), settlement, values[10])
    assert payload == b"".join(map(packed, shapes, values))


def test_session_keys_are_chained_from_zero():
    first = leaves.key_hash_after(leaves.NO_KEYS_HASH, b"a" * 20, 5)
    assert first == keccak256(bytes(32) + b"a" * 20 + bytes(5) + b"\5")
    assert leaves.key_hash_after(first, b"b" * 20, 6) == keccak256(
        first + b"b" * 20 + bytes(5) + b"\6"
    )


GLOBAL = "u48 b32 b32 i128 i128 i128 b32 u64 b32 b32 u32 u32 b32"


@given(st.data())
def test_the_global_hash_binds_every_field_in_its_place(data: st.DataObject):
    shapes = GLOBAL.split()
    values = [data.draw(values_of(shape)) for shape in shapes]
    expected = keccak256(b"\x02" + b"".join(map(packed, shapes, values)))
    assert leaves.global_hash(*values) == expected
    assert leaves.state_root(b"r" * 32, expected) == keccak256(b"\x03" + b"r" * 32 + expected)
