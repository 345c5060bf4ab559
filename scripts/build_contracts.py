"""Compiles the contracts with the npm compiler, and writes the artifacts that ship.

    python scripts/build_contracts.py            writes settlement/abi/*.json
    python scripts/build_contracts.py --check    compiles again, names what differs, exit 1

Tests call `compile_all()`, which also compiles `contracts/test/` and keeps the result in
`build/contracts/`, under the hash of its input.

Holds: the same sources give the same bytes on any machine: the compiler is pinned by
package-lock.json, its settings stand below, and what ships is compiled from its own imports
only, so that a new test contract or library cannot change it.
Never: ships a file, a setting or a bytecode that `--check` would not notice.
"""

import argparse
import fcntl
import functools
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import solcx
import solcx.wrapper
from solcx.exceptions import SolcError

ROOT: Final = Path(__file__).resolve().parent.parent
CONTRACTS: Final = ROOT / "contracts"
SHIPPED_TO: Final = ROOT / "settlement" / "abi"
CACHE: Final = ROOT / "build" / "contracts"
COMPILER: Final = ROOT / "scripts" / "solc-npm.js"

SHIPPED: Final = {
    "Settlement": "contracts/Settlement.sol",
    "Vault": "contracts/Vault.sol",
    "MockUSDC": "contracts/test/MockUSDC.sol",  # `straddle` on a local chain deposits it
}

SETTINGS: Final[dict[str, Any]] = {
    # A batch is posted every few seconds for years, a contract is deployed once. Against the old
    # pipeline and 200 runs this saves 2% of a deposit and 2% of a small batch, and deep stacks fit.
    "optimizer": {"enabled": True, "runs": 1_000_000},
    "viaIR": True,
    # The oldest rules that OpenZeppelin 5.7 compiles for (it copies memory with MCOPY).
    "evmVersion": "cancun",
    # No hash of the metadata in the bytecode, so a changed comment changes no code.
    "metadata": {"bytecodeHash": "none"},
    "remappings": ["@openzeppelin/=node_modules/@openzeppelin/"],
}


class ToolchainMissing(Exception):
    """Node.js or the npm packages are not there; the message says what to run."""


class Artifact(NamedTuple):
    """One compiled contract, as it stands in its JSON file."""

    contract_name: str
    source_name: str
    compiler_version: str
    source_hash: str
    """sha256 over the name and keccak of every source it is made of, OpenZeppelin's included."""
    abi: list[dict[str, Any]]
    bytecode: str
    """Creation code, 0x and hex."""
    deployed_bytecode_size: int
    """Bytes; EIP-170 allows 24,576."""

    def as_json(self) -> str:
        fields = self._asdict() | {"settings": SETTINGS}
        return json.dumps(fields, indent=1, sort_keys=True) + "\n"


class CompileFailed(Exception):
    """The compiler refuses the sources, or warns of what ships; the message is the compiler's."""


class Build(NamedTuple):
    artifacts: dict[str, Artifact]
    warnings: list[str]
    """The compiler's, about our own sources: OpenZeppelin's are theirs to mend."""


def compile_all(cache: Path = CACHE) -> dict[str, Artifact]:
    """Every contract, interface and library under contracts/, tests included, by name."""
    return build_all(cache).artifacts


def build_all(cache: Path = CACHE) -> Build:
    """`compile_all` with the compiler's warnings."""
    return _cached(_all_sources(), cache)


def compile_shipped() -> dict[str, Artifact]:
    """The contracts of `SHIPPED`, from their own imports only."""
    build = _compile(sorted(SHIPPED.values()))
    if build.warnings:
        raise CompileFailed("\n".join(build.warnings))
    return {name: build.artifacts[name] for name in SHIPPED}


def differences(fresh: dict[str, Artifact], folder: Path = SHIPPED_TO) -> list[str]:
    """What stands in `folder` and is not `fresh`; empty if all is well."""
    found: list[str] = []
    for name, artifact in fresh.items():
        file = folder / f"{name}.json"
        if not file.exists():
            found.append(f"{name}: {file.name} is missing")
        elif file.read_text("utf8") != artifact.as_json():
            found.append(f"{name}: {_what_differs(json.loads(file.read_text('utf8')), artifact)}")
    for file in sorted(folder.glob("*.json")):
        if file.stem not in fresh:
            found.append(f"{file.name}: no contract of this name ships")
    return found


def write(fresh: dict[str, Artifact], folder: Path = SHIPPED_TO) -> None:
    """Makes `folder` hold `fresh`, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.json"):
        file.unlink()
    for name, artifact in fresh.items():
        (folder / f"{name}.json").write_text(artifact.as_json(), "utf8")


def _what_differs(stored: dict[str, Any], artifact: Artifact) -> str:
    fresh = json.loads(artifact.as_json())
    keys = sorted(key for key in {*stored, *fresh} if stored.get(key) != fresh.get(key))
    return "differs in " + (", ".join(keys) if keys else "its layout")


def _all_sources() -> list[str]:
    return sorted(file.relative_to(ROOT).as_posix() for file in CONTRACTS.rglob("*.sol"))


def _standard_input(sources: list[str]) -> dict[str, Any]:
    return {
        "language": "Solidity",
        "sources": {name: {"content": (ROOT / name).read_text("utf8")} for name in sources},
        "settings": SETTINGS
        | {
            "outputSelection": {
                "*": {"*": ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode"]}
            }
        },
    }


def _cached(sources: list[str], cache: Path) -> Build:
    """`_compile`, kept under the hash of its whole input, so that it is never stale."""
    key = hashlib.sha256(json.dumps(_standard_input(sources), sort_keys=True).encode())
    for file in (Path(__file__), COMPILER, ROOT / "package-lock.json"):
        key.update(file.read_bytes())
    kept = cache / f"{key.hexdigest()[:32]}.json"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two test workers, one compiles
        if not kept.exists():
            build = _compile(sources)
            rows = [artifact._asdict() for artifact in build.artifacts.values()]
            partial = kept.with_suffix(".partial")
            partial.write_text(json.dumps({"artifacts": rows, "warnings": build.warnings}), "utf8")
            partial.replace(kept)
    stored: dict[str, Any] = json.loads(kept.read_text("utf8"))
    artifacts = {row["contract_name"]: Artifact(**row) for row in stored["artifacts"]}
    return Build(artifacts, stored["warnings"])


def _compile(sources: list[str]) -> Build:
    """Builds the contracts in `sources`, not what they import."""
    require_toolchain()
    try:
        output = cast(
            "dict[str, Any]",
            solcx.compile_standard(
                _standard_input(sources), base_path=ROOT, allow_paths=ROOT, solc_binary=COMPILER
            ),
        )
    except SolcError as refusal:
        raise CompileFailed(refusal.message) from refusal
    artifacts: dict[str, Artifact] = {}
    for source in sources:
        for name, contract in output["contracts"].get(source, {}).items():
            if name in artifacts:
                raise CompileFailed(f"two contracts are called {name}; rename the one in {source}")
            artifacts[name] = Artifact(
                contract_name=name,
                source_name=source,
                compiler_version=_compiler_version(),
                source_hash=_source_hash(contract["metadata"]),
                abi=contract["abi"],
                bytecode="0x" + contract["evm"]["bytecode"]["object"],
                deployed_bytecode_size=len(contract["evm"]["deployedBytecode"]["object"]) // 2,
            )
    warnings = [e["formattedMessage"] for e in output.get("errors", []) if _is_ours(e)]
    return Build(artifacts, warnings)


def _is_ours(error: dict[str, Any]) -> bool:
    place: dict[str, Any] = error.get("sourceLocation") or {}
    return error["severity"] == "warning" and not place.get("file", "").startswith("node_modules/")


def _source_hash(metadata: str) -> str:
    if not metadata:
        return ""
    sources = {name: s["keccak256"] for name, s in json.loads(metadata)["sources"].items()}
    return hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()


@functools.cache
def _compiler_version() -> str:
    return solcx.wrapper.get_version_str_from_solc_binary(COMPILER)


def require_toolchain() -> None:
    """Raises `ToolchainMissing` unless contracts can be compiled here."""
    if shutil.which("node") is None:
        raise ToolchainMissing("Node.js is not on the PATH; run `make setup`")
    for package in ("solc", "@openzeppelin/contracts"):
        if not (ROOT / "node_modules" / package).is_dir():
            raise ToolchainMissing(f"{package} is not installed; run `make setup`")


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compile the contracts that ship.")
    parser.add_argument("--check", action="store_true", help="compare with what is stored")
    check = bool(parser.parse_args(words).check)
    try:
        fresh = compile_shipped()
    except (ToolchainMissing, CompileFailed) as problem:
        print(problem, file=sys.stderr)
        return 2
    found = differences(fresh)
    if not found:
        print(f"{len(SHIPPED)} contracts are as their sources compile")
        return 0
    if not check:
        write(fresh)
    verb = "differs from the sources" if check else "written"
    print("\n".join(found), f"settlement/abi: {verb}", sep="\n")
    return 1 if check else 0


if __name__ == "__main__":
    sys.exit(main())
