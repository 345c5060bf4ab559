"""FIX bytes: what is a message, what is garbled, and which fault each wrong field is."""

import pytest
import simplefix

from exchange.gateway_fix.dictionary import Fault, find_fault
from exchange.gateway_fix.message import MAX_BODY_BYTES, Framer, Garbled, Message, encode, parse
from exchange.gateway_fix.timestamps import parse_timestamp, timestamp_text
from tests.model.fix import NOW_NS, NS, message, raw, timestamp

HEADER = f"49=MAKER|56=STRADDLE|34=2|52={timestamp()}|"
ORDER = f"11=a|55=X|54=1|38=1|40=2|44=5|60={timestamp()}|"


def frames(data: bytes) -> list[bytes | Garbled]:
    framer = Framer()
    framer.feed(data)
    found: list[bytes | Garbled] = []
    while (frame := framer.next()) is not None:
        found.append(frame)
    return found


def good(data: bytes) -> list[bytes]:
    return [frame for frame in frames(data) if isinstance(frame, bytes)]


# Frames ----------------------------------------------------------------------------------------


def test_messages_of_another_library_are_read_field_by_field() -> None:
    data = message("D", 2, (11, "a"), (55, "BTC-27MAR26-90000-C"), (58, b"caf\xe9"))
    assert frames(data * 3) == [data] * 3
    parsed = parse(data)
    assert parsed.type == "D"
    assert parsed.get(55) == "BTC-27MAR26-90000-C"
    assert parsed.get(58) == "café"
    assert parsed.fields[0] == (8, "FIX.4.4")
    assert parsed.fields[-1][0] == 10


def test_another_library_reads_what_is_encoded_here() -> None:
    data = encode("FIX.4.4", [(35, "8"), (34, "7"), (58, "naïve 🙂")])
    parser = simplefix.FixParser()
    parser.append_buffer(data)
    parsed = parser.get_message()
    assert parsed is not None
    assert parsed.get(58) == "naïve ?".encode("latin-1")
    assert data == parsed.encode()


def test_a_wrong_checksum_loses_that_message_alone() -> None:
    data = message("0", 2)
    wrong = data[:-4] + b"%03d\x01" % ((int(data[-4:-1]) + 1) % 256)
    assert frames(wrong + data) == [Garbled("CheckSum (10) is wrong"), data]


@pytest.mark.parametrize("checksum", [b"256", b"1", b"0001", b"abc", b""])
def test_a_checksum_is_three_digits(checksum: bytes) -> None:
    data = message("0", 2)
    assert good(data[:-4] + checksum + b"\x01" + data) == [data]


def test_a_length_that_is_too_short_loses_that_message_alone() -> None:
    lie = b"8=FIX.4.4\x019=30\x01" + message("0", 2).split(b"\x01", 2)[2]
    following = message("0", 3)
    assert frames(lie + following) == [Garbled("BodyLength (9) is wrong"), following]


def test_a_length_that_is_too_long_takes_what_it_claims_and_no_more() -> None:
    body = message("0", 2).split(b"\x01", 2)[2]
    lie = b"8=FIX.4.4\x019=%d\x01" % (len(body) + 20) + body
    swallowed, following = message("0", 3), message("0", 4)
    assert good(lie + swallowed + following) == [following]


@pytest.mark.parametrize("length", [b"-1", b"+5", b"", b"1x", b"1234567890", b"99999999999999"])
def test_a_length_that_is_no_number_is_garbled(length: bytes) -> None:
    data = message("0", 2)
    assert good(b"8=FIX.4.4\x019=" + length + b"\x0135=0\x0110=000\x01" + data) == [data]


def test_a_length_that_ends_within_a_field_is_wrong() -> None:
    body = b"35=0\x0158=x"
    data = b"8=FIX.4.4\x019=%d\x01" % len(body) + body
    data += b"10=%03d\x01" % (sum(data) % 256)
    assert good(data) == []


def test_an_oversized_message_is_not_waited_for() -> None:
    data = message("0", 2)
    lie = b"8=FIX.4.4\x019=%d\x01" % (MAX_BODY_BYTES + 1)
    first, second = frames(lie + b"35=0\x01" + data)
    assert isinstance(first, Garbled)
    assert f"at most {MAX_BODY_BYTES}" in first.why
    assert second == data


def test_the_first_three_fields_have_one_order() -> None:
    data = message("0", 2)
    assert good(b"35=0\x018=FIX.4.4\x019=5\x0134=2\x0110=121\x01" + data) == [data]
    assert good(raw("34=2|35=0|") + data) == [data]
    assert good(b"9=5\x018=FIX.4.4\x0135=0\x0110=000\x01" + data) == [data]


def test_a_beginning_inside_a_field_of_junk_begins_nothing() -> None:
    data = message("0", 2)
    assert good(b"x8=FIX.4.4\x01" + data) == [data]
    assert good(b"58=8=FIX.4.4\x01\x01" + data) == [data]


def test_raw_data_may_hold_separators_and_whole_messages() -> None:
    inner = message("0", 9)
    built = simplefix.FixMessage()
    built.append_pair(8, "FIX.4.4")
    built.append_pair(35, "A")
    built.append_data(95, 96, inner)
    built.append_pair(108, 30)
    data = built.encode()
    (frame,) = good(data)
    parsed = parse(frame)
    assert parsed.get(96) == inner.decode("latin-1")
    assert parsed.get(108) == "30"


@pytest.mark.parametrize("length", ["3", "4000", "x", "", "²"])
def test_a_wrong_length_of_raw_data_falls_back_to_separators(length: str) -> None:
    parsed = parse(raw(f"35=A|95={length}|96=ab|108=30|"))
    assert parsed.get(96) == "ab"
    assert parsed.get(108) == "30"


def test_digits_of_other_scripts_are_no_digits() -> None:
    parsed = parse(raw("35=A|95=1|²=5|1²=5|34=²|"))
    assert parsed.bad_field == "²"
    assert parsed.number(34) is None


# Faults ----------------------------------------------------------------------------------------


def fault(text: str) -> Fault | None:
    return find_fault(parse(raw(text)))


def test_a_usual_order_and_all_admin_messages_have_no_fault() -> None:
    own = "1=3|59=1|18=6|20001=0|20002=5|20003=6|20004=7|20005=ab|20006=cd|"
    for text in (
        "35=D|" + HEADER + ORDER + own,
        "35=G|" + HEADER + ORDER + own + "41=old|37=ff|",
        "35=F|" + HEADER + f"11=b|41=a|54=1|55=X|60={timestamp()}|20005=ab|",
        "35=0|" + HEADER,
        "35=0|" + HEADER + "112=x|",
        "35=1|" + HEADER + "112=x|",
        "35=2|" + HEADER + "7=1|16=0|",
        "35=3|" + HEADER + "45=1|58=no|",
        "35=4|" + HEADER + "36=9|123=Y|",
        "35=5|" + HEADER,
        "35=A|" + HEADER + "98=0|108=30|141=Y|553=u|554=p|",
        "35=V|" + HEADER + "262=q|267=2|269=0|269=1|",  # not checked beyond its header
    ):
        assert fault(text) is None, text


@pytest.mark.parametrize(
    ("text", "reason", "tag"),
    [
        ("35=0|" + HEADER + "999=x|", 0, "999"),
        ("35=0|" + HEADER + "5000=x|", 0, "5000"),
        ("35=0|" + HEADER + "0=x|", 0, "0"),
        ("35=0|" + HEADER + "-1=x|", 0, "-1"),
        ("35=0|" + HEADER + "abc=x|", 0, None),
        ("35=0|" + HEADER + "0112=x|", 0, "0112"),
        ("35=0|" + HEADER + "nothing|", 0, None),
        ("35=0|49=MAKER|34=2|52=20260115-09:30:00|", 1, "56"),
        ("35=1|" + HEADER, 1, "112"),
        ("35=D|" + HEADER + "40=2|60=20260115-09:30:00|54=1|", 1, "11"),
        ("35=F|" + HEADER + "11=x|41=y|54=1|", 1, "60"),
        ("35=0|" + HEADER + "55=X|", 2, "55"),
        ("35=0|" + HEADER + "20001=1|", 0, "20001"),
        ("35=0|49=MAKER|56=|34=2|52=20260115-09:30:00|", 4, "56"),
        ("35=D|" + HEADER + ORDER + "21=4|", 5, "21"),
        ("35=D|" + HEADER + ORDER + "167=BOO|", 5, "167"),
        ("35=D|" + HEADER + ORDER.replace("38=1", "38=+200.00"), 6, "38"),
        ("35=D|" + HEADER + ORDER.replace("44=5", "44=5e3"), 6, "44"),
        ("35=D|" + HEADER + ORDER.replace("44=5", "44=²"), 6, "44"),
        ("35=D|" + HEADER + ORDER + "126=20040415|", 6, "126"),
        ("35=0|49=M|56=S|34=x|52=20260115-09:30:00|", 6, "34"),
        ("35=0|49=M|56=S|34=2|52=20261315-09:30:00|", 6, "52"),
        ("35=0|49=M|56=S|34=2|43=yes|52=20260115-09:30:00|", 6, "43"),
        ("35=*|" + HEADER, 11, None),
        ("35=|" + HEADER, 11, None),
        ("35=D|" + HEADER + ORDER + "40=2|", 13, "40"),
        ("35=0|" + HEADER + "49=MAKER|", 13, "49"),
        ("35=D|11=a|" + HEADER + "54=1|40=2|55=X|60=20260115-09:30:00|", 14, "49"),
        ("35=D|" + HEADER + ORDER + "386=3|336=A|336=B|", 16, "386"),
        ("35=D|" + HEADER + ORDER + "453=1|448=a|447=D|452=1|448=b|", 16, "453"),
        ("35=D|" + HEADER + ORDER + "453=1|447=D|448=a|", 16, "453"),
        ("35=D|" + HEADER + ORDER + "453=1|448=a|447=D|447=D|", 16, "453"),
        ("35=D|" + HEADER + ORDER + "453=1|448=a|802=2|523=x|803=1|", 16, "453"),
    ],
)
def test_each_wrong_field_has_its_reason(text: str, reason: int, tag: str | None) -> None:
    assert fault(text) == Fault(reason, tag)


def test_repeating_groups_may_nest() -> None:
    groups = "453=2|448=a|447=D|452=1|802=2|523=x|803=1|523=y|448=b|386=1|336=OPEN|454=0|"
    assert fault("35=D|" + HEADER + ORDER + groups) is None


def test_header_and_body_may_have_any_order_within_themselves() -> None:
    shuffled = f"52={timestamp()}|34=2|56=STRADDLE|49=MAKER|"
    assert fault("35=D|" + shuffled + f"60={timestamp()}|44=5|40=2|38=1|54=1|55=X|11=a|") is None


# Timestamps ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("20260115-09:30:00", NOW_NS),
        ("20260115-09:30:00.123", NOW_NS + 123_000_000),
        ("20260115-09:30:00.123456789", NOW_NS + 123_456_789),
        ("20260115-09:29:60", NOW_NS),
        ("19700101-00:00:00.000", 0),
        ("20240229-00:00:00", 1_709_164_800 * NS),
        ("20260229-00:00:00", None),
        ("20260115-24:00:00", None),
        ("20260115-09:30:61", None),
        ("20260115 09:30:00", None),
        ("20260115-09:30", None),
        ("20260115-09:30:00.", None),
        ("20260115-09:30:00.1234567890", None),
        ("20260115-09:30:0x", None),
        ("", None),
    ],
)
def test_moments_are_read_exactly_or_not_at_all(text: str, time_ns: int | None) -> None:
    assert parse_timestamp(text) == time_ns


def test_moments_are_written_in_milliseconds_rounded_down() -> None:
    assert timestamp_text(NOW_NS + 123_999_999) == "20260115-09:30:00.123"
    assert timestamp_text(NOW_NS) == timestamp(NOW_NS)


def test_the_first_of_a_repeated_tag_counts() -> None:
    assert Message([(58, "a"), (58, "b")]).get(58) == "a"
