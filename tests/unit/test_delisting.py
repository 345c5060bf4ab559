"""How instruments end: delisted where nobody holds them; a perpetual announced, sampled, settled at
the mean of thirty samples, to the micro, and then delisted.

Holds: every story runs on a watched floor; the refusals here are part of the completeness of
`test_rejects_leave_no_trace.py`.
"""

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.events import Event
from exchange.handlers.states import instrument_state
from exchange.market_data import PublicMarket
from matching import rejects as r
from matching.combos import COMBO_BASE
from matching.instruments import MAX_VALUE_MICRO
from matching.rejects import Reject
from matching.trading_states import DELISTED, HALTED, INSTRUMENT, OPEN
from settlement.record_types import POSITION_MOVED, POSITION_SETTLED
from settlement.signed_messages import Conditions
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    DAY_S,
    ETH_PERP,
    FUT,
    LISTINGS,
    MARCH,
    NS,
    PERP,
    PUT_90,
    START_S,
    Floor,
    cancel_reasons,
    of_type,
    open_floor,
    refusal,
    was_accepted,
)

Story = Callable[[Floor], tuple[Event, ...]]
STORIES: Final[list[tuple[Story, Reject]]] = []
END_S: Final = START_S + 7_200


def told(code: int, got: int = 0, allowed: int = 0) -> Callable[[Story], Story]:
    def keep(story: Story) -> Story:
        STORIES.append((story, Reject(code, got, allowed)))
        return story

    return keep


def trade(floor: Floor, buyer: int, seller: int, lots: int, number: int) -> None:
    price = floor.near(number)
    floor.sell(seller, price, lots, number)
    assert was_accepted(floor.buy(buyer, price, lots, number))


def kinds(floor: Floor) -> list[int]:
    return [record[0] for group in floor.state.groups for record in group]


# WITHOUT OPEN INTEREST


@pytest.mark.parametrize("number", [PERP, FUT, CALL_90, PUT_90])
def test_what_nobody_holds_is_closed_for_good(number: int) -> None:
    floor = open_floor()
    floor.buy(0, floor.near(number, 50), 3, number)
    floor.sell(1, floor.near(number, 200), 3, number)
    stop = Conditions(trigger=3, trigger_price_micro=BTC_INDEX * 2)
    assert was_accepted(floor.buy(2, floor.near(number), 1, number, conditions=stop))
    events = floor.delist(number)
    assert cancel_reasons(events) == [e.CANCELLED_DELISTED] * 3
    assert events[-1] == e.InstrumentDelisted(number)
    assert instrument_state(floor.state, floor.state.instruments[number]) == DELISTED
    assert refusal(floor.buy(0, floor.near(number), 1, number)).code == r.INSTRUMENT_NOT_OPEN
    assert refusal(floor.set_state(OPEN, INSTRUMENT, number)).code == r.INSTRUMENT_NOT_OPEN
    assert refusal(floor.list_instrument(LISTINGS[number])).code == r.SPEC_OUT_OF_BOUNDS
    floor.mark(0, BTC_INDEX * 9 // 10)
    floor.cut()
    other = CALL_100 if number != CALL_100 else CALL_90
    trade(floor, 0, 1, 1, other)
    floor.advance(MARCH - floor.time_s)
    assert was_accepted(floor.settle(0, BTC_INDEX))
    floor.withdraw(0, 1)
    floor.cut()


def test_combos_with_it_go_and_others_stay() -> None:
    floor = open_floor()
    floor.buy(0, 100_000, 1, ((CALL_90, 1), (CALL_100, -1)))
    floor.buy(0, 100_000, 1, ((CALL_90, 1), (PUT_90, 1)))
    events = floor.delist(CALL_100)
    assert cancel_reasons(events) == [e.CANCELLED_DELISTED]
    assert of_type(events, e.ComboDropped) == [e.ComboDropped(COMBO_BASE)]
    assert list(floor.state.combos) == [COMBO_BASE + 1]
    assert refusal(floor.buy(0, 100_000, 1, ((CALL_90, 1), (CALL_100, -1)))) == Reject(
        r.INSTRUMENT_NOT_OPEN, CALL_100
    )


def test_marks_go_on_without_a_strike_that_would_stop_them() -> None:
    """A strike that the smile can no longer price stops every mark of its expiry, until it goes."""
    floor = open_floor()
    far = LISTINGS[CALL_90]._replace(strike_micro=MAX_VALUE_MICRO - 1)
    floor.list_instrument(far)
    one = 1 << 30
    steep = (0, one - 1, 0, 0, one // 100)
    assert refusal(floor.mark(0, BTC_INDEX, smile=steep)).code == r.MARK_OUT_OF_BOUNDS
    floor.delist(len(LISTINGS))
    assert was_accepted(floor.mark(0, BTC_INDEX, smile=steep))


def test_the_last_strike_of_an_expiry_goes_and_its_marks_stay_lawful() -> None:
    floor = open_floor()
    for number in (CALL_90, CALL_100, PUT_90, 5):
        assert was_accepted(floor.delist(number))
    assert was_accepted(floor.mark(0, BTC_INDEX))
    floor.cut()


# A PERPETUAL THAT IS HELD


def index_of(minute: int) -> int:
    return BTC_INDEX + 7_777 * minute + minute * minute


def floor_at_the_end(positions: dict[int, int], price: int | None = None) -> Floor:
    """A floor whose perpetual has been announced and has ended, with these positions (which sum to
    zero) and an index that changed every minute.
    """
    floor = open_floor(max(positions, default=1) + 1)
    longs = [(account, lots) for account, lots in positions.items() if lots > 0]
    for account, lots in positions.items():
        if lots < 0:
            floor.sell(account, price or floor.near(PERP), -lots, PERP)
    for account, lots in longs:
        assert was_accepted(floor.buy(account, price or floor.near(PERP), lots, PERP))
    floor.fund(PERP, 12_345)
    assert floor.delist(PERP, END_S) == (e.DelistingAnnounced(PERP, END_S),)
    for minute in range(30):
        floor.time_ns = (END_S - 1_800 - 20 + 60 * minute) * NS
        floor.mark(0, index_of(minute))
    floor.time_ns = END_S * NS
    return floor


def test_a_perpetual_settles_at_the_mean_of_what_was_seen_to_the_micro() -> None:
    floor = floor_at_the_end({0: 7, 1: -5, 2: -2})
    cash = {n: floor.account(n).cash_micro for n in range(3)}
    accrual = floor.state.marks.accrual_micro[PERP]
    samples = [index_of(minute) for minute in range(30)]
    price = (2 * sum(samples) + 30) // 60
    final = accrual + price - floor.state.marks.carry_micro[PERP]
    bought_at = {
        n: p.accrual_seen_micro for n in range(3) for p in [floor.account(n).positions[PERP]]
    }
    events = floor.settle_perpetual(PERP, *samples)
    assert events[0] == e.PerpetualSettled(PERP, price, 30)
    assert events[-1] == e.InstrumentDelisted(PERP)
    for account, lots in ((0, 7), (1, -5), (2, -2)):
        gain = lots * (final - bought_at[account])
        assert e.PositionSettled(account, PERP, gain, 1) in events
        assert floor.account(account).cash_micro == cash[account] + gain
        assert not floor.account(account).positions
        assert floor.account(account).gross_lots == floor.account(account).basis_micro == 0
    assert kinds(floor).count(POSITION_MOVED) == 2
    assert kinds(floor).count(POSITION_SETTLED) == 3
    floor.cut()


def test_a_sample_of_a_perpetual_that_is_a_micro_off_is_caught() -> None:
    floor = floor_at_the_end({0: 1, 1: -1})
    samples = [index_of(minute) for minute in range(30)]
    wrong = [*samples[:29], samples[29] - 1]
    assert refusal(floor.settle_perpetual(PERP, *wrong)) == Reject(
        r.SAMPLE_NOT_SEEN, samples[29] - 1, samples[29]
    )
    assert was_accepted(floor.settle_perpetual(PERP, *samples))
    assert refusal(floor.settle_perpetual(PERP, *samples)) == Reject(r.END_NOT_ANNOUNCED, PERP)


def test_from_its_end_until_it_is_settled_a_perpetual_is_halted() -> None:
    floor = open_floor()
    trade(floor, 0, 1, 2, PERP)
    floor.delist(PERP, END_S)
    trade(floor, 0, 1, 1, PERP)  # until then it trades on
    floor.sell(2, floor.near(PERP, 101), 1, PERP, life_s=DAY_S)
    floor.advance(END_S - START_S)
    perp = floor.state.instruments[PERP]
    assert instrument_state(floor.state, perp) == HALTED
    assert refusal(floor.buy(0, floor.near(PERP, 102), 1, PERP)).code == r.INSTRUMENT_NOT_OPEN
    combo = ((PERP, 1), (FUT, -1))
    assert refusal(floor.buy(0, floor.near(PERP), 1, combo)).code == r.INSTRUMENT_NOT_OPEN
    events = floor.settle_perpetual(PERP, BTC_INDEX)
    assert cancel_reasons(events) == [e.CANCELLED_DELISTED]
    assert of_type(events, e.PerpetualSettled)[0].seen == 0
    assert instrument_state(floor.state, perp) == DELISTED
    assert instrument_state(floor.state, floor.state.instruments[ETH_PERP]) == OPEN
    floor.mark(0, BTC_INDEX * 11 // 10)
    assert refusal(floor.fund(PERP, 1)).code == r.INSTRUMENT_NOT_OPEN
    floor.cut()


def test_what_everyone_sees_of_a_perpetuals_end() -> None:
    floor = open_floor()
    market = PublicMarket(floor.state.instruments)

    def show(events: tuple[Event, ...]) -> None:
        market.take(floor.state.sequence, floor.time_ns, events)

    show(floor.sell(0, floor.near(PERP), 2, PERP))
    show(floor.buy(1, floor.near(PERP), 2, PERP))
    assert market.open_interest_lots(PERP) == 2
    show(floor.delist(PERP, END_S))
    assert market.state_of(((PERP, 1),)) == OPEN
    show(floor.advance(END_S - START_S))
    assert market.state_of(((PERP, 1),)) == HALTED
    show(floor.settle_perpetual(PERP, BTC_INDEX))
    assert market.state_of(((PERP, 1),)) == DELISTED
    assert market.open_interest_lots(PERP) == 0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
    st.integers(BTC_INDEX * 9 // 10, BTC_INDEX * 11 // 10),
)
def test_every_position_closes_and_no_micro_is_lost(
    lots: list[int], random: object, price: int
) -> None:
    """Whoever holds what: after it nobody holds anything, and cash changed hands to the micro."""
    floor = open_floor(2 * len(lots), watched=False)
    shorts = list(range(2 * len(lots)))
    random.shuffle(shorts)  # type: ignore
    for at, size in enumerate(lots):
        trade(floor, shorts[2 * at], shorts[2 * at + 1], size, PERP)
        if at:
            trade(floor, shorts[2 * at - 1], shorts[2 * at], size, PERP)
        floor.mark(0, BTC_INDEX + at * 1_000_003)
    floor.delist(PERP, END_S)
    floor.time_ns = END_S * NS
    floor.watched = True
    events = floor.settle_perpetual(PERP, price)
    assert was_accepted(events)
    assert all(not account.positions for account in floor.state.accounts.values())
    fees = floor.state.fee_cash_micro
    cash = sum(account.cash_micro for account in floor.state.accounts.values())
    assert cash + fees == floor.state.credited_micro
    floor.cut()


# REFUSALS


@told(r.UNKNOWN_INSTRUMENT, 99, len(LISTINGS))
def delisting_what_nobody_listed(floor: Floor) -> tuple[Event, ...]:
    return floor.delist(99)


@told(r.OPEN_INTEREST, CALL_90, 3)
def delisting_what_is_held(floor: Floor) -> tuple[Event, ...]:
    trade(floor, 0, 1, 3, CALL_90)
    return floor.delist(CALL_90)


@told(r.OPEN_INTEREST, PERP, 2)
def delisting_a_perpetual_at_once_that_is_held(floor: Floor) -> tuple[Event, ...]:
    trade(floor, 0, 1, 2, PERP)
    return floor.delist(PERP)


@told(r.INSTRUMENT_NOT_OPEN, FUT)
def delisting_what_is_settled(floor: Floor) -> tuple[Event, ...]:
    floor.advance(MARCH - START_S)
    floor.settle(0, BTC_INDEX)
    return floor.delist(FUT)


@told(r.ALREADY_ENDING, CALL_90, START_S)
def delisting_twice(floor: Floor) -> tuple[Event, ...]:
    floor.delist(CALL_90)
    return floor.delist(CALL_90)


@told(r.ALREADY_ENDING, PERP, END_S)
def another_end_than_the_one_that_was_announced(floor: Floor) -> tuple[Event, ...]:
    floor.delist(PERP, END_S)
    return floor.delist(PERP, END_S + 60)


@told(r.NOT_LINEAR, FUT)
def an_announced_end_of_a_future(floor: Floor) -> tuple[Event, ...]:
    return floor.delist(FUT, END_S)


@told(r.END_TOO_SOON, START_S + 1_799, START_S + 1_800)
def an_end_whose_samples_have_begun(floor: Floor) -> tuple[Event, ...]:
    return floor.delist(PERP, START_S + 1_799)


@told(r.UNKNOWN_INSTRUMENT, 99, len(LISTINGS))
def settling_what_nobody_listed(floor: Floor) -> tuple[Event, ...]:
    return floor.settle_perpetual(99, BTC_INDEX)


@told(r.END_NOT_ANNOUNCED, PERP)
def settling_a_perpetual_out_of_the_blue(floor: Floor) -> tuple[Event, ...]:
    return floor.settle_perpetual(PERP, BTC_INDEX)


@told(r.NOT_YET_EXPIRED, END_S, START_S)
def settling_a_perpetual_before_its_end(floor: Floor) -> tuple[Event, ...]:
    floor.delist(PERP, END_S)
    return floor.settle_perpetual(PERP, BTC_INDEX)


@told(r.MARK_OUT_OF_BOUNDS, PERP)
def settling_a_perpetual_at_nothing(floor: Floor) -> tuple[Event, ...]:
    floor.delist(PERP, END_S)
    floor.advance(END_S - START_S)
    return floor.settle_perpetual(PERP, 0)


@told(r.AMOUNT_OUT_OF_RANGE, 1_907_449_015, MAX_VALUE_MICRO // 2)
def settling_a_perpetual_beyond_what_an_accrual_holds(floor: Floor) -> tuple[Event, ...]:
    floor.fund(PERP, -(MAX_VALUE_MICRO // 2 - 1_000_000_000))
    floor.delist(PERP, END_S)
    floor.advance(END_S - START_S)
    return floor.settle_perpetual(PERP, 2_863_310_615)


@told(r.SAMPLE_NOT_SEEN, 1, index_of(0))
def settling_a_perpetual_at_what_was_not_seen(floor: Floor) -> tuple[Event, ...]:
    floor.delist(PERP, END_S)
    floor.time_ns = (END_S - 1_800) * NS
    floor.mark(0, index_of(0))
    floor.time_ns = END_S * NS
    return floor.settle_perpetual(PERP, 1)


@pytest.mark.parametrize(("story", "expected"), STORIES, ids=[s.__name__ for s, _ in STORIES])
def test_an_end_is_refused_and_leaves_no_trace(story: Story, expected: Reject) -> None:
    assert refusal(story(open_floor())) == expected
    assert "{" not in expected.message
