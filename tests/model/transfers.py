"""Transfers as one would explain them: slow twin of `exchange/handlers/transfers.py`.

Holds: an exchange of single instruments (`tests/model/exchange.py`); whether cash or lots may move
it finds out by moving them on a copy of itself and computing both accounts' margin anew.
"""

from __future__ import annotations

from copy import deepcopy

from exchange import commands as c
from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from matching import rejects as r
from matching.rejects import Reject
from tests.model.exchange import MOST_LOTS, MOST_POSITIONS, Exchange
from tests.model.portfolio import Held

LONGEST_LIFE_S = 30 * 24 * 60 * 60


class TransferringExchange(Exchange):
    """An exchange whose owners move things between their accounts."""

    def apply(self, command: Command) -> list[Event]:
        if not isinstance(command, c.TransferCash | c.TransferPosition):
            return super().apply(command)
        self.events, self.time_ns = [], command.time_ns
        self._expire()
        trial = deepcopy(self)
        reject = self.refuses(command) or trial.tries(command, self)
        if reject is None:
            self.__dict__ = trial.__dict__
        else:
            self.events.append(e.CommandRejected(command.account, command.message_hash, *reject))
        self.finish(command)
        return self.events

    def refuses(self, command: c.TransferCash | c.TransferPosition) -> Reject | None:
        giver = self.members[command.account]
        if command.signer != giver.owner:
            return Reject(r.WRONG_SIGNER, command.account)
        if command.account == command.to_account:
            return Reject(r.TRANSFER_TO_ITSELF, command.account)
        if self.members[command.to_account].owner != giver.owner:
            return Reject(r.OTHER_OWNER, command.to_account, command.account)
        if isinstance(command, c.TransferPosition):
            number, lots = command.instrument, command.quantity_lots
            if self.marks.instruments[number].settlement_micro is not None:
                return Reject(r.INSTRUMENT_NOT_OPEN, number)
            held = giver.held.get(number, Held(0, 0)).lots
            there = max(0, held if command.side == 0 else -held)
            if lots > there:
                return Reject(r.LOTS_NOT_HELD, lots, there)
        return self.spent(command)

    def spent(
        self, command: c.TransferCash | c.TransferPosition | c.ConvertCollateral
    ) -> Reject | None:
        """Whether its time is over, too far, or it was taken already."""
        if command.expiry_s <= self.time_s:
            return Reject(r.MESSAGE_EXPIRED, command.expiry_s, self.time_s)
        latest = self.time_s + LONGEST_LIFE_S
        if command.expiry_s > latest:
            return Reject(r.EXPIRY_TOO_FAR, command.expiry_s, latest)
        return Reject(r.MESSAGE_ALREADY_USED) if command.message_hash in self.used else None

    def tries(
        self, command: c.TransferCash | c.TransferPosition, before: Exchange
    ) -> Reject | None:
        """Moves it here, and says what speaks against that; the caller drops this copy then."""
        giver, taker = command.account, command.to_account
        self.used[command.message_hash] = command.expiry_s
        self.take_accrued(giver)
        if isinstance(command, c.TransferCash):
            amount = command.amount_micro
            spare = max(0, min(self.members[giver].cash_micro, before.excess(giver)))
            if amount > spare:
                return Reject(r.TRANSFER_TOO_LARGE, amount, spare)
            self.members[giver].cash_micro -= amount
            self.members[taker].cash_micro += amount
            cash = (self.members[giver].cash_micro, self.members[taker].cash_micro)
            self.events.append(e.CashTransferred(giver, taker, 0, amount, *cash))
            return None
        self.take_accrued(taker)
        number = command.instrument
        lots = command.quantity_lots if command.side == 0 else -command.quantity_lots
        self.shift(giver, number, -lots)
        self.shift(taker, number, lots)
        if len(self.members[taker].held) > MOST_POSITIONS:
            return Reject(r.TOO_MANY_POSITIONS, taker, MOST_POSITIONS)
        if self.lots_of(taker) > MOST_LOTS:
            return Reject(r.TOO_MANY_LOTS, self.lots_of(taker), MOST_LOTS)
        left, given = self.excess(giver), self.excess(taker)
        if left < 0:
            return Reject(r.GIVER_SHORT, -left, before.excess(giver))
        if given < 0 and given < before.excess(taker):
            return Reject(r.RECEIVER_SHORT, -given, before.excess(taker))
        position = [
            self.members[n].held[number].lots if number in self.members[n].held else 0
            for n in (giver, taker)
        ]
        self.events.append(e.PositionTransferred(giver, taker, number, lots, *position))
        return None

    def shift(self, account: int, number: int, lots: int) -> None:
        held = self.members[account].held
        lots += held[number].lots if number in held else 0
        held.pop(number, None) if not lots else held.update(
            {number: Held(lots, self.marks.instruments[number].accrual_micro)}
        )
