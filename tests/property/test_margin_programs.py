"""Margin kept step by step against margin counted at once, whatever happened before: fills, combos,
marks, funding, expiries, models, tiers, transfers, assets that come, go, are sold, and whose terms
change.

After every command each account is held against itself from scratch: an account that is laid anew
upon the marks, with the same cash, positions, assets and orders, and against the integers of
`exchange/invariants.py`. So is what the fast paths say: bounds are never better than the truth, and
a shadow of what-if is the account.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from exchange.handlers.accounts import free_collateral_micro
from exchange.invariants import excess_micro
from exchange.liquidation_invariants import plain_standing
from margin.accounts import Account, Position
from margin.requirement import half_up, least_worth_micro
from margin.what_if import Change, after_trades, released_by_closing, shadow_of
from matching.orders import Order
from tests.floor import Floor, was_accepted
from tests.property.trading import WholeExchange, accounts

WBTC, ETH, USDT, UNLISTED = 1, 2, 3, 9
ASSETS = st.sampled_from((WBTC, ETH, USDT, UNLISTED))
TERMS = {WBTC: (b"WBTC", 8, 1, 0), ETH: (b"ETH", 18, 1, 1), USDT: (b"USDT", 6, 0, 255)}


def list_asset(floor: Floor, asset: int, cap_micro: int, maintenance_e4: int) -> bool:
    name, decimals, kind, underlying = TERMS[asset]
    return was_accepted(
        floor.list_asset(
            asset,
            name,
            decimals=decimals,
            kind=kind,
            underlying=underlying,
            initial_e4=maintenance_e4 + 500,
            maintenance_e4=maintenance_e4,
            cap_micro=cap_micro,
            discount_e4=100,
        )
    )


def laid_anew(floor: Floor, account: Account, without: int = -1) -> Account:
    """The same account as nobody ever touched it: what it keeps of the past is left out, and one
    instrument's position if asked.
    """
    fresh = Account(account.number, account.owner, account.owner_number)
    fresh.cash_micro = account.cash_micro
    portfolio = floor.state.portfolio
    for underlying in account.risks:
        fresh.risk(underlying)
    for number, position in account.positions.items():
        if number != without:
            lots, seen = position.quantity_lots, position.accrual_seen_micro
            fresh.positions[number] = Position(lots, seen)
            fresh.gross_lots += abs(lots)
            fresh.basis_micro += lots * seen
    fresh.set_margin(account.margin_model, account.risk_tier)
    holders = dict(portfolio.collateral.holders)
    for asset, amount in account.collateral.items():
        portfolio.collateral.change(fresh, asset, amount)
    portfolio.collateral.holders = holders
    for order in account.orders.values():
        portfolio.rest(fresh, as_new(order))
    return fresh


def as_new(order: Order) -> Order:
    """With what it has left."""
    return Order(
        order.order_id,
        order.hash,
        order.account,
        order.book,
        order.side,
        order.price_ticks,
        order.price_micro,
        order.remaining_lots,
        order.max_fee_micro,
        order.expiry_s,
        order.flags,
    )


class MarginLife(WholeExchange):
    """A whole exchange, whose accounts have other assets than cash, and move what they have."""

    @initialize()
    def open(self) -> None:
        super().open()
        for asset, cap in ((WBTC, 10**9), (ETH, 10**9), (USDT, 10**11)):
            assert list_asset(self.floor, asset, cap, 1_500)
        self.floor.deposit(0, 3 * 10**6, ETH)
        self.floor.deposit(1, 10**6, WBTC)
        self.floor.deposit(2, 2_000 * 10**6, USDT)

    def new_floor(self) -> Floor:
        return Floor(watched=False)

    @rule(account=accounts, asset=ASSETS, amount=st.integers(1, 5 * 10**6))
    def deposit_an_asset(self, account: int, asset: int, amount: int) -> None:
        self.floor.deposit(account, amount, asset)

    @rule(account=accounts, asset=ASSETS, percent=st.integers(1, 102))
    def withdraw_an_asset(self, account: int, asset: int, percent: int) -> None:
        free = free_collateral_micro(self.floor.state, self.floor.account(account), asset)
        self.floor.withdraw(account, max(free * percent // 100, 1), asset=asset)

    @rule(account=accounts, debtor=accounts, asset=ASSETS, most=st.integers(1, 10**10))
    def buy_an_asset(self, account: int, debtor: int, asset: int, most: int) -> None:
        self.floor.convert(account, debtor, asset, most)

    @rule(
        asset=st.sampled_from((WBTC, ETH, USDT)),
        cap=st.sampled_from((0, 10**5, 10**9)),
        maintenance_e4=st.sampled_from((0, 1_000, 2_500)),
    )
    def change_an_assets_terms(self, asset: int, cap: int, maintenance_e4: int) -> None:
        assert list_asset(self.floor, asset, cap, max(maintenance_e4, 100))

    @rule(
        account=accounts,
        other=accounts,
        asset=st.sampled_from((0, WBTC, ETH, USDT)),
        amount=st.integers(1, 10**9),
        pick=st.integers(0, 8),
        percent=st.integers(1, 100),
    )
    def hand_over(
        self, account: int, other: int, asset: int, amount: int, pick: int, percent: int
    ) -> None:
        """Cash or an asset, and a part of a position, to another account."""
        self.floor.transfer_cash(account, other, amount, asset=asset)
        positions = self.floor.account(account).positions
        if positions:
            number = list(positions)[pick % len(positions)]
            lots = positions[number].quantity_lots
            part = max(abs(lots) * percent // 100, 1)
            self.floor.transfer_position(account, other, number, part if lots > 0 else -part)

    @invariant()
    def every_account_is_what_it_is_from_scratch(self) -> None:
        floor, portfolio = self.floor, self.floor.state.portfolio
        for account in floor.state.accounts.values():
            kept = portfolio.requirement(account)
            assert kept.excess_micro == excess_micro(floor.state, account)
            anew = laid_anew(floor, account)
            assert portfolio.requirement(anew) == kept
            assert portfolio.breakdown(anew) == portfolio.breakdown(account)
            standing = portfolio.scan_standing(account)
            found = standing.equity_micro, standing.worst_micro, standing.maintenance_micro
            assert found == plain_standing(floor.state, account)
            assert portfolio.requirement(shadow_of(account)) == kept
            if account.is_plain:
                bound = account.initial_constant_micro()
                bound -= half_up(account.gross_lots + account.open_lots)
                for underlying in account.risks:
                    risk = portfolio.open_orders.fresh_risk(account, underlying)
                    bound += least_worth_micro(risk)
                assert bound <= kept.excess_micro

    def teardown(self) -> None:
        """At the end, what closing a position would free is what an account without it needs
        less.
        """
        portfolio = self.floor.state.portfolio
        for account in self.floor.state.accounts.values():
            before = portfolio.requirement(account)
            for release in released_by_closing(portfolio, account):
                is_settled = self.floor.state.instruments[release.instrument].is_settled
                closed = -1 if is_settled else release.instrument
                then = portfolio.requirement(laid_anew(self.floor, account, closed))
                assert before.initial_micro - then.initial_micro == release.initial_micro
                freed = before.maintenance_micro - then.maintenance_micro
                assert freed == release.maintenance_micro
            change = after_trades(portfolio, account, [])
            assert isinstance(change, Change)
            assert change.before == change.after == before


MarginLife.TestCase.settings = settings(max_examples=15, stateful_step_count=30)
TestALifeOfMargin = MarginLife.TestCase
