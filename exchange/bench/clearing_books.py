"""Accounts with positions on the shipped chain: what the clearing benchmarks are measured on.

Holds: the same seed gives the same books; accounts stand in pairs whose positions sum to zero; each
has between 1.02 and 3 times what its positions could lose.
Never: sends an order: the positions are put there, as if they had been traded at the marks.
"""

import random
from typing import Final

from exchange.bench.flow import opened_state
from exchange.state import State
from margin.accounts import Account, Position, follow_marks
from margin.netting import half_up
from margin.watch import current
from matching.orders import BUY, SELL, Order

MOST_LOTS: Final = 50
LEAST_CUSHION_PERCENT: Final = 102
MOST_CUSHION_PERCENT: Final = 300


def filled_state(accounts: int, each: int, instruments: int = 0, seed: int = 11) -> State:
    """An exchange with so many accounts that hold `each` positions, among the first `instruments`
    listed (0: all).
    """
    state = opened_state(accounts)
    dice = random.Random(seed)
    listed = len(state.instruments) if instruments == 0 else instruments
    for number in range(0, accounts - 1, 2):
        for instrument in dice.sample(range(listed), each):
            lots = dice.randint(1, MOST_LOTS) * dice.choice((-1, 1))
            _hold(state.accounts[number], instrument, lots)
            _hold(state.accounts[number + 1], instrument, -lots)
    _fund(state, dice)
    return state


def _hold(account: Account, instrument: int, lots: int) -> None:
    account.positions[instrument] = Position(lots, 0)
    account.gross_lots += abs(lots)
    account.risk(0)


def rest_orders(state: State, each: int, seed: int = 12) -> None:
    """Gives each account so many open orders of single options, a few percent from their marks."""
    dice = random.Random(seed)
    order_id = 1 << 40
    for account in state.accounts.values():
        for number in dice.sample(range(len(state.instruments)), each):
            side, order_id = dice.randint(BUY, SELL), order_id + 1
            instrument = state.instruments[number]
            mark = max(state.marks.mark_ticks(instrument), 2)
            away = max(mark * dice.randint(1, 9) // 100, 1)
            ticks = max(mark - away if side == BUY else mark + away, 1)
            price = ticks * instrument.tick_value_micro
            lots = dice.randint(1, 10)
            order = Order(
                order_id, bytes(32), account.number, number, side, ticks, price, lots, 10**9, 0
            )
            state.portfolio.rest(account, order)


def _fund(state: State, dice: random.Random) -> None:
    for account in state.accounts.values():
        follow_marks(account, state.marks)
    found = current(state.portfolio, 0)
    for account in state.accounts.values():
        base, least = int(found.base_micro[account.number]), int(found.least_micro[account.number])
        loss = base - least + half_up(account.gross_lots)
        cushion = dice.randint(LEAST_CUSHION_PERCENT, MOST_CUSHION_PERCENT)
        account.cash_micro = loss * cushion // 100 - base
