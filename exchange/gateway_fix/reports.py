"""What an order's owner is told: ExecutionReport (8) and OrderCancelReject (9).

Holds: a report is a function of the order and of one event, its ExecID too, so that a report that
is made twice can be known; prices are USDC per unit of the underlying and quantities units of the
underlying, as the owner wrote them (a mirrored combo has its price and side turned back).
Never: keeps anything.
"""

from typing import Final

import msgspec

from exchange.gateway_fix import tags
from exchange.gateway_fix.message import Field
from exchange.gateway_fix.timestamps import timestamp_text
from exchange.symbols import cash_text, price_text, quantity_text
from exchange.venue import Acknowledgement, Legs, SignatureFault
from matching import rejects
from matching.instruments import decimal_text
from matching.rejects import Reject

NEW: Final = "0"
PARTLY_FILLED: Final = "1"
FILLED: Final = "2"
CANCELED: Final = "4"
REPLACED: Final = "5"
REJECTED: Final = "8"
EXPIRED: Final = "C"
RESTATED: Final = "D"
TRADE: Final = "F"
ORDER_STATUS: Final = "I"

SINGLE_SECURITY: Final = "1"
LEG: Final = "2"
MULTI_LEG: Final = "3"

PARTIAL_DECLINE: Final = "5"
"""ExecRestatementReason (378): the exchange took a part of OrderQty away."""

_AVERAGE_DECIMALS: Final = 8

_ORDER_REASONS: Final = {
    rejects.UNKNOWN_INSTRUMENT: "1",
    rejects.INSTRUMENT_NOT_OPEN: "2",
    rejects.MARGIN: "3",
    rejects.TOO_MANY_LOTS: "3",
    rejects.TOO_MANY_POSITIONS: "3",
    rejects.TOO_MANY_OPEN_ORDERS: "3",
    rejects.ORDER_EXPIRED: "4",
    rejects.ORDER_ALREADY_USED: "6",
    rejects.COUNTER_CANCELLED: "8",
    rejects.UNKNOWN_TIME_IN_FORCE: "11",
    rejects.UNKNOWN_FLAG: "11",
    rejects.UNKNOWN_SIDE: "11",
    rejects.POST_ONLY_NEEDS_GTC: "11",
    rejects.QUANTITY_OUT_OF_RANGE: "13",
    rejects.UNKNOWN_ACCOUNT: "15",
}
"""OrdRejReason (103) by reject code; 99 (other) for the rest, which tag 20010 tells apart."""

_CANCEL_REASONS: Final = {
    rejects.ORDER_NOT_LIVE: "0",
    rejects.UNKNOWN_ORDER: "1",
    rejects.ORDER_ALREADY_USED: "6",
}
_OTHER: Final = "99"


class LiveOrder(msgspec.Struct):
    """An order as its session knows it: side and price as its owner wrote them, and what was
    reported. `total_micro` is the sum of price x lots; `sequence` the last command reported.
    """

    order_hash: bytes
    cl_ord_id: str
    account: int
    symbol: str
    side: str
    legs: Legs
    lot_e8: int
    price_micro: int
    quantity_lots: int
    time_in_force: str
    sign: int
    cum_lots: int = 0
    total_micro: int = 0
    sequence: int = 0

    @property
    def leaves_lots(self) -> int:
        return self.quantity_lots - self.cum_lots

    @property
    def status(self) -> str:
        """OrdStatus (39) of an order that is not cancelled."""
        if not self.cum_lots:
            return NEW
        return PARTLY_FILLED if self.leaves_lots else FILLED


def hex_text(data: bytes) -> str:
    return "0x" + data.hex()


def report(
    order: LiveOrder,
    kind: str,
    status: str,
    exec_id: str,
    time_ns: int,
    *,
    cl_ord_id: str | None = None,
    orig_cl_ord_id: str | None = None,
) -> list[Field]:
    """An ExecutionReport of what stands in `order`; `kind` is ExecType (150)."""
    is_over = status in (CANCELED, EXPIRED, REJECTED)
    fields = [
        (tags.ORDER_ID, hex_text(order.order_hash)),
        (tags.CL_ORD_ID, cl_ord_id or order.cl_ord_id),
        (tags.EXEC_ID, exec_id),
        (tags.EXEC_TYPE, kind),
        (tags.ORD_STATUS, status),
        (tags.ACCOUNT, str(order.account)),
        (tags.SYMBOL, order.symbol),
        (tags.SIDE, order.side),
        (tags.ORDER_QTY, quantity_text(order.quantity_lots, order.lot_e8)),
        (tags.ORD_TYPE, "2"),
        (tags.PRICE, price_text(order.price_micro, order.lot_e8)),
        (tags.TIME_IN_FORCE, order.time_in_force),
        (tags.LEAVES_QTY, "0" if is_over else quantity_text(order.leaves_lots, order.lot_e8)),
        (tags.CUM_QTY, quantity_text(order.cum_lots, order.lot_e8)),
        (tags.AVG_PX, average_text(order)),
        (tags.TRANSACT_TIME, timestamp_text(time_ns)),
    ]
    if orig_cl_ord_id is not None:
        fields.append((tags.ORIG_CL_ORD_ID, orig_cl_ord_id))
    return fields


def average_text(order: LiveOrder) -> str:
    """AvgPx (6), rounded to nearest at its last decimal."""
    if not order.cum_lots:
        return "0"
    # USDC per unit = total / lots / 1e6 / (lot_e8 / 1e8)
    scale = 10**_AVERAGE_DECIMALS
    denominator = order.cum_lots * order.lot_e8
    rounded = (2 * order.total_micro * 100 * scale + denominator) // (2 * denominator)
    return decimal_text(rounded, scale)


def trade_fields(
    price_micro: int, lots: int, lot_e8: int, is_maker: bool, reporting_type: str
) -> list[Field]:
    """What a Trade report adds: LastPx, LastQty, who made the price, and of what it is."""
    return [
        (tags.LAST_PX, price_text(price_micro, lot_e8)),
        (tags.LAST_QTY, quantity_text(lots, lot_e8)),
        (tags.LAST_LIQUIDITY_IND, "1" if is_maker else "2"),
        (tags.MULTI_LEG_REPORTING_TYPE, reporting_type),
    ]


def fee_fields(fee_micro: int) -> list[Field]:
    """The fee in USDC, as an absolute Commission (12)."""
    return [(tags.COMMISSION, cash_text(fee_micro)), (tags.COMM_TYPE, "3")]


def acknowledgement_fields(ack: Acknowledgement | None) -> list[Field]:
    """The operator's signed word that the message stands in the journal."""
    if ack is None:
        return []
    return [
        (tags.ACK_SIGNATURE, hex_text(ack.signature)),
        (tags.ACK_SEQUENCE, str(ack.sequence)),
        (tags.ACK_JOURNAL_HASH, hex_text(ack.journal_hash)),
    ]


def reject_text(reject: Reject, fault: SignatureFault | None) -> str:
    """Why a message was refused; for a signature, all that the signer needs to compare."""
    if fault is None:
        return reject.message
    signer = "none" if fault.recovered_signer is None else hex_text(fault.recovered_signer)
    return (
        f"{reject.message}; recovered signer {signer}, digest {hex_text(fault.digest)}, "
        f"domain separator {hex_text(fault.domain_separator)}, "
        f"struct hash {hex_text(fault.struct_hash)}"
    )


def order_reject_fields(reject: Reject, text: str) -> list[Field]:
    """What a Rejected report adds."""
    return [
        (tags.ORD_REJ_REASON, _ORDER_REASONS.get(reject.code, _OTHER)),
        (tags.TEXT, text),
        (tags.REJECT_CODE, str(reject.code)),
    ]


def cancel_reject(
    *,
    order_hash: bytes | None,
    cl_ord_id: str,
    orig_cl_ord_id: str,
    status: str,
    is_replace: bool,
    reject: Reject,
    text: str,
    time_ns: int,
) -> list[Field]:
    """OrderCancelReject (9): the order stands as it stood."""
    return [
        (tags.ORDER_ID, "NONE" if order_hash is None else hex_text(order_hash)),
        (tags.CL_ORD_ID, cl_ord_id),
        (tags.ORIG_CL_ORD_ID, orig_cl_ord_id or "NONE"),
        (tags.ORD_STATUS, status),
        (tags.CXL_REJ_RESPONSE_TO, "2" if is_replace else "1"),
        (tags.CXL_REJ_REASON, _CANCEL_REASONS.get(reject.code, _OTHER)),
        (tags.TEXT, text),
        (tags.REJECT_CODE, str(reject.code)),
        (tags.TRANSACT_TIME, timestamp_text(time_ns)),
    ]
