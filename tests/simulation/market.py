"""A whole market from a seed: an exchange, those who trade on it, and a path that prices take.

Holds: the same terms give the same commands, events and state to the last bit; every command goes
through the engine, and every promise of clearing is held against it (`promises.py`).
Never: reads a clock; sends what no agent, operator or reporter may send.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from exchange import commands as c
from exchange.circuit_breaker import CALM_E4, CALM_WINDOW_S, LEVELS, WINDOW_S
from exchange.limits import BAND_INDEX_E4, MAX_ORDER_LOTS
from exchange.oracle.feed import Reporter, Snapshot, reporters_of
from exchange.oracle.feeding import listed_expiries, oracle_command
from margin.accounts import PORTFOLIO_MODEL, STANDARD_MODEL
from matching.instruments import CALL, FUTURE, NO_EXPIRY, PERPETUAL, PUT, Expiry
from settlement.price_reports import micro_per_lot
from tests.floor import DAY_S, NS, REAL_BANDS, REAL_SIZES, Listing
from tests.simulation.agents import USDC, Agent, Bidder, Hedger, Maker, Seller, Taker
from tests.simulation.paths import Moment, moments, start_of
from tests.simulation.promises import Promises
from tests.simulation.signed_floor import SignedFloor

START_S: Final = 1_768_548_000
"""16 January 2026, 07:20 UTC: forty minutes before an expiry."""
BTC, ETH = 0, 1
LOT_E8: Final = (1_000_000, 10_000_000)
TICKS: Final = ((5_000, 10_000), (2_000, 3_000))
"""Of linear instruments and of options, by underlying."""
ETHER, WRAPPED, TETHER = 1, 2, 3
CALM_STEPS: Final = 6
"""Of so many moments one is acted on where nothing happens."""
NEXT_EXPIRY_S: Final = 2 * 3_600
LONG_MOMENTS: Final = 1_000
"""From so many on, expiries of hours follow each other."""
REPORTERS: Final = 3
QUORUM: Final = 2


class Terms(NamedTuple):
    """What makes one simulation. `bids` says when bidders come: so many seconds after an auction
    opened, -1 never. `oracle`: reporters make the marks; `lossy`: at times too few of them do.
    `moments` are seen at most, `step_s` apart.
    """

    seed: int
    path: str
    moments: int
    bids: int = 20
    fund_micro: int = 5_000 * USDC
    oracle: bool = False
    lossy: bool = False
    breakers: bool = True
    one_sided: bool = False
    step_s: int = 10
    check_every: int = 200


@contextmanager
def real_limits() -> Iterator[None]:
    """The exchange's own bands and order sizes, which other tests lift."""
    lifted = dict(BAND_INDEX_E4), dict(MAX_ORDER_LOTS)
    BAND_INDEX_E4.update(REAL_BANDS)
    MAX_ORDER_LOTS.update(REAL_SIZES)
    try:
        yield
    finally:
        BAND_INDEX_E4.update(lifted[0])
        MAX_ORDER_LOTS.update(lifted[1])


class Market:
    """One simulation. `run` lives it to its end."""

    def __init__(self, terms: Terms) -> None:
        assert terms.step_s > 0, "time goes on"
        self.terms = terms
        self.choose = random.Random(terms.seed)
        self.start_s = start_of(terms.path, START_S)
        self.floor = SignedFloor(self.start_s)
        self.promises = Promises(self.floor.state, terms.check_every)
        self.agents: list[Agent] = []
        self.makers: list[Maker] = []
        self.bidders: list[Bidder] = []
        self.siblings = (0, 0)
        self._reporters = [
            Reporter(bytes([number]) * 32, noise_e6=20.0) for number in range(1, REPORTERS + 1)
        ]
        self._acted_index: dict[int, float] = {}
        self._lost_until_s = 0
        self.steps = 0

    # WHAT THERE IS

    def run(self) -> "Market":
        """Opens the exchange, and lives through every moment of the path."""
        path = moments(self.terms.path, self.terms.seed, self.start_s, self.terms.step_s)
        with real_limits():
            first = next(path)
            self._open(first)
            for number, moment in enumerate(path, start=1):
                if number >= self.terms.moments:
                    break
                if self._is_worth_acting(number, moment):
                    self._live(moment)
            self.floor.cut()
            self.promises.check_whole()
        return self

    def _open(self, first: Moment) -> None:
        floor, terms = self.floor, self.terms
        floor.before, floor.after = self.promises.before, self.promises.after
        floor.genesis()
        floor.list_underlying(b"BTC", LOT_E8[BTC])
        floor.list_underlying(b"ETH", LOT_E8[ETH])
        self._list(first)
        floor.list_asset(ETHER, b"ETH", cap_micro=200 * USDC)
        floor.list_asset(
            WRAPPED, b"WBTC", decimals=8, underlying=BTC, cap_micro=10 * USDC, discount_e4=500
        )
        floor.list_asset(
            TETHER, b"USDT", decimals=6, kind=0, underlying=255, cap_micro=10**12, discount_e4=100
        )
        self._mark(first, by_operator=True)
        floor.arm_liquidation()
        for number in range(2):
            floor.arm_funding(number)
        if terms.breakers:
            for underlying in (BTC, ETH):
                floor.arm(
                    LEVELS,
                    underlying=underlying,
                    window_s=WINDOW_S,
                    calm_window_s=CALM_WINDOW_S,
                    calm_e4=CALM_E4,
                )
        self._people()
        if terms.fund_micro:
            floor.insure(0, terms.fund_micro)
        if terms.oracle:
            for underlying in (BTC, ETH):
                floor.send(
                    oracle_command(floor.time_ns, underlying, QUORUM, reporters_of(self._reporters))
                )
        for _ in range(12):
            self._trade(calm=True)

    def _list_next(self, expiry: Expiry) -> None:
        """After an expiry of hours another one comes."""
        floor, underlying = self.floor, expiry.underlying.number
        number = len(floor.state.expiries)
        floor.list_expiry(underlying, floor.time_s // 3_600 * 3_600 + NEXT_EXPIRY_S)
        index = floor.state.marks.index_micro[underlying]
        self._list_options(underlying, number, index, (0.96, 1.0, 1.04))

    def _list_options(
        self, underlying: int, expiry: int, index_micro: int, levels: tuple[float, ...]
    ) -> None:
        for level in levels:
            strike = round(index_micro * level) // 1_000_000 * 1_000_000
            for kind in (CALL, PUT):
                tick = TICKS[underlying][1]
                self.floor.list_instrument(Listing(kind, underlying, expiry, strike, tick))

    def _list(self, first: Moment) -> None:
        """Perpetuals first; an expiry within the hour, one of two weeks, one of two months."""
        floor = self.floor
        for underlying in (BTC, ETH):
            floor.list_instrument(
                Listing(PERPETUAL, underlying, NO_EXPIRY, 0, TICKS[underlying][0])
            )
        soon = -(-(self.start_s + 1) // 3_600) * 3_600
        chain = (
            (BTC, soon, (0.97, 1.0, 1.03)),
            (BTC, soon + 14 * DAY_S, (0.75, 0.9, 1.0, 1.1, 1.3)),
            (BTC, soon + 70 * DAY_S, (0.6, 0.85, 1.0, 1.2)),
            (ETH, soon, (0.95, 1.05)),
            (ETH, soon + 14 * DAY_S, (0.8, 1.0, 1.2)),
        )
        for expiry, (underlying, time_s, levels) in enumerate(chain):
            floor.list_expiry(underlying, time_s)
            index = self._index_micro(underlying, first[underlying])
            if time_s - soon > 30 * DAY_S:
                future = Listing(FUTURE, underlying, expiry, 0, TICKS[underlying][0])
                floor.list_instrument(future)
            self._list_options(underlying, expiry, index, levels)

    def _people(self) -> None:
        """Makers and bidders are rich; one of the takers is of the owner of account 4."""
        floor, one_sided = self.floor, self.terms.one_sided

        def opened(usdc: int, owner: int | None = None) -> int:
            number = len(floor.state.accounts)
            return floor.open_for(number if owner is None else owner, usdc * USDC)

        def joined(agent: Agent) -> Agent:
            self.agents.append(agent)
            return agent

        choose = self.choose
        for underlyings in ((BTC,), (BTC, ETH), (BTC, ETH)):
            maker = Maker(floor, opened(2_000_000), choose, underlyings)
            maker.is_shy = len(self.makers) == 1
            self.makers.append(maker)
        for usdc, direction in ((40_000, 1), (25_000, 1), (60_000, -1), (15_000, -1)):
            joined(Taker(floor, opened(usdc), choose, 1 if one_sided else direction))
        for usdc in (30_000, 12_000, 60_000, 20_000):
            joined(Seller(floor, opened(usdc), choose))
        joined(Hedger(floor, opened(80_000), choose, 1))
        joined(Hedger(floor, opened(50_000), choose, -1))
        careful = (
            (joined(Seller(floor, opened(30_000), choose)), STANDARD_MODEL, 0),
            (joined(Taker(floor, opened(30_000), choose, 1)), STANDARD_MODEL, 1),
            (joined(Taker(floor, opened(40_000), choose, 1)), PORTFOLIO_MODEL, 2),
        )
        for one, model, tier in careful:
            floor.choose_margin(one.number, model, tier)
        for usdc, asset, amount, agent in (
            (500, ETHER, 8 * USDC, Seller),
            (1_000, WRAPPED, USDC // 2, Seller),
            (0, TETHER, 20_000 * USDC, Seller),
        ):
            number = opened(usdc)
            floor.deposit(number, amount, asset)
            joined(agent(floor, number, choose))
        number = opened(0)
        floor.deposit(number, 5 * USDC, ETHER)
        joined(Taker(floor, number, choose, 1, 5))
        self.siblings = (4, joined(Taker(floor, opened(10_000, owner=4), choose, 1)).number)
        waits_s = self.terms.bids
        for _ in range(2):
            bidder = Bidder(floor, opened(400_000), choose, waits_s)
            self.bidders.append(bidder)

    # MARKS

    def _index_micro(self, underlying: int, seen: Snapshot) -> int:
        return micro_per_lot(round(seen.index_usd * 10**8), 8, LOT_E8[underlying])

    def _mark(self, moment: Moment, by_operator: bool = False) -> None:
        """The moment's marks come into force, by the operator's word or by reports."""
        floor = self.floor
        floor.time_ns = max(floor.time_ns, moment[0].time_s * NS)
        now_ms = floor.time_ns // 10**6
        for underlying, seen in enumerate(moment):
            listed = listed_expiries(floor.state, underlying)
            lot_e8 = LOT_E8[underlying]
            if by_operator or not self.terms.oracle:
                report = self._reporters[0].report(seen, underlying, lot_e8, listed, now_ms)
                marks = tuple(
                    (number, micro_per_lot(forward, 8, lot_e8), *smile)
                    for number, forward, *smile in report.expiries
                )
                index = self._index_micro(underlying, seen)
                floor.send(c.UpdateMarks(floor.time_ns, underlying, index, marks))
                continue
            is_lost = floor.time_s < self._lost_until_s
            for reporter in self._reporters[: 1 if is_lost else REPORTERS]:
                floor.report(reporter, reporter.report(seen, underlying, lot_e8, listed, now_ms))

    def _settle_due(self) -> None:
        """Expiries that have passed settle, at the samples that the exchange saw."""
        floor, state = self.floor, self.floor.state
        for expiry in list(state.expiries):
            if expiry.settlement_micro is None and expiry.expiry_time_s <= floor.time_s:
                underlying = expiry.underlying.number
                index = state.marks.index_micro[underlying]
                floor.advance(0)
                seen = state.samples.seen(underlying, expiry.number, floor.time_ns)
                floor.settle(expiry.number, *(sample or index for sample in seen))
                if self.terms.moments > LONG_MOMENTS:
                    self._list_next(expiry)

    # ONE MOMENT AFTER THE OTHER

    def _is_worth_acting(self, number: int, moment: Moment) -> bool:
        """Each moment where somebody is liquidated or prices move; else one of a few."""
        calm_steps = 2 if self.terms.oracle else CALM_STEPS
        if number % calm_steps == 0 or self.floor.state.liquidations.of_account:
            return True
        return any(
            abs(seen.index_usd / self._acted_index.get(underlying, seen.index_usd) - 1.0) > 0.004
            for underlying, seen in enumerate(moment)
        )

    def _live(self, moment: Moment) -> None:
        choose = self.choose
        self.steps += 1
        self._acted_index = {u: seen.index_usd for u, seen in enumerate(moment)}
        if self.terms.lossy and choose.random() < 0.02:
            self._lost_until_s = moment[0].time_s + 90
        self._mark(moment)
        self._settle_due()
        self._trade(calm=not self.floor.state.liquidations.of_account)
        if choose.random() < 0.01:
            self._hold_liquidation()
        if choose.random() < 0.05:
            self._withdraw()
        if choose.random() < 0.05:
            self._transfer()
        if self.steps % 25 == 0:
            self.floor.cut()

    def _trade(self, calm: bool) -> None:
        """Makers quote, some others act; bidders look at auctions."""
        choose = self.choose
        for maker in self.makers:
            if choose.random() < (0.9 if calm else 0.5):
                maker.act()
        for agent in self.agents:
            if choose.random() < (0.4 if calm else 0.15):
                agent.act()
        if self.terms.bids >= 0:
            for bidder in self.bidders:
                bidder.act()
        if not calm:
            self.floor.advance(choose.randint(1, 3))

    def _hold_liquidation(self) -> None:
        """The operator holds liquidation for a moment, and lets it go on."""
        self.floor.arm_liquidation(0)
        self.floor.advance(self.choose.randint(0, 2))
        self.floor.arm_liquidation(1)

    def _transfer(self) -> None:
        """An owner of two accounts moves cash or lots from one to the other."""
        giver, taker = self.choose.sample(self.siblings, 2)
        held = sorted(self.floor.account(giver).positions)
        if held and self.choose.random() < 0.6:
            number = self.choose.choice(held)
            lots = self.floor.lots(giver, number)
            self.floor.transfer_position(giver, taker, number, -(-lots // 2) or lots)
        else:
            self.floor.transfer_cash(giver, taker, self.choose.randint(1, 3_000) * USDC)

    def _withdraw(self) -> None:
        number = self.choose.choice(sorted(self.floor.state.accounts))
        if number not in (0, 1):
            self.floor.withdraw(number, self.choose.randint(1, 2_000) * USDC)
