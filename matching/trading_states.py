"""Trading states of the venue, its underlyings and its instruments, and what each permits.

Holds: states are numbered from the most to the least permissive, and each permits no more than the
one before it, so the most restrictive of several is the greatest number; the operator's states, the
circuit breakers', the oracles' and those of clearing are kept apart, so that none lifts what
another has set; nobody settles an instrument here: its expiry's settlement price does.
Never: reads a clock, a price or a book.
"""

from collections.abc import Sequence
from typing import Final

from matching.instruments import Instrument

OPEN: Final = 0
PRE_OPEN: Final = 1  # orders come and rest, nothing trades
POST_ONLY_STATE: Final = 2  # only who says post-only may rest
CANCEL_ONLY: Final = 3  # orders leave or shrink
HALTED: Final = 4  # orders leave
SETTLED: Final = 5  # nothing is left
DELISTED: Final = 6  # nobody holds it, and it never comes back

STATE_NAMES: Final[tuple[str, ...]] = (
    "open",
    "pre-open",
    "post-only",
    "cancel-only",
    "halted",
    "settled",
    "delisted",
)
LAST_ORDERED: Final = HALTED
"""The most restrictive state that the operator can order: settlement makes the last one."""

# What an order may do in a state.
TAKE: Final = 1  # trade at once, wholly or in part
REST: Final = 2  # come to rest without trading, post-only or not
REST_POST_ONLY: Final = 4  # come to rest where it says post-only
SHRINK: Final = 8  # replace an order by a smaller one at its price
CANCEL: Final = 16

PERMITTED: Final[tuple[int, ...]] = (
    TAKE | REST | REST_POST_ONLY | SHRINK | CANCEL,  # open
    REST | REST_POST_ONLY | SHRINK | CANCEL,  # pre-open
    REST_POST_ONLY | SHRINK | CANCEL,  # post-only
    SHRINK | CANCEL,  # cancel-only
    CANCEL,  # halted
    0,  # settled
    0,  # delisted
)
"""The one table of what a state permits, by state (docs/matching.md, Trading states). A quote of a
mass quote is judged like an order of its own.
"""

VENUE: Final = 0
UNDERLYING: Final = 1
INSTRUMENT: Final = 2
SCOPE_NAMES: Final[tuple[str, ...]] = ("venue", "underlying", "instrument")


class TradingStates:
    """The states in force, by scope. What was never set is open."""

    __slots__ = (
        "are_open",
        "by_breaker",
        "by_clearing",
        "by_instrument",
        "by_oracle",
        "by_underlying",
        "delisted",
        "ends_s",
        "venue",
    )

    def __init__(self) -> None:
        self.venue = OPEN
        self.by_underlying: dict[int, int] = {}
        self.by_instrument: dict[int, int] = {}
        self.by_breaker: dict[int, int] = {}
        self.by_clearing: dict[int, int] = {}
        self.ends_s: dict[int, int] = {}
        """When an instrument that is delisted ended, or a perpetual whose end is announced ends."""
        self.delisted: dict[int, None] = {}
        self.by_oracle: dict[int, int] = {}
        self.are_open = True
        """Whether no scope has any state but open: nothing need be looked up."""

    def ordered(self, scope: int, number: int) -> int:
        """What the operator set for a scope itself, whatever stands above it."""
        if scope == VENUE:
            return self.venue
        of_scope = self.by_underlying if scope == UNDERLYING else self.by_instrument
        return of_scope.get(number, OPEN)

    def order(self, scope: int, number: int, state: int) -> None:
        """Sets the operator's state of a scope; the venue has the number 0."""
        if scope == VENUE:
            self.venue = state
        elif scope == UNDERLYING:
            _keep(self.by_underlying, number, state)
        else:
            _keep(self.by_instrument, number, state)
        self._look()

    def trip(self, underlying: int, state: int) -> None:
        """Sets the state that an underlying's breaker asks for; OPEN releases it."""
        _keep(self.by_breaker, underlying, state)
        self._look()

    def hold(self, underlying: int, state: int) -> None:
        """Sets the state that clearing asks for while lots wait to be closed; OPEN releases it."""
        _keep(self.by_clearing, underlying, state)
        self._look()

    def announce_end(self, instrument: int, end_s: int) -> None:
        """From that second on time halts a perpetual, until it is settled and delisted."""
        self.ends_s[instrument] = end_s

    def delist(self, instrument: int, time_s: int) -> None:
        """Closes an instrument for good; the operator's state of it is forgotten."""
        self.ends_s.setdefault(instrument, time_s)
        self.delisted[instrument] = None
        self.by_instrument.pop(instrument, None)
        self._look()

    def has_ended(self, instrument: int, time_s: int) -> bool:
        """Whether an instrument without expiry, or before it, has come to its end."""
        return instrument in self.ends_s and self.ends_s[instrument] <= time_s

    def distrust(self, underlying: int, state: int) -> None:
        """Sets the state that an underlying's oracle asks for; OPEN when it is trusted again."""
        _keep(self.by_oracle, underlying, state)
        self._look()

    def of_underlying(self, number: int) -> int:
        """The most restrictive of the venue's, the underlying's, its breaker's, its oracle's and
        clearing's.
        """
        return max(
            self.venue,
            self.by_underlying.get(number, OPEN),
            self.by_breaker.get(number, OPEN),
            self.by_clearing.get(number, OPEN),
            self.by_oracle.get(number, OPEN),
        )

    def of_instrument(self, instrument: Instrument, is_settled: bool, time_s: int) -> int:
        """The state in force for an instrument; `is_settled` as the caller knows it. From its
        expiry, or its announced end, until it is settled, time halts it.
        """
        if is_settled:
            return SETTLED
        if instrument.number in self.delisted:
            return DELISTED
        own = self.by_instrument.get(instrument.number, OPEN)
        if instrument.expiry is not None and instrument.expiry.expiry_time_s <= time_s:
            own = HALTED
        if self.ends_s and self.has_ended(instrument.number, time_s):
            own = HALTED
        return max(own, self.of_underlying(instrument.underlying.number))

    def _look(self) -> None:
        self.are_open = not (
            self.venue
            or self.by_underlying
            or self.by_instrument
            or self.by_breaker
            or self.by_clearing
            or self.by_oracle
        )

    def items(self) -> Sequence[tuple[int, int, int]]:
        """(scope, number, state) of every scope that the operator has set to anything but open."""
        found = [(VENUE, 0, self.venue)] if self.venue else []
        found += [(UNDERLYING, number, state) for number, state in _sorted(self.by_underlying)]
        found += [(INSTRUMENT, number, state) for number, state in _sorted(self.by_instrument)]
        return found


def _keep(states: dict[int, int], number: int, state: int) -> None:
    """What is open again is forgotten, so that equal states are equal."""
    if state == OPEN:
        states.pop(number, None)
    else:
        states[number] = state


def _sorted(states: dict[int, int]) -> list[tuple[int, int]]:
    return sorted(states.items())
