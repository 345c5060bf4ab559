"""A market maker's protection: what one group of quotes traded within its window, and whether it
may trade on.

Holds: the sums are those of the fills whose time is after now - window; a group whose limit is
reached trips, and lets nothing trade until it thaws or is reset; a limit of 0 is none. What an
open plan would add counts in what the plan may still fill, so that no plan goes beyond a
quantity limit.
Never: reads a clock or a book, or cancels anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from margin.marks import Marks
from margin.scenarios import BASE_SCENARIO, moved_micro
from matching.gate import MAKER_PROTECTED, Fill, Ruling
from matching.instruments import MAX_LOTS, Instrument
from matching.orders import Order

if TYPE_CHECKING:
    from margin.accounts import Account

QUANTITY: Final = 1
DELTA: Final = 2
VEGA: Final = 3

_NS_PER_MS: Final = 1_000_000
_UP_1_PERCENT: Final = BASE_SCENARIO + 3
_DOWN_1_PERCENT: Final = BASE_SCENARIO - 3
_VOLATILITY_UP: Final = BASE_SCENARIO - 1


def delta_e6(marks: Marks, instrument: Instrument) -> int:
    """Delta of a long lot, in millionths of a lot of the underlying: what it gains from the
    scenario of -1% to that of +1%, over what the forward gains, rounded down; 10^6 for a linear
    instrument.
    """
    if instrument.is_linear:
        return 10**6
    assert instrument.expiry is not None, "an option has an expiry"
    forward = marks.expiry_marks[instrument.expiry.number].forward_micro
    values = marks.values[instrument.number]
    gain = int(values[_UP_1_PERCENT]) - int(values[_DOWN_1_PERCENT])
    span = moved_micro(forward, _UP_1_PERCENT) - moved_micro(forward, _DOWN_1_PERCENT)
    return gain * 10**6 // max(span, 1)


def vega_micro(marks: Marks, instrument: Instrument) -> int:
    """Vega of a long lot: the micro-USDC that it gains in the scenario in which volatility alone
    rises (docs/margin.md); not scaled.
    """
    values = marks.values[instrument.number]
    return int(values[_VOLATILITY_UP]) - int(values[BASE_SCENARIO])


class Protection:
    """One group of one account. `delta_limit_e6` in millionths of a lot, `vega_limit_micro` in
    micro-USDC; `frozen_ms` 0 waits for a reset.
    """

    __slots__ = (
        "_fills",
        "delta_e6",
        "delta_limit_e6",
        "frozen_ms",
        "is_tripped",
        "lots",
        "quantity_limit_lots",
        "thaws_ns",
        "vega_limit_micro",
        "vega_micro",
        "window_ms",
    )

    def __init__(
        self,
        window_ms: int,
        frozen_ms: int,
        quantity_limit_lots: int,
        delta_limit_e6: int,
        vega_limit_micro: int,
    ) -> None:
        self.window_ms = window_ms
        self.frozen_ms = frozen_ms
        self.quantity_limit_lots = quantity_limit_lots
        self.delta_limit_e6 = delta_limit_e6
        self.vega_limit_micro = vega_limit_micro
        self._fills: deque[tuple[int, int, int, int]] = deque()
        self.lots = self.delta_e6 = self.vega_micro = 0
        self.is_tripped = False
        self.thaws_ns = 0

    def pass_time(self, time_ns: int) -> None:
        """Lets fills leave the window, and a frozen group thaw."""
        if self.is_tripped and self.frozen_ms and time_ns >= self.thaws_ns:
            self.reset()
        begins_ns = time_ns - self.window_ms * _NS_PER_MS
        while self._fills and self._fills[0][0] <= begins_ns:
            _, lots, delta, vega = self._fills.popleft()
            self.lots -= lots
            self.delta_e6 -= delta
            self.vega_micro -= vega

    def fillable_lots(self, lots: int = 0, delta: int = 0, vega: int = 0) -> int:
        """Lots that the group may still trade in its window, once it has traded so much more."""
        if self.is_tripped or self._reached(lots, delta, vega):
            return 0
        limit = self.quantity_limit_lots
        return limit - self.lots - lots if limit else MAX_LOTS

    def wait_ms(self, time_ns: int) -> int:
        """How long a tripped group stays frozen, rounded up; 0 if it waits for a reset."""
        return -(-(self.thaws_ns - time_ns) // _NS_PER_MS) if self.frozen_ms else 0

    def take(self, time_ns: int, lots: int, delta: int, vega: int) -> int:
        """Counts a fill of `lots` > 0 with its signed delta and vega; gives the limit that it
        reached (QUANTITY, DELTA, VEGA), 0 for none.
        """
        self.pass_time(time_ns)
        self._fills.append((time_ns, lots, delta, vega))
        self.lots += lots
        self.delta_e6 += delta
        self.vega_micro += vega
        reached = self._reached()
        if reached and not self.is_tripped:
            self.is_tripped = True
            self.thaws_ns = time_ns + self.frozen_ms * _NS_PER_MS
        return reached

    def _reached(self, lots: int = 0, delta: int = 0, vega: int = 0) -> int:
        """The first limit that the window and so much more reach."""
        if self.quantity_limit_lots and self.lots + lots >= self.quantity_limit_lots:
            return QUANTITY
        if self.delta_limit_e6 and abs(self.delta_e6 + delta) >= self.delta_limit_e6:
            return DELTA
        if self.vega_limit_micro and abs(self.vega_micro + vega) >= self.vega_limit_micro:
            return VEGA
        return 0

    def standing(self, what: int) -> tuple[int, int]:
        """What of the window stands against a limit, and the limit."""
        if what == QUANTITY:
            return self.lots, self.quantity_limit_lots
        if what == DELTA:
            return self.delta_e6, self.delta_limit_e6
        return self.vega_micro, self.vega_limit_micro

    def terms(self, time_ns: int) -> tuple[object, ...]:
        """All of it as of a time, whenever it was last looked at."""
        self.pass_time(time_ns)
        limits = (self.quantity_limit_lots, self.delta_limit_e6, self.vega_limit_micro)
        frozen = (self.is_tripped, self.thaws_ns if self.is_tripped else 0)
        return self.window_ms, self.frozen_ms, limits, frozen, tuple(self._fills)

    def reset(self) -> None:
        """Forgets all that was traded."""
        self._fills.clear()
        self.lots = self.delta_e6 = self.vega_micro = 0
        self.is_tripped = False


class Share:
    """What a group of fills would add to the protection group of one order."""

    __slots__ = ("delta_e6", "lots", "order", "vega_micro")

    def __init__(self, order: Order, lots: int) -> None:
        self.order = order
        self.lots = lots
        self.delta_e6 = 0
        self.vega_micro = 0


class Protections:
    """The protection of all accounts, and what an open plan would add. `time_ns` is the command's;
    `tripped` has, after `commit`, (account, group, limit) of the groups that it tripped.
    """

    __slots__ = ("_accounts", "_marks", "_planned", "time_ns", "tripped")

    def __init__(self, accounts: dict[int, Account], marks: Marks) -> None:
        self._accounts = accounts
        self._marks = marks
        self._planned: dict[tuple[int, int], tuple[int, int, int]] = {}
        self.time_ns = 0
        self.tripped: list[tuple[int, int, int]] = []

    def begin(self) -> None:
        self._planned.clear()

    def fillable_lots(self, order: Order, group_lots: int = 0) -> int:
        """As `Gate.fillable_lots`, of the order's group."""
        protection = self._accounts[order.account].protections.get(order.protection)
        assert protection is not None, "an order names a group that is set"
        protection.pass_time(self.time_ns)
        lots, delta, vega = self._planned.get((order.account, order.protection), (0, 0, 0))
        return protection.fillable_lots(lots + group_lots, delta, vega)

    def shares(
        self,
        taker: Order,
        fills: Sequence[Fill],
        units: int,
        maker_combo: Order | None,
        resting: Order | None,
    ) -> list[Share]:
        """What a group of fills (as in `Gate`) adds to protection groups, order by order; of a
        combo order its units count.
        """
        found: list[Share] = []
        if resting is not None:
            incoming, others = fills[:1], fills[1:]
            if taker.protection:
                found.append(self._share(taker, incoming[0].quantity_lots, incoming, 1))
            if resting.protection:
                share = self._share(resting, units, incoming, -1)
                found.append(self._add(share, others, 1))
            fills = others
        elif taker.protection:
            found.append(self._share(taker, units, fills, 1))
        if maker_combo is not None:
            if maker_combo.protection:
                found.append(self._share(maker_combo, units, fills, -1))
            return found
        for fill in fills:
            if fill.maker.protection:
                found.append(self._share(fill.maker, fill.quantity_lots, (fill,), -1))
        return found

    def _share(self, order: Order, lots: int, fills: Sequence[Fill], way: int) -> Share:
        return self._add(Share(order, lots), fills, way)

    def _add(self, share: Share, fills: Sequence[Fill], way: int) -> Share:
        """`way`: 1 where the order is the taker of the fills, -1 where it is their maker."""
        for fill in fills:
            lots = fill.quantity_lots * (way if fill.taker_buys else -way)
            share.delta_e6 += lots * delta_e6(self._marks, fill.instrument)
            share.vega_micro += lots * vega_micro(self._marks, fill.instrument)
        return share

    def check(self, shares: list[Share]) -> Ruling | None:
        """Against the first maker whose group may not trade so much."""
        lots: dict[tuple[int, int], int] = {}
        for share in shares:
            order = share.order
            group = (order.account, order.protection)
            lots[group] = lots.get(group, 0) + share.lots
            fillable = self.fillable_lots(order)
            if lots[group] > fillable:
                return Ruling(MAKER_PROTECTED, order, lots[group], fillable)
        return None

    def count(self, shares: list[Share]) -> None:
        """Adds a group of fills to the plan."""
        for share in shares:
            group = (share.order.account, share.order.protection)
            lots, delta, vega = self._planned.get(group, (0, 0, 0))
            self._planned[group] = (
                lots + share.lots,
                delta + share.delta_e6,
                vega + share.vega_micro,
            )

    def commit(self) -> None:
        """Counts what the plan filled."""
        for (account, group), (lots, delta, vega) in self._planned.items():
            protection = self._accounts[account].protections[group]
            what = protection.take(self.time_ns, lots, delta, vega)
            if what:
                self.tripped.append((account, group, what))
        self._planned.clear()
