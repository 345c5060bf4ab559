"""What happened in a demo, as one value, a table and JSON.

Holds: every figure was counted from events, receipts and reports of this run.
Never: rounds a figure that JSON carries.
"""

from collections import Counter

import msgspec
from rich.console import Console
from rich.table import Table

from exchange import events
from exchange.audit import AuditReport
from exchange.events import Event
from exchange.settler import Settler
from matching.rejects import TEMPLATES


class Tally:
    """Counts events as they come."""

    def __init__(self) -> None:
        self.orders = 0
        self.fills = 0
        self.combo_trades = 0
        self.implied = 0
        self.cancels = 0
        self.rejects: Counter[str] = Counter()
        self.first_fill_batch: int | None = None
        self._batches = 0

    def take(self, _sequence: int, _time_ns: int, happened: tuple[Event, ...]) -> None:
        """A listener of the exchange."""
        for event in happened:
            if isinstance(event, events.OrderPlaced):
                self.orders += 1
            elif isinstance(event, events.OrderFilled):
                self.fills += 1
                if self.first_fill_batch is None:
                    self.first_fill_batch = self._batches + 1
            elif isinstance(event, events.ComboFilled):
                self.combo_trades += 1
                self.implied += event.maker_left_units < 0
            elif isinstance(event, events.OrderCancelled):
                self.cancels += 1
            elif isinstance(event, events.CommandRejected):
                self.rejects[TEMPLATES[event.code][0]] += 1
            elif isinstance(event, events.BatchCut):
                self._batches = event.number


class Liquidated(msgspec.Struct, frozen=True):
    """The liquidation that a demo shows: cash in USDC, quantities in BTC; `worst` is the scan's
    worst loss of the positions.
    """

    account: int
    called_equity_usdc: str
    called_worst_usdc: str
    started_equity_usdc: str
    started_maintenance_usdc: str
    steps: int
    stepped: str
    bids: int
    auctioned: str
    discount_percent: str
    lost_at_auction_usdc: str
    equity_usdc: str
    worst_usdc: str
    fund_usdc: str


class Summary(msgspec.Struct, frozen=True):
    """A demo's outcome. Gas figures are of batches; `gas_per_fill` of those from the first fill
    on, everything that they carry included.
    """

    orders: int
    fills: int
    combo_trades: int
    combo_trades_against_legs: int
    cancels: int
    rejects: int
    rejects_by_reason: dict[str, int]
    margin_reject: str
    liquidation: Liquidated
    orders_by_strategy: dict[str, int]
    batches: int
    state_root: str
    gas_per_fill: int
    gas_total: int
    audit: str
    audit_report: AuditReport
    tampered_batch_caught: bool
    tampered: str
    withdrawn_usdc: str
    chain: str
    settlement: str
    vault: str
    token: str
    websocket: str
    fix: str
    data: str
    seconds: float


def gas_per_fill(settler: Settler, tally: Tally) -> tuple[int, int]:
    """(gas per fill of the batches from the first fill on, gas of all batches)."""
    total = sum(settler.gas_used.values())
    if not tally.fills or tally.first_fill_batch is None:
        return 0, total
    trading = sum(g for n, g in settler.gas_used.items() if n >= tally.first_fill_batch)
    return round(trading / tally.fills), total


def audit_command(summary: Summary) -> str:
    """The audit of a running demo, with nothing but the chain and the journal."""
    return (
        f"straddle audit --rpc {summary.chain} --settlement {summary.settlement}"
        f" --journal {summary.data}/journal"
    )


def print_table(summary: Summary, next_command: str) -> None:
    """The summary for a person, on standard output."""
    console = Console(highlight=False)
    table = Table(title="Straddle: what happened", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    caught = "[green]caught[/green]" if summary.tampered_batch_caught else "[red]NOT caught[/red]"
    verdict = "[green]pass[/green]" if summary.audit == "pass" else f"[red]{summary.audit}[/red]"
    report = summary.audit_report
    rejects = ", ".join(f"{count} {name}" for name, count in summary.rejects_by_reason.items())
    for name, value in (
        ("orders accepted", f"{summary.orders:,} (and {summary.cancels:,} cancelled or expired)"),
        (
            "fills",
            f"{summary.fills:,}, of which combos traded {summary.combo_trades:,} times"
            f" ({summary.combo_trades_against_legs:,} against their legs' books)",
        ),
        (
            "takers sent",
            ", ".join(f"{kind} {n:,}" for kind, n in summary.orders_by_strategy.items()),
        ),
        ("refused", f"{summary.rejects:,}: {rejects}" if rejects else "0"),
        ("refused for margin", summary.margin_reject),
        (
            "liquidated",
            f"a seller of puts: {summary.liquidation.steps} steps against the book,"
            f" {summary.liquidation.bids} bids at auction,"
            f" {summary.liquidation.lost_at_auction_usdc} USDC below the mark;"
            f" insurance fund {summary.liquidation.fund_usdc} USDC",
        ),
        ("batches", f"{summary.batches} settled; {summary.gas_per_fill:,} gas a fill"),
        ("state root", summary.state_root),
        (
            "audit",
            f"{verdict}: {report.signatures:,} signatures, {report.commands:,} commands,"
            f" {report.records:,} records, {report.batches} batches",
        ),
        ("tampered batch", f"{caught}: {summary.tampered}"),
        ("withdrawn", f"{summary.withdrawn_usdc} USDC claimed by proof, in the wallet"),
        ("chain", summary.chain),
        ("Settlement", summary.settlement),
        ("Vault", summary.vault),
        ("WebSocket, FIX", f"{summary.websocket}, {summary.fix}"),
        ("left behind", f"{summary.data}: journal, chain, addresses"),
    ):
        table.add_row(name, value)
    console.print(table)
    console.print(f"\nNext: [bold]{next_command}[/bold]")
