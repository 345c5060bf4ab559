"""What is to be listed now: expiries, strikes, futures and perpetuals that the rules ask for and
that are not there.

Holds: pure: from the rules, what is listed, the index and the time follow the commands that are
due, in an order in which the engine takes them; after they are applied nothing is due. The
expiries are those that Deribit lists (facts of 22 July 2021 and of 14 to 17 January 2026 are in the
tests): at 08:00 UTC, four days ahead daily, Fridays up to 22 days ahead, last Fridays of a month up
to 92, of a quarter up to 365. Strikes stand around the index, the further the coarser, and the
coarser the longer the term; they are only added.
Never: lists anything twice, or what pricing could not take; removes or changes what is listed;
knows a float.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from exchange.circuit_breaker import CALM_E4, CALM_WINDOW_S, LEVELS, WINDOW_S
from exchange.commands import Command, ListExpiry, ListInstrument, ListUnderlying, SetBreaker
from margin.fixed_point import ln_q30
from margin.parameters import MAX_DEVIATION_Q30
from margin.svi import ExpiryMark, check_index, check_marks, deviation_q30
from matching.instruments import (
    CALL,
    FUTURE,
    MAX_VALUE_MICRO,
    NO_EXPIRY,
    PERPETUAL,
    PUT,
    civil_from_days,
)

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
EXPIRY_HOUR_S: Final = 8 * HOUR_S
"""Everything expires at 08:00 UTC."""
DAILIES: Final = 4
WEEKLY_DAYS: Final = 22
MONTHLY_DAYS: Final = 92
QUARTERLY_DAYS: Final = 365
"""How many days ahead each kind is listed; a Thursday's 08:00 brings the Friday 22 days on."""
QUIET_S: Final = 1_800
"""No strike is added to an expiry in its last half hour, when its settlement is sampled."""
STEPS_TO_INDEX: Final = 64
"""The finest spacing is the largest of 1, 2, 5, 10, 20, ... USDC that fits so often into the index:
1,000 at 95,586, 50 at 3,312."""
SPARE_VOLATILITY_PERCENT: Final = 25
"""A strike is listed if its volatility could rise by so much and still be priced."""
LAST_UNDERLYING: Final = 254


class Band(NamedTuple):
    """Strikes from index / (1 + width) to index x (1 + width), `spacings` of the finest apart."""

    width_percent: int
    spacings: int


class Term(NamedTuple):
    """Expiries that are at most so many days ahead have these bands, the widest last."""

    most_days: int
    bands: tuple[Band, ...]


TERMS: Final = (
    Term(4, (Band(6, 1), Band(12, 2))),
    Term(22, (Band(10, 1), Band(20, 2))),
    Term(92, (Band(6, 1), Band(20, 2), Band(80, 5))),
    Term(366, (Band(40, 5), Band(100, 10), Band(300, 20))),
)
"""About as many strikes as Deribit has of each term: 18, 30, 42, 34 at an index of 95,586."""


class UnderlyingRule(NamedTuple):
    """How one underlying is listed. Ticks in micro-USDC per lot; `spacings` are (index from which,
    finest spacing), micro-USDC per lot, ascending; none for the 1-2-5 rule above. `index_micro` and
    `volatility_e4` (10,000 is 100% a year) state a market to begin from; 0 where there is none.
    """

    name: str
    lot_e8: int
    option_tick_micro: int
    linear_tick_micro: int
    spacings: tuple[tuple[int, int], ...] = ()
    index_micro: int = 0
    volatility_e4: int = 0


BTC_RULE: Final = UnderlyingRule("BTC", 1_000_000, 10_000, 5_000)
"""Lots of 0.01; options tick by 1 USDC, perpetual and futures by 0.5. It begins at the market of
the chain that ships."""
ETH_RULE: Final = UnderlyingRule("ETH", 10_000_000, 10_000, 5_000, (), 331_200_000, 6_500)
"""Lots of 0.1; options tick by 0.1 USDC, perpetual and futures by 0.05. It begins at 3,312 USDC and
65%, about what it was when that chain was."""
SHIPPED: Final = (BTC_RULE, ETH_RULE)


class Listed(NamedTuple):
    """What the exchange has. `expiries` are (underlying, time in Unix seconds, whether settled);
    `instruments` (kind, underlying, expiry, strike), also of what is delisted, which is not listed
    again; index by underlying, marks by expiry, where there are any.
    """

    underlyings: Sequence[str]
    expiries: Sequence[tuple[int, int, bool]]
    instruments: Sequence[tuple[int, int, int, int]]
    index_micro: Mapping[int, int]
    marks: Mapping[int, ExpiryMark]


def due_listings(
    rules: Sequence[UnderlyingRule], listed: Listed, time_ns: int
) -> Iterator[Command]:
    """The commands that are due at `time_ns`, in their order; of an underlying without an index
    only itself, with its circuit breaker armed, and its perpetual.
    """
    time_s = time_ns // 10**9
    underlyings = {name: number for number, name in enumerate(listed.underlyings)}
    known = dict.fromkeys(listed.instruments)
    expiries = len(listed.expiries)
    following = len(listed.instruments)
    for rule in rules:
        number = underlyings.get(rule.name)
        if number is None:
            number = len(underlyings)
            if number > LAST_UNDERLYING:
                continue
            underlyings[rule.name] = number
            name = rule.name.encode("ascii").ljust(8, b"\0")
            yield ListUnderlying(time_ns, number, name, rule.lot_e8)
            yield SetBreaker(time_ns, number, WINDOW_S, CALM_WINDOW_S, CALM_E4, LEVELS)
        index = listed.index_micro.get(number, 0)
        has_index = check_index(number, index) is None
        found = {
            at_s: at
            for at, (of, at_s, is_settled) in enumerate(listed.expiries)
            if of == number and not is_settled
        }
        wanted: list[tuple[int, int, int]] = [(PERPETUAL, NO_EXPIRY, 0)]
        for expiry_s, has_future in expiry_times(time_s) if has_index else ():
            if expiry_s not in found:
                if expiries >= NO_EXPIRY:
                    continue
                found[expiry_s] = expiries
                expiries += 1
                yield ListExpiry(time_ns, found[expiry_s], number, expiry_s)
            at = found[expiry_s]
            if has_future:
                wanted.append((FUTURE, at, 0))
            if expiry_s - time_s > QUIET_S:
                wanted += _options(rule, index, at, listed.marks.get(at), expiry_s - time_s)
        for kind, expiry, strike in wanted:
            if (kind, number, expiry, strike) in known:
                continue
            tick = rule.option_tick_micro if kind >= CALL else rule.linear_tick_micro
            yield ListInstrument(time_ns, following, kind, number, expiry, strike, tick)
            following += 1


def _options(
    rule: UnderlyingRule, index: int, expiry: int, mark: ExpiryMark | None, left_s: int
) -> list[tuple[int, int, int]]:
    """Call and put of every strike that pricing can take, now and if volatility rises: a mark that
    one strike could not take would be refused for all.
    """
    found: list[tuple[int, int, int]] = []
    for strike in strikes(index, finest_spacing(rule, index), left_s):
        if mark is None or _is_priceable(expiry, mark, ln_q30(strike)):
            found += ((CALL, expiry, strike), (PUT, expiry, strike))
    return found


def _is_priceable(expiry: int, mark: ExpiryMark, ln_strike_q30: int) -> bool:
    if check_marks(expiry, mark, [ln_strike_q30]) is not None:
        return False
    deviation = deviation_q30(ln_strike_q30 - ln_q30(mark.forward_micro), mark)
    return deviation * (100 + SPARE_VOLATILITY_PERCENT) < MAX_DEVIATION_Q30 * 100


# EXPIRIES


def expiry_times(time_s: int) -> list[tuple[int, bool]]:
    """(Unix second, whether futures have it too) of every expiry that should be listed, ascending;
    futures have the monthly and quarterly ones.
    """
    today = (time_s - EXPIRY_HOUR_S) // DAY_S  # the day whose 08:00 was the last
    found: list[tuple[int, bool]] = []
    for ahead in range(1, QUARTERLY_DAYS + 1):
        day = today + ahead
        is_friday = day % 7 == 1  # 1 January 1970 was a Thursday
        month = civil_from_days(day)[1]
        is_monthly = is_friday and civil_from_days(day + 7)[1] != month
        has_future = is_monthly and (ahead <= MONTHLY_DAYS or month % 3 == 0)
        if has_future or ahead <= DAILIES or (is_friday and ahead <= WEEKLY_DAYS):
            found.append((day * DAY_S + EXPIRY_HOUR_S, has_future))
    return found


# STRIKES


def finest_spacing(rule: UnderlyingRule, index_micro: int) -> int:
    """The finest spacing of strikes at an index, micro-USDC per lot, at least 1."""
    found = 0
    for level, spacing in rule.spacings:
        if index_micro >= level:
            found = spacing
    if found:
        return found
    # A power of ten of USDC per unit, in micro-USDC per lot, that is a whole number of them.
    step = rule.lot_e8 * 10**4
    while step % 10 == 0 and step > index_micro // STEPS_TO_INDEX:
        step //= 10
    best = max(step, 1)
    while step <= index_micro // STEPS_TO_INDEX:
        for factor in (1, 2, 5):
            if step * factor <= index_micro // STEPS_TO_INDEX:
                best = step * factor
        step *= 10
    return best


def strikes(index_micro: int, spacing_micro: int, left_s: int) -> list[int]:
    """The strikes of an expiry so far ahead, micro-USDC per lot, ascending. Each band reaches
    beyond its width to the next multiple of its spacing, but not below one, nor above what pricing
    takes.
    """
    found: dict[int, None] = {}
    for width, spacings in bands(left_s):
        spacing = spacing_micro * spacings
        lowest = index_micro * 100 // (100 + width) // spacing * spacing
        highest = -(-index_micro * (100 + width) // (100 * spacing)) * spacing
        for strike in range(max(lowest, spacing), highest + 1, spacing):
            if strike < MAX_VALUE_MICRO:
                found[strike] = None
    return sorted(found)


def bands(left_s: int) -> tuple[Band, ...]:
    """The bands of an expiry that is so many seconds ahead."""
    for term in TERMS:
        if left_s <= term.most_days * DAY_S:
            return term.bands
    return TERMS[-1].bands
