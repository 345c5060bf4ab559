"""Post-only orders that slide: they rest a tick short of the price that they would have met."""

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.events import CommandRejected, OrderFilled, OrderRested
from matching.orders import BUY, POST_ONLY, SELL, SLIDE
from matching.rejects import WOULD_CROSS
from settlement.signed_messages import MAX_PRICE_MICRO
from tests.floor import CALL_90, open_floor

TICK = 10_000


@settings(max_examples=60, deadline=None)
@given(best=st.integers(2, 60), limit=st.integers(1, 60), side=st.sampled_from((BUY, SELL)))
def test_it_rests_at_the_nearest_price_to_its_limit_that_does_not_trade(
    best: int, limit: int, side: int
) -> None:
    floor = open_floor(2)
    meets, slides = (floor.sell, floor.buy) if side == BUY else (floor.buy, floor.sell)
    meets(0, best * TICK, 3, CALL_90)
    happened = slides(1, limit * TICK, 5, CALL_90, flags=POST_ONLY | SLIDE)
    rested = [event for event in happened if isinstance(event, OrderRested)]
    expected = min(limit, best - 1) if side == BUY else max(limit, best + 1)
    assert [event.price_micro for event in rested] == [expected * TICK]
    assert not any(isinstance(event, OrderFilled) for event in happened)


def test_there_is_nothing_above_the_highest_price_to_slide_to() -> None:
    floor = open_floor(2)
    highest = MAX_PRICE_MICRO // TICK * TICK
    floor.buy(0, highest, 1, CALL_90)
    (refused,) = floor.sell(1, TICK, 1, CALL_90, flags=POST_ONLY | SLIDE)
    assert isinstance(refused, CommandRejected)
    assert refused.code == WOULD_CROSS


def test_there_is_nothing_below_one_tick_to_slide_to() -> None:
    floor = open_floor(2)
    floor.sell(0, TICK, 3, CALL_90)
    (refused,) = floor.buy(1, 4 * TICK, 5, CALL_90, flags=POST_ONLY | SLIDE)
    assert isinstance(refused, CommandRejected)
    assert refused.code == WOULD_CROSS
