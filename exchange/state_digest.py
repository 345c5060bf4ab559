"""The state of the exchange as one hash: what two copies of it are compared by.

Holds: all that a later command can see is in it, but sequence and time; what follows from the rest
(vectors, bounds, indexes) is left out, since `invariants.check` compares it.
Never: changes the state.
"""

from collections.abc import Iterable, Iterator

from exchange.circuit_breaker import shape
from exchange.invariants import resting
from exchange.state import State
from exchange.waiting_invariants import waiting_lines
from margin.accounts import Account
from margin.funding import Funding
from matching.orders import Order
from settlement.keccak import keccak256


def state_hash(state: State) -> bytes:
    """Digest of all that a later command can see but sequence and time; vectors and other things
    that follow from the rest are left out (`check` compares them).
    """
    return keccak256("\n".join(_lines(state)).encode())


def _lines(state: State) -> Iterable[str]:
    yield repr((state.chain_id, state.settlement, state.operator, state.portfolio.schedule))
    for underlying in state.underlyings:
        yield repr((underlying.number, underlying.name, underlying.lot_e8))
    for expiry in state.expiries:
        yield repr((expiry.number, expiry.expiry_time_s, expiry.settlement_micro))
    yield from _market_lines(state)
    for account in state.accounts.values():
        yield from _account_lines(account)
        for group, protection in sorted(account.protections.items()):
            yield repr((group, protection.terms(state.time_ns)))
    yield from state.liquidations.lines()
    for order in resting(state):
        yield _order_line(order)
    yield from waiting_lines(state, _order_line)
    yield repr(sorted(state.used.items()))
    yield repr(sorted(state.opened.items()))
    yield repr(sorted(state.withdrawals_taken.items()))
    yield repr([(expiry, sorted(hashes)) for expiry, hashes in list(state.expiring.items())])
    yield repr((state.next_order_id, state.next_trade, state.next_combo_trade))
    yield repr((state.fee_cash_micro, state.insurance_cash_micro, state.residue_cash_micro))
    yield repr((state.credited_micro, state.withdrawn_micro, sorted(state.claimed.items())))
    yield repr((sorted(state.credited_assets.items()), sorted(state.withdrawn_assets.items())))
    for number, asset in sorted(state.portfolio.collateral.assets.items()):
        yield repr((number, *asset.terms()))
    yield repr((state.inbox_cursor, state.withdrawal_count, state.settlements))
    yield repr((state.batches_cut, state.batches_confirmed, state.groups))
    yield "" if state.ledger is None else state.ledger.root().hex()


def _market_lines(state: State) -> Iterator[str]:
    marks = state.marks
    for instrument in state.instruments:
        number = instrument.number
        yield repr((number, instrument.symbol, instrument.tick_value_micro))
        yield repr(
            (marks.is_marked[number], marks.accrual_micro[number], marks.carry_micro[number])
        )
        yield repr((marks.offset_micro[number], marks.values[number].tolist()))
    for by_underlying in (marks.index_micro, marks.mark_time_s, marks.epochs):
        yield repr(sorted(by_underlying.items()))
    yield repr(sorted(marks.expiry_marks.items()))
    yield repr((state.combo_life.next_number, list(state.combo_life.idle.items())))
    for combo in state.combos.values():
        yield repr((combo.book, combo.legs, combo.tick_micro))
    yield repr(sorted(state.portfolio.fee_levels.items()))
    for number, funding in sorted(state.funding.items()):
        yield repr((number, [getattr(funding, name) for name in Funding.__slots__]))
    yield repr((state.trading.items(), sorted(state.trading.by_breaker.items())))
    yield repr((sorted(state.trading.ends_s.items()), list(state.trading.delisted)))
    yield repr(state.samples.shape())
    yield repr(sorted(state.trading.by_clearing.items()))
    for underlying, breaker in sorted(state.breakers.items()):
        yield repr((underlying, shape(breaker)))
    yield repr(sorted(state.trading.by_oracle.items()))
    for underlying, oracle in sorted(state.oracles.items()):
        yield repr((underlying, oracle.shape()))


def _account_lines(account: Account) -> Iterator[str]:
    yield repr((account.number, account.owner, account.counter, sorted(account.keys.items())))
    yield repr((account.cash_micro, account.basis_micro, account.gross_lots, account.open_lots))
    yield repr(sorted(account.collateral.items()))
    yield repr((account.next_slot, account.settlements_seen, list(account.orders)))
    yield repr((account.owner_number, account.rate_full_ns))
    yield repr((account.status, account.paid_in_micro))
    yield repr((account.margin_model, account.risk_tier, account.least_tier))
    yield repr([(n, p.quantity_lots, p.accrual_seen_micro) for n, p in account.positions.items()])


def _order_line(order: Order) -> str:
    return repr([getattr(order, name) for name in _ORDER_FIELDS])


_ORDER_FIELDS = (
    "order_id",
    "hash",
    "account",
    "book",
    "side",
    "price_micro",
    "remaining_lots",
    "hidden_lots",
    "display_lots",
    "flags",
    "owner",
    "protection",
    "filled_lots",
    "max_fee_micro",
    "expiry_s",
    "slot",
    "client_id",
    "label",
    "oco_group",
    "is_quote",
)
