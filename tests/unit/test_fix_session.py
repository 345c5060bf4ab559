"""The FIX session's rules, one by one. The other side is simplefix; there is no socket and no
clock.
"""

from typing import Any

import pytest

from exchange.gateway_fix import session as session_module
from exchange.gateway_fix.session import (
    GAP_PATIENCE_S,
    MAX_GAP_ASKINGS,
    Application,
    Closed,
    Event,
    Ignored,
    LoggedOn,
    Rejected,
    Session,
    SessionConfig,
    State,
)
from exchange.gateway_fix.store import MemoryStore
from tests.model.fix import NOW_NS, NS, Parser, Received, message, timestamp

LOGON = ((98, 0), (108, 30))
ORDER = ((11, "a"), (55, "X"), (54, 1), (38, 1), (40, 2), (44, 5), (60, timestamp()))


class Door:
    """An acceptor's session, driven as a socket would drive it."""

    def __init__(self, store: MemoryStore | None = None, **config: Any) -> None:
        self.store = store or MemoryStore()
        self.session = Session(
            SessionConfig("STRADDLE", "MAKER", frozenset("D"), **config),
            self.store,
            is_initiator=False,
        )
        self.now_ns = NOW_NS
        self.events: list[Event] = []
        self.connect()

    def connect(self) -> None:
        self.parser = Parser()
        self.session.connected(self.now_ns)

    def reconnect(self) -> None:
        self.session.disconnected()
        self.connect()

    def give(self, data: bytes) -> list[Received]:
        self.events += self.session.receive(data, self.now_ns)
        return self.said()

    def tell(self, kind: str, number: int | None, *body: tuple[int, Any], **header: Any):
        header.setdefault("time_ns", self.now_ns)
        return self.give(message(kind, number, *body, **header))

    def wait(self, seconds: float) -> list[Received]:
        self.now_ns += int(seconds * NS)
        self.events += self.session.tick(self.now_ns)
        return self.said()

    def said(self) -> list[Received]:
        return self.parser.feed(self.session.output.take(1 << 20))

    def send(self, kind: str, *fields: tuple[int, str]) -> int:
        return self.session.send(kind, list(fields), self.now_ns)

    @property
    def delivered(self) -> list[int]:
        return [event.sequence for event in self.events if isinstance(event, Application)]

    @property
    def closed(self) -> str | None:
        closed = [event.why for event in self.events if isinstance(event, Closed)]
        assert len(closed) <= 1
        return closed[0] if closed else None


def logged_on(**config: Any) -> Door:
    door = Door(**config)
    (answer,) = door.tell("A", 1, *LOGON)
    assert (answer.kind, answer.number) == ("A", 1)
    return door


def dup(original_ns: int = NOW_NS) -> dict[str, Any]:
    return {"header": ((43, "Y"), (122, timestamp(original_ns)))}


# Logon -----------------------------------------------------------------------------------------


def test_a_logon_is_answered_with_the_same_heartbeat() -> None:
    door = Door()
    (answer,) = door.tell("A", 1, (98, 0), (108, 17))
    assert (answer.kind, answer[49], answer[56]) == ("A", "STRADDLE", "MAKER")
    assert (answer[98], answer[108], answer[52]) == ("0", "17", timestamp())
    assert door.events == [LoggedOn(False)]


@pytest.mark.parametrize(
    "data",
    [
        message("0", 1),
        message("D", 1, *ORDER),
        message("5", 1),
        message("A", 1, *LOGON, sender="OTHER"),
        message("A", 1, *LOGON, target="OTHER"),
        message("A", 1, *LOGON, begin="FIX.4.2"),
        message("A", 1, *LOGON, time_ns=NOW_NS - 121 * NS),
        message("A", 1, *LOGON, time_ns=NOW_NS + 121 * NS),
        message("A", 1, *LOGON)[:-4] + b"999\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_whoever_does_not_log_on_is_disconnected_without_a_word(data: bytes) -> None:
    door = Door()
    assert door.give(data) == []
    assert door.closed is not None
    assert door.session.state is State.CLOSED
    # Nothing was used up: the right counterparty starts with number 1.
    assert (door.store.next_incoming, door.store.next_outgoing) == (1, 1)


@pytest.mark.parametrize(
    ("number", "body", "text"),
    [
        (1, ((98, 1), (108, 30)), "EncryptMethod"),
        (1, ((98, 0), (108, -1)), "HeartBtInt"),
        (1, ((98, 0), (108, 4000)), "HeartBtInt"),
        (1, ((98, 0),), "Required tag missing (108)"),
        (1, ((98, 0), (108, "x")), "Incorrect data format for value (108)"),
        (2, (*LOGON, (141, "Y")), "MsgSeqNum (34) must be 1"),
        (0, LOGON, "MsgSeqNum too low, expecting 1 but received 0"),
    ],
)
def test_a_wrong_logon_is_told_what_is_wrong(number: int, body: Any, text: str) -> None:
    door = Door()
    (answer,) = door.tell("A", number, *body)
    assert answer.kind == "5"
    assert text in answer[58]
    assert door.closed is not None
    assert not any(isinstance(event, LoggedOn) for event in door.events)


def test_a_password_must_be_right_before_anything_changes() -> None:
    for shown in ((), ((554, "guess"),), ((554, "sesam²"),)):
        door = Door(password="sesame")
        (answer,) = door.tell("A", 1, *LOGON, (141, "Y"), *shown)
        assert (answer.kind, answer[58]) == ("5", "Password (554) is wrong")
        assert door.store.next_incoming == 1
    door = Door(password="sesame")
    (answer,) = door.tell("A", 1, *LOGON, (554, "sesame"))
    assert answer.kind == "A"


def test_a_logon_with_too_high_a_number_is_answered_and_the_gap_asked_for() -> None:
    door = Door()
    logon, ask = door.tell("A", 5, *LOGON)
    assert logon.kind == "A"
    assert (ask.kind, ask[7], ask[16]) == ("2", "1", "0")
    assert door.tell("4", 1, (123, "Y"), (36, 5), **dup()) == []
    assert door.store.next_incoming == 6


def test_reset_begins_both_numbers_anew_even_within_a_session() -> None:
    door = logged_on()
    door.send("8", (37, "x"))
    door.tell("0", 2)
    door.said()
    (answer,) = door.tell("A", 1, *LOGON, (141, "Y"))
    assert (answer.number, answer[141]) == (1, "Y")
    (beat,) = door.tell("1", 2, (112, "x"))
    assert (beat.number, door.store.next_incoming) == (2, 3)
    # What was sent before is not to be had any more.
    (fill,) = door.tell("2", 3, (7, 1), (16, 0))
    assert (fill.kind, fill[36]) == ("4", "3")


def test_a_second_logon_without_reset_is_rejected() -> None:
    door = logged_on()
    (answer,) = door.tell("A", 2, *LOGON)
    assert (answer.kind, answer[373]) == ("3", "99")
    assert door.store.next_incoming == 3


def test_nobody_who_is_silent_stays_connected() -> None:
    door = Door()
    assert door.wait(9) == []
    assert door.closed is None
    door.wait(1)
    assert door.closed == "timed out waiting for the Logon"


# Heartbeats ------------------------------------------------------------------------------------


def test_a_test_request_is_answered_with_its_id() -> None:
    door = logged_on()
    (answer,) = door.tell("1", 2, (112, "are you there"))
    assert (answer.kind, answer[112]) == ("0", "are you there")


def test_silence_is_broken_questioned_and_ended() -> None:
    door = logged_on()
    assert door.wait(29) == []
    (beat,) = door.wait(1)
    assert (beat.kind, beat.get(112)) == ("0", None)
    (question,) = door.wait(6)
    assert question.kind == "1"
    assert door.tell("0", 2, (112, question[112])) == []
    (beat,) = door.wait(30)
    assert beat.kind == "0"
    (question,) = door.wait(6)
    assert question.kind == "1"
    assert door.wait(35) == []
    assert door.closed is None
    door.wait(1)
    assert door.closed == "timed out waiting for a heartbeat"


def test_any_message_counts_as_a_sign_of_life() -> None:
    door = logged_on()
    for number in range(2, 12):
        assert all(said.kind == "0" for said in door.wait(30))
        door.tell("D", number, *ORDER)
    assert door.closed is None


def test_without_a_heartbeat_interval_nobody_is_hurried() -> None:
    door = Door()
    door.tell("A", 1, (98, 0), (108, 0))
    assert door.wait(100_000) == []
    assert door.closed is None


# Numbers ---------------------------------------------------------------------------------------


def test_messages_are_delivered_in_order_once() -> None:
    door = logged_on()
    for number in (2, 3, 4):
        assert door.tell("D", number, *ORDER) == []
    assert door.delivered == [2, 3, 4]


def test_a_gap_is_asked_for_once_and_what_waited_behind_it_follows() -> None:
    door = logged_on()
    (ask,) = door.tell("D", 4, *ORDER)
    assert (ask.kind, ask[7], ask[16]) == ("2", "2", "0")
    assert door.tell("D", 5, *ORDER) == []
    assert door.delivered == []
    door.tell("D", 2, *ORDER, **dup())
    assert door.delivered == [2]
    door.tell("D", 3, *ORDER, **dup())
    assert door.delivered == [2, 3, 4, 5]
    # The other side sends all again, as it was asked to.
    for number in (4, 5):
        assert door.tell("D", number, *ORDER, **dup()) == []
    door.tell("D", 6, *ORDER)
    assert door.delivered == [2, 3, 4, 5, 6]
    (ask,) = door.tell("D", 9, *ORDER)
    assert ask[7] == "7"


def test_a_gap_that_stays_open_is_asked_for_again_but_not_for_ever() -> None:
    door = logged_on()
    asked = door.tell("D", 3, *ORDER)
    for number in range(4, 4 + MAX_GAP_ASKINGS):
        door.tell("0", number)
        asked += door.wait(GAP_PATIENCE_S)
    assert [said.kind for said in asked] == ["2"] * MAX_GAP_ASKINGS + ["5"]
    assert "message 2 did not come" in asked[-1][58]


def test_a_gap_of_one_connection_is_asked_for_anew_on_the_next() -> None:
    door = logged_on()
    door.tell("D", 4, *ORDER)
    door.reconnect()
    logon, ask = door.tell("A", 5, *LOGON)
    assert (logon.kind, ask.kind, ask[7]) == ("A", "2", "2")
    door.tell("4", 2, (123, "Y"), (36, 5), **dup())
    # What waited on the old connection was to be sent again, and was not.
    assert (door.delivered, door.store.next_incoming) == ([], 6)


def test_what_waits_behind_a_gap_is_bounded_and_lost_messages_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "MAX_QUEUED", 2)
    door = logged_on()
    for number in (3, 4, 5, 6):
        door.tell("D", number, *ORDER)
    door.tell("D", 2, *ORDER, **dup())
    assert door.delivered == [2, 3, 4]
    for number in (3, 4, 5, 6):
        door.tell("D", number, *ORDER, **dup())
    assert door.delivered == [2, 3, 4, 5, 6]
    # A reset leaves nothing waiting that takes the room of others.
    door.tell("D", 8, *ORDER)
    door.tell("D", 9, *ORDER)
    door.tell("4", 0, (36, 20))
    door.tell("D", 21, *ORDER)
    door.tell("D", 20, *ORDER, **dup())
    assert door.delivered[-2:] == [20, 21]


def test_a_message_behind_a_gap_may_be_a_gap_fill_or_a_test_request() -> None:
    door = logged_on()
    door.tell("1", 3, (112, "first"))
    door.tell("4", 4, (123, "Y"), (36, 10))
    door.tell("1", 10, (112, "second"))
    said = door.tell("D", 2, *ORDER, **dup())
    assert [answer.get(112) for answer in said] == ["first", "second"]
    assert door.store.next_incoming == 11


def test_too_low_a_number_ends_the_session() -> None:
    door = logged_on()
    door.tell("0", 2)
    (answer,) = door.tell("0", 2)
    assert (answer.kind, answer[58]) == ("5", "MsgSeqNum too low, expecting 3 but received 2")
    assert door.closed is not None


def test_a_message_without_a_number_ends_the_session() -> None:
    door = logged_on()
    (answer,) = door.tell("0", None)
    assert answer.kind == "5"
    assert door.closed is not None


def test_a_duplicate_is_passed_over() -> None:
    door = logged_on()
    door.tell("D", 2, *ORDER)
    assert door.tell("D", 2, *ORDER, **dup()) == []
    assert door.delivered == [2]
    assert door.events[-1] == Ignored("duplicate of 2")


def test_a_duplicate_must_say_when_it_was_first_sent() -> None:
    door = logged_on()
    door.tell("D", 2, *ORDER)
    (answer,) = door.tell("D", 2, *ORDER, header=((43, "Y"),))
    assert (answer.kind, answer[373], answer[371]) == ("3", "1", "122")
    assert door.store.next_incoming == 3


def test_a_duplicate_from_the_future_ends_the_session() -> None:
    door = logged_on()
    door.tell("D", 2, *ORDER)
    reject, logout = door.tell("D", 2, *ORDER, **dup(NOW_NS + 10 * NS))
    assert (reject[373], logout.kind) == ("10", "5")
    assert door.closed is None
    door.tell("5", 3)
    assert door.closed == "logged out"


def test_a_resent_message_that_was_never_had_is_taken() -> None:
    door = logged_on()
    door.tell("D", 2, *ORDER, **dup())
    assert door.delivered == [2]


# Sequence reset --------------------------------------------------------------------------------


def test_a_gap_fill_moves_on_and_a_reset_ignores_its_own_number() -> None:
    door = logged_on()
    assert door.tell("4", 2, (123, "Y"), (36, 20)) == []
    assert door.store.next_incoming == 20
    assert door.tell("4", 3, (36, 30)) == []
    assert door.store.next_incoming == 30
    assert door.tell("4", 999, (36, 30), (123, "N")) == []
    assert door.store.next_incoming == 30


def test_a_reset_backwards_is_rejected_and_changes_nothing() -> None:
    door = logged_on()
    door.tell("4", 0, (36, 10))
    (answer,) = door.tell("4", 0, (36, 9))
    assert (answer.kind, answer[373]) == ("3", "5")
    assert door.store.next_incoming == 10


@pytest.mark.parametrize("new", [1, 2])
def test_a_gap_fill_that_fills_nothing_takes_its_turn(new: int) -> None:
    door = logged_on()
    (answer,) = door.tell("4", 2, (123, "Y"), (36, new))
    assert (answer.kind, answer[373]) == ("3", "5")
    assert door.store.next_incoming == 3


def test_a_gap_fill_behind_a_gap_is_not_believed_yet() -> None:
    door = logged_on()
    (ask,) = door.tell("4", 10, (123, "Y"), (36, 20))
    assert (ask.kind, ask[7]) == ("2", "2")
    assert door.store.next_incoming == 2


def test_too_low_a_gap_fill_is_passed_over_only_as_a_duplicate() -> None:
    door = logged_on()
    assert door.tell("4", 1, (123, "Y"), (36, 20), **dup()) == []
    assert door.store.next_incoming == 2
    (answer,) = door.tell("4", 1, (123, "Y"), (36, 20))
    assert answer.kind == "5"


# Sending again ---------------------------------------------------------------------------------


def door_that_sent() -> Door:
    """Its numbers: 1 Logon, 2 and 3 reports, 4 Heartbeat, 5 report, 6 Heartbeat."""
    door = logged_on()
    door.send("8", (37, "two"))
    door.send("8", (37, "three"))
    door.tell("1", 2, (112, "x"))
    door.send("8", (37, "five"))
    door.tell("1", 3, (112, "x"))
    door.said()
    return door


def summary(said: list[Received]) -> list[tuple[int, str]]:
    return [(one.number, one.get(37) or f"to {one[36]}") for one in said]


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (1, 0, [(1, "to 2"), (2, "two"), (3, "three"), (4, "to 5"), (5, "five"), (6, "to 7")]),
        (2, 3, [(2, "two"), (3, "three")]),
        (2, 4, [(2, "two"), (3, "three"), (4, "to 5")]),
        (3, 5, [(3, "three"), (4, "to 5"), (5, "five")]),
        (4, 4, [(4, "to 5")]),
        (5, 999_999, [(5, "five"), (6, "to 7")]),
        (6, 0, [(6, "to 7")]),
    ],
)
def test_reports_are_sent_again_and_the_rest_is_gap_filled(
    begin: int, end: int, expected: list[tuple[int, str]]
) -> None:
    door = door_that_sent()
    door.now_ns += 5 * NS
    said = door.tell("2", 4, (7, begin), (16, end))
    assert summary(said) == expected
    for one in said:
        assert one[43] == "Y"
        assert one[52] == timestamp(door.now_ns)
        assert one[122] == timestamp(NOW_NS if one.kind == "8" else door.now_ns)
        assert one.kind == "8" or one[123] == "Y"
    (beat,) = door.tell("1", 5, (112, "x"))
    assert beat.number == 7


def test_two_requests_that_meet_are_answered_by_one_range() -> None:
    door = door_that_sent()
    door.session.receive(message("2", 4, (7, 2), (16, 2)), NOW_NS)
    said = door.tell("2", 5, (7, 5), (16, 5))
    assert summary(said) == [(2, "two"), (3, "three"), (4, "to 5"), (5, "five")]


def test_a_reset_ends_what_was_being_sent_again() -> None:
    door = door_that_sent()
    door.session.receive(message("2", 4, (7, 1), (16, 0)), NOW_NS)
    said = door.tell("A", 1, *LOGON, (141, "Y"))
    assert [one.kind for one in said] == ["A"]


@pytest.mark.parametrize(("begin", "end"), [(0, 0), (7, 0), (100, 200), (5, 2)])
def test_what_was_never_sent_cannot_be_sent_again(begin: int, end: int) -> None:
    door = door_that_sent()
    (answer,) = door.tell("2", 4, (7, begin), (16, end))
    assert (answer.kind, answer[373], answer[371]) == ("3", "5", "7")


def test_a_resend_request_behind_a_gap_is_answered_at_once_and_counts_later() -> None:
    door = door_that_sent()
    said = door.tell("2", 6, (7, 5), (16, 5))
    assert [one.kind for one in said] == ["2", "8"]
    door.tell("0", 4, **dup())
    door.tell("0", 5, **dup())
    assert door.store.next_incoming == 7


def test_what_was_missed_while_nobody_was_there_can_be_had() -> None:
    door = door_that_sent()
    door.reconnect()
    door.session.disconnected()
    door.send("8", (37, "missed"))
    assert door.said() == []
    door.connect()
    (logon,) = door.tell("A", 4, *LOGON)
    assert logon.number == 8
    (again,) = door.tell("2", 5, (7, 7), (16, 7))
    assert (again.number, again[37], again[43]) == (7, "missed", "Y")


def test_nothing_of_the_application_goes_out_before_the_logon() -> None:
    door = Door()
    door.send("8", (37, "early"))
    assert door.said() == []
    (logon,) = door.tell("A", 1, *LOGON)
    assert (logon.kind, logon.number) == ("A", 2)


def test_a_long_resend_waits_for_the_socket() -> None:
    door = logged_on()
    for number in range(2, 1_002):
        assert door.send("8", (37, f"{number:0200d}")) == number
    door.said()
    door.session.receive(message("2", 2, (7, 1), (16, 0)), NOW_NS)
    door.session.receive(message("2", 3, (7, 1), (16, 0)), NOW_NS)  # asking twice costs once
    pieces: list[bytes] = []
    while door.session.output.has_output:
        pieces.append(door.session.output.take(10_000))
        assert len(pieces[-1]) < 11_000
    said = door.parser.feed(b"".join(pieces))
    assert [one.number for one in said] == list(range(1, 1_002))
    # A report that is new does not wait behind old ones.
    door.session.receive(message("2", 4, (7, 1), (16, 0)), NOW_NS)
    door.session.output.take(1_000)
    door.send("8", (37, "new"))
    assert b"37=new" in door.session.output.take(1_000)


# Rejects ---------------------------------------------------------------------------------------


def test_a_message_with_a_fault_is_rejected_and_has_had_its_turn() -> None:
    door = logged_on()
    (answer,) = door.tell("D", 2, *ORDER, (999, "x"))
    assert (answer.kind, answer[45], answer[372]) == ("3", "2", "D")
    assert (answer[371], answer[373], answer[58]) == ("999", "0", "Invalid tag number")
    assert (door.store.next_incoming, door.delivered) == (3, [])


def test_an_unknown_type_is_rejected_and_an_unsupported_one_refused() -> None:
    door = logged_on()
    (answer,) = door.tell("*", 2)
    assert (answer.kind, answer[373], answer[372]) == ("3", "11", "*")
    (answer,) = door.tell("8", 3, (37, "x"))
    assert (answer.kind, answer[380], answer[372], answer[45]) == ("j", "3", "8", "3")


@pytest.mark.parametrize("names", [{"sender": "OTHER"}, {"target": "OTHER"}])
def test_another_identity_within_a_session_ends_it(names: dict[str, str]) -> None:
    door = logged_on()
    reject, logout = door.tell("D", 2, *ORDER, **names)
    assert (reject.kind, reject[373], logout.kind) == ("3", "9", "5")
    assert door.tell("D", 3, *ORDER) == []
    assert door.delivered == []
    door.wait(5)
    assert door.closed == "timed out waiting for the Logout"


@pytest.mark.parametrize("seconds", [-121, 121])
def test_another_time_within_a_session_ends_it(seconds: int) -> None:
    door = logged_on()
    reject, logout = door.tell("0", 2, time_ns=NOW_NS + seconds * NS)
    assert (reject.kind, reject[373], logout.kind) == ("3", "10", "5")


def test_another_version_within_a_session_ends_it() -> None:
    door = logged_on()
    (logout,) = door.tell("1", 2, (112, "x"), begin="FIX.4.2")
    assert (logout.kind, logout[58]) == ("5", "Incorrect BeginString")


def test_garbled_messages_are_passed_over_and_asked_for() -> None:
    door = logged_on()
    data = message("D", 2, *ORDER)
    assert door.give(data[:-4] + b"000\x01") == []
    assert door.events[-1] == Ignored("CheckSum (10) is wrong")
    (ask,) = door.tell("D", 3, *ORDER)
    assert (ask.kind, ask[7]) == ("2", "2")


def test_a_reject_from_the_other_side_is_told_and_counted() -> None:
    door = logged_on()
    assert door.tell("3", 2, (45, 1), (58, "no")) == []
    assert isinstance(door.events[-1], Rejected)
    assert door.store.next_incoming == 3


def test_an_answer_through_a_third_party_goes_back_the_same_way() -> None:
    door = logged_on()
    route = ((115, "JCD"), (116, "CS"), (144, "CHI"))
    (answer,) = door.tell("D", 2, (999, "x"), header=route)
    assert (answer[128], answer[129], answer[145]) == ("JCD", "CS", "CHI")
    (answer,) = door.tell("8", 3, header=((128, "JCD"),))
    assert (answer[115], answer.get(128)) == ("JCD", None)


# Logout ----------------------------------------------------------------------------------------


def test_a_logout_is_answered_whatever_its_number() -> None:
    for number in (2, 50):
        door = logged_on()
        (answer,) = door.tell("5", number)
        assert answer.kind == "5"
        assert door.closed == "logged out"


def test_our_logout_waits_for_theirs_and_still_serves() -> None:
    door = logged_on()
    door.send("8", (37, "x"))
    door.session.logout(NOW_NS, "stopping")
    door.said()
    (again,) = door.tell("2", 2, (7, 2), (16, 2))
    assert again[37] == "x"
    assert door.tell("5", 3) == []
    assert door.closed == "logged out"


def test_our_logout_does_not_wait_for_ever() -> None:
    door = logged_on()
    door.session.logout(NOW_NS)
    door.wait(5)
    assert door.closed == "timed out waiting for the Logout"


# A restart -------------------------------------------------------------------------------------


def test_a_new_session_on_the_same_store_goes_on_with_the_numbers() -> None:
    door = door_that_sent()
    store = door.store
    door = Door(store)
    (logon,) = door.tell("A", 4, *LOGON)
    assert logon.number == 7
    said = door.tell("2", 5, (7, 2), (16, 3))
    assert summary(said) == [(2, "two"), (3, "three")]


def test_a_counterparty_that_forgot_its_numbers_is_told() -> None:
    store = MemoryStore()
    store.next_incoming = 40
    door = Door(store)
    (answer,) = door.tell("A", 1, *LOGON)
    assert answer[58] == "MsgSeqNum too low, expecting 40 but received 1"


# The other end ---------------------------------------------------------------------------------


def shuttle(left: Session, right: Session) -> list[Event]:
    """Carries bytes both ways until both are silent."""
    events: list[Event] = []
    while left.output.has_output or right.output.has_output:
        events += right.receive(left.output.take(1 << 20), NOW_NS)
        events += left.receive(right.output.take(1 << 20), NOW_NS)
    return events


@pytest.mark.parametrize("reset", [False, True])
def test_initiator_and_acceptor_understand_each_other(reset: bool) -> None:
    door = Door()
    maker = Session(
        SessionConfig("MAKER", "STRADDLE", frozenset("8")), MemoryStore(), is_initiator=True
    )
    maker.connected(NOW_NS)
    maker.logon(NOW_NS, reset=reset)
    assert shuttle(maker, door.session) == [LoggedOn(reset)] * 2
    door.session.send("8", [(37, "x")], NOW_NS)
    (event,) = shuttle(maker, door.session)
    assert isinstance(event, Application)
    # A connection breaks, a report is missed, both go on where they were.
    maker.disconnected()
    door.session.disconnected()
    door.session.send("8", [(37, "missed")], NOW_NS)
    maker.connected(NOW_NS)
    door.connect()
    maker.logon(NOW_NS)
    events = shuttle(maker, door.session)
    assert [event.message.text(37) for event in events if isinstance(event, Application)] == [
        "missed"
    ]
    maker.logout(NOW_NS)
    events = shuttle(maker, door.session)
    assert [event for event in events if isinstance(event, Closed)] == [Closed("logged out")] * 2


def test_an_initiator_is_told_why_its_logon_was_refused() -> None:
    door = Door(password="sesame")
    maker = Session(
        SessionConfig("MAKER", "STRADDLE", password="guess"), MemoryStore(), is_initiator=True
    )
    maker.connected(NOW_NS)
    maker.logon(NOW_NS)
    events = shuttle(maker, door.session)
    assert Closed("the Logon was refused: Password (554) is wrong") in events


def test_values_cannot_smuggle_fields() -> None:
    door = logged_on()
    door.send("8", (58, "x\x0110=000\x018=FIX.4.4"))
    (said,) = door.said()
    assert said[58] == "x?10=000?8=FIX.4.4"
