"""What must hold of waiting orders and of ties between orders, said a second time and slowly.

Holds: part of `exchange/invariants.py`, which calls it: `broken_waiting` names what is wrong,
`waiting_lines` are what a later command can see of them.
Never: changes the state.
"""

from collections.abc import Callable, Iterator

from exchange.state import State
from exchange.waiting_orders import MAX_GROUP, MAX_WAITING_ORDERS
from matching.orders import (
    INDEX_AT_LEAST,
    INDEX_AT_MOST,
    MARK_AT_LEAST,
    MARK_AT_MOST,
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


def _differs(what: str, kept: object, counted: object) -> Iterator[str]:
    if kept != counted:
        yield f"{what}: kept as {kept}, counted {counted}"


def waiting_lines(state: State, order_line: Callable[[Order], str]) -> Iterator[str]:
    waiting = state.waiting
    for one in sorted(waiting.by_hash.values(), key=lambda one: one.order.order_id):
        yield order_line(one.order) + repr((one.signed, one.source))
    yield repr((sorted(waiting.armed.items()), list(waiting.due.items())))
    yield repr((sorted(waiting.children.items()), sorted(waiting.last_micro.items())))
    yield repr([(group, list(members)) for group, members in sorted(waiting.groups.items())])
