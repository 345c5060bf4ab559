"""Charges, said a second time: from positions and the marks' scenario values alone.

Holds: features are read anew from `marks.values`, and summed anew, strike by strike and expiry by
expiry; only the tilt of a strike and the rates of a term are asked where they are defined.
Never: changes the state.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from exchange.collateral_invariants import collateral_values
from exchange.state import State
from margin.accounts import Account
from margin.charges import CONCENTRATION, concentration_micro
from margin.features import VANNA_E6, features_of, tilt_q10
from margin.fixed_point import ln_q30
from margin.parameters import (
    DELTA_NOTIONAL,
    PERPETUAL_E6,
    SHORT_OPTION_E6,
    SKEW_E6,
    TERM_VEGA_E6,
)
from margin.scenarios import BASE_SCENARIO
from margin.svi import ExpiryMark
from matching.instruments import PERPETUAL, Instrument
from matching.orders import Order

MostFee = Callable[[State, Order, Sequence[tuple[int, int]]], int]

Held = Mapping[int, int]
"""Signed lots by instrument."""


def charges_micro(state: State, account: Account, underlying: int) -> list[int]:
    """Every charge of an account on an underlying, in the order of `charges.CHARGE_NAMES`."""
    held = {number: position.quantity_lots for number, position in account.positions.items()}
    return charges_of(state, held, underlying)


def order_charge_micro(state: State, order: Order, legs: Sequence[tuple[int, int]]) -> int:
    """What one lot or unit of an order would be charged by itself, concentration left out."""
    held = {number: order.sign * ratio for number, ratio in legs}
    return sum(
        sum(charges_of(state, held, underlying)[:CONCENTRATION])
        for underlying in dict.fromkeys(state.instruments[n].underlying.number for n in held)
    )


def charges_of(state: State, held: Held, underlying: int) -> list[int]:
    """The same for positions."""
    index = state.marks.index_micro.get(underlying, 0)
    terms: dict[int, list[int]] = {}
    shorts: dict[tuple[int, int], dict[int, int]] = {}
    perpetual = 0
    for number, lots in held.items():
        instrument = state.instruments[number]
        if instrument.underlying.number != underlying or instrument.is_settled:
            continue
        features = [lots * feature for feature in state.marks.features[number].tolist()]
        if instrument.kind == PERPETUAL:
            perpetual += features[0]
            continue
        assert instrument.expiry is not None, "only a perpetual has none"
        term = instrument.expiry.number
        terms[term] = [a + b for a, b in zip(terms.get(term, [0] * 6), features, strict=True)]
        if not instrument.is_linear:
            at = shorts.setdefault((term, instrument.strike_micro), {})
            at[instrument.kind] = max(-lots, 0)
    rates = state.marks.term_rates
    sums = [(rates[term], features) for term, features in terms.items() if term in rates]
    short = sum(max(at.values()) for at in shorts.values())
    skew = (sum(features[kind] for _, features in sums) for kind in (2, 3))
    charges = (
        sum(rate.roll_e6 * abs(features[0]) for rate, features in sums),
        abs(sum(rate.basis_e6 * features[0] for rate, features in sums)),
        PERPETUAL_E6 * DELTA_NOTIONAL * abs(perpetual),
        TERM_VEGA_E6 * sum(abs(features[1]) for _, features in sums),
        SKEW_E6 * max(abs(total) for total in skew),
        sum(
            VANNA_E6 * abs(features[4]) + rate.charm_e6 * abs(features[5])
            for rate, features in sums
        ),
        SHORT_OPTION_E6 * index * short,
    )
    delta = perpetual + sum(features[0] for _, features in sums)
    return [-(-charge // 10**6) for charge in charges] + [concentration_micro(delta, short, index)]


def features_from_values(state: State, instrument: Instrument) -> list[int]:
    """Of one long lot, from its scenario values."""
    marks, number = state.marks, instrument.number
    values: list[int] = marks.values[number].tolist()
    if instrument.is_settled:
        return [0] * 6
    if instrument.expiry is None or instrument.is_linear:
        return [features_of(values, 0)[0], 0, 0, 0, 0, 0]
    mark = marks.feature_marks.get(number)
    if mark is None:
        return [0] * 6
    return features_of(values, _tilt_q10(instrument.strike_micro, mark))


@lru_cache(maxsize=1 << 12)
def _tilt_q10(strike_micro: int, mark: ExpiryMark) -> int:
    """Remembered, since a check after every command asks for the same ones again."""
    return tilt_q10(ln_q30(strike_micro), mark)


# TIERS AND THE STANDARD MODEL


def stretched(values: Sequence[int], quarters: int) -> list[int]:
    """Values per scenario whose distance from where nothing moves counts quarters / 4 times,
    rounded down.
    """
    base = values[BASE_SCENARIO]
    return [base + (value - base) * quarters // 4 for value in values]


def standard_worth_micro(state: State, account: Account, most_fee: MostFee) -> int:
    """Collateral, positions and orders of an account in the standard model: each alone, charges
    taken off.
    """
    quarters = account.stretch_quarters
    held = {number: position.quantity_lots for number, position in account.positions.items()}
    worth = sum(_alone_micro(state, number, lots, quarters) for number, lots in held.items())
    for underlying in range(len(state.underlyings)):
        worth += min(stretched(collateral_values(state, account, underlying), quarters))
        size = charges_of(state, held, underlying)[CONCENTRATION]
        worth -= -(-size * quarters // 4)
    groups: dict[int, list[tuple[int, int]]] = {}
    for order in account.orders.values():
        if order.is_reduce_only:
            continue
        combo = state.combos.get(order.book)
        legs = ((order.book, 1),) if combo is None else combo.legs
        gain = -order.sign * order.price_micro - most_fee(state, order, legs)
        for number, ratio in legs:
            lots = order.sign * ratio
            gain += _alone_micro(state, number, lots, quarters)
            gain += lots * state.marks.offset_micro[number]
        group = order.protection if order.protection in account.protection_limits else 0
        groups.setdefault(group, []).append((max(-gain, 0), order.remaining_lots))
    for group, losses in groups.items():
        loss = sum(loss * lots for loss, lots in losses)
        if group:
            loss = min(loss, account.protection_limits[group] * max(lot for lot, _ in losses))
        worth -= loss
    return worth


def _alone_micro(state: State, number: int, lots: int, quarters: int) -> int:
    """Signed lots of one instrument in their own worst scenario, and charged alone."""
    values: list[int] = state.marks.values[number].tolist()
    sign = 1 if lots > 0 else -1
    worst = min(stretched([sign * value for value in values], quarters))
    underlying = state.instruments[number].underlying.number
    charge = sum(charges_of(state, {number: sign}, underlying)[:CONCENTRATION])
    return abs(lots) * (worst - -(-charge * quarters // 4))


def holdings(state: State) -> Iterator[str]:
    """What all accounts are valued by has their positions, but for those that are still to be
    taken.
    """
    for underlying, held in state.portfolio.holdings.items():
        for account in state.accounts.values():
            risk = account.risks.get(underlying)
            if risk is None or risk.has_moved or account.marks is None:
                continue
            taken = held.positions_of(account.number)
            kept = {
                number: position.quantity_lots
                for number, position in account.positions.items()
                if state.instruments[number].underlying.number == underlying
            }
            if taken != kept:
                here = f"account {account.number}, underlying {underlying}"
                yield f"{here}: valued by {taken}, has {kept}"
