"""Snapshots of auctions and the insurance fund for the doors: pure readings.

Holds: prices are as of the last command: its time and its marks.
Never: changes the state.
"""

from collections.abc import Sequence

from exchange.handlers.auctions import offer_of
from exchange.state import State
from exchange.venue import AuctionView, ClearingView
from margin.auction import WHOLE_E6, cost_micro
from margin.estate import estate_of, most_share_e6
from margin.liquidation_parameters import EPOCH_S


def auctions(state: State) -> Sequence[AuctionView]:
    """Everything that is auctioned, by account."""
    views: list[AuctionView] = []
    for number in state.liquidations.numbers():
        liquidation, account = state.liquidations.of_account[number], state.accounts[number]
        if liquidation.auction_ns < 0 or not account.positions:
            continue
        estate = estate_of(state.portfolio, account)
        standing, offer = estate.standing, offer_of(liquidation, estate, state.time_ns)
        since_ns = liquidation.auction_ns
        if offer.is_insolvent:
            since_ns = liquidation.fund_since_ns(liquidation.clock_ns(state.time_ns))
        held = [(n, account.lots_of(n)) for n in sorted(account.positions)]
        views.append(
            AuctionView(
                number,
                offer.is_insolvent,
                since_ns,
                standing.equity_micro,
                standing.worst_micro,
                standing.maintenance_micro,
                offer.discount_e6,
                offer.worth_micro,
                cost_micro(offer, WHOLE_E6, state.insurance_cash_micro),
                most_share_e6(state.portfolio, account, estate, offer),
                tuple((n, state.instruments[n].symbol, lots) for n, lots in held),
            )
        )
    return views


def clearing(state: State) -> ClearingView:
    liquidations = state.liquidations
    epoch = state.time_s // EPOCH_S
    return ClearingView(
        liquidations.is_armed,
        state.insurance_cash_micro,
        epoch,
        (epoch + 1) * EPOCH_S,
        liquidations.lost_all_micro if epoch == liquidations.epoch else 0,
        tuple(liquidations.numbers()),
    )
