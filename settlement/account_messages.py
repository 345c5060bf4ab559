"""The messages that say what becomes of an account, by whoever may sign for it: its protection
groups, what it moves, withdraws, buys and gives, and how it is margined.

Holds: as in `signed_messages.py`: a field fits the integer type that docs/protocol.md (2) gives it,
each value of a hash stands in a word of 32 bytes, and a hash is what any EIP-712 wallet computes.
Never: changes a message once built, knows who may sign, or reads a clock.
"""

from struct import Struct
from typing import Final, NamedTuple

from settlement.keccak import keccak256


class SetProtection(NamedTuple):
    """The terms of one of the account's protection groups: limits on what its orders trade within a
    rolling window, 0 for none; `frozen_ms` 0 waits for a reset. Taken once, before `expiry_s`.
    """

    account: int
    group: int
    window_ms: int
    frozen_ms: int
    quantity_limit_lots: int
    delta_limit_e6: int
    vega_limit_micro: int
    salt: int
    expiry_s: int


class ResetProtection(NamedTuple):
    """Lets a protection group trade again, with an empty window. Taken once, before `expiry_s`."""

    account: int
    group: int
    salt: int
    expiry_s: int


class TransferCash(NamedTuple):
    """Move free cash to another account of the same owner. Taken once, before `expiry_s`."""

    account: int
    to_account: int
    asset: int
    amount_micro: int
    salt: int
    expiry_s: int


class TransferPosition(NamedTuple):
    """Move lots of a long (`side` 0) or short (1) position to another account of the same owner,
    free of payment. Taken once, before `expiry_s`.
    """

    account: int
    to_account: int
    instrument: int
    side: int
    quantity_lots: int
    salt: int
    expiry_s: int


class ChooseMargin(NamedTuple):
    """How the account is margined: its model and tier of risk (`margin/accounts.py`). Its owner's
    word alone; taken once, before `expiry_s`.
    """

    account: int
    model: int
    tier: int
    salt: int
    expiry_s: int


class Withdraw(NamedTuple):
    """Move free cash out of the exchange, to be claimed from the Vault by the account's owner."""

    account: int
    asset: int
    amount_micro: int
    salt: int


class ConvertCollateral(NamedTuple):
    """Buy collateral of `debtor`, who owes cash: pay at most `paid_most_micro` micro-USDC and get
    at least `received_least_micro` micro-units of `asset`. Taken once, before `expiry_s`.
    """

    account: int
    debtor: int
    asset: int
    paid_most_micro: int
    received_least_micro: int
    salt: int
    expiry_s: int


class BidAuction(NamedTuple):
    """Take a share, in 1e-6, of what is auctioned of the account `auction`, while the whole costs
    at most `most_price_micro`, with what its owner owes (negative: it is paid for). Taken once,
    before `expiry_s`.
    """

    account: int
    auction: int
    most_share_e6: int
    least_share_e6: int
    most_price_micro: int
    salt: int
    expiry_s: int


class FundInsurance(NamedTuple):
    """Give free cash to the insurance fund. Taken once, before `expiry_s`."""

    account: int
    amount_micro: int
    salt: int
    expiry_s: int


AccountMessage = (
    SetProtection
    | ResetProtection
    | TransferCash
    | TransferPosition
    | ChooseMargin
    | Withdraw
    | ConvertCollateral
    | BidAuction
    | FundInsurance
)

# EIP-712 hashes ----------------------------------------------------------------------------------

SET_PROTECTION_TYPE: Final = (
    "SetProtection(uint32 account,uint8 group,uint32 windowMs,uint32 frozenMs,"
    "uint32 quantityLimitLots,uint64 deltaLimitE6,uint64 vegaLimitMicro,uint64 salt,"
    "uint64 expirySeconds)"
)
RESET_PROTECTION_TYPE: Final = (
    "ResetProtection(uint32 account,uint8 group,uint64 salt,uint64 expirySeconds)"
)
TRANSFER_CASH_TYPE: Final = (
    "TransferCash(uint32 account,uint32 toAccount,uint8 asset,uint64 amountMicro,uint64 salt,"
    "uint64 expirySeconds)"
)
TRANSFER_POSITION_TYPE: Final = (
    "TransferPosition(uint32 account,uint32 toAccount,uint32 instrument,uint8 side,"
    "uint32 quantityLots,uint64 salt,uint64 expirySeconds)"
)
CHOOSE_MARGIN_TYPE: Final = (
    "ChooseMargin(uint32 account,uint8 model,uint8 tier,uint64 salt,uint64 expirySeconds)"
)
WITHDRAW_TYPE: Final = "Withdraw(uint32 account,uint8 asset,uint64 amountMicro,uint64 salt)"
CONVERT_COLLATERAL_TYPE: Final = (
    "ConvertCollateral(uint32 account,uint32 debtor,uint8 asset,uint64 paidMostMicro,"
    "uint64 receivedLeastMicro,uint64 salt,uint64 expirySeconds)"
)
BID_AUCTION_TYPE: Final = (
    "BidAuction(uint32 account,uint32 auction,uint32 mostShareE6,uint32 leastShareE6,"
    "int64 mostPriceMicro,uint64 salt,uint64 expirySeconds)"
)
FUND_INSURANCE_TYPE: Final = (
    "FundInsurance(uint32 account,uint64 amountMicro,uint64 salt,uint64 expirySeconds)"
)

SET_PROTECTION_TYPE_HASH: Final = keccak256(SET_PROTECTION_TYPE.encode())
RESET_PROTECTION_TYPE_HASH: Final = keccak256(RESET_PROTECTION_TYPE.encode())
TRANSFER_CASH_TYPE_HASH: Final = keccak256(TRANSFER_CASH_TYPE.encode())
TRANSFER_POSITION_TYPE_HASH: Final = keccak256(TRANSFER_POSITION_TYPE.encode())
CHOOSE_MARGIN_TYPE_HASH: Final = keccak256(CHOOSE_MARGIN_TYPE.encode())
WITHDRAW_TYPE_HASH: Final = keccak256(WITHDRAW_TYPE.encode())
CONVERT_COLLATERAL_TYPE_HASH: Final = keccak256(CONVERT_COLLATERAL_TYPE.encode())
BID_AUCTION_TYPE_HASH: Final = keccak256(BID_AUCTION_TYPE.encode())
FUND_INSURANCE_TYPE_HASH: Final = keccak256(FUND_INSURANCE_TYPE.encode())

_WORDS: Final[dict[type[AccountMessage], tuple[bytes, Struct]]] = {
    SetProtection: (SET_PROTECTION_TYPE_HASH, Struct(">32s28xI31xB28xI28xI28xI24xQ24xQ24xQ24xQ")),
    ResetProtection: (RESET_PROTECTION_TYPE_HASH, Struct(">32s28xI31xB24xQ24xQ")),
    TransferCash: (TRANSFER_CASH_TYPE_HASH, Struct(">32s28xI28xI31xB24xQ24xQ24xQ")),
    TransferPosition: (
        TRANSFER_POSITION_TYPE_HASH,
        Struct(">32s28xI28xI28xI31xB28xI24xQ24xQ"),
    ),
    ChooseMargin: (CHOOSE_MARGIN_TYPE_HASH, Struct(">32s28xI31xB31xB24xQ24xQ")),
    Withdraw: (WITHDRAW_TYPE_HASH, Struct(">32s28xI31xB24xQ24xQ")),
    ConvertCollateral: (
        CONVERT_COLLATERAL_TYPE_HASH,
        Struct(">32s28xI28xI31xB24xQ24xQ24xQ24xQ"),
    ),
    BidAuction: (BID_AUCTION_TYPE_HASH, Struct(">32s28xI28xI28xI28xIqqqq24xQ24xQ")),
    FundInsurance: (FUND_INSURANCE_TYPE_HASH, Struct(">32s28xI24xQ24xQ24xQ")),
}


def account_message_hash(message: AccountMessage) -> bytes:
    """EIP-712 `hashStruct`; a negative number is extended by its sign, three words of 64 bits that
    are all 0 or all -1.
    """
    type_hash, words = _WORDS[type(message)]
    if isinstance(message, BidAuction):
        sign = message.most_price_micro >> 63
        return keccak256(words.pack(type_hash, *message[:4], sign, sign, sign, *message[4:]))
    return keccak256(words.pack(type_hash, *message))
