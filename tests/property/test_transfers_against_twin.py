"""Transfers beside the exchange as one would explain it (`tests/model/transfers.py`): event by
event the same, in the midst of trading; cash and positions of an owner are conserved by each.
"""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from exchange.events import CashTransferred, Event, PositionSettled, PositionTransferred
from exchange.handlers.transfers import transferable_micro
from tests.floor import LISTINGS, Floor, of_type, was_accepted
from tests.model.transfers import TransferringExchange
from tests.property.test_engine_against_twin import FloorWithTwin
from tests.property.trading import CASH, Trading

OWNED = ((0, 1), (1, 0), (0, 1), (1, 0), (2, 3), (1, 1))
"""Accounts 0 and 1 have one owner."""


class Transferring(FloorWithTwin):
    def __init__(self) -> None:
        super().__init__()
        self.twin = TransferringExchange()


class TransfersAmongTrades(Trading):
    """Owners move what they have, more than they have, and nothing, while all else goes on."""

    def new_floor(self) -> Floor:
        return Transferring()

    def totals(self) -> tuple[int, Counter[int]]:
        """All cash, and per instrument the sum of all positions' sizes with their signs."""
        positions = Counter[int]()
        cash = 0
        for account in self.floor.state.accounts.values():
            cash += account.cash_micro
            for number, position in account.positions.items():
                positions[number] += position.quantity_lots
        return cash, positions

    @rule(pair=st.sampled_from(OWNED), part=st.integers(0, 110), salt=st.integers(1, 5))
    def move_cash(self, pair: tuple[int, int], part: int, salt: int) -> None:
        """A part of what may go, in percent; beyond a hundred it may not."""
        giver, taker = pair
        spare = transferable_micro(self.floor.state, self.floor.account(giver))
        before, _ = self.totals()
        amount = max(spare * part // 100, 1) + max(part - 100, 0)
        events = self.floor.transfer_cash(giver, taker, amount, salt=salt)
        accrued = sum(event.amount_micro for event in of_type(events, PositionSettled))
        assert self.totals()[0] == before + accrued
        assert bool(of_type(events, CashTransferred)) == was_accepted(events)

    @rule(
        pair=st.sampled_from(OWNED),
        which=st.integers(0, 8),
        part=st.integers(0, 105),
        is_turned=st.booleans(),
    )
    def move_position(self, pair: tuple[int, int], which: int, part: int, is_turned: bool) -> None:
        giver, taker = pair
        account = self.floor.account(giver)
        held = list(account.positions) or list(range(len(LISTINGS)))
        number = held[which % len(held)]
        lots = account.lots_of(number)
        asked = max(abs(lots) * part // 100, 1) * (
            -1 if (lots < 0) != (is_turned and part > 90) else 1
        )
        together = self.floor.lots(giver, number) + self.floor.lots(taker, number)
        events = self.floor.transfer_position(giver, taker, number, asked)
        self.look(events, number, giver, taker, together)

    def look(
        self, events: tuple[Event, ...], number: int, giver: int, taker: int, together: int
    ) -> None:
        moved = of_type(events, PositionTransferred)
        assert bool(moved) == was_accepted(events)
        if moved and not self.floor.state.instruments[number].is_settled:
            held = self.floor.lots(giver, number), self.floor.lots(taker, number)
            assert sum(held) == together
            assert held == (moved[0].position_lots, moved[0].to_position_lots)

    def teardown(self) -> None:
        assert len(self.floor.state.accounts) in (0, len(CASH))


TransfersAmongTrades.TestCase.settings = settings(stateful_step_count=40)
TestTransfersAndTheirTwin = TransfersAmongTrades.TestCase
