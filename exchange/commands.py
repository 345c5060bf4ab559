"""Everything that can happen to the exchange: the typed commands that the journal holds.

Holds: a command is imperative, immutable, integers and bytes; `time_ns` is the sequencer's and
never falls from one command to the next; canonical bytes in `exchange/codec.py`
(docs/protocol.md, 3).
Never: is built by the engine; carries what cannot be replayed.
"""

from typing import ClassVar, Final

import msgspec

from settlement.signed_messages import Legs, Order

SETTLEMENT_SAMPLES: Final = 30
"""One-minute samples of the index that an expiry's settlement price is the mean of."""


class Command(msgspec.Struct, frozen=True, gc=False):
    """Base of all commands; `TYPE` is the byte that stands for it in the canonical encoding.
    `time_ns`: Unix time.
    """

    TYPE: ClassVar[int] = -1
    time_ns: int


class Genesis(Command, frozen=True, gc=False):
    """The first command of a journal: binds it to a chain, a contract, an operator and its
    parameters (docs/protocol.md, 8).
    """

    TYPE: ClassVar[int] = 0x00
    chain_id: int
    settlement: bytes
    operator: bytes
    maker_fee_e6: int
    taker_fee_e6: int
    fee_cap_e4: int
    rebate_step_e6: int
    liquidation_fee_e6: int
    combo_discount: int
    width_percent: int


class PlaceOrder(Command, frozen=True):
    """A signed order. `order_hash` and `signer` are what the door computed from it; the auditor
    computes them again. `session` is the connection that an order until disconnect came on, 0 for
    none.
    """

    TYPE: ClassVar[int] = 0x01
    order: Order
    order_hash: bytes
    signer: bytes
    signature: bytes
    session: int = 0


class CancelOrder(Command, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x02
    account: int
    order_hash: bytes
    signer: bytes
    signature: bytes


class CancelAllOrders(Command, frozen=True, gc=False):
    """Raises the account's counter and cancels all its orders."""

    TYPE: ClassVar[int] = 0x03
    account: int
    new_counter: int
    signer: bytes
    signature: bytes


class RequestWithdrawal(Command, frozen=True, gc=False):
    """`message_hash` is the struct hash of the signed Withdraw; each is taken once."""

    TYPE: ClassVar[int] = 0x04
    account: int
    asset: int
    amount_micro: int
    salt: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class CancelWhere(Command, frozen=True, gc=False):
    """Cancels the account's orders that `scope` and `value` say. `message_hash` is the struct hash
    of the signed CancelWhere; each is taken once.
    """

    TYPE: ClassVar[int] = 0x05
    account: int
    scope: int
    value: int
    salt: int
    expiry_s: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class QuoteMass(Command, frozen=True):
    """A signed mass quote (`settlement/mass_quotes.py`). `quotes` are (legs, bid price, bid lots,
    ask price, ask lots); `message_hash` is the struct hash of the tree of all their orders.
    """

    TYPE: ClassVar[int] = 0x06
    account: int
    counter: int
    flags: int
    max_fee_micro: int
    expiry_s: int
    salt: int
    protection: int
    label: int
    quotes: tuple[tuple[Legs, int, int, int, int], ...]
    message_hash: bytes
    signer: bytes
    signature: bytes


class SetProtection(Command, frozen=True, gc=False):
    """Sets the terms of an account's protection group. `message_hash` is the struct hash of the
    signed SetProtection; each is taken once.
    """

    TYPE: ClassVar[int] = 0x07
    account: int
    group: int
    window_ms: int
    frozen_ms: int
    quantity_limit_lots: int
    delta_limit_e6: int
    vega_limit_micro: int
    salt: int
    expiry_s: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class ResetProtection(Command, frozen=True, gc=False):
    """Lets a protection group trade again. `message_hash` as in SetProtection."""

    TYPE: ClassVar[int] = 0x08
    account: int
    group: int
    salt: int
    expiry_s: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class TransferCash(Command, frozen=True, gc=False):
    """Cash, or collateral where `asset` is not 0, to another account of the same owner.
    `message_hash` as in SetProtection.
    """

    TYPE: ClassVar[int] = 0x09
    account: int
    to_account: int
    asset: int
    amount_micro: int
    salt: int
    expiry_s: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class TransferPosition(Command, frozen=True, gc=False):
    """Lots of a long (`side` 0) or short (1) position to another account of the same owner, free of
    payment. `message_hash` as in SetProtection.
    """

    TYPE: ClassVar[int] = 0x0A
    account: int
    to_account: int
    instrument: int
    side: int
    quantity_lots: int
    salt: int
    expiry_s: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class BidAuction(Command, frozen=True, gc=False):
    """A signed bid for a share of the portfolio of the account `auction`, in 1e-6: at most
    `most_share_e6`, at least `least_share_e6`, while the whole costs at most `most_price_micro`.
    `message_hash` is the struct hash of the signed BidAuction; each is taken once.
    """

    TYPE: ClassVar[int] = 0x0B
    account: int
    auction: int
    most_share_e6: int
    least_share_e6: int
    most_price_micro: int
    salt: int
    expiry_s: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class ChooseMargin(Command, frozen=True, gc=False):
    """The owner's choice of margin model and tier. `message_hash` is the struct hash of the signed
    ChooseMargin; each is taken once.
    """

    TYPE: ClassVar[int] = 0x0C
    account: int
    model: int
    tier: int
    salt: int
    expiry_s: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class OpenAccount(Command, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x10
    inbox_index: int
    account: int
    owner: bytes


class CreditDeposit(Command, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x11
    inbox_index: int
    account: int
    asset: int
    amount_micro: int


class RegisterKey(Command, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x12
    inbox_index: int
    account: int
    key: bytes
    valid_until_s: int


class RecordClaim(Command, frozen=True, gc=False):
    """A withdrawal was claimed on chain."""

    TYPE: ClassVar[int] = 0x13
    number: int
    amount_micro: int


class ListUnderlying(Command, frozen=True, gc=False):
    """`name` in ASCII, at most 8 bytes; `lot_e8` units of it in a lot, times 1e8."""

    TYPE: ClassVar[int] = 0x20
    underlying: int
    name: bytes
    lot_e8: int


class ListExpiry(Command, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x21
    expiry: int
    underlying: int
    expiry_time_s: int


class ListInstrument(Command, frozen=True, gc=False):
    TYPE: ClassVar[int] = 0x22
    instrument: int
    kind: int
    underlying: int
    expiry: int
    strike_micro: int
    tick_value_micro: int


class DelistInstrument(Command, frozen=True, gc=False):
    """Ends an instrument that nobody holds, for good (`end_time_s` 0), or announces when a
    perpetual ends, which is then settled.
    """

    TYPE: ClassVar[int] = 0x23
    instrument: int
    end_time_s: int


class SettlePerpetual(Command, frozen=True, gc=False):
    """Settles a perpetual whose announced end has come, at the mean of `samples_micro` as in
    SettleExpiry, and delists it.
    """

    TYPE: ClassVar[int] = 0x24
    instrument: int
    samples_micro: tuple[int, ...]


class ListAsset(Command, frozen=True, gc=False):
    """An asset that counts as margin, by its number in the Vault, or new terms of one that is
    listed. `name` in ASCII, at most 8 bytes; `decimals` its token's; `kind` one of
    `margin.collateral`, `underlying` 0xff for a stable; haircuts and discount in 1e-4, the cap of
    what one account may count in micro-units.
    """

    TYPE: ClassVar[int] = 0x25
    asset: int
    name: bytes
    decimals: int
    kind: int
    underlying: int
    initial_haircut_e4: int
    maintenance_haircut_e4: int
    cap_micro: int
    discount_e4: int


class ConvertCollateral(Command, frozen=True, gc=False):
    """Buys collateral of an account that owes cash. `message_hash` is the struct hash of the signed
    ConvertCollateral; each is taken once.
    """

    TYPE: ClassVar[int] = 0x26
    account: int
    debtor: int
    asset: int
    paid_most_micro: int
    received_least_micro: int
    salt: int
    expiry_s: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class UpdateMarks(Command, frozen=True, gc=False):
    """A new index and marks of one underlying. `marks` are (expiry, forward_micro, a, b, rho, m,
    sigma), SVI parameters in Q30 (docs/protocol.md, 7).
    """

    TYPE: ClassVar[int] = 0x30
    underlying: int
    index_micro: int
    marks: tuple[tuple[int, int, int, int, int, int, int], ...]


class AccrueFunding(Command, frozen=True, gc=False):
    """A long lot of the perpetual pays `rate_micro` to a short lot; negative: the other way."""

    TYPE: ClassVar[int] = 0x31
    instrument: int
    rate_micro: int


class SettleExpiry(Command, frozen=True, gc=False):
    """`samples_micro`: SETTLEMENT_SAMPLES one-minute samples of the index, micro-USDC per lot."""

    TYPE: ClassVar[int] = 0x32
    expiry: int
    samples_micro: tuple[int, ...]


class SetTradingState(Command, frozen=True, gc=False):
    """The operator's word on the venue (number 0), an underlying or an instrument. `state` is one
    of `matching.trading_states`, `reason` one of `events.STATE_REASONS`.
    """

    TYPE: ClassVar[int] = 0x34
    scope: int
    number: int
    state: int
    reason: int


class SetRiskProfile(Command, frozen=True, gc=False):
    """The operator's word on how an account is margined: its model, and the least tier that it may
    have.
    """

    TYPE: ClassVar[int] = 0x39
    account: int
    model: int
    least_tier: int


class SetBreaker(Command, frozen=True, gc=False):
    """Arms an underlying's circuit breaker, or disarms it where there are no levels. `levels` are
    (threshold_e4, state, minimum_s); moves and calm in 1e-4 of the index.
    """

    TYPE: ClassVar[int] = 0x35
    underlying: int
    window_s: int
    calm_window_s: int
    calm_e4: int
    levels: tuple[tuple[int, int, int], ...]


class SetFunding(Command, frozen=True, gc=False):
    """Lets a perpetual's funding follow the premium of its book, or stops it where all terms are
    zero. Cap and dead band in 1e-6 of the index a period; the period divides a day.
    """

    TYPE: ClassVar[int] = 0x38
    instrument: int
    cap_e6: int
    band_e6: int
    period_s: int
    impact_lots: int
    sample_s: int


class FundInsurance(Command, frozen=True, gc=False):
    """Moves free cash of an account into the insurance fund. `message_hash` is the struct hash of
    the signed FundInsurance; each is taken once.
    """

    TYPE: ClassVar[int] = 0x3A
    account: int
    amount_micro: int
    salt: int
    expiry_s: int
    message_hash: bytes
    signer: bytes
    signature: bytes


class SetOracle(Command, frozen=True, gc=False):
    """Arms an underlying's oracle, or disarms it where there are no reporters (quorum 0).
    `reporters` are (address, decimals); bands and moves in 1e-4 (`exchange/oracle/terms.py`).
    """

    TYPE: ClassVar[int] = 0x36
    underlying: int
    quorum: int
    max_age_s: int
    deviation_e4: int
    forward_band_e4: int
    forward_move_e4: int
    variance_move_e4: int
    reporters: tuple[tuple[bytes, int], ...]


class ReportPrices(Command, frozen=True, gc=False):
    """A signed price report (`settlement/price_reports.py`). `message_hash` is its struct hash;
    `signer` is who the door found to have signed it.
    """

    TYPE: ClassVar[int] = 0x37
    underlying: int
    observed_ms: int
    decimals: int
    index_price: int
    sequence: int
    expiries: tuple[tuple[int, int, int, int, int, int, int], ...]
    message_hash: bytes
    signer: bytes
    signature: bytes


class SetLiquidation(Command, frozen=True, gc=False):
    """The operator's word on liquidation as a whole: it decides (1), or holds whatever is under way
    (0).
    """

    TYPE: ClassVar[int] = 0x3D
    is_armed: int


class CutBatch(Command, frozen=True, gc=False):
    """Close the open batch. `journal_hash` is the journal's chain hash after the command before
    this one.
    """

    TYPE: ClassVar[int] = 0x40
    journal_hash: bytes


class ConfirmBatch(Command, frozen=True, gc=False):
    """A batch was seen posted, `block` deep enough."""

    TYPE: ClassVar[int] = 0x41
    number: int
    block: int
    transaction: bytes


class AdvanceTime(Command, frozen=True, gc=False):
    """Nothing but time: orders that have expired by now go."""

    TYPE: ClassVar[int] = 0x42


class EndSession(Command, frozen=True, gc=False):
    """The connection that a door numbered `session` is gone: its orders until disconnect go."""

    TYPE: ClassVar[int] = 0x43
    session: int
