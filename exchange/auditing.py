"""An audit as a person asks for it: finds chain and journal, shows progress, prints the report.

Holds: without a chain that answers or a journal that can be read there is no verdict
(AuditImpossible); a journal that is damaged or does not follow its own hash chain is a verdict:
fail.
Never: judges (`audit.py` does).
"""

import shutil
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from exchange.audit import AuditReport, audit_published
from exchange.devnet import AnvilMissing, Devnet, DevnetFailed
from exchange.home import Home, HomeError
from exchange.journal import JournalDamaged, JournalError, read_journal
from exchange.journal.frames import HEAD_BYTES
from exchange.symbols import cash_text
from settlement.chain import BatchUnreadable, Chain
from settlement.node import ChainUnavailable, Node, Reverted

CHAIN_STATE = "chain.json"


class AuditImpossible(Exception):
    """There is no verdict; the text says what is missing and how to give it."""


class AuditRequest(NamedTuple):
    """Where the chain and the journal are. `chain_state` is a stopped local chain that may be
    started for the audit.
    """

    rpc: str
    settlement: bytes
    journal: Path
    chain_state: Path | None

    @classmethod
    def of(
        cls, rpc: str | None, settlement: str | None, journal: Path | None, data: Path | None
    ) -> "AuditRequest":
        """From the command line; `data` gives what is not given otherwise."""
        state = None
        if data is not None:
            try:
                site = Home(data).site()
            except HomeError as error:
                raise AuditImpossible(str(error)) from None
            if rpc is None and (data / CHAIN_STATE).exists():
                state = data / CHAIN_STATE
            rpc, settlement = rpc or site.rpc, settlement or site.settlement
            journal = journal or Home(data).journal
        if rpc is None or settlement is None or journal is None:
            raise AuditImpossible("give --rpc, --settlement and --journal, or --data")
        digits = settlement.removeprefix("0x")
        try:
            address = bytes.fromhex(digits)
        except ValueError:
            address = b""
        if len(address) != 20:
            raise AuditImpossible(f"{settlement!r} is no address: 0x and 40 hexadecimal digits")
        if not journal.is_dir():
            raise AuditImpossible(f"there is no journal in {journal}")
        return cls(rpc, address, journal, state)


def run_audit(request: AuditRequest, *, show_progress: bool) -> AuditReport:
    """Reads the chain, audits the journal. Raises AuditImpossible."""
    address = "0x" + request.settlement.hex()
    try:
        with _running_chain(request) as rpc:
            chain = Chain(Node(rpc), request.settlement)
            return _audit_with_progress(request.journal, chain, show_progress)
    except ChainUnavailable as error:
        raise AuditImpossible(f"the chain at {request.rpc} cannot be read: {error}") from None
    except Reverted as error:
        raise AuditImpossible(f"{address} is no Settlement contract: {error}") from None
    except BatchUnreadable as error:
        return _fail_early(f"{error}", error.number)
    except JournalDamaged as error:
        return _fail_early(f"the journal is damaged: {error}", None)
    except (AnvilMissing, DevnetFailed, JournalError) as error:
        raise AuditImpossible(str(error)) from None


@contextmanager
def _running_chain(request: AuditRequest) -> Generator[str]:
    """The chain's URL. A demo's chain that was stopped is started from a copy of its state: an
    audit changes nothing.
    """
    if request.chain_state is None or _stands_at(request.rpc, request.settlement):
        yield request.rpc
        return
    with TemporaryDirectory(prefix="straddle-audit-") as scratch:
        state = Path(scratch) / CHAIN_STATE
        try:
            shutil.copyfile(request.chain_state, state)
        except OSError as error:
            raise AuditImpossible(
                f"{request.chain_state} cannot be read: {error.strerror}"
            ) from None
        with Devnet(state_file=state) as devnet:
            yield devnet.url


def _stands_at(rpc: str, settlement: bytes) -> bool:
    """Whether the contract's own chain answers there; another demo's may have the port now."""
    if urlsplit(rpc).hostname not in ("127.0.0.1", "localhost"):
        return True
    try:
        return Node(rpc, timeout_s=2.0).code(settlement) != b""
    except ChainUnavailable:
        return False


def _audit_with_progress(directory: Path, chain: Chain, show: bool) -> AuditReport:
    total = sum(path.stat().st_size for path in directory.glob("segment-*.journal"))
    console = Console(stderr=True)
    show = show and console.is_terminal
    bar = Progress(
        TextColumn("auditing"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}% of {task.fields[size]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not show,
    )
    with bar if show else nullcontext():
        task = bar.add_task("audit", total=total, size=f"{total / 1e6:.1f} MB")

        report = audit_published(
            chain,
            lambda: read_journal(directory),
            lambda size: bar.advance(task, size + HEAD_BYTES),
        )
        bar.update(task, completed=total)
    return report


def _fail_early(reason: str, batch: int | None) -> AuditReport:
    """A verdict without a replay: the evidence itself is broken."""
    return AuditReport("fail", 0, 0, 0, 0, 0, 0, 0, "0x", 0, 0, 0, 0, reason, batch)


def print_report(report: AuditReport) -> None:
    """The report for a person."""
    console = Console(highlight=False)
    passed = report.verdict == "pass"
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("verdict", "[green]pass[/green]" if passed else "[red]FAIL[/red]")
    if not passed:
        table.add_row("reason", report.reason)
        for name in ("batch", "record", "account", "sequence"):
            value = getattr(report, name)
            table.add_row(name, "-" if value is None else str(value))
    counts = msgspec.structs.asdict(report)
    for name in ("commands", "signatures", "batches", "records", "fills", "accounts"):
        table.add_row(name, f"{counts[name]:,}")
    table.add_row("after the last batch", f"{report.commands_after:,} commands, not on chain yet")
    table.add_row("not credited yet", f"{report.inbox_waiting:,} inbox entries")
    table.add_row("not posted yet", f"{report.batches_unposted:,} batches")
    table.add_row("state root", report.state_root)
    for name in ("credited", "withdrawn", "liabilities", "vault"):
        table.add_row(name, f"{cash_text(counts[name + '_micro'])} USDC")
    console.print(table)
