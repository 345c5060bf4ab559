"""The state of the exchange: a function of the journal and of nothing else.

Holds: every field changes only inside `engine.apply`; `groups` are the records since the last
batch, in order, those of one combo together; `orders` finds live orders by hash; `used`
remembers every hash taken until its order's expiry, so none is taken twice; `owners` numbers
the owners of accounts in the order in which they came.
Never: is touched by a door, which reads it through the service.
"""

from typing import Final

from exchange.circuit_breaker import Breaker
from exchange.expiry_schedule import ExpirySchedule
from exchange.liquidations import Liquidations
from exchange.oracle.oracle import NEVER_NS, Oracle
from exchange.settlement_samples import SettlementSamples
from exchange.volatility_orders import VolatilityOrders
from exchange.waiting_orders import WaitingOrders
from margin.accounts import Account
from margin.funding import Funding
from margin.marks import Marks
from margin.portfolio import Portfolio
from matching.book import Book
from matching.combo_life import ComboLife
from matching.combos import Combo, Legs
from matching.instruments import Expiry, Instrument, Underlying
from matching.orders import Order
from matching.trading_states import TradingStates
from settlement.ledger import Ledger

NANOSECONDS: Final = 1_000_000_000
USDC: Final = 0
"""The asset that is cash."""


class State:
    """All that the exchange knows. Cash fields in micro-USDC; what was credited and withdrawn of
    other assets in micro-units, by number.
    """

    def __init__(self) -> None:
        # What Genesis fixed
        self.chain_id = 0
        self.settlement = b""
        self.operator = b""
        # Where it stands
        self.sequence = 0
        self.time_ns = 0
        # What is traded
        self.underlyings: list[Underlying] = []
        self.expiries: list[Expiry] = []
        self.instruments: list[Instrument] = []
        self.symbols: dict[str, int] = {}
        self.options_by_expiry: dict[int, list[Instrument]] = {}
        self.combos: dict[int, Combo] = {}
        self.combos_by_legs: dict[Legs, Combo] = {}
        self.books: dict[int, Book] = {}
        self.combo_life = ComboLife(self.combos, self.combos_by_legs, self.books, self.instruments)
        # Whether it trades
        self.trading = TradingStates()
        self.breakers: dict[int, Breaker] = {}
        self.samples = SettlementSamples()
        self.oracles: dict[int, Oracle] = {}
        self.oracle_due_ns = NEVER_NS
        """The earliest `due_ns` of all oracles."""
        # Who trades
        self.accounts: dict[int, Account] = {}
        self.owners: dict[bytes, int] = {}
        self.orders: dict[bytes, Order] = {}
        self.quotes: dict[tuple[int, int, int, int], Order] = {}
        self.used: dict[bytes, int] = {}
        self.opened: dict[bytes, tuple[int, int]] = {}
        self.withdrawals_taken: dict[bytes, int] = {}
        self.expiring = ExpirySchedule()
        self.waiting = WaitingOrders()
        self.volatility = VolatilityOrders()
        self.next_order_id = 1
        self.next_trade = 1
        self.next_combo_trade = 1
        # Margin
        self.marks = Marks()
        self.portfolio = Portfolio(self.accounts, self.marks, self.combos, self.instruments)
        self.settlements = 0
        self.funding: dict[int, Funding] = {}
        self.liquidations = Liquidations()
        # The exchange's own cash, and what came in and went out
        self.fee_cash_micro = 0
        self.insurance_cash_micro = 0
        self.residue_cash_micro = 0
        self.credited_micro = self.withdrawn_micro = 0
        self.credited_assets: dict[int, int] = {}
        self.withdrawn_assets: dict[int, int] = {}
        self.claimed: dict[int, int] = {}
        self.inbox_cursor = self.withdrawal_count = 0
        # Settlement
        self.ledger: Ledger | None = None
        self.groups: list[tuple[bytes, ...]] = []
        self.records_waiting = 0
        self.batches_cut = self.batches_confirmed = 0

    @property
    def time_s(self) -> int:
        """Unix seconds of the last command, rounded down."""
        return self.time_ns // NANOSECONDS

    def record(self, *records: bytes) -> None:
        """Appends one group of records: they stay in one chunk."""
        self.groups.append(records)
        self.records_waiting += len(records)

    def forget_newest_combo(self, combo: Combo) -> None:
        """Takes back a combo that a refused order was the first to name."""
        self.combo_life.forget_newest(combo)
        self.marks.forget_combo(combo.book)
