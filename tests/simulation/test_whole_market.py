"""Whole markets from seeds: what clearing promises holds after every command of them, the auditor
accepts what they publish, and they can be lived again to the last bit.

Holds: together the told markets see all that clearing does; a market that sees less teaches less.
"""

from collections import Counter
from functools import cache

import pytest

from margin.standing import LIQUIDATING
from tests.simulation.agents import USDC
from tests.simulation.market import Market, Terms
from tests.simulation.paths import RECORDED

MOMENTS = 260
"""Ten seconds apart: the first expiry, in auctions that a shock has opened, is the 240th."""

TOLD = {
    "a market without a shock": Terms(1, "calm", 150),
    "half of the index goes at once, nobody bids, the fund is empty": Terms(
        3, "abyss", 140, bids=-1, fund_micro=0, breakers=False, one_sided=True
    ),
    "a crash in which bidders come": Terms(17, "crash", 250, fund_micro=2_000 * USDC),
    "a crash that bidders wait out, and a fund that pays them": Terms(
        17, "abyss", MOMENTS, bids=60, fund_micro=500_000 * USDC
    ),
    "a spike by reports, with all takers on one side": Terms(
        8, "spike", 150, bids=90, fund_micro=0, oracle=True, one_sided=True
    ),
    "a fall and a rise by reports, of which there are too few at times": Terms(
        10, "whipsaw", 160, bids=0, fund_micro=0, oracle=True, lossy=True
    ),
    "a gap over two days without a mark": Terms(
        16, "weekend", MOMENTS, bids=20, fund_micro=50_000 * USDC
    ),
    "the crash of February 2026": Terms(9, RECORDED, 392, bids=30),
}


@cache
def lived(name: str) -> Market:
    return Market(TOLD[name]).run()


@pytest.mark.parametrize("name", TOLD)
def test_every_command_of_a_market_keeps_what_clearing_promises(name: str) -> None:
    market = lived(name)  # a promise that is broken raises
    assert market.promises.count > 300
    assert market.promises.told["OrderFilled"] > 50


def test_the_markets_together_see_all_that_clearing_does() -> None:
    told: Counter[str] = Counter()
    for name in TOLD:
        told += lived(name).promises.told
    for event in (
        "MarginCalled",
        "LiquidationStarted",
        "LiquidationStep",
        "AuctionOpened",
        "AuctionBidTaken",
        "AuctionEnded",
        "InsuranceFunded",
        "InsurancePaid",
        "Deleveraged",
        "LossCapped",
        "LiquidationEnded",
        "CollateralConverted",
        "ExpirySettled",
        "ExpiryHeld",
        "ReportDropped",
        "OracleLost",
        "OracleRecovered",
        "BreakerTripped",
        "FundingAccrued",
        "ComboFilled",
        "OrderTriggered",
        "CashTransferred",
        "PositionTransferred",
    ):
        assert told[event], f"no market has seen {event}"
    assert sum(lived(name).promises.socialised_micro for name in TOLD) > 0


def test_where_nothing_happens_nobody_is_liquidated() -> None:
    market = lived("a market without a shock")
    assert not market.promises.told["LiquidationStarted"]
    assert market.promises.worst_shortfall_micro == 0


def test_what_nobody_pays_is_left_to_accounts_that_are_liquidated() -> None:
    """Whoever is open, or called, owes nothing."""
    for name in TOLD:
        market = lived(name)
        for number, account in market.floor.state.accounts.items():
            if account.status < LIQUIDATING:
                assert market.floor.standing(number).equity_micro >= 0, (name, number)


@pytest.mark.parametrize("name", list(TOLD)[1::3])
def test_an_auditor_accepts_what_a_market_published(name: str) -> None:
    floor = lived(name).floor
    report = floor.audited()
    assert (report.verdict, report.reason) == ("pass", "")
    assert report.commands == len(floor.journal)


@pytest.mark.parametrize("name", list(TOLD)[2::3])
def test_a_market_is_the_same_when_its_journal_is_replayed(name: str) -> None:
    floor = lived(name).floor
    assert floor.replayed_digest() == floor.digest()


def test_a_market_is_the_same_when_it_is_lived_again() -> None:
    name = "a fall and a rise by reports, of which there are too few at times"
    again = Market(TOLD[name]).run().floor
    assert again.journal == lived(name).floor.journal
    assert again.digest() == lived(name).floor.digest()
