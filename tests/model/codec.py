"""The bytes of commands and events from their layouts as they are written for people: slow twin of
`exchange/codec.py`. Commands' layouts are read from docs/protocol.md, 3; events' stand below.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from settlement.signed_messages import PLAIN, Conditions, Order

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"

EVENTS: Final = {
    "CommandRejected": "0x01 account u32, message_hash 32, code u16, got i128, allowed i128",
    "OrderPlaced": "0x02 order_id u64, order_hash 32, account u32, book u32, side u8,"
    " limit_price_micro i64, quantity_lots u32",
    "OrderRested": "0x03 order_id u64, order_hash 32, account u32, book u32, side u8,"
    " price_micro i64, remaining_lots u32, displayed_lots u32, takes_place_of u64",
    "OrderFilled": "0x04 trade u64, instrument u24, price_ticks i32, price_micro i64,"
    " quantity_lots u24, taker_buys u8, taker_order_id u64, taker_order_hash 32, taker u32,"
    " taker_fee_micro i64, taker_left_lots i32, maker_order_id u64, maker_order_hash 32, maker u32,"
    " maker_fee_micro i64, maker_left_lots i32, combo_trade u64",
    "ComboFilled": "0x05 combo_trade u64, book u32, net_price_micro i64, units u24, taker_buys u8,"
    " taker_order_id u64, taker_order_hash 32, taker u32, taker_left_units i32,"
    " maker_order_id u64, maker_order_hash 32, maker u32, maker_left_units i32",
    "OrderCancelled": "0x06 order_id u64, order_hash 32, account u32, book u32, side u8,"
    " remaining_lots u32, reason u8",
    "ComboCreated": "0x07 book u32, [u8] (instrument u32, ratio i16), tick_micro i64",
    "ComboDropped": "0x0f book u32",
    "OrdersCancelled": "0x0b account u32, message_hash 32, scope u8, value u64, count u32",
    "OrderAwaiting": "0x0c order_id u64, order_hash 32, account u32, book u32, trigger u8,"
    " trigger_price_micro i64, parent 32",
    "OrderTriggered": "0x0d order_id u64, order_hash 32, account u32, book u32, price_micro i64",
    "OrderReduced": "0x08 order_id u64, order_hash 32, account u32, book u32, side u8,"
    " lots u32, remaining_lots u32, displayed_lots u32, reason u8",
    "OrderReplenished": "0x09 order_id u64, order_hash 32, account u32, book u32, side u8,"
    " price_micro i64, remaining_lots u32, displayed_lots u32",
    "OrderRepriced": "0x0E order_id u64, order_hash 32, account u32, book u32, side u8,"
    " price_micro i64, remaining_lots u32, displayed_lots u32",
    "AccountOpened": "0x10 account u32, owner 20",
    "DepositCredited": "0x11 account u32, asset u8, amount_micro u64, balance_micro i128",
    "KeyRegistered": "0x12 account u32, key 20, valid_until_s u48",
    "WithdrawalRequested": "0x13 account u32, asset u8, amount_micro u64, number u32,"
    " balance_micro i128",
    "CounterRaised": "0x14 account u32, counter u32",
    "ClaimRecorded": "0x15 number u32, amount_micro u64",
    "PositionSettled": "0x16 account u32, instrument u24, amount_micro i64, closed u8",
    "ExchangeOpened": "0x20 chain_id u64, settlement 20, state_root 32",
    "UnderlyingListed": "0x21 underlying u8, name 8, lot_e8 u64",
    "ExpiryListed": "0x22 expiry u16, underlying u8, expiry_time_s u48",
    "InstrumentListed": "0x23 instrument u24, [u16] symbol",
    "MarksUpdated": "0x24 underlying u8, index_micro u40, epoch u32",
    "FundingAccrued": "0x25 instrument u24, rate_micro i64, accrual_micro i64",
    "ExpirySettled": "0x26 expiry u16, settlement_micro u40",
    "TradingStateChanged": "0x27 scope u8, number u24, state u8, before u8, reason u8",
    "BreakerArmed": "0x28 underlying u8, window_s u16, calm_window_s u16, calm_e4 u16,"
    " [u8] (threshold_e4 u16, state u8, minimum_s u16)",
    "BreakerTripped": "0x29 underlying u8, state u8, level u8, index_micro u40,"
    " reference_micro u40, threshold_e4 u16, until_s u48",
    "BreakerReleased": "0x2a underlying u8, low_micro u40, high_micro u40, tripped_s u48",
    "BatchCut": "0x30 number u64, state_root 32, groups u32, [u32] data",
    "BatchConfirmed": "0x31 number u64, block u64, transaction 32",
    "TimeAdvanced": "0x32 time_ns u64",
    "QuoteRejected": "0x50 account u32, index u8, side u8, code u16, got i128, allowed i128",
    "QuotesTaken": "0x51 account u32, message_hash 32, label u64, taken u16, refused u16",
    "ProtectionTripped": "0x52 account u32, group u8, what u8, got i128, limit i128",
    "ProtectionSet": "0x53 account u32, group u8, window_ms u32, frozen_ms u32,"
    " quantity_limit_lots u32, delta_limit_e6 u64, vega_limit_micro u64",
    "MarginChosen": "0x60 account u32, model u8, tier u8, least_tier u8",
    "ProtectionReset": "0x54 account u32, group u8",
    "DelistingAnnounced": "0x7b instrument u24, end_time_s u48",
    "InstrumentDelisted": "0x7c instrument u24",
    "PerpetualSettled": "0x7d instrument u24, settlement_micro u40, seen u8",
    "SettlementSampled": "0x7a expiry u16, seen u8",
    "CashTransferred": "0x78 account u32, to_account u32, asset u8, amount_micro u64,"
    " cash_micro i128, to_cash_micro i128",
    "PositionTransferred": "0x79 account u32, to_account u32, instrument u24, quantity_lots i32,"
    " position_lots i32, to_position_lots i32",
    "AssetListed": "0x88 asset u8, name 8, decimals u8, kind u8, underlying u8,"
    " initial_haircut_e4 u16, maintenance_haircut_e4 u16, cap_micro u64, discount_e4 u16",
    "CollateralConverted": "0x89 buyer u32, debtor u32, asset u8, amount_micro u64, paid_micro u64,"
    " buyer_cash_micro i128, debtor_cash_micro i128, excess_before_micro i128,"
    " excess_after_micro i128",
    "FeeLevelSet": "0x80 underlying u8, level u8, maker_rate_e6 i32",
    "FundingSet": "0x81 instrument u24, cap_e6 u32, band_e6 u32, period_s u32, impact_lots u32,"
    " sample_s u32",
    "FundingSampled": "0x82 instrument u24, index_micro u40, impact_bid_micro i64,"
    " impact_ask_micro i64, premium_e9 i64, rate_e9 i64",
    "MarginCalled": "0x64 account u32, equity_micro i128, worst_micro i128, maintenance_micro i128,"
    " scenario u8",
    "LiquidationArmed": "0x65 is_armed u8",
    "LiquidationStarted": "0x66 account u32, equity_micro i128, worst_micro i128,"
    " maintenance_micro i128, scenario u8",
    "LiquidationStep": "0x67 account u32, step u32, order_hash 32, instrument u24, sells u8,"
    " asked_lots u32, filled_lots u32, limit_price_micro i64, mark_micro i64, fee_micro u64,"
    " equity_before_micro i128, worst_before_micro i128, equity_micro i128, worst_micro i128",
    "AuctionOpened": "0x68 account u32, is_insolvent u8, since_ns u64, equity_micro i128,"
    " worst_micro i128, maintenance_micro i128",
    "AuctionBidTaken": "0x69 account u32, bidder u32, asked_e6 u32, most_e6 u32, share_e6 u32,"
    " is_insolvent u8, discount_e6 u32, worth_micro i128, price_micro i128,"
    " [u16] (instrument u24, lots i32), lots_micro i128, cash_micro i128, fund_micro u64,"
    " equity_micro i128, worst_micro i128",
    "AuctionEnded": "0x6a account u32, reason u8, equity_micro i128, worst_micro i128",
    "InsurancePaid": "0x6b account u32, amount_micro u64, fund_micro i128, reason u8",
    "InsuranceFunded": "0x6c account u32, amount_micro u64, fund_micro i128, reason u8",
    "Deleveraged": "0x6d account u32, counterparty u32, instrument u24, quantity_lots i32,"
    " mark_micro i64, cash_micro i128, loss_micro i128, rank u32, profit_micro i128,"
    " equity_micro i128, worst_micro i128",
    "LossCapped": "0x6e account u32, underlying u8, epoch u32, lots_left u32, deficit_micro i128,"
    " lost_micro i128",
    "LiquidationEnded": "0x6f account u32, before u8, equity_micro i128, worst_micro i128,"
    " maintenance_micro i128, steps u32",
    "OracleArmed": "0x70 underlying u8, quorum u8, max_age_s u16, deviation_e4 u16,"
    " forward_band_e4 u16, forward_move_e4 u16, variance_move_e4 u16,"
    " [u8] (reporter 20, decimals u8)",
    "PricesReported": "0x71 underlying u8, reporter 20, sequence u64, observed_ms u64,"
    " index_micro u40, counting u8",
    "ReportDropped": "0x72 underlying u8, reporter 20, sequence u64, reason u8, got i128,"
    " allowed i128",
    "ExpiryHeld": "0x73 underlying u8, expiry u16, reason u8, got i128, allowed i128",
    "OracleLost": "0x74 underlying u8, counting u8, quorum u8, newest_ms u64",
    "OracleRecovered": "0x75 underlying u8, counting u8, quorum u8, lost_s u48",
}

CALLED_OTHERWISE: Final = {"CancelAll": "CancelAllOrders"}
"""Commands whose class bears another name than the page gives them."""


class Integer(NamedTuple):
    bits: int
    is_signed: bool

    def range(self) -> tuple[int, int]:
        low = -(1 << self.bits - 1) if self.is_signed else 0
        return low, low + (1 << self.bits) - 1


class Bytes(NamedTuple):
    size: int


class Counted(NamedTuple):
    """A count, then so many groups; a count of bytes where there is no group."""

    count: Integer
    group: "tuple[Field, ...]"


class Repeated(NamedTuple):
    times: int
    item: Integer


class Struct(NamedTuple):
    """A value with attributes: the order in a PlaceOrder."""

    names: tuple[str, ...]
    fields: "tuple[Field, ...]"


Field = Integer | Bytes | Counted | Repeated | Struct


class Layout(NamedTuple):
    type: int
    fields: tuple[Field, ...]


def command_layouts() -> dict[str, Layout]:
    """By class name, from the page."""
    section = PAGE.read_text("utf8").partition("## 3. Commands")[2].partition("\n## ")[0]
    order = re.search(r"order = (.*?)\.\n", section, re.S)
    assert order, "the page gives the bytes of an order"
    text = order[1].replace("\n", " ")
    lists = iter(("legs", "conditions"))
    names = tuple(next(lists) if part[0] == "[" else part.split()[0] for part in _split(text))
    inner = Struct(names, _fields(text))
    rows = re.findall(r"\| 0x(..) \| (\w+) \| (.*?) *\|\n", section)
    return {
        CALLED_OTHERWISE.get(name, name): Layout(int(number, 16), _fields(body, inner))
        for number, name, body in rows
    }


def event_layouts() -> dict[str, Layout]:
    return {name: Layout(int(text[:4], 16), _fields(text[4:])) for name, text in EVENTS.items()}


def _fields(text: str, order: Struct | None = None) -> tuple[Field, ...]:
    return tuple(_field(part, order) for part in _split(text))


def _split(text: str) -> Iterator[str]:
    """At commas outside of parentheses."""
    depth, start = 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()


def _field(text: str, order: Struct | None) -> Field:
    if order is not None and text == "order (below)":
        return order
    if counted := re.fullmatch(r"\[u(\d+)\] \((.*)\)", text):
        return Counted(Integer(int(counted[1]), False), _fields(counted[2]))
    if sized := re.fullmatch(r"\[u(\d+)\] \w+", text):
        return Counted(Integer(int(sized[1]), False), ())
    if repeated := re.fullmatch(r"(\d+) \W \w+ u(\d+)", text):
        return Repeated(int(repeated[1]), Integer(int(repeated[2]), False))
    plain = re.fullmatch(r"\w+ ([ui]?)(\d+)(?: \(.*\))?", text)
    assert plain, f"a field is a name and a type: {text!r}"
    size = int(plain[2])
    return Integer(size, plain[1] == "i") if plain[1] else Bytes(size)


def write(fields: Sequence[Field], values: Sequence[Any]) -> bytes:
    """The bytes of values laid out by fields."""
    assert len(fields) == len(values)
    return b"".join(_write(field, value) for field, value in zip(fields, values, strict=True))


def _write(field: Field, value: Any) -> bytes:
    match field:
        case Integer(bits, is_signed):
            return value.to_bytes(bits // 8, "big", signed=is_signed)
        case Bytes(size):
            assert len(value) == size
            return value
        case Counted(count, ()):
            return _write(count, len(value)) + value
        case Counted(count, group):
            return _write(count, len(value)) + b"".join(write(group, item) for item in value)
        case Repeated(times, item):
            assert len(value) == times
            return b"".join(_write(item, one) for one in value)
        case Struct(names, inner):
            return write(inner, [_listed(name, getattr(value, name)) for name in names])


def order_of(values: Mapping[str, Any]) -> Order:
    """An order of values as they are laid out: conditions are a list of none or one."""
    listed = [Conditions(*item) for item in values["conditions"]]
    return Order(**{**values, "conditions": listed[0] if listed else PLAIN})


def _listed(name: str, value: Any) -> Any:
    """Conditions as a list of none or one."""
    if name != "conditions":
        return value
    return (value,) if any(value[:4] + value[5:]) or any(value.parent) else ()


def command_bytes(layout: Layout, command: Any) -> bytes:
    names = type(command).__struct_fields__
    assert names[0] == "time_ns"
    head = bytes((1, layout.type)) + command.time_ns.to_bytes(8, "big")
    return head + write(layout.fields, [getattr(command, name) for name in names[1:]])


def event_bytes(layout: Layout, event: Any) -> bytes:
    values = [getattr(event, name) for name in type(event).__struct_fields__]
    return bytes((1, layout.type)) + write(layout.fields, values)
