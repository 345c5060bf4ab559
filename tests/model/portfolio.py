"""Portfolio margin by the book, one scenario and one lot at a time: slow twin of `margin/marks.py`
and `margin/portfolio.py`.

Holds: every figure is computed anew from the commands that were accepted, by the scalar functions
of `margin/scenarios.py`, in Python's integers; open orders are margined by trying every subset of
them as filled.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, product
from typing import Any, NamedTuple

from exchange import commands as c
from exchange.commands import Command
from margin.fixed_point import ln_q30
from margin.scenarios import (
    BASE_SCENARIO,
    SCENARIO_COUNT,
    damped_micro,
    moved_micro,
    scenario_profit_micro,
    scenario_value_micro,
)
from margin.svi import ExpiryMark
from matching.instruments import CALL, FUTURE, PERPETUAL

Values = list[int]
NOTHING = [0] * SCENARIO_COUNT


@dataclass
class Listed:
    """An instrument and what became of it."""

    kind: int
    underlying: int
    expiry: int
    strike_micro: int
    tick_value_micro: int
    carry_micro: int | None = None
    accrual_micro: int = 0
    mark: tuple[ExpiryMark, int] | None = None
    """The last mark of its expiry since it was listed, and the seconds that were left."""
    settlement_micro: int | None = None
    is_over: bool = False
    """A perpetual that has ended is marked no more."""
    values: Values | None = None
    """Computed once for each mark: pricing by the scalar functions is slow."""

    @property
    def is_linear(self) -> bool:
        return self.kind in (PERPETUAL, FUTURE)

    def is_marked(self) -> bool:
        return self.carry_micro is not None if self.is_linear else self.mark is not None

    def bring_to(self, mark_micro: int) -> None:
        """Mark to market: the accrual follows the mark from the first one on."""
        if self.carry_micro is not None:
            self.accrual_micro += mark_micro - self.carry_micro
        self.carry_micro = mark_micro
        self.values = None

    def payoff_micro(self) -> int:
        if self.settlement_micro is None or self.is_linear:
            return 0
        gain = self.settlement_micro - self.strike_micro
        return max(gain if self.kind == CALL else -gain, 0)


@dataclass
class PlainMarks:
    """What accepted commands say of every instrument."""

    instruments: list[Listed] = field(default_factory=list)
    expiry_times_s: list[int] = field(default_factory=list)
    expiry_underlyings: list[int] = field(default_factory=list)
    index_micro: dict[int, int] = field(default_factory=dict)
    marked_s: dict[int, int] = field(default_factory=dict)
    """When each underlying was last marked."""
    left_s: dict[int, int] = field(default_factory=dict)
    """Seconds that each expiry had left at its last mark before it expired."""
    known: dict[Any, Any] = field(default_factory=dict)
    """Features, rates and lots' charges, computed once for each mark (`tests/model/charges.py`)."""

    def __deepcopy__(self, memo: object) -> "PlainMarks":
        """Shared by copies of an exchange: what is tried out moves no mark."""
        return self

    def take(self, command: Command) -> None:
        """Learns from an accepted command."""
        time_s = command.time_ns // 10**9
        match command:
            case c.ListExpiry():
                self.expiry_times_s.append(command.expiry_time_s)
                self.expiry_underlyings.append(command.underlying)
            case c.ListInstrument():
                self.instruments.append(
                    Listed(
                        command.kind,
                        command.underlying,
                        command.expiry,
                        command.strike_micro,
                        command.tick_value_micro,
                    )
                )
            case c.UpdateMarks():
                self.marked_s[command.underlying] = time_s
                self._update(command, time_s)
            case c.AccrueFunding():
                self.instruments[command.instrument].accrual_micro -= command.rate_micro
                self.instruments[command.instrument].values = None
            case c.SettleExpiry():
                self._settle(command)
            case _:
                pass

    def _update(self, command: c.UpdateMarks, time_s: int) -> None:
        self.index_micro[command.underlying] = command.index_micro
        marks = {expiry: ExpiryMark(*mark) for expiry, *mark in command.marks}
        self.known.clear()
        for expiry in marks:
            left_s = self.expiry_times_s[expiry] - time_s
            if left_s > 0 or expiry not in self.left_s:
                self.left_s[expiry] = max(left_s, 0)
        for listed in self.instruments:
            if listed.kind == PERPETUAL and listed.underlying == command.underlying:
                if listed.is_over:
                    continue
                listed.bring_to(command.index_micro)
            elif listed.expiry in marks and listed.kind != PERPETUAL:
                mark = marks[listed.expiry]
                if listed.kind == FUTURE:
                    listed.bring_to(mark.forward_micro)
                left_s = self.expiry_times_s[listed.expiry] - time_s
                if left_s > 0:  # from then on the last values carry the risk
                    listed.mark = mark, left_s
                    listed.values = None

    def _settle(self, command: c.SettleExpiry) -> None:
        self.known.clear()
        mean, rest = divmod(sum(command.samples_micro), len(command.samples_micro))
        settlement_micro = mean + (2 * rest >= len(command.samples_micro))
        for listed in self.instruments:
            if listed.expiry == command.expiry and listed.kind != PERPETUAL:
                if listed.is_linear:
                    listed.bring_to(settlement_micro)
                listed.settlement_micro = settlement_micro
                listed.values = None

    def values(self, number: int) -> Values:
        """What one long lot is worth in each scenario, accrual included."""
        listed = self.instruments[number]
        if listed.values is None:
            listed.values = list(_values(listed))
        return listed.values

    def mark_micro(self, number: int) -> int:
        listed = self.instruments[number]
        if listed.is_linear:
            return listed.carry_micro or 0
        return self.values(number)[BASE_SCENARIO]

    def offset_micro(self, number: int) -> int:
        """What a price holds that `values` does not."""
        listed = self.instruments[number]
        return (listed.carry_micro or 0) - listed.accrual_micro if listed.is_linear else 0


def _values(listed: Listed) -> Iterator[int]:
    for scenario in range(SCENARIO_COUNT):
        if listed.settlement_micro is not None:
            yield listed.accrual_micro + listed.payoff_micro()
        elif listed.is_linear:
            mark = listed.carry_micro
            gain = 0 if mark is None else moved_micro(mark, scenario) - mark
            yield listed.accrual_micro + damped_micro(gain, scenario)
        elif listed.mark is None:
            yield 0
        else:
            mark, seconds = listed.mark
            option = (listed.kind, listed.strike_micro, ln_q30(listed.strike_micro), mark, seconds)
            yield scenario_value_micro(*option, BASE_SCENARIO) + scenario_profit_micro(
                *option, scenario
            )


class Held(NamedTuple):
    """A position: signed lots and the accrual per lot that cash has had."""

    lots: int
    accrual_seen_micro: int


class Open(NamedTuple):
    """An open order: the most that one lot or unit costs in fees is `fee_micro`; by itself it is
    charged `charge_micro` (`tests/model/charges.py`).
    """

    legs: tuple[tuple[int, int], ...]
    sign: int
    price_micro: int
    lots: int
    fee_micro: int
    charge_micro: int = 0

    def gross_lots(self) -> int:
        return self.lots * sum(abs(ratio) for _, ratio in self.legs)


def netted(worths: Sequence[Values]) -> int:
    """Worth in the worst case: of what all underlyings together lose less than each by itself in
    a scenario of its own, half counts, rounded down.
    """
    if not worths:
        return 0
    separate = sum(min(worth) for worth in worths)
    joint = min(map(sum, zip(*worths, strict=True)))
    return separate + (joint - separate) // 2


def positions_worth_micro(
    marks: PlainMarks,
    cash_micro: int,
    held: Mapping[int, Held],
    beside: Mapping[int, Values] | None = None,
) -> int:
    """Worth with each underlying's positions in their worst scenario; half a micro a lot. `beside`
    is what else moves with an underlying, by scenario: collateral.
    """
    beside = beside or {}
    total = cash_micro - -(-sum(abs(position.lots) for position in held.values()) // 2)
    for position in held.values():
        total -= position.lots * position.accrual_seen_micro
    for underlying in sorted({listed.underlying for listed in marks.instruments}):
        total += min(
            sum(
                position.lots * marks.values(number)[scenario]
                for number, position in held.items()
                if marks.instruments[number].underlying == underlying
            )
            + beside.get(underlying, NOTHING)[scenario]
            for scenario in range(SCENARIO_COUNT)
        )
    return total


def worth(marks: PlainMarks, cash_micro: int, held: Mapping[int, Held], scenario: int) -> int:
    """Cash and positions in one scenario, all underlyings moving alike."""
    return cash_micro + sum(
        position.lots * (marks.values(number)[scenario] - position.accrual_seen_micro)
        for number, position in held.items()
    )


def gain_if_filled(marks: PlainMarks, order: Open, scenario: int) -> int:
    """What an order brings in a scenario if all that is left of it fills at its price."""
    value = sum(
        ratio * (marks.values(number)[scenario] + marks.offset_micro(number))
        for number, ratio in order.legs
    )
    cost = order.fee_micro + order.charge_micro
    return order.lots * (order.sign * (value - order.price_micro) - cost)


def excess_micro(
    marks: PlainMarks,
    cash_micro: int,
    held: Mapping[int, Held],
    orders: Sequence[Open],
    charge_micro: int,
    beside: Mapping[int, Values] | None = None,
) -> int:
    """Initial-margin excess: on each underlying the worst scenario of the worst subset of the open
    orders, netted; half a micro-USDC for each lot, rounded up; what the positions are charged.
    `beside` as above.
    """
    beside = beside or {}
    lots = sum(abs(position.lots) for position in held.values())
    lots += sum(order.gross_lots() for order in orders)
    total = cash_micro - -(-lots // 2) - charge_micro
    total -= sum(position.lots * position.accrual_seen_micro for position in held.values())
    worths = [
        [
            sum(
                position.lots * marks.values(number)[scenario]
                for number, position in held.items()
                if marks.instruments[number].underlying == underlying
            )
            + sum(
                min(gain_if_filled(marks, order, scenario), 0)
                for order in orders
                if marks.instruments[order.legs[0][0]].underlying == underlying
            )
            + beside.get(underlying, NOTHING)[scenario]
            for scenario in range(SCENARIO_COUNT)
        ]
        for underlying in sorted({listed.underlying for listed in marks.instruments})
    ]
    return total + netted(worths)


def excess_by_subsets(
    marks: PlainMarks, cash_micro: int, held: Mapping[int, Held], orders: Sequence[Open]
) -> int:
    """The same for one underlying and without charges, by its meaning: the least that the account
    can be worth after any of its orders have filled, in any scenario.
    """
    lots = sum(abs(position.lots) for position in held.values())
    lots += sum(order.gross_lots() for order in orders)
    return (
        min(
            worth(marks, cash_micro, held, scenario)
            + sum(gain_if_filled(marks, order, scenario) for order in filled)
            for filled in subsets(orders)
            for scenario in range(SCENARIO_COUNT)
        )
        - (lots + 1) // 2
    )


def subsets(orders: Sequence[Open]) -> Iterable[tuple[Open, ...]]:
    return chain.from_iterable(combinations(orders, size) for size in range(len(orders) + 1))


def excess_by_fills(
    marks: PlainMarks,
    cash_micro: int,
    held: Mapping[int, Held],
    orders: Sequence[Open],
    groups: Sequence[int] = (),
    limits: Mapping[int, int] | None = None,
    charge: Callable[[Mapping[int, int]], int] | None = None,
) -> int:
    """By its meaning for any number of underlyings: the least that the account can be worth after
    its orders have filled in any part, each underlying in any scenario of its own, netted.
    `groups[i]`
    is the protection group of order i, of which at most `limits` lots (or units) fill; `charge`
    what positions are charged, where it is not the orders' prices that hold their own.
    """
    open_lots = sum(order.gross_lots() for order in orders)
    lots = sum(abs(position.lots) for position in held.values()) + open_lots
    numbers = sorted({listed.underlying for listed in marks.instruments})
    least: int | None = None
    for filled in product(*(range(order.lots + 1) for order in orders)):
        if any(
            sum(lots for lots, of in zip(filled, groups, strict=True) if of == group) > limit
            for group, limit in (limits or {}).items()
        ):
            continue
        total = cash_micro
        owned = {number: position.lots for number, position in held.items()}
        for position in held.values():
            total -= position.lots * position.accrual_seen_micro
        for order, units in zip(orders, filled, strict=True):
            cost = order.fee_micro + (order.charge_micro if charge is None else 0)
            total -= units * (order.sign * order.price_micro + cost)
            for number, ratio in order.legs:
                signed = order.sign * ratio * units
                owned[number] = owned.get(number, 0) + signed
                total += signed * marks.offset_micro(number)
        worths: list[Values] = []
        for underlying in numbers:
            rows = [
                (lots, marks.values(number))
                for number, lots in owned.items()
                if lots and marks.instruments[number].underlying == underlying
            ]
            worths.append([sum(lots * row[s] for lots, row in rows) for s in range(SCENARIO_COUNT)])
        total += netted(worths)
        if charge is not None:
            total -= charge(owned)
        least = total if least is None else min(least, total)
    assert least is not None, "no order need fill"
    return least - (lots + 1) // 2


def equity_micro(marks: PlainMarks, cash_micro: int, held: Mapping[int, Held]) -> int:
    """Cash and positions at the marks."""
    return worth(marks, cash_micro, held, BASE_SCENARIO)


def maintenance_micro(marks: PlainMarks, held: Mapping[int, Held]) -> int:
    """80% of what the positions alone lose in the worst scenario of each underlying, rounded up."""
    loss = -(-sum(abs(position.lots) for position in held.values()) // 2)
    found: list[Values] = []
    for underlying in sorted({listed.underlying for listed in marks.instruments}):
        rows = [
            (position.lots, marks.values(number))
            for number, position in held.items()
            if marks.instruments[number].underlying == underlying
        ]
        found.append([sum(lots * row[s] for lots, row in rows) for s in range(SCENARIO_COUNT)])
    loss += sum(worths[BASE_SCENARIO] for worths in found) - netted(found)
    return -(-loss * 80 // 100)
