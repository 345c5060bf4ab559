"""The directory in which an exchange lives: where its contracts are, its operator's key, its
journal.

    exchange.json    what is public: chain, contracts, clock     journal/   the journal
    operator.key     the operator's private key, mode 0600       fix/       FIX sequence numbers
    operator.sock    where its operator speaks, while it runs (`operator_door.py`)
    listing.toml     what underlyings are listed, where it is not BTC and ETH as they ship

Holds: everything needed to start the exchange again on the same chain. The clock may be offset
from the machine's (a demo trades a snapshot of the past).
Never: holds traders' keys.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from settlement.signature import Signer


class HomeError(Exception):
    """The directory is not what an exchange can start from; the text says what is missing."""


class Site(msgspec.Struct, frozen=True):
    """What exchange.json says. Addresses in hex with 0x; `block` is where the contracts were
    deployed; `clock_offset_ns` is added to the machine's time; `fix_sessions` are the
    SenderCompIDs that may log on over FIX.
    """

    rpc: str
    chain_id: int
    settlement: str
    vault: str
    token: str
    block: int
    clock_offset_ns: int = 0
    fix_sessions: tuple[str, ...] = ()

    @property
    def settlement_address(self) -> bytes:
        return bytes.fromhex(self.settlement[2:])

    @property
    def vault_address(self) -> bytes:
        return bytes.fromhex(self.vault[2:])

    def clock(self) -> Callable[[], int]:
        """The exchange's clock, Unix nanoseconds."""
        offset_ns = self.clock_offset_ns
        return lambda: time.time_ns() + offset_ns


class Home:
    """An exchange's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def journal(self) -> Path:
        return self.directory / "journal"

    @property
    def fix(self) -> Path:
        return self.directory / "fix"

    def prepare(self) -> None:
        """Makes the directory, if it is not there; it may hold no exchange. Raises HomeError."""
        if (self.directory / "exchange.json").exists():
            raise HomeError(f"{self.directory} holds an exchange already; choose another directory")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeError(f"{self.directory} cannot be made: {error.strerror}") from None
        if not os.access(self.directory, os.W_OK):
            raise HomeError(f"{self.directory} cannot be written to")

    def create(self, site: Site, operator_key: bytes) -> None:
        """Writes site and key into a directory that holds no exchange yet. Raises HomeError."""
        self.prepare()
        path = self.directory / "exchange.json"
        key_path = self.directory / "operator.key"
        descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, 0o600)  # it may have been there, open to others
            file.write(operator_key.hex() + "\n")
        path.write_bytes(msgspec.json.format(msgspec.json.encode(site)) + b"\n")

    def listing(self) -> Path | None:
        """The file that says what is listed (`exchange/listing_config.py`), where there is one."""
        for name in ("listing.toml", "listing.json"):
            path = self.directory / name
            if path.exists():
                return path
        return None

    def site(self) -> Site:
        """What exchange.json says. Raises HomeError."""
        path = self.directory / "exchange.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Site)
        except FileNotFoundError:
            raise HomeError(
                f"{self.directory} holds no exchange: exchange.json is missing"
            ) from None
        except (OSError, msgspec.DecodeError) as error:
            raise HomeError(f"{path} cannot be read: {error}") from None

    def operator_key(self) -> bytes:
        """The operator's private key. Raises HomeError."""
        path = self.directory / "operator.key"
        try:
            key = bytes.fromhex(path.read_text().strip())
        except (OSError, ValueError) as error:
            raise HomeError(f"{path} cannot be read: {error}") from None
        if len(key) != 32:
            raise HomeError(f"{path} holds {len(key)} bytes; a private key has 32")
        return key

    def operator(self) -> Signer:
        return Signer(self.operator_key())
