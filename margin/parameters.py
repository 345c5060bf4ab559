"""Every number of the margin model, with its unit, its source and its reason.

Holds: whoever changes the model changes this table and nothing else; Python and Solidity read the
same values (`tests/unit/test_pricing_contracts.py` compares them).
Never: computes anything beyond what a table needs.

Sources: [PM2] Derive's published portfolio margin model, second version; [D] Deribit's portfolio
margin page; [house] decided here, docs/margin.md says why.
"""

from typing import Final

SCAN_WIDTH_PERCENT: Final = 18
"""Largest ordinary move of the scan, in percent of the forward. [PM2: +-18%; D: +-16%]"""

MOVES_PERCENT: Final = tuple(range(-SCAN_WIDTH_PERCENT, SCAN_WIDTH_PERCENT + 1))
"""Ordinary moves, each with volatility up, unchanged and down. Steps of 1%: a step of 4.5% hides up
to 66% of a delta-hedged book's true loss and all of a near-expiry butterfly's, 1% hides 6% and
34%. [house]"""

TAILS_PERCENT: Final = (-66, -33, 50, 100, 200, 300, 400, 500)
"""Extreme moves, each with volatility up and the profit damped. [PM2, D]"""

TAIL_DAMPING_PERCENT: Final = 77
"""A tail of m counts 0.77 x 18% / |m| of its profit, so that every tail weighs a linear book like a
move of 13.9%. [PM2]"""

VOL_UP_PERCENT: Final = 50
"""Shock up: deviations times 1 + 0.50 f, f = (30 / max(days, 1)) ** p. [PM2]"""

VOL_DOWN_PERCENT: Final = 30
"""Shock down: deviations times 1 - 0.30 f. At one day f is 2.774 and the factor .168, so it is
always positive. [PM2]"""

SHOCK_REFERENCE_DAYS: Final = 30
"""Term at which f is 1. [PM2, D]"""

SHOCK_POWER_SHORT_PERCENT: Final = 30
"""p up to the reference term: short volatilities move more. [PM2, D]"""

SHOCK_POWER_LONG_PERCENT: Final = 13
"""p beyond the reference term. [PM2]"""

SHOCK_SHORTEST_DAYS: Final = 1
"""Terms below a day shock like a day. [PM2, D]"""

INITIAL_PERCENT: Final = 100
"""Initial margin's share of the worst scenario. [PM2]"""

MAINTENANCE_PERCENT: Final = 80
"""Maintenance margin's share of the worst scenario. [PM2]"""

MAX_FORWARD_MICRO: Final = ((1 << 34) - 1) * 100 // (100 + max(TAILS_PERCENT))
"""Largest forward or index, micro-USDC per lot: after the largest tail it is still below 2^34, so
that forward times probability (Q29) fits 63 bits. 2,863.31 USDC: for a lot of 0.01 BTC, a price of
286,331. [house]"""

MAX_LOG_MONEYNESS_Q30: Final = 6 << 30
"""Largest |ln(K/F)| of a listed strike, so that it times 2^30 fits 63 bits in every scenario: with
the tails' 1.79 it stays below 8. A strike at 400 times the forward prices nothing. [house]"""

MAX_DEVIATION_Q30: Final = 3 << 29
"""Deviations (volatility x sqrt(years)) stay below 1.5: after the largest shock, x 2.387, below 4,
so a deviation fits 32 bits. [docs/protocol.md, 7]"""

DISTRESS_BAND_E6: Final = 5_000
"""An account short of initial margin may trade only what lowers its risk, at prices that cost it at
most this share of the index per lot against the marks, fees included: 0.5%. Without it, such an
account could hand the exchange's money to an accomplice by overpaying. [house]"""

FEATURE_MOVE_PERCENT: Final = 1
"""Deltas are read between a move of -1% and one of +1%: what a lot gains over 2%. The scan's own
step, so no price is computed for them. [house]"""

DELTA_NOTIONAL: Final = 100 // (2 * FEATURE_MOVE_PERCENT)
"""A delta, what is gained over 2%, times 50 is the notional that it moves like."""

TILT_WIDTH_DEVIATIONS: Final = 2
"""Log-moneyness counts in the skew charges up to so many at-the-money deviations, where it counts
one: wings beyond it move like it. [house; PM2 clamps its two skew scenarios likewise]"""

ROLL_E6: Final = 1_500
"""Roll: an expiry's forward moves by itself by 0.15% of its notional, and by"""
ROLL_PER_YEAR_E6: Final = 5_000
"""0.5% more for a year, at most a year. Two quarterly futures against each other cost, with the
basis, about 1% of their notional. [D charged 1% for offsetting futures and now shocks each expiry;
house]"""

BASIS_PER_YEAR_E6: Final = 15_000
"""Basis: all forwards move together by 1.5% of a year's interest, so a notional that is due in T
years by 1.5% T, at most of two years. [PM2 has such a contingency; house]"""
BASIS_LONGEST_YEARS: Final = 2

PERPETUAL_E6: Final = 10_000
"""The premium of a perpetual over its index, 1% of its notional: half of the price band of an
order. [PM2 3%, and 1% more for initial margin, where prices are an oracle's; house]"""

TERM_VEGA_E6: Final = 150_000
"""Term vega: the volatility of an expiry moves by itself by 15% of the shock up. The scan moves all
expiries at once, so a calendar spread shows it little. [D charged 25% of vegas that offset between
expiries; ours is on all of them, which alone is sub-additive; house]"""

SKEW_E6: Final = 200_000
"""Skew: an option two deviations from the money moves by 20% of the shock up against the money: at
30 days 10% of its volatility. Once with opposite signs in the wings (linear), once with the same
(absolute); the larger counts. [PM2's two skew scenarios; house]"""

VANNA_SHARE_E6: Final = 250_000
"""Vanna: a quarter of the shock up comes before a hedger trades again. [house]"""
CHARM_DAYS: Final = 1
"""Charm: as does a day's decay, of an option's last day all of it. [house]"""
DRIFT_MOVE_PERCENT: Final = 3
"""By the delta that drifted so the hedger loses over a move of 3%: about two deviations of a
day's quarter at 60%. A day before expiry this is what the scan, which prices now, does not see.
[house]"""

SHORT_OPTION_E6: Final = 5_000
"""Short-option minimum, 0.5% of the index for each lot short at a strike, calls or puts, whichever
are more. [PM2: 0.3%, and 0.2% more for initial margin; D: 0.01 BTC]"""

CONCENTRATED_NOTIONAL_MICRO: Final = 20_000_000 * 10**6
"""Delta notional, and short-option notional, beyond which size itself costs: 20M USDC on each
underlying. [D: its delta shock starts there]"""
CONCENTRATED_DELTA_E6: Final = 20_000
"""Concentration of delta: 2% x excess^2 / threshold, so 2% of the excess at 40M, 8% at 100M. What a
position moves the market as it is closed grows with its size. [house]"""
CONCENTRATED_SHORT_E6: Final = 10_000
"""Concentration of short options: half as much, for most of them expire. [house]"""

RISK_TIER_QUARTERS: Final = (4, 5, 6)
"""Tiers of risk profile: the scan and the charges of initial margin times 100%, 125%, 150%. Whoever
wants to keep further from liquidation chooses more; the operator may ask it of whom it must, never
less than the model. [house]"""

PORTFOLIO_EQUITY_MICRO: Final = 10_000 * 10**6
"""Equity of an account that goes over to portfolio margin, at least 10,000 USDC: it is for books,
and its liquidation must be worth the trouble. [D asked for 0.5 BTC; house]"""

NETTING_PERCENT: Final = 50
"""Netting between underlyings: of what the worst scenario of all together loses less than the worst
of each by itself, half is given. [D counts 60% of another currency's profit; house: BTC and ETH
fall together, but not surely]"""

PEG_CHARGE_E4: Final = 100
"""Initial margin's charge for a stable's peg, 1% of what counts of it. Cash is USDC here, and what
is not USDC leaves it at times, for all holders at once: in March 2023 USDC and USDT stood a tenth
apart for a day. The haircut is for such a day, this for the usual ones. [PM2 has a charge for a
peg; house]"""

CONVERSION_ALLOWANCE_MICRO: Final = 100 * 10**6
"""How far an account's cash may be below zero before its collateral is for sale: 100 USDC, so that
no hour's funding or fee sells anything. [house]"""
