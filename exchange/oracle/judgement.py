"""Whether what the reports agree on may become an expiry's mark, or the old one stays.

Holds: bounds of docs/margin.md, 1.1; a forward within its band around the index; forward and
variance within their moves since a window of `max_age_s` began, however often they are reported,
and once more for every further `max_age_s` without a mark, so that a real move is held up and never
shut out; no butterfly at the listed strikes, no calendar
against a neighbour that is fresh. A forward's move is measured over the index's own: what the index
does is for the breakers.
Never: takes half of what is proposed: forward and smile are taken together, or the old smile stays,
with the old forward carried along with the index.
"""

from typing import Final, NamedTuple

from exchange.events.oracle import (
    HELD_BUTTERFLY,
    HELD_CALENDAR,
    HELD_FORWARD_MOVE,
    HELD_FORWARD_OFF,
    HELD_OUT_OF_BOUNDS,
    HELD_VARIANCE_MOVE,
)
from exchange.oracle.aggregate import at_the_money_q60, distance_e4
from exchange.oracle.arbitrage import Strikes, butterfly_strike, calendar_strike
from exchange.oracle.oracle import Anchor, Made
from exchange.oracle.terms import E4, Terms
from margin.svi import ExpiryMark, check_marks


class Hold(NamedTuple):
    """Why an expiry keeps its smile (`events.HOLD_REASONS`)."""

    reason: int
    got: int
    allowed: int


class Place(NamedTuple):
    """An expiry in its chain: the mark that the reports agree on (None: none of them names it, or
    it is held), and the one that stands without it, if it is fresh.
    """

    number: int
    expiry_time_s: int
    strikes: Strikes
    proposed: ExpiryMark | None
    in_force: ExpiryMark | None


NO_HOLDS: Final[dict[int, Hold]] = {}


def judge(
    terms: Terms,
    mark: ExpiryMark,
    index_micro: int,
    anchor: Anchor | None,
    time_s: int,
    expiry_time_s: int,
    strikes: Strikes,
) -> Hold | None:
    """Why a proposed mark may not be taken for its own sake; None where it may.

    anchor  of the mark in force; None before an expiry's first mark
    """
    reject = check_marks(0, mark, [ln_strike for _, ln_strike in strikes])
    if reject is not None:
        return Hold(HELD_OUT_OF_BOUNDS, reject.allowed, 0)
    distance = distance_e4(mark.forward_micro, index_micro)
    if distance > terms.forward_band_e4:
        return Hold(HELD_FORWARD_OFF, distance, terms.forward_band_e4)
    is_over = expiry_time_s <= time_s  # the smile says nothing any more
    if anchor is not None:
        (old, old_time_s, old_index), patience = anchor.reference(time_s, terms.max_age_s)
        moved = forward_move_e4(mark, index_micro, old, old_index)
        if moved > terms.forward_move_e4 * patience:
            return Hold(HELD_FORWARD_MOVE, moved, terms.forward_move_e4 * patience)
        moved = 0
        if not is_over:
            old_s, new_s = expiry_time_s - old_time_s, expiry_time_s - time_s
            moved = variance_move_e4(mark, new_s, old, old_s)
        if moved > terms.variance_move_e4 * patience:
            return Hold(HELD_VARIANCE_MOVE, moved, terms.variance_move_e4 * patience)
    strike = 0 if is_over else butterfly_strike(mark, strikes)
    return Hold(HELD_BUTTERFLY, strike, 0) if strike else None


def carried(made: Made, index_micro: int, strikes: Strikes) -> ExpiryMark | None:
    """The mark that stands where none is taken: the smile as it was made, and the forward as far
    from the new index as it was from the index then, to nearest, half up. Else one index would
    value futures and options of a held expiry, and another the perpetual that hedges them. None
    where the bounds do not let it be.
    """
    forward = 2 * made.mark.forward_micro * index_micro + made.index_micro
    moved = made.mark._replace(forward_micro=forward // (2 * made.index_micro))
    return None if check_marks(0, moved, [ln_strike for _, ln_strike in strikes]) else moved


def forward_move_e4(
    mark: ExpiryMark, index_micro: int, old: ExpiryMark, old_index_micro: int
) -> int:
    """How far the forward has moved over its index, in 1e-4, rounded up."""
    return distance_e4(mark.forward_micro * old_index_micro, old.forward_micro * index_micro)


def variance_move_e4(mark: ExpiryMark, new_s: int, old: ExpiryMark, old_s: int) -> int:
    """How far the variance at the money, per second to the expiry, has moved, in 1e-4, rounded up;
    from no variance at all any is no move.
    """
    before = at_the_money_q60(old) * new_s
    return distance_e4(at_the_money_q60(mark) * old_s, before) if before > 0 else 0


def judge_calendar(chain: list[Place]) -> dict[int, Hold]:
    """Which proposed marks would cross a neighbour, by expiry: each is held against the mark that
    stands before it, proposed or in force, and against the next one where that is not proposed too.

    chain  by rising expiry time
    """
    held: dict[int, Hold] = {}
    before: tuple[int, ExpiryMark, Strikes] | None = None
    for at, place in enumerate(chain):
        mark = place.proposed
        if mark is not None:
            hold = _crosses(before, place.number, mark)
            if hold is None and at + 1 < len(chain) and chain[at + 1].proposed is None:
                after = chain[at + 1]
                if after.in_force is not None:
                    strike = calendar_strike(mark, after.in_force, place.strikes)
                    hold = Hold(HELD_CALENDAR, strike, after.number) if strike else None
            if hold is not None:
                held[place.number] = hold
                mark = None
        mark = mark or place.in_force
        if mark is not None:
            before = (place.number, mark, place.strikes)
    return held


def _crosses(
    before: tuple[int, ExpiryMark, Strikes] | None, number: int, mark: ExpiryMark
) -> Hold | None:
    if before is None or before[0] == number:
        return None
    strike = calendar_strike(before[1], mark, before[2])
    return Hold(HELD_CALENDAR, strike, before[0]) if strike else None


def is_fresh(anchor: Anchor | None, terms: Terms, time_s: int) -> bool:
    """Whether a mark in force is recent enough to be held against its neighbours."""
    return anchor is not None and anchor.made.time_s + terms.max_age_s >= time_s


def report_hold(
    terms: Terms, mark: ExpiryMark, index_micro: int, is_over: bool, strikes: Strikes
) -> Hold | None:
    """What is wrong with one reporter's mark in itself."""
    reject = check_marks(0, mark, [ln_strike for _, ln_strike in strikes])
    if reject is not None:
        return Hold(HELD_OUT_OF_BOUNDS, reject.allowed, 0)
    if abs(mark.forward_micro - index_micro) * E4 > terms.forward_band_e4 * index_micro:
        return Hold(HELD_FORWARD_OFF, distance_e4(mark.forward_micro, index_micro), 0)
    strike = 0 if is_over else butterfly_strike(mark, strikes)
    return Hold(HELD_BUTTERFLY, strike, 0) if strike else None
