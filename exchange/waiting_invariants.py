"""What must hold of waiting orders and of ties between orders, said a second time and slowly.

Holds: part of `exchange/invariants.py`, which calls it: `broken_waiting` names what is wrong,
`waiting_lines` are what a later command can see of them.
Never: changes the state.
"""

from collections.abc import Callable, Iterator

from exchange.state import State
from exchange.volatility_orders import MAX_VOLATILITY_ORDERS
from exchange.waiting_orders import MAX_GROUP, MAX_WAITING_ORDERS
from matching.orders import (
    IN_VOLATILITY,
    INDEX_AT_LEAST,
    INDEX_AT_MOST,
    MARK_AT_LEAST,
    MARK_AT_MOST,
    UNTIL_DISCONNECT,
    Order,
)


def broken_waiting(state: State) -> Iterator[str]:
    """Each waits in one place, with what it waits for not there yet; groups and parents live."""
    waiting = state.waiting
    places: list[bytes] = list(waiting.due)
    for source, armed in waiting.armed.items():
        places += [order_hash for _, _, order_hash in armed]
        if armed != sorted(armed) or not armed:
            yield f"armed at {source}: {armed}"
        for _, number, order_hash in armed:
            if waiting.by_hash[order_hash].source != source:
                yield f"order {number}: armed at {source}"
        yield from _not_reached(state, source)
    for parent, children in waiting.children.items():
        places += children.values()
        if parent not in state.orders and parent not in waiting.by_hash:
            yield f"children of {parent.hex()}, which is not live"
    yield from _differs("places of waiting orders", sorted(places), sorted(waiting.by_hash))
    for indexed in (waiting.by_account, waiting.by_book):
        found = sorted(one.order.hash for held in indexed.values() for one in held.values())
        yield from _differs("waiting orders by account or book", found, sorted(waiting.by_hash))
    for number, held in waiting.by_account.items():
        if list(held) != sorted(held) or not 0 < len(held) <= MAX_WAITING_ORDERS:
            yield f"account {number}: {list(held)} wait"
    for order_hash, one in waiting.by_hash.items():
        order = one.order
        here = f"waiting order {order.order_id}"
        if order_hash in state.orders or order.level is not None or order.filled_lots:
            yield f"{here}: stands in a book"
        if state.used.get(order_hash) != order.expiry_s or order.expiry_s <= state.time_s:
            yield f"{here}: expires at {order.expiry_s}, remembered {state.used.get(order_hash)}"
    yield from _groups(state)
    yield from _sessions(state)
    yield from _volatility(state)
    if waiting.ended or waiting.hits or waiting.ranges or waiting.remarked:
        yield f"left over: {waiting.ended}, {waiting.hits}, {waiting.ranges}, {waiting.remarked}"


def _not_reached(state: State, source: tuple[int, int]) -> Iterator[str]:
    """No armed trigger on a mark or an index is true: it would be due."""
    trigger, watched = source
    armed = state.waiting.armed[source]
    if trigger in (MARK_AT_LEAST, MARK_AT_MOST):
        price = state.marks.mark_micro(state.instruments[watched])
    elif trigger in (INDEX_AT_LEAST, INDEX_AT_MOST):
        price = state.marks.index_micro[watched]
    else:
        return
    for _, number, order_hash in armed:
        wanted = state.waiting.by_hash[order_hash].signed.conditions.trigger_price_micro
        if price >= wanted if trigger in (MARK_AT_LEAST, INDEX_AT_LEAST) else price <= wanted:
            yield f"order {number}: armed at {wanted} with {price} there"


def _groups(state: State) -> Iterator[str]:
    live = [*state.orders.values(), *(one.order for one in state.waiting.by_hash.values())]
    counted: dict[tuple[int, int], list[bytes]] = {}
    for order in live:
        if order.oco_group:
            counted.setdefault((order.account, order.oco_group), []).append(order.hash)
    kept = {group: sorted(members) for group, members in state.waiting.groups.items()}
    yield from _differs("groups", kept, {group: sorted(found) for group, found in counted.items()})
    for group, members in kept.items():
        if len(members) > MAX_GROUP:
            yield f"group {group}: {len(members)} orders"


def _sessions(state: State) -> Iterator[str]:
    """Each live order that goes with its connection stands under it, in the order of age."""
    live = [*state.orders.values(), *(one.order for one in state.waiting.by_hash.values())]
    counted: dict[int, list[tuple[int, bytes]]] = {}
    for order in sorted(live, key=lambda order: order.order_id):
        if (order.flags & UNTIL_DISCONNECT != 0) != (order.session > 0):
            yield f"order {order.order_id}: flags {order.flags}, session {order.session}"
        if order.session:
            counted.setdefault(order.session, []).append((order.order_id, order.hash))
    kept = {session: list(held.items()) for session, held in state.waiting.sessions.items()}
    yield from _differs("orders of connections", kept, counted)
    if max(kept, default=0) > state.waiting.last_session:
        yield f"connections {sorted(kept)}, the last {state.waiting.last_session}"


def _volatility(state: State) -> Iterator[str]:
    """Exactly the resting orders that are priced in volatility are priced anew, none beyond its
    limit, and of no account too many.
    """
    counted: dict[int, list[int]] = {}
    of_account: dict[int, int] = {}
    for order in state.orders.values():
        if (order.flags & IN_VOLATILITY != 0) != (order.volatility_e6 > 0):
            yield f"order {order.order_id}: flags {order.flags}, {order.volatility_e6}e-6"
        if order.volatility_e6:
            counted.setdefault(state.instruments[order.book].underlying.number, []).append(
                order.order_id
            )
            of_account[order.account] = of_account.get(order.account, 0) + 1
            if order.sign * (order.price_ticks - order.limit_ticks) > 0 or order.price_ticks < 1:
                yield f"order {order.order_id}: {order.price_ticks}, limit {order.limit_ticks}"
    kept = {number: sorted(held) for number, held in state.volatility.by_underlying.items()}
    found = {number: sorted(numbers) for number, numbers in counted.items()}
    yield from _differs("orders priced in volatility", kept, found)
    yield from _differs("their number", state.volatility.of_account, of_account)
    if max(of_account.values(), default=0) > MAX_VOLATILITY_ORDERS:
        yield f"orders priced in volatility: {of_account}"


def _differs(what: str, kept: object, counted: object) -> Iterator[str]:
    if kept != counted:
        yield f"{what}: kept as {kept}, counted {counted}"


def waiting_lines(state: State, order_line: Callable[[Order], str]) -> Iterator[str]:
    waiting = state.waiting
    for one in sorted(waiting.by_hash.values(), key=lambda one: one.order.order_id):
        yield order_line(one.order) + repr((one.signed, one.source))
    yield repr((sorted(waiting.armed.items()), list(waiting.due.items())))
    yield repr((sorted(waiting.children.items()), sorted(waiting.last_micro.items())))
    sessions = [(session, list(held)) for session, held in sorted(waiting.sessions.items())]
    yield repr((sessions, waiting.last_session))
    for number in sorted(state.volatility.by_underlying):
        for order in state.volatility.oldest_first(number):
            yield repr((number, order.order_id, order.volatility_e6, order.limit_ticks))
    yield repr([(group, list(members)) for group, members in sorted(waiting.groups.items())])
