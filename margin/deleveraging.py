"""Auto-deleveraging: who closes against a bankrupt account, in which order, at whose loss.

Holds: what the account owes beyond its equity, its deficit, is laid on its positions so that it
ends at zero; whoever closes against it bears the part of his lots, and in an epoch no more than a
share of his equity, nor all together more than a share of theirs; who is not solvent bears nothing.
Ranks are compared in whole numbers (docs/liquidation.md, 5).
Never: makes money out of anybody's closing: without a deficit all close at the mark.
"""

from collections.abc import Sequence
from functools import cmp_to_key

from margin.liquidation_parameters import LOSS_CAP_ALL_E4, LOSS_CAP_E4


class Counterparty:
    """An account on the other side. `profit_micro` is its equity less collateral and what was paid
    in, or its part of its owner's, if that is more; `held_lots` a size; `lost_micro` what
    deleveraging took from it in this epoch.
    """

    __slots__ = ("equity_micro", "held_lots", "lost_micro", "number", "profit_micro", "worst_micro")

    def __init__(
        self,
        number: int,
        equity_micro: int,
        worst_micro: int,
        profit_micro: int,
        held_lots: int,
        lost_micro: int,
    ) -> None:
        self.number = number
        self.equity_micro = equity_micro
        self.worst_micro = worst_micro
        self.profit_micro = profit_micro
        self.held_lots = held_lots
        self.lost_micro = lost_micro

    @property
    def is_solvent(self) -> bool:
        return self.equity_micro > 0

    @property
    def cap_micro(self) -> int:
        """What the account may lose in an epoch, rounded down; its equity before its losses
        counts.
        """
        if not self.is_solvent:
            return 0
        return (self.equity_micro + self.lost_micro) * LOSS_CAP_E4 // 10**4

    @property
    def may_lose_micro(self) -> int:
        """What it may still lose in this one."""
        return max(self.cap_micro - self.lost_micro, 0)


def ranked(counterparties: Sequence[Counterparty]) -> list[Counterparty]:
    """First who gained most on most leverage: the solvent by profit / equity x W / equity; of those
    who lost, by profit / W, so whoever lost least for his risk comes first; then the insolvent.
    Equal ranks by number.
    """
    return sorted(counterparties, key=cmp_to_key(_compare))


def _compare(first: Counterparty, second: Counterparty) -> int:
    """Negative where `first` comes first."""
    ours, theirs = _group(first), _group(second)
    if ours != theirs:
        return ours - theirs
    if ours == 0:
        left = first.profit_micro * first.worst_micro * second.equity_micro**2
        right = second.profit_micro * second.worst_micro * first.equity_micro**2
    elif ours == 1:
        left = first.profit_micro * max(second.worst_micro, 1)
        right = second.profit_micro * max(first.worst_micro, 1)
    else:
        left = right = 0
    if left != right:
        return -1 if left > right else 1
    return first.number - second.number


def _group(counterparty: Counterparty) -> int:
    if not counterparty.is_solvent:
        return 2
    return 0 if counterparty.profit_micro > 0 else 1


class Burden:
    """One position of the bankrupt account: its size, what a lot of it weighs when the deficit is
    laid on positions, and the most that its price may be moved from the mark, micro-USDC per lot.
    """

    __slots__ = ("clamp_micro", "lots", "weight_micro")

    def __init__(self, lots: int, weight_micro: int, clamp_micro: int) -> None:
        self.lots = lots
        self.weight_micro = weight_micro
        self.clamp_micro = clamp_micro


def laid_on(deficit_micro: int, burdens: Sequence[Burden]) -> list[int]:
    """The deficit's part of each position, in order: in proportion to lots x weight, at most lots x
    clamp; what a clamp keeps back goes to the others. Rounded up one after the other, so that the
    parts sum to the deficit where the clamps allow it.
    """
    parts = [0] * len(burdens)
    open_places = [at for at, burden in enumerate(burdens) if burden.clamp_micro > 0]
    left = deficit_micro
    while left > 0 and open_places:
        weights = sum(burdens[at].lots * burdens[at].weight_micro for at in open_places)
        if weights <= 0:
            break
        to_lay, still_open = left, list[int]()
        for at in open_places:
            burden = burdens[at]
            weight = burden.lots * burden.weight_micro
            wanted = min(-(-to_lay * weight // weights), left)
            room = burden.lots * burden.clamp_micro - parts[at]
            laid = min(wanted, room)
            parts[at] += laid
            left -= laid
            if laid < room:
                still_open.append(at)
        if len(still_open) == len(open_places):
            break
        open_places = still_open
    return parts


def loss_of(part_micro: int, lots_left: int, lots: int) -> int:
    """What closing `lots` of a position with `lots_left` takes of the part that is laid on it,
    rounded down: the last lots bear what is left.
    """
    return part_micro * lots // lots_left


def lots_within(part_micro: int, lots_left: int, cap_micro: int) -> int:
    """The most lots whose loss is within a cap."""
    if part_micro <= 0:
        return lots_left
    return min(lots_left, ((cap_micro + 1) * lots_left - 1) // part_micro)


def closed_within(
    part_micro: int, lots_left: int, lots: int, may_lose_micro: int, cap_micro: int
) -> tuple[int, int]:
    """How many of a counterparty's lots close, and what it loses by it: as many as what it may
    still lose bears. Where no epoch's whole cap bears a single one, all close for the cap, once:
    else they would wait for ever.
    """
    within = min(lots, lots_within(part_micro, lots_left, may_lose_micro))
    if within:
        return within, loss_of(part_micro, lots_left, within)
    if may_lose_micro == cap_micro:
        return lots, cap_micro
    return 0, 0


def all_may_lose_micro(equities_micro: Sequence[int], lost_micro: int) -> int:
    """What all solvent accounts together may still lose in this epoch, after `lost_micro`."""
    equity = sum(equity for equity in equities_micro if equity > 0)
    return max((equity + lost_micro) * LOSS_CAP_ALL_E4 // 10**4 - lost_micro, 0)
