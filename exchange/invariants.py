"""What must hold of the state after every command, said a second time and slowly.

Holds: `check` recomputes from positions, orders and marks, in plain integers, everything that the
engine keeps up incrementally, and names what differs and where; `state_hash` is equal for two
states that no command can tell apart, whatever the sequence and the time.
Never: changes the state, or freshens what it keeps for later (an order loss of old marks stays so).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from exchange.collateral_invariants import (
    collateral_values,
    conserved_assets,
    counted_collateral,
    initial_stable_micro,
)
from exchange.fee_invariants import broken_fees
from exchange.ledger_invariants import broken_ledger, differs
from exchange.liquidation_invariants import broken_liquidations
from exchange.margin_invariants import (
    charges_micro,
    features_from_values,
    holdings,
    order_charge_micro,
    standard_worth_micro,
    stretched,
)
from exchange.oracle_invariants import broken_oracles
from exchange.state import State
from exchange.waiting_invariants import broken_waiting
from margin.accounts import MAX_POSITIONS, STANDARD_MODEL, Account
from margin.charges import CONCENTRATION
from margin.fees import fee_up
from margin.kernel import integers
from margin.parameters import NETTING_PERCENT
from margin.scenarios import BASE_SCENARIO, SCENARIO_COUNT
from matching.book import Book, Level, Side
from matching.combos import COMBO_BASE, MAX_LEGS
from matching.instruments import MAX_LOTS, Instrument
from matching.orders import BUY, SELL, Order

Values = list[int]
"""One integer per scenario."""


def check(state: State) -> list[str]:
    """All that is broken, in sentences; empty when everything holds."""
    return [
        *_conservation(state),
        *_positions(state),
        *_marks(state),
        *_vectors(state),
        *counted_collateral(state),
        *holdings(state),
        *_books(state),
        *_orders(state),
        *broken_waiting(state),
        *broken_oracles(state),
        *_combos(state),
        *broken_fees(state),
        *broken_ledger(state, owed_micro(state)),
        *broken_liquidations(state),
        *_delisted(state),
    ]


# CASH AND POSITIONS


def owed_micro(state: State) -> int:
    """What the exchange owes: all cash, what positions have accrued and not yet taken, fee,
    insurance and residue cash, micro-USDC.
    """
    owed = state.fee_cash_micro + state.insurance_cash_micro + state.residue_cash_micro
    for account in state.accounts.values():
        owed += account.cash_micro
        for number, position in account.positions.items():
            instrument = state.instruments[number]
            per_lot = state.marks.accrual_micro[number] - position.accrual_seen_micro
            owed += position.quantity_lots * (per_lot + _payoff(instrument))
    return owed


def _payoff(instrument: Instrument) -> int:
    settlement = instrument.expiry.settlement_micro if instrument.expiry else None
    return 0 if settlement is None else instrument.payoff_micro(settlement)


def _is_settled(instrument: Instrument) -> bool:
    return instrument.expiry is not None and instrument.expiry.settlement_micro is not None


def _conservation(state: State) -> Iterator[str]:
    """Design decision 2, to the last unit."""
    owed = owed_micro(state)
    if owed + state.withdrawn_micro != state.credited_micro:
        yield (
            f"conservation: {owed} owed and {state.withdrawn_micro} withdrawn of "
            f"{state.credited_micro} credited"
        )
    if state.withdrawn_micro > state.credited_micro:
        yield f"conservation: withdrawn {state.withdrawn_micro} of {state.credited_micro} credited"
    yield from conserved_assets(state)


def _positions(state: State) -> Iterator[str]:
    sums = [0] * len(state.instruments)
    for key, account in state.accounts.items():
        here = f"account {key}"
        if account.number != key:
            yield f"{here}: bears the number {account.number}"
        yield from differs(f"{here}: owner", account.owner_number, state.owners[account.owner])
        gross = basis = 0
        for number, position in account.positions.items():
            lots = position.quantity_lots
            sums[number] += lots
            gross += abs(lots)
            basis += lots * position.accrual_seen_micro
            if not lots:
                yield f"{here}: keeps an empty position in instrument {number}"
        open_lots = sum(
            order.remaining_lots * _lots_per_unit(state, order)
            for order in account.orders.values()
            if not order.is_reduce_only
        )
        yield from differs(f"{here}: gross lots", account.gross_lots, gross)
        yield from differs(f"{here}: open lots", account.open_lots, open_lots)
        yield from differs(f"{here}: basis", account.basis_micro, basis)
        if gross + open_lots > MAX_LOTS:
            yield f"{here}: {gross + open_lots} lots, orders included, are over {MAX_LOTS}"
        if len(account.positions) > MAX_POSITIONS:
            yield f"{here}: {len(account.positions)} positions are over {MAX_POSITIONS}"
    for instrument, lots in zip(state.instruments, sums, strict=True):
        if lots and not _is_settled(instrument):
            yield f"positions of instrument {instrument.number} sum to {lots}"


def _lots_per_unit(state: State, order: Order) -> int:
    if order.book < COMBO_BASE:
        return 1
    return sum(abs(ratio) for _, ratio in state.combos[order.book].legs)


# MARGIN


def _marks(state: State) -> Iterator[str]:
    """What a price holds that a value does not: a linear instrument's mark, less its accrual."""
    marks = state.marks
    for instrument in state.instruments:
        number, offset = instrument.number, 0
        if instrument.is_linear:
            offset = marks.carry_micro[number] - marks.accrual_micro[number]
            if marks.is_marked[number]:
                base = int(marks.values[number, BASE_SCENARIO])
                here = f"instrument {number}: accrual and value where nothing moves"
                yield from differs(here, marks.accrual_micro[number], base)
            elif not marks.carry_micro[number]:
                offset = marks.offset_micro[number]  # not marked, so nothing was priced
        yield from differs(f"instrument {number}: offset", marks.offset_micro[number], offset)
        features: list[int] = marks.features[number].tolist()
        counted = features_from_values(state, instrument)
        yield from differs(f"instrument {number}: features", features, counted)


def position_values(state: State, account: Account, underlying: int) -> Values:
    """What the positions on one underlying are worth per scenario."""
    total = [0] * SCENARIO_COUNT
    for number, position in account.positions.items():
        if state.instruments[number].underlying.number == underlying:
            _add(total, _lot_values(state, number), position.quantity_lots)
    return total


def order_losses(state: State, account: Account, underlying: int) -> Values:
    """What the open orders on one underlying could lose per scenario, at the current marks: the
    worst subset of them fills, of a protected group at most its limit (docs/margin.md, 3.3).
    """
    total = [0] * SCENARIO_COUNT
    groups: dict[int, list[tuple[Order, Values]]] = {}
    for order in account.orders.values():
        legs = _legs(state, order)
        if state.instruments[legs[0][0]].underlying.number != underlying or order.is_reduce_only:
            continue
        losses = _lot_losses(state, order, legs)
        if order.protection in account.protection_limits:
            groups.setdefault(order.protection, []).append((order, losses))
        else:
            _add(total, losses, order.remaining_lots)
    for protection, members in groups.items():
        lots = sum(order.remaining_lots for order, _ in members)
        limit = min(account.protection_limits[protection], lots)
        for scenario in range(SCENARIO_COUNT):
            whole = sum(losses[scenario] * order.remaining_lots for order, losses in members)
            capped = limit * min(losses[scenario] for _, losses in members)
            total[scenario] += whole if capped < -(1 << 62) else max(whole, capped)
    return total


def _lot_losses(state: State, order: Order, legs: Sequence[tuple[int, int]]) -> Values:
    """What one lot or unit could lose per scenario of its first leg's underlying; legs on others
    each at the worst of its underlying, apart.
    """
    first = state.instruments[legs[0][0]].underlying.number
    quarters = state.accounts[order.account].stretch_quarters
    charge = -(-order_charge_micro(state, order, legs) * quarters // 4)
    at_price = -order.sign * order.price_micro - _most_fee(state, order, legs) - charge
    gains = [0] * SCENARIO_COUNT
    beside: dict[int, Values] = {}
    for number, ratio in legs:
        signed = order.sign * ratio
        offset = signed * state.marks.offset_micro[number]
        at_price += offset
        underlying = state.instruments[number].underlying.number
        values = gains
        if underlying != first:
            values = beside.setdefault(underlying, [0] * SCENARIO_COUNT)
        _add(values, _lot_values(state, number), signed)
    base = sum(values[BASE_SCENARIO] for values in beside.values())
    apart = sum(min(values) for values in beside.values())
    if quarters != 4 and any(min(values) != max(values) for values in beside.values()):
        apart = base + (apart - base) * quarters // 4 - MAX_LEGS
    return [min(0, gain + apart + at_price) for gain in stretched(gains, quarters)]


def excess_micro(state: State, account: Account) -> int:
    """Initial-margin excess, micro-USDC, from positions, orders and marks alone."""
    lots = basis = 0
    for position in account.positions.values():
        lots += abs(position.quantity_lots)
        basis += position.quantity_lots * position.accrual_seen_micro
    for order in account.orders.values():
        if not order.is_reduce_only:
            lots += order.remaining_lots * _lots_per_unit(state, order)
    worth = account.cash_micro - basis - (lots + 1) // 2 + initial_stable_micro(state, account)
    if account.margin_model == STANDARD_MODEL:
        return worth + standard_worth_micro(state, account, _most_fee)
    quarters = account.stretch_quarters
    together, separate = [0] * SCENARIO_COUNT, 0
    for underlying in range(len(state.underlyings)):
        values = position_values(state, account, underlying)
        _add(values, collateral_values(state, account, underlying), 1)
        values = stretched(values, quarters)
        _add(values, order_losses(state, account, underlying), 1)
        _add(together, values, 1)
        separate += min(values)
        worth -= -(-sum(charges_micro(state, account, underlying)) * quarters // 4)
    return worth + separate + (min(together) - separate) * NETTING_PERCENT // 100


def margin_kept(before: Mapping[int, int], state: State) -> list[str]:
    """Design decision 6, after an accepted command that moves no mark: no account's excess is
    below zero unless it is no lower than `before` (`excess_micro` by account).
    """
    broken: list[str] = []
    for number, account in state.accounts.items():
        after = excess_micro(state, account)
        if after < 0 and after < before.get(number, 0):
            broken.append(
                f"account {number}: margin excess fell from {before.get(number, 0)} to {after}"
            )
    return broken


def _vectors(state: State) -> Iterator[str]:
    for number, account in state.accounts.items():
        for underlying in range(len(state.underlyings)):
            here = f"account {number}, underlying {underlying}"
            risk = account.risks.get(underlying)
            values = position_values(state, account, underlying)
            _add(values, collateral_values(state, account, underlying), 1)
            if risk is None:
                if any(values):
                    yield f"{here}: positions or collateral without a vector"
                continue
            yield from differs(f"{here}: values", integers(risk.value), values)
            if risk.version == state.marks.versions.get(underlying, 0):
                losses = order_losses(state, account, underlying)
                yield from differs(f"{here}: least value", risk.least_micro, min(values))
                if -min(losses) > risk.loss_bound_micro:
                    yield f"{here}: orders can lose {-min(losses)}, bound {risk.loss_bound_micro}"
                charges = charges_micro(state, account, underlying)
                kept = [risk.charge_micro, risk.concentration_micro]
                counted = [sum(charges[:CONCENTRATION]), charges[CONCENTRATION]]
                yield from differs(f"{here}: charges", kept, counted)
                if risk.is_exact:
                    yield from differs(f"{here}: order losses", integers(risk.order_loss), losses)


def _lot_values(state: State, number: int) -> Values:
    return state.marks.values[number].tolist()


def _legs(state: State, order: Order) -> Sequence[tuple[int, int]]:
    return state.combos[order.book].legs if order.book >= COMBO_BASE else ((order.book, 1),)


def _most_fee(state: State, order: Order, legs: Sequence[tuple[int, int]]) -> int:
    """The most that one lot or unit of a resting order costs in fees: for a combo, the index alone
    bounds it, leg by leg.
    """
    rate, cap = state.portfolio.schedule.maker_rate, state.portfolio.schedule.cap
    indices = state.marks.index_micro
    leg = state.instruments[legs[0][0]]
    if order.book < COMBO_BASE:
        index = indices.get(leg.underlying.number, 0)
        return fee_up(rate, cap, leg.is_linear, index, order.price_micro, 1)
    fee = 0
    for number, ratio in legs:
        index = indices.get(state.instruments[number].underlying.number, 0)
        fee += abs(ratio) * fee_up(rate, 0, True, index, 0, 1)
    return fee


def _add(total: Values, values: Values, times: int) -> None:
    for scenario, value in enumerate(values):
        total[scenario] += times * value


# BOOKS AND ORDERS


def _books(state: State) -> Iterator[str]:
    for number, book in state.books.items():
        if book.number != number:
            yield f"book {number}: bears the number {book.number}"
        yield from _side(book, book.bids, is_bid=True)
        yield from _side(book, book.asks, is_bid=False)
        if number < COMBO_BASE and book.bids.keys and book.asks.keys:
            bid, ask = book.bids.keys[-1], -book.asks.keys[-1]
            if bid >= ask:
                yield f"book {number}: crossed, {bid} bid and {ask} asked"


def _side(book: Book, side: Side, is_bid: bool) -> Iterator[str]:
    here = f"book {book.number}, {'bids' if is_bid else 'asks'}"
    if any(low >= high for low, high in pairwise(side.keys)):
        yield f"{here}: levels out of order, {side.keys}"
    if sorted(side.levels) != sorted(side.keys):
        yield f"{here}: levels {sorted(side.levels)} beside keys {side.keys}"
    if side.best is not (side.levels[side.keys[-1]] if side.keys else None):
        yield f"{here}: another level than the last is kept as the best"
    for key, level in side.levels.items():
        yield from _level(f"{here}, level {key}", book, level, key, is_bid)


def _level(here: str, book: Book, level: Level, key: int, is_bid: bool) -> Iterator[str]:
    orders = lots = 0
    before: Order | None = None
    order = level.head
    while order is not None:
        orders += 1
        lots += order.remaining_lots - order.hidden_lots
        if order.previous is not before or order.level is not level:
            yield f"{here}: order {order.order_id} is linked wrongly"
        if order.book != book.number or (order.side == BUY) != is_bid:
            yield f"{here}: order {order.order_id} stands in a wrong book or side"
        if order.price_ticks != (key if is_bid else -key):
            yield f"{here}: order {order.order_id} at {order.price_ticks} ticks"
        if order.price_micro != order.price_ticks * book.tick_micro:
            yield f"{here}: order {order.order_id} at {order.price_micro} micro-USDC"
        if order.remaining_lots <= 0:
            yield f"{here}: order {order.order_id} has nothing left"
        shown = order.remaining_lots - order.hidden_lots
        if not 0 < shown <= (order.display_lots or order.remaining_lots) or order.hidden_lots < 0:
            yield f"{here}: order {order.order_id} shows {shown} of {order.remaining_lots}"
        before, order = order, order.next
    if not orders:
        yield f"{here}: empty"
    if level.tail is not before:
        yield f"{here}: its tail is not its last order"
    yield from differs(f"{here}: orders", level.orders, orders)
    yield from differs(f"{here}: lots", level.quantity_lots, lots)
    if level.key != key:
        yield f"{here}: bears the key {level.key}"


def resting(state: State) -> Iterator[Order]:
    """Every order in every book, by book, bids first, each side best first."""
    for book in state.books.values():
        for side in (book.bids, book.asks):
            for key in reversed(side.keys):
                order = side.levels[key].head
                while order is not None:
                    yield order
                    order = order.next


def _orders(state: State) -> Iterator[str]:
    in_books = {order.order_id: order for order in resting(state)}
    in_accounts = {
        order.order_id: order
        for account in state.accounts.values()
        for order in account.orders.values()
    }
    by_hash = {order.order_id: order for order in state.orders.values()}
    yield from differs("orders of accounts and of books", sorted(in_accounts), sorted(in_books))
    yield from differs("orders by hash and in books", sorted(by_hash), sorted(in_books))
    for order_hash, order in state.orders.items():
        here = f"order {order.order_id}"
        account = state.accounts[order.account]
        if in_books.get(order.order_id) is not order or order.hash != order_hash:
            yield f"{here}: another stands in the book"
        if account.orders.get(order.order_id) is not order:
            yield f"{here}: another stands with account {order.account}"
        if order.expiry_s <= state.time_s:
            yield f"{here}: live at {state.time_s}, expired at {order.expiry_s}"
        yield from differs(f"{here}: owner", order.owner, account.owner_number)
        if order.order_id >= state.next_order_id:
            yield f"{here}: the next is {state.next_order_id}"
        if order_hash not in state.used:
            yield f"{here}: its hash is not remembered"
        yield from _reduces(here, order, account)
        opened = (order.account, order.slot) if order.slot >= 0 else None
        yield from differs(f"{here}: its slot", state.opened.get(order_hash), opened)
    for number, account in state.accounts.items():
        kept = [key for of_one in account.reduce_only.values() for key in of_one]
        found = [key for key, order in account.orders.items() if order.is_reduce_only]
        here = f"account {number}: orders that may only reduce"
        yield from differs(here, sorted(kept), sorted(found))
    if state.portfolio.moved:
        yield f"left over: positions that moved, {state.portfolio.moved}"
    yield from _quotes(state)
    yield from _used(state)


def _reduces(here: str, order: Order, account: Account) -> Iterator[str]:
    """An order that may only reduce has a position to reduce, at least as large as itself."""
    if not order.is_reduce_only:
        return
    position = account.positions.get(order.book)
    held = 0 if position is None else position.quantity_lots
    if (held > 0) != (order.side == SELL) or abs(held) < order.remaining_lots:
        yield f"{here}: may only reduce, {order.remaining_lots} on side {order.side} of {held}"
    if order.order_id not in account.reduce_only.get(order.book, {}):
        yield f"{here}: may only reduce, and is not listed so"


def _quotes(state: State) -> Iterator[str]:
    """Live quotes and the sets that they stand in."""
    quotes = {
        (order.account, order.label, order.book, order.side): order.order_id
        for order in resting(state)
        if order.is_quote
    }
    listed = {key: order.order_id for key, order in state.quotes.items()}
    yield from differs("live quotes and quote sets", sorted(listed.items()), sorted(quotes.items()))
    if len(quotes) != sum(order.is_quote for order in resting(state)):
        yield "a quote set has two live quotes on one side of one book"


def _combos(state: State) -> Iterator[str]:
    """Combos, their books, and what is kept of who uses them."""
    life = state.combo_life
    in_use: dict[int, dict[int, int]] = {}
    active: dict[tuple[int, int], list[int]] = {}
    sides = {(order.book, order.side): True for order in resting(state)}
    for number, combo in state.combos.items():
        if combo.book != number or state.combos_by_legs.get(combo.legs) is not combo:
            yield f"combo {number}: bears the number {combo.book}, legs {combo.legs}"
        if not COMBO_BASE <= number < life.next_number or number not in state.books:
            yield f"combo {number}: out of its range, or without a book"
        for side in (BUY, SELL):
            for instrument, ratio in combo.legs:
                if (number, side) in sides and len(combo.legs) == 2:
                    of_leg = side if ratio > 0 else 1 - side
                    active.setdefault((instrument, of_leg), []).append(number)
    for account in state.accounts.values():
        for order in account.orders.values():
            if order.book >= COMBO_BASE:
                counts = in_use.setdefault(account.number, {})
                counts[order.book] = counts.get(order.book, 0) + 1
        kept = life.orders_of(account.number)
        here = f"account {account.number}: combos with its orders"
        yield from differs(here, kept, in_use.get(account.number, {}))
    for instrument in state.instruments:
        for side in (BUY, SELL):
            here = f"instrument {instrument.number}, side {side}: active combos"
            kept = life.active(instrument.number, side)
            yield from differs(here, kept, sorted(active.get((instrument.number, side), [])))
    yield from differs("combos by number and by legs", len(state.combos), len(state.combos_by_legs))
    empty = sorted(number for number in state.combos if state.books[number].is_empty())
    yield from differs("idle combos", sorted(life.idle), empty)
    if list(life.idle.values()) != sorted(life.idle.values()):
        yield f"idle combos out of order: {life.idle}"


def _expiring(state: State) -> list[tuple[int, list[bytes]]]:
    return list(state.expiring.items())


def _used(state: State) -> Iterator[str]:
    """Hashes are remembered until their expiry, and none longer."""
    listed = sorted(
        (order_hash, expiry) for expiry, hashes in _expiring(state) for order_hash in hashes
    )
    yield from differs(
        "hashes that expire and hashes remembered", listed, sorted(state.used.items())
    )
    for order_hash, expiry in state.used.items():
        if expiry <= state.time_s:
            yield f"hash {order_hash.hex()}: remembered at {state.time_s} beyond {expiry}"
    for order_hash in state.opened:
        if order_hash not in state.used:
            yield f"hash {order_hash.hex()}: opened and not remembered"
    slots = {
        (number, slot): order_hash
        for number, account in state.accounts.items()
        for slot, order_hash in account.slots.items()
    }
    opened = {place: order_hash for order_hash, place in state.opened.items()}
    yield from differs("slots of accounts and of opened orders", slots, opened)


# WHAT HAS ENDED


def _delisted(state: State) -> Iterator[str]:
    """Nobody holds what is delisted, and no order or combo names it."""
    for number in state.trading.delisted:
        here = f"delisted instrument {number}"
        if number not in state.trading.ends_s:
            yield f"{here}: has no end"
        if not state.books[number].is_empty() or state.waiting.of_book(number):
            yield f"{here}: has orders"
        for account in state.accounts.values():
            if number in account.positions:
                yield f"{here}: held by account {account.number}"
        for combo in state.combos.values():
            if any(leg == number for leg, _ in combo.legs):
                yield f"{here}: a leg of combo {combo.book}"
