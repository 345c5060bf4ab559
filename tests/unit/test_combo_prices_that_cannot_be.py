"""A combo order that could rest for ever and trade with nobody is refused."""

import pytest

from exchange.state_digest import state_hash
from matching.orders import BUY, SELL
from matching.rejects import PRICE_OUT_OF_RANGE
from tests.floor import CALL_90, CALL_100, open_floor, refusal, was_accepted

STRANGLE = ((CALL_90, 1), (CALL_100, 1))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_two_calls_for_less_than_nothing_are_refused_and_leave_no_trace(side: int) -> None:
    floor = open_floor()
    before = state_hash(floor.state)
    place = floor.buy if side == BUY else floor.sell
    assert refusal(place(0, -10_000, 1, STRANGLE)).code == PRICE_OUT_OF_RANGE
    assert state_hash(floor.state) == before
    assert was_accepted(place(0, 10_000, 1, STRANGLE))
