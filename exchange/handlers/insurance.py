"""The insurance fund: who pays into it, and what it pays for.

Holds: it is the exchange's `insurance_cash_micro`, never below zero; every movement is a record and
an event that says what it has left.
Never: pays more than it has; takes a fee from an account that has nothing left.
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import FundInsurance
from exchange.handlers.accounts import MAX_AMOUNT_MICRO, check_signer, free_micro, settle_all
from exchange.handlers.recovery import check_not_liquidated
from exchange.handlers.refusal import refuse
from exchange.handlers.taken_once import check_once, take_once
from exchange.state import State
from margin.accounts import Account
from matching.rejects import AMOUNT_OUT_OF_RANGE, WITHDRAWAL_TOO_LARGE, Reject
from settlement import records

Emit = Callable[[events.Event], None]


def fund_insurance(state: State, command: FundInsurance, emit: Emit) -> None:
    # CHECK
    reject = check_signer(state, command.account, command.signer)
    if reject is None:
        reject = check_not_liquidated(state.accounts[command.account]) or check_once(
            state, command.expiry_s, command.message_hash
        )
    if reject is None and not 0 < command.amount_micro <= MAX_AMOUNT_MICRO:
        reject = Reject(AMOUNT_OUT_OF_RANGE, command.amount_micro, MAX_AMOUNT_MICRO)
    # MARGIN
    if reject is None:
        free = free_micro(state, state.accounts[command.account])
        if command.amount_micro > free:
            reject = Reject(WITHDRAWAL_TOO_LARGE, command.amount_micro, free)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    take_once(state, command.expiry_s, command.message_hash)
    account = state.accounts[command.account]
    settle_all(state, account, emit)
    account.paid_in_micro -= command.amount_micro
    take_into_fund(state, account, command.amount_micro, events.GIVEN, emit)


def take_into_fund(
    state: State, account: Account, amount_micro: int, reason: int, emit: Emit
) -> None:
    """Moves cash of an account into the fund."""
    account.cash_micro -= amount_micro
    state.insurance_cash_micro += amount_micro
    state.record(records.insurance_moved_record(account.number, amount_micro))
    emit(events.InsuranceFunded(account.number, amount_micro, state.insurance_cash_micro, reason))


def pay_from_fund(
    state: State, account: Account, wanted_micro: int, reason: int, emit: Emit
) -> int:
    """Pays an account out of the fund, as far as it goes; gives what was paid."""
    amount = min(wanted_micro, state.insurance_cash_micro)
    if amount <= 0:
        return 0
    account.cash_micro += amount
    state.insurance_cash_micro -= amount
    state.record(records.insurance_moved_record(account.number, -amount))
    emit(events.InsurancePaid(account.number, amount, state.insurance_cash_micro, reason))
    return amount
