"""Compiled and interpreted, the core makes the same events; and a stale binary is not believed.

Holds: the interpreted side runs in a process of its own, on a copy of the sources with no binary
beside them. Skips, and says so, where nothing is compiled.
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from exchange.compiled import is_compiled
from matching.batch import MESSAGE, Books
from matching.packed_matcher import PackedMatcher
from matching.plain_matcher import PlainMatcher

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAMS: Final = 30


def digests(seed: int, kind: Any = PackedMatcher) -> list[str]:
    """Events and state of random batches, some of them hostile. Run in both worlds."""
    choose = random.Random(seed)
    found: list[str] = []
    for _ in range(PROGRAMS):
        matcher: Books = kind(5)
        messages: list[bytes] = []
        for number in range(400):
            hostile = choose.random() < 0.1
            messages.append(
                MESSAGE.pack(
                    choose.randrange(256 if hostile else 6),
                    choose.randrange(4 if hostile else 2),
                    choose.randrange(9 if hostile else 5),
                    choose.choice([-(1 << 31), (1 << 31) - 1])
                    if hostile
                    else choose.randrange(-20, 20),
                    choose.choice([-(1 << 31), 0, (1 << 31) - 1])
                    if hostile
                    else choose.randrange(1, 50),
                    choose.randrange(6),
                    choose.choice([-(1 << 63), (1 << 63) - 1, 1 << 61])
                    if hostile
                    else choose.randrange(1, number + 2),
                )
            )
        matcher.apply(b"".join(messages) + b"?" * choose.randrange(3))
        events = hashlib.sha256(matcher.events()).hexdigest()
        found.append(f"{matcher.count()} {events} {matcher.state_hash().hex()}")
    return found


def test_packed_and_plain_make_the_same_events() -> None:
    assert digests(3, PackedMatcher) == digests(3, PlainMatcher)


def test_compiled_and_interpreted_make_the_same_events(tmp_path: Path) -> None:
    if not is_compiled():
        pytest.skip("nothing is compiled here: `make compile`")
    for package in ("matching", "tests"):
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=shutil.ignore_patterns("*.so", "__pycache__"),
        )
    (tmp_path / "exchange").mkdir()
    for name in ("__init__.py", "compiled.py"):
        shutil.copy(ROOT / "exchange" / name, tmp_path / "exchange")
    program = (
        "import json\n"
        "from tests.unit.test_compiled import digests\n"
        "from exchange.compiled import is_compiled\n"
        "print(json.dumps([is_compiled(), digests(3)]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == [False, digests(3)]


@pytest.mark.parametrize("how", ["asked", "changed", "elsewhere"])
def test_the_sources_run_where_that_is_asked_or_a_binary_is_stale(tmp_path: Path, how: str) -> None:
    if not is_compiled():
        pytest.skip("nothing is compiled here: `make compile`")
    made = json.loads((ROOT / "build" / "compiled.json").read_text("utf8"))
    names = [*made["binaries"], "pyproject.toml", "build/compiled.json", "exchange/compiled.py"]
    names += [path.relative_to(ROOT).as_posix() for path in ROOT.glob("matching/*.py")]
    names += [*made["sources"], "exchange/__init__.py"]
    for name in dict.fromkeys(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    program = "from exchange.compiled import *\nchoose()\nprint(told())"

    def told(**environment: str) -> tuple[str, str]:
        run = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return run.stdout.strip(), run.stderr

    assert told(STRADDLE_INTERPRETED="0") == ("compiled", "")
    if how == "asked":
        assert told(STRADDLE_INTERPRETED="1") == ("interpreted", "")
    else:
        if how == "changed":
            with (tmp_path / "matching" / "store.py").open("a") as source:
                source.write("# a word more\n")
        else:  # a processor that lacks what the binaries need
            made["needs"] = ["a-feature-of-no-processor"]
            (tmp_path / "build" / "compiled.json").write_text(json.dumps(made), "utf8")
        verdict, warning = told(STRADDLE_INTERPRETED="0")
        assert verdict == "interpreted"
        assert "older than its sources" in warning
