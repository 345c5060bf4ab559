"""The engine: `apply(state, command) -> events`, the one function through which anything
happens.

Holds: deterministic and total: the same commands give the same events, state and roots on every
machine; a command that is refused gives one CommandRejected and changes nothing but sequence and
time (orders whose expiry has passed, combos that have been idle long enough, and price reports that
have gone stale, go whatever the command is).
Never: reads a clock, a file, a socket or a random number; uses a float; iterates a set; verifies
a signature (the door does, the auditor does again: here the signer's address is only held
against the account's owner and session keys).
"""

from collections.abc import Callable
from typing import Any, Final

from exchange import commands
from exchange.commands import CancelOrder, Command, Genesis, PlaceOrder
from exchange.events import CommandRejected, Event
from exchange.handlers import (
    accounts,
    auctions,
    batches,
    cancels,
    collateral,
    combos,
    delisting,
    funding,
    insurance,
    liquidation,
    listings,
    marks,
    mass_cancels,
    oracle,
    orders,
    protection,
    quotes,
    reduce_only,
    risk_profiles,
    states,
    transfers,
    triggers,
)
from exchange.handlers.linked import settle_ties
from exchange.handlers.refusal import NO_ACCOUNT, NO_MESSAGE
from exchange.state import State
from matching.rejects import GENESIS

Emit = Callable[[Event], None]
Handler = Callable[[State, Any, Emit], None]

_HANDLERS: Final[dict[type[Command], Handler]] = {
    commands.Genesis: batches.open_exchange,
    commands.PlaceOrder: orders.place_order,
    commands.CancelOrder: cancels.cancel_order,
    commands.CancelAllOrders: cancels.cancel_all_orders,
    commands.CancelWhere: mass_cancels.cancel_where,
    commands.RequestWithdrawal: accounts.request_withdrawal,
    commands.QuoteMass: quotes.quote_mass,
    commands.SetProtection: protection.set_protection,
    commands.ResetProtection: protection.reset_protection,
    commands.TransferCash: transfers.transfer_cash,
    commands.TransferPosition: transfers.transfer_position,
    commands.BidAuction: auctions.bid_auction,
    commands.ChooseMargin: risk_profiles.choose_margin,
    commands.SetRiskProfile: risk_profiles.set_risk_profile,
    commands.OpenAccount: accounts.open_account,
    commands.CreditDeposit: accounts.credit_deposit,
    commands.RegisterKey: accounts.register_key,
    commands.RecordClaim: accounts.record_claim,
    commands.ListUnderlying: listings.list_underlying,
    commands.ListExpiry: listings.list_expiry,
    commands.ListInstrument: listings.list_instrument,
    commands.ListAsset: collateral.list_asset,
    commands.ConvertCollateral: collateral.convert_collateral,
    commands.DelistInstrument: delisting.delist_instrument,
    commands.SettlePerpetual: delisting.settle_perpetual,
    commands.UpdateMarks: marks.update_marks,
    commands.AccrueFunding: marks.accrue_funding,
    commands.SettleExpiry: marks.settle_expiry,
    commands.SetTradingState: states.set_trading_state,
    commands.SetBreaker: states.set_breaker,
    commands.SetFunding: funding.set_funding,
    commands.FundInsurance: insurance.fund_insurance,
    commands.SetLiquidation: liquidation.set_liquidation,
    commands.SetOracle: oracle.set_oracle,
    commands.ReportPrices: oracle.report_prices,
    commands.CutBatch: batches.cut_batch,
    commands.ConfirmBatch: batches.confirm_batch,
    commands.AdvanceTime: batches.advance_time,
    commands.EndSession: cancels.end_session,
}


def apply(state: State, command: Command) -> tuple[Event, ...]:
    """Applies one command to the state and gives what happened, in order.

    Commands come in the journal's order with times that never fall; anything else is a bug of
    the sequencer and raises.
    """
    time_ns = command.time_ns
    if time_ns < state.time_ns:
        raise AssertionError(f"time fell from {state.time_ns} to {time_ns}")
    happened: list[Event] = []
    emit = happened.append
    state.sequence += 1
    state.time_ns = time_ns
    if state.ledger is None and not isinstance(command, Genesis):
        return (CommandRejected(NO_ACCOUNT, NO_MESSAGE, GENESIS, 0, 0),)
    time_s = state.time_s
    if time_s >= state.expiring.next_s:
        cancels.expire_due(state, emit)
        settle_ties(state, emit)
    if state.combo_life.is_due(time_s):
        combos.drop_idle_combos(state, emit)
    if time_ns >= state.oracle_due_ns:
        oracle.watch_quorums(state, emit)
    if type(command) is PlaceOrder:  # what is hot goes straight
        orders.place_order(state, command, emit)
    elif type(command) is CancelOrder:
        cancels.cancel_order(state, command, emit)
    else:
        _HANDLERS[type(command)](state, command, emit)
    if state.waiting.is_stirred and not (happened and type(happened[-1]) is CommandRejected):
        triggers.wake_due(state, emit)
    if state.portfolio.moved:
        reduce_only.end_needless(state, emit)
    return tuple(happened)


def apply_batch(state: State, batch: list[Command]) -> list[tuple[Event, ...]]:
    """Applies commands one after the other and gives each one's events: one call for a frame of the
    journal or a drained socket.
    """
    return [apply(state, command) for command in batch]
