"""Records of what moves without a trade: cash, positions, an account's status, the insurance fund.

Holds: each handler checks everything before it changes anything (docs/protocol.md, 4); what one
account gives, the other or the fund receives. Cash falls below zero only where one of the two
accounts is in liquidation; a position is given by who holds it, and never beyond zero.
Never: can tell who ordered a move, or whether the margin of both allowed it: whose signature stood
behind a transfer, which auction or which loss behind a payment, is audited from the journal.
"""

from typing import Final

from settlement import violations as rule
from settlement.account_rules import unknown_account
from settlement.record_types import CashMoved, InsuranceMoved, PositionMoved, StatusChanged
from settlement.state import OPEN, USDC, Account, Market, State
from settlement.trade_rules import MAX_POSITION_LOTS, MAX_POSITIONS
from settlement.violations import Violation

LAST_STATUS: Final = 3
"""Statuses are 0 to 3; every one but 0 is a state of liquidation."""


def cash_moved(state: State, record: CashMoved) -> Violation | None:
    # CHECK
    giver_number, taker_number, asset, amount_micro = record
    violation = parties_violation(state, giver_number, taker_number)
    if violation is not None:
        return violation
    if asset != USDC:
        return Violation(rule.UNKNOWN_ASSET, giver_number, asset, USDC)
    if not amount_micro:
        return Violation(rule.NOTHING_MOVED, giver_number)
    giver, taker = state.accounts[giver_number], state.accounts[taker_number]
    if amount_micro > giver.cash_micro and giver.status == taker.status == OPEN:
        return Violation(rule.GIVEN_ON_CREDIT, giver_number, amount_micro, giver.cash_micro)
    # COMMIT
    giver.cash_micro -= amount_micro
    taker.cash_micro += amount_micro
    state.touch(giver)
    state.touch(taker)
    return None


def position_moved(state: State, record: PositionMoved) -> Violation | None:
    # CHECK
    giver_number, taker_number, instrument, lots = record
    violation = parties_violation(state, giver_number, taker_number)
    if violation is not None:
        return violation
    market = state.markets.get(instrument)
    if market is None:
        return Violation(rule.UNKNOWN_INSTRUMENT, giver_number, instrument)
    if market.settlement_micro is not None:
        return Violation(rule.MARKET_CLOSED, giver_number, instrument)
    if not lots:
        return Violation(rule.NOTHING_MOVED, giver_number)
    giver, taker = state.accounts[giver_number], state.accounts[taker_number]
    violation = _giver_violation(giver, market, lots) or _taker_violation(taker, market, lots)
    if violation is not None:
        return violation
    # COMMIT
    giver.trade(market, -lots)
    taker.trade(market, lots)
    state.touch(giver)
    state.touch(taker)
    return None


def status_changed(state: State, record: StatusChanged) -> Violation | None:
    number, status = record
    if number >= len(state.accounts):
        return unknown_account(state, number)
    if status > LAST_STATUS:
        return Violation(rule.UNKNOWN_STATUS, number, status, LAST_STATUS)
    account = state.accounts[number]
    if status == account.status:
        return Violation(rule.STATUS_UNCHANGED, number, status)
    account.status = status
    state.touch(account)
    return None


def insurance_moved(state: State, record: InsuranceMoved) -> Violation | None:
    # CHECK
    number, amount_micro = record
    if number >= len(state.accounts):
        return unknown_account(state, number)
    if not amount_micro:
        return Violation(rule.NOTHING_MOVED, number)
    account = state.accounts[number]
    if amount_micro > max(account.cash_micro, 0) and account.status == OPEN:
        return Violation(rule.GIVEN_ON_CREDIT, number, amount_micro, account.cash_micro)
    if -amount_micro > state.insurance_micro:
        return Violation(rule.INSURANCE_SHORT, number, -amount_micro, state.insurance_micro)
    # COMMIT
    account.cash_micro -= amount_micro
    state.cash_micro -= amount_micro
    state.insurance_micro += amount_micro
    state.touch(account)
    return None


def parties_violation(state: State, giver: int, taker: int) -> Violation | None:
    """Both must be there, and be two."""
    if giver >= len(state.accounts) or taker >= len(state.accounts):
        return unknown_account(state, max(giver, taker))
    if giver == taker:
        return Violation(rule.MOVED_TO_ITSELF, giver, giver)
    return None


def _giver_violation(giver: Account, market: Market, lots: int) -> Violation | None:
    """A position is given in its own direction, and at most the whole of it."""
    position = giver.positions.get(market.number)
    if position is None:
        return Violation(rule.NO_POSITION, giver.number, market.number)
    held = position.quantity_lots
    if position.accrual_seen_micro != market.accrual_micro:
        return _behind(giver, position.accrual_seen_micro, market)
    if not (0 < lots <= held or held <= lots < 0):
        return Violation(rule.MORE_THAN_HELD, giver.number, lots, held)
    return None


def _taker_violation(taker: Account, market: Market, lots: int) -> Violation | None:
    position = taker.positions.get(market.number)
    if position is None:
        count = len(taker.positions) + 1
        if count > MAX_POSITIONS:
            return Violation(rule.TOO_MANY_POSITIONS, taker.number, count, MAX_POSITIONS)
        return None
    if position.accrual_seen_micro != market.accrual_micro:
        return _behind(taker, position.accrual_seen_micro, market)
    lots += position.quantity_lots
    if abs(lots) > MAX_POSITION_LOTS:
        return Violation(rule.POSITION_TOO_LARGE, taker.number, lots, MAX_POSITION_LOTS)
    return None


def _behind(account: Account, seen_micro: int, market: Market) -> Violation:
    return Violation(rule.POSITION_NOT_SETTLED, account.number, seen_micro, market.accrual_micro)
