"""Funding that follows the premium: what moves it, what does not, and what becomes of a halt."""

import pytest

from exchange import commands as c
from exchange import events as e
from exchange.events import Event
from exchange.handlers.funding import MAX_ACCRUAL_MICRO
from exchange.market_data import PublicMarket
from exchange.state_digest import state_hash
from matching.rejects import FUNDING_IS_ARMED, Reject
from matching.trading_states import CANCEL_ONLY, HALTED, INSTRUMENT, OPEN
from settlement.record_types import ACCRUAL_UPDATED, INDEX_UPDATED
from settlement.signed_messages import Conditions
from tests.floor import BTC_INDEX, ETH_PERP, PERP, Floor, of_type, open_floor, refusal

CASH = 50_000_000_000
PREMIUM_PRICE = BTC_INDEX * 1_002 // 1_000 // 5_000 * 5_000


def held_floor() -> Floor:
    """Account 0 is 5 long, 1 is 3 short and 2 is 2 short; 3 bids 10 lots 0.2% above the index."""
    floor = open_floor(5)
    price = floor.near(PERP)
    floor.buy(0, price, 5, PERP)
    floor.sell(1, price, 3, PERP)
    floor.sell(2, price, 2, PERP)
    floor.buy(3, PREMIUM_PRICE, 10, PERP, life_s=20 * 86_400)
    return floor


def armed_floor(**terms: int) -> Floor:
    floor = held_floor()
    floor.arm_funding(**terms)
    return floor


def paid(events: tuple[Event, ...]) -> int:
    return sum(event.rate_micro for event in of_type(events, e.FundingAccrued))


def worth(floor: Floor, account: int) -> int:
    return floor.state.portfolio.requirement(floor.account(account)).equity_micro


def wait(floor: Floor, seconds: int) -> tuple[Event, ...]:
    """Nothing but time, in one command."""
    floor.time_ns += seconds * 10**9
    return floor._apply(c.AdvanceTime(floor.time_ns))


def test_a_bid_above_the_index_lets_every_long_lot_pay_every_short_one() -> None:
    floor = armed_floor()
    (sampled,) = of_type(tuple(floor.arm_funding()), e.FundingSampled)
    above = (PREMIUM_PRICE - BTC_INDEX) * 10**9 // BTC_INDEX
    assert (sampled.impact_bid_micro, sampled.impact_ask_micro) == (PREMIUM_PRICE, 0)
    assert (sampled.premium_e9, sampled.rate_e9) == (above, above - 500_000)
    before = [worth(floor, account) for account in range(5)]
    a_lot = paid(wait(floor, 3_600))
    assert a_lot == BTC_INDEX * sampled.rate_e9 * 3_600 // (10**9 * 28_800) > 0
    gained = [worth(floor, n) - before[n] for n in range(5)]
    assert gained == [-5 * a_lot, 3 * a_lot, 2 * a_lot, 0, 0]
    floor.cut()


def test_an_ask_below_the_index_lets_shorts_pay() -> None:
    floor = held_floor()
    floor.cancel_all(3)
    floor.sell(3, BTC_INDEX * 998 // 1_000 // 5_000 * 5_000, 10, PERP)
    floor.arm_funding()
    assert paid(wait(floor, 3_600)) < 0


def test_a_premium_within_the_dead_band_moves_nothing() -> None:
    floor = armed_floor(band_e6=2_000)
    before = state_hash(floor.state)
    assert paid(wait(floor, 59)) == 0
    assert state_hash(floor.state) == before
    assert of_type(floor.mark(0, BTC_INDEX), e.FundingAccrued) == []


def test_one_wild_order_of_less_than_the_impact_quantity_moves_nothing() -> None:
    floor = held_floor()
    floor.cancel_all(3)
    floor.deposit(3, 10**12)
    wild = floor.buy(3, 10 * BTC_INDEX // 5_000 * 5_000, 9, PERP, life_s=20 * 86_400)
    assert of_type(wild, e.OrderRested)
    events = floor.arm_funding(impact_lots=10)
    (sampled,) = of_type(events, e.FundingSampled)
    assert (sampled.premium_e9, sampled.rate_e9, sampled.impact_bid_micro) == (0, 0, 0)
    assert paid(wait(floor, 28_800)) == 0
    floor.buy(4, PREMIUM_PRICE, 1, PERP)  # and one lot more makes it count
    (sampled,) = of_type(wait(floor, 60), e.FundingSampled)
    assert sampled.rate_e9 == 5_000_000, "the cap"


def test_what_an_iceberg_hides_does_not_count() -> None:
    floor = held_floor()
    floor.cancel_all(3)
    floor.submit(floor.sign(3, 0, PREMIUM_PRICE, 100, PERP, conditions=Conditions(display_lots=9)))
    (sampled,) = of_type(floor.arm_funding(impact_lots=10), e.FundingSampled)
    assert sampled.impact_bid_micro == 0
    (sampled,) = of_type(floor.arm_funding(impact_lots=9), e.FundingSampled)
    assert sampled.impact_bid_micro == PREMIUM_PRICE


def test_an_interval_is_paid_at_the_index_and_the_rate_of_its_start() -> None:
    floor = armed_floor(sample_s=60)
    rate = floor.state.funding[PERP].rate_e9
    floor.cancel_all(3)  # the premium is gone, and in force until the next sample
    floor.time_ns += 3_600 * 10**9
    events = floor._apply(c.UpdateMarks(floor.time_ns, 0, BTC_INDEX * 2, ()))
    assert paid(events) == BTC_INDEX * rate * 3_600 // (10**9 * 28_800)
    assert floor.state.funding[PERP].rate_e9 == 0
    assert paid(wait(floor, 3_600)) == 0


def test_between_samples_marks_pay_and_the_rate_stays() -> None:
    floor = armed_floor(sample_s=3_600)
    floor.cancel_all(3)
    floor.time_ns += 10 * 10**9
    events = floor._apply(c.UpdateMarks(floor.time_ns, 0, BTC_INDEX, ()))
    assert paid(events) > 0
    assert of_type(events, e.FundingSampled) == []
    assert of_type(wait(floor, 10), e.FundingAccrued) == [], "time alone waits for the sample"


@pytest.mark.parametrize("state", [HALTED, CANCEL_ONLY])
@pytest.mark.parametrize("by_mark", [False, True])
def test_while_nothing_trades_nobody_pays(state: int, by_mark: bool) -> None:
    floor = armed_floor(sample_s=3_600)
    floor.set_state(state, INSTRUMENT, PERP)
    floor.time_ns += 10 * 10**9
    found: c.Command = c.AdvanceTime(floor.time_ns)
    if by_mark:
        found = c.UpdateMarks(floor.time_ns, 0, BTC_INDEX, ())
    events = floor._apply(found)
    assert paid(events) > 0, "what had run up"
    assert [(s.premium_e9, s.rate_e9) for s in of_type(events, e.FundingSampled)] == [(0, 0)]
    assert paid(wait(floor, 3_600)) == 0
    floor.set_state(OPEN, INSTRUMENT, PERP)
    assert paid(wait(floor, 1)) == 0
    assert of_type(wait(floor, 3_600), e.FundingSampled)[-1].rate_e9 > 0
    floor.cut()


def test_payments_stand_before_the_index_they_do_not_follow() -> None:
    floor = armed_floor()
    floor.cut()
    floor.time_ns += 600 * 10**9
    floor._apply(c.UpdateMarks(floor.time_ns, 0, BTC_INDEX + 10**6, ()))
    kinds = [record[0] for group in floor.state.groups for record in group]
    assert kinds == [ACCRUAL_UPDATED, INDEX_UPDATED, ACCRUAL_UPDATED]
    floor.cut()


def test_whose_account_is_touched_first_changes_nobodys_cash() -> None:
    orders = ((0, 1, 2), (2, 1, 0), (1, 2, 0, 2, 1))
    ends: list[list[int]] = []
    for order in orders:
        floor = armed_floor()
        for turn in range(4):
            wait(floor, 1_234 + turn)
            for account in order:
                floor.withdraw(account, 1)
                floor.deposit(account, 1)
        for account in range(3):
            floor.withdraw(account, 1)
        ends.append([floor.account(account).cash_micro for account in range(3)])
        floor.cut()
    assert ends[0] == ends[1] == ends[2]


def test_the_operator_sets_no_rate_beside_it_but_elsewhere_and_afterwards() -> None:
    floor = armed_floor()
    assert refusal(floor.fund(PERP, 5)) == Reject(FUNDING_IS_ARMED, PERP)
    assert paid(floor.fund(ETH_PERP, 5)) == 5
    floor.time_ns += 7 * 10**9
    nothing = {"cap_e6": 0, "band_e6": 0, "period_s": 0, "impact_lots": 0, "sample_s": 0}
    floor.arm_funding(**nothing)
    assert paid(floor.fund(PERP, 5)) == 5
    assert paid(wait(floor, 3_600)) == 0


def test_new_terms_first_pay_by_the_old_ones_and_keep_what_is_carried() -> None:
    floor = armed_floor()
    rate = floor.state.funding[PERP].rate_e9
    floor.time_ns += 7 * 10**9
    command = c.SetFunding(floor.time_ns, PERP, 5_000, 0, 3_600, 10, 60)
    events = floor._apply(command)
    owed = BTC_INDEX * rate * 7
    assert paid(events) == owed // (10**9 * 28_800)
    assert floor.state.funding[PERP].carried == owed * 3 % (10**9 * 86_400)


def test_an_accrual_stops_where_values_end() -> None:
    """Fifteen days at a full cap of 10% a minute would leave what the arrays can hold."""
    floor = held_floor()
    floor.cancel_all(3)
    floor.buy(3, 2 * BTC_INDEX // 5_000 * 5_000, 10, PERP, life_s=29 * 86_400)
    floor.deposit(0, 10**14)
    floor.arm_funding(cap_e6=100_000, band_e6=0, period_s=60, sample_s=60)
    assert paid(wait(floor, 86_400)) == MAX_ACCRUAL_MICRO
    assert floor.state.marks.accrual_micro[PERP] == -MAX_ACCRUAL_MICRO
    assert paid(wait(floor, 3_600)) == 0
    floor.cut()


def test_a_replay_pays_the_same() -> None:
    floor = armed_floor()
    for seconds in (1, 59, 600, 28_800):
        wait(floor, seconds)
        floor.mark(0, BTC_INDEX + seconds)
    assert state_hash(floor.replay().state) == state_hash(floor.state)


def test_the_market_shows_the_rate_what_is_paid_and_what_the_last_period_paid() -> None:
    floor = armed_floor(period_s=3_600)
    market = PublicMarket(floor.state.instruments)
    start = floor.time_s // 3_600 * 3_600
    sequence, periods = 0, list[int]()
    for event in of_type(floor.arm_funding(period_s=3_600), e.FundingSet | e.FundingSampled):  # type: ignore[arg-type]
        sequence += 1
        market.take(sequence, floor.time_ns, (event,))
    shown = market.funding[PERP]
    assert (shown.period_s, shown.rate_e9) == (3_600, floor.state.funding[PERP].rate_e9)
    for _ in range(2):  # to the end of a period, less a second each time
        events = wait(floor, start + 3_600 * (len(periods) + 1) - 1 - floor.time_s)
        market.take(sequence := sequence + 1, floor.time_ns, events)
        periods.append(shown.paid_micro)
        wait_events = wait(floor, 1)
        market.take(sequence := sequence + 1, floor.time_ns, wait_events)
        assert shown.last_paid_micro == periods[-1] > 0
    assert shown.total_micro == sum(periods) + shown.paid_micro
    events = wait(floor, 3 * 3_600)
    market.take(sequence + 1, floor.time_ns, events)
    assert (shown.last_paid_micro, shown.paid_micro) == (0, paid(events)), "a period without any"
