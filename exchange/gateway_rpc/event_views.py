"""Events in JSON: an account's own, and the trades that everyone may see.

Holds: an account sees its side of a fill and nothing of the other's account, order or fee.
Never: shows the operator's commands; they have methods of their own.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from exchange.events import (
    CANCEL_REASONS,
    AccountOpened,
    CashTransferred,
    CollateralConverted,
    ComboFilled,
    CommandRejected,
    CounterRaised,
    DepositCredited,
    Event,
    KeyRegistered,
    MarginChosen,
    OrderAwaiting,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderReduced,
    OrderReplenished,
    OrderRepriced,
    OrderRested,
    OrdersCancelled,
    OrderTriggered,
    PositionSettled,
    PositionTransferred,
    ProtectionReset,
    ProtectionSet,
    ProtectionTripped,
    QuoteRejected,
    QuotesTaken,
    WithdrawalRequested,
)
from exchange.gateway_rpc.failures import hexadecimal, reject_data
from exchange.gateway_rpc.liquidation_views import (
    is_of_liquidation,
    liquidation_json,
    parties,
)
from exchange.gateway_rpc.margin_json import MARGIN_MODELS
from exchange.gateway_rpc.views import SIDES, Catalogue, Json
from exchange.state import USDC
from exchange.symbols import cash_text, price_text, quantity_text
from matching.rejects import Reject

PROTECTION_LIMITS: Final = {1: "quantity", 2: "delta", 3: "vega"}


def own_events(happened: Sequence[Event], account: int, catalogue: Catalogue) -> list[Json]:
    """What of a command concerns `account`, in the order in which it happened."""
    views: list[Json] = []
    for event in happened:
        if isinstance(event, OrderFilled):
            views += _fill_sides(event, account, catalogue)
        elif isinstance(event, ComboFilled):
            views += _combo_sides(event, account, catalogue)
        elif isinstance(event, CashTransferred | PositionTransferred):
            if account in (event.account, event.to_account):
                views.append(_transferred(event, catalogue))
        elif isinstance(event, CollateralConverted):
            if account in (event.buyer, event.debtor):
                views.append(_converted(event, account))
        elif is_of_liquidation(event):
            if account in parties(event):
                views.append(liquidation_json(event, catalogue))
        else:
            view = _VIEWS.get(type(event))
            if view is not None and _account_of(event) == account:
                views.append(view(event, catalogue))
    return views


def accounts_of(happened: Sequence[Event]) -> list[int]:
    """The accounts that a command's events concern, each once, as they come."""
    accounts: dict[int, None] = {}
    for event in happened:
        if isinstance(event, OrderFilled | ComboFilled):
            accounts[event.taker] = None
            if not isinstance(event, ComboFilled) or event.maker_left_units >= 0:
                accounts[event.maker] = None
        elif isinstance(event, CashTransferred | PositionTransferred):
            accounts[event.account] = accounts[event.to_account] = None
        elif isinstance(event, CollateralConverted):
            accounts[event.buyer] = accounts[event.debtor] = None
        elif is_of_liquidation(event):
            for account in parties(event):
                accounts[account] = None
        elif type(event) in _VIEWS:
            accounts[_account_of(event)] = None
    return list(accounts)


def _account_of(event: Any) -> int:
    """Whose event it is, for the types of `_VIEWS`."""
    return event.account


def public_trades(happened: Sequence[Event], catalogue: Catalogue) -> list[Json]:
    """The trades of a command, without who made them; `side` is the taker's."""
    trades: list[Json] = []
    for event in happened:
        if isinstance(event, OrderFilled):
            lot = catalogue.lot_e8(event.instrument)
            trades.append(
                {
                    "trade": event.trade,
                    "symbol": catalogue.symbol(event.instrument),
                    "side": _taker_side(event),
                    "price": price_text(event.price_micro, lot),
                    "quantity": quantity_text(event.quantity_lots, lot),
                    "comboTrade": event.combo_trade,
                }
            )
        elif isinstance(event, ComboFilled):
            lot = catalogue.lot_of_legs(catalogue.legs(event.book))
            trades.append(
                {
                    "trade": 0,
                    "symbol": catalogue.symbol(event.book),
                    "side": _taker_side(event),
                    "price": price_text(event.net_price_micro, lot),
                    "quantity": quantity_text(event.units, lot),
                    "comboTrade": event.combo_trade,
                }
            )
    return trades


def public_liquidations(happened: Sequence[Event], catalogue: Catalogue) -> list[Json]:
    """What a command did in liquidation, for everyone."""
    return [liquidation_json(event, catalogue) for event in happened if is_of_liquidation(event)]


def _taker_side(event: OrderFilled | ComboFilled) -> str:
    return SIDES[0] if event.taker_buys else SIDES[1]


def _maker_side(event: OrderFilled | ComboFilled) -> str:
    return SIDES[1] if event.taker_buys else SIDES[0]


def _fill_sides(event: OrderFilled, account: int, catalogue: Catalogue) -> list[Json]:
    lot = catalogue.lot_e8(event.instrument)

    def side(is_maker: bool, order_hash: bytes, fee_micro: int, left_lots: int) -> Json:
        return {
            "event": "orderFilled",
            "orderHash": hexadecimal(order_hash),
            "trade": event.trade,
            "symbol": catalogue.symbol(event.instrument),
            "side": _maker_side(event) if is_maker else _taker_side(event),
            "price": price_text(event.price_micro, lot),
            "quantity": quantity_text(event.quantity_lots, lot),
            "fee": cash_text(fee_micro),
            "remaining": None if left_lots < 0 else quantity_text(left_lots, lot),
            "isMaker": is_maker,
            "comboTrade": event.combo_trade,
        }

    sides: list[Json] = []
    if event.taker == account:
        sides.append(
            side(False, event.taker_order_hash, event.taker_fee_micro, event.taker_left_lots)
        )
    if event.maker == account:
        sides.append(
            side(True, event.maker_order_hash, event.maker_fee_micro, event.maker_left_lots)
        )
    return sides


def _combo_sides(event: ComboFilled, account: int, catalogue: Catalogue) -> list[Json]:
    lot = catalogue.lot_of_legs(catalogue.legs(event.book))

    def side(is_maker: bool, order_hash: bytes, left_units: int) -> Json:
        return {
            "event": "comboFilled",
            "orderHash": hexadecimal(order_hash),
            "comboTrade": event.combo_trade,
            "symbol": catalogue.symbol(event.book),
            "side": _maker_side(event) if is_maker else _taker_side(event),
            "price": price_text(event.net_price_micro, lot),
            "quantity": quantity_text(event.units, lot),
            "remaining": None if left_units < 0 else quantity_text(left_units, lot),
            "isMaker": is_maker,
        }

    sides: list[Json] = []
    if event.taker == account and event.taker_left_units >= 0:
        sides.append(side(False, event.taker_order_hash, event.taker_left_units))
    if event.maker == account and event.maker_left_units >= 0:
        sides.append(side(True, event.maker_order_hash, event.maker_left_units))
    return sides


def _placed(event: OrderPlaced, catalogue: Catalogue) -> Json:
    lot = catalogue.lot_of_legs(catalogue.legs(event.book))
    return {
        "event": "orderPlaced",
        "orderHash": hexadecimal(event.order_hash),
        "symbol": catalogue.symbol(event.book),
        "side": SIDES[event.side],
        "price": price_text(event.limit_price_micro, lot),
        "quantity": quantity_text(event.quantity_lots, lot),
    }


def _rested(event: OrderRested, catalogue: Catalogue) -> Json:
    lot = catalogue.lot_of_legs(catalogue.legs(event.book))
    return {
        "event": "orderRested",
        "orderHash": hexadecimal(event.order_hash),
        "symbol": catalogue.symbol(event.book),
        "side": SIDES[event.side],
        "price": price_text(event.price_micro, lot),
        "remaining": quantity_text(event.remaining_lots, lot),
        "displayed": quantity_text(event.displayed_lots, lot),
    }


def _repriced(event: OrderRepriced | OrderReplenished, catalogue: Catalogue) -> Json:
    is_replenished = isinstance(event, OrderReplenished)
    lot = catalogue.lot_of_legs(catalogue.legs(event.book))
    return {
        "event": "orderReplenished" if is_replenished else "orderRepriced",
        "orderHash": hexadecimal(event.order_hash),
        "symbol": catalogue.symbol(event.book),
        "side": SIDES[event.side],
        "price": price_text(event.price_micro, lot),
        "remaining": quantity_text(event.remaining_lots, lot),
        "displayed": quantity_text(event.displayed_lots, lot),
    }


def _reduced(event: OrderReduced, catalogue: Catalogue) -> Json:
    lot = catalogue.lot_of_legs(catalogue.legs(event.book))
    return {
        "event": "orderReduced",
        "orderHash": hexadecimal(event.order_hash),
        "symbol": catalogue.symbol(event.book),
        "side": SIDES[event.side],
        "quantity": quantity_text(event.lots, lot),
        "remaining": quantity_text(event.remaining_lots, lot),
        "reason": event.reason,
        "reasonText": CANCEL_REASONS[event.reason],
    }


def _cancelled(event: OrderCancelled, catalogue: Catalogue) -> Json:
    lot = catalogue.lot_of_legs(catalogue.legs(event.book))
    return {
        "event": "orderCancelled",
        "orderHash": hexadecimal(event.order_hash),
        "symbol": catalogue.symbol(event.book),
        "side": SIDES[event.side],
        "remaining": quantity_text(event.remaining_lots, lot),
        "reason": event.reason,
        "reasonText": CANCEL_REASONS[event.reason],
    }


def _all_cancelled(event: OrdersCancelled, _: Catalogue) -> Json:
    return {
        "event": "ordersCancelled",
        "messageHash": hexadecimal(event.message_hash),
        "scope": event.scope,
        "value": str(event.value),
        "count": event.count,
    }


def _awaiting(event: OrderAwaiting, catalogue: Catalogue) -> Json:
    lot = catalogue.lot_of_legs(catalogue.legs(event.book))
    return {
        "event": "orderAwaiting",
        "orderHash": hexadecimal(event.order_hash),
        "symbol": catalogue.symbol(event.book),
        "trigger": event.trigger,
        "triggerPrice": price_text(event.trigger_price_micro, lot) if event.trigger else None,
        "parent": hexadecimal(event.parent) if any(event.parent) else None,
    }


def _triggered(event: OrderTriggered, catalogue: Catalogue) -> Json:
    lot = catalogue.lot_of_legs(catalogue.legs(event.book))
    return {
        "event": "orderTriggered",
        "orderHash": hexadecimal(event.order_hash),
        "symbol": catalogue.symbol(event.book),
        "price": price_text(event.price_micro, lot) if event.price_micro else None,
    }


def _rejected(event: CommandRejected, _: Catalogue) -> Json:
    return {
        "event": "commandRejected",
        "messageHash": hexadecimal(event.message_hash),
        **reject_data(Reject(event.code, event.got, event.allowed)),
    }


def _quote_rejected(event: QuoteRejected, _: Catalogue) -> Json:
    return {
        "event": "quoteRejected",
        "index": event.index,
        "side": SIDES[event.side],
        **reject_data(Reject(event.code, event.got, event.allowed)),
    }


def _quotes_taken(event: QuotesTaken, _: Catalogue) -> Json:
    return {
        "event": "quotesTaken",
        "messageHash": hexadecimal(event.message_hash),
        "label": str(event.label),
        "taken": event.taken,
        "refused": event.refused,
    }


def _tripped(event: ProtectionTripped, _: Catalogue) -> Json:
    return {
        "event": "protectionTripped",
        "group": event.group,
        "what": PROTECTION_LIMITS[event.what],
        "got": str(event.got),
        "limit": str(event.limit),
    }


def _protection_set(event: ProtectionSet, _: Catalogue) -> Json:
    return {
        "event": "protectionSet",
        "group": event.group,
        "windowMs": event.window_ms,
        "frozenMs": event.frozen_ms,
        "quantityLimitLots": event.quantity_limit_lots,
        "deltaLimitE6": str(event.delta_limit_e6),
        "vegaLimitMicro": str(event.vega_limit_micro),
    }


def _margin_chosen(event: MarginChosen, _: Catalogue) -> Json:
    return {
        "event": "marginChosen",
        "model": MARGIN_MODELS[event.model],
        "tier": event.tier,
        "leastTier": event.least_tier,
    }


def _protection_reset(event: ProtectionReset, _: Catalogue) -> Json:
    return {"event": "protectionReset", "group": event.group}


def _opened(event: AccountOpened, _: Catalogue) -> Json:
    return {"event": "accountOpened", "account": event.account, "owner": hexadecimal(event.owner)}


def _credited(event: DepositCredited, _: Catalogue) -> Json:
    return {
        "event": "depositCredited",
        "asset": event.asset,
        "amount": cash_text(event.amount_micro),
        "balance": cash_text(event.balance_micro),
    }


def _registered(event: KeyRegistered, _: Catalogue) -> Json:
    return {
        "event": "keyRegistered",
        "key": hexadecimal(event.key),
        "validUntilSeconds": event.valid_until_s,
    }


def _withdrawn(event: WithdrawalRequested, _: Catalogue) -> Json:
    return {
        "event": "withdrawalRequested",
        "number": event.number,
        "asset": event.asset,
        "amount": cash_text(event.amount_micro),
        "balance": cash_text(event.balance_micro),
    }


def _transferred(event: CashTransferred | PositionTransferred, catalogue: Catalogue) -> Json:
    """Both accounts are their owner's: each sees the other."""
    between = {"account": event.account, "toAccount": event.to_account}
    if isinstance(event, CashTransferred):
        amount = {"asset": event.asset, "amount": cash_text(event.amount_micro)}
        left, given = cash_text(event.cash_micro), cash_text(event.to_cash_micro)
        if event.asset == USDC:
            cash = {"cash": left, "toCash": given}
            return {"event": "cashTransferred", **between, **amount, **cash}
        balances = {"balance": left, "toBalance": given}
        return {"event": "collateralTransferred", **between, **amount, **balances}
    lot = catalogue.lot_e8(event.instrument)
    return {
        "event": "positionTransferred",
        **between,
        "symbol": catalogue.symbol(event.instrument),
        "quantity": quantity_text(event.quantity_lots, lot),
        "position": quantity_text(event.position_lots, lot),
        "toPosition": quantity_text(event.to_position_lots, lot),
    }


def _raised(event: CounterRaised, _: Catalogue) -> Json:
    return {"event": "counterRaised", "counter": event.counter}


def _settled(event: PositionSettled, catalogue: Catalogue) -> Json:
    return {
        "event": "positionSettled",
        "symbol": catalogue.symbol(event.instrument),
        "amount": cash_text(event.amount_micro),
        "isClosed": event.closed == 1,
    }


def _converted(event: CollateralConverted, account: int) -> Json:
    """What was sold for what; of both, only one's own cash and excess."""
    view = {
        "event": "collateralConverted",
        "buyer": event.buyer,
        "debtor": event.debtor,
        "asset": event.asset,
        "amount": cash_text(event.amount_micro),
        "paid": cash_text(event.paid_micro),
    }
    if account == event.buyer:
        return {**view, "cash": cash_text(event.buyer_cash_micro)}
    return {
        **view,
        "cash": cash_text(event.debtor_cash_micro),
        "excessBefore": cash_text(event.excess_before_micro),
        "excess": cash_text(event.excess_after_micro),
    }


_VIEWS: Final[dict[type[Event], Callable[[Any, Catalogue], Json]]] = {
    OrderPlaced: _placed,
    OrderRested: _rested,
    OrderRepriced: _repriced,
    OrderReduced: _reduced,
    OrderReplenished: _repriced,
    OrderCancelled: _cancelled,
    OrderAwaiting: _awaiting,
    OrderTriggered: _triggered,
    OrdersCancelled: _all_cancelled,
    CommandRejected: _rejected,
    AccountOpened: _opened,
    DepositCredited: _credited,
    KeyRegistered: _registered,
    WithdrawalRequested: _withdrawn,
    CounterRaised: _raised,
    PositionSettled: _settled,
    QuoteRejected: _quote_rejected,
    QuotesTaken: _quotes_taken,
    ProtectionTripped: _tripped,
    ProtectionSet: _protection_set,
    ProtectionReset: _protection_reset,
    MarginChosen: _margin_chosen,
}
