"""A price report: what one reporter signs about an underlying at one moment (EIP-712).

Holds: index and forwards are integers in 10^-decimals USDC per whole unit of the underlying, as
reporters quote them, and turn into micro-USDC per lot by one division, rounded to nearest, half up;
the domain binds chain and contract; `sequence` rises from one report of a reporter to its next, so
none is taken twice.
Never: knows who may report.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from matching.rejects import (
    LISTING_OUT_OF_ORDER,
    REPORT_OUT_OF_BOUNDS,
    Reject,
)
from settlement.keccak import keccak256

MAX_DECIMALS: Final = 18
MAX_EXPIRIES: Final = 64
NO_EXPIRY_NAMED: Final = 0xFFFF
"""What a reject names where the index is meant, not an expiry."""

ExpiryReport = tuple[int, int, int, int, int, int, int]
"""(expiry, forward, a, b, rho, m, sigma): the forward in the report's decimals, raw SVI in Q30."""

EXPIRY_REPORT_TYPE: Final = (
    "ExpiryReport(uint16 expiry,uint128 forward,int32 a,int32 b,int32 rho,int32 m,int32 sigma)"
)
PRICE_REPORT_TYPE: Final = (
    "PriceReport(uint8 underlying,uint64 observedMs,uint8 decimals,uint128 index,uint64 sequence,"
    "ExpiryReport[] expiries)"
)
EXPIRY_REPORT_TYPE_HASH: Final = keccak256(EXPIRY_REPORT_TYPE.encode())
PRICE_REPORT_TYPE_HASH: Final = keccak256((PRICE_REPORT_TYPE + EXPIRY_REPORT_TYPE).encode())

# Unsigned values stand right in their words of 32 bytes; a negative one is extended by its sign
# (three words of 64 bits that are all 0 or all -1).
_HEAD: Final = Struct(">32s31xB24xQ31xB16s16s24xQ32s")
_EXPIRY: Final = Struct(">32s30xH16s16sqqqqqqqqqqqqqqqqqqqq")
_NO_HIGH: Final = bytes(16)


class PriceReport(NamedTuple):
    """What one signature covers. `observed_ms`: Unix time of the observation, by the reporter's
    clock; `expiries` ascend, each once; those that are left out keep their marks.
    """

    underlying: int
    observed_ms: int
    decimals: int
    index_price: int
    sequence: int
    expiries: Sequence[ExpiryReport]


def check_report_fields(report: PriceReport) -> Reject | None:
    """The first of the report's own fields that no exchange state could make right, or None."""
    if report.decimals > MAX_DECIMALS or report.index_price <= 0:
        return Reject(REPORT_OUT_OF_BOUNDS, NO_EXPIRY_NAMED, 0)
    if len(report.expiries) > MAX_EXPIRIES:
        return Reject(REPORT_OUT_OF_BOUNDS, NO_EXPIRY_NAMED, len(report.expiries))
    previous = -1
    for number, *_ in report.expiries:
        if number <= previous:
            return Reject(LISTING_OUT_OF_ORDER, number, previous + 1)
        previous = number
    return None


def micro_per_lot(value: int, decimals: int, lot_e8: int) -> int:
    """A price of one unit in 10^-decimals USDC as micro-USDC per lot, rounded to nearest, half up.

    lot_e8  units of the underlying in a lot, times 1e8
    """
    numerator = value * 1_000_000 * lot_e8
    denominator = 10 ** (8 + decimals)
    return (2 * numerator + denominator) // (2 * denominator)


def price_report_hash(report: PriceReport) -> bytes:
    """EIP-712 `hashStruct`. Every value must fit its type; what does not raises."""
    hashes = b"".join([_expiry_hash(expiry) for expiry in report.expiries])
    return keccak256(
        _HEAD.pack(
            PRICE_REPORT_TYPE_HASH,
            report.underlying,
            report.observed_ms,
            report.decimals,
            _NO_HIGH,
            report.index_price.to_bytes(16, "big"),
            report.sequence,
            keccak256(hashes),
        )
    )


def _expiry_hash(expiry: ExpiryReport) -> bytes:
    number, forward, *smile = expiry
    words: list[int] = []
    for parameter in smile:
        if not -(1 << 31) <= parameter < 1 << 31:
            raise ValueError(f"{parameter} does not fit 32 bits")
        sign = parameter >> 63
        words += (sign, sign, sign, parameter)
    return keccak256(
        _EXPIRY.pack(EXPIRY_REPORT_TYPE_HASH, number, _NO_HIGH, forward.to_bytes(16, "big"), *words)
    )
