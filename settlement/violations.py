"""Every way in which a record can be unlawful, by number: what an auditor can name.

Holds: a code is never reused or renumbered; each is one rule of docs/protocol.md, 4, that can be
checked from the state before the record and the records of its chunk.
Never: raised. A violation is a value that `ledger.py` and `batch.py` return.
"""

from typing import Final, NamedTuple


class Violation(NamedTuple):
    """A rule that a record breaks, the account it wrongs or names (None where none), the value
    `got` and the value `allowed` (0 where the code names none).
    """

    code: int
    account: int | None = None
    got: int = 0
    allowed: int = 0

    @property
    def name(self) -> str:
        return TEMPLATES[self.code][0]

    @property
    def message(self) -> str:
        return TEMPLATES[self.code][1].format(got=self.got, allowed=self.allowed)


# 1xx: bytes and their place
MALFORMED: Final = 101
UNKNOWN_FLAGS: Final = 102
PADDING_INSIDE: Final = 103
MARK_NOT_FIRST: Final = 104
TIME_NOT_LAST: Final = 105
# 2xx: what is named
UNKNOWN_ACCOUNT: Final = 201
UNKNOWN_ASSET: Final = 202
UNKNOWN_UNDERLYING: Final = 203
UNKNOWN_EXPIRY: Final = 204
UNKNOWN_INSTRUMENT: Final = 205
ALREADY_LISTED: Final = 206
SPEC_OUT_OF_BOUNDS: Final = 207
# 3xx: accounts
ACCOUNT_OUT_OF_ORDER: Final = 301
COUNTER_NOT_RAISED: Final = 302
NOTHING_WITHDRAWN: Final = 303
CASH_SHORT: Final = 304
WITHDRAWAL_OUT_OF_ORDER: Final = 305
# 4xx: orders and fills
SLOT_TAKEN: Final = 401
SLOT_EMPTY: Final = 402
SELF_TRADE: Final = 403
QUANTITY_ZERO: Final = 404
PRICE_OUT_OF_RANGE: Final = 405
MARKET_CLOSED: Final = 406
NO_MARK: Final = 407
ORDER_OVERFILLED: Final = 408
# 41x: combos
LEG_WITHOUT_COMBO: Final = 411
COMBO_LEG_COUNT: Final = 412
COMBO_PARTY: Final = 413
COMBO_RATIO: Final = 414
COMBO_SIDE: Final = 415
COMBO_NET_PRICE: Final = 416
COMBO_INCOMING: Final = 417
# 5xx: positions
POSITION_NOT_SETTLED: Final = 501
POSITION_TOO_LARGE: Final = 502
TOO_MANY_POSITIONS: Final = 503
NO_POSITION: Final = 504
NOTHING_TO_SETTLE: Final = 505
# 6xx: marks and time
MARK_OUT_OF_BOUNDS: Final = 601
EPOCH_FELL: Final = 602
MARK_TIME_FELL: Final = 603
NOT_LINEAR: Final = 604
CARRY_IS_NO_MARK: Final = 605
ACCRUAL_OFF: Final = 606
ALREADY_SETTLED: Final = 607
FUTURE_NOT_CLOSED: Final = 608
TIME_FELL: Final = 609
MARKED_AHEAD: Final = 610
SETTLED_EARLY: Final = 611
# 70x: what moves without a trade
MOVED_TO_ITSELF: Final = 701
NOTHING_MOVED: Final = 702
MORE_THAN_HELD: Final = 703
GIVEN_ON_CREDIT: Final = 704
UNKNOWN_STATUS: Final = 705
STATUS_UNCHANGED: Final = 706
INSURANCE_SHORT: Final = 707
# 73x: collateral
COLLATERAL_SHORT: Final = 730
CASH_IS_NO_COLLATERAL: Final = 731
# 72x: fees
FEE_LEVEL_TOO_HIGH: Final = 720
FEE_LEVEL_UNCHANGED: Final = 721

TEMPLATES: Final[dict[int, tuple[str, str]]] = {
    MALFORMED: ("malformed", "the record cannot be read at byte {got}"),
    UNKNOWN_FLAGS: ("unknown flags", "flags {got} have no meaning together"),
    PADDING_INSIDE: ("padding inside", "a record of type {got} follows padding in its chunk"),
    MARK_NOT_FIRST: ("mark not first", "a mark (type {got}) follows a record that is none"),
    TIME_NOT_LAST: ("time not last", "TIME_ADVANCED stands last in a batch, and there alone"),
    UNKNOWN_ACCOUNT: ("unknown account", "no account has the number {got}; {allowed} exist"),
    UNKNOWN_ASSET: ("unknown asset", "asset {got} is not accepted; use {allowed} (USDC)"),
    UNKNOWN_UNDERLYING: ("unknown underlying", "no underlying has the number {got}"),
    UNKNOWN_EXPIRY: ("unknown expiry", "no expiry has the number {got}"),
    UNKNOWN_INSTRUMENT: ("unknown instrument", "no instrument has the number {got}"),
    ALREADY_LISTED: ("already listed", "the number {got} is listed"),
    SPEC_OUT_OF_BOUNDS: ("specification out of bounds", "field {got} of the listing is wrong"),
    ACCOUNT_OUT_OF_ORDER: ("account out of order", "account {got}; the next is {allowed}"),
    COUNTER_NOT_RAISED: ("counter not raised", "counter {got}; it must be above {allowed}"),
    NOTHING_WITHDRAWN: ("nothing withdrawn", "a withdrawal of nothing"),
    CASH_SHORT: ("cash short", "{got} micro-USDC are withdrawn; {allowed} are there"),
    WITHDRAWAL_OUT_OF_ORDER: ("withdrawal out of order", "number {got}; the next is {allowed}"),
    SLOT_TAKEN: ("slot taken", "an order stands in slot {got}"),
    SLOT_EMPTY: ("slot empty", "no order was opened in slot {got}"),
    SELF_TRADE: ("self-trade", "account {got} trades with itself"),
    QUANTITY_ZERO: ("quantity zero", "nothing was traded"),
    PRICE_OUT_OF_RANGE: ("price out of range", "price {got} micro-USDC; at most {allowed}"),
    MARKET_CLOSED: ("market closed", "instrument {got} is settled"),
    NO_MARK: ("no mark", "instrument {got} trades before its first mark"),
    ORDER_OVERFILLED: ("order overfilled", "filled {got}; an order's leaf holds {allowed}"),
    LEG_WITHOUT_COMBO: ("leg without combo", "{got} legs stand before a record that is no combo"),
    COMBO_LEG_COUNT: ("combo leg count", "the combo names {got} fills; {allowed} stand before it"),
    COMBO_PARTY: ("combo party", "fill {got} of the combo is of another account or order"),
    COMBO_RATIO: ("combo ratio", "the fills are no canonical combo of {got} units"),
    COMBO_SIDE: ("combo side", "the taker's side contradicts the leg in instrument {got}"),
    COMBO_NET_PRICE: ("combo net price", "{got} micro-USDC in all; the legs sum to {allowed}"),
    COMBO_INCOMING: (
        "combo incoming",
        "{got} fills of the combo pay as the order that came; {allowed} must",
    ),
    POSITION_NOT_SETTLED: (
        "position not settled",
        "the position saw the accrual at {got}; it is {allowed}",
    ),
    POSITION_TOO_LARGE: ("position too large", "{got} lots; a leaf holds less than {allowed}"),
    TOO_MANY_POSITIONS: ("too many positions", "{got} positions; at most {allowed} may be"),
    NO_POSITION: ("no position", "the account holds nothing in instrument {got}"),
    NOTHING_TO_SETTLE: ("nothing to settle", "the position in instrument {got} is up to date"),
    MARK_OUT_OF_BOUNDS: ("mark out of bounds", "field {got} of the mark is out of bounds"),
    EPOCH_FELL: ("epoch fell", "epoch {got}; the last was {allowed}"),
    MARK_TIME_FELL: ("mark time fell", "mark time {got}; the last was {allowed}"),
    NOT_LINEAR: ("not linear", "instrument {got} is an option; it accrues nothing"),
    CARRY_IS_NO_MARK: ("carry is no mark", "carry {got}; the mark is {allowed}"),
    ACCRUAL_OFF: ("accrual off", "accrual {got}; the mark makes it {allowed}"),
    ALREADY_SETTLED: ("already settled", "expiry {got} has a settlement price"),
    FUTURE_NOT_CLOSED: ("future not closed", "carry {got}; it settles at {allowed}"),
    TIME_FELL: ("time fell", "time {got}; the last batch's was {allowed}"),
    MARKED_AHEAD: ("marked ahead", "the batch's time is {got}; it holds a mark of {allowed}"),
    SETTLED_EARLY: (
        "settled early",
        "the batch's time is {got}; it settles the expiry of {allowed}",
    ),
    MOVED_TO_ITSELF: ("moved to itself", "account {got} gives to itself"),
    NOTHING_MOVED: ("nothing moved", "a move of nothing"),
    MORE_THAN_HELD: ("more than held", "{got} lots are given; the giver holds {allowed}"),
    GIVEN_ON_CREDIT: (
        "given on credit",
        "{got} micro-USDC are given; {allowed} are there, and nobody is in liquidation",
    ),
    UNKNOWN_STATUS: ("unknown status", "status {got}; the last is {allowed}"),
    STATUS_UNCHANGED: ("status unchanged", "the status is {got} already"),
    INSURANCE_SHORT: (
        "insurance short",
        "{got} micro-USDC leave the insurance fund; {allowed} are there",
    ),
    COLLATERAL_SHORT: ("collateral short", "{got} micro-units are taken; {allowed} are there"),
    CASH_IS_NO_COLLATERAL: ("cash is no collateral", "asset {got} is cash; CASH_MOVED moves it"),
    FEE_LEVEL_TOO_HIGH: ("fee level too high", "fee level {got}; the highest is {allowed}"),
    FEE_LEVEL_UNCHANGED: ("fee level unchanged", "the fee level is {got} already"),
}
