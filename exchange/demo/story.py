"""The demo from curtain to curtain.

Chain, contracts, exchange, members; makers quote over FIX, takers trade over WebSocket; an order is
refused for margin; a crash liquidates an account; a withdrawal comes back to its wallet; a forged
batch is posted and caught; the honest one is posted and everything audited.

Holds: at least MIN_BATCHES batches settle; a step that does not come about fails the demo.
Never: shows what did not happen.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple

from exchange.audit import AuditReport
from exchange.client import Client, Json, Refused
from exchange.commands import CutBatch
from exchange.demo.crash import PATH, CrashFailed, crash
from exchange.demo.forgery import Caught, audit_home, post_a_lie
from exchange.demo.makers import MakerDesk
from exchange.demo.stage import Cast, Member, Stage, begin, fund, member_key, open_exchange
from exchange.demo.summary import Liquidated, Summary, Tally, audit_command, gas_per_fill
from exchange.demo.takers import Taker
from exchange.demo.telling import Teller
from exchange.home import Home
from exchange.host import Ports
from exchange.settler import SettlementPace
from exchange.snapshot_chain import marks_at
from exchange.symbols import cash_text
from margin.parameters import SCAN_WIDTH_PERCENT
from matching.rejects import MARGIN
from settlement.batch import Batch, decode_batch
from settlement.genesis import genesis_body
from settlement.ledger import Ledger

MIN_BATCHES: Final = 3
MARKS_EVERY_S: Final = 2.0
WAIT_S: Final = 60.0
WITHDRAWAL: Final = "1234.56"


class Settings(NamedTuple):
    """How a demo runs. `directory` is made, and left with all that an audit needs; `serve` keeps
    it running afterwards.
    """

    directory: Path
    seconds: float = 20.0
    ports: Ports = Ports()
    serve: bool = False
    seed: int = 1


class DemoFailed(Exception):
    """A step did not come about; the text says which."""


class _Traded(NamedTuple):
    """What the trading came to: what the newcomer was told, the takers' orders by strategy, and
    what became of the seller of puts.
    """

    margin_reject: str
    sent: Counter[str]
    liquidated: Liquidated


async def play(settings: Settings, teller: Teller, show: Callable[[Summary], None]) -> Summary:
    """Runs the demo, shows its summary and gives it; with `serve`, it then runs on until it is
    interrupted.
    """
    directory = settings.directory
    begun = time.monotonic()
    pace = SettlementPace(batch_seconds=max(1.0, settings.seconds / 6), poll_seconds=0.1)
    devnet, host = begin(directory, teller, settings.ports, pace)
    try:
        async with host:
            tally = Tally()
            host.exchange.listen(tally.take)
            await open_exchange(host, teller)
            members = await fund(host, teller, Cast())
            stage = Stage(directory, devnet, host, members)
            await _cut(stage)
            async with AsyncExitStack() as stack:
                traded = await _trade(stage, settings, teller, stack)
            withdrawn = await _withdraw(stage, teller)
            caught = await _tamper(stage, teller)
            report = await _audit(stage, teller)
            summary = _summarise(stage, tally, traded, withdrawn, caught, report, begun)
            show(summary)
            if settings.serve:
                await _serve_on(stage, summary, teller)
            return summary
    finally:
        devnet.stop()


# TRADING


async def _trade(
    stage: Stage, settings: Settings, teller: Teller, stack: AsyncExitStack
) -> _Traded:
    """Quotes, takes, and moves the marks until the time is up."""
    cast = Cast()
    with teller.step("quotes") as step:
        desk = await stack.enter_async_context(
            MakerDesk(stage, [stage.members[name] for name, _ in cast.makers], settings.seed)
        )
        quotes = await desk.quote_all()
        step.say(
            f"{quotes:,} orders over FIX by {len(cast.makers)} makers:"
            " the chain's real bids and asks"
        )
    takers = [
        await stack.enter_async_context(Taker(stage, stage.members[name], settings.seed + number))
        for number, (name, _) in enumerate(cast.takers)
    ]
    with teller.step("margin") as step:
        told = await _newcomer(stage)
        step.say(told)
    with teller.step("trading") as step:
        until = time.monotonic() + settings.seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(_move_marks(stage, until))
            group.create_task(desk.requote_until(until))
            for taker in takers:
                group.create_task(_take(taker, until))
        sent = sum((taker.sent for taker in takers), Counter[str]())
        step.say(
            f"{sent.total():,} orders over WebSocket by {len(takers)} takers:"
            " singles and five kinds of combo"
        )
    try:
        liquidated = await crash(stage, desk, teller)
    except CrashFailed as failed:
        raise DemoFailed(str(failed)) from None
    return _Traded(told, sent, liquidated)


async def _take(taker: Taker, until: float) -> None:
    while time.monotonic() < until:
        await taker.trade_once()


async def _move_marks(stage: Stage, until: float, base: tuple[int, int] = (0, 1_000_000)) -> None:
    """The index walks a little, up and back, around a move and a smile of `marks_at`."""
    base_e6, smile_e6 = base
    for step in itertools.cycle((0, 300, 600, 300, -200, -500)):
        if time.monotonic() >= until:
            return
        await stage.host.exchange.submit(
            lambda time_ns, _, move=base_e6 + step: marks_at(time_ns, move, smile_e6=smile_e6)
        )
        await asyncio.sleep(min(MARKS_EVERY_S, max(0.0, until - time.monotonic())))


async def _newcomer(stage: Stage) -> str:
    """An account with little money sells calls that it cannot carry."""
    member = stage.members[Cast().poor[0]]
    async with Client(
        stage.host.rpc.url, member.wallet, member.account, clock=stage.clock_s
    ) as client:
        try:
            await client.place("BTC-27MAR26-100000-C", "sell", "6000", "10")
        except Refused as refused:
            if refused.code != MARGIN:
                raise DemoFailed(
                    f"the newcomer was refused for another reason: {refused}"
                ) from refused
            short, excess = (cash_text(int(refused.data[name])) for name in ("got", "allowed"))
            return f"newcomer may not sell calls on 10 BTC: {short} USDC short, has {excess}"
    raise DemoFailed("an order that nobody can carry was accepted")


# MONEY BACK


async def _withdraw(stage: Stage, teller: Teller) -> str:
    """A taker's USDC travels back: requested, batched, claimed by proof, in the wallet."""
    member: Member = stage.members[Cast().takers[0][0]]
    with teller.step("withdrawal") as step:
        before = await asyncio.to_thread(stage.chain.balance, member.wallet.address)
        async with Client(
            stage.host.rpc.url, member.wallet, member.account, clock=stage.clock_s
        ) as client:
            await client.withdraw(WITHDRAWAL)
            await _cut(stage)
            view = await _claimable(client)
        await asyncio.to_thread(
            stage.chain.claim,
            member.key,
            view["batch"],
            view["number"],
            member.account,
            member.wallet.address,
            0,
            int(view["amountMicro"]),
            [bytes.fromhex(sibling[2:]) for sibling in view["siblings"]],
        )
        after = await asyncio.to_thread(stage.chain.balance, member.wallet.address)
        paid = cash_text(after - before)
        if paid != WITHDRAWAL:
            raise DemoFailed(f"{paid} USDC came back of {WITHDRAWAL}")
        step.say(f"{paid} USDC of {member.name} requested, batched, claimed by Merkle proof")
        return paid


async def _claimable(client: Client) -> Json:
    """The client's withdrawal once a confirmed batch carries it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            views = await client.withdrawals()
            if views and views[-1]["batch"] is not None:
                return views[-1]
            await asyncio.sleep(0.1)


async def _cut(stage: Stage) -> None:
    """Closes the open batch now, if there is anything in it."""
    if stage.host.exchange.state.groups:
        await stage.host.exchange.submit(CutBatch)


# A LIE, AND THE TRUTH


async def _tamper(stage: Stage, teller: Teller) -> Caught:
    """Lets the takers trade once more into a batch that is held back, posts a forgery of it, and
    audits.
    """
    host = stage.host
    with teller.step("tampering") as step:
        await _confirmed(stage)
        host.settler.hold()
        await _one_more_trade(stage)
        await host.exchange.submit(CutBatch)
        number = host.exchange.state.batches_cut
        honest = decode_batch(host.exchange.read_model.batches[number])
        if not isinstance(honest, Batch):
            raise DemoFailed("the last batch cannot be read")
        caught = await asyncio.to_thread(
            post_a_lie,
            stage.chain,
            member_key(0),
            Home(stage.directory),
            _fresh_ledger(stage),
            honest,
        )
        host.settler.release()
        if caught is None:
            raise DemoFailed("the last batch has no fill to forge")
        step.say(
            f"batch {caught.batch} posted with one tick more in record {caught.record}:"
            f" {'caught' if caught.is_caught else 'NOT CAUGHT'}, {_named(caught.report)}"
        )
        return caught


async def _one_more_trade(stage: Stage) -> None:
    """Two takers meet, so that the held batch has a fill."""
    cast = Cast()
    first, second = (stage.members[name] for name, _ in cast.takers[:2])
    url, clock = stage.host.rpc.url, stage.clock_s
    async with (
        Client(url, first.wallet, first.account, clock=clock) as seller,
        Client(url, second.wallet, second.account, clock=clock) as buyer,
    ):
        symbol = "BTC-27MAR26-100000-C"
        book = await buyer.book(symbol, 1)
        if book["asks"]:
            await buyer.place(symbol, "buy", book["asks"][0]["price"], "0.01", time_in_force="IOC")
            return
        await seller.place(symbol, "sell", "3900", "0.01")
        await buyer.place(symbol, "buy", "3900", "0.01", time_in_force="IOC")


def _fresh_ledger(stage: Stage) -> Ledger:
    """A ledger at this exchange's genesis."""
    state = stage.host.exchange.state
    schedule = state.portfolio.schedule
    body = genesis_body(
        state.chain_id, state.settlement, state.operator, schedule, SCAN_WIDTH_PERCENT
    )
    return Ledger(body, schedule)


def _named(report: AuditReport) -> str:
    return f"audit names batch {report.batch}, record {report.record}, account {report.account}"


async def _confirmed(stage: Stage) -> None:
    """Waits until every batch is on chain."""
    state = stage.host.exchange.state
    async with asyncio.timeout(WAIT_S):
        while state.batches_confirmed < state.batches_cut:
            await asyncio.sleep(0.05)


async def _audit(stage: Stage, teller: Teller) -> AuditReport:
    with teller.step("audit") as step:
        await _confirmed(stage)
        report = await asyncio.to_thread(audit_home, stage.chain, Home(stage.directory))
        step.say(
            f"{report.verdict}: {report.signatures:,} signatures, {report.batches} batches checked"
            + (f"; {report.reason}" if report.reason else "")
        )
        return report


def _summarise(
    stage: Stage,
    tally: Tally,
    traded: _Traded,
    withdrawn: str,
    caught: Caught,
    report: AuditReport,
    begun: float,
) -> Summary:
    host, state = stage.host, stage.host.exchange.state
    if state.batches_confirmed < MIN_BATCHES:
        raise DemoFailed(f"only {state.batches_confirmed} batches settled; let it run longer")
    per_fill, total = gas_per_fill(host.settler, tally)
    return Summary(
        orders=tally.orders,
        fills=tally.fills,
        combo_trades=tally.combo_trades,
        combo_trades_against_legs=tally.implied,
        cancels=tally.cancels,
        rejects=sum(tally.rejects.values()),
        rejects_by_reason=dict(tally.rejects),
        margin_reject=traded.margin_reject,
        liquidation=traded.liquidated,
        orders_by_strategy=dict(sorted(traded.sent.items())),
        batches=state.batches_confirmed,
        state_root="0x" + host.exchange.status().state_root.hex(),
        gas_per_fill=per_fill,
        gas_total=total,
        audit=report.verdict,
        audit_report=report,
        tampered_batch_caught=caught.is_caught,
        tampered=_named(caught.report) + f" ({caught.report.reason})",
        withdrawn_usdc=withdrawn,
        chain=stage.devnet.url,
        settlement=host.site.settlement,
        vault=host.site.vault,
        token=host.site.token,
        websocket=host.rpc.url,
        fix=f"127.0.0.1:{host.fix_port}",
        data=str(stage.directory),
        seconds=round(time.monotonic() - begun, 1),
    )


async def _serve_on(stage: Stage, summary: Summary, teller: Teller) -> None:
    """Keeps the exchange open, its marks fresh, until it is interrupted."""
    teller.note(
        f"\nServing. Audit it from another terminal:\n"
        f"  {audit_command(summary)}\nCtrl-C stops everything."
    )
    with suppress(asyncio.CancelledError):
        await _move_marks(stage, float("inf"), PATH[-1])
