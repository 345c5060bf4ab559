"""The sequencer: gives every command its place and time, makes it durable, then applies it.

Holds: one row of commands; time never falls; a group that waits together is committed by one
sync while the next group gathers; the caller is answered only after its command is durable and
applied, in order.
Never: applies what is not durable; goes on after a failed write or a broken invariant (`failure`
then says why, and every later caller is told).
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from exchange.codec import encode_command
from exchange.commands import Command
from exchange.engine import apply
from exchange.events import Event
from exchange.journal import Journal
from exchange.state import State

MAX_WAITING: Final = 10_000
"""Commands that may wait; a door refuses beyond (VENUE_BUSY)."""
MAX_GROUP: Final = 1_024

Build = Callable[[int, bytes], Command]
"""Makes the command from its time (ns) and the journal's chain hash before it."""


class Applied(NamedTuple):
    """A command that is durable and applied."""

    sequence: int
    chain_hash: bytes
    time_ns: int
    events: tuple[Event, ...]


class SequencerStopped(Exception):
    """The sequencer takes no more commands; the text says why."""


class _Draft(NamedTuple):
    build: Build
    answer: asyncio.Future[Applied]


class _Pending(NamedTuple):
    sequence: int
    chain_hash: bytes
    command: Command
    answer: asyncio.Future[Applied]


class Sequencer:
    """Runs commands through journal and engine. `clock` gives Unix nanoseconds; `on_applied`
    sees every command, in order.
    """

    def __init__(
        self,
        state: State,
        journal: Journal,
        clock: Callable[[], int],
        on_applied: Callable[[Applied], None],
    ) -> None:
        self._state = state
        self._journal = journal
        self._clock = clock
        self._on_applied = on_applied
        self._waiting: asyncio.Queue[_Draft | None] = asyncio.Queue()
        self._time_ns = state.time_ns
        self.failure: str | None = None
        self.failed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Commands in the queue."""
        return self._waiting.qsize()

    async def submit(self, build: Build) -> Applied:
        """Takes a command; returns when it is durable and applied. Raises SequencerStopped."""
        if self.failure is not None:
            raise SequencerStopped(self.failure)
        answer: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(_Draft(build, answer))
        return await answer

    def stop(self) -> None:
        """Lets `run` end after what waits now."""
        self._waiting.put_nowait(None)

    def fail(self, why: str) -> None:
        """Stops because something beside the sequencer broke that must not go on without it."""
        if self.failure is None:
            self.failure = why
            self.failed.set()
            self.stop()

    async def run(self) -> None:
        """Serves until `stop`, or until something breaks that must not go on."""
        running = True
        drafts: list[_Draft | None] = []
        try:
            while running:
                drafts = [await self._waiting.get()]
                while not self._waiting.empty() and len(drafts) < MAX_GROUP:
                    drafts.append(self._waiting.get_nowait())
                running = None not in drafts
                appended = [self._append(draft) for draft in drafts if draft is not None]
                group = [pending for pending in appended if pending is not None]
                if group:
                    taken = self._journal.take_group()
                    await asyncio.to_thread(self._journal.write, taken)
                    for pending in group:
                        self._apply(pending)
            self._end("the exchange was stopped", drafts)
        except BaseException as error:  # nobody may be left waiting, whatever it was
            self._end(f"{type(error).__name__}: {error}", drafts)
            self.failed.set()
            raise

    def _append(self, draft: _Draft) -> _Pending | None:
        """None for a draft that makes no command: nothing was journaled, only its caller is
        told.
        """
        self._time_ns = max(self._clock(), self._time_ns)
        try:
            command = draft.build(self._time_ns, self._journal.chain_hash)
            payload = encode_command(command)
        except Exception as error:  # whatever it was, it is the caller's
            if not draft.answer.done():
                draft.answer.set_exception(error)
            return None
        sequence, chain_hash = self._journal.append(payload)
        return _Pending(sequence, chain_hash, command, draft.answer)

    def _apply(self, pending: _Pending) -> None:
        events = apply(self._state, pending.command)
        applied = Applied(pending.sequence, pending.chain_hash, pending.command.time_ns, events)
        self._on_applied(applied)
        if not pending.answer.done():
            pending.answer.set_result(applied)

    def _end(self, why: str, taken: list[_Draft | None]) -> None:
        """Tells everyone who still waits, those of the group that was under way too."""
        self.failure = self.failure or why
        drafts = list(taken)
        while not self._waiting.empty():
            drafts.append(self._waiting.get_nowait())
        for draft in drafts:
            if draft is not None and not draft.answer.done():
                draft.answer.set_exception(SequencerStopped(why))
