"""Random lives of an exchange with rebates, combo discounts and funding: the engine's fees are the
ledger's and its slow twin's, and no trade takes from the fee cash.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from exchange import commands as c
from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from exchange.state_digest import state_hash
from margin.fees import (
    MAX_LEVEL,
    FeeSchedule,
    discount_combos,
    discount_through,
    fee_up,
    maker_rate_at,
    schedule_fault,
)
from matching.gate import Fill
from matching.instruments import PERPETUAL, Instrument, Underlying
from matching.orders import BUY, IOC, SELL, Order
from matching.trading_states import CANCEL_ONLY
from tests.floor import ETH_PERP, PERP, Floor, of_type
from tests.model.ledger import SlowLedger
from tests.property.trading import COMBOS, SINGLES, Legs, Terms, WholeExchange, sides

RICH = FeeSchedule(300, 500, 1_250, 170, 1_900, 75)


class FeeFloor(Floor):
    """A floor whose records a slow ledger reads as they are written."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = SlowLedger(*RICH)

    def genesis(self, fees: FeeSchedule = RICH) -> None:
        super().genesis(RICH)

    def _apply(self, command: Command) -> tuple[Event, ...]:
        known, fee_cash = len(self.state.groups), self.state.fee_cash_micro
        happened = super()._apply(command)
        if not isinstance(command, c.CutBatch):
            for group in self.state.groups[known:]:
                for record in group:
                    assert self.slow.apply(record), f"the twin finds {record.hex()} unlawful"
        fills = of_type(happened, e.OrderFilled)
        self.judge(fills)
        paid = sum(fill.taker_fee_micro + fill.maker_fee_micro for fill in fills)
        assert self.state.fee_cash_micro == fee_cash + paid == self.slow.fee
        for number, account in self.state.accounts.items():
            assert account.cash_micro == self.slow.accounts[number]["cash"]
        return happened

    def judge(self, fills: Sequence[e.OrderFilled]) -> None:
        """What holds of a fill whatever its combo: no side pays more than without discounts and
        rebates, and the two together pay.
        """
        brought: dict[int, int] = {}
        for fill in fills:
            listed = self.state.instruments[fill.instrument]
            index = self.state.marks.index_micro[listed.underlying.number]
            most = [
                fee_up(
                    rate, RICH.cap, listed.is_linear, index, fill.price_micro, fill.quantity_lots
                )
                for rate in (RICH.taker_rate, RICH.maker_rate)
            ]
            assert fill.taker_fee_micro <= most[0]
            assert fill.maker_fee_micro <= most[0 if fill.combo_trade else 1]
            paid = fill.taker_fee_micro + fill.maker_fee_micro
            if fill.combo_trade:
                brought[fill.combo_trade] = brought.get(fill.combo_trade, 0) + paid
            else:
                assert paid >= 0
        assert all(paid >= 0 for paid in brought.values())


class WithRebates(WholeExchange):
    """A whole exchange in which the index is now and then on its way to a breaker."""

    def new_floor(self) -> Floor:
        return FeeFloor()

    @rule(threshold_e4=st.sampled_from((120, 400, 4_000)), underlying=st.integers(0, 1))
    def arm(self, threshold_e4: int, underlying: int) -> None:
        self.floor.arm([(threshold_e4, CANCEL_ONLY, 1)], underlying=underlying, calm_e4=9_000)

    @rule(underlying=st.integers(0, 1))
    def disarm(self, underlying: int) -> None:
        self.floor.arm((), underlying=underlying)

    @rule(
        instrument=st.sampled_from((PERP, PERP, ETH_PERP)),
        band_e6=st.sampled_from((0, 0, 500)),
        period_s=st.sampled_from((60, 3_600, 28_800)),
        lots=st.sampled_from((1, 3, 20)),
    )
    def follow_premium(self, instrument: int, band_e6: int, period_s: int, lots: int) -> None:
        self.floor.arm_funding(
            instrument, band_e6=band_e6, period_s=period_s, impact_lots=lots, sample_s=60
        )

    @rule(
        permille=st.sampled_from((-35, -20, -5, 5, 20, 35)),
        legs=st.sampled_from((*SINGLES, *COMBOS)),
        maker=st.integers(2, 3),
        side=sides,
        lots=st.integers(1, 9),
    )
    def meet(self, permille: int, legs: Legs, maker: int, side: int, lots: int) -> None:
        """The index moves part of the way to a breaker; then two trade near the marks, against
        whatever rests there.
        """
        floor = self.floor
        if 0 not in floor.state.breakers:
            floor.arm([(400, CANCEL_ONLY, 1)], calm_e4=9_000)
        floor.advance(1)
        floor.mark(0, floor.state.marks.index_micro[0] * (1_000 + permille) // 1_000)
        away = 3 if side == BUY else -3
        self.place(maker, 1 - side, self.net_price(legs, 0), lots, legs, Terms())
        taken = Terms(time_in_force=IOC)
        self.place(5 - maker, side, self.net_price(legs, away), lots, legs, taken)

    def teardown(self) -> None:
        if self.floor.state.ledger is None:
            return
        if self.floor.state.groups:
            self.floor.cut()
        assert state_hash(self.floor.replay().state) == state_hash(self.floor.state)


TestRebates = WithRebates.TestCase
TestRebates.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)


# THE ARITHMETIC ALONE

rates = st.integers(0, 2_000)
indices = st.integers(1, (1 << 34) - 1)
schedules = st.builds(
    FeeSchedule,
    rates,
    rates,
    st.integers(0, 10_000),
    st.integers(0, 1_000),
    rates,
    st.integers(0, 100),
).filter(lambda schedule: not schedule_fault(schedule))


@given(schedules, st.integers(0, MAX_LEVEL), st.booleans(), indices, indices, st.integers(1, 10**6))
def test_a_rebate_is_the_exact_share_rounded_down_and_never_more_than_the_taker_pays(
    schedule: FeeSchedule, level: int, is_linear: bool, index: int, price: int, lots: int
) -> None:
    rate = maker_rate_at(schedule, level)
    terms = (schedule.cap, is_linear, index, price, lots)
    maker, taker = fee_up(rate, *terms), fee_up(schedule.taker_rate, *terms)
    size = Fraction(lots * index * abs(rate), 10**6)
    if not is_linear:
        size = min(size, Fraction(lots * price * schedule.cap, 10**4))
    assert maker == ceil(size if rate > 0 else -size)
    assert maker + taker >= 0
    assert maker <= fee_up(schedule.maker_rate, *terms)
    if level:
        assert maker <= fee_up(maker_rate_at(schedule, level - 1), *terms)


class Leg(NamedTuple):
    taker_buys: bool
    taker_fee: int
    maker_fee: int


def spared(percent: int, bought: int, sold: int, brought: int) -> int:
    share = Fraction(percent * max(min(bought, sold), 0), 100)
    return min(share.numerator // share.denominator, brought)


_PERPETUAL = Instrument(0, PERPETUAL, Underlying(0, "BTC", 1_000_000), None, 0, 10_000)
_RESTING = Order(1, bytes(32), 0, 0, SELL, 1, 10_000, 1, 0, 0)

legs_of_a_combo = st.lists(
    st.tuples(st.booleans(), st.integers(0, 10**9), st.integers(0, 10**9), st.booleans()).map(
        lambda of: Leg(of[0], of[1], -of[2] % (of[1] + 1) if not of[3] else -min(of[1], of[2]))
    ),
    min_size=1,
    max_size=6,
)


@given(st.integers(0, 100), legs_of_a_combo, st.booleans(), st.booleans())
def test_a_discount_is_taken_off_the_cheaper_side_and_leaves_the_rest(
    percent: int, legs: list[Leg], has_maker: bool, goes_through: bool
) -> None:
    fills = [Fill(_RESTING, _PERPETUAL, 1, 1, leg.taker_buys) for leg in legs]
    fees = [(leg.taker_fee, leg.maker_fee) for leg in legs]
    brought = sum(map(sum, fees))
    if goes_through:  # the combo's order is the maker of the first, the taker of the others
        own = [(0, 1), *((at, 0) for at in range(1, len(legs)))]
        parties = [[(at, side, legs[at].taker_buys != (at == 0)) for at, side in own]]
        discount_through(percent, after := [*fees], fills)
    else:
        sides = (0, 1) if has_maker else (0,)
        parties = [[(at, side, leg.taker_buys) for at, leg in enumerate(legs)] for side in sides]
        discount_combos(percent, after := [*fees], fills, has_maker)
    touched: dict[tuple[int, int], None] = {}
    for party in parties:
        sums = [sum(fees[at][s] for at, s, buys in party if buys == way) for way in (True, False)]
        discount = spared(percent, *sums, brought)
        brought -= discount
        assert discount == sum(fees[at][side] - after[at][side] for at, side, _ in party)
        touched |= dict.fromkeys((at, side) for at, side, _ in party)
    for at in range(len(legs)):
        for side in (0, 1):
            assert min(fees[at][side], 0) <= after[at][side] <= fees[at][side]
            if (at, side) not in touched:
                assert after[at][side] == fees[at][side]
    assert sum(map(sum, after)) == brought >= 0
