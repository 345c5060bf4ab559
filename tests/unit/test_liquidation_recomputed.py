"""What a victim computes again of each event of a liquidation: from marks, positions, cash and the
events before it alone, by the twin in fractions.
"""

from fractions import Fraction

from exchange import events as e
from margin.liquidation_parameters import EPOCH_S
from margin.standing import OPEN
from matching.orders import IOC
from tests.clearing_floor import ClearingFloor, clearing_floor
from tests.floor import BTC_INDEX, CALL_100, FEES, FUT, PERP, PUT_90, of_type
from tests.model import liquidation as twin

LONG, SHORT, MAKER = 0, 1, 2
NS = 10**9

Held = dict[int, tuple[int, int]]
"""Lots and the accrual taken, by instrument."""


class Eye:
    """What anyone knows of an account: the records say it, the tree proves it."""

    def __init__(self, floor: ClearingFloor, number: int) -> None:
        account = floor.account(number)
        self.floor, self.number = floor, number
        self.cash = account.cash_micro
        self.paid_in = account.paid_in_micro
        self.held: Held = {
            n: (one.quantity_lots, one.accrual_seen_micro) for n, one in account.positions.items()
        }

    def standing(self) -> twin.Standing:
        """At the marks in force now."""
        rows = self.floor.state.marks.values
        return twin.standing(
            self.cash,
            [
                twin.Holding(lots, rows[n].tolist(), seen, self.underlying(n))
                for n, (lots, seen) in self.held.items()
            ],
        )

    def worst_scenario(self) -> int:
        """The first in which it all is worth least."""
        rows = self.floor.state.marks.values
        total = sum(lots * rows[n] for n, (lots, _) in self.held.items())
        values: list[int] = total.tolist()  # type: ignore[union-attr]
        return values.index(min(values))

    def underlying(self, instrument: int) -> int:
        return self.floor.state.instruments[instrument].underlying.number

    def mark(self, instrument: int) -> int:
        listed = self.floor.state.instruments[instrument]
        if listed.is_linear:
            return self.floor.state.marks.carry_micro[instrument]
        return int(self.floor.state.marks.values[instrument, twin.BASE])


def eyes(floor: ClearingFloor) -> dict[int, Eye]:
    return {number: Eye(floor, number) for number in floor.state.accounts}


def a_long(short_micro: int = 10**11, fund_micro: int = 0) -> ClearingFloor:
    """Perpetuals and a future; a call sold against them."""
    floor = clearing_floor((2_000_000_000, short_micro), fund_micro=fund_micro)
    floor.trade(LONG, SHORT, PERP, 6)
    floor.trade(LONG, SHORT, FUT, 2)
    floor.trade(SHORT, LONG, CALL_100, 2)
    floor.trade(LONG, SHORT, PUT_90, 1)
    return floor


def test_the_call_the_start_and_the_auction_follow_from_marks_and_positions() -> None:
    floor = a_long()
    eye = Eye(floor, LONG)
    (called,) = of_type(floor.index(8_400), e.MarginCalled)
    at = eye.standing()
    assert at.is_called
    assert not at.must_liquidate
    numbers = (at.equity, at.worst, at.maintenance)
    assert called == e.MarginCalled(LONG, *numbers, eye.worst_scenario())
    events = floor.index(8_000)
    at = eye.standing()
    numbers = (at.equity, at.worst, at.maintenance)
    assert at.must_liquidate
    (started,) = of_type(events, e.LiquidationStarted)
    assert started == e.LiquidationStarted(LONG, *numbers, eye.worst_scenario())
    (opened,) = of_type(events, e.AuctionOpened)
    assert opened == e.AuctionOpened(LONG, 0, floor.time_ns, *numbers)


def test_a_step_follows_from_its_fills() -> None:
    floor = a_long()
    floor.arm_liquidation(0)
    floor.index(8_000)
    floor.make_book(MAKER, PERP, 20)
    floor.arm_liquidation(1)
    eye = Eye(floor, LONG)
    events = floor.index(8_000)
    (step,) = of_type(events, e.LiquidationStep)
    before = eye.standing()
    assert (step.equity_before_micro, step.worst_before_micro) == tuple(before)
    index, mark = floor.state.marks.index_micro[0], eye.mark(PERP)
    assert (step.instrument, step.sells, step.mark_micro) == (PERP, 1, mark)
    assert step.limit_price_micro >= twin.band_price(mark, index, False)
    held = eye.held[PERP][0]
    assert step.asked_lots <= twin.most_lots(held, 20 * 3)
    filled = of_type(events, e.OrderFilled)
    assert [fill.taker_order_hash for fill in filled] == [step.order_hash] * len(filled)
    lots = sum(fill.quantity_lots for fill in filled)
    assert step.filled_lots == lots
    fee = sum(twin.fund_fee(index, f.price_micro, f.quantity_lots, True) for f in filled)
    assert step.fee_micro == fee
    (funded,) = of_type(events, e.InsuranceFunded)
    assert funded == e.InsuranceFunded(LONG, fee, fee, e.LIQUIDATION_FEE)
    lost = sum(f.quantity_lots * (mark - f.price_micro) + f.taker_fee_micro for f in filled) + fee
    eye.held[PERP] = (held - lots, eye.held[PERP][1])
    eye.cash += lots * (floor.state.marks.values[PERP, twin.BASE].item() - eye.held[PERP][1])
    eye.cash -= lost
    assert (step.equity_micro, step.worst_micro) == tuple(eye.standing())


def test_a_bid_follows_from_the_time_and_the_offer() -> None:
    floor = a_long()
    floor.index(8_000)
    began, reserved = floor.time_ns, 0
    for seconds in (17, 25, 100):
        floor.advance(seconds)
        floor.index(8_000)
        eye = Eye(floor, LONG)
        before = eye.standing()
        if not before.is_called:
            break
        (bid,) = of_type(floor.bid(MAKER, LONG), e.AuctionBidTaken)
        part = twin.discount(Fraction(floor.time_ns - began, NS))
        assert 0 <= bid.discount_e6 - part * 10**6 < 1
        worth = before.equity - reserved
        assert bid.worth_micro == worth
        price = Fraction(bid.discount_e6, 10**6) * worth
        assert 0 <= bid.price_micro - price < 1
        exact = twin.derive_share(before, Fraction(bid.discount_e6, 10**6), reserved)
        least = Fraction(1, max(abs(lots) for lots, _ in eye.held.values()))
        assert bid.most_e6 >= max(exact, least) * 10**6
        moved = dict(bid.moved)
        assert moved == {
            n: int(Fraction(lots * bid.most_e6, 10**6))
            for n, (lots, _) in sorted(eye.held.items())
            if int(Fraction(lots * bid.most_e6, 10**6))
        }
        of_lots = Fraction(
            sum(map(abs, moved.values())), sum(abs(lots) for lots, _ in eye.held.values())
        )
        of_risk = Fraction(before.worst - bid.worst_micro, before.worst)
        assert 0 <= min(of_lots, of_risk) * 10**6 - bid.share_e6 < 1
        free = [n for n in moved if not floor.state.instruments[n].is_linear]
        assert bid.lots_micro == sum(moved[n] * eye.mark(n) for n in free)
        gain = Fraction(bid.share_e6, 10**6) * (worth - bid.price_micro)
        assert 0 <= gain - (bid.lots_micro + bid.cash_micro) < 1
        assert bid.equity_micro == before.equity - bid.lots_micro - bid.cash_micro
        after = Eye(floor, LONG).standing()
        assert (bid.equity_micro, bid.worst_micro) == tuple(after)
        reserved += bid.share_e6 * bid.price_micro // 10**6


def test_a_bid_that_the_fund_pays_follows_from_what_is_lacking() -> None:
    floor = a_long(fund_micro=10**9)
    floor.index(6_800)
    floor.advance(40)
    floor.index(6_800)
    eye = Eye(floor, LONG)
    before = eye.standing()
    events = floor.bid(MAKER, LONG, 500_000)
    (bid,) = of_type(events, e.AuctionBidTaken)
    assert (bid.is_insolvent, bid.worth_micro) == (1, before.equity)
    pays = twin.insolvent_gain(before, before.worst, before.equity, Fraction(40)) - before.equity
    assert 0 <= bid.price_micro + pays < 1
    (paid,) = of_type(events, e.InsurancePaid)
    assert paid.amount_micro == bid.fund_micro == bid.share_e6 * -bid.price_micro // 10**6
    assert paid == e.InsurancePaid(MAKER, bid.fund_micro, 10**9 - bid.fund_micro, e.FOR_BID)
    assert bid.lots_micro + bid.cash_micro == bid.share_e6 * before.equity // 10**6


def test_deleveraging_follows_from_ranks_and_what_is_owed() -> None:
    floor = clearing_floor((2_000_000_000, 9_000_000_000, 7_000_000_000), fund_micro=10**8)
    for seller, lots in ((1, 4), (2, 3)):
        floor.trade(LONG, seller, PERP, lots)
    floor.sell(LONG, floor.near(CALL_100), 2, CALL_100)
    floor.buy(1, floor.near(CALL_100), 2, CALL_100)
    seen = eyes(floor)
    events = floor.index(6_500)
    (paid,) = of_type(events, e.InsurancePaid)
    before = seen[LONG].standing()
    assert paid == e.InsurancePaid(LONG, 10**8, 0, e.FOR_DEFICIT)
    owed = -before.equity - 10**8
    closed = of_type(events, e.Deleveraged)
    assert sum(one.loss_micro for one in closed) == owed
    of_perp = [one for one in closed if one.instrument == PERP]
    ranks: list[tuple[tuple[int, Fraction], int]] = []
    for number in (1, 2):
        at = seen[number].standing()
        profit = at.equity - seen[number].paid_in
        ranks.append((twin.score(profit, at.equity, at.worst), number))
    in_order = [number for _, number in sorted(ranks, reverse=True)]
    assert [one.counterparty for one in of_perp] == in_order
    assert [one.rank for one in of_perp] == [1, 2]
    first = seen[in_order[0]]
    assert (of_perp[0].equity_micro, of_perp[0].worst_micro) == tuple(first.standing())
    assert of_perp[0].profit_micro == of_perp[0].equity_micro - first.paid_in
    debtor = seen[LONG]
    held = sorted((number, lots) for number, (lots, _) in debtor.held.items())
    weights = [abs(lots) * weight_of(debtor, number, lots) for number, lots in held]
    rooms = [abs(lots) * debtor.mark(number) for number, lots in held]  # no price below zero
    for (number, _), part in zip(held, twin.shares_of(owed, weights, rooms), strict=True):
        borne = sum(one.loss_micro for one in closed if one.instrument == number)
        assert abs(borne - part) <= 2
    for one in closed:
        eye = seen[one.counterparty]
        assert one.mark_micro == eye.mark(one.instrument)
        free = 0 if one.instrument == PERP else one.quantity_lots * one.mark_micro
        assert one.cash_micro == free + one.loss_micro
        assert one.loss_micro <= Fraction(one.equity_micro) * twin.LOSS_CAP
    (ended,) = of_type(events, e.LiquidationEnded)
    assert (ended.equity_micro, ended.worst_micro, ended.maintenance_micro) == (0, 0, 0)
    assert floor.account(LONG).status == OPEN


def weight_of(eye: Eye, number: int, lots: int) -> int:
    """What a lot loses at its worst."""
    row: list[int] = eye.floor.state.marks.values[number].tolist()
    return row[twin.BASE] - min(row) if lots > 0 else max(row) - row[twin.BASE]


def test_what_waits_follows_from_the_caps() -> None:
    floor = clearing_floor((1_200_000_000, 2_500_000_000))
    floor.trade(LONG, SHORT, PERP, 6)
    seen = eyes(floor)
    events = floor.index(7_500)
    (capped,) = of_type(events, e.LossCapped)
    closed = of_type(events, e.Deleveraged)
    owed = -seen[LONG].standing().equity
    lost = sum(one.loss_micro for one in closed)
    lots = sum(one.quantity_lots for one in closed)
    assert capped == e.LossCapped(LONG, 0, floor.time_s // EPOCH_S, 6 - lots, owed, lost)
    most = seen[SHORT].standing().equity * twin.LOSS_CAP
    assert lost <= most
    assert Fraction(owed * (lots + 1), 6) > most, "another lot would have been too much"
    assert of_type(events, e.LiquidationStarted)


def test_a_fee_is_a_share_of_the_index_and_both_sides_bring_more_than_nothing() -> None:
    """At the dearest and the cheapest price, for who takes and who rests."""
    floor = clearing_floor((10**11, 10**11))
    for instrument, price in ((PERP, floor.near(PERP)), (CALL_100, 10_000), (PUT_90, 5_000_000)):
        floor.sell(SHORT, price, 3, instrument)
        (fill,) = of_type(floor.buy(LONG, price, 3, instrument, time_in_force=IOC), e.OrderFilled)
        for rate, fee in (
            (FEES.taker_rate, fill.taker_fee_micro),
            (FEES.maker_rate, fill.maker_fee_micro),
        ):
            exact = Fraction(BTC_INDEX * rate, 10**6)
            if instrument != PERP:
                exact = min(exact, Fraction(price * FEES.cap, 10**4))
            assert 0 <= fee - 3 * exact < 1
