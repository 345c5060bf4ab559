"""The funding of a perpetual as everyone sees it, learned from its events.

Holds: what a period paid is what its commands accrued, each at its own time; periods begin at
multiples of their length since midnight UTC.
Never: computes a rate.
"""


class ShownFunding:
    """Rates in 1e-9 of the index a period; what a long lot paid (negative: received) in micro-USDC:
    `paid_micro` in the period that is running, `last_paid_micro` in the one before, `total_micro`
    ever since the listing.
    """

    __slots__ = (
        "_period_at",
        "last_paid_micro",
        "paid_micro",
        "period_s",
        "premium_e9",
        "rate_e9",
        "total_micro",
    )

    def __init__(self) -> None:
        self.period_s = 0
        self.premium_e9 = 0
        self.rate_e9 = 0
        self.paid_micro = 0
        self.last_paid_micro = 0
        self.total_micro = 0
        self._period_at = 0

    def arm(self, period_s: int, time_s: int) -> None:
        """New terms; 0 ends it."""
        self.period_s = period_s
        self.premium_e9 = self.rate_e9 = 0
        self.paid_micro = self.last_paid_micro = 0
        self._period_at = time_s // period_s if period_s else 0

    def sample(self, premium_e9: int, rate_e9: int) -> None:
        self.premium_e9 = premium_e9
        self.rate_e9 = rate_e9

    def pay(self, amount_micro: int, time_s: int) -> None:
        """What a long lot paid at a time."""
        self.roll(time_s)
        self.paid_micro += amount_micro
        self.total_micro += amount_micro

    def roll(self, time_s: int) -> None:
        """Lets the periods end that have."""
        if not self.period_s:
            return
        period_at = time_s // self.period_s
        if period_at == self._period_at:
            return
        self.last_paid_micro = self.paid_micro if period_at == self._period_at + 1 else 0
        self.paid_micro = 0
        self._period_at = period_at
