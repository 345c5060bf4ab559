"""The tree of `settlement/bulk_orders.py` as EIP-712 states it: an array hashes to the hash of its
elements' hashes, one after the other, and an array of arrays likewise.
"""

from __future__ import annotations

from settlement.keccak import keccak256

TYPES = (
    "Conditions(uint32 minQuantityLots,uint32 displayLots,uint8 trigger,int64 triggerPriceMicro,"
    "bytes32 parent,uint64 ocoGroup,uint32 volatilityE6,uint8 protection,uint64 label)"
    "Leg(uint32 instrument,int16 ratio)"
    "Order(uint32 account,uint32 counter,uint8 side,uint8 timeInForce,uint16 flags,"
    "int64 limitPriceMicro,uint32 quantityLots,uint64 maxFeeMicro,uint64 expirySeconds,"
    "uint64 salt,bytes32 replaces,Leg[] legs,Conditions conditions)"
)

Nested = bytes | tuple["Nested", "Nested"]


def empty_order_hash() -> bytes:
    """An order of zeros; its array of legs is empty, its conditions are all zero."""
    conditions_type = keccak256(TYPES[: TYPES.index("Leg(")].encode())
    rest = TYPES[TYPES.index("Leg(") :]
    leg, order = rest[: rest.index("Order(")], rest[rest.index("Order(") :]
    conditions = keccak256(conditions_type + bytes(9 * 32))
    order_type = keccak256((order + TYPES[: TYPES.index("Leg(")] + leg).encode())
    return keccak256(order_type + bytes(11 * 32) + keccak256(b"") + conditions)


def nest(leaves: list[bytes]) -> tuple[Nested, int]:
    """The leaves, padded, as an array of two arrays of two ..., and its height."""
    height = 1
    while 2**height < len(leaves):
        height += 1
    nodes: list[Nested] = [*leaves, *[empty_order_hash()] * (2**height - len(leaves))]
    while len(nodes) > 1:
        nodes = [(nodes[at], nodes[at + 1]) for at in range(0, len(nodes), 2)]
    return nodes[0], height


def encode(value: Nested) -> bytes:
    return value if isinstance(value, bytes) else keccak256(encode(value[0]) + encode(value[1]))


def bulk_hash(leaves: list[bytes]) -> bytes:
    tree, height = nest(leaves)
    return keccak256(
        keccak256(("BulkOrder(Order" + "[2]" * height + " tree)" + TYPES).encode()) + encode(tree)
    )
