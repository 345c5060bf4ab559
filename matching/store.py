"""All resting orders of all books, in packed records.

Orders and levels are records of eight 64-bit integers in one vector, `cells`: an order is one
cache line, and is known by its **slot**, the index of its first field, from `add` to its end. Each
side of each book has a record in `sides` and a run of (key, level) pairs in `ladders`: its best
levels, at most LADDER_LEVELS; those behind stand in `far_levels.py`. `Store` is the whole;
`search`, `take`, `link` and `unlink` are the moves that its methods and the loop over a batch
(`packed_matcher.py`) are made of.

Holds: a ladder ascends and its last is the best (bid key = +price, ask key = -price, so one code
path serves both sides); a level is never empty; its lots are the sum of its orders'; within a
level orders stand first come first; slot 0 is no order. What rests, and in what priority, never
depends on where a record happens to lie. `tests/model/book.py` is the slow twin; both pass
`tests/property/test_store_property.py` and have one state hash.
Never: looks an order up by its id, or knows what an owner may do: callers keep slots.

What it holds and how it is read is the same as `plain_store.py`, which an interpreter is faster at.
Interpreted, integers do not wrap and compiled they do: callers keep keys, lots and ids within
+-2**62.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final, NamedTuple

from matching.far_levels import FarLevels
from matching.packed import extend, i64, vec

CELL: Final = 8
NONE: Final = 0
"""No order, no level."""
EMPTY: Final = -(1 << 62)
"""The best key of a side where nothing rests: below every key."""
NEAR: Final = 24
"""Levels next to the best are looked at one by one (most orders come there), others by halving."""

# FIELDS OF AN ORDER. A free cell keeps the next free one in ID.
ID: Final = 0
OWNER: Final = 1
LEFT: Final = 2
LEVEL: Final = 3
BEFORE: Final = 4
AFTER: Final = 5
HIDDEN: Final = 6
"""Lots behind those that are shown; callers replenish (`replenish`)."""
TAG: Final = 7
"""For callers; the store only keeps it."""

# FIELDS OF A LEVEL
KEY: Final = 0
HEAD: Final = 1
TAIL: Final = 2
LOTS: Final = 3
ORDERS: Final = 4
SIDE: Final = 5

# FIELDS OF A SIDE. Sides are numbered 2 x book + side (0 buys, 1 sells).
LADDER: Final = 0
LEVELS: Final = 1
ROOM: Final = 2
BEST: Final = 3
"""The best key, or EMPTY."""

# THE FIRST CELL is no record: it says where room for the next one is.
FREE: Final = 0
"""The last cell that was given back, NONE if all are taken."""
USED: Final = 1
"""The first cell that was never taken."""

FIRST_ROOM: Final = 4
LADDER_LEVELS: Final = 512
"""The most levels of a side that stand in its run. A level that comes among them moves those that
are better; a market's orders come close to the best, and seldom leave so many levels there."""
SIZE_CLASSES: Final = 48


class Resting(NamedTuple):
    """An order as it is read. `left` is what it shows, `hidden` what stands behind that."""

    order_id: int
    owner: int
    key: int
    left: int
    hidden: int


class Depth(NamedTuple):
    """A level as it is read: what its orders show, and how many they are."""

    key: int
    lots: int
    orders: int


# MOVES: they have room already, so no vector is replaced while a loop holds it.


def search(sides: vec[i64], ladders: vec[i64], side: i64, key: i64) -> i64:
    """Where in `ladders` the pair of the greatest key <= `key` lies; just before the side's run
    if all are greater.
    """
    record = side * CELL
    low = sides[record + LADDER]
    at = low + 2 * sides[record + LEVELS] - 2
    stop = at - 2 * NEAR
    if stop < low:
        stop = low
    while at >= stop:
        if ladders[at] <= key:
            return at
        at -= 2
    # Every key from `at` + 2 on is greater; halve what is left.
    count = (at - low + 2) >> 1
    while count > 0:
        half = count >> 1
        middle = low + 2 * half
        if ladders[middle] <= key:
            low = middle + 2
            count -= half + 1
        else:
            count = half
    return low - 2


def take(cells: vec[i64]) -> i64:
    """A free cell."""
    cell = cells[FREE]
    if cell != NONE:
        cells[FREE] = cells[cell + ID]
        return cell
    cell = cells[USED]
    cells[USED] = cell + CELL
    return cell


def give_back(cells: vec[i64], cell: i64) -> None:
    cells[cell + ID] = cells[FREE]
    cells[FREE] = cell


def link(cells: vec[i64], level: i64, slot: i64) -> None:
    """Puts an order last in a level."""
    tail = cells[level + TAIL]
    cells[slot + LEVEL] = level
    cells[slot + BEFORE] = tail
    cells[slot + AFTER] = NONE
    cells[level + TAIL] = slot
    if tail == NONE:
        cells[level + HEAD] = slot
    else:
        cells[tail + AFTER] = slot
    cells[level + LOTS] += cells[slot + LEFT]
    cells[level + ORDERS] += 1


def unlink(cells: vec[i64], level: i64, slot: i64) -> i64:
    """Takes an order out of its level; how many stay there."""
    before = cells[slot + BEFORE]
    after = cells[slot + AFTER]
    if before == NONE:
        cells[level + HEAD] = after
    else:
        cells[before + AFTER] = after
    if after == NONE:
        cells[level + TAIL] = before
    else:
        cells[after + BEFORE] = before
    cells[level + LOTS] -= cells[slot + LEFT]
    orders = cells[level + ORDERS] - 1
    cells[level + ORDERS] = orders
    return orders


class Store:
    """The books' contents. `cells`, `sides` and `ladders` may be read by callers in the fields
    named above; what changes them are the methods and moves alone.
    """

    __slots__ = ("books", "cells", "far", "ladders", "ladders_used", "sides", "spare")

    def __init__(self, books: i64 = 0, orders: i64 = 0) -> None:
        """Room for so many books and orders; more of both can come later."""
        self.books: i64 = 0
        self.cells: vec[i64] = vec[i64]([0] * (CELL * (orders + orders // 4 + 64)))
        self.cells[USED] = CELL
        self.sides: vec[i64] = vec[i64]()
        self.ladders: vec[i64] = vec[i64]([0] * 64)
        self.ladders_used: i64 = 0
        self.far: list[FarLevels] = []
        self.spare: vec[i64] = vec[i64]([-1] * SIZE_CLASSES)
        while self.books < books:
            self.add_book()

    def add_book(self) -> i64:
        """A book more, empty; its number."""
        number = self.books
        self.books = number + 1
        record: list[i64] = [0, 0, 0, EMPTY, 0, 0, 0, 0]
        self.sides = extend(extend(self.sides, record), record)
        self.far += [FarLevels(), FarLevels()]
        return number

    def make_room(self, orders: i64) -> None:
        """Sees to it that so many orders, each at a price of its own, can come without growth of
        `cells`. Grows by half, so orders that come one by one are moved seldom.
        """
        wanted = self.cells[USED] + 2 * CELL * orders
        size = len(self.cells)
        if wanted > size:
            more = size // (2 * CELL) * CELL
            if size + more < wanted:
                more = wanted - size
            self.cells = extend(self.cells, vec[i64]([0] * more))

    # ORDERS COME AND GO

    def add(self, side: i64, key: i64, order_id: i64, owner: i64, lots: i64) -> i64:
        """Puts an order last at its price; its slot. `side` as numbered above."""
        self.make_room(1)
        level = self.level_at(side, key)
        cells = self.cells
        slot = take(cells)
        cells[slot + ID] = order_id
        cells[slot + OWNER] = owner
        cells[slot + LEFT] = lots
        cells[slot + HIDDEN] = 0
        cells[slot + TAG] = 0
        link(cells, level, slot)
        return slot

    def remove(self, slot: i64) -> None:
        """Takes an order out, wherever it stands. Its slot is free from then on."""
        cells = self.cells
        level = cells[slot + LEVEL]
        if unlink(cells, level, slot) == 0:
            self.drop_level(level)
        give_back(cells, slot)

    def reduce(self, slot: i64, lots: i64) -> None:
        """Takes `lots` off an order, which keeps its place; fewer than it has left."""
        cells = self.cells
        cells[slot + LEFT] -= lots
        cells[cells[slot + LEVEL] + LOTS] -= lots

    def substitute(self, slot: i64, order_id: i64, lots: i64) -> None:
        """A new id takes an order's place in the queue, with as many lots or fewer."""
        cells = self.cells
        cells[cells[slot + LEVEL] + LOTS] -= cells[slot + LEFT] - lots
        cells[slot + ID] = order_id
        cells[slot + LEFT] = lots

    def hide(self, slot: i64, lots: i64) -> None:
        """So many lots stand behind those that an order shows (an iceberg)."""
        self.cells[slot + HIDDEN] = lots

    def replenish(self, slot: i64, lots: i64) -> None:
        """An iceberg shows `lots` again, out of its hidden ones, and goes to the back of its
        level. What it showed before is given up: callers replenish what is filled.
        """
        cells = self.cells
        level = cells[slot + LEVEL]
        unlink(cells, level, slot)
        cells[slot + HIDDEN] -= lots
        cells[slot + LEFT] = lots
        link(cells, level, slot)

    # LEVELS

    def find_level(self, side: i64, key: i64) -> i64:
        """The level at a key, NONE if nothing rests there."""
        at = search(self.sides, self.ladders, side, key)
        if at >= self.sides[side * CELL + LADDER]:
            return self.ladders[at + 1] if self.ladders[at] == key else NONE
        return self.far[side].find(key)

    def level_at(self, side: i64, key: i64) -> i64:
        """The level at a key, made if nothing rests there; then it is empty until an order is
        linked, which is at once.
        """
        level = self.find_level(side, key)
        if level != NONE:
            return level
        sides = self.sides
        record = side * CELL
        level = self._blank_level(side, key)
        if sides[record + LEVELS] == LADDER_LEVELS:
            self._send_away(side)
        count = sides[record + LEVELS]
        if count and key < self.ladders[sides[record + LADDER]] and not self.far[side].is_empty():
            self.far[side].insert(key, level)
            return level
        if count == sides[record + ROOM]:
            self._more_ladder(side)
        ladders = self.ladders
        low = sides[record + LADDER]
        at = low + 2 * count
        while at > low and ladders[at - 2] > key:
            ladders[at] = ladders[at - 2]
            ladders[at + 1] = ladders[at - 1]
            at -= 2
        ladders[at] = key
        ladders[at + 1] = level
        sides[record + LEVELS] = count + 1
        if key > sides[record + BEST]:
            sides[record + BEST] = key
        return level

    def _blank_level(self, side: i64, key: i64) -> i64:
        cells = self.cells
        level = take(cells)
        cells[level + KEY] = key
        cells[level + HEAD] = NONE
        cells[level + TAIL] = NONE
        cells[level + LOTS] = 0
        cells[level + ORDERS] = 0
        cells[level + SIDE] = side
        return level

    def drop_level(self, level: i64) -> None:
        """Takes an empty level out."""
        cells = self.cells
        ladders = self.ladders
        sides = self.sides
        side = cells[level + SIDE]
        record = side * CELL
        low = sides[record + LADDER]
        count = sides[record + LEVELS] - 1
        last = low + 2 * count
        if ladders[last + 1] == level:
            sides[record + LEVELS] = count
            sides[record + BEST] = ladders[last - 2] if count > 0 else EMPTY
            if count == 0 and not self.far[side].is_empty():
                self._bring_near(side)
        elif cells[level + KEY] < ladders[low]:
            self.far[side].remove(cells[level + KEY])
        else:
            at = search(sides, ladders, side, cells[level + KEY])
            while at < last:
                ladders[at] = ladders[at + 2]
                ladders[at + 1] = ladders[at + 3]
                at += 2
            sides[record + LEVELS] = count
        give_back(cells, level)

    def _send_away(self, side: i64) -> None:
        """The worse half of a full run goes to the far levels."""
        sides, ladders = self.sides, self.ladders
        record = side * CELL
        low = sides[record + LADDER]
        half: i64 = LADDER_LEVELS // 2
        keys: list[int] = []
        levels: list[int] = []
        at: i64 = 0
        while at < half:
            keys.append(ladders[low + 2 * at])
            levels.append(ladders[low + 2 * at + 1])
            at += 1
        self.far[side].take_in(keys, levels)
        at = 0
        while at < 2 * half:
            ladders[low + at] = ladders[low + 2 * half + at]
            at += 1
        sides[record + LEVELS] = half

    def _bring_near(self, side: i64) -> None:
        """The best of the far levels fill a run that is empty."""
        keys, levels = self.far[side].give_best()
        sides = self.sides
        record = side * CELL
        while sides[record + ROOM] < len(keys):
            self._more_ladder(side)
        ladders = self.ladders
        at = sides[record + LADDER]
        for place in range(len(keys)):
            ladders[at] = keys[place]
            ladders[at + 1] = levels[place]
            at += 2
        sides[record + LEVELS] = len(keys)
        sides[record + BEST] = keys[-1]

    def _more_ladder(self, side: i64) -> None:
        """Moves a side's ladder to a run of twice the room; the old run is used again."""
        sides = self.sides
        record = side * CELL
        room = sides[record + ROOM]
        start = sides[record + LADDER]
        wanted: i64 = FIRST_ROOM if room == 0 else 2 * room
        size = _size_class(wanted)
        new = self.spare[size]
        if new >= 0:
            self.spare[size] = self.ladders[new]
        else:
            new = self.ladders_used
            self.ladders_used = new + 2 * wanted
            while len(self.ladders) < self.ladders_used:
                self.ladders = extend(self.ladders, vec[i64]([0] * len(self.ladders)))
        ladders = self.ladders
        at: i64 = 0
        while at < 2 * room:
            ladders[new + at] = ladders[start + at]
            at += 1
        if room > 0:
            old = _size_class(room)
            ladders[start] = self.spare[old]
            self.spare[old] = start
        sides[record + LADDER] = new
        sides[record + ROOM] = wanted

    # READING

    def best_level(self, side: i64) -> i64:
        """The best level of a side, NONE where nothing rests."""
        count = self.sides[side * CELL + LEVELS]
        if count == 0:
            return NONE
        return self.ladders[self.sides[side * CELL + LADDER] + 2 * count - 1]

    def first(self, side: i64) -> i64:
        """The order of a side that trades next, NONE where nothing rests."""
        level = self.best_level(side)
        return NONE if level == NONE else self.cells[level + HEAD]

    def following(self, slot: i64) -> i64:
        """The order that trades after this one on its side, NONE after the last."""
        after = self.cells[slot + AFTER]
        if after != NONE:
            return after
        level = self.worse_level(self.cells[slot + LEVEL])
        return NONE if level == NONE else self.cells[level + HEAD]

    def worse_level(self, level: i64) -> i64:
        """The level behind this one, NONE behind the last."""
        side = self.cells[level + SIDE]
        key = self.cells[level + KEY]
        at = search(self.sides, self.ladders, side, key) - 2
        if at >= self.sides[side * CELL + LADDER]:
            return self.ladders[at + 1]
        return self.far[side].worse_than(key)

    def slots(self, side: i64) -> Iterator[int]:
        """Every order of a side, in priority order."""
        slot = self.first(side)
        while slot != NONE:
            yield slot
            slot = self.following(slot)

    def levels(self, side: i64) -> Iterator[int]:
        """Every level of a side, best first."""
        level = self.best_level(side)
        while level != NONE:
            yield level
            level = self.worse_level(level)

    def orders(self, side: i64) -> Iterator[Resting]:
        """What rests on a side, in priority order."""
        for slot in self.slots(side):
            cells = self.cells
            key = cells[cells[slot + LEVEL] + KEY]
            yield Resting(
                cells[slot + ID], cells[slot + OWNER], key, cells[slot + LEFT], cells[slot + HIDDEN]
            )

    def depth(self, side: i64) -> Iterator[Depth]:
        """Every level of a side, best first."""
        for level in self.levels(side):
            cells = self.cells
            yield Depth(cells[level + KEY], cells[level + LOTS], cells[level + ORDERS])

    def resting(self) -> i64:
        """How many orders rest, in all books."""
        total: i64 = 0
        for side in range(2 * self.books):
            for level in self.levels(side):
                total += self.cells[level + ORDERS]
        return total

    def is_empty(self, book: i64) -> bool:
        record = 2 * book * CELL
        return self.sides[record + LEVELS] == 0 and self.sides[record + CELL + LEVELS] == 0

    def state_hash(self) -> bytes:
        """32 bytes that are equal where the same rests in the same priority, and only there:
        BLAKE2b over (side, key, id, owner, lots, hidden lots) of every order, each 8 bytes, little
        end first, side by side from 0.
        """
        cells = self.cells
        state = blake2b(digest_size=32)
        pack = struct.Struct("<6q").pack
        for side in range(2 * self.books):
            for slot in self.slots(side):
                key = cells[cells[slot + LEVEL] + KEY]
                state.update(
                    pack(
                        side,
                        key,
                        cells[slot + ID],
                        cells[slot + OWNER],
                        cells[slot + LEFT],
                        cells[slot + HIDDEN],
                    )
                )
        return state.digest()


def _size_class(room: i64) -> i64:
    size: i64 = 0
    while room > 1:
        room >>= 1
        size += 1
    return size
