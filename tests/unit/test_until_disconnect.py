"""Orders that go with the connection on which they came: what the engine does when it ends."""

from exchange.commands import EndSession
from exchange.events import CANCELLED_DISCONNECTED, Event, OrderCancelled, OrderTriggered
from exchange.state_digest import state_hash
from matching.orders import GTC, INDEX_AT_LEAST, IOC, UNTIL_DISCONNECT
from matching.rejects import SESSION_NEEDED, Reject
from settlement.signed_messages import PLAIN, Conditions
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    Floor,
    fills,
    of_type,
    open_floor,
    placed_hash,
    refusal,
)

VERTICAL = ((CALL_90, 1), (CALL_100, -1))


def until(
    floor: Floor,
    account: int,
    session: int,
    *,
    price_micro: int = 20_000_000,
    legs: int | tuple[tuple[int, int], ...] = CALL_90,
    side: int = 0,
    time_in_force: int = GTC,
    conditions: Conditions = PLAIN,
    replaces: bytes = bytes(32),
) -> tuple[Event, ...]:
    order = floor.sign(
        account,
        side,
        price_micro,
        2,
        legs,
        time_in_force=time_in_force,
        flags=UNTIL_DISCONNECT,
        conditions=conditions,
        replaces=replaces,
    )
    return floor.submit(order, session=session)


def end(floor: Floor, session: int) -> tuple[Event, ...]:
    return floor.send(EndSession(floor.time_ns, session))


def gone(events: tuple[Event, ...]) -> list[tuple[bytes, int]]:
    return [(event.order_hash, event.reason) for event in of_type(events, OrderCancelled)]


def test_an_order_goes_when_its_connection_ends_and_no_other_does() -> None:
    floor = open_floor()
    mine = placed_hash(until(floor, 0, 7))
    floor.buy(0, 20_000_000, 2, CALL_90)
    until(floor, 0, 8)
    assert gone(end(floor, 7)) == [(mine, CANCELLED_DISCONNECTED)]
    assert len(floor.state.orders) == 2
    assert end(floor, 7) == ()
    assert end(floor, 9) == ()


def test_a_connection_takes_all_its_accounts_and_books_along_oldest_first() -> None:
    floor = open_floor()
    stop = Conditions(trigger=INDEX_AT_LEAST, trigger_price_micro=2 * BTC_INDEX)
    hashes = [
        placed_hash(until(floor, 0, 7)),
        placed_hash(until(floor, 1, 7, conditions=stop)),
        placed_hash(until(floor, 1, 7, legs=CALL_100)),
        placed_hash(until(floor, 0, 7, legs=VERTICAL)),
    ]
    assert [order_hash for order_hash, _ in gone(end(floor, 7))] == hashes
    assert not floor.state.orders
    assert not floor.state.waiting.by_hash


def test_what_is_left_of_a_part_fill_goes_and_what_traded_stands() -> None:
    floor = open_floor()
    until(floor, 0, 7)
    assert fills(floor.sell(1, 20_000_000, 1, CALL_90))
    (cancelled,) = of_type(end(floor, 7), OrderCancelled)
    assert cancelled.remaining_lots == 1
    assert floor.state.accounts[0].positions


def test_what_is_filled_replaced_or_immediate_is_under_no_connection_any_more() -> None:
    floor = open_floor()
    until(floor, 0, 7)
    floor.sell(1, 20_000_000, 2, CALL_90)
    until(floor, 0, 7, time_in_force=IOC)
    first = placed_hash(until(floor, 0, 7))
    until(floor, 0, 8, replaces=first)
    assert list(floor.state.waiting.sessions) == [8]
    assert end(floor, 7) == ()
    assert len(gone(end(floor, 8))) == 1


def test_a_stop_that_woke_still_goes_with_its_connection() -> None:
    floor = open_floor()
    stop = Conditions(trigger=INDEX_AT_LEAST, trigger_price_micro=BTC_INDEX + 1)
    placed = placed_hash(until(floor, 0, 7, conditions=stop))
    assert of_type(floor.mark(0, BTC_INDEX + 1), OrderTriggered)
    assert placed in floor.state.orders
    assert gone(end(floor, 7)) == [(placed, CANCELLED_DISCONNECTED)]


def test_a_child_ends_with_the_parent_that_a_connection_took_along() -> None:
    floor = open_floor()
    parent = placed_hash(until(floor, 0, 7))
    floor.sell(0, 30_000_000, 2, CALL_90, conditions=Conditions(parent=parent))
    assert len(gone(end(floor, 7))) == 2
    assert not floor.state.waiting.by_hash


def test_without_a_connection_that_stays_it_is_refused() -> None:
    floor = open_floor()
    before = state_hash(floor.state)
    assert refusal(until(floor, 0, 0)) == Reject(SESSION_NEEDED, UNTIL_DISCONNECT)
    assert state_hash(floor.state) == before


def test_without_the_flag_a_connection_means_nothing() -> None:
    floor = open_floor()
    floor.submit(floor.sign(0, 0, 20_000_000, 2, CALL_90), session=7)
    assert end(floor, 7) == ()
    assert len(floor.state.orders) == 1
    assert floor.state.waiting.last_session == 0
