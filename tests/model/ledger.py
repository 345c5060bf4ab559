"""The slow twin of `settlement/ledger.py`: dictionaries, fractions, and every root from scratch.

It shares no code with what it checks but Keccak: it reads records by its own table, and judges each
by docs/protocol.md alone. `Operator` writes lawful records for it, from arbitrary numbers.
"""

from fractions import Fraction
from math import ceil, gcd
from typing import Any

from settlement.keccak import keccak256
from tests.model import tree

# name, then fields: u unsigned and i signed by bits, b bytes by count
TABLE = {
    0x00: "PADDING",
    0x01: "ACCOUNT_OPENED account:u32 owner:b20",
    0x02: "DEPOSIT_CREDITED account:u32 asset:u8 amount_micro:u64",
    0x03: "KEY_REGISTERED account:u32 key:b20 valid_until_s:u48",
    0x04: "COUNTER_RAISED account:u32 counter:u32",
    0x05: "WITHDRAWAL_REQUESTED account:u32 asset:u8 amount_micro:u64 number:u32",
    0x06: "ORDER_OPENED account:u32 slot:u24 hash_prefix:b23",
    0x07: "FILL flags:u8 maker:u32 maker_slot:u24 taker:u32 taker_slot:u24 instrument:u24 "
    "quantity_lots:u24 price_ticks:i32",
    0x08: "COMBO_FILLED flags:u8 maker:u32 maker_slot:u24 taker:u32 taker_slot:u24 units:u24 "
    "net_price_micro:i48 fills:u8",
    0x09: "ORDER_FORGOTTEN account:u32 slot:u24",
    0x0A: "POSITION_SETTLED account:u32 instrument:u24",
    0x0B: "UNDERLYING_LISTED underlying:u8 name:b8 lot_e8:u64",
    0x0C: "EXPIRY_LISTED expiry:u16 underlying:u8 expiry_time_s:u48",
    0x0D: "INSTRUMENT_LISTED instrument:u24 kind:u8 underlying:u8 expiry:u16 strike_micro:u40 "
    "tick_value_micro:u32",
    0x0E: "TIME_ADVANCED time_s:u48",
    0x0F: "INDEX_UPDATED underlying:u8 index_micro:u40 mark_time_s:u48",
    0x10: "MARK_UPDATED expiry:u16 forward_micro:u40 a:i32 b:i32 rho:i32 m:i32 sigma:i32 epoch:u24",
    0x11: "ACCRUAL_UPDATED instrument:u24 accrual_micro:i64 carry_micro:u40",
    0x12: "EXPIRY_SETTLED expiry:u16 settlement_micro:u40",
    0x13: "CASH_MOVED giver:u32 taker:u32 asset:u8 amount_micro:u64",
    0x14: "POSITION_MOVED giver:u32 taker:u32 instrument:u24 quantity_lots:i32",
    0x15: "STATUS_CHANGED account:u32 status:u8",
    0x16: "INSURANCE_MOVED account:u32 amount_micro:i64",
    0x19: "COLLATERAL_MOVED giver:u32 taker:u32 asset:u8 amount_micro:u64",
    0x17: "FEE_LEVEL_SET underlying:u8 level:u8",
}
KINDS = {shape.split()[0]: kind for kind, shape in TABLE.items()}
PERPETUAL, FUTURE, CALL, PUT = range(4)
NO_EXPIRY = 0xFFFF
GENESIS = bytes(range(57))

Values = dict[str, Any]


def fields_of(kind: int) -> list[tuple[str, str, int]]:
    """(name, u i or b, bytes) of each field."""
    fields: list[tuple[str, str, int]] = []
    for field in TABLE[kind].split()[1:]:
        name, shape = field.split(":")
        size = int(shape[1:])
        fields.append((name, shape[0], size if shape[0] == "b" else size // 8))
    return fields


def pack(name: str, *values: Any) -> bytes:
    kind = KINDS[name]
    data = bytes([kind])
    for (_, shape, size), value in zip(fields_of(kind), values, strict=True):
        data += value if shape == "b" else value.to_bytes(size, "big", signed=shape == "i")
    return data + bytes(31 - len(data))


def unpack(record: bytes) -> tuple[str, Values] | None:
    if len(record) != 31 or record[0] not in TABLE:
        return None
    values: Values = {}
    at = 1
    for name, shape, size in fields_of(record[0]):
        data = record[at : at + size]
        values[name] = data if shape == "b" else int.from_bytes(data, "big", signed=shape == "i")
        at += size
    return None if any(record[at:]) else (TABLE[record[0]].split()[0], values)


def integer(value: int, bits: int) -> bytes:
    return value.to_bytes(bits // 8, "big", signed=value < 0)


class Unlawful(Exception):
    pass


def require(holds: object) -> None:
    if not holds:
        raise Unlawful


class SlowLedger:
    """The state as dictionaries. Every `do_` requires first, and changes only then."""

    def __init__(
        self,
        maker_rate: int,
        taker_rate: int,
        cap: int,
        rebate_step: int = 0,
        liquidation_rate: int = 0,
        combo_discount: int = 0,
    ) -> None:
        self.maker_rate, self.taker_rate, self.cap = maker_rate, taker_rate, cap
        self.rebate_step, self.combo_discount = rebate_step, combo_discount
        self.time_s = 0
        self.accounts: list[Values] = []
        self.underlyings: dict[int, Values] = {}
        self.expiries: dict[int, Values] = {}
        self.markets: dict[int, Values] = {}
        self.withdrawals: list[Values] = []
        self.fee = 0
        self.insurance = 0
        self.credited = 0
        self.assets: dict[int, Values] = {}
        self.withdrawn = 0
        self.inbox: list[bytes] = []
        self.legs: list[Values] = []
        self.latest_s = 0

    def apply(self, record: bytes) -> bool:
        """Whether the record is lawful; then it has been applied."""
        read = unpack(record)
        if read is None:
            return False
        name, values = read
        try:
            is_leg = name == "FILL" and values["flags"] & 6 != 6
            require(not self.legs or is_leg or name == "COMBO_FILLED")
            getattr(self, f"do_{name.lower()}")(**values)
        except Unlawful:
            return False
        return True

    # RECORDS

    def do_padding(self) -> None:
        pass

    def account(self, number: int) -> Values:
        require(number < len(self.accounts))
        return self.accounts[number]

    def enter(self, kind: int, account: int, address: bytes, asset: int, amount: int, s: int):
        entry = integer(kind, 8) + integer(account, 32) + address
        self.inbox.append(entry + integer(asset, 8) + integer(amount, 64) + integer(s, 48))

    def do_account_opened(self, account: int, owner: bytes) -> None:
        require(account == len(self.accounts))
        self.accounts.append(
            {
                "owner": owner,
                "cash": 0,
                "collateral": {},
                "positions": {},
                "orders": {},
                "keys": [],
                "counter": 0,
                "status": 0,
            }
        )
        self.enter(1, account, owner, 0, 0, 0)

    def do_deposit_credited(self, account: int, asset: int, amount_micro: int) -> None:
        holder = self.account(account)
        if asset == 0:
            holder["cash"] += amount_micro
            self.credited += amount_micro
        else:
            self.change(holder, asset, amount_micro)
            self.assets.setdefault(asset, {"in": 0, "out": 0})["in"] += amount_micro
        self.enter(2, account, holder["owner"], asset, amount_micro, 0)

    def do_key_registered(self, account: int, key: bytes, valid_until_s: int) -> None:
        self.account(account)["keys"].append(key + integer(valid_until_s, 48))
        self.enter(3, account, key, 0, 0, valid_until_s)

    def do_counter_raised(self, account: int, counter: int) -> None:
        require(counter > self.account(account)["counter"])
        self.accounts[account]["counter"] = counter

    def do_withdrawal_requested(
        self, account: int, asset: int, amount_micro: int, number: int
    ) -> None:
        holder = self.account(account)
        require(amount_micro > 0 and number == len(self.withdrawals))
        if asset == 0:
            require(amount_micro <= holder["cash"])
            require(self.withdrawn + amount_micro <= self.credited)
            holder["cash"] -= amount_micro
            self.withdrawn += amount_micro
        else:
            self.change(holder, asset, -amount_micro)
            self.assets[asset]["out"] += amount_micro
        self.withdrawals.append({"account": account, "asset": asset, "amount": amount_micro})

    def do_order_opened(self, account: int, slot: int, hash_prefix: bytes) -> None:
        require(slot not in self.account(account)["orders"])
        self.accounts[account]["orders"][slot] = {"hash": hash_prefix, "filled": 0}

    def do_order_forgotten(self, account: int, slot: int) -> None:
        require(slot in self.account(account)["orders"])
        del self.accounts[account]["orders"][slot]

    def can_advance(self, account: int, slot: int, lots: int) -> None:
        require(slot in self.accounts[account]["orders"])
        require(self.accounts[account]["orders"][slot]["filled"] + lots < 2**32)

    def settlement(self, market: Values) -> int | None:
        return None if market["kind"] == PERPETUAL else self.expiries[market["expiry"]]["settled"]

    def do_fill(self, **fill: Any) -> None:
        flags, lots, instrument = fill["flags"], fill["quantity_lots"], fill["instrument"]
        require(instrument in self.markets)
        market = self.markets[instrument]
        sides = {
            "taker": (1 if flags & 1 else -1, flags & 4),
            "maker": (-1 if flags & 1 else 1, flags & 2),
        }
        require(fill["maker"] != fill["taker"])
        require(flags in (0, 1, 2, 3, 6, 7, 10, 11, 26, 27))
        price = fill["price_ticks"] * market["tick_value"]
        require(lots and -(2**34) < price < 2**34)
        require(price >= 0 or market["kind"] <= FUTURE)
        require(self.settlement(market) is None)
        index = self.underlyings[market["underlying"]]["index"]
        is_option = market["kind"] in (CALL, PUT)
        carried = self.expiries[market["expiry"]]["forward"] if is_option else market["carry"]
        require(index and carried)
        for side, (sign, advances) in sides.items():
            positions = self.account(fill[side])["positions"]
            if instrument in positions:
                require(positions[instrument]["seen"] == market["accrual"])
                require(abs(positions[instrument]["lots"] + sign * lots) < 2**31)
            elif flags & 6 == 6:
                require(len(positions) < 256)
            if advances:
                self.can_advance(fill[side], fill[f"{side}_slot"], lots)
        fees = self.fees_of(flags, market, lots, price)
        for side, (sign, advances) in sides.items():
            account = self.accounts[fill[side]]
            account["cash"] -= sign * lots * (price - market["carry"]) + fees[side]
            self.fee += fees[side]
            position = account["positions"].setdefault(
                instrument, {"lots": 0, "seen": market["accrual"]}
            )
            position["lots"] += sign * lots
            if not position["lots"]:
                del account["positions"][instrument]
            if advances:
                account["orders"][fill[f"{side}_slot"]]["filled"] += lots
        if flags & 6 != 6:
            self.legs.append(fill | {"fees": fees})

    def fees_of(self, flags: int, market: Values, lots: int, price: int) -> dict[str, int]:
        """Who came pays the taker rate: the taker, or with bit 4 the maker. Who rested pays the
        maker rate of the level, or is paid it, by him who came; where nobody came, nobody is paid.
        """
        underlying = self.underlyings[market["underlying"]]
        came = "taker" if not flags & 8 else "maker" if flags & 16 else None
        fees: dict[str, int] = {}
        for side in ("taker", "maker"):
            if side == came:
                rate = self.taker_rate
            else:
                rate = self.maker_rate - underlying["level"] * self.rebate_step
                rate = rate if came else max(rate, 0)
            size = Fraction(lots * underlying["index"] * abs(rate), 10**6)
            if market["kind"] in (CALL, PUT):
                size = min(size, Fraction(lots * price * self.cap, 10**4))
            fees[side] = ceil(size if rate > 0 else -size)
        assert sum(fees.values()) >= 0
        return fees

    def do_combo_filled(self, **combo: Any) -> None:
        flags, legs, units = combo["flags"], self.legs, combo["units"]
        require(flags in (4, 5, 6, 7, 12, 13))
        require(legs and combo["fills"] == len(legs) and units)
        parties = ["taker", "maker"] if flags & 2 else ["taker"]
        require(flags & 2 or combo["maker"] == combo["maker_slot"] == 0)
        for leg in legs:
            require(all(leg[p] == combo[p] for p in parties))
            require(all(leg[f"{p}_slot"] == combo[f"{p}_slot"] for p in parties))
            require(leg["flags"] & 6 == (0 if flags & 2 else 2))
            require(leg["flags"] & 8 == flags & 8)
        require(sum(leg["flags"] & 16 for leg in legs) == 2 * (flags & 8))
        # What the combo's buyer bought of each instrument, per unit
        ratios: dict[int, Fraction] = {}
        directions: dict[int, list[int]] = {}
        net = Fraction(0)
        for leg in legs:
            direction = 1 if leg["flags"] & 1 == flags & 1 else -1
            per_unit = Fraction(direction * leg["quantity_lots"], units)
            instrument = leg["instrument"]
            ratios[instrument] = ratios.get(instrument, Fraction(0)) + per_unit
            directions.setdefault(instrument, []).append(direction)
            net += per_unit * leg["price_ticks"] * self.markets[instrument]["tick_value"]
        require(2 <= len(ratios) <= 8 and ratios[min(ratios)] > 0)
        require(all(len(set(seen)) == 1 for seen in directions.values()))
        require(all(ratio.denominator == 1 and abs(ratio) <= 127 for ratio in ratios.values()))
        require(gcd(*(abs(ratio.numerator) for ratio in ratios.values())) == 1)
        require(net == combo["net_price_micro"])
        self.brought = sum(fee for leg in legs for fee in leg["fees"].values())
        for party in parties:
            self.can_advance(combo[party], combo[f"{party}_slot"], units)
        for leg in legs:
            require(len(self.accounts[leg["maker"]]["positions"]) <= 256)
            require(len(self.accounts[leg["taker"]]["positions"]) <= 256)
        for party in parties:
            self.accounts[combo[party]]["orders"][combo[f"{party}_slot"]]["filled"] += units
            bought = sum(leg["fees"][party] for leg in legs if leg["flags"] & 1)
            sold = sum(leg["fees"][party] for leg in legs if not leg["flags"] & 1)
            spared = Fraction(max(min(bought, sold), 0) * self.combo_discount, 100)
            spared = min(int(spared), self.brought)
            self.brought -= spared
            self.accounts[combo[party]]["cash"] += spared
            self.fee -= spared
        self.legs = []

    def payoff(self, market: Values, settlement: int) -> int:
        gain = {CALL: settlement - market["strike"], PUT: market["strike"] - settlement}
        return max(gain.get(market["kind"], 0), 0)

    def do_position_settled(self, account: int, instrument: int) -> None:
        positions = self.account(account)["positions"]
        require(instrument in positions)
        position, market = positions[instrument], self.markets[instrument]
        settlement = self.settlement(market)
        if settlement is None:
            require(position["seen"] != market["accrual"])
        elif market["kind"] == FUTURE:
            require(market["carry"] == settlement)
        gain = position["lots"] * (market["accrual"] - position["seen"])
        position["seen"] = market["accrual"]
        if settlement is not None:
            gain += position["lots"] * self.payoff(market, settlement)
            del positions[instrument]
        self.accounts[account]["cash"] += gain

    def two(self, giver: int, taker: int) -> tuple[Values, Values]:
        require(giver != taker)
        return self.account(giver), self.account(taker)

    def do_cash_moved(self, giver: int, taker: int, asset: int, amount_micro: int) -> None:
        gives, takes = self.two(giver, taker)
        require(asset == 0 and amount_micro)
        require(gives["cash"] >= amount_micro or gives["status"] or takes["status"])
        gives["cash"] -= amount_micro
        takes["cash"] += amount_micro

    def change(self, account: Values, asset: int, amount: int) -> None:
        """Of an asset that is not cash, never below zero; what is nothing is no leaf."""
        left = account["collateral"].get(asset, 0) + amount
        require(left >= 0)
        account["collateral"] = {
            number: held for number, held in account["collateral"].items() if number != asset
        } | ({asset: left} if left else {})

    def do_collateral_moved(self, giver: int, taker: int, asset: int, amount_micro: int) -> None:
        gives, takes = self.two(giver, taker)
        require(asset != 0 and amount_micro)
        self.change(gives, asset, -amount_micro)
        self.change(takes, asset, amount_micro)

    def do_position_moved(self, giver: int, taker: int, instrument: int, quantity_lots: int):
        gives, takes = self.two(giver, taker)
        require(instrument in self.markets)
        market = self.markets[instrument]
        require(self.settlement(market) is None)
        require(instrument in gives["positions"])
        given = gives["positions"][instrument]
        taken = takes["positions"].get(instrument, {"lots": 0, "seen": market["accrual"]})
        require(given["seen"] == taken["seen"] == market["accrual"])
        # Within what is held, in its direction: neither nothing nor past zero.
        require(0 < Fraction(quantity_lots, given["lots"]) <= 1)
        require(abs(taken["lots"] + quantity_lots) < 2**31)
        require(len({*takes["positions"], instrument}) <= 256)
        for account, lots in ((gives, -quantity_lots), (takes, quantity_lots)):
            position = account["positions"].setdefault(
                instrument, {"lots": 0, "seen": market["accrual"]}
            )
            position["lots"] += lots
            if not position["lots"]:
                del account["positions"][instrument]

    def do_status_changed(self, account: int, status: int) -> None:
        require(self.account(account)["status"] != status and status in (0, 1, 2, 3))
        self.accounts[account]["status"] = status

    def do_insurance_moved(self, account: int, amount_micro: int) -> None:
        holder = self.account(account)
        require(amount_micro and self.insurance + amount_micro >= 0)
        if amount_micro > 0 and not holder["status"]:
            require(holder["cash"] >= amount_micro)
        holder["cash"] -= amount_micro
        self.insurance += amount_micro

    def do_underlying_listed(self, underlying: int, name: bytes, lot_e8: int) -> None:
        require(underlying not in self.underlyings and lot_e8)
        listing = {"name": name, "lot_e8": lot_e8}
        self.underlyings[underlying] = listing | {"index": 0, "time": 0, "level": 0}

    def do_expiry_listed(self, expiry: int, underlying: int, expiry_time_s: int) -> None:
        require(expiry not in self.expiries and expiry != NO_EXPIRY)
        require(underlying in self.underlyings)
        self.expiries[expiry] = {
            "underlying": underlying,
            "time": expiry_time_s,
            "forward": 0,
            "svi": [0] * 5,
            "settled": None,
            "epoch": 0,
        }

    def do_instrument_listed(self, instrument: int, kind: int, **spec: int) -> None:
        require(instrument not in self.markets and kind <= PUT)
        require(spec["underlying"] in self.underlyings)
        if kind == PERPETUAL:
            require(spec["expiry"] == NO_EXPIRY)
        else:
            require(spec["expiry"] in self.expiries)
            expiry = self.expiries[spec["expiry"]]
            require(expiry["underlying"] == spec["underlying"] and expiry["settled"] is None)
        if kind in (CALL, PUT):
            require(0 < spec["strike_micro"] < 2**34)
        else:
            require(spec["strike_micro"] == 0)
        require(1 <= spec["tick_value_micro"] <= 2**31)
        self.markets[instrument] = {
            "kind": kind,
            "underlying": spec["underlying"],
            "expiry": spec["expiry"],
            "strike": spec["strike_micro"],
            "tick_value": spec["tick_value_micro"],
            "accrual": 0,
            "carry": 0,
        }

    def do_index_updated(self, underlying: int, index_micro: int, mark_time_s: int) -> None:
        require(underlying in self.underlyings and 0 < index_micro < 2**34)
        require(mark_time_s >= self.underlyings[underlying]["time"])
        self.underlyings[underlying] |= {"index": index_micro, "time": mark_time_s}
        self.latest_s = max(self.latest_s, mark_time_s)

    def do_mark_updated(self, expiry: int, forward_micro: int, **mark: int) -> None:
        require(expiry in self.expiries and self.expiries[expiry]["settled"] is None)
        require(0 < forward_micro < 2**34 and mark["b"] >= 0 and mark["sigma"] > 0)
        require(-(2**30) <= mark["rho"] <= 2**30)
        ahead = (mark["epoch"] - self.expiries[expiry]["epoch"]) % 2**24
        require(ahead < 2**23)
        svi = [mark[name] for name in ("a", "b", "rho", "m", "sigma")]
        self.expiries[expiry] |= {"forward": forward_micro, "svi": svi, "epoch": mark["epoch"]}

    def do_accrual_updated(self, instrument: int, accrual_micro: int, carry_micro: int) -> None:
        require(instrument in self.markets)
        market = self.markets[instrument]
        require(market["kind"] in (PERPETUAL, FUTURE))
        moved = market["accrual"] + (carry_micro - market["carry"] if market["carry"] else 0)
        if market["kind"] == FUTURE:
            expiry = self.expiries[market["expiry"]]
            mark = expiry["forward"] if expiry["settled"] is None else expiry["settled"]
            require(carry_micro == mark and accrual_micro == moved)
        elif carry_micro != market["carry"]:
            require(carry_micro == self.underlyings[market["underlying"]]["index"])
            require(accrual_micro == moved)
        market |= {"accrual": accrual_micro, "carry": carry_micro}

    def do_expiry_settled(self, expiry: int, settlement_micro: int) -> None:
        require(expiry in self.expiries and self.expiries[expiry]["settled"] is None)
        require(0 < settlement_micro < 2**34)
        self.expiries[expiry]["settled"] = settlement_micro
        self.latest_s = max(self.latest_s, self.expiries[expiry]["time"])

    def do_fee_level_set(self, underlying: int, level: int) -> None:
        require(underlying in self.underlyings and level <= 4)
        require(level != self.underlyings[underlying]["level"])
        self.underlyings[underlying]["level"] = level

    def do_time_advanced(self, time_s: int) -> None:
        require(time_s >= self.time_s and time_s >= self.latest_s)
        self.time_s = time_s

    # WHAT IT COMES TO

    def liabilities(self) -> int:
        owed = self.fee + self.insurance
        for account in self.accounts:
            owed += account["cash"]
            for instrument, position in account["positions"].items():
                market = self.markets[instrument]
                owed += position["lots"] * (market["accrual"] - position["seen"])
                settlement = self.settlement(market)
                if settlement is not None:
                    owed += position["lots"] * self.payoff(market, settlement)
        return owed

    def inbox_hash(self) -> bytes:
        return self.chained(self.inbox)

    def chained(self, entries: list[bytes]) -> bytes:
        digest = bytes(32)
        for entry in entries:
            digest = keccak256(digest + entry)
        return digest

    def account_payload(self, account: Values) -> bytes:
        positions = {
            instrument: position["lots"].to_bytes(4, "big", signed=True)
            + position["seen"].to_bytes(8, "big", signed=True)
            for instrument, position in account["positions"].items()
        }
        orders = {
            slot: order["hash"] + integer(order["filled"], 32)
            for slot, order in account["orders"].items()
        }
        return (
            account["owner"]
            + account["cash"].to_bytes(16, "big", signed=True)
            + tree.root({asset: integer(n, 128) for asset, n in account["collateral"].items()})
            + tree.root(positions)
            + integer(len(positions), 16)
            + tree.root(orders)
            + integer(len(orders), 32)
            + self.chained(account["keys"])
            + integer(account["counter"], 32)
            + integer(account["status"], 8)
        )

    def withdrawal_root(self) -> bytes:
        return tree.root(
            {
                number: integer(taken["account"], 32)
                + self.accounts[taken["account"]]["owner"]
                + integer(taken["asset"], 8)
                + integer(taken["amount"], 64)
                for number, taken in enumerate(self.withdrawals)
            }
        )

    def root(self) -> bytes:
        accounts = {n: self.account_payload(a) for n, a in enumerate(self.accounts)}
        markets = {
            n: integer(m["kind"], 8)
            + integer(m["underlying"], 8)
            + integer(m["expiry"], 16)
            + integer(m["strike"], 40)
            + integer(m["tick_value"], 32)
            + b"\0"
            + m["accrual"].to_bytes(8, "big", signed=True)
            + integer(m["carry"], 40)
            for n, m in self.markets.items()
        }
        expiries = {
            n: integer(e["underlying"], 8)
            + integer(e["time"], 48)
            + integer(e["forward"], 40)
            + b"".join(value.to_bytes(4, "big", signed=True) for value in e["svi"])
            + (b"\0" if e["settled"] is None else b"\1")
            + integer(e["settled"] or 0, 40)
            + integer(e["epoch"], 24)
            for n, e in self.expiries.items()
        }
        for n, u in self.underlyings.items():
            listing = u["name"] + integer(u["lot_e8"], 64)
            marked = integer(u["index"], 40) + integer(u["time"], 48)
            expiries[0x10000 + n] = listing + marked + integer(u["level"], 8)
        totals = {
            asset: integer(sums["in"], 128) + integer(sums["out"], 128)
            for asset, sums in self.assets.items()
        }
        if any(entry[0] == 2 and entry[25] == 0 for entry in self.inbox):
            totals[0] = integer(self.credited, 128) + integer(self.withdrawn, 128)
        whole = (
            b"\x02"
            + integer(self.time_s, 48)
            + tree.root(markets)
            + tree.root(expiries)
            + integer(self.fee, 128)
            + integer(self.insurance, 128)
            + bytes(16)
            + tree.root(totals)
            + integer(len(self.inbox), 64)
            + self.inbox_hash()
            + self.withdrawal_root()
            + integer(len(self.withdrawals), 32)
            + integer(len(self.accounts), 32)
            + keccak256(GENESIS)
        )
        return keccak256(b"\x03" + tree.root(accounts) + keccak256(whole))
