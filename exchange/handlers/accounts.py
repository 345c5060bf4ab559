"""What touches one account: what the Vault's inbox brings, withdrawals, and accrued cash.

Holds: the inbox is taken in its order, each entry once, whatever asset it brings; a withdrawal
leaves initial margin whole; every change of cash or of a balance is a record.
Never: loops over accounts.
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import (
    CreditDeposit,
    OpenAccount,
    RecordClaim,
    RegisterKey,
    RequestWithdrawal,
)
from exchange.handlers.recovery import check_not_liquidated, end_if_recovered
from exchange.handlers.refusal import refuse
from exchange.state import USDC, State
from margin.accounts import Account
from matching.instruments import Instrument
from matching.rejects import (
    AMOUNT_OUT_OF_RANGE,
    COLLATERAL_NOT_FREE,
    INBOX_OUT_OF_ORDER,
    MESSAGE_ALREADY_USED,
    SESSION_KEY_EXPIRED,
    UNKNOWN_ACCOUNT,
    UNKNOWN_ORDER,
    WITHDRAWAL_TOO_LARGE,
    WRONG_SIGNER,
    Reject,
)
from settlement import records

Emit = Callable[[events.Event], None]

MAX_AMOUNT_MICRO = (1 << 63) - 1


def open_account(state: State, command: OpenAccount, emit: Emit) -> None:
    # CHECK
    reject = _check_inbox(state, command.inbox_index)
    if reject is None and command.account != len(state.accounts):
        reject = Reject(INBOX_OUT_OF_ORDER, command.account, len(state.accounts))
    if reject is not None:
        refuse(emit, reject, command.account)
        return
    # EMIT
    state.inbox_cursor += 1
    owner = state.owners.setdefault(command.owner, len(state.owners))
    account = state.accounts[command.account] = Account(command.account, command.owner, owner)
    account.marks = state.marks
    state.record(records.account_opened_record(command.account, command.owner))
    emit(events.AccountOpened(command.account, command.owner))


def credit_deposit(state: State, command: CreditDeposit, emit: Emit) -> None:
    # CHECK
    reject = _check_inbox(state, command.inbox_index)
    if reject is None:
        reject = _check_account(state, command.account) or _check_amount(command.amount_micro)
    if reject is not None:
        refuse(emit, reject, command.account)
        return
    # EMIT
    account = state.accounts[command.account]
    state.inbox_cursor += 1
    asset, amount = command.asset, command.amount_micro
    if asset == USDC:
        account.cash_micro += amount
        account.paid_in_micro += amount
        state.credited_micro += amount
    else:
        state.portfolio.collateral.change(account, asset, amount)
        state.credited_assets[asset] = state.credited_assets.get(asset, 0) + amount
    state.record(records.deposit_credited_record(command.account, asset, amount))
    emit(events.DepositCredited(command.account, asset, amount, balance_micro(account, asset)))
    end_if_recovered(state, account, emit)


def register_key(state: State, command: RegisterKey, emit: Emit) -> None:
    # CHECK
    reject = _check_inbox(state, command.inbox_index) or _check_account(state, command.account)
    if reject is not None:
        refuse(emit, reject, command.account)
        return
    # EMIT
    state.inbox_cursor += 1
    state.accounts[command.account].keys[command.key] = command.valid_until_s
    state.record(records.key_registered_record(command.account, command.key, command.valid_until_s))
    emit(events.KeyRegistered(command.account, command.key, command.valid_until_s))


def record_claim(state: State, command: RecordClaim, emit: Emit) -> None:
    # CHECK
    if command.number >= state.withdrawal_count or command.number in state.claimed:
        refuse(emit, Reject(UNKNOWN_ORDER, command.number))
        return
    # EMIT
    state.claimed[command.number] = command.amount_micro
    emit(events.ClaimRecorded(command.number, command.amount_micro))


def request_withdrawal(state: State, command: RequestWithdrawal, emit: Emit) -> None:
    # CHECK
    reject = (
        check_signer(state, command.account, command.signer)
        or _check_amount(command.amount_micro)
        or _check_unused(state, command.message_hash)
    )
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # MARGIN
    account = state.accounts[command.account]
    reject = check_not_liquidated(account)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    asset, amount = command.asset, command.amount_micro
    if asset == USDC:
        free = free_micro(state, account)
        if amount > free:
            reject = Reject(WITHDRAWAL_TOO_LARGE, amount, free)
    elif not is_free(state, account, asset, amount):
        free = free_collateral_micro(state, account, asset)
        reject = Reject(COLLATERAL_NOT_FREE, amount, free)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    settle_all(state, account, emit)
    number = state.withdrawal_count
    state.withdrawal_count += 1
    state.withdrawals_taken[command.message_hash] = number
    if asset == USDC:
        account.cash_micro -= amount
        account.paid_in_micro -= amount
        state.withdrawn_micro += amount
    else:
        state.portfolio.collateral.change(account, asset, -amount)
        state.withdrawn_assets[asset] = state.withdrawn_assets.get(asset, 0) + amount
    state.record(records.withdrawal_requested_record(command.account, asset, amount, number))
    left = balance_micro(account, asset)
    emit(events.WithdrawalRequested(command.account, asset, amount, number, left))


def free_micro(state: State, account: Account) -> int:
    """What the account may withdraw, with all that has accrued taken as cash; never more than the
    Vault still holds for all, of which others may owe a part (cash below zero).
    """
    accrued = sum(
        accrued_micro(state, state.instruments[number], account) for number in account.positions
    )
    held = state.credited_micro - state.withdrawn_micro
    excess = state.portfolio.excess_micro(account)
    return max(0, min(account.cash_micro + accrued, excess, held))


def balance_micro(account: Account, asset: int) -> int:
    """What the account has of an asset, cash being asset 0."""
    return account.cash_micro if asset == USDC else account.collateral.get(asset, 0)


def is_free(state: State, account: Account, asset: int, amount_micro: int) -> bool:
    """Whether the account has that much of an asset other than cash, and its initial margin is
    whole without it.
    """
    if amount_micro > account.collateral.get(asset, 0):
        return False
    collateral = state.portfolio.collateral
    collateral.change(account, asset, -amount_micro)
    excess = state.portfolio.excess_micro(account)
    collateral.change(account, asset, amount_micro)
    return excess >= 0


def free_collateral_micro(state: State, account: Account, asset: int) -> int:
    """The most of an asset other than cash that is free, found by halving: a larger rest is never
    worth less.
    """
    free, most = 0, min(account.collateral.get(asset, 0), MAX_AMOUNT_MICRO)
    while free < most:
        middle = (free + most + 1) // 2
        if is_free(state, account, asset, middle):
            free = middle
        else:
            most = middle - 1
    return free


def accrued_micro(state: State, instrument: Instrument, account: Account) -> int:
    """Cash that one position has accrued and not yet taken; with its payoff if its expiry is
    settled.
    """
    position = account.positions[instrument.number]
    per_lot = state.marks.accrual_micro[instrument.number] - position.accrual_seen_micro
    expiry = instrument.expiry
    if expiry is not None and expiry.settlement_micro is not None:
        per_lot += instrument.payoff_micro(expiry.settlement_micro)
    return position.quantity_lots * per_lot


def settle_all(state: State, account: Account, emit: Emit) -> None:
    """Takes what every position of the account has accrued."""
    account.settlements_seen = state.settlements
    for number in list(account.positions):
        settle_position(state, state.instruments[number], account, emit)


def settle_position(state: State, instrument: Instrument, account: Account, emit: Emit) -> None:
    """Takes what one position has accrued into cash, and closes it if its expiry is settled. The
    account's worth stays as it was.
    """
    number = instrument.number
    position = account.positions.get(number)
    if position is None:
        return
    expiry = instrument.expiry
    closed = expiry is not None and expiry.settlement_micro is not None
    accrual = state.marks.accrual_micro[number]
    if accrual == position.accrual_seen_micro and not closed:
        return
    amount = accrued_micro(state, instrument, account)
    lots = position.quantity_lots
    account.cash_micro += amount
    if closed:
        account.basis_micro -= lots * position.accrual_seen_micro
        risk = account.risk(instrument.underlying.number)
        risk.take(state.marks.unit(number, state.combos).row, -lots)
        account.gross_lots -= abs(lots)
        del account.positions[number]
    else:
        account.basis_micro += lots * (accrual - position.accrual_seen_micro)
        position.accrual_seen_micro = accrual
    state.record(records.position_settled_record(account.number, number))
    emit(events.PositionSettled(account.number, number, amount, int(closed)))


def check_signer(state: State, number: int, signer: bytes) -> Reject | None:
    """Whether `signer` may act for an account now."""
    account = state.accounts.get(number)
    if account is None:
        return Reject(UNKNOWN_ACCOUNT, number, len(state.accounts))
    return check_signer_of(state, account, signer)


def check_signer_of(state: State, account: Account, signer: bytes) -> Reject | None:
    """The same for an account that is there."""
    if account.may_sign(signer, state.time_s):
        return None
    if signer in account.keys:
        return Reject(SESSION_KEY_EXPIRED, account.keys[signer], state.time_s)
    return Reject(WRONG_SIGNER, account.number)


def _check_inbox(state: State, index: int) -> Reject | None:
    if index != state.inbox_cursor:
        return Reject(INBOX_OUT_OF_ORDER, index, state.inbox_cursor)
    return None


def _check_account(state: State, number: int) -> Reject | None:
    if number not in state.accounts:
        return Reject(UNKNOWN_ACCOUNT, number, len(state.accounts))
    return None


def _check_amount(amount_micro: int) -> Reject | None:
    if not 0 < amount_micro <= MAX_AMOUNT_MICRO:
        return Reject(AMOUNT_OUT_OF_RANGE, amount_micro, MAX_AMOUNT_MICRO)
    return None


def _check_unused(state: State, message_hash: bytes) -> Reject | None:
    if message_hash in state.withdrawals_taken:
        return Reject(MESSAGE_ALREADY_USED)
    return None
