"""The ledger: the state whose root is posted, advanced by records and by nothing else.

Holds: it keeps every rule of docs/protocol.md, 4, that the state and the records of a chunk can
show; what a record breaks is returned as a `Violation` and leaves the ledger as it was before that
record. Liabilities + withdrawn = credited after every record, to the last micro-USDC, and balances
+ withdrawn = credited of every other asset. The engine, which writes the records, and the auditor,
who distrusts them, run this same code. `tests/model/ledger.py` is the slow twin.
Never: knows an order's price or side (only its hash is here), margin, or where a chunk ends
(`batch.py` does).
"""

from settlement import account_rules, collateral_rules, market_rules, move_rules, trade_rules
from settlement import violations as rule
from settlement.combo_rule import is_leg
from settlement.record_types import (
    AccountOpened,
    AccrualUpdated,
    CashMoved,
    CollateralMoved,
    ComboFilled,
    CounterRaised,
    DepositCredited,
    ExpiryListed,
    ExpirySettled,
    FeeLevelSet,
    Fill,
    IndexUpdated,
    InstrumentListed,
    InsuranceMoved,
    KeyRegistered,
    Malformed,
    MarkUpdated,
    OrderForgotten,
    OrderOpened,
    Padding,
    PositionMoved,
    PositionSettled,
    StatusChanged,
    TimeAdvanced,
    UnderlyingListed,
    WithdrawalRequested,
)
from settlement.records import decode
from settlement.state import State
from settlement.violations import Violation


class Ledger(State):
    """The state of the exchange after the records applied so far."""

    def apply(self, record: bytes) -> Violation | None:
        """Advances the state by one record, or says what forbids it and changes nothing."""
        value = decode(record)
        is_of_combo = isinstance(value, ComboFilled) or (isinstance(value, Fill) and is_leg(value))
        if self.open_legs and not is_of_combo:
            return self.open_combo_violation()
        match value:  # the most frequent first
            case Fill():
                return trade_rules.fill_made(self, value)
            case OrderOpened():
                return account_rules.order_opened(self, value)
            case PositionSettled():
                return trade_rules.position_settled(self, value)
            case ComboFilled():
                return trade_rules.combo_filled(self, value)
            case OrderForgotten():
                return account_rules.order_forgotten(self, value)
            case MarkUpdated():
                return market_rules.mark_updated(self, value)
            case AccrualUpdated():
                return market_rules.accrual_updated(self, value)
            case IndexUpdated():
                return market_rules.index_updated(self, value)
            case CashMoved():
                return move_rules.cash_moved(self, value)
            case CollateralMoved():
                return collateral_rules.collateral_moved(self, value)
            case PositionMoved():
                return move_rules.position_moved(self, value)
            case StatusChanged():
                return move_rules.status_changed(self, value)
            case InsuranceMoved():
                return move_rules.insurance_moved(self, value)
            case DepositCredited():
                return account_rules.deposit_credited(self, value)
            case WithdrawalRequested():
                return account_rules.withdrawal_requested(self, value)
            case CounterRaised():
                return account_rules.counter_raised(self, value)
            case AccountOpened():
                return account_rules.account_opened(self, value)
            case KeyRegistered():
                return account_rules.key_registered(self, value)
            case ExpirySettled():
                return market_rules.expiry_settled(self, value)
            case FeeLevelSet():
                return market_rules.fee_level_set(self, value)
            case UnderlyingListed():
                return market_rules.underlying_listed(self, value)
            case ExpiryListed():
                return market_rules.expiry_listed(self, value)
            case InstrumentListed():
                return market_rules.instrument_listed(self, value)
            case TimeAdvanced():
                return market_rules.time_advanced(self, value)
            case Padding():
                return None
            case Malformed(position):
                return Violation(rule.MALFORMED, None, position)

    def open_combo_violation(self) -> Violation | None:
        """The violation of legs that no COMBO_FILLED has closed, None where there are none."""
        legs = self.open_legs
        return Violation(rule.LEG_WITHOUT_COMBO, legs[0].taker, len(legs)) if legs else None
