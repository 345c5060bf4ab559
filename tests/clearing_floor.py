"""A trading floor on which liquidation is armed, and what its stories say to it.

Holds: as on every floor, each command is checked; here also that nobody above the call line was
touched but by his own command or as a counterparty, and that the fund is never below zero.
"""

from collections.abc import Sequence
from typing import Final

from exchange import commands as c
from exchange import events as e
from exchange.codec import decode_event
from exchange.events import Event
from margin.accounts import Account
from margin.standing import ScanStanding
from matching.orders import BUY, SELL
from settlement.account_messages import BidAuction, FundInsurance
from settlement.signed_messages import struct_hash
from tests.floor import BTC_INDEX, NO_SIGNATURE, Floor, open_floor

RICH: Final = 10**14
NO_LIMIT: Final = (1 << 62) - 1


class ClearingFloor(Floor):
    """Deleveraging may lower the margin excess of others, so that check is left to the twins."""

    def excesses(self) -> dict[int, int]:
        return {}

    def margin_broken(self, excesses: dict[int, int]) -> list[str]:
        return []

    def _apply(self, command: c.Command) -> tuple[Event, ...]:
        events = super()._apply(command)
        assert self.state.insurance_cash_micro >= 0
        return events

    def events_since(self, first: int) -> list[Event]:
        """All events from the `first` on."""
        found: list[Event] = []
        for data in self.events[first:]:
            event = decode_event(data)
            assert isinstance(event, Event)
            found.append(event)
        return found

    def arm_liquidation(self, is_armed: int = 1) -> tuple[Event, ...]:
        return self.send(c.SetLiquidation(self.time_ns, is_armed))

    def bid(
        self,
        bidder: int,
        auction: int,
        share_e6: int = 1_000_000,
        *,
        least_e6: int = 1,
        price_micro: int = NO_LIMIT,
        salt: int | None = None,
        life_s: int = 60,
        signer: bytes | None = None,
    ) -> tuple[Event, ...]:
        if salt is None:
            self._salt += 1
            salt = self._salt
        message = BidAuction(
            bidder, auction, share_e6, least_e6, price_micro, salt, self.time_s + life_s
        )
        signer = self.owner(bidder) if signer is None else signer
        return self.send(
            c.BidAuction(self.time_ns, *message, struct_hash(message), signer, NO_SIGNATURE)
        )

    def insure(
        self, account: int, amount_micro: int, *, salt: int | None = None, life_s: int = 60
    ) -> tuple[Event, ...]:
        if salt is None:
            self._salt += 1
            salt = self._salt
        message = FundInsurance(account, amount_micro, salt, self.time_s + life_s)
        return self.send(
            c.FundInsurance(
                self.time_ns, *message, struct_hash(message), self.owner(account), NO_SIGNATURE
            )
        )

    def trade(self, buyer: int, seller: int, instrument: int, lots: int) -> None:
        """At the mark, or a tick beside it."""
        price = self.near(instrument)
        self.sell(seller, price, lots, instrument)
        self.buy(buyer, price, lots, instrument)

    def index(self, percent_e2: int, underlying: int = 0) -> tuple[Event, ...]:
        """Marks BTC at so many hundredths of a percent of where it began."""
        return self.mark(underlying, BTC_INDEX * percent_e2 // 10_000)

    def standing(self, account: int) -> ScanStanding:
        return self.state.portfolio.scan_standing(self.account(account))

    def make_book(
        self, maker: int, instrument: int, lots: int, levels: int = 3, away_e4: int = 5
    ) -> None:
        """Both sides around the mark, each further level as far again, in 1e-4 of the index."""
        state = self.state
        listed = state.instruments[instrument]
        index = state.marks.index_micro[listed.underlying.number]
        mark, tick = state.marks.mark_micro(listed), listed.tick_value_micro
        for level in range(1, levels + 1):
            away = index * away_e4 * level // 10_000
            if mark - away >= tick:
                self.buy(maker, (mark - away) // tick * tick, lots, instrument)
            self.sell(maker, -(-(mark + away) // tick) * tick, lots, instrument)


def clearing_floor(
    cash_micro: Sequence[int], *, watched: bool = True, fund_micro: int = 0
) -> ClearingFloor:
    """Accounts with cash, by number; the last is rich and has funded the insurance fund."""
    floor = ClearingFloor(watched=watched)
    open_floor(0, floor=floor)
    for cash in (*cash_micro, RICH):
        floor.open_account(cash)
    floor.arm_liquidation()
    if fund_micro:
        floor.insure(len(cash_micro), fund_micro)
    return floor


def position(account: Account) -> dict[int, int]:
    return {number: held.quantity_lots for number, held in sorted(account.positions.items())}


__all__ = ["BUY", "NO_LIMIT", "RICH", "SELL", "ClearingFloor", "clearing_floor", "e", "position"]
