"""Random lives of both stores and of the books on them, each against its slow twin.

Holds: after every step all show the same and have one state hash; after every message all tell
the same events, byte by byte, and one that is refused has left the hash as it was.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exchange.compiled import is_compiled
from matching import rejects
from matching.batch import (
    CANCEL,
    LIMIT,
    MAX_ID,
    MESSAGE,
    MESSAGE_BYTES,
    REFUSED,
    Books,
    Matcher,
    read_events,
)
from matching.packed_matcher import PackedMatcher
from matching.plain_matcher import PlainMatcher
from matching.plain_store import PlainLevel, PlainOrder, PlainStore
from matching.store import KEY, LEVEL, LOTS, NONE, ORDERS, SIDE, Depth, Resting, Store
from tests.model.resting import KINDS, SlowMatcher, SlowOrder, SlowStore

BOOKS = 3
MATCHERS = [PackedMatcher, PlainMatcher]
each_matcher = pytest.mark.parametrize("kind", MATCHERS)


class StoreLife(RuleBasedStateMachine):
    """Keys lie close together, so that levels fill, empty and come back; or far apart, so that
    ladders grow and are halved.
    """

    def __init__(self) -> None:
        super().__init__()
        self.packed, self.plain = Store(1), PlainStore(1)
        self.slow = SlowStore(1)
        self.orders: list[tuple[int, PlainOrder, SlowOrder]] = []
        self.next_id = 1

    @rule()
    @precondition(lambda self: self.slow.books < BOOKS)
    def a_book_more(self) -> None:
        assert self.packed.add_book() == self.plain.add_book() == self.slow.books
        self.slow.sides += [[], []]
        self.slow.books += 1

    @rule(
        side=st.integers(0, 2 * BOOKS - 1),
        key=st.integers(-3, 3) | st.integers(-(1 << 40), 1 << 40),
        lots=st.integers(1, 5) | st.integers(1, 1 << 31),
    )
    def add(self, side: int, key: int, lots: int) -> None:
        side %= 2 * self.slow.books
        added = side, key, self.next_id, 7, lots
        self.orders.append((self.packed.add(*added), self.plain.add(*added), self.slow.add(*added)))
        self.next_id += 1

    @rule(first=st.integers(-40, 40), step=st.sampled_from([-1, 1]), count=st.integers(1, 60))
    def add_many(self, first: int, step: int, count: int) -> None:
        """A whole ladder, from either end."""
        for number in range(count):
            self.add(0, first + step * number, 1)

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000))
    def remove(self, pick: int) -> None:
        slot, order, slow = self.orders.pop(pick % len(self.orders))
        self.packed.remove(slot)
        self.plain.remove(order)
        self.slow.remove(slow)

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000), data=st.data())
    def reduce(self, pick: int, data: st.DataObject) -> None:
        slot, order, slow = self.orders[pick % len(self.orders)]
        if slow.left > 1:
            lots = data.draw(st.integers(1, slow.left - 1))
            self.packed.reduce(slot, lots)
            self.plain.reduce(order, lots)
            slow.left -= lots

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000), data=st.data())
    def substitute(self, pick: int, data: st.DataObject) -> None:
        slot, order, slow = self.orders[pick % len(self.orders)]
        slow.left = data.draw(st.integers(1, slow.left))
        slow.order_id = self.next_id
        self.packed.substitute(slot, self.next_id, slow.left)
        self.plain.substitute(order, self.next_id, slow.left)
        self.next_id += 1

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000), shown=st.integers(1, 9), behind=st.integers(0, 9))
    def replenish(self, pick: int, shown: int, behind: int) -> None:
        slot, order, slow = self.orders[pick % len(self.orders)]
        slow.hidden = shown + behind
        self.packed.hide(slot, shown + behind)
        self.packed.replenish(slot, shown)
        self.plain.hide(order, shown + behind)
        self.plain.replenish(order, shown)
        self.slow.replenish(slow, shown)

    @invariant()
    def all_show_the_same(self) -> None:
        slow = self.slow
        for store in (self.packed, self.plain):
            assert store.books == slow.books
            assert store.state_hash() == slow.state_hash()
            assert store.resting() == len(self.orders)
            for side in range(2 * slow.books):
                assert list(store.orders(side)) == [
                    Resting(o.order_id, o.owner, o.key, o.left, o.hidden) for o in slow.sides[side]
                ]
                assert list(store.depth(side)) == [Depth(*level) for level in slow.levels(side)]
                assert bool(store.first(side)) == bool(slow.sides[side])
            for book in range(slow.books):
                assert store.is_empty(book) == (not any(slow.sides[2 * book : 2 * book + 2]))

    @invariant()
    def a_handle_is_of_its_order_at_its_level(self) -> None:
        cells = self.packed.cells
        for slot, order, slow in self.orders:
            assert self.packed.find_level(slow.side, slow.key) == cells[slot + LEVEL] != NONE
            assert cells[cells[slot + LEVEL] + SIDE] == slow.side
            level = self.plain.find_level(slow.side, slow.key)
            assert level is not None
            assert level is order.level
            assert (level.side.number, level.key) == (slow.side, slow.key)
            assert level.price == (-slow.key if slow.side & 1 else slow.key)

    @invariant()
    def levels_follow_each_other(self) -> None:
        """Level by level, as the packed cells have it."""
        cells = self.packed.cells
        for side in range(2 * self.slow.books):
            assert [
                (cells[level + KEY], cells[level + LOTS], cells[level + ORDERS])
                for level in self.packed.levels(side)
            ] == self.slow.levels(side)

    @invariant()
    def what_is_given_up_is_used_once(self) -> None:
        live = [order for _, order, _ in self.orders]
        spare = self.plain.spare_orders
        assert len({id(order) for order in live + spare}) == len(live) + len(spare)
        levels: list[PlainLevel] = list(self.plain.spare_levels)
        for pair in self.plain.pairs:
            for of_side in pair:
                levels += of_side.levels.values()
        assert len({id(level) for level in levels}) == len(levels)


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
CROWDED = st.tuples(
    st.sampled_from([LIMIT, LIMIT, LIMIT, *KINDS]),
    st.integers(0, 1),
    st.just(0),
    st.integers(-1, 1),
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 9),
)
"""Several orders at a price, of which one goes."""
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
    messages=st.lists(LIKELY | HOSTILE, max_size=120)
    | st.lists(CROWDED, min_size=30, max_size=120),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    torn=st.integers(0, MESSAGE_BYTES - 1),
)
def test_books_and_their_twin_tell_the_same_of_any_messages(
    messages: list[tuple[int, ...]], cuts: list[int], torn: int
) -> None:
    packed, plain, slow = PackedMatcher(BOOKS), PlainMatcher(BOOKS), SlowMatcher(BOOKS)
    at = 0
    for number in range(len(messages)):
        size = cuts[number % len(cuts)]
        batch = b"".join(MESSAGE.pack(*message) for message in messages[at : at + size])
        batch += b"\xff" * (torn if number == len(cuts) else 0)
        at += size
        before = slow.store.state_hash()
        expected = slow.apply(batch)
        for fast in (packed, plain):
            count = fast.apply(batch)
            assert list(read_events(fast.events())) == expected
            assert count == len(expected) == fast.count()
            assert fast.state_hash() == slow.store.state_hash()
            for side in range(2 * BOOKS):
                levels = [tuple(level) for level in fast.store.depth(side)]
                assert levels == slow.store.levels(side)
            if all(event.kind == REFUSED for event in expected):
                assert fast.state_hash() == before, "a refused message leaves no trace"
        assert packed.events() == plain.events()
        packed.drop()
        plain.drop()


@each_matcher
@given(
    gaps=st.lists(st.sampled_from([1, 1, 1, 2, 4_096, 1 << 20, 1 << 40]), min_size=1, max_size=300),
)
def test_ids_that_share_their_last_bits_are_told_apart(kind: Any, gaps: list[int]) -> None:
    matcher: Books = kind(1, 1)
    twin = SlowMatcher(1)
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


@each_matcher
def test_a_batch_larger_than_any_room_makes_room(kind: Any) -> None:
    """50,000 orders, each at a price of its own (but where interpreted cells would take minutes to
    make way), in one call, and events over several pages.
    """
    matcher: Books = kind(2, 1)
    count = 50_000
    prices = count if kind is Matcher else 1_000
    batch = b"".join(
        MESSAGE.pack(LIMIT, n & 1, n & 1, n % prices, 1, 1, n) for n in range(1, count + 1)
    )
    assert matcher.apply(batch) == matcher.count() == count
    told = list(read_events(matcher.events()))
    assert [event.order_id for event in told] == list(range(1, count + 1))
    assert matcher.store.resting() == count
    matcher.drop()
    assert matcher.apply(batch) == count, "all are refused"
    refused = list(read_events(matcher.events()))
    assert {event.price_ticks for event in refused} == {rejects.ORDER_ALREADY_USED}
    assert [event.other for event in refused] == list(range(count))


def test_the_matcher_is_the_packed_one_where_the_core_is_compiled() -> None:
    assert Matcher is (PackedMatcher if is_compiled() else PlainMatcher)
