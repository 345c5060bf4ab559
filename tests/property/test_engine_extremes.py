"""Orders at the edge of every field, among accounts that can afford anything.

A refused order is nothing; an order that raises stops the exchange for everybody.
"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exchange.events import OrderPlaced
from exchange.handlers.accounts import MAX_AMOUNT_MICRO
from matching.combos import canonical_legs, combo_tick_micro
from matching.instruments import CALL, FUTURE, MAX_LOTS, PUT
from settlement.signed_messages import NO_ORDER
from tests.floor import BTC_INDEX, LISTINGS, Floor, Listing, of_type, open_floor

ACCOUNTS = 4
U32, U64, I64 = (1 << 32) - 1, (1 << 64) - 1, (1 << 63) - 1
SMALLEST_TICK, LARGEST_TICK = 8, (1 << 31) - 1
EXTREME_LISTINGS = (
    Listing(FUTURE, 0, 1, 0, SMALLEST_TICK),
    Listing(CALL, 0, 1, 4_000_000, SMALLEST_TICK),
    Listing(PUT, 0, 1, (1 << 34) - 1, LARGEST_TICK),
)
BTC = (*range(7), *range(len(LISTINGS), len(LISTINGS) + len(EXTREME_LISTINGS)))
Legs = tuple[tuple[int, int], ...]

sides = st.integers(0, 1)
lots = st.one_of(st.integers(1, 20), st.sampled_from((1 << 22, 1 << 23, MAX_LOTS - 1, MAX_LOTS)))
prices = st.one_of(
    st.integers(0, 2_000_000_000),
    st.sampled_from((0, 1, LARGEST_TICK, (1 << 34) - 8, (1 << 34) - 1, 1 << 35, (1 << 38) - 1)),
)
legs = st.one_of(
    st.sampled_from(BTC).map(lambda number: ((number, 1),)),
    st.dictionaries(
        st.sampled_from(BTC), st.sampled_from((1, -1, 2, -3, 127, -127)), min_size=2, max_size=8
    ).map(lambda found: canonical_legs(tuple(found.items()))[0]),
)
spoilt = st.one_of(
    st.none(),
    st.none(),
    st.none(),
    st.sampled_from(
        (
            ("account", ACCOUNTS),
            ("account", U32),
            ("counter", U32),
            ("side", 255),
            ("time_in_force", 255),
            ("flags", 0xFFFF),
            ("limit_price_micro", I64),
            ("limit_price_micro", -I64 - 1),
            ("quantity_lots", 0),
            ("quantity_lots", U32),
            ("max_fee_micro", 0),
            ("expiry_s", 0),
            ("expiry_s", U64),
            ("replaces", b"\xff" * 32),
            ("legs", ()),
            ("legs", ((U32, 1),)),
            ("legs", ((0, -(1 << 15)), (1, (1 << 15) - 1))),
            ("legs", tuple((number, 1) for number in range(255))),
        )
    ),
)


def floor_of_the_rich() -> Floor:
    floor = open_floor(0, watched=False)
    for listing in EXTREME_LISTINGS:
        floor.list_instrument(listing)
    while len(floor.state.accounts) < ACCOUNTS:
        floor.open_account(MAX_AMOUNT_MICRO)
    floor.mark(0, BTC_INDEX)
    floor.watched = True
    return floor


def on_tick(floor: Floor, price: int, legs: Legs) -> int:
    listed = floor.state.instruments
    tick = combo_tick_micro([listed[number] for number, _ in legs], [ratio for _, ratio in legs])
    return price // tick * tick


@given(st.data())
def test_no_order_whatever_its_fields_stops_the_engine(data: st.DataObject) -> None:
    """Each order is followed by others' at the same price from the other side, so that all that can
    trade does.
    """
    floor = floor_of_the_rich()
    known: list[bytes] = [NO_ORDER]
    for _ in range(data.draw(st.integers(1, 8))):
        strategy: Legs = data.draw(legs)
        price = on_tick(floor, data.draw(prices) * data.draw(st.sampled_from((1, 1, -1))), strategy)
        side = data.draw(sides)
        for turn in range(data.draw(st.integers(1, 3))):
            order = floor.sign(
                data.draw(st.integers(0, ACCOUNTS - 1)),
                side if turn == 0 else 1 - side,
                price,
                data.draw(lots),
                strategy,
                time_in_force=data.draw(st.sampled_from((0, 0, 0, 1, 2))),
                flags=data.draw(st.sampled_from((0, 0, 0, 1))),
                max_fee_micro=U64,
                replaces=data.draw(st.sampled_from((NO_ORDER, NO_ORDER, *known[-3:]))),
            )
            change: tuple[str, Any] | None = data.draw(spoilt)
            if change is not None:
                setattr(order, *change)
            known += [event.order_hash for event in of_type(floor.submit(order), OrderPlaced)]
    index = data.draw(st.sampled_from((1, BTC_INDEX, 2_800_000_000)))
    floor.mark(0, index, expiries=data.draw(st.sampled_from((None, ()))))
    for account in range(ACCOUNTS):
        floor.withdraw(account, data.draw(st.sampled_from((0, 1, MAX_AMOUNT_MICRO, U64))))
    floor.cut()
