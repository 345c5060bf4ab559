"""What must hold of accounts under liquidation after every command, said a second time.

Holds: part of `invariants.check`; recomputes from positions and marks, in plain integers.
Never: changes the state.
"""

from collections.abc import Iterator

from exchange.state import State
from margin.accounts import Account
from margin.parameters import MAINTENANCE_PERCENT
from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT
from margin.standing import AUCTIONED, LIQUIDATING
from matching.trading_states import CANCEL_ONLY


def plain_standing(state: State, account: Account) -> tuple[int, int, int]:
    """(equity, W, maintenance) of an account, from positions and marks alone, micro-USDC."""
    equity = account.cash_micro
    gross = 0
    values: dict[int, list[int]] = {}
    for number, position in account.positions.items():
        lots = position.quantity_lots
        gross += abs(lots)
        equity -= lots * position.accrual_seen_micro
        row = state.marks.values[number].tolist()
        of_underlying = values.setdefault(
            state.instruments[number].underlying.number, [0] * SCENARIO_COUNT
        )
        for scenario, value in enumerate(row):
            of_underlying[scenario] += lots * value
    worst = (gross + 1) // 2
    for value in values.values():
        equity += value[BASE_SCENARIO]
        worst += value[BASE_SCENARIO] - min(value)
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
    lost = sum(liquidations.lost_micro.values())
    if lost != liquidations.lost_all_micro:
        yield f"losses of the epoch: kept as {liquidations.lost_all_micro}, counted {lost}"
