"""The methods that ask for margin in every number, and for what it would be.

Holds: a decimal that is no whole number of lots or micro-USDC is refused with its path, and never
rounded.
Never: changes anything.
"""

from collections.abc import Sequence
from typing import Any

from exchange.gateway_rpc.failures import INVALID_PARAMS, Failure, malformed, refused
from exchange.gateway_rpc.margin_json import change_json, fall_json, report_json
from exchange.gateway_rpc.margin_requests import HeldText, OfPortfolio, OfWhatIf, TradeText
from exchange.gateway_rpc.requests import OfAccount
from exchange.gateway_rpc.views import Catalogue
from exchange.margin_reports import LegTrade
from exchange.symbols import parse_cash, parse_price, parse_quantity
from exchange.venue import Legs, Venue
from matching.rejects import Reject

Answer = Any


class MarginMethods:
    """Over one venue."""

    def __init__(self, venue: Venue, catalogue: Catalogue) -> None:
        self._venue = venue
        self._catalogue = catalogue

    async def breakdown(self, params: OfAccount, _: object) -> Answer:
        report = self._venue.margin_breakdown(params.account)
        return refused(report) if isinstance(report, Reject) else report_json(report)

    async def liquidation(self, params: OfAccount, _: object) -> Answer:
        report = self._venue.liquidation_prices(params.account)
        return refused(report) if isinstance(report, Reject) else fall_json(report)

    async def what_if(self, params: OfWhatIf, _: object) -> Answer:
        trades: list[LegTrade] = []
        for at, text in enumerate(params.trades):
            trade = self._trade(text, f"$.trades[{at}]")
            if isinstance(trade, Failure):
                return trade
            trades.append(trade)
        if not params.rests:
            change = self._venue.what_if(params.account, trades)
        else:
            (first, *more) = trades
            if more or len(first.legs) > 1 or first.price_micro is None:
                sentence = "Expected one order of one instrument, with a price, since it rests"
                return malformed(INVALID_PARAMS, sentence, "$.trades")
            change = self._venue.what_if_rests(params.account, first)
        return refused(change) if isinstance(change, Reject) else change_json(change)

    async def portfolio(self, params: OfPortfolio, _: object) -> Answer:
        cash = parse_cash(params.cash)
        if cash is None:
            return _no_decimal(params.cash, "USDC in whole micro-USDC", "$.cash")
        held: list[tuple[int, int]] = []
        for at, text in enumerate(params.positions):
            position = self._position(text, f"$.positions[{at}]")
            if isinstance(position, Failure):
                return position
            held += position
        report = self._venue.portfolio_margin(cash, held)
        return refused(report) if isinstance(report, Reject) else report_json(report)

    def _trade(self, text: TradeText, path: str) -> LegTrade | Failure:
        found = self._legs_and_lots(text.symbol, text.quantity, path)
        if isinstance(found, Failure):
            return found
        legs, lots = found
        if text.price is None:
            return LegTrade(legs, lots)
        price = parse_price(text.price, self._catalogue.lot_of_legs(legs))
        if price is None:
            return _no_decimal(text.price, "USDC per unit of the underlying", f"{path}.price")
        if len(legs) > 1:
            sentence = "Expected no price: a combo is taken at the marks of its legs"
            return malformed(INVALID_PARAMS, sentence, f"{path}.price")
        return LegTrade(legs, lots, price)

    def _position(self, text: HeldText, path: str) -> Sequence[tuple[int, int]] | Failure:
        found = self._legs_and_lots(text.symbol, text.quantity, path)
        if isinstance(found, Failure):
            return found
        legs, lots = found
        return [(number, ratio * lots) for number, ratio in legs]

    def _legs_and_lots(self, symbol: str, quantity: str, path: str) -> tuple[Legs, int] | Failure:
        legs = self._venue.resolve(symbol)
        if isinstance(legs, Reject):
            return refused(legs, path=f"{path}.symbol")
        lots = parse_quantity(quantity, self._catalogue.lot_of_legs(legs))
        if lots is None:
            return _no_decimal(quantity, "a whole number of lots", f"{path}.quantity")
        return legs, lots


def _no_decimal(text: str, expected: str, path: str) -> Failure:
    return malformed(INVALID_PARAMS, f"Expected {expected}, as a decimal, got {text!r}", path)
