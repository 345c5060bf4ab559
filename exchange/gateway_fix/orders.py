"""From FIX messages to what their senders signed: `Order` and `Cancel` of docs/protocol.md, 2.

    Account 1, ClOrdID 11, Symbol 55, Side 54, OrderQty 38 (units of the underlying),
    OrdType 40 = 2, Price 44 (USDC per unit), TimeInForce 59: 1 GTC, 3 IOC, 4 FOK;
    ExecInst 18: 6 post-only, o until disconnect, or both with a space between;
    20001 counter, 20002 maximum fee (micro-USDC a lot), 20003 expiry (Unix seconds), 20004 salt,
    20005 signature (hexadecimal), 20006 hash of the order that this one replaces

Holds: a value is taken exactly or refused; a combo may be written with its legs in any order, and
as the mirror image of its canonical form: what is signed is the canonical one.
Never: judges an order that could be signed; that is the exchange's.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from exchange.gateway_fix import tags
from exchange.gateway_fix.message import Message
from exchange.symbols import parse_price, parse_quantity, price_text, quantity_text
from exchange.venue import InstrumentView, Legs, Venue
from matching.combos import canonical_legs
from matching.instruments import MAX_LOTS
from matching.orders import BUY, FOK, GTC, IOC, POST_ONLY, SELL, UNTIL_DISCONNECT
from matching.rejects import (
    LEG_COUNT,
    PRICE_OFF_TICK,
    PRICE_OUT_OF_RANGE,
    QUANTITY_OUT_OF_RANGE,
    RATIOS_NOT_REDUCED,
    UNKNOWN_FLAG,
    UNKNOWN_SIDE,
    UNKNOWN_TIME_IN_FORCE,
    Reject,
)
from settlement.signed_messages import MAX_NET_PRICE_MICRO, NO_ORDER, Cancel, Order

MAX_CL_ORD_ID: Final = 64

_SIDES: Final = {"1": BUY, "2": SELL}
_TIMES_IN_FORCE: Final = {"1": GTC, "3": IOC, "4": FOK}
EXEC_INSTRUCTIONS: Final = ((POST_ONLY, "6"), (UNTIL_DISCONNECT, "o"))
_FLAGS: Final = {
    "": 0,
    "6": POST_ONLY,
    "o": UNTIL_DISCONNECT,
    "6 o": POST_ONLY | UNTIL_DISCONNECT,
    "o 6": POST_ONLY | UNTIL_DISCONNECT,
}
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}){1,128})")


class Unreadable(NamedTuple):
    """A message from which nothing can be built: answered with a BusinessMessageReject."""

    reason: int
    text: str


class Refused(NamedTuple):
    """An order that can be read and never be right: answered as the exchange's own refusals."""

    reject: Reject
    text: str


class NewOrder(NamedTuple):
    """An order to place. `sign` is -1 where the message names the mirror image of the canonical
    combo: then side and price of the message are the opposite of the order's.
    """

    order: Order
    signature: bytes
    cl_ord_id: str
    symbol: str
    lot_e8: int
    sign: int


class CancelRequest(NamedTuple):
    """An order to cancel; `cancel` lacks nothing but the signer's approval."""

    cancel: Cancel
    signature: bytes


class _Missing(Exception):
    """Ends the reading of a message that cannot be read; never leaves this module."""

    def __init__(self, reason: int, text: str) -> None:
        super().__init__(text)
        self.found = Unreadable(reason, text)


class _Wrong(Exception):
    """Ends the reading of an order that is wrong; never leaves this module."""

    def __init__(self, reject: Reject, text: str | None = None) -> None:
        super().__init__(text)
        self.found = Refused(reject, text or reject.message)


class Reader:
    """Reads messages against the instruments that are listed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._instruments: dict[int, InstrumentView] = {}

    def instrument(self, number: int) -> InstrumentView:
        """A listed instrument's unchanging facts (its marks are of no use here)."""
        if number not in self._instruments:
            self._instruments = {view.instrument: view for view in self._venue.instruments()}
        return self._instruments[number]

    def new_order(
        self, message: Message, replaces: bytes | None
    ) -> NewOrder | Unreadable | Refused:
        """The order of a D or G. `replaces` is the order that a G names, or None."""
        try:
            return self._new_order(message, replaces)
        except (_Missing, _Wrong) as fault:
            return fault.found

    def _new_order(self, message: Message, replaces: bytes | None) -> NewOrder:
        cl_ord_id = message.text(tags.CL_ORD_ID)
        if len(cl_ord_id) > MAX_CL_ORD_ID:
            raise _unreadable(
                f"ClOrdID (11) has {len(cl_ord_id)} characters; at most {MAX_CL_ORD_ID}"
            )
        account = _natural(message, tags.ACCOUNT, "Account", 32)
        counter = _natural(message, tags.COUNTER, "counter", 32)
        max_fee = _natural(message, tags.MAX_FEE_MICRO, "maximum fee in micro-USDC a lot", 64)
        expiry_s = _natural(message, tags.EXPIRY_SECONDS, "expiry in Unix seconds", 64)
        salt = _natural(message, tags.SALT, "salt", 64)
        signature = _bytes(message, tags.SIGNATURE, "signature", None)
        if message.get(tags.REPLACES) is not None:
            stated = _bytes(message, tags.REPLACES, "hash of the replaced order", 32)
            if replaces is not None and stated != replaces:
                raise _unreadable("20006 is another order than OrigClOrdID (41) or OrderID (37)")
            replaces = stated
        if message.get(tags.ORD_TYPE) != "2":
            raise _unreadable("OrdType (40) must be 2 (limit): every order has a signed limit")
        legs, sign, lot_e8 = self._legs(message.text(tags.SYMBOL))
        side = _code(message, tags.SIDE, _SIDES, UNKNOWN_SIDE, "1 (buy) or 2 (sell)")
        order = Order(
            account,
            counter,
            side if sign > 0 else SELL + BUY - side,
            _code(
                message,
                tags.TIME_IN_FORCE,
                _TIMES_IN_FORCE,
                UNKNOWN_TIME_IN_FORCE,
                "1 (GTC), 3 (IOC) or 4 (FOK)",
            ),
            _code(
                message,
                tags.EXEC_INST,
                _FLAGS,
                UNKNOWN_FLAG,
                "6 (post-only), o (until disconnect), or be left out",
            ),
            sign * _price(message, lot_e8),
            _quantity(message, lot_e8),
            max_fee,
            expiry_s,
            salt,
            replaces or NO_ORDER,
            legs,
        )
        return NewOrder(order, signature, cl_ord_id, message.text(tags.SYMBOL), lot_e8, sign)

    def _legs(self, symbol: str) -> tuple[Legs, int, int]:
        """Canonical legs, whether the symbol is their mirror image (-1), and the lot."""
        written = self._venue.resolve(symbol)
        if isinstance(written, Reject):
            raise _Wrong(written, f"{written.message} ({symbol})")
        legs, sign, factor = canonical_legs(written)
        if not legs:
            raise _Wrong(Reject(LEG_COUNT, 0, 8), f"the legs of {symbol} cancel out")
        if factor != 1:
            raise _Wrong(Reject(RATIOS_NOT_REDUCED, factor))
        return legs, sign, self.instrument(legs[0][0]).lot_e8


def read_cancel(
    message: Message, order_hash: bytes, account: int | None
) -> CancelRequest | Unreadable:
    """The Cancel of an F about a known order; `account` where the message does not say."""
    try:
        if account is None or message.get(tags.ACCOUNT) is not None:
            account = _natural(message, tags.ACCOUNT, "Account", 32)
        signature = _bytes(message, tags.SIGNATURE, "signature", None)
    except _Missing as fault:
        return fault.found
    return CancelRequest(Cancel(account, order_hash), signature)


def named_order(
    message: Message, hash_of: Callable[[str], bytes | None]
) -> bytes | Unreadable | None:
    """Hash of the order that an F or G is about: OrderID (37), else what `hash_of` knows of
    OrigClOrdID (41); None where it is unknown.
    """
    name = message.get(tags.ORIG_CL_ORD_ID)
    if message.get(tags.ORDER_ID) is not None:
        try:
            return _bytes(message, tags.ORDER_ID, "OrderID, the order's hash", 32)
        except _Missing as fault:
            return fault.found
    if name is None:
        return Unreadable(
            tags.BUSINESS_FIELD_MISSING, "OrigClOrdID (41) or OrderID (37) must name the order"
        )
    return hash_of(name)


def _unreadable(text: str) -> _Missing:
    return _Missing(tags.BUSINESS_OTHER, text)


def _needed(message: Message, tag: int, name: str) -> str:
    value = message.get(tag)
    if value is None:
        raise _Missing(tags.BUSINESS_FIELD_MISSING, f"tag {tag} ({name}) is missing")
    return value


def _natural(message: Message, tag: int, name: str, bits: int) -> int:
    value = _needed(message, tag, name)
    highest = (1 << bits) - 1
    if value.isascii() and value.isdigit() and len(value) <= 20 and int(value) <= highest:
        return int(value)
    raise _unreadable(f"tag {tag} ({name}) must be a whole number from 0 to {highest}")


def _bytes(message: Message, tag: int, name: str, size: int | None) -> bytes:
    match = _HEX.fullmatch(_needed(message, tag, name))
    if match is None or (size is not None and len(match[1]) != 2 * size):
        count = "" if size is None else f"{size} "
        raise _unreadable(f"tag {tag} ({name}) must be {count}bytes in hexadecimal")
    return bytes.fromhex(match[1])


def _code(message: Message, tag: int, codes: dict[str, int], reject: int, allowed: str) -> int:
    """A code's meaning; where it has none here, the refusal that names what would be right."""
    if "" not in codes:
        _needed(message, tag, "one of " + ", ".join(codes))
    value = message.text(tag)
    code = codes.get(value)
    if code is None:
        got = int(value) if value.isascii() and value.isdigit() else 0
        raise _Wrong(Reject(reject, got, POST_ONLY), f"tag {tag} is {value}; it must be {allowed}")
    return code


def _price(message: Message, lot_e8: int) -> int:
    text = _needed(message, tags.PRICE, "Price")
    price = parse_price(_usual(text), lot_e8)
    if price is None:
        finest = price_text(1, lot_e8)
        raise _Wrong(
            Reject(PRICE_OFF_TICK, 0, 1),
            f"Price (44) {text} is no decimal of at most 15 digits, or no multiple of {finest}",
        )
    if abs(price) >= 1 << 62:
        raise _Wrong(Reject(PRICE_OUT_OF_RANGE, price, MAX_NET_PRICE_MICRO))
    return price


def _quantity(message: Message, lot_e8: int) -> int:
    text = _needed(message, tags.ORDER_QTY, "OrderQty")
    lots = parse_quantity(_usual(text), lot_e8)
    if lots is None:
        lot = quantity_text(1, lot_e8)
        raise _Wrong(
            Reject(QUANTITY_OUT_OF_RANGE, 0, MAX_LOTS),
            f"OrderQty (38) {text} is no decimal of at most 15 digits, or no multiple of the "
            f"lot, {lot}",
        )
    if not 0 <= lots <= MAX_LOTS:
        raise _Wrong(Reject(QUANTITY_OUT_OF_RANGE, lots, MAX_LOTS))
    return lots


def _usual(text: str) -> str:
    """FIX writes `.5` and `5.` too; and zeros at the end may be many."""
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    sign = "-" if text.startswith("-") else ""
    digits = text.removeprefix("-").lstrip("0")
    return f"{sign}0{digits}" if not digits or digits.startswith(".") else sign + digits
