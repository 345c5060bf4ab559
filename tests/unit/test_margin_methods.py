"""Margin in every number over JSON-RPC: the methods on a real state, and what they refuse."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from exchange import margin_views, views
from exchange.gateway_rpc.failures import INVALID_PARAMS, Failure
from exchange.gateway_rpc.margin_methods import MarginMethods
from exchange.gateway_rpc.margin_requests import OfPortfolio, OfWhatIf
from exchange.gateway_rpc.requests import OfAccount, decoder
from exchange.gateway_rpc.views import Catalogue
from exchange.margin_reports import LegTrade
from exchange.state_digest import state_hash
from exchange.symbols import parse_cash, resolve_symbol
from margin.scenarios import SCENARIO_COUNT
from matching import rejects
from tests.floor import CALL_90, PERP, Floor, open_floor

CALL_90_SYMBOL = "BTC-27MAR26-90000-C"


class StateVenue:
    """The venue's readings over a floor's state."""

    def __init__(self, floor: Floor) -> None:
        self.state = floor.state

    def instruments(self) -> Any:
        return views.instruments(self.state)

    def resolve(self, symbol: str) -> Any:
        return resolve_symbol(symbol, self.state.symbols)

    def margin_breakdown(self, account: int) -> Any:
        return margin_views.breakdown(self.state, account)

    def liquidation_prices(self, account: int) -> Any:
        return margin_views.fall(self.state, account)

    def what_if(self, account: int, trades: Sequence[LegTrade]) -> Any:
        return margin_views.what_if(self.state, account, trades)

    def what_if_rests(self, account: int, trade: LegTrade) -> Any:
        return margin_views.what_if_rests(self.state, account, trade)

    def portfolio_margin(self, cash_micro: int, positions: Sequence[tuple[int, int]]) -> Any:
        return margin_views.portfolio_margin(self.state, cash_micro, positions)


@pytest.fixture
def floor() -> Floor:
    """Account 0 is short ten calls at 90,000, account 1 long."""
    floor = open_floor(2, 50_000 * 10**6)
    price = floor.near(CALL_90)
    floor.submit(floor.sign(0, 1, price, 10, CALL_90))
    floor.submit(floor.sign(1, 0, price, 10, CALL_90))
    return floor


@pytest.fixture
def methods(floor: Floor) -> MarginMethods:
    venue: Any = StateVenue(floor)
    return MarginMethods(venue, Catalogue(venue))


def micro(text: str) -> int:
    found = parse_cash(text)
    assert found is not None
    return found


def trades(*words: tuple[str, ...]) -> bytes:
    keys = ("symbol", "quantity", "price")
    return msgspec.json.encode([dict(zip(keys, word, strict=False)) for word in words])


def what_if_params(listed: bytes, rests: bool = False, account: int = 0) -> Any:
    flag = b"true" if rests else b"false"
    return decoder(OfWhatIf).decode(
        b'{"account": %d, "trades": %s, "rests": %s}' % (account, listed, flag)
    )


async def test_the_parts_of_a_breakdown_add_up(floor: Floor, methods: MarginMethods) -> None:
    floor.submit(floor.sign(0, 1, floor.near(PERP, 130), 3, PERP))
    found = await methods.breakdown(OfAccount(account=0), None)
    needed = floor.state.portfolio.requirement(floor.account(0))
    assert micro(found["initialMargin"]) == needed.initial_micro
    assert micro(found["maintenanceMargin"]) == needed.maintenance_micro
    assert micro(found["excess"]) == needed.excess_micro
    assert micro(found["equity"]) == needed.equity_micro
    charges = sum(micro(charge) for charge in found["charges"].values())
    assert micro(found["netted"]) + charges + micro(found["rounding"]) == needed.initial_micro
    (scan,) = found["underlyings"]
    assert scan["underlying"] == "BTC"
    assert len(scan["scenarios"]) == SCENARIO_COUNT
    assert scan["scenarios"][55] | {"withOrders": ""} == {
        "movePercent": 0,
        "volatility": "same",
        "isDamped": False,
        "positions": "0",
        "withOrders": "",
    }
    worst = min(micro(row["withOrders"]) for row in scan["scenarios"])
    assert micro(scan["loss"]) == -worst
    assert micro(scan["scenarios"][scan["worstScenario"]]["withOrders"]) == worst
    assert found["positions"] == [
        {
            "symbol": CALL_90_SYMBOL,
            "quantity": "-0.1",
            "mark": found["positions"][0]["mark"],
        }
    ]


async def test_closing_a_hedge_frees_less_than_nothing(
    floor: Floor, methods: MarginMethods
) -> None:
    index = floor.near(PERP)
    floor.submit(floor.sign(1, 1, index, 2, PERP))
    floor.submit(floor.sign(0, 0, index, 2, PERP))
    floor.withdraw(0, 48_000 * 10**6)
    found = await methods.liquidation(OfAccount(account=0), None)
    freed = {row["symbol"]: micro(row["maintenanceMargin"]) for row in found["closing"]}
    assert freed["BTC-PERPETUAL"] < 0 < freed[CALL_90_SYMBOL]
    (distance,) = found["liquidation"]
    assert distance["underlying"] == "BTC"
    assert distance["up"] is not None
    assert float(distance["up"]["movePercent"]) > 0
    assert float(distance["up"]["index"]) > float(distance["index"])


async def test_what_if_says_what_then_happens(floor: Floor, methods: MarginMethods) -> None:
    before = state_hash(floor.state)
    asked = what_if_params(trades((CALL_90_SYMBOL, "0.04", "8000")))
    found = await methods.what_if(asked, None)
    assert state_hash(floor.state) == before
    price = 80_000_000
    floor.submit(floor.sign(1, 1, price, 4, CALL_90))
    floor.submit(floor.sign(0, 0, price, 4, CALL_90))
    needed = floor.state.portfolio.requirement(floor.account(0))
    assert micro(found["after"]["initialMargin"]) == needed.initial_micro
    assert micro(found["after"]["equity"]) == needed.equity_micro
    assert micro(found["fee"]) > 0
    resting = what_if_params(trades((CALL_90_SYMBOL, "-0.04", "20000")), rests=True)
    found = await methods.what_if(resting, None)
    floor.submit(floor.sign(0, 1, 200_000_000, 4, CALL_90))
    needed = floor.state.portfolio.requirement(floor.account(0))
    assert micro(found["after"]["initialMargin"]) == needed.initial_micro


async def test_a_combo_is_taken_at_the_marks_of_its_legs(methods: MarginMethods) -> None:
    spread = "BTC-CS-27MAR26-90000_100000"
    apart = trades((CALL_90_SYMBOL, "0.1"), ("BTC-27MAR26-100000-C", "-0.1"))
    one = await methods.what_if(what_if_params(trades((spread, "0.1"))), None)
    assert one == await methods.what_if(what_if_params(apart), None)
    other = await methods.what_if(what_if_params(trades((spread, "-0.1"))), None)
    assert other["after"] != one["after"]


async def test_a_portfolio_that_nobody_holds(floor: Floor, methods: MarginMethods) -> None:
    params = decoder(OfPortfolio).decode(
        b'{"cash": "5000", "positions": [{"symbol": "%s", "quantity": "-0.1"}]}'
        % CALL_90_SYMBOL.encode()
    )
    found = await methods.portfolio(params, None)
    assert found["account"] is None
    assert found["cash"] == "5000"
    needed = floor.state.portfolio.requirement(floor.account(0))
    assert micro(found["initialMargin"]) == needed.initial_micro
    empty = await methods.portfolio(decoder(OfPortfolio).decode(b'{"cash":"0","positions":[]}'), 0)
    assert (empty["initialMargin"], empty["underlyings"]) == ("0", [])


@pytest.mark.parametrize(
    ("listed", "rests", "code", "path"),
    [
        (trades(("BTC-1JAN99-1-C", "1")), False, rejects.UNKNOWN_INSTRUMENT, "$.trades[0].symbol"),
        (
            trades((CALL_90_SYMBOL, "1"), (CALL_90_SYMBOL, "0.001")),
            False,
            INVALID_PARAMS,
            "$.trades[1].quantity",
        ),
        (trades((CALL_90_SYMBOL, "NaN")), False, INVALID_PARAMS, "$.trades[0].quantity"),
        (trades((CALL_90_SYMBOL, "inf")), False, INVALID_PARAMS, "$.trades[0].quantity"),
        (trades((CALL_90_SYMBOL, "1e3")), False, INVALID_PARAMS, "$.trades[0].quantity"),
        (trades((CALL_90_SYMBOL, "1", "x")), False, INVALID_PARAMS, "$.trades[0].price"),
        (trades((CALL_90_SYMBOL, "999999999")), False, rejects.TOO_MANY_LOTS, None),
        (trades((CALL_90_SYMBOL, "1", "99999999")), False, rejects.PRICE_OUT_OF_RANGE, None),
        (trades((CALL_90_SYMBOL, "1")), True, INVALID_PARAMS, "$.trades"),
        (trades((CALL_90_SYMBOL, "0", "100")), True, rejects.QUANTITY_OUT_OF_RANGE, None),
        (trades((CALL_90_SYMBOL, "1", "0.01")), True, rejects.PRICE_OFF_TICK, None),
        (
            trades(("BTC-CS-27MAR26-90000_100000", "1", "100")),
            False,
            INVALID_PARAMS,
            "$.trades[0].price",
        ),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(
    methods: MarginMethods, listed: bytes, rests: bool, code: int, path: str | None
) -> None:
    answer = await methods.what_if(what_if_params(listed, rests), None)
    assert isinstance(answer, Failure)
    assert answer.code == code, answer
    assert answer.data.get("path") == path


async def test_who_is_not_there_has_no_margin(methods: MarginMethods) -> None:
    nobody = OfAccount(account=7)
    params = what_if_params(trades((CALL_90_SYMBOL, "1")), account=7)
    resting = what_if_params(trades((CALL_90_SYMBOL, "1", "100")), True, account=7)
    for answer in (
        await methods.breakdown(nobody, None),
        await methods.liquidation(nobody, None),
        await methods.what_if(params, None),
        await methods.what_if(resting, None),
    ):
        assert isinstance(answer, Failure)
        assert answer.code == rejects.UNKNOWN_ACCOUNT
    wrong = decoder(OfPortfolio).decode(b'{"cash": "0.0000001", "positions": []}')
    answer = await methods.portfolio(wrong, None)
    assert isinstance(answer, Failure)
    assert answer.data["path"] == "$.cash"
