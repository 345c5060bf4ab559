"""Accounts under liquidation, and what deleveraging took from whom in the present epoch.

Holds: an account is in `of_account` while its status is liquidating or auctioned; times are of
commands; `halted` are the underlyings that wait for the next epoch, with the accounts whose lots
wait.
Never: decides anything (`handlers/liquidation.py` does).
"""

from collections.abc import Iterator

from margin.auction import PATH_NS
from margin.liquidation_parameters import EPOCH_S


class Liquidation:
    """One account's. `auction_ns` is when its auction opened, -1 before; `insolvent_ns` when the
    insurance fund began to offer, -1 before; `reserved_micro` what bidders paid while there was
    worth; `waited_epoch` the epoch whose caps stopped its deleveraging, -1 for none. `served_ns`
    is until when the marks that it was last carried on by serve: its clocks stand from then until
    it is carried on again, for nobody can bid meanwhile.
    """

    __slots__ = (
        "account",
        "auction_ns",
        "insolvent_ns",
        "next_step_ns",
        "reserved_micro",
        "served_ns",
        "shown_insolvent",
        "started_ns",
        "steps",
        "waited_epoch",
    )

    def __init__(self, account: int, started_ns: int) -> None:
        self.account = account
        self.started_ns = started_ns
        self.next_step_ns = started_ns
        self.steps = 0
        self.auction_ns = -1
        self.insolvent_ns = -1
        self.shown_insolvent = False
        self.reserved_micro = 0
        self.waited_epoch = -1
        self.served_ns = -1

    def clock_ns(self, time_ns: int) -> int:
        """The time by its clocks, which stand while no mark serves."""
        return time_ns if self.served_ns < 0 else min(time_ns, self.served_ns)

    def serve(self, time_ns: int, served_ns: int) -> bool:
        """It is carried on, by marks that serve until `served_ns`; True where its clocks stood, and
        are put forward.
        """
        stood_ns = time_ns - self.clock_ns(time_ns)
        self.served_ns = served_ns
        self.started_ns += stood_ns
        if self.auction_ns >= 0:
            self.auction_ns += stood_ns
        if self.insolvent_ns >= 0:
            self.insolvent_ns += stood_ns
        return stood_ns > 0

    def is_insolvent(self, equity_micro: int, time_ns: int) -> bool:
        """Whether the insurance fund pays now: there is nothing to sell, or nobody came."""
        return equity_micro < 0 or time_ns - self.auction_ns >= PATH_NS

    def fund_since_ns(self, time_ns: int) -> int:
        """When it began to pay, if it does now."""
        ended_ns = self.auction_ns + PATH_NS
        if self.insolvent_ns >= 0:
            return min(self.insolvent_ns, ended_ns)
        return min(time_ns, ended_ns)

    def shape(self) -> tuple[int, ...]:
        """All that a later command can see of it, for the state's digest."""
        return (
            self.account,
            self.started_ns,
            self.next_step_ns,
            self.steps,
            self.auction_ns,
            self.insolvent_ns,
            int(self.shown_insolvent),
            self.reserved_micro,
            self.waited_epoch,
            self.served_ns,
        )


class Liquidations:
    """All of them. `is_armed` is the operator's word that liquidation may decide."""

    __slots__ = ("epoch", "halted", "is_armed", "lost_all_micro", "lost_micro", "of_account")

    def __init__(self) -> None:
        self.is_armed = False
        self.of_account: dict[int, Liquidation] = {}
        self.epoch = 0
        self.lost_micro: dict[int, int] = {}
        self.lost_all_micro = 0
        self.halted: dict[int, dict[int, bool]] = {}

    def numbers(self) -> list[int]:
        """Accounts under liquidation, by number."""
        return sorted(self.of_account)

    def enter_epoch(self, time_s: int) -> None:
        """Forgets losses of an epoch that is over."""
        epoch = time_s // EPOCH_S
        if epoch != self.epoch:
            self.epoch = epoch
            self.lost_micro.clear()
            self.lost_all_micro = 0

    def count_loss(self, account: int, loss_micro: int) -> None:
        if loss_micro:
            self.lost_micro[account] = self.lost_micro.get(account, 0) + loss_micro
            self.lost_all_micro += loss_micro

    def lines(self) -> Iterator[str]:
        """All that a later command can see, for the state's digest."""
        yield repr((self.is_armed, self.epoch, sorted(self.lost_micro.items())))
        yield repr([self.of_account[number].shape() for number in self.numbers()])
        yield repr([(number, sorted(waiting)) for number, waiting in sorted(self.halted.items())])
