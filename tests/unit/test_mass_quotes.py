"""Mass quotes: one message, many sides, each for itself."""

from typing import Any

import pytest

from exchange import commands as c
from exchange import events as e
from exchange.audit import Fault, OnChain, _Auditor
from exchange.events import Event
from exchange.state_digest import state_hash
from exchange.wallet import SigningDomain, Wallet
from matching import rejects as r
from matching.orders import BUY, POST_ONLY, SELL
from matching.rejects import Reject
from settlement.bulk_orders import bulk_hash
from settlement.mass_quotes import (
    MAX_QUOTES,
    QUOTE_FLAGS,
    MassQuote,
    check_mass_quote,
    mass_quote_hash,
    quoted_orders,
)
from settlement.signed_messages import NO_ORDER, Conditions, Order, order_hash
from tests.floor import (
    CALL_90,
    CALL_100,
    CHAIN_ID,
    PERP,
    PUT_90,
    SETTLEMENT,
    Floor,
    cancel_reasons,
    fills,
    of_type,
    open_floor,
    refusal,
)

TICK = 10_000
VERTICAL = ((CALL_90, 1), (CALL_100, -1))
LOW, HIGH = 93_000_000, 94_000_000


@pytest.fixture
def floor() -> Floor:
    return open_floor()


def refused(events: tuple[Event, ...]) -> list[tuple[int, int, int]]:
    """(index, side, code) of every side that was refused."""
    return [(event.index, event.side, event.code) for event in of_type(events, e.QuoteRejected)]


def book_of(floor: Floor, number: int, side: int) -> list[tuple[int, int, int]]:
    """(account, price, lots) in the order in which they trade."""
    return [
        (order.account, order.price_micro, order.remaining_lots)
        for order in floor.state.books[number].orders(side)
    ]


# THE MESSAGE


def test_a_mass_quote_stands_for_the_orders_that_the_page_says() -> None:
    message = MassQuote(
        3, 1, POST_ONLY, 99, 1_800_000_000, 50, 7, 11, (
            (((4, 1),), 10_000, 2, 20_000, 3),
            (VERTICAL, -5, 0, 5, 1),
        ),
    )  # fmt: skip
    both = Conditions(protection=7, label=11)
    rest = (99, 1_800_000_000)
    assert quoted_orders(message) == [
        Order(3, 1, BUY, 0, POST_ONLY, 10_000, 2, *rest, 50, NO_ORDER, ((4, 1),), both),
        Order(3, 1, SELL, 0, POST_ONLY, 20_000, 3, *rest, 51, NO_ORDER, ((4, 1),), both),
        Order(3, 1, BUY, 0, POST_ONLY, -5, 0, *rest, 52, NO_ORDER, VERTICAL, both),
        Order(3, 1, SELL, 0, POST_ONLY, 5, 1, *rest, 53, NO_ORDER, VERTICAL, both),
    ]
    hashes = [order_hash(order) for order in quoted_orders(message)]
    assert mass_quote_hash(message) == bulk_hash(hashes)


def test_two_hundred_quotes_hang_on_one_signature() -> None:
    quotes = tuple((((number, 1),), 10_000, 1, 20_000, 1) for number in range(MAX_QUOTES))
    message = MassQuote(3, 1, 0, 99, 1_800_000_000, 0, 0, 1, quotes)
    assert check_mass_quote(message) is None
    signed = Wallet(b"\x05" * 32).sign_bulk(
        quoted_orders(message), SigningDomain(CHAIN_ID, SETTLEMENT)
    )
    assert signed.message_hash == mass_quote_hash(message)


# WHAT BECOMES OF IT


def test_both_sides_of_every_quote_rest(floor: Floor) -> None:
    events = floor.quote(0, [(CALL_90, LOW, 5, HIGH, 6), (VERTICAL, -5_000_000, 2, 90_000_000, 3)])
    assert refused(events) == []
    assert [event.remaining_lots for event in of_type(events, e.OrderRested)] == [5, 6, 2, 3]
    (taken,) = of_type(events, e.QuotesTaken)
    assert (taken.label, taken.taken, taken.refused) == (1, 4, 0)


def test_an_identical_resend_keeps_its_place_and_trades_under_its_new_name(floor: Floor) -> None:
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)])
    floor.sell(1, HIGH, 5, CALL_90)
    events = floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)])
    names = [event.order_hash for event in of_type(events, e.OrderPlaced)]
    assert book_of(floor, CALL_90, SELL) == [(0, HIGH, 5), (1, HIGH, 5)]
    (fill,) = of_type(floor.buy(2, HIGH, 3, CALL_90), e.OrderFilled)
    assert (fill.maker, fill.maker_order_hash) == (0, names[1])


@pytest.mark.parametrize(
    ("ask", "lots", "keeps"), [(HIGH, 4, True), (HIGH, 6, False), (HIGH + TICK, 5, False)]
)
def test_only_the_same_price_and_no_more_lots_keep_a_place(
    floor: Floor, ask: int, lots: int, keeps: bool
) -> None:
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)])
    floor.sell(1, HIGH, 5, CALL_90)
    floor.quote(0, [(CALL_90, LOW, 5, ask, lots)])
    mine, other = (0, ask, lots), (1, HIGH, 5)
    assert book_of(floor, CALL_90, SELL) == ([mine, other] if keeps else [other, mine])
    assert book_of(floor, CALL_90, BUY) == [(0, LOW, 5)]


def test_a_place_is_measured_by_what_is_left_of_the_quote(floor: Floor) -> None:
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)])
    floor.sell(1, HIGH, 5, CALL_90)
    floor.buy(2, HIGH, 2, CALL_90)
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 3)])
    assert book_of(floor, CALL_90, SELL) == [(0, HIGH, 3), (1, HIGH, 5)]
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)])
    assert book_of(floor, CALL_90, SELL) == [(1, HIGH, 5), (0, HIGH, 5)]


def test_zero_lots_cancel_a_side_and_no_other(floor: Floor) -> None:
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5), (PUT_90, LOW // 2, 1, HIGH, 1)])
    events = floor.quote(0, [(CALL_90, 0, 0, HIGH, 5)])
    assert cancel_reasons(events)[0] == e.CANCELLED_BY_OWNER
    assert book_of(floor, CALL_90, BUY) == []
    assert book_of(floor, CALL_90, SELL) == [(0, HIGH, 5)]
    assert book_of(floor, PUT_90, BUY) != []
    assert refused(floor.quote(0, [(PERP, 0, 0, 0, 0)])) == []


def test_quote_sets_and_accounts_do_not_touch_each_other(floor: Floor) -> None:
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)], label=1)
    floor.quote(0, [(CALL_90, LOW, 4, HIGH, 4)], label=2)
    floor.quote(1, [(CALL_90, LOW, 3, HIGH, 3)], label=1)
    floor.buy(0, LOW, 2, CALL_90)
    floor.quote(0, [(CALL_90, 0, 0, 0, 0)], label=1)
    assert [lots for _, _, lots in book_of(floor, CALL_90, BUY)] == [4, 3, 2]


@pytest.mark.parametrize("moved", [20 * TICK, -20 * TICK, 200 * TICK, -200 * TICK])
def test_a_quote_that_moves_past_its_own_old_side_does_not_meet_it(
    floor: Floor, moved: int
) -> None:
    bid, ask = 93_000_000, 93_100_000
    floor.quote(0, [(CALL_90, bid, 5, ask, 5)])
    events = floor.quote(0, [(CALL_90, bid + moved, 6, ask + moved, 7)])
    assert set(cancel_reasons(events)) == {e.CANCELLED_REPLACED}
    assert book_of(floor, CALL_90, BUY) == [(0, bid + moved, 6)]
    assert book_of(floor, CALL_90, SELL) == [(0, ask + moved, 7)]


def test_a_quote_that_crosses_another_trades_and_the_rest_stands(floor: Floor) -> None:
    floor.sell(1, LOW, 3, CALL_90)
    events = floor.quote(0, [(CALL_90, LOW + TICK, 5, HIGH, 5)])
    assert fills(events) == [(CALL_90, LOW, 3, 1)]
    assert book_of(floor, CALL_90, BUY) == [(0, LOW + TICK, 2)]
    floor.quote(0, [(CALL_90, LOW + TICK, 2, HIGH, 5)])
    assert book_of(floor, CALL_90, BUY) == [(0, LOW + TICK, 2)]


def test_of_a_set_half_bad_the_good_half_stands_and_the_answer_lists_each(floor: Floor) -> None:
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5), (CALL_100, LOW // 3, 1, HIGH, 1)])
    floor.sell(1, LOW, 3, PUT_90)
    events = floor.quote(
        0,
        [
            (CALL_90, LOW + 1, 5, HIGH, 4),  # the bid is off tick
            (99, LOW, 1, HIGH, 1),  # nobody listed it
            (CALL_100, LOW, 1, LOW, 1),  # crossed
            (CALL_90, LOW, 1, HIGH, 1),  # a second time
            (PUT_90, LOW, 1, HIGH, 2),  # the bid would cross
            (((0, 2), (1, -2)), 0, 1, 1, 1),  # not reduced
            (PERP, 1, 1 << 24, 950_000_000, 1),  # too many lots
        ],
        flags=POST_ONLY,
    )
    assert refused(events) == [
        (0, BUY, r.PRICE_OFF_TICK),
        (1, BUY, r.UNKNOWN_INSTRUMENT),
        (1, SELL, r.UNKNOWN_INSTRUMENT),
        (2, BUY, r.QUOTE_CROSSED),
        (2, SELL, r.QUOTE_CROSSED),
        (3, BUY, r.QUOTE_TWICE),
        (3, SELL, r.QUOTE_TWICE),
        (4, BUY, r.WOULD_CROSS),
        (5, BUY, r.RATIOS_NOT_REDUCED),
        (5, SELL, r.RATIOS_NOT_REDUCED),
        (6, BUY, r.QUANTITY_OUT_OF_RANGE),
    ]
    (taken,) = of_type(events, e.QuotesTaken)
    assert (taken.taken, taken.refused) == (3, 11)
    # What was refused left what stood there before it.
    assert book_of(floor, CALL_90, BUY) == [(0, LOW, 5)]
    assert book_of(floor, CALL_90, SELL) == [(0, HIGH, 4)]
    assert book_of(floor, CALL_100, SELL) == [(0, HIGH, 1)]


def test_a_message_of_which_every_side_is_refused_leaves_no_trace(floor: Floor) -> None:
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)])
    before = state_hash(floor.state)
    events = floor.quote(0, [(CALL_90, LOW + 1, 5, HIGH + 1, 4), (99, LOW, 1, HIGH, 1)])
    assert len(refused(events)) == 4
    assert state_hash(floor.state) == before


def test_a_message_is_taken_once_even_if_it_only_cancels(floor: Floor) -> None:
    floor.quote(0, [(CALL_90, 0, 0, 0, 0)], salt=7_000)
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)])
    events = floor.quote(0, [(CALL_90, 0, 0, 0, 0)], salt=7_000)
    assert refusal(events) == Reject(r.MESSAGE_ALREADY_USED)
    assert book_of(floor, CALL_90, BUY) == [(0, LOW, 5)]


def test_quotes_end_as_orders_do_and_the_set_forgets_them(floor: Floor) -> None:
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)], life_s=60)
    floor.buy(1, HIGH, 5, CALL_90)
    assert len(floor.state.quotes) == 1
    floor.advance(61)
    assert not floor.state.quotes
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5)])
    floor.cancel_all(0)
    assert not floor.state.quotes


def test_a_life_with_quotes_replays(floor: Floor) -> None:
    floor.quote(0, [(CALL_90, LOW, 5, HIGH, 5), (VERTICAL, 0, 2, 90_000_000, 3)])
    floor.buy(1, HIGH, 2, CALL_90)
    floor.quote(0, [(CALL_90, LOW, 4, HIGH, 3), (VERTICAL, 0, 2, 90_000_000, 0)])
    floor.cut()
    twin = floor.replay()
    assert twin.events == floor.events
    assert state_hash(twin.state) == state_hash(floor.state)


# WHAT REFUSES ALL OF IT

WHOLE: list[tuple[dict[str, Any], Reject]] = [
    ({"quotes": []}, Reject(r.QUOTE_COUNT, 0, 200)),
    ({"quotes": [(CALL_90, LOW, 1, HIGH, 1)] * 201}, Reject(r.QUOTE_COUNT, 201, 200)),
    ({"flags": 1 << 15}, Reject(r.UNKNOWN_FLAG, 1 << 15, QUOTE_FLAGS)),
    ({"salt": 2**64 - 1}, Reject(r.QUOTE_SALT_OUT_OF_RANGE, 2**64 - 1, 2**64 - 2)),
    ({"counter": 5}, Reject(r.COUNTER_AHEAD, 5, 0)),
    ({"life_s": 0}, Reject(r.ORDER_EXPIRED, 1_768_521_040, 1_768_521_040)),
    ({"protection": 3}, Reject(r.PROTECTION_NOT_SET, 3)),
    ({"signer": b"\x09" * 20}, Reject(r.WRONG_SIGNER, 0)),
]


@pytest.mark.parametrize(("changed", "reject"), WHOLE, ids=[str(x[1].name) for x in WHOLE])
def test_what_is_wrong_with_the_message_refuses_all_of_it(
    floor: Floor, changed: dict[str, Any], reject: Reject
) -> None:
    asked: dict[str, Any] = {"quotes": [(CALL_90, LOW, 1, HIGH, 1)]} | changed
    found = refusal(floor.quote(0, **asked))
    assert found.code == reject.code
    if found.code != r.ORDER_EXPIRED:
        assert found == reject


def test_the_salt_may_use_up_the_last_one(floor: Floor) -> None:
    events = floor.quote(0, [(CALL_90, LOW, 1, HIGH, 1)], salt=2**64 - 2)
    assert len(of_type(events, e.OrderRested)) == 2
    assert isinstance(floor.accepted[-1], c.QuoteMass)


# THE AUDITOR


def signed_command(**changed: Any) -> c.QuoteMass:
    """A mass quote that its owner signed, and what the journal may have made of it since."""
    quotes = ((((CALL_90, 1),), LOW, 5, HIGH, 0), (VERTICAL, -5, 1, 5, 1))
    message = MassQuote(0, 0, 0, 99, 1_800_000_000, 50, 0, 1, quotes)
    wallet = Wallet(b"\x05" * 32)
    domain = SigningDomain(CHAIN_ID, SETTLEMENT)
    signed = wallet.sign_bulk(quoted_orders(message), domain)
    fields = message._asdict() | {
        "time_ns": 1,
        "message_hash": signed.message_hash,
        "signer": wallet.address,
        "signature": signed.signature,
    }
    return c.QuoteMass(**(fields | changed))


def audit_of(command: c.QuoteMass) -> None:
    chain = OnChain(CHAIN_ID, SETTLEMENT, bytes(20), bytes(32), (), (), (), 0)
    _Auditor(chain, 0)._check_claims(command)


def test_the_auditor_builds_the_tree_again_and_passes_what_was_signed() -> None:
    audit_of(signed_command())


ANOTHER_ASK = ((((CALL_90, 1),), LOW, 5, HIGH + TICK, 0), (VERTICAL, -5, 1, 5, 1))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"label": 2}, "another hash"),
        ({"salt": 51}, "another hash"),
        ({"quotes": ANOTHER_ASK}, "another hash"),  # though the side only cancels
        ({"quotes": ANOTHER_ASK[1:]}, "another hash"),
        ({"signer": b"\x09" * 20}, "another key"),
        ({"signature": bytes(65)}, "is none"),
    ],
)
def test_the_auditor_sees_what_was_not_signed(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Fault, match=reason):
        audit_of(signed_command(**changed))
