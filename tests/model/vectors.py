"""Golden vectors for whoever reads Straddle's bytes in another language, made by the slow twins.

    python -m tests.model.vectors        writes tests/data/{record,tree,batch}_vectors.json

Holds: no code of the product makes them, so it can be held against them; bytes are hexadecimal.
"""

import json
from pathlib import Path
from typing import Any

from settlement.keccak import keccak256
from tests.model import tree
from tests.model.batch import slow_commitment, slow_cut
from tests.model.lawful_records import RATES, Choice, Operator
from tests.model.ledger import GENESIS, TABLE, SlowLedger, fields_of, pack

DATA = Path(__file__).parent.parent / "data"


def record_vectors() -> list[dict[str, Any]]:
    """Each record with its fields all at their least, all at their greatest, and counting up."""
    vectors: list[dict[str, Any]] = []
    for kind, shape in TABLE.items():
        name = shape.split()[0]
        for which in ("least", "greatest", "mixed"):
            values: list[Any] = []
            for at, (_, form, size) in enumerate(fields_of(kind), start=1):
                bits = 8 * size
                if form == "b":
                    byte = {"least": 0, "greatest": 0xFF, "mixed": 0x10 + at}[which]
                    values.append(bytes([byte]) * size)
                else:
                    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if form == "i" else (0, 0)
                    high = high or (1 << bits) - 1
                    mixed = int.from_bytes(keccak256(bytes([kind, at]))[:size], "big") % high
                    values.append({"least": low, "greatest": high, "mixed": mixed}[which])
            names = [field for field, _, _ in fields_of(kind)]
            shown = [value.hex() if isinstance(value, bytes) else value for value in values]
            vectors.append(
                {
                    "name": name,
                    "fields": dict(zip(names, shown, strict=True)),
                    "record": pack(name, *values).hex(),
                }
            )
    return vectors


TREES: list[dict[int, bytes]] = [
    {},
    {0: b"alone"},
    {0xFFFFFFFF: b""},
    {0: b"left", 1: b"right"},
    {0: b"deep", 1 << 31: b"deepest"},
    {key: bytes([key]) * key for key in range(7)},
    {0: b"a", 8: b"b", 5: b"c", 0x80000005: b"d", 3: b"e"},
]


def tree_vectors() -> list[dict[str, Any]]:
    """Trees with a proof of every key that is there, and of some that are not."""
    vectors: list[dict[str, Any]] = []
    for leaves in TREES:
        proofs: list[dict[str, Any]] = []
        for key in sorted({*leaves, 0, 2, 4, 13, 1 << 31, 0xFFFFFFFF}):
            siblings, end = tree.proof(leaves, key)
            proofs.append(
                {
                    "key": key,
                    "is_present": key in leaves,
                    "siblings": [sibling.hex() for sibling in siblings],
                    "end": None if end is None else {"key": end[0], "payload": end[1].hex()},
                }
            )
        vectors.append(
            {
                "leaves": {str(key): payload.hex() for key, payload in leaves.items()},
                "root": tree.root(leaves).hex(),
                "proofs": proofs,
            }
        )
    return vectors


STORY: list[Choice] = [
    (what, 7 * what + seed, 11 + seed, 300 + 17 * what, 4_001 + seed)
    for seed in (0, 5)
    for what in range(24)
]
"""Every act of a lawful operator, twice."""


def batch_vectors() -> dict[str, Any]:
    """Two batches, one upon the other, that hold every record."""
    operator, replay = Operator(), SlowLedger(*RATES)
    batches: list[dict[str, Any]] = []
    laid = 0
    for number, acts in enumerate((STORY[:24], STORY[24:]), start=1):
        for choice in acts:
            operator.act(choice)
        groups, laid = operator.groups[laid:], len(operator.groups)
        journal_hash = keccak256(b"journal %d" % number)
        batch = slow_cut(replay, groups, number, journal_hash, 100 * number, operator.now_s)
        batches.append(
            {
                "groups": [[record.hex() for record in group] for group in groups],
                "header": {
                    name: value.hex() if isinstance(value, bytes) else value
                    for name, value in batch.header.items()
                },
                "chunk_roots": [root.hex() for root in batch.chunk_roots],
                "records": batch.records.hex(),
                "commitment": slow_commitment(batch).hex(),
            }
        )
    names = ("maker_rate", "taker_rate", "cap", "rebate_step", "liquidation_rate", "combo_discount")
    fees = dict(zip(names, RATES, strict=True))
    genesis_root = SlowLedger(*RATES).root().hex()
    return {
        "genesis_body": GENESIS.hex(),
        "fees": fees,
        "genesis_root": genesis_root,
        "batches": batches,
    }


MAKERS = {
    "record_vectors.json": record_vectors,
    "tree_vectors.json": tree_vectors,
    "batch_vectors.json": batch_vectors,
}

if __name__ == "__main__":
    for name, make in MAKERS.items():
        (DATA / name).write_text(json.dumps(make(), indent=1) + "\n")
