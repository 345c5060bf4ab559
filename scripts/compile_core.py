"""Compiles the hot modules with mypyc, beside their sources.

    python scripts/compile_core.py            what has changed since the last time; else nothing
    python scripts/compile_core.py --force    in any case
    python scripts/compile_core.py --clean    removes what it made
    python scripts/compile_core.py --key      what the result depends on, as one word

Which modules: `[tool.straddle] compiled` in pyproject.toml, one group. `make compile`,
scripts/setup.py and hatch_build.py (the wheel) call this.

Holds: what was made before goes first, so no binary outlives its source; `build/compiled.json` is
written last and says which sources the binaries stand for, and which features of a processor they
need (exchange/compiled.py believes no other).
Where there is no C compiler, no header of Python or no mypyc, nothing is made, the reason is said,
and exit status is 3: everything runs from the sources.
Never: changes a source, or imports one.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("exchange", "matching", "margin", "settlement")
GROUP: Final = "straddle_core"
MANIFEST: Final = Path("build/compiled.json")
INTERPRETED: Final = "STRADDLE_INTERPRETED"
SKIPPED: Final = 3

# mypy checks what mypyc compiles; pyright's is the verdict on the rest.
MYPY: Final = ("--follow-imports=silent", "--ignore-missing-imports", "--cache-dir=build/mypy")

# Functions of the group are nobody else's, so the C compiler may inline them into each other.
INLINE: Final = () if sys.platform == "win32" else ("-fvisibility=hidden",)

# Where this machine's processor has them, vectors of four integers (2013 and later) are used: the
# margin kernel is twice as fast by them. No multiplication melts into an addition: what a float
# comes to must not depend on the machine.
WIDE: Final = ("-march=x86-64-v3", "-ffp-contract=off")
WIDE_NEEDS: Final = ("avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe")
"""As Linux names them."""


def modules(root: Path = ROOT) -> list[str]:
    """Paths of the modules to compile, relative to the checkout, sorted. Patterns may be used."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))
    patterns: list[str] = project["tool"]["straddle"]["compiled"]
    found: list[str] = []
    for pattern in patterns:
        paths = [path.relative_to(root).as_posix() for path in root.glob(pattern)]
        if not paths:
            raise SystemExit(f"pyproject.toml: [tool.straddle] compiled: no file {pattern}")
        found += [path for path in paths if path not in found]
    return sorted(found)


def digests(root: Path = ROOT) -> dict[str, str]:
    """Path -> SHA-256 of the source."""
    return {path: hashlib.sha256((root / path).read_bytes()).hexdigest() for path in modules(root)}


def key(root: Path = ROOT) -> str:
    """What the binaries depend on: the sources, Python, mypyc, whether there is a compiler."""
    try:
        mypyc = version("mypy")
    except PackageNotFoundError:
        mypyc = "none"
    parts = [
        json.dumps(digests(root), sort_keys=True),
        sysconfig.get_config_var("EXT_SUFFIX") or "",
        platform.python_version(),
        mypyc,
        hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        hindrance() or "",
        " ".join(target()),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def target() -> tuple[str, ...]:
    """Arguments by which the C compiler uses what this machine's processor can; none where either
    does not know of it. What is compiled so says what it needs (`exchange/compiled.py`).
    """
    try:
        known = Path("/proc/cpuinfo").read_text("utf8").split()
    except OSError:
        return ()
    if not all(feature in known for feature in WIDE_NEEDS):
        return ()
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    probe = [shutil.which(compiler) or "cc", *WIDE, "-x", "c", "-E", "-"]
    try:
        tried = subprocess.run(probe, input=b"", capture_output=True, check=False)
    except OSError:
        return ()
    return WIDE if tried.returncode == 0 else ()


def hindrance() -> str | None:
    """Why nothing can be compiled here; None if it can."""
    if os.environ.get(INTERPRETED, "0") not in ("", "0"):
        return f"{INTERPRETED} is set"
    asked = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if not any(shutil.which(name) for name in (asked, "cc", "gcc", "clang")):
        return "there is no C compiler"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python's headers are missing (python3-dev)"
    if find_spec("mypyc") is None or find_spec("librt") is None or find_spec("setuptools") is None:
        return "mypyc is not installed"
    return None


def binaries(root: Path = ROOT) -> Iterator[Path]:
    """Every compiled module in the checkout, and the library that they share."""
    yield from root.glob(f"{GROUP}__mypyc*.so")
    for package in PACKAGES:
        yield from (root / package).rglob("*.so")


def made(root: Path = ROOT) -> dict[str, Any] | None:
    """What stands in the checkout, if it is whole; else None."""
    try:
        manifest: dict[str, Any] = json.loads((root / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    whole = all((root / name).exists() for name in manifest["binaries"])
    return manifest if whole and manifest["binaries"] else None


def is_current(root: Path = ROOT) -> bool:
    manifest = made(root)
    return manifest is not None and manifest["key"] == key(root)


def clean(root: Path = ROOT) -> None:
    for path in list(binaries(root)):
        path.unlink()
    (root / MANIFEST).unlink(missing_ok=True)


def compile_in_place(root: Path = ROOT, *, verbose: bool = False) -> list[str]:
    """Compiles all modules as one group, beside their sources; names of the files made.

    Raises SystemExit with what mypy, mypyc or the compiler objects to.
    """
    from mypyc.build import mypycify
    from setuptools import Distribution

    clean(root)
    wanted, depends_on, sources = modules(root), key(root), digests(root)
    processor = target()
    before = Path.cwd()
    os.chdir(root)
    try:
        extensions = mypycify(
            [*MYPY, *wanted],
            opt_level="3",
            debug_level="0",
            target_dir="build/mypyc",
            group_name=GROUP,
            verbose=verbose,
        )
        for extension in extensions:
            given = extension.extra_compile_args
            extension.extra_compile_args = [*given, *INLINE, *processor]
        distribution = Distribution({"name": "straddle-core", "ext_modules": extensions})
        command: Any = distribution.get_command_obj("build_ext")
        command.inplace = True
        command.build_temp = "build/objects"
        command.build_lib = "build/lib"
        command.force = True
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
    names = sorted(path.relative_to(root).as_posix() for path in binaries(root))
    assert names, "a build that succeeds has made something"
    (root / MANIFEST).parent.mkdir(exist_ok=True)
    manifest = {
        "key": depends_on,
        "needs": WIDE_NEEDS if processor else (),
        "sources": sources,
        "binaries": names,
    }
    (root / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf8")
    return names


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--key", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    if asked.key:
        print(key() if hindrance() or is_current() else f"{key()} not made")
        return 0
    if asked.clean:
        clean()
        return 0
    reason = hindrance()
    if reason is not None:
        clean()
        print(f"skipped: {reason}; the core runs interpreted")
        return SKIPPED
    if not asked.force and is_current():
        print(f"{len(modules())} modules, unchanged")
        return 0
    compile_in_place(verbose=asked.verbose)
    print(f"{len(modules())} modules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
