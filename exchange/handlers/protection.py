"""Market-maker protection: a group's terms set and reset, who may join it, and what a trip ends.

Holds: each signed message is taken once, and remembered until it expires; terms that would leave
the account short of margin are refused, since its quotes count in margin at the group's quantity
limit; a group that trips loses all its orders in the command that tripped it.
Never: counts a fill (the plan does, as it commits: `margin/protection.py`).
"""

from collections.abc import Callable
from typing import Final

from exchange import events
from exchange.commands import ResetProtection, SetProtection
from exchange.handlers.accounts import check_signer
from exchange.handlers.cancels import cancel, live_orders
from exchange.handlers.refusal import refuse
from exchange.handlers.taken_once import check_once, take_once
from exchange.state import State
from margin.accounts import Account
from margin.protection import Protection
from matching.rejects import (
    MARGIN,
    PROTECTION_FROZEN,
    PROTECTION_NOT_SET,
    PROTECTION_OUT_OF_RANGE,
    PROTECTION_TRIPPED,
    Reject,
)

Emit = Callable[[events.Event], None]

MAX_WINDOW_MS: Final = 3_600_000
"""An hour: bounds the fills that a group remembers."""
MAX_FROZEN_MS: Final = 86_400_000
MAX_PROTECTION_LIMIT: Final = (1 << 62) - 1


def set_protection(state: State, command: SetProtection, emit: Emit) -> None:
    # CHECK
    reject = check_signer(state, command.account, command.signer) or _check_terms(command)
    if reject is None:
        reject = check_once(state, command.expiry_s, command.message_hash)
    # MARGIN
    if reject is None:
        reject = _limit(state, state.accounts[command.account], command)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    take_once(state, command.expiry_s, command.message_hash)
    state.accounts[command.account].protections[command.group] = Protection(
        command.window_ms,
        command.frozen_ms,
        command.quantity_limit_lots,
        command.delta_limit_e6,
        command.vega_limit_micro,
    )
    emit(
        events.ProtectionSet(
            command.account,
            command.group,
            command.window_ms,
            command.frozen_ms,
            command.quantity_limit_lots,
            command.delta_limit_e6,
            command.vega_limit_micro,
        )
    )


def reset_protection(state: State, command: ResetProtection, emit: Emit) -> None:
    # CHECK
    reject = check_signer(state, command.account, command.signer)
    if reject is None and command.group not in state.accounts[command.account].protections:
        reject = Reject(PROTECTION_NOT_SET, command.group)
    if reject is None:
        reject = check_once(state, command.expiry_s, command.message_hash)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    take_once(state, command.expiry_s, command.message_hash)
    state.accounts[command.account].protections[command.group].reset()
    emit(events.ProtectionReset(command.account, command.group))


def check_protection(state: State, number: int, group: int) -> Reject | None:
    """Whether an order may join a protection group of its account; 0 is none."""
    if not group:
        return None
    protection = state.accounts[number].protections.get(group)
    if protection is None:
        return Reject(PROTECTION_NOT_SET, group)
    protection.pass_time(state.time_ns)
    if not protection.is_tripped:
        return None
    wait = protection.wait_ms(state.time_ns)
    return Reject(PROTECTION_FROZEN, group, wait) if wait else Reject(PROTECTION_TRIPPED, group)


def is_tripped(state: State, number: int, group: int) -> bool:
    return state.accounts[number].protections[group].is_tripped


def end_tripped(state: State, emit: Emit) -> None:
    """Cancels what stands and waits of the groups that the last plan tripped."""
    tripped, state.portfolio.protections.tripped = state.portfolio.protections.tripped, []
    for number, group, what in tripped:
        account = state.accounts[number]
        got, limit = account.protections[group].standing(what)
        emit(events.ProtectionTripped(number, group, what, got, limit))
        for order in live_orders(state, account):
            if order.protection == group:
                cancel(state, order, events.CANCELLED_PROTECTED, emit)


def _check_terms(command: SetProtection) -> Reject | None:
    if not command.group:
        return Reject(PROTECTION_OUT_OF_RANGE, command.group, 255)
    if not 0 < command.window_ms <= MAX_WINDOW_MS:
        return Reject(PROTECTION_OUT_OF_RANGE, command.window_ms, MAX_WINDOW_MS)
    if command.frozen_ms > MAX_FROZEN_MS:
        return Reject(PROTECTION_OUT_OF_RANGE, command.frozen_ms, MAX_FROZEN_MS)
    for limit in (command.delta_limit_e6, command.vega_limit_micro):
        if limit > MAX_PROTECTION_LIMIT:
            return Reject(PROTECTION_OUT_OF_RANGE, limit, MAX_PROTECTION_LIMIT)
    return None


def _limit(state: State, account: Account, command: SetProtection) -> Reject | None:
    """Lets margin count the group's orders at its new limit, if the account carries that."""
    portfolio, group = state.portfolio, command.group
    old, before = account.protection_limits.get(group), portfolio.excess_micro(account)
    portfolio.limit_protection(account, group, command.quantity_limit_lots or None)
    after = portfolio.excess_micro(account)
    if after >= 0 or after >= before:
        return None
    portfolio.limit_protection(account, group, old)
    return Reject(MARGIN, -after, before)
