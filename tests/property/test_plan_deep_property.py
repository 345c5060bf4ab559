"""Books so deep that a command ends at its bound, against the slow twin: at MAX_FILLS exactly, one
before and one after, with an order of the taker's own or makers that fail near the end; and
quanta at the most fills that a step may have.
"""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from matching.combos import COMBO_BASE
from matching.instruments import CALL, Expiry, Instrument, Underlying
from matching.orders import BUY, SELL
from matching.plan import EXHAUSTED, FILL_BOUND, MAX_FILLS, MAX_FILLS_OF_A_STEP, SELF_TRADE
from tests.model.market import BothMarkets, World
from tests.model.matching import Outcome, Script

BTC = Underlying(0, "BTC", 1_000_000)
MARCH = Expiry(0, BTC, 1_774_598_400)
WORLD = World(
    instruments=[Instrument(n, CALL, BTC, MARCH, (90 + n) * 10_000_000, 10) for n in range(2)],
    combos=[((0, 2), (1, 3)), ((0, 1), (1, -1)), ((0, 8), (1, -7)), ((0, 9), (1, 7))],
    mark_ticks=(4, 3),
)
TWO_AND_THREE, SPREAD, FIFTEEN_FILLS, SIXTEEN_FILLS = range(COMBO_BASE, COMBO_BASE + 4)
TAKER = 9


def deep(outcome: Outcome) -> None:
    """What holds whatever was met."""
    assert outcome.met <= MAX_FILLS
    assert all(len(step.fills) <= MAX_FILLS_OF_A_STEP for step in outcome.steps)


@settings(max_examples=max(settings().max_examples // 4, 1))
@given(
    depth=st.integers(MAX_FILLS - 4, MAX_FILLS + 4),
    own=st.none() | st.integers(MAX_FILLS - 4, MAX_FILLS + 4),
    failing=st.frozensets(st.integers(0, 4) | st.integers(MAX_FILLS - 4, MAX_FILLS + 4)),
    wanted=st.integers(MAX_FILLS - 4, MAX_FILLS + 4),
)
def test_a_single_order_ends_at_the_bound(
    depth: int, own: int | None, failing: frozenset[int], wanted: int
) -> None:
    markets = BothMarkets(WORLD)
    for number in range(depth):
        markets.place(TAKER if number == own else 1, 0, SELL, 1 + number // 100, 1)
    outcome = markets.place(TAKER, 0, BUY, 9, wanted, script=Script(failing_orders=failing))
    markets.check()
    deep(outcome)
    # The same, reckoned by heart: all before the taker's own order, up to its wish or the bound.
    reach = depth if own is None or own >= depth else own
    passing = [number for number in range(reach) if number not in failing]
    if len(passing) >= wanted and passing[wanted - 1] < MAX_FILLS:
        assert (outcome.filled, outcome.stop) == (wanted, EXHAUSTED)
    elif reach < depth and reach <= MAX_FILLS:
        assert (outcome.filled, outcome.stop) == (len(passing), SELF_TRADE)
    else:
        assert outcome.stop == (FILL_BOUND if reach > MAX_FILLS else EXHAUSTED)
        assert outcome.filled == len([number for number in passing if number < MAX_FILLS])


@settings(max_examples=max(settings().max_examples // 4, 1))
@given(seed=st.integers(0, 1 << 64), combo=st.sampled_from([TWO_AND_THREE, SPREAD]))
def test_a_combo_order_ends_at_the_bound(seed: int, combo: int) -> None:
    """By its legs' books, where a quantum has two to five fills, and by its own."""
    dice = Random(seed)
    markets = BothMarkets(WORLD)
    middle = {TWO_AND_THREE: 2 * 5 + 3 * 5, SPREAD: 0}[combo]
    for _ in range(150):
        markets.place(dice.randint(0, 4), 0, SELL, dice.randint(4, 6), dice.choice((1, 1, 1, 2)))
    for _ in range(200):
        side = BUY if combo == SPREAD else SELL
        markets.place(dice.randint(0, 4), 1, side, dice.randint(4, 6), dice.choice((1, 1, 1, 2)))
    for _ in range(dice.randint(0, 60)):
        markets.place(dice.randint(0, 4), combo, SELL, middle + dice.randint(-2, 2), 1)
    failing = frozenset(dice.randint(0, 400) for _ in range(dice.choice((0, 0, 10, 100))))
    outcome = markets.place(TAKER, combo, BUY, 99, 1_000, script=Script(failing_orders=failing))
    markets.check()
    deep(outcome)
    assert outcome.stop in (FILL_BOUND, EXHAUSTED)


@given(seed=st.integers(0, 1 << 64), combo=st.sampled_from([FIFTEEN_FILLS, SIXTEEN_FILLS]))
def test_a_quantum_of_too_many_fills_is_not_offered(seed: int, combo: int) -> None:
    dice = Random(seed)
    markets = BothMarkets(WORLD)
    side = BUY if combo == FIFTEEN_FILLS else SELL
    sizes = dice.choice(((1,), (1, 1, 1, 1, 1, 1, 2), (1, 3)))
    for _ in range(30):
        markets.place(dice.randint(0, 4), 0, SELL, dice.randint(4, 6), dice.choice(sizes))
        markets.place(dice.randint(0, 4), 1, side, dice.randint(4, 6), dice.choice(sizes))
    outcome = markets.place(TAKER, combo, BUY, 999, 5)
    markets.check()
    deep(outcome)
    if sizes == (1,):
        assert outcome.filled == (3 if combo == FIFTEEN_FILLS else 0)
