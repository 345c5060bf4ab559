"""What a session must remember: the next number each way, what was sent, and notes of the
application (its live orders).

Holds: whatever was flushed is there after the process was killed; what was sent can be sent again,
so a counterparty that reconnects is never told numbers that it has seen. With `fsync` it outlives a
power cut too.
Never: holds the text of more than the last `KEPT_MESSAGES` messages; older ones are gap-filled.

File: `length u32 | crc32 u32 | kind u8 | body`, appended; a reset or an excess of dead bytes
writes it anew beside and renames. An end that a crash cut off is dropped: nothing that was on the
wire is there, since the file is written before the socket.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final, Protocol
from zlib import crc32

from exchange.journal.disk import Disk

KEPT_MESSAGES: Final = 100_000
_DEAD_BYTES: Final = 64 << 20

_HEAD: Final = Struct(">IIB")
_NUMBER: Final = Struct(">Q")
_CRC_AT: Final = 8
_SENT: Final = 1  # number u64, message (empty: one that is never sent again)
_EXPECTED: Final = 2  # the number after the last message that was dealt with
_NOTE: Final = 3  # length of the key u8, key, value (empty: forgotten)


class StoreDamaged(Exception):
    """A session's file is not what was written."""


class SessionStore(Protocol):
    """What `session.Session` and the application ask of a store."""

    next_outgoing: int
    next_incoming: int

    def sent(self, message: bytes | None) -> None:
        """Takes the number `next_outgoing`; `message` is what can be sent again, or None."""
        ...

    def messages(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """What can be sent again of the numbers `begin` to `end`, in order."""
        ...

    def reset(self) -> None:
        """Both numbers to 1, and nothing to be sent again."""
        ...

    def note(self, key: bytes, value: bytes) -> None:
        """Remembers a value of the application; an empty one forgets the key."""
        ...

    def notes(self) -> dict[bytes, bytes]:
        """All that is remembered."""
        ...

    def flush(self, dealt_with: int | None = None) -> None:
        """Makes it last. `dealt_with` is the number from which on incoming messages must come
        again after a restart, where that is lower than `next_incoming`.
        """
        ...


class MemoryStore:
    """A store that lives as long as the process: for a session that begins anew each time."""

    def __init__(self) -> None:
        self.next_outgoing = 1
        self.next_incoming = 1
        self._messages: dict[int, bytes] = {}
        self._notes: dict[bytes, bytes] = {}

    def sent(self, message: bytes | None) -> None:
        if message is not None:
            self._messages[self.next_outgoing] = message
            if len(self._messages) > KEPT_MESSAGES:
                del self._messages[next(iter(self._messages))]
        self.next_outgoing += 1

    def messages(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        for number in range(begin, end + 1):
            message = self._messages.get(number)
            if message is not None:
                yield number, message

    def reset(self) -> None:
        self.next_outgoing = self.next_incoming = 1
        self._messages.clear()

    def note(self, key: bytes, value: bytes) -> None:
        if value:
            self._notes[key] = value
        else:
            self._notes.pop(key, None)

    def notes(self) -> dict[bytes, bytes]:
        return dict(self._notes)

    def flush(self, dealt_with: int | None = None) -> None:
        """Nothing to do."""


class FileStore:
    """A store in one file. Raises StoreDamaged where the file is not what was written."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self.next_outgoing = 1
        self.next_incoming = 1
        self._path = path
        self._fsync = fsync
        self._places: dict[int, tuple[int, int]] = {}
        """Where each message that can be sent again stands in the file, and its length."""
        self._notes: dict[bytes, bytes] = {}
        self._pending: list[bytes] = []
        self._written_incoming = 1
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = self._load()
        self._live_size = self._size
        self._measure()

    def _load(self) -> int:
        data = self._path.read_bytes()
        at = 0
        while at + _HEAD.size <= len(data):
            length, crc, kind = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + length
            if end > len(data):
                break
            if crc32(data[at + _CRC_AT : end]) != crc:
                raise StoreDamaged(
                    f"{self._path} is damaged at byte {at}; move it away, and let the "
                    "counterparty log on with ResetSeqNumFlag (141) = Y"
                )
            self._take(kind, data[at + _HEAD.size : end], at + _HEAD.size)
            at = end
        if at < len(data):
            os.ftruncate(self._descriptor, at)
        self._written_incoming = self.next_incoming
        return at

    def _take(self, kind: int, body: bytes, at: int) -> None:
        if kind == _SENT:
            number = _NUMBER.unpack_from(body)[0]
            self.next_outgoing = number + 1
            if len(body) > _NUMBER.size:
                self._keep(number, at + _NUMBER.size, len(body) - _NUMBER.size)
        elif kind == _EXPECTED:
            self.next_incoming = _NUMBER.unpack_from(body)[0]
        else:
            key, value = body[1 : 1 + body[0]], body[1 + body[0] :]
            if value:
                self._notes[key] = value
            else:
                self._notes.pop(key, None)

    def _keep(self, number: int, at: int, length: int) -> None:
        self._places[number] = (at, length)
        if len(self._places) > KEPT_MESSAGES:
            del self._places[next(iter(self._places))]

    def _append(self, kind: int, body: bytes) -> int:
        """Puts a record behind the others; returns where its body begins."""
        tail = bytes((kind,)) + body
        record = _HEAD.pack(len(body), crc32(tail), kind) + body
        self._pending.append(record)
        at = self._size + _HEAD.size
        self._size += len(record)
        return at

    def sent(self, message: bytes | None) -> None:
        number = self.next_outgoing
        at = self._append(_SENT, _NUMBER.pack(number) + (message or b""))
        if message is not None:
            self._keep(number, at + _NUMBER.size, len(message))
        self.next_outgoing = number + 1

    def messages(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        self._write()
        for number in range(begin, end + 1):
            place = self._places.get(number)
            if place is not None:
                yield number, os.pread(self._descriptor, place[1], place[0])

    def note(self, key: bytes, value: bytes) -> None:
        if self._notes.get(key, b"") == value:
            return
        self._append(_NOTE, bytes((len(key),)) + key + value)
        if value:
            self._notes[key] = value
        else:
            del self._notes[key]

    def notes(self) -> dict[bytes, bytes]:
        return dict(self._notes)

    def reset(self) -> None:
        self.next_outgoing = self.next_incoming = self._written_incoming = 1
        self._places.clear()
        self._rewrite()

    def flush(self, dealt_with: int | None = None) -> None:
        incoming = self.next_incoming if dealt_with is None else dealt_with
        if incoming != self._written_incoming:
            self._append(_EXPECTED, _NUMBER.pack(incoming))
            self._written_incoming = incoming
        if self._pending:
            self._write()
            if self._fsync:
                os.fdatasync(self._descriptor)
            if self._size > 2 * self._live_size + _DEAD_BYTES:
                self._rewrite()

    def _write(self) -> None:
        data = b"".join(self._pending)
        at = self._size - len(data)
        while data:
            written = os.pwrite(self._descriptor, data, at)
            data = data[written:]
            at += written
        self._pending.clear()

    def _rewrite(self) -> None:
        """The same memory in a new file, in the place of the old one in one step."""
        self._write()
        messages = list(self.messages(min(self._places, default=1), self.next_outgoing - 1))
        beside = self._path.with_name(self._path.name + ".new")
        old = self._descriptor
        self._descriptor = os.open(
            beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        self._size = 0
        self._places.clear()
        for key, value in self._notes.items():
            self._append(_NOTE, bytes((len(key),)) + key + value)
        for number, message in messages:
            at = self._append(_SENT, _NUMBER.pack(number) + message)
            self._keep(number, at + _NUMBER.size, len(message))
        if self.next_outgoing > 1:
            self._append(_SENT, _NUMBER.pack(self.next_outgoing - 1))
        self._append(_EXPECTED, _NUMBER.pack(self._written_incoming))
        self._write()
        if self._fsync:
            os.fsync(self._descriptor)
        beside.rename(self._path)
        if self._fsync:
            Disk().sync_directory(self._path.parent)
        os.close(old)
        self._measure()

    def _measure(self) -> None:
        kept = sum(length for _, length in self._places.values())
        self._live_size = kept + sum(map(len, self._notes.values()))

    def close(self) -> None:
        """Writes what is pending and closes the file."""
        self.flush()
        os.close(self._descriptor)
