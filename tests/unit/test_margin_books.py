"""The table of books in docs/margin.md, 3.7, computed on the chain that ships with the package.

`python -m tests.unit.test_margin_books` prints it.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from exchange.margin_verb import shipped_exchange
from margin.accounts import STANDARD_MODEL, Account, Position
from margin.analytics.chain import load_chain
from margin.analytics.svi_fit import fit_chain
from margin.charges import CONCENTRATION
from margin.marks import Marks
from margin.portfolio import Portfolio
from margin.requirement import Breakdown
from margin.what_if import of_portfolio
from matching.instruments import CALL, FUTURE, PERPETUAL, PUT, Expiry, Instrument, Underlying
from tests.floor import BTC_INDEX, START_S

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "margin.md"
LOTS: Final = 1_000
"""10 BTC."""
SOON, WEEK, MARCH, JUNE = 1, 5, 8, 9
"""Expiries of the chain: 17 January, 30 January, 27 March, 26 June."""

Leg = tuple[int, int, int, int]
"""(kind, expiry, strike in USD, lots in thousands)."""


class Book(NamedTuple):
    name: str
    legs: tuple[Leg, ...]
    is_hedged: bool = False
    """With as many lots of the perpetual as take its delta away, to nearest."""


BOOKS: Final = (
    Book("perpetual", ((PERPETUAL, 0, 0, 1),)),
    Book("future of March against June", ((FUTURE, MARCH, 0, 1), (FUTURE, JUNE, 0, -1))),
    Book("short strangle, March 80k 110k", ((PUT, MARCH, 80, -1), (CALL, MARCH, 110, -1))),
    Book("short straddle, 30 January 96k", ((PUT, WEEK, 96, -1), (CALL, WEEK, 96, -1))),
    Book("long call, March 100k", ((CALL, MARCH, 100, 1),)),
    Book("call spread, March 95k 105k", ((CALL, MARCH, 95, 1), (CALL, MARCH, 105, -1))),
    Book("calendar spread, 100k, June less March", ((CALL, MARCH, 100, -1), (CALL, JUNE, 100, 1))),
    Book("long straddle, 17 January 96k, hedged", ((PUT, SOON, 96, 1), (CALL, SOON, 96, 1)), True),
    Book(
        "short straddle, 17 January 96k, hedged", ((PUT, SOON, 96, -1), (CALL, SOON, 96, -1)), True
    ),
    Book(
        "iron condor, March 75k 80k 110k 115k",
        (
            (PUT, MARCH, 75, 1),
            (PUT, MARCH, 80, -1),
            (CALL, MARCH, 110, -1),
            (CALL, MARCH, 115, 1),
        ),
    ),
    Book(
        "box, March 90k 100k",
        (
            (CALL, MARCH, 90, 1),
            (CALL, MARCH, 100, -1),
            (PUT, MARCH, 90, -1),
            (PUT, MARCH, 100, 1),
        ),
    ),
)


class Venue(NamedTuple):
    marks: Marks
    instruments: list[Instrument]
    numbers: dict[tuple[int, int, int], int]


@cache
def venue() -> Venue:
    chain, marks = load_chain(), Marks()
    fitted = fit_chain(chain)
    btc = Underlying(0, "BTC", 1_000_000)
    numbers: dict[tuple[int, int, int], int] = {}
    instruments: list[Instrument] = []

    def add(kind: int, expiry: Expiry | None, strike_micro: int) -> None:
        tick = 5_000 if kind in (PERPETUAL, FUTURE) else 10_000
        instrument = Instrument(len(instruments), kind, btc, expiry, strike_micro, tick)
        instruments.append(instrument)
        marks.list_instrument(instrument)
        place = kind, expiry.number if expiry else 0, strike_micro // 10_000_000
        if strike_micro % 10_000_000 == 0:
            numbers[place] = instrument.number

    add(PERPETUAL, None, 0)
    expiries = [Expiry(n, btc, slice_.expiry_time_s) for n, slice_ in enumerate(chain.expiries)]
    for expiry, slice_ in zip(expiries, chain.expiries, strict=True):
        add(FUTURE, expiry, 0)
        for option in slice_.options:
            add(option.kind, expiry, option.strike_micro)
    marks.update_index(0, BTC_INDEX, START_S)
    for expiry in expiries:
        marks.update_expiry(expiry, fitted[expiry.expiry_time_s], START_S)
    return Venue(marks, instruments, numbers)


def margined(book: Book) -> tuple[Breakdown, int]:
    """Its breakdown, and initial margin in the standard model."""
    marks, instruments, numbers = venue()
    held = {numbers[leg[:3]]: leg[3] * LOTS for leg in book.legs}
    if book.is_hedged:
        delta = sum(lots * marks.features_of(number).delta for number, lots in held.items())
        held[0] = -round(delta / marks.features_of(0).delta)
    account = Account(7, bytes(20))
    account.positions = {number: Position(lots, 0) for number, lots in held.items()}
    account.gross_lots = sum(map(abs, held.values()))
    account.risk(0)
    portfolio = Portfolio({7: account}, marks, {}, instruments)
    portfolio.sweep(0)
    found = portfolio.breakdown(account)
    account.set_margin(STANDARD_MODEL, 0)
    return found, portfolio.requirement(account).initial_micro


def row(book: Book) -> str:
    found, apart = margined(book)
    amounts = (
        found.netted_micro,
        *found.charges_micro[:CONCENTRATION],
        found.initial_micro,
        found.maintenance_micro,
        apart,
    )
    return f"| {book.name} | " + " | ".join(f"{round(a / 10**6):,}" for a in amounts) + " |"


def test_the_page_shows_what_books_cost() -> None:
    page = PAGE.read_text("utf8")
    for book in BOOKS:
        assert row(book) in page


def test_books_that_carry_less_are_asked_for_less() -> None:
    """Each against what it hedges, and never more than position by position."""
    asked = {book.name: margined(book) for book in BOOKS}
    for found, apart in asked.values():
        assert found.initial_micro <= apart
        assert found.maintenance_micro < found.initial_micro
    initial = [found.initial_micro for found, _ in asked.values()]
    perpetual, futures, strangle, straddle, call, spread, calendar, long, short, condor, box = (
        initial
    )
    assert futures < perpetual // 10
    assert spread < call < strangle
    assert condor < strangle // 5
    assert box < condor < spread < calendar < straddle
    assert long < short // 4


def test_what_a_long_option_alone_is_asked_beyond_its_premium_is_what_the_page_says() -> None:
    state = shipped_exchange()
    index = state.marks.index_micro[0] * 100
    beyond: dict[str, tuple[int, int, int]] = {}
    for option in (i for i in state.instruments if not i.is_linear):
        shadow = of_portfolio(state.portfolio, 0, [(option.number, 100)])
        assert isinstance(shadow, Account)
        asked = state.portfolio.requirement(shadow)
        premium, initial = asked.equity_micro, asked.initial_micro
        beyond[option.symbol] = initial - premium, initial, premium
    more = sorted(over for over, _, _ in beyond.values())
    most = max(beyond, key=lambda symbol: beyond[symbol][0])
    small, over = "BTC-16JAN26-105000-C", sum(over > 0 for over in more)
    median = (more[len(more) // 2 - 1] + more[len(more) // 2]) / 2
    page = PAGE.read_text("utf8")
    for said in (
        f"the chain's {len(more)} options, {over} are asked for more than their premium",
        f"by {100 * median / index:.2f}% of the index at the median and by"
        f" {100 * more[-1] / index:.2f}% at most",
        f"({most}: {beyond[most][1] / 1e6:,.0f} USDC for a premium of"
        f" {beyond[most][2] / 1e6:,.0f})",
        f"{small}, worth {beyond[small][2] / 1e6:.2f}, is asked for {beyond[small][1] / 1e6:.0f}.",
    ):
        assert said in page, said


def test_the_page_has_no_book_that_nobody_computes() -> None:
    section = PAGE.read_text("utf8").partition("| book | scan |")[2].partition("\n\n")[0]
    assert len(re.findall(r"^\| [a-z]", section, re.M)) == len(BOOKS)


if __name__ == "__main__":
    print("\n".join(row(book) for book in BOOKS))
