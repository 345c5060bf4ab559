"""The end of perpetuals beside the exchange as one would explain it (`tests/model/ending.py`):
event by event the same, and every account's cash and positions, in the midst of trading.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from exchange.settlement_samples import PERPETUAL_KEYS
from tests.floor import (
    BTC_INDEX,
    ETH_INDEX,
    ETH_PERP,
    FUT,
    PERP,
    Floor,
    open_floor,
    owner_of,
)
from tests.model.ending import EndingExchange
from tests.property.test_engine_against_twin import FloorWithTwin
from tests.property.trading import CASH, MAKER, Terms, Trading

PERPETUALS = (PERP, ETH_PERP)


class Ending(FloorWithTwin):
    def __init__(self) -> None:
        super().__init__()
        self.twin = EndingExchange()


class EndingsAmongTrades(Trading):
    """Perpetuals are held, announced to end, ended early, late and twice, and traded afterwards."""

    def new_floor(self) -> Floor:
        return Ending()

    @initialize()
    def open(self) -> None:
        """Three instruments are quoted; every account holds some of both perpetuals."""
        self.floor = open_floor(0, floor=self.new_floor())
        for number, cash in enumerate(CASH):
            self.floor.open_account(cash, owner_of(max(number - 1, 0)))
        self.floor.mark(0, BTC_INDEX)
        self.floor.mark(1, ETH_INDEX)
        for number in (PERP, ETH_PERP, FUT):
            self.place_both(MAKER, ((number, 1),), 5, 60, Terms())
        for number in PERPETUALS:
            for account in (1, 2):
                self.hold(number, 3 + account, account, sells=account == 1)

    @rule(
        number=st.sampled_from(PERPETUALS),
        lots=st.integers(1, 20),
        account=st.integers(0, 3),
        sells=st.booleans(),
    )
    def hold(self, number: int, lots: int, account: int, sells: bool) -> None:
        price = self.floor.near(number)
        other = MAKER if account != MAKER else MAKER - 1
        first, second = (account, other) if sells else (other, account)
        self.floor.sell(first, price, lots, number)
        self.floor.buy(second, price, lots, number)

    @rule(number=st.sampled_from(PERPETUALS), after_s=st.sampled_from((1_799, 1_800, 3_000)))
    def announce(self, number: int, after_s: int) -> None:
        self.floor.delist(number, self.floor.time_s + after_s)

    @rule(number=st.sampled_from(PERPETUALS), rather_not=st.integers(0, 4))
    def delist_at_once(self, number: int, rather_not: int) -> None:
        """Refused where somebody holds it."""
        is_held = any(number in a.positions for a in self.floor.state.accounts.values())
        if is_held or not rather_not:
            self.floor.delist(number)

    @rule(
        number=st.sampled_from(PERPETUALS), minutes=st.integers(1, 6), percent=st.integers(98, 102)
    )
    def tick(self, number: int, minutes: int, percent: int) -> None:
        """Minutes in which the index is seen."""
        underlying = self.floor.state.instruments[number].underlying.number
        index = (BTC_INDEX, ETH_INDEX)[underlying]
        for minute in range(minutes):
            self.floor.advance(50)
            self.floor.mark(underlying, index * percent // 100 + minute, expiries=())

    @rule(
        number=st.sampled_from(PERPETUALS),
        permille=st.integers(-50, 50),
        waits=st.integers(0, 5),
        lies=st.integers(0, 5),
    )
    def end(self, number: int, permille: int, waits: int, lies: int) -> None:
        """At what was seen, and near the index for what was not; now and then too early, or at
        another price than was seen.
        """
        state = self.floor.state
        end_s = state.trading.ends_s.get(number, 0)
        if waits and end_s > self.floor.time_s:
            self.floor.advance(end_s - self.floor.time_s)
        underlying = state.instruments[number].underlying.number
        index = state.marks.index_micro[underlying] * (1_000 + permille) // 1_000
        seen = [0] * 30
        if end_s and number not in state.trading.delisted:
            seen = list(state.samples.seen(underlying, PERPETUAL_KEYS + number, state.time_ns))
        said = [sample or index for sample in seen]
        said[7] += not lies
        self.floor.settle_perpetual(number, *said)


EndingsAmongTrades.TestCase.settings = settings(stateful_step_count=20, max_examples=8)
TestEndingsAndTheirTwin = EndingsAmongTrades.TestCase


@settings(max_examples=12)
@given(
    st.sampled_from(PERPETUALS),
    st.integers(0, 40),
    st.integers(-50, 50),
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 3), st.booleans()), max_size=3),
)
def test_every_holder_gets_what_his_lots_have_run_up_and_none_is_left(
    number: int, seen: int, permille: int, deals: list[tuple[int, int, bool]]
) -> None:
    """The index is seen at some of the last minutes; the others are said."""
    life = EndingsAmongTrades()
    life.open()
    floor = life.floor
    for lots, account, sells in deals:
        life.hold(number, lots, account, sells)
    floor.fund(number, 12_345)
    floor.delist(number, floor.time_s + 1_800)
    underlying = floor.state.instruments[number].underlying.number
    for minute in range(seen):
        floor.advance(45)
        floor.mark(underlying, (BTC_INDEX, ETH_INDEX)[underlying] + minute * 10**4, expiries=())
    life.end(number, permille, waits=0, lies=1)  # too early, unless forty marks have passed
    life.end(number, permille, waits=1, lies=0)
    life.end(number, permille, waits=1, lies=1)
    assert number in floor.state.trading.delisted
    assert not any(number in a.positions for a in floor.state.accounts.values())
    life.hold(number, 1, 0, sells=True)
    floor.mark(underlying, BTC_INDEX // 3, expiries=())
    floor.fund(number, 1)
