"""Auctions of what an account holds: opened, offered at a falling price, bid for, ended.

Holds: a bidder takes the same share of every position, rounded towards zero, and pays the price of
the command's time, never more than he said; he has his initial margin after it; the insurance fund
pays only where there is nothing to sell or nobody came for it, and never more than it has.
Never: lets the owner of the portfolio bid for it.
"""

from collections.abc import Callable

from exchange import events
from exchange.commands import BidAuction
from exchange.handlers.accounts import check_signer, settle_all, settle_position
from exchange.handlers.deleveraging import deleverage, pay_debt
from exchange.handlers.insurance import pay_from_fund
from exchange.handlers.recovery import check_not_liquidated, end_if_recovered, set_status
from exchange.handlers.refusal import refuse
from exchange.handlers.taken_once import check_once, take_once
from exchange.liquidations import Liquidation
from exchange.state import USDC, State
from margin.accounts import MAX_POSITIONS, Account
from margin.auction import (
    WHOLE_E6,
    Estate,
    Offer,
    Payment,
    cost_micro,
    insolvent_offer,
    payment,
    solvent_offer,
)
from margin.estate import cut_of, estate_of, most_share_e6, sold_micro
from margin.kernel import at_base
from margin.liquidation_parameters import INSOLVENT_NS, MARK_AGE_S
from margin.moves import excess_with, move_lots
from margin.standing import AUCTIONED, LIQUIDATING
from matching.instruments import MAX_LOTS, Instrument
from matching.rejects import (
    AUCTION_PRICE_ABOVE,
    AUCTION_SHARE_TOO_SMALL,
    MARGIN,
    MARKS_TOO_OLD,
    NOT_AUCTIONED,
    OWN_AUCTION,
    SHARE_OUT_OF_RANGE,
    TOO_MANY_LOTS,
    TOO_MANY_POSITIONS,
    Reject,
)
from settlement import records

Emit = Callable[[events.Event], None]
Lots = list[tuple[Instrument, int]]


class Taking:
    """What a bid would move: lots and cash, at which offer; `most_e6` is what could be had."""

    __slots__ = ("lots", "lots_micro", "most_e6", "offer", "payment", "share_e6")

    def __init__(
        self,
        offer: Offer,
        most_e6: int,
        share_e6: int,
        lots: Lots,
        lots_micro: int,
        paid: Payment,
    ) -> None:
        self.offer = offer
        self.most_e6 = most_e6
        self.share_e6 = share_e6
        self.lots = lots
        self.lots_micro = lots_micro
        self.payment = paid


# OPENED AND WATCHED


def open_auction(state: State, liquidation: Liquidation, account: Account, emit: Emit) -> None:
    """What is left is offered to everybody from now on."""
    liquidation.auction_ns = state.time_ns
    set_status(state, account, AUCTIONED)
    say_open(state, liquidation, account, emit)


def watch_auction(state: State, liquidation: Liquidation, account: Account, emit: Emit) -> None:
    """As time passes and marks move: whether the fund pays now, and whether it is over."""
    time_ns = state.time_ns
    equity = state.portfolio.scan_standing(account).equity_micro
    is_insolvent = liquidation.is_insolvent(equity, time_ns)
    liquidation.insolvent_ns = liquidation.fund_since_ns(time_ns) if is_insolvent else -1
    if is_insolvent != liquidation.shown_insolvent:
        say_open(state, liquidation, account, emit)
    if not is_insolvent:
        return
    is_over = time_ns - liquidation.insolvent_ns >= INSOLVENT_NS
    if is_over or not _can_pay(state, account, equity):
        deleverage(state, liquidation, account, emit)


def _can_pay(state: State, account: Account, equity_micro: int) -> bool:
    """Whether a bidder could gain by waiting: the fund, with what the sale of collateral leaves the
    account, has more than is owed. A crumb in the fund would else put off deleveraging, and whoever
    it would close could leave before.
    """
    left_micro = sold_micro(state.portfolio, account) if equity_micro < 0 else 0
    return state.insurance_cash_micro + left_micro > 0


def say_open(state: State, liquidation: Liquidation, account: Account, emit: Emit) -> None:
    """Told when it opens, when the fund begins or ceases to pay, and when its clock has stood."""
    standing = state.portfolio.scan_standing(account)
    is_insolvent = liquidation.is_insolvent(standing.equity_micro, state.time_ns)
    since_ns = liquidation.auction_ns
    if is_insolvent:
        since_ns = liquidation.insolvent_ns = liquidation.fund_since_ns(state.time_ns)
    liquidation.shown_insolvent = is_insolvent
    emit(
        events.AuctionOpened(
            account.number,
            int(is_insolvent),
            since_ns,
            standing.equity_micro,
            standing.worst_micro,
            standing.maintenance_micro,
        )
    )


def offer_of(liquidation: Liquidation, estate: Estate, time_ns: int) -> Offer:
    """What an auction offers at a time, at the marks in force."""
    time_ns = liquidation.clock_ns(time_ns)
    if not liquidation.is_insolvent(estate.standing.equity_micro, time_ns):
        return solvent_offer(estate, liquidation.reserved_micro, time_ns - liquidation.auction_ns)
    return insolvent_offer(estate, time_ns - liquidation.fund_since_ns(time_ns))


def check_marks(state: State, account: Account) -> Reject | None:
    """Whether the marks that positions and collateral stand on are young enough to decide by. An
    old index of collateral holds nothing up where the account would be below its line (maintenance;
    under liquidation W) at twice what that counts: else a crumb of it would do.
    """
    marked_s, oldest_s = state.marks.mark_time_s, state.time_s - MARK_AGE_S
    for number in account.positions:
        instrument = state.instruments[number]
        at_s = marked_s.get(instrument.underlying.number, 0)
        if not instrument.is_settled and at_s < oldest_s:
            return Reject(MARKS_TOO_OLD, at_s, oldest_s)
    doubtful, since_s = 0, state.time_s
    for underlying in state.portfolio.collateral.underlyings_of(account):
        at_s = marked_s.get(underlying, 0)
        if at_s < oldest_s:
            doubtful += int(at_base(account.risk(underlying).collateral))
            since_s = min(since_s, at_s)
    if since_s >= oldest_s:
        return None
    standing = state.portfolio.scan_standing(account)
    is_under_way = account.status >= LIQUIDATING
    line = standing.worst_micro if is_under_way else standing.maintenance_micro
    if standing.equity_micro + doubtful < line:
        return None
    return Reject(MARKS_TOO_OLD, since_s, oldest_s)


# BID FOR


def bid_auction(state: State, command: BidAuction, emit: Emit) -> None:
    # CHECK
    reject = _check_bid(state, command)
    taking = _taking(state, command) if reject is None else reject
    # MARGIN
    reject = taking if isinstance(taking, Reject) else _check_bidder(state, command, taking)
    if reject is not None or isinstance(taking, Reject):
        assert reject is not None, "what cannot be taken is refused"
        refuse(emit, reject, command.account, command.message_hash)
        return
    # EMIT
    take_once(state, command.expiry_s, command.message_hash)
    account, bidder = state.accounts[command.auction], state.accounts[command.account]
    liquidation = state.liquidations.of_account[account.number]
    _move(state, account, bidder, taking, emit)
    liquidation.reserved_micro += taking.payment.paid_micro
    offer, standing = taking.offer, state.portfolio.scan_standing(account)
    emit(
        events.AuctionBidTaken(
            account.number,
            bidder.number,
            command.most_share_e6,
            taking.most_e6,
            taking.share_e6,
            int(offer.is_insolvent),
            offer.discount_e6,
            offer.worth_micro,
            offer.price_micro,
            tuple([(instrument.number, lots) for instrument, lots in taking.lots]),
            taking.lots_micro,
            taking.payment.cash_micro,
            taking.payment.fund_micro,
            standing.equity_micro,
            standing.worst_micro,
        )
    )
    if not end_if_recovered(state, account, emit) and not account.positions:
        pay_debt(state, account, emit)


def _check_bid(state: State, command: BidAuction) -> Reject | None:
    reject = check_signer(state, command.account, command.signer)
    if reject is None:
        reject = check_not_liquidated(state.accounts[command.account])
    if reject is None:
        reject = check_once(state, command.expiry_s, command.message_hash)
    if reject is not None:
        return reject
    if not 0 < command.least_share_e6 <= command.most_share_e6 <= WHOLE_E6:
        return Reject(SHARE_OUT_OF_RANGE, command.most_share_e6, WHOLE_E6)
    liquidation = state.liquidations.of_account.get(command.auction)
    if liquidation is None or liquidation.auction_ns < 0 or not state.liquidations.is_armed:
        return Reject(NOT_AUCTIONED, command.auction)
    account, bidder = state.accounts[command.auction], state.accounts[command.account]
    if account.owner_number == bidder.owner_number:
        return Reject(OWN_AUCTION, command.auction)
    if not account.positions or account.settlements_seen != state.settlements:
        return Reject(NOT_AUCTIONED, command.auction)
    if not state.portfolio.scan_standing(account).is_called:
        return Reject(NOT_AUCTIONED, command.auction)  # what has made it whole was not told yet
    return check_marks(state, account)


def _taking(state: State, command: BidAuction) -> Taking | Reject:
    """What the bid would take now, or why its owner would not want it."""
    account, portfolio = state.accounts[command.auction], state.portfolio
    liquidation = state.liquidations.of_account[account.number]
    estate = estate_of(portfolio, account)
    offer = offer_of(liquidation, estate, state.time_ns)
    most = most_share_e6(portfolio, account, estate, offer)
    cut = cut_of(portfolio, account, estate, min(command.most_share_e6, most))
    share, fund = cut.share_e6, state.insurance_cash_micro
    if share < command.least_share_e6:
        return Reject(AUCTION_SHARE_TOO_SMALL, command.least_share_e6, max(share, 0))
    cost = cost_micro(offer, share, fund)
    if cost > command.most_price_micro:
        return Reject(AUCTION_PRICE_ABOVE, cost, command.most_price_micro)
    lots_micro = 0
    for instrument, lots in cut.lots:
        if not instrument.is_linear:
            lots_micro += lots * state.marks.mark_micro(instrument)
    paid = payment(offer, share, lots_micro, fund)
    return Taking(offer, most, share, cut.lots, lots_micro, paid)


def _check_bidder(state: State, command: BidAuction, taking: Taking) -> Reject | None:
    """Whether the bidder can carry what he would take."""
    bidder = state.accounts[command.account]
    count = sum(1 for number in bidder.positions if not state.instruments[number].is_settled)
    gross = bidder.gross_lots + bidder.open_lots
    for instrument, lots in taking.lots:
        before = bidder.lots_of(instrument.number)
        gross += abs(before + lots) - abs(before)
        count += (1 if before == 0 else 0) - (1 if before + lots == 0 else 0)
        if count > MAX_POSITIONS:
            return Reject(TOO_MANY_POSITIONS, bidder.number, MAX_POSITIONS)
    if gross > MAX_LOTS:
        return Reject(TOO_MANY_LOTS, gross, MAX_LOTS)
    cash = taking.payment.cash_micro + taking.payment.fund_micro
    excess = excess_with(state.portfolio, bidder, taking.lots, cash)
    if excess < 0:
        return Reject(MARGIN, -excess, state.portfolio.excess_micro(bidder))
    return None


def _move(state: State, account: Account, bidder: Account, taking: Taking, emit: Emit) -> None:
    """Lots and cash change hands, record by record."""
    if bidder.settlements_seen != state.settlements:
        settle_all(state, bidder, emit)
    for instrument, lots in taking.lots:
        settle_position(state, instrument, account, emit)
        settle_position(state, instrument, bidder, emit)
        move_lots(state.portfolio, account, bidder, instrument, lots)
        state.record(
            records.position_moved_record(account.number, bidder.number, instrument.number, lots)
        )
    move_cash(state, account, bidder, taking.payment.cash_micro)
    pay_from_fund(state, bidder, taking.payment.fund_micro, events.FOR_BID, emit)


def move_cash(state: State, giver: Account, taker: Account, amount_micro: int) -> None:
    """Cash from one account to another; a negative amount goes the other way."""
    if amount_micro < 0:
        giver, taker, amount_micro = taker, giver, -amount_micro
    if not amount_micro:
        return
    giver.cash_micro -= amount_micro
    taker.cash_micro += amount_micro
    state.record(records.cash_moved_record(giver.number, taker.number, USDC, amount_micro))
