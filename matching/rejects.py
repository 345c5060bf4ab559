"""Every reason to refuse a message, by number, with what was wrong and what would be right.

Holds: a code is never reused or renumbered; a template names the value that was got and, where
there is one, the value that is allowed, so a reject is two integers on the wire and a sentence
for a person.
Never: raised. A reject is a value; an exception means a broken invariant.
"""

from typing import Final, NamedTuple


class Reject(NamedTuple):
    """Why a message was refused: `code` (below), the value `got`, the value `allowed` (0 where
    the code names none).
    """

    code: int
    got: int = 0
    allowed: int = 0

    @property
    def name(self) -> str:
        return TEMPLATES[self.code][0]

    @property
    def message(self) -> str:
        return TEMPLATES[self.code][1].format(got=self.got, allowed=self.allowed)


# 1xx: the message itself
MALFORMED: Final = 101
OVERSIZED: Final = 102
UNKNOWN_METHOD: Final = 103
UNSUPPORTED_VERSION: Final = 104
# 2xx: what it names
UNKNOWN_INSTRUMENT: Final = 201
UNKNOWN_ACCOUNT: Final = 202
UNKNOWN_ORDER: Final = 203
UNKNOWN_ASSET: Final = 204
UNKNOWN_UNDERLYING: Final = 205
UNKNOWN_EXPIRY: Final = 206
INSTRUMENT_NOT_OPEN: Final = 207
NOT_YOUR_ORDER: Final = 208
BEFORE_OPENING: Final = 209
NOTHING_TRADES_NOW: Final = 210
POST_ONLY_NOW: Final = 211
CANCEL_ONLY_NOW: Final = 212
HALTED_NOW: Final = 213
UNKNOWN_SCOPE: Final = 214
UNKNOWN_STATE: Final = 215
# 3xx: the order's fields
PRICE_OUT_OF_RANGE: Final = 301
PRICE_OFF_TICK: Final = 302
QUANTITY_OUT_OF_RANGE: Final = 303
UNKNOWN_SIDE: Final = 304
UNKNOWN_TIME_IN_FORCE: Final = 305
UNKNOWN_FLAG: Final = 306
FEE_TOO_HIGH: Final = 307
POST_ONLY_NEEDS_GTC: Final = 308
# 31x: legs
LEG_COUNT: Final = 311
LEG_RATIO_OUT_OF_RANGE: Final = 312
LEGS_NOT_ASCENDING: Final = 313
LEG_TWICE: Final = 314
RATIOS_NOT_REDUCED: Final = 315
FIRST_RATIO_NEGATIVE: Final = 316
SINGLE_LEG_RATIO: Final = 317
# 318 is retired: it refused legs of several underlyings, which a combo may have
TOO_MANY_COMBOS: Final = 319
TOO_MANY_COMBOS_OF_ACCOUNT: Final = 320
# 341..359: what waits, what is linked, what is cancelled together
UNKNOWN_CANCEL_SCOPE: Final = 341
SCOPE_WITHOUT_VALUE: Final = 342
UNKNOWN_TRIGGER: Final = 343
TRIGGER_PRICE_OUT_OF_RANGE: Final = 344
WAITS_WITH_ONE_LEG: Final = 345
SESSION_NEEDED: Final = 346
VOLATILITY_OUT_OF_RANGE: Final = 347
TOO_MANY_VOLATILITY_ORDERS: Final = 348
VOLATILITY_NEEDS_OPTION: Final = 349
VOLATILITY_NEEDS_GTC: Final = 350
# 36x: mass quotes
QUOTE_COUNT: Final = 361
QUOTE_CROSSED: Final = 362
QUOTE_TWICE: Final = 363
QUOTE_SALT_OUT_OF_RANGE: Final = 364
# 32x: what an order says besides
UNKNOWN_CONDITION: Final = 321
MIN_QUANTITY_OUT_OF_RANGE: Final = 322
DISPLAY_OUT_OF_RANGE: Final = 323
DISPLAY_NEEDS_GTC: Final = 324
MARKET_NEEDS_IMMEDIATE: Final = 325
SLIDE_NEEDS_POST_ONLY: Final = 326
POST_ONLY_TAKES_NOTHING: Final = 327
REDUCE_ONLY_IS_SINGLE: Final = 328
# 4xx: life of an order
ORDER_EXPIRED: Final = 401
EXPIRY_TOO_FAR: Final = 402
ORDER_ALREADY_USED: Final = 403
COUNTER_CANCELLED: Final = 404
COUNTER_AHEAD: Final = 405
WOULD_CROSS: Final = 406
CANNOT_FILL: Final = 407
ORDER_NOT_LIVE: Final = 408
COUNTER_MUST_RISE: Final = 409
MESSAGE_EXPIRED: Final = 420
TOO_MANY_WAITING_ORDERS: Final = 421
PARENT_NOT_LIVE: Final = 422
GROUP_FULL: Final = 423
PROTECTION_NOT_SET: Final = 430
PROTECTION_FROZEN: Final = 431
PROTECTION_TRIPPED: Final = 432
PROTECTION_OUT_OF_RANGE: Final = 433
BELOW_MIN_QUANTITY: Final = 410
NOTHING_TO_REDUCE: Final = 411
# 5xx: who signed
SIGNATURE_LENGTH: Final = 501
SIGNATURE_HIGH_S: Final = 502
SIGNATURE_WRONG_V: Final = 503
SIGNATURE_ZERO: Final = 504
SIGNATURE_UNRECOVERABLE: Final = 505
WRONG_SIGNER: Final = 506
SESSION_KEY_EXPIRED: Final = 507
# 6xx: margin and cash
MARGIN: Final = 601
TOO_MANY_POSITIONS: Final = 602
TOO_MANY_LOTS: Final = 603
WITHDRAWAL_TOO_LARGE: Final = 604
NO_MARKS: Final = 605
AMOUNT_OUT_OF_RANGE: Final = 606
TOO_MANY_OPEN_ORDERS: Final = 607
MESSAGE_ALREADY_USED: Final = 608
BEYOND_PRICE_BAND: Final = 610
ORDER_TOO_LARGE: Final = 611
TOO_MANY_ORDERS_A_SECOND: Final = 612
UNKNOWN_MARGIN_MODEL: Final = 613
UNKNOWN_RISK_TIER: Final = 614
PORTFOLIO_EQUITY_TOO_LOW: Final = 615
TIER_BELOW_LEAST: Final = 616
MARGIN_UNDER_MODEL: Final = 617
# 62x: liquidation
IN_LIQUIDATION: Final = 620
NOT_AUCTIONED: Final = 621
OWN_AUCTION: Final = 622
SHARE_OUT_OF_RANGE: Final = 623
AUCTION_SHARE_TOO_SMALL: Final = 624
AUCTION_PRICE_ABOVE: Final = 625
MARKS_TOO_OLD: Final = 626
# 64x: transfers
TRANSFER_TO_ITSELF: Final = 640
OTHER_OWNER: Final = 641
LOTS_NOT_HELD: Final = 642
TRANSFER_TOO_LARGE: Final = 643
GIVER_SHORT: Final = 644
RECEIVER_SHORT: Final = 645
# 7xx: commands of the operator and of the chain
INBOX_OUT_OF_ORDER: Final = 701
LISTING_OUT_OF_ORDER: Final = 702
MARK_OUT_OF_BOUNDS: Final = 703
ALREADY_SETTLED: Final = 704
NOT_YET_EXPIRED: Final = 705
NOTHING_TO_CUT: Final = 706
BATCH_OUT_OF_ORDER: Final = 707
SPEC_OUT_OF_BOUNDS: Final = 708
GENESIS: Final = 709
NOT_LINEAR: Final = 710
# 72x, 73x: the oracle
ORACLE_NOT_ARMED: Final = 720
NOT_A_REPORTER: Final = 721
WRONG_DECIMALS: Final = 722
REPORT_ALREADY_TAKEN: Final = 723
REPORT_OLDER: Final = 724
REPORT_FROM_THE_FUTURE: Final = 725
REPORT_STALE: Final = 726
REPORT_OUT_OF_BOUNDS: Final = 727
FORWARD_OFF: Final = 728
SMILE_ARBITRAGE: Final = 729
ORACLE_ARMED: Final = 731
SAMPLE_NOT_SEEN: Final = 740
OPEN_INTEREST: Final = 741
ALREADY_ENDING: Final = 742
END_TOO_SOON: Final = 743
END_NOT_ANNOUNCED: Final = 744
# 75x: fees and funding
FUNDING_IS_ARMED: Final = 750
FEES_OUT_OF_BOUNDS: Final = 751
# 8xx: the service
VENUE_STOPPING: Final = 801
VENUE_BUSY: Final = 802

TEMPLATES: Final[dict[int, tuple[str, str]]] = {
    MALFORMED: ("malformed", "the message cannot be read at byte {got}"),
    OVERSIZED: ("oversized", "the message has {got} bytes; at most {allowed} are read"),
    UNKNOWN_METHOD: ("unknown method", "no such method or message type"),
    UNSUPPORTED_VERSION: ("unsupported version", "version {got} is not spoken here; use {allowed}"),
    UNKNOWN_INSTRUMENT: (
        "unknown instrument",
        "no instrument has the number {got}; {allowed} are listed",
    ),
    UNKNOWN_ACCOUNT: (
        "unknown account",
        "no account has the number {got}; deposit first, {allowed} exist",
    ),
    UNKNOWN_ORDER: ("unknown order", "no order with this hash is live"),
    UNKNOWN_ASSET: ("unknown asset", "asset {got} is not accepted; use {allowed} (USDC)"),
    UNKNOWN_UNDERLYING: (
        "unknown underlying",
        "no underlying has the number {got}; {allowed} are listed",
    ),
    UNKNOWN_EXPIRY: ("unknown expiry", "no expiry has the number {got}; {allowed} are listed"),
    INSTRUMENT_NOT_OPEN: (
        "instrument not open",
        "instrument {got} does not trade: expired or settled",
    ),
    NOT_YOUR_ORDER: ("not your order", "the order belongs to account {allowed}, not {got}"),
    BEFORE_OPENING: (
        "before the opening",
        "instrument {got} is in pre-open: nothing trades, only good-till-cancelled orders rest",
    ),
    NOTHING_TRADES_NOW: (
        "nothing trades now",
        "nothing trades for now: an order at {got} would meet the price {allowed}",
    ),
    POST_ONLY_NOW: ("post-only now", "instrument {got} takes post-only orders alone for now"),
    CANCEL_ONLY_NOW: (
        "cancel-only now",
        "instrument {got} takes cancels and smaller replacements alone for now",
    ),
    HALTED_NOW: ("halted now", "instrument {got} is halted: it takes cancels alone"),
    UNKNOWN_SCOPE: ("unknown scope", "no scope {got}; use 0 (venue) to {allowed}"),
    UNKNOWN_STATE: ("unknown state", "state or reason {got} cannot be ordered; use 0 to {allowed}"),
    PRICE_OUT_OF_RANGE: (
        "price out of range",
        "limit price {got} micro-USDC; a single instrument's is 1 to {allowed}, a net price at "
        "most that in size",
    ),
    PRICE_OFF_TICK: (
        "price off tick",
        "limit price {got} is not a multiple of the tick, {allowed} micro-USDC",
    ),
    QUANTITY_OUT_OF_RANGE: (
        "quantity out of range",
        "quantity {got}; it must be 1 to {allowed} lots",
    ),
    UNKNOWN_SIDE: ("unknown side", "side {got}; use 0 (buy) or 1 (sell)"),
    UNKNOWN_TIME_IN_FORCE: (
        "unknown time in force",
        "time in force {got}; use 0 (GTC), 1 (IOC) or 2 (FOK)",
    ),
    UNKNOWN_FLAG: ("unknown flag", "flags {got}; only the bits {allowed} have a meaning"),
    FEE_TOO_HIGH: (
        "fee too high",
        "the fee could be {got} micro-USDC a lot; the order allows {allowed}",
    ),
    POST_ONLY_NEEDS_GTC: (
        "post-only needs GTC",
        "a post-only order rests: use time in force 0 (GTC), not {got}",
    ),
    LEG_COUNT: ("leg count", "{got} legs; an order has 1 to {allowed}"),
    LEG_RATIO_OUT_OF_RANGE: (
        "leg ratio out of range",
        "ratio {got}; it must not be 0 and its size at most {allowed}",
    ),
    LEGS_NOT_ASCENDING: (
        "legs not ascending",
        "leg {got} stands after {allowed}; sort legs by instrument number",
    ),
    LEG_TWICE: ("leg twice", "instrument {got} is named by two legs; add their ratios into one"),
    RATIOS_NOT_REDUCED: (
        "ratios not reduced",
        "the ratios share the factor {got}; divide by it, scale quantity up",
    ),
    FIRST_RATIO_NEGATIVE: (
        "first ratio negative",
        "first ratio {got}; turn all signs, the side and the net price",
    ),
    SINGLE_LEG_RATIO: ("single leg ratio", "a single instrument has ratio 1, not {got}"),
    TOO_MANY_COMBOS: (
        "too many combos",
        "{got} combos exist and have orders; at most {allowed} may",
    ),
    TOO_MANY_COMBOS_OF_ACCOUNT: (
        "too many combos of one account",
        "the account has orders in {got} combos; at most {allowed} may hold them",
    ),
    UNKNOWN_CONDITION: (
        "unknown condition",
        "condition {got} (counted from 0) is not offered; leave it 0",
    ),
    MIN_QUANTITY_OUT_OF_RANGE: (
        "minimum quantity out of range",
        "minimum quantity {got}; the whole order has {allowed} lots",
    ),
    DISPLAY_OUT_OF_RANGE: (
        "displayed quantity out of range",
        "{got} lots displayed: a hundredth of the quantity at least, all of it at most; the bound "
        "is {allowed}",
    ),
    DISPLAY_NEEDS_GTC: (
        "displayed quantity needs GTC",
        "an order that shows a part rests: use time in force 0 (GTC), not {got}",
    ),
    MARKET_NEEDS_IMMEDIATE: (
        "market needs IOC or FOK",
        "a market order never rests: use time in force 1 (IOC) or 2 (FOK), not {got}",
    ),
    SLIDE_NEEDS_POST_ONLY: (
        "slide needs post-only",
        "flags {got}: only a post-only order slides; add {allowed}",
    ),
    POST_ONLY_TAKES_NOTHING: (
        "post-only takes nothing",
        "a post-only order with a minimum quantity of {got} to trade at once; leave it 0",
    ),
    REDUCE_ONLY_IS_SINGLE: (
        "reduce-only is for one instrument",
        "a reduce-only order has {got} legs; send one for each leg",
    ),
    UNKNOWN_CANCEL_SCOPE: (
        "unknown scope of a cancel",
        "scope {got} of a mass cancel; it must be 0 to {allowed}",
    ),
    SCOPE_WITHOUT_VALUE: (
        "scope without value",
        "a mass cancel of everything takes the value 0, not {got}",
    ),
    UNKNOWN_TRIGGER: ("unknown trigger", "trigger {got}; it must be 0 (none) to {allowed}"),
    TRIGGER_PRICE_OUT_OF_RANGE: (
        "trigger price out of range",
        "trigger price {got} micro-USDC; with a trigger it is 1 to {allowed}, without one 0",
    ),
    WAITS_WITH_ONE_LEG: (
        "waits with one leg",
        "an order of {got} legs cannot wait for a trigger or another order; one leg can",
    ),
    SESSION_NEEDED: (
        "session needed",
        "an order until disconnect (flag {got}) needs a connection that stays: WebSocket or FIX",
    ),
    VOLATILITY_OUT_OF_RANGE: (
        "volatility out of range",
        "volatility {got} millionths; with the flag it is 1 to {allowed}, without it 0",
    ),
    TOO_MANY_VOLATILITY_ORDERS: (
        "too many volatility orders",
        "{got} orders of the account are priced in volatility; at most {allowed} may rest",
    ),
    VOLATILITY_NEEDS_OPTION: (
        "volatility needs an option",
        "an order priced in volatility is for one option; instrument {got} is not all of that",
    ),
    VOLATILITY_NEEDS_GTC: (
        "volatility needs good-till-cancelled",
        "time in force {got}; an order priced in volatility rests: use {allowed}",
    ),
    QUOTE_COUNT: ("quote count", "{got} quotes; a mass quote has 1 to {allowed}"),
    QUOTE_CROSSED: ("quote crossed", "the bid, {got}, is not below the ask, {allowed}"),
    QUOTE_TWICE: (
        "quote twice",
        "quote {got} is of an instrument that a quote before it names; quote it once",
    ),
    QUOTE_SALT_OUT_OF_RANGE: (
        "quote salt out of range",
        "salt {got}; each side takes the next, so at most {allowed} leaves room for all",
    ),
    ORDER_EXPIRED: (
        "order expired",
        "the order expired at {got}; it is now {allowed} (Unix seconds)",
    ),
    EXPIRY_TOO_FAR: (
        "expiry too far",
        "expiry {got} is too far ahead; the latest is {allowed} (Unix seconds)",
    ),
    ORDER_ALREADY_USED: (
        "order already used",
        "an order with this hash was taken before; change the salt",
    ),
    COUNTER_CANCELLED: (
        "counter cancelled",
        "counter {got} was cancelled; the account's is {allowed}",
    ),
    COUNTER_AHEAD: ("counter ahead", "counter {got} is ahead of the account's, {allowed}"),
    WOULD_CROSS: (
        "would cross",
        "a post-only order at {got} would trade at once; the best price is {allowed}",
    ),
    CANNOT_FILL: ("cannot fill", "fill-or-kill for {got}: only {allowed} can trade at the limit"),
    ORDER_NOT_LIVE: (
        "order not live",
        "the order to cancel or replace is no longer live: filled or cancelled",
    ),
    COUNTER_MUST_RISE: ("counter must rise", "new counter {got}; it must be above {allowed}"),
    BELOW_MIN_QUANTITY: (
        "below minimum quantity",
        "at least {got} must trade at once: only {allowed} can at the limit",
    ),
    NOTHING_TO_REDUCE: (
        "nothing to reduce",
        "a reduce-only order, and the position of {got} lots is not on the other side",
    ),
    MESSAGE_EXPIRED: (
        "message expired",
        "the message expired at {got}; it is now {allowed} (Unix seconds)",
    ),
    TOO_MANY_WAITING_ORDERS: (
        "too many waiting orders",
        "{got} orders of the account wait; at most {allowed} may",
    ),
    PARENT_NOT_LIVE: (
        "parent not live",
        "the order to wait for is not live: filled, cancelled or never placed",
    ),
    GROUP_FULL: (
        "group full",
        "the group has {got} live orders; at most {allowed} may cancel each other",
    ),
    PROTECTION_NOT_SET: (
        "protection not set",
        "the account has no protection group {got}; set its limits first",
    ),
    PROTECTION_FROZEN: (
        "protection frozen",
        "protection group {got} reached a limit; its orders are refused for {allowed} ms more",
    ),
    PROTECTION_TRIPPED: (
        "protection tripped",
        "protection group {got} reached a limit; its orders are refused until it is reset",
    ),
    PROTECTION_OUT_OF_RANGE: (
        "protection out of range",
        "a group is 1 to 255, a window 1 ms to 1 hour, a freeze at most 1 day, a limit below 2^62:"
        " {got} is not within {allowed}",
    ),
    SIGNATURE_LENGTH: (
        "signature length",
        "the signature has {got} bytes; r, s and v are {allowed}",
    ),
    SIGNATURE_HIGH_S: (
        "signature high s",
        "s lies in the upper half of the curve's order; negate it and flip v",
    ),
    SIGNATURE_WRONG_V: ("signature wrong v", "v is {got}; use 27 or 28"),
    SIGNATURE_ZERO: ("signature zero", "r or s is zero; sign the digest"),
    SIGNATURE_UNRECOVERABLE: ("signature unrecoverable", "no key can have made this signature"),
    WRONG_SIGNER: (
        "wrong signer",
        "the signature is not by the owner or a session key of account {got}",
    ),
    SESSION_KEY_EXPIRED: (
        "session key expired",
        "the session key was valid until {got}; it is now {allowed}",
    ),
    MARGIN: (
        "margin",
        "initial margin would be short by {got} micro-USDC; the excess is {allowed}",
    ),
    TOO_MANY_POSITIONS: (
        "too many positions",
        "account {got} holds {allowed} positions, the most there can be",
    ),
    TOO_MANY_LOTS: (
        "too many lots",
        "gross lots, orders included, would be {got}; at most {allowed}",
    ),
    WITHDRAWAL_TOO_LARGE: ("withdrawal too large", "{got} micro-USDC asked; {allowed} are free"),
    NO_MARKS: ("no marks", "instrument {got} has no mark yet; wait for the first mark update"),
    AMOUNT_OUT_OF_RANGE: (
        "amount out of range",
        "amount {got}; it must be 1 to {allowed} micro-USDC",
    ),
    TOO_MANY_OPEN_ORDERS: (
        "too many open orders",
        "{got} orders are open; at most {allowed} may be",
    ),
    MESSAGE_ALREADY_USED: (
        "message already used",
        "a message with this hash was taken before; change the salt",
    ),
    BEYOND_PRICE_BAND: (
        "beyond price band",
        "limit price {got} is too far on the aggressive side of the mark; up to {allowed} is taken",
    ),
    ORDER_TOO_LARGE: ("order too large", "{got} lots; one order has at most {allowed} here"),
    TOO_MANY_ORDERS_A_SECOND: (
        "too many orders a second",
        "account {got} sends orders too fast; retry in {allowed} ms",
    ),
    UNKNOWN_MARGIN_MODEL: (
        "unknown margin model",
        "margin model {got}; the last is {allowed}",
    ),
    UNKNOWN_RISK_TIER: ("unknown risk tier", "risk tier {got}; the last is {allowed}"),
    PORTFOLIO_EQUITY_TOO_LOW: (
        "too little equity for portfolio margin",
        "equity is {got} micro-USDC; portfolio margin needs {allowed}",
    ),
    TIER_BELOW_LEAST: (
        "risk tier below the least",
        "risk tier {got}; the operator asks for at least {allowed}",
    ),
    MARGIN_UNDER_MODEL: (
        "margin under this model",
        "initial margin there would be short by {got} micro-USDC; the excess here is {allowed}",
    ),
    IN_LIQUIDATION: (
        "in liquidation",
        "account {got} is being liquidated (status {allowed}): it may deposit and cancel",
    ),
    NOT_AUCTIONED: ("not auctioned", "account {got} has nothing in auction now"),
    OWN_AUCTION: ("own auction", "account {got} is of the bidder's own owner"),
    SHARE_OUT_OF_RANGE: (
        "share out of range",
        "a share of at most {got} millionths; it is 1 to {allowed}, and no less than the least",
    ),
    AUCTION_SHARE_TOO_SMALL: (
        "auction share too small",
        "at least {got} millionths are asked; {allowed} can be had in whole lots",
    ),
    AUCTION_PRICE_ABOVE: (
        "auction price above limit",
        "the portfolio costs {got} micro-USDC now; the bid says at most {allowed}",
    ),
    MARKS_TOO_OLD: (
        "marks too old",
        "the last marks are of {got}; nothing is decided by marks before {allowed} (Unix seconds)",
    ),
    TRANSFER_TO_ITSELF: ("transfer to itself", "account {got} would give to itself"),
    OTHER_OWNER: (
        "other owner",
        "account {got} has another owner than account {allowed}; withdraw and deposit instead",
    ),
    LOTS_NOT_HELD: ("lots not held", "{got} lots asked; the account has {allowed} on that side"),
    TRANSFER_TOO_LARGE: (
        "transfer too large",
        "{got} micro-USDC to move; the account can spare {allowed}",
    ),
    GIVER_SHORT: (
        "giver short of margin",
        "the giver's initial margin would be short by {got} micro-USDC; its excess is {allowed}",
    ),
    RECEIVER_SHORT: (
        "receiver short of margin",
        "the receiver's initial margin would be short by {got} micro-USDC; its excess is {allowed}",
    ),
    INBOX_OUT_OF_ORDER: ("inbox out of order", "inbox entry {got}; the next is {allowed}"),
    LISTING_OUT_OF_ORDER: ("listing out of order", "number {got}; the next to list is {allowed}"),
    MARK_OUT_OF_BOUNDS: (
        "mark out of bounds",
        "mark of expiry {got} is out of bounds (parameter {allowed})",
    ),
    ALREADY_SETTLED: ("already settled", "expiry {got} has a settlement price"),
    NOT_YET_EXPIRED: ("not yet expired", "expiry at {got}; it is {allowed} (Unix seconds)"),
    NOTHING_TO_CUT: ("nothing to cut", "no record since batch {got}"),
    BATCH_OUT_OF_ORDER: ("batch out of order", "batch {got}; the next to confirm is {allowed}"),
    SPEC_OUT_OF_BOUNDS: (
        "specification out of bounds",
        "field {got} of the specification is out of bounds",
    ),
    GENESIS: ("genesis", "a journal begins with one Genesis command and has no second"),
    NOT_LINEAR: ("not linear", "instrument {got} is not a perpetual"),
    ORACLE_NOT_ARMED: (
        "oracle not armed",
        "underlying {got} takes no price reports: its marks come from the operator",
    ),
    NOT_A_REPORTER: (
        "not a reporter",
        "whoever signed this is none of the {allowed} reporters of underlying {got}",
    ),
    WRONG_DECIMALS: (
        "wrong decimals",
        "the report has {got} decimals; {allowed} are registered for its reporter",
    ),
    REPORT_ALREADY_TAKEN: (
        "report already taken",
        "report {got} does not follow the reporter's last one, {allowed}",
    ),
    REPORT_OLDER: (
        "report older than the last",
        "observed at {got}, before the reporter's last report, {allowed} (Unix milliseconds)",
    ),
    REPORT_FROM_THE_FUTURE: (
        "report from the future",
        "observed at {got}; the latest that is taken now is {allowed} (Unix milliseconds)",
    ),
    REPORT_STALE: (
        "report stale",
        "observed at {got}; the oldest that is taken now is {allowed} (Unix milliseconds)",
    ),
    REPORT_OUT_OF_BOUNDS: (
        "report out of bounds",
        "expiry {got} (65535: the index) has parameter {allowed} out of its bounds",
    ),
    FORWARD_OFF: (
        "forward off",
        "the forward of expiry {got} is {allowed} (1e-4) away from the report's index",
    ),
    SMILE_ARBITRAGE: (
        "smile with arbitrage",
        "the smile of expiry {got} can be traded against itself at strike {allowed} micro-USDC",
    ),
    ORACLE_ARMED: (
        "oracle armed",
        "the marks of underlying {got} come from its oracle of {allowed} reporters",
    ),
    SAMPLE_NOT_SEEN: (
        "sample not seen",
        "sample {got} micro-USDC; the index in force at its minute was {allowed}",
    ),
    OPEN_INTEREST: ("open interest", "instrument {got} is held: {allowed} lots are open"),
    ALREADY_ENDING: ("already ending", "instrument {got} ends, or ended, at {allowed}"),
    END_TOO_SOON: (
        "end too soon",
        "an end at {got}; the earliest that can be announced now is {allowed} (Unix seconds)",
    ),
    END_NOT_ANNOUNCED: (
        "end not announced",
        "nobody announced the end of instrument {got}, or it is delisted already",
    ),
    FUNDING_IS_ARMED: (
        "funding is armed",
        "the funding of instrument {got} follows its premium; nobody sets it",
    ),
    FEES_OUT_OF_BOUNDS: ("fees out of bounds", "field {got} of the fee schedule is out of bounds"),
    VENUE_STOPPING: ("venue stopping", "the exchange stops; when it is back, ask what was taken"),
    VENUE_BUSY: ("venue busy", "{got} messages are waiting; retry in {allowed} ms"),
}
