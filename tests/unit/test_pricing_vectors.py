"""The integer pricer against tests/data/pricing_vectors.json, which the slow twin made.

`test_pricing_contracts.py` holds Solidity to the same file.
"""

import json
from typing import Any, Final

import numpy as np
import pytest

from margin.black76 import call_micro, price_option_micro
from margin.fixed_point import exp_q30, ln_q30
from margin.normal import normal_q29, normal_q29_array
from margin.rows import price_expiry, price_linear
from margin.scenarios import SCENARIO_COUNT, scenario_profit_micro, shock_factors_q30
from margin.svi import ExpiryMark, check_marks, deviation_q30
from tests.model import pricing as model

VECTORS: Final[dict[str, Any]] = json.loads(model.VECTORS.read_text("utf8"))
ROWS: Final[list[dict[str, Any]]] = VECTORS["rows"]


def test_the_vectors_are_what_the_slow_twin_makes() -> None:
    assert model.VECTORS.read_text("utf8") == model.text_of(model.vectors())


def test_logarithms_exponentials_and_shocks_are_the_vectors() -> None:
    assert [[x, ln_q30(x)] for x, _ in VECTORS["ln_q30"]] == VECTORS["ln_q30"]
    assert [[x, exp_q30(x)] for x, _ in VECTORS["exp_q30"]] == VECTORS["exp_q30"]
    shocks = [[x, *shock_factors_q30(x)] for x, _, _ in VECTORS["shocks_q30"]]
    assert shocks == [[x, up, 1 << 30, down] for x, up, down in VECTORS["shocks_q30"]]


def test_the_normal_distribution_is_the_vectors_one_by_one_and_as_an_array() -> None:
    arguments = [x for x, _ in VECTORS["normal_q29"]]
    expected = [n for _, n in VECTORS["normal_q29"]]
    assert [normal_q29(x) for x in arguments] == expected
    assert normal_q29_array(np.array(arguments, dtype=np.int64)).tolist() == expected


def test_smiles_and_calls_are_the_vectors() -> None:
    for v in VECTORS["deviation_q30"]:
        assert deviation_q30(v["k"], ExpiryMark(*v["mark"])) == v["deviation"], v
    for v in VECTORS["call_micro"]:
        assert call_micro(v["forward"], v["strike"], v["k"], v["deviation"]) == v["price"], v


@pytest.mark.parametrize("vector", ROWS, ids=lambda v: v["name"])
def test_an_option_has_the_price_and_the_profits_of_the_vectors(vector: dict[str, Any]) -> None:
    kind, strike, mark = vector["kind"], vector["strike"], ExpiryMark(*vector["mark"])
    seconds, ln_strike = vector["seconds"], ln_q30(vector["strike"])
    assert check_marks(0, mark, [ln_strike]) is None
    if seconds > 0:
        assert price_option_micro(kind, strike, ln_strike, mark) == vector["price"]
    for scenario, profit in vector["profits"].items():
        option = (kind, strike, ln_strike, mark, seconds)
        assert scenario_profit_micro(*option, int(scenario)) == profit, scenario


def test_whole_expiries_have_the_prices_and_the_profits_of_the_vectors() -> None:
    expiries: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for vector in ROWS:
        expiries.setdefault((*vector["mark"], vector["seconds"]), []).append(vector)
    for (*mark, seconds), options in expiries.items():
        strikes = np.array([v["strike"] for v in options], dtype=np.int64)
        marks, rows = price_expiry(
            np.array([v["kind"] for v in options], dtype=np.int64),
            strikes,
            np.array([ln_q30(strike) for strike in strikes.tolist()], dtype=np.int64),
            ExpiryMark(*mark),
            seconds,
        )
        assert marks.tolist() == [v["price"] for v in options]
        for row, vector in zip(rows.tolist(), options, strict=True):
            assert {i: row[int(i)] for i in vector["profits"]} == vector["profits"], vector["name"]


def test_linear_rows_are_the_vectors() -> None:
    for vector in VECTORS["linear_rows"]:
        assert price_linear(vector["reference"]).tolist() == vector["row"]
        assert len(vector["row"]) == SCENARIO_COUNT
