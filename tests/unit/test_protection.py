"""Market-maker protection in the engine: counted as it fills, capped, tripped, thawed, reset."""

import pytest

from exchange import events as e
from exchange.events import Event
from margin.protection import DELTA, QUANTITY, VEGA, delta_e6, vega_micro
from matching import rejects as r
from matching.orders import FOK, IOC
from matching.rejects import Reject
from settlement.signed_messages import Conditions
from tests.floor import (
    CALL_90,
    CALL_100,
    NS,
    PERP,
    PUT_90,
    Floor,
    cancel_reasons,
    of_type,
    open_floor,
    owner_of,
    refusal,
)

VERTICAL = ((CALL_90, 1), (CALL_100, -1))
LOW, HIGH = 93_000_000, 94_000_000
IN_GROUP = Conditions(protection=1)


@pytest.fixture
def floor() -> Floor:
    return open_floor(4)


def tripped(events: tuple[Event, ...]) -> list[tuple[int, int, int, int, int]]:
    return [
        (event.account, event.group, event.what, event.got, event.limit)
        for event in of_type(events, e.ProtectionTripped)
    ]


def traded(events: tuple[Event, ...], maker: int) -> int:
    return sum(f.quantity_lots for f in of_type(events, e.OrderFilled) if f.maker == maker)


def quote_both_calls(floor: Floor, lots: int = 8) -> None:
    near = floor.near(CALL_100)
    quotes = [(CALL_90, LOW, lots, HIGH, lots), (CALL_100, near - 10_000, lots, near, lots)]
    assert not of_type(floor.quote(0, quotes, protection=1), e.QuoteRejected)


# IT TRIPS


def test_one_order_takes_a_group_to_its_limit_and_no_further(floor: Floor) -> None:
    floor.protect(0, lots=5)
    quote_both_calls(floor)
    floor.sell(1, HIGH, 4, CALL_90)
    events = floor.buy(2, HIGH, 10, CALL_90)
    assert traded(events, 0) == 5
    assert traded(events, 1) == 4  # whoever stands behind it trades on
    assert tripped(events) == [(0, 1, QUANTITY, 5, 5)]
    assert cancel_reasons(events) == [e.CANCELLED_PROTECTED] * 4
    assert not floor.account(0).orders
    (rested,) = of_type(events, e.OrderRested)
    assert rested.remaining_lots == 1


def test_fills_of_several_commands_add_up_over_books_and_sides(floor: Floor) -> None:
    floor.protect(0, lots=5)
    quote_both_calls(floor)
    near = floor.near(CALL_100)
    assert tripped(floor.buy(1, HIGH, 2, CALL_90)) == []
    assert tripped(floor.sell(1, near - 10_000, 2, CALL_100)) == []
    events = floor.buy(2, near, 3, CALL_100, time_in_force=IOC)
    assert traded(events, 0) == 1
    assert tripped(events) == [(0, 1, QUANTITY, 5, 5)]


def test_what_left_the_window_counts_no_more(floor: Floor) -> None:
    floor.protect(0, lots=5, window_ms=2_000)
    quote_both_calls(floor)
    floor.buy(1, HIGH, 3, CALL_90)
    floor.advance(2)
    events = floor.buy(1, HIGH, 4, CALL_90)
    assert (traded(events, 0), tripped(events)) == (4, [])


@pytest.mark.parametrize("what", [DELTA, VEGA])
def test_delta_and_vega_trip_with_the_fill_that_reaches_them(floor: Floor, what: int) -> None:
    instrument = floor.state.instruments[CALL_90]
    of_a_lot = (delta_e6 if what == DELTA else vega_micro)(floor.state.marks, instrument)
    limit = of_a_lot * 3
    floor.protect(0, **{"delta_e6" if what == DELTA else "vega_micro": limit})  # type: ignore
    for at in range(4):
        floor.sell(0, HIGH + at * 10_000, 2, CALL_90, conditions=IN_GROUP)
    events = floor.buy(1, HIGH + 50_000, 8, CALL_90)
    assert traded(events, 0) == 4
    assert tripped(events) == [(0, 1, what, -4 * of_a_lot, limit)]  # who sells a call is short both
    assert not floor.account(0).orders


def test_fills_on_both_sides_make_no_delta(floor: Floor) -> None:
    limit = delta_e6(floor.state.marks, floor.state.instruments[CALL_90]) * 3
    floor.protect(0, delta_e6=limit)
    quote_both_calls(floor)
    for _ in range(3):
        assert tripped(floor.buy(1, HIGH, 2, CALL_90)) == []
        assert tripped(floor.sell(2, LOW, 2, CALL_90)) == []


def test_an_order_that_takes_is_counted_and_capped_too(floor: Floor) -> None:
    floor.protect(0, lots=5)
    floor.sell(0, HIGH + 10_000, 3, CALL_90, conditions=IN_GROUP)
    floor.sell(1, LOW, 9, CALL_90)
    events = floor.buy(0, LOW, 8, CALL_90, conditions=IN_GROUP)
    assert traded(events, 1) == 5
    assert tripped(events) == [(0, 1, QUANTITY, 5, 5)]
    assert cancel_reasons(events) == [e.CANCELLED_PROTECTED] * 2
    assert not floor.account(0).orders


def test_fill_or_kill_counts_only_what_the_group_may_trade(floor: Floor) -> None:
    floor.protect(0, lots=5)
    quote_both_calls(floor)
    events = floor.buy(1, HIGH, 6, CALL_90, time_in_force=FOK)
    assert refusal(events) == Reject(r.CANNOT_FILL, 6, 5)
    assert traded(floor.buy(1, HIGH, 5, CALL_90, time_in_force=FOK), 0) == 5


def test_groups_and_accounts_do_not_touch_each_other(floor: Floor) -> None:
    floor.protect(0, lots=2)
    floor.protect(0, 2, lots=20)
    floor.protect(3, lots=20)
    floor.sell(0, HIGH, 2, CALL_90, conditions=IN_GROUP)
    floor.sell(0, HIGH, 2, CALL_90, conditions=Conditions(protection=2))
    floor.sell(0, HIGH, 2, CALL_90)
    floor.sell(3, HIGH, 2, CALL_90, conditions=IN_GROUP)
    events = floor.buy(1, HIGH, 8, CALL_90)
    assert traded(events, 0) == 6
    assert tripped(events) == [(0, 1, QUANTITY, 2, 2)]


def test_a_mass_quote_that_trips_its_group_places_nothing_more(floor: Floor) -> None:
    floor.protect(0, lots=3)
    floor.buy(1, HIGH, 5, CALL_90)
    near = floor.near(CALL_100)
    quotes = [(CALL_90, LOW, 5, HIGH, 5), (CALL_100, near - 10_000, 5, near, 5)]
    events = floor.quote(0, quotes, protection=1)
    assert tripped(events) == [(0, 1, QUANTITY, 3, 3)]
    codes = [event.code for event in of_type(events, e.QuoteRejected)]
    assert codes == [r.PROTECTION_FROZEN] * 2
    assert not floor.account(0).orders


# COMBOS


def test_a_combo_that_takes_two_legs_of_one_group_counts_both(floor: Floor) -> None:
    floor.protect(0, lots=6)
    quote_both_calls(floor)
    events = floor.buy(1, 90_000_000, 8, VERTICAL, time_in_force=IOC)
    assert traded(events, 0) == 6  # three units, two lots each
    assert tripped(events) == [(0, 1, QUANTITY, 6, 6)]


def test_a_leg_whose_group_has_too_little_left_for_a_unit_stays(floor: Floor) -> None:
    floor.protect(0, lots=5)
    quote_both_calls(floor)
    events = floor.buy(1, 90_000_000, 8, VERTICAL, time_in_force=IOC)
    assert traded(events, 0) == 4
    assert tripped(events) == []
    assert len(floor.account(0).orders) == 4


def test_a_combo_order_counts_in_units_and_its_legs_make_its_delta(floor: Floor) -> None:
    floor.protect(0, lots=3)
    floor.sell(0, 60_000_000, 5, VERTICAL, conditions=IN_GROUP)
    events = floor.buy(1, 60_000_000, 5, VERTICAL)
    assert [event.units for event in of_type(events, e.ComboFilled)] == [3]
    assert tripped(events) == [(0, 1, QUANTITY, 3, 3)]


def test_a_combo_met_through_a_leg_and_the_maker_of_the_other_are_counted(floor: Floor) -> None:
    floor.protect(0, lots=3)
    floor.protect(3, lots=2)
    near = floor.near(CALL_100)
    floor.buy(0, HIGH - near, 5, VERTICAL, conditions=IN_GROUP)
    floor.sell(3, HIGH, 5, CALL_90, conditions=IN_GROUP)
    events = floor.buy(1, near, 5, CALL_100)
    assert [event.units for event in of_type(events, e.ComboFilled)] == [2]
    assert tripped(events) == [(3, 1, QUANTITY, 2, 2)]
    assert floor.lots(3, CALL_90) == -2
    events = floor.sell(2, HIGH, 5, CALL_90)  # meets what is left of the bid, through the combo
    assert [event.units for event in of_type(events, e.ComboFilled)] == [1]
    assert tripped(events) == [(0, 1, QUANTITY, 3, 3)]


# FROZEN, THAWED, RESET, SET


def test_a_frozen_group_takes_nothing_until_it_thaws(floor: Floor) -> None:
    floor.protect(0, lots=5, frozen_ms=1_500)
    quote_both_calls(floor)
    floor.buy(1, HIGH, 5, CALL_90)
    floor.time_ns += NS // 2 + 1
    frozen = Reject(r.PROTECTION_FROZEN, 1, 1_000)
    assert refusal(floor.sell(0, HIGH, 1, CALL_90, conditions=IN_GROUP)) == frozen
    assert refusal(floor.quote(0, [(CALL_90, LOW, 1, HIGH, 1)], protection=1)) == frozen
    floor.sell(0, HIGH, 1, CALL_90)  # not of the group
    floor.time_ns += NS - 1
    floor.sell(0, HIGH, 5, CALL_90, conditions=IN_GROUP)
    events = floor.buy(1, HIGH, 6, CALL_90)
    assert tripped(events) == [(0, 1, QUANTITY, 5, 5)]


def test_a_group_without_a_freeze_waits_for_its_reset(floor: Floor) -> None:
    floor.protect(0, lots=5, frozen_ms=0)
    quote_both_calls(floor)
    floor.buy(1, HIGH, 5, CALL_90)
    floor.advance(3_000)
    events = floor.sell(0, HIGH, 1, CALL_90, conditions=IN_GROUP)
    assert refusal(events) == Reject(r.PROTECTION_TRIPPED, 1)
    assert floor.reset_protection(0) == (e.ProtectionReset(0, 1),)
    quote_both_calls(floor)


def test_a_reset_forgets_what_was_traded(floor: Floor) -> None:
    floor.protect(0, lots=5)
    quote_both_calls(floor)
    floor.buy(1, HIGH, 4, CALL_90)
    floor.reset_protection(0)
    events = floor.buy(1, HIGH, 4, CALL_90)
    assert (traded(events, 0), tripped(events)) == (4, [])


def test_a_waiting_order_goes_with_its_group(floor: Floor) -> None:
    floor.protect(0, lots=5)
    quote_both_calls(floor)
    hash_ = of_type(
        floor.sell(0, HIGH, 1, PERP, conditions=Conditions(trigger=3, trigger_price_micro=10**10,
                                                           protection=1)),
        e.OrderAwaiting,
    )[0].order_hash  # fmt: skip
    floor.buy(1, HIGH, 5, CALL_90)
    assert hash_ not in floor.state.waiting.by_hash


def test_terms_are_taken_once_and_by_whoever_may_sign(floor: Floor) -> None:
    events = floor.protect(0, lots=5, delta_e6=6, vega_micro=7, window_ms=8, frozen_ms=9, salt=5)
    assert events == (e.ProtectionSet(0, 1, 8, 9, 5, 6, 7),)
    again = floor.protect(0, lots=5, delta_e6=6, vega_micro=7, window_ms=8, frozen_ms=9, salt=5)
    assert refusal(again).code == r.MESSAGE_ALREADY_USED
    assert refusal(floor.protect(0, signer=owner_of(1))).code == r.WRONG_SIGNER
    assert refusal(floor.reset_protection(0, signer=owner_of(1))).code == r.WRONG_SIGNER
    assert floor.reset_protection(0, salt=9) == (e.ProtectionReset(0, 1),)
    assert refusal(floor.reset_protection(0, salt=9)).code == r.MESSAGE_ALREADY_USED


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("group", 0, Reject(r.PROTECTION_OUT_OF_RANGE, 0, 255)),
        ("window_ms", 0, Reject(r.PROTECTION_OUT_OF_RANGE, 0, 3_600_000)),
        ("window_ms", 3_600_001, Reject(r.PROTECTION_OUT_OF_RANGE, 3_600_001, 3_600_000)),
        ("frozen_ms", 86_400_001, Reject(r.PROTECTION_OUT_OF_RANGE, 86_400_001, 86_400_000)),
        ("delta_e6", 1 << 62, Reject(r.PROTECTION_OUT_OF_RANGE, 1 << 62, (1 << 62) - 1)),
        ("vega_micro", 1 << 62, Reject(r.PROTECTION_OUT_OF_RANGE, 1 << 62, (1 << 62) - 1)),
    ],
)
def test_terms_out_of_range_are_refused(
    floor: Floor, field: str, value: int, expected: Reject
) -> None:
    assert refusal(floor.protect(0, **{field: value})) == expected  # type: ignore


def test_a_group_that_nobody_set_has_no_orders(floor: Floor) -> None:
    events = floor.sell(0, HIGH, 1, CALL_90, conditions=IN_GROUP)
    assert refusal(events) == Reject(r.PROTECTION_NOT_SET, 1)
    assert refusal(floor.reset_protection(0)) == Reject(r.PROTECTION_NOT_SET, 1)


# MARGIN


def test_a_group_rests_with_margin_for_its_limit_alone() -> None:
    """Sound because of the cap: without it the account would trade what it cannot carry."""
    floor = open_floor(3, 6_000_000_000)
    lots = 400
    unprotected = floor.sell(0, HIGH, lots, CALL_90)
    assert refusal(unprotected).code == r.MARGIN
    floor.protect(0, lots=10)
    floor.sell(0, HIGH, lots, CALL_90, conditions=IN_GROUP)
    floor.buy(0, floor.near(PUT_90) - 10_000, lots, PUT_90, conditions=IN_GROUP)
    events = floor.buy(1, HIGH, 20, CALL_90)
    assert traded(events, 0) == 10
    excess = floor.state.portfolio.excess_micro(floor.account(0))
    assert excess >= 0
    assert not floor.account(0).orders


def test_a_limit_that_margin_does_not_carry_is_refused() -> None:
    floor = open_floor(3, 3_000_000_000)
    floor.protect(0, lots=10)
    floor.sell(0, HIGH, 400, CALL_90, conditions=IN_GROUP)
    for lots in (400, 0):
        assert refusal(floor.protect(0, lots=lots)).code == r.MARGIN
    assert of_type(floor.protect(0, lots=9), e.ProtectionSet)
