"""The bytes that the first journal was written in, and hostile bytes one by one.

`python -m tests.unit.test_codec` writes tests/data/codec_vectors.json from the layouts of
`tests/model/codec.py`, for types that it does not hold yet: a vector that is there never changes.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from exchange import commands, events
from exchange.codec import decode_command, decode_event, encode_command, encode_event
from exchange.commands import Command, PlaceOrder, SettleExpiry, UpdateMarks
from exchange.events import Event
from matching.rejects import MALFORMED, UNSUPPORTED_VERSION, Reject
from settlement.signed_messages import ORDER_FIELDS, Conditions, Order
from tests.model.codec import (
    Bytes,
    Counted,
    Field,
    Integer,
    Layout,
    Repeated,
    Struct,
    command_bytes,
    command_layouts,
    event_bytes,
    event_layouts,
    order_of,
)

VECTORS: Final = Path(__file__).resolve().parents[1] / "data" / "codec_vectors.json"
TIME_NS: Final = 1_768_521_040_123_456_789
CASES: Final = ("least", "counting", "most")


# WRITING THEM ONCE


def example(field: Field, case: str, seed: int) -> Any:
    """A value of a field: its least, its most, or bytes that count up so that none can be moved."""
    match field:
        case Integer(bits, is_signed):
            low, high = field.range()
            if case != "counting":
                return low if case == "least" else high
            value = int.from_bytes(counting(bits // 8, seed), "big")
            return value - (1 << bits) if is_signed and value > high else value
        case Bytes(size):
            return {"least": bytes(size), "most": b"\xff" * size}.get(case, counting(size, seed))
        case Counted(_, ()):
            return b"" if case == "least" else counting(5, seed)
        case Counted(_, group):
            count = {"least": 0, "counting": 2}.get(case, 8)
            return tuple(tuple(examples(group, case, seed + 9 * at)) for at in range(count))
        case Repeated(times, item):
            return tuple(example(item, case, seed + at) for at in range(times))
        case Struct(names, inner):
            return order_of(dict(zip(names, examples(inner, case, seed), strict=True)))


def examples(fields: tuple[Field, ...], case: str, seed: int) -> list[Any]:
    return [example(field, case, seed + 3 * at) for at, field in enumerate(fields)]


def counting(size: int, seed: int) -> bytes:
    return bytes((seed + at) % 251 + 1 for at in range(size))


def vector(layout: Layout, kind: type[Any], case: str) -> dict[str, Any]:
    found = examples(layout.fields, case, layout.type)
    if issubclass(kind, Command):
        value = kind({"least": 0, "most": 2**64 - 1}.get(case, TIME_NS), *found)
        data = command_bytes(layout, value)
    else:
        value = kind(*found)
        data = event_bytes(layout, value)
    fields = {name: to_json(getattr(value, name)) for name in kind.__struct_fields__}
    return {"type": kind.__name__, "case": case, "fields": fields, "bytes": data.hex()}


def write_vectors() -> None:
    known = json.loads(VECTORS.read_text("utf8"))["vectors"] if VECTORS.exists() else []
    written = {(entry["type"], entry["case"]) for entry in known}
    for module, layouts in ((commands, command_layouts()), (events, event_layouts())):
        known += [
            vector(layout, getattr(module, name), case)
            for name, layout in layouts.items()
            for case in CASES
            if (name, case) not in written
        ]
    VECTORS.write_text(json.dumps({"vectors": known}, indent=1) + "\n", "utf8")


def to_json(value: Any) -> Any:
    """Integers as decimal strings, bytes in hex, so that no JSON reader rounds or guesses."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Order):
        return {name: to_json(getattr(value, name)) for name in ORDER_FIELDS}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    return str(value)


def from_json(value: Any) -> Any:
    if isinstance(value, dict):
        found = {name: from_json(item) for name, item in value.items()}
        return Order(**{**found, "conditions": Conditions(*found["conditions"])})
    if isinstance(value, list):
        return tuple(from_json(item) for item in value)
    return bytes.fromhex(value[2:]) if value.startswith("0x") else int(value)


# READING THEM FOR EVER


def vectors() -> list[Any]:
    if not VECTORS.exists():  # they are being written
        return []
    return [
        pytest.param(entry, id=f"{entry['type']}-{entry['case']}")
        for entry in json.loads(VECTORS.read_text("utf8"))["vectors"]
    ]


@pytest.mark.parametrize("entry", vectors())
def test_a_vector_reads_and_writes_as_on_the_first_day(entry: dict[str, Any]) -> None:
    fields = [from_json(value) for value in entry["fields"].values()]
    data = bytes.fromhex(entry["bytes"])
    kind = getattr(commands, entry["type"], None)
    if kind is not None:
        assert encode_command(kind(*fields)) == data
        assert decode_command(data) == kind(*fields)
    else:
        kind = getattr(events, entry["type"])
        assert encode_event(kind(*fields)) == data
        assert decode_event(data) == kind(*fields)


def test_every_type_has_its_vectors() -> None:
    entries = json.loads(VECTORS.read_text("utf8"))["vectors"]
    kinds = {
        name
        for module, base in ((commands, Command), (events, Event))
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    }
    assert {(e["type"], e["case"]) for e in entries} == {(k, c) for k in kinds for c in CASES}
    assert len(entries) == len(kinds) * len(CASES)


# HOSTILE BYTES


def head(kind: int) -> bytes:
    return bytes((1, kind)) + TIME_NS.to_bytes(8, "big")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Reject(MALFORMED, 0)),
        (b"\x01", Reject(MALFORMED, 1)),
        (head(0x42)[:-1], Reject(MALFORMED, 9)),
        (b"\x00" + head(0x42)[1:], Reject(UNSUPPORTED_VERSION, 0, 1)),
        (b"\x02" + head(0x42)[1:], Reject(UNSUPPORTED_VERSION, 2, 1)),
        (head(0x4F), Reject(MALFORMED, 1)),
        (head(0xFF), Reject(MALFORMED, 1)),
        (head(0x42) + b"\0", Reject(MALFORMED, 10)),
        (head(0x01), Reject(MALFORMED, 10)),
    ],
)
def test_what_is_no_command_is_refused_at_its_byte(data: bytes, expected: Reject) -> None:
    assert decode_command(data) == expected


def test_a_count_of_marks_that_do_not_follow_is_refused_without_reading_on() -> None:
    data = head(UpdateMarks.TYPE) + bytes(6) + b"\xff\xff" + bytes(27)
    assert decode_command(data) == Reject(MALFORMED, len(data))


def test_255_legs_can_be_read_and_are_the_engines_to_refuse() -> None:
    order = Order(1, 0, 0, 0, 0, 5, 1, 0, 9, 0, bytes(32), tuple((leg, 1) for leg in range(255)))
    command = PlaceOrder(TIME_NS, order, bytes(32), bytes(20), bytes(65))
    assert decode_command(encode_command(command)) == command


def test_a_count_of_legs_that_do_not_follow_is_refused() -> None:
    order = Order(1, 0, 0, 0, 0, 5, 1, 0, 9, 0, bytes(32), ((1, 1),))
    data = bytearray(encode_command(PlaceOrder(TIME_NS, order, bytes(32), bytes(20), bytes(65))))
    data[10 + 80] = 255
    got = decode_command(bytes(data))
    assert isinstance(got, Reject)
    assert got == Reject(MALFORMED, len(data))


def test_events_are_refused_alike() -> None:
    assert decode_event(b"") == Reject(MALFORMED, 0)
    assert decode_event(b"\x01") == Reject(MALFORMED, 1)
    assert decode_event(b"\x07\x32") == Reject(UNSUPPORTED_VERSION, 7, 1)
    assert decode_event(b"\x01\x7f") == Reject(MALFORMED, 1)
    assert decode_event(b"\x01\x30" + bytes(44) + b"\xff\xff\xff\xff") == Reject(MALFORMED, 50)


def test_a_settlement_has_thirty_samples() -> None:
    with pytest.raises(ValueError, match="zip"):
        encode_command(SettleExpiry(TIME_NS, 1, (5,) * 29))


@pytest.mark.parametrize("field", ["order_hash", "signer", "signature"])
def test_an_order_with_a_hash_or_signature_of_another_length_is_never_journaled(
    field: str,
) -> None:
    order = Order(1, 0, 0, 0, 0, 5, 1, 0, 9, 0, bytes(32), ((1, 1),))
    parts = {"order_hash": bytes(32), "signer": bytes(20), "signature": bytes(65)}
    parts[field] += b"\0"
    with pytest.raises(ValueError, match="bytes"):
        encode_command(PlaceOrder(TIME_NS, order, **parts))


def test_a_reject_can_repeat_any_number_that_a_message_can_say() -> None:
    event = events.CommandRejected(0, bytes(32), 402, 2**64 - 1, -(2**64))
    assert decode_event(encode_event(event)) == event


if __name__ == "__main__":
    write_vectors()
