"""Genesis, batches and the passing of time.

Holds: what one batch cannot hold waits for the next; a batch is cut whole: its records, laid in
chunks, bring the ledger to the state that the engine is in, or the process stops; batches are
confirmed in order.
Never: posts anything.
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import AdvanceTime, ConfirmBatch, CutBatch, Genesis
from exchange.handlers.funding import advance_funding
from exchange.handlers.liquidation import carry_on
from exchange.handlers.refusal import refuse
from exchange.state import State
from margin.fees import FeeSchedule, schedule_fault
from margin.parameters import SCAN_WIDTH_PERCENT
from matching.rejects import (
    BATCH_OUT_OF_ORDER,
    FEES_OUT_OF_BOUNDS,
    GENESIS,
    NOTHING_TO_CUT,
    Reject,
)
from settlement.batch import POSTABLE_RECORDS, cut, encode_batch, groups_that_fit
from settlement.genesis import genesis_body
from settlement.ledger import Ledger

Emit = Callable[[events.Event], None]


def open_exchange(state: State, command: Genesis, emit: Emit) -> None:
    # CHECK
    if state.ledger is not None or command.width_percent != SCAN_WIDTH_PERCENT:
        refuse(emit, Reject(GENESIS))
        return
    schedule = FeeSchedule(
        command.maker_fee_e6,
        command.taker_fee_e6,
        command.fee_cap_e4,
        command.rebate_step_e6,
        command.liquidation_fee_e6,
        command.combo_discount,
    )
    field = schedule_fault(schedule)
    if field:
        refuse(emit, Reject(FEES_OUT_OF_BOUNDS, field))
        return
    # EMIT
    state.chain_id = command.chain_id
    state.settlement = command.settlement
    state.operator = command.operator
    state.portfolio.schedule = schedule
    body = genesis_body(
        command.chain_id, command.settlement, command.operator, schedule, command.width_percent
    )
    state.ledger = Ledger(body, schedule)
    emit(events.ExchangeOpened(command.chain_id, command.settlement, state.ledger.root()))


def cut_batch(state: State, command: CutBatch, emit: Emit) -> None:
    # CHECK
    ledger = state.ledger
    assert ledger is not None, "the engine lets nothing but Genesis come first"
    if not state.groups:
        refuse(emit, Reject(NOTHING_TO_CUT, state.batches_cut))
        return
    # EMIT
    number = state.batches_cut + 1
    count = groups_that_fit(state.groups, POSTABLE_RECORDS)
    batch = cut(
        ledger,
        state.groups[:count],
        number=number,
        journal_hash=command.journal_hash,
        journal_sequence=state.sequence - 1,
        time_s=state.time_s,
    )
    state.batches_cut = number
    del state.groups[:count]
    state.records_waiting = sum(len(group) for group in state.groups)
    emit(events.BatchCut(number, batch.header.new_root, count, encode_batch(batch)))


def confirm_batch(state: State, command: ConfirmBatch, emit: Emit) -> None:
    # CHECK
    expected = state.batches_confirmed + 1
    if command.number != expected or command.number > state.batches_cut:
        refuse(emit, Reject(BATCH_OUT_OF_ORDER, command.number, expected))
        return
    # EMIT
    state.batches_confirmed = command.number
    emit(events.BatchConfirmed(command.number, command.block, command.transaction))


def advance_time(state: State, command: AdvanceTime, emit: Emit) -> None:
    # EMIT: what has expired by now is gone already (`engine.apply`)
    emit(events.TimeAdvanced(command.time_ns))
    advance_funding(state, emit)
    carry_on(state, emit)
