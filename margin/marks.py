"""The marks in force: what one lot of every instrument is worth in each scenario.

Holds: `values[i, s]` is an option's scenario price, or a perpetual's or future's accrual plus
its move; column BASE is the mark itself (for a linear instrument its accrual). `offset_micro[i]`
= carry - accrual turns a price into the units of `values` (0 for options). `features[i]` is what
charges need of a lot, read from `values` as they were set at `feature_marks[i]`. `epochs[u]` counts
the updates of underlying u; `versions[u]` moves whenever what an order that is margined on u could
lose may have moved; `sweeps[u]` counts how often all positions on u were to be valued anew. A
settled instrument is worth its payoff in every scenario.
Never: fits or smooths anything (floats advise in `margin/analytics`; what arrives here is
integers).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from margin.charges import NO_PARTNER, NO_TERM, Features, Sums, TermRates
from margin.features import (
    DELTA,
    FEATURE_COUNT,
    basis_e6,
    charm_e6,
    linear_delta,
    option_features,
    roll_e6,
)
from margin.fixed_point import ln_q30
from margin.kernel import Vector, at_base, largest, least, stretched, vector_of
from margin.rows import price_expiry, price_linear
from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT
from margin.svi import ExpiryMark
from matching.combos import COMBO_BASE, MAX_LEGS, Combo
from matching.instruments import CALL, FUTURE, PERPETUAL, PUT, Expiry, Instrument

_FIRST_CAPACITY: Final = 1_024
_NO_COMBOS: Final[dict[int, Combo]] = {}


class _Chain:
    """The options of one expiry, as the arrays that pricing wants."""

    __slots__ = ("kinds", "ln_strikes", "numbers", "strikes")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.kinds: list[int] = []
        self.strikes: list[int] = []
        self.ln_strikes: list[int] = []


def stretched_up(amount_micro: int, quarters: int) -> int:
    """An amount of a tier, rounded up."""
    return -(-amount_micro * quarters // 4)


class _Row:
    """A vector that a list can hold: packed ones are taken out of an object at no cost."""

    __slots__ = ("values",)

    def __init__(self, values: Vector) -> None:
        self.values = values


class Unit:
    """What margin must know of one lot of an instrument, or one unit of a combo.

    `row` are its values per scenario, at least `low_micro` and at most `high_micro`. A combo of
    several underlyings is margined on that of its first leg: `row` values its legs there, and
    those elsewhere add between `beside_low_micro` and `beside_high_micro`. `fee_micro` is the
    most that a unit of a resting combo order costs in fees, -1 until the portfolio sets it;
    `band_micro` how far beyond its mark a price may be, -1 until the exchange sets it.
    `charge_buy_micro` and `charge_sell_micro` are the charges of one lot or unit bought or sold,
    its legs' together, concentration left out; `delta_micro` is a single lot's feature.
    """

    __slots__ = (
        "band_micro",
        "beside_base_micro",
        "beside_high_micro",
        "beside_low_micro",
        "charge_buy_micro",
        "charge_sell_micro",
        "delta_micro",
        "fee_micro",
        "high_micro",
        "low_micro",
        "offset_micro",
        "row",
    )

    def __init__(
        self, row: Vector, offset_micro: int, beside_low_micro: int, beside_high_micro: int
    ) -> None:
        self.row = row
        self.low_micro: int = least(row)
        self.high_micro: int = largest(row)
        self.offset_micro = offset_micro
        self.beside_base_micro = 0
        self.beside_low_micro = beside_low_micro
        self.beside_high_micro = beside_high_micro
        self.fee_micro = -1
        self.band_micro = -1
        self.delta_micro = 0
        self.charge_buy_micro = 0
        self.charge_sell_micro = 0

    def charge_micro(self, sign: int) -> int:
        """The charges of one lot or unit bought (`sign` +1) or sold (-1)."""
        return self.charge_buy_micro if sign > 0 else self.charge_sell_micro

    def stretched(self, quarters: int, sign: int) -> "Unit":
        """The same for an account of a tier, who buys (`sign` +1) or sells (-1): every move against
        where nothing moves times quarters / 4, its charges too, rounded against the account.
        """
        unit = Unit(stretched(self.row, quarters, sign), self.offset_micro, 0, 0)
        if self.beside_low_micro != self.beside_high_micro:
            base = self.beside_base_micro
            down = (base - self.beside_low_micro) * quarters
            up = (self.beside_high_micro - base) * quarters
            unit.beside_low_micro = base - (-(-down // 4)) - MAX_LEGS  # a unit each for the others'
            unit.beside_high_micro = base - (-up // 4) + MAX_LEGS
        unit.fee_micro = self.fee_micro
        unit.charge_buy_micro = stretched_up(self.charge_buy_micro, quarters)
        unit.charge_sell_micro = stretched_up(self.charge_sell_micro, quarters)
        return unit

    def level_micro(self, sign: int, price_micro: int) -> int:
        """What the row is held against: a price in its terms, legs elsewhere at their worst."""
        if sign > 0:
            return price_micro - self.offset_micro - self.beside_low_micro
        return price_micro - self.offset_micro - self.beside_high_micro

    def most_loss_micro(self, sign: int, level_micro: int, cost_micro: int) -> int:
        """The most that one lot or unit could lose in any scenario, a number >= 0."""
        if sign > 0:
            loss = level_micro + cost_micro - self.low_micro
        else:
            loss = self.high_micro - level_micro + cost_micro
        return loss if loss > 0 else 0


class Marks:
    """Marks of all underlyings, by instrument number."""

    __slots__ = (
        "_chains",
        "_combo_units",
        "_features",
        "_futures",
        "_is_option",
        "_links",
        "_listed",
        "_moved",
        "_partners",
        "_perpetuals",
        "_rows",
        "_strikes",
        "_terms",
        "_underlyings",
        "_units",
        "accrual_micro",
        "carry_micro",
        "epochs",
        "expiry_marks",
        "feature_marks",
        "features",
        "index_micro",
        "is_marked",
        "mark_time_s",
        "offset_micro",
        "sweeps",
        "term_rates",
        "values",
        "versions",
    )

    def __init__(self) -> None:
        self.values: NDArray[np.int64] = np.zeros((_FIRST_CAPACITY, SCENARIO_COUNT), dtype=np.int64)
        self.features: NDArray[np.int64] = np.zeros(
            (_FIRST_CAPACITY, FEATURE_COUNT), dtype=np.int64
        )
        self.feature_marks: dict[int, ExpiryMark] = {}
        self.term_rates: dict[int, TermRates] = {}
        self.offset_micro: list[int] = []
        self.accrual_micro: list[int] = []
        self.carry_micro: list[int] = []
        self.is_marked: list[bool] = []
        self.index_micro: dict[int, int] = {}
        self.mark_time_s: dict[int, int] = {}
        self.epochs: dict[int, int] = {}
        self.versions: dict[int, int] = {}
        self.sweeps: dict[int, int] = {}
        self.expiry_marks: dict[int, ExpiryMark] = {}
        self._chains: dict[int, _Chain] = {}
        self._futures: dict[int, Instrument] = {}
        self._perpetuals: dict[int, Instrument] = {}
        self._underlyings: list[int] = []
        self._listed: dict[int, list[int]] = {}
        self._units: list[Unit | None] = []
        self._rows: list[_Row | None] = []
        self._features: list[Features | None] = []
        self._terms: list[int] = []
        self._partners: list[int] = []
        self._is_option: list[bool] = []
        self._strikes: dict[tuple[int, int, int], int] = {}
        self._combo_units: dict[int, Unit] = {}
        self._moved: dict[int, dict[int, bool]] = {}
        self._links: dict[int, list[int]] = {}

    def list_instrument(self, instrument: Instrument) -> None:
        """Makes room for an instrument; it has no mark before the next update."""
        number = instrument.number
        if number >= len(self.values):
            grown = np.zeros((2 * len(self.values), SCENARIO_COUNT), dtype=np.int64)
            grown[: len(self.values)] = self.values
            self.values = grown
            grown = np.zeros((2 * len(self.features), FEATURE_COUNT), dtype=np.int64)
            grown[: len(self.features)] = self.features
            self.features = grown
        self.offset_micro.append(0)
        self.accrual_micro.append(0)
        self.carry_micro.append(0)
        self.is_marked.append(False)
        self._underlyings.append(instrument.underlying.number)
        self._listed.setdefault(instrument.underlying.number, []).append(number)
        self._units.append(None)
        self._rows.append(None)
        self._features.append(None)
        self._terms.append(instrument.expiry.number if instrument.expiry else NO_TERM)
        self._partners.append(NO_PARTNER)
        self._is_option.append(not instrument.is_linear)
        if instrument.kind == PERPETUAL:
            self._perpetuals[instrument.underlying.number] = instrument
            return
        assert instrument.expiry is not None, "only a perpetual has no expiry"
        if instrument.kind == FUTURE:
            self._futures[instrument.expiry.number] = instrument
            return
        chain = self._chains.setdefault(instrument.expiry.number, _Chain())
        self._pair(instrument, instrument.expiry.number)
        chain.numbers.append(number)
        chain.kinds.append(instrument.kind)
        chain.strikes.append(instrument.strike_micro)
        chain.ln_strikes.append(ln_q30(instrument.strike_micro))

    def _pair(self, option: Instrument, expiry: int) -> None:
        """Makes a call and a put of one strike and expiry each other's partners."""
        self._strikes[expiry, option.strike_micro, option.kind] = option.number
        other = PUT if option.kind == CALL else CALL
        partner = self._strikes.get((expiry, option.strike_micro, other), NO_PARTNER)
        if partner != NO_PARTNER:
            self._partners[option.number] = partner
            self._partners[partner] = option.number
            self._features[partner] = None

    def delist(self, instrument: Instrument) -> None:
        """An instrument that nobody holds is marked no more; what it was worth last stays. A future
        goes on with its expiry's forward until that is settled.
        """
        if instrument.kind == PERPETUAL:
            self._perpetuals.pop(instrument.underlying.number, None)
            return
        assert instrument.expiry is not None, "only a perpetual has no expiry"
        expiry = instrument.expiry.number
        if instrument.kind == FUTURE:
            return
        chain = self._chains[expiry]
        at = chain.numbers.index(instrument.number)
        for listed in (chain.numbers, chain.kinds, chain.strikes, chain.ln_strikes):
            del listed[at]

    def ln_strikes_q30(self, expiry: int) -> Sequence[int]:
        """ln(strike) in Q30 of every option of an expiry, for checks at the door."""
        chain = self._chains.get(expiry)
        return chain.ln_strikes if chain else ()

    def update_index(self, underlying: int, index_micro: int, time_s: int) -> list[int]:
        """Takes a new index; gives the perpetuals whose accrual moved."""
        self.index_micro[underlying] = index_micro
        self.mark_time_s[underlying] = time_s
        self.epochs[underlying] = self.epochs.get(underlying, 0) + 1
        self._forget_units(underlying, self._listed.get(underlying, ()))
        perpetual = self._perpetuals.get(underlying)
        return [self._mark_linear(perpetual, index_micro)] if perpetual else []

    def update_expiry(self, expiry: Expiry, mark: ExpiryMark, time_s: int) -> list[int]:
        """Reprices the options of an expiry and marks its future; gives the futures whose
        accrual moved.
        """
        self.expiry_marks[expiry.number] = mark
        chain = self._chains.get(expiry.number)
        self._forget_units(expiry.underlying.number, chain.numbers if chain else ())
        left_s = expiry.expiry_time_s - time_s
        if left_s > 0 or expiry.number not in self.term_rates:
            self.term_rates[expiry.number] = TermRates(
                roll_e6(left_s), basis_e6(left_s), charm_e6(left_s)
            )
        if chain and chain.numbers and left_s > 0:  # from then on the last rows carry the risk
            prices, rows = price_expiry(
                np.array(chain.kinds, dtype=np.int64),
                np.array(chain.strikes, dtype=np.int64),
                np.array(chain.ln_strikes, dtype=np.int64),
                mark,
                left_s,
            )
            values = prices[:, None] + rows
            self.values[chain.numbers] = values
            self.features[chain.numbers] = option_features(values, chain.ln_strikes, mark)
            self.feature_marks.update(dict.fromkeys(chain.numbers, mark))
            for number in chain.numbers:
                self.is_marked[number] = True
        future = self._futures.get(expiry.number)
        return [self._mark_linear(future, mark.forward_micro)] if future else []

    def settle_expiry(
        self, expiry: Expiry, settlement_micro: int, options: Sequence[Instrument]
    ) -> list[int]:
        """Fixes every instrument of an expiry at its payoff; gives the futures whose accrual
        moved.
        """
        underlying = expiry.underlying.number
        self.epochs[underlying] = self.epochs.get(underlying, 0) + 1
        self._forget_units(underlying, self._listed.get(underlying, ()))
        for option in options:
            self.values[option.number] = option.payoff_micro(settlement_micro)
            self._charge_no_more(option.number)
        future = self._futures.get(expiry.number)
        if future is None:
            return []
        moved = self._mark_linear(future, settlement_micro)
        self.values[future.number] = self.accrual_micro[future.number]
        self._charge_no_more(future.number)
        return [moved]

    def _charge_no_more(self, number: int) -> None:
        """What is settled has no charges."""
        self.features[number] = 0
        self._terms[number] = NO_TERM
        self._is_option[number] = False
        self._features[number] = None

    def accrue(self, instrument: Instrument, rate_micro: int) -> None:
        """Funding: each long lot pays `rate_micro`, each short lot receives it, when its account
        is next touched.
        """
        number = instrument.number
        underlying = instrument.underlying.number
        self.epochs[underlying] = self.epochs.get(underlying, 0) + 1
        self._forget_units(underlying, self._listed.get(underlying, ()))
        self.accrual_micro[number] -= rate_micro
        self.offset_micro[number] += rate_micro
        self.values[number] -= rate_micro

    def _mark_linear(self, instrument: Instrument, mark_micro: int) -> int:
        """Brings a linear instrument to its mark through its accrual. The first mark only sets
        the carry: nobody has traded.
        """
        number = instrument.number
        if self.is_marked[number]:
            self.accrual_micro[number] += mark_micro - self.carry_micro[number]
        self.is_marked[number] = True
        self.carry_micro[number] = mark_micro
        self.offset_micro[number] = mark_micro - self.accrual_micro[number]
        row = price_linear(mark_micro)
        self.values[number] = row + self.accrual_micro[number]
        self.features[number, DELTA] = linear_delta(row)
        self._units[number] = None
        self._rows[number] = None
        self._features[number] = None
        return number

    def mark_micro(self, instrument: Instrument) -> int:
        """The mark of one lot, micro-USDC: an option's price, a linear instrument's reference."""
        if instrument.is_linear:
            return self.carry_micro[instrument.number]
        return at_base(self.unit(instrument.number, _NO_COMBOS).row)

    def mark_ticks(self, instrument: Instrument) -> int:
        """The mark in whole ticks, to nearest, half up."""
        tick = instrument.tick_value_micro
        return (2 * self.mark_micro(instrument) + tick) // (2 * tick)

    def unit(self, book: int, combos: dict[int, Combo]) -> Unit:
        """What margin must know of one lot of an instrument or one unit of a combo, kept until
        the marks move.
        """
        if book < COMBO_BASE:
            known = self._units[book]
            if known is None:
                row = self.row(book)
                known = self._units[book] = Unit(row, self.offset_micro[book], 0, 0)
                self._charge(known, ((book, 1),))
                known.delta_micro = self.features_of(book).delta
            return known
        unit = self._combo_units.get(book)
        if unit is None:
            unit = self._combo_units[book] = self._combo_unit(combos[book])
        return unit

    def row(self, number: int) -> Vector:
        """What one lot of an instrument is worth in each scenario, kept until the marks move."""
        known = self._rows[number]
        if known is None:
            known = self._rows[number] = _Row(vector_of(self.values[number]))
        return known.values

    def underlying_of(self, number: int) -> int:
        """The number of an instrument's underlying."""
        return self._underlyings[number]

    def note_moved(self, underlying: int, account: int) -> None:
        """Positions of an account on an underlying may have changed. However often, it is noted
        once: what only tries positions may note as well.
        """
        moved = self._moved.get(underlying)
        if moved is None:
            moved = self._moved[underlying] = {}
        moved[account] = True

    def take_moved(self, underlying: int) -> list[int]:
        """The accounts whose positions on an underlying may have changed since this was asked."""
        moved = self._moved.pop(underlying, None)
        return [] if moved is None else list(moved)

    def _combo_unit(self, combo: Combo) -> Unit:
        first = combo.underlying.number
        rows: dict[int, NDArray[np.int64]] = {}
        offset = low = high = base = 0
        for number, ratio in combo.legs:
            underlying = self._underlyings[number]
            value = ratio * self.values[number]
            rows[underlying] = rows[underlying] + value if underlying in rows else value
            offset += ratio * self.offset_micro[number]
        for underlying, row in rows.items():
            if underlying != first:
                low += int(row.min())
                high += int(row.max())
                base += int(row[BASE_SCENARIO])
                links = self._links.setdefault(underlying, [])
                if first not in links:
                    links.append(first)
        unit = Unit(vector_of(rows[first]), offset, low, high)
        unit.beside_base_micro = base
        self._charge(unit, combo.legs)
        return unit

    def _charge(self, unit: Unit, legs: Sequence[tuple[int, int]]) -> None:
        """Sets what one unit bought or sold costs in charges."""
        unit.charge_buy_micro = self._charge_of(legs, 1)
        unit.charge_sell_micro = self._charge_of(legs, -1)

    def _charge_of(self, legs: Sequence[tuple[int, int]], sign: int) -> int:
        sums: dict[int, Sums] = {}
        held: dict[int, int] = {}
        for number, ratio in legs:
            underlying = self._underlyings[number]
            features = self.features_of(number)
            lots = sign * ratio
            own = sums.setdefault(underlying, Sums())
            own.move(features, 0, lots, held.get(features.partner, 0))
            held[number] = lots
        charge = 0
        for underlying, own in sums.items():
            charge += own.charge_micro(self.term_rates, self.index_micro.get(underlying, 0))
        return charge

    def features_of(self, number: int) -> Features:
        """What charges need of one long lot of an instrument, kept until the marks move."""
        known = self._features[number]
        if known is None:
            values: list[int] = self.features[number].tolist()
            term = self._terms[number]
            known = Features(term, self._partners[number], self._is_option[number], values)
            self._features[number] = known
        return known

    def _forget_units(self, underlying: int, numbers: Sequence[int]) -> None:
        """The marks of these instruments moved: so did what orders on their underlying could lose,
        and wherever a combo with a leg on it is margined.
        """
        for moved in (underlying, *self._links.get(underlying, ())):
            self.versions[moved] = self.versions.get(moved, 0) + 1
        self._combo_units.clear()
        for number in numbers:
            self._units[number] = None
            self._rows[number] = None
            self._features[number] = None

    def forget_combo(self, book: int) -> None:
        """Drops what is kept of a combo whose number may be given again."""
        self._combo_units.pop(book, None)
