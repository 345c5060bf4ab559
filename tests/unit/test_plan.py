"""What an aggressive order does, told one rule at a time. The same market is matched by the slow
twin beside it, so every story is told twice.
"""

import pytest

from matching.combos import COMBO_BASE
from matching.gate import MAKER_FAILS, MAKER_FEE, TAKER_FEE, TAKER_MARGIN
from matching.instruments import CALL, PERPETUAL, Expiry, Instrument, Underlying
from matching.orders import BUY, FOK, IOC, SELL
from matching.plan import EXHAUSTED, FILL_BOUND, MAX_FILLS, REFUSED, SELF_TRADE
from tests.model.market import BothMarkets, World
from tests.model.matching import Outcome, Script

BTC = Underlying(0, "BTC", 1_000_000)
MARCH = Expiry(0, BTC, 1_774_598_400)
WORLD = World(
    instruments=[
        Instrument(0, CALL, BTC, MARCH, 900_000_000, 10),
        Instrument(1, CALL, BTC, MARCH, 950_000_000, 10),
        Instrument(2, PERPETUAL, BTC, None, 0, 10),
    ],
    combos=[((0, 1), (1, -1)), ((0, 2), (1, 1)), ((0, 1), (1, 1)), ((0, 1), (2, -1))],
    mark_ticks=(700, 500, 9_000),
)
LOW, HIGH, PERP = 0, 1, 2
SPREAD, TWO_TO_ONE, BOTH_CALLS, HEDGED = range(COMBO_BASE, COMBO_BASE + 4)
ANN, BOB, CAT, EVE = 1, 2, 3, 9


@pytest.fixture
def markets() -> BothMarkets:
    return BothMarkets(WORLD)


def fills(outcome: Outcome) -> list[tuple[int, int, int, int]]:
    """(maker's order, instrument, price, lots) of each fill."""
    return [
        (trade.maker, trade.instrument, trade.price_ticks, trade.lots)
        for step in outcome.steps
        for trade in step.fills
    ]


def resting(markets: BothMarkets, book: int) -> list[list[tuple[int, int, list[tuple[int, int]]]]]:
    """Price, lots in all, (order, lots left) of each order, where all show all."""
    markets.check()
    return [
        [
            (price, lots, [(number, left) for number, _, left in orders])
            for price, lots, orders in of
        ]
        for of in markets.fast.contents()[book]
    ]


# ONE INSTRUMENT


def test_price_comes_before_time_and_time_decides_at_one_price(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 102, 5)
    markets.place(BOB, LOW, SELL, 101, 5)
    markets.place(CAT, LOW, SELL, 101, 5)
    outcome = markets.place(EVE, LOW, BUY, 102, 12)
    assert fills(outcome) == [(1, 0, 101, 5), (2, 0, 101, 5), (0, 0, 102, 2)]


def test_a_fill_is_at_the_makers_price(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, BUY, 110, 5)
    assert fills(markets.place(EVE, LOW, SELL, 90, 5)) == [(0, 0, 110, 5)]


def test_what_is_not_filled_at_the_limit_rests_or_goes(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 101, 5)
    markets.place(ANN, LOW, SELL, 103, 5)
    markets.place(EVE, LOW, BUY, 102, 7, time_in_force=IOC)
    assert resting(markets, LOW) == [[], [(103, 5, [(1, 5)])]]
    markets.place(EVE, LOW, BUY, 103, 7)
    assert resting(markets, LOW) == [[(103, 2, [(3, 2)])], []]


def test_fill_or_kill_is_all_or_nothing(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 101, 5)
    markets.place(EVE, LOW, BUY, 101, 6, time_in_force=FOK)
    assert resting(markets, LOW)[1] == [(101, 5, [(0, 5)])]
    assert markets.place(EVE, LOW, BUY, 101, 5, time_in_force=FOK).filled == 5


def test_a_part_filled_order_keeps_its_place_and_a_replaced_one_loses_it(
    markets: BothMarkets,
) -> None:
    markets.place(ANN, LOW, SELL, 101, 5)
    markets.place(BOB, LOW, SELL, 101, 5)
    markets.place(EVE, LOW, BUY, 101, 2)
    assert resting(markets, LOW)[1] == [(101, 8, [(0, 3), (1, 5)])]
    markets.place(ANN, LOW, SELL, 101, 3, replaced=0)
    assert resting(markets, LOW)[1] == [(101, 8, [(1, 5), (3, 3)])]


def test_an_order_does_not_meet_the_one_that_it_replaces(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 101, 5)
    markets.place(BOB, LOW, SELL, 101, 5)
    outcome = markets.place(ANN, LOW, BUY, 101, 5, replaced=0)
    assert (fills(outcome), outcome.stop) == ([(1, 0, 101, 5)], EXHAUSTED)
    assert resting(markets, LOW) == [[], []]


def test_an_order_stops_at_one_of_its_own_account_and_its_rest_goes(markets: BothMarkets) -> None:
    markets.place(BOB, LOW, SELL, 101, 5)
    markets.place(ANN, LOW, SELL, 102, 5)
    markets.place(BOB, LOW, SELL, 103, 5)
    outcome = markets.place(ANN, LOW, BUY, 110, 15)
    assert (outcome.filled, outcome.stop) == (5, SELF_TRADE)
    assert resting(markets, LOW) == [[], [(102, 5, [(1, 5)]), (103, 5, [(2, 5)])]]


def test_an_order_of_ones_own_beyond_the_limit_is_no_self_trade(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 105, 5)
    assert markets.place(ANN, LOW, BUY, 104, 5).stop == EXHAUSTED
    assert resting(markets, LOW)[0] == [(104, 5, [(1, 5)])]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Script(failing_orders=frozenset({1})), MAKER_FAILS),
        (Script(dear_orders=frozenset({1})), MAKER_FEE),
    ],
)
def test_a_maker_that_the_gate_refuses_is_passed_over_and_cancelled(
    markets: BothMarkets, script: Script, why: int
) -> None:
    for account in (ANN, BOB, CAT):
        markets.place(account, LOW, SELL, 101, 5)
    outcome = markets.place(EVE, LOW, BUY, 101, 9, script=script)
    assert fills(outcome) == [(0, 0, 101, 5), (2, 0, 101, 4)]
    assert outcome.dropped == [(1, why)]
    assert resting(markets, LOW)[1] == [(101, 1, [(2, 1)])]


@pytest.mark.parametrize(
    ("script", "why"),
    [(Script(taker_lots=9), TAKER_MARGIN), (Script(taker_fills_fee=0), TAKER_FEE)],
)
def test_a_taker_that_the_gate_refuses_stops(
    markets: BothMarkets, script: Script, why: int
) -> None:
    markets.place(ANN, LOW, SELL, 101, 5)
    markets.place(BOB, LOW, SELL, 101, 5)
    outcome = markets.place(EVE, LOW, BUY, 101, 10, script=script)
    assert (outcome.stop, outcome.refusal) == (REFUSED, why)
    assert outcome.filled == (5 if why == TAKER_MARGIN else 0)
    assert not resting(markets, LOW)[0]


def test_makers_that_fail_count_towards_what_one_command_may_do(markets: BothMarkets) -> None:
    """Else a book of failing makers would keep the exchange busy for one order."""
    for _ in range(MAX_FILLS + 1):
        markets.place(ANN, LOW, SELL, 101, 1)
    outcome = markets.place(EVE, LOW, BUY, 101, 1, script=Script(failing_accounts=frozenset({ANN})))
    assert (outcome.stop, len(outcome.dropped)) == (FILL_BOUND, MAX_FILLS)
    assert resting(markets, LOW) == [[], [(101, 1, [(MAX_FILLS, 1)])]]


# COMBOS


def test_a_combo_trades_against_its_legs_books_each_at_its_makers_price(
    markets: BothMarkets,
) -> None:
    markets.place(ANN, LOW, SELL, 710, 5)
    markets.place(BOB, HIGH, BUY, 490, 3)
    outcome = markets.place(EVE, SPREAD, BUY, 220, 4)
    assert fills(outcome) == [(0, 0, 710, 3), (1, 1, 490, 3)]
    assert outcome.steps[0].net_price_micro == 220 * 10
    assert resting(markets, SPREAD)[0] == [(220, 1, [(2, 1)])]


def test_a_seller_of_the_combo_meets_the_other_sides_of_its_legs(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, BUY, 690, 5)
    markets.place(BOB, HIGH, SELL, 510, 3)
    outcome = markets.place(EVE, SPREAD, SELL, 180, 1)
    assert fills(outcome) == [(0, 0, 690, 1), (1, 1, 510, 1)]
    assert [trade.taker_buys for trade in outcome.steps[0].fills] == [False, True]


def test_a_combo_has_all_its_legs_or_none(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 710, 5)
    outcome = markets.place(EVE, SPREAD, BUY, 999, 1, time_in_force=IOC)
    assert (outcome.filled, outcome.stop) == (0, EXHAUSTED)
    assert resting(markets, LOW)[1] == [(710, 5, [(0, 5)])]


def test_at_one_net_price_a_real_combo_order_comes_before_the_legs(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 710, 1)
    markets.place(BOB, HIGH, BUY, 490, 1)
    markets.place(CAT, SPREAD, SELL, 220, 1)
    outcome = markets.place(EVE, SPREAD, BUY, 220, 2)
    assert [step.maker_combo for step in outcome.steps] == [2, None]


def test_a_better_net_price_comes_first_wherever_it_stands(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 709, 1)
    markets.place(ANN, LOW, SELL, 711, 1)
    markets.place(BOB, HIGH, BUY, 490, 2)
    markets.place(CAT, SPREAD, SELL, 220, 1)
    outcome = markets.place(EVE, SPREAD, BUY, 300, 3)
    assert [step.net_price_micro for step in outcome.steps] == [2_190, 2_200, 2_210]
    assert [step.maker_combo for step in outcome.steps] == [None, 3, None]


def test_a_quantum_is_what_the_first_order_of_every_leg_holds(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 100, 5)
    markets.place(ANN, LOW, SELL, 110, 9)
    markets.place(BOB, HIGH, SELL, 200, 9)
    outcome = markets.place(EVE, TWO_TO_ONE, BUY, 999, 4)
    # 5 lots at 100 hold two units of ratio 2; the third takes 1 lot of each order.
    assert [(step.units, step.net_price_micro) for step in outcome.steps] == [
        (2, 10 * (2 * 100 + 200)),
        (1, 10 * (100 + 110 + 200)),
        (1, 10 * (2 * 110 + 200)),
    ]
    assert fills(outcome)[2:5] == [(0, 0, 100, 1), (1, 0, 110, 1), (2, 1, 200, 1)]


def test_a_top_with_fewer_lots_than_the_ratio_is_met_with_those_behind_it(
    markets: BothMarkets,
) -> None:
    markets.place(ANN, LOW, SELL, 100, 1)
    markets.place(BOB, LOW, SELL, 105, 1)
    markets.place(CAT, HIGH, SELL, 200, 5)
    outcome = markets.place(EVE, TWO_TO_ONE, BUY, 405, 3)
    assert outcome.filled == 1
    assert outcome.steps[0].net_price_micro == 4_050
    assert markets.place(EVE, TWO_TO_ONE, BUY, 404, 3).filled == 0


def test_combos_that_meet_share_the_net_price_out_among_the_legs(markets: BothMarkets) -> None:
    markets.place(ANN, SPREAD, SELL, 230, 2)
    outcome = markets.place(EVE, SPREAD, BUY, 250, 5)
    # The marks, 700 and 500, make 200: the first leg takes the 30 that are missing.
    assert fills(outcome) == [(0, 0, 730, 2), (0, 1, 500, 2)]
    assert outcome.steps[0].net_price_micro == 2_300


def test_a_net_price_that_no_leg_prices_make_is_passed_over(markets: BothMarkets) -> None:
    """Who offers two calls for less than nothing offers what nobody can book."""
    markets.place(ANN, BOTH_CALLS, SELL, -5, 2)
    markets.place(BOB, BOTH_CALLS, SELL, 20, 2)
    outcome = markets.place(EVE, BOTH_CALLS, BUY, 30, 1)
    assert fills(outcome) == [(1, 0, 0, 1), (1, 1, 20, 1)]
    markets.place(ANN, HEDGED, SELL, -9_500, 2)
    outcome = markets.place(EVE, HEDGED, BUY, -9_000, 1)
    assert fills(outcome) == [(3, 0, 0, 1), (3, 2, 9_500, 1)]


def test_a_net_price_beyond_what_its_legs_may_cost_is_passed_over(markets: BothMarkets) -> None:
    """A spread's net price has a wider bound than a single price: no leg may carry it alone."""
    beyond = 1 << 33
    markets.place(ANN, SPREAD, BUY, beyond // 10, 1)
    assert fills(markets.place(EVE, SPREAD, SELL, beyond // 10, 1, time_in_force=IOC)) == [
        (0, 0, beyond // 10 + 500, 1),
        (0, 1, 500, 1),
    ]
    beyond = 1 << 35
    markets.place(ANN, SPREAD, BUY, beyond // 10, 1)
    assert markets.place(EVE, SPREAD, SELL, beyond // 10, 1).steps == []


def test_a_combo_stops_where_the_next_legs_are_its_own_accounts(markets: BothMarkets) -> None:
    """Whether or not combo orders stand in its own book at worse prices, and although the top of
    each leg is a stranger's.
    """
    for rival in (False, True):
        stories = BothMarkets(WORLD)
        stories.place(BOB, LOW, SELL, 100, 1)
        stories.place(EVE, LOW, SELL, 100, 1)
        stories.place(BOB, HIGH, SELL, 200, 2)
        if rival:
            stories.place(CAT, TWO_TO_ONE, SELL, 450, 5)
        outcome = stories.place(EVE, TWO_TO_ONE, BUY, 500, 1)
        assert (outcome.filled, outcome.stop) == (0, SELF_TRADE)
        assert not resting(stories, TWO_TO_ONE)[0]


def test_a_combo_trades_with_others_at_better_prices_than_its_own_legs(
    markets: BothMarkets,
) -> None:
    markets.place(EVE, LOW, SELL, 710, 1)
    markets.place(BOB, HIGH, BUY, 490, 1)
    markets.place(CAT, SPREAD, SELL, 220, 1)
    outcome = markets.place(EVE, SPREAD, BUY, 219, 1, time_in_force=IOC)
    assert (outcome.filled, outcome.stop) == (0, EXHAUSTED)
    outcome = markets.place(EVE, SPREAD, BUY, 220, 2)
    assert (outcome.filled, outcome.stop) == (1, SELF_TRADE)


def test_a_maker_that_fails_behind_the_top_of_a_leg_is_passed_over(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 100, 1)
    markets.place(BOB, LOW, SELL, 101, 1)
    markets.place(CAT, LOW, SELL, 102, 1)
    markets.place(ANN, HIGH, SELL, 200, 1)
    outcome = markets.place(
        EVE, TWO_TO_ONE, BUY, 999, 1, script=Script(failing_orders=frozenset({1}))
    )
    assert fills(outcome) == [(0, 0, 100, 1), (2, 0, 102, 1), (3, 1, 200, 1)]
    assert outcome.dropped == [(1, MAKER_FAILS)]


def test_an_account_that_fails_with_two_legs_loses_one_order_and_keeps_the_other(
    markets: BothMarkets,
) -> None:
    markets.place(ANN, LOW, SELL, 710, 1)
    markets.place(ANN, HIGH, BUY, 490, 1)
    markets.place(BOB, HIGH, BUY, 480, 1)
    outcome = markets.place(EVE, SPREAD, BUY, 230, 1, script=Script(one_order_of_an_account=True))
    assert fills(outcome) == [(0, 0, 710, 1), (2, 1, 480, 1)]
    assert outcome.dropped == [(1, MAKER_FAILS)]


def test_a_combo_that_fails_on_its_last_leg_leaves_no_trace(markets: BothMarkets) -> None:
    markets.place(ANN, LOW, SELL, 710, 1)
    markets.place(BOB, HIGH, BUY, 490, 1)
    outcome = markets.place(EVE, SPREAD, BUY, 220, 1, script=Script(taker_lots=1))
    assert (outcome.filled, outcome.stop, outcome.refusal) == (0, REFUSED, TAKER_MARGIN)
    assert resting(markets, LOW)[1] == [(710, 1, [(0, 1)])]
    assert resting(markets, HIGH)[0] == [(490, 1, [(1, 1)])]


def test_a_combo_does_not_meet_the_leg_order_that_it_replaces(markets: BothMarkets) -> None:
    markets.place(EVE, LOW, SELL, 700, 1)
    markets.place(ANN, LOW, SELL, 710, 1)
    markets.place(BOB, HIGH, BUY, 490, 1)
    outcome = markets.place(EVE, SPREAD, BUY, 220, 1, replaced=0)
    assert fills(outcome) == [(1, 0, 710, 1), (2, 1, 490, 1)]
    assert resting(markets, LOW) == [[], []]


# WHAT RESTING COMBOS OFFER


def test_a_resting_combo_and_the_best_of_one_leg_offer_the_other(markets: BothMarkets) -> None:
    """The combo pays 220 net, so with 700 for the low call it must get 480 for the high one."""
    markets.place(EVE, SPREAD, BUY, 220, 3)
    markets.place(ANN, LOW, SELL, 700, 2)
    outcome = markets.place(BOB, HIGH, BUY, 490, 5)
    assert fills(outcome) == [(0, HIGH, 480, 2), (1, LOW, 700, 2)]
    assert [(step.units, step.through) for step in outcome.steps] == [(2, (0, 2))]
    assert resting(markets, SPREAD) == [[(220, 1, [(0, 1)])], []]
    assert resting(markets, HIGH) == [[(490, 3, [(2, 3)])], []]


def test_a_real_order_goes_before_an_offer_at_its_price(markets: BothMarkets) -> None:
    markets.place(EVE, SPREAD, BUY, 220, 3)
    markets.place(ANN, LOW, SELL, 700, 3)
    markets.place(CAT, HIGH, SELL, 480, 1)
    outcome = markets.place(BOB, HIGH, BUY, 480, 2)
    assert fills(outcome) == [(2, HIGH, 480, 1), (0, HIGH, 480, 1), (1, LOW, 700, 1)]


def test_the_best_offer_goes_first_and_of_equal_ones_the_lowest_combo(
    markets: BothMarkets,
) -> None:
    markets.place(EVE, HEDGED, SELL, -8_300, 1)  # sells the low call for the perpetual less 8,300
    markets.place(CAT, SPREAD, SELL, 220, 1)  # sells the low call for the high one and 220
    markets.place(ANN, PERP, SELL, 9_000, 1)
    markets.place(ANN, HIGH, SELL, 480, 1)
    outcome = markets.place(BOB, LOW, BUY, 700, 2)
    assert fills(outcome) == [
        (1, LOW, 700, 1),
        (3, HIGH, 480, 1),
        (0, LOW, 700, 1),
        (2, PERP, 9_000, 1),
    ]


def test_an_offer_is_on_the_tick_on_which_the_combo_is_no_worse(markets: BothMarkets) -> None:
    """Two low calls for 1,901 less 500: 700.5 each, so the combo pays 700; sold, it gets 701."""
    markets.place(EVE, TWO_TO_ONE, BUY, 1_901, 1)
    markets.place(ANN, HIGH, SELL, 500, 1)
    outcome = markets.place(BOB, LOW, SELL, 600, 2)
    assert fills(outcome) == [(0, LOW, 700, 2), (1, HIGH, 500, 1)]
    assert outcome.steps[0].net_price_micro == 1_900 * 10
    markets.place(EVE, TWO_TO_ONE, SELL, 1_901, 1)
    markets.place(ANN, HIGH, BUY, 500, 1)
    outcome = markets.place(BOB, LOW, BUY, 800, 2)
    assert fills(outcome) == [(3, LOW, 701, 2), (4, HIGH, 500, 1)]


def test_less_than_a_unit_is_not_offered(markets: BothMarkets) -> None:
    markets.place(EVE, TWO_TO_ONE, BUY, 1_900, 5)
    markets.place(ANN, HIGH, SELL, 500, 5)
    assert fills(markets.place(BOB, LOW, SELL, 600, 1, time_in_force=IOC)) == []
    outcome = markets.place(BOB, LOW, SELL, 600, 3)
    assert fills(outcome) == [(0, LOW, 700, 2), (1, HIGH, 500, 1)]
    assert resting(markets, LOW)[1] == [(600, 1, [(3, 1)])]


def test_only_the_best_level_of_the_other_leg_counts(markets: BothMarkets) -> None:
    """One unit of the mirrored ratio wants two low calls, and the best level has one."""
    markets.place(EVE, TWO_TO_ONE, BUY, 1_900, 1)
    markets.place(ANN, LOW, SELL, 700, 1)
    markets.place(CAT, LOW, SELL, 701, 1)
    assert fills(markets.place(BOB, HIGH, SELL, 400, 1, time_in_force=IOC)) == []
    markets.place(CAT, LOW, SELL, 700, 1)
    outcome = markets.place(BOB, HIGH, SELL, 400, 1)
    assert fills(outcome) == [(0, HIGH, 500, 1), (1, LOW, 700, 1), (4, LOW, 700, 1)]


def test_nobody_trades_with_itself_through_a_combo(markets: BothMarkets) -> None:
    markets.place(BOB, SPREAD, BUY, 230, 1)
    markets.place(EVE, SPREAD, BUY, 220, 1)
    markets.place(EVE, LOW, SELL, 690, 1)
    markets.place(BOB, LOW, SELL, 695, 1)
    markets.place(ANN, LOW, SELL, 700, 1)
    # Bob's own combo and low call are passed over; Eve's low call is best, and she is the combo.
    assert fills(markets.place(BOB, HIGH, BUY, 490, 1, time_in_force=IOC)) == []
    markets.cancel(2)
    outcome = markets.place(BOB, HIGH, BUY, 490, 1)
    assert fills(outcome) == [(1, HIGH, 480, 1), (4, LOW, 700, 1)]


def test_a_maker_that_fails_through_a_combo_is_passed_over_and_dropped(
    markets: BothMarkets,
) -> None:
    markets.place(EVE, SPREAD, BUY, 225, 1)
    markets.place(CAT, SPREAD, BUY, 220, 1)
    markets.place(ANN, LOW, SELL, 700, 1)
    script = Script(failing_orders=frozenset([0]))
    outcome = markets.place(BOB, HIGH, BUY, 490, 1, script=script)
    assert outcome.dropped == [(0, MAKER_FAILS)]
    assert fills(outcome) == [(1, HIGH, 480, 1), (2, LOW, 700, 1)]
    assert resting(markets, SPREAD) == [[], []]


def test_fill_or_kill_counts_what_combos_offer(markets: BothMarkets) -> None:
    markets.place(EVE, SPREAD, BUY, 220, 2)
    markets.place(ANN, LOW, SELL, 700, 2)
    markets.place(CAT, HIGH, SELL, 470, 1)
    short = markets.place(BOB, HIGH, BUY, 480, 4, time_in_force=FOK)
    assert short.filled == 3
    assert resting(markets, SPREAD) == [[(220, 2, [(0, 2)])], []]
    whole = markets.place(BOB, HIGH, BUY, 480, 3, time_in_force=FOK)
    assert fills(whole) == [(2, HIGH, 470, 1), (0, HIGH, 480, 2), (1, LOW, 700, 2)]


def test_offers_keep_the_bound_of_fills(markets: BothMarkets) -> None:
    markets.place(EVE, SPREAD, BUY, 220, 200)
    for _ in range(200):
        markets.place(ANN, LOW, SELL, 700, 1)
    outcome = markets.place(BOB, HIGH, BUY, 490, 200)
    assert (outcome.met, outcome.stop) == (MAX_FILLS, FILL_BOUND)


def test_no_more_than_32_combos_are_looked_at() -> None:
    """The 33rd has the best price, and waits."""
    world = World(
        instruments=[Instrument(n, CALL, BTC, MARCH, 900_000_000 + n, 10) for n in range(34)],
        combos=[((0, 1), (1 + n, -1)) for n in range(33)],
        mark_ticks=(700,) * 34,
    )
    markets = BothMarkets(world)
    for n in range(33):
        markets.place(EVE, COMBO_BASE + n, BUY, 10 if n < 32 else 50, 1)
        markets.place(ANN, 1 + n, BUY, 600, 1)
    best = markets.place(BOB, 0, SELL, 640, 1, time_in_force=IOC)
    assert fills(best) == []
    assert fills(markets.place(BOB, 0, SELL, 610, 1)) == [(0, 0, 610, 1), (1, 1, 600, 1)]
    assert fills(markets.place(BOB, 0, SELL, 640, 1)) == [(64, 0, 650, 1), (65, 33, 600, 1)]
