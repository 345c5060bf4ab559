"""Derive's portfolio margin, second version ("PM2"), in double precision: a second opinion on a
portfolio, beside the requirement of this exchange.

Written from what Derive publishes: docs.derive.xyz, "PM2" and "Portfolio Margin Parameters [New]",
and the contracts (derivexyz/v2-core, PMRM_2 and PMRMLib_2). 33 scenarios for each underlying: spot
0, +-4.5, +-9, +-13.5% with volatility up, unchanged and down, +-18% with volatility up, eight tails
with volatility up and the loss damped, and two skews of the smile at the present spot. Loss is
scaled (initial 1, maintenance 0.8); contingencies are added. Where the pages state no value the
one in the contracts' own deployment tests is taken, and said so below.

Left out, since this exchange has no counterpart: base assets as collateral, the feeds' confidence
(taken as full), interest (rates are zero, so no short is discounted).
Holds: a portfolio of several underlyings needs the sum of what each needs: PM2 nets none.
Never: is imported by the engine's side.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from margin.accounts import Account
from margin.analytics.black76_float import SECONDS_PER_YEAR, option_price
from margin.analytics.mark_greeks import mark_volatility
from margin.fixed_point import ln_q30
from margin.portfolio import Portfolio

Floats = NDArray[np.float64]

_DAY_S: Final = 86_400
_E6: Final = 1e6
_E8: Final = 1e8

UP: Final = "volatility up"
SAME: Final = "volatility unchanged"
DOWN: Final = "volatility down"
LINEAR: Final = "linear skew"
ABSOLUTE: Final = "absolute skew"
BASIS: Final = "basis contingency"


class Parameters(NamedTuple):
    """For BTC and ETH. [P] published on the parameters' page, [T] in the contracts' tests."""

    initial_factor: float = 1.0  # [P]
    maintenance_factor: float = 0.8  # [P]
    vol_up: float = 0.5  # [P]
    vol_down: float = 0.3  # [P]
    short_power: float = 0.3  # [P]
    long_power: float = 0.13  # [P]
    least_vol_up: float = 0.4  # [T]
    perpetual_maintenance: float = 0.03  # [P]
    perpetual_initial: float = 0.01  # [P] on top
    option_maintenance: float = 0.003  # [P]
    option_initial: float = 0.002  # [P] on top
    basis_up: float = 1.05  # [T]
    basis_down: float = 0.95  # [T]
    basis_add: float = 0.25  # [T]
    basis_per_year: float = 0.01  # [T]
    peg_threshold: float = 0.98  # [T]
    peg_factor: float = 4.0  # [P]
    long_discount: float = 0.95  # [T]
    long_rate_add: float = 0.05  # [T]
    linear_cap: float = 0.15  # [T]
    absolute_cap: float = 0.2  # [T]
    cap_per_root_year: float = 0.1  # [T]
    least_width: float = 0.01  # [T]
    width_scale: float = 4.0  # [T]
    width_vol: float = 1.0  # [T]
    width_vol_per_root_year: float = -0.2  # [T]


class Scenario(NamedTuple):
    """Spot is multiplied by `spot`; the loss counts `damping`."""

    spot: float
    volatility: str
    damping: float = 1.0


_MOVES_PERCENT: Final = (-13.5, -9, -4.5, 0, 4.5, 9, 13.5)

SCENARIOS: Final = (
    *(Scenario(1 + m / 100, v) for m in _MOVES_PERCENT for v in (UP, SAME, DOWN)),
    Scenario(0.82, UP),
    Scenario(1.18, UP),
    *(
        Scenario(1 + m, UP, damping)
        for m, damping in (
            (-0.66, 0.21),
            (-0.33, 0.42),
            (0.5, 0.27),
            (1.0, 0.13),
            (2.0, 0.069),
            (3.0, 0.046),
            (4.0, 0.034),
            (5.0, 0.027),
        )
    ),
    Scenario(1.0, LINEAR),
    Scenario(1.0, ABSOLUTE),
)


class Option(NamedTuple):
    """Units of the underlying held of one option, negative where short; prices in USDC per unit."""

    kind: int
    strike: float
    forward: float
    volatility: float
    seconds: int
    units: float


class Margin(NamedTuple):
    """USDC: what is required, and the worst scenario of the underlying that loses most."""

    initial: float
    maintenance: float
    worst: Scenario


def pm2_margin(
    options: Sequence[Option],
    perpetual_units: float,
    index: float,
    stable_price: float = 1.0,
    parameters: Parameters | None = None,
) -> Margin:
    """Requirement of a portfolio on one underlying. `perpetual_units` has futures in it, too."""
    p = parameters or Parameters()
    expiries: dict[int, list[Option]] = {}
    for option in options:
        expiries.setdefault(option.seconds, []).append(option)
    books = [_Expiry(held, p) for _, held in sorted(expiries.items())]
    worst, least = Scenario(1.0, BASIS), sum(book.basis() for book in books)
    for scenario in SCENARIOS:
        gain = perpetual_units * index * (scenario.spot - 1) * scenario.damping
        gain += sum(book.gain(scenario) for book in books)
        if gain < least:
            worst, least = scenario, gain
    notional = abs(perpetual_units) * index
    shorts = sum(book.naked_shorts() for book in books) * index
    maintenance = notional * p.perpetual_maintenance + shorts * p.option_maintenance
    initial = maintenance + notional * p.perpetual_initial + shorts * p.option_initial
    peg = max(p.peg_threshold - stable_price, 0.0) * p.peg_factor
    return Margin(
        initial - least * (p.initial_factor + peg),
        maintenance - least * p.maintenance_factor,
        worst,
    )


def pm2_of(portfolio: Portfolio, account: Account) -> Margin:
    """What PM2 would require for an account's positions at the marks in force; open orders and
    what is settled are left out.
    """
    by_underlying: dict[int, tuple[list[Option], list[float]]] = {}
    marks = portfolio.marks
    for number, position in sorted(account.positions.items()):
        instrument = portfolio.instruments[number]
        if instrument.is_settled:
            continue
        underlying = instrument.underlying
        options, linear = by_underlying.setdefault(underlying.number, ([], []))
        units = position.quantity_lots * underlying.lot_e8 / _E8
        expiry = instrument.expiry
        if instrument.is_linear or expiry is None:
            linear.append(units)
            continue
        mark = marks.expiry_marks[expiry.number]
        seconds = max(expiry.expiry_time_s - marks.mark_time_s[underlying.number], 1)
        volatility = mark_volatility([ln_q30(instrument.strike_micro)], mark, seconds)
        per_unit = _E8 / _E6 / underlying.lot_e8
        options.append(
            Option(
                instrument.kind,
                instrument.strike_micro * per_unit,
                mark.forward_micro * per_unit,
                float(volatility[0]),
                seconds,
                units,
            )
        )
    found: list[Margin] = []
    for number, (options, linear) in sorted(by_underlying.items()):
        lot_e8 = next(
            portfolio.instruments[n].underlying.lot_e8
            for n in account.positions
            if portfolio.instruments[n].underlying.number == number
        )
        index = marks.index_micro[number] * _E8 / _E6 / lot_e8
        found.append(pm2_margin(options, sum(linear), index))
    if not found:
        return Margin(0.0, 0.0, Scenario(1.0, SAME))
    return Margin(
        sum(one.initial for one in found),
        sum(one.maintenance for one in found),
        max(found, key=lambda one: one.initial).worst,
    )


class _Expiry:
    """What is held of one expiry."""

    def __init__(self, held: Sequence[Option], parameters: Parameters) -> None:
        self._held = held
        self._p = parameters
        self._kinds = np.array([option.kind for option in held])
        self._strikes = np.array([option.strike for option in held], dtype=float)
        self._volatilities = np.array([option.volatility for option in held], dtype=float)
        self._units = np.array([option.units for option in held], dtype=float)
        self._forward = held[0].forward
        self._years = held[0].seconds / SECONDS_PER_YEAR
        days = max(held[0].seconds, _DAY_S) / _DAY_S
        power = parameters.short_power if days <= 30 else parameters.long_power
        self._shock = (30 / days) ** power
        self._mark = self._value(1.0, self._volatilities)

    def _value(self, spot: float, volatilities: Floats) -> float:
        forward = self._forward * spot
        prices = option_price(self._kinds, forward, self._strikes, volatilities, self._years)
        return float(self._units @ prices)

    def _discounted(self, value: float) -> float:
        """A value that is the account's to lose counts a little less."""
        if value < 0:
            return value
        p = self._p
        return value * p.long_discount * float(np.exp(-self._years * p.long_rate_add))

    def gain(self, scenario: Scenario) -> float:
        """What the expiry brings in a scenario; of a skew, its worse direction."""
        skewed = scenario.volatility in (LINEAR, ABSOLUTE)
        value = self._value(scenario.spot, self._shocked(scenario.volatility))
        gain = (self._discounted(value) - self._mark) * scenario.damping
        return -abs(gain) if skewed else gain

    def _shocked(self, volatility: str) -> Floats:
        p, marked = self._p, self._volatilities
        if volatility == UP:
            return np.maximum(marked * (1 + p.vol_up * self._shock), p.least_vol_up)
        if volatility == DOWN:
            return marked * max(1 - p.vol_down * self._shock, 0.0)
        if volatility == SAME:
            return marked
        root = self._years**0.5
        k = np.log(self._strikes / self._forward)
        cap = p.cap_per_root_year * root
        cap += p.linear_cap if volatility == LINEAR else p.absolute_cap
        width = root * p.width_scale * (p.width_vol + root * p.width_vol_per_root_year)
        k = k if volatility == LINEAR else np.abs(k)
        tilt = np.clip(k * cap / max(width, p.least_width), -cap, cap)
        return marked * np.maximum(1 + tilt, 0.0)

    def basis(self) -> float:
        """The worse of two moves of the forward alone, in part; a number <= 0."""
        p = self._p
        moved = (self._value(spot, self._volatilities) for spot in (p.basis_up, p.basis_down))
        worse = min(0.0, *(value - self._mark for value in moved))
        return worse * (p.basis_add + p.basis_per_year * self._years)

    def naked_shorts(self) -> float:
        """Units short of a strike beyond what is long of it, call or put."""
        net: dict[float, list[float]] = {}
        for option in self._held:
            net.setdefault(option.strike, []).append(option.units)
        total = 0.0
        for units in net.values():
            shorts = -sum(one for one in units if one < 0)
            total += max(shorts - sum(one for one in units if one > 0), 0.0)
        return total
