"""Every way in which the engine says no: the right number, what was got, what would be right.

Holds: each story is told on a watched floor, which compares the state's digest before and after and
recomputes every invariant; no code that the engine can give is without a story.
"""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from exchange import commands as c
from exchange.events import CANCELLED_MARGIN_MAKER, CommandRejected, Event, QuoteRejected
from exchange.invariants import excess_micro
from exchange.limits import BAND_INDEX_E4, BURST_ORDERS, MAX_ORDER_LOTS, ORDERS_A_SECOND
from exchange.state_digest import state_hash
from exchange.volatility_orders import MAX_VOLATILITY_ORDERS
from matching import rejects as r
from matching.combo_life import MAX_COMBOS
from matching.combos import COMBO_BASE
from matching.instruments import CALL, FUTURE, NO_EXPIRY, PERPETUAL, PUT
from matching.orders import (
    FOK,
    GTC,
    IN_VOLATILITY,
    IOC,
    KNOWN_FLAGS,
    MARKET,
    POST_ONLY,
    REDUCE_ONLY,
    SLIDE,
    UNTIL_DISCONNECT,
    Order,
)
from matching.rejects import TEMPLATES, Reject
from matching.trading_states import (
    CANCEL_ONLY,
    HALTED,
    INSTRUMENT,
    OPEN,
    POST_ONLY_STATE,
    PRE_OPEN,
    SETTLED,
    UNDERLYING,
    VENUE,
)
from settlement.account_messages import Withdraw
from settlement.signed_messages import (
    MAX_VOLATILITY_E6,
    OF_ALL,
    OF_COMBOS,
    OF_INSTRUMENT,
    Conditions,
    order_hash,
    struct_hash,
)
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    CHAIN_ID,
    DAY_S,
    FUT,
    HUGE_FEE,
    JUNE,
    JUNE_CALL,
    LISTINGS,
    MARCH,
    NO_SIGNATURE,
    OPERATOR,
    PERP,
    PUT_90,
    SETTLEMENT,
    SMILE,
    START_S,
    Floor,
    Listing,
    cancel_reasons,
    fills,
    of_type,
    open_floor,
    owner_of,
    placed_hash,
    refusal,
    was_accepted,
)
from tests.unit.test_collateral import STORIES as TOLD_OF_COLLATERAL
from tests.unit.test_delisting import STORIES as TOLD_OF_ENDS
from tests.unit.test_rejects_in_liquidation import STORIES as OF_LIQUIDATION
from tests.unit.test_risk_profiles import STORIES as OF_PROFILES
from tests.unit.test_transfers import STORIES as TOLD_OF_TRANSFERS

Events = tuple[Event, ...]
Story = Callable[[Floor], Events]

ROOT: Final = Path(__file__).resolve().parents[2]
LISTED: Final = len(LISTINGS)
EXPIRY_S: Final = START_S + 3_600
STRANGER: Final = b"\x66" * 20
KEY: Final = b"\x07" * 20
MOST_LOTS: Final = (1 << 24) - 1
VERTICAL: Final = ((CALL_90, 1), (CALL_100, -1))
U64: Final = (1 << 64) - 1

STORIES: Final[list[tuple[Story, Reject]]] = []


def told(code: int, got: int = 0, allowed: int = 0) -> Callable[[Story], Story]:
    def keep(story: Story) -> Story:
        STORIES.append((story, Reject(code, got, allowed)))
        return story

    return keep


# WHAT AN ORDER NAMES


@told(r.UNKNOWN_INSTRUMENT, 9, LISTED)
def an_order_in_an_instrument_that_nobody_listed(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, 9)


@told(r.UNKNOWN_INSTRUMENT, COMBO_BASE, LISTED)
def an_order_that_names_a_combos_book_as_an_instrument(floor: Floor) -> Events:
    floor.buy(0, 0, 1, VERTICAL)
    return floor.buy(0, 10_000, 1, COMBO_BASE)


@told(r.UNKNOWN_INSTRUMENT, 2**32 - 1, LISTED)
def a_combo_with_a_leg_that_nobody_listed(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ((0, 1), (2**32 - 1, -1)))


@told(r.UNKNOWN_ACCOUNT, 3, 3)
def an_order_for_an_account_that_does_not_exist(floor: Floor) -> Events:
    return floor.buy(3, 10_000, 1, CALL_90)


@told(r.INSTRUMENT_NOT_OPEN, CALL_90)
def an_order_at_the_second_of_the_expiry(floor: Floor) -> Events:
    floor.advance(MARCH - START_S)
    return floor.buy(0, 10_000, 1, CALL_90)


@told(r.INSTRUMENT_NOT_OPEN, FUT)
def a_combo_of_which_one_leg_has_settled(floor: Floor) -> Events:
    floor.advance(MARCH - START_S)
    floor.settle(0, BTC_INDEX)
    return floor.buy(0, 10_000, 1, ((PERP, 1), (FUT, -1)))


@told(r.NO_MARKS, LISTED)
def an_order_before_the_first_mark(floor: Floor) -> Events:
    floor.list_instrument(LISTINGS[CALL_90]._replace(strike_micro=910_000_000))
    return floor.buy(0, 10_000, 1, LISTED)


def many_legs(count: int) -> list[tuple[tuple[int, int], ...]]:
    """So many strategies of two calls: a whole number of one against the next prime of the other,
    so that none is a multiple of another.
    """
    primes = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71)
    pairs = [(prime, k) for prime in primes for k in range(1, 128) if k % prime]
    return [((CALL_90, a), (CALL_100, b)) for a, b in pairs[:count]]


@told(r.TOO_MANY_COMBOS_OF_ACCOUNT, 256, 256)
def an_order_in_one_combo_too_many(floor: Floor) -> Events:
    floor.watched = False
    rich = floor.open_account(10**13)
    *most, last = many_legs(257)
    for legs in most:
        assert was_accepted(floor.buy(rich, 10_000 * (legs[0][1] + legs[1][1]), 1, legs))
    assert was_accepted(floor.buy(rich, 250_000, 1, most[7]))  # one that it is in already
    assert was_accepted(floor.buy(1, 2_000_000, 1, last))
    floor.watched = True
    return floor.buy(rich, 2_000_000, 1, last)


@told(r.TOO_MANY_COMBOS, MAX_COMBOS, MAX_COMBOS)
def an_order_that_names_one_combo_too_many(floor: Floor) -> Events:
    """All others have orders (of nobody, here: that many accounts would take long to tell)."""
    floor.watched = False
    life = floor.state.combo_life
    for number in range(MAX_COMBOS):
        ratios = [1 + number % 127, -1 - number // 127 % 127, 2 + number // 16_129]
        made = life.make(tuple(zip((CALL_90, CALL_100, PUT_90), ratios, strict=True)))
        order = Order(-number, bytes(32), 0, made.book, 0, 0, 0, 1, 0, 0)
        floor.state.books[made.book].add(order)
    before = state_hash(floor.state)
    refused = floor.buy(0, 10_000, 1, VERTICAL)
    assert state_hash(floor.state) == before
    return refused


@told(r.PROTECTION_NOT_SET, 3)
def a_mass_quote_under_a_protection_group_that_nobody_set(floor: Floor) -> Events:
    return floor.quote(0, [(CALL_90, 10_000, 1, 20_000, 1)], protection=3)


@told(r.PROTECTION_NOT_SET, 3)
def an_order_under_a_protection_group_that_nobody_set(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, conditions=Conditions(protection=3))


@told(r.PROTECTION_FROZEN, 1, 5_000)
def an_order_of_a_frozen_group(floor: Floor) -> Events:
    trip(floor, 5_000)
    return floor.buy(0, 10_000, 1, CALL_90, conditions=Conditions(protection=1))


@told(r.PROTECTION_TRIPPED, 1)
def an_order_of_a_group_that_waits_for_its_reset(floor: Floor) -> Events:
    trip(floor, 0)
    return floor.buy(0, 10_000, 1, CALL_90, conditions=Conditions(protection=1))


def trip(floor: Floor, frozen_ms: int) -> None:
    floor.protect(0, lots=1, frozen_ms=frozen_ms)
    floor.sell(0, 95_000_000, 1, PERP, conditions=Conditions(protection=1))
    floor.buy(1, 95_000_000, 1, PERP)


@told(r.CANNOT_FILL, 2, 1)
def a_fill_or_kill_that_a_protected_group_would_not_fill(floor: Floor) -> Events:
    floor.protect(0, lots=1)
    floor.sell(0, 95_000_000, 2, PERP, conditions=Conditions(protection=1))
    return floor.buy(1, 95_000_000, 2, PERP, time_in_force=FOK)


@told(r.PROTECTION_OUT_OF_RANGE, 0, 255)
def protection_of_no_group(floor: Floor) -> Events:
    return floor.protect(0, 0)


@told(r.MESSAGE_ALREADY_USED)
def a_reset_sent_again(floor: Floor) -> Events:
    trip(floor, 0)
    floor.reset_protection(0, salt=5)
    return floor.reset_protection(0, salt=5)


# ITS FIELDS


@told(r.PRICE_OUT_OF_RANGE, 0, 2**34 - 1)
def a_price_of_nothing(floor: Floor) -> Events:
    return floor.buy(0, 0, 1, CALL_90)


@told(r.PRICE_OUT_OF_RANGE, -10_000, 2**34 - 1)
def a_negative_price_of_one_instrument(floor: Floor) -> Events:
    return floor.buy(0, -10_000, 1, PERP)


@told(r.PRICE_OUT_OF_RANGE, 2**34, 2**34 - 1)
def a_price_beyond_the_bound(floor: Floor) -> Events:
    return floor.buy(0, 2**34, 1, CALL_90)


@told(r.PRICE_OUT_OF_RANGE, -(2**38), 2**38 - 1)
def a_net_price_beyond_the_bound(floor: Floor) -> Events:
    return floor.sell(0, -(2**38), 1, VERTICAL)


@told(r.PRICE_OUT_OF_RANGE, -10_000, 2**38 - 1)
def a_net_price_that_no_legs_can_have(floor: Floor) -> Events:
    """Two calls for less than nothing: it would rest and meet nobody."""
    return floor.sell(0, -10_000, 1, ((CALL_90, 1), (CALL_100, 1)))


@told(r.PRICE_OUT_OF_RANGE, 17_179_870_000, 2**38 - 1)
def a_net_price_beyond_what_records_hold_of_its_legs(floor: Floor) -> Events:
    """One tick above 2^34; a vertical costs at most its long leg."""
    return floor.buy(0, 17_179_870_000, 1, VERTICAL)


@told(r.PRICE_OFF_TICK, 10_001, 10_000)
def a_price_between_two_ticks(floor: Floor) -> Events:
    return floor.buy(0, 10_001, 1, CALL_90)


@told(r.PRICE_OFF_TICK, 15_000, 10_000)
def a_net_price_between_two_ticks_of_a_combo_that_nobody_named_before(floor: Floor) -> Events:
    return floor.buy(0, 15_000, 1, VERTICAL)


@told(r.QUANTITY_OUT_OF_RANGE, 0, MOST_LOTS)
def a_quantity_of_nothing(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 0, CALL_90)


@told(r.QUANTITY_OUT_OF_RANGE, MOST_LOTS + 1, MOST_LOTS)
def a_quantity_beyond_the_bound(floor: Floor) -> Events:
    return floor.buy(0, 10_000, MOST_LOTS + 1, CALL_90)


@told(r.UNKNOWN_SIDE, 2)
def a_side_that_is_neither(floor: Floor) -> Events:
    return floor.submit(floor.sign(0, 2, 10_000, 1, CALL_90))


@told(r.UNKNOWN_TIME_IN_FORCE, 3)
def a_time_in_force_that_nobody_knows(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, time_in_force=3)


@told(r.UNKNOWN_FLAG, 1 << 15, KNOWN_FLAGS)
def a_flag_without_a_meaning(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, flags=1 << 15)


@told(r.DISPLAY_OUT_OF_RANGE, 2, 3)
def an_iceberg_that_shows_less_than_a_hundredth(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 201, CALL_90, conditions=Conditions(display_lots=2))


@told(r.DISPLAY_OUT_OF_RANGE, 8, 7)
def an_order_that_would_show_more_than_it_has(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 7, CALL_90, conditions=Conditions(display_lots=8))


@told(r.DISPLAY_NEEDS_GTC, IOC)
def an_iceberg_that_would_not_rest(floor: Floor) -> Events:
    iceberg = Conditions(display_lots=2)
    return floor.buy(0, 10_000, 7, CALL_90, time_in_force=IOC, conditions=iceberg)


@told(r.DISPLAY_NEEDS_GTC, FOK)
def a_combo_that_would_fill_or_go_and_hide(floor: Floor) -> Events:
    iceberg = Conditions(display_lots=2)
    return floor.buy(0, 10_000, 7, VERTICAL, time_in_force=FOK, conditions=iceberg)


@told(r.VOLATILITY_OUT_OF_RANGE, 7, MAX_VOLATILITY_E6)
def a_volatility_that_no_flag_asks_for(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, conditions=Conditions(volatility_e6=7))


@told(r.VOLATILITY_OUT_OF_RANGE, 0, MAX_VOLATILITY_E6)
def a_price_in_a_volatility_that_is_not_said(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, flags=IN_VOLATILITY)


@told(r.VOLATILITY_OUT_OF_RANGE, MAX_VOLATILITY_E6 + 1, MAX_VOLATILITY_E6)
def a_volatility_beyond_the_bound(floor: Floor) -> Events:
    conditions = Conditions(volatility_e6=MAX_VOLATILITY_E6 + 1)
    return floor.buy(0, 10_000, 1, CALL_90, flags=IN_VOLATILITY, conditions=conditions)


@told(r.VOLATILITY_NEEDS_OPTION, PERP)
def a_perpetual_priced_in_volatility(floor: Floor) -> Events:
    conditions = Conditions(volatility_e6=500_000)
    return floor.buy(0, 10_000, 1, PERP, flags=IN_VOLATILITY, conditions=conditions)


@told(r.VOLATILITY_NEEDS_OPTION, CALL_90)
def a_combo_priced_in_volatility(floor: Floor) -> Events:
    conditions = Conditions(volatility_e6=500_000)
    return floor.buy(0, 10_000, 1, VERTICAL, flags=IN_VOLATILITY, conditions=conditions)


@told(r.VOLATILITY_NEEDS_GTC, IOC, GTC)
def an_order_in_volatility_that_would_not_rest(floor: Floor) -> Events:
    return floor.buy(
        0,
        10_000,
        1,
        CALL_90,
        time_in_force=IOC,
        flags=IN_VOLATILITY,
        conditions=Conditions(volatility_e6=500_000),
    )


@told(r.TOO_MANY_VOLATILITY_ORDERS, MAX_VOLATILITY_ORDERS, MAX_VOLATILITY_ORDERS)
def one_order_in_volatility_more_than_an_account_may_have(floor: Floor) -> Events:
    conditions = Conditions(volatility_e6=1)
    for _ in range(MAX_VOLATILITY_ORDERS):
        floor.buy(0, 10_000, 1, CALL_90, flags=IN_VOLATILITY, conditions=conditions)
    return floor.buy(0, 10_000, 1, CALL_90, flags=IN_VOLATILITY, conditions=conditions)


@told(r.SESSION_NEEDED, UNTIL_DISCONNECT)
def an_order_until_disconnect_that_came_on_no_connection(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 5, CALL_90, flags=UNTIL_DISCONNECT)


@told(r.MIN_QUANTITY_OUT_OF_RANGE, 6, 5)
def a_minimum_of_more_than_the_whole(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 5, CALL_90, conditions=Conditions(min_quantity_lots=6))


@told(r.SLIDE_NEEDS_POST_ONLY, SLIDE)
def an_order_that_slides_and_may_take(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 5, CALL_90, flags=SLIDE)


@told(r.REDUCE_ONLY_IS_SINGLE, 2)
def a_combo_that_may_only_reduce(floor: Floor) -> Events:
    hold(floor, 0, 5)
    return floor.sell(0, -500_000, 5, VERTICAL, flags=REDUCE_ONLY)


@told(r.NOTHING_TO_REDUCE, 0)
def a_reduce_only_order_of_who_has_no_position(floor: Floor) -> Events:
    return floor.sell(0, 10_000, 5, CALL_90, flags=REDUCE_ONLY)


@told(r.NOTHING_TO_REDUCE, 5)
def a_reduce_only_order_that_would_add_to_the_position(floor: Floor) -> Events:
    hold(floor, 0, 5)
    return floor.buy(0, 10_000, 1, CALL_90, flags=REDUCE_ONLY)


@told(r.CANNOT_FILL, 6, 5)
def a_fill_or_kill_order_of_more_than_the_position_that_it_reduces(floor: Floor) -> Events:
    hold(floor, 0, 5)
    floor.buy(1, 40_000, 9, CALL_90)
    return floor.sell(0, 40_000, 6, CALL_90, flags=REDUCE_ONLY, time_in_force=FOK)


@told(r.BELOW_MIN_QUANTITY, 6, 5)
def a_minimum_of_more_than_the_position(floor: Floor) -> Events:
    hold(floor, 0, 5)
    floor.buy(1, 40_000, 9, CALL_90)
    least = Conditions(min_quantity_lots=6)
    return floor.sell(0, 40_000, 9, CALL_90, flags=REDUCE_ONLY, conditions=least)


def hold(floor: Floor, account: int, lots: int) -> None:
    """A long position in the 90,000 call, bought from account 1."""
    floor.sell(1, 50_000, lots, CALL_90)
    floor.buy(account, 50_000, lots, CALL_90)


@told(r.POST_ONLY_TAKES_NOTHING, 1)
def a_post_only_order_that_must_trade_at_once(floor: Floor) -> Events:
    at_once = Conditions(min_quantity_lots=1)
    return floor.buy(0, 10_000, 5, CALL_90, flags=POST_ONLY, conditions=at_once)


@told(r.BELOW_MIN_QUANTITY, 3, 2)
def an_order_of_which_too_little_can_trade_at_once(floor: Floor) -> Events:
    floor.sell(1, floor.near(CALL_90), 2, CALL_90)
    at_once = Conditions(min_quantity_lots=3)
    return floor.buy(0, floor.near(CALL_90), 5, CALL_90, conditions=at_once)


@told(r.MARKET_NEEDS_IMMEDIATE, GTC)
def a_market_order_that_would_rest(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, flags=MARKET)


@told(r.TOO_MANY_ORDERS_A_SECOND, 0, 1_000)
def an_order_when_a_second_of_orders_is_owed(floor: Floor) -> Events:
    full = BURST_ORDERS * 10**9 // ORDERS_A_SECOND
    floor.account(0).rate_full_ns = floor.time_ns + full + 10**9 - 10**9 // ORDERS_A_SECOND
    return floor.buy(0, 10_000, 1, CALL_90)


@told(r.ORDER_TOO_LARGE, 11, 10)
def a_combo_with_more_lots_of_a_leg_than_one_order_may_have(floor: Floor) -> Events:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MAX_ORDER_LOTS, CALL, 20)
        return floor.buy(0, 10_000, 11, ((CALL_90, 1), (CALL_100, -2)))


@told(r.BEYOND_PRICE_BAND, 955_861_600 * 11 // 10 // 5_000 * 5_000 + 5_000, 1_051_445_000)
def a_bid_a_tick_beyond_the_band(floor: Floor) -> Events:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BAND_INDEX_E4, PERPETUAL, 1_000)
        return floor.buy(0, 1_051_450_000, 1, PERP)


@told(r.POST_ONLY_NEEDS_GTC, IOC)
def a_post_only_order_that_may_not_rest(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, flags=POST_ONLY, time_in_force=IOC)


# ITS LEGS


@told(r.LEG_COUNT, 0, 8)
def an_order_without_legs(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ())


@told(r.LEG_COUNT, 9, 8)
def nine_legs(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, tuple((leg, 1) for leg in range(9)))


@told(r.LEG_RATIO_OUT_OF_RANGE, 0, 127)
def a_leg_of_nothing(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ((2, 1), (3, 0)))


@told(r.LEG_RATIO_OUT_OF_RANGE, -128, 127)
def a_ratio_beyond_the_bound(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ((2, 1), (3, -128)))


@told(r.LEG_TWICE, 3)
def a_leg_twice(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ((2, 1), (3, -1), (3, 2)))


@told(r.LEGS_NOT_ASCENDING, 2, 3)
def legs_out_of_order(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ((3, 1), (2, -1)))


@told(r.RATIOS_NOT_REDUCED, 3)
def ratios_with_a_common_factor(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ((2, 3), (3, -6)))


@told(r.FIRST_RATIO_NEGATIVE, -1)
def the_mirror_image_of_a_combo(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ((2, -1), (3, 1)))


@told(r.SINGLE_LEG_RATIO, 2, 1)
def a_single_instrument_twice(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ((2, 2),))


@told(r.SINGLE_LEG_RATIO, -1, 1)
def a_single_instrument_upside_down(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, ((2, -1),))


# ITS LIFE


@told(r.ORDER_EXPIRED, START_S, START_S)
def an_order_that_expires_this_second(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, life_s=0)


@told(r.ORDER_EXPIRED, 0, START_S)
def an_order_that_expired_in_1970(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, expiry_s=0)


@told(r.EXPIRY_TOO_FAR, START_S + 30 * DAY_S + 1, START_S + 30 * DAY_S)
def an_order_for_more_than_thirty_days(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, life_s=30 * DAY_S + 1)


@told(r.EXPIRY_TOO_FAR, U64, START_S + 30 * DAY_S)
def an_order_for_half_an_eternity(floor: Floor) -> Events:
    """Its expiry fits the message and no signed 64 bits: the answer must still have bytes."""
    return floor.buy(0, 10_000, 1, CALL_90, expiry_s=U64)


@told(r.ORDER_ALREADY_USED)
def an_order_that_rests_already(floor: Floor) -> Events:
    order = floor.sign(0, 0, 10_000, 1, CALL_90)
    floor.submit(order)
    return floor.submit(order)


@told(r.ORDER_ALREADY_USED)
def an_order_that_was_cancelled(floor: Floor) -> Events:
    order = floor.sign(0, 0, 10_000, 1, CALL_90)
    floor.cancel(0, placed_hash(floor.submit(order)))
    return floor.submit(order)


@told(r.ORDER_ALREADY_USED)
def an_order_that_found_nothing_to_take(floor: Floor) -> Events:
    order = floor.sign(0, 0, 10_000, 1, CALL_90, time_in_force=IOC)
    floor.submit(order)
    return floor.submit(order)


@told(r.COUNTER_CANCELLED, 0, 7)
def an_order_signed_before_the_counter_was_raised(floor: Floor) -> Events:
    order = floor.sign(0, 0, 10_000, 1, CALL_90)
    floor.cancel_all(0, 7)
    return floor.submit(order)


@told(r.COUNTER_AHEAD, 1, 0)
def an_order_with_a_counter_to_come(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, counter=1)


@told(r.WOULD_CROSS, 60_000, 50_000)
def a_post_only_bid_above_the_best_offer(floor: Floor) -> Events:
    floor.sell(1, 50_000, 1, CALL_90)
    return floor.buy(0, 60_000, 1, CALL_90, flags=POST_ONLY)


@told(r.WOULD_CROSS, 50_000, 50_000)
def a_post_only_offer_at_the_best_bid(floor: Floor) -> Events:
    floor.buy(1, 50_000, 1, CALL_90)
    floor.buy(1, 40_000, 1, CALL_90)
    return floor.sell(0, 50_000, 1, CALL_90, flags=POST_ONLY)


@told(r.WOULD_CROSS, -20_000, -10_000)
def a_post_only_combo_offered_below_its_best_bid(floor: Floor) -> Events:
    floor.buy(1, -10_000, 1, VERTICAL)
    return floor.sell(0, -20_000, 1, VERTICAL, flags=POST_ONLY)


@told(r.CANNOT_FILL, 5, 3)
def a_fill_or_kill_order_for_more_than_there_is(floor: Floor) -> Events:
    floor.sell(1, 50_000, 2, CALL_90)
    floor.sell(1, 60_000, 1, CALL_90)
    floor.sell(1, 70_000, 9, CALL_90)
    return floor.buy(0, 60_000, 5, CALL_90, time_in_force=FOK)


@told(r.CANNOT_FILL, 4, 0)
def a_fill_or_kill_combo_in_an_empty_book(floor: Floor) -> Events:
    return floor.buy(0, 60_000, 4, VERTICAL, time_in_force=FOK)


@told(r.CANNOT_FILL, 3, 1)
def a_fill_or_kill_order_that_would_meet_its_own_account(floor: Floor) -> Events:
    floor.sell(1, 50_000, 1, CALL_90)
    floor.sell(0, 60_000, 9, CALL_90)
    return floor.buy(0, 60_000, 3, CALL_90, time_in_force=FOK)


@told(r.ORDER_NOT_LIVE)
def the_replacement_of_an_order_that_nobody_knows(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, replaces=b"\x01" * 32)


@told(r.ORDER_NOT_LIVE)
def the_replacement_of_an_order_that_has_filled(floor: Floor) -> Events:
    filled = placed_hash(floor.sell(0, 50_000, 2, CALL_90))
    floor.buy(1, 50_000, 2, CALL_90)
    return floor.sell(0, 60_000, 2, CALL_90, replaces=filled)


@told(r.NOT_YOUR_ORDER, 1, 0)
def the_replacement_of_somebody_elses_order(floor: Floor) -> Events:
    theirs = placed_hash(floor.sell(0, 50_000, 2, CALL_90))
    return floor.sell(1, 60_000, 2, CALL_90, replaces=theirs)


# CANCELS


@told(r.UNKNOWN_ORDER)
def the_cancel_of_an_order_that_never_came(floor: Floor) -> Events:
    return floor.cancel(0, b"\x01" * 32)


@told(r.ORDER_NOT_LIVE)
def the_second_cancel_of_an_order(floor: Floor) -> Events:
    resting = placed_hash(floor.buy(0, 10_000, 1, CALL_90))
    floor.cancel(0, resting)
    return floor.cancel(0, resting)


@told(r.NOT_YOUR_ORDER, 1, 0)
def the_cancel_of_somebody_elses_order(floor: Floor) -> Events:
    return floor.cancel(1, placed_hash(floor.buy(0, 10_000, 1, CALL_90)))


@told(r.WRONG_SIGNER, 0)
def the_cancel_by_somebody_else(floor: Floor) -> Events:
    resting = placed_hash(floor.buy(0, 10_000, 1, CALL_90))
    return floor.cancel(0, resting, signer=owner_of(1))


@told(r.COUNTER_MUST_RISE, 4, 4)
def a_counter_that_stands_still(floor: Floor) -> Events:
    floor.cancel_all(0, 4)
    return floor.cancel_all(0, 4)


@told(r.UNKNOWN_ACCOUNT, 8, 3)
def a_counter_of_nobody(floor: Floor) -> Events:
    return floor.cancel_all(8, 4)


# WHO SIGNED


@told(r.WRONG_SIGNER, 0)
def an_order_signed_by_a_stranger(floor: Floor) -> Events:
    return floor.submit(floor.sign(0, 0, 10_000, 1, CALL_90), STRANGER)


@told(r.WRONG_SIGNER, 0)
def an_order_signed_by_another_accounts_key(floor: Floor) -> Events:
    floor.register_key(1, KEY, START_S + 100)
    return floor.submit(floor.sign(0, 0, 10_000, 1, CALL_90), KEY)


@told(r.SESSION_KEY_EXPIRED, START_S + 10, START_S + 11)
def an_order_signed_by_a_key_a_second_too_late(floor: Floor) -> Events:
    floor.register_key(0, KEY, START_S + 10)
    floor.advance(10)
    assert was_accepted(floor.submit(floor.sign(0, 0, 10_000, 1, CALL_90), KEY))
    floor.advance(1)
    return floor.submit(floor.sign(0, 0, 10_000, 1, CALL_90), KEY)


# FEES, MARGIN AND LIMITS


@told(r.FEE_TOO_HIGH, 5_000, 4_999)
def an_order_that_allows_less_than_the_fee(floor: Floor) -> Events:
    """12.5% of a premium of 40,000 is less than 0.05% of the index."""
    floor.sell(1, 40_000, 5, CALL_90)
    return floor.buy(0, 40_000, 3, CALL_90, max_fee_micro=4_999)


@told(r.FEE_TOO_HIGH, 477_931, 0)
def a_fee_that_does_not_divide_is_named_rounded_up(floor: Floor) -> Events:
    """0.05% of 955,861,600 is 477,930.8; on three lots 1,433,793, so 477,931 a lot."""
    floor.sell(1, 960_000_000, 3, PERP)
    return floor.buy(0, 960_000_000, 3, PERP, max_fee_micro=0, time_in_force=FOK)


@told(r.TOO_MANY_LOTS, MOST_LOTS + 1, MOST_LOTS)
def one_lot_more_than_an_account_may_have_open(floor: Floor) -> Events:
    floor.deposit(0, 10**15)
    floor.buy(0, 10_000, MOST_LOTS, CALL_90)
    return floor.buy(0, 10_000, 1, CALL_90)


@told(r.TOO_MANY_LOTS, MOST_LOTS + 2, MOST_LOTS)
def a_fill_that_brings_more_lots_than_an_account_may_hold(floor: Floor) -> Events:
    floor.deposit(0, 10**15)
    floor.sell(1, 10_000, 3, CALL_100)
    floor.buy(0, 10_000, MOST_LOTS - 1, CALL_90)
    return floor.buy(0, 10_000, 3, CALL_100)


@told(r.WITHDRAWAL_TOO_LARGE, 50_000_000_001, 50_000_000_000)
def a_withdrawal_of_a_millionth_too_much(floor: Floor) -> Events:
    return floor.withdraw(0, 50_000_000_001)


@told(r.AMOUNT_OUT_OF_RANGE, 0, 2**63 - 1)
def a_withdrawal_of_nothing(floor: Floor) -> Events:
    return floor.withdraw(0, 0)


@told(r.AMOUNT_OUT_OF_RANGE, U64, 2**63 - 1)
def a_withdrawal_of_all_that_the_message_can_say(floor: Floor) -> Events:
    return floor.withdraw(0, U64)


@told(r.COLLATERAL_NOT_FREE, 5, 0)
def a_withdrawal_of_another_asset(floor: Floor) -> Events:
    return floor.withdraw(0, 5, asset=1)


@told(r.MESSAGE_ALREADY_USED)
def a_withdrawal_sent_twice(floor: Floor) -> Events:
    floor.withdraw(0, 5, salt=99)
    return floor.withdraw(0, 5, salt=99)


@told(r.WRONG_SIGNER, 0)
def a_withdrawal_signed_by_a_stranger(floor: Floor) -> Events:
    message_hash = struct_hash(Withdraw(0, 0, 5, 1))
    now = floor.time_ns
    return floor.send(c.RequestWithdrawal(now, 0, 0, 5, 1, message_hash, STRANGER, NO_SIGNATURE))


# WHAT THE CHAIN BRINGS


@told(r.INBOX_OUT_OF_ORDER, 7, 6)
def an_account_that_skips_an_entry_of_the_inbox(floor: Floor) -> Events:
    return floor.send(c.OpenAccount(floor.time_ns, 7, 3, STRANGER))


@told(r.INBOX_OUT_OF_ORDER, 4, 3)
def an_account_that_skips_a_number(floor: Floor) -> Events:
    return floor.send(c.OpenAccount(floor.time_ns, 6, 4, STRANGER))


@told(r.INBOX_OUT_OF_ORDER, 5, 6)
def a_deposit_seen_twice(floor: Floor) -> Events:
    return floor.send(c.CreditDeposit(floor.time_ns, 5, 2, 0, 50_000_000_000))


@told(r.INBOX_OUT_OF_ORDER, U64, 6)
def a_key_from_the_far_end_of_the_inbox(floor: Floor) -> Events:
    return floor.send(c.RegisterKey(floor.time_ns, U64, 0, KEY, 0))


@told(r.UNKNOWN_ACCOUNT, 3, 3)
def a_deposit_for_nobody(floor: Floor) -> Events:
    return floor.deposit(3, 5)


@told(r.UNKNOWN_ACCOUNT, 3, 3)
def a_key_for_nobody(floor: Floor) -> Events:
    return floor.register_key(3, KEY, START_S)


@told(r.AMOUNT_OUT_OF_RANGE, 0, 2**63 - 1)
def a_deposit_of_nothing(floor: Floor) -> Events:
    return floor.deposit(0, 0)


@told(r.UNKNOWN_ORDER, 0)
def the_claim_of_a_withdrawal_that_nobody_asked_for(floor: Floor) -> Events:
    return floor.send(c.RecordClaim(floor.time_ns, 0, 5))


@told(r.UNKNOWN_ORDER, 0)
def the_same_claim_again(floor: Floor) -> Events:
    floor.withdraw(0, 5)
    floor.send(c.RecordClaim(floor.time_ns, 0, 5))
    return floor.send(c.RecordClaim(floor.time_ns, 0, 5))


# WHAT THE OPERATOR LISTS


@told(r.LISTING_OUT_OF_ORDER, 3, 2)
def an_underlying_that_skips_a_number(floor: Floor) -> Events:
    return floor.send(c.ListUnderlying(floor.time_ns, 3, b"SOL".ljust(8, b"\0"), 1))


@told(r.LISTING_OUT_OF_ORDER, 2, 3)
def an_expiry_listed_twice(floor: Floor) -> Events:
    return floor.send(c.ListExpiry(floor.time_ns, 2, 0, JUNE + 1))


@told(r.LISTING_OUT_OF_ORDER, LISTED - 1, LISTED)
def an_instrument_listed_twice(floor: Floor) -> Events:
    return floor.send(c.ListInstrument(floor.time_ns, LISTED - 1, *LISTINGS[-1]))


@told(r.SPEC_OUT_OF_BOUNDS, 2)
def an_underlying_in_small_letters(floor: Floor) -> Events:
    return floor.list_underlying(b"sol", 1)


@told(r.SPEC_OUT_OF_BOUNDS, 2)
def an_underlying_without_a_name(floor: Floor) -> Events:
    return floor.list_underlying(b"", 1)


@told(r.SPEC_OUT_OF_BOUNDS, 2)
def an_underlying_that_is_no_ascii(floor: Floor) -> Events:
    return floor.list_underlying("É".encode(), 1)


@told(r.SPEC_OUT_OF_BOUNDS, 2)
def an_underlying_with_a_hole_in_its_name(floor: Floor) -> Events:
    return floor.list_underlying(b"S\0L", 1)


@told(r.SPEC_OUT_OF_BOUNDS, 3)
def an_underlying_in_lots_of_nothing(floor: Floor) -> Events:
    return floor.list_underlying(b"SOL", 0)


@told(r.UNKNOWN_UNDERLYING, 2, 2)
def an_expiry_of_nothing(floor: Floor) -> Events:
    return floor.list_expiry(2, JUNE)


@told(r.SPEC_OUT_OF_BOUNDS, 3)
def an_expiry_that_has_passed(floor: Floor) -> Events:
    return floor.list_expiry(0, START_S)


@told(r.UNKNOWN_UNDERLYING, 9, 2)
def an_instrument_on_nothing(floor: Floor) -> Events:
    return floor.list_instrument(Listing(CALL, 9, 0, 1_000, 10_000))


@told(r.UNKNOWN_EXPIRY, 3, 3)
def an_option_of_an_expiry_that_nobody_listed(floor: Floor) -> Events:
    return floor.list_instrument(Listing(CALL, 0, 3, 1_000, 10_000))


@told(r.SPEC_OUT_OF_BOUNDS, 2)
def an_instrument_of_a_fifth_kind(floor: Floor) -> Events:
    return floor.list_instrument(Listing(PUT + 1, 0, 0, 1_000, 10_000))


@told(r.SPEC_OUT_OF_BOUNDS, 4)
def a_perpetual_with_an_expiry(floor: Floor) -> Events:
    return floor.list_instrument(Listing(PERPETUAL, 0, 0, 0, 10_000))


@told(r.SPEC_OUT_OF_BOUNDS, 4)
def an_option_on_another_underlyings_expiry(floor: Floor) -> Events:
    return floor.list_instrument(Listing(CALL, 1, 0, 1_000, 10_000))


@told(r.SPEC_OUT_OF_BOUNDS, 4)
def an_option_of_an_expiry_that_has_settled(floor: Floor) -> Events:
    floor.advance(MARCH - START_S)
    floor.settle(0, BTC_INDEX)
    return floor.list_instrument(Listing(CALL, 0, 0, 1_000, 10_000))


@told(r.SPEC_OUT_OF_BOUNDS, 5)
def an_option_without_a_strike(floor: Floor) -> Events:
    return floor.list_instrument(Listing(CALL, 0, 0, 0, 10_000))


@told(r.SPEC_OUT_OF_BOUNDS, 5)
def an_option_struck_beyond_the_bound(floor: Floor) -> Events:
    return floor.list_instrument(Listing(PUT, 0, 0, 2**34, 10_000))


@told(r.SPEC_OUT_OF_BOUNDS, 5)
def a_future_with_a_strike(floor: Floor) -> Events:
    return floor.list_instrument(Listing(FUTURE, 0, 1, 5, 10_000))


@told(r.SPEC_OUT_OF_BOUNDS, 6)
def a_tick_of_which_a_price_could_hold_more_than_a_record_does(floor: Floor) -> Events:
    return floor.list_instrument(Listing(FUTURE, 0, 1, 0, 7))


@told(r.SPEC_OUT_OF_BOUNDS, 6)
def a_tick_beyond_the_bound(floor: Floor) -> Events:
    return floor.list_instrument(Listing(FUTURE, 0, 1, 0, 2**31))


@told(r.SPEC_OUT_OF_BOUNDS, 1)
def a_second_perpetual(floor: Floor) -> Events:
    return floor.list_instrument(Listing(PERPETUAL, 0, NO_EXPIRY, 0, 10_000))


@told(r.SPEC_OUT_OF_BOUNDS, 1)
def the_same_strike_again(floor: Floor) -> Events:
    return floor.list_instrument(LISTINGS[PUT_90])


# WHAT THE OPERATOR MARKS


@told(r.UNKNOWN_UNDERLYING, 2, 2)
def marks_of_nothing(floor: Floor) -> Events:
    return floor.mark(2, BTC_INDEX, expiries=())


@told(r.MARK_OUT_OF_BOUNDS, 1, 0)
def an_index_of_nothing(floor: Floor) -> Events:
    return floor.mark(1, 0, expiries=())


@told(r.MARK_OUT_OF_BOUNDS, 0, 1)
def a_forward_beyond_the_bound(floor: Floor) -> Events:
    return floor.mark(0, 2_800_000_000, basis_percent=50)


@told(r.MARK_OUT_OF_BOUNDS, 0, 4)
def a_correlation_beyond_one(floor: Floor) -> Events:
    a, b, _, m, sigma = SMILE
    return floor.mark(0, BTC_INDEX, smile=(a, b, 2**30 + 1, m, sigma))


@told(r.MARK_OUT_OF_BOUNDS, 0, 7)
def a_smile_below_zero(floor: Floor) -> Events:
    return floor.mark(0, BTC_INDEX, smile=(-(2**30), *SMILE[1:]))


@told(r.MARK_OUT_OF_BOUNDS, 0, 9)
def a_smile_that_is_too_steep_at_a_listed_strike(floor: Floor) -> Events:
    return floor.mark(0, BTC_INDEX, smile=(2**31 - 1, 2**31 - 1, *SMILE[2:]))


@told(r.UNKNOWN_EXPIRY, 3, 3)
def a_mark_of_an_expiry_that_nobody_listed(floor: Floor) -> Events:
    return floor.mark(0, BTC_INDEX, expiries=(0, 3))


@told(r.UNKNOWN_EXPIRY, 2, 3)
def a_mark_of_another_underlyings_expiry(floor: Floor) -> Events:
    return floor.mark(0, BTC_INDEX, expiries=(0, 2))


@told(r.LISTING_OUT_OF_ORDER, 1, 2)
def an_expiry_marked_twice_in_one_update(floor: Floor) -> Events:
    return floor.mark(0, BTC_INDEX, expiries=(0, 1, 1))


@told(r.ALREADY_SETTLED, 0)
def a_mark_of_an_expiry_that_has_settled(floor: Floor) -> Events:
    floor.advance(MARCH - START_S)
    floor.settle(0, BTC_INDEX)
    return floor.mark(0, BTC_INDEX, expiries=(0, 1))


@told(r.UNKNOWN_INSTRUMENT, LISTED, LISTED)
def funding_of_nothing(floor: Floor) -> Events:
    return floor.fund(LISTED, 5)


@told(r.NOT_LINEAR, FUT)
def funding_of_a_future(floor: Floor) -> Events:
    return floor.fund(FUT, 5)


@told(r.AMOUNT_OUT_OF_RANGE, 2**33 + 1, 2**33)
def funding_beyond_the_bound(floor: Floor) -> Events:
    return floor.fund(PERP, 2**33 + 1)


@told(r.AMOUNT_OUT_OF_RANGE, -1, 2**33)
def funding_that_adds_up_beyond_the_bound(floor: Floor) -> Events:
    floor.fund(PERP, -(2**33))
    return floor.fund(PERP, -1)


@told(r.UNKNOWN_EXPIRY, 3, 3)
def the_settlement_of_an_expiry_that_nobody_listed(floor: Floor) -> Events:
    return floor.settle(3, BTC_INDEX)


@told(r.NOT_YET_EXPIRED, MARCH, MARCH - 1)
def a_settlement_a_second_too_early(floor: Floor) -> Events:
    floor.advance(MARCH - 1 - START_S)
    return floor.settle(0, BTC_INDEX)


@told(r.ALREADY_SETTLED, 0)
def a_second_settlement(floor: Floor) -> Events:
    floor.advance(MARCH - START_S)
    floor.settle(0, BTC_INDEX)
    return floor.settle(0, BTC_INDEX)


@told(r.MARK_OUT_OF_BOUNDS, 0)
def a_settlement_with_a_sample_of_nothing(floor: Floor) -> Events:
    floor.advance(MARCH - START_S)
    return floor.settle(0, *[BTC_INDEX] * 29, 0)


# WHAT IT WAITS FOR


def a_stop(**fields: int | bytes) -> Conditions:
    """Of a trigger far away."""
    stop: dict[str, int | bytes] = {"trigger": 3, "trigger_price_micro": 2 * BTC_INDEX}
    return Conditions(**(stop | fields))  # type: ignore


@told(r.UNKNOWN_TRIGGER, 7, 6)
def a_trigger_that_nobody_knows(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, conditions=a_stop(trigger=7))


@told(r.TRIGGER_PRICE_OUT_OF_RANGE, 0, 2**34 - 1)
def a_trigger_without_a_price(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, conditions=a_stop(trigger_price_micro=0))


@told(r.TRIGGER_PRICE_OUT_OF_RANGE, -(2**63), 2**34 - 1)
def a_trigger_at_a_price_of_the_far_side(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, conditions=a_stop(trigger_price_micro=-(2**63)))


@told(r.TRIGGER_PRICE_OUT_OF_RANGE, 5, 2**34 - 1)
def a_trigger_price_without_a_trigger(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, conditions=Conditions(trigger_price_micro=5))


@told(r.WAITS_WITH_ONE_LEG, 2)
def a_combo_that_waits(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, VERTICAL, conditions=a_stop())


@told(r.PARENT_NOT_LIVE)
def a_child_of_nobody(floor: Floor) -> Events:
    return floor.buy(0, 10_000, 1, CALL_90, conditions=Conditions(parent=b"\x01" * 32))


@told(r.PARENT_NOT_LIVE)
def a_child_of_an_order_that_was_filled(floor: Floor) -> Events:
    parent = placed_hash(floor.buy(0, 50_000, 1, CALL_90))
    floor.sell(1, 50_000, 1, CALL_90)
    return floor.buy(0, 10_000, 1, CALL_90, conditions=Conditions(parent=parent))


@told(r.PARENT_NOT_LIVE)
def a_child_in_its_parents_place(floor: Floor) -> Events:
    parent = placed_hash(floor.buy(0, 10_000, 1, CALL_90))
    conditions = Conditions(parent=parent)
    return floor.buy(0, 10_000, 1, CALL_90, replaces=parent, conditions=conditions)


@told(r.NOT_YOUR_ORDER, 0, 1)
def a_child_of_anothers_order(floor: Floor) -> Events:
    parent = placed_hash(floor.buy(1, 10_000, 1, CALL_90, conditions=a_stop()))
    return floor.buy(0, 10_000, 1, CALL_90, conditions=Conditions(parent=parent))


@told(r.GROUP_FULL, 8, 8)
def the_ninth_order_of_a_group(floor: Floor) -> Events:
    for number in range(8):
        conditions = a_stop(oco_group=5) if number % 2 else Conditions(oco_group=5)
        floor.buy(0, 10_000, 1, CALL_90, conditions=conditions)
    return floor.buy(0, 10_000, 1, CALL_90, conditions=Conditions(oco_group=5))


@told(r.TOO_MANY_WAITING_ORDERS, 256, 256)
def the_257th_order_that_waits(floor: Floor) -> Events:
    floor.watched = False
    for _ in range(256):
        floor.buy(0, 10_000, 1, CALL_90, conditions=a_stop())
    floor.watched = True
    return floor.buy(0, 10_000, 1, CALL_90, conditions=a_stop())


# MASS CANCELS


@told(r.UNKNOWN_CANCEL_SCOPE, 6, 5)
def a_mass_cancel_of_an_unknown_scope(floor: Floor) -> Events:
    return floor.cancel_where(0, 6)


@told(r.SCOPE_WITHOUT_VALUE, 7)
def a_mass_cancel_of_everything_that_names_something(floor: Floor) -> Events:
    floor.buy(0, 10_000, 1, CALL_90)
    return floor.cancel_where(0, OF_ALL, 7)


@told(r.UNKNOWN_INSTRUMENT, COMBO_BASE, LISTED)
def a_mass_cancel_in_an_instrument_that_nobody_listed(floor: Floor) -> Events:
    return floor.cancel_where(0, OF_INSTRUMENT, COMBO_BASE)


@told(r.UNKNOWN_UNDERLYING, U64, 2)
def a_mass_cancel_in_an_underlying_that_nobody_listed(floor: Floor) -> Events:
    return floor.cancel_where(0, OF_COMBOS, U64)


@told(r.MESSAGE_EXPIRED, START_S, START_S)
def a_mass_cancel_that_expires_this_second(floor: Floor) -> Events:
    floor.buy(0, 10_000, 1, CALL_90)
    return floor.cancel_where(0, life_s=0)


@told(r.EXPIRY_TOO_FAR, START_S + 30 * DAY_S + 1, START_S + 30 * DAY_S)
def a_mass_cancel_that_would_be_remembered_too_long(floor: Floor) -> Events:
    return floor.cancel_where(0, life_s=30 * DAY_S + 1)


@told(r.MESSAGE_ALREADY_USED)
def a_mass_cancel_sent_again_after_another_order(floor: Floor) -> Events:
    floor.cancel_where(0, salt=5)
    floor.buy(0, 10_000, 1, CALL_90)
    return floor.cancel_where(0, salt=5)


@told(r.WRONG_SIGNER, 0)
def a_mass_cancel_of_anothers_orders(floor: Floor) -> Events:
    floor.buy(0, 10_000, 1, CALL_90)
    return floor.cancel_where(0, signer=owner_of(1))


# BATCHES AND GENESIS


@told(r.NOTHING_TO_CUT, 1)
def a_batch_of_nothing(floor: Floor) -> Events:
    floor.cut()
    return floor.cut()


@told(r.BATCH_OUT_OF_ORDER, 2, 1)
def the_confirmation_of_a_batch_that_was_not_cut(floor: Floor) -> Events:
    floor.cut()
    return floor.send(c.ConfirmBatch(floor.time_ns, 2, 5, bytes(32)))


@told(r.BATCH_OUT_OF_ORDER, 1, 2)
def the_confirmation_of_a_batch_twice(floor: Floor) -> Events:
    floor.cut()
    floor.send(c.ConfirmBatch(floor.time_ns, 1, 5, bytes(32)))
    return floor.send(c.ConfirmBatch(floor.time_ns, 1, 5, bytes(32)))


@told(r.BATCH_OUT_OF_ORDER, U64, 1)
def the_confirmation_of_a_batch_from_the_far_future(floor: Floor) -> Events:
    return floor.send(c.ConfirmBatch(floor.time_ns, U64, 5, bytes(32)))


@told(r.GENESIS)
def a_second_genesis(floor: Floor) -> Events:
    now = floor.time_ns
    return floor.send(c.Genesis(now, CHAIN_ID, SETTLEMENT, OPERATOR, 0, 0, 0, 0, 0, 0, 18))


# THE TABLE


# TRADING STATES


@told(r.BEFORE_OPENING, CALL_90)
def an_order_that_cannot_rest_before_the_opening(floor: Floor) -> Events:
    floor.set_state(PRE_OPEN)
    return floor.buy(0, 10_000, 1, CALL_90, time_in_force=IOC)


@told(r.NOTHING_TRADES_NOW, 20_000, 10_000)
def an_order_that_would_trade_before_the_opening(floor: Floor) -> Events:
    floor.sell(1, 10_000, 1, CALL_90)
    floor.set_state(PRE_OPEN, INSTRUMENT, CALL_90)
    return floor.buy(0, 20_000, 1, CALL_90)


@told(r.POST_ONLY_NOW, CALL_100)
def an_order_that_does_not_say_post_only_of_a_combo_with_such_a_leg(floor: Floor) -> Events:
    floor.set_state(POST_ONLY_STATE, INSTRUMENT, CALL_100)
    return floor.buy(0, 0, 1, VERTICAL)


@told(r.CANCEL_ONLY_NOW, CALL_90)
def a_post_only_order_where_orders_may_only_leave(floor: Floor) -> Events:
    floor.set_state(CANCEL_ONLY, UNDERLYING, 0)
    return floor.buy(0, 10_000, 1, CALL_90, flags=POST_ONLY)


@told(r.CANCEL_ONLY_NOW, CALL_90)
def a_replacement_of_the_same_size_where_orders_may_only_shrink(floor: Floor) -> Events:
    first = placed_hash(floor.buy(0, 10_000, 2, CALL_90))
    floor.set_state(CANCEL_ONLY)
    return floor.buy(0, 10_000, 2, CALL_90, replaces=first)


@told(r.CANCEL_ONLY_NOW, CALL_90)
def a_smaller_replacement_at_a_better_price_where_orders_may_only_shrink(floor: Floor) -> Events:
    first = placed_hash(floor.buy(0, 10_000, 2, CALL_90))
    floor.set_state(CANCEL_ONLY)
    return floor.buy(0, 20_000, 1, CALL_90, replaces=first)


@told(r.HALTED_NOW, CALL_90)
def a_smaller_replacement_in_a_halt(floor: Floor) -> Events:
    first = placed_hash(floor.buy(0, 10_000, 2, CALL_90))
    floor.set_state(HALTED)
    return floor.buy(0, 10_000, 1, CALL_90, replaces=first)


@told(r.UNKNOWN_SCOPE, 3, 2)
def a_state_for_a_scope_that_there_is_not(floor: Floor) -> Events:
    return floor.set_state(HALTED, 3)


@told(r.SPEC_OUT_OF_BOUNDS, 2)
def a_state_for_a_second_venue(floor: Floor) -> Events:
    return floor.set_state(HALTED, VENUE, 1)


@told(r.UNKNOWN_UNDERLYING, 2, 2)
def a_state_for_an_underlying_that_nobody_listed(floor: Floor) -> Events:
    return floor.set_state(HALTED, UNDERLYING, 2)


@told(r.UNKNOWN_INSTRUMENT, LISTED, LISTED)
def a_state_for_an_instrument_that_nobody_listed(floor: Floor) -> Events:
    return floor.set_state(HALTED, INSTRUMENT, LISTED)


@told(r.INSTRUMENT_NOT_OPEN, CALL_90)
def a_state_for_an_instrument_that_has_settled(floor: Floor) -> Events:
    floor.advance(MARCH - START_S)
    floor.settle(0, BTC_INDEX)
    return floor.set_state(OPEN, INSTRUMENT, CALL_90)


@told(r.UNKNOWN_STATE, SETTLED, HALTED)
def a_settlement_that_the_operator_orders(floor: Floor) -> Events:
    return floor.set_state(SETTLED, INSTRUMENT, CALL_90)


@told(r.UNKNOWN_STATE, 8, 7)
def a_state_for_a_reason_that_there_is_not(floor: Floor) -> Events:
    return floor.set_state(HALTED, reason=8)


@told(r.UNKNOWN_UNDERLYING, 2, 2)
def a_breaker_of_an_underlying_that_nobody_listed(floor: Floor) -> Events:
    return floor.arm((), underlying=2)


@told(r.SPEC_OUT_OF_BOUNDS, 2)
def a_breaker_whose_window_is_over_an_hour(floor: Floor) -> Events:
    return floor.arm((), window_s=3_601)


@told(r.SPEC_OUT_OF_BOUNDS, 3)
def a_breaker_without_a_calm_window(floor: Floor) -> Events:
    return floor.arm((), calm_window_s=0)


@told(r.SPEC_OUT_OF_BOUNDS, 4)
def a_breaker_that_calls_a_doubling_calm(floor: Floor) -> Events:
    return floor.arm((), calm_e4=10_000)


@told(r.SPEC_OUT_OF_BOUNDS, 5)
def a_breaker_that_halts(floor: Floor) -> Events:
    return floor.arm([(1_000, HALTED, 60)])


@told(r.SPEC_OUT_OF_BOUNDS, 5)
def a_breaker_whose_second_level_is_the_milder_one(floor: Floor) -> Events:
    return floor.arm([(1_000, CANCEL_ONLY, 60), (2_000, POST_ONLY_STATE, 60)])


@told(r.SPEC_OUT_OF_BOUNDS, 5)
def a_breaker_whose_second_level_comes_first(floor: Floor) -> Events:
    return floor.arm([(1_000, CANCEL_ONLY, 60), (1_000, CANCEL_ONLY, 60)])


@told(r.SPEC_OUT_OF_BOUNDS, 5)
def a_breaker_that_trips_when_the_index_is_nothing(floor: Floor) -> Events:
    return floor.arm([(10_000, CANCEL_ONLY, 60)])


@told(r.SPEC_OUT_OF_BOUNDS, 5)
def a_breaker_of_five_levels(floor: Floor) -> Events:
    return floor.arm([(1_000 + level, CANCEL_ONLY, 60) for level in range(5)])


# FUNDING


@told(r.UNKNOWN_INSTRUMENT, LISTED, LISTED)
def funding_that_follows_the_premium_of_nothing(floor: Floor) -> Events:
    return floor.arm_funding(LISTED)


@told(r.NOT_LINEAR, FUT)
def a_future_whose_funding_follows_its_premium(floor: Floor) -> Events:
    return floor.arm_funding(FUT)


@told(r.SPEC_OUT_OF_BOUNDS, 4)
def a_period_of_funding_that_does_not_divide_a_day(floor: Floor) -> Events:
    return floor.arm_funding(period_s=7 * 3_600)


@told(r.FUNDING_IS_ARMED, PERP)
def funding_set_by_hand_beside_the_premium(floor: Floor) -> Events:
    assert was_accepted(floor.arm_funding(PERP))
    return floor.fund(PERP, 1)


@pytest.mark.parametrize(("story", "expected"), STORIES, ids=[s.__name__ for s, _ in STORIES])
def test_the_engine_refuses(story: Story, expected: Reject) -> None:
    assert refusal(story(open_floor())) == expected


@pytest.mark.parametrize(("story", "expected"), STORIES, ids=[s.__name__ for s, _ in STORIES])
def test_a_reject_says_what_was_wrong_in_a_sentence(story: Story, expected: Reject) -> None:
    assert expected.name
    assert "{" not in expected.message


# STORIES THAT NEED MORE THAN A TABLE


def test_the_shortfall_of_a_fill_is_exact_to_the_unit() -> None:
    """Twenty USDC more would have done: with them the same order fills, with one unit less not."""
    for missing in (0, 1):
        floor = open_floor()
        poor = floor.open_account(1)
        floor.sell(1, 955_865_000, 1, PERP)
        short = refusal(floor.buy(poor, 955_865_000, 1, PERP))
        assert short.code == r.MARGIN
        assert short.allowed == 1 == excess_micro(floor.state, floor.account(poor))
        floor.deposit(poor, short.got - missing)
        events = floor.buy(poor, 955_865_000, 1, PERP)
        if missing:
            assert refusal(events) == Reject(r.MARGIN, 1, 1 + short.got - 1)
        else:
            assert was_accepted(events)
            assert excess_micro(floor.state, floor.account(poor)) == 0


def test_the_shortfall_of_a_resting_order_is_exact_to_the_unit() -> None:
    for missing in (0, 1):
        floor = open_floor()
        poor = floor.open_account(1)
        short = refusal(floor.sell(poor, 100_000_000, 3, CALL_90))
        floor.deposit(poor, short.got - missing)
        events = floor.sell(poor, 100_000_000, 3, CALL_90)
        assert was_accepted(events) != bool(missing)
        assert excess_micro(floor.state, floor.account(poor)) == (short.got if missing else 0)


def test_a_withdrawal_may_take_all_that_margin_does_not_need_and_no_unit_more() -> None:
    floor = open_floor()
    floor.sell(0, 100_000_000, 3, CALL_90)
    free = excess_micro(floor.state, floor.account(0))
    assert refusal(floor.withdraw(0, free + 1)) == Reject(r.WITHDRAWAL_TOO_LARGE, free + 1, free)
    assert was_accepted(floor.withdraw(0, free))
    assert excess_micro(floor.state, floor.account(0)) == 0


def floor_of_many_strikes(count: int) -> Floor:
    """Calls from LISTED on, the first 255 of which account 0 has bought from account 1."""
    floor = open_floor(2, 10**15, watched=False)
    for strike in range(count):
        micro = 1_001_000_000 + 10**6 * strike
        floor.list_instrument(LISTINGS[CALL_90]._replace(strike_micro=micro))
    floor.mark(0, BTC_INDEX)
    for number in range(LISTED, LISTED + 255):
        floor.sell(1, 300_000_000, 1, number)
        assert was_accepted(floor.buy(0, 300_000_000, 1, number))
    return floor


def test_the_257th_position_is_one_too_many() -> None:
    floor = floor_of_many_strikes(257)
    seller = floor.open_account(10**13)
    floor.watched = True
    for number in (LISTED, LISTED + 255, LISTED + 256):
        floor.sell(seller, 300_000_000, 1, number)
    assert was_accepted(floor.buy(0, 300_000_000, 1, LISTED)), "more of what it holds"
    assert was_accepted(floor.buy(0, 300_000_000, 1, LISTED + 255)), "the 256th"
    expected = Reject(r.TOO_MANY_POSITIONS, 0, 256)
    assert refusal(floor.buy(0, 300_000_000, 1, LISTED + 256)) == expected


def test_a_maker_that_would_hold_its_257th_position_is_cancelled_and_the_match_goes_on() -> None:
    floor = floor_of_many_strikes(257)
    other, taker = floor.open_account(10**13), floor.open_account(10**13)
    floor.watched = True
    floor.buy(0, 300_000_000, 1, LISTED + 255)
    floor.buy(0, 300_000_000, 1, LISTED + 256)
    floor.buy(other, 290_000_000, 1, LISTED + 256)
    floor.sell(taker, 300_000_000, 1, LISTED + 255)
    events = floor.sell(taker, 290_000_000, 1, LISTED + 256)
    assert fills(events) == [(LISTED + 256, 290_000_000, 1, other)]
    assert cancel_reasons(events) == [CANCELLED_MARGIN_MAKER]


def test_positions_that_have_settled_take_no_room() -> None:
    """Taker and maker hold 256 each, all expired: whoever trades is rid of them."""
    floor = floor_of_many_strikes(256)
    floor.sell(1, 300_000_000, 1, LISTED + 255)
    floor.buy(0, 300_000_000, 1, LISTED + 255)
    floor.advance(MARCH - START_S)
    floor.settle(0, BTC_INDEX)
    floor.watched = True
    floor.sell(1, floor.near(JUNE_CALL), 1, JUNE_CALL)
    assert was_accepted(floor.buy(0, floor.near(JUNE_CALL), 1, JUNE_CALL))
    assert [list(floor.account(n).positions) for n in (0, 1)] == [[JUNE_CALL], [JUNE_CALL]]
    floor.cut()


def test_a_combo_that_closes_one_position_and_opens_another_needs_no_more_room() -> None:
    floor = floor_of_many_strikes(258)
    seller = floor.open_account(10**13)
    floor.watched = True
    floor.sell(seller, 300_000_000, 1, LISTED + 255)
    assert was_accepted(floor.buy(0, 300_000_000, 1, LISTED + 255)), "the 256th"
    for first, may_be in ((LISTED + 257, False), (LISTED, True)):
        legs = tuple(sorted(((first, 1), (LISTED + 256, 1))))
        floor.buy(seller, 400_000_000, 1, legs)
        events = floor.sell(0, 400_000_000, 1, legs, time_in_force=FOK)
        assert was_accepted(events) == may_be
        floor.cancel_all(seller)
    assert len(floor.account(0).positions) == 256


def test_a_combo_that_needs_too_many_positions_is_told_so() -> None:
    """It was told of lots once, when it had not yet reached the bound of positions alone."""
    floor = floor_of_many_strikes(260)
    seller = floor.open_account(10**12)
    legs = tuple((LISTED + 255 + leg, 1) for leg in range(3))
    floor.sell(seller, 900_000_000, 1, legs)
    floor.watched = True
    assert refusal(floor.buy(0, 900_000_000, 1, legs)) == Reject(r.TOO_MANY_POSITIONS, 0, 256)


def test_the_4097th_open_order_is_one_too_many() -> None:
    floor = open_floor(1, 10**13, watched=False)
    first = placed_hash(floor.buy(0, 10_000, 1, CALL_90))
    for _ in range(4_095):
        floor.buy(0, 10_000, 1, CALL_90)
    floor.watched = True
    expected = Reject(r.TOO_MANY_OPEN_ORDERS, 4_096, 4_096)
    assert refusal(floor.buy(0, 10_000, 1, CALL_90)) == expected
    assert was_accepted(floor.buy(0, 20_000, 1, CALL_90, replaces=first)), "one goes, one comes"


def test_before_genesis_nothing_is_taken() -> None:
    floor = Floor()
    events = floor.send(c.ListUnderlying(floor.time_ns, 0, b"BTC".ljust(8, b"\0"), 1))
    assert events == (CommandRejected(0xFFFF_FFFF, bytes(32), r.GENESIS, 0, 0),)
    floor.genesis()
    assert was_accepted(floor.list_underlying(b"BTC", 1_000_000))


def test_a_genesis_for_another_margin_model_is_refused() -> None:
    floor = Floor()
    now = floor.time_ns
    events = floor.send(c.Genesis(now, CHAIN_ID, SETTLEMENT, OPERATOR, 0, 0, 0, 0, 0, 0, 16))
    assert refusal(events) == Reject(r.GENESIS)


def test_a_genesis_whose_rebates_outgrow_what_takers_pay_is_refused() -> None:
    floor = Floor()
    head = (floor.time_ns, CHAIN_ID, SETTLEMENT, OPERATOR)
    for fees, field in (((100, 300, 1_250, 101, 0, 0), 4), ((100, 300, 1_250, 100, 0, 101), 6)):
        assert refusal(floor.send(c.Genesis(*head, *fees, 18))) == Reject(
            r.FEES_OUT_OF_BOUNDS, field
        )
    assert was_accepted(floor.send(c.Genesis(*head, 100, 300, 1_250, 100, 0, 100, 18)))


def test_a_refused_order_may_be_sent_again_when_it_has_become_right() -> None:
    floor = open_floor()
    poor = floor.open_account()
    order = floor.sign(poor, 0, 10_000, 1, CALL_90)
    assert refusal(floor.submit(order)).code == r.MARGIN
    floor.deposit(poor, 10**9)
    assert was_accepted(floor.submit(order))


def test_a_combo_that_fails_on_its_third_leg_leaves_no_trace() -> None:
    """Two legs have offers, the third has none: no book moves, no combo is named, no slot opens."""
    floor = open_floor()
    floor.sell(1, 200_000_000, 5, CALL_90)
    floor.sell(1, 200_000_000, 5, CALL_100)
    before = state_hash(floor.state)
    legs = ((CALL_90, 1), (CALL_100, 1), (PUT_90, 1))
    expected = Reject(r.CANNOT_FILL, 2, 0)
    assert refusal(floor.buy(0, 900_000_000, 2, legs, time_in_force=FOK)) == expected
    assert state_hash(floor.state) == before
    assert not floor.state.combos


def test_a_refused_combo_gives_its_number_to_the_next() -> None:
    """Its scenario values must go with it: the next combo of the number is priced by its own."""
    floor = open_floor()
    poor = floor.open_account(1)
    assert refusal(floor.buy(poor, 900_000_000, 1, VERTICAL)).code == r.MARGIN
    floor.sell(0, 0, 7, ((CALL_90, 1), (PUT_90, -1)))
    (combo,) = floor.state.combos.values()
    assert (combo.book, combo.legs) == (COMBO_BASE, ((CALL_90, 1), (PUT_90, -1)))


def test_what_expires_goes_even_when_the_command_is_refused() -> None:
    """Then the reject is not the only event; on the floor, time goes ahead of every command."""
    floor = open_floor(watched=False)
    floor.buy(0, 10_000, 1, CALL_90, life_s=5)
    floor.time_ns += 5 * 10**9
    order = floor.sign(0, 0, 10_001, 1, CALL_90)
    now = floor.time_ns
    command = c.PlaceOrder(now, order, order_hash(order), owner_of(0), NO_SIGNATURE)
    events = floor._apply(command)
    assert [type(event).__name__ for event in events] == ["OrderCancelled", "CommandRejected"]


def test_the_maximum_fee_may_be_all_that_the_message_can_say() -> None:
    floor = open_floor()
    assert was_accepted(floor.buy(0, 10_000, 1, CALL_90, max_fee_micro=U64))
    assert was_accepted(floor.sell(1, 10_000, 1, CALL_90, max_fee_micro=HUGE_FEE))


# NO CODE WITHOUT A STORY


def codes_of_the_engine() -> set[str]:
    """Names of reject codes that modules behind `apply` import."""
    modules = [
        *(ROOT / "exchange" / "handlers").glob("*.py"),
        ROOT / "exchange" / "engine.py",
        ROOT / "margin" / "svi.py",
        ROOT / "settlement" / "signed_messages.py",
    ]
    names = {
        alias.name
        for module in modules
        for node in ast.walk(ast.parse(module.read_text("utf8")))
        if isinstance(node, ast.ImportFrom) and node.module == "matching.rejects"
        for alias in node.names
    }
    return {name for name in names if name.isupper()}


TOLD_BELOW: Final = {
    "DEBTOR_WORSE",
    "GIVER_SHORT",
    "MARGIN",
    "FEES_OUT_OF_BOUNDS",
    "MARGIN_UNDER_MODEL",
    "QUOTE_CROSSED",
    "QUOTE_TWICE",
    "RECEIVER_SHORT",
    "TOO_MANY_OPEN_ORDERS",
}
OF_BYTES: Final = {"MALFORMED"}
TOLD_OF_THE_ORACLE: Final = {
    "FORWARD_OFF",
    "NOT_A_REPORTER",
    "ORACLE_ARMED",
    "ORACLE_NOT_ARMED",
    "REPORT_ALREADY_TAKEN",
    "REPORT_FROM_THE_FUTURE",
    "REPORT_OLDER",
    "REPORT_OUT_OF_BOUNDS",
    "REPORT_STALE",
    "SMILE_ARBITRAGE",
    "WRONG_DECIMALS",
}
"""Each has its story in `test_oracle.py`."""


def test_sides_of_a_mass_quote_that_are_all_refused_leave_no_trace() -> None:
    floor = open_floor()
    before = state_hash(floor.state)
    crossed = (CALL_90, 20_000, 1, 20_000, 1)
    sides = of_type(floor.quote(0, [crossed, crossed]), QuoteRejected)
    codes = [(side.code, side.got, side.allowed) for side in sides]
    assert codes == [(r.QUOTE_CROSSED, 20_000, 20_000)] * 2 + [(r.QUOTE_TWICE, 1, 0)] * 2
    assert state_hash(floor.state) == before


def test_no_code_is_without_a_story() -> None:
    codes = {name: getattr(r, name) for name in codes_of_the_engine()}
    told = (
        *STORIES,
        *TOLD_OF_TRANSFERS,
        *TOLD_OF_COLLATERAL,
        *TOLD_OF_ENDS,
        *OF_PROFILES,
        *OF_LIQUIDATION,
    )
    told_codes = {expected.code for _, expected in told}
    silent = {name for name, code in codes.items() if code not in told_codes}
    assert silent == TOLD_BELOW | OF_BYTES | TOLD_OF_THE_ORACLE
    assert set(codes.values()) <= set(TEMPLATES)
