"""`straddle margin`: every scenario and charge of an account of an exchange, or of a portfolio in a
file, against the marks of the journal or of the shipped chain.

A file is CSV of `symbol,quantity` with the cash in a row of its own, `cash,5000`; or JSON:
`{"cash": "5000", "positions": [{"symbol": "BTC-27MAR26-90000-C", "quantity": "-0.1"}]}`.

Holds: what cannot be read or margined is a MarginImpossible that says what and where; the journal
is replayed through the engine, as an audit does, and its chain is not asked.
Never: rounds a quantity; changes a directory.
"""

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from exchange.codec import decode_command
from exchange.commands import Genesis
from exchange.engine import apply
from exchange.founding import Terms
from exchange.gateway_rpc.margin_json import VOLATILITIES, Json, fall_json, report_json
from exchange.home import Home
from exchange.journal import JournalError, read_journal
from exchange.margin_reports import FallReport, MarginReport
from exchange.margin_views import fall_of, report_of
from exchange.snapshot_chain import NANOSECONDS, listing_commands, marks_at, snapshot
from exchange.state import State
from exchange.symbols import cash_text, parse_cash, parse_quantity, quantity_text, resolve_symbol
from margin.charges import CHARGE_NAMES
from margin.parameters import SCAN_WIDTH_PERCENT
from margin.requirement import UnderlyingScan
from margin.scenarios import DOWN, FIRST_TAIL, MOVE_PERCENT, SAME, SCENARIO_COUNT, UP
from margin.what_if import of_portfolio
from matching.rejects import Reject

CASH: Final = "cash"
MOST_BYTES: Final = 1 << 20


class MarginImpossible(Exception):
    """There is nothing to show; the text says what is wrong."""


class _Held(msgspec.Struct, forbid_unknown_fields=True):
    symbol: str
    quantity: Decimal


class _Portfolio(msgspec.Struct, forbid_unknown_fields=True):
    positions: list[_Held]
    cash: Decimal = Decimal(0)


class Shown(msgspec.Struct, frozen=True):
    """What the verb shows."""

    report: MarginReport
    fall: FallReport


def margin_of_account(data: Path, account: int) -> Shown:
    """Of an account of the exchange in a directory. Raises MarginImpossible."""
    state = _replayed(Home(data).journal)
    found = state.accounts.get(account)
    if found is None:
        raise MarginImpossible(f"there is no account {account}; {len(state.accounts)} were opened")
    return Shown(report_of(state, found), fall_of(state, found))


def margin_of_file(path: Path) -> Shown:
    """Of the portfolio in a file, at the shipped chain's marks. Raises MarginImpossible."""
    cash, rows = _read(path)
    state = shipped_exchange()
    held: dict[int, int] = {}
    for where, symbol, quantity in rows:
        legs = resolve_symbol(symbol, state.symbols)
        if isinstance(legs, Reject):
            raise MarginImpossible(f"{path}, {where}: no instrument {symbol!r}; {legs.message}")
        lot_e8 = state.instruments[legs[0][0]].underlying.lot_e8
        lots = parse_quantity(quantity, lot_e8)
        if lots is None:
            lot = quantity_text(1, lot_e8)
            raise MarginImpossible(
                f"{path}, {where}: quantity {quantity!r} is no decimal that is a multiple of {lot}"
            )
        for number, ratio in legs:
            held[number] = held.get(number, 0) + ratio * lots
    cash_micro = parse_cash(cash)
    if cash_micro is None:
        raise MarginImpossible(f"{path}: cash {cash!r} is no decimal of at most 6 places")
    positions = [(number, lots) for number, lots in held.items() if lots]
    shadow = of_portfolio(state.portfolio, cash_micro, positions)
    if isinstance(shadow, Reject):
        raise MarginImpossible(f"{path}: no account can hold this: {shadow.message}")
    return Shown(report_of(state, shadow), fall_of(state, shadow))


# READING


def _replayed(journal: Path) -> State:
    state = State()
    try:
        for entry in read_journal(journal):
            command = decode_command(entry.payload)
            if isinstance(command, Reject):
                raise MarginImpossible(
                    f"{journal}: entry {entry.sequence} is no command: {command.message}"
                )
            apply(state, command)
    except JournalError as error:
        raise MarginImpossible(str(error)) from None
    return state


def shipped_exchange() -> State:
    """An exchange that lists and marks the shipped chain."""
    state, time_ns = State(), snapshot().time_s * NANOSECONDS
    apply(state, Genesis(time_ns, 0, bytes(20), bytes(20), *Terms().fees, SCAN_WIDTH_PERCENT))
    for command in (*listing_commands(time_ns), marks_at(time_ns)):
        apply(state, command)
    return state


def _read(path: Path) -> tuple[str, list[tuple[str, str, str]]]:
    """Cash, and (where, symbol, quantity) of each row."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise MarginImpossible(f"{path} has more than {MOST_BYTES:,} bytes")
        text = path.read_text("utf8")
    except OSError as error:
        raise MarginImpossible(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MarginImpossible(f"{path} is no text in UTF-8") from None
    if not text.strip():
        raise MarginImpossible(f"{path} is empty: it needs rows of symbol,quantity")
    if text.lstrip()[0] in "{[":
        return _read_json(path, text)
    return _read_csv(path, text)


def _read_json(path: Path, text: str) -> tuple[str, list[tuple[str, str, str]]]:
    try:
        found = msgspec.json.decode(text, type=_Portfolio)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MarginImpossible(f"{path} is no portfolio in JSON: {error}") from None
    rows = [
        (f"positions[{at}]", held.symbol, format(held.quantity, "f"))
        for at, held in enumerate(found.positions)
    ]
    return format(found.cash, "f"), rows


def _read_csv(path: Path, text: str) -> tuple[str, list[tuple[str, str, str]]]:
    cash, rows = "0", list[tuple[str, str, str]]()
    seen_cash = False
    for number, symbol, quantity in _csv_rows(path, text):
        if symbol.lower() == CASH:
            if seen_cash:
                raise MarginImpossible(f"{path}, line {number}: cash is given twice")
            cash, seen_cash = quantity, True
        else:
            rows.append((f"line {number}", symbol, quantity))
    return cash, rows


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    reader = csv.reader(text.splitlines())
    try:
        for row in reader:
            words = [word.strip() for word in row]
            if not any(words) or [word.lower() for word in words] == ["symbol", "quantity"]:
                continue
            if len(words) != 2:
                raise MarginImpossible(
                    f"{path}, line {reader.line_num}: {len(words)} fields; a row is symbol,quantity"
                )
            yield reader.line_num, words[0], words[1]
    except csv.Error as error:
        raise MarginImpossible(f"{path}, line {reader.line_num}: {error}") from None


# SHOWING


def shown_json(shown: Shown) -> Json:
    """Breakdown and fall in one object."""
    fall = fall_json(shown.fall)
    return report_json(shown.report) | {key: fall[key] for key in ("closing", "liquidation")}


def print_margin(shown: Shown) -> None:
    """For a person."""
    console = Console(highlight=False)
    console.print(_summary(shown))
    if shown.report.positions:
        console.print(_positions(shown))
    scans = zip(shown.report.breakdown.scans, shown.report.underlyings, strict=True)
    for scan, underlying in scans:
        console.print(_scenarios(scan, underlying.name))


def _summary(shown: Shown) -> Table:
    found, account = shown.report.breakdown, shown.report.account
    title = "hypothetical portfolio" if account is None else f"account {account}"
    table = Table(title=f"Margin of {title}, USDC", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim", overflow="fold")

    def add(name: str, micro: int, meaning: str = "") -> None:
        table.add_row(name, cash_text(micro), meaning)

    add("cash", found.cash_micro)
    add("equity", found.equity_micro, "cash, accruals and options at the marks")
    for scan, underlying in zip(found.scans, shown.report.underlyings, strict=True):
        worst = scenario_text(scan.worst_scenario)
        add(f"scan {underlying.name}", scan.loss_micro, f"worst: {worst}, open orders included")
    if len(found.scans) > 1:
        add("netted", found.netted_micro, "of separate and joint worst")
    for name, charge in zip(CHARGE_NAMES, found.charges_micro, strict=True):
        add(name.replace("_", " "), charge)
    if found.stables_micro:
        add("stables", found.stables_micro, "the same in every scenario, in the equity")
    if found.collateral_charge_micro:
        add("collateral charge", found.collateral_charge_micro, "for haircuts and pegs")
    add("rounding", found.rounding_micro, "half a micro-USDC per lot")
    add("initial margin", found.initial_micro, "netted scan, charges, rounding")
    add("maintenance margin", found.maintenance_micro, "80% of the positions' netted scan")
    add("excess", found.excess_micro, "equity less initial margin")
    for distance, underlying in zip(shown.fall.distances, shown.fall.underlyings, strict=True):
        for word, move in (("down", distance.down_e6), ("up", distance.up_e6)):
            text = "never" if move is None else f"{move / 1e4:+.4f}%"
            table.add_row(f"liquidation {word}", text, f"move of {underlying.name}'s index")
    return table


def scenario_text(scenario: int) -> str:
    """`-18% vol up`; tails are damped."""
    move = MOVE_PERCENT[scenario]
    if scenario >= FIRST_TAIL:
        return f"{move:+d}% vol up, damped"
    return f"{move:+d}% vol {VOLATILITIES[(UP, SAME, DOWN)[scenario % 3]]}"


def _positions(shown: Shown) -> Table:
    table = Table(title="Positions", title_justify="left")
    table.add_column("symbol", no_wrap=True, min_width=20)
    for name in ("quantity", "mark", "closing frees initial", "maintenance"):
        table.add_column(name, justify="right")
    freed = {release.instrument: release for release in shown.fall.releases}
    for position, row in zip(
        shown.report.positions, report_json(shown.report)["positions"], strict=True
    ):
        release = freed[position.instrument]
        table.add_row(
            row["symbol"],
            row["quantity"],
            row["mark"],
            cash_text(release.initial_micro),
            cash_text(release.maintenance_micro),
        )
    return table


def _scenarios(scan: UnderlyingScan, name: str) -> Table:
    table = Table(title=f"{name}: gain per scenario, USDC, open orders included")
    table.title_justify = "left"
    table.add_column("move", justify="right")
    for volatility in (UP, SAME, DOWN):
        table.add_column(f"vol {VOLATILITIES[volatility]}", justify="right")
    texts = [cash_text(gain) for gain in scan.gains_micro]
    texts[scan.worst_scenario] = f"[bold red]{texts[scan.worst_scenario]}[/bold red]"
    for first in range(0, FIRST_TAIL, 3):
        table.add_row(f"{MOVE_PERCENT[first]:+d}%", *texts[first : first + 3])
    for tail in range(FIRST_TAIL, SCENARIO_COUNT):
        table.add_row(f"{MOVE_PERCENT[tail]:+d}% damped", texts[tail])
    return table
