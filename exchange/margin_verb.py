"""`straddle margin`: every scenario and charge of an account of an exchange, or of a portfolio in a
file, at the marks of the journal or of the shipped chain; beside it what Derive's model would ask.

A file is CSV of `symbol,quantity` with the cash in a row of its own, `cash,5000`; or JSON:
`{"cash": "5000", "positions": [{"symbol": "BTC-27MAR26-90000-C", "quantity": "-0.1"}]}`.

Holds: what cannot be read or margined is a MarginImpossible that says what and where; the journal
is replayed through the engine, as an audit does, and its chain is not asked.
Never: rounds a quantity; changes a directory; shows a person more than cents, nor JSON fewer digits
than there are.
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
from exchange.commands import Genesis, ListInstrument
from exchange.engine import apply
from exchange.founding import Terms
from exchange.gateway_rpc.margin_json import (
    MARGIN_MODELS,
    VOLATILITIES,
    Json,
    fall_json,
    report_json,
)
from exchange.home import Home
from exchange.journal import JournalError, read_journal
from exchange.listing_rules import BTC_RULE, expiry_times
from exchange.margin_reports import FallReport, MarginReport
from exchange.margin_views import fall_of, report_of
from exchange.snapshot_chain import BTC, NANOSECONDS, listing_commands, marks_at, snapshot
from exchange.state import State
from exchange.symbols import parse_cash, parse_quantity, quantity_text, resolve_symbol
from margin.accounts import STANDARD_MODEL, Account
from margin.analytics.pm2 import Margin, pm2_of
from margin.charges import CHARGE_NAMES
from margin.parameters import RISK_TIER_QUARTERS, SCAN_WIDTH_PERCENT
from margin.requirement import UnderlyingScan
from margin.scenarios import DOWN, FIRST_TAIL, MOVE_PERCENT, SAME, SCENARIO_COUNT, UP
from margin.what_if import of_portfolio
from matching.instruments import FUTURE, NO_EXPIRY, PERPETUAL
from matching.rejects import TOO_MANY_POSITIONS, UNKNOWN_INSTRUMENT, Reject

CASH: Final = "cash"
MOST_BYTES: Final = 1 << 20
MOST_DIGITS: Final = 40


class MarginImpossible(Exception):
    """There is nothing to show; the text says what is wrong."""


class _Held(msgspec.Struct, forbid_unknown_fields=True):
    symbol: str
    quantity: Decimal


class _Portfolio(msgspec.Struct, forbid_unknown_fields=True):
    positions: list[_Held]
    cash: Decimal = Decimal(0)


class Shown(msgspec.Struct, frozen=True):
    """What the verb shows. `pm2` is advice in floating point, of the positions alone."""

    report: MarginReport
    fall: FallReport
    pm2: Margin


def _shown(state: State, account: Account) -> Shown:
    pm2 = pm2_of(state.portfolio, account)
    return Shown(report_of(state, account), fall_of(state, account), pm2)


def margin_of_account(data: Path, account: int) -> Shown:
    """Of an account of the exchange in a directory. Raises MarginImpossible."""
    state = _replayed(Home(data).journal)
    found = state.accounts.get(account)
    if found is None:
        raise MarginImpossible(f"there is no account {account}; {len(state.accounts)} were opened")
    return _shown(state, found)


def margin_of_file(path: Path, data: Path | None = None) -> Shown:
    """Of the portfolio in a file, at the marks of the exchange in a directory, or of the shipped
    chain. Raises MarginImpossible.
    """
    cash, rows = _read(path)
    state = shipped_exchange() if data is None else _replayed(Home(data).journal)
    held: dict[int, int] = {}
    for where, symbol, quantity in rows:
        legs = resolve_symbol(symbol, state.symbols)
        if isinstance(legs, Reject):
            why = legs.message
            if legs.code == UNKNOWN_INSTRUMENT:
                why = f"{len(state.instruments)} are listed, such as {state.instruments[0].symbol}"
            raise MarginImpossible(f"{path}, {where}: no instrument {symbol!r}; {why}")
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
        why = shadow.message
        if shadow.code == TOO_MANY_POSITIONS:
            why = f"{len(positions)} positions; at most {shadow.allowed}"
        raise MarginImpossible(f"{path}: no account can hold this: {why}")
    return _shown(state, shadow)


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
    """An exchange that lists and marks the shipped chain, and what the listing rules have beside
    it: the perpetual, and futures of monthly and quarterly expiries.
    """
    state, time_ns = State(), snapshot().time_s * NANOSECONDS
    apply(state, Genesis(time_ns, 0, bytes(20), bytes(20), *Terms().fees, SCAN_WIDTH_PERCENT))
    for command in listing_commands(time_ns):
        apply(state, command)
    futures = {at for at, has_future in expiry_times(snapshot().time_s) if has_future}
    linear = [(PERPETUAL, NO_EXPIRY)]
    linear += [(FUTURE, e.number) for e in state.expiries if e.expiry_time_s in futures]
    for kind, expiry in linear:
        number = len(state.instruments)
        tick = BTC_RULE.linear_tick_micro
        apply(state, ListInstrument(time_ns, number, kind, BTC, expiry, 0, tick))
    apply(state, marks_at(time_ns))
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
        (f"positions[{at}]", held.symbol, _plain(held.quantity))
        for at, held in enumerate(found.positions)
    ]
    return _plain(found.cash), rows


def _plain(number: Decimal) -> str:
    """Without an exponent, unless it would be longer than any that is read."""
    return format(number, "f") if abs(number.adjusted()) < MOST_DIGITS else str(number)


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
    """Breakdown and fall in one object; `pm2` to the cent."""
    fall = fall_json(shown.fall)
    pm2 = {
        "initialMargin": f"{shown.pm2.initial:.2f}",
        "maintenanceMargin": f"{shown.pm2.maintenance:.2f}",
        "worstScenario": pm2_text(shown.pm2),
    }
    return (
        report_json(shown.report)
        | {key: fall[key] for key in ("closing", "liquidation")}
        | {"pm2": pm2}
    )


def pm2_text(found: Margin) -> str:
    """`+18% volatility up`."""
    spot, volatility, _ = found.worst
    return f"{100 * (spot - 1):+.3g}% {volatility}"


def _dollars(micro: int) -> str:
    """To the cent, half away from zero."""
    cents = (2 * abs(micro) + 10_000) // 20_000
    return f"{'-' if micro < 0 and cents else ''}{cents // 100:,}.{cents % 100:02}"


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
    table.caption = "To the cent; exact with --json."
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim", overflow="fold")

    def add(name: str, micro: int, meaning: str = "") -> None:
        table.add_row(name, _dollars(micro), meaning)

    factor = RISK_TIER_QUARTERS[found.tier] * 25
    model = f"tier {found.tier}: {factor}% of what initial margin takes from scan and charges"
    table.add_row("model", MARGIN_MODELS[found.model], model)
    add("cash", found.cash_micro)
    add("equity", found.equity_micro, "cash, accruals, collateral and options at the marks")
    if found.stables_micro:
        add("stables", found.stables_micro, "the same in every scenario, in the equity")
    for part in parts_of(shown):
        add(*part)
    if found.collateral_charge_micro:
        add("collateral charge", found.collateral_charge_micro, "for haircuts and pegs")
    add("rounding", found.rounding_micro, "half a micro-USDC per lot")
    add("initial margin", found.initial_micro, "the sum of what stands above, from the scan on")
    maintenance = "80% of the positions' netted scan"
    if found.model == STANDARD_MODEL:
        maintenance = "80% of the positions, each alone; liquidation goes by the netted scan"
    add("maintenance margin", found.maintenance_micro, maintenance)
    add("excess", found.excess_micro, "equity less initial margin")
    for name, amount in (("initial", shown.pm2.initial), ("maintenance", shown.pm2.maintenance)):
        meaning = f"of the positions, in floating point; worst: {pm2_text(shown.pm2)}"
        table.add_row(f"Derive's PM2, {name}", f"{amount:,.2f}", meaning)
    for distance, underlying in zip(shown.fall.distances, shown.fall.underlyings, strict=True):
        for word, move in (("down", distance.down_e6), ("up", distance.up_e6)):
            text = "never" if move is None else f"{move / 1e4:+.4f}%"
            table.add_row(f"liquidation {word}", text, f"move of {underlying.name}'s index")
    return table


def parts_of(shown: Shown) -> Iterator[tuple[str, int, str]]:
    """What initial margin is the sum of, but for collateral and rounding."""
    found = shown.report.breakdown
    if found.model == STANDARD_MODEL:
        yield "each alone", found.standard_micro, "positions and orders by themselves, charges in"
        return
    for scan, underlying in zip(found.scans, shown.report.underlyings, strict=True):
        worst = scenario_text(scan.worst_scenario)
        yield f"scan {underlying.name}", scan.loss_micro, f"worst: {worst}, open orders included"
    if len(found.scans) > 1:
        released = found.netted_micro - found.separate_micro
        yield "netting", released, "half of what the worst of all together loses less"
    for name, charge in zip(CHARGE_NAMES, found.charges_micro, strict=True):
        yield name.replace("_", " "), charge, ""
    if found.tier_charges_micro:
        yield "tier's charges", found.tier_charges_micro, "what the tier adds to the charges"


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
            _dollars(release.initial_micro),
            _dollars(release.maintenance_micro),
        )
    return table


def _scenarios(scan: UnderlyingScan, name: str) -> Table:
    table = Table(title=f"{name}: gain per scenario, USDC, open orders included")
    table.title_justify = "left"
    table.add_column("move", justify="right")
    for volatility in (UP, SAME, DOWN):
        table.add_column(f"vol {VOLATILITIES[volatility]}", justify="right")
    texts = [_dollars(gain) for gain in scan.gains_micro]
    texts[scan.worst_scenario] = f"[bold red]{texts[scan.worst_scenario]}[/bold red]"
    for first in range(0, FIRST_TAIL, 3):
        table.add_row(f"{MOVE_PERCENT[first]:+d}%", *texts[first : first + 3])
    for tail in range(FIRST_TAIL, SCENARIO_COUNT):
        table.add_row(f"{MOVE_PERCENT[tail]:+d}% damped", texts[tail])
    return table
