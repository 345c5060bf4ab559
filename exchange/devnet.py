"""A local chain: Anvil as a child process, for `straddle`, the demos and the tests.

    with Devnet() as devnet:
        node = Node(devnet.url)

Holds: it listens on loopback alone, on a port that it found free itself. It ends with the process
that started it, however that one ends: between the two stands a shell that waits on a pipe, and the
system closes the pipe of whoever dies.
Never: holds money. Its keys are known to everybody.
"""

import atexit
import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from eth_account import Account

MNEMONIC: Final = "test test test test test test test test test test test junk"
"""Foundry's and Hardhat's; every wallet knows its accounts."""
ACCOUNTS: Final = 10
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
LINES_KEPT: Final = 50

# Runs "$@" until it ends or standard input is closed, whichever comes first.
SUPERVISOR: Final = """
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
{ cat <&3; kill -TERM $child; } >/dev/null 2>&1 &
wait $child
"""


class AnvilMissing(Exception):
    """There is no Anvil on this machine; the message says what to do."""


class DevnetFailed(Exception):
    """Anvil did not start; the message ends with what it said."""


class DevAccount(NamedTuple):
    """An account that Anvil gives 10,000 ether."""

    address: bytes
    key: bytes


class Devnet:
    """A running Anvil, from construction to `stop`.

    block_time_s  a block every so many seconds; None for one at each transaction
    state_file    where the chain is kept while it is stopped, so that it goes on where it was
    port          0 for a free one
    start_time_s  Unix time of the first block, from which the chain's clock runs on; None for now
    """

    def __init__(
        self,
        *,
        block_time_s: int | None = None,
        state_file: Path | None = None,
        port: int = 0,
        chain_id: int = 31337,
        start_time_s: int | None = None,
    ) -> None:
        binary = find_anvil()
        words = [str(binary), "--host", "127.0.0.1", "--port", str(port)]
        words += ["--chain-id", str(chain_id), "--mnemonic", MNEMONIC]
        words += ["--accounts", str(ACCOUNTS), "--color", "never"]
        if block_time_s is not None:
            words += ["--block-time", str(block_time_s)]
        if start_time_s is not None:
            words += ["--timestamp", str(start_time_s)]
        if state_file is not None:
            words += ["--state", str(state_file), "--preserve-historical-states"]
        if "--enable-tx-gas-limit" in _options(binary):
            words.append("--enable-tx-gas-limit")
        self.chain_id = chain_id
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._listening = threading.Event()
        self._port = 0
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, "anvil", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for the exchange, which then stops the chain
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        atexit.register(self.stop)
        self._wait_until_it_listens()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends Anvil, and waits until it has ended and written its state. May be called again."""
        atexit.unregister(self.stop)
        assert self._process.stdin is not None, "opened as a pipe above"
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait()
        self._reader.join(STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _read(self) -> None:
        """Takes Anvil's output as it comes, lest it wait for a full pipe to empty."""
        assert self._process.stdout is not None, "opened as a pipe above"
        with self._process.stdout as output:
            for line in output:
                self._lines.append(line.rstrip())
                found = re.match(r"Listening on 127\.0\.0\.1:(\d+)", line)
                if found is not None:
                    self._port = int(found.group(1))
                    self._listening.set()
        self._listening.set()

    def _wait_until_it_listens(self) -> None:
        self._listening.wait(START_TIMEOUT_S)
        if self._port == 0:
            self.stop()
            said = "\n".join(self._lines)
            raise DevnetFailed(f"Anvil did not start. It said:\n{said}")


@functools.cache
def accounts() -> tuple[DevAccount, ...]:
    """The accounts that have ether on every devnet, in Anvil's order."""
    Account.enable_unaudited_hdwallet_features()
    derived = [
        Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
        for index in range(ACCOUNTS)
    ]
    return tuple(DevAccount(bytes.fromhex(a.address[2:]), bytes(a.key)) for a in derived)


def find_anvil() -> Path:
    """STRADDLE_ANVIL, the checkout's npm package, beside this interpreter, or on the PATH."""
    named = os.environ.get("STRADDLE_ANVIL")
    if named:
        if os.access(named, os.X_OK):
            return Path(named)
        raise AnvilMissing(f"STRADDLE_ANVIL names {named}, which cannot be run")
    modules = Path(__file__).resolve().parent.parent / "node_modules"
    for binary in sorted(modules.glob("@foundry-rs/anvil-*/bin/anvil*")):
        if os.access(binary, os.X_OK):
            return binary
    beside = Path(sys.executable).with_name("anvil")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("anvil")
    if found is None:
        raise AnvilMissing(
            "There is no Anvil. Run `make setup` in a checkout, or `npm install -g "
            "@foundry-rs/anvil`, or name its binary in STRADDLE_ANVIL."
        )
    return Path(found)


@functools.cache
def _options(binary: Path) -> str:
    """What Anvil's help says; older ones know fewer options."""
    told = subprocess.run([str(binary), "--help"], capture_output=True, text=True, check=False)
    return told.stdout
