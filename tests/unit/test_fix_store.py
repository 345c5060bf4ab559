"""What a FIX session remembers, and what it still knows after a crash or a restart."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.gateway_fix import store as store_module
from exchange.gateway_fix.store import FileStore, MemoryStore, SessionStore, StoreDamaged

Make = Callable[[], SessionStore]


@pytest.fixture(params=["memory", "file", "file with fsync"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "memory":
        return MemoryStore
    return lambda: FileStore(tmp_path / "a.fix", fsync="fsync" in request.param)


def fill(store: SessionStore) -> None:
    """Numbers 1 and 4 are never sent again; 2, 3 and 5 are."""
    for message in (None, b"two", b"three", None, b"five"):
        store.sent(message)
    store.next_incoming = 9
    store.note(b"order", b"live")
    store.note(b"other", b"old")
    store.note(b"other", b"new")
    store.note(b"gone", b"x")
    store.note(b"gone", b"")


def check(store: SessionStore) -> None:
    assert (store.next_outgoing, store.next_incoming) == (6, 9)
    assert list(store.messages(1, 5)) == [(2, b"two"), (3, b"three"), (5, b"five")]
    assert list(store.messages(3, 4)) == [(3, b"three")]
    assert list(store.messages(6, 100)) == []
    assert store.notes() == {b"order": b"live", b"other": b"new"}


def test_a_store_gives_back_what_it_was_given(make: Make) -> None:
    store = make()
    fill(store)
    check(store)
    store.flush()
    check(store)


def test_a_reset_forgets_messages_and_keeps_notes(make: Make) -> None:
    store = make()
    fill(store)
    store.flush()
    store.reset()
    assert (store.next_outgoing, store.next_incoming) == (1, 1)
    assert list(store.messages(1, 5)) == []
    assert store.notes() == {b"order": b"live", b"other": b"new"}
    store.sent(b"again one")
    assert list(store.messages(1, 5)) == [(1, b"again one")]


def test_a_file_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "a.fix"
    for _ in range(3):
        store = FileStore(path)
        if store.next_outgoing == 1:
            fill(store)
        check(store)
        store.close()


def test_what_was_not_flushed_is_lost_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.fix"
    store = FileStore(path)
    fill(store)
    store.flush()
    store.sent(b"six")
    store.note(b"order", b"changed")
    check(FileStore(path))


def test_a_file_cut_at_any_byte_is_a_store_of_some_time_before(tmp_path: Path) -> None:
    path = tmp_path / "a.fix"
    store = FileStore(path)
    fill(store)
    store.flush()
    data = path.read_bytes()
    outgoing: list[int] = []
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        store = FileStore(path)
        outgoing.append(store.next_outgoing)
        store.sent(b"after the crash")
        store.flush()
        again = FileStore(path)
        assert again.next_outgoing == outgoing[-1] + 1
        assert list(again.messages(outgoing[-1], outgoing[-1])) == [
            (outgoing[-1], b"after the crash")
        ]
    assert outgoing == sorted(outgoing)
    assert (outgoing[0], outgoing[-1]) == (1, 6)


def test_nothing_of_a_write_that_was_cut_off_stays_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.fix"
    store = FileStore(path)
    store.sent(b"whole")
    store.sent(b"cut off" * 100)
    store.flush()
    path.write_bytes(path.read_bytes()[:-1])
    store = FileStore(path)
    store.note(b"k", b"v")
    store.flush()
    again = FileStore(path)
    assert (again.next_outgoing, again.notes()) == (2, {b"k": b"v"})


def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.fix"
    store = FileStore(path)
    fill(store)
    store.close()
    data = path.read_bytes()
    path.write_bytes(data[:20] + bytes((data[20] ^ 1,)) + data[21:])
    with pytest.raises(StoreDamaged, match="ResetSeqNumFlag"):
        FileStore(path)


def test_a_message_that_awaits_its_verdict_will_be_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "a.fix"
    store = FileStore(path)
    store.next_incoming = 9
    store.flush(dealt_with=5)
    assert FileStore(path).next_incoming == 5
    store.flush(dealt_with=9)
    assert FileStore(path).next_incoming == 9


def test_a_reset_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "a.fix"
    store = FileStore(path)
    fill(store)
    store.flush()
    store.reset()
    store.sent(b"again one")
    store.flush()
    again = FileStore(path)
    assert (again.next_outgoing, again.next_incoming) == (2, 1)
    assert list(again.messages(1, 9)) == [(1, b"again one")]
    assert again.notes() == {b"order": b"live", b"other": b"new"}
    assert [file.name for file in tmp_path.iterdir()] == ["a.fix"]


def test_dead_bytes_are_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_DEAD_BYTES", 1_000)
    path = tmp_path / "a.fix"
    store = FileStore(path)
    fill(store)
    store.sent(None)
    for number in range(1_000):
        store.note(b"order", b"%04d" % number)
        store.flush()
    assert path.stat().st_size < 2_000
    again = FileStore(path)
    assert (again.next_outgoing, again.next_incoming) == (7, 9)
    assert list(again.messages(1, 5)) == [(2, b"two"), (3, b"three"), (5, b"five")]
    assert again.notes() == {b"order": b"0999", b"other": b"new"}


def test_only_the_last_messages_are_kept(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "KEPT_MESSAGES", 3)
    store = make()
    for number in range(1, 11):
        store.sent(b"%d" % number)
    store.flush()
    expected = [(8, b"8"), (9, b"9"), (10, b"10")]
    assert list(store.messages(1, 10)) == expected
    if isinstance(store, FileStore):
        assert list(FileStore(tmp_path / "a.fix").messages(1, 10)) == expected
