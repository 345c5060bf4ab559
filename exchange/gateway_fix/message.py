"""FIX messages as bytes: finding them in a stream, reading their fields, writing them.

Holds: whatever the bytes and however they are cut into pieces, the same frames come out; a frame
has the BodyLength and the CheckSum that it states, begins with 8, 9, 35 and ends with 10. What is
garbled is passed over, as the standard wants it: a message of which the length is wrong takes the
bytes that it claims with it.
Never: raises on bytes from outside, or knows what a message means.
"""

import re
from collections.abc import Iterable, KeysView
from typing import Final, NamedTuple

from exchange.gateway_fix.tags import (
    BEGIN_STRING,
    BODY_LENGTH,
    CHECK_SUM,
    MSG_TYPE,
)

MAX_BODY_BYTES: Final = 16_384
"""An order of 8 legs and its signature have about 600."""

Field = tuple[int, str]

_START: Final = b"8=FIX"
_JUNK_END: Final = b"\x01" + _START
_HEAD: Final = re.compile(rb"8=(FIX[^\x01=]{1,12})\x019=([0-9]{1,9})\x01")
_MAX_HEAD_BYTES: Final = 30
_TRAILER: Final = re.compile(rb"10=([0-9]{3})\x01")
_TRAILER_BYTES: Final = 7
_TAG: Final = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)

DATA_LENGTHS: Final[dict[int, int]] = {
    90: 91, 93: 89, 95: 96, 212: 213, 348: 349, 350: 351, 354: 355,
    358: 359, 360: 361, 362: 363, 364: 365, 445: 446, 618: 619, 621: 622,
}  # fmt: skip
"""A field of raw bytes, by the field before it that gives its length; it may hold any byte."""

_USUAL_TAGS: Final = {str(tag): tag for tag in (*range(1, 957), *range(20001, 20014))}


class Garbled(NamedTuple):
    """Bytes that are no message, and were passed over."""

    why: str


class Message:
    """A message's fields in order, from BeginString to CheckSum. Text is Latin-1: one character
    a byte, whatever the byte. `bad_field` is the first piece that has no tag, or None.
    """

    __slots__ = ("_by_tag", "bad_field", "fields", "type")

    def __init__(self, fields: list[Field], bad_field: str | None = None) -> None:
        self.fields = fields
        self.bad_field = bad_field
        self._by_tag = dict(reversed(fields))
        self.type = self._by_tag.get(MSG_TYPE, "")

    def get(self, tag: int) -> str | None:
        """The first value of a tag."""
        return self._by_tag.get(tag)

    def has_any(self, tags: KeysView[int]) -> bool:
        """Whether one of the tags is there."""
        return not tags.isdisjoint(self._by_tag)

    def text(self, tag: int) -> str:
        """The first value of a tag; empty where there is none."""
        return self._by_tag.get(tag, "")

    def number(self, tag: int) -> int | None:
        """The first value of a tag as a whole number that is not negative, or None."""
        value = self._by_tag.get(tag, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else None

    def is_set(self, tag: int) -> bool:
        """Whether a flag is there and says yes."""
        return self._by_tag.get(tag) == "Y"

    def __repr__(self) -> str:
        return "|".join(f"{tag}={value}" for tag, value in self.fields)


class Framer:
    """Cuts a stream of bytes into messages."""

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_body_bytes = max_body_bytes
        self._buffer = bytearray()
        self._at_boundary = True
        """Whether a message may begin with the next byte; within junk it may not."""
        self._is_noted = False
        """Whether the junk that is being passed over was told."""

    def feed(self, data: bytes) -> None:
        """Takes what came from the socket."""
        self._buffer += data

    def next(self) -> bytes | Garbled | None:
        """The next whole message, a note of what was passed over, or None until more comes."""
        while True:
            if self._at_boundary:
                buffer = self._buffer
                if buffer.startswith(_START):
                    self._is_noted = False
                    return self._take()
                if _START.startswith(bytes(buffer[: len(_START)])):
                    return None
                self._at_boundary = False
            self._pass_junk()
            if not self._is_noted:
                self._is_noted = True
                return Garbled("bytes that begin no message")
            if not self._at_boundary:
                return None

    def _pass_junk(self) -> None:
        """Drops bytes up to where a message may begin: behind the end of a field."""
        buffer = self._buffer
        at = buffer.find(_JUNK_END)
        if at >= 0:
            del buffer[: at + 1]
            self._at_boundary = True
        else:
            # The last bytes may be the first ones of a beginning.
            kept = next(n for n in range(5, -1, -1) if buffer.endswith(_JUNK_END[:n]))
            del buffer[: len(buffer) - kept]

    def _take(self) -> bytes | Garbled | None:
        """The message at the front, once all of it is there."""
        buffer = self._buffer
        head = _HEAD.match(buffer)
        if head is None:
            if len(buffer) < _MAX_HEAD_BYTES and buffer.count(b"\x01") < 2:
                return None
            return self._pass_over(1, "the message does not begin with 8 and 9")
        body_bytes = int(head[2])
        if body_bytes > self._max_body_bytes:
            return self._pass_over(
                1, f"a body of {body_bytes} bytes; at most {self._max_body_bytes} are read"
            )
        body_end = head.end() + body_bytes
        end = body_end + _TRAILER_BYTES
        if len(buffer) < end:
            return None
        trailer = _TRAILER.match(buffer, body_end, end)
        if trailer is None or buffer[body_end - 1] != 1:
            return self._pass_over(body_end, "BodyLength (9) is wrong")
        if sum(buffer[:body_end]) % 256 != int(trailer[1]):
            return self._pass_over(end, "CheckSum (10) is wrong")
        if not buffer.startswith(b"35=", head.end()):
            return self._pass_over(end, "MsgType (35) is not the third field")
        frame = bytes(buffer[:end])
        del buffer[:end]
        return frame

    def _pass_over(self, count: int, why: str) -> Garbled:
        """Drops a garbled message, or only its first byte where nobody knows how long it is."""
        del self._buffer[:count]
        self._at_boundary = True
        self._is_noted = True
        return Garbled(why)


def parse(frame: bytes) -> Message:
    """The fields of a frame. A piece without `tag=` becomes `bad_field`, never an error."""
    text = frame.decode("latin-1")
    pieces = text.split("\x01")
    pieces.pop()
    message = _read(pieces)
    if message.has_any(DATA_LENGTHS.keys()):
        return _read(_split_with_data(text))
    return message


def _read(pieces: list[str]) -> Message:
    fields: list[Field] = []
    bad_field: str | None = None
    for piece in pieces:
        name, equals, value = piece.partition("=")
        tag = _USUAL_TAGS.get(name)
        if tag is not None and equals:
            fields.append((tag, value))
        elif equals and _TAG.fullmatch(name):
            fields.append((int(name), value))
        elif bad_field is None:
            bad_field = name
    return Message(fields, bad_field)


def _split_with_data(text: str) -> list[str]:
    """Pieces of a message that has fields of raw bytes: a stated length overrules separators."""
    pieces: list[str] = []
    at = 0
    expected: tuple[str, int] | None = None
    while at < len(text):
        end = text.find("\x01", at)
        if end < 0:
            end = len(text)
        if expected is not None and text.startswith(expected[0], at):
            stated_end = at + len(expected[0]) + expected[1]
            if text[stated_end : stated_end + 1] == "\x01":
                end = stated_end
        piece = text[at:end]
        pieces.append(piece)
        expected = None
        tag, _, value = piece.partition("=")
        if tag.isascii() and tag.isdigit() and value.isascii() and value.isdigit():
            data_tag = DATA_LENGTHS.get(int(tag[:9]))
            if data_tag is not None:
                expected = (f"{data_tag}=", int(value[:9]))
        at = end + 1
    return pieces


def encode(begin_string: str, fields: Iterable[Field]) -> bytes:
    """A whole message of the fields from MsgType on; lengths and checksum are added. A value
    may not hold the separator (`clean`); what is not Latin-1 becomes a question mark.
    """
    body = "".join([f"{tag}={value}\x01" for tag, value in fields])
    data = body.encode("latin-1", "replace")
    head = f"{BEGIN_STRING}={begin_string}\x01{BODY_LENGTH}={len(data)}\x01".encode()
    data = head + data
    return data + f"{CHECK_SUM}={sum(data) % 256:03d}\x01".encode()


def clean(text: str) -> str:
    """A value that cannot break a frame."""
    return text.replace("\x01", "?")
