"""Whole lives of a market that falls: marks, trades, bids, deposits, time; after every command all
that liquidation promises is recomputed from the events and the twin.
"""

from fractions import Fraction
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import events as e
from exchange.events import Event
from exchange.liquidation_invariants import plain_standing
from exchange.state_digest import state_hash
from margin.accounts import PORTFOLIO_MODEL, STANDARD_MODEL
from margin.liquidation_parameters import LOSS_CAP_E4
from margin.standing import LIQUIDATING
from tests.clearing_floor import ClearingFloor, clearing_floor, position
from tests.floor import (
    BTC_INDEX,
    CALL_90,
    CALL_100,
    ETH_INDEX,
    ETH_PERP,
    FUT,
    PERP,
    PUT_100,
    of_type,
    was_accepted,
)
from tests.model import liquidation as twin

TRADED = (PERP, FUT, CALL_90, CALL_100, PUT_100, ETH_PERP)
SMALL = (1_200_000_000, 2_400_000_000, 2_500_000_000, 6_000_000_000, 10_000_000)
OPENING = (  # buyer, seller, instrument, lots: all near their limit, on both sides
    (0, 3, PERP, 6),
    (1, 2, FUT, 10),
    (3, 1, CALL_90, 3),
    (3, 2, CALL_100, 4),
    (1, 2, PUT_100, 3),
)
RICH_ONE = len(SMALL)
IN_ETHER = 4
ETHER = 1
NS = 10**9


class Act(NamedTuple):
    what: str
    one: int
    two: int
    amount: int


acts = st.lists(
    st.builds(
        Act,
        st.sampled_from(
            ("trade", "trade", "book", "index", "index", "index", "eth", "fund", "time", "time",
             "crash", "late", "bid", "bid", "deposit", "insure", "withdraw", "cut",
             "ether", "convert", "convert", "model")
        ),
        st.integers(0, RICH_ONE),
        st.integers(0, RICH_ONE),
        st.integers(0, 10_000),
    ),
    min_size=4,
    max_size=30,
)  # fmt: skip


class Life:
    """A floor, and what its events add up to."""

    def __init__(self, fund_micro: int) -> None:
        self.floor: ClearingFloor = clearing_floor(SMALL, fund_micro=fund_micro)
        self.floor.list_asset(ETHER, cap_micro=700_000)
        self.floor.deposit(IN_ETHER, 10**6, ETHER)  # of which a part counts nothing
        self.floor.trade(IN_ETHER, RICH_ONE, PERP, 7)
        for buyer, seller, number, lots in OPENING:
            self.floor.trade(buyer, seller, number, lots)
        for number in (PERP, FUT, CALL_90):
            self.floor.make_book(RICH_ONE, number, 3, levels=1)

    def act(self, act: Act) -> None:
        floor = self.floor
        before = self.picture()
        fund = floor.state.insurance_cash_micro
        epoch, lost = floor.state.liquidations.epoch, dict(floor.state.liquidations.lost_micro)
        told = len(floor.events)
        standings = {
            number: plain_standing(floor.state, floor.account(number))
            for number in floor.state.liquidations.of_account
        }
        moves_marks = self.send(act)
        happened = floor.events_since(told)
        for bid in of_type(happened, e.AuctionBidTaken):
            equity, worst, _ = standings[bid.account]
            assert bid.worst_micro < worst, "a bid takes risk away"
            assert bid.equity_micro - bid.worst_micro >= equity - worst, "and costs no more"
        self.check_told(before, happened)
        self.check_numbers(happened)
        self.check_fund(fund, happened)
        self.check_caps(epoch, lost)
        self.check_statuses(moves_marks)

    def send(self, act: Act) -> bool:
        floor, state = self.floor, self.floor.state
        number = TRADED[act.amount % len(TRADED)]
        lots = 1 + act.amount % 97 // 4
        if act.what == "trade" and act.one != act.two:
            floor.trade(act.one, act.two, number, lots)
        elif act.what == "book":
            for of_all in (number, PERP, CALL_100):
                away = 1 + act.one * 20
                floor.make_book(RICH_ONE, of_all, 1 + act.amount % 8, levels=2, away_e4=away)
        elif act.what == "index":
            floor.mark(0, BTC_INDEX * (7_500 + act.amount * 5 // 10) // 10_000)
        elif act.what == "eth":
            floor.mark(1, ETH_INDEX * (7_500 + act.amount * 5 // 10) // 10_000)
        elif act.what in (
            "crash",
            "late",
        ):  # bitcoin and ether, now or when the fund's time is over
            floor.advance(0 if act.what == "crash" else 301)
            floor.arm_liquidation(0)
            floor.mark(1, ETH_INDEX * (5_000 + act.amount // 5) // 10_000)
            floor.arm_liquidation(1)
            floor.mark(0, BTC_INDEX * (6_500 + act.amount // 5) // 10_000)
        elif act.what == "fund":
            floor.fund(PERP, (act.amount - 5_000) * 400)
        elif act.what == "time":
            floor.advance((1, 1, 2, 30, 61, 300, 3_600)[act.amount % 7])
        elif act.what == "bid":
            auctioned = sorted(state.liquidations.of_account) or [act.two]
            floor.bid(act.one, auctioned[act.two % len(auctioned)], 1 + act.amount * 100)
        elif act.what == "deposit":
            floor.deposit(act.one, 1 + act.amount * 10_000)
        elif act.what == "insure":
            floor.insure(act.one, 1 + act.amount * 20_000)
        elif act.what == "withdraw":
            floor.withdraw(act.one, 1 + act.amount * 20_000)
        elif act.what == "ether":
            floor.deposit(act.one, 1 + act.amount * 100, ETHER)
        elif act.what == "convert":
            debtors = [n for n, a in state.accounts.items() if a.cash_micro < 0] or [act.two]
            floor.convert(act.one, debtors[act.two % len(debtors)], ETHER, 1 + act.amount * 10**6)
        elif act.what == "cut":
            floor.cut()
        elif act.what == "model":
            floor.choose_margin(act.one, act.amount % 2)
        return act.what in ("index", "eth", "fund", "crash", "late")

    def picture(self) -> dict[int, tuple[int, dict[int, int], int]]:
        return {
            number: (account.cash_micro, position(account), account.status)
            for number, account in self.floor.state.accounts.items()
        }

    # WHAT IS PROMISED

    def check_told(
        self, before: dict[int, tuple[int, dict[int, int], int]], happened: list[Event]
    ) -> None:
        """Whoever no event names is as he was; whoever stood open and above the call line is
        touched as a party of a trade, a bid or a deleveraging alone.
        """
        named = {
            getattr(event, field)
            for event in happened
            for field in ("account", "counterparty", "bidder", "maker", "taker", "buyer", "debtor")
            if hasattr(event, field)
        }
        for number, was in before.items():
            if number not in named:
                assert self.picture()[number] == was
        for event in of_type(happened, e.LiquidationStarted):
            assert event.equity_micro < event.maintenance_micro
        for event in of_type(happened, e.MarginCalled):
            assert event.maintenance_micro <= event.equity_micro < event.worst_micro
        for event in of_type(happened, e.LiquidationEnded):
            assert event.equity_micro >= max(event.worst_micro, 0)

    def check_numbers(self, happened: list[Event]) -> None:
        """Every event's numbers follow from each other as the page says."""
        for event in happened:
            if isinstance(event, e.LiquidationStarted | e.MarginCalled | e.AuctionOpened):
                assert event.maintenance_micro == -(-event.worst_micro * 80 // 100)
            elif isinstance(event, e.LiquidationStep):
                self.check_step(event)
            elif isinstance(event, e.AuctionBidTaken):
                check_bid(event)
            elif isinstance(event, e.InsurancePaid) and event.reason == e.FOR_DEFICIT:
                self.check_deficit(event.account)
            elif isinstance(event, e.Deleveraged):
                if event.loss_micro:
                    self.check_deficit(event.account)
                instrument = self.floor.state.instruments[event.instrument]
                free = 0 if instrument.is_linear else event.quantity_lots * event.mark_micro
                assert event.cash_micro == free + event.loss_micro
                assert event.loss_micro >= 0

    def check_deficit(self, number: int) -> None:
        """Others paid: whatever it still has would bring no more, sold, than it still owes; and
        without positions there is nothing to sell.
        """
        state, account = self.floor.state, self.floor.account(number)
        brings = state.portfolio.collateral.sale_worth_micro(account)
        equity, _, _ = plain_standing(state, account)
        assert equity - account.collateral_micro() + brings <= 0

    def check_step(self, step: e.LiquidationStep) -> None:
        instrument = self.floor.state.instruments[step.instrument]
        index = self.floor.state.marks.index_micro[instrument.underlying.number]
        worst = twin.band_price(step.mark_micro, index, not step.sells)
        if step.sells:
            assert step.limit_price_micro >= worst
        else:
            assert step.limit_price_micro <= worst
        assert 0 <= step.filled_lots <= step.asked_lots
        if step.filled_lots:
            assert step.worst_micro < step.worst_before_micro
            margin = step.equity_micro - step.worst_micro
            assert margin >= step.equity_before_micro - step.worst_before_micro
        most = twin.fund_fee(index, 1 << 34, max(step.filled_lots, 0), instrument.is_linear)
        assert step.fee_micro <= most + 3

    def check_fund(self, fund: int, happened: list[Event]) -> None:
        """The fund is what its events say; nobody solvent loses while it has anything."""
        for event in happened:
            if isinstance(event, e.InsuranceFunded):
                fund += event.amount_micro
            elif isinstance(event, e.InsurancePaid):
                fund -= event.amount_micro
            elif isinstance(event, e.Deleveraged) and event.loss_micro:
                assert fund == 0
            if isinstance(event, e.InsuranceFunded | e.InsurancePaid):
                assert event.fund_micro == fund >= 0
        assert fund == self.floor.state.insurance_cash_micro

    def check_caps(self, epoch: int, lost: dict[int, int]) -> None:
        """What an account lost in an epoch is at most its share, as of when it lost it."""
        liquidations = self.floor.state.liquidations
        if liquidations.epoch != epoch:
            lost = {}
        for number, now in liquidations.lost_micro.items():
            more = now - lost.get(number, 0)
            if more:
                equity, _, _ = plain_standing(self.floor.state, self.floor.account(number))
                # its equity before all of it, if it did nothing else in the command
                assert now * 10**4 <= (equity + now + 1) * LOSS_CAP_E4 + 10**4 or more == 0

    def check_statuses(self, moves_marks: bool) -> None:
        state = self.floor.state
        for account in state.accounts.values():
            equity, worst, maintenance = plain_standing(state, account)
            if account.status >= LIQUIDATING:
                assert equity < max(worst, 1), "an account at its call line is let go"
            elif moves_marks and equity < maintenance:
                marked = [state.instruments[n].underlying.number for n in account.positions]
                marked += state.portfolio.collateral.underlyings_of(account)
                oldest = min((state.marks.mark_time_s[n] for n in marked), default=state.time_s)
                fresh = oldest >= state.time_s - 60
                assert not fresh, "an account below maintenance is liquidated"


def check_bid(bid: e.AuctionBidTaken) -> None:
    """The bidder gains his share of the discount, or of the fund's payment, and no more."""
    share = Fraction(bid.share_e6, 10**6)
    assert 0 < bid.share_e6 <= min(bid.asked_e6, bid.most_e6)
    gain = bid.lots_micro + bid.cash_micro
    if not bid.is_insolvent:
        price = Fraction(bid.discount_e6, 10**6) * bid.worth_micro
        assert 0 <= bid.price_micro - price < 1
        assert 0 <= share * (bid.worth_micro - bid.price_micro) - gain < 1
        assert bid.fund_micro == 0
    else:
        assert 0 <= share * bid.worth_micro - gain < 1
        assert bid.fund_micro <= share * -bid.price_micro


@settings(max_examples=15, deadline=None)
@given(acts, st.sampled_from((0, 200_000_000, 20_000_000_000)))
def test_every_life_keeps_what_liquidation_promises(program: list[Act], fund_micro: int) -> None:
    life = Life(fund_micro)
    for act in program:
        life.act(act)
    again = life.floor.replay()
    assert state_hash(again.state) == state_hash(life.floor.state)
    assert again.events == life.floor.events


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(TRADED), st.integers(-30, 30)), min_size=1, max_size=5),
    st.integers(7_500, 12_500),
    st.integers(PORTFOLIO_MODEL, STANDARD_MODEL),
)
def test_standing_is_the_twins(held: list[tuple[int, int]], percent_e2: int, model: int) -> None:
    floor = clearing_floor((10**13,), watched=False)
    for number, lots in held:
        if lots:
            buyer, seller = (0, 1) if lots > 0 else (1, 0)
            floor.trade(buyer, seller, number, abs(lots))
    floor.index(percent_e2)
    for number, account in floor.state.accounts.items():
        account.set_margin(model, 0)
        holdings = [
            twin.Holding(
                held_one.quantity_lots,
                floor.state.marks.values[n].tolist(),
                held_one.accrual_seen_micro,
                floor.state.instruments[n].underlying.number,
            )
            for n, held_one in account.positions.items()
        ]
        exact = twin.standing(account.cash_micro, holdings, is_apart=model == STANDARD_MODEL)
        ours = floor.standing(number)
        assert (ours.equity_micro, ours.worst_micro) == tuple(exact)
        assert plain_standing(floor.state, account) == (*exact, exact.maintenance)
        assert (
            ours.maintenance_micro == floor.state.portfolio.requirement(account).maintenance_micro
        )
    assert was_accepted(floor.index(10_000))
