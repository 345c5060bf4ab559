"""Whether the core runs compiled or from its sources, and the choice between the two.

A compiled module stands beside its source, and Python prefers it. `choose` runs before the first
import of the core (command line, tests): with STRADDLE_INTERPRETED=1, or where a checkout's
binaries were made of other sources than stand there now, it lets Python see the sources alone.

Holds: all compiled or all interpreted, since the modules are one group. An installed wheel is
believed; a checkout is believed if `build/compiled.json` has the hash of every source, and nothing
of a processor's that this one lacks.
Never: compiles (scripts/compile_core.py does).
"""

import hashlib
import json
import os
import sys
from importlib import import_module
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("exchange", "matching", "margin", "settlement")
INTERPRETED: Final = "STRADDLE_INTERPRETED"
PROBE: Final = "matching.store"
"""A module that is compiled wherever any is."""


def choose() -> None:
    """Hides the binaries where they are not wanted or not to be believed."""
    if os.environ.get(INTERPRETED, "0") not in ("", "0"):
        _see_sources_alone()
    elif _has_binaries() and not _are_current():
        print(
            "straddle: the compiled core is older than its sources, or for another processor;"
            " running interpreted. `make compile` renews it.",
            file=sys.stderr,
        )
        _see_sources_alone()


def is_compiled() -> bool:
    """Whether the core in this process is compiled."""
    module = sys.modules.get(PROBE)
    if module is None:
        module = import_module(PROBE)
    return not str(module.__file__).endswith(tuple(SOURCE_SUFFIXES))


def told() -> str:
    """`compiled` or `interpreted`."""
    return "compiled" if is_compiled() else "interpreted"


def _has_binaries() -> bool:
    return any(ROOT.joinpath("matching").glob("*.so"))


def _are_current() -> bool:
    if not (ROOT / "pyproject.toml").exists():
        return True
    try:
        manifest: dict[str, Any] = json.loads((ROOT / "build/compiled.json").read_bytes())
        sources: dict[str, str] = manifest["sources"]
        needs: list[str] = manifest["needs"]
        if needs and not set(needs).issubset(Path("/proc/cpuinfo").read_text("utf8").split()):
            return False
        return all(
            hashlib.sha256((ROOT / path).read_bytes()).hexdigest() == digest
            for path, digest in sources.items()
        )
    except (OSError, ValueError, KeyError):
        return False


def _see_sources_alone() -> None:
    sys.path_hooks.insert(0, _sources_of)
    sys.path_importer_cache.clear()


def _sources_of(folder: str) -> FileFinder:
    """A finder for the folders of our packages; ImportError, as the protocol has it, for others."""
    path = Path(folder).resolve()
    if not any(path.is_relative_to(ROOT / package) for package in PACKAGES):
        raise ImportError(f"{folder} is not ours")
    return FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))
