"""Random lives of an oracle: reports good and bad, silences, new terms; the engine and its slow
twin agree on every answer, and no minority of liars moves an index out of what honest reporters
saw.
"""

from collections.abc import Sequence
from random import Random
from statistics import median_low
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.oracle.aggregate import lower_median, medoid
from exchange.oracle.arbitrage import butterfly_strike, calendar_strike
from margin.fixed_point import ln_q30
from margin.svi import ExpiryMark
from matching.rejects import ORACLE_ARMED
from matching.trading_states import CANCEL_ONLY, OPEN
from tests.floor import BTC_INDEX, JUNE, LISTINGS, MARCH, SMILE, Floor, of_type, open_floor
from tests.model import oracle as twin
from tests.reporting import ANNA, BERT, CARA, DORA, arm, disarm, oracle_of, report, wait

STEP = BTC_INDEX // 10_000 // 100 * 100
A, B, RHO, M, SIGMA = SMILE
SMILES = (
    SMILE,
    (A * 101 // 100, B, RHO, M, SIGMA),
    (A * 99 // 100, B * 102 // 100, -RHO, M + 5, SIGMA),
    (A * 3 // 2, B, RHO, M, SIGMA),
    (A // 3, B // 3, RHO, M, SIGMA),
    (0, 0, 0, 0, 1),
    (0, (1 << 31) - 1, 1 << 30, -69_298_130, 1),
    (0, -1, 0, 0, 1),
    (-(1 << 31), 1 << 20, 0, 0, 1 << 20),
    ((1 << 31) - 1, (1 << 31) - 1, 0, 0, (1 << 31) - 1),
)
MAX_AGE_S = 10


def drawn_step(dice: Random) -> dict[str, Any]:
    """Mostly reports, most of them good: a life in which every one is refused teaches nothing."""
    kind = dice.choices(("report", "wait", "arm", "mark"), (80, 14, 4, 2))[0]
    if kind == "wait":
        return {"step": kind, "seconds": dice.choice((1, 1, 2, 3, 5, 9, 10, 11, 14))}
    if kind == "arm":
        return {
            "step": kind,
            "reporters": dice.choice(((ANNA, BERT, CARA), (BERT, CARA), (ANNA, CARA), ())),
            "quorum": dice.choice((1, 2, 2, 3)),
            "deviation_e4": dice.choice((20, 50, 200)),
            "forward_move_e4": dice.choice((50, 300)),
            "variance_move_e4": dice.choice((500, 20_000)),
        }
    if kind == "mark":
        return {"step": kind}
    return {
        "step": kind,
        "reporter": dice.choices((ANNA, BERT, CARA, DORA), (30, 30, 30, 3))[0],
        "moved": dice.choice((dice.randint(-15, 15),) * 12 + (-60, 60, -9_999, -5_000, 30_000)),
        "age_ms": dice.choice((0,) * 14 + (1, 900, 10_000, 10_001, -1_900, -2_001)),
        "sequence": dice.choice((1,) * 16 + (2, 0, -1)),
        "decimals": dice.choice((8,) * 24 + (9,)),
        "marks": drawn_marks(dice),
    }


def drawn_marks(dice: Random) -> dict[int, tuple[int, int]]:
    """(forward in percent of the index, number of the smile) by expiry."""
    whole = dice.choice((0, 0, 0, 0, 1, 1, 2, 3, 4))
    marks = {0: (101, whole), 1: (102, whole)}
    if dice.random() < 0.25:
        expiry = dice.choice((0, 1))
        percent = dice.choice((99, 101, 102, 103, 105, 119, 121, 60))
        marks[expiry] = (percent, dice.choice((whole, dice.randrange(len(SMILES)))))
    if dice.random() < 0.15:
        del marks[dice.choice((0, 1))]
    return marks


class Life:
    """The engine on a watched floor, and the twin beside it."""

    def __init__(self) -> None:
        self.floor: Floor = open_floor(accounts=0)
        strikes: dict[int, list[int]] = {0: [], 1: []}
        for listing in LISTINGS:
            if listing.underlying == 0 and listing.strike_micro:
                kept = strikes[listing.expiry]
                if listing.strike_micro not in kept:
                    kept.append(listing.strike_micro)
        times = (MARCH, JUNE)
        self.twin = twin.OracleTwin({n: twin.Expiry(times[n], strikes[n]) for n in strikes})
        self._learn_marks()
        self.sequences: dict[bytes, int] = {}
        self.arm((ANNA, BERT, CARA), 2, 50, 300, 20_000)

    def _learn_marks(self) -> None:
        marks = self.floor.state.marks
        self.twin.in_force = {n: tuple(marks.expiry_marks[n]) for n in (0, 1)}

    def step(self, step: str, **more: Any) -> None:
        getattr(self, step)(**more)
        self.agree()

    def agree(self) -> None:
        state, now_ns = self.floor.state, self.floor.time_ns
        asked = state.trading.by_oracle.get(0, OPEN)
        assert asked == (CANCEL_ONLY if self.twin.is_lost else OPEN)
        counting = {said.reporter for said in self.twin.counting(now_ns)}
        found = oracle_of(self.floor) if 0 in state.oracles else None
        assert counting == ({r.reporter for r in found.counting()} if found else set())
        assert self.twin.in_force == {
            n: tuple(m) for n, m in state.marks.expiry_marks.items() if n < 2
        }

    # STEPS

    def arm(
        self,
        reporters: Sequence[bytes],
        quorum: int,
        deviation_e4: int,
        forward_move_e4: int,
        variance_move_e4: int,
    ) -> None:
        quorum = min(quorum, len(reporters))
        marks, now_ns = self.floor.state.marks, self.floor.time_ns
        if not reporters:
            disarm(self.floor)
            self.twin.disarm(now_ns)
            return
        terms = twin.Terms(
            quorum,
            MAX_AGE_S,
            deviation_e4,
            2_000,
            forward_move_e4,
            variance_move_e4,
            dict.fromkeys(reporters, 8),
        )
        arm(
            self.floor,
            reporters,
            quorum,
            max_age_s=MAX_AGE_S,
            deviation_e4=deviation_e4,
            forward_move_e4=forward_move_e4,
            variance_move_e4=variance_move_e4,
        )
        made = (marks.mark_time_s[0], marks.index_micro[0])
        self.twin.arm(now_ns, terms, {0: made, 1: made})

    def wait(self, seconds: int) -> None:
        happened = wait(self.floor, seconds)
        was_lost = self.twin.is_lost
        self.twin.look(self.floor.time_ns)
        assert len(of_type(happened, e.OracleLost)) == (self.twin.is_lost and not was_lost)
        assert not of_type(happened, e.MarksUpdated)

    def mark(self) -> None:
        happened = self.floor.mark(0, self.floor.state.marks.index_micro[0])
        if self.twin.terms is not None:
            (refused,) = of_type(happened, e.CommandRejected)
            assert refused.code == ORACLE_ARMED
        self._learn_marks()

    def report(
        self,
        reporter: bytes,
        moved: int,
        age_ms: int,
        sequence: int,
        decimals: int,
        marks: dict[int, tuple[int, int]],
    ) -> None:
        index = BTC_INDEX + moved * STEP
        number = max(self.sequences.get(reporter, 1) + sequence, 0)
        shown = {
            n: ExpiryMark(index * percent // 100, *SMILES[smile])
            for n, (percent, smile) in sorted(marks.items())
        }
        command = report(
            self.floor,
            reporter,
            index,
            shown,
            age_ms=age_ms,
            sequence=number,
            decimals=decimals,
        )
        said = twin.Said(
            reporter,
            number,
            command.observed_ms,
            decimals,
            index,
            {n: tuple(mark) for n, mark in shown.items()},
        )
        expected = self.twin.report(self.floor.time_ns, said)
        happened = self.floor.send(command)
        refused = [event.code for event in of_type(happened, e.CommandRejected)]
        assert refused == ([expected.code] if expected.code else [])
        made = [event.index_micro for event in of_type(happened, e.MarksUpdated)]
        assert made == ([] if expected.index is None else [expected.index])
        held = {(event.expiry, event.reason) for event in of_type(happened, e.ExpiryHeld)}
        assert held == expected.held
        if not expected.code:
            self.sequences[reporter] = number


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_the_engine_and_the_twin_agree_after_every_step(seed: int) -> None:
    """A program of a seed, for lists that hypothesis draws are short and seldom lawful."""
    life, dice = Life(), Random(seed)
    for _ in range(60):
        life.step(**drawn_step(dice))


# MEDIANS


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=12),
    st.lists(st.integers(1, 10**9), max_size=12),
)
def test_a_minority_of_liars_leaves_the_median_between_honest_values(
    honest: list[int], lies: list[int]
) -> None:
    lies = lies[: len(honest) - 1]
    middle = lower_median(honest + lies)
    assert min(honest) <= middle <= max(honest)
    assert middle == median_low(honest + lies)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_liars_below_half_the_quorum_cannot_move_the_index_past_what_honest_reporters_saw(
    data: st.DataObject,
) -> None:
    """Whatever the liars say and whenever; honest reports may lie apart, too."""
    reporters = [bytes((number,)) * 20 for number in range(1, 8)]
    quorum = data.draw(st.integers(3, 5))
    liars = reporters[: (quorum - 1) // 2]
    floor = open_floor(accounts=0)
    arm(floor, reporters, quorum, deviation_e4=data.draw(st.sampled_from((10, 100, 2_000))))
    last: dict[bytes, int] = {}
    for reporter in data.draw(st.lists(st.sampled_from(reporters), max_size=24)):
        spread = 90 if reporter in liars else 4
        index = BTC_INDEX + data.draw(st.integers(-spread, spread)) * 50 * STEP
        happened = floor.send(report(floor, reporter, index, {}))
        last[reporter] = index
        for made in of_type(happened, e.MarksUpdated):
            honest = [seen for who, seen in last.items() if who not in liars]
            assert min(honest) <= made.index_micro <= max(honest)


# SMILES

smiles = st.builds(
    ExpiryMark,
    st.integers(800_000_000, 1_100_000_000),
    st.integers(-(1 << 24), 1 << 27),
    st.integers(0, 1 << 29),
    st.integers(-(1 << 30), 1 << 30),
    st.integers(-(1 << 29), 1 << 29),
    st.integers(1, 1 << 30),
)
STRIKES = [(strike, ln_q30(strike)) for strike in range(500_000_000, 1_500_000_001, 100_000_000)]


@settings(max_examples=80, deadline=None)
@given(smiles)
def test_a_butterfly_is_found_where_the_twin_finds_one(mark: ExpiryMark) -> None:
    found = butterfly_strike(mark, STRIKES)
    assert (found > 0) == twin.has_butterfly(tuple(mark), [strike for strike, _ in STRIKES])
    assert found in (0, *(strike for strike, _ in STRIKES))


@settings(max_examples=80, deadline=None)
@given(smiles, smiles)
def test_a_crossing_is_found_where_the_twin_finds_one(near: ExpiryMark, far: ExpiryMark) -> None:
    model = twin.OracleTwin({0: twin.Expiry(MARCH, [strike for strike, _ in STRIKES])})
    found = calendar_strike(near, far, STRIKES) > 0
    assert found == model._crosses(0, tuple(near), tuple(far))
    assert not calendar_strike(near, near, STRIKES)


@given(st.lists(smiles, min_size=1, max_size=7), st.randoms())
def test_a_medoid_is_a_whole_smile_of_one_of_them_in_whatever_order(
    marks: list[ExpiryMark], shuffle: Any
) -> None:
    chosen = medoid(marks)
    assert chosen[1:] in [mark[1:] for mark in marks]
    assert chosen.forward_micro in [mark.forward_micro for mark in marks]
    shuffle.shuffle(marks)
    assert medoid(marks) == chosen
