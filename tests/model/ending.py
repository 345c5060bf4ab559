"""The end of perpetuals as one would explain it: slow twin of `exchange/handlers/delisting.py`.

Holds: at its end every holder gets, in cash, what his lots have run up to the mean of the samples,
and has none any more; who gave his lots to whom is nobody's business, for at that price they are
worth nothing. It knows perpetuals alone: options and futures end by their expiry.
"""

from __future__ import annotations

from exchange import commands as c
from exchange import events as e
from exchange.commands import Command
from exchange.events import Event
from matching import rejects as r
from matching.instruments import PERPETUAL
from matching.rejects import Reject
from tests.model.exchange import BUY, Exchange
from tests.model.settlement_samples import seen_samples

NOTICE_S = 30 * 60


class EndingExchange(Exchange):
    """An exchange whose perpetuals may end."""

    def __init__(self) -> None:
        super().__init__()
        self.ends_s: dict[int, int] = {}
        self.gone: list[int] = []

    def apply(self, command: Command) -> list[Event]:
        if isinstance(command, c.DelistInstrument):
            return self.act(command, self.delist)
        if isinstance(command, c.SettlePerpetual):
            return self.act(command, self.end)
        if isinstance(command, c.AccrueFunding) and command.instrument in self.gone:
            return self.act(command, lambda _: Reject(r.INSTRUMENT_NOT_OPEN, command.instrument))
        return super().apply(command)

    def has_ended(self, number: int) -> bool:
        return number in self.ends_s and self.ends_s[number] <= self.time_s

    def delist(self, command: c.DelistInstrument) -> Reject | None:
        number, end_s = command.instrument, command.end_time_s
        assert self.marks.instruments[number].kind == PERPETUAL
        if number in self.ends_s:
            return Reject(r.ALREADY_ENDING, number, self.ends_s[number])
        if end_s:
            if end_s < self.time_s + NOTICE_S:
                return Reject(r.END_TOO_SOON, end_s, self.time_s + NOTICE_S)
            self.ends_s[number] = end_s
            self.events.append(e.DelistingAnnounced(number, end_s))
            return None
        longs = [m.held[number].lots for m in self.members if number in m.held]
        interest = sum(lots for lots in longs if lots > 0)
        if interest:
            return Reject(r.OPEN_INTEREST, number, interest)
        self.cancel_all_of(number)
        self.ends_s[number] = self.time_s
        self.close(number)
        return None

    def end(self, command: c.SettlePerpetual) -> Reject | None:
        number, said = command.instrument, command.samples_micro
        if number not in self.ends_s or number in self.gone:
            return Reject(r.END_NOT_ANNOUNCED, number)
        end_s, listed = self.ends_s[number], self.marks.instruments[number]
        if self.time_s < end_s:
            return Reject(r.NOT_YET_EXPIRED, end_s, self.time_s)
        history = self.history.get(listed.underlying, [])
        seen = seen_samples(history, end_s, command.time_ns)
        for sample, own in zip(said, seen, strict=True):
            if own and own != sample:
                return Reject(r.SAMPLE_NOT_SEEN, sample, own)
        self.cancel_all_of(number)
        price = (2 * sum(said) + len(said)) // (2 * len(said))
        self.events.append(e.PerpetualSettled(number, price, len(seen) - seen.count(0)))
        if listed.carry_micro is not None:
            listed.accrual_micro += price - listed.carry_micro
            self._next_epoch(listed.underlying)
        for account, member in enumerate(self.members):
            held = member.held.pop(number, None)
            if held is not None:
                amount = held.lots * (listed.accrual_micro - held.accrual_seen_micro)
                member.cash_micro += amount
                self.events.append(e.PositionSettled(account, number, amount, 1))
        self.close(number)
        return None

    def cancel_all_of(self, number: int) -> None:
        for order in (*self.opposite(number, 1), *self.opposite(number, BUY)):
            self.cancel(order, e.CANCELLED_DELISTED)

    def close(self, number: int) -> None:
        """No mark moves it from here on."""
        self.gone.append(number)
        self.marks.instruments[number].is_over = True
        self.events.append(e.InstrumentDelisted(number))
