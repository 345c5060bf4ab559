"""Market data in JSON: books by level and by order, tickers, trades, statistics, trading states.

Holds: prices and quantities are exact decimal strings, as everywhere at this door; implied
volatility and Greeks, which advise and decide nothing, are decimals cut to six places.
Never: names an account.
"""

from exchange.gateway_rpc.views import SIDES, Catalogue, Json
from exchange.market_data.display_marks import BestPrices, display_mark_micro
from exchange.market_data.market import PublicMarket
from exchange.market_data.shown_book import ADDED, PLACED, REMOVED, RESIZED, BookChange
from exchange.market_data.tape import NO_BOOK, Trade
from exchange.symbols import cash_text, price_text, quantity_text
from exchange.venue import Legs, MarkView, Venue
from margin.funding import E9
from matching.instruments import decimal_text
from matching.orders import BUY, SELL
from matching.trading_states import CANCEL_ONLY, SCOPE_NAMES, STATE_NAMES

ACTIONS = {ADDED: "add", RESIZED: "change", REMOVED: "remove", PLACED: "place"}


class MarketViews:
    """What the door shows of the market."""

    def __init__(self, venue: Venue, catalogue: Catalogue) -> None:
        self._venue = venue
        self._catalogue = catalogue

    @property
    def market(self) -> PublicMarket:
        return self._venue.market()

    def book_l2(self, legs: Legs) -> Json:
        """All levels, best first."""
        book, lot = self.market.book(self.market.book_of(legs)), self._catalogue.lot_of_legs(legs)

        def side(of: int) -> list[Json]:
            return [
                {
                    "price": price_text(level.price_micro, lot),
                    "quantity": quantity_text(level.lots, lot),
                    "orders": len(level.orders),
                }
                for level in book.levels(of)
            ]

        head = {"symbol": self._venue.symbol_of(legs), "changeId": book.change_id}
        return head | {"bids": side(BUY), "asks": side(SELL)}

    def book_l3(self, legs: Legs) -> Json:
        """All orders as they would trade; `position` counts from 0 at each price."""
        book, lot = self.market.book(self.market.book_of(legs)), self._catalogue.lot_of_legs(legs)

        def side(of: int) -> list[Json]:
            return [
                {
                    "orderId": order.order_id,
                    "price": price_text(order.price_micro, lot),
                    "quantity": quantity_text(order.lots, lot),
                    "position": position,
                }
                for position, order in book.queue(of)
            ]

        head = {"symbol": self._venue.symbol_of(legs), "changeId": book.change_id}
        return head | {"bids": side(BUY), "asks": side(SELL)}

    def change_l2(self, legs: Legs, change: BookChange) -> Json:
        """The levels that a command changed; quantity 0 where one is gone."""
        lot = self._catalogue.lot_of_legs(legs)
        changes = [
            {
                "side": SIDES[level.side],
                "price": price_text(level.price_micro, lot),
                "quantity": quantity_text(level.lots, lot),
                "orders": level.orders,
            }
            for level in change.levels
        ]
        return self._chain(change) | {"changes": changes}

    def change_l3(self, legs: Legs, change: BookChange) -> Json:
        """What became of orders, in turn: `add` stands last at its price, `change` keeps
        its place.
        """
        lot = self._catalogue.lot_of_legs(legs)
        changes = [
            {
                "action": ACTIONS[order.action],
                "orderId": order.order_id,
                "side": SIDES[order.side],
                "price": price_text(order.price_micro, lot),
                "quantity": quantity_text(order.lots, lot),
            }
            for order in change.orders
        ]
        return self._chain(change) | {"changes": changes}

    def _chain(self, change: BookChange) -> Json:
        return {
            "timeNs": str(self.market.time_ns),
            "changeId": change.change_id,
            "previousChangeId": change.previous_change_id,
        }

    def trade(self, trade: Trade) -> Json:
        legs = self.market.legs_of(trade.book)
        lot = self._catalogue.lot_of_legs(legs)
        combo = None
        if trade.combo_book != NO_BOOK:
            combo = self._venue.symbol_of(self.market.legs_of(trade.combo_book))
        return {
            "sequence": trade.sequence,
            "timeNs": str(trade.time_ns),
            "trade": trade.trade,
            "symbol": self._venue.symbol_of(legs),
            "side": SIDES[trade.side],
            "price": price_text(trade.price_micro, lot),
            "quantity": quantity_text(trade.lots, lot),
            "comboTrade": trade.combo_trade,
            "combo": combo,
            "legTrades": list(trade.legs),
            "isDerived": trade.is_derived,
        }

    def trades(self, legs: Legs | None, count: int) -> Json:
        """The last trades of a symbol, or of all, oldest first."""
        book = None if legs is None else self.market.book_of(legs)
        if legs is not None and book is None:
            return {"trades": []}
        return {"trades": [self.trade(trade) for trade in self.market.tape.last(book, count)]}

    def statistics(self, legs: Legs) -> Json:
        """The last 24 hours, to the minute."""
        book, lot = self.market.book_of(legs), self._catalogue.lot_of_legs(legs)
        day = self.market.statistics(book)

        def price(micro: int | None) -> str | None:
            return None if micro is None else price_text(micro, lot)

        return {
            "symbol": self._venue.symbol_of(legs),
            "open": price(day.open_micro),
            "high": price(day.high_micro),
            "low": price(day.low_micro),
            "last": price(day.last_micro),
            "change": price(day.change_micro),
            "volume": quantity_text(day.volume_lots, lot),
            "turnover": cash_text(day.turnover_micro),
            "trades": day.trades,
            "openInterest": (
                quantity_text(self.market.open_interest_lots(legs[0][0]), lot)
                if len(legs) == 1
                else None
            ),
        }

    def ticker(self, legs: Legs) -> Json:
        """Best prices, mark, Greeks, state and the day."""
        lot = self._catalogue.lot_of_legs(legs)
        top = self.market.top(self.market.book_of(legs))

        def price(micro: int | None) -> str | None:
            return None if micro is None else price_text(micro, lot)

        return (
            self.statistics(legs)
            | {
                "state": STATE_NAMES[self.market.state_of(legs)],
                "bid": price(top.bid_micro),
                "bidQuantity": quantity_text(top.bid_lots, lot),
                "ask": price(top.ask_micro),
                "askQuantity": quantity_text(top.ask_lots, lot),
            }
            | _mark_json(self._venue.mark(legs), lot, BestPrices(*top))
            | {"funding": self._funding(legs)}
        )

    def _funding(self, legs: Legs) -> Json | None:
        """Of a perpetual: rates as shares of the index a period, and what a long unit of the
        underlying paid in USDC; None where there is none.
        """
        funding = self.market.funding.get(legs[0][0]) if len(legs) == 1 else None
        if funding is None:
            return None
        lot = self._catalogue.lot_of_legs(legs)
        return {
            "rate": decimal_text(funding.rate_e9, E9),
            "premium": decimal_text(funding.premium_e9, E9),
            "periodSeconds": funding.period_s,
            "paid": price_text(funding.paid_micro, lot),
            "lastPaid": price_text(funding.last_paid_micro, lot),
            "paidInAll": price_text(funding.total_micro, lot),
        }

    def states(self) -> Json:
        """What the operator set, which breakers have tripped, which oracles miss their quorum, and
        which underlyings are cancel-only until lots of deleveraging are placed; all else is open.
        """
        market = self.market
        return {
            "states": [
                {"scope": SCOPE_NAMES[scope], "number": number, "state": STATE_NAMES[state]}
                for scope, number, state in market.states.items()
            ],
            "heldByClearing": sorted(market.states.by_clearing),
            "breakers": [
                {
                    "underlying": underlying,
                    "state": STATE_NAMES[tripped.state],
                    "level": tripped.level,
                    "indexMicro": str(tripped.index_micro),
                    "referenceMicro": str(tripped.reference_micro),
                    "untilSeconds": tripped.until_s,
                }
                for underlying, tripped in sorted(market.breakers.items())
            ],
            "warnings": [
                {
                    "underlying": underlying,
                    "level": warning.level,
                    "makerE6": warning.maker_rate_e6,
                }
                for underlying, warning in sorted(market.warnings.items())
            ],
            "oracles": [
                {
                    "underlying": underlying,
                    "state": STATE_NAMES[CANCEL_ONLY],
                    "counting": lost.counting,
                    "quorum": lost.quorum,
                    "newestMs": str(lost.newest_ms),
                }
                for underlying, lost in sorted(market.oracles_lost.items())
            ],
        }


def _mark_json(mark: MarkView | None, lot: int, best: BestPrices) -> Json:
    names = ("impliedVolatility", "delta", "gamma", "vega", "theta")
    if mark is None:
        return {"mark": None, "displayMark": None, "index": None} | dict.fromkeys(names)
    advice = [
        None if value is None else f"{value:.6f}"
        for value in (mark.volatility, mark.delta, mark.gamma, mark.vega, mark.theta)
    ]
    shown = display_mark_micro(mark.mark_micro, mark.index_micro, mark.bounds, best)
    return {
        "mark": price_text(mark.mark_micro, lot),
        "displayMark": price_text(shown, lot),
        "index": price_text(mark.index_micro, lot),
    } | dict(zip(names, advice, strict=True))
