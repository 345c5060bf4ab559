"""What an operator does: deploy a new exchange, serve it, start a demo's chain again.

Holds: what cannot be done is an OperatingError with the remedy.
Never: prints a key.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from exchange.auditing import CHAIN_STATE
from exchange.commands import AdvanceTime, Command
from exchange.devnet import AnvilMissing, Devnet, DevnetFailed
from exchange.founding import ListingRefused, found, open_journal
from exchange.gateway_fix.server import FixDoorError
from exchange.home import Home, HomeError, Site
from exchange.host import Host, Ports
from exchange.journal import JournalError
from exchange.keeping import Keeper
from exchange.listing_config import BadListing, check_lots, load_rules
from exchange.listing_rules import BTC_RULE, UnderlyingRule
from exchange.operator_door import DoorClosed, OperatorDoor
from exchange.oracle.feeding import (
    FEEDS,
    OFF,
    SYNTHETIC,
    Feeding,
    disarm,
    feed_of,
    reporters_from,
)
from exchange.sequencer import SequencerStopped
from exchange.service import Exchange, JournalUnreadable
from exchange.snapshot_chain import NANOSECONDS, listing_commands
from exchange.state import State
from exchange.stated_markets import dynamics_of, stated_marks, unmarked
from settlement.node import ChainUnavailable, Reverted, address_of

MARKS_EVERY_S = 5.0


class OperatingError(Exception):
    """It could not be done; the text says why and what would help."""


def deploy_exchange(rpc: str, data: Path, operator_key: Path, token: str | None) -> Site:
    """Deploys and writes the directory. Raises OperatingError."""
    try:
        key = bytes.fromhex(operator_key.read_text().strip().removeprefix("0x"))
        erc20 = bytes.fromhex(token.removeprefix("0x")) if token else None
    except (OSError, ValueError) as error:
        raise OperatingError(f"key or token cannot be read: {error}") from None
    if len(key) != 32 or (erc20 is not None and len(erc20) != 20):
        raise OperatingError("a private key has 64 hexadecimal digits, an address 40")
    try:
        return found(Home(data), rpc, key, token=erc20)
    except (ChainUnavailable, Reverted, HomeError) as error:
        raise OperatingError(str(error)) from None


class FeedChoice(NamedTuple):
    """What marks a served exchange: a feed by its name with so many reporters, the last word on the
    oracles of an earlier run where it is `feeding.OFF`, or, without a name, whatever they were.
    """

    name: str | None = None
    reporters: int = 3
    seed: int = 1

    @property
    def quorum(self) -> int:
        """The majority."""
        return self.reporters // 2 + 1


NO_FEED = FeedChoice()


async def serve_exchange(
    data: Path, rpc_port: int, fix_port: int, feed: FeedChoice = NO_FEED
) -> None:
    """Runs until it is interrupted. Raises OperatingError."""
    if feed.name not in (None, OFF, *FEEDS):
        raise OperatingError(f"no feed {feed.name!r}; there are {', '.join((*FEEDS, OFF))}")
    home = Home(data)
    try:
        rules = load_rules(home.listing())
        host = Host(home, Ports(rpc_port, fix_port))
        check_lots(rules, [(u.name, u.lot_e8) for u in host.exchange.state.underlyings])
    except (BadListing, OSError) as error:
        raise OperatingError(str(error)) from None
    except (HomeError, JournalError, JournalUnreadable) as error:
        raise OperatingError(str(error)) from None
    sys.stderr.write(f"replayed {host.exchange.state.sequence:,} commands\n")
    sequencer = host.exchange.sequencer
    try:
        async with host:
            await _serve(host, data, home.operator_key(), rules, feed)
    except (JournalError, SequencerStopped) as error:
        raise OperatingError(
            f"the exchange stopped itself: {sequencer.failure or error}"
        ) from error


async def _serve(
    host: Host,
    directory: Path,
    operator_key: bytes,
    rules: Sequence[UnderlyingRule],
    feed: FeedChoice,
) -> None:
    """From the first command to the signal that ends it."""
    keeper = Keeper(host.exchange, rules)
    try:
        listing = partial(first_listing, host.exchange.state, rules)
        await open_journal(host.exchange, host.site, address_of(operator_key), listing)
        await keeper.list_due(host.site.clock()())
        await host.open_doors()
    except ListingRefused as error:
        raise OperatingError(f"the journal cannot begin: {error}") from None
    except (OSError, FixDoorError) as error:
        raise OperatingError(f"a door cannot open: {error}; choose another port") from None
    sys.stderr.write(
        f"WebSocket {host.rpc.url}, FIX 127.0.0.1:{host.fix_port}, chain {host.site.rpc}\n"
    )
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    feeding = await _begin_feed(host, operator_key, keeper, feed)
    try:
        async with OperatorDoor(host.exchange, host.settler, directory):
            await _until_stopped(host, stopped, keeper, feeding)
    except DoorClosed as error:
        raise OperatingError(str(error)) from None


def first_listing(state: State, rules: Sequence[UnderlyingRule], time_ns: int) -> Iterator[Command]:
    """What a journal begins with: the chain that ships, where BTC is listed as it is in it. All
    else is for the keeper.
    """
    names = [underlying.name for underlying in state.underlyings[:1]]
    if BTC_RULE in rules and names in ([], [BTC_RULE.name]):
        yield from listing_commands(time_ns)


async def _begin_feed(
    host: Host, operator_key: bytes, keeper: Keeper, feed: FeedChoice
) -> Feeding | None:
    """Arms or disarms the oracles as it was chosen."""
    exchange, clock = host.exchange, host.site.clock()
    if feed.name is None:
        return None
    await _mark(exchange, keeper.rules)  # a market to begin from
    await keeper.list_due(clock())
    if feed.name == OFF:
        await disarm(exchange)
        return None
    dynamics = [found for rule in keeper.rules if (found := dynamics_of(rule)) is not None]
    if feed.name == SYNTHETIC and not dynamics:
        raise OperatingError("the listing file states no index for a synthetic feed to begin at")
    found = feed_of(feed.name, exchange.state, int(MARKS_EVERY_S), feed.seed, dynamics)
    reporters = reporters_from(operator_key, feed.reporters)
    feeding = Feeding(exchange, found, reporters, feed.quorum, clock)
    await feeding.arm()
    sys.stderr.write(f"feed {feed.name}: {feed.reporters} reporters, {feed.quorum} make a quorum\n")
    missing = [u.name for u in exchange.state.underlyings if u.name not in feeding.shown]
    if missing:
        sys.stderr.write(f"feed {feed.name} shows nothing of {', '.join(missing)}\n")
    return feeding


async def _until_stopped(
    host: Host, stopped: asyncio.Event, keeper: Keeper, feeding: Feeding | None
) -> None:
    """Keeps the marks fresh and the chain listed until a signal; raises SequencerStopped where the
    sequencer fails.
    """
    failed = asyncio.create_task(host.exchange.sequencer.failed.wait())
    asked = asyncio.create_task(stopped.wait())
    try:
        while not asked.done() and not failed.done():
            await _refresh(host, keeper, feeding)
            await asyncio.wait(
                (asked, failed), timeout=MARKS_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
        if failed.done():
            raise SequencerStopped(host.exchange.sequencer.failure)
    finally:
        asked.cancel()
        failed.cancel()


async def _refresh(host: Host, keeper: Keeper, feeding: Feeding | None) -> None:
    """Settles the expiries whose time has come, marks the others, and lists what is due."""
    now_ns = host.site.clock()()
    await keeper.settle_expired(now_ns // NANOSECONDS)
    await _remark(host.exchange, keeper.rules, feeding)
    if await keeper.list_due(now_ns):
        await _remark(host.exchange, keeper.rules, feeding)


async def _remark(
    exchange: Exchange, rules: Sequence[UnderlyingRule], feeding: Feeding | None
) -> None:
    """Marks by the feed, and what no oracle marks by the market that its rule states."""
    if feeding is not None:
        await feeding.step()
    if not await _mark(exchange, rules) and feeding is None:
        await exchange.submit(lambda time_ns, _: AdvanceTime(time_ns))  # so that silence is seen


async def _mark(exchange: Exchange, rules: Sequence[UnderlyingRule]) -> int:
    """The operator's own marks; of how many underlyings."""
    state = exchange.state
    waiting = list(unmarked(state, rules))
    for number, rule in waiting:
        await exchange.submit(
            lambda time_ns, _, number=number, rule=rule: stated_marks(state, number, rule, time_ns)
        )
    return len(waiting)


def serve_chain(data: Path) -> None:
    """Starts a demo's chain on its old port, at the exchange's time, until interrupted. Raises
    OperatingError.
    """
    try:
        site = Home(data).site()
        state = data / CHAIN_STATE
        if not state.exists():
            raise OperatingError(f"{data} holds no chain that a demo left")
        now_s = site.clock()() // NANOSECONDS
        port = urlsplit(site.rpc).port or 0
        with Devnet(state_file=state, port=port, start_time_s=now_s) as devnet:
            sys.stderr.write(f"chain on {devnet.url}; Ctrl-C stops it\n")
            signal.pause()
    except (HomeError, AnvilMissing, DevnetFailed) as error:
        raise OperatingError(str(error)) from None
