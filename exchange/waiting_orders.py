"""Orders that are accepted and stand in no book yet: what wakes each, and who goes with whom.

Holds: a waiting order is in exactly one of three places: behind its parent (`children`), armed at
a price (`armed`), or due to wake (`due`); `armed` lists ascend by distance, so that a price wakes
a prefix of a list; at equal distance the older order comes first. `groups` has the live orders,
waiting or resting, that cancel each other, `sessions` those that go with a connection, oldest
first; `last_session` is the highest connection that such an order ever came on. `ended`, `hits`
and `remarked` are empty between commands: they carry what a command did to its end, where
`handlers/linked.py` and `handlers/triggers.py` draw the consequences.
Never: looks at a book, or counts in margin.
"""

from bisect import bisect_left, bisect_right, insort
from typing import Any, Final

from matching.orders import (
    INDEX_AT_LEAST,
    INDEX_AT_MOST,
    LAST_AT_LEAST,
    MARK_AT_MOST,
    Order,
)
from settlement.signed_messages import NO_ORDER
from settlement.signed_messages import Order as SignedOrder

MAX_WAITING_ORDERS: Final = 256
"""Of one account: bounds what one mark may wake of it, and what one cancel must end."""
MAX_GROUP: Final = 8
"""Orders of one account that may cancel each other."""

Source = tuple[int, int]
"""A trigger (1 to 6) and what it watches: an instrument, or an underlying for an index."""
Group = tuple[int, int]
"""An account and the number of one of its groups."""


class WaitingOrder:
    """An order that waits. `order` is as it was accepted, in no book; `signed` says what it asks
    for when it wakes; `source` is what its trigger watches, (0, 0) without one.
    """

    __slots__ = ("order", "signed", "source")

    def __init__(self, order: Order, signed: SignedOrder, underlying: int) -> None:
        self.order = order
        self.signed = signed
        trigger = signed.conditions.trigger
        is_index = trigger in (INDEX_AT_LEAST, INDEX_AT_MOST)
        self.source: Source = (
            (trigger, underlying if is_index else order.book) if trigger else (0, 0)
        )

    @property
    def distance(self) -> int:
        """Its trigger price, turned so that it is due where a turned price is no lower."""
        return turned(self.source[0], self.signed.conditions.trigger_price_micro)


def turned(trigger: int, price_micro: int) -> int:
    """A price as `at least` sees it, and its negative as `at most` does."""
    return price_micro if trigger & 1 else -price_micro


MAX_WAKES: Final = 32
"""Orders that wake in one command: each may make as many fills as a command may."""


class WaitingOrders:
    """All waiting orders of the exchange, and the ties between orders. At most `most_wakes` of them
    wake in one command.
    """

    __slots__ = (
        "armed",
        "by_account",
        "by_book",
        "by_hash",
        "children",
        "due",
        "ended",
        "groups",
        "hits",
        "last_micro",
        "last_session",
        "most_wakes",
        "ranges",
        "remarked",
        "sessions",
    )

    def __init__(self) -> None:
        self.most_wakes = MAX_WAKES
        self.by_hash: dict[bytes, WaitingOrder] = {}
        self.by_account: dict[int, dict[int, WaitingOrder]] = {}
        self.by_book: dict[int, dict[int, WaitingOrder]] = {}
        self.armed: dict[Source, list[tuple[int, int, bytes]]] = {}
        self.due: dict[bytes, int] = {}
        self.children: dict[bytes, dict[int, bytes]] = {}
        self.groups: dict[Group, dict[bytes, None]] = {}
        self.sessions: dict[int, dict[int, bytes]] = {}
        self.last_session = 0
        self.last_micro: dict[int, int] = {}
        # What the command at hand did
        self.ended: list[tuple[bytes, bool]] = []
        self.hits: dict[Group, bytes] = {}
        self.ranges: dict[int, tuple[int, int]] = {}
        self.remarked: list[int] = []

    # COMING AND GOING

    def add(self, waiting: WaitingOrder) -> None:
        """Takes an order in, in no place yet: the caller puts it behind its parent or arms it."""
        order = waiting.order
        self.by_hash[order.hash] = waiting
        self.by_account.setdefault(order.account, {})[order.order_id] = waiting
        self.by_book.setdefault(order.book, {})[order.order_id] = waiting

    def remove(self, waiting: WaitingOrder) -> None:
        """Takes an order out, wherever it waits; its group keeps it."""
        order, parent = waiting.order, waiting.signed.conditions.parent
        del self.by_hash[order.hash]
        _take_out(self.by_account, order.account, order.order_id)
        _take_out(self.by_book, order.book, order.order_id)
        if order.hash in self.due:
            del self.due[order.hash]
        elif order.order_id in self.children.get(parent, ()):
            _take_out(self.children, parent, order.order_id)
        else:
            self._disarm(waiting)

    def count_of(self, account: int) -> int:
        return len(self.by_account.get(account, ()))

    def of_account(self, account: int) -> list[WaitingOrder]:
        """An account's, oldest first."""
        return list(self.by_account.get(account, {}).values())

    def of_book(self, book: int) -> list[WaitingOrder]:
        """A book's, oldest first."""
        return list(self.by_book.get(book, {}).values())

    # PLACES

    def put_behind(self, parent: bytes, waiting: WaitingOrder) -> None:
        self.children.setdefault(parent, {})[waiting.order.order_id] = waiting.order.hash

    def leave_parent(self, parent: bytes, waiting: WaitingOrder) -> None:
        """Nothing holds it back but its trigger, which the caller looks at."""
        _take_out(self.children, parent, waiting.order.order_id)

    def arm(self, waiting: WaitingOrder, price_micro: int | None) -> None:
        """Lets it wait for its trigger; due at once if the price that its trigger watches is there
        already. None: no such price yet.
        """
        order = waiting.order
        if price_micro is not None and turned(waiting.source[0], price_micro) >= waiting.distance:
            self.due[order.hash] = price_micro
        else:
            armed = self.armed.setdefault(waiting.source, [])
            insort(armed, (waiting.distance, order.order_id, order.hash))

    def _disarm(self, waiting: WaitingOrder) -> None:
        armed = self.armed[waiting.source]
        at = bisect_left(armed, (waiting.distance, waiting.order.order_id, b""))
        assert armed[at][2] == waiting.order.hash, "a waiting order is in one of three places"
        del armed[at]
        if not armed:
            del self.armed[waiting.source]

    def see(self, source: Source, price_micro: int) -> None:
        """A price that triggers watch: those that it reaches are due, nearest first."""
        armed = self.armed.get(source)
        if armed is None:
            return
        reached = bisect_right(armed, turned(source[0], price_micro), key=_distance)
        for _, _, order_hash in armed[:reached]:
            self.due[order_hash] = price_micro
        del armed[:reached]
        if not armed:
            del self.armed[source]

    # WHAT A COMMAND DOES

    def traded(self, instrument: int, price_micro: int) -> None:
        """A trade in an instrument's own book. All prices of a command count, not the last alone:
        what was reached in between was reached.
        """
        self.last_micro[instrument] = price_micro
        if (LAST_AT_LEAST, instrument) in self.armed or (
            LAST_AT_LEAST + 1,
            instrument,
        ) in self.armed:
            low, high = self.ranges.get(instrument, (price_micro, price_micro))
            self.ranges[instrument] = (min(low, price_micro), max(high, price_micro))

    def end(self, order: Order, is_filled: bool) -> None:
        """An order is live no more: with nothing left to trade, or before that."""
        if order.oco_group:
            group = (order.account, order.oco_group)
            members = self.groups.get(group, {})
            members.pop(order.hash, None)
            if not members:
                self.groups.pop(group, None)
        if order.session:
            _take_out(self.sessions, order.session, order.order_id)
        if order.hash in self.children:
            self.ended.append((order.hash, is_filled))

    def join(self, order: Order) -> None:
        """An order of a group is accepted."""
        self.groups.setdefault((order.account, order.oco_group), {})[order.hash] = None

    def belong(self, order: Order) -> None:
        """An order that goes with its connection is accepted."""
        self.sessions.setdefault(order.session, {})[order.order_id] = order.hash
        self.last_session = max(self.last_session, order.session)

    def hit(self, order: Order) -> None:
        """An order of a group traded or was triggered: the first in a command stays."""
        self.hits.setdefault((order.account, order.oco_group), order.hash)

    @property
    def is_stirred(self) -> bool:
        """Whether the command at hand, or one before it, left anything to do."""
        return bool(self.ended or self.hits or self.due or self.ranges or self.remarked)


def is_of_mark(trigger: int) -> bool:
    return 0 < trigger <= MARK_AT_MOST


def is_of_index(trigger: int) -> bool:
    return trigger in (INDEX_AT_LEAST, INDEX_AT_MOST)


def waits(signed: SignedOrder) -> bool:
    """Whether an order waits for a price or for another order before it meets a book."""
    conditions = signed.conditions
    return conditions.trigger != 0 or conditions.parent != NO_ORDER


def _distance(armed: tuple[int, int, bytes]) -> int:
    return armed[0]


def _take_out(within: dict[Any, dict[int, Any]], key: Any, number: int) -> None:
    """Deletes an inner entry, and the outer one with its last."""
    inner = within[key]
    del inner[number]
    if not inner:
        del within[key]
