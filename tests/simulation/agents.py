"""Who trades in a simulation: makers, takers, sellers of options who sell too much, hedgers, owners
of collateral, bidders.

Holds: an agent sees what anyone may see (books, marks, its own margin, auctions), and sends what
anyone may send; its choices come from the market's one seeded generator.
Never: touches the state.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

from exchange.state import State
from margin.accounts import Account
from margin.standing import CALLED, LIQUIDATING, OPEN
from matching.instruments import Instrument
from matching.orders import (
    BUY,
    GTC,
    INDEX_AT_LEAST,
    INDEX_AT_MOST,
    IOC,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
)
from settlement.signed_messages import Conditions
from tests.simulation.signed_floor import SignedFloor

USDC: Final = 10**6
UP_1, DOWN_1 = 55 + 3, 55 - 3
"""Scenarios of a percent up and down, volatility unchanged."""


class Agent(ABC):
    """One account and what it does when its turn comes."""

    def __init__(self, floor: SignedFloor, number: int, choose: random.Random) -> None:
        self.floor = floor
        self.number = number
        self.choose = choose

    @property
    def state(self) -> State:
        return self.floor.state

    @property
    def account(self) -> Account:
        return self.state.accounts[self.number]

    @abstractmethod
    def act(self) -> None:
        """One turn."""

    def traded(self, keep: Callable[[Instrument], bool]) -> list[Instrument]:
        """Marked instruments that have not expired, of a kind."""
        state = self.state
        return [
            instrument
            for instrument in state.instruments
            if state.marks.is_marked[instrument.number]
            and (instrument.expiry is None or instrument.expiry.expiry_time_s > state.time_s)
            and instrument.number not in state.trading.delisted
            and keep(instrument)
        ]

    def any_of(self, keep: Callable[[Instrument], bool]) -> Instrument | None:
        found = self.traded(keep)
        return self.choose.choice(found) if found else None

    def index_micro(self, instrument: Instrument) -> int:
        return self.state.marks.index_micro[instrument.underlying.number]

    def take(self, instrument: Instrument, lots: int, slip_e4: int = 60) -> None:
        """Buys (or sells, below zero) at once what others offer within a part of the index."""
        mark, tick = self.state.marks.mark_micro(instrument), instrument.tick_value_micro
        slip = self.index_micro(instrument) * slip_e4 // 10**4
        if lots > 0:
            price = -(-(mark + slip) // tick) * tick
            self.floor.buy(self.number, price, lots, instrument.number, time_in_force=IOC)
        elif lots < 0:
            price = (mark - slip) // tick * tick
            if price > 0:
                self.floor.sell(self.number, price, -lots, instrument.number, time_in_force=IOC)


class Maker(Agent):
    """Quotes both sides of some instruments around their marks; draws back when it is wild."""

    def __init__(
        self, floor: SignedFloor, number: int, choose: random.Random, underlyings: Sequence[int]
    ) -> None:
        super().__init__(floor, number, choose)
        self.underlyings = underlyings
        self.is_shy = False
        self._last: dict[int, int] = {}

    def act(self) -> None:
        moved = max(map(self._moved_e4, self.underlyings))
        self._last = {u: self.state.marks.index_micro[u] for u in self.underlyings}
        if self.account.status >= LIQUIDATING:
            return
        if self.is_shy and moved > 100:
            self.floor.cancel_all(self.number)
            return
        quotes: list[tuple[int, int, int, int, int]] = []
        found = self.traded(lambda i: i.underlying.number in self.underlyings)
        width = 1 + min(moved // 50, 6)
        for instrument in self.choose.sample(found, min(len(found), 9)):
            quotes.append(self._quote(instrument, width))
        linear = [i for i in found if i.is_linear and i.number not in {q[0] for q in quotes}]
        quotes += [self._quote(instrument, width) for instrument in linear]
        if quotes:
            self.floor.quote(self.number, quotes, flags=self.choose.choice((0, POST_ONLY)))

    def _moved_e4(self, underlying: int) -> int:
        index = self.state.marks.index_micro[underlying]
        last = self._last.get(underlying, index)
        return abs(index - last) * 10**4 // last

    def _quote(self, instrument: Instrument, width: int) -> tuple[int, int, int, int, int]:
        mark, tick = self.state.marks.mark_micro(instrument), instrument.tick_value_micro
        index = self.index_micro(instrument)
        half = max(index * 5 // 10**4, 0 if instrument.is_linear else mark // 40) * width
        held = self.account.lots_of(instrument.number)
        lean = -held * tick // 20
        bid = (mark + lean - half) // tick * tick
        ask = max(-(-(mark + lean + half) // tick) * tick, bid + tick, tick)
        lots = self.choose.randrange(3, 25) * (3 if instrument.is_linear else 1)
        return (instrument.number, max(bid, tick), lots if bid >= tick else 0, ask, lots)


class Taker(Agent):
    """Believes in a direction, and buys or sells what gains by it, as much as margin lets him."""

    def __init__(
        self,
        floor: SignedFloor,
        number: int,
        choose: random.Random,
        direction: int,
        keeps_percent: int = 10,
    ) -> None:
        super().__init__(floor, number, choose)
        self.direction = direction
        self.keeps_percent = keeps_percent

    def act(self) -> None:
        if self.account.status >= LIQUIDATING:
            return
        instrument = self.any_of(lambda i: i.is_linear)
        if instrument is None:
            return
        if self.choose.random() < 0.25:
            self._spread()
            return
        excess = self.state.portfolio.excess_micro(self.account)
        free = excess - max(self.account.cash_micro, 0) * self.keeps_percent // 100
        lots = min(free * 100 // (self.index_micro(instrument) * 22), 400)
        if self.choose.random() < 0.1:
            self.take(instrument, -self.account.lots_of(instrument.number) // 2)
        elif lots > 0:
            self.take(instrument, self.direction * self.choose.randint(1, lots))
        elif self.choose.random() < 0.3:
            self._stop(instrument)

    def _stop(self, instrument: Instrument) -> None:
        """An order that waits until the index has gone against him, and then reduces."""
        held, index = self.account.lots_of(instrument.number), self.index_micro(instrument)
        if not held:
            return
        tick = instrument.tick_value_micro
        trigger, far = (INDEX_AT_MOST, 97) if held > 0 else (INDEX_AT_LEAST, 103)
        price = index * (90 if held > 0 else 110) // 100 // tick * tick
        send = self.floor.sell if held > 0 else self.floor.buy
        send(
            self.number,
            price,
            abs(held),
            instrument.number,
            flags=REDUCE_ONLY,
            conditions=Conditions(trigger=trigger, trigger_price_micro=index * far // 100),
        )

    def _spread(self) -> None:
        """A vertical in one order: it may rest, and be met by another's."""
        option = self.any_of(lambda i: not i.is_linear)
        if option is None:
            return
        other = self.any_of(
            lambda i: (
                i.kind == option.kind and i.expiry is option.expiry and i.number > option.number
            )
        )
        if other is None:
            return
        mark_micro = self.state.marks.mark_micro
        net, tick = mark_micro(option) - mark_micro(other), option.tick_value_micro
        side = self.choose.choice((BUY, SELL))
        price = (net // tick + self.choose.randint(-3, 3)) * tick
        if price:
            legs = ((option.number, 1), (other.number, -1))
            send = self.floor.buy if side == BUY else self.floor.sell
            send(self.number, price, self.choose.randint(1, 5), legs, time_in_force=GTC, life_s=120)


class Seller(Agent):
    """Sells options for their premium until his margin is used up; never buys back in time."""

    def __init__(
        self, floor: SignedFloor, number: int, choose: random.Random, keeps_percent: int = 3
    ) -> None:
        super().__init__(floor, number, choose)
        self.keeps_percent = keeps_percent

    def act(self) -> None:
        account = self.account
        if account.status >= LIQUIDATING:
            return
        if account.status == CALLED and self.choose.random() < 0.1:
            self.floor.deposit(self.number, self.choose.randint(1, 3_000) * USDC)
            return
        option = self.any_of(lambda i: not i.is_linear)
        if option is None:
            return
        excess = self.state.portfolio.excess_micro(account)
        free = excess - abs(account.cash_micro) * self.keeps_percent // 100
        lots = free * 100 // (self.index_micro(option) * 20)
        if lots > 0:
            self.take(option, -min(lots, 60), 200)


class Hedger(Agent):
    """Buys or sells straddles, and keeps their delta flat with the perpetual."""

    def __init__(
        self, floor: SignedFloor, number: int, choose: random.Random, direction: int
    ) -> None:
        super().__init__(floor, number, choose)
        self.direction = direction

    def act(self) -> None:
        account = self.account
        if account.status >= LIQUIDATING:
            return
        perpetual = self.any_of(lambda i: i.expiry is None)
        if perpetual is None:
            return
        delta = self._delta_lots(perpetual)
        if abs(delta) >= 1:
            self.take(perpetual, -delta)
        elif self.state.portfolio.excess_micro(account) > abs(account.cash_micro) // 5:
            option = self.any_of(lambda i: not i.is_linear)
            if option is not None:
                self.take(option, self.direction * self.choose.randint(1, 25), 150)

    def _delta_lots(self, perpetual: Instrument) -> int:
        underlying = perpetual.underlying.number
        value = [0, 0]
        for number, position in self.account.positions.items():
            if self.state.instruments[number].underlying.number == underlying:
                row = self.state.marks.values[number]
                value[0] += position.quantity_lots * int(row[UP_1])
                value[1] += position.quantity_lots * int(row[DOWN_1])
        return (value[0] - value[1]) * 50 // self.index_micro(perpetual)


class Bidder(Agent):
    """Takes what is auctioned, when it is cheap enough for him; buys collateral of who owes."""

    def __init__(
        self, floor: SignedFloor, number: int, choose: random.Random, waits_s: int
    ) -> None:
        super().__init__(floor, number, choose)
        self.waits_s = waits_s

    def act(self) -> None:
        state = self.state
        if self.account.status != OPEN:
            return
        for debtor in list(state.accounts.values()):
            if debtor.collateral and debtor.cash_micro < -150 * USDC:
                asset = self.choose.choice(sorted(debtor.collateral))
                self.floor.convert(self.number, debtor.number, asset)
        for auction in list(state.liquidations.of_account.values()):
            since_ns = auction.auction_ns
            if since_ns < 0 or state.time_ns - since_ns < self.waits_s * 10**9:
                continue
            share = self.choose.choice((1_000_000, 1_000_000, 300_000, 50_000))
            self.floor.bid(self.number, auction.account, share)
            if self.choose.random() < 0.3:
                self._flatten()

    def _flatten(self) -> None:
        """Trades some of what he took away."""
        held = sorted(self.account.positions)
        if held:
            number = self.choose.choice(held)
            instrument = self.state.instruments[number]
            if not instrument.is_settled and self.state.marks.is_marked[number]:
                self.take(instrument, -self.account.lots_of(number) // 3)
