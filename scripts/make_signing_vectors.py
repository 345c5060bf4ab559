"""Writes tests/data/signing_vectors.json: messages, hashes and signatures made by eth-account.

Holds: nothing of `settlement/signed_messages.py` but the values' types goes in, so the file is an
outside witness for Python and Solidity alike; keys are derived from names, so a second run writes
the same bytes. 64-bit numbers are decimal strings, because JSON readers in JavaScript round them.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from eth_account.messages import encode_typed_data

from exchange.wallet import SigningDomain, Wallet, typed_data
from matching import rejects
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
from settlement.signed_messages import (
    Acknowledgement,
    Cancel,
    CancelAll,
    CancelWhere,
    Conditions,
    Message,
    Order,
)

TARGET = Path(__file__).parent.parent / "tests" / "data" / "signing_vectors.json"
GROUP_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
U8, U16, U32, U64, I64 = 2**8 - 1, 2**16 - 1, 2**32 - 1, 2**64 - 1, 2**63 - 1
HASH = sha256(b"an order hash").digest()
EXPIRY_S = 1_768_521_600

DEVNET = SigningDomain(31_337, bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3"))
OTHER_CHAIN = SigningDomain(1, DEVNET.settlement)
OTHER_CONTRACT = SigningDomain(31_337, bytes.fromhex("e7f1725e7734ce288f8367e1bb143e90bb3f0512"))
LARGEST = SigningDomain(2**256 - 1, b"\xff" * 20)
ONE_LEG = ((17, 1),)


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
        "expiry_s": EXPIRY_S,
        "salt": 1,
        "replaces": bytes(32),
        "legs": ONE_LEG,
    }
    return Order(**(fields | changed))


MESSAGES: list[tuple[str, SigningDomain, Message]] = [
    ("buy one instrument", DEVNET, order()),
    ("sell one instrument", DEVNET, order(side=1, salt=2)),
    ("immediate or cancel", DEVNET, order(time_in_force=1)),
    ("fill or kill", DEVNET, order(time_in_force=2)),
    ("post only", DEVNET, order(flags=1)),
    ("replaces another", DEVNET, order(replaces=HASH)),
    ("vertical", DEVNET, order(legs=((17, 1), (19, -1)), limit_price_micro=4_200_000)),
    ("net credit", DEVNET, order(legs=((17, 1), (19, -1)), limit_price_micro=-4_200_000)),
    ("butterfly", DEVNET, order(legs=((5, 1), (6, -2), (7, 1)), limit_price_micro=0)),
    (
        "eight legs",
        DEVNET,
        order(legs=tuple((3 * i, 1 if i % 2 == 0 else -i) for i in range(8)), salt=2**63),
    ),
    (
        "every field at its largest",
        LARGEST,
        Order(
            U32,
            U32,
            U8,
            U8,
            U16,
            I64,
            U32,
            U64,
            U64,
            U64,
            b"\xff" * 32,
            ((U32, 2**15 - 1),),
            Conditions(U32, U32, U8, I64, b"\xff" * 32, U64, U32, U8, U64),
        ),
    ),
    (
        "every field at its smallest",
        SigningDomain(0, bytes(20)),
        Order(0, 0, 0, 0, 0, -(2**63), 0, 0, 0, 0, bytes(32), ((0, -(2**15)),)),
    ),
    ("an iceberg with a label", DEVNET, order(conditions=Conditions(display_lots=3, label=77))),
    ("a stop", DEVNET, order(conditions=Conditions(trigger=2, trigger_price_micro=-5))),
    ("after another", DEVNET, order(conditions=Conditions(parent=HASH, oco_group=9))),
    ("no legs", DEVNET, order(legs=())),
    ("another chain", OTHER_CHAIN, order()),
    ("another contract", OTHER_CONTRACT, order()),
    ("cancel", DEVNET, Cancel(3, HASH)),
    ("cancel on another contract", OTHER_CONTRACT, Cancel(3, HASH)),
    ("cancel at its largest", DEVNET, Cancel(U32, b"\xff" * 32)),
    ("cancel all", DEVNET, CancelAll(3, 1)),
    ("cancel all at its largest", DEVNET, CancelAll(U32, U32)),
    ("cancel by label", DEVNET, CancelWhere(3, 2, 77, 5, EXPIRY_S)),
    ("cancel where at its largest", LARGEST, CancelWhere(U32, U8, U64, U64, U64)),
    ("set protection", DEVNET, SetProtection(3, 1, 5_000, 0, 50, 9, 8, 7, EXPIRY_S)),
    (
        "set protection at its largest",
        LARGEST,
        SetProtection(U32, U8, U32, U32, U32, U64, U64, U64, U64),
    ),
    ("reset protection", DEVNET, ResetProtection(3, 1, 7, EXPIRY_S)),
    ("reset protection at its largest", LARGEST, ResetProtection(U32, U8, U64, U64)),
    ("transfer cash", DEVNET, TransferCash(3, 4, 0, 1_000_000_000, 7, EXPIRY_S)),
    ("transfer cash at its largest", LARGEST, TransferCash(U32, U32, U8, U64, U64, U64)),
    ("transfer a position", DEVNET, TransferPosition(3, 4, 17, 1, 25, 7, EXPIRY_S)),
    (
        "transfer a position at its largest",
        LARGEST,
        TransferPosition(U32, U32, U32, U8, U32, U64, U64),
    ),
    ("choose margin", DEVNET, ChooseMargin(3, 1, 2, 7, EXPIRY_S)),
    ("choose margin at its largest", LARGEST, ChooseMargin(U32, U8, U8, U64, U64)),
    ("withdraw", DEVNET, Withdraw(3, 0, 1_000_000_000, 7)),
    ("withdraw at its largest", LARGEST, Withdraw(U32, U8, U64, U64)),
    ("convert collateral", DEVNET, ConvertCollateral(3, 5, 1, 9_000_000, 2_700, 7, EXPIRY_S)),
    (
        "convert collateral at its largest",
        LARGEST,
        ConvertCollateral(U32, U32, U8, U64, U64, U64, U64),
    ),
    ("bid", DEVNET, BidAuction(3, 9, 1_000_000, 250_000, 12_345_678, 7, EXPIRY_S)),
    ("bid below zero", DEVNET, BidAuction(3, 9, 1_000_000, 1, -12_345_678, 7, EXPIRY_S)),
    ("bid at its largest", LARGEST, BidAuction(U32, U32, U32, U32, I64, U64, U64)),
    ("fund insurance", DEVNET, FundInsurance(3, 1_000_000_000, 7, EXPIRY_S)),
    ("fund insurance at its largest", LARGEST, FundInsurance(U32, U64, U64, U64)),
    ("acknowledgement", DEVNET, Acknowledgement(42, HASH, sha256(b"a journal").digest())),
    ("acknowledgement at its largest", DEVNET, Acknowledgement(U64, b"\xff" * 32, b"\xff" * 32)),
]


def wallet(name: str) -> Wallet:
    return Wallet(sha256(f"straddle test key: {name}".encode()).digest())


def plain(value: Any, solidity_type: str) -> Any:
    """A value as JSON holds it: bytes in hexadecimal, 64-bit and larger numbers as decimals."""
    if solidity_type == "Leg[]":
        return value
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value) if solidity_type in ("uint64", "int64", "uint256") else value


def vector(name: str, domain: SigningDomain, message: Message) -> dict[str, Any]:
    data = typed_data(message, domain)
    kind = data["primaryType"]
    signable = encode_typed_data(full_message=data)
    signer = wallet(name)
    signed = signer.sign(message, domain)
    digest = signer._key.sign_message(signable).message_hash
    return {
        "name": name,
        "type": kind,
        "domain": {**data["domain"], "chainId": str(domain.chain_id)},
        "message": {
            field["name"]: (
                {
                    inner["name"]: plain(
                        data["message"]["conditions"][inner["name"]], inner["type"]
                    )
                    for inner in data["types"]["Conditions"]
                }
                if field["type"] == "Conditions"
                else plain(data["message"][field["name"]], field["type"])
            )
            for field in data["types"][kind]
        },
        "domainSeparator": "0x" + signable.header.hex(),
        "structHash": "0x" + signed.message_hash.hex(),
        "digest": "0x" + digest.hex(),
        "signature": "0x" + signed.signature.hex(),
        "signer": "0x" + signer.address.hex(),
    }


def refusals(good: dict[str, Any]) -> list[dict[str, Any]]:
    """Signatures over the first vector's digest that must be refused, with the reject code."""
    signature = bytes.fromhex(good["signature"][2:])
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    low, zero = signature[32:64], bytes(32)
    high = (GROUP_ORDER - s).to_bytes(32, "big")
    flipped = bytes((55 - v,))
    same = bytes((v,))
    cases = [
        ("empty", b"", rejects.SIGNATURE_LENGTH),
        ("a byte short", signature[:64], rejects.SIGNATURE_LENGTH),
        ("a byte long", signature + b"\0", rejects.SIGNATURE_LENGTH),
        ("all zero", bytes(65), rejects.SIGNATURE_ZERO),
        ("r zero", zero + low + same, rejects.SIGNATURE_ZERO),
        ("s zero", r + zero + same, rejects.SIGNATURE_ZERO),
        ("v 0", r + low + b"\x00", rejects.SIGNATURE_WRONG_V),
        ("v 1", r + low + b"\x01", rejects.SIGNATURE_WRONG_V),
        ("v 26", r + low + bytes((26,)), rejects.SIGNATURE_WRONG_V),
        ("v 29", r + low + bytes((29,)), rejects.SIGNATURE_WRONG_V),
        ("v 35, as in EIP-155", r + low + bytes((35,)), rejects.SIGNATURE_WRONG_V),
        ("the same signature, s in the upper half", r + high + flipped, rejects.SIGNATURE_HIGH_S),
        (
            "s one above half of the group order",
            r + (GROUP_ORDER // 2 + 1).to_bytes(32, "big") + same,
            rejects.SIGNATURE_HIGH_S,
        ),
        ("s all ones", r + b"\xff" * 32 + same, rejects.SIGNATURE_HIGH_S),
        ("r is the group order", group_order_bytes() + low + same, rejects.SIGNATURE_UNRECOVERABLE),
        ("r all ones", b"\xff" * 32 + low + same, rejects.SIGNATURE_UNRECOVERABLE),
        ("r is on no point", off_curve() + low + same, rejects.SIGNATURE_UNRECOVERABLE),
    ]
    return [
        {"name": name, "digest": good["digest"], "signature": "0x" + bad.hex(), "code": code}
        for name, bad, code in cases
    ]


def group_order_bytes() -> bytes:
    return GROUP_ORDER.to_bytes(32, "big")


def off_curve() -> bytes:
    """The smallest x for which x^3 + 7 has no square root modulo the field's prime."""
    prime = 2**256 - 2**32 - 977
    x = next(x for x in range(1, 99) if pow(x**3 + 7, (prime - 1) // 2, prime) != 1)
    return x.to_bytes(32, "big")


def main() -> None:
    vectors = [vector(*case) for case in MESSAGES]
    content = {"vectors": vectors, "refusals": refusals(vectors[0])}
    TARGET.write_text(json.dumps(content, indent=1) + "\n")
    print(f"{TARGET.name}: {len(vectors)} messages, {len(content['refusals'])} refusals")


if __name__ == "__main__":
    main()
