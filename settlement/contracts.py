"""The compiled contracts that ship, and how to speak to them: calldata, results, events, reverts.

Holds: the ABI files of `settlement/abi/` are the only tie to Solidity; scripts/build_contracts.py
writes them and `--check` compares them with the sources.
Never: does I/O beyond reading those files; `settlement/chain.py` does.
"""

import functools
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from settlement.keccak import keccak256

SHIPPED: Final = ("MockUSDC", "Settlement", "Vault")

ERROR_STRING: Final = keccak256(b"Error(string)")[:4]
PANIC: Final = keccak256(b"Panic(uint256)")[:4]

Values = dict[str, Any]
"""Names to integers, bytes (addresses: 20 bytes), booleans, strings, or lists of those."""


class Field(NamedTuple):
    """A parameter: `type` is canonical, a struct's is its fields' in parentheses."""

    name: str
    type: str
    is_indexed: bool = False


class Shape(NamedTuple):
    """A function, event or error of a contract. `code` is the selector, an event's the topic."""

    name: str
    code: bytes
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]


class Contract(NamedTuple):
    """A compiled contract."""

    name: str
    bytecode: bytes
    """Creation code, to which encoded constructor arguments are appended."""
    compiler_version: str
    source_hash: str
    constructor: Shape
    functions: Mapping[str, Shape]
    events: Mapping[str, Shape]
    errors: Mapping[bytes, Shape]
    """By selector."""


class Revert(NamedTuple):
    """Why a contract refused: the custom error's name and values. `Error` is a plain string's
    name, `Panic` the compiler's; `Unknown` holds what no shipped contract declares.
    """

    name: str
    values: Values

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {_shown(value)}" for name, value in self.values.items())
        return f"{self.name}({shown})"


@functools.cache
def load(name: str) -> Contract:
    """The shipped contract called `name` (`SHIPPED`)."""
    file = importlib.resources.files("settlement") / "abi" / f"{name}.json"
    stored: dict[str, Any] = json.loads(file.read_text("utf8"))
    return contract_of(stored)


def contract_of(artifact: Mapping[str, Any]) -> Contract:
    """A contract from its artifact, as the build script writes it."""
    functions: dict[str, Shape] = {}
    events: dict[str, Shape] = {}
    errors: dict[bytes, Shape] = {}
    constructor = Shape("constructor", b"", (), ())
    for item in artifact["abi"]:
        shape = _shape(item)
        match item["type"]:
            case "function":
                functions[shape.name] = shape
            case "event":
                events[shape.name] = shape
            case "error":
                errors[shape.code] = shape
            case "constructor":
                constructor = shape
            case _:
                pass
    return Contract(
        name=artifact["contract_name"],
        bytecode=bytes.fromhex(artifact["bytecode"].removeprefix("0x")),
        compiler_version=artifact["compiler_version"],
        source_hash=artifact["source_hash"],
        constructor=constructor,
        functions=functions,
        events=events,
        errors=errors,
    )


# CALLS


def call_data(contract: Contract, function: str, *arguments: Any) -> bytes:
    """Calldata of a call: selector and arguments. Addresses are given as 20 bytes."""
    shape = contract.functions[function]
    return shape.code + encode_fields(shape.inputs, arguments)


def creation_code(contract: Contract, *arguments: Any) -> bytes:
    """Data of the transaction that deploys the contract."""
    return contract.bytecode + encode_fields(contract.constructor.inputs, arguments)


def arguments_of(contract: Contract, function: str, data: bytes) -> tuple[Any, ...] | None:
    """Arguments in calldata that calls `function`; None if it calls something else or is broken."""
    shape = contract.functions[function]
    if data[:4] != shape.code:
        return None
    try:
        return decode_fields(shape.inputs, data[4:])
    except DecodingError:
        return None


def results_of(contract: Contract, function: str, data: bytes) -> tuple[Any, ...]:
    """What a call answered."""
    return decode_fields(contract.functions[function].outputs, data)


def encode_fields(fields: Sequence[Field], values: Sequence[Any]) -> bytes:
    outgoing = [_outgoing(f.type, value) for f, value in zip(fields, values, strict=True)]
    return encode([f.type for f in fields], outgoing)


def decode_fields(fields: Sequence[Field], data: bytes) -> tuple[Any, ...]:
    values: tuple[Any, ...] = decode([f.type for f in fields], data)
    return tuple(_incoming(f.type, v) for f, v in zip(fields, values, strict=True))


# EVENTS


def event_values(shape: Shape, topics: Sequence[bytes], data: bytes) -> Values:
    """Fields of a log entry whose first topic is `shape.code`, in the order of declaration."""
    indexed = [f for f in shape.inputs if f.is_indexed]
    plain = [f for f in shape.inputs if not f.is_indexed]
    values: Values = {}
    for field, topic in zip(indexed, topics[1:], strict=True):
        values[field.name] = decode_fields((field,), topic)[0]
    values.update(zip((f.name for f in plain), decode_fields(plain, data), strict=True))
    return {f.name: values[f.name] for f in shape.inputs}


# REVERTS


def decode_revert(data: bytes) -> Revert:
    """The reason in what a reverted call returned, by the errors of all shipped contracts."""
    code, body = data[:4], data[4:]
    try:
        if code == ERROR_STRING:
            return Revert("Error", {"reason": decode(["string"], body)[0]})
        if code == PANIC:
            return Revert("Panic", {"code": decode(["uint256"], body)[0]})
        for name in SHIPPED:
            shape = load(name).errors.get(code)
            if shape is not None:
                values = decode_fields(shape.inputs, body)
                return Revert(
                    shape.name, {f.name: v for f, v in zip(shape.inputs, values, strict=True)}
                )
    except DecodingError:
        pass
    return Revert("Unknown", {"data": data})


# WITHIN


def _shape(item: Mapping[str, Any]) -> Shape:
    name: str = item.get("name", item["type"])
    inputs, outputs = _fields(item.get("inputs", ())), _fields(item.get("outputs", ()))
    signature = f"{name}({','.join(f.type for f in inputs)})"
    topic = keccak256(signature.encode())
    return Shape(name, topic if item["type"] == "event" else topic[:4], inputs, outputs)


def _fields(parameters: Sequence[Mapping[str, Any]]) -> tuple[Field, ...]:
    return tuple(Field(p["name"], _type(p), bool(p.get("indexed"))) for p in parameters)


def _type(parameter: Mapping[str, Any]) -> str:
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(_type(p) for p in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def _outgoing(kind: str, value: Any) -> Any:
    """eth-abi takes addresses as text."""
    if kind == "address":
        return "0x" + cast(bytes, value).hex()
    if kind == "address[]":
        return ["0x" + one.hex() for one in cast("Sequence[bytes]", value)]
    return value


def _incoming(kind: str, value: Any) -> Any:
    if kind == "address":
        return bytes.fromhex(cast(str, value).removeprefix("0x"))
    return value


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
