"""The step that a liquidation takes against the book: of which instrument, how much, how dear.

Holds: a step lowers W, and what is left of equity over W never falls; of all that may be had it
takes what lowers W most for its cost, and no more than the account needs; the answer is a function
of the account, the marks and the levels that are shown (docs/liquidation.md, 2).
Never: looks at who rests in the book, or at open orders of the account (they are cancelled before).
"""

from collections.abc import Sequence

from margin.accounts import Account
from margin.fees import fee_up
from margin.liquidation_parameters import (
    BAND_E6,
    DEPTH_SHARE_E4,
    STEP_SHARE_E4,
)
from margin.portfolio import Portfolio
from margin.standing import ScanStanding, standing_with
from matching.instruments import Instrument


class Depth:
    """What a book shows within the band for a position to be reduced: (ticks, lots) of each level,
    best first.
    """

    __slots__ = ("instrument", "levels")

    def __init__(self, instrument: Instrument, levels: Sequence[tuple[int, int]]) -> None:
        self.instrument = instrument
        self.levels = levels


class Step:
    """Signed lots to trade at `limit_ticks` or better; what it would cost against the marks, fees
    included, and where the account would stand after it.
    """

    __slots__ = ("after", "cost_micro", "fee_micro", "instrument", "limit_ticks", "lots")

    def __init__(
        self,
        instrument: Instrument,
        lots: int,
        limit_ticks: int,
        cost_micro: int,
        fee_micro: int,
        after: ScanStanding,
    ) -> None:
        self.instrument = instrument
        self.lots = lots
        self.limit_ticks = limit_ticks
        self.cost_micro = cost_micro
        self.fee_micro = fee_micro
        self.after = after


def band_ticks(portfolio: Portfolio, instrument: Instrument, sign: int) -> int:
    """The worst price of a step, in ticks: the mark and the band above it for a buyer (`sign` 1),
    rounded down, below it for a seller, rounded up; an option's never below zero.
    """
    marks = portfolio.marks
    index = marks.index_micro.get(instrument.underlying.number, 0)
    price = marks.mark_micro(instrument) + sign * (index * BAND_E6 // 10**6)
    tick = instrument.tick_value_micro
    ticks = price // tick if sign > 0 else -(-price // tick)
    return ticks if instrument.is_linear else max(ticks, 0)


def most_lots(held_lots: int, shown_lots: int) -> int:
    """The most that a step trades of a position, against what the book shows within the band: a
    share of each, at least a lot. Both rounded down.
    """
    size = abs(held_lots)
    of_position = max(size * STEP_SHARE_E4 // 10**4, 1)
    of_depth = max(shown_lots * DEPTH_SHARE_E4 // 10**4, 1)
    return min(of_position, of_depth, size, shown_lots)


def liquidation_fee_micro(
    portfolio: Portfolio, instrument: Instrument, price_micro: int, lots: int
) -> int:
    """What a step pays into the insurance fund for so many lots (a size), at the liquidation rate
    of the exchange's schedule, capped as every fee, rounded up.
    """
    index = portfolio.marks.index_micro.get(instrument.underlying.number, 0)
    rate, cap = portfolio.schedule.liquidation_rate, portfolio.schedule.cap
    return fee_up(rate, cap, instrument.is_linear, index, price_micro, lots)


def step_of(
    portfolio: Portfolio, account: Account, before: ScanStanding, depth: Depth, size: int
) -> Step | None:
    """The step of `size` lots that reduces the position against the levels shown; None where it
    does not make the account safer.
    """
    instrument = depth.instrument
    held = account.lots_of(instrument.number)
    sign = -1 if held > 0 else 1
    schedule, index = portfolio.schedule, portfolio.marks.index_micro
    paid = fees = fee_to_fund = 0
    left, limit_ticks = size, 0
    for ticks, shown in depth.levels:
        lots = min(left, shown)
        price = ticks * instrument.tick_value_micro
        paid += lots * price
        fees += fee_up(
            schedule.taker_rate,
            schedule.cap,
            instrument.is_linear,
            index.get(instrument.underlying.number, 0),
            price,
            lots,
        )
        fee_to_fund += liquidation_fee_micro(portfolio, instrument, price, lots)
        limit_ticks = ticks
        left -= lots
        if not left:
            break
    if left:
        return None
    traded = sign * size
    cash = -sign * paid - fees - fee_to_fund
    if instrument.is_linear:
        cash += traded * portfolio.marks.carry_micro[instrument.number]
    after = standing_with(portfolio.open_orders, account, instrument, traded, cash)
    cost = before.equity_micro - after.equity_micro
    if after.worst_micro >= before.worst_micro:
        return None
    if after.equity_micro - after.worst_micro < before.equity_micro - before.worst_micro:
        return None
    return Step(instrument, traded, limit_ticks, cost, fee_to_fund, after)


def best_step(
    portfolio: Portfolio, account: Account, before: ScanStanding, depths: Sequence[Depth]
) -> Step | None:
    """Of all that may be had, the step that lowers W most for its cost; the lowest instrument where
    two are equal. Where half of it is enough to end the liquidation, half is taken, and so on.
    """
    best: Step | None = None
    best_depth: Depth | None = None
    for depth in depths:
        shown = sum(lots for _, lots in depth.levels)
        if not shown:
            continue
        size = most_lots(account.lots_of(depth.instrument.number), shown)
        step = step_of(portfolio, account, before, depth, size)
        if step is not None and (best is None or _is_better(before, step, best)):
            best, best_depth = step, depth
    if best is None or best_depth is None:
        return None
    while abs(best.lots) > 1 and not best.after.is_called:
        size = abs(best.lots) // 2
        smaller = step_of(portfolio, account, before, best_depth, size)
        if smaller is None or smaller.after.is_called:
            break
        best = smaller
    return best


def _is_better(before: ScanStanding, step: Step, than: Step) -> bool:
    """Whether a step lowers W more for each micro-USDC of its cost, compared crosswise; what costs
    nothing counts as one micro-USDC.
    """
    gain = before.worst_micro - step.after.worst_micro
    other = before.worst_micro - than.after.worst_micro
    return gain * max(than.cost_micro, 1) > other * max(step.cost_micro, 1)
