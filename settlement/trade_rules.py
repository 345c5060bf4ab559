"""Records of trades: fills, the combos that they are legs of, and positions settled.

Holds: each handler checks everything before it changes anything (docs/protocol.md, 4); what one
side of a fill pays, the other side and the fee cash receive.
Never: can tell whether a price was the order's to pay, since only the order's hash is here: that is
proved with the order, or audited from the journal.
"""

from collections.abc import Sequence
from typing import Final

from margin.fees import FeeSchedule, discount_down, fee_up, maker_rate_at
from matching.instruments import MAX_VALUE_MICRO
from settlement import violations as rule
from settlement.account_rules import unknown_account
from settlement.combo_rule import combo_violation, is_leg
from settlement.record_types import (
    MAKER_ADVANCES,
    MAKER_COMES,
    TAKER_ADVANCES,
    TAKER_BUYS,
    TAKER_RESTS,
    ComboFilled,
    Fill,
    PositionSettled,
)
from settlement.state import Account, Market, State
from settlement.violations import Violation

MAX_POSITIONS: Final = 256
MAX_FILLED_LOTS: Final = (1 << 32) - 1
MAX_POSITION_LOTS: Final = (1 << 31) - 1


def fill_made(state: State, fill: Fill) -> Violation | None:
    # CHECK
    market = state.markets.get(fill.instrument)
    if market is None:
        return Violation(rule.UNKNOWN_INSTRUMENT, fill.taker, fill.instrument)
    price_micro = fill.price_ticks * market.tick_value_micro
    violation = _terms_violation(state, fill, market, price_micro)
    if violation is not None:
        return violation
    flags, lots = fill.flags, fill.quantity_lots
    maker, taker = state.accounts[fill.maker], state.accounts[fill.taker]
    bought = lots if flags & TAKER_BUYS else -lots
    violation = (
        _position_violation(taker, market, bought, fill)
        or _position_violation(maker, market, -bought, fill)
        or (_order_violation(maker, fill.maker_slot, lots) if flags & MAKER_ADVANCES else None)
        or (_order_violation(taker, fill.taker_slot, lots) if flags & TAKER_ADVANCES else None)
    )
    if violation is not None:
        return violation
    # COMMIT
    taker_fee, maker_fee = _fees_micro(state.fees, fill, market)
    paid_micro = bought * (price_micro - market.carry_micro)
    taker_gain, maker_gain = -paid_micro - taker_fee, paid_micro - maker_fee
    taker.cash_micro += taker_gain
    maker.cash_micro += maker_gain
    state.cash_micro += taker_gain + maker_gain
    state.fee_micro += maker_fee + taker_fee
    taker.trade(market, bought)
    maker.trade(market, -bought)
    if flags & MAKER_ADVANCES:
        maker.advance_order(fill.maker_slot, lots)
    if flags & TAKER_ADVANCES:
        taker.advance_order(fill.taker_slot, lots)
    state.touch(maker)
    state.touch(taker)
    if is_leg(fill):
        state.open_legs.append(fill)
    return None


def _fees_micro(schedule: FeeSchedule, fill: Fill, market: Market) -> tuple[int, int]:
    """The fees of a fill's taker and maker, before a combo's discount. Who came pays a rebate, so
    where both sides rest there is none.
    """
    flags, underlying = fill.flags, market.underlying
    coming_rate, resting_rate = schedule.taker_rate, maker_rate_at(schedule, underlying.fee_level)
    maker_rate = coming_rate if flags & MAKER_COMES else resting_rate
    taker_rate = resting_rate if flags & TAKER_RESTS else coming_rate
    if flags & TAKER_RESTS and not flags & MAKER_COMES:
        maker_rate = taker_rate = max(resting_rate, 0)
    price_micro = fill.price_ticks * market.tick_value_micro
    terms = (
        schedule.cap,
        market.is_linear,
        underlying.index_micro,
        price_micro,
        fill.quantity_lots,
    )
    return fee_up(taker_rate, *terms), fee_up(maker_rate, *terms)


def _terms_violation(
    state: State, fill: Fill, market: Market, price_micro: int
) -> Violation | None:
    """What of a fill can be judged without its positions and orders."""
    taker, known = fill.taker, len(state.accounts)
    if fill.maker >= known or taker >= known:
        return unknown_account(state, max(fill.maker, taker))
    if fill.maker == taker:
        return Violation(rule.SELF_TRADE, taker, taker)
    if not _are_lawful(fill.flags):
        return Violation(rule.UNKNOWN_FLAGS, taker, fill.flags)
    if not fill.quantity_lots:
        return Violation(rule.QUANTITY_ZERO, taker)
    if abs(price_micro) >= MAX_VALUE_MICRO or (price_micro < 0 and not market.is_linear):
        return Violation(rule.PRICE_OUT_OF_RANGE, taker, price_micro, MAX_VALUE_MICRO - 1)
    if market.settlement_micro is not None:
        return Violation(rule.MARKET_CLOSED, taker, market.number)
    if not market.is_marked:
        return Violation(rule.NO_MARK, taker, market.number)
    return None


def _are_lawful(flags: int) -> bool:
    """A single order meets a single order, a combo a combo or its legs' books, or a resting combo
    a single order that came, with which it pays as a maker.
    """
    advancing = flags & (MAKER_ADVANCES | TAKER_ADVANCES)
    if flags & (TAKER_RESTS | MAKER_COMES):
        return flags < 32 and advancing == MAKER_ADVANCES and bool(flags & TAKER_RESTS)
    return flags < 8 and advancing != TAKER_ADVANCES


def _position_violation(
    account: Account, market: Market, lots: int, fill: Fill
) -> Violation | None:
    """Whether a position may change by signed lots. The positions after a leg are counted when its
    combo is closed, since one leg may make room for another.
    """
    position = account.positions.get(market.number)
    if position is None:
        return None if is_leg(fill) else _count_violation(account, len(account.positions) + 1)
    if position.accrual_seen_micro != market.accrual_micro:
        return Violation(
            rule.POSITION_NOT_SETTLED,
            account.number,
            position.accrual_seen_micro,
            market.accrual_micro,
        )
    lots += position.quantity_lots
    if abs(lots) > MAX_POSITION_LOTS:
        return Violation(rule.POSITION_TOO_LARGE, account.number, lots, MAX_POSITION_LOTS)
    return None


def _count_violation(account: Account, count: int) -> Violation | None:
    if count <= MAX_POSITIONS:
        return None
    return Violation(rule.TOO_MANY_POSITIONS, account.number, count, MAX_POSITIONS)


def _order_violation(account: Account, slot: int, lots: int) -> Violation | None:
    order = account.orders.get(slot)
    if order is None:
        return Violation(rule.SLOT_EMPTY, account.number, slot)
    filled_lots = order.filled_lots + lots
    if filled_lots > MAX_FILLED_LOTS:
        return Violation(rule.ORDER_OVERFILLED, account.number, filled_lots, MAX_FILLED_LOTS)
    return None


def combo_filled(state: State, combo: ComboFilled) -> Violation | None:
    # CHECK
    legs, markets, accounts = state.open_legs, state.markets, state.accounts
    violation = combo_violation(combo, legs, lambda number: markets[number].tick_value_micro)
    if violation is not None:
        return violation
    parties = [(accounts[combo.taker], combo.taker_slot)]
    if combo.flags & MAKER_ADVANCES:
        parties.append((accounts[combo.maker], combo.maker_slot))
    for account, slot in parties:
        violation = _order_violation(account, slot, combo.units)
        if violation is not None:
            return violation
    for number in (combo.taker, *(leg.maker for leg in legs)):
        violation = _count_violation(accounts[number], len(accounts[number].positions))
        if violation is not None:
            return violation
    # COMMIT
    for account, slot in parties:
        account.advance_order(slot, combo.units)
    _discount(state, legs, [account for account, _ in parties])
    legs.clear()
    return None


def _discount(state: State, legs: Sequence[Fill], parties: Sequence[Account]) -> None:
    """Gives back what combo orders are spared: to the records' taker, then to a maker that is one
    (docs/protocol.md, 8). No index and no level has moved since the legs: they are of one chunk.
    """
    percent = state.fees.combo_discount
    fees = [_fees_micro(state.fees, leg, state.markets[leg.instrument]) for leg in legs]
    brought_micro = sum(taker + maker for taker, maker in fees)
    for side, account in enumerate(parties):
        sums = [0, 0]
        for leg, fee in zip(legs, fees, strict=True):
            sums[leg.flags & TAKER_BUYS] += fee[side]
        discount = discount_down(percent, sums[0], sums[1], brought_micro)
        brought_micro -= discount
        account.cash_micro += discount
        state.cash_micro += discount
        state.fee_micro -= discount
        state.touch(account)


def position_settled(state: State, record: PositionSettled) -> Violation | None:
    # CHECK
    number, instrument = record
    if number >= len(state.accounts):
        return unknown_account(state, number)
    account, market = state.accounts[number], state.markets.get(instrument)
    position = account.positions.get(instrument)
    if market is None or position is None:
        return Violation(rule.NO_POSITION, number, instrument)
    gain_per_lot = market.accrual_micro - position.accrual_seen_micro
    settlement_micro = market.settlement_micro
    if settlement_micro is None:
        if not gain_per_lot:
            return Violation(rule.NOTHING_TO_SETTLE, number, instrument)
    elif market.is_linear and market.carry_micro != settlement_micro:
        return Violation(rule.FUTURE_NOT_CLOSED, number, market.carry_micro, settlement_micro)
    # COMMIT
    if settlement_micro is not None:
        gain_per_lot += market.payoff_micro(settlement_micro)
    gain_micro = position.quantity_lots * gain_per_lot
    account.cash_micro += gain_micro
    state.cash_micro += gain_micro
    state.accrued_micro -= gain_micro
    if settlement_micro is None:
        account.bring_up(market)
    else:
        account.close(market)
    state.touch(account)
    return None
