"""A seeded order flow on the shipped option chain: what the engine benchmarks feed on.

Holds: the same seed gives the same commands; prices stand around the marks, so most orders rest,
some trade, some are cancelled.
Never: signs anything (the engine does not look at signatures).
"""

import random
from collections.abc import Iterator
from typing import Final

from exchange import commands
from exchange.commands import Command
from exchange.engine import apply
from exchange.snapshot_chain import NANOSECONDS, listing_commands, marks_at, snapshot
from exchange.state import State
from matching.orders import BUY, GTC, IOC
from settlement.signed_messages import NO_ORDER, Legs, Order, order_hash

DEPOSIT_MICRO: Final = 10_000_000 * 10**6
NO_SIGNATURE: Final = bytes(65)
MAX_FEE_MICRO: Final = 10**9


STRATEGIES: Final = 64


def owner(account: int) -> bytes:
    """The address that owns a benchmark account."""
    return (account + 1).to_bytes(20, "big")


def opened_state(accounts: int, deposit_micro: int = DEPOSIT_MICRO) -> State:
    """An exchange that lists and marks the chain, with funded accounts."""
    state = State()
    for command in opening_commands(accounts, deposit_micro):
        apply(state, command)
    return state


def opening_commands(accounts: int, deposit_micro: int = DEPOSIT_MICRO) -> Iterator[Command]:
    """What `opened_state` applies."""
    time_ns = snapshot().time_s * NANOSECONDS
    fees = (100, 300, 1_250, 50, 1_000, 100)
    yield commands.Genesis(time_ns, 31_337, b"\x01" * 20, b"\x02" * 20, *fees, 18)
    yield from listing_commands(time_ns)
    for account in range(accounts):
        yield commands.OpenAccount(time_ns, 2 * account, account, owner(account))
        yield commands.CreditDeposit(time_ns, 2 * account + 1, account, 0, deposit_micro)
    yield marks_at(time_ns)


class Flow:
    """Orders and cancels of many accounts over all instruments: 55% resting, 8% taking, the rest
    cancels of live ones (while there are any). Of the orders, `combos` of 1 are spreads of two
    neighbouring options of an expiry, STRATEGIES of them in all.
    """

    def __init__(self, state: State, accounts: int, seed: int, combos: float = 0.0) -> None:
        self._combos = combos
        self._strategies = list(_neighbours(state))[:STRATEGIES] if combos else []
        self._state = state
        self._accounts = accounts
        self._random = random.Random(seed)
        self._salt = 0
        self._time_ns = state.time_ns
        self._marks = [max(state.marks.mark_ticks(i), 1) for i in state.instruments]
        self._made: list[tuple[int, bytes]] = []

    def order(
        self, account: int, side: int, ticks: int, lots: int, instrument: int, tif: int
    ) -> Order:
        """An unsigned order of one instrument."""
        self._salt += 1
        tick = self._state.instruments[instrument].tick_value_micro
        return Order(
            account, 0, side, tif, 0, ticks * tick, lots, MAX_FEE_MICRO,
            self._time_ns // NANOSECONDS + 86_400, self._salt, NO_ORDER, ((instrument, 1),),
        )  # fmt: skip

    def next_combo(self, taking: bool) -> Order:
        """A random order of a spread: at a net price away from that of the marks, or across it."""
        choose = self._random
        legs = choose.choice(self._strategies)
        side = choose.randrange(2)
        mark = sum(ratio * self._marks[number] for number, ratio in legs)
        tick = self._state.instruments[legs[0][0]].tick_value_micro
        away = choose.randrange(1, 40)
        price = (mark + (away if (side == BUY) == taking else -away)) * tick
        self._salt += 1
        return Order(
            choose.randrange(self._accounts), 0, side, IOC if taking else GTC, 0, price,
            choose.randrange(1, 20), MAX_FEE_MICRO, self._time_ns // NANOSECONDS + 86_400,
            self._salt, NO_ORDER, legs,
        )  # fmt: skip

    def next_order(self, taking: bool) -> Order:
        """A random order: one that rests away from the mark, or one that takes across it."""
        choose = self._random
        if self._combos and choose.random() < self._combos:
            return self.next_combo(taking)
        instrument = choose.randrange(len(self._marks))
        account = choose.randrange(self._accounts)
        side = choose.randrange(2)
        mark = self._marks[instrument]
        spread = max(mark // 50, 2)
        away = choose.randrange(1, spread + 1)
        outward = away if (side == BUY) == taking else -away
        ticks = max(mark + outward, 1)
        return self.order(
            account, side, ticks, choose.randrange(1, 20), instrument, IOC if taking else GTC
        )

    def commands(
        self, count: int, resting: float = 0.55, taking: float = 0.08
    ) -> Iterator[Command]:
        """`count` commands, in order."""
        choose = self._random
        made = self._made
        for _ in range(count):
            draw = choose.random()
            if draw < resting + taking or not made:
                order = self.next_order(resting <= draw < resting + taking)
                digest = order_hash(order)
                if order.time_in_force == GTC:
                    made.append((order.account, digest))
                yield commands.PlaceOrder(
                    self._time_ns, order, digest, owner(order.account), NO_SIGNATURE
                )
            else:
                at = choose.randrange(len(made))
                made[at], made[-1] = made[-1], made[at]
                account, digest = made.pop()
                yield commands.CancelOrder(
                    self._time_ns, account, digest, owner(account), NO_SIGNATURE
                )


def _neighbours(state: State) -> Iterator[Legs]:
    """Spreads of two options of one kind and expiry, next to each other in the listing, spread
    over all expiries.
    """
    found: list[Legs] = []
    last: dict[tuple[int, int], int] = {}
    for instrument in state.instruments:
        if instrument.expiry is None or instrument.is_linear:
            continue
        key = (instrument.expiry.number, instrument.kind)
        if key in last:
            found.append(((last[key], 1), (instrument.number, -1)))
        last[key] = instrument.number
    step = max(len(found) // STRATEGIES, 1)
    yield from found[::step]
