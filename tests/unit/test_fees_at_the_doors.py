"""Fees, levels and funding as traders see them."""

from typing import Any

from exchange import events as e
from exchange.events import Event
from exchange.gateway_fix import tags
from exchange.gateway_fix.reports import fee_fields
from exchange.gateway_rpc.channels import Channels
from exchange.gateway_rpc.failures import Failure
from exchange.gateway_rpc.market_views import MarketViews
from exchange.gateway_rpc.views import Catalogue
from exchange.wallet import Wallet
from tests.unit.small_venue import START_NS, SYMBOLS, SmallVenue
from tests.unit.test_market_channels import Reader


def tell(venue: SmallVenue, *happened: Event, after_s: int = 0) -> None:
    """Events of one command."""
    venue.sequence += 1
    time_ns = START_NS + after_s * 10**9
    venue.market_data.take(venue.sequence, time_ns, happened)
    for listener in venue.listeners:
        listener(venue.sequence, time_ns, happened)


def of(reader: Reader, channel: str) -> list[dict[str, Any]]:
    return [params["data"] for params in reader.got if params["channel"] == channel]


def test_a_rebate_is_a_commission_below_zero() -> None:
    assert fee_fields(-514_253) == [(tags.COMMISSION, "-0.514253"), (tags.COMM_TYPE, "3")]


def test_a_ticker_shows_rate_premium_and_what_a_unit_paid() -> None:
    venue, reader = SmallVenue([Wallet(b"\x01" * 32)]), Reader()
    channels = Channels(venue, Catalogue(venue), 0.01)
    channels.start()
    name = f"ticker.{SYMBOLS[0]}"
    opened = channels.subscribe(reader, [name])
    assert not isinstance(opened, Failure)
    assert opened[0]["data"]["funding"] is None
    armed = e.FundingSet(0, 5_000, 500, 28_800, 10, 60)
    sampled = e.FundingSampled(0, 955_861_600, 957_000_000, 0, 1_190_967, 690_967)
    tell(venue, armed, sampled)
    tell(venue, e.FundingAccrued(0, 82_558, -82_558), after_s=3_600)
    tell(venue, e.FundingAccrued(0, -8, -82_550), after_s=28_800)
    shown = [ticker["funding"] for ticker in of(reader, name)]
    assert [(one["paid"], one["lastPaid"], one["paidInAll"]) for one in shown] == [
        ("0", "0", "0"),
        ("8.2558", "0", "8.2558"),  # of a bitcoin: a lot is a hundredth
        ("-0.0008", "8.2558", "8.255"),
    ]
    assert {(one["rate"], one["premium"], one["periodSeconds"]) for one in shown} == {
        ("0.000690967", "0.001190967", 28_800)
    }


def test_funding_that_was_disarmed_shows_no_rate_and_what_it_paid_in_all() -> None:
    venue = SmallVenue([Wallet(b"\x01" * 32)])
    views = MarketViews(venue, Catalogue(venue))
    sampled = e.FundingSampled(0, 955_861_600, 957_000_000, 0, 1_190_967, 690_967)
    tell(venue, e.FundingSet(0, 5_000, 500, 3_600, 10, 60), sampled)
    tell(venue, e.FundingAccrued(0, 100, -100), after_s=60)
    tell(venue, e.FundingSet(0, 0, 0, 0, 0, 0), after_s=120)
    tell(venue, e.FundingAccrued(0, 11, -111), after_s=180)  # the operator's
    assert views.ticker(((0, 1),))["funding"] == {
        "rate": "0",
        "premium": "0",
        "periodSeconds": 0,
        "paid": "0.0011",
        "lastPaid": "0",
        "paidInAll": "0.0111",
    }
    assert views.ticker(((0, 1), (1, -1)))["funding"] is None


def test_states_warn_of_the_level_and_the_rate_that_makers_pay() -> None:
    venue, reader = SmallVenue([Wallet(b"\x01" * 32)]), Reader()
    channels = Channels(venue, Catalogue(venue), 0.01)
    channels.start()
    assert not isinstance(channels.subscribe(reader, ["states"]), Failure)
    tell(venue, e.FeeLevelSet(0, 3, -50))
    tell(venue, e.FeeLevelSet(0, 0, 100))
    warnings = [states["warnings"] for states in of(reader, "states")]
    assert warnings == [[{"underlying": 0, "level": 3, "makerE6": -50}], []]
