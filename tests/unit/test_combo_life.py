"""Limits of combos: how many there are, and how many one account is in."""

from exchange.events import ComboCreated, ComboDropped
from exchange.invariants import check
from matching.combo_life import MAX_COMBOS, ComboLife
from matching.combos import COMBO_BASE, Combo
from matching.instruments import PERPETUAL, Instrument, Underlying
from matching.orders import BUY, IOC, SELL, Order
from tests.floor import CALL_90, CALL_100, PUT_90, of_type, open_floor, placed_hash

SPREAD = ((CALL_90, 1), (CALL_100, -1))
BTC = Underlying(0, "BTC", 1_000_000)
PERPETUALS = [Instrument(number, PERPETUAL, BTC, None, 0, 10) for number in range(4)]


def test_at_the_bound_a_new_combo_takes_the_place_of_the_longest_idle() -> None:
    floor = open_floor()
    life = floor.state.combo_life
    floor.buy(0, 0, 1, SPREAD, time_in_force=IOC)
    floor.advance(1)
    floor.buy(0, 0, 1, ((CALL_90, 1), (PUT_90, -1)), time_in_force=IOC)
    for number in range(MAX_COMBOS - 2):  # as if others had named them in the same second
        ratios = (1 + number % 127, -1 - number // 127 % 127, 2 + number // 16_129)
        made = life.make(tuple(zip((CALL_90, CALL_100, PUT_90), ratios, strict=True)))
        life.used(made.book, floor.time_s)
    floor.watched = False
    events = floor.buy(0, 10_000, 1, ((CALL_90, 1), (CALL_100, 1)))
    assert of_type(events, ComboCreated)[0].book == COMBO_BASE + MAX_COMBOS
    assert of_type(events, ComboDropped) == [ComboDropped(COMBO_BASE)]
    assert len(floor.state.combos) == MAX_COMBOS
    assert not check(floor.state)


def test_a_replacement_in_another_combo_needs_no_place_of_its_own() -> None:
    floor = open_floor(watched=False)
    for at in range(256):
        legs = ((CALL_90, 127), (CALL_100, 1 + at // 126), (PUT_90, 1 + at % 126))
        assert of_type(floor.buy(0, 10_000_000, 1, legs), ComboCreated)
    assert len(floor.state.combo_life.orders_of(0)) == 256
    kept = next(iter(floor.state.orders))
    floor.watched = True
    refused = floor.buy(0, 10_000_000, 1, ((CALL_90, 5), (PUT_90, 3)))
    assert not of_type(refused, ComboCreated)
    moved = floor.buy(0, 10_000_000, 1, ((CALL_90, 5), (PUT_90, 3)), replaces=kept)
    assert of_type(moved, ComboCreated)
    assert len(floor.state.combo_life.orders_of(0)) == 256
    assert placed_hash(moved) in floor.state.orders


def order(number: int, combo: Combo, side: int, account: int = 0) -> Order:
    return Order(number, bytes(32), account, combo.book, side, 1, 10, 1, 0, 0)


def test_active_combos_of_two_legs_stand_by_number_and_the_side_of_the_leg() -> None:
    combos, by_legs, books = {}, {}, {}
    life = ComboLife(combos, by_legs, books, PERPETUALS)
    made = [life.make(legs) for legs in (((0, 1), (1, -1)), ((0, 2), (2, 1)), ((1, 1), (2, -1)))]
    three = life.make(((0, 1), (1, 1), (2, 1)))
    orders = [
        order(1, made[1], SELL),
        order(2, made[0], SELL),
        order(3, made[0], SELL),
        order(4, made[2], BUY),
        order(5, three, BUY),
    ]
    for each in orders:
        books[each.book].add(each)
        life.added(each)
    first, second, third = (combo.book for combo in made)
    assert life.active(0, SELL) == [first, second]
    assert life.active(0, BUY) == []
    # A seller of the first spread buys its second leg; a buyer of the third sells its second.
    assert life.active(1, BUY) == [first, third]
    assert life.active(1, SELL) == []
    assert life.active(2, SELL) == [second, third]
    assert life.orders_of(0) == {second: 1, first: 2, third: 1, three.book: 1}
    for each in orders[1:3]:
        books[each.book].remove(each)
        life.removed(each, 7)
    assert life.active(0, SELL) == [second]
    assert life.active(1, BUY) == [third]
    assert life.idle == {first: 7}
