"""The house as it is built: which way imports point, how modules read, what ships.

Holds: the checkers (format, lint, types, layers) are run as anyone would run them by hand, offline,
and their own words are shown where they object.
"""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
BIN: Final = Path(sys.executable).parent

PACKAGES: Final = ("exchange", "matching", "margin", "settlement")
SOURCES: Final = (*PACKAGES, "scripts", "tests")

SOFT_LINES: Final = 500
MOST_LINES: Final = 600

# A name that fits everything says nothing.
SAYS_NOTHING: Final = re.compile(r"(?i)(^|_)(utils?|helpers?|manager|common|misc|stuff)(_|$)")
CLASS_SAYS_NOTHING: Final = re.compile(r"(Manager|Helpers?|Utils?|Info|Data)$")

# Development dependencies that nothing imports.
RUN_AS_PROGRAMS: Final = frozenset(
    {"hatchling", "import-linter", "pyright", "pytest-asyncio", "pytest-xdist", "ruff"}
)

# Third-party libraries of the two lower floors: numbers and containers, nothing else.
NUMERIC: Final = frozenset({"librt", "mypy_extensions", "numpy", "scipy", "sortedcontainers"})

LEFT_OUT: Final = frozenset(
    {".git", ".venv", "node_modules", "build", "dist", "__pycache__", "straddle-data"}
)
# Folders of one machine, and hosts of registries: both differ where the project is used.
# Spelled so that this file does not name what it looks for.
ONE_MACHINES_OWN: Final = re.compile(
    r"(?<![\w.$}*-])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me)/\w"
    r"|(?:pypi\.o" + r"rg|pythonho" + r"sted|registry\.np" + r"mjs)"
)
TEXT: Final = re.compile(
    r".+\.(cfg|css|csv|html|js|json|md|py|sh|sol|svg|toml|txt|ya?ml)"
    r"|Makefile|LICENSE|run|\.gitignore|\.editorconfig"
)


def files(*folders: str, suffix: str = ".py") -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob(f"*{suffix}"))
    return sorted(path for path in found if not LEFT_OUT & set(path.relative_to(ROOT).parts))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


MODULES: Final = files(*SOURCES)


# CHECKERS


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "format", "--check", *SOURCES),
        ("ruff", "check", *SOURCES),
        ("pyright",),
        ("lint-imports",),
    ],
    ids=["format", "lint", "types", "layers"],
)
def test_a_checker_has_nothing_to_object_to(command: tuple[str, ...]) -> None:
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    run = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"\n$ {' '.join(command)}\n{run.stdout}{run.stderr}"


def test_whatever_is_imported_is_a_declared_dependency_and_the_other_way_round() -> None:
    """Something that comes along with another package today may not do so tomorrow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    shipped = {distribution(line) for line in project["dependencies"]}
    developed = {distribution(line) for line in project["optional-dependencies"]["dev"]}
    from_ours = third_party(*PACKAGES)
    beside = third_party("scripts", "tests")
    assert from_ours - shipped == set(), "imported by a package, not among its dependencies"
    assert beside - shipped - developed == set(), "imported by a test or script, not declared"
    assert shipped - from_ours == set(), "declared, and imported by no package"
    assert developed - beside - RUN_AS_PROGRAMS == set(), "declared, and imported by no test"


def distribution(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0]


def third_party(*folders: str) -> set[str]:
    """Distributions that the Python under some folders imports, by their names in lower case."""
    provided_by = importlib.metadata.packages_distributions()
    names = {name for path in files(*folders) for name in imported(path)}
    strange = names - sys.stdlib_module_names - {*PACKAGES, "tests", "scripts"}
    return {provided_by.get(name, [name])[0].lower().replace("_", "-") for name in strange}


def test_the_lower_floors_stand_on_numbers_and_containers_alone() -> None:
    strangers = [
        f"{named(path)}: {name}"
        for path in files("matching", "margin")
        for name in sorted(imported(path))
        if name not in sys.stdlib_module_names | NUMERIC | set(PACKAGES)
    ]
    assert strangers == []


def imported(path: Path) -> Iterator[str]:
    """Top-level names of the packages that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


# MODULES


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_opens_with_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf8")))
    assert docstring, f"{named(path)} does not say what it is"
    opening = docstring.partition("\n\n")[0].strip()
    assert len(opening.split()) >= 4, f"{named(path)}: {opening!r} says too little"
    assert opening.endswith((".", ":", "!", "?")), f"{named(path)}: {opening!r} is no sentence"


def test_a_module_is_one_idea_and_not_longer() -> None:
    """Code generated or tabulated counts as well: it can live in a data file."""
    programs = [*files(*PACKAGES, "scripts"), *files("contracts", suffix=".sol")]
    lines = {named(path): path.read_text("utf8").count("\n") for path in programs}
    long = {name: count for name, count in lines.items() if count > SOFT_LINES}
    too_long = {name: count for name, count in long.items() if count > MOST_LINES}
    assert not too_long, f"over {MOST_LINES} lines: {too_long}; over {SOFT_LINES}: {long}"


def test_no_name_fits_everything() -> None:
    found = [
        named(path)
        for path in MODULES
        if any(SAYS_NOTHING.search(part) for part in path.relative_to(ROOT).with_suffix("").parts)
    ]
    for path in files(*PACKAGES, "scripts"):
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, ast.ClassDef) and CLASS_SAYS_NOTHING.search(node.name):
                found.append(f"{named(path)}:{node.lineno}: class {node.name}")
    assert found == []


def test_nothing_names_one_machine_or_registry() -> None:
    found: list[str] = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        is_ours = not any(part in LEFT_OUT or part.endswith("_cache") for part in parts)
        if not (is_ours and TEXT.fullmatch(path.name) and path.is_file()):
            continue
        for number, line in enumerate(path.read_text("utf8").splitlines(), 1):
            if ONE_MACHINES_OWN.search(line):
                found.append(f"{named(path)}:{number}: {line.strip()[:120]}")
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "see /ro" + "ot/notes",
        'Path("/ho' + 'me/someone/straddle")',
        "https://registry.np" + "mjs.org/solc",
        "--index-url=https://pypi.o" + "rg/simple",
    ],
)
def test_a_planted_place_is_found(line: str) -> None:
    assert ONE_MACHINES_OWN.search(line)


# WHAT SHIPS


def wheel_in(folder: Path, **environment: str) -> tuple[Path, set[str], set[str]]:
    """Builds the wheel: its path, the files that it ships and those that describe it."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("straddle_exchange-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = {name.partition(".dist-info/")[2] for name in archive.namelist()}
    return wheel, shipped, about


def sources_that_ship() -> set[str]:
    return {
        named(path)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".so")
    }


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(tmp_path: Path) -> None:
    wheel, shipped, about = wheel_in(tmp_path, STRADDLE_INTERPRETED="1")
    assert wheel.name.endswith("-py3-none-any.whl"), "nothing in it is of one platform"
    assert shipped == sources_that_ship()
    assert {"entry_points.txt", "licenses/LICENSE", "METADATA"} <= about


def test_a_compiled_wheel_has_the_binaries_beside_their_sources(tmp_path: Path) -> None:
    manifest = ROOT / "build" / "compiled.json"
    if not manifest.exists():
        pytest.skip("nothing is compiled here: `make compile`")
    wheel, shipped, _ = wheel_in(tmp_path)
    assert not wheel.name.endswith("-any.whl"), "it fits this platform alone"
    made: dict[str, Any] = json.loads(manifest.read_text("utf8"))
    assert shipped == sources_that_ship() | {*made["binaries"]}
    for module in compiled_modules():
        assert any(name.startswith(module.removesuffix(".py") + ".") for name in made["binaries"])


def compiled_modules() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
    patterns: list[str] = project["tool"]["straddle"]["compiled"]
    return [named(path) for pattern in patterns for path in ROOT.glob(pattern)]


def test_what_is_compiled_is_there_and_is_hot_code_of_ours() -> None:
    modules = compiled_modules()
    assert modules
    assert all(module.partition("/")[0] in PACKAGES for module in modules)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_tells_type_checkers_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()


def test_every_folder_of_python_in_a_package_is_a_package() -> None:
    folders = {path.parent for path in files(*PACKAGES)}
    assert [
        named(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()
    ] == []


# SET-UP


def test_the_npm_lock_is_complete_for_every_platform() -> None:
    """`npm ci` refuses a lock that leaves out a package, even one for another platform."""
    lock: dict[str, Any] = json.loads((ROOT / "package-lock.json").read_text("utf8"))
    wanted: dict[str, Any] = json.loads((ROOT / "package.json").read_text("utf8"))
    packages: dict[str, dict[str, Any]] = lock["packages"]
    for kind in ("dependencies", "devDependencies"):
        assert packages[""].get(kind, {}) == wanted.get(kind, {})
    missing = [
        f"{where or 'package.json'} needs {name}"
        for where, entry in packages.items()
        for kind in ("dependencies", "devDependencies", "optionalDependencies")
        for name in entry.get(kind, {})
        if f"node_modules/{name}" not in packages and f"{where}/node_modules/{name}" not in packages
    ]
    assert missing == []


def test_the_npm_lock_names_no_registry() -> None:
    lock: dict[str, Any] = json.loads((ROOT / "package-lock.json").read_text("utf8"))
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []


def test_every_checker_is_pinned_so_that_its_verdict_does_not_drift() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    dev: list[str] = project["optional-dependencies"]["dev"]
    ranges = {re.split(r"[<>=!~]", line)[0]: line for line in dev}
    assert re.fullmatch(r"ruff>=0\.(\d+)(\.\d+)?,<0\.\d+", ranges["ruff"]), ranges["ruff"]
    assert re.fullmatch(r"pyright==[\d.]+", ranges["pyright"]), ranges["pyright"]


@pytest.mark.parametrize("path", [".ci/run", "scripts/setup.sh"])
def test_a_program_of_the_shell_is_executable_and_parses(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK)
    shell = (ROOT / path).read_text("utf8").partition("\n")[0].split("/")[-1].split()[-1]
    subprocess.run([shell, "-n", str(ROOT / path)], check=True)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    command = "make test"
    assert command in (ROOT / "README.md").read_text("utf8")
    last = (ROOT / ".ci/run").read_text("utf8").strip().splitlines()[-1]
    assert command in last
