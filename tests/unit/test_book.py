"""What a book promises, on small examples."""

import pytest

from matching.book import Book, orders_of
from matching.orders import BUY, SELL, Order


def order(order_id: int, side: int, price_ticks: int, lots: int = 1) -> Order:
    return Order(order_id, b"", 1, 0, side, price_ticks, price_ticks * 10, lots, 0, 0)


def ids(book: Book, side: int) -> list[list[int]]:
    return [[one.order_id for one in orders_of(level)] for level in book.levels(side)]


def test_the_best_bid_is_the_highest_and_the_best_ask_the_lowest() -> None:
    book = Book(0, 10)
    for number, (side, price) in enumerate(
        [(BUY, 5), (BUY, 7), (BUY, -2), (SELL, 9), (SELL, 8), (SELL, -1)]
    ):
        book.add(order(number, side, price))
    assert ids(book, BUY) == [[1], [0], [2]]
    assert ids(book, SELL) == [[5], [4], [3]]


def test_at_one_price_the_first_comes_first() -> None:
    book = Book(0, 10)
    first, second, third = (order(number, SELL, 5, 3) for number in range(3))
    for one in (first, second, third):
        book.add(one)
    book.reduce(first, 2)
    assert ids(book, SELL) == [[0, 1, 2]], "a part fill keeps its place"
    book.remove(second)
    assert ids(book, SELL) == [[0, 2]]
    book.add(second)
    assert ids(book, SELL) == [[0, 2, 1]], "who comes again comes last"
    level = book.asks.best
    assert level is not None
    assert (level.orders, level.quantity_lots) == (3, 1 + 3 + 3)


def test_the_last_lot_takes_the_order_and_its_level_out() -> None:
    book = Book(0, 10)
    only = order(1, BUY, 5, 3)
    book.add(only)
    book.reduce(only, 3)
    assert (only.remaining_lots, only.filled_lots, only.level) == (0, 3, None)
    assert book.is_empty()
    assert book.bids.best is None


def test_a_removed_order_keeps_what_it_has_left() -> None:
    book = Book(0, 10)
    only = order(1, BUY, 5, 3)
    book.add(only)
    book.reduce(only, 1)
    book.remove(only)
    assert (only.remaining_lots, only.filled_lots) == (2, 1)


def test_an_order_stands_in_one_place_at_most() -> None:
    book, only = Book(0, 10), order(1, BUY, 5)
    with pytest.raises(AssertionError):
        book.remove(only)
    with pytest.raises(AssertionError):
        book.reduce(only, 1)
    book.add(only)
    with pytest.raises(AssertionError):
        book.add(only)
    with pytest.raises(AssertionError):
        Book(1, 10).add(only)
    book.remove(only)
    with pytest.raises(AssertionError):
        book.remove(only)


@pytest.mark.parametrize("lots", [0, -1, 4])
def test_an_order_trades_at_least_a_lot_and_at_most_what_remains(lots: int) -> None:
    book, only = Book(0, 10), order(1, BUY, 5, 3)
    book.add(only)
    with pytest.raises(AssertionError):
        book.reduce(only, lots)
    assert (only.remaining_lots, only.filled_lots) == (3, 0)


def test_an_order_with_nothing_left_does_not_rest() -> None:
    with pytest.raises(AssertionError):
        Book(0, 10).add(order(1, BUY, 5, 0))


def test_an_iceberg_is_cut_where_it_hides_first_and_keeps_its_place() -> None:
    book = Book(0, 10)
    iceberg = Order(0, b"", 1, 0, SELL, 5, 50, 9, 0, 0, display_lots=3)
    book.add(iceberg)
    book.add(order(1, SELL, 5))
    level = book.asks.best
    assert level is not None
    book.cut(iceberg, 5)
    assert (iceberg.remaining_lots, iceberg.hidden_lots, level.quantity_lots) == (4, 1, 4)
    book.cut(iceberg, 2)
    assert (iceberg.remaining_lots, iceberg.hidden_lots, level.quantity_lots) == (2, 0, 3)
    assert ids(book, SELL) == [[0, 1]]
    with pytest.raises(AssertionError, match="something left"):
        book.cut(iceberg, 2)
