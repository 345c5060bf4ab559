"""The exchange's hand on the chain: what enters through the Vault, batches that go out, receipts
that come back.

Holds: every message from the chain is a command through the sequencer, in the inbox's order and
`confirmations` blocks deep; a batch is posted until it is confirmed, and posting twice posts it
once; the operator's key sends one transaction at a time; while the chain does not answer, trading
goes on and this waits.
Never: touches the state; gives up; posts a batch before the ones before it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar

from exchange.commands import (
    Command,
    ConfirmBatch,
    CreditDeposit,
    CutBatch,
    OpenAccount,
    RecordClaim,
    RegisterKey,
)
from exchange.events import CommandRejected
from exchange.read_model import ReadModel
from exchange.sequencer import Applied, Build, SequencerStopped
from exchange.state import State
from settlement.batch import Batch, decode_batch
from settlement.chain import ACCOUNT_OPENED, DEPOSITED, Chain, InboxEntry
from settlement.node import Reverted

_LONGEST_WAIT_S: Final = 10.0
_log = logging.getLogger(__name__)

_Value = TypeVar("_Value")


class SettlementPace(NamedTuple):
    """How often: a batch every `batch_seconds` or `batch_records`, the chain read every
    `poll_seconds`, `confirmations` blocks deep.
    """

    batch_seconds: float = 5.0
    batch_records: int = 2_000
    poll_seconds: float = 0.25
    confirmations: int = 0


class Settler:
    """Runs the exchange's side of settlement. `key` is the operator's private key, which posts."""

    def __init__(
        self,
        state: State,
        read_model: ReadModel,
        submit: Callable[[Build], Awaitable[Applied]],
        chain: Chain,
        key: bytes,
        pace: SettlementPace,
        from_block: int = 0,
    ) -> None:
        self._state = state
        self._read_model = read_model
        self._submit = submit
        self.chain = chain
        self._key = key
        self._pace = pace
        self._from_block = from_block
        self._inbox_block = self._claims_block = from_block
        self._cut = asyncio.Event()
        self._posting = asyncio.Event()
        self._posting.set()
        self._key_in_use = asyncio.Lock()
        self.is_up = True
        self.last_error = ""
        self.gas_used: dict[int, int] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self._read_inbox))
            group.create_task(self._repeat(self._read_claims))
            group.create_task(self._repeat(self._post_next))
            group.create_task(self._cut_batches())

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        """A step every poll; after the chain failed to answer, or refused, at growing
        intervals.
        """
        wait_s = self._pace.poll_seconds
        while True:
            try:
                await step()
                self.is_up = True
                wait_s = self._pace.poll_seconds
            except (SequencerStopped, AssertionError):  # a broken invariant stops the process
                raise
            except Exception as error:  # a node may answer anything: settlement waits, never dies
                self._inbox_block = self._from_block  # after a reorganisation, all is read again
                if self.is_up:  # once, not at every attempt
                    _log.warning("settlement waits: %s", error)
                self.is_up = isinstance(error, Reverted)
                self.last_error = str(error)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            await asyncio.sleep(wait_s)

    # FROM THE CHAIN

    async def _read_inbox(self) -> None:
        page = await self._call(
            self.chain.inbox,
            self._state.inbox_cursor,
            self._inbox_block,
            self._pace.confirmations,
        )
        for entry in page.items:
            applied = await self._submit(
                lambda time_ns, _, entry=entry: _inbox_command(time_ns, entry)
            )
            refused = any(isinstance(event, CommandRejected) for event in applied.events)
            assert not refused, f"inbox entry {entry.inbox_index} was refused: all after it wait"
        self._inbox_block = page.next_block

    async def _read_claims(self) -> None:
        page = await self._call(self.chain.claims, self._claims_block, self._pace.confirmations)
        for claim in page.items:
            if claim.number not in self._state.claimed:
                await self._submit(
                    lambda time_ns, _, claim=claim: RecordClaim(time_ns, claim.number, claim.amount)
                )
        self._claims_block = page.next_block

    # TO THE CHAIN

    def after(self, applied: Applied) -> None:
        """Told of every command: a batch that is full is cut at once."""
        if self._state.records_waiting >= self._pace.batch_records:
            self._cut.set()

    def hold(self) -> None:
        """Cuts and posts nothing more until `release`; what is under way ends."""
        self._posting.clear()

    def release(self) -> None:
        """Goes on where `hold` stopped."""
        self._posting.set()

    async def _cut_batches(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._cut.wait(), self._pace.batch_seconds)
            self._cut.clear()
            await self._posting.wait()
            if self._state.groups:
                await self._submit(CutBatch)

    async def _post_next(self) -> None:
        """Posts the oldest batch that is not confirmed and waits until it is deep enough."""
        await self._posting.wait()
        number = self._state.batches_confirmed + 1
        data = self._read_model.batches.get(number)
        if data is None:
            return
        batch = decode_batch(data)
        assert isinstance(batch, Batch), "a batch that the engine cut decodes"
        async with self._key_in_use:
            receipt = await self._call(self.chain.post_batch, self._key, *batch)
        self.gas_used[number] = receipt.gas_used
        while (
            await self._call(self.chain.node.head)
        ).block < receipt.block + self._pace.confirmations:
            await asyncio.sleep(self._pace.poll_seconds)
        await self._submit(
            lambda time_ns, _: ConfirmBatch(time_ns, number, receipt.block, receipt.transaction)
        )

    async def list_in_vault(self, asset: int, token: bytes) -> None:
        """Gives a token the next number in the Vault. Raises ChainUnavailable, Reverted."""
        async with self._key_in_use:
            await self._call(self.chain.list_asset, self._key, asset, token)

    async def _call(self, function: Callable[..., _Value], *arguments: Any) -> _Value:
        """A call of the chain, off the event loop."""
        return await asyncio.to_thread(function, *arguments)


def _inbox_command(time_ns: int, entry: InboxEntry) -> Command:
    """What an inbox entry means to the engine."""
    if entry.kind == ACCOUNT_OPENED:
        return OpenAccount(time_ns, entry.inbox_index, entry.account, entry.subject)
    if entry.kind == DEPOSITED:
        return CreditDeposit(time_ns, entry.inbox_index, entry.account, entry.asset, entry.amount)
    return RegisterKey(
        time_ns, entry.inbox_index, entry.account, entry.subject, entry.valid_until_s
    )
