"""How a status changes, and how an account leaves a margin call or a liquidation.

Holds: every change of status is a record and an event; an account is open again as soon as its
equity is at the call line; with it goes what its liquidation held back.
Never: starts anything (`liquidation.py` does).
"""

from collections.abc import Callable

from exchange import events
from exchange.state import State
from margin.accounts import Account
from margin.standing import AUCTIONED, LIQUIDATING, OPEN, ScanStanding
from matching.rejects import IN_LIQUIDATION, Reject
from matching.trading_states import OPEN as OPEN_STATE
from settlement import records

Emit = Callable[[events.Event], None]


def check_not_liquidated(account: Account) -> Reject | None:
    """Whether an account may act: one under liquidation may only deposit and cancel."""
    if account.status < LIQUIDATING:
        return None
    return Reject(IN_LIQUIDATION, account.number, account.status)


def set_status(state: State, account: Account, status: int) -> None:
    """The account's leaf says where it stands."""
    account.status = status
    state.record(records.status_changed_record(account.number, status))


def end_if_recovered(state: State, account: Account, emit: Emit) -> bool:
    """Opens an account that stands at its call line again; True if it is open now."""
    if not account.status:
        return True
    standing = state.portfolio.scan_standing(account)
    if standing.is_called or standing.equity_micro < 0:
        return False
    _end(state, account, standing, events.RECOVERED, emit)
    return True


def _end(state: State, account: Account, standing: ScanStanding, reason: int, emit: Emit) -> None:
    number, before = account.number, account.status
    liquidation = state.liquidations.of_account.pop(number, None)
    if before == AUCTIONED:
        if liquidation is not None and liquidation.waited_epoch >= 0:
            reason = events.DELEVERAGED
        emit(events.AuctionEnded(number, reason, standing.equity_micro, standing.worst_micro))
    for underlying in sorted(state.liquidations.halted):
        release(state, underlying, number, emit)
    set_status(state, account, OPEN)
    emit(
        events.LiquidationEnded(
            number,
            before,
            standing.equity_micro,
            standing.worst_micro,
            standing.maintenance_micro,
            0 if liquidation is None else liquidation.steps,
        )
    )


def release_what_is_gone(state: State, account: Account, emit: Emit) -> None:
    """Where an account has no lots any more (they expired, or were bid for), none wait: what it
    still owes is no reason to hold others' orders.
    """
    held = [state.instruments[number].underlying.number for number in account.positions]
    for underlying in sorted(state.liquidations.halted):
        if underlying not in held:
            release(state, underlying, account.number, emit)


def release(state: State, underlying: int, account: int, emit: Emit) -> None:
    """An account's lots wait no more: the underlying trades again when no one's do."""
    liquidations = state.liquidations
    waiting = liquidations.halted.get(underlying)
    if waiting is None or account not in waiting:
        return
    del waiting[account]
    if waiting:
        return
    del liquidations.halted[underlying]
    state.trading.hold(underlying, OPEN_STATE)
    emit(
        events.LossCapped(
            account, underlying, liquidations.epoch, 0, 0, liquidations.lost_all_micro
        )
    )
