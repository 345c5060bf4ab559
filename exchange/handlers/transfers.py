"""Transfers between accounts of one owner: cash and collateral, and positions free of payment.

Holds: what one account gives the other receives, to the micro; nothing leaves its owner; a session
key moves only between accounts that both know it; the giver keeps initial margin whole and its
cash at zero or above, the receiver of a position passes as after a fill (excess >= 0, or no lower);
each message is taken once, and one that is refused leaves no trace.
Never: asks for a price, a fee or a trading state: whose money it is does not change.
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import TransferCash, TransferPosition
from exchange.handlers.accounts import (
    MAX_AMOUNT_MICRO,
    accrued_micro,
    balance_micro,
    check_signer,
    check_signer_of,
    free_collateral_micro,
    is_free,
    settle_all,
)
from exchange.handlers.recovery import check_not_liquidated, end_if_recovered
from exchange.handlers.refusal import refuse
from exchange.handlers.taken_once import check_once, take_once
from exchange.state import USDC, State
from margin.accounts import MAX_POSITIONS, Account, Position
from margin.moves import move_lots
from matching.instruments import MAX_LOTS, Instrument
from matching.rejects import (
    AMOUNT_OUT_OF_RANGE,
    COLLATERAL_NOT_FREE,
    GIVER_SHORT,
    INSTRUMENT_NOT_OPEN,
    LOTS_NOT_HELD,
    OTHER_OWNER,
    QUANTITY_OUT_OF_RANGE,
    RECEIVER_SHORT,
    TOO_MANY_LOTS,
    TOO_MANY_POSITIONS,
    TRANSFER_TO_ITSELF,
    TRANSFER_TOO_LARGE,
    UNKNOWN_ACCOUNT,
    UNKNOWN_ASSET,
    UNKNOWN_INSTRUMENT,
    UNKNOWN_SIDE,
    Reject,
)
from settlement import records

Emit = Callable[[events.Event], None]

LONG = 0
SHORT = 1
"""Sides of the position that a transfer takes from."""


def transfer_cash(state: State, command: TransferCash, emit: Emit) -> None:
    # CHECK
    reject = _check_parties(state, command.account, command.to_account, command.signer)
    if reject is None:
        reject = _check_amount(state, command)
    if reject is None:
        reject = check_once(state, command.expiry_s, command.message_hash)
    # MARGIN
    if reject is None:
        reject = _check_free(state, command)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    take_once(state, command.expiry_s, command.message_hash)
    giver, taker = state.accounts[command.account], state.accounts[command.to_account]
    settle_all(state, giver, emit)  # what has accrued is cash only once it is taken
    asset, amount = command.asset, command.amount_micro
    if asset == USDC:
        giver.cash_micro -= amount
        taker.cash_micro += amount
        _bring(giver, taker, amount)
        state.record(records.cash_moved_record(giver.number, taker.number, asset, amount))
    else:
        collateral = state.portfolio.collateral
        collateral.change(giver, asset, -amount)
        collateral.change(taker, asset, amount)
        state.record(records.collateral_moved_record(giver.number, taker.number, asset, amount))
    left, given = balance_micro(giver, asset), balance_micro(taker, asset)
    emit(events.CashTransferred(giver.number, taker.number, asset, amount, left, given))
    end_if_recovered(state, taker, emit)


def transferable_micro(state: State, account: Account) -> int:
    """What the account may give to another of its owner's, with all that has accrued taken as
    cash: its cash, but no more than its initial-margin excess.
    """
    accrued = sum(
        accrued_micro(state, state.instruments[number], account) for number in account.positions
    )
    return max(0, min(account.cash_micro + accrued, state.portfolio.excess_micro(account)))


def transfer_position(state: State, command: TransferPosition, emit: Emit) -> None:
    # CHECK
    reject = _check_parties(state, command.account, command.to_account, command.signer)
    if reject is None:  # cash may help who is liquidated; more lots may not
        reject = check_not_liquidated(state.accounts[command.to_account])
    if reject is None:
        reject = _check_lots(state, command)
    if reject is None:
        reject = check_once(state, command.expiry_s, command.message_hash)
    # MARGIN
    if reject is None:
        reject = _check_margin(state, command)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    take_once(state, command.expiry_s, command.message_hash)
    giver, taker = state.accounts[command.account], state.accounts[command.to_account]
    settle_all(state, giver, emit)
    settle_all(state, taker, emit)
    instrument, lots = state.instruments[command.instrument], _signed_lots(command)
    move_lots(state.portfolio, giver, taker, instrument, lots)
    _bring(giver, taker, 0 if instrument.is_linear else lots * state.marks.mark_micro(instrument))
    state.record(records.position_moved_record(giver.number, taker.number, instrument.number, lots))
    emit(
        events.PositionTransferred(
            giver.number,
            taker.number,
            instrument.number,
            lots,
            giver.lots_of(instrument.number),
            taker.lots_of(instrument.number),
        )
    )


def _bring(giver: Account, taker: Account, worth_micro: int) -> None:
    """What moves is brought in by the owner, no profit of the receiver, no loss of the giver."""
    giver.paid_in_micro -= worth_micro
    taker.paid_in_micro += worth_micro


def _signed_lots(command: TransferPosition) -> int:
    return command.quantity_lots if command.side == LONG else -command.quantity_lots


def _check_parties(state: State, giver: int, taker: int, signer: bytes) -> Reject | None:
    """Two accounts of one owner, for both of which the signer may act; what is liquidated gives
    nothing.
    """
    reject = check_signer(state, giver, signer)
    if reject is not None:
        return reject
    receiver = state.accounts.get(taker)
    if receiver is None:
        return Reject(UNKNOWN_ACCOUNT, taker, len(state.accounts))
    if giver == taker:
        return Reject(TRANSFER_TO_ITSELF, giver)
    if receiver.owner_number != state.accounts[giver].owner_number:
        return Reject(OTHER_OWNER, taker, giver)
    reject = check_signer_of(state, receiver, signer)
    return reject or check_not_liquidated(state.accounts[giver])


def _check_amount(state: State, command: TransferCash) -> Reject | None:
    """An asset that is listed, or that the giver has for all that."""
    asset, amount = command.asset, command.amount_micro
    if asset != USDC:
        listed, held = state.portfolio.collateral.assets, state.accounts[command.account].collateral
        if asset not in listed and asset not in held:
            return Reject(UNKNOWN_ASSET, asset, len(listed))
    if not 0 < amount <= MAX_AMOUNT_MICRO:
        return Reject(AMOUNT_OUT_OF_RANGE, amount, MAX_AMOUNT_MICRO)
    return None


def _check_free(state: State, command: TransferCash) -> Reject | None:
    """Whether the giver has it, and keeps its initial margin whole without it."""
    giver, asset, amount = state.accounts[command.account], command.asset, command.amount_micro
    if asset == USDC:
        free = transferable_micro(state, giver)
        return Reject(TRANSFER_TOO_LARGE, amount, free) if amount > free else None
    if is_free(state, giver, asset, amount):
        return None
    return Reject(COLLATERAL_NOT_FREE, amount, free_collateral_micro(state, giver, asset))


def _check_lots(state: State, command: TransferPosition) -> Reject | None:
    """Lots of a position that the giver has on the side that was signed."""
    number, lots = command.instrument, command.quantity_lots
    if number >= len(state.instruments):
        return Reject(UNKNOWN_INSTRUMENT, number, len(state.instruments))
    if state.instruments[number].is_settled:
        return Reject(INSTRUMENT_NOT_OPEN, number)
    if command.side > SHORT:
        return Reject(UNKNOWN_SIDE, command.side)
    if not 0 < lots <= MAX_LOTS:
        return Reject(QUANTITY_OUT_OF_RANGE, lots, MAX_LOTS)
    held = state.accounts[command.account].lots_of(number)
    on_side = max(held if command.side == LONG else -held, 0)
    return Reject(LOTS_NOT_HELD, lots, on_side) if lots > on_side else None


def _check_margin(state: State, command: TransferPosition) -> Reject | None:
    """Whether both accounts may be as they would be after it. The move is made on trial and taken
    back: it leaves everything as it was.
    """
    giver, taker = state.accounts[command.account], state.accounts[command.to_account]
    instrument, lots = state.instruments[command.instrument], _signed_lots(command)
    portfolio = state.portfolio
    held = taker.lots_of(instrument.number)
    open_count = sum(not state.instruments[number].is_settled for number in taker.positions)
    if not held and open_count >= MAX_POSITIONS:
        return Reject(TOO_MANY_POSITIONS, taker.number, open_count)
    settled_lots = sum(
        abs(position.quantity_lots)
        for number, position in taker.positions.items()
        if state.instruments[number].is_settled
    )
    gross = taker.gross_lots - settled_lots + abs(held + lots) - abs(held) + taker.open_lots
    if gross > MAX_LOTS:
        return Reject(TOO_MANY_LOTS, gross, MAX_LOTS)
    taker_before = portfolio.excess_micro(taker)
    giver_before = portfolio.excess_micro(giver)
    kept = [(account, _Kept(account)) for account in (giver, taker)]
    moved = len(portfolio.moved)
    for account in (giver, taker):
        _bring_up(state, account, instrument)
    move_lots(portfolio, giver, taker, instrument, lots)
    giver_after, taker_after = portfolio.excess_micro(giver), portfolio.excess_micro(taker)
    move_lots(portfolio, taker, giver, instrument, lots)
    for account, before in kept:
        before.restore(account)
    del portfolio.moved[moved:]
    if giver_after < 0:
        return Reject(GIVER_SHORT, -giver_after, giver_before)
    if taker_after < 0 and taker_after < taker_before:
        return Reject(RECEIVER_SHORT, -taker_after, taker_before)
    return None


def _bring_up(state: State, account: Account, instrument: Instrument) -> None:
    """Takes what one position has accrued, on trial: no record, no event."""
    position = account.positions.get(instrument.number)
    if position is not None:
        accrual = state.marks.accrual_micro[instrument.number]
        gain = position.quantity_lots * (accrual - position.accrual_seen_micro)
        account.cash_micro += gain
        account.basis_micro += gain
        position.accrual_seen_micro = accrual


class _Kept:
    """What a trial may have changed of an account, but its vectors, which it takes back itself:
    cash, basis, and positions in their order.
    """

    __slots__ = ("basis_micro", "cash_micro", "positions")

    def __init__(self, account: Account) -> None:
        self.cash_micro = account.cash_micro
        self.basis_micro = account.basis_micro
        self.positions = [
            (number, position.quantity_lots, position.accrual_seen_micro)
            for number, position in account.positions.items()
        ]

    def restore(self, account: Account) -> None:
        account.cash_micro = self.cash_micro
        account.basis_micro = self.basis_micro
        account.positions.clear()
        for number, lots, seen in self.positions:
            account.positions[number] = Position(lots, seen)
