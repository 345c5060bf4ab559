"""Collateral beside the exchange as one would explain it (`tests/model/collateralised.py`): event
by event the same, in the midst of trading; what the balances of an asset and its withdrawals are
together is what was deposited.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from exchange.commands import Command
from exchange.events import Event
from exchange.handlers.accounts import free_collateral_micro
from tests.floor import (
    BTC_INDEX,
    DAY_S,
    ETH_INDEX,
    ETH_PERP,
    ETH_PUT,
    PERP,
    Floor,
    open_floor,
    owner_of,
    was_accepted,
)
from tests.model.collateralised import CollateralisedExchange
from tests.property.test_engine_against_twin import FloorWithTwin
from tests.property.test_transfers_against_twin import OWNED
from tests.property.trading import CASH, MAKER, Terms, Trading, accounts

ETH, WBTC, USDT, UNLISTED = 1, 2, 3, 200
ASSETS = (ETH, ETH, WBTC, USDT, UNLISTED)
LOTS_E8 = (10**6, 10**7)
TOKEN = 10**6


class Collateralised(FloorWithTwin):
    twin: CollateralisedExchange

    def __init__(self) -> None:
        super().__init__()
        self.twin = CollateralisedExchange(LOTS_E8)

    def _apply(self, command: Command) -> tuple[Event, ...]:
        events = super()._apply(command)
        for number, member in enumerate(self.twin.members):
            assert self.account(number).collateral == member.collateral
        return events


class CollateralAmongTrades(Trading):
    """Assets come, count, move between accounts, are sold for debts, and go."""

    def new_floor(self) -> Floor:
        return Collateralised()

    @initialize()
    def open(self) -> None:
        """Two perpetuals are quoted; accounts 1 and 2 have ether and debts."""
        self.floor = open_floor(0, floor=self.new_floor())
        for number, cash in enumerate(CASH):
            self.floor.open_account(cash, owner_of(max(number - 1, 0)))
        self.floor.mark(0, BTC_INDEX)
        self.floor.mark(1, ETH_INDEX)
        for asset in (ETH, WBTC, USDT):
            self.list_asset_by(asset, tight=False)
        for number in (PERP, ETH_PERP):
            self.place_both(MAKER, ((number, 1),), 5, 600, Terms(life_s=30 * DAY_S))
        for debtor in (1, 2):
            self.floor.withdraw(debtor, CASH[debtor])
            self.owe(debtor, ETH)

    @rule(asset=st.sampled_from((ETH, WBTC, USDT)), tight=st.booleans())
    def list_asset(self, asset: int, tight: bool) -> None:
        """With new haircuts and cap."""
        self.list_asset_by(asset, tight)

    def list_asset_by(self, asset: int, tight: bool) -> None:
        initial, maintenance = (3_000, 2_500) if tight else (2_000, 1_000)
        terms = {"initial_e4": initial, "maintenance_e4": maintenance, "discount_e4": 500}
        cap = 2 * TOKEN if tight else 50 * TOKEN
        if asset == ETH:
            events = self.floor.list_asset(asset, cap_micro=cap, **terms)
        elif asset == WBTC:
            events = self.floor.list_asset(
                asset, b"WBTC", decimals=8, underlying=0, cap_micro=cap, **terms
            )
        else:
            events = self.floor.list_asset(
                asset, b"USDT", decimals=6, kind=0, underlying=255, cap_micro=1_000 * cap, **terms
            )
        assert was_accepted(events)

    @rule(account=accounts, asset=st.sampled_from(ASSETS), amount=st.integers(1, 30 * TOKEN))
    def put_in(self, account: int, asset: int, amount: int) -> None:
        assert was_accepted(self.floor.deposit(account, amount, asset))

    @rule(account=accounts, asset=st.sampled_from(ASSETS), percent=st.integers(1, 104))
    def take_out(self, account: int, asset: int, percent: int) -> None:
        free = self.free(account, asset)
        self.floor.withdraw(account, max(free * percent // 100, 1), asset=asset)

    @rule(
        pair=st.sampled_from(OWNED),
        asset=st.sampled_from((ETH, WBTC, USDT)),
        percent=st.integers(1, 104),
        salt=st.integers(1, 5),
    )
    def move(self, pair: tuple[int, int], asset: int, percent: int, salt: int) -> None:
        giver, taker = pair
        is_known = asset in self.floor.state.portfolio.collateral.assets
        if not is_known and asset not in self.floor.account(giver).collateral:
            return  # the twin knows no fields that are wrong in themselves
        amount = max(self.free(giver, asset) * percent // 100, 1)
        self.floor.transfer_cash(giver, taker, amount, asset=asset, salt=salt)

    @rule(account=accounts, asset=st.sampled_from((ETH, ETH, WBTC, USDT)))
    def go_into_debt(self, account: int, asset: int) -> None:
        self.owe(account, asset)

    def owe(self, account: int, asset: int) -> None:
        """Collateral comes and cash goes, as far as it may: into options, on margin."""
        self.floor.deposit(account, 20 * TOKEN, asset)
        for lots in (100, 25):
            self.floor.sell(MAKER, 30_000_000, lots, ETH_PUT)
            self.floor.buy(account, 30_000_000, lots, ETH_PUT)

    @rule(
        buyer=st.sampled_from((MAKER, MAKER, 0, 2)),
        pick=st.integers(0, 9),
        asset=st.sampled_from((ETH, ETH, ETH, *ASSETS)),
        most=st.sampled_from((1, 10**7, 10**9, 2**62, 2**62)),
        least=st.sampled_from((1, 1, 1, 10**6)),
        times=st.integers(1, 2),
    )
    def convert(self, buyer: int, pick: int, asset: int, most: int, least: int, times: int) -> None:
        """From somebody who owes, where there is one; now and then the same message again."""
        found = self.floor.state.accounts
        owing = [number for number, account in found.items() if account.cash_micro < 0]
        debtor = owing[pick % len(owing)] if owing and pick else pick % len(CASH)
        for _ in range(times):
            self.floor.convert(buyer, debtor, asset, most, least, salt=1_000 + pick)

    @rule(percent=st.integers(50, 180))
    def ether_moves(self, percent: int) -> None:
        self.floor.mark(1, ETH_INDEX * percent // 100)

    def free(self, account: int, asset: int) -> int:
        return free_collateral_micro(self.floor.state, self.floor.account(account), asset)

    def teardown(self) -> None:
        state = self.floor.state
        for asset, credited in state.credited_assets.items():
            held = sum(account.collateral.get(asset, 0) for account in state.accounts.values())
            assert held + state.withdrawn_assets.get(asset, 0) == credited


CollateralAmongTrades.TestCase.settings = settings(stateful_step_count=30, max_examples=10)
TestCollateralAndItsTwin = CollateralAmongTrades.TestCase


@settings(max_examples=25)
@given(
    st.sampled_from((ETH, ETH, WBTC, USDT)),
    st.integers(70, 140),
    st.lists(
        st.tuples(
            st.sampled_from((MAKER, MAKER, 0)),
            st.sampled_from((1, 10**6, 10**9, 2**62)),
            st.sampled_from((1, 1, 10**5)),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_debt_is_sold_out_of_as_the_twin_says(
    asset: int, percent: int, offers: list[tuple[int, int, int]]
) -> None:
    """One debtor, an index that has moved, and buyers who take little, much, or too much."""
    life = CollateralAmongTrades()
    life.open()
    life.owe(1, asset)
    life.ether_moves(percent)
    for buyer, most, least in offers:
        life.floor.convert(buyer, 1, asset, most, least)
        life.floor.transfer_cash(1, 0, max(life.free(1, asset), 1), asset=asset)
