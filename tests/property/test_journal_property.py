"""Random lives of a journal against a list: append, commit, reopen, crash."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from exchange.journal import Journal, JournalDamaged, read_journal
from tests.model.journal import journal_bytes


class JournalLife(RuleBasedStateMachine):
    """Holds two lists: what was committed must be there after anything; what was only appended may
    be there after a crash, as far as it was written, and never without what stands before it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.directory = Path(self.home.name)
        self.committed: list[bytes] = []
        self.pending: list[bytes] = []

    @initialize(segment_bytes=st.sampled_from([1, 100, 300, 1 << 20]))
    def begin(self, segment_bytes: int) -> None:
        self.segment_bytes = segment_bytes
        self.open()

    def open(self) -> None:
        self.journal = Journal.open(self.directory, segment_bytes=self.segment_bytes, fsync=False)

    @rule(payload=st.binary(max_size=120))
    def append(self, payload: bytes) -> None:
        self.journal.append(payload)
        self.pending.append(payload)

    @rule()
    def commit(self) -> None:
        self.journal.commit()
        self.committed += self.pending
        self.pending = []

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.pending = []
        self.open()
        assert self.journal.torn_tail is None

    @rule(data=st.data())
    def crash_in_the_middle_of_a_commit(self, data: st.DataObject) -> None:
        """The group was being written: segment by segment, each a prefix of itself."""
        before = {path: path.stat().st_size for path in self.directory.glob("segment-*")}
        self.journal.commit()
        self.journal.close()
        after = sorted(self.directory.glob("segment-*"))
        fresh = [(path, before.get(path, 0), path.stat().st_size) for path in after]
        fresh = [entry for entry in fresh if entry[2] > entry[1]]
        if fresh:
            torn = data.draw(st.integers(0, len(fresh) - 1), label="torn segment")
            path, low, high = fresh[torn]
            size = data.draw(st.integers(low, high), label="bytes that reached the disk")
            with path.open("r+b") as file:
                file.truncate(size)
            for later, _, _ in fresh[torn + 1 :]:
                later.unlink()
        self.open()
        survived = [entry.payload for entry in self.journal.read()]
        assert survived == (self.committed + self.pending)[: len(survived)]
        assert len(survived) >= len(self.committed)
        self.committed, self.pending = survived, []

    @invariant()
    def everyone_reads_what_was_committed(self) -> None:
        if not hasattr(self, "journal"):
            return
        reader = read_journal(self.directory)
        assert [entry.payload for entry in reader] == self.committed
        assert reader.torn_tail is None
        assert [entry.payload for entry in self.journal.read()] == self.committed
        assert self.journal.durable_sequence == len(self.committed)
        assert self.journal.last_sequence == len(self.committed) + len(self.pending)
        parts = [path.read_bytes() for path in sorted(self.directory.glob("segment-*"))]
        assert b"".join(parts) == journal_bytes(self.committed)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
        self.home.cleanup()


JournalLife.TestCase.settings = settings(stateful_step_count=25)
TestJournalLife = JournalLife.TestCase


@given(
    payloads=st.lists(st.binary(max_size=700), min_size=1, max_size=6),
    committed=st.integers(0, 6),
    holes=st.lists(st.integers(0, 12), max_size=3),
    cut=st.integers(0, 4000),
)
def test_sectors_lost_in_a_power_cut_never_cost_a_committed_entry_in_silence(
    payloads: list[bytes], committed: int, holes: list[int], cut: int
) -> None:
    """Sectors of the last group may be missing in any order: recovery keeps all that was committed
    and a prefix of the group, or refuses.
    """
    committed = min(committed, len(payloads))
    safe = len(journal_bytes(payloads[:committed]))
    data = bytearray(journal_bytes(payloads))
    for hole in holes:
        start = max(hole * 512, (safe + 511) // 512 * 512)
        data[start : start + 512] = bytes(len(data[start : start + 512]))
    data = data[: max(safe, len(data) - cut)]
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "segment-00000001.journal").write_bytes(data)
        try:
            with Journal.open(home, fsync=False) as journal:
                survived = [entry.payload for entry in journal.read()]
        except JournalDamaged as error:
            damaged_at = error.sequence
        else:
            damaged_at = None
    if damaged_at is not None:
        assert damaged_at > committed
        return
    assert survived == payloads[: len(survived)]
    assert len(survived) >= committed
    assert data.startswith(journal_bytes(survived))


@given(data=st.binary(max_size=400), good=st.lists(st.binary(max_size=20), max_size=3))
def test_random_bytes_behind_good_entries_never_become_an_entry(
    data: bytes, good: list[bytes]
) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "segment-00000001.journal"
        path.write_bytes(journal_bytes(good) + data)
        try:
            with Journal.open(home, fsync=False) as journal:
                assert [entry.payload for entry in journal.read()] == good
                assert (journal.torn_tail is None) == (not data)
                return
        except JournalDamaged as error:
            damaged_at = error.sequence
        assert damaged_at == len(good) + 1
        assert path.read_bytes() == journal_bytes(good) + data
