"""Records of accounts: what enters through the inbox, withdrawals, counters and order slots.

Holds: each handler checks everything before it changes anything (docs/protocol.md, 4).
Never: can tell whether a signature stood behind a record, or whether a forgotten order had expired:
those are audited from the journal.
"""

from settlement import violations as rule
from settlement.inbox import account_entry, deposit_entry, key_entry
from settlement.leaves import key_hash_after
from settlement.record_types import (
    AccountOpened,
    CounterRaised,
    DepositCredited,
    KeyRegistered,
    OrderForgotten,
    OrderOpened,
    WithdrawalRequested,
)
from settlement.state import USDC, State
from settlement.violations import Violation


def unknown_account(state: State, account: int) -> Violation:
    return Violation(rule.UNKNOWN_ACCOUNT, account, account, len(state.accounts))


def account_opened(state: State, record: AccountOpened) -> Violation | None:
    number, following = record.account, len(state.accounts)
    if number != following:
        return Violation(rule.ACCOUNT_OUT_OF_ORDER, number, number, following)
    state.add_account(record.owner)
    state.consume(account_entry(number, record.owner))
    return None


def deposit_credited(state: State, record: DepositCredited) -> Violation | None:
    number, asset, amount_micro = record
    if number >= len(state.accounts):
        return unknown_account(state, number)
    account = state.accounts[number]
    if asset == USDC:
        state.credit(account, amount_micro)
    else:
        state.credit_asset(account, asset, amount_micro)
    state.consume(deposit_entry(number, account.owner, asset, amount_micro))
    return None


def key_registered(state: State, record: KeyRegistered) -> Violation | None:
    number, key, valid_until_s = record
    if number >= len(state.accounts):
        return unknown_account(state, number)
    account = state.accounts[number]
    account.key_hash = key_hash_after(account.key_hash, key, valid_until_s)
    state.touch(account)
    state.consume(key_entry(number, key, valid_until_s))
    return None


def counter_raised(state: State, record: CounterRaised) -> Violation | None:
    number, counter = record
    if number >= len(state.accounts):
        return unknown_account(state, number)
    account = state.accounts[number]
    if counter <= account.counter:
        return Violation(rule.COUNTER_NOT_RAISED, number, counter, account.counter)
    account.counter = counter
    state.touch(account)
    return None


def withdrawal_requested(state: State, record: WithdrawalRequested) -> Violation | None:
    number, asset, amount_micro, withdrawal = record
    if number >= len(state.accounts):
        return unknown_account(state, number)
    if not amount_micro:
        return Violation(rule.NOTHING_WITHDRAWN, number)
    following = state.withdrawal_count
    if withdrawal != following:
        return Violation(rule.WITHDRAWAL_OUT_OF_ORDER, number, withdrawal, following)
    account = state.accounts[number]
    if asset != USDC:
        held = account.collateral.get(asset, 0)
        if amount_micro > held:
            return Violation(rule.COLLATERAL_SHORT, number, amount_micro, held)
        state.withdraw_asset(account, asset, amount_micro)
        return None
    # Cash of others may be negative, so an account's may be more than the Vault still holds.
    free_micro = min(account.cash_micro, state.credited_micro - state.withdrawn_micro)
    if amount_micro > free_micro:
        return Violation(rule.CASH_SHORT, number, amount_micro, free_micro)
    state.withdraw(account, amount_micro)
    return None


def order_opened(state: State, record: OrderOpened) -> Violation | None:
    number, slot, hash_prefix = record
    if number >= len(state.accounts):
        return unknown_account(state, number)
    account = state.accounts[number]
    if slot in account.orders:
        return Violation(rule.SLOT_TAKEN, number, slot)
    account.open_order(slot, hash_prefix)
    state.touch(account)
    return None


def order_forgotten(state: State, record: OrderForgotten) -> Violation | None:
    number, slot = record
    if number >= len(state.accounts):
        return unknown_account(state, number)
    account = state.accounts[number]
    if slot not in account.orders:
        return Violation(rule.SLOT_EMPTY, number, slot)
    account.forget_order(slot)
    state.touch(account)
    return None
