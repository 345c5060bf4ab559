"""What each method does: typed parameters in, JSON or a failure out.

Holds: one row of `Methods.table` per method, in the order of docs/rpc.md; a message that changes
something is answered once, with the operator's acknowledgement, after it is durable.
Never: decides anything about an order beyond its form; raises for what a stranger sent.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from exchange.gateway_rpc.channels import Channels, Subscriber
from exchange.gateway_rpc.event_views import own_events
from exchange.gateway_rpc.failures import (
    INVALID_PARAMS,
    Failure,
    hexadecimal,
    malformed,
    needs_socket,
    refused,
    signature_refused,
    unknown_method,
)
from exchange.gateway_rpc.liquidation_views import auction_json, clearing_json
from exchange.gateway_rpc.margin_methods import MarginMethods
from exchange.gateway_rpc.margin_requests import OfPortfolio, OfWhatIf
from exchange.gateway_rpc.market_views import MarketViews
from exchange.gateway_rpc.oracle_views import SignedPriceReport, oracle_events, oracle_json
from exchange.gateway_rpc.requests import (
    OfAccount,
    OfBook,
    OfChannels,
    OfFills,
    OfInstruments,
    OfOrder,
    OfOwner,
    OfSymbol,
    OfTrades,
    Params,
    Request,
    decoder,
    read_params,
)
from exchange.gateway_rpc.signed_requests import (
    SignedBidAuction,
    SignedCancel,
    SignedCancelAll,
    SignedCancelWhere,
    SignedChooseMargin,
    SignedConvertCollateral,
    SignedFundInsurance,
    SignedMassQuote,
    SignedOrder,
    SignedResetProtection,
    SignedSetProtection,
    SignedTransferCash,
    SignedTransferPosition,
    SignedWithdraw,
)
from exchange.gateway_rpc.views import (
    Catalogue,
    Json,
    acknowledgement_json,
    asset_json,
    book_json,
    domain_json,
    fills_json,
    instrument_json,
    margin_json,
    order_json,
    position_json,
    protection_json,
    status_json,
    withdrawal_json,
)
from exchange.handlers.refusal import NO_ACCOUNT
from exchange.venue import Legs, Venue, Verdict
from matching.combos import canonical_legs
from matching.rejects import UNKNOWN_INSTRUMENT, UNKNOWN_ORDER, Reject
from settlement.mass_quotes import check_mass_quote
from settlement.order_fields import check_order_fields
from settlement.signed_messages import NO_ORDER

Answer = Any
"""What stands in `result`, or a Failure."""


class _Method(NamedTuple):
    params: msgspec.json.Decoder[Any]
    run: Callable[[Any, Subscriber | None], Awaitable[Answer]]
    needs_socket: bool


class Methods:
    """The methods of the door over one venue."""

    def __init__(self, venue: Venue, catalogue: Catalogue, channels: Channels) -> None:
        self._venue = venue
        self._catalogue = catalogue
        self._channels = channels
        self._views = MarketViews(venue, catalogue)
        margin = MarginMethods(venue, catalogue)
        self.table: dict[str, _Method] = {
            "public/domain": _method(Params, self._domain),
            "public/status": _method(Params, self._status),
            "public/instruments": _method(OfInstruments, self._instruments),
            "public/book": _method(OfBook, self._book),
            "public/book_levels": _method(OfSymbol, self._book_l2),
            "public/book_orders": _method(OfSymbol, self._book_l3),
            "public/ticker": _method(OfSymbol, self._ticker),
            "public/statistics": _method(OfSymbol, self._statistics),
            "public/trades": _method(OfTrades, self._trades),
            "public/states": _method(Params, self._states),
            "public/auctions": _method(Params, self._auctions),
            "public/clearing": _method(Params, self._clearing),
            "public/assets": _method(Params, self._assets),
            "public/portfolio_margin": _method(OfPortfolio, margin.portfolio),
            "account/of_owner": _method(OfOwner, self._accounts_of),
            "account/margin": _method(OfAccount, self._margin),
            "account/breakdown": _method(OfAccount, margin.breakdown),
            "account/liquidation": _method(OfAccount, margin.liquidation),
            "account/what_if": _method(OfWhatIf, margin.what_if),
            "account/choose_margin": _method(SignedChooseMargin, self._choose_margin),
            "account/positions": _method(OfAccount, self._positions),
            "account/orders": _method(OfAccount, self._orders),
            "account/fills": _method(OfFills, self._fills),
            "account/withdrawals": _method(OfAccount, self._withdrawals),
            "account/withdraw": _method(SignedWithdraw, self._withdraw),
            "collateral/convert": _method(SignedConvertCollateral, self._convert),
            "transfer/cash": _method(SignedTransferCash, self._transfer_cash),
            "transfer/position": _method(SignedTransferPosition, self._transfer_position),
            "auction/bid": _method(SignedBidAuction, self._bid_auction),
            "insurance/fund": _method(SignedFundInsurance, self._fund_insurance),
            "order/place": _method(SignedOrder, self._place),
            "order/replace": _method(SignedOrder, self._replace),
            "order/cancel": _method(SignedCancel, self._cancel),
            "order/cancel_all": _method(SignedCancelAll, self._cancel_all),
            "order/cancel_where": _method(SignedCancelWhere, self._cancel_where),
            "quote/mass": _method(SignedMassQuote, self._quote_mass),
            "protection/set": _method(SignedSetProtection, self._set_protection),
            "protection/reset": _method(SignedResetProtection, self._reset_protection),
            "protection/get": _method(OfAccount, self._protections),
            "order/status": _method(OfOrder, self._order),
            "oracle/report": _method(SignedPriceReport, self._report_prices),
            "oracle/status": _method(Params, self._oracles),
            "subscribe": _method(OfChannels, self._subscribe, needs_socket=True),
            "unsubscribe": _method(OfChannels, self._unsubscribe, needs_socket=True),
        }

    async def run(self, request: Request, subscriber: Subscriber | None) -> Answer:
        """Runs a request; `subscriber` is the connection it came on, None over HTTP."""
        method = self.table.get(request.method)
        if method is None:
            return unknown_method(request.method, list(self.table))
        if method.needs_socket and subscriber is None:
            return needs_socket(request.method)
        params = read_params(method.params, request.params)
        if isinstance(params, Failure):
            return params
        return await method.run(params, subscriber)

    # Public

    async def _domain(self, _: Params, __: object) -> Answer:
        return domain_json(self._venue.domain())

    async def _status(self, _: Params, __: object) -> Answer:
        return status_json(self._venue.status())

    async def _instruments(self, params: OfInstruments, _: object) -> Answer:
        return [
            instrument_json(view)
            for view in self._venue.instruments()
            if params.underlying in (None, view.underlying)
        ]

    async def _book(self, params: OfBook, _: object) -> Answer:
        """The book of the canonical legs: a combo may be written in any order and sign."""
        legs = self._legs(params.symbol)
        if isinstance(legs, Failure):
            return legs
        view = self._venue.book(legs, params.depth)
        if isinstance(view, Reject):
            return refused(view)
        return book_json(view, self._catalogue.lot_of_legs(legs))

    def _legs(self, symbol: str) -> Legs | Failure:
        """The canonical legs of a symbol."""
        written = self._venue.resolve(symbol)
        if isinstance(written, Reject):
            return refused(written)
        legs, _sign, _factor = canonical_legs(written)
        return legs or refused(Reject(UNKNOWN_INSTRUMENT, -1, 0))

    async def _book_l2(self, params: OfSymbol, _: object) -> Answer:
        legs = self._legs(params.symbol)
        return legs if isinstance(legs, Failure) else self._views.book_l2(legs)

    async def _book_l3(self, params: OfSymbol, _: object) -> Answer:
        legs = self._legs(params.symbol)
        return legs if isinstance(legs, Failure) else self._views.book_l3(legs)

    async def _ticker(self, params: OfSymbol, _: object) -> Answer:
        legs = self._legs(params.symbol)
        return legs if isinstance(legs, Failure) else self._views.ticker(legs)

    async def _statistics(self, params: OfSymbol, _: object) -> Answer:
        legs = self._legs(params.symbol)
        return legs if isinstance(legs, Failure) else self._views.statistics(legs)

    async def _trades(self, params: OfTrades, _: object) -> Answer:
        legs = None if params.symbol is None else self._legs(params.symbol)
        return legs if isinstance(legs, Failure) else self._views.trades(legs, params.limit)

    async def _states(self, _: Params, __: object) -> Answer:
        return self._views.states()

    async def _assets(self, _: Params, __: object) -> Answer:
        return [asset_json(view) for view in self._venue.assets()]

    async def _auctions(self, _: Params, __: object) -> Answer:
        return [auction_json(view, self._catalogue) for view in self._venue.auctions()]

    async def _clearing(self, _: Params, __: object) -> Answer:
        return clearing_json(self._venue.clearing())

    async def _bid_auction(self, params: SignedBidAuction, _: object) -> Answer:
        message = params.message.value()
        verdict = await self._venue.bid_auction(message, bytes(params.signature))
        return self._verdict(verdict, message.account)

    async def _fund_insurance(self, params: SignedFundInsurance, _: object) -> Answer:
        message = params.message.value()
        verdict = await self._venue.fund_insurance(message, bytes(params.signature))
        return self._verdict(verdict, message.account)

    # Of an account

    async def _accounts_of(self, params: OfOwner, _: object) -> Answer:
        counted: list[Json] = []
        for view in self._venue.accounts_of(bytes(params.owner)):
            counter = self._venue.counter_of(view.account)
            counted.append(margin_json(view, 0 if isinstance(counter, Reject) else counter))
        return counted

    async def _margin(self, params: OfAccount, _: object) -> Answer:
        view = self._venue.margin(params.account)
        if isinstance(view, Reject):
            return refused(view)
        counter = self._venue.counter_of(params.account)
        return refused(counter) if isinstance(counter, Reject) else margin_json(view, counter)

    async def _positions(self, params: OfAccount, _: object) -> Answer:
        views = self._venue.positions(params.account)
        if isinstance(views, Reject):
            return refused(views)
        return [position_json(view, self._catalogue.lot_e8(view.instrument)) for view in views]

    async def _orders(self, params: OfAccount, _: object) -> Answer:
        views = self._venue.orders(params.account)
        if isinstance(views, Reject):
            return refused(views)
        return [order_json(view, self._catalogue.lot_of_legs(view.legs)) for view in views]

    async def _fills(self, params: OfFills, _: object) -> Answer:
        page = self._venue.fills(params.account, params.since, params.limit)
        return refused(page) if isinstance(page, Reject) else fills_json(page, self._catalogue)

    async def _withdrawals(self, params: OfAccount, _: object) -> Answer:
        views = self._venue.withdrawals(params.account)
        if isinstance(views, Reject):
            return refused(views)
        return [withdrawal_json(view) for view in views]

    async def _withdraw(self, params: SignedWithdraw, _: object) -> Answer:
        withdraw = params.message.value()
        verdict = await self._venue.withdraw(withdraw, bytes(params.signature))
        return self._verdict(verdict, withdraw.account)

    async def _transfer_cash(self, params: SignedTransferCash, _: object) -> Answer:
        message = params.message.value()
        verdict = await self._venue.transfer_cash(message, bytes(params.signature))
        return self._verdict(verdict, message.account)

    async def _transfer_position(self, params: SignedTransferPosition, _: object) -> Answer:
        message = params.message.value()
        verdict = await self._venue.transfer_position(message, bytes(params.signature))
        return self._verdict(verdict, message.account)

    async def _convert(self, params: SignedConvertCollateral, _: object) -> Answer:
        message = params.message.value()
        verdict = await self._venue.convert_collateral(message, bytes(params.signature))
        return self._verdict(verdict, message.account)

    # Orders

    async def _place(self, params: SignedOrder, subscriber: Subscriber | None) -> Answer:
        order = params.message.value()
        reject = check_order_fields(order)
        if reject is not None:
            return refused(reject)
        session = 0 if subscriber is None else subscriber.session
        verdict = await self._venue.place(order, bytes(params.signature), session)
        return self._verdict(verdict, order.account)

    async def _replace(self, params: SignedOrder, subscriber: Subscriber | None) -> Answer:
        if params.message.replaces == NO_ORDER:
            sentence = "Expected the hash of the order to replace, got zero"
            return malformed(INVALID_PARAMS, sentence, "$.message.replaces")
        return await self._place(params, subscriber)

    async def _cancel(self, params: SignedCancel, _: object) -> Answer:
        cancel = params.message.value()
        verdict = await self._venue.cancel(cancel, bytes(params.signature))
        return self._verdict(verdict, cancel.account)

    async def _cancel_all(self, params: SignedCancelAll, _: object) -> Answer:
        cancel_all = params.message.value()
        verdict = await self._venue.cancel_all(cancel_all, bytes(params.signature))
        return self._verdict(verdict, cancel_all.account)

    async def _cancel_where(self, params: SignedCancelWhere, _: object) -> Answer:
        cancel = params.message.signed()
        verdict = await self._venue.cancel_where(cancel, bytes(params.signature))
        return self._verdict(verdict, cancel.account)

    async def _quote_mass(self, params: SignedMassQuote, _: object) -> Answer:
        message = params.message.value()
        reject = check_mass_quote(message)
        if reject is not None:
            return refused(reject)
        verdict = await self._venue.quote_mass(message, bytes(params.signature))
        return self._verdict(verdict, message.account)

    async def _set_protection(self, params: SignedSetProtection, _: object) -> Answer:
        message = params.message.value()
        verdict = await self._venue.set_protection(message, bytes(params.signature))
        return self._verdict(verdict, message.account)

    async def _choose_margin(self, params: SignedChooseMargin, _: object) -> Answer:
        message = params.message.value()
        verdict = await self._venue.choose_margin(message, bytes(params.signature))
        return self._verdict(verdict, message.account)

    async def _reset_protection(self, params: SignedResetProtection, _: object) -> Answer:
        message = params.message.value()
        verdict = await self._venue.reset_protection(message, bytes(params.signature))
        return self._verdict(verdict, message.account)

    async def _protections(self, params: OfAccount, _: object) -> Answer:
        views = self._venue.protections(params.account)
        if isinstance(views, Reject):
            return refused(views)
        return [protection_json(view) for view in views]

    async def _order(self, params: OfOrder, _: object) -> Answer:
        view = self._venue.order(bytes(params.order_hash))
        if view is None:
            return refused(Reject(UNKNOWN_ORDER))
        return order_json(view, self._catalogue.lot_of_legs(view.legs))

    def _verdict(
        self, verdict: Verdict, account: int, public: Sequence[Json] = ()
    ) -> Json | Failure:
        """The final answer to a signed message, with the account's own events and such public ones
        as belong to it; a refusal carries the same facts in `data`.
        """
        word = verdict.acknowledgement
        facts: Json = {
            "messageHash": hexadecimal(verdict.message_hash),
            "sequence": verdict.sequence,
            "timeNs": str(verdict.time_ns),
            "events": [*public, *own_events(verdict.events, account, self._catalogue)],
            "acknowledgement": None if word is None else acknowledgement_json(word),
        }
        if verdict.reject is None:
            return facts
        return signature_refused(verdict.reject, verdict.signature_fault, **facts)

    # Oracle

    async def _report_prices(self, params: SignedPriceReport, _: object) -> Answer:
        report = params.message.value()
        verdict = await self._venue.report_prices(report, bytes(params.signature))
        return self._verdict(verdict, NO_ACCOUNT, oracle_events(verdict.events))

    async def _oracles(self, _: Params, __: object) -> Answer:
        return [oracle_json(status) for status in self._venue.oracles()]

    # Subscriptions

    async def _subscribe(self, params: OfChannels, subscriber: Subscriber) -> Answer:
        return self._channels.subscribe(subscriber, params.channels)

    async def _unsubscribe(self, params: OfChannels, subscriber: Subscriber) -> Answer:
        return self._channels.unsubscribe(subscriber, params.channels)


def _method(
    params: type[Params],
    run: Callable[[Any, Any], Awaitable[Answer]],
    needs_socket: bool = False,
) -> _Method:
    return _Method(decoder(params), run, needs_socket)
