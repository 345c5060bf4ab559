"""What open orders could lose: never less than what any fills of them can do, in any scenario of
any underlying, and as much where the rule is exact.
"""

from functools import partial
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margin.accounts import PORTFOLIO_MODEL, STANDARD_MODEL, Account, Position
from margin.portfolio import Portfolio
from margin.what_if import Change, after_trades, with_order
from matching.combos import COMBO_BASE, Combo, canonical_legs
from matching.gate import FITS
from matching.orders import REDUCE_ONLY, Order
from tests.floor import ETH_PERP, LISTINGS, Floor, open_floor
from tests.model.charges import charge_micro, lot_charge_micro
from tests.model.portfolio import Held, Open, PlainMarks, excess_by_fills
from tests.property.test_portfolio_property import btc_instruments, most_fee

TRADER = 7

Legs = tuple[tuple[int, int], ...]
CROSSING: tuple[Legs, ...] = (
    ((0, 1), (ETH_PERP, -1)),
    ((1, 2), (ETH_PERP, 3)),
    ((0, 1), (2, -1), (ETH_PERP, -2)),
)
ON_ONE: tuple[Legs, ...] = (((2, 1), (3, -1)), ((0, 1), (1, -1)))


class Asked(NamedTuple):
    legs: Legs
    sign: int
    percent: int
    lots: int
    group: int


singles = st.integers(0, len(LISTINGS) - 1).map(lambda number: ((number, 1),))
signs = st.sampled_from((1, -1))


def asked(
    legs: st.SearchStrategy[Legs], groups: st.SearchStrategy[int]
) -> st.SearchStrategy[Asked]:
    return st.builds(Asked, legs, signs, st.integers(50, 150), st.integers(1, 3), groups)


held = st.dictionaries(st.integers(0, len(LISTINGS) - 1), st.integers(-5, 5), max_size=4)
limits = st.fixed_dictionaries({1: st.integers(0, 6), 2: st.integers(0, 6)})


class Desk:
    """One account over a floor's marks, beside what the twin knows of it."""

    def __init__(self, positions: dict[int, int], cash_micro: int = 0) -> None:
        self.floor: Floor = open_floor(0, watched=False)
        state = self.floor.state
        self.marks = state.marks
        self.combos: dict[int, Combo] = state.combos
        self.account = Account(TRADER, bytes(20))
        self.account.cash_micro = cash_micro
        for number, lots in positions.items():
            if lots:
                seen = self.marks.accrual_micro[number]
                self.account.positions[number] = Position(lots, seen)
                self.account.gross_lots += abs(lots)
                self.account.basis_micro += lots * seen
        self.portfolio = Portfolio(
            {TRADER: self.account}, self.marks, self.combos, state.instruments
        )
        self.portfolio.schedule = state.portfolio.schedule
        for underlying in (0, 1):
            self.account.risk(underlying)
            self.portfolio.sweep(underlying)
        self.plain = PlainMarks()
        for command in self.floor.accepted:
            self.plain.take(command)
        self.orders: list[Open] = []
        self.groups: list[int] = []

    def order(self, wanted: Asked, flags: int = 0) -> Order:
        instruments = self.floor.state.instruments
        book = wanted.legs[0][0]
        fair = sum(
            ratio * self.marks.mark_micro(instruments[number]) for number, ratio in wanted.legs
        )
        price = fair * wanted.percent // 100
        if len(wanted.legs) > 1:
            assert canonical_legs(wanted.legs) == (wanted.legs, 1, 1)
            known = {combo.legs: number for number, combo in self.combos.items()}
            book = known.get(wanted.legs, COMBO_BASE + len(self.combos))
            if book not in self.combos:
                legs = [instruments[number] for number, _ in wanted.legs]
                self.combos[book] = Combo(book, legs, [ratio for _, ratio in wanted.legs])
        return Order(
            len(self.orders) + 1, bytes(32), TRADER, book, (1 - wanted.sign) // 2, 0, price,
            wanted.lots, 10**9, 0, flags, protection=wanted.group,
        )  # fmt: skip

    def rest(self, wanted: Asked) -> Order:
        order = self.order(wanted)
        self.portfolio.rest(self.account, order)
        fee = self.fee_of(wanted, order)
        charge = lot_charge_micro(self.plain, wanted.legs, wanted.sign)
        self.orders.append(
            Open(wanted.legs, wanted.sign, order.price_micro, wanted.lots, fee, charge)
        )
        self.groups.append(wanted.group)
        return order

    def fee_of(self, wanted: Asked, order: Order) -> int:
        if len({self.plain.instruments[number].underlying for number, _ in wanted.legs}) == 1:
            return most_fee(self.plain, self.floor, order.book, order.price_micro)
        return sum(
            abs(ratio)
            * -(-self.plain.index_micro[self.plain.instruments[number].underlying] * 300 // 10**6)
            for number, ratio in wanted.legs
        )

    def charged(self) -> int:
        held = {number: p.quantity_lots for number, p in self.account.positions.items()}
        return charge_micro(self.plain, held)

    def truth(self, limits: dict[int, int] | None = None, *, by_prices: bool = False) -> int:
        """The least excess after any fills; `by_prices` takes what an order is charged as a part of
        its price, else the positions after it are charged (their size left out).
        """
        held = {
            number: Held(position.quantity_lots, position.accrual_seen_micro)
            for number, position in self.account.positions.items()
        }
        charge = None if by_prices else partial(charge_micro, self.plain)
        return excess_by_fills(
            self.plain, self.account.cash_micro, held, self.orders, self.groups, limits, charge
        )

    def excess(self) -> int:
        return self.portfolio.excess_micro(self.account)


@settings(max_examples=40)
@given(
    st.dictionaries(btc_instruments, st.integers(-5, 5), max_size=4),
    st.lists(asked(btc_instruments.map(lambda number: ((number, 1),)), st.just(0)), max_size=3),
)
def test_single_orders_count_what_the_worst_fills_do(
    positions: dict[int, int], wanted: list[Asked]
) -> None:
    """Exactly by the scan, and never less with what the positions after it are charged."""
    desk = Desk(positions)
    for each in wanted:
        desk.rest(each)
    assert desk.excess() == desk.truth(by_prices=True) - desk.charged()
    assert desk.excess() <= desk.truth()


@settings(max_examples=30)
@given(held, st.lists(asked(singles, st.just(0)), max_size=3))
def test_single_orders_on_two_underlyings_never_count_less_than_their_fills_do(
    positions: dict[int, int], wanted: list[Asked]
) -> None:
    desk = Desk(positions)
    for each in wanted:
        desk.rest(each)
    assert desk.excess() <= desk.truth()


@settings(max_examples=80)
@given(
    held,
    st.lists(asked(st.one_of(singles, st.sampled_from(CROSSING + ON_ONE)), st.just(0)), max_size=3),
    st.integers(PORTFOLIO_MODEL, STANDARD_MODEL),
    st.integers(0, 2),
    st.data(),
)
def test_in_every_model_and_tier_whatever_fills_leaves_no_less(
    positions: dict[int, int], wanted: list[Asked], model: int, tier: int, data: st.DataObject
) -> None:
    """The law that lets a maker be met: beside an account that traded so much of it already."""
    desk = Desk(positions)
    desk.account.set_margin(model, tier)
    held_after, paid = dict(positions), 0
    for each in wanted:
        order = desk.rest(each)
        units = data.draw(st.integers(0, each.lots))
        paid += units * (each.sign * order.price_micro + desk.fee_of(each, order))
        for number, ratio in each.legs:
            signed = units * each.sign * ratio
            held_after[number] = held_after.get(number, 0) + signed
            paid -= signed * desk.marks.offset_micro[number]
    filled = Desk(held_after, -paid)
    filled.account.set_margin(model, tier)
    assert desk.excess() <= filled.excess()


@pytest.mark.parametrize("tier", [0, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_combo_whose_legs_lose_together_counts_in_every_tier_what_it_becomes(
    sign: int, tier: int
) -> None:
    """Futures of BTC with perpetuals of ETH: nothing nets, so order and positions ask the same, but
    for some micros of rounding.
    """
    both = ((1, 2), (ETH_PERP, 3))
    wanted = Asked(both, sign, 100, 3, 0)
    desk = Desk({})
    desk.account.set_margin(PORTFOLIO_MODEL, tier)
    order = desk.rest(wanted)
    paid = 3 * (sign * order.price_micro + desk.fee_of(wanted, order))
    for number, ratio in both:
        paid -= 3 * sign * ratio * desk.marks.offset_micro[number]
    filled = Desk({number: 3 * sign * ratio for number, ratio in both}, -paid)
    filled.account.set_margin(PORTFOLIO_MODEL, tier)
    assert filled.excess() - 80 <= desk.excess() <= filled.excess()


@settings(max_examples=40)
@given(held, st.integers(0, 2))
def test_the_standard_model_asks_no_less_and_a_higher_tier_no_less(
    positions: dict[int, int], tier: int
) -> None:
    desk = Desk(positions)
    asked: list[tuple[int, int]] = []
    for model in (PORTFOLIO_MODEL, STANDARD_MODEL):
        desk.account.set_margin(model, tier)
        required = desk.portfolio.requirement(desk.account)
        asked.append((required.initial_micro, required.maintenance_micro))
        assert desk.portfolio.breakdown(desk.account).initial_micro == required.initial_micro
        if tier:
            desk.account.set_margin(model, tier - 1)
            lower = desk.portfolio.requirement(desk.account)
            assert lower.initial_micro <= required.initial_micro
            assert lower.maintenance_micro == required.maintenance_micro
    assert asked[0][0] <= asked[1][0]
    assert asked[0][1] <= asked[1][1]


@settings(max_examples=60)
@given(
    held,
    st.lists(asked(st.one_of(singles, st.sampled_from(CROSSING + ON_ONE)), st.just(0)), max_size=3),
)
def test_a_combo_of_two_underlyings_never_counts_less_than_it_can_lose(
    positions: dict[int, int], wanted: list[Asked]
) -> None:
    desk = Desk(positions)
    for each in wanted:
        desk.rest(each)
    assert desk.excess() <= desk.truth()


@settings(max_examples=60)
@given(
    held,
    limits,
    st.lists(
        asked(st.one_of(singles, st.sampled_from(ON_ONE + CROSSING)), st.integers(0, 2)), max_size=3
    ),
)
def test_a_protected_group_never_counts_less_than_its_limit_can_lose(
    positions: dict[int, int], limits: dict[int, int], wanted: list[Asked]
) -> None:
    desk = Desk(positions)
    for group, lots in limits.items():
        desk.portfolio.limit_protection(desk.account, group, lots)
    for each in wanted:
        desk.rest(each)
    assert desk.excess() <= desk.truth(limits)


@settings(max_examples=40)
@given(
    held,
    limits,
    st.lists(asked(st.one_of(singles, st.sampled_from(CROSSING)), st.integers(0, 2)), max_size=4),
    st.integers(PORTFOLIO_MODEL, STANDARD_MODEL),
    st.integers(0, 2),
)
def test_what_if_counts_protected_groups_as_the_account_does(
    positions: dict[int, int], limits: dict[int, int], wanted: list[Asked], model: int, tier: int
) -> None:
    desk = Desk(positions)
    for group, lots in limits.items():
        desk.portfolio.limit_protection(desk.account, group, lots)
    desk.account.set_margin(model, tier)
    for each in wanted:
        desk.rest(each)
    nothing = after_trades(desk.portfolio, desk.account, [])
    assert isinstance(nothing, Change)
    assert nothing.after == nothing.before == desk.portfolio.requirement(desk.account)
    order = desk.order(Asked(((0, 1),), 1, 90, 2, 1))
    foretold = with_order(desk.portfolio, desk.account, order)
    assert isinstance(foretold, Change)
    desk.portfolio.rest(desk.account, order)
    assert foretold.after == desk.portfolio.requirement(desk.account)


@settings(max_examples=40)
@given(held, st.integers(0, 9), st.lists(asked(singles, st.just(1)), min_size=1, max_size=6))
def test_a_limit_never_asks_more_than_none_and_zero_asks_nothing(
    positions: dict[int, int], limit: int, wanted: list[Asked]
) -> None:
    desk, free, bare = Desk(positions), Desk(positions), Desk(positions)
    desk.portfolio.limit_protection(desk.account, 1, limit)
    lots = sum(each.lots for each in wanted)
    for each in wanted:
        desk.rest(each)
        free.rest(each)
    assert free.excess() <= desk.excess() <= bare.excess()
    desk.portfolio.limit_protection(desk.account, 1, 0)
    held_lots = desk.account.gross_lots
    assert desk.excess() == bare.excess() - ((held_lots + lots + 1) // 2 - (held_lots + 1) // 2)
    desk.portfolio.limit_protection(desk.account, 1, None)
    assert desk.excess() == free.excess()


@settings(max_examples=80)
@given(
    held,
    limits,
    st.lists(
        asked(st.one_of(singles, st.sampled_from(ON_ONE + CROSSING)), st.integers(0, 3)),
        min_size=1,
        max_size=6,
    ),
    st.integers(-(10**8), 10**8),
    st.integers(0, 5),
)
def test_what_may_rest_is_decided_by_the_excess_alone_however_it_was_found(
    positions: dict[int, int],
    limits: dict[int, int],
    wanted: list[Asked],
    spare_micro: int,
    looked_at: int,
) -> None:
    """The quick bound never changes an answer, nor does having computed the vectors before."""
    desk, twin = Desk(positions), Desk(positions)
    for each in (desk, twin):
        for group, lots in limits.items():
            each.portfolio.limit_protection(each.account, group, lots)
    *before, last = wanted
    for at, each in enumerate(before):
        desk.rest(each)
        twin.rest(each)
        if at == looked_at:
            desk.excess()
    twin.rest(last)
    cash = spare_micro - twin.excess()
    desk.account.cash_micro = twin.account.cash_micro = cash
    order = desk.order(last)
    ruling = desk.portfolio.judge_rest(desk.account, order, None)
    excess_before, excess_after = desk.excess(), twin.excess()
    assert (ruling.outcome == FITS) == (excess_after >= 0 or excess_after >= excess_before)
    if ruling.outcome != FITS:
        assert (ruling.got, ruling.allowed) == (-excess_after, excess_before)


@settings(max_examples=40)
@given(
    held,
    st.lists(
        asked(st.one_of(singles, st.sampled_from(CROSSING)), st.integers(0, 1)),
        min_size=1,
        max_size=5,
    ),
    st.data(),
)
def test_orders_that_went_leave_nothing_behind(
    positions: dict[int, int], wanted: list[Asked], data: st.DataObject
) -> None:
    desk, bare = Desk(positions), Desk(positions)
    desk.portfolio.limit_protection(desk.account, 1, data.draw(st.integers(0, 4)))
    orders = [desk.rest(each) for each in wanted]
    if data.draw(st.booleans()):
        desk.excess()
    for order in data.draw(st.permutations(orders)):
        desk.portfolio.unrest(order)
    assert desk.account.open_lots == 0
    assert desk.excess() == bare.excess()
    assert {risk.loss_bound_micro for risk in desk.account.risks.values()} == {0}


@settings(max_examples=30)
@given(held, asked(singles, st.just(0)))
def test_an_order_that_may_only_reduce_counts_nothing(
    positions: dict[int, int], wanted: Asked
) -> None:
    desk, bare = Desk(positions, -(10**9)), Desk(positions, -(10**9))
    order = desk.order(wanted, REDUCE_ONLY)
    assert desk.portfolio.judge_rest(desk.account, order, None).outcome == FITS
    desk.portfolio.rest(desk.account, order)
    assert desk.excess() == bare.excess()
    desk.portfolio.unrest(order)
    assert desk.excess() == bare.excess()


def test_when_the_other_underlying_moves_a_combo_that_crosses_is_margined_anew() -> None:
    desk = Desk({})
    desk.rest(Asked(CROSSING[0], 1, 100, 3, 0))
    before = desk.excess()
    desk.marks.update_index(1, desk.marks.index_micro[1] * 2, 10**9)
    desk.portfolio.sweep(1)
    fresh = Desk({})
    fresh.marks.update_index(1, fresh.marks.index_micro[1] * 2, 10**9)
    again = fresh.order(Asked(CROSSING[0], 1, 100, 3, 0))
    again.price_micro = next(iter(desk.account.orders.values())).price_micro
    fresh.portfolio.rest(fresh.account, again)
    assert desk.excess() == fresh.excess()
    assert desk.excess() != before
