"""Any bytes, cut anyhow: the FIX session says the same and never breaks."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exchange.gateway_fix.dictionary import find_fault
from exchange.gateway_fix.message import Framer, Garbled, encode, parse
from exchange.gateway_fix.orders import Reader, named_order, read_cancel
from exchange.gateway_fix.session import Application, Event, Session, SessionConfig, State
from exchange.gateway_fix.store import MemoryStore
from exchange.gateway_fix.timestamps import parse_timestamp, timestamp_text
from settlement.signed_messages import Order, decode_order, encode_order
from tests.model.fix import NOW_NS, NS, Parser, message, raw, timestamp
from tests.unit.small_venue import SYMBOLS, SmallVenue

ORDER = ((11, "a"), (55, "X"), (54, 1), (38, 1), (40, 2), (44, 5), (60, timestamp()))

sequence_numbers = st.integers(0, 9)
duplicates = st.sampled_from(
    [
        (),
        ((43, "Y"), (122, timestamp())),
        ((43, "Y"),),
        ((43, "Y"), (122, timestamp(NOW_NS + NS))),
        ((43, "N"),),
        ((97, "Y"),),
        ((115, "JCD"),),
    ]
)
bodies = st.one_of(
    st.just(("0", ())),
    st.just(("1", ((112, "x"),))),
    st.builds(lambda a, b: ("2", ((7, a), (16, b))), sequence_numbers, sequence_numbers),
    st.just(("3", ((45, 1),))),
    st.builds(
        lambda new, fill: ("4", ((36, new), *(((123, fill),) if fill else ()))),
        sequence_numbers,
        st.sampled_from(["", "Y", "N"]),
    ),
    st.just(("5", ())),
    st.builds(
        lambda reset: ("A", ((98, 0), (108, 30), *(((141, "Y"),) if reset else ()))),
        st.booleans(),
    ),
    st.just(("D", ORDER)),
    st.just(("D", (*ORDER, (999, 1)))),
    st.just(("8", ())),
    st.just(("*", ())),
)
messages = st.builds(
    lambda body, number, header, seconds, begin: message(
        body[0], number, *body[1], header=header, time_ns=NOW_NS + seconds * NS, begin=begin
    ),
    bodies,
    sequence_numbers,
    duplicates,
    st.sampled_from([0, 0, 0, 0, 200]),
    st.sampled_from(["FIX.4.4", "FIX.4.4", "FIX.4.4", "FIX.4.2"]),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(messages))
    at = draw(st.integers(0, len(data) - 1))
    match draw(st.integers(0, 2)):
        case 0:
            data[at] ^= 1 << draw(st.integers(0, 7))
        case 1:
            del data[at : at + draw(st.integers(1, 30))]
        case _:
            data[at:at] = draw(st.binary(max_size=10))
    return bytes(data)


pieces = st.one_of(
    messages, messages, messages, damaged(), st.binary(max_size=30), st.just(b"8=FIX"),
    st.just(b"\x01"), st.just(b"8=FIX.4.4\x019="), st.just(b"8=FIX.4.4\x019=40\x0135=0\x01"),
)  # fmt: skip
streams = st.lists(pieces, max_size=12).map(b"".join)
conversations = st.builds(
    lambda rest: message("A", 1, (98, 0), (108, 30)) + b"".join(rest), st.lists(pieces, max_size=12)
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[low:high] for low, high in pairwise(ends)]


def hear(parts: list[bytes]) -> tuple[list[Event], bytes, tuple[int, int, State]]:
    store = MemoryStore()
    session = Session(SessionConfig("STRADDLE", "MAKER", frozenset("D")), store, is_initiator=False)
    session.connected(NOW_NS)
    events: list[Event] = []
    said = b""
    for part in parts:
        events += session.receive(part, NOW_NS)
        said += session.output.take(1 << 20)
    return events, said, (store.next_incoming, store.next_outgoing, session.state)


def fresh(said: bytes) -> list[bytes]:
    """What was said for the first time. (What is said again is made as the socket takes it: two
    requests that meet are answered by one range.)
    """
    return [part for part in said.split(b"8=FIX") if b"\x0143=Y\x01" not in part]


def numbers(events: list[Event]) -> list[int]:
    return [event.sequence for event in events if isinstance(event, Application)]


def told(events: list[Event]) -> list[str]:
    return [repr(event) for event in events]


@given(streams, st.lists(st.integers(0, 10_000), max_size=8))
def test_frames_do_not_depend_on_how_the_bytes_come(data: bytes, places: list[int]) -> None:
    def frames(parts: list[bytes]) -> list[bytes | Garbled]:
        framer = Framer()
        found: list[bytes | Garbled] = []
        for part in parts:
            framer.feed(part)
            while (frame := framer.next()) is not None:
                found.append(frame)
        return found

    whole = frames([data])
    assert frames(cut(data, places)) == whole
    assert frames([data[at : at + 1] for at in range(len(data))]) == whole


@given(conversations, st.lists(st.integers(0, 10_000), max_size=8))
def test_a_session_does_not_depend_on_how_the_bytes_come(data: bytes, places: list[int]) -> None:
    events, said, end = hear([data])
    for parts in (cut(data, places), [data[at : at + 1] for at in range(len(data))]):
        again, said_again, end_again = hear(parts)
        assert told(again) == told(events)
        assert end_again == end
        assert fresh(said_again) == fresh(said)


@given(conversations)
def test_what_a_session_says_is_always_well_formed_and_numbered(data: bytes) -> None:
    _, said, (_, next_outgoing, _) = hear([data])
    fresh = [one for one in Parser().feed(said) if one.get(43) != "Y"]
    resets = [one for one in fresh if one.get(141) == "Y"]
    expected = 0
    for one in fresh:
        expected = 1 if one in resets else expected + 1
        assert one.number == expected
        assert (one[49], one[56]) == ("STRADDLE", "MAKER")
    assert next_outgoing == expected + 1 or not fresh


@given(conversations)
def test_messages_are_delivered_in_rising_order(data: bytes) -> None:
    events, _, _ = hear([data])
    has_begun_anew = sum("LoggedOn" in repr(event) for event in events) > 1
    delivered = numbers(events)
    assert has_begun_anew or delivered == sorted(set(delivered))


@given(st.binary(max_size=400), st.booleans())
def test_random_bytes_never_break_a_session(data: bytes, is_logged_on: bool) -> None:
    start = message("A", 1, (98, 0), (108, 30)) if is_logged_on else b""
    hear([start + data])


texts = st.text(st.characters(max_codepoint=255, exclude_characters="\x01"), max_size=20)
tag_texts = st.one_of(st.integers(-5, 1_000).map(str), st.integers(20_000, 20_014).map(str), texts)


@given(st.sampled_from("0123456789ADFGjVX*"), st.lists(st.tuples(tag_texts, texts), max_size=12))
def test_any_fields_can_be_judged(kind: str, fields: list[tuple[str, str]]) -> None:
    parsed = parse(raw(f"35={kind}|" + "".join(f"{tag}={value}|" for tag, value in fields)))
    find_fault(parsed)
    reader = Reader(SmallVenue([]))
    reader.new_order(parsed, None)
    named_order(parsed, lambda _: None)
    read_cancel(parsed, bytes(32), None)
    parsed.number(34)


order_values = st.one_of(
    st.integers(-3, 3).map(str),
    st.integers(0, 1 << 70).map(str),
    st.decimals(-1_000, 1_000, places=4).map(str),
    st.sampled_from([*SYMBOLS, f"+1*{SYMBOLS[0]},-2*{SYMBOLS[1]}", "", "²", "0x" + "ab" * 65]),
    st.binary(max_size=70).map(bytes.hex),
)


@given(
    st.fixed_dictionaries(
        {
            tag: st.one_of(st.just(usual), st.just(usual), st.just(usual), order_values)
            for tag, usual in {
                1: "7", 11: "a", 18: "6", 55: SYMBOLS[0], 54: "1", 38: "0.5", 40: "2",
                44: "1234.5", 59: "1", 20001: "3", 20002: "400", 20003: "1768500000",
                20004: "18446744073709551615", 20005: "11" * 65, 20006: "22" * 32,
            }.items()
        }
    )
)  # fmt: skip
def test_an_order_that_is_read_always_fits_its_bytes(fields: dict[int, str]) -> None:
    """What is handed to the venue can be packed, hashed and journaled."""
    text = "".join(f"{tag}={value}|" for tag, value in fields.items())
    new = Reader(SmallVenue([])).new_order(parse(raw("35=D|" + text)), None)
    order = getattr(new, "order", None)
    if order is not None:
        assert isinstance(order, Order)
        assert decode_order(encode_order(order)) == (order, len(encode_order(order)))


@given(
    st.lists(
        st.tuples(
            st.integers(36, 40_000).filter(lambda tag: tag not in (90, 93, 95, 212, 348, 350)),
            texts.filter(bool),
        ),
        max_size=12,
    )
)
def test_what_is_encoded_is_read_back(fields: list[tuple[int, str]]) -> None:
    data = encode("FIX.4.4", [(35, "D"), *fields])
    framer = Framer()
    framer.feed(data + data)
    assert framer.next() == data
    assert framer.next() == data
    assert framer.next() is None
    lengths = {354, 358, 360, 362, 364, 445, 618, 621}
    if not lengths & {tag for tag, _ in fields}:
        assert parse(data).fields[3:-1] == fields


@given(st.integers(0, 4_000_000_000 * NS))
def test_moments_are_written_and_read_to_the_millisecond(time_ns: int) -> None:
    assert parse_timestamp(timestamp_text(time_ns)) == time_ns // 10**6 * 10**6
    assert timestamp_text(time_ns) == timestamp(time_ns)
