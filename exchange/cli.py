"""The command line: `straddle VERB`.

Holds: what a verb prints on standard output is its result, JSON with `--json`; progress and
errors go to standard error; exit status 0 is success, 1 a negative result (an audit that fails),
2 what could not be done.
Never: does the work itself; imports a verb's machinery before it is asked for.
"""

import asyncio
import os
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from exchange.operate_verbs import operate
from exchange.terminal import JsonFlag, fail, print_json

app: Final = typer.Typer(
    name="straddle",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help=(
        "Straddle, the open hybrid options exchange: matched in memory, margined at every fill,"
        " settled on chain, audited by anyone.\n\n"
        "Try `straddle demo` first."
    ),
)

app.add_typer(operate)

DATA: Final = Path("straddle-data")

RpcOption = Annotated[
    str | None, typer.Option(help="URL of the chain's node, e.g. http://127.0.0.1:8545.")
]


def main() -> None:
    """Entry point of the `straddle` command."""
    from exchange.compiled import choose

    choose()
    app()


def _bar_text(bar: float | None) -> str:
    return "" if bar is None else f"asked: {bar:g}; "


def _own_name() -> str:
    """How this command is called from here: by its name, or by its path where that is not found."""
    return "straddle" if shutil.which("straddle") else os.path.relpath(sys.argv[0])


def _show_version(wanted: bool) -> None:
    if wanted:
        from exchange.compiled import told

        typer.echo(f"{version('straddle-exchange')} (core {told()})")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: `straddle demo --seconds 20 --json`")
def demo(
    seconds: Annotated[
        float, typer.Option(min=3, max=3_600, help="How long the takers trade.")
    ] = 20,
    as_json: JsonFlag = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the exchange and its chain running afterwards.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Directory to make and leave. Default: straddle-data/demo-TIME."),
    ] = None,
    rpc_port: Annotated[int, typer.Option(min=0, max=65_535, help="0: a free one.")] = 0,
    fix_port: Annotated[int, typer.Option(min=0, max=65_535, help="0: a free one.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the takers' choices.")] = 1,
) -> None:
    """Trade a real option chain on a local chain, settle it, and audit it.

    Starts Anvil, deploys the contracts, funds makers and takers through the Vault, lists the 684
    BTC options of 15 January 2026, quotes their real bids and asks over FIX, trades singles and
    combos over WebSocket, settles batches, posts a forged one to see it caught, and audits
    everything.
    """
    from exchange.demo.story import DemoFailed, Settings, play
    from exchange.demo.summary import Summary, print_table
    from exchange.demo.telling import Teller
    from exchange.devnet import AnvilMissing, DevnetFailed
    from exchange.gateway_fix.client import FixClientError
    from exchange.gateway_fix.server import FixDoorError
    from exchange.home import HomeError
    from exchange.host import Ports
    from exchange.journal import JournalError
    from exchange.sequencer import SequencerStopped
    from settlement.node import ChainUnavailable, Reverted

    directory = data or DATA / time.strftime("demo-%Y%m%d-%H%M%S")
    if directory.exists():
        fail(f"{directory} exists; name a directory that does not, with --data")

    def show(summary: Summary) -> None:
        if as_json:
            print_json(summary)
            sys.stdout.flush()
        else:
            print_table(summary, f"{_own_name()} audit --data {directory}")

    settings = Settings(directory, seconds, Ports(rpc_port, fix_port), serve, seed)
    try:
        summary = asyncio.run(play(settings, Teller(quiet=as_json), show))
    except (
        DemoFailed,
        AnvilMissing,
        DevnetFailed,
        ChainUnavailable,
        FixDoorError,
        TimeoutError,
        OSError,
        Reverted,
        FixClientError,
        HomeError,
        JournalError,
        SequencerStopped,
    ) as error:
        fail(f"the demo failed: {error or type(error).__name__}")
    except ExceptionGroup as several:
        first = several.exceptions[0]
        fail(f"the demo failed: {type(first).__name__}: {first}")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if summary.audit != "pass" or not summary.tampered_batch_caught:
        raise typer.Exit(1)


@app.command(
    epilog=(
        "Examples: `straddle audit --data straddle-data/demo-20261120-120000`, or with nothing but"
        " what is public: `straddle audit --rpc http://127.0.0.1:8545 --settlement 0x..."
        " --journal DIR --json`"
    )
)
def audit(
    rpc: RpcOption = None,
    settlement: Annotated[
        str | None, typer.Option(help="Address of the Settlement contract, 0x and 40 hex digits.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Directory of the published journal.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Directory of an exchange or a demo: stands for the other three. If its chain does"
            " not run, it is started from what the demo left, for the time of the audit."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check an exchange from its chain and its published journal alone.

    Recovers every signature, replays every command through the same engine, rebuilds every root,
    compares every posted byte, and checks conservation to the unit. Exit status 0: everything
    agrees. 1: the first batch, record and account that diverge are named. 2: the audit could not
    be done.
    """
    from exchange.auditing import AuditImpossible, AuditRequest, run_audit

    try:
        request = AuditRequest.of(rpc, settlement, journal, data)
        report = run_audit(request, show_progress=not as_json)
    except AuditImpossible as error:
        fail(str(error))
    if as_json:
        print_json(report)
    else:
        from exchange.auditing import print_report

        print_report(report)
    if report.verdict != "pass":
        raise typer.Exit(1)


@app.command(
    epilog=(
        "Examples: `straddle margin portfolio.csv`, or of an account: `straddle margin --data"
        " straddle-data/demo-20261120-120000 --account 3 --json`"
    )
)
def margin(
    portfolio: Annotated[
        Path | None,
        typer.Argument(
            help="CSV of symbol,quantity with a row cash,5000; or the same in JSON. It is taken at"
            " the marks of the shipped chain, or with --data at an exchange's last."
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of an exchange or a demo.")] = None,
    account: Annotated[
        int | None, typer.Option(min=0, help="Number of an account of that exchange.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show every scenario and charge of a margin requirement.

    Of an account, as of the end of its exchange's journal, or of a portfolio that nobody holds.
    Also what closing each position would free, where the account would be liquidated, and what
    Derive's portfolio margin (PM2) would ask for the same positions.
    """
    from exchange.margin_verb import (
        MarginImpossible,
        margin_of_account,
        margin_of_file,
        print_margin,
        shown_json,
    )

    try:
        if portfolio is not None and account is None:
            shown = margin_of_file(portfolio, data)
        elif portfolio is None and data is not None and account is not None:
            shown = margin_of_account(data, account)
        else:
            raise MarginImpossible("give a file with a portfolio, or --data and --account")
    except MarginImpossible as error:
        fail(str(error))
    if as_json:
        print_json(shown_json(shown))
    else:
        print_margin(shown)


@app.command(epilog="Example: `straddle bench matching --json`")
def bench(
    only: Annotated[
        list[str] | None,
        typer.Argument(
            help="Parts to run: matching, signatures, engine, settling, clearing. Default: all."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure the exchange in ratio to a peer or a limit, in the same run.

    With --json one object a line: name, value, unit, peer, peer_value, ratio, better, note, bar.
    """
    from exchange.bench import PARTS

    unknown = [part for part in only or [] if part not in PARTS]
    if unknown:
        fail(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    console = Console(highlight=False)
    for part in only or list(PARTS):
        for measured in PARTS[part]():
            if as_json:
                print_json(measured)
                sys.stdout.flush()
            else:
                console.print(
                    f"[bold]{measured.name:<20}[/bold] {measured.value:>12,.4g} {measured.unit:<11}"
                    f" {measured.ratio:>7.3g} x {measured.peer} ({measured.peer_value:,.4g})"
                    f" [dim]{_bar_text(measured.bar)}{measured.better} is better."
                    f" {measured.note}[/dim]",
                    soft_wrap=True,
                )


@app.command(
    epilog=(
        "Example: `straddle deploy --rpc http://127.0.0.1:8545 --data my-exchange"
        " --operator-key operator.key`"
    )
)
def deploy(
    rpc: Annotated[str, typer.Option(help="URL of the chain's node.")],
    data: Annotated[Path, typer.Option(help="Directory to make: the exchange will live there.")],
    operator_key: Annotated[
        Path, typer.Option(help="File with the operator's private key in hex; it pays for gas.")
    ],
    token: Annotated[
        str | None,
        typer.Option(help="ERC-20 of 6 decimals to settle in. Default: a new test token."),
    ] = None,
) -> None:
    """Deploy the contracts of a new exchange and make its directory."""
    from exchange.operating import OperatingError, deploy_exchange

    try:
        site = deploy_exchange(rpc, data, operator_key, token)
    except OperatingError as error:
        fail(str(error))
    print_json(site)


@app.command(epilog="Example: `straddle serve --data my-exchange`")
def serve(
    data: Annotated[Path, typer.Option(help="Directory of the exchange.")],
    rpc_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="JSON-RPC and WebSocket.")
    ] = 8_600,
    fix_port: Annotated[int, typer.Option(min=0, max=65_535, help="FIX 4.4.")] = 8_601,
    feed: Annotated[
        str | None,
        typer.Option(
            help="Marks from signed reports: synthetic, crash-2026-02 or chain-2026-01-15; off"
            " disarms the oracles again. Default: as they are, at first the markets that"
            " listing.toml or the shipped chain state."
        ),
    ] = None,
    reporters: Annotated[
        int, typer.Option(min=1, max=32, help="Who signs the feed's reports; a majority counts.")
    ] = 3,
    feed_seed: Annotated[int, typer.Option(help="Of the synthetic feed.")] = 1,
) -> None:
    """Run an exchange until Ctrl-C: replay its journal, open its doors, settle on its chain.

    Lists BTC and ETH, or what listing.toml in its directory names (docs/instruments.md).
    Its chain may be down, or go down meanwhile: trading goes on and settlement waits.
    """
    from exchange.operating import FeedChoice, OperatingError, serve_exchange

    choice = FeedChoice(feed, reporters, feed_seed)
    try:
        asyncio.run(serve_exchange(data, rpc_port, fix_port, choice))
    except OperatingError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command(epilog="Example: `straddle chain --data straddle-data/demo-20261120-120000`")
def chain(
    data: Annotated[Path, typer.Option(help="Directory that a demo left.")],
) -> None:
    """Start the chain that a demo left, where it left it, until Ctrl-C."""
    from exchange.operating import OperatingError, serve_chain

    try:
        serve_chain(data)
    except OperatingError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


if __name__ == "__main__":
    main()
