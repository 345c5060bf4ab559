"""Margin in every number, in JSON: for the JSON-RPC door and for `straddle margin --json`.

Holds: amounts are exact decimal strings of USDC, prices USDC per unit of the underlying, quantities
units of it; a requirement, a loss and a charge are numbers >= 0; a gain is signed.
Never: a float.
"""

from typing import Any, Final

from exchange.margin_reports import FallReport, HeldPosition, MarginReport, Underlying
from exchange.symbols import cash_text, price_text, quantity_text
from margin.charges import CHARGE_NAMES
from margin.requirement import Requirement, UnderlyingScan
from margin.scenarios import DOWN, FIRST_TAIL, MOVE_PERCENT, SAME, SCENARIO_COUNT, UP, VOL_SHOCK
from margin.what_if import Change
from matching.instruments import decimal_text

Json = dict[str, Any]

MARGIN_MODELS: Final = ("portfolio", "standard")
VOLATILITIES: Final = {UP: "up", SAME: "same", DOWN: "down"}


def change_json(change: Change) -> Json:
    """Margin before and after."""
    return {
        "before": _requirement_json(change.before),
        "after": _requirement_json(change.after),
        "fee": cash_text(change.fee_micro),
    }


def _requirement_json(required: Requirement) -> Json:
    return {
        "equity": cash_text(required.equity_micro),
        "initialMargin": cash_text(required.initial_micro),
        "maintenanceMargin": cash_text(required.maintenance_micro),
        "excess": cash_text(required.excess_micro),
        "worstScenario": required.worst_scenario,
    }


def report_json(report: MarginReport) -> Json:
    """initialMargin = netted + charges + tierCharges + collateralCharge + rounding;
    maintenanceMargin is 80% of positionNetted + positionRounding, rounded up. In the standard model
    `standard` stands for the first three, `positionStandard` for positionNetted.
    """
    found = report.breakdown
    return {
        "account": report.account,
        "cash": cash_text(found.cash_micro),
        "equity": cash_text(found.equity_micro),
        "initialMargin": cash_text(found.initial_micro),
        "maintenanceMargin": cash_text(found.maintenance_micro),
        "excess": cash_text(found.excess_micro),
        "separate": cash_text(found.separate_micro),
        "joint": cash_text(found.joint_micro),
        "netted": cash_text(found.netted_micro),
        "charges": _charges_json(found.charges_micro),
        "model": MARGIN_MODELS[found.model],
        "tier": found.tier,
        "tierCharges": cash_text(found.tier_charges_micro),
        "standard": cash_text(found.standard_micro),
        "positionStandard": cash_text(found.position_standard_micro),
        "stables": cash_text(found.stables_micro),
        "collateralCharge": cash_text(found.collateral_charge_micro),
        "rounding": cash_text(found.rounding_micro),
        "positionSeparate": cash_text(found.position_separate_micro),
        "positionJoint": cash_text(found.position_joint_micro),
        "positionNetted": cash_text(found.position_netted_micro),
        "positionRounding": cash_text(found.position_rounding_micro),
        "positions": [_position_json(position) for position in report.positions],
        "underlyings": [
            _scan_json(scan, underlying)
            for scan, underlying in zip(found.scans, report.underlyings, strict=True)
        ],
    }


def fall_json(report: FallReport) -> Json:
    """What closing frees is negative where the position is a hedge. A move is in percent of the
    index; null: at no move that was looked at.
    """
    return {
        "account": report.account,
        "closing": [
            {
                "symbol": symbol,
                "initialMargin": cash_text(release.initial_micro),
                "maintenanceMargin": cash_text(release.maintenance_micro),
            }
            for symbol, release in zip(report.symbols, report.releases, strict=True)
        ],
        "liquidation": [
            {
                "underlying": underlying.name,
                "index": price_text(distance.index_micro, underlying.lot_e8),
                "down": _move_json(distance.down_e6, distance.down_index_micro, underlying.lot_e8),
                "up": _move_json(distance.up_e6, distance.up_index_micro, underlying.lot_e8),
            }
            for underlying, distance in zip(report.underlyings, report.distances, strict=True)
        ],
    }


def _move_json(move_e6: int | None, index_micro: int | None, lot_e8: int) -> Json | None:
    if move_e6 is None or index_micro is None:
        return None
    percent = decimal_text(move_e6, 10_000)
    return {"movePercent": percent, "index": price_text(index_micro, lot_e8)}


def _charges_json(charges_micro: tuple[int, ...]) -> Json:
    return {
        name: cash_text(charge) for name, charge in zip(CHARGE_NAMES, charges_micro, strict=True)
    }


def _position_json(position: HeldPosition) -> Json:
    return {
        "symbol": position.symbol,
        "quantity": quantity_text(position.quantity_lots, position.lot_e8),
        "mark": price_text(position.mark_micro, position.lot_e8),
    }


def _scan_json(scan: UnderlyingScan, underlying: Underlying) -> Json:
    return {
        "underlying": underlying.name,
        "index": price_text(underlying.index_micro, underlying.lot_e8),
        "value": cash_text(scan.value_micro),
        "loss": cash_text(scan.loss_micro),
        "worstScenario": scan.worst_scenario,
        "positionLoss": cash_text(scan.position_loss_micro),
        "worstPositionScenario": scan.worst_position_scenario,
        "charges": _charges_json(scan.charges_micro),
        "scenarios": [
            {
                "movePercent": MOVE_PERCENT[scenario],
                "volatility": VOLATILITIES[VOL_SHOCK[scenario]],
                "isDamped": scenario >= FIRST_TAIL,
                "positions": cash_text(scan.position_gains_micro[scenario]),
                "withOrders": cash_text(scan.gains_micro[scenario]),
            }
            for scenario in range(SCENARIO_COUNT)
        ],
    }
