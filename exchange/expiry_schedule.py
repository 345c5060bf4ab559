"""Which order hashes expire when.

Holds: every hash is given back once, by the first `due` at or after its second, earliest second
first, and within a second in the order of their coming.
Never: knows what became of an order meanwhile.
"""

from typing import Any

from sortedcontainers import SortedDict


class ExpirySchedule:
    """Hashes by the second at which they expire."""

    __slots__ = ("_by_second", "_next_s")

    def __init__(self) -> None:
        self._by_second: Any = SortedDict()
        self._next_s: int | None = None

    def add(self, expiry_s: int, order_hash: bytes) -> None:
        """Schedules a hash."""
        hashes: list[bytes] | None = self._by_second.get(expiry_s)
        if hashes is None:
            self._by_second[expiry_s] = [order_hash]
            if self._next_s is None or expiry_s < self._next_s:
                self._next_s = expiry_s
        else:
            hashes.append(order_hash)

    def is_due(self, now_s: int) -> bool:
        """Whether any hash expires at or before `now_s`."""
        return self._next_s is not None and self._next_s <= now_s

    def due(self, now_s: int) -> list[bytes]:
        """Takes out all hashes that expire at or before `now_s`."""
        taken: list[bytes] = []
        while self.is_due(now_s):
            taken += self._by_second.popitem(0)[1]
            self._next_s = self._by_second.peekitem(0)[0] if self._by_second else None
        return taken

    def items(self) -> list[tuple[int, list[bytes]]]:
        """All hashes by their second, earliest first."""
        return list(self._by_second.items())
