"""A liquidation from margin call to auction: a small account that sold puts, and a crash.

The index falls by 9% in five steps and volatility rises, as on 5 February 2026. The account is
called, then liquidated: it is reduced against the makers' book while they quote; when they draw
back, the rest is auctioned, and a maker bids.

Holds: everything is seen in the exchange's events; nothing of the account is touched by another
way.
Never: shows what did not happen.
"""

import asyncio
from typing import Final, TypeVar

from exchange import events
from exchange.client import Client
from exchange.demo.makers import MakerDesk
from exchange.demo.stage import Cast, Member, Stage
from exchange.demo.summary import Liquidated
from exchange.demo.telling import Step, Teller
from exchange.events import Event
from exchange.snapshot_chain import marks_at
from exchange.symbols import cash_text

SYMBOL: Final = "BTC-27MAR26-90000-P"
SOLD: Final = "1"
PATH: Final = (
    (-20_000, 1_030_000),
    (-40_000, 1_060_000),
    (-60_000, 1_100_000),
    (-75_000, 1_130_000),
    (-90_000, 1_160_000),
)
"""(move of the index, of the smile's b), millionths."""
HALF_SPREAD_TICKS: Final = 60
AWAY_TICKS: Final = 2_000
SHOWN_LOTS: Final = 20
STEPS: Final = 2
"""How many steps the makers stay for."""
MARKS_EVERY_S: Final = 1.05
GIFT: Final = "100000"
WAIT_S: Final = 30.0

E = TypeVar("E", bound=Event)


class CrashFailed(Exception):
    """The story went another way; the text says where."""


async def crash(stage: Stage, desk: MakerDesk, teller: Teller) -> Liquidated:
    """Plays it, a line for each chapter, and gives its numbers."""
    cast = Cast()
    seller, maker = stage.members[cast.seller[0]], stage.members[cast.makers[0][0]]
    seen: list[Event] = []
    end = stage.host.exchange.listen(lambda _, __, happened: seen.extend(happened))
    clock, url = stage.clock_s, stage.host.rpc.url
    try:
        async with (
            Client(url, seller.wallet, seller.account, clock=clock) as short,
            Client(url, maker.wallet, maker.account, clock=clock) as bidder,
        ):
            with teller.step("crash") as step:
                await bidder.fund_insurance(GIFT)
                await _sell(short)
                await _fall(stage, desk)
                _tell_fall(step, seller, seen)
            with teller.step("liquidation") as step:
                await _stay(stage, desk, seller, seen)
                await _bid(stage, bidder, seller, seen)
                told = _told(seller, seen, stage)
                step.say(
                    f"{told.steps} steps bought back {told.stepped} BTC; the rest auctioned,"
                    f" {told.bids} bids by {maker.name} took {told.auctioned} BTC at"
                    f" {told.discount_percent}% of its worth; {told.equity_usdc} USDC left,"
                    f" {told.worst_usdc} needed: open again"
                )
                return told
    finally:
        end()


async def _sell(client: Client) -> None:
    book = await client.book(SYMBOL, 1)
    if not book["bids"]:
        raise CrashFailed(f"nobody bids for {SYMBOL}")
    price = book["bids"][0]["price"]
    await client.place(SYMBOL, "sell", price, SOLD, time_in_force="FOK")


async def _fall(stage: Stage, desk: MakerDesk) -> None:
    """The makers quote around each new mark before it is told: they see it coming elsewhere."""
    exchange = stage.host.exchange
    for move_e6, smile_e6 in PATH:
        await _quote(stage, desk, HALF_SPREAD_TICKS)
        await exchange.submit(
            lambda time_ns, _, move=move_e6, smile=smile_e6: marks_at(time_ns, move, smile_e6=smile)
        )
        await asyncio.sleep(MARKS_EVERY_S)


async def _quote(stage: Stage, desk: MakerDesk, away_ticks: int) -> None:
    """SYMBOL so far from its mark."""
    state = stage.host.exchange.state
    number = state.symbols[SYMBOL]
    mark = state.marks.mark_ticks(state.instruments[number])
    await desk.move(number, max(mark - away_ticks, 1), mark + away_ticks, SHOWN_LOTS)


async def _stay(stage: Stage, desk: MakerDesk, seller: Member, seen: list[Event]) -> None:
    """The makers quote for so many steps, then draw back, until the rest is auctioned."""
    async with asyncio.timeout(WAIT_S):
        while not _of(seen, events.AuctionOpened, seller):
            stays = len(_of(seen, events.LiquidationStep, seller)) < STEPS
            await _quote(stage, desk, HALF_SPREAD_TICKS if stays else AWAY_TICKS)
            await _mark_again(stage)
            if _of(seen, events.LiquidationEnded, seller):
                raise CrashFailed("the makers' book was enough: nothing came to auction")


async def _mark_again(stage: Stage) -> None:
    move_e6, smile_e6 = PATH[-1]
    await stage.host.exchange.submit(
        lambda time_ns, _: marks_at(time_ns, move_e6, smile_e6=smile_e6)
    )
    await asyncio.sleep(MARKS_EVERY_S)


async def _bid(stage: Stage, bidder: Client, seller: Member, seen: list[Event]) -> None:
    """A maker takes what can be had, until the account is open again."""
    async with asyncio.timeout(WAIT_S):
        while not _of(seen, events.LiquidationEnded, seller):
            (auction,) = [
                view for view in await bidder.auctions() if view["account"] == seller.account
            ]
            await bidder.bid_auction(seller.account, price=auction["price"])
            await _mark_again(stage)


def _of(seen: list[Event], kind: type[E], seller: Member) -> list[E]:
    return [
        event
        for event in seen
        if isinstance(event, kind) and getattr(event, "account", None) == seller.account
    ]


def _tell_fall(step: Step, seller: Member, seen: list[Event]) -> None:
    called = _of(seen, events.MarginCalled, seller)
    started = _of(seen, events.LiquidationStarted, seller)
    if not called or not started:
        raise CrashFailed("the crash called nobody, or liquidated nobody")
    step.say(
        f"index -9%: {seller.name} sold puts on {SOLD} BTC; called with"
        f" {cash_text(called[0].equity_micro)} USDC below {cash_text(called[0].worst_micro)},"
        f" liquidated with {cash_text(started[0].equity_micro)} below"
        f" {cash_text(started[0].maintenance_micro)}"
    )


def _told(seller: Member, seen: list[Event], stage: Stage) -> Liquidated:
    steps = _of(seen, events.LiquidationStep, seller)
    bids = _of(seen, events.AuctionBidTaken, seller)
    (called,) = _of(seen, events.MarginCalled, seller)
    (started,) = _of(seen, events.LiquidationStarted, seller)
    (ended,) = _of(seen, events.LiquidationEnded, seller)
    taken = sum(abs(lots) for bid in bids for _, lots in bid.moved)
    lost = sum(bid.lots_micro + bid.cash_micro for bid in bids)
    return Liquidated(
        account=seller.account,
        called_equity_usdc=cash_text(called.equity_micro),
        called_worst_usdc=cash_text(called.worst_micro),
        started_equity_usdc=cash_text(started.equity_micro),
        started_maintenance_usdc=cash_text(started.maintenance_micro),
        steps=len(steps),
        stepped=str(sum(step.filled_lots for step in steps) / 100),
        bids=len(bids),
        auctioned=str(taken / 100),
        discount_percent=str(bids[0].discount_e6 / 10_000) if bids else "",
        lost_at_auction_usdc=cash_text(lost),
        equity_usdc=cash_text(ended.equity_micro),
        worst_usdc=cash_text(ended.worst_micro),
        fund_usdc=cash_text(stage.host.exchange.state.insurance_cash_micro),
    )
