"""Books driven by raw message batches, on the packed store: what runs where the core is compiled.

Holds: the rules of `batch.py`, message by message and event by event as `plain_matcher.py`, its
twin for interpreters; one conformance suite runs over both, compiled and interpreted.
"""

from __future__ import annotations

from typing import Final

from matching.messages import (
    ASKED,
    CANCEL,
    CANCELLED,
    EVENT_WORDS,
    FILL_OR_KILL,
    FILLED,
    MAX_BOOKS,
    MAX_ID,
    MESSAGE_BYTES,
    NOT_FILLED,
    POST,
    REDUCE,
    REDUCED,
    REFUSED,
    RESTED,
    SELF_TRADE,
    TAKE,
)
from matching.packed import as_bytes, i64, read_i64_le, vec
from matching.rejects import (
    CANNOT_FILL,
    MALFORMED,
    NOT_YOUR_ORDER,
    ORDER_ALREADY_USED,
    QUANTITY_OUT_OF_RANGE,
    UNKNOWN_ACCOUNT,
    UNKNOWN_INSTRUMENT,
    UNKNOWN_METHOD,
    UNKNOWN_ORDER,
    UNKNOWN_SIDE,
    WOULD_CROSS,
)
from matching.store import (
    AFTER,
    BEST,
    CELL,
    HEAD,
    HIDDEN,
    ID,
    KEY,
    LADDER,
    LEFT,
    LEVEL,
    LEVELS,
    LOTS,
    NONE,
    OWNER,
    SIDE,
    Store,
    give_back,
    link,
    search,
    take,
    unlink,
)

CHUNK: Final = 1024
"""Messages for which room is made at a time."""
STRIDE: Final = 40_503
"""From an id's home to its next place: odd, and far, or ids that come one after the other would
push each other on."""
PAGE_WORDS: Final = EVENT_WORDS << 14


class PackedMatcher:
    """Books 0 to `books` - 1. `orders`: room to begin with; more is made as it is needed."""

    __slots__ = ("_events", "_highest", "_index", "_live", "_made", "_pages", "_reach", "store")

    def __init__(self, books: i64, orders: i64 = 2048) -> None:
        assert 0 < books <= MAX_BOOKS, "a book has a number of 16 bits"
        self.store: Store = Store(books, orders)
        size: i64 = 2 * CHUNK
        while size < 2 * orders:
            size *= 2
        # Slots by id: open addressing, an id's home is its last bits, and nothing stands more
        # than `_reach` strides from its home. `_highest` is the highest id that was ever there.
        self._index: vec[i64] = vec[i64]([0] * size)
        self._reach: i64 = 0
        self._live: i64 = 0
        self._highest: i64 = 0
        self._pages: list[vec[i64]] = []
        self._events: vec[i64] = vec[i64]([0] * PAGE_WORDS)
        self._made: i64 = 0

    # EVENTS

    def events(self) -> bytes:
        """All events since the last `drop`, four 64-bit integers each, in this machine's order."""
        full = b"".join([as_bytes(page, PAGE_WORDS) for page in self._pages])
        return full + as_bytes(self._events, self._made)

    def count(self) -> i64:
        """How many events there are since the last `drop`."""
        return (len(self._pages) * PAGE_WORDS + self._made) // EVENT_WORDS

    def drop(self) -> None:
        """Forgets the events made so far; their room is used again."""
        self._made = 0
        if self._pages:
            self._pages.clear()

    def state_hash(self) -> bytes:
        """Of what rests (`Store.state_hash`)."""
        return self.store.state_hash()

    def _tell(self, head: i64, price: i64, order_id: i64, last: i64) -> None:
        at = self._made
        if at == PAGE_WORDS:
            at = 0
            self._pages.append(self._events)
            self._events = vec[i64]([0] * PAGE_WORDS)
        events = self._events
        events[at] = head
        events[at + 1] = price
        events[at + 2] = order_id
        events[at + 3] = last
        self._made = at + EVENT_WORDS

    # IDS

    def _find(self, order_id: i64) -> i64:
        """Where in the index an id is, -1 if nothing rests under it."""
        index = self._index
        cells = self.store.cells
        mask = len(index) - 1
        at = order_id & mask
        tries = self._reach
        while tries >= 0:
            slot = index[at]
            if slot != NONE and cells[slot + ID] == order_id:
                return at
            at = (at + STRIDE) & mask
            tries -= 1
        return -1

    def _settle(self, index: vec[i64], order_id: i64, slot: i64) -> None:
        """Enters a slot that does not find its home free."""
        mask = len(index) - 1
        at = order_id & mask
        distance: i64 = 0
        while index[at] != NONE:
            at = (at + STRIDE) & mask
            distance += 1
        index[at] = slot
        if distance > self._reach:
            self._reach = distance

    def _make_room(self, messages: i64) -> None:
        """For so many messages, each an order that rests."""
        store = self.store
        store.make_room(messages)
        if 2 * (self._live + messages) > len(self._index):
            old = self._index
            new = vec[i64]([0] * (2 * len(old)))
            self._reach = 0
            for slot in old:
                if slot != NONE:
                    self._settle(new, store.cells[slot + ID], slot)
            self._index = new

    # MESSAGES

    def apply(self, messages: bytes) -> i64:
        """Applies a batch, message by message; how many events it made."""
        before = self.count()
        size: i64 = len(messages)
        whole = size // MESSAGE_BYTES * MESSAGE_BYTES
        at: i64 = 0
        while at < whole:
            end = at + CHUNK * MESSAGE_BYTES
            if end > whole:
                end = whole
            self._make_room((end - at) // MESSAGE_BYTES)
            self._run(messages, at, end)
            at = end
        if whole != size:
            self._tell(REFUSED, MALFORMED, 0, whole // MESSAGE_BYTES)
        return self.count() - before

    def _run(self, messages: bytes, at: i64, end: i64) -> None:
        """The messages between two bytes, for which there is room.

        What most messages are, an order that only rests or a cancel, is done here in local
        variables; the rest goes to a method each.
        """
        store = self.store
        books = store.books
        cells = store.cells
        sides = store.sides
        index = self._index
        mask = len(index) - 1
        while at < end:
            first = read_i64_le(messages, at)
            second = read_i64_le(messages, at + 8)
            order_id = read_i64_le(messages, at + 16)
            kind = first & 0xFF
            place = first >> 8 & 0xFF
            book = first >> 16 & 0xFFFF
            price = first >> 32
            owner = second >> 32 & 0xFFFF_FFFF
            side = 2 * book + place
            code: i64 = 0
            if place > 1:
                code = UNKNOWN_SIDE
            elif book >= books:
                code = UNKNOWN_INSTRUMENT
            elif kind == CANCEL:
                where = order_id & mask
                slot = index[where]
                if slot == NONE or cells[slot + ID] != order_id:
                    where = self._find(order_id)
                    slot = NONE
                    if where >= 0:
                        slot = index[where]
                level = cells[slot + LEVEL]
                if slot == NONE or cells[level + SIDE] != side:
                    code = UNKNOWN_ORDER
                elif owner != 0 and cells[slot + OWNER] != owner:
                    code = NOT_YOUR_ORDER
                else:
                    key = cells[level + KEY]
                    lots = cells[slot + LEFT]
                    index[where] = NONE
                    self._live -= 1
                    if unlink(cells, level, slot) == 0:
                        store.drop_level(level)
                    give_back(cells, slot)
                    self._tell(
                        CANCELLED | place << 4 | book << 8 | lots << 24,
                        -key if place else key,
                        order_id,
                        ASKED,
                    )
            else:
                lots = ((second & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000
                limit = price if place else -price  # as keys of the other side are written
                if lots <= 0:
                    code = QUANTITY_OUT_OF_RANGE
                elif kind > REDUCE:
                    code = UNKNOWN_METHOD
                elif kind == REDUCE:
                    code = self._reduce(side, order_id, owner, lots)
                elif owner == 0:
                    code = UNKNOWN_ACCOUNT
                elif order_id <= 0 or order_id > MAX_ID:
                    code = MALFORMED
                elif order_id <= self._highest and self._find(order_id) >= 0:
                    code = ORDER_ALREADY_USED
                elif sides[(side ^ 1) * CELL + BEST] >= limit:
                    if kind == POST:
                        code = WOULD_CROSS
                    elif kind == FILL_OR_KILL and not self._can_fill(side ^ 1, limit, lots, owner):
                        code = CANNOT_FILL
                    else:
                        lots = self._match(side, limit, lots, owner, order_id)
                elif kind == FILL_OR_KILL:
                    code = CANNOT_FILL
                if code == 0 and lots > 0 and kind != REDUCE:
                    head = place << 4 | book << 8 | lots << 24
                    if kind == TAKE:
                        self._tell(CANCELLED | head, price, order_id, NOT_FILLED)
                    else:
                        ladders = store.ladders
                        found = search(sides, ladders, side, -limit)
                        if found >= sides[side * CELL + LADDER] and ladders[found] == -limit:
                            level = ladders[found + 1]
                        else:
                            level = store.level_at(side, -limit)
                        slot = take(cells)
                        cells[slot + ID] = order_id
                        cells[slot + OWNER] = owner
                        cells[slot + LEFT] = lots
                        cells[slot + HIDDEN] = 0
                        link(cells, level, slot)
                        where = order_id & mask
                        if index[where] == NONE:
                            index[where] = slot
                        else:
                            self._settle(index, order_id, slot)
                        self._live += 1
                        if order_id > self._highest:
                            self._highest = order_id
                        self._tell(RESTED | head, price, order_id, owner)
            if code != 0:
                self._tell(
                    REFUSED | (place & 15) << 4 | book << 8, code, order_id, at // MESSAGE_BYTES
                )
            at += MESSAGE_BYTES

    def _reduce(self, side: i64, order_id: i64, owner: i64, lots: i64) -> i64:
        """Takes lots off a resting order, all it has at most; a code, or 0."""
        at = self._find(order_id)
        if at < 0:
            return UNKNOWN_ORDER
        store = self.store
        cells = store.cells
        slot = self._index[at]
        level = cells[slot + LEVEL]
        if cells[level + SIDE] != side:
            return UNKNOWN_ORDER
        if owner != 0 and cells[slot + OWNER] != owner:
            return NOT_YOUR_ORDER
        left = cells[slot + LEFT]
        key = cells[level + KEY]
        head = (side & 1) << 4 | (side >> 1) << 8
        price = -key if side & 1 else key
        if lots < left:
            store.reduce(slot, lots)
            self._tell(REDUCED | head | lots << 24, price, order_id, ASKED)
        else:
            store.remove(slot)
            self._index[at] = NONE
            self._live -= 1
            self._tell(CANCELLED | head | left << 24, price, order_id, ASKED)
        return 0

    def _can_fill(self, side: i64, limit: i64, lots: i64, owner: i64) -> bool:
        """Whether the orders of `side` down to the key `limit` fill so many lots, before one of
        the owner's own.
        """
        store = self.store
        cells = store.cells
        slot = store.first(side)
        while slot != NONE and cells[cells[slot + LEVEL] + KEY] >= limit:
            if cells[slot + OWNER] == owner:
                return False
            lots -= cells[slot + LEFT]
            if lots <= 0:
                return True
            slot = store.following(slot)
        return False

    def _match(self, side: i64, limit: i64, lots: i64, owner: i64, order_id: i64) -> i64:
        """Fills a taker of `side` from the other side, down to its key `limit`; the lots left that
        may rest. Where its owner's own order is next, the rest is cancelled.
        """
        store = self.store
        cells = store.cells
        sides = store.sides
        ladders = store.ladders
        index = self._index
        mask = len(index) - 1
        other = (side ^ 1) * CELL
        head = FILLED | (side & 1) << 4 | (side >> 1) << 8
        best = sides[other + BEST]
        while best >= limit:
            price = best if side & 1 else -best
            level = ladders[sides[other + LADDER] + 2 * sides[other + LEVELS] - 1]
            slot = cells[level + HEAD]
            while slot != NONE:
                if cells[slot + OWNER] == owner:
                    self._tell(
                        head - FILLED + CANCELLED | lots << 24,
                        limit if side & 1 else -limit,
                        order_id,
                        SELF_TRADE,
                    )
                    return 0
                left = cells[slot + LEFT]
                maker = cells[slot + ID]
                if lots < left:
                    cells[slot + LEFT] = left - lots
                    cells[level + LOTS] -= lots
                    self._tell(head | lots << 24, price, order_id, maker)
                    return 0
                where = maker & mask
                if index[where] != slot:
                    where = self._find(maker)
                index[where] = NONE
                self._live -= 1
                after = cells[slot + AFTER]
                unlink(cells, level, slot)
                give_back(cells, slot)
                self._tell(head | left << 24, price, order_id, maker)
                lots -= left
                if after == NONE:
                    store.drop_level(level)
                if lots == 0:
                    return 0
                slot = after
            best = sides[other + BEST]
        return lots
