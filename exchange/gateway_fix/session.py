"""The FIX 4.4 session protocol without I/O: bytes in, events and bytes out, time as an argument.

Holds: a message is delivered once, in the order of MsgSeqNum; a number is asked for again when it
is missing, and what was sent is sent again when it is asked for; a message of the application that
is sent while nobody is connected keeps its number and waits to be asked for. However the incoming
bytes are cut, the same events come out; no bytes raise.
Never: opens a socket, reads a clock, or knows what an order is.

    CLOSED --connected--> WAITING (for a Logon) --> ACTIVE --> ENDING (our Logout is out) --> CLOSED

The rules are FIX 4.4 volume 2 ("session management"); where it leaves a choice, what QuickFIX's
published acceptance definitions expect.
"""

import hmac
from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

from exchange.gateway_fix import tags
from exchange.gateway_fix.dictionary import Fault, find_fault
from exchange.gateway_fix.message import (
    MAX_BODY_BYTES,
    Field,
    Framer,
    Garbled,
    Message,
    parse,
)
from exchange.gateway_fix.outbox import BEGIN_STRING, Outbox
from exchange.gateway_fix.store import SessionStore
from exchange.gateway_fix.timestamps import parse_timestamp

MAX_HEART_BT_INT: Final = 3_600
MAX_QUEUED: Final = 1_000
"""Messages ahead of a gap that are kept; those beyond are asked for again."""

GAP_PATIENCE_S: Final = 10
MAX_GAP_ASKINGS: Final = 3
"""How often, and how many times, one gap is asked for: both sides asking without end is what FIX
sessions are known for.
"""

_NS: Final = 10**9
_TEST_REQUEST_ID: Final = "TEST"


class SessionConfig(NamedTuple):
    """Who speaks to whom, and how long what may take (seconds)."""

    sender: str
    target: str
    application_types: frozenset[str] = frozenset()
    heartbeat_s: int = 30  # what an initiator asks for
    password: str | None = None  # what an acceptor wants to see, and an initiator shows
    logon_timeout_s: int = 10
    logout_timeout_s: int = 5
    sending_time_tolerance_s: int = 120
    max_body_bytes: int = MAX_BODY_BYTES


# Events ----------------------------------------------------------------------------------------


class LoggedOn(NamedTuple):
    """The session is up."""

    has_reset: bool


class Application(NamedTuple):
    """A message of the application, in its turn."""

    message: Message
    sequence: int


class Rejected(NamedTuple):
    """The other side refused one of our messages (Reject, 3)."""

    message: Message


class Ignored(NamedTuple):
    """Bytes or a message that were passed over."""

    why: str


class Closed(NamedTuple):
    """The connection is to be closed, once what is to be sent was sent."""

    why: str


Event = LoggedOn | Application | Rejected | Ignored | Closed


class State(Enum):
    CLOSED = 0
    WAITING = 1
    ACTIVE = 2
    ENDING = 3


_REVERSED: Final = (
    (tags.ON_BEHALF_OF_COMP_ID, tags.DELIVER_TO_COMP_ID),
    (tags.ON_BEHALF_OF_SUB_ID, tags.DELIVER_TO_SUB_ID),
    (tags.ON_BEHALF_OF_LOCATION_ID, tags.DELIVER_TO_LOCATION_ID),
)


def reverse_route(message: Message) -> list[Field]:
    """The routing fields of an answer to a message that came through a third party."""
    fields: list[Field] = []
    for on_behalf, deliver in _REVERSED:
        for theirs, ours in ((on_behalf, deliver), (deliver, on_behalf)):
            value = message.get(theirs)
            if value:
                fields.append((ours, value))
    return fields


class Session:
    """One session, over all of its connections."""

    def __init__(self, config: SessionConfig, store: SessionStore, *, is_initiator: bool) -> None:
        self.config = config
        self.store = store
        self.state = State.CLOSED
        self._is_initiator = is_initiator
        self._framer = Framer(config.max_body_bytes)
        self._outbox = Outbox(config.sender, config.target, store)
        self._events: list[Event] = []
        self._queue: dict[int, Message | None] = {}
        """Messages ahead of a gap; None for one that was answered out of turn."""
        self._gap_until = 0
        """The highest number seen when a resend was asked for; 0 when none is awaited."""
        self._gap_asked_ns = 0
        self._gap_askings = 0
        self._heartbeat_ns = 0
        self._last_received_ns = 0
        self._deadline_ns = 0
        self._is_tested = False
        self._is_distrusted = False
        """After a message that shows another identity or time, only a Logout is listened to."""

    # The connection ----------------------------------------------------------------------------

    def connected(self, now_ns: int) -> None:
        """A socket was opened: an acceptor waits for the Logon."""
        self._framer = Framer(self.config.max_body_bytes)
        self._outbox.clear(now_ns)
        self._events.clear()
        self._queue.clear()
        self._gap_until = 0
        self._is_tested = self._is_distrusted = False
        self._last_received_ns = now_ns
        self._deadline_ns = now_ns + self.config.logon_timeout_s * _NS
        self.state = State.WAITING

    def disconnected(self) -> None:
        """The socket is gone; messages of the application wait in the store."""
        self.state = State.CLOSED

    def logon(self, now_ns: int, *, reset: bool = False) -> None:
        """An initiator's first message; `reset` begins both numbers anew."""
        if reset:
            self.store.reset()
        fields: list[Field] = [
            (tags.ENCRYPT_METHOD, "0"),
            (tags.HEART_BT_INT, str(self.config.heartbeat_s)),
        ]
        if reset:
            fields.append((tags.RESET_SEQ_NUM_FLAG, "Y"))
        if self.config.password is not None:
            fields.append((tags.USERNAME, self.config.sender))
            fields.append((tags.PASSWORD, self.config.password))
        self._heartbeat_ns = self.config.heartbeat_s * _NS
        self._send(tags.LOGON, fields, now_ns)

    def logout(self, now_ns: int, text: str = "") -> None:
        """Says goodbye; the other side's Logout, or a time-out, closes."""
        if self.state is State.ACTIVE:
            self._say_logout(text, now_ns)

    def send(self, message_type: str, fields: Iterable[Field], now_ns: int) -> int:
        """Sends a message of the application, or keeps it until it is asked for; returns its
        number. The fields are those of the body.
        """
        number = self.store.next_outgoing
        is_up = self.state in (State.ACTIVE, State.ENDING)
        self._outbox.send(message_type, fields, now_ns, is_connected=is_up)
        return number

    @property
    def output(self) -> Outbox:
        """What is to be written to the socket."""
        return self._outbox

    # Time --------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> list[Event]:
        """To be called at least once a second while connected."""
        if self.state is State.ACTIVE:
            self._ask_again(now_ns)
            self._watch(now_ns)
        elif self.state is not State.CLOSED and now_ns >= self._deadline_ns:
            awaited = "the Logon" if self.state is State.WAITING else "the Logout"
            self._end(f"timed out waiting for {awaited}")
        return self._take_events()

    def _watch(self, now_ns: int) -> None:
        """Heartbeats: ours when we are silent, a question and then the end when they are."""
        heartbeat_ns = self._heartbeat_ns
        if not heartbeat_ns or self.state is not State.ACTIVE:
            return
        silence_ns = now_ns - self._last_received_ns
        if 10 * silence_ns >= 24 * heartbeat_ns:
            self._end("timed out waiting for a heartbeat")
        elif 10 * silence_ns >= 12 * heartbeat_ns and not self._is_tested:
            self._is_tested = True
            self._send(tags.TEST_REQUEST, [(tags.TEST_REQ_ID, _TEST_REQUEST_ID)], now_ns)
        elif now_ns - self._outbox.last_sent_ns >= heartbeat_ns and not self._is_tested:
            self._send(tags.HEARTBEAT, [], now_ns)

    # Incoming ----------------------------------------------------------------------------------

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """Takes bytes from the socket; what came of them."""
        self._framer.feed(data)
        while self.state is not State.CLOSED:
            frame = self._framer.next()
            if frame is None:
                break
            if isinstance(frame, Garbled):
                if self.state is State.WAITING:
                    self._end(f"garbled before the Logon: {frame.why}")
                else:
                    self._events.append(Ignored(frame.why))
                continue
            self._last_received_ns = now_ns
            self._is_tested = False
            self._take(parse(frame), now_ns)
            self._take_queued(now_ns)
        return self._take_events()

    def _take_events(self) -> list[Event]:
        events = self._events
        self._events = []
        return events

    def _take(self, message: Message, now_ns: int) -> None:
        """One message, new from the socket."""
        if self.state is State.WAITING:
            self._take_first(message, now_ns)
            return
        if message.fields[0][1] != BEGIN_STRING:
            self._distrust("Incorrect BeginString", now_ns)
            return
        if self._is_distrusted and message.type != tags.LOGOUT:
            self._events.append(Ignored("a message after our Logout"))
            return
        number = message.number(tags.MSG_SEQ_NUM)
        if number is None:
            self._say_logout("MsgSeqNum (34) is missing or no number", now_ns)
            self._end("no MsgSeqNum")
            return
        if self._is_refused(message, number, now_ns):
            return
        if message.type == tags.LOGON:
            self._take_second_logon(message, number, now_ns)
        elif message.type == tags.SEQUENCE_RESET:
            self._take_sequence_reset(message, number, now_ns)
        elif message.type == tags.RESEND_REQUEST:
            self._take_resend_request(message, number, now_ns)
        elif message.type == tags.LOGOUT:
            self._take_logout(number, now_ns)
        elif self._is_in_turn(message, number, now_ns):
            self.store.next_incoming = number + 1
            self._deliver(message, number, now_ns)

    def _is_refused(self, message: Message, number: int, now_ns: int) -> bool:
        """Whether a message is not one of the standard, not of this session, or not of now."""
        fault = find_fault(message)
        if fault is not None:
            self._reject(message, number, fault, now_ns)
            return True
        if not self._is_ours(message):
            self._reject(message, number, Fault(tags.COMP_ID_PROBLEM, None), now_ns)
            self._distrust("", now_ns)
            return True
        if not self._is_timely(message, now_ns):
            self._reject(message, number, Fault(tags.SENDING_TIME_PROBLEM, None), now_ns)
            self._distrust("", now_ns)
            return True
        return False

    def _is_ours(self, message: Message) -> bool:
        return (
            message.get(tags.SENDER_COMP_ID) == self.config.target
            and message.get(tags.TARGET_COMP_ID) == self.config.sender
        )

    def _is_timely(self, message: Message, now_ns: int) -> bool:
        sent_ns = parse_timestamp(message.text(tags.SENDING_TIME))
        tolerance_ns = self.config.sending_time_tolerance_s * _NS
        return sent_ns is not None and abs(now_ns - sent_ns) <= tolerance_ns

    # Numbers -----------------------------------------------------------------------------------

    def _is_in_turn(self, message: Message, number: int, now_ns: int) -> bool:
        """Whether a message has the number that is due. One from behind a gap is kept, and the
        gap asked for; one that was had before is passed over if it says that it is a duplicate.
        """
        expected = self.store.next_incoming
        if number > expected:
            self._keep_for_later(number, message, now_ns)
        elif number < expected:
            self._take_too_low(message, number, now_ns)
        return number == expected

    def _keep_for_later(self, number: int, message: Message | None, now_ns: int) -> None:
        if len(self._queue) < MAX_QUEUED or number in self._queue:
            self._queue.setdefault(number, message)
        if self.store.next_incoming > self._gap_until:
            self._gap_until = number
            self._gap_askings = 0
            self._ask_for_gap(now_ns)

    def _ask_for_gap(self, now_ns: int) -> None:
        """Asks for what is missing and all behind it."""
        self._gap_askings += 1
        self._gap_asked_ns = now_ns
        begin = str(self.store.next_incoming)
        fields = [(tags.BEGIN_SEQ_NO, begin), (tags.END_SEQ_NO, "0")]
        self._send(tags.RESEND_REQUEST, fields, now_ns)

    def _ask_again(self, now_ns: int) -> None:
        """A gap that stays open is asked for again, but not for ever."""
        missing = self.store.next_incoming
        if missing > self._gap_until or now_ns - self._gap_asked_ns < GAP_PATIENCE_S * _NS:
            return
        if self._gap_askings < MAX_GAP_ASKINGS:
            self._ask_for_gap(now_ns)
        else:
            self._say_logout(f"message {missing} did not come, though it was asked for", now_ns)

    def _take_too_low(self, message: Message, number: int, now_ns: int) -> None:
        if not message.is_set(tags.POSS_DUP_FLAG):
            text = f"MsgSeqNum too low, expecting {self.store.next_incoming} but received {number}"
            self._say_logout(text, now_ns)
            self._end(text)
            return
        original_ns = parse_timestamp(message.text(tags.ORIG_SENDING_TIME))
        if original_ns is None:
            fault = Fault(tags.REQUIRED_TAG_MISSING, str(tags.ORIG_SENDING_TIME))
            self._reject(message, number, fault, now_ns)
        elif original_ns > (parse_timestamp(message.text(tags.SENDING_TIME)) or 0):
            self._reject(message, number, Fault(tags.SENDING_TIME_PROBLEM, None), now_ns)
            self._distrust("", now_ns)
        else:
            self._events.append(Ignored(f"duplicate of {number}"))

    def _take_queued(self, now_ns: int) -> None:
        """Takes what waited behind a gap, as far as the gap is closed."""
        while self._queue and self.state is not State.CLOSED and not self._is_distrusted:
            number = self.store.next_incoming
            if number not in self._queue:
                break
            message = self._queue.pop(number)
            if message is None:
                self.store.next_incoming = number + 1
            elif message.type == tags.SEQUENCE_RESET:
                self._take_sequence_reset(message, number, now_ns)
            else:
                self.store.next_incoming = number + 1
                self._deliver(message, number, now_ns)
        expected = self.store.next_incoming
        for number in [number for number in self._queue if number < expected]:
            del self._queue[number]

    def _take_sequence_reset(self, message: Message, number: int, now_ns: int) -> None:
        is_gap_fill = message.is_set(tags.GAP_FILL_FLAG)
        if is_gap_fill and not self._is_in_turn(message, number, now_ns):
            return
        expected = self.store.next_incoming
        new = message.number(tags.NEW_SEQ_NO) or 0
        if new > expected:
            self.store.next_incoming = new
        elif new < expected or is_gap_fill:
            # A gap fill takes its own number, so that it cannot be asked for for ever.
            if is_gap_fill:
                self.store.next_incoming = expected + 1
            self._say_reject(message, number, Fault(tags.VALUE_INCORRECT, None), now_ns)

    def _take_resend_request(self, message: Message, number: int, now_ns: int) -> None:
        """Answered at once, whatever its number: both sides may have lost messages."""
        expected = self.store.next_incoming
        if number < expected and message.is_set(tags.POSS_DUP_FLAG):
            self._take_too_low(message, number, now_ns)
            return
        if number == expected:
            self.store.next_incoming = number + 1
        elif number > expected:
            self._keep_for_later(number, None, now_ns)
        last = self.store.next_outgoing - 1
        begin = message.number(tags.BEGIN_SEQ_NO) or 0
        end = message.number(tags.END_SEQ_NO) or last
        if begin == 0 or begin > last or end < begin:
            fault = Fault(tags.VALUE_INCORRECT, str(tags.BEGIN_SEQ_NO))
            self._say_reject(message, number, fault, now_ns)
            return
        self._outbox.send_again(begin, min(end, last), now_ns)

    # Logon and logout --------------------------------------------------------------------------

    def _take_first(self, message: Message, now_ns: int) -> None:
        """The first message of a connection. Whoever is not who was expected hears nothing."""
        if message.fields[0][1] != BEGIN_STRING or not self._is_ours(message):
            self._end("another BeginString or CompID")
            return
        if self._is_initiator and message.type == tags.LOGOUT:
            if message.number(tags.MSG_SEQ_NUM) == self.store.next_incoming:
                self.store.next_incoming += 1
            self._end(f"the Logon was refused: {message.text(tags.TEXT)}")
            return
        if message.type != tags.LOGON:
            self._end("the first message is not a Logon")
            return
        if not self._is_timely(message, now_ns):
            self._end("SendingTime (52) of the Logon is not now")
            return
        wrong = self._find_logon_fault(message)
        if wrong is not None:
            self._say_logout(wrong, now_ns)
            self._end(wrong)
            return
        self._heartbeat_ns = int(message.text(tags.HEART_BT_INT)) * _NS
        is_reset = message.is_set(tags.RESET_SEQ_NUM_FLAG)
        if not self._is_initiator:
            if is_reset:
                self.store.reset()
            self._answer_logon(message, now_ns)
        elif is_reset and self.store.next_outgoing != 2:
            # Asked for by the other side alone: its numbers begin anew, and so do ours.
            self.store.reset()
            self.store.next_outgoing = 2
        self.state = State.ACTIVE
        self._events.append(LoggedOn(is_reset))
        number = message.number(tags.MSG_SEQ_NUM) or 0
        if number > self.store.next_incoming:
            self._keep_for_later(number, None, now_ns)
        else:
            self.store.next_incoming = number + 1

    def _find_logon_fault(self, message: Message) -> str | None:
        """What is wrong with a Logon, for people."""
        fault = find_fault(message)
        if fault is not None:
            return f"{tags.SESSION_REJECT_TEXTS[fault.reason]} ({fault.tag})"
        if message.get(tags.ENCRYPT_METHOD) != "0":
            return "EncryptMethod (98) must be 0: nothing here is encrypted by FIX"
        heartbeat_s = message.number(tags.HEART_BT_INT)
        if heartbeat_s is None or heartbeat_s > MAX_HEART_BT_INT:
            return f"HeartBtInt (108) must be 0 to {MAX_HEART_BT_INT} seconds"
        if not self._is_initiator and not self._knows_password(message):
            return "Password (554) is wrong"
        number = message.number(tags.MSG_SEQ_NUM)
        if message.is_set(tags.RESET_SEQ_NUM_FLAG):
            if number != 1:
                return "MsgSeqNum (34) must be 1 where ResetSeqNumFlag (141) is Y"
        elif number is None or number < self.store.next_incoming:
            return f"MsgSeqNum too low, expecting {self.store.next_incoming} but received {number}"
        return None

    def _knows_password(self, message: Message) -> bool:
        expected = self.config.password
        shown = message.text(tags.PASSWORD)
        return expected is None or hmac.compare_digest(expected.encode(), shown.encode())

    def _answer_logon(self, message: Message, now_ns: int) -> None:
        fields = [(tags.ENCRYPT_METHOD, "0"), (tags.HEART_BT_INT, message.text(tags.HEART_BT_INT))]
        if message.is_set(tags.RESET_SEQ_NUM_FLAG):
            fields.append((tags.RESET_SEQ_NUM_FLAG, "Y"))
        self._send(tags.LOGON, fields, now_ns)

    def _take_second_logon(self, message: Message, number: int, now_ns: int) -> None:
        """Within a session a Logon may only begin the numbers anew."""
        if message.is_set(tags.RESET_SEQ_NUM_FLAG) and number == 1 and not self._is_initiator:
            self.store.reset()
            self._queue.clear()
            self._gap_until = 0
            self._outbox.forget_range()
            self._answer_logon(message, now_ns)
            self.store.next_incoming = 2
            self._events.append(LoggedOn(True))
        elif self._is_in_turn(message, number, now_ns):
            self._reject(message, number, Fault(tags.OTHER_REASON, None), now_ns)

    def _take_logout(self, number: int, now_ns: int) -> None:
        if number == self.store.next_incoming:
            self.store.next_incoming = number + 1
        if self.state is not State.ENDING:
            self._say_logout("", now_ns)
        self._end("logged out")

    def _say_logout(self, text: str, now_ns: int) -> None:
        self._send(tags.LOGOUT, [(tags.TEXT, text)] if text else [], now_ns)
        self.state = State.ENDING
        self._deadline_ns = now_ns + self.config.logout_timeout_s * _NS

    def _distrust(self, text: str, now_ns: int) -> None:
        """Our Logout, once; then only the other side's is listened to."""
        if self.state is not State.ENDING:
            self._say_logout(text, now_ns)
        self._is_distrusted = True

    def _end(self, why: str) -> None:
        self.state = State.CLOSED
        self._events.append(Closed(why))

    # Delivery ----------------------------------------------------------------------------------

    def _deliver(self, message: Message, number: int, now_ns: int) -> None:
        """A message in its turn."""
        kind = message.type
        if kind == tags.TEST_REQUEST:
            fields = [(tags.TEST_REQ_ID, message.text(tags.TEST_REQ_ID))]
            self._send(tags.HEARTBEAT, fields, now_ns)
        elif kind == tags.REJECT:
            self._events.append(Rejected(message))
        elif kind in self.config.application_types:
            self._events.append(Application(message, number))
        elif kind not in tags.ADMIN_TYPES:
            self.refuse(message, tags.BUSINESS_UNSUPPORTED_TYPE, "Unsupported Message Type", now_ns)

    def refuse(self, message: Message, reason: int, text: str, now_ns: int, ref: str = "") -> None:
        """Answers a message of the application with a BusinessMessageReject (j); `ref` is the
        value of the field by which its sender knows it.
        """
        fields: list[Field] = [
            *reverse_route(message),
            (tags.REF_SEQ_NUM, message.text(tags.MSG_SEQ_NUM)),
            (tags.REF_MSG_TYPE, message.type),
            (tags.BUSINESS_REJECT_REASON, str(reason)),
            (tags.TEXT, text),
        ]
        if ref:
            fields.append((tags.BUSINESS_REJECT_REF_ID, ref))
        self._send(tags.BUSINESS_MESSAGE_REJECT, fields, now_ns)

    def _reject(self, message: Message, number: int, fault: Fault, now_ns: int) -> None:
        """Refuses a message at session level; it has had its turn, if it was its turn. (A
        SequenceReset without GapFillFlag has no turn.)
        """
        self._say_reject(message, number, fault, now_ns)
        is_reset = message.type == tags.SEQUENCE_RESET and not message.is_set(tags.GAP_FILL_FLAG)
        if number == self.store.next_incoming and not is_reset:
            self.store.next_incoming = number + 1

    def _say_reject(self, message: Message, number: int, fault: Fault, now_ns: int) -> None:
        fields: list[Field] = [*reverse_route(message), (tags.REF_SEQ_NUM, str(number))]
        if fault.tag is not None:
            fields.append((tags.REF_TAG_ID, fault.tag))
        if message.type:
            fields.append((tags.REF_MSG_TYPE, message.type))
        fields.append((tags.SESSION_REJECT_REASON, str(fault.reason)))
        fields.append((tags.TEXT, tags.SESSION_REJECT_TEXTS[fault.reason]))
        self._send(tags.REJECT, fields, now_ns)

    def _send(self, message_type: str, fields: Iterable[Field], now_ns: int) -> None:
        is_connected = self.state is not State.CLOSED
        self._outbox.send(message_type, fields, now_ns, is_connected=is_connected)
