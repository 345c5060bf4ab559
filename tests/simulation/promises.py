"""What clearing promises, held against every command of a simulation.

It is computed from what accounts had before the command and the marks after it, by nothing that
decides.

Holds: a promise that is broken raises; totals are counted for the summary.
Never: changes the state.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange import commands as c
from exchange import events as e
from exchange.collateral_invariants import collateral_values, conserved_assets, stable_micro
from exchange.commands import Command
from exchange.events import Event
from exchange.invariants import check, owed_micro
from exchange.liquidation_invariants import plain_standing
from exchange.state import State
from margin.accounts import STANDARD_MODEL, Account
from margin.collateral import OF_UNDERLYING
from margin.liquidation_parameters import EPOCH_S, LOSS_CAP_ALL_E4, LOSS_CAP_E4, MARK_AGE_S
from margin.parameters import NETTING_PERCENT
from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT
from margin.standing import LIQUIDATING
from tests.floor import of_type

MOVES_MARKS = (c.UpdateMarks, c.ReportPrices, c.AccrueFunding, c.SettleExpiry, c.SettlePerpetual)
ROUNDING_MICRO = 1_000
"""What rounding may leave of a debt that was laid on many lots."""
Integers = NDArray[np.int64]


class Broken(AssertionError):
    """A promise that was not kept."""


class Picture(NamedTuple):
    """What an account had: positions are (lots, accrual seen) by instrument."""

    cash_micro: int
    status: int
    positions: dict[int, tuple[int, int]]
    collateral: dict[int, int]


class Standing(NamedTuple):
    """By the scan, micro-USDC."""

    equity_micro: int
    worst_micro: int

    @property
    def maintenance_micro(self) -> int:
        return -(-self.worst_micro * 80 // 100)


def picture_of(account: Account) -> Picture:
    positions = {n: (p.quantity_lots, p.accrual_seen_micro) for n, p in account.positions.items()}
    return Picture(account.cash_micro, account.status, positions, dict(account.collateral))


def standing_of(state: State, number: int, picture: Picture) -> Standing:
    """Where an account would stand at the marks in force with what it had; collateral as now. In
    the standard model each position, and the collateral of each underlying, is at its own worst.
    """
    account = state.accounts[number]
    equity = picture.cash_micro + stable_micro(state, account)
    values: dict[int, Integers] = {}
    for underlying in range(len(state.underlyings)):
        if account.collateral:
            counted = collateral_values(state, account, underlying)
            values[underlying] = np.array(counted, dtype=np.int64)
        else:
            values[underlying] = np.zeros(SCENARIO_COUNT, dtype=np.int64)
    gross = 0
    apart = sum(int(value.min()) for value in values.values())
    for instrument, (lots, seen) in picture.positions.items():
        gross += abs(lots)
        equity -= lots * seen
        of_this = lots * state.marks.values[instrument]
        apart += int(of_this.min())
        values[state.instruments[instrument].underlying.number] += of_this
    separate = sum(int(value.min()) for value in values.values())
    together = int(np.sum(list(values.values()), axis=0).min())
    base = sum(int(value[BASE_SCENARIO]) for value in values.values())
    netted = separate + (together - separate) * NETTING_PERCENT // 100
    if account.margin_model == STANDARD_MODEL:
        netted = apart
    return Standing(equity + base, (gross + 1) // 2 + base - netted)


class Promises:
    """`before` and `after` are called around every command; every `every`-th is checked whole."""

    def __init__(self, state: State, every: int) -> None:
        self._state = state
        self._every = every
        self._pictures: dict[int, Picture] = {}
        self._marks: dict[int, int] = {}
        self._fund = 0
        self._was_armed = False
        self._lost: dict[int, int] = {}
        self._epoch = -1
        self.count = 0
        self.told: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()
        self.worst_shortfall_micro = 0
        self.lowest_fund_micro = 0
        self.socialised_micro = 0
        self.highest_fund_micro = 0

    def before(self, command: Command) -> None:
        state = self._state
        self._pictures = {n: picture_of(account) for n, account in state.accounts.items()}
        self._fund = state.insurance_cash_micro
        self._was_armed = state.liquidations.is_armed
        self._marks = dict(state.marks.epochs)

    def after(self, command: Command, events: Sequence[Event]) -> None:
        self.count += 1
        for event in events:
            self.told[type(event).__name__] += 1
            if isinstance(event, e.CommandRejected):
                self.refused[event.code] += 1
        try:
            self._check(command, events)
        except Broken as broken:
            raise Broken(f"command {self.count}, {command}: {broken}") from None

    def _check(self, command: Command, events: Sequence[Event]) -> None:
        self._check_sums()
        self._check_fund(events)
        self._check_losses(events)
        self._check_paid_for(events)
        self._check_decided(command, events)
        self._check_held(command)
        self._check_ended(events)
        self._check_bidders(events)
        self._check_refused(command, events)
        self._count_shortfall()
        if self.count % self._every == 0 or of_type(
            events,
            e.Deleveraged,
        ):
            self.check_whole()

    def check_whole(self) -> None:
        for sentence in check(self._state):
            raise Broken(sentence)

    # NOTHING IS MADE OR LOST

    def _check_sums(self) -> None:
        state = self._state
        owed = owed_micro(state) + state.withdrawn_micro
        if owed != state.credited_micro:
            raise Broken(f"{owed} owed and withdrawn of {state.credited_micro} credited")
        for sentence in conserved_assets(state):
            raise Broken(sentence)
        sums: dict[int, int] = {}
        for account in state.accounts.values():
            for number, position in account.positions.items():
                sums[number] = sums.get(number, 0) + position.quantity_lots
        for number, lots in sums.items():
            if lots and not state.instruments[number].is_settled:
                raise Broken(f"open interest of instrument {number} sums to {lots}")

    # WHO PAYS

    def _check_fund(self, events: Sequence[Event]) -> None:
        """The fund is what its events say; nobody solvent loses while it has anything."""
        fund = self._fund
        for event in events:
            if isinstance(event, e.InsuranceFunded):
                fund += event.amount_micro
            elif isinstance(event, e.InsurancePaid):
                fund -= event.amount_micro
            elif isinstance(event, e.Deleveraged) and event.loss_micro and fund:
                raise Broken(f"{event.counterparty} loses while the fund has {fund}")
            if isinstance(event, e.InsuranceFunded | e.InsurancePaid) and fund != event.fund_micro:
                raise Broken(f"the fund has {fund}, its event says {event.fund_micro}")
        if fund != self._state.insurance_cash_micro or fund < 0:
            raise Broken(f"the fund has {self._state.insurance_cash_micro}, its events say {fund}")
        self.lowest_fund_micro = min(self.lowest_fund_micro, fund)
        self.highest_fund_micro = max(self.highest_fund_micro, fund)

    def _check_losses(self, events: Sequence[Event]) -> None:
        """Deleveraging takes no more in an epoch than 5% of an account's equity, 2% of all's; from
        who is bankrupt nothing; and it gives nobody more than the mark.
        """
        state = self._state
        found = of_type(events, e.Deleveraged)
        if not found:
            return
        epoch = state.time_s // EPOCH_S
        if epoch != self._epoch:
            self._epoch, self._lost = epoch, {}
        for event in found:
            free = 0
            if not state.instruments[event.instrument].is_linear:
                free = event.quantity_lots * event.mark_micro
            if event.cash_micro != free + event.loss_micro or event.loss_micro < 0:
                raise Broken(f"{event}: cash is not mark and loss")
            if not event.loss_micro:
                continue
            lost = self._lost.get(event.counterparty, 0)
            cap = (event.equity_micro + lost) * LOSS_CAP_E4 // 10**4
            if event.equity_micro <= 0 or lost + event.loss_micro > cap:
                raise Broken(f"{event}: {lost} lost before, {cap} may be in all")
            self._lost[event.counterparty] = lost + event.loss_micro
            self.socialised_micro += event.loss_micro
        all_lost = sum(self._lost.values())
        equities = sum(
            max(standing_of(state, n, picture_of(a)).equity_micro, 0)
            for n, a in state.accounts.items()
        )
        cap = (equities + all_lost) * LOSS_CAP_ALL_E4 // 10**4
        if all_lost > cap + len(found) and any(event.loss_micro for event in found):
            raise Broken(f"all lost {all_lost} in the epoch, {cap} may be")

    def _check_held(self, command: Command) -> None:
        """A market waits for the next epoch only while lots on it do; looked for at marks."""
        state = self._state
        if not state.liquidations.is_armed or state.marks.epochs == self._marks:
            return
        for underlying, waiting in state.liquidations.halted.items():
            lots = [
                number
                for account in waiting
                for number in state.accounts[account].positions
                if state.instruments[number].underlying.number == underlying
                and not state.instruments[number].is_settled
            ]
            if not lots:
                raise Broken(f"underlying {underlying} is held for {sorted(waiting)}, without lots")

    def _check_paid_for(self, events: Sequence[Event]) -> None:
        """Others pay for nobody who has anything left, his collateral sold at its discount."""
        paid_for = {event.account for event in of_type(events, e.Deleveraged) if event.loss_micro}
        paid_for |= {
            event.account
            for event in of_type(events, e.InsurancePaid)
            if event.reason == e.FOR_DEFICIT
        }
        for number in sorted(paid_for):
            account = self._state.accounts[number]
            equity = standing_of(self._state, number, picture_of(account)).equity_micro
            left = equity + self._unsold_micro(account)
            if left > ROUNDING_MICRO:
                raise Broken(f"others paid for account {number}, which has {left} left")

    def _unsold_micro(self, account: Account) -> int:
        """What a sale of all collateral brings beyond what the scan counts of it."""
        state, brings = self._state, 0
        for number, amount in account.collateral.items():
            asset = state.portfolio.collateral.assets[number]
            price = 10**6
            if asset.kind == OF_UNDERLYING:
                lot_e8 = state.underlyings[asset.underlying].lot_e8
                price = state.marks.index_micro[asset.underlying] * 10**8 // lot_e8
            brings += amount * price * (10**4 - asset.discount_e4) // 10**10
        counted = sum(
            collateral_values(state, account, underlying)[BASE_SCENARIO]
            for underlying in range(len(state.underlyings))
        )
        return brings - counted - stable_micro(state, account)

    # WHO IS LIQUIDATED

    def _check_decided(self, command: Command, events: Sequence[Event]) -> None:
        """At marks that came into force by this command alone; who is below his line then, and
        stands on fresh marks; and nobody else.
        """
        state = self._state
        started = {event.account: event for event in of_type(events, e.LiquidationStarted)}
        moved = [u for u, epoch in state.marks.epochs.items() if epoch != self._marks.get(u, 0)]
        settled = bool(of_type(events, e.ExpirySettled) or of_type(events, e.PerpetualSettled))
        accrued = bool(of_type(events, e.FundingAccrued))
        is_of_marks = bool(moved) or settled or accrued
        if of_type(events, e.CommandRejected) and isinstance(command, MOVES_MARKS):
            is_of_marks = False
        if not is_of_marks:
            if of_type(events, e.LiquidationStarted) or of_type(events, e.MarginCalled):
                raise Broken("called or liquidated, and no mark moved")
            return
        if not self._was_armed:
            if started:
                raise Broken("liquidated while liquidation is held")
            return
        for number, picture in self._pictures.items():
            account = state.accounts[number]
            standing = standing_of(state, number, picture)
            event = started.get(number)
            if event is not None:
                self._check_started(number, picture, standing, event)
            elif (
                picture.status < LIQUIDATING
                and standing.equity_micro < standing.maintenance_micro
                and self._is_fresh(number, picture, standing)
                and any(self._stands_on(account, picture, u) for u in moved)
            ):
                raise Broken(f"account {number} is below maintenance: {standing}, and nothing came")

    def _check_started(
        self, number: int, picture: Picture, standing: Standing, event: e.LiquidationStarted
    ) -> None:
        if picture.status >= LIQUIDATING:
            raise Broken(f"account {number} was under liquidation")
        if standing != (event.equity_micro, event.worst_micro):
            raise Broken(f"account {number}: {standing} beside {event}")
        if standing.equity_micro >= standing.maintenance_micro:
            raise Broken(f"account {number} is liquidated above its maintenance: {standing}")
        if not self._is_fresh(number, picture, standing):
            raise Broken(f"account {number} is liquidated by old marks")

    def _stands_on(self, account: Account, picture: Picture, underlying: int) -> bool:
        state = self._state
        return underlying in state.portfolio.collateral.underlyings_of(account) or any(
            state.instruments[n].underlying.number == underlying for n in picture.positions
        )

    def _is_fresh(self, number: int, picture: Picture, standing: Standing) -> bool:
        """Whether no mark that its positions stand on is older than a minute; an old index of its
        collateral matters where the account would be at its maintenance at twice what that counts.
        """
        state, marks = self._state, self._state.marks.mark_time_s
        oldest = state.time_s - MARK_AGE_S
        held = [state.instruments[n] for n in picture.positions]
        stood_on = {i.underlying.number for i in held if not i.is_settled}
        if any(marks.get(u, 0) < oldest for u in stood_on):
            return False
        account = state.accounts[number]
        old = [
            u
            for u in range(len(state.underlyings))
            if picture.collateral and marks.get(u, 0) < oldest
        ]
        doubtful = sum(collateral_values(state, account, u)[BASE_SCENARIO] for u in old)
        return not doubtful or standing.equity_micro + doubtful < standing.maintenance_micro

    def _check_ended(self, events: Sequence[Event]) -> None:
        """Whoever is let go stands at his line, or has nothing and owes nothing."""
        state = self._state
        for event in of_type(events, e.LiquidationEnded):
            if event.equity_micro < max(event.worst_micro, 0):
                raise Broken(f"{event}: below the call line")
        for number, account in state.accounts.items():
            if account.status >= LIQUIDATING and account.orders:
                raise Broken(f"account {number} has orders under liquidation")

    def _check_bidders(self, events: Sequence[Event]) -> None:
        """A bidder has his initial margin after it, so his equity is not below zero; the fund paid
        him only where there was nothing to sell or nobody came.
        """
        state = self._state
        for event in of_type(events, e.AuctionBidTaken):
            bidder = state.accounts[event.bidder]
            equity, _, _ = plain_standing(state, bidder)
            excess = state.portfolio.excess_micro(bidder)
            if equity < 0 or excess < 0:
                raise Broken(f"bidder {event.bidder} stands at {equity}, excess {excess}")
            if event.fund_micro and not event.is_insolvent:
                raise Broken(f"{event}: the fund paid for a portfolio that is worth something")

    def _check_refused(self, command: Command, events: Sequence[Event]) -> None:
        if not of_type(events, e.CommandRejected):
            return
        for number, account in self._state.accounts.items():
            was = self._pictures.get(number)
            if was is not None and was != picture_of(account):
                raise Broken(f"a refused command moved account {number}")

    # HOW DEEP

    def _count_shortfall(self) -> None:
        if self.count % 20:
            return
        self.worst_shortfall_micro = max(self.worst_shortfall_micro, self.shortfall_micro())

    def shortfall_micro(self) -> int:
        """What insolvent accounts owe beyond what the fund has."""
        state = self._state
        owed = sum(
            max(-standing_of(state, n, picture_of(a)).equity_micro, 0)
            for n, a in state.accounts.items()
        )
        return max(owed - state.insurance_cash_micro, 0)
