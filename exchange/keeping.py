"""The operator's upkeep of what is traded: lists what the rules ask for, settles what has expired.

Holds: whatever it does is a command; it lists when a day's 08:00 has passed, when an index has
moved by 2% since, when an underlying has its first index, and otherwise looks at nothing; it
settles an expiry at the samples that the exchange itself saw, and fills those that it did not see
with the next that it did, or with the index in force.
Never: changes the state but by commands; marks anything.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from exchange.commands import Command, SettleExpiry, SettlePerpetual
from exchange.events import CommandRejected
from exchange.founding import timed
from exchange.listing_rules import DAY_S, EXPIRY_HOUR_S, Listed, UnderlyingRule, due_listings
from exchange.service import Exchange
from exchange.settlement_samples import PERPETUAL_KEYS, UNSEEN
from exchange.state import NANOSECONDS, State
from matching.instruments import NO_EXPIRY

LARGE_MOVE_E4: Final = 200
"""An index that has moved by 2% may need strikes that are not there."""
_AT_ONCE: Final = 256


def listed_of(state: State) -> Listed:
    """What an exchange has, as the rules read it."""
    return Listed(
        [underlying.name for underlying in state.underlyings],
        [
            (expiry.underlying.number, expiry.expiry_time_s, expiry.settlement_micro is not None)
            for expiry in state.expiries
        ],
        [
            (
                instrument.kind,
                instrument.underlying.number,
                NO_EXPIRY if instrument.expiry is None else instrument.expiry.number,
                instrument.strike_micro,
            )
            for instrument in state.instruments
        ],
        state.marks.index_micro,
        state.marks.expiry_marks,
    )


def settlement_command(state: State, expiry: int, time_ns: int) -> SettleExpiry | None:
    """Settles an expiry. None where there is no index at all."""
    samples = _samples(state, state.expiries[expiry].underlying.number, expiry, time_ns)
    return SettleExpiry(time_ns, expiry, samples) if samples else None


def end_command(state: State, perpetual: int, time_ns: int) -> SettlePerpetual | None:
    """Settles a perpetual whose announced end has come; else as above."""
    underlying = state.instruments[perpetual].underlying.number
    samples = _samples(state, underlying, PERPETUAL_KEYS + perpetual, time_ns)
    return SettlePerpetual(time_ns, perpetual, samples) if samples else None


def _samples(state: State, underlying: int, key: int, time_ns: int) -> tuple[int, ...]:
    """What was seen; where a minute was not, the next one that was, else the index in force."""
    seen = state.samples.seen(underlying, key, time_ns)
    following = state.marks.index_micro.get(underlying, UNSEEN)
    samples: list[int] = []
    for sample in reversed(seen):
        following = following if sample == UNSEEN else sample
        samples.append(following)
    return () if UNSEEN in samples else tuple(reversed(samples))


class Keeper:
    """Keeps one exchange's instruments by its rules."""

    def __init__(self, exchange: Exchange, rules: Sequence[UnderlyingRule]) -> None:
        self._exchange = exchange
        self.rules = rules
        self._day = -1
        self._index_micro: dict[int, int] = {}

    async def settle_expired(self, now_s: int) -> None:
        """Settles every expiry whose time has come, and every perpetual whose end has."""
        state = self._exchange.state
        due = [
            settlement_command(state, expiry.number, now_s * NANOSECONDS)
            for expiry in state.expiries
            if expiry.settlement_micro is None and expiry.expiry_time_s <= now_s
        ]
        ended = [
            end_command(state, number, now_s * NANOSECONDS)
            for number, end_s in state.trading.ends_s.items()
            if end_s <= now_s and number not in state.trading.delisted
        ]
        for command in (*due, *ended):
            if command is not None:
                await self._exchange.submit(
                    lambda time_ns, _, command=command: timed(command, time_ns)
                )

    async def list_due(self, now_ns: int) -> list[Command]:
        """Lists what is due; gives what was taken. What the exchange refuses is due again when the
        rules are next asked.
        """
        state = self._exchange.state
        if not self._is_asked(now_ns // NANOSECONDS):
            return []
        due = list(due_listings(self.rules, listed_of(state), now_ns))
        taken: list[Command] = []
        for start in range(0, len(due), _AT_ONCE):
            some = due[start : start + _AT_ONCE]
            applied = await asyncio.gather(
                *(
                    self._exchange.submit(
                        lambda time_ns, _, command=command: timed(command, time_ns)
                    )
                    for command in some
                )
            )
            for command, done in zip(some, applied, strict=True):
                if not any(isinstance(event, CommandRejected) for event in done.events):
                    taken.append(command)
        return taken

    def _is_asked(self, now_s: int) -> bool:
        """Whether there may be something to list since it was last looked at."""
        day = (now_s - EXPIRY_HOUR_S) // DAY_S
        index = dict(self._exchange.state.marks.index_micro)
        before = self._index_micro
        moved = any(
            number not in before
            or abs(micro - before[number]) * 10_000 >= before[number] * LARGE_MOVE_E4
            for number, micro in index.items()
        )
        if day == self._day and not moved:
            return False
        self._day, self._index_micro = day, index
        return True
