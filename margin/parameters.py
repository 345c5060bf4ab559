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

PEG_CHARGE_E4: Final = 100
"""Initial margin's charge for a stable's peg, 1% of what counts of it. Cash is USDC here, and what
is not USDC leaves it at times, for all holders at once: in March 2023 USDC and USDT stood a tenth
apart for a day. The haircut is for such a day, this for the usual ones. [PM2 has a charge for a
peg; house]"""

CONVERSION_ALLOWANCE_MICRO: Final = 100 * 10**6
"""How far an account's cash may be below zero before its collateral is for sale: 100 USDC, so that
no hour's funding or fee sells anything. [house]"""
