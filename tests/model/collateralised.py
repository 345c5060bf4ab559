"""An exchange in which more than cash counts, as one would explain it: slow twin of
`exchange/handlers/collateral.py` and of what accounts and transfers do with collateral.

Holds: an asset counts by exact fractions (`tests/model/collateral.py`); whether some of it may
leave, or be sold, it finds out by moving it on a copy of itself and computing the margin anew; how
much is free at most, by halving, is left to say what a refusal allows.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from exchange import commands as c
from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from matching import rejects as r
from matching.rejects import Reject
from tests.model import collateral as worth
from tests.model.exchange import Exchange, Member
from tests.model.portfolio import Values
from tests.model.transfers import TransferringExchange

STABLE: Final = 0xFF
BASE: Final = 55
MARK_AGE_S = 60
"""How old a mark may be for what it values to be sold."""
ALLOWANCE_MICRO: Final = 100 * 10**6
"""Owing less, nobody is sold out."""


class CollateralisedExchange(TransferringExchange):
    """An exchange whose accounts have assets beside cash, listed or not."""

    def __init__(self, lots_e8: tuple[int, ...]) -> None:
        super().__init__()
        self.lots_e8 = lots_e8
        self.assets: dict[int, tuple[worth.Terms, int]] = {}
        """Terms and the underlying of each that is listed."""

    def apply(self, command: Command) -> list[Event]:
        if isinstance(command, c.ListAsset):
            return self.act(command, self.list_asset)
        if isinstance(command, c.ConvertCollateral):
            return self.act(command, self.convert)
        if isinstance(command, c.CreditDeposit) and command.asset:
            return self.act(command, self.credit)
        if isinstance(command, c.RequestWithdrawal) and command.asset:
            return self.act(command, self.withdraw)
        return super().apply(command)

    # MARGIN

    def beside(self, member: Member) -> dict[int, Values]:
        total: dict[int, Values] = {}
        for terms, underlying, balance in self.counted(member):
            if not terms.is_stable:
                moved = worth.scenarios(terms, balance, self.marks.index_micro[underlying])
                before = total.get(underlying, [0] * len(moved))
                total[underlying] = [a + b for a, b in zip(before, moved, strict=True)]
        return total

    def constant(self, member: Member) -> int:
        """Of a stable what initial margin counts; of what moves, how much less it counts than the
        scan does where nothing moves.
        """
        total = 0
        for terms, underlying, balance in self.counted(member):
            index = self.marks.index_micro.get(underlying, 0)
            total += worth.initial(terms, balance, index)
            if not terms.is_stable:
                total -= worth.scenarios(terms, balance, index)[BASE]
        return total

    def counted(self, member: Member) -> list[tuple[worth.Terms, int, int]]:
        """Balances of what is listed and has a price."""
        return [
            (*self.assets[asset], balance)
            for asset, balance in member.collateral.items()
            if asset in self.assets
            and (self.assets[asset][0].is_stable or self.assets[asset][1] in self.marks.index_micro)
        ]

    # WHAT IS DONE

    def list_asset(self, command: c.ListAsset) -> Reject | None:
        is_stable = command.underlying == STABLE
        terms = worth.Terms(
            is_stable,
            1 if is_stable else self.lots_e8[command.underlying],
            command.initial_haircut_e4,
            command.maintenance_haircut_e4,
            command.cap_micro,
            command.discount_e4,
        )
        self.assets[command.asset] = terms, command.underlying
        self.events.append(e.AssetListed(*(getattr(command, n) for n in TERMS)))
        return None

    def credit(self, command: c.CreditDeposit) -> Reject | None:
        self.inbox += 1
        self.give(command.account, command.asset, command.amount_micro)
        balance = self.balance(command.account, command.asset)
        told = (command.account, command.asset, command.amount_micro, balance)
        self.events.append(e.DepositCredited(*told))
        return None

    def withdraw(self, command: c.RequestWithdrawal) -> Reject | None:
        account, asset, amount = command.account, command.asset, command.amount_micro
        if command.signer != self.members[account].owner:
            return Reject(r.WRONG_SIGNER, account)
        if command.message_hash in self.taken:
            return Reject(r.MESSAGE_ALREADY_USED)
        if not self.is_free(account, asset, amount):
            return Reject(r.COLLATERAL_NOT_FREE, amount, self.most_free(account, asset))
        self.take_accrued(account)
        self.give(account, asset, -amount)
        self.taken.append(command.message_hash)
        left = self.balance(account, asset)
        self.events.append(e.WithdrawalRequested(account, asset, amount, self.withdrawals, left))
        self.withdrawals += 1
        return None

    def convert(self, command: c.ConvertCollateral) -> Reject | None:
        """Brings the debtor's cash towards zero by what the buyer pays for his collateral."""
        buyer, debtor, asset = command.account, command.debtor, command.asset
        if command.signer != self.members[buyer].owner:
            return Reject(r.WRONG_SIGNER, buyer)
        if buyer == debtor:
            return Reject(r.OWN_DEBT, debtor)
        reject = self.spent(command)
        if reject is not None:
            return reject
        terms, underlying = self.assets.get(asset, (None, 0))
        if terms is None or not (terms.is_stable or underlying in self.marks.index_micro):
            return Reject(r.ASSET_NOT_FOR_SALE, asset)
        marked_s, oldest_s = self.marks.marked_s.get(underlying, 0), self.time_s - MARK_AGE_S
        if not terms.is_stable and marked_s < oldest_s:
            return Reject(r.MARKS_TOO_OLD, marked_s, oldest_s)
        trial = deepcopy(self)
        trial.take_accrued(buyer)
        trial.take_accrued(debtor)
        owed = -trial.members[debtor].cash_micro
        if owed <= ALLOWANCE_MICRO:
            return Reject(r.NOT_IN_DEBT, -owed, -ALLOWANCE_MICRO)
        held = self.balance(debtor, asset)
        index = self.marks.index_micro.get(underlying, 0)
        most = min(owed, command.paid_most_micro)
        cash, tokens = worth.sale(terms, index, held, most)
        paid, amount = (-(-cash // 1), held) if tokens == held else (most, tokens // 1)
        least = max(command.received_least_micro, 1)
        if amount < least:
            return Reject(r.TOO_LITTLE_RECEIVED, amount, least)
        if paid > trial.members[buyer].cash_micro:
            return Reject(r.CASH_SHORT, paid, trial.members[buyer].cash_micro)
        before = self.excess(buyer), self.excess(debtor)
        trial.pay(buyer, debtor, paid)
        trial.give(debtor, asset, -amount)
        trial.give(buyer, asset, amount)
        after = trial.excess(buyer), trial.excess(debtor)
        if after[1] < before[1]:
            return Reject(r.DEBTOR_WORSE, after[1], before[1])
        if after[0] < 0 and after[0] < before[0]:
            return Reject(r.MARGIN, -after[0], before[0])
        trial.used[command.message_hash] = command.expiry_s
        cashes = (trial.members[buyer].cash_micro, trial.members[debtor].cash_micro)
        told = (buyer, debtor, asset, amount, paid, *cashes, before[1], after[1])
        trial.events.append(e.CollateralConverted(*told))
        self.__dict__ = trial.__dict__
        return None

    def tries(
        self, command: c.TransferCash | c.TransferPosition, before: Exchange
    ) -> Reject | None:
        if not isinstance(command, c.TransferCash) or not command.asset:
            return super().tries(command, before)
        giver, taker = command.account, command.to_account
        asset, amount = command.asset, command.amount_micro
        if not self.is_free(giver, asset, amount):
            return Reject(r.COLLATERAL_NOT_FREE, amount, self.most_free(giver, asset))
        self.used[command.message_hash] = command.expiry_s
        self.take_accrued(giver)
        self.give(giver, asset, -amount)
        self.give(taker, asset, amount)
        left = (self.balance(giver, asset), self.balance(taker, asset))
        self.events.append(e.CashTransferred(giver, taker, asset, amount, *left))
        return None

    # BALANCES

    def balance(self, account: int, asset: int) -> int:
        return self.members[account].collateral.get(asset, 0)

    def give(self, account: int, asset: int, amount: int) -> None:
        balances = self.members[account].collateral
        balances[asset] = balances.get(asset, 0) + amount
        assert balances[asset] >= 0
        if not balances[asset]:
            del balances[asset]

    def pay(self, giver: int, taker: int, amount: int) -> None:
        self.members[giver].cash_micro -= amount
        self.members[taker].cash_micro += amount

    def is_free(self, account: int, asset: int, amount: int) -> bool:
        if amount > self.balance(account, asset):
            return False
        trial = deepcopy(self)
        trial.give(account, asset, -amount)
        return trial.excess(account) >= 0

    def most_free(self, account: int, asset: int) -> int:
        least, most = 0, self.balance(account, asset)
        while least < most:
            middle = (least + most + 1) // 2
            least, most = (
                (middle, most) if self.is_free(account, asset, middle) else (least, middle - 1)
            )
        return least


TERMS: Final = (
    "asset",
    "name",
    "decimals",
    "kind",
    "underlying",
    "initial_haircut_e4",
    "maintenance_haircut_e4",
    "cap_micro",
    "discount_e4",
)
