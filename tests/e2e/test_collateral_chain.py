"""Collateral from the Vault to the margin and back: an ether-like token of 18 decimals."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange import commands as c
from exchange.audit import audit_published
from exchange.client import Refused
from exchange.devnet import Devnet
from exchange.home import Home
from exchange.host import Host
from exchange.invariants import check
from exchange.journal import read_journal
from exchange.operator_door import OperatorDoor, say
from exchange.operator_words import Collateral
from matching.rejects import COLLATERAL_NOT_FREE
from scripts.build_contracts import Artifact
from settlement.node import Reverted
from tests.floor import ETH_INDEX, START_S
from tests.local_chain import Deployed
from tests.staged import MEMBERS, OPERATOR, client, cut, running, settled, staged, until

pytest_plugins = ("tests.contracts_build",)
pytestmark = pytest.mark.usefixtures("anvil_path")
ETH = 1
ETHER = 10**6
UNIT = 10**12


@pytest.fixture(scope="module")
def devnet(anvil_path: Path) -> Iterator[Devnet]:
    del anvil_path
    with Devnet(start_time_s=START_S) as chain:
        yield chain


async def listed(host: Host, token: Deployed) -> None:
    """The token is asset 1 in the Vault and, with an index, in the engine."""
    await asyncio.to_thread(host.chain.list_asset, OPERATOR.key, ETH, token.address)
    submit = host.exchange.submit
    name = b"ETH".ljust(8, b"\0")
    await submit(lambda now, _: c.ListUnderlying(now, 1, name, 10**7))
    await submit(lambda now, _: c.UpdateMarks(now, 1, ETH_INDEX, ()))
    terms = (18, 1, 1, 2_000, 1_500, 10**10, 500)
    await submit(lambda now, _: c.ListAsset(now, ETH, name, *terms))


async def test_ether_is_deposited_counted_withdrawn_and_claimed(
    devnet: Devnet, tmp_path: Path, compiled_contracts: dict[str, Artifact]
) -> None:
    home: Home = staged(tmp_path / "home", devnet)
    member = MEMBERS[0]
    async with running(home) as host:
        token = Deployed(host.chain.node, compiled_contracts["EighteenDecimals"])
        await listed(host, token)
        await asyncio.to_thread(token.send, member.key, "mint", member.address, 7 * ETHER * UNIT)
        deposit = (host.chain.open_and_deposit, member.key, 5 * ETHER, ETH)
        account = (await asyncio.to_thread(*deposit)).account
        accounts = host.exchange.state.accounts
        await until(lambda: account in accounts and accounts[account].collateral)

        async with client(host, account) as trader:
            (asset,) = await trader.call("public/assets")
            assert (asset["name"], asset["decimals"], asset["underlying"]) == ("ETH", 18, "ETH")
            margin = await trader.margin()
            (held,) = margin["collateral"]
            assert (held["balance"], held["free"]) == ("5", "5")
            worth = 5 * 10 * ETH_INDEX * 85 // 100  # ten lots to the ether, 15% left out
            assert float(margin["equity"]) == float(held["worth"]) == worth / 10**6
            assert margin["cash"] == "0"
            with pytest.raises(Refused) as refused:
                await trader.withdraw("5.000001", ETH)
            assert refused.value.code == COLLATERAL_NOT_FREE
            assert refused.value.data["allowed"] == str(5 * ETHER)

            await trader.withdraw("3.25", ETH)
            await cut(host)
            await settled(host)
            (view,) = await trader.withdrawals()
            assert (view["asset"], view["amount"]) == (ETH, "3.25")
            siblings = [bytes.fromhex(one[2:]) for one in view["siblings"]]
            leaf = (view["batch"], view["number"], account, member.address, ETH, 3_250_000)
            as_dollars = (*leaf[:4], 0, leaf[5], siblings)
            with pytest.raises(Reverted, match="WrongWithdrawalProof"):
                await asyncio.to_thread(host.chain.claim, member.key, *as_dollars)
            await asyncio.to_thread(host.chain.claim, member.key, *leaf, siblings)
            assert token.call("balanceOf", member.address) == (2 * ETHER + 3_250_000) * UNIT
            assert token.call("balanceOf", host.chain.vault) == 1_750_000 * UNIT
            await until(lambda: host.exchange.read_model.claimed)
            (held,) = (await trader.margin())["collateral"]
            assert held["balance"] == "1.75"
        assert check(host.exchange.state) == []
        report = await asyncio.to_thread(
            audit_published, host.chain, lambda: read_journal(home.journal)
        )
        assert report.verdict + report.reason == "pass"


async def test_the_operator_lists_a_token_in_the_vault_and_as_margin_by_one_word(
    devnet: Devnet, tmp_path: Path, compiled_contracts: dict[str, Artifact]
) -> None:
    home: Home = staged(tmp_path / "home", devnet)
    async with running(home) as host, OperatorDoor(host.exchange, host.settler, home.directory):
        token, other = (
            Deployed(host.chain.node, compiled_contracts["EighteenDecimals"]) for _ in range(2)
        )
        name = b"ETH".ljust(8, b"\0")
        await host.exchange.submit(lambda now, _: c.ListUnderlying(now, 1, name, 10**7))

        async def said(asset: int, address: bytes = b"", initial: str = "20") -> str:
            terms = (initial, "15", "10000", "5", "0x" + address.hex() if address else "")
            word = Collateral(asset, "ETH", "ETH", *terms)
            return (await asyncio.to_thread(say, home.directory, word)).wrong

        assert "no asset 1: its last is 0; with its token, 1 is the next" in await said(ETH)
        assert "no asset 2" in await said(2, token.address)
        assert "no percentage" in await said(ETH, token.address, "much")
        assert host.chain.asset_count() == 1
        assert await said(ETH, token.address) == ""
        assert host.chain.token(ETH) == token.address
        found = host.exchange.state.portfolio.collateral.assets[ETH]
        assert (found.name, found.decimals, found.initial_haircut_e4) == ("ETH", 18, 2_000)
        assert "another token" in await said(ETH, other.address)
        assert await said(ETH, initial="25") == "", "its terms are set anew"
        await cut(host)
        await settled(host)
