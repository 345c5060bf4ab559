"""Cutting a batch, and taking new marks.

`batch_cut`     4,096 records among 1,000 accounts: laid in chunks, hashed to roots, encoded
`update_marks`  all expiries repriced in all scenarios and 1,000 accounts re-margined
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from exchange.bench.flow import Flow, opened_state
from exchange.bench.report import Row, median_seconds, quiet_memory, row, seconds
from exchange.engine import apply
from exchange.snapshot_chain import fitted_marks, marks_at, options_by_number, snapshot
from exchange.state import State
from margin.analytics.black76_float import option_price
from margin.scenarios import SCENARIO_COUNT
from settlement.batch import MAX_RECORDS, cut, encode_batch, groups_that_fit
from settlement.keccak import keccak256

ACCOUNTS: Final = 1_000
SECONDS_PER_YEAR: Final = 365 * 86_400
ASKED_CUT_S: Final = 1.0


def bench() -> Iterator[Row]:
    """Both rows."""
    yield _batch_cut()
    yield _update_marks()


def _traded_state(commands: int) -> State:
    """An exchange in which much has traded; what opened it is settled in earlier batches."""
    state = opened_state(ACCOUNTS)
    _cut_all(state)
    for command in Flow(state, ACCOUNTS, seed=9).commands(commands, resting=0.5, taking=0.4):
        apply(state, command)
    return state


def _cut_all(state: State) -> None:
    while state.groups:
        _cut_once(state)


def _cut_once(state: State) -> int:
    """Cuts one batch of as many records as fit; bytes of its encoding."""
    assert state.ledger is not None, "the exchange was opened"
    count = groups_that_fit(state.groups)
    batch = cut(
        state.ledger,
        state.groups[:count],
        number=1,
        journal_hash=bytes(32),
        journal_sequence=state.sequence,
        time_s=state.time_s,
    )
    del state.groups[:count]
    return len(encode_batch(batch))


def _batch_cut() -> Row:
    state = _traded_state(40_000)
    _cut_once(state)
    full = groups_that_fit(state.groups) < len(state.groups)
    assert full, "the measured batch is a full one"
    with quiet_memory():
        cut_s = seconds(lambda: _cut_once(state))
    node = bytes(65)
    hash_s = median_seconds(lambda: [keccak256(node) for _ in range(MAX_RECORDS)], 5)
    note = f"{MAX_RECORDS} records; bar 1 s; a record costs {cut_s / hash_s:.0f} hashes"
    return row("batch_cut", cut_s, "s", "asked", ASKED_CUT_S, "lower", note)


def _update_marks() -> Row:
    state = _traded_state(20_000)
    time_ns = state.time_ns
    moves = iter(range(1, 100))
    with quiet_memory():
        update_s = median_seconds(lambda: apply(state, marks_at(time_ns, 100 * next(moves))), 9)
        peer_s = median_seconds(_float_prices, 9)
    held = sum(len(account.positions) for account in state.accounts.values())
    note = f"{held} positions, {len(state.orders)} open orders; bar 50 ms"
    peer = "float Black-76 of the same prices, numpy"
    return row("update_marks", 1e3 * update_s, "ms", peer, 1e3 * peer_s, "lower", note)


def _float_prices() -> None:
    """Every option in every scenario, in float, as an analyst would."""
    marks, time_s = fitted_marks(), snapshot().time_s
    pairs = list(options_by_number())
    kinds = np.array([option.kind for _, option in pairs])[:, None]
    strikes = np.array([option.strike_usd for _, option in pairs], dtype=np.float64)[:, None]
    forwards = np.array([marks[expiry].forward_micro / 1e4 for expiry, _ in pairs])[:, None]
    years = np.array([(option.expiry_time_s - time_s) / SECONDS_PER_YEAR for _, option in pairs])[
        :, None
    ]
    moves = np.linspace(0.82, 1.18, SCENARIO_COUNT)[None, :]
    option_price(kinds, forwards * moves, strikes, 0.5, years)
