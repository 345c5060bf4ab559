"""Answers in JSON: what the venue's views become for people and programs.

Holds: prices, quantities and cash are exact decimal strings in the units of exchange/symbols.py;
`timeNs` and the 64-bit fields of signed messages are decimal strings too, since they pass 2^53;
sequences, counts and numbers are JSON integers; bytes are hexadecimal after 0x.
Never: a float.
"""

from typing import Any, Final

from exchange.gateway_rpc.failures import hexadecimal
from exchange.gateway_rpc.margin_json import MARGIN_MODELS
from exchange.symbols import cash_text, price_text, quantity_text
from exchange.venue import (
    Acknowledgement,
    AssetView,
    BookView,
    CollateralView,
    DomainView,
    FillPage,
    FillView,
    InstrumentView,
    Legs,
    LevelView,
    MarginView,
    OrderView,
    PositionView,
    ProtectionView,
    StatusView,
    Venue,
    WithdrawalView,
)
from margin.collateral import KIND_NAMES
from matching.combos import COMBO_BASE
from matching.instruments import CALL, FUTURE, MAX_LOTS, PERPETUAL, PUT
from matching.trading_states import STATE_NAMES

KINDS: Final = {PERPETUAL: "perpetual", FUTURE: "future", CALL: "call", PUT: "put"}
SIDES: Final = ("buy", "sell")

Json = dict[str, Any]


class Catalogue:
    """Symbols and lot sizes by book and by instrument, asked of the venue once each."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._lots: dict[int, int] = {}

    def lot_e8(self, instrument: int) -> int:
        if instrument not in self._lots:
            for view in self._venue.instruments():
                self._lots[view.instrument] = view.lot_e8
        return self._lots[instrument]

    def lot_of_legs(self, legs: Legs) -> int:
        """The lot that prices and quantities are written in: of a combo, its first leg's."""
        return self.lot_e8(legs[0][0])

    def legs(self, book: int) -> Legs:
        return ((book, 1),) if book < COMBO_BASE else self._venue.legs_of(book)

    def symbol(self, book: int) -> str:
        return self._venue.symbol_of(self.legs(book))


def domain_json(domain: DomainView) -> Json:
    """What a wallet needs to sign, with the bounds and fees that an order must respect."""
    return {
        "name": domain.name,
        "version": domain.version,
        "chainId": str(domain.chain_id),
        "verifyingContract": hexadecimal(domain.settlement),
        "vault": hexadecimal(domain.vault),
        "operator": hexadecimal(domain.operator),
        "fees": {
            "makerE6": domain.maker_fee_e6,
            "takerE6": domain.taker_fee_e6,
            "capE4": domain.fee_cap_e4,
            "rebateStepE6": domain.rebate_step_e6,
            "liquidationE6": domain.liquidation_fee_e6,
            "comboDiscountPercent": domain.combo_discount,
        },
        "maxQuantityLots": MAX_LOTS,
        "asset": 0,
    }


def status_json(status: StatusView) -> Json:
    return {
        "sequence": status.sequence,
        "timeNs": str(status.time_ns),
        "stateRoot": hexadecimal(status.state_root),
        "batchesCut": status.batches_cut,
        "batchesConfirmed": status.batches_confirmed,
        "openOrders": status.open_orders,
        "accounts": status.accounts,
        "isChainUp": status.chain_up,
    }


def instrument_json(view: InstrumentView) -> Json:
    lot = view.lot_e8

    def price(value_micro: int | None) -> str | None:
        return None if value_micro is None else price_text(value_micro, lot)

    return {
        "instrument": view.instrument,
        "symbol": view.symbol,
        "kind": KINDS[view.kind],
        "underlying": view.underlying,
        "expirySeconds": view.expiry_time_s,
        "strike": price_text(view.strike_micro, lot),
        "tick": price_text(view.tick_value_micro, lot),
        "tickValueMicro": view.tick_value_micro,
        "lot": quantity_text(1, lot),
        "lotE8": str(lot),
        "isOpen": view.is_open,
        "state": STATE_NAMES[view.state],
        "mark": price(view.mark_micro),
        "displayMark": price(view.display_mark_micro),
        "index": price(view.index_micro),
    }


def legs_json(legs: Legs) -> list[Json]:
    return [{"instrument": instrument, "ratio": ratio} for instrument, ratio in legs]


def book_json(view: BookView, lot_e8: int) -> Json:
    """Both sides, best first; a combo's prices and quantities are per unit."""

    def level(of: LevelView) -> Json:
        return {
            "price": price_text(of.price_micro, lot_e8),
            "quantity": quantity_text(of.quantity_lots, lot_e8),
            "orders": of.orders,
        }

    return {
        "symbol": view.symbol,
        "legs": legs_json(view.legs),
        "tick": price_text(view.tick_micro, lot_e8),
        "sequence": view.sequence,
        "bids": [level(of) for of in view.bids],
        "asks": [level(of) for of in view.asks],
    }


def position_json(view: PositionView, lot_e8: int) -> Json:
    """`quantity` is negative where the account is short; `value` is cash."""
    return {
        "instrument": view.instrument,
        "symbol": view.symbol,
        "quantity": quantity_text(view.quantity_lots, lot_e8),
        "mark": price_text(view.mark_micro, lot_e8),
        "value": cash_text(view.value_micro),
    }


def margin_json(view: MarginView, counter: int) -> Json:
    return {
        "account": view.account,
        "counter": counter,
        "cash": cash_text(view.cash_micro),
        "equity": cash_text(view.equity_micro),
        "initialMargin": cash_text(view.initial_margin_micro),
        "maintenanceMargin": cash_text(view.maintenance_margin_micro),
        "excess": cash_text(view.excess_micro),
        "free": cash_text(view.free_micro),
        "openOrders": view.open_orders,
        "positions": view.positions,
        "worstScenario": view.worst_scenario,
        "model": MARGIN_MODELS[view.model],
        "tier": view.tier,
        "leastTier": view.least_tier,
        "collateral": [collateral_json(held) for held in view.collateral],
    }


def collateral_json(view: CollateralView) -> Json:
    """Amounts in tokens, what they count in USDC."""
    return {
        "asset": view.asset,
        "name": view.name,
        "balance": cash_text(view.balance_micro),
        "counted": cash_text(view.counted_micro),
        "worth": cash_text(view.scan_micro),
        "initialWorth": cash_text(view.initial_micro),
        "free": cash_text(view.free_micro),
    }


def asset_json(view: AssetView) -> Json:
    """Haircuts and discount in 1e-4, the cap in tokens."""
    return {
        "asset": view.asset,
        "name": view.name,
        "decimals": view.decimals,
        "kind": KIND_NAMES[view.kind],
        "underlying": view.underlying,
        "initialHaircutE4": view.initial_haircut_e4,
        "maintenanceHaircutE4": view.maintenance_haircut_e4,
        "cap": cash_text(view.cap_micro),
        "discountE4": view.discount_e4,
    }


def order_json(view: OrderView, lot_e8: int) -> Json:
    return {
        "orderHash": hexadecimal(view.order_hash),
        "account": view.account,
        "symbol": view.symbol,
        "legs": legs_json(view.legs),
        "side": SIDES[view.side],
        "price": price_text(view.limit_price_micro, lot_e8),
        "quantity": quantity_text(view.quantity_lots, lot_e8),
        "remaining": quantity_text(view.remaining_lots, lot_e8),
        "displayed": quantity_text(view.displayed_lots, lot_e8),
        "expirySeconds": view.expiry_s,
        "isWaiting": view.is_waiting,
        "trigger": view.trigger,
        "triggerPrice": price_text(view.trigger_price_micro, lot_e8) if view.trigger else None,
        "parent": None if view.parent is None else hexadecimal(view.parent),
    }


def fill_json(view: FillView, lot_e8: int) -> Json:
    return {
        "sequence": view.sequence,
        "timeNs": str(view.time_ns),
        "trade": view.trade,
        "instrument": view.instrument,
        "symbol": view.symbol,
        "side": SIDES[view.side],
        "price": price_text(view.price_micro, lot_e8),
        "quantity": quantity_text(view.quantity_lots, lot_e8),
        "fee": cash_text(view.fee_micro),
        "isMaker": view.is_maker,
        "orderHash": hexadecimal(view.order_hash),
        "comboTrade": view.combo_trade,
    }


def fills_json(page: FillPage, catalogue: Catalogue) -> Json:
    """Ask again with `since` = `nextSince` where `truncated`."""
    return {
        "fills": [fill_json(fill, catalogue.lot_e8(fill.instrument)) for fill in page.fills],
        "nextSince": page.next_since,
        "truncated": page.truncated,
    }


def withdrawal_json(view: WithdrawalView) -> Json:
    """With `batch` and `siblings`, what `Vault.claim` takes; `batch` is null until it is posted."""
    return {
        "number": view.number,
        "account": view.account,
        "owner": hexadecimal(view.owner),
        "asset": view.asset,
        "amount": cash_text(view.amount_micro),
        "amountMicro": str(view.amount_micro),
        "batch": view.batch,
        "siblings": [hexadecimal(sibling) for sibling in view.siblings],
        "isClaimed": view.claimed,
    }


def acknowledgement_json(view: Acknowledgement) -> Json:
    """The operator's signed word; names are those of the EIP-712 struct."""
    return {
        "sequence": str(view.sequence),
        "orderHash": hexadecimal(view.order_hash),
        "journalHash": hexadecimal(view.journal_hash),
        "signature": hexadecimal(view.signature),
    }


def protection_json(view: ProtectionView) -> Json:
    return {
        "group": view.group,
        "windowMs": view.window_ms,
        "frozenMs": view.frozen_ms,
        "quantityLimitLots": view.quantity_limit_lots,
        "deltaLimitE6": str(view.delta_limit_e6),
        "vegaLimitMicro": str(view.vega_limit_micro),
        "lots": view.lots,
        "deltaE6": str(view.delta_e6),
        "vegaMicro": str(view.vega_micro),
        "isTripped": view.is_tripped,
        "thawsNs": str(view.thaws_ns),
    }
