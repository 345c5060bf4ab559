"""The laws that any margin must keep, in both models and every tier, with collateral and with size:
of whole requirements, where `test_charges_property.py` has the charges and
`test_portfolio_property.py` what an exchange makes of them.

Accounts are laid upon the marks of an exchange, and nothing is traded: a law is about what is held.
"""

from functools import cache
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from margin.accounts import PORTFOLIO_MODEL, STANDARD_MODEL, Account, Position
from margin.charges import CONCENTRATION
from margin.parameters import CONCENTRATED_NOTIONAL_MICRO
from margin.requirement import Breakdown
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    ETH_INDEX,
    ETH_PERP,
    LISTINGS,
    PERP,
    SMILE,
    Floor,
    open_floor,
    was_accepted,
)

WBTC, ETH, USDT = 1, 2, 3
CAPS = {WBTC: 10**9, ETH: 10**10, USDT: 10**12}
SLACK = 2
"""Micro-USDC by which what an asset loses may be off: its worth is rounded down in every scenario
and where nothing moves, and once more with its initial haircut."""


class Book(NamedTuple):
    """Signed lots by instrument, micro-units by asset."""

    lots: dict[int, int]
    amounts: dict[int, int]

    def times(self, factor: int) -> "Book":
        lots, amounts = (
            {key: factor * value for key, value in of.items()} for of in (self.lots, self.amounts)
        )
        return Book(lots, amounts)

    def plus(self, other: "Book") -> "Book":
        lots, amounts = (
            {key: one.get(key, 0) + two.get(key, 0) for key in sorted({*one, *two})}
            for one, two in ((self.lots, other.lots), (self.amounts, other.amounts))
        )
        return Book(lots, amounts)


class Terms(NamedTuple):
    """How an account is margined, at which marks."""

    percent: int
    model: int
    tier: int


numbers = st.integers(0, len(LISTINGS) - 1)
few = st.integers(-900, 900)
many = st.integers(-9_000, 9_000)
amounts = st.fixed_dictionaries(
    {}, optional={asset: st.integers(1, cap // 100) for asset, cap in CAPS.items()}
)
books = st.builds(Book, st.dictionaries(numbers, few, max_size=6), st.just({}))
large_books = st.builds(Book, st.dictionaries(numbers, many, max_size=5), st.just({}))
backed_books = st.builds(Book, st.dictionaries(numbers, few, max_size=6), amounts)
terms = st.builds(
    Terms,
    st.sampled_from((60, 85, 100, 130)),
    st.integers(PORTFOLIO_MODEL, STANDARD_MODEL),
    st.integers(0, 2),
)


@cache
def market(percent: int) -> Floor:
    """BTC and ETH, moved apart."""
    floor = open_floor(0, watched=False)
    for asset, name, kind, underlying in (
        (WBTC, b"WBTC", 1, 0),
        (ETH, b"ETH", 1, 1),
        (USDT, b"USDT", 0, 255),
    ):
        assert was_accepted(
            floor.list_asset(
                asset,
                name,
                kind=kind,
                underlying=underlying,
                cap_micro=CAPS[asset],
                discount_e4=100,
            )
        )
    floor.mark(0, BTC_INDEX * percent // 100, smile=(SMILE[0] * 2, *SMILE[1:]))
    floor.mark(1, ETH_INDEX * (200 - percent) // 100)
    floor.fund(PERP, 12_345)
    return floor


def margined(of: Terms, book: Book, cash_micro: int = 0) -> Breakdown:
    """All of an account that has the book and paid nothing for it; every reading of it agrees."""
    floor = market(of.percent)
    portfolio, marks = floor.state.portfolio, floor.state.marks
    account = Account(0, bytes(20))
    account.cash_micro = cash_micro
    for number, lots in book.lots.items():
        if lots:
            seen = marks.accrual_micro[number]
            account.positions[number] = Position(lots, seen)
            account.gross_lots += abs(lots)
            account.basis_micro += lots * seen
            account.risk(floor.state.instruments[number].underlying.number)
    for asset, amount in book.amounts.items():
        if amount:
            portfolio.collateral.change(account, asset, amount)
    portfolio.collateral.holders.clear()
    account.set_margin(of.model, of.tier)
    found, required = portfolio.breakdown(account), portfolio.requirement(account)
    assert portfolio.excess_micro(account) == found.excess_micro == required.excess_micro
    assert required[:3] == (found.equity_micro, found.initial_micro, found.maintenance_micro)
    return found


def size_charge(of: Terms, found: Breakdown) -> int:
    """At least what size makes of the requirement."""
    return -(-found.charges_micro[CONCENTRATION] * (4 + of.tier) // 4)


# CASH, NOTHING, AND EVERYTHING ALIKE


@given(terms, backed_books, st.integers(-(10**15), 10**15), st.integers(1, 10**15))
def test_cash_is_worth_itself_and_changes_no_requirement(
    of: Terms, book: Book, cash_micro: int, more: int
) -> None:
    one, other = margined(of, book, cash_micro), margined(of, book, cash_micro + more)
    assert other.equity_micro == one.equity_micro + more
    assert other.excess_micro == one.excess_micro + more
    assert other.initial_micro == one.initial_micro
    assert other.maintenance_micro == one.maintenance_micro


@given(terms, st.integers(-(10**15), 10**15), st.dictionaries(numbers, st.just(0)))
def test_who_holds_nothing_needs_nothing(of: Terms, cash_micro: int, none: dict[int, int]) -> None:
    found = margined(of, Book(none, {}), cash_micro)
    assert found.equity_micro == found.excess_micro == cash_micro
    assert (found.initial_micro, found.maintenance_micro) == (0, 0)
    stable = margined(of, Book(none, {USDT: 10**6}), cash_micro)
    assert stable.maintenance_micro == 0, "a dollar loses nothing in any scenario"
    assert stable.initial_micro == stable.collateral_charge_micro > 0


@given(terms, backed_books)
def test_no_requirement_is_below_zero_nor_maintenance_above_initial(of: Terms, book: Book) -> None:
    found = margined(of, book)
    assert 0 <= found.maintenance_micro <= found.initial_micro


@given(terms, books, st.integers(1, 40))
def test_the_scan_is_homogeneous(of: Terms, book: Book, times: int) -> None:
    """To the last unit, each underlying by itself, all together, and position by position; what is
    netted to the micro that half of it is rounded by.
    """
    one, many = margined(of, book), margined(of, book.times(times))
    assert many.position_separate_micro == times * one.position_separate_micro
    assert many.position_joint_micro == times * one.position_joint_micro
    assert many.position_standard_micro == times * one.position_standard_micro
    assert abs(many.position_netted_micro - times * one.position_netted_micro) <= times
    for before, after in zip(one.scans, many.scans, strict=True):
        gains = tuple(times * gain for gain in before.position_gains_micro)
        assert after.position_gains_micro == gains


# TOGETHER AND APART


@given(terms, backed_books, backed_books)
def test_whoever_joins_two_accounts_has_no_less_left_than_both_had(
    of: Terms, one: Book, other: Book
) -> None:
    """But for what size costs, and what each asset's worth is rounded by."""
    joint = one.plus(other)
    together = margined(of, joint)
    apart = [margined(of, book) for book in (one, other)]
    left = together.excess_micro + size_charge(of, together) + SLACK * len(joint.amounts)
    assert left >= sum(found.excess_micro for found in apart)


@given(terms, large_books, large_books)
def test_two_portfolios_together_need_no_more_than_apart_but_for_size(
    of: Terms, one: Book, other: Book
) -> None:
    together = margined(of, one.plus(other))
    apart = [margined(of, book) for book in (one, other)]
    needed = together.initial_micro - size_charge(of, together)
    assert needed <= sum(found.initial_micro for found in apart)
    assert together.maintenance_micro <= sum(found.maintenance_micro for found in apart)
    for name in ("position_separate_micro", "position_joint_micro", "position_netted_micro"):
        assert getattr(together, name) <= sum(getattr(found, name) for found in apart), name


# LESS OF EVERYTHING, MORE OF ONE THING


@given(terms, large_books, st.integers(2, 9), st.data())
def test_reducing_everything_alike_never_raises_a_requirement(
    of: Terms, book: Book, whole: int, data: st.DataObject
) -> None:
    """Large enough that size has its price: nothing gets dearer by being smaller."""
    part = data.draw(st.integers(0, whole - 1))
    more, less = margined(of, book.times(whole)), margined(of, book.times(part))
    assert less.initial_micro <= more.initial_micro
    assert less.maintenance_micro <= more.maintenance_micro
    assert less.charges_micro[CONCENTRATION] <= more.charges_micro[CONCENTRATION]


@given(terms, backed_books, st.integers(2, 9), st.data())
def test_reducing_everything_alike_with_its_collateral_never_raises_a_requirement(
    of: Terms, book: Book, whole: int, data: st.DataObject
) -> None:
    """To the micros that an asset's worth is rounded by. Of positions alone it is not so, and
    cannot be: what hedges ether that stays is missed.
    """
    part = data.draw(st.integers(0, whole - 1))
    more, less = margined(of, book.times(whole)), margined(of, book.times(part))
    slack = SLACK * len(book.amounts)
    assert less.initial_micro <= more.initial_micro + slack
    assert less.maintenance_micro <= more.maintenance_micro + slack


def test_closing_what_hedges_collateral_may_raise_the_requirement() -> None:
    plain = Terms(100, PORTFOLIO_MODEL, 0)
    hedged = margined(plain, Book({ETH_PERP: -50}, {ETH: 5 * 10**6}))
    assert margined(plain, Book({}, {ETH: 5 * 10**6})).initial_micro > hedged.initial_micro


@given(terms, st.sampled_from((PERP, CALL_90, ETH_PERP)), st.integers(1, 10**5), st.data())
def test_the_price_of_size_never_falls_as_a_position_grows(
    of: Terms, number: int, lots: int, data: st.DataObject
) -> None:
    sign = data.draw(st.sampled_from((1, -1)))
    less = data.draw(st.integers(0, lots))
    charged = [
        margined(of, Book({number: sign * held}, {})).charges_micro[CONCENTRATION]
        for held in (less, lots)
    ]
    assert charged[0] <= charged[1]
    index = market(of.percent).state.marks.index_micro[LISTINGS[number].underlying]
    if number != CALL_90 and lots * index > CONCENTRATED_NOTIONAL_MICRO * 101 // 100:
        assert charged[1] > 0


# TIERS AND MODELS


@given(st.sampled_from((60, 85, 100, 130)), backed_books, st.integers(0, 2))
def test_the_standard_model_and_a_higher_tier_ask_no_less(
    percent: int, book: Book, tier: int
) -> None:
    here = margined(Terms(percent, PORTFOLIO_MODEL, tier), book)
    apart = margined(Terms(percent, STANDARD_MODEL, tier), book)
    assert here.initial_micro <= apart.initial_micro
    assert here.maintenance_micro <= apart.maintenance_micro
    for found in (here, apart):
        higher = margined(Terms(percent, found.model, min(tier + 1, 2)), book)
        assert found.initial_micro <= higher.initial_micro
        assert found.maintenance_micro == higher.maintenance_micro
