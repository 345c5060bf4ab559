"""A small exchange on a real chain, whole: contracts, journal, both doors, settlement. For tests
that begin where a member does, at the Vault.

Holds: the exchange's clock runs from START_S, and so does its chain's; member n's account is n.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from exchange import commands as c
from exchange.client import Client
from exchange.commands import Command
from exchange.devnet import DevAccount, Devnet, accounts
from exchange.founding import found, open_journal
from exchange.home import Home, Site
from exchange.host import Host
from exchange.settler import SettlementPace
from exchange.wallet import SigningDomain, Wallet
from settlement.chain import Chain, mint_mock_usdc
from settlement.node import Node
from tests.floor import BTC_INDEX, LISTINGS, MARCH, NS, SMILE, START_S

OPERATOR, *MEMBERS = accounts()[:4]
USDC: Final = 10**6
SYMBOL: Final = "BTC-27MAR26-90000-C"
OTHER: Final = "BTC-27MAR26-100000-C"
DEPOSIT: Final = 50_000 * USDC
PATIENCE_S: Final = 30.0
PACE: Final = SettlementPace(batch_seconds=3_600.0, poll_seconds=0.02)
"""Batches only when a test cuts one."""


def listing(_: int) -> Iterator[Command]:
    """One underlying, one expiry, six instruments."""
    yield c.ListUnderlying(0, 0, b"BTC".ljust(8, b"\0"), 1_000_000)
    yield c.ListExpiry(0, 0, 0, MARCH)
    for number, listed in enumerate(LISTINGS[:6]):
        yield c.ListInstrument(0, number, *listed)


def marks(time_ns: int, _: bytes = b"") -> Command:
    return c.UpdateMarks(time_ns, 0, BTC_INDEX, ((0, BTC_INDEX * 101 // 100, *SMILE),))


def staged(directory: Path, devnet: Devnet, fix_sessions: tuple[str, ...] = ("MAKER",)) -> Home:
    """Founds an exchange in `directory`; its clock starts at START_S."""
    home = Home(directory)
    offset_ns = START_S * NS - time.time_ns()
    found(home, devnet.url, OPERATOR.key, clock_offset_ns=offset_ns, fix_sessions=fix_sessions)
    return home


@asynccontextmanager
async def running(home: Home, pace: SettlementPace = PACE) -> AsyncGenerator[Host]:
    """The exchange, its doors open and its instruments marked."""
    async with Host(home, pace=pace) as host:
        await open_journal(host.exchange, host.site, OPERATOR.address, listing)
        await host.exchange.submit(marks)
        await host.open_doors()
        yield host


def deposit(site: Site, member: DevAccount, amount: int = DEPOSIT) -> int:
    """Mints, approves, opens an account and deposits; the account's number."""
    chain = Chain(Node(site.rpc), site.settlement_address)
    mint_mock_usdc(chain.node, member.key, bytes.fromhex(site.token[2:]), member.address, amount)
    return chain.open_and_deposit(member.key, amount).account


async def until(what: Callable[[], object]) -> None:
    """Waits until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not what():
            await asyncio.sleep(0.01)


async def funded(host: Host, *members: DevAccount) -> None:
    """Each member's account, credited."""
    state = host.exchange.state
    for member in members or MEMBERS:
        number = await asyncio.to_thread(deposit, host.site, member)
        await until(lambda number=number: number in state.accounts and cash(host, number))


def cash(host: Host, account: int) -> int:
    return host.exchange.state.accounts[account].cash_micro


def client(host: Host, account: int, wallet: Wallet | None = None) -> Client:
    clock = host.site.clock()
    return Client(
        host.rpc.url, wallet or Wallet(MEMBERS[account].key), account, clock=lambda: clock() / NS
    )


def domain(host: Host) -> SigningDomain:
    return SigningDomain(host.site.chain_id, host.site.settlement_address)


async def cut(host: Host) -> int:
    """Closes the open batch; its number."""
    await host.exchange.submit(c.CutBatch)
    return host.exchange.state.batches_cut


async def settled(host: Host) -> None:
    """Waits until every batch is confirmed."""
    state = host.exchange.state
    await until(lambda: state.batches_confirmed == state.batches_cut)
