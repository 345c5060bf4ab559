"""All resting orders of all books, in packed records.

Orders and levels are records of eight 64-bit integers in one vector, `cells`: an order is one
cache line, and is known by its **slot**, the index of its first field, from `add` to its end. Each
side of each book has a record in `sides` and a run of (key, level) pairs in `ladders`.

Holds: a ladder ascends and its last is the best (bid key = +price, ask key = -price, so one code
path serves both sides); a level is never empty; its lots are the sum of its orders'; within a
level orders stand first come first; slot 0 is no order. What rests, and in what priority, never
depends on where a record happens to lie. `tests/model/book.py` is the slow twin; both pass
`tests/property/test_store_property.py` and have one state hash.
Never: looks an order up by its id, or knows what an owner may do: callers keep slots.

Interpreted, integers do not wrap and compiled they do: callers keep keys, lots and ids within
+-2**62.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from librt.vecs import extend, vec
from mypy_extensions import i64

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
RESTING: Final = 4

FIRST_ROOM: Final = 4


class Store:
    """The books' contents. `cells`, `sides` and `ladders` may be read by callers in the fields
    named above; what changes them are the methods alone.
    """

    __slots__ = ("books", "cells", "free", "ladders", "ladders_used", "sides", "spare", "used")

    def __init__(self, books: i64 = 0, orders: i64 = 0) -> None:
        """Room for so many books and orders; more of both can come later."""
        self.books: i64 = 0
        self.cells: vec[i64] = vec[i64]([0] * (CELL * 64))
        self.used: i64 = CELL
        self.free: i64 = NONE
        self.sides: vec[i64] = vec[i64]()
        self.ladders: vec[i64] = vec[i64]([0] * 64)
        self.ladders_used: i64 = 0
        self.spare: vec[i64] = vec[i64]([-1] * 64)
        while len(self.cells) < orders * CELL:
            self._more_cells()
        for _ in range(books):
            self.add_book()

    def add_book(self) -> i64:
        """A book more, empty; its number."""
        number = self.books
        self.books = number + 1
        record: list[i64] = [0, 0, 0, EMPTY, 0, 0, 0, 0]
        self.sides = extend(extend(self.sides, record), record)
        return number

    # ORDERS COME AND GO

    def add(self, side: i64, key: i64, order_id: i64, owner: i64, lots: i64) -> i64:
        """Puts an order last at its price; its slot. `side` as numbered above."""
        slot = self.free
        if slot != NONE:
            self.free = self.cells[slot + ID]
        else:
            slot = self.used
            if slot + 2 * CELL > len(self.cells):
                self._more_cells()
            self.used = slot + CELL
        level = self._level(side, key)
        cells = self.cells
        cells[slot + ID] = order_id
        cells[slot + OWNER] = owner
        cells[slot + LEFT] = lots
        cells[slot + HIDDEN] = 0
        cells[slot + TAG] = 0
        self._append(level, slot, lots)
        return slot

    def _append(self, level: i64, slot: i64, lots: i64) -> None:
        cells = self.cells
        tail = cells[level + TAIL]
        cells[slot + LEVEL] = level
        cells[slot + BEFORE] = tail
        cells[slot + AFTER] = NONE
        cells[level + TAIL] = slot
        if tail == NONE:
            cells[level + HEAD] = slot
        else:
            cells[tail + AFTER] = slot
        cells[level + LOTS] += lots
        cells[level + ORDERS] += 1
        self.sides[cells[level + SIDE] * CELL + RESTING] += 1

    def remove(self, slot: i64) -> None:
        """Takes an order out, wherever it stands. Its slot is free from then on."""
        self._unlink(slot)
        self.cells[slot + ID] = self.free
        self.free = slot

    def _unlink(self, slot: i64) -> None:
        cells = self.cells
        level = cells[slot + LEVEL]
        before = cells[slot + BEFORE]
        after = cells[slot + AFTER]
        cells[slot + LEVEL] = NONE
        self.sides[cells[level + SIDE] * CELL + RESTING] -= 1
        orders = cells[level + ORDERS] - 1
        if orders == 0:
            self._drop_level(level)
            return
        cells[level + ORDERS] = orders
        cells[level + LOTS] -= cells[slot + LEFT]
        if before == NONE:
            cells[level + HEAD] = after
        else:
            cells[before + AFTER] = after
        if after == NONE:
            cells[level + TAIL] = before
        else:
            cells[after + BEFORE] = before

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

    def replenish(self, slot: i64, lots: i64) -> None:
        """An iceberg shows `lots` again, out of HIDDEN, and goes to the back of its level."""
        cells = self.cells
        level = cells[slot + LEVEL]
        cells[slot + HIDDEN] -= lots
        added = lots - cells[slot + LEFT]
        cells[slot + LEFT] = lots
        cells[level + LOTS] += added
        after = cells[slot + AFTER]
        if after == NONE:
            return
        before = cells[slot + BEFORE]
        cells[after + BEFORE] = before
        if before == NONE:
            cells[level + HEAD] = after
        else:
            cells[before + AFTER] = after
        tail = cells[level + TAIL]
        cells[tail + AFTER] = slot
        cells[slot + BEFORE] = tail
        cells[slot + AFTER] = NONE
        cells[level + TAIL] = slot

    # LEVELS

    def _place(self, side: i64, key: i64) -> i64:
        """Where in `ladders` the pair of the greatest key <= `key` lies; before the run if none."""
        ladders = self.ladders
        record = side * CELL
        low = self.sides[record + LADDER]
        at = low + 2 * self.sides[record + LEVELS] - 2
        stop = at - 2 * NEAR
        if stop < low:
            stop = low
        while at >= stop:
            if ladders[at] <= key:
                return at
            at -= 2
        # Everything from `at` + 2 on is greater; halve what is left.
        count = (at - low) // 2 + 1
        while count > 0:
            half = count // 2
            middle = low + 2 * half
            if ladders[middle] <= key:
                low = middle + 2
                count -= half + 1
            else:
                count = half
        return low - 2

    def find_level(self, side: i64, key: i64) -> i64:
        """The level at a key, NONE if nothing rests there."""
        at = self._place(side, key)
        if at < self.sides[side * CELL + LADDER] or self.ladders[at] != key:
            return NONE
        return self.ladders[at + 1]

    def _level(self, side: i64, key: i64) -> i64:
        """The level at a key, a new one if there is none."""
        record = side * CELL
        at = self._place(side, key)
        if at >= self.sides[record + LADDER] and self.ladders[at] == key:
            return self.ladders[at + 1]
        count = self.sides[record + LEVELS]
        if count == self.sides[record + ROOM]:
            at += self._more_ladder(side)
        level = self.free
        if level != NONE:
            self.free = self.cells[level + ID]
        else:
            level = self.used
            if level + 2 * CELL > len(self.cells):
                self._more_cells()
            self.used = level + CELL
        cells = self.cells
        cells[level + KEY] = key
        cells[level + HEAD] = NONE
        cells[level + TAIL] = NONE
        cells[level + LOTS] = 0
        cells[level + ORDERS] = 0
        cells[level + SIDE] = side
        ladders = self.ladders
        end = self.sides[record + LADDER] + 2 * count
        into = at + 2
        while end > into:
            ladders[end] = ladders[end - 2]
            ladders[end + 1] = ladders[end - 1]
            end -= 2
        ladders[into] = key
        ladders[into + 1] = level
        self.sides[record + LEVELS] = count + 1
        if key > self.sides[record + BEST]:
            self.sides[record + BEST] = key
        return level

    def _drop_level(self, level: i64) -> None:
        cells = self.cells
        ladders = self.ladders
        record = cells[level + SIDE] * CELL
        low = self.sides[record + LADDER]
        count = self.sides[record + LEVELS] - 1
        self.sides[record + LEVELS] = count
        last = low + 2 * count
        if ladders[last + 1] == level:
            self.sides[record + BEST] = ladders[last - 2] if count > 0 else EMPTY
        else:
            self.sides[record + LEVELS] = count + 1
            at = self._place(cells[level + SIDE], cells[level + KEY])
            self.sides[record + LEVELS] = count
            while at < last:
                ladders[at] = ladders[at + 2]
                ladders[at + 1] = ladders[at + 3]
                at += 2
        cells[level + ID] = self.free
        self.free = level

    # ROOM

    def _more_cells(self) -> None:
        """Half as much room again."""
        count = len(self.cells) // (2 * CELL) * CELL
        self.cells = extend(self.cells, vec[i64]([0] * count))

    def _more_ladder(self, side: i64) -> i64:
        """Moves a side's ladder to a run of twice the room; by how much it moved."""
        sides = self.sides
        record = side * CELL
        room = sides[record + ROOM]
        start = sides[record + LADDER]
        wanted: i64 = FIRST_ROOM if room == 0 else 2 * room
        klass = _size_class(wanted)
        new = self.spare[klass]
        if new >= 0:
            self.spare[klass] = self.ladders[new]
        else:
            new = self.ladders_used
            self.ladders_used = new + 2 * wanted
            while len(self.ladders) < self.ladders_used:
                self.ladders = extend(self.ladders, vec[i64]([0] * len(self.ladders)))
        ladders = self.ladders
        for at in range(2 * sides[record + LEVELS]):
            ladders[new + at] = ladders[start + at]
        if room > 0:
            old = _size_class(room)
            ladders[start] = self.spare[old]
            self.spare[old] = start
        sides[record + LADDER] = new
        sides[record + ROOM] = wanted
        return new - start

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
        at = self._place(side, self.cells[level + KEY]) - 2
        return NONE if at < self.sides[side * CELL + LADDER] else self.ladders[at + 1]

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

    def resting(self) -> i64:
        """How many orders rest, in all books."""
        total: i64 = 0
        for side in range(2 * self.books):
            total += self.sides[side * CELL + RESTING]
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
    klass: i64 = 0
    while room > 1:
        room //= 2
        klass += 1
    return klass
