"""Auto-deleveraging, the last resort: what nobody took is closed against the other side.

Holds: the insurance fund pays first, and nobody solvent while it has anything; then what the
account still owes is laid on its positions, and those on the other side close by rank, at the mark
moved by that, within the caps of the epoch; what does not fit waits for the next, and its
underlying is cancel-only until then (docs/liquidation.md, 5).
Never: changes anybody's worth beyond the loss that its event names.
"""

from collections.abc import Callable

from exchange import events
from exchange.handlers.accounts import settle_position
from exchange.handlers.insurance import pay_from_fund
from exchange.handlers.recovery import end_if_recovered, release
from exchange.liquidations import Liquidation
from exchange.state import USDC, State
from margin.accounts import Account
from margin.deleveraging import (
    Burden,
    Counterparty,
    all_may_lose_micro,
    closed_within,
    laid_on,
    loss_of,
    ranked,
)
from margin.estate import sold_micro
from margin.kernel import at_base
from margin.moves import move_lots
from margin.standing import ScanStanding
from matching.instruments import Instrument
from matching.trading_states import CANCEL_ONLY
from settlement import records

Emit = Callable[[events.Event], None]


def deleverage(state: State, liquidation: Liquidation, account: Account, emit: Emit) -> None:
    """Closes what the account holds, as far as the caps of this epoch let it."""
    liquidations, portfolio = state.liquidations, state.portfolio
    left_micro = sold_micro(portfolio, account)
    has_waited = liquidation.waited_epoch == liquidations.epoch
    if has_waited and left_micro < 0 and not state.insurance_cash_micro:
        return
    pay_from_fund(state, account, -left_micro, events.FOR_DEFICIT, emit)
    deficit = max(-sold_micro(portfolio, account), 0)
    held = [(state.instruments[n], account.lots_of(n)) for n in sorted(account.positions)]
    parts = laid_on(deficit, [_burden(state, instrument, lots) for instrument, lots in held])
    left: dict[int, int] = {}
    for at, (instrument, lots) in enumerate(held):
        remaining = _close(state, account, instrument, lots, parts[at], emit)
        if remaining:
            underlying = instrument.underlying.number
            left[underlying] = left.get(underlying, 0) + remaining
    liquidation.waited_epoch = liquidations.epoch
    for underlying in sorted({**liquidations.halted, **left}):
        if underlying in left:
            _hold(state, account, underlying, left[underlying], deficit, emit)
        else:
            release(state, underlying, account.number, emit)
    if not end_if_recovered(state, account, emit) and not account.positions:
        pay_debt(state, account, emit)


def pay_debt(state: State, account: Account, emit: Emit) -> None:
    """An account without positions owes: the fund pays what it can, now or when it has it, but not
    before whatever can be sold is sold.
    """
    if state.portfolio.collateral.sale_worth_micro(account):
        return
    equity = state.portfolio.scan_standing(account).equity_micro
    if pay_from_fund(state, account, -equity, events.FOR_DEFICIT, emit):
        end_if_recovered(state, account, emit)


def _burden(state: State, instrument: Instrument, lots: int) -> Burden:
    """A lot weighs what the scan sees it lose, on the side held; its price goes no lower than zero
    for whoever sells, and no further than the index above the mark for whoever buys.
    """
    unit = state.marks.unit(instrument.number, state.combos)
    base = int(at_base(unit.row))
    weight = base - unit.low_micro if lots > 0 else unit.high_micro - base
    mark = state.marks.mark_micro(instrument)
    clamp = mark
    if lots > 0 and not instrument.is_linear:
        clamp = state.marks.index_micro.get(instrument.underlying.number, 0)
    return Burden(abs(lots), max(weight, 1), clamp)


def _close(
    state: State, account: Account, instrument: Instrument, lots: int, part: int, emit: Emit
) -> int:
    """Closes a position of signed lots against the other side, which bears `part` of the deficit;
    gives the size that is left.
    """
    portfolio, liquidations = state.portfolio, state.liquidations
    others = [other for number, other in state.accounts.items() if number != account.number]
    standings = [portfolio.scan_standing(other) for other in others]
    profits = _profits(others, standings)
    found: list[Counterparty] = []
    for at, other in enumerate(others):
        held = other.lots_of(instrument.number)
        if held * lots < 0:
            found.append(
                Counterparty(
                    other.number,
                    standings[at].equity_micro,
                    standings[at].worst_micro,
                    profits[at],
                    abs(held),
                    liquidations.lost_micro.get(other.number, 0),
                )
            )
    equities = [standing.equity_micro for standing in standings]
    all_left = all_may_lose_micro(equities, liquidations.lost_all_micro)
    all_cap = all_left + liquidations.lost_all_micro
    left = abs(lots)
    for rank, counterparty in enumerate(ranked(found), start=1):
        size = min(left, counterparty.held_lots)
        loss = 0
        if counterparty.is_solvent:
            may_lose = min(counterparty.may_lose_micro, all_left)
            cap = min(counterparty.cap_micro, all_cap)
            size, loss = closed_within(part, left, size, may_lose, cap)
        if not size:
            continue
        if counterparty.is_solvent:  # what a cap leaves unpaid is not the next one's, but owed
            part -= loss_of(part, left, size)
        left -= size
        all_left -= loss
        liquidations.count_loss(counterparty.number, loss)
        signed = size if lots > 0 else -size
        _give(state, account, counterparty, instrument, signed, loss, rank, emit)
        if not left:
            break
    return left


def _profits(others: list[Account], standings: list[ScanStanding]) -> list[int]:
    """What each account is ranked by: its profit, or its part by equity of what all solvent
    accounts of its owner have gained together, whichever is more. So moving a position to an
    account that never gained does not move it to the end.
    """
    profits: list[int] = []
    gained: dict[int, int] = {}
    equities: dict[int, int] = {}
    for other, standing in zip(others, standings, strict=True):
        equity = standing.equity_micro
        profits.append(equity - other.collateral_micro() - other.paid_in_micro)
        if equity > 0:
            owner = other.owner_number
            gained[owner] = gained.get(owner, 0) + profits[-1]
            equities[owner] = equities.get(owner, 0) + equity
    for at, other in enumerate(others):
        equity = standings[at].equity_micro
        if equity > 0:
            part = gained[other.owner_number] * equity // equities[other.owner_number]
            profits[at] = max(profits[at], part)
    return profits


def _give(
    state: State,
    account: Account,
    counterparty: Counterparty,
    instrument: Instrument,
    lots: int,
    loss: int,
    rank: int,
    emit: Emit,
) -> None:
    """Signed lots go to a counterparty, who pays the mark and bears the loss."""
    other = state.accounts[counterparty.number]
    settle_position(state, instrument, account, emit)
    settle_position(state, instrument, other, emit)
    move_lots(state.portfolio, account, other, instrument, lots)
    state.record(
        records.position_moved_record(account.number, other.number, instrument.number, lots)
    )
    mark = state.marks.mark_micro(instrument)
    cash = loss if instrument.is_linear else lots * mark + loss
    other.cash_micro -= cash
    account.cash_micro += cash
    if cash > 0:
        state.record(records.cash_moved_record(other.number, account.number, USDC, cash))
    elif cash < 0:
        state.record(records.cash_moved_record(account.number, other.number, USDC, -cash))
    emit(
        events.Deleveraged(
            account.number,
            other.number,
            instrument.number,
            lots,
            mark,
            cash,
            loss,
            rank,
            counterparty.profit_micro,
            counterparty.equity_micro,
            counterparty.worst_micro,
        )
    )


def _hold(
    state: State, account: Account, underlying: int, lots: int, deficit: int, emit: Emit
) -> None:
    """Lots wait for the next epoch; until then orders of their underlying only leave or shrink."""
    liquidations = state.liquidations
    waiting = liquidations.halted.setdefault(underlying, {})
    waiting[account.number] = True
    state.trading.hold(underlying, CANCEL_ONLY)
    emit(
        events.LossCapped(
            account.number,
            underlying,
            liquidations.epoch,
            lots,
            deficit,
            liquidations.lost_all_micro,
        )
    )
