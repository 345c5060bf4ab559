"""Combos dropped, and the limits on them.

Holds: a combo goes when its book has been empty for as long as `matching/combo_life.py` keeps it,
when one of its legs is settled, or when it is the longest idle and a new one needs its place.
Never: drops a combo with orders.
"""

from collections.abc import Callable

from exchange import events
from exchange.state import State
from matching.combo_life import MAX_COMBOS, MAX_COMBOS_OF_ACCOUNT
from matching.combos import COMBO_BASE
from matching.orders import Order
from matching.rejects import TOO_MANY_COMBOS, TOO_MANY_COMBOS_OF_ACCOUNT, Reject

Emit = Callable[[events.Event], None]


def check_new_combo(state: State) -> Reject | None:
    """Whether one combo more may be made."""
    if state.combo_life.has_room():
        return None
    return Reject(TOO_MANY_COMBOS, len(state.combos), MAX_COMBOS)


def check_combos_of_account(
    state: State, account: int, book: int, replaced: Order | None
) -> Reject | None:
    """Whether an account may have an order in one combo more; what it replaces does not count."""
    orders_in = state.combo_life.orders_of(account)
    if book in orders_in or len(orders_in) < MAX_COMBOS_OF_ACCOUNT:
        return None
    if replaced is not None and orders_in.get(replaced.book) == 1:
        return None
    return Reject(TOO_MANY_COMBOS_OF_ACCOUNT, len(orders_in), MAX_COMBOS_OF_ACCOUNT)


def use_combo(state: State, number: int, emit: Emit) -> None:
    """An accepted order of a combo has done what it does: the combo rests, or is used again."""
    state.combo_life.used(number, state.time_s)
    idle = state.combo_life.longest_idle()
    if idle is not None:
        drop_combo(state, idle, emit)


def drop_idle_combos(state: State, emit: Emit) -> None:
    for number in state.combo_life.due(state.time_s):
        drop_combo(state, number, emit)


def drop_combo(state: State, number: int, emit: Emit) -> None:
    assert number >= COMBO_BASE, "an instrument stays"
    state.combo_life.drop(number)
    state.marks.forget_combo(number)
    emit(events.ComboDropped(number))
