"""Portfolio margin against its slow twin, and the laws that any portfolio margin must keep."""

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from margin.charges import CONCENTRATION, PERPETUAL_PREMIUM
from margin.parameters import DELTA_NOTIONAL, PERPETUAL_E6
from margin.requirement import Requirement
from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT
from margin.sweep_numpy import position_values
from matching.orders import BUY, SELL
from tests.floor import BTC_INDEX, ETH_INDEX, ETH_PERP, FUT, LISTINGS, PERP, Floor, open_floor
from tests.model.charges import charge_micro, lot_charge_micro
from tests.model.portfolio import (
    Held,
    Open,
    PlainMarks,
    equity_micro,
    excess_by_subsets,
    excess_micro,
    maintenance_micro,
)

TRADER, COUNTERPARTY = 0, 1
RICH = 10**15
VALUE_END = 1 << 34
LOTS_END = 1 << 24

BTC_COMBOS = (((2, 1), (3, -1)), ((0, 1), (1, -1)), ((1, 1), (2, 2), (5, -3)))


class Trade(NamedTuple):
    instrument: int
    side: int
    percent: int
    lots: int


class Resting(NamedTuple):
    legs: tuple[tuple[int, int], ...]
    side: int
    percent: int
    lots: int


class Book(NamedTuple):
    """What one trader did, then how the marks moved."""

    trades: list[Trade]
    resting: list[Resting]
    moved_percent: int
    funding_micro: int


instruments = st.integers(0, len(LISTINGS) - 1)
btc_instruments = st.integers(0, 6)
sides = st.integers(BUY, SELL)
percents = st.integers(60, 160)


def trades(of: st.SearchStrategy[int]) -> st.SearchStrategy[list[Trade]]:
    return st.lists(st.builds(Trade, of, sides, percents, st.integers(1, 5_000)), max_size=6)


def resting(of: st.SearchStrategy[int], max_size: int = 5) -> st.SearchStrategy[list[Resting]]:
    legs = st.one_of(of.map(lambda number: ((number, 1),)), st.sampled_from(BTC_COMBOS))
    return st.lists(
        st.builds(Resting, legs, sides, percents, st.integers(1, 900)), max_size=max_size
    )


def books(of: st.SearchStrategy[int], max_resting: int = 5) -> st.SearchStrategy[Book]:
    return st.builds(
        Book, trades(of), resting(of, max_resting), percents, st.integers(-(10**7), 10**7)
    )


def open_book(book: Book, cash_micro: int = RICH) -> Floor:
    """A floor on which TRADER holds and has open what the book says."""
    floor = open_floor(0, watched=False)
    floor.open_account(cash_micro)
    floor.open_account(RICH)
    for trade in book.trades:
        price = floor.near(trade.instrument, trade.percent)
        floor.submit(floor.sign(COUNTERPARTY, 1 - trade.side, price, trade.lots, trade.instrument))
        floor.submit(floor.sign(TRADER, trade.side, price, trade.lots, trade.instrument))
        floor.cancel_all(COUNTERPARTY)
        floor.cancel_all(TRADER)
    for order in book.resting:
        floor.submit(floor.sign(TRADER, order.side, price_of(floor, order), order.lots, order.legs))
    floor.fund(PERP, -book.funding_micro // 3)
    floor.mark(0, BTC_INDEX * book.moved_percent // 100)
    floor.mark(1, ETH_INDEX * (200 - book.moved_percent) // 100)
    floor.fund(PERP, book.funding_micro)
    return floor


def price_of(floor: Floor, order: Resting) -> int:
    """On every tick; a bid far below the marks and an offer far above, so that all rest."""
    net = sum(ratio * floor.near(number) for number, ratio in order.legs)
    away = sum(abs(ratio) * floor.near(number) for number, ratio in order.legs)
    away = away * order.percent // 100 * (1 if order.side == SELL else -1)
    price = (net + away) // 30_000 * 30_000
    return price if len(order.legs) > 1 else max(price, 30_000)


class Plain(NamedTuple):
    """The trader's account as the twin takes it."""

    marks: PlainMarks
    cash_micro: int
    held: dict[int, Held]
    orders: list[Open]

    def charge_micro(self) -> int:
        """What the positions are charged."""
        held = {number: position.lots for number, position in self.held.items()}
        return charge_micro(self.marks, held)

    @classmethod
    def of(cls, floor: Floor) -> "Plain":
        marks = PlainMarks()
        for command in floor.accepted:
            marks.take(command)
        account = floor.account(TRADER)
        held = {
            number: Held(position.quantity_lots, position.accrual_seen_micro)
            for number, position in account.positions.items()
        }
        orders = [
            Open(
                floor.state.combos[order.book].legs
                if order.book in floor.state.combos
                else ((order.book, 1),),
                order.sign,
                order.price_micro,
                order.remaining_lots,
                most_fee(marks, floor, order.book, order.price_micro),
                lot_charge_micro(
                    marks,
                    floor.state.combos[order.book].legs
                    if order.book in floor.state.combos
                    else ((order.book, 1),),
                    order.sign,
                ),
            )
            for order in account.orders.values()
        ]
        return cls(marks, account.cash_micro, held, orders)


def most_fee(marks: PlainMarks, floor: Floor, book: int, price_micro: int) -> int:
    """A maker pays 0.03% of the index a lot, for an option at most 12.5% of the premium."""
    combo = floor.state.combos.get(book)
    first = book if combo is None else combo.legs[0][0]
    index = marks.index_micro[marks.instruments[first].underlying]
    of_index = -(-index * 300 // 10**6)
    if combo is not None:
        return of_index * sum(abs(ratio) for _, ratio in combo.legs)
    if marks.instruments[book].is_linear:
        return of_index
    return min(of_index, -(-price_micro * 1_250 // 10**4))


def requirement(floor: Floor) -> Requirement:
    return floor.state.portfolio.requirement(floor.account(TRADER))


# THE TWIN


@given(books(instruments))
def test_the_requirement_is_the_twins(book: Book) -> None:
    floor = open_book(book)
    plain, kept = Plain.of(floor), requirement(floor)
    marks, cash, held, orders = plain
    assert kept.excess_micro == excess_micro(marks, cash, held, orders, plain.charge_micro())
    assert kept.equity_micro == equity_micro(marks, cash, held)
    assert kept.maintenance_micro == maintenance_micro(marks, held)
    assert kept.initial_micro == kept.equity_micro - kept.excess_micro
    assert floor.state.portfolio.excess_micro(floor.account(TRADER)) == kept.excess_micro


@given(books(instruments))
def test_a_lot_of_anything_is_worth_what_the_twin_says(book: Book) -> None:
    floor = open_book(book)
    if book.moved_percent % 2:
        floor.advance(80 * 86_400)
        floor.mark(0, BTC_INDEX)
        floor.settle(0, BTC_INDEX * book.moved_percent // 100)
    marks = Plain.of(floor).marks
    for number in range(len(LISTINGS)):
        assert floor.state.marks.values[number].tolist() == marks.values(number)
        assert floor.state.marks.offset_micro[number] == marks.offset_micro(number)
        listed = floor.state.instruments[number]
        assert floor.state.marks.mark_micro(listed) == marks.mark_micro(number)


@given(books(btc_instruments, 4))
def test_open_orders_count_as_if_the_worst_of_all_subsets_filled(book: Book) -> None:
    """By the scan exactly: with an order's charge as a part of its price, and the positions'
    beside, nothing else is in the excess.
    """
    floor = open_book(book)
    plain = Plain.of(floor)
    by_scan = excess_by_subsets(*plain)
    assert requirement(floor).excess_micro == by_scan - plain.charge_micro()


# LAWS


@given(books(instruments), st.integers(1, 10**14))
def test_cash_counts_as_itself(book: Book, more: int) -> None:
    floor = open_book(book)
    before = requirement(floor)
    floor.deposit(TRADER, more)
    after = requirement(floor)
    assert after.excess_micro == before.excess_micro + more
    assert after.initial_micro == before.initial_micro
    assert after.maintenance_micro == before.maintenance_micro


@given(trades(instruments))
def test_closing_half_of_everything_never_raises_the_requirement(done: list[Trade]) -> None:
    """At the mark, so that closing changes what is held and not what was paid."""
    whole = open_book(Book([trade._replace(lots=2 * trade.lots) for trade in done], [], 100, 0))
    half = open_book(Book(done, [], 100, 0))
    assert requirement(half).initial_micro <= requirement(whole).initial_micro
    assert requirement(half).maintenance_micro <= requirement(whole).maintenance_micro


@given(trades(instruments), trades(instruments))
def test_two_portfolios_together_need_no_more_than_apart(
    one: list[Trade], other: list[Trade]
) -> None:
    """But for what their size costs together."""
    both = open_book(Book(one + other, [], 100, 0))
    apart = [requirement(open_book(Book(done, [], 100, 0))) for done in (one, other)]
    charged = both.state.portfolio.breakdown(both.account(TRADER)).charges_micro
    needed = requirement(both).initial_micro - charged[CONCENTRATION]
    assert needed <= sum(needed.initial_micro for needed in apart)


@given(books(instruments))
def test_a_resting_order_never_lowers_the_requirement_and_cancelling_restores_it(
    book: Book,
) -> None:
    bare = open_book(book._replace(resting=[]))
    floor = open_book(book)
    assert requirement(floor).excess_micro <= requirement(bare).excess_micro
    floor.cancel_all(TRADER)
    assert requirement(floor) == requirement(bare)


@given(books(btc_instruments), st.integers(1, 900))
def test_what_a_resting_order_may_lose_is_enough_when_it_fills(book: Book, lots: int) -> None:
    """So a maker with enough margin is never short of it when it is met."""
    floor = open_book(book)
    for order in list(floor.account(TRADER).orders.values()):
        if order.book in floor.state.combos or floor.state.orders.get(order.hash) is None:
            continue
        before = requirement(floor).excess_micro
        floor.submit(floor.sign(COUNTERPARTY, 1 - order.side, order.price_micro, lots, order.book))
        floor.cancel_all(COUNTERPARTY)
        assert requirement(floor).excess_micro >= before


@given(trades(st.sampled_from((PERP, FUT, ETH_PERP))))
def test_a_linear_portfolio_loses_by_its_net_lots(done: list[Trade]) -> None:
    """18% of its net notional on each underlying, and of what both together lose less, half is
    given; 1% of a perpetual's notional is charged.
    """
    floor = open_book(Book(done, [], 100, 0))
    account = floor.account(TRADER)
    marks = floor.state.marks
    lots = sum(abs(position.quantity_lots) for position in account.positions.values())
    nets: list[int] = []
    for underlying in (0, 1):
        deltas = [
            position.quantity_lots * marks.carry_micro[number]
            for number, position in account.positions.items()
            if floor.state.instruments[number].underlying.number == underlying
        ]
        nets.append(sum(deltas))
    separate, joint = sum(map(abs, nets)) * 18, abs(sum(nets)) * 18
    found = floor.state.portfolio.breakdown(account)
    slack = lots + 2 * len(account.positions)
    assert abs(found.position_separate_micro - separate // 100) <= slack
    assert abs(found.position_joint_micro - joint // 100) <= slack
    assert abs(found.netted_micro - (separate + joint) // 200) <= slack
    premium = sum(
        abs(account.lots_of(number)) * marks.carry_micro[number] for number in (PERP, ETH_PERP)
    )
    charged = found.charges_micro[PERPETUAL_PREMIUM]
    assert abs(charged - premium // 100) <= slack * PERPETUAL_E6 * DELTA_NOTIONAL // 10**6 + 2


# THE SWEEP

values = st.integers(-VALUE_END + 1, VALUE_END - 1)
vectors = st.lists(values, min_size=SCENARIO_COUNT, max_size=SCENARIO_COUNT)
quantities = st.integers(-LOTS_END + 1, LOTS_END - 1)


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 3), quantities), max_size=3), max_size=4),
    st.lists(vectors, min_size=4, max_size=4),
)
def test_a_sweep_values_each_portfolio_as_by_hand(
    portfolios: list[list[tuple[int, int]]], rows: list[list[int]]
) -> None:
    starts, numbers, lots = [0], [], []
    for portfolio in portfolios:
        numbers += [number for number, _ in portfolio]
        lots += [quantity for _, quantity in portfolio]
        starts.append(len(numbers))
    got = position_values(starts, numbers, lots, np.array(rows, dtype=np.int64))
    assert got.tolist() == [
        [
            sum(quantity * rows[number][s] for number, quantity in portfolio)
            for s in range(SCENARIO_COUNT)
        ]
        for portfolio in portfolios
    ]


def test_the_base_scenario_is_the_one_in_which_nothing_moves() -> None:
    floor = open_floor(1)
    marks = floor.state.marks
    for listed in floor.state.instruments:
        base = int(marks.values[listed.number, BASE_SCENARIO])
        assert base + marks.offset_micro[listed.number] == marks.mark_micro(listed)
