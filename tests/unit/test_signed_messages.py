"""Signed messages against the shared vectors, the bytes of docs/protocol.md, and each bad field."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from matching import rejects
from matching.orders import KNOWN_FLAGS
from matching.rejects import Reject
from settlement.account_messages import (
    WITHDRAW_TYPE,
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
from settlement.keccak import keccak256
from settlement.order_fields import check_order_fields
from settlement.signature import recover
from settlement.signed_messages import (
    ACKNOWLEDGEMENT_TYPE,
    CANCEL_ALL_TYPE,
    CANCEL_TYPE,
    LEG_TYPE,
    MAX_NET_PRICE_MICRO,
    MAX_PRICE_MICRO,
    ORDER_FIELDS,
    ORDER_TYPE,
    PLAIN,
    Acknowledgement,
    Cancel,
    CancelAll,
    CancelWhere,
    Conditions,
    Message,
    Order,
    decode_order,
    domain_separator,
    encode_order,
    order_hash,
    signing_digest,
    struct_hash,
)

ROOT = Path(__file__).parents[2]
SHARED = json.loads((ROOT / "tests" / "data" / "signing_vectors.json").read_text())
VECTORS: list[dict[str, Any]] = SHARED["vectors"]
REFUSALS: list[dict[str, Any]] = SHARED["refusals"]
KINDS: dict[str, type[Message]] = {
    "Order": Order,
    "Cancel": Cancel,
    "CancelAll": CancelAll,
    "CancelWhere": CancelWhere,
    "SetProtection": SetProtection,
    "ResetProtection": ResetProtection,
    "TransferCash": TransferCash,
    "TransferPosition": TransferPosition,
    "ChooseMargin": ChooseMargin,
    "Withdraw": Withdraw,
    "ConvertCollateral": ConvertCollateral,
    "BidAuction": BidAuction,
    "FundInsurance": FundInsurance,
    "Acknowledgement": Acknowledgement,
}


def from_hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def plain_value(value: str | int) -> bytes | int:
    return from_hex(value) if isinstance(value, str) and value.startswith("0x") else int(value)


def message_of(vector: dict[str, Any]) -> Message:
    values: list[Any] = []
    for value in vector["message"].values():
        if isinstance(value, list):
            values.append(tuple((leg["instrument"], leg["ratio"]) for leg in value))
        elif isinstance(value, dict):
            values.append(Conditions(*map(plain_value, value.values())))
        else:
            values.append(plain_value(value))
    return KINDS[vector["type"]](*values)


def order(**changed: Any) -> Order:
    fields: dict[str, Any] = {
        "account": 3,
        "counter": 0,
        "side": 0,
        "time_in_force": 0,
        "flags": 0,
        "limit_price_micro": 12_350_000,
        "quantity_lots": 10,
        "max_fee_micro": 300_000,
        "expiry_s": 1_768_521_600,
        "salt": 1,
        "replaces": bytes(32),
        "legs": ((17, 1),),
    }
    return Order(**(fields | changed))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_hashes_and_signer_are_those_of_the_shared_vectors(vector: dict[str, Any]) -> None:
    domain = vector["domain"]
    separator = domain_separator(int(domain["chainId"]), from_hex(domain["verifyingContract"]))
    message_hash = struct_hash(message_of(vector))
    digest = signing_digest(separator, message_hash)
    assert separator == from_hex(vector["domainSeparator"])
    assert message_hash == from_hex(vector["structHash"])
    assert digest == from_hex(vector["digest"])
    assert recover(digest, from_hex(vector["signature"])) == from_hex(vector["signer"])


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal["name"])
def test_a_bad_signature_is_refused_with_its_own_number(refusal: dict[str, Any]) -> None:
    answer = recover(from_hex(refusal["digest"]), from_hex(refusal["signature"]))
    assert isinstance(answer, Reject)
    assert answer.code == refusal["code"]


def test_a_signature_for_another_chain_contract_or_order_recovers_somebody_else() -> None:
    vector = VECTORS[0]
    signature, signer = from_hex(vector["signature"]), from_hex(vector["signer"])
    contract = from_hex(vector["domain"]["verifyingContract"])
    right = order_hash(message_of(vector))
    digests = [
        signing_digest(domain_separator(1, contract), right),
        signing_digest(domain_separator(31_337, bytes(20)), right),
        signing_digest(domain_separator(31_337, contract), order_hash(order(salt=2))),
    ]
    for digest in digests:
        assert recover(digest, signature) != signer


def test_the_type_strings_are_the_ones_that_the_protocol_page_prints() -> None:
    page = "".join((ROOT / "docs" / "protocol.md").read_text().split())
    for line in (
        LEG_TYPE,
        ORDER_TYPE,
        CANCEL_TYPE,
        CANCEL_ALL_TYPE,
        WITHDRAW_TYPE,
        ACKNOWLEDGEMENT_TYPE,
    ):
        assert "".join(line.split()) in page


def test_the_domain_is_the_one_of_the_published_example_but_for_its_values() -> None:
    # EIP-712's own example: name "Ether Mail", version "1", chain 1, contract 0xCcC...C.
    type_hash = keccak256(
        b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    )
    assert type_hash.hex() == "8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f"
    example = keccak256(
        type_hash
        + keccak256(b"Ether Mail")
        + keccak256(b"1")
        + (1).to_bytes(32, "big")
        + bytes(12)
        + b"\xcc" * 20
    )
    assert example.hex() == "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"


def test_an_order_in_a_command_has_the_bytes_of_the_protocol_page() -> None:
    text = "account u32, counter u32, side u8, time_in_force u8, flags u16"
    assert text in (ROOT / "docs" / "protocol.md").read_text()
    written = order(
        counter=1, side=1, time_in_force=2, flags=3, limit_price_micro=-1, legs=((5, 1), (6, -2))
    )
    assert encode_order(written) == b"".join(
        (
            struct.pack(">I", 3),
            struct.pack(">I", 1),
            b"\x01\x02\x00\x03",
            b"\xff" * 8,
            struct.pack(">I", 10),
            struct.pack(">Q", 300_000),
            struct.pack(">Q", 1_768_521_600),
            struct.pack(">Q", 1),
            bytes(32),
            b"\x02",
            b"\x00\x00\x00\x05\x00\x01",
            b"\x00\x00\x00\x06\xff\xfe",
            b"\x00",
        )
    )


@pytest.mark.parametrize("conditions", [PLAIN, Conditions(label=1), Conditions(2, 3, 1, -4)])
@pytest.mark.parametrize("legs", [(), ((17, 1),), ((5, 1), (6, -2), (7, 1))])
def test_an_order_cut_at_any_byte_is_malformed_there(
    legs: tuple[tuple[int, int], ...], conditions: Conditions
) -> None:
    whole = encode_order(order(legs=legs, conditions=conditions))
    assert decode_order(whole) == (order(legs=legs, conditions=conditions), len(whole))
    for length in range(len(whole)):
        assert decode_order(whole[:length]) == Reject(rejects.MALFORMED, length)


def test_a_plain_order_has_one_form_and_conditions_one_count() -> None:
    plain = encode_order(order())
    assert decode_order(plain[:-1] + b"\1" + bytes(70)) == Reject(rejects.MALFORMED, 87)
    labelled = bytearray(encode_order(order(conditions=Conditions(label=1))))
    labelled[87] = 2
    assert decode_order(bytes(labelled)) == Reject(rejects.MALFORMED, 87)


def test_a_leg_count_that_promises_more_than_there_is_reads_nothing_beyond() -> None:
    promises_255 = encode_order(order())[:80] + b"\xff" + bytes(7)
    assert decode_order(promises_255) == Reject(rejects.MALFORMED, 88)


def test_every_field_takes_part_in_equality() -> None:
    base = order()
    assert base == order()
    assert hash(base) == hash(order())
    assert base != "an order"
    for name in ORDER_FIELDS:
        value = {
            "replaces": b"\x01" * 32,
            "legs": ((18, 1),),
            "conditions": Conditions(label=9),
        }.get(name, 99)
        assert order(**{name: value}) != base
        assert f"{name}={value!r}" in repr(order(**{name: value}))


SPREAD = ((17, 1), (19, -1))


@pytest.mark.parametrize(
    ("changed", "reject"),
    [
        ({"limit_price_micro": 0}, Reject(rejects.PRICE_OUT_OF_RANGE, 0, MAX_PRICE_MICRO)),
        ({"limit_price_micro": -1}, Reject(rejects.PRICE_OUT_OF_RANGE, -1, MAX_PRICE_MICRO)),
        (
            {"limit_price_micro": 1 << 34},
            Reject(rejects.PRICE_OUT_OF_RANGE, 1 << 34, MAX_PRICE_MICRO),
        ),
        (
            {"limit_price_micro": 1 << 38, "legs": SPREAD},
            Reject(rejects.PRICE_OUT_OF_RANGE, 1 << 38, MAX_NET_PRICE_MICRO),
        ),
        (
            {"limit_price_micro": -(1 << 38), "legs": SPREAD},
            Reject(rejects.PRICE_OUT_OF_RANGE, -(1 << 38), MAX_NET_PRICE_MICRO),
        ),
        (
            {"limit_price_micro": -(1 << 63), "legs": SPREAD},
            Reject(rejects.PRICE_OUT_OF_RANGE, -(1 << 63), MAX_NET_PRICE_MICRO),
        ),
        ({"quantity_lots": 0}, Reject(rejects.QUANTITY_OUT_OF_RANGE, 0, (1 << 24) - 1)),
        ({"quantity_lots": 1 << 24}, Reject(rejects.QUANTITY_OUT_OF_RANGE, 1 << 24, (1 << 24) - 1)),
        ({"side": 2}, Reject(rejects.UNKNOWN_SIDE, 2)),
        ({"time_in_force": 3}, Reject(rejects.UNKNOWN_TIME_IN_FORCE, 3)),
        ({"flags": 1 << 9}, Reject(rejects.UNKNOWN_FLAG, 1 << 9, KNOWN_FLAGS)),
        ({"flags": 0x8001}, Reject(rejects.UNKNOWN_FLAG, 0x8001, KNOWN_FLAGS)),
        ({"flags": 1, "time_in_force": 1}, Reject(rejects.POST_ONLY_NEEDS_GTC, 1)),
        ({"flags": 1, "time_in_force": 2}, Reject(rejects.POST_ONLY_NEEDS_GTC, 2)),
        ({"legs": ()}, Reject(rejects.LEG_COUNT, 0, 8)),
        ({"legs": tuple((i, 1) for i in range(9))}, Reject(rejects.LEG_COUNT, 9, 8)),
        ({"legs": ((17, 2),)}, Reject(rejects.SINGLE_LEG_RATIO, 2, 1)),
        ({"legs": ((17, -1),)}, Reject(rejects.SINGLE_LEG_RATIO, -1, 1)),
        ({"legs": ((17, 0),)}, Reject(rejects.SINGLE_LEG_RATIO, 0, 1)),
        ({"legs": ((17, 1), (18, 0))}, Reject(rejects.LEG_RATIO_OUT_OF_RANGE, 0, 127)),
        ({"legs": ((17, 1), (18, 128))}, Reject(rejects.LEG_RATIO_OUT_OF_RANGE, 128, 127)),
        ({"legs": ((17, 1), (18, -128))}, Reject(rejects.LEG_RATIO_OUT_OF_RANGE, -128, 127)),
        ({"legs": ((19, 1), (17, -1))}, Reject(rejects.LEGS_NOT_ASCENDING, 17, 19)),
        ({"legs": ((17, 1), (17, -2))}, Reject(rejects.LEG_TWICE, 17)),
        ({"legs": ((17, 2), (18, -4), (19, 6))}, Reject(rejects.RATIOS_NOT_REDUCED, 2)),
        ({"legs": ((17, 127), (18, 127))}, Reject(rejects.RATIOS_NOT_REDUCED, 127)),
        ({"legs": ((17, -1), (19, 1))}, Reject(rejects.FIRST_RATIO_NEGATIVE, -1)),
    ],
)
def test_a_field_that_no_state_could_make_right_is_refused(
    changed: dict[str, Any], reject: Reject
) -> None:
    assert check_order_fields(order(**changed)) == reject
    assert str(reject.got) in reject.message


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"side": 1},
        {"time_in_force": 1},
        {"time_in_force": 2},
        {"flags": 1},
        {"limit_price_micro": 1},
        {"limit_price_micro": MAX_PRICE_MICRO},
        {"limit_price_micro": MAX_NET_PRICE_MICRO, "legs": SPREAD},
        {"limit_price_micro": -MAX_NET_PRICE_MICRO, "legs": SPREAD},
        {"limit_price_micro": 0, "legs": SPREAD},
        {"quantity_lots": 1},
        {"quantity_lots": (1 << 24) - 1},
        {"legs": tuple((i, 1) for i in range(8))},
        {"legs": ((0, 127), (1, -126))},
    ],
)
def test_fields_at_their_bounds_are_taken(changed: dict[str, Any]) -> None:
    assert check_order_fields(order(**changed)) is None
