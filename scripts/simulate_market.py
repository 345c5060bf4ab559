"""Lives a whole market from a seed and tells what clearing did: solvency shown, not claimed.

    make simulate ARGS="--hours 24 --seed 7"
    make simulate ARGS="--path abyss --bids -1 --fund 0"   # nobody bids; the fund is empty

Makers, takers, sellers who sell too much, hedgers, owners of ether and bidders trade through the
engine; after every command the promises of docs/liquidation.md are computed again from positions
and marks (tests/simulation/promises.py), and at the end an auditor replays what was published.
Exits with 1 where a promise was not kept.
"""

import argparse
import sys
from collections.abc import Iterator

from exchange.compiled import choose

choose()  # before anything of the core is imported

from tests.simulation.market import Market, Terms  # noqa: E402
from tests.simulation.paths import NAMES, STORM  # noqa: E402
from tests.simulation.promises import Broken  # noqa: E402

MICRO = 10**6
STEP_S = 10


def main() -> int:
    """Lives, tells, and says whether everything held."""
    terms = _asked()
    market = Market(terms)
    broken = ""
    try:
        market.run()
    except Broken as found:
        broken = str(found)
    for name, value in summary(market):
        print(f"{name:<44}{value:>20}")
    if broken:
        print(f"\na promise was not kept: {broken}")
        return 1
    report = market.floor.audited()
    print(f"{'audit of what was published':<44}{report.verdict:>20}")
    print(f"{'digest of the state':<44}{market.floor.digest().hex()[:16]:>20}")
    if report.verdict != "pass":
        print(f"\n{report.reason}")
    return int(report.verdict != "pass")


def _asked() -> Terms:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--hours", type=float, default=2.0, help="of the market's time")
    parser.add_argument("--path", choices=NAMES, default=STORM)
    parser.add_argument(
        "--bids", type=int, default=20, help="seconds bidders wait in an auction; -1: nobody bids"
    )
    parser.add_argument("--fund", type=int, default=5_000, help="USDC in the insurance fund")
    parser.add_argument("--oracle", action="store_true", help="reporters make the marks")
    parser.add_argument("--lossy", action="store_true", help="and too few report at times")
    parser.add_argument("--one-sided", action="store_true", help="takers all believe in a rise")
    asked = parser.parse_args()
    return Terms(
        seed=asked.seed,
        path=asked.path,
        moments=max(int(asked.hours * 3_600) // STEP_S, 2),
        bids=asked.bids,
        fund_micro=asked.fund * MICRO,
        oracle=asked.oracle or asked.lossy,
        lossy=asked.lossy,
        one_sided=asked.one_sided,
        step_s=STEP_S,
    )


def summary(market: Market) -> Iterator[tuple[str, str]]:
    """What happened, in the order in which it gets worse."""
    promises, state = market.promises, market.floor.state
    told = promises.told
    counted = (
        ("commands, every one held against the promises", promises.count),
        ("of which refused", told["CommandRejected"]),
        ("updates of the marks", told["MarksUpdated"]),
        ("fills", told["OrderFilled"]),
        ("expiries settled", told["ExpirySettled"]),
        ("breakers tripped", told["BreakerTripped"]),
        ("losses of the oracle's quorum", told["OracleLost"]),
        ("margin calls", told["MarginCalled"]),
        ("liquidations begun", told["LiquidationStarted"]),
        ("liquidations still under way", len(state.liquidations.of_account)),
        ("steps against the book", told["LiquidationStep"]),
        ("auctions ended", told["AuctionEnded"]),
        ("bids taken", told["AuctionBidTaken"]),
        ("sales of collateral", told["CollateralConverted"]),
        ("payments of the insurance fund", told["InsurancePaid"]),
        ("closings against the other side", told["Deleveraged"]),
        ("stops by the caps of an epoch", told["LossCapped"]),
    )
    yield from ((name, f"{value:,}") for name, value in counted)
    money = (
        ("insurance fund at its highest, USDC", promises.highest_fund_micro),
        ("insurance fund now", state.insurance_cash_micro),
        ("borne by solvent accounts", promises.socialised_micro),
        ("worst that was owed beyond the fund", promises.worst_shortfall_micro),
        ("owed beyond the fund now", promises.shortfall_micro()),
    )
    yield from ((name, f"{value / MICRO:,.2f}") for name, value in money)


if __name__ == "__main__":
    sys.exit(main())
