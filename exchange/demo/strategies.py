"""What the takers trade: single options and the strategies that option traders know, drawn at
random from the quoted chain.

Holds: legs are two-sided in the snapshot, so that a strategy can be traded against its legs'
books.
Never: looks at the exchange.
"""

import random
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from margin.analytics.chain import Chain, OptionQuote
from matching.instruments import CALL, PUT

EXPIRIES = 4
"""Expiries that one taker trades: few enough for the positions that an account can hold."""


class Strategy(NamedTuple):
    """A name and signed legs: (ratio, option), bought as written."""

    name: str
    legs: tuple[tuple[int, OptionQuote], ...]

    @property
    def symbol(self) -> str:
        """As a client writes it."""
        if len(self.legs) == 1:
            return self.legs[0][1].name
        return ",".join(f"{ratio:+d}*{option.name}" for ratio, option in self.legs)


class Repertoire:
    """Draws strategies from a chain. Only options near the money that are quoted on both sides."""

    def __init__(self, chain: Chain, seed: int) -> None:
        self._random = random.Random(seed)
        self._by_kind: dict[tuple[int, int], list[OptionQuote]] = defaultdict(list)
        for number, expiry in enumerate(chain.expiries):
            for option in expiry.options:
                near = 0.85 < option.strike_usd / expiry.forward_usd < 1.18
                if near and option.is_two_sided:
                    self._by_kind[number, option.kind].append(option)
        self._expiries = sorted(
            number
            for number, kind in self._by_kind
            if kind == CALL and len(self._by_kind[number, CALL]) >= 4
        )
        self._expiries = sorted(self._random.sample(self._expiries, EXPIRIES))
        self.makers: dict[str, Callable[[], Strategy]] = {
            "single": self._single,
            "vertical": self._vertical,
            "straddle": self._straddle,
            "butterfly": self._butterfly,
            "condor": self._condor,
            "calendar": self._calendar,
        }

    def draw(self, name: str) -> Strategy:
        """A random strategy of a kind."""
        return self.makers[name]()

    def _options(self, kind: int) -> list[OptionQuote]:
        """Options of one kind on a random expiry, by strike."""
        return self._by_kind[self._random.choice(self._expiries), kind]

    def _strikes(self, count: int) -> list[OptionQuote]:
        """`count` neighbouring calls, evenly listed, by strike."""
        options = self._options(CALL)
        start = self._random.randrange(len(options) - count + 1)
        return options[start : start + count]

    def _single(self) -> Strategy:
        kind = self._random.choice((CALL, PUT))
        options = self._options(kind) or self._options(CALL)
        return Strategy("single", ((1, self._random.choice(options)),))

    def _vertical(self) -> Strategy:
        low, high = self._strikes(2)
        return Strategy("vertical", ((1, low), (-1, high)))

    def _straddle(self) -> Strategy:
        while True:
            expiry = self._random.choice(self._expiries)
            puts = {option.strike_usd: option for option in self._by_kind[expiry, PUT]}
            both = [call for call in self._by_kind[expiry, CALL] if call.strike_usd in puts]
            if both:
                call = self._random.choice(both)
                return Strategy("straddle", ((1, call), (1, puts[call.strike_usd])))

    def _butterfly(self) -> Strategy:
        low, middle, high = self._strikes(3)
        return Strategy("butterfly", ((1, low), (-2, middle), (1, high)))

    def _condor(self) -> Strategy:
        first, second, third, fourth = self._strikes(4)
        return Strategy("condor", ((1, first), (-1, second), (-1, third), (1, fourth)))

    def _calendar(self) -> Strategy:
        while True:
            near, far = sorted(self._random.sample(self._expiries, 2))
            later = {option.strike_usd: option for option in self._by_kind[far, CALL]}
            both = [call for call in self._by_kind[near, CALL] if call.strike_usd in later]
            if both:
                call = self._random.choice(both)
                return Strategy("calendar", ((-1, call), (1, later[call.strike_usd])))
