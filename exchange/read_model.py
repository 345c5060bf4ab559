"""What people ask about the past: fills and withdrawals by account, batches that wait for the
chain.

Holds: a function of the events alone, built by the live exchange and by a restart in the same
way.
Never: is read by the engine.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from exchange import events
from exchange.events import Event
from exchange.venue import FillPage, FillView, Legs
from matching.instruments import Instrument
from matching.orders import BUY, SELL
from settlement.batch import Batch, decode_batch
from settlement.leaves import withdrawal_payload
from settlement.record_types import WITHDRAWAL_REQUESTED
from settlement.records import RECORD_BYTES
from settlement.tree import Tree

MAX_PAGE: Final = 1_000


class Withdrawal(NamedTuple):
    """A withdrawal leaf: its number, whose it is and how much; `batch` carries it, 0 while none
    does.
    """

    number: int
    account: int
    owner: bytes
    asset: int
    amount_micro: int


class ReadModel:
    """Histories. `instruments` and `owners` are the engine's, read for symbols and addresses."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._instruments = instruments
        self._owners: dict[int, bytes] = {}
        self._fills: defaultdict[int, list[FillView]] = defaultdict(list)
        self.withdrawals: list[Withdrawal] = []
        self.claimed: dict[int, int] = {}
        self.combos: dict[int, Legs] = {}
        """Legs of every combo that there ever was: events name it when it may be gone."""
        self.batches: dict[int, bytes] = {}
        self.batch_withdrawals: dict[int, int] = {}
        self.confirmed = 0
        self.trades = 0
        self._proven = Tree()
        self._proven_count = 0
        self._batched_withdrawals = 0

    def take(self, sequence: int, time_ns: int, happened: Sequence[Event]) -> None:
        """Learns the events of one command."""
        for event in happened:
            if isinstance(event, events.OrderFilled):
                self._take_fill(sequence, time_ns, event)
            elif isinstance(event, events.ComboCreated):
                self.combos[event.book] = event.legs
            elif isinstance(event, events.AccountOpened):
                self._owners[event.account] = event.owner
            elif isinstance(event, events.WithdrawalRequested):
                self.withdrawals.append(
                    Withdrawal(
                        event.number,
                        event.account,
                        self._owners[event.account],
                        event.asset,
                        event.amount_micro,
                    )
                )
            elif isinstance(event, events.ClaimRecorded):
                self.claimed[event.number] = event.amount_micro
            elif isinstance(event, events.BatchCut):
                self.batches[event.number] = event.data
                self._batched_withdrawals += _withdrawals_in(event.data)
                self.batch_withdrawals[event.number] = self._batched_withdrawals
            elif isinstance(event, events.BatchConfirmed):
                self._take_confirmation(event.number)

    def _take_fill(self, sequence: int, time_ns: int, fill: events.OrderFilled) -> None:
        self.trades += 1
        symbol = self._instruments[fill.instrument].symbol
        taker_side = BUY if fill.taker_buys else SELL
        for account, side, fee, is_maker, order_hash in (
            (fill.taker, taker_side, fill.taker_fee_micro, False, fill.taker_order_hash),
            (fill.maker, 1 - taker_side, fill.maker_fee_micro, True, fill.maker_order_hash),
        ):
            self._fills[account].append(
                FillView(
                    sequence,
                    time_ns,
                    fill.trade,
                    fill.instrument,
                    symbol,
                    side,
                    fill.price_micro,
                    fill.quantity_lots,
                    fee,
                    is_maker,
                    order_hash,
                    fill.combo_trade,
                )
            )

    def _take_confirmation(self, number: int) -> None:
        """A batch is on chain: what it carries can be proved, and its data need not be kept."""
        self.confirmed = number
        del self.batches[number]
        count = self.batch_withdrawals.pop(number)
        for withdrawal in self.withdrawals[self._proven_count : count]:
            payload = withdrawal_payload(
                withdrawal.account, withdrawal.owner, withdrawal.asset, withdrawal.amount_micro
            )
            self._proven.set(withdrawal.number, payload)
        self._proven_count = count

    def fills(self, account: int, since: int, limit: int) -> FillPage:
        """A page of an account's fills of commands after `since`; never splits a command."""
        fills = self._fills[account]
        start = bisect_right(fills, since, key=lambda fill: fill.sequence)
        end = min(start + max(1, min(limit, MAX_PAGE)), len(fills))
        while end < len(fills) and fills[end].sequence == fills[end - 1].sequence:
            end += 1
        page = tuple(fills[start:end])
        return FillPage(page, page[-1].sequence if page else since, end < len(fills))

    def siblings(self, number: int) -> tuple[bytes, ...] | None:
        """Proof of a withdrawal under the last confirmed batch's withdrawal root; None while no
        confirmed batch carries it.
        """
        if number >= self._proven_count:
            return None
        return tuple(self._proven.proof(number).siblings)


def _withdrawals_in(data: bytes) -> int:
    """Withdrawals that a batch carries: what does not fit waits for the next."""
    batch = decode_batch(data)
    assert isinstance(batch, Batch), "a batch that the engine cut decodes"
    return batch.records[::RECORD_BYTES].count(WITHDRAWAL_REQUESTED)
