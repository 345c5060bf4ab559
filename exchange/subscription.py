"""One followed channel, on the client's side: updates in sequence, none twice, no hole unnoticed.

Holds: what arrives while a snapshot is on its way is held back, and follows it if it is newer.
Never: talks to the exchange; `exchange/client.py` does.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]


class Update(NamedTuple):
    """What a subscription gives. A snapshot replaces all that came before; the first is one, and
    so is the first after a hole. `missed_fills`: those of the account that fell into the hole.
    """

    channel: str
    sequence: int
    data: Json
    is_snapshot: bool
    missed_fills: tuple[Json, ...] = ()


class Subscription:
    """An endless iterator of the updates of one channel, which wait here until they are read; it
    ends with its client. `seen` is the sequence of the last update, None before the first.
    """

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.seen: int | None = None
        self._held: list[Json] | None = []
        self._queue: asyncio.Queue[Update | Exception] = asyncio.Queue()

    def __aiter__(self) -> AsyncIterator[Update]:
        return self

    async def __anext__(self) -> Update:
        update = await self._queue.get()
        if isinstance(update, Exception):
            self._queue.put_nowait(update)
            raise update
        return update

    def hold(self) -> None:
        """A snapshot is asked for: what comes waits until it is here."""
        self._held = []

    def take(self, params: Json) -> bool:
        """Takes an update from the wire; False where there is a hole before it, so that a
        snapshot is needed.
        """
        if self._held is not None:
            self._held.append(params)
            return True
        seen = self.seen or 0
        if params["sequence"] <= seen:
            return True
        if params["previousSequence"] > seen:
            return False
        self.seen = params["sequence"]
        self._queue.put_nowait(Update(self.channel, params["sequence"], params["data"], False))
        return True

    def restart(self, sequence: int, data: Json, missed_fills: Sequence[Json]) -> bool:
        """Takes a snapshot, then what was held; False where that again has a hole."""
        self.seen = sequence
        missed = tuple(fill for fill in missed_fills if fill["sequence"] <= sequence)
        self._queue.put_nowait(Update(self.channel, sequence, data, True, missed))
        held, self._held = self._held or [], None
        return all(self.take(params) for params in held)

    def end(self, why: Exception | None = None) -> None:
        """Nothing more will come: the reader's loop ends, or raises `why`."""
        self._queue.put_nowait(why or StopAsyncIteration())
