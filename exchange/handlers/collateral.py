"""Assets that count as margin: their terms, and the sale of collateral of who owes cash.

Holds: an asset's terms are within the bounds that vectors rest on; what an asset is stays as it was
listed, its haircuts, cap and discount may be set anew; collateral is sold only where cash, with all
that has accrued, is further below zero than the allowance, for no less than the index less the
discount, and never so that the debtor's excess falls or its cash rises above zero; whoever buys
keeps initial margin whole and pays with cash that is there (docs/collateral.md).
Never: sells by itself, or asks interest on negative cash.
"""

from collections.abc import Callable
from typing import Final

from exchange import events
from exchange.commands import ConvertCollateral, ListAsset
from exchange.handlers.accounts import accrued_micro, check_signer, settle_all
from exchange.handlers.recovery import check_not_liquidated, end_if_recovered
from exchange.handlers.refusal import refuse
from exchange.handlers.taken_once import check_once, take_once
from exchange.state import State
from margin.accounts import Account
from margin.collateral import (
    MAX_PRICE_Q24,
    MAX_WORTH_MICRO,
    OF_UNDERLYING,
    PRICE_BITS,
    STABLE,
    WHOLE_E4,
    Asset,
    Sale,
    price_down_q24,
    sale_of,
)
from margin.liquidation_parameters import MARK_AGE_S
from margin.parameters import (
    CONVERSION_ALLOWANCE_MICRO,
    MAX_FORWARD_MICRO,
    PEG_CHARGE_E4,
    SCAN_WIDTH_PERCENT,
)
from margin.standing import LIQUIDATING
from matching.rejects import (
    ASSET_IS_FIXED,
    ASSET_NOT_FOR_SALE,
    ASSET_NUMBER,
    ASSET_OUT_OF_BOUNDS,
    CASH_SHORT,
    DEBTOR_WORSE,
    MARGIN,
    MARKS_TOO_OLD,
    NOT_IN_DEBT,
    OWN_DEBT,
    TOO_LITTLE_RECEIVED,
    UNKNOWN_ACCOUNT,
    Reject,
)
from matching.trading_states import OPEN
from settlement import records

Emit = Callable[[events.Event], None]

MAX_ASSET: Final = 255
NO_UNDERLYING: Final = 0xFF
"""Of a stable."""
LEAST_DECIMALS: Final = 6
MOST_DECIMALS: Final = 18
"""What the Vault lists: a micro-unit is a whole number of the token's smallest units."""


# LISTING


def list_asset(state: State, command: ListAsset, emit: Emit) -> None:
    # CHECK
    reject = _check_number_and_name(command) or _check_kind(state, command)
    reject = reject or _check_terms(command)
    if reject is None:
        reject = _check_asset(state, _asset_of(state, command))
    if reject is not None:
        refuse(emit, reject)
        return
    # MARGIN
    asset = _asset_of(state, command)
    index_micro = state.marks.index_micro.get(asset.underlying, 0)
    state.portfolio.collateral.take(asset, index_micro)
    # EMIT
    emit(
        events.AssetListed(
            command.asset,
            command.name,
            command.decimals,
            command.kind,
            command.underlying,
            command.initial_haircut_e4,
            command.maintenance_haircut_e4,
            command.cap_micro,
            command.discount_e4,
        )
    )


def _check_number_and_name(command: ListAsset) -> Reject | None:
    if not 0 < command.asset <= MAX_ASSET:
        return Reject(ASSET_NUMBER, command.asset, MAX_ASSET)
    name = command.name.rstrip(b"\0")
    if not (name.isalnum() and name.isascii() and name == name.upper()):
        return Reject(ASSET_OUT_OF_BOUNDS, 2)
    if not LEAST_DECIMALS <= command.decimals <= MOST_DECIMALS:
        return Reject(ASSET_OUT_OF_BOUNDS, 3)
    return None


def _check_kind(state: State, command: ListAsset) -> Reject | None:
    if command.kind == STABLE:
        return None if command.underlying == NO_UNDERLYING else Reject(ASSET_OUT_OF_BOUNDS, 5)
    if command.kind != OF_UNDERLYING:
        return Reject(ASSET_OUT_OF_BOUNDS, 4)
    if command.underlying >= len(state.underlyings):
        return Reject(ASSET_OUT_OF_BOUNDS, 5)
    return None


def _check_terms(command: ListAsset) -> Reject | None:
    """Initial margin leaves at least as much out as the scan does, and something is left of it
    after the scan's largest fall and the peg; a sale at the discount is no worse than the scan.
    """
    initial, maintenance = command.initial_haircut_e4, command.maintenance_haircut_e4
    peg = PEG_CHARGE_E4 if command.kind == STABLE else 0
    if initial + peg > WHOLE_E4:
        return Reject(ASSET_OUT_OF_BOUNDS, 6)
    if maintenance > initial:
        return Reject(ASSET_OUT_OF_BOUNDS, 7)
    falls = SCAN_WIDTH_PERCENT if command.kind == OF_UNDERLYING else 0
    if (WHOLE_E4 - initial) * 100 < (WHOLE_E4 - maintenance) * falls:
        return Reject(ASSET_OUT_OF_BOUNDS, 6)
    if command.discount_e4 > maintenance or command.discount_e4 == WHOLE_E4:
        return Reject(ASSET_OUT_OF_BOUNDS, 9)
    return None


def _check_asset(state: State, asset: Asset) -> Reject | None:
    """At the largest index that there can be, moved as far as the scan moves it, a price and all
    that one account may count stay within what vectors hold. What is listed stays what it is.
    """
    price = 1 << PRICE_BITS
    if asset.kind == OF_UNDERLYING:
        largest = MAX_FORWARD_MICRO * (100 + SCAN_WIDTH_PERCENT) // 100 + 1
        price = price_down_q24(asset, largest, WHOLE_E4)
    if price > MAX_PRICE_Q24:
        return Reject(ASSET_OUT_OF_BOUNDS, 5)
    if asset.cap_micro * price >> PRICE_BITS > MAX_WORTH_MICRO:
        return Reject(ASSET_OUT_OF_BOUNDS, 8)
    known = state.portfolio.collateral.assets.get(asset.number)
    if known is not None and known.identity() != asset.identity():
        return Reject(ASSET_IS_FIXED, asset.number)
    return None


def _asset_of(state: State, command: ListAsset) -> Asset:
    lot_e8 = 0
    if command.kind == OF_UNDERLYING:
        lot_e8 = state.underlyings[command.underlying].lot_e8
    return Asset(
        command.asset,
        command.name.rstrip(b"\0").decode("ascii"),
        command.decimals,
        command.kind,
        command.underlying,
        lot_e8,
        command.initial_haircut_e4,
        command.maintenance_haircut_e4,
        command.cap_micro,
        command.discount_e4,
    )


# CONVERSION


def convert_collateral(state: State, command: ConvertCollateral, emit: Emit) -> None:
    # CHECK
    reject = _check_parties(state, command)
    if reject is None:
        reject = check_once(state, command.expiry_s, command.message_hash)
    if reject is None:
        reject = _check_for_sale(state, command.asset)
    if reject is None:
        reject = _check_debt(state, state.accounts[command.debtor])
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    buyer, debtor = state.accounts[command.account], state.accounts[command.debtor]
    sale = _sale(state, command, debtor)
    # MARGIN
    before = state.portfolio.excess_micro(debtor)
    reject = _check_sale(state, command, sale, buyer) or _move(state, command, sale, buyer, debtor)
    if reject is not None:
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    take_once(state, command.expiry_s, command.message_hash)
    settle_all(state, buyer, emit)
    settle_all(state, debtor, emit)
    state.record(
        records.cash_moved_record(buyer.number, debtor.number, 0, sale.paid_micro),
        records.collateral_moved_record(
            debtor.number, buyer.number, command.asset, sale.amount_micro
        ),
    )
    emit(
        events.CollateralConverted(
            buyer.number,
            debtor.number,
            command.asset,
            sale.amount_micro,
            sale.paid_micro,
            buyer.cash_micro,
            debtor.cash_micro,
            before,
            state.portfolio.excess_micro(debtor),
        )
    )
    end_if_recovered(state, debtor, emit)


def cash_with_accrued_micro(state: State, account: Account) -> int:
    """Cash, with all that positions have accrued taken."""
    return account.cash_micro + sum(
        accrued_micro(state, state.instruments[number], account) for number in account.positions
    )


def _check_parties(state: State, command: ConvertCollateral) -> Reject | None:
    reject = check_signer(state, command.account, command.signer)
    if reject is not None:
        return reject
    if command.debtor not in state.accounts:
        return Reject(UNKNOWN_ACCOUNT, command.debtor, len(state.accounts))
    if command.debtor == command.account:
        return Reject(OWN_DEBT, command.debtor)
    return check_not_liquidated(state.accounts[command.account])


def _check_for_sale(state: State, number: int) -> Reject | None:
    """The index is believed only while its underlying trades, and not for long."""
    asset = state.portfolio.collateral.assets.get(number)
    if asset is None:
        return Reject(ASSET_NOT_FOR_SALE, number)
    trades = state.trading.of_underlying(asset.underlying) == OPEN
    if not trades or (asset.kind == OF_UNDERLYING and not asset.index_micro):
        return Reject(ASSET_NOT_FOR_SALE, number)
    marked_s, oldest_s = state.marks.mark_time_s.get(asset.underlying, 0), state.time_s - MARK_AGE_S
    if asset.kind == OF_UNDERLYING and marked_s < oldest_s:
        return Reject(MARKS_TOO_OLD, marked_s, oldest_s)
    return None


def _check_debt(state: State, debtor: Account) -> Reject | None:
    """Who is liquidated is allowed nothing: what it owes would stay."""
    cash = cash_with_accrued_micro(state, debtor)
    least = 0 if debtor.status >= LIQUIDATING else -CONVERSION_ALLOWANCE_MICRO
    return Reject(NOT_IN_DEBT, cash, least) if cash >= least else None


def _sale(state: State, command: ConvertCollateral, debtor: Account) -> Sale:
    """As much as brings the debtor's cash to zero, or as the buyer pays for, or as there is."""
    asset = state.portfolio.collateral.assets[command.asset]
    owed = -cash_with_accrued_micro(state, debtor)
    held = debtor.collateral.get(command.asset, 0)
    return sale_of(asset, held, min(owed, command.paid_most_micro))


def _check_sale(
    state: State, command: ConvertCollateral, sale: Sale, buyer: Account
) -> Reject | None:
    least = max(command.received_least_micro, 1)
    if sale.amount_micro < least:
        return Reject(TOO_LITTLE_RECEIVED, sale.amount_micro, least)
    cash = cash_with_accrued_micro(state, buyer)
    return Reject(CASH_SHORT, sale.paid_micro, cash) if sale.paid_micro > cash else None


def _move(
    state: State, command: ConvertCollateral, sale: Sale, buyer: Account, debtor: Account
) -> Reject | None:
    """Moves cash and collateral, and back again where margin forbids it."""
    portfolio = state.portfolio
    before = portfolio.excess_micro(buyer), portfolio.excess_micro(debtor)
    _exchange(state, command.asset, sale.paid_micro, sale.amount_micro, buyer, debtor)
    after = portfolio.excess_micro(buyer), portfolio.excess_micro(debtor)
    reject = None
    if after[1] < before[1]:
        reject = Reject(DEBTOR_WORSE, after[1], before[1])
    elif after[0] < 0 and after[0] < before[0]:
        reject = Reject(MARGIN, -after[0], before[0])
    if reject is not None:
        _exchange(state, command.asset, -sale.paid_micro, -sale.amount_micro, buyer, debtor)
    return reject


def _exchange(
    state: State, asset: int, paid_micro: int, amount_micro: int, buyer: Account, debtor: Account
) -> None:
    buyer.cash_micro -= paid_micro
    buyer.paid_in_micro -= paid_micro
    debtor.cash_micro += paid_micro
    debtor.paid_in_micro += paid_micro
    state.portfolio.collateral.change(debtor, asset, -amount_micro)
    state.portfolio.collateral.change(buyer, asset, amount_micro)
