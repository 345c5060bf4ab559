"""Founding an exchange: its contracts on a chain, its directory, the first commands of its journal.

Holds: the contract is deployed with the root of the same Genesis that the journal begins with.
Never: runs it (`host.py`).
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from exchange.commands import (
    Command,
    Genesis,
    ListAsset,
    ListExpiry,
    ListInstrument,
    ListUnderlying,
    SetBreaker,
    SetLiquidation,
)
from exchange.events import CommandRejected
from exchange.home import Home, Site
from exchange.service import Exchange
from exchange.state import State
from margin.fees import FeeSchedule
from margin.parameters import SCAN_WIDTH_PERCENT
from matching.rejects import Reject
from settlement.chain import deploy, deploy_mock_usdc
from settlement.genesis import genesis_body, genesis_root
from settlement.node import Node, address_of


class ListingRefused(Exception):
    """What was to be listed is not in order; the text says what."""


class Terms(NamedTuple):
    """What an exchange is founded with. Fees in 1e-6 of the index, the cap in 1e-4 of an
    option's premium; times in seconds.
    """

    fees: FeeSchedule = FeeSchedule(
        maker_rate=100,
        taker_rate=300,
        cap=1_250,
        rebate_step=50,
        liquidation_rate=1_000,
        combo_discount=100,
    )
    challenge_window_s: int = 0
    time_tolerance_s: int = 3_600


def found(
    home: Home,
    rpc: str,
    operator_key: bytes,
    *,
    token: bytes | None = None,
    terms: Terms | None = None,
    clock_offset_ns: int = 0,
    fix_sessions: tuple[str, ...] = ("MAKER1", "MAKER2", "MAKER3"),
) -> Site:
    """Deploys the contracts, paid by the operator's key, and writes the directory.

    `token` is the ERC-20 that is asset 0; without one, a test token that anyone can mint is
    deployed. Raises ChainUnavailable, HomeError.
    """
    terms = terms or Terms()
    home.prepare()  # before anything is paid for
    node = Node(rpc)
    operator = address_of(operator_key)
    token = token or deploy_mock_usdc(node, operator_key)
    chain_id = node.chain_id()
    deployment = deploy(
        node,
        operator_key,
        operator=operator,
        genesis_root=lambda settlement: genesis_root(
            genesis_body(chain_id, settlement, operator, terms.fees, SCAN_WIDTH_PERCENT), terms.fees
        ),
        tokens=[token],
        challenge_window_s=terms.challenge_window_s,
        time_tolerance_s=terms.time_tolerance_s,
    )
    site = Site(
        rpc,
        chain_id,
        "0x" + deployment.settlement.hex(),
        "0x" + deployment.vault.hex(),
        "0x" + token.hex(),
        deployment.block,
        clock_offset_ns,
        fix_sessions,
    )
    home.create(site, operator_key)
    return site


async def open_journal(
    exchange: Exchange,
    site: Site,
    operator: bytes,
    listing: Callable[[int], Iterable[Command]],
    terms: Terms | None = None,
) -> None:
    """Writes Genesis and the listings into a journal, as far as they are not there, and arms
    liquidation; does nothing once a batch was cut.

    `listing` gives the commands as of a time. Raises ListingRefused.
    """
    state = exchange.state
    if state.batches_cut:
        return
    if state.ledger is None:
        fees = (terms or Terms()).fees
        await exchange.submit(
            lambda time_ns, _: Genesis(
                time_ns, site.chain_id, site.settlement_address, operator, *fees, SCAN_WIDTH_PERCENT
            )
        )
    for command in listing(exchange.state.time_ns):
        if _is_listed(state, command):
            continue
        applied = await exchange.submit(lambda time_ns, _, command=command: timed(command, time_ns))
        refused = [event for event in applied.events if isinstance(event, CommandRejected)]
        if refused:
            sentence = Reject(refused[0].code, refused[0].got, refused[0].allowed).message
            raise ListingRefused(f"{type(command).__name__}: {sentence}")
    if not state.liquidations.is_armed:
        await exchange.submit(lambda time_ns, _: SetLiquidation(time_ns, 1))


def _is_listed(state: State, command: Command) -> bool:
    """Whether a listing stands in the journal already: numbers are given in order."""
    if isinstance(command, ListUnderlying):
        return command.underlying < len(state.underlyings)
    if isinstance(command, SetBreaker):  # the operator may have disarmed it since
        return bool(state.expiries)
    if isinstance(command, ListAsset):
        return command.asset in state.portfolio.collateral.assets
    if isinstance(command, ListExpiry):
        return command.expiry < len(state.expiries)
    return isinstance(command, ListInstrument) and command.instrument < len(state.instruments)


def timed(command: Command, time_ns: int) -> Command:
    """The same command at the sequencer's time."""
    values = [getattr(command, name) for name in command.__struct_fields__[1:]]
    return type(command)(time_ns, *values)
