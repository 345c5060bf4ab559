"""Bytes of commands and events: what goes in comes out; whatever else goes in is refused."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange import commands, events
from exchange.codec import decode_command, decode_event, encode_command, encode_event
from exchange.commands import Command
from exchange.events import Event
from matching.rejects import MALFORMED, UNSUPPORTED_VERSION, Reject
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

COMMANDS = command_layouts()
EVENTS = event_layouts()
U64_END = 1 << 64


def values(field: Field) -> st.SearchStrategy[Any]:
    """All that a field can hold, its ends often."""
    match field:
        case Integer():
            low, high = field.range()
            return st.one_of(st.integers(low, high), st.sampled_from((low, high)))
        case Bytes(size):
            return st.binary(min_size=size, max_size=size)
        case Counted(_, ()):
            return st.binary(max_size=40)
        case Counted(_, group):
            return st.lists(st.tuples(*map(values, group)), max_size=9).map(tuple)
        case Repeated(times, item):
            return st.lists(values(item), min_size=times, max_size=times).map(tuple)
        case Struct(names, inner):
            fields = dict(zip(names, map(values, inner), strict=True))
            return st.fixed_dictionaries(fields).map(order_of)


def of_layout(kind: type[Any], layout: Layout, *first: st.SearchStrategy[Any]) -> Any:
    return st.builds(kind, *first, *map(values, layout.fields))


any_time = values(Integer(64, False))
any_command: st.SearchStrategy[Command] = st.one_of(
    *(of_layout(getattr(commands, name), layout, any_time) for name, layout in COMMANDS.items())
)
any_event: st.SearchStrategy[Event] = st.one_of(
    *(of_layout(getattr(events, name), layout) for name, layout in EVENTS.items())
)


def test_every_command_and_every_event_has_a_layout_under_its_number() -> None:
    for module, layouts, base in ((commands, COMMANDS, Command), (events, EVENTS, Event)):
        classes = {
            name: kind.TYPE
            for name, kind in vars(module).items()
            if isinstance(kind, type) and issubclass(kind, base) and kind is not base
        }
        assert classes == {name: layout.type for name, layout in layouts.items()}
        assert len(set(classes.values())) == len(classes)


@given(any_command)
def test_a_command_has_the_bytes_that_the_page_gives_it(command: Command) -> None:
    data = encode_command(command)
    assert data == command_bytes(COMMANDS[type(command).__name__], command)
    assert decode_command(data) == command


@given(any_event)
def test_an_event_has_the_bytes_of_its_layout(event: Event) -> None:
    data = encode_event(event)
    assert data == event_bytes(EVENTS[type(event).__name__], event)
    assert decode_event(data) == event


@given(any_command, st.data())
def test_a_command_cut_anywhere_is_malformed_and_told_where(
    command: Command, draw: st.DataObject
) -> None:
    data = encode_command(command)
    cut = data[: draw.draw(st.integers(0, len(data) - 1))]
    got = decode_command(cut)
    assert isinstance(got, Reject)
    assert got.code == MALFORMED
    assert 0 <= got.got <= len(cut)


@given(any_event, st.data())
def test_an_event_cut_anywhere_is_malformed(event: Event, draw: st.DataObject) -> None:
    data = encode_event(event)
    got = decode_event(data[: draw.draw(st.integers(0, len(data) - 1))])
    assert isinstance(got, Reject)
    assert got.code == MALFORMED


@given(any_command, any_event, st.binary(min_size=1, max_size=200))
def test_nothing_may_follow(command: Command, event: Event, more: bytes) -> None:
    data = encode_command(command)
    assert decode_command(data + more) == Reject(MALFORMED, len(data))
    data = encode_event(event)
    assert decode_event(data + more) == Reject(MALFORMED, len(data))


def assert_canonical(data: bytes) -> None:
    """Whatever can be read is written in one way."""
    command = decode_command(data)
    if not isinstance(command, Reject):
        assert encode_command(command) == data
    event = decode_event(data)
    if not isinstance(event, Reject):
        assert encode_event(event) == data


@given(st.binary(max_size=400))
def test_any_bytes_are_read_in_one_way_or_refused(data: bytes) -> None:
    assert_canonical(data)


@given(
    st.sampled_from(sorted(layout.type for layout in (*COMMANDS.values(), *EVENTS.values()))),
    st.binary(max_size=400),
)
def test_any_bytes_after_a_known_head_are_read_in_one_way_or_refused(
    kind: int, rest: bytes
) -> None:
    assert_canonical(bytes((1, kind)) + rest)


@given(st.one_of(any_command.map(encode_command), any_event.map(encode_event)), st.data())
def test_a_changed_byte_is_another_message_or_none(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    changed = data[:at] + bytes((data[at] ^ draw.draw(st.integers(1, 255)),)) + data[at + 1 :]
    assert_canonical(changed)
    if at == 0:
        assert decode_command(changed[:1] + data[1:].ljust(10)) == Reject(
            UNSUPPORTED_VERSION, changed[0], 1
        )
        assert decode_event(changed) == Reject(UNSUPPORTED_VERSION, changed[0], 1)


@given(any_command, any_command)
def test_two_commands_have_the_same_bytes_only_if_they_are_equal(
    one: Command, other: Command
) -> None:
    assert (encode_command(one) == encode_command(other)) == (one == other)


@pytest.mark.parametrize("name", COMMANDS)
@given(st.data())
def test_a_field_beyond_its_range_is_never_written(name: str, draw: st.DataObject) -> None:
    """It raises: whoever built it has a bug, and half a field in the journal would hide it."""
    layout, kind = COMMANDS[name], getattr(commands, name)
    command = draw.draw(of_layout(kind, layout, any_time))
    at = draw.draw(st.integers(0, len(layout.fields)))
    field = Integer(64, False) if at == 0 else layout.fields[at - 1]
    found = [getattr(command, field_name) for field_name in kind.__struct_fields__]
    match field:
        case Integer():
            low, high = field.range()
            found[at] = draw.draw(st.sampled_from((low - 1, high + 1, 1 << 200)))
        case Bytes(size):
            found[at] = bytes(draw.draw(st.sampled_from((0, size - 1, size + 1))))
        case Repeated(times, _):
            found[at] = (0,) * draw.draw(st.sampled_from((0, times - 1, times + 1)))
        case Counted() | Struct():
            return
    with pytest.raises((OverflowError, ValueError, struct.error)):
        encode_command(kind(*found))
