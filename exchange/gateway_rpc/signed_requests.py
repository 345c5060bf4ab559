"""Messages that clients sign, as they stand in a request.

Holds: a field that does not fit its type is refused where it stands; `value()` is the message of
`settlement/signed_messages.py` or `account_messages.py` that was signed.
Never: verifies a signature.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from exchange.gateway_rpc.requests import (
    I16,
    U8,
    U16,
    U32,
    Hash,
    Params,
    Signature,
    Signed64,
    Unsigned64,
)
from settlement.account_messages import (
    BidAuction,
    ChooseMargin,
    ConvertCollateral,
    FundInsurance,
    ResetProtection,
    SetProtection,
    TransferCash,
    TransferPosition,
    Withdraw,
)
from settlement.mass_quotes import MAX_QUOTES, MassQuote
from settlement.signed_messages import (
    NO_ORDER,
    PLAIN,
    Cancel,
    CancelAll,
    CancelWhere,
    Conditions,
    Order,
)


class LegFields(Params):
    instrument: U32
    ratio: I16


class ConditionsFields(Params):
    """`Conditions` of docs/protocol.md, 2; what is not named is zero."""

    min_quantity_lots: U32 = 0
    display_lots: U32 = 0
    trigger: U8 = 0
    trigger_price_micro: Signed64 = Signed64(0)
    parent: Hash = Hash(NO_ORDER)
    oco_group: Unsigned64 = Unsigned64(0)
    volatility_e6: U32 = 0
    protection: U8 = 0
    label: Unsigned64 = Unsigned64(0)

    def value(self) -> Conditions:
        return Conditions(
            self.min_quantity_lots,
            self.display_lots,
            self.trigger,
            int(self.trigger_price_micro),
            bytes(self.parent),
            int(self.oco_group),
            self.volatility_e6,
            self.protection,
            int(self.label),
        )


class OrderFields(Params):
    """`Order` of docs/protocol.md, 2. Without `conditions` it is a plain one."""

    account: U32
    counter: U32
    side: U8
    time_in_force: U8
    flags: U16
    limit_price_micro: Signed64
    quantity_lots: U32
    max_fee_micro: Unsigned64
    expiry_seconds: Unsigned64
    salt: Unsigned64
    replaces: Hash
    legs: list[LegFields]
    conditions: ConditionsFields | UnsetType = UNSET

    def value(self) -> Order:
        return Order(
            self.account,
            self.counter,
            self.side,
            self.time_in_force,
            self.flags,
            int(self.limit_price_micro),
            self.quantity_lots,
            int(self.max_fee_micro),
            int(self.expiry_seconds),
            int(self.salt),
            bytes(self.replaces),
            tuple((leg.instrument, leg.ratio) for leg in self.legs),
            PLAIN if self.conditions is UNSET else self.conditions.value(),
        )


class CancelFields(Params):
    account: U32
    order_hash: Hash

    def value(self) -> Cancel:
        return Cancel(self.account, bytes(self.order_hash))


class CancelAllFields(Params):
    account: U32
    new_counter: U32

    def value(self) -> CancelAll:
        return CancelAll(self.account, self.new_counter)


class CancelWhereFields(Params):
    account: U32
    scope: U8
    value: Unsigned64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def signed(self) -> CancelWhere:
        return CancelWhere(
            self.account, self.scope, int(self.value), int(self.salt), int(self.expiry_seconds)
        )


class QuoteFields(Params):
    """One quote of a mass quote; zero lots cancel a side."""

    legs: list[LegFields]
    bid_price_micro: Signed64
    bid_lots: U32
    ask_price_micro: Signed64
    ask_lots: U32


class MassQuoteFields(Params):
    """What the orders of a mass quote share, and its quotes (docs/protocol.md, 2)."""

    account: U32
    counter: U32
    flags: U16
    max_fee_micro: Unsigned64
    expiry_seconds: Unsigned64
    salt: Unsigned64
    protection: U8
    label: Unsigned64
    quotes: Annotated[list[QuoteFields], Meta(max_length=MAX_QUOTES)]

    def value(self) -> MassQuote:
        return MassQuote(
            self.account,
            self.counter,
            self.flags,
            int(self.max_fee_micro),
            int(self.expiry_seconds),
            int(self.salt),
            self.protection,
            int(self.label),
            tuple(
                (
                    tuple((leg.instrument, leg.ratio) for leg in quote.legs),
                    int(quote.bid_price_micro),
                    quote.bid_lots,
                    int(quote.ask_price_micro),
                    quote.ask_lots,
                )
                for quote in self.quotes
            ),
        )


class SetProtectionFields(Params):
    account: U32
    group: U8
    window_ms: U32
    frozen_ms: U32
    quantity_limit_lots: U32
    delta_limit_e6: Unsigned64
    vega_limit_micro: Unsigned64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> SetProtection:
        return SetProtection(
            self.account,
            self.group,
            self.window_ms,
            self.frozen_ms,
            self.quantity_limit_lots,
            int(self.delta_limit_e6),
            int(self.vega_limit_micro),
            int(self.salt),
            int(self.expiry_seconds),
        )


class ResetProtectionFields(Params):
    account: U32
    group: U8
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> ResetProtection:
        return ResetProtection(self.account, self.group, int(self.salt), int(self.expiry_seconds))


class WithdrawFields(Params):
    account: U32
    asset: U8
    amount_micro: Unsigned64
    salt: Unsigned64

    def value(self) -> Withdraw:
        return Withdraw(self.account, self.asset, int(self.amount_micro), int(self.salt))


class TransferCashFields(Params):
    account: U32
    to_account: U32
    asset: U8
    amount_micro: Unsigned64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> TransferCash:
        return TransferCash(
            self.account,
            self.to_account,
            self.asset,
            int(self.amount_micro),
            int(self.salt),
            int(self.expiry_seconds),
        )


class TransferPositionFields(Params):
    account: U32
    to_account: U32
    instrument: U32
    side: U8
    quantity_lots: U32
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> TransferPosition:
        return TransferPosition(
            self.account,
            self.to_account,
            self.instrument,
            self.side,
            self.quantity_lots,
            int(self.salt),
            int(self.expiry_seconds),
        )


class BidAuctionFields(Params):
    account: U32
    auction: U32
    most_share_e6: U32
    least_share_e6: U32
    most_price_micro: Signed64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> BidAuction:
        return BidAuction(
            self.account,
            self.auction,
            self.most_share_e6,
            self.least_share_e6,
            int(self.most_price_micro),
            int(self.salt),
            int(self.expiry_seconds),
        )


class FundInsuranceFields(Params):
    account: U32
    amount_micro: Unsigned64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> FundInsurance:
        return FundInsurance(
            self.account, int(self.amount_micro), int(self.salt), int(self.expiry_seconds)
        )


class ConvertCollateralFields(Params):
    account: U32
    debtor: U32
    asset: U8
    paid_most_micro: Unsigned64
    received_least_micro: Unsigned64
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> ConvertCollateral:
        return ConvertCollateral(
            self.account,
            self.debtor,
            self.asset,
            int(self.paid_most_micro),
            int(self.received_least_micro),
            int(self.salt),
            int(self.expiry_seconds),
        )


class SignedConvertCollateral(Params):
    message: ConvertCollateralFields
    signature: Signature


class SignedBidAuction(Params):
    message: BidAuctionFields
    signature: Signature


class SignedFundInsurance(Params):
    message: FundInsuranceFields
    signature: Signature


class SignedOrder(Params):
    message: OrderFields
    signature: Signature


class SignedCancel(Params):
    message: CancelFields
    signature: Signature


class SignedCancelAll(Params):
    message: CancelAllFields
    signature: Signature


class SignedCancelWhere(Params):
    message: CancelWhereFields
    signature: Signature


class SignedMassQuote(Params):
    message: MassQuoteFields
    signature: Signature


class SignedSetProtection(Params):
    message: SetProtectionFields
    signature: Signature


class ChooseMarginFields(Params):
    account: U32
    model: U8
    tier: U8
    salt: Unsigned64
    expiry_seconds: Unsigned64

    def value(self) -> ChooseMargin:
        return ChooseMargin(
            self.account, self.model, self.tier, int(self.salt), int(self.expiry_seconds)
        )


class SignedChooseMargin(Params):
    message: ChooseMarginFields
    signature: Signature


class SignedResetProtection(Params):
    message: ResetProtectionFields
    signature: Signature


class SignedWithdraw(Params):
    message: WithdrawFields
    signature: Signature


class SignedTransferCash(Params):
    message: TransferCashFields
    signature: Signature


class SignedTransferPosition(Params):
    message: TransferPositionFields
    signature: Signature
