"""How a checked order meets the books: planned, judged, accepted, committed, finished.

Holds: an order that is refused leaves no trace; what a plan says is committed as a whole; an
order is opened by a record before its first fill; makers that the gate refused are cancelled
only when the plan is committed; what rests has been judged with all else that its account has
open.
Never: looks at a signed message: what is asked of the order stands in its `Placement`, so that
an order that was triggered or repriced, or a side of a quote, goes the same way.
"""

from collections.abc import Callable
from typing import Final

from exchange import events
from exchange.events import OrderPlaced, OrderRested
from exchange.handlers.accounts import settle_all, settle_position
from exchange.handlers.cancels import (
    cancel,
    emit_cancelled,
    emit_reduced,
    forget_quote,
    reduce_unfilled,
)
from exchange.handlers.combos import use_combo
from exchange.handlers.protection import end_tripped, is_tripped
from exchange.handlers.states import may_trade, takes_nothing
from exchange.handlers.trades import close_combo, open_order, trade_one, trade_through
from exchange.limits import count_order
from exchange.state import State
from margin.accounts import MAX_OPEN_ORDERS, Account
from matching.book import Book
from matching.combos import Combo
from matching.gate import (
    MAKER_FAILS,
    MAKER_FEE,
    TAKER_FEE,
    TAKER_LIMIT,
    TAKER_POSITIONS,
    Ruling,
)
from matching.implied_out import MAX_ACTIVE, ImpliedOut
from matching.instruments import Instrument
from matching.orders import FOK, GTC, POST_ONLY, Order
from matching.plan import (
    FILL_BOUND,
    REFUSED,
    SELF_TRADE,
    ComboPlanner,
    OwnMet,
    Plan,
    plan_single,
)
from matching.rejects import (
    BELOW_MIN_QUANTITY,
    CANNOT_FILL,
    FEE_TOO_HIGH,
    MARGIN,
    PRICE_OUT_OF_RANGE,
    TOO_MANY_LOTS,
    TOO_MANY_OPEN_ORDERS,
    TOO_MANY_POSITIONS,
    Reject,
)
from settlement.signed_messages import MAX_NET_PRICE_MICRO

Emit = Callable[[events.Event], None]

_NOTHING_MET: Final = Plan()
"""Read only."""

_DROPPED_BECAUSE: Final = {
    MAKER_FAILS: events.CANCELLED_MARGIN_MAKER,
    MAKER_FEE: events.CANCELLED_FEE,
}


class Placement:
    """An order that passed its checks, where it trades, and what is asked of it now.

    `combo` is None for a single instrument. `replaced` is the account's live order whose place it
    takes; `is_new_combo` says that it is the first to name its combo. `is_accepted` says that it
    was accepted by an earlier command (it waited): its hash is taken and `OrderPlaced` is out.
    Of `min_quantity_lots` at least so many must trade at once.
    """

    __slots__ = (
        "account",
        "book",
        "combo",
        "instrument",
        "is_accepted",
        "is_new_combo",
        "min_quantity_lots",
        "order",
        "replaced",
        "time_in_force",
    )

    def __init__(
        self,
        order: Order,
        account: Account,
        book: Book,
        instrument: Instrument | None,
        combo: Combo | None,
        replaced: Order | None = None,
        is_new_combo: bool = False,
        time_in_force: int = GTC,
        is_accepted: bool = False,
        min_quantity_lots: int = 0,
    ) -> None:
        self.order = order
        self.account = account
        self.book = book
        self.instrument = instrument
        self.combo = combo
        self.replaced = replaced
        self.is_new_combo = is_new_combo
        self.time_in_force = time_in_force
        self.is_accepted = is_accepted
        self.min_quantity_lots = min_quantity_lots


def execute(state: State, placement: Placement, emit: Emit) -> Reject | None:
    """Lets an order trade and rest, or says why not, and then leaves no trace of it.

    An order that was accepted earlier is the caller's to end if it is refused now.
    """
    order = placement.order
    # MARGIN and MATCH: plan
    plan = _plan(state, placement) if _may_meet(state, placement) else _NOTHING_MET
    reject = _check_plan(state, placement, plan)
    if reject is not None:
        state.portfolio.drop()
        if placement.is_new_combo and placement.combo is not None:
            state.forget_newest_combo(placement.combo)
        return reject
    # MATCH: commit, and EMIT as it happens
    if not placement.is_accepted:
        accept(state, placement, emit)
    if plan.steps or plan.own:
        _commit(state, placement, plan, emit)
    if plan.dropped:
        _drop_makers(state, plan, emit)
    if state.portfolio.protections.tripped:
        end_tripped(state, emit)
    _finish(state, placement, plan, emit)
    if placement.combo is not None:
        use_combo(state, placement.combo.book, emit)
    if order.level is None:  # it did not come to rest
        is_filled = order.filled_lots > 0 and not order.remaining_lots and not plan.cancelled_lots
        state.waiting.end(order, is_filled=is_filled)
    return None


def keeps_place(placement: Placement) -> bool:
    """Whether an order differs from the resting one that it replaces in nothing that its place in
    the queue was earned by: same book, side, price and flags, with no more lots than that has left.
    One that may show less than it has, is priced in volatility or asks for a least fill comes last.
    """
    order, old = placement.order, placement.replaced
    return (
        old is not None
        and placement.time_in_force == GTC
        and placement.min_quantity_lots == 0
        and (order.book, order.side, order.flags) == (old.book, old.side, old.flags)
        and order.price_ticks == old.price_ticks
        and order.remaining_lots <= old.remaining_lots
        and order.volatility_e6 == 0
        and order.display_lots == old.display_lots == 0
    )


def take_place(state: State, placement: Placement, emit: Emit) -> Reject | None:
    """Puts an order into the very place of the live one that it replaces, which has its price and
    at least its lots; or says why not, and then leaves no trace of it.
    """
    order, replaced = placement.order, placement.replaced
    assert replaced is not None, "it takes the place of another"
    # MARGIN: no more lots at the same price can lose no more, so only its fee is asked about
    fee = state.portfolio.resting_fee_micro(order)
    if fee > order.max_fee_micro:
        return Reject(FEE_TOO_HIGH, fee, order.max_fee_micro)
    if order.protection != replaced.protection:
        reject = _check_rest(state, placement.account, order, replaced)
        if reject is not None:
            return reject
    # EMIT
    placement.book.substitute(replaced, order)
    state.portfolio.unrest(replaced)
    state.portfolio.rest(placement.account, order)
    del state.orders[replaced.hash]
    forget_quote(state, replaced)
    if placement.combo is not None:
        state.combo_life.added(order)
        state.combo_life.removed(replaced, state.time_s)
    state.orders[order.hash] = order
    _remember(state, placement, emit)
    state.waiting.end(replaced, is_filled=False)
    _emit_rested(order, emit, replaced.order_id)
    emit_cancelled(replaced, events.CANCELLED_REPLACED, emit)
    return None


# MARGIN and MATCH


def _may_meet(state: State, placement: Placement) -> bool:
    """Whether it needs a plan. Nearly every order that is to rest does not: no price of its book
    is within its limit, and nothing is implied. One that may only rest takes from its legs' books
    neither.
    """
    order, combo = placement.order, placement.combo
    if combo is not None:
        return not takes_nothing(state, order.flags, combo.legs)
    if order.flags & POST_ONLY:
        return False
    if not state.trading.are_open and takes_nothing(state, order.flags, ((order.book, 1),)):
        return False
    if placement.book.is_met(order.side, order.price_ticks):
        return True
    return state.combo_life.has_active(order.book, 1 - order.side)


def _plan(state: State, placement: Placement) -> Plan:
    """What the order would do, if it meets a price at all."""
    order, book, portfolio = placement.order, placement.book, state.portfolio
    portfolio.protections.time_ns = state.time_ns
    portfolio.begin(order, placement.replaced)
    if placement.combo is None:
        assert placement.instrument is not None, "an order has a combo or an instrument"
        implied = _implied_out(state, order, placement.instrument)
        return plan_single(
            book, placement.instrument, order, portfolio, placement.replaced, implied
        )
    leg_books = [state.books[number] for number, _ in placement.combo.legs]
    planner = ComboPlanner(
        placement.combo,
        book,
        leg_books,
        order,
        portfolio,
        state.marks.mark_ticks,
        placement.replaced,
    )
    return planner.run()


def _implied_out(state: State, order: Order, instrument: Instrument) -> ImpliedOut | None:
    """The resting combos that could offer an instrument to an order; None where there are none."""
    numbers = state.combo_life.active(instrument.number, 1 - order.side)
    if not numbers:
        return None
    combos: list[tuple[Combo, Book, Book]] = []
    for number in numbers[:MAX_ACTIVE]:
        combo = state.combos[number]
        first, second = combo.instruments
        other = second if first is instrument else first
        if may_trade(state, other):
            combos.append((combo, state.books[number], state.books[other.number]))
    return ImpliedOut(instrument, order, state.portfolio, combos) if combos else None


def _check_plan(state: State, placement: Placement, plan: Plan) -> Reject | None:
    """Whether the plan, and the rest of the order in its book, can be accepted."""
    order, combo, price = placement.order, placement.combo, placement.order.price_micro
    if combo is not None and placement.time_in_force == GTC and not combo.can_cost(price):
        return Reject(PRICE_OUT_OF_RANGE, price, MAX_NET_PRICE_MICRO)
    if placement.time_in_force == FOK and plan.filled_lots < order.remaining_lots:
        return _refusal(plan.ruling, order) or Reject(
            CANNOT_FILL, order.remaining_lots, plan.filled_lots
        )
    if plan.filled_lots < placement.min_quantity_lots:
        return _refusal(plan.ruling, order) or Reject(
            BELOW_MIN_QUANTITY, placement.min_quantity_lots, plan.filled_lots
        )
    if plan.steps:
        return None
    if plan.stop == REFUSED:
        return _refusal(plan.ruling, order)
    if plan.cancelled_lots == order.remaining_lots:
        return None
    if not _will_rest(placement, plan):
        return None
    return _check_rest(state, placement.account, order, placement.replaced)


def _check_rest(
    state: State, account: Account, order: Order, replaced: Order | None
) -> Reject | None:
    """Whether what is left of an order may stand in its book, in place of `replaced`."""
    fee = state.portfolio.resting_fee_micro(order)
    if fee > order.max_fee_micro:  # it would look like an offer, and go as soon as it is met
        return Reject(FEE_TOO_HIGH, fee, order.max_fee_micro)
    if len(account.orders) >= MAX_OPEN_ORDERS and replaced is None:
        return Reject(TOO_MANY_OPEN_ORDERS, len(account.orders), MAX_OPEN_ORDERS)
    ruling = state.portfolio.judge_rest(account, order, replaced)
    return _refusal(ruling, order) if ruling.outcome else None


def _will_rest(placement: Placement, plan: Plan) -> bool:
    """Only a good-till-cancelled order that met all it could rests; FOK and IOC never do."""
    return placement.time_in_force == GTC and plan.stop not in (REFUSED, SELF_TRADE, FILL_BOUND)


def _refusal(ruling: Ruling, order: Order) -> Reject | None:
    """A gate's ruling on the taker, as a numbered reject."""
    if not ruling.outcome:
        return None
    if ruling.outcome == TAKER_POSITIONS:
        return Reject(TOO_MANY_POSITIONS, order.account, ruling.allowed)
    codes = {TAKER_FEE: FEE_TOO_HIGH, TAKER_LIMIT: TOO_MANY_LOTS}
    return Reject(codes.get(ruling.outcome, MARGIN), ruling.got, ruling.allowed)


# COMMIT


def accept(state: State, placement: Placement, emit: Emit) -> None:
    """The order exists from here on; what it replaces is gone."""
    _remember(state, placement, emit)
    if placement.replaced is not None:
        cancel(state, placement.replaced, events.CANCELLED_REPLACED, emit)


def _remember(state: State, placement: Placement, emit: Emit) -> None:
    """Takes the order's number and hash, and says that it was placed."""
    order = placement.order
    state.next_order_id += 1
    count_order(placement.account, state.time_ns)
    state.used[order.hash] = order.expiry_s
    state.expiring.add(order.expiry_s, order.hash)
    if order.oco_group:
        state.waiting.join(order)
    if order.session:
        state.waiting.belong(order)
    if placement.is_new_combo and placement.combo is not None:
        combo = placement.combo
        emit(events.ComboCreated(combo.book, combo.legs, combo.tick_micro))
    emit(
        OrderPlaced(
            order.order_id,
            order.hash,
            order.account,
            order.book,
            order.side,
            order.price_micro,
            order.remaining_lots,
        )
    )


def _commit(state: State, placement: Placement, plan: Plan, emit: Emit) -> None:
    """Writes the plan: accounts, books, records, events."""
    taker, portfolio = placement.order, state.portfolio
    for step in plan.steps:
        by = taker.account
        for fill in step.fills:
            if fill.instrument.is_linear:
                settle_position(state, fill.instrument, state.accounts[by], emit)
                settle_position(state, fill.instrument, state.accounts[fill.maker.account], emit)
            if step.through is not None:  # the fills behind the first are the resting combo's
                by = step.through.order.account
    portfolio.commit()
    if plan.steps:
        _take_settled(state, taker, plan, emit)
        open_order(state, taker)
    fees, own = iter(portfolio.fees), iter(plan.own)
    gives_way = next(own, None)
    for done, step in enumerate(plan.steps):
        while gives_way is not None and gives_way.after_steps == done:
            _give_way(state, taker, gives_way, emit)
            gives_way = next(own, None)
        taker.filled_lots += step.units
        taker.remaining_lots -= step.units
        if step.through is not None:
            group = trade_through(state, taker, step, step.through, fees, emit)
        elif placement.combo is None:
            fill = step.fills[0]
            group = [trade_one(state, taker, fill, next(fees), 0, emit)]
        else:
            trade = state.next_combo_trade
            state.next_combo_trade += 1
            group = [trade_one(state, taker, fill, next(fees), trade, emit) for fill in step.fills]
            group.append(close_combo(state, placement.book, taker, step, trade, emit))
        state.record(*group)
    while gives_way is not None:
        _give_way(state, taker, gives_way, emit)
        gives_way = next(own, None)


def _drop_makers(state: State, plan: Plan, emit: Emit) -> None:
    """Makers that the gate refused go."""
    for maker, ruling in plan.dropped:
        cancel(state, maker, _DROPPED_BECAUSE[ruling.outcome], emit)


def _take_settled(state: State, taker: Order, plan: Plan, emit: Emit) -> None:
    """Whoever trades first takes what settled expiries left, so that it fills no position."""
    parties = [taker.account] + [fill.maker.account for step in plan.steps for fill in step.fills]
    for number in parties:
        account = state.accounts[number]
        if account.settlements_seen != state.settlements:
            settle_all(state, account, emit)


def _finish(state: State, placement: Placement, plan: Plan, emit: Emit) -> None:
    """The rest of the order stands in its book, or is cancelled with the reason."""
    order = placement.order
    if not order.remaining_lots:
        return
    if order.protection and is_tripped(state, order.account, order.protection):
        emit_cancelled(order, events.CANCELLED_PROTECTED, emit)
        return
    if order.is_reduce_only and not state.accounts[order.account].reducible_lots(order):
        emit_cancelled(order, events.CANCELLED_REDUCE_ONLY, emit)
        return
    if not _will_rest(placement, plan):
        emit_cancelled(order, _end_reason(plan), emit)
        return
    reject = _check_rest(state, placement.account, order, None) if plan.steps else None
    if reject is not None:
        fee = reject.code == FEE_TOO_HIGH
        reason = events.CANCELLED_FEE if fee else events.CANCELLED_MARGIN_TAKER
        emit_cancelled(order, reason, emit)
        return
    if plan is not _NOTHING_MET and placement.combo is None:
        _end_passed_over(state, placement.book, order, emit)
    if order.is_reduce_only:
        _cut(order, placement.account.reducible_lots(order), emit)
    state.portfolio.rest(placement.account, order)
    state.orders[order.hash] = order
    placement.book.add(order)
    if placement.combo is not None:
        state.combo_life.added(order)
    if order.volatility_e6:
        state.volatility.add(state.instruments[order.book].underlying.number, order)
    _emit_rested(order, emit)


def _end_passed_over(state: State, book: Book, order: Order, emit: Emit) -> None:
    """Ends those that an order passed over since they have nothing to reduce, before it comes to
    rest across them: their position may come back before the command ends.
    """
    if not book.is_met(order.side, order.price_ticks):
        return
    for met in list(book.orders(1 - order.side)):
        if (order.price_ticks - met.price_ticks) * order.sign < 0:
            return
        if met.is_reduce_only and not state.accounts[met.account].reducible_lots(met):
            cancel(state, met, events.CANCELLED_REDUCE_ONLY, emit)


def _cut(order: Order, most_lots: int, emit: Emit) -> None:
    """An order comes to rest with no more lots than the position that it reduces."""
    lots = order.remaining_lots - most_lots
    if lots > 0:
        order.remaining_lots = most_lots
        emit_reduced(order, lots, 0, events.CANCELLED_REDUCE_ONLY, emit)


def _emit_rested(order: Order, emit: Emit, takes_place_of: int = 0) -> None:
    emit(
        OrderRested(
            order.order_id,
            order.hash,
            order.account,
            order.book,
            order.side,
            order.price_micro,
            order.remaining_lots,
            order.remaining_lots - order.hidden_lots,
            takes_place_of,
        )
    )


def _give_way(state: State, taker: Order, met: OwnMet, emit: Emit) -> None:
    """A maker of the taker's owner gives way, as the taker's self-trade mode has it."""
    reason, lots = events.CANCELLED_SELF_TRADE, met.lots
    if not lots:
        cancel(state, met.maker, reason, emit)
        return
    reduce_unfilled(state, met.maker, lots, reason, emit)
    if lots == taker.remaining_lots:
        emit_cancelled(taker, reason, emit)
        taker.remaining_lots = 0
        return
    taker.remaining_lots -= lots
    emit_reduced(taker, lots, 0, reason, emit)


def _end_reason(plan: Plan) -> int:
    if plan.stop == REFUSED:
        fee = plan.ruling.outcome == TAKER_FEE
        return events.CANCELLED_FEE if fee else events.CANCELLED_MARGIN_TAKER
    if plan.stop == SELF_TRADE:
        return events.CANCELLED_SELF_TRADE
    return events.CANCELLED_LIMIT if plan.stop == FILL_BOUND else events.CANCELLED_IMMEDIATE
