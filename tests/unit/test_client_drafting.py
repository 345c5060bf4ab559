"""From human terms to an order: combos made canonical mean what was written."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.drafting import BadTerms, Market, Markets, Said, Terms
from matching.orders import (
    DECREMENT,
    IN_VOLATILITY,
    MARKET,
    POST_ONLY,
    REDUCE_ONLY,
    SELF_TRADE_SHIFT,
    SLIDE,
    UNTIL_DISCONNECT,
)
from settlement.signed_messages import PLAIN, Order

NAMES = ("BTC-27MAR26-90000-C", "BTC-27MAR26-100000-C", "BTC-27MAR26-110000-C", "BTC-PERPETUAL")
INDEX_MICRO = 955_861_600
MARKETS = Markets(
    [Market(number, name, 1_000_000, 10_000, INDEX_MICRO) for number, name in enumerate(NAMES)],
    taker_fee_e6=300,
)


def draft(**changed: Any) -> Order:
    fields: dict[str, Any] = {
        "symbol": NAMES[0],
        "side": "buy",
        "price": "1235",
        "quantity": "0.25",
    }
    return MARKETS.draft(Terms(**(fields | changed)), 3, 7, 1_768_521_600, 11)


def test_a_single_order() -> None:
    order = draft()
    assert (order.account, order.counter, order.salt) == (3, 7, 11)
    assert (order.side, order.time_in_force, order.flags) == (0, 0, 0)
    assert (order.limit_price_micro, order.quantity_lots) == (12_350_000, 25)
    assert order.legs == ((0, 1),)
    # Twice ceil(index x rate): 2 x 286,759 micro-USDC a lot.
    assert order.max_fee_micro == 2 * 286_759


@pytest.mark.parametrize(
    ("symbol", "legs", "side", "price_micro", "lots"),
    [
        (f"+1 {NAMES[0]}, -1 {NAMES[1]}", ((0, 1), (1, -1)), 0, 4_200_000, 25),
        (f"+1*{NAMES[0]},-1*{NAMES[1]}", ((0, 1), (1, -1)), 0, 4_200_000, 25),
        (f"{NAMES[0]},-{NAMES[1]}", ((0, 1), (1, -1)), 0, 4_200_000, 25),
        # Written the other way round, buying is selling the canonical spread at minus the price.
        (f"-1 {NAMES[0]}, +1 {NAMES[1]}", ((0, 1), (1, -1)), 1, -4_200_000, 25),
        (f"+1 {NAMES[1]}, -1 {NAMES[0]}", ((0, 1), (1, -1)), 1, -4_200_000, 25),
        ("BTC-CS-27MAR26-90000_100000", ((0, 1), (1, -1)), 0, 4_200_000, 25),
        (" -BTC-CS-27MAR26-90000_100000", ((0, 1), (1, -1)), 1, -4_200_000, 25),
        ("BTC-CSR21-27MAR26-90000_100000", ((0, 2), (1, -1)), 0, 4_200_000, 25),
        # A factor moves from the ratios to the quantity, and the price is spread over it.
        (f"+2 {NAMES[0]}, -4 {NAMES[1]}", ((0, 1), (1, -2)), 0, 2_100_000, 50),
        (f"-3 {NAMES[0]}, +3 {NAMES[2]}", ((0, 1), (2, -1)), 1, -1_400_000, 75),
        # A leg written twice counts once, with both its ratios.
        (f"{NAMES[0]}, {NAMES[1]}, {NAMES[0]}", ((0, 2), (1, 1)), 0, 4_200_000, 25),
        (f"2 {NAMES[3]}", ((3, 1),), 0, 2_100_000, 50),
    ],
)
def test_a_combo_is_made_canonical(
    symbol: str, legs: Any, side: int, price_micro: int, lots: int
) -> None:
    order = draft(symbol=symbol, price="420")
    assert (order.legs, order.side) == (legs, side)
    assert (order.limit_price_micro, order.quantity_lots) == (price_micro, lots)
    sold = draft(symbol=symbol, price="420", side="sell")
    assert (sold.legs, sold.side, sold.limit_price_micro) == (legs, 1 - side, price_micro)


def test_a_combo_of_two_underlyings_is_written_with_the_lot_of_its_first_leg() -> None:
    """However it is written: 0.5 are 50 units, each 0.01 BTC against 0.2 ETH, at USDC per BTC."""
    btc = Market(0, "BTC-PERPETUAL", 1_000_000, 5_000, INDEX_MICRO)
    markets = Markets([btc, Market(1, "ETH-PERPETUAL", 10_000_000, 5_000, 331_250_000)], 300)
    pair = "+1 BTC-PERPETUAL, -2 ETH-PERPETUAL"
    bought = markets.draft(Terms(pair, "buy", "29386", "0.5"), 3, 7, 1_768_521_600, 11)
    assert (bought.legs, bought.side) == (((0, 1), (1, -2)), 0)
    assert (bought.limit_price_micro, bought.quantity_lots) == (293_860_000, 50)
    # Twice the fee of a BTC lot and two ETH lots, each of its own index, rounded up.
    assert bought.max_fee_micro == 2 * (286_759 + 2 * 99_375)
    turned = Terms("+2 ETH-PERPETUAL, -1 BTC-PERPETUAL", "sell", "-29386", "0.5")
    assert markets.draft(turned, 3, 7, 1_768_521_600, 11) == bought


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.integers(-4, 4).filter(bool)), min_size=1, max_size=8
    ),
    st.sampled_from(("buy", "sell")),
    st.integers(-5_000, 5_000),
    st.integers(1, 50),
)
def test_what_is_drafted_moves_the_lots_and_the_cash_that_were_written(
    legs: list[tuple[str, int]], side: str, price: int, lots: int
) -> None:
    symbol = ", ".join(f"{ratio:+d} {name}" for name, ratio in legs)
    terms = Terms(symbol, side, str(price), f"{lots / 100:.2f}")
    try:
        order = MARKETS.draft(terms, 0, 0, 0, 0)
    except BadTerms:
        return
    written: dict[int, int] = {}
    direction = 1 if side == "buy" else -1
    for name, ratio in legs:
        number = NAMES.index(name)
        written[number] = written.get(number, 0) + direction * ratio * lots
    signed_units = order.quantity_lots * (1 if order.side == 0 else -1)
    drafted = {number: ratio * signed_units for number, ratio in order.legs}
    assert drafted == {number: moved for number, moved in written.items() if moved}
    # Cash paid at the limit: price per unit of the underlying times the units of 0.01.
    assert order.limit_price_micro * signed_units == direction * price * lots * 10_000


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"symbol": "BTC-1JAN99-1-C"}, "no instrument 'BTC-1JAN99-1-C'"),
        ({"symbol": ""}, "no instrument"),
        ({"symbol": f"{NAMES[0]},"}, "no instrument"),
        ({"symbol": f"+1 {NAMES[0]}, -1 {NAMES[0]}"}, "cancel out"),
        ({"symbol": f"0 {NAMES[0]}"}, "cancel out"),
        ({"symbol": f"128 {NAMES[0]}, {NAMES[1]}", "price": "128"}, "ratio 128"),
        ({"side": "hold"}, "use buy, sell"),
        ({"time_in_force": "DAY"}, "use GTC, IOC, FOK"),
        ({"price": "12.5.1"}, "not a decimal"),
        ({"price": "NaN"}, "not a decimal"),
        ({"price": "1e3"}, "not a decimal"),
        ({"price": "0.00001"}, "steps of 0.0001"),
        ({"price": "0"}, "limit price 0"),
        ({"price": "-5"}, "limit price -50000"),
        ({"symbol": f"2 {NAMES[0]}", "price": "0.0001"}, "does not divide over 2"),
        ({"quantity": "0.001"}, "lots of 0.01"),
        ({"quantity": "0"}, "quantity 0"),
        ({"quantity": "-1"}, "quantity -100"),
        ({"quantity": "1000000000"}, "1 to 16777215 lots"),
        ({"max_fee": "-1"}, "maximum fee"),
        ({"max_fee": "x"}, "maximum fee"),
        ({"post_only": True, "time_in_force": "IOC"}, "post-only"),
    ],
)
def test_terms_that_make_no_order_say_why(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(BadTerms, match=says):
        draft(**changed)


def test_the_maximum_fee_covers_each_leg_and_may_be_said() -> None:
    spread = f"+1 {NAMES[0]}, -2 {NAMES[1]}, +1 {NAMES[2]}"
    assert draft(symbol=spread).max_fee_micro == 4 * 2 * 286_759
    assert draft(max_fee="0.5").max_fee_micro == 5_000
    without_index = Markets([Market(0, NAMES[0], 1_000_000, 10_000, None)], 300)
    with pytest.raises(BadTerms, match="no index"):
        without_index.draft(Terms(NAMES[0], "buy", "1", "1"), 0, 0, 0, 0)


def test_the_default_fee_never_falls_below_what_a_taker_pays() -> None:
    exact = Fraction(INDEX_MICRO * 300, 10**6)
    assert draft().max_fee_micro >= 2 * exact


# WHAT WAITS, WHAT IS TIED, WHAT IS PRICED IN VOLATILITY


def test_a_plain_order_has_no_conditions() -> None:
    assert draft().conditions is PLAIN


@pytest.mark.parametrize(
    ("text", "trigger", "price_micro"),
    [
        ("mark>=1250", 1, 12_500_000),
        ("mark <= 1250.5", 2, 12_505_000),
        ("index>=95000", 3, 950_000_000),
        (" Index<=85000 ", 4, 850_000_000),
        ("last>=0.0001", 5, 1),
        ("last<=1250", 6, 12_500_000),
    ],
)
def test_a_stop_says_what_it_waits_for(text: str, trigger: int, price_micro: int) -> None:
    conditions = draft(trigger=text).conditions
    assert (conditions.trigger, conditions.trigger_price_micro) == (trigger, price_micro)


@pytest.mark.parametrize("text", ["", "index", "index=1", "index<85000", "bid>=1", "mark>=x"])
def test_a_trigger_that_says_nothing_clear_is_refused(text: str) -> None:
    with pytest.raises(BadTerms, match="trigger"):
        draft(trigger=text)


@pytest.mark.parametrize("text", ["mark>=0", "mark>=-1"])
def test_a_trigger_price_is_above_zero(text: str) -> None:
    with pytest.raises(BadTerms, match="trigger price"):
        draft(trigger=text)


def test_a_combo_waits_for_nothing() -> None:
    with pytest.raises(BadTerms, match="legs cannot wait"):
        draft(symbol=f"{NAMES[0]},-{NAMES[1]}", trigger="index<=1")


def test_ties_go_into_the_message_as_they_are() -> None:
    order = draft(parent=b"\x07" * 32, oco_group=9, until_disconnect=True)
    assert (order.conditions.parent, order.conditions.oco_group) == (b"\x07" * 32, 9)
    assert order.flags == UNTIL_DISCONNECT
    assert draft(reduce_only=True).flags == REDUCE_ONLY


@pytest.mark.parametrize(
    ("text", "volatility_e6"), [("52.5", 525_000), ("40%", 400_000), ("0.0001", 1), ("1000", 10**7)]
)
def test_a_volatility_is_a_percentage_of_a_year(text: str, volatility_e6: int) -> None:
    order = draft(volatility=text)
    assert order.flags == IN_VOLATILITY
    assert order.conditions.volatility_e6 == volatility_e6
    assert order.limit_price_micro == 12_350_000


@pytest.mark.parametrize("text", ["", "-40", "40.12345", "x", "1000.0001", "0", "\u0664\u0660"])
def test_a_volatility_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(BadTerms, match="volatility"):
        draft(volatility=text)


def test_an_iceberg_says_what_it_shows_in_the_same_units_as_its_quantity() -> None:
    plain, iceberg = draft(), draft(display="0.02")
    assert plain.conditions is PLAIN
    assert iceberg.conditions == PLAIN._replace(display_lots=2)
    with pytest.raises(BadTerms, match="displayed quantity"):
        draft(display="0.021")
    with pytest.raises(BadTerms, match="all of it at most"):
        draft(display="5000")


def test_what_need_not_be_said_has_one_list_of_names() -> None:
    assert set(Said.__annotations__) == set(Terms._field_defaults)


def test_a_market_order_a_slide_and_the_owner_s_own_orders() -> None:
    worst = draft(time_in_force="ioc", market=True, self_trade="Decrement", min_quantity="0.1")
    assert worst.flags == MARKET | DECREMENT << SELF_TRADE_SHIFT
    assert worst.conditions.min_quantity_lots == 10
    assert draft(post_only=True, slide=True).flags == POST_ONLY | SLIDE
    kept = draft(protection=255, label=(1 << 64) - 1).conditions
    assert (kept.protection, kept.label) == (255, (1 << 64) - 1)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"market": True}, "never rests"),
        ({"slide": True}, "post-only"),
        ({"self_trade": "both"}, "self-trade mode"),
        ({"min_quantity": "0.001"}, "minimum quantity"),
        ({"min_quantity": "0.26"}, "minimum"),
        ({"protection": 256}, "protection group 256"),
        ({"label": -1}, "label -1"),
        ({"oco_group": 1 << 64}, "OCO group"),
    ],
)
def test_what_cannot_be_said_is_told_before_it_is_signed(said: dict[str, Any], told: str) -> None:
    with pytest.raises(BadTerms, match=told):
        draft(**said)
