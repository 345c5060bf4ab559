"""The other side of a FIX session, written and read with simplefix alone: an independent witness of
what the door says.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import simplefix

NS = 10**9
NOW_NS = 1_768_469_400 * NS  # 15 January 2026, 09:30


def timestamp(time_ns: int = NOW_NS) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)
    return moment.strftime("%Y%m%d-%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def message(
    kind: str,
    number: int | None,
    *body: tuple[int, Any],
    sender: str = "MAKER",
    target: str = "STRADDLE",
    time_ns: int = NOW_NS,
    begin: str = "FIX.4.4",
    header: tuple[tuple[int, Any], ...] = (),
) -> bytes:
    """A message as simplefix encodes it."""
    built = simplefix.FixMessage()
    built.append_pair(8, begin, header=True)
    built.append_pair(35, kind, header=True)
    built.append_pair(49, sender, header=True)
    built.append_pair(56, target, header=True)
    if number is not None:
        built.append_pair(34, number, header=True)
    built.append_pair(52, timestamp(time_ns), header=True)
    for tag, value in header:
        built.append_pair(tag, value, header=True)
    for tag, value in body:
        built.append_pair(tag, value)
    return built.encode()


def raw(text: str) -> bytes:
    """A message written out with | for the separator, its length and checksum added."""
    body = text.replace("|", "\x01").encode("latin-1")
    data = b"8=FIX.4.4\x019=%d\x01" % len(body) + body
    return data + b"10=%03d\x01" % (sum(data) % 256)


class Received:
    """A message from the door, by simplefix."""

    def __init__(self, parsed: simplefix.FixMessage) -> None:
        self.pairs = [(int(tag), value.decode("latin-1")) for tag, value in parsed.pairs]
        assert [tag for tag, _ in self.pairs[:3]] == [8, 9, 35]
        assert self.pairs[-1][0] == 10

    def __getitem__(self, tag: int) -> str:
        return dict(self.pairs)[tag]

    def get(self, tag: int) -> str | None:
        return dict(self.pairs).get(tag)

    @property
    def kind(self) -> str:
        return self[35]

    @property
    def number(self) -> int:
        return int(self[34])

    def __repr__(self) -> str:
        return "|".join(f"{tag}={value}" for tag, value in self.pairs)


class Parser:
    """Reads what the door wrote; checks lengths and checksums byte by byte."""

    def __init__(self) -> None:
        self._parser = simplefix.FixParser()
        self._data = b""

    def feed(self, data: bytes) -> list[Received]:
        self._data += data
        self._parser.append_buffer(data)
        found: list[Received] = []
        while (parsed := self._parser.get_message()) is not None:
            end = self._data.index(b"\x0110=") + 8
            one, self._data = self._data[:end], self._data[end:]
            received = Received(parsed)
            body = one.split(b"\x01", 2)[2][:-7]
            assert len(body) == int(received[9]), received
            assert sum(one[:-7]) % 256 == int(received[10]), received
            found.append(received)
        return found
