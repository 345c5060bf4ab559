"""What an account's margin would be: after trades that it has not made, with an order that does not
rest, without a position that it has, or of a portfolio that nobody holds.

Holds: a hypothesis is a shadow, an account of its own that shares nothing that changes with the
real one; its margin is read by the functions that judge real accounts, so both agree to the last
unit. A trade pays the taker's fee. What no account could hold is a Reject.
Never: changes an account; decides whether a trade would find anyone to trade with.
"""

from collections.abc import Sequence
from typing import NamedTuple

from margin.accounts import MAX_POSITIONS, Account, Position
from margin.fees import fee_up
from margin.portfolio import Portfolio
from margin.requirement import Requirement
from matching.instruments import MAX_LOTS, MAX_VALUE_MICRO
from matching.orders import Order
from matching.rejects import (
    ALREADY_SETTLED,
    NO_MARKS,
    PRICE_OUT_OF_RANGE,
    TOO_MANY_LOTS,
    TOO_MANY_POSITIONS,
    UNKNOWN_INSTRUMENT,
    Reject,
)

NOBODY = -1
"""The number of a shadow that stands for no account."""


class Trade(NamedTuple):
    """Signed lots of an instrument at a price in micro-USDC per lot, None: at the mark."""

    instrument: int
    lots: int
    price_micro: int | None = None


class Change(NamedTuple):
    """Margin as it is and as it would be; the fee that the trades cost, micro-USDC."""

    before: Requirement
    after: Requirement
    fee_micro: int


class Release(NamedTuple):
    """What closing one position at its mark would free, micro-USDC: negative where the position is
    a hedge, and the rest needs more without it. Fees are left out.
    """

    instrument: int
    lots: int
    initial_micro: int
    maintenance_micro: int


def shadow_of(account: Account) -> Account:
    """An account like this one, that can be changed and thrown away."""
    shadow = Account(account.number, account.owner, account.owner_number)
    shadow.cash_micro = account.cash_micro
    shadow.basis_micro = account.basis_micro
    shadow.gross_lots = account.gross_lots
    shadow.open_lots = account.open_lots
    shadow.positions = {
        number: Position(position.quantity_lots, position.accrual_seen_micro)
        for number, position in account.positions.items()
    }
    shadow.orders = dict(account.orders)
    shadow.protection_limits = dict(account.protection_limits)
    shadow.margin_model = account.margin_model
    shadow.risk_tier = account.risk_tier
    shadow.least_tier = account.least_tier
    shadow.stretch_quarters = account.stretch_quarters
    shadow.collateral = dict(account.collateral)
    shadow.collateral_worth_micro = account.collateral_worth_micro
    shadow.collateral_charge_micro = account.collateral_charge_micro
    for underlying, risk in account.risks.items():
        shadow.risk(underlying).count_collateral(risk.collateral)
    return shadow


def after_trades(
    portfolio: Portfolio, account: Account, trades: Sequence[Trade]
) -> Change | Reject:
    """Margin after trades, in any order: only their sum counts."""
    shadow = shadow_of(account)
    fee = _trade(portfolio, shadow, trades)
    if isinstance(fee, Reject):
        return fee
    return Change(portfolio.requirement(account), portfolio.requirement(shadow), fee)


def with_order(portfolio: Portfolio, account: Account, order: Order) -> Change | Reject:
    """Margin with `order` among the account's open ones. The order is not touched but for what it
    keeps of the marks.
    """
    shadow = shadow_of(account)
    lots = shadow.gross_lots + shadow.open_lots
    lots += portfolio.open_orders.open_lots(order, order.remaining_lots)
    if lots > MAX_LOTS:
        return Reject(TOO_MANY_LOTS, lots, MAX_LOTS)
    portfolio.rest(shadow, order)
    return Change(portfolio.requirement(account), portfolio.requirement(shadow), 0)


def of_portfolio(
    portfolio: Portfolio, cash_micro: int, positions: Sequence[tuple[int, int]]
) -> Account | Reject:
    """A shadow that holds cash and signed lots by instrument, bought at their marks: its equity is
    the cash and what options are worth.
    """
    shadow = Account(NOBODY, bytes(20), NOBODY)
    trades = [Trade(instrument, lots) for instrument, lots in positions]
    fee = _trade(portfolio, shadow, trades)
    if isinstance(fee, Reject):
        return fee
    shadow.cash_micro = cash_micro
    return shadow


def released_by_closing(portfolio: Portfolio, account: Account) -> list[Release]:
    """For each position alone: what closing it at its mark would free."""
    releases: list[Release] = []
    now = portfolio.requirement(account)
    for number, position in account.positions.items():
        shadow = shadow_of(account)
        lots = position.quantity_lots
        if not portfolio.instruments[number].is_settled:
            _move(portfolio, shadow, Trade(number, -lots), 0)
        then = portfolio.requirement(shadow)
        releases.append(
            Release(
                number,
                lots,
                now.initial_micro - then.initial_micro,
                now.maintenance_micro - then.maintenance_micro,
            )
        )
    return releases


def _trade(portfolio: Portfolio, shadow: Account, trades: Sequence[Trade]) -> int | Reject:
    """Makes trades in a shadow; the fees that they cost."""
    fees = 0
    schedule, marks = portfolio.open_orders.schedule, portfolio.marks
    for trade in trades:
        if not 0 <= trade.instrument < len(portfolio.instruments):
            return Reject(UNKNOWN_INSTRUMENT, trade.instrument, len(portfolio.instruments))
        instrument = portfolio.instruments[trade.instrument]
        if instrument.is_settled:
            return Reject(ALREADY_SETTLED, trade.instrument)
        if not marks.is_marked[trade.instrument]:
            return Reject(NO_MARKS, trade.instrument)
        if abs(trade.lots) > MAX_LOTS:
            return Reject(TOO_MANY_LOTS, abs(trade.lots), MAX_LOTS)
        price = trade.price_micro
        if price is not None and abs(price) >= MAX_VALUE_MICRO:
            return Reject(PRICE_OUT_OF_RANGE, price, MAX_VALUE_MICRO - 1)
        index = marks.index_micro.get(instrument.underlying.number, 0)
        fee = fee_up(
            schedule.taker_rate,
            schedule.cap,
            instrument.is_linear,
            index,
            marks.mark_micro(instrument) if price is None else price,
            abs(trade.lots),
        )
        _move(portfolio, shadow, trade, fee)
        fees += fee
    lots = shadow.gross_lots + shadow.open_lots
    if lots > MAX_LOTS:
        return Reject(TOO_MANY_LOTS, lots, MAX_LOTS)
    count = sum(not portfolio.instruments[number].is_settled for number in shadow.positions)
    if count > MAX_POSITIONS:
        return Reject(TOO_MANY_POSITIONS, shadow.number, MAX_POSITIONS)
    return fees


def _move(portfolio: Portfolio, shadow: Account, trade: Trade, fee_micro: int) -> None:
    """One trade of a shadow: position, cash and basis, as a fill moves them."""
    marks, number = portfolio.marks, trade.instrument
    instrument = portfolio.instruments[number]
    price = marks.mark_micro(instrument) if trade.price_micro is None else trade.price_micro
    accrual = marks.accrual_micro[number]
    position = shadow.positions.get(number)
    before = 0 if position is None else position.quantity_lots
    after = before + trade.lots
    shadow.cash_micro -= trade.lots * price + fee_micro
    if instrument.is_linear:
        shadow.cash_micro += trade.lots * marks.carry_micro[number]
    shadow.basis_micro += trade.lots * accrual
    if position is None:
        shadow.positions[number] = Position(after, accrual)
    else:
        position.quantity_lots = after
    if after == 0:
        del shadow.positions[number]
    shadow.gross_lots += abs(after) - abs(before)
    shadow.risk(instrument.underlying.number)
