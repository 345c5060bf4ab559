"""The operator's door: a Unix socket in the exchange's directory, and who knocks there.

    operator.sock    mode 0600: whoever may read operator.key may speak here

Holds: one word in JSON a line, one answer in JSON a line; a word becomes a command through the
sequencer like any other, so it is journaled and audited; a word that cannot be read, or that the
engine refuses, changes nothing and is answered with a sentence. The socket is there while the
exchange runs, and no longer.
Never: listens on a network; signs or shows a key.
"""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Any, Final, Self, cast

import msgspec

from exchange.commands import Command
from exchange.events import CommandRejected, Event
from exchange.operator_words import (
    AnyWord,
    Collateral,
    WrongWord,
    command_of,
    decimals_of,
    token_of,
)
from exchange.sequencer import SequencerStopped
from exchange.service import Exchange
from exchange.settler import Settler
from matching.rejects import ASSET_OUT_OF_BOUNDS, SPEC_OUT_OF_BOUNDS, Reject
from settlement.node import ChainUnavailable, Reverted

SOCKET: Final = "operator.sock"
_LONGEST_WORD: Final = 64 << 10
_MOST_PATH: Final = 100
"""Of a Unix socket; systems differ between 104 and 108."""
_PATIENCE_S: Final = 60.0


class DoorClosed(Exception):
    """Nobody answers; the text says why and what would help."""


class Answer(msgspec.Struct, omit_defaults=True):
    """`wrong` says why nothing was done, or is empty; `code` is the engine's where it refused."""

    wrong: str = ""
    code: int = 0
    sequence: int = 0
    events: list[dict[str, Any]] = []


def _address(directory: Path) -> str:
    """Where the socket is: as short as it can be said. Raises DoorClosed where no system takes
    it.
    """
    path = directory / SOCKET
    shortest = min(str(path.absolute()), os.path.relpath(path), key=len)
    if len(shortest.encode()) > _MOST_PATH:
        raise DoorClosed(f"{shortest} is too long a path for a socket; start nearer to it")
    return shortest


# INSIDE


class OperatorDoor:
    """`async with OperatorDoor(exchange, settler, directory):` while the exchange runs."""

    def __init__(self, exchange: Exchange, settler: Settler, directory: Path) -> None:
        self._exchange = exchange
        self._settler = settler
        self._directory = directory
        self._server: asyncio.Server | None = None
        self._address = ""

    async def __aenter__(self) -> Self:
        self._address = _address(self._directory)
        Path(self._address).unlink(missing_ok=True)  # of a run that was killed: the journal is ours
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listening.bind(self._address)
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listening, limit=_LONGEST_WORD
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None, "it was entered"
        self._server.close()
        Path(self._address).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):  # who hangs up, or says too much
            line = await reader.readline()
            answer = await self.answer(line)
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
        writer.close()

    async def answer(self, line: bytes) -> Answer:
        """What a line comes to."""
        try:
            word = msgspec.json.decode(line, type=AnyWord)
        except msgspec.DecodeError as error:
            return Answer(f"this exchange does not know such a word: {error}")
        try:
            decimals = await self._decimals(word) if isinstance(word, Collateral) else 0
            command_of(self._exchange.state, word, 0, decimals)
            applied = await self._exchange.submit(
                lambda time_ns, _: command_of(self._exchange.state, word, time_ns, decimals)
            )
        except (WrongWord, ChainUnavailable, Reverted, SequencerStopped) as error:
            return Answer(str(error))
        except OverflowError:
            return Answer("a number in it is larger than the command can hold")
        for event in applied.events:
            if isinstance(event, CommandRejected):
                command = command_of(self._exchange.state, word, 0, decimals)
                return Answer(_refusal(event, command), event.code)
        return Answer("", 0, applied.sequence, [_told(event) for event in applied.events])

    async def _decimals(self, word: Collateral) -> int:
        """The decimals of an asset's token, which the Vault is given first where the word names
        it. Raises WrongWord, ChainUnavailable, Reverted.
        """
        token, chain = token_of(word), self._settler.chain
        command_of(self._exchange.state, word, 0, 18)  # before anything is paid for
        count = await asyncio.to_thread(chain.asset_count)
        if token and word.asset == count:
            await self._settler.list_in_vault(word.asset, token)
        elif not 0 < word.asset < count:
            raise WrongWord(
                f"the Vault has no asset {word.asset}: its last is {count - 1}; with its token,"
                f" {count} is the next"
            )
        if token and await asyncio.to_thread(chain.token, word.asset) != token:
            raise WrongWord(f"asset {word.asset} is another token in the Vault, for good")
        return decimals_of(await asyncio.to_thread(chain.unit, word.asset))


def _refusal(event: CommandRejected, command: Command) -> str:
    """The engine's sentence, with the name of the field where it counts fields."""
    sentence = Reject(event.code, event.got, event.allowed).message
    fields = command.__struct_fields__
    if event.code in (SPEC_OUT_OF_BOUNDS, ASSET_OUT_OF_BOUNDS) and event.got < len(fields):
        return f"{sentence} ({fields[event.got]})"
    return sentence


def _told(event: Event) -> dict[str, Any]:
    """Its fields by name, bytes in hex."""
    values: dict[str, Any] = {name: getattr(event, name) for name in event.__struct_fields__}
    return {
        "event": type(event).__name__,
        **{name: _in_hex(value) for name, value in values.items()},
    }


def _in_hex(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        parts = cast("tuple[Any, ...]", value)
        return [_in_hex(part) for part in parts]
    return value


# OUTSIDE


def say(directory: Path, word: AnyWord) -> Answer:
    """Says a word to the exchange that runs in a directory. Raises DoorClosed."""
    if not (directory / "exchange.json").exists():
        raise DoorClosed(f"{directory} holds no exchange: exchange.json is missing")
    address = _address(directory)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(_PATIENCE_S)
            door.connect(address)
            door.sendall(msgspec.json.encode(word) + b"\n")
            with door.makefile("rb") as answers:
                line = answers.readline()
    except PermissionError:
        raise DoorClosed(f"{address} is not yours to speak at") from None
    except (FileNotFoundError, ConnectionError):
        raise DoorClosed(
            f"no exchange runs in {directory}: start it with straddle serve --data {directory}"
        ) from None
    except OSError as error:
        raise DoorClosed(f"{address}: {error}") from None
    if not line:
        raise DoorClosed("the exchange ended before it answered; ask it what became of the word")
    return msgspec.json.decode(line, type=Answer)
