"""What the contracts cost stays what it was: gas is exact, so a line that costs more is seen."""

from pathlib import Path
from typing import Final

from exchange.devnet import Devnet
from scripts.measure_gas import measure
from settlement.node import Node

# Most gas, about 2% above what `python scripts/measure_gas.py` prints.
ONCE: Final = {
    "open an account": 82_500,
    "deposit first": 102_000,
    "deposit again": 84_500,
    "open an account and deposit": 149_000,
    "register a session key": 80_500,
    "claim, first of its word": 90_500,
    "claim, another": 73_000,
}
A_RECORD: Final = {
    ("post fills", 16): 9_100,
    ("post fills", 64): 2_260,
    ("post fills", 256): 950,
    ("post fills", 1_024): 855,
    ("post fills", 2_000): 841,
    ("post fills of new orders", 256): 1_160,
    ("post fills of new orders", 2_000): 1_052,
}


def test_no_operation_costs_more_than_its_budget(anvil_path: Path) -> None:
    del anvil_path
    with Devnet() as devnet:
        measured = measure(Node(devnet.url))
    once: dict[str, int] = {}
    for name, gas, records in measured:
        if not records:
            once[name] = max(gas, once.get(name, 0))
    assert once.keys() == ONCE.keys()
    for name, gas in once.items():
        assert gas <= ONCE[name], name
    each = {(name, records): gas / records for name, gas, records in measured if records}
    for batch, most in A_RECORD.items():
        assert each[batch] <= most, batch
