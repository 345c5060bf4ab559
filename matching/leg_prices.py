"""How the net price of a combo that trades against a combo falls on its legs.

Holds: the leg prices are whole ticks, each between its lowest and its highest, and sum to the net
price exactly. Every leg starts at its mark. Then the legs are fixed one by one, the one of the
largest |ratio x tick value| first (among equals, the first leg): it takes as many whole ticks of
what is missing as it can, and from there moves on by the fewest ticks that leave the legs after
it a sum that they can make. docs/matching.md shows it at work.
Never: decides whether the trade happens; a net price that no leg prices can make gives None.
"""

from collections.abc import Sequence
from math import gcd
from operator import mul
from typing import Final

MAX_SMALLEST: Final = 1_024
"""The work grows with the smallest step over the gcd of all steps: at most 127 where the legs'
ticks are equal. Beyond this bound (ticks with hardly a common factor) the answer is None.
"""
_NEVER: Final = -1


def split_net_price(
    net_price_micro: int,
    steps_micro: Sequence[int],
    mark_ticks: Sequence[int],
    lowest_ticks: Sequence[int],
    highest_ticks: Sequence[int],
) -> list[int] | None:
    """Leg prices in ticks, or None where no prices of the legs sum to the net price.

    `steps_micro[i]` = ratio x tick value: what one tick of leg i adds to the net price.
    `mark_ticks[i]` is where leg i starts, once brought between `lowest_ticks[i]` and
    `highest_ticks[i]`.
    None is certain where every leg has room for 4 x (largest step / gcd of the steps) ticks: 508
    at most where ticks are equal. Narrower legs may have prices that are not found.
    """
    unit = gcd(*steps_micro)
    by_size = sorted(range(len(steps_micro)), key=lambda leg: -abs(steps_micro[leg]))
    sizes = [abs(steps_micro[leg]) // unit for leg in by_size]
    signs = [1 if steps_micro[leg] > 0 else -1 for leg in by_size]
    # Each leg counts its ticks from the end that makes the net price least, so every tick adds.
    ends = [
        (lowest_ticks if sign > 0 else highest_ticks)[leg]
        for leg, sign in zip(by_size, signs, strict=True)
    ]
    rooms = [highest_ticks[leg] - lowest_ticks[leg] for leg in by_size]
    starts = [
        min(max(sign * (mark_ticks[leg] - end), 0), room)
        for leg, sign, end, room in zip(by_size, signs, ends, rooms, strict=True)
    ]
    least_micro = sum(steps_micro[leg] * end for leg, end in zip(by_size, ends, strict=True))
    missing, off_tick = divmod(net_price_micro - least_micro, unit)
    if off_tick or sizes[-1] > MAX_SMALLEST:
        return None
    counts = _counts(missing, sizes, starts, rooms)
    if counts is None:
        return None
    prices = [0] * len(by_size)
    for leg, sign, end, count in zip(by_size, signs, ends, counts, strict=True):
        prices[leg] = end + sign * count
    return prices


def _counts(
    missing: int, sizes: list[int], starts: list[int], rooms: list[int]
) -> list[int] | None:
    """How many ticks each leg counts, so that sum(size x count) = `missing` and no count passes
    its room. `sizes` fall.
    """
    sums = _Sums(sizes, rooms)
    counts: list[int] = []
    for leg, (size, room) in enumerate(zip(sizes, rooms, strict=True)):
        residual = missing - sum(map(mul, sizes[leg:], starts[leg:]))
        whole = abs(residual) // size
        aim = min(max(starts[leg] + (whole if residual > 0 else -whole), 0), room)
        count = _nearest(aim, room, missing, size, sums, leg + 1)
        if count is None:
            return None
        counts.append(count)
        missing -= size * count
    return counts


def _nearest(aim: int, room: int, missing: int, size: int, sums: "_Sums", after: int) -> int | None:
    """The count nearest to `aim` (the lower of two) that leaves a sum which the legs from `after`
    on can make.
    """
    # The smallest size's number of ticks away, the legs after can make every sum that their gcd
    # divides, and as many ticks again meet one that it does.
    for distance in range(2 * sums.smallest + 2):
        for count in (aim - distance, aim + distance):
            if 0 <= count <= room and sums.can_be(missing - size * count, after):
                return count
    return None


class _Sums:
    """Which sums the last legs can make, the legs from `leg` on for any `leg`.

    `_least[leg][r]` is the least sum with remainder r modulo the smallest size, without regard to
    room: the table of the money-changing problem (Böcker & Lipták 2007, "A fast and simple
    algorithm for the money changing problem", Algorithmica 48). A sum can be made if it is no less
    than the least of its remainder, and what it leaves of all the room is so, too.
    """

    __slots__ = ("_all", "_least", "smallest")

    def __init__(self, sizes: list[int], rooms: list[int]) -> None:
        smallest = self.smallest = sizes[-1]
        least = [0] + [_NEVER] * (smallest - 1)
        self._least, self._all = [least], [0]
        for size, room in zip(reversed(sizes), reversed(rooms), strict=True):
            self._least.append(_with_size(self._least[-1], size))
            self._all.append(self._all[-1] + size * room)
        self._least.reverse()
        self._all.reverse()

    def can_be(self, amount: int, leg: int) -> bool:
        rest = self._all[leg] - amount
        low = self._least[leg][amount % self.smallest]
        high = self._least[leg][rest % self.smallest]
        return 0 <= low <= amount and 0 <= high <= rest


def _with_size(least: list[int], size: int) -> list[int]:
    """The table of least sums when one more size may be added any number of times."""
    least = least.copy()
    smallest = len(least)
    cycles = gcd(size, smallest)
    for first in range(cycles):
        at = first
        for _ in range(2 * smallest // cycles):  # once around finds the least, once more spreads it
            to = (at + size) % smallest
            if least[at] != _NEVER and not _NEVER < least[to] <= least[at] + size:
                least[to] = least[at] + size
            at = to
    return least
