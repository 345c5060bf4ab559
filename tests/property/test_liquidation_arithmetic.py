"""The arithmetic of steps, auctions and deleveraging against its twin in fractions."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from margin import auction, deleveraging, liquidation
from margin import liquidation_parameters as table
from margin.deleveraging import Burden, Counterparty
from margin.parameters import MAINTENANCE_PERCENT
from margin.scenarios import BASE_SCENARIO
from margin.standing import ScanStanding
from tests.floor import FEES
from tests.model import liquidation as twin

NS = 10**9
worsts = st.integers(1, 10**15)
elapsed = st.integers(0, 1_000 * NS)


@st.composite
def called(draw: st.DrawFn) -> ScanStanding:
    """A solvent account below its call line."""
    worst = draw(worsts)
    return ScanStanding(draw(st.integers(0, worst - 1)), worst, BASE_SCENARIO)


def twin_of(standing: ScanStanding) -> twin.Standing:
    return twin.Standing(standing.equity_micro, standing.worst_micro)


def test_the_twin_reads_the_same_table() -> None:
    assert twin.BASE == BASE_SCENARIO
    assert Fraction(MAINTENANCE_PERCENT, 100) == twin.MAINTENANCE
    assert Fraction(table.BUFFER_PERCENT, 100) == twin.BUFFER
    assert table.CALL_PERCENT == MAINTENANCE_PERCENT + table.BUFFER_PERCENT
    assert Fraction(table.DISCOUNT_START_E6, 10**6) == twin.START
    assert Fraction(table.DISCOUNT_KNEE_E6, 10**6) == twin.KNEE
    seconds = (table.FAST_NS // NS, table.SLOW_NS // NS, table.INSOLVENT_NS // NS)
    assert seconds == (twin.FAST_S, twin.SLOW_S, twin.INSOLVENT_S)
    assert Fraction(table.STEP_SHARE_E4, 10**4) == twin.STEP_SHARE
    assert Fraction(table.DEPTH_SHARE_E4, 10**4) == twin.DEPTH_SHARE
    assert Fraction(table.BAND_E6, 10**6) == twin.BAND
    fees = (Fraction(FEES.liquidation_rate, 10**6), Fraction(FEES.cap, 10**4))
    assert fees == (twin.FEE, twin.FEE_CAP)
    assert Fraction(table.LOSS_CAP_E4, 10**4) == twin.LOSS_CAP
    assert Fraction(table.LOSS_CAP_ALL_E4, 10**4) == twin.LOSS_CAP_ALL


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**15))
def test_who_is_called_and_who_is_liquidated(equity: int, worst: int) -> None:
    ours = ScanStanding(equity, worst, BASE_SCENARIO)
    theirs = twin_of(ours)
    assert ours.maintenance_micro == theirs.maintenance
    assert (ours.is_called, ours.must_liquidate) == (theirs.is_called, theirs.must_liquidate)
    assert ours.is_called or not ours.must_liquidate


@given(elapsed, elapsed)
def test_the_discount_falls_and_is_the_twins_rounded_up(first: int, second: int) -> None:
    for at in (first, second):
        exact = twin.discount(Fraction(at, NS)) * 10**6
        assert 0 <= auction.discount_e6(at) - exact < 1
    early, late = sorted((first, second))
    assert auction.discount_e6(early) >= auction.discount_e6(late)


def test_the_path_begins_at_its_start_and_ends_at_nothing() -> None:
    assert auction.discount_e6(0) == table.DISCOUNT_START_E6
    assert auction.discount_e6(table.FAST_NS) == table.DISCOUNT_KNEE_E6
    assert auction.discount_e6(table.FAST_NS + table.SLOW_NS - 1) == 1
    assert auction.discount_e6(table.FAST_NS + table.SLOW_NS) == 0


@st.composite
def estates(draw: st.DrawFn, *, solvent: bool) -> auction.Estate:
    """What an account has: without collateral all of W is its positions', and there is nothing else
    to sell.
    """
    standing = draw(called())
    worst = standing.worst_micro
    if not solvent:
        standing = ScanStanding(draw(st.integers(-(10**15), worst - 1)), worst, BASE_SCENARIO)
    if draw(st.booleans()):
        return bare(standing)
    more = draw(st.integers(0, 10**15))
    return auction.Estate(standing, draw(st.integers(0, worst)), standing.equity_micro + more)


def bare(standing: ScanStanding) -> auction.Estate:
    return auction.Estate(standing, standing.worst_micro, standing.equity_micro)


@given(estates(solvent=True), elapsed, st.integers(0, 10**15))
def test_the_share_is_the_twins_rounded_up_and_brings_the_buffer_back(
    estate: auction.Estate, at: int, reserved: int
) -> None:
    offer = auction.solvent_offer(estate, reserved, at)
    theirs, risk = twin_of(estate.standing), estate.risk_micro
    worth = twin.part_sold(theirs, risk, min(reserved, theirs.equity))
    assert 0 <= worth - offer.worth_micro < 1
    part = Fraction(offer.discount_e6, 10**6)
    exact = twin.share(theirs, risk, Fraction(offer.worth_micro), part)
    assert 0 < exact <= 1
    assert exact * 10**6 <= offer.share_e6 < exact * 10**6 + 1
    sold = Fraction(offer.share_e6, 10**6)
    if exact < 1:
        assert twin.after_selling(theirs, risk, worth, exact, part) >= -1
        assert twin.after_selling(theirs, risk, worth, sold, part) >= -1
    assert 0 <= offer.price_micro - part * offer.worth_micro < 1
    assert 0 <= offer.worth_micro <= estate.standing.equity_micro


@given(called(), elapsed, st.integers(0, 10**15))
def test_without_collateral_the_share_is_the_published_one(
    standing: ScanStanding, at: int, reserved: int
) -> None:
    offer = auction.solvent_offer(bare(standing), reserved, at)
    kept = min(reserved, standing.equity_micro)
    part = Fraction(offer.discount_e6, 10**6)
    exact = twin.derive_share(twin_of(standing), part, kept)
    assert exact * 10**6 <= offer.share_e6 < exact * 10**6 + 1
    assert offer.worth_micro == standing.equity_micro - kept


@given(estates(solvent=False), elapsed)
def test_the_funds_payment_rises_to_what_the_positions_ask(estate: auction.Estate, at: int) -> None:
    offer = auction.insolvent_offer(estate, at)
    theirs, risk, sold = twin_of(estate.standing), estate.risk_micro, estate.sold_micro
    exact = twin.insolvent_gain(theirs, risk, sold, Fraction(at, NS))
    gain = offer.worth_micro - offer.price_micro
    assert 0 <= exact - gain < 1
    assert offer.price_micro <= 0, "the fund takes nothing"
    assert offer.worth_micro <= sold, "the account pays what it has, and the fund the rest"
    assert offer.worth_micro == sold or offer.price_micro == 0
    assert offer.share_e6 == auction.WHOLE_E6


@given(
    called(),
    elapsed,
    st.lists(st.tuples(st.integers(-500, 500).filter(bool), st.integers(0, 10**9)), min_size=1),
    st.integers(1, 10**6),
    st.fractions(0, 2),
)
def test_a_bid_gives_the_account_the_price_of_what_it_moves_and_no_less(
    standing: ScanStanding,
    at: int,
    held: list[tuple[int, int]],
    share: int,
    taken: Fraction,
) -> None:
    sizes = [abs(lots) for lots, _ in held]
    moved = [auction.lots_of_share(lots, share) for lots, _ in held]
    for lots, given_lots in zip((lots for lots, _ in held), moved, strict=True):
        assert abs(given_lots) == abs(lots) * share // 10**6
        assert given_lots * lots >= 0
    risk = standing.worst_micro
    of_risk = int(risk * taken) - risk // 2
    share_moved = auction.moved_share_e6(sizes, [abs(lots) for lots in moved], risk, of_risk)
    assert share_moved <= share
    assert share_moved <= Fraction(of_risk * 10**6, risk)
    share_moved = max(share_moved, 0)
    worth = sum(lots * mark for lots, (_, mark) in zip(moved, held, strict=True))
    offer = auction.solvent_offer(bare(standing), 0, at)
    paid = auction.payment(offer, share_moved, worth, 10**12)
    gain = worth + paid.cash_micro  # the bidder's, at the marks
    exact = Fraction(share_moved, 10**6) * (offer.worth_micro - offer.price_micro)
    assert 0 <= exact - gain < 1
    assert 0 <= gain <= offer.worth_micro
    assert paid.fund_micro == 0


@given(st.integers(-(10**12), -1), worsts, elapsed, st.integers(0, 10**6), st.integers(0, 10**15))
def test_the_fund_never_pays_more_than_it_has_and_the_whole_leaves_the_account_at_zero(
    equity: int, worst: int, at: int, share: int, fund: int
) -> None:
    offer = auction.insolvent_offer(bare(ScanStanding(equity, worst, BASE_SCENARIO)), at)
    paid = auction.payment(offer, share, 0, fund)
    assert 0 <= paid.fund_micro <= fund
    assert paid.fund_micro <= Fraction(share, 10**6) * -offer.price_micro
    whole = auction.payment(offer, auction.WHOLE_E6, 777, fund)
    assert whole.cash_micro == equity - 777


@given(estates(solvent=False), elapsed, st.integers(1, 10**6), st.integers(0, 10**15))
def test_what_the_whole_costs_is_what_a_bidder_loses_for_his_share(
    estate: auction.Estate, at: int, share: int, fund: int
) -> None:
    """And never less than that, whatever the fund has left."""
    offer = auction.insolvent_offer(estate, at)
    cost = auction.cost_micro(offer, share, fund)
    paid = auction.payment(offer, share, 0, fund)
    lost = -(paid.cash_micro + paid.fund_micro) + max(share * offer.worth_micro // 10**6, 0)
    exact = Fraction(share, 10**6) * cost
    assert -2 < lost - exact < 2
    solvent = auction.solvent_offer(bare(ScanStanding(1, 2, BASE_SCENARIO)), 0, at)
    assert auction.cost_micro(solvent, share, fund) == solvent.price_micro


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_the_least_share_moves_a_lot_and_less_moves_none(sizes: list[int]) -> None:
    least = auction.least_share_e6(sizes)
    assert any(auction.lots_of_share(size, least) for size in sizes)
    assert least == 1 or not any(auction.lots_of_share(size, least - 1) for size in sizes)


@given(st.integers(-(10**6), 10**6).filter(bool), st.integers(1, 10**6))
def test_a_step_is_at_most_a_share_of_position_and_depth(held: int, shown: int) -> None:
    assert liquidation.most_lots(held, shown) == twin.most_lots(held, shown)


# DELEVERAGING

counterparties = st.builds(
    Counterparty,
    st.integers(0, 1_000),
    st.integers(-(10**12), 10**12),
    st.integers(0, 10**12),
    st.integers(-(10**12), 10**12),
    st.integers(1, 1_000),
    st.integers(0, 10**10),
)


@given(st.lists(counterparties, max_size=12, unique_by=lambda c: c.number))
def test_ranks_are_the_twins(found: list[Counterparty]) -> None:
    order = deleveraging.ranked(found)
    scores = [twin.score(c.profit_micro, c.equity_micro, c.worst_micro) for c in order]
    for (first, high), (second, low) in pairwise(zip(order, scores, strict=True)):
        assert high > low or (high == low and first.number < second.number)


burdens = st.builds(Burden, st.integers(1, 10**6), st.integers(1, 10**9), st.integers(0, 10**9))


@given(st.integers(0, 10**15), st.lists(burdens, min_size=1, max_size=8))
def test_a_deficit_is_laid_on_whole_and_in_proportion(deficit: int, found: list[Burden]) -> None:
    parts = deleveraging.laid_on(deficit, found)
    room = [burden.lots * burden.clamp_micro for burden in found]
    assert all(0 <= part <= most for part, most in zip(parts, room, strict=True))
    assert sum(parts) == min(deficit, sum(room))
    exact = twin.shares_of(deficit, [b.lots * b.weight_micro for b in found], room)
    off = len(found) ** 2 + 1
    assert all(abs(part - one) <= off for part, one in zip(parts, exact, strict=True))


@given(st.integers(0, 10**12), st.integers(1, 10**5), st.integers(0, 10**12), st.integers(0, 10**5))
def test_what_is_closed_stays_within_the_cap_and_a_lot_more_would_not(
    part: int, left: int, cap: int, more: int
) -> None:
    lots = deleveraging.lots_within(part, left, cap)
    assert 0 <= lots <= left
    assert deleveraging.loss_of(part, left, lots) <= cap or not part
    if lots < left:
        assert deleveraging.loss_of(part, left, lots + 1) > cap
    assert deleveraging.loss_of(part, left, left) == part
    del more


@given(
    st.integers(0, 10**12),
    st.integers(1, 10**5),
    st.integers(1, 10**5),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
def test_somebody_always_closes_in_a_fresh_epoch_and_nobody_beyond_his_cap(
    part: int, left: int, held: int, cap: int, lost: int
) -> None:
    size = min(held, left)
    may = max(cap - lost, 0)
    lots, loss = deleveraging.closed_within(part, left, size, may, cap)
    assert 0 <= lots <= size
    assert 0 <= loss <= min(may, deleveraging.loss_of(part, left, lots))
    if not lost:
        assert lots, "nothing waits for ever"
    if lots and loss < deleveraging.loss_of(part, left, lots):
        assert deleveraging.loss_of(part, left, 1) > cap


@given(st.lists(counterparties, max_size=12), st.integers(0, 10**12))
def test_caps_are_shares_of_equity_before_the_losses(found: list[Counterparty], lost: int) -> None:
    for one in found:
        may = one.may_lose_micro
        if one.equity_micro <= 0:
            assert may == 0
        else:
            before = one.equity_micro + one.lost_micro
            assert may == max(before * twin.LOSS_CAP.numerator // 20 - one.lost_micro, 0)
    equities = [one.equity_micro for one in found]
    solvent = sum(equity for equity in equities if equity > 0)
    exact = (solvent + lost) * twin.LOSS_CAP_ALL - lost
    assert 0 <= max(exact, Fraction(0)) - deleveraging.all_may_lose_micro(equities, lost) < 1
