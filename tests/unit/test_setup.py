"""Set-up refuses by name what it cannot use, and says what to install instead.

Holds: no test installs anything; an interpreter is played by a few lines of shell.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]


def set_up_with(interpreter: Path | str, *asked: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", str(ROOT / "scripts" / "setup.sh"), *asked],
        env={**os.environ, "PYTHON": str(interpreter)},
        capture_output=True,
        text=True,
        check=False,
    )


def interpreter(folder: Path, script: str) -> Path:
    path = folder / "a python"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf8")
    path.chmod(0o755)
    return path


def test_a_missing_interpreter_is_named_with_what_to_install() -> None:
    run = set_up_with("no-such-python")
    assert run.returncode == 1
    assert "Python 3.11 or newer. Found: none that starts" in run.stderr
    assert "apt install python3 python3-venv" in run.stderr


def test_a_dead_shim_counts_as_missing(tmp_path: Path) -> None:
    run = set_up_with(interpreter(tmp_path, "echo 'command not found' >&2; exit 127"))
    assert run.returncode == 1
    assert "none that starts" in run.stderr
    assert "command not found" not in run.stderr


def test_an_old_interpreter_is_told_its_version(tmp_path: Path) -> None:
    script = 'case "$2" in *print*) echo 3.10;; *) exit 1;; esac'
    run = set_up_with(interpreter(tmp_path, script))
    assert run.returncode == 1
    assert "a python (3.10)" in run.stderr


def test_an_interpreter_without_venv_is_told_the_package(tmp_path: Path) -> None:
    script = 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; esac'
    run = set_up_with(interpreter(tmp_path, script))
    assert run.returncode == 1
    assert "apt install python3-venv   (or python3.12-venv)" in run.stderr


def test_the_first_good_interpreter_is_handed_over_to(tmp_path: Path) -> None:
    script = 'case "$1" in -c) case "$2" in *print*) echo 3.12;; esac;; *) echo "ran $1";; esac'
    run = set_up_with(interpreter(tmp_path, script))
    assert run.returncode == 0
    assert run.stdout == "ran scripts/setup.py\n"


# THE STEPS


@pytest.fixture
def setup() -> ModuleType:
    """scripts/setup.py as a module: it is a program, and in no package."""
    spec = importlib.util.spec_from_file_location("straddle_setup", ROOT / "scripts" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout that the module takes for its own."""
    for name, folder in {
        "ROOT": "",
        "VENV": ".venv",
        "BIN": ".venv/bin",
        "MODULES": "node_modules",
        "LOG": ".venv/setup.log",
    }.items():
        monkeypatch.setattr(setup, name, tmp_path / folder)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    return tmp_path


def test_a_step_is_done_once_and_again_when_its_key_changes(
    setup: ModuleType, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    key = "a"

    def run() -> str:
        done.append(key)
        return "made"

    step = setup.Step("a thing", checkout / ".stamp", lambda: key, run)
    assert setup.take([step]) == 1
    assert setup.take([step]) == 0
    key = "b"
    assert setup.take([step]) == 1
    assert done == ["a", "b"]
    assert "[1/1] a thing: made" in capsys.readouterr().out


def test_a_step_that_fails_leaves_no_stamp(setup: ModuleType, checkout: Path) -> None:
    def run() -> str:
        raise setup.SetupFailed("the disk is full")

    step = setup.Step("a thing", checkout / ".stamp", lambda: "a", run)
    with pytest.raises(setup.SetupFailed):
        setup.take([step])
    assert not (checkout / ".stamp").exists()


def test_a_lint_rule_installs_nothing_and_a_dependency_does(
    setup: ModuleType, checkout: Path
) -> None:
    project = checkout / "pyproject.toml"
    text = (ROOT / "pyproject.toml").read_text("utf8")
    project.write_text(text, "utf8")
    before = setup.packages_key()
    project.write_text(text.replace("line-length = 100", "line-length = 99"), "utf8")
    assert setup.packages_key() == before
    project.write_text(text.replace('"numpy>=2.0,<3"', '"numpy>=2.1,<3"'), "utf8")
    assert setup.packages_key() != before


def test_an_environment_that_was_moved_is_not_usable(setup: ModuleType, checkout: Path) -> None:
    pip = checkout / ".venv" / "bin" / "pip"
    pip.write_text(f"#!{checkout}/.venv/bin/python\n", "utf8")
    assert setup.is_usable("3.12.1")
    pip.write_text("#!/elsewhere/.venv/bin/python\n", "utf8")
    assert not setup.is_usable("3.12.1")
    assert not setup.is_usable("")


def test_a_failed_command_shows_its_last_words_and_what_to_do(
    setup: ModuleType, checkout: Path
) -> None:
    command = [sys.executable, "-c", "print('error: Python.h: no such file'); raise SystemExit(3)"]
    with pytest.raises(setup.SetupFailed) as failure:
        setup.call(command, "pip install", advice=setup.pip_advice)
    assert "pip install failed (exit 3)" in str(failure.value)
    assert "python3-dev" in str(failure.value)
    assert "no such file" in (checkout / ".venv" / "setup.log").read_text("utf8")


@pytest.mark.parametrize("told", ["v16.20.2", "", "command not found"])
def test_a_node_that_is_old_or_dead_is_not_used(
    setup: ModuleType, checkout: Path, told: str
) -> None:
    folder = checkout / ".venv" / "bin"
    for name in ("node", "npm"):
        (folder / name).write_text(f"#!/bin/sh\necho {told}\n", "utf8")
        (folder / name).chmod(0o755)
    assert setup.working_node() is None


def test_a_node_without_npm_is_not_used(setup: ModuleType, checkout: Path) -> None:
    node = checkout / ".venv" / "bin" / "node"
    node.write_text("#!/bin/sh\necho v22.1.0\n", "utf8")
    node.chmod(0o755)
    assert setup.working_node() is None
    node.with_name("npm").write_text("", "utf8")
    assert setup.working_node() == (node, "22.1.0")


def test_make_compile_compiles_once(tmp_path: Path) -> None:
    """Set-up leaves the core to it, or what is new would be compiled by both."""
    told = subprocess.run(
        ["make", "-n", "compile"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (asked,) = [line for line in told.splitlines() if "setup.sh" in line]
    assert asked.endswith("setup.sh --but-core")
    assert told.count("compile_core.py") == 1
    script = 'case "$1" in -c) case "$2" in *print*) echo 3.12;; esac;; *) echo "ran $*";; esac'
    for words in ((), ("--but-core",)):
        ran = " ".join(("ran scripts/setup.py", *words))
        assert set_up_with(interpreter(tmp_path, script), *words).stdout == f"{ran}\n"


def test_set_up_leaves_out_the_core_alone_and_nothing_unasked(
    setup: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    every = [step.makes for step in setup.steps_of([])]
    assert "Compiled core" in every
    but_core = [step.makes for step in setup.steps_of(["--but-core"])]
    assert but_core == [makes for makes in every if makes != "Compiled core"]
    with pytest.raises(SystemExit):
        setup.steps_of(["--but-anvil"])
    assert "--but-anvil" in capsys.readouterr().err
