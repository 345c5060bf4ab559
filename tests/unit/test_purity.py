"""The core has no clock, no input or output, no randomness, no float, and iterates no set.

Holds: every module that `CORE` names is read by `tests/purity.py`, and may import no other of ours.
Each rule is shown to bite on an offence that is planted here, and to let its lawful neighbour pass.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.purity import check, core_modules

ROOT: Final = Path(__file__).resolve().parents[2]

CORE: Final = (
    "matching/**/*.py",
    "margin/**/*.py",
    "settlement/**/*.py",
    "exchange/__init__.py",
    "exchange/engine.py",
    "exchange/state.py",
    "exchange/expiry_schedule.py",
    "exchange/volatility_orders.py",
    "exchange/waiting_orders.py",
    "exchange/circuit_breaker.py",
    "exchange/listing_rules.py",
    "exchange/settlement_samples.py",
    "exchange/limits.py",
    "exchange/liquidations.py",
    "exchange/liquidation_invariants.py",
    "exchange/handlers/**/*.py",
    "exchange/oracle/__init__.py",
    "exchange/oracle/aggregate.py",
    "exchange/oracle/arbitrage.py",
    "exchange/oracle/judgement.py",
    "exchange/oracle/oracle.py",
    "exchange/oracle/terms.py",
    "exchange/commands.py",
    "exchange/events/*.py",
    "exchange/codec.py",
    "exchange/invariants.py",
    "exchange/fee_invariants.py",
    "exchange/margin_invariants.py",
    "exchange/oracle_invariants.py",
    "exchange/waiting_invariants.py",
    "exchange/collateral_invariants.py",
    "exchange/ledger_invariants.py",
    "exchange/margin_invariants.py",
)
# Float analytics, and what talks to a chain: the core never imports them (that is a rule, too).
BEYOND: Final = (
    "margin/analytics/*.py",
    "margin/analytics/*/*.py",
    "settlement/chain.py",
    "settlement/contracts.py",
    "settlement/node.py",
)

MODULES: Final = core_modules(ROOT, CORE, BEYOND)

# What is planted stands in a module of this name and may import these.
PLANTED: Final = "matching.planted"
NEIGHBOURS: Final = frozenset({"matching", "matching.orders", "matching.book", PLANTED})


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_the_core_computes_and_does_nothing_else(name: str) -> None:
    path = MODULES[name]
    found = check(path.read_text("utf8"), name, frozenset(MODULES))
    where = path.relative_to(ROOT)
    assert not found, "\n" + "\n".join(f"{where}:{o.line}: {o.rule}: {o.what}" for o in found)


@pytest.mark.parametrize("pattern", CORE)
def test_every_part_of_the_core_is_there_to_be_read(pattern: str) -> None:
    assert list(ROOT.glob(pattern)), f"{pattern} matches no file: was the module renamed?"


PLANTED_OFFENCES: Final = {
    "a float literal": ("float", "half = 0.5"),
    "a complex literal": ("float", "i = 1j"),
    "a division": ("float", "def f(a: int) -> int:\n    return a / 2"),
    "a division in place": ("float", "def f(a: int) -> None:\n    a /= 2"),
    "a negative power": ("float", "epsilon = 10 ** -6"),
    "a conversion to float": ("float", "def f(a: int) -> int:\n    return int(float(a))"),
    "a float annotation": ("float", "def f(price: float) -> None: ..."),
    "a float inside an annotation": ("float", "def f(prices: list[float | None]) -> None: ..."),
    "a root": ("float", "import math\nx = math.sqrt(2)"),
    "a logarithm": ("float", "from math import log"),
    "a float dtype": ("float", "import numpy as np\nx = np.array([1], np.float64)"),
    "a float dtype by name": ("float", "import numpy as np\nx = np.array([1], dtype='<f8')"),
    "a float type of numpy": ("float", "from numpy import float64"),
    "an array without a dtype": ("float", "import numpy as np\nx = np.zeros(119)"),
    "a mean": ("float", "def f(rows):\n    return rows.mean(axis=0)"),
    "a float in a struct": ("float", "from struct import Struct\nPRICE = Struct('>Qd')"),
    "random numbers of numpy": ("random", "import numpy as np\nx = np.random.default_rng(1)"),
    "a file of numpy": ("input or output", "import numpy as np\nx = np.load('rows.npy')"),
    "a clock": ("import", "import time"),
    "a clock inside a function": ("import", "def f():\n    import time\n    return time.time_ns()"),
    "a date": ("import", "from datetime import datetime"),
    "randomness": ("import", "import random"),
    "secrets": ("import", "from secrets import token_bytes"),
    "the system": ("import", "import os"),
    "streams": ("import", "import io"),
    "a socket": ("import", "import socket"),
    "an event loop": ("import", "import asyncio"),
    "threads": ("import", "from threading import Lock"),
    "paths": ("import", "from pathlib import Path"),
    "an identifier": ("import", "import uuid"),
    "a log": ("import", "import logging"),
    "decimals": ("import", "from decimal import Decimal"),
    "a floor above": ("import", "from exchange.service import Service"),
    "analytics": ("import", "from margin.analytics import surface"),
    "an import relative to nowhere": ("import", "from .analytics import surface"),
    "a file": ("input or output", "x = open('journal')"),
    "a print": ("input or output", "def f():\n    print('filled')"),
    "a question": ("input or output", "x = input()"),
    "waiting": ("input or output", "async def f() -> None: ..."),
    "a salted hash": ("a value that differs", "def f(name: str) -> int:\n    return hash(name)"),
    "an address": ("a value that differs", "def f(order) -> int:\n    return id(order)"),
    "evaluation": ("code that cannot be read", "x = eval('1')"),
    "an unstable sort": ("order", "import numpy as np\ndef f(a):\n    return np.argsort(a)"),
    "a set display": ("set", "KINDS = {1, 2}"),
    "a set comprehension": ("set", "def f(xs):\n    return len({x for x in xs})"),
    "a set annotation": ("set", "def f(live: set[int]) -> None: ..."),
    "a frozen set": ("set", "KINDS = frozenset((1, 2))"),
    "keys that are joined": ("set", "def f(a, b):\n    return a.keys() | b.keys()"),
    "a loop over a marked set": (
        "set",
        "class Book:\n"
        "    def __init__(self) -> None:\n"
        "        self.live: set[int] = set()  # membership only\n"
        "    def total(self) -> int:\n"
        "        return sum(x for x in self.live)",
    ),
    "a marked set made a list": (
        "set",
        "def f(live: set[int]) -> list[int]:  # membership only\n    return list(live)",
    ),
    "any member of a marked set": (
        "set",
        "def f(live: set[int]) -> int:  # membership only\n    return live.pop()",
    ),
    "a mark on another line": ("set", "# membership only\n\nKINDS = {1, 2}"),
    "a global": ("module state", "n = 0\ndef f():\n    global n\n    n += 1"),
    "a mutable module variable": ("module state", "books = []"),
    "a mutable class variable": ("module state", "class Book:\n    levels: dict[int, int] = {}"),
    "a changed constant": (
        "module state",
        "from typing import Final\nBOOKS: Final = {}\ndef f(k):\n    BOOKS[k] = 1",
    ),
    "a grown constant": (
        "module state",
        "from typing import Final\nBOOKS: Final = []\ndef f(k):\n    BOOKS.append(k)",
    ),
}


@pytest.mark.parametrize("offence", PLANTED_OFFENCES)
def test_a_planted_offence_is_found_on_its_line(offence: str) -> None:
    rule, source = PLANTED_OFFENCES[offence]
    found = check(source, PLANTED, NEIGHBOURS)
    assert any(o.rule.startswith(rule) for o in found), found
    assert all(1 <= o.line <= source.count("\n") + 1 for o in found)


LAWFUL: Final = {
    "floor division": "def half_down(a: int) -> int:\n    return a // 2",
    "integer roots": "from math import gcd, isqrt\nx = isqrt(gcd(4, 8))",
    "integer arrays": "import numpy as np\nx = np.zeros(9, np.int64)\ny = np.ones(9, dtype='<i8')",
    "integers in a struct": "from struct import Struct\nFRAME = Struct('>BQ20s')",
    "a docstring that says float": '"""Beside float64, this is f8."""',
    "bytes from hex": "x = bytes.fromhex('00')",
    "a hash of one's own": "def f(hash: bytes) -> bytes:\n    return hash",
    "__hash__": "class A:\n    def __hash__(self) -> int:\n        return hash((1, 2))",
    "a stable sort": "import numpy as np\ndef f(a):\n    return np.argsort(a, kind='stable')",
    "a neighbour": "from matching.orders import Order\nfrom . import book",
    "a marked set that is asked": (
        "KINDS = frozenset((1, 2))  # membership only\ndef f(k):\n    return k in KINDS"
    ),
    "a marked set put in order": (
        "def f(live: set[int]) -> list[int]:  # membership only\n    return sorted(live)"
    ),
    "a dict, iterated": "def f(d: dict[int, int]) -> list[int]:\n    return [k for k in d]",
    "a name that ends in set": "def f(offset: int, reset: int) -> int:\n    return offset - reset",
    "a constant table": "from typing import Final\nT: Final[dict[int, str]] = {1: 'a'}",
    "a list of a function's own": "def f():\n    books = []\n    books.append(1)\n    return books",
}


@pytest.mark.parametrize("case", LAWFUL)
def test_what_is_lawful_passes(case: str) -> None:
    assert check(LAWFUL[case], PLANTED, NEIGHBOURS) == []
