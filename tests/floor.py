"""A trading floor for tests: drives `engine.apply` command by command and distrusts each answer.

Holds: after every command the invariants hold; a refused command left the state as it was; no
account's margin fell below zero by a command that moves no mark; every event survives its encoding.
What was sent stays in `journal`, as bytes, for a replay.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

from exchange import commands as c
from exchange.codec import decode_command, decode_event, encode_command, encode_event
from exchange.commands import Command
from exchange.engine import apply
from exchange.events import (
    CommandRejected,
    Event,
    FundingAccrued,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderRested,
)
from exchange.invariants import check, excess_micro, margin_kept
from exchange.limits import BAND_INDEX_E4, MAX_ORDER_LOTS
from exchange.state import State
from exchange.state_digest import state_hash
from margin.accounts import Account
from margin.fees import FeeSchedule
from matching.instruments import CALL, FUTURE, MAX_LOTS, NO_EXPIRY, PERPETUAL, PUT
from matching.orders import BUY, GTC, SELL
from matching.rejects import Reject
from settlement.account_messages import (
    ChooseMargin,
    ConvertCollateral,
    ResetProtection,
    SetProtection,
    TransferCash,
    TransferPosition,
    Withdraw,
)
from settlement.mass_quotes import MassQuote, check_mass_quote, mass_quote_hash
from settlement.signed_messages import (
    NO_ORDER,
    OF_ALL,
    PLAIN,
    CancelWhere,
    Conditions,
    Legs,
    Order,
    order_hash,
    struct_hash,
)

START_S: Final = 1_768_521_040  # 15 January 2026
NS: Final = 10**9
DAY_S: Final = 86_400
CHAIN_ID: Final = 31_337
SETTLEMENT: Final = b"\x5e" * 20
OPERATOR: Final = b"\x09" * 20
NO_SIGNATURE: Final = bytes(65)
HUGE_FEE: Final = 10**12

BTC_INDEX: Final = 955_861_600
ETH_INDEX: Final = 331_250_000
MARCH: Final = 1_774_598_400  # 27 March 2026, 08:00 UTC
JUNE: Final = 1_782_460_800  # 26 June 2026, 08:00 UTC

# Instruments of `open_floor`, by number.
PERP: Final = 0
FUT: Final = 1
CALL_90: Final = 2
CALL_100: Final = 3
PUT_90: Final = 4
PUT_100: Final = 5
JUNE_CALL: Final = 6
ETH_PERP: Final = 7
ETH_PUT: Final = 8

_ONE: Final = 1 << 30
FEES: Final = FeeSchedule(300, 500, 1_250, liquidation_rate=1_000)
SMILE: Final = (_ONE // 100, _ONE // 20, -_ONE // 5, 0, _ONE // 5)
"""a, b, rho, m, sigma: about 32% volatility for a term of 70 days."""

E = TypeVar("E", bound=Event)

# Stories here go to prices and sizes that no market sees; tests of the limits set them themselves.
REAL_BANDS: Final = dict(BAND_INDEX_E4)
REAL_SIZES: Final = dict(MAX_ORDER_LOTS)
for _kind in MAX_ORDER_LOTS:
    MAX_ORDER_LOTS[_kind] = MAX_LOTS
    BAND_INDEX_E4[_kind] = 1 << 48

MOVES_MARKS: Final = (
    c.UpdateMarks,
    c.ReportPrices,
    c.AccrueFunding,
    c.SettleExpiry,
    c.SettlePerpetual,
    c.SetRiskProfile,
    c.ListAsset,
)
"""What may leave an account short: marks, new terms of an asset, and the operator's word on how it
is margined.
"""


class Listing(NamedTuple):
    kind: int
    underlying: int
    expiry: int
    strike_micro: int
    tick_value_micro: int


LISTINGS: Final = (
    Listing(PERPETUAL, 0, NO_EXPIRY, 0, 5_000),
    Listing(FUTURE, 0, 0, 0, 5_000),
    Listing(CALL, 0, 0, 900_000_000, 10_000),
    Listing(CALL, 0, 0, 1_000_000_000, 10_000),
    Listing(PUT, 0, 0, 900_000_000, 10_000),
    Listing(PUT, 0, 0, 1_000_000_000, 10_000),
    Listing(CALL, 0, 1, 1_000_000_000, 10_000),
    Listing(PERPETUAL, 1, NO_EXPIRY, 0, 2_000),
    Listing(PUT, 1, 2, 330_000_000, 3_000),
)


def owner_of(account: int) -> bytes:
    return (0xACC0_0000 + account).to_bytes(20, "big")


class Floor:
    """An engine and what its sequencer would remember. A `watched` floor checks each command."""

    def __init__(self, *, watched: bool = True) -> None:
        self.state = State()
        self.time_ns = START_S * NS
        self.journal: list[bytes] = []
        self.accepted: list[Command] = []
        self.events: list[bytes] = []
        self.watched = watched
        self._salt = 0

    @property
    def time_s(self) -> int:
        return self.time_ns // NS

    # SENDING

    def send(self, command: Command) -> tuple[Event, ...]:
        """Applies a command; a new time is sent ahead alone, so that what expires does not blur
        what the command did.
        """
        if command.time_ns > self.state.time_ns and self.state.ledger is not None:
            self._apply(c.AdvanceTime(command.time_ns))
        return self._apply(command)

    def _apply(self, command: Command) -> tuple[Event, ...]:
        data = encode_command(command)
        assert decode_command(data) == command
        self.journal.append(data)
        if self.watched:
            before, excesses = state_hash(self.state), self.excesses()
        events = apply(self.state, command)
        for event in events:
            self.events.append(encode_event(event))
            assert decode_event(self.events[-1]) == event
        if was_accepted(events):
            self.accepted.append(command)
        if self.watched:
            broken = check(self.state)
            assert not broken, f"after {command}: {broken}"
            refused = any(isinstance(event, CommandRejected) for event in events)
            if refused:
                assert len(events) == 1, "a refused command has one event"
                assert state_hash(self.state) == before, f"a trace of the refused {command}"
            if not isinstance(command, MOVES_MARKS) and not of_type(events, FundingAccrued):
                broken = self.margin_broken(excesses)
                assert not broken, f"after {command}: {broken}"
        return events

    def margin_broken(self, excesses: dict[int, int]) -> list[str]:
        """Whose margin a command that moves no mark lowered below zero."""
        return margin_kept(excesses, self.state)

    def excesses(self) -> dict[int, int]:
        return {n: excess_micro(self.state, a) for n, a in self.state.accounts.items()}

    def replay(self) -> "Floor":
        """The journal on another engine, unwatched."""
        return self.replay_on(Floor(watched=False))

    def replay_on(self, twin: "Floor") -> "Floor":
        """The journal on an engine that is given."""
        for data in self.journal:
            command = decode_command(data)
            assert not isinstance(command, Reject)
            twin._apply(command)
        return twin

    # THE OPERATOR AND THE CHAIN

    def genesis(self, fees: FeeSchedule = FEES) -> None:
        self.send(c.Genesis(self.time_ns, CHAIN_ID, SETTLEMENT, OPERATOR, *fees, 18))

    def list_underlying(self, name: bytes, lot_e8: int) -> tuple[Event, ...]:
        number = len(self.state.underlyings)
        return self.send(c.ListUnderlying(self.time_ns, number, name.ljust(8, b"\0"), lot_e8))

    def list_expiry(self, underlying: int, time_s: int) -> tuple[Event, ...]:
        return self.send(c.ListExpiry(self.time_ns, len(self.state.expiries), underlying, time_s))

    def list_instrument(self, listing: Listing) -> tuple[Event, ...]:
        number = len(self.state.instruments)
        return self.send(c.ListInstrument(self.time_ns, number, *listing))

    def open_account(self, cash_micro: int = 0, owner: bytes | None = None) -> int:
        number = len(self.state.accounts)
        owner = owner_of(number) if owner is None else owner
        self.send(c.OpenAccount(self.time_ns, self.state.inbox_cursor, number, owner))
        if cash_micro:
            self.deposit(number, cash_micro)
        return number

    def deposit(self, account: int, amount_micro: int, asset: int = 0) -> tuple[Event, ...]:
        cursor = self.state.inbox_cursor
        return self.send(c.CreditDeposit(self.time_ns, cursor, account, asset, amount_micro))

    def register_key(self, account: int, key: bytes, valid_until_s: int) -> tuple[Event, ...]:
        cursor = self.state.inbox_cursor
        return self.send(c.RegisterKey(self.time_ns, cursor, account, key, valid_until_s))

    def mark(
        self,
        underlying: int,
        index_micro: int,
        *,
        basis_percent: int = 1,
        smile: Sequence[int] = SMILE,
        expiries: Sequence[int] | None = None,
    ) -> tuple[Event, ...]:
        """Marks the underlying's open expiries, each further one `basis_percent` above the last."""
        if expiries is None:
            expiries = [
                expiry.number
                for expiry in self.state.expiries
                if expiry.underlying.number == underlying and expiry.settlement_micro is None
            ]
        a, b, rho, m, sigma = smile
        marks = tuple(
            (expiry, index_micro * (100 + basis_percent * (place + 1)) // 100, a, b, rho, m, sigma)
            for place, expiry in enumerate(expiries)
        )
        return self.send(c.UpdateMarks(self.time_ns, underlying, index_micro, marks))

    def fund(self, instrument: int, rate_micro: int) -> tuple[Event, ...]:
        return self.send(c.AccrueFunding(self.time_ns, instrument, rate_micro))

    def arm_funding(
        self,
        instrument: int = PERP,
        *,
        cap_e6: int = 5_000,
        band_e6: int = 500,
        period_s: int = 28_800,
        impact_lots: int = 10,
        sample_s: int = 60,
    ) -> tuple[Event, ...]:
        terms = (cap_e6, band_e6, period_s, impact_lots, sample_s)
        return self.send(c.SetFunding(self.time_ns, instrument, *terms))

    def settle(self, expiry: int, *samples_micro: int) -> tuple[Event, ...]:
        """Settles an expiry; one sample stands for thirty."""
        samples = samples_micro * 30 if len(samples_micro) == 1 else samples_micro
        return self.send(c.SettleExpiry(self.time_ns, expiry, samples))

    def delist(self, instrument: int, end_time_s: int = 0) -> tuple[Event, ...]:
        return self.send(c.DelistInstrument(self.time_ns, instrument, end_time_s))

    def settle_perpetual(self, instrument: int, *samples_micro: int) -> tuple[Event, ...]:
        """Settles a perpetual; one sample stands for thirty."""
        samples = samples_micro * 30 if len(samples_micro) == 1 else samples_micro
        return self.send(c.SettlePerpetual(self.time_ns, instrument, samples))

    def set_state(
        self, state: int, scope: int = 0, number: int = 0, reason: int = 0
    ) -> tuple[Event, ...]:
        return self.send(c.SetTradingState(self.time_ns, scope, number, state, reason))

    def arm(
        self,
        levels: Sequence[tuple[int, int, int]],
        *,
        underlying: int = 0,
        window_s: int = 300,
        calm_window_s: int = 60,
        calm_e4: int = 200,
    ) -> tuple[Event, ...]:
        return self.send(
            c.SetBreaker(self.time_ns, underlying, window_s, calm_window_s, calm_e4, tuple(levels))
        )

    def list_asset(
        self,
        asset: int = 1,
        name: bytes = b"ETH",
        *,
        decimals: int = 18,
        kind: int = 1,
        underlying: int = 1,
        initial_e4: int = 2_000,
        maintenance_e4: int = 1_500,
        cap_micro: int = 10**10,
        discount_e4: int = 500,
    ) -> tuple[Event, ...]:
        """Ether by default, of the second underlying; kind 0, underlying 255 is a stable."""
        haircuts = (initial_e4, maintenance_e4)
        terms = (decimals, kind, underlying, *haircuts, cap_micro, discount_e4)
        return self.send(c.ListAsset(self.time_ns, asset, name.ljust(8, b"\0"), *terms))

    def convert(
        self,
        account: int,
        debtor: int,
        asset: int = 1,
        paid_most: int = 2**62,
        received_least: int = 1,
        *,
        life_s: int = 60,
        salt: int | None = None,
        signer: bytes | None = None,
    ) -> tuple[Event, ...]:
        """Buys collateral of a debtor."""
        if salt is None:
            self._salt += 1
            salt = self._salt
        once = (salt, self.time_s + life_s)
        message = ConvertCollateral(account, debtor, asset, paid_most, received_least, *once)
        signer = self.owner(account) if signer is None else signer
        signed = struct_hash(message), signer, NO_SIGNATURE
        return self.send(c.ConvertCollateral(self.time_ns, *message, *signed))

    def cut(self) -> tuple[Event, ...]:
        return self.send(c.CutBatch(self.time_ns, b"\x70" * 32))

    def advance(self, seconds: int) -> tuple[Event, ...]:
        self.time_ns += seconds * NS
        return self.send(c.AdvanceTime(self.time_ns))

    # THE TRADERS

    def sign(
        self,
        account: int,
        side: int,
        price_micro: int,
        lots: int,
        legs: int | Sequence[tuple[int, int]],
        *,
        time_in_force: int = GTC,
        flags: int = 0,
        max_fee_micro: int = HUGE_FEE,
        life_s: int = 3_600,
        expiry_s: int | None = None,
        salt: int | None = None,
        replaces: bytes = NO_ORDER,
        counter: int | None = None,
        conditions: Conditions = PLAIN,
    ) -> Order:
        """An order as it is signed; `legs` may be the number of one instrument."""
        if salt is None:
            self._salt += 1
            salt = self._salt
        if counter is None:
            known = self.state.accounts.get(account)
            counter = known.counter if known else 0
        return Order(
            account,
            counter,
            side,
            time_in_force,
            flags,
            price_micro,
            lots,
            max_fee_micro,
            self.time_s + life_s if expiry_s is None else expiry_s,
            salt,
            replaces,
            ((legs, 1),) if isinstance(legs, int) else tuple(legs),
            conditions,
        )

    def owner(self, account: int) -> bytes:
        known = self.state.accounts.get(account)
        return owner_of(account) if known is None else known.owner

    def submit(
        self, order: Order, signer: bytes | None = None, session: int = 0
    ) -> tuple[Event, ...]:
        signer = self.owner(order.account) if signer is None else signer
        signed = order_hash(order), signer, NO_SIGNATURE
        return self.send(c.PlaceOrder(self.time_ns, order, *signed, session))

    def quote(
        self,
        account: int,
        quotes: Sequence[tuple[int | Legs, int, int, int, int]],
        *,
        label: int = 1,
        flags: int = 0,
        protection: int = 0,
        max_fee_micro: int = HUGE_FEE,
        life_s: int = 3_600,
        salt: int | None = None,
        counter: int | None = None,
        signer: bytes | None = None,
    ) -> tuple[Event, ...]:
        """A mass quote; each quote is (legs, bid price, bid lots, ask price, ask lots)."""
        if salt is None:
            salt = self._salt + 1
            self._salt += 2 * len(quotes)
        if counter is None:
            known = self.state.accounts.get(account)
            counter = known.counter if known else 0
        message = MassQuote(
            account,
            counter,
            flags,
            max_fee_micro,
            self.time_s + life_s,
            salt,
            protection,
            label,
            tuple(
                (((legs, 1),) if isinstance(legs, int) else legs, *rest) for legs, *rest in quotes
            ),
        )
        is_whole = check_mass_quote(message) is None
        message_hash = mass_quote_hash(message) if is_whole else bytes(32)
        signer = self.owner(account) if signer is None else signer
        return self.send(
            c.QuoteMass(self.time_ns, *message, message_hash, signer, NO_SIGNATURE)  # type: ignore
        )

    def buy(
        self,
        account: int,
        price: int,
        lots: int,
        legs: int | Sequence[tuple[int, int]],
        **more: object,
    ) -> tuple[Event, ...]:
        return self.submit(self.sign(account, BUY, price, lots, legs, **more))  # type: ignore

    def sell(
        self,
        account: int,
        price: int,
        lots: int,
        legs: int | Sequence[tuple[int, int]],
        **more: object,
    ) -> tuple[Event, ...]:
        return self.submit(self.sign(account, SELL, price, lots, legs, **more))  # type: ignore

    def cancel(self, account: int, hash_: bytes, signer: bytes | None = None) -> tuple[Event, ...]:
        signer = self.owner(account) if signer is None else signer
        return self.send(c.CancelOrder(self.time_ns, account, hash_, signer, NO_SIGNATURE))

    def cancel_all(self, account: int, new_counter: int | None = None) -> tuple[Event, ...]:
        if new_counter is None:
            new_counter = self.state.accounts[account].counter + 1
        return self.send(
            c.CancelAllOrders(self.time_ns, account, new_counter, self.owner(account), NO_SIGNATURE)
        )

    def cancel_where(
        self,
        account: int,
        scope: int = OF_ALL,
        value: int = 0,
        *,
        life_s: int = 60,
        salt: int | None = None,
        signer: bytes | None = None,
    ) -> tuple[Event, ...]:
        if salt is None:
            self._salt += 1
            salt = self._salt
        message = CancelWhere(account, scope, value, salt, self.time_s + life_s)
        return self.send(
            c.CancelWhere(
                self.time_ns,
                *message,
                struct_hash(message),
                self.owner(account) if signer is None else signer,
                NO_SIGNATURE,
            )
        )

    def protect(
        self,
        account: int,
        group: int = 1,
        *,
        lots: int = 0,
        delta_e6: int = 0,
        vega_micro: int = 0,
        window_ms: int = 10_000,
        frozen_ms: int = 5_000,
        life_s: int = 60,
        salt: int | None = None,
        signer: bytes | None = None,
    ) -> tuple[Event, ...]:
        """Sets a protection group."""
        if salt is None:
            self._salt += 1
            salt = self._salt
        message = SetProtection(
            account,
            group,
            window_ms,
            frozen_ms,
            lots,
            delta_e6,
            vega_micro,
            salt,
            self.time_s + life_s,
        )
        return self.send(
            c.SetProtection(
                self.time_ns,
                *message,
                struct_hash(message),
                self.owner(account) if signer is None else signer,
                NO_SIGNATURE,
            )
        )

    def choose_margin(
        self,
        account: int,
        model: int,
        tier: int = 0,
        *,
        life_s: int = 60,
        salt: int | None = None,
        signer: bytes | None = None,
    ) -> tuple[Event, ...]:
        if salt is None:
            self._salt += 1
            salt = self._salt
        message = ChooseMargin(account, model, tier, salt, self.time_s + life_s)
        return self.send(
            c.ChooseMargin(
                self.time_ns,
                *message,
                struct_hash(message),
                self.owner(account) if signer is None else signer,
                NO_SIGNATURE,
            )
        )

    def set_risk_profile(self, account: int, model: int, least_tier: int) -> tuple[Event, ...]:
        return self.send(c.SetRiskProfile(self.time_ns, account, model, least_tier))

    def reset_protection(
        self,
        account: int,
        group: int = 1,
        *,
        life_s: int = 60,
        salt: int | None = None,
        signer: bytes | None = None,
    ) -> tuple[Event, ...]:
        if salt is None:
            self._salt += 1
            salt = self._salt
        message = ResetProtection(account, group, salt, self.time_s + life_s)
        return self.send(
            c.ResetProtection(
                self.time_ns,
                *message,
                struct_hash(message),
                self.owner(account) if signer is None else signer,
                NO_SIGNATURE,
            )
        )

    def withdraw(
        self, account: int, amount_micro: int, *, asset: int = 0, salt: int | None = None
    ) -> tuple[Event, ...]:
        if salt is None:
            self._salt += 1
            salt = self._salt
        message_hash = struct_hash(Withdraw(account, asset, amount_micro, salt))
        return self.send(
            c.RequestWithdrawal(
                self.time_ns,
                account,
                asset,
                amount_micro,
                salt,
                message_hash,
                self.owner(account),
                NO_SIGNATURE,
            )
        )

    def transfer_cash(
        self,
        account: int,
        to_account: int,
        amount_micro: int,
        *,
        asset: int = 0,
        life_s: int = 60,
        salt: int | None = None,
        signer: bytes | None = None,
    ) -> tuple[Event, ...]:
        if salt is None:
            self._salt += 1
            salt = self._salt
        expiry_s = self.time_s + life_s
        message = TransferCash(account, to_account, asset, amount_micro, salt, expiry_s)
        signer = self.owner(account) if signer is None else signer
        signed = struct_hash(message), signer, NO_SIGNATURE
        return self.send(c.TransferCash(self.time_ns, *message, *signed))

    def transfer_position(
        self,
        account: int,
        to_account: int,
        instrument: int,
        lots: int,
        *,
        side: int | None = None,
        life_s: int = 60,
        salt: int | None = None,
        signer: bytes | None = None,
    ) -> tuple[Event, ...]:
        """Signed lots, of a long position or of a short one."""
        if salt is None:
            self._salt += 1
            salt = self._salt
        if side is None:
            side = int(lots < 0)
        expiry_s = self.time_s + life_s
        terms = (instrument, side, abs(lots), salt, expiry_s)
        message = TransferPosition(account, to_account, *terms)
        signer = self.owner(account) if signer is None else signer
        signed = struct_hash(message), signer, NO_SIGNATURE
        return self.send(c.TransferPosition(self.time_ns, *message, *signed))

    # READING

    def account(self, number: int) -> Account:
        return self.state.accounts[number]

    def lots(self, account: int, instrument: int) -> int:
        position = self.state.accounts[account].positions.get(instrument)
        return position.quantity_lots if position else 0

    def near(self, instrument: int, percent: int = 100) -> int:
        """A price on the tick near the mark, micro-USDC per lot, at least one tick."""
        listed = self.state.instruments[instrument]
        tick = listed.tick_value_micro
        price = self.state.marks.mark_micro(listed) * percent // 100
        return max(price // tick, 1) * tick


def open_floor(
    accounts: int = 3,
    cash_micro: int = 50_000_000_000,
    *,
    watched: bool = True,
    floor: Floor | None = None,
    fees: FeeSchedule = FEES,
) -> Floor:
    """BTC and ETH with the instruments named above, marked, and accounts with cash."""
    floor = floor or Floor(watched=watched)
    floor.genesis(fees)
    floor.list_underlying(b"BTC", 1_000_000)
    floor.list_underlying(b"ETH", 10_000_000)
    floor.list_expiry(0, MARCH)
    floor.list_expiry(0, JUNE)
    floor.list_expiry(1, MARCH)
    for listing in LISTINGS:
        floor.list_instrument(listing)
    for _ in range(accounts):
        floor.open_account(cash_micro)
    floor.mark(0, BTC_INDEX)
    floor.mark(1, ETH_INDEX)
    return floor


# READING EVENTS


def of_type(events: Sequence[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def refusal(events: Sequence[Event]) -> Reject:
    """The reject of a command that was refused."""
    (event,) = events
    assert isinstance(event, CommandRejected), event
    return Reject(event.code, event.got, event.allowed)


def was_accepted(events: Sequence[Event]) -> bool:
    return not of_type(events, CommandRejected)


def placed_hash(events: Sequence[Event]) -> bytes:
    (placed,) = of_type(events, OrderPlaced)
    return placed.order_hash


def fills(events: Sequence[Event]) -> list[tuple[int, int, int, int]]:
    """(instrument, price in micro-USDC, lots, maker) of every fill."""
    return [
        (fill.instrument, fill.price_micro, fill.quantity_lots, fill.maker)
        for fill in of_type(events, OrderFilled)
    ]


def has_rested(events: Sequence[Event]) -> bool:
    return bool(of_type(events, OrderRested))


def cancel_reasons(events: Sequence[Event]) -> list[int]:
    return [event.reason for event in of_type(events, OrderCancelled)]
