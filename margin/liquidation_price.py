"""At which index an account would be liquidated: per underlying, the nearest move down and up at
which its equity no longer meets maintenance margin. That is the portfolio scan's, by which accounts
of every model and tier are liquidated (docs/liquidation.md, 1).

Each move is repriced exactly, by the functions that mark and margin: index and forwards move by the
same factor, the smile's parameters and all other underlyings stay, no time passes. The account is
looked at on a grid of moves, and the first step in which it falls is halved until the answer is
known to a millionth of the index. So a fall and a recovery within one step of the grid are missed,
and the smile will not stay as it is: it is a distance, not a promise.

Holds: at the move that is answered equity is below maintenance, and a millionth nearer it is not;
what counts as collateral moves with its own index, whether or not there are positions on it.
Never: changes an account; keeps anything between calls.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from margin.accounts import STANDARD_MODEL, Account
from margin.fixed_point import ln_q30
from margin.kernel import Vector, at_base, vector_of
from margin.netting import half_up, maintenance_of, netted_worst
from margin.portfolio import Portfolio
from margin.rows import price_expiry, price_linear
from margin.scenarios import SCENARIO_COUNT
from margin.standard_margin import worst_beside_micro
from margin.svi import ExpiryMark, check_index, check_marks
from matching.instruments import Expiry, Instrument

E6: Final = 10**6
DOWN_PERCENT: Final = (*range(-1, -41, -1), *range(-45, -96, -5))
UP_PERCENT: Final = (*range(1, 41), *range(45, 101, 5), *range(125, 501, 25))

Integers = NDArray[np.int64]


class Distance(NamedTuple):
    """Moves of the index in millionths of it, and the index there in micro-USDC per lot; None where
    the account would stand at every move that was looked at. At a `move_e6` of 0 it falls now.
    """

    underlying: int
    index_micro: int
    down_e6: int | None
    down_index_micro: int | None
    up_e6: int | None
    up_index_micro: int | None


def liquidation_distances(portfolio: Portfolio, account: Account) -> list[Distance]:
    """For every underlying that the account has positions on, or counted collateral of."""
    moving = {portfolio.instruments[n].underlying.number: True for n in account.positions}
    for underlying in portfolio.collateral.underlyings_of(account):
        if underlying in portfolio.marks.index_micro:
            moving[underlying] = True
    return [_distance(portfolio, account, underlying) for underlying in sorted(moving)]


def _distance(portfolio: Portfolio, account: Account, underlying: int) -> Distance:
    index = portfolio.marks.index_micro[underlying]
    moved = Moved(portfolio, account, underlying)
    if moved.has_fallen(0):
        return Distance(underlying, index, 0, index, 0, index)
    down, up = (_first_fall(moved, percents) for percents in (DOWN_PERCENT, UP_PERCENT))
    return Distance(
        underlying,
        index,
        down,
        None if down is None else index * (E6 + down) // E6,
        up,
        None if up is None else index * (E6 + up) // E6,
    )


def _first_fall(moved: "Moved", percents: Iterable[int]) -> int | None:
    """The move nearest to zero, in millionths, at which it has fallen, within the first step of the
    grid at whose end it has. The grid ends where no mark could be.
    """
    stands = 0
    for percent in percents:
        falls = percent * E6 // 100
        if not moved.can_be(falls):
            return None
        if moved.has_fallen(falls):
            while abs(falls - stands) > 1:
                middle = (stands + falls) // 2
                if moved.has_fallen(middle):
                    falls = middle
                else:
                    stands = middle
            return falls
        stands = falls
    return None


class Moved:
    """An account's standing where one underlying has moved."""

    def __init__(self, portfolio: Portfolio, account: Account, underlying: int) -> None:
        self._marks = portfolio.marks
        self._account = account
        self._underlying = underlying
        self._linear: list[tuple[Instrument, int]] = []
        self._nothing = np.zeros(SCENARIO_COUNT, dtype=np.int64)
        self._still: list[tuple[int, Integers]] = []
        self._options: list[tuple[Expiry, list[tuple[Instrument, int]]]] = []
        self._beside: list[Vector] = []
        self._collateral = portfolio.collateral
        self._worth_micro = account.constant_micro()
        self._sort(portfolio)
        self._worst_beside_micro = worst_beside_micro(portfolio.open_orders, account, underlying)

    def _sort(self, portfolio: Portfolio) -> None:
        marks, time_s = self._marks, self._marks.mark_time_s[self._underlying]
        by_expiry: dict[int, tuple[Expiry, list[tuple[Instrument, int]]]] = {}
        for number, position in sorted(self._account.positions.items()):
            instrument, lots = portfolio.instruments[number], position.quantity_lots
            if instrument.underlying.number != self._underlying:
                continue
            expiry = instrument.expiry
            if instrument.is_settled or (
                expiry is not None and not instrument.is_linear and expiry.expiry_time_s <= time_s
            ):
                self._still.append((lots, marks.values[number]))  # the marks move it no more
                continue
            if instrument.is_linear:
                self._linear.append((instrument, lots))
            elif expiry is not None:
                by_expiry.setdefault(expiry.number, (expiry, []))[1].append((instrument, lots))
        self._options = list(by_expiry.values())
        for underlying in sorted(self._account.risks):
            if underlying != self._underlying:
                risk = portfolio.open_orders.fresh_risk(self._account, underlying)
                self._beside.append(risk.value)

    def can_be(self, move_e6: int) -> bool:
        """Whether marks after a move are within the bounds of marks."""
        index = self._marks.index_micro[self._underlying] * (E6 + move_e6) // E6
        if check_index(self._underlying, index) is not None:
            return False
        marks = [(expiry.number, _ln_strikes(options)) for expiry, options in self._options]
        for instrument, _ in self._linear:
            if instrument.expiry is not None:
                marks.append((instrument.expiry.number, []))
        return all(
            check_marks(number, self._mark(number, move_e6), ln_strikes) is None
            for number, ln_strikes in marks
        )

    def _mark(self, expiry: int, move_e6: int) -> ExpiryMark:
        mark = self._marks.expiry_marks[expiry]
        return mark._replace(forward_micro=mark.forward_micro * (E6 + move_e6) // E6)

    def has_fallen(self, move_e6: int) -> bool:
        """Whether equity is below maintenance margin after a move."""
        equity, maintenance = self.standing(move_e6)
        return equity < maintenance

    def standing(self, move_e6: int) -> tuple[int, int]:
        """Equity and maintenance margin after a move, micro-USDC."""
        rows, collateral = self._rows(move_e6), self._collateral_values(move_e6)
        values = collateral + sum((lots * row for lots, row in rows), self._nothing)
        vectors = [*self._beside, vector_of(values)]
        base = sum(int(at_base(vector)) for vector in vectors)
        worst_value = netted_worst(vectors)
        if self._account.margin_model == STANDARD_MODEL:
            worst_value = self._worst_beside_micro + int(collateral.min())
            worst_value += sum(int((lots * row).min()) for lots, row in rows)
        worst = half_up(self._account.gross_lots) + base - worst_value
        return self._worth_micro + base, maintenance_of(worst)

    def _collateral_values(self, move_e6: int) -> Integers:
        index = self._marks.index_micro[self._underlying] * (E6 + move_e6) // E6
        return self._collateral.values_at(self._account, self._underlying, index)

    def _rows(self, move_e6: int) -> list[tuple[int, Integers]]:
        """Signed lots of each position and what one lot is worth per scenario after a move."""
        marks, rows = self._marks, list(self._still)
        for instrument, lots in self._linear:
            number, expiry = instrument.number, instrument.expiry
            moved = marks.index_micro[self._underlying] * (E6 + move_e6) // E6
            if expiry is not None:
                moved = self._mark(expiry.number, move_e6).forward_micro
            accrual = marks.accrual_micro[number] + moved - marks.carry_micro[number]
            rows.append((lots, price_linear(moved) + accrual))
        for expiry, options in self._options:
            prices, gains = price_expiry(
                np.array([option.kind for option, _ in options], dtype=np.int64),
                np.array([option.strike_micro for option, _ in options], dtype=np.int64),
                np.array(_ln_strikes(options), dtype=np.int64),
                self._mark(expiry.number, move_e6),
                expiry.expiry_time_s - marks.mark_time_s[self._underlying],
            )
            values = gains + prices[:, None]
            rows += [(lots, values[at]) for at, (_, lots) in enumerate(options)]
        return rows


def _ln_strikes(options: Sequence[tuple[Instrument, int]]) -> list[int]:
    return [ln_q30(option.strike_micro) for option, _ in options]
