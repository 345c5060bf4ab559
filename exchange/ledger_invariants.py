"""The ledger beside the engine: what records made of the state is what commands made of it.

Holds: part of `invariants.check`; compares owners, cash, balances, positions, orders and sums.
Never: changes the state.
"""

from collections.abc import Iterator

from exchange.state import State


def differs(what: str, kept: object, counted: object) -> Iterator[str]:
    if kept != counted:
        yield f"{what}: kept as {kept}, counted {counted}"


def broken_ledger(state: State, owed: int) -> Iterator[str]:
    """With no record waiting for its batch, the ledger is where the engine is; `owed` is what the
    engine owes.
    """
    ledger = state.ledger
    if ledger is None or state.groups:
        return
    yield from differs("records that wait for a batch", state.records_waiting, 0)
    yield from differs("ledger: liabilities", ledger.liabilities(), ledger.recount())
    yield from differs("ledger: owed", ledger.liabilities(), owed)
    for name in ("credited_micro", "withdrawn_micro", "inbox_cursor", "withdrawal_count"):
        yield from differs(f"ledger: {name}", getattr(state, name), getattr(ledger, name))
    for name in ("fee", "insurance", "residue"):
        kept = getattr(state, f"{name}_cash_micro")
        yield from differs(f"ledger: {name} cash", kept, getattr(ledger, f"{name}_micro"))
    if len(ledger.accounts) != len(state.accounts):
        yield f"ledger: {len(ledger.accounts)} accounts beside {len(state.accounts)}"
        return
    for theirs in ledger.accounts:
        ours = state.accounts[theirs.number]
        here = f"ledger: account {theirs.number}"
        yield from differs(f"{here}: owner", ours.owner, theirs.owner)
        yield from differs(f"{here}: cash", ours.cash_micro, theirs.cash_micro)
        yield from differs(f"{here}: counter", ours.counter, theirs.counter)
        kept = sorted(ours.collateral.items())
        yield from differs(f"{here}: collateral", kept, sorted(theirs.collateral.items()))
        held = [
            sorted((n, p.quantity_lots, p.accrual_seen_micro) for n, p in account.positions.items())
            for account in (ours, theirs)
        ]
        yield from differs(f"{here}: positions", *held)
    yield from _ledger_orders(state)
    for number, underlying in ledger.underlyings.items():
        level = state.portfolio.fee_levels.get(number, 0)
        yield from differs(f"ledger: fee level of {number}", level, underlying.fee_level)
    for number, market in ledger.markets.items():
        ours = (state.marks.accrual_micro[number], state.marks.carry_micro[number])
        theirs = (market.accrual_micro, market.carry_micro)
        yield from differs(f"ledger: accrual and carry of {number}", ours, theirs)


def _ledger_orders(state: State) -> Iterator[str]:
    ledger = state.ledger
    assert ledger is not None, "there is a ledger to compare"
    ours = sorted((account, slot) for account, slot in state.opened.values())
    theirs = sorted(
        (account.number, slot) for account in ledger.accounts for slot in account.orders
    )
    yield from differs("ledger: opened orders", ours, theirs)
    if ours != theirs:
        return
    for order_hash, (account, slot) in state.opened.items():
        opened = ledger.accounts[account].orders[slot]
        order = state.orders.get(order_hash)
        if not order_hash.startswith(opened.hash_prefix):
            yield f"ledger: another order in slot {slot} of account {account}"
        if order is not None:
            here = f"ledger: lots filled in slot {slot} of account {account}"
            yield from differs(here, order.filled_lots, opened.filled_lots)
