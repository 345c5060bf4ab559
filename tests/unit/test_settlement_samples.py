"""An expiry settles at the mean of what the exchange itself saw, to the micro; a sample that says
otherwise is refused.
"""

from hypothesis import given
from hypothesis import strategies as st

from exchange import events as e
from exchange.settlement_samples import SettlementSamples
from matching import rejects as r
from matching.rejects import Reject
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    DAY_S,
    FUT,
    MARCH,
    NS,
    PERP,
    START_S,
    Floor,
    of_type,
    open_floor,
    refusal,
    was_accepted,
)
from tests.model.settlement_samples import Told, seen_samples

OPENS_S = MARCH - 1_800


def index_of(minute: int) -> int:
    """An index that no other minute has, and whose mean is no whole number."""
    return BTC_INDEX + 7_777 * minute + minute * minute


def floor_at_settlement(minutes: int = 30) -> Floor:
    """A floor on which the index changed every minute of the last half hour, at its second 40, up
    to `minutes` of them; the sample of a minute is the index of the one before.
    """
    floor = open_floor(2)
    price = floor.near(CALL_90)
    for number in (CALL_90, FUT):
        price = floor.near(number)
        floor.sell(1, price, 5, number)
        assert was_accepted(floor.buy(0, price, 5, number))
    for minute in range(minutes):
        floor.time_ns = (OPENS_S - 20 + 60 * minute) * NS
        floor.mark(0, index_of(minute))
    floor.time_ns = MARCH * NS
    return floor


def test_thirty_minutes_that_were_seen_settle_to_the_micro() -> None:
    floor = floor_at_settlement()
    samples = [index_of(minute) for minute in range(30)]
    price = (2 * sum(samples) + 30) // 60
    paid = 5 * (price - 900_000_000)
    events = floor.settle(0, *samples)
    assert of_type(events, e.SettlementSampled) == [e.SettlementSampled(0, 30)]
    assert of_type(events, e.ExpirySettled) == [e.ExpirySettled(0, price)]
    settled = of_type(floor.withdraw(0, 1), e.PositionSettled)
    assert [event for event in settled if event.instrument == CALL_90] == [
        e.PositionSettled(0, CALL_90, paid, 1)
    ]
    assert all(event.closed == 1 for event in settled)
    floor.withdraw(1, 1)
    assert not floor.account(0).positions
    assert not floor.account(1).positions
    floor.cut()


def test_one_sample_of_thirty_that_is_a_micro_off_is_caught() -> None:
    samples = [index_of(minute) for minute in range(30)]
    for at in range(30):
        floor = floor_at_settlement()
        told = [*samples[:at], samples[at] + 1, *samples[at + 1 :]]
        expected = Reject(r.SAMPLE_NOT_SEEN, samples[at] + 1, samples[at])
        assert refusal(floor.settle(0, *told)) == expected
        assert expected.message
        assert was_accepted(floor.settle(0, *samples))


def test_what_an_exchange_that_was_down_did_not_see_is_the_operators_word() -> None:
    floor = floor_at_settlement(12)  # the last index is in force for the minute that follows, too
    samples = [index_of(minute) for minute in range(12)]
    missing = [123_456_789] * 18
    assert refusal(floor.settle(0, *samples[:11], 1, *missing)).code == r.SAMPLE_NOT_SEEN
    events = floor.settle(0, *samples, *missing)
    assert of_type(events, e.SettlementSampled) == [e.SettlementSampled(0, 12)]


def test_samples_wait_for_a_settlement_that_comes_late() -> None:
    floor = floor_at_settlement()
    floor.time_ns += 3 * DAY_S * NS
    floor.mark(0, 10**9)
    told = refusal(floor.settle(0, 10**9))
    assert told == Reject(r.SAMPLE_NOT_SEEN, 10**9, index_of(0))
    events = floor.settle(0, *[index_of(minute) for minute in range(30)])
    assert of_type(events, e.SettlementSampled) == [e.SettlementSampled(0, 30)]


def test_the_index_of_the_very_nanosecond_is_in_force_and_the_next_is_not() -> None:
    samples = SettlementSamples()
    samples.listed(0, 4, MARCH)
    minute_ns = OPENS_S * NS
    samples.take(0, minute_ns - 60 * NS, 7)
    assert samples.seen(0, 4, minute_ns)[0] == 7
    samples.take(0, minute_ns, 8)
    samples.take(0, minute_ns, 9)
    samples.take(0, minute_ns + 1, 10)
    assert samples.seen(0, 4, minute_ns + 60 * NS)[:2] == (9, 10)
    samples.take(0, minute_ns + 60 * NS, 11)
    samples.take(0, minute_ns + 61 * NS, 12)
    assert samples.seen(0, 4, minute_ns + 120 * NS)[:3] == (9, 11, 12)
    samples.settled(0, 4)
    assert not any(samples.seen(0, 4, MARCH * NS))


moments = st.one_of(
    st.integers(-200 * NS, 2_000 * NS),
    st.tuples(st.integers(-2, 31), st.integers(-1, 1)).map(lambda at: at[0] * 60 * NS + at[1]),
)
updates = st.lists(st.tuples(moments, st.integers(1, 1 << 34)), max_size=60)


@given(updates, st.integers(0, 4_000), st.integers(0, 3))
def test_samples_are_those_of_whoever_remembers_everything(
    told: list[Told], asked_s: int, extra: int
) -> None:
    """Other expiries of the underlying, earlier, later and at the same second, do not matter."""
    samples = SettlementSamples()
    for number in range(extra):
        samples.listed(0, number, MARCH + 600 * (number - 1))
    samples.listed(0, 9, MARCH)
    history = [(OPENS_S * NS + at, index) for at, index in sorted(told)]
    now_ns = max([OPENS_S * NS + asked_s * NS, *(at for at, _ in history)])
    for time_ns, index in history:
        samples.take(0, time_ns, index)
        samples.take(1, time_ns, 1)
    assert list(samples.seen(0, 9, now_ns)) == seen_samples(history, MARCH, now_ns)


def test_a_perpetual_and_other_expiries_go_on() -> None:
    floor = floor_at_settlement()
    floor.settle(0, *[index_of(minute) for minute in range(30)])
    assert floor.time_s > START_S
    assert was_accepted(floor.buy(0, floor.near(PERP), 1, PERP))
