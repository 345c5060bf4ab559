"""The levels of one side far from the best, where a market seldom looks: in blocks, so that a level
comes and goes at a cost that hardly grows with their number.

Holds: keys ascend within a block and from block to block; no block is empty; a block has at most
BLOCK levels and is halved where it would have more. With n levels a level is found in log2(n)
steps, and moves no more than BLOCK keys; the list of blocks moves once in BLOCK / 2 insertions.
Never: knows what a level is: it keeps their numbers.
"""

from bisect import bisect_left, bisect_right
from typing import Final

BLOCK: Final = 512
NO_LEVEL: Final = 0


class FarLevels:
    """(key, level) pairs of one side. The best stand last."""

    __slots__ = ("_keys", "_levels", "_lowest")

    def __init__(self) -> None:
        self._lowest: list[int] = []
        self._keys: list[list[int]] = []
        self._levels: list[list[int]] = []

    def is_empty(self) -> bool:
        return not self._lowest

    def take_in(self, keys: list[int], levels: list[int]) -> None:
        """A block of pairs, at most BLOCK, that are all better than what is here."""
        self._lowest.append(keys[0])
        self._keys.append(keys)
        self._levels.append(levels)

    def give_best(self) -> tuple[list[int], list[int]]:
        """Takes out the best block; there is one."""
        self._lowest.pop()
        return self._keys.pop(), self._levels.pop()

    def find(self, key: int) -> int:
        """The level at a key, NO_LEVEL if there is none."""
        block = bisect_right(self._lowest, key) - 1
        if block < 0:
            return NO_LEVEL
        keys = self._keys[block]
        at = bisect_left(keys, key)
        return self._levels[block][at] if at < len(keys) and keys[at] == key else NO_LEVEL

    def insert(self, key: int, level: int) -> None:
        """A level at a key that has none; there are others."""
        block = max(bisect_right(self._lowest, key) - 1, 0)
        keys, levels = self._keys[block], self._levels[block]
        at = bisect_left(keys, key)
        keys.insert(at, key)
        levels.insert(at, level)
        if not at:
            self._lowest[block] = key
        if len(keys) > BLOCK:
            half = BLOCK // 2
            self._lowest.insert(block + 1, keys[half])
            self._keys.insert(block + 1, keys[half:])
            self._levels.insert(block + 1, levels[half:])
            del keys[half:]
            del levels[half:]

    def remove(self, key: int) -> None:
        """Takes out the level at a key."""
        block = bisect_right(self._lowest, key) - 1
        keys, levels = self._keys[block], self._levels[block]
        at = bisect_left(keys, key)
        assert keys[at] == key, "what is removed is here"
        del keys[at]
        del levels[at]
        if not keys:
            del self._lowest[block]
            del self._keys[block]
            del self._levels[block]
        elif not at:
            self._lowest[block] = keys[0]

    def worse_than(self, key: int) -> int:
        """The best level with a lower key, NO_LEVEL if there is none."""
        block = bisect_left(self._lowest, key) - 1
        if block < 0:
            return NO_LEVEL
        return self._levels[block][bisect_left(self._keys[block], key) - 1]
