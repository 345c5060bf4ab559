"""What must hold of assets other than cash after every command, said again from terms and index.

Holds: of each asset, balances and what was withdrawn are what was credited, in the engine and, with
no record waiting, in the ledger; what an account counts of its collateral is computed here from
terms, index and balance alone, and compared with what is kept.
Never: changes the state.
"""

from collections.abc import Iterator

from exchange.state import State
from margin.accounts import Account
from margin.collateral import OF_UNDERLYING, STABLE, Asset
from margin.kernel import integers
from margin.parameters import PEG_CHARGE_E4
from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT, damped_micro, moved_micro


def conserved_assets(state: State) -> Iterator[str]:
    """Design decision 2, of every asset but cash."""
    held: dict[int, int] = {}
    for account in state.accounts.values():
        for number, balance in account.collateral.items():
            held[number] = held.get(number, 0) + balance
            if balance <= 0:
                yield f"account {account.number}: keeps {balance} of asset {number}"
    for number in sorted(held | state.credited_assets | state.withdrawn_assets):
        credited = state.credited_assets.get(number, 0)
        withdrawn = state.withdrawn_assets.get(number, 0)
        if held.get(number, 0) + withdrawn != credited:
            yield (
                f"conservation of asset {number}: {held.get(number, 0)} held and {withdrawn}"
                f" withdrawn of {credited} credited"
            )
    yield from _ledger_assets(state)


def _ledger_assets(state: State) -> Iterator[str]:
    ledger = state.ledger
    if ledger is None or state.groups:
        return
    theirs = {n: (sums.credited_micro, sums.withdrawn_micro) for n, sums in ledger.assets.items()}
    ours = {
        n: (sum_, state.withdrawn_assets.get(n, 0)) for n, sum_ in state.credited_assets.items()
    }
    if ours != theirs:
        yield f"ledger: assets credited and withdrawn {theirs}, kept as {ours}"


def _worth(state: State, asset: Asset, amount: int, scenario: int, keeps_e4: int) -> int:
    """What a share of an amount is worth, micro-USDC, rounded down; a micro-unit's price, where an
    index makes it, is rounded down to 24 bits before.
    """
    if asset.kind == STABLE:
        return amount * keeps_e4 // 10**4
    index = state.marks.index_micro.get(asset.underlying, 0)
    level = index + damped_micro(moved_micro(index, scenario) - index, scenario)
    # A token has 1e8 / lot_e8 lots, and 1e6 micro-units.
    lot_e8 = state.underlyings[asset.underlying].lot_e8
    price_q24 = level * 10**8 * keeps_e4 * 2**24 // (lot_e8 * 10**6 * 10**4)
    return amount * price_q24 // 2**24


def _counts(asset: Asset, account: Account) -> int:
    return min(account.collateral.get(asset.number, 0), asset.cap_micro)


def collateral_values(state: State, account: Account, underlying: int) -> list[int]:
    """What the account's assets of an underlying count per scenario."""
    total = [0] * SCENARIO_COUNT
    for asset in state.portfolio.collateral.assets.values():
        if asset.kind == OF_UNDERLYING and asset.underlying == underlying:
            amount, keeps = _counts(asset, account), 10**4 - asset.maintenance_haircut_e4
            if amount:
                for scenario in range(SCENARIO_COUNT):
                    total[scenario] += _worth(state, asset, amount, scenario, keeps)
    return total


def _worths(state: State, account: Account, asset: Asset) -> tuple[int, int]:
    """What the account's balance of an asset counts at the marks in the scan and in initial
    margin.
    """
    amount = _counts(asset, account)
    peg = PEG_CHARGE_E4 if asset.kind == STABLE else 0
    scan, initial = 10**4 - asset.maintenance_haircut_e4, 10**4 - asset.initial_haircut_e4 - peg
    return (
        _worth(state, asset, amount, BASE_SCENARIO, scan),
        _worth(state, asset, amount, BASE_SCENARIO, initial),
    )


def _constants(state: State, account: Account) -> tuple[int, int]:
    """Stables' worth in the scan, and the charge of all assets."""
    worth = charge = 0
    for asset in state.portfolio.collateral.assets.values():
        scan, initial = _worths(state, account, asset)
        charge += scan - initial
        worth += scan if asset.kind == STABLE else 0
    return worth, charge


def initial_stable_micro(state: State, account: Account) -> int:
    """What counts in initial margin whatever the scenario: stables, less the charges of all."""
    worth, charge = _constants(state, account)
    return worth - charge


def stable_micro(state: State, account: Account) -> int:
    """What the scan counts of stables."""
    return _constants(state, account)[0]


def counted_collateral(state: State) -> Iterator[str]:
    """What is kept of what collateral counts."""
    for number, account in state.accounts.items():
        kept = account.collateral_worth_micro, account.collateral_charge_micro
        if kept != (counted := _constants(state, account)):
            yield f"account {number}: stables and charges kept as {kept}, counted {counted}"
        for underlying, risk in account.risks.items():
            values = collateral_values(state, account, underlying)
            if integers(risk.collateral) != values:
                yield f"account {number}, underlying {underlying}: collateral counted otherwise"
