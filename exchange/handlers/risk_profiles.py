"""How an account is margined: its owner's choice of model and tier, and the operator's word.

Holds: each signed choice is taken once, by the owner's key alone; nobody goes where his margin
would be short; a tier is never below the least that the operator set; what the operator asks at
least holds at once, and an account that it leaves short may only ease.
Never: moves cash or a position.
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import ChooseMargin, SetRiskProfile
from exchange.handlers.protection import check_once, take_once
from exchange.handlers.recovery import check_not_liquidated
from exchange.handlers.refusal import refuse
from exchange.state import State
from margin.accounts import PORTFOLIO_MODEL, STANDARD_MODEL, Account
from margin.parameters import PORTFOLIO_EQUITY_MICRO, RISK_TIER_QUARTERS
from matching.rejects import (
    MARGIN_UNDER_MODEL,
    PORTFOLIO_EQUITY_TOO_LOW,
    TIER_BELOW_LEAST,
    UNKNOWN_ACCOUNT,
    UNKNOWN_MARGIN_MODEL,
    UNKNOWN_RISK_TIER,
    WRONG_SIGNER,
    Reject,
)

Emit = Callable[[events.Event], None]


def choose_margin(state: State, command: ChooseMargin, emit: Emit) -> None:
    # CHECK
    reject = _check_profile(state, command.account, command.model, command.tier)
    if reject is None:
        account = state.accounts[command.account]
        if command.signer != account.owner:
            reject = Reject(WRONG_SIGNER, command.account)
        elif command.tier < account.least_tier:
            reject = Reject(TIER_BELOW_LEAST, command.tier, account.least_tier)
        else:
            reject = check_not_liquidated(account) or check_once(
                state, command.expiry_s, command.message_hash
            )
    # MARGIN
    if reject is None:
        reject = _go_over(state, state.accounts[command.account], command.model, command.tier)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    take_once(state, command.expiry_s, command.message_hash)
    _tell(state.accounts[command.account], emit)


def set_risk_profile(state: State, command: SetRiskProfile, emit: Emit) -> None:
    # CHECK
    reject = _check_profile(state, command.account, command.model, command.least_tier)
    # MARGIN: a model as its owner would choose it; a tier holds whatever it asks
    if reject is None:
        account = state.accounts[command.account]
        if command.model != account.margin_model:
            reject = _go_over(state, account, command.model, account.risk_tier)
    if reject is not None:
        refuse(emit, reject, command.account)
        return
    # EMIT
    account = state.accounts[command.account]
    account.least_tier = command.least_tier
    if account.risk_tier < command.least_tier:
        account.set_margin(account.margin_model, command.least_tier)
    _tell(account, emit)


def _check_profile(state: State, number: int, model: int, tier: int) -> Reject | None:
    if number not in state.accounts:
        return Reject(UNKNOWN_ACCOUNT, number, len(state.accounts))
    if model > STANDARD_MODEL:
        return Reject(UNKNOWN_MARGIN_MODEL, model, STANDARD_MODEL)
    if tier >= len(RISK_TIER_QUARTERS):
        return Reject(UNKNOWN_RISK_TIER, tier, len(RISK_TIER_QUARTERS) - 1)
    return None


def _go_over(state: State, account: Account, model: int, tier: int) -> Reject | None:
    """Margins the account by a model and tier from now on, if it carries that."""
    portfolio, old = state.portfolio, (account.margin_model, account.risk_tier)
    if model == PORTFOLIO_MODEL and model != account.margin_model:
        equity = portfolio.scan_standing(account).equity_micro
        if equity < PORTFOLIO_EQUITY_MICRO:
            return Reject(PORTFOLIO_EQUITY_TOO_LOW, equity, PORTFOLIO_EQUITY_MICRO)
    before = portfolio.excess_micro(account)
    account.set_margin(model, tier)
    after = portfolio.excess_micro(account)
    if after >= 0 or after >= before:
        return None
    account.set_margin(*old)
    return Reject(MARGIN_UNDER_MODEL, -after, before)


def _tell(account: Account, emit: Emit) -> None:
    emit(
        events.MarginChosen(
            account.number, account.margin_model, account.risk_tier, account.least_tier
        )
    )
