"""Sides with far more levels than a run has, against the store that keeps one sorted list.

Holds: however such a side grew, and from whichever end it is taken down, both stores show the same
levels in the same order, find each, and know what is behind it.
"""

from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from matching.plain_store import PlainOrder, PlainStore
from matching.store import KEY, LADDER_LEVELS, NONE, Store

MANY = 5 * LADDER_LEVELS


class Pair:
    """Both stores, with the same orders; each key has one order at most."""

    def __init__(self) -> None:
        self.packed, self.plain = Store(1), PlainStore(1)
        self.standing: dict[int, tuple[int, PlainOrder]] = {}
        self.count = 0

    def add(self, key: int) -> None:
        if key in self.standing:
            return
        self.count += 1
        added = 0, key, self.count, 7, 1 + key % 5
        self.standing[key] = self.packed.add(*added), self.plain.add(*added)

    def remove(self, key: int) -> None:
        slot, order = self.standing.pop(key)
        self.packed.remove(slot)
        self.plain.remove(order)

    def agree(self) -> None:
        assert list(self.packed.depth(0)) == list(self.plain.depth(0))
        assert self.packed.state_hash() == self.plain.state_hash()
        assert self.packed.resting() == len(self.standing)

    def find_all(self) -> None:
        packed = self.packed
        for key in self.standing:
            level = packed.find_level(0, key)
            assert level != NONE
            assert packed.cells[level + KEY] == key
            assert (packed.find_level(0, key + 1) != NONE) == (key + 1 in self.standing)
        assert packed.find_level(0, -1) == packed.find_level(0, MANY + 1) == NONE


growths = st.sampled_from(["inward", "outward", "anywhere", "both ends"])
declines = st.sampled_from(["from the best", "from the worst", "anywhere"])


@settings(max_examples=12, deadline=None)
@example(seed=1, growth="inward", decline="from the best")
@example(seed=1, growth="outward", decline="from the worst")
@given(seed=st.integers(0, 1 << 30), growth=growths, decline=declines)
def test_a_side_of_many_levels_is_as_if_it_stood_in_one_list(
    seed: int, growth: str, decline: str
) -> None:
    random, pair = Random(seed), Pair()
    keys = random.sample(range(MANY), MANY * 4 // 5)
    if growth == "inward":
        keys.sort()
    elif growth == "outward":
        keys.sort(reverse=True)
    elif growth == "both ends":
        keys.sort(key=lambda key: abs(key - MANY // 2))
    for at, key in enumerate(keys):
        pair.add(key)
        if at % 3 == 2:  # some go at once, and the best among them
            gone = random.choice([key, max(pair.standing)])
            pair.remove(gone)
        if at % 700 == 0:
            pair.agree()
    pair.find_all()
    left = sorted(pair.standing, reverse=decline == "from the best")
    if decline == "anywhere":
        random.shuffle(left)
    for at, key in enumerate(left):
        pair.remove(key)
        if at % 400 == 0:
            pair.agree()
            pair.add(random.randrange(MANY))
    pair.agree()
