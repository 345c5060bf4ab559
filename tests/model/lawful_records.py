"""A lawful operator: turns arbitrary numbers into groups of records that break no rule.

Holds: what it writes it has applied to a `SlowLedger`, which found it lawful. Its choices are plain
tuples of integers, so hypothesis shrinks a program to its shortest.
"""

from math import gcd

from hypothesis import strategies as st

from settlement.keccak import keccak256
from tests.model.ledger import CALL, FUTURE, NO_EXPIRY, PERPETUAL, PUT, SlowLedger, Values, pack

Choice = tuple[int, int, int, int, int]
Group = tuple[bytes, ...]

RATES = (120, 350, 1250, 90, 1900, 75)
FORWARD = 955_861_600
TICK_VALUE = 10_000
START_S = 1_768_406_400

numbers = st.integers(0, 0xFFFF)
choices = st.lists(st.tuples(numbers, numbers, numbers, numbers, numbers), max_size=40)


class Operator:
    """Writes records for a ledger that it keeps; `groups` are all so far."""

    def __init__(self) -> None:
        self.ledger = SlowLedger(*RATES)
        self.groups: list[Group] = []
        self.slots = 0
        self.epoch = 0
        self.now_s = START_S
        self.write("UNDERLYING_LISTED", 0, b"BTC\0\0\0\0\0", 1_000_000)
        self.write("INSTRUMENT_LISTED", 0, PERPETUAL, 0, NO_EXPIRY, 0, TICK_VALUE)
        self.list_expiry()
        for number in range(3):
            self.open_account(number)
            self.write("DEPOSIT_CREDITED", number, 0, 10**11)
        self.mark(0)
        self.mark_expiry(0, 0)

    def write(self, name: str, *values: object) -> None:
        self.write_group(pack(name, *values))

    def write_group(self, *records: bytes) -> None:
        for record in records:
            assert self.ledger.apply(record), f"the operator breaks a rule with {record.hex()}"
        self.groups.append(records)

    def act(self, choice: Choice) -> None:
        what, *numbers = choice
        acts = (
            self.fill,
            self.fill,
            self.meet_combo,
            self.meet_legs,
            self.settle_positions,
            self.mark,
            self.mark_expiry,
            self.fund,
            self.deposit,
            self.withdraw,
            self.forget,
            self.raise_counter,
            self.register_key,
            self.open_account,
            self.settle_expiry,
            self.relist,
            self.move_cash,
            self.move_position,
            self.change_status,
            self.insure,
            self.deposit_asset,
            self.withdraw_asset,
            self.move_collateral,
            self.set_level,
        )
        act = acts[what % len(acts)]
        if act == self.meet_legs and what // len(acts) % 2:
            act = self.meet_resting_combo
        act(*numbers)

    # ACCOUNTS

    def open_account(self, seed: int, *_: int) -> None:
        self.write("ACCOUNT_OPENED", len(self.ledger.accounts), keccak256(bytes([seed % 256]))[:20])

    def some_account(self, number: int) -> int:
        return number % len(self.ledger.accounts)

    def deposit(self, account: int, amount: int, *_: int) -> None:
        self.write("DEPOSIT_CREDITED", self.some_account(account), 0, amount)

    def withdraw(self, account: int, part: int, *_: int) -> None:
        account = self.some_account(account)
        left = self.ledger.credited - self.ledger.withdrawn
        free = min(self.ledger.accounts[account]["cash"], left)
        if free > 0:
            amount = free * (part % 4) // 3 % (free + 1) or 1
            number = len(self.ledger.withdrawals)
            self.write("WITHDRAWAL_REQUESTED", account, 0, amount, number)

    def raise_counter(self, account: int, by: int, *_: int) -> None:
        account = self.some_account(account)
        counter = self.ledger.accounts[account]["counter"] + 1 + by
        self.write("COUNTER_RAISED", account, counter)

    def register_key(self, account: int, seed: int, *_: int) -> None:
        key = keccak256(seed.to_bytes(2, "big"))[:20]
        self.write("KEY_REGISTERED", self.some_account(account), key, self.now_s + seed)

    # ORDERS AND FILLS

    def slot_of(self, account: int, number: int) -> int:
        """One of an account's opened orders, or a new one."""
        orders = self.ledger.accounts[account]["orders"]
        if orders and number % 3:
            return list(orders)[number % len(orders)]
        self.slots += 1
        self.write("ORDER_OPENED", account, self.slots, keccak256(bytes([self.slots % 256]))[:23])
        return self.slots

    def forget(self, account: int, number: int, *_: int) -> None:
        account = self.some_account(account)
        orders = list(self.ledger.accounts[account]["orders"])
        if orders:
            self.write("ORDER_FORGOTTEN", account, orders[number % len(orders)])

    def open_markets(self) -> list[int]:
        markets = self.ledger.markets
        return [number for number in markets if self.ledger.settlement(markets[number]) is None]

    def two_accounts(self, number: int) -> tuple[int, int]:
        count = len(self.ledger.accounts)
        maker = number % count
        return maker, (maker + 1 + number // count % (count - 1)) % count

    def bring_up(self, account: int, instrument: int) -> None:
        position = self.ledger.accounts[account]["positions"].get(instrument)
        if position and position["seen"] != self.ledger.markets[instrument]["accrual"]:
            self.write("POSITION_SETTLED", account, instrument)

    def ticks(self, instrument: int, number: int) -> int:
        """A price; a linear instrument's near its mark, sometimes below zero."""
        if self.ledger.markets[instrument]["kind"] > FUTURE:
            return number % 5_000
        return FORWARD // TICK_VALUE + number % 1_000 - 500 if number % 7 else -number

    def fill(self, pair: int, market: int, lots: int, price: int) -> None:
        maker, taker = self.two_accounts(pair)
        markets = self.open_markets()
        instrument = markets[market % len(markets)]
        slots = self.slot_of(maker, price), self.slot_of(taker, lots)
        for account in (maker, taker):
            self.bring_up(account, instrument)
        flags = 6 | lots & 1
        quantity, ticks = 1 + lots % 400, self.ticks(instrument, price)
        self.write("FILL", flags, maker, slots[0], taker, slots[1], instrument, quantity, ticks)

    def some_legs(self, number: int) -> dict[int, int]:
        """Two or three open markets, with ratios of a canonical combo."""
        if len(self.open_markets()) == 1:
            self.relist(number)
        markets = self.open_markets()
        count = 2 + number % 2
        start = number % len(markets)
        chosen = sorted((markets + markets)[start : start + count])
        ratios = [1 + number % 3, 1 + number // 3 % 3, 2][:count]
        factor = gcd(*ratios)
        signs = [1, 1 if number // 9 % 2 else -1, -1]
        legs = zip(chosen, ratios, signs, strict=False)
        return {instrument: sign * ratio // factor for instrument, ratio, sign in legs}

    def meet_combo(self, pair: int, combo: int, units: int, price: int) -> None:
        maker, taker = self.two_accounts(pair)
        legs = self.some_legs(combo)
        slots = self.slot_of(maker, price), self.slot_of(taker, units)
        for instrument in legs:
            self.bring_up(maker, instrument)
            self.bring_up(taker, instrument)
        buys, units = units & 1, 1 + units % 50
        group: list[bytes] = []
        net = 0
        for at, (instrument, ratio) in enumerate(legs.items()):
            ticks = self.ticks(instrument, price + at)
            net += ratio * ticks * self.ledger.markets[instrument]["tick_value"]
            flags = int(buys == (ratio > 0))
            parties = (maker, slots[0], taker, slots[1])
            group.append(pack("FILL", flags, *parties, instrument, units * abs(ratio), ticks))
        end = (6 | buys, maker, slots[0], taker, slots[1], units, net, len(group))
        self.write_group(*group, pack("COMBO_FILLED", *end))

    def meet_legs(self, pair: int, combo: int, units: int, price: int) -> None:
        """One leg may be filled by two makers, at two prices; then one unit trades."""
        _, taker = self.two_accounts(pair)
        makers = [n for n in range(len(self.ledger.accounts)) if n != taker]
        legs = self.some_legs(combo)
        slot = self.slot_of(taker, units)
        buys = units & 1
        units = 1 if price % 2 else 1 + units % 50
        group: list[bytes] = []
        net = 0
        for at, (instrument, ratio) in enumerate(legs.items()):
            self.bring_up(taker, instrument)
            lots = units * abs(ratio)
            parts = [lots - 1, 1] if price % 2 and lots > 1 else [lots]
            for part in parts:
                maker = makers[(at + price + len(group)) % len(makers)]
                self.bring_up(maker, instrument)
                maker_slot = self.slot_of(maker, price + at)
                ticks = self.ticks(instrument, price + 3 * len(group))
                sign = 1 if ratio > 0 else -1
                net += sign * part * ticks * self.ledger.markets[instrument]["tick_value"]
                flags = 2 | int(buys == (ratio > 0))
                parties = (maker, maker_slot, taker, slot)
                group.append(pack("FILL", flags, *parties, instrument, part, ticks))
        end = (4 | buys, 0, 0, taker, slot, units, net // units, len(group))
        self.write_group(*group, pack("COMBO_FILLED", *end))

    def meet_resting_combo(self, pair: int, combo: int, units: int, price: int) -> None:
        """An order that came for one leg meets a resting combo, whose other legs meet makers, one
        of them in two parts. The combo's order stands as the taker, though it rests.
        """
        coming, resting = self.two_accounts(pair)
        makers = [n for n in range(len(self.ledger.accounts)) if n not in (coming, resting)]
        legs = self.some_legs(combo)
        slot = self.slot_of(resting, units)
        came_for = list(legs)[price % len(legs)]
        buys = units & 1
        units = 1 if price % 2 else 1 + units % 50
        group: list[bytes] = []
        net = 0
        for at, (instrument, ratio) in enumerate(legs.items()):
            self.bring_up(resting, instrument)
            lots = units * abs(ratio)
            in_parts = price % 2 and lots > 1 and instrument != came_for
            for part in [lots - 1, 1] if in_parts else [lots]:
                maker = makers[(at + price + len(group)) % len(makers)]
                if instrument == came_for:
                    maker = coming
                self.bring_up(maker, instrument)
                maker_slot = self.slot_of(maker, price + at)
                ticks = self.ticks(instrument, price + 3 * len(group))
                sign = 1 if ratio > 0 else -1
                net += sign * part * ticks * self.ledger.markets[instrument]["tick_value"]
                flags = 10 | int(buys == (ratio > 0)) | (16 if instrument == came_for else 0)
                parties = (maker, maker_slot, resting, slot)
                group.append(pack("FILL", flags, *parties, instrument, part, ticks))
        end = (12 | buys, 0, 0, resting, slot, units, net // units, len(group))
        self.write_group(*group, pack("COMBO_FILLED", *end))

    def settle_positions(self, account: int, *_: int) -> None:
        account = self.some_account(account)
        for instrument in list(self.ledger.accounts[account]["positions"]):
            if self.ledger.settlement(self.ledger.markets[instrument]) is None:
                self.bring_up(account, instrument)
            else:
                self.write("POSITION_SETTLED", account, instrument)

    # ASSETS

    def deposit_asset(self, account: int, asset: int, amount: int, scale: int) -> None:
        """One of three assets, of which one comes in by the largest deposits there can be."""
        number = (1, 2, 255)[asset % 3]
        amount = 2**63 - 1 - amount if scale % 8 == 0 else 1 + amount * 10 ** (scale % 5)
        self.write("DEPOSIT_CREDITED", self.some_account(account), number, amount)

    def some_asset(self, account: int, which: int, part: int) -> tuple[int, int] | None:
        """An asset of the account, and some of it or all of it."""
        held = list(self.ledger.accounts[account]["collateral"].items())
        if not held:
            return None
        asset, balance = held[which % len(held)]
        return asset, min(balance if part % 2 else 1 + balance * part // 2**17, 2**64 - 1)

    def withdraw_asset(self, account: int, which: int, part: int, *_: int) -> None:
        account = self.some_account(account)
        taken = self.some_asset(account, which, part)
        if taken is not None:
            self.write("WITHDRAWAL_REQUESTED", account, *taken, len(self.ledger.withdrawals))

    def move_collateral(self, pair: int, which: int, part: int, *_: int) -> None:
        giver, taker = self.two_accounts(pair)
        taken = self.some_asset(giver, which, part)
        if taken is not None:
            self.write("COLLATERAL_MOVED", giver, taker, *taken)

    # MOVES

    def move_cash(self, pair: int, amount: int, beyond: int, *_: int) -> None:
        giver, taker = self.two_accounts(pair)
        held = self.ledger.accounts[giver]["cash"]
        amount = 1 + amount * 1_000_000 % held if held > 0 else 0
        if self.is_in_liquidation(giver, taker):
            amount = 1 + beyond * 10_000_000
        if amount:
            self.write("CASH_MOVED", giver, taker, 0, amount)

    def is_in_liquidation(self, *accounts: int) -> bool:
        return any(self.ledger.accounts[account]["status"] for account in accounts)

    def move_position(self, pair: int, which: int, lots: int, *_: int) -> None:
        """Some of a position, or all of it, to an account with or without one."""
        giver, taker = self.two_accounts(pair)
        positions = self.ledger.accounts[giver]["positions"]
        held = [number for number in self.open_markets() if number in positions]
        if held:
            instrument = held[which % len(held)]
            self.bring_up(giver, instrument)
            self.bring_up(taker, instrument)
            most = positions[instrument]["lots"]
            given = most if lots % 2 else (1 + lots % abs(most)) * (1 if most > 0 else -1)
            self.write("POSITION_MOVED", giver, taker, instrument, given)

    def change_status(self, account: int, step: int, *_: int) -> None:
        account = self.some_account(account)
        status = (self.ledger.accounts[account]["status"] + 1 + step % 3) % 4
        self.write("STATUS_CHANGED", account, status)

    def insure(self, account: int, amount: int, out: int, *_: int) -> None:
        """Pays into the fund what there is, or on credit in liquidation; or takes out of it."""
        account = self.some_account(account)
        held, fund = self.ledger.accounts[account]["cash"], self.ledger.insurance
        payable = 10**12 if self.is_in_liquidation(account) else held
        most = payable if out % 2 else fund
        if most > 0:
            paid = 1 + amount * 1_000_000 % most
            self.write("INSURANCE_MOVED", account, paid if out % 2 else -paid)

    # MARKETS

    def list_expiry(self) -> None:
        number, first = len(self.ledger.expiries), len(self.ledger.markets)
        self.write("EXPIRY_LISTED", number, 0, self.now_s + 3600)
        specs = ((FUTURE, 0), (CALL, 950_000_000), (PUT, 960_000_000))
        for at, (kind, strike) in enumerate(specs, start=first):
            self.write("INSTRUMENT_LISTED", at, kind, 0, number, strike, TICK_VALUE)

    def relist(self, forward: int, *_: int) -> None:
        """Another expiry, with its first mark."""
        self.list_expiry()
        self.mark_expiry(len(self.ledger.expiries) - 1, forward)

    def accrue(self, instrument: int, mark: int) -> None:
        market = self.ledger.markets[instrument]
        rise = mark - market["carry"] if market["carry"] else 0
        self.write("ACCRUAL_UPDATED", instrument, market["accrual"] + rise, mark)

    def mark(self, move: int, *_: int) -> None:
        self.now_s += move % 3
        index = FORWARD - move * 1_000
        self.write("INDEX_UPDATED", 0, index, self.now_s)
        self.accrue(0, index)

    def set_level(self, by: int, *_: int) -> None:
        level = (self.ledger.underlyings[0]["level"] + 1 + by % 4) % 5
        self.write("FEE_LEVEL_SET", 0, level)

    def futures_of(self, expiry: int) -> list[int]:
        def is_future(market: Values) -> bool:
            return market["kind"] == FUTURE and market["expiry"] == expiry

        return [number for number, m in self.ledger.markets.items() if is_future(m)]

    def mark_expiry(self, expiry: int, move: int, *_: int) -> None:
        expiry %= len(self.ledger.expiries)
        if self.ledger.expiries[expiry]["settled"] is not None:
            return
        self.epoch = (self.epoch + 1 + move) % 2**24
        forward = FORWARD + move * 1_000
        self.write("MARK_UPDATED", expiry, forward, -move, move, -move, move, 1 + move, self.epoch)
        for future in self.futures_of(expiry):
            self.accrue(future, forward)

    def fund(self, rate: int, *_: int) -> None:
        market = self.ledger.markets[0]
        self.write("ACCRUAL_UPDATED", 0, market["accrual"] - rate + 1_000, market["carry"])

    def settle_expiry(self, expiry: int, move: int, *_: int) -> None:
        expiry %= len(self.ledger.expiries)
        if self.ledger.expiries[expiry]["settled"] is not None:
            return
        price = FORWARD + (move - 0x8000) * 1_000
        self.now_s = max(self.now_s, self.ledger.expiries[expiry]["time"])
        self.write("EXPIRY_SETTLED", expiry, price)
        for future in self.futures_of(expiry):
            self.accrue(future, price)


def program(written: list[Choice]) -> Operator:
    """An operator that has acted on each choice."""
    operator = Operator()
    for choice in written:
        operator.act(choice)
    return operator
