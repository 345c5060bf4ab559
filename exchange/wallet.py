"""A trader's key: signs messages as any EIP-712 wallet does.

Holds: hashes come from eth-account alone, never from `settlement/signed_messages.py`, so client
and server agree on a digest only by both being right; the domain is the one the exchange names,
and a caller who knows the contract should compare.
Never: sends anything; shows its key.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from eth_account import Account
from eth_account.messages import encode_typed_data

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
from settlement.bulk_orders import EMPTY_ORDER, tree_height
from settlement.mass_quotes import MassQuote
from settlement.price_reports import PriceReport
from settlement.signed_messages import (
    PLAIN,
    Acknowledgement,
    Cancel,
    CancelAll,
    CancelWhere,
    Message,
    Order,
)

_DOMAIN_FIELDS: Final = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_LEG_FIELDS: Final = (("instrument", "uint32"), ("ratio", "int16"))
_CONDITIONS_FIELDS: Final = (
    ("minQuantityLots", "uint32"),
    ("displayLots", "uint32"),
    ("trigger", "uint8"),
    ("triggerPriceMicro", "int64"),
    ("parent", "bytes32"),
    ("ocoGroup", "uint64"),
    ("volatilityE6", "uint32"),
    ("protection", "uint8"),
    ("label", "uint64"),
)
_PRICE_REPORT_FIELDS: Final = (
    ("underlying", "uint8"),
    ("observedMs", "uint64"),
    ("decimals", "uint8"),
    ("index", "uint128"),
    ("sequence", "uint64"),
    ("expiries", "ExpiryReport[]"),
)
_EXPIRY_REPORT_FIELDS: Final = (
    ("expiry", "uint16"),
    ("forward", "uint128"),
    ("a", "int32"),
    ("b", "int32"),
    ("rho", "int32"),
    ("m", "int32"),
    ("sigma", "int32"),
)
_FIELDS: Final[dict[type[Message], tuple[tuple[str, str], ...]]] = {
    Order: (
        ("account", "uint32"),
        ("counter", "uint32"),
        ("side", "uint8"),
        ("timeInForce", "uint8"),
        ("flags", "uint16"),
        ("limitPriceMicro", "int64"),
        ("quantityLots", "uint32"),
        ("maxFeeMicro", "uint64"),
        ("expirySeconds", "uint64"),
        ("salt", "uint64"),
        ("replaces", "bytes32"),
        ("legs", "Leg[]"),
        ("conditions", "Conditions"),
    ),
    Cancel: (("account", "uint32"), ("orderHash", "bytes32")),
    CancelAll: (("account", "uint32"), ("newCounter", "uint32")),
    CancelWhere: (
        ("account", "uint32"),
        ("scope", "uint8"),
        ("value", "uint64"),
        ("salt", "uint64"),
        ("expirySeconds", "uint64"),
    ),
    SetProtection: (
        ("account", "uint32"),
        ("group", "uint8"),
        ("windowMs", "uint32"),
        ("frozenMs", "uint32"),
        ("quantityLimitLots", "uint32"),
        ("deltaLimitE6", "uint64"),
        ("vegaLimitMicro", "uint64"),
        ("salt", "uint64"),
        ("expirySeconds", "uint64"),
    ),
    ResetProtection: (
        ("account", "uint32"),
        ("group", "uint8"),
        ("salt", "uint64"),
        ("expirySeconds", "uint64"),
    ),
    TransferCash: (
        ("account", "uint32"),
        ("toAccount", "uint32"),
        ("asset", "uint8"),
        ("amountMicro", "uint64"),
        ("salt", "uint64"),
        ("expirySeconds", "uint64"),
    ),
    TransferPosition: (
        ("account", "uint32"),
        ("toAccount", "uint32"),
        ("instrument", "uint32"),
        ("side", "uint8"),
        ("quantityLots", "uint32"),
        ("salt", "uint64"),
        ("expirySeconds", "uint64"),
    ),
    ChooseMargin: (
        ("account", "uint32"),
        ("model", "uint8"),
        ("tier", "uint8"),
        ("salt", "uint64"),
        ("expirySeconds", "uint64"),
    ),
    Withdraw: (
        ("account", "uint32"),
        ("asset", "uint8"),
        ("amountMicro", "uint64"),
        ("salt", "uint64"),
    ),
    ConvertCollateral: (
        ("account", "uint32"),
        ("debtor", "uint32"),
        ("asset", "uint8"),
        ("paidMostMicro", "uint64"),
        ("receivedLeastMicro", "uint64"),
        ("salt", "uint64"),
        ("expirySeconds", "uint64"),
    ),
    BidAuction: (
        ("account", "uint32"),
        ("auction", "uint32"),
        ("mostShareE6", "uint32"),
        ("leastShareE6", "uint32"),
        ("mostPriceMicro", "int64"),
        ("salt", "uint64"),
        ("expirySeconds", "uint64"),
    ),
    FundInsurance: (
        ("account", "uint32"),
        ("amountMicro", "uint64"),
        ("salt", "uint64"),
        ("expirySeconds", "uint64"),
    ),
    Acknowledgement: (
        ("sequence", "uint64"),
        ("orderHash", "bytes32"),
        ("journalHash", "bytes32"),
    ),
}


class SigningDomain(NamedTuple):
    """Where a signature is valid: one Settlement contract (20 bytes) on one chain."""

    chain_id: int
    settlement: bytes


def typed_data(message: Message, domain: SigningDomain) -> dict[str, Any]:
    """The message as `eth_signTypedData_v4` takes it, for any wallet."""
    types: dict[str, Any] = {
        "EIP712Domain": _type_entries(_DOMAIN_FIELDS),
        type(message).__name__: _type_entries(_FIELDS[type(message)]),
    }
    if isinstance(message, Order):
        types["Leg"] = _type_entries(_LEG_FIELDS)
        types["Conditions"] = _type_entries(_CONDITIONS_FIELDS)
    return {
        "types": types,
        "primaryType": type(message).__name__,
        "domain": _domain(domain),
        "message": _named_values(message),
    }


def bulk_typed_data(orders: Sequence[Order], domain: SigningDomain) -> dict[str, Any]:
    """A tree of orders as `eth_signTypedData_v4` takes it: one signature for all of them."""
    height = tree_height(len(orders))
    empty = _named_values(EMPTY_ORDER)
    tree: list[Any] = [_named_values(order) for order in orders]
    tree += [empty] * ((1 << height) - len(tree))
    for _ in range(height - 1):
        tree = [tree[at : at + 2] for at in range(0, len(tree), 2)]
    return {
        "types": {
            "EIP712Domain": _type_entries(_DOMAIN_FIELDS),
            "BulkOrder": [{"name": "tree", "type": "Order" + "[2]" * height}],
            "Order": _type_entries(_FIELDS[Order]),
            "Leg": _type_entries(_LEG_FIELDS),
            "Conditions": _type_entries(_CONDITIONS_FIELDS),
        },
        "primaryType": "BulkOrder",
        "domain": _domain(domain),
        "message": {"tree": tree},
    }


def price_report_typed_data(report: PriceReport, domain: SigningDomain) -> dict[str, Any]:
    """A price report as `eth_signTypedData_v4` takes it."""
    values: dict[str, Any] = _named(_PRICE_REPORT_FIELDS, report)
    values["expiries"] = [_named(_EXPIRY_REPORT_FIELDS, expiry) for expiry in report.expiries]
    return {
        "types": {
            "EIP712Domain": _type_entries(_DOMAIN_FIELDS),
            "PriceReport": _type_entries(_PRICE_REPORT_FIELDS),
            "ExpiryReport": _type_entries(_EXPIRY_REPORT_FIELDS),
        },
        "primaryType": "PriceReport",
        "domain": _domain(domain),
        "message": values,
    }


def _domain(domain: SigningDomain) -> dict[str, Any]:
    return {
        "name": "Straddle",
        "version": "1",
        "chainId": domain.chain_id,
        "verifyingContract": "0x" + domain.settlement.hex(),
    }


def message_json(message: Message) -> dict[str, Any]:
    """The message as the JSON-RPC door takes it: bytes in hexadecimal, 64-bit integers as
    decimal strings.
    """
    values = _as_json(_named_values(message), _FIELDS[type(message)])
    if isinstance(message, Order):
        if message.conditions == PLAIN:
            del values["conditions"]
        else:
            values["conditions"] = _as_json(values["conditions"], _CONDITIONS_FIELDS)
    return values


def mass_quote_json(message: MassQuote) -> dict[str, Any]:
    """A mass quote as the JSON-RPC door takes it, by the same rules."""
    account, counter, flags, max_fee, expiry_s, salt, protection, label, quotes = message
    return {
        "account": account,
        "counter": counter,
        "flags": flags,
        "maxFeeMicro": str(max_fee),
        "expirySeconds": str(expiry_s),
        "salt": str(salt),
        "protection": protection,
        "label": str(label),
        "quotes": [
            {
                "legs": [{"instrument": number, "ratio": ratio} for number, ratio in legs],
                "bidPriceMicro": str(bid_price),
                "bidLots": bid_lots,
                "askPriceMicro": str(ask_price),
                "askLots": ask_lots,
            }
            for legs, bid_price, bid_lots, ask_price, ask_lots in quotes
        ],
    }


def _as_json(values: dict[str, Any], fields: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    for name, solidity_type in fields:
        if solidity_type == "bytes32":
            values[name] = "0x" + values[name].hex()
        elif solidity_type in ("uint64", "int64"):
            values[name] = str(values[name])
    return values


def _named_values(message: Message) -> dict[str, Any]:
    if not isinstance(message, Order):
        values: tuple[Any, ...] = message
    else:
        values = (
            message.account,
            message.counter,
            message.side,
            message.time_in_force,
            message.flags,
            message.limit_price_micro,
            message.quantity_lots,
            message.max_fee_micro,
            message.expiry_s,
            message.salt,
            message.replaces,
            [{"instrument": instrument, "ratio": ratio} for instrument, ratio in message.legs],
            _named(_CONDITIONS_FIELDS, message.conditions),
        )
    return _named(_FIELDS[type(message)], values)


def _named(fields: tuple[tuple[str, str], ...], values: tuple[Any, ...]) -> dict[str, Any]:
    return {name: value for (name, _), value in zip(fields, values, strict=True)}


def _type_entries(fields: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": solidity_type} for name, solidity_type in fields]


class Signed(NamedTuple):
    """A message's hash (an order's name) and the signature over its digest, r ‖ s ‖ v."""

    message_hash: bytes
    signature: bytes


class Wallet:
    """One private key and the address (20 bytes) it signs as."""

    __slots__ = ("_key", "address")

    def __init__(self, private_key: bytes | str) -> None:
        """`private_key` is 32 bytes, or their hexadecimal digits."""
        self._key = Account.from_key(private_key)
        self.address: bytes = bytes.fromhex(self._key.address[2:])

    @classmethod
    def create(cls) -> "Wallet":
        """A new wallet with a random key."""
        return cls(bytes(Account.create().key))

    def sign(self, message: Message, domain: SigningDomain) -> Signed:
        """Signs any message of docs/protocol.md, 2, for one exchange on one chain."""
        return self._sign(typed_data(message, domain))

    def sign_bulk(self, orders: Sequence[Order], domain: SigningDomain) -> Signed:
        """Signs many orders at once; `message_hash` is the tree's."""
        return self._sign(bulk_typed_data(orders, domain))

    def sign_report(self, report: PriceReport, domain: SigningDomain) -> Signed:
        """Signs a price report, as a reporter of an oracle."""
        return self._sign(price_report_typed_data(report, domain))

    def _sign(self, data: dict[str, Any]) -> Signed:
        signable = encode_typed_data(full_message=data)
        return Signed(bytes(signable.body), bytes(self._key.sign_message(signable).signature))

    def __repr__(self) -> str:
        return f"Wallet(0x{self.address.hex()})"
