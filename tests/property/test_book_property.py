"""Random lives of a book against its slow twin: add, remove, trade, take a place; some
orders show a part of what they have.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from matching.book import Book
from matching.orders import BUY, SELL, Order
from tests.model.book import SlowBook, SlowOrder, check_links, contents

TICK_MICRO = 10_000


class BookLife(RuleBasedStateMachine):
    """Prices lie close together, so that levels fill, empty and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.fast = Book(0, TICK_MICRO)
        self.slow = SlowBook(TICK_MICRO)
        self.orders: list[tuple[Order, SlowOrder]] = []
        self.gone: list[Order] = []
        self.count = 0

    @rule(
        side=st.sampled_from([BUY, SELL]),
        price=st.integers(-1, 1) | st.integers(-4, 4) | st.integers(-(1 << 38), 1 << 38),
        lots=st.integers(1, 5) | st.integers(1, (1 << 24) - 1),
        display=st.integers(0, 3) | st.integers(0, (1 << 24) - 1),
    )
    def add(self, side: int, price: int, lots: int, display: int) -> None:
        fast, slow = self.new(side, price, lots, display)
        self.orders.append((fast, slow))
        self.fast.add(fast)
        self.slow.add(slow)

    def new(self, side: int, price: int, lots: int, display: int) -> tuple[Order, SlowOrder]:
        self.count += 1
        micro = price * TICK_MICRO
        return (
            Order(self.count, b"", 1, 0, side, price, micro, lots, 0, 0, display_lots=display),
            SlowOrder(self.count, 1, 0, side, price, lots, display=display),
        )

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000), display=st.integers(0, 3), data=st.data())
    def take_place(self, pick: int, display: int, data: st.DataObject) -> None:
        """With at most the lots, and showing at most as many."""
        at = pick % len(self.orders)
        old, slow_old = self.orders[at]
        lots = data.draw(st.integers(1, old.remaining_lots), label="lots")
        if slow_old.shown < (min(display, lots) if display else lots):
            display = slow_old.shown
        fast, slow = self.new(old.side, old.price_ticks, lots, display)
        self.orders[at] = fast, slow
        self.fast.substitute(old, fast)
        self.slow.substitute(slow_old, slow)
        self.gone.append(old)

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000))
    def remove(self, pick: int) -> None:
        fast, slow = self.orders.pop(pick % len(self.orders))
        left = fast.remaining_lots
        self.fast.remove(fast)
        self.slow.remove(slow)
        assert fast.remaining_lots == left
        self.gone.append(fast)

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000), part=st.integers(0, 3), data=st.data())
    def trade(self, pick: int, part: int, data: st.DataObject) -> None:
        at = pick % len(self.orders)
        fast, slow = self.orders[at]
        lots = slow.shown
        if part:
            lots = data.draw(st.integers(1, lots), label="lots")
        filled = fast.filled_lots
        self.fast.reduce(fast, lots)
        self.slow.reduce(slow, lots)
        assert (fast.filled_lots, fast.remaining_lots) == (filled + lots, slow.left)
        if not slow.left:
            self.gone.append(self.orders.pop(at)[0])

    @precondition(lambda self: self.orders)
    @rule(side=st.sampled_from([BUY, SELL]))
    def trade_all_that_the_first_shows(self, side: int) -> None:
        queue = self.slow.queue(side)
        if queue:
            (pick,) = (at for at, (_, slow) in enumerate(self.orders) if slow is queue[0])
            self.all_shown(pick)

    def all_shown(self, at: int) -> None:
        fast, slow = self.orders[at]
        lots = slow.shown
        self.fast.reduce(fast, lots)
        self.slow.reduce(slow, lots)
        if not slow.left:
            self.gone.append(self.orders.pop(at)[0])

    @precondition(lambda self: self.orders)
    @rule(pick=st.integers(0, 1_000), lots=st.integers(1, 5))
    def cut(self, pick: int, lots: int) -> None:
        """An order loses lots without a trade and keeps its place."""
        fast, slow = self.orders[pick % len(self.orders)]
        if lots < slow.left:
            filled = fast.filled_lots
            self.fast.cut(fast, lots)
            self.slow.cut(slow, lots)
            assert (fast.filled_lots, fast.remaining_lots) == (filled, slow.left)

    @precondition(lambda self: self.gone)
    @rule(pick=st.integers(0, 1_000))
    def an_order_that_left_has_nothing_to_lose(self, pick: int) -> None:
        order = self.gone[pick % len(self.gone)]
        assert (order.level, order.previous, order.next) == (None, None, None)

    @invariant()
    def both_show_the_same(self) -> None:
        assert contents(self.fast) == self.slow.contents()
        check_links(self.fast)
        assert self.fast.is_empty() == (not self.orders)
        for side, best in ((SELL, self.fast.asks), (BUY, self.fast.bids)):
            prices = self.slow.prices(side)
            walked = [order.order_id for order in self.fast.orders(side)]
            assert walked == [order.order_id for order in self.slow.queue(side)]
            level = best.best
            assert (None if level is None else abs(level.key)) == (
                abs(prices[0]) if prices else None
            )


TestBookLife = BookLife.TestCase
TestBookLife.settings = settings(stateful_step_count=60)
