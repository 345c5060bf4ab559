"""The trades that everyone may see, newest last, with the links between a combo and its legs.

Holds: a trade says nothing of who made it; the legs of a combo's trade name the combo's book, and
the combo's trade names theirs; both kinds are told as they happen, legs first.
Never: keeps more than `KEPT` trades of a book, and of all together.
"""

from collections import deque
from typing import Final, NamedTuple

from exchange.events import ComboFilled, OrderFilled
from matching.orders import BUY, SELL

KEPT: Final = 1_000
NO_BOOK: Final = -1


class Trade(NamedTuple):
    """A trade. `side` is the taker's; `trade` is 0 for a combo's own; `combo_trade` is 0 for a
    trade that has nothing to do with one. Prices in micro-USDC per lot or unit.

    `combo_book`: of a leg, the combo that it is part of, NO_BOOK where there is none. `legs`: of a
    combo's trade, the numbers of its legs' trades. `is_derived`: its price was not quoted: it is a
    leg's share of the net price at which two combo orders met (docs/matching.md).
    """

    sequence: int
    time_ns: int
    trade: int
    book: int
    side: int
    price_micro: int
    lots: int
    combo_trade: int
    combo_book: int
    legs: tuple[int, ...]
    is_derived: bool


class Tape:
    """Trades of all books."""

    def __init__(self) -> None:
        self.all: deque[Trade] = deque(maxlen=KEPT)
        self.by_book: dict[int, deque[Trade]] = {}
        self._legs: list[Trade] = []

    def fill(self, sequence: int, time_ns: int, event: OrderFilled) -> list[Trade]:
        """A fill is a trade at once, or a leg that waits for its combo."""
        trade = Trade(
            sequence,
            time_ns,
            event.trade,
            event.instrument,
            BUY if event.taker_buys else SELL,
            event.price_micro,
            event.quantity_lots,
            event.combo_trade,
            NO_BOOK,
            (),
            event.combo_trade != 0 and event.maker_left_lots < 0,
        )
        if event.combo_trade:
            self._legs.append(trade)
            return []
        return [self._keep(trade)]

    def combo(self, sequence: int, time_ns: int, event: ComboFilled) -> list[Trade]:
        """A combo's trade, after its legs."""
        legs, self._legs = self._legs, []
        made = [self._keep(leg._replace(combo_book=event.book)) for leg in legs]
        numbers = tuple(leg.trade for leg in legs)
        side = BUY if event.taker_buys else SELL
        made.append(
            self._keep(
                Trade(
                    sequence,
                    time_ns,
                    0,
                    event.book,
                    side,
                    event.net_price_micro,
                    event.units,
                    event.combo_trade,
                    NO_BOOK,
                    numbers,
                    False,
                )
            )
        )
        return made

    def last(self, book: int | None, count: int) -> list[Trade]:
        """The last trades of a book, or of all, oldest first."""
        kept = self.all if book is None else self.by_book.get(book, ())
        return list(kept)[-count:]

    def _keep(self, trade: Trade) -> Trade:
        of_book = self.by_book.get(trade.book)
        if of_book is None:
            of_book = self.by_book[trade.book] = deque(maxlen=KEPT)
        of_book.append(trade)
        self.all.append(trade)
        return trade
