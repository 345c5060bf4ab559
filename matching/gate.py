"""The question that matching asks and margin answers: may these fills be?

Holds: a plan opens with `begin`, proposes groups of fills, and ends with `commit` or `drop`;
each group is judged as a whole, all legs of a combo together, for every account that it touches;
a group that is refused leaves the plan as it was before it.
Never: changes an account before `commit`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from mypy_extensions import mypyc_attr

from matching.instruments import Instrument
from matching.orders import Order

FITS: Final = 0
TAKER_MARGIN: Final = 1
"""The taker's initial margin would be short."""
TAKER_FEE: Final = 2
"""The fill would cost the taker's order more than its maximum fee."""
TAKER_LIMIT: Final = 3
"""The taker would hold too many lots, orders included."""
MAKER_FAILS: Final = 4
"""The maker in `Ruling.maker` cannot take its fill: margin or limits."""
MAKER_FEE: Final = 5
"""The fill would cost the maker in `Ruling.maker` more than its maximum fee."""
TAKER_POSITIONS: Final = 6
"""The taker would hold too many positions."""
MAKER_PROTECTED: Final = 7
"""The group of orders that protects the maker in `Ruling.maker` may not trade so many lots."""


class Fill:
    """One planned trade of one instrument, at the maker's price. The maker may be a combo order."""

    __slots__ = ("instrument", "maker", "price_ticks", "quantity_lots", "taker_buys")

    def __init__(
        self,
        maker: Order,
        instrument: Instrument,
        price_ticks: int,
        quantity_lots: int,
        taker_buys: bool,
    ) -> None:
        self.maker = maker
        self.instrument = instrument
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.taker_buys = taker_buys


class Ruling:
    """The gate's answer. Against the taker, `got` and `allowed` are the numbers of its reject: for
    margin, by how much it would be short and the excess that it has now; for the fee, what a lot
    or unit would cost and may; for a limit, the count and its bound.
    """

    __slots__ = ("allowed", "got", "maker", "outcome")

    def __init__(
        self, outcome: int, maker: Order | None = None, got: int = 0, allowed: int = 0
    ) -> None:
        self.outcome = outcome
        self.maker = maker
        self.got = got
        self.allowed = allowed


IT_FITS: Final = Ruling(FITS)


@mypyc_attr(allow_interpreted_subclasses=True)
class Gate(ABC):
    """What margin must answer while an order is matched."""

    @abstractmethod
    def begin(self, taker: Order, replaced: Order | None) -> None:
        """Opens a plan for an aggressive order; its account is taken without the order
        `replaced`.
        """

    @abstractmethod
    def propose(self, fills: Sequence[Fill], units: int, maker_combo: Order | None) -> Ruling:
        """Adds a group of fills to the plan if every account can take it.

        A single order's group has one fill and `units` equal to its lots; a combo's has all its
        legs' and `units` of the combo; `maker_combo` is the resting combo order on the other
        side, None where the legs' own books fill it.
        """

    @abstractmethod
    def propose_through(self, incoming: Fill, others: Sequence[Fill], units: int) -> Ruling:
        """Adds a group in which a single order trades with a resting combo order (`incoming`), and
        that order with makers of its other leg's book (`others`, where `taker_buys` says whether
        the combo's order buys); `units` of the combo. All but the taker pay the maker fee.
        """

    @abstractmethod
    def fillable_lots(self, order: Order, group_lots: int = 0, account_lots: int = 0) -> int:
        """Lots (or units) that a capped order may still trade after the plan so far, and so many
        more of its protection group, and of its account on its side of its instrument: what the
        group has left and, of an order that may only reduce, what is left of the position.
        """

    @abstractmethod
    def commit(self) -> None:
        """Makes the accounts what the plan says."""

    @abstractmethod
    def drop(self) -> None:
        """Forgets the plan."""
