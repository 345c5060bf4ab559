"""Instruments that end in the midst of trading: whatever else goes on, all invariants hold, nobody
keeps what is delisted, and cash is conserved by every end.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from exchange import events as e
from exchange.settlement_samples import PERPETUAL_KEYS
from tests.floor import ETH_PERP, LISTINGS, PERP, of_type, was_accepted
from tests.property.trading import MAKER, Trading

PERPETUALS = (PERP, ETH_PERP)


class Endings(Trading):
    @rule(number=st.integers(0, len(LISTINGS) - 1))
    def delist(self, number: int) -> None:
        held = any(number in a.positions for a in self.floor.state.accounts.values())
        events = self.floor.delist(number)
        assert not (held and was_accepted(events))

    @rule(number=st.sampled_from(PERPETUALS), after_s=st.integers(1_700, 6_000))
    def announce(self, number: int, after_s: int) -> None:
        self.floor.delist(number, self.floor.time_s + after_s)

    @rule(number=st.sampled_from(PERPETUALS), lots=st.integers(1, 20), seller=st.integers(0, 3))
    def hold(self, number: int, lots: int, seller: int) -> None:
        """The rich take positions in a perpetual, if it still trades."""
        price = self.floor.near(number)
        self.floor.sell(seller, price, lots, number)
        self.floor.buy(MAKER if seller != MAKER else MAKER - 1, price, lots, number)

    @rule(
        number=st.sampled_from(PERPETUALS),
        permille=st.integers(-50, 50),
        notice_s=st.integers(1_800, 5_000),
    )
    def settle_the_perpetual(self, number: int, permille: int, notice_s: int) -> None:
        """At what was seen, and near the index for what was not; announced where it was not."""
        state = self.floor.state
        if number not in state.trading.ends_s:
            self.hold(number, 7, permille % 3)
            self.floor.delist(number, self.floor.time_s + notice_s)
        end_s = state.trading.ends_s[number]
        if end_s > self.floor.time_s:
            self.floor.advance(end_s - self.floor.time_s)
        underlying = state.instruments[number].underlying.number
        index = state.marks.index_micro[underlying] * (1_000 + permille) // 1_000
        seen = state.samples.seen(underlying, PERPETUAL_KEYS + number, state.time_ns)
        cash = sum(a.cash_micro for a in state.accounts.values())
        accrued = -sum(
            self.floor.lots(n, number) * a.positions[number].accrual_seen_micro
            for n, a in state.accounts.items()
            if number in a.positions
        )
        events = self.floor.settle_perpetual(number, *(sample or index for sample in seen))
        if of_type(events, e.PerpetualSettled):
            after = sum(a.cash_micro for a in state.accounts.values())
            assert after == cash + accrued
            paid = sum(event.amount_micro for event in of_type(events, e.PositionSettled))
            assert after == cash + paid
            assert not any(number in a.positions for a in state.accounts.values())


Endings.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestEndings = Endings.TestCase
