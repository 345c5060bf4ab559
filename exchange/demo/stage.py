"""The stage: Anvil, the contracts, the exchange, and members with accounts and money.

Holds: everything is real but the money: tokens are minted, approved, deposited through the
Vault, seen on chain and credited by the exchange.
Never: credits anybody by another way.
"""

import asyncio
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from eth_account import Account

from exchange.demo.telling import Teller
from exchange.devnet import MNEMONIC, Devnet
from exchange.founding import Terms, found, open_journal
from exchange.home import Home
from exchange.host import Host, Ports
from exchange.settler import SettlementPace
from exchange.snapshot_chain import NANOSECONDS, listing_commands, marks_at, snapshot
from exchange.wallet import Wallet
from settlement.chain import Chain, mint_mock_usdc
from settlement.node import address_of

MICRO: Final = 10**6
CREDIT_TIMEOUT_S: Final = 30.0
CHAIN_STATE: Final = "chain.json"
"""Where Anvil leaves its chain, in the demo's directory."""


class Member(NamedTuple):
    """Somebody with a wallet and an account. `deposit_usdc` is what it brought."""

    name: str
    key: bytes
    wallet: Wallet
    account: int
    deposit_usdc: int


class Cast(NamedTuple):
    """Who plays: name and deposit in USDC of each, the operator aside."""

    makers: tuple[tuple[str, int], ...] = (
        ("maker-1", 200_000_000),
        ("maker-2", 200_000_000),
        ("maker-3", 200_000_000),
    )
    takers: tuple[tuple[str, int], ...] = (
        ("taker-1", 500_000),
        ("taker-2", 500_000),
        ("taker-3", 500_000),
        ("taker-4", 500_000),
    )
    poor: tuple[str, int] = ("newcomer", 250)
    seller: tuple[str, int] = ("seller", 14_000)


class Stage:
    """Everything that a demo plays on."""

    def __init__(
        self, directory: Path, devnet: Devnet, host: Host, members: dict[str, Member]
    ) -> None:
        self.directory = directory
        self.devnet = devnet
        self.host = host
        self.members = members

    @property
    def chain(self) -> Chain:
        return self.host.chain

    def clock_s(self) -> float:
        """The exchange's time, Unix seconds."""
        return self.host.site.clock()() / NANOSECONDS


def member_key(number: int) -> bytes:
    """Private key of Anvil's account `number`, which has test ether."""
    derive: Any = Account
    derive.enable_unaudited_hdwallet_features()
    return bytes(derive.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}").key)


def begin(
    directory: Path, teller: Teller, ports: Ports, pace: SettlementPace
) -> tuple[Devnet, Host]:
    """Starts the chain at the snapshot's moment, deploys, and opens the exchange's journal."""
    directory.mkdir(parents=True)
    with teller.step("chain") as step:
        start_s = snapshot().time_s
        devnet = Devnet(start_time_s=start_s, state_file=directory / CHAIN_STATE)
        step.say(f"Anvil on {devnet.url}, at the snapshot's time {_utc(start_s)}")
    try:
        with teller.step("contracts") as step:
            home = Home(directory)
            site = found(
                home,
                devnet.url,
                member_key(0),
                terms=Terms(),
                clock_offset_ns=start_s * NANOSECONDS - time.time_ns(),
            )
            step.say(f"Settlement {site.settlement}, Vault {site.vault}, test USDC {site.token}")
        return devnet, Host(home, ports, pace)
    except BaseException:
        devnet.stop()
        raise


def _utc(time_s: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time_s))


async def open_exchange(host: Host, teller: Teller) -> None:
    """Genesis, listings, first marks, open doors."""
    with teller.step("exchange") as step:
        operator = address_of(member_key(0))
        await open_journal(host.exchange, host.site, operator, listing_commands)
        await host.exchange.submit(lambda time_ns, _: marks_at(time_ns))
        await host.open_doors()
        listed = len(host.exchange.state.instruments)
        index = snapshot().index_usd
        step.say(
            f"{listed} BTC options on {len(snapshot().expiries)} expiries, index {index:,.2f};"
            f" WebSocket {host.rpc.url}, FIX 127.0.0.1:{host.fix_port}"
        )


async def fund(host: Host, teller: Teller, cast: Cast) -> dict[str, Member]:
    """Mints, approves and deposits for each member, and waits until the exchange has seen it
    all.
    """
    with teller.step("members") as step:
        wanted = [*cast.makers, *cast.takers, cast.poor, cast.seller]
        token = bytes.fromhex(host.site.token[2:])
        members = await asyncio.to_thread(_deposit_all, host.chain, token, wanted)
        async with asyncio.timeout(CREDIT_TIMEOUT_S):
            accounts = host.exchange.state.accounts
            while any(
                member.account not in accounts or not accounts[member.account].cash_micro
                for member in members.values()
            ):
                await asyncio.sleep(0.05)
        total = sum(member.deposit_usdc for member in members.values())
        step.say(f"{len(members)} accounts deposited {total:,} USDC through the Vault")
        return members


def _deposit_all(chain: Chain, token: bytes, wanted: list[tuple[str, int]]) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for number, (name, usdc) in enumerate(wanted, start=1):
        key = member_key(number)
        mint_mock_usdc(chain.node, key, token, address_of(key), usdc * MICRO)
        entry = chain.open_and_deposit(key, usdc * MICRO)
        members[name] = Member(name, key, Wallet(key), entry.account, usdc)
    return members
