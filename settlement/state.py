"""The state whose root is posted: accounts with their positions and orders, markets, and totals.

Holds: trees say what the dictionaries and lists beside them say; a position is never zero;
`payload` is the leaf of docs/protocol.md, 5; the root is section 5's of this state.
Never: decides whether a change is lawful (`ledger.py` does).
"""

from __future__ import annotations

from typing import Final

from margin.fees import FeeSchedule
from matching.instruments import CALL, FUTURE, NO_EXPIRY, PUT
from settlement.inbox import EMPTY_INBOX_HASH, chained
from settlement.leaves import (
    NO_KEYS_HASH,
    UNDERLYING_KEYS,
    account_payload,
    collateral_payload,
    expiry_payload,
    global_hash,
    market_payload,
    order_payload,
    parameter_hash,
    position_payload,
    state_root,
    totals_payload,
    underlying_payload,
    withdrawal_payload,
)
from settlement.record_types import Fill
from settlement.tree import Proof, Tree

USDC: Final = 0
"""The asset that is cash."""
OPEN: Final = 0
"""The status of every market, and of an account that is not being liquidated."""
NO_SVI: Final = (0, 0, 0, 0, 0)


class Position:
    """Signed lots, and the accrual per long lot up to which cash has had its share."""

    __slots__ = ("accrual_seen_micro", "quantity_lots")

    def __init__(self, quantity_lots: int, accrual_seen_micro: int) -> None:
        self.quantity_lots = quantity_lots
        self.accrual_seen_micro = accrual_seen_micro


class OpenedOrder:
    """An order that was bound to a slot by its hash; lots filled (units for a combo)."""

    __slots__ = ("filled_lots", "hash_prefix")

    def __init__(self, hash_prefix: bytes) -> None:
        self.hash_prefix = hash_prefix
        self.filled_lots = 0


class AssetTotals:
    """What came in and went out of an asset that is not cash, in micro-units."""

    __slots__ = ("credited_micro", "withdrawn_micro")

    def __init__(self) -> None:
        self.credited_micro = 0
        self.withdrawn_micro = 0


class Account:
    """One account: cash in micro-USDC, micro-units of other assets by number, positions by
    instrument, opened orders by slot.
    """

    __slots__ = (
        "cash_micro",
        "collateral",
        "collateral_tree",
        "counter",
        "key_hash",
        "number",
        "order_tree",
        "orders",
        "owner",
        "position_tree",
        "positions",
        "status",
    )

    def __init__(self, number: int, owner: bytes) -> None:
        self.number = number
        self.owner = owner
        self.cash_micro = 0
        self.counter = 0
        self.key_hash = NO_KEYS_HASH
        self.status = OPEN
        self.collateral: dict[int, int] = {}
        self.collateral_tree = Tree()
        self.positions: dict[int, Position] = {}
        self.position_tree = Tree()
        self.orders: dict[int, OpenedOrder] = {}
        self.order_tree = Tree()

    def change_collateral(self, asset: int, amount_micro: int) -> None:
        """Adds signed micro-units of an asset; the balance stays at zero or above."""
        balance = self.collateral.get(asset, 0) + amount_micro
        if balance:
            self.collateral[asset] = balance
            self.collateral_tree.set(asset, collateral_payload(balance))
        elif asset in self.collateral:
            del self.collateral[asset]
            self.collateral_tree.delete(asset)

    def trade(self, market: Market, lots: int) -> None:
        """Changes a position by signed lots. It is settled up to the market's accrual, or new."""
        position = self.positions.get(market.number)
        if position is None:
            self.positions[market.number] = Position(lots, market.accrual_micro)
            self.position_tree.set(market.number, position_payload(lots, market.accrual_micro))
            return
        lots += position.quantity_lots
        if lots:
            position.quantity_lots = lots
            self.position_tree.set(market.number, position_payload(lots, market.accrual_micro))
        else:
            self.close(market)

    def bring_up(self, market: Market) -> None:
        """Marks a position as settled up to the market's accrual."""
        position = self.positions[market.number]
        position.accrual_seen_micro = market.accrual_micro
        self.position_tree.set(
            market.number, position_payload(position.quantity_lots, market.accrual_micro)
        )

    def close(self, market: Market) -> None:
        del self.positions[market.number]
        self.position_tree.delete(market.number)

    def open_order(self, slot: int, hash_prefix: bytes) -> None:
        self.orders[slot] = OpenedOrder(hash_prefix)
        self.order_tree.set(slot, order_payload(hash_prefix, 0))

    def advance_order(self, slot: int, lots: int) -> None:
        order = self.orders[slot]
        order.filled_lots += lots
        self.order_tree.set(slot, order_payload(order.hash_prefix, order.filled_lots))

    def forget_order(self, slot: int) -> None:
        del self.orders[slot]
        self.order_tree.delete(slot)

    def payload(self) -> bytes:
        return account_payload(
            self.owner,
            self.cash_micro,
            self.collateral_tree.root(),
            self.position_tree.root(),
            len(self.positions),
            self.order_tree.root(),
            len(self.orders),
            self.key_hash,
            self.counter,
            self.status,
        )


class Underlying:
    """An asset with its index, micro-USDC per lot, 0 before the first, and the level of warning
    that its makers' fees are at.
    """

    __slots__ = ("fee_level", "index_micro", "lot_e8", "mark_time_s", "name", "number")

    def __init__(self, number: int, name: bytes, lot_e8: int) -> None:
        self.number = number
        self.name = name
        self.lot_e8 = lot_e8
        self.index_micro = 0
        self.mark_time_s = 0
        self.fee_level = 0

    def payload(self) -> bytes:
        return underlying_payload(
            self.name, self.lot_e8, self.index_micro, self.mark_time_s, self.fee_level
        )


class Expiry:
    """A moment of settlement, its mark (`svi` is a, b, rho, m, sigma in Q30) and, once there is
    one, its settlement price, micro-USDC per lot.
    """

    __slots__ = (
        "epoch",
        "expiry_time_s",
        "forward_micro",
        "number",
        "settlement_micro",
        "svi",
        "underlying",
    )

    def __init__(self, number: int, underlying: int, expiry_time_s: int) -> None:
        self.number = number
        self.underlying = underlying
        self.expiry_time_s = expiry_time_s
        self.forward_micro = 0
        self.svi: tuple[int, int, int, int, int] = NO_SVI
        self.epoch = 0
        self.settlement_micro: int | None = None

    def payload(self) -> bytes:
        return expiry_payload(
            self.underlying,
            self.expiry_time_s,
            self.forward_micro,
            self.svi,
            self.settlement_micro,
            self.epoch,
        )


class Market:
    """An instrument and what a long lot of it has accrued; `expiry` None for a perpetual."""

    __slots__ = (
        "accrual_micro",
        "carry_micro",
        "expiry",
        "is_linear",
        "kind",
        "number",
        "strike_micro",
        "tick_value_micro",
        "underlying",
    )

    def __init__(
        self,
        number: int,
        kind: int,
        underlying: Underlying,
        expiry: Expiry | None,
        strike_micro: int,
        tick_value_micro: int,
    ) -> None:
        self.number = number
        self.kind = kind
        self.is_linear = kind <= FUTURE
        self.underlying = underlying
        self.expiry = expiry
        self.strike_micro = strike_micro
        self.tick_value_micro = tick_value_micro
        self.accrual_micro = 0
        self.carry_micro = 0

    @property
    def settlement_micro(self) -> int | None:
        return None if self.expiry is None else self.expiry.settlement_micro

    @property
    def is_marked(self) -> bool:
        """Whether there is an index for the fee and, of a linear instrument, a mark to carry, of
        an option, a forward.
        """
        if self.expiry is None or self.is_linear:
            mark_micro = self.carry_micro
        else:
            mark_micro = self.expiry.forward_micro
        return bool(self.underlying.index_micro and mark_micro)

    def payoff_micro(self, settlement_micro: int) -> int:
        """What a long lot receives at expiry beyond its accrual."""
        if self.kind == CALL:
            return max(settlement_micro - self.strike_micro, 0)
        if self.kind == PUT:
            return max(self.strike_micro - settlement_micro, 0)
        return 0

    def payload(self) -> bytes:
        return market_payload(
            self.kind,
            self.underlying.number,
            NO_EXPIRY if self.expiry is None else self.expiry.number,
            self.strike_micro,
            self.tick_value_micro,
            OPEN,
            self.accrual_micro,
            self.carry_micro,
        )


class State:
    """Everything under the state root. Cash and totals in micro-USDC.

    `genesis_body` is the body of the Genesis command, whose hash binds the parameters; `fees` is
    what it says of fees.
    """

    def __init__(self, genesis_body: bytes, fees: FeeSchedule) -> None:
        self.fees = fees
        self.parameters = parameter_hash(genesis_body)
        self.time_s = 0
        self.accounts: list[Account] = []
        self.underlyings: dict[int, Underlying] = {}
        self.expiries: dict[int, Expiry] = {}
        self.markets: dict[int, Market] = {}
        self.cash_micro = 0
        """Of all accounts."""
        self.accrued_micro = 0
        """Not yet settled into cash; see `liabilities`."""
        self.fee_micro = 0
        self.insurance_micro = 0
        self.residue_micro = 0
        self.credited_micro = 0
        self.withdrawn_micro = 0
        self.assets: dict[int, AssetTotals] = {}
        """By number, of every asset but USDC that was ever deposited."""
        self.inbox_cursor = 0
        self.inbox_hash = EMPTY_INBOX_HASH
        self.withdrawal_count = 0
        self.open_legs: list[Fill] = []
        """Of a combo that no COMBO_FILLED has closed yet."""
        self.latest_mark_s = 0
        self.latest_settled_s = 0
        """The latest mark time and the latest expiry time of a settled expiry: no batch that holds
        them can be earlier."""
        self._touched: dict[int, Account] = {}
        self._accounts_tree = Tree()
        self._markets_tree = Tree()
        self._expiries_tree = Tree()
        self._totals_tree = Tree()
        self._withdrawals_tree = Tree()

    # CHANGES

    def touch(self, account: Account) -> None:
        """Notes that an account's leaf is behind."""
        self._touched[account.number] = account

    def add_account(self, owner: bytes) -> None:
        account = Account(len(self.accounts), owner)
        self.accounts.append(account)
        self.touch(account)

    def credit(self, account: Account, amount_micro: int) -> None:
        account.cash_micro += amount_micro
        self.cash_micro += amount_micro
        self.credited_micro += amount_micro
        self._update_totals()
        self.touch(account)

    def credit_asset(self, account: Account, asset: int, amount_micro: int) -> None:
        """The same of an asset that is not cash."""
        account.change_collateral(asset, amount_micro)
        totals = self.assets.setdefault(asset, AssetTotals())
        totals.credited_micro += amount_micro
        self._update_asset(asset, totals)
        self.touch(account)

    def withdraw(self, account: Account, amount_micro: int) -> None:
        """Takes cash from an account for the next withdrawal leaf."""
        account.cash_micro -= amount_micro
        self.cash_micro -= amount_micro
        self.withdrawn_micro += amount_micro
        self._update_totals()
        self._add_withdrawal(account, USDC, amount_micro)

    def withdraw_asset(self, account: Account, asset: int, amount_micro: int) -> None:
        """The same of an asset that is not cash."""
        account.change_collateral(asset, -amount_micro)
        totals = self.assets[asset]
        totals.withdrawn_micro += amount_micro
        self._update_asset(asset, totals)
        self._add_withdrawal(account, asset, amount_micro)

    def _add_withdrawal(self, account: Account, asset: int, amount_micro: int) -> None:
        self.touch(account)
        self._withdrawals_tree.set(
            self.withdrawal_count,
            withdrawal_payload(account.number, account.owner, asset, amount_micro),
        )
        self.withdrawal_count += 1

    def consume(self, entry: bytes) -> None:
        """Takes the next entry of the inbox."""
        self.inbox_cursor += 1
        self.inbox_hash = chained(self.inbox_hash, entry)

    def update_underlying(self, underlying: Underlying) -> None:
        self.underlyings[underlying.number] = underlying
        self._expiries_tree.set(UNDERLYING_KEYS + underlying.number, underlying.payload())

    def update_expiry(self, expiry: Expiry) -> None:
        self.expiries[expiry.number] = expiry
        self._expiries_tree.set(expiry.number, expiry.payload())

    def update_market(self, market: Market) -> None:
        self.markets[market.number] = market
        self._markets_tree.set(market.number, market.payload())

    def _update_totals(self) -> None:
        self._totals_tree.set(USDC, totals_payload(self.credited_micro, self.withdrawn_micro))

    def _update_asset(self, asset: int, totals: AssetTotals) -> None:
        payload = totals_payload(totals.credited_micro, totals.withdrawn_micro)
        self._totals_tree.set(asset, payload)

    # ROOTS AND PROOFS

    def root(self) -> bytes:
        """The state root. Hashes what changed since the last call."""
        return state_root(self.accounts_root(), self.global_hash())

    def accounts_root(self) -> bytes:
        self._write_accounts()
        return self._accounts_tree.root()

    def global_hash(self) -> bytes:
        return global_hash(
            self.time_s,
            self._markets_tree.root(),
            self._expiries_tree.root(),
            self.fee_micro,
            self.insurance_micro,
            self.residue_micro,
            self._totals_tree.root(),
            self.inbox_cursor,
            self.inbox_hash,
            self._withdrawals_tree.root(),
            self.withdrawal_count,
            len(self.accounts),
            self.parameters,
        )

    def withdrawal_root(self) -> bytes:
        return self._withdrawals_tree.root()

    def account_proof(self, account: int) -> Proof:
        """Of an account's leaf under the accounts root."""
        self._write_accounts()
        return self._accounts_tree.proof(account)

    def _write_accounts(self) -> None:
        for number, account in self._touched.items():
            self._accounts_tree.set(number, account.payload())
        self._touched.clear()

    # CONSERVATION

    def liabilities(self) -> int:
        """What the exchange owes, micro-USDC: all cash, accrued balances and unsettled payoffs,
        fee, insurance and residue cash. Equals credited - withdrawn.

        The accrued part is, over positions of q lots that saw the accrual at s,

            sum of q (accrual + payoff - s)  =  sum over markets of (accrual + payoff) Q - W

        with Q = sum of q, W = sum of q s in that market, payoff 0 until the expiry is settled.
        It is kept in one number that changes only when a position is settled, by what cash gets:
        * A fill needs both sides settled up, s = accrual; it adds q and -q at the same s: neither Q
          nor W changes. So Q = 0 until positions are closed by settlement.
        * A new accrual changes the sum by its rise times Q, a settlement price by payoff times Q.
          Both come before the first position of an expired market is closed (a future's is not
          closed before its accrual has reached the settlement price, after which the accrual
          rests): Q = 0, and the sum stays.
        * Settling a position moves q (accrual + payoff - s) from the sum to cash.
        """
        return (
            self.cash_micro
            + self.accrued_micro
            + self.fee_micro
            + self.insurance_micro
            + self.residue_micro
        )

    def recount(self) -> int:
        """`liabilities`, summed anew over every account and position."""
        owed = self.fee_micro + self.insurance_micro + self.residue_micro
        for account in self.accounts:
            owed += account.cash_micro
            for number, position in account.positions.items():
                market = self.markets[number]
                per_lot = market.accrual_micro - position.accrual_seen_micro
                if market.settlement_micro is not None:
                    per_lot += market.payoff_micro(market.settlement_micro)
                owed += position.quantity_lots * per_lot
        return owed

    def recount_asset(self, asset: int) -> int:
        """What accounts hold of an asset that is not cash, summed anew, micro-units. Equals
        credited - withdrawn of that asset.
        """
        return sum(account.collateral.get(asset, 0) for account in self.accounts)
