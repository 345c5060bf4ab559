"""Snapshots of assets and of what accounts hold of them, for the doors.

Holds: integers in protocol units; what is free is found by trying, and each try is taken back, so
the state is after it what it was before.
Never: decides anything.
"""

from exchange.handlers.accounts import free_collateral_micro
from exchange.state import State
from exchange.venue import AssetView, CollateralView
from margin.accounts import Account
from margin.collateral import Worth, counted_micro, worth_of

_NOTHING = Worth(0, 0, 0)


def assets(state: State) -> list[AssetView]:
    """Every listed asset, by number."""
    return [
        AssetView(
            number,
            asset.name,
            asset.decimals,
            asset.kind,
            None if asset.lot_e8 == 0 else state.underlyings[asset.underlying].name,
            asset.initial_haircut_e4,
            asset.maintenance_haircut_e4,
            asset.cap_micro,
            asset.discount_e4,
        )
        for number, asset in sorted(state.portfolio.collateral.assets.items())
    ]


def collateral(state: State, account: Account) -> tuple[CollateralView, ...]:
    """What an account holds, listed or not, by number."""
    listed = state.portfolio.collateral.assets
    views: list[CollateralView] = []
    for number, balance in sorted(account.collateral.items()):
        asset = listed.get(number)
        worth = _NOTHING if asset is None else worth_of(asset, balance)
        views.append(
            CollateralView(
                number,
                "" if asset is None else asset.name,
                balance,
                0 if asset is None else counted_micro(asset, balance),
                worth.scan_micro,
                worth.scan_micro - worth.haircut_micro - worth.peg_micro,
                free_collateral_micro(state, account, number),
            )
        )
    return tuple(views)
