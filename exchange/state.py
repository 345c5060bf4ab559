"""The state of the exchange: a function of the journal and of nothing else.

Holds: every field changes only inside `engine.apply`; `groups` are the records since the last
batch, in order, those of one combo together; `orders` finds live orders by hash; `used`
remembers every hash taken until its order's expiry, so none is taken twice; `owners` numbers
the owners of accounts in the order in which they came.
Never: is touched by a door, which reads it through the service.
"""

from typing import Final

from exchange.expiry_schedule import ExpirySchedule
from margin.accounts import Account
from margin.marks import Marks
from margin.portfolio import Portfolio
from matching.book import Book
from matching.combos import COMBO_BASE, Combo, Legs
from matching.instruments import Expiry, Instrument, Underlying
from matching.orders import Order
from settlement.ledger import Ledger

NANOSECONDS: Final = 1_000_000_000
USDC: Final = 0
"""The only asset so far."""


class State:
    """All that the exchange knows. Cash fields in micro-USDC."""

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
        # Who trades
        self.accounts: dict[int, Account] = {}
        self.owners: dict[bytes, int] = {}
        self.orders: dict[bytes, Order] = {}
        self.used: dict[bytes, int] = {}
        self.opened: dict[bytes, tuple[int, int]] = {}
        self.withdrawals_taken: dict[bytes, int] = {}
        self.expiring = ExpirySchedule()
        self.next_order_id = 1
        self.next_trade = 1
        self.next_combo_trade = 1
        # Margin
        self.marks = Marks()
        self.portfolio = Portfolio(self.accounts, self.marks, self.combos, self.instruments)
        self.settlements = 0
        # The exchange's own cash, and what came in and went out
        self.fee_cash_micro = 0
        self.insurance_cash_micro = 0
        self.residue_cash_micro = 0
        self.credited_micro = 0
        self.withdrawn_micro = 0
        self.claimed: dict[int, int] = {}
        self.inbox_cursor = 0
        self.withdrawal_count = 0
        # Settlement
        self.ledger: Ledger | None = None
        self.groups: list[tuple[bytes, ...]] = []
        self.records_waiting = 0
        self.batches_cut = 0
        self.batches_confirmed = 0

    @property
    def time_s(self) -> int:
        """Unix seconds of the last command, rounded down."""
        return self.time_ns // NANOSECONDS

    def record(self, *records: bytes) -> None:
        """Appends one group of records: they stay in one chunk."""
        self.groups.append(records)
        self.records_waiting += len(records)

    def combo_of(self, legs: Legs) -> Combo:
        """The combo of canonical legs; made, with its book, if it is new."""
        combo = self.combos_by_legs.get(legs)
        if combo is None:
            number = COMBO_BASE + len(self.combos)
            combo = Combo(number, [self.instruments[leg] for leg, _ in legs], [r for _, r in legs])
            self.combos[number] = self.combos_by_legs[legs] = combo
            self.books[number] = Book(number, combo.tick_micro)
        return combo

    def forget_newest_combo(self, combo: Combo) -> None:
        """Takes back a combo that a refused order was the first to name."""
        assert combo.book == COMBO_BASE + len(self.combos) - 1, "only the newest is taken back"
        del self.combos[combo.book], self.combos_by_legs[combo.legs], self.books[combo.book]
        self.marks.forget_combo(combo.book)
