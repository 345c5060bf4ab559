"""What traders, the operator and time may do to a floor, as rules from which lives are drawn.

Holds: a rule knows nothing of what should happen, only what may be asked; prices and quantities are
drawn so that books fill up, orders meet, and some accounts run short.
"""

from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from exchange import commands as c
from exchange.events import OrderPlaced
from exchange.handlers.accounts import free_micro
from matching.combos import combo_tick_micro
from matching.orders import (
    BUY,
    CANCEL_TAKER,
    DECREMENT,
    FOK,
    GTC,
    IOC,
    POST_ONLY,
    REDUCE_ONLY,
    SELF_TRADE_SHIFT,
    SELL,
)
from settlement.signed_messages import NO_ORDER, PLAIN, Conditions
from tests.floor import (
    BTC_INDEX,
    DAY_S,
    ETH_INDEX,
    ETH_PERP,
    FUT,
    HUGE_FEE,
    LISTINGS,
    MARCH,
    PERP,
    SMILE,
    Floor,
    of_type,
    open_floor,
    owner_of,
)

Legs = tuple[tuple[int, int], ...]

SINGLES: tuple[Legs, ...] = tuple(((number, 1),) for number in range(len(LISTINGS)))
SMILES = (SMILE, (SMILE[0] * 3, *SMILE[1:]), (SMILE[0], SMILE[1] * 2, -SMILE[2], *SMILE[3:]))
CASH = (500_000_000, 10_000_000_000, 100_000_000_000, 1_000_000_000_000)
MAKER = 3


class Terms(NamedTuple):
    """What an order says besides; `replaces` counts back among the recent orders."""

    time_in_force: int = GTC
    is_post_only: bool = False
    max_fee_micro: int = HUGE_FEE
    life_s: int = 3_600
    replaces: int | None = None
    self_trade: int = CANCEL_TAKER
    is_reduce_only: bool = False
    shown_percent: int = 0
    """Of the quantity, what an iceberg shows; 0 for an order that shows all."""

    def flags(self) -> int:
        post_only = POST_ONLY if self.is_post_only and self.time_in_force == GTC else 0
        reduce_only = REDUCE_ONLY if self.is_reduce_only else 0
        return post_only | reduce_only | self.self_trade << SELF_TRADE_SHIFT

    def conditions(self, lots: int) -> Conditions:
        shown = -(-lots * self.shown_percent // 100) if self.time_in_force == GTC else 0
        return Conditions(display_lots=shown) if shown else PLAIN


accounts = st.integers(0, len(CASH) - 1)
sides = st.integers(BUY, SELL)
lots = st.one_of(st.integers(1, 12), st.integers(1, 12), st.integers(1, 600))
lives = st.sampled_from((1, 60, 3_600, 3_600, 86_400, 30 * DAY_S))
max_fees = st.sampled_from((HUGE_FEE, HUGE_FEE, HUGE_FEE, HUGE_FEE, 300_000, 0))
recent = st.integers(0, 11)
shown_percents = st.sampled_from((0, 0, 0, 1, 10, 30, 60))
terms = st.builds(
    Terms,
    st.sampled_from((GTC, GTC, GTC, IOC, FOK)),
    st.sampled_from((False, False, True)),
    max_fees,
    lives,
    st.one_of(st.none(), st.none(), st.none(), recent),
    st.integers(CANCEL_TAKER, DECREMENT),
    st.sampled_from((False, False, False, False, False, True)),
    shown_percents,
)
permilles = st.sampled_from((-300, -30, -10, -3, 0, 3, 10, 30, 300))


class Trading(RuleBasedStateMachine):
    """Orders of single instruments, cash, marks and time."""

    def __init__(self) -> None:
        super().__init__()
        self.floor = Floor()
        self.hashes: list[bytes] = []

    @initialize()
    def open(self) -> None:
        self.floor = open_floor(0, floor=self.new_floor())
        for number, cash in enumerate(CASH):  # the first two are of one owner
            self.floor.open_account(cash, owner_of(max(number - 1, 0)))
        self.floor.mark(0, BTC_INDEX * 101 // 100)
        self.floor.fund(PERP, 777)
        for number, legs in enumerate(SINGLES):
            for account, permille, quantity, life_s, shown in (
                (MAKER, 5 + number, 6 + number, 30 * DAY_S, 20 * (number % 3)),
                (MAKER - 1, 4 + 2 * number, 2, 3_600, 0),
            ):
                terms = Terms(life_s=life_s, shown_percent=shown)
                self.place_both(account, legs, permille, quantity, terms)

    def new_floor(self) -> Floor:
        return Floor()

    # ORDERS

    def named(self, back: int | None) -> bytes:
        """The hash of an order placed not long ago."""
        if back is None or not self.hashes:
            return NO_ORDER
        return self.hashes[-1 - back % len(self.hashes)]

    def place(
        self, account: int, side: int, price: int, lots: int, legs: Legs, terms: Terms
    ) -> None:
        events = self.floor.submit(
            self.floor.sign(
                account,
                side,
                price,
                lots,
                legs,
                time_in_force=terms.time_in_force,
                flags=terms.flags() & ~(REDUCE_ONLY if len(legs) > 1 else 0),
                max_fee_micro=terms.max_fee_micro,
                life_s=terms.life_s,
                replaces=self.named(terms.replaces),
                conditions=terms.conditions(lots),
            )
        )
        self.hashes += [event.order_hash for event in of_type(events, OrderPlaced)]

    def place_both(self, account: int, legs: Legs, permille: int, lots: int, terms: Terms) -> None:
        self.place(account, BUY, self.net_price(legs, -permille), lots, legs, terms)
        self.place(account, SELL, self.net_price(legs, permille), lots, legs, terms)

    def net_price(self, legs: Legs, permille: int) -> int:
        """A net price on the tick, away from the marks' by a share of all that the legs cost."""
        marks, listed = self.floor.state.marks, self.floor.state.instruments
        costs = [ratio * marks.mark_micro(listed[number]) for number, ratio in legs]
        tick = combo_tick_micro([listed[n] for n, _ in legs], [ratio for _, ratio in legs])
        away = sum(abs(cost) for cost in costs) * permille // 1_000
        price = (sum(costs) + away) // tick * tick
        return max(price, tick) if len(legs) == 1 else price

    @rule(
        account=accounts,
        legs=st.sampled_from(SINGLES),
        permille=st.integers(1, 30),
        lots=lots,
        life_s=lives,
        max_fee=max_fees,
        shown=shown_percents,
    )
    def quote(
        self,
        account: int,
        legs: Legs,
        permille: int,
        lots: int,
        life_s: int,
        max_fee: int,
        shown: int,
    ) -> None:
        terms = Terms(life_s=life_s, max_fee_micro=max_fee, shown_percent=shown)
        self.place_both(account, legs, permille, lots, terms)

    @rule(
        account=accounts,
        side=sides,
        book=st.integers(0, 30),
        part=st.one_of(st.integers(1, 150), st.sampled_from((100, 200, 300, 500))),
        terms=terms,
    )
    def take(self, account: int, side: int, book: int, part: int, terms: Terms) -> None:
        """Meets the best price of one of the books that have one, now and then beyond what is
        shown there.
        """
        state = self.floor.state
        books = [b for b in state.books.values() if (b.asks if side == BUY else b.bids).keys]
        if not books:
            return
        met = books[book % len(books)]
        best = (met.asks if side == BUY else met.bids).best
        assert best is not None
        ticks = best.key if side == SELL else -best.key
        legs = state.combos[met.number].legs if met.number in state.combos else ((met.number, 1),)
        lots = max(best.quantity_lots * part // 100, 1)
        self.place(account, side, ticks * met.tick_micro, lots, legs, terms)

    @rule(
        account=accounts,
        side=sides,
        legs=st.sampled_from(SINGLES),
        permille=permilles,
        lots=lots,
        terms=terms,
    )
    def place_any(
        self, account: int, side: int, legs: Legs, permille: int, lots: int, terms: Terms
    ) -> None:
        self.place(account, side, self.net_price(legs, permille), lots, legs, terms)

    @rule(
        account=accounts,
        pick=st.integers(0, 8),
        permille=st.sampled_from((-10, -3, 3, 5, 10)),
        part=st.integers(1, 300),
        terms=terms,
    )
    def reduce(self, account: int, pick: int, permille: int, part: int, terms: Terms) -> None:
        """A reduce-only order against one of the account's positions, of more or less than it."""
        positions = self.floor.account(account).positions
        if not positions:
            return
        number = list(positions)[pick % len(positions)]
        held, legs = positions[number].quantity_lots, SINGLES[number]
        side, lots = (SELL if held > 0 else BUY), max(abs(held) * part // 100, 1)
        price = self.net_price(legs, permille)
        self.place(account, side, price, lots, legs, terms._replace(is_reduce_only=True))

    @rule(
        which=st.integers(0, 30),
        part=st.integers(1, 110),
        behind=st.integers(0, 2),
        terms=terms,
        keeps_flags=st.integers(0, 4),
    )
    def shrink(self, which: int, part: int, behind: int, terms: Terms, keeps_flags: int) -> None:
        """Replaces a live order by the same with less, seldom a little more, while others stand
        behind it at its price.
        """
        state = self.floor.state
        live = list(state.orders.values())
        if not live:
            return
        order = live[which % len(live)]
        legs = state.combos[order.book].legs if order.book in state.combos else ((order.book, 1),)
        for account in range(behind):
            self.place(
                (order.account + 2 + account) % 4, order.side, order.price_micro, 2, legs, Terms()
            )
        lots = max(order.remaining_lots * part // 100, 1)
        events = self.floor.submit(
            self.floor.sign(
                order.account,
                order.side,
                order.price_micro,
                lots,
                legs,
                flags=order.flags if keeps_flags else terms.flags(),
                max_fee_micro=terms.max_fee_micro,
                life_s=terms.life_s,
                replaces=order.hash,
            )
        )
        self.hashes += [event.order_hash for event in of_type(events, OrderPlaced)]

    @rule(back=recent, stranger=st.integers(0, 9), account=accounts)
    def cancel(self, back: int, stranger: int, account: int) -> None:
        order = self.floor.state.orders.get(self.named(back))
        owner = account if order is None or not stranger else order.account
        self.floor.cancel(owner, self.named(back))

    @rule(account=accounts, rather_not=st.integers(0, 3))
    def cancel_all(self, account: int, rather_not: int) -> None:
        if not rather_not:
            self.floor.cancel_all(account)

    # CASH

    @rule(account=accounts, amount=st.integers(1, 10**9), percent=st.integers(-20, 101))
    def move_cash(self, account: int, amount: int, percent: int) -> None:
        """A deposit; or a withdrawal of some, all or more than is free."""
        if percent <= 0:
            self.floor.deposit(account, amount)
            return
        free = free_micro(self.floor.state, self.floor.account(account))
        self.floor.withdraw(account, max(free * percent // 100, 1))

    # MARKS AND TIME

    @rule(
        underlying=st.sampled_from((0, 0, 1)),
        percent=st.one_of(st.integers(97, 103), st.integers(60, 170)),
        smile=st.sampled_from(SMILES),
        basis=st.integers(-3, 3),
        with_expiries=st.booleans(),
    )
    def mark(
        self, underlying: int, percent: int, smile: tuple[int, ...], basis: int, with_expiries: bool
    ) -> None:
        index = (BTC_INDEX, ETH_INDEX)[underlying] * percent // 100
        expiries = None if with_expiries else ()
        self.floor.mark(underlying, index, smile=smile, basis_percent=basis, expiries=expiries)

    @rule(instrument=st.sampled_from((PERP, PERP, ETH_PERP)), rate=st.integers(-(10**7), 10**7))
    def fund(self, instrument: int, rate: int) -> None:
        self.floor.fund(instrument, rate)

    @rule(seconds=st.sampled_from((1, 30, 61, 3_600, 86_400)))
    def pass_time(self, seconds: int) -> None:
        self.floor.advance(seconds)

    @rule(
        expiry=st.integers(0, 2),
        percent=st.integers(70, 140),
        ahead=st.integers(0, 3),
        touched=accounts,
    )
    def settle(self, expiry: int, percent: int, ahead: int, touched: int) -> None:
        """Now and then the expiry comes before it is settled, and someone takes what it pays."""
        if not ahead and self.floor.time_s < MARCH:
            self.floor.advance(MARCH - self.floor.time_s)
        index = ETH_INDEX if expiry == 2 else BTC_INDEX
        self.floor.settle(expiry, *(index * (percent + k % 3) // 100 for k in range(30)))
        if not ahead:
            self.floor.withdraw(touched, 1)


COMBOS: tuple[Legs, ...] = (
    ((2, 1), (3, -1)),
    ((2, 1), (4, 1)),
    ((2, 1), (3, -2)),
    ((0, 1), (1, -1)),
    ((3, 1), (6, -1)),
    ((1, 1), (2, 2), (5, -3)),
    ((0, 2), (2, -3), (3, 1), (4, 1)),
    ((7, 1), (8, 2)),
    ((0, 1), (7, -2)),
    ((2, 1), (8, -1)),
    ((1, 1), (2, -2), (7, 3), (8, -1)),
)
"""A vertical, a straddle, a ratio, a basis, a calendar, a collar, a mixture, one on ETH, and three
of two underlyings: perpetuals, options, and a future with all of them.
"""


class WholeExchange(Trading):
    """And combos, batches, claims, listings, and what is refused at once."""

    @rule(
        account=accounts,
        legs=st.sampled_from(COMBOS),
        permille=st.integers(1, 30),
        units=st.integers(1, 12),
        max_fee=max_fees,
        shown=shown_percents,
    )
    def quote_a_combo(
        self, account: int, legs: Legs, permille: int, units: int, max_fee: int, shown: int
    ) -> None:
        terms = Terms(max_fee_micro=max_fee, shown_percent=shown)
        self.place_both(account, legs, permille, units, terms)

    @rule(
        account=accounts,
        side=sides,
        legs=st.sampled_from(COMBOS),
        permille=permilles,
        units=st.integers(1, 40),
        terms=terms,
    )
    def place_any_combo(
        self, account: int, side: int, legs: Legs, permille: int, units: int, terms: Terms
    ) -> None:
        self.place(account, side, self.net_price(legs, permille), units, legs, terms)

    @rule(
        account=accounts,
        side=sides,
        legs=st.sampled_from(COMBOS),
        units=st.integers(1, 6),
        terms=terms,
    )
    def take_the_legs(self, account: int, side: int, legs: Legs, units: int, terms: Terms) -> None:
        """At a price that whatever stands in the legs' books meets."""
        price = self.net_price(legs, 100 - 200 * side)
        self.place(account, side, price, units, legs, terms._replace(is_post_only=False))

    @rule(account=accounts, model=st.integers(0, 1), tier=st.integers(0, 2))
    def choose_margin(self, account: int, model: int, tier: int) -> None:
        self.floor.choose_margin(account, model, tier)

    @rule(account=accounts, model=st.integers(0, 1), least=st.sampled_from((0, 0, 1, 2)))
    def set_risk_profile(self, account: int, model: int, least: int) -> None:
        self.floor.set_risk_profile(account, model, least)

    @rule(choice=st.integers(0, 7))
    def operate(self, choice: int) -> None:
        floor = self.floor
        now = floor.time_ns
        if choice == 0:
            strike = 800_000_000 + 10_000_000 * len(floor.state.instruments)
            floor.list_instrument(LISTINGS[6]._replace(strike_micro=strike))
        elif choice == 1:
            number = floor.state.batches_confirmed + 1
            floor.send(c.ConfirmBatch(now, number, 7, bytes(32)))
        elif choice == 2:
            floor.send(c.RecordClaim(now, len(floor.state.claimed), 1))
        elif choice == 3:
            floor.fund(FUT, 1)
            floor.settle(9, BTC_INDEX)
        else:
            floor.cut()
