"""The exchange killed while it trades: whatever it acknowledged is there when it opens again.

A process of its own runs the exchange on a real journal with fsync and tells each verdict on its
standard output, as a door would tell a trader. It is killed without warning, and its journal is
opened here.
"""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exchange import commands as c
from exchange.codec import decode_command
from exchange.engine import apply
from exchange.invariants import check
from exchange.journal import Journal, JournalDamaged, read_journal
from exchange.service import Exchange, JournalUnreadable
from exchange.state import State
from exchange.state_digest import state_hash
from matching.rejects import ORDER_ALREADY_USED, Reject
from settlement.signature import recover
from settlement.signed_messages import (
    Acknowledgement,
    domain_separator,
    signing_digest,
    struct_hash,
)
from tests.floor import CHAIN_ID, SETTLEMENT
from tests.published import Published
from tests.trading_process import OPERATOR_KEY, clock, signed_orders

PATIENCE_S = 60


def begin(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.trading_process", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str], count: int) -> list[tuple[int, bytes, bytes, bytes]]:
    """The first acknowledgements: sequence, order hash, journal hash, signature."""
    assert process.stdout is not None
    lines: list[tuple[int, bytes, bytes, bytes]] = []
    while len(lines) < count:
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        sequence, *rest = line.split()
        lines.append((int(sequence), *map(bytes.fromhex, rest)))  # type: ignore[arg-type]
    return lines


def replayed(directory: Path, upto: int | None = None) -> State:
    """The engine over the journal's bytes, without the service."""
    state = State()
    for entry in read_journal(directory):
        if upto is not None and entry.sequence > upto:
            break
        command = decode_command(entry.payload)
        assert not isinstance(command, Reject)
        apply(state, command)
    return state


@pytest.mark.parametrize("heard", [1, 40, 150])
def test_everything_acknowledged_survives_a_kill(tmp_path: Path, heard: int) -> None:
    with begin(tmp_path) as process:
        words = told(process, heard)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    chain = {entry.sequence: entry for entry in read_journal(tmp_path)}
    separator = domain_separator(CHAIN_ID, SETTLEMENT)
    for sequence, order_hash, journal_hash, signature in words:
        entry = chain[sequence]
        assert entry.chain_hash == journal_hash
        command = decode_command(entry.payload)
        assert isinstance(command, c.PlaceOrder)
        assert command.order_hash == order_hash
        word = struct_hash(Acknowledgement(sequence, order_hash, journal_hash))
        assert recover(signing_digest(separator, word), signature) == OPERATOR_KEY.address
    exchange = Exchange.open(tmp_path, OPERATOR_KEY, fsync=False)
    assert exchange.state.sequence == len(chain)
    assert check(exchange.state) == []
    assert state_hash(exchange.state) == state_hash(replayed(tmp_path))
    for _, order_hash, _, _ in words:
        assert order_hash in exchange.state.used
    exchange.journal.close()


async def test_it_goes_on_where_it_was_and_takes_nothing_twice(tmp_path: Path) -> None:
    def stop(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    with begin(tmp_path) as process:
        words = await asyncio.to_thread(told, process, 60)
        await asyncio.to_thread(stop, process)
    exchange = Exchange.open(tmp_path, OPERATOR_KEY, clock=clock, fsync=False)
    exchange.start()
    before, last = state_hash(exchange.state), exchange.state.sequence
    (order, signature), *_ = signed_orders(1)
    verdict = await exchange.place(order, signature)
    assert verdict.reject is not None
    assert verdict.reject.code == ORDER_ALREADY_USED
    assert verdict.message_hash == words[0][1]
    assert (verdict.sequence, state_hash(exchange.state)) == (last + 1, before)
    await exchange.submit(c.CutBatch)
    root = exchange.status().state_root
    await exchange.stop()
    again = Exchange.open(tmp_path, OPERATOR_KEY, fsync=False)
    assert again.status().state_root == root != bytes(32)
    assert again.read_model.batches.keys() == {1}
    again.journal.close()


def test_a_second_process_on_the_same_journal_is_refused_and_names_the_first(
    tmp_path: Path,
) -> None:
    with begin(tmp_path) as process:
        told(process, 1)
        with begin(tmp_path) as second:
            _, said = second.communicate(timeout=PATIENCE_S)
            assert second.returncode != 0
            assert f"held by process {process.pid}" in said
        told(process, 5)  # the first did not notice
        process.kill()


# TAILS


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[bytes]]:
    """A journal with batches, a withdrawal, keys and combos: its bytes, and the state's hash after
    each entry.
    """
    directory = tmp_path_factory.mktemp("life")
    published = Published()
    with Journal.open(directory, fsync=False) as journal:
        for payload in published.payloads:
            journal.append(payload)
        journal.commit()
    state, hashes = State(), [state_hash(State())]
    for command in published.commands():
        apply(state, command)
        hashes.append(state_hash(state))
    return (directory / "segment-00000001.journal").read_bytes(), hashes


def test_a_journal_cut_at_any_byte_of_its_tail_opens_with_what_was_whole(
    life: tuple[bytes, list[bytes]], tmp_path: Path
) -> None:
    data, hashes = life
    segment = tmp_path / "segment-00000001.journal"
    seen: dict[int, None] = {}
    for length in range(len(data) - 700, len(data) + 1):
        segment.write_bytes(data[:length])
        exchange = Exchange.open(tmp_path, OPERATOR_KEY, fsync=False)
        whole = exchange.state.sequence
        assert state_hash(exchange.state) == hashes[whole]
        seen[whole] = None
        exchange.journal.close()
    assert max(seen) == len(hashes) - 1
    assert len(seen) >= 3
    assert check(replayed(tmp_path)) == []


def test_a_cut_that_takes_a_confirmation_has_its_batch_wait_again(
    life: tuple[bytes, list[bytes]], tmp_path: Path
) -> None:
    """So it is posted again, which posts nothing twice."""
    data, _ = life
    segment = tmp_path / "segment-00000001.journal"
    segment.write_bytes(data)
    commands = [decode_command(entry.payload) for entry in read_journal(tmp_path)]
    confirmations = [at for at, one in enumerate(commands) if isinstance(one, c.ConfirmBatch)]
    offset = 0
    for entry in list(read_journal(tmp_path))[: confirmations[-1]]:
        offset += 48 + len(entry.payload)
    segment.write_bytes(data[: offset + 20])
    exchange = Exchange.open(tmp_path, OPERATOR_KEY, fsync=False)
    assert exchange.journal.torn_tail is not None
    assert (exchange.state.batches_cut, exchange.state.batches_confirmed) == (3, 2)
    assert exchange.read_model.batches.keys() == {3}
    exchange.journal.close()


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_flipped_byte_inside_is_refused_and_nothing_is_changed(
    life: tuple[bytes, list[bytes]], tmp_path: Path, place: float
) -> None:
    changed = bytearray(life[0])
    changed[int(place * len(changed))] ^= 1
    segment = tmp_path / "segment-00000001.journal"
    segment.write_bytes(changed)
    with pytest.raises(JournalDamaged, match="restore"):
        Exchange.open(tmp_path, OPERATOR_KEY, fsync=False)
    assert segment.read_bytes() == bytes(changed)


def test_a_journal_that_is_not_ours_is_refused_and_given_free(tmp_path: Path) -> None:
    with Journal.open(tmp_path, fsync=False) as journal:
        journal.append(b"\x07 not a command")
        journal.commit()
    for _ in range(2):  # it holds no lock after the first refusal
        with pytest.raises(JournalUnreadable, match="entry 1"):
            Exchange.open(tmp_path, OPERATOR_KEY, fsync=False)
