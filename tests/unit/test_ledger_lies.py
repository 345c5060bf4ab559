"""Every lie that a record can tell, and what the ledger says to it.

Holds: each rule of `settlement/violations.py` has its lie here or among the batches' lies
(`tests/unit/test_batch.py`); a lie changes nothing, and blames the account that it is about.
"""

from typing import NamedTuple

import pytest

from settlement import violations as rule
from settlement.ledger import Ledger
from settlement.records import (
    account_opened_record,
    accrual_updated_record,
    cash_moved_record,
    collateral_moved_record,
    combo_filled_record,
    counter_raised_record,
    deposit_credited_record,
    expiry_listed_record,
    expiry_settled_record,
    fee_level_set_record,
    fill_record,
    index_updated_record,
    instrument_listed_record,
    insurance_moved_record,
    key_registered_record,
    mark_updated_record,
    order_forgotten_record,
    order_opened_record,
    padding_record,
    position_moved_record,
    position_settled_record,
    status_changed_record,
    time_advanced_record,
    underlying_listed_record,
    withdrawal_requested_record,
)
from tests.model.lawful_records import FORWARD, START_S
from tests.model.small_exchange import (
    CALL,
    DEPOSIT,
    FUTURE,
    MAKER_SLOT,
    PERPETUAL,
    PUT,
    TAKER_SLOT,
    apply,
    fill_up,
    small_exchange,
    spread,
    traded,
)

NET = (2_000 - 2 * 1_500) * 10_000
OWNER = b"o" * 20
EXPIRY_S = START_S + 3_600
FAR = 999_999  # nobody's account


@pytest.fixture
def ledger() -> Ledger:
    return small_exchange()


class Lie(NamedTuple):
    story: str
    code: int
    account: int | None
    record: bytes
    before: tuple[bytes, ...] = ()


def fill(
    flags: int = 7,
    maker: int = 0,
    maker_slot: int = MAKER_SLOT,
    taker: int = 1,
    taker_slot: int = TAKER_SLOT,
    instrument: int = CALL,
    lots: int = 1,
    ticks: int = 100,
) -> bytes:
    return fill_record(flags, maker, maker_slot, taker, taker_slot, instrument, lots, ticks)


def closed(
    flags: int = 7,
    maker: int = 0,
    maker_slot: int = MAKER_SLOT,
    taker: int = 1,
    taker_slot: int = TAKER_SLOT,
    units: int = 5,
    net: int = NET,
    fills: int = 2,
) -> bytes:
    return combo_filled_record(flags, maker, maker_slot, taker, taker_slot, units, net, fills)


def listed(
    kind: int = CALL, underlying: int = 0, expiry: int = 0, strike: int = 1, tick_value: int = 1
) -> bytes:
    return instrument_listed_record(9, kind, underlying, expiry, strike, tick_value)


def marked(expiry: int = 0, forward: int = 1, b: int = 0, rho: int = 0, sigma: int = 1, epoch=9):
    return mark_updated_record(expiry, forward, 0, b, rho, 0, sigma, epoch)


LEGS = tuple(spread(7, 2_000, 1_500))
OUT = (  # account 0 came for the call; the combo's order of account 1 rests; account 2 has puts
    fill(27, lots=5, ticks=2_000),
    fill(10, 2, 3, instrument=PUT, lots=10, ticks=1_500),
)
MOVED = (
    index_updated_record(0, FORWARD + 500, START_S),
    accrual_updated_record(PERPETUAL, 500, FORWARD + 500),
)
PERPETUAL_TRADE = traded(PERPETUAL, 2, FORWARD // 10_000)
SETTLED = expiry_settled_record(0, FORWARD)
ETHER = deposit_credited_record(1, 1, 5)
ON_CREDIT = cash_moved_record(1, 2, 0, DEPOSIT + 1)

LIES = [
    Lie("a byte behind the fields", rule.MALFORMED, None, bytes(30) + b"\1"),
    Lie("a record of no type", rule.MALFORMED, None, b"\x7f" + bytes(30)),
    Lie("half a record", rule.MALFORMED, None, bytes(15)),
    # Accounts
    Lie("an account is left out", rule.ACCOUNT_OUT_OF_ORDER, 4, account_opened_record(4, OWNER)),
    Lie("an account gets an owner", rule.ACCOUNT_OUT_OF_ORDER, 2, account_opened_record(2, OWNER)),
    Lie("a deposit to nobody", rule.UNKNOWN_ACCOUNT, FAR, deposit_credited_record(FAR, 0, 1)),
    Lie("an asset goes to nobody", rule.UNKNOWN_ACCOUNT, FAR, deposit_credited_record(FAR, 1, 1)),
    Lie("a key for nobody", rule.UNKNOWN_ACCOUNT, FAR, key_registered_record(FAR, OWNER, 1)),
    Lie("a counter of nobody", rule.UNKNOWN_ACCOUNT, FAR, counter_raised_record(FAR, 1)),
    Lie("a counter that stays", rule.COUNTER_NOT_RAISED, 1, counter_raised_record(1, 0)),
    Lie(
        "voided orders come back to life",
        rule.COUNTER_NOT_RAISED,
        1,
        counter_raised_record(1, 6),
        (counter_raised_record(1, 7),),
    ),
    Lie("nobody withdraws", rule.UNKNOWN_ACCOUNT, FAR, withdrawal_requested_record(FAR, 0, 1, 0)),
    Lie(
        "an asset leaves that never came",
        rule.COLLATERAL_SHORT,
        1,
        withdrawal_requested_record(1, 1, 1, 0),
    ),
    Lie(
        "more of an asset leaves than came",
        rule.COLLATERAL_SHORT,
        1,
        withdrawal_requested_record(1, 1, 6, 0),
        (ETHER,),
    ),
    Lie(
        "another's asset leaves",
        rule.COLLATERAL_SHORT,
        2,
        withdrawal_requested_record(2, 1, 5, 0),
        (ETHER,),
    ),
    Lie(
        "an asset leaves as another",
        rule.COLLATERAL_SHORT,
        1,
        withdrawal_requested_record(1, 2, 5, 0),
        (ETHER,),
    ),
    Lie(
        "nothing of an asset leaves",
        rule.NOTHING_WITHDRAWN,
        1,
        withdrawal_requested_record(1, 1, 0, 0),
        (ETHER,),
    ),
    Lie(
        "an asset's leaf is left out",
        rule.WITHDRAWAL_OUT_OF_ORDER,
        1,
        withdrawal_requested_record(1, 1, 5, 1),
        (ETHER,),
    ),
    Lie("nothing leaves", rule.NOTHING_WITHDRAWN, 1, withdrawal_requested_record(1, 0, 0, 0)),
    Lie(
        "more leaves than is there",
        rule.CASH_SHORT,
        1,
        withdrawal_requested_record(1, 0, DEPOSIT + 1, 0),
    ),
    Lie(
        "a leaf is left out",
        rule.WITHDRAWAL_OUT_OF_ORDER,
        1,
        withdrawal_requested_record(1, 0, 1, 1),
    ),
    Lie(
        "a leaf is written over",
        rule.WITHDRAWAL_OUT_OF_ORDER,
        2,
        withdrawal_requested_record(2, 0, 1, 0),
        (withdrawal_requested_record(1, 0, 1, 0),),
    ),
    # Orders
    Lie("an order of nobody", rule.UNKNOWN_ACCOUNT, FAR, order_opened_record(FAR, 1, OWNER)),
    Lie("an order under another", rule.SLOT_TAKEN, 1, order_opened_record(1, 2, OWNER)),
    Lie("nobody's order is forgotten", rule.UNKNOWN_ACCOUNT, FAR, order_forgotten_record(FAR, 1)),
    Lie("no order is forgotten", rule.SLOT_EMPTY, 1, order_forgotten_record(1, 3)),
    # Fills
    Lie("a fill of nothing listed", rule.UNKNOWN_INSTRUMENT, 1, fill(instrument=77)),
    Lie("the maker is nobody", rule.UNKNOWN_ACCOUNT, FAR, fill(maker=FAR)),
    Lie("the taker is nobody", rule.UNKNOWN_ACCOUNT, FAR, fill(taker=FAR)),
    Lie("both hands are one's own", rule.SELF_TRADE, 1, fill(maker=1, maker_slot=2)),
    Lie("flags that mean nothing", rule.UNKNOWN_FLAGS, 1, fill(flags=8 | 7)),
    Lie("a maker's combo meets a single order", rule.UNKNOWN_FLAGS, 1, fill(flags=4 | 1)),
    Lie("nothing is traded", rule.QUANTITY_ZERO, 1, fill(lots=0)),
    Lie("an option for less than nothing", rule.PRICE_OUT_OF_RANGE, 1, fill(ticks=-1)),
    Lie("a price past all bounds", rule.PRICE_OUT_OF_RANGE, 1, fill(ticks=1_717_987)),
    Lie(
        "a price below all bounds",
        rule.PRICE_OUT_OF_RANGE,
        1,
        fill(instrument=PERPETUAL, ticks=-1_717_987),
    ),
    Lie("a settled option trades", rule.MARKET_CLOSED, 1, fill(), (SETTLED,)),
    Lie(
        "an option trades before its expiry has a mark",
        rule.NO_MARK,
        1,
        fill(instrument=9),
        (expiry_listed_record(1, 0, EXPIRY_S), listed(expiry=1)),
    ),
    Lie(
        "a future trades before its first mark",
        rule.NO_MARK,
        1,
        fill(instrument=9),
        (listed(FUTURE, strike=0),),
    ),
    Lie(
        "an option trades before there is an index to take a fee of",
        rule.NO_MARK,
        1,
        fill(instrument=9),
        (
            underlying_listed_record(1, b"ETH", 1),
            expiry_listed_record(1, 1, EXPIRY_S),
            marked(expiry=1),
            listed(underlying=1, expiry=1),
        ),
    ),
    Lie("the maker's order was never opened", rule.SLOT_EMPTY, 0, fill(maker_slot=9)),
    Lie("the taker's order was never opened", rule.SLOT_EMPTY, 1, fill(taker_slot=1)),
    Lie(
        "the taker's position is behind",
        rule.POSITION_NOT_SETTLED,
        1,
        traded(PERPETUAL, 1, FORWARD // 10_000),
        (PERPETUAL_TRADE, *MOVED, position_settled_record(0, PERPETUAL)),
    ),
    Lie(
        "the maker's position is behind",
        rule.POSITION_NOT_SETTLED,
        0,
        traded(PERPETUAL, 1, FORWARD // 10_000),
        (PERPETUAL_TRADE, *MOVED, position_settled_record(1, PERPETUAL)),
    ),
    # Combos
    Lie("a leg is followed by something else", rule.LEG_WITHOUT_COMBO, 1, fill(), LEGS[:1]),
    Lie("a leg is followed by padding", rule.LEG_WITHOUT_COMBO, 1, padding_record(), LEGS),
    Lie("a combo of nothing", rule.COMBO_LEG_COUNT, 1, closed(fills=0)),
    Lie("a combo forgets a leg", rule.COMBO_LEG_COUNT, 1, closed(fills=1), LEGS),
    Lie("a combo claims a leg", rule.COMBO_LEG_COUNT, 1, closed(fills=3), LEGS),
    Lie("a combo of no units", rule.QUANTITY_ZERO, 1, closed(units=0), LEGS),
    Lie("a combo whose taker stands still", rule.UNKNOWN_FLAGS, 1, closed(flags=3), LEGS),
    Lie("combo flags that mean nothing", rule.UNKNOWN_FLAGS, 1, closed(flags=15), LEGS),
    Lie("a combo of another taker", rule.COMBO_PARTY, 2, closed(taker=2), LEGS),
    Lie("a combo of another taker's order", rule.COMBO_PARTY, 1, closed(taker_slot=9), LEGS),
    Lie("a combo of another maker", rule.COMBO_PARTY, 1, closed(maker=2), LEGS),
    Lie("a combo of another maker's order", rule.COMBO_PARTY, 1, closed(maker_slot=9), LEGS),
    Lie("legs of a combo order count as the books'", rule.COMBO_PARTY, 1, closed(5, 0, 0), LEGS),
    Lie("books' legs name a maker", rule.COMBO_PARTY, 1, closed(5), LEGS),
    Lie("one and a quarter legs a unit", rule.COMBO_RATIO, 1, closed(units=4), LEGS),
    Lie("twice the strategy in half the units", rule.COMBO_RATIO, 1, closed(units=1), LEGS),
    Lie(
        "a leg bought and sold in one",
        rule.COMBO_RATIO,
        1,
        closed(fills=3),
        (*LEGS, fill(flags=1, instrument=PUT, lots=10, ticks=1)),
    ),
    Lie("a combo of one leg", rule.COMBO_RATIO, 1, closed(fills=1), LEGS[:1]),
    Lie("a buyer poses as a seller", rule.COMBO_SIDE, 1, closed(flags=6, net=-NET), LEGS),
    Lie("a resting combo meets a combo", rule.UNKNOWN_FLAGS, 1, closed(15), OUT),
    Lie(
        "who came pays as if it rested",
        rule.COMBO_INCOMING,
        1,
        closed(13, 0, 0),
        (fill(11, lots=5, ticks=2_000), OUT[1]),
    ),
    Lie(
        "a maker pays as if it came, too",
        rule.COMBO_INCOMING,
        1,
        closed(13, 0, 0),
        (OUT[0], fill(26, 2, 3, instrument=PUT, lots=10, ticks=1_500)),
    ),
    Lie("a combo rests in its legs alone", rule.COMBO_PARTY, 1, closed(5, 0, 0), OUT),
    Lie(
        "a combo that came pays as if it rested",
        rule.COMBO_PARTY,
        1,
        closed(13, 0, 0),
        (fill(3, lots=5, ticks=2_000), OUT[1]),
    ),
    Lie(
        "a combo that rests pays in one leg as if it came",
        rule.COMBO_PARTY,
        1,
        closed(13, 0, 0),
        (OUT[0], fill(2, 2, 3, instrument=PUT, lots=10, ticks=1_500)),
    ),
    Lie("a single order that came pays as a maker", rule.UNKNOWN_FLAGS, 1, fill(15)),
    Lie("a resting combo meets one that rests, too", rule.UNKNOWN_FLAGS, 1, fill(8)),
    Lie("somebody came and nobody rests", rule.UNKNOWN_FLAGS, 1, fill(18)),
    Lie("fill flags beyond all meaning", rule.UNKNOWN_FLAGS, 1, fill(42)),
    Lie("a micro-USDC too dear", rule.COMBO_NET_PRICE, 1, closed(net=NET + 1), LEGS),
    Lie("a micro-USDC too cheap", rule.COMBO_NET_PRICE, 1, closed(net=NET - 1), LEGS),
    # Positions
    Lie("nobody is settled", rule.UNKNOWN_ACCOUNT, FAR, position_settled_record(FAR, 0)),
    Lie("no position is settled", rule.NO_POSITION, 1, position_settled_record(1, CALL)),
    Lie("nothing listed is settled", rule.NO_POSITION, 1, position_settled_record(1, 77)),
    Lie(
        "what is up to date is settled",
        rule.NOTHING_TO_SETTLE,
        1,
        position_settled_record(1, CALL),
        (fill(),),
    ),
    Lie(
        "a future closes before its accrual has reached the settlement price",
        rule.FUTURE_NOT_CLOSED,
        1,
        position_settled_record(1, FUTURE),
        (fill(instrument=FUTURE, ticks=95_586), expiry_settled_record(0, FORWARD + 1)),
    ),
    # Moves
    Lie("nobody gives cash", rule.UNKNOWN_ACCOUNT, FAR, cash_moved_record(FAR, 1, 0, 1)),
    Lie("cash for nobody", rule.UNKNOWN_ACCOUNT, FAR, cash_moved_record(1, FAR, 0, 1)),
    Lie("cash stays where it is", rule.MOVED_TO_ITSELF, 1, cash_moved_record(1, 1, 0, 1)),
    Lie(
        "collateral comes from nobody",
        rule.UNKNOWN_ACCOUNT,
        FAR,
        collateral_moved_record(FAR, 1, 1, 1),
    ),
    Lie(
        "collateral goes to nobody",
        rule.UNKNOWN_ACCOUNT,
        FAR,
        collateral_moved_record(1, FAR, 1, 1),
        (ETHER,),
    ),
    Lie("collateral stays", rule.MOVED_TO_ITSELF, 1, collateral_moved_record(1, 1, 1, 1), (ETHER,)),
    Lie(
        "cash moves as collateral",
        rule.CASH_IS_NO_COLLATERAL,
        1,
        collateral_moved_record(1, 2, 0, 1),
    ),
    Lie(
        "no collateral moves", rule.NOTHING_MOVED, 1, collateral_moved_record(1, 2, 1, 0), (ETHER,)
    ),
    Lie(
        "collateral on credit",
        rule.COLLATERAL_SHORT,
        1,
        collateral_moved_record(1, 2, 1, 6),
        (ETHER, status_changed_record(1, 1)),
    ),
    Lie("what is no money moves", rule.UNKNOWN_ASSET, 1, cash_moved_record(1, 2, 1, 1)),
    Lie("no cash moves", rule.NOTHING_MOVED, 1, cash_moved_record(1, 2, 0, 0)),
    Lie("more is given than there is", rule.GIVEN_ON_CREDIT, 1, ON_CREDIT),
    Lie(
        "more is given than there is, after a liquidation",
        rule.GIVEN_ON_CREDIT,
        1,
        ON_CREDIT,
        (status_changed_record(2, 1), status_changed_record(2, 0)),
    ),
    Lie("nobody gives lots", rule.UNKNOWN_ACCOUNT, FAR, position_moved_record(FAR, 1, CALL, 1)),
    Lie("lots for nobody", rule.UNKNOWN_ACCOUNT, FAR, position_moved_record(1, FAR, CALL, 1)),
    Lie("lots stay", rule.MOVED_TO_ITSELF, 1, position_moved_record(1, 1, CALL, 1), (fill(),)),
    Lie("nothing listed moves", rule.UNKNOWN_INSTRUMENT, 1, position_moved_record(1, 2, 77, 1)),
    Lie("what is not held moves", rule.NO_POSITION, 2, position_moved_record(2, 1, CALL, 1)),
    Lie("no lots move", rule.NOTHING_MOVED, 1, position_moved_record(1, 2, CALL, 0), (fill(),)),
    Lie(
        "what is settled moves",
        rule.MARKET_CLOSED,
        1,
        position_moved_record(1, 2, CALL, 1),
        (fill(), SETTLED),
    ),
    Lie(
        "more lots are given than are held",
        rule.MORE_THAN_HELD,
        1,
        position_moved_record(1, 2, CALL, 3),
        (fill(lots=2),),
    ),
    Lie(
        "who is long gives what is short",
        rule.MORE_THAN_HELD,
        1,
        position_moved_record(1, 2, CALL, -1),
        (fill(lots=2),),
    ),
    Lie(
        "the giver's position is behind",
        rule.POSITION_NOT_SETTLED,
        1,
        position_moved_record(1, 0, PERPETUAL, 1),
        (PERPETUAL_TRADE, *MOVED, position_settled_record(0, PERPETUAL)),
    ),
    Lie(
        "the receiver's position is behind",
        rule.POSITION_NOT_SETTLED,
        0,
        position_moved_record(1, 0, PERPETUAL, 1),
        (PERPETUAL_TRADE, *MOVED, position_settled_record(1, PERPETUAL)),
    ),
    Lie("nobody's status", rule.UNKNOWN_ACCOUNT, FAR, status_changed_record(FAR, 1)),
    Lie("a status that is none", rule.UNKNOWN_STATUS, 1, status_changed_record(1, 4)),
    Lie("a status that stays", rule.STATUS_UNCHANGED, 1, status_changed_record(1, 0)),
    Lie("nobody insures", rule.UNKNOWN_ACCOUNT, FAR, insurance_moved_record(FAR, 1)),
    Lie("nothing is insured", rule.NOTHING_MOVED, 1, insurance_moved_record(1, 0)),
    Lie(
        "who is in no liquidation pays the fund on credit",
        rule.GIVEN_ON_CREDIT,
        1,
        insurance_moved_record(1, DEPOSIT + 1),
    ),
    Lie(
        "the fund pays more than it has",
        rule.INSURANCE_SHORT,
        1,
        insurance_moved_record(1, -6),
        (insurance_moved_record(2, 5),),
    ),
    # Listings
    Lie(
        "an underlying is renamed", rule.ALREADY_LISTED, None, underlying_listed_record(0, b"X", 1)
    ),
    Lie("a lot of nothing", rule.SPEC_OUT_OF_BOUNDS, None, underlying_listed_record(1, b"X", 0)),
    Lie("an expiry is moved", rule.ALREADY_LISTED, None, expiry_listed_record(0, 0, 1)),
    Lie(
        "an expiry that means none",
        rule.SPEC_OUT_OF_BOUNDS,
        None,
        expiry_listed_record(0xFFFF, 0, 1),
    ),
    Lie("an expiry of nothing", rule.UNKNOWN_UNDERLYING, None, expiry_listed_record(1, 5, 1)),
    Lie(
        "an instrument changes",
        rule.ALREADY_LISTED,
        None,
        instrument_listed_record(CALL, CALL, 0, 0, 1, 1),
    ),
    Lie("a kind that is none", rule.SPEC_OUT_OF_BOUNDS, None, listed(kind=4)),
    Lie("an option on nothing", rule.UNKNOWN_UNDERLYING, None, listed(underlying=5)),
    Lie("an option that never expires", rule.UNKNOWN_EXPIRY, None, listed(expiry=0xFFFF)),
    Lie("a perpetual that expires", rule.SPEC_OUT_OF_BOUNDS, None, listed(PERPETUAL, strike=0)),
    Lie("an option without strike", rule.SPEC_OUT_OF_BOUNDS, None, listed(strike=0)),
    Lie("a strike past all bounds", rule.SPEC_OUT_OF_BOUNDS, None, listed(strike=1 << 34)),
    Lie("a future with a strike", rule.SPEC_OUT_OF_BOUNDS, None, listed(FUTURE)),
    Lie("a tick worth nothing", rule.SPEC_OUT_OF_BOUNDS, None, listed(tick_value=0)),
    Lie("a tick worth too much", rule.SPEC_OUT_OF_BOUNDS, None, listed(tick_value=(1 << 31) + 1)),
    Lie("an option on what is settled", rule.ALREADY_SETTLED, None, listed(), (SETTLED,)),
    Lie(
        "an option that expires with another underlying",
        rule.UNKNOWN_EXPIRY,
        None,
        listed(underlying=1),
        (underlying_listed_record(1, b"ETH", 1),),
    ),
    # Marks
    Lie("an index of nothing", rule.UNKNOWN_UNDERLYING, None, index_updated_record(3, 1, START_S)),
    Lie("an index of zero", rule.MARK_OUT_OF_BOUNDS, None, index_updated_record(0, 0, START_S)),
    Lie(
        "an index past all bounds",
        rule.MARK_OUT_OF_BOUNDS,
        None,
        index_updated_record(0, 1 << 34, START_S),
    ),
    Lie(
        "an index of yesterday", rule.MARK_TIME_FELL, None, index_updated_record(0, 1, START_S - 1)
    ),
    Lie("a mark of no expiry", rule.UNKNOWN_EXPIRY, None, marked(expiry=3)),
    Lie("a mark of a settled expiry", rule.ALREADY_SETTLED, None, marked(), (SETTLED,)),
    Lie("a forward of zero", rule.MARK_OUT_OF_BOUNDS, None, marked(forward=0)),
    Lie("a slope below zero", rule.MARK_OUT_OF_BOUNDS, None, marked(b=-1)),
    Lie("a correlation above one", rule.MARK_OUT_OF_BOUNDS, None, marked(rho=(1 << 30) + 1)),
    Lie("a smile without width", rule.MARK_OUT_OF_BOUNDS, None, marked(sigma=0)),
    Lie("an older epoch", rule.EPOCH_FELL, None, marked(epoch=8), (marked(epoch=9),)),
    Lie("an epoch half round", rule.EPOCH_FELL, None, marked(epoch=1 + (1 << 23))),
    Lie("an accrual of nothing", rule.UNKNOWN_INSTRUMENT, None, accrual_updated_record(77, 0, 1)),
    Lie("an option accrues", rule.NOT_LINEAR, None, accrual_updated_record(CALL, 1, 1)),
    Lie(
        "a perpetual is marked off its index",
        rule.CARRY_IS_NO_MARK,
        None,
        accrual_updated_record(PERPETUAL, 1, FORWARD + 1),
    ),
    Lie(
        "a future is marked off its forward",
        rule.CARRY_IS_NO_MARK,
        None,
        accrual_updated_record(FUTURE, 1, FORWARD + 1),
    ),
    Lie(
        "a mark moves more than it should",
        rule.ACCRUAL_OFF,
        None,
        accrual_updated_record(PERPETUAL, 501, FORWARD + 500),
        MOVED[:1],
    ),
    Lie(
        "a first mark moves the accrual",
        rule.ACCRUAL_OFF,
        None,
        accrual_updated_record(9, FORWARD, FORWARD),
        (listed(FUTURE, strike=0),),
    ),
    Lie(
        "a future pays funding", rule.ACCRUAL_OFF, None, accrual_updated_record(FUTURE, 1, FORWARD)
    ),
    Lie("no expiry is settled", rule.UNKNOWN_EXPIRY, None, expiry_settled_record(3, 1)),
    Lie(
        "an expiry is settled twice",
        rule.ALREADY_SETTLED,
        None,
        expiry_settled_record(0, 1),
        (SETTLED,),
    ),
    Lie("a settlement at zero", rule.MARK_OUT_OF_BOUNDS, None, expiry_settled_record(0, 0)),
    # Fees
    Lie("a level of nothing", rule.UNKNOWN_UNDERLYING, None, fee_level_set_record(3, 1)),
    Lie("a level beyond the highest", rule.FEE_LEVEL_TOO_HIGH, None, fee_level_set_record(0, 5)),
    Lie("no level is set to none", rule.FEE_LEVEL_UNCHANGED, None, fee_level_set_record(0, 0)),
    Lie(
        "a level is set twice",
        rule.FEE_LEVEL_UNCHANGED,
        None,
        fee_level_set_record(0, 3),
        (fee_level_set_record(0, 3),),
    ),
    # Time
    Lie(
        "time runs back",
        rule.TIME_FELL,
        None,
        time_advanced_record(START_S + 1),
        (time_advanced_record(START_S + 2),),
    ),
    Lie("a batch before its marks", rule.MARKED_AHEAD, None, time_advanced_record(START_S - 1)),
    Lie(
        "an expiry is settled before it expires",
        rule.SETTLED_EARLY,
        None,
        time_advanced_record(EXPIRY_S - 1),
        (SETTLED,),
    ),
]
IN_LONG_STORIES = (rule.ORDER_OVERFILLED, rule.POSITION_TOO_LARGE, rule.TOO_MANY_POSITIONS)
OF_BATCHES = (rule.PADDING_INSIDE, rule.MARK_NOT_FIRST, rule.TIME_NOT_LAST)


def refuse(ledger: Ledger, record: bytes, code: int, account: int | None) -> None:
    """The record is refused for this reason, and nothing has moved."""
    before = ledger.root(), ledger.liabilities()
    violation = ledger.apply(record)
    assert violation is not None
    assert (violation.name, violation.account) == (rule.TEMPLATES[code][0], account)
    assert violation.message
    assert (ledger.root(), ledger.liabilities()) == before
    assert ledger.recount() == ledger.liabilities()
    for asset, totals in ledger.assets.items():
        assert ledger.recount_asset(asset) == totals.credited_micro - totals.withdrawn_micro


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.story.replace(" ", "-"))
def test_a_lie_is_named_and_changes_nothing(ledger: Ledger, lie: Lie):
    apply(ledger, *lie.before)
    refuse(ledger, lie.record, lie.code, lie.account)


def test_every_rule_has_its_lie():
    told = {lie.code for lie in LIES} | {*IN_LONG_STORIES, *OF_BATCHES}
    assert told == set(rule.TEMPLATES)


def test_a_resting_combo_pays_as_a_maker_and_who_came_as_a_taker(ledger: Ledger):
    before = [account.cash_micro for account in ledger.accounts[:3]]
    apply(ledger, *OUT, closed(13, 0, 0))
    spent = [b - a.cash_micro for a, b in zip(ledger.accounts, before, strict=False)]
    call, put = 5 * 2_000 * 10_000, 10 * 1_500 * 10_000
    # Fees of the index, 120 and 350 in a million of it; no premium here is so small as to cap them.
    maker_call, maker_put = -(-5 * FORWARD * 120 // 10**6), -(-10 * FORWARD * 120 // 10**6)
    taker_call = -(-5 * FORWARD * 350 // 10**6)
    spared = maker_call * 75 // 100  # the cheaper side of the combo, and three quarters of it
    resting = maker_call - spared + maker_put + call - put
    assert spent == [taker_call - call, resting, maker_put + put]
    assert ledger.fee_micro == taker_call + maker_call - spared + 2 * maker_put
    orders = [account.orders[n + 1].filled_lots for n, account in enumerate(ledger.accounts[:3])]
    assert orders == [5, 5, 10]


MOST_LOTS = (1 << 24) - 1


def test_an_order_does_not_fill_past_what_its_leaf_can_count(ledger: Ledger):
    for turn in range(256):
        apply(ledger, fill(6 | turn % 2, lots=MOST_LOTS, ticks=0))
    assert ledger.accounts[0].orders[MAKER_SLOT].filled_lots == (1 << 32) - 256
    fresh_taker = fill(taker=2, taker_slot=3, lots=256, ticks=0)
    refuse(ledger, fresh_taker, rule.ORDER_OVERFILLED, 0)
    apply(ledger, fill(taker=2, taker_slot=3, lots=255, ticks=0))


def test_a_position_does_not_grow_past_what_its_leaf_can_hold(ledger: Ledger):
    for _ in range(128):
        apply(ledger, fill(lots=MOST_LOTS, ticks=0))
    refuse(ledger, fill(lots=128, ticks=0), rule.POSITION_TOO_LARGE, 1)
    apply(ledger, fill(lots=127, ticks=0))
    assert ledger.accounts[1].positions[CALL].quantity_lots == (1 << 31) - 1


def test_an_account_holds_at_most_256_positions(ledger: Ledger):
    fill_up(ledger, account=1, count=256)
    refuse(ledger, fill(instrument=PUT), rule.TOO_MANY_POSITIONS, 1)
    as_maker = fill(maker=1, maker_slot=2, taker=0, taker_slot=1, instrument=PUT)
    refuse(ledger, as_maker, rule.TOO_MANY_POSITIONS, 1)


def test_legs_that_leave_more_than_256_positions_are_no_combo(ledger: Ledger):
    fill_up(ledger, account=1, count=255)
    apply(ledger, instrument_listed_record(900, CALL, 0, 0, 1, 10_000))
    legs = [fill(flags, instrument=number) for number, flags in ((PUT, 1), (900, 0))]
    apply(ledger, *legs)
    refuse(ledger, closed(units=1, net=0), rule.TOO_MANY_POSITIONS, 1)


def test_the_makers_of_a_combos_legs_hold_at_most_256_positions_too(ledger: Ledger):
    fill_up(ledger, account=1, count=256)
    books = (
        fill(3, 1, 2, 0, 1, PUT),
        fill(2, 2, 3, 0, 1, CALL),
    )
    legs = sorted(books, key=lambda record: record[16:19])
    apply(ledger, *legs)
    end = combo_filled_record(4, 0, 0, 0, 1, 1, 0, 2)
    refuse(ledger, end, rule.TOO_MANY_POSITIONS, 1)


def test_who_is_given_a_position_holds_at_most_256_too(ledger: Ledger):
    fill_up(ledger, account=1, count=256)
    apply(ledger, fill(taker=2, taker_slot=3, instrument=PUT))
    refuse(ledger, position_moved_record(2, 1, PUT, 1), rule.TOO_MANY_POSITIONS, 1)


def test_a_moved_position_does_not_grow_past_what_its_leaf_can_hold(ledger: Ledger):
    for _ in range(128):
        apply(ledger, fill(lots=MOST_LOTS, ticks=0))
    apply(ledger, account_opened_record(3, OWNER), order_opened_record(3, 4, bytes(32)))
    apply(ledger, fill(7, 3, 4, taker=2, taker_slot=3, lots=128, ticks=0))
    refuse(ledger, position_moved_record(2, 1, CALL, 128), rule.POSITION_TOO_LARGE, 1)
    apply(ledger, position_moved_record(2, 1, CALL, 127))
    assert ledger.accounts[1].positions[CALL].quantity_lots == (1 << 31) - 1


def test_a_liquidation_pays_what_an_account_owes_and_the_fund_makes_it_good(ledger: Ledger):
    apply(ledger, insurance_moved_record(2, 50))
    apply(ledger, status_changed_record(1, 2), cash_moved_record(1, 0, 0, DEPOSIT + 30))
    assert ledger.accounts[1].cash_micro == -30
    apply(ledger, insurance_moved_record(1, -30), status_changed_record(1, 0))
    assert (ledger.accounts[1].cash_micro, ledger.insurance_micro) == (0, 20)


def test_a_payment_to_an_account_in_liquidation_may_be_on_credit(ledger: Ledger):
    refuse(ledger, ON_CREDIT, rule.GIVEN_ON_CREDIT, 1)
    apply(ledger, status_changed_record(2, 3), ON_CREDIT)
    assert ledger.accounts[1].cash_micro == -1


def test_what_a_bankrupt_owes_cannot_be_withdrawn_by_its_creditor(ledger: Ledger):
    apply(ledger, fill(flags=7, lots=30_000, ticks=1_000))  # 300 of premium for 100 of cash, each
    assert ledger.accounts[1].cash_micro < 0
    whole = ledger.credited_micro
    refuse(ledger, withdrawal_requested_record(0, 0, whole + 1, 0), rule.CASH_SHORT, 0)
    apply(ledger, withdrawal_requested_record(0, 0, whole, 0))
    assert ledger.liabilities() == 0
