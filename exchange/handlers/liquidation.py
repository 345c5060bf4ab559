"""Liquidation: decided in the command that moved the mark, then carried on step by step.

Holds: an account is called below the call line and liquidated below maintenance, by the scan alone;
it is reduced against the book in steps, at most one in an interval; what cannot be had within the
band, or in time, goes to auction; nothing is decided by a command that was refused, or by marks
that are old, and clocks stand while nobody can bid. Status, numbers and every step are records and
events.
Never: takes more than brings the account back to the call line where less is enough; touches an
account above it.
"""

from collections.abc import Callable
from typing import Final

from exchange import events
from exchange.commands import SetLiquidation
from exchange.handlers.accounts import settle_all
from exchange.handlers.auctions import (
    check_marks,
    open_auction,
    say_open,
    watch_auction,
)
from exchange.handlers.cancels import cancel_account
from exchange.handlers.deleveraging import pay_debt
from exchange.handlers.execution import Placement, execute
from exchange.handlers.insurance import take_into_fund
from exchange.handlers.recovery import end_if_recovered, release_what_is_gone, set_status
from exchange.handlers.states import may_trade
from exchange.liquidations import Liquidation
from exchange.state import NANOSECONDS, State
from margin.accounts import Account
from margin.liquidation import Depth, Step, band_ticks, best_step, liquidation_fee_micro
from margin.liquidation_parameters import (
    CALL_PERCENT,
    MARK_AGE_S,
    ORDER_LIFE_S,
    PATIENCE_NS,
    STEP_INTERVAL_NS,
)
from margin.standing import CALLED, LIQUIDATING, ScanStanding
from margin.watch import fallen
from matching.orders import BUY, CANCEL_MAKER, IOC, SELF_TRADE_SHIFT, SELL, Order
from settlement.keccak import keccak256

Emit = Callable[[events.Event], None]

ORDER_TAG: Final = b"straddle liquidation step"
"""Before account u32, sequence u64 and step u32 in the hash of a step's order: no signed message's
hash can be one of these."""
_MAX_FEE_MICRO: Final = 1 << 48
_FLAGS: Final = CANCEL_MAKER << SELF_TRADE_SHIFT
"""An order of the same owner's other account gives way."""


def set_liquidation(state: State, command: SetLiquidation, emit: Emit) -> None:
    # EMIT
    state.liquidations.is_armed = command.is_armed != 0
    emit(events.LiquidationArmed(int(state.liquidations.is_armed)))


def watch_accounts(state: State, underlying: int, emit: Emit) -> None:
    """After the marks of an underlying moved: calls, begins, and carries on what is under way."""
    if not state.liquidations.is_armed:
        return
    watched = dict.fromkeys(fallen(state.portfolio, underlying, CALL_PERCENT))
    for number, account in state.accounts.items():  # who was called may be open again
        if account.status == CALLED and underlying in account.risks:
            watched.setdefault(number)
    for number in sorted(watched):
        if number not in state.liquidations.of_account:
            _look(state, state.accounts[number], emit)
    carry_on(state, emit)


def carry_on(state: State, emit: Emit) -> None:
    """One move of every liquidation that is under way, by account."""
    liquidations = state.liquidations
    if not liquidations.is_armed or not liquidations.of_account:
        return
    liquidations.enter_epoch(state.time_s)
    for number in liquidations.numbers():
        liquidation = liquidations.of_account.get(number)
        if liquidation is not None:
            _move_on(state, liquidation, state.accounts[number], emit)


def _look(state: State, account: Account, emit: Emit) -> None:
    """An account that is not being liquidated: is it called, must it be liquidated, is it open
    again?
    """
    standing = state.portfolio.scan_standing(account)
    if not standing.is_called:
        end_if_recovered(state, account, emit)
        return
    if check_marks(state, account) is not None:
        return
    if not standing.must_liquidate:
        if account.status != CALLED:
            set_status(state, account, CALLED)
            emit(
                events.MarginCalled(
                    account.number,
                    standing.equity_micro,
                    standing.worst_micro,
                    standing.maintenance_micro,
                    standing.scenario,
                )
            )
        return
    set_status(state, account, LIQUIDATING)
    state.liquidations.of_account[account.number] = Liquidation(account.number, state.time_ns)
    emit(
        events.LiquidationStarted(
            account.number,
            standing.equity_micro,
            standing.worst_micro,
            standing.maintenance_micro,
            standing.scenario,
        )
    )
    cancel_account(state, account, events.CANCELLED_LIQUIDATED, emit)


def _move_on(state: State, liquidation: Liquidation, account: Account, emit: Emit) -> None:
    if account.settlements_seen != state.settlements:
        settle_all(state, account, emit)
    if end_if_recovered(state, account, emit):
        return
    if state.liquidations.halted:
        release_what_is_gone(state, account, emit)
    if not account.positions:
        pay_debt(state, account, emit)
        return
    if check_marks(state, account) is not None:
        return
    has_stood = liquidation.serve(state.time_ns, _served_ns(state, account))
    if has_stood and liquidation.auction_ns >= 0:
        say_open(state, liquidation, account, emit)
    if liquidation.auction_ns < 0:
        standing = state.portfolio.scan_standing(account)
        is_late = state.time_ns - liquidation.started_ns >= PATIENCE_NS
        if standing.equity_micro >= 0 and not is_late:
            if state.time_ns < liquidation.next_step_ns:
                return
            if _take_step(state, liquidation, account, standing, emit):
                end_if_recovered(state, account, emit)
                return
        open_auction(state, liquidation, account, emit)
    watch_auction(state, liquidation, account, emit)


def _served_ns(state: State, account: Account) -> int:
    """Until when the marks that its open positions stand on are young enough to decide by."""
    served_s = state.time_s + MARK_AGE_S
    for number in account.positions:
        instrument = state.instruments[number]
        if not instrument.is_settled:
            marked_s = state.marks.mark_time_s.get(instrument.underlying.number, 0)
            served_s = min(served_s, marked_s + MARK_AGE_S)
    return (served_s + 1) * NANOSECONDS  # a mark's age is in whole seconds


# STEPS AGAINST THE BOOK


def _take_step(
    state: State, liquidation: Liquidation, account: Account, before: ScanStanding, emit: Emit
) -> bool:
    """Trades the best step; False where nothing was to be had within the band."""
    step = best_step(state.portfolio, account, before, _depths(state, account))
    if step is None:
        return False
    order = _order_of(state, liquidation, account, step)
    instrument = step.instrument
    mark = state.marks.mark_micro(instrument)
    placement = Placement(
        order, account, state.books[order.book], instrument, None, time_in_force=IOC
    )
    happened: list[events.Event] = []
    if execute(state, placement, happened.append) is not None:
        return False
    fee = 0
    for event in happened:
        emit(event)
        if isinstance(event, events.OrderFilled) and event.taker_order_id == order.order_id:
            fee += liquidation_fee_micro(
                state.portfolio, instrument, event.price_micro, event.quantity_lots
            )
    fee = min(fee, max(state.portfolio.scan_standing(account).equity_micro, 0))
    if fee:
        take_into_fund(state, account, fee, events.LIQUIDATION_FEE, emit)
    after = state.portfolio.scan_standing(account)
    liquidation.steps += 1
    liquidation.next_step_ns = state.time_ns + STEP_INTERVAL_NS
    emit(
        events.LiquidationStep(
            account.number,
            liquidation.steps,
            order.hash,
            instrument.number,
            int(order.side == SELL),
            abs(step.lots),
            order.filled_lots,
            order.price_micro,
            mark,
            fee,
            before.equity_micro,
            before.worst_micro,
            after.equity_micro,
            after.worst_micro,
        )
    )
    return order.filled_lots > 0


def _depths(state: State, account: Account) -> list[Depth]:
    """What the books that trade show within the band against each position; by instrument."""
    depths: list[Depth] = []
    for number in sorted(account.positions):
        instrument = state.instruments[number]
        if not may_trade(state, instrument):
            continue
        sells = account.positions[number].quantity_lots > 0
        limit = band_ticks(state.portfolio, instrument, -1 if sells else 1)
        levels: list[tuple[int, int]] = []
        for level in state.books[number].levels(BUY if sells else SELL):
            ticks = level.key if sells else -level.key
            if ticks < limit if sells else ticks > limit:
                break
            levels.append((ticks, level.quantity_lots))
        depths.append(Depth(instrument, levels))
    return depths


def _order_of(state: State, liquidation: Liquidation, account: Account, step: Step) -> Order:
    """The exchange's order for the account: immediate or cancel, at the step's limit."""
    tag = ORDER_TAG + account.number.to_bytes(4, "big") + state.sequence.to_bytes(8, "big")
    number = step.instrument.number
    book = state.books[number]
    return Order(
        state.next_order_id,
        keccak256(tag + (liquidation.steps + 1).to_bytes(4, "big")),
        account.number,
        number,
        SELL if step.lots < 0 else BUY,
        step.limit_ticks,
        step.limit_ticks * book.tick_micro,
        abs(step.lots),
        _MAX_FEE_MICRO,
        state.time_s + ORDER_LIFE_S,
        _FLAGS,
        account.owner_number,
    )
