"""Funding against its slow twin: the arithmetic alone, and a floor on which marks, books,
states and times come in any order.
"""

from fractions import Fraction
from math import floor as whole

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchange import commands as c
from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from exchange.invariants import owed_micro
from margin.funding import Funding, impact_micro, premium_of, rate_of, wrong_field
from matching.instruments import MAX_LOTS
from matching.orders import BUY, SELL
from matching.trading_states import CANCEL_ONLY, HALTED, OPEN, POST_ONLY_STATE, PRE_OPEN
from tests.floor import BTC_INDEX, HUGE_FEE, PERP, Floor, of_type, open_floor
from tests.model import funding as plain
from tests.model.funding import PlainFunding, PlainTerms, towards_zero

NS = 10**9
PERIODS = (60, 3_600, 28_800, 86_400)

indices = st.integers(1, (1 << 34) // 6)
sides = st.lists(st.tuples(st.integers(1, 1 << 33), st.integers(1, 30)), max_size=5)
rates_e6 = st.integers(0, 100_000)


@given(indices, sides, sides, st.integers(1, 60))
def test_a_premium_is_the_exact_one_cut_towards_zero(
    index: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]], lots: int
) -> None:
    found = premium_of(index, lots, impact_micro(bids, lots), impact_micro(asks, lots))
    exact = plain.premium(index, plain.impact_price(bids, lots), plain.impact_price(asks, lots))
    assert found == towards_zero(exact * 10**9)


@given(st.integers(-(10**9), 10**9), rates_e6, rates_e6)
@example(500_000, 500, 5_000)
@example(500_001, 500, 5_000)
@example(-5_500_001, 500, 5_000)
def test_a_rate_is_what_the_premium_has_beyond_the_band_and_within_the_cap(
    premium: int, band: int, cap: int
) -> None:
    found = rate_of(premium, band, cap)
    exact = plain.rate(Fraction(premium, 10**9), Fraction(band, 10**6), Fraction(cap, 10**6))
    assert Fraction(found, 10**9) == exact
    assert abs(found) <= cap * 1_000
    assert rate_of(-premium, band, cap) == -found
    if abs(premium) <= band * 1_000:
        assert found == 0


@given(
    st.lists(
        st.tuples(indices, st.integers(-(10**8), 10**8), st.integers(0, 90_000)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(PERIODS),
    st.data(),
)
def test_nothing_is_lost_over_any_path_however_finely_it_is_cut(
    path: list[tuple[int, int, int]], period_s: int, data: st.DataObject
) -> None:
    once, often = Funding(), Funding()
    for funding in (once, often):
        funding.arm(100_000, 0, period_s, 1, period_s, 0)
    exact, time_s, paid = Fraction(0), 0, [0, 0]
    for index, rate_e9, seconds in path:
        for funding in (once, often):
            funding.rate_e9 = rate_e9
        cut = data.draw(st.integers(0, seconds))
        paid[1] += often.accrue(index, time_s + cut)
        time_s += seconds
        paid[1] += often.accrue(index, time_s)
        paid[0] += once.accrue(index, time_s)
        exact += Fraction(index * rate_e9 * seconds, 10**9 * period_s)
        assert paid == [whole(exact)] * 2


# A FLOOR


class FundedFloor(Floor):
    """Expects of each command what the twin says; commands come without time ahead of them."""

    def __init__(self, *, watched: bool = True) -> None:
        super().__init__(watched=watched)
        self.twin = PlainFunding()
        self.venue_state = OPEN
        self.samples = 0
        self.payments = 0

    def send(self, command: Command) -> tuple[Event, ...]:
        return self._apply(command)

    def _apply(self, command: Command) -> tuple[Event, ...]:
        index = self.state.marks.index_micro.get(0, 0)
        events = super()._apply(command)
        if isinstance(command, c.SetTradingState):
            self.venue_state = command.state
        expected: list[Event] = []
        if isinstance(command, c.SetFunding):
            self._pay(index, expected)
            terms = PlainTerms(
                command.cap_e6,
                command.band_e6,
                command.period_s,
                command.impact_lots,
                command.sample_s,
            )
            self.twin.arm(terms, self.time_s)
            if terms.period_s:
                self._sample(expected)
        elif isinstance(command, c.UpdateMarks) and command.underlying == 0:
            self._pay(index, expected)
            if self.twin.is_due(self.time_s, self.venue_state == OPEN):
                self._sample(expected)
        elif isinstance(command, c.AdvanceTime) and self.twin.is_due(
            self.time_s, self.venue_state == OPEN
        ):
            self._pay(index, expected)
            self._sample(expected)
        told = [x for x in events if isinstance(x, e.FundingAccrued | e.FundingSampled)]
        paid = [x.rate_micro if isinstance(x, e.FundingAccrued) else 0 for x in told]
        known = [x.rate_micro if isinstance(x, e.FundingAccrued) else 0 for x in expected]
        assert paid == known
        sampled = [(x.premium_e9, x.rate_e9) for x in of_type(told, e.FundingSampled)]
        assert sampled == [(x.premium_e9, x.rate_e9) for x in of_type(expected, e.FundingSampled)]
        self.samples += len(sampled)
        self.payments += sum(1 for amount in paid if amount)
        return events

    def _pay(self, index: int, expected: list[Event]) -> None:
        due = self.twin.pay(index, self.time_s)
        if due:
            expected.append(e.FundingAccrued(PERP, due, 0))

    def _sample(self, expected: list[Event]) -> None:
        orders = [order for order in self.state.orders.values() if order.book == PERP]
        books: list[list[tuple[int, int]]] = []
        for side, sign in ((BUY, -1), (SELL, 1)):
            stands = [(o.price_micro, o.remaining_lots) for o in orders if o.side == side]
            books.append(sorted(stands, key=lambda order: sign * order[0]))
        index = self.state.marks.index_micro[0]
        trades = self.venue_state == OPEN
        premium, rate = self.twin.sample(index, *books, trades, self.time_s)
        expected.append(e.FundingSampled(PERP, index, 0, 0, premium, rate))

    def later(self, seconds: int) -> None:
        self.time_ns += seconds * NS


permilles = st.sampled_from((-9, -3, -1, 1, 3, 9))
quotes = st.tuples(st.just("quote"), st.integers(0, 3), permilles, st.integers(1, 30))
acts = st.one_of(
    quotes,
    quotes,
    st.tuples(st.just("mark"), st.integers(900, 1_100), st.integers(0, 4_000), st.just(0)),
    st.tuples(st.just("mark"), st.integers(990, 1_010), st.integers(0, 100), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 9_000), st.just(0), st.just(0)),
    st.tuples(st.just("cancel"), st.integers(0, 3), st.just(0), st.just(0)),
    st.tuples(
        st.just("state"),
        st.sampled_from((OPEN, OPEN, PRE_OPEN, POST_ONLY_STATE, CANCEL_ONLY, HALTED)),
        st.just(0),
        st.just(0),
    ),
    st.tuples(st.just("arm"), st.integers(0, 3), st.integers(0, 2), st.integers(1, 20)),
)  # fmt: skip


def act(floor: FundedFloor, what: str, one: int, two: int, three: int) -> None:
    if what == "quote":
        index = floor.state.marks.index_micro[0]
        price = index * (1_000 + two) // 1_000 // 5_000 * 5_000
        send = floor.buy if three % 2 else floor.sell
        send(one, price, three, PERP, max_fee_micro=HUGE_FEE, life_s=86_400 * 20)
    elif what == "mark":
        floor.later(two)
        floor.mark(0, BTC_INDEX * one // 1_000)
    elif what == "wait":
        floor.later(one)
        floor.send(c.AdvanceTime(floor.time_ns))
    elif what == "cancel":
        floor.cancel_all(one)
    elif what == "state":
        floor.set_state(one)
    elif one == 3:
        floor.arm_funding(cap_e6=0, band_e6=0, period_s=0, impact_lots=0, sample_s=0)
    else:
        floor.arm_funding(
            period_s=PERIODS[one + 1],
            band_e6=(0, 500, 2_000)[two],
            impact_lots=three,
            sample_s=(60, 600, 3_600)[two],
        )


@settings(max_examples=40, deadline=None)
@given(st.lists(acts, max_size=25))
@example(
    [("quote", 0, 9, 11), ("quote", 1, 9, 10), ("wait", 3_600, 0, 0), ("mark", 1_000, 4_000, 0)]
)
def test_a_floor_pays_what_the_twin_says_and_nothing_is_made_or_lost(
    program: list[tuple[str, int, int, int]],
) -> None:
    floor = FundedFloor()
    open_floor(4, floor=floor)
    floor.arm_funding(band_e6=0, sample_s=60)
    for step in program:
        act(floor, *step)
        assert owed_micro(floor.state) + floor.state.withdrawn_micro == floor.state.credited_micro
    floor.cut()


def test_the_program_above_pays_and_samples() -> None:
    """So that the property is about something."""
    floor = FundedFloor()
    open_floor(4, floor=floor)
    floor.arm_funding(band_e6=0, sample_s=60)
    program = [("quote", 0, 9, 25), ("wait", 3_600, 0, 0), ("mark", 1_000, 4_000, 0)]
    for what, one, two, three in program:
        act(floor, what, one, two, three)
    assert floor.payments
    assert floor.samples > 2


def test_terms_are_judged_field_by_field() -> None:
    good = {"cap_e6": 5_000, "band_e6": 500, "period_s": 28_800, "impact_lots": 10, "sample_s": 60}
    assert wrong_field(**good) == 0
    assert wrong_field(0, 0, 0, 0, 0) == 0
    bad = (
        (2, {"cap_e6": 0}),
        (2, {"cap_e6": 100_001}),
        (3, {"band_e6": 100_001}),
        (4, {"period_s": 59}),
        (4, {"period_s": 86_399}),
        (4, {"period_s": 172_800}),
        (5, {"impact_lots": 0}),
        (5, {"impact_lots": MAX_LOTS + 1}),
        (6, {"sample_s": 0}),
        (6, {"sample_s": 28_801}),
    )
    for field, change in bad:
        assert wrong_field(**{**good, **change}) == field
