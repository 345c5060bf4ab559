"""Random markets against the slow twin: the same orders into both, the same gate, and after each
order the same fills, the same reasons and the same books, order by order.

The market is small and crowded (four instruments, six combos, prices of a few ticks, seven
accounts), so that orders meet: tops with fewer lots than a ratio, one account in several legs,
orders of one's own, makers that the gate refuses in front and behind.
"""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from matching.instruments import CALL, PERPETUAL, Expiry, Instrument, Underlying
from matching.orders import BUY, FOK, GTC, IOC, SELL
from tests.model.book import check_links
from tests.model.market import ALL_PASS, BothMarkets, World
from tests.model.matching import Outcome, Script

BTC = Underlying(0, "BTC", 1_000_000)
MARCH = Expiry(0, BTC, 1_774_598_400)
WORLD = World(
    instruments=(
        Instrument(0, CALL, BTC, MARCH, 900_000_000, 10),
        Instrument(1, CALL, BTC, MARCH, 950_000_000, 10),
        Instrument(2, CALL, BTC, MARCH, 999_000_000, 15),
        Instrument(3, PERPETUAL, BTC, None, 0, 10),
    ),
    combos=(
        ((0, 1), (1, -1)),
        ((0, 1), (1, 2)),
        ((0, 2), (1, 3)),
        ((0, 1), (2, -2), (3, 1)),
        ((0, 8), (1, -7)),
        ((0, 9), (1, 7)),
    ),
    mark_ticks=(4, 3, 2, 5),
)


class Place(NamedTuple):
    book: int
    account: int
    side: int
    price_ticks: int
    lots: int
    time_in_force: int = GTC
    replaces: int | None = None
    """Which of the account's live orders, counted around."""
    script: Script = ALL_PASS
    display: int = 0


class Cancel(NamedTuple):
    pick: int


# PROGRAMS


def quote(dice: Random) -> Place:
    """An order that seldom meets another at once, so that there is something to meet."""
    side = dice.choice((BUY, SELL))
    book = dice.choice((0, 0, 0, 1, 1, 1, 2, 3))
    price = dice.randint(1, 5) + (4 if side == SELL else 0)
    place = Place(book, dice.randint(0, 6), side, price, some_lots(dice), GTC, replacement(dice))
    return place._replace(display=some_display(dice))


def aggressive_single(dice: Random) -> Place:
    book, side = dice.choice((0, 0, 1, 1, 2, 3)), dice.choice((BUY, SELL))
    price = dice.randint(4, 10) if side == BUY else dice.randint(1, 6)
    return Place(
        book,
        dice.randint(0, 6),
        side,
        price,
        some_lots(dice),
        some_time_in_force(dice),
        replacement(dice),
        some_script(dice),
    )


def any_combo(dice: Random) -> Place:
    """A combo order at a net price around that of its legs' quotes; now and then around nothing,
    where some cannot be made by leg prices.
    """
    combo, side = dice.choice(WORLD.combos), dice.choice((BUY, SELL))
    middle = sum(5 * step for step in combo.steps_micro) // combo.tick_micro
    width = sum(3 * abs(step) for step in combo.steps_micro) // combo.tick_micro
    place = Place(
        combo.book,
        dice.randint(0, 6),
        side,
        middle + dice.randint(-width, width) if dice.random() < 0.9 else dice.randint(-9, 9),
        some_lots(dice),
        some_time_in_force(dice),
        replacement(dice),
        some_script(dice),
    )
    return place._replace(display=some_display(dice))


def some_lots(dice: Random) -> int:
    return dice.choice((1, 1, 1, 2, 2, 3, 4, 7, 20))


def some_display(dice: Random) -> int:
    return dice.choice((0, 0, 0, 1, 1, 2, 3))


def some_time_in_force(dice: Random) -> int:
    return dice.choice((GTC, GTC, GTC, IOC, FOK))


def replacement(dice: Random) -> int | None:
    return dice.randint(0, 8) if dice.random() < 0.3 else None


def some_script(dice: Random) -> Script:
    """Mostly a gate that lets all pass; else one with a rule or two."""

    def now_and_then(value: int) -> int | None:
        return value if dice.random() < 0.25 else None

    if dice.random() < 0.5:
        return ALL_PASS
    return Script(
        failing_accounts=frozenset(dice.randint(0, 6) for _ in range(dice.choice((0, 0, 1, 2)))),
        failing_orders=frozenset(dice.randint(0, 80) for _ in range(dice.randint(0, 20))),
        dear_orders=frozenset(dice.randint(0, 80) for _ in range(dice.randint(0, 8))),
        maker_lots=now_and_then(dice.randint(1, 12)),
        taker_lots=now_and_then(dice.randint(1, 20)),
        taker_fills_fee=now_and_then(dice.randint(2, 6)),
        one_order_of_an_account=dice.random() < 0.25,
    )


@st.composite
def programs(draw: st.DrawFn) -> list[Place | Cancel]:
    """Crowded by dice rather than drawn act by act, which would leave most books empty; the length
    and the first acts shrink.
    """
    dice = Random(draw(st.integers(0, 1 << 64)))
    opening: list[Place | Cancel] = [quote(dice) for _ in range(draw(st.integers(10, 50)))]
    for _ in range(draw(st.integers(20, 80))):
        kind = dice.choice(
            (quote, quote, quote, aggressive_single, any_combo, any_combo, any_combo, None)
        )
        opening.append(kind(dice) if kind else Cancel(dice.randint(0, 80)))
    return opening


def run_both(program: Sequence[Place | Cancel]) -> list[Outcome]:
    """The same program into both; what the orders did."""
    markets = BothMarkets(WORLD)
    live = markets.fast.live
    outcomes: list[Outcome] = []
    for act in program:
        if isinstance(act, Cancel):
            if live:
                markets.cancel(list(live)[act.pick % len(live)])
        else:
            mine = [number for number, order in live.items() if order.account == act.account]
            outcome = markets.place(
                act.account,
                act.book,
                act.side,
                act.price_ticks,
                act.lots,
                time_in_force=act.time_in_force,
                replaced=None
                if act.replaces is None or not mine
                else mine[act.replaces % len(mine)],
                script=act.script,
                display=act.display,
            )
            outcomes.append(outcome)
        markets.check()
        for book in markets.fast.books.values():
            check_links(book)
    return outcomes


@settings(max_examples=2 * settings().max_examples)
@given(programs())
def test_any_program_does_the_same_in_both(program: list[Place | Cancel]) -> None:
    run_both(program)
