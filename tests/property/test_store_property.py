"""Random lives of the packed store and of the books on it, each against its slow twin.

Holds: after every step both show the same and have one state hash; after every message both tell
the same events, and one that is refused has left the hash as it was.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from matching import rejects
from matching.batch import (
    CANCEL,
    LIMIT,
    MAX_ID,
    MESSAGE,
    MESSAGE_BYTES,
    REFUSED,
    Matcher,
    read_events,
)
from matching.store import (
    HIDDEN,
    ID,
    KEY,
    LEFT,
    LEVEL,
    LOTS,
    NONE,
    ORDERS,
    OWNER,
    SIDE,
    Store,
)
from tests.model.resting import KINDS, Resting, SlowMatcher, SlowStore

BOOKS = 3


class StoreLife(RuleBasedStateMachine):
    """Keys lie close together, so that levels fill, empty and come back; or far apart, so that
    ladders grow and are halved.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fast = Store(1)
        self.slow = SlowStore(1)
        self.orders: list[tuple[int, Resting]] = []
        self.next_id = 1

    @rule()
    @precondition(lambda self: self.slow.books < BOOKS)
    def a_book_more(self) -> None:
        assert self.fast.add_book() == self.slow.books
        self.slow.sides += [[], []]
        self.slow.books += 1

    @rule(
        side=st.integers(0, 2 * BOOKS - 1),
        key=st.integers(-3, 3) | st.integers(-(1 << 40), 1 << 40),
        lots=st.integers(1, 5) | st.integers(1, 1 << 31),
    )
    def add(self, side: int, key: int, lots: int) -> None:
        side %= 2 * self.slow.books
        slot = self.fast.add(side, key, self.next_id, 7, lots)
        self.orders.append((slot, self.slow.add(side, key, self.next_id, 7, lots)))
        self.next_id += 1

    @rule(first=st.integers(-40, 40), step=st.sampled_from([-1, 1]), count=st.integers(1, 60))
    def add_many(self, first: int, step: int, count: int) -> None:
        """A whole ladder, from either end."""
        for number in range(count):
            self.add(0, first + step * number, 1)

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000))
    def remove(self, pick: int) -> None:
        slot, slow = self.orders.pop(pick % len(self.orders))
        self.fast.remove(slot)
        self.slow.remove(slow)

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000), data=st.data())
    def reduce(self, pick: int, data: st.DataObject) -> None:
        slot, slow = self.orders[pick % len(self.orders)]
        if slow.left > 1:
            lots = data.draw(st.integers(1, slow.left - 1))
            self.fast.reduce(slot, lots)
            slow.left -= lots

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000), data=st.data())
    def substitute(self, pick: int, data: st.DataObject) -> None:
        slot, slow = self.orders[pick % len(self.orders)]
        slow.left = data.draw(st.integers(1, slow.left))
        slow.order_id = self.next_id
        self.fast.substitute(slot, self.next_id, slow.left)
        self.next_id += 1

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000), shown=st.integers(1, 9), behind=st.integers(0, 9))
    def replenish(self, pick: int, shown: int, behind: int) -> None:
        slot, slow = self.orders[pick % len(self.orders)]
        slow.hidden = shown + behind
        self.fast.hide(slot, shown + behind)
        self.fast.replenish(slot, shown)
        self.slow.replenish(slow, shown)

    @invariant()
    def both_show_the_same(self) -> None:
        fast, slow = self.fast, self.slow
        assert fast.state_hash() == slow.state_hash()
        assert fast.resting() == len(self.orders)
        cells = fast.cells
        for side in range(2 * slow.books):
            assert [
                (cells[s + ID], cells[cells[s + LEVEL] + KEY], cells[s + LEFT], cells[s + HIDDEN])
                for s in fast.slots(side)
            ] == [(o.order_id, o.key, o.left, o.hidden) for o in slow.sides[side]]
            assert [
                (cells[level + KEY], cells[level + LOTS], cells[level + ORDERS])
                for level in fast.levels(side)
            ] == slow.levels(side)
            assert all(cells[level + SIDE] == side for level in fast.levels(side))
            assert (fast.first(side) == NONE) == (not slow.sides[side])
        for book in range(slow.books):
            assert fast.is_empty(book) == (not any(slow.sides[2 * book : 2 * book + 2]))
        for slot, order in self.orders:
            assert cells[slot + OWNER] == order.owner
            assert fast.find_level(order.side, order.key) == cells[slot + LEVEL]


TestStoreLife = StoreLife.TestCase
TestStoreLife.settings = settings(stateful_step_count=25, max_examples=30)


# MESSAGES

LIKELY = st.tuples(
    st.sampled_from(KINDS),
    st.integers(0, 1),
    st.integers(0, BOOKS - 1),
    st.integers(-2, 3),
    st.integers(1, 6),
    st.integers(0, 3),
    st.integers(1, 14),
)
HOSTILE = st.tuples(
    st.sampled_from(KINDS) | st.integers(0, 255),
    st.integers(0, 1) | st.integers(0, 255),
    st.integers(0, BOOKS) | st.integers(0, 65_535),
    st.sampled_from([-(1 << 31), (1 << 31) - 1, 0]) | st.integers(-3, 3),
    st.sampled_from([-(1 << 31), (1 << 31) - 1, 0, -1]) | st.integers(1, 5),
    st.sampled_from([0, 1, (1 << 32) - 1]),
    st.sampled_from([0, -1, -(1 << 63), (1 << 63) - 1, MAX_ID, MAX_ID + 1, 1 << 40])
    | st.integers(1, 14),
)


@given(
    messages=st.lists(LIKELY | HOSTILE, max_size=120),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    torn=st.integers(0, MESSAGE_BYTES - 1),
)
def test_books_and_their_twin_tell_the_same_of_any_messages(
    messages: list[tuple[int, ...]], cuts: list[int], torn: int
) -> None:
    fast, slow = Matcher(BOOKS), SlowMatcher(BOOKS)
    at = 0
    for number in range(len(messages)):
        size = cuts[number % len(cuts)]
        batch = b"".join(MESSAGE.pack(*message) for message in messages[at : at + size])
        batch += b"\xff" * (torn if number == len(cuts) else 0)
        at += size
        before = fast.state_hash()
        count = fast.apply(batch)
        events = list(read_events(fast.events()))
        assert events == slow.apply(batch)
        assert count == len(events) == fast.count()
        assert fast.state_hash() == slow.store.state_hash()
        if all(event.kind == REFUSED for event in events):
            assert fast.state_hash() == before, "a refused message leaves no trace"
        fast.drop()


@given(
    gaps=st.lists(st.sampled_from([1, 1, 1, 2, 4_096, 1 << 20, 1 << 40]), min_size=1, max_size=300),
)
def test_ids_that_share_their_last_bits_are_told_apart(gaps: list[int]) -> None:
    matcher, twin = Matcher(1, 1), SlowMatcher(1)
    ids: list[int] = []
    last = 0
    for gap in gaps:
        last += gap if last + gap < MAX_ID - 400 else 1
        ids.append(last)
    placed = b"".join(MESSAGE.pack(LIMIT, 0, 0, n % 5, 1, 1, i) for n, i in enumerate(ids))
    gone = b"".join(MESSAGE.pack(CANCEL, 0, 0, 0, 0, 0, i) for i in ids[::-2])
    for batch in (placed, gone, gone, placed):
        matcher.drop()
        matcher.apply(batch)
        assert list(read_events(matcher.events())) == twin.apply(batch)
        assert matcher.state_hash() == twin.store.state_hash()


def test_a_batch_larger_than_any_room_makes_room() -> None:
    """50,000 orders, each at a price of its own, in one call, and events over several pages."""
    matcher = Matcher(2, 1)
    count = 50_000
    batch = b"".join(MESSAGE.pack(LIMIT, n & 1, n & 1, n, 1, 1, n) for n in range(1, count + 1))
    assert matcher.apply(batch) == matcher.count() == count
    told = list(read_events(matcher.events()))
    assert [event.order_id for event in told] == list(range(1, count + 1))
    assert matcher.store.resting() == count
    matcher.drop()
    assert matcher.apply(batch) == count, "all are refused"
    refused = list(read_events(matcher.events()))
    assert {event.price_ticks for event in refused} == {rejects.ORDER_ALREADY_USED}
    assert [event.other for event in refused] == list(range(count))
