"""Which order hashes expire when.

Holds: every hash is given back once, by the first `due` at or after its second, earliest second
first, and within a second in the order of their coming.
Never: knows what became of an order meanwhile.
"""

from heapq import heappop, heappush
from typing import Final

NEVER_S: Final = 1 << 62


class ExpirySchedule:
    """Hashes by the second at which they expire. Nothing expires before `next_s`, NEVER_S where
    nothing is scheduled.
    """

    __slots__ = ("_by_second", "_seconds", "next_s")

    def __init__(self) -> None:
        self._by_second: dict[int, list[bytes]] = {}
        self._seconds: list[int] = []  # a heap of the keys
        self.next_s = NEVER_S

    def add(self, expiry_s: int, order_hash: bytes) -> None:
        """Schedules a hash."""
        hashes = self._by_second.get(expiry_s)
        if hashes is None:
            self._by_second[expiry_s] = [order_hash]
            heappush(self._seconds, expiry_s)
            if expiry_s < self.next_s:
                self.next_s = expiry_s
        else:
            hashes.append(order_hash)

    def due(self, now_s: int) -> list[bytes]:
        """Takes out all hashes that expire at or before `now_s`."""
        taken: list[bytes] = []
        while self.next_s <= now_s:
            taken += self._by_second.pop(heappop(self._seconds))
            self.next_s = self._seconds[0] if self._seconds else NEVER_S
        return taken

    def items(self) -> list[tuple[int, list[bytes]]]:
        """All hashes by their second, earliest first."""
        return sorted(self._by_second.items())
