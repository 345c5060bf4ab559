"""Open interest: the lots that are held long, which is as many as are held short.

Holds: it follows from fills, and lots that move without one; once an expiry has its settlement
price, nothing of it is open, whenever accounts take what it pays.
Never: tells who holds what.
"""


class OpenInterest:
    """By instrument."""

    def __init__(self) -> None:
        self._held: dict[int, dict[int, int]] = {}
        self._lots: dict[int, int] = {}

    def fill(self, instrument: int, buyer: int, seller: int, lots: int) -> None:
        """Lots go from the seller to the buyer; a negative number the other way."""
        held = self._held.get(instrument)
        if held is None:
            held = self._held[instrument] = {}
        change = 0
        for account, moved in ((buyer, lots), (seller, -lots)):
            before = held.get(account, 0)
            after = before + moved
            change += max(after, 0) - max(before, 0)
            if after:
                held[account] = after
            else:
                held.pop(account, None)
        self._lots[instrument] = self._lots.get(instrument, 0) + change

    def settle(self, instrument: int) -> None:
        """Its positions are paid out, whenever they are taken."""
        self._held.pop(instrument, None)
        self._lots.pop(instrument, None)

    def lots(self, instrument: int) -> int:
        return self._lots.get(instrument, 0)
