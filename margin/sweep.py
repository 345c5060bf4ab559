"""Positions of all accounts on one underlying, side by side, valued at once when marks move.

Holds: 64-bit integers throughout; an account's positions stand together, in the order in which it
has them, with room to grow, so that taking an account's anew costs what it has, and valuing all
reads memory from front to end. Compiled, `value_all` is the loop below; interpreted that would be
slow, so there `sweep_numpy` takes its place.
Never: knows an account but by its number.
"""

from typing import TYPE_CHECKING, Final

from margin.kernel import Vector, add_lots, at_base, least, set_lots, zero_vector
from margin.marks import Marks
from matching.packed import extend, i64, vec

_LEAST_ROOM: Final = 4


class Holdings:
    """By account number: `counts` positions from `starts` on in `numbers` (instruments) and `lots`
    (signed). `base_micro` is what they are worth where nothing moves, `least_micro` the least over
    the scenarios, as of the last `value_all` or `value_some`; `sweep` says of which marks.
    """

    __slots__ = (
        "_end",
        "_rooms",
        "base_micro",
        "counts",
        "least_micro",
        "lots",
        "numbers",
        "starts",
        "sweep",
    )

    def __init__(self) -> None:
        self._end = 0
        self._rooms: vec[i64] = vec[i64]()
        self.starts: vec[i64] = vec[i64]()
        self.counts: vec[i64] = vec[i64]()
        self.numbers: vec[i64] = vec[i64]()
        self.lots: vec[i64] = vec[i64]()
        self.base_micro: vec[i64] = vec[i64]()
        self.least_micro: vec[i64] = vec[i64]()
        self.sweep = -1

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, account: int, numbers: list[int], lots: list[int]) -> None:
        """Makes these an account's positions, no longer those that it had."""
        if account >= len(self.starts):
            self._add_accounts(account + 1 - len(self.starts))
        count = len(numbers)
        if count > self._rooms[account]:
            self._move_to_end(account, count)
        start = self.starts[account]
        for at in range(count):
            self.numbers[start + at] = numbers[at]
            self.lots[start + at] = lots[at]
        self.counts[account] = count

    def _add_accounts(self, more: int) -> None:
        zeros = vec[i64]([0] * more)
        self._rooms = extend(self._rooms, zeros)
        self.starts = extend(self.starts, zeros)
        self.counts = extend(self.counts, zeros)
        self.base_micro = extend(self.base_micro, zeros)
        self.least_micro = extend(self.least_micro, zeros)

    def _move_to_end(self, account: int, count: int) -> None:
        """Half as much room again as is needed: so an account leaves behind at most twice what it
        has.
        """
        room = max(count + count // 2, _LEAST_ROOM)
        self.starts[account] = self._end
        self._rooms[account] = room
        self._end += room
        missing = self._end - len(self.numbers)
        if missing > 0:
            zeros = vec[i64]([0] * (missing + len(self.numbers)))
            self.numbers = extend(self.numbers, zeros)
            self.lots = extend(self.lots, zeros)

    def positions_of(self, account: int) -> dict[int, int]:
        """Signed lots by instrument, for those who check."""
        start = int(self.starts[account])
        places = range(start, start + int(self.counts[account]))
        return {int(self.numbers[at]): int(self.lots[at]) for at in places}


def value_all(held: Holdings, marks: Marks) -> None:
    """Values every account's positions at the marks in force."""
    total = zero_vector()
    for account in range(len(held)):
        _value(held, marks, account, total)


def value_some(held: Holdings, marks: Marks, accounts: list[int]) -> None:
    """Values some accounts' positions."""
    total = zero_vector()
    for account in accounts:
        _value(held, marks, account, total)


def _value(held: Holdings, marks: Marks, account: i64, total: Vector) -> None:
    """`total` is whatever it is, and overwritten."""
    count = held.counts[account]
    if count == 0:
        held.base_micro[account] = 0
        held.least_micro[account] = 0
        return
    numbers, lots = held.numbers, held.lots
    start = held.starts[account]
    set_lots(total, marks.row(int(numbers[start])), lots[start])
    for at in range(start + 1, start + count):
        add_lots(total, marks.row(int(numbers[at])), lots[at])
    held.base_micro[account] = at_base(total)
    held.least_micro[account] = least(total)


if __file__.endswith(".py") and not TYPE_CHECKING:  # interpreted
    from margin.sweep_numpy import value_all  # noqa: F401
