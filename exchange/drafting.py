"""An order from human terms: symbols and decimals in, the message to sign out.

Holds: a combo may be written by its strategy's name, or in any order, sign and multiple (`+1
BTC-27MAR26-90000-C, -1 BTC-27MAR26-100000-C`); what comes out is canonical and means the same:
where the first ratio would be negative, side and net price turn, and a common factor moves from
the ratios into the quantity. Terms that protocol integers cannot say exactly are refused
(`BadTerms`).
Never: rounds, signs or sends.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypedDict

from exchange.strategy_names import legs_text, strategy_legs
from exchange.symbols import parse_price, parse_quantity, price_text, quantity_text
from matching.combos import canonical_legs
from matching.orders import (
    BUY,
    CANCEL_BOTH,
    CANCEL_MAKER,
    CANCEL_TAKER,
    DECREMENT,
    FOK,
    GTC,
    IN_VOLATILITY,
    INDEX_AT_LEAST,
    INDEX_AT_MOST,
    IOC,
    LAST_AT_LEAST,
    LAST_AT_MOST,
    MARK_AT_LEAST,
    MARK_AT_MOST,
    MARKET,
    POST_ONLY,
    REDUCE_ONLY,
    SELF_TRADE_SHIFT,
    SELL,
    SLIDE,
    UNTIL_DISCONNECT,
)
from settlement.order_fields import check_order_fields
from settlement.signed_messages import NO_ORDER, PLAIN, Conditions, Legs, Order

SIDES: Final = {"buy": BUY, "sell": SELL}
TIMES_IN_FORCE: Final = {"GTC": GTC, "IOC": IOC, "FOK": FOK}
SELF_TRADE_MODES: Final = {
    "cancel-taker": CANCEL_TAKER,
    "cancel-maker": CANCEL_MAKER,
    "cancel-both": CANCEL_BOTH,
    "decrement": DECREMENT,
}
TRIGGERS: Final = {
    "mark>=": MARK_AT_LEAST,
    "mark<=": MARK_AT_MOST,
    "index>=": INDEX_AT_LEAST,
    "index<=": INDEX_AT_MOST,
    "last>=": LAST_AT_LEAST,
    "last<=": LAST_AT_MOST,
}
_TRIGGER: Final = re.compile(r"(mark|index|last)\s*([<>]=)\s*(\S{1,24})", re.ASCII | re.IGNORECASE)
_PERCENT: Final = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?\s*%?", re.ASCII)
_CASH_LOT_E8: Final = 10**8  # cash is a price of one whole unit
_LEG: Final = re.compile(r"([+-]?)\s*(\d{0,5})\s*[*x]?\s*([A-Za-z][A-Za-z0-9-]*)", re.ASCII)


class BadTerms(ValueError):
    """The terms cannot be an order; the text says which and why."""


class Market(NamedTuple):
    """What drafting must know of an instrument. `index_micro` per lot, None before marks."""

    instrument: int
    symbol: str
    lot_e8: int
    tick_value_micro: int
    index_micro: int | None


def market_of(view: Mapping[str, Any]) -> Market:
    """The same from a row of `public/instruments`."""
    lot_e8 = int(view["lotE8"])
    index = view["index"]
    return Market(
        view["instrument"],
        view["symbol"],
        lot_e8,
        view["tickValueMicro"],
        None if index is None else parse_price(index, lot_e8),
    )


class Strategy(NamedTuple):
    """Canonical legs of what was written. Buying one unit as written is buying (`sign` 1) or
    selling (`sign` -1) `factor` units of `legs`.
    """

    legs: Legs
    sign: int
    factor: int
    lot_e8: int


class Terms(NamedTuple):
    """What a person says. `price` in USDC per unit of the underlying (for a combo: per unit of
    what was written, net, negative for a credit), `quantity` in units of the underlying, `max_fee`
    in USDC per unit of the underlying (None: twice what a taker pays at the current index).

    `trigger` is what a stop waits for, `mark`, `index` or `last`, `>=` or `<=`, and a price in USDC
    per unit of the underlying: `index<=85000`. `parent` is the order whose fill wakes this one,
    `oco_group` a number that orders which end each other share. `volatility` prices an option in
    percent of a year, never beyond `price`. `display` is the quantity that an iceberg shows.
    A `market` order's price is the worst that it takes; `slide` lets a post-only order rest a tick
    short of a price that it would meet; `min_quantity` must trade at once; `self_trade` is one of
    SELF_TRADE_MODES; `protection` a group of the account, `label` a number to cancel by.
    """

    symbol: str
    side: str
    price: str
    quantity: str
    time_in_force: str = "GTC"
    post_only: bool = False
    max_fee: str | None = None
    trigger: str | None = None
    parent: bytes = NO_ORDER
    oco_group: int = 0
    volatility: str | None = None
    until_disconnect: bool = False
    display: str | None = None
    reduce_only: bool = False
    market: bool = False
    slide: bool = False
    min_quantity: str | None = None
    self_trade: str = "cancel-taker"
    protection: int = 0
    label: int = 0


class Said(TypedDict, total=False):
    """The terms that need not be said, by name."""

    time_in_force: str
    post_only: bool
    max_fee: str | None
    trigger: str | None
    parent: bytes
    oco_group: int
    volatility: str | None
    until_disconnect: bool
    display: str | None
    reduce_only: bool
    market: bool
    slide: bool
    min_quantity: str | None
    self_trade: str
    protection: int
    label: int


class QuoteTerms(NamedTuple):
    """A two-sided quote as a person says it; bid and ask are (price, quantity) as in `Terms`, None
    cancels the side.
    """

    symbol: str
    bid: tuple[str, str] | None
    ask: tuple[str, str] | None


class Markets:
    """The instruments of an exchange, by symbol. `taker_fee_e6` in 1e-6 of the index."""

    def __init__(self, markets: Sequence[Market], taker_fee_e6: int) -> None:
        self._taker_fee_e6 = taker_fee_e6
        self._by_symbol: Mapping[str, Market] = {market.symbol: market for market in markets}
        self._by_number: Mapping[int, Market] = {market.instrument: market for market in markets}

    def strategy(self, text: str) -> Strategy:
        """The legs of a symbol, of a strategy's name, or of a combo as people write it."""
        written: list[tuple[int, int]] = []
        for symbol, ratio in strategy_legs(text.strip()) or _read_legs(text):
            market = self._by_symbol.get(symbol)
            if market is None:
                raise BadTerms(f"no instrument {symbol[:60]!r}")
            written.append((market.instrument, ratio))
        legs, sign, factor = canonical_legs(written)
        if not legs:
            raise BadTerms(f"the legs of {text[:80]!r} cancel out")
        return Strategy(legs, sign, factor, self._by_number[legs[0][0]].lot_e8)

    def position(self, symbol: str, quantity: str) -> tuple[int, int, int]:
        """Instrument, side (0 long, 1 short) and lots of a part of a position: `quantity` above 0
        of a long one, below 0 of a short one. Or BadTerms.
        """
        strategy = self.strategy(symbol)
        lots = _quantity("quantity", quantity, strategy)
        legs = strategy.legs
        if len(legs) != 1 or not lots:
            raise BadTerms(f"{quantity} of {symbol[:60]!r} is no part of a position")
        return legs[0][0], int(lots < 0), abs(lots)

    def symbol(self, legs: Legs) -> str:
        """The canonical symbol: the name of a book."""
        return legs_text([(self._by_number[number].symbol, ratio) for number, ratio in legs])

    def draft(
        self,
        terms: Terms,
        account: int,
        counter: int,
        expiry_s: int,
        salt: int,
        replaces: bytes = NO_ORDER,
    ) -> Order:
        """The order to sign, or BadTerms."""
        strategy = self.strategy(terms.symbol)
        side = _choice("side", terms.side.lower(), SIDES)
        if strategy.sign < 0:
            side = SELL if side == BUY else BUY
        price_micro = self._limit_price(terms.price, strategy)
        order = Order(
            account,
            counter,
            side,
            _choice("time in force", terms.time_in_force.upper(), TIMES_IN_FORCE),
            _flags(terms),
            price_micro,
            _quantity("quantity", terms.quantity, strategy),
            self._max_fee(terms.max_fee, strategy),
            expiry_s,
            salt,
            replaces,
            strategy.legs,
            _conditions(terms, strategy),
        )
        reject = check_order_fields(order)
        if reject is not None:
            raise BadTerms(reject.message)
        return order

    def draft_quotes(
        self, terms: Sequence[QuoteTerms], max_fee: str | None = None
    ) -> tuple[int, tuple[tuple[Legs, int, int, int, int], ...]]:
        """Maximum fee and quotes of a mass quote (`settlement.mass_quotes`), or BadTerms."""
        most_fee, quotes = 0, list[tuple[Legs, int, int, int, int]]()
        for symbol, bid, ask in terms:
            legs = self.strategy(symbol).legs
            sides = {BUY: (0, 0), SELL: (0, 0)}
            for side, said in (("buy", bid), ("sell", ask)):
                if said is not None:
                    written = Terms(symbol, side, *said, max_fee=max_fee)
                    order = self.draft(written, 0, 0, 0, 0)
                    sides[order.side] = (order.limit_price_micro, order.quantity_lots)
                    most_fee = max(most_fee, order.max_fee_micro)
            quotes.append((legs, *sides[BUY], *sides[SELL]))
        return most_fee, tuple(quotes)

    def _limit_price(self, text: str, strategy: Strategy) -> int:
        """Micro-USDC per lot or canonical unit; the price of a unit as written spreads evenly
        over its `factor` canonical units or is refused.
        """
        written = parse_price(text, strategy.lot_e8)
        if written is None:
            finest = price_text(1, strategy.lot_e8)
            raise BadTerms(f"price {text!r} is not a decimal in steps of {finest}")
        per_unit, rest = divmod(written, strategy.factor)
        if rest:
            raise BadTerms(f"price {text} does not divide over {strategy.factor} units")
        return strategy.sign * per_unit

    def _max_fee(self, text: str | None, strategy: Strategy) -> int:
        """Micro-USDC per lot or canonical unit."""
        if text is not None:
            fee_micro = parse_price(text, strategy.lot_e8)
            if fee_micro is None or fee_micro < 0:
                raise BadTerms(f"maximum fee {text!r} is not a decimal from 0 up")
            return fee_micro
        total = 0
        for number, ratio in strategy.legs:
            index_micro = self._by_number[number].index_micro
            if index_micro is None:
                raise BadTerms("there is no index yet: say the maximum fee")
            total += abs(ratio) * -(-index_micro * self._taker_fee_e6 // 10**6)
        return 2 * total


def cash_micro(text: str) -> int:
    """USDC as micro-USDC, above 0; or BadTerms."""
    amount_micro = parse_price(text, _CASH_LOT_E8)
    if amount_micro is None or amount_micro <= 0:
        raise BadTerms(f"amount {text!r} is not a decimal above 0 in steps of 0.000001")
    return amount_micro


def _flags(terms: Terms) -> int:
    flags = POST_ONLY if terms.post_only else 0
    flags |= REDUCE_ONLY if terms.reduce_only else 0
    flags |= UNTIL_DISCONNECT if terms.until_disconnect else 0
    flags |= MARKET if terms.market else 0
    flags |= SLIDE if terms.slide else 0
    mode = _choice("self-trade mode", terms.self_trade.lower(), SELF_TRADE_MODES)
    flags |= mode << SELF_TRADE_SHIFT
    return flags | (IN_VOLATILITY if terms.volatility is not None else 0)


def _quantity(what: str, text: str, strategy: Strategy) -> int:
    """Lots, or canonical units."""
    lots = parse_quantity(text, strategy.lot_e8)
    if lots is None:
        lot = quantity_text(1, strategy.lot_e8)
        raise BadTerms(f"{what} {text!r} is not a number of lots of {lot}")
    return lots * strategy.factor


def _conditions(terms: Terms, strategy: Strategy) -> Conditions:
    trigger, price_micro, lot_e8 = 0, 0, strategy.lot_e8
    if terms.trigger is not None:
        parsed = _TRIGGER.fullmatch(terms.trigger.strip())
        found = None if parsed is None else parse_price(parsed[3], lot_e8)
        if parsed is None or found is None:
            raise BadTerms(f"trigger {terms.trigger[:40]!r}; say it like index<=85000")
        trigger, price_micro = TRIGGERS[parsed[1].lower() + parsed[2]], found
    volatility_e6 = 0
    if terms.volatility is not None:
        percent = _PERCENT.fullmatch(terms.volatility.strip())
        if percent is None:
            raise BadTerms(f"volatility {terms.volatility[:40]!r} is no percentage like 52.5")
        volatility_e6 = int(percent[1]) * 10_000 + int((percent[2] or "").ljust(4, "0"))
    shown, least = terms.display, terms.min_quantity
    for what, number, most in (
        ("OCO group", terms.oco_group, (1 << 64) - 1),
        ("protection group", terms.protection, 255),
        ("label", terms.label, (1 << 64) - 1),
    ):
        if not 0 <= number <= most:
            raise BadTerms(f"{what} {number} is not between 0 and {most}")
    conditions = Conditions(
        min_quantity_lots=0 if least is None else _quantity("minimum quantity", least, strategy),
        display_lots=0 if shown is None else _quantity("displayed quantity", shown, strategy),
        trigger=trigger,
        trigger_price_micro=price_micro,
        parent=terms.parent,
        oco_group=terms.oco_group,
        volatility_e6=volatility_e6,
        protection=terms.protection,
        label=terms.label,
    )
    return PLAIN if conditions == PLAIN else conditions


def _read_legs(text: str) -> list[tuple[str, int]]:
    """Symbols and ratios of `+1 BTC-27MAR26-90000-C, -1 BTC-27MAR26-100000-C`."""
    legs: list[tuple[str, int]] = []
    for part in text.split(","):
        parsed = _LEG.fullmatch(part.strip())
        if parsed is None:
            raise BadTerms(f"no instrument {part.strip()[:60]!r}")
        legs.append((parsed[3], int(parsed[2] or 1) * (-1 if parsed[1] == "-" else 1)))
    return legs


def _choice(what: str, text: str, known: Mapping[str, int]) -> int:
    if text not in known:
        raise BadTerms(f"{what} {text[:20]!r}; use {', '.join(known)}")
    return known[text]
