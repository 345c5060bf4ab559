"""The compiled contracts that ship: made of these sources, small enough, spoken to by their ABI."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from scripts import build_contracts
from scripts.build_contracts import (
    SHIPPED,
    SHIPPED_TO,
    Artifact,
    CompileFailed,
    build_all,
    compile_shipped,
    differences,
)
from settlement.contracts import SHIPPED as LOADED
from settlement.contracts import (
    Revert,
    arguments_of,
    call_data,
    contract_of,
    creation_code,
    decode_revert,
    load,
)
from settlement.keccak import keccak256

pytest_plugins = ("tests.contracts_build",)

EIP_170_BYTES = 24_576
EIP_3860_BYTES = 49_152


@pytest.fixture(scope="module")
def fresh(npm_packages: None) -> dict[str, Artifact]:
    del npm_packages
    return compile_shipped()


# THE BUILD


def test_what_ships_is_what_the_sources_compile_to(fresh: dict[str, Artifact]) -> None:
    assert differences(fresh) == [], "run `make contracts`"


def test_no_contract_compiles_with_a_warning(npm_packages: None) -> None:
    del npm_packages
    assert build_all().warnings == []


def test_a_compilation_repeated_gives_the_same_bytes(
    fresh: dict[str, Artifact],
    compiled_contracts: dict[str, Artifact],
) -> None:
    """Compiled beside contracts that do not ship, too: none of them can change one that does."""
    for name, artifact in fresh.items():
        assert compiled_contracts[name].bytecode == artifact.bytecode


def test_the_check_names_each_difference(fresh: dict[str, Artifact], tmp_path: Path) -> None:
    build_contracts.write(fresh, tmp_path)
    assert differences(fresh, tmp_path) == []
    vault: dict[str, Any] = json.loads((tmp_path / "Vault.json").read_text("utf8"))
    vault["bytecode"] = vault["bytecode"][:-1] + ("0" if vault["bytecode"][-1] != "0" else "1")
    (tmp_path / "Vault.json").write_text(json.dumps(vault), "utf8")
    (tmp_path / "MockUSDC.json").unlink()
    (tmp_path / "Old.json").write_text("{}", "utf8")
    assert differences(fresh, tmp_path) == [
        "Vault: differs in bytecode",
        "MockUSDC: MockUSDC.json is missing",
        "Old.json: no contract of this name ships",
    ]


def test_a_source_that_does_not_compile_says_where(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    npm_packages: None,
) -> None:
    del npm_packages
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "Broken.sol").write_text("contract Broken { uint256 x = y; }", "utf8")
    monkeypatch.setattr(build_contracts, "ROOT", tmp_path)
    monkeypatch.setattr(build_contracts, "CONTRACTS", tmp_path / "contracts")
    (tmp_path / "package-lock.json").write_text("{}", "utf8")
    (tmp_path / "node_modules").symlink_to(SHIPPED_TO.parent.parent / "node_modules")
    with pytest.raises(CompileFailed, match=r"(?s)Undeclared identifier.*Broken\.sol:1:31"):
        build_contracts.compile_all(tmp_path / "cache")


def test_the_artifacts_name_what_made_them() -> None:
    assert set(SHIPPED) == set(LOADED)
    for name in SHIPPED:
        contract = load(name)
        assert contract.name == name
        assert contract.compiler_version.startswith("0.8.")
        assert len(bytes.fromhex(contract.source_hash)) == 32
        stored: dict[str, Any] = json.loads((SHIPPED_TO / f"{name}.json").read_text("utf8"))
        assert stored["settings"]["metadata"] == {"bytecodeHash": "none"}
        assert stored["deployed_bytecode_size"] <= EIP_170_BYTES
        assert len(contract.bytecode) <= EIP_3860_BYTES


# SPEAKING TO A CONTRACT


def test_selectors_are_those_of_the_canonical_signatures() -> None:
    """Against keccak of the signature written out by hand, as the protocol has it."""
    header = "(uint64," + 4 * "bytes32," + "uint64,uint64,bytes32,uint64,uint128,uint128,uint128)"
    settlement, vault = load("Settlement").functions, load("Vault").functions
    by_hand = {
        f"postBatch({header},bytes32[],bytes)": settlement["postBatch"],
        "claim(uint64,uint32,uint32,address,uint8,uint64,bytes32[])": vault["claim"],
        "registerKey(uint32,address,uint48)": vault["registerKey"],
    }
    for signature, shape in by_hand.items():
        assert shape.code == keccak256(signature.encode())[:4]
    assert load("MockUSDC").functions["transfer"].code.hex() == "a9059cbb"


def test_arguments_come_back_as_they_went_in() -> None:
    vault = load("Vault")
    arguments = (7, 1, 2, b"\x0c" * 20, 0, 2**64 - 1, (b"\x01" * 32, b"\x02" * 32))
    assert arguments_of(vault, "claim", call_data(vault, "claim", *arguments)) == arguments


def test_calldata_that_is_cut_short_or_calls_something_else_has_no_arguments() -> None:
    vault = load("Vault")
    data = call_data(vault, "claim", 7, 1, 2, b"\x0c" * 20, 0, 5, [b"\x01" * 32])
    assert arguments_of(vault, "deposit", data) is None
    assert arguments_of(vault, "claim", data[:-32]) is None
    assert arguments_of(vault, "claim", b"") is None


def test_an_argument_too_many_or_too_large_is_refused_here_not_on_chain() -> None:
    with pytest.raises(ValueError):
        call_data(load("Vault"), "openAccount", 1)
    with pytest.raises(Exception, match="Cannot be encoded in 32 bits"):
        call_data(load("Vault"), "ownerOf", 2**32)


def test_a_contract_without_constructor_arguments_is_its_bytecode() -> None:
    assert creation_code(load("MockUSDC")) == load("MockUSDC").bytecode


def test_a_revert_is_told_by_name_and_values() -> None:
    got = decode_revert(
        keccak256(b"AlreadyClaimed(uint32)")[:4] + encode(["uint32"], [9]),
    )
    assert got == Revert("AlreadyClaimed", {"number": 9})
    assert str(got) == "AlreadyClaimed(number 9)"
    address = "0x" + "0c" * 20
    owner = keccak256(b"NotOwner(address,address)")[:4] + encode(["address"] * 2, [address] * 2)
    assert str(decode_revert(owner)) == f"NotOwner(expected {address}, got {address})"


def test_the_compilers_own_reverts_and_unknown_ones_are_told_as_well() -> None:
    text = keccak256(b"Error(string)")[:4] + encode(["string"], ["too late"])
    assert decode_revert(text) == Revert("Error", {"reason": "too late"})
    panic = keccak256(b"Panic(uint256)")[:4] + encode(["uint256"], [0x11])
    assert decode_revert(panic) == Revert("Panic", {"code": 0x11})
    assert decode_revert(b"\xde\xad\xbe\xef") == Revert("Unknown", {"data": b"\xde\xad\xbe\xef"})
    broken = keccak256(b"AlreadyClaimed(uint32)")[:4] + b"\x01"
    assert decode_revert(broken) == Revert("Unknown", {"data": broken})
    assert decode_revert(b"") == Revert("Unknown", {"data": b""})


def test_a_struct_inside_a_struct_keeps_its_canonical_type(
    compiled_contracts: dict[str, Artifact],
) -> None:
    contract = contract_of(compiled_contracts["Settlement"]._asdict())
    order = contract.functions["orderHash"].inputs[0].type
    fields = "uint32,uint32,uint8,uint8,uint16,int64,uint32,uint64,uint64,uint64,bytes32"
    conditions = "(uint32,uint32,uint8,int64,bytes32,uint64,uint32,uint8,uint64)"
    assert order == f"({fields},(uint32,int16)[],{conditions})"
