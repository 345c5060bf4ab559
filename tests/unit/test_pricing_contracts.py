"""Pricing in Solidity against tests/data/pricing_vectors.json and the tables of the Python twin."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from margin import normal_table
from margin.analytics.chain import load_chain
from margin.analytics.svi_fit import fit_expiry
from margin.normal import LIMIT_Q30, normal_q29
from margin.scenarios import LN_MOVE_Q30, MOVE_PERCENT, MOVES_PERCENT
from scripts.build_contracts import Artifact
from settlement.contracts import call_data, results_of
from settlement.node import Node
from tests.local_chain import Deployed
from tests.model.pricing import VECTORS

pytest_plugins = ("tests.chain_fixtures", "tests.contracts_build")

VECTOR_SETS: Final[dict[str, Any]] = json.loads(VECTORS.read_text("utf8"))
OPTIONS_A_CALL: Final = 20
"""A row costs some 160,000 gas, and a call may use 16,777,216."""


@pytest.fixture(scope="module")
def harness(node: Node, compiled_contracts: dict[str, Artifact]) -> Deployed:
    return Deployed(node, compiled_contracts["PricingHarness"])


def answers(harness: Deployed, function: str, *arguments: Any) -> tuple[Any, ...]:
    """All results of a function, where `Deployed.call` gives the first."""
    data = harness.node.call(harness.address, call_data(harness.contract, function, *arguments))
    return tuple(results_of(harness.contract, function, data))


def option_of(vector: dict[str, Any]) -> tuple[Any, ...]:
    return vector["kind"], vector["strike"], tuple(vector["mark"]), vector["seconds"]


def full_rows() -> Iterator[dict[str, Any]]:
    return (vector for vector in VECTOR_SETS["rows"] if len(vector["profits"]) == 119)


def test_both_languages_read_the_same_tables(harness: Deployed) -> None:
    assert harness.call("table") == normal_table.NODES
    scenarios = [*range(0, 3 * len(MOVES_PERCENT), 3), *range(3 * len(MOVES_PERCENT), 119)]
    expected = b"".join(
        MOVE_PERCENT[s].to_bytes(2, "big", signed=True)
        + LN_MOVE_Q30[s].to_bytes(4, "big", signed=True)
        for s in scenarios
    )
    assert harness.call("moves").hex() == expected.hex()


@pytest.mark.parametrize(
    ("function", "name"),
    [("logarithms", "ln_q30"), ("exponentials", "exp_q30"), ("normals", "normal_q29")],
)
def test_functions_of_one_number_are_the_vectors(
    harness: Deployed, function: str, name: str
) -> None:
    arguments, expected = zip(*VECTOR_SETS[name], strict=True)
    assert tuple(harness.call(function, arguments)) == expected


def test_between_the_nodes_of_the_normal_table_both_languages_are_one(harness: Deployed) -> None:
    xs = list(range(-LIMIT_Q30, LIMIT_Q30, 4_000_037))
    assert list(harness.call("normals", xs)) == [normal_q29(x) for x in xs]


def test_shocks_smiles_and_calls_are_the_vectors(harness: Deployed) -> None:
    terms, ups, downs = zip(*VECTOR_SETS["shocks_q30"], strict=True)
    assert [tuple(x) for x in answers(harness, "shocks", terms)] == [ups, downs]
    smiles = VECTOR_SETS["deviation_q30"]
    deviations = harness.call("deviations", [(v["k"], tuple(v["mark"])) for v in smiles])
    assert list(deviations) == [v["deviation"] for v in smiles]
    calls = VECTOR_SETS["call_micro"]
    prices = harness.call(
        "callPrices", [(v["forward"], v["strike"], v["k"], v["deviation"]) for v in calls]
    )
    assert list(prices) == [v["price"] for v in calls]


def test_marks_and_rows_are_the_vectors(harness: Deployed) -> None:
    vectors = VECTOR_SETS["rows"]
    for start in range(0, len(vectors), OPTIONS_A_CALL):
        batch = vectors[start : start + OPTIONS_A_CALL]
        marks, rows = answers(harness, "rows", [option_of(v) for v in batch])
        assert list(marks) == [v["price"] for v in batch]
        for row, vector in zip(rows, batch, strict=True):
            assert {i: row[int(i)] for i in vector["profits"]} == vector["profits"], vector["name"]


def test_a_row_scenario_by_scenario_is_the_row(harness: Deployed) -> None:
    for vector in full_rows():
        profits = harness.call("profitsOneByOne", option_of(vector))
        assert list(profits) == list(vector["profits"].values()), vector["name"]


def test_linear_rows_are_the_vectors(harness: Deployed) -> None:
    for vector in VECTOR_SETS["linear_rows"]:
        assert list(harness.call("linearRow", vector["reference"])) == vector["row"]


def test_pricing_costs_no_more_gas_than_documented(harness: Deployed) -> None:
    """docs/margin.md, 4 names these figures; the largest of all expiries' middle strikes counts."""
    chain = load_chain()
    used: list[tuple[int, ...]] = []
    for expiry in chain.expiries:
        option = expiry.options[len(expiry.options) // 2]
        mark = tuple(fit_expiry(expiry, chain.time_s))
        seconds = expiry.expiry_time_s - chain.time_s
        used.append(answers(harness, "gasUsed", (option.kind, option.strike_micro, mark, seconds)))
    table, expiry, option, price, row = (max(figures) for figures in zip(*used, strict=True))
    assert table <= 6_000
    assert expiry <= 9_500
    assert option <= 5_500
    assert price <= 1_300
    assert row <= 165_000
