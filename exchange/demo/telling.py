"""How the demo tells what it does: a line per step on standard error, nothing when it must be
quiet.

Holds: a step that fails says where.
Never: writes to standard output, which is the summary's.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console


class Step:
    """One step under way; `say` sets what its line tells."""

    def __init__(self) -> None:
        self.text = ""

    def say(self, text: str) -> None:
        self.text = text


class Teller:
    """Tells steps on standard error."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False)

    @contextmanager
    def step(self, name: str) -> Generator[Step]:
        """A step: its name, a mark when it is done, what it said, and the seconds it took."""
        step = Step()
        start = time.monotonic()
        try:
            with self._console.status(f"{name} …"):
                yield step
        except BaseException:
            self._console.print(f"[red]✗[/red] [bold]{name:<11}[/bold] failed")
            raise
        seconds = time.monotonic() - start
        self._console.print(
            f"[green]✓[/green] [bold]{name:<11}[/bold] {step.text} [dim]({seconds:.1f} s)[/dim]",
            soft_wrap=True,
        )

    def note(self, text: str) -> None:
        """A line between steps."""
        self._console.print(text, soft_wrap=True)
