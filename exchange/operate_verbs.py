"""`straddle operate`: the operator's word to an exchange that runs.

Holds: a verb says one word at the door in the exchange's directory (`operator_door.py`) and prints
what happened; what is wrong is said in one line.
Never: touches a journal; decides what is in bounds.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from exchange.terminal import JsonFlag, fail, print_json

if TYPE_CHECKING:
    from exchange.operator_words import AnyWord

operate: Final = typer.Typer(
    name="operate",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    epilog="Example: `straddle operate state venue halted --reason maintenance --data my-exchange`",
    help=(
        "Change the terms of a running exchange: trading states, oracles, collateral, risk.\n\n"
        "Says one word to the exchange that `straddle serve` runs from that directory; only who may"
        " read operator.key may. The word is journaled like any command, and shows in the audit."
    ),
)

DataOption = Annotated[Path, typer.Option(help="Directory of the running exchange.")]
UnderlyingArgument = Annotated[str, typer.Argument(help="Its name, e.g. ETH.")]


def _say(data: Path, as_json: bool, word: "AnyWord") -> None:
    from exchange.operator_door import DoorClosed, say

    try:
        answer = say(data, word)
    except DoorClosed as error:
        fail(str(error))
    if answer.wrong:
        fail(f"refused: {answer.wrong}" + (f" [{answer.code}]" if answer.code else ""))
    if as_json:
        print_json({"sequence": answer.sequence, "events": answer.events})
        return
    sys.stdout.write(f"command {answer.sequence:,}\n")
    for event in answer.events:
        sys.stdout.write(f"  {_line(event)}\n")


def _line(event: dict[str, Any]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in event.items() if name != "event")
    return f"{event['event']}: {told}" if told else str(event["event"])


@operate.command(epilog="Example: `straddle operate state ETH cancel-only --data my-exchange`")
def state(
    of: Annotated[str, typer.Argument(help="venue, an underlying (ETH) or a symbol.")],
    to: Annotated[str, typer.Argument(help="open, pre-open, post-only, cancel-only or halted.")],
    data: DataOption,
    reason: Annotated[
        str,
        typer.Option(
            help="none given, opening, maintenance, disorderly market, technical fault, mark or"
            " index in doubt, delisting or ordered by an authority."
        ),
    ] = "none given",
    as_json: JsonFlag = False,
) -> None:
    """Halt or open the venue, an underlying or an instrument (docs/matching.md, Trading states)."""
    from exchange.operator_words import TradingState

    _say(data, as_json, TradingState(of, to, reason))


@operate.command(
    epilog=(
        "Examples: `straddle operate oracle ETH --reporter 0x…:8 --reporter 0x…:8 --reporter 0x…:6"
        " --data my-exchange`, and back to the operator's marks: `straddle operate oracle ETH --off"
        " --data my-exchange`"
    )
)
def oracle(
    underlying: UnderlyingArgument,
    data: DataOption,
    reporter: Annotated[
        list[str] | None,
        typer.Option(help="Who reports: address, colon, decimals of the prices. Once for each."),
    ] = None,
    off: Annotated[
        bool, typer.Option("--off", help="Disarm: the operator's own marks again.")
    ] = False,
    quorum: Annotated[int, typer.Option(help="How many must agree. 0: a majority.")] = 0,
    max_age: Annotated[int, typer.Option(help="Seconds after which a report is stale.")] = 30,
    deviation: Annotated[
        str, typer.Option(help="Percent that an index may be from the median and count.")
    ] = "1",
    forward_band: Annotated[
        str, typer.Option(help="Percent that a forward may be from its index.")
    ] = "20",
    forward_move: Annotated[
        str, typer.Option(help="Percent that an update may move a forward over its index.")
    ] = "1",
    variance_move: Annotated[
        str, typer.Option(help="Percent that an update may move the variance at the money.")
    ] = "50",
    as_json: JsonFlag = False,
) -> None:
    """Name an underlying's reporters and their bounds, or disarm its oracle (docs/oracle.md)."""
    from exchange.operator_words import Oracle

    if bool(reporter) == off:
        fail("name at least one --reporter, or --off")
    bounds = (quorum, max_age, deviation, forward_band, forward_move, variance_move)
    _say(data, as_json, Oracle(underlying, reporter or [], *bounds))


@operate.command(
    epilog="Example: `straddle operate breaker ETH --level 10:post-only:60 --data my-exchange`"
)
def breaker(
    underlying: UnderlyingArgument,
    data: DataOption,
    level: Annotated[
        list[str] | None,
        typer.Option(
            help="Percent of a move, colon, post-only or cancel-only, colon, seconds that it lasts"
            " at least. Once for each level, by rising percent."
        ),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Disarm it: no move stops trading.")] = False,
    window: Annotated[int, typer.Option(help="Seconds within which a move counts.")] = 300,
    calm_window: Annotated[int, typer.Option(help="Seconds of calm after which it lifts.")] = 60,
    calm: Annotated[str, typer.Option(help="Percent of a move that is still calm.")] = "2",
    as_json: JsonFlag = False,
) -> None:
    """Set an underlying's circuit breaker, or disarm it (docs/matching.md)."""
    from exchange.operator_words import Breaker

    if bool(level) == off:
        fail("name at least one --level, or --off")
    _say(data, as_json, Breaker(underlying, window, calm_window, calm, level or []))


@operate.command(
    epilog=(
        "Example: `straddle operate collateral 1 ETH --underlying ETH --token 0x… --initial-haircut"
        " 20 --maintenance-haircut 15 --cap 10000 --discount 5 --data my-exchange`"
    )
)
def collateral(
    asset: Annotated[int, typer.Argument(help="Its number in the Vault; USDC is 0.")],
    name: Annotated[str, typer.Argument(help="Capitals and digits, at most 8.")],
    data: DataOption,
    initial_haircut: Annotated[
        str, typer.Option(help="Percent of its worth that initial margin leaves out.")
    ],
    maintenance_haircut: Annotated[
        str, typer.Option(help="Percent that maintenance margin leaves out.")
    ],
    cap: Annotated[str, typer.Option(help="Units that count for one account at most.")],
    discount: Annotated[
        str, typer.Option(help="Percent below the index at which it is sold for owed cash.")
    ],
    underlying: Annotated[
        str, typer.Option(help="Whose index it moves with. Default: none, a stable.")
    ] = "",
    token: Annotated[
        str, typer.Option(help="ERC-20 to list in the Vault, where it is not listed there.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Let an asset count as margin, or set its terms anew (docs/collateral.md).

    With --token the Vault takes it first, for good: nobody can strike a token that is listed.
    """
    from exchange.operator_words import Collateral

    terms = (initial_haircut, maintenance_haircut, cap, discount)
    _say(data, as_json, Collateral(asset, name, underlying, *terms, token))


@operate.command(
    "risk-profile",
    epilog=(
        "Example: `straddle operate risk-profile 7 --model portfolio --least-tier 2 --data"
        " my-exchange`"
    ),
)
def risk_profile(
    account: Annotated[int, typer.Argument(help="Its number.")],
    data: DataOption,
    model: Annotated[str, typer.Option(help="portfolio or standard.")] = "portfolio",
    least_tier: Annotated[
        int, typer.Option(help="The least tier that its owner may choose; 0: any.")
    ] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Set how an account is margined: its model and its least tier (docs/margin.md, 3.8)."""
    from exchange.operator_words import RiskProfile

    _say(data, as_json, RiskProfile(account, model, least_tier))


@operate.command(epilog="Example: `straddle operate liquidation off --data my-exchange`")
def liquidation(
    to: Annotated[str, typer.Argument(help="on: it decides; off: whatever is under way holds.")],
    data: DataOption,
    as_json: JsonFlag = False,
) -> None:
    """Hold liquidation as a whole, or let it decide again (docs/liquidation.md)."""
    from exchange.operator_words import Liquidation

    if to not in ("on", "off"):
        fail(f"no {to!r}; there are on, off")
    _say(data, as_json, Liquidation(to == "on"))


@operate.command(
    epilog=(
        "Example: `straddle operate funding ETH-PERPETUAL --cap 0.5 --band 0.025 --impact 2 --data"
        " my-exchange`"
    )
)
def funding(
    symbol: Annotated[str, typer.Argument(help="A perpetual.")],
    data: DataOption,
    cap: Annotated[str, typer.Option(help="Percent of the index a period, at most.")] = "0.5",
    band: Annotated[str, typer.Option(help="Percent of premium that pays nothing.")] = "0.025",
    period: Annotated[int, typer.Option(help="Seconds; divides a day.")] = 28_800,
    impact: Annotated[str, typer.Option(help="Units whose price in the book counts.")] = "1",
    sample: Annotated[int, typer.Option(help="Seconds between two looks at the book.")] = 60,
    off: Annotated[bool, typer.Option("--off", help="Stop it: nothing runs up.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Let a perpetual's funding follow its premium, or stop it (docs/fees.md)."""
    from exchange.operator_words import Funding

    _say(data, as_json, Funding(symbol, cap, band, 0 if off else period, impact, sample))


@operate.command(
    epilog=(
        "Example: `straddle operate delist SOL-PERPETUAL --end 2026-12-01T08:00 --data my-exchange`"
    )
)
def delist(
    symbol: Annotated[str, typer.Argument(help="What is to end, for good.")],
    data: DataOption,
    end: Annotated[
        str, typer.Option(help="Of a perpetual that is held: when, UTC, like 2026-12-01T08:00.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """End an instrument that nobody holds, or announce a perpetual's end (docs/instruments.md)."""
    from exchange.operator_words import Delist

    end_s = 0
    if end:
        try:
            end_s = int(datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp())
        except ValueError:
            fail(f"end {end!r} is no time like 2026-12-01T08:00")
    _say(data, as_json, Delist(symbol, end_s))
