"""The liquidation price, against an exchange whose marks are moved there: by the standing that
liquidation itself goes by, in every model and tier, with collateral that moves too.
"""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import commands as c
from exchange.events import CommandRejected
from exchange.state_digest import state_hash
from margin.liquidation_price import (
    DOWN_PERCENT,
    E6,
    UP_PERCENT,
    Distance,
    liquidation_distances,
)
from matching.orders import BUY, SELL
from tests.floor import LISTINGS, PERP, Floor, open_floor, was_accepted

TRADER, OTHER = 0, 1
RICH = 10**15
WBTC, ETH, USDT = 1, 2, 3
ETHER = 10**6


class Held(NamedTuple):
    """What an account has: signed lots by instrument, micro-units by asset."""

    lots: dict[int, int]
    amounts: dict[int, int]


held = st.builds(
    Held,
    st.dictionaries(st.integers(0, len(LISTINGS) - 1), st.integers(-400, 400), max_size=4),
    st.dictionaries(st.sampled_from((WBTC, ETH, USDT)), st.integers(1, 50 * ETHER), max_size=2),
)


def opened(has: Held, model: int = 0, tier: int = 0) -> Floor:
    """TRADER holds it, traded at the marks."""
    floor = open_floor(0, watched=False)
    floor.open_account(RICH)
    floor.open_account(RICH)
    terms = {"cap_micro": 10**9, "discount_e4": 100}
    assert was_accepted(floor.list_asset(WBTC, b"WBTC", decimals=8, underlying=0, **terms))
    assert was_accepted(floor.list_asset(ETH, **terms))
    assert was_accepted(
        floor.list_asset(USDT, b"USDT", decimals=6, kind=0, underlying=255, **terms)
    )
    for number, lots in has.lots.items():
        if lots:
            side, price = (BUY if lots > 0 else SELL), floor.near(number)
            floor.submit(floor.sign(OTHER, 1 - side, price, abs(lots), number))
            floor.submit(floor.sign(TRADER, side, price, abs(lots), number))
    for asset, amount in has.amounts.items():
        floor.deposit(TRADER, amount, asset)
    assert was_accepted(floor.choose_margin(TRADER, model, tier))
    return floor


def leave(floor: Floor, cushion_percent: int) -> None:
    """Leaves so much more equity than maintenance."""
    account = floor.account(TRADER)
    now = floor.state.portfolio.scan_standing(account)
    cushion = now.maintenance_micro * cushion_percent // 100
    account.cash_micro += now.maintenance_micro + cushion - now.equity_micro


class Moves:
    """Marks of one underlying, moved and looked at."""

    def __init__(self, floor: Floor, underlying: int) -> None:
        marks, self.floor = floor.state.marks, floor
        self.index = marks.index_micro[underlying]
        self.underlying = underlying
        self.marks = [
            (expiry.number, *marks.expiry_marks[expiry.number])
            for expiry in floor.state.expiries
            if expiry.underlying.number == underlying
        ]

    def fallen(self, move_e6: int) -> bool | None:
        """Whether the account must be liquidated there; None where no mark can be."""
        floor, factor = self.floor, E6 + move_e6
        moved = tuple((n, forward * factor // E6, *smile) for n, forward, *smile in self.marks)
        index = self.index * factor // E6
        (event, *_) = floor.send(c.UpdateMarks(floor.time_ns, self.underlying, index, moved))
        if isinstance(event, CommandRejected):
            return None
        return floor.state.portfolio.scan_standing(floor.account(TRADER)).must_liquidate

    def first_fall(self, percents: tuple[int, ...]) -> int | None:
        """Halved on the grid, by the exchange itself."""
        stands = 0
        for percent in percents:
            falls = percent * E6 // 100
            answer = self.fallen(falls)
            if answer is None:
                return None
            while answer and abs(falls - stands) > 1:
                middle = (stands + falls) // 2
                if self.fallen(middle):
                    falls = middle
                else:
                    stands = middle
            if answer:
                return falls
            stands = falls
        return None


@settings(max_examples=30)
@given(held, st.integers(0, 1), st.integers(0, 2), st.integers(0, 90))
def test_the_exchange_liquidates_where_the_liquidation_price_says(
    has: Held, model: int, tier: int, cushion_percent: int
) -> None:
    """Found a second time by moving the marks of a whole exchange, on every underlying that can
    move the account.
    """
    floor = opened(has, model, tier)
    leave(floor, cushion_percent)
    before = state_hash(floor.state)
    found = liquidation_distances(floor.state.portfolio, floor.account(TRADER))
    assert state_hash(floor.state) == before
    answered = {distance.underlying: distance for distance in found}
    assert len(answered) == len(found)
    for underlying in (0, 1):
        moves = Moves(floor, underlying)
        distance = answered.get(
            underlying, Distance(underlying, moves.index, None, None, None, None)
        )
        down, up = moves.first_fall(DOWN_PERCENT), moves.first_fall(UP_PERCENT)
        assert (distance.down_e6, distance.up_e6) == (down, up), (underlying, moves.index)
        for move, index in (
            (distance.down_e6, distance.down_index_micro),
            (distance.up_e6, distance.up_index_micro),
        ):
            assert index == (None if move is None else moves.index * (E6 + move) // E6)
        moves.fallen(0)


def test_ether_that_counts_for_bitcoin_has_a_liquidation_price_of_its_own() -> None:
    """Long of bitcoin with nothing but ether: either index that falls takes the account along."""
    floor = opened(Held({PERP: 6}, {ETH: ETHER}))
    floor.account(TRADER).cash_micro = 0
    bitcoin, ether = liquidation_distances(floor.state.portfolio, floor.account(TRADER))
    assert (bitcoin.underlying, ether.underlying) == (0, 1)
    assert bitcoin.down_e6 is not None
    assert ether.down_e6 is not None
    assert ether.up_e6 is None
    moves = Moves(floor, 1)
    assert moves.fallen(ether.down_e6)
    assert moves.fallen(ether.down_e6 + 1) is False


def test_an_asset_whose_underlying_has_no_index_yet_moves_nobody() -> None:
    floor = opened(Held({PERP: 6}, {}))
    floor.list_underlying(b"SOL\0\0\0\0\0", 10**9)
    assert was_accepted(floor.list_asset(4, b"SOL", underlying=2, cap_micro=10**6))
    floor.deposit(TRADER, 10**6, 4)
    found = liquidation_distances(floor.state.portfolio, floor.account(TRADER))
    assert [distance.underlying for distance in found] == [0]
