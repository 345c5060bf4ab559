"""Assets other than cash that count as margin: what a balance is worth, scenario by scenario.

An asset is a stable, which is worth a dollar in every scenario, or of an underlying, which moves
with that underlying's index: then it hedges what is short there, in the same scan. Of its worth a
haircut is left out: the maintenance haircut in the scan, the rest of the initial haircut (and, of a
stable, the peg charge) as a charge of initial margin (docs/collateral.md).

Holds: a price is rounded down and a value is rounded down, so that neither ever favours the
account; a value never falls as the amount grows; what is beyond the asset's cap counts nothing; an
asset of an underlying without an index, and one that is not listed, counts nothing.
Never: decides anything; moves a balance's tokens.
"""

from typing import Final, NamedTuple

import numpy as np

from margin.accounts import Account
from margin.kernel import Vector, add_worth, at_base, vector_of, zero_vector
from margin.parameters import PEG_CHARGE_E4
from margin.rows import Integers, price_linear
from margin.scenarios import SCENARIO_COUNT

STABLE: Final = 0
OF_UNDERLYING: Final = 1
KIND_NAMES: Final = ("stable", "underlying")

WHOLE_E4: Final = 10_000
PRICE_BITS: Final = 24
"""A price is micro-USDC for a micro-unit of the asset, times 2^24: of a token at a tenth of a cent
it still has four digits."""
MAX_PRICE_Q24: Final = (1 << 46) - 1
MAX_WORTH_MICRO: Final = 1 << 50
"""What the cap of an account may be worth at the largest price: a billion dollars, so that vectors
stay below 2^62 with many assets in them. [house]"""


class Asset:
    """An asset's terms; haircuts and discount in 1e-4 of its worth, the cap in micro-units,
    `lot_e8` units of its underlying in a lot, times 1e8. Of an asset of an underlying, `prices` are
    the maintenance prices by scenario, `initial_q24` the initial price where nothing moves,
    `index_micro` what they were made from; a stable has zeros there.
    """

    __slots__ = (
        "cap_micro",
        "decimals",
        "discount_e4",
        "index_micro",
        "initial_haircut_e4",
        "initial_q24",
        "kind",
        "lot_e8",
        "maintenance_haircut_e4",
        "name",
        "number",
        "prices",
        "underlying",
    )

    def __init__(
        self,
        number: int,
        name: str,
        decimals: int,
        kind: int,
        underlying: int,
        lot_e8: int,
        initial_haircut_e4: int,
        maintenance_haircut_e4: int,
        cap_micro: int,
        discount_e4: int,
    ) -> None:
        self.number = number
        self.name = name
        self.decimals = decimals
        self.kind = kind
        self.underlying = underlying
        self.lot_e8 = lot_e8
        self.initial_haircut_e4 = initial_haircut_e4
        self.maintenance_haircut_e4 = maintenance_haircut_e4
        self.cap_micro = cap_micro
        self.discount_e4 = discount_e4
        self.index_micro = 0
        self.prices: Vector = zero_vector()
        self.initial_q24 = 0

    def identity(self) -> tuple[str, int, int, int]:
        """What it is for good."""
        return self.name, self.decimals, self.kind, self.underlying

    def terms(self) -> tuple[str, int, int, int, int, int, int, int]:
        """The same, and what may be set anew."""
        return (
            *self.identity(),
            self.initial_haircut_e4,
            self.maintenance_haircut_e4,
            self.cap_micro,
            self.discount_e4,
        )

    def reprice(self, index_micro: int) -> None:
        """Takes a new index of its underlying. A stable has none, and its worth no price."""
        if self.kind == OF_UNDERLYING:
            self.index_micro = index_micro
            self.prices = vector_of(scenario_prices_q24(self, index_micro))
            keeps = WHOLE_E4 - self.initial_haircut_e4
            self.initial_q24 = price_down_q24(self, index_micro, keeps)


class Worth(NamedTuple):
    """What a balance counts, micro-USDC: in the scan where nothing moves, and what initial margin
    charges of it for its haircut and for its peg.
    """

    scan_micro: int
    haircut_micro: int
    peg_micro: int


# PURE


def price_down_q24(asset: Asset, level_micro: int, keeps_e4: int) -> int:
    """What a micro-unit counts at an index of `level_micro` per lot where a share of `keeps_e4` is
    left of it, times 2^24, rounded down.

    amount / 1e6 tokens x 1e8 / lot_e8 lots x level x keeps / 1e4 = amount x level x keeps /
    (100 lot_e8).
    """
    return (level_micro * keeps_e4 << PRICE_BITS) // (100 * asset.lot_e8)


def scenario_prices_q24(asset: Asset, index_micro: int) -> Integers:
    """Maintenance prices by scenario, int64[119]: the index moved as a perpetual's is, so a tail
    counts damped, as what it hedges.
    """
    keeps = WHOLE_E4 - asset.maintenance_haircut_e4
    levels = [index_micro + move for move in price_linear(index_micro).tolist()]
    return np.array([price_down_q24(asset, level, keeps) for level in levels], dtype=np.int64)


def counted_micro(asset: Asset, balance_micro: int) -> int:
    """Of a balance, what is within the asset's cap."""
    return min(balance_micro, asset.cap_micro)


def worth_down_micro(amount_micro: int, price_q24: int) -> int:
    """An amount at a price, micro-USDC, rounded down."""
    return amount_micro * price_q24 >> PRICE_BITS


def add_scenarios(vector: Vector, asset: Asset, balance_micro: int) -> None:
    """vector += what a balance counts in each scenario, in place."""
    add_worth(vector, asset.prices, counted_micro(asset, balance_micro))


def worth_of(asset: Asset, balance_micro: int) -> Worth:
    """What a balance counts where nothing moves, and what initial margin charges of it. A stable's
    token is a dollar, so its worth is rounded down once.
    """
    amount = counted_micro(asset, balance_micro)
    if asset.kind == STABLE:
        keeps = WHOLE_E4 - asset.initial_haircut_e4
        scan = amount * (WHOLE_E4 - asset.maintenance_haircut_e4) // WHOLE_E4
        initial = amount * keeps // WHOLE_E4
        return Worth(scan, scan - initial, initial - amount * (keeps - PEG_CHARGE_E4) // WHOLE_E4)
    scan = worth_down_micro(amount, int(at_base(asset.prices)))
    return Worth(scan, scan - worth_down_micro(amount, asset.initial_q24), 0)


# SALE: what another pays for collateral of an account that owes cash


class Sale(NamedTuple):
    """So much cash for so much of an asset."""

    paid_micro: int
    amount_micro: int


def sale_price(asset: Asset) -> tuple[int, int]:
    """The index less the discount, micro-USDC for a micro-unit, as (numerator, denominator); zero
    for an asset of an underlying without an index.
    """
    share = WHOLE_E4 - asset.discount_e4
    if asset.kind == STABLE:
        return share, WHOLE_E4
    return asset.index_micro * share, 100 * asset.lot_e8


def sale_of(asset: Asset, held_micro: int, paid_most_micro: int) -> Sale:
    """What `paid_most_micro` buys of `held_micro`, at the index less the discount: the amount
    rounded down, and where all that is held is not worth it, the cash rounded up. Both favour who
    is sold out.
    """
    numerator, denominator = sale_price(asset)
    amount = paid_most_micro * denominator // numerator
    if amount <= held_micro:
        return Sale(paid_most_micro, amount)
    return Sale(-(-held_micro * numerator // denominator), held_micro)


# ACCOUNTS


class CollateralBook:
    """The listed assets, and what accounts' balances count by them. `holders` are the accounts with
    any asset, listed or not, by number.

    Of each account it keeps `Risk.collateral`, within `Risk.value`, for assets of an underlying;
    `collateral_worth_micro` for stables, the same in every scenario; `collateral_charge_micro`,
    which initial margin asks for haircuts and pegs.
    """

    __slots__ = ("assets", "by_underlying", "holders")

    def __init__(self) -> None:
        self.assets: dict[int, Asset] = {}
        self.by_underlying: dict[int, list[int]] = {}
        self.holders: dict[int, Account] = {}

    def take(self, asset: Asset, index_micro: int) -> None:
        """A new asset, or new terms of one that is listed, for whoever holds it already."""
        asset.reprice(index_micro)
        if asset.number not in self.assets and asset.kind == OF_UNDERLYING:
            self.by_underlying.setdefault(asset.underlying, []).append(asset.number)
        self.assets[asset.number] = asset
        for account in self.holders.values():
            if asset.number in account.collateral:
                self._count(account, asset)

    def reprice(self, underlying: int, index_micro: int) -> None:
        """A new index, for whoever holds an asset of the underlying."""
        moved = [
            self.assets[number]
            for number in self.by_underlying.get(underlying, ())
            if self.assets[number].index_micro != index_micro
        ]
        for asset in moved:
            asset.reprice(index_micro)
        if moved:
            for account in self.holders.values():
                if self.counts(account, underlying):
                    self._count(account, moved[0])

    def counts(self, account: Account, underlying: int) -> bool:
        """Whether the account has an asset of an underlying."""
        for number in self.by_underlying.get(underlying, ()):
            if number in account.collateral:
                return True
        return False

    def underlyings_of(self, account: Account) -> list[int]:
        """The underlyings whose index the account's collateral is counted at."""
        return [number for number in self.by_underlying if self.counts(account, number)]

    def vector_of(self, account: Account, underlying: int) -> Vector:
        """What the account's balances of assets of an underlying count in each scenario."""
        total = zero_vector()
        for number in self.by_underlying.get(underlying, ()):
            balance = account.collateral.get(number, 0)
            if balance:
                add_scenarios(total, self.assets[number], balance)
        return total

    def values_at(self, account: Account, underlying: int, index_micro: int) -> Integers:
        """The same at another index than the present: int64[119]."""
        total = np.zeros(SCENARIO_COUNT, dtype=np.int64)
        for number in self.by_underlying.get(underlying, ()):
            asset, balance = self.assets[number], account.collateral.get(number, 0)
            prices = scenario_prices_q24(asset, index_micro).tolist()
            amount = counted_micro(asset, balance)
            total += np.array([worth_down_micro(amount, price) for price in prices])
        return total

    def sale_worth_micro(self, account: Account) -> int:
        """What all of an account's collateral would bring if it were sold, beyond caps too; each
        asset's rounded down.
        """
        worth = 0
        for number, balance in account.collateral.items():
            asset = self.assets.get(number)
            if asset is not None:
                numerator, denominator = sale_price(asset)
                worth += balance * numerator // denominator
        return worth

    def _count(self, account: Account, asset: Asset) -> None:
        """Counts the account's balances anew, after something about an asset of it changed."""
        if asset.kind == OF_UNDERLYING:
            vector = self.vector_of(account, asset.underlying)
            account.risk(asset.underlying).count_collateral(vector)
        self.sum_constants(account)

    def sum_constants(self, account: Account) -> None:
        """Counts anew what is the same in every scenario."""
        worth = charge = 0
        for number, balance in account.collateral.items():
            asset = self.assets.get(number)
            if asset is not None:
                counts = worth_of(asset, balance)
                charge += counts.haircut_micro + counts.peg_micro
                if asset.kind == STABLE:
                    worth += counts.scan_micro
        account.collateral_worth_micro = worth
        account.collateral_charge_micro = charge

    def change(self, account: Account, number: int, amount_micro: int) -> None:
        """Adds signed micro-units of an asset to the account's balance, listed or not."""
        balance = account.collateral.get(number, 0) + amount_micro
        assert balance >= 0, "a balance is never below zero"
        if balance:
            account.collateral[number] = balance
            self.holders[account.number] = account
        else:
            account.collateral.pop(number, None)
            if not account.collateral:
                self.holders.pop(account.number, None)
        asset = self.assets.get(number)
        if asset is not None:
            self._count(account, asset)
