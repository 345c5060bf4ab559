"""Charges: what initial margin asks beyond the scan, for what the scan moves as one.

The scan moves all forwards and volatilities of an underlying together and prices them now. Roll,
basis and perpetual premium are for forwards that do not; term vega and skew for volatilities; vanna
and charm for deltas that drift before they are hedged; the short-option minimum for what no grid
sees; concentration for size (docs/margin.md, 3.7).

Holds: sums are of lots x feature and nothing else, so taking lots out again leaves no trace; every
charge but concentration is homogeneous and sub-additive in them: charge(P + n lots) <= charge(P) +
n x charge(one lot in that direction), to the last unit, since each rounds up by itself.
Never: prices anything; counts an order.
"""

from typing import Final

from margin.features import DRIFT_E6, VANNA_E6
from margin.parameters import (
    CONCENTRATED_DELTA_E6,
    CONCENTRATED_NOTIONAL_MICRO,
    CONCENTRATED_SHORT_E6,
    DELTA_NOTIONAL,
    PERPETUAL_E6,
    SHORT_OPTION_E6,
    SKEW_E6,
    TERM_VEGA_E6,
)
from matching.packed import extend, i64, vec

ROLL: Final = 0
BASIS: Final = 1
PERPETUAL_PREMIUM: Final = 2
TERM_VEGA: Final = 3
SKEW: Final = 4
VANNA_CHARM: Final = 5
SHORT_OPTIONS: Final = 6
CONCENTRATION: Final = 7
CHARGE_NAMES: Final = (
    "roll",
    "basis",
    "perpetual_premium",
    "term_vega",
    "skew",
    "vanna_charm",
    "short_options",
    "concentration",
)
"""In the order of `Sums.charges_micro`."""

NO_TERM: Final = -1
"""The term of a perpetual, and of what is settled."""
NO_PARTNER: Final = -1

_E6: Final = 10**6
_PERPETUAL: Final = PERPETUAL_E6 * DELTA_NOTIONAL


class TermRates:
    """What an expiry's sums are multiplied by, in millionths (`features.roll_e6` and so on)."""

    __slots__ = ("basis_e6", "charm_e6", "roll_e6")

    def __init__(self, roll_e6: int, basis_e6: int, charm_e6: int) -> None:
        self.roll_e6 = roll_e6
        self.basis_e6 = basis_e6
        self.charm_e6 = charm_e6


class Features:
    """Features of one long lot (`features.py`), micro-USDC, where they are summed (`term`: its
    expiry), and whether it is an option that can be short, with its `partner`, the other kind of
    the same strike and expiry.
    """

    __slots__ = (
        "delta",
        "is_option",
        "partner",
        "skew_absolute",
        "skew_linear",
        "term",
        "vanna_down",
        "vanna_up",
        "vega",
    )

    def __init__(self, term: int, partner: int, is_option: bool, values: list[int]) -> None:
        self.term = term
        self.partner = partner
        self.is_option = is_option
        self.delta = values[0]
        self.vega = values[1]
        self.skew_linear = values[2]
        self.skew_absolute = values[3]
        self.vanna_up = values[4]
        self.vanna_down = values[5]


# One expiry's sums in `Sums._terms`: its number, then lots x feature of its positions.
_DELTA: Final = 1
_VEGA: Final = 2
_VANNA_UP: Final = 3
_VANNA_DOWN: Final = 4
_FIELDS: Final = 5


class Sums:
    """An account's features on one underlying: lots x feature, by expiry where the charge is.

    `short_lots` is the sum over strikes of the lots short there, calls or puts, whichever are more;
    `delta` that of everything, perpetual included. Expiries stand side by side, in the order in
    which they came; each sum is below 2^60, as gross lots and values are bounded.
    """

    __slots__ = ("_terms", "delta", "perpetual_delta", "short_lots", "skew_absolute", "skew_linear")

    def __init__(self) -> None:
        self._terms: vec[i64] = vec[i64]()
        self.delta = 0
        self.perpetual_delta = 0
        self.skew_linear = 0
        self.skew_absolute = 0
        self.short_lots = 0

    def clear(self) -> None:
        """Forgets every position; expiries stay, at zero, to be summed again."""
        terms = self._terms
        for first in range(0, len(terms), _FIELDS):
            for field in range(_DELTA, _FIELDS):
                terms[first + field] = 0
        self.delta = 0
        self.perpetual_delta = 0
        self.skew_linear = 0
        self.skew_absolute = 0
        self.short_lots = 0

    def copy(self) -> "Sums":
        other = Sums()
        other._terms = self._terms[:]
        other.delta = self.delta
        other.perpetual_delta = self.perpetual_delta
        other.skew_linear = self.skew_linear
        other.skew_absolute = self.skew_absolute
        other.short_lots = self.short_lots
        return other

    def move(self, features: Features, before: int, lots: int, partner_lots: int) -> None:
        """Adds signed lots to a position of `before`, whose partner's is `partner_lots`."""
        delta = lots * features.delta
        self.delta += delta
        if features.term == NO_TERM:
            self.perpetual_delta += delta
            return
        first = self._first_of(features.term)
        terms = self._terms
        terms[first + _DELTA] += delta
        if not features.is_option:
            return
        terms[first + _VEGA] += lots * features.vega
        terms[first + _VANNA_UP] += lots * features.vanna_up
        terms[first + _VANNA_DOWN] += lots * features.vanna_down
        self.skew_linear += lots * features.skew_linear
        self.skew_absolute += lots * features.skew_absolute
        after = before + lots
        if before < 0 or after < 0:
            beside = -partner_lots if partner_lots < 0 else 0
            self.short_lots += max(-after, beside) - max(-before, beside)

    def _first_of(self, term: i64) -> i64:
        """Where an expiry's sums begin; they are made where there are none."""
        terms = self._terms
        first: i64 = 0
        while first < len(terms):
            if terms[first] == term:
                return first
            first += _FIELDS
        self._terms = extend(terms, vec[i64]([term, 0, 0, 0, 0]))
        return first

    def charges_micro(self, rates: dict[int, TermRates], index_micro: int) -> list[int]:
        """Every charge, in the order of `CHARGE_NAMES`, each rounded up."""
        size = concentration_micro(self.delta, self.short_lots, index_micro)
        return [*self._linear_micro(rates, index_micro), size]

    def charge_micro(self, rates: dict[int, TermRates], index_micro: int) -> int:
        """All charges but concentration."""
        roll, basis, perpetual, vega, skew, drift, short = self._linear_micro(rates, index_micro)
        return roll + basis + perpetual + vega + skew + drift + short

    def _linear_micro(
        self, rates: dict[int, TermRates], index_micro: int
    ) -> tuple[int, int, int, int, int, int, int]:
        roll = basis = vega = drift = 0
        terms = self._terms
        for first in range(0, len(terms), _FIELDS):
            rate = rates.get(int(terms[first]))
            if rate is None:  # never marked: its features are zero
                continue
            delta = int(terms[first + _DELTA])
            up, down = int(terms[first + _VANNA_UP]), int(terms[first + _VANNA_DOWN])
            roll += rate.roll_e6 * abs(delta)
            basis += rate.basis_e6 * delta
            vega += abs(int(terms[first + _VEGA]))
            drift += VANNA_E6 * abs(up) + rate.charm_e6 * abs(down)
        skew = max(abs(self.skew_linear), abs(self.skew_absolute))
        return (
            _millionths_up(roll),
            _millionths_up(abs(basis)),
            _millionths_up(_PERPETUAL * abs(self.perpetual_delta)),
            _millionths_up(TERM_VEGA_E6 * vega),
            _millionths_up(SKEW_E6 * skew),
            _millionths_up(drift),
            _millionths_up(SHORT_OPTION_E6 * index_micro * self.short_lots),
        )


def concentration_micro(delta: int, short_lots: int, index_micro: int) -> int:
    """What size itself costs: of delta notional and of short-option notional, each beyond its
    threshold, rate x excess^2 / threshold, rounded up.
    """
    notional = DELTA_NOTIONAL * abs(delta)
    short = short_lots * index_micro
    charge = 0
    if notional > CONCENTRATED_NOTIONAL_MICRO:
        charge += _convex_up(notional - CONCENTRATED_NOTIONAL_MICRO, CONCENTRATED_DELTA_E6)
    if short > CONCENTRATED_NOTIONAL_MICRO:
        charge += _convex_up(short - CONCENTRATED_NOTIONAL_MICRO, CONCENTRATED_SHORT_E6)
    return charge


def _convex_up(excess_micro: int, rate_e6: int) -> int:
    return -(-rate_e6 * excess_micro * excess_micro // (CONCENTRATED_NOTIONAL_MICRO * _E6))


def _millionths_up(millionths: int) -> int:
    return -(-millionths // _E6)


assert DRIFT_E6 >= VANNA_E6 >= 0, "a hedger's drift is a share of a delta"
