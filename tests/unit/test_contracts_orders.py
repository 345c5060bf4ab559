"""Orders as the Settlement contract hashes and recovers them, against a wallet's library."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.devnet import Devnet
from settlement.chain import Chain, deploy_mock_usdc
from settlement.node import Node, Reverted, created_address
from tests.local_chain import ALICE, BOB, OPERATOR, exchange_on, view

pytest_plugins = ("tests.chain_fixtures",)

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
LEG_FIELDS = [{"name": "instrument", "type": "uint32"}, {"name": "ratio", "type": "int16"}]
ORDER_TYPES = (
    "uint32 account,uint32 counter,uint8 side,uint8 timeInForce,uint16 flags,"
    "int64 limitPriceMicro,uint32 quantityLots,uint64 maxFeeMicro,uint64 expirySeconds,"
    "uint64 salt,bytes32 replaces,Leg[] legs,Conditions conditions"
)
CONDITIONS_TYPES = (
    "uint32 minQuantityLots,uint32 displayLots,uint8 trigger,int64 triggerPriceMicro,"
    "bytes32 parent,uint64 ocoGroup,uint32 volatilityE6,uint8 protection,uint64 label"
)
ORDER_FIELDS, CONDITIONS_FIELDS = (
    [
        {"name": name, "type": kind}
        for kind, name in (field.split(" ") for field in types.split(","))
    ]
    for types in (ORDER_TYPES, CONDITIONS_TYPES)
)


def integers_of(kind: str) -> st.SearchStrategy[int]:
    bits = int(kind.removeprefix("u").removeprefix("int"))
    low = 0 if kind.startswith("u") else -(2 ** (bits - 1))
    high = low + 2**bits - 1
    return st.one_of(st.integers(low, high), st.sampled_from((low, high)))


LEGS = st.lists(st.tuples(integers_of("uint32"), integers_of("int16")), max_size=8)
CONDITIONS = st.tuples(
    *(
        st.binary(min_size=32, max_size=32)
        if field["type"] == "bytes32"
        else integers_of(field["type"])
        for field in CONDITIONS_FIELDS
    )
)
ORDERS = st.tuples(
    *(integers_of(field["type"]) for field in ORDER_FIELDS[:-3]),
    st.binary(min_size=32, max_size=32),
    LEGS,
    CONDITIONS,
)


@pytest.fixture(scope="module")
def settlement(node: Node) -> Chain:
    return exchange_on(node)


def typed_data(chain: Chain, order: tuple[Any, ...]) -> dict[str, Any]:
    message: dict[str, Any] = dict(zip((f["name"] for f in ORDER_FIELDS), order, strict=True))
    message["legs"] = [{"instrument": leg[0], "ratio": leg[1]} for leg in order[-2]]
    names = (field["name"] for field in CONDITIONS_FIELDS)
    message["conditions"] = dict(zip(names, order[-1], strict=True))
    return {
        "types": {
            "EIP712Domain": DOMAIN_FIELDS,
            "Order": ORDER_FIELDS,
            "Leg": LEG_FIELDS,
            "Conditions": CONDITIONS_FIELDS,
        },
        "primaryType": "Order",
        "domain": {
            "name": "Straddle",
            "version": "1",
            "chainId": chain.node.chain_id(),
            "verifyingContract": "0x" + chain.settlement.hex(),
        },
        "message": message,
    }


@settings(max_examples=10, deadline=None)
@given(orders=st.lists(ORDERS, min_size=1, max_size=6))
def test_an_order_has_the_hash_and_the_digest_that_a_wallet_computes(
    settlement: Chain, orders: list[tuple[Any, ...]]
) -> None:
    for order in orders:
        signable = encode_typed_data(full_message=typed_data(settlement, order))
        assert view(settlement, "orderHash", order) == (signable.body,)
        signed = Account.sign_message(signable, ALICE.key)
        assert view(settlement, "orderDigest", order) == (bytes(signed.message_hash),)
        signature = bytes(signed.signature)
        assert view(settlement, "recoverOrderSigner", order, signature) == (ALICE.address,)


ORDER = (
    7,
    0,
    1,
    0,
    1,
    -5_000_000,
    3,
    99,
    1_800_000_000,
    12,
    bytes(32),
    ((4, 1), (9, -2)),
    (0, 2, 0, 0, bytes(32), 0, 0, 0, 5),
)


@pytest.fixture(scope="module")
def signature(settlement: Chain) -> bytes:
    signable = encode_typed_data(full_message=typed_data(settlement, ORDER))
    return bytes(Account.sign_message(signable, ALICE.key).signature)


@pytest.mark.parametrize("place", range(len(ORDER)))
def test_every_field_is_signed(settlement: Chain, signature: bytes, place: int) -> None:
    was = ORDER[place]
    other: Any = was + 1 if isinstance(was, int) else b"\x01" * 32
    if isinstance(was, tuple):
        other = (*was[:-1], (9, 2) if place == len(ORDER) - 2 else 6)
    changed = (*ORDER[:place], other, *ORDER[place + 1 :])
    assert view(settlement, "orderHash", changed) != view(settlement, "orderHash", ORDER)
    assert view(settlement, "recoverOrderSigner", changed, signature) != (ALICE.address,)


def test_the_mirror_image_of_a_signature_is_refused(settlement: Chain, signature: bytes) -> None:
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    mirrored = r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    with pytest.raises(Reverted, match="ECDSAInvalidSignatureS"):
        view(settlement, "recoverOrderSigner", ORDER, mirrored)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 35])
def test_another_recovery_byte_is_refused(settlement: Chain, signature: bytes, v: int) -> None:
    with pytest.raises(Reverted, match="ECDSAInvalidSignature"):
        view(settlement, "recoverOrderSigner", ORDER, signature[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 64, 66])
def test_a_signature_of_another_length_is_refused(
    settlement: Chain, signature: bytes, length: int
) -> None:
    cut = (signature + b"\x00")[:length]
    with pytest.raises(Reverted, match=rf"ECDSAInvalidSignatureLength\(length {length}\)"):
        view(settlement, "recoverOrderSigner", ORDER, cut)


VECTORS = Path(__file__).parent.parent / "data" / "signing_vectors.json"
"""Made by a wallet's library; `settlement/signed_messages.py` is held against them as well."""


def test_the_contract_agrees_with_the_published_vectors(anvil_path: Path) -> None:
    """They are signed for the contract that the first account of a new chain deploys first."""
    del anvil_path
    contract = created_address(OPERATOR.address, 0)
    vectors: list[dict[str, Any]] = json.loads(VECTORS.read_text("utf8"))["vectors"]
    orders = [vector for vector in vectors if vector["type"] == "Order"]
    digests = 0
    with Devnet() as devnet:
        node = Node(devnet.url)
        chain = exchange_on(node, (deploy_mock_usdc(node, BOB.key),))
        assert chain.settlement == contract
        for vector in orders:
            order = order_of(vector["message"])
            assert view(chain, "orderHash", order) == (bytes_of(vector["structHash"]),)
            if vector["domain"] != domain_of(chain):
                continue
            digests += 1
            assert view(chain, "orderDigest", order) == (bytes_of(vector["digest"]),)
            signature, signer = bytes_of(vector["signature"]), bytes_of(vector["signer"])
            assert view(chain, "recoverOrderSigner", order, signature) == (signer,)
    assert digests > 0


def domain_of(chain: Chain) -> dict[str, str]:
    _, name, version, chain_id, contract, *_ = view(chain, "eip712Domain")
    return {
        "name": name,
        "version": version,
        "chainId": str(chain_id),
        "verifyingContract": "0x" + contract.hex(),
    }


def order_of(message: dict[str, Any]) -> tuple[Any, ...]:
    """An order of the vectors; integers of 64 bits stand there as text."""
    plain = [int(message[field["name"]]) for field in ORDER_FIELDS[:-3]]
    legs = [(leg["instrument"], leg["ratio"]) for leg in message["legs"]]
    conditions = tuple(
        bytes_of(value) if name == "parent" else int(value)
        for name, value in message["conditions"].items()
    )
    return (*plain, bytes_of(message["replaces"]), legs, conditions)


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
