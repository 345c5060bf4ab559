"""Orders over FIX: what the venue is given for a message, and what the owner is told."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from exchange import events
from exchange.events import Event
from exchange.gateway_fix.desk import Desk
from exchange.gateway_fix.message import Field, Message
from exchange.gateway_fix.seat import Seat
from exchange.gateway_fix.store import MemoryStore
from exchange.gateway_fix.timestamps import timestamp_text
from exchange.symbols import resolve_symbol
from exchange.venue import (
    Acknowledgement,
    FillPage,
    FillView,
    InstrumentView,
    Listener,
    OrderView,
    SignatureFault,
    Verdict,
)
from matching.rejects import (
    MARGIN,
    ORDER_ALREADY_USED,
    ORDER_NOT_LIVE,
    PRICE_OFF_TICK,
    QUANTITY_OUT_OF_RANGE,
    RATIOS_NOT_REDUCED,
    UNKNOWN_INSTRUMENT,
    UNKNOWN_ORDER,
    WRONG_SIGNER,
    Reject,
)
from settlement.signed_messages import NO_ORDER, Cancel, Order, order_hash

SYMBOLS = ("BTC-27MAR26-90000-C", "BTC-27MAR26-100000-C", "BTC-27MAR26-90000-P")
SPREAD = f"+1*{SYMBOLS[0]},-2*{SYMBOLS[1]}"
MIRROR = f"+2*{SYMBOLS[1]},-1*{SYMBOLS[0]}"
NOW_NS = 1_768_469_400 * 10**9
SIGNATURE = b"\x11" * 64 + b"\x1b"
NOBODY = bytes(32)


class ScriptedVenue:
    """A venue whose verdicts and events the test writes. A request waits for its verdict."""

    def __init__(self) -> None:
        self.placed: list[tuple[Order, bytes]] = []
        self.cancelled: list[tuple[Cancel, bytes]] = []
        self.waiting: list[asyncio.Future[Verdict]] = []
        self.listeners: list[Listener] = []
        self.live: dict[bytes, OrderView] = {}
        self.history: list[tuple[int, FillView]] = []
        self.sequence = 100

    async def _wait(self) -> Verdict:
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self.waiting.append(answer)
        return await answer

    async def place(self, order: Order, signature: bytes, session: int = 0) -> Verdict:
        del session
        self.placed.append((order, signature))
        return await self._wait()

    async def cancel(self, cancel: Cancel, signature: bytes) -> Verdict:
        self.cancelled.append((cancel, signature))
        return await self._wait()

    def listen(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def happen(self, *happened: Event) -> None:
        self.sequence += 1
        for listener in self.listeners:
            listener(self.sequence, NOW_NS, happened)

    def resolve(self, symbol: str):
        return resolve_symbol(symbol, {name: number for number, name in enumerate(SYMBOLS)})

    def instruments(self):
        return [
            InstrumentView(n, name, 2, "BTC", 0, 0, 10_000, 1_000_000, True, None, None)
            for n, name in enumerate(SYMBOLS)
        ]

    def order(self, order_hash: bytes) -> OrderView | None:
        return self.live.get(order_hash)

    def fills(self, account: int, since: int, limit: int) -> FillPage:
        """The fills of one command a page: the shortest page that there can be."""
        found = [fill for owner, fill in self.history if owner == account and fill.sequence > since]
        at = found[0].sequence if found else since
        page = tuple(fill for fill in found if fill.sequence == at)
        return FillPage(page, at, len(page) < len(found))


class Told:
    """One message to the session."""

    def __init__(self, kind: str, fields: list[Field]) -> None:
        self.kind, self.fields = kind, fields

    def __getitem__(self, tag: int) -> str:
        return dict(self.fields)[tag]

    def get(self, tag: int) -> str | None:
        return dict(self.fields).get(tag)


class Trader:
    """A session at the desk, with what it was told."""

    def __init__(self, venue: ScriptedVenue, store: MemoryStore | None = None) -> None:
        self.venue = venue
        self.store = store or MemoryStore()
        self.told: list[Told] = []
        self.desk = Desk(venue, lambda: NOW_NS)  # type: ignore[arg-type]
        self.seat = Seat(self.desk, self, self.store)
        self.tasks: list[asyncio.Task[None]] = []
        self.number = 1

    def send(self, message_type: str, fields: list[Field]) -> None:
        tags = [tag for tag, _ in fields]
        assert len(tags) == len(set(tags)), f"a tag stands twice: {fields}"
        assert all(value for _, value in fields), f"an empty value: {fields}"
        self.told.append(Told(message_type, fields))

    def refuse(self, message: Message, reason: int, text: str, ref: str) -> None:
        self.told.append(Told("j", [(380, str(reason)), (58, text), (379, ref)]))

    async def say(self, kind: str, fields: dict[int, Any]) -> None:
        """A message of the session, taken as far as the venue's verdict."""
        self.number += 1
        pairs = [(35, kind), (34, str(self.number))]
        pairs += [(tag, str(value)) for tag, value in fields.items() if value is not None]
        work = self.seat.take(Message(pairs))
        if work is not None:
            self.tasks.append(asyncio.create_task(work))
        await asyncio.sleep(0)

    async def verdict(self, reject: Reject | None = None, *happened: Event, **more: Any) -> None:
        """The oldest request's verdict; the listeners hear of its events first, as in the real
        exchange.
        """
        if happened:
            self.venue.happen(*happened)
        ack = Acknowledgement(self.venue.sequence, bytes(32), b"\x0a" * 32, b"\x0b" * 65)
        verdict = Verdict(
            bytes(32),
            self.venue.sequence,
            NOW_NS,
            happened,
            reject,
            acknowledgement=more.pop("ack", ack),
            **more,
        )
        self.venue.waiting.pop(0).set_result(verdict)
        for _ in range(3):
            await asyncio.sleep(0)

    async def rests(self, cl_ord_id: str = "a", **changes: Any) -> Order:
        """An order that was taken and rests."""
        await self.say("D", terms(cl_ord_id, **changes))
        order = self.venue.placed[-1][0]
        await self.verdict(None, placed(order))
        assert self.last[150] in "05"
        self.told.clear()
        return order

    @property
    def last(self) -> Told:
        return self.told[-1]


@pytest.fixture
def trader() -> Trader:
    return Trader(ScriptedVenue())


def terms(cl_ord_id: str = "a", **changes: Any) -> dict[int, Any]:
    """A NewOrderSingle: buy 0.5 BTC at 1234.5."""
    fields: dict[int, Any] = {
        11: cl_ord_id, 1: 7, 55: SYMBOLS[0], 54: 1, 38: "0.5", 40: 2, 44: "1234.5", 59: 1,
        60: timestamp_text(NOW_NS), 20001: 3, 20002: 400, 20003: 1_768_500_000, 20004: 2**64 - 1,
        20005: SIGNATURE.hex(),
    }  # fmt: skip
    fields.update({int(tag.removeprefix("t")): value for tag, value in changes.items()})
    return fields


def placed(order: Order) -> Event:
    hashed = order_hash(order)
    price, lots = order.limit_price_micro, order.quantity_lots
    return events.OrderPlaced(1, hashed, order.account, 0, order.side, price, lots)


def filled(
    taker: bytes, maker: bytes, price_micro: int, lots: int, left: tuple[int, int], **more: int
) -> Event:
    return events.OrderFilled(
        more.get("trade", 55), more.get("instrument", 0), price_micro // 10_000, price_micro, lots,
        1, 1, taker, 7, 2_000_000, left[0], 2, maker, 8, 1_000_000, left[1], more.get("combo", 0),
    )  # fmt: skip


def cancelled(order: Order, reason: int = events.CANCELLED_BY_OWNER) -> Event:
    return events.OrderCancelled(1, order_hash(order), order.account, 0, order.side, 1, reason)


# What the venue is given -----------------------------------------------------------------------


async def test_the_signed_order_is_rebuilt_from_the_fields(trader: Trader) -> None:
    await trader.say("D", terms())
    expected = Order(
        7, 3, 0, 0, 0, 12_345_000, 50, 400, 1_768_500_000, 2**64 - 1, NO_ORDER, ((0, 1),)
    )
    assert trader.venue.placed == [(expected, SIGNATURE)]
    assert trader.told == []


async def test_every_code_has_its_meaning(trader: Trader) -> None:
    changes: list[dict[str, Any]] = [
        {"t54": 2},
        {"t59": 3},
        {"t59": 4},
        {"t18": 6},
        {"t20006": "0x" + "ab" * 32},
        {"t20005": "0x" + SIGNATURE.hex()},
        {"t20005": "00"},
        {"t44": "1234.50000000000000000"},
        {"t44": ".5", "t38": "5."},
    ]
    for number, change in enumerate(changes):
        await trader.say("D", terms(str(number), t20004=number, **change))
    orders = [order for order, _ in trader.venue.placed]
    assert [order.side for order in orders[:2]] == [1, 0]
    assert [order.time_in_force for order in orders[:3]] == [0, 1, 2]
    assert orders[3].flags == 1
    assert orders[4].replaces == b"\xab" * 32
    assert trader.venue.placed[6][1] == b"\0"  # the venue says what is wrong with it
    assert orders[7].limit_price_micro == 12_345_000
    assert (orders[8].limit_price_micro, orders[8].quantity_lots) == (5_000, 500)


async def test_a_combo_may_be_written_with_its_legs_in_any_order(trader: Trader) -> None:
    written = f"-2*{SYMBOLS[1]},+1*{SYMBOLS[0]}"
    await trader.say("D", terms(t55=written, t44="-10"))
    order = trader.venue.placed[0][0]
    assert order.legs == ((0, 1), (1, -2))
    assert (order.side, order.limit_price_micro) == (0, -100_000)


async def test_the_mirror_image_of_a_combo_is_its_other_side(trader: Trader) -> None:
    await trader.say("D", terms(t55=MIRROR, t44="-10"))
    order = trader.venue.placed[0][0]
    assert order.legs == ((0, 1), (1, -2))
    assert (order.side, order.limit_price_micro) == (1, 100_000)
    await trader.verdict(None, placed(order))
    # The report speaks as the owner did.
    assert (trader.last[55], trader.last[54], trader.last[44]) == (MIRROR, "1", "-10")


@pytest.mark.parametrize(
    ("written", "side", "price_micro"),
    [("BTC-CS-27MAR26-90000_100000", 0, -100_000), ("-BTC-CS-27MAR26-90000_100000", 1, 100_000)],
)
async def test_a_combo_may_be_ordered_by_its_name(
    trader: Trader, written: str, side: int, price_micro: int
) -> None:
    await trader.say("D", terms(t55=written, t44="-10"))
    order = trader.venue.placed[0][0]
    assert order.legs == ((0, 1), (1, -1))
    assert (order.side, order.limit_price_micro) == (side, price_micro)


@pytest.mark.parametrize(
    ("changes", "reason", "text"),
    [
        ({"t20001": None}, "5", "tag 20001 (counter) is missing"),
        ({"t20005": None}, "5", "tag 20005 (signature) is missing"),
        ({"t1": None}, "5", "tag 1 (Account) is missing"),
        ({"t59": None}, "5", "tag 59"),
        ({"t44": None}, "5", "tag 44 (Price) is missing"),
        ({"t38": None}, "5", "tag 38 (OrderQty) is missing"),
        ({"t1": "x"}, "0", "whole number from 0 to 4294967295"),
        ({"t1": "²"}, "0", "whole number from 0 to 4294967295"),
        ({"t1": 2**32}, "0", "whole number from 0 to 4294967295"),
        ({"t20001": -1}, "0", "whole number from 0 to 4294967295"),
        ({"t20004": 2**64}, "0", f"whole number from 0 to {2**64 - 1}"),
        ({"t20005": "0x123"}, "0", "bytes in hexadecimal"),
        ({"t20005": "zz"}, "0", "bytes in hexadecimal"),
        ({"t20006": "ab"}, "0", "32 bytes in hexadecimal"),
        ({"t40": 1}, "0", "OrdType (40) must be 2 (limit)"),
        ({"t11": "x" * 65}, "0", "at most 64"),
    ],
)
async def test_an_order_that_cannot_be_rebuilt_is_refused_as_a_message(
    trader: Trader, changes: dict[str, Any], reason: str, text: str
) -> None:
    await trader.say("D", terms(**changes))
    assert trader.venue.placed == []
    assert (trader.last.kind, trader.last[380]) == ("j", reason)
    assert text in trader.last[58]


@pytest.mark.parametrize(
    ("changes", "code", "reason", "text"),
    [
        ({"t55": "BTC-1JAN26-1-C"}, UNKNOWN_INSTRUMENT, "1", "BTC-1JAN26-1-C"),
        ({"t44": "0.00001"}, PRICE_OFF_TICK, "99", "no multiple of 0.0001"),
        ({"t44": "9" * 16}, PRICE_OFF_TICK, "99", "at most 15 digits"),
        ({"t38": "0.005"}, QUANTITY_OUT_OF_RANGE, "13", "no multiple of the lot, 0.01"),
        ({"t38": "-1"}, QUANTITY_OUT_OF_RANGE, "13", "quantity -100; it must be 1 to 16777215"),
        ({"t38": "167772.16"}, QUANTITY_OUT_OF_RANGE, "13", "quantity 16777216"),
        ({"t55": f"2*{SYMBOLS[0]},-2*{SYMBOLS[1]}"}, RATIOS_NOT_REDUCED, "99", "factor 2"),
        ({"t55": f"1*{SYMBOLS[0]},-1*{SYMBOLS[0]}"}, 311, "99", "cancel out"),
        ({"t54": "5"}, 304, "11", "tag 54 is 5; it must be 1 (buy) or 2 (sell)"),
        ({"t59": "0"}, 305, "11", "it must be 1 (GTC), 3 (IOC) or 4 (FOK)"),
        ({"t18": "G"}, 306, "11", "it must be 6 (post-only)"),
    ],
)
async def test_an_order_that_can_never_be_right_is_rejected_with_its_code(
    trader: Trader, changes: dict[str, Any], code: int, reason: str, text: str
) -> None:
    await trader.say("D", terms(**changes))
    assert trader.venue.placed == []
    told = trader.last
    assert (told.kind, told[150], told[39], told[11]) == ("8", "8", "8", "a")
    assert (told[37], told[103], told[20010]) == ("NONE", reason, str(code))
    assert text in told[58]


# Reports ---------------------------------------------------------------------------------------


async def test_new_carries_the_operators_acknowledgement(trader: Trader) -> None:
    await trader.say("D", terms())
    order = trader.venue.placed[0][0]
    await trader.verdict(None, placed(order))
    (told,) = trader.told
    assert told.kind == "8"
    assert told[37] == "0x" + order_hash(order).hex()
    assert (told[11], told[150], told[39], told[17]) == ("a", "0", "0", "N101")
    assert (told[1], told[55], told[54]) == ("7", SYMBOLS[0], "1")
    assert (told[38], told[44], told[59]) == ("0.5", "1234.5", "1")
    assert (told[151], told[14], told[6]) == ("0.5", "0", "0")
    assert (told[20011], told[20012]) == ("0x" + "0b" * 65, "101")
    assert told[20013] == "0x" + "0a" * 32
    assert told[60] == "20260115-09:30:00.000"


async def test_a_venue_that_tells_the_verdict_before_the_events_is_understood(
    trader: Trader,
) -> None:
    await trader.say("D", terms())
    await trader.verdict(None)
    assert trader.told == []
    trader.venue.happen(placed(trader.venue.placed[0][0]))
    assert trader.last[20012] == "100"


async def test_fills_of_a_resting_order_reach_its_session(trader: Trader) -> None:
    order = await trader.rests()
    ours = order_hash(order)
    trader.venue.happen(filled(NOBODY, ours, 12_340_000, 20, (0, 30), trade=1))
    trader.venue.happen(filled(NOBODY, ours, 12_345_000, 30, (0, 0), trade=2))
    first, second = trader.told
    assert (first[150], first[39], first[17]) == ("F", "1", "T1M")
    assert (first[31], first[32], first[151], first[14]) == ("1234", "0.2", "0.3", "0.2")
    assert (first[6], first[851], first[442]) == ("1234", "1", "1")
    assert (first[12], first[13]) == ("1", "3")
    assert (second[39], second[151], second[14], second[6]) == ("2", "0", "0.5", "1234.3")
    trader.venue.happen(filled(NOBODY, ours, 12_345_000, 30, (0, 0), trade=3))
    assert len(trader.told) == 2  # it is over


async def test_a_taker_is_told_new_then_its_fills_then_what_became_of_the_rest(
    trader: Trader,
) -> None:
    await trader.say("D", terms(t59=3))
    order = trader.venue.placed[0][0]
    ours = order_hash(order)
    await trader.verdict(
        None,
        placed(order),
        filled(ours, NOBODY, 12_000_000, 10, (40, 5), trade=1),
        filled(ours, NOBODY, 12_100_000, 20, (20, 5), trade=2),
        cancelled(order, events.CANCELLED_IMMEDIATE),
    )
    assert [told[150] for told in trader.told] == ["0", "F", "F", "4"]
    assert trader.told[1][851] == "2"
    last = trader.last
    assert (last[39], last[151], last[14], last[6]) == ("4", "0", "0.3", "1206.66666667")
    assert last[58] == "immediate-or-cancel: the rest did not trade"
    assert trader.store.notes() == {}


async def test_a_fill_that_comes_before_the_verdict_waits_for_it(trader: Trader) -> None:
    await trader.say("D", terms())
    order = trader.venue.placed[0][0]
    trader.venue.happen(placed(order))
    trader.venue.happen(filled(NOBODY, order_hash(order), 12_340_000, 50, (0, 0)))
    assert trader.told == []
    await trader.verdict(None)
    assert [told[150] for told in trader.told] == ["0", "F"]
    assert trader.store.notes() == {}


async def test_both_sides_of_a_trade_may_sit_at_the_same_desk(trader: Trader) -> None:
    other = Trader(trader.venue)
    maker = await trader.rests()
    await other.say("D", terms(t54=2, t1=8))
    taker = trader.venue.placed[-1][0]
    await other.verdict(
        None, placed(taker), filled(order_hash(taker), order_hash(maker), 12_345_000, 50, (0, 0))
    )
    assert [told[17] for told in trader.told] == ["T55M"]
    assert [told[17] for told in other.told] == ["N102", "T55T"]


async def test_a_combo_is_reported_as_a_whole_and_leg_by_leg(trader: Trader) -> None:
    await trader.say("D", terms(t55=SPREAD, t44="-10"))
    order = trader.venue.placed[0][0]
    ours = order_hash(order)
    await trader.verdict(
        None,
        placed(order),
        filled(ours, NOBODY, 12_000_000, 5, (-1, 9), trade=1, combo=77),
        filled(ours, NOBODY, 6_100_000, 10, (-1, 9), trade=2, combo=77, instrument=1),
        events.ComboFilled(77, 1 << 24, -200_000, 5, 1, 1, ours, 7, 45, 0, NOBODY, 0, -1),
    )
    new, whole, first, second = trader.told
    assert new[150] == "0"
    assert (whole[442], whole[55], whole[17]) == ("3", SPREAD, "C77T")
    assert (whole[31], whole[32], whole[14], whole[151]) == ("-20", "0.05", "0.05", "0.45")
    assert (whole[6], whole.get(12)) == ("-20", None)
    assert (first[442], first[55], first[54], first[31], first[32]) == (
        "2", SYMBOLS[0], "1", "1200", "0.05",
    )  # fmt: skip
    assert (second[55], second[54], second[31], second[32]) == (SYMBOLS[1], "2", "610", "0.1")
    assert (first[17], second[17], first[12]) == ("T1T", "T2T", "2")


async def test_the_next_trade_of_a_combo_reports_its_own_legs_alone(trader: Trader) -> None:
    order = await trader.rests(t55=SPREAD, t44="-10")
    ours = order_hash(order)
    for combo in (77, 78):
        trader.venue.happen(
            filled(NOBODY, ours, 12_000_000, 5, (9, -1), trade=combo + 100, combo=combo),
            events.ComboFilled(
                combo, 1 << 24, -200_000, 5, 1, 1, NOBODY, 8, 0, 0, ours, 7, 50 - 5 * (combo - 76)
            ),
        )
    assert [told[17] for told in trader.told] == ["C77M", "T177M", "C78M", "T178M"]


async def test_a_mirrored_combo_is_reported_as_its_owner_wrote_it(trader: Trader) -> None:
    await trader.say("D", terms(t55=MIRROR, t44="-10"))
    order = trader.venue.placed[0][0]
    ours = order_hash(order)
    await trader.verdict(
        None,
        placed(order),
        filled(ours, NOBODY, 12_000_000, 5, (-1, 9), trade=1, combo=77),
        events.ComboFilled(77, 1 << 24, 150_000, 5, 0, 1, ours, 7, 45, 0, NOBODY, 0, -1),
    )
    _, whole, leg = trader.told
    # The owner "bought the mirror at -15": received 15, and sold the call that the combo has.
    assert (whole[54], whole[31], whole[6]) == ("1", "-15", "-15")
    assert (leg[54], leg[31]) == ("2", "1200")


@pytest.mark.parametrize("reason", sorted(events.CANCEL_REASONS))
async def test_every_end_of_an_order_is_told_with_its_reason(trader: Trader, reason: int) -> None:
    order = await trader.rests()
    trader.venue.happen(cancelled(order, reason))
    kind = "C" if reason == events.CANCELLED_EXPIRED else "4"
    assert (trader.last[150], trader.last[39], trader.last[151]) == (kind, kind, "0")
    assert trader.last[58] == events.CANCEL_REASONS[reason]
    assert trader.store.notes() == {}


# Refusals of the venue -------------------------------------------------------------------------


def reduced(order: Order, lots: int, left: int) -> Event:
    hashed, reason = order_hash(order), events.CANCELLED_SELF_TRADE
    return events.OrderReduced(1, hashed, order.account, 0, order.side, lots, left, left, reason)


async def test_an_order_that_loses_lots_without_a_trade_is_restated(trader: Trader) -> None:
    order = await trader.rests()
    ours = order_hash(order)
    trader.venue.happen(filled(NOBODY, ours, 12_340_000, 10, (0, 40), trade=1))
    trader.venue.happen(reduced(order, 15, 25), reduced(order, 5, 20))
    _, first, second = trader.told
    assert (first[150], first[39], first[378]) == ("D", "1", "5")
    assert (first[38], first[14], first[151]) == ("0.35", "0.1", "0.25")
    assert (second[38], second[14], second[151]) == ("0.3", "0.1", "0.2")
    assert first[17] != second[17]
    assert first[58] == events.CANCEL_REASONS[events.CANCELLED_SELF_TRADE]
    trader.venue.happen(filled(NOBODY, ours, 12_340_000, 20, (0, 0), trade=2))
    assert (trader.last[39], trader.last[151]) == ("2", "0")
    assert trader.store.notes() == {}


async def test_what_an_order_lost_while_the_door_was_closed_is_restated(trader: Trader) -> None:
    order = await trader.rests()
    hashed = order_hash(order)
    at = trader.venue.sequence + 1
    trader.venue.live[hashed] = OrderView(
        hashed, 7, SYMBOLS[0], ((0, 1),), 0, 12_345_000, 35, 15, 0
    )
    trader.venue.history = [(7, fill_view(at, 1, hashed, 12_000_000, 20))]
    again = Trader(trader.venue, trader.store)
    assert [told[150] for told in again.told] == ["F", "D"]
    assert (again.last[38], again.last[14], again.last[151]) == ("0.35", "0.2", "0.15")
    third = Trader(trader.venue, trader.store)
    assert third.told == []  # once


async def test_a_reject_of_the_venue_is_passed_on_with_its_sentence(trader: Trader) -> None:
    await trader.say("D", terms())
    reject = Reject(MARGIN, 12_000_000, 5_000_000)
    await trader.verdict(reject)
    told = trader.last
    assert (told[150], told[39], told[103], told[20010]) == ("8", "8", "3", "601")
    assert told[58] == reject.message
    assert told[37] == "0x" + order_hash(trader.venue.placed[0][0]).hex()
    assert (told[151], told[20012]) == ("0", "100")
    trader.venue.happen(placed(trader.venue.placed[0][0]))
    assert len(trader.told) == 1


async def test_a_signature_reject_shows_all_that_was_computed(trader: Trader) -> None:
    await trader.say("D", terms())
    fault = SignatureFault(b"\x01" * 20, b"\x02" * 32, b"\x03" * 32, b"\x04" * 32)
    await trader.verdict(Reject(WRONG_SIGNER, 7), signature_fault=fault, ack=None)
    text = trader.last[58]
    for name, value in (
        ("recovered signer", "01" * 20),
        ("digest", "02" * 32),
        ("domain separator", "03" * 32),
        ("struct hash", "04" * 32),
    ):
        assert f"{name} 0x{value}" in text
    assert trader.last.get(20011) is None


async def test_a_cl_ord_id_is_used_once(trader: Trader) -> None:
    await trader.rests("a")
    await trader.say("D", terms("a", t20004=5))
    assert (trader.last[150], trader.last[103]) == ("8", "6")
    assert "a was used before" in trader.last[58]
    assert len(trader.venue.placed) == 1


async def test_the_same_order_under_another_name_is_rejected_here(trader: Trader) -> None:
    order = await trader.rests("a")
    await trader.say("D", terms("b"))
    assert (trader.last[20010], len(trader.venue.placed)) == (str(ORDER_ALREADY_USED), 1)
    trader.venue.happen(filled(NOBODY, order_hash(order), 12_340_000, 50, (0, 0)))
    assert trader.last[11] == "a"


@pytest.mark.parametrize("flag", [43, 97])
async def test_a_message_that_comes_again_does_nothing_twice(trader: Trader, flag: int) -> None:
    await trader.rests("a")
    await trader.say("D", terms("a") | {flag: "Y"})
    assert (trader.told, len(trader.venue.placed)) == ([], 1)


async def test_an_order_that_came_again_after_its_verdict_was_lost_is_taken_up(
    trader: Trader,
) -> None:
    """The exchange stopped between journal and report; the session asked for the message again."""
    await trader.say("D", terms("a") | {43: "Y"})
    order = trader.venue.placed[0][0]
    hashed = order_hash(order)
    trader.venue.live[hashed] = OrderView(
        hashed, 7, SYMBOLS[0], ((0, 1),), 0, 12_345_000, 50, 20, 0
    )
    trader.venue.history.append((7, fill_view(90, 5, hashed, 12_300_000, 30)))
    await trader.verdict(Reject(ORDER_ALREADY_USED))
    status, fill = trader.told
    assert (status[150], status[39], status[11]) == ("I", "0", "a")
    assert (fill[150], fill[14], fill[151], fill[6]) == ("F", "0.3", "0.2", "1230")
    trader.venue.happen(filled(NOBODY, hashed, 12_345_000, 20, (0, 0)))
    assert trader.last[39] == "2"


async def test_an_order_that_was_used_and_is_gone_is_rejected_again(trader: Trader) -> None:
    await trader.say("D", terms("a") | {43: "Y"})
    await trader.verdict(Reject(ORDER_ALREADY_USED))
    assert (trader.last[150], trader.last[103]) == ("8", "6")


# Cancel ----------------------------------------------------------------------------------------


def cancel_terms(cl_ord_id: str = "c", **changes: Any) -> dict[int, Any]:
    fields: dict[int, Any] = {11: cl_ord_id, 41: "a", 54: 1, 55: SYMBOLS[0], 20005: "22" * 65}
    fields.update({int(tag.removeprefix("t")): value for tag, value in changes.items()})
    return fields


async def test_a_cancel_names_its_order_by_either_id(trader: Trader) -> None:
    order = await trader.rests()
    expected = (Cancel(7, order_hash(order)), b"\x22" * 65)
    await trader.say("F", cancel_terms("c1"))
    await trader.say("F", cancel_terms("c2", t41=None, t37="0x" + order_hash(order).hex()))
    assert trader.venue.cancelled == [expected, expected]


async def test_a_cancelled_order_is_reported_under_the_cancels_name(trader: Trader) -> None:
    order = await trader.rests()
    await trader.say("F", cancel_terms())
    assert trader.told == []
    await trader.verdict(None, cancelled(order))
    (told,) = trader.told
    assert (told[11], told[41], told[150], told[39]) == ("c", "a", "4", "4")
    assert told[20012] == "102"


async def test_a_fill_that_overtakes_a_cancel_is_told_first(trader: Trader) -> None:
    order = await trader.rests()
    await trader.say("F", cancel_terms())
    trader.venue.happen(filled(NOBODY, order_hash(order), 12_345_000, 50, (0, 0)))
    await trader.verdict(Reject(ORDER_NOT_LIVE))
    fill, reject = trader.told
    assert (fill[150], fill[39], fill[11]) == ("F", "2", "a")
    assert (reject.kind, reject[11], reject[41], reject[434]) == ("9", "c", "a", "1")
    assert (reject[102], reject[20010]) == ("0", str(ORDER_NOT_LIVE))


async def test_a_refused_cancel_leaves_the_order_as_it_was(trader: Trader) -> None:
    order = await trader.rests()
    await trader.say("F", cancel_terms())
    await trader.verdict(Reject(WRONG_SIGNER, 7))
    assert (trader.last.kind, trader.last[39], trader.last[102]) == ("9", "0", "99")
    trader.venue.happen(cancelled(order, events.CANCELLED_MARGIN_MAKER))
    assert (trader.last[11], trader.last.get(41)) == ("a", None)


async def test_of_two_cancels_the_one_that_was_taken_is_named(trader: Trader) -> None:
    order = await trader.rests()
    await trader.say("F", cancel_terms("c1"))
    await trader.say("F", cancel_terms("c2"))
    await trader.verdict(Reject(WRONG_SIGNER, 7))
    await trader.verdict(None, cancelled(order))
    assert [(told.kind, told[11]) for told in trader.told] == [("9", "c1"), ("8", "c2")]


async def test_of_two_cancels_in_one_group_too(trader: Trader) -> None:
    """Both commands are applied before either caller hears of it."""
    order = await trader.rests()
    await trader.say("F", cancel_terms("c1"))
    await trader.say("F", cancel_terms("c2"))
    trader.venue.happen(cancelled(order))
    await trader.verdict(Reject(WRONG_SIGNER, 7))
    await trader.verdict(None)
    assert [(told.kind, told[11]) for told in trader.told] == [("9", "c1"), ("8", "c2")]


async def test_a_cancel_of_nothing_known_is_refused(trader: Trader) -> None:
    await trader.say("F", cancel_terms())
    told = trader.last
    assert (told.kind, told[37], told[39]) == ("9", "NONE", "8")
    assert (told[102], told[20010]) == ("1", str(UNKNOWN_ORDER))
    await trader.say("F", cancel_terms(t41=None))
    assert (trader.last.kind, trader.last[380]) == ("j", "5")
    await trader.say("F", cancel_terms(t41=None, t37="12"))
    assert (trader.last.kind, trader.last[380]) == ("j", "0")
    assert trader.venue.cancelled == []


async def test_an_order_of_another_door_can_be_cancelled_here(trader: Trader) -> None:
    hashed = b"\x09" * 32
    trader.venue.live[hashed] = OrderView(
        hashed, 7, SPREAD, ((0, 1), (1, -2)), 1, -100_000, 50, 20, 0
    )
    await trader.say("F", cancel_terms(t41=None, t37=hashed.hex()))
    assert trader.venue.cancelled[0][0] == Cancel(7, hashed)
    await trader.verdict(None)
    told = trader.last
    assert (told[37], told[11], told[150]) == ("0x" + hashed.hex(), "c", "4")
    assert (told[55], told[54], told[14], told[44]) == (SPREAD, "2", "0.3", "-10")


async def test_an_order_of_another_session_is_told_to_both(trader: Trader) -> None:
    other = Trader(trader.venue)
    order = await other.rests()
    hashed = order_hash(order)
    trader.desk.track(other.desk.find(hashed))  # one desk serves all sessions of a door
    trader.venue.live[hashed] = OrderView(hashed, 7, SYMBOLS[0], ((0, 1),), 0, 1, 50, 50, 0)
    await trader.say("F", cancel_terms(t41=None, t37=hashed.hex()))
    await trader.verdict(None, cancelled(order))
    assert (trader.last[11], trader.last[150]) == ("c", "4")
    assert (other.last[11], other.last[150]) == ("a", "4")


# Replace ---------------------------------------------------------------------------------------


async def test_a_replacement_takes_the_place_of_the_order_it_names(trader: Trader) -> None:
    old = await trader.rests()
    await trader.say("G", terms("b", t41="a", t44="1300"))
    new = trader.venue.placed[-1][0]
    assert new.replaces == order_hash(old)
    await trader.verdict(None, cancelled(old, events.CANCELLED_REPLACED), placed(new))
    (told,) = trader.told
    assert (told[150], told[39], told[11], told[41]) == ("5", "0", "b", "a")
    assert told[37] == "0x" + order_hash(new).hex()
    assert list(trader.store.notes()) == [order_hash(new)]
    # And again, by OrderID.
    await trader.say("G", terms("c", t37=order_hash(new).hex(), t44="1301"))
    third = trader.venue.placed[-1][0]
    await trader.verdict(None, cancelled(new, events.CANCELLED_REPLACED), placed(third))
    assert (trader.last[150], trader.last[11], trader.last[41]) == ("5", "c", "b")


async def test_a_refused_replacement_leaves_the_order_as_it_was(trader: Trader) -> None:
    old = await trader.rests()
    await trader.say("G", terms("b", t41="a", t44="1300"))
    trader.venue.happen(filled(NOBODY, order_hash(old), 12_345_000, 20, (0, 30)))
    await trader.verdict(Reject(MARGIN, 1, 2))
    fill, reject = trader.told
    assert (fill[150], fill[11]) == ("F", "a")
    assert (reject.kind, reject[434], reject[11], reject[41]) == ("9", "2", "b", "a")
    assert (reject[39], reject[20010]) == ("1", "601")
    trader.venue.happen(filled(NOBODY, order_hash(old), 12_345_000, 30, (0, 0)))
    assert trader.last[39] == "2"


async def test_a_replacement_must_mean_one_order(trader: Trader) -> None:
    await trader.rests()
    await trader.say("G", terms("b", t41="a", t20006="ab" * 32))
    assert (trader.last.kind, trader.last[380]) == ("j", "0")
    assert "20006 is another order" in trader.last[58]
    await trader.say("G", terms("c", t41="unknown"))
    assert (trader.last.kind, trader.last[434], trader.last[102]) == ("9", "2", "1")


async def test_a_new_order_may_replace_another_too(trader: Trader) -> None:
    old = await trader.rests()
    await trader.say("D", terms("b", t20006=order_hash(old).hex(), t44="1300"))
    new = trader.venue.placed[-1][0]
    await trader.verdict(None, cancelled(old, events.CANCELLED_REPLACED), placed(new))
    assert [(told[11], told[150]) for told in trader.told] == [("a", "4"), ("b", "0")]


# After a restart -------------------------------------------------------------------------------


def fill_view(
    sequence: int, trade: int, hashed: bytes, price_micro: int, lots: int, **more: int
) -> FillView:
    return FillView(
        sequence, NOW_NS, trade, more.get("instrument", 0), "", 0, price_micro, lots, 1_000_000,
        True, hashed, more.get("combo", 0),
    )  # fmt: skip


async def test_after_a_restart_fills_go_on_where_they_were(trader: Trader) -> None:
    order = await trader.rests()
    hashed = order_hash(order)
    trader.venue.happen(filled(NOBODY, hashed, 12_340_000, 20, (0, 30), trade=1))
    trader.venue.live[hashed] = OrderView(
        hashed, 7, SYMBOLS[0], ((0, 1),), 0, 12_345_000, 50, 30, 0
    )
    again = Trader(trader.venue, trader.store)
    assert again.told == []
    trader.venue.happen(filled(NOBODY, hashed, 12_345_000, 30, (0, 0), trade=2))
    (told,) = again.told
    assert (told[11], told[39], told[14], told[6]) == ("a", "2", "0.5", "1234.3")
    await again.say("F", cancel_terms(t41="a"))
    assert again.venue.cancelled[0][0] == Cancel(7, hashed)


async def test_fills_that_were_journaled_and_never_reported_are_made_up(trader: Trader) -> None:
    order = await trader.rests()
    hashed = order_hash(order)
    trader.venue.happen(filled(NOBODY, hashed, 12_340_000, 10, (0, 40), trade=1))
    seen = trader.venue.sequence
    history = [
        fill_view(seen, 1, hashed, 12_340_000, 10),
        fill_view(seen + 1, 2, hashed, 12_340_000, 15),
        fill_view(seen + 2, 3, NOBODY, 12_340_000, 99),
        fill_view(seen + 2, 4, hashed, 12_345_000, 25),
    ]
    trader.venue.history = [(7, fill) for fill in history]
    again = Trader(trader.venue, trader.store)
    assert [(told[17], told[14], told[39]) for told in again.told] == [
        ("T2M", "0.25", "1"),
        ("T4M", "0.5", "2"),
    ]
    assert again.store.notes() == {}


async def test_combos_that_were_filled_while_the_door_was_closed_are_made_up(
    trader: Trader,
) -> None:
    order = await trader.rests(t55=SPREAD, t44="-10")
    hashed = order_hash(order)
    at = trader.venue.sequence + 1
    trader.venue.live[hashed] = OrderView(hashed, 7, SPREAD, order.legs, 0, -100_000, 50, 43, 0)
    history = [
        fill_view(at, 1, hashed, 12_000_000, 5, combo=9),
        fill_view(at, 2, hashed, 6_100_000, 10, combo=9, instrument=1),
        fill_view(at + 1, 3, hashed, 12_000_000, 2, combo=10),
        fill_view(at + 1, 4, hashed, 6_050_000, 4, combo=10, instrument=1),
    ]
    trader.venue.history = [(7, fill) for fill in history]
    again = Trader(trader.venue, trader.store)
    assert [told[17] for told in again.told] == ["C9M", "T1M", "T2M", "C10M", "T3M", "T4M"]
    whole = again.told[3]
    assert (whole[31], whole[32], whole[14], whole[151]) == ("-10", "0.02", "0.07", "0.43")


async def test_an_order_that_went_while_the_door_was_closed_is_told_as_gone(
    trader: Trader,
) -> None:
    await trader.rests()
    again = Trader(trader.venue, trader.store)
    assert (again.last[150], again.last[39]) == ("4", "4")
    assert "while this door was closed" in again.last[58]
    assert again.store.notes() == {}
