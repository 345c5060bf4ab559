"""Recovery: whatever of the journal reached the disk, the exchange goes on from there as if it had
never stopped.
"""

import tempfile
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.codec import decode_command, encode_event
from exchange.engine import apply
from exchange.invariants import check
from exchange.journal import Journal
from exchange.state import State
from exchange.state_digest import state_hash
from matching.rejects import Reject
from tests.floor import Floor
from tests.model.journal import frame_offsets, journal_bytes
from tests.property.trading import CASH, COMBOS, SINGLES, SMILES, Terms, WholeExchange


def busy_day(random: Random, steps: int) -> Floor:
    """A floor on which all sorts of things happened."""
    day = WholeExchange()
    day.floor = Floor(watched=False)
    day.new_floor = lambda: day.floor
    day.open()
    for _ in range(steps):
        account, side = random.randrange(len(CASH)), random.randrange(2)
        legs = random.choice((*SINGLES, *COMBOS))
        replaces = random.choice((None, None, random.randrange(9)))
        terms = Terms(random.choice((0, 0, 1, 2)), False, replaces=replaces)
        choice = random.randrange(12)
        if choice < 3:
            day.place_both(account, legs, random.randrange(1, 30), random.randrange(1, 40), terms)
        elif choice < 6:
            price = day.net_price(legs, 100 - 200 * side)
            day.place(account, side, price, random.randrange(1, 9), legs, terms)
        elif choice == 6:
            day.floor.cancel(account, day.named(random.randrange(9)))
        elif choice == 7:
            day.floor.withdraw(account, random.randrange(1, 10**9))
        elif choice == 8:
            index = random.randrange(600_000_000, 1_500_000_000)
            day.floor.mark(0, index, smile=random.choice(SMILES))
        elif choice == 9:
            day.floor.fund(random.choice((0, 7)), random.randrange(-(10**6), 10**6))
        elif choice == 10:
            day.floor.advance(random.choice((1, 60, 4_000)))
        else:
            day.floor.cut()
    return day.floor


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.data())
def test_an_exchange_that_stopped_at_any_byte_goes_on_as_if_it_had_not(
    seed: int, draw: st.DataObject
) -> None:
    floor = busy_day(Random(seed), 60)
    data = journal_bytes(floor.journal)
    ends = frame_offsets(floor.journal)
    cut = draw.draw(st.one_of(st.integers(0, len(data)), st.sampled_from(ends)))
    state = State()
    events: list[bytes] = []
    with tempfile.TemporaryDirectory() as home:
        Path(home, "segment-00000001.journal").write_bytes(data[:cut])
        with Journal.open(home, fsync=False) as journal:
            survived = [entry.payload for entry in journal.read()]
    assert len(survived) == max(at for at, end in enumerate(ends) if end <= cut)
    for payload in (*survived, *floor.journal[len(survived) :]):
        command = decode_command(payload)
        assert not isinstance(command, Reject)
        events += [encode_event(event) for event in apply(state, command)]
    assert events == floor.events
    assert state_hash(state) == state_hash(floor.state)
    assert check(state) == []


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_reading_an_accounts_margin_changes_nothing_that_follows(seed: int) -> None:
    """What is computed for a view is kept for later; a replica that nobody asks must agree."""
    floor = busy_day(Random(seed), 60)
    state = State()
    for at, payload in enumerate(floor.journal):
        command = decode_command(payload)
        assert not isinstance(command, Reject)
        apply(state, command)
        if at % 3 == seed % 3:
            for account in state.accounts.values():
                state.portfolio.requirement(account)
                state.portfolio.excess_micro(account)
    assert state_hash(state) == state_hash(floor.state)
    assert check(state) == check(floor.state) == []
