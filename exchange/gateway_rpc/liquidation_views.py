"""Liquidation in JSON: its events, auctions and the insurance fund.

Holds: everything about a liquidation is public, as accounts are on the chain: who is called and
why, each step, each bid, so that its victim and everybody else can compute the decision again;
prices are per unit of the underlying, cash is USDC, shares stay in millionths.
Never: a float.
"""

from typing import Any, Final

from exchange.events import (
    AUCTION_ENDS,
    FUND_PAYS,
    FUND_TAKES,
    AuctionBidTaken,
    AuctionEnded,
    AuctionOpened,
    Deleveraged,
    Event,
    InsuranceFunded,
    InsurancePaid,
    LiquidationArmed,
    LiquidationEnded,
    LiquidationStarted,
    LiquidationStep,
    LossCapped,
    MarginCalled,
)
from exchange.gateway_rpc.failures import hexadecimal
from exchange.gateway_rpc.views import SIDES, Catalogue, Json
from exchange.symbols import cash_text, price_text, quantity_text
from exchange.venue import AuctionView, ClearingView

STATUSES: Final = ("open", "called", "liquidating", "auctioned")
"""Of an account, by number (docs/protocol.md, 5)."""

_NAMES: Final[dict[type[Event], str]] = {
    MarginCalled: "marginCalled",
    LiquidationArmed: "liquidationArmed",
    LiquidationStarted: "liquidationStarted",
    LiquidationStep: "liquidationStep",
    AuctionOpened: "auctionOpened",
    AuctionBidTaken: "auctionBidTaken",
    AuctionEnded: "auctionEnded",
    InsurancePaid: "insurancePaid",
    InsuranceFunded: "insuranceFunded",
    Deleveraged: "deleveraged",
    LossCapped: "lossCapped",
    LiquidationEnded: "liquidationEnded",
}
_REASONS: Final[dict[type[Event], tuple[str, ...]]] = {
    AuctionEnded: AUCTION_ENDS,
    InsurancePaid: FUND_PAYS,
    InsuranceFunded: FUND_TAKES,
}
_FLAGS: Final = ("is_armed", "is_insolvent")
_PRICES: Final = ("limit_price_micro", "mark_micro")
_QUANTITIES: Final = ("asked_lots", "filled_lots", "quantity_lots")


def is_of_liquidation(event: Event) -> bool:
    return type(event) in _NAMES


def parties(event: Any) -> tuple[int, ...]:
    """The accounts that an event of liquidation is about."""
    if isinstance(event, AuctionBidTaken):
        return (event.account, event.bidder)
    if isinstance(event, Deleveraged):
        return (event.account, event.counterparty)
    return () if isinstance(event, LiquidationArmed) else (event.account,)


def liquidation_json(event: Event, catalogue: Catalogue) -> Json:
    """An event of liquidation, field by field."""
    view: Json = {"event": _NAMES[type(event)]}
    instrument: int = getattr(event, "instrument", -1)
    for name in event.__struct_fields__:
        value: Any = getattr(event, name)
        if name == "instrument":
            view["symbol"] = catalogue.symbol(value)
        elif name == "sells":
            view["side"] = SIDES[value]
        elif name == "reason":
            view["reason"] = _REASONS[type(event)][value]
        elif name == "before":
            view["before"] = STATUSES[value]
        elif name == "moved":
            view["moved"] = [_lots(number, lots, catalogue) for number, lots in value]
        elif name in _FLAGS:
            view[_camel(name)] = value == 1
        elif name in _PRICES:
            price = price_text(value, catalogue.lot_e8(instrument))
            view[_camel(name.removesuffix("_micro"))] = price
        elif name in _QUANTITIES:
            quantity = quantity_text(value, catalogue.lot_e8(instrument))
            view[_camel(name.removesuffix("_lots"))] = quantity
        elif name.endswith("_micro"):
            view[_camel(name.removesuffix("_micro"))] = cash_text(value)
        elif name.endswith("_ns"):
            view[_camel(name)] = str(value)
        elif isinstance(value, bytes):
            view[_camel(name)] = hexadecimal(value)
        else:
            view[_camel(name)] = value
    return view


def auction_json(view: AuctionView, catalogue: Catalogue) -> Json:
    return {
        "account": view.account,
        "isInsolvent": view.is_insolvent,
        "sinceNs": str(view.since_ns),
        "equity": cash_text(view.equity_micro),
        "worst": cash_text(view.worst_micro),
        "maintenance": cash_text(view.maintenance_micro),
        "discountE6": view.discount_e6,
        "worth": cash_text(view.worth_micro),
        "price": cash_text(view.price_micro),
        "priceMicro": str(view.price_micro),
        "shareE6": view.share_e6,
        "positions": [_lots(number, lots, catalogue) for number, _, lots in view.lots],
    }


def clearing_json(view: ClearingView) -> Json:
    return {
        "isArmed": view.is_armed,
        "insuranceFund": cash_text(view.fund_micro),
        "epoch": view.epoch,
        "epochEndsSeconds": view.epoch_ends_s,
        "lostInEpoch": cash_text(view.lost_micro),
        "liquidated": list(view.liquidated),
    }


def _lots(instrument: int, lots: int, catalogue: Catalogue) -> Json:
    return {
        "symbol": catalogue.symbol(instrument),
        "quantity": quantity_text(lots, catalogue.lot_e8(instrument)),
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
