"""How combos come and go: made by the first order that names them, dropped when nobody needs them.

Holds: numbers ascend and are given once, but for the newest, which a refused order gives back; a
combo without resting orders is idle from the second in which it was last used, and the longest
idle stands first; `active(instrument, side)` lists, by number, the combos of two legs whose
resting orders would trade that instrument on that side.
Never: tells anyone (the handlers emit), or drops a combo that has an order in its book.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Final

from matching.book import Book
from matching.combos import COMBO_BASE, Combo, Legs
from matching.instruments import Instrument
from matching.orders import Order

MAX_COMBOS: Final = 1 << 14
"""Combos at one time. Above it a new one takes the place of the longest idle, if one is."""
MAX_COMBOS_OF_ACCOUNT: Final = 256
"""Combos in which one account may have resting orders at one time."""
IDLE_S: Final = 60
"""How long a combo without orders is kept, so that its number does not change at every quote."""
MAX_BOOK: Final = (1 << 32) - 1
"""The highest number of a book: events carry it as u32."""

_NEVER_S: Final = 1 << 62

_NOTHING: Final[dict[int, int]] = {}
_NONE: Final[list[int]] = []


class ComboLife:
    """The combos of an exchange. `combos`, `by_legs` and `books` are the exchange's own tables."""

    __slots__ = (
        "_active",
        "_books",
        "_by_legs",
        "_combos",
        "_instruments",
        "_orders_of",
        "idle",
        "next_due_s",
        "next_number",
    )

    def __init__(
        self,
        combos: dict[int, Combo],
        by_legs: dict[Legs, Combo],
        books: dict[int, Book],
        instruments: Sequence[Instrument],
    ) -> None:
        self._combos = combos
        self._by_legs = by_legs
        self._books = books
        self._instruments = instruments
        self.next_number = COMBO_BASE
        self.idle: dict[int, int] = {}
        """Combo to the second in which it was last used, longest ago first."""
        self.next_due_s = _NEVER_S
        """No combo is due before this second."""
        self._orders_of: dict[int, dict[int, int]] = {}
        """Account to combo to its resting orders there."""
        self._active: dict[tuple[int, int], list[int]] = {}
        """(instrument, side) to numbers of two-legged combos, ascending."""

    # MADE AND DROPPED

    def make(self, legs: Legs) -> Combo:
        """The combo of canonical legs that nobody has named before, and its book."""
        number = self.next_number
        assert number <= MAX_BOOK, "has_room was asked"
        assert legs not in self._by_legs, "a combo is made once"
        self.next_number += 1
        combo = Combo(number, [self._instruments[leg] for leg, _ in legs], [r for _, r in legs])
        self._combos[number] = self._by_legs[legs] = combo
        self._books[number] = Book(number, combo.tick_micro)
        return combo

    def forget_newest(self, combo: Combo) -> None:
        """Takes back a combo that a refused order was the first to name, and its number."""
        assert combo.book == self.next_number - 1, "only the newest is taken back"
        self.drop(combo.book)
        self.next_number -= 1

    def has_room(self) -> bool:
        """Whether one combo more may be made, in the place of an idle one if need be."""
        return self.next_number <= MAX_BOOK and (len(self._combos) < MAX_COMBOS or bool(self.idle))

    def longest_idle(self) -> int | None:
        """The combo to drop for a new one; None while there is room or all are in use."""
        if len(self._combos) <= MAX_COMBOS:
            return None
        return next(iter(self.idle), None)

    def is_due(self, time_s: int) -> bool:
        """Whether a combo has been idle for as long as it is kept."""
        if time_s < self.next_due_s:
            return False
        longest_s = next(iter(self.idle.values()), _NEVER_S)
        self.next_due_s = longest_s + IDLE_S
        return self.next_due_s <= time_s

    def due(self, time_s: int) -> list[int]:
        """The combos that have been, longest idle first."""
        found: list[int] = []
        for number, since_s in self.idle.items():
            if since_s + IDLE_S > time_s:
                break
            found.append(number)
        return found

    def drop(self, number: int) -> None:
        """Forgets a combo without orders, and its book."""
        assert self._books[number].is_empty(), "a combo with orders stays"
        combo = self._combos.pop(number)
        del self._by_legs[combo.legs], self._books[number]
        self.idle.pop(number, None)

    # USED

    def used(self, number: int, time_s: int) -> None:
        """An order for a combo was accepted, and has done what it does."""
        self.idle.pop(number, None)
        if self._books[number].is_empty():
            self._rest(number, time_s)

    def added(self, order: Order) -> None:
        """An order came to rest in a combo's book."""
        number = order.book
        self.idle.pop(number, None)
        counts = self._orders_of.setdefault(order.account, {})
        counts[number] = counts.get(number, 0) + 1
        combo = self._combos[number]
        if len(combo.legs) == 2:
            for instrument, ratio in combo.legs:
                side = order.side if ratio > 0 else 1 - order.side
                listed = self._active.setdefault((instrument, side), [])
                at = bisect_left(listed, number)
                if at == len(listed) or listed[at] != number:
                    insort(listed, number)

    def removed(self, order: Order, time_s: int) -> None:
        """An order left a combo's book: cancelled or filled."""
        number = order.book
        counts = self._orders_of[order.account]
        counts[number] -= 1
        if not counts[number]:
            del counts[number]
            if not counts:
                del self._orders_of[order.account]
        combo, book = self._combos[number], self._books[number]
        if len(combo.legs) == 2 and book.first(order.side) is None:
            for instrument, ratio in combo.legs:
                side = order.side if ratio > 0 else 1 - order.side
                listed = self._active[instrument, side]
                del listed[bisect_left(listed, number)]
                if not listed:
                    del self._active[instrument, side]
        if book.is_empty():
            self._rest(number, time_s)

    def _rest(self, number: int, time_s: int) -> None:
        """A combo is idle from now on."""
        self.idle[number] = time_s
        self.next_due_s = min(self.next_due_s, time_s + IDLE_S)

    # READ

    def orders_of(self, account: int) -> dict[int, int]:
        """How many orders an account has in which combos. To be read only."""
        return self._orders_of.get(account, _NOTHING)

    def has_active(self, instrument: int, side: int) -> bool:
        """Whether there is any."""
        return bool(self._active) and (instrument, side) in self._active

    def active(self, instrument: int, side: int) -> list[int]:
        """Numbers of the two-legged combos with orders that would trade an instrument on `side`,
        ascending. To be read only.
        """
        return self._active.get((instrument, side), _NONE)
