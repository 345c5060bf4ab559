"""Random lives of a book against its slow twin: add, remove, trade."""

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

    @rule(
        side=st.sampled_from([BUY, SELL]),
        price=st.integers(-4, 4) | st.integers(-(1 << 38), 1 << 38),
        lots=st.integers(1, 5) | st.integers(1, (1 << 24) - 1),
    )
    def add(self, side: int, price: int, lots: int) -> None:
        number = len(self.orders) + len(self.gone)
        fast = Order(number, b"", 1, 0, side, price, price * TICK_MICRO, lots, 0, 0)
        self.orders.append((fast, SlowOrder(number, 1, 0, side, price, lots)))
        self.fast.add(fast)
        self.slow.add(self.orders[-1][1])

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
        lots = fast.remaining_lots
        if part:
            lots = data.draw(st.integers(1, lots), label="lots")
        filled = fast.filled_lots
        self.fast.reduce(fast, lots)
        self.slow.reduce(slow, lots)
        assert (fast.filled_lots, fast.remaining_lots) == (filled + lots, slow.left)
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
            self.slow.reduce(slow, lots)
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
            level = best.best()
            assert (None if level is None else abs(level.key)) == (
                abs(prices[0]) if prices else None
            )


TestBookLife = BookLife.TestCase
TestBookLife.settings = settings(stateful_step_count=60)
