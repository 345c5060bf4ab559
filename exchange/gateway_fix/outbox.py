"""The outgoing half of a session: numbers what is sent, and sends it again when it is asked for.

Holds: every message takes the next number and is in the store before it can be written to a
socket; what is asked for again is made as the socket takes it, however much was asked for.
Never: decides what is sent.
"""

from collections.abc import Iterable
from typing import Final

from exchange.gateway_fix import tags
from exchange.gateway_fix.message import Field, Message, clean, encode, parse
from exchange.gateway_fix.store import SessionStore
from exchange.gateway_fix.timestamps import timestamp_text

BEGIN_STRING: Final = "FIX.4.4"


class Outbox:
    """What `sender` has to say to `target`."""

    def __init__(self, sender: str, target: str, store: SessionStore) -> None:
        self.last_sent_ns = 0
        self._sender = sender
        self._target = target
        self._store = store
        self._ready = bytearray()
        self._again: tuple[int, int] | None = None
        """Numbers, first and last, that are still to be sent again."""
        self._again_ns = 0

    def clear(self, now_ns: int) -> None:
        """A new connection: what was not written is lost, and will be asked for."""
        self._ready.clear()
        self._again = None
        self.last_sent_ns = now_ns

    def send(
        self, message_type: str, fields: Iterable[Field], now_ns: int, *, is_connected: bool
    ) -> None:
        """Numbers and keeps a message; while nobody is connected it waits to be asked for."""
        body = [(tag, clean(value)) for tag, value in fields]
        header = self._header(message_type, self._store.next_outgoing, now_ns)
        data = encode(BEGIN_STRING, header + body)
        self._store.sent(None if message_type in tags.ADMIN_TYPES else data)
        if is_connected:
            self._ready += data
            self.last_sent_ns = now_ns

    def send_again(self, begin: int, end: int, now_ns: int) -> None:
        """Begins to send the numbers `begin` to `end` again; a range that is still being sent
        is widened, so that asking twice costs once.
        """
        if self._again is not None:
            begin, end = min(begin, self._again[0]), max(end, self._again[1])
        self._again = (begin, end)
        self._again_ns = now_ns

    def forget_range(self) -> None:
        """Nothing is sent again any more: the numbers began anew."""
        self._again = None

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait to be taken, without those that will be sent again."""
        return len(self._ready)

    @property
    def has_output(self) -> bool:
        """Whether `take` has anything to give."""
        return bool(self._ready) or self._again is not None

    def take(self, room: int) -> bytes:
        """What is to be written now: all that is new, and of what is sent again about as much
        as fills `room` bytes.
        """
        while self._again is not None and len(self._ready) < room:
            self._send_next_again(*self._again)
        data = bytes(self._ready)
        self._ready.clear()
        return data

    def _send_next_again(self, begin: int, end: int) -> None:
        """The next message of the application, behind one gap fill for what stands before it and
        is never sent again.
        """
        found = next(self._store.messages(begin, end), None)
        if found is None:
            self._ready += self._gap_fill(begin, end + 1)
            self._again = None
            return
        number, data = found
        if number > begin:
            self._ready += self._gap_fill(begin, number)
        self._ready += self._duplicate(parse(data))
        self._again = (number + 1, end) if number < end else None

    def _header(self, message_type: str, number: int, now_ns: int) -> list[Field]:
        return [
            (tags.MSG_TYPE, message_type),
            (tags.MSG_SEQ_NUM, str(number)),
            (tags.SENDER_COMP_ID, self._sender),
            (tags.SENDING_TIME, timestamp_text(now_ns)),
            (tags.TARGET_COMP_ID, self._target),
        ]

    def _gap_fill(self, begin: int, new: int) -> bytes:
        fields = [
            *self._header(tags.SEQUENCE_RESET, begin, self._again_ns),
            (tags.POSS_DUP_FLAG, "Y"),
            (tags.ORIG_SENDING_TIME, timestamp_text(self._again_ns)),
            (tags.NEW_SEQ_NO, str(new)),
            (tags.GAP_FILL_FLAG, "Y"),
        ]
        return encode(BEGIN_STRING, fields)

    def _duplicate(self, message: Message) -> bytes:
        """A message as it is sent again."""
        fields: list[Field] = []
        for tag, value in message.fields[2:-1]:
            if tag == tags.SENDING_TIME:
                fields.append((tag, timestamp_text(self._again_ns)))
                fields.append((tags.POSS_DUP_FLAG, "Y"))
                fields.append((tags.ORIG_SENDING_TIME, value))
            else:
                fields.append((tag, value))
        return encode(BEGIN_STRING, fields)
