"""Every reason to refuse a message, by number, with what was wrong and what would be right.

Holds: a code is never reused or renumbered; its template (`reject_texts.py`) names the value that
was got and, where there is one, the value that is allowed, so a reject is two integers on the wire
and a sentence for a person.
Never: raised. A reject is a value; an exception means a broken invariant.
"""

from typing import Final, NamedTuple

from matching.reject_texts import TEMPLATES


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
# 65x: collateral
ASSET_NUMBER: Final = 650
ASSET_OUT_OF_BOUNDS: Final = 651
ASSET_IS_FIXED: Final = 652
ASSET_NOT_FOR_SALE: Final = 653
COLLATERAL_NOT_FREE: Final = 654
NOT_IN_DEBT: Final = 655
TOO_LITTLE_RECEIVED: Final = 656
DEBTOR_WORSE: Final = 657
CASH_SHORT: Final = 658
OWN_DEBT: Final = 659
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
