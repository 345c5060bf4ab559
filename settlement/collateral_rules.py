"""The record of an asset that is not cash moving between two accounts.

Holds: it checks everything before it changes anything (docs/protocol.md, 4); a balance never falls
below zero, so the balances of an asset and what was withdrawn of it are what was credited
(`account_rules.py`). An asset is a number: whatever the Vault let in is kept and let out again.
Never: knows what an asset is worth, whether it counts as margin, or who ordered a move: that is
audited from the journal.
"""

from settlement import violations as rule
from settlement.move_rules import parties_violation
from settlement.record_types import CollateralMoved
from settlement.state import USDC, State
from settlement.violations import Violation


def collateral_moved(state: State, record: CollateralMoved) -> Violation | None:
    # CHECK
    giver_number, taker_number, asset, amount_micro = record
    violation = parties_violation(state, giver_number, taker_number)
    if violation is not None:
        return violation
    if asset == USDC:
        return Violation(rule.CASH_IS_NO_COLLATERAL, giver_number, asset)
    if not amount_micro:
        return Violation(rule.NOTHING_MOVED, giver_number)
    giver, taker = state.accounts[giver_number], state.accounts[taker_number]
    held = giver.collateral.get(asset, 0)
    if amount_micro > held:
        return Violation(rule.COLLATERAL_SHORT, giver_number, amount_micro, held)
    # COMMIT
    giver.change_collateral(asset, -amount_micro)
    taker.change_collateral(asset, amount_micro)
    state.touch(giver)
    state.touch(taker)
    return None
