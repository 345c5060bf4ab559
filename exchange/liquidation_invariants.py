"""What must hold of accounts under liquidation after every command, said a second time.

Holds: part of `invariants.check`; recomputes from positions and marks, in plain integers.
Never: changes the state.
"""

from collections.abc import Iterator

from exchange.collateral_invariants import collateral_values, stable_micro
from exchange.state import State
from margin.accounts import STANDARD_MODEL, Account
from margin.parameters import MAINTENANCE_PERCENT, NETTING_PERCENT
from margin.scenarios import BASE_SCENARIO
from margin.standing import AUCTIONED, LIQUIDATING
from matching.trading_states import CANCEL_ONLY


def plain_standing(state: State, account: Account) -> tuple[int, int, int]:
    """(equity, W, maintenance) of an account, from positions, collateral and marks alone."""
    equity = account.cash_micro + stable_micro(state, account)
    gross = 0
    values = {
        underlying: collateral_values(state, account, underlying)
        for underlying in range(len(state.underlyings))
    }
    apart = sum(min(value) for value in values.values())
    for number, position in account.positions.items():
        lots = position.quantity_lots
        gross += abs(lots)
        equity -= lots * position.accrual_seen_micro
        row = state.marks.values[number].tolist()
        apart += min(lots * value for value in row)
        of_underlying = values[state.instruments[number].underlying.number]
        for scenario, value in enumerate(row):
            of_underlying[scenario] += lots * value
    worst = (gross + 1) // 2
    separate = sum(min(value) for value in values.values())
    joint = min(map(sum, zip(*values.values(), strict=True)), default=0)
    base = sum(value[BASE_SCENARIO] for value in values.values())
    equity += base
    netted = separate + (joint - separate) * NETTING_PERCENT // 100
    worst += base - (apart if account.margin_model == STANDARD_MODEL else netted)
    return equity, worst, -(-worst * MAINTENANCE_PERCENT // 100)


def broken_liquidations(state: State) -> Iterator[str]:
    """All that is broken, in sentences."""
    liquidations = state.liquidations
    if state.insurance_cash_micro < 0:
        yield f"insurance fund: {state.insurance_cash_micro}"
    for number, account in state.accounts.items():
        here = f"account {number}, status {account.status}"
        if (account.status >= LIQUIDATING) != (number in liquidations.of_account):
            yield f"{here}: listed as liquidated {number in liquidations.of_account}"
        if account.status < LIQUIDATING:
            continue
        if account.orders or state.waiting.of_account(number):
            yield f"{here}: has orders"
        auction_ns = liquidations.of_account[number].auction_ns
        if (account.status == AUCTIONED) != (auction_ns >= 0):
            yield f"{here}: auctioned since {auction_ns}"
    for underlying, waiting in liquidations.halted.items():
        if not waiting or any(number not in liquidations.of_account for number in waiting):
            yield f"underlying {underlying}: held for {sorted(waiting)}"
    held = dict.fromkeys(liquidations.halted, CANCEL_ONLY)
    if state.trading.by_clearing != held:
        yield f"held underlyings {held} beside {state.trading.by_clearing}"
    if state.ledger is not None and not state.groups:
        for theirs in state.ledger.accounts:
            if theirs.status != state.accounts[theirs.number].status:
                yield f"account {theirs.number}: its status in the ledger is {theirs.status}"
    lost = sum(liquidations.lost_micro.values())
    if lost != liquidations.lost_all_micro:
        yield f"losses of the epoch: kept as {liquidations.lost_all_micro}, counted {lost}"
