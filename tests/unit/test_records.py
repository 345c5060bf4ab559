"""Records, byte for byte, against the published vectors."""

import json
import struct
from pathlib import Path

import pytest

from settlement import records
from settlement.record_types import Malformed
from settlement.records import decode, encode
from tests.model import vectors
from tests.model.ledger import TABLE

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "record_vectors.json").read_text())


def values_of(vector: dict) -> list:
    return [bytes.fromhex(v) if isinstance(v, str) else v for v in vector["fields"].values()]


def class_of(name: str) -> type:
    return getattr(records, "".join(word.capitalize() for word in name.split("_")))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_record_is_its_vector_both_ways(vector: dict):
    name, values, data = vector["name"], values_of(vector), bytes.fromhex(vector["record"])
    typed = class_of(name)(*values)
    assert decode(data) == typed
    assert type(decode(data)) is type(typed)
    assert encode(typed) == data
    assert getattr(records, f"{name.lower()}_record")(*values) == data
    assert list(vector["fields"]) == list(typed._fields)
    assert getattr(records, name) == data[0]


def test_the_vectors_are_what_the_slow_twin_makes_today():
    assert json.loads(json.dumps(vectors.record_vectors())) == VECTORS
    assert {vector["name"] for vector in VECTORS} == {shape.split()[0] for shape in TABLE.values()}


def test_an_order_hash_is_cut_to_what_its_record_binds():
    whole = bytes(range(32))
    assert records.order_opened_record(1, 2, whole) == records.order_opened_record(1, 2, whole[:23])


@pytest.mark.parametrize("vector", VECTORS[1::3], ids=lambda vector: vector["name"])
def test_a_value_too_large_for_its_field_is_no_record(vector: dict):
    values = values_of(vector)
    encoder = getattr(records, f"{vector['name'].lower()}_record")
    for at, value in enumerate(values):
        if isinstance(value, int):
            with pytest.raises(struct.error):
                encoder(*values[:at], value + 1, *values[at + 1 :])


@pytest.mark.parametrize("vector", VECTORS[0::3], ids=lambda vector: vector["name"])
def test_a_value_too_small_for_its_field_is_no_record(vector: dict):
    values = values_of(vector)
    encoder = getattr(records, f"{vector['name'].lower()}_record")
    for at, value in enumerate(values):
        if isinstance(value, int):
            with pytest.raises(struct.error):
                encoder(*values[:at], value - 1, *values[at + 1 :])


@pytest.mark.parametrize("length", [0, 19, 21, 32])
def test_an_address_of_another_length_is_no_record(length: int):
    with pytest.raises(struct.error):
        records.account_opened_record(0, bytes(length))
    with pytest.raises(struct.error):
        records.key_registered_record(0, bytes(length), 1)


@pytest.mark.parametrize(
    ("data", "position"),
    [
        (b"", 0),
        (bytes(30), 30),
        (bytes(32), 31),
        (b"\x7f" + bytes(30), 0),
        (b"\xff" + bytes(30), 0),
        (b"\x00\x01" + bytes(29), 1),  # padding with something in it
        (b"\x0e" + bytes(6) + b"\x01" + bytes(23), 7),  # behind the time
        (b"\x07" + bytes(29) + b"\x80", 30),
    ],
)
def test_what_is_no_record_is_named_at_its_first_wrong_byte(data: bytes, position: int):
    assert decode(data) == Malformed(position)
