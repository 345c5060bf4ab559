"""How a verb speaks: its result on standard output, what went wrong in one line on standard error.

Holds: nothing that a person wrote is taken for markup.
Never: does a verb's work.
"""

import sys
from typing import Annotated, Final, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

CANNOT: Final = 2

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


def fail(text: str) -> NoReturn:
    """Says what could not be done, and ends with status 2."""
    told = " ".join(text.split())
    Console(stderr=True, highlight=False).print(
        f"[red]straddle:[/red] {escape(told)}", soft_wrap=True
    )
    raise typer.Exit(CANNOT)


def print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
