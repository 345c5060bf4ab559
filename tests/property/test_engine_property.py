"""Random lives of an exchange: every command in any order, and what must hold after each.

The floor (`tests/floor.py`) checks after every command: the invariants from scratch, that a refused
command leaves no trace, and that no command but a mark lowers a margin excess below zero. At the
end a batch is cut, so that the ledger's root stands where the engine does, and the journal is
replayed on a fresh engine.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from exchange import commands as c
from exchange.handlers.accounts import free_micro
from exchange.invariants import check, owed_micro, state_hash
from matching.combos import combo_tick_micro
from settlement.signed_messages import NO_ORDER
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    DAY_S,
    ETH_INDEX,
    ETH_PERP,
    ETH_PUT,
    FUT,
    HUGE_FEE,
    JUNE_CALL,
    LISTINGS,
    MARCH,
    NS,
    PERP,
    PUT_90,
    PUT_100,
    SMILE,
    Floor,
    of_type,
    open_floor,
)
from exchange.events import OrderPlaced

COMBOS = (
    ((CALL_90, 1), (CALL_100, -1)),
    ((CALL_90, 1), (PUT_90, 1)),
    ((CALL_90, 1), (CALL_100, -2)),
    ((PERP, 1), (FUT, -1)),
    ((CALL_100, 1), (JUNE_CALL, -1)),
    ((FUT, 1), (CALL_90, 2), (PUT_100, -3)),
    ((PERP, 2), (CALL_90, -3), (CALL_100, 1), (PUT_90, 1)),
    ((ETH_PERP, 1), (ETH_PUT, 2)),
)
SMILES = (SMILE, (SMILE[0] * 3, *SMILE[1:]), (SMILE[0], SMILE[1] * 2, -SMILE[2], *SMILE[3:]))
ACCOUNTS = 4
CASH = (500_000_000, 4_000_000_000, 40_000_000_000, 400_000_000_000)

accounts = st.integers(0, ACCOUNTS - 1)
sides = st.integers(0, 1)
lots = st.one_of(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4_000))
times_in_force = st.sampled_from((0, 0, 0, 1, 2))
max_fees = st.sampled_from((HUGE_FEE, HUGE_FEE, HUGE_FEE, HUGE_FEE, 300_000, 0))
lives = st.sampled_from((1, 60, 3_600, 3_600, 86_400, 30 * DAY_S))
recent = st.integers(0, 11)
maybe_recent = st.one_of(st.none(), st.none(), st.none(), recent)


class Life(RuleBasedStateMachine):
    """Knows nothing of what should happen, only what may be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.floor = Floor()
        self.hashes: list[bytes] = []

    @initialize()
    def open(self) -> None:
        self.floor = open_floor(0)
        for cash in CASH:
            self.floor.open_account(cash)

    # ORDERS

    def named(self, back: int | None) -> bytes:
        """The hash of an order placed not long ago."""
        if back is None or not self.hashes:
            return NO_ORDER
        return self.hashes[-1 - back % len(self.hashes)]

    def place(
        self,
        account: int,
        side: int,
        price: int,
        lots: int,
        legs: tuple[tuple[int, int], ...],
        time_in_force: int,
        post_only: bool,
        max_fee: int,
        life_s: int,
        replaces: int | None,
    ) -> None:
        order = self.floor.sign(
            account,
            side,
            price,
            lots,
            legs,
            time_in_force=time_in_force,
            flags=int(post_only and time_in_force == 0),
            max_fee_micro=max_fee,
            life_s=life_s,
            replaces=self.named(replaces),
        )
        events = self.floor.submit(order)
        self.hashes += [event.order_hash for event in of_type(events, OrderPlaced)]

    @rule(
        account=accounts,
        side=sides,
        instrument=st.integers(0, len(LISTINGS) - 1),
        percent=st.sampled_from((80, 95, 99, 100, 101, 105, 125)),
        lots=lots,
        time_in_force=times_in_force,
        post_only=st.booleans(),
        max_fee=max_fees,
        life_s=lives,
        replaces=maybe_recent,
    )
    def place_single(
        self,
        account: int,
        side: int,
        instrument: int,
        percent: int,
        lots: int,
        time_in_force: int,
        post_only: bool,
        max_fee: int,
        life_s: int,
        replaces: int | None,
    ) -> None:
        price = self.floor.near(instrument, percent)
        legs = ((instrument, 1),)
        self.place(
            account, side, price, lots, legs, time_in_force, post_only, max_fee, life_s, replaces
        )

    @rule(
        account=accounts,
        side=sides,
        legs=st.sampled_from(COMBOS),
        permille=st.integers(-30, 30),
        lots=st.integers(1, 8),
        time_in_force=times_in_force,
        post_only=st.booleans(),
        max_fee=max_fees,
        life_s=lives,
        replaces=maybe_recent,
    )
    def place_combo(
        self,
        account: int,
        side: int,
        legs: tuple[tuple[int, int], ...],
        permille: int,
        lots: int,
        time_in_force: int,
        post_only: bool,
        max_fee: int,
        life_s: int,
        replaces: int | None,
    ) -> None:
        marks, listed = self.floor.state.marks, self.floor.state.instruments
        net = sum(ratio * marks.mark_micro(listed[number]) for number, ratio in legs)
        away = sum(abs(ratio) * marks.mark_micro(listed[number]) for number, ratio in legs)
        tick = combo_tick_micro([listed[n] for n, _ in legs], [ratio for _, ratio in legs])
        price = (net + away * permille // 1_000) // tick * tick
        self.place(
            account, side, price, lots, legs, time_in_force, post_only, max_fee, life_s, replaces
        )

    @rule(account=accounts, back=recent)
    def cancel(self, account: int, back: int) -> None:
        self.floor.cancel(account, self.named(back))

    @rule(back=recent)
    def cancel_ones_own(self, back: int) -> None:
        order = self.floor.state.orders.get(self.named(back))
        if order is not None:
            self.floor.cancel(order.account, order.hash)

    @rule(account=accounts)
    def cancel_all(self, account: int) -> None:
        self.floor.cancel_all(account)

    # CASH

    @rule(account=accounts, amount=st.integers(1, 10**11))
    def deposit(self, account: int, amount: int) -> None:
        self.floor.deposit(account, amount)

    @rule(account=accounts, percent=st.integers(1, 101))
    def withdraw(self, account: int, percent: int) -> None:
        free = free_micro(self.floor.state, self.floor.account(account))
        self.floor.withdraw(account, max(free * percent // 100, 1))

    @rule(number=st.integers(0, 3), amount=st.integers(1, 10**9))
    def claim(self, number: int, amount: int) -> None:
        self.floor.send(c.RecordClaim(self.floor.time_ns, number, amount))

    # MARKS AND TIME

    @rule(percent=st.integers(60, 170), smile=st.sampled_from(SMILES), basis=st.integers(-3, 3))
    def mark_btc(self, percent: int, smile: tuple[int, ...], basis: int) -> None:
        self.floor.mark(0, BTC_INDEX * percent // 100, smile=smile, basis_percent=basis)

    @rule(percent=st.integers(60, 170), with_expiries=st.booleans())
    def mark_eth(self, percent: int, with_expiries: bool) -> None:
        expiries = None if with_expiries else ()
        self.floor.mark(1, ETH_INDEX * percent // 100, expiries=expiries)

    @rule(instrument=st.sampled_from((PERP, ETH_PERP, FUT)), rate=st.integers(-(10**7), 10**7))
    def fund(self, instrument: int, rate: int) -> None:
        self.floor.fund(instrument, rate)

    @rule(seconds=st.sampled_from((1, 30, 61, 3_600, 86_400, 20 * DAY_S)))
    def pass_time(self, seconds: int) -> None:
        self.floor.advance(seconds)

    @rule()
    def reach_expiry(self) -> None:
        if self.floor.time_s < MARCH:
            self.floor.advance(MARCH - self.floor.time_s)

    @rule(expiry=st.integers(0, 3), percent=st.integers(70, 140))
    def settle(self, expiry: int, percent: int) -> None:
        index = ETH_INDEX if expiry == 2 else BTC_INDEX
        self.floor.settle(expiry, *(index * (percent + k % 3) // 100 for k in range(30)))

    @rule()
    def list_another_call(self) -> None:
        strike = 800_000_000 + 10_000_000 * len(self.floor.state.instruments)
        self.floor.list_instrument(LISTINGS[JUNE_CALL]._replace(strike_micro=strike))

    # BATCHES

    @rule()
    def cut(self) -> None:
        self.floor.cut()

    @rule(number=st.integers(1, 4))
    def confirm(self, number: int) -> None:
        self.floor.send(c.ConfirmBatch(self.floor.time_ns, number, 7, bytes(32)))

    def teardown(self) -> None:
        floor = self.floor
        if floor.state.ledger is None:
            return
        floor.cut()
        assert check(floor.state) == []
        credited = floor.state.credited_micro
        assert owed_micro(floor.state) + floor.state.withdrawn_micro == credited
        twin = floor.replay()
        assert twin.events == floor.events
        assert state_hash(twin.state) == state_hash(floor.state)


Life.TestCase.settings = settings(stateful_step_count=60)
TestALifeOfTheExchange = Life.TestCase
