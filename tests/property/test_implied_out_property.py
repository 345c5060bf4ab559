"""Orders that meet resting combos in the whole exchange: margin, fees, records, replay.

The floor recomputes every invariant after each command and cuts batches now and then, so that the
ledger, which sees records alone, must agree; here each trade is held against the limits of all
who made it.
"""

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.events import (
    ComboFilled,
    Event,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    PositionSettled,
)
from exchange.invariants import owed_micro
from exchange.state_digest import state_hash
from margin.fees import fee_up
from matching.combos import combo_tick_micro
from matching.orders import BUY, FOK, GTC, IOC, SELL
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    ETH_INDEX,
    ETH_PERP,
    ETH_PUT,
    FUT,
    PERP,
    PUT_90,
    Floor,
    fills,
    of_type,
    open_floor,
    placed_hash,
    refusal,
    was_accepted,
)

STRATEGIES = (
    ((CALL_90, 1), (CALL_100, -1)),
    ((CALL_90, 2), (PUT_90, 1)),
    ((PERP, 1), (CALL_90, -2)),
    ((CALL_90, 3), (CALL_100, -2)),
    ((PERP, 1), (FUT, -1)),
    ((CALL_90, 1), (CALL_100, -2), (PUT_90, 1)),
    ((PERP, 1), (ETH_PERP, -2)),
    ((CALL_90, 1), (ETH_PUT, 1)),
)
MARKETS = (PERP, FUT, CALL_90, CALL_100, PUT_90, ETH_PERP, ETH_PUT)
MAKER_RATE, TAKER_RATE, CAP = 300, 500, 1_250


class Listener:
    """Remembers every order's side and limit, and judges every trade through a combo by them."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.orders: dict[int, OrderPlaced] = {}
        self.through = 0

    def hear(self, events: Sequence[Event]) -> None:
        for event in of_type(events, OrderPlaced):
            self.orders[event.order_id] = event
        for combo in of_type(events, ComboFilled):
            if combo.taker_left_units == -1:
                legs = [
                    fill
                    for fill in of_type(events, OrderFilled)
                    if fill.combo_trade == combo.combo_trade
                ]
                self.judge(combo, legs)
                self.through += 1

    def judge(self, combo: ComboFilled, legs: list[OrderFilled]) -> None:
        first, *others = legs
        resting, taker = self.orders[combo.maker_order_id], self.orders[combo.taker_order_id]
        assert (first.taker_order_id, first.maker_order_id) == (taker.order_id, resting.order_id)
        sign = 1 if taker.side == BUY else -1
        assert sign * first.price_micro <= sign * taker.limit_price_micro
        sign = 1 if resting.side == BUY else -1
        limit, net = resting.limit_price_micro, combo.net_price_micro
        ratios = dict(self.floor.state.combos[combo.book].legs)
        tick = self.floor.state.instruments[first.instrument].tick_value_micro
        # No worse than its limit, and better by less than a tick of the leg.
        assert 0 <= sign * (limit - net) < abs(ratios[first.instrument]) * tick
        paid = 0
        lots: dict[int, int] = {}
        for leg in legs:
            combo_buys = leg.taker_buys == 0 if leg is first else leg.taker_buys == 1
            signed = leg.quantity_lots if combo_buys else -leg.quantity_lots
            paid += signed * leg.price_micro
            lots[leg.instrument] = lots.get(leg.instrument, 0) + signed
            if leg is not first:
                maker = self.orders[leg.maker_order_id]
                assert leg.taker_order_id == resting.order_id
                assert leg.price_micro == maker.limit_price_micro
            rates = (TAKER_RATE if leg is first else MAKER_RATE, MAKER_RATE)
            listed = self.floor.state.instruments[leg.instrument]
            is_linear = listed.is_linear
            index = self.floor.state.marks.index_micro[listed.underlying.number]
            assert (leg.taker_fee_micro, leg.maker_fee_micro) == tuple(
                fee_up(rate, CAP, is_linear, index, leg.price_micro, leg.quantity_lots)
                for rate in rates
            )
        assert paid == net * combo.units * sign
        assert lots == {n: sign * ratio * combo.units for n, ratio in ratios.items()}
        parties = [first.taker, first.maker, *(leg.maker for leg in others)]
        assert len(frozenset(parties)) == 2 + len(frozenset(leg.maker for leg in others))


def play(floor: Floor, dice: Random, acts: int) -> Listener:
    listener = Listener(floor)
    for _ in range(acts):
        account = dice.randint(0, 4)
        side = dice.choice((BUY, SELL))
        what = dice.random()
        if what < 0.40:
            legs = dice.choice(STRATEGIES)
            net = sum(ratio * floor.near(number) for number, ratio in legs)
            edge = dice.randint(-5, 3) * 500_000 * (1 if side == BUY else -1)
            listed = [floor.state.instruments[number] for number, _ in legs]
            tick = combo_tick_micro(listed, [ratio for _, ratio in legs])
            price = (net + edge) // tick * tick
            order = floor.sign(account, side, price, dice.choice((1, 2, 5, 9)), legs)
            listener.hear(floor.submit(order))
        elif what < 0.93:
            number = dice.choice(MARKETS)
            percent = 100 + dice.randint(-4, 2) * (1 if side == BUY else -1)
            order = floor.sign(
                account,
                side,
                floor.near(number, percent),
                dice.choice((1, 2, 3, 6, 20)),
                number,
                time_in_force=dice.choice((GTC, GTC, IOC, FOK)),
            )
            listener.hear(floor.submit(order))
        elif what < 0.96:
            floor.time_ns += dice.choice((0, 10**9, 10**11))
            number, index = dice.choice(((0, BTC_INDEX), (1, ETH_INDEX)))
            listener.hear(floor.mark(number, index + dice.randint(-10, 10) * index // 480))
        elif floor.state.groups:
            listener.hear(floor.cut())
    return listener


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 64))
def test_trades_through_combos_keep_every_limit_and_the_ledger_agrees(seed: int) -> None:
    floor = Floor()
    open_floor(5, 20_000_000_000, floor=floor)
    play(floor, Random(seed), 60)
    if floor.state.groups:
        floor.cut()  # the ledger has refused nothing, and owes what the engine owes
    assert owed_micro(floor.state) == floor.state.credited_micro
    assert state_hash(floor.replay().state) == state_hash(floor.state)


def test_such_programs_trade_through_combos() -> None:
    """So that the test above looks at something."""
    through = 0
    for seed in range(6):
        floor = Floor(watched=False)
        open_floor(5, 20_000_000_000, watched=False, floor=floor)
        through += play(floor, Random(seed), 150).through
    assert through > 10


# STORIES


SPREAD = ((CALL_90, 1), (CALL_100, -1))


def test_a_resting_combo_whose_margin_fails_is_passed_over_and_cancelled() -> None:
    """It could pay for itself when it came; then its owner's perpetual fell."""
    floor = open_floor()
    poor = floor.open_account(900_000_000)
    floor.buy(poor, BTC_INDEX // 5_000 * 5_000, 4, PERP)
    floor.sell(0, BTC_INDEX // 5_000 * 5_000, 4, PERP)
    low, high = floor.near(CALL_90), floor.near(CALL_100)
    combo = placed_hash(floor.buy(poor, low - high, 1, SPREAD))
    floor.mark(0, BTC_INDEX * 94 // 100)
    floor.sell(1, low, 1, CALL_90)
    events = floor.buy(2, high, 1, CALL_100)
    assert was_accepted(events)
    assert not fills(events)
    assert [e.order_hash for e in of_type(events, OrderCancelled)] == [combo]


def test_an_offer_that_the_taker_cannot_pay_for_leaves_no_trace() -> None:
    floor = open_floor()
    broke = floor.open_account(1_000)
    net = floor.near(CALL_90) - floor.near(CALL_100)
    floor.buy(0, net, 1, SPREAD)
    floor.sell(1, floor.near(CALL_90), 1, CALL_90)
    before = state_hash(floor.state)
    refused = floor.buy(broke, floor.near(CALL_100) + 10_000_000, 1, CALL_100)
    assert refusal(refused).code == 601
    assert state_hash(floor.state) == before


def test_all_three_take_what_their_perpetual_has_accrued_before_they_trade() -> None:
    floor = open_floor()
    hedge = ((PERP, 1), (FUT, -1))
    for buyer, seller in ((0, 1), (1, 2)):
        for number in (PERP, FUT):
            floor.buy(buyer, floor.near(number), 1, number)
            floor.sell(seller, floor.near(number), 1, number)
    floor.mark(0, BTC_INDEX + 10_000_000)
    net = floor.near(PERP) - floor.near(FUT)
    floor.buy(0, net, 1, hedge)
    floor.sell(1, floor.near(PERP), 1, PERP)
    events = floor.buy(2, floor.near(FUT), 1, FUT)
    assert [fill[0] for fill in fills(events)] == [FUT, PERP]
    settled = {(e.account, e.instrument) for e in of_type(events, PositionSettled)}
    assert settled >= {(0, FUT), (0, PERP), (2, FUT)}
    floor.cut()
