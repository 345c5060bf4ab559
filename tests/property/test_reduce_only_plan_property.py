"""Plans over books with reduce-only orders against the slow twin: single takers and combos, through
legs' books and resting combos, where several orders of one account stand behind each other.

Holds: two accounts have positions, one long in everything and one short, and orders on the side
that reduces them, most of them reduce-only and together far larger than the position; so books are
full of orders that may trade less than they show, or nothing. The gate of the test keeps positions
fill by fill, and finds fault with the first reduce-only fill that grows one.
"""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from matching.combos import COMBO_BASE
from matching.orders import BUY, FOK, GTC, IOC, SELL
from tests.model.market import BothMarkets
from tests.model.matching import Outcome
from tests.property.test_plan_property import WORLD, any_combo, quote

LONG, SHORT = 5, 6
RATIOS = tuple(combo.book for combo in WORLD.combos if max(combo.ratios) > 1)


def reducing(dice: Random, markets: BothMarkets) -> Outcome:
    """An order of one of the two, at a price that rests or meets."""
    account = dice.choice((LONG, SHORT))
    side = SELL if account == LONG else BUY
    return markets.place(
        account,
        dice.choice((0, 0, 0, 1, 1, 1, 2, 3)),
        side,
        (5 + dice.randint(-2, 3)) if account == LONG else (5 - dice.randint(-2, 3)),
        dice.choice((1, 1, 1, 2, 3, 7, 20)),
        time_in_force=dice.choice((GTC, GTC, GTC, IOC, FOK)),
        reduces=dice.random() < 0.7,
    )


def other(dice: Random, markets: BothMarkets) -> Outcome:
    """An order of anybody else, of an instrument or a combo."""
    act = dice.choice((quote, any_combo, any_combo))(dice)
    account = act.account % LONG
    force = act.time_in_force
    return markets.place(
        account, act.book, act.side, act.price_ticks, act.lots, time_in_force=force
    )


def sweep(dice: Random, markets: BothMarkets) -> Outcome:
    """A large order, or one of a combo of large ratios, that meets whatever there is."""
    book, side = dice.choice((0, 0, 1, 1, 2, 3, *RATIOS)), dice.choice((BUY, SELL))
    price = 9 if side == BUY else 1
    if book >= COMBO_BASE:
        return markets.place(dice.randint(0, 4), book, side, 200 if side == BUY else -200, 2)
    return markets.place(dice.randint(0, 4), book, side, price, dice.randint(5, 40))


class Counted(BothMarkets):
    """Counts the reduce-only makers that are met, by the way in which they are."""

    def __init__(self) -> None:
        super().__init__(WORLD)
        self.met = dict.fromkeys(("single", "leg", "through", "two of one account"), 0)

    def place(self, account: int, book: int, *terms: int, **more: Any) -> Outcome:
        live = dict(self.fast.live)
        outcome = super().place(account, book, *terms, **more)
        for step in outcome.steps:
            reduce = [trade for trade in step.fills if live[trade.maker].is_reduce_only]
            self.met["leg" if book >= COMBO_BASE else "through" if step.through else "single"] += (
                len(reduce)
            )
            places = [(trade.account, trade.instrument) for trade in reduce]
            self.met["two of one account"] += len(places) - len(set(places))
        return outcome


def run(seed: int, acts: int) -> Counted:
    dice = Random(seed)
    markets = Counted()
    for number in range(len(WORLD.instruments)):
        markets.fast.held[LONG, number] = dice.randint(0, 30)
        markets.fast.held[SHORT, number] = -dice.randint(0, 30)
    for at in range(acts):
        kinds = (reducing, reducing, other) if at % 30 < 20 else (reducing, other, sweep, sweep)
        dice.choice(kinds)(dice, markets)
        markets.check()
    return markets


@settings(max_examples=2 * settings().max_examples)
@given(seed=st.integers(0, 1 << 64), acts=st.integers(10, 70))
def test_reduce_only_orders_trade_in_both_alike(seed: int, acts: int) -> None:
    run(seed, acts)


def test_the_programs_meet_what_they_are_for() -> None:
    met = [run(seed, 60).met for seed in range(60)]
    for way in met[0]:
        assert sum(found[way] for found in met), way
